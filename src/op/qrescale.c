/* SPDX-License-Identifier: Apache-2.0
 *
 * qrescale - sums of 32 bits on another scale: as bytes, or as sums within bounds (the 16 bits that some operators
 * keep). int16 on another scale, as int16 or as bytes.
 */
#include "op/axes.h"

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qrescale_attr, a, g, n);
	cop_dtype from = cop__in(g, n, 0)->dtype == COP_I16 ? COP_I16 : COP_I32, to = (cop_dtype)a.to;

	COP_TRY(cop__need(g, n, 0, from, -1));
	if (to != COP_I8 && to != from)
		return cop__fail(g, COP_ARG, n, "to=%d must name i8 (%d) or %s (%d)", a.to, COP_I8, cop__dtype_text(from), from);
	if (a.shift < -31 || a.shift > (from == COP_I16 ? 15 : 31) || a.qlo > a.qhi || a.qlo < cop__dtype_least(to) || a.qhi > cop__dtype_most(to))
		return cop__fail(g, COP_ARG, n, "shift %d or bounds %d to %d are out of range", a.shift, a.qlo, a.qhi);
	return cop__set_out(g, n, 0, to, cop__in(g, n, 0)->rank, cop__in(g, n, 0)->dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qrescale_attr, a, g, n);
	const int32_t all[QT_WORDS] = {[QT_COUNT] = cop__count32(cop__in(g, n, 0)), [QT_MULT] = a.mult, [QT_SHIFT] = a.shift,
		[QT_ZERO] = a.zero, [QT_LO] = a.qlo, [QT_HI] = a.qhi};
	memcpy(k, all, sizeof all);
	return QT_WORDS;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const cop_qrescale_attr form[] = {{1374389535, -5, -3, -128, 127, COP_I8},
		{1073741824, 2, 0, -32768, 32767, COP_I32}, {2147483647, 0, 100, -20, 90, COP_I8},
		{1374389535, 1, 0, -32768, 30000, COP_I16}, {1874389535, -7, 5, -100, 127, COP_I8}};
	if (which >= LEN(form)) return 0;
	cop_type x = cop__type(which > 2 ? COP_I16 : COP_I32, 2, DIMS(3, 37));
	return cop__node(g, OP_qrescale, &form[which], VIDS(cop__input(g, "x", &x)));
}

const cop_op cop_op_qrescale = {
	.name = "qrescale", .attrs = "mult:i shift:i zero:i qlo:i qhi:i to:i", .min_in = 1, .max_in = 1, .n_out = 1,
	.must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE | COP_OP_ELTWISE,
	.infer = infer, .links = cop__links_eltwise, .words = words, .sample = sample,
};
