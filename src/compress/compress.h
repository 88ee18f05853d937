/* SPDX-License-Identifier: Apache-2.0
 *
 * compress.h - recipes and their stages. A stage takes a model and hands back another one; the runner measures
 * both and undoes a stage that does not pay. The runner knows the rows of stage.def alone.
 */
#ifndef COP_COMPRESS_H
#define COP_COMPRESS_H

#include "core/options.h"
#include "train/policy.h"

/* ---- what every stage may be told ---- */
typedef struct cop_terms {
	char layers[128];
	float may_cost, must_gain; /* points of percent on the validation set; factor on the file */
} cop_terms;
typedef struct cop_training { /* 0 and "": the caller's */
	char schedule[128], update[256];
	int32_t epochs;
	float lr;
} cop_training;
extern const cop_option cop__terms[], cop__terms_whole[];          /* the second without `layers`: of stages for the whole network */
extern const cop_option cop__training[], cop__training_unscheduled[]; /* the second without `schedule`: of stages that have another one */

/* ---- a row ---- */
/* What a network has. */
enum {
	COP_HAS_FLOATS = 1 << 0,   /* dense floats for some of its weights */
	COP_HAS_MASKS = 1 << 1,    /* of pruning: what is zero under them stays so while it trains */
	COP_HAS_CODES = 1 << 2,    /* encoded weights: palettes, sparse rows */
	COP_HAS_INTEGERS = 1 << 3, /* integer operators, or weights in bytes and halves */
	COP_HAS_SHARED = 1 << 4,   /* few values, made by a stage: training takes each weight its own way again. Seen in a recipe alone */
	COP_HAS_ROUNDING = 1 << 5, /* operators that round as integers will be: a stage that does not `bear` it can't work on them */
	COP_HAS_BITS = 1 << 6,     /* sums of bits, through which no gradient goes: a stage that does not `bear` them can't work on them */
	COP_N_HAS = 7,
};
uint32_t cop__has(const cop_graph *g);

struct cop_stage;
struct cop_encodings;
typedef struct cop_means { /* what a recipe works with */
	cop_dataset *train, *valid, *test;
	const cop_train_args *a;
	struct cop_encodings *encodings; /* what was encoded before; encode needs it */
	char teachers[1200];             /* of a's policies those that every stage can have while it trains; "": none */
} cop_means;

/* Why something can't be done with a weight, for the end of a sentence: "'w' is read by matmul". */
typedef struct cop_why { char text[160]; } cop_why;

typedef struct cop_stage_row {
	cop_row row;                          /* its options: the stage's own */
	const cop_option *terms, *training;   /* NULL: it takes none of those */
	uint32_t needs, never;                /* COP_HAS_: what a network must have before it, and may not have */
	uint32_t gives, takes;                /* what it has afterwards, and has not */
	bool bears_rounding, bears_bits;      /* see COP_HAS_ROUNDING, COP_HAS_BITS */
	uint32_t (*allows)(const struct cop_stage *s); /* NULL, or what of `never` does no harm with such options */
	uint32_t (*spares)(const void *own);  /* NULL, or what is not taken after all with such options */
	uint32_t (*given)(const void *own);   /* NULL, or what it gives with such options in the place of `gives` */
	cop_status (*check)(cop_ctx *cx, const char *where, const void *own); /* NULL, or what no single option can say */
	bool (*can)(const cop_graph *g, cop_vid weight, cop_why *why);        /* NULL: it works on the network as a whole */
	cop_status (*fits)(const cop_graph *g, const struct cop_stage *s);    /* NULL, or what the network must be for it, asked before any work */
	cop_status (*run)(cop_graph **g, const struct cop_stage *s, const cop_means *m); /* replaces *g, or leaves it and fails */
} cop_stage_row;
extern const cop_table cop__stages;

/* ---- a recipe ---- */
enum { COP_STAGE_ROOM = 2048 };
typedef struct cop_stage {
	const cop_stage_row *row;
	int line; /* of the recipe */
	cop_terms terms;
	cop_training training;
	uint64_t given; /* which of the row's options the recipe has set */
	union { max_align_t align; char bytes[COP_STAGE_ROOM]; } own; /* the row's options */
} cop_stage;
typedef struct cop_recipe {
	char name[64];
	cop_stage stage[COP_MAX_STAGES];
	int32_t n_stage;
	bool search, bounded; /* order: search; max_drop counts */
	float max_drop;       /* points that may be lost in all */
} cop_recipe;

bool cop__stage_given(const cop_stage *s, const char *option);
uint32_t cop__stage_never(const cop_stage *s); /* COP_HAS_: what the network may not have, with the stage's options */
bool cop__stage_follows(uint32_t has, const cop_stage *s);     /* on a network that has this */
uint32_t cop__stage_after(uint32_t has, const cop_stage *s);   /* what that one has then */
/* A stage with all its options at their defaults. */
void cop__stage_default(cop_stage *s, const cop_stage_row *row);
cop_status cop__recipe_parse(cop_recipe *out, cop_ctx *cx, const char *text, size_t size);
/* Before any work: fails where a pattern of the recipe matches no weight, where a stage can work on none of those that it matches, and
 * where a stage can't follow those before it. */
cop_status cop__recipe_fits(const cop_recipe *r, const cop_graph *g);

/* For `allows` of a stage that trains and makes values few: those of an earlier one are safe where it takes all weights. */
uint32_t cop__allows_whole(const cop_stage *s);
/* Of stages that give weights a form: each that matches by `one`, trained on or, without epochs, as it is (formed.c). */
typedef cop_status cop_form_one(cop_build *b, const cop_stage *s, uint64_t seed, const char *weight);
/* done: NULL, or what becomes of each when it is trained and plain again. */
typedef cop_status cop_form_done(const cop_stage *s, struct cop_trainer *t, cop_graph *g, const char *weight);
cop_status cop__stage_forms(cop_graph **g, const cop_stage *s, const cop_means *m, cop_form_one *one, cop_form_done *done);
uint32_t cop__allows_formed(const cop_stage *s);
/* The training options of a stage: the caller's, with what the stage sets in its place. */
cop_train_args cop__stage_args(const cop_stage *s, const cop_means *m);

#endif
