/* SPDX-License-Identifier: Apache-2.0
 *
 * integers - a graph that dequantises, computes in floats and quantises again, as quantised ONNX models do, becomes one of integer
 * operators. The scales it states are the ranges that lower.c works with, and weights that lie as bytes with a scale for each row are
 * taken as they are. What does not fit (a result without a scale, an operator without an integer form) stays float between a
 * dequantize and a quantize.
 */
#include "kernel/blob.h"
#include "pass/lower.h"

/* Whether an operator's result is made of its operand's numbers alone, in any range. */
static bool moves(const cop_graph *g, cop_nid n)
{
	return cop__moves(g, n) && g->node[n].op != OP_avgpool && cop__in(g, n, 0)->dtype == COP_F32;
}

static bool same(const cop_qrange *a, const cop_qrange *b) { return !memcmp(a, b, sizeof *a); }

/* What all readers of a value quantise alike has that range; so has what a dequantize makes. */
static void stated(cop_qrange *act, int32_t *quantised, const cop_graph *g, const int32_t *readers)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_quantize) continue;
		COP_ATTR(cop_quantize_attr, a, g, n);
		cop_qrange r = cop__range_of_format(a.scale, a.zero, (cop_dtype)a.to);
		cop_vid x = cop__arg(g, n, 0);
		if (!quantised[x]) act[x] = r;
		quantised[x] += same(&act[x], &r);
	}
	for (int32_t v = 1; v <= g->n_value; v++)
		if (quantised[v] != readers[v]) act[v] = (cop_qrange){0};
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_dequantize || cop__in(g, n, 0)->dtype == COP_I32) continue;
		COP_ATTR(cop_dequantize_attr, a, g, n);
		act[cop__res(g, n, 0)] = cop__range_of_format(a.scale, a.zero, cop__in(g, n, 0)->dtype);
	}
}

/* Ranges go through what only moves, to where there is none; and back through bounds, as what is cut and then quantised is what is
 * quantised and then cut. */
static void through_moves(cop_qrange *act, const cop_graph *g, const int32_t *readers)
{
	for (cop_nid n = (cop_nid)g->n_node; n; n--) {
		cop_vid x = cop__arg(g, n, 0);
		if ((moves(g, n) || g->node[n].op == OP_clip) && readers[x] == 1 && !(act[x].scale > 0)) act[x] = act[cop__res(g, n, 0)];
	}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (moves(g, n) && !(act[cop__res(g, n, 0)].scale > 0)) act[cop__res(g, n, 0)] = act[cop__arg(g, n, 0)];
}

/* The layer that n is when its weights and its ends are integers; o = 0: it is none. */
static cop_qlayer layer_of(cop_arena *mem, const cop_graph *g, cop_nid n, const cop_qrange *act, const int32_t *readers)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)];
	cop_qlayer l = {0};

	if ((g->node[n].op != OP_conv && g->node[n].op != OP_fc) || w->type.enc != COP_BYTES || !w->data || readers[cop__arg(g, n, 1)] != 1) return l;
	if (!(act[cop__arg(g, n, 0)].scale > 0) || !(act[cop__res(g, n, 0)].scale > 0)) return l;
	if (cop__arg(g, n, 2) && !cop__floats(g, cop__arg(g, n, 2))) return l;
	int32_t o = w->type.dim[0];
	l = (cop_qlayer){.bits = 8, .act_bits = 8, .q_bits = 8, .o = o, .k = (int32_t)(cop_type_count(&w->type) / o)};
	cop_bytes_blob b = cop_bytes_of(w->data, o);
	l.scale = (float *)(uintptr_t)b.scale;
	l.q = (int8_t *)(uintptr_t)b.code;
	l.bias = cop__arg(g, n, 2) ? (float *)(uintptr_t)cop__floats(g, cop__arg(g, n, 2)) : cop__arena_get(mem, sizeof(float) * (size_t)o);
	return l.bias ? l : (cop_qlayer){0};
}

/* Says of each layer between a dequantize and a quantize why it is none of integers. */
static void say_floats(const cop_graph *g, const cop_qlayer *layer, const cop_qrange *act, const int32_t *readers)
{
	char label[96];

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_value *w = &g->value[cop__arg(g, n, 1)];
		bool in = act[cop__arg(g, n, 0)].scale > 0, out = act[cop__res(g, n, 0)].scale > 0;
		if (layer[n].o || (g->node[n].op != OP_conv && g->node[n].op != OP_fc) || (!in && !out && w->type.enc != COP_BYTES)) continue;
		const char *why = w->type.enc != COP_BYTES ? "its weights are no int8 with a scale for each output (uint8 less its zero point must lie within -128 to 127)"
			: !in ? "its input has no scale of integers" : !out ? "its result has no scale of integers"
				: readers[cop__arg(g, n, 1)] != 1 ? "another layer has the same weights" : "its bias is not known";
		cop__log(g->cx, COP_LOG_WARN, "%s: %s stays float: %s", g->name, cop__label(g, n, label), why);
	}
}

static cop_status lowered(cop_graph **out, const cop_graph *g, cop_arena *mem)
{
	size_t values = (size_t)g->n_value + 1;
	int32_t *readers = cop__readers(g, mem), *quantised = cop__arena_get(mem, sizeof *quantised * values);
	cop_qrange *act = cop__arena_get(mem, sizeof *act * values);
	cop_qlayer *layer = cop__arena_get(mem, sizeof *layer * (size_t)(g->n_node + 1));

	if (!readers || !quantised || !act || !layer) return COP_NOMEM;
	stated(act, quantised, g, readers);
	through_moves(act, g, readers);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) layer[n] = layer_of(mem, g, n, act, readers);
	say_floats(g, layer, act, readers);
	return cop__lower(out, &(cop_lowering){.g = g, .act = act, .layer = layer});
}

cop_status cop__pass_integers(cop_graph **out, const cop_graph *g)
{
	cop_graph *fused, *whole;
	cop_arena mem;

	*out = NULL;
	COP_TRY(cop__pass_fuse(&fused, g));
	cop__arena_init(&mem, g->cx);
	cop_status st = lowered(&whole, fused, &mem);
	cop__arena_free(&mem);
	cop_graph_free(fused);
	COP_TRY(st);
	st = cop__pass_decode(out, whole, COP_BYTES); /* of layers that stay float: every pass knows floats */
	cop_graph_free(whole);
	return st;
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__rounds(g) ? cop__pass_unfake(out, g) : cop__pass_integers(out, g);
}

const cop_pass cop_pass_integers = {COP_ROW("integers", "turns what is between a dequantize and a quantize, or what a fakequant rounds, into integer operators"), run};
