/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h - the geometry that convolutions and pools share: one to three spatial axes.
 */
#ifndef COP_ONNX_WINDOW_H
#define COP_ONNX_WINDOW_H

#include "io/onnx/onnx.h"

typedef struct cop_ox_window {
	int n;                       /* spatial axes */
	int32_t in[3], k[3], stride[3], dilation[3], before[3], after[3], out[3];
	bool given;                  /* paddings were given or are none: not auto_pad */
} cop_ox_window;

/* Attributes of n for spatial axes of these lengths; k: the kernel's sizes, NULL: from kernel_shape. `out` as a
 * convolution has it. */
cop_status cop__ox_window(cop_ox *m, const cop_ox_node *n, const cop_ox_value *x, const int32_t *k, cop_ox_window *w);
/* Input x (F32 or bytes, then made F32), channels last, with exactly two spatial axes: a unit is put before a single
 * one. */
cop_vid cop__ox_image(cop_ox *m, cop_vid last);
/* Back: the result of a node on images, for a value of `rank` axes. */
cop_vid cop__ox_from_image(cop_ox *m, cop_vid y, int32_t rank);
/* A weight [o,c,k...] as [o,kh,kw,c]; rows: as cop__ox_rows gives it. */
cop_vid cop__ox_kernel(cop_ox *m, const cop_ox_node *n, int i, bool rows);
/* The Add behind n that only adds one known number a channel (axis `axis` of n's result): it is taken over, and *bias
 * is its operand as a vector. NULL: there is none. */
cop_ox_node *cop__ox_bias_behind(cop_ox *m, const cop_ox_node *n, int32_t rank, int32_t axis, int32_t count,
	cop_vid *bias);
cop_vid cop__ox_bias(cop_ox *m, cop_ox_value *b, int32_t count);       /* known: a parameter of rank 1 */
/* Result of n, or of the node behind it that it took over. */
cop_status cop__ox_finish(cop_ox *m, const cop_ox_node *n, cop_ox_node *behind, cop_vid y, cop_ox_layout l);
/* The convolution itself: x LAST; the result is LAST. */
cop_vid cop__ox_conv(cop_ox *m, const cop_ox_node *n, const cop_ox_window *w, cop_vid x, cop_vid kernel, cop_vid bias,
	int32_t rank, int32_t groups);

#endif
