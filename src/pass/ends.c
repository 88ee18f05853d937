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

static cop_status run_softmax(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return copy(out, g, softmax_node);
}

const cop_pass cop_pass_drop_softmax = {COP_ROW("drop_softmax", "removes a softmax at the end: the class stays the same, the scores do not"), run_softmax};

/* ---- int8_io ---- */

/* Is node n one that moves numbers about, of whatever kind they are? */
static bool only_moves(const cop_graph *g, cop_nid n)
{
	int op = g->node[n].op;
	return (op == OP_transpose || op == OP_reshape || op == OP_slice) && !g->node[n].guard;
}

/* The quantize that alone reads a value, behind what moves its numbers, or 0. *stop: what stands in the way. */
static cop_nid quantizer(const cop_graph *g, cop_vid v, cop_nid *stop)
{
	cop_nid found = 0;

	for (int32_t n = 1; n <= g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			if (g->node[n].in[i] != v) continue;
			if (stop) *stop = (cop_nid)n;
			if (found || (g->node[n].op != OP_quantize && !only_moves(g, (cop_nid)n))) return 0;
			found = (cop_nid)n;
		}
	if (!found || g->node[found].op == OP_quantize) return found;
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == cop__res(g, found, 0)) return 0;
	return quantizer(g, cop__res(g, found, 0), stop);
}

static void say_stop(const cop_graph *g, cop_vid v, cop_nid stop)
{
	char label[96];

	if (stop && cop__t(g, v)->dtype == COP_F32) /* 0: nobody reads it */
		cop__log(g->cx, COP_LOG_WARN, "int8_io: the input '%s' stays float: %s reads it as it is", g->value[v].name, cop__label(g, stop, label));
}

/* Inputs keep their names and order; one that is quantised, at once or when its numbers have been moved, is made in the type it gets there. */
static cop_status put_inputs(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		cop_nid stop = 0, q = quantizer(g, v, &stop);
		if (!q) {
			say_stop(g, v, stop);
			if (!cop__copy_value(out, g, map, v)) return cop__failed(g->cx);
			continue;
		}
		COP_ATTR(cop_quantize_attr, a, g, q);
		cop_type t = *cop__t(g, v);
		t.dtype = cop__outt(g, q, 0)->dtype;
		t.q = (cop_quant){&a.scale, &a.zero, -1};
		if (!(map[v] = cop__input(out, g->value[v].name, &t))) return cop__failed(g->cx);
		out->value[map[v]].lead = g->value[v].lead;
		out->value[map[v]].samples = g->value[v].samples;
		if (cop__arg(g, q, 0) == v) map[cop__res(g, q, 0)] = map[v];
	}
	return COP_OK;
}

/* Does node n, which moves floats, lead to an output alone, from a dequantize? Then bytes are moved. */
static cop_nid dequantizer(const cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;

	while (n && only_moves(g, n)) n = g->value[cop__arg(g, n, 0)].producer;
	return n && g->node[n].op == OP_dequantize && cop__in(g, n, 0)->dtype != COP_I32 && !is_input(g, cop__arg(g, n, 0)) ? n : 0;
}

static int32_t readers_of(const cop_graph *g, cop_vid v)
{
	int32_t count = is_output(g, v);

	for (int32_t n = 1; n <= g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) count += g->node[n].in[i] == v;
	return count;
}

/* Is what this dequantize makes only moved, and then handed out? */
static bool goes_out(const cop_graph *g, cop_vid v)
{
	if (is_output(g, v)) return true;
	if (readers_of(g, v) != 1) return false;
	for (int32_t n = 1; n <= g->n_node; n++)
		if (cop__arg(g, (cop_nid)n, 0) == v) return only_moves(g, (cop_nid)n) && goes_out(g, cop__res(g, (cop_nid)n, 0));
	return false;
}

static cop_status io_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);

	if (map[y]) return COP_OK; /* a quantize whose result is the input now */
	if (g->node[n].op == OP_quantize && map[x] && cop__t(out, map[x])->dtype != COP_F32) return skip(out, g, map, n); /* moved bytes */
	if (g->node[n].op != OP_dequantize || !dequantizer(g, y) || !goes_out(g, y)) {
		COP_TRY(cop__copy_node(out, g, map, n));
		cop_nid from = is_output(g, y) && only_moves(g, n) && cop__t(out, map[y])->dtype != COP_F32 ? dequantizer(g, y) : 0;
		if (!from) return COP_OK;
		COP_ATTR(cop_dequantize_attr, a, g, from);
		return cop__set_quant(out, map[y], a.scale, a.zero);
	}
	COP_ATTR(cop_dequantize_attr, a, g, n);
	if (is_output(g, y)) COP_TRY(cop__set_quant(out, map[x], a.scale, a.zero));
	return skip(out, g, map, n);
}

static cop_status run_io(cop_graph **out, const cop_graph *g, const void *a)
{
	cop_vid *map;

	(void)a;
	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = put_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = io_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

const cop_pass cop_pass_int8_io = {COP_ROW("int8_io", "makes inputs and outputs bytes instead of floats, if the network quantises there"), run_io};
