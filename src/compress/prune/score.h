/* SPDX-License-Identifier: Apache-2.0
 *
 * score.h - how much an item is worth: a row of score.def and a file in score/ each. A row says what it reads; that is measured when there is a cut
 * (look.c), or adds up while the network trains (moved.c), and a row that needs what is not there is refused before any work.
 */
#ifndef COP_SCORE_H
#define COP_SCORE_H

#include "compress/prune/prune.h"
#include "pass/pass.h"
#include "run/deploy.h"

/* What a score reads. */
enum {
	COP_READS_WEIGHT = 1 << 0,
	COP_READS_BATCHES = 1 << 1,   /* gradients of the loss: the mean of each of several batches */
	COP_READS_SAMPLES = 1 << 2,   /* the squares of those of single samples, their mean: the empirical Fisher information */
	COP_READS_PASSED = 1 << 3,    /* the diagonal of the Hessian of the loss, passed back through the network without cross terms */
	COP_READS_CHANNEL = 1 << 4,   /* what channels put out, behind batch norm and activation */
	COP_READS_PULL = 1 << 5,      /* with it, its product with the gradient of the loss */
	COP_READS_SCALE = 1 << 6,     /* the gamma of the batch norm behind a channel */
	COP_READS_HESSIAN = 1 << 8,   /* the diagonal of the Hessian with cross terms, from one direction at random for each sample */
	COP_READS_MOVED = 1 << 7,     /* what training has added up since it began: - sum of gradient times weight */
};
#define COP_READS_CURVATURE (COP_READS_SAMPLES | COP_READS_PASSED | COP_READS_HESSIAN) /* second derivatives, or what stands for them */
#define COP_READS_OUTPUTS (COP_READS_CHANNEL | COP_READS_PULL | COP_READS_SCALE) /* of whole channels, not of weights */

/* One item. What a row does not read is NULL. Gradients and curvature are those of one batch; the score is the mean of what `of` says of
 * each. What channels put out is told for all samples at once; an item of several layers gets the mean of what `of` says of each. */
typedef struct cop_scored {
	const float *weight, *gradient, *curvature, *moved; /* [n] the item's numbers */
	int64_t n;
	const float *mean, *size, *live, *pull; /* [samples] over the places of its map: mean of a, mean of |a|, part that is not 0, mean of a dL/da */
	int32_t samples;
	float scale;
	uint64_t seed, index; /* index: of the item in its layer */
	uint32_t stream;      /* of the layer, for random numbers */
} cop_scored;

/* All that is known when there is a cut. */
typedef struct cop_look {
	const cop_items *it;
	const struct cop_score_row *row;
	const void *options;     /* of the row */
	const cop_graph *model;  /* the network with its weights of this moment */
	cop_dataset *train;
	const cop_train_args *a;
	int32_t samples;         /* of the training set that are looked at, drawn by the seed */
	const float *weight;     /* [count] */
	const float *moved;      /* [count] or NULL */
	const float *mask;       /* [items] 0: it has gone */
	float *score;            /* [items] what is asked */
} cop_look;

typedef struct cop_score_row {
	cop_row row;
	uint32_t reads;
	bool returns;                                                         /* what has gone may come back */
	int32_t samples;                                                      /* that it looks at unless more or fewer are asked for; 0: 256 */
	float (*of)(const cop_scored *x, const void *options);                /* the smallest go */
	void (*settle)(float *score, const float *mask, int64_t n, int32_t *order); /* NULL, or what is done then with the scores of a layer; order: [n], room */
	void (*move)(float *moved, const float *d, const float *w, int64_t n, const void *options); /* with COP_READS_MOVED: adds a step's gradients and weights */
	cop_status (*all)(const cop_look *l);                                 /* in place of `of`: fills score by itself */
	cop_status (*mend)(const cop_look *l, float *weight);                 /* after the cut (mask is new): changes weights that stay, [count] */
	cop_status (*fits)(const cop_graph *g, const cop_items *it, const struct cop_score_row *row, const char *grain); /* NULL, or before any work: can it? */
} cop_score_row;

/* Half of curvature times square, summed over the item's numbers: what the loss rises without it, to second order. */
float cop__second_order(const cop_scored *x, const void *options);

/* ---- what scores look at ---- */

/* What a layer puts out: the value behind its batch norm and activation, the batch norm, both 0 where there is none. Of conv and fc, and of a weight
 * that no other layer shares. */
typedef struct cop_channel { cop_vid out; cop_nid bn; } cop_channel;
cop_channel cop__channel_of(const cop_graph *g, cop_vid weight);

/* The network with its derivatives, run over samples of the training set. */
typedef struct cop_probe {
	cop_ctx *cx;
	cop_arena mem;
	const cop_graph *model;
	cop_graph *g;
	cop_host host;
	cop_dataset *train, *made;
	struct cop_batches *batches;
	int32_t batch, runs, done;        /* samples of a run; runs in all, and done */
	int32_t *derived, *out, *pull;    /* [n_layer] 1-based output with gradient or curvature of the weight; the channels; their gradients; 0: none */
	cop_tensor x, target;
	cop_parts part;
	float *placed;
	int32_t *label;
	bool signs;                       /* the last input is a direction at random */
	uint64_t seed;
} cop_probe;
cop_status cop__probe_graph(cop_graph **g, cop_probe *p, const cop_graph *model, const cop_items *it, uint32_t reads, bool labels, int64_t each); /* p->batch is set */
cop_status cop__probe_open(cop_probe *p, const cop_look *l); /* cop__probe_close, after a failure too */
cop_status cop__probe_next(cop_probe *p, bool *more);        /* runs the next samples, if there are more */
const float *cop__probe_output(cop_probe *p, int32_t output, const cop_type **t); /* 1-based */
void cop__probe_close(cop_probe *p);

extern const cop_table cop__scores;
const cop_score_row *cop__score(int32_t i);
int32_t cop__score_samples(const cop_score_row *row, int32_t asked); /* asked 0: as many as the row says */

/* The scores of all items. */
cop_status cop__look(const cop_look *l);
/* Fails, naming the place, where the network lacks what the row reads. grain: the name, for the sentence. */
cop_status cop__look_fits(const cop_graph *g, const cop_items *it, const cop_score_row *row, const char *grain);

#endif
