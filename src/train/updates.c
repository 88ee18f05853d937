/* SPDX-License-Identifier: Apache-2.0
 *
 * updates - from gradients to new weights: clipped, guarded, in the rows that are trained, by the rule; kept for whoever asked; or as a graph of their own.
 */
#include "op/axes.h"
#include "op/grad.h"
#include "pass/pass.h"
#include "train/assemble.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status code(const cop_graph *g) { return cop__failed(g->cx); }

/* Scales every gradient by min(1, clip / norm of them all); updates then wait for the last gradient. */
static cop_status clip_all(cop_graph *g, float max, const cop_wrt *x)
{
	cop_vid sum = 0;

	for (int i = 0; i < x->trained; i++) {
		if (!x->dw[i]) continue;
		cop_nid last = (cop_nid)g->n_node;
		cop_vid s = cop__apply(g, OP_sumsq, NULL, VIDS(x->dw[i]));
		cop__guard_since(g, last, x->guard[i]);
		s = cop__unskipped(g, s);
		sum = sum ? cop__apply(g, OP_add, &no_act, VIDS(sum, s)) : s;
	}
	cop_vid scale = sum ? cop__apply(g, OP_clip_norm, &(cop_clip_norm_attr){max}, VIDS(sum)) : 0;
	for (int i = 0; scale && i < x->trained; i++) {
		cop_nid last = (cop_nid)g->n_node;
		if (x->dw[i]) x->dw[i] = cop__apply(g, OP_mul, &no_act, VIDS(x->dw[i], scale));
		cop__guard_since(g, last, x->guard[i]);
	}
	return g->cx->code;
}

/* The gradient as the weight's form lets it through: the form that was asked for, or one that a follower of the weight speaks of. */
static cop_vid let_through(cop_graph *g, const cop_build *b, cop_vid w, cop_vid dw)
{
	for (int i = 0; cop_forms.row(i) && dw; i++) {
		const cop_form *form = (const cop_form *)(const void *)cop_forms.row(i);
		cop_formed f = {form, NULL, b->model, cop__find(b->model, g->value[w].name)};
		if (form->gradient && form->follower && cop__follower(g, w, form->follower)) dw = form->gradient(&f, g, w, dw);
	}
	return dw;
}

/* Of a vector with a list of rows: those numbers of its gradient. That of a matrix has been made of these rows alone. */
static cop_vid listed(cop_graph *g, cop_vid w, cop_vid dw)
{
	cop_vid list = cop__t(g, w)->rank == 1 ? cop__follower(g, w, "rows") : 0;

	if (!list || !dw) return dw;
	cop_vid at = cop__apply(g, OP_slice, &(cop_slice_attr){.from = {1}, .step = {1, 1, 1, 1, 1, 1}}, VIDS(list));
	return at ? cop__apply(g, OP_gather, &(cop_axis_attr){0}, VIDS(dw, at)) : 0;
}

/* The weights of the first and the last layer. */
typedef struct ends { const char *first, *last; } ends;

static ends ends_of(const cop_graph *m)
{
	ends e = {NULL, NULL};

	for (cop_nid n = 1; n <= (cop_nid)m->n_node; n++)
		for (int i = 0; i < m->node[n].n_in; i++) {
			const cop_value *w = &m->value[m->node[n].in[i]];
			if (w->role != COP_PARAM || w->type.rank < 2) continue;
			if (!e.first) e.first = w->name;
			e.last = w->name;
		}
	return e;
}

/* Is it that weight, or a latent of it? */
static bool is_of(const char *name, const char *weight)
{
	size_t len = weight ? strlen(weight) : 0;
	return weight && !strncmp(name, weight, len) && (!name[len] || name[len] == '.');
}

/* What is not computed in this step changes nothing. */
static cop_status update_all(cop_graph *g, const cop_build *b, const cop_wrt *x)
{
	const cop_tier *l = &b->level;
	const ends e = ends_of(b->model);
	cop_moving m = {x->w, x->dw, x->guard, cop__arena_get(&g->mem, sizeof *m.now * (size_t)(x->trained + 1)),
		cop__arena_get(&g->mem, sizeof *m.inner * (size_t)(x->trained + 1)), x->trained};

	if (!m.now || !m.inner) return COP_NOMEM;
	for (int i = 0; i < x->trained; i++) {
		cop_nid last = (cop_nid)g->n_node;
		COP_TRY(cop__rows_suit(g, b, x->w[i]));
		if (x->dw[i] && cop__t(g, x->w[i])->dtype != COP_F32 && !l->rule->integers)
			return cop__error(b->cx, COP_ARG, "training: the rule '%s' moves floats, and '%s' holds integers; use qsgd", l->rule->row.name, g->value[x->w[i]].name);
		if (x->dw[i] && !(x->dw[i] = listed(g, x->w[i], let_through(g, b, x->w[i], x->dw[i])))) return code(g);
		cop__guard_since(g, last, x->guard[i]);
		const char *name = g->value[x->w[i]].name;
		m.inner[i] = !is_of(name, e.first) && !is_of(name, e.last);
	}
	if (b->all.clip > 0) COP_TRY(clip_all(g, b->all.clip, x));
	COP_TRY(cop__apply_tier(g, l, &m));
	cop_vid step = cop__find(g, "step");
	return step && !cop__apply(g, OP_count, NULL, VIDS(step)) ? code(g) : COP_OK;
}

cop_status cop__keep_gradients(cop_graph *g, const cop_wrt *x, int from)
{
	for (int i = from; i < x->n; i++) {
		bool twice = false;
		for (int j = from; j < i; j++) twice |= x->w[j] == x->w[i];
		if (twice || !x->dw[i]) continue;
		cop_type t = *cop__t(g, x->dw[i]);
		cop_vid v = cop__follow(g, x->w[i], COP_STATE, COP_GRADIENT, &t, NULL), dw = cop__unskipped(g, x->dw[i]);
		if (!v || !dw || !cop__apply(g, OP_assign, NULL, VIDS(v, dw))) return code(g);
	}
	return COP_OK;
}

cop_status cop__updates_alone(cop_graph **out, const cop_graph *g, const cop_build *b, const cop_wrt *x)
{
	cop_vid *map, step = cop__find(g, "step");

	COP_TRY(cop__copy_begin(out, g, &map));
	const size_t bytes = sizeof *map * (size_t)(x->trained + 1);
	cop_wrt y = {.w = cop__arena_get(&(*out)->mem, bytes), .dw = cop__arena_get(&(*out)->mem, bytes),
		.guard = cop__arena_get(&(*out)->mem, bytes), .n = x->trained, .trained = x->trained};
	cop_status st = y.w && y.dw && y.guard ? COP_OK : COP_NOMEM;
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (((g->value[v].of && !g->value[v].producer && !g->value[g->value[v].of].producer) || cop__is_of_rule(&g->value[v])) && !cop__copy_value(*out, g, map, (cop_vid)v)) st = code(g);
	for (int i = 0; !st && i < x->trained; i++) {
		if (!(y.w[i] = cop__copy_value(*out, g, map, x->w[i]))) st = code(g);
		else if (x->dw[i] && !(y.dw[i] = cop__follow(*out, y.w[i], COP_STATE, COP_GRADIENT, cop__t(g, x->dw[i]), NULL))) st = code(g);
		else if (x->guard[i] && !(y.guard[i] = cop__copy_value(*out, g, map, x->guard[i]))) st = code(g);
	}
	if (!st && step && !cop__copy_value(*out, g, map, step)) st = code(g);
	if (!st) st = update_all(*out, b, &y);
	if (!st) st = cop__output(*out, cop__find(*out, "lr"), NULL);
	return cop__pass_end(out, st);
}

cop_status cop__updates(cop_graph *g, const cop_build *b, const cop_wrt *x, cop_vid guard)
{
	const cop_nid last = (cop_nid)g->n_node;

	COP_TRY(update_all(g, b, x));
	for (cop_nid n = last + 1; guard && n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].guard) return cop__error(b->cx, COP_ARG, "training: guard=yes does not work beside what leaves layers out of a step");
		g->node[n].guard = guard;
	}
	return COP_OK;
}
