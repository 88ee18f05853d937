/* SPDX-License-Identifier: Apache-2.0
 *
 * ends - what a network does at its inputs and outputs and a device may not need: drop_softmax (the largest score stays the
 * largest), int8_io (bytes in and out instead of floats; the scales stay with the graph, so that programs can convert).
 */
#include "pass/pass.h"

static bool is_output(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	return false;
}

static bool is_input(const cop_graph *g, cop_vid v) { return v && g->value[v].role == COP_INPUT; }

/* The result of a node that goes is its operand, seen through views. */
static cop_status skip(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	cop__map_to(out, g, map, cop__res(g, n, 0), map[cop__arg(g, n, 0)]);
	return COP_OK;
}

/* Does the value reach the outputs alone, through nodes that move no bytes or softmax itself? */
static bool ends_there(const cop_graph *g, cop_vid v)
{
	int32_t reached = is_output(g, v);

	for (int32_t n = 1; n <= g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			if (g->node[n].in[i] != v) continue;
			if (!(cop__op(g, (cop_nid)n)->flags & COP_OP_VIEW) && g->node[n].op != OP_dequantize) return false;
			if (!ends_there(g, cop__res(g, (cop_nid)n, 0))) return false;
			reached++;
		}
	return reached > 0;
}

static cop_status copy(cop_graph **out, const cop_graph *g, cop_status (*each)(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n))
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = each(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

/* ---- drop_softmax ---- */

static cop_status softmax_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	bool soft = g->node[n].op == OP_softmax || g->node[n].op == OP_qsoftmax;
	if (soft && ends_there(g, cop__res(g, n, 0)) && !is_input(g, cop__arg(g, n, 0))) return skip(out, g, map, n);
	return cop__copy_node(out, g, map, n);
}

static cop_status run_softmax(cop_graph **out, const cop_graph *g, const cop_args *a)
{
	(void)a;
	return copy(out, g, softmax_node);
}

const cop_pass cop_pass_drop_softmax = {"drop_softmax", "", "leaves out a softmax at the end: the class is the same, the scores are not", run_softmax};

/* ---- int8_io ---- */

/* The quantize that alone reads an input, or 0. */
static cop_nid quantizer(const cop_graph *g, cop_vid v)
{
	cop_nid found = 0;

	for (int32_t n = 1; n <= g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			if (g->node[n].in[i] != v) continue;
			if (found || g->node[n].op != OP_quantize) return 0;
			found = (cop_nid)n;
		}
	return found;
}

/* Inputs keep their names and order; one that is quantised at once is made in the type it gets there. */
static cop_status put_inputs(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		cop_nid q = quantizer(g, v);
		if (!q) {
			if (!cop__copy_value(out, g, map, v)) return g->cx->code ? g->cx->code : COP_NOMEM;
			continue;
		}
		COP_ATTR(cop_quantize_attr, a, g, q);
		cop_type t = *cop__outt(g, q, 0);
		t.q = (cop_quant){&a.scale, &a.zero, -1};
		map[v] = map[cop__res(g, q, 0)] = cop__input(out, g->value[v].name, &t);
		if (!map[v]) return g->cx->code ? g->cx->code : COP_NOMEM;
	}
	return COP_OK;
}

static cop_status io_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);

	if (map[y]) return COP_OK; /* a quantize whose result is the input now */
	if (g->node[n].op != OP_dequantize || !is_output(g, y) || cop__in(g, n, 0)->dtype == COP_I32 || is_input(g, x)) return cop__copy_node(out, g, map, n);
	COP_ATTR(cop_dequantize_attr, a, g, n);
	COP_TRY(cop__set_quant(out, map[x], a.scale, a.zero));
	return skip(out, g, map, n);
}

static cop_status run_io(cop_graph **out, const cop_graph *g, const cop_args *a)
{
	cop_vid *map;

	(void)a;
	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = put_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = io_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

const cop_pass cop_pass_int8_io = {"int8_io", "", "bytes in and out instead of floats, where the network quantises there", run_io};
