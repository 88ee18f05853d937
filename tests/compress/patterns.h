/* SPDX-License-Identifier: Apache-2.0
 *
 * patterns.h - small networks, one for each pattern of operators that quantisation knows, with samples for them.
 */
#ifndef TESTS_PATTERNS_H
#define TESTS_PATTERNS_H

#include "../pass/nets.h"
#include "compress/quantize/quantize.h"

static inline cop_status draw(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;
	int64_t n = cop_type_count(&d->x);

	for (int64_t k = 0; k < n; k++) x[k] = 2 * cop__rand_unit(17, (uint32_t)i, (uint64_t)k) - 0.3f; /* a zero point far from 0 */
	*label = 0;
	return COP_OK;
}

static inline cop_dataset *samples(const cop_graph *g, int32_t count)
{
	static cop_dataset d;
	const cop_type *t = cop__t(g, g->input[0]);

	d = (cop_dataset){.name = "drawn", .x = cop__type(COP_F32, t->rank - 1, t->dim + 1), .count = count, .get = draw, .ud = &d};
	return &d;
}

typedef struct pattern { const char *name, *op; int branch; } pattern;
static const pattern patterns[] = {
	{"plain", "qconv", 0}, {"relu", "qconv", 0}, {"relu6", "qconv", 0}, {"stride", "qconv", 0}, {"groups", "qconv", 0}, {"depthwise", "qconv", 0}, {"no bias", "qconv", 0}, {"fc", "qconv", 0},
	{"add", "qadd", 1}, {"add relu", "qadd", 1}, {"mul", "qmul", 1}, {"gate", "qmul", 1}, {"concat", "concat", 1}, {"avgpool", "qavgpool", 0}, {"avgpool padded", "qavgpool", 0},
	{"maxpool", "maxpool", 0}, {"pad", "pad", 0}, {"slice", "slice", 0}, {"transpose", "transpose", 0}, {"clip", "qlut", 0}, {"sigmoid", "qlut", 0}, {"tanh", "qlut", 0}, {"gelu", "qlut", 0},
	{"hswish", "qlut", 0}, {"softmax", "qsoftmax", 0},
};

static const struct { const char *name; int op; } unary[] = {{"sigmoid", OP_sigmoid}, {"tanh", OP_tanh}, {"gelu", OP_gelu}, {"hswish", OP_hswish}, {"softmax", OP_softmax}};

static inline bool is(const pattern *p, const char *name) { return !strncmp(p->name, name, strlen(name)); }

/* x -> conv -> the pattern. */
static inline cop_graph *build(cop_ctx *cx, const pattern *p)
{
	cop_graph *g;
	cop_act_attr relu = {0, is(p, "relu6") ? 1.5f : COP_NO_HI}, none = {COP_NO_LO, COP_NO_HI};
	int stride = is(p, "stride") ? 2 : 1, groups = is(p, "groups") ? 2 : is(p, "depthwise") ? 4 : 1;

	OK(cx, cop__graph_new(&g, cx, p->name));
	cop_vid x = input(g, 4, DIMS(1, 7, 6, 4)), a = conv(g, x, "a", is(p, "groups") ? 6 : 4, 3, stride, groups, !is(p, "no bias")), b = p->branch ? conv(g, x, "b", 4, 1, 1, 1, true) : 0, y = a;
	if (is(p, "relu")) y = cop__apply(g, OP_clip, &relu, VIDS(a));
	if (is(p, "fc")) y = fc(g, cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(a)), "f", 5, true);
	if (is(p, "add")) y = cop__apply(g, OP_add, is(p, "add relu") ? &relu : &none, VIDS(a, b));
	if (is(p, "mul")) y = cop__apply(g, OP_mul, &none, VIDS(a, b));
	if (is(p, "gate")) y = cop__apply(g, OP_mul, &none, VIDS(a, cop__apply(g, OP_sigmoid, NULL, VIDS(cop__apply(g, OP_avgpool, &(cop_pool_attr){7, 6, 1, 1, 0, 0, 0, 0, 0}, VIDS(b))))));
	if (is(p, "concat")) y = cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(a, cop__apply(g, OP_sigmoid, NULL, VIDS(b))));
	if (is(p, "avgpool")) y = cop__apply(g, OP_avgpool, is(p, "avgpool padded") ? &(cop_pool_attr){3, 3, 2, 2, 1, 1, 1, 1, 0} : &(cop_pool_attr){3, 2, 2, 2, 0, 0, 0, 0, 0}, VIDS(a));
	if (is(p, "maxpool")) y = cop__apply(g, OP_maxpool, &(cop_pool_attr){3, 3, 2, 2, 1, 1, 1, 1, 0}, VIDS(a));
	if (is(p, "pad")) y = cop__apply(g, OP_pad, &(cop_pad_attr){{0, 1, 2}, {0, 2, 1}, 0}, VIDS(a));
	if (is(p, "slice")) y = cop__apply(g, OP_slice, &(cop_slice_attr){{0, 1, 0, 1}, {0, 3, 0, 2}, {1, 1, 1, 1}}, VIDS(a));
	if (is(p, "transpose")) y = cop__apply(g, OP_transpose, &(cop_shape_attr){4, {0, 2, 1, 3}}, VIDS(a));
	if (is(p, "clip")) y = cop__apply(g, OP_clip, &(cop_act_attr){-0.4f, 0.7f}, VIDS(cop__apply(g, OP_avgpool, &(cop_pool_attr){1, 1, 1, 1, 0, 0, 0, 0, 0}, VIDS(a))));
	for (int i = 0; i < LEN(unary); i++)
		if (is(p, unary[i].name)) y = cop__apply(g, unary[i].op, NULL, VIDS(a));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

/* By how much the results of two networks differ over n samples. */
typedef struct distance { double most, mean; } distance;
static inline distance apart(cop_ctx *cx, const cop_graph *a, const cop_graph *b, cop_dataset *d, int32_t n)
{
	distance off = {0, 0};
	cop_watch w[2];
	cop_tensor out[2];
	int32_t got;

	OK(cx, cop__watch_new(&w[0], a, 1, 0, 1));
	OK(cx, cop__watch_new(&w[1], b, 1, 0, 1));
	for (int32_t i = 0; i < n; i++) {
		for (int k = 0; k < 2; k++) {
			OK(cx, cop__watch_load(&w[k], &d, i, n, &got));
			OK(cx, cop_session_run(w[k].host.s, 0));
			OK(cx, cop_session_io(w[k].host.s, 0, 0, true, &out[k]));
		}
		for (int64_t k = 0, each = cop_type_count(&out[0].type); k < each; k++) {
			double e = fabs((double)(((float *)out[0].data)[k] - ((float *)out[1].data)[k]));
			off.most = fmax(off.most, e);
			off.mean += e / (double)(each * n);
		}
	}
	cop__watch_free(&w[0]);
	cop__watch_free(&w[1]);
	return off;
}

static inline double worst(cop_ctx *cx, const cop_graph *a, const cop_graph *b, cop_dataset *d, int32_t n) { return apart(cx, a, b, d, n).most; }

#endif
