/* SPDX-License-Identifier: Apache-2.0
 *
 * layer - convolutions, fully connected layers, pools. Integer layers become qconv: weights without a zero point, with
 * -zx * sum(w) in the bias; a fully connected layer is a convolution over one pixel.
 *
 * uint8 weights have a zero point that may take w - zero beyond int8. Then w - zero is a sum of two or three int8
 * weights, on as many copies of each input channel: the same sum, exactly.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <math.h>
#include <stdlib.h>

typedef cop_tfl_layer layer;

static float scale_at(const cop_tfl_tensor *w, int32_t o)
{
	return cop__fb_vec_f32(&w->scales, w->scales.n > 1 ? (uint32_t)o : 0);
}

static int32_t zero_at(const cop_tfl_tensor *w, int32_t o)
{
	int64_t z = !w->zeros.n ? 0 : cop__fb_vec_i64(&w->zeros, w->zeros.n > 1 ? (uint32_t)o : 0);
	return (int32_t)COP_MIN(1000, COP_MAX(-1000, z)) - (w->file_type == TFL_UINT8 ? 128 : 0);
}

static cop_status check_weight_scales(cop_tfl *m, const cop_tfl_node *n, const layer *l)
{
	const cop_tfl_tensor *w = l->w;

	if (w->scales.n < 1 || (w->scales.n > 1 && ((int32_t)w->scales.n != l->o || w->axis != l->axis)) || (w->zeros.n > 1 && w->zeros.n != w->scales.n))
		return cop__tfl_fail(m, n, "weights '%s' have %u scales along axis %d; one, or one for each of %d outputs is expected", w->name, w->scales.n, w->axis, l->o);
	for (uint32_t i = 0; i < w->scales.n; i++) {
		float s = cop__fb_vec_f32(&w->scales, i);
		if (!(s >= 0 && s < INFINITY)) return cop__tfl_fail(m, n, "weights '%s': scale %u is no positive number", w->name, i);
	}
	return COP_OK;
}

/* Element (o, tap, c) of the file's weights: OHWI, or [1,h,w,o] of depthwise ones. */
static int64_t weight_index(const layer *l, int32_t o, int32_t tap, int32_t c)
{
	return l->depthwise ? (int64_t)tap * l->o + o : ((int64_t)o * l->kh * l->kw + tap) * l->c + c;
}

/* ---- floats ---- */

/* OHWI floats, from floats or from integers with scales. */
static cop_status float_weights(cop_tfl *m, const cop_tfl_node *n, const layer *l, cop_vid *out)
{
	const void *data = cop__tfl_data(m, l->w);
	cop_type t = l->fc ? cop__type(COP_F32, 2, DIMS(l->o, l->c)) : cop__type(COP_F32, 4, DIMS(l->o, l->kh, l->kw, l->c));
	bool scaled = cop__tfl_is(l->w, COP_I8);

	if (!data) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "weights '%s' must be constant", l->w->name);
	if (!scaled && !cop__tfl_is(l->w, COP_F32))
		return cop__tfl_fail(m, n, "weights '%s' have tensor type %d; float32, float16 and int8 are supported", l->w->name,
			l->w->file_type);
	if (scaled) COP_TRY(check_weight_scales(m, n, l));
	float *w = cop__tfl_room(m, cop_type_bytes(&t)), *at = w;
	if (!w) return m->cx->code;
	for (int32_t o = 0; o < l->o; o++)
		for (int32_t tap = 0; tap < l->kh * l->kw; tap++)
			for (int32_t c = 0; c < l->c; c++) {
				int64_t i = weight_index(l, o, tap, c);
				*at++ = scaled ? scale_at(l->w, o) * (float)(((const int8_t *)data)[i] - zero_at(l->w, o)) : ((const float *)data)[i];
			}
	*out = cop__tfl_weight(m, n, COP_PARAM, "w", &t, w);
	return *out ? COP_OK : m->cx->code;
}

static cop_status float_bias(cop_tfl *m, const cop_tfl_node *n, const layer *l, cop_vid *out)
{
	cop_type t = cop__type(COP_F32, 1, &l->o);

	*out = 0;
	if (!l->b) return COP_OK;
	const void *data = cop__tfl_data(m, l->b);
	if (!data || !cop__tfl_is(l->b, COP_F32) || cop_type_count(&l->b->type) != l->o)
		return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "bias '%s' must hold %d constant floats", l->b->name, l->o);
	*out = cop__tfl_weight(m, n, COP_PARAM, "b", &t, data);
	return *out ? COP_OK : m->cx->code;
}

static cop_status float_layer(cop_tfl *m, const cop_tfl_node *n, const layer *l, cop_vid x, const cop_conv_attr *a, int act, cop_vid *y)
{
	cop_vid w = 0, b = 0;
	cop_conv_attr c = *a;

	COP_TRY(cop__tfl_act(m, n, act, &c.lo, &c.hi));
	COP_TRY(float_weights(m, n, l, &w));
	COP_TRY(float_bias(m, n, l, &b));
	const cop_act_attr bounds = {c.lo, c.hi};
	*y = cop__apply(m->g, l->fc ? OP_fc : OP_conv, l->fc ? (const void *)&bounds : &c, b ? 3 : 2, (const cop_vid[]){x, w, b});
	return *y ? COP_OK : m->cx->code;
}

/* ---- integers ---- */

/* How many int8 weights make up each w - zero; 0: the weights are not what they should be. */
static int32_t parts_of(const layer *l, const int8_t *data)
{
	int32_t most = 0;

	for (int32_t o = 0; o < l->o; o++)
		for (int32_t i = 0; i < l->kh * l->kw * l->c; i++) {
			int32_t d = data[weight_index(l, o, i / l->c, i % l->c)] - zero_at(l->w, o);
			most = COP_MAX(most, d < 0 ? -d - (d >= -128) : d);
		}
	return most <= 127 ? 1 : (most + 126) / 127;
}

/* d, less what the parts before this one took */
static int32_t part_of(int32_t d, int32_t part, int32_t parts)
{
	for (int32_t i = 0; parts > 1 && i < part; i++) d -= COP_MIN(127, COP_MAX(-127, d));
	return parts > 1 ? COP_MIN(127, COP_MAX(-127, d)) : d;
}

/* Weights OHWI with `parts` entries for each input channel, and the bias less zx * sum(w). */
static cop_status int_weights(cop_tfl *m, const cop_tfl_node *n, const layer *l, int32_t zx, int32_t parts, const int8_t *data, cop_vid *w, cop_vid *b)
{
	cop_type wt = cop__type(COP_I8, 4, DIMS(l->o, l->kh, l->kw, l->c * parts)), bt = cop__type(COP_I32, 1, &l->o);
	int8_t *out = cop__tfl_room(m, cop_type_bytes(&wt)), *at = out;
	int32_t *bias = cop__tfl_room(m, cop_type_bytes(&bt));
	const int32_t *given = l->b ? cop__tfl_data(m, l->b) : NULL;

	if (!out || !bias || m->cx->code) return m->cx->code;
	if (l->b && (!given || !cop__tfl_is(l->b, COP_I32) || cop_type_count(&l->b->type) != l->o))
		return cop__tfl_fail(m, n, "bias '%s' must hold %d constant integers", l->b->name, l->o);
	for (int32_t o = 0; o < l->o; o++) {
		uint32_t sum = 0;
		for (int32_t i = 0; i < l->kh * l->kw * l->c; i++) {
			int32_t d = data[weight_index(l, o, i / l->c, i % l->c)] - zero_at(l->w, o);
			for (int32_t p = 0; p < parts; p++) *at++ = (int8_t)part_of(d, p, parts);
			sum += (uint32_t)d;
		}
		bias[o] = (int32_t)((given ? (uint32_t)given[o] : 0) - (uint32_t)zx * sum);
	}
	*w = cop__tfl_weight(m, n, COP_CONST, "w", &wt, out);
	*b = cop__tfl_weight(m, n, COP_CONST, "b", &bt, bias);
	return *w && *b ? COP_OK : m->cx->code;
}

/* One rounding, with as many digits of the largest factor as there is room for. */
static void all_digits(int32_t *k, int32_t *up, const double *real, int32_t n)
{
	double most = 0;
	int exponent;

	for (int32_t i = 0; i < n; i++) most = fmax(most, real[i]);
	frexp(most, &exponent); /* below 2^10 */
	*up = COP_MAX(-20, exponent + 1);
	if (round(ldexp(most, 32 - *up)) > 2147483647.0) ++*up;
	for (int32_t i = 0; i < n; i++) k[i] = (int32_t)round(ldexp(real[i], 32 - *up));
}

/* A factor of 2^10 and more: each step of the sum is beyond int8. A power of two below it does the same, with room for the largest sum. */
static double held_factor(cop_tfl *m, const layer *l, int32_t o, double real)
{
	const int8_t *data = cop__tfl_data(m, l->w);
	const int32_t *bias = l->b ? cop__tfl_data(m, l->b) : NULL;
	double most = bias ? fabs((double)bias[o]) : 0;
	int32_t taps = l->kh * l->kw * l->c;

	if (real < 1 << 10 || cop__tfl_is(l->x, COP_I16)) return real;
	for (int32_t i = 0; i < taps; i++) most += 255 * abs(data[weight_index(l, o, i / l->c, i % l->c)] - zero_at(l->w, o));
	return ldexp(1, COP_MAX(0, COP_MIN(9, 29 - ilogb(most + 1))));
}

/* Real factors become multipliers as TFLite's reference kernels apply them: rounded twice in convolutions, once in fully
 * connected layers, whose factor is a double there. */
static cop_status multipliers(cop_tfl *m, const cop_tfl_node *n, const layer *l, float sx, float sy, int32_t *up, cop_vid *out)
{
	bool twice = !l->fc || l->float_product;
	cop_type t = twice ? cop__type(COP_I32, 2, DIMS(2, l->o)) : cop__type(COP_I32, 1, &l->o);
	int32_t *k = cop__tfl_room(m, cop_type_bytes(&t));
	double *real = cop__tfl_room(m, sizeof *real * (size_t)l->o);

	if (!k || !real) return m->cx->code;
	for (int32_t o = 0; o < l->o; o++) {
		float sw = scale_at(l->w, o);
		real[o] = held_factor(m, l, o, l->float_product ? (double)(sx * sw) / (double)sy : (double)sx * (double)sw / (double)sy);
		if (twice) cop__multiplier_double(&k[o], &k[l->o + o], real[o]);
	}
	if (!twice) all_digits(k, up, real, l->o);
	*out = cop__tfl_weight(m, n, COP_CONST, "m", &t, k);
	return *out ? COP_OK : m->cx->code;
}

/* Every channel `parts` times, side by side. */
static cop_vid repeat_channels(cop_graph *g, cop_vid x, int32_t parts)
{
	const int32_t *d = cop__t(g, x)->dim;
	cop_shape_attr apart = {5, {-1, d[1], d[2], d[3], 1}}, together = {4, {-1, d[1], d[2], d[3] * parts}};
	cop_vid v = cop__apply(g, OP_reshape, &apart, VIDS(x));

	v = cop__apply(g, OP_concat, &(cop_concat_attr){4}, parts, (const cop_vid[]){v, v, v});
	return cop__apply(g, OP_reshape, &together, VIDS(v));
}

cop_status cop__tfl_int_layer(cop_tfl *m, const cop_tfl_node *n, const layer *l, cop_vid x, const cop_conv_attr *a, int act, cop_vid *y)
{
	cop_qconv_attr q = {a->sh, a->sw, a->pt, a->pl, a->pb, a->pr, a->dh, a->dw, a->groups, 0, 0, 0, 0, 0, 0, 0};
	const int8_t *data = cop__tfl_is(l->w, COP_I8) ? cop__tfl_data(m, l->w) : NULL;
	cop_vid w = 0, b = 0, k = 0;
	float sx, sy;

	if (!data) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "weights '%s' must be constant int8, int4 or uint8", l->w->name);
	COP_TRY(check_weight_scales(m, n, l));
	COP_TRY(cop__tfl_scale(m, n, l->x, &sx, &q.zx));
	COP_TRY(cop__tfl_scale(m, n, l->y, &sy, &q.zy));
	COP_TRY(cop__tfl_act_int(m, n, act, &q.qlo, &q.qhi));
	if (cop__tfl_is(l->x, COP_I16) && l->b && l->b->file_type != TFL_INT64) return cop__tfl_fail(m, n, "bias '%s' must be int64 beside activations of int16", l->b->name);
	int32_t parts = parts_of(l, data);
	if (parts > 3) return cop__tfl_fail(m, n, "weights '%s' have a zero point outside their range", l->w->name);
	COP_TRY(int_weights(m, n, l, q.zx, parts, data, &w, &b));
	COP_TRY(multipliers(m, n, l, sx, sy, &q.up, &k));
	if (parts > 1) x = repeat_channels(m->g, x, parts);
	*y = cop__apply(m->g, OP_qconv, &q, VIDS(x, w, b, k));
	return *y ? COP_OK : m->cx->code;
}

static cop_status add_layer(cop_tfl *m, const cop_tfl_node *n, const layer *l, cop_vid x, const cop_conv_attr *a, int act, cop_vid *y)
{
	return cop__tfl_whole(l->x) ? cop__tfl_int_layer(m, n, l, x, a, act, y) : float_layer(m, n, l, x, a, act, y);
}

/* ---- geometry ---- */

bool cop__tfl_padding(int32_t kind, int64_t in, int64_t k, int64_t stride, int64_t dilation, int32_t *before, int32_t *after)
{
	int64_t reach = (k - 1) * dilation + 1;

	if (k < 1 || stride < 1 || dilation < 1 || reach > INT32_MAX) return false;
	int64_t total = kind == TFL_SAME ? COP_MAX(0, ((in + stride - 1) / stride - 1) * stride + reach - in) : 0;
	*before = (int32_t)(total / 2);
	*after = (int32_t)(total - total / 2);
	return in + total >= reach && total < INT32_MAX;
}

/* Is the convolution one over blocks that SPACE_TO_BATCH_ND set apart? With stride and dilation 1, and no border of its own. */
static bool dilates(const cop_tfl_node *n, const layer *l, bool dw)
{
	const int one[] = {CONV_STRIDE_H, CONV_STRIDE_W, dw ? DEPTHWISE_DILATION_H : CONV_DILATION_H, dw ? DEPTHWISE_DILATION_W : CONV_DILATION_W};

	if (!l->x || !l->x->apart.x || l->x->apart.axes != 2 || cop__fb_int(&n->options, CONV_PADDING, 1, TFL_SAME) != TFL_VALID) return false;
	for (int i = 0; i < LEN(one); i++)
		if (cop__fb_int(&n->options, one[i], 4, 1) != 1) return false;
	return true;
}

cop_status cop__tfl_conv(cop_tfl *m, const cop_tfl_node *n)
{
	bool dw = n->code == TFL_DEPTHWISE_CONV_2D;
	layer l = {cop__tfl_in(m, n, 0), cop__tfl_in(m, n, 1), cop__tfl_in(m, n, 2), cop__tfl_out(m, n, 0), .depthwise = dw, .axis = dw ? 3 : 0};
	const cop_tfl_apart *apart = dilates(n, &l, dw) ? &l.x->apart : NULL;
	cop_vid x = apart ? apart->x : cop__tfl_value(m, n, 0), y;

	if (!x) return m->cx->code;
	if (!l.w || l.w->type.rank != 4 || cop__t(m->g, x)->rank != 4) return cop__tfl_fail(m, n, "input and weights must have four dimensions");
	const int32_t *xd = cop__t(m->g, x)->dim, *wd = l.w->type.dim;
	l.o = dw ? wd[3] : wd[0];
	l.kh = wd[1];
	l.kw = wd[2];
	l.c = dw ? 1 : wd[3];
	l.groups = l.o > 0 && l.c > 0 ? xd[3] / l.c : 0;
	l.float_product = l.x->file_type == TFL_UINT8;
	if (l.groups < 1 || l.groups * l.c != xd[3] || l.o % l.groups || (dw && wd[0] != 1))
		return cop__tfl_fail(m, n, "weights for %d channels to %d do not fit %d channels", l.c, l.o, xd[3]);
	cop_conv_attr a = {cop__fb_int(&n->options, CONV_STRIDE_H, 4, 0), cop__fb_int(&n->options, CONV_STRIDE_W, 4, 0), .groups = l.groups,
		.dh = cop__fb_int(&n->options, dw ? DEPTHWISE_DILATION_H : CONV_DILATION_H, 4, 1),
		.dw = cop__fb_int(&n->options, dw ? DEPTHWISE_DILATION_W : CONV_DILATION_W, 4, 1)};
	if (apart) a.dh = apart->block[0], a.dw = apart->block[1];
	int32_t kind = cop__fb_int(&n->options, CONV_PADDING, 1, TFL_SAME); /* both options begin with padding, stride_w, stride_h */
	if (!cop__tfl_padding(kind, xd[1], l.kh, a.sh, a.dh, &a.pt, &a.pb) || !cop__tfl_padding(kind, xd[2], l.kw, a.sw, a.dw, &a.pl, &a.pr))
		return cop__tfl_fail(m, n, "a window of %dx%d, stride %dx%d, dilation %dx%d does not fit an input of %dx%d", l.kh,
			l.kw, a.sh, a.sw, a.dh, a.dw, xd[1], xd[2]);
	COP_TRY(add_layer(m, n, &l, x, &a, dw ? DEPTHWISE_ACT : CONV_ACT, &y));
	if (apart) return cop__tfl_set_apart(m, n, &(cop_tfl_apart){y, apart->axes, {apart->block[0], apart->block[1]}});
	return cop__tfl_set(m, n, 0, y);
}

/* x as rows of `in` numbers (integers: as pixels of `in` channels); the result keeps x's other dimensions where asked to. */
cop_status cop__tfl_fc(cop_tfl *m, const cop_tfl_node *n)
{
	layer l = {cop__tfl_in(m, n, 0), cop__tfl_in(m, n, 1), cop__tfl_in(m, n, 2), cop__tfl_out(m, n, 0), .kh = 1, .kw = 1, .groups = 1, .fc = true};
	cop_conv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0};
	cop_vid x = cop__tfl_value(m, n, 0), y;

	if (!x) return m->cx->code;
	if (!l.w || l.w->type.rank != 2) return cop__tfl_fail(m, n, "weights must have two dimensions");
	if (cop__fb_int(&n->options, FC_WEIGHTS_FORMAT, 1, 0)) return cop__tfl_fail(m, n, "shuffled weights are not supported");
	l.o = l.w->type.dim[0];
	l.c = l.w->type.dim[1];
	cop_type shape = *cop__t(m->g, x);
	bool whole = cop__tfl_whole(l.x);
	if (l.o < 1 || l.c < 1 || cop_type_count(&shape) % l.c) return cop__tfl_fail(m, n, "weights [%d,%d] do not fit the input", l.o, l.c);
	x = cop__tfl_as(m->g, x, whole ? 4 : 2, whole ? DIMS(-1, 1, 1, l.c) : DIMS(-1, l.c));
	if (!x) return m->cx->code;
	COP_TRY(add_layer(m, n, &l, x, &a, FC_ACT, &y));
	if (!cop__fb_int(&n->options, FC_KEEP_DIMS, 1, 0) || shape.rank < 2) shape.rank = 2;
	shape.dim[shape.rank - 1] = l.o;
	return cop__tfl_set(m, n, 0, cop__tfl_as(m->g, y, shape.rank, shape.dim));
}

/* ---- pools ---- */

static cop_status int_average(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const cop_pool_attr *p, cop_vid *y)
{
	cop_qavgpool_attr q = {p->kh, p->kw, p->sh, p->sw, p->pt, p->pl, p->pb, p->pr, 0, 0, 0, 0, 0, 0};
	float sx, sy;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &q.zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q.zy));
	if (fabsf(sx - sy) > 1e-6f || q.zx != q.zy) return cop__tfl_fail(m, n, "input and output must have the same scale and zero point");
	COP_TRY(cop__tfl_act_int(m, n, POOL_ACT, &q.qlo, &q.qhi));
	q.zx = q.zy = cop__tfl_in(m, n, 0)->file_type == TFL_UINT8 ? -128 : 0; /* TFLite rounds the mean of the file's integers */
	*y = cop__apply(m->g, OP_qavgpool, &q, VIDS(x));
	return *y ? COP_OK : m->cx->code;
}

cop_status cop__tfl_pool(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0), y = 0;
	cop_act_attr act;

	if (!x) return m->cx->code;
	bool whole = cop__tfl_whole(cop__tfl_in(m, n, 0)), mean = n->code == TFL_AVERAGE_POOL_2D;
	if (cop__t(m->g, x)->rank != 4) return cop__tfl_fail(m, n, "the input must have four dimensions");
	const int32_t *xd = cop__t(m->g, x)->dim;
	cop_pool_attr p = {cop__fb_int(&n->options, POOL_H, 4, 0), cop__fb_int(&n->options, POOL_W, 4, 0), cop__fb_int(&n->options, POOL_STRIDE_H, 4, 0),
		cop__fb_int(&n->options, POOL_STRIDE_W, 4, 0), 0, 0, 0, 0, 0};
	int32_t kind = cop__fb_int(&n->options, POOL_PADDING, 1, TFL_SAME), lo, hi;
	if (!cop__tfl_padding(kind, xd[1], p.kh, p.sh, 1, &p.pt, &p.pb) || !cop__tfl_padding(kind, xd[2], p.kw, p.sw, 1, &p.pl, &p.pr))
		return cop__tfl_fail(m, n, "a window of %dx%d, stride %dx%d does not fit an input of %dx%d", p.kh, p.kw, p.sh, p.sw, xd[1], xd[2]);
	if (whole && mean) {
		COP_TRY(int_average(m, n, x, &p, &y));
		return cop__tfl_set(m, n, 0, y);
	}
	if (whole) {
		COP_TRY(cop__tfl_act_int(m, n, POOL_ACT, &lo, &hi));
		y = cop__apply(m->g, OP_maxpool, &p, VIDS(x));
		return cop__tfl_set(m, n, 0, y && (lo > cop__dtype_least(cop__t(m->g, y)->dtype) || hi < cop__dtype_most(cop__t(m->g, y)->dtype)) ? cop__tfl_hold(m, n, y, lo, hi) : y);
	}
	COP_TRY(cop__tfl_act(m, n, POOL_ACT, &act.lo, &act.hi));
	y = cop__apply(m->g, mean ? OP_avgpool : OP_maxpool, &p, VIDS(x));
	if (act.lo != COP_NO_LO || act.hi != COP_NO_HI) y = cop__apply(m->g, OP_clip, &act, VIDS(y));
	return cop__tfl_set(m, n, 0, y);
}
