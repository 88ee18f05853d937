/* SPDX-License-Identifier: Apache-2.0
 *
 * batch - the same graph for another number of samples: dimension 0 of every input becomes n and all shapes follow.
 * Works where the batch is dimension 0 throughout, as reshapes with 0 (copy) and -1 (infer) keep it.
 */
#include "pass/pass.h"

static cop_status new_inputs(cop_graph *out, const cop_graph *g, cop_vid *map, int32_t n)
{
	for (int32_t i = 0; i < g->n_input; i++) {
		const cop_value *x = &g->value[g->input[i]];
		cop_type t = x->type;
		if (t.rank < 1) return cop__error(g->cx, COP_SHAPE, "input '%s' has no dimension to be the batch", x->name);
		t.dim[0] = n;
		if (!(map[g->input[i]] = cop__input(out, x->name, &t))) return g->cx->code;
	}
	return COP_OK;
}

/* Attributes that spell the batch out follow all the same. */
static void follow(const cop_graph *out, const cop_graph *g, const cop_vid *map, cop_nid n, cop_node *d)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	int32_t batch = cop__t(out, map[cop__arg(g, n, 0)])->dim[0];

	if (x->rank < 1 || y->rank < 1 || x->dim[0] != y->dim[0] || !batch) return; /* 0: a weight, not yet copied */
	if (d->op == OP_reshape || d->op == OP_sum_to) {
		COP_ATTR(cop_shape_attr, a, g, n);
		if (a.dim[0] == x->dim[0] && (d->op == OP_reshape || x->rank == y->rank)) a.dim[0] = batch;
		memcpy(d->attr, &a, sizeof a);
	} else if (d->op == OP_slice) {
		COP_ATTR(cop_slice_attr, a, g, n);
		if (a.size[0] == x->dim[0]) a.size[0] = batch;
		memcpy(d->attr, &a, sizeof a);
	}
}

/* A constant beside a value that has a batch (of int8 sums and products, and of concat) is repeated along with it. */
static cop_status repeat_constants(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const cop_node *d = &g->node[n];
	cop_vid with = 0;

	if (d->op != OP_qadd && d->op != OP_qmul && d->op != OP_concat) return COP_OK;
	for (int i = 0; i < d->n_in; i++)
		if (g->value[d->in[i]].role != COP_CONST) with = d->in[i];
	if (!with || cop__t(g, with)->rank < 1) return COP_OK;
	int32_t was = cop__t(g, with)->dim[0], is = cop__t(out, map[with])->dim[0], times = is / was;
	for (int i = 0; i < d->n_in; i++) {
		const cop_value *k = &g->value[d->in[i]];
		cop_type t = k->type;
		size_t bytes = cop_type_bytes(&t);
		if (k->role != COP_CONST || !k->data || map[d->in[i]] || is % was || times < 2 || t.rank < 1 || t.dim[0] != was) continue;
		t.dim[0] = is;
		if (!(map[d->in[i]] = cop__data(out, COP_CONST, k->name, &t, NULL))) return g->cx->code;
		char *all = cop__arena_get(&out->mem, bytes * (size_t)times + 64);
		if (!all) return COP_NOMEM;
		for (int32_t b = 0; b < times; b++) memcpy(all + bytes * (size_t)b, k->data, bytes);
		out->value[map[d->in[i]]].data = all;
	}
	return COP_OK;
}

cop_status cop__pass_batch(cop_graph **out, const cop_graph *g, int32_t n)
{
	cop_vid *map;

	*out = NULL;
	if (n < 1) return cop__error(g->cx, COP_ARG, "batch: n=%d must be at least 1", n);
	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = new_inputs(*out, g, map, n);
	for (int32_t i = 1; !st && i <= g->n_node; i++) {
		cop_node d = g->node[i];
		follow(*out, g, map, (cop_nid)i, &d);
		if ((st = repeat_constants(*out, g, map, (cop_nid)i))) break;
		st = cop__copy_as(*out, g, map, (cop_nid)i, &d);
	}
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status run(cop_graph **out, const cop_graph *g, const cop_args *a)
{
	int32_t n = 0;

	*out = NULL;
	COP_TRY(cop__args_i(a, "n", 1, 1 << 20, &n));
	if (!n) return cop__error(g->cx, COP_ARG, "batch: n=<samples> is missing");
	return cop__pass_batch(out, g, n);
}

const cop_pass cop_pass_batch = {"batch", "n:i", "the same graph for batches of n samples", run};
