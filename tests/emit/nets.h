/* SPDX-License-Identifier: Apache-2.0
 *
 * nets.h - networks to emit: one with every float operator that there is a kernel for, encoded weights, guards.
 */
#ifndef TESTS_EMIT_NETS_H
#define TESTS_EMIT_NETS_H

#include "pass/nets.h"

#include "enc/enc.h"

/* Every activation, a depthwise convolution, add, mul, concat, both pools; with dropout for training. */
static inline cop_graph *mixed_net(cop_ctx *cx)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "mixed net"));
	cop_vid x = input(g, 4, DIMS(2, 9, 9, 3));
	cop_vid step = cop__data(g, COP_STATE, "step", &one, NULL);
	cop_vid a = relu(g, bn(g, conv(g, x, "c1", 8, 3, 1, 1, false), "c1.bn"));
	cop_vid d = cop__apply(g, OP_hswish, NULL, VIDS(bn(g, conv(g, a, "dw", 8, 3, 1, 8, false), "dw.bn")));
	cop_vid p = cop__apply(g, OP_sigmoid, NULL, VIDS(conv(g, d, "p1", 8, 1, 1, 1, true)));
	cop_vid q = cop__apply(g, OP_tanh, NULL, VIDS(conv(g, d, "p2", 8, 1, 1, 1, true)));
	cop_vid r = cop__apply(g, OP_gelu, NULL, VIDS(conv(g, a, "p3", 6, 3, 1, 2, true)));
	cop_vid s = cop__apply(g, OP_mul, &none, VIDS(add(g, p, q), a));
	cop_vid c = cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(s, r));
	c = cop__apply(g, OP_maxpool, &(cop_pool_attr){2, 2, 2, 2, 0, 0, 0, 0, 0}, VIDS(c));
	c = cop__apply(g, OP_avgpool, &(cop_pool_attr){3, 3, 1, 1, 1, 1, 1, 1, 0}, VIDS(c));
	c = cop__apply(g, OP_dropout, &(cop_dropout_attr){0.25f, 7, 1}, VIDS(c, step));
	cop_vid y = fc(g, flatten(g, c), "fc", 10, true);
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static inline cop_graph *zoo(cop_ctx *cx, const char *name, int32_t batch, int32_t size)
{
	cop_graph *g;
	cop_zoo_args a = {.batch = batch, .height = size, .width = size, .seed = 3};

	OK(cx, cop_zoo_build(&g, cx, name, &a));
	return g;
}

/* ---- encoded weights ---- */

/* fc1.w with few values, most of them 0, as a blob. */
static inline cop_graph *encoded_net(cop_ctx *cx, cop_enc enc)
{
	enum { OUT = 12, IN = 36, FILTERS = 4, TAPS = 9 };
	float w[OUT * IN], k[FILTERS * TAPS];
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 2, DIMS(OUT, IN)), tk = cop__type(COP_F32, 4, DIMS(FILTERS, 3, 3, 1));
	void *blob, *kernel;

	for (int i = 0; i < OUT * IN; i++) w[i] = i % 5 ? 0 : 0.25f * (float)(i % 7) - 0.7f;
	for (int i = 0; i < FILTERS * TAPS; i++) k[i] = i % 2 ? 0 : 0.5f - 0.125f * (float)(i % 5);
	OK(cx, cop__graph_new(&g, cx, enc == COP_PALETTE ? "palette" : "sparse"));
	t.enc = tk.enc = enc;
	OK(cx, cop__encode(&blob, &t.enc_bytes, cx, enc, w, OUT, IN));
	OK(cx, cop__encode(&kernel, &tk.enc_bytes, cx, enc, k, FILTERS, TAPS));
	cop_vid x = input(g, 4, DIMS(1, 5, 5, 1));
	cop_vid vk = cop__data(g, COP_CONST, "conv.w", &tk, kernel), vw = cop__data(g, COP_CONST, "fc1.w", &t, blob);
	x = cop__apply(g, OP_conv, &(cop_conv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 0, COP_NO_HI}, VIDS(x, vk));
	x = cop__apply(g, OP_fc, &(cop_act_attr){0, COP_NO_HI}, VIDS(flatten(g, x), vw));
	OK(cx, cop__output(g, fc(g, x, "fc2", 4, true), "y"));
	cop__free(cx, blob);
	cop__free(cx, kernel);
	return g;
}

/* ---- guards ---- */

/* Counts its runs while the guard is not 0. */
static inline cop_graph *guarded_net(cop_ctx *cx, int32_t on)
{
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	const int32_t begin = 40;
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, on ? "guard on" : "guard off"));
	input(g, 1, DIMS(4));
	cop_vid n = cop__data(g, COP_STATE, "n", &one, &begin), guard = cop__data(g, COP_STATE, "guard", &one, &on);
	cop_nid count = cop__node(g, OP_count, NULL, VIDS(n));
	g->node[count].guard = guard;
	OK(cx, cop__output(g, cop__res(g, count, 0), "y"));
	return g;
}

#endif
