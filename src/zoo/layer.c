/* SPDX-License-Identifier: Apache-2.0
 *
 * layer - the layers of a network as text. A sequence [n,steps,channels] is convolved and pooled as a picture of width 1.
 */
#include "zoo/layer.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static int32_t rank(const cop_zoo *z, cop_vid x) { return cop__t(z->g, x)->rank; }

/* ---- activations ---- */

static const struct { const char *word; int op; float hi; } activations[] = {{"relu", OP_clip, COP_NO_HI},
	{"relu6", OP_clip, 6}, {"sigmoid", OP_sigmoid, 0}, {"tanh", OP_tanh, 0}, {"gelu", OP_gelu, 0},
	{"hswish", OP_hswish, 0}, {"sign", OP_sign, 0}};

static cop_vid activate(cop_zoo *z, cop_vid x, const char *word)
{
	for (int i = 0; x && word && i < LEN(activations); i++) {
		if (strcmp(activations[i].word, word)) continue;
		return activations[i].op == OP_clip ? cop__zoo_clip(z, x, 0, activations[i].hi) : cop__apply(z->g, activations[i].op, NULL, VIDS(x));
	}
	return x;
}

bool cop__is_activation(const char *word)
{
	for (int i = 0; i < LEN(activations); i++)
		if (!strcmp(activations[i].word, word)) return true;
	return false;
}

#define ACTIVATION(word) static cop_vid add_##word(cop_zoo *z, const cop_layer_line *l) { return activate(z, l->in[0], #word); }
ACTIVATION(relu)
ACTIVATION(relu6)
ACTIVATION(sigmoid)
ACTIVATION(tanh)
ACTIVATION(gelu)
ACTIVATION(hswish)
ACTIVATION(sign)

static cop_vid add_rsign(cop_zoo *z, const cop_layer_line *l) { return cop__zoo_rsign(z, l->in[0], l->name, &(cop_sign_attr){1}); }
static cop_vid add_rprelu(cop_zoo *z, const cop_layer_line *l) { return cop__zoo_rprelu(z, l->in[0], l->name); }

/* ---- shapes ---- */

/* A sequence as a picture, and what came of it as a sequence again. */
static cop_vid picture(cop_zoo *z, cop_vid x)
{
	const cop_type *t = cop__t(z->g, x);

	if (t->rank == 4) return x;
	if (t->rank != 3) return cop__zoo_fail(z, "takes a picture or a sequence: height, width and channels, or steps and numbers");
	return cop__apply(z->g, OP_reshape, &(cop_shape_attr){4, {0, t->dim[1], 1, t->dim[2]}}, VIDS(x));
}

static cop_vid again(cop_zoo *z, cop_vid y, int32_t was)
{
	if (!y || was == 4) return y;
	const cop_type *t = cop__t(z->g, y);
	return cop__apply(z->g, OP_reshape, &(cop_shape_attr){3, {0, t->dim[1], t->dim[3]}}, VIDS(y));
}

static cop_vid add_input(cop_zoo *z, const cop_layer_line *l)
{
	int32_t dim[4] = {1};
	int64_t all = 1;

	for (int i = 0; i < l->n_number; i++) all *= dim[i + 1] = l->number[i];
	if (!l->n_number) return cop__zoo_fail(z, "needs the size of a sample: one number, or 28 28 1 for a picture");
	if (all > 1 << 26) return cop__zoo_fail(z, "is larger than 67,108,864 numbers");
	cop_type t = cop__type(COP_F32, l->n_number + 1, dim);
	return cop__input(z->g, l->name, &t);
}

static cop_vid add_flatten(cop_zoo *z, const cop_layer_line *l) { return cop__zoo_flatten(z, l->in[0]); }

static cop_vid add_mean(cop_zoo *z, const cop_layer_line *l)
{
	cop_vid x = picture(z, l->in[0]);
	return x ? cop__zoo_mean(z, x) : 0;
}

/* ---- layers with weights ---- */

static cop_vid convolve(cop_zoo *z, const cop_layer_line *l, int32_t filters, int32_t groups, bool adds)
{
	int32_t was = rank(z, l->in[0]), kh = l->kh ? l->kh : 3;
	cop_vid x = picture(z, l->in[0]);
	/* of a sequence the kernel has one size, and the width is 1 */
	cop_zoo_conv c = {.out = filters, .k = kh, .kw = was == 3 ? 1 : l->kw ? l->kw : kh, .stride = l->stride, .pad = l->valid ? 0 : -1, .groups = groups, .adds = adds, .dirac = l->dirac};

	if (!x) return 0;
	bool relu = l->act && !strcmp(l->act, "relu"), norm = l->norm || adds; /* relu: weights begin larger before it */
	cop_vid y = norm ? cop__zoo_conv_bn(z, x, l->name, c) : relu ? cop__zoo_conv_relu(z, x, l->name, c) : cop__zoo_conv_bias(z, x, l->name, c);
	if (norm || !relu) y = activate(z, y, l->act);
	return again(z, y, was);
}

static cop_vid add_conv(cop_zoo *z, const cop_layer_line *l) { return convolve(z, l, l->number[0], 0, false); }
static cop_vid add_depthwise(cop_zoo *z, const cop_layer_line *l) { return convolve(z, l, 1, -1, false); }
static cop_vid add_addconv(cop_zoo *z, const cop_layer_line *l) { return convolve(z, l, l->number[0], 0, true); }

static cop_vid add_fc(cop_zoo *z, const cop_layer_line *l)
{
	cop_vid x = rank(z, l->in[0]) == 2 ? l->in[0] : cop__zoo_flatten(z, l->in[0]);
	bool relu = l->act && !strcmp(l->act, "relu");

	if (relu) return l->norm ? cop__zoo_fc_bn_relu(z, x, l->name, l->number[0]) : cop__zoo_fc_relu(z, x, l->name, l->number[0]);
	cop_vid y = cop__zoo_fc(z, x, l->name, l->number[0]);
	return activate(z, l->norm ? cop__zoo_norm(z, y, l->name) : y, l->act);
}

static cop_vid add_norm(cop_zoo *z, const cop_layer_line *l) { return activate(z, cop__zoo_norm(z, l->in[0], l->name), l->act); }

/* The last state, or every one. */
static cop_vid recur(cop_zoo *z, const cop_layer_line *l, int32_t cell)
{
	const cop_rnn_attr a = {.cell = cell, .act = {cell == RNN_PLAIN ? RNN_TANH : RNN_SIGMOID, RNN_TANH, RNN_TANH}};

	if (rank(z, l->in[0]) != 3) return cop__zoo_fail(z, "takes a sequence: steps and numbers");
	return cop__zoo_rnn(z, l->in[0], l->name, &a, l->number[0], l->every);
}

static cop_vid add_lstm(cop_zoo *z, const cop_layer_line *l) { return recur(z, l, RNN_LSTM); }
static cop_vid add_gru(cop_zoo *z, const cop_layer_line *l) { return recur(z, l, RNN_GRU_AFTER); }
static cop_vid add_rnn(cop_zoo *z, const cop_layer_line *l) { return recur(z, l, RNN_PLAIN); }

/* ---- pools ---- */

static cop_vid pool(cop_zoo *z, const cop_layer_line *l, int op)
{
	int32_t was = rank(z, l->in[0]), kh = l->kh ? l->kh : l->n_number ? l->number[0] : 2, kw = was == 3 ? 1 : l->kw ? l->kw : kh;
	cop_vid x = picture(z, l->in[0]);
	cop_pool_attr a = {.kh = kh, .kw = kw, .sh = l->stride ? l->stride : kh, .sw = was == 3 ? 1 : l->stride ? l->stride : kw};

	if (!x) return 0;
	if (cop__t(z->g, x)->dim[1] < kh || cop__t(z->g, x)->dim[2] < kw) return cop__zoo_fail(z, "needs a larger picture: the pool does not fit");
	return again(z, cop__apply(z->g, op, &a, VIDS(x)), was);
}

static cop_vid add_maxpool(cop_zoo *z, const cop_layer_line *l) { return pool(z, l, OP_maxpool); }
static cop_vid add_avgpool(cop_zoo *z, const cop_layer_line *l) { return pool(z, l, OP_avgpool); }

/* ---- branches ---- */

/* Of one shape: what broadcasts is a mistake here. */
static bool alike(cop_zoo *z, const cop_layer_line *l)
{
	const cop_type *a = cop__t(z->g, l->in[0]), *b = cop__t(z->g, l->in[1]);
	return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

static cop_vid add_add(cop_zoo *z, const cop_layer_line *l)
{
	if (!alike(z, l)) return cop__zoo_fail(z, "takes two results of one shape");
	return activate(z, cop__zoo_add(z, l->in[0], l->in[1]), l->act);
}

static cop_vid add_mul(cop_zoo *z, const cop_layer_line *l)
{
	if (!alike(z, l)) return cop__zoo_fail(z, "takes two results of one shape");
	return cop__apply(z->g, OP_mul, &no_act, VIDS(l->in[0], l->in[1]));
}

static cop_vid add_concat(cop_zoo *z, const cop_layer_line *l)
{
	return cop__apply(z->g, OP_concat, &(cop_concat_attr){rank(z, l->in[0]) - 1}, l->n_in, l->in);
}

/* ---- the table ---- */

const cop_layer_row cop__layer_rows[] = {
#define LAYER(word, least_in, most_in, least_number, most_number, usage) {#word, least_in, most_in, least_number, most_number, usage, add_##word},
#include "zoo/layer.def"
#undef LAYER
};

const char *cop__layer_word(void *ud, int i)
{
	(void)ud;
	return i < LEN(cop__layer_rows) ? cop__layer_rows[i].word : NULL;
}
