/* SPDX-License-Identifier: Apache-2.0
 *
 * The arithmetic under the stages, by hand: which weights a mask keeps, where a gradual schedule stands, and where k-means ends.
 */
#include "help.h"
#include "compress/prune/prune.h"
#include "train/form/palette.h"

/* ---- masks ---- */

static void masks(void **state)
{
	static const struct { const char *what; int n; float score[8], mask[8]; double keep; int64_t least; float want[8]; } row[] = {
		{"half of four", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 0.5, 0, {0, 1, 0, 1}},
		{"all", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 1, 0, {1, 1, 1, 1}},
		{"none", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 0, 0, {0}},
		{"at least one", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 0, 1, {0, 1, 0, 0}},
		{"at least three", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 0.25, 3, {0, 1, 1, 1}},
		{"at least more than there are", 4, {1, 4, 2, 3}, {1, 1, 1, 1}, 0.25, 9, {1, 1, 1, 1}},
		{"ties: the first stay", 6, {2, 1, 2, 2, 1, 2}, {1, 1, 1, 1, 1, 1}, 0.5, 0, {1, 0, 1, 1, 0, 0}},
		{"all alike", 4, {5, 5, 5, 5}, {1, 1, 1, 1}, 0.5, 0, {1, 1, 0, 0}},
		{"rounded to the nearest: 2.4", 8, {8, 7, 6, 5, 4, 3, 2, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, 0.3, 0, {1, 1}},
		{"rounded to the nearest: 2.8", 8, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 1, 1, 1, 1, 1, 1, 1}, 0.35, 0, {0, 0, 0, 0, 0, 1, 1, 1}},
		{"what is cut stays cut", 6, {9, 1, 8, 2, 7, 3}, {0, 1, 0, 1, 1, 1}, 0.5, 0, {0, 0, 0, 1, 1, 1}},
		{"fewer are left than may stay", 6, {9, 1, 8, 2, 7, 3}, {0, 1, 0, 1, 0, 0}, 0.5, 0, {0, 1, 0, 1, 0, 0}},
		{"a tie with one that is cut", 6, {5, 5, 5, 5, 1, 1}, {0, 1, 0, 1, 1, 1}, 1.0 / 6, 0, {0, 1, 0, 0, 0, 0}},
		{"one", 1, {3}, {1}, 1, 0, {1}},
	};
	float mask[8], scratch[8];

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		int64_t kept = 0;
		memcpy(mask, row[i].mask, sizeof mask);
		int64_t said = cop__prune_mask(mask, row[i].score, row[i].n, row[i].keep, row[i].least, scratch);
		for (int k = 0; k < row[i].n; k++) {
			if (mask[k] != row[i].want[k]) fail_msg("%s: place %d is %g", row[i].what, k, (double)mask[k]);
			kept += mask[k] != 0;
		}
		if (said != kept) fail_msg("%s: %d are kept, %d it says", row[i].what, (int)kept, (int)said);
	}
}

static int descending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Many numbers with many ties, in any order: exactly k stay, none of them smaller than one that goes. */
static void masks_of_many(void **state)
{
	enum { N = 501 };
	float score[N], sorted[N], mask[N], scratch[N];

	(void)state;
	for (uint32_t seed = 1; seed <= 6; seed++) {
		for (int i = 0; i < N; i++) score[i] = sorted[i] = seed < 3 ? (float)(seed == 1 ? i : N - i) : (float)(cop__rand(seed, 1, (uint64_t)i) % 60);
		qsort(sorted, N, sizeof *sorted, descending);
		for (int k = 1; k < N; k += 31) {
			int kept = 0;
			for (int i = 0; i < N; i++) mask[i] = 1;
			assert_int_equal(cop__prune_mask(mask, score, N, (double)k / N, 0, scratch), k);
			for (int i = 0; i < N; i++) {
				kept += mask[i] != 0;
				assert_true(mask[i] != 0 ? score[i] >= sorted[k - 1] : score[i] <= sorted[k - 1]);
			}
			assert_int_equal(kept, k);
		}
	}
}

/* s_t = s_f + (s_i - s_f) (1 - t)^3, Zhu and Gupta 2017, equation 1, with t in 0..1. */
static void cubic(void **state)
{
	static const struct { double from, to, t, want; } row[] = {
		{1, 0, 0, 1}, {1, 0, 1, 0}, {1, 0, 0.5, 0.125}, {1, 0.2, 0.5, 0.3}, {1, 0.2, 0.25, 0.5375}, {1, 0.2, -3, 1}, {1, 0.2, 7, 0.2}, {0.5, 0.5, 0.3, 0.5}, {0, 1, 0.5, 0.875},
	};

	(void)state;
	for (int i = 0; i < LEN(row); i++) assert_float_equal(cop__cubic(row[i].from, row[i].to, row[i].t), row[i].want, 1e-12);
}

/* ---- k-means ---- */

static int by_size(const void *a, const void *b) { return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b); }

static int kmeans(float *book, uint8_t *code, int32_t k, const float *v, int64_t n, cop_beginning init, uint64_t seed)
{
	float sorted[2000];

	memcpy(sorted, v, sizeof *v * (size_t)n);
	qsort(sorted, (size_t)n, sizeof *v, by_size);
	cop__first_centroids(book, k, sorted, n, init, seed);
	return cop__kmeans(book, code, k, v, n);
}

/* Nine small numbers and a large one: evenly, one of three begins at the large one; by density it does at a small one; chance draws from all of them. */
static void beginnings(void **state)
{
	static const float v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 100};
	float c[3];
	int large = 0;

	(void)state;
	cop__first_centroids(c, 3, v, 10, COP_BEGIN_LINEAR, 1);
	assert_true(c[0] == 1 && c[1] == 50.5f && c[2] == 100);
	cop__first_centroids(c, 3, v, 10, COP_BEGIN_DENSITY, 1);
	assert_true(c[0] == 2 && c[1] == 6 && c[2] == 9);
	for (uint64_t seed = 0; seed < 300; seed++) {
		cop__first_centroids(c, 3, v, 10, COP_BEGIN_RANDOM, seed);
		assert_true(c[0] >= 1 && c[0] <= c[1] && c[1] <= c[2]);
		for (int j = 0; j < 3; j++) assert_true(c[j] == 100 || (c[j] <= 9 && c[j] == floorf(c[j])));
		large += c[2] >= 100;
	}
	assert_in_range(large, 50, 115); /* 1 - 0.9^3 of 300 is 81 */
}

/* Four heaps of four vectors each, about (0, 0), (100, 0), (0, 100) and (100, 100): found from every seed. */
static void vectors(void **state)
{
	static const float off[4][2] = {{1, 0}, {-1, 0}, {0, 2}, {0, -2}};
	float v[16 * 2], c[4 * 2], room[16];
	uint8_t code[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 2; j++) v[2 * i + j] = (i % 4 >> j & 1 ? 100.0f : 0) + off[i / 4][j];
	for (uint64_t seed = 0; seed < 30; seed++) {
		memset(code, 77, sizeof code);
		assert_in_range(cop__kmeans_vectors(c, code, 4, 2, v, 16, room, seed), 1, 10);
		for (int i = 0; i < 16; i++)
			for (int j = 0; j < 2; j++) assert_float_equal(c[2 * code[i] + j], (i % 4 >> j & 1 ? 100 : 0), 1e-5);
	}
}

static void centroids(void **state)
{
	static const struct { const char *what; int k, n; float v[12]; float want[4]; uint8_t code[12]; } row[] = {
		/* begins at 0.5 and 5.5: both centroids move */
		{"two heaps", 2, 6, {1.5f, 5, 0.5f, 5.5f, 1, 4.5f}, {1, 5}, {0, 1, 0, 1, 0, 1}},
		/* 0 and 12: {0, 5.9} {6.1, 6.2, 12} -> 2.95 and 8.1: {0} {5.9 ...} -> 0 and 7.55 */
		{"one changes sides", 2, 5, {0, 5.9f, 6.1f, 6.2f, 12}, {0, 7.55f}, {0, 1, 1, 1, 1}},
		{"an empty cluster keeps its place", 3, 3, {0, 0.5f, 10}, {0.25f, 5, 10}, {0, 0, 2}},
		{"one cluster", 1, 4, {1, 2, 3, 10}, {4}, {0}},
		{"all alike", 3, 3, {2, 2, 2}, {2, 2, 2}, {0}},
		{"in the middle: the lower one", 2, 3, {0, 1, 2}, {0.5f, 2}, {0, 0, 1}},
		{"below zero", 2, 4, {-4, -2, 1, 3}, {-3, 2}, {0, 0, 1, 1}},
		{"four of four", 4, 4, {0, 3, 6, 9}, {0, 3, 6, 9}, {0, 1, 2, 3}},
	};
	float book[4];
	uint8_t code[12];

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		memset(code, 77, sizeof code);
		int rounds = kmeans(book, code, row[i].k, row[i].v, row[i].n, COP_BEGIN_LINEAR, 1);
		if (rounds < 1 || rounds > 10) fail_msg("%s: %d rounds", row[i].what, rounds);
		for (int k = 0; k < row[i].k; k++)
			if (fabsf(book[k] - row[i].want[k]) > 1e-6f) fail_msg("%s: centroid %d is %g", row[i].what, k, (double)book[k]);
		for (int k = 0; k < row[i].n; k++)
			if (code[k] != row[i].code[k] && book[code[k]] != book[row[i].code[k]]) fail_msg("%s: number %d belongs to %d", row[i].what, k, code[k]);
	}
}

/* Where it ends nothing can move: each number is with its nearest centroid, each centroid is the mean of its numbers. */
static void at_rest(void **state)
{
	enum { N = 2000, MOST = 255 };
	float v[N], book[MOST];
	uint8_t code[N];

	(void)state;
	for (int k = 2; k <= MOST; k = k * 3 - 1) {
		double sum[MOST] = {0};
		int count[MOST] = {0};
		for (int i = 0; i < N; i++) v[i] = cop__rand_normal(3, (uint32_t)k, (uint64_t)i);
		assert_in_range(kmeans(book, code, k, v, N, (cop_beginning)(k % 3), 1), 2, 200);
		for (int i = 0; i < N; i++) {
			for (int j = 0; j < k; j++) assert_true(fabsf(v[i] - book[j]) >= fabsf(v[i] - book[code[i]]) - 1e-6f);
			sum[code[i]] += (double)v[i];
			count[code[i]]++;
		}
		for (int j = 0; j < k; j++) {
			assert_true(!j || book[j] >= book[j - 1]);
			if (count[j]) assert_float_equal(book[j], sum[j] / count[j], 1e-5);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(masks), cmocka_unit_test(masks_of_many), cmocka_unit_test(cubic), cmocka_unit_test(beginnings), cmocka_unit_test(vectors), cmocka_unit_test(centroids), cmocka_unit_test(at_rest)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
