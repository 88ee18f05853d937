/* SPDX-License-Identifier: Apache-2.0
 *
 * Storage accounting of Deep Compression (arXiv 1510.00149, tables 2 and 3): random masks of the published
 * densities cost, before Huffman, entries * (code bits + gap bits) + 32 bits a level, without biases. The means
 * follow from geometric gaps; the paper prints 3.1 % and 3.05 %. Then the real bytes of such tensors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/cop/codec.h"

#include <math.h>
#include <stdlib.h>

typedef struct layer {
	const char *name;
	int32_t rows, cols;
	double density;
	int code_bits;
} layer;
enum { GAP_BITS = 5 };

/* How much fuller than the mean the column of a pixel is: nothing at the border of the image, most in the middle. */
static double pixel(int32_t i)
{
	double y = (i / 28 - 13.5) / 7, x = (i % 28 - 13.5) / 7;
	return 5.1 * exp(-(x * x + y * y));
}

static uint8_t *mask_of(const layer *l, uint32_t seed, bool image)
{
	int32_t n = l->rows * l->cols;
	uint8_t *m = malloc((size_t)n);

	for (int32_t i = 0; i < n; i++)
		m[i] = cop__rand_unit(7, seed, (uint64_t)i) <
		       l->density * (image && l->cols == 784 ? pixel(i % 784) : 1);
	return m;
}

/* Percent of the dense f32 size. */
static double accounted(const char *net, const layer *l, int n)
{
	double bits = 0, weights = 0;

	for (int i = 0; i < n; i++) {
		int32_t count = l[i].rows * l[i].cols;
		uint8_t *m = mask_of(&l[i], (uint32_t)i, false);
		int64_t entries = cop__relative_entries(m, count, GAP_BITS);
		double b = (double)entries * (l[i].code_bits + GAP_BITS) + 32 * ldexp(1, l[i].code_bits);
		print_message("%-14s %-6s %7lld entries  %5.2f %%\n", net, l[i].name, (long long)entries,
		        100 * b / (32.0 * count));
		bits += b;
		weights += count;
		free(m);
	}
	print_message("%-14s total %.3f %% (%.1fx)\n", net, 100 * bits / (32 * weights), 32 * weights / bits);
	return 100 * bits / (32 * weights);
}

static void test_published(void **state)
{
	static const layer lenet300[] = {
	        {"ip1", 300, 784, 0.08, 6}, {"ip2", 100, 300, 0.09, 6}, {"ip3", 10, 100, 0.26, 6}};
	static const layer lenet5[] = {{"conv1", 20, 25, 0.66, 8}, {"conv2", 50, 500, 0.12, 8},
	        {"ip1", 500, 800, 0.08, 5}, {"ip2", 10, 500, 0.19, 5}};

	(void)state;
	assert_true(fabs(accounted("LeNet-300-100", lenet300, LEN(lenet300)) / 3.08 - 1) < 0.02);
	assert_true(fabs(accounted("LeNet-5", lenet5, LEN(lenet5)) / 3.02 - 1) < 0.02);
}

static void test_entries(void **state)
{
	uint8_t m[40] = {0};

	(void)state;
	m[0] = 1;  /* distance 1 */
	m[12] = 1; /* distance 12 under 3 bits: a filler at 8, then 4, as in figure 2 of the paper */
	assert_int_equal(cop__relative_entries(m, 40, 3), 3);
	m[20] = 1; /* distance 8, the largest: no filler */
	assert_int_equal(cop__relative_entries(m, 40, 3), 4);
	assert_int_equal(cop__relative_entries(m, 12, 3), 1);
}

/* LeNet-300-100 with random masks, normal weights shared by 32 levels: what the two coders make of it. */
static size_t coded(cop_ctx *cx, double density, bool image, cop_codec codec)
{
	static const layer l[] = {{"fc1", 300, 784, 1, 5}, {"fc2", 100, 300, 1, 5}, {"fc3", 10, 100, 4, 5}};
	size_t total = 0;

	for (int i = 0; i < LEN(l); i++) {
		layer a = l[i];
		a.density *= density;
		int32_t n = a.rows * a.cols;
		uint8_t *m = mask_of(&a, (uint32_t)i, image);
		float *w = calloc((size_t)n, sizeof *w);
		for (int32_t k = 0; k < n;
		        k++) { /* 31 even levels over three deviations, the survivors of a magnitude cut */
			float v = cop__rand_normal(9, (uint32_t)i, (uint64_t)k);
			int q = (int)lroundf(v * 5);
			if (m[k]) w[k] = 0.0213f * (float)(q > 15 ? 15 : q < -15 ? -15 : q ? q : 1);
		}
		void *blob;
		uint32_t bytes;
		assert_int_equal(cop__encode(&blob, &bytes, cx, COP_SPARSE, w, a.rows, a.cols), COP_OK);
		cop_type t = cop__type(COP_F32, 2, DIMS(a.rows, a.cols));
		t.enc = COP_SPARSE;
		t.enc_bytes = bytes;
		cop_text s;
		cop__text_init(&s, cx);
		assert_int_equal(cop__store(&s, &codec, cx, &t, blob), COP_OK);
		total += s.len;
		cop__text_free(&s);
		cop__free(cx, blob);
		free(w);
		free(m);
	}
	return total;
}

static void test_coders(void **state)
{
	static const double density[] = {0.08, 0.05, 0.02};
	cop_ctx *cx;

	(void)state;
	assert_int_equal(cop_ctx_new(&cx, NULL), COP_OK);
	for (int i = 0; i < 2 * LEN(density); i++) {
		double d = density[i / 2];
		bool image = i % 2;
		size_t raw = coded(cx, d, image, COP_CODEC_RAW), huffman = coded(cx, d, image, COP_CODEC_HUFFMAN),
		       range = coded(cx, d, image, COP_CODEC_RANGE);
		print_message(
		        "LeNet-300-100 at %.0f %%, %s mask: in memory %zu bytes, huffman %zu, range %zu (%+.1f %%)\n",
		        100 * d, image ? "image" : "random", raw, huffman, range,
		        100 * ((double)range / (double)huffman - 1));
		assert_true(huffman < raw);
		assert_true((double)range <
		            (double)huffman * (image ? 0.98 : 1.01)); /* nothing to learn from a random mask */
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_published),
	        cmocka_unit_test(test_entries),
	        cmocka_unit_test(test_coders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
