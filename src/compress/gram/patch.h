/* SPDX-License-Identifier: Apache-2.0
 *
 * patch.h - what the filters of a convolution or a fully connected layer see: the numbers under the window at one position.
 */
#ifndef COP_PATCH_H
#define COP_PATCH_H

#include "compress/watch.h"

typedef struct cop_filter { int32_t h, w, c, oh, ow, kh, kw, groups, k; cop_conv_attr a; } cop_filter; /* k: numbers that one sees; of fc: one position */
cop_filter cop__filter_of(const cop_graph *g, cop_nid n);

enum { COP_POSITIONS = 48 }; /* of an image, drawn; fewer where it has fewer */
static inline int32_t cop__positions(const cop_filter *f) { return COP_MIN(f->oh * f->ow, COP_POSITIONS); }
/* Position `spot` (0 .. cop__positions - 1) of image i. */
int32_t cop__position(const cop_filter *f, uint64_t seed, uint32_t stream, int64_t i, int32_t spot);
/* The numbers [k] that the filters of a group see at position `at` of image x, zeros in the padding. */
void cop__patch(float *to, const cop_filter *f, const float *x, int32_t group, int32_t at);
/* to [k,k] += P'Q for patches p, q [n,k]. */
void cop__add_products(float *to, const float *p, const float *q, int32_t n, int32_t k);

/* Images [samples in the session, rows] that node n of a watched network reads, after a run; g: the network as it was before the batch. */
cop_status cop__watch_read(cop_watch *w, const cop_graph *g, cop_nid n, const float **x);
/* Does it read an input of the network itself, so that no run is needed? */
bool cop__reads_input(const cop_graph *g, cop_nid n);

#endif
