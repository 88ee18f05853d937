/* SPDX-License-Identifier: Apache-2.0
 *
 * The Gram matrix of what layers see, its factors, and weights removed by it: by hand, against plain loops, and by what has to hold for every row.
 */
#include "compress/known.h"
#include "compress/gram/gram.h"

enum { K = 12, SAW = 40 };

/* ---- factors and one row ---- */

/* 2 X X' for a small X; what numpy says of the row below. */
static const float four[16] = {32, 14, 16, 6, 14, 14, 6, 8, 16, 6, 16, 10, 6, 8, 10, 14};
static const float row4[4] = {0.5f, -0.25f, 0.75f, 1};
static const struct { int32_t goes; double cost; float rest[4]; } numpy4[4] = {
	{1, 0.06134259259259262, {0.31712963f, 0, 0.9837963f, 0.76851852f}}, {0, 0.7007541816009555, {0, 0, 1.40322581f, 0.60483871f}},
	{3, 1.4175907258064515, {0, 0, 1.78125f, 0}}, {2, 25.38281250000001, {0, 0, 0, 0}}};

static void product_of(float *h, uint32_t stream)
{
	for (int i = 0; i < K * K; i++) h[i] = 0;
	for (int s = 0; s < SAW; s++)
		for (int i = 0; i < K; i++)
			for (int j = 0; j < K; j++) h[i * K + j] += 2.0f / SAW * cop__rand_normal(1, stream, (uint64_t)(s * K + i)) * cop__rand_normal(1, stream, (uint64_t)(s * K + j));
}

static void trace(float *cost, int32_t *order, const float *w, const double *inverse, cop_obs_rule *r)
{
	char *room = malloc(cop__obs_room(r));
	assert_non_null(room);
	cop__obs_trace(cost, order, w, inverse, r, room);
	free(room);
}

static void factors(void **state)
{
	double a[K * K], l[K * K], inverse[K * K], room[K * K], x[K];
	float h[K * K];

	(void)state;
	for (uint32_t s = 0; s < 5; s++) {
		product_of(h, s);
		for (int i = 0; i < K; i++) h[3 * K + i] = h[i * K + 3] = 0; /* an input that is always 0 */
		cop__damped(a, h, K, 0.01);
		double mean = 0;
		for (int i = 0; i < K; i++) mean += (double)h[i * K + i] / K;
		for (int i = 0; i < K * K; i++) assert_float_equal((float)a[i], (float)((double)h[i] + (i % (K + 1) ? 0 : (i / K == 3 ? 1 : 0) + 0.01 * mean)), 1e-6f);
		memcpy(l, a, sizeof a), memcpy(inverse, a, sizeof a);
		assert_true(cop__cholesky(l, K) && cop__invert(inverse, K, room));
		for (int i = 0; i < K; i++)
			for (int j = 0; j < K; j++) {
				double of = 0, product = 0;
				for (int m = 0; m <= COP_MIN(i, j); m++) product += l[i * K + m] * l[j * K + m];
				for (int m = 0; m < K; m++) of += a[i * K + m] * inverse[m * K + j];
				assert_float_equal((float)product, (float)a[i * K + j], 1e-5f);
				assert_float_equal((float)of, i == j, 1e-5f);
			}
		for (int i = 0; i < K; i++) x[i] = i + 1;
		cop__solve(l, x, K);
		for (int i = 0; i < K; i++) {
			double of = 0;
			for (int j = 0; j < K; j++) of += a[i * K + j] * x[j];
			assert_float_equal((float)of, (float)(i + 1), 1e-4f);
		}
	}
	a[0] = -1;
	assert_false(cop__cholesky(a, K));
}

static void by_numpy(void **state)
{
	double h[16], inverse[16], room[20];
	cop_obs_rule r = {.k = 4, .items = 4, .most = 1};
	float cost[4], mask[4] = {1, 1, 1, 1}, w[4];
	int32_t order[4];

	(void)state;
	for (int i = 0; i < 16; i++) h[i] = inverse[i] = (double)four[i];
	assert_true(cop__invert(inverse, 4, room));
	trace(cost, order, row4, inverse, &r);
	for (int t = 0; t < 4; t++) {
		assert_int_equal(order[t], numpy4[t].goes);
		assert_float_equal(cost[t], (float)numpy4[t].cost, 1e-4f);
		mask[order[t]] = 0;
		memcpy(w, row4, sizeof w);
		assert_true(cop__obs_correct(w, mask, h, inverse, 4, room));
		for (int i = 0; i < 4; i++) assert_float_equal(w[i], numpy4[t].rest[i], 1e-5f);
	}
}

/* H = 1: the smallest goes, at w w / 2, and nothing makes good for it. */
static void by_size(void **state)
{
	double one[K * K] = {0}, room[K * K + K];
	cop_obs_rule r = {.k = K, .items = K, .most = 1};
	float w[K], mask[K], cost[K], rest[K];
	int32_t order[K];

	(void)state;
	for (int i = 0; i < K; i++) one[i * K + i] = 1, w[i] = cop__rand_normal(3, 3, (uint64_t)i);
	trace(cost, order, w, one, &r);
	for (int i = 0; i < K; i++) mask[i] = 1;
	for (int t = 0; t < K; t++) {
		if (t) assert_true(fabsf(w[order[t]]) >= fabsf(w[order[t - 1]]));
		assert_float_equal(cost[t], w[order[t]] * w[order[t]] / 2, 1e-6f);
		mask[order[t]] = 0;
		memcpy(rest, w, sizeof w);
		assert_true(cop__obs_correct(rest, mask, one, one, K, room));
		for (int i = 0; i < K; i++) assert_float_equal(rest[i], mask[i] != 0 ? w[i] : 0, 0);
	}
}

/* The rest stands where no step along what is free helps; what the steps cost is what the whole costs; no other single weight would have cost less. */
static void what_holds(void **state)
{
	double h[K * K], inverse[K * K], room[K * K + K], paid;
	cop_obs_rule r = {.k = K, .items = K, .most = 1};
	float f[K * K], w[K], mask[K], other[K], cost[K], rest[K];
	int32_t order[K];

	(void)state;
	for (uint32_t s = 0; s < 10; s++) {
		product_of(f, s);
		cop__damped(h, f, K, 0.01);
		memcpy(inverse, h, sizeof h);
		assert_true(cop__invert(inverse, K, room));
		for (int i = 0; i < K; i++) w[i] = cop__rand_normal(4, s, (uint64_t)i), mask[i] = 1;
		trace(cost, order, w, inverse, &r);
		paid = 0;
		for (int t = 0; t < K; t++) {
			double least = 1e30, whole = 0;
			for (int o = 0; o <= K; o++) { /* each alternative, and at last what was chosen */
				int goes = o < K ? o : order[t];
				if (mask[goes] == 0) continue;
				memcpy(other, mask, sizeof mask), memcpy(rest, w, sizeof w);
				other[goes] = 0;
				assert_true(cop__obs_correct(rest, other, h, inverse, K, room));
				whole = 0;
				for (int i = 0; i < K; i++) {
					double slope = 0;
					for (int j = 0; j < K; j++) slope += h[i * K + j] * ((double)rest[j] - (double)w[j]);
					if (other[i] != 0) assert_float_equal((float)slope, 0, 1e-4f);
					else assert_true(rest[i] == 0);
					whole += 0.5 * slope * ((double)rest[i] - (double)w[i]);
				}
				least = COP_MIN(least, whole);
			}
			mask[order[t]] = 0;
			paid += (double)cost[t];
			assert_float_equal((float)paid, (float)whole, 1e-3f * (float)(1 + whole));
			assert_float_equal((float)whole, (float)least, 1e-3f * (float)(1 + whole));
		}
	}
}

/* Weights that go together cost what they cost one after the other; a bucket keeps what it has to. */
static void together(void **state)
{
	double h[K * K], inverse[K * K], room[K * K + K];
	static const int32_t pairs[K] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}, fours[K] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2};
	cop_obs_rule by_pair = {.k = K, .item = pairs, .items = 6, .most = 2}, of_four = {.k = K, .items = K, .most = 1, .bucket = fours, .buckets = 3, .full = 2};
	float f[K * K], w[K], mask[K], cost[K], rest[K];
	int32_t order[K], gone[3] = {0};

	(void)state;
	product_of(f, 77);
	cop__damped(h, f, K, 0.01);
	memcpy(inverse, h, sizeof h);
	assert_true(cop__invert(inverse, K, room));
	for (int i = 0; i < K; i++) w[i] = cop__rand_normal(4, 77, (uint64_t)i);
	trace(cost, order, w, inverse, &by_pair);
	for (int p = 0; p < 6; p++) { /* the first is the cheapest pair */
		double whole = 0;
		memcpy(rest, w, sizeof w);
		for (int i = 0; i < K; i++) mask[i] = pairs[i] != p;
		assert_true(cop__obs_correct(rest, mask, h, inverse, K, room));
		for (int i = 0; i < K; i++)
			for (int j = 0; j < K; j++) whole += 0.5 * h[i * K + j] * ((double)rest[i] - (double)w[i]) * ((double)rest[j] - (double)w[j]);
		if (p == order[0]) assert_float_equal(cost[0], (float)whole, 1e-4f);
		else assert_true((float)whole >= cost[0]);
	}
	trace(cost, order, w, inverse, &of_four);
	for (int t = 0; t < K; t++) {
		assert_true(isinf(cost[t]) == (t >= 6));
		if (t < 6) gone[fours[order[t]]]++;
	}
	for (int b = 0; b < 3; b++) assert_int_equal(gone[b], 2);
}

/* ---- what layers see ---- */

static cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;
	for (int64_t k = 0; k < cop_type_count(&d->x); k++) x[k] = cop__rand_normal(6, 6, (uint64_t)(i * cop_type_count(&d->x) + k));
	*label = 0;
	return COP_OK;
}

/* A convolution of 3x3 windows over [5,4,2], two groups, stride 2 along the rows, one more row of zeros on top; then a layer that sees all its results, behind a rectifier. */
static void of_a_convolution(void **state)
{
	enum { N = 21, H = 5, W = 4, C = 4, OUT = 6, OH = 2, OW = 2, FILTER = 3 * 3 * 2 };
	cop_type in = cop__type(COP_F32, 4, DIMS(1, H, W, C)), t = cop__type(COP_F32, 4, DIMS(OUT, 3, 3, C / 2)), flat = cop__type(COP_F32, 2, DIMS(3, OH * OW * OUT));
	cop_conv_attr a = {2, 1, 1, 0, 0, 0, 1, 1, 2, COP_NO_LO, COP_NO_HI};
	cop_act_attr relu = {0, COP_NO_HI}, none = {COP_NO_LO, COP_NO_HI};
	static float w[OUT * FILTER], v[3 * OH * OW * OUT], x[H * W * C], seen[2][FILTER * FILTER], last[OH * OW * OUT], deep[OH * OW * OUT * OH * OW * OUT];
	cop_dataset d = {.name = "pictures", .x = cop__type(COP_F32, 3, DIMS(H, W, C)), .count = N, .get = picture, .ud = &d};
	cop_graph *g;
	int32_t label;

	for (int i = 0; i < LEN(w); i++) w[i] = cop__rand_normal(7, 7, (uint64_t)i);
	for (int i = 0; i < LEN(v); i++) v[i] = cop__rand_normal(8, 8, (uint64_t)i);
	OK(*state, cop__graph_new(&g, *state, "seen"));
	cop_vid y = cop__apply(g, OP_conv, &a, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "conv.w", &t, w)));
	y = cop__apply(g, OP_clip, &relu, VIDS(y));
	y = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, OH * OW * OUT}}, VIDS(y));
	y = cop__apply(g, OP_fc, &none, VIDS(y, cop__data(g, COP_PARAM, "fc.w", &flat, v)));
	OK(*state, cop__output(g, y, "y"));
	memset(seen, 0, sizeof seen), memset(deep, 0, sizeof deep);
	for (int n = 0; n < N; n++) {
		OK(*state, picture(&d, n, x, &label));
		for (int at = 0; at < OH * OW; at++)
			for (int group = 0; group < 2; group++) {
				float p[FILTER];
				for (int k = 0; k < FILTER; k++) {
					int row = at / OW * 2 - 1 + k / 6, column = at % OW + k / 2 % 3, channel = group * 2 + k % 2;
					p[k] = row < 0 || row >= H || column >= W ? 0 : x[(row * W + column) * C + channel];
				}
				for (int i = 0; i < FILTER * FILTER; i++) seen[group][i] += 2.0f / N * p[i / FILTER] * p[i % FILTER];
				for (int o = group * 3; o < group * 3 + 3; o++) {
					float s = 0;
					for (int k = 0; k < FILTER; k++) s += w[o * FILTER + k] * p[k];
					last[at * OUT + o] = fmaxf(s, 0);
				}
			}
		for (int i = 0; i < LEN(last); i++)
			for (int j = 0; j < LEN(last); j++) deep[i * LEN(last) + j] += 2.0f / N * last[i] * last[j];
	}
	cop_gram m[2] = {{.weight = cop__find(g, "conv.w")}, {.weight = cop__find(g, "fc.w")}};
	OK(*state, cop__grams(m, 2, g, &d, &(cop_gram_args){.threads = 1}));
	assert_true(m[0].groups == 2 && m[0].k == FILTER && m[1].groups == 1 && m[1].k == LEN(last));
	for (int i = 0; i < 2 * FILTER * FILTER; i++) assert_float_equal(m[0].h[i], seen[i / (FILTER * FILTER)][i % (FILTER * FILTER)], 1e-4f);
	for (int i = 0; i < LEN(deep); i++) assert_float_equal(m[1].h[i], deep[i], 2e-3f);
	for (int i = 0; i < OUT; i++) assert_float_equal(m[0].gain[i], 1, 1e-6f);
	cop__grams_free(m, 2, *state);
	cop_graph_free(g);
}

/* ---- the stage ---- */

enum { IN = 16, ROWS = 6, MANY = 64 };

static cop_status mixed(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < IN; k++) x[k] = k == 5 ? 0 : cop__rand_normal(9, 9, (uint64_t)(i * IN + k)) + cop__rand_normal(9, 10, (uint64_t)i); /* alike, and one that is always 0 */
	*label = i % 2;
	return COP_OK;
}

static cop_graph *made(cop_ctx *cx)
{
	static float w[ROWS * IN], v[2 * ROWS];
	for (int i = 0; i < LEN(w); i++) w[i] = cop__rand_normal(11, 1, (uint64_t)i);
	for (int i = 0; i < LEN(v); i++) v[i] = cop__rand_normal(11, 2, (uint64_t)i);
	return known_net(cx, IN, ROWS, w, 2, v);
}

/* How far a.w's row r is from what it was, in the mean square of what it puts out. */
static double far(const cop_graph *g, const cop_graph *was, int r)
{
	const float *a = cop__floats(g, cop__find(g, "a.w")) + r * IN, *b = cop__floats(was, cop__find(was, "a.w")) + r * IN;
	double sum = 0;

	for (int i = 0; i < MANY; i++) {
		float x[IN], s = 0;
		int32_t label;
		mixed(NULL, i, x, &label);
		for (int k = 0; k < IN; k++) s += (a[k] - b[k]) * x[k];
		sum += (double)s * (double)s / MANY;
	}
	return sum;
}

#define ONCE ", schedule: once, train: no, may_cost: 100, must_gain: 0"

static void pruned(void **state)
{
	static const struct { const char *options; int kept, of_four; } rows[] = {
		{"keep: 0.5, scope: layer, layers: a.w", 48, 0}, {"keep: {a.w: 0.25}, scope: layer, layers: a.w", 24, 0}, {"keep: 0.5, scope: layer, layers: a.w, what: block, block: 4", 48, 0},
		{"layers: a.w, what: nm, m: 4", 48, 2}, {"layers: a.w, what: nm, n: 1, m: 4", 24, 1}, {"layers: a.w, what: nm, n: 1, m: 4, damp: 0.1, samples: 32", 24, 1},
	};
	cop_dataset d = {.name = "mixed", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = MANY, .classes = 2, .get = mixed};
	char text[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = made(*state), *h = made(*state), *was = made(*state);
		int kept = 0, better = 0;
		double of = 0, without = 0;
		snprintf(text, sizeof text, "- prune: {by: obc, %s%s}", rows[i].options, ONCE);
		OK(*state, known_compress(&g, text, &d, NULL, NULL, &known_args, NULL));
		const float *w = cop__floats(g, cop__find(g, "a.w")), *mask = cop__floats(g, cop__find(g, "a.w.mask"));
		assert_non_null(mask);
		for (int k = 0; k < ROWS * IN; k++) {
			assert_true((w[k] == 0) == (mask[k] == 0));
			kept += mask[k] != 0;
			if (rows[i].of_four && k % 4 == 3) assert_true(mask[k] + mask[k - 1] + mask[k - 2] + mask[k - 3] == (float)rows[i].of_four);
			if (strstr(rows[i].options, "block:") && k % 4) assert_true(mask[k] == mask[k - 1]);
		}
		assert_int_equal(kept, rows[i].kept);
		if (i != 2) for (int r = 0; r < ROWS; r++) assert_true(mask[r * IN + 5] == 0); /* nothing is seen there */
		known_is(g, "b.w", cop__floats(was, cop__find(was, "b.w")), 2 * ROWS, "b.w");
		/* the same weights without the rest making good for them */
		float *plain = cop__own(h, cop__find(h, "a.w"));
		for (int k = 0; k < ROWS * IN; k++) plain[k] *= mask[k];
		for (int r = 0; r < ROWS; r++) better += far(g, was, r) < far(h, was, r), of += far(g, was, r), without += far(h, was, r);
		assert_int_equal(better, ROWS);
		assert_true(of < 0.8 * without);
		cop_graph_free(g), cop_graph_free(h), cop_graph_free(was);
	}
}

/* What is gone stays gone, and a training after it keeps it so. */
static void twice(void **state)
{
	cop_dataset d = {.name = "mixed", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = MANY, .classes = 2, .get = mixed};
	float first[ROWS * IN];

	if (!known_parts()) skip();
	cop_graph *g = made(*state);
	OK(*state, known_compress(&g, "- prune: {by: obc, keep: 0.5" ONCE "}", &d, NULL, NULL, &known_args, NULL));
	known_weight(first, g, "a.w");
	OK(*state, known_compress(&g, "- prune: {by: obc, keep: 0.25, scope: layer" ONCE "}\n- train: {lr: 0.01, may_cost: 100, must_gain: 0}", &d, NULL, NULL, &known_args, NULL));
	const float *w = cop__floats(g, cop__find(g, "a.w"));
	int left = 0;
	for (int k = 0; k < ROWS * IN; k++) {
		if (first[k] == 0) assert_true(w[k] == 0);
		left += w[k] != 0;
	}
	assert_int_equal(left, ROWS * IN / 4);
	cop_graph_free(g);
}

/* Inputs 0 .. 3 of norms 2, 1, 0 and 3: sizes times norms decide, in each row by itself. */
static cop_status norms(void *ud, int32_t i, float *x, int32_t *label)
{
	static const float of[4] = {2, 1, 0, 3};
	(void)ud;
	for (int k = 0; k < 4; k++) x[k] = i % 2 ? -of[k] : of[k];
	*label = 0;
	return COP_OK;
}

static void wanda(void **state)
{
	static const float w[8] = {3, 7, 100, -2.5f, 0.3f, 0.5f, 90, 0.25f}, by_row[8] = {0, 7, 0, -2.5f, 0.3f, 0, 0, 0.25f}, by_layer[8] = {3, 7, 0, -2.5f, 0, 0, 0, 0.25f};
	cop_dataset d = {.name = "norms", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 10, .classes = 2, .get = norms};

	if (!known_parts()) skip();
	cop_graph *g = known_net(*state, 4, 2, w, 0, NULL), *h = known_net(*state, 4, 2, w, 0, NULL);
	OK(*state, known_compress(&g, "- prune: {by: wanda, scope: row, keep: 0.5" ONCE "}", &d, NULL, NULL, &known_args, NULL));
	known_is(g, "a.w", by_row, 8, "by row");
	OK(*state, known_compress(&h, "- prune: {by: wanda, scope: layer, keep: 0.5" ONCE "}", &d, NULL, NULL, &known_args, NULL));
	known_is(h, "a.w", by_layer, 8, "by layer");
	cop_graph_free(g), cop_graph_free(h);
}

static cop_graph *no_layer(cop_ctx *cx)
{
	static const float w[16] = {1, 2, 3};
	cop_type t = cop__type(COP_F32, 2, DIMS(4, 4)), x = cop__type(COP_F32, 2, DIMS(1, 4));
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "none"));
	cop_vid y = cop__apply(g, OP_matmul, &(cop_matmul_attr){0}, VIDS(cop__input(g, "x", &x), cop__data(g, COP_PARAM, "a.w", &t, w)));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static void refused(void **state)
{
	static const struct { const char *options, *says; } rows[] = {
		{"keep: 0.5, by: obc, what: channel", "prune: by: obc compares weights of a row"}, {"keep: 0.5, by: wanda, what: channel", "prune: by: wanda compares weights of a row"},
		{"keep: 0.5, by: obc, what: block, block: 80", "what: block makes it"}, {"keep: 0.5, by: obc, layers: c.w", "matches no weight"},
		{"keep: 0.5, by: obc, damp: 0", "damp must be a number from 1e-06 to 10"},
	};
	cop_dataset d = {.name = "mixed", .x = cop__type(COP_F32, 1, DIMS(IN)), .count = MANY, .classes = 2, .get = mixed}, four_numbers = {.name = "norms", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 10, .classes = 2, .get = norms};
	static float w[2 * 100];
	char text[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = i == 2 ? known_net(*state, 100, 2, w, 0, NULL) : made(*state);
		snprintf(text, sizeof text, "- prune: {%s}", rows[i].options);
		assert_int_equal(known_compress(&g, text, &d, NULL, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", text, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
	cop_graph *g = no_layer(*state);
	assert_int_equal(known_compress(&g, "- prune: {by: obc, keep: 0.5}", &four_numbers, NULL, NULL, &known_args, NULL), COP_ARG);
	if (!strstr(cop_error_text(*state), "'a.w' is read by matmul; name the others as layers")) fail_msg("%s", cop_error_text(*state));
	cop_error_clear(*state);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(factors), KNOWN_TEST(by_numpy), KNOWN_TEST(by_size), KNOWN_TEST(what_holds), KNOWN_TEST(together), KNOWN_TEST(of_a_convolution),
		KNOWN_TEST(pruned), KNOWN_TEST(twice), KNOWN_TEST(wanda), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
