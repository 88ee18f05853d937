/* SPDX-License-Identifier: Apache-2.0
 *
 * muon - a matrix moves by its momentum with all singular values brought near 1: five Newton-Schulz steps X = a X + (b A + c A A) X with A = X X', from
 * X = G / |G|, where G = d + momentum m and m = momentum m + d. A convolution is a matrix of a row for each filter. Vectors, and the first and the last
 * layer, move by adam.
 */
#include "train/update/made.h"

#include <math.h>

typedef struct options { float momentum, decay, rest, b1, b2; bool ends; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, momentum, 0, 0.99999, "0.95", "part of the last move that is kept"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, apart from the gradient; not for biases and batch norm"),
	COP_OPT_FLAG(options, ends, "no", "the first and the last layer move so, too, and not by adam"),
	COP_OPT_REAL(options, rest, 0, 1000, "0.1", "the rate of what moves by adam, as a part of this one"),
	COP_OPT_REAL(options, b1, 0, 0.99999, "0.9", "adam: part of the mean gradient that is kept"),
	COP_OPT_REAL(options, b2, 0, 0.9999999, "0.999", "adam: part of the mean square that is kept"),
	COP_OPT_END,
};

static cop_vid product(const cop_param *p, cop_vid a, cop_vid b, int ta, int tb) { return a && b ? cop__apply(p->g, OP_matmul, &(cop_matmul_attr){ta, tb}, VIDS(a, b)) : 0; }

/* One step, on the side of the matrix that is shorter. */
static cop_vid newton_schulz(const cop_param *p, cop_vid x, bool tall)
{
	cop_vid a = product(p, x, x, tall, !tall), b = cop__made(p, OP_add, cop__made_times(p, a, -4.7750f), cop__made_times(p, product(p, a, a, 0, 0), 2.0315f));
	return cop__made(p, OP_add, cop__made_times(p, x, 3.4445f), tall ? product(p, x, b, 0, 0) : product(p, b, x, 0, 0));
}

static cop_vid shaped(const cop_param *p, cop_vid v, int32_t rank, const int32_t *dim)
{
	cop_shape_attr to = {.rank = rank};
	memcpy(to.dim, dim, sizeof *dim * (size_t)rank);
	return v ? cop__apply(p->g, OP_reshape, &to, VIDS(v)) : 0;
}

/* The move: singular values near 1, times the root of how much taller than wide. */
static cop_vid evened(const cop_param *p, cop_vid v)
{
	const cop_type t = *cop__t(p->g, p->w); /* the graph's values move as it grows */
	const int32_t rows = t.dim[0], cols = (int32_t)(cop_type_count(&t) / rows);
	const bool tall = rows > cols;
	cop_vid norm = v ? cop__made_map(p, MAP_SQRT, cop__apply(p->g, OP_sumsq, NULL, VIDS(v))) : 0;
	cop_vid x = cop__made(p, OP_div, shaped(p, v, 2, DIMS(rows, cols)), cop__made(p, OP_add, norm, cop__made_number(p, 1e-7f)));

	for (int i = 0; i < 5; i++) x = newton_schulz(p, x, tall);
	return shaped(p, cop__made_times(p, x, tall ? sqrtf((float)rows / (float)cols) : 1), t.rank, t.dim);
}

static cop_vid by_adam(const cop_param *p, const options *a)
{
	const cop_adam_attr attr = {a->b1, a->b2, 1e-8f, cop__param_decay(p, a->decay), true};
	cop_vid lr = cop__made_times(p, cop__param_lr(p), a->rest), step = cop__param_step(p), m = cop__param_state(p, 1), v = cop__param_state(p, 2);

	return cop__apply(p->g, OP_adam, &attr, VIDS(p->w, p->dw, lr, step, m, v));
}

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;

	if (cop__t(p->g, p->w)->rank < 2 || !(p->inner || a->ends)) return by_adam(p, a);
	cop_vid m = cop__param_state(p, 0), m1 = cop__made(p, OP_add, cop__made_times(p, m, a->momentum), p->dw);
	cop_vid move = evened(p, cop__made(p, OP_add, p->dw, cop__made_times(p, m1, a->momentum)));
	move = cop__made(p, OP_mul, cop__made_decayed(p, move, p->w, a->decay), cop__param_lr(p));
	return cop__made_set(p, m, m1) ? cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, move)) : 0;
}

const cop_update cop_update_muon = {
	.row = {"muon", "matrices move with all singular values near 1, the rest by adam", "Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks", table, sizeof(options)},
	.state = {"muon.m", "adam.m", "adam.v"}, .build = build, .own_size = true};
