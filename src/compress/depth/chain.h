/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.h - layers that follow each other, cut into stretches. A chain is convolutions, or fully connected layers,
 * each of which is read by the next one alone, behind batch norm and a bound (ReLU) at most; sums, pools and forks end
 * it, so that blocks with a shortcut stay blocks. A stretch is a run of layers of one chain that becomes one layer:
 * its bounds but the last go, and so do some of its layers.
 *
 *   conv norm relu   conv norm relu   conv norm relu        a chain of three links
 *   [-------------- stretch -------------] [ stretch ]      the first relu goes, the two convolutions become one
 */
#ifndef COP_CHAIN_H
#define COP_CHAIN_H

#include "compress/compress.h"
#include "op/op.h"

enum { COP_STRETCH_MOST = 12 }; /* links of one */

typedef struct cop_chained {
	cop_nid layer, norm, act; /* conv or fc; bn and clip behind it, 0: none */
	cop_vid in, out;          /* what the layer reads, and what the last of the three makes */
	int32_t begin, end;       /* of its chain: begin .. end-1 */
	cop_nid sum;              /* of the last: the sum of its result and the chain's own input, 0: there is none */
	bool plain;               /* no groups, no dilation: it can be merged */
	bool leaves;              /* its result is of its input's shape: it can be left out */
	double size;              /* mean magnitude of its weights */
} cop_chained;
typedef struct cop_chains { const cop_graph *g; cop_chained *link; int32_t n; cop_arena mem; } cop_chains;

cop_status cop__chains_find(cop_chains *c, const cop_graph *g); /* cop__chains_free, after a failure too */
void cop__chains_free(cop_chains *c);
void cop__chained_bounds(float *lo, float *hi, const cop_graph *g, const cop_chained *l); /* of what it makes */

/* Links from .. to-1. a: of the one layer that they become; kh 0: nothing is left of them. */
typedef struct cop_stretch {
	int32_t from, to;
	uint32_t gone;      /* a bit for each layer that is left out, from `from` on */
	int32_t kh, kw;
	cop_conv_attr a;
	double time, damage;
} cop_stretch;
static inline bool cop__stretch_drops(const cop_stretch *s, int32_t link) { return s->gone >> (link - s->from) & 1; }
int32_t cop__stretch_keeps(const cop_stretch *s); /* how many of its layers are not left out */
/* from, to and gone are given: fills in the rest but time and damage; false: that can't become one layer. */
bool cop__stretch_fit(cop_stretch *s, const cop_chains *c);
/* Does it take a whole block, around which its input goes? Then the block becomes its shortcut. */
bool cop__stretch_is_block(const cop_stretch *s, const cop_chains *c);

/* g with these stretches, which do not overlap; the layers of each are still apart, but all padding is before the
 * first, so that they are one layer exactly. */
cop_status cop__rewire(cop_graph **out, const cop_chains *c, const cop_stretch *s, int32_t n);

/* choice[0..*n_choice): of the n stretches those that cover the links 0 .. links-1 at the least damage within
 * `limit` of time. *least: the time below which there is nothing. COP_BUDGET, without a sentence: nothing fits. */
cop_status cop__cover(int32_t *choice, int32_t *n_choice, double *least, cop_ctx *cx, const cop_stretch *s, int32_t n,
	int32_t links, double limit);

/* ---- what a stretch takes on a machine ---- */
typedef struct cop_pricer { /* zeroed but for the first */
	cop_ctx *cx;
	cop_target t;
	bool int8, host;
	struct cop_piece *known;
	int32_t n, cap;
} cop_pricer;
cop_status cop__price_begin(cop_pricer *p, const char *target, bool int8);
cop_status cop__price_stretch(double *time, cop_pricer *p, const cop_chains *c, const cop_stretch *s);
cop_status cop__price_graph(double *time, cop_pricer *p, const cop_graph *g, cop_dataset *calib);
void cop__price_end(cop_pricer *p);

#endif
