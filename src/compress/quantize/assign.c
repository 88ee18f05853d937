/* SPDX-License-Identifier: Apache-2.0
 *
 * assign - the ranges of all values, from what was seen of them. What only moves or chooses numbers keeps its input's;
 * the operands of a concat take its range where their maker can give it; everything else has its own.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

/* Functions that have a range by themselves. */
static bool fixed_range(cop_qrange *r, int op, int bits)
{
	*r = (cop_qrange){.lo = -(1 << (bits - 1)), .hi = (1 << (bits - 1)) - 1};
	if (op == OP_sigmoid) r->scale = ldexpf(1, -bits), r->zero = r->lo;
	if (op == OP_softmax) *r = (cop_qrange){1.0f / 256, -128, -128, 127};
	if (bits > 8 && (op == OP_sigmoid || op == OP_softmax)) *r = (cop_qrange){ldexpf(1, 1 - bits), 0, -(1 << (bits - 1)), (1 << (bits - 1)) - 1};
	if (op == OP_tanh) r->scale = ldexpf(1, 1 - bits);
	return r->scale > 0;
}

static bool reaches_output(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 0) == v && (cop__moves(g, n) || g->node[n].op == OP_softmax) &&
			reaches_output(g, cop__res(g, n, 0))) return true;
	return false;
}

/* Can't v lie beyond the bounds of an activation? */
static bool bounded(const cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (n && cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &lo, &hi);
	return isfinite(lo) && isfinite(hi);
}

/* The network's input, as it comes or prepared, is what it is: features of different sizes, or a few hundred pixel
 * values. Counting how often which is seen says nothing about their worth, so that its range is by error where the
 * others' are by counts. */
static cop_status own_range(cop_quantizer *z, cop_vid v, bool input, int bits, int op)
{
	cop_range_kind kind = input && z->range != COP_RANGE_MINMAX ? COP_RANGE_MSE : z->range;

	if (input || reaches_output(z->g, v)) bits = cop__end_bits(z);
	if (fixed_range(&z->act[v], op, bits) || !z->seen[v].n) return COP_OK;
	COP_TRY(cop__qrange_of(&z->act[v], z->cx, &z->seen[v], kind, bits, z->a->symmetric || bits > 8));
	/* 16 bits have steps enough for twice what was seen */
	if (bits > 8 && (kind == COP_RANGE_MINMAX || kind == COP_RANGE_MSE) && !bounded(z->g, v)) z->act[v].scale *= 2;
	return COP_OK;
}

static bool can_give(const cop_graph *g, cop_nid n)
{
	int op = n ? g->node[n].op : OP_none;
	return op == OP_conv || op == OP_fc || op == OP_rnn || op == OP_add || op == OP_mul || op == OP_clip ||
		op == OP_hswish || op == OP_gelu;
}

/* Which values are made from what a layer made. Before the first layer it is the input, prepared: 8 bits, as that. */
static void mark_behind(bool *behind, const cop_quantizer *z)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		bool *y = &behind[cop__res(z->g, n, 0)];
		*y = z->layer[n].o != 0 && strncmp(cop__qlayer_name(z->g, n), "prepare", 7);
		for (int i = 0; i < z->g->node[n].n_in; i++) *y = *y || behind[z->g->node[n].in[i]];
		if (cop__res(z->g, n, 1)) behind[cop__res(z->g, n, 1)] = *y;
	}
}

static bool layer_behind(const cop_quantizer *z, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		for (int i = 0; i < z->g->node[n].n_in; i++) {
			if (z->g->node[n].in[i] != v) continue;
			if (z->layer[n].o || layer_behind(z, cop__res(z->g, n, 0))) return true;
		}
	return false;
}

cop_status cop__wide_ends(cop_quantizer *z)
{
	bool *behind = cop__arena_get(&z->mem, sizeof *behind * (size_t)(z->g->n_value + 1));

	if (!behind) return COP_NOMEM;
	mark_behind(behind, z);
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		if (z->layer[n].bits && (!behind[cop__arg(z->g, n, 0)] || !layer_behind(z, cop__res(z->g, n, 0)))) z->layer[n].bits = 8;
	return COP_OK;
}

/* How much of a function is left in dB when its operand has steps, over what was seen of it. */
static double left_of(const cop_quantizer *z, cop_vid y, cop_vid leaf)
{
	const cop_seen *s = &z->seen[leaf];
	const cop_qrange *r = &z->act[leaf];
	double sum = 0, squares = 0, noise = 0, n = 0;

	for (int i = 0; i < COP_SEEN_BINS; i++) {
		if (!s->count[i]) continue;
		double c = (double)s->count[i], x = (i - COP_SEEN_BINS / 2 + 0.5) * (double)s->reach * 2 / COP_SEEN_BINS;
		double f = cop__table_value(z->g, y, leaf, x),
			e = f - cop__table_value(z->g, y, leaf, (double)r->scale * (cop__quantise((float)x, r) - r->zero));
		if (!isfinite(f)) continue;
		n += c, sum += c * f, squares += c * f * f, noise += c * e * e;
	}
	return n > 0 ? cop__decibels(squares - sum * sum / n, noise) : INFINITY;
}

static bool a_layer_reads(const cop_quantizer *z, cop_vid from)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		if (z->layer[n].o && cop__origin(z->g, cop__arg(z->g, n, 0)) == from) return true;
	return false;
}

/* A logarithm or a reciprocal of what has 256 even steps can be nothing but the steps: its operand then stays float,
 * with the layer that makes it. */
static void keep_resolution(cop_quantizer *z)
{
	enum { POOR = 24 }; /* dB; a layer by itself leaves 35 to 50 */
	const cop_graph *g = z->g;
	char label[96];

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid y = cop__res(g, n, 0), leaf = cop__table_leaf(g, n), from = leaf ? cop__origin(g, leaf) : 0;
		if (!leaf || !(z->act[leaf].scale > 0) || !z->seen[from].n || g->node[n].op != OP_map) continue;
		z->seen[leaf] = z->seen[from]; /* what was moved is the same numbers */
		double left = left_of(z, y, leaf);
		cop_nid by = g->value[from].producer;
		if (left >= POOR || a_layer_reads(z, from)) continue;
		for (int32_t v = 1; v <= g->n_value; v++)
			if (cop__origin(g, (cop_vid)v) == from) z->act[v] = (cop_qrange){0};
		if (by && z->layer[by].bits) z->layer[by].bits = 0;
		cop__log(z->cx, COP_LOG_WARN, "quantize: %s stays float: %d steps would keep only %.1f dB of %s",
			by ? cop__label(g, by, label) : g->value[from].name, 1 << cop__end_bits(z), left, "the function behind it");
	}
}

/* All states of a recurrent layer and the last one have one range: each is read by the next step. */
static cop_status states(cop_quantizer *z, cop_nid n, bool own)
{
	cop_vid h = cop__res(z->g, n, 0), y = cop__res(z->g, n, 1);

	if (z->g->node[n].op != OP_rnn) return COP_OK;
	if (own) COP_TRY(own_range(z, y, false, cop__end_bits(z), OP_rnn));
	z->act[h] = z->act[y];
	return COP_OK;
}

/* Values that keep 8 bits where others have fewer: of shortcuts, and with wide_ends what the last layers read. */
static void mark_wide(bool *wide, const cop_quantizer *z)
{
	const cop_graph *g = z->g;

	for (int inner = 0; z->a->wide_ends && inner < 2; inner++) /* what others read, too, has as few as they want */
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
			if (z->layer[n].o && layer_behind(z, cop__res(g, n, 0)) == inner) wide[cop__origin(g, cop__arg(g, n, 0))] = !inner;
	if (!z->a->narrow_sums) cop__mark_sums(wide, g);
}

static int bits_of(cop_quantizer *z, cop_nid n, const bool *wide)
{
	cop_qlayer *l = &z->layer[n];

	if (wide[cop__res(z->g, n, 0)] && l->o) l->act_bits = COP_MAX(8, l->act_bits);
	return l->o ? l->act_bits : wide[cop__res(z->g, n, 0)] ? cop__end_bits(z) : z->act_bits;
}

cop_status cop__set_ranges(cop_quantizer *z)
{
	const cop_graph *g = z->g;
	int32_t *readers = cop__readers(g, &z->mem);
	bool *behind = cop__arena_get(&z->mem, sizeof *behind * (size_t)(g->n_value + 1)), *wide = cop__arena_get(&z->mem, (size_t)g->n_value + 1);

	if (!readers || !behind || !wide) return COP_NOMEM;
	mark_behind(behind, z);
	mark_wide(wide, z);
	for (int32_t i = 0; i < g->n_input; i++) COP_TRY(own_range(z, g->input[i], true, cop__end_bits(z), OP_none));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		COP_TRY(own_range(z, cop__res(g, n, 0), !behind[cop__res(g, n, 0)], bits_of(z, n, wide), g->node[n].op));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) COP_TRY(states(z, n, true));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; g->node[n].op == OP_concat && i < g->node[n].n_in; i++) {
			cop_vid v = cop__arg(g, n, i);
			if (readers[v] == 1 && can_give(g, g->value[v].producer)) z->act[v] = z->act[cop__res(g, n, 0)];
		}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) COP_TRY(states(z, n, false));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__moves(g, n)) z->act[cop__res(g, n, 0)] = z->act[cop__arg(g, n, 0)];
	keep_resolution(z);
	return COP_OK;
}

cop_status cop__lower_quantized(cop_graph **out, const cop_quantizer *z)
{
	return cop__lower(out, &(cop_lowering){.g = z->g, .act = z->act, .layer = z->layer});
}
