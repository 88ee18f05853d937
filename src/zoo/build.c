/* SPDX-License-Identifier: Apache-2.0
 *
 * build - the layers of the zoo (see zoo.h) and how their weights begin.
 *
 * Weights are uniform in +-sqrt(3 gain / fan_in). Gain 2 keeps the variance behind a ReLU (He 2015); where batch norm sets it anyhow, or
 * nothing follows, it is 1/3, as PyTorch draws all its weights: smaller weights turn faster under batch norm. Element i
 * of a parameter is drawn from (seed, its name, i), so that it depends on no other layer. Biases and means 0, scales
 * and variances 1.
 */
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};
static const float before_relu = 2, otherwise = 1.0f / 3, recurrent = 1; /* gains */

cop_vid cop__zoo_fail(cop_zoo *z, const char *why)
{
	if (z->line) cop__error(z->g->cx, COP_ARG, "%s, line %d: '%s' %s", z->file, z->line, z->word, why);
	else cop__error(z->g->cx, COP_ARG, "zoo: '%s' %s", z->name, why);
	return 0;
}

float cop__zoo_width(cop_zoo *z)
{
	char *end;
	float width = cop__float_parse(z->rest, &end);

	if (end != z->rest && !*end && width >= 0.05f && width <= 4) return width;
	cop__zoo_fail(z, "must have a width of 0.05 to 4 behind its stem, as in 'mobilenet-v1-0.25'");
	return 0;
}

bool cop__zoo_small(const cop_zoo *z) { return z->h <= 64 && z->w <= 64; }

/* A value whose data lies in the graph; `data` receives it to be filled. */
static cop_vid leaf(cop_zoo *z, cop_role role, const char *layer, const char *what, int32_t rank, const int32_t *dim, float **data, uint32_t *stream)
{
	char name[128];
	cop_type t = cop__type(COP_F32, rank, dim);

	snprintf(name, sizeof name, "%s.%s", layer, what);
	if (stream) *stream = cop__hash_text(name);
	for (int i = 0; i < rank; i++)
		if (dim[i] <= 0) return cop__zoo_fail(z, "is too small: a layer would have no width");
	cop_vid v = cop__data(z->g, role, name, &t, NULL);
	return v && (*data = cop__own(z->g, v)) ? v : 0;
}

enum { MOST_WEIGHTS = 1 << 28 }; /* of a layer */

static cop_vid matrix(cop_zoo *z, const char *layer, const char *what, int32_t rank, const int32_t *dim, float gain)
{
	int64_t fan_in = 1, n;
	uint32_t stream;
	float *w;

	for (int i = 1; i < rank; i++) fan_in *= dim[i];
	n = fan_in * dim[0];
	if (n > MOST_WEIGHTS) return cop__zoo_fail(z, "is too large: a layer would have more than 268,435,456 weights");
	cop_vid v = leaf(z, COP_PARAM, layer, what, rank, dim, &w, &stream);
	if (!v) return 0;
	float bound = sqrtf(3 * gain / (float)fan_in);
	for (int64_t i = 0; i < n; i++) w[i] = bound * (2 * cop__rand_unit(z->seed, stream, (uint64_t)i) - 1);
	return v;
}

static cop_vid weight(cop_zoo *z, const char *layer, int32_t rank, const int32_t *dim, float gain) { return matrix(z, layer, "w", rank, dim, gain); }

/* Of deviation 1, as AdderNet draws its weights. */
static cop_vid normal(cop_zoo *z, const char *layer, int32_t rank, const int32_t *dim)
{
	uint32_t stream = cop__hash_text(layer);
	cop_vid v = weight(z, layer, rank, dim, 1);
	float *w = v ? cop__own(z->g, v) : NULL;

	for (int64_t i = 0; w && i < cop_type_count(cop__t(z->g, v)); i++) w[i] = cop__rand_normal(z->seed, stream, (uint64_t)i);
	return v;
}

static cop_vid vector(cop_zoo *z, cop_role role, const char *layer, const char *what, int32_t n, float value)
{
	float *p;
	cop_vid v = leaf(z, role, layer, what, 1, &n, &p, NULL);

	for (int32_t i = 0; v && i < n; i++) p[i] = value;
	return v;
}

static cop_vid batch_norm(cop_zoo *z, cop_vid x, const char *name)
{
	cop_bn_attr a = {.eps = z->eps, .momentum = z->momentum, .lo = COP_NO_LO, .hi = COP_NO_HI};
	const cop_type *t = cop__t(z->g, x);

	if (!x) return 0;
	int32_t c = t->dim[t->rank - 1];
	cop_vid gamma = vector(z, COP_PARAM, name, "bn.gamma", c, 1), beta = vector(z, COP_PARAM, name, "bn.beta", c, 0);
	cop_vid mean = vector(z, COP_STATE, name, "bn.mean", c, 0), var = vector(z, COP_STATE, name, "bn.var", c, 1);
	if (!gamma || !beta || !mean || !var) return 0;
	z->g->value[mean].of = z->g->value[var].of = gamma;
	return cop__apply(z->g, OP_bn, &a, VIDS(x, gamma, beta, mean, var));
}

cop_vid cop__zoo_layernorm(cop_zoo *z, cop_vid x, const char *name)
{
	if (!x) return 0;
	int32_t c = cop__t(z->g, x)->dim[cop__t(z->g, x)->rank - 1];
	cop_vid gamma = vector(z, COP_PARAM, name, "gamma", c, 1), beta = gamma ? vector(z, COP_PARAM, name, "beta", c, 0) : 0;
	return beta ? cop__apply(z->g, OP_layernorm, &(cop_layernorm_attr){z->eps, 0}, VIDS(x, gamma, beta)) : 0;
}

/* Of deviation 0.02, as transformers draw theirs. */
cop_vid cop__zoo_small_weight(cop_zoo *z, const char *name, const char *what, int32_t rank, const int32_t *dim)
{
	int64_t n = 1;

	for (int i = 1; i < rank; i++) n *= dim[i];
	return matrix(z, name, what, rank, dim, 0.02f * 0.02f * (float)n);
}

cop_vid cop__zoo_norm(cop_zoo *z, cop_vid x, const char *name) { return batch_norm(z, x, name); }

cop_vid cop__zoo_rnn(cop_zoo *z, cop_vid x, const char *name, const cop_rnn_attr *a, int32_t units, bool every)
{
	int32_t rows = (a->cell == RNN_LSTM ? 4 : a->cell == RNN_PLAIN ? 1 : 3) * units, biases = a->cell == RNN_GRU_AFTER ? 4 * units : rows;
	cop_vid w = matrix(z, name, "w", 2, DIMS(rows, cop__t(z->g, x)->dim[2]), recurrent),
		r = w ? matrix(z, name, "r", 2, DIMS(rows, units), recurrent) : 0,
		b = r ? vector(z, COP_PARAM, name, "b", biases, 0) : 0;
	cop_nid n = b ? cop__node(z->g, OP_rnn, a, VIDS(x, w, r, b)) : 0;

	return n ? cop__want_out(z->g, n, every) : 0;
}

/* Padding before and after one axis. */
static void padding(int32_t *before, int32_t *after, int32_t in, int32_t k, int32_t stride, int32_t pad)
{
	int32_t out = (in + stride - 1) / stride, total = COP_MAX((out - 1) * stride + k - in, 0);

	*before = pad < 0 ? total / 2 : pad;
	*after = pad < 0 ? total - total / 2 : pad;
}

/* Filter i < channels of w [filters,kh,kw,channels]: 1 at its middle for channel i, else 0. */
static bool hand_on(cop_zoo *z, cop_vid w)
{
	const int32_t *dim = cop__t(z->g, w)->dim, each = dim[1] * dim[2] * dim[3];
	float *at = cop__own(z->g, w);

	for (int32_t i = 0; at && i < COP_MIN(dim[0], dim[3]); i++, at += each) {
		memset(at, 0, sizeof *at * (size_t)each);
		at[(dim[1] / 2 * dim[2] + dim[2] / 2) * dim[3] + i] = 1;
	}
	return at;
}

static cop_vid conv(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c, bool bias, float gain)
{
	const cop_type *t = cop__t(z->g, x);
	int32_t stride = c.stride ? c.stride : 1, kw = c.kw ? c.kw : c.k;
	cop_conv_attr a = {.sh = stride, .sw = stride, .dh = 1, .dw = 1, .groups = 1, .lo = COP_NO_LO, .hi = COP_NO_HI};

	if (!x) return 0;
	if (c.groups < 0) c.out = a.groups = t->dim[3];
	padding(&a.pt, &a.pb, t->dim[1], c.k, stride, c.pad);
	padding(&a.pl, &a.pr, t->dim[2], kw, stride, c.pad);
	if (t->dim[1] + a.pt + a.pb < c.k || t->dim[2] + a.pl + a.pr < kw) return cop__zoo_fail(z, "needs larger images: a kernel does not fit");
	const int32_t *dim = DIMS(c.out, c.k, kw, t->dim[3] / a.groups);
	cop_vid w = c.adds ? normal(z, name, 4, dim) : weight(z, name, 4, dim, gain);
	cop_vid b = bias ? vector(z, COP_PARAM, name, "b", c.out, 0) : 0;
	if (!w || (bias && !b)) return 0;
	if (c.dirac && !hand_on(z, w)) return 0;
	if (c.adds) return cop__apply(z->g, OP_addconv, &(cop_addconv_attr){a, 0.2f}, VIDS(x, w));
	return cop__apply(z->g, OP_conv, &a, bias ? 3 : 2, (const cop_vid[]){x, w, b});
}

static cop_vid fc(cop_zoo *z, cop_vid x, const char *name, int32_t out, bool bias, float gain)
{
	if (!x) return 0;
	cop_vid w = weight(z, name, 2, DIMS(out, cop__t(z->g, x)->dim[1]), gain);
	cop_vid b = bias ? vector(z, COP_PARAM, name, "b", out, 0) : 0;
	if (!w || (bias && !b)) return 0;
	return cop__apply(z->g, OP_fc, &no_act, bias ? 3 : 2, (const cop_vid[]){x, w, b});
}

cop_vid cop__zoo_input(cop_zoo *z)
{
	cop_type t = cop__type(COP_F32, 4, DIMS(z->batch, z->h, z->w, z->c));
	return cop__input(z->g, "x", &t);
}

cop_vid cop__zoo_conv_bias(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c) { return conv(z, x, name, c, true, otherwise); }

cop_vid cop__zoo_conv_plain(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c) { return conv(z, x, name, c, false, otherwise); }

cop_vid cop__zoo_conv_bn(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c)
{
	return batch_norm(z, conv(z, x, name, c, false, otherwise), name);
}

cop_vid cop__zoo_conv_relu(cop_zoo *z, cop_vid x, const char *name, cop_zoo_conv c)
{
	return cop__zoo_relu(z, conv(z, x, name, c, true, before_relu));
}

cop_vid cop__zoo_fc(cop_zoo *z, cop_vid x, const char *name, int32_t out) { return fc(z, x, name, out, true, otherwise); }

cop_vid cop__zoo_fc_plain(cop_zoo *z, cop_vid x, const char *name, int32_t out) { return fc(z, x, name, out, false, otherwise); }

cop_vid cop__zoo_fc_relu(cop_zoo *z, cop_vid x, const char *name, int32_t out)
{
	return cop__zoo_relu(z, fc(z, x, name, out, true, before_relu));
}

cop_vid cop__zoo_fc_bn_relu(cop_zoo *z, cop_vid x, const char *name, int32_t out)
{
	return cop__zoo_relu(z, batch_norm(z, fc(z, x, name, out, false, otherwise), name));
}

cop_vid cop__zoo_fc_bn_sign(cop_zoo *z, cop_vid x, const char *name, int32_t out)
{
	cop_vid y = batch_norm(z, fc(z, x, name, out, false, otherwise), name);
	return y ? cop__apply(z->g, OP_sign, &(cop_sign_attr){0}, VIDS(y)) : 0;
}

cop_vid cop__zoo_rsign(cop_zoo *z, cop_vid x, const char *name, const cop_sign_attr *a)
{
	if (!x) return 0;
	const cop_type *t = cop__t(z->g, x);
	cop_vid shift = vector(z, COP_PARAM, name, "shift", t->dim[t->rank - 1], 0), y = shift ? cop__apply(z->g, OP_add, &no_act, VIDS(x, shift)) : 0;
	return y ? cop__apply(z->g, OP_sign, a, VIDS(y)) : 0;
}

cop_vid cop__zoo_border(cop_zoo *z, cop_vid x)
{
	static const cop_pad_attr border = {{0, 1, 1, 0}, {0, 1, 1, 0}, -1};

	return x ? cop__apply(z->g, OP_pad, &border, VIDS(x)) : 0;
}

/* It begins as PReLU does (He 2015). */
cop_vid cop__zoo_rprelu(cop_zoo *z, cop_vid x, const char *name)
{
	if (!x) return 0;
	int32_t c = cop__t(z->g, x)->dim[cop__t(z->g, x)->rank - 1];
	cop_vid slope = vector(z, COP_PARAM, name, "slope", c, 0.25f), knee = vector(z, COP_PARAM, name, "knee", c, 0), lift = vector(z, COP_PARAM, name, "lift", c, 0);
	return slope && knee && lift ? cop__apply(z->g, OP_rprelu, NULL, VIDS(x, slope, knee, lift)) : 0;
}

cop_vid cop__zoo_clip(cop_zoo *z, cop_vid x, float lo, float hi)
{
	cop_act_attr a = {lo, hi};
	return x ? cop__apply(z->g, OP_clip, &a, VIDS(x)) : 0;
}

cop_vid cop__zoo_gelu(cop_zoo *z, cop_vid x) { return x ? cop__apply(z->g, OP_gelu, NULL, VIDS(x)) : 0; }
cop_vid cop__zoo_relu(cop_zoo *z, cop_vid x) { return cop__zoo_clip(z, x, 0, COP_NO_HI); }
cop_vid cop__zoo_add(cop_zoo *z, cop_vid a, cop_vid b) { return a && b ? cop__apply(z->g, OP_add, &no_act, VIDS(a, b)) : 0; }

cop_vid cop__zoo_maxpool(cop_zoo *z, cop_vid x, int32_t k, int32_t stride, int32_t pad)
{
	cop_pool_attr a = {.kh = k, .kw = k, .sh = stride, .sw = stride, .pt = pad, .pl = pad, .pb = pad, .pr = pad};

	if (!x) return 0;
	if (cop__t(z->g, x)->dim[1] + 2 * pad < k || cop__t(z->g, x)->dim[2] + 2 * pad < k) return cop__zoo_fail(z, "needs larger images: a pool does not fit");
	return cop__apply(z->g, OP_maxpool, &a, VIDS(x));
}

cop_vid cop__zoo_mean(cop_zoo *z, cop_vid x)
{
	const cop_type *t = cop__t(z->g, x);
	cop_pool_attr a = {.kh = t->dim[1], .kw = t->dim[2], .sh = 1, .sw = 1};

	return x ? cop__zoo_flatten(z, cop__apply(z->g, OP_avgpool, &a, VIDS(x))) : 0;
}

/* The batch is copied and the rest inferred, so that the model can be rebuilt for another batch. */
cop_vid cop__zoo_flatten(cop_zoo *z, cop_vid x)
{
	cop_shape_attr a = {.rank = 2, .dim = {0, -1}};
	return x ? cop__apply(z->g, OP_reshape, &a, VIDS(x)) : 0;
}
