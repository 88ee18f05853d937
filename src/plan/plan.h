/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.h - a graph with an order, kernels and addresses. Run by src/run, printed by src/emit.
 */
#ifndef COP_PLAN_H
#define COP_PLAN_H

#include "core/options.h"
#include "op/op.h"

extern const cop_table cop__targets;

/* The memory of a plan. On a board the first row is flash, the second RAM:
 *
 *   flash   | FIXED: contents of the graph, read in place | PACK: weights as their kernels want them |
 *
 *   RAM     | PARAM: weights that are trained | STATE: momentum, streaming | ARENA: inputs, outputs, temporaries |     | FAST |
 *             kept from run to run ---------------------------------------->  one run                                  one run
 *
 * In the arena, values that are never needed at the same time share bytes. A network of three layers, time going down:
 *
 *   step    offset 0                          arena bytes
 *   0       | x (input)      | a              |            a = layer 1 of x
 *   1       | b      |       | a              |            b = layer 2 of a: x is no longer needed, so b takes its place
 *   2       | b      | y     |                             y = layer 3 of b
 *
 * A result may even overlap the operand that its kernel still reads, when the kernel says how far ahead of it it writes (cop_kernel.ahead):
 *
 *           |<- ahead ->| x ....................|
 *           | y ....................|                      y begins `ahead` bytes before x and ends over it
 *
 * FAST: the part of the arena in fast RAM. PACK: weights that never change, as their kernels want them. FIXED: contents that are read where
 * the graph has them. */
typedef enum cop_segment { COP_SEG_NONE, COP_SEG_FIXED, COP_SEG_PARAM, COP_SEG_STATE, COP_SEG_ARENA, COP_SEG_FAST, COP_SEG_PACK, COP_N_SEG } cop_segment;

typedef struct cop_place {
	cop_segment seg;
	size_t off;        /* from the start of the segment */
	const void *data;  /* FIXED: the contents */
} cop_place;

enum { COP_MAX_BUF = COP_MAX_OUT + COP_MAX_IN };

typedef struct cop_step {
	cop_nid node;
	const cop_kernel *kernel;
	int32_t n_buf, n_word;
	cop_place buf[COP_MAX_BUF];   /* the op's outputs, then its inputs */
	int32_t *word;                /* [COP_MAX_WORDS] */
	cop_place guard, work, pack;
	size_t work_bytes;            /* of one part */
	bool pack_once;               /* the weight never changes: packed when the session is made */
	const void *code;             /* of the weight as the kernel reads it, which is decoded to `pack` before the step runs (kernel/coded.h); NULL: it is not coded */
	size_t code_bytes, image_bytes; /* coded, and decoded */
	const uint32_t *row;          /* of an image in rows (kernel/gaps.h) that can be decoded in parts: where each begins, and the last one ends; NULL: it is none */
	int32_t parts;                /* in which that is decoded, each before the kernel is called for some of its channels; 0: it is not */
	bool split;                   /* worth more than one thread */
	const void *weight;           /* contents of input 1 that nothing changes; NULL: not known */
	double sparse_time;           /* of the kernel for sparse weights beside the dense one; 0: none */
	size_t live, fast;            /* bytes of both arenas in use; of the fast one */
} cop_step;

/* A piece of the arena, live from step `from` to step `to` inclusive. over: 1 + the index of a piece that ends where this one
 * begins, and that it may lie on when it begins `ahead` bytes before it; 0: none. heat: bytes read and written in one run. */
typedef struct cop_span { size_t bytes, off; int32_t from, to, over; size_t ahead; double heat; bool fast; } cop_span;

typedef struct cop_entry {
	cop_graph *g, *own;           /* own: g, where it is not the one that was given */
	cop_step *step;
	int32_t n_step;
	cop_place *place;             /* [n_value+1] */
	cop_span *span;               /* the pieces of the arena */
	int32_t n_span;
	size_t arena, fast, live;     /* bytes planned, in slow and in fast RAM; the largest live set */
} cop_entry;

/* A leaf of some entry, by name. written: by a step, or (STATE) by whoever runs the plan. used: some step touches it
 * where it lies, or it is a result; not so when only its rearranged copy is read. held: whose bytes init is, kept as long as the plan. */
typedef struct cop_var { const char *name; cop_type type; cop_role role; cop_place place; const void *init; cop_contents *held; bool written, used; } cop_var;

struct cop_plan {
	cop_ctx *cx;
	cop_arena mem;
	cop_target target;
	cop_entry *entry;
	int32_t n_entry;
	cop_var *var;
	int32_t n_var;
	cop_index names;              /* of var, each number one more than its place */
	size_t bytes[COP_N_SEG];
};

/* ---- between the files of this folder ---- */
/* order[0..n_node) of g's nodes; the rules are at the head of schedule.c. late: leave the updates at the end. */
cop_status cop__schedule(cop_nid *order, const cop_graph *g, bool late);
/* The value whose memory v shares: through views and aliases, to a leaf or a temporary of its own. */
cop_vid cop__base(const cop_graph *g, cop_vid v);

/* live[0..n_step]: what no arena can be smaller than at each step. */
cop_status cop__live_bytes(size_t *live, cop_ctx *cx, const cop_span *span, int32_t n, int32_t n_step, bool fast_only);
cop_status cop__pack_spans(size_t *arena, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step);
/* Chooses the pieces of the fast memory, `limit` bytes, and gives both kinds addresses. */
cop_status cop__pack_two(size_t *arena, size_t *fast, size_t *live, cop_ctx *cx, cop_span *span, int32_t n, int32_t n_step, size_t limit);

/* The kernel row for a node, or NULL. word: the node's words. */
const cop_kernel *cop__select(const cop_graph *g, cop_nid n, const int32_t *word, uint32_t isa);
/* The same where the contents of the weight are known (NULL: they are not) and never change: rows for sparse weights, too. Counts word COP_STEPS. */
/* sparse_time: of the best row for sparse weights; 0: none. gaps: of these rows only those whose weights can be decoded from runs */
typedef struct cop_choosing { int32_t *word; uint32_t isa; const void *weight; double sparse_time; bool gaps; } cop_choosing;
const cop_kernel *cop__select_for(const cop_graph *g, cop_nid n, cop_choosing *c);
/* The same graph with plain numbers for the encoded weights that a plan with those kernels uses so; NULL: for none. */
cop_status cop__plan_forms(cop_graph **out, const cop_graph *g, uint32_t isa);
/* Is row k, which has steps, faster than the dense row (sparse.c)? Sets word COP_STEPS. */
bool cop__sparse_pays(const cop_graph *g, cop_nid n, const cop_kernel *k, cop_choosing *c);
/* Do a row's types describe the values of node n? */
bool cop__types_fit(const char *types, const cop_graph *g, cop_nid n);
extern const cop_kernel cop_kernels[];
extern const int cop_n_kernels;

/* Is the entry's value an INPUT, by index; helpers for run and emit */
const cop_var *cop__plan_var(const cop_plan *p, const char *name);

/* Instructions of one run of a plan's first entry on t, by the table of prices; decoding: of them, for weights that are coded; guessed: the part of its work for whose kernels there is no row. false:
 * t has no table. */
typedef struct cop_priced { int64_t instructions, decoding; float guessed; } cop_priced;
bool cop__plan_price(cop_priced *out, const cop_plan *p, const cop_target *t);
bool cop__has_prices(const cop_target *t);
double cop__decoding_price(const cop_step *st); /* of a step whose weights are coded by a mark */

/* Addresses of everything in an entry whose steps are known. */
cop_status cop__lay_out(cop_plan *p, cop_entry *e);
/* Which buffer of a step its kernel reads rearranged, if it does. */
int cop__packed_buf(const cop_entry *e, const cop_step *st);
/* The weight as a kernel that wants it rearranged reads it, or part of it, `bytes` at most. */
void cop__rearrange(void *image, size_t bytes, const cop_step *st, int32_t part, int32_t parts);
/* How the layer is marked (pass/code.c), if marks are looked at. */
cop_code cop__mark_of(const cop_plan *p, const cop_graph *g, cop_nid n);
/* Gives the step a code of its weight, if that is marked and the code is shorter. */
cop_status cop__plan_code(cop_plan *p, const cop_entry *e, cop_step *st);
/* Bytes of RAM that decoded weights take, in so many parts, with what their decoder keeps beside them; cop__plan_stream: they are decoded so. */
size_t cop__decoded_bytes(const cop_step *st);
size_t cop__streamed_bytes(const cop_step *st, int32_t parts);
void cop__plan_stream(cop_step *st, int32_t parts);
/* The first step whose weight is decoded from the same code as that of step s; -1: it has none. */
int32_t cop__plan_coded(const cop_entry *e, int32_t s);
/* Bytes of RAM that a board keeps for the stack; sections.ld insists on them. */
enum { COP_STACK = 1024 };
/* Bytes in flash of what never changes: values that are used, and rearranged weights. */
size_t cop__plan_flash(const cop_plan *p);
/* The step with the most live bytes, for the message when a budget is missed. */
const char *cop__plan_peak(const cop_plan *p, char buf[96]);

#endif
