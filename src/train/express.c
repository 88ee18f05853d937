/* SPDX-License-Identifier: Apache-2.0
 *
 * express - the model as a training reads it: each formed weight as the expression over its latents, and guards over what may be skipped.
 */
#include "op/axes.h"
#include "pass/pass.h"
#include "train/assemble.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status code(const cop_graph *g) { return cop__failed(g->cx); }

static cop_formed formed(const cop_build *b, int32_t i)
{
	return (cop_formed){b->form[i].form, b->form[i].options, b->model, cop__find(b->model, b->form[i].weight)};
}

static cop_status express_all(cop_graph *out, const cop_build *b, cop_vid *map)
{
	for (int32_t i = 0; i < b->n_form; i++) {
		cop_formed f = formed(b, i);
		if (cop__follower(b->model, f.w, "rows"))
			return cop__error(b->cx, COP_ARG, "training: '%s' has the form '%s' and a list of rows that are trained; it can't have both", b->form[i].weight, f.form->row.name);
		if (!f.form->express) continue;
		if (!(map[f.w] = f.form->express(&f, out))) return code(out);
		if (!cop__same_shape(cop__t(out, map[f.w]), cop__t(b->model, f.w)))
			return cop__error(b->cx, COP_SHAPE, "the form '%s' gives '%s' another shape", f.form->row.name, b->form[i].weight);
		cop__name(out, map[f.w], b->form[i].weight);
	}
	return COP_OK;
}

static cop_guarded *guarded_of_node(const cop_build *b, cop_nid n)
{
	for (int32_t i = 0; i < b->n_guarded; i++)
		if (b->guarded[i].node[n]) return &b->guarded[i];
	return NULL;
}

/* The guard as a value of out: it is made when the first of its nodes is copied. */
static cop_vid guard_value(cop_graph *out, const cop_build *b, cop_guarded *d, const cop_vid *map)
{
	static const int32_t open = 1;
	const cop_type t = cop__type(COP_I32, 1, DIMS(1));
	const char *name = b->name[d->guard];
	cop_vid v = cop__find(out, name);

	if (v) return v;
	if (!d->decide) return cop__data(out, COP_STATE, name, &t, &open);
	v = d->decide(d->ud, out, (int32_t)(d - b->guarded), map[d->from], &d->times);
	if (v) cop__name(out, v, name);
	return v;
}

static cop_status copy_guarded(cop_graph *out, const cop_build *b, cop_vid *map, cop_nid n)
{
	cop_guarded *d = guarded_of_node(b, n);
	const cop_vid guard = d ? guard_value(out, b, d, map) : 0, gated = d && b->model->value[d->v].producer == n ? d->v : 0;

	if (d && !guard) return code(out);
	COP_TRY(cop__copy_node(out, b->model, map, n));
	if (guard) out->node[out->n_node].guard = guard;
	if (!gated) return COP_OK;
	cop_vid x = map[gated];
	if (d->times && (x = cop__apply(out, OP_mul, &no_act, VIDS(x, d->times)))) out->node[out->n_node].guard = guard;
	cop_vid y = x ? cop__apply(out, OP_gate, NULL, VIDS(x, guard)) : 0;
	if (!y) return code(out);
	if (b->model->value[gated].name) cop__name(out, map[gated], ""), cop__name(out, y, b->model->value[gated].name);
	map[gated] = y;
	return COP_OK;
}

cop_status cop__express(cop_build *b)
{
	cop_vid *map;

	if (b->formed || (!cop__build_has_forms(b) && !b->n_guarded)) return COP_OK;
	COP_TRY(cop__copy_begin(&b->formed, b->model, &map));
	cop_status st = cop__copy_inputs(b->formed, b->model, map);
	if (!st) st = express_all(b->formed, b, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)b->model->n_node; n++) st = copy_guarded(b->formed, b, map, n);
	if (!st) st = cop__copy_rest(b->formed, b->model, map);
	return cop__pass_end(&b->formed, st);
}

cop_status cop__expressions(cop_graph **out, const cop_build *b)
{
	const cop_graph *g = b->formed;
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	cop_status st = need ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < b->n_form; i++)
		if (b->form[i].form->express) need[cop__find(g, b->form[i].weight)] = true;
	for (cop_nid n = (cop_nid)g->n_node; !st && n > 0; n--)
		for (int i = 0; need[g->node[n].out[0]] && i < g->node[n].n_in; i++) need[g->node[n].in[i]] = true;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	for (int32_t i = 0; !st && i < b->n_form; i++)
		if (b->form[i].form->express) st = cop__output(*out, map[cop__find(g, b->form[i].weight)], NULL);
	return cop__pass_end(out, st);
}
