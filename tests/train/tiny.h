/* SPDX-License-Identifier: Apache-2.0
 *
 * tiny.h - a network of seven neurons and a last layer, with weights that PyTorch is given, too; samples that all differ; and trainings that are refused.
 */
#ifndef TESTS_TRAIN_TINY_H
#define TESTS_TRAIN_TINY_H

#include "train/policy.h"

enum { SAMPLES = 5, UNITS = 7 };
static const char tiny_text[] = "input 6 6 1\nconv 3 3x3 pad valid norm relu\nfc 4 relu\nfc 2\n";

static inline cop_graph *network(cop_ctx *cx, const char *text)
{
	cop_graph *g;
	OK(cx, cop_network_read(&g, cx, "net", text, strlen(text), 1));
	return g;
}

static inline cop_graph *tiny(cop_ctx *cx) { return network(cx, tiny_text); }

/* As in make_velocity_reference.py. */
static inline float number(int i, int salt) { return (float)(((int64_t)i * 7919 + (int64_t)salt * 104729 + 31) % 1009) / 504.5f - 1; }

static inline void fill(cop_graph *g, const char *name, int salt, float add, float times)
{
	float *w = cop__own(g, cop__find(g, name));
	for (int64_t i = 0; i < cop_type_count(cop__t(g, cop__find(g, name))); i++) w[i] = add + times * number((int)i, salt);
}

static inline cop_graph *at_state(cop_ctx *cx, int state)
{
	cop_graph *g = tiny(cx);
	const int s = 100 * state;

	fill(g, "conv1.w", s + 10, 0, 1);
	fill(g, "conv1.bn.gamma", s + 12, 1, 1);
	fill(g, "conv1.bn.beta", s + 13, 0, 1);
	fill(g, "conv1.bn.mean", s + 14, 0, 1);
	fill(g, "conv1.bn.var", s + 15, 1.5f, 0.5f);
	fill(g, "fc1.w", s + 16, 0, 1);
	fill(g, "fc1.b", s + 17, 0, 1);
	for (int i = 0; state > 1 && i < 2; i++) ((float *)cop__own(g, cop__find(g, i ? "conv1.bn.beta" : "conv1.bn.gamma")))[2] = 0;
	return g;
}

static inline cop_status get_varied(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;
	for (int64_t k = 0; k < cop_type_count(&d->x); k++) x[k] = cop__rand_unit(7, (uint32_t)i, (uint64_t)k);
	*label = i % 2;
	return COP_OK;
}

static inline void varied(cop_dataset *d, int32_t count, int32_t side, int32_t channels)
{
	*d = (cop_dataset){.name = "varied", .x = cop__type(COP_F32, 3, DIMS(side, side, channels)), .count = count, .classes = 2, .get = get_varied, .ud = d};
}

static const cop_train_args few = {.epochs = 2, .batch = 4, .lr = 0.05f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9 decay=0.01", .schedule = "constant"};

static inline void refuses(cop_ctx *cx, cop_dataset *d, const char *update, const char *policies, const char *says)
{
	cop_train_args a = few;
	cop_graph *g = tiny(cx);

	a.update = update;
	a.policies = policies;
	assert_int_equal(cop__train(g, d, NULL, &a, "train", NULL, 0), COP_ARG);
	if (!strstr(cop_error_text(cx), says)) fail_msg("%s: %s", policies, cop_error_text(cx));
	cop_error_clear(cx);
	cop_graph_free(g);
}

#endif
