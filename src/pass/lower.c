/* SPDX-License-Identifier: Apache-2.0
 *
 * lower - the graph of integers. A value of the float graph has up to two forms in the new one, integer and float; each is made
 * when somebody asks for it, so that quantize and dequantize stand where the two meet and nowhere else. A layer with
 * integer weights asks for the integer form of its input; other operators go with what is there.
 *
 * A graph that quantises here and there itself (integers.c) goes through the same way: bytes have a form as int8, and one as they are.
 */
#include "pass/lower.h"

/* Results that are the operand's numbers, elsewhere. */
bool cop__moves(const cop_graph *g, cop_nid n)
{
	switch (g->node[n].op) {
	case OP_maxpool:
	case OP_reshape:
	case OP_transpose:
	case OP_slice: return true;
	case OP_pad: {
		COP_ATTR(cop_pad_attr, p, g, n);
		bool plain = p.value == 0;
		for (int i = sizeof p / sizeof(int32_t); i < cop__attr_words(cop__op(g, n)); i++) plain = plain && !g->node[n].attr[i];
		return plain;
	}
	case OP_avgpool: {
		COP_ATTR(cop_pool_attr, p, g, n);
		return p.pt + p.pl + p.pb + p.pr != 0 && !p.count_pads; /* the mean of the valid cells keeps the scale */
	}
	default: return false;
	}
}

/* ---- the two forms of a value ---- */

static cop_status code(const cop_graph *g) { return g->cx->code ? g->cx->code : COP_NOMEM; }

static bool is_bytes(const cop_graph *g, cop_vid v) { return cop__t(g, v)->dtype == COP_I8 || cop__t(g, v)->dtype == COP_U8; }
static cop_vid flipped(cop_lower *l, cop_vid v, cop_dtype to) { return cop__flip_bytes(l->out, "flip.table", v, to); }

cop_vid cop__as_integer(cop_lower *l, cop_vid v)
{
	const cop_qrange *r = &l->z->act[v];
	cop_quantize_attr a = {r->scale, r->zero, COP_I8};

	if (l->q[v]) return l->q[v];
	if (is_bytes(l->z->g, v)) {
		cop_vid x = cop__as_float(l, v);
		return l->q[v] = x && cop__t(l->z->g, v)->dtype == COP_U8 ? flipped(l, x, COP_I8) : x;
	}
	if (!(r->scale > 0)) return 0;
	cop_vid f = cop__as_float(l, v);
	l->q[v] = f ? cop__apply(l->out, OP_quantize, &a, VIDS(f)) : 0;
	if (l->q[v] && (r->lo > -128 || r->hi < 127)) l->q[v] = cop__requantised(l, l->q[v], r, r); /* fewer levels: the operator holds at 8 bits */
	return l->q[v];
}

cop_vid cop__as_float(cop_lower *l, cop_vid v)
{
	if (l->map[v]) return l->map[v];
	if (l->q[v] && is_bytes(l->z->g, v)) return l->map[v] = cop__t(l->z->g, v)->dtype == COP_U8 ? flipped(l, l->q[v], COP_U8) : l->q[v];
	if (l->q[v]) {
		cop_dequantize_attr a = {l->z->act[v].scale, l->z->act[v].zero};
		return l->map[v] = cop__apply(l->out, OP_dequantize, &a, VIDS(l->q[v]));
	}
	return cop__copy_value(l->out, l->z->g, l->map, v);
}

/* ---- node by node ---- */

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
	if (!st) { /* floats that nobody asked for in the end */
		cop_graph *whole = *out;
		st = cop__pass_dce(out, whole);
		cop_graph_free(whole);
		return st;
	}
	return cop__pass_end(out, st);
}
