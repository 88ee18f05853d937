/* SPDX-License-Identifier: Apache-2.0
 *
 * op.h - what the rows of operators share: typing of results, differentiation, and the attributes of each.
 */
#ifndef COP_OP_H
#define COP_OP_H

#include "graph/ops.h"
#include "kernel/map.h"

/* A function of one element (kernel/functions.h). */
enum { MAP_IS_REAL = 0, MAP_IS_STEP = 1, MAP_IS_WHOLE = 2, MAP_IS_WHOLE_STEP = 3, MAP_IS_TRUTH = 5 };
typedef struct cop_function {
	const char *onnx;
	int kind;          /* bits: 1, no gradient goes through; 2, takes whole numbers, too; 4, takes bytes */
	int n;             /* how many of alpha and beta it has */
	float alpha, beta; /* what ONNX takes for them where they are absent */
} cop_function;
extern const cop_function cop_functions[MAP_FNS];
int cop__function_find(const char *onnx); /* enum cop_map_fn; -1: unknown */

/* ---- for infer ---- */
cop_status cop__set_out(cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank, const int32_t *dim);
cop_status cop__set_out_like(cop_graph *g, cop_nid n, int i, cop_vid like);
/* Fails unless input i is dtype (and of that rank; -1: any). */
cop_status cop__need(const cop_graph *g, cop_nid n, int i, cop_dtype dtype, int32_t rank);
static inline int32_t cop__count32(const cop_type *t) { return (int32_t)cop_type_count(t); }

/* ---- for grad: the call is made with the nodes of the forward graph in reverse order ---- */
cop_graph *cop__grad_graph(cop_grad *d);
/* Sum of the gradients that reached a forward value; 0 if none did. */
cop_vid cop__grad_of(cop_grad *d, cop_vid v);
bool cop__grad_wanted(cop_grad *d, cop_vid v);                 /* does anybody need this value's gradient? */
/* The row list that follows parameter w ("rows" state whose `of` is w), or 0. */
cop_vid cop__rows_of(cop_grad *d, cop_vid w);
/* Appends `op` and adds its result 0 to v's gradient; drops it silently when nobody wants it. */
cop_status cop__grad_put(cop_grad *d, cop_vid v, int op, const void *attr, int n_in, const cop_vid *in);
cop_status cop__grad_add(cop_grad *d, cop_vid v, cop_vid grad); /* adds an existing value to v's gradient */

/* ---- attribute structs, for builders and passes ---- */
typedef struct cop_conv_attr { int32_t sh, sw, pt, pl, pb, pr, dh, dw, groups; float lo, hi; } cop_conv_attr;
/* conv_dx: the forward's attributes and the input's size; conv_dw: the forward's and the kernel's size. */
typedef struct cop_conv_dx_attr { cop_conv_attr c; int32_t h, w; } cop_conv_dx_attr;
typedef struct cop_conv_dw_attr { cop_conv_attr c; int32_t kh, kw; } cop_conv_dw_attr;
typedef struct cop_addconv_attr { cop_conv_attr c; float eta; } cop_addconv_attr; /* eta: of the gradient of w (addconv.c) */
typedef struct cop_act_attr { float lo, hi; } cop_act_attr;              /* fc, add, sub, mul, div, clip */
typedef struct cop_matmul_attr { int32_t ta, tb; } cop_matmul_attr;
typedef struct cop_pool_attr { int32_t kh, kw, sh, sw, pt, pl, pb, pr, count_pads; } cop_pool_attr;
typedef struct cop_pool_grad_attr { cop_pool_attr p; int32_t h, w; } cop_pool_grad_attr;
typedef struct cop_bn_attr { float eps, momentum, lo, hi; } cop_bn_attr;
/* reshape: 0 copies the input's, -1 is inferred; sum_to; transpose: a permutation */
typedef struct cop_shape_attr { int32_t rank, dim[6]; } cop_shape_attr;
typedef struct cop_slice_attr { int32_t from[6], size[6], step[6]; } cop_slice_attr;  /* size 0: to the end */
typedef struct cop_unslice_attr { cop_slice_attr s; int32_t dim[6]; } cop_unslice_attr; /* dim: of the forward input */
typedef struct cop_pad_attr { int32_t before[6], after[6]; float value; } cop_pad_attr;
typedef struct cop_paste_attr { int32_t axis, at; } cop_paste_attr;
typedef struct cop_concat_attr { int32_t axis; } cop_concat_attr;
typedef struct cop_xent_attr { float smooth; } cop_xent_attr;
typedef struct cop_dropout_attr { float p; int32_t seed, node; } cop_dropout_attr;
typedef struct cop_clip_norm_attr { float max; } cop_clip_norm_attr;
typedef struct cop_perturb_attr { int32_t seed, stream, draw; } cop_perturb_attr; /* draw: of kernel/along.h */
typedef struct cop_sgd_attr { float momentum; int32_t nesterov; float decay; } cop_sgd_attr;
typedef struct cop_adam_attr { float b1, b2, eps, decay; int32_t decoupled; } cop_adam_attr;
/* fn: enum cop_map_fn */
typedef struct cop_map_attr { int32_t fn; float alpha, beta; } cop_map_attr;
/* fn: enum cop_reduce_fn; axes: a mask */
typedef struct cop_reduce_attr { int32_t fn, axes, keep; } cop_reduce_attr;
typedef struct cop_argmax_attr { int32_t axis, keep, last; } cop_argmax_attr;
typedef struct cop_axis_attr { int32_t axis; } cop_axis_attr;                                   /* gather, resample */
typedef struct cop_cast_attr { int32_t to; } cop_cast_attr;                                     /* a cop_dtype */
typedef struct cop_layernorm_attr { float eps; int32_t rms; } cop_layernorm_attr;
/* cell: enum cop_rnn_cell; act: cop_rnn_act */
typedef struct cop_rnn_attr { int32_t cell, reverse, time_first, act[3]; float clip, cell_clip; } cop_rnn_attr;
typedef struct cop_lrn_attr { int32_t size; float alpha, beta, k; } cop_lrn_attr;
/* int8, or int16 with all zeros 0: lo and hi bound the result as integers. twice is not an attribute: m says it, [o] or [2,o]. */
typedef struct cop_qconv_attr { int32_t sh, sw, pt, pl, pb, pr, dh, dw, groups, zx, zy, qlo, qhi, up, coded, shift; } cop_qconv_attr;
/* qaddconv has those of qconv; coded and shift are 0 */
/* of the weights of qconv: the forward's, the kernel's size, and the zero of x; qconv_step also says how it rounds (enum cop_q_round) */
typedef struct cop_qconv_dw_attr { cop_conv_dw_attr d; int32_t zx; } cop_qconv_dw_attr;
typedef struct cop_qconv_step_attr { cop_qconv_dw_attr w; int32_t round, seed; } cop_qconv_step_attr;
typedef struct cop_qstep_attr { int32_t round, seed; } cop_qstep_attr;
typedef struct cop_pack8_attr { int32_t zero; } cop_pack8_attr; /* unpack8, too */
/* of errors as bytes: round is enum cop_e_round; by: what all factors are multiplied by */
typedef struct cop_qerr_attr { int32_t round; } cop_qerr_attr; /* qerr_add, too */
typedef struct cop_qerr_back_attr { float by; int32_t round; } cop_qerr_back_attr;
typedef struct cop_qerr_dx_attr { cop_conv_dx_attr d; float by; int32_t round; } cop_qerr_dx_attr;
typedef struct cop_inside_attr { int32_t qlo, qhi; } cop_inside_attr;
typedef struct cop_qfold_attr { int32_t zx; } cop_qfold_attr;
typedef struct cop_qadd_attr { int32_t za, zb, zy, ma, sa, mb, sb, my, sy, qlo, qhi, exact; } cop_qadd_attr;
typedef struct cop_qmul_attr { int32_t za, zb, zy, my, sy, qlo, qhi; } cop_qmul_attr;
typedef struct cop_qavgpool_attr { int32_t kh, kw, sh, sw, pt, pl, pb, pr, zx, zy, m, s, qlo, qhi; } cop_qavgpool_attr;
/* to: the result's cop_dtype: of I32 I8 or I32, of I16 I8 or I16 */
typedef struct cop_qrescale_attr { int32_t mult, shift, zero, qlo, qhi, to; } cop_qrescale_attr;
typedef struct cop_qlut_attr { int32_t to; } cop_qlut_attr;               /* the result's cop_dtype, I8 or U8; of I16 I16 */
typedef struct cop_qsoftmax_attr { int32_t mult, shift, least; } cop_qsoftmax_attr;
typedef struct cop_qlogsoftmax_attr { cop_qsoftmax_attr s; int32_t back, bshift;
	/* from Q5 to steps of x */ } cop_qlogsoftmax_attr;
/* cell: enum cop_rnn_cell */
typedef struct cop_qrnn_attr { int32_t cell, reverse, time_first, point, clip, mult, shift, zero, start, exact;
	} cop_qrnn_attr;
typedef struct cop_quantize_attr { float scale; int32_t zero, to; } cop_quantize_attr; /* to: I8, U8 or I16 */
typedef struct cop_dequantize_attr { float scale; int32_t zero; } cop_dequantize_attr;
/* lo, hi, zero: integers; offset: p is {step, offset}; ewgs, grad: of the gradients; least: step (fakequant.c) */
enum { COP_FAKE_MOST = 1 << 29 }; /* of a bias; of other values 127 */
typedef struct cop_fakequant_attr { int32_t lo, hi, zero, offset; float ewgs, grad, least; } cop_fakequant_attr;
typedef struct cop_pow2_attr { int32_t low, high, zero; } cop_pow2_attr; /* exponents; zero: smaller numbers become 0 */
/* smooth: the gradient is the paper's of the approximation, else it goes straight through where |x| <= 1 */
typedef struct cop_sign_attr { int32_t smooth; } cop_sign_attr;
typedef struct cop_packbits_attr { int32_t zero; } cop_packbits_attr;            /* of an i8 operand: what stands for 0 */
typedef struct cop_unpackbits_attr { int32_t to, zero, one; } cop_unpackbits_attr; /* to: F32 or I8; what the bits 0 and 1 become */
/* fill: what taps in the padding read, -1, 1, or 0: nothing */
typedef struct cop_bconv_attr { int32_t sh, sw, pt, pl, pb, pr, dh, dw, fill; } cop_bconv_attr;
/* of a sum of bits as i8: shift, qlo, qhi, and the factor and zero of the operand that is added (kernel.h) */
typedef struct cop_qbconv_attr { cop_bconv_attr c; int32_t shift, qlo, qhi, res, zr; } cop_qbconv_attr;
typedef struct cop_bmaxpool_attr { int32_t kh, kw, sh, sw, pt, pl, pb, pr; } cop_bmaxpool_attr;
typedef struct cop_palette_attr { int32_t zero, books; } cop_palette_attr; /* books 0: one */

#endif
