/* SPDX-License-Identifier: Apache-2.0
 *
 * prodigy - adam whose rate is lr times d, an estimate of how far the weights are from where they should be: it only grows, from 1e-6.
 *   s = b3 s + d^2 / d0 lr g      r = b3 r + d^2 / d0 lr <g, w0 - w>      d = max(d, factor r / |s|_1), at most growth d      b3 = sqrt(b2)
 *   m = b1 m + (1 - b1) d g       v = b2 v + (1 - b2) d^2 g^2             w -= d lr (m / (sqrt(v) + d eps) + decay w)
 * all with the d of the steps before. r and |s|_1 are sums over all weights.
 *
 * Kept are w0 - w and d - d0, both 0 at first.
 */
#include "train/update/made.h"

#include <math.h>

typedef struct options { float b1, b2, eps, decay, first, factor, growth; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, b1, 0, 0.99999, "0.9", "part of the mean gradient that is kept"),
	COP_OPT_REAL(options, b2, 0, 0.9999999, "0.999", "part of the mean square that is kept"),
	COP_OPT_REAL(options, eps, 0, 1, "1e-8", "added to the root, so that nothing is divided by 0"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, apart from the gradient; not for biases and batch norm"),
	COP_OPT_REAL(options, first, 1e-12, 1, "1e-6", "d0, the distance that is taken at first: rather too small"),
	COP_OPT_REAL(options, factor, 0, 1e6, "1", "times the estimate: where the rate comes out too low or too high"),
	COP_OPT_REAL(options, growth, 1, 1e30, "1e30", "how many times larger the distance may become in one step"),
	COP_OPT_END,
};

enum { D, RATE, GAIN }; /* d; d lr; d / d0 d lr */

static bool begin(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid *s = p->shared;

	s[D] = cop__made(p, OP_add, cop__param_once(p, "d"), cop__made_number(p, a->first));
	s[RATE] = cop__made(p, OP_mul, s[D], cop__param_lr(p));
	s[GAIN] = cop__made_times(p, cop__made(p, OP_mul, s[D], s[RATE]), 1 / a->first);
	return s[GAIN];
}

static cop_vid build(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid m = cop__param_state(p, 0), v = cop__param_state(p, 1), s = cop__param_state(p, 2), away = cop__param_state(p, 3), d = p->shared[D];
	cop_vid dg = cop__made(p, OP_mul, p->dw, d), m1 = cop__made_mean(p, a->b1, m, dg), v1 = cop__made_mean(p, a->b2, v, cop__made(p, OP_mul, dg, dg));
	cop_vid s1 = cop__made(p, OP_add, cop__made_times(p, s, sqrtf(a->b2)), cop__made(p, OP_mul, p->dw, p->shared[GAIN]));
	cop_vid below = cop__made(p, OP_add, cop__made_map(p, MAP_SQRT, v1), cop__made_times(p, d, a->eps));
	cop_vid step = cop__made(p, OP_mul, cop__made_decayed(p, cop__made(p, OP_div, m1, below), p->w, cop__param_decay(p, a->decay)), p->shared[RATE]);

	p->sum[0] = cop__made_dot(p, p->dw, away);
	p->sum[1] = cop__made_dot(p, s1, cop__made_map(p, MAP_SIGN, s1));
	if (!p->sum[0] || !p->sum[1] || !cop__made_set(p, m, m1) || !cop__made_set(p, v, v1) || !cop__made_set(p, s, s1)) return 0;
	return cop__made_set(p, away, cop__made(p, OP_add, away, step)) ? cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, step)) : 0;
}

/* The next d. */
static bool end(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid old = cop__param_once(p, "d"), r = cop__param_once(p, "r"), d = cop__made(p, OP_add, old, cop__made_number(p, a->first));
	cop_vid lr = cop__param_lr(p), gain = cop__made_times(p, cop__made(p, OP_mul, d, cop__made(p, OP_mul, d, lr)), 1 / a->first);
	cop_vid r1 = cop__made(p, OP_add, cop__made_times(p, r, sqrtf(a->b2)), cop__made(p, OP_mul, p->sum[0], gain));
	cop_vid hat = cop__made_times(p, cop__made(p, OP_div, r1, cop__made_least(p, p->sum[1], 1e-30f)), a->factor);
	cop_vid d1 = cop__made(p, OP_min, cop__made(p, OP_max, d, hat), cop__made_times(p, d, a->growth));

	return cop__made_set(p, r, r1) && cop__made_set(p, old, cop__made(p, OP_sub, d1, cop__made_number(p, a->first)));
}

const cop_update cop_update_prodigy = {
	.row = {"prodigy", "adam that finds its own rate: lr=1", "Mishchenko and Defazio 2024, arXiv 2306.06101", table, sizeof(options)},
	.state = {"prodigy.m", "prodigy.v", "prodigy.s", "prodigy.away"}, .build = build, .begin = begin, .end = end};
