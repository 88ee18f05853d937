/* SPDX-License-Identifier: Apache-2.0
 *
 * compress.h - recipes and their stages. A stage takes a model and hands back another one; the runner measures
 * both and undoes a stage that does not pay.
 */
#ifndef COP_COMPRESS_H
#define COP_COMPRESS_H

#include "core/options.h"
#include "train/form/palette.h"
#include "train/policy.h"

typedef enum cop_stage_kind { COP_STAGE_PRUNE, COP_STAGE_SHARE, COP_STAGE_ENCODE, COP_STAGE_TRAIN, COP_STAGE_QUANTIZE } cop_stage_kind;

/* One stage. Rates are per layer pattern; the first pattern that matches a weight's name counts. */
enum { COP_MAX_STAGES = 16 };
typedef struct cop_stage {
	cop_stage_kind kind;
	int line;                 /* of the recipe */
	char by[16];              /* prune: magnitude, random */
	bool global;              /* prune: one threshold for all layers */
	bool once;                /* prune: at the first step, rather than along the cubic schedule */
	float over;               /* prune: part of the epochs over which the schedule runs, 0..1 */
	int32_t steps_between;    /* prune: steps from one cut to the next */
	cop_rate rate[COP_MAX_RATES]; /* prune: part to keep, 0..1; share: levels, the zero included */
	int32_t n_rate;
	char codec[16];           /* encode: smallest, huffman, range, raw */
	char scheme[16], range[16], keep_float[128]; /* quantize: see cop_quantize_args */
	bool per_tensor, symmetric, adaround, equalize, bias_correct;
	int32_t limit;
	float max_drop;           /* quantize: negative: no bound */
	int32_t epochs;           /* of retraining */
	float lr;
	char update[64], schedule[64], layers[128];
	float may_cost, must_gain;/* points of percent on the validation set; factor on the file */
} cop_stage;

typedef struct cop_recipe { char name[64]; cop_stage stage[COP_MAX_STAGES]; int32_t n_stage; } cop_recipe;

cop_status cop__recipe_parse(cop_recipe *out, cop_ctx *cx, const char *text, size_t size);
const char *cop__stage_text(cop_stage_kind k);
/* Fails where a pattern of the recipe, or `pattern` (where: what it is of), matches no weight. */
cop_status cop__recipe_fits(const cop_recipe *r, const cop_graph *g);
cop_status cop__some_weight(const cop_graph *g, const char *where, const char *pattern);
float cop__stage_rate(const cop_stage *s, const char *weight, float otherwise);

typedef struct cop_workshop { cop_dataset *train, *valid, *test; const cop_train_args *a; } cop_workshop;

/* Each replaces *g, or leaves it and fails. */
cop_status cop__stage_prune(cop_graph **g, const cop_stage *s, const cop_workshop *w);
cop_status cop__stage_share(cop_graph **g, const cop_stage *s, const cop_workshop *w);
cop_status cop__stage_encode(cop_graph **g, const cop_stage *s, const cop_workshop *w);
cop_status cop__stage_train(cop_graph **g, const cop_stage *s, const cop_workshop *w);
cop_status cop__stage_quantize(cop_graph **g, const cop_stage *s, const cop_workshop *w);

/* Is value v a weight that may be compressed: a dense f32 parameter of two or more dimensions that matches? */
bool cop__compressible(const cop_graph *g, cop_vid v, const char *layers);
/* The training options of a stage: the caller's, with what the stage sets in its place. */
cop_train_args cop__stage_args(const cop_stage *s, const cop_workshop *w);

/* Pruning to `keep`: the k-th largest score decides, ties by index. mask[i] stays 0 where it is 0.
 * Returns how many are kept; at least `least`. */
int64_t cop__prune_mask(float *mask, const float *score, int64_t n, double keep, int64_t least, float *scratch);
/* s_t of Zhu and Gupta 2017 (arXiv 1710.01878): from + (to - from) (1 - (1 - t)^3), t in 0..1. */
double cop__cubic(double from, double to, double t);

#endif
