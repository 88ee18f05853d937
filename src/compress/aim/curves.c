/* SPDX-License-Identifier: Apache-2.0
 *
 * curves - what each level of each layer costs in validation loss when it alone is taken, without training, and what it
 * saves of each resource: measured in the form in which the network will be deployed, on the plan of its machine.
 */
#include "compress/aim/aim.h"

#include <math.h>

enum { SCORED = 1000, CALIBRATED = 8 }; /* samples: to compare levels a few are enough */

/* Of a network with this level alone; base: of that with none. */
static cop_status measure(cop_pick *out, cop_aimer *z, const cop_graph *g, const cop_point *base)
{
	cop_graph *q = NULL;
	cop_point p;
	double excess = 0;
	int n = 0;

	COP_TRY(cop__aim_score(&p, z, g, SCORED));
	cop_status st = cop__aim_final(&q, z, g, z->final, CALIBRATED);
	if (!st) st = cop__aim_price(&p, z, q);
	if (!st && z->watched[COP_R_RAM]) st = cop__aim_excess(&excess, z, q, z->allowed[COP_R_RAM]);
	cop_graph_free(q);
	if (st) return st;
	p.of[COP_R_RAM] = excess;
	out->damage = isfinite(p.loss) ? (double)p.loss - (base ? (double)base->loss : 0) : 1e9;
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->watched[r]) out->price[n++] = p.of[r] - (base ? base->of[r] : 0);
	return COP_OK;
}

/* As one pick, to compare with: prices of the resources that are watched, from nothing. */
static cop_status base_of(cop_point *base, cop_aimer *z)
{
	cop_pick p = {0};
	int n = 0;

	COP_TRY(measure(&p, z, z->g, NULL));
	*base = (cop_point){.loss = (float)p.damage};
	for (int r = 0; r < COP_N_RESOURCE; r++)
		if (z->watched[r]) base->of[r] = p.price[n++];
	return COP_OK;
}

static cop_status curve(cop_aimer *z, int32_t i, int32_t *choice, const cop_point *base)
{
	cop_lever *v = &z->lever[i];
	cop_graph *g;

	for (int32_t k = 1; k < v->n; k++) {
		if (cop__stopped(z->cx)) return COP_STOPPED;
		choice[i] = k;
		cop_status st = cop__levers_pull(&g, z, choice, NULL, 0);
		if (!st) st = measure(&v->pick[k], z, g, base);
		if (!st) cop_graph_free(g);
		if (st) return st;
		v->pick[k].damage = fmax(v->pick[k].damage, v->pick[k - 1].damage); /* less is not better: what looks so is chance */
	}
	choice[i] = 0;
	cop__log(z->cx, COP_LOG_DEBUG, "%s: with %.3g of it, the loss rises by %.4g", v->name, (double)v->keep[v->n - 1],
		v->pick[v->n - 1].damage);
	return COP_OK;
}

cop_status cop__aim_curves(cop_aimer *z)
{
	cop_point base;

	COP_TRY(cop__levers_find(z));
	COP_TRY(base_of(&base, z));
	int32_t *choice = cop__alloc(z->cx, sizeof *choice * (size_t)(z->n_lever + 1));
	cop_status st = choice ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < z->n_lever; i++) st = curve(z, i, choice, &base);
	cop__free(z->cx, choice);
	return st;
}
