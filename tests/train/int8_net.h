/* SPDX-License-Identifier: Apache-2.0
 *
 * int8_net.h - a small network of int8 layers that is trained, its sample, and its gradients by PyTorch.
 */
#ifndef TESTS_TRAIN_INT8_NET_H
#define TESTS_TRAIN_INT8_NET_H

#include "help.h"
#include "pass/pass.h"
#include "train/int8_reference.h"

#define REF(name) {#name, ref_##name##_w, ref_##name##_b, ref_##name##_m, ref_##name##_dw, ref_##name##_db}
static const struct layer { const char *name; const int8_t *w; const int32_t *b, *m; const float *dw, *db; } layers[] = {REF(c1), REF(c2), REF(dw), REF(fc)};

static inline cop_vid qconv(cop_graph *g, cop_vid x, int which, const int32_t *dim, cop_qconv_attr a)
{
	const struct layer *l = &layers[which];
	cop_type w = cop__type(COP_I8, 4, dim), o = cop__type(COP_I32, 1, dim);
	char name[3][16];

	for (int i = 0; i < 3; i++) snprintf(name[i], sizeof name[i], "%s.%c", l->name, "wbm"[i]);
	a.dh = a.dw = 1;
	a.pt = a.pl = a.pb = a.pr = dim[1] / 2;
	return cop__apply(g, OP_qconv, &a,
		VIDS(x, cop__data(g, COP_CONST, name[0], &w, l->w), cop__data(g, COP_CONST, name[1], &o, l->b), cop__data(g, COP_CONST, name[2], &o, l->m)));
}

/* That of make_int8_reference.py. The stored biases have -zx sum w in them, as a file has. */
static inline cop_graph *net(cop_ctx *cx)
{
	static const cop_qadd_attr sum = {-128, -9, 3, 500000, 0, 800000, 0, 0, 20, -128, 127, 0};
	static const cop_qavgpool_attr mean = {3, 3, 3, 3, 0, 0, 0, 0, -20, -20, 0, 0, -128, 127};
	cop_graph *g;
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 5, 5, 2));

	OK(cx, cop__graph_new(&g, cx, "int8"));
	cop_vid x = cop__input(g, "x", &t);
	x = qconv(g, x, 0, DIMS(4, 3, 3, 2), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = 5, .zy = -128, .qlo = -128, .qhi = 127});
	cop_vid y = qconv(g, x, 1, DIMS(4, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -128, .zy = -9, .qlo = -128, .qhi = 127});
	x = cop__apply(g, OP_qadd, &sum, VIDS(x, y));
	x = qconv(g, x, 2, DIMS(4, 3, 3, 1), (cop_qconv_attr){.sh = 2, .sw = 2, .groups = 4, .zx = 3, .zy = -20, .qlo = -128, .qhi = 100});
	x = cop__apply(g, OP_qavgpool, &mean, VIDS(x));
	x = qconv(g, x, 3, DIMS(3, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -20, .zy = 7, .qlo = -128, .qhi = 127});
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 3}}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.05f, 7}, VIDS(x)), "y"));
	OK(cx, cop_graph_verify(g));
	return g;
}

static inline cop_graph *trainable(cop_ctx *cx, const char *spec, int32_t want)
{
	cop_graph *g = net(cx);
	int32_t n;

	OK(cx, cop_graph_trainable(&g, spec, &n));
	assert_int_equal(n, want);
	OK(cx, cop_graph_verify(g));
	return g;
}

/* The sample and its class, which a step may write over. */
static inline void give(cop_ctx *cx, cop_trainer *t)
{
	cop_tensor x;

	OK(cx, cop_trainer_input(t, 0, &x));
	memcpy(x.data, ref_x, sizeof ref_x);
	OK(cx, cop_trainer_input(t, 1, &x));
	*(int32_t *)x.data = 1;
}

static inline cop_trainer *trainer(cop_ctx *cx, const cop_graph *g, const char *spec, bool apart, int threads)
{
	cop_trainer *t;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = threads, .spec = spec, .apart = apart}));
	give(cx, t);
	return t;
}

static inline const float *expected(const char *name)
{
	for (int i = 0; i < LEN(layers); i++)
		if (!strncmp(name, layers[i].name, strlen(layers[i].name))) return name[strlen(name) - 1] == 'w' ? layers[i].dw : layers[i].db;
	fail_msg("no layer has '%s'", name);
	return NULL;
}

#endif
