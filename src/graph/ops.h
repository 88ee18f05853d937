/* SPDX-License-Identifier: Apache-2.0
 *
 * ops.h - what an operator is. One row an op, all facts in it; op/op.def lists the rows, the folder op holds them.
 * There is no "forward": execution is a kernel row, chosen when a plan is built.
 */
#ifndef COP_OPS_H
#define COP_OPS_H

#include "graph/graph.h"

enum cop_opcode {
	OP_none,
#define OP(name) OP_##name,
#include "op/op.def"
#undef OP
	COP_N_OP
};

/* PURE: the result depends on the inputs alone, so the node may be cloned, folded or dropped.
 * INPLACE: output 0 may lie on input 0 (same bytes; every kernel of the op allows it).
 * VIEW: output 0 is input 0 under another shape; no kernel, no bytes. ELTWISE: element by element.
 * ACT: has attrs lo and hi, the fused activation. UPDATE: writes a parameter or state.
 * QUANT: of a quantised network: computes on integers that stand for reals, or leads there or back. */
enum { COP_OP_PURE = 1, COP_OP_INPLACE = 2, COP_OP_VIEW = 4, COP_OP_ELTWISE = 8, COP_OP_ACT = 16, COP_OP_UPDATE = 32, COP_OP_QUANT = 64 };

typedef struct cop_cost { int64_t mac, flop; } cop_cost; /* multiply-accumulates; other arithmetic. Bytes follow from the types. */

/* index j of axis b_ax of b goes with index ((j-off)/div)%mod of axis a_ax of a, lo <= j < hi.
 * b 0: indices lo .. hi of a's axis pass, and nothing goes with them.
 * alt: one of several ways to see the same axes, of which only one can hold; those of a node with the same number exclude each other, and the
 * first comes first.
 * win > 1: a window (stride, pad) rather than equality; such an axis can be cut into patches, not pruned. */
typedef struct cop_link {
	cop_vid a, b;
	int8_t a_ax, b_ax, alt;
	int32_t off, div, mod, lo, hi, win, stride, pad;
} cop_link;

typedef struct cop_grad cop_grad;

typedef struct cop_op {
	const char *name;
	const char *attrs;   /* "sh:i sw:i lo:f hi:f": names and kinds of the attribute words, in order; "dim:i6" is six words */
	uint8_t min_in, max_in;
	uint8_t n_out;       /* outputs in all; the first `must_out` always exist, the rest when asked for */
	uint8_t must_out;
	uint32_t flags;
	/* Checks the inputs and types the outputs that exist, with cop__set_out. Called again when an output is added. */
	cop_status (*infer)(cop_graph *g, cop_nid n);
	/* Appends backward nodes with cop__grad_put. NULL: the gradient stops here. */
	cop_status (*grad)(cop_grad *d, cop_nid n);
	void (*cost)(const cop_graph *g, cop_nid n, cop_cost *c);                 /* NULL: flop = elements of output 0 */
	int (*links)(const cop_graph *g, cop_nid n, cop_link *out, int max);      /* NULL: axes do not go through, so not prunable */
	int (*words)(const cop_graph *g, cop_nid n, int32_t *k);                  /* the layout in kernel.h; returns how many (<= COP_MAX_WORDS) */
	/* Builds instance `which` (0, 1, ...) for the table-driven tests on fresh inputs; 0 past the last one.
	 * Cover odd shapes, each attribute, absent optional inputs. */
	cop_nid (*sample)(cop_graph *g, int which);
} cop_op;

extern const cop_op *const cop_ops[COP_N_OP];
static inline const cop_op *cop__op(const cop_graph *g, cop_nid n) { return cop_ops[g->node[n].op]; }
int cop__op_find(const char *name, size_t len); /* OP_none if unknown */

/* ---- attribute words ---- */
static inline int32_t cop__bits(float f) { int32_t i; memcpy(&i, &f, 4); return i; }
static inline float cop__float(int32_t i) { float f; memcpy(&f, &i, 4); return f; }
/* A struct of int32_t and float members in the order of `attrs`. */
#define COP_ATTR(T, var, g, n) T var; memcpy(&var, (g)->node[n].attr, sizeof var)
/* Index of the word named `name` in an op's attrs, -1 if none; kind 'i' or 'f'. */
int cop__attr_find(const cop_op *op, const char *name, char *kind, int *words);
int cop__attr_words(const cop_op *op);
#define COP_NO_LO (-__builtin_inff()) /* bounds of an activation that has none */
#define COP_NO_HI (__builtin_inff())

#endif
