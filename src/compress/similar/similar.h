/* SPDX-License-Identifier: Apache-2.0
 *
 * similar.h - neurons that do nearly the same, found without data (Srinivas and Babu 2015, arXiv 1507.06149). Neuron j goes in favour of i: what reads
 * j reads i as well, at the scale of j.
 */
#ifndef COP_SIMILAR_H
#define COP_SIMILAR_H

#include "compress/layers.h"

/* A layer of n neurons of `in` inputs each, and the `out` sums that read them. */
typedef struct cop_neurons {
	int32_t n, in, out;
	const float *w;    /* [n,in] */
	const float *b;    /* [n] or NULL */
	float *next;       /* [out,n] changed by surgery */
	bool rectified;    /* max(0, .) stands between the two layers */
} cop_neurons;

/* shared: all that stay make good for one that goes (shared.c). similar: the nearest one does; ratio: the same with the distance as it was published.
 * naive, random: nobody does. */
typedef enum cop_similar_by { COP_BY_SHARED, COP_BY_SIMILAR, COP_BY_RATIO, COP_BY_NAIVE, COP_BY_RANDOM } cop_similar_by;

/* How far apart two neurons are once each is divided by the norm of its weights, squared: the sum over weights and bias of squared differences; as
 * a ratio: (|w - v| / |w + v| + |b - c| / |b + c|)^2. */
double cop__neuron_distance(const cop_neurons *x, int32_t i, int32_t j, bool ratio);
/* The mean product of two neurons over inputs from any direction alike. */
double cop__neuron_product(const cop_neurons *x, int32_t i, int32_t j);

/* Removes neurons: all but `keep` of them, or with 0 until the least saliency is above the mode of those of the start; `part` of that number. stays[n]
 * says who is left; the columns of `next` of those have what was added. saliency [n] NULL, or receives what each cost, in order. *gone: how many went. */
typedef struct cop_similar_args { cop_similar_by by; int32_t keep; double part; uint64_t seed; uint32_t stream; } cop_similar_args;
cop_status cop__similar(uint8_t *stays, int32_t *gone, float *saliency, cop_ctx *cx, const cop_neurons *x, const cop_similar_args *a);
/* Of by: shared. rule: not above the mode. */
cop_status cop__shared(uint8_t *stays, int32_t *gone, float *saliency, cop_arena *mem, const cop_neurons *x, int32_t most, bool rule);

/* The mode of v[n] (reordered): the middle of the fullest of 100 bins over what is below its 95th percentile. */
double cop__mode(float *v, int64_t n);

#endif
