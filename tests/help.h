/* SPDX-License-Identifier: Apache-2.0
 *
 * help.h - what the table-driven tests share: a context, random inputs that suit an op, cmocka's includes.
 */
#ifndef TESTS_HELP_H
#define TESTS_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "op/op.h"
#include "run/deploy.h"

static inline cop_ctx *new_ctx(void)
{
	cop_ctx *cx;
	assert_int_equal(cop_ctx_new(&cx, NULL), COP_OK);
	return cx;
}

/* Fails the test with the library's own sentence. */
#define OK(cx, expr)                                                                               \
	do {                                                                                       \
		cop_status st_ = (expr);                                                           \
		if (st_) fail_msg("%s: %s", #expr, cop_error_text(cx));                            \
	} while (0)

/* All of them, then again by the portable kernels, which devices have and a fast machine never runs otherwise. */
#define RUN_BY_BOTH_KERNELS(tests) (cmocka_run_group_tests(tests, NULL, NULL) + (setenv("COPPICE_ISA", "ref", 1), cmocka_run_group_tests_name("portable kernels", tests, NULL, NULL)))

/* Was this library built with that optional part? */
static inline bool has_part(const char *name)
{
	const char *part;
	for (int i = 0; (part = cop_feature(i)); i++)
		if (!strncmp(part, name, strlen(name))) return true;
	return false;
}

/* Integers that suit the op that reads the value: class labels, row lists, codes, pool positions. */
static inline void fill_ints(const cop_graph *g, cop_vid v, int32_t *p, uint32_t stream)
{
	const cop_type *t = cop__t(g, v);
	int64_t n = cop_type_count(t);

	for (int32_t m = 1; m <= g->n_node; m++) {
		const cop_node *d = &g->node[m];
		const char *op = cop__op(g, (cop_nid)m)->name;
		for (int i = 0; i < d->n_in; i++) {
			if (d->in[i] != v) continue;
			if (!strncmp(op, "xent", 4)) {
				const cop_type *logits = cop__t(g, d->in[0]);
				for (int64_t j = 0; j < n; j++) p[j] = (int32_t)(cop__rand(3, stream, (uint64_t)j) % (uint32_t)(logits->dim[logits->rank - 1] + 2)) - 1; /* no class on either side */
				if (n == 1) p[0] = 0;
				return;
			}
			if (!strcmp(op, "conv_dw") || !strcmp(op, "fc_dw") || !strcmp(op, "sgd")) { /* every other row, as many as fit */
				int32_t rows = !strcmp(op, "sgd") ? cop__t(g, d->in[0])->dim[0] : cop__t(g, d->in[0])->dim[cop__t(g, d->in[0])->rank - 1];
				int32_t count = 0;
				memset(p, 0, (size_t)n * 4);
				for (int32_t r = (int32_t)(stream & 1); r < rows && count < n - 1; r += 2) p[++count] = r;
				p[0] = count;
				return;
			}
		}
	}
	for (int64_t j = 0; j < n; j++) p[j] = (int32_t)(stream + j) % 5;
}

static inline uint32_t byte_limit(const cop_graph *g, cop_vid v)
{
	for (int32_t m = 1; m <= g->n_node; m++) {
		const cop_node *d = &g->node[m];
		const char *op = cop__op(g, (cop_nid)m)->name;
		for (int i = 0; i < d->n_in; i++) {
			if (d->in[i] != v) continue;
			if (!strcmp(op, "palette")) return (uint32_t)cop__t(g, d->in[0])->dim[0];
			if (!strcmp(op, "palette_grad")) return (uint32_t)cop__outt(g, (cop_nid)m, 0)->dim[0];
			if (!strcmp(op, "maxpool_grad")) return (uint32_t)(d->attr[0] * d->attr[1]);
		}
	}
	return 256;
}

/* Random contents for one value. Values read as variances or reciprocal deviations must be positive: all of bn's. */
static inline void fill_value(const cop_graph *g, cop_vid v, void *data, uint32_t stream)
{
	const cop_type *t = cop__t(g, v);
	int64_t n = cop_type_count(t);
	bool positive = false;

	for (int32_t m = 1; m <= g->n_node; m++) {
		const cop_node *d = &g->node[m];
		const char *op = cop__op(g, (cop_nid)m)->name;
		for (int i = 1; i < d->n_in; i++)
			positive |= d->in[i] == v && (!strncmp(op, "bn", 2) || !strcmp(op, "div") || (!strcmp(op, "adam") && i == 5));
		positive |= d->in[0] == v && (!strcmp(op, "clip_norm") || !strcmp(op, "pow"));
		positive |= !strncmp(op, "map", 3) && d->in[d->n_in - 1] == v && (d->attr[0] == MAP_LOG || d->attr[0] == MAP_SQRT || d->attr[0] == MAP_RECIPROCAL);
	}
	if (g->value[v].data) memcpy(data, g->value[v].data, cop_type_bytes(t)); /* a sample that brings its constants */
	else if (t->dtype == COP_I32) fill_ints(g, v, data, stream);
	else if (t->dtype == COP_F32)
		for (int64_t i = 0; i < n; i++) ((float *)data)[i] = positive ? 0.5f + cop__rand_unit(1, stream, (uint64_t)i) : cop__rand_unit(1, stream, (uint64_t)i) * 4 - 2;
	else
		for (size_t i = 0; i < cop_type_bytes(t); i++) ((uint8_t *)data)[i] = (uint8_t)(cop__rand(1, stream, (uint64_t)i) % byte_limit(g, v));
}

/* Makes every optional output that a sample's node could have. */
static inline void want_all(cop_graph *g, cop_nid n)
{
	for (int i = 0; i < cop__op(g, n)->n_out; i++) assert_true(cop__want_out(g, n, i));
}

/* Two networks whose files would be the same. */
static inline cop_status into_text(void *ud, const void *bytes, size_t size)
{
	cop_text *t = ud;
	return cop__text_bytes(t, bytes, size), t->status;
}

static inline void same_network(const cop_graph *a, const cop_graph *b, const char *what)
{
	cop_text x, y;

	cop__text_init(&x, a->cx);
	cop__text_init(&y, a->cx);
	OK(a->cx, cop_model_write(a, into_text, &x));
	OK(a->cx, cop_model_write(b, into_text, &y));
	if (x.len != y.len || memcmp(x.data, y.data, x.len)) fail_msg("%s: another network", what);
	cop__text_free(&x);
	cop__text_free(&y);
}

#endif
