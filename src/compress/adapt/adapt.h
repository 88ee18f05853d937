/* SPDX-License-Identifier: Apache-2.0
 *
 * adapt.h - which layers of a network are trained further, within the RAM of a device (static sparse update: Lin et al. 2022, arXiv 2206.15472,
 * section 3.2). The last layer always is; of any other one nothing, its bias, or weights and bias:
 *
 *   items     the layers, first to last                                                                       items.c
 *   prices    what a step takes in the plan when the gradient reaches a layer, and what its weights add       price.c
 *   gains     how far the loss falls when it is trained together with the last layer, for a short while       trial.c
 *   choose    most gain within the RAM: each choice is planned, and one that does not fit is tried smaller    choose.c
 *   together  where the choice does clearly worse than the last layer alone: one layer added after the other  trial.c
 */
#ifndef COP_ADAPT_H
#define COP_ADAPT_H

#include "compress/compress.h"
#include "core/knapsack.h"
#include "pass/pass.h"
#include "plan/plan.h"

/* What of a layer is trained. */
enum { COP_TRAIN_NONE, COP_TRAIN_BIAS, COP_TRAIN_ALL, COP_TRAIN_LEVELS };

typedef struct cop_adapt_item {
	const char *weight, *bias;       /* names; bias NULL: it has none */
	bool can[COP_TRAIN_LEVELS];      /* levels that there are, and whose gain is above 0 */
	double gain[COP_TRAIN_LEVELS];
	double price[COP_TRAIN_LEVELS];  /* bytes beside `reach` */
	double reach;                    /* bytes of a step whose gradient gets here */
} cop_adapt_item;

typedef struct cop_adapter {
	cop_ctx *cx;
	cop_arena mem;
	const cop_graph *g;      /* as it is trained */
	cop_graph *priced;       /* as a board gets it: bytes for inputs */
	cop_dataset *data;
	const cop_adapt_args *a;
	cop_target t;
	cop_patch bands;         /* of the first layers; bands 0: none */
	const char *rule;
	cop_adapt_item *item;    /* without the last layer */
	int32_t n;
	const char *last[2];     /* its weight and bias */
} cop_adapter;

typedef struct cop_step_ram { size_t all, arena, parameters, state; uint32_t parts; } cop_step_ram; /* all: with the stack; parts: tensors that change */

/* ---- items.c ---- */
cop_status cop__adapt_items(cop_adapter *z);
/* "qsgd layers=...": the last layer, and level[n] of the others; NULL: nothing of them. */
cop_status cop__adapt_spec(cop_text *to, const cop_adapter *z, const uint8_t *level);

/* ---- price.c ---- */
/* A graph with those layers trainable: *layers of them are of integers. */
cop_status cop__adapt_prepared(cop_graph **out, const cop_graph *g, const char *spec);
cop_status cop__adapt_bands(cop_adapter *z, const char *spec); /* where the first layers are best cut, if they may be (patch) */
cop_status cop__adapt_ram(cop_step_ram *out, const cop_adapter *z, const char *spec);
cop_status cop__adapt_prices(cop_adapter *z);

/* ---- trial.c ---- */
cop_status cop__adapt_gains(cop_adapter *z);
cop_status cop__adapt_rate(float *lr, double *loss, cop_adapter *z, const char *spec); /* the one that was given, or that suits these layers; loss: the least of a trial, or NULL */
cop_status cop__adapt_together(uint8_t *level, cop_adapter *z, float lr); /* of what gains by itself, and first of the choice, what gains beside the rest, too; within the RAM */
cop_status cop__adapt_seconds(double *of_step, const cop_adapter *z, const char *spec);

/* ---- choose.c ---- */
cop_status cop__adapt_choose(cop_adapter *z, uint8_t *level);
cop_status cop__adapt_check_choice(const cop_adapter *z); /* is there a way of that name? */
double cop__adapt_gain(const cop_adapter *z, const uint8_t *level);
cop_status cop__adapt_bytes(double *bytes, const cop_adapter *z, const uint8_t *level); /* RAM of a step */

#endif
