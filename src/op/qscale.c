/* SPDX-License-Identifier: Apache-2.0
 *
 * qscale - see qscale.h.
 */
#include "op/qscale.h"
#include "kernel/kernel.h"
#include "kernel/factor.h"

#include <math.h>
#include <stdio.h>

int32_t cop__quantise(float x, const cop_qrange *r)
{
	float q = fminf(fmaxf(roundf(x / r->scale), -1e6f), 1e6f);
	int32_t v = (int32_t)q + r->zero;
	return v < r->lo ? r->lo : v > r->hi ? r->hi : v;
}

void cop__multiplier_double(int32_t *m, int32_t *shift, double real)
{
	int exponent;
	int64_t q = (int64_t)round(frexp(fmin(real, 0x1p40), &exponent) * 2147483648.0);

	if (q == (int64_t)1 << 31) q /= 2, exponent++;
	if (exponent < -31) q = exponent = 0;
	if (exponent > 31) q = INT32_MAX, exponent = 31; /* kernels shift by no more */
	*m = (int32_t)q;
	*shift = exponent;
}

void cop__multiplier_bytes(int32_t *m, int32_t *shift, double real)
{
	cop__multiplier_double(m, shift, fmin(real, 1023.75));
}

int8_t cop__rescale_byte(int32_t d, int32_t zero, int32_t m, int32_t shift)
{
	int64_t v = (int64_t)d * m;

	/* one step is more than all bytes */
	v = shift <= 20 ? cop_scale_double(d, m, shift) : v > 0 ? 1000 : v < 0 ? -1000 : 0;
	return (int8_t)COP_MAX(-128, COP_MIN(127, zero + v));
}

bool cop__multipliers_single(int32_t *m, int32_t *up, const double *real, int32_t n)
{
	double most = 0;

	for (int32_t i = 0; i < n; i++) most = fmax(most, fabs(real[i]));
	*up = cop_factor_up(most);
	for (int32_t i = 0; i < n; i++) {
		if (!(real[i] * cop_two_to(32 - *up) < 2147483647.5)) return false;
		m[i] = (int32_t)cop_factor(real[i], *up);
	}
	return true;
}

void cop__qadd_scales(cop_qadd_attr *a, double scale_a, double scale_b, double scale_y, bool exact)
{
	a->exact = exact;
	if (exact) {
		/* 2^10 steps are beyond int8 as well */
		double twice = 2 * fmax(scale_a, scale_b), steps = fmin(twice / scale_y, 1 << 10);
		cop__multiplier_double(&a->ma, &a->sa, twice > 0 ? scale_a / twice : 0);
		cop__multiplier_double(&a->mb, &a->sb, twice > 0 ? scale_b / twice : 0);
		cop__multiplier_double(&a->my, &a->sy, steps / (1 << 20));
		return;
	}
	double ra = cop_addend(scale_a / scale_y), rb = cop_addend(scale_b / scale_y);
	a->sa = a->sb = a->my = 0;
	a->sy = cop_sum_shift(fmax(ra, rb));
	a->ma = (int32_t)cop_near(ra * cop_two_to(a->sy));
	a->mb = (int32_t)cop_near(rb * cop_two_to(a->sy));
}

enum { DIGITS = 5 }; /* of softmax, before the point of scaled differences */

cop_qsoftmax_attr cop__qsoftmax_scale(double scale, double beta)
{
	cop_qsoftmax_attr a;
	double real = fmin(beta * scale * (1 << (31 - DIGITS)), 2147483647.0);

	if (real < 1) return (cop_qsoftmax_attr){0, 0, -(1 << 30)};
	cop__multiplier_double(&a.mult, &a.shift, real);
	a.least = (int32_t)-fmin(floor(((1 << DIGITS) - 1) * ldexp(1, 31 - DIGITS) / ldexp(1, a.shift)), 2147483647.0);
	return a;
}

cop_qlogsoftmax_attr cop__qlogsoftmax_scale(double scale)
{
	cop_qlogsoftmax_attr a = {.s = cop__qsoftmax_scale(scale, 1), .back = INT32_MAX};

	if (a.s.mult) cop__multiplier_double(&a.back, &a.bshift, ldexp(1, 31 - a.s.shift) / a.s.mult);
	return a;
}

double cop__real_double(int32_t m, int32_t shift) { return ldexp(m, shift - 31); }

void cop__qadd_real(const cop_qadd_attr *a, double *scale_a, double *scale_b)
{
	double y = a->exact ? cop__real_double(a->my, a->sy + 20) : ldexp(1, -a->sy);

	*scale_a = (a->exact ? cop__real_double(a->ma, a->sa) : a->ma) * y;
	*scale_b = (a->exact ? cop__real_double(a->mb, a->sb) : a->mb) * y;
}

double cop__qconv_real(const cop_qconv_attr *a, const cop_value *m, int32_t o)
{
	const int32_t *k = m->data;
	return m->type.rank == 2 ? cop__real_double(k[o], k[m->type.dim[1] + o]) : ldexp(k[o], a->up - 32);
}

double cop__qsoftmax_real(const cop_qsoftmax_attr *a)
{
	return ldexp(cop__real_double(a->mult, a->shift), DIGITS - 31);
}

/* Is v such a table? Another value may have its name. */
static bool is_flip(const cop_graph *g, cop_vid v, const int8_t *flip)
{
	const cop_value *x = &g->value[v];
	return x->role == COP_CONST && x->data && x->type.dtype == COP_I8 && cop_type_count(&x->type) == 256 &&
		!memcmp(x->data, flip, 256);
}

cop_vid cop__flip_bytes(cop_graph *g, const char *name, cop_vid x, cop_dtype to)
{
	cop_type t = cop__type(COP_I8, 1, DIMS(256));
	char free_name[32];
	int8_t flip[256];
	cop_vid table;

	for (int i = 0; i < 256; i++) flip[i] = (int8_t)(uint8_t)(i ^ 0x80);
	snprintf(free_name, sizeof free_name, "%.20s", name);
	for (int i = 2; (table = cop__find(g, free_name)) && !is_flip(g, table, flip); i++)
		snprintf(free_name, sizeof free_name, "%.20s.%d", name, i);
	if (!table) table = cop__data(g, COP_CONST, free_name, &t, flip);
	return x && table ? cop__apply(g, OP_qlut, &(cop_qlut_attr){(int32_t)to}, VIDS(x, table)) : 0;
}
