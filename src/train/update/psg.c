/* SPDX-License-Identifier: Apache-2.0
 *
 * psg - predictive sign gradients, the third part of E2-Train: a weight moves by the sign of its gradient, and where that is plain it is taken from a predictor: the same product
 * of what the layer read (x) and what came back to it (dy), both rounded to their most significant bits. Plain is a sign whose predictor is at least
 * `plain` times the largest of the weight; the others take the sign of the whole gradient. Vectors move by their gradient.
 *
 * Hardware that multiplies few bits saves energy by it. Here both products are computed, so a step takes longer; `rule.plain` and `rule.of` count the
 * signs that were plain, and all of them.
 */
#include "train/update/made.h"

#include <math.h>

typedef struct options { int32_t x, dy; float plain, decay, rest; } options;

static const cop_option table[] = {
	COP_OPT_WHOLE(options, x, 2, 24, "4", "bits of what a layer reads, in the predictor"),
	COP_OPT_WHOLE(options, dy, 2, 24, "10", "bits of what comes back to it"),
	COP_OPT_REAL(options, plain, 0, 1, "0.05", "from which part of the largest predictor on its sign is taken"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the sign; not for biases and batch norm"),
	COP_OPT_REAL(options, rest, 0, 1000, "1", "the rate of vectors, as a part of that of the signs"),
	COP_OPT_END,
};

static cop_vid largest(const cop_param *p, cop_vid v)
{
	const cop_vid size = cop__made_map(p, MAP_ABS, v);
	if (!size) return 0;
	const int32_t rank = cop__t(p->g, size)->rank;
	cop_vid most = cop__apply(p->g, OP_reduce, &(cop_reduce_attr){REDUCE_MAX, (1 << rank) - 1, 0}, VIDS(size));
	return most ? cop__apply(p->g, OP_reshape, &(cop_shape_attr){1, {1}}, VIDS(most)) : 0;
}

/* v in steps of its largest number over 2^(bits - 1) - 1. */
static cop_vid rounded(const cop_param *p, cop_vid v, int32_t bits)
{
	const cop_vid step = cop__made_least(p, cop__made_times(p, largest(p, v), 1 / (ldexpf(1, bits - 1) - 1)), 1e-30f);
	return cop__made(p, OP_mul, cop__made_map(p, MAP_ROUND, cop__made(p, OP_div, v, step)), step);
}

/* The node that made dw again, of rounded numbers; 0: it is none of dy and x alone. */
static cop_vid predictor(const cop_param *p, const options *a)
{
	const cop_nid n = p->g->value[p->dw].producer;
	const cop_node d = p->g->node[n]; /* the graph's nodes move as it grows */

	if (!n || (d.op != OP_fc_dw && d.op != OP_conv_dw) || d.n_in != 2) return 0;
	const cop_vid dy = rounded(p, d.in[0], a->dy), x = rounded(p, d.in[1], a->x);
	return dy && x ? cop__apply(p->g, d.op, d.attr, VIDS(dy, x)) : 0;
}

/* 1 where v >= 0, else 0 */
static cop_vid is_positive(const cop_param *p, cop_vid v)
{
	const cop_vid s = cop__made(p, OP_add, cop__made_map(p, MAP_SIGN, v), cop__made_number(p, 1));
	return s ? cop__apply(p->g, OP_clip, &(cop_act_attr){0, 1}, VIDS(s)) : 0;
}

static cop_vid signs(const cop_param *p, const options *a)
{
	const cop_vid whole = cop__made_map(p, MAP_SIGN, p->dw), guess = predictor(p, a);

	if (!guess) return whole;
	const cop_vid plain = is_positive(p, cop__made(p, OP_sub, cop__made_map(p, MAP_ABS, guess), cop__made_times(p, largest(p, guess), a->plain)));
	const cop_vid rest = cop__made(p, OP_sub, cop__made_number(p, 1), plain);
	if (!rest) return 0;
	p->sum[0] = cop__apply(p->g, OP_sum_to, &(cop_shape_attr){1, {1}}, VIDS(plain));
	p->sum[1] = cop__made_number(p, (float)cop_type_count(cop__t(p->g, p->w)));
	return cop__made(p, OP_add, cop__made(p, OP_mul, cop__made_map(p, MAP_SIGN, guess), plain), cop__made(p, OP_mul, whole, rest));
}

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	const bool vector = cop__t(p->g, p->w)->rank < 2;
	const cop_vid move = vector ? cop__made_times(p, p->dw, a->rest) : cop__made_decayed(p, signs(p, a), p->w, cop__param_decay(p, a->decay));

	return cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, move, cop__param_lr(p))));
}

static bool end(const cop_param *p, const void *o)
{
	const cop_vid plain = cop__param_once(p, "plain"), of = cop__param_once(p, "of");

	(void)o;
	return plain && of && cop__made_set(p, plain, cop__made(p, OP_add, plain, p->sum[0])) && cop__made_set(p, of, cop__made(p, OP_add, of, p->sum[1]));
}

const cop_update cop_update_psg = {
	.row = {"psg", "moves by the sign of the gradient, most of them from products of a few bits", "E2-Train: Wang et al. 2019, arXiv 1910.13349", table, sizeof(options)}, .build = build, .end = end, .own_size = true};
