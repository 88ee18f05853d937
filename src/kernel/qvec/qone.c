/* SPDX-License-Identifier: Apache-2.0
 *
 * qone - int8 layers of one pixel, most of them fully connected with one sample: reading the weights is all there is, so they are
 * multiplied as bytes, without being widened. For x86.
 *
 * vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits. With |x| <= 128 for the first and w under the sign of x
 * for the second that is at most 2 * 128 * 127: nothing saturates. A weight of -128 has no opposite; quantisation makes none, and a
 * panel that has one is summed plainly.
 */
#include "kernel/qvec/qconv.h"

#if PAIRS && VW > 4

enum { QUAD = 4 };

static long panels(long o) { return (o + PANEL - 1) / PANEL; }
static long quads(const int32_t *k) { return ((long)k[CK_KH] * k[CK_KW] * k[CK_C] + QUAD - 1) / QUAD; }
static long panel_bytes(const int32_t *k) { return quads(k) * PANEL * QUAD; }

bool VN(qone_fits)(const int32_t *k) { return is_one_pixel(k); }

size_t VN(qone_work)(const int32_t *k) { return (size_t)(quads(k) * QUAD + 64); }

/* [panel][quad of x][lane][4], then for each panel whether it holds a -128. */
size_t VN(qone_pack_bytes)(const int32_t *k) { return (size_t)(panels(k[CK_O]) * panel_bytes(k)) + (size_t)panels(k[CK_O]) * sizeof(int32_t); }
static int32_t *least_at(const int32_t *k, void *pack) { return (void *)((char *)pack + panels(k[CK_O]) * panel_bytes(k)); }

static void pack(const cop_call *c, int bits)
{
	const int32_t *k = c->k;
	long taps = (long)k[CK_KH] * k[CK_KW], run = taps * k[CK_C];
	int32_t np = (int32_t)panels(k[CK_O]);

	for (long q = cop_from(c, np, 1); q < cop_to(c, np, 1); q++) {
		int8_t *p = (int8_t *)c->work + q * panel_bytes(k);
		bool least = false;
		for (long i = 0; i < quads(k) * QUAD; i++)
			for (long l = 0; l < PANEL; l++) {
				long o = q * PANEL + l;
				int8_t w = o < k[CK_O] && i < run ? weight_at(c->buf[2], bits, o * taps + i / k[CK_C], k[CK_C], i % k[CK_C]) : 0;
				p[(i / QUAD * PANEL + l) * QUAD + i % QUAD] = w;
				least |= w == -128;
			}
		least_at(k, c->work)[q] = least;
	}
}

void VN(qone_pack)(const cop_call *c) { pack(c, 8); }
void VN(qone_pack4)(const cop_call *c) { pack(c, 4); }

enum { AHEAD = 2048, MOST = 2 }; /* bytes that are asked for in time; panels side by side, which share what is made of x */

typedef union sums { __m256i v[PANEL / 8]; int32_t i[PANEL]; vi a[2]; } sums;

typedef struct layer {
	const int8_t *w, *x;
	const uint8_t *size;          /* |x| */
	const int32_t *bias, *m, *s;
	const int32_t *least;         /* by panel: is there a weight of -128? */
	long pitch, quads, o;
	int8_t *y;
	rule r;
} layer;

AI void sum_quads(const int np, sums *sum, const int8_t *w, const layer *l)
{
	const __m256i ones = _mm256_set1_epi16(1);
	const int8_t *x = l->x;
	const uint8_t *size = l->size;

	for (long n = l->quads; n > 0; n--, x += QUAD, size += QUAD, w += PANEL * QUAD) {
		__m256i s = _mm256_set1_epi32(*(const word *)x), a = _mm256_set1_epi32(*(const word *)size);
		UNROLL
		for (int p = 0; p < np; p++) {
			__builtin_prefetch(w + p * l->pitch + AHEAD);
			UNROLL
			for (int j = 0; j < PANEL / 8; j++) {
				__m256i t = _mm256_sign_epi8(_mm256_loadu_si256((const void *)(w + p * l->pitch + j * 32)), s);
				sum[p].v[j] = _mm256_add_epi32(sum[p].v[j], _mm256_madd_epi16(_mm256_maddubs_epi16(a, t), ones));
			}
		}
	}
}

static void sum_plainly(sums *sum, const int8_t *w, const layer *l)
{
	for (long n = 0; n < l->quads * QUAD; n += QUAD, w += PANEL * QUAD)
		for (long o = 0; o < PANEL; o++)
			for (long i = 0; i < QUAD; i++) sum->i[o] += w[o * QUAD + i] * l->x[n + i];
}

/* np panels from the q-th on. */
AI void run(const int np, const layer *l, long q)
{
	const int8_t *w = l->w + q * l->pitch;
	sums sum[MOST];
	bool least = false;

	UNROLL
	for (int p = 0; p < np; p++) {
		UNROLL
		for (int j = 0; j < PANEL / 8; j++) { /* of the last panel no more than the 64 bytes behind a buffer */
			const long o = (q + p) * PANEL + 8 * j;
			sum[p].v[j] = o < l->o ? _mm256_loadu_si256((const void *)(l->bias + o)) : _mm256_setzero_si256();
		}
		least |= l->least[q + p];
	}
	if (LIKELY(!least)) sum_quads(np, sum, w, l);
	else
		for (int p = 0; p < np; p++) sum_plainly(&sum[p], w + p * l->pitch, l);
	UNROLL
	for (int p = 0; p < np; p++) {
		long at = (q + p) * PANEL;
		requant(1, 1, sum[p].a, l->m + at, l->s + at, &l->r);
		if (at + VW < l->o) requant(1, 1, sum[p].a + 1, l->m + at + VW, l->s + at + VW, &l->r);
		put2(l->y + at, sum[p].a[0], sum[p].a[1], lmin(PANEL, l->o - at), &l->r);
	}
}

void VN(qone_i8)(const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4], *bias = c->buf[3];
	uint8_t *size = c->work;
	long n = quads(k), o = k[CK_O], q = cop_from(c, (int32_t)panels(o), 1), to = cop_to(c, (int32_t)panels(o), 1);
	layer l = {.w = c->pack, .x = c->buf[1], .size = size, .bias = bias, .m = m, .s = k[QK_TWICE] ? m + o : m, .pitch = panel_bytes(k), .quads = n, .o = o, .y = c->buf[0],
		.least = least_at(k, (void *)(uintptr_t)c->pack),
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = k[QK_TWICE] && plain_shifts(m + o, bias, o, n * QUAD), .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};

	for (long i = 0; i < n * QUAD; i += 32) _mm256_storeu_si256((void *)(size + i), _mm256_abs_epi8(_mm256_loadu_si256((const void *)(l.x + i))));
	for (; q + MOST <= to; q += MOST) run(MOST, &l, q);
	for (; q < to; q++) run(1, &l, q);
}

#endif
