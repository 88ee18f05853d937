/* SPDX-License-Identifier: Apache-2.0
 *
 * encoded.h - a network whose weights may have any encoding, and every pass with options that suit it.
 */
#ifndef TESTS_PASS_ENCODED_H
#define TESTS_PASS_ENCODED_H

#include "nets.h"
#include "enc/enc.h"

/* A palette has room for 256 numbers, and BYTES and HALF for few: multiples of 1/8 that all of them hold. */
static inline void rounded(float *w, int64_t n)
{
	for (int64_t i = 0; i < n; i++) w[i] = roundf(w[i] * 8) / 8;
}

static inline cop_graph *encoded_net(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = input(g, 4, DIMS(1, 8, 8, 2));
	x = relu(g, bn(g, conv(g, x, "c1", 6, 3, 1, 1, true), "n1"));
	x = conv(g, x, "c2", 6, 3, 1, 6, true);
	x = relu(g, conv(g, x, "c3", 5, 1, 1, 1, false));
	x = cop__apply(g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, weight(g, COP_CONST, "scale", 1, DIMS(5), 0.5f, 1)));
	x = fc(g, global_pool(g, x), "f1", 7, true);
	x = cop__apply(g, OP_map, (int32_t[]){MAP_ABS, 0, 0}, VIDS(x));
	x = fc(g, x, "f2", 4, true);
	OK(cx, cop__output(g, x, "y"));
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].data && cop__t(g, (cop_vid)v)->dtype == COP_F32) rounded(cop__own(g, (cop_vid)v), cop_type_count(cop__t(g, (cop_vid)v)));
	/* rows of c1 and of f1 without a weight, that something wants to take out */
	memset(cop__own(g, cop__find(g, "c1.w")), 0, 4 * 18 * 2);
	memset(cop__own(g, cop__find(g, "f1.w")), 0, 4 * 5);
	return g;
}

static inline void encode(cop_graph *g, cop_vid v, cop_enc e)
{
	cop_value *x = &g->value[v];
	int64_t count = cop_type_count(&x->type);
	int32_t n, cols;
	const float *w = cop__floats(g, v);
	void *blob;

	cop__matrix_of(&x->type, &n, &cols);
	if (e == COP_DENSE) return;
	if (e == COP_BYTES) {
		float *scale = malloc(4 * (size_t)n);
		int8_t *code = malloc((size_t)count);
		for (int32_t i = 0; i < n; i++) scale[i] = 0.125f;
		for (int64_t i = 0; i < count; i++) code[i] = (int8_t)(w[i] * 8);
		OK(g->cx, cop__encode_bytes(&blob, &x->type.enc_bytes, g->cx, scale, code, n, cols));
		free(scale);
		free(code);
	} else {
		OK(g->cx, cop__encode(&blob, &x->type.enc_bytes, g->cx, e, w, n, cols));
	}
	x->type.enc = e;
	cop__put_contents(g, v, cop__contents_adopt(g->cx, blob));
}

static inline const char *spec_of(const char *pass)
{
	return !strcmp(pass, "slice") ? "slice:of=c3.w,axis=0,drop=1" : !strcmp(pass, "batch") ? "batch:n=1" : pass;
}

#endif
