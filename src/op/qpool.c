/* SPDX-License-Identifier: Apache-2.0
 *
 * qpool - averages of int8 and int16 over windows. m = 0: the input's scale is kept and the mean is rounded away from zx; else the
 * sum is rescaled by (m, s), which holds the number of cells too (so then there is no padding).
 */
#include "op/axes.h"
#include "op/qtrain.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qavgpool_attr, p, g, n);
	const int32_t *x = cop__in(g, n, 0)->dim;
	bool wide = cop__in(g, n, 0)->dtype == COP_I16;

	COP_TRY(cop__q_need(g, n, 0, 4));
	if (p.kh < 1 || p.kw < 1 || p.sh < 1 || p.sw < 1 || p.kh > 65535 || p.kw > 65535 || p.pt < 0 || p.pl < 0 || p.pb < 0 ||
		p.pr < 0 || COP_MAX(p.pt, p.pb) >= p.kh || COP_MAX(p.pl, p.pr) >= p.kw)
		return cop__fail(g, COP_ARG, n, "window %dx%d and strides %dx%d must be positive and larger than the padding", p.kh,
			p.kw, p.sh, p.sw);
	if (p.m && p.pt + p.pl + p.pb + p.pr) return cop__fail(g, COP_ARG, n, "a rescaled mean has no padding");
	COP_TRY(cop__q_bounds(g, n, p.zy, p.qlo, p.qhi));
	if (p.s > 10 || p.s < -31) return cop__fail(g, COP_ARG, n, "shift %d is out of range", p.s);
	if (wide && (p.zx || (int64_t)p.kh * p.kw << COP_MAX(p.s, 0) > 65535)) /* a sum, shifted, has 32 bits */
		return cop__fail(g, COP_ARG, n, "means of i16 are those of at most 65535 cells about 0, not of %lld about %d with shift %d",
			(long long)p.kh * p.kw, p.zx, p.s);
	int64_t h = (int64_t)x[1] + p.pt + p.pb - p.kh, w = (int64_t)x[2] + p.pl + p.pr - p.kw;
	if (h < 0 || w < 0)
		return cop__fail(g, COP_SHAPE, n, "a window of %dx%d does not fit the input of %dx%d", p.kh, p.kw, x[1], x[2]);
	return cop__set_out(g, n, 0, cop__in(g, n, 0)->dtype, 4, DIMS(x[0], (int32_t)(h / p.sh) + 1, (int32_t)(w / p.sw) + 1, x[3]));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qavgpool_attr, p, g, n);
	const int32_t *x = cop__in(g, n, 0)->dim, *y = cop__outt(g, n, 0)->dim;
	const int32_t all[QP_WORDS] = {[PK_N] = x[0], [PK_H] = x[1], [PK_W] = x[2], [PK_C] = x[3], [PK_OH] = y[1],
		[PK_OW] = y[2], [PK_KH] = p.kh, [PK_KW] = p.kw,
		[PK_SH] = p.sh, [PK_SW] = p.sw, [PK_PT] = p.pt, [PK_PL] = p.pl, [QP_ZX] = p.zx, [QP_ZY] = p.zy, [QP_M] = p.m,
		[QP_S] = p.s, [QP_LO] = p.qlo, [QP_HI] = p.qhi};
	memcpy(k, all, sizeof all);
	return QP_WORDS;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	COP_ATTR(cop_qavgpool_attr, p, g, n);
	c->flop = cop_type_count(cop__outt(g, n, 0)) * p.kh * p.kw;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = cop__link_axis(l, 0, max, g, cop__arg(g, n, 0), 3, cop__res(g, n, 0), 3);
	return at + cop__link_axis(l, at, max, g, cop__arg(g, n, 0), 0, cop__res(g, n, 0), 0);
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t x[4]; cop_qavgpool_attr p; } form[] = {
		{{1, 8, 8, 64}, {8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, -128, 127}},
		{{2, 7, 5, 3}, {3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, -100, 90}},
		/* ties on either side of a zero that is not 0 */
		{{1, 5, 6, 21}, {2, 3, 1, 2, 0, 0, 0, 0, -128, -128, 0, 0, -128, 127}},
		{{1, 6, 4, 4}, {2, 2, 2, 1, 1, 0, 0, 1, 77, 77, 0, 0, -128, 127}},
		{{1, 25, 5, 64}, {25, 5, 1, 1, 0, 0, 0, 0, -128, -3, 1374389535, -6, -128, 127}},
		{{1, 5, 6, 21}, {2, 3, 1, 2, 0, 0, 1, 0, 0, 0, 0, 0, -32768, 20000}},
		{{1, 25, 5, 9}, {25, 5, 1, 1, 0, 0, 0, 0, 0, 0, 1374389535, -6, -32768, 32767}},
	};
	if (which >= LEN(form)) return 0;
	cop_type x = cop__type(form[which].p.qlo < -128 ? COP_I16 : COP_I8, 4, form[which].x);
	return cop__node(g, OP_qavgpool, &form[which].p, VIDS(cop__input(g, "x", &x)));
}

const cop_op cop_op_qavgpool = {
	.name = "qavgpool", .attrs = "kh:i kw:i sh:i sw:i pt:i pl:i pb:i pr:i zx:i zy:i m:i s:i qlo:i qhi:i", .min_in = 1,
	.max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_QUANT | COP_OP_PURE, .infer = infer, .grad = cop__qavgpool_grad, .cost = cost, .links = links, .words = words, .sample = sample,
};
