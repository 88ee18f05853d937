/* SPDX-License-Identifier: Apache-2.0
 *
 * lower.h - a float graph whose values have ranges becomes a graph of integers. Quantisation (compress/quantize) finds the ranges, a
 * quantised model of another program brings them (integers.c). What the files lower_*.c share.
 */
#ifndef COP_PASS_LOWER_H
#define COP_PASS_LOWER_H

#include "op/qscale.h"
#include "pass/pass.h"

/* What rounding while training starts from (fakequant). The scale of LSQ's gradients: 1 / sqrt(numbers * levels above zero). No step becomes a smaller part
 * than COP_LEAST_PART of what it was: under a rate that is too high one would end at 0. */
#define COP_LEAST_PART 0.0625f
float cop__fake_grad(int64_t numbers, int32_t levels); /* unfake.c */

typedef struct cop_qlayer { /* a convolution, fully connected or recurrent layer of g */
	int bits;           /* of its weights; 0: it stays float. Recurrent layers have 8, and make q and what follows themselves */
	int act_bits;       /* of its result */
	int32_t o, k, groups;
	int8_t *q;          /* [o,k] */
	int q_bits;         /* of q; 0: there is none yet */
	float *scale;       /* [o] */
	float *bias;        /* [o], corrected */
	float sqnr;         /* dB at the network's output when this layer alone is quantised */
	float harm;         /* how far the network's answers move then (compress/quantize/mixed.h) */
} cop_qlayer;

typedef struct cop_lowering {
	const cop_graph *g;
	const cop_qrange *act;   /* [n_value+1] */
	const cop_qlayer *layer; /* [n_node+1]; o = 0: not a layer */
	bool *integer;           /* NULL, or [n_value+1]: which values have an integer form in the end */
} cop_lowering;

cop_status cop__lower(cop_graph **out, const cop_lowering *z);
cop_status cop__pass_integers(cop_graph **out, const cop_graph *g); /* integers.c */
cop_status cop__pass_floats(cop_graph **out, const cop_graph *g);   /* floats.c */
cop_status cop__pass_unfake(cop_graph **out, const cop_graph *g);   /* unfake.c */
bool cop__rounds(const cop_graph *g);                               /* has it a fakequant? */

/* ---- between lower.c, which goes through the nodes, lower_ops.c, which has their forms, and lower_ends.c, which has those of values ---- */
typedef struct cop_lower {
	const cop_lowering *z;
	cop_graph *out;
	cop_vid *map; /* float forms, as in every pass; of bytes: as they are */
	cop_vid *q;   /* integer forms: i8, or i16 of wider ranges */
} cop_lower;

bool cop__moves(const cop_graph *g, cop_nid n); /* its results are the operand's numbers, elsewhere */
cop_vid cop__as_integer(cop_lower *l, cop_vid v); /* 0: no range is known, or a failure was recorded */
cop_vid cop__as_float(cop_lower *l, cop_vid v);
/* A function of one operand (op: OP_sigmoid ...; else a clip) on integers of one range as those of another, by a table. A clip of i16 is a qrescale. */
cop_vid cop__by_table(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to, int op, float lo, float hi);
/* Integers of one range as those of another. */
cop_vid cop__requantised(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to);
cop_qrange cop__range_of_format(float scale, int32_t zero, cop_dtype d); /* I8, I16, or U8 as i8 */
/* A function of one value that has an integer form, as a table (lower_table.c). False: it is none. */
cop_vid cop__table_leaf(const cop_graph *g, cop_nid n); /* the one value that n's result is a function of; 0: there is none */
double cop__table_value(const cop_graph *g, cop_vid v, cop_vid leaf, double x); /* v where leaf is x */
bool cop__lower_table(cop_lower *l, cop_nid n, cop_vid *made);
/* Recurrent layers (lower_rnn.c): can node n be one of integers? h of it, and y put among the integer forms; 0 after a failure. */
bool cop__rnn_lowers(const cop_graph *g, cop_nid n);
cop_vid cop__lower_rnn(cop_lower *l, cop_nid n);
/* Sums of bits (lower_bits.c): the last node of what is made of them, as one operator of bytes. False: it is none. */
bool cop__lower_sums(cop_lower *l, cop_nid n, cop_vid *made);
cop_vid cop__lower_packed(cop_lower *l, cop_nid n); /* a packbits of bytes */
/* Makes node n of integers: *made, 0 after a failure. False: it has no such form here. */
bool cop__lower_op(cop_lower *l, cop_nid n, cop_vid *made);

#endif
