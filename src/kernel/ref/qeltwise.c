/* SPDX-License-Identifier: Apache-2.0
 *
 * qeltwise - sums, products and tables of int8 and int16. A result may lie on its first operand.
 */
#include "kernel/kernel.h"
#include "kernel/quant.h"

/* TFLite's sum of two scales: both operands `left` bits up, each to the larger scale, the sum to the result's, whose shift counts 20 of them. */
static int32_t sum_double(const int32_t *k, int32_t a, int32_t b, int32_t left)
{
	return cop_scale_double(cop_wrap_add(cop_scale_double(a * (1 << left), k[QA_MA], k[QA_SA]), cop_scale_double(b * (1 << left), k[QA_MB], k[QA_SB])), k[QA_MY], k[QA_SY] + 20 - left);
}

static inline int32_t sum_i8(const int32_t *k, int32_t a, int32_t b)
{
	int32_t p = a - k[QA_ZA], q = b - k[QA_ZB];
	int32_t s = k[QA_TWICE] ? sum_double(k, p, q, 20) : (p * k[QA_MA] + q * k[QA_MB] + (int32_t)((uint32_t)1 << (k[QA_SY] - 1))) >> k[QA_SY];
	return cop_clampi(k[QA_ZY] + s, k[QA_LO], k[QA_HI]);
}

/* All zeros are 0. */
static inline int32_t sum_i16(const int32_t *k, int32_t a, int32_t b)
{
	int32_t s = k[QA_TWICE] ? sum_double(k, a, b, 15) : cop_held(((int64_t)a * k[QA_MA] + (int64_t)b * k[QA_MB] + ((int64_t)1 << (k[QA_SY] - 1))) >> k[QA_SY]);
	return cop_clampi(s, k[QA_LO], k[QA_HI]);
}

static inline int32_t product(const int32_t *k, int32_t a, int32_t b)
{
	int32_t p = (a - k[QM_ZA]) * (b - k[QM_ZB]);
	return cop_clampi(cop_wrap_add(k[QM_ZY], cop_scale_double(p, k[QM_MY], k[QM_SY])), k[QM_LO], k[QM_HI]);
}

/* F of each pair of elements; shape: where the words of broadcasting begin. */
#define EACH(NAME, T, F, SHAPE, COUNT)                                                                          \
	void cop_##NAME(const cop_call *c);                                                                     \
	void cop_##NAME(const cop_call *c)                                                                      \
	{                                                                                                       \
		const int32_t *k = c->k, *shape = k + (SHAPE), *dim = shape + QB_DIM, last = shape[QB_RANK] - 1, count = k[COUNT]; \
		const T *a = c->buf[1], *b = c->buf[2];                                                         \
		T *y = c->buf[0];                                                                               \
		if (last < 0) {                                                                                 \
			for (int32_t i = cop_from(c, count, 64), to = cop_to(c, count, 64); i < to; i++) y[i] = (T)F(k, a[i], b[i]); \
			return;                                                                                 \
		}                                                                                               \
		int32_t n = dim[last], rows = count / n, sa = shape[QB_A + last], sb = shape[QB_B + last];      \
		for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {                \
			ptrdiff_t oa = 0, ob = 0;                                                               \
			for (int32_t i = last - 1, q = r; i >= 0; q /= dim[i], i--) {                           \
				oa += (ptrdiff_t)(q % dim[i]) * shape[QB_A + i];                                \
				ob += (ptrdiff_t)(q % dim[i]) * shape[QB_B + i];                                \
			}                                                                                       \
			for (int32_t i = 0; i < n; i++) y[(ptrdiff_t)r * n + i] = (T)F(k, a[oa + i * sa], b[ob + i * sb]); \
		}                                                                                               \
	}
EACH(qadd_i8, int8_t, sum_i8, QA_SHAPE, QA_COUNT)
EACH(qadd_i16, int16_t, sum_i16, QA_SHAPE, QA_COUNT)
EACH(qmul_i8, int8_t, product, QM_SHAPE, QM_COUNT)
EACH(qmul_i16, int16_t, product, QM_SHAPE, QM_COUNT)

void cop_qlut_i8(const cop_call *c)
{
	uint8_t *y = c->buf[0];
	const uint8_t *x = c->buf[1], *table = c->buf[2];
	int32_t from = cop_from(c, c->k[QL_COUNT], 64), to = cop_to(c, c->k[QL_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = table[x[i]];
}

/* 512 steps of 128, and straight lines between them, as TFLite has it. */
void cop_qlut_i16(const cop_call *c)
{
	int16_t *y = c->buf[0];
	const int16_t *x = c->buf[1], *table = c->buf[2];
	int32_t from = cop_from(c, c->k[QL_COUNT], 64), to = cop_to(c, c->k[QL_COUNT], 64);

	for (int32_t i = from; i < to; i++) {
		const int16_t *at = table + ((x[i] >> 7) + 256);
		y[i] = (int16_t)(at[0] + (((at[1] - at[0]) * (x[i] & 127) + 64) >> 7));
	}
}
