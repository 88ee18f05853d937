/* SPDX-License-Identifier: Apache-2.0
 *
 * qgrad - gradients of the operators of integers (qtrain.h). A result that is at the end of its range is taken as cut off there, whether or not it was
 * before it was rounded: the integer alone is kept.
 */
#include "op/axes.h"
#include "op/part.h"
#include "op/qscale.h"
#include "op/qtrain.h"

static cop_vid bits_inside(cop_graph *g, cop_vid y, int32_t lo, int32_t hi) { return cop__apply(g, OP_inside, &(cop_inside_attr){lo, hi}, VIDS(y)); }

/* A factor as a value: the same one for all who need it. */
static cop_vid factor(cop_graph *g, double real)
{
	char name[40];

	cop__format(name, sizeof name, "q.%.9g", real);
	return cop__scalar(g, name, (float)real);
}

/* Of a layer: its multipliers as floats, one for each channel. */
static cop_vid factors(cop_graph *g, const cop_qconv_attr *a, cop_vid m)
{
	const cop_value *v = &g->value[m];
	int32_t o = v->type.dim[v->type.rank - 1];
	float *real = v->data ? cop__arena_get(&g->mem, sizeof *real * (size_t)o) : NULL;
	cop_type t = cop__type(COP_F32, 1, &o);

	if (!v->data) return cop__error(g->cx, COP_ARG, "training: the multipliers '%s' are not known", v->name), 0;
	for (int32_t i = 0; real && i < o; i++) real[i] = (float)cop__qconv_real(a, v, i);
	return real ? cop__follow(g, m, COP_CONST, "real", &t, real) : 0;
}

cop_status cop__qconv_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), b = cop__arg(g, n, 2), y = cop__res(g, n, 0), dy = cop__grad_of(d, y);
	COP_ATTR(cop_qconv_attr, a, g, n);
	cop_conv_attr c = {a.sh, a.sw, a.pt, a.pl, a.pb, a.pr, a.dh, a.dw, a.groups, COP_NO_LO, COP_NO_HI};
	cop_conv_dx_attr to_x = {c, cop__t(g, x)->dim[1], cop__t(g, x)->dim[2]};
	cop_qconv_dw_attr to_w = {{c, cop__t(g, w)->dim[1], cop__t(g, w)->dim[2]}, a.zx};

	if (!dy) return g->cx->code;
	if (cop__t(g, w)->dtype != COP_I8 || cop__t(g, x)->dtype != COP_I8)
		return cop__error(g->cx, COP_ARG, "training: '%s' has weights of less than 8 bits or activations of more, and only int8 is trained", g->value[w].name);
	cop_vid scale = factors(g, &a, cop__arg(g, n, 3)), bits = scale ? bits_inside(g, y, a.qlo, a.qhi) : 0;
	cop_vid dacc = bits ? cop__apply(g, OP_qback, NULL, VIDS(dy, scale, bits)) : 0;
	if (!dacc) return cop__failed(g->cx);
	COP_TRY(cop__grad_put(d, b, OP_sum_to, &(cop_shape_attr){1, {cop__t(g, b)->dim[0]}}, VIDS(dacc)));
	COP_TRY(cop__grad_weight(d, w, OP_qconv_dw, &to_w, dacc, x));
	return cop__grad_put(d, x, OP_qconv_dx, &to_x, VIDS(dacc, cop__weight_again(d, w, x)));
}

/* One operand of a sum: its factor, and what it was stretched along summed up again. */
static cop_status add_operand(cop_grad *d, cop_nid n, int i, cop_vid bits, double real)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid v = cop__arg(g, n, i), y = cop__res(g, n, 0);

	if (!cop__grad_wanted(d, v)) return COP_OK;
	cop_vid dv = cop__apply(g, OP_qback, NULL, VIDS(cop__grad_of(d, y), factor(g, real), bits));
	if (dv && !cop__same_shape(cop__t(g, v), cop__t(g, y))) {
		cop_shape_attr to = {cop__t(g, v)->rank, {0}};
		memcpy(to.dim, cop__t(g, v)->dim, sizeof to.dim);
		dv = cop__apply(g, OP_sum_to, &to, VIDS(dv));
	}
	return cop__grad_add(d, v, dv);
}

cop_status cop__qadd_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_qadd_attr, a, g, n);
	double ra, rb;

	if (!cop__grad_of(d, cop__res(g, n, 0))) return g->cx->code;
	if (cop__outt(g, n, 0)->dtype != COP_I8) return cop__error(g->cx, COP_ARG, "training: sums of int16 are not trained through");
	cop__qadd_real(&a, &ra, &rb);
	cop_vid bits = bits_inside(g, cop__res(g, n, 0), a.qlo, a.qhi);
	if (!bits) return cop__failed(g->cx);
	COP_TRY(add_operand(d, n, 0, bits, ra));
	return add_operand(d, n, 1, bits, rb);
}

/* m says what a sum counts for, and is a mean's where it is 0. */
cop_status cop__qavgpool_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_qavgpool_attr, p, g, n);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_pool_grad_attr a = {{p.kh, p.kw, p.sh, p.sw, p.pt, p.pl, p.pb, p.pr, p.m != 0}, cop__t(g, x)->dim[1], cop__t(g, x)->dim[2]};

	if (!dy || !cop__grad_wanted(d, x)) return g->cx->code;
	if (p.m) dy = cop__apply(g, OP_qback, NULL, VIDS(dy, factor(g, cop__real_double(p.m, p.s) * p.kh * p.kw)));
	return dy ? cop__grad_put(d, x, OP_avgpool_grad, &a, VIDS(dy)) : cop__failed(g->cx);
}

cop_status cop__dequantize_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_dequantize_attr, a, g, n);
	cop_vid dy = cop__grad_of(d, cop__res(g, n, 0));

	if (!dy || !cop__grad_wanted(d, cop__arg(g, n, 0))) return g->cx->code;
	return cop__grad_put(d, cop__arg(g, n, 0), OP_qback, NULL, VIDS(dy, factor(g, (double)a.scale)));
}
