/* SPDX-License-Identifier: Apache-2.0
 *
 * lower - the graph of integers. A value of the float graph has up to two forms in the new one, integer and float; each is made
 * when somebody asks for it, so that quantize and dequantize stand where the two meet and nowhere else. A layer with
 * integer weights asks for the integer form of its input; other operators go with what is there.
 *
 * Ranges: what only moves or chooses numbers keeps its input's; the operands of a concat take its range where their
 * maker can give it; everything else has its own.
 */
#include "compress/quantize/lower.h"

#include <math.h>

/* ---- ranges of all values ---- */

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

/* Functions that have a range by themselves. */
static bool fixed_range(cop_qrange *r, int op, int bits)
{
	*r = (cop_qrange){.lo = -(1 << (bits - 1)), .hi = (1 << (bits - 1)) - 1};
	if (op == OP_sigmoid) r->scale = ldexpf(1, -bits), r->zero = r->lo;
	if (op == OP_tanh) r->scale = ldexpf(1, 1 - bits);
	if (op == OP_softmax) *r = (cop_qrange){1.0f / 256, -128, -128, 127};
	return r->scale > 0;
}

static bool reaches_output(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 0) == v && (cop__moves(g, n) || g->node[n].op == OP_softmax) && reaches_output(g, cop__res(g, n, 0))) return true;
	return false;
}

/* The network's input, as it comes or prepared, is what it is: features of different sizes, or a few hundred pixel values. Counting
 * how often which is seen says nothing about their worth, so that its range is by error where the others' are by counts. */
static cop_status own_range(cop_quantizer *z, cop_vid v, bool input, int bits, int op)
{
	cop_range_kind kind = input && z->range != COP_RANGE_MINMAX ? COP_RANGE_MSE : z->range;

	if (input || reaches_output(z->g, v)) bits = 8;
	if (fixed_range(&z->act[v], op, bits) || !z->seen[v].n) return COP_OK;
	return cop__qrange_of(&z->act[v], z->cx, &z->seen[v], kind, bits, z->a->symmetric);
}

static bool can_give(const cop_graph *g, cop_nid n)
{
	int op = n ? g->node[n].op : OP_none;
	return op == OP_conv || op == OP_fc || op == OP_add || op == OP_mul || op == OP_clip || op == OP_hswish || op == OP_gelu;
}

/* Which values are made from what a layer made. Before the first layer it is the input, prepared: 8 bits, as that. */
static void mark_behind(bool *behind, const cop_quantizer *z)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		bool *y = &behind[cop__res(z->g, n, 0)];
		*y = z->layer[n].o != 0;
		for (int i = 0; i < z->g->node[n].n_in; i++) *y = *y || behind[z->g->node[n].in[i]];
	}
}

cop_status cop__set_ranges(cop_quantizer *z)
{
	const cop_graph *g = z->g;
	int32_t *readers = cop__readers(g, &z->mem);
	bool *behind = cop__arena_get(&z->mem, sizeof *behind * (size_t)(g->n_value + 1));

	if (!readers || !behind) return COP_NOMEM;
	mark_behind(behind, z);
	COP_TRY(own_range(z, g->input[0], true, 8, OP_none));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		COP_TRY(own_range(z, cop__res(g, n, 0), !behind[cop__res(g, n, 0)], z->layer[n].o ? z->layer[n].act_bits : z->act_bits, g->node[n].op));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; g->node[n].op == OP_concat && i < g->node[n].n_in; i++) {
			cop_vid v = cop__arg(g, n, i);
			if (readers[v] == 1 && can_give(g, g->value[v].producer)) z->act[v] = z->act[cop__res(g, n, 0)];
		}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__moves(g, n)) z->act[cop__res(g, n, 0)] = z->act[cop__arg(g, n, 0)];
	return COP_OK;
}

/* ---- the two forms of a value ---- */

static cop_status code(const cop_graph *g) { return g->cx->code ? g->cx->code : COP_NOMEM; }

cop_vid cop__as_integer(cop_lower *l, cop_vid v)
{
	const cop_qrange *r = &l->z->act[v];
	cop_quantize_attr a = {r->scale, r->zero, COP_I8};

	if (l->q[v] || !(r->scale > 0)) return l->q[v];
	cop_vid f = cop__as_float(l, v);
	l->q[v] = f ? cop__apply(l->out, OP_quantize, &a, VIDS(f)) : 0;
	if (l->q[v] && (r->lo > -128 || r->hi < 127)) l->q[v] = cop__requantised(l, l->q[v], r, r); /* fewer levels: the operator holds at 8 bits */
	return l->q[v];
}

cop_vid cop__as_float(cop_lower *l, cop_vid v)
{
	if (l->map[v]) return l->map[v];
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

/* The integer form of the result, if the node has one here: *done says so. */
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

cop_status cop__lower(cop_graph **out, const cop_quantizer *z)
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
