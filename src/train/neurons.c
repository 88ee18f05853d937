/* SPDX-License-Identifier: Apache-2.0
 *
 * neurons - finds the layers whose neurons can be left out, and writes lists of those that are trained into the model. See neurons.h.
 */
#include "train/neurons.h"

#include "op/op.h"

#define LIST "rows"

/* ---- layers ---- */

/* A weight that one node reads, and whose gradient goes to it as it is. */
static bool is_own(const cop_graph *g, cop_vid v, const int32_t *readers)
{
	const cop_value *x = &g->value[v];

	if (!v || x->role != COP_PARAM || x->type.dtype != COP_F32 || x->type.enc != COP_DENSE || readers[v] != 1) return false;
	for (int i = 0; cop_forms.row(i); i++) {
		const cop_form *f = (const cop_form *)(const void *)cop_forms.row(i);
		if (f->follower && cop__follower(g, v, f->follower)) return false;
	}
	return true;
}

/* The one node that reads v; 0: none does, or several. */
static cop_nid next_of(const cop_graph *g, cop_vid v, const int32_t *readers)
{
	for (cop_nid n = 1; readers[v] == 1 && n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 0) == v) return n;
	return 0;
}

static void with_norm(cop_channels *l, const cop_graph *g, const int32_t *readers)
{
	cop_nid n = next_of(g, l->out, readers);

	if (!n || g->node[n].op != OP_bn) return;
	l->out = cop__res(g, n, 0);
	for (int i = 1; i < COP_ALSO; i++)
		if (is_own(g, cop__arg(g, n, i), readers)) l->also[i] = cop__arg(g, n, i);
}

static bool layer_of(cop_channels *l, const cop_graph *g, cop_nid n, const char *names, const int32_t *readers)
{
	const cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);
	cop_cost c = {0};

	if ((g->node[n].op != OP_conv && g->node[n].op != OP_fc) || !is_own(g, w, readers) || !cop__match(names, g->value[w].name)) return false;
	const int64_t samples = COP_MAX(1, cop__in(g, n, 0)->dim[0]);
	cop__op(g, n)->cost(g, n, &c);
	*l = (cop_channels){.w = w, .in = cop__arg(g, n, 0), .out = cop__res(g, n, 0), .rows = cop__t(g, w)->dim[0], .mac = c.mac / samples,
		.kept = cop_type_count(cop__in(g, n, 0)) / samples};
	if (is_own(g, b, readers)) l->also[0] = b;
	with_norm(l, g, readers);
	l->each = cop_type_count(cop__t(g, w)) / l->rows;
	for (int i = 0; i < COP_ALSO; i++) l->each += l->also[i] != 0;
	return true;
}

cop_status cop__neurons_find(cop_neurons *out, cop_arena *mem, const cop_graph *g, const char *names, const char *who)
{
	int32_t *readers = cop__readers(g, mem);

	*out = (cop_neurons){.layer = cop__arena_get(mem, sizeof *out->layer * ((size_t)g->n_node + 1))};
	if (!readers || !out->layer) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_channels *l = &out->layer[out->n_layer];
		if (!layer_of(l, g, n, names, readers)) continue;
		l->first = out->count;
		out->count += l->rows;
		out->numbers += l->rows * l->each;
		out->n_layer++;
	}
	if (out->n_layer < 2)
		return cop__error(g->cx, COP_ARG, "%s: '%s' has no convolution or fully connected layer before its last one whose neurons could be left out: "
			"their weights have to be reals without a mask that one layer alone reads", who, g->name);
	cop_channels *head = &out->layer[out->n_layer - 1];
	head->head = true;
	out->numbers -= head->rows * head->each;
	out->hidden = head->first;
	return COP_OK;
}

/* ---- lists ---- */

static cop_vid list_of(const cop_graph *g, cop_vid w) { return w ? cop__follower(g, w, LIST) : 0; }

static bool is_list(const cop_graph *g, cop_vid v, const int32_t *readers)
{
	return g->value[v].of && !readers[v] && list_of(g, g->value[v].of) == v;
}

bool cop__has_lists(const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].of && list_of(g, g->value[v].of) == (cop_vid)v) return true;
	return false;
}

cop_status cop__no_lists(cop_graph *model) { return cop__take_away(model, is_list); }

void cop__neurons_live(bool *live, const cop_graph *g, const cop_neurons *n)
{
	for (int32_t i = 0; i < n->n_layer; i++) {
		const cop_channels *l = &n->layer[i];
		cop_vid v = list_of(g, l->w);
		const int32_t *list = v ? cop__ints(g, v) : NULL;
		for (int32_t k = 0; k < l->rows; k++) live[l->first + k] = !v;
		for (int32_t k = 1; list && k <= list[0]; k++) live[l->first + list[k]] = true;
	}
}

/* What the rule keeps of w: rows that are left out begin at 0 when they are trained again. */
static cop_status forget_rows(cop_graph *g, cop_vid w, const bool *live, const int32_t *readers)
{
	const int32_t rows = cop__t(g, w)->dim[0];
	const size_t bytes = cop_type_bytes(cop__t(g, w)) / (size_t)rows;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->of != w || x->role != COP_STATE || !x->data || readers[v] /* running means */ || !cop__same_shape(&x->type, cop__t(g, w))) continue;
		char *own = cop__own(g, (cop_vid)v);
		if (!own) return COP_NOMEM;
		for (int32_t k = 0; k < rows; k++)
			if (!live[k]) memset(own + (size_t)k * bytes, 0, bytes);
	}
	return COP_OK;
}

static cop_status list_rows(cop_graph *g, cop_vid w, const bool *live, int32_t n)
{
	const cop_type t = cop__type(COP_I32, 1, DIMS(n + 1));
	cop_vid v = cop__follow(g, w, COP_STATE, LIST, &t, NULL);
	int32_t *list = v ? cop__own(g, v) : NULL;

	if (!list) return cop__failed(g->cx);
	for (int32_t k = 0; k < cop__t(g, w)->dim[0]; k++)
		if (live[k]) list[++list[0]] = k;
	return COP_OK;
}

static cop_status list_layer(cop_graph *g, const cop_channels *l, const bool *live, const int32_t *readers)
{
	const cop_vid of[1 + COP_ALSO] = {l->w, l->also[0], l->also[1], l->also[2]};
	int32_t trained = 0;

	for (int32_t k = 0; k < l->rows; k++) trained += live[k];
	for (int i = 0; trained < l->rows && i <= COP_ALSO; i++) {
		if (!of[i]) continue;
		COP_TRY(forget_rows(g, of[i], live, readers));
		COP_TRY(list_rows(g, of[i], live, trained));
	}
	return COP_OK;
}

cop_status cop__neurons_list(cop_graph *model, const char *names, const char *who, const bool *live)
{
	cop_arena mem;
	cop_neurons n;

	COP_TRY(cop__no_lists(model));
	cop__arena_init(&mem, model->cx);
	cop_status st = cop__neurons_find(&n, &mem, model, names, who);
	const int32_t *readers = cop__readers(model, &mem);
	if (!st && !readers) st = COP_NOMEM;
	for (int32_t i = 0; !st && i < n.n_layer; i++)
		if (!n.layer[i].head) st = list_layer(model, &n.layer[i], live + n.layer[i].first, readers);
	cop__arena_free(&mem);
	return st;
}
