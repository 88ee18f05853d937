/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - levels for all layers, so that the loss rises least and the whole fits. The knapsack adds up what levels
 * save alone; together they save less, since a layer that has lost outputs leaves less to its reader. So the whole is
 * measured, and what is missing is asked of the knapsack on top.
 */
#include "compress/aim/aim.h"

enum { TRIES = 10 };

/* What the whole takes above what is allowed, of each resource that is watched; at most 0: it fits. */
static cop_status over(double *by, cop_aimer *z, const int32_t *choice)
{
	cop_graph *g = NULL, *q = NULL;
	cop_point p;
	double excess = 0;
	int n = 0;

	COP_TRY(cop__levers_pull(&g, z, choice, NULL, 0));
	cop_status st = cop__aim_final(&q, z, g, z->final, 8);
	if (!st) st = cop__aim_price(&p, z, q);
	if (!st && z->watched[COP_R_RAM]) st = cop__aim_excess(&excess, z, q, z->allowed[COP_R_RAM]);
	cop_graph_free(q);
	cop_graph_free(g);
	for (int r = 0; !st && r < COP_N_RESOURCE; r++)
		if (z->watched[r]) by[n++] = r == COP_R_RAM ? excess : p.of[r] - z->allowed[r];
	return st;
}

static cop_status solve(cop_aimer *z, int32_t *choice, const double *limit, int n)
{
	cop_lot *lot = cop__alloc(z->cx, sizeof *lot * (size_t)(z->n_lever + 1));
	cop_sack s = {lot, z->n_lever, n, {0}};
	double damage;

	if (!lot) return COP_NOMEM;
	memcpy(s.limit, limit, sizeof *limit * (size_t)n);
	for (int32_t i = 0; i < z->n_lever; i++) lot[i] = (cop_lot){z->lever[i].pick, z->lever[i].n};
	cop_status st = cop__knapsack(choice, &damage, z->cx, &s);
	cop__free(z->cx, lot);
	return st;
}

cop_status cop__aim_choose(cop_aimer *z, int32_t *choice)
{
	double by[COP_N_RESOURCE], limit[COP_N_RESOURCE] = {0};
	int n = 0;

	for (int r = 0; r < COP_N_RESOURCE; r++) n += z->watched[r];
	memset(choice, 0, sizeof *choice * (size_t)(z->n_lever + 1));
	for (int i = 0; i < TRIES; i++) {
		bool fits = true;
		COP_TRY(over(by, z, choice));
		for (int r = 0; r < n; r++) {
			if (!i) limit[r] = -by[r];
			else if (by[r] > 0) limit[r] -= by[r];
			fits &= by[r] <= 0;
		}
		if (fits) return COP_OK;
		COP_TRY(solve(z, choice, limit, n));
	}
	return COP_OK; /* near enough: what is missing goes in the next round */
}
