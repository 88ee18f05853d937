/* SPDX-License-Identifier: Apache-2.0
 *
 * int_scales - the scales of a network of integers. Its operators carry multipliers, sx sw / sy for a layer, and no
 * scales. They are known at the ends, and go through sums, means and moves by their ratios. Where nothing says one,
 * behind a layer, it is chosen, and the layer's weights take it up.
 */
#include "op/qscale.h"

#include <math.h>

static bool is_bytes(const cop_type *t)
{
	return t->dtype == COP_I8 || t->dtype == COP_U8;
}

/* scale[a] = ratio * scale[b], whichever of them is known. */
static bool link(double *s, cop_vid a, cop_vid b, double ratio)
{
	if (!(ratio > 0) || (s[a] > 0) == (s[b] > 0)) return false;
	if (s[a] > 0) s[b] = s[a] / ratio;
	else s[a] = ratio * s[b];
	return true;
}

bool cop__lut_line(cop_line *l, const cop_graph *g, cop_nid n)
{
	const int8_t *t = cop__dense(g, cop__arg(g, n, 1), COP_I8);
	double count = 0, x = 0, y = 0, xx = 0, xy = 0;

	*l = (cop_line){.lo = 127, .hi = -128};
	if (!t || cop__in(g, n, 0)->dtype != COP_I8 || cop__outt(g, n, 0)->dtype != COP_I8) return false;
	for (int i = 0; i < 256; i++) l->lo = COP_MIN(l->lo, t[i]), l->hi = COP_MAX(l->hi, t[i]);
	for (int i = -128; i < 128; i++) {
		double v = t[(uint8_t)i];
		if (v > l->lo && v < l->hi) count++, x += i, y += v, xx += (double)i * i, xy += i * v;
	}
	if (count < 2) return false;
	l->slope = (count * xy - x * y) / (count * xx - x * x);
	l->at_zero = (y - l->slope * x) / count;
	for (int i = -128; i < 128; i++)
		if (fabs(fmin(fmax(l->at_zero + l->slope * i, l->lo), l->hi) - t[(uint8_t)i]) > 1) return false;
	return l->slope > 0;
}

static double cells(const cop_qavgpool_attr *p)
{
	return (double)p->kh * p->kw;
}

static bool relate(double *s, const cop_graph *g, cop_nid n)
{
	cop_vid y = cop__res(g, n, 0);
	bool any = false;

	if (g->node[n].op == OP_qadd) {
		COP_ATTR(cop_qadd_attr, a, g, n);
		double ra, rb;
		cop__qadd_real(&a, &ra, &rb);
		any = link(s, cop__arg(g, n, 0), y, fabs(ra));
		return link(s, cop__arg(g, n, 1), y, fabs(rb)) || any;
	}
	if (g->node[n].op == OP_qavgpool) {
		COP_ATTR(cop_qavgpool_attr, p, g, n);
		return link(s, cop__arg(g, n, 0), y, p.m ? cop__real_double(p.m, p.s) * cells(&p) : 1);
	}
	cop_line line;
	if (g->node[n].op == OP_qlut && cop__lut_line(&line, g, n))
		return link(s, y, cop__arg(g, n, 0), 1 / line.slope);
	if (cop__op(g, n)->flags & COP_OP_QUANT) return false;
	for (int i = 0; i < g->node[n].n_in; i++) /* moved */
		if (is_bytes(cop__outt(g, n, 0)) && is_bytes(cop__in(g, n, i)))
			any = link(s, cop__arg(g, n, i), y, 1) || any;
	return any;
}

/* What ends, quantize, dequantize and softmax say. */
static void stated(double *scale, const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.q.scale && is_bytes(&g->value[v].type))
			scale[v] = (double)*g->value[v].type.q.scale;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		double *x = &scale[cop__arg(g, n, 0)], *y = &scale[cop__res(g, n, 0)];
		COP_ATTR(cop_dequantize_attr, d, g, n); /* quantize begins with the same */
		COP_ATTR(cop_qsoftmax_attr, s, g, n);
		if (g->node[n].op == OP_quantize) *y = (double)d.scale;
		if (g->node[n].op == OP_dequantize && !(*x > 0)) *x = (double)d.scale;
		if (g->node[n].op == OP_qsoftmax) *y = 1.0 / 256;
		if (g->node[n].op == OP_qsoftmax && !(*x > 0)) *x = cop__qsoftmax_real(&s);
	}
}

/* The mean square of the weights of a layer where sy / sx is 1. */
static double mean_square(const cop_qconv_attr *a, const cop_graph *g, cop_nid n)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)], *m = &g->value[cop__arg(g, n, 3)];
	const int8_t *q = cop__dense(g, cop__arg(g, n, 1), COP_I8);
	int32_t o = w->type.dim[0];
	int64_t k = cop_type_count(&w->type) / o;
	double sum = 0;

	for (int32_t j = 0; j < o; j++) {
		double s = cop__qconv_real(a, m, j);
		for (int64_t i = 0; i < k; i++)
			sum += s * s * (q ? (double)q[j * k + i] * q[j * k + i] : 20); /* of four bits, roughly */
	}
	return sum / ((double)o * (double)k);
}

/* Where nothing else is known, weights are as large as they would be drawn before training: a mean square of 2 over the
 * inputs (He et al. 2015). */
static double choose(const double *scale, const cop_graph *g, cop_nid n)
{
	double x = scale[cop__arg(g, n, 0)];

	if (g->node[n].op == OP_qmul) {
		COP_ATTR(cop_qmul_attr, m, g, n);
		double s = x * scale[cop__arg(g, n, 1)] / cop__real_double(m.my, m.sy);
		return s > 0 && s < HUGE_VAL ? s : 1.0 / 128;
	}
	if (g->node[n].op != OP_qconv || !g->value[cop__arg(g, n, 3)].data) return 1.0 / 128;
	COP_ATTR(cop_qconv_attr, a, g, n);
	double square = mean_square(&a, g, n), k = (double)cop_type_count(cop__in(g, n, 1)) / cop__in(g, n, 1)->dim[0];
	return square > 0 ? x * sqrt(2 / k / square) : 1.0 / 128;
}

void cop__int_scales(double *scale, const cop_graph *g)
{
	stated(scale, g);
	for (cop_nid from = 0; from <= (cop_nid)g->n_node; from++) {
		if (from && (!is_bytes(cop__outt(g, from, 0)) || scale[cop__res(g, from, 0)] > 0)) continue;
		if (from) scale[cop__res(g, from, 0)] = choose(scale, g, from);
		for (bool again = true; again;) { /* the new one, and all that follows */
			again = false;
			for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) again = relate(scale, g, n) || again;
			for (cop_nid n = (cop_nid)g->n_node; n; n--) again = relate(scale, g, n) || again;
		}
		for (int32_t i = 0; !from && i < g->n_input; i++)
			if (is_bytes(cop__t(g, g->input[i])) && !(scale[g->input[i]] > 0))
				scale[g->input[i]] = 1.0 / 128;
	}
}
