/* SPDX-License-Identifier: Apache-2.0
 *
 * lower_ops - the integer form of each operator: constants from the ranges of its operands and its result. Ties are rounded
 * once (kernel/quant.h, single). A bound that was fused becomes a bound of the integers.
 */
#include "pass/lower.h"

#include <math.h>
#include <stdio.h>

static const cop_qrange *range_of(const cop_lower *l, cop_vid v) { return &l->z->act[v]; }

/* The integers that hold between real bounds. */
static void bounds(const cop_qrange *r, float lo, float hi, int32_t *qlo, int32_t *qhi)
{
	*qlo = isinf(lo) ? r->lo : cop__quantise(lo, r);
	*qhi = isinf(hi) ? r->hi : cop__quantise(hi, r);
}

/* "conv1.w" and "m" -> "conv1.m", or the first such name that is free. */
static void beside(char name[128], const cop_lower *l, const char *w, const char *what)
{
	int stem = (int)strlen(w);

	if (stem > 2 && !strcmp(w + stem - 2, ".w")) stem -= 2;
	stem = COP_MIN(stem, 100);
	snprintf(name, 128, "%.*s.%s", stem, w, what);
	for (int i = 0; cop__find(l->out, name); i++) snprintf(name, 128, "%.*s.%s%d", stem, w, what, i);
}

static cop_vid constant(cop_lower *l, const char *name, const cop_type *t, const void *data)
{
	return cop__data(l->out, COP_CONST, name, t, data);
}

static cop_vid unary(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &lo, &hi);
	return cop__by_table(l, l->q[x], range_of(l, x), range_of(l, y), g->node[n].op, lo, hi);
}

/* ---- layers ---- */

/* Weights that layers share are there once; where each has rounded them in its own way, each has its own. */
static cop_vid once(cop_lower *l, const char *name, const cop_type *t, const void *data)
{
	char other[128];
	cop_vid v = cop__find(l->out, name);
	const cop_value *x = &l->out->value[v];

	if (!v) return constant(l, name, t, data);
	if (x->data && x->type.dtype == t->dtype && cop__same_shape(&x->type, t) && !memcmp(x->data, data, cop_type_bytes(t))) return v;
	beside(other, l, name, "w");
	return constant(l, other, t, data);
}

/* Several to a byte along the last axis, from the low bits up. Runs of one would take a byte all the same. */
static cop_vid weights(cop_lower *l, const char *name, const cop_qlayer *y, int32_t rank, const int32_t *dim)
{
	const int32_t run = dim[rank - 1];
	cop_type t = cop__type(y->q_bits > 4 || run == 1 ? COP_I8 : y->q_bits > 2 ? COP_I4 : COP_I2, rank, dim);

	if (t.dtype == COP_I8) return once(l, name, &t, y->q);
	void *packed = cop__arena_get(&l->out->mem, cop_type_bytes(&t) + 64);
	if (!packed) return 0;
	for (int64_t i = 0; i < cop_type_count(&t); i++) cop__whole_put(&t, packed, i, y->q[i]);
	return once(l, name, &t, packed);
}

/* What a unit of a sum stands for: sx sw. Rows of zeros have any; theirs gives the bias 16 bits, where a tiny one would leave few to the multiplier. */
static double unit(const cop_qlayer *y, int32_t o, const cop_qrange *rx, const cop_qrange *ry, double *sum)
{
	const int8_t *q = y->q + (size_t)o * (size_t)y->k;
	bool zeros = true;

	*sum = 0;
	for (int32_t i = 0; i < y->k; i++) *sum += q[i], zeros &= !q[i];
	if (!zeros) return (double)rx->scale * (double)y->scale[o];
	return fmin(fmax(fabs((double)y->bias[o]), (double)ry->scale), 1024.0 * (double)ry->scale) / 65536;
}

/* b = bias / (sx sw) - zx sum w, and the multipliers sx sw / sy. */
static bool constants(int32_t *b, int32_t *m, int32_t *up, double *real, const cop_qlayer *y, const cop_qrange *rx, const cop_qrange *ry)
{
	for (int32_t o = 0; o < y->o; o++) {
		double sum, step = unit(y, o, rx, ry, &sum), v = round((double)y->bias[o] / step) - rx->zero * sum;
		b[o] = (int32_t)fmin(fmax(v, -2147483647.0), 2147483647.0);
		real[o] = step / (double)ry->scale;
	}
	return cop__multipliers_single(m, up, real, y->o) && (cop__range_dtype(rx) == COP_I8 || *up <= 16);
}

/* Does a layer that stays float read these weights, too? */
static bool stays_float(const cop_lower *l, cop_vid w)
{
	const cop_graph *g = l->z->g;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 1) == w && !l->z->layer[n].bits) return true;
	return false;
}

static cop_vid layer(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qlayer *y = &l->z->layer[n];
	const cop_qrange *rx = range_of(l, cop__arg(g, n, 0)), *ry = range_of(l, cop__res(g, n, 0));
	const char *w = g->value[cop__arg(g, n, 1)].name;
	bool fc = g->node[n].op == OP_fc;
	cop_qconv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
	cop_type t = cop__type(COP_I32, 1, &y->o);
	int32_t *b = cop__arena_get(&l->out->mem, 8 * (size_t)y->o), *m = b + y->o;
	double *real = cop__arena_get(&l->out->mem, sizeof *real * (size_t)y->o);
	char bias[128], mult[128], shared[128];
	float lo, hi;

	if (!fc) {
		COP_ATTR(cop_conv_attr, c, g, n);
		a = (cop_qconv_attr){c.sh, c.sw, c.pt, c.pl, c.pb, c.pr, c.dh, c.dw, c.groups, 0, 0, 0, 0, 0, 0, 0};
	}
	cop__act_get(g, n, &lo, &hi);
	bounds(ry, lo, hi, &a.qlo, &a.qhi);
	a.zx = rx->zero;
	a.zy = ry->zero;
	if (!b || !real) return 0;
	if (!constants(b, m, &a.up, real, y, rx, ry)) {
		cop__fail(g, COP_ARG, n, "its result is too small beside its input and weights for integers; --keep it");
		return 0;
	}
	if (stays_float(l, cop__arg(g, n, 1))) {
		beside(shared, l, w, "q");
		w = shared;
	}
	cop_vid x = cop__as_integer(l, cop__arg(g, n, 0)), wv = weights(l, w, y, 4, fc ? DIMS(y->o, 1, 1, y->k) : cop__in(g, n, 1)->dim);
	beside(bias, l, w, "b");
	cop_vid bv = constant(l, bias, &t, b);
	beside(mult, l, w, "m");
	cop_vid mv = constant(l, mult, &t, m);
	if (fc) x = cop__apply(l->out, OP_reshape, &(cop_shape_attr){4, {0, 1, 1, -1, 0, 0}}, VIDS(x));
	cop_vid v = cop__apply(l->out, OP_qconv, &a, VIDS(x, wv, bv, mv));
	return fc ? cop__apply(l->out, OP_reshape, &(cop_shape_attr){2, {0, -1, 0, 0, 0, 0}}, VIDS(v)) : v;
}

/* ---- distances ---- */

/* w as x is: whole steps from its zero. x never leaves a byte, so what w lies beyond it is the same distance more for every x, and part of the
 * bias. */
static void whole_distances(int8_t *q, double *beyond, const float *w, int32_t o, int32_t k, const cop_qrange *rx)
{
	for (int32_t i = 0; i < o * k; i++) {
		double v = fmin(fmax(round((double)w[i] / (double)rx->scale), -1e6), 1e6) + rx->zero, held = fmin(fmax(v, -128), 127);
		q[i] = (int8_t)held;
		beyond[i / k] += fabs(v - held);
	}
}

/* Can node n be made of integers? No channel may have a factor of 0, or so small a one that its bias does not fit. */
static bool distances_fit(const cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_vid x = cop__arg(g, n, 0), f = cop__arg(g, n, 2);
	const float *s = cop__floats(g, f), *b = cop__floats(g, cop__arg(g, n, 3));

	if (cop__range_dtype(range_of(l, x)) != COP_I8) return false; /* weights are bytes on the scale of x */
	if (!(range_of(l, x)->scale > 0) || !cop__floats(g, cop__arg(g, n, 1)) || g->node[n].guard || (f && (!s || !b))) return false;
	for (int32_t o = 0; f && o < cop__t(g, f)->dim[0]; o++)
		if (!(fabs((double)b[o]) <= 1e9 * fabs((double)s[o]) * (double)range_of(l, x)->scale) || s[o] == 0) return false;
	return true;
}

static cop_vid distances(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *rx = range_of(l, cop__arg(g, n, 0)), *ry = range_of(l, cop__res(g, n, 0));
	const cop_type *t = cop__in(g, n, 1);
	const float *s = cop__floats(g, cop__arg(g, n, 2)), *bias = cop__floats(g, cop__arg(g, n, 3));
	int32_t o_n = t->dim[0], k = (int32_t)(cop_type_count(t) / o_n);
	double *real = cop__arena_get(&l->out->mem, 2 * sizeof *real * (size_t)o_n), *beyond = real + o_n;
	int32_t *b = cop__arena_get(&l->out->mem, 2 * sizeof *b * (size_t)o_n), *m = b + o_n;
	int8_t *q = cop__arena_get(&l->out->mem, (size_t)o_n * (size_t)k);
	cop_type wt = cop__type(COP_I8, 4, t->dim), bt = cop__type(COP_I32, 1, &o_n);
	const char *w = g->value[cop__arg(g, n, 1)].name;
	char name[128];
	float lo, hi;
	COP_ATTR(cop_conv_attr, c, g, n);
	cop_qconv_attr a = {c.sh, c.sw, c.pt, c.pl, c.pb, c.pr, c.dh, c.dw, c.groups, rx->zero, ry->zero, 0, 0, 0, 0, 0};

	if (!real || !b || !q) return 0;
	cop__act_get(g, n, &lo, &hi);
	bounds(ry, lo, hi, &a.qlo, &a.qhi);
	whole_distances(q, beyond, cop__floats(g, cop__arg(g, n, 1)), o_n, k, rx);
	for (int32_t o = 0; o < o_n; o++) {
		double step = (s ? (double)s[o] : 1) * (double)rx->scale;
		b[o] = (int32_t)fmax(round(bias ? (double)bias[o] / step : 0) - beyond[o], -2e9);
		real[o] = step / (double)ry->scale;
	}
	if (!cop__multipliers_single(m, &a.up, real, o_n)) return cop__fail(g, COP_ARG, n, "its result is too small beside its input for int8"), 0;
	cop_vid x = cop__as_integer(l, cop__arg(g, n, 0)), wv = once(l, w, &wt, q);
	beside(name, l, w, "b");
	cop_vid bv = constant(l, name, &bt, b);
	beside(name, l, w, "m");
	return cop__apply(l->out, OP_qaddconv, &a, VIDS(x, wv, bv, constant(l, name, &bt, m)));
}

/* ---- two operands ---- */

static cop_vid add(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1);
	const cop_qrange *ra = range_of(l, x), *rb = range_of(l, w), *ry = range_of(l, cop__res(g, n, 0));
	cop_qadd_attr a = {.za = ra->zero, .zb = rb->zero, .zy = ry->zero};
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	bounds(ry, lo, hi, &a.qlo, &a.qhi);
	cop__qadd_scales(&a, (double)ra->scale, (double)rb->scale, (double)ry->scale, false);
	return cop__apply(l->out, OP_qadd, &a, VIDS(cop__as_integer(l, x), cop__as_integer(l, w)));
}

static cop_vid mul(cop_lower *l, cop_nid n, cop_vid x, cop_vid w)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *ra = range_of(l, x), *rb = range_of(l, w), *ry = range_of(l, cop__res(g, n, 0));
	cop_qmul_attr a = {.za = ra->zero, .zb = rb->zero, .zy = ry->zero};
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	bounds(ry, lo, hi, &a.qlo, &a.qhi);
	cop__multiplier_double(&a.my, &a.sy, (double)ra->scale * (double)rb->scale / (double)ry->scale);
	return cop__apply(l->out, OP_qmul, &a, VIDS(cop__as_integer(l, x), cop__as_integer(l, w)));
}

/* May w be the second operand of qmul beside x? Equal shapes, or one number for a sample and channel. */
static bool repeats(const cop_type *x, const cop_type *w)
{
	if (x->rank != w->rank || x->rank < 2 || x->dim[0] != w->dim[0] || x->dim[x->rank - 1] != w->dim[w->rank - 1]) return false;
	return cop__same_shape(x, w) || cop_type_count(w) == (int64_t)w->dim[0] * w->dim[w->rank - 1];
}

/* ---- pools, softmax, moves ---- */

static cop_vid avgpool(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *rx = range_of(l, cop__arg(g, n, 0)), *ry = range_of(l, cop__res(g, n, 0));
	COP_ATTR(cop_pool_attr, p, g, n);
	cop_qavgpool_attr a = {p.kh, p.kw, p.sh, p.sw, p.pt, p.pl, p.pb, p.pr, rx->zero, ry->zero, 0, 0, ry->lo, ry->hi};

	/* one rounding: within one range by division, else by a multiplier that needs no shift */
	if (!cop__moves(g, n) && memcmp(rx, ry, sizeof *rx)) {
		double real = (double)rx->scale / ((double)ry->scale * p.kh * p.kw);
		if (real < 0.5) a.m = (int32_t)round(ldexp(real, 31));
		else cop__multiplier_double(&a.m, &a.s, real);
	}
	return cop__apply(l->out, OP_qavgpool, &a, VIDS(l->q[cop__arg(g, n, 0)]));
}

static cop_vid concat(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *ry = range_of(l, cop__res(g, n, 0));
	cop_vid in[COP_MAX_IN];

	for (int i = 0; i < g->node[n].n_in; i++) {
		const cop_qrange *r = range_of(l, cop__arg(g, n, i));
		in[i] = cop__as_integer(l, cop__arg(g, n, i));
		if (in[i] && memcmp(r, ry, sizeof *r)) in[i] = cop__requantised(l, in[i], r, ry);
	}
	return cop__apply(l->out, OP_concat, g->node[n].attr, g->node[n].n_in, in);
}

/* The operator's own result has 256 steps from 0 to 1. */
static cop_vid softmax(cop_lower *l, cop_nid n)
{
	static const cop_qrange whole = {1.0f / 256, -128, -128, 127};
	const cop_qrange *to = range_of(l, cop__res(l->z->g, n, 0));
	cop_qsoftmax_attr s = cop__qsoftmax_scale((double)range_of(l, cop__arg(l->z->g, n, 0))->scale, 1);
	cop_vid v = cop__apply(l->out, OP_qsoftmax, &s, VIDS(cop__as_integer(l, cop__arg(l->z->g, n, 0))));

	return v && memcmp(&whole, to, sizeof whole) ? cop__requantised(l, v, &whole, to) : v;
}

/* The result as its own range has it, where that is another than its operand's. */
static cop_vid in_own_range(cop_lower *l, cop_nid n, cop_vid v)
{
	const cop_qrange *from = range_of(l, cop__arg(l->z->g, n, 0)), *to = range_of(l, cop__res(l->z->g, n, 0));
	return v && memcmp(from, to, sizeof *to) ? cop__requantised(l, v, from, to) : v;
}

static cop_vid move(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_node d = g->node[n];

	if (d.op == OP_avgpool) return in_own_range(l, n, avgpool(l, n));
	if (d.op == OP_pad) {
		COP_ATTR(cop_pad_attr, p, g, n);
		p.value = (float)range_of(l, cop__arg(g, n, 0))->zero;
		memcpy(d.attr, &p, sizeof p);
	}
	return in_own_range(l, n, cop__apply(l->out, d.op, d.attr, VIDS(cop__as_integer(l, cop__arg(g, n, 0)))));
}

/* ---- integers that the graph has itself ---- */

/* real = scale * (q - zero) */
cop_qrange cop__range_of_format(float scale, int32_t zero, cop_dtype d)
{
	if (d == COP_U8) zero -= 128, d = COP_I8;
	return (cop_qrange){scale, zero, cop__dtype_least(d), cop__dtype_most(d)};
}

static cop_vid quantized(cop_lower *l, cop_nid n)
{
	COP_ATTR(cop_quantize_attr, a, l->z->g, n);
	cop_vid x = cop__arg(l->z->g, n, 0);
	const cop_qrange *from = range_of(l, x), to = cop__range_of_format(a.scale, a.zero, (cop_dtype)a.to);

	if (!(from->scale > 0)) return cop__apply(l->out, OP_quantize, &(cop_quantize_attr){to.scale, to.zero, (int32_t)cop__range_dtype(&to)}, VIDS(cop__as_float(l, x)));
	cop_vid v = cop__as_integer(l, x);
	return v && memcmp(from, &to, sizeof to) ? cop__requantised(l, v, from, &to) : v;
}

/* What stands between integers and floats, and what moves integers. */
static bool stated(cop_lower *l, cop_nid n, cop_vid *made)
{
	const cop_graph *g = l->z->g;
	cop_dtype from = cop__in(g, n, 0)->dtype, to = cop__outt(g, n, 0)->dtype;
	cop_vid in[COP_MAX_IN];

	if (g->node[n].op == OP_quantize) return *made = quantized(l, n), true;
	if (from != COP_I8 && from != COP_U8 && from != COP_I16) return false;
	if (g->node[n].op == OP_dequantize) return *made = cop__as_integer(l, cop__arg(g, n, 0)), true;
	if (to != from || (g->node[n].op != OP_concat && g->node[n].op != OP_reshape && g->node[n].op != OP_transpose && g->node[n].op != OP_slice)) return false;
	for (int i = 0; i < g->node[n].n_in; i++) in[i] = cop__as_integer(l, g->node[n].in[i]);
	return *made = cop__apply(l->out, g->node[n].op, g->node[n].attr, g->node[n].n_in, in), true;
}

/* ---- which ---- */

/* Do all operands have ranges of the result's format, and one of them an integer form already? */
static bool integers(const cop_lower *l, cop_nid n)
{
	const cop_node *d = &l->z->g->node[n];
	cop_dtype to = cop__range_dtype(range_of(l, d->out[0]));
	bool any = false;

	for (int i = 0; i < d->n_in; i++) {
		if (!(range_of(l, d->in[i])->scale > 0) || cop__range_dtype(range_of(l, d->in[i])) != to) return false;
		any = any || l->q[d->in[i]];
	}
	return any;
}

/* Would a factor take a product or a sum of int16 beyond 32 bits? Its results would have few steps, too. */
static bool factor_fits(const cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *r = range_of(l, cop__res(g, n, 0));
	double real = (double)range_of(l, cop__arg(g, n, 0))->scale / (double)r->scale;

	if (cop__range_dtype(r) == COP_I8) return true;
	if (g->node[n].op == OP_mul) return real * (double)range_of(l, cop__arg(g, n, 1))->scale < 1;
	COP_ATTR(cop_pool_attr, p, g, n);
	return real < 32767 && (int64_t)p.kh * p.kw <= 65535;
}

/* Bits of a byte beside its zero, or an edge that is known. */
static bool packs(const cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_vid x = cop__arg(g, n, 0), edges = cop__arg(g, n, 1);

	return g->node[n].op == OP_packbits && l->q[x] && cop__range_dtype(range_of(l, x)) == COP_I8 && !g->node[n].guard && (!edges || cop__floats(g, edges));
}

bool cop__lower_op(cop_lower *l, cop_nid n, cop_vid *made)
{
	const cop_graph *g = l->z->g;
	const cop_type *a = cop__in(g, n, 0), *b = cop__in(g, n, 1);
	int op = g->node[n].op;

	if (!g->node[n].guard && stated(l, n, made)) return true;
	if (packs(l, n)) return *made = l->map[cop__res(g, n, 0)] = cop__lower_packed(l, n), true;
	if (g->node[n].guard || cop__outt(g, n, 0)->dtype != COP_F32 || !(range_of(l, cop__res(g, n, 0))->scale > 0)) return false;
	if (l->z->layer[n].o && l->z->layer[n].bits) return *made = op == OP_rnn ? cop__lower_rnn(l, n) : layer(l, n), true;
	if (l->z->layer[n].o) return false;
	if (cop__lower_sums(l, n, made)) return true;
	if (op == OP_addconv && distances_fit(l, n)) return *made = distances(l, n), true;
	if ((op == OP_map || op == OP_pow || op == OP_div || op == OP_sub || !integers(l, n)) && cop__lower_table(l, n, made)) return true;
	if (!integers(l, n)) return false;
	if (op == OP_add && cop__same_shape(a, b)) return *made = add(l, n), true;
	if ((op == OP_mul || op == OP_avgpool) && !factor_fits(l, n)) return false;
	if (op == OP_mul && repeats(a, b)) return *made = mul(l, n, cop__arg(g, n, 0), cop__arg(g, n, 1)), true;
	if (op == OP_mul && repeats(b, a)) return *made = mul(l, n, cop__arg(g, n, 1), cop__arg(g, n, 0)), true;
	if (op == OP_sigmoid || op == OP_tanh || op == OP_gelu || op == OP_hswish || op == OP_clip) return *made = unary(l, n), true;
	if (op == OP_concat) return *made = concat(l, n), true;
	if (op == OP_softmax && a->dim[a->rank - 1] <= 4096 && cop__range_dtype(range_of(l, cop__arg(g, n, 0))) == COP_I8) return *made = softmax(l, n), true;
	if (cop__moves(g, n)) return *made = move(l, n), true;
	if (op == OP_avgpool) {
		COP_ATTR(cop_pool_attr, p, g, n);
		if (p.pt + p.pl + p.pb + p.pr && p.count_pads) return false;
		return *made = avgpool(l, n), true;
	}
	return false;
}
