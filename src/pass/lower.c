/* SPDX-License-Identifier: Apache-2.0
 *
 * lower - the graph of integers. A value of the float graph has up to two forms in the new one, integer and float; each is made
 * when somebody asks for it, so that quantize and dequantize stand where the two meet and nowhere else. A layer with
 * integer weights asks for the integer form of its input; other operators go with what is there.
 *
 * A graph that quantises here and there itself (integers.c) goes through the same way: bytes have a form as int8, and one as they are.
 */
#include "pass/lower.h"

static cop_status code(const cop_graph *g) { return cop__failed(g->cx); }

static cop_status as_float(cop_lower *l, cop_nid n)
{
	for (int i = 0; i < l->z->g->node[n].n_in; i++) {
		cop_vid v = l->z->g->node[n].in[i];
		if (v && !cop__as_float(l, v)) return code(l->z->g);
	}
	return cop__copy_node(l->out, l->z->g, l->map, n);
}

/* The integer form of the result, if the node has one here; else its float form. */
static cop_status lower_node(cop_lower *l, cop_nid n)
{
	cop_vid y = cop__res(l->z->g, n, 0), made = 0;
	bool can = cop__lower_op(l, n, &made);

	if (!can) return as_float(l, n);
	l->q[y] = made;
	return made ? COP_OK : code(l->z->g);
}

static cop_status finish(cop_lower *l)
{
	const cop_graph *g = l->z->g;

	for (int32_t i = 0; i < g->n_output; i++)
		if (!cop__as_float(l, g->output[i])) return code(g);
	return cop__copy_rest(l->out, g, l->map);
}

cop_status cop__lower(cop_graph **out, const cop_lowering *z)
{
	cop_lower l = {.z = z};
	const cop_graph *g = z->g;

	COP_TRY(cop__copy_begin(out, g, &l.map));
	l.out = *out;
	l.q = cop__arena_get(&l.out->mem, sizeof *l.q * (size_t)(g->n_value + 1));
	cop_status st = l.q ? cop__copy_inputs(l.out, g, l.map) : COP_NOMEM;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = lower_node(&l, n);
	if (!st) st = finish(&l);
	for (int32_t v = 1; !st && z->integer && v <= g->n_value; v++) z->integer[v] = l.q[v] != 0;
	if (!st) { /* floats that nobody asked for in the end */
		cop_graph *whole = *out;
		st = cop__pass_dce(out, whole);
		cop_graph_free(whole);
		return st;
	}
	return cop__pass_end(out, st);
}
