/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COP_FORM_PALETTE_H
#define COP_FORM_PALETTE_H

#include <stdint.h>

/* Options of the form palette. */
typedef struct cop_palette_options { int32_t levels; } cop_palette_options;

/* One-dimensional k-means with linear initialisation (arXiv 1510.00149, section 3.2). Fills codebook[k] and code[n].
 * An empty cluster keeps its centroid. Returns the number of rounds. */
int cop__kmeans(float *codebook, uint8_t *code, int32_t k, const float *v, int64_t n);

#endif
