/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COP_FORM_PALETTE_H
#define COP_FORM_PALETTE_H

#include "train/build.h"

/* Where centroids begin (arXiv 1510.00149, section 3.2): evenly between the least and the largest, at even steps of the distribution, at numbers drawn from all. */
#define COP_BEGINNINGS "linear|density|random"
typedef enum cop_beginning { COP_BEGIN_LINEAR, COP_BEGIN_DENSITY, COP_BEGIN_RANDOM } cop_beginning;

enum { COP_MOST_VECTOR = 4, COP_MOST_GROUPS = 65536 };
/* Options of the form palette. width: neighbours along the weight's rows that share a code; it divides the weight's numbers. groups: of rows, each with a codebook of its own. */
typedef struct cop_palette_options { int32_t levels, init, width, groups; uint64_t seed; } cop_palette_options;
/* Of the form dkm. temperature: in mean squares of the weights. */
typedef struct cop_dkm_options { int32_t levels, init, rounds; float temperature; uint64_t seed; } cop_dkm_options;

/* k ascending centroids of ascending numbers. */
void cop__first_centroids(float *c, int32_t k, const float *sorted, int64_t n, cop_beginning init, uint64_t seed);
/* One-dimensional k-means from c[k], which ascends. Changes c and fills code[n]. An empty cluster keeps its centroid. Returns the number of rounds. */
int cop__kmeans(float *c, uint8_t *code, int32_t k, const float *v, int64_t n);
/* The same of n vectors of `width` numbers, from k-means++: c[k][width]. room: [n] */
int cop__kmeans_vectors(float *c, uint8_t *code, int32_t k, int32_t width, const float *v, int64_t n, float *room, uint64_t seed);
/* Weights that are not zero in levels - 1 clusters, whose centroids are entries 1 and up of book[levels]; code 0 and entry 0 are the zero's. */
cop_status cop__cluster(cop_ctx *cx, float *book, uint8_t *codes, const cop_palette_options *a, const float *w, int64_t n);
/* DKM (dkm.c): y[n][1], of each w[n][1] the mean of the centroids that it attends to. *c: [1][k], moved in some rounds. cold: -1 / temperature. kept: [n][1] of ones and
 * zeros, or 0 for all. */
cop_vid cop__attend(cop_graph *g, cop_vid w, cop_vid *c, cop_vid cold, cop_vid kept, int32_t rounds);
#define COP_CENTROIDS "centroids" /* the STATE of the form dkm: [1][levels - 1] */
/* Each number that is not 0 becomes the nearest of c[k]. */
void cop__take_nearest(float *w, int64_t n, const float *c, int32_t k);
cop_vid cop__express_vectors(const cop_formed *f, cop_graph *g); /* the weight by vectors of more than one (vectors.c) */

#endif
