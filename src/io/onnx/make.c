/* SPDX-License-Identifier: Apache-2.0
 *
 * make - nodes of the graph whose tables are made here, out of the reader's budget. The rest is make.c's.
 */
#include "io/onnx/onnx.h"

static cop_status too_many(cop_ox *m, int32_t rank)
{
	return cop__error(m->cx, COP_FORMAT, "%s: a value has %d dimensions, at most %d are supported in a graph", m->file,
		rank, COP_MAX_DIM);
}

cop_vid cop__ox_reshape(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim)
{
	return rank > COP_MAX_DIM ? too_many(m, rank), 0 : cop__make_reshape(m->g, x, rank, dim);
}

cop_vid cop__ox_expand(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim)
{
	return rank > COP_MAX_DIM ? too_many(m, rank), 0 : cop__make_expand(m->g, x, rank, dim);
}

/* Along an axis by indices that are known. */
static cop_vid pick_known(cop_ox *m, cop_vid x, int32_t axis, const int32_t *index, int32_t count)
{
	cop_type t = cop__type(COP_I32, 1, &count);
	cop_vid at = cop__ox_const(m, "index", COP_CONST, &t, index);
	return x && at ? cop__apply(m->g, OP_gather, &(cop_axis_attr){axis}, VIDS(x, at)) : 0;
}

cop_vid cop__ox_slice(cop_ox *m, cop_vid x, int32_t axis, int32_t from, int32_t size, int32_t step)
{
	if (!x) return 0;
	if (step < 0) {
		int32_t *index = cop__ox_room(m, 4 * (size_t)size);
		for (int32_t i = 0; index && i < size; i++) index[i] = from + i * step;
		return index ? pick_known(m, x, axis, index, size) : 0;
	}
	return cop__make_slice(m->g, x, axis, from, size, step);
}

/* Index along an axis of length n of what stands at position i beside it. */
static int32_t mirrored(int64_t i, int32_t n, int mode)
{
	if (mode == PAD_EDGE) return i < 0 ? 0 : i >= n ? n - 1 : (int32_t)i;
	int64_t period = mode == PAD_WRAP || n == 1 ? n : 2 * (int64_t)n - 2, k = (i % period + period) % period;
	return (int32_t)(k < n ? k : period - k);
}

cop_vid cop__ox_pad(cop_ox *m, cop_vid x, const int32_t *before, const int32_t *after, float value, int mode)
{
	cop_pad_attr p = {.value = value};

	if (!x) return 0;
	cop_type t = *cop__t(m->g, x);
	for (int i = 0; i < t.rank; i++) p.before[i] = before[i], p.after[i] = after[i];
	if (mode == PAD_CONSTANT) return cop__apply(m->g, OP_pad, &p, VIDS(x));
	for (int i = 0; i < t.rank; i++) {
		int64_t count = (int64_t)t.dim[i] + before[i] + after[i];
		if (count == t.dim[i]) continue;
		int32_t *index = count < INT32_MAX / 4 ? cop__ox_room(m, 4 * (size_t)count) : NULL;
		for (int64_t k = 0; index && k < count; k++) index[k] = mirrored(k - before[i], t.dim[i], mode);
		x = index ? pick_known(m, x, i, index, (int32_t)count) : 0;
	}
	return x;
}

cop_vid cop__ox_pick(cop_ox *m, cop_vid x, cop_vid index, int32_t axis, int32_t rank, const int32_t *dim)
{
	(void)dim;
	if (!x || !index) return 0;
	if (rank > COP_MAX_DIM) return too_many(m, rank), 0;
	return cop__make_gather(m->g, x, index, axis);
}

cop_vid cop__ox_resample(cop_ox *m, cop_vid x, int32_t axis, int32_t out, int32_t taps, const int32_t *index,
	const float *weight)
{
	cop_type ti = cop__type(COP_I32, 2, DIMS(out, taps)), tw = cop__type(COP_F32, 2, ti.dim);
	cop_vid i = cop__ox_const(m, "resize.index", COP_CONST, &ti, index),
		w = cop__ox_const(m, "resize.weight", COP_CONST, &tw, weight);
	return x && i && w ? cop__apply(m->g, OP_resample, &(cop_axis_attr){axis}, VIDS(x, i, w)) : 0;
}

