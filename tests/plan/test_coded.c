/* SPDX-License-Identifier: Apache-2.0
 *
 * Coded weights: every image comes back from its code, byte for byte, by the portable decoder and by the one for Cortex-M; the code is as short as the entropy
 * of the bytes lets it be (Shannon 1948), plus its head.
 */
#include "help.h"
#include "kernel/coded.h"
#include "enc/code.h"

#include <math.h>

enum { MOST = 40000 };
static uint32_t image[MOST / 4], back[MOST / 4 + 1], work[(4 << CODED_LOG) / 4 + CODED_SYMBOLS / 2];

/* Bits a symbol of the bytes, by how often each comes. */
static double entropy(const uint8_t *x, size_t n)
{
	double h = 0;
	size_t times[256] = {0};

	for (size_t i = 0; i < n; i++) times[x[i]]++;
	for (int i = 0; i < 256; i++)
		if (times[i]) h -= (double)times[i] / (double)n * log2((double)times[i] / (double)n);
	return h;
}

static size_t there_and_back(cop_ctx *cx, size_t bytes)
{
	void (*const decoders[])(const void *, void *, void *) = {cop_uncode, cop_uncode_dsp};
	void *code;
	size_t size;

	OK(cx, cop__code_image(&code, &size, cx, image, bytes));
	for (int d = 0; d < LEN(decoders); d++) {
		memset(back, 0x55, sizeof back);
		decoders[d](code, back, work);
		assert_memory_equal(back, image, bytes);
		assert_int_equal(((uint8_t *)back)[bytes], 0x55);
	}
	cop__free(cx, code);
	return size;
}

/* Round numbers drawn from a normal distribution of this spread; a part of them is zero. */
static void draw(uint64_t seed, size_t n, double spread, double zeros, bool pairs)
{
	int8_t *b = (int8_t *)image;
	int16_t *half = (int16_t *)image;

	for (size_t i = 0; i < n; i++) {
		double v = 0;
		for (uint64_t k = 0; k < 12; k++) v += (double)cop__rand(seed, k, i) / 4294967296.0;
		v = cop__rand(seed, 99, i) < zeros * 4294967296.0 ? 0 : spread * (v - 6);
		int w = (int)lround(v < -127 ? -127 : v > 127 ? 127 : v);
		if (!pairs) b[i] = (int8_t)w;
		else half[i / 2] = (int16_t)(i % 2 ? 256 * w + half[i / 2] : w);
	}
}

static void every_image_comes_back(void **state)
{
	static const double spread[] = {0, 0.3, 1, 3, 12, 40, 200}, zeros[] = {0, 0.5, 0.95};
	static const size_t sizes[] = {1, 2, 3, 4, 6, 17, 100, 1000, 9001, MOST - 8};
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < LEN(zeros); z++)
			for (int n = 0; n < LEN(sizes); n++)
				for (int pairs = 0; pairs < 2; pairs++) {
					draw((uint64_t)(s * 100 + z * 10 + n), sizes[n] - (pairs ? sizes[n] % 2 : 0), spread[s], zeros[z], pairs);
					if (sizes[n] > 1 || !pairs) there_and_back(cx, sizes[n] - (pairs ? sizes[n] % 2 : 0));
				}
	for (uint32_t i = 0; i < 5000; i++) { /* any bytes, as pairs too: some of them are none */
		size_t n = 1 + cop__rand(3, 1, i) % 64;
		for (size_t k = 0; k < n; k++) ((uint8_t *)image)[k] = (uint8_t)(cop__rand(3, 2 + k, i) % (i % 2 ? 256 : 1 + i % 7));
		there_and_back(cx, n);
	}
	cop_ctx_free(cx);
}

/* Not longer than the entropy by more than two percent and the head. Where few of many symbols share a small part of the table, a frequency of one is too much
 * for most of them: eight percent. */
static void close_to_the_entropy(void **state)
{
	static const double spread[] = {0.3, 0.7, 1, 3, 12, 40};
	cop_ctx *cx = new_ctx();
	size_t n = MOST - 8;
	(void)state;

	for (int s = 0; s < LEN(spread); s++)
		for (int z = 0; z < 2; z++) {
			draw((uint64_t)(s + 1), n, spread[s], z * 0.8, false);
			double least = entropy((uint8_t *)image, n) / 8 * (double)n;
			size_t plain = there_and_back(cx, n);
			draw((uint64_t)(s + 1), n, spread[s], z * 0.8, true);
			size_t pairs = there_and_back(cx, n);
			print_message("spread %g, %g zeros: entropy %.0f, code %zu, as pairs %zu\n", spread[s], z * 0.8, least, plain, pairs);
			double most = (z && spread[s] > 10 ? 1.08 : 1.02) * least + 300;
			assert_true((double)plain < most && (double)pairs < most);
			assert_true((double)plain >= least);
		}
	cop_ctx_free(cx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(every_image_comes_back), cmocka_unit_test(close_to_the_entropy)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
