/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise_palette - dropout, and weights drawn from a codebook with the gradient of the codebook.
 *
 * dropout draws the very elements that the portable kernel draws: the hash is integer arithmetic on lanes (vmath.h).
 */
#include "kernel/vec/vmath.h"

enum { GRAIN = 64, BANKS = 4 };

void VN(dropout_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[DK_COUNT], GRAIN);
	const float p = cop_f(k[DK_P]), scale = 1.0f / (1.0f - p), *x = c->buf[1];
	const uint32_t below = (uint32_t)(p * 4294967296.0f), at = *(const uint32_t *)c->buf[2];
	const uint32_t h = cop_hash32_of((uint32_t)k[DK_SEED], at, (uint32_t)k[DK_NODE]);
	float *y = c->buf[0];

	for (long i = cop_from(c, k[DK_COUNT], GRAIN); i < to; i += VW) {
		const vw drawn = vhash32(h, (vw)lanes() + (uint32_t)i);
		put(y + i, (v)((vi)(LD(x + i) * scale) & (vi)(drawn >= below)), lmin(VW, to - i));
	}
}

/* ---- palette ---- */

#if VW > 4
/* Up to 16 entries live in registers and are picked by a permutation. */
AI v pick(const v *book, vi code)
{
#if VW == 16
	return (v)_mm512_permutexvar_ps((__m512i)code, (__m512)book[0]);
#else
	const v low = (v)_mm256_permutevar8x32_ps((__m256)book[0], (__m256i)code);
	const v high = (v)_mm256_permutevar8x32_ps((__m256)book[1], (__m256i)code);
	return choose(code > 7, high, low);
#endif
}

static void small_book(float *w, const float *codebook, long levels, const uint8_t *code, long from, long to)
{
	float t[16];
	v book[2];

	for (int i = 0; i < 16; i++) t[i] = codebook[cop_inside(i, (int32_t)levels)];
	const vi last = splati(15);
	book[0] = LD(t);
	book[1] = LD(t + 16 - VW);
	for (long i = from; i < to; i += VW) put(w + i, pick(book, imin(get_u8(code + i), last)), lmin(VW, to - i));
}
#endif

/* w[from..to), all of one codebook. */
static void from_book(float *w, const float *book, int32_t levels, const uint8_t *code, long from, long to)
{
#if VW > 4
	if (levels <= 16) {
		small_book(w, book, levels, code, from, to);
		return;
	}
#endif
	for (long i = from; i < to; i++) w[i] = book[cop_inside(code[i], levels)];
}

void VN(palette_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long to = cop_to(c, k[TK_COUNT], GRAIN), run = k[TK_RUN];

	for (long i = cop_from(c, k[TK_COUNT], GRAIN); i < to; i = (i / run + 1) * run)
		from_book(c->buf[0], (const float *)c->buf[1] + i / run * k[TK_LEVELS], k[TK_LEVELS], c->buf[2], i, lmin(to, (i / run + 1) * run));
}

size_t VN(palette_grad_work)(const int32_t *k) { return (size_t)BANKS * 4 * (size_t)k[TK_LEVELS] + 64; }

/* Neighbours often share a code: four banks of sums keep an addition from waiting for the one before it. */
static void sum_by_code(float *out, float *sum, const float *dw, const uint8_t *code, long n, long levels)
{
	long i = 0;

	vzero(sum, BANKS * levels);
	for (; i + BANKS <= n; i += BANKS) {
		UNROLL
		for (int b = 0; b < BANKS; b++) sum[b * levels + lmin(code[i + b], levels - 1)] += dw[i + b];
	}
	for (; i < n; i++) sum[lmin(code[i], levels - 1)] += dw[i];
	for (long l = 0; l < levels; l++)
		out[l] = (sum[l] + sum[levels + l]) + (sum[2 * levels + l] + sum[3 * levels + l]);
}

void VN(palette_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	float *out = c->buf[0];

	for (long i = 0; i < k[TK_COUNT]; i += k[TK_RUN], out += k[TK_LEVELS]) {
		sum_by_code(out, c->work, (const float *)c->buf[1] + i, (const uint8_t *)c->buf[2] + i, lmin(k[TK_RUN], k[TK_COUNT] - i), k[TK_LEVELS]);
		if (k[TK_ZERO]) out[0] = 0;
	}
}
