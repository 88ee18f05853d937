/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h - what acts over training time: gradual pruning, averages of weights, stopping early. The loop itself is short; everything else is one
 * of these. A policy says before the training what it needs in the training graph (build), and gets handles for it; then it is called around each
 * step and after each epoch, and may read and write what its handles lead to.
 */
#ifndef COP_POLICY_H
#define COP_POLICY_H

#include "train/trainer.h"

/* FINISH: the training ends after this epoch's scoring. REBUILD: the structure of the network is to change. REPLAN: what is trained of it is, and the
 * network stays the one that it is. The strongest of several counts. */
typedef enum cop_verdict { COP_GO_ON, COP_REPLAN, COP_REBUILD, COP_FINISH } cop_verdict;

/* The first nodes of the model, up to node `to`, are not trained and run apart; 0: all are trained. Where a sample is the same in each epoch, what
 * comes out of them is kept, if all of it takes at most `bytes`. */
typedef struct cop_frozen { int32_t to; int64_t bytes; } cop_frozen;

typedef struct cop_progress { /* how far training is */
	cop_trainer *t;
	int64_t step, steps;      /* done, and in all */
	int32_t epoch, epochs;    /* from 0 */
	float loss, accuracy;     /* after: of the step. epoch: of the epoch; accuracy of the valid set, -1 without one */
	float mse;                /* epoch: of the valid set without classes; else -1 */
	const int32_t *sample;    /* before, after: [rows] the number of each row's sample in the data set */
	int32_t rows;
	/* `epoch` may raise it to a node at which the network can be cut (cop__can_cut), and ask for REPLAN */
	cop_frozen *frozen;
	const cop_graph *model;   /* start, epoch: with the weights as they are now */
	float lr;                 /* of the step, or of the epoch's last one, as a part of the one that training was given */
	uint64_t seed;
	int32_t batch, threads;
	float given;              /* the rate that training was given */
} cop_progress;

/* Which samples of the data set an epoch has. */
typedef struct cop_chosen {
	float *weight;            /* [count], 1 at first: 0: the sample is left out; else what its loss is multiplied with (cop_policy.weighs) */
	const int32_t *order;     /* [count] of the samples, in batches of `batch` */
	int32_t count, batch;
	uint64_t seed;
	bool again;               /* a run goes on within an epoch, which has to have the samples that were chosen when it began */
} cop_chosen;

/* Any of the functions may be NULL. *v is COP_GO_ON when they are called. */
typedef struct cop_policy {
	const char *name;
	void *ud;
	bool apart;               /* it may freeze first layers, which then run apart */
	bool taught;              /* it adds a teacher, which sees the samples */
	bool leaves_out;          /* it writes lists of the neurons that are trained into the model (neurons.h) */
	bool weighs;              /* choose gives samples weights besides 0 and 1: the loss is then against parts of classes */
	cop_status (*data)(void *ud, const cop_dataset *d);        /* before the first build: what is trained on */
	cop_status (*begin)(void *ud, cop_graph *model, cop_dataset *d); /* then: with what weights the network begins */
	cop_status (*choose)(void *ud, const cop_progress *p, const cop_chosen *c); /* before the first step of an epoch; steps are as many fewer, the rate falls as over a whole one */
	cop_status (*build)(void *ud, cop_build *b);               /* forms, terms of the loss, states, gradients to keep, a teacher; again after a REBUILD */
	/* once, behind the first build, in which all is trained: may change the model, in place. It is built again then. */
	cop_status (*start)(void *ud, const cop_progress *p, cop_graph *model);
	cop_status (*before)(void *ud, const cop_progress *p);     /* the batch is in its place and the rate is set */
	cop_status (*after)(void *ud, const cop_progress *p, cop_verdict *v); /* after the step's updates */
	cop_status (*epoch)(void *ud, const cop_progress *p, cop_verdict *v);
	/* after REBUILD or REPLAN: t is the training that ends; the model with its weights and the states of updates: change it in place */
	cop_status (*rebuild)(void *ud, cop_trainer *t, cop_graph *model);
	/* at the end: the model has the weights of the last step; the result is what this makes of it */
	cop_status (*finish)(void *ud, const cop_progress *p, cop_graph *model);
	void (*leave)(void *ud, cop_graph *model);                 /* last, after a failure too */
	cop_status (*identity)(void *ud, cop_text *t);             /* what of it a checkpoint belongs to, beside its options (identity.h) */
} cop_policy;

/* A row of policy.def: a policy that is asked for by name, as "ema:decay=0.999". ud lies in mem. */
typedef struct cop_policy_row {
	cop_row row;
	cop_status (*make)(cop_policy *out, cop_arena *mem, const void *options);
	bool teaches; /* it changes no weight by itself, and what trains within a stage may have it, too */
	bool answers; /* it makes a teacher's answers a part of the loss, in the place of a stage's own teacher */
} cop_policy_row;
extern const cop_table cop_policies;
extern const cop_table cop_distances; /* the losses that tell how far answers are from a teacher's */
extern const cop_table cop_hints;     /* and values within a network */
/* "ema:decay=0.999; early:patience=3", at most `most` of them; NULL: none. */
cop_status cop__policies_read(cop_policy *out, int *n, int most, cop_arena *mem, const char *text);

/* Of a list of policies those that change no weight by themselves: teachers. "": there are none. */
cop_status cop__policies_teachers(char *to, size_t size, cop_ctx *cx, const char *text);
bool cop__policies_answer(const char *text); /* does one of them learn from a teacher's answers? NULL: no */

/* A teacher's softened answers are a part of the loss (loss=distill). by NULL: the network as it is when the training begins. */
typedef struct cop_taught { float part, temperature; const cop_graph *by; } cop_taught;
cop_policy cop__taught(cop_taught *t);

/* cop_train with policies; stage names the run in progress lines. What the rule of updates keeps stays in g, for the next training;
 * cop__carry_nothing takes it away. */
cop_status cop__train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a,
	const char *stage, const cop_policy *policy, int n_policy);

/* What the options of a training say of updates, and the loss that belongs to data with labels, or with parts of classes (soft), unless the options say that, too. */
cop_status cop__build_training(cop_build *b, const cop_train_args *a, bool labels, bool soft);

/* An epoch that is done as a line of a text, for checkpoints; and such lines told again. The stage is a word. */
void cop__epoch_note(cop_text *t, const cop_epoch *e);
void cop__epochs_tell(const cop_text *t, void (*progress)(void *ud, const cop_epoch *e), void *ud);

/* If `augment` says normalise: makes it part of g, once, with the statistics of d. rest: the options without the word. */
cop_status cop__normalise(cop_graph *g, cop_dataset *d, const char *augment, char *rest, size_t size);

/* If `augment` says normalise and g learns to give its samples back: scales those, once, before g is fitted to them. */
cop_status cop__scale_samples(cop_graph *g, cop_dataset *d, const char *augment);

/* A regression ends in the units of its targets (units.c): the two nodes that do it, set once from d; g without them; and n targets a row
 * as the part before them learns them. */
cop_status cop__units(cop_graph *g, const cop_dataset *d);
cop_status cop__without_units(cop_graph **out, const cop_graph *g);
bool cop__gives_probabilities(const cop_graph *g); /* does it end in a softmax? */
void cop__to_units(float *y, const cop_graph *g, int32_t rows, int32_t n);

/* A network without names takes those of the classes or targets of d, where each output has one. */
cop_status cop__adopt_names(cop_graph *g, const cop_dataset *d);

/* Without labels or targets a network can be scored only by how it gives its input back. */
bool cop__can_score(const cop_graph *g, const cop_dataset *d);

/* Of each sample of a network that gives its input back, the mean square of what it missed. */
cop_status cop__rebuild_errors(float *error /* [d->count] */, const cop_graph *g, cop_dataset *d, int32_t batch, int threads);

/* d as g takes it, unless it is fitted already; *made, which may be NULL, is freed with cop_data_free. */
cop_status cop__fit_for(cop_dataset **use, cop_dataset **made, const cop_graph *g, cop_dataset *d);

#endif
