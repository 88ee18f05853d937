/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h - the orders of a recipe's stages that make sense (order: search), each run from the network as it came, and the best of them.
 */
#ifndef COP_ORDER_H
#define COP_ORDER_H

#include "compress/compress.h"

typedef struct cop_orders {
	int32_t n;
	int8_t at[COP_MOST_ORDERS][COP_MAX_STAGES]; /* places in the recipe; the first order is that of the recipe */
} cop_orders;

/* r makes sense as it is written. Others are those in which each stage can follow those before it, and which end in the form in which r does. */
cop_status cop__orders_find(cop_orders *o, const cop_recipe *r, const cop_graph *g);
/* r with its stages in that order. */
void cop__order_recipe(cop_recipe *out, const cop_recipe *r, const int8_t *order);
/* "prune, share, encode"; of several stages of a kind each has its number: "train 2". */
void cop__order_text(char *out, size_t size, const cop_recipe *r, const int8_t *order);
/* What the stages left of the network, on the validation set: into all of o but its text. */
void cop__order_result(cop_order_result *o, const cop_recipe *r, const cop_compress_result *is);
/* Within what may be lost first, then by bytes, then by what was lost. */
bool cop__order_better(const cop_order_result *a, const cop_order_result *b);
/* Where order k keeps its checkpoint: the first one at base itself. */
const char *cop__order_path(char out[1024], const char *base, int32_t k);

#endif
