/* SPDX-License-Identifier: Apache-2.0
 *
 * count - floating-point operations of a step of training, counted over its graph: what is not in the graph is not counted. And beside it the way in
 * which work on neurons that are left out counts them.
 */
#include "op/op.h"
#include "train/neurons.h"

double cop__node_flops(const cop_graph *g, cop_nid n)
{
	const cop_op *op = cop__op(g, n);
	cop_cost c = {0};

	if (op->cost) op->cost(g, n, &c);
	else c.flop = cop_type_count(cop__outt(g, n, 0));
	return 2 * (double)c.mac + (double)c.flop;
}

void cop__mark_forward(bool *need, const cop_graph *g)
{
	need[g->output[g->n_output - 1]] = true;
	for (cop_nid n = (cop_nid)g->n_node; n > 0; n--)
		for (int i = 0; need[g->node[n].out[0]] && i < g->node[n].n_in; i++) need[g->node[n].in[i]] = true;
}

cop_status cop__step_cost(cop_step_cost *out, const cop_graph *step)
{
	bool *need = cop__alloc(step->cx, (size_t)step->n_value + 1);

	*out = (cop_step_cost){0};
	if (!need) return COP_NOMEM;
	cop__mark_forward(need, step);
	for (cop_nid n = 1; n <= (cop_nid)step->n_node; n++) *(need[step->node[n].out[0]] ? &out->forward : &out->rest) += cop__node_flops(step, n);
	cop__free(step->cx, need);
	return COP_OK;
}

double cop__published_share(const cop_graph *g)
{
	double all = 0, done = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid w = cop__arg(g, n, 1), list = w ? cop__follower(g, w, "rows") : 0;
		if (g->node[n].op != OP_conv && g->node[n].op != OP_fc) continue;
		double flop = cop__node_flops(g, n);
		all += flop;
		done += flop * (list ? (double)(cop__t(g, list)->dim[0] - 1) / (double)cop__t(g, w)->dim[0] : 1);
	}
	return all > 0 ? done / all : 1;
}
