/* SPDX-License-Identifier: Apache-2.0
 *
 * fit - a data set for a graph: what data/fit.h has to know, read from the graph.
 */
#include "core/need.h"
#include "data/fit.h"
#include "pass/pass.h"
#include "train/policy.h"

/* The input with samples in front: where they are not the first axis, all of it is one. */
static cop_type samples_first(const cop_type *in, int32_t held)
{
	cop_type t = *in;

	if (t.dim[0] == held || t.rank == COP_MAX_DIM) return t;
	for (int i = t.rank++; i > 0; i--) t.dim[i] = t.dim[i - 1];
	t.dim[0] = held;
	return t;
}

/* d: the data set, or NULL. */
static cop_taker taker(const cop_graph *g, const cop_dataset *d)
{
	const cop_type *in = cop__t(g, g->input[0]), *out = cop__t(g, g->output[0]);
	int32_t batch = d ? cop__samples_held(g, cop_type_count(&d->x)) : 0;

	if (!batch) batch = cop__samples_held(g, 0);
	return (cop_taker){.name = g->name, .in = samples_first(in, batch),
		.outputs = COP_MAX((int32_t)(cop_type_count(out) / batch), 1), .how = g->samples, .class_name = g->classes.at,
		.target_name = g->targets.at, .classes = g->classes.count, .targets = g->targets.count};
}

cop_status cop_data_fit(cop_dataset **out, char *note, const cop_graph *g, cop_dataset *d)
{
	COP_NEED(COP_CX(g), out);
	*out = NULL;
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), d);
	COP_NEED(COP_CX(g), d->get);
	if (d->count < 1 || d->classes < 0 || d->targets < 0 || (d->targets && !d->target) || d->x.dtype != COP_F32 || d->x.rank < 0 || d->x.rank > COP_MAX_DIM || cop_type_count(&d->x) < 1)
		return cop__error(g->cx, COP_ARG, "cop_data_fit: the fields of the data set do not go together (coppice.h says what each is)");
	cop_fit *f;

	*out = NULL;
	if (note) *note = 0;
	if (g->n_input < 1 || g->n_output < 1) return cop__error(g->cx, COP_ARG, "'%s' has no input or no output", g->name);
	if (!cop__t(g, g->input[0])->rank) return cop__error(g->cx, COP_SHAPE, "the input of '%s' has no axis for samples", g->name);
	const cop_taker t = taker(g, d);
	COP_TRY(cop__fit_new(&f, g->cx, d, &t));
	if (note) memcpy(note, f->note, COP_NOTE);
	*out = &f->d;
	return COP_OK;
}

cop_status cop__fit_for(cop_dataset **use, cop_dataset **made, const cop_graph *g, cop_dataset *d)
{
	*made = NULL;
	if (!cop__fit_of(d)) COP_TRY(cop_data_fit(made, NULL, g, d));
	*use = *made ? *made : d;
	return COP_OK;
}

cop_status cop__adopt_names(cop_graph *g, const cop_dataset *d)
{
	const int32_t outputs = taker(g, d).outputs;

	if (g->classes.count || g->targets.count) return COP_OK;
	if (d->targets && d->target_name && d->targets == outputs) return cop_graph_targets_set(g, d->target_name, d->targets);
	if (!d->classes || !d->class_name || d->classes != outputs) return COP_OK;
	return cop_graph_classes_set(g, d->class_name, d->classes);
}
