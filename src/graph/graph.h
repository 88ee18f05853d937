/* SPDX-License-Identifier: Apache-2.0
 *
 * graph.h - values, nodes, and the calls that build and walk a graph.
 *
 * SSA: a value is written once, by its producer, and nodes stand in an order in which every input
 * comes before its reader. Indices, not pointers: they survive growing, cloning and writing to disk.
 * Index 0 is "none". Everything hangs in the graph's arena and is freed whole.
 * Passes do not edit a graph; they copy it, node by node, into a new one (cop__copy_*).
 */
#ifndef COP_GRAPH_H
#define COP_GRAPH_H

#include "graph/contents.h"

enum { COP_MAX_IN = 8, COP_MAX_OUT = 4, COP_MAX_ATTR = 28 };

/* Behind COP_DENSE, the compressed forms of weights (enc/enc.h). */
enum cop_encs {
	COP__DENSE = COP_DENSE,
#define ENC(NAME, name) COP_##NAME,
#include "enc/enc.def"
#undef ENC
	COP_N_ENC
};

typedef struct cop_value {
	cop_type type;
	cop_role role;
	cop_vid alias;     /* written over that value: update, running mean, paste */
	cop_vid of;        /* state that follows a parameter: momentum, mask, row list */
	cop_nid producer;  /* 0 for INPUT, CONST, PARAM, STATE */
	const void *data;  /* CONST, PARAM, STATE: initial contents, to be read only (cop__own makes them writable); NULL: zeros */
	cop_contents *held;/* whose bytes data is; NULL: borrowed, or zeros */
	const char *name;  /* always set for INPUT, CONST, PARAM, STATE and outputs; NULL on plain temporaries */
	int32_t lead, samples; /* of inputs and outputs: `lead` blocks, each of one part for each of `samples`; 0: not known (pass/batch.h) */
} cop_value;

typedef struct cop_node {
	uint16_t op;
	uint8_t n_in;
	cop_vid in[COP_MAX_IN];    /* 0: an optional input that is absent */
	cop_vid out[COP_MAX_OUT];  /* 0: an optional output nobody asked for */
	cop_vid guard;             /* i32 value: the step is skipped while it reads 0; 0 = always runs */
	int32_t attr[COP_MAX_ATTR];/* words laid out by cop_op.attrs */
} cop_node;

/* Names in the order of a network's outputs (graph/about.h). */
typedef struct cop_named { const char **at; int32_t count, cap; } cop_named;

struct cop_graph {
	cop_ctx *cx;
	cop_arena mem;
	const char *name;
	cop_value *value;   /* [1 .. n_value] */
	cop_node *node;     /* [1 .. n_node] */
	int32_t n_value, cap_value, n_node, cap_node;
	cop_vid *input, *output;
	int32_t n_input, cap_input, n_output, cap_output;
	cop_named classes, targets;
	cop_samples samples;
	float accuracy;     /* -1: not known */
	cop_index names;    /* of values, as cop__name gave them */
	bool spent;         /* cop__spend */
	bool outline;       /* for counting and planning: weights that a pass computes may be left zeros (cop_graph_outline) */
};

/* ---- making ---- */
cop_status cop__graph_new(cop_graph **out, cop_ctx *cx, const char *name);
cop_type cop__type(cop_dtype dtype, int32_t rank, const int32_t *dim);
#define DIMS(...) ((const int32_t[]){__VA_ARGS__})
#define VIDS(...) LEN(((const cop_vid[]){__VA_ARGS__})), ((const cop_vid[]){__VA_ARGS__})  /* count, array */
/* All four return 0 after recording the failure; a later call given vid 0 for a required input fails quietly,
 * so a builder may check once at its end. Names must be unique among named values. */
cop_vid cop__input(cop_graph *g, const char *name, const cop_type *t);
cop_vid cop__data(cop_graph *g, cop_role role, const char *name, const cop_type *t, const void *data); /* data is copied; NULL: zeros */
cop_nid cop__node(cop_graph *g, int op, const void *attr, int n_in, const cop_vid *in); /* infers; makes the required outputs */
/* Convenience: the first result of a new node. */
cop_vid cop__apply(cop_graph *g, int op, const void *attr, int n_in, const cop_vid *in);
void cop__name(cop_graph *g, cop_vid v, const char *name);
cop_status cop__output(cop_graph *g, cop_vid v, const char *name); /* name NULL: keep or make one */
/* real = scale * (q - zero) for an integer input or output of the graph. Kernels do not look at it: it tells those who
 * feed and read a network. Kept by passes and files; temporaries have none. */
cop_status cop__set_quant(cop_graph *g, cop_vid v, float scale, int32_t zero);
/* Makes optional output i of a node (0-based), if it is not there; the op's infer is run again to type it. */
cop_vid cop__want_out(cop_graph *g, cop_nid n, int i);

/* ---- contents of constants, parameters and states (contents.h) ---- */
/* The contents of v to be written: zeros if there are none yet, a copy if others have them too. NULL: no memory. What was read from the
 * value before may be gone: ask for the address again. */
void *cop__own(cop_graph *g, cop_vid v);
/* Value `to` of out has the contents of g's value `from`, which must be of as many bytes; none are copied. */
cop_status cop__share(cop_graph *out, cop_vid to, const cop_graph *g, cop_vid from);
/* The same for a pass that changes them: to be written, and copied unless only spent graphs have them. Do not read g's value after it. */
void *cop__take(cop_graph *out, cop_vid to, const cop_graph *g, cop_vid from);
/* Nobody will read g after the pass that runs on it now: its weights may be changed where they lie. */
void cop__spend(cop_graph *g);
/* Gives v the contents c, and with them the caller's reference; NULL: zeros. */
void cop__put_contents(cop_graph *g, cop_vid v, cop_contents *c);
/* The contents of v are someone else's, who keeps them as long as g reads them; whoever writes to v gets a copy. */
void cop__borrow(cop_graph *g, cop_vid v, const void *data);
void cop__drop_all(cop_graph *g); /* for cop_graph_free */

/* ---- values that belong to a weight (`of`) and go with it: "conv1.w.mask" ---- */
enum { COP_FOLLOWER = 256 };
cop_status cop__follower_name(char name[COP_FOLLOWER], cop_ctx *cx, const char *weight, const char *what);
cop_vid cop__follower(const cop_graph *g, cop_vid w, const char *what); /* 0: it has none */
/* The same, made when it is not there; data is copied, NULL: zeros. */
cop_vid cop__follow(cop_graph *g, cop_vid w, cop_role role, const char *what, const cop_type *t, const void *data);

/* ---- walking ---- */
static inline const cop_value *cop__v(const cop_graph *g, cop_vid v) { return &g->value[v]; }
static inline const cop_type *cop__t(const cop_graph *g, cop_vid v) { return &g->value[v].type; }
static inline cop_vid cop__arg(const cop_graph *g, cop_nid n, int i) { return i < g->node[n].n_in ? g->node[n].in[i] : 0; }
static inline cop_vid cop__res(const cop_graph *g, cop_nid n, int i) { return g->node[n].out[i]; }
static inline const cop_type *cop__in(const cop_graph *g, cop_nid n, int i) { return &g->value[cop__arg(g, n, i)].type; } /* of value 0: rank 0 */
static inline const cop_type *cop__outt(const cop_graph *g, cop_nid n, int i) { return &g->value[g->node[n].out[i]].type; }
/* The elements of a weight in order, when they lie so: the one way to read its numbers from a graph. NULL: it is computed or an input, has
 * no contents (zeros), is of another format, or is encoded; enc/enc.h expands those. */
static inline const void *cop__dense(const cop_graph *g, cop_vid v, cop_dtype t)
{
	const cop_value *x = &g->value[v];
	return x->role >= COP_CONST && x->type.enc == COP_DENSE && x->type.dtype == t ? x->data : NULL;
}
static inline const float *cop__floats(const cop_graph *g, cop_vid v) { return cop__dense(g, v, COP_F32); }
static inline const int32_t *cop__ints(const cop_graph *g, cop_vid v) { return cop__dense(g, v, COP_I32); }
cop_vid cop__find(const cop_graph *g, const char *name);
bool cop__same_shape(const cop_type *a, const cop_type *b);
int32_t *cop__readers(const cop_graph *g, cop_arena *mem); /* [n_value+1] how many nodes read each value (outputs and aliases count one) */
const char *cop__label(const cop_graph *g, cop_nid n, char buf[96]); /* "conv 'conv1.w'" for messages */

/* ---- copying, for passes ----
 * map[old vid] = new vid, [n_value+1], zeroed by cop__copy_begin. */
cop_status cop__copy_begin(cop_graph **out, const cop_graph *g, cop_vid **map);
cop_vid cop__copy_value(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v); /* a leaf; its contents are shared */
cop_status cop__copy_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n);
cop_status cop__copy_end(cop_graph *out, const cop_graph *g, cop_vid *map);          /* outputs and aliases */

/* ---- failing ---- */
/* Records "node 7 (conv 'conv1.w'): ..." once, at the cause. */
cop_status cop__fail(const cop_graph *g, cop_status code, cop_nid n, const char *fmt, ...) COP_PRINTF(4, 5);

/* cop_graph_parse of a text whose encoded weights get their contents later: the rest of cop_graph_verify is then the reader's. */
cop_status cop__graph_parse(cop_graph **out, cop_ctx *cx, const char *text, size_t size);
/* All that cop_graph_verify asks for but contents. */
cop_status cop__verify_form(const cop_graph *g);
/* COP_ARG if g is an outline: "an outline can't be WHAT". */
cop_status cop__not_outline(const cop_graph *g, const char *what);
/* Weights from a file: codes and row lists, which kernels use as indices, stay inside. */
cop_status cop__check_contents(const cop_graph *g);
/* Gives each value v the contents c[v] and takes over the references (NULL: v keeps what it has), unless some are out of range: then the
 * graph and the references stay as they were. */
cop_status cop__replace_contents(cop_graph *g, cop_contents **c);

/* ---- dtype tables ---- */
const char *cop__dtype_text(cop_dtype d);
cop_dtype cop__dtype_find(const char *s, size_t len); /* COP_NOTYPE if unknown */
const char *cop__enc_text(cop_enc e);
int cop__dtype_bits(cop_dtype d);
int32_t cop__dtype_least(cop_dtype d), cop__dtype_most(cop_dtype d); /* of whole numbers */
/* Is it a weight of whole numbers: i8, i4 or i2? Its element i, counted in order; and one that is written where only zeros are yet. */
bool cop__is_whole(const cop_type *t);
int32_t cop__whole_at(const cop_type *t, const void *data, int64_t i);
void cop__whole_put(const cop_type *t, void *data, int64_t i, int32_t v);
/* The rows and columns of an encoded weight: axis 0 by all the rest; one row of what has one axis. */
void cop__matrix_of(const cop_type *t, int32_t *rows, int32_t *cols);

#endif
