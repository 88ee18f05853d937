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

static cop_vid looked_up(cop_lower *l, cop_vid v, cop_dtype d, int32_t entries, const void *entry)
{
	cop_type t = cop__type(d, 1, &entries);
	char name[32];

	for (int i = 0; snprintf(name, sizeof name, "table%d", i), cop__find(l->out, name); i++) {}
	return cop__apply(l->out, OP_qlut, &(cop_qlut_attr){(int32_t)d}, VIDS(v, cop__data(l->out, COP_CONST, name, &t, entry)));
}

/* i16: every 128th of a smooth function; of bounds, which bend between two of these, the integers themselves. */
static cop_vid by_wide_table(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to, int op, float lo, float hi)
{
	cop_qrescale_attr a = {.qlo = cop__quantise(lo, to), .qhi = cop__quantise(hi, to), .to = COP_I16};
	int16_t entry[513];

	if (op == OP_sigmoid || op == OP_tanh || op == OP_gelu || op == OP_hswish) {
		for (int i = 0; i < 513; i++) entry[i] = (int16_t)cop__quantise(apply(op, from->scale * (float)(128 * (i - 256)), lo, hi), to);
		return looked_up(l, v, COP_I16, 513, entry);
	}
	cop__multiplier_double(&a.mult, &a.shift, fmin((double)from->scale / (double)to->scale, 32767));
	return cop__apply(l->out, OP_qrescale, &a, VIDS(v));
}

cop_vid cop__by_table(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to, int op, float lo, float hi)
{
	int8_t entry[256];

	if (cop__range_dtype(from) == COP_I16) return by_wide_table(l, v, from, to, op, lo, hi);
	for (int i = 0; i < 256; i++) entry[i] = (int8_t)cop__quantise(apply(op, from->scale * (float)((int8_t)(uint8_t)i - from->zero), lo, hi), to);
	return looked_up(l, v, COP_I8, 256, entry);
}

cop_vid cop__requantised(cop_lower *l, cop_vid v, const cop_qrange *from, const cop_qrange *to)
{
	cop_dtype d = cop__range_dtype(to);

	if (cop__range_dtype(from) == d) return cop__by_table(l, v, from, to, OP_none, COP_NO_LO, COP_NO_HI);
	v = cop__apply(l->out, OP_dequantize, &(cop_dequantize_attr){from->scale, from->zero}, VIDS(v));
	return cop__apply(l->out, OP_quantize, &(cop_quantize_attr){to->scale, to->zero, (int32_t)d}, VIDS(v));
}

/* ---- forms ---- */

static bool is_integer(const cop_graph *g, cop_vid v)
{
	cop_dtype d = cop__t(g, v)->dtype;
	return d == COP_I8 || d == COP_U8 || d == COP_I16;
}

static cop_vid flipped(cop_lower *l, cop_vid v, cop_dtype to) { return cop__flip_bytes(l->out, "flip.table", v, to); }

cop_vid cop__as_integer(cop_lower *l, cop_vid v)
{
	const cop_qrange *r = &l->z->act[v];
	cop_dtype d = cop__range_dtype(r);
	cop_quantize_attr a = {r->scale, r->zero, (int32_t)d};

	if (l->q[v]) return l->q[v];
	if (is_integer(l->z->g, v)) {
		cop_vid x = cop__as_float(l, v);
		return l->q[v] = x && cop__t(l->z->g, v)->dtype == COP_U8 ? flipped(l, x, COP_I8) : x;
	}
	if (!(r->scale > 0)) return 0;
	cop_vid f = cop__as_float(l, v);
	l->q[v] = f ? cop__apply(l->out, OP_quantize, &a, VIDS(f)) : 0;
	if (l->q[v] && (r->lo > cop__dtype_least(d) || r->hi < cop__dtype_most(d))) l->q[v] = cop__requantised(l, l->q[v], r, r); /* fewer levels: the operator holds at all bits */
	return l->q[v];
}

cop_vid cop__as_float(cop_lower *l, cop_vid v)
{
	if (l->map[v]) return l->map[v];
	if (l->q[v] && is_integer(l->z->g, v)) return l->map[v] = cop__t(l->z->g, v)->dtype == COP_U8 ? flipped(l, l->q[v], COP_U8) : l->q[v];
	if (l->q[v]) {
		cop_dequantize_attr a = {l->z->act[v].scale, l->z->act[v].zero};
		return l->map[v] = cop__apply(l->out, OP_dequantize, &a, VIDS(l->q[v]));
	}
	return cop__copy_value(l->out, l->z->g, l->map, v);
}
