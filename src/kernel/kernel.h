/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.h - what a kernel gets and how it is listed. The kernels include this and math.h only,
 * so that their text can be shipped to a device.
 *
 * A kernel works on part `part` of `parts`, cut along output rows and never along a sum, so that
 * any number of threads gives the same bits. It never allocates: scratch comes in `work`.
 * Buffers: the op's outputs first (all of cop_op.n_out, NULL where not asked for), then its inputs
 * (NULL where an optional one is absent).
 * Words: the op's geometry, int32 each, floats as their bits (cop_f). One layout an op, below,
 * written by cop_op.words and read by every kernel of that op.
 */
#ifndef COP_KERNEL_H
#define COP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_call {
	void *const *buf;
	const int32_t *k;
	void *work;        /* this part's own scratch, 64-byte aligned on a host */
	const void *pack;  /* what the row's pack function wrote, shared by all parts */
	int32_t part, parts;
} cop_call;

/* The last words are no operator's, but for pack_bytes: what a row for sparse weights counted (cop_kernel.steps), and whether weights of 4 bits take more
 * bytes to be faster (cop_kernel.roomy). */
enum { COP_MAX_WORDS = 40, COP_STEPS = COP_MAX_WORDS - 1, COP_ROOMY = COP_MAX_WORDS - 2 };

enum {
	COP_ISA_REF = 0, COP_ISA_AVX2 = 1, COP_ISA_AVX512 = 2, COP_ISA_NEON = 4, COP_ISA_DSP = 8,
	COP_ISA_AVXVNNI = 16, COP_ISA_AVX512VNNI = 32, COP_ISA_DOTPROD = 64 /* dot products of bytes: int8 kernels only */,
	COP_ISA_I8MM = 128 /* products of matrices of bytes */,
	COP_ISA_AVX512VBMI = 256 /* permutations of bytes, and ones counted: kernels for sparse int8 and for bits only */,
	COP_ISA_ALL = 511,
	COP_ISA_AMX = 512 /* products in bfloat16: not among ALL, since a training must ask for them */
};

/* One row of kernel.def. Of the rows that match op, types, ISA and fits, the last one wins. */
typedef struct cop_kernel {
	const char *op;
	uint32_t isa;
	const char *types;  /* outputs then inputs: "f32 f32 f32:sparse f32"; "*" any; a trailing "+" repeats the last */
	void (*fn)(const cop_call *c);
	const char *symbol, *source;          /* what the emitter calls, and the file it copies (below src/kernel) */
	bool split;                           /* false: always called with part 0 of 1 */
	bool (*fits)(const int32_t *k);       /* NULL: always */
	size_t (*work)(const int32_t *k);     /* bytes of scratch for one part; NULL: none */
	/* A weight may be rearranged before use. pack is called with the same buffers and words, writes
	 * pack_bytes to work and may be split; it runs once when the weight never changes, else before each call. */
	void (*pack)(const cop_call *c);
	size_t (*pack_bytes)(const int32_t *k);
	int8_t pack_in;                       /* which input is packed */
	const char *pack_symbol, *pack_source; /* of a pack function that goes to devices, for weights that change there; NULL: it does not */
	/* With word COP_ROOMY it packs weights of 4 bits into a third more bytes, and runs faster. */
	bool roomy;
	/* Of a row for sparse weights that packs single ones in rows (kernel/gaps.h): bytes of a gap's unit. Such weights can be decoded from runs (kernel/runs.h). rows_in_parts: it can be called
	 * for some of its channels after the other, each time with their rows alone. */
	uint8_t gap_unit;
	bool rows_in_parts;
	/* A row for sparse weights packs what is not zero of a weight that never changes: the steps its kernel takes for that, which become
	 * word COP_STEPS; below 0: it cannot take these. It is chosen where that many pay (plan/breakeven.def). NULL: any weight. */
	int64_t (*steps)(const int32_t *k, const void *w);
	bool shared; /* the same of weights whose rows have few values */
	int64_t (*spent)(const int32_t *k, const void *w); /* what to pay for instead, where steps are not alike or are not all there is to do; NULL: the steps */
	/* Run in one part, the kernel reads input 0 no later than it needs to: output 0 may begin this many bytes (or more) before
	 * input 0 and lie over the rest of it. 0: in place. NULL: they may not share a byte. */
	size_t (*ahead)(const int32_t *k);
} cop_kernel;

/* A float that travels as a word. */
static inline float cop_f(int32_t word)
{
	union { int32_t i; float f; } u;
	u.i = word;
	return u.f;
}

/* Rows [from, to) of n that belong to this part, in multiples of `by`. */
static inline int32_t cop_part_at(int32_t n, int32_t by, int32_t part, int32_t parts)
{
	int64_t units = n / by + (n % by > 0), at = units * part / parts * by;
	return at < n ? (int32_t)at : n;
}
static inline int32_t cop_from(const cop_call *c, int32_t n, int32_t by) { return cop_part_at(n, by, c->part, c->parts); }
static inline int32_t cop_to(const cop_call *c, int32_t n, int32_t by) { return cop_part_at(n, by, c->part + 1, c->parts); }

/* ---- word layouts ---------------------------------------------------------------------------
 * LO and HI are the fused activation: y = min(max(y, lo), hi); -inf and +inf when there is none. */

/* conv      y[n,oh,ow,o] = b[o] + sum w[o,kh,kw,c/g] x[n,h,w,c]   buffers y | x w b?
 * conv_dx   dx                                                    buffers dx | dy w
 * conv_dw   dw (CAP rows when a row list is given)                buffers dw | dy x rows?
 * H W C are those of x, OH OW O those of y; PT PL the padding before; G groups. */
enum { CK_N, CK_H, CK_W, CK_C, CK_OH, CK_OW, CK_O, CK_KH, CK_KW, CK_SH, CK_SW, CK_PT, CK_PL, CK_DH, CK_DW, CK_G, CK_LO, CK_HI, CK_CAP, CK_WORDS };

/* addconv    y = s[o] (- sum |x - w|) + b[o]    buffers y | x w s? b?    x is 0 in the padding
 * addconv_dx dx = sum dy min(max(w - x, -1), 1) buffers dx | dy x w
 * words of conv */

/* fc        y[n,o] = b[o] + sum w[o,i] x[n,i]                     buffers y | x w b?
 * fc_dx     dx[n,i] = sum dy[n,o] w[o,i]                          buffers dx | dy w
 * fc_dw     dw[o,i] = sum dy[n,o] x[n,i]  (CAP rows with a list)  buffers dw | dy x rows? */
enum { FK_N, FK_IN, FK_OUT, FK_LO, FK_HI, FK_CAP, FK_WORDS };

/* matmul    y[b,m,n] = sum_k a[b,m,k] b[b,k,n]; TA, TB: that operand lies transposed ([k,m], [n,k]).
 * SA, SB: elements from one batch item to the next, 0 when it is shared.  buffers y | a b */
enum { MK_BATCH, MK_M, MK_N, MK_K, MK_TA, MK_TB, MK_SA, MK_SB, MK_WORDS };

/* add, mul, sub, div   y = a op b with broadcasting; strides in elements, 0 on a broadcast axis. Dimensions that
 * run together are merged, so RANK is often 1 (both dense) or 2.   buffers y | a b */
enum { BK_RANK, BK_DIM, BK_SA = BK_DIM + 6, BK_SB = BK_SA + 6, BK_LO = BK_SB + 6, BK_HI, BK_WORDS };

/* clip, sigmoid, tanh, gelu, hswish and their _grad   COUNT elements; LO HI for clip.
 * buffers y | x;  x_grad: dx | dy and y (clip, sigmoid, tanh) or x (gelu, hswish).  clip_grad passes dy where lo < y < hi. */
enum { UK_COUNT, UK_LO, UK_HI, UK_WORDS };

/* maxpool   y, at (u8, kh*KW+kw of the first maximum, optional) | x (f32, i8, i16)   maxpool_grad  dx | dy at
 * avgpool   y | x                                                       avgpool_grad  dx | dy
 * PADS: 1 = padding counts in the average's divisor. */
enum { PK_N, PK_H, PK_W, PK_C, PK_OH, PK_OW, PK_KH, PK_KW, PK_SH, PK_SW, PK_PT, PK_PL, PK_PADS, PK_WORDS };

/* Batch normalisation over ROWS x C. Training is four steps, so that each splits without a partial sum
 * depending on the number of threads: the rows are cut into CHUNKS fixed pieces.
 * bn        y | x gamma beta mean var                               inference form
 * bn_sum    part[CHUNKS,2,C] | x         sum and sum of squares of x - x[0], by chunk
 * bn_stat   mean rstd run_mean' run_var' | part x run_mean run_var  momentum MOM: new = old + MOM (batch - old); unbiased variance
 * bn_norm   y | x mean rstd gamma beta   clamped to LO..HI
 * bn_gsum   part[CHUNKS,2,C] | dy x mean rstd gamma beta            sum of dy and dy*xhat where the clamp is inactive
 * bn_grad   dx dgamma dbeta | dy x mean rstd gamma beta part */
enum { NK_ROWS, NK_C, NK_CHUNKS, NK_EPS, NK_MOM, NK_LO, NK_HI, NK_WORDS };

/* softmax, softmax_grad   y | x;  dx | dy y                          over the last axis
 * xent      loss[1] | logits labels(i32[n])   mean over rows whose label is >= 0; SMOOTH: label smoothing
 * xent_grad dlogits | logits labels dloss[1]
 * softxent  loss[1] | logits target   -sum t log softmax(logits), mean over rows whose target is not all 0; target has their shape
 * softxent_grad dlogits | logits target dloss[1] */
enum { SK_ROWS, SK_C, SK_SMOOTH, SK_WORDS };

/* mse       loss[1] | x target  mean over COUNT;   mse_grad  dx | x target dloss[1]
 * sumsq     y[1] | x         clip_norm  scale[1] | sum[1]  scale = min(1, MAX / sqrt(sum)) */
enum { LK_COUNT, LK_MAX, LK_WORDS };

/* sum_to    y | x     sums the axes whose stride SB is 0: y[...] = sum x; DIM of x, strides of y in SB. */
enum { RK_RANK, RK_DIM, RK_SB = RK_DIM + 6, RK_COUNT = RK_SB + 6, RK_WORDS };

/* copy      strided copies serve transpose, slice, unslice, concat, pad: for every index of DIM,
 * y[YOFF + sum i*SY] = x[XOFF + sum i*SX]; FILL: y (COUNT elements) is first set to VALUE.
 * concat is one call for each input with its own YOFF: word group K of COPY_WORDS each, GROUPS of them (k[0]).  buffers y | x... */
enum { YK_RANK, YK_DIM, YK_SX = YK_DIM + 6, YK_SY = YK_SX + 6, YK_XOFF = YK_SY + 6, YK_YOFF, YK_FILL, YK_VALUE, YK_COUNT, YK_WORDS };
/* concat    y | x0 x1 ...   OUTER blocks; input j contributes LEN[j] contiguous elements to each. */
enum { JK_OUTER, JK_N, JK_LEN, JK_WORDS = JK_LEN + 8 };

/* paste     y | x part list?(i32)   OUTER blocks: of STRIDE bytes of x, RUN from OFF on are those of part; with a list, OFF at each index of it. y may be x.
 * assign    x' | x value   the same, all of it */
enum { ZK_OUTER, ZK_RUN, ZK_STRIDE, ZK_OFF, ZK_WORDS };

/* gate      y | x open(i32[1])   y = x; -0, which a sum does not feel, while open reads 0: x, whose guard that is, was not computed then */
enum { EK_COUNT, EK_WORDS };

/* dropout   y | x step(i32[1])   keep with probability 1-P, scaled by 1/(1-P); drawn from (SEED, step, NODE, element) */
enum { DK_COUNT, DK_P, DK_SEED, DK_NODE, DK_WORDS };
/* perturb: buffers y w keep by step; DRAW: of kernel/along.h */
enum { VK_COUNT, VK_SEED, VK_STREAM, VK_DRAW, VK_WORDS };

/* sgd       w' m'? | w dw lr[1] m? rows?     d = dw + DECAY w; m' = MOM m + d; w' = w - lr (NESTEROV ? d + MOM m' : m')
 * adam      w' m' v' | w dw lr[1] step(i32[1], 0-based) m v   B1 B2 EPS; DECAY is decoupled when W (AdamW)
 * ROWS x COLS elements; with a row list dw has CAP rows and only the listed rows change.
 * count     step' | step         step' = step + 1 */
enum { GK_ROWS, GK_COLS, GK_CAP, GK_MOM, GK_NESTEROV, GK_DECAY, GK_WORDS };
enum { AK_COUNT, AK_B1, AK_B2, AK_EPS, AK_DECAY, AK_W, AK_WORDS };

/* palette   w | codebook[books][levels] codes(u8, count)  w[i] = codebook[i / RUN][codes[i]]
 * palette_grad  dcodebook | dw codes     sums; entry 0 of each book stays 0 when ZERO (the code of pruned weights) */
enum { TK_COUNT, TK_LEVELS, TK_ZERO, TK_RUN, TK_WORDS };

/* fakequant     y | x p      y = s (clamp(round(x / s) + z, LO, HI) - z), ties away from zero; ROWS rows of RUN elements, s = p[row] of each, z = ZERO
 *                            OFFSET: p is {s, b}, and z = ZERO - round(b / s), held within LO .. HI
 * fakequant_dx  dx | dy x p  with u = x / s: 0 where round(u) + z is outside of LO .. HI, else dy (1 + EWGS sign(dy) (u - round(u)))
 * fakequant_dp  dp | dy x p  GRAD times the sums of dy (round(u) - u), outside of dy (LO - z) or dy (HI - z); of b: of dy outside
 * s below LEAST counts as that; LEAST is no less than COP_LEAST_STEP. */
enum { FQ_ROWS, FQ_RUN, FQ_LO, FQ_HI, FQ_ZERO, FQ_OFFSET, FQ_EWGS, FQ_GRAD, FQ_LEAST, FQ_WORDS };
#define COP_LEAST_STEP 1e-30f

/* pow2      y = sign(x) 2^p | x    p = log2 |x| rounded, held within LO .. HI; 0 stays, and with ZERO all below 2^(LO - 1) is 0 */
enum { P2_COUNT, P2_LO, P2_HI, P2_ZERO, P2_WORDS };

/* map       y = FN(x), COUNT elements, by functions.h; ALPHA, BETA: of those that have them      buffers y | x
 * map_grad  dx | dy x */
enum { FN_COUNT, FN_FN, FN_ALPHA, FN_BETA, FN_WORDS };
/* max min pow mod, equal less greater lessequal greaterequal, and or xor   words of add; LO and HI are not read */
/* where     y = c ? a : b with broadcasting; strides in elements, 0 where an operand repeats   buffers y | c a b */
enum { WK_RANK, WK_DIM, WK_SC = WK_DIM + 6, WK_SA = WK_SC + 6, WK_SB = WK_SA + 6, WK_WORDS = WK_SB + 6 };
/* expand    words of copy: y[i SY] = x[i SX], SX 0 where x repeats                              buffers y | x */
/* reduce    y | x   words of sum_to, then FN and of how many elements each is made              argmax  y(i32) | x   the first, or LAST, largest of N */
enum { RK_FN = RK_WORDS, RK_OF, RK_REDUCE_WORDS };
enum cop_reduce_fn { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD };
enum { IK_OUTER, IK_N, IK_INNER, IK_LAST, IK_WORDS };
/* gather    y[o,j,i] = x[o,index[j],i]; an index below 0 counts from the end, one outside is clamped   buffers y | x index(i32)
 * resample  y[o,j,i] = sum_t w[j,t] x[o,index[j,t],i]                                           buffers y | x index(i32) w */
enum { OK_OUTER, OK_N, OK_INNER, OK_COUNT, OK_TAPS, OK_WORDS };
/* layernorm y = (x - mean) / sqrt(var + EPS) gamma + beta over rows of C; RMS: x / sqrt(mean x^2 + EPS)   buffers y | x gamma? beta?
 * lrn       y[c] = x[c] (K + ALPHA / SIZE sum x[d]^2)^-BETA over the SIZE channels around c     buffers y | x */
enum { LN_ROWS, LN_C, LN_EPS, LN_RMS, LN_WORDS };
enum { LR_ROWS, LR_C, LR_SIZE, LR_ALPHA, LR_BETA, LR_K, LR_WORDS };
/* rnn       N sequences of STEPS, from the last step on when BACK; op/rnn.c says what its operands hold   buffers h y? c? | x w r b? h0? c0? p?
 * XN, XT, YN, YT: elements from a sequence and from a step to the next, in x and in y. ACT: three of cop_rnn_act. */
enum { RN_N, RN_STEPS, RN_IN, RN_UNITS, RN_CELL, RN_BACK, RN_XN, RN_XT, RN_YN, RN_YT, RN_ACT, RN_CLIP = RN_ACT + 3, RN_CELL_CLIP, RN_WORDS };
enum cop_rnn_cell { RNN_LSTM, RNN_GRU, RNN_GRU_AFTER, RNN_PLAIN, RNN_CELLS };
enum cop_rnn_act { RNN_SIGMOID, RNN_TANH, RNN_RELU, RNN_HARDSIGMOID, RNN_SOFTSIGN, RNN_SOFTPLUS, RNN_ACTS };
/* cast      y = x in another format, COUNT elements; reals are cut and clamped, of whole numbers the low byte is left   buffers y | x */
enum { XK_COUNT, XK_WORDS };

/* ---- int8, or int16 with all zeros 0: everything integer, all constants explicit (src/kernel/quant.h says how a multiplier is applied) ----
 * qconv     y = clamp(ZY + requant(b[o] + sum w x))   taps in the padding read ZX; -ZX * sum w lies in b already.
 *           words of conv, LO and HI as integers, then these. TWICE: m is [2,O], the double rounding; SHIFT: all weights are 0 or
 *           +-2^p, p 0 .. 6, and may be shifts.  buffers y | x w b m
 * qaddconv  y = clamp(ZY + requant(b[o] - sum |x - w|))   words of qconv   buffers y | x w b m
 * qadd      y = clamp(ZY + MY(MA(a - ZA) + MB(b - ZB)))   buffers y | a b
 *           TWICE: TFLite's, each M a multiplier and a shift, operands first shifted left by 20 (of int16 by 15, and SY by 5 less to the right);
 *           else (MA(a - ZA) + MB(b - ZB) + half) >> SY, |MA|, |MB| < 2^22
 * qmul      y = clamp(ZY + MY((a - ZA)(b - ZB)))   buffers y | a b
 *           Both broadcast: behind their words stand RANK, DIM and the strides of a and b, as those of add; RANK 0 ends the words of
 *           operands that lie alike, COUNT elements
 * qavgpool  words of the pools, then ZX ZY M S LO HI: M 0: ZX + the mean of the valid x - ZX, rounded away from zero; else
 *           ZY + M(sum - cells * ZX) by the double rounding            buffers y | x
 * qlut      y = table[x], x as an unsigned byte                          buffers y | x table(i8[256])
 *           of int16 the table has every 128th, and straight lines lie between: i16[513]
 * qsoftmax  over the last axis, scale 1/256, zero -128: TFLite's fixed-point arithmetic. buffers y | x
 * qlogsoftmax  its logarithm, scale 1/16, zero 127                       buffers y | x
 * qrnn      the words of rnn, then its own; op/qrnn.c says what its operands hold   buffers h y | x w r b m
 * qrescale  y = clamp(ZERO + MULT x), by the double rounding           buffers y | x(i32, i16)
 * quantize  y = clamp(round(x * 1/SCALE) + ZERO), ties away from zero    dequantize  y = SCALE * (x - ZERO) */
enum { QK_ZX = CK_WORDS, QK_ZY, QK_UP, QK_TWICE, QK_SHIFT, QK_WORDS };
enum { QB_RANK, QB_DIM, QB_A = QB_DIM + 6, QB_B = QB_A + 6, QB_WORDS = QB_B + 6 };
enum { QA_COUNT, QA_ZA, QA_ZB, QA_ZY, QA_MA, QA_SA, QA_MB, QA_SB, QA_MY, QA_SY, QA_LO, QA_HI, QA_TWICE, QA_SHAPE, QA_WORDS = QA_SHAPE + QB_WORDS };
enum { QM_COUNT, QM_ZA, QM_ZB, QM_ZY, QM_MY, QM_SY, QM_LO, QM_HI, QM_SHAPE, QM_WORDS = QM_SHAPE + QB_WORDS };
enum { QP_ZX = PK_WORDS, QP_ZY, QP_M, QP_S, QP_LO, QP_HI, QP_WORDS };
enum { QL_COUNT, QL_WORDS };
enum { QS_ROWS, QS_C, QS_MULT, QS_SHIFT, QS_LEAST, QS_WORDS, QS_BACK = QS_WORDS, QS_BACK_SHIFT, QS_LOG_WORDS };
enum { QR_POINT = RN_ACT, QR_CLIP, QR_MULT, QR_SHIFT, QR_ZERO, QR_START, QR_EXACT, QR_SCALES, QR_WORDS };
enum { QT_COUNT, QT_MULT, QT_SHIFT, QT_ZERO, QT_LO, QT_HI, QT_WORDS };
enum { QQ_COUNT, QQ_SCALE, QQ_ZERO, QQ_WORDS };

/* ---- kept between the passes of a training step ----
 * pack8      q = ZERO + round(x / step) by sample, ROWS of C; step = the largest |x| of the sample / 127, / 255 with ZERO -128, where no x is
 *            negative; what is below 1e-30 counts as 0                            buffers q step | x
 * unpack8    x = (q - ZERO) step                                             buffers x | q step
 * within     bits: LO < y < HI, rows of C, the words of inside, bounds as floats     buffers within | y */
enum { P8_ROWS, P8_C, P8_ZERO, P8_WORDS };

/* ---- training of int8: gradients are floats, of the loss with respect to a step of the integer (op/qtrain.h) ----
 * inside     bits: LO < y < HI, rows of C                                        buffers inside | y
 * qback      dx = SCALE[c] dy, 0 where inside has no bit; STEP 0: one scale      buffers dx | dy scale inside?
 * qconv_dx   as conv_dx, of w i8      words of conv                              buffers dx | dy w
 * qconv_dw   as conv_dw, of x - ZX    words of conv, then ZX                     buffers dw | dy x
 * qstep      w - lr PER[row] dw, rounded (kernel/qstep.h), ROWS of COLS; of i8 within +-127      buffers w' | w dw lr per step?
 * qconv_step qstep of what qconv_dw gives: words of that, ROUND SEED             buffers w' | w dy x lr per step?
 * qfold      b - ZX sum w, by row, ROWS of COLS                                  buffers y | b w */
enum { QI_ROWS, QI_C, QI_LO, QI_HI, QI_WORDS };

/* ---- the same with errors as bytes: a gradient is bytes times a unit, a float (kernel/qerr.h says how sums lose bits, by ROUND) ----
 * qerr       of floats                                                           buffers e unit | dy
 * qerr_back  through factors M[c] / 2^31, times BY, 0 where inside has no bit; without M no byte is rounded     buffers e unit | e unit m? inside?
 * qerr_dx    as conv_dx, of w i8, then as qerr_back, before sums lose bits: shifted by UP they fit 32 bits      words of conv, then these    buffers e unit | e w unit m? inside?
 * qerr_add   the sum of two           buffers e unit | a unit b unit             qerr_sum   dy[c], the sum over all rows     buffers dy | e unit
 * qconv_dw and qconv_step take bytes, too; dw counts their unit then, and qconv_step gets it behind step */
enum { ER_ROWS, ER_C, ER_ROUND, ER_BY, ER_WORDS };
enum { ED_ROUND = CK_WORDS, ED_BY, ED_UP, ED_WORDS };

enum { QZ_ROWS, QZ_C, QZ_STEP, QZ_WORDS };
enum { QD_ZX = CK_WORDS, QD_WORDS, QE_ROUND = QD_WORDS, QE_SEED, QE_WORDS };
enum { QG_ROWS, QG_COLS, QG_ROUND, QG_SEED, QG_WORDS };
enum { QF_ROWS, QF_COLS, QF_ZX, QF_WORDS };

/* ---- bits: 1 stands for 1, 0 for -1. Bit i of a row (the last axis) is bit i % 8 of its byte i / 8, a row begins at a byte, and what is left of its last
 * byte is written as 0 and not read ----
 * packbits   y = x >= t[c], else x >= ZERO, 0 for f32; ROWS rows of C      buffers y | x t?(f32 of f32, i32 of i8)
 * unpackbits y = x ? ONE : ZERO                                    buffers y | x
 * bconv      d = the sum of products of 1 and -1 over a window: the words of conv, without groups and bounds, then FILL: what taps in the padding
 *            read, 1, -1, or 0 for nothing.                      buffers d(i32) | x w;  y(bit) | x w t(i32[2,O]): y = t[0,o] <= d <= t[1,o]
 * qbconv     the sum d becomes an i8: z = MULT d + ADD, + RES (r - ZR) in qbconv_add, times SLOPE / 2^15 (down) where z < 0; y = clamp((z + LIFT) >> SHIFT, LO,
 *            HI). MULT ADD SLOPE LIFT are the four of p[o,4].             buffers y | x w p(i32[O,4]);  qbconv_add: y | r(i8) x w p; y may lie on r
 * bmaxpool   the words of the pools; y = 1 if one of the window is, padding apart; of channels whose bit of `least` is set, if all are
 *                                                                buffers y | x least? */
enum { PB_ROWS, PB_C, PB_ZERO, PB_WORDS };
enum { UB_ROWS, UB_C, UB_ZERO, UB_ONE, UB_WORDS };
enum { BC_FILL = CK_WORDS, BC_WORDS, QC_SHIFT = BC_WORDS, QC_RES, QC_ZR, QC_WORDS };
/* sign       as many words as clip; y = x >= 0 ? 1 : -1      sign_grad  dx | dy x: dy where |x| <= 1, times 2 - 2 |x| when SMOOTH, else 0 */
enum { SG_COUNT = UK_COUNT, SG_SMOOTH = UK_LO, SG_WORDS = UK_WORDS };
/* rprelu     y = lift + far, or lift + slope far where far = x - knee is below 0; ROWS rows of C channels     buffers y | x slope knee lift
 * rprelu_dx  dx | dy x slope knee     rprelu_dp  dslope dknee dlift | dy x slope knee */
enum { RP_ROWS, RP_C, RP_WORDS };

/* ---- indices that may come from anywhere ----
 * Numbers that a kernel uses as indices are checked when a file is read and where a graph holds them. Those that come as an input or are
 * computed are not known then: each kernel keeps them inside, and no value makes it read or write beside its buffers.
 *   row list         i32 {count, index...}, ascending. Of the count no more than CAP and no less than 0 are read. sgd leaves out a row that
 *                    the parameter does not have; conv_dw and fc_dw take the nearest row in its place
 *   palette codes    a code of LEVELS or more is the last one
 *   gather, resample, paste: as said above, clamped
 *   labels           a label that is no class counts for nothing
 *   maxpool_grad     a position outside of its window meets no element: its gradient is lost
 *   qlut             a byte indexes a table of 256, an int16 one of 513 */
static inline int32_t cop_listed(const int32_t *list, int32_t cap) { return list[0] < 0 ? 0 : list[0] < cap ? list[0] : cap; }
static inline int32_t cop_inside(int32_t i, int32_t n) { return i < 0 ? 0 : i < n ? i : n - 1; }

#endif
