/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges.h - interval analysis: for each channel (last axis) of each value the least and the largest number it can hold for any
 * input at all.
 */
#ifndef COP_RANGES_H
#define COP_RANGES_H

#include "pass/pass.h"

typedef struct cop_range { double lo, hi; } cop_range;

typedef struct cop_ranges {
	const cop_graph *g;
	cop_range **of; /* [n_value+1] one range a channel, or NULL: not analysed (contents, and types other than I8 and F32) */
	cop_arena mem;
} cop_ranges;

cop_status cop__ranges(cop_ranges *r, const cop_graph *g); /* NOMEM; freed in either case */
void cop__ranges_free(cop_ranges *r);

/* A layer of sums of products whose weights are known: a convolution, int8 or f32, or fc. */
typedef struct cop_sums {
	const cop_value *w, *b;        /* w [o,...,c] */
	int32_t o, taps, c, groups;
	bool pads;
	double pad;                    /* what padding reads */
} cop_sums;

bool cop__is_sums(const cop_graph *g, cop_nid n, int32_t *groups);
bool cop__sums_of(cop_sums *s, const cop_graph *g, cop_nid n); /* false: not one, or its weights are not constants of I8 or F32 */
double cop__sums_weight(const cop_sums *s, int32_t o, int32_t tap, int32_t c);

#endif
