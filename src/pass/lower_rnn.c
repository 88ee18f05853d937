/* SPDX-License-Identifier: Apache-2.0
 *
 * lower_rnn - recurrent layers in integers (op/qrnn.c): int8 weights with a scale for each row, int8 input and states, sums in 16 bits
 * with 12 behind the point. What the operator has no form for stays float: initial states, peepholes, other functions, a cell state that is read.
 */
#include "pass/lower.h"

#include <math.h>
#include <stdio.h>

enum { GATE_BITS = 12, CELL_BITS = 11, STATE_BITS = 15, MOST = 127 };
enum { IN_X, IN_W, IN_R, IN_B };

static bool constant(const cop_graph *g, cop_vid v) { return g->value[v].role != COP_STATE && cop__floats(g, v); }

bool cop__rnn_lowers(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_rnn_attr, a, g, n);
	int32_t first = a.cell == RNN_PLAIN ? RNN_TANH : RNN_SIGMOID;

	for (int i = IN_B + 1; i < g->node[n].n_in; i++)
		if (g->node[n].in[i]) return false;
	for (int i = IN_W; i <= IN_B; i++)
		if (cop__arg(g, n, i) && !constant(g, cop__arg(g, n, i))) return false;
	if (g->node[n].guard || cop__res(g, n, 2) || (a.clip > 0 && a.clip < 1 << (15 - GATE_BITS)) || a.act[0] != first) return false;
	return a.cell == RNN_PLAIN || (a.act[1] == RNN_TANH && (a.cell != RNN_LSTM || a.act[2] == RNN_TANH));
}

typedef struct sums { /* one matrix: of the inputs, or of the states */
	const float *w;
	int32_t rows, cols, zero;  /* of what it meets: zero point */
	float scale;               /* and scale */
	int8_t *q;
	int32_t *b, *m, *shift;    /* [rows] */
} sums;

/* Row o and the bias that is added to it. A row of zeros takes a scale that gives its bias 16 bits. */
static void row(const sums *s, int32_t o, float bias)
{
	const float *w = s->w + (size_t)o * (size_t)s->cols;
	int8_t *q = s->q + (size_t)o * (size_t)s->cols;
	float most = 0;
	int32_t sum = 0;

	for (int32_t i = 0; i < s->cols; i++) most = fmaxf(most, fabsf(w[i]));
	float scale = fmaxf(most / MOST, fabsf(bias) / s->scale * (most > 0 ? 0x1p-28f : 0x1p-16f));
	if (!(scale > 0)) scale = 1;
	for (int32_t i = 0; i < s->cols; i++) sum += q[i] = (int8_t)fmaxf(-MOST, fminf(MOST, roundf(w[i] / scale)));
	double unit = (double)s->scale * (double)scale;
	s->b[o] = (int32_t)round((double)bias / unit) - s->zero * sum;
	cop__multiplier_double(&s->m[o], &s->shift[o], ldexp(unit, GATE_BITS));
}

static bool name_of(char name[128], const cop_lower *l, cop_nid n, const char *what)
{
	const char *w = l->z->g->value[cop__arg(l->z->g, n, IN_W)].name;

	snprintf(name, 128, "%.100s.%s", w, what);
	for (int i = 0; cop__find(l->out, name); i++) snprintf(name, 128, "%.100s.%s%d", w, what, i);
	return true;
}

static cop_vid put(cop_lower *l, cop_nid n, const char *what, const cop_type *t, const void *data)
{
	char name[128];
	name_of(name, l, n, what);
	return cop__data(l->out, COP_CONST, name, t, data);
}

/* The four constants; in[0] is x. */
static bool constants(cop_lower *l, cop_nid n, cop_vid in[5])
{
	const cop_graph *g = l->z->g;
	const cop_qrange *rx = &l->z->act[cop__arg(g, n, IN_X)], *ry = &l->z->act[cop__res(g, n, 0)];
	const cop_type *w = cop__in(g, n, IN_W), *r = cop__in(g, n, IN_R);
	const float *bias = cop__floats(g, cop__arg(g, n, IN_B));
	int32_t rows = w->dim[0], units = r->dim[1];
	bool after = g->node[n].attr[0] == RNN_GRU_AFTER;
	int32_t *b = cop__arena_get(&l->out->mem, 24 * (size_t)rows), *m = b + 2 * rows;
	int8_t *q = cop__arena_get(&l->out->mem, (size_t)rows * (size_t)(w->dim[1] + units));
	cop_type qt[] = {*w, *r}, bt = cop__type(COP_I32, 1, DIMS(2 * rows)), mt = cop__type(COP_I32, 2, DIMS(2, 2 * rows));

	if (!b || !q) return false;
	const sums x = {cop__floats(g, cop__arg(g, n, IN_W)), rows, w->dim[1], rx->zero, rx->scale, q, b, m, m + 2 * rows};
	const sums h = {cop__floats(g, cop__arg(g, n, IN_R)), rows, units, ry->zero, ry->scale,
		q + (size_t)rows * (size_t)w->dim[1], b + rows, m + rows, m + 3 * rows};
	for (int32_t o = 0; o < rows; o++) {
		row(&x, o, bias ? bias[o] : 0);
		row(&h, o, after && bias && o >= 2 * units ? bias[o + units] : 0);
	}
	qt[0].dtype = qt[1].dtype = COP_I8;
	in[1] = put(l, n, "w8", &qt[0], x.q), in[2] = put(l, n, "r8", &qt[1], h.q);
	in[3] = put(l, n, "b", &bt, b), in[4] = put(l, n, "m", &mt, m);
	return in[1] && in[2] && in[3] && in[4];
}

cop_vid cop__lower_rnn(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *ry = &l->z->act[cop__res(g, n, 0)];
	COP_ATTR(cop_rnn_attr, a, g, n);
	cop_qrnn_attr q = {.cell = a.cell, .reverse = a.reverse, .time_first = a.time_first,
		.point = a.cell == RNN_LSTM ? CELL_BITS : STATE_BITS, .zero = ry->zero, .start = ry->zero};
	cop_vid in[5] = {cop__as_integer(l, cop__arg(g, n, IN_X))};

	if (a.cell == RNN_LSTM && a.cell_clip > 0) q.clip = (int32_t)fminf(fmaxf(roundf(ldexpf(a.cell_clip, q.point)), 1), INT16_MAX);
	cop__multiplier_double(&q.mult, &q.shift, ldexp(1 / (double)ry->scale, a.cell == RNN_LSTM ? -2 * STATE_BITS : -STATE_BITS));
	cop_nid made = in[0] && constants(l, n, in) ? cop__node(l->out, OP_qrnn, &q, LEN(in), in) : 0;
	if (made && cop__res(g, n, 1)) l->q[cop__res(g, n, 1)] = cop__want_out(l->out, made, 1);
	return made ? cop__res(l->out, made, 0) : 0;
}
