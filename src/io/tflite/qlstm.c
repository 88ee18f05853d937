/* SPDX-License-Identifier: Apache-2.0
 *
 * qlstm - the int8 LSTM over a sequence: int8 weights, gates and cell state of 16 bits, one qrnn. Gates have 12 bits behind
 * the point; TFLite's own scales of the four sums follow from that (lstm_eval, 8x8_16). Factors are products and quotients of
 * floats, as there. h is made in the scale of the fifth intermediate tensor.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <math.h>

enum { GATE_BITS = 12, Q15 = 30 }; /* a product of two Q0 numbers of 16 bits has 30 bits behind the point */

typedef struct lstm {
	float x, h;         /* scales of input and state */
	int32_t zero, h_zero; /* zero points of input and state */
	int32_t units, cols;
	int32_t *b, *m;     /* [8u], [2,8] */
} lstm;

/* Four int8 matrices one under the other, the multipliers of their sums, and what the zero point of what they meet adds. */
static cop_vid stack(cop_tfl *m, const cop_tfl_node *n, const lstm *l, bool of_state)
{
	int32_t first = of_state ? LSTM_IN_WH : LSTM_IN_WX, cols = of_state ? l->units : l->cols, each = l->units * cols, none;
	cop_type t = cop__type(COP_I8, 2, DIMS(4 * l->units, cols));
	int8_t *out = cop__tfl_room(m, 4 * (size_t)each);
	float scale;

	for (int32_t g = 0; out && g < 4; g++) {
		cop_tfl_tensor *w = cop__tfl_in(m, n, first + g);
		const int8_t *data = w && cop__tfl_is(w, COP_I8) ? cop__tfl_data(m, w) : NULL;
		if (!data || w->type.rank != 2 || w->type.dim[0] != l->units || w->type.dim[1] != cols) {
			if (!m->cx->code) cop__tfl_fail(m, n, "input %d must hold %dx%d constant int8 numbers", first + g, l->units, cols);
			return 0;
		}
		if (cop__tfl_scale(m, n, w, &scale, &none)) return 0;
		if (none) return cop__tfl_fail(m, n, "weights '%s' must have zero point 0", w->name), 0;
		cop__multiplier_double(&l->m[4 * of_state + g], &l->m[8 + 4 * of_state + g], (double)(scale * (of_state ? l->h : l->x)) * (1 << GATE_BITS));
		memcpy(out + (size_t)g * (size_t)each, data, (size_t)each);
		for (int32_t i = 0; i < each; i++) l->b[(4 * of_state + g) * l->units + i / cols] -= (of_state ? l->h_zero : l->zero) * data[i];
	}
	return out ? cop__tfl_weight(m, n, COP_CONST, of_state ? "wh" : "wx", &t, out) : 0;
}

static cop_status add_biases(cop_tfl *m, const cop_tfl_node *n, const lstm *l)
{
	for (int32_t g = 0; g < 4; g++) {
		cop_tfl_tensor *b = cop__tfl_in(m, n, LSTM_IN_BIAS + g);
		const int32_t *data = b && cop__tfl_is(b, COP_I32) ? cop__tfl_data(m, b) : NULL;
		if (!data || cop_type_count(&b->type) != l->units)
			return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "input %d must hold %d constant int32 numbers", LSTM_IN_BIAS + g, l->units);
		for (int32_t u = 0; u < l->units; u++) l->b[g * l->units + u] = cop_wrap_add(l->b[g * l->units + u], data[u]);
	}
	return COP_OK;
}

/* Scales of the states; the cell's is a power of two. */
static cop_status states(cop_tfl *m, const cop_tfl_node *n, lstm *l, cop_qrnn_attr *a)
{
	cop_tfl_tensor *h = cop__tfl_in(m, n, LSTM_IN_H), *c = cop__tfl_in(m, n, LSTM_IN_C), *made = cop__tfl_mid(m, n, LSTM_MID_HIDDEN);
	float before;
	int exponent;

	if (!h || !c) return cop__tfl_fail(m, n, "needs the tensors of its states, inputs %d and %d", LSTM_IN_H, LSTM_IN_C);
	COP_TRY(cop__tfl_scale(m, n, h, &l->h, &l->h_zero));
	if (!cop__tfl_is(h, COP_I8)) return cop__tfl_fail(m, n, "the output state '%s' must be int8", h->name);
	float scale = c->file_type == TFL_INT16 && c->scales.n == 1 ? cop__fb_vec_f32(&c->scales, 0) : 0;
	if (!(scale > 0) || frexpf(scale, &exponent) != 0.5f || exponent > -10 || exponent < -14)
		return cop__tfl_fail(m, n, "the cell state '%s' must be int16 with a scale of 2^-15 to 2^-11", c->name);
	float clip = cop__fb_float(&n->options, LSTM_CELL_CLIP, 0) / scale;
	*a = (cop_qrnn_attr){.point = 1 - exponent, .clip = clip > 0 ? (int32_t)fminf(clip, 32767) : 0, .start = l->h_zero, .exact = 1};
	if (!made) return cop__tfl_fail(m, n, "needs intermediate tensor %d, whose scale is that of h", LSTM_MID_HIDDEN);
	COP_TRY(cop__tfl_scale(m, n, made, &before, &a->zero));
	cop__multiplier_double(&a->mult, &a->shift, ldexp((double)(1 / before), -Q15));
	return COP_OK;
}

cop_status cop__tfl_int_lstm(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);
	lstm l = {.units = cop__tfl_in(m, n, LSTM_IN_WX)->type.dim[0], .cols = x ? cop__t(m->g, x)->dim[2] : 0};
	cop_qrnn_attr a;

	if (!x) return m->cx->code;
	if (cop__t(m->g, x)->rank != 3) return cop__tfl_fail(m, n, "the input must have three dimensions");
	if (cop__tfl_in(m, n, LSTM_IN_PROJECTION) || cop__tfl_in(m, n, LSTM_IN_PEEPHOLE))
		return cop__tfl_fail(m, n, "a projection and peepholes are not supported in int8");
	if (l.units < 1 || l.units > 1 << 14 || l.cols > 1 << 14) return cop__tfl_fail(m, n, "%d units of %d inputs, at most 16384 are supported", l.units, l.cols);
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &l.x, &l.zero));
	COP_TRY(states(m, n, &l, &a));
	a.time_first = cop__fb_int(&n->options, LSTM_TIME_MAJOR, 1, 0) != 0;
	cop_type bt = cop__type(COP_I32, 1, DIMS(8 * l.units)), mt = cop__type(COP_I32, 2, DIMS(2, 8));
	l.b = cop__tfl_room(m, cop_type_bytes(&bt)), l.m = cop__tfl_room(m, cop_type_bytes(&mt));
	if (!l.b || !l.m) return m->cx->code;
	memset(l.b, 0, cop_type_bytes(&bt));
	cop_vid wx = stack(m, n, &l, false), wh = wx ? stack(m, n, &l, true) : 0;
	if (!wh) return m->cx->code;
	COP_TRY(add_biases(m, n, &l));
	cop_vid b = cop__tfl_weight(m, n, COP_CONST, "b", &bt, l.b), mult = b ? cop__tfl_weight(m, n, COP_CONST, "m", &mt, l.m) : 0;
	cop_nid made = mult ? cop__node(m->g, OP_qrnn, &a, VIDS(x, wx, wh, b, mult)) : 0;
	return made ? cop__tfl_set(m, n, 0, cop__want_out(m->g, made, 1)) : m->cx->code;
}
