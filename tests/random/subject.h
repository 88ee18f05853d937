/* SPDX-License-Identifier: Apache-2.0
 *
 * subject.h - a graph under test: the truth about it, running it, comparing. The truth is the portable kernels with a place of its own
 * for each value. A failure names the seed, prints the graph and goes on with the next one.
 */
#ifndef TESTS_RANDOM_SUBJECT_H
#define TESTS_RANDOM_SUBJECT_H

#include "plan/simulate.h"
#include "random/graphs.h"

enum { MOST = 64, SAMPLES = 3 };

/* The outputs of a run. */
typedef struct values { int n; cop_type type[MOST]; void *data[MOST]; } values;

typedef struct subject {
	cop_ctx *cx;
	unsigned long long seed;
	cop_graph *g;       /* the deployed form */
	bool exact[MOST];   /* of each output: no arithmetic on floats leads to it, so that every way has to give the same bits */
	bool tie;           /* some float lies between two integers, which ways that round floats otherwise tell apart: then only exact outputs are compared */
	bool emitted;       /* also as C, a quarter of all: compiling takes the longest */
	values truth;
	const char *kind;
} subject;

static jmp_buf failed; /* to the next graph */

static inline void free_values(values *v)
{
	for (int i = 0; i < v->n; i++) free(v->data[i]);
	v->n = 0;
}

static inline cop_status to_stderr(void *ud, const void *bytes, size_t size)
{
	(void)ud;
	fwrite(bytes, 1, size < 6000 ? size : 6000, stderr);
	return COP_OK;
}

#define FAIL(s, ...)                                                                                                                       \
	do {                                                                                                                               \
		(void)cop_graph_print((s)->g, to_stderr, NULL);                                                                            \
		print_error("COPPICE_RANDOM_FROM=%llu COPPICE_RANDOM=1, %s: ", (s)->seed, (s)->kind);                                      \
		print_error(__VA_ARGS__);                                                                                                  \
		print_error("\n");                                                                                                         \
		longjmp(failed, 1);                                                                                                        \
	} while (0)
#define GOES(s, expr)                                                                                                                      \
	do {                                                                                                                               \
		if (expr) FAIL(s, "%s: %s", #expr, cop_error_text((s)->cx));                                                               \
	} while (0)

/* ---- running ---- */

static inline void fill_input(const cop_tensor *x, int input, int sample)
{
	int64_t n = cop_type_count(&x->type);

	for (int64_t i = 0; i < n; i++)
		if (x->type.dtype == COP_F32) ((float *)x->data)[i] = cop__rand_unit(5, (uint32_t)(10 * sample + input), (uint64_t)i) * 4 - 2;
		else ((int8_t *)x->data)[i] = (int8_t)cop__rand(5, (uint32_t)(10 * sample + input), (uint64_t)i);
}

/* `batch` samples lie one behind the other in every input. */
static inline values run(subject *s, cop_graph *g, const cop_target *t, int threads, int batch)
{
	values out = {.n = g->n_output};
	cop_plan *p;
	cop_session *session;
	cop_tensor v;

	GOES(s, cop_plan_build(&p, &g, 1, t));
	simulate(p, s->kind);
	GOES(s, cop_session_new(&session, p, threads));
	for (int i = 0; i < g->n_input; i++) {
		GOES(s, cop_session_io(session, 0, i, false, &v));
		v.type.dim[0] /= batch;
		for (int b = 0; b < batch; b++) {
			fill_input(&v, i, b);
			v.data = (char *)v.data + cop_type_bytes(&v.type);
		}
	}
	GOES(s, cop_session_run(session, 0));
	for (int i = 0; i < out.n; i++) {
		GOES(s, cop_session_io(session, 0, i, true, &v));
		out.type[i] = v.type;
		out.data[i] = malloc(cop_type_bytes(&v.type));
		memcpy(out.data[i], v.data, cop_type_bytes(&v.type));
	}
	cop_session_free(session);
	cop_plan_free(p);
	return out;
}

static inline cop_target target(subject *s, const char *name, uint32_t isa)
{
	cop_target t;

	GOES(s, cop_target_find(&t, s->cx, name));
	t.ram = t.flash = 0;
	t.isa = isa;
	return t;
}

/* ---- comparing ---- */

/* The largest difference of two results over the largest number, or over 0.1 where all are small: a sum that cancels is as far off as its terms make it.
 * Differing integers count as 1. */
static inline double distance(const cop_type *t, const void *a, const void *b, int64_t *at)
{
	double worst = 0, most = 0.1;
	int64_t n = cop_type_count(t);

	*at = -1;
	if (t->dtype != COP_F32) {
		size_t width = cop_type_bytes(t) / (size_t)COP_MAX(n, 1);
		for (int64_t i = 0; i < n; i++)
			if (memcmp((const char *)a + (size_t)i * width, (const char *)b + (size_t)i * width, width)) { *at = i; return 1; }
		return 0;
	}
	for (int64_t i = 0; i < n; i++) {
		double x = ((const float *)a)[i], y = ((const float *)b)[i], d = fabs(x - y);
		most = COP_MAX(most, fabs(x));
		if (isnan(x) && isnan(y)) continue;
		if (!(d <= worst)) { worst = d; *at = i; }
		if (isnan(d)) return INFINITY;
	}
	return worst / most;
}

/* `got` against the truth, or against its first sample where the batch is larger. Frees it. */
static inline void expect(subject *s, const char *way, values *got, double tolerance)
{
	int64_t at;

	if (got->n != s->truth.n) FAIL(s, "%s: %d outputs, not %d", way, got->n, s->truth.n);
	for (int i = 0; i < got->n; i++) {
		cop_type *t = &s->truth.type[i];
		if (cop_type_count(&got->type[i]) != cop_type_count(t) || got->type[i].dtype != t->dtype) FAIL(s, "%s: output %d has another type", way, i);
		double d = distance(t, s->truth.data[i], got->data[i], &at);
		if (s->tie && !s->exact[i]) continue;
		if (!(d <= (s->exact[i] ? 0 : tolerance))) FAIL(s, "%s: output %d differs by %g at %lld", way, i, d, (long long)at);
	}
	free_values(got);
}

/* ---- copies ---- */

static inline cop_graph *copied(subject *s)
{
	cop_vid *map;
	cop_graph *out;

	GOES(s, cop__copy_begin(&out, s->g, &map));
	for (int32_t i = 0; i < s->g->n_input; i++) (void)cop__copy_value(out, s->g, map, s->g->input[i]);
	for (int32_t n = 1; n <= s->g->n_node; n++) GOES(s, cop__copy_node(out, s->g, map, (cop_nid)n));
	GOES(s, cop__copy_end(out, s->g, map));
	return out;
}

/* Every value is an output and has a place of its own. */
static inline cop_graph *spread(subject *s, int32_t *outputs)
{
	cop_graph *out = copied(s);

	*outputs = out->n_output;
	for (int32_t v = 1; v <= out->n_value && out->n_output < MOST; v++) {
		bool is_out = !out->value[v].producer;
		for (int32_t i = 0; i < *outputs; i++) is_out |= out->output[i] == (cop_vid)v;
		if (!is_out) GOES(s, cop__output(out, (cop_vid)v, NULL));
	}
	return out;
}

static inline void find_truth(subject *s)
{
	int32_t n;
	cop_graph *all = spread(s, &n);
	cop_target t = target(s, "host", 0);
	values v = run(s, all, &t, 1, 1);

	for (int i = n; i < v.n; i++) free(v.data[i]);
	v.n = n;
	s->truth = v;
	cop_graph_free(all);
}

static inline bool apart(const subject *s, const values *got, double tolerance)
{
	bool yes = false;
	int64_t at;

	for (int i = 0; i < got->n; i++) yes |= !s->exact[i] && !(distance(&s->truth.type[i], s->truth.data[i], got->data[i], &at) <= tolerance);
	return yes;
}

/* Is the first integer that another target gets otherwise that of a float which lies halfway, as nearly as floats are rounded? */
static inline bool near_tie(subject *s, const cop_target *t)
{
	int32_t n, k = 0;
	cop_graph *g = spread(s, &n);
	cop_target plain = target(s, "host", 0);
	values a = run(s, g, &plain, 1, 1), b = run(s, g, t, 1, 1);
	double off = 1;
	int64_t at = -1;

	for (cop_nid d = 1; at < 0 && d <= (cop_nid)g->n_node; d++) {
		int32_t y = -1, x = -1;
		for (k = 0; k < g->n_output; k++) {
			if (g->output[k] == g->node[d].out[0]) y = k;
			if (g->output[k] == g->node[d].in[0]) x = k;
		}
		if (y < 0 || a.type[y].dtype == COP_F32 || !(distance(&a.type[y], a.data[y], b.data[y], &at) > 0) || g->node[d].op != OP_quantize || x < 0) continue;
		COP_ATTR(cop_quantize_attr, q, g, d);
		double steps = (double)((const float *)a.data[x])[at] / (double)q.scale;
		off = fabs(fabs(steps - trunc(steps)) - 0.5);
	}
	free_values(&a);
	free_values(&b);
	cop_graph_free(g);
	return off < 1e-3;
}

static inline cop_graph *applied(subject *s, const char *spec)
{
	cop_graph *out = copied(s);

	GOES(s, cop_graph_apply(&out, spec));
	return out;
}

#endif
