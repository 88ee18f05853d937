/* SPDX-License-Identifier: Apache-2.0
 *
 * training.h - 10 training steps of an emitted program against those of a session: the same parameters, bit for bit.
 */
#ifndef TESTS_EMIT_TRAINING_H
#define TESTS_EMIT_TRAINING_H

#include "emit/machine.h"

#include <math.h>

enum { STEPS = 10 };

/* The two entries as emission has them: they define the order of the parameters. */
static inline cop_plan *train_plan(cop_ctx *cx, cop_graph *entry[2], const cop_graph *model, const char *spec, const char *target)
{
	cop_graph *plain, *fused;
	cop_plan *p;
	cop_target t;

	OK(cx, cop__pass_strip(&plain, model));
	OK(cx, cop__pass_fuse(&fused, plain));
	OK(cx, cop__pass_dce(&entry[0], fused));
	cop_graph_free(plain);
	cop_graph_free(fused);
	OK(cx, cop_graph_train(&entry[1], model, spec));
	OK(cx, cop_target_find(&t, cx, target));
	t.isa = 0;
	OK(cx, cop_plan_build(&p, entry, 2, &t));
	return p;
}

static int bad_step = -1; /* one whose first number is none, of a network of floats */

/* Batches that both see: `in` and `truth` of every step, one after the other. */
static inline void make_batches(const cop_graph *g, char *in, char *truth)
{
	const cop_type *tx = cop__t(g, g->input[0]), *tt = cop__t(g, g->input[1]);
	int32_t classes = cop__t(g, g->output[0])->dim[1];

	for (int i = 0; i < STEPS; i++) {
		char *t = truth + (size_t)i * cop_type_bytes(tt);
		char *x = in + (size_t)i * cop_type_bytes(tx);
		if (tx->dtype == COP_F32) fill((float *)(void *)x, cop_type_count(tx), (uint32_t)(20 + i));
		else
			for (int64_t j = 0; j < cop_type_count(tx); j++) x[j] = (char)cop__rand(20, (uint32_t)i, (uint64_t)j);
		if (i == bad_step) *(float *)(void *)x = NAN;
		if (tt->dtype == COP_F32) fill((float *)(void *)t, cop_type_count(tt), (uint32_t)(50 + i));
		else
			for (int j = 0; j < tt->dim[0]; j++) ((int32_t *)(void *)t)[j] = (3 * i + 7 * j) % classes;
	}
}

static inline void run_steps(cop_ctx *cx, cop_session *s, const char *in, const char *truth)
{
	cop_tensor x, t;

	OK(cx, cop_session_io(s, 1, 0, false, &x));
	OK(cx, cop_session_io(s, 1, 1, false, &t));
	for (int i = 0; i < STEPS; i++) {
		memcpy(x.data, in + (size_t)i * cop_type_bytes(&x.type), cop_type_bytes(&x.type));
		memcpy(t.data, truth + (size_t)i * cop_type_bytes(&t.type), cop_type_bytes(&t.type));
		OK(cx, cop_session_run(s, 1));
	}
}

/* Each parameter that training changes against its place in the block; all must have moved, none away. */
static inline void compare_parameters(cop_ctx *cx, cop_session *s, const cop_plan *p, const char *block)
{
	int changed = 0;

	for (int32_t i = 0; i < p->n_var; i++) {
		const cop_var *v = &p->var[i];
		cop_tensor t;
		if (v->place.seg != COP_SEG_PARAM) continue;
		OK(cx, cop_session_tensor(s, 1, v->name, &t));
		expect_same(block + v->place.off, t.data, cop_type_bytes(&t.type), v->name);
		for (int64_t j = 0; t.type.dtype == COP_F32 && j < cop_type_count(&t.type); j++)
			if (!isfinite(((float *)t.data)[j])) fail_msg("%s holds no number", v->name);
		if (v->init && !memcmp(t.data, v->init, cop_type_bytes(&t.type))) fail_msg("%s did not change", v->name);
		changed++;
	}
	assert_true(changed > 0);
}

/* before: a text that the program's main gets in front, or NULL. */
static inline void check_trained_by(cop_ctx *cx, const cop_graph *model, const machine *m, const char *spec, const char *before)
{
	cop_graph *entry[2];
	cop_session *s;
	folder f;
	cop_plan *p = train_plan(cx, entry, model, spec, m->target);
	const cop_graph *g = entry[1];
	size_t nx = STEPS * cop_type_bytes(cop__t(g, g->input[0])), nt = STEPS * cop_type_bytes(cop__t(g, g->input[1]));
	char *in = malloc(nx), *truth = malloc(nt);

	make_batches(g, in, truth);
	OK(cx, cop_session_new(&s, p, 1));
	run_steps(cx, s, in, truth);
	open_folder(&f);
	emit(cx, &f, model, m, spec);
	write_bytes(&f, "check/x.bin", in, nx);
	write_bytes(&f, cop__find(g, "label") ? "check/label.bin" : "check/target.bin", truth, nt);
	if (before) {
		write_bytes(&f, "check/before.h", before, strlen(before));
		shell(&f, "cd check && cat before.h main.c >both.c && mv both.c main.c", false);
		shell(&f, m->build, false);
	}
	if (strcmp(m->target, "host")) print_message("%s on %s, %s:\n", model->name, m->target, spec);
	shell(&f, m->train, strcmp(m->target, "host"));
	char *block = read_bytes(&f, "check/parameters.bin", p->bytes[COP_SEG_PARAM]);
	compare_parameters(cx, s, p, block);
	close_folder(&f);
	free(block);
	free(in);
	free(truth);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(entry[0]);
	cop_graph_free(entry[1]);
}

static inline void check_training(cop_ctx *cx, const cop_graph *model, const machine *m, const char *spec) { check_trained_by(cx, model, m, spec, NULL); }

#endif
