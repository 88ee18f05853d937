/* SPDX-License-Identifier: Apache-2.0
 *
 * mixed.h - bits for the weights of each layer by itself, so that the whole stays within limits and its answers move
 * least:
 *
 *   levels    the bits that a layer can have, and the harm that each does              mixed.c, harm.c
 *   prices    what each takes in the file, in flash and in instructions                mixed.c
 *   picks     one level for each layer: a knapsack, or a plain way to compare it with  pick.c, ../knapsack.c
 *
 * Harms and prices are those of one layer at a time and are added up. So the whole is quantised and measured, and what
 * it has too much is asked of the next pick on top.
 */
#ifndef COP_COMPRESS_MIXED_H
#define COP_COMPRESS_MIXED_H

#include "compress/quantize/quantize.h"
#include "core/knapsack.h"

typedef enum cop_mix_resource { COP_MIX_FILE, COP_MIX_FLASH, COP_MIX_INSTRUCTIONS, COP_N_MIX } cop_mix_resource;
enum { COP_MIX_LEVELS = 5 }; /* at most, of a layer */

typedef struct cop_mixed_layer {
	cop_nid n;
	int32_t n_level;
	int32_t level[COP_MIX_LEVELS]; /* which of the levels of all, the most bits first */
	cop_pick pick[COP_MIX_LEVELS]; /* harm, and prices above those of the first choice */
} cop_mixed_layer;

typedef struct cop_mixing {
	cop_quantizer *z;
	cop_target target;
	double allowed[COP_N_MIX];      /* 0: no limit */
	cop_qlayer *as[COP_MIX_LEVELS]; /* [n_node+1] each: all layers with those bits; NULL: not tried */
	cop_mixed_layer *layer;
	int32_t n_layer;
} cop_mixing;

/* Fills the harm of each layer with the bits that it has now, 0 where it stays float. */
typedef struct cop_harm_row {
	const char *name;
	cop_status (*fill)(cop_quantizer *z);
} cop_harm_row;
extern const cop_harm_row cop__harms[];
enum { COP_N_HARM = 2 };

/* choice[n_lot] within the limits; COP_BUDGET, without a sentence: nothing fits. The levels of a lot go from the most
 * bits to the fewest. */
typedef cop_status cop_pick_fn(int32_t *choice, cop_ctx *cx, const cop_sack *s, uint64_t seed);
typedef struct cop_pick_row {
	const char *name;
	cop_pick_fn *pick;
} cop_pick_row;
extern const cop_pick_row cop__picks[];
enum { COP_N_PICK = 3 };

/* The integer network within the limits of z->a. Leaves z's side arrays as they are for it. */
cop_status cop__mixed(cop_graph **out, cop_quantizer *z);

#endif
