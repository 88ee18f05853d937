/* SPDX-License-Identifier: Apache-2.0
 *
 * build - the record that a training graph is put together from; see build.h. assemble.c does that.
 */
#include "train/build_record.h"

#include "core/need.h"
#include "pass/pass.h"
#include "train/policy.h"

#include <math.h>
#include <stdio.h>

cop_status cop__build_new(cop_build **out, const cop_graph *model, int32_t batch, int64_t each)
{
	cop_build *b = cop__alloc(model->cx, sizeof *b);
	cop_graph *batched = NULL, *bare = NULL;
	cop_status st = COP_OK;

	*out = NULL;
	if (!b) return COP_NOMEM;
	*b = (cop_build){.cx = model->cx, .n_name = 1};
	cop__arena_init(&b->mem, b->cx);
	if (batch) st = cop__batch_for(&batched, model, &(cop_sized_args){.n = batch, .each = each}, NULL);
	if (!st && batch) st = cop__without_units(&bare, batched);
	if (!st) st = cop__pass_unroll(&b->model, bare ? bare : model);
	cop_graph_free(batched);
	cop_graph_free(bare);
	*out = b;
	if (st) cop__build_free(b), *out = NULL;
	return st;
}

void cop__build_free(cop_build *b)
{
	if (!b) return;
	void *list[] = {b->term, b->form, b->state, b->name, b->gradient, b->guarded};

	for (int i = 0; i < LEN(list); i++) cop__free(b->cx, list[i]);
	cop_graph_free(b->model);
	cop_graph_free(b->formed);
	for (int32_t i = 0; i < b->n_teacher; i++) cop_graph_free(b->teacher[i]);
	cop__arena_free(&b->mem);
	cop__free(b->cx, b);
}

void cop__build_like(cop_build *b, const cop_build *other)
{
	b->level = other->level;
	b->bf16 = other->bf16;
	memcpy(b->all.layers, other->all.layers, sizeof b->all.layers);
}

void cop__build_bf16(cop_build *b, bool bf16) { b->bf16 = bf16; }
const cop_graph *cop__build_model(const cop_build *b) { return b->model; }

bool cop__build_has_forms(const cop_build *b)
{
	for (int32_t i = 0; i < b->n_form; i++)
		if (b->form[i].form->express) return true;
	return false;
}

bool cop__build_knows_class(const cop_build *b)
{
	for (int32_t i = 0; i < b->n_term; i++)
		if (b->term[i].loss->labels) return true;
	return false;
}

void cop__build_no_terms(cop_build *b)
{
	int32_t n = 0;

	for (int32_t i = 0; i < b->n_term; i++)
		if (b->term[i].beside) b->term[n++] = b->term[i];
	b->n_term = n;
}

void cop__build_weigh_terms(cop_build *b, float by)
{
	for (int32_t i = 0; i < b->n_term; i++)
		if (!b->term[i].beside) b->term[i].weight *= by;
}

const char *cop__build_name(const cop_build *b, cop_handle h) { return h > 0 && h < b->n_name ? b->name[h] : NULL; }

const char *cop__build_kept(const cop_build *b, int i)
{
	const cop_tier *l = &b->level;
	int n = 0;

	while (n < LEN(l->rule->state) && l->rule->state[n]) n++;
	return i < n ? l->rule->state[i] : l->by && i < n + COP_LEARNT && l->rule->learns[i - n].name ? cop__moved_name(i - n) : NULL;
}

float cop__build_rate(const cop_build *b, float said, float moved)
{
	float root = sqrtf(said) + moved;
	return b->level.rule->learns[0].as == COP_AS_ROOT ? root * root : COP_MAX(said + moved, 0);
}

/* options of the row, or its defaults, where they stay as long as the record. */
static cop_status keep_options(const void **kept, cop_build *b, const cop_row *row, const void *options)
{
	void *own = cop__arena_get(&b->mem, row->size + 8);

	if (!own) return COP_NOMEM;
	if (options) memcpy(own, options, row->size);
	else cop__options_default(row->options, own);
	*kept = own;
	return COP_OK;
}

cop_status cop__build_term(cop_build *b, const cop_term *t)
{
	cop_term own = *t;

	if (own.weight == 0) own.weight = 1;
	COP_TRY(keep_options(&own.options, b, &t->loss->row, t->options));
	COP_TRY(cop__grow(b->cx, &b->term, &b->cap_term, b->n_term, sizeof *b->term));
	b->term[b->n_term++] = own;
	return COP_OK;
}

cop_status cop__build_form(cop_build *b, const char *weight, const cop_form *form, const void *options)
{
	cop_named_form own = {.form = form};
	cop_vid w = cop__find(b->model, weight);
	const cop_type *t = cop__t(b->model, w);

	if (!w || b->model->value[w].role != COP_PARAM || t->dtype != COP_F32 || t->enc != COP_DENSE)
		return cop__error(b->cx, COP_ARG, "the form '%s' is for weights of reals that are trained; '%s' is none of '%s'", form->row.name, weight, b->model->name);
	for (int32_t i = 0; i < b->n_form; i++)
		if (!strcmp(b->form[i].weight, weight))
			return cop__error(b->cx, COP_ARG, "'%s' has the form '%s' already and can't take '%s' as well", weight,
				b->form[i].form->row.name, form->row.name);
	own.weight = b->model->value[w].name;
	COP_TRY(keep_options(&own.options, b, &form->row, options));
	COP_TRY(cop__grow(b->cx, &b->form, &b->cap_form, b->n_form, sizeof *b->form));
	b->form[b->n_form++] = own;
	return COP_OK;
}

float cop__build_number(const cop_build *b, const char *option)
{
	const cop_option *o = b->level.rule->row.options;

	while (o && o->name && strcmp(o->name, option)) o++;
	if (!o || !o->name) return 0;
	const void *at = (const char *)b->level.options + o->offset;
	return o->kind == COP_FLAG ? *(const bool *)at : o->kind == COP_REAL ? *(const float *)at : 0;
}

/* ---- handles ---- */

cop_handle cop__build_value(cop_build *b, const char *name)
{
	for (int32_t i = 1; i < b->n_name; i++)
		if (!strcmp(b->name[i], name)) return i;
	if (cop__grow(b->cx, &b->name, &b->cap_name, b->n_name, sizeof *b->name)) return 0;
	if (!(b->name[b->n_name] = cop__arena_str(&b->mem, name, strlen(name)))) return 0;
	return b->n_name++;
}

bool cop__build_guarded(const cop_build *b) { return b->all.guard; }
bool cop__build_trains(const cop_build *b, const char *weight) { return cop__is_chosen(b, weight) && cop__own_rate(&b->all.rates, b->model, weight) > 0; }

cop_handle cop__build_follower(cop_build *b, const char *weight, const char *what)
{
	char name[COP_FOLLOWER];
	return cop__follower_name(name, b->cx, weight, what) ? 0 : cop__build_value(b, name);
}

cop_handle cop__build_state(cop_build *b, const char *name, const cop_type *t, const void *init, const char *of)
{
	cop_handle h = cop__build_value(b, name);
	size_t bytes = cop_type_bytes(t);
	void *own = init ? cop__arena_get(&b->mem, bytes + 64) : NULL;

	if (!h || (init && !own) || cop__grow(b->cx, &b->state, &b->cap_state, b->n_state, sizeof *b->state)) return 0;
	if (own) memcpy(own, init, bytes);
	b->state[b->n_state] = (cop_made_state){.name = b->name[h], .type = *t, .init = own};
	if (of && !(b->state[b->n_state].of = cop__arena_str(&b->mem, of, strlen(of)))) return 0;
	b->n_state++;
	return h;
}

cop_handle cop__build_gradient(cop_build *b, const char *weight)
{
	cop_vid w = cop__find(b->model, weight);
	cop_handle h = cop__build_follower(b, weight, COP_GRADIENT);

	if (!w) return cop__error(b->cx, COP_ARG, "'%s' has no weight '%s' whose gradient could be kept", b->model->name, weight), 0;
	for (int32_t i = 0; i < b->n_gradient; i++)
		if (!strcmp(b->gradient[i], weight)) return h;
	if (!h || cop__grow(b->cx, &b->gradient, &b->cap_gradient, b->n_gradient, sizeof *b->gradient)) return 0;
	b->gradient[b->n_gradient++] = b->model->value[w].name;
	return h;
}

/* ---- guards ---- */

/* The nodes of which nothing but v comes: all that reads their results is among them. */
static void mark_feeding(bool *node, bool *outside, const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++) outside[g->output[i]] = true;
	for (cop_nid n = (cop_nid)g->n_node; n > 0; n--) {
		const cop_node *d = &g->node[n];
		bool read = false, stays = false;
		for (int i = 0; i < COP_MAX_OUT; i++) stays |= d->out[i] && d->out[i] != v && outside[d->out[i]];
		for (int i = 0; i < COP_MAX_OUT; i++) read |= d->out[i] == v || (d->out[i] && node[0] && !outside[d->out[i]]);
		node[n] = read && !stays && !d->guard;
		node[0] |= node[n]; /* nothing behind v can feed it */
		for (int i = 0; !node[n] && i < d->n_in; i++) outside[d->in[i]] = true;
	}
}

cop_handle cop__build_guard(cop_build *b, cop_vid v)
{
	static const int32_t open = 1;
	const cop_graph *g = b->model;
	cop_type t = cop__type(COP_I32, 1, DIMS(1));
	char name[24];

	if (!v || v > (cop_vid)g->n_value || !g->value[v].producer || g->value[v].type.dtype != COP_F32)
		return cop__error(b->cx, COP_ARG, "a guard is for a value that '%s' computes", g->name), 0;
	for (int32_t i = 0; i < b->n_guarded; i++)
		if (b->guarded[i].node[g->value[v].producer]) return cop__error(b->cx, COP_ARG, "guards of '%s' lie within each other", g->name), 0;
	snprintf(name, sizeof name, "guard%d", b->n_guarded);
	cop_guarded own = {.v = v, .guard = cop__build_state(b, name, &t, &open, NULL), .node = cop__arena_get(&b->mem, (size_t)g->n_node + 1)};
	bool *outside = cop__arena_get(&b->mem, (size_t)g->n_value + 1);
	if (!own.guard || !own.node || !outside || cop__grow(b->cx, &b->guarded, &b->cap_guarded, b->n_guarded, sizeof *b->guarded)) return 0;
	mark_feeding(own.node, outside, g, v);
	b->guarded[b->n_guarded++] = own;
	return own.guard;
}

cop_handle cop__build_decided(cop_build *b, cop_vid v, cop_vid from, cop_decide *decide, void *ud)
{
	cop_handle h = cop__build_guard(b, v);
	cop_guarded *own = &b->guarded[b->n_guarded - 1];

	if (h) own->from = from, own->decide = decide, own->ud = ud;
	return h;
}
