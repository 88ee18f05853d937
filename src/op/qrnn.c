/* SPDX-License-Identifier: Apache-2.0
 *
 * qrnn - recurrent layers in integers (kernel/ref/qrnn.c): h and y of x as rnn has them, i8; the state is zero when a
 * sequence begins. w [g u,i] and r [g u,u] are symmetric and lie by gate (op/rnn.c). b [2 g u]: of the sums over x,
 * zero point and bias within, then of those over h, zero point within. m [2,2s]: multipliers, then shifts
 * (kernel/quant.h, double) of the s sums over x, then of those over h, to 12 bits behind the point; s is g, one for a
 * gate, or g u, one for a row. point: bits of the 16-bit state behind its point; clip: its bound, 0 for none; mult and
 * shift: to h, whose zero point is zero; start: the number h has before the first step. exact: the gates' functions are
 * TFLite's, bit by bit, else a table's. GRU_AFTER: the bias b' lies in the sums over h. PLAIN: the function is tanh.
 */
#include "op/axes.h"

enum { MOST = 1 << 14 }; /* units and inputs: sums of products stay within 30 bits */

static cop_status check(const cop_graph *g, cop_nid n, int32_t units, int32_t in)
{
	COP_ATTR(cop_qrnn_attr, a, g, n);
	const cop_type *w = cop__in(g, n, 1), *r = cop__in(g, n, 2), *b = cop__in(g, n, 3), *m = cop__in(g, n, 4);

	if (a.cell < 0 || a.cell >= RNN_CELLS)
		return cop__fail(g, COP_ARG, n, "cell %d is unknown, 0 to %d are there", a.cell, RNN_CELLS - 1);
	int32_t gates = cop__rnn_gates(a.cell);
	if (units < 1 || units > MOST || in < 1 || in > MOST)
		return cop__fail(g, COP_SHAPE, n, "%d units of %d inputs, 1 to %d are supported", units, in, (int)MOST);
	if (w->dim[0] != gates * units || w->dim[1] != in)
		return cop__fail(g, COP_SHAPE, n, "the input's weights must be i8[%d,%d]", gates * units, in);
	if (r->dim[0] != gates * units)
		return cop__fail(g, COP_SHAPE, n, "the state's weights must be i8[%d,%d]", gates * units, units);
	if (b->dim[0] != 2 * gates * units) return cop__fail(g, COP_SHAPE, n, "the biases must be i32[%d]", 2 * gates * units);
	if (m->dim[0] != 2 || (m->dim[1] != 2 * gates && m->dim[1] != 2 * gates * units))
		return cop__fail(g, COP_SHAPE, n, "the multipliers must be i32[2,%d] or i32[2,%d]", 2 * gates, 2 * gates * units);
	if (a.point < 11 || a.point > 15 || a.clip < 0 || a.clip > INT16_MAX || a.shift < -31 || a.shift > 31)
		return cop__fail(g, COP_ARG, n,
			"point=%d must lie within 11 to 15, clip=%d within 0 to 32767, shift=%d within -31 to 31", a.point, a.clip, a.shift);
	if (a.zero < -128 || a.zero > 127 || a.start < -128 || a.start > 127)
		return cop__fail(g, COP_ARG, n, "zero=%d and start=%d must lie within -128 to 127", a.zero, a.start);
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qrnn_attr, a, g, n);
	COP_TRY(cop__need(g, n, 0, COP_I8, 3));
	COP_TRY(cop__need(g, n, 1, COP_I8, 2));
	COP_TRY(cop__need(g, n, 2, COP_I8, 2));
	COP_TRY(cop__need(g, n, 3, COP_I32, 1));
	COP_TRY(cop__need(g, n, 4, COP_I32, 2));
	const int32_t *x = cop__in(g, n, 0)->dim, units = cop__in(g, n, 2)->dim[1], samples = x[a.time_first != 0],
		steps = x[!a.time_first];
	COP_TRY(check(g, n, units, x[2]));
	COP_TRY(cop__set_out(g, n, 0, COP_I8, 2, DIMS(samples, units)));
	return cop__set_out(g, n, 1, COP_I8, 3, a.time_first ? DIMS(steps, samples, units) : DIMS(samples, steps, units));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qrnn_attr, a, g, n);
	const int32_t own[QR_WORDS - RN_ACT] = {a.point, a.clip, a.mult, a.shift, a.zero, a.start, a.exact != 0,
		cop__in(g, n, 4)->dim[1]};
	cop__rnn_words(g, n, k);
	memcpy(k + RN_ACT, own, sizeof own);
	return QR_WORDS;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct { int32_t n, steps, in, units; bool y, by_row; cop_qrnn_attr a; } form[] = {
		{1, 3, 5, 4, true, false, {RNN_LSTM, 0, 0, 12, 0, 1073741824, -7, 0, 0, 1}},
		{2, 2, 7, 3, true, true, {RNN_LSTM, 1, 1, 11, 9000, 1500000000, -7, -5, -5, 1}},
		{1, 4, 1, 1, false, false, {RNN_LSTM, 0, 0, 15, 0, 1300000000, -8, 100, -128, 0}},
		{3, 5, 9, 6, true, true, {RNN_GRU, 0, 0, 15, 0, 1300000000, -8, 3, 3, 0}},
		{1, 4, 33, 17, false, false, {RNN_GRU_AFTER, 1, 0, 15, 0, 1200000000, -8, -1, -1, 0}},
		{2, 6, 12, 8, true, true, {RNN_PLAIN, 0, 1, 15, 0, 1100000000, -8, 0, 0, 1}}};
	int32_t m[2 * 2 * 4 * 6];

	if (which >= LEN(form)) return 0;
	int32_t n = form[which].n, t = form[which].steps, in = form[which].in, u = form[which].units,
		gates = cop__rnn_gates(form[which].a.cell), rows = gates * u;
	int32_t scales = 2 * (form[which].by_row ? rows : gates);
	cop_type x = cop__type(COP_I8, 3, form[which].a.time_first ? DIMS(t, n, in) : DIMS(n, t, in)),
		w = cop__type(COP_I8, 2, DIMS(rows, in)), r = cop__type(COP_I8, 2, DIMS(rows, u)),
		b = cop__type(COP_I32, 1, DIMS(2 * rows)), mt = cop__type(COP_I32, 2, DIMS(2, scales));
	for (int32_t i = 0; i < 2 * scales; i++) m[i] = i < scales ? 1100000000 + 50000000 * (i % 8) : i % 3;
	cop_nid made = cop__node(g, OP_qrnn, &form[which].a,
		VIDS(cop__input(g, "x", &x), cop__input(g, "w", &w), cop__input(g, "r", &r), cop__input(g, "b", &b),
		cop__data(g, COP_CONST, "m", &mt, m)));
	if (made && form[which].y) cop__want_out(g, made, 1);
	return made;
}

const cop_op cop_op_qrnn = {
	.name = "qrnn", .attrs = "cell:i reverse:i time_first:i point:i clip:i mult:i shift:i zero:i start:i exact:i",
	.min_in = 5, .max_in = 5, .n_out = 2, .must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE,
	.infer = infer, .words = words, .cost = cop__rnn_cost, .sample = sample,
};
