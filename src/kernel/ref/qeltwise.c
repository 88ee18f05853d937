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

void cop_qadd_i8(const cop_call *c)
{
	const int32_t *k = c->k;
	int8_t *y = c->buf[0];
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int32_t from = cop_from(c, k[QA_COUNT], 64), to = cop_to(c, k[QA_COUNT], 64);

	for (int32_t i = from; i < to; i++) {
		int32_t p = a[i] - k[QA_ZA], q = b[i] - k[QA_ZB];
		int32_t s = k[QA_TWICE] ? sum_double(k, p, q) : (p * k[QA_MA] + q * k[QA_MB] + (int32_t)((uint32_t)1 << (k[QA_SY] - 1))) >> k[QA_SY];
		y[i] = (int8_t)cop_clampi(k[QA_ZY] + s, k[QA_LO], k[QA_HI]);
	}
}

void cop_qmul_i8(const cop_call *c)
{
	const int32_t *k = c->k;
	int8_t *y = c->buf[0];
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int32_t from = cop_from(c, k[QM_COUNT], 64), to = cop_to(c, k[QM_COUNT], 64);

	for (int32_t i = from; i < to; i++) {
		int32_t j = i / k[QM_INNER] * k[QM_BLEN] + i % k[QM_INNER] % k[QM_BLEN];
		int32_t p = (a[i] - k[QM_ZA]) * (b[j] - k[QM_ZB]);
		y[i] = (int8_t)cop_clampi(cop_wrap_add(k[QM_ZY], cop_scale_double(p, k[QM_MY], k[QM_SY])), k[QM_LO], k[QM_HI]);
	}
}

void cop_qlut_i8(const cop_call *c)
{
	uint8_t *y = c->buf[0];
	const uint8_t *x = c->buf[1], *table = c->buf[2];
	int32_t from = cop_from(c, c->k[QL_COUNT], 64), to = cop_to(c, c->k[QL_COUNT], 64);

	for (int32_t i = from; i < to; i++) y[i] = table[x[i]];
}
