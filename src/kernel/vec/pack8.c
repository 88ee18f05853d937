/* SPDX-License-Identifier: Apache-2.0
 *
 * pack8, unpack8, within - with the bits of the portable kernels.
 */
#include "kernel/vec/vec.h"
#include "kernel/vec/vmath.h"

static float largest(const float *x, long n)
{
	vi most = {0};
	int32_t one = 0;

	for (long i = 0; i < n; i += VW) most = -imin(-most, -((vi)ldn(x + i, lmin(VW, n - i)) & 0x7fffffff));
	for (int i = 0; i < VW; i++) one = most[i] > one ? most[i] : one;
	return cop_unbits(one);
}

static void pack_row(int8_t *q, const float *x, long n, float by, int32_t zero)
{
	const v whole = splat(12582912.0f);

	for (long i = 0; i < n; i += VW) {
		v scaled = LD(x + i) * by;
		KEEP(scaled);
		put_i8(q + i, (vi)(scaled + whole) - (vi)whole + zero, lmin(VW, n - i));
	}
}

void VN(pack8_i8)(const cop_call *c)
{
	const int32_t *k = c->k, zero = k[P8_ZERO];
	const long n = k[P8_C];
	const float steps = zero ? 255.0f : 127.0f;

	for (long r = cop_from(c, k[P8_ROWS], 1), to = cop_to(c, k[P8_ROWS], 1); r < to; r++) {
		const float *x = (const float *)c->buf[2] + r * n, most = largest(x, n);
		pack_row((int8_t *)c->buf[0] + r * n, x, n, most < 1e-30f ? 0 : steps / most, zero);
		((float *)c->buf[1])[r] = most < 1e-30f ? 0 : most / steps;
	}
}

void VN(unpack8_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long n = k[P8_C];

	for (long r = cop_from(c, k[P8_ROWS], 1), to = cop_to(c, k[P8_ROWS], 1); r < to; r++) {
		const int8_t *q = (const int8_t *)c->buf[1] + r * n;
		const v step = splat(((const float *)c->buf[2])[r]);
		float *x = (float *)c->buf[0] + r * n;
		for (long i = 0; i < n; i += VW) put(x + i, __builtin_convertvector(get_i8(q + i) - k[P8_ZERO], v) * step, lmin(VW, n - i));
	}
}

/* Of eight numbers and no more than n. */
AI uint32_t eight(const float *y, v lo, v hi, long n)
{
	uint32_t bits = bits_of((LD(y) > lo) & (LD(y) < hi));

	if (VW == 4) bits |= bits_of((LD(y + 4) > lo) & (LD(y + 4) < hi)) << 4;
	return bits & (n < 8 ? (1u << n) - 1 : 255);
}

void VN(within_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long n = k[QI_C], bytes = (n + 7) / 8;
	const v lo = splat(cop_f(k[QI_LO])), hi = splat(cop_f(k[QI_HI]));

	for (long r = cop_from(c, k[QI_ROWS], 1), to = cop_to(c, k[QI_ROWS], 1); r < to; r++) {
		const float *y = (const float *)c->buf[1] + r * n;
		uint8_t *in = (uint8_t *)c->buf[0] + r * bytes;
		for (long b = 0; b < bytes; b++) in[b] = (uint8_t)eight(y + 8 * b, lo, hi, n - 8 * b);
	}
}
