/* SPDX-License-Identifier: Apache-2.0
 *
 * zeroth - the graph of a step without gradients (update/mezo.c): the network twice, on weights that are perturbed in place, up and then down. What does not
 * depend on them is there once.
 */
#include "op/axes.h"
#include "pass/pass.h"
#include "train/assemble.h"
#include "train/update/mezo.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_vid number(cop_graph *g, float v)
{
	char name[40];

	cop__format(name, sizeof name, "update.%.9g", (double)v);
	return cop__scalar(g, name, v);
}

static cop_vid two(cop_graph *g, int op, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, op, &none, VIDS(a, b)) : 0; }

/* The step that is being done, from 0; of an earlier training directions go on from there. */
static cop_vid step_of(cop_graph *g, const cop_build *b)
{
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	const cop_vid v = cop__find(g, "step"), carried = cop__find(b->model, "step");

	return v ? v : cop__data(g, COP_STATE, "step", &one, carried ? b->model->value[carried].data : NULL);
}

/* w = keep w + by z */
static bool perturb(cop_zeroth *z, int i, cop_vid keep, cop_vid by)
{
	const cop_mezo *o = z->b->level.options;
	const cop_perturb_attr a = {o->seed, (int32_t)cop__hash_text(z->g->value[z->leaf[i]].name), o->draw};
	const cop_vid step = step_of(z->g, z->b);

	return keep && by && step && (z->now[i] = cop__apply(z->g, OP_perturb, &a, VIDS(z->now[i], keep, by, step)));
}

static cop_status perturb_all(cop_zeroth *z, float by)
{
	for (int i = 0; i < z->n; i++)
		if (!perturb(z, i, number(z->g, 1), number(z->g, by))) return cop__failed(z->b->cx);
	return COP_OK;
}

/* ---- the two runs ---- */

static cop_status copy_leaves(cop_zeroth *z, const cop_graph *from, cop_vid *map)
{
	COP_TRY(cop__copy_inputs(z->g, from, map));
	for (int32_t v = 1; v <= from->n_value; v++)
		if (!from->value[v].producer && !cop__copy_value(z->g, from, map, (cop_vid)v)) return cop__failed(z->b->cx);
	for (int i = 0; i < z->n; i++) z->leaf[i] = z->now[i] = map[z->w[i]];
	return COP_OK;
}

static void put_weights(const cop_zeroth *z, cop_vid *map, const cop_vid *as)
{
	for (int i = 0; i < z->n; i++) map[z->w[i]] = as[i];
}

static bool differs(const cop_node *d, const cop_vid *a, const cop_vid *b)
{
	bool some = a[d->guard] != b[d->guard];

	for (int i = 0; i < d->n_in; i++) some |= a[d->in[i]] != b[d->in[i]];
	return some;
}

/* What reads a weight, or a state as the first run left it, runs again, and has the names from then on. */
static cop_status second_run(cop_zeroth *z, const cop_graph *from, const cop_vid *first, cop_vid *map)
{
	for (int32_t v = 1; v <= from->n_value; v++)
		if (!from->value[v].producer) map[v] = first[v];
	put_weights(z, map, z->now);
	for (int32_t v = 1; v <= from->n_value; v++)
		if (from->value[v].alias) map[from->value[v].alias] = first[v];
	for (cop_nid n = 1; n <= (cop_nid)from->n_node; n++) {
		const cop_node *d = &from->node[n];
		const bool again = differs(d, first, map);
		for (int i = 0; i < COP_MAX_OUT; i++)
			if (again && d->out[i]) cop__name(z->g, first[d->out[i]], "");
			else if (d->out[i]) map[d->out[i]] = first[d->out[i]];
		if (again) COP_TRY(cop__copy_node(z->g, from, map, n));
	}
	return COP_OK;
}

/* States are written by the first run, and over that by the second. */
static void set_aliases(const cop_zeroth *z, const cop_graph *from, const cop_vid *first, const cop_vid *second)
{
	for (int32_t v = 1; v <= from->n_value; v++) {
		if (!from->value[v].alias) continue;
		z->g->value[first[v]].alias = first[from->value[v].alias];
		if (second[v] != first[v]) z->g->value[second[v]].alias = first[v];
	}
}

static cop_status runs(cop_zeroth *z, const cop_graph *from, cop_vid *first, cop_vid *second)
{
	const cop_mezo *o = z->b->level.options;

	COP_TRY(copy_leaves(z, from, first));
	COP_TRY(perturb_all(z, o->eps));
	put_weights(z, first, z->now);
	for (cop_nid n = 1; n <= (cop_nid)from->n_node; n++) COP_TRY(cop__copy_node(z->g, from, first, n));
	COP_TRY(perturb_all(z, -2 * o->eps));
	COP_TRY(second_run(z, from, first, second));
	z->up = first[z->loss], z->down = second[z->loss];
	put_weights(z, first, z->leaf);
	for (int32_t v = 1; v <= from->n_value; v++)
		if (!from->value[v].producer) second[v] = first[v];
	COP_TRY(cop__copy_rest(z->g, from, second));
	set_aliases(z, from, first, second);
	z->said = two(z->g, OP_mul, two(z->g, OP_add, z->up, z->down), number(z->g, 0.5f));
	return z->said ? COP_OK : cop__failed(z->b->cx);
}

cop_status cop__zeroth_runs(cop_zeroth *z, const cop_graph *from, cop_vid **map, cop_arena *mem)
{
	cop_vid *first;

	COP_TRY(cop__copy_begin(&z->g, from, &first));
	*map = cop__arena_get(&z->g->mem, sizeof **map * (size_t)(from->n_value + 1));
	z->leaf = cop__arena_get(mem, sizeof *z->leaf * (size_t)(z->n + 1));
	z->now = cop__arena_get(mem, sizeof *z->now * (size_t)(z->n + 1));
	return *map && z->leaf && z->now ? runs(z, from, first, *map) : COP_NOMEM;
}

void cop__zeroth_now(cop_zeroth *z, cop_graph *g, const cop_vid *map)
{
	z->g = g;
	for (int i = 0; i < z->n; i++) z->leaf[i] = map[z->leaf[i]], z->now[i] = map[z->now[i]];
	z->up = map[z->up], z->down = map[z->down], z->said = map[z->said];
}

/* ---- the move ---- */

/* 1 where the guard is 0, and 0 where it is 1. */
static cop_vid opposite(cop_graph *g, cop_vid guard)
{
	cop_vid real = cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(guard)), half = number(g, 0.5f);
	cop_vid both = real && half ? cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(real, half)) : 0;

	return both ? cop__apply(g, OP_argmax, &(cop_argmax_attr){0, 1, 0}, VIDS(both)) : 0;
}

/* Back to where it was, and by the slope on; where the guard says no, only back. */
static bool move(cop_zeroth *z, int i, cop_vid slope, cop_vid guard, cop_vid refused)
{
	const cop_mezo *o = z->b->level.options;
	const cop_param p = {.g = z->g, .w = z->leaf[i], .level = &z->b->level};
	const float decay = cop__param_decay(&p, o->decay);
	const cop_vid rate = cop__param_lr(&p), eps = number(z->g, o->eps), one = number(z->g, 1);
	const cop_vid keep = decay > 0 ? two(z->g, OP_sub, one, two(z->g, OP_mul, rate, number(z->g, decay))) : one;
	const cop_vid by = two(z->g, OP_sub, decay > 0 ? two(z->g, OP_mul, keep, eps) : eps, two(z->g, OP_mul, rate, slope));
	cop_nid last = (cop_nid)z->g->n_node;

	if (!perturb(z, i, keep, by)) return false;
	z->g->node[last + 1].guard = guard;
	last++;
	if (refused && !perturb(z, i, one, eps)) return false;
	if (refused) z->g->node[last + 1].guard = refused;
	return true;
}

cop_status cop__zeroth_move(cop_zeroth *z, cop_vid guard)
{
	const cop_mezo *o = z->b->level.options;
	const cop_vid slope = two(z->g, OP_div, two(z->g, OP_sub, z->up, z->down), number(z->g, 2 * o->eps)), refused = guard ? opposite(z->g, guard) : 0;

	if (!slope || (guard && !refused)) return cop__failed(z->b->cx);
	for (int i = 0; i < z->n; i++)
		if (!move(z, i, slope, guard, refused)) return cop__failed(z->b->cx);
	return COP_OK;
}
