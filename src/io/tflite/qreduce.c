/* SPDX-License-Identifier: Apache-2.0
 *
 * qreduce - means, sums and extremes of int8 and int16 along any axes. Means and sums are average pools that rescale: the axes are moved
 * together, the kept ones behind them become channels.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

/* x as [rest, h, w, kept]: h x w cells go into each result. */
typedef struct cells { int32_t h, w, kept; } cells;

/* The axes `set` moved together behind the first one where that is kept, else to the front. */
static cop_vid gather_axes(cop_graph *g, cop_vid x, uint32_t set, cells *c)
{
	const cop_type t = *cop__t(g, x);
	cop_shape_attr p = {0};
	int first = set & 1 ? 0 : 1, runs = 0;

	for (int i = 0; i < t.rank; i++) runs += (set >> i & 1) && !(i && set >> (i - 1) & 1);
	*c = (cells){1, 1, 1};
	for (int i = 0; i < t.rank; i++) {
		if (!(set >> i & 1)) continue;
		if (c->h == 1) c->h = t.dim[i];
		else c->w *= t.dim[i];
	}
	if (runs > 1) {
		if (first) p.dim[p.rank++] = 0;
		for (int want = 1; want >= 0; want--)
			for (int i = first; i < t.rank; i++)
				if ((int)(set >> i & 1) == want) p.dim[p.rank++] = i;
		for (int i = first; i < t.rank; i++)
			if (!(set >> i & 1)) c->kept *= t.dim[i];
		return cop__apply(g, OP_transpose, &p, VIDS(x));
	}
	for (int i = t.rank - 1; i >= 0 && !(set >> i & 1); i--) c->kept *= t.dim[i];
	return x;
}

/* v under another shape. Where the first axis goes, samples meet: then no dimension is left open for a batch. */
static cop_vid shaped(cop_graph *g, cop_vid v, uint32_t set, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};

	if (!v || !(set & 1)) return v ? cop__tfl_as(g, v, rank, dim) : 0;
	for (int i = 0; i < rank; i++) to.dim[i] = dim[i];
	return cop__apply(g, OP_reshape, &to, VIDS(v));
}

/* Multiplier and shift of sx / sy, of a mean sx / (sy * cells) as TFLite derives them from those. */
static cop_status factor(cop_tfl *m, const cop_tfl_node *n, int64_t count, cop_qavgpool_attr *q)
{
	int32_t more = 0;
	float sx, sy;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &q->zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q->zy));
	cop__multiplier_bytes(&q->m, &q->s, (double)sx / (double)sy);
	q->qlo = cop__dtype_least(cop__tfl_in(m, n, 0)->type.dtype);
	q->qhi = cop__dtype_most(cop__tfl_in(m, n, 0)->type.dtype);
	if (n->code == TFL_MEAN) {
		while (count >> (more + 1)) more++;
		more = COP_MIN(more, 31 + q->s);
		q->m = (int32_t)(((int64_t)q->m << more) / count);
		q->s -= more;
	}
	if (!q->m) q->qlo = q->qhi = q->zy; /* steps of the input are nothing beside those of the result */
	return COP_OK;
}

static cop_status mean(cop_tfl *m, const cop_tfl_node *n, cop_vid x, uint32_t set, cop_vid *y)
{
	cells c;
	cop_vid v = gather_axes(m->g, x, set, &c);
	cop_qavgpool_attr q = {c.h, c.w, c.h, c.w, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	COP_TRY(factor(m, n, (int64_t)c.h * c.w, &q));
	v = shaped(m->g, v, set, 4, DIMS(set & 1 ? 1 : -1, c.h, c.w, c.kept));
	*y = v ? cop__apply(m->g, OP_qavgpool, &q, VIDS(v)) : 0;
	return *y ? COP_OK : m->cx->code;
}

cop_status cop__tfl_int_reduce(cop_tfl *m, const cop_tfl_node *n, cop_vid x, uint32_t set, bool keep)
{
	bool most = n->code == TFL_REDUCE_MAX;
	const cop_type t = *cop__t(m->g, x);
	int32_t rank = 0, dim[COP_MAX_DIM];
	cop_vid y = 0;

	for (int i = 0; i < t.rank; i++)
		if (keep || !(set >> i & 1)) dim[rank++] = set >> i & 1 ? 1 : t.dim[i];
	if (!set) y = x;
	else if (most || n->code == TFL_REDUCE_MIN) y = cop__apply(m->g, OP_reduce, &(cop_reduce_attr){most ? REDUCE_MAX : REDUCE_MIN, (int32_t)set, keep}, VIDS(x));
	else if (n->code != TFL_MEAN && n->code != TFL_SUM) return cop__tfl_fail(m, n, "is not supported for int8; leave it in floats when you convert");
	else COP_TRY(mean(m, n, x, set, &y));
	return cop__tfl_set(m, n, 0, shaped(m->g, y, set, rank, dim));
}
