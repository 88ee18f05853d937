/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx.h - what the files of this folder share. A model is read node by node, in the order its outputs need; each node
 * either is computed at once, when all it reads is known (shapes and their arithmetic, constants), or appends nodes to
 * a graph.
 *
 * Layouts. A value of ONNX is [n,c,...] and may be held in two orders, as in the file (PLAIN) or channels last (LAST).
 * Convolutions and pools read and write LAST, element-wise operators go with what comes, the rest wants PLAIN. A
 * transposition is made once a value and order, and two that meet cancel (cop__ox_transpose).
 *
 * Number formats: f64, f16, bf16 -> F32; i64 ... u16 -> I32, range checked; i8 -> I8; u8, bool -> U8. Arithmetic on
 * bytes is done in I32, so a value may be wider than its format says until it leaves the graph.
 */
#ifndef COP_ONNX_H
#define COP_ONNX_H

#include "io/make.h"
#include "io/onnx/read.h"
#include "io/onnx/schema.h"
#include "io/onnx/protobuf.h"
#include "op/op.h"

enum { OX_MAX_DIM = 8, OX_OLDEST = 1, OX_NEWEST = 28 };
enum { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };
/* TURNED: a matrix [k,n] held as [n,k]. KERNEL: a weight [o,c,k] of one spatial axis as [o,1,k,c]; LAST for other
 * ranks. */
typedef enum cop_ox_layout { OX_PLAIN, OX_LAST, OX_TURNED, OX_KERNEL, OX_LAYOUTS } cop_ox_layout;

typedef struct cop_ox_value {
	const char *name;
	const void *data;        /* known: float[] when the format is a float's, else int64_t[] */
	/* known floats that are whole multiples, -128 to 127, of step[0] or of one for each index of step_axis; or NULL */
	const float *step;
	int32_t n_step, step_axis;
	const uint8_t *tensor;   /* a TensorProto that is not read yet */
	size_t tensor_size;
	cop_vid v[OX_LAYOUTS];   /* in the graph, by layout; 0: not (yet) */
	cop_vid rows[OX_LAYOUTS];/* the same as bytes with a scale for each row (cop__ox_rows) */
	int32_t type;            /* OX_FLOAT ... */
	int32_t rank, dim[OX_MAX_DIM];
	int32_t producer;        /* node + 1; 0: none */
	int32_t readers, reader; /* how many nodes and outputs read it; the last one */
	bool is_input, needed;   /* needed: must be known while reading, shapes depend on it */
} cop_ox_value;

/* A call of a function of the model: attributes of its nodes may refer to those of the call. */
typedef struct cop_ox_call {
	const uint8_t *proto, *function; /* NodeProto, FunctionProto */
	size_t size, function_size;
	const struct cop_ox_call *outer; /* the call that this one stands in */
} cop_ox_call;

typedef struct cop_ox_node {
	const struct cop_ox_op *op; /* NULL: not supported */
	const char *name, *type, *domain;
	const uint8_t *proto;    /* NodeProto, for attributes */
	size_t size;
	const cop_ox_call *call; /* NULL: it stands in no function */
	int32_t opset;
	int32_t guard;           /* the branch that alone needs it (branch.c); 0: it is needed */
	int32_t n_in, n_out;
	int32_t *in, *out;       /* values; 0: absent */
	int32_t index;
	uint8_t state;           /* while ordering */
	bool done;               /* taken over by the node before it */
} cop_ox_node;

typedef struct cop_ox_function { cop_pb_field proto, name, domain; } cop_ox_function; /* FunctionProto */

typedef struct cop_ox {
	cop_graph *g;
	cop_ctx *cx;
	const char *file, *folder; /* folder: where external data lies; NULL: nowhere */
	const cop_import_args *args;
	cop_arena mem;             /* while reading */
	int64_t budget;            /* bytes that may still be made: a short file cannot ask for much */
	cop_ox_value *value;       /* [1 .. n_value] */
	cop_ox_node *node;
	struct cop_ox_name *name;  /* [1 .. n_name] */
	int32_t *hash;             /* of names */
	int32_t n_value, cap_value, n_node, cap_node, hash_size, n_name;
	const cop_ox_function *function;
	int32_t n_function, n_scope;
	int32_t *input, *output;
	int32_t n_input, n_output;
	uint32_t dims_used, shapes_used; /* of the arguments: bit i */
	int32_t opset;             /* of the node that is read */
	void **external;           /* files of external data, once each */
	const char **external_name;
	size_t *external_size;
	int32_t n_external;
} cop_ox;

typedef cop_status cop_ox_add(cop_ox *m, cop_ox_node *n);
typedef cop_status cop_ox_fold(cop_ox *m, cop_ox_node *n, bool *done);
typedef struct cop_ox_op {
	const char *name;
	cop_ox_add *add;
	cop_ox_fold *fold;  /* all inputs are known; NULL: it goes to the graph all the same */
	int least, most;    /* inputs */
	uint32_t must;      /* bit i: input i must be known while reading */
	const char *attrs;  /* what is understood */
	int op;             /* the graph's that it becomes, where one row both reads and writes; else OP_none */
} cop_ox_op;

/* ---- failing, memory, names (base.c) ---- */
cop_status cop__ox_fail(cop_ox *m, const cop_ox_node *n, const char *fmt, ...) COP_PRINTF(3, 4);
void *cop__ox_room(cop_ox *m, size_t bytes);                    /* out of the budget, zeroed */
const char *cop__ox_text(cop_ox *m, const void *p, size_t n);   /* a copy that ends with 0 */

static inline bool cop__ox_is_float(int32_t type)
{
	return type == OX_FLOAT || type == OX_FLOAT16 || type == OX_DOUBLE || type == OX_BFLOAT16;
}

cop_dtype cop__ox_dtype(int32_t type);                          /* COP_NOTYPE: unsupported */
const char *cop__ox_type_text(int32_t type);
int64_t cop__ox_count(const cop_ox_value *v);
void cop__ox_unique(cop_ox *m, char out[128], const char *name); /* fit for a graph's text, and used by nobody */
/* under a name made unique */
cop_vid cop__ox_const(cop_ox *m, const char *name, cop_role role, const cop_type *t, const void *data);
cop_vid cop__ox_scalar(cop_ox *m, float value);
cop_vid cop__ox_vector(cop_ox *m, cop_role role, const char *name, const float *v, int32_t count);

/* ---- attributes (attr.c) ---- */
bool cop__ox_has(const cop_ox_node *n, const char *name);
int64_t cop__ox_i(const cop_ox_node *n, const char *name, int64_t absent);
float cop__ox_f(const cop_ox_node *n, const char *name, float absent);
const char *cop__ox_s(cop_ox *m, const cop_ox_node *n, const char *name, const char *absent);
bool cop__ox_attr(const cop_ox_node *n, const char *name, cop_pb_field *body); /* AttributeProto */
/* At most `max` integers; -1: absent (or a failure is recorded). */
int cop__ox_ints(cop_ox *m, const cop_ox_node *n, const char *name, int64_t *v, int max);
int cop__ox_floats(cop_ox *m, const cop_ox_node *n, const char *name, float *v, int max);
int cop__ox_strings(cop_ox *m, const cop_ox_node *n, const char *name, const char **v, int max);
cop_status cop__ox_attrs_check(cop_ox *m, const cop_ox_node *n);

/* ---- tensors (tensor.c) ---- */
/* type, rank, dim and data of v from a TensorProto. */
cop_status cop__ox_tensor(cop_ox *m, cop_ox_value *v, const void *proto, size_t size);

/* ---- operands and results (value.c) ---- */
/* NULL: absent; an initialiser is read by then: data is set */
cop_ox_value *cop__ox_in(cop_ox *m, const cop_ox_node *n, int i);
cop_ox_value *cop__ox_out(cop_ox *m, const cop_ox_node *n, int i); /* NULL: nobody asked */
bool cop__ox_known(cop_ox *m, cop_ox_value *v);                    /* reads an initialiser when first asked for */
/* Input i as known integers, or a failure that says so. absent: *v NULL, *count 0. */
cop_status cop__ox_known_ints(cop_ox *m, const cop_ox_node *n, int i, const int64_t **v, int32_t *count);
cop_status cop__ox_known_floats(cop_ox *m, const cop_ox_node *n, int i, const float **v, int32_t *count);
cop_status cop__ox_know(cop_ox *m, const cop_ox_node *n, int i, int32_t type, int32_t rank, const int32_t *dim,
	const void *data);
cop_vid cop__ox_as(cop_ox *m, cop_ox_value *v, cop_ox_layout l);
cop_vid cop__ox_get(cop_ox *m, const cop_ox_node *n, int i);       /* input i, PLAIN; 0 after a failure */
/* the same, and fails unless it is F32 */
cop_vid cop__ox_float(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l);
cop_ox_layout cop__ox_prefers(const cop_ox_value *v);
/* v is output i; its shape follows from the graph's. type 0: that of input 0. */
cop_status cop__ox_set(cop_ox *m, const cop_ox_node *n, int i, cop_vid v, cop_ox_layout l, int32_t type);
/* negative counts from the end */
cop_status cop__ox_axis(cop_ox *m, const cop_ox_node *n, int64_t axis, int32_t rank, int32_t *out);
int32_t cop__ox_axis_in(int32_t a, int32_t rank, cop_ox_layout l); /* where axis a of the file stands in a layout */
/* of a Reduce node (reduce.c) */
cop_status cop__ox_reduce_axes(cop_ox *m, const cop_ox_node *n, uint32_t *axes, bool *keep);
cop_status cop__ox_same(cop_ox *m, const cop_ox_node *n, int i, cop_ox_value *x); /* output i is x */

/* Copies known elements: for every index of dim, y[k] = x[offset + sum index * stride]. */
void cop__ox_gather(const cop_ox_value *x, void *y, int rank, const int32_t *dim, const int64_t *stride,
	int64_t offset);
/* Input i as known floats or integers whatever it is in the file: element k. */
static inline size_t cop__ox_size(const cop_ox_value *v) { return cop__ox_is_float(v->type) ? 4 : 8; }

/* ---- weights (value.c) ---- */
/* Input i in that layout; when it is known it becomes a parameter, which training may change. */
cop_vid cop__ox_weight(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l);
/* The same, as bytes with a scale for each row where it was dequantised so: for layers (pass/integers.c). */
cop_vid cop__ox_rows(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l);
cop_vid cop__ox_state(cop_ox *m, const cop_ox_node *n, int i, cop_vid of); /* a running statistic of parameter `of` */

/* ---- nodes of the graph (make.c; make.h says what they are); 0 in, 0 out ---- */
cop_vid cop__ox_reshape(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim);
cop_vid cop__ox_expand(cop_ox *m, cop_vid x, int32_t rank, const int32_t *dim);
/* step below 0: backwards */
cop_vid cop__ox_slice(cop_ox *m, cop_vid x, int32_t axis, int32_t from, int32_t size, int32_t step);
cop_vid cop__ox_pad(cop_ox *m, cop_vid x, const int32_t *before, const int32_t *after, float value, int mode);
/* matmul with broadcasting (matmul.c) */
cop_vid cop__ox_product(cop_ox *m, const cop_ox_node *n, cop_vid a, cop_vid b);
cop_vid cop__ox_product_any(cop_ox *m, const cop_ox_node *n, cop_vid a, cop_vid b); /* of vectors, too */
cop_vid cop__ox_resample(cop_ox *m, cop_vid x, int32_t axis, int32_t out, int32_t taps, const int32_t *index,
	const float *weight);
/* gather; rank, dim: of the result */
cop_vid cop__ox_pick(cop_ox *m, cop_vid x, cop_vid index, int32_t axis, int32_t rank, const int32_t *dim);

static inline cop_vid cop__ox_transpose(cop_ox *m, cop_vid x, const int32_t *perm)
{
	return cop__make_transpose(m->g, x, perm);
}

static inline cop_vid cop__ox_clip(cop_ox *m, cop_vid x, float lo, float hi) { return cop__make_clip(m->g, x, lo, hi); }

static inline cop_vid cop__ox_concat(cop_ox *m, int32_t axis, int n, cop_vid *v)
{
	return cop__make_concat(m->g, axis, n, v);
}

static inline cop_vid cop__ox_matmul(cop_ox *m, cop_vid a, cop_vid b, int ta, int tb)
{
	return cop__make_matmul(m->g, a, b, ta, tb);
}

static inline cop_vid cop__ox_widen(cop_ox *m, cop_vid x) { return cop__make_widen(m->g, x); }
static inline cop_vid cop__ox_two(cop_ox *m, int op, cop_vid a, cop_vid b) { return cop__make_two(m->g, op, a, b); }
static inline cop_vid cop__ox_two_f(cop_ox *m, int op, cop_vid a, float b) { return cop__make_two_f(m->g, op, a, b); }

static inline cop_vid cop__ox_map(cop_ox *m, int fn, float alpha, float beta, cop_vid x)
{
	return cop__make_map(m->g, fn, alpha, beta, x);
}

static inline cop_vid cop__ox_where(cop_ox *m, cop_vid cond, cop_vid a, cop_vid b)
{
	return cop__make_where(m->g, cond, a, b);
}

static inline cop_vid cop__ox_cast(cop_ox *m, cop_vid x, cop_dtype to) { return cop__make_cast(m->g, x, to); }

static inline cop_vid cop__ox_reduce(cop_ox *m, int fn, cop_vid x, uint32_t axes, bool keep)
{
	return cop__make_reduce(m->g, fn, x, axes, keep);
}

static inline cop_vid cop__ox_argmax(cop_ox *m, cop_vid x, int32_t axis, bool keep, bool last)
{
	return cop__make_argmax(m->g, x, axis, keep, last);
}

static inline cop_vid cop__ox_layernorm(cop_ox *m, cop_vid x, cop_vid gamma, cop_vid beta, float eps, bool rms)
{
	return cop__make_layernorm(m->g, x, gamma, beta, eps, rms);
}

static inline cop_vid cop__ox_lrn(cop_ox *m, cop_vid x, int32_t size, float alpha, float beta, float bias)
{
	return cop__make_lrn(m->g, x, size, alpha, beta, bias);
}

static inline cop_vid cop__ox_softmax(cop_ox *m, cop_vid x, int32_t axis) { return cop__make_softmax(m->g, x, axis); }

#define OX(name, add, ...) cop_ox_add cop__ox_add_##add;
#define RW(name, op, add, ...) cop_ox_add cop__ox_add_##add;
#define FOLD(name) cop_ox_fold cop__ox_fold_##name;
#include "io/onnx/onnx.def"
#undef OX
#undef RW
#undef FOLD

#endif
