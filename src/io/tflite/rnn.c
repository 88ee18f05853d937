/* SPDX-License-Identifier: Apache-2.0
 *
 * rnn - recurrent layers over a sequence, in floats, one operator for each direction. TFLite has a matrix for each gate
 * (input, forget, cell, output, which is our order too); they are put one under the other. The state is zero when a sequence
 * begins (TFLite keeps it from run to run until it is reset).
 */
#include "io/tflite/tflite.h"

/* Where a direction finds its operands. -1: there are none. */
typedef struct place { int32_t w, r, peephole, bias, projection; const char *name[4]; } place;

/* `gates` constant matrices (or, cols 0, vectors) one under the other. */
static cop_vid stack(cop_tfl *m, const cop_tfl_node *n, int first, int gates, const char *what, int32_t units, int32_t cols)
{
	cop_type t = cols ? cop__type(COP_F32, 2, DIMS(gates * units, cols)) : cop__type(COP_F32, 1, DIMS(gates * units));
	size_t part = cop_type_bytes(&t) / (size_t)gates;
	char *out = cop__tfl_room(m, (size_t)gates * part);

	if (!out) return 0;
	for (int g = 0; g < gates; g++) {
		cop_tfl_tensor *w = cop__tfl_in(m, n, first + g);
		const void *data = w && cop__tfl_is(w, COP_F32) ? cop__tfl_data(m, w) : NULL;
		if (!data || cop_type_bytes(&w->type) != part) {
			if (!m->cx->code) cop__tfl_fail(m, n, "input %d must hold %dx%d constant floats", first + g, units, COP_MAX(cols, 1));
			return 0;
		}
		memcpy(out + (size_t)g * part, data, part);
	}
	return cop__tfl_weight(m, n, COP_PARAM, what, &t, out);
}

/* All states of one direction; 0 after recording a failure. */
static cop_vid layer(cop_tfl *m, const cop_tfl_node *n, cop_vid x, const cop_rnn_attr *a, const place *p)
{
	int gates = a->cell == RNN_LSTM ? 4 : 1;
	cop_tfl_tensor *first = cop__tfl_in(m, n, p->w);

	if (!first) return cop__tfl_fail(m, n, "a coupled input gate is not supported"), 0;
	if (cop__t(m->g, x)->rank != 3 || first->type.rank != 2 || first->type.dim[0] < 1 || first->type.dim[0] > 1 << 20)
		return cop__tfl_fail(m, n, "input and weights have the wrong shapes"), 0;
	int32_t units = first->type.dim[0];
	cop_vid w = stack(m, n, p->w, gates, p->name[0], units, cop__t(m->g, x)->dim[2]), r = w ? stack(m, n, p->r, gates, p->name[1], units, units) : 0;
	cop_vid b = r ? stack(m, n, p->bias, gates, p->name[2], units, 0) : 0, peep = 0;
	if (b && p->peephole >= 0 && cop__tfl_in(m, n, p->peephole)) peep = stack(m, n, p->peephole, 3, p->name[3], units, 0);
	if (!b || m->cx->code) return 0;
	cop_nid made = cop__node(m->g, OP_rnn, a, VIDS(x, w, r, b, 0, 0, peep));
	return made ? cop__want_out(m->g, made, 1) : 0;
}

/* Input 0, with what all these operators ask of it. */
static cop_vid sequence(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return 0;
	if (cop__t(m->g, x)->rank != 3) return cop__tfl_fail(m, n, "the input must have three dimensions"), 0;
	if (!cop__tfl_is(cop__tfl_in(m, n, 0), COP_F32)) return cop__tfl_fail(m, n, "is supported for floats only"), 0;
	return x;
}

static cop_status check_lstm(cop_tfl *m, const cop_tfl_node *n, int from, int to)
{
	for (int i = from; i < to; i++)
		if (cop__tfl_in(m, n, i))
			return cop__tfl_fail(m, n,
				"input %d is not supported: no projection in two directions, auxiliary input or layer normalisation is", i);
	if (cop__fb_int(&n->options, LSTM_ACT, 1, ACT_NONE) != ACT_TANH) return cop__tfl_fail(m, n, "the activation must be tanh");
	return COP_OK;
}

static const place lstm_forth = {LSTM_IN_WX, LSTM_IN_WH, LSTM_IN_PEEPHOLE, LSTM_IN_BIAS, LSTM_IN_PROJECTION, {"wx", "wh", "b", "p"}};
static const place lstm_back = {BILSTM_IN_BACK, BILSTM_IN_BACK + 4, BILSTM_IN_BACK + 8, BILSTM_IN_BACK + 11,
	BILSTM_IN_BACK + 15, {"wx.back", "wh.back", "b.back", "p.back"}};
static const place rnn_forth = {1, 2, -1, 3, -1, {"wx", "wh", "b", ""}}, rnn_back = {5, 6, -1, 7, -1, {"wx.back", "wh.back", "b.back", ""}};

/* usual: what the schema says where the file leaves it out. */
static cop_rnn_attr lstm_attr(const cop_tfl_node *n, int time_field, int usual)
{
	return (cop_rnn_attr){.cell = RNN_LSTM, .time_first = cop__fb_int(&n->options, time_field, 1, usual) != 0, .act = {RNN_SIGMOID, RNN_TANH, RNN_TANH},
		.cell_clip = cop__fb_float(&n->options, LSTM_CELL_CLIP, 0)};
}

static cop_status plain_attr(cop_rnn_attr *a, cop_tfl *m, const cop_tfl_node *n)
{
	int32_t act = cop__fb_int(&n->options, RNN_ACT_FIELD, 1, ACT_NONE);

	*a = (cop_rnn_attr){.cell = RNN_PLAIN, .time_first = cop__fb_int(&n->options, RNN_TIME_MAJOR, 1, 0),
		.act = {act == ACT_RELU ? RNN_RELU : RNN_TANH, RNN_TANH, RNN_TANH}};
	return act == ACT_TANH || act == ACT_RELU ? COP_OK : cop__tfl_fail(m, n, "the activation must be tanh or relu");
}

/* Outputs of both directions: one tensor, joined along the last axis, or two. */
static cop_status both(cop_tfl *m, const cop_tfl_node *n, cop_rnn_attr a, const place *forth, const place *back, bool merged)
{
	cop_vid x = sequence(m, n), y = x ? layer(m, n, x, &a, forth) : 0;

	a.reverse = 1;
	cop_vid z = y ? layer(m, n, x, &a, back) : 0;
	if (!z) return cop__failed(m->cx);
	if (merged) return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_concat, &(cop_concat_attr){2}, VIDS(y, z)));
	COP_TRY(cop__tfl_set(m, n, 0, y));
	return cop__tfl_set(m, n, 1, z);
}

cop_status cop__tfl_lstm(cop_tfl *m, const cop_tfl_node *n)
{
	if (cop__tfl_in(m, n, 0) && cop__tfl_is(cop__tfl_in(m, n, 0), COP_I8)) return cop__tfl_int_lstm(m, n);
	COP_TRY(check_lstm(m, n, LSTM_IN_NORM, (int)n->in.n));
	if (cop__tfl_in(m, n, LSTM_IN_PROJECTION)) return cop__tfl_projected_lstm(m, n);
	cop_rnn_attr a = lstm_attr(n, LSTM_TIME_MAJOR, 0);
	cop_vid x = sequence(m, n), y = x ? layer(m, n, x, &a, &lstm_forth) : 0;
	return y ? cop__tfl_set(m, n, 0, y) : cop__failed(m->cx);
}

cop_status cop__tfl_bilstm(cop_tfl *m, const cop_tfl_node *n)
{
	COP_TRY(check_lstm(m, n, lstm_forth.projection, lstm_forth.projection + 2));
	COP_TRY(check_lstm(m, n, lstm_back.projection, lstm_back.projection + 2));
	COP_TRY(check_lstm(m, n, BILSTM_IN_AUX, (int)n->in.n));
	return both(m, n, lstm_attr(n, BILSTM_TIME_MAJOR, 1), &lstm_forth, &lstm_back, cop__fb_int(&n->options, BILSTM_MERGE, 1, 0));
}

cop_status cop__tfl_rnn(cop_tfl *m, const cop_tfl_node *n)
{
	cop_rnn_attr a;

	COP_TRY(plain_attr(&a, m, n));
	cop_vid x = sequence(m, n), y = x ? layer(m, n, x, &a, &rnn_forth) : 0;
	return y ? cop__tfl_set(m, n, 0, y) : cop__failed(m->cx);
}

cop_status cop__tfl_birnn(cop_tfl *m, const cop_tfl_node *n)
{
	cop_rnn_attr a;

	for (int i = BIRNN_IN_AUX; i < (int)n->in.n; i++)
		if (cop__tfl_in(m, n, i)) return cop__tfl_fail(m, n, "an auxiliary input is not supported");
	COP_TRY(plain_attr(&a, m, n));
	return both(m, n, a, &rnn_forth, &rnn_back, cop__fb_int(&n->options, BIRNN_MERGE, 1, 0));
}
