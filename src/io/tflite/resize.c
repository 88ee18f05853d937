/* SPDX-License-Identifier: Apache-2.0
 *
 * resize - elements picked or mixed along one axis by tables that are made here: resizing, mirrored borders, slices
 * that run backwards.
 */
#include "io/tflite/tflite.h"

#include <math.h>
#include <stdio.h>

cop_vid cop__tfl_pick(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t axis, const int32_t *index, int32_t count)
{
	cop_type t = cop__type(COP_I32, 1, &count);
	char what[24];

	snprintf(what, sizeof what, "at%d", axis);
	cop_vid v = cop__tfl_weight(m, n, COP_CONST, what, &t, index);
	return cop__apply(m->g, OP_gather, &(cop_axis_attr){axis}, VIDS(x, v));
}

/* ---- mirrored borders: axis by axis ---- */

cop_status cop__tfl_mirror(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const int32_t *pads)
{
	int32_t symmetric = cop__fb_int(&n->options, MIRROR_MODE, 1, 0), rank = cop__t(m->g, x)->rank;

	for (int a = 0; a < rank && x; a++) {
		int32_t d = cop__t(m->g, x)->dim[a], before = pads[2 * a], count = d + before + pads[2 * a + 1];
		if (count == d) continue;
		if (before > d - !symmetric || pads[2 * a + 1] > d - !symmetric)
			return cop__tfl_fail(m, n, "a mirrored border of %d and %d on %d elements", before, pads[2 * a + 1], d);
		int32_t *index = cop__tfl_room(m, 4 * (size_t)count);
		for (int32_t i = 0; index && i < count; i++) {
			int32_t at = i - before;
			index[i] = at < 0 ? -at - (symmetric != 0) : at >= d ? 2 * d - 2 - at + (symmetric != 0) : at;
		}
		x = index ? cop__tfl_pick(m, n, x, a, index, count) : 0;
	}
	return cop__tfl_set(m, n, 0, x);
}

/* ---- resize ---- */

typedef struct resize { int32_t in, out; bool align, half; } resize;

static float scale_of(const resize *r)
{
	return r->align && r->out > 1 ? (float)(r->in - 1) / (float)(r->out - 1) : (float)r->in / (float)r->out;
}

static int32_t nearest(const resize *r, int32_t i)
{
	float at = ((float)i + (r->half ? 0.5f : 0)) * scale_of(r);
	return COP_MAX(0, COP_MIN(r->in - 1, (int32_t)(r->align ? roundf(at) : floorf(at))));
}

/* Two neighbours and their weights. */
static void linear(const resize *r, int32_t i, bool steps, int32_t at[2], float w[2])
{
	float pos = r->half ? ((float)i + 0.5f) * scale_of(r) - 0.5f : (float)i * scale_of(r);

	if (steps) { /* TFLite's of 1/1024, for int8 */
		int64_t in = r->in - (r->align && r->out > 1), out = r->out - (r->align && r->out > 1), step = (1024 * in + out / 2) / out;
		int64_t p = i * step + (r->half ? step / 2 - 512 : 0);
		at[0] = (int32_t)COP_MAX(0, p / 1024);
		at[1] = (int32_t)COP_MAX(0, COP_MIN((p + 1023) / 1024, r->in - 1));
		pos = (float)p / 1024;
	} else {
		at[0] = COP_MAX(0, (int32_t)floorf(pos));
		at[1] = COP_MAX(0, COP_MIN((int32_t)ceilf(pos), r->in - 1));
	}
	w[1] = pos - (float)at[0];
	w[0] = 1 - w[1];
}

static cop_vid pick_nearest(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t axis, const resize *r)
{
	int32_t *index = cop__tfl_room(m, 4 * (size_t)r->out);

	for (int32_t i = 0; index && i < r->out; i++) index[i] = nearest(r, i);
	return index ? cop__tfl_pick(m, n, x, axis, index, r->out) : 0;
}

static cop_vid mix_linear(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t axis, const resize *r, bool steps)
{
	cop_type it = cop__type(COP_I32, 2, DIMS(r->out, 2)), wt = cop__type(COP_F32, 2, DIMS(r->out, 2));
	int32_t *index = cop__tfl_room(m, cop_type_bytes(&it));
	float *w = cop__tfl_room(m, cop_type_bytes(&wt));
	char name[2][24];

	if (!index || !w) return 0;
	for (int32_t i = 0; i < r->out; i++) {
		linear(r, i, steps, index + 2 * i, w + 2 * i);
		for (int k = 0; k < 2; k++) index[2 * i + k] = COP_MIN(r->in - 1, index[2 * i + k]);
	}
	for (int k = 0; k < 2; k++) snprintf(name[k], sizeof name[k], k ? "w%d" : "at%d", axis);
	cop_vid vi = cop__tfl_weight(m, n, COP_CONST, name[0], &it, index), vw = cop__tfl_weight(m, n, COP_CONST, name[1], &wt, w);
	return cop__apply(m->g, OP_resample, &(cop_axis_attr){axis}, VIDS(x, vi, vw));
}

cop_status cop__tfl_resize(cop_tfl *m, const cop_tfl_node *n)
{
	bool mix = n->code == TFL_RESIZE_BILINEAR,
		align = cop__fb_int(&n->options, mix ? BILINEAR_ALIGN : NEAREST_ALIGN, 1, 0),
		half = cop__fb_int(&n->options, mix ? BILINEAR_HALF : NEAREST_HALF, 1, 0);
	const int32_t *size;
	int32_t count;
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	COP_TRY(cop__tfl_ints(m, n, 1, &size, &count));
	if (count != 2 || cop__t(m->g, x)->rank != 4 || size[0] < 1 || size[1] < 1 || size[0] > 1 << 16 || size[1] > 1 << 16)
		return cop__tfl_fail(m, n, "a picture must become one of a positive size, at most %d", 1 << 16);
	bool whole = cop__t(m->g, x)->dtype == COP_I8;
	bool steps = whole && cop__tfl_in(m, n, 0)->file_type == TFL_INT8; /* of uint8 TFLite mixes floats */
	int32_t zero = whole && !steps ? -128 : 0;                          /* half away from the file's zero */
	if (mix && whole) x = cop__apply(m->g, OP_dequantize, &(cop_dequantize_attr){1, zero}, VIDS(x));
	for (int a = 0; a < 2 && x; a++) {
		const resize r = {cop__t(m->g, x)->dim[a + 1], size[a], align, half};
		x = mix ? mix_linear(m, n, x, a + 1, &r, steps) : pick_nearest(m, n, x, a + 1, &r);
	}
	if (mix && whole) x = cop__apply(m->g, OP_quantize, &(cop_quantize_attr){1, zero, COP_I8}, VIDS(x));
	return cop__tfl_set(m, n, 0, x);
}
