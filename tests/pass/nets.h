/* SPDX-License-Identifier: Apache-2.0
 *
 * nets.h - small networks for the tests of the passes, and running a graph on the same input twice.
 */
#ifndef TESTS_PASS_NETS_H
#define TESTS_PASS_NETS_H

#include "help.h"
#include "pass/pass.h"

static inline void text_write(char *buf, size_t size, const char *a, const char *b)
{
	snprintf(buf, size, "%s%s", a, b);
}

/* A weight with random contents in lo..hi, drawn from its name. */
static inline cop_vid weight(cop_graph *g, cop_role role, const char *name, int rank, const int32_t *dim,
	float lo, float hi)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	int64_t n = cop_type_count(&t);
	float *d = malloc((size_t)n * 4);
	for (int64_t i = 0; i < n; i++) d[i] = lo + (hi - lo) * cop__rand_unit(11, cop__hash_text(name), (uint64_t)i);
	cop_vid v = cop__data(g, role, name, &t, d);
	free(d);
	return v;
}

static inline cop_vid input(cop_graph *g, int rank, const int32_t *dim)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	return cop__input(g, "x", &t);
}

/* k x k convolution, padded to keep the size at stride 1. */
static inline cop_vid conv(cop_graph *g, cop_vid x, const char *name, int32_t out, int32_t k, int32_t stride,
	int32_t groups, bool bias)
{
	char w[64], b[64];
	cop_conv_attr a = {stride, stride, k / 2, k / 2, k / 2, k / 2, 1, 1, groups, COP_NO_LO, COP_NO_HI};
	text_write(w, sizeof w, name, ".w");
	text_write(b, sizeof b, name, ".b");
	cop_vid vw = weight(g, COP_PARAM, w, 4, DIMS(out, k, k, cop__t(g, x)->dim[3] / groups), -0.6f, 0.6f);
	cop_vid vb = bias ? weight(g, COP_PARAM, b, 1, DIMS(out), -0.5f, 0.5f) : 0;
	return cop__apply(g, OP_conv, &a, bias ? 3 : 2, (cop_vid[]){x, vw, vb});
}

static inline cop_vid fc(cop_graph *g, cop_vid x, const char *name, int32_t out, bool bias)
{
	char w[64], b[64];
	cop_act_attr a = {COP_NO_LO, COP_NO_HI};
	text_write(w, sizeof w, name, ".w");
	text_write(b, sizeof b, name, ".b");
	cop_vid vw = weight(g, COP_PARAM, w, 2, DIMS(out, cop__t(g, x)->dim[1]), -0.6f, 0.6f);
	cop_vid vb = bias ? weight(g, COP_PARAM, b, 1, DIMS(out), -0.5f, 0.5f) : 0;
	return cop__apply(g, OP_fc, &a, bias ? 3 : 2, (cop_vid[]){x, vw, vb});
}

static inline cop_vid bn(cop_graph *g, cop_vid x, const char *name)
{
	static const char *const part[] = {".gamma", ".beta", ".mean", ".var"};
	cop_bn_attr a = {1e-2f, 0.1f, COP_NO_LO, COP_NO_HI};
	int32_t c = cop__t(g, x)->dim[cop__t(g, x)->rank - 1];
	cop_vid in[5] = {x};
	for (int i = 0; i < 4; i++) {
		char full[64];
		text_write(full, sizeof full, name, part[i]);
		in[i + 1] = weight(g, i < 2 ? COP_PARAM : COP_STATE, full, 1, &c, i == 3 ? 0.3f : -1, i == 3 ? 2 : 1);
	}
	return cop__apply(g, OP_bn, &a, 5, in);
}

static inline cop_vid relu(cop_graph *g, cop_vid x)
{
	return cop__apply(g, OP_clip, &(cop_act_attr){0, COP_NO_HI}, VIDS(x));
}
static inline cop_vid add(cop_graph *g, cop_vid x, cop_vid y)
{
	return cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, y));
}
static inline cop_vid flatten(cop_graph *g, cop_vid x)
{
	return cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
}
static inline cop_vid global_pool(cop_graph *g, cop_vid x)
{
	const cop_type *t = cop__t(g, x);
	cop_pool_attr a = {t->dim[1], t->dim[2], 1, 1, 0, 0, 0, 0, 0};
	return flatten(g, cop__apply(g, OP_avgpool, &a, VIDS(x)));
}

/* The first output for the input values that `seed` draws; the caller frees it. */
static inline float *run_graph(cop_ctx *cx, cop_graph *g, uint32_t seed, int64_t *count)
{
	cop_host host;
	cop_tensor x, y;

	OK(cx, cop_graph_verify(g));
	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	for (int i = 0; i < g->n_input; i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &x));
		for (int64_t j = 0, n = cop_type_count(&x.type); j < n; j++)
			if (x.type.dtype == COP_F32)
				((float *)x.data)[j] = cop__rand_unit(seed, (uint32_t)i, (uint64_t)j) * 2 - 1;
	}
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &y));
	*count = cop_type_count(&y.type);
	float *copy = malloc((size_t)*count * 4);
	memcpy(copy, y.data, (size_t)*count * 4);
	cop__host_close(&host);
	return copy;
}

/* Largest difference of the first outputs, relative to the largest value. */
static inline double difference(cop_ctx *cx, cop_graph *a, cop_graph *b)
{
	int64_t n, m;
	float *x = run_graph(cx, a, 5, &n), *y = run_graph(cx, b, 5, &m);
	double most = 1e-6, worst = 0;

	assert_int_equal(n, m);
	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)x[i] - (double)y[i]), size = fabs((double)x[i]);
		if (!(size <= most)) most = size;
		if (!(d <= worst)) worst = d;
	}
	free(x);
	free(y);
	return worst / most;
}

static inline int count_op(const cop_graph *g, int op)
{
	int n = 0;
	for (int32_t i = 1; i <= g->n_node; i++) n += g->node[i].op == op;
	return n;
}

#endif
