/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights under an adaptive code: codes of another encoder are decoded; every image comes back from its code, byte for byte, whole or row by row; the code is as
 * short as the entropy lets it be (Shannon 1948), and nothing that is done to a code makes the decoder write or read beside its buffers.
 */
#include "help.h"
#include "plan/draw.h"
#include "enc/code.h"
#include "enc/runs.h"
#include "kernel/gaps_pack.h"
#include "kernel/runs.h"

#include <math.h>

enum { MOST = 60000, WORK = 4096, GUARD = 0x55 };
static uint32_t image[MOST / 4 + 2], back[MOST / 4 + 2 + WORK / 4];

/* Decodes part of a code into `back`, behind which nothing may be written; nor may the part write over what is kept for the next one. */
static void decode(const void *code, size_t room, int32_t part, int32_t parts)
{
	const cop_runs_head *h = code;
	const cop_runs_state *s = (const cop_runs_state *)(const void *)((const uint8_t *)back + room);
	size_t used = room + cop_runs_work(h);

	assert_true(used + 64 <= sizeof back);
	if (!part) memset(back, GUARD, sizeof back);
	cop_unrun(code, back, room, part, parts);
	for (size_t i = used; i < used + 64; i++) assert_int_equal(((uint8_t *)back)[i], GUARD);
	assert_true(s->range >= 1 << 24 && s->used <= (h->bytes & 0xffffff) && s->beside < CODED_SIGNS && s->at <= (h->count & (CODED_RUNS - 1)) + (2u << cop_runs_gaps(h).last));
}

/* ---- codes of another encoder: tests/plan/make_runs_reference.py ---- */

static const uint8_t few[] = { /* gaps (0, 4), sizes (0, 1) */
	131, 189, 7, 112, 243, 240, 91, 102, 155, 59, 35, 121, 233, 62, 7, 215, 87, 255, 162, 84, 184, 199, 43, 126,
	6, 7, 106, 79, 36, 115, 125, 2, 31, 201, 120, 30, 196, 249, 107, 122, 229, 191, 71, 231, 44, 218, 68, 139,
	175, 202, 104, 225, 48, 56, 142, 214, 125, 90, 58, 12, 26, 37, 233, 101, 26, 108, 48, 182, 118, 249, 107, 165,
	77, 52, 158, 210, 212, 204, 91, 109, 64, 61, 195, 144, 151, 73, 149, 60, 230, 22, 32, 227, 152, 231, 34, 221,
};
static const uint8_t many[] = { /* gaps (1, 4), sizes (4, 7) */
	195, 140, 188, 113, 57, 150, 173, 110, 213, 109, 151, 116, 199, 191, 151, 38, 203, 184, 119, 6, 194, 26, 136, 159,
	186, 157, 2, 152, 96, 79, 226, 118, 56, 174, 129, 139, 166, 248, 249, 128, 249, 161, 72, 250, 111, 68, 131, 233,
	37, 1, 12, 105, 28, 239, 167, 4, 49, 97, 241, 151, 29, 69, 220, 167, 118, 2, 120, 110, 142, 24, 163, 65,
	50, 193, 89, 134, 45, 186, 65, 92, 233, 91, 30, 86, 145, 65, 117, 1, 120, 191, 231, 154, 62, 135, 17, 114,
	188, 185, 71, 197, 235, 71, 254, 47, 52, 209, 91, 25, 84, 132, 197, 224, 238, 117, 199, 145, 79, 220, 124, 125,
	64, 191, 195, 30, 38, 250, 201, 139, 54, 0, 224, 234, 68, 231, 201, 28, 63, 238, 100, 13, 195, 80, 238, 215,
	70, 54, 246, 25, 110, 226, 187, 80, 241, 101, 139, 158, 163, 211, 15, 114, 126, 67, 251, 175, 230, 2, 94, 101,
	5, 111,
};
static const uint8_t far[] = { /* gaps (3, 15), sizes (0, 7) */
	240, 15, 214, 7, 15, 71, 28, 72, 170, 192, 51, 103, 104, 164,
};
static int some(int i, int most) { return (i * i + i / 3) % 5 < 2 ? (i * i * 7 + i * 3) % (2 * most + 1) - most : 0; }
static int at_few(int i) { return some(i, 3); }
static int at_many(int i) { return some(i, 127); }
static int at_far(int i) { return i == 3 ? -128 : i == 4 ? 1 : i == 9000 ? 127 : i == 45000 ? -1 : 0; }

static void other_codes_are_read(void **state)
{
	static const struct { const uint8_t *bytes; uint32_t size, n; int gap_first, gap_last, size_first, size_last, (*at)(int i); } row[] = {
		{few, sizeof few, 400, 0, 4, 0, 1, at_few}, {many, sizeof many, 300, 1, 4, 4, 7, at_many}, {far, sizeof far, 60000, 3, 15, 0, 7, at_far}};
	uint32_t code[256];
	(void)state;

	for (int r = 0; r < LEN(row); r++) {
		const cop_runs_head h = {row[r].n | CODED_RUNS, 0, (uint8_t)(row[r].gap_first << 5 | row[r].gap_last), (uint8_t)(row[r].size_first << 5 | row[r].size_last), row[r].size};
		memcpy(code, &h, sizeof h);
		memcpy(code + sizeof h / 4, row[r].bytes, row[r].size);
		decode(code, row[r].n, 0, 1);
		for (uint32_t i = 0; i < row[r].n; i++)
			if (((int8_t *)back)[i] != row[r].at((int)i)) fail_msg("row %d: number %u is %d, not %d", r, i, ((int8_t *)back)[i], row[r].at((int)i));
	}
}

/* ---- there and back ---- */

static size_t there_and_back(cop_ctx *cx, size_t bytes)
{
	void *code;
	size_t size;

	OK(cx, cop__code_runs(&code, &size, cx, image, bytes));
	assert_true(cop_coded_runs(code) && size % 4 == 0);
	decode(code, (bytes + 3) & ~(size_t)3, 0, 1);
	assert_memory_equal(back, image, bytes);
	cop__free(cx, code);
	return size;
}

static void every_image_comes_back(void **state)
{
	static const double spread[] = {0, 0.3, 1, 12, 200}, zeros[] = {0, 0.5, 0.95, 0.999};
	static const size_t sizes[] = {1, 2, 3, 4, 6, 17, 100, 1000, 9001};
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < LEN(zeros); z++)
			for (int n = 0; n < LEN(sizes); n++)
				for (int pairs = 0; pairs < 2; pairs++) {
					size_t bytes = sizes[n] - (pairs ? sizes[n] % 2 : 0);
					draw(image, (uint64_t)(s * 100 + z * 10 + n), bytes, spread[s], zeros[z], pairs);
					if (bytes) there_and_back(cx, bytes);
				}
	for (uint32_t i = 0; i < 2000; i++) { /* any bytes, as pairs too: some of them are none */
		size_t n = 1 + cop__rand(3, 1, i) % 64;
		for (size_t k = 0; k < n; k++) ((uint8_t *)image)[k] = (uint8_t)(cop__rand(3, 2 + k, i) % (i % 2 ? 256 : 1 + i % 7));
		there_and_back(cx, n);
	}
	cop_ctx_free(cx);
}

/* What a kernel's own pack function makes of the same weights. */
static size_t packed(uint32_t *to, const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	const cop_form singles = {1, unit, NULL, 0, 1, 1};

	cop_form_pack(&singles, to, w, rows, n);
	return cop_form_size(&singles, rows, cop_form_steps(&singles, w, rows, n, NULL));
}

static size_t bytes_of_rows(const uint32_t *at, uint32_t rows)
{
	size_t words = 0;
	for (; rows; rows--) words += 1 + COP_GAP_WORDS * (at[words] >> 16);
	return 4 * words;
}

/* In any number of parts the rows of all parts, one after the other, are the image; also where gaps are too long for a byte, and rows empty. */
static void rows_come_back(void **state)
{
	static const struct { int32_t rows, n; double zeros; int32_t unit; } row[] = {
		{1, 1, 0, 1}, {3, 7, 1, 1}, {40, 25, 0.5, 8}, {41, 500, 0.95, 8}, {60, 656, 0.985, 1}, {9, 3000, 0.998, 1}, {30, 1500, 0.9995, 8}};
	static uint32_t whole[MOST / 2], parted[MOST / 2];
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		const int32_t rows = row[i].rows, n = row[i].n;
		void *code;
		size_t size;
		draw(image, (uint64_t)i + 500, (size_t)rows * (size_t)n, 2, row[i].zeros, false);
		size_t bytes = packed(whole, (const int8_t *)image, rows, n, row[i].unit);
		OK(cx, cop__code_rows(&code, &size, cx, (const int8_t *)image, rows, n, row[i].unit));
		for (int32_t parts = 1; parts <= rows; parts += parts < 4 ? 1 : rows / 7 + 1) {
			size_t at = 0;
			for (int32_t p = 0; p < parts; p++) {
				decode(code, bytes, p, parts);
				size_t some = bytes_of_rows(back, cop_gap_row_at((uint32_t)rows, p + 1, parts) - cop_gap_row_at((uint32_t)rows, p, parts));
				memcpy((uint8_t *)parted + at, back, some);
				at += some;
			}
			assert_int_equal(at, bytes);
			assert_memory_equal(parted, whole, bytes);
		}
		cop__free(cx, code);
	}
	cop_ctx_free(cx);
}

/* ---- how long ---- */

static double entropy(const int8_t *x, size_t n)
{
	double h = 0;
	size_t times[256] = {0};

	for (size_t i = 0; i < n; i++) times[(uint8_t)x[i]]++;
	for (int i = 0; i < 256; i++)
		if (times[i]) h -= (double)times[i] / (double)n * log2((double)times[i] / (double)n);
	return h * (double)n / 8;
}

/* Numbers without memory: the code is not shorter than their entropy, and not longer by more than two percent and what its estimates cost until they are learned: two bytes each. */
static void close_to_the_entropy(void **state)
{
	static const double spread[] = {0.7, 1, 3, 12, 40}, zeros[] = {0, 0.8, 0.98};
	cop_ctx *cx = new_ctx();
	const size_t n = 40000;
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < LEN(zeros); z++) {
			draw(image, (uint64_t)(s + 1), n, spread[s], zeros[z], false);
			double least = entropy((int8_t *)image, n);
			void *code;
			size_t size, plain = there_and_back(cx, n);
			OK(cx, cop__code_runs(&code, &size, cx, image, n));
			double most = 1.02 * least + (double)cop_runs_work(code);
			print_message("spread %g, %g zeros: entropy %.0f, code %zu, at most %.0f\n", spread[s], zeros[z], least, plain, most);
			assert_true((double)plain >= least && (double)plain < most);
			cop__free(cx, code);
		}
	cop_ctx_free(cx);
}

/* ---- damage ---- */

/* A code that ends early or has other bits gives other weights; the guards of `decode` stay as they are, and the code lies at the end of its own memory. */
static void damage_does_no_harm(void **state)
{
	const int32_t rows = 40, n = 90;
	cop_ctx *cx = new_ctx();
	void *code[2];
	size_t size[2];
	(void)state;

	draw(image, 900, (size_t)(rows * n), 3, 0.9, false);
	static uint32_t whole[4096];
	const size_t room[2] = {packed(whole, (const int8_t *)image, rows, n, 8), (size_t)(rows * n)};
	OK(cx, cop__code_rows(&code[0], &size[0], cx, (const int8_t *)image, rows, n, 8));
	OK(cx, cop__code_runs(&code[1], &size[1], cx, image, (size_t)(rows * n)));
	for (int k = 0; k < 2; k++)
		for (uint32_t i = 0; i < 3000; i++) {
			cop_runs_head *h = malloc(size[k]);
			memcpy(h, code[k], size[k]);
			if (i % 7 == 0) memset(h + 1, i % 2 ? 0xff : 0, size[k] - sizeof *h); /* no zeros at all, and as many as there can be */
			else if (i % 3) ((uint8_t *)(h + 1))[cop__rand(11, i, 0) % (h->bytes & 0xffffff)] ^= (uint8_t)(1 << i % 8);
			else h->bytes = (h->bytes & 0xff000000u) | cop__rand(12, i, 0) % (h->bytes & 0xffffff);
			for (int32_t p = 0; p < (k ? 1 : 5); p++) decode(h, room[k] / (k ? 1 : 4) & ~(size_t)3, p, k ? 1 : 5);
			free(h);
		}
	cop__free(cx, code[0]);
	cop__free(cx, code[1]);
	cop_ctx_free(cx);
}

/* What has no such code says so. */
static void refusals(void **state)
{
	cop_ctx *cx = new_ctx();
	void *code;
	size_t size;
	(void)state;

	assert_int_equal(cop__code_runs(&code, &size, cx, image, 0), COP_ARG);
	assert_int_equal(cop__code_runs(&code, &size, cx, image, CODED_RUNS), COP_ARG);
	cop_error_clear(cx);
	OK(cx, cop__code_rows(&code, &size, cx, (const int8_t *)image, 1, 1 << 16, 1));
	assert_null(code);
	cop_ctx_free(cx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(other_codes_are_read), cmocka_unit_test(every_image_comes_back), cmocka_unit_test(rows_come_back),
		cmocka_unit_test(close_to_the_entropy), cmocka_unit_test(damage_does_no_harm), cmocka_unit_test(refusals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
