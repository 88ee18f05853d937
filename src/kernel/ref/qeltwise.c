/* SPDX-License-Identifier: Apache-2.0
 *
 * qeltwise - int8 sums, products and tables. A result may lie on its first operand.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

/* TFLite's sum of two scales: both operands 20 bits up, each to the larger scale, the sum to the result's. */
static int32_t sum_double(const int32_t *k, int32_t a, int32_t b)
{
	return cop_scale_double(cop_wrap_add(cop_scale_double(a * (1 << 20), k[QA_MA], k[QA_SA]), cop_scale_double(b * (1 << 20), k[QA_MB], k[QA_SB])), k[QA_MY], k[QA_SY]);
}

static inline int8_t sum(const int32_t *k, int32_t a, int32_t b)
{
	int32_t p = a - k[QA_ZA], q = b - k[QA_ZB];
	int32_t s = k[QA_TWICE] ? sum_double(k, p, q) : (p * k[QA_MA] + q * k[QA_MB] + (int32_t)((uint32_t)1 << (k[QA_SY] - 1))) >> k[QA_SY];
	return (int8_t)cop_clampi(k[QA_ZY] + s, k[QA_LO], k[QA_HI]);
}

static inline int8_t product(const int32_t *k, int32_t a, int32_t b)
{
	int32_t p = (a - k[QM_ZA]) * (b - k[QM_ZB]);
	return (int8_t)cop_clampi(cop_wrap_add(k[QM_ZY], cop_scale_double(p, k[QM_MY], k[QM_SY])), k[QM_LO], k[QM_HI]);
}

typedef int8_t of_two(const int32_t *k, int32_t a, int32_t b);

/* shape: where the words of broadcasting begin. */
static inline void each(const cop_call *c, const int32_t *shape, int32_t count, of_two *f)
{
	const int32_t *k = c->k, *dim = shape + QB_DIM, last = shape[QB_RANK] - 1;
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int8_t *y = c->buf[0];

	if (last < 0) {
		for (int32_t i = cop_from(c, count, 64), to = cop_to(c, count, 64); i < to; i++) y[i] = f(k, a[i], b[i]);
		return;
	}
	int32_t n = dim[last], rows = count / n, sa = shape[QB_A + last], sb = shape[QB_B + last];
	for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {
		ptrdiff_t oa = 0, ob = 0;
		for (int32_t i = last - 1, q = r; i >= 0; q /= dim[i], i--) {
			oa += (ptrdiff_t)(q % dim[i]) * shape[QB_A + i];
			ob += (ptrdiff_t)(q % dim[i]) * shape[QB_B + i];
		}
		for (int32_t i = 0; i < n; i++) y[(ptrdiff_t)r * n + i] = f(k, a[oa + i * sa], b[ob + i * sb]);
	}
}

void cop_qadd_i8(const cop_call *c) { each(c, c->k + QA_SHAPE, c->k[QA_COUNT], sum); }
void cop_qmul_i8(const cop_call *c) { each(c, c->k + QM_SHAPE, c->k[QM_COUNT], product); }

void cop_qlut_i8(const cop_call *c)
{
	uint8_t *y = c->buf[0];
	const uint8_t *x = c->buf[1], *table = c->buf[2];
	int32_t from = cop_from(c, c->k[QL_COUNT], 64), to = cop_to(c, c->k[QL_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = table[x[i]];
}
