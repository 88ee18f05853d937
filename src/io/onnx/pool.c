/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - maximum and average over windows. The graph's own pools take two axes without dilation; every other form is
 * separable, and is done axis by axis: the taps of a window are slices, joined by maximum or sum.
 */
#include "io/onnx/window.h"

/* With ceil_mode a last window may hang over the end, unless it would begin behind it. */
static void round_up(cop_ox_window *w)
{
	for (int i = 0; i < w->n; i++) {
		int64_t span = (int64_t)(w->k[i] - 1) * w->dilation[i] + 1,
			room = (int64_t)w->in[i] + w->before[i] + w->after[i] - span;
		int64_t out = (room + w->stride[i] - 1) / w->stride[i] + 1;
		if ((out - 1) * w->stride[i] >= (int64_t)w->in[i] + w->before[i]) out--;
		if (room >= 0) w->out[i] = (int32_t)out;
	}
}

/* The padding behind that makes a window end exactly where the last one does, at least the given one's share. */
static int32_t needed_after(const cop_ox_window *w, int i)
{
	int64_t need = (int64_t)(w->out[i] - 1) * w->stride[i] + (int64_t)(w->k[i] - 1) * w->dilation[i] +
		1 - w->in[i] - w->before[i];
	return (int32_t)COP_MAX(need, 0);
}

static bool native(const cop_ox_window *w, bool average, bool count_pads)
{
	for (int i = 0; i < w->n; i++) {
		int32_t after = needed_after(w, i);
		if (w->dilation[i] != 1 || w->before[i] >= w->k[i] || after >= w->k[i]) return false;
		if (average && count_pads && after > w->after[i]) return false;
	}
	return w->n <= 2;
}

static cop_vid pool2(cop_ox *m, const cop_ox_window *w, bool average, bool count_pads, cop_vid x)
{
	int i = w->n - 2, j = w->n - 1;
	cop_pool_attr a = {.kh = 1, .kw = w->k[j], .sh = 1, .sw = w->stride[j], .pl = w->before[j], .pr = needed_after(w, j),
		.count_pads = average && count_pads};

	if (i >= 0) a.kh = w->k[i], a.sh = w->stride[i], a.pt = w->before[i], a.pb = needed_after(w, i);
	cop_vid v = cop__ox_image(m, x);
	return v ? cop__ox_from_image(m, cop__apply(m->g, average ? OP_avgpool : OP_maxpool, &a, VIDS(v)), w->n + 2) : 0;
}

/* ---- axis by axis ---- */

/* 1 / how many taps of each window count, along axis i of `rank` (channels last). */
static cop_vid shares(cop_ox *m, const cop_ox_window *w, int i, bool count_pads, int32_t rank)
{
	int32_t dim[6] = {1, 1, 1, 1, 1, 1}, from = count_pads ? -w->before[i] : 0,
		to = w->in[i] + (count_pads ? w->after[i] : 0);
	float *share = cop__ox_room(m, 4 * (size_t)w->out[i]);

	for (int32_t o = 0; share && o < w->out[i]; o++) {
		int32_t count = 0;
		for (int32_t t = 0; t < w->k[i]; t++) {
			int32_t at = o * w->stride[i] - w->before[i] + t * w->dilation[i];
			count += at >= from && at < to;
		}
		share[o] = 1 / (float)COP_MAX(count, 1);
	}
	dim[1 + i] = w->out[i];
	cop_type t = cop__type(COP_F32, rank, dim);
	return share ? cop__ox_const(m, "share", COP_CONST, &t, share) : 0;
}

static cop_vid along(cop_ox *m, const cop_ox_window *w, int i, bool average, bool count_pads, cop_vid x)
{
	int32_t before[6] = {0}, after[6] = {0}, axis = 1 + i, rank = w->n + 2;
	cop_vid y = 0;

	before[axis] = w->before[i];
	after[axis] = needed_after(w, i);
	if (before[axis] || after[axis]) x = cop__ox_pad(m, x, before, after, average ? 0 : -__builtin_inff(), PAD_CONSTANT);
	for (int32_t t = 0; x && t < w->k[i]; t++) {
		cop_vid tap = cop__ox_slice(m, x, axis, t * w->dilation[i], w->out[i], w->stride[i]);
		y = t ? cop__ox_two(m, average ? OP_add : OP_max, y, tap) : tap;
	}
	return average && y ? cop__ox_two(m, OP_mul, y, shares(m, w, i, count_pads, rank)) : y;
}

cop_status cop__ox_add_pool(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	bool average = !strcmp(n->type, "AveragePool"), count_pads = cop__ox_i(n, "count_include_pad", 0) != 0;
	cop_ox_window w;

	if (cop__ox_out(m, n, 1))
		return cop__ox_fail(m, n, "its second result, the positions of the maxima, is not supported");
	COP_TRY(cop__ox_window(m, n, x, NULL, &w));
	if (cop__ox_i(n, "ceil_mode", 0)) round_up(&w);
	for (int i = 0; i < w.n; i++)
		if (!w.out[i]) return cop__ox_fail(m, n, "a window of %d does not fit a length of %d", w.k[i], w.in[i]);
	cop_vid v = cop__ox_as(m, x, OX_LAST);
	if (!v) return m->cx->code;
	cop_dtype was = cop__t(m->g, v)->dtype;
	if (was != COP_F32) v = cop__ox_cast(m, v, COP_F32);
	if (native(&w, average, count_pads)) v = pool2(m, &w, average, count_pads, v);
	else
		for (int i = 0; i < w.n; i++) v = along(m, &w, i, average, count_pads, v);
	return cop__ox_set(m, n, 0, cop__ox_cast(m, v, was), OX_LAST, 0);
}

cop_status cop__ox_add_global_pool(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	uint32_t axes = 0;

	if (x->rank < 3) return cop__ox_fail(m, n, "%d dimensions, at least 3 are expected", x->rank);
	cop_vid v = cop__ox_float(m, n, 0, OX_LAST);
	bool average = !strcmp(n->type, "GlobalAveragePool");
	if (x->rank == 4 && v) {
		cop_pool_attr a = {.kh = x->dim[2], .kw = x->dim[3], .sh = 1, .sw = 1};
		v = cop__apply(m->g, average ? OP_avgpool : OP_maxpool, &a, VIDS(v));
	} else {
		for (int i = 1; i < x->rank - 1; i++) axes |= 1u << i;
		v = cop__ox_reduce(m, average ? REDUCE_MEAN : REDUCE_MAX, v, axes, true);
	}
	return cop__ox_set(m, n, 0, v, OX_LAST, 0);
}
