/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow - weights alone in fewer bits; what they meet stays float. An encoding does it: the kernels read bytes or half
 * floats where they lie, so that file and flash shrink alike, and nothing has to be calibrated.
 */
#include "compress/quantize/quantize.h"
#include "enc/enc.h"

#include <math.h>

static cop_status bytes(cop_type *t, void **blob, cop_ctx *cx, const float *w, bool per_tensor)
{
	int32_t rows = t->dim[0], cols = (int32_t)(cop_type_count(t) / rows);
	float *scale = cop__alloc(cx, sizeof *scale * (size_t)rows),
		all = per_tensor ? cop__weight_scale(w, rows, cols, 127, false, NULL) : 0;
	int8_t *code = cop__alloc(cx, (size_t)rows * (size_t)cols);
	cop_status st = scale && code ? COP_OK : COP_NOMEM;

	for (int32_t r = 0; !st && r < rows; r++) {
		scale[r] = per_tensor ? all : cop__weight_scale(w + (size_t)r * (size_t)cols, 1, cols, 127, false, NULL);
		if (!(scale[r] > 0)) scale[r] = 1;
		for (int32_t i = 0; i < cols; i++)
			code[(size_t)r * (size_t)cols + (size_t)i] = (int8_t)cop__round_weight(w[(size_t)r * (size_t)cols + (size_t)i],
				scale[r], 127);
	}
	t->enc = COP_BYTES;
	if (!st) st = cop__encode_bytes(blob, &t->enc_bytes, cx, scale, code, rows, cols);
	cop__free(cx, scale);
	cop__free(cx, code);
	return st;
}

static cop_status one(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n, int bits, bool per_tensor)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)];
	cop_type t = w->type;
	void *blob = NULL;
	cop_status st;

	for (int64_t i = 0, count = cop_type_count(&t); i < count; i++) {
		float v = ((const float *)w->data)[i];
		if (bits != 8 && !(fabsf(v) < 65520)) /* what rounds to more than 65504 */
			return cop__error(g->cx, COP_ARG,
				"quantize: number %lld of the weights '%s' is %g, half floats end at 65504; keep that "
				"layer as it is, or choose another scheme", (long long)i, w->name, (double)v);
	}
	if (bits == 8) {
		st = bytes(&t, &blob, g->cx, w->data, per_tensor);
	} else {
		t.enc = COP_HALF;
		st = cop__encode(&blob, &t.enc_bytes, g->cx, COP_HALF, w->data, t.dim[0], (int32_t)(cop_type_count(&t) / t.dim[0]));
	}
	if (!st && !(map[cop__arg(g, n, 1)] = cop__data(out, w->role, w->name, &t, blob))) st = cop__failed(g->cx);
	cop__free(g->cx, blob);
	return st;
}

cop_status cop__narrow_weights(cop_graph **out, const cop_graph *g, int bits, const char *keep, bool per_tensor)
{
	cop_vid *map;
	int32_t changed = 0;

	COP_TRY(cop__copy_begin(out, g, &map));
	int32_t *readers = cop__readers(g, &(*out)->mem);
	cop_status st = readers ? cop__copy_inputs(*out, g, map) : COP_NOMEM;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) {
		bool narrow = cop__qlayer_is(g, n) && readers[cop__arg(g, n, 1)] == 1 &&
			!(keep && cop__match(keep, cop__qlayer_name(g, n)));
		if (narrow) st = one(*out, g, map, n, bits, per_tensor), changed++;
		if (!st) st = cop__copy_node(*out, g, map, n);
	}
	if (!st && !changed)
		st = cop__error(g->cx, COP_ARG, "quantize: '%s' has no convolution or fully connected layer left to quantise",
			g->name);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}
