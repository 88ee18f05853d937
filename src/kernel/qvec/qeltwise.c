/* SPDX-License-Identifier: Apache-2.0
 *
 * qeltwise - int8 sums, tables, and the way from and to floats, element by element. A result may lie on its first operand.
 */
#include "kernel/qvec/qvec.h"

/* gcc 12 takes the bytes of a conversion one by one. */
AI vi widen(const int8_t *x)
{
#if VW == 16 && !defined(QPLAIN)
	return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)x));
#elif VW == 8 && !defined(QPLAIN)
	return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)x));
#else
	return __builtin_convertvector(*(const bvu *)x, vi);
#endif
}

/* ---- qadd ---- */

/* SINGLE: one rounding. HALF: TFLite's, operand a being the one of larger scale, whose factor is then 1/2 and exact, and the
 * other shifts to the right. ANY: TFLite's. */
typedef enum kind { SINGLE, HALF, ANY } kind;
typedef struct adder { vi za, zb, ma, mb, zeros, high, low; int32_t sy, zy; factor a, b, y; rule r; } adder;

/* twice(a << 20) for a of nine bits and no shift to the left: 20 bits of the product are zeros, the multiplier goes in two
 * halves, and 32 bits hold everything. */
AI vi narrow_twice(vi a, const factor *f)
{
	vi low = f->m & 0xffff, high = f->m >> 16;
	a = ((a * high) << 5) + ((a * low + 1024) >> 11);
	return sra(a + f->half + ((a >> 31) & f->some), f->right);
}

/* a ma + b mb modulo 2^32, factors of 22 bits. Pairs of i16 are multiplied faster than lanes: each factor in two halves of 11. */
AI vi both(const adder *t, const int8_t *a, const int8_t *b)
{
#if VW == 8 && !defined(QPLAIN)
	__m256i ab = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(_mm_loadl_epi64((const void *)a), _mm_loadl_epi64((const void *)b)));
	return (vi)_mm256_add_epi32(_mm256_slli_epi32(_mm256_madd_epi16(ab, (__m256i)t->high), 11), _mm256_madd_epi16(ab, (__m256i)t->low));
#else
	return widen(a) * t->ma + widen(b) * t->mb;
#endif
}

AI vi sum(const adder *t, const int8_t *pa, const int8_t *pb, const kind how)
{
	if (how == SINGLE) return ((both(t, pa, pb) + t->zeros) >> t->sy) + t->zy;
	vi a = widen(pa) - t->za, b = widen(pb) - t->zb;
	if (how == HALF) return twice((a << 19) + narrow_twice(b, &t->b), &t->y) + t->zy;
	return twice(twice(a << 20, &t->a) + twice(b << 20, &t->b), &t->y) + t->zy;
}

AI void add(const cop_call *c, const adder *job, const kind exact)
{
	const adder own = *job, *t = &own; /* whose address stays here: no store can change it */
	const int8_t *a = c->buf[1], *b = c->buf[2];
	int8_t *y = c->buf[0];
	long i = cop_from(c, c->k[QA_COUNT], 64), to = cop_to(c, c->k[QA_COUNT], 64);

	for (; i + 2 * VW <= to; i += 2 * VW)
		put2(y + i, sum(t, a + i, b + i, exact), sum(t, a + i + VW, b + i + VW, exact), 2 * VW, &t->r);
	for (; i < to; i += VW) put(y + i, sum(t, a + i, b + i, exact), lmin(VW, to - i), &t->r);
}

static bool half(int32_t m, int32_t shift, int32_t other) { return m == 1 << 30 && !shift && other <= 0; }

static void add_job(const cop_call *c, const int32_t *k)
{
	adder t = {.za = splat(k[QA_ZA]), .zb = splat(k[QA_ZB]), .ma = splat(k[QA_MA]), .mb = splat(k[QA_MB]), .sy = k[QA_SY], .zy = k[QA_ZY],
		.r = {.lo = (int8_t)k[QA_LO], .hi = (int8_t)k[QA_HI]}};

	if (!k[QA_TWICE]) {
		t.zeros = splat((int32_t)((1u << (k[QA_SY] - 1)) - (uint32_t)k[QA_ZA] * (uint32_t)k[QA_MA] - (uint32_t)k[QA_ZB] * (uint32_t)k[QA_MB]));
		t.high = splat((int32_t)((uint32_t)(k[QA_MB] >> 11) << 16 | (uint16_t)(k[QA_MA] >> 11)));
		t.low = splat((k[QA_MB] & 2047) << 16 | (k[QA_MA] & 2047));
		add(c, &t, SINGLE);
		return;
	}
	t.a = factor_of(t.ma, splat(k[QA_SA]));
	t.b = factor_of(t.mb, splat(k[QA_SB]));
	t.y = factor_of(splat(k[QA_MY]), splat(k[QA_SY]));
	if (half(k[QA_MA], k[QA_SA], k[QA_SB])) add(c, &t, HALF);
	else add(c, &t, ANY);
}

bool VN(qadd_fits)(const int32_t *k) { return !k[QA_SHAPE]; } /* operands that lie alike */

void VN(qadd_i8)(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t own[QA_WORDS];
	void *const buf[3] = {c->buf[0], c->buf[2], c->buf[1]};
	cop_call turned = *c;

	memcpy(own, k, sizeof own);
	if (k[QA_TWICE] && half(k[QA_MB], k[QA_SB], k[QA_SA])) { /* the half goes first */
		own[QA_ZA] = k[QA_ZB];
		own[QA_MA] = k[QA_MB];
		own[QA_SA] = k[QA_SB];
		own[QA_ZB] = k[QA_ZA];
		own[QA_MB] = k[QA_MA];
		own[QA_SB] = k[QA_SA];
		turned.buf = buf;
	}
	add_job(&turned, own);
}

/* ---- qlut ---- */

/* 16 tables of 16: an index that is not within one's reach gets bit 7, and 0 from it. */
static long look_up(uint8_t *y, const uint8_t *x, const uint8_t *table, long i, long to)
{
#if VW > 4 && !defined(QPLAIN)
	__m256i part[16];

	for (int t = 0; t < 16; t++) part[t] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(table + 16 * t)));
	for (; i + 32 <= to; i += 32) {
		__m256i q = _mm256_loadu_si256((const void *)(x + i)), s = _mm256_setzero_si256();
		UNROLL
		for (int t = 0; t < 16; t++) {
			__m256i at = _mm256_adds_epu8(_mm256_xor_si256(q, _mm256_set1_epi8((char)(16 * t))), _mm256_set1_epi8(0x70));
			s = _mm256_or_si256(s, _mm256_shuffle_epi8(part[t], at));
		}
		_mm256_storeu_si256((void *)(y + i), s);
	}
#elif defined(__aarch64__) && !defined(QPLAIN)
	uint8x16x4_t part[4];

	for (int t = 0; t < 4; t++) part[t] = vld1q_u8_x4(table + 64 * t);
	for (; i + 16 <= to; i += 16) {
		uint8x16_t q = vld1q_u8(x + i), s = vqtbl4q_u8(part[0], q);
		for (int t = 1; t < 4; t++) s = vorrq_u8(s, vqtbl4q_u8(part[t], veorq_u8(q, vdupq_n_u8((uint8_t)(64 * t)))));
		vst1q_u8(y + i, s);
	}
#else
	(void)y, (void)x, (void)table, (void)to;
#endif
	return i;
}

void VN(qlut_i8)(const cop_call *c)
{
	uint8_t *y = c->buf[0];
	const uint8_t *x = c->buf[1], *table = c->buf[2];
	long i = cop_from(c, c->k[QL_COUNT], 64), to = cop_to(c, c->k[QL_COUNT], 64);
	bool flip = true; /* the way from u8 to i8 */

	for (int t = 0; t < 256; t++) flip &= table[t] == (t ^ 128);
	if (flip)
		for (; i + 16 <= to; i += 16) STB((int8_t *)y + i, LDB((const int8_t *)x + i) ^ -128);
	else
		i = look_up(y, x, table, i, to);
	for (; i < to; i++) y[i] = table[x[i]];
}

/* ---- quantize, dequantize ---- */

AI vf vf_of(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }

/* round(x / scale), ties away from zero, held within +-2^20; NaN becomes 0 */
AI vi round_away(vf x, float scale)
{
	vf q = x / scale, most = (vf){0} + (float)(1 << 20);

	q = vf_of(q > most, most, vf_of(q < -most, -most, vf_of(q == q, q, (vf){0})));
	vi whole = __builtin_convertvector(q, vi);
	vf rest = q - __builtin_convertvector(whole, vf);
	return whole - (rest >= 0.5f) + (rest <= -0.5f);
}

/* u8: the same with bytes and zero 128 lower, then turned over. */
AI void quantize(const cop_call *c, const int32_t lower)
{
	const float *x = c->buf[1], scale = cop_f(c->k[QQ_SCALE]);
	int8_t *y = c->buf[0];
	long i = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);

	for (; i < to; i += VW) {
		b16 q = narrow(round_away(*(const vfu *)(x + i), scale) + (c->k[QQ_ZERO] - lower));
		put_some(y + i, lower ? q ^ -128 : q, lmin(VW, to - i));
	}
}

void VN(quantize_i8)(const cop_call *c) { quantize(c, 0); }
void VN(quantize_u8)(const cop_call *c) { quantize(c, 128); }

AI void dequantize(const cop_call *c, const int32_t mask)
{
	float *y = c->buf[0], scale = cop_f(c->k[QQ_SCALE]);
	const int8_t *x = c->buf[1];
	const int32_t zero = c->k[QQ_ZERO];
	long i = cop_from(c, c->k[QQ_COUNT], 64), to = cop_to(c, c->k[QQ_COUNT], 64);

	for (; i + VW <= to; i += VW) *(vfu *)(y + i) = (vfu)(scale * __builtin_convertvector((widen(x + i) & mask) - zero, vf));
	for (; i < to; i++) y[i] = scale * (float)((x[i] & mask) - zero);
}

void VN(dequantize_i8)(const cop_call *c) { dequantize(c, -1); }
void VN(dequantize_u8)(const cop_call *c) { dequantize(c, 255); }
