/* SPDX-License-Identifier: Apache-2.0
 *
 * pruner.h - the policy of pruning: what it holds between the moments of a training.
 */
#ifndef COP_PRUNER_H
#define COP_PRUNER_H

#include "compress/layers.h"
#include "compress/prune/score.h"

typedef struct cop_prune_options { cop_rates keep; cop_choice what, by, scope, schedule; int32_t samples; bool train; } cop_prune_options;

enum { COP_HELD = 6 };
/* Tensors of the training that belong to a layer. zeroed: the weight, its mask, what the rule of updates keeps; those that are there. moved: what a score
 * has added up; aside: the values of what has gone, which may come back. */
typedef struct cop_held { cop_handle weight, mask, kept[COP_HELD], moved, aside, gradient; int n_kept; } cop_held;

typedef struct cop_rewind cop_rewind;

typedef struct cop_pruner {
	const cop_prune_options *o;
	const cop_when_row *when;
	const cop_score_row *by;
	const cop_means *m;
	cop_graph *g;                  /* the model of the stage */
	cop_items it;
	cop_held *held;                /* [n_layer] */
	float *weight, *moved;         /* [count] */
	float *score, *mask, *scratch, *room; /* [items], room twice that */
	int32_t *order;                /* [items] */
	cop_rewind *rewind;            /* NULL: nothing returns */
	const cop_train_args *a;       /* of the stage */
} cop_pruner;

/* The numbers of a tensor of the training (moved.c). */
cop_status cop__held(float **x, const cop_progress *p, cop_handle h);

/* ---- moved.c: for scores that add up over the training ---- */
cop_status cop__moved_build(cop_pruner *p, cop_build *b, int32_t layer);
cop_status cop__moved_before(cop_pruner *p, const cop_progress *m); /* a step */
cop_status cop__moved_after(cop_pruner *p, const cop_progress *m);
cop_status cop__moved_gather(cop_pruner *p, const cop_progress *m); /* before a cut: moved, and all items are there again */
cop_status cop__moved_scatter(cop_pruner *p, const cop_progress *m); /* after it: what has gone is put aside, what comes back has its value */

/* ---- rewind.c: for schedules after whose cuts the rest returns ---- */
cop_status cop__rewind_build(cop_pruner *p, cop_build *b);
void cop__rewind_rate(const cop_pruner *p, const cop_progress *m);         /* before a step: every round has the whole schedule */
cop_status cop__rewind_note(const cop_pruner *p, const cop_progress *m);   /* after it: what is returned to */
cop_status cop__rewind_return(const cop_pruner *p, const cop_progress *m, bool last); /* before zeros are put for what has gone */

#endif
