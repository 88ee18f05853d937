/* SPDX-License-Identifier: Apache-2.0
 *
 * qsoftmax - int8 softmax in fixed point, with the bits of TFLite's reference kernel. A number Qn has n bits before the
 * point and 31 - n behind it; products round to the nearest (gemmlowp's fixed-point arithmetic).
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

/* x * 2^n, saturating; n 0 .. 30 */
static int32_t shift_up(int32_t x, int32_t n)
{
	int32_t most = (int32_t)(((uint32_t)1 << (31 - n)) - 1);
	return x > most ? INT32_MAX : x < -most ? INT32_MIN : (int32_t)((uint32_t)x << n);
}

/* exp(a) in Q0 for a in Q5, a <= 0: a Taylor series over the last quarter, then a factor for each bit above it. */
static int32_t exp_negative(int32_t a)
{
	static const int32_t factor[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242}; /* exp(-2^n) in Q0, n from -2 */
	int32_t rest = (a & ((1 << 24) - 1)) - (1 << 24), over = rest - a;

	if (!a) return INT32_MAX;
	int32_t x = shift_up(rest, 5) + (1 << 28), x2 = cop_high_mul(x, x), x3 = cop_high_mul(x2, x), x4 = cop_high_mul(x2, x2); /* around -1/8 */
	int32_t series = cop_round_shift(cop_high_mul(cop_round_shift(x4, 2) + x3, 715827883) + x2, 1);
	int32_t y = 1895147668 + cop_high_mul(1895147668, x + series);
	for (int i = 0; i < 7; i++)
		if (over & (1 << (24 + i))) y = cop_high_mul(y, factor[i]);
	return y;
}

/* 1 / (1 + a) in Q0 for a in Q0, 0 <= a < 1: three steps of Newton in Q2. */
static int32_t reciprocal(int32_t a)
{
	int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1), x = 1515870810 + cop_high_mul(half, -1010580540);

	for (int i = 0; i < 3; i++) x += shift_up(cop_high_mul(x, (1 << 29) - cop_high_mul(half, x)), 2);
	return shift_up(x, 1);
}

static int leading_zeros(uint32_t v)
{
	int n = 0;
	while (n < 32 && !(v & 0x80000000u)) v <<= 1, n++;
	return n;
}

static void softmax_row(const int32_t *k, int8_t *y, const int8_t *x)
{
	int32_t most = -128, sum = 0, n = k[QS_C];

	for (int32_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
	for (int32_t i = 0; i < n; i++) { /* in Q12 */
		int32_t d = x[i] - most;
		if (d >= k[QS_LEAST]) sum += cop_round_shift(exp_negative(cop_high_mul(d * (1 << k[QS_SHIFT]), k[QS_MULT])), 12);
	}
	int32_t zeros = leading_zeros((uint32_t)sum), over = 12 - zeros;
	int32_t scale = reciprocal((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
	for (int32_t i = 0; i < n; i++) {
		int32_t d = x[i] - most, v = 0;
		if (d >= k[QS_LEAST]) v = cop_round_shift(cop_high_mul(scale, exp_negative(cop_high_mul(d * (1 << k[QS_SHIFT]), k[QS_MULT]))), over + 23);
		y[i] = (int8_t)cop_clampi(v - 128, -128, 127);
	}
}

void cop_qsoftmax_i8(const cop_call *c)
{
	int32_t from = cop_from(c, c->k[QS_ROWS], 1), to = cop_to(c, c->k[QS_ROWS], 1);

	for (int32_t r = from; r < to; r++)
		softmax_row(c->k, (int8_t *)c->buf[0] + (size_t)r * (size_t)c->k[QS_C], (const int8_t *)c->buf[1] + (size_t)r * (size_t)c->k[QS_C]);
}
