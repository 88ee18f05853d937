/* SPDX-License-Identifier: Apache-2.0
 *
 * write.h - between write.c, which writes a model's message, what writes the operators by the rows of onnx.def, and
 * write_base.c, which has what they are made of. Shapes stay as they are in the graph, channels last; an operator that
 * wants channels first stands between two transpositions, which the other program's optimizer removes.
 */
#ifndef COP_ONNX_WRITE_H
#define COP_ONNX_WRITE_H

#include "io/onnx/schema.h"
#include "io/onnx/protobuf.h"
#include "op/op.h"

typedef struct cop_oxw_name { char s[128]; } cop_oxw_name;

/* Names that are taken. Those of the graph come first, so that its inputs and outputs keep theirs; what the writer
 * makes up, for values without a name, between nodes, of weights that lie otherwise, gets what is left. */
typedef struct cop_oxw_names {
	cop_arena mem;
	const char **slot;   /* a hash table */
	int32_t size, used;
	const char **value;  /* [n_value+1] of the graph's */
	const int32_t *readers; /* the same of who reads a value */
	const char **kernel; /* [n_value+1] of weights that are written channels first; NULL: not yet */
} cop_oxw_names;

typedef struct cop_oxw {
	const cop_graph *g;
	cop_ctx *cx;
	const char *file;
	cop_text graph;   /* GraphProto so far */
	cop_text attr;    /* attributes of the next node, as fields of NodeProto */
	cop_oxw_names names;
	uint8_t *written; /* by value */
	double *scale;    /* [n_value+1] of bytes; 0: none */
	int32_t next;
} cop_oxw;

int cop__oxw_type(cop_dtype d); /* OX_FLOAT ... */
/* The name of a value; a weight is written as an initialiser when it is first named. */
cop_oxw_name cop__oxw_value(cop_oxw *w, cop_vid v);
cop_oxw_name cop__oxw_kernel(cop_oxw *w, cop_vid v);   /* a 4-dimensional weight, [o,h,w,c] as [o,c,h,w] */
cop_oxw_name cop__oxw_label(const cop_oxw *w, cop_vid v);  /* the same, and nothing is written */
/* ---- names (write_name.c) ---- */
cop_status cop__oxw_names(cop_oxw *w);
void cop__oxw_names_free(cop_oxw *w);
cop_oxw_name cop__oxw_fresh(cop_oxw *w);                                   /* used by nobody */
/* "conv1.w" and ".int", or what is left of that */
cop_oxw_name cop__oxw_beside(cop_oxw *w, cop_vid v, const char *end);
cop_oxw_name cop__oxw_ints(cop_oxw *w, const int64_t *v, int n);  /* a constant */
cop_oxw_name cop__oxw_float(cop_oxw *w, float v);
cop_oxw_name cop__oxw_int(cop_oxw *w, int32_t v, cop_dtype d); /* of 8, 16 or 32 bits */
void cop__oxw_tensor(cop_oxw *w, const char *name, int type, int rank, const int64_t *dim, const void *data,
	size_t bytes);
cop_oxw_name cop__oxw_floats(cop_oxw *w, const float *v, int32_t n);

/* Attributes of the node that comes next. */
void cop__oxw_attr_i(cop_oxw *w, const char *name, int64_t v);
void cop__oxw_attr_f(cop_oxw *w, const char *name, float v);
void cop__oxw_attr_s(cop_oxw *w, const char *name, const char *v);
void cop__oxw_attr_strings(cop_oxw *w, const char *name, const char *const *v, int n);
void cop__oxw_attr_ints(cop_oxw *w, const char *name, const int64_t *v, int n);
/* A node with up to three inputs (NULL: no more) and one result. */
void cop__oxw_node(cop_oxw *w, const char *op, const char *out, const char *a, const char *b, const char *c);
/* Any number of both; "": absent, at the end left out. */
void cop__oxw_node_of(cop_oxw *w, const char *op, int n_out, const char *const *out, int n_in, const char *const *in);

cop_oxw_name cop__oxw_in(cop_oxw *w, cop_nid n, int i); /* of node n: operand i, its result, the type of operand 0 */
cop_oxw_name cop__oxw_out(cop_oxw *w, cop_nid n);
const cop_type *cop__oxw_in_type(cop_oxw *w, cop_nid n);
void cop__oxw_permute(cop_oxw *w, const char *to, const char *from, int rank, const int64_t *perm);
/* [n,...,c] -> [n,c,...], and back. */
cop_oxw_name cop__oxw_first(cop_oxw *w, cop_oxw_name x, int rank);
void cop__oxw_last(cop_oxw *w, cop_oxw_name to, cop_oxw_name x, int rank);
void cop__oxw_conv_attrs(cop_oxw *w, const cop_conv_attr *a);
void cop__oxw_activate(cop_oxw *w, cop_oxw_name y, cop_oxw_name x, float lo, float hi); /* y = x within bounds */
/* Where a node writes before its activation: y itself when there is none; and from there to y. */
cop_oxw_name cop__oxw_before_act(cop_oxw *w, cop_oxw_name y, float lo, float hi);
void cop__oxw_after_act(cop_oxw *w, cop_oxw_name y, cop_oxw_name x, float lo, float hi);

/* Contents of a weight, dense: borrowed, or in *own, which the caller frees. NULL: none, or no memory. */
const void *cop__oxw_contents(cop_oxw *w, cop_vid v, void **own);

/* Nodes for a node of one operator; a failure is recorded in the context. Layers are in write_layer.c, rnn in
 * write_rnn.c, the rest in write_op.c. */
typedef void cop_oxw_fn(cop_oxw *w, cop_nid n);
#define FOLD(name)
#define OX(...)
#define RW(name, op, add, write, ...) cop_oxw_fn cop__oxw_##write;
#include "io/onnx/onnx.def"
#undef RW
#undef OX
#undef FOLD
/* Nodes for node n of the graph. */
cop_status cop__oxw_op(cop_oxw *w, cop_nid n);
/* Of integers (write_int.c); scale[] is filled before. */
cop_status cop__oxw_int_op(cop_oxw *w, cop_nid n);

#endif
