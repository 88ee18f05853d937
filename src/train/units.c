/* SPDX-License-Identifier: Apache-2.0
 *
 * units - a network of regression learns its targets less their mean and divided by their deviation, and ends in two nodes that take
 * that back: y = z * output.std + output.mean. So everything that runs it, the emitted C too, gives the units of the data. The training
 * graph is that of z. Mean and deviation are of the training set and are set once.
 */
#include "data/batch.h"
#include "op/op.h"
#include "pass/pass.h"
#include "train/policy.h"

#include <math.h>

static const char mean_name[] = "output.mean", std_name[] = "output.std";

static cop_status statistics(float *mean, float *std, cop_ctx *cx, const cop_dataset *d)
{
	const int32_t n = d->targets;
	double *sum = cop__alloc(cx, sizeof *sum * (size_t)n * 2);
	float *y = cop__alloc(cx, sizeof *y * (size_t)n);
	cop_status st = sum && y ? COP_OK : COP_NOMEM;

	for (int32_t i = 0; !st && i < d->count; i++) {
		st = d->target(d->ud, i, y);
		for (int32_t j = 0; !st && j < n; j++) { /* Welford 1962 */
			double off = (double)y[j] - sum[j];
			sum[j] += off / (i + 1);
			sum[n + j] += off * ((double)y[j] - sum[j]);
		}
	}
	for (int32_t j = 0; !st && j < n; j++) {
		double var = sum[n + j] / d->count;
		mean[j] = (float)sum[j];
		std[j] = var > 1e-24 ? (float)sqrt(var) : 1.0f;
	}
	cop__free(cx, sum);
	cop__free(cx, y);
	return st;
}

static cop_status append(cop_graph **out, const cop_graph *g, const float *mean, const float *std, int32_t n)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_type t = cop__type(COP_F32, 1, &n);
	cop_vid *map, y = g->output[0];

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid k = 1; !st && k <= (cop_nid)g->n_node; k++) st = cop__copy_node(*out, g, map, k);
	if (!st && g->value[y].name && map[y]) (*out)->value[map[y]].name = NULL; /* the name goes to the new end */
	if (!st) {
		cop_vid s = cop__data(*out, COP_CONST, std_name, &t, std), m = cop__data(*out, COP_CONST, mean_name, &t, mean);
		cop_vid z = cop__apply(*out, OP_mul, &none, VIDS(map[y], s)), v = cop__apply(*out, OP_add, &none, VIDS(z, m));
		if (!v) st = cop__failed(g->cx);
		map[y] = v;
	}
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

cop_status cop__units(cop_graph *g, const cop_dataset *d)
{
	cop_graph *made = NULL;
	float *mean;

	if (cop__find(g, std_name)) return COP_OK;
	if (!g->value[g->output[0]].producer) return cop__error(g->cx, COP_ARG, "the output of '%s' is not computed", g->name);
	if (!(mean = cop__alloc(g->cx, 2 * sizeof *mean * (size_t)d->targets))) return COP_NOMEM;
	cop_status st = statistics(mean, mean + d->targets, g->cx, d);
	if (!st) st = append(&made, g, mean, mean + d->targets, d->targets);
	if (!st) {
		cop_graph old = *g;
		*g = *made;
		*made = old;
	}
	cop_graph_free(made);
	cop__free(g->cx, mean);
	return st;
}

/* The value before the two nodes; 0: the graph has none. */
static cop_vid inner_output(const cop_graph *g)
{
	cop_nid add = g->value[g->output[0]].producer, mul = add && g->node[add].op == OP_add ? g->value[cop__arg(g, add, 0)].producer : 0;
	cop_vid std = cop__find(g, std_name);

	return std && mul && g->node[mul].op == OP_mul && cop__arg(g, mul, 1) == std ? cop__arg(g, mul, 0) : 0;
}

cop_status cop__without_units(cop_graph **out, const cop_graph *g)
{
	cop_vid *map, z = inner_output(g), y = g->output[0];
	cop_nid add = g->value[y].producer, mul = z ? g->value[cop__arg(g, add, 0)].producer : 0;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid k = 1; !st && k <= (cop_nid)g->n_node; k++)
		if (!z || (k != add && k != mul)) st = cop__copy_node(*out, g, map, k);
	if (!st && z) map[y] = map[z];
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

void cop__to_units(float *y, const cop_graph *g, int32_t rows, int32_t n)
{
	cop_vid m = cop__find(g, mean_name), s = cop__find(g, std_name);
	const float *mean = cop__floats(g, m), *std = cop__floats(g, s);

	if (!mean || !std || cop_type_count(cop__t(g, s)) != n || cop_type_count(cop__t(g, m)) != n) return;
	for (int32_t i = 0; i < rows; i++, y += n)
		for (int32_t j = 0; j < n; j++) y[j] = (y[j] - mean[j]) / std[j];
}
