/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize.h - post-training quantisation, from a float model to int8 operators (src/op/q*.c), step by step:
 *
 *   prepare     the deployed form: batch norm folded, activations fused, weights dense            quantize.c
 *   equalize    ranges of neighbouring layers brought together; the function stays the same       equalize.c
 *   sums        below 8 bits: values of shortcuts apart from what layers read                     sums.c
 *   calibrate   histograms of every value                                                         calibrate.c
 *   ranges      a histogram becomes a scale and a zero point                                      ranges.c, assign.c
 *   weights     layer by layer: scales by output channel, rounding to the nearest, with what follows
 *               making good for the error, or learned                                           weights.c, moments.c, gptq.c, adaround.c
 *   blocks      the rounding of the layers of a block learned together against its output        blocks.h, blockwise.c, reconstruct.c
 *   lower       the graph of integers                                                             pass/lower.c
 *   alone       how much each layer costs when it alone is quantised                              alone.c
 *   choose      which layers get more bits, to hold a bound on the accuracy                       choose.c
 *   mixed       bits for each layer by itself, to hold limits on bytes and instructions           mixed.h
 *   fake        the same as floats that round, which can be trained: the stage qat                fake.c, qat.c, oscillate.c
 *
 * All of it works on one float graph `g` and side arrays indexed by its values and nodes.
 */
#ifndef COP_COMPRESS_QUANTIZE_H
#define COP_COMPRESS_QUANTIZE_H

#include "compress/layers.h"
#include "compress/watch.h"
#include "pass/lower.h"

#include <math.h>

typedef enum cop_rounding {
	COP_ROUND_NEAREST,
	COP_ROUND_GPTQ,
	COP_ROUND_ADAROUND,
	COP_ROUND_BLOCK, /* learned for all layers of a block together, from what GPTQ leaves */
	COP_ROUND_QDROP, /* the same while some values stay unrounded by chance */
} cop_rounding;
typedef enum cop_range_kind { COP_RANGE_MINMAX, COP_RANGE_PERCENTILE, COP_RANGE_MSE, COP_RANGE_KL } cop_range_kind;

/* ---- what is seen of a value while samples run ----
 * Bins of equal width over -reach .. reach. reach doubles when a larger number comes, and pairs of bins merge: the
 * counts do not depend on the order of what is seen. */
enum { COP_SEEN_BINS = 4096 };
/* infinite: how many numbers were, and are not counted */
typedef struct cop_seen { float lo, hi, reach; int64_t n, infinite; int64_t *count; } cop_seen;
void cop__see(cop_seen *s, const float *x, int64_t n);

/* ---- ranges ---- */
/* The range for `bits` bits that covers lo..hi, 0 included exactly. */
cop_qrange cop__qrange(float lo, float hi, int bits, bool symmetric);
cop_status cop__qrange_of(cop_qrange *out, cop_ctx *cx, const cop_seen *s, cop_range_kind kind, int bits,
	bool symmetric);
/* The threshold of |x| in bins (of bins[n]) with the least divergence from its `levels`-level form; n: nothing is
 * cut. */
int32_t cop__kl_threshold(const double *bins, int32_t n, int32_t levels, double *room /* [2 * n] */);

/* ---- weights ---- */
/* The symmetric scale of rows of k weights for integers -most .. most: by their largest, or by least squares over
 * shrunken ones. matters [k]: by how much the error of each counts; NULL: all alike. */
float cop__weight_scale(const float *w, int32_t rows, int32_t k, int32_t most, bool least_squares,
	const float *matters);
static inline int32_t cop__round_weight(float w, float scale, int32_t most)
{
	float q = roundf(w / scale);
	return q > (float)most ? most : q < -(float)most ? -most : (int32_t)q;
}

/* What AdaRound learns: an integer is the one below plus h(v), which runs from 0 to 1. */
typedef struct cop_adam { float m, u; } cop_adam; /* running means of a gradient and of its square */
typedef struct cop_pace { float rate, pull, beta, b1, b2; } cop_pace; /* pull: what an h off its ends costs, beta: how steeply; b: Adam's */
float cop__soft(float v);          /* h */
float cop__soft_start(float rest); /* the v whose h it is */
cop_pace cop__pace(float by, float to_ends, int32_t t, int32_t steps); /* of step t */
void cop__adam_step(cop_adam *a, float *x, float grad, const cop_pace *p);
void cop__soft_step(cop_adam *a, float *v, float grad, const cop_pace *p); /* grad: of the cost by the integer */

/* AdaRound (Nagel 2020) of a row of k weights: each becomes the integer below or above it, so that the cost
 * e' H e + 2 e' d is least, where e = scale q - w. H [k,k] holds the mean products of the layer's inputs, d what the
 * errors of their makers add (NULL: nothing). q comes in rounded to the nearest and is never made worse. */
cop_status cop__adaround(int8_t *q, cop_ctx *cx, const float *w, float scale, int32_t k, const float *h, const float *d,
	int32_t most, int32_t steps);
/* GPTQ of rows of k weights that see inputs with the mean products h [k,k]; d as above. Close it after a failure, too. */
typedef struct cop_gptq { int32_t k, *order; const float *h; double *l; int8_t *nearest; /* [k,k], the factor of the inverse, and room for rows */ } cop_gptq;
cop_status cop__gptq_open(cop_gptq *f, cop_ctx *cx, const float *h, int32_t k);
void cop__gptq_close(cop_gptq *f, cop_ctx *cx);
void cop__gptq(int8_t *q, const cop_gptq *f, const float *w, float scale, const float *d, int32_t most);
double cop__round_cost(const int8_t *q, const float *w, float scale, int32_t k, const float *h, const float *d);

/* ---- the work ---- */
typedef struct cop_quantizer {
	cop_ctx *cx;
	const cop_quantize_args *a;
	cop_graph *g;
	cop_arena mem;
	int weight_bits, act_bits;
	bool limited;           /* each layer has bits of its own (mixed.h) */
	int harm, pick;         /* then: rows of cop__harms and cop__picks */
	bool apart;             /* weights of each layer are rounded as if those before it were exact */
	cop_range_kind range;
	cop_rounding round;
	cop_dataset *calib, **sets; /* of the first input; of each */
	int64_t each;           /* numbers of one of its samples */
	int32_t samples, batch; /* of calibration; of a run */
	int32_t held;           /* samples that the model takes at once, as far as its shape says; else 0 */
	cop_dataset *fitted;    /* what had to be made of calib */
	cop_seen *seen;         /* [n_value+1] */
	cop_qrange *act;        /* [n_value+1] */
	cop_qlayer *layer;      /* [n_node+1]; o = 0: not a layer */
	cop_graph *rough;       /* g with the weights that the layers quantised so far have; same indices */
	cop_watch exact;        /* of g */
} cop_quantizer;

/* Bits of activations at the ends of the network, and beside what stays float. */
static inline int cop__end_bits(const cop_quantizer *z) { return COP_MAX(8, z->act_bits); }

/* Of `a` with weight_bits, act_bits: the float graph, and what is seen of its values on the samples; then ranges and weights are next. After a failure too,
 * close. */
cop_status cop__quantizer_open(cop_quantizer *z, const cop_graph *model, cop_dataset *calib);
void cop__quantizer_close(cop_quantizer *z);
cop_status cop__quantize_prepare(cop_graph **out, const cop_graph *g);
cop_status cop__prepared_inputs(cop_graph **out, const cop_graph *g); /* prepared.c */
cop_status cop__transposed_to_conv(cop_graph **out, const cop_graph *g); /* transposed.c */
cop_status cop__equalize(cop_graph *g, int32_t *pairs); /* in place; says how many pairs there were */
cop_vid cop__origin(const cop_graph *g, cop_vid v); /* the value that v's numbers were moved from (sums.c) */
void cop__mark_sums(bool *sums /* [n_value+1] */, const cop_graph *g); /* sums of two values of one shape, and what they add */
cop_status cop__layers_off_sums(cop_graph **out, const cop_graph *g);  /* a copy of each of them stands before the layers that read it */
cop_status cop__calibrate(cop_quantizer *z);

enum { COP_MOST_PRODUCTS = 4608 }; /* numbers a filter sees, up to which their products are kept */
/* What the filters of a layer see, in the float network (x) and where the layers before it are quantised (x^). By
 * group. */
typedef struct cop_moments {
	int32_t groups, k;
	double n;     /* positions */
	float *mean;  /* [groups,k] of x^ */
	float *shift; /* [groups,k] mean of x^ - x */
	float *h;     /* [groups,k,k] mean of x^ x^' */
	float *m;     /* [groups,k,k] mean of x^ (x^ - x)' */
} cop_moments;
/* free with cop__moments_free, after a failure too */
cop_status cop__moments(cop_moments *m, cop_quantizer *z, cop_nid n, bool products);
void cop__moments_free(cop_moments *m, cop_ctx *cx);
void cop__moments_center(cop_moments *m); /* about the means: what a bias cannot take back */

cop_status cop__quantize_weights(cop_quantizer *z); /* of all layers, in order, for their bits: q, scale, bias */
cop_status cop__wide_ends(cop_quantizer *z); /* 8 bits for the weights beside the input and before the output (assign.c) */
cop_status cop__set_ranges(cop_quantizer *z);                  /* act[] from seen[] and layer[].act_bits (assign.c) */
cop_status cop__lower_quantized(cop_graph **out, const cop_quantizer *z);
double cop__decibels(double signal, double noise); /* ranges.c */
cop_status cop__sensitivity(cop_quantizer *z); /* sqnr and harm of each layer with the bits that it has */
double cop__divergence(const float *a, const float *b, int64_t n, bool probable); /* of answers to one sample: logits, or probabilities */
/* fails where results are not finite, warns where little of them is left */
cop_status cop__check_whole(const cop_quantizer *z, const cop_graph *q);
cop_status cop__choose(cop_graph **out, cop_quantizer *z, const cop_graph *model);

/* Weights alone: bytes with a scale by row (bits 8), or half floats (bits 16), for layers that match. */
cop_status cop__narrow_weights(cop_graph **out, const cop_graph *g, int bits, const char *keep, bool per_tensor);

#endif
