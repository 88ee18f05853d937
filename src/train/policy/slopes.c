/* SPDX-License-Identifier: Apache-2.0
 *
 * slopes - the gradients of all neurons, those that are left out as well, on samples that are kept out of the training: by a trainer of its own that takes no step.
 */
#include "pass/pass.h"
#include "train/build_record.h"
#include "train/policy/select.h"

/* like: whose rule it has; NULL: none but gradients are wanted. */
static cop_status trainer_of(cop_trainer **t, const cop_graph *g, const cop_trainer *like, const cop_velocity *v, int threads)
{
	cop_build *b;

	COP_TRY(cop__build_new(&b, g, v->samples, v->each));
	cop_status st = cop__build_spec(b, "loss=xent update=sgd momentum=0");
	if (st) return cop__build_free(b), st;
	if (like) cop__build_like(b, cop__trainer_build(like));
	return cop__trainer_new(t, b, threads, !like);
}

static cop_status place(cop_trainer *t, const cop_velocity *v)
{
	cop_tensor x, label;
	cop_parts part;
	const cop_graph *g = cop__trainer_graph(t);

	COP_TRY(cop_trainer_input(t, 0, &x));
	COP_TRY(cop_trainer_input(t, g->n_input - 1, &label));
	if (!v->label) return cop__error(g->cx, COP_ARG, "%s: gradients are those of classes, and the data have none", v->who);
	if (cop_type_count(&label.type) != v->samples) return cop__error(g->cx, COP_ARG, "%s: the network can't run %d samples at once", v->who, v->samples);
	cop__parts_of(&part, g, g->input[0], v->samples);
	for (int32_t i = 0; i < v->samples; i++) cop__part_put(&part, x.data, i, v->x + i * v->each);
	return memcpy(label.data, v->label, sizeof *v->label * (size_t)v->samples), COP_OK;
}

/* How element i of the weight has moved. */
static float moved(const cop_graph *g, const cop_graph *before, const char *name, int64_t i)
{
	const float *now = cop__floats(g, cop__find(g, name)), *was = cop__floats(before, cop__find(before, name));
	return (now ? now[i] : 0) - (was ? was[i] : 0);
}

/* Of each neuron its row, and its bias and batch norm. */
static void add_up(float *to, const cop_graph *g, const cop_graph *before, const cop_neurons *n, const char *name, const cop_tensor *dw)
{
	for (int32_t l = 0; l < n->n_layer; l++) {
		const cop_channels *c = &n->layer[l];
		const cop_vid of[1 + COP_ALSO] = {c->w, c->also[0], c->also[1], c->also[2]};
		const int64_t run = cop_type_count(&dw->type) / c->rows;
		for (int k = 0; k <= COP_ALSO; k++)
			for (int64_t i = 0; of[k] && !strcmp(g->value[of[k]].name, name) && i < run * c->rows; i++)
				to[c->first + i / run] += ((const float *)dw->data)[i] * (before ? moved(g, before, name, i) : ((const float *)dw->data)[i]);
	}
}

cop_status cop__neuron_gradients(float *to, const cop_graph *model, const cop_graph *before, const cop_velocity *v, int threads)
{
	cop_graph *g = NULL;
	cop_trainer *t = NULL;
	cop_neurons n;
	cop_tensor dw;
	cop_arena mem;
	const char *name;

	cop__arena_init(&mem, model->cx);
	cop_status st = cop_graph_copy(&g, model);
	if (!st) st = cop__no_lists(g);
	if (!st) st = cop__neurons_find(&n, &mem, g, v->names, v->who);
	if (!st) st = trainer_of(&t, g, NULL, v, threads);
	if (!st) st = place(t, v);
	if (!st) st = cop_trainer_gradients(t, NULL);
	if (!st) memset(to, 0, sizeof *to * (size_t)n.count);
	for (int32_t i = 0; !st && (name = cop_trainer_gradient(t, i, &dw)); i++) add_up(to, g, before, &n, name, &dw);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop__arena_free(&mem);
	return st;
}

cop_status cop__neuron_rises(float *to, const cop_graph *model, const cop_trainer *like, float lr, const cop_velocity *v, int threads)
{
	const cop_update *rule = cop__trainer_build(like)->level.rule;
	cop_graph *before = NULL, *g = NULL;
	cop_trainer *t = NULL;

	if (rule->zeroth) return cop__error(model->cx, COP_ARG, "%s: how far the loss falls is told by gradients, and %s has none", v->who, rule->row.name);
	cop_status st = cop_graph_copy(&before, model);
	if (!st) st = cop__no_lists(before);
	if (!st) st = cop_graph_copy(&g, before);
	if (!st) st = trainer_of(&t, g, like, v, threads);
	if (!st) st = place(t, v);
	if (!st) st = cop_trainer_step(t, lr, NULL);
	if (!st) st = cop_trainer_pull(t, g);
	if (!st) st = cop__neuron_gradients(to, g, before, v, threads);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_graph_free(before);
	return st;
}
