/* SPDX-License-Identifier: Apache-2.0
 *
 * fit - choosing whether and where to compute a network in bands (pass/patch.c): every cut and a few numbers of bands are planned
 * for the target, and the least memory wins among those whose extra work the caller will pay. The graph stays as it is when
 * nothing is won.
 */
#include "core/need.h"
#include "pass/pass.h"
#include "plan/plan.h"

static int64_t macs_of(const cop_graph *g)
{
	int64_t sum = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_cost c = {0};
		if (cop__op(g, n)->cost) cop__op(g, n)->cost(g, n, &c);
		sum += c.mac;
	}
	return sum;
}

static cop_status arena_of(size_t *bytes, cop_graph *g, const cop_target *t)
{
	cop_target open = *t;
	cop_plan *p;

	open.ram = open.flash = 0;
	COP_TRY(cop_plan_build(&p, &g, 1, &open));
	*bytes = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST];
	cop_plan_free(p);
	return COP_OK;
}

/* As the pass `patch` finds it: by the weight, else by the result; "": it has no name. */
static const char *layer_name(const cop_graph *g, cop_vid end)
{
	const cop_value *w = &g->value[cop__arg(g, g->value[end].producer, 1)];
	const char *name = w->role == COP_CONST || w->role == COP_PARAM ? w->name : g->value[end].name;
	return name ? name : "";
}

typedef struct choice { cop_graph *g; cop_patch is; } choice;

/* Takes this cut if it needs less. A cut that is refused, since its layers do not work row by row, is none. */
static cop_status consider(choice *best, const cop_graph *g, const cop_target *t, float most_extra, cop_vid end, int32_t bands)
{
	cop_graph *f;
	size_t bytes;
	cop_status st = cop__pass_patch(&f, g, end, bands);

	if (st == COP_NOMEM) return st;
	if (st) return cop_error_clear(g->cx), COP_OK;
	int64_t macs = macs_of(f);
	bool dear = (double)macs > (1 + (double)most_extra) * (double)best->is.macs_before;
	if (!dear) st = arena_of(&bytes, f, t);
	if (!st && !dear && (bytes < best->is.bytes || (bytes == best->is.bytes && macs < best->is.macs))) {
		cop_graph_free(best->g);
		best->g = f;
		best->is.bytes = bytes;
		best->is.macs = macs;
		best->is.bands = bands;
		cop__format(best->is.at, sizeof best->is.at, "%s", layer_name(g, end));
		return COP_OK;
	}
	cop_graph_free(f);
	return st;
}

/* An int8 layer whose weights or biases are trained: no gradient finds its way back through bands. */
static bool is_trained(const cop_graph *g, cop_nid n)
{
	for (int i = 0; i < g->node[n].n_in; i++) {
		const cop_value *v = &g->value[g->node[n].in[i]];
		if (v->role == COP_PARAM && v->type.dtype != COP_F32) return true;
	}
	return false;
}

cop_status cop_graph_patch(cop_graph **gp, const cop_target *t, float most_extra, cop_patch *out)
{
	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_NEED((*gp)->cx, t);
	COP_NEED((*gp)->cx, out);
	static const int32_t bands[] = {2, 3, 4, 6, 8, 12, 16, 24};
	enum { CUTS = 32 };
	cop_graph *g = *gp;
	choice best = {0};
	int cuts = 0;

	COP_TRY(arena_of(&best.is.bytes_before, g, t));
	best.is.bytes = best.is.bytes_before;
	best.is.macs = best.is.macs_before = macs_of(g);
	cop_status st = COP_OK;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node && cuts < CUTS && !is_trained(g, n); n++) {
		cop_vid v = cop__res(g, n, 0);
		if (cop__t(g, v)->rank != 4 || cop__op(g, n)->flags & COP_OP_VIEW) continue;
		cuts++;
		for (int i = 0; !st && i < LEN(bands) && bands[i] <= cop__t(g, v)->dim[1]; i++) st = consider(&best, g, t, most_extra, v, bands[i]);
	}
	*out = best.is;
	if (st) return cop_graph_free(best.g), st;
	if (best.g) {
		cop_graph_free(g);
		*gp = best.g;
	}
	return COP_OK;
}
