/* SPDX-License-Identifier: Apache-2.0
 *
 * qsoftmax - int8 softmax and its logarithm in fixed point, with the bits of TFLite's reference kernels. A number Qn has n bits before
 * the point and 31 - n behind it; products round to the nearest (gemmlowp's fixed-point arithmetic).
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

/* The scaled difference to the largest, in Q5, and the sum of its exponentials over a row, in Q12. */
static int32_t scaled(const int32_t *k, int32_t d) { return cop_high_mul(d * (1 << k[QS_SHIFT]), k[QS_MULT]); }

static int32_t largest(const int8_t *x, int32_t n)
{
	int32_t most = -128;

	for (int32_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
	return most;
}

static int32_t sum_of_exp(const int32_t *k, const int8_t *x, int32_t most)
{
	int32_t sum = 0;

	for (int32_t i = 0; i < k[QS_C]; i++)
		if (x[i] - most >= k[QS_LEAST]) sum += cop_round_shift(exp_negative(scaled(k, x[i] - most)), 12);
	return sum;
}

static void softmax_row(const int32_t *k, int8_t *y, const int8_t *x)
{
	int32_t most = largest(x, k[QS_C]), sum = sum_of_exp(k, x, most);
	int32_t zeros = leading_zeros((uint32_t)sum), over = 12 - zeros;
	int32_t scale = reciprocal((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));

	for (int32_t i = 0; i < k[QS_C]; i++) {
		int32_t d = x[i] - most, v = 0;
		if (d >= k[QS_LEAST]) v = cop_round_shift(cop_high_mul(scale, exp_negative(scaled(k, d))), over + 23);
		y[i] = (int8_t)cop_clampi(v - 128, -128, 127);
	}
}

void cop_qsoftmax_i8(const cop_call *c)
{
	int32_t from = cop_from(c, c->k[QS_ROWS], 1), to = cop_to(c, c->k[QS_ROWS], 1);

	for (int32_t r = from; r < to; r++)
		softmax_row(c->k, (int8_t *)c->buf[0] + (size_t)r * (size_t)c->k[QS_C], (const int8_t *)c->buf[1] + (size_t)r * (size_t)c->k[QS_C]);
}

/* ---- the logarithm ---- */

/* log(v) in Q5 of v in Q12, at least 1. With v = 2^n r, r near sqrt(sqrt(1/2)): n log 2 + log r; of two ways to split, over r between 1/2 and
 * 1 and over r sqrt(1/2), the one of smaller r. log r is a quotient of polynomials in r - sqrt(sqrt(1/2)); n and the sum are in Q6. */
static int32_t log_of(int32_t v)
{
	enum { ROOT = 1518500250, FOURTH_ROOT = 1805811301, QUARTER = 1 << 23 };
	int32_t zeros = leading_zeros((uint32_t)v), low = cop_high_mul(v, ROOT), room = leading_zeros((uint32_t)low) - 1;
	int32_t ra = shift_up(cop_high_mul(shift_up(v, zeros - 1), ROOT), 1), rb = shift_up(v, room);
	int32_t na = shift_up(12 - zeros, 25) + QUARTER, nb = shift_up(12 - room, 25) - QUARTER, r = ra < rb ? ra : rb, n = na > nb ? na : nb;
	int64_t both = (int64_t)r + FOURTH_ROOT;
	int32_t p = (int32_t)((both + (both >= 0 ? 1 : -1)) / 2), q = 2 * (r - FOURTH_ROOT), q2 = cop_high_mul(q, q);
	int32_t above = cop_high_mul(q, r) + cop_high_mul(cop_high_mul(q, q2), 117049297);
	int32_t below = cop_high_mul(p, 1057819769 + q + cop_high_mul(127690142, q2)) + cop_high_mul(638450708, q);

	return shift_up(cop_high_mul(n, 1488522236) + cop_high_mul(cop_round_shift(above, 6), reciprocal(below)), 1);
}

static void log_softmax_row(const int32_t *k, int8_t *y, const int8_t *x)
{
	int32_t most = largest(x, k[QS_C]), whole = log_of(sum_of_exp(k, x, most));
	int32_t least = cop_scale_double(whole + INT32_MIN, k[QS_BACK], k[QS_BACK_SHIFT]); /* what Q5 holds below it */

	if (least < k[QS_LEAST] - 1) least = k[QS_LEAST] - 1;
	for (int32_t i = 0; i < k[QS_C]; i++) {
		int32_t d = x[i] - most;
		y[i] = (int8_t)(d > least ? cop_clampi(cop_round_shift(scaled(k, d) - whole, 22) + 127, -128, 127) : -128);
	}
}

void cop_qlogsoftmax_i8(const cop_call *c)
{
	int32_t from = cop_from(c, c->k[QS_ROWS], 1), to = cop_to(c, c->k[QS_ROWS], 1);

	for (int32_t r = from; r < to; r++)
		log_softmax_row(c->k, (int8_t *)c->buf[0] + (size_t)r * (size_t)c->k[QS_C], (const int8_t *)c->buf[1] + (size_t)r * (size_t)c->k[QS_C]);
}
