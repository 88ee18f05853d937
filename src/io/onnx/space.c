/* SPDX-License-Identifier: Apache-2.0
 *
 * space - Pad, DepthToSpace, SpaceToDepth, Trilu: elements moved between space and channels, or put around.
 */
#include "io/onnx/onnx.h"

/* ---- pad ---- */

typedef struct margins { int32_t before[OX_MAX_DIM], after[OX_MAX_DIM]; bool any, crops; } margins;

/* The paddings of all axes: an attribute before operator set 11, then an input, of named axes since 18. */
static cop_status margins_of(cop_ox *m, const cop_ox_node *n, int32_t rank, margins *p)
{
	int64_t room[2 * OX_MAX_DIM];
	const int64_t *v = room, *axes;
	int32_t count = cop__ox_ints(m, n, "pads", room, LEN(room)), n_axes, a;

	*p = (margins){.any = false};
	if (count < 0) count = cop__ox_ints(m, n, "paddings", room, LEN(room));
	if (count < 0) COP_TRY(cop__ox_known_ints(m, n, 1, &v, &count));
	COP_TRY(cop__ox_known_ints(m, n, 3, &axes, &n_axes));
	if (m->cx->code) return m->cx->code;
	int32_t named = axes ? n_axes : rank;
	if (count != 2 * named || named > rank) return cop__ox_fail(m, n, "%d paddings for %d axes", count, named);
	for (int i = 0; i < named; i++) {
		COP_TRY(cop__ox_axis(m, n, axes ? axes[i] : i, rank, &a));
		if (v[i] > INT32_MAX / 2 || v[i] < -INT32_MAX / 2 || v[named + i] > INT32_MAX / 2 || v[named + i] < -INT32_MAX / 2)
			return cop__ox_fail(m, n, "padding %d is too large", i);
		p->before[a] = (int32_t)v[i];
		p->after[a] = (int32_t)v[named + i];
		p->any |= v[i] > 0 || v[named + i] > 0;
		p->crops |= v[i] < 0 || v[named + i] < 0;
	}
	return COP_OK;
}

/* Negative paddings cut off. */
static cop_vid crop(cop_ox *m, const cop_ox_node *n, cop_vid v, margins *p, const int32_t *dim, int32_t rank,
	cop_ox_layout l)
{
	for (int i = 0; i < rank; i++) {
		int32_t from = COP_MAX(-p->before[i], 0), size = dim[i] - from - COP_MAX(-p->after[i], 0);
		if (size < 1) return cop__ox_fail(m, n, "nothing is left of axis %d", i), 0;
		if (size != dim[i]) v = cop__ox_slice(m, v, cop__ox_axis_in(i, rank, l), from, size, 1);
		p->before[i] = COP_MAX(p->before[i], 0);
		p->after[i] = COP_MAX(p->after[i], 0);
	}
	return v;
}

cop_status cop__ox_add_pad(cop_ox *m, cop_ox_node *n)
{
	static const struct { const char *name; int mode; } modes[] = {{"constant", PAD_CONSTANT}, {"reflect", PAD_REFLECT},
		{"edge", PAD_EDGE}, {"wrap", PAD_WRAP}};
	cop_ox_value *x = cop__ox_in(m, n, 0), *fill = cop__ox_in(m, n, 2);
	const char *how = cop__ox_s(m, n, "mode", "constant");
	float value = cop__ox_f(n, "value", 0);
	int32_t before[OX_MAX_DIM], after[OX_MAX_DIM];
	int mode = -1;
	margins p;

	if (!how) return COP_NOMEM;
	for (int i = 0; i < LEN(modes); i++)
		if (!strcmp(modes[i].name, how)) mode = modes[i].mode;
	if (mode < 0) return cop__ox_fail(m, n, "mode '%s' is not supported; constant, reflect, edge and wrap are", how);
	COP_TRY(margins_of(m, n, x->rank, &p));
	if (fill) {
		if (!fill->data) return cop__ox_fail(m, n, "the value to pad with must be known when the model is read");
		value = cop__ox_is_float(fill->type) ? *(const float *)fill->data : (float)*(const int64_t *)fill->data;
	}
	if (!p.any && !p.crops) return cop__ox_same(m, n, 0, x);
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_as(m, x, l);
	if (p.crops) v = crop(m, n, v, &p, x->dim, x->rank, l);
	for (int i = 0; i < x->rank; i++) {
		before[cop__ox_axis_in(i, x->rank, l)] = p.before[i];
		after[cop__ox_axis_in(i, x->rank, l)] = p.after[i];
	}
	return cop__ox_set(m, n, 0, p.any ? cop__ox_pad(m, v, before, after, value, mode) : v, l, 0);
}

/* ---- between space and depth: channels last, so that blocks of channels stay together ---- */

static cop_status blocks(cop_ox *m, const cop_ox_node *n, int32_t *b)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t size = cop__ox_i(n, "blocksize", 0);

	*b = (int32_t)size;
	return x->rank != 4 || size < 1 || size > 1 << 15 ? cop__ox_fail(m, n,
		"%d dimensions in blocks of %lld; 4 are expected", x->rank, (long long)size) : COP_OK;
}

/* [n,h,w,c b b] -> [n,h b,w b,c]; DCR: the block's indices come before the channel's, CRD: behind it. */
cop_status cop__ox_add_depth_to_space(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const char *mode = cop__ox_s(m, n, "mode", "DCR");
	int32_t b;

	COP_TRY(blocks(m, n, &b));
	if (!mode) return COP_NOMEM;
	if (x->dim[1] % (b * b)) return cop__ox_fail(m, n, "%d channels do not make blocks of %dx%d", x->dim[1], b, b);
	return cop__ox_set(m, n, 0, cop__make_depth_to_space(m->g, cop__ox_as(m, x, OX_LAST), b, !strcmp(mode, "CRD")),
		OX_LAST, 0);
}

cop_status cop__ox_add_space_to_depth(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t b;

	COP_TRY(blocks(m, n, &b));
	if (x->dim[2] % b || x->dim[3] % b)
		return cop__ox_fail(m, n, "%dx%d do not divide into blocks of %d", x->dim[2], x->dim[3], b);
	return cop__ox_set(m, n, 0, cop__make_space_to_depth(m->g, cop__ox_as(m, x, OX_LAST), b), OX_LAST, 0);
}

/* ---- triangles of matrices ---- */

static bool kept(int64_t i, int64_t rows, int64_t cols, bool upper, int64_t shift)
{
	int64_t c = i % cols, r = i / cols % rows;
	return upper ? c - r >= shift : c - r <= shift;
}

/* What the mask does not keep is 0; known operands stay known. */
cop_status cop__ox_add_trilu(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *k;
	int32_t count;
	bool upper = cop__ox_i(n, "upper", 1) != 0;

	COP_TRY(cop__ox_known_ints(m, n, 1, &k, &count));
	if (x->rank < 2) return cop__ox_fail(m, n, "needs matrices");
	int64_t rows = x->dim[x->rank - 2], cols = x->dim[x->rank - 1], shift = k && count ? *k : 0, total = cop__ox_count(x);
	shift = COP_MIN(COP_MAX(shift, -rows - cols), rows + cols);
	if (x->data || !total) {
		size_t size = cop__ox_size(x);
		char *y = cop__ox_room(m, size * (size_t)total);
		for (int64_t i = 0; y && i < total; i++)
			if (kept(i, rows, cols, upper, shift)) memcpy(y + (size_t)i * size, (const char *)x->data + (size_t)i * size, size);
		return cop__ox_know(m, n, 0, x->type, x->rank, x->dim, y);
	}
	cop_type t = cop__type(COP_U8, 2, DIMS((int32_t)rows, (int32_t)cols)), none = cop__type(COP_I32, 1, DIMS(1));
	uint8_t *mask = cop__ox_room(m, (size_t)(rows * cols));
	for (int64_t i = 0; mask && i < rows * cols; i++) mask[i] = kept(i, rows, cols, upper, shift);
	if (!mask) return m->cx->code;
	cop_vid v = cop__ox_widen(m, cop__ox_get(m, n, 0)), zero = v && cop__t(m->g, v)->dtype == COP_F32
		? cop__ox_scalar(m, 0) : cop__ox_const(m, "zero", COP_CONST, &none, &(int32_t){0});
	return cop__ox_set(m, n, 0, cop__ox_where(m, cop__ox_const(m, "triangle", COP_CONST, &t, mask), v, zero), OX_PLAIN, 0);
}
