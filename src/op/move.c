/* SPDX-License-Identifier: Apache-2.0
 *
 * transpose, slice, unslice, pad - data moved, nothing computed: one strided copy (kernel/ref/copy.c) in four
 * guises, and each other's gradients. Attribute axes beyond the operand's rank are ignored.
 */
#include "op/axes.h"

/* ---- the strided copy ------------------------------------------------------------------------ */

/* Writes the words of a copy over `rank` axes. */
static int copy_words(int32_t *k, int32_t rank, const int32_t *dim, const int32_t *sx, const int32_t *sy, int32_t xoff,
	int32_t yoff)
{
	memset(k, 0, YK_WORDS * sizeof *k);
	for (int i = 0; i < rank; i++) {
		k[YK_DIM + i] = dim[i];
		k[YK_SX + i] = sx[i];
		k[YK_SY + i] = sy[i];
	}
	k[YK_RANK] = cop__merge_axes(rank, k + YK_DIM, k + YK_SX, k + YK_SY);
	k[YK_XOFF] = xoff;
	k[YK_YOFF] = yoff;
	return YK_WORDS;
}

/* y is set to value first, unless the copy covers all of it. */
static void set_fill(int32_t *k, const cop_type *y, float value)
{
	int32_t n = 1;

	for (int i = 0; i < k[YK_RANK]; i++) n *= k[YK_DIM + i];
	k[YK_COUNT] = cop__count32(y);
	k[YK_FILL] = n != k[YK_COUNT];
	k[YK_VALUE] = y->dtype == COP_F32 ? cop__bits(value) : (int32_t)value;
}

/* Every sample in each format. */
enum { COPIES = 5 };

static cop_vid copied(cop_graph *g, int format, int32_t rank, const int32_t *dim)
{
	static const cop_dtype formats[COPIES] = {COP_F32, COP_I8, COP_U8, COP_I32, COP_I16};
	cop_type t = cop__type(formats[format], rank, dim);
	return cop__input(g, "x", &t);
}

/* ---- transpose --------------------------------------------------------------------------------- */

/* y's axis i is x's axis dim[i]. */
static cop_status infer_transpose(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_shape_attr, p, g, n);
	int32_t dim[COP_MAX_DIM];
	unsigned seen = 0;

	COP_TRY(cop__movable(g, n));
	if (p.rank != x->rank)
		return cop__fail(g, COP_SHAPE, n, "a permutation of %d axes for %d dimensions", p.rank, x->rank);
	for (int i = 0; i < p.rank; i++) {
		if (p.dim[i] < 0 || p.dim[i] >= p.rank || (seen >> p.dim[i] & 1))
			return cop__fail(g, COP_ARG, n, "axis %d of the permutation is %d: each of 0 to %d must stand once", i, p.dim[i],
				p.rank - 1);
		seen |= 1u << p.dim[i];
		dim[i] = x->dim[p.dim[i]];
	}
	return cop__set_out(g, n, 0, x->dtype, p.rank, dim);
}

static int words_transpose(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t own[COP_MAX_DIM], sx[COP_MAX_DIM], sy[COP_MAX_DIM];
	COP_ATTR(cop_shape_attr, p, g, n);

	cop__strides(own, x->rank, x->dim);
	cop__strides(sy, y->rank, y->dim);
	for (int i = 0; i < y->rank; i++) sx[i] = own[p.dim[i]];
	return copy_words(k, y->rank, y->dim, sx, sy, 0, 0);
}

static cop_status grad_transpose(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_shape_attr, p, g, n);
	cop_shape_attr back = {.rank = p.rank};

	for (int i = 0; i < p.rank; i++) back.dim[p.dim[i]] = i;
	return dy ? cop__grad_put(d, cop__arg(g, n, 0), OP_transpose, &back, VIDS(dy)) : g->cx->code;
}

static int links_transpose(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;
	COP_ATTR(cop_shape_attr, p, g, n);

	for (int i = 0; i < p.rank; i++)
		at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), p.dim[i], cop__res(g, n, 0), i);
	return at;
}

static cop_nid sample_transpose(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_shape_attr p; } form[] = {
		{2, {5, 9}, {2, {1, 0}}},
		{4, {2, 3, 5, 4}, {4, {0, 3, 1, 2}}},
		{4, {2, 3, 5, 4}, {4, {3, 1, 0, 2}}},
		{3, {1, 6, 5}, {3, {2, 0, 1}}},
		{3, {2, 3, 4}, {3, {0, 1, 2}}},
	};
	if (which >= COPIES * LEN(form)) return 0;
	cop_vid x = copied(g, which / LEN(form), form[which % LEN(form)].rank, form[which % LEN(form)].dim);
	return cop__node(g, OP_transpose, &form[which % LEN(form)].p, VIDS(x));
}

const cop_op cop_op_transpose = {
	.name = "transpose", .attrs = "rank:i dim:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer_transpose, .grad = grad_transpose, .cost = cop__cost_none, .links = links_transpose,
	.words = words_transpose, .sample = sample_transpose,
};

/* ---- slice and unslice --------------------------------------------------------------------------- */

/* Makes the attribute explicit for a tensor of shape dim: size 0 goes to the end (back to the start where step < 0),
 * step 0 is 1. */
static cop_status slice_of(const cop_graph *g, cop_nid n, cop_slice_attr *s, int32_t rank, const int32_t *dim)
{
	for (int i = 0; i < rank; i++) {
		if (s->step[i] == 0) s->step[i] = 1;
		if (s->from[i] < 0 || s->from[i] >= dim[i] || s->size[i] < 0 || s->step[i] == INT32_MIN)
			return cop__fail(g, COP_ARG, n, "axis %d: from %d, size %d, step %d in a length of %d", i, s->from[i], s->size[i],
				s->step[i], dim[i]);
		if (s->size[i] == 0) s->size[i] = (s->step[i] > 0 ? dim[i] - s->from[i] - 1 : -s->from[i]) / s->step[i] + 1;
		if (s->size[i] == 1) s->step[i] = 1;
		int64_t last = s->from[i] + ((int64_t)s->size[i] - 1) * s->step[i];
		if (last < 0 || last >= dim[i])
			return cop__fail(g, COP_SHAPE, n, "axis %d: %d elements from %d by %d reach beyond a length of %d", i, s->size[i],
				s->from[i], s->step[i], dim[i]);
	}
	return COP_OK;
}

/* Strides and offset of the slice inside the whole. */
static int32_t slice_strides(int32_t *stride, const cop_slice_attr *s, int32_t rank, const int32_t *dim)
{
	int32_t off = 0;

	cop__strides(stride, rank, dim);
	for (int i = 0; i < rank; i++) {
		off += s->from[i] * stride[i];
		stride[i] *= s->step[i];
	}
	return off;
}

static cop_status infer_slice(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_slice_attr, s, g, n);

	COP_TRY(cop__movable(g, n));
	COP_TRY(slice_of(g, n, &s, x->rank, x->dim));
	return cop__set_out(g, n, 0, x->dtype, x->rank, s.size);
}

static int words_slice(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t sx[COP_MAX_DIM], sy[COP_MAX_DIM];
	COP_ATTR(cop_slice_attr, s, g, n);

	if (slice_of(g, n, &s, x->rank, x->dim)) return 0;
	cop__strides(sy, y->rank, y->dim);
	int32_t off = slice_strides(sx, &s, x->rank, x->dim);
	return copy_words(k, y->rank, y->dim, sx, sy, off, 0);
}

static cop_status grad_slice(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_slice_attr, s, g, n);
	cop_unslice_attr back = {.s = s};

	memcpy(back.dim, cop__t(g, x)->dim, sizeof back.dim);
	return dy ? cop__grad_put(d, x, OP_unslice, &back, VIDS(dy)) : g->cx->code;
}

/* The part lies in the whole from index `from` of axis i on; loose: what of the whole is beside it may go alone. */
static int link_within(cop_link *l, int at, int max, const cop_graph *g, cop_vid whole, cop_vid part, int i,
	int32_t from, bool loose)
{
	int32_t len = cop__t(g, part)->dim[i], all = cop__t(g, whole)->dim[i];

	if (at + 3 > max || !cop__link_axis(l, at, max, g, whole, i, part, i)) return at;
	l[at].off = -from;
	l[at++].mod = all;
	if (loose && from) l[at++] = (cop_link){.a = whole, .a_ax = (int8_t)i, .hi = from};
	if (loose && from + len < all) l[at++] = (cop_link){.a = whole, .a_ax = (int8_t)i, .lo = from + len, .hi = all};
	return at;
}

/* Of axes that are stepped along nothing can be said. */
static int links_slice(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	bool back = g->node[n].op == OP_unslice;
	cop_vid whole = back ? cop__res(g, n, 0) : cop__arg(g, n, 0), part = back ? cop__arg(g, n, 0) : cop__res(g, n, 0);
	int at = 0;
	COP_ATTR(cop_slice_attr, s, g, n);

	for (int i = 0; i < cop__t(g, whole)->rank; i++) {
		bool same = cop__t(g, whole)->dim[i] == cop__t(g, part)->dim[i];
		if (same ? s.step[i] >= 0 : s.step[i] == 0 || s.step[i] == 1)
			at = link_within(l, at, max, g, whole, part, i, same ? 0 : s.from[i], true);
	}
	return at;
}

static int links_pad(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;
	COP_ATTR(cop_pad_attr, p, g, n);

	for (int i = 0; i < cop__in(g, n, 0)->rank; i++)
		if (p.before[i] >= 0 && p.after[i] >= 0)
			at = link_within(l, at, max, g, cop__res(g, n, 0), cop__arg(g, n, 0), i, p.before[i], p.value == 0);
	return at;
}

static cop_status infer_unslice(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_unslice_attr, u, g, n);

	COP_TRY(cop__movable(g, n));
	for (int i = 0; i < x->rank; i++)
		if (u.dim[i] <= 0)
			return cop__fail(g, COP_SHAPE, n, "axis %d of the result has length %d, must be positive", i, u.dim[i]);
	COP_TRY(slice_of(g, n, &u.s, x->rank, u.dim));
	for (int i = 0; i < x->rank; i++)
		if (u.s.size[i] != x->dim[i])
			return cop__fail(g, COP_SHAPE, n, "axis %d: the slice has %d elements, the input %d", i, u.s.size[i], x->dim[i]);
	return cop__set_out(g, n, 0, x->dtype, x->rank, u.dim);
}

static int words_unslice(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t sx[COP_MAX_DIM], sy[COP_MAX_DIM];
	COP_ATTR(cop_unslice_attr, u, g, n);

	if (slice_of(g, n, &u.s, y->rank, y->dim)) return 0;
	cop__strides(sx, x->rank, x->dim);
	int32_t off = slice_strides(sy, &u.s, y->rank, y->dim);
	copy_words(k, x->rank, x->dim, sx, sy, 0, off);
	set_fill(k, y, 0);
	return YK_WORDS;
}

static cop_status grad_unslice(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_unslice_attr, u, g, n);

	return dy ? cop__grad_put(d, cop__arg(g, n, 0), OP_slice, &u.s, VIDS(dy)) : g->cx->code;
}

static const struct slice_form { int32_t rank, dim[4]; cop_slice_attr s; } slice_forms[] = {
	{1, {7}, {.from = {2}, .size = {3}}},
	{2, {5, 9}, {.from = {0, 4}, .size = {0, 5}}},
	{2, {5, 9}, {.from = {1, 0}, .size = {3, 0}}},
	{4, {2, 7, 5, 3}, {.from = {0, 1, 0, 0}, .size = {0, 3, 0, 2}, .step = {1, 2, 2, 1}}},
	{3, {3, 4, 5}, {.from = {2, 3, 4}, .size = {1, 1, 1}, .step = {5, 1, 1}}},
	{2, {2, 3}, {.from = {0}}},
	{2, {5, 9}, {.from = {4, 0}, .step = {-1, 1}}},
	{3, {5, 9, 4}, {.from = {3, 8, 3}, .size = {2, 3, 0}, .step = {-2, -3, -1}}},
};

static cop_nid sample_slice(cop_graph *g, int which)
{
	const struct slice_form *f = &slice_forms[which % LEN(slice_forms)];

	if (which >= COPIES * LEN(slice_forms)) return 0;
	return cop__node(g, OP_slice, &f->s, VIDS(copied(g, which / LEN(slice_forms), f->rank, f->dim)));
}

static cop_nid sample_unslice(cop_graph *g, int which)
{
	const struct slice_form *f = &slice_forms[which % LEN(slice_forms)];
	cop_unslice_attr u = {.s = f->s};
	cop_slice_attr s = f->s;

	memcpy(u.dim, f->dim, sizeof f->dim);
	if (which >= COPIES * LEN(slice_forms) || slice_of(g, 0, &s, f->rank, f->dim)) return 0;
	return cop__node(g, OP_unslice, &u, VIDS(copied(g, which / LEN(slice_forms), f->rank, s.size)));
}

const cop_op cop_op_slice = {
	.name = "slice", .attrs = "from:i6 size:i6 step:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer_slice, .grad = grad_slice, .cost = cop__cost_none, .links = links_slice, .words = words_slice,
	.sample = sample_slice,
};
const cop_op cop_op_unslice = {
	.name = "unslice", .attrs = "from:i6 size:i6 step:i6 dim:i6", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer_unslice, .grad = grad_unslice, .cost = cop__cost_none, .links = links_slice, .words = words_unslice,
	.sample = sample_unslice,
};

/* ---- pad ------------------------------------------------------------------------------------------- */

static bool fits(cop_dtype d, float v)
{
	float hi = d == COP_I32 ? 2147483520.0f : (float)cop__dtype_most(d); /* the largest float below 2^31 */
	return v >= (float)cop__dtype_least(d) && v <= hi && v == (float)(int32_t)v;
}

static cop_status infer_pad(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	int32_t dim[COP_MAX_DIM];
	COP_ATTR(cop_pad_attr, p, g, n);

	COP_TRY(cop__movable(g, n));
	if (x->dtype != COP_F32 && !fits(x->dtype, p.value))
		return cop__fail(g, COP_ARG, n, "%g is no value of %s", p.value, cop__dtype_text(x->dtype));
	for (int i = 0; i < x->rank; i++) {
		int64_t size = (int64_t)x->dim[i] + p.before[i] + p.after[i];
		if (p.before[i] < 0 || p.after[i] < 0 || size > INT32_MAX)
			return cop__fail(g, COP_ARG, n, "axis %d is padded by %d and %d, must not be negative or too long", i, p.before[i],
				p.after[i]);
		dim[i] = (int32_t)size;
	}
	return cop__set_out(g, n, 0, x->dtype, x->rank, dim);
}

static int words_pad(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t sx[COP_MAX_DIM], sy[COP_MAX_DIM], off = 0;
	COP_ATTR(cop_pad_attr, p, g, n);

	cop__strides(sx, x->rank, x->dim);
	cop__strides(sy, y->rank, y->dim);
	for (int i = 0; i < x->rank; i++) off += p.before[i] * sy[i];
	copy_words(k, x->rank, x->dim, sx, sy, 0, off);
	set_fill(k, y, p.value);
	return YK_WORDS;
}

static cop_status grad_pad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_slice_attr s = {0};
	COP_ATTR(cop_pad_attr, p, g, n);

	memcpy(s.from, p.before, sizeof s.from);
	memcpy(s.size, cop__t(g, x)->dim, sizeof s.size);
	return dy ? cop__grad_put(d, x, OP_slice, &s, VIDS(dy)) : g->cx->code;
}

static cop_nid sample_pad(cop_graph *g, int which)
{
	static const struct { int32_t rank, dim[4]; cop_pad_attr p; } form[] = {
		{1, {3}, {.before = {2}, .after = {1}, .value = 0.5f}},
		{4, {2, 3, 5, 4}, {.before = {0, 1, 2}, .after = {0, 1, 0}}},
		{4, {2, 3, 5, 4}, {.after = {0, 0, 0, 3}, .value = -1}},
		{2, {3, 4}, {.value = 7}},
	};
	cop_pad_attr p = form[which % LEN(form)].p;

	if (which >= COPIES * LEN(form)) return 0;
	if (which >= LEN(form)) p.value = which / LEN(form) == 2 ? 200 : -7; /* u8 comes third */
	return cop__node(g, OP_pad, &p,
		VIDS(copied(g, which / LEN(form), form[which % LEN(form)].rank, form[which % LEN(form)].dim)));
}

const cop_op cop_op_pad = {
	.name = "pad", .attrs = "before:i6 after:i6 value:f", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer_pad, .grad = grad_pad, .cost = cop__cost_none, .links = links_pad, .words = words_pad,
	.sample = sample_pad,
};
