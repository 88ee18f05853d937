/* SPDX-License-Identifier: Apache-2.0
 *
 * tflite.h - what the files of this folder share. A TensorFlow Lite model is read operator by operator; each appends nodes to
 * a graph. Layouts are ours already (NHWC, OHWI) but for depthwise weights. What becomes what:
 *
 *   int8      I8, everything integer: the q operators, with TFLite's own two roundings, bit for bit those of its
 *             reference kernels. The pass round:mode=single makes them cheaper, and a unit different now and then
 *   uint8     I8, zero point less 128; the network's own inputs and outputs stay U8 and pass a table
 *   float16   F32 (constants)    int64  I32, range checked    bool  U8
 *   int16     I16, as int8 (16x8); the cell state of the LSTM is no value of the graph
 *
 * Integers that are known while reading (shapes, mostly) are computed here and become no nodes.
 */
#ifndef COP_TFLITE_H
#define COP_TFLITE_H

#include "io/tflite/flatbuf.h"
#include "io/make.h"
#include "io/tflite/schema.h"
#include "op/op.h"

/* What SPACE_TO_BATCH_ND was given: x with its borders, and the block of each of 1 or 2 axes behind the first. */
typedef struct cop_tfl_apart { cop_vid x; int32_t axes, block[2]; } cop_tfl_apart;

typedef struct cop_tfl_tensor {
	cop_type type;       /* as it is in the graph */
	int32_t file_type;   /* TFL_FLOAT32 ... */
	char name[64];       /* fit for a graph's text */
	cop_fb_vec scales, zeros, bytes; /* bytes: of a constant, as the file holds them */
	int32_t axis;        /* of more than one scale */
	const void *data;    /* contents as `type` says; NULL: not a constant, or not converted yet */
	cop_vid v;           /* 0: no node yet */
	cop_tfl_apart apart; /* apart.x set: v can be made of it (space.c) */
	int32_t variable;    /* a handle: of variable - 1 */
	bool needed;         /* by a result of the network */
} cop_tfl_tensor;

/* What lives from run to run (state.c). */
typedef struct cop_tfl_variable {
	char name[64];
	cop_vid state, now;  /* 0: not met yet; now: what it holds at this place of the model */
	cop_type type;       /* of data */
	const void *data;    /* first contents; NULL: zeros */
} cop_tfl_variable;

typedef struct cop_tfl {
	cop_graph *g;
	cop_ctx *cx;
	cop_fb fb;
	cop_fb_vec buffers, codes;
	cop_tfl_tensor *tensor;
	int32_t n_tensor;
	cop_fb_vec subgraphs;
	cop_tfl_variable *variable;
	int32_t n_variable;
	bool once;           /* within the subgraph of CALL_ONCE */
	cop_arena mem;       /* while reading */
	int64_t budget;      /* bytes of constants that may still be made: a short file cannot ask for much */
} cop_tfl;

typedef struct cop_tfl_node {
	int32_t index, code;
	const char *name;
	cop_fb_vec in, out, mid; /* mid: tensors of which only the scale matters */
	cop_fb_table options;
} cop_tfl_node;

/* Bytes as TFLite or .cop, wherever one is expected. */
cop_status cop__tflite_read(cop_graph **out, cop_ctx *cx, const char *file, const void *bytes, size_t size);
bool cop__is_tflite(const void *bytes, size_t size);

/* ---- operands (tensor.c) ---- */
cop_status cop__tfl_fail(cop_tfl *m, const cop_tfl_node *n, const char *fmt, ...) COP_PRINTF(3, 4);
cop_tfl_tensor *cop__tfl_in(cop_tfl *m, const cop_tfl_node *n, int i);  /* NULL: absent */
cop_tfl_tensor *cop__tfl_out(cop_tfl *m, const cop_tfl_node *n, int i);
cop_tfl_tensor *cop__tfl_mid(cop_tfl *m, const cop_tfl_node *n, int i);
/* The contents of a constant; NULL: it is none, or (cx->code) it cannot be read. */
const void *cop__tfl_data(cop_tfl *m, cop_tfl_tensor *t);
/* Contents of an i32 tensor that must be known: count of them. */
cop_status cop__tfl_ints(cop_tfl *m, const cop_tfl_node *n, int i, const int32_t **v, int32_t *count);
/* The value of input i: a constant is put into the graph when it is first needed. 0 after recording a failure. */
cop_vid cop__tfl_value(cop_tfl *m, const cop_tfl_node *n, int i);
/* v itself, or a copy where it is an input, a constant, a state or an output already, or one of these under another shape. */
cop_vid cop__tfl_own(cop_graph *g, cop_vid v);
/* v is output i. */
cop_status cop__tfl_set(cop_tfl *m, const cop_tfl_node *n, int i, cop_vid v);
/* Output i is known: an array of the reader's memory. */
cop_status cop__tfl_know(cop_tfl *m, const cop_tfl_node *n, int i, int32_t rank, const int32_t *dim, const void *data);
void *cop__tfl_room(cop_tfl *m, size_t bytes); /* memory while reading, out of the budget */
cop_status cop__tfl_spend(cop_tfl *m, size_t bytes); /* of the budget; fails when it is used up */
void cop__tfl_name(char out[64], const cop_fb_vec *s); /* a name without what the text form of a graph cannot hold */
void cop__tfl_unique(cop_graph *g, char name[80], const char *want);
/* A weight of this operator, "conv3.w". */
cop_vid cop__tfl_weight(cop_tfl *m, const cop_tfl_node *n, cop_role role, const char *what, const cop_type *t, const void *data);

/* ---- scales (scale.c) ---- */
/* Fails unless an I8 or I16 tensor has one positive scale and a zero point within -128 to 127, of I16 0. The scale of an operand may be 0: all its numbers are. */
cop_status cop__tfl_scale(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_tensor *t, float *scale, int32_t *zero);
/* The fused activation as bounds: of floats, of the output's integers. */
cop_status cop__tfl_act(cop_tfl *m, const cop_tfl_node *n, int field, float *lo, float *hi);
cop_status cop__tfl_act_int(cop_tfl *m, const cop_tfl_node *n, int field, int32_t *lo, int32_t *hi);
/* Fails when input i and output 0 are I8 or I16 of different scales: elements are moved, not computed. */
cop_status cop__tfl_same_scale(cop_tfl *m, const cop_tfl_node *n, int i);
/* Both operands, int8 or int16, of a sum or product. */
cop_status cop__tfl_bytes_pair(cop_tfl *m, const cop_tfl_node *n, cop_vid v[2]);
/* x through a table of 256 entries, entry by unsigned byte. */
cop_vid cop__tfl_lut(cop_tfl *m, const cop_tfl_node *n, const char *what, cop_vid x, const int8_t *table, cop_dtype to);
/* x within the bounds of an activation. */
cop_vid cop__tfl_hold(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t lo, int32_t hi);

/* int16 whose function is computed in floats: x (input 0) as floats, and y of floats as output 0. */
cop_vid cop__tfl_to_floats(cop_tfl *m, const cop_tfl_node *n, cop_vid x);
cop_status cop__tfl_from_floats(cop_tfl *m, const cop_tfl_node *n, cop_vid y);

/* x under another shape; the first dimension follows from the rest, so that the batch may change later. */
cop_vid cop__tfl_as(cop_graph *g, cop_vid x, int32_t rank, const int32_t *dim);

/* The elements `index` of one axis. */
cop_vid cop__tfl_pick(cop_tfl *m, const cop_tfl_node *n, cop_vid x, int32_t axis, const int32_t *index, int32_t count);
cop_status cop__tfl_mirror(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const int32_t *pads); /* sets output 0 */

/* ---- layers (layer.c) ---- */
/* Weights of one layer: o rows of `taps` x c, and what the output asks of them. */
typedef struct cop_tfl_layer {
	cop_tfl_tensor *x, *w, *b, *y;
	int32_t o, kh, kw, c; /* OHWI; c: of one group */
	int32_t groups;
	bool depthwise, fc, float_product; /* float_product: TFLite multiplies the two scales as floats */
	int axis;             /* of the file's weights along which scales may differ */
} cop_tfl_layer;
cop_status cop__tfl_int_layer(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_layer *l, cop_vid x, const cop_conv_attr *a, int act, cop_vid *y);
/* Padding before and after along one axis; false where it cannot be. SAME gives ceil(in / stride) outputs. */
bool cop__tfl_padding(int32_t kind, int64_t in, int64_t k, int64_t stride, int64_t dilation, int32_t *before, int32_t *after);

/* ---- int8 with sums of 32 bits (wide.c): output 0 ---- */
cop_status cop__tfl_int_product(cop_tfl *m, const cop_tfl_node *n, int ta, int tb);
cop_status cop__tfl_int_squared_difference(cop_tfl *m, const cop_tfl_node *n);
cop_status cop__tfl_int_svdf(cop_tfl *m, const cop_tfl_node *n, int32_t rank);

/* ---- known operands (known.c): done: the result is known ---- */
bool cop__tfl_common(const cop_type *a, const cop_type *b, cop_type *y); /* the shape that two operands have in common */
cop_status cop__tfl_fold_pair(cop_tfl *m, const cop_tfl_node *n, bool *done);
cop_status cop__tfl_fold_select(cop_tfl *m, const cop_tfl_node *n, bool *done);
cop_status cop__tfl_fold_reduce(cop_tfl *m, const cop_tfl_node *n, uint32_t axes, bool keep, bool *done);
cop_status cop__tfl_fold_gather(cop_tfl *m, const cop_tfl_node *n, int32_t axis, int32_t rank, const int32_t *dim, bool *done);

/* ---- space, batch, state ---- */
cop_status cop__tfl_axis(cop_tfl *m, const cop_tfl_node *n, int64_t axis, int32_t rank, int32_t *out); /* negative counts from the end */
cop_vid cop__tfl_to_batch(cop_graph *g, const cop_tfl_apart *p);
cop_vid cop__tfl_from_batch(cop_graph *g, cop_vid x, const cop_tfl_apart *p);
cop_status cop__tfl_set_apart(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_apart *p); /* output 0 */
cop_status cop__tfl_keep_variables(cop_tfl *m);

/* Mean, sum or extreme of int8 along a set of axes, which stay with length 1 if they are kept (qreduce.c). Sets output 0. */
cop_status cop__tfl_int_reduce(cop_tfl *m, const cop_tfl_node *n, cop_vid x, uint32_t set, bool keep);

/* The LSTM in int8 (qlstm.c), and with a projection of h, written out step by step (lstm.c). */
cop_status cop__tfl_int_lstm(cop_tfl *m, const cop_tfl_node *n);
cop_status cop__tfl_projected_lstm(cop_tfl *m, const cop_tfl_node *n);

bool cop__tfl_is(const cop_tfl_tensor *t, cop_dtype d);
bool cop__tfl_whole(const cop_tfl_tensor *t); /* integers that stand for reals: I8 or I16 */

/* ---- operators ---- */
#define TFL(name, add, least, most) cop_status cop__tfl_##add(cop_tfl *m, const cop_tfl_node *n);
#define NO(name)
#include "io/tflite/tflite.def"
#undef TFL
#undef NO

#endif
