/* SPDX-License-Identifier: Apache-2.0
 *
 * qlstm - the LSTM over a sequence in integers (kernel/ref/qlstm.c): y[n,t,u] of x[n,t,i], the state zero when a sequence begins.
 * wx [4u,i] and wh [4u,u] are symmetric and lie by gate: input, forget, cell, output. b [8u]: of the sums over x, zero point
 * and bias within, then of those over h. m [2,8]: multipliers, then shifts (kernel/quant.h, double) of the four gates' sums over x,
 * then over h. cell: bits of the cell state behind its point; clip: its bound, 0 for none; mult and shift: to h, whose zero point is 0.
 */
#include "op/axes.h"

enum { MOST = 1 << 14 }; /* units and inputs: sums of products stay within 30 bits */

static cop_status check(const cop_graph *g, cop_nid n, int32_t units, int32_t in)
{
	COP_ATTR(cop_qlstm_attr, a, g, n);
	const cop_type *b = cop__in(g, n, 3), *m = cop__in(g, n, 4);

	if (units < 1 || units > MOST || in < 1 || in > MOST) return cop__fail(g, COP_SHAPE, n, "%d units of %d inputs, 1 to %d are supported", units, in, (int)MOST);
	if (cop__in(g, n, 1)->dim[0] != 4 * units || cop__in(g, n, 1)->dim[1] != in) return cop__fail(g, COP_SHAPE, n, "the input's weights must be i8[%d,%d]", 4 * units, in);
	if (cop__in(g, n, 2)->dim[0] != 4 * units) return cop__fail(g, COP_SHAPE, n, "the state's weights must be i8[%d,%d]", 4 * units, units);
	if (b->dim[0] != 8 * units) return cop__fail(g, COP_SHAPE, n, "the biases must be i32[%d]", 8 * units);
	if (m->dim[0] != 2 || m->dim[1] != 8) return cop__fail(g, COP_SHAPE, n, "the multipliers must be i32[2,8]");
	if (a.cell < 11 || a.cell > 15 || a.clip < 0 || a.clip > INT16_MAX || a.shift < -31 || a.shift > 31)
		return cop__fail(g, COP_ARG, n, "cell=%d must lie within 11 to 15, clip=%d within 0 to 32767, shift=%d within -31 to 31", a.cell, a.clip, a.shift);
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_I8, 3));
	COP_TRY(cop__need(g, n, 1, COP_I8, 2));
	COP_TRY(cop__need(g, n, 2, COP_I8, 2));
	COP_TRY(cop__need(g, n, 3, COP_I32, 1));
	COP_TRY(cop__need(g, n, 4, COP_I32, 2));
	const int32_t *x = cop__in(g, n, 0)->dim, units = cop__in(g, n, 2)->dim[1];
	COP_TRY(check(g, n, units, x[2]));
	return cop__set_out(g, n, 0, COP_I8, 3, DIMS(x[0], x[1], units));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qlstm_attr, a, g, n);
	const int32_t *x = cop__in(g, n, 0)->dim;
	const int32_t all[QR_WORDS] = {[QR_N] = x[0], [QR_STEPS] = x[1], [QR_IN] = x[2], [QR_UNITS] = cop__outt(g, n, 0)->dim[2],
		[QR_CELL] = a.cell, [QR_CLIP] = a.clip, [QR_MULT] = a.mult, [QR_SHIFT] = a.shift};
	memcpy(k, all, sizeof all);
	return QR_WORDS;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	const int32_t *y = cop__outt(g, n, 0)->dim;
	c->mac = (int64_t)y[0] * y[1] * 4 * y[2] * (cop__in(g, n, 0)->dim[2] + y[2]);
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t n, steps, in, units; cop_qlstm_attr a; } form[] = {
		{1, 3, 5, 4, {12, 0, 1073741824, -7}}, {2, 2, 7, 3, {11, 9000, 1500000000, -7}}, {1, 4, 1, 1, {15, 0, 1300000000, -8}}};
	int32_t m[16];

	if (which >= LEN(form)) return 0;
	int32_t in = form[which].in, u = form[which].units;
	for (int32_t i = 0; i < 16; i++) m[i] = i < 8 ? 1100000000 + 50000000 * i : i % 3;
	cop_type x = cop__type(COP_I8, 3, DIMS(form[which].n, form[which].steps, in)), wx = cop__type(COP_I8, 2, DIMS(4 * u, in)), wh = cop__type(COP_I8, 2, DIMS(4 * u, u)),
		b = cop__type(COP_I32, 1, DIMS(8 * u)), mt = cop__type(COP_I32, 2, DIMS(2, 8));
	return cop__node(g, OP_qlstm, &form[which].a, VIDS(cop__input(g, "x", &x), cop__input(g, "wx", &wx), cop__input(g, "wh", &wh), cop__input(g, "b", &b),
		cop__data(g, COP_CONST, "m", &mt, m)));
}

const cop_op cop_op_qlstm = {
	.name = "qlstm", .attrs = "cell:i clip:i mult:i shift:i", .min_in = 5, .max_in = 5, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = infer, .words = words, .cost = cost, .sample = sample,
};
