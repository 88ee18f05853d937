/* SPDX-License-Identifier: Apache-2.0
 *
 * wrt - what the loss is differentiated for: which weights are trained, whose gradients are kept, what moves without one; and what can't be.
 */
#include "pass/parts.h"
#include "pass/pass.h"
#include "train/assemble.h"
#include "train/update/mezo.h"

/* Layers before sums of bits would stay as they are, without a word. */
static void tell_of_bits(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_bconv) {
			cop__log(g->cx, COP_LOG_WARN, "'%s' has sums of bits, which no gradient passes: only what lies behind the last of them is trained", g->name);
			return;
		}
}

void cop__tell_of_integers(const cop_graph *g, const cop_wrt *x)
{
	int first = -1, n = 0;

	for (int i = 0; i < x->trained; i++) {
		if (x->dw[i] || cop__t(g, x->w[i])->dtype == COP_F32) continue;
		if (!n++) first = i;
	}
	if (n)
		cop__log(g->cx, COP_LOG_WARN, "no gradient reaches '%s'%s: it lies before a table, a recurrent layer or another operator of integers that passes none on, and stays as it is",
			g->value[x->w[first]].name, n > 1 ? " and others" : "");
}

/* A weight that was asked for and can't be trained, or none: why. */
static cop_status untrainable(const cop_graph *g, const cop_build *b, int n)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *p = &g->value[v];
		if (p->role == COP_PARAM && p->type.enc != COP_DENSE && cop__is_chosen(b, p->name))
			return cop__error(g->cx, COP_ARG,
				"training: '%s' is encoded (%s) and can't be trained; the pass `decode` makes plain numbers of it (coppice apply NET decode -o PLAIN)", p->name,
				cop__enc_text(p->type.enc));
		if (!n && (cop__is_whole(&p->type) || p->type.dtype == COP_BIT) && !p->producer && p->role != COP_INPUT)
			return cop__error(g->cx, COP_ARG, "training: this is a network of integers, and layers=%s names no weight or bias of it that was made trainable "
				"(coppice inspect lists weights; in C: cop_graph_trainable)", b->all.layers);
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "training: no parameter matches layers=%s", b->all.layers);
}

/* Numbers by the names of weights, none of which the network has. */
static cop_status names_any(const cop_graph *g, const cop_rates *r, const char *option)
{
	bool found = !r->n;

	for (int32_t v = 1; !found && v <= g->n_value; v++)
		for (int32_t i = 0; !found && i < r->n && g->value[v].role >= COP_CONST && g->value[v].name; i++) found = cop__match(r->at[i].layers, g->value[v].name);
	return found ? COP_OK : cop__error(g->cx, COP_ARG, "training: %s=%s names no weight of '%s' (coppice inspect lists them)", option, r->at[0].layers, g->name);
}

/* A weight of which a part is wanted, and that is trained as a whole: the network was not made so. */
static cop_status parts_made(const cop_graph *g, const cop_build *b, const cop_wrt *x)
{
	for (int i = 0; i < x->trained; i++) {
		const cop_value *w = &g->value[x->w[i]];
		if (w->type.rank > 1 && !cop__is_part(w->name) && cop__rate_of(&b->all.channels, w->name, 1) < 1)
			return cop__error(b->cx, COP_ARG, "training: channels= wants a part of a weight, and '%s' is whole: the network has to be made trainable with the same words first (in C: cop_graph_trainable)", w->name);
	}
	return COP_OK;
}

cop_status cop__wrt_find(cop_wrt *x, cop_arena *mem, const cop_graph *g, const cop_build *b)
{
	size_t bytes = sizeof *x->w * (size_t)(g->n_value + b->n_gradient + 1);

	*x = (cop_wrt){.w = cop__arena_get(mem, bytes), .at = cop__arena_get(mem, bytes), .dw = cop__arena_get(mem, bytes), .guard = cop__arena_get(mem, bytes)};
	if (!x->w || !x->at || !x->dw || !x->guard) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (cop__is_trained(g, b, (cop_vid)v)) x->w[x->n++] = (cop_vid)v;
	x->trained = x->n;
	COP_TRY(names_any(b->model, &b->all.rates, "rates"));
	COP_TRY(names_any(b->model, &b->all.channels, "channels"));
	COP_TRY(parts_made(g, b, x));
	for (int32_t i = 0; i < b->n_gradient; i++) {
		if (cop__follower(b->model, cop__find(b->model, b->gradient[i]), "rows"))
			return cop__error(b->cx, COP_ARG, "training: the whole gradient of '%s' is wanted, and of some of its rows alone it is computed", b->gradient[i]);
		x->w[x->n++] = cop__find(g, b->gradient[i]);
	}
	for (int i = 0; i < x->n; i++) x->at[i] = cop__read_as(g, x->w[i]);
	tell_of_bits(g);
	return untrainable(g, b, x->trained);
}

cop_status cop__rows_suit(const cop_graph *g, const cop_build *b, cop_vid w)
{
	const cop_update *rule = b->level.rule;

	if (rule->rows || !cop__follower(g, w, "rows")) return COP_OK;
	return cop__error(b->cx, COP_ARG, "training: '%s' has a list of rows that are trained, and %s changes whole weights: take sgd", g->value[w].name, rule->row.name);
}

cop_status cop__wrt_leave(cop_wrt *x, cop_vid *w, int *n_moved, const cop_graph *g, const cop_build *b)
{
	const cop_mezo *o = b->level.options;
	int n = 0;

	if (b->n_gradient || b->level.by) return cop__error(b->cx, COP_ARG, "training: %s has no gradients that could be kept, or from which a rate is learnt", b->level.rule->row.name);
	for (int i = 0; i < x->trained; i++) {
		const cop_value *v = &g->value[x->w[i]];
		COP_TRY(cop__rows_suit(g, b, x->w[i]));
		if (v->type.dtype != COP_F32) return cop__error(b->cx, COP_ARG, "training: the rule '%s' moves floats, and '%s' holds integers; use qsgd", b->level.rule->row.name, v->name);
		if (*o->last && cop__match(o->last, v->name)) x->w[n++] = x->w[i];
		else w[(*n_moved)++] = x->w[i];
	}
	if (*o->last && !n) return cop__error(b->cx, COP_ARG, "training: last=%s of %s fits no weight that is trained", o->last, b->level.rule->row.name);
	x->n = x->trained = n;
	return COP_OK;
}
