/* SPDX-License-Identifier: Apache-2.0
 *
 * to_train - the model as it runs while it is trained: every bn becomes three steps on the statistics of the batch,
 *     part = bn_sum(x);  mean rstd run_mean' run_var' = bn_stat(part, x, run_mean, run_var);
 *     y = bn_norm(x, mean, rstd, gamma, beta)
 * where run_mean' and run_var' are written over the running values. A bound fused into bn goes to bn_norm. Dropout
 * already draws from its STATE "step"; updates count it. A guard goes to all three: skipped, the running values stay as they are.
 */
#include "pass/pass.h"

/* Attributes that two ops have under the same name. */
static void carry(int32_t *attr, int to, const cop_node *from)
{
	static const char *const name[] = {"eps", "momentum", "lo", "hi"};
	char kind;

	for (int i = 0; i < LEN(name); i++) {
		int a = cop__attr_find(cop_ops[to], name[i], &kind, NULL);
		int b = cop__attr_find(cop_ops[from->op], name[i], &kind, NULL);
		if (a >= 0 && b >= 0) attr[a] = from->attr[b];
	}
}

static cop_nid step(cop_graph *out, const cop_node *bn, cop_vid guard, int op, int n_in, const cop_vid *in)
{
	int32_t attr[COP_MAX_ATTR] = {0};

	carry(attr, op, bn);
	cop_nid n = cop__node(out, op, attr, n_in, in);
	if (n) out->node[n].guard = guard;
	return n;
}

static cop_status open_bn(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const cop_node *bn = &g->node[n];
	cop_vid in[5];

	cop_vid guard = cop__copy_value(out, g, map, bn->guard);
	if (bn->guard && !guard) return g->cx->code ? g->cx->code : COP_NOMEM;
	for (int i = 0; i < 5; i++)
		if (!(in[i] = cop__copy_value(out, g, map, bn->in[i]))) return g->cx->code ? g->cx->code : COP_NOMEM;
	for (int i = 3; i < 5; i++)
		if (out->value[in[i]].role != COP_STATE && out->value[in[i]].role != COP_PARAM)
			return cop__fail(g, COP_ARG, n, "its running mean and variance must be STATE to be trained");

	cop_nid sum = step(out, bn, guard, OP_bn_sum, VIDS(in[0]));
	cop_nid stat = sum ? step(out, bn, guard, OP_bn_stat, VIDS(cop__res(out, sum, 0), in[0], in[3], in[4])) : 0;
	cop_vid mean = stat ? cop__want_out(out, stat, 2) : 0, var = stat ? cop__want_out(out, stat, 3) : 0;
	if (!mean || !var) return g->cx->code ? g->cx->code : COP_NOMEM;
	out->value[mean].alias = in[3];
	out->value[var].alias = in[4];
	cop_nid norm = step(out, bn, guard, OP_bn_norm, VIDS(in[0], cop__res(out, stat, 0), cop__res(out, stat, 1), in[1], in[2]));
	if (!norm) return g->cx->code ? g->cx->code : COP_NOMEM;
	cop__map_to(out, g, map, bn->out[0], cop__res(out, norm, 0));
	return COP_OK;
}

cop_status cop__pass_to_train(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++)
		st = g->node[n].op == OP_bn ? open_bn(*out, g, map, (cop_nid)n) : cop__copy_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_to_train(out, g);
}

const cop_pass cop_pass_to_train = {COP_ROW("to_train", "uses batch statistics instead of running ones, as in training"), run};
