/* SPDX-License-Identifier: Apache-2.0
 *
 * deconv - transposed convolutions. Of floats: the gradient of a convolution towards its input (conv_dx). Of integers: a
 * convolution over the input with zeros between its elements, the kernel turned round; the same sum.
 */
#include "io/tflite/tflite.h"

#include <math.h>

/* ---- floats ---- */

/* [o,kh,kw,i] of the file as [i,kh,kw,o]; integers with scales by output are multiplied out. */
static cop_vid turned_weights(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_layer *l)
{
	const void *data = cop__tfl_data(m, l->w);
	bool scaled = cop__tfl_is(l->w, COP_I8);
	cop_type t = cop__type(COP_F32, 4, DIMS(l->c, l->kh, l->kw, l->o));
	int32_t taps = l->kh * l->kw;
	uint32_t per = l->w->scales.n;

	if (!data || (!scaled && !cop__tfl_is(l->w, COP_F32)) || (scaled && per != 1 && per != (uint32_t)l->o)) {
		if (!m->cx->code) cop__tfl_fail(m, n, "weights '%s' must be constant float32, float16, or int8 with scales", l->w->name);
		return 0;
	}
	float *w = cop__tfl_room(m, cop_type_bytes(&t));
	for (int32_t o = 0; w && o < l->o; o++) {
		float scale = scaled ? cop__fb_vec_f32(&l->w->scales, per > 1 ? (uint32_t)o : 0) : 1;
		int32_t zero = scaled && l->w->zeros.n ? (int32_t)cop__fb_vec_i64(&l->w->zeros,
			l->w->zeros.n > 1 ? (uint32_t)o : 0) - (l->w->file_type == TFL_UINT8 ? 128 : 0) : 0;
		for (int32_t k = 0; k < taps; k++)
			for (int32_t i = 0; i < l->c; i++) {
				int64_t at = ((int64_t)o * taps + k) * l->c + i;
				w[((int64_t)i * taps + k) * l->o + o] = scaled ? scale * (float)(((const int8_t *)data)[at] - zero) : ((const float *)data)[at];
			}
	}
	return w ? cop__tfl_weight(m, n, COP_PARAM, "w", &t, w) : 0;
}

static cop_status float_form(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_layer *l, cop_vid x, const cop_conv_attr *a, const int32_t *size)
{
	cop_conv_dx_attr d = {*a, size[1], size[2]};
	cop_act_attr act;
	cop_vid b = 0, w;

	d.c.lo = COP_NO_LO;
	d.c.hi = COP_NO_HI;
	COP_TRY(cop__tfl_act(m, n, TRANSPOSE_CONV_ACT, &act.lo, &act.hi));
	if (!(w = turned_weights(m, n, l))) return m->cx->code;
	if (l->b && (!(b = cop__tfl_value(m, n, 3)) || cop_type_count(&l->b->type) != l->o))
		return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "bias '%s' must hold %d floats", l->b->name, l->o);
	cop_vid y = cop__apply(m->g, OP_conv_dx, &d, VIDS(x, w));
	if (b) y = cop__make_two(m->g, OP_add, y, b);
	return cop__tfl_set(m, n, 0, act.lo != COP_NO_LO || act.hi != COP_NO_HI ? cop__make_clip(m->g, y, act.lo, act.hi) : y);
}

/* ---- integers ---- */

/* stride - 1 elements that stand for 0 behind each of x, but the last of an axis. */
static cop_vid spread_out(cop_graph *g, cop_vid x, int32_t sh, int32_t sw, int32_t zero)
{
	const cop_type t = *cop__t(g, x);
	int32_t n = t.dim[0], h = t.dim[1], w = t.dim[2], c = t.dim[3];
	cop_pad_attr p = {.after = {0, 0, sh - 1, 0, sw - 1}, .value = (float)zero};

	if (sh == 1 && sw == 1) return x;
	cop_vid v = cop__make_reshape(g, x, 6, DIMS(n, h, 1, w, 1, c));
	v = v ? cop__make_reshape(g, cop__apply(g, OP_pad, &p, VIDS(v)), 4, DIMS(n, h * sh, w * sw, c)) : 0;
	v = cop__make_slice(g, v, 1, 0, (h - 1) * sh + 1, 1);
	return cop__make_slice(g, v, 2, 0, (w - 1) * sw + 1, 1);
}

/* Border before and behind along one axis so that `out` results come; what would be negative is cut off. */
static cop_vid border(cop_graph *g, cop_vid x, int32_t axis, int32_t k, int32_t before, int32_t out, int32_t *first, int32_t *last)
{
	int32_t len = x ? cop__t(g, x)->dim[axis] : 1, lead = k - 1 - before, tail = out - (len + lead) + k - 1,
		from = COP_MAX(0, -lead), to = len - COP_MAX(0, -tail);

	*first = COP_MAX(0, lead);
	*last = COP_MAX(0, tail);
	return x && to > from ? cop__make_slice(g, x, axis, from, to - from, 1) : 0;
}

static cop_status int_form(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_layer *given, cop_vid x, const cop_conv_attr *a, const int32_t *size)
{
	cop_tfl_layer l = *given;
	cop_tfl_tensor w = *l.w;
	cop_conv_attr c = {1, 1, .dh = 1, .dw = 1, .groups = 1};
	const int8_t *data = cop__tfl_is(l.w, COP_I8) ? cop__tfl_data(m, l.w) : NULL;
	int32_t taps = l.kh * l.kw, zero;
	cop_vid y = 0;
	float scale;

	if (!data) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "weights '%s' must be constant int8 or uint8", l.w->name);
	COP_TRY(cop__tfl_scale(m, n, l.x, &scale, &zero));
	int8_t *round = cop__tfl_room(m, cop_type_bytes(&l.w->type));
	for (int64_t i = 0; round && i < (int64_t)l.o * taps * l.c; i++) {
		int64_t o = i / l.c / taps, k = i / l.c % taps;
		round[i] = data[(o * taps + taps - 1 - k) * l.c + i % l.c];
	}
	if (!round) return m->cx->code;
	w.data = round;
	l.w = &w;
	x = border(m->g, spread_out(m->g, x, a->sh, a->sw, zero), 1, l.kh, a->pt, size[1], &c.pt, &c.pb);
	x = border(m->g, x, 2, l.kw, a->pl, size[2], &c.pl, &c.pr);
	if (!x) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "none of the input reaches the result");
	COP_TRY(cop__tfl_int_layer(m, n, &l, x, &c, TRANSPOSE_CONV_ACT, &y));
	return cop__tfl_set(m, n, 0, y);
}

/* Inputs: the shape of the result, weights [o,kh,kw,i], x, a bias. */
cop_status cop__tfl_transpose_conv(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_layer l = {cop__tfl_in(m, n, 2), cop__tfl_in(m, n, 1), cop__tfl_in(m, n, 3), cop__tfl_out(m, n, 0), .groups = 1};
	cop_conv_attr a = {cop__fb_int(&n->options, TRANSPOSE_CONV_STRIDE_H, 4, 0),
		cop__fb_int(&n->options, TRANSPOSE_CONV_STRIDE_W, 4, 0), .dh = 1, .dw = 1, .groups = 1};
	int32_t kind = cop__fb_int(&n->options, TRANSPOSE_CONV_PADDING, 1, TFL_SAME), count;
	cop_vid x = cop__tfl_value(m, n, 2);
	const int32_t *size;

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 0, &size, &count));
	const int32_t *xd = cop__t(m->g, x)->dim, *wd = l.w ? l.w->type.dim : NULL;
	if (!l.w || l.w->type.rank != 4 || cop__t(m->g, x)->rank != 4 || count != 4 || wd[3] != xd[3] || wd[0] < 1 ||
		wd[1] < 1 || wd[2] < 1) return cop__tfl_fail(m, n, "input, weights and result must have four dimensions that fit");
	l.o = wd[0], l.kh = wd[1], l.kw = wd[2], l.c = wd[3];
	l.float_product = l.x->file_type == TFL_UINT8;
	bool fits = size[1] > 0 && size[2] > 0 && cop__tfl_padding(kind, size[1], l.kh, a.sh, 1, &a.pt, &a.pb) &&
		cop__tfl_padding(kind, size[2], l.kw, a.sw, 1, &a.pl, &a.pr);
	if (!fits || a.sh > 1 << 12 || a.sw > 1 << 12 || l.kh > 1 << 12 || l.kw > 1 << 12 || size[1] > 1 << 16 ||
		size[2] > 1 << 16 || (int64_t)xd[1] * a.sh > 1 << 17 || (int64_t)xd[2] * a.sw > 1 << 17)
		return cop__tfl_fail(m, n, "a window of %dx%d, stride %dx%d does not grow %dx%d to %dx%d", l.kh, l.kw, a.sh, a.sw, xd[1], xd[2], size[1], size[2]);
	return cop__tfl_is(l.x, COP_I8) ? int_form(m, n, &l, x, &a, size) : float_form(m, n, &l, x, &a, size);
}
