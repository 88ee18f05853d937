/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - weights of which a part alone is trained: of the channels that a layer reads, those whose weights are largest. A sparse update (Lin et al.
 * 2022, arXiv 2206.15472, section 3.2) is made of such parts.
 *
 * The part is a parameter of its own, "conv1.w.part". The weight becomes a constant, and what the layer reads is paste(weight, part, list); so what is not
 * trained stays where constants are, and op/part.h keeps of the layer's input what the part alone needs.
 */
#ifndef COP_PASS_PARTS_H
#define COP_PASS_PARTS_H

#include "core/options.h"
#include "graph/graph.h"

#define COP_PART "part"
static inline bool cop__is_part(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && !strcmp(dot + 1, COP_PART);
}

/* Of weights named by `layers`, the part of their channels that `channels` says; the first pattern that fits counts, 1 is all. *found: how many weights. */
cop_status cop__pass_parts(cop_graph **out, const cop_graph *g, const char *layers, const cop_rates *channels, int32_t *found);
/* The same, of so many elements of each weight of g (elements[n_value+1]; 0: all of them): as a record has them that a device kept. */
cop_status cop__pass_parts_of(cop_graph **out, const cop_graph *g, const int64_t *elements);
/* The way back: each weight in one, with its part as it was trained. */
cop_status cop__pass_whole(cop_graph **out, const cop_graph *g);

#endif
