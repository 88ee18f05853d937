/* SPDX-License-Identifier: Apache-2.0
 *
 * move - slices, splits, padding, transposition.
 */
#include "io/tflite/tflite.h"

#include <math.h>

/* One axis of a slice: size elements from `from` by `step`. */
typedef struct cut { int32_t from[COP_MAX_DIM], size[COP_MAX_DIM], step[COP_MAX_DIM]; } cut;

static void whole(cut *c, const cop_type *t)
{
	for (int i = 0; i < t->rank; i++) c->from[i] = 0, c->step[i] = 1, c->size[i] = t->dim[i];
}

/* Axes that run backwards are picked one by one. */
static cop_vid backwards(cop_tfl *m, const cop_tfl_node *n, cop_vid x, cut *c)
{
	for (int i = 0; x && i < cop__t(m->g, x)->rank; i++) {
		if (c->step[i] > 0) continue;
		int32_t *index = cop__tfl_room(m, 4 * (size_t)c->size[i]);
		for (int32_t k = 0; index && k < c->size[i]; k++) index[k] = c->from[i] + k * c->step[i];
		x = index ? cop__tfl_pick(m, n, x, i, index, c->size[i]) : 0;
		c->from[i] = 0;
		c->step[i] = 1;
	}
	return x;
}

/* An axis that is kept is written as "to the end", so that the batch may change later. */
static cop_vid cut_value(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const cut *given)
{
	cop_graph *g = m->g;
	cop_slice_attr s = {0};
	bool all = true;
	cut own = *given, *c = &own;

	if (!(x = backwards(m, n, x, c))) return 0;
	const cop_type *t = cop__t(g, x);
	for (int i = 0; i < t->rank; i++) {
		if (c->from[i] == 0 && c->step[i] == 1 && c->size[i] == t->dim[i]) continue;
		all = false;
		s.from[i] = c->from[i];
		s.size[i] = c->size[i];
		s.step[i] = c->step[i];
	}
	return all ? x : cop__apply(g, OP_slice, &s, VIDS(x));
}

static const int32_t *cut_known(cop_tfl *m, const cop_tfl_tensor *t, const cut *c)
{
	int64_t count = 1;

	for (int i = 0; i < t->type.rank; i++) count *= c->size[i];
	int32_t *out = cop__tfl_room(m, 4 * (size_t)count);
	for (int64_t e = 0; out && e < count; e++) {
		int64_t rest = e, at = 0, run = 1;
		for (int i = t->type.rank - 1; i >= 0; rest /= c->size[i--]) {
			at += (c->from[i] + rest % c->size[i] * c->step[i]) * run;
			run *= t->type.dim[i];
		}
		out[e] = ((const int32_t *)t->data)[at];
	}
	return out;
}

/* Output i: the slice of input `from`, in the shape rank, dim. */
static cop_status put_cut(cop_tfl *m, const cop_tfl_node *n, int from, int i, const cut *c, int32_t rank, const int32_t *dim)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, from);

	if (cop__tfl_is(t, COP_I32) && cop__tfl_data(m, t)) return cop__tfl_know(m, n, i, rank, dim, cut_known(m, t, c));
	cop_vid x = cop__tfl_value(m, n, from);
	if (!x) return m->cx->code;
	x = cut_value(m, n, x, c);
	return cop__tfl_set(m, n, i, x ? cop__tfl_as(m->g, x, rank, dim) : 0);
}

/* The shape of input i, which must have been written. */
static cop_status shape_of(cop_tfl *m, const cop_tfl_node *n, int i, cop_type *t)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, i);

	if (!x || (!x->v && !cop__tfl_data(m, x))) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "input %d is read before it is written", i);
	*t = x->type;
	return COP_OK;
}

/* begin and end of one axis with their masks, as in Python. offset: e is counted from where b comes to. */
typedef struct masks { bool from_start, to_end, one, offset; } masks;

static bool python_range(cut *c, int i, int64_t d, int64_t b, int64_t e, int32_t step, masks k)
{
	if (!step || step == INT32_MIN) return false;
	int64_t least = step > 0 ? 0 : -1, most = step > 0 ? d : d - 1;
	b += b < 0 ? d : 0;
	b = k.from_start ? (step > 0 ? 0 : d - 1) : COP_MIN(most, COP_MAX(least, b));
	e += k.offset ? b : 0;
	e += e < 0 ? d : 0;
	e = k.to_end ? (step > 0 ? d : -1) : COP_MIN(most, COP_MAX(least, e));
	if (k.one) e = b + (step > 0 ? 1 : -1);
	int64_t size = step > 0 ? (e - b + step - 1) / step : (b - e - step - 1) / -(int64_t)step;
	c->from[i] = (int32_t)b;
	c->size[i] = (int32_t)size;
	c->step[i] = size == 1 ? 1 : step;
	return size > 0 && b >= 0 && b < d;
}

cop_status cop__tfl_strided_slice(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *v[3];
	int32_t count[3], dim[COP_MAX_DIM], rank = 0, mask[5];
	cop_type t;
	cut c;

	COP_TRY(shape_of(m, n, 0, &t));
	for (int i = 0; i < 3; i++) COP_TRY(cop__tfl_ints(m, n, i + 1, &v[i], &count[i]));
	for (int i = 0; i < 5; i++) mask[i] = cop__fb_int(&n->options, SLICE_BEGIN + i, 4, 0);
	if (count[0] != count[1] || count[0] != count[2] || count[0] > t.rank || mask[SLICE_ELLIPSIS] || mask[SLICE_NEW_AXIS])
		return cop__tfl_fail(m, n, "begin, end and step must have one entry for each of %d axes, without an ellipsis or a new axis", t.rank);
	whole(&c, &t);
	bool offset = cop__fb_int(&n->options, SLICE_OFFSET, 1, 0);
	for (int i = 0; i < count[0]; i++) {
		masks k = {mask[SLICE_BEGIN] >> i & 1, mask[SLICE_END] >> i & 1, mask[SLICE_SHRINK] >> i & 1, offset};
		if (!python_range(&c, i, t.dim[i], v[0][i], v[1][i], v[2][i], k))
			return cop__tfl_fail(m, n, "axis %d: from %d to %d by %d is empty in a length of %d", i, v[0][i], v[1][i], v[2][i], t.dim[i]);
	}
	for (int i = 0; i < t.rank; i++)
		if (!(mask[SLICE_SHRINK] >> i & 1)) dim[rank++] = c.size[i];
	return put_cut(m, n, 0, 0, &c, rank, dim);
}

cop_status cop__tfl_slice(cop_tfl *m, const cop_tfl_node *n)
{
	const int32_t *from, *size;
	int32_t n_from, n_size;
	cop_type t;
	cut c;

	COP_TRY(shape_of(m, n, 0, &t));
	COP_TRY(cop__tfl_ints(m, n, 1, &from, &n_from));
	COP_TRY(cop__tfl_ints(m, n, 2, &size, &n_size));
	if (n_from != t.rank || n_size != t.rank) return cop__tfl_fail(m, n, "begin and size must have %d entries", t.rank);
	whole(&c, &t);
	for (int i = 0; i < t.rank; i++) {
		c.from[i] = from[i];
		c.size[i] = size[i] == -1 ? t.dim[i] - from[i] : size[i];
		if (from[i] < 0 || from[i] >= t.dim[i] || c.size[i] < 1 || c.size[i] > t.dim[i] - from[i])
			return cop__tfl_fail(m, n, "axis %d: %d elements from %d in a length of %d", i, size[i], from[i], t.dim[i]);
	}
	return put_cut(m, n, 0, 0, &c, t.rank, c.size);
}

/* ---- split, unpack ---- */

/* SPLIT(axis, x), SPLIT_V(x, sizes, axis) */
cop_status cop__tfl_split(cop_tfl *m, const cop_tfl_node *n)
{
	bool given = n->code == TFL_SPLIT_V;
	const int32_t *axis, *sizes = NULL;
	int32_t count, parts = (int32_t)n->out.n, n_sizes = parts, sum = 0, open = 0;
	cop_type t;
	cut c;

	COP_TRY(cop__tfl_ints(m, n, given ? 2 : 0, &axis, &count));
	if (given) COP_TRY(cop__tfl_ints(m, n, 1, &sizes, &n_sizes));
	COP_TRY(shape_of(m, n, !given, &t));
	int32_t a = axis[0] + (axis[0] < 0 ? t.rank : 0);
	if (a < 0 || a >= t.rank || n_sizes != parts || (!given && t.dim[a] % parts))
		return cop__tfl_fail(m, n, "%d parts along axis %d do not fit the input", parts, axis[0]);
	whole(&c, &t);
	for (int i = 0; given && i < parts; i++) {
		if (sizes[i] < -1 || sizes[i] > t.dim[a]) return cop__tfl_fail(m, n, "part %d has %d elements of %d", i, sizes[i], t.dim[a]);
		open += sizes[i] == -1;
		sum += COP_MAX(0, sizes[i]);
	}
	for (int i = 0; i < parts; i++) {
		c.size[a] = !given ? t.dim[a] / parts : sizes[i] == -1 ? t.dim[a] - sum : sizes[i];
		if (open > 1 || c.size[a] < 1 || c.size[a] > t.dim[a] - c.from[a])
			return cop__tfl_fail(m, n, "part %d has %d elements from %d in a length of %d", i, c.size[a], c.from[a], t.dim[a]);
		COP_TRY(put_cut(m, n, !given, i, &c, t.rank, c.size));
		c.from[a] += c.size[a];
	}
	return COP_OK;
}

cop_status cop__tfl_unpack(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t axis = cop__fb_int(&n->options, UNPACK_AXIS, 4, 0), dim[COP_MAX_DIM], rank = 0;
	cop_type t;
	cut c;

	COP_TRY(shape_of(m, n, 0, &t));
	int32_t a = axis + (axis < 0 ? t.rank : 0);
	if (a < 0 || a >= t.rank || (uint32_t)t.dim[a] != n->out.n) return cop__tfl_fail(m, n, "%u results along axis %d do not fit the input", n->out.n, axis);
	whole(&c, &t);
	for (int i = 0; i < t.rank; i++)
		if (i != a) dim[rank++] = t.dim[i];
	c.size[a] = 1;
	for (; c.from[a] < t.dim[a]; c.from[a]++) COP_TRY(put_cut(m, n, 0, c.from[a], &c, rank, dim));
	return COP_OK;
}

/* ---- pad, transpose ---- */

/* What fills the border: 0, or the constant of PADV2. */
static cop_status pad_value(cop_tfl *m, const cop_tfl_node *n, float *value)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0), *k = cop__tfl_in(m, n, 2);
	const void *data = k ? cop__tfl_data(m, k) : NULL;
	int32_t zero = 0;
	float scale;

	COP_TRY(m->cx->code);
	if (k && (!data || k->type.dtype != x->type.dtype)) return cop__tfl_fail(m, n, "the border must be a constant in the input's number format");
	if (cop__tfl_whole(x)) {
		if (!k) COP_TRY(cop__tfl_scale(m, n, x, &scale, &zero));
		*value = (float)(!k ? zero : cop__tfl_is(k, COP_I16) ? *(const int16_t *)data : *(const int8_t *)data);
	} else {
		*value = !k ? 0 : cop__tfl_is(k, COP_F32) ? *(const float *)data : cop__tfl_is(k, COP_I32) ? (float)*(const int32_t *)data : (float)*(const uint8_t *)data;
		if (k && cop__tfl_is(k, COP_I32) && fabs((double)*(const int32_t *)data) > 1 << 24)
			return cop__tfl_fail(m, n, "the border of %d is beyond 2^24", *(const int32_t *)data);
	}
	return COP_OK;
}

cop_status cop__tfl_pad(cop_tfl *m, const cop_tfl_node *n)
{
	cop_pad_attr p = {0};
	const int32_t *pads;
	int32_t count;
	cop_vid x = cop__tfl_value(m, n, 0);
	bool any = false;

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &pads, &count));
	if (count != 2 * cop__t(m->g, x)->rank) return cop__tfl_fail(m, n, "%d paddings for %d dimensions", count, cop__t(m->g, x)->rank);
	for (int i = 0; i < count; i++) {
		if (pads[i] < 0 || pads[i] > 1 << 24) return cop__tfl_fail(m, n, "padding %d is %d", i, pads[i]);
		(i % 2 ? p.after : p.before)[i / 2] = pads[i];
		any |= pads[i] > 0;
	}
	if (!any) return cop__tfl_set(m, n, 0, x);
	if (n->code == TFL_MIRROR_PAD) return cop__tfl_mirror(m, n, x, pads);
	COP_TRY(pad_value(m, n, &p.value));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_pad, &p, VIDS(x)));
}

cop_status cop__tfl_transpose(cop_tfl *m, const cop_tfl_node *n)
{
	cop_shape_attr p = {0};
	const int32_t *perm;
	bool same = true;
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &perm, &p.rank));
	if (p.rank != cop__t(m->g, x)->rank) return cop__tfl_fail(m, n, "a permutation of %d axes for %d dimensions", p.rank, cop__t(m->g, x)->rank);
	for (int i = 0; i < p.rank; i++) {
		p.dim[i] = perm[i] + (perm[i] < 0 ? p.rank : 0);
		same = same && p.dim[i] == i;
	}
	return cop__tfl_set(m, n, 0, same ? x : cop__apply(m->g, OP_transpose, &p, VIDS(x)));
}
