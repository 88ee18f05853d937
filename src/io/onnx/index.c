/* SPDX-License-Identifier: Apache-2.0
 *
 * index - elements by their indices: GatherND, GatherElements, ScatterND, ScatterElements, OneHot, Compress,
 * ReverseSequence. An operand is seen as rows [n,inner], and indices become positions among these: numbers when the
 * model holds them, else computed by the graph.
 */
#include "io/onnx/onnx.h"

enum { MOST_PAIRS = 1 << 22 }; /* of rows and updates that are compared, where the positions are not known */

/* Which rows: known, or a value [count]. */
typedef struct rows { const int32_t *known; cop_vid v; int32_t count; } rows;

/* How an index of q numbers becomes a position: dim and stride of each, and what is added for each element (NULL:
 * nothing). */
typedef struct places { int q; const int32_t *dim; const int64_t *stride; const int32_t *base; } places;

static cop_vid ints(cop_ox *m, const char *name, int32_t rank, const int32_t *dim, const int32_t *v)
{
	cop_type t = cop__type(COP_I32, rank, dim);
	return v ? cop__ox_const(m, name, COP_CONST, &t, v) : 0;
}

static cop_vid number(cop_ox *m, int32_t v) { return ints(m, "number", 1, DIMS(1), &v); }

static cop_vid wrapped(cop_ox *m, cop_vid v, int32_t dim) /* negative ones count from the end */
{
	return cop__ox_where(m, cop__ox_two(m, OP_less, v, number(m, 0)), cop__ox_two(m, OP_add, v, number(m, dim)), v);
}

static int64_t count_of(int rank, const int32_t *dim)
{
	int64_t n = 1;
	for (int i = 0; i < rank; i++) n *= dim[i];
	return n;
}

static cop_status known_rows(cop_ox *m, const cop_ox_node *n, const cop_ox_value *at, const places *p, rows *out)
{
	const int64_t *index = at->data;
	int32_t *v = cop__ox_room(m, 4 * (size_t)out->count + 4);

	for (int32_t i = 0; v && i < out->count; i++) {
		int64_t row = p->base ? p->base[i] : 0;
		for (int k = 0; k < p->q; k++) {
			int64_t x = index[(int64_t)i * p->q + k], at_k = x + (x < 0 ? p->dim[k] : 0);
			if (at_k < 0 || at_k >= p->dim[k]) return cop__ox_fail(m, n, "index %lld is outside of %d", (long long)x, p->dim[k]);
			row += at_k * p->stride[k];
		}
		v[i] = (int32_t)row;
	}
	out->known = v;
	return v ? COP_OK : m->cx->code;
}

/* Input i, [count,q] indices in any shape, as positions. */
static cop_status positions(cop_ox *m, const cop_ox_node *n, int i, const places *p, rows *out)
{
	cop_ox_value *at = cop__ox_in(m, n, i);
	cop_vid sum = 0, all;

	*out = (rows){.count = p->q ? (int32_t)(cop__ox_count(at) / p->q) : 0};
	if (cop__ox_is_float(at->type)) return cop__ox_fail(m, n, "the indices must be whole numbers");
	if (!out->count) return cop__ox_fail(m, n, "has no indices");
	if (cop__ox_known(m, at)) return known_rows(m, n, at, p, out);
	all = cop__ox_reshape(m, cop__ox_cast(m, cop__ox_get(m, n, i), COP_I32), 2, DIMS(out->count, p->q));
	for (int k = 0; k < p->q; k++) {
		cop_vid one = cop__ox_reshape(m, cop__ox_slice(m, all, 1, k, 1, 1), 1, &out->count);
		one = cop__ox_two(m, OP_mul, wrapped(m, one, p->dim[k]), number(m, (int32_t)p->stride[k]));
		sum = k ? cop__ox_two(m, OP_add, sum, one) : one;
	}
	if (p->base) sum = cop__ox_two(m, OP_add, sum, ints(m, "base", 1, &out->count, p->base));
	out->v = sum;
	return sum ? COP_OK : m->cx->code;
}

static cop_vid index_of(cop_ox *m, const rows *r) { return r->v ? r->v : ints(m, "index", 1, &r->count, r->known); }

static cop_vid pick(cop_ox *m, cop_vid x, cop_vid index)
{
	return x && index ? cop__apply(m->g, OP_gather, &(cop_axis_attr){0}, VIDS(x, index)) : 0;
}

/* ---- gather ---- */

/* Output 0, of a shape, is rows of input 0, which has `n_row` rows. */
static cop_status gathered(cop_ox *m, const cop_ox_node *n, const rows *r, int32_t n_row, int rank, const int32_t *dim)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t inner = (int32_t)(cop__ox_count(x) / n_row);
	size_t bytes = cop__ox_size(x) * (size_t)inner;

	if (x->data && r->known) {
		char *y = cop__ox_room(m, bytes * (size_t)r->count);
		for (int32_t i = 0; y && i < r->count; i++)
			memcpy(y + (size_t)i * bytes, (const char *)x->data + (size_t)r->known[i] * bytes, bytes);
		return cop__ox_know(m, n, 0, x->type, rank, dim, y);
	}
	cop_vid y = pick(m, cop__ox_reshape(m, cop__ox_get(m, n, 0), 2, DIMS(n_row, inner)), index_of(m, r));
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, y, rank, dim), OX_PLAIN, 0);
}

/* Of indices [b..,i..,q] into an operand [b..,d..q..,inner..]: what an index of q numbers means. */
typedef struct nd { int b, q; int32_t dim[OX_MAX_DIM]; int64_t stride[OX_MAX_DIM], inner; int32_t n_row, *base; } nd;

static cop_status nd_of(cop_ox *m, const cop_ox_node *n, int64_t batch, nd *p)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);

	if (!at->rank || batch < 0 || batch >= at->rank || batch >= x->rank || !cop__ox_count(x) || !cop__ox_count(at))
		return cop__ox_fail(m, n, "indices of %d dimensions, %lld of them batches, do not fit", at->rank, (long long)batch);
	p->b = (int)batch;
	p->q = at->dim[at->rank - 1];
	if (p->q < 1 || p->q > x->rank - p->b)
		return cop__ox_fail(m, n, "an index of %d numbers for %d dimensions", p->q, x->rank - p->b);
	p->n_row = (int32_t)count_of(p->b + p->q, x->dim);
	p->inner = cop__ox_count(x) / p->n_row;
	int64_t s = 1, outer = count_of(p->b, x->dim), each = cop__ox_count(at) / p->q / outer;
	for (int k = p->q - 1; k >= 0; k--) p->dim[k] = x->dim[p->b + k], p->stride[k] = s, s *= p->dim[k];
	for (int i = 0; i < p->b; i++)
		if (at->dim[i] != x->dim[i])
			return cop__ox_fail(m, n, "batch axis %d has length %d in the indices and %d in the operand", i, at->dim[i],
				x->dim[i]);
	p->base = p->b ? cop__ox_room(m, 4 * (size_t)(outer * each)) : NULL;
	for (int64_t i = 0; p->base && i < outer * each; i++) p->base[i] = (int32_t)(i / each * s);
	return m->cx->code;
}

cop_status cop__ox_add_gather_nd(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	int32_t dim[2 * OX_MAX_DIM], rank = 0;
	nd p;
	rows r;

	COP_TRY(nd_of(m, n, cop__ox_i(n, "batch_dims", 0), &p));
	for (int i = 0; i < at->rank - 1; i++) dim[rank++] = at->dim[i];
	for (int i = p.b + p.q; i < x->rank; i++) dim[rank++] = x->dim[i];
	if (rank > OX_MAX_DIM) return cop__ox_fail(m, n, "to %d dimensions, at most %d are supported", rank, OX_MAX_DIM);
	COP_TRY(positions(m, n, 1, &(places){p.q, p.dim, p.stride, p.base}, &r));
	return gathered(m, n, &r, p.n_row, rank, dim);
}

/* Along an axis: where each element of the indices lies in an operand of that shape but for the axis. */
static cop_status elements(cop_ox *m, const cop_ox_node *n, rows *r)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	int64_t stride[OX_MAX_DIM], s = 1, count = cop__ox_count(at);
	int32_t axis, *base;

	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", 0), x->rank, &axis));
	if (at->rank != x->rank || !count)
		return cop__ox_fail(m, n, "the indices have %d dimensions, the operand %d", at->rank, x->rank);
	for (int i = x->rank - 1; i >= 0; i--) stride[i] = s, s *= x->dim[i];
	for (int i = 0; i < x->rank; i++)
		if (i != axis && at->dim[i] > x->dim[i])
			return cop__ox_fail(m, n, "axis %d has length %d in the indices and %d in the operand", i, at->dim[i], x->dim[i]);
	if (!(base = cop__ox_room(m, 4 * (size_t)count))) return m->cx->code;
	for (int64_t i = 0; i < count; i++) {
		int64_t rest = i, row = 0;
		for (int k = x->rank - 1; k >= 0; k--) row += k == axis ? 0 : rest % at->dim[k] * stride[k], rest /= at->dim[k];
		base[i] = (int32_t)row;
	}
	return positions(m, n, 1, &(places){1, &x->dim[axis], &stride[axis], base}, r);
}

cop_status cop__ox_add_gather_elements(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *at = cop__ox_in(m, n, 1);
	rows r;

	COP_TRY(elements(m, n, &r));
	return gathered(m, n, &r, (int32_t)cop__ox_count(x), at->rank, at->dim);
}

/* ---- scatter ---- */

/* The operator that joins an update to what is there; 0: it takes its place. -1: unknown. */
static int joins(const char *how)
{
	static const struct { const char *name; int op; } table[] = {{"none", 0}, {"add", OP_add}, {"mul", OP_mul},
		{"max", OP_max}, {"min", OP_min}};

	for (int i = 0; i < LEN(table); i++)
		if (!strcmp(table[i].name, how)) return table[i].op;
	return -1;
}

/* Round by round, as a row may be named more than once: of each round, the update that a row gets and whether it gets
 * one. */
static cop_vid scatter_known(cop_ox *m, cop_vid x, cop_vid up, const rows *r, int32_t n_row, int op)
{
	int32_t *from = cop__ox_room(m, 4 * (size_t)n_row), left = r->count;
	uint8_t *hit = cop__ox_room(m, (size_t)n_row), *done = cop__ox_room(m, (size_t)r->count);
	cop_type mask = cop__type(COP_U8, 2, DIMS(n_row, 1));

	while (x && from && hit && done && left) {
		memset(hit, 0, (size_t)n_row);
		for (int32_t u = 0; u < r->count; u++) {
			if (done[u] || (op && hit[r->known[u]])) continue; /* without an operator the last one stays */
			from[r->known[u]] = u, hit[r->known[u]] = done[u] = 1, left--;
		}
		cop_vid now = pick(m, up, ints(m, "update", 1, &n_row, from));
		x = cop__ox_where(m, cop__ox_const(m, "updated", COP_CONST, &mask, hit), op ? cop__ox_two(m, op, x, now) : now, x);
	}
	return from && hit && done ? x : 0;
}

/* Every row with every update: what meets none keeps the number that changes nothing. */
static cop_vid joined_any(cop_ox *m, cop_vid meet, cop_vid up, const rows *r, int32_t n_row, int op)
{
	static const struct { int op, fn; float nothing; } table[] = {{OP_mul, REDUCE_PROD, 1},
		{OP_max, REDUCE_MAX, COP_NO_LO}, {OP_min, REDUCE_MIN, COP_NO_HI}};
	int i = op == OP_mul ? 0 : op == OP_max ? 1 : 2;

	if (!up) return 0;
	int32_t inner = cop__t(m->g, up)->dim[1];
	cop_vid each = cop__ox_where(m, cop__ox_reshape(m, meet, 3, DIMS(n_row, r->count, 1)),
		cop__ox_reshape(m, up, 3, DIMS(1, r->count, inner)), cop__ox_scalar(m, table[i].nothing));
	return cop__ox_reduce(m, table[i].fn, each, 2, false);
}

static cop_vid scatter_any(cop_ox *m, const cop_ox_node *n, cop_vid x, cop_vid up, const rows *r, int32_t n_row, int op)
{
	int32_t *all = cop__ox_room(m, 4 * (size_t)n_row);
	bool real_join = op && op != OP_add;

	for (int32_t i = 0; all && i < n_row; i++) all[i] = i;
	if ((int64_t)n_row * r->count > MOST_PAIRS || (real_join && cop__t(m->g, x)->dtype != COP_F32))
		return cop__ox_fail(m, n,
			"with indices that the network computes: %d places and %d updates are too many, or whole numbers that are joined",
			n_row, r->count), 0;
	cop_vid meet = cop__ox_two(m, OP_equal, ints(m, "place", 2, DIMS(n_row, 1), all),
		cop__ox_reshape(m, r->v, 2, DIMS(1, r->count)));
	cop_vid real = cop__ox_cast(m, meet, COP_F32);
	if (real_join) return cop__ox_two(m, op, x, joined_any(m, meet, up, r, n_row, op));
	if (op)
		return cop__ox_two(m, OP_add, x,
			cop__ox_cast(m, cop__ox_matmul(m, real, cop__ox_cast(m, up, COP_F32), 0, 0), x ? cop__t(m->g, x)->dtype : COP_F32));
	cop_vid any = cop__ox_cast(m, cop__ox_reduce(m, REDUCE_MAX, real, 2, true), COP_U8);
	return cop__ox_where(m, any, pick(m, up, cop__ox_argmax(m, real, 1, false, true)), x);
}

static cop_status scattered(cop_ox *m, cop_ox_node *n, const rows *r, int32_t n_row)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *u = cop__ox_in(m, n, 2);
	int32_t inner = (int32_t)(cop__ox_count(x) / n_row);
	const char *how = cop__ox_s(m, n, "reduction", "none");
	int op = how ? joins(how) : -1;

	if (op < 0)
		return cop__ox_fail(m, n, "reduction '%s' is unknown; none, add, mul, max and min are supported", how ? how : "");
	if (cop__ox_count(u) != (int64_t)r->count * inner)
		return cop__ox_fail(m, n, "%lld updates for %d places of %d", (long long)cop__ox_count(u), r->count, inner);
	cop_vid v = cop__ox_widen(m, cop__ox_reshape(m, cop__ox_get(m, n, 0), 2, DIMS(n_row, inner))),
		up = cop__ox_widen(m, cop__ox_reshape(m, cop__ox_get(m, n, 2), 2, DIMS(r->count, inner)));
	v = r->known ? scatter_known(m, v, up, r, n_row, op) : scatter_any(m, n, v, up, r, n_row, op);
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, v, x->rank, x->dim), OX_PLAIN, 0);
}

cop_status cop__ox_add_scatter_nd(cop_ox *m, cop_ox_node *n)
{
	nd p;
	rows r;

	COP_TRY(nd_of(m, n, 0, &p));
	COP_TRY(positions(m, n, 1, &(places){p.q, p.dim, p.stride, NULL}, &r));
	return scattered(m, n, &r, p.n_row);
}

cop_status cop__ox_add_scatter_elements(cop_ox *m, cop_ox_node *n)
{
	rows r;

	COP_TRY(elements(m, n, &r));
	return scattered(m, n, &r, (int32_t)cop__ox_count(cop__ox_in(m, n, 0)));
}

/* ---- others ---- */

/* indices, depth, [off,on]: another axis of that depth, on where the index is. */
cop_status cop__ox_add_one_hot(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *at = cop__ox_in(m, n, 0), *depth = cop__ox_in(m, n, 1), *values = cop__ox_in(m, n, 2);
	int32_t dim[OX_MAX_DIM] = {0}, axis, along[OX_MAX_DIM];

	if (!depth->data || cop__ox_count(depth) != 1 || cop__ox_count(values) != 2 || at->rank >= COP_MAX_DIM)
		return cop__ox_fail(m, n, "needs a known depth, two values and at most 5 dimensions");
	double d = cop__ox_is_float(depth->type) ? (double)*(const float *)depth->data : (double)*(const int64_t *)depth->data;
	if (!(d >= 1 && d <= 1 << 24)) return cop__ox_fail(m, n, "a depth of %g", d);
	COP_TRY(cop__ox_axis(m, n, cop__ox_i(n, "axis", -1), at->rank + 1, &axis));
	for (int i = 0, k = 0; i <= at->rank; i++)
		dim[i] = i == axis ? 1 : at->dim[k++], along[i] = i == axis ? (int32_t)d : 1;
	int32_t *all = cop__ox_room(m, 4 * (size_t)d);
	for (int32_t i = 0; all && i < (int32_t)d; i++) all[i] = i;
	cop_vid index = wrapped(m, cop__ox_reshape(m, cop__ox_cast(m, cop__ox_get(m, n, 0), COP_I32), at->rank + 1, dim),
		(int32_t)d);
	cop_vid hot = cop__ox_two(m, OP_equal, index, ints(m, "depth", at->rank + 1, along, all)),
		v = cop__ox_reshape(m, cop__ox_get(m, n, 2), 1, DIMS(2));
	return cop__ox_set(m, n, 0, cop__ox_where(m, hot, cop__ox_slice(m, v, 0, 1, 1, 1), cop__ox_slice(m, v, 0, 0, 1, 1)),
		OX_PLAIN, values->type);
}

/* The indices along an axis, or of all elements, where a known condition holds. */
cop_status cop__ox_add_compress(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *cond;
	int32_t count, axis, k = 0;
	bool flat = !cop__ox_has(n, "axis");

	COP_TRY(cop__ox_known_ints(m, n, 1, &cond, &count));
	COP_TRY(cop__ox_axis(m, n, flat ? 0 : cop__ox_i(n, "axis", 0), flat ? 1 : x->rank, &axis));
	int64_t len = flat ? cop__ox_count(x) : x->dim[axis];
	int32_t *list = cop__ox_room(m, 4 * (size_t)count + 4);
	for (int32_t i = 0; list && i < count && i < len; i++)
		if (cond[i]) list[k++] = i;
	if (!list || !k) return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "nothing is left");
	cop_vid v = cop__ox_get(m, n, 0);
	if (flat) v = cop__ox_reshape(m, v, 1, DIMS((int32_t)len));
	return cop__ox_set(m, n, 0,
		v ? cop__apply(m->g, OP_gather, &(cop_axis_attr){axis}, VIDS(v, ints(m, "index", 1, &k, list))) : 0, OX_PLAIN, 0);
}

/* [time,batch,..] or [batch,time,..]: the first len[b] of a sequence the other way round. */
cop_status cop__ox_add_reverse_sequence(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t batch = cop__ox_i(n, "batch_axis", 1), time = cop__ox_i(n, "time_axis", 0);
	const int64_t *len;
	int32_t count;

	COP_TRY(cop__ox_known_ints(m, n, 1, &len, &count));
	if (x->rank < 2 || batch + time != 1 || (batch != 0 && time != 0) || count != x->dim[batch])
		return cop__ox_fail(m, n, "axes %lld and %lld, %d lengths", (long long)batch, (long long)time, count);
	int32_t steps = x->dim[time], *at = cop__ox_room(m, 4 * (size_t)(steps * count));
	for (int32_t b = 0; at && b < count; b++) {
		if (len[b] < 0 || len[b] > steps) return cop__ox_fail(m, n, "length %lld of %d", (long long)len[b], steps);
		for (int32_t t = 0; t < steps; t++) {
			int32_t from = t < len[b] ? (int32_t)len[b] - 1 - t : t;
			at[time ? b * steps + t : t * count + b] = time ? b * steps + from : from * count + b;
		}
	}
	return at ? gathered(m, n, &(rows){at, 0, steps * count}, steps * count, x->rank, x->dim) : m->cx->code;
}

/* The positions of what is not 0, [rank,count]: known operands alone, as the shape depends on them. */
cop_status cop__ox_add_non_zero(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t total = cop__ox_count(x), stride = 1;
	int32_t dim[2] = {x->rank, 0};

	if (!x->data)
		return cop__ox_fail(m, n,
			"the length of the result depends on what the network computes: only known operands are supported");
	int32_t *hit = cop__ox_room(m, 4 * (size_t)total + 4);
	for (int64_t i = 0; hit && i < total; i++)
		if (cop__ox_is_float(x->type) ? ((const float *)x->data)[i] < 0 || ((const float *)x->data)[i] > 0
			: ((const int64_t *)x->data)[i] != 0) hit[dim[1]++] = (int32_t)i;
	int64_t *y = cop__ox_room(m, 8 * (size_t)x->rank * (size_t)dim[1] + 8);
	for (int k = x->rank - 1; hit && y && k >= 0; stride *= x->dim[k--])
		for (int32_t i = 0; i < dim[1]; i++) y[(int64_t)k * dim[1] + i] = hit[i] / stride % x->dim[k];
	return cop__ox_know(m, n, 0, OX_INT64, 2, dim, y);
}
