/* SPDX-License-Identifier: Apache-2.0
 *
 * sums.h - how many steps a sum of integers is, which a float says only up to rounding: near the middle between two integers it is computed with as
 * integers are, by the multipliers that the integer network will have (op/qscale.c). For the kernels of fakequant.
 */
#ifndef COP_SUMS_H
#define COP_SUMS_H

#include "kernel/kernel.h"

#include "kernel/factor.h"

/* A float that is further than this from the integer that it is rounded to may belong to the next one. */
#define COP_UNSURE 0.4375f

/* What the sums of a call have in common, when they are rounded to steps of `step`. Of two: by what whole numbers of steps are multiplied, then shifted. */
typedef struct cop_sums {
	const cop_call *c;
	double step;
	int32_t up, shift; /* up -1: no multiplier is large enough */
	int64_t m[2];
} cop_sums;

static inline const float *cop_operand(const cop_call *c, int i) { return c->buf[3 + i]; }

/* A step may be trained to anything. */
static inline double cop_step_at(const float *s, int32_t i) { return s[i] > COP_LEAST_STEP ? (double)s[i] : (double)COP_LEAST_STEP; }

static inline int32_t cop_steps(float x, double step)
{
	const double most = 1 << 30, u = (double)x / step;
	return (int32_t)cop_near(u > most ? most : u < -most ? -most : u == u ? u : 0);
}

static inline int32_t cop_layer_up(const cop_call *c, double step)
{
	double most = 0;

	for (int32_t o = 0; o < c->k[FQ_CHANNELS]; o++) {
		const double real = cop_step_at(cop_operand(c, 1), 0) * cop_step_at(cop_operand(c, 0), o) / step;
		most = most > real ? most : real;
	}
	return most < 1 << 30 ? cop_factor_up(most) : -1;
}

static inline cop_sums cop_sums_of(const cop_call *c, double step)
{
	cop_sums s = {.c = c, .step = step};

	if (c->k[FQ_FROM] == 2 && c->k[FQ_ROWS] == 1) s.up = cop_layer_up(c, step);
	if (c->k[FQ_FROM] != 4) return s;
	const double a = cop_addend(cop_step_at(cop_operand(c, 1), 0) / step), b = cop_addend(cop_step_at(cop_operand(c, 3), 0) / step);
	s.shift = cop_sum_shift(a > b ? a : b);
	s.m[0] = cop_near(a * cop_two_to(s.shift)), s.m[1] = cop_near(b * cop_two_to(s.shift));
	return s;
}

static inline int32_t cop_sum_of_layer(const cop_sums *s, int32_t i)
{
	const cop_call *c = s->c;
	const float x = ((const float *)c->buf[1])[i];
	const double sum = cop_step_at(cop_operand(c, 1), 0) * cop_step_at(cop_operand(c, 0), i % c->k[FQ_CHANNELS]);

	if (c->k[FQ_ROWS] > 1) return cop_steps(x, sum);
	return s->up < 0 ? cop_steps(x, s->step) : cop_scale_single(cop_steps(x, sum), (int32_t)cop_factor(sum / s->step, s->up), s->up);
}

static inline int32_t cop_sum_of_two(const cop_sums *s, int32_t i)
{
	const cop_call *c = s->c;
	const int64_t a = cop_steps(cop_operand(c, 0)[i], cop_step_at(cop_operand(c, 1), 0)) * s->m[0], b = cop_steps(cop_operand(c, 2)[i], cop_step_at(cop_operand(c, 3), 0)) * s->m[1];
	return (int32_t)((a + b + ((int64_t)1 << (s->shift - 1))) >> s->shift);
}

/* Means whose range is far smaller than their operands' round as floats do. */
static inline int32_t cop_sum_of_mean(const cop_sums *s, int32_t i)
{
	const cop_call *c = s->c;
	const double sx = cop_step_at(cop_operand(c, 0), 0), real = sx / (s->step * c->k[FQ_CELLS]);
	const float x = ((const float *)c->buf[1])[i];
	return real < 0.5 ? cop_scale_double(cop_steps(x, sx / c->k[FQ_CELLS]), (int32_t)cop_near(real * cop_two_to(31)), 0) : cop_steps(x, s->step);
}

/* How many steps element i of x is; FROM is not 0. */
static inline int32_t cop_sum(const cop_sums *s, int32_t i)
{
	const int32_t from = s->c->k[FQ_FROM];
	return from == 4 ? cop_sum_of_two(s, i) : from == 2 ? cop_sum_of_layer(s, i) : cop_sum_of_mean(s, i);
}

#endif
