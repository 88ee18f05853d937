/* SPDX-License-Identifier: Apache-2.0
 *
 * rnn - LSTM, GRU and RNN as one operator for each direction. With d directions, h hidden units and g gates:
 *
 *   X [steps,batch,in]   W [d,g h,in]   R [d,g h,h]   B [d,2 g h]   initial_h, initial_c [d,batch,h]   P [d,3 h]
 *   Y [steps,d,batch,h]  Y_h, Y_c [d,batch,h];   layout 1 puts the batch first everywhere
 *
 * Weights must be known: they are cut by direction while reading, and the gates of an LSTM (i o f c there) come into
 * our order.
 */
#include "io/onnx/onnx.h"

#include <stdio.h>

typedef struct rnn {
	cop_ox *m;
	const cop_ox_node *n;
	int32_t steps, batch, in, h, gates, dirs;
	bool batch_first;      /* in the file */
	cop_rnn_attr a;        /* time_first: of x */
	int32_t act[2][3];     /* by direction */
	cop_vid x;
} rnn;

static const int32_t lstm_rows[] = {0, 2, 3, 1}, lstm_peeps[] = {0, 2, 1}, as_they_are[] = {0, 1, 2};

static cop_status function(const rnn *u, const char *name, int32_t *fn)
{
	static const char *const known[RNN_ACTS] = {[RNN_SIGMOID] = "Sigmoid", [RNN_TANH] = "Tanh", [RNN_RELU] = "Relu",
		[RNN_HARDSIGMOID] = "HardSigmoid",
		[RNN_SOFTSIGN] = "Softsign", [RNN_SOFTPLUS] = "Softplus"};

	for (*fn = 0; *fn < RNN_ACTS; ++*fn)
		if (!strcmp(name, known[*fn])) return COP_OK;
	return cop__ox_fail(u->m, u->n,
		"activation '%s' is not supported; Sigmoid, Tanh, Relu, HardSigmoid, Softsign and Softplus are", name);
}

/* ---- weights ---- */

/* Direction `dir` of known input i, which has `whole` numbers for each. NULL: absent, or a failure is recorded. */
static const float *direction(rnn *u, int i, int dir, int64_t whole)
{
	cop_ox_value *v = cop__ox_in(u->m, u->n, i);

	if (!v || u->m->cx->code) return NULL;
	if (!v->data) return cop__ox_fail(u->m, u->n, "input %d, a weight, must be known when the model is read", i), NULL;
	if (!cop__ox_is_float(v->type) || cop__ox_count(v) != u->dirs * whole)
		return cop__ox_fail(u->m, u->n, "input %d has %lld entries, %lld are expected", i, (long long)cop__ox_count(v),
			(long long)(u->dirs * whole)), NULL;
	return (const float *)v->data + dir * whole;
}

/* A parameter named after input i: blocks of `each` numbers, in that order. */
static cop_vid stack(rnn *u, int i, int dir, const float *from, const cop_type *t, const int32_t *order, int32_t each)
{
	float *to = from ? cop__ox_room(u->m, cop_type_bytes(t)) : NULL;
	char name[128];

	if (!to) return 0;
	for (int32_t k = 0; k * (int64_t)each < cop_type_count(t); k++)
		memcpy(to + k * (size_t)each, from + (order ? order[k] : k) * (size_t)each, sizeof *to * (size_t)each);
	snprintf(name, sizeof name, "%.100s%s", cop__ox_in(u->m, u->n, i)->name, u->dirs == 1 ? "" : dir ? ".back" : ".forth");
	return cop__ox_const(u->m, name, COP_PARAM, t, to);
}

/* B holds one for the inputs and one for the states: their sum, but for a GRU that multiplies the second one by r. */
static cop_vid biases(rnn *u, int dir)
{
	int32_t rows = u->gates * u->h, count = u->a.cell == RNN_GRU_AFTER ? rows + u->h : rows;
	const float *b = direction(u, 3, dir, 2 * (int64_t)rows);
	float *sum = b ? cop__ox_room(u->m, sizeof *sum * (size_t)count) : NULL;
	cop_type t = cop__type(COP_F32, 1, &count);

	if (!sum) return 0;
	for (int32_t i = 0; i < rows; i++) sum[i] = b[i] + (u->a.cell == RNN_GRU_AFTER && i >= 2 * u->h ? 0 : b[rows + i]);
	for (int32_t i = rows; i < count; i++) sum[i] = b[rows + i - u->h];
	return stack(u, 3, dir, sum, &t, u->gates == 4 ? lstm_rows : NULL, u->h);
}

/* Initial state `i` of a direction, [batch,h]; 0 when absent or zero. */
static cop_vid initial(rnn *u, int i, int dir)
{
	cop_ox *m = u->m;
	cop_ox_value *v = i < 6 || u->gates == 4 ? cop__ox_in(m, u->n, i) : NULL;
	int32_t zeros = 0;

	if (!v) return 0;
	if (v->rank != 3 || cop__ox_count(v) != (int64_t)u->dirs * u->batch * u->h)
		return cop__ox_fail(m, u->n, "input %d, an initial state, has the wrong shape", i), 0;
	/* lint: exact */
	while (v->data && cop__ox_is_float(v->type) && zeros < cop__ox_count(v) && ((const float *)v->data)[zeros] == 0)
		zeros++;
	if (v->data && zeros == cop__ox_count(v)) return 0;
	cop_vid all = cop__ox_as(m, v, OX_PLAIN);
	return cop__ox_reshape(m, cop__ox_slice(m, all, u->batch_first, dir, 1, 1), 2, DIMS(u->batch, u->h));
}

static cop_nid layer(rnn *u, int dir, bool backwards)
{
	int32_t h = u->h, rows = u->gates * h;
	cop_type wt = cop__type(COP_F32, 2, DIMS(rows, u->in)), rt = cop__type(COP_F32, 2, DIMS(rows, h)),
		pt = cop__type(COP_F32, 1, DIMS(3 * h));
	const int32_t *order = u->gates == 4 ? lstm_rows : as_they_are;
	const float *p = u->gates == 4 ? direction(u, 7, dir, 3 * (int64_t)h) : NULL;

	u->a.reverse = backwards;
	memcpy(u->a.act, u->act[dir], sizeof u->a.act);
	cop_vid w = stack(u, 1, dir, direction(u, 1, dir, (int64_t)rows * u->in), &wt, order, h * u->in),
		r = w ? stack(u, 2, dir, direction(u, 2, dir, (int64_t)rows * h), &rt, order, h * h) : 0;
	const cop_vid in[] = {u->x, w, r, biases(u, dir), initial(u, 5, dir), initial(u, 6, dir),
		stack(u, 7, dir, p, &pt, lstm_peeps, h)};
	return r && !u->m->cx->code ? cop__node(u->m->g, OP_rnn, &u->a, LEN(in), in) : 0;
}

/* ---- results ---- */

/* [batch,h] of each direction as [d,batch,h], or [batch,d,h]. */
static cop_vid final_state(rnn *u, const cop_nid *made, int which)
{
	cop_vid part[2] = {0};
	int32_t b = u->batch, h = u->h;

	for (int i = 0; i < u->dirs; i++)
		part[i] = cop__ox_reshape(u->m, cop__want_out(u->m->g, made[i], which), 3,
			u->batch_first ? DIMS(b, 1, h) : DIMS(1, b, h));
	return u->dirs == 1 ? part[0] : cop__ox_concat(u->m, u->batch_first, u->dirs, part);
}

/* All steps as [steps,d,batch,h], or [batch,steps,d,h]. */
static cop_vid all_states(rnn *u, const cop_nid *made)
{
	cop_vid part[2] = {0};
	int32_t b = u->batch, h = u->h, s = u->steps;

	for (int i = 0; i < u->dirs; i++) {
		cop_vid y = cop__want_out(u->m->g, made[i], 1);
		if ((u->a.time_first != 0) == u->batch_first) y = cop__ox_transpose(u->m, y, DIMS(1, 0, 2));
		part[i] = cop__ox_reshape(u->m, y, 4, u->batch_first ? DIMS(b, s, 1, h) : DIMS(s, 1, b, h));
	}
	return u->dirs == 1 ? part[0] : cop__ox_concat(u->m, u->batch_first ? 2 : 1, u->dirs, part);
}

/* ---- the node ---- */

/* X, from before a transposition that only puts time first: PyTorch writes one for batch_first. */
static cop_vid input(rnn *u)
{
	cop_graph *g = u->m->g;
	cop_vid x = cop__ox_float(u->m, u->n, 0, OX_PLAIN);
	cop_nid n = x ? g->value[x].producer : 0;

	u->a.time_first = !u->batch_first;
	if (!n || u->batch_first) return x;
	const cop_type *from = cop__in(g, n, 0), *to = cop__t(g, x);
	const int32_t *perm = g->node[n].attr + 1;
	bool turns = g->node[n].op == OP_transpose && perm[0] == 1 && perm[1] == 0;
	bool unit = g->node[n].op == OP_reshape && from->rank == 3 && from->dim[0] == 1 && to->dim[1] == 1 &&
		from->dim[1] == to->dim[0];
	if (!turns && !unit) return x;
	u->a.time_first = 0;
	return cop__arg(g, n, 0);
}

static cop_status functions(rnn *u, int n_act)
{
	const char *name[6];
	static const int32_t usual[3] = {RNN_SIGMOID, RNN_TANH, RNN_TANH};
	int got = cop__ox_strings(u->m, u->n, "activations", name, 6);

	if (u->m->cx->code || (got >= 0 && got != u->dirs * n_act))
		return cop__ox_fail(u->m, u->n, "%d activations, %d are expected", got, u->dirs * n_act);
	for (int i = 0; i < 6; i++) u->act[i / 3][i % 3] = u->gates == 1 ? RNN_TANH : usual[i % 3];
	for (int i = 0; i < got; i++) COP_TRY(function(u, name[i], &u->act[i / n_act][i % n_act]));
	return COP_OK;
}

static cop_status lengths(rnn *u)
{
	cop_ox_value *lens = cop__ox_in(u->m, u->n, 4);
	const int64_t *len = lens ? lens->data : NULL;

	if (lens && !len)
		return cop__ox_fail(u->m, u->n,
			"sequence_lens that are known only at run time are not supported; every sequence must have all %d steps", u->steps);
	for (int64_t i = 0; len && i < cop__ox_count(lens); i++)
		if (len[i] != u->steps)
			return cop__ox_fail(u->m, u->n,
				"sequence_lens below the whole length are not supported; every sequence must have all %d steps", u->steps);
	return COP_OK;
}

static cop_status setup(rnn *u, const char *dir)
{
	cop_ox *m = u->m;
	const cop_ox_node *n = u->n;
	cop_ox_value *x = cop__ox_in(m, n, 0), *w = cop__ox_in(m, n, 1);

	u->dirs = strcmp(dir, "bidirectional") ? 1 : 2;
	u->batch_first = cop__ox_i(n, "layout", 0) != 0;
	u->a.clip = cop__ox_f(n, "clip", 0);
	if (cop__ox_i(n, "input_forget", 0)) return cop__ox_fail(m, n, "input_forget=1 is not supported");
	if (cop__ox_has(n, "activation_alpha") || cop__ox_has(n, "activation_beta"))
		return cop__ox_fail(m, n, "activation_alpha and activation_beta are not supported");
	if (x->rank != 3 || w->rank != 3 || w->dim[0] != u->dirs || w->dim[1] % u->gates || w->dim[2] != x->dim[2])
		return cop__ox_fail(m, n, "input and weight have the wrong shapes");
	u->steps = x->dim[u->batch_first];
	u->batch = x->dim[!u->batch_first];
	u->in = x->dim[2];
	u->h = w->dim[1] / u->gates;
	if (!u->h || !u->steps)
		return cop__ox_fail(m, n, "has %d units and %d steps; there must be one at least", u->h, u->steps);
	COP_TRY(lengths(u));
	return (u->x = input(u)) ? COP_OK : m->cx->code;
}

static cop_status recurrent(cop_ox *m, cop_ox_node *n, int32_t cell, int gates, int n_act)
{
	rnn u = {.m = m, .n = n, .gates = gates, .a.cell = cell};
	cop_nid made[2] = {0};
	const char *dir = cop__ox_s(m, n, "direction", "forward");

	if (!dir) return COP_NOMEM;
	COP_TRY(setup(&u, dir));
	COP_TRY(functions(&u, n_act));
	for (int i = 0; i < u.dirs; i++)
		if (!(made[i] = layer(&u, i, i == 1 || !strcmp(dir, "reverse")))) return cop__failed(m->cx);
	if (cop__ox_out(m, n, 1)) COP_TRY(cop__ox_set(m, n, 1, final_state(&u, made, 0), OX_PLAIN, OX_FLOAT));
	if (cop__ox_out(m, n, 2) && gates == 4) COP_TRY(cop__ox_set(m, n, 2, final_state(&u, made, 2), OX_PLAIN, OX_FLOAT));
	return cop__ox_out(m, n, 0) ? cop__ox_set(m, n, 0, all_states(&u, made), OX_PLAIN, OX_FLOAT) : COP_OK;
}

cop_status cop__ox_add_rnn(cop_ox *m, cop_ox_node *n) { return recurrent(m, n, RNN_PLAIN, 1, 1); }

cop_status cop__ox_add_gru(cop_ox *m, cop_ox_node *n)
{
	return recurrent(m, n, cop__ox_i(n, "linear_before_reset", 0) ? RNN_GRU_AFTER : RNN_GRU, 3, 2);
}

cop_status cop__ox_add_lstm(cop_ox *m, cop_ox_node *n) { return recurrent(m, n, RNN_LSTM, 4, 3); }
