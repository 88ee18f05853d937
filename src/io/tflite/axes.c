/* SPDX-License-Identifier: Apache-2.0
 *
 * axes - along axes: sums, extremes, products, where the extreme is, sums so far, the k largest, norms.
 */
#include "io/tflite/tflite.h"

cop_status cop__tfl_axis(cop_tfl *m, const cop_tfl_node *n, int64_t axis, int32_t rank, int32_t *out)
{
	int64_t a = axis + (axis < 0 ? rank : 0);

	*out = (int32_t)a;
	return a >= 0 && a < rank ? COP_OK : cop__tfl_fail(m, n, "axis %lld of %d dimensions", (long long)axis, rank);
}

/* Input i as a set of axes of a value with `rank` dimensions. */
static cop_status axes_of(cop_tfl *m, const cop_tfl_node *n, int i, int32_t rank, uint32_t *axes)
{
	const int32_t *v;
	int32_t count, a;

	*axes = 0;
	COP_TRY(cop__tfl_ints(m, n, i, &v, &count));
	for (int k = 0; k < count; k++) {
		COP_TRY(cop__tfl_axis(m, n, v[k], rank, &a));
		*axes |= 1u << a;
	}
	return COP_OK;
}

/* ---- reductions ---- */

cop_status cop__tfl_reduce(cop_tfl *m, const cop_tfl_node *n)
{
	static const struct { int32_t code; int fn; } rows[] = {{TFL_SUM, REDUCE_SUM}, {TFL_REDUCE_PROD, REDUCE_PROD},
		{TFL_REDUCE_MAX, REDUCE_MAX}, {TFL_REDUCE_MIN, REDUCE_MIN},
		{TFL_REDUCE_ANY, REDUCE_MAX}, {TFL_REDUCE_ALL, REDUCE_MIN}};
	cop_tfl_tensor *in = cop__tfl_in(m, n, 0);
	bool keep = cop__fb_int(&n->options, REDUCER_KEEP_DIMS, 1, 0), done = false, computes = n->code == TFL_SUM || n->code == TFL_REDUCE_PROD;
	uint32_t axes;
	int fn = REDUCE_SUM;

	if (!in) return cop__tfl_fail(m, n, "input 0 is missing");
	COP_TRY(axes_of(m, n, 1, in->type.rank, &axes));
	COP_TRY(cop__tfl_fold_reduce(m, n, axes, keep, &done));
	if (done) return COP_OK;
	cop_vid x = cop__tfl_value(m, n, 0);
	if (!x) return m->cx->code;
	cop_dtype d = cop__t(m->g, x)->dtype;
	if (computes && d == COP_U8) return cop__tfl_fail(m, n, "is supported for floats, int32 and quantised numbers only");
	if (!computes) COP_TRY(cop__tfl_same_scale(m, n, 0));
	if (d == COP_I8) return cop__tfl_int_reduce(m, n, x, axes, keep);
	for (int i = 0; i < LEN(rows); i++)
		if (rows[i].code == n->code) fn = rows[i].fn;
	if (!axes) return cop__tfl_set(m, n, 0, x);
	x = cop__make_reduce(m->g, fn, cop__make_widen(m->g, x), axes, keep);
	return cop__tfl_set(m, n, 0, cop__make_cast(m->g, x, d));
}

/* Where the largest stands, the first of equals. Whole numbers that no float holds are compared with their largest. */
static cop_vid where_largest(cop_graph *g, cop_vid x, int32_t axis, bool keep)
{
	if (!x) return 0;
	cop_dtype d = cop__t(g, x)->dtype;
	if (d == COP_I32) x = cop__make_two(g, OP_equal, x, cop__make_reduce(g, REDUCE_MAX, x, 1u << axis, true));
	return cop__make_argmax(g, cop__make_cast(g, x, COP_F32), axis, keep, false);
}

/* The axis that input 1 names. */
static cop_status one_axis(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t *a)
{
	const int32_t *axis;
	int32_t count;

	COP_TRY(cop__tfl_ints(m, n, 1, &axis, &count));
	if (count != 1) return cop__tfl_fail(m, n, "%d axes, one is expected", count);
	return cop__tfl_axis(m, n, *axis, cop__t(m->g, x)->rank, a);
}

cop_status cop__tfl_arg(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t a;
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	COP_TRY(one_axis(m, n, x, &a));
	if (n->code == TFL_ARG_MIN) {
		bool bytes = cop__t(m->g, x)->dtype != COP_F32 && cop__t(m->g, x)->dtype != COP_I32;
		x = cop__make_map(m->g, MAP_NEG, 0, 0, bytes ? cop__make_cast(m->g, x, COP_F32) : x);
	}
	return cop__tfl_set(m, n, 0, where_largest(m->g, x, a, false));
}

/* ---- the k largest of the last axis: the first is found and put out of the way, k times ---- */

enum { MOST_TOP = 64 };

cop_status cop__tfl_top_k(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *k;
	int32_t count, last;
	cop_vid v[MOST_TOP], at[MOST_TOP], x = cop__tfl_value(m, n, 0);
	cop_graph *g = m->g;

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &k, &count));
	cop_type t = *cop__t(g, x);
	if (t.rank < 1 || count != 1 || *k < 1 || *k > t.dim[t.rank - 1] || *k > MOST_TOP)
		return cop__tfl_fail(m, n, "k must be between 1 and the length of the last axis, at most %d", MOST_TOP);
	if (t.dtype == COP_I32 || t.dtype == COP_U8) return cop__tfl_fail(m, n, "of %s is not supported; of floats and int8 it is", cop__dtype_text(t.dtype));
	COP_TRY(cop__tfl_same_scale(m, n, 0));
	last = t.rank - 1;
	int32_t *index = cop__tfl_room(m, 4 * (size_t)t.dim[last]);
	for (int32_t i = 0; index && i < t.dim[last]; i++) index[i] = i;
	cop_vid all = index ? cop__make_ints(g, "index", index, t.dim[last]) : 0, least = cop__make_scalar(g, COP_NO_LO), left = cop__make_cast(g, x, COP_F32);
	for (int32_t i = 0; i < *k; i++) {
		v[i] = cop__make_reduce(g, REDUCE_MAX, left, 1u << last, true);
		at[i] = left ? cop__make_argmax(g, left, last, true, false) : 0;
		if (i + 1 < *k) left = cop__make_where(g, cop__make_two(g, OP_equal, all, at[i]), least, left);
	}
	cop_vid values = *k > 1 ? cop__make_concat(g, last, *k, v) : v[0], where = *k > 1 ? cop__make_concat(g, last, *k, at) : at[0];
	COP_TRY(cop__tfl_set(m, n, 0, cop__make_cast(g, values, t.dtype)));
	return n->out.n > 1 ? cop__tfl_set(m, n, 1, where) : COP_OK;
}

/* ---- sums so far ---- */

static cop_vid reversed(cop_tfl *m, cop_vid x, int32_t axis)
{
	int32_t d = x ? cop__t(m->g, x)->dim[axis] : 0, *index = x ? cop__tfl_room(m, 4 * (size_t)d) : NULL;

	for (int32_t i = 0; index && i < d; i++) index[i] = d - 1 - i;
	return index ? cop__make_gather(m->g, x, cop__make_ints(m->g, "back", index, d), axis) : 0;
}

/* x moved by `step` along an axis, zeros before it. */
static cop_vid shifted(cop_graph *g, cop_vid x, int32_t axis, int32_t step)
{
	cop_pad_attr p = {.before[0] = 0};

	if (!x) return 0;
	p.before[axis] = step;
	int32_t d = cop__t(g, x)->dim[axis];
	return cop__make_slice(g, cop__apply(g, OP_pad, &p, VIDS(x)), axis, 0, d, 1);
}

/* Each sum is made of two of half as many terms (Hillis, Steele 1986). */
cop_status cop__tfl_cumsum(cop_tfl *m, const cop_tfl_node *n)
{
	bool exclusive = cop__fb_int(&n->options, CUMSUM_EXCLUSIVE, 1, 0), reverse = cop__fb_int(&n->options, CUMSUM_REVERSE, 1, 0);
	int32_t a;
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	COP_TRY(one_axis(m, n, x, &a));
	if (cop__t(m->g, x)->dtype == COP_I8) return cop__tfl_fail(m, n, "is supported for floats and int32 only");
	int32_t d = cop__t(m->g, x)->dim[a];
	if (reverse) x = reversed(m, x, a);
	if (exclusive) x = shifted(m->g, x, a, 1);
	for (int32_t step = 1; x && step < d; step *= 2) x = cop__make_two(m->g, OP_add, x, shifted(m->g, x, a, step));
	return cop__tfl_set(m, n, 0, reverse ? reversed(m, x, a) : x);
}

cop_status cop__tfl_reverse(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);
	uint32_t axes;

	if (!x) return m->cx->code;
	COP_TRY(axes_of(m, n, 1, cop__t(m->g, x)->rank, &axes));
	for (int32_t a = 0; x && a < cop__t(m->g, x)->rank; a++)
		if (axes >> a & 1) x = reversed(m, x, a);
	return cop__tfl_set(m, n, 0, x);
}

/* ---- norms ---- */

/* x / max(sqrt(sum x^2), 1e-6) over the last axis */
cop_status cop__tfl_l2_norm(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);
	cop_act_attr act;

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_act(m, n, L2_NORM_ACT, &act.lo, &act.hi));
	if (cop__t(m->g, x)->dtype != COP_F32 || !cop__t(m->g, x)->rank) return cop__tfl_fail(m, n, "is supported for floats with dimensions only");
	if (act.lo != COP_NO_LO || act.hi != COP_NO_HI) return cop__tfl_fail(m, n, "a fused activation is not supported");
	cop_vid sum = cop__make_reduce(m->g, REDUCE_SUM, cop__make_two(m->g, OP_mul, x, x), 1u << (cop__t(m->g, x)->rank - 1), true);
	cop_vid norm = cop__make_clip(m->g, cop__make_map(m->g, MAP_SQRT, 0, 0, sum), 1e-6f, COP_NO_HI);
	return cop__tfl_set(m, n, 0, cop__make_two(m->g, OP_div, x, norm));
}

/* x / (bias + alpha sum x^2)^beta over `radius` channels on both sides */
cop_status cop__tfl_local_norm(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t radius = cop__fb_int(&n->options, LRN_RADIUS, 4, 0);
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	if (cop__t(m->g, x)->dtype != COP_F32) return cop__tfl_fail(m, n, "is supported for floats only");
	if (radius < 0 || radius > 1 << 20) return cop__tfl_fail(m, n, "the radius is %d", radius);
	int32_t size = 2 * radius + 1;
	float alpha = cop__fb_float(&n->options, LRN_ALPHA, 0) * (float)size, beta = cop__fb_float(&n->options, LRN_BETA, 0),
		bias = cop__fb_float(&n->options, LRN_BIAS, 0);
	return cop__tfl_set(m, n, 0, cop__make_lrn(m->g, x, size, alpha, beta, bias));
}
