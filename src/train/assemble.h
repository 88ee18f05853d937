/* SPDX-License-Identifier: Apache-2.0
 *
 * assemble.h - what the files share that put a training graph together: assemble.c writes it, express.c what a weight is read as, wrt.c says which weights
 * are trained, updates.c changes them, zeroth.c does without gradients.
 */
#ifndef COP_ASSEMBLE_H
#define COP_ASSEMBLE_H

#include "train/build_record.h"

/* ---- express.c ---- */
/* b->formed: the model with the expressions and the guards in it, made once: a form may have looked for its latents for a while. */
cop_status cop__express(cop_build *b);
cop_status cop__expressions(cop_graph **out, const cop_build *b); /* the expressions alone, with the weights as outputs */

/* ---- wrt.c ---- */
/* What the loss is differentiated for: parameters that are trained, then weights whose gradient is kept alone. */
typedef struct cop_wrt {
	cop_vid *w, *at; /* at: what the network reads */
	cop_vid *dw, *guard; /* guard: of dw, which is missing while it reads 0; 0: none */
	int n, trained;
} cop_wrt;
cop_status cop__wrt_find(cop_wrt *x, cop_arena *mem, const cop_graph *g, const cop_build *b);
cop_status cop__rows_suit(const cop_graph *g, const cop_build *b, cop_vid w); /* refuses a list of rows for a rule that knows none */
void cop__tell_of_integers(const cop_graph *g, const cop_wrt *x); /* those that no gradient reaches would stay as they are, without a word */
/* Leaves what moves by its gradient in x, and the rest in *w. */
cop_status cop__wrt_leave(cop_wrt *x, cop_vid *w, int *n_moved, const cop_graph *g, const cop_build *b);

/* ---- updates.c ---- */
/* Skipped while the guard reads 0 (0: none). What a weight's own guard skips has that one. */
cop_status cop__updates(cop_graph *g, const cop_build *b, const cop_wrt *x, cop_vid guard);
/* Gradients into the states that keep them: of those trained, or of those alone that somebody asked for. */
cop_status cop__keep_gradients(cop_graph *g, const cop_wrt *x, int from);
/* A graph of updates alone: parameters, their followers, and the gradients as COP_PART_GRADIENTS left them. */
cop_status cop__updates_alone(cop_graph **out, const cop_graph *g, const cop_build *b, const cop_wrt *x);

/* ---- zeroth.c: a step of two runs forward ---- */
typedef struct cop_zeroth {
	const cop_build *b;
	const cop_vid *w;         /* [n] weights of the graph of one run that move without a gradient */
	int n;
	cop_vid loss;             /* of that graph */
	cop_graph *g;             /* both runs */
	cop_vid *leaf, *now;      /* [n] of g, in the memory of the caller: the weights, and what was last written over them */
	cop_vid up, down, said;   /* the losses of the runs; their mean */
} cop_zeroth;
/* Makes z->g of `from`; *map: what the values of that are there in the second run, weights and states as they lie. */
cop_status cop__zeroth_runs(cop_zeroth *z, const cop_graph *from, cop_vid **map, cop_arena *mem);
void cop__zeroth_now(cop_zeroth *z, cop_graph *g, const cop_vid *map); /* z->g has become g; map: what its values are there */
cop_status cop__zeroth_move(cop_zeroth *z, cop_vid guard); /* guard 0: none */

#endif
