/* SPDX-License-Identifier: Apache-2.0
 *
 * layers.h - the one place that knows which weights and layers can be compressed, by what, and why not.
 */
#ifndef COP_LAYERS_H
#define COP_LAYERS_H

#include "compress/compress.h"
#include "op/op.h"

/* A weight: a parameter of two or more dimensions, whatever it is made of. */
bool cop__weight_is(const cop_graph *g, cop_vid v);
/* One that can be pruned, shared and trained: made of dense floats, and its name matches. */
bool cop__compressible(const cop_graph *g, cop_vid v, const char *layers);

/* Of a weight; why: NULL, or says why not. */
bool cop__can_change(const cop_graph *g, cop_vid v, cop_why *why);   /* dense floats */
bool cop__can_encode(const cop_graph *g, cop_vid v, cop_why *why);   /* and only products with kernels for encoded weights read it */
uint32_t cop__encodings_for(const cop_graph *g, cop_vid v, cop_why *why); /* a bit for each exact encoding that all its readers can read */
bool cop__can_quantize(const cop_graph *g, cop_vid v, cop_why *why); /* some reader has a form in integers */

/* A layer that can be a qconv: conv or fc with constant dense weights; its name is its weight's. */
bool cop__qlayer_is(const cop_graph *g, cop_nid n);
const char *cop__qlayer_name(const cop_graph *g, cop_nid n);

/* Fails where a pattern (where: what it is of) matches no weight. */
cop_status cop__some_weight(const cop_graph *g, const char *where, const char *pattern);
/* The same, and where none of those that it matches can be used. what: "be encoded". */
cop_status cop__some_usable(const cop_graph *g, const char *where, const char *pattern, bool (*can)(const cop_graph *, cop_vid, cop_why *));

#endif
