/* SPDX-License-Identifier: Apache-2.0
 *
 * qscale.h - real factors as the integers that int8 ops carry (kernel/quant.h says how they are applied). For importers
 * and for quantisation.
 */
#ifndef COP_OP_QSCALE_H
#define COP_OP_QSCALE_H

#include "kernel/quant.h"
#include "op/op.h"

/* real = scale * (q - zero), lo <= q <= hi. scale 0: no range is known. */
typedef struct cop_qrange { float scale; int32_t zero, lo, hi; } cop_qrange;
int32_t cop__quantise(float x, const cop_qrange *r); /* ties away from zero, as the quantize operator */
static inline cop_dtype cop__range_dtype(const cop_qrange *r) { return r->hi > 127 ? COP_I16 : COP_I8; }

/* real = m * 2^(shift-31), 2^30 <= m < 2^31 (TFLite's QuantizeMultiplier); m = 0 for 0 and what is too small, the
 * largest for what is too large. */
void cop__multiplier_double(int32_t *m, int32_t *shift, double real);
/* The same for a kernel whose sums are products of bytes: 2^10 and more is just below 2^10, which takes every number
 * but 0 to the ends of int8 as well. */
void cop__multiplier_bytes(int32_t *m, int32_t *shift, double real);
/* d steps from a zero point, |d| < 256, on another scale: a byte, the nearest where there is none. */
int8_t cop__rescale_byte(int32_t d, int32_t zero, int32_t m, int32_t shift);
/* The least `up` for which every real[n] is below 2^(up-1), and m = real * 2^(32-up). False if one is not below
 * 2^30. */
bool cop__multipliers_single(int32_t *m, int32_t *up, const double *real, int32_t n);
/* The attributes of a sum of two scales: za zb zy qlo qhi are the caller's. exact: with TFLite's bits. */
void cop__qadd_scales(cop_qadd_attr *a, double scale_a, double scale_b, double scale_y, bool exact);
/* The attributes of TFLite's softmax for logits of this scale; where all their steps together are nothing, of equal
 * ones. */
cop_qsoftmax_attr cop__qsoftmax_scale(double scale, double beta);
cop_qlogsoftmax_attr cop__qlogsoftmax_scale(double scale);
/* The real factors again. */
double cop__real_double(int32_t m, int32_t shift);
/* beside the result's scale; negative: subtracted */
void cop__qadd_real(const cop_qadd_attr *a, double *scale_a, double *scale_b);
/* of output channel o; m has contents */
double cop__qconv_real(const cop_qconv_attr *a, const cop_value *m, int32_t o);
double cop__qsoftmax_real(const cop_qsoftmax_attr *a); /* the scale of its logits */
/* A table from i8 to i8 that is a straight line between two bounds: at_zero + slope x, within lo .. hi. */
typedef struct cop_line { double slope, at_zero; int32_t lo, hi; } cop_line;
bool cop__lut_line(cop_line *l, const cop_graph *g, cop_nid n);
/* The scale of every value of bytes, [n_value+1] of zeros before (int_scales.c). */
void cop__int_scales(double *scale, const cop_graph *g);
/* Bytes with the other sign convention: i8 as u8 + 128 and back, by a table named `name`, made once. to: I8 or U8. */
cop_vid cop__flip_bytes(cop_graph *g, const char *name, cop_vid x, cop_dtype to);

#endif
