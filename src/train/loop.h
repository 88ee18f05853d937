/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h - a run over a data set, for the files that it is made of: start.c sets it up, loop.c goes through epochs,
 * best.c compares them, saved.c keeps checkpoints, told.c tells how far it is.
 */
#ifndef COP_LOOP_H
#define COP_LOOP_H

#include "data/batch.h"
#include "pass/pass.h"
#include "run/deploy.h"
#include "train/neurons.h"
#include "train/policy.h"
#include "train/schedule.h"

/* Of the network on the validation set: accuracy with classes, else mse; -1: not known. */
typedef struct cop_judged { float accuracy, mse; } cop_judged;

/* The epoch with the best score so far. */
typedef struct cop_best {
	int32_t epoch; /* from 1; 0: none yet */
	float score;   /* the higher the better */
	bool keep;     /* its weights are those of the result */
	cop_text file; /* with keep: the network as it was then, a .cop */
} cop_best;

typedef struct cop_loop {
	cop_ctx *cx;
	cop_arena mem;
	cop_graph *model;
	cop_trainer *t;
	cop_batches *batch;
	cop_dataset *train, *valid; /* as the network takes them */
	cop_dataset *fitted, *fitted_valid;
	const cop_train_args *a;
	const char *stage;
	const cop_policy *policy;
	int n_policy;
	cop_schedule schedule;
	cop_tensor x, target; /* target: labels, or the values to reproduce */
	int64_t per_epoch, step; /* a step is a place in the run: where samples are left out, the last ones of an epoch are passed over */
	int64_t of_epoch;        /* steps that this epoch has */
	float *weight;           /* [train->count] of the samples in this epoch (cop_chosen); NULL: nobody chooses */
	int32_t *sample;         /* [batch] the rows of a step */
	int64_t samples;         /* trained on since the run began */
	bool labels, finished;
	bool soft;               /* the target is a distribution over the classes, not a label */
	bool carry;              /* what the rule of updates keeps stays in the model */
	int32_t *label;
	double began, reported, trained, saved; /* seconds */
	double earlier;          /* seconds that processes before this one have spent on the run */
	int64_t images;
	double sum_loss;
	bool guarded;            /* a step whose loss is not finite changes nothing, and is passed over */
	int32_t refused;         /* such steps, one after the other */
	cop_text run, epochs;    /* what decides the result; a line for each epoch that is done (saved.c) */
	cop_text network;        /* of `run`, with a checkpoint: the network before policies choose what of it is trained, which may depend on how long a step takes here */
	cop_text rebuilt;        /* where the structure has changed: the network as that left it, a .cop */
	cop_best best;
	bool carried;            /* the network has what the rule of updates keeps, since it was built again */
	bool lists;              /* a policy writes lists of what is trained into the model */
	cop_step_cost whole, cost; /* of a step that trains all, and of one as it is now */
	double step_cpu[3];      /* CPU seconds of the steps of this epoch and how many they are; the mean of one that trained all, 0: there was none */
	cop_parts part;          /* where samples lie in x */
	float *placed;           /* samples as they come, where they lie otherwise in x or become bytes there; else NULL */
	cop_frozen frozen;       /* frozen.c: then x is what comes out of the front */
	cop_deployed front;      /* the nodes that are frozen; g NULL: none are */
	float *kept;             /* [train->count, of a row of x] what comes out of it, by sample; NULL: it runs each time */
} cop_loop;

int64_t cop__loop_steps(const cop_loop *l); /* of the whole run */

/* ---- start.c ---- */
cop_status cop__loop_set_up(cop_loop *l, cop_dataset *train);
cop_progress cop__loop_progress(cop_loop *l, int32_t epoch, float loss, float accuracy);
cop_status cop__loop_rebuild(cop_loop *l); /* a trainer of the model as it is now */
void cop__loop_tear_down(cop_loop *l);

/* ---- frozen.c ---- */
cop_status cop__frozen_make(cop_loop *l, cop_graph **back); /* l->front, of what is frozen; *back: what is left to be trained, NULL: all of the model */
cop_status cop__frozen_ready(cop_loop *l);                  /* once x is there: runs it over all samples, if that is kept */
cop_status cop__frozen_place(cop_loop *l, int32_t i);       /* what comes out of it for batch i into x; labels, too */
void cop__frozen_free(cop_loop *l);

/* ---- best.c ---- */
cop_status cop__best_begin(cop_loop *l);
cop_status cop__best_judge(cop_loop *l, cop_judged *j, int32_t epoch); /* scores the model after that epoch, from 1 */
void cop__best_forget(cop_loop *l); /* the network has changed: its next epoch counts as better than those before */
bool cop__best_is_earlier(const cop_loop *l); /* is the result that of an epoch before the last? */
cop_status cop__best_take(cop_loop *l);       /* its weights into the model */
cop_status cop__loop_keep_network(cop_loop *l); /* for checkpoints (rebuilt): its structure, or what of it is trained, has changed */
static inline float cop__score_of(const cop_judged *j) { return j->accuracy >= 0 ? j->accuracy : -j->mse; }

/* ---- saved.c ---- */
cop_status cop__loop_look(cop_loop *l); /* before any work: is the checkpoint's place free, or ours? Goes on from there if it should */
cop_status cop__loop_save(cop_loop *l);
cop_status cop__loop_save_in_time(cop_loop *l); /* within an epoch, where the last time is long ago */

/* ---- told.c ---- */
double cop__loop_seconds(const cop_loop *l);
void cop__loop_tell(cop_loop *l); /* within an epoch, now and then */
void cop__loop_tell_epoch(cop_loop *l, const cop_judged *j); /* at its end; it is noted for a checkpoint, too */
cop_status cop__loop_diverged(const cop_loop *l, float loss);

#endif
