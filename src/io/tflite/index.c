/* SPDX-License-Identifier: Apache-2.0
 *
 * index - elements picked by indices, repeated, and indices made into vectors.
 */
#include "io/tflite/tflite.h"

#include <stdio.h>

/* ---- gather ---- */

/* Known indices lie inside; those that come from the network are clamped by the kernel. */
static cop_status inside(cop_tfl *m, const cop_tfl_node *n, int i, int32_t lengths, const int32_t *dim)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);
	const int32_t *p;

	if (!t || !cop__tfl_is(t, COP_I32)) return cop__tfl_fail(m, n, "the indices must be whole numbers of 32 or 64 bits");
	if (!(p = cop__tfl_data(m, t))) return m->cx->code;
	for (int64_t k = 0; k < cop_type_count(&t->type); k++)
		if (p[k] < 0 || p[k] >= dim[k % lengths]) return cop__tfl_fail(m, n, "index %d of '%s' is outside of %d", p[k], t->name, dim[k % lengths]);
	return COP_OK;
}

/* Of one sample, so that there may be more of them later: a product with one row of zeros and a one for each index. */
static cop_vid gather_sample(cop_tfl *m, cop_vid x, cop_vid at, int32_t each)
{
	cop_graph *g = m->g;
	const cop_type t = *cop__t(g, x);
	int32_t *all = cop__tfl_room(m, 4 * (size_t)each), n = t.dim[0], count = (int32_t)(cop_type_count(cop__t(g, at)) / n),
		inner = (int32_t)(cop_type_count(&t) / n / each);

	for (int32_t k = 0; all && k < each; k++) all[k] = k;
	cop_vid hot = cop__make_two(g, OP_equal, cop__make_reshape(g, at, 3, DIMS(n, count, 1)), all ? cop__make_ints(g, "index", all, each) : 0);
	cop_vid y = cop__make_matmul(g, cop__make_cast(g, hot, COP_F32), cop__make_reshape(g, cop__make_cast(g, x, COP_F32), 3, DIMS(n, each, inner)), 0, 0);
	return cop__make_cast(g, y, t.dtype);
}

/* The first `batch` axes of operand and indices go together: they become one axis with the one that is picked from. */
static cop_vid gather_batch(cop_tfl *m, cop_vid x, cop_vid at, int32_t batch)
{
	cop_graph *g = m->g;
	const cop_type t = *cop__t(g, x), i = *cop__t(g, at);
	int32_t rows = 1, dim[COP_MAX_DIM], *first, rank = 0, each = t.dim[batch];

	for (int k = 0; k < batch; k++) rows *= t.dim[k];
	if (batch == 1 && rows == 1 && t.dtype != COP_I32) return gather_sample(m, x, at, each);
	dim[rank++] = rows * each;
	for (int k = batch + 1; k < t.rank; k++) dim[rank++] = t.dim[k];
	if (!(first = cop__tfl_room(m, 4 * (size_t)rows))) return 0;
	for (int32_t k = 0; k < rows; k++) first[k] = k * each;
	cop_vid flat = cop__make_reshape(g, at, 2, DIMS(rows, (int32_t)(cop_type_count(&i) / rows)));
	flat = cop__make_two(g, OP_add, flat, cop__make_reshape(g, cop__make_ints(g, "rows", first, rows), 2, DIMS(rows, 1)));
	return cop__make_gather(g, cop__make_reshape(g, x, rank, dim), cop__make_reshape(g, flat, 1, DIMS(cop__count32(&i))), 0);
}

cop_status cop__tfl_gather(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t batch = cop__fb_int(&n->options, GATHER_BATCH_DIMS, 4, 0), axis, rank = 0, dim[2 * COP_MAX_DIM];
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0), *at = cop__tfl_in(m, n, 1);
	bool done;

	if (!x || !at) return cop__tfl_fail(m, n, "an input is missing");
	COP_TRY(cop__tfl_axis(m, n, cop__fb_int(&n->options, GATHER_AXIS, 4, 0), x->type.rank, &axis));
	batch += batch < 0 ? at->type.rank : 0;
	if (batch < 0 || batch > at->type.rank || batch > axis || (batch && batch != axis))
		return cop__tfl_fail(m, n, "batch_dims %d with axis %d is not supported; 0, or the axis itself, is", batch, axis);
	for (int i = 0; i < batch; i++)
		if (x->type.dim[i] != at->type.dim[i])
			return cop__tfl_fail(m, n, "axis %d has length %d in the operand and %d in the indices", i, x->type.dim[i],
				at->type.dim[i]);
	COP_TRY(inside(m, n, 1, 1, &x->type.dim[axis]));
	for (int i = 0; i < axis; i++) dim[rank++] = x->type.dim[i];
	for (int i = batch; i < at->type.rank; i++) dim[rank++] = at->type.dim[i];
	for (int i = axis + 1; i < x->type.rank; i++) dim[rank++] = x->type.dim[i];
	if (rank > COP_MAX_DIM) return cop__tfl_fail(m, n, "to %d dimensions, at most %d are supported", rank, COP_MAX_DIM);
	COP_TRY(cop__tfl_fold_gather(m, n, axis, rank, dim, &done));
	if (done) return COP_OK;
	cop_vid vx = cop__tfl_value(m, n, 0), vi = vx ? cop__tfl_value(m, n, 1) : 0;
	if (!vi) return m->cx->code;
	cop_vid y = batch ? gather_batch(m, vx, vi, batch) : cop__make_gather(m->g, vx, vi, axis);
	return cop__tfl_set(m, n, 0, cop__make_reshape(m->g, y, rank, dim));
}

/* The last axis of the indices names a place along the first k axes, which become one. */
cop_status cop__tfl_gather_nd(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0), at = x ? cop__tfl_value(m, n, 1) : 0;
	int32_t rank = 0, dim[2 * COP_MAX_DIM], inner[COP_MAX_DIM + 1] = {1}, step[COP_MAX_DIM], places = 1;
	cop_graph *g = m->g;

	if (!at) return m->cx->code;
	const cop_type t = *cop__t(g, x), i = *cop__t(g, at);
	int32_t k = i.rank ? i.dim[i.rank - 1] : 0;
	if (k < 1 || k > t.rank) return cop__tfl_fail(m, n, "indices of %d axes for %d dimensions", k, t.rank);
	COP_TRY(inside(m, n, 1, k, t.dim));
	for (int a = k - 1; a >= 0; a--) step[a] = places, places *= t.dim[a];
	for (int a = 0; a < i.rank - 1; a++) dim[rank++] = i.dim[a];
	for (int a = k; a < t.rank; a++) dim[rank++] = inner[a - k + 1] = t.dim[a];
	if (rank > COP_MAX_DIM) return cop__tfl_fail(m, n, "to %d dimensions, at most %d are supported", rank, COP_MAX_DIM);
	inner[0] = places;
	cop_vid flat = cop__make_two(g, OP_mul, at, cop__make_ints(g, "steps", step, k));
	flat = cop__make_reduce(g, REDUCE_SUM, flat, 1u << (i.rank - 1), false);
	cop_vid y = cop__make_gather(g, cop__make_reshape(g, x, t.rank - k + 1, inner), flat, 0);
	return cop__tfl_set(m, n, 0, cop__make_reshape(g, y, rank, dim));
}

/* ---- one-hot ---- */

cop_status cop__tfl_one_hot(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t axis = cop__fb_int(&n->options, ONE_HOT_AXIS, 4, 0), count, dim[COP_MAX_DIM], lane[COP_MAX_DIM], *index;
	cop_vid at = cop__tfl_value(m, n, 0), on = at ? cop__tfl_value(m, n, 2) : 0, off = on ? cop__tfl_value(m, n, 3) : 0;
	const int32_t *depth;
	cop_graph *g = m->g;

	if (!off) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &depth, &count));
	const cop_type t = *cop__t(g, at);
	if (t.dtype != COP_I32 || t.rank >= COP_MAX_DIM || count != 1 || *depth < 1)
		return cop__tfl_fail(m, n, "needs whole numbers of at most %d dimensions and a positive depth", COP_MAX_DIM - 1);
	COP_TRY(cop__tfl_axis(m, n, axis, t.rank + 1, &axis));
	for (int i = 0; i <= t.rank; i++) dim[i] = i < axis ? t.dim[i] : i == axis ? 1 : t.dim[i - 1], lane[i] = i == axis ? *depth : 1;
	if (!(index = cop__tfl_room(m, 4 * (size_t)*depth))) return m->cx->code;
	for (int32_t i = 0; i < *depth; i++) index[i] = i;
	cop_vid all = cop__make_reshape(g, cop__make_ints(g, "index", index, *depth), t.rank + 1, lane);
	cop_vid hot = cop__make_two(g, OP_equal, cop__make_reshape(g, at, t.rank + 1, dim), all);
	return cop__tfl_set(m, n, 0, cop__make_where(g, hot, on, off));
}

/* ---- repeated ---- */

cop_status cop__tfl_tile(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *times;
	int32_t count;
	int64_t total;
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &times, &count));
	total = cop_type_count(cop__t(m->g, x));
	if (count != cop__t(m->g, x)->rank) return cop__tfl_fail(m, n, "%d repeats for %d dimensions", count, cop__t(m->g, x)->rank);
	for (int i = 0; i < count; i++)
		if (times[i] < 1 || (total *= times[i]) > INT32_MAX) return cop__tfl_fail(m, n, "repeat %d is %d, or there are 2^31 elements", i, times[i]);
	return cop__tfl_set(m, n, 0, cop__make_tile(m->g, x, times));
}

cop_status cop__tfl_broadcast_to(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *dim;
	int32_t rank;
	cop_vid x = cop__tfl_value(m, n, 0);
	cop_type both, to;

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &dim, &rank));
	if (rank > COP_MAX_DIM) return cop__tfl_fail(m, n, "to %d dimensions, at most %d are supported", rank, COP_MAX_DIM);
	to = cop__type(COP_I32, rank, dim);
	for (int i = 0; i < rank; i++)
		if (dim[i] < 1) return cop__tfl_fail(m, n, "dimension %d is %d", i, dim[i]);
	if (!cop__tfl_common(cop__t(m->g, x), &to, &both) || both.rank != rank ||
		memcmp(both.dim, dim, sizeof *dim * (size_t)rank)) return cop__tfl_fail(m, n, "the input does not fit the new shape");
	return cop__tfl_set(m, n, 0, cop__make_expand(m->g, x, rank, dim));
}
