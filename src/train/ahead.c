/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead - which weights are trained, and what the network reads in their place while it is: some rules take the gradient at another point than the
 * weights that are the result.
 */
#include "op/op.h"
#include "pass/parts.h"
#include "pass/pass.h"
#include "train/build_record.h"

/* What stands before the last dot; false: nothing does, or too much. */
static bool stem(char weight[COP_FOLLOWER], const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot - name >= COP_FOLLOWER) return false;
	memcpy(weight, name, (size_t)(dot - name));
	weight[dot - name] = 0;
	return true;
}

/* Is it a part, and of which weight of g? */
static bool part_of(char weight[COP_FOLLOWER], const cop_graph *g, const char *name) { return cop__is_part(name) && stem(weight, name) && cop__find(g, weight); }

/* A latent or a part is chosen by the name of its weight; what a term of the loss has for itself is trained. */
bool cop__is_chosen(const cop_build *b, const char *name)
{
	char weight[COP_FOLLOWER];

	if (part_of(weight, b->model, name)) return cop__match(b->all.layers, weight);
	if (cop__find(b->model, name) || !stem(weight, name)) return cop__match(b->all.layers, name);
	return !cop__find(b->model, weight) || cop__match(b->all.layers, weight);
}

float cop__own_rate(const cop_rates *rates, const cop_graph *g, const char *name)
{
	char weight[COP_FOLLOWER];
	return cop__rate_of(rates, part_of(weight, g, name) ? weight : name, 1);
}

/* A float, or what stands for steps of one: int8 weights and their biases (pass/trainable.c). A list of rows without room leaves all of them out. */
bool cop__is_trained(const cop_graph *g, const cop_build *b, cop_vid v)
{
	const cop_value *p = &g->value[v];
	const bool whole = p->type.dtype == COP_I8 || p->type.dtype == COP_I32;
	const cop_vid rows = p->role == COP_PARAM ? cop__follower(g, v, "rows") : 0;

	if (rows && cop__t(g, rows)->dim[0] == 1) return false;
	return p->role == COP_PARAM && p->type.enc == COP_DENSE && (p->type.dtype == COP_F32 || (whole && cop__follower(g, v, "per"))) && cop__is_chosen(b, p->name) &&
		cop__own_rate(&b->all.rates, g, p->name) > 0;
}

/* ---- read ahead ---- */

#define AHEAD "ahead"
cop_vid cop__read_as(const cop_graph *g, cop_vid w)
{
	char name[COP_FOLLOWER];
	cop_vid v = w && g->value[w].name && !cop__follower_name(name, g->cx, g->value[w].name, AHEAD) ? cop__find(g, name) : 0;
	return v ? v : w;
}

static cop_status one_ahead(cop_graph *out, const cop_graph *g, const cop_build *b, cop_vid *map, cop_vid w)
{
	const cop_param p = {.g = out, .w = cop__copy_value(out, g, map, w), .level = &b->level};
	char name[COP_FOLLOWER];

	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].of == w && !g->value[v].producer && !cop__copy_value(out, g, map, (cop_vid)v)) return cop__failed(g->cx);
	cop_vid ahead = b->level.rule->ahead(&p, b->level.options);
	if (!ahead) return cop__failed(out->cx);
	COP_TRY(cop__follower_name(name, b->cx, g->value[w].name, AHEAD));
	cop__name(out, ahead, name);
	map[w] = ahead;
	return COP_OK;
}

/* The graph with each weight that is trained read ahead. */
cop_status cop__look_ahead(cop_graph **out, const cop_graph *g, const cop_build *b)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (cop__is_trained(g, b, (cop_vid)v) && cop__t(g, (cop_vid)v)->dtype == COP_F32) st = one_ahead(*out, g, b, map, (cop_vid)v);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(*out, g, map, n);
	for (int32_t v = 1; !st && v <= g->n_value; v++) /* what follows a weight follows the weight itself */
		if (cop__is_trained(g, b, (cop_vid)v)) map[v] = cop__find(*out, g->value[v].name);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}
