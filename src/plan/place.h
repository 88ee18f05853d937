/* SPDX-License-Identifier: Apache-2.0
 *
 * place.h - pieces that have their offset, kept so that the lowest free one for another is found without looking at each.
 *
 * They lie sorted by offset (and step), cut into runs of at most RUN. A run knows between which steps it is live, whether there is a step
 * range in which all of it is, how high it reaches and the widest gap within: most runs are passed as a whole, either because the new piece
 * meets none of them or because it meets all and fits into no gap. With n pieces that is about n / RUN + RUN steps for each.
 */
#ifndef COP_PLACE_H
#define COP_PLACE_H

#include "plan/plan.h"

enum { COP_RUN = 64 };

typedef struct cop_run {
	int32_t n, id[COP_RUN];
	int32_t first_from, last_from, first_to, last_to; /* the least and the largest of either end */
	size_t top, gap;                                  /* the highest end; when known, the widest gap between pieces, 0: none */
	bool known;
} cop_run;

typedef struct cop_shelf {
	const cop_span *span;
	cop_run *run;       /* [cap] */
	int32_t *order, *of;/* runs by offset; of[i]: the run of piece i, -1: it is not placed */
	int32_t n_run, n;
	int64_t steps;      /* runs and pieces looked at, ever: the work that was done */
} cop_shelf;

cop_status cop__shelf_make(cop_shelf *s, cop_arena *mem, const cop_span *span, int32_t n);
void cop__shelf_clear(cop_shelf *s);
/* The lowest offset at which piece i shares no byte with a placed one that is live with it, but for what `over` allows.
 * upper: the piece that lies over i, or -1. */
size_t cop__shelf_lowest(cop_shelf *s, int32_t i, int32_t upper);
/* Puts piece i at its span's offset. */
void cop__shelf_put(cop_shelf *s, int32_t i);

#endif
