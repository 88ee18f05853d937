/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_rnn - LSTM, GRU and RNN, unrolled: one group of nodes a step, with shared weights. The part of all gates that comes
 * from the inputs is one product for all steps. With d directions, h hidden units and g gates:
 *
 *   X [steps,batch,in]   W [d,g h,in]   R [d,g h,h]   B [d,2 g h]   initial_h, initial_c [d,batch,h]   P [d,3 h]
 *   Y [steps,d,batch,h]  Y_h, Y_c [d,batch,h];   layout 1 puts the batch first everywhere
 *
 * Weights must be known: they are cut by direction while reading.
 */
#include "io/onnx.h"

enum { MOST_STEPS = 2048 };

typedef struct rnn {
	cop_ox *m;
	const cop_ox_node *n;
	int32_t steps, batch, in, h, gates, dirs;
	bool batch_first, linear_before_reset;
	const char *act[6];      /* f, g, h of each direction */
	int n_act;               /* of one direction */
	float clip;
	cop_vid x;               /* [steps,batch,in] */
	cop_vid w, r, wb, rb, p[3]; /* of the direction being unrolled: [g h,in], [g h,h], [g h], [g h]; peepholes [h] */
	cop_vid *y;              /* [steps * dirs] each [batch,h] */
} rnn;

static cop_vid activation(rnn *u, int i, int dir, cop_vid x)
{
	cop_ox *m = u->m;
	const char *name = u->act[dir * u->n_act + i];

	if (!x) return 0;
	if (u->clip > 0) x = cop__ox_clip(m, x, -u->clip, u->clip);
	if (!strcmp(name, "Sigmoid")) return cop__apply(m->g, OP_sigmoid, NULL, VIDS(x));
	if (!strcmp(name, "Tanh")) return cop__apply(m->g, OP_tanh, NULL, VIDS(x));
	if (!strcmp(name, "Relu")) return cop__ox_clip(m, x, 0, COP_NO_HI);
	if (!strcmp(name, "HardSigmoid")) return cop__ox_map(m, MAP_HARDSIGMOID, 0.2f, 0.5f, x);
	if (!strcmp(name, "Softsign")) return cop__ox_map(m, MAP_SOFTSIGN, 0, 0, x);
	if (!strcmp(name, "Softplus")) return cop__ox_map(m, MAP_SOFTPLUS, 0, 0, x);
	cop__ox_fail(m, u->n, "activation '%s' is not supported; Sigmoid, Tanh, Relu, HardSigmoid, Softsign and Softplus are", name);
	return 0;
}

static cop_vid add(rnn *u, cop_vid a, cop_vid b) { return b ? cop__ox_two(u->m, OP_add, a, b) : a; }
static cop_vid mul(rnn *u, cop_vid a, cop_vid b) { return cop__ox_two(u->m, OP_mul, a, b); }

static cop_vid product(rnn *u, cop_vid x, cop_vid w, cop_vid b)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	return x && w ? cop__apply(u->m->g, OP_fc, &none, b ? 3 : 2, (const cop_vid[]){x, w, b}) : 0;
}

/* Gate k of [batch, gates h]. */
static cop_vid gate(rnn *u, cop_vid all, int k) { return u->gates == 1 ? all : cop__ox_slice(u->m, all, 1, k * u->h, u->h, 1); }

/* One step each: x is the input's part of all gates, h and c the state, which is replaced. */
static void step_rnn(rnn *u, int dir, cop_vid x, cop_vid *h) { *h = activation(u, 0, dir, add(u, x, product(u, *h, u->r, u->rb))); }

static void step_lstm(rnn *u, int dir, cop_vid x, cop_vid *h, cop_vid *c) /* gates: i o f c */
{
	cop_vid all = add(u, x, product(u, *h, u->r, u->rb)), i = gate(u, all, 0), f = gate(u, all, 2), o = gate(u, all, 1);

	if (u->p[0]) i = add(u, i, mul(u, *c, u->p[0])), f = add(u, f, mul(u, *c, u->p[2]));
	i = activation(u, 0, dir, i);
	f = activation(u, 0, dir, f);
	*c = add(u, mul(u, f, *c), mul(u, i, activation(u, 1, dir, gate(u, all, 3))));
	if (u->p[0]) o = add(u, o, mul(u, *c, u->p[1]));
	*h = mul(u, activation(u, 0, dir, o), activation(u, 2, dir, *c));
}

static void step_gru(rnn *u, int dir, cop_vid x, cop_vid *h) /* gates: z r h */
{
	cop_ox *m = u->m;
	int32_t n = u->h;
	cop_vid zr, hh;

	if (u->linear_before_reset) {
		cop_vid all = product(u, *h, u->r, u->rb);
		zr = activation(u, 0, dir, add(u, cop__ox_slice(m, x, 1, 0, 2 * n, 1), cop__ox_slice(m, all, 1, 0, 2 * n, 1)));
		hh = mul(u, cop__ox_slice(m, zr, 1, n, n, 1), gate(u, all, 2));
	} else {
		cop_vid r_zr = cop__ox_slice(m, u->r, 0, 0, 2 * n, 1), r_h = cop__ox_slice(m, u->r, 0, 2 * n, n, 1);
		cop_vid b_zr = u->rb ? cop__ox_slice(m, u->rb, 0, 0, 2 * n, 1) : 0, b_h = u->rb ? cop__ox_slice(m, u->rb, 0, 2 * n, n, 1) : 0;
		zr = activation(u, 0, dir, add(u, cop__ox_slice(m, x, 1, 0, 2 * n, 1), product(u, *h, r_zr, b_zr)));
		hh = product(u, mul(u, cop__ox_slice(m, zr, 1, n, n, 1), *h), r_h, b_h);
	}
	cop_vid z = cop__ox_slice(m, zr, 1, 0, n, 1), next = activation(u, 1, dir, add(u, gate(u, x, 2), hh));
	*h = add(u, next, mul(u, z, cop__ox_two(m, OP_sub, *h, next))); /* (1 - z) next + z h */
}

/* ---- weights ---- */

/* Slice `dir` of known input i as a parameter: entries [from, from+count) of each direction's `whole`. 0: absent. */
static cop_vid part(rnn *u, int i, int dir, int32_t from, int32_t rows, int32_t cols, int32_t whole, const char *what)
{
	cop_ox *m = u->m;
	cop_ox_value *v = cop__ox_in(m, u->n, i);
	char name[128];

	if (!v || m->cx->code) return 0;
	if (!v->data) return cop__ox_fail(m, u->n, "input %d, a weight, must be known when the model is read", i), 0;
	if (!cop__ox_is_float(v->type) || cop__ox_count(v) != (int64_t)u->dirs * whole) return cop__ox_fail(m, u->n, "input %d has %lld entries, %lld are expected", i, (long long)cop__ox_count(v), (long long)u->dirs * whole), 0;
	size_t k = 0;
	for (; v->name[k] && k < 80; k++) name[k] = v->name[k];
	memcpy(name + k, what, strlen(what) + 1);
	cop_type t = cop__type(COP_F32, cols ? 2 : 1, DIMS(rows, COP_MAX(cols, 1)));
	return cop__ox_const(m, name, COP_PARAM, &t, (const float *)v->data + (int64_t)dir * whole + from);
}

static void weights(rnn *u, int dir)
{
	int32_t g = u->gates * u->h, h = u->h;
	static const char *const end[2][7] = {{".w", ".r", ".wb", ".rb", ".pi", ".po", ".pf"}, {".w.back", ".r.back", ".wb.back", ".rb.back", ".pi.back", ".po.back", ".pf.back"}};

	u->w = part(u, 1, dir, 0, g, u->in, g * u->in, end[dir][0]);
	u->r = part(u, 2, dir, 0, g, h, g * h, end[dir][1]);
	u->wb = part(u, 3, dir, 0, g, 0, 2 * g, end[dir][2]);
	u->rb = part(u, 3, dir, g, g, 0, 2 * g, end[dir][3]);
	for (int i = 0; i < 3; i++) u->p[i] = u->gates == 4 ? part(u, 7, dir, i * h, h, 0, 3 * h, end[dir][4 + i]) : 0;
}

/* Initial state `i` of a direction, [batch,h]; zeros when absent. */
static cop_vid initial(rnn *u, int i, int dir)
{
	cop_ox *m = u->m;
	cop_ox_value *v = cop__ox_in(m, u->n, i);
	cop_type t = cop__type(COP_F32, 2, DIMS(u->batch, u->h));

	if (!v) { /* of the input, so that it follows another batch */
		cop_vid row = cop__ox_slice(m, cop__ox_slice(m, u->x, 0, 0, 1, 1), 2, 0, 1, 1);
		if (u->batch == 1) return cop__ox_const(m, "zeros", COP_CONST, &t, NULL);
		row = cop__ox_two_f(m, OP_mul, cop__ox_reshape(m, row, 2, DIMS(u->batch, 1)), 0);
		return cop__ox_expand(m, row, 2, t.dim);
	}
	if (v->rank != 3 || cop__ox_count(v) != (int64_t)u->dirs * u->batch * u->h) return cop__ox_fail(m, u->n, "input %d, an initial state, has the wrong shape", i), 0;
	cop_vid all = cop__ox_as(m, v, OX_PLAIN);
	return cop__ox_reshape(m, cop__ox_slice(m, all, u->batch_first, dir, 1, 1), 2, t.dim);
}

/* ---- unrolling ---- */

static void unroll(rnn *u, int dir, bool backwards, cop_vid *h, cop_vid *c)
{
	cop_ox *m = u->m;
	int32_t g = u->gates * u->h;

	weights(u, dir);
	*h = initial(u, 5, dir);
	*c = u->gates == 4 ? initial(u, 6, dir) : 0;
	cop_vid flat = cop__ox_reshape(m, u->x, 2, DIMS(u->steps * u->batch, u->in));
	cop_vid all = cop__ox_reshape(m, product(u, flat, u->w, u->wb), 3, DIMS(u->steps, u->batch, g));
	for (int32_t k = 0; k < u->steps && !m->cx->code; k++) {
		int32_t t = backwards ? u->steps - 1 - k : k;
		cop_vid x = cop__ox_reshape(m, cop__ox_slice(m, all, 0, t, 1, 1), 2, DIMS(u->batch, g));
		if (u->gates == 4) step_lstm(u, dir, x, h, c);
		else if (u->gates == 3) step_gru(u, dir, x, h);
		else step_rnn(u, dir, x, h);
		u->y[t * u->dirs + dir] = *h;
	}
}

/* [batch,h] of each direction as [d,batch,h], or [batch,d,h]. */
static cop_vid final_state(rnn *u, const cop_vid *v)
{
	cop_vid part_of[2];
	int32_t b = u->batch, h = u->h;

	for (int i = 0; i < u->dirs; i++) part_of[i] = cop__ox_reshape(u->m, v[i], 3, u->batch_first ? DIMS(b, 1, h) : DIMS(1, b, h));
	return cop__ox_concat(u->m, u->batch_first, u->dirs, part_of);
}

/* All steps as [steps,d,batch,h], or [batch,steps,d,h]. */
static cop_vid all_states(rnn *u)
{
	int32_t b = u->batch, h = u->h, count = u->steps * u->dirs;

	for (int32_t i = 0; i < count; i++) u->y[i] = cop__ox_reshape(u->m, u->y[i], 3, u->batch_first ? DIMS(b, 1, h) : DIMS(1, b, h));
	cop_vid all = cop__ox_concat(u->m, u->batch_first, count, u->y);
	return cop__ox_reshape(u->m, all, 4, u->batch_first ? DIMS(b, u->steps, u->dirs, h) : DIMS(u->steps, u->dirs, b, h));
}

static cop_status setup(rnn *u, const char *const *defaults)
{
	cop_ox *m = u->m;
	const cop_ox_node *n = u->n;
	cop_ox_value *x = cop__ox_in(m, n, 0), *w = cop__ox_in(m, n, 1), *lens = cop__ox_in(m, n, 4);
	const char *dir = cop__ox_s(m, n, "direction", "forward");

	if (!dir) return COP_NOMEM;
	u->dirs = strcmp(dir, "bidirectional") ? 1 : 2;
	u->batch_first = cop__ox_i(n, "layout", 0) != 0;
	u->linear_before_reset = cop__ox_i(n, "linear_before_reset", 0) != 0;
	u->clip = cop__ox_f(n, "clip", 0);
	if (cop__ox_i(n, "input_forget", 0)) return cop__ox_fail(m, n, "input_forget=1 is not supported");
	if (cop__ox_has(n, "activation_alpha") || cop__ox_has(n, "activation_beta")) return cop__ox_fail(m, n, "activation_alpha and activation_beta are not supported");
	if (x->rank != 3 || w->rank != 3 || w->dim[0] != u->dirs || w->dim[1] % u->gates || w->dim[2] != x->dim[2]) return cop__ox_fail(m, n, "input and weight have the wrong shapes");
	u->steps = x->dim[u->batch_first];
	u->batch = x->dim[!u->batch_first];
	u->in = x->dim[2];
	u->h = w->dim[1] / u->gates;
	if (u->steps > MOST_STEPS || !u->h) return cop__ox_fail(m, n, "%d steps of %d units; 1 to %d steps are unrolled", u->steps, u->h, MOST_STEPS);
	const int64_t *len = lens ? lens->data : NULL;
	for (int64_t i = 0; len && i < cop__ox_count(lens); i++)
		if (len[i] != u->steps) return cop__ox_fail(m, n, "sequence_lens below the whole length are not supported");
	int got = cop__ox_strings(m, n, "activations", u->act, 6);
	if (m->cx->code || (got >= 0 && got != u->dirs * u->n_act)) return cop__ox_fail(m, n, "%d activations, %d are expected", got, u->dirs * u->n_act);
	for (int i = 0; got < 0 && i < u->dirs * u->n_act; i++) u->act[i] = defaults[i % u->n_act];
	u->x = cop__ox_float(m, n, 0, OX_PLAIN);
	if (u->batch_first) u->x = cop__ox_transpose(m, u->x, DIMS(1, 0, 2));
	u->y = cop__ox_room(m, sizeof *u->y * (size_t)u->steps * (size_t)u->dirs);
	return u->x && u->y ? COP_OK : m->cx->code;
}

static cop_status recurrent(cop_ox *m, cop_ox_node *n, int gates, int n_act, const char *const *defaults)
{
	rnn u = {.m = m, .n = n, .gates = gates, .n_act = n_act};
	cop_vid h[2] = {0}, c[2] = {0};
	const char *dir = cop__ox_s(m, n, "direction", "forward");

	COP_TRY(setup(&u, defaults));
	for (int i = 0; i < u.dirs && !m->cx->code; i++) unroll(&u, i, i == 1 || !strcmp(dir, "reverse"), &h[i], &c[i]);
	if (m->cx->code) return m->cx->code;
	if (cop__ox_out(m, n, 1)) COP_TRY(cop__ox_set(m, n, 1, final_state(&u, h), OX_PLAIN, OX_FLOAT));
	if (cop__ox_out(m, n, 2) && gates == 4) COP_TRY(cop__ox_set(m, n, 2, final_state(&u, c), OX_PLAIN, OX_FLOAT));
	return cop__ox_out(m, n, 0) ? cop__ox_set(m, n, 0, all_states(&u), OX_PLAIN, OX_FLOAT) : COP_OK;
}

cop_status cop__ox_add_rnn(cop_ox *m, cop_ox_node *n) { return recurrent(m, n, 1, 1, (const char *const[]){"Tanh"}); }
cop_status cop__ox_add_gru(cop_ox *m, cop_ox_node *n) { return recurrent(m, n, 3, 2, (const char *const[]){"Sigmoid", "Tanh"}); }
cop_status cop__ox_add_lstm(cop_ox *m, cop_ox_node *n) { return recurrent(m, n, 4, 3, (const char *const[]){"Sigmoid", "Tanh", "Tanh"}); }
