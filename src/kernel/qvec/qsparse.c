/* SPDX-License-Identifier: Apache-2.0
 *
 * qsparse - int8 convolutions and fully connected layers whose weights are mostly zero, from tiles (kernel/tiles.h).
 *
 * With permutations of whole vectors (VBMI) a tile is 128 inputs wide, with those of NEON 32. AVX2 permutes 16 bytes, and multiplies as qone.c does: |x|
 * by the weight with the sign of x. Two products fit an int16, as tiles hold no -128.
 */
#include "kernel/qvec/qconv.h"
#include "kernel/tiles.h"

#if defined(QPLAIN) || defined(__AVX512VBMI__) || (PAIRS && VW < 16)
#include "kernel/qvec/qsparse.h"

#if defined(QPLAIN) || defined(__AVX512VBMI__)
enum { WIDTH = 128, PIXELS = 4 };
typedef struct inputs { vi a, b; } inputs;
AI inputs fetch(const staged *x) { return (inputs){LDI(x), LDI(x + 64)}; }
AI vi step(vi acc, inputs x, vi column, vi w)
{
#if defined(QPLAIN)
	uint8_t from[128], at[64], got[64];
	memcpy(from, &x, 128), memcpy(at, &column, 64);
	for (int i = 0; i < 64; i++) got[i] = from[at[i] & 127];
	memcpy(&column, got, 64);
	return dot(acc, column, w);
#else
	return dot(acc, (vi)_mm512_permutex2var_epi8((mi)x.a, (mi)column, (mi)x.b), w);
#endif
}
#elif defined(__aarch64__)
enum { WIDTH = 32, PIXELS = 4 };
typedef uint8x16x2_t inputs;
AI inputs fetch(const staged *x) { return (inputs){{vld1q_u8((const uint8_t *)x), vld1q_u8((const uint8_t *)x + 16)}}; }
AI vi step(vi acc, inputs x, vi column, vi w)
{
	int8x16_t mine = vreinterpretq_s8_u8(vqtbl2q_u8(x, (uint8x16_t)column));
	int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8(mine)), high = vmull_high_s8((int8x16_t)w, mine);
	return (vi)vpadalq_s16((int32x4_t)acc, vpaddq_s16(low, high)); /* two products: at most 2 * 127 * 128 */
}
#else
enum { WIDTH = 16, PIXELS = 2 };
typedef vi inputs;
AI inputs fetch(const staged *x) { return (vi)_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)x)); }
AI vi step(vi acc, inputs x, vi column, vi w)
{
	mi mine = _mm256_shuffle_epi8((mi)x, (mi)column), pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(mine), _mm256_sign_epi8((mi)w, mine));
	return acc + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#endif

typedef struct packed { const uint32_t *start; const uint8_t *count, *column; const int8_t *weight; long tiles; } packed;

static cop_tiling tiling(const int32_t *k) { return (cop_tiling){k[CK_O], k[CK_KH], k[CK_KW] * k[CK_C], VW, WIDTH, SLOTS, 1}; }

AI void panel_pixels(const int np, const layer *l, long panel, const staged *x, int8_t *y)
{
	const packed *k = l->pack;
	const uint8_t *count = k->count + panel * k->tiles, *column = k->column + (long)k->start[panel] * STEP;
	const int8_t *w = k->weight + (long)k->start[panel] * STEP;
	vi even[PIXELS], odd[PIXELS];
	inputs in[PIXELS];

	UNROLL
	for (int p = 0; p < np; p++) even[p] = first_of(l, panel), odd[p] = (vi){0};
	for (long r = 0; r < l->runs; r++, x += l->line)
		for (long i = 0; i < l->run; i += WIDTH) {
			long n = *count++;
			if (!n) continue;
			UNROLL
			for (int p = 0; p < np; p++) in[p] = fetch(x + p * l->step + i);
			for (; n > 1; n -= 2, w += 2 * STEP, column += 2 * STEP) {
				vi a = LDI(w), b = LDI(w + STEP), ca = LDI(column), cb = LDI(column + STEP);
				UNROLL
				for (int p = 0; p < np; p++) {
					even[p] = step(even[p], in[p], ca, a);
					odd[p] = step(odd[p], in[p], cb, b);
				}
			}
			if (n) {
				vi a = LDI(w), ca = LDI(column);
				UNROLL
				for (int p = 0; p < np; p++) even[p] = step(even[p], in[p], ca, a);
				w += STEP, column += STEP;
			}
		}
	UNROLL
	for (int p = 0; p < np; p++) even[p] += odd[p];
	finish(np, l, panel, even, y);
}

static NOINLINE void one(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(1, l, panel, x, y); }
static NOINLINE void some(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(PIXELS, l, panel, x, y); }

bool VN(qsparse_fits)(const int32_t *k) { return fits(k); }
size_t VN(qsparse_work)(const int32_t *k) { return work_of(k); }

int64_t VN(qsparse_steps)(const int32_t *k, const void *w)
{
	cop_tiling t = tiling(k);
	return cop_all_steps(&t, w);
}

size_t VN(qsparse_pack_bytes)(const int32_t *k)
{
	cop_tiling t = tiling(k);
	return cop_tiles_bytes(&t, k[COP_STEPS]);
}

void VN(qsparse_pack)(const cop_call *c)
{
	cop_tiling t = tiling(c->k);
	if (!c->part) cop_tiles_pack(&t, c->work, c->k[COP_STEPS], c->buf[2]);
}

void VN(qsparse_i8)(const cop_call *c)
{
	cop_tiling t = tiling(c->k);
	layer l = layer_of(c, one, some, PIXELS);
	const uint32_t *start = c->pack;
	const int8_t *weight = (const int8_t *)c->pack + cop_tile_counts(&t);
	packed k = {.start = start, .weight = weight, .column = (const uint8_t *)weight + cop_tile_weights(&t, start[l.panels]), .tiles = cop_tiles_of_panel(&t)};

	l.pack = &k;
	l.sum = (const int32_t *)(start + l.panels + 1);
	k.count = (const uint8_t *)(l.sum + l.panels * VW);
	run(c, &l);
}

#endif
