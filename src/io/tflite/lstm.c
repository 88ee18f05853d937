/* SPDX-License-Identifier: Apache-2.0
 *
 * lstm - the LSTM over a sequence whose h is projected, which is what the next step gets: written out step by step, as the operator
 * has no projection. Others: rnn.c. The input's part of all gates of all steps is one product;
 * a step adds the recurrent part, h W'. Gates lie in the order input, forget, output, cell: three sigmoids are one call.
 * The state is zero when a sequence begins (TFLite keeps it from run to run until it is reset).
 */
#include "io/tflite/tflite.h"

enum { MOST_STEPS = 1024 };
static const int order[4] = {0, 1, 3, 2}; /* of the file's input, forget, cell, output */
static const cop_act_attr open_act = {COP_NO_LO, COP_NO_HI};

/* Four matrices (or biases) one under the other. */
static cop_vid stack(cop_tfl *m, const cop_tfl_node *n, int first, const char *what, int32_t units, int32_t cols)
{
	cop_type t = cols ? cop__type(COP_F32, 2, DIMS(4 * units, cols)) : cop__type(COP_F32, 1, DIMS(4 * units));
	size_t part = cop_type_bytes(&t) / 4;
	char *out = cop__tfl_room(m, 4 * part);

	if (!out) return 0;
	for (int g = 0; g < 4; g++) {
		cop_tfl_tensor *w = cop__tfl_in(m, n, first + order[g]);
		const void *data = w && cop__tfl_is(w, COP_F32) ? cop__tfl_data(m, w) : NULL;
		if (!data || cop_type_bytes(&w->type) != part) {
			if (!m->cx->code) cop__tfl_fail(m, n, "input %d must hold %dx%d constant floats", first + order[g], units, COP_MAX(cols, 1));
			return 0;
		}
		memcpy(out + (size_t)g * part, data, part);
	}
	return cop__tfl_weight(m, n, COP_PARAM, what, &t, out);
}

static cop_vid part(cop_graph *g, cop_vid v, int axis, int32_t from, int32_t size)
{
	cop_slice_attr s = {0};
	s.from[axis] = from;
	s.size[axis] = size;
	return cop__apply(g, OP_slice, &s, VIDS(v));
}

typedef struct cell { cop_vid wh, wp, bp, h, c; int32_t units; cop_act_attr clip, clip_out; } cell;

/* One step from the input's part of the gates [n,4u]. */
static void step(cop_graph *g, cell *s, cop_vid gates)
{
	int32_t u = s->units;

	if (s->h) gates = cop__apply(g, OP_add, &open_act, VIDS(gates, cop__apply(g, OP_fc, &open_act, VIDS(s->h, s->wh))));
	cop_vid open = cop__apply(g, OP_sigmoid, NULL, VIDS(part(g, gates, 1, 0, 3 * u))), fresh = cop__apply(g, OP_tanh, NULL, VIDS(part(g, gates, 1, 3 * u, u)));
	cop_vid c = cop__apply(g, OP_mul, &open_act, VIDS(part(g, open, 1, 0, u), fresh));
	if (s->c) c = cop__apply(g, OP_add, &open_act, VIDS(cop__apply(g, OP_mul, &open_act, VIDS(part(g, open, 1, u, u), s->c)), c));
	if (s->clip.hi != COP_NO_HI) c = cop__apply(g, OP_clip, &s->clip, VIDS(c));
	cop_vid h = cop__apply(g, OP_mul, &open_act, VIDS(part(g, open, 1, 2 * u, u), cop__apply(g, OP_tanh, NULL, VIDS(c))));
	if (s->wp) h = cop__apply(g, OP_fc, &s->clip_out, s->bp ? 3 : 2, (const cop_vid[]){h, s->wp, s->bp});
	s->c = c;
	s->h = h;
}

static cop_act_attr clip_of(float by)
{
	return by > 0 ? (cop_act_attr){-by, by} : open_act;
}

static cop_vid turned(cop_graph *g, cop_vid v, bool turn)
{
	return turn ? cop__apply(g, OP_transpose, &(cop_shape_attr){3, {1, 0, 2}}, VIDS(v)) : v;
}

/* The results of all steps, [n,steps,out]. */
static cop_vid join_steps(cop_graph *g, cop_vid *h, int32_t steps, int32_t out)
{
	for (int32_t i = 0; i < steps; i++) h[i] = cop__tfl_as(g, h[i], 3, DIMS(-1, 1, out));
	while (steps > 1) {
		int32_t made = 0;
		for (int32_t i = 0; i < steps; i += COP_MAX_IN) {
			int k = COP_MIN((int)COP_MAX_IN, steps - i);
			h[made++] = k > 1 ? cop__apply(g, OP_concat, &(cop_concat_attr){1}, k, h + i) : h[i];
		}
		steps = made;
	}
	return h[0];
}

cop_status cop__tfl_projected_lstm(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	if (cop__t(m->g, x)->rank != 3 || !cop__tfl_is(cop__tfl_in(m, n, 0), COP_F32)) return cop__tfl_fail(m, n, "the input must be floats of three dimensions");
	if (cop__tfl_in(m, n, LSTM_IN_PEEPHOLE)) return cop__tfl_fail(m, n, "peepholes beside a projection are not supported");
	bool turn = cop__fb_int(&n->options, LSTM_TIME_MAJOR, 1, 0);
	if (!(x = turned(m->g, x, turn))) return m->cx->code;
	int32_t steps = cop__t(m->g, x)->dim[1], cols = cop__t(m->g, x)->dim[2], units = cop__tfl_in(m, n, LSTM_IN_WX)->type.dim[0], out = units;
	cop_tfl_tensor *wp = cop__tfl_in(m, n, LSTM_IN_PROJECTION), *bp = cop__tfl_in(m, n, LSTM_IN_PROJECTION_BIAS);
	cell s = {.units = units, .clip = clip_of(cop__fb_float(&n->options, LSTM_CELL_CLIP, 0)), .clip_out = clip_of(cop__fb_float(&n->options, LSTM_PROJ_CLIP, 0))};
	if (steps > MOST_STEPS || units < 1 || units > 1 << 20)
		return cop__tfl_fail(m, n, "%d steps of %d units, at most %d steps are supported", steps, units, MOST_STEPS);
	if (wp) {
		out = wp->type.dim[0];
		if (!(s.wp = cop__tfl_value(m, n, LSTM_IN_PROJECTION)) || (bp && !(s.bp = cop__tfl_value(m, n, LSTM_IN_PROJECTION_BIAS)))) return m->cx->code;
	}
	cop_vid wx = stack(m, n, LSTM_IN_WX, "wx", units, cols), b = wx ? stack(m, n, LSTM_IN_BIAS, "b", units, 0) : 0,
		*h = cop__tfl_room(m, sizeof *h * (size_t)steps);
	if (!b || !h || out < 1 || !(s.wh = stack(m, n, LSTM_IN_WH, "wh", units, out))) return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "has no units");
	cop_vid rows = cop__apply(m->g, OP_fc, &open_act, VIDS(cop__tfl_as(m->g, x, 2, DIMS(-1, cols)), wx, b));
	cop_vid gates = rows ? cop__tfl_as(m->g, rows, 3, DIMS(-1, steps, 4 * units)) : 0;
	for (int32_t t = 0; gates && t < steps; t++) {
		cop_vid one = part(m->g, gates, 1, t, 1);
		if (!one) break;
		step(m->g, &s, cop__tfl_as(m->g, one, 2, DIMS(-1, 4 * units)));
		if (!(h[t] = s.h)) break;
	}
	if (m->cx->code || !gates) return cop__failed(m->cx);
	return cop__tfl_set(m, n, 0, turned(m->g, join_steps(m->g, h, steps, out), turn));
}
