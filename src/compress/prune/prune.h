/* SPDX-License-Identifier: Apache-2.0
 *
 * prune.h - what is removed (grain.def), by which score (score.h, score.def), how much of it where (allot.def), and when (when.def): four tables that
 * do not know each other. Between them stand items: what is kept or goes as a whole.
 */
#ifndef COP_PRUNE_H
#define COP_PRUNE_H

#include "compress/compress.h"

/* ---- items ---- */
typedef struct cop_pruned { /* a tensor that is masked */
	char name[128];
	cop_vid v;             /* in the model */
	int64_t count, offset; /* its numbers, in the arrays of all tensors one after the other */
	int64_t first, items;  /* its items; those that a tensor shares with an earlier one belong to that */
	int64_t rows;          /* along its first axis: outputs */
	int64_t least;         /* items that stay whatever the others have */
	int32_t inner;         /* numbers side by side along the last axis: input channels of one tap, inputs of a neuron */
	double macs;           /* multiply-accumulates of each of its numbers, for one sample */
	uint64_t form;         /* layers of one form are of one kind: the same operators, windows and couplings */
	bool follows;          /* a bias or the like: it goes with its items and has no say */
} cop_pruned;
typedef struct cop_items {
	cop_ctx *cx;
	cop_arena mem;
	cop_pruned *layer;
	int32_t n_layer;
	int64_t count, n;      /* numbers, items */
	int32_t *of;           /* [count] the item of each number, -1: it stays; NULL: each is one */
	int64_t *start;        /* [n+1] and ... */
	int32_t *member;       /* ... the numbers of each item that have a say; NULL with `of` */
	int32_t bundle, stay;  /* not 0: of each `bundle` items side by side along `inner`, `stay` stay, and there is no choice where */
	bool may_close;        /* an item is all of a layer, which may go */
} cop_items;
/* Of the weights of g that match; fails where there is nothing to remove. where: for the sentence. */
cop_status cop__items_begin(cop_items *it, const cop_graph *g, const char *layers, const cop_choice *grain); /* cop__items_free, after a failure too */
void cop__items_free(cop_items *it);
cop_status cop__items_add(cop_items *it, const cop_graph *g, cop_vid v, bool follows);
/* The item of the j-th number of l, or -1. */
static inline int64_t cop__item_of(const cop_items *it, const cop_pruned *l, int64_t j) { return it->of ? it->of[l->offset + j] : l->offset + j; }
cop_status cop__items_of(cop_items *it); /* makes `of`, when all tensors have been added */
/* What reads v, and how; equal for layers of one kind. axis: of v. */
uint64_t cop__form_of(const cop_graph *g, cop_vid v, int32_t axis);

/* ---- granularity ---- */
typedef struct cop_grain_row {
	cop_row row;
	const char *(*why_not)(const cop_graph *g, cop_vid v);                          /* NULL: it can split every weight */
	cop_status (*split)(cop_items *it, const cop_graph *g, const void *options);  /* fills `of` and the items of the layers */
} cop_grain_row;
const char *cop__no_filter(const cop_graph *g, cop_vid v), *cop__no_heads(const cop_graph *g, cop_vid v), *cop__no_way_around(const cop_graph *g, cop_vid v);
typedef struct cop_block_options { int32_t block; } cop_block_options;
typedef struct cop_group_options { int32_t width; } cop_group_options;
typedef struct cop_nm_options { int32_t n, m; } cop_nm_options;

/* ---- allotment ---- */
typedef struct cop_cut {
	const cop_items *it;
	float *score, *mask, *scratch; /* [items]; what the mask has taken stays taken */
	float *room;                   /* [2 items] */
	int32_t *order;                /* [items] room, too */
	const cop_rates *keep;
	const void *options;           /* of the row */
	double t;                      /* how far the schedule is, 0 .. 1 */
	double (*part)(double keep, double t);
} cop_cut;
typedef struct cop_allot_row {
	cop_row row;
	bool by_layer; /* it can have a rate for each */
	void (*cut)(const cop_cut *c);
} cop_allot_row;

/* ---- schedules ---- */
typedef struct cop_when_row {
	cop_row row;
	/* Is there a cut after this step (0: before the first), and where does it stand? */
	bool (*due)(double *t, const void *options, int64_t step, int64_t steps);
	double (*part)(double keep, double t); /* that stays at t */
	bool at_once;                          /* the only cut is before the first step */
	bool returns;                          /* after each cut the rest returns to what it was (rewind.c) */
} cop_when_row;
typedef struct cop_over_options { float over; int32_t every; } cop_over_options;
typedef struct cop_rounds_options { float over; int32_t rounds; } cop_rounds_options;
typedef struct cop_tickets_options { int32_t rounds; float rewind; bool redraw; } cop_tickets_options;

extern const cop_table cop__grains, cop__scopes, cop__cuts;
const cop_grain_row *cop__grain(int32_t i);
const cop_allot_row *cop__allot(int32_t i);
const cop_when_row *cop__when(int32_t i);
/* The cut of items in bundles, in place of an allotment. */
void cop__cut_bundles(const cop_cut *c);

/* ---- masks ---- */
/* The k-th largest of v[n], 1-based; v is reordered. */
float cop__kth_largest(float *v, int64_t n, int64_t k);
/* Pruning to `keep`: the k-th largest score decides, ties by index. mask[i] stays 0 where it is 0.
 * Returns how many are kept; at least `least`. */
int64_t cop__prune_mask(float *mask, const float *score, int64_t n, double keep, int64_t least, float *scratch);
/* order[n]: places from the largest of v to the smallest, of equal ones the first first. */
void cop__order_of(int32_t *order, const float *v, int64_t n);
/* s_t of Zhu and Gupta 2017 (arXiv 1710.01878): from + (to - from) (1 - (1 - t)^3), t in 0..1. */
double cop__cubic(double from, double to, double t);

#endif
