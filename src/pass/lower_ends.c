/* SPDX-License-Identifier: Apache-2.0
 *
 * lower_ends - the two forms of a value while a graph is lowered, and what leads from one to another: quantize and dequantize,
 * and tables between ranges.
 */
#include "pass/lower.h"

#include <math.h>
#include <stdio.h>

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

/* ---- tables ---- */

static float apply(int op, float x, float lo, float hi)
{
	switch (op) {
	case OP_sigmoid: return 1 / (1 + expf(-x));
	case OP_tanh: return tanhf(x);
	case OP_gelu: return 0.5f * x * (1 + erff(x * 0.70710678f));
	case OP_hswish: return x * fminf(fmaxf(x + 3, 0), 6) / 6;
	default: return fminf(fmaxf(x, lo), hi);
	}
}

cop_vid cop__by_table(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to, int op, float lo, float hi)
{
	int8_t entry[256];
	char name[32];
	cop_type t = cop__type(COP_I8, 1, DIMS(256));

	for (int i = 0; i < 256; i++) entry[i] = (int8_t)cop__quantise(apply(op, from->scale * (float)((int8_t)(uint8_t)i - from->zero), lo, hi), to);
	for (int i = 0; snprintf(name, sizeof name, "table%d", i), cop__find(l->out, name); i++) {}
	return cop__apply(l->out, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(v, cop__data(l->out, COP_CONST, name, &t, entry)));
}

cop_vid cop__requantised(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to)
{
	return cop__by_table(l, v, from, to, OP_none, COP_NO_LO, COP_NO_HI);
}

/* ---- forms ---- */

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
