/* SPDX-License-Identifier: Apache-2.0
 *
 * alike.h - a small network and samples that are all the same, for what acts over a whole training.
 */
#ifndef TESTS_TRAIN_ALIKE_H
#define TESTS_TRAIN_ALIKE_H

#include "pass/pass.h"

/* All samples are alike, so that no order of them changes a bit. */
static inline cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud, (void)i;
	for (int k = 0; k < 784; k++) x[k] = cop__rand_unit(1, 2, (uint64_t)k);
	*label = 3;
	return COP_OK;
}

static inline cop_dataset alike(int32_t n)
{
	return (cop_dataset){.name = "alike", .x = cop__type(COP_F32, 3, DIMS(28, 28, 1)), .count = n, .classes = 10, .get = get};
}

static const cop_train_args base = {.epochs = 2, .batch = 4, .lr = 0.05f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9", .schedule = "constant"};

static inline cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-784x12x10", &(cop_zoo_args){.batch = 1, .seed = 3}));
	return g;
}

/* A change of structure: the first layer of `net` without three of its units. */
static const uint8_t sliced_units[12] = {1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1}; /* 1: stays */

static inline cop_status slice(void *ud, cop_trainer *t, cop_graph *g)
{
	cop_graph *made;

	(void)ud, (void)t;
	COP_TRY(cop__pass_slice(&made, g, cop__find(g, "fc1.w"), 0, sliced_units));
	cop_graph old = *g;
	*g = *made;
	*made = old;
	cop_graph_free(made);
	return COP_OK;
}

static inline bool same(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v];
		if (x->role == COP_PARAM && memcmp(x->data, b->value[cop__find(b, x->name)].data, cop_type_bytes(&x->type))) return false;
	}
	return true;
}

#endif
