/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h - what acts over training time: gradual pruning, freezing, stopping early. The loop itself is short;
 * everything else is one of these. A policy sees the session between steps and may write to its PARAM and STATE.
 */
#ifndef COP_POLICY_H
#define COP_POLICY_H

#include "graph/graph.h"

typedef enum cop_verdict { COP_GO_ON, COP_FINISH } cop_verdict;

typedef struct cop_moment { /* where training is */
	cop_session *s;
	const cop_graph *g;       /* the training graph: entry 0 of the session */
	int64_t step, steps;      /* done, and in all */
	int32_t epoch, epochs;
	float loss, accuracy;     /* on_epoch: of the epoch; accuracy of the valid set, -1 without one */
} cop_moment;

typedef struct cop_policy {
	const char *name;
	void *ud;
	cop_status (*on_start)(void *ud, const cop_moment *m);                    /* also after a resume */
	cop_status (*on_step)(void *ud, const cop_moment *m, cop_verdict *v);     /* after the step's updates */
	cop_status (*on_epoch)(void *ud, const cop_moment *m, cop_verdict *v);
} cop_policy;

/* cop_train with policies; stage names the run in progress lines. */
cop_status cop__train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a,
	const char *stage, const cop_policy *policy, int n_policy);

/* If `augment` says normalise: makes it part of g, once, with the statistics of d. rest: the options without the word. */
cop_status cop__normalise(cop_graph *g, cop_dataset *d, const char *augment, char *rest, size_t size);

/* A regression ends in the units of its targets (units.c): the two nodes that do it, set once from d; g without them; and n targets a row
 * as the part before them learns them. */
cop_status cop__units(cop_graph *g, const cop_dataset *d);
cop_status cop__without_units(cop_graph **out, const cop_graph *g);
void cop__to_units(float *y, const cop_graph *g, int32_t rows, int32_t n);

/* A network without names takes those of the classes or targets of d, where each output has one. */
cop_status cop__adopt_names(cop_graph *g, const cop_dataset *d);

/* d as g takes it, unless it is fitted already; *made, which may be NULL, is freed with cop_data_free. */
cop_status cop__fit_for(cop_dataset **use, cop_dataset **made, const cop_graph *g, cop_dataset *d);

#endif
