/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches: every sample once an epoch, the same whatever the parts; the options do to pixels what batch.h says; a
 * caller's own data set is batched like ours.
 */
#include "data/make.h"

#include "data/batch.h"

#include <math.h>
#include <time.h>

enum { H = 4, W = 5, C = 2, N = 23, EACH = H * W * C };
static cop_ctx *cx;
static int gets;

/* x of sample i at (y, x, c) = i + place / 100, a data set that is not ours */
static float at(int i, int k) { return (float)i + (float)(k + 1) / 100; }
static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < EACH; k++) x[k] = at(i, k);
	*label = i % 3;
	gets++;
	return COP_OK;
}
static cop_dataset own = {
        .name = "own", .x = {.dtype = COP_F32, .rank = 3, .dim = {H, W, C}}, .count = N, .classes = 3, .get = get};

static cop_batches *open(cop_dataset *d, cop_batch_args a)
{
	cop_batches *b;
	if (cop__batch_new(&b, cx, d, &a)) fail_msg("%s", cop_error_text(cx));
	return b;
}

static void test_each_once(void **state)
{
	(void)state;
	float x[8 * EACH];
	int32_t label[8];
	cop_batches *b = open(&own, (cop_batch_args){.size = 8, .seed = 5});
	gets = 0;
	assert_int_equal(cop__batch_count(b), 3);
	int first[2] = {0};
	for (int epoch = 0; epoch < 2; epoch++) {
		int seen[N] = {0};
		assert_int_equal(cop__batch_epoch(b, epoch), COP_OK);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(cop__batch_get(x, label, b, i, 0, 1), COP_OK);
			for (int r = 0; r < 8; r++) {
				int s = (int)x[r * EACH];
				if (i * 8 + r < N) seen[s]++;
				else assert_int_equal(s, first[epoch]); /* 24 rows for 23 samples: the last row begins again */
				assert_int_equal(label[r], s % 3);
				for (int k = 0; k < EACH; k++) assert_true(x[r * EACH + k] == at(s, k));
				if (!i && !r) first[epoch] = s;
			}
		}
		for (int s = 0; s < N; s++) assert_int_equal(seen[s], 1);
	}
	assert_int_not_equal(first[0], first[1]);
	assert_int_equal(gets, N); /* read once, kept */
	assert_int_equal(cop__batch_get(x, label, b, 3, 0, 1), COP_ARG);
	cop_error_clear(cx);
	cop__batch_free(b);
}

/* In order, as for scores, the rows past the end are empty. */
static void test_empty_rows(void **state)
{
	(void)state;
	float x[8 * EACH];
	int32_t label[8];
	cop_batches *b = open(&own, (cop_batch_args){.size = 8, .in_order = true});
	assert_int_equal(cop__batch_get(x, label, b, 2, 0, 1), COP_OK);
	for (int r = 0; r < 8; r++) {
		assert_int_equal(label[r], r < 7 ? (16 + r) % 3 : -1);
		for (int k = 0; k < EACH; k++) assert_true(x[r * EACH + k] == (r < 7 ? at(16 + r, k) : 0));
	}
	cop__batch_free(b);
}

/* A set that is smaller than a batch goes round in it: every sample as often as any other, give or take one. */
static void test_small_set(void **state)
{
	(void)state;
	float x[50 * EACH];
	int32_t label[50];
	int seen[N] = {0};
	cop_batches *b = open(&own, (cop_batch_args){.size = 50, .seed = 2});
	assert_int_equal(cop__batch_count(b), 1);
	assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
	for (int r = 0; r < 50; r++) seen[(int)x[r * EACH]]++;
	for (int s = 0; s < N; s++) assert_in_range(seen[s], 2, 3);
	cop__batch_free(b);
}

/* The same bytes from one part or five, from this batcher or a new one that goes straight to the epoch. */
static void test_parts(void **state)
{
	(void)state;
	static float x[2][8 * EACH];
	int32_t label[2][8];
	cop_batch_args a = {.size = 8, .seed = 9, .augment = "flip,shift=1,crop=1,erase=2,normalise"};
	cop_batches *b = open(&own, a), *again = open(&own, a);
	for (int e = 0; e < 3; e++) {
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		for (int i = 0; i < 3; i++) assert_int_equal(cop__batch_get(x[0], label[0], b, i, 0, 1), COP_OK);
	}
	assert_int_equal(cop__batch_epoch(again, 2), COP_OK);
	for (int p = 4; p >= 0; p--) assert_int_equal(cop__batch_get(x[1], label[1], again, 2, p, 5), COP_OK);
	assert_memory_equal(x[0], x[1], sizeof x[0]);
	assert_memory_equal(label[0], label[1], sizeof label[0]);
	cop__batch_free(b);
	cop__batch_free(again);
}

/* Every row is some shift and mirror image of its sample; over many draws every one of them comes up. */
static void test_moves(void **state)
{
	(void)state;
	float x[N * EACH];
	int32_t label[N];
	int seen[2][5][5] = {{{0}}};
	cop_batches *b = open(&own, (cop_batch_args){.size = N, .seed = 1, .augment = "flip shift=1 crop=1"});
	for (int e = 0; e < 20; e++) {
		assert_int_equal(cop__batch_epoch(b, e), COP_OK);
		assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
		for (int r = 0; r < N; r++) {
			int s = 0, found = 0;
			for (int k = 0; k < EACH; k++)
				if (x[r * EACH + k] > 0) s = (int)x[r * EACH + k];
			for (int f = 0; f < 2; f++)
				for (int dy = -2; dy <= 2; dy++)
					for (int dx = -2; dx <= 2; dx++) {
						bool same = true;
						for (int y = 0; y < H; y++)
							for (int q = 0; q < W * C; q++) {
								int sy = y + dy, sx = q / C + dx;
								bool in = sy >= 0 && sy < H && sx >= 0 && sx < W;
								if (f) sx = W - 1 - sx;
								same &= x[r * EACH + y * W * C + q] ==
								        (in ? at(s, (sy * W + sx) * C + q % C) : 0);
							}
						if (same) found++, seen[f][dy + 2][dx + 2]++;
					}
			assert_int_equal(found, 1);
		}
	}
	for (int i = 0; i < 50; i++) assert_true(seen[i / 25][i / 5 % 5][i % 5] > 0);
	cop__batch_free(b);
}

static void test_erase(void **state)
{
	(void)state;
	float x[N * EACH];
	int32_t label[N];
	int most = 0;
	cop_batches *b = open(&own, (cop_batch_args){.size = N, .augment = "erase=2"});
	assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
	for (int r = 0; r < N; r++) {
		int none = 0;
		for (int k = 0; k < EACH; k++) none += x[r * EACH + k] == 0;
		assert_in_range(none, C, 4 * C);
		most = none > most ? none : most;
	}
	assert_int_equal(most, 4 * C);
	cop__batch_free(b);
}

/* Mean 0 and deviation 1 by channel; evaluation with the same numbers sees the same x. */
static void test_normalise(void **state)
{
	(void)state;
	float x[N * EACH], y[N * EACH], m[C], s[C];
	int32_t label[N], n;
	const float *mean, *std;
	cop_batches *b = open(&own, (cop_batch_args){.size = N, .augment = "normalise"});
	assert_int_equal(cop__batch_get(x, label, b, 0, 0, 1), COP_OK);
	for (int c = 0; c < C; c++) {
		double sum = 0, sq = 0;
		for (int k = c; k < N * EACH; k += C) sum += x[k], sq += x[k] * x[k];
		assert_true(fabs(sum / (N * H * W)) < 1e-4 && fabs(sq / (N * H * W) - 1) < 1e-4);
	}
	assert_true(cop__batch_norm(b, &mean, &std, &n));
	assert_int_equal(n, C);
	assert_int_equal(cop__batch_stats(m, s, C, cx, &own), COP_OK);
	assert_memory_equal(m, mean, sizeof m);
	assert_memory_equal(s, std, sizeof s);
	cop_batches *e =
	        open(&own, (cop_batch_args){.size = N, .in_order = true, .mean = mean, .std = std, .augment = "flip"});
	assert_int_equal(cop__batch_get(y, label, e, 0, 0, 1), COP_OK);
	for (int k = 0; k < N * EACH; k++)
		assert_true(y[k] == (at(k / EACH, k % EACH) - mean[k % C]) * (1 / std[k % C]));
	cop__batch_free(b);
	cop__batch_free(e);
}

/* 8-bit sets take the table: the same values as get, normalised. */
static void test_codes(void **state)
{
	(void)state;
	cop_dataset *d;
	float x[784], y[784], m, s;
	int32_t a, b;
	assert_int_equal(cop_data_open(&d, cx, "synth-digits", "test", 300), COP_OK);
	assert_int_equal(cop__batch_stats(&m, &s, 1, cx, d), COP_OK);
	double sum = 0, sq = 0;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(d->get(d->ud, i, y, &b), COP_OK);
		for (int k = 0; k < 784; k++) sum += y[k], sq += y[k] * y[k];
	}
	sum /= 300 * 784;
	assert_float_equal(m, sum, 1e-5);
	assert_float_equal(s, sqrt(sq / (300 * 784) - sum * sum), 1e-4);
	cop_batches *e = open(d, (cop_batch_args){.size = 1, .in_order = true, .augment = "normalise"});
	for (int i = 0; i < 300; i += 37) {
		assert_int_equal(cop__batch_get(x, &a, e, i, 0, 1), COP_OK);
		assert_int_equal(d->get(d->ud, i, y, &b), COP_OK);
		assert_int_equal(a, b);
		for (int k = 0; k < 784; k++) assert_true(x[k] == (y[k] - m) * (1 / s));
	}
	cop__batch_free(e);
	cop_data_free(d);
}

static void test_refusals(void **state)
{
	(void)state;
	const struct { const char *augment; int32_t size; const char *says;
	} rows[] = {{"flop", 1, "'flop'"}, {"shift=-1", 1, "shift must be a whole number from 0 to 1024, not -1"}, {"shift=x", 1, "not x"},
	        {"none", 0, "batch of 0"}, {"mix=0.2", 1, "need a loss against parts of classes"}, {"balance", 1, "need a loss against parts of classes"}};
	for (int i = 0; i < LEN(rows); i++) {
		cop_batches *b;
		cop_error_clear(cx);
		assert_int_equal(cop__batch_new(&b, cx, &own,
		                         &(cop_batch_args){.size = rows[i].size, .augment = rows[i].augment}),
		        COP_ARG);
		assert_null(b);
		assert_says(cx, rows[i].says);
	}
	cop_error_clear(cx);
}

/* No bound is asserted, machines differ: the numbers are for the reader. */
static void test_speed(void **state)
{
	(void)state;
	cop_dataset *d;
	float *x = malloc(sizeof *x * 128 * 784);
	int32_t label[128];
	assert_int_equal(cop_data_open(&d, cx, "synth-digits", "train", 6000), COP_OK);
	static const char *const options[] = {"none", "none", "normalise", "shift=2", "flip,crop=4,normalise"};
	for (int o = 0; o < LEN(options); o++) {
		cop_batches *b = open(d, (cop_batch_args){.size = 128, .augment = options[o]});
		clock_t t = clock();
		int n = o ? 5 : 1;
		for (int e = 0; e < n; e++)
			for (int i = 0; i < cop__batch_count(b); i++)
				assert_int_equal(cop__batch_get(x, label, b, i, 0, 1), COP_OK);
		print_message("%s: %.0f images/s\n", o ? options[o] : "drawn the first time",
		        n * 6000.0 / ((double)(clock() - t) / CLOCKS_PER_SEC));
		cop__batch_free(b);
	}
	cop_data_free(d);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_each_once),
	        cmocka_unit_test(test_empty_rows),
	        cmocka_unit_test(test_small_set),
	        cmocka_unit_test(test_parts),
	        cmocka_unit_test(test_moves),
	        cmocka_unit_test(test_erase),
	        cmocka_unit_test(test_normalise),
	        cmocka_unit_test(test_codes),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_speed),
	};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
