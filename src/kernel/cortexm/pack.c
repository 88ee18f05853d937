/* SPDX-License-Identifier: Apache-2.0
 *
 * pack - what a plan needs to know about the kernels for Cortex-M: which calls they take, their scratch, how their weights
 * lie. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/ahead.h"
#include "kernel/cortexm/errors.h"
#include "kernel/cortexm/few.h"
#include "kernel/cortexm/filters.h"
#include "kernel/cortexm/planes.h"

static int32_t weight_i4(const void *w, int32_t i)
{
	int32_t b = ((const uint8_t *)w)[i / 2];
	return ((i % 2 ? b >> 4 : b & 15) ^ 8) - 8;
}
static int32_t weight_i2(const void *w, int32_t i) { return ((((const uint8_t *)w)[i / 4] >> (2 * (i % 4)) & 3) ^ 2) - 2; }

/* ---- dense ---- */

enum { TILE = 3 };

bool cop_qconv_apart_fits_dsp(const int32_t *k) { return k[CK_G] < k[CK_C] || k[CK_G] == 1; } /* else depthwise */
bool cop_qconv_fits_dsp(const int32_t *k) { return k[CK_G] == 1 && (k[CK_DW] == 1 || k[CK_KW] == 1); }

bool cop_qconv_point_fits_dsp(const int32_t *k)
{
	return k[CK_G] == 1 && k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SH] == 1 && k[CK_SW] == 1 && k[CK_OH] == k[CK_H] && k[CK_OW] == k[CK_W] && !k[CK_PT] && !k[CK_PL];
}

bool cop_qfc_fits_dsp(const int32_t *k) { return cop_qconv_point_fits_dsp(k) && k[CK_N] * k[CK_H] * k[CK_W] == 1; }

size_t cop_qconv_work_dsp(const int32_t *k)
{
	return (size_t)window_words(k, 2) * TILE * 4 + (k[CK_KW] > 1 ? (size_t)((k[CK_KW] * (k[CK_C] / k[CK_G]) + 3) & ~3) : 0);
}

/* Weights of 4 or 2 bits: the windows end at a multiple of four words. */
size_t cop_qconv4_work_dsp(const int32_t *k) { return cop_qconv_work_dsp(k) + TILE * 4 * (size_t)(window_words(k, 4) - window_words(k, 2)); }

size_t cop_qfc_work_dsp(const int32_t *k) { return (size_t)window_words(k, 4) * 4; }
size_t cop_qfc2_work_dsp(const int32_t *k) { return (size_t)window_words(k, FEW_BLOCK) * 4; }

/* A tile is written when its windows have been read, or, of several groups, between those: what comes later must still be there. */
static size_t tiles_ahead(const int32_t *k, int32_t tile)
{
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW], end = pixels, at = k[CK_G] > 1 ? 0 : tile - 1;
	int64_t first = (int64_t)k[CK_N] * k[CK_H] * k[CK_W], most = 0;

	for (int32_t p = pixels - 1; p >= 0; p--) { /* end: of a tile; first: of the pixels that p and later ones read */
		if (p % tile == tile - 1) end = p + 1;
		int32_t r = p / k[CK_OW], h = r % k[CK_OH] * k[CK_SH] - k[CK_PT], w = p % k[CK_OW] * k[CK_SW] - k[CK_PL];
		int64_t begin = ((int64_t)(r / k[CK_OH]) * k[CK_H] + (h < 0 ? 0 : h)) * k[CK_W] + (w < 0 ? 0 : w), before = first;
		first = begin < first ? begin : first;
		if (p % tile != at && (at == 0 || p != pixels - 1)) continue;
		int64_t more = (int64_t)end * k[CK_O] - (at ? before : first) * k[CK_C];
		most = more > most ? more : most;
	}
	return (size_t)most;
}

size_t cop_qconv_ahead_dsp(const int32_t *k) { return tiles_ahead(k, TILE); }
size_t cop_qsparse_ahead_dsp(const int32_t *k) { return tiles_ahead(k, 4); } /* qsparse.c */

static size_t pack_bytes(const int32_t *k, int32_t o_n, int32_t whole)
{
	return 4 + (size_t)k[CK_G] * (size_t)((o_n / k[CK_G] + 1) / 2) * (size_t)window_words(k, whole) * 4;
}
size_t cop_qconv_pack_bytes_dsp(const int32_t *k) { return pack_bytes(k, k[CK_O], 2); }
size_t cop_qfc_pack_bytes_dsp(const int32_t *k) { return pack_bytes(k, k[CK_O], 4); }

/* ---- weights of few bits (few.h) ---- */

/* fours: groups of four filters that come first; the others have n, the last may have less. whole: words of a window, rounded up to a multiple of it */
typedef struct few { weight_of *get; int32_t bits, fours, n, whole; } few;

/* All groups full, if that can be, and as many of three as that takes (which is the smallest) or as there can be. */
static few fours_of_bits(const int32_t *k)
{
	int32_t o_n = k[CK_O] / k[CK_G], threes = -o_n & 3, fours = k[COP_ROOMY] ? o_n % 3 : (o_n - 3 * threes) / 4;

	if (o_n < 6) fours = o_n / 4;
	return (few){weight_i4, 4, fours, 3, 4};
}
static few fours_alone(const int32_t *k) { return (few){weight_i4, 4, (k[CK_O] + 3) / 4, 3, 4}; }
static few twos_of_bits(int32_t whole) { return (few){weight_i2, 2, 0, 2, whole}; }

static size_t few_bytes(const int32_t *k, few f)
{
	int32_t left = k[CK_O] / k[CK_G] - FEW_GROUP * f.fours, groups = f.fours + (left > 0 ? (left + f.n - 1) / f.n : 0);
	return 4 + (size_t)k[CK_G] * (size_t)groups * (size_t)window_words(k, f.whole) * (f.bits == 4 ? 4 : 1);
}
size_t cop_qconv4_pack_bytes_dsp(const int32_t *k) { return few_bytes(k, fours_of_bits(k)); }
size_t cop_qconv2_pack_bytes_dsp(const int32_t *k) { return few_bytes(k, twos_of_bits(4)); }
size_t cop_qfc4_pack_bytes_dsp(const int32_t *k) { return few_bytes(k, fours_alone(k)); }
size_t cop_qfc2_pack_bytes_dsp(const int32_t *k) { return few_bytes(k, twos_of_bits(FEW_BLOCK)); }

/* Of the weight of filter o for a half of a word of a window; 0 beyond its end. */
static int32_t half_at(const filters *f, int32_t first, int32_t o, int32_t word, int32_t half)
{
	int32_t words = cop_run_words(f->run);
	return word < f->kh * words ? weight_at(f, first, o, word / words, tap_of(f->run, word % words, half)) : 0;
}

static uint32_t half_of_fours(const filters *f, int32_t first, int32_t o, int32_t n, int32_t word, int32_t half)
{
	int32_t a = half_at(f, first, o, word, half), b = half_at(f, first, o + 1, word, 1 - half), c = half_at(f, first, o + 2, word, half);
	int32_t d = n == FEW_GROUP ? half_at(f, first, o + 3, word, half) : 0;
	return (uint32_t)((a + 8) | (d + 8) << 4 | (b + 8) << 8 | (c & 15) << 12);
}

static uint32_t word_of_twos(const filters *f, int32_t first, int32_t o, int32_t word)
{
	uint32_t w = 0;

	for (int32_t i = 0; i < 8; i++) {
		int32_t half = i & 1, a = half_at(f, first, o, word + i / 2, half) + 2, b = half_at(f, first, o + 1, word + i / 2, half) & 3, at = 16 * half + 4 * (i / 2);
		w |= (uint32_t)a << at | (uint32_t)b << (at + 14) % 32;
	}
	return w;
}

/* Is the sum of every filter small enough to be told from another's? */
static bool all_small(const cop_call *c, const filters *f, int32_t most)
{
	for (int32_t o = 0; o < c->k[CK_O]; o++) {
		int32_t sum = 0;
		for (int32_t i = 0; i < f->kh * f->run; i++) {
			int32_t w = weight_at(f, o / f->o_n * f->o_n, o % f->o_n, i / f->run, i % f->run);
			sum += w < 0 ? -w : w;
		}
		if (sum > most) return false;
	}
	return true;
}

static void pack_few(const cop_call *c, few how)
{
	const filters f = filters_of(c, how.get, 8 / how.bits);
	const int32_t words = window_words(c->k, how.whole);
	uint32_t *to = c->work;

	*to++ = (all_small(c, &f, how.bits == 4 ? FEW_MOST_FOURS : FEW_MOST_TWOS) ? PACK_FEW : PACK_FEW_PARTS) | (uint32_t)how.fours << 8;
	for (int32_t first = 0; first < c->k[CK_O]; first += f.o_n)
		for (int32_t o = 0, n; o < f.o_n; o += n) {
			n = o < FEW_GROUP * how.fours ? FEW_GROUP : how.n;
			for (int32_t i = 0; i < words; i += how.bits == 4 ? 1 : 4)
				*to++ = how.bits == 4 ? half_of_fours(&f, first, o, n, i, 0) | half_of_fours(&f, first, o, n, i, 1) << 16 : word_of_twos(&f, first, o, i);
		}
}

void cop_qconv_pack4_dsp(const cop_call *c) { pack_few(c, fours_of_bits(c->k)); }
void cop_qconv_pack2_dsp(const cop_call *c) { pack_few(c, twos_of_bits(4)); }
void cop_qfc4_pack_dsp(const cop_call *c) { pack_few(c, fours_alone(c->k)); }
void cop_qfc2_pack_dsp(const cop_call *c) { pack_few(c, twos_of_bits(FEW_BLOCK)); }

/* ---- int16 (qwide.c) ---- */

static int32_t fours_of(const int32_t *k) { return (k[CK_KH] * k[CK_KW] * k[CK_C] + 3) / 4; }

bool cop_qwide_fits_dsp(const int32_t *k) { return k[CK_G] == 1; }
size_t cop_qwide_work_dsp(const int32_t *k) { return 16 * (size_t)fours_of(k); }
size_t cop_qwide_ahead_dsp(const int32_t *k) { return 2 * tiles_ahead(k, 2); }
size_t cop_qwide_pack_bytes_dsp(const int32_t *k) { return 8 * (size_t)((k[CK_O] + 1) / 2) * (size_t)fours_of(k); }

/* Of each pair of filters four weights of one, then of the other: 0 2 1 3. */
void cop_qwide_pack_dsp(const cop_call *c)
{
	const int32_t *k = c->k, taps = k[CK_KH] * k[CK_KW] * k[CK_C];
	const int8_t *w = c->buf[2];
	int8_t *to = c->work;

	for (int32_t o = 0; o < k[CK_O]; o += 2)
		for (int32_t four = 0; four < taps; four += 4)
			for (int32_t f = o; f < o + 2; f++)
				for (int32_t i = 0; i < 4; i++) {
					int32_t tap = four + (i & 1) * 2 + i / 2;
					*to++ = f < k[CK_O] && tap < taps ? w[f * taps + tap] : 0;
				}
}

/* ---- depthwise ---- */

bool cop_qdwconv_fits_dsp(const int32_t *k)
{
	return k[CK_G] == k[CK_C] && k[CK_O] == k[CK_C] && k[CK_KH] == 3 && k[CK_KW] == 3 && k[CK_DH] == 1 && k[CK_DW] == 1 && k[CK_SH] == k[CK_SW]
		&& k[CK_SH] <= 2 && k[CK_PT] <= 2 && k[CK_PL] <= 2;
}

size_t cop_qdwconv_work_dsp(const int32_t *k) { return 2 * (size_t)cop_dw_pitch(k) * (size_t)((cop_dw_rows(k) - 1) * k[CK_SH] + 3); }

static size_t result_bytes(const int32_t *k) { return (size_t)k[CK_N] * (size_t)k[CK_OH] * (size_t)k[CK_OW] * (size_t)k[CK_O]; }

/* A band of rows is written while its channels are read, which meets no channel but itself; then what later bands read must still be there. */
static size_t bands_ahead(const int32_t *k, int32_t rows)
{
	int64_t most = 0;

	for (int32_t n = 0; n < k[CK_N]; n++)
		for (int32_t end = rows; end < k[CK_OH] + rows; end += rows) { /* of a band's rows */
			int32_t done = end < k[CK_OH] ? end : k[CK_OH], first = end < k[CK_OH] ? end * k[CK_SH] - k[CK_PT] : k[CK_H];
			first = first < 0 ? 0 : first < k[CK_H] ? first : k[CK_H];
			int64_t more = (((int64_t)n * k[CK_OH] + done) * k[CK_OW] - ((int64_t)n * k[CK_H] + first) * k[CK_W]) * k[CK_C];
			most = more > most ? more : most;
		}
	return (size_t)most;
}

size_t cop_qdwconv_ahead_dsp(const int32_t *k) { return bands_ahead(k, cop_dw_rows(k)); }

bool cop_qdwconv_any_fits_dsp(const int32_t *k) { return k[CK_G] == k[CK_C] && (k[CK_G] > 1 || k[CK_O] == 1); }

size_t cop_qdwconv_any_work_dsp(const int32_t *k)
{
	cop_dw g = cop_dw_of(k);
	return 4 * (size_t)cop_dw_words(&g) + 2 * (size_t)g.lines * (size_t)g.pitch;
}

size_t cop_qdwconv_any_ahead_dsp(const int32_t *k)
{
	cop_dw g = cop_dw_of(k);
	int32_t down = k[CK_KW] == 1 && k[CK_KH] > 1, one = g.rows == g.across.y_n && g.cols == g.along.y_n;

	if (k[CK_O] != k[CK_C] || g.cols < g.along.y_n || (down && !one)) return result_bytes(k); /* not in the order of rows */
	return bands_ahead(k, down ? k[CK_OH] : g.rows);
}

/* ---- sums and averages ---- */

static bool plain_sum(const int32_t *k) { return k[QA_LO] == -128 && k[QA_HI] == 127 && !k[QA_SHAPE]; }
static bool to_the_right(int32_t shift) { return shift <= 0 && shift > -31; }

bool cop_qadd_fits_dsp(const int32_t *k) { return !k[QA_TWICE] && plain_sum(k) && k[QA_SY] >= 2 && k[QA_SY] < 32; }

/* Multipliers below 1 keep a sum of two operands within 30 bits. */
bool cop_qadd_twice_fits_dsp(const int32_t *k)
{
	return k[QA_TWICE] && plain_sum(k) && to_the_right(k[QA_SA]) && to_the_right(k[QA_SB]) && to_the_right(k[QA_SY]);
}

bool cop_qavgpool_fits_dsp(const int32_t *k) { return k[PK_C] % 4 == 0 && k[PK_KH] * k[PK_KW] < 256; }

/* Four channels of a pixel are read, then written. */
size_t cop_qavgpool_ahead_dsp(const int32_t *k) { return cop_ahead_pool(k, 1); }

/* ---- errors as bytes ---- */

bool cop_qerr_point_fits_dsp(const int32_t *k)
{
	return cop_qconv_point_fits_dsp(k) && k[CK_O] % 4 == 0 && k[CK_C] % ERROR_LANES == 0 && k[CK_N] * k[CK_H] * k[CK_W] > 1;
}
size_t cop_qerr_point_work_dsp(const int32_t *k) { return 4 * ERROR_LANES * ERROR_CHUNK + 8 * (size_t)k[CK_O]; }

bool cop_qerr_depth_fits_dsp(const int32_t *k) { return cop_qdwconv_fits_dsp(k); }
size_t cop_qerr_depth_work_dsp(const int32_t *k)
{
	const int32_t rows = cop_error_rows(k);
	return 4 * (size_t)(rows * k[CK_W]) + 2 * (size_t)((rows + 2) * cop_error_pitch(k));
}

/* Pixels are taken two by two, all of four channels lie in scratch. */
bool cop_qerr_step_fits_dsp(const int32_t *k)
{
	const int32_t pixels = k[CK_N] * k[CK_H] * k[CK_W];
	return cop_qconv_point_fits_dsp(k) && k[CK_O] % 2 == 0 && k[CK_C] % ERROR_LANES == 0 && pixels % 2 == 0 && pixels <= 8 * ERROR_CHUNK;
}
size_t cop_qerr_step_work_dsp(const int32_t *k) { return 2 * ERROR_LANES * (size_t)(k[CK_N] * k[CK_H] * k[CK_W]); }
