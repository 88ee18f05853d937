/* SPDX-License-Identifier: Apache-2.0
 *
 * rnn - a recurrent layer over a sequence: h [n,u], the last state, y [n,t,u], every state (optional), c [n,u], the
 * last cell state of an LSTM (optional; of others 0), from x [n,t,i]. w [g u,i], r [g u,u], b [g u]? and what follows
 * lie by gate; h0, c0 [n,u]? are zero when absent. time_first: x and y are [t,n,.]. reverse: from the last step to the
 * first; y stands where its x does.
 *
 *   a = w x + b, s = r h; f, g, k the functions act (of what is first held within -clip .. clip, where clip is not 0)
 *   LSTM       gates i f g o: c = f(a+s+p c) c + f(a+s+p c) g(a+s), held within cell_clip; h = f(a+s+p c) k(c); p [3u]?: i f o
 *   GRU        gates z r n:   h = z h + (1-z) n, z and r = f(a+s), n = g(a + r (r h))
 *   GRU_AFTER  the same with n = g(a + r (s + b')), b' the fourth part of b [4u]; ONNX's linear_before_reset, Keras' reset_after
 *   PLAIN      h = f(a+s)
 *
 * Hochreiter and Schmidhuber 1997; Cho 2014. Training writes it out step by step first (pass/unroll.c).
 */
#include "op/axes.h"

int32_t cop__rnn_gates(int32_t cell) { return cell == RNN_LSTM ? 4 : cell == RNN_PLAIN ? 1 : 3; }

enum { IN_X, IN_W, IN_R, IN_B, IN_H, IN_C, IN_P };
enum { MOST = 1 << 20 }; /* units: rows of all gates fit 32 bits */

/* Optional input i, of count entries in all, the last axis one of units (rank 2) or of all. */
static cop_status side(const cop_graph *g, cop_nid n, int i, int32_t rank, int32_t first, int32_t last)
{
	const cop_type *t = cop__in(g, n, i);

	if (!cop__arg(g, n, i)) return COP_OK;
	COP_TRY(cop__need(g, n, i, COP_F32, rank));
	if (t->dim[rank - 1] == last && (rank == 1 || t->dim[0] == first)) return COP_OK;
	if (rank == 1) return cop__fail(g, COP_SHAPE, n, "input %d has %d entries, %d are expected", i, t->dim[0], last);
	return cop__fail(g, COP_SHAPE, n, "input %d is [%d,%d], [%d,%d] is expected", i, t->dim[0], t->dim[1], first, last);
}

static cop_status check_attr(const cop_graph *g, cop_nid n, const cop_rnn_attr *a)
{
	if (a->cell < 0 || a->cell >= RNN_CELLS)
		return cop__fail(g, COP_ARG, n, "cell %d is unknown, 0 to %d are there", a->cell, RNN_CELLS - 1);
	for (int i = 0; i < 3; i++)
		if (a->act[i] < 0 || a->act[i] >= RNN_ACTS)
			return cop__fail(g, COP_ARG, n, "function %d is unknown, 0 to %d are there", a->act[i], RNN_ACTS - 1);
	if (a->cell != RNN_LSTM && (cop__arg(g, n, IN_C) || cop__arg(g, n, IN_P)))
		return cop__fail(g, COP_ARG, n, "only an LSTM has a cell state and peepholes");
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_rnn_attr, a, g, n);
	COP_TRY(check_attr(g, n, &a));
	COP_TRY(cop__need(g, n, IN_X, COP_F32, 3));
	COP_TRY(cop__need(g, n, IN_W, COP_F32, 2));
	COP_TRY(cop__need(g, n, IN_R, COP_F32, 2));
	const int32_t *x = cop__in(g, n, IN_X)->dim, *w = cop__in(g, n, IN_W)->dim, *r = cop__in(g, n, IN_R)->dim, u = r[1];
	if (u < 1 || u > MOST) return cop__fail(g, COP_SHAPE, n, "%d units, 1 to %d are supported", u, (int)MOST);
	const int32_t samples = x[a.time_first != 0], steps = x[!a.time_first], rows = cop__rnn_gates(a.cell) * u;
	if (w[0] != rows || r[0] != rows || w[1] != x[2])
		return cop__fail(g, COP_SHAPE, n, "weights [%d,%d] and [%d,%d] do not suit %d inputs", w[0], w[1], r[0], r[1], x[2]);
	COP_TRY(side(g, n, IN_B, 1, 0, a.cell == RNN_GRU_AFTER ? 4 * u : rows));
	COP_TRY(side(g, n, IN_H, 2, samples, u));
	COP_TRY(side(g, n, IN_C, 2, samples, u));
	COP_TRY(side(g, n, IN_P, 1, 0, 3 * u));
	COP_TRY(cop__set_out(g, n, 0, COP_F32, 2, DIMS(samples, u)));
	COP_TRY(cop__set_out(g, n, 1, COP_F32, 3, a.time_first ? DIMS(steps, samples, u) : DIMS(samples, steps, u)));
	return cop__set_out(g, n, 2, COP_F32, 2, DIMS(samples, u));
}

void cop__rnn_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const int32_t *a = g->node[n].attr, *x = cop__in(g, n, IN_X)->dim, u = cop__outt(g, n, 0)->dim[1],
		samples = x[a[2] != 0], steps = x[!a[2]];
	const int32_t all[RN_ACT] = {[RN_N] = samples, [RN_STEPS] = steps, [RN_IN] = x[2], [RN_UNITS] = u, [RN_CELL] = a[0],
		[RN_BACK] = a[1] != 0,
		[RN_XN] = a[2] ? x[2] : steps * x[2], [RN_XT] = a[2] ? samples * x[2] : x[2], [RN_YN] = a[2] ? u : steps * u,
		[RN_YT] = a[2] ? samples * u : u};
	memcpy(k, all, sizeof all);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_rnn_attr, a, g, n);
	cop__rnn_words(g, n, k);
	memcpy(k + RN_ACT, a.act, sizeof a.act);
	k[RN_CLIP] = cop__bits(a.clip);
	k[RN_CELL_CLIP] = cop__bits(a.cell_clip);
	return RN_WORDS;
}

void cop__rnn_cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	const int32_t *x = cop__in(g, n, IN_X)->dim, *r = cop__in(g, n, IN_R)->dim;
	c->mac = (int64_t)x[0] * x[1] * r[0] * (x[2] + r[1]);
}

/* Index j of an axis that lists the units gate by gate goes with unit j % u. */
static int by_gate(cop_link *l, int at, int max, const cop_graph *g, cop_nid n, int input)
{
	cop_vid v = cop__arg(g, n, input), h = cop__res(g, n, 0);
	int32_t u = cop__t(g, h)->dim[1];

	if (!v) return at;
	int made = cop__link_axis(l, at, max, g, h, 1, v, 0);
	if (made) l[at].mod = u;
	return at + made;
}

static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	COP_ATTR(cop_rnn_attr, a, g, n);
	cop_vid x = cop__arg(g, n, IN_X), h = cop__res(g, n, 0), y = cop__res(g, n, 1), c = cop__res(g, n, 2);
	const int inputs[] = {IN_W, IN_R, IN_B, IN_P}, states[] = {IN_H, IN_C};
	int at = cop__link_axis(l, 0, max, g, x, 2, cop__arg(g, n, IN_W), 1);

	for (int i = 0; i < LEN(inputs); i++) at = by_gate(l, at, max, g, n, inputs[i]);
	at += cop__link_axis(l, at, max, g, h, 1, cop__arg(g, n, IN_R), 1);
	at += cop__link_axis(l, at, max, g, x, a.time_first != 0, h, 0);
	if (y)
		at += cop__link_axis(l, at, max, g, h, 1, y, 2), at += cop__link_axis(l, at, max, g, h, 0, y, a.time_first != 0);
	if (c) at = cop__link_aligned(l, at, max, g, h, c);
	for (int i = 0; i < LEN(states); i++)
		if (cop__arg(g, n, states[i])) at = cop__link_aligned(l, at, max, g, h, cop__arg(g, n, states[i]));
	return at;
}

static const struct {
	int32_t n, t, i, u;
	bool b, h, c, p, y, last_c;
	cop_rnn_attr a;
} form[] = {
	{1, 5, 3, 4, true, false, false, false, true, false, {RNN_LSTM, 0, 0, {RNN_SIGMOID, RNN_TANH, RNN_TANH}, 0, 0}},
	{3, 4, 19, 17, true, true, true, true, true, true, {RNN_LSTM, 1, 1, {RNN_SIGMOID, RNN_TANH, RNN_TANH}, 0, 0}},
	{2, 37, 8, 33, false, false, true, false, true, true,
		{RNN_LSTM, 0, 0, {RNN_HARDSIGMOID, RNN_SOFTSIGN, RNN_TANH}, 0.7f, 0.3f}},
	{1, 6, 5, 20, true, false, false, false, false, false, {RNN_GRU, 0, 1, {RNN_SIGMOID, RNN_TANH, RNN_TANH}, 0, 0}},
	{5, 18, 4, 7, false, true, false, false, true, false, {RNN_GRU, 1, 0, {RNN_SIGMOID, RNN_TANH, RNN_TANH}, 0, 0}},
	{2, 17, 16, 16, true, true, false, false, true, false, {RNN_GRU_AFTER, 0, 0, {RNN_SIGMOID, RNN_TANH, RNN_TANH}, 0, 0}},
	{1, 3, 2, 5, false, false, false, false, true, false,
		{RNN_GRU_AFTER, 1, 1, {RNN_SIGMOID, RNN_SOFTPLUS, RNN_TANH}, 1.5f, 0}},
	{4, 9, 10, 12, true, false, false, false, true, false, {RNN_PLAIN, 0, 0, {RNN_TANH, RNN_TANH, RNN_TANH}, 0, 0}},
	{1, 1, 1, 1, true, true, false, false, true, false, {RNN_PLAIN, 1, 0, {RNN_RELU, RNN_TANH, RNN_TANH}, 0, 0}},
};

static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	int32_t n = form[which].n, t = form[which].t, i = form[which].i, u = form[which].u;
	cop_rnn_attr a = form[which].a;
	int32_t rows = cop__rnn_gates(a.cell) * u;
	const cop_vid in[] = {cop__sample_input(g, "x", 3, a.time_first ? DIMS(t, n, i) : DIMS(n, t, i)),
		cop__sample_input(g, "w", 2, DIMS(rows, i)), cop__sample_input(g, "r", 2, DIMS(rows, u)),
		form[which].b ? cop__sample_input(g, "b", 1, DIMS(a.cell == RNN_GRU_AFTER ? 4 * u : rows)) : 0,
			form[which].h ? cop__sample_input(g, "h0", 2, DIMS(n, u)) : 0,
		form[which].c ? cop__sample_input(g, "c0", 2, DIMS(n, u)) : 0,
			form[which].p ? cop__sample_input(g, "p", 1, DIMS(3 * u)) : 0};
	cop_nid made = cop__node(g, OP_rnn, &a, LEN(in), in);
	if (made && form[which].y) cop__want_out(g, made, 1);
	if (made && form[which].last_c) cop__want_out(g, made, 2);
	return made;
}

const cop_op cop_op_rnn = {
	.name = "rnn", .attrs = "cell:i reverse:i time_first:i act:i3 clip:f cell_clip:f", .min_in = 3, .max_in = 7,
	.n_out = 3, .must_out = 1, .flags = COP_OP_PURE,
	.infer = infer, .words = words, .cost = cop__rnn_cost, .links = links, .sample = sample,
};
