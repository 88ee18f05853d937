/* SPDX-License-Identifier: Apache-2.0
 *
 * to_infer - the model as it is deployed: batch normalisation folded where it can be, dropout and nodes that change
 * nothing left out, and whatever only training needed (masks, row lists, the step) dropped.
 */
#include "pass/pass.h"

#include <math.h>

static bool no_bounds(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	return isinf(lo) && lo < 0 && isinf(hi) && hi > 0;
}

static bool all_ones(const cop_value *v)
{
	const float *d = v->data;

	if (v->role != COP_CONST || v->type.dtype != COP_F32 || v->type.enc != COP_DENSE || !d) return false;
	for (int64_t i = 0, n = cop_type_count(&v->type); i < n; i++)
		if (d[i] != 1) return false;
	return true;
}

static bool keeps_order(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_shape_attr, p, g, n);

	for (int i = 0; i < p.rank; i++)
		if (p.dim[i] != i) return false;
	return true;
}

/* int8: every byte stands for itself. */
static bool same_bytes(const cop_graph *g, cop_nid n)
{
	const int8_t *byte = cop__dense(g, cop__arg(g, n, 1), COP_I8);

	if (!byte || cop__in(g, n, 0)->dtype != cop__outt(g, n, 0)->dtype) return false;
	for (int i = -128; i < 128; i++)
		if (byte[(uint8_t)i] != (int8_t)i) return false;
	return true;
}

/* A window of one element. */
static bool one_element(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_pool_attr, p, g, n);
	return p.kh == 1 && p.kw == 1;
}

/* Does node n only hand its first input on? */
static bool changes_nothing(const cop_graph *g, cop_nid n)
{
	bool same = cop__same_shape(cop__in(g, n, 0), cop__outt(g, n, 0));

	switch (g->node[n].op) {
	case OP_dropout: return true;
	case OP_clip: return no_bounds(g, n);
	case OP_mul:
	case OP_div: return same && no_bounds(g, n) && all_ones(&g->value[cop__arg(g, n, 1)]);
	case OP_reshape:
	case OP_slice:
	case OP_pad:
	case OP_expand:
	case OP_sum_to: return same; /* the same shape: nothing was cut, added or summed */
	case OP_concat: return g->node[n].n_in == 1;
	case OP_qlut: return same_bytes(g, n);
	case OP_maxpool: return same && one_element(g, n);
	case OP_transpose: return same && keeps_order(g, n);
	default: return false;
	}
}

/* Is x a state that a run writes, perhaps under another shape? A copy of it is what it was before. */
static bool overwritten(const cop_graph *g, cop_vid x)
{
	while (g->value[x].producer && (cop__op(g, g->value[x].producer)->flags & COP_OP_VIEW)) x = g->node[g->value[x].producer].in[0];
	for (int32_t v = 1; v <= g->n_value && g->value[x].role == COP_STATE; v++)
		if (g->value[v].alias == x) return true;
	return false;
}

/* A result of the network keeps its node where the operand cannot take its name: it is an input, a weight, or has one; or its
 * scale, which a table of bytes may change. */
static bool can_go(const cop_graph *out, const cop_graph *g, const cop_vid *map, cop_nid n)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);

	if (g->node[n].guard || !changes_nothing(g, n) || (g->node[n].op == OP_concat && overwritten(g, x))) return false;
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == y && (!g->value[x].producer || out->value[map[x]].name || g->node[n].op == OP_qlut)) return false;
	return true;
}

/* What cannot go is copied; a dropout becomes a clip without bounds, since it must not draw any more. */
static cop_status keep(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_node d = g->node[n];

	if (d.op == OP_dropout) {
		d.op = OP_clip;
		d.n_in = 1;
		memcpy(d.attr, &none, sizeof none);
	}
	return cop__copy_as(out, g, map, n, &d);
}

cop_status cop__pass_strip(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) {
		cop_vid x = cop__arg(g, (cop_nid)n, 0);
		if (!can_go(*out, g, map, (cop_nid)n)) st = keep(*out, g, map, (cop_nid)n);
		else if (!cop__copy_value(*out, g, map, x)) st = cop__failed(g->cx);
		else cop__map_to(*out, g, map, g->node[n].out[0], map[x]);
	}
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

/* Nobody writes statistics any more: flash, not RAM. What a run keeps for the next stays. */
static cop_status freeze(cop_graph *g)
{
	bool *written = cop__arena_get(&g->mem, (size_t)g->n_value + 1);

	if (!written) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) written[g->value[v].alias] = true;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role == COP_STATE && !written[v]) g->value[v].role = COP_CONST;
	return COP_OK;
}

cop_status cop__pass_to_infer(cop_graph **out, const cop_graph *g)
{
	COP_TRY(cop__pass_fold_bn(out, g));
	COP_TRY(cop__pass_then(out, cop__pass_strip));
	COP_TRY(cop__pass_then(out, cop__pass_dce));
	return cop__pass_end(out, freeze(*out));
}

cop_status cop__pass_deploy(cop_graph **out, const cop_graph *g)
{
	COP_TRY(cop__pass_to_infer(out, g));
	return cop__pass_then(out, cop__pass_fuse);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_to_infer(out, g);
}

const cop_pass cop_pass_to_infer = {COP_ROW("to_infer", "makes the form that is deployed: batch norm folded, dropout and leftovers removed"), run};
