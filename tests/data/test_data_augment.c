/* SPDX-License-Identifier: Apache-2.0
 *
 * Augmentation against what can be told by hand: mirrors by turns, the erased square, mixed samples and their parts of classes, class weights.
 */
#include "data/make.h"

#include "data/augment.h"
#include "data/batch.h"

#include <math.h>

enum { H = 4, W = 5, C = 2, N = 23, EACH = H * W * C, CLASSES = 4 };
static cop_ctx *cx;
static const int32_t *labels; /* NULL: sample i has label i */

/* Above 0 everywhere, so that a zero is one that came in. */
static float at(int i, int k) { return (float)(i + 1) + (float)(k + 1) / 100; }
static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < EACH; k++) x[k] = at(i, k);
	*label = labels ? labels[i] : i;
	return COP_OK;
}
static cop_dataset set = {.name = "own", .x = {.dtype = COP_F32, .rank = 3, .dim = {H, W, C}}, .count = N, .classes = N, .get = get};

static cop_batches *open(cop_dataset *d, const char *augment, uint64_t seed)
{
	cop_batches *b;
	if (cop__batch_new(&b, cx, d, &(cop_batch_args){.size = N, .seed = seed, .soft = true, .augment = augment})) fail_msg("%s", cop_error_text(cx));
	return b;
}

static int mirrored(const float *x, int s)
{
	int same = 1, turned = 1;

	for (int y = 0; y < H; y++)
		for (int p = 0; p < W; p++)
			for (int c = 0; c < C; c++) {
				float v = x[(y * W + p) * C + c];
				same &= v == at(s, (y * W + p) * C + c);
				turned &= v == at(s, (y * W + W - 1 - p) * C + c);
			}
	assert_int_equal(same + turned, 1);
	return turned;
}

/* Each sample turns from epoch to epoch; about half of them are mirrored in each. */
static void test_by_turns(void **state)
{
	static float x[N * EACH];
	int32_t label[N], was[N], now[N];
	cop_batches *b = open(&set, "alternate", 3);

	(void)state;
	for (int e = 0; e < 6; e++) {
		int count = 0;
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
		for (int r = 0; r < N; r++) now[label[r]] = mirrored(x + r * EACH, label[r]);
		for (int s = 0; s < N; s++) {
			if (e) assert_int_equal(now[s], !was[s]);
			count += was[s] = now[s];
		}
		assert_in_range(count, 5, 18);
	}
	cop__batch_free(b);
}

/* Zeros are exactly a square of 3 whose centre lies in the picture, cut off at its border; over time every pixel is a centre. */
static void test_square(void **state)
{
	static float x[N * EACH];
	int32_t label[N];
	int centre[H][W] = {{0}};
	cop_batches *b = open(&set, "erase=3", 1);

	(void)state;
	for (int e = 0; e < 20; e++) {
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
		for (int r = 0; r < N; r++) {
			int found = 0;
			for (int cy = 0; cy < H; cy++)
				for (int cp = 0; cp < W; cp++) {
					bool fits = true;
					for (int k = 0; k < EACH; k++) {
						int y = k / C / W, p = k / C % W;
						bool in = abs(y - cy) <= 1 && abs(p - cp) <= 1;
						fits &= x[r * EACH + k] == (in ? 0 : at(label[r], k));
					}
					if (fits) found++, centre[cy][cp]++;
				}
			assert_int_equal(found, 1);
		}
	}
	for (int i = 0; i < H * W; i++) assert_true(centre[i / W][i % W] > 0);
	cop__batch_free(b);
}

/* What comes in is the picture mirrored at its border, as numpy's pad has it: of 0 1 2 3 4 the places -3 .. 7 are 3 2 1 0 1 2 3 4 3 2 1. */
static void test_reflected(void **state)
{
	static const int row[] = {2, 1, 0, 1, 2, 3, 2, 1, 0}, col[] = {2, 1, 0, 1, 2, 3, 4, 3, 2}; /* places -2 .. 6 */
	static float x[N * EACH];
	int32_t label[N];
	int seen[5][5][2] = {{{0}}};
	cop_batches *b = open(&set, "alternate,shift=2,reflect", 1);

	(void)state;
	for (int e = 0; e < 20; e++) {
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
		for (int r = 0; r < N; r++) {
			int found = 0;
			for (int k = 0; k < 50; k++) {
				const int dy = k / 10, dp = k / 2 % 5, turned = k % 2;
				bool fits = true;
				for (int i = 0; i < EACH; i++) {
					int y = row[i / C / W + dy], p = col[i / C % W + dp];
					fits &= x[r * EACH + i] == at(label[r], (y * W + (turned ? W - 1 - p : p)) * C + i % C);
				}
				if (fits) found++, seen[dy][dp][turned]++;
			}
			assert_in_range(found, 1, 2); /* 2 1 0 1 2 is 2 3 4 3 2 turned */
		}
	}
	for (int k = 0; k < 50; k++) assert_true(seen[k / 10][k / 2 % 5][k % 2] > 0);
	cop__batch_free(b);
}

/* With a class for each sample the parts tell what x has to be made of. */
static void test_mixed(void **state)
{
	static float x[N * EACH], again[N * EACH], y[N * N];
	int32_t label[N];
	int mixed = 0;
	cop_batches *b = open(&set, "mix=1", 7);

	(void)state;
	assert_true(cop__batch_is_soft(b));
	for (int e = 0; e < 4; e++) {
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
		assert_int_equal(cop__batch_soft(y, b, 0), COP_OK);
		for (int r = 0; r < N; r++) {
			float sum = 0;
			int parts = 0;
			for (int s = 0; s < N; s++) sum += y[r * N + s], parts += y[r * N + s] > 0;
			assert_float_equal(sum, 1, 1e-6);
			assert_in_range(parts, 1, 2);
			mixed += parts == 2 && y[r * N + label[r]] > 0 && y[r * N + label[r]] < 1;
			for (int k = 0; k < EACH; k++) {
				float want = 0;
				for (int s = 0; s < N; s++) want += y[r * N + s] * at(s, k);
				assert_float_equal(x[r * EACH + k], want, 1e-5);
			}
		}
	}
	assert_in_range(mixed, 4 * N - 15, 4 * N); /* one in N meets itself */
	for (int p = 4; p >= 0; p--) assert_int_equal(cop__batch_get(again, label, b, 0, p, 5), COP_OK);
	assert_memory_equal(x, again, sizeof x);
	cop__batch_free(b);
}

/* Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)); the other sample is any of them. */
static void test_shares(void **state)
{
	static const float as[] = {0.2f, 1, 2};
	enum { DRAWS = 20000 };

	(void)state;
	for (int i = 0; i < LEN(as); i++) {
		double sum = 0, square = 0;
		int other[10] = {0};
		for (int s = 0; s < DRAWS; s++) {
			cop_mix m = cop__augment_mix(&(cop_augment){.mix = as[i]}, 5, s % 7, s, 10);
			assert_true(m.share >= 0 && m.share <= 1 && m.other >= 0 && m.other < 10);
			sum += (double)m.share, square += (double)(m.share * m.share), other[m.other]++;
		}
		double mean = sum / DRAWS, variance = square / DRAWS - mean * mean;
		assert_true(fabs(mean - 0.5) < 0.015);
		assert_true(fabs(variance * 4 * (2 * (double)as[i] + 1) - 1) < 0.03);
		for (int k = 0; k < 10; k++) assert_in_range(other[k], DRAWS / 10 - 250, DRAWS / 10 + 250);
	}
}

/* 12, 8 and 3 samples of three classes, none of the fourth: 23 / (3 * 12), 23 / (3 * 8), 23 / (3 * 3). */
static void test_balance(void **state)
{
	static const int32_t uneven[N] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2};
	static const float weight[CLASSES] = {0.638889f, 0.958333f, 2.555556f, 0};
	static float x[N * EACH], y[N * CLASSES];
	int32_t label[N];
	cop_dataset d = set;
	float sum = 0;

	(void)state;
	labels = uneven;
	d.classes = CLASSES;
	cop_batches *b = open(&d, "balance", 1);
	assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
	assert_int_equal(cop__batch_soft(y, b, 0), COP_OK);
	for (int r = 0; r < N; r++)
		for (int k = 0; k < CLASSES; k++) {
			assert_float_equal(y[r * CLASSES + k], k == label[r] ? weight[k] : 0, 1e-5);
			sum += y[r * CLASSES + k];
		}
	assert_float_equal(sum, N, 1e-3);
	cop__batch_free(b);
	labels = NULL;
	d.classes = 3; /* labels go to 22 */
	assert_int_equal(cop__batch_new(&b, cx, &d, &(cop_batch_args){.size = N, .soft = true, .augment = "balance"}), COP_ARG);
	assert_says(cx, "label of sample 3 is 3, which is none of 3 classes");
	cop_error_clear(cx);
}

/* Scores see the samples as they are. */
static void test_in_order(void **state)
{
	static float x[N * EACH];
	int32_t label[N];
	cop_batches *b;

	(void)state;
	assert_int_equal(cop__batch_new(&b, cx, &set, &(cop_batch_args){.size = N, .in_order = true, .augment = "alternate,flip,crop=2,erase=2,mix=1,balance"}), COP_OK);
	assert_false(cop__batch_is_soft(b));
	assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
	for (int k = 0; k < N * EACH; k++) assert_true(x[k] == at(k / EACH, k % EACH));
	cop__batch_free(b);
}

static void test_refusals(void **state)
{
	static const struct { const char *augment; int32_t rank, classes; const char *says; } bad[] = {
		{"mix=5", 3, N, "mix must be a number from 0 to 4, not 5"}, {"mix", 3, N, "mix must be a number"}, {"alternat", 3, N, "did you mean 'alternate'"},
		{"flip,flip", 3, N, "flip is given twice"}, {"alternate", 1, N, "have one axis"}, {"mix=1", 3, 0, "need classes"}, {"balance", 3, 0, "need classes"},
	};

	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_dataset d = set;
		cop_batches *b;
		d.x.rank = bad[i].rank;
		if (d.x.rank == 1) d.x.dim[0] = EACH;
		d.classes = bad[i].classes;
		assert_int_equal(cop__batch_new(&b, cx, &d, &(cop_batch_args){.size = 4, .soft = true, .augment = bad[i].augment}), COP_ARG);
		assert_null(b);
		assert_says(cx, bad[i].says);
		cop_error_clear(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_turns), cmocka_unit_test(test_square), cmocka_unit_test(test_reflected), cmocka_unit_test(test_mixed), cmocka_unit_test(test_shares),
		cmocka_unit_test(test_balance), cmocka_unit_test(test_in_order), cmocka_unit_test(test_refusals),
	};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
