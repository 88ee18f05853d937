/* SPDX-License-Identifier: Apache-2.0
 *
 * pack - what a plan needs to know about the kernels for Cortex-M: which calls they take, their scratch, how their weights
 * lie. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/ahead.h"
#include "kernel/cortexm/dsp.h"

typedef int32_t weight_of(const void *w, int32_t i);

static int32_t weight_i8(const void *w, int32_t i) { return ((const int8_t *)w)[i]; }
static int32_t weight_i4(const void *w, int32_t i)
{
	int32_t b = ((const uint8_t *)w)[i / 2];
	return ((i % 2 ? b >> 4 : b & 15) ^ 8) - 8;
}

/* ---- dense ---- */

enum { TILE = 3 };

/* Words of a window, rounded up to what the kernel's inner loop takes: 2, fully connected 4. */
static int32_t window_words(const int32_t *k, int32_t whole) { return (k[CK_KH] * cop_run_words(k[CK_KW] * k[CK_C]) + whole - 1) & -whole; }

bool cop_qconv_fits_dsp(const int32_t *k) { return k[CK_G] == 1 && (k[CK_DW] == 1 || k[CK_KW] == 1); }

bool cop_qconv_point_fits_dsp(const int32_t *k)
{
	return k[CK_G] == 1 && k[CK_KH] == 1 && k[CK_KW] == 1 && k[CK_SH] == 1 && k[CK_SW] == 1 && k[CK_OH] == k[CK_H] && k[CK_OW] == k[CK_W] && !k[CK_PT] && !k[CK_PL];
}

bool cop_qfc_fits_dsp(const int32_t *k) { return cop_qconv_point_fits_dsp(k) && k[CK_N] * k[CK_H] * k[CK_W] == 1; }

size_t cop_qconv_work_dsp(const int32_t *k)
{
	return (size_t)window_words(k, 2) * TILE * 4 + (k[CK_KW] > 1 ? (size_t)((k[CK_KW] * k[CK_C] + 3) & ~3) : 0);
}

size_t cop_qfc_work_dsp(const int32_t *k) { return (size_t)window_words(k, 4) * 4; }

/* A tile is written when its windows have been read: what comes later must still be there. */
size_t cop_qconv_ahead_dsp(const int32_t *k)
{
	int32_t pixels = k[CK_N] * k[CK_OH] * k[CK_OW];
	int64_t first = (int64_t)k[CK_N] * k[CK_H] * k[CK_W], most = 0;

	for (int32_t p = pixels - 1; p >= 0; p--) {
		if (p % TILE == TILE - 1 || p == pixels - 1) { /* the last pixel of a tile; first: of the pixels that later ones read */
			int64_t more = (int64_t)(p + 1) * k[CK_O] - first * k[CK_C];
			most = more > most ? more : most;
		}
		int32_t r = p / k[CK_OW], h = r % k[CK_OH] * k[CK_SH] - k[CK_PT], w = p % k[CK_OW] * k[CK_SW] - k[CK_PL];
		int64_t begin = ((int64_t)(r / k[CK_OH]) * k[CK_H] + (h < 0 ? 0 : h)) * k[CK_W] + (w < 0 ? 0 : w);
		first = begin < first ? begin : first;
	}
	return (size_t)most;
}

static size_t pack_bytes(const int32_t *k, int32_t whole) { return 4 + (size_t)((k[CK_O] + 1) / 2) * (size_t)window_words(k, whole) * 4; }
size_t cop_qconv_pack_bytes_dsp(const int32_t *k) { return pack_bytes(k, 2); }
size_t cop_qfc_pack_bytes_dsp(const int32_t *k) { return pack_bytes(k, 4); }

/* The tap of a run that half `half` of word `word` holds, or -1. */
static int32_t tap_of(int32_t run, int32_t word, int32_t half)
{
	int32_t four = word / 2 * 4, odd = word % 2, rest = run - four;

	if (rest == 2 && !odd) return four + half;
	return odd + 2 * half < rest ? four + odd + 2 * half : -1;
}

typedef struct filters { const void *w; weight_of *get; int32_t o_n, kh, kw, c_n, c_run, run; } filters;

static int32_t weight_at(const filters *f, int32_t o, int32_t line, int32_t tap)
{
	if (o >= f->o_n || tap < 0) return 0;
	return f->get(f->w, ((o * f->kh + line) * f->kw + tap / f->c_n) * f->c_run + tap % f->c_n);
}

/* Can every odd filter's sum be taken from differences? */
static bool exact(const filters *f)
{
	for (int32_t o = 1; o < f->o_n; o += 2) {
		int64_t most = 0;
		for (int32_t i = 0; i < f->kh * f->run; i++) {
			int32_t w = weight_at(f, o, i / f->run, i % f->run);
			if (w == -128) return false;
			most += w < 0 ? -w : w;
		}
		if (most > 65535) return false; /* times 128: beyond 23 bits and a sign */
	}
	return true;
}

static void pack_dense(const cop_call *c, weight_of *get, int32_t to_whole, int32_t whole)
{
	const int32_t *k = c->k;
	filters f = {c->buf[2], get, k[CK_O], k[CK_KH], k[CK_KW], k[CK_C], (k[CK_C] + to_whole) & ~to_whole, k[CK_KW] * k[CK_C]};
	uint32_t *to = c->work, add = exact(&f);
	int32_t words = cop_run_words(f.run), rest = window_words(k, whole) - f.kh * words;

	*to++ = add ? PACK_EXACT : 0;
	for (int32_t o = 0; o < f.o_n; o += 2) {
		for (int32_t i = 0; i < f.kh * words; i++) {
			uint32_t word = 0;
			for (int32_t half = 0; half < 2; half++) {
				int32_t tap = tap_of(f.run, i % words, half), a = weight_at(&f, o, i / words, tap), b = weight_at(&f, o + 1, i / words, tap);
				word |= ((uint32_t)(b * 256 + (add ? a : a & 255)) & 0xffff) << (16 * half);
			}
			*to++ = word;
		}
		for (int32_t i = 0; i < rest; i++) *to++ = 0;
	}
}

void cop_qconv_pack_dsp(const cop_call *c) { pack_dense(c, weight_i8, 0, 2); }
void cop_qconv_pack4_dsp(const cop_call *c) { pack_dense(c, weight_i4, 1, 2); }
void cop_qfc_pack_dsp(const cop_call *c) { pack_dense(c, weight_i8, 0, 4); }
void cop_qfc_pack4_dsp(const cop_call *c) { pack_dense(c, weight_i4, 1, 4); }

/* ---- depthwise ---- */

bool cop_qdwconv_fits_dsp(const int32_t *k)
{
	return k[CK_G] == k[CK_C] && k[CK_O] == k[CK_C] && k[CK_KH] == 3 && k[CK_KW] == 3 && k[CK_DH] == 1 && k[CK_DW] == 1 && k[CK_SH] == k[CK_SW]
		&& k[CK_SH] <= 2 && k[CK_PT] <= 2 && k[CK_PL] <= 2;
}

size_t cop_qdwconv_work_dsp(const int32_t *k) { return 2 * (size_t)cop_dw_pitch(k) * (size_t)((cop_dw_rows(k) - 1) * k[CK_SH] + 3); }

/* A band is written while its channels are read, which meets no channel but itself; then what later bands read must still be there. */
size_t cop_qdwconv_ahead_dsp(const int32_t *k)
{
	int32_t rows = cop_dw_rows(k);
	int64_t most = 0;

	for (int32_t n = 0; n < k[CK_N]; n++)
		for (int32_t end = rows; end < k[CK_OH] + rows; end += rows) { /* of a band's rows */
			int32_t done = end < k[CK_OH] ? end : k[CK_OH], first = end < k[CK_OH] ? end * k[CK_SH] - k[CK_PT] : k[CK_H];
			int64_t more = (((int64_t)n * k[CK_OH] + done) * k[CK_OW] - ((int64_t)n * k[CK_H] + (first < 0 ? 0 : first)) * k[CK_W]) * k[CK_C];
			most = more > most ? more : most;
		}
	return (size_t)most;
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
