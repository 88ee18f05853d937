/* SPDX-License-Identifier: Apache-2.0
 *
 * pick - one level for each layer, within limits: by the knapsack, or as plain ways do it. Those begin with the fewest
 * bits everywhere and go through the layers once; each gets the most bits that still fit.
 */
#include "compress/quantize/mixed.h"

static cop_status knapsack(int32_t *choice, cop_ctx *cx, const cop_sack *s, uint64_t seed)
{
	double damage;

	(void)seed;
	return cop__knapsack(choice, &damage, cx, s);
}

static bool fits(const int32_t *choice, const cop_sack *s)
{
	for (int r = 0; r < s->n_resource; r++) {
		double sum = 0;
		for (int32_t i = 0; i < s->n_lot; i++) sum += s->lot[i].level[choice[i]].price[r];
		if (sum > s->limit[r]) return false;
	}
	return true;
}

/* Lots in the order of rank, the highest first. */
static cop_status by_rank(int32_t *choice, cop_ctx *cx, const cop_sack *s, double *rank)
{
	for (int32_t i = 0; i < s->n_lot; i++) choice[i] = s->lot[i].n - 1;
	cop_status st = rank && fits(choice, s) ? COP_OK : rank ? COP_BUDGET : COP_NOMEM;
	for (int32_t round = 0; !st && round < s->n_lot; round++) {
		int32_t at = 0;
		for (int32_t i = 1; i < s->n_lot; i++)
			if (rank[i] > rank[at]) at = i;
		for (choice[at] = 0; !fits(choice, s);) choice[at]++;
		rank[at] = -INFINITY;
	}
	cop__free(cx, rank);
	return st;
}

/* The most harm first. */
static cop_status greedy(int32_t *choice, cop_ctx *cx, const cop_sack *s, uint64_t seed)
{
	double *rank = cop__alloc(cx, sizeof *rank * (size_t)(s->n_lot + 1));

	(void)seed;
	for (int32_t i = 0; rank && i < s->n_lot; i++) rank[i] = s->lot[i].level[s->lot[i].n - 1].damage;
	return by_rank(choice, cx, s, rank);
}

static cop_status at_random(int32_t *choice, cop_ctx *cx, const cop_sack *s, uint64_t seed)
{
	double *rank = cop__alloc(cx, sizeof *rank * (size_t)(s->n_lot + 1));

	for (int32_t i = 0; rank && i < s->n_lot; i++)
		rank[i] = (double)cop__rand_unit(seed, cop__hash_text("bits"), (uint64_t)i);
	return by_rank(choice, cx, s, rank);
}

const cop_pick_row cop__picks[COP_N_PICK] = {{"knapsack", knapsack}, {"greedy", greedy}, {"random", at_random}};
