/* SPDX-License-Identifier: Apache-2.0
 *
 * gram.h - the Gram matrix of a layer: H = 2/n sum x x' of what its filters see (rows of im2col) over n samples of data, so that a change d of a
 * row of weights costs 1/2 d'H d: the mean square by which what it puts out changes. And what can be done with it: factors, the inverse, and
 * weights removed one by one while those that stay make good for them.
 *
 *   patch.c    what a filter sees at one position
 *   gram.c     the matrices of many layers, from one run over the data
 *   factor.c   damping, Cholesky, the inverse
 *   obs.c      a row: in which order its weights go, what each costs, and what the rest becomes
 *   obc.c      scores of pruning
 *
 * Whoever rounds weights one after the other (GPTQ, arXiv 2210.17323) takes cop__damped, cop__invert, and cop__cholesky of the inverse, whose
 * transpose is the upper factor U with U'U = the inverse of H.
 */
#ifndef COP_GRAM_H
#define COP_GRAM_H

#include "compress/layers.h"

typedef struct cop_gram {
	cop_vid weight;     /* in: of the model */
	int32_t groups, k;  /* of a convolution; numbers that a filter of it sees */
	float *h;           /* [groups,k,k] */
	float *gain;        /* [rows] by what each row is multiplied as deployed, where a batch norm follows: its costs count that much, squared */
} cop_gram;

enum { COP_MOST_GRAM = 4608 }; /* numbers that a filter sees, up to which there is a matrix of them */
bool cop__can_gram(const cop_graph *g, cop_vid v, cop_why *why); /* a weight that only convolutions and fully connected layers read */

typedef struct cop_gram_args { int32_t samples; /* the first of the data; 0: all */ int threads; uint64_t seed; } cop_gram_args;
/* Fills m[n] for weights of the model, all from one run of it as it is deployed. Free with cop__grams_free, after a failure too. */
cop_status cop__grams(cop_gram *m, int32_t n, const cop_graph *model, cop_dataset *d, const cop_gram_args *a);
void cop__grams_free(cop_gram *m, int32_t n, cop_ctx *cx);
static inline const float *cop__gram_of_row(const cop_gram *m, int32_t rows, int32_t row) /* [k,k] */
{
	return m->h + (size_t)(row / (rows / m->groups)) * (size_t)m->k * (size_t)m->k;
}

/* ---- factor.c; matrices [k,k] ---- */
/* h plus `damp` times its mean diagonal on the diagonal; an input that is always 0 gets a 1 there. */
void cop__damped(double *out, const float *h, int32_t k, double damp);
/* The lower factor L of a = LL', in place; what is above the diagonal is left as it was. False: a is not positive. */
bool cop__cholesky(double *a, int32_t k);
void cop__solve(const double *l, double *x, int32_t k); /* x becomes that of LL'x = x */
bool cop__invert(double *a, int32_t k, double *room /* [k,k] */); /* in place, both halves */

/* ---- obs.c ---- */
typedef struct cop_obs_rule { /* what goes together in a row of k weights, and how many may */
	int32_t k;
	const int32_t *item;   /* [k] the item of each weight, from 0; NULL: each is one */
	int32_t items, most;   /* how many there are; the largest has `most` weights */
	const int32_t *bucket; /* [items] NULL, or the bucket of each, from 0 ... */
	int32_t buckets, full; /* ... of each of which no more than `full` go */
} cop_obs_rule;
enum { COP_MOST_TOGETHER = 64 };
size_t cop__obs_room(const cop_obs_rule *r); /* bytes */
/* Removes the items of row w one after the other, each time the one that costs least once the rest makes good for it (ExactOBS; Frantar 2022, arXiv 2208.11580).
 * inverse: that of the damped matrix. cost[items] is by how much 1/2 d'Hd rises when each goes, order[items] which goes when; those that no
 * bucket lets go have an infinite cost and come last. */
void cop__obs_trace(float *cost, int32_t *order, const float *w, const double *inverse, const cop_obs_rule *r, void *room);
/* Zeros where mask is; the others become those with the least 1/2 d'Hd, d the change of the row. damped, inverse [k,k]; room [k k + k]. False: not positive. */
bool cop__obs_correct(float *w, const float *mask, const double *damped, const double *inverse, int32_t k, double *room);

#endif
