/* SPDX-License-Identifier: Apache-2.0
 *
 * pairs.h - which values within two networks belong together: what their layers put out.
 *
 * A layer puts out its result behind all that follows it alone and keeps its shape: batch norm, a sum, an activation, rounding. It is named by its
 * weight, "conv2.w", or without the last part of that name, "conv2".
 */
#ifndef COP_POLICY_PAIRS_H
#define COP_POLICY_PAIRS_H

#include "graph/graph.h"

enum { COP_MAX_PAIRS = 64 };
typedef struct cop_pair { cop_vid student, teacher; const char *of, *from; /* names of their layers */ } cop_pair;
typedef struct cop_pairs { cop_pair at[COP_MAX_PAIRS]; int32_t n; } cop_pairs;

typedef struct cop_pairing {
	const cop_graph *student, *teacher; /* of the same batch */
	int32_t positions;                  /* the least that both need, and then as many; 0: any */
	const char *at;                     /* "conv2|conv3>conv5": the student's layer, and the teacher's where it has another name; "": by size */
} cop_pairing;

/* By size: of each height and width the last value in either network, but for its answer. Fails where nothing fits. */
cop_status cop__pairs(cop_pairs *out, const cop_pairing *p);

#endif
