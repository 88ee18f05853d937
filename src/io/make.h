/* SPDX-License-Identifier: Apache-2.0
 *
 * make.h - nodes that readers of other formats append to a graph, with what they have in common: 0 goes through (a failure is
 * recorded already), what would do nothing is not made, number formats are brought together.
 */
#ifndef COP_MAKE_H
#define COP_MAKE_H

#include "op/op.h"

/* ---- constants, under names made unique; data is copied (make.c) ---- */
cop_vid cop__make_const(cop_graph *g, const char *name, const cop_type *t, const void *data);
cop_vid cop__make_scalar(cop_graph *g, float value);                                 /* f32[1]; made once a value */
cop_vid cop__make_ints(cop_graph *g, const char *name, const int32_t *v, int32_t count);

/* ---- one node each (make.c) ---- */
cop_vid cop__make_transpose(cop_graph *g, cop_vid x, const int32_t *perm);           /* cancels with one before it; free when only units move */
cop_vid cop__make_reshape(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim);/* keeps the batch open */
cop_vid cop__make_concat(cop_graph *g, int32_t axis, int n, cop_vid *v);             /* v is used up; n = 1: a value of its own */
cop_vid cop__make_expand(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim);
cop_vid cop__make_slice(cop_graph *g, cop_vid x, int32_t axis, int32_t from, int32_t size, int32_t step);
cop_vid cop__make_gather(cop_graph *g, cop_vid x, cop_vid index, int32_t axis);
cop_vid cop__make_cast(cop_graph *g, cop_vid x, cop_dtype to);
cop_vid cop__make_widen(cop_graph *g, cop_vid x);                                    /* bytes to I32 */
cop_vid cop__make_two(cop_graph *g, int op, cop_vid a, cop_vid b);                   /* OP_add, OP_max, OP_less ...; bytes are widened first */
cop_vid cop__make_two_f(cop_graph *g, int op, cop_vid a, float b);                   /* a is F32 */
cop_vid cop__make_clip(cop_graph *g, cop_vid x, float lo, float hi);
cop_vid cop__make_matmul(cop_graph *g, cop_vid a, cop_vid b, int ta, int tb);
cop_vid cop__make_map(cop_graph *g, int fn, float alpha, float beta, cop_vid x);
cop_vid cop__make_where(cop_graph *g, cop_vid cond, cop_vid a, cop_vid b);
cop_vid cop__make_reduce(cop_graph *g, int fn, cop_vid x, uint32_t axes, bool keep);
cop_vid cop__make_argmax(cop_graph *g, cop_vid x, int32_t axis, bool keep, bool last);
cop_vid cop__make_layernorm(cop_graph *g, cop_vid x, cop_vid gamma, cop_vid beta, float eps, bool rms); /* over the last axis; 0: absent */
cop_vid cop__make_lrn(cop_graph *g, cop_vid x, int32_t size, float alpha, float beta, float bias);     /* channels last */
cop_vid cop__make_softmax(cop_graph *g, cop_vid x, int32_t axis);                    /* over one axis */

/* ---- several nodes (make_forms.c) ---- */
/* The common leading axes of two stacks of matrices: dim[0..rank-2) of the larger rank; the axis that does not fit, or -1. */
int cop__make_stack(const cop_type *a, const cop_type *b, int32_t *rank, int32_t *dim);
cop_vid cop__make_product(cop_graph *g, cop_vid a, cop_vid b, int ta, int tb);       /* [..,m,k] [..,k,n]; ta, tb: the last two axes of a, b swapped */
cop_vid cop__make_tile(cop_graph *g, cop_vid x, const int32_t *times);               /* one for each axis, at least 1 */
/* [n,h,w,c b b]; the channel's index before the block's: CRD of ONNX */
cop_vid cop__make_depth_to_space(cop_graph *g, cop_vid x, int32_t block, bool channel_first);
cop_vid cop__make_space_to_depth(cop_graph *g, cop_vid x, int32_t block);            /* [n,h b,w b,c] */
cop_vid cop__make_log_softmax(cop_graph *g, cop_vid x, int32_t axis);
cop_vid cop__make_gelu(cop_graph *g, cop_vid x, bool by_tanh);                       /* Hendrycks, Gimpel 2016 (arXiv:1606.08415) */

#endif
