/* SPDX-License-Identifier: Apache-2.0
 *
 * write_rnn - a recurrent layer as LSTM, GRU or RNN of ONNX: time first, the gates in the order they have there, one
 * direction, and the second half of the biases where a GRU keeps its own.
 */
#include "io/onnx/write.h"

#include <stdio.h>

typedef cop_oxw_name nm;

enum { IN_X, IN_W, IN_R, IN_B, IN_H, IN_C, IN_P };
static const int32_t lstm_rows[] = {0, 3, 1, 2}, lstm_peeps[] = {0, 2, 1}; /* input, output, forget, cell; of ours */

/* Weight v as [1,rows,cols] or [1,count], blocks of `each` numbers in that order, behind them those of `tail` from
 * number `from` on or zeros. */
typedef struct block { const int32_t *order; int32_t blocks; int64_t each; } block;

static nm weight(cop_oxw *w, cop_vid v, block b, const int64_t *dim, int rank, int64_t skip)
{
	nm name = {""};
	void *own = NULL;
	int64_t count = b.blocks * b.each, all = 1;

	if (!v) return name;
	for (int i = 0; i < rank; i++) all *= dim[i];
	const float *from = cop__oxw_contents(w, v, &own);
	float *to = from ? cop__alloc(w->cx, 4 * (size_t)all) : NULL;
	name = cop__oxw_beside(w, v, ".onnx");
	if (to) {
		memset(to, 0, 4 * (size_t)all);
		for (int32_t i = 0; i < b.blocks; i++)
			memcpy(to + i * b.each, from + (b.order ? b.order[i] : i) * b.each, 4 * (size_t)b.each);
		if (skip) memcpy(to + 2 * count - skip, from + count, 4 * (size_t)skip); /* b' of a GRU stands in the second half */
		cop__oxw_tensor(w, name.s, OX_FLOAT, rank, dim, to, 4 * (size_t)all);
	}
	cop__free(w->cx, to);
	cop__free(w->cx, own);
	return name;
}

static nm turned(cop_oxw *w, nm x, const char *to)
{
	nm y = {""};

	if (to) snprintf(y.s, sizeof y.s, "%s", to);
	else y = cop__oxw_fresh(w);
	cop__oxw_attr_ints(w, "perm", (const int64_t[]){1, 0, 2}, 3);
	cop__oxw_node(w, "Transpose", y.s, x.s, NULL, NULL);
	return y;
}

/* [n,u] as [1,n,u]. */
static nm state(cop_oxw *w, cop_vid v)
{
	nm y = {""};

	if (!v) return y;
	y = cop__oxw_fresh(w);
	cop__oxw_node(w, "Unsqueeze", y.s, cop__oxw_value(w, v).s, cop__oxw_ints(w, (const int64_t[]){0}, 1).s, NULL);
	return y;
}

static void squeezed(cop_oxw *w, nm from, const char *to, int64_t axis)
{
	cop__oxw_node(w, "Squeeze", to, from.s, cop__oxw_ints(w, &axis, 1).s, NULL);
}

static void attributes(cop_oxw *w, const cop_rnn_attr *a)
{
	static const char *const name[RNN_ACTS] = {[RNN_SIGMOID] = "Sigmoid", [RNN_TANH] = "Tanh", [RNN_RELU] = "Relu",
		[RNN_HARDSIGMOID] = "HardSigmoid",
		[RNN_SOFTSIGN] = "Softsign", [RNN_SOFTPLUS] = "Softplus"};
	const char *act[3];
	int count = a->cell == RNN_LSTM ? 3 : a->cell == RNN_PLAIN ? 1 : 2;

	for (int i = 0; i < count; i++) act[i] = name[a->act[i]];
	cop__oxw_attr_strings(w, "activations", act, count);
	cop__oxw_attr_s(w, "direction", a->reverse ? "reverse" : "forward");
	if (a->clip > 0) cop__oxw_attr_f(w, "clip", a->clip);
	if (a->cell == RNN_GRU_AFTER) cop__oxw_attr_i(w, "linear_before_reset", 1);
}

void cop__oxw_rnn(cop_oxw *w, cop_nid n)
{
	static const char *const op[RNN_CELLS] = {"LSTM", "GRU", "GRU", "RNN"};
	const cop_graph *g = w->g;
	COP_ATTR(cop_rnn_attr, a, g, n);
	int32_t rows = cop__in(g, n, IN_W)->dim[0], in = cop__in(g, n, IN_W)->dim[1], u = cop__in(g, n, IN_R)->dim[1],
		gates = rows / u;
	const int32_t *order = a.cell == RNN_LSTM ? lstm_rows : NULL;
	nm made[3] = {{""}, {""}, {""}};

	bool known = true;

	for (int i = IN_W; i <= IN_P; i++)
		if (i != IN_H && i != IN_C && cop__arg(g, n, i)) known &= g->value[cop__arg(g, n, i)].role >= COP_CONST;
	if (a.cell_clip > 0 || !known) {
		cop__fail(g, COP_ARG, n, "has no form in ONNX: %s", known ? "its cell state is clipped"
			: "its weights are computed, and must be constants");
		return;
	}
	nm x = cop__oxw_value(w, cop__arg(g, n, IN_X));
	if (!a.time_first) x = turned(w, x, NULL);
	nm wn = weight(w, cop__arg(g, n, IN_W), (block){order, gates, (int64_t)u * in}, (const int64_t[]){1, rows, in}, 3, 0);
	nm rn = weight(w, cop__arg(g, n, IN_R), (block){order, gates, (int64_t)u * u}, (const int64_t[]){1, rows, u}, 3, 0);
	nm bn = weight(w, cop__arg(g, n, IN_B), (block){order, gates, u}, (const int64_t[]){1, 2 * rows}, 2, a.cell == RNN_GRU_AFTER ? u : 0);
	nm pn = weight(w, cop__arg(g, n, IN_P), (block){lstm_peeps, 3, u}, (const int64_t[]){1, 3 * (int64_t)u}, 2, 0);
	nm h0 = state(w, cop__arg(g, n, IN_H)), c0 = state(w, cop__arg(g, n, IN_C));
	for (int i = 0; i < 3; i++)
		if (cop__res(g, n, i)) made[i] = cop__oxw_fresh(w);
	attributes(w, &a);
	cop__oxw_attr_i(w, "hidden_size", u);
	cop__oxw_node_of(w, op[a.cell], a.cell == RNN_LSTM ? 3 : 2, (const char *const[]){made[1].s, made[0].s, made[2].s},
		a.cell == RNN_LSTM ? 8 : 6,
		(const char *const[]){x.s, wn.s, rn.s, bn.s, "", h0.s, c0.s, pn.s});
	squeezed(w, made[0], cop__oxw_value(w, cop__res(g, n, 0)).s, 0);
	if (cop__res(g, n, 2)) squeezed(w, made[2], cop__oxw_value(w, cop__res(g, n, 2)).s, 0);
	if (!cop__res(g, n, 1)) return;
	nm y = cop__oxw_value(w, cop__res(g, n, 1)), first = a.time_first ? y : cop__oxw_fresh(w);
	squeezed(w, made[1], first.s, 1);
	if (!a.time_first) turned(w, first, y.s);
}
