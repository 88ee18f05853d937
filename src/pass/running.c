/* SPDX-License-Identifier: Apache-2.0
 *
 * running - batch normalisation by its running statistics, as two operators that have gradients: y = x s + t with
 * s = gamma / sqrt(var + eps), t = beta - mean s, per channel. So a network is differentiated as it answers, not as it trains.
 */
#include "pass/pass.h"

#include <math.h>
#include <stdio.h>

static double at(const cop_graph *g, cop_vid v, int32_t i)
{
	const float *d = cop__floats(g, v);
	return d ? (double)d[i] : 0;
}

static cop_status scale(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type *t = cop__in(g, n, 1);
	COP_ATTR(cop_bn_attr, a, g, n);
	char name[2][40];

	for (int i = 0; i < 2; i++) snprintf(name[i], sizeof name[i], "running.%s%u", i ? "t" : "s", (unsigned)n);
	cop_vid x = cop__copy_value(out, g, map, cop__arg(g, n, 0)), s = cop__data(out, COP_CONST, name[0], t, NULL), b = cop__data(out, COP_CONST, name[1], t, NULL);
	float *to_s = s && b ? cop__own(out, s) : NULL, *to_b = to_s ? cop__own(out, b) : NULL;
	if (!x || !to_s || !to_b) return cop__failed(g->cx);
	for (int32_t i = 0; i < t->dim[0]; i++) {
		double k = at(g, cop__arg(g, n, 1), i) / sqrt(at(g, cop__arg(g, n, 4), i) + (double)a.eps);
		to_s[i] = (float)k;
		to_b[i] = (float)(at(g, cop__arg(g, n, 2), i) - at(g, cop__arg(g, n, 3), i) * k);
	}
	cop_vid y = cop__apply(out, OP_add, &(cop_act_attr){a.lo, a.hi}, VIDS(cop__apply(out, OP_mul, &none, VIDS(x, s)), b));
	if (!y) return cop__failed(g->cx);
	cop__map_to(out, g, map, cop__res(g, n, 0), y);
	return COP_OK;
}

cop_status cop__pass_running(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = g->node[n].op == OP_bn ? scale(*out, g, map, n) : cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}
