/* SPDX-License-Identifier: Apache-2.0
 *
 * spans.h - weights seen as groups of numbers that shrink or grow together: filters, channels, whole layers, or everything that one channel runs through.
 * A span is one axis of one weight; the same group may lie in several spans.
 */
#ifndef COP_POLICY_SPANS_H
#define COP_POLICY_SPANS_H

#include "train/policy.h"

typedef enum cop_by { COP_BY_FILTER, COP_BY_CHANNEL, COP_BY_SHAPE, COP_BY_LAYER, COP_BY_COUPLING } cop_by;

typedef struct cop_span {
	cop_handle w;
	int64_t outer, n, inner; /* of the weight's numbers, [outer][n][inner] */
	const int32_t *group;    /* [n], -1: none */
} cop_span;
typedef struct cop_spans {
	cop_span *at;
	int32_t n, n_group;
	int32_t *pool;  /* [n_group] groups of one kind, to be compared: those of one layer; ascending */
	int64_t *size;  /* [n_group] numbers in each */
	double *sq;     /* [n_group] their sum of squares, after cop__spans_measure */
	float *factor;  /* [n_group] what cop__spans_scale multiplies them by */
} cop_spans;

/* Of the trained weights that match. A group that must stay (links.c) is left out, but SHAPE and LAYER take every one. SHAPE: of filters of
 * convolutions alone. Fails where nothing is left. */
cop_status cop__spans_build(cop_spans *s, cop_arena *mem, cop_build *b, cop_by by, const char *layers);
cop_status cop__spans_measure(cop_spans *s, const cop_trainer *t);
cop_status cop__spans_scale(const cop_spans *s, const cop_trainer *t);

#endif
