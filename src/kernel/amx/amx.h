/* SPDX-License-Identifier: Apache-2.0
 *
 * amx.h - products of tiles in bfloat16, summed in floats: Intel's AMX (Intel Architecture Instruction Set Extensions, chapter 3).
 *
 * A tile register has 16 rows of 64 bytes. One instruction adds A[m][32] B[32][16] to C[m][16]. A and B are bfloat16; of B, two neighbours along the sum
 * lie in one word: B[k / 2][n][k % 2]. Operands are floats in memory and are rounded to bfloat16, to the nearest, on the way into these layouts.
 * Each element of C is summed in the order of k, wherever its tile begins, so how work is cut into tiles and parts cannot be seen in the bits.
 * A product of zero weights and whatever lies behind a row of A adds nothing only if that is finite: buffers of A and B are filled with zeros to their ends.
 * An inf in data may reach the sums of its neighbours that way, but the same ones in any number of parts.
 *
 * With AMX_PLAIN the instructions are plain C, so that the rest of the folder is tested on every machine.
 */
#ifndef COP_AMX_H
#define COP_AMX_H

#if defined(AMX_PLAIN)
#define VN(x) cop_##x##_amxplain
#else
#define VN(x) cop_##x##_amx
#endif
#include "kernel/vec/conv.h"

typedef uint16_t bf; /* a bfloat16: the upper half of a float */
typedef uint32_t bf2; /* two, as B has them: the first is the lower half */

enum { AMX_K = 32, AMX_N = 16, AMX_TILE = AMX_K * AMX_N }; /* bf of a tile of B */
#if defined(AMX_PLAIN)
enum { AMX_PAYS = 0, AMX_PAYS_DW = 0 };
#else /* products to a sum, and those of one tap row: with fewer, floats are as fast */
enum { AMX_PAYS = 24, AMX_PAYS_DW = 32 };
#endif
/* The tile registers, which the compiler wants as numbers: C of two tiles of A and two of B. */
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0 4
#define A1 5
#define B0 6
#define B1 7

AI long chunks(long k) { return (k + AMX_K - 1) / AMX_K; }
AI long up16(long n) { return (n + 15) / 16 * 16; }
AI long up32(long n) { return (n + 31) / 32 * 32; }

#if defined(AMX_PLAIN)
typedef struct tile_register { uint32_t row[16][16]; } tile_register;
static tile_register tile[8];
static long tile_m;

AI float half(uint32_t word, int which) { return cop_f((int32_t)(which ? word & 0xffff0000u : word << 16)); }
AI bf to_nearest(float x)
{
	union { float f; uint32_t u; } b = {x};
	return (bf)((b.u + 0x7fffu + (b.u >> 16 & 1)) >> 16);
}
AI void amx_open(long m) { tile_m = m; }
AI void amx_close(void) { memset(tile, 0x5a, sizeof tile); }
AI long tile_rows_of(int t) { return t < B0 ? tile_m : 16; }
AI void tile_load(int t, const void *from, size_t step)
{
	for (long i = 0; i < tile_rows_of(t); i++) memcpy(tile[t].row[i], (const char *)from + (size_t)i * step, 64);
}
AI void tile_store(int t, void *to, size_t step)
{
	for (long i = 0; i < tile_rows_of(t); i++) memcpy((char *)to + (size_t)i * step, tile[t].row[i], 64);
}
AI void tile_add(int c, int a, int b)
{
	for (long i = 0; i < tile_m; i++)
		for (int k = 0; k < 16; k++)
			for (int j = 0; j < 16; j++) {
				float sum;
				memcpy(&sum, &tile[c].row[i][j], 4);
				for (int h = 0; h < 2; h++) sum += half(tile[a].row[i][k], h) * half(tile[b].row[k][j], h);
				memcpy(&tile[c].row[i][j], &sum, 4);
			}
}
AI void round_row(bf *d, const float *x, long n)
{
	for (long i = 0; i < n; i++) d[i] = to_nearest(x[i]);
}
AI void pair_up(bf2 *d, const bf *a, const bf *b, long n)
{
	for (long i = 0; i < up16(n); i++) d[i] = a[i] | (uint32_t)b[i] << 16;
}
AI void turn_words(bf2 *d, long ldd, const bf2 *s, long lds, long rows, long cols, long fill)
{
	for (long c = 0; c < cols; c++)
		for (long r = 0; r < fill; r++) d[c * ldd + r] = r < rows ? s[r * lds + c] : 0;
}
#define tile_zero(t) memset(&tile[t], 0, sizeof tile[t])
#else

#define tile_load(t, from, step) _tile_loadd(t, from, step)
#define tile_store(t, to, step) _tile_stored(t, to, step)
#define tile_zero(t) _tile_zero(t)
#define tile_add(c, a, b) _tile_dpbf16ps(c, a, b)

/* Tiles of A and C have m rows. Belongs to the thread until amx_close. */
AI void amx_open(long m)
{
	struct { uint8_t palette, start, none[14]; uint16_t bytes[16]; uint8_t rows[16]; } t = {.palette = 1};

	for (int i = 0; i < 8; i++) {
		t.bytes[i] = 64;
		t.rows[i] = (uint8_t)(i < B0 ? m : 16);
	}
	__asm__ volatile("" : : "r"(&t) : "memory"); /* gcc believes that the next line reads eight bytes */
	_tile_loadconfig(&t);
}
AI void amx_close(void) { _tile_release(); }

AI __mmask16 first16(long n) { return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }

/* n floats as bf, and nothing behind them. */
AI void round_row(bf *d, const float *x, long n)
{
	for (long i = 0; i < n; i += 16)
		_mm256_mask_storeu_epi16(d + i, first16(n - i), (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first16(n - i), x + i)));
}

/* d[i] = a[i], b[i] in one word. Reads and writes whole vectors. */
AI void pair_up(bf2 *d, const bf *a, const bf *b, long n)
{
	static const uint16_t order[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
	const __m512i to = _mm512_loadu_si512(order);

	for (long i = 0; i < n; i += 16) {
		const __m512i lo = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(a + i)));
		_mm512_storeu_si512(d + i, _mm512_permutexvar_epi16(to, _mm512_inserti64x4(lo, _mm256_loadu_si256((const __m256i *)(b + i)), 1)));
	}
}

void cop_transpose_avx512(float *d, long ldd, const float *s, long lds, long rows, long cols, long fill);

/* d[c][r] = s[r][c] for r < rows, c < cols; d[c][r] = 0 for rows <= r < fill. */
AI void turn_words(bf2 *d, long ldd, const bf2 *s, long lds, long rows, long cols, long fill)
{
	cop_transpose_avx512((float *)(void *)d, ldd, (const float *)(const void *)s, lds, rows, cols, fill);
}
#endif

#endif
