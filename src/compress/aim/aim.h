/* SPDX-License-Identifier: Apache-2.0
 *
 * aim.h - compression towards aims, without a recipe: at most so much accuracy lost, at most so many bytes,
 * multiply-accumulates, instructions or milliseconds on a machine. In rounds:
 *
 *   curves    what each layer costs in validation loss when a part of it goes, and what that saves on the machine     curves.c, lever.c
 *   choose    which part of which layer goes: a knapsack over what was measured                                       choose.c, ../knapsack.c
 *   work      it goes, and what is left trains, with the network as it came for a teacher                              rounds.c
 *   check     the whole, in the form in which it will be deployed: kept, or undone and tried again with less           point.c
 *
 * Where flash counts, weights get 4 bits at the end. If that loses too much or misses a limit, the last training brings them to few
 * values, so that their code is short (the stage `steps`); on the device they are decoded layer by layer.
 */
#ifndef COP_AIM_H
#define COP_AIM_H

#include "compress/compress.h"
#include "compress/encodings.h"
#include "compress/history.h"
#include "compress/prune/score.h"
#include "compress/resume.h"
#include "core/knapsack.h"
#include "io/cop/checkpoint.h"

/* What is bounded, in the order of the options. */
typedef enum cop_resource { COP_R_FILE, COP_R_RAM, COP_R_FLASH, COP_R_MACS, COP_R_INSTRUCTIONS, COP_R_MS,
	COP_N_RESOURCE } cop_resource;
extern const char *const cop__resource_name[COP_N_RESOURCE];

/* A network in its deployed form: what it is worth and what it takes. */
typedef struct cop_point { float accuracy, loss; double of[COP_N_RESOURCE]; cop_figures figures; } cop_point;

/* The form in which the network is deployed at the end: floats; integers; integers with weights of 4 bits; integers of which
 * weights lie coded in flash; floats, encoded in the file. */
typedef enum cop_final { COP_FINAL_FLOATS, COP_FINAL_INTEGERS, COP_FINAL_FEW, COP_FINAL_CODED, COP_FINAL_CODES } cop_final;

enum { COP_MOST_LEVELS = 8 };
/* What can go of one layer, and how much of it: level 0 is nothing. */
typedef struct cop_lever {
	char name[128];
	int32_t n;
	float keep[COP_MOST_LEVELS];      /* the part of its items that stays */
	cop_pick pick[COP_MOST_LEVELS]; /* what that costs in loss, and in the resources that are looked at */
} cop_lever;

typedef struct cop_aimer {
	cop_ctx *cx;
	const cop_aims *aims;
	cop_target t;
	cop_means m;
	cop_train_args *a;
	cop_history *h;
	double limit[COP_N_RESOURCE];     /* 0: none */
	double most_ram, most_instructions; /* that codes of weights may lead to, where there are no limits; 0: any */
	bool watched[COP_N_RESOURCE];     /* looked at when levels are chosen */
	cop_final final;
	const cop_graph *came;            /* the network as it came */
	bool few, coding;                 /* flash counts: weights may have 4 bits at the end; and may be coded, where that pays, too */
	bool stuck;                       /* no level of any layer brings the network nearer */
	cop_graph *g;                     /* floats that can be trained */
	cop_point first, now;             /* as it came; of g */
	double allowed[COP_N_RESOURCE];   /* of this round */
	cop_choice by;                    /* the score that says which items are weak; row -1: the usual one */
	float *score;                     /* of the items of g */
	cop_lever *lever;
	int32_t n_lever;
} cop_aimer;

/* ---- point.c ---- */
/* g as it is deployed. samples: to calibrate on; 0: the usual number. */
cop_status cop__aim_final(cop_graph **out, cop_aimer *z, const cop_graph *g, cop_final final, int32_t samples);
/* What the deployed form q takes. */
cop_status cop__aim_price(cop_point *p, cop_aimer *z, const cop_graph *q);
/* Accuracy and loss on at most `samples` of the validation set (0: all), or of the training set. */
cop_status cop__aim_score(cop_point *p, const cop_aimer *z, const cop_graph *g, int32_t samples);
cop_status cop__aim_score_train(cop_point *p, const cop_aimer *z, const cop_graph *g, int32_t samples);
/* Would coded weights of few values take less than this part of the flash, within the RAM that there is and at a price
 * in instructions that is worth it? */
#define COP_CODED_MOST 0.8
cop_status cop__aim_could_code(bool *yes, cop_aimer *z);
cop_code cop__aim_code(const cop_graph *q); /* by which weights of q lie in flash */
/* Points of accuracy that p has less than `first`; without labels, percent of its loss. */
double cop__aim_lost(const cop_point *first, const cop_point *p);
double cop__aim_drop(const cop_aimer *z, const cop_point *p); /* less than the network as it came */
/* Of them, those that may be lost: one sample at least, as less can't be seen. */
double cop__aim_allowed(const cop_aimer *z);

/* ---- rounds.c ---- */
/* The first stage, or, from > 0, what went on there; then rounds, until nothing is left to be done. */
cop_status cop__aim_rounds(cop_aimer *z, const cop_resume *keep, int32_t from);
typedef struct cop_round { double leaves; int32_t times; } cop_round; /* the part that a round leaves; how many times as long it trains as the first one */
cop_round cop__aim_round(const cop_aimer *z); /* the next one */
bool cop__aim_only_file(const cop_aims *a); /* is nothing limited but the file? */
bool cop__aim_missed(const cop_aimer *z, int r); /* the limit of a resource */
cop_final cop__aim_last_form(const cop_aimer *z); /* of what is given back */

/* ---- lever.c ---- */
const char *cop__aim_grain(const cop_aimer *z); /* what goes as a whole */
cop_status cop__levers_find(cop_aimer *z);      /* z->lever, without prices */
/* g with what the levels choice[n_lever] leave of it, and smaller where whole channels went. what: NULL, or says it. */
cop_status cop__levers_pull(cop_graph **out, const cop_aimer *z, const int32_t *choice, char *what, size_t size);

/* ---- curves.c, choose.c ---- */
cop_status cop__aim_curves(cop_aimer *z);
/* choice[n_lever], so that the whole fits z->allowed. COP_BUDGET, without a sentence: nothing does. */
cop_status cop__aim_choose(cop_aimer *z, int32_t *choice);
/* By how many bytes the RAM of a run is above `most`, summed over its steps: unlike the peak it falls with every layer
 * that shrinks. */
cop_status cop__aim_excess(double *sum, const cop_aimer *z, const cop_graph *q, double most);

#endif
