/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of quantisation by hand: scales of weights, what is seen of a value, rounding whatever the unit of its products, channels that two
 * layers share out among them and those that stay as they are, and biases that take back what rounding took away.
 */
#include "../pass/nets.h"
#include "compress/quantize/quantize.h"

/* ---- weights ---- */

static void scales(void **state)
{
	static const float w[2][4] = {{1, -7, 3, 2}, {0, 14, -3, 1}}, uneven[4] = {0, 14, -3.3f, 1}, zeros[4] = {0};
	static const struct { float w, scale; int32_t most, q; } row[] = {
		{0.5f, 1, 7, 1}, {-0.5f, 1, 7, -1}, {0.49f, 1, 7, 0}, {1.5f, 1, 7, 2}, {7.4f, 1, 7, 7}, {7.6f, 1, 7, 7}, {-100, 1, 7, -7}, {100, 1, 127, 100}, {1, 0.25f, 127, 4}, {-200, 1, 127, -127}, {128, 1, 127, 127},
	};

	(void)state;
	for (int i = 0; i < LEN(row); i++) assert_int_equal(cop__round_weight(row[i].w, row[i].scale, row[i].most), row[i].q);
	assert_float_equal(cop__weight_scale(w[0], 1, 4, 7, false, NULL), 1, 0);
	assert_float_equal(cop__weight_scale(w[0], 2, 4, 7, false, NULL), 2, 0);
	assert_float_equal(cop__weight_scale(uneven, 1, 4, 127, false, NULL), 14.0f / 127, 1e-9);
	assert_float_equal(cop__weight_scale(zeros, 1, 4, 7, true, NULL), 0, 0);
	assert_float_equal(cop__weight_scale(w[0], 1, 4, 7, true, NULL), 1, 0); /* all are whole already */
	/* one large and many small: cutting the large one is worth it, unless it alone matters */
	float many[41] = {10};
	for (int i = 1; i < 41; i++) many[i] = 1;
	float all[41], first[41], cut = cop__weight_scale(many, 1, 41, 7, true, NULL);
	assert_true(cut < 10.0f / 7 && cut >= 10.0f / 7 / 4);
	for (int i = 0; i < 41; i++) all[i] = 1, first[i] = i ? 1e-9f : 1;
	assert_float_equal(cop__weight_scale(many, 1, 41, 7, true, all), cut, 0);
	assert_true(fabsf(7 * cop__weight_scale(many, 1, 41, 7, true, first) - 10) < 0.2f);
}

/* Whole multiples of a step keep it: the step is 1 of 14, -3 and 1 although the largest weight could be 127 of something, and 0.07 of what a factor has multiplied; but 128
 * multiples are too many, and so is what is a tenth off. The least of them may be two to four steps. */
static void steps_stay(void **state)
{
	static const struct { float w[5]; int32_t most; float scale; } row[] = {
		{{0, 14, -3, 1, 2}, 127, 1}, {{0.07f, -0.21f, 0.63f, 0, 0.14f}, 127, 0.07f}, {{2, 3, -5, 0, 7}, 127, 1}, {{-6, 9, 15, 6, 0}, 7, 3}, {{4, 7, -9, 0, 5}, 127, 1}, {{1, 127, 0, 0, -3}, 127, 1},
		{{1, 128, 0, 0, -3}, 127, 128.0f / 127}, {{1, 8, 2, 0, -3}, 7, 8.0f / 7}, {{1, 2, 3.1f, 0, -7}, 127, 7.0f / 127}, {{5, 7, -11, 0, 13}, 127, 13.0f / 127},
	};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		float s = cop__weight_scale(row[i].w, 1, 5, row[i].most, false, NULL);
		if (fabsf(s - row[i].scale) > 1e-6f * row[i].scale) fail_msg("row %d: the scale is %g, %g is right", i, (double)s, (double)row[i].scale);
	}
}

/* The scale by least squares has the least error of all that are tried: 20/80 to 80/80 of the largest. */
static void least_squares(void **state)
{
	float w[30], matters[10];

	(void)state;
	for (uint32_t seed = 0; seed < 20; seed++) {
		double best = 1e30, got = 0;
		float max = 0;
		bool weighted = seed % 2;
		for (int i = 0; i < 30; i++) w[i] = cop__rand_normal(3, seed, (uint64_t)i), max = fmaxf(max, fabsf(w[i]));
		for (int i = 0; i < 10; i++) matters[i] = 0.1f + cop__rand_unit(4, seed, (uint64_t)i);
		float s = cop__weight_scale(w, 3, 10, 7, true, weighted ? matters : NULL);
		for (int k = 21; k <= 81; k++) { /* the last of them is ours */
			float scale = k > 80 ? s : max / 7 * (float)k / 80;
			double sum = 0;
			for (int i = 0; i < 30; i++) {
				double q = fmin(fmax(floor(fabs((double)w[i] / (double)scale) + 0.5), 0), 7), e = q * (double)scale - fabs((double)w[i]);
				sum += e * e * (weighted ? (double)matters[i % 10] : 1);
			}
			if (k > 80) got = sum;
			else best = fmin(best, sum);
		}
		if (got > best * (1 + 1e-5)) fail_msg("seed %u: an error of %g, %g is there", seed, got, best);
	}
}

/* ---- what is seen ---- */

static int64_t count[COP_SEEN_BINS];

static void seen(void **state)
{
	static const float x[] = {0.5f, -0.25f, 3, INFINITY, NAN, -INFINITY, 0}, huge[] = {3e38f, -3e38f};
	cop_seen s = {.count = count};

	(void)state;
	memset(count, 0, sizeof count);
	cop__see(&s, x, LEN(x));
	assert_true(s.lo == -0.25f && s.hi == 3 && s.n == 4 && s.reach == 4);
	const int half = COP_SEEN_BINS / 2; /* a bin is 4 / 2048 wide */
	assert_true(count[half] == 1 && count[half + 256] == 1 && count[half - 128] == 1 && count[half + 1536] == 1);
	cop__see(&s, (const float[]){4}, 1); /* the end of the reach is in the last bin */
	assert_true(s.reach == 4 && s.n == 5 && count[COP_SEEN_BINS - 1] == 1);
	cop__see(&s, (const float[]){5}, 1); /* twice the reach: pairs of bins merge */
	assert_true(s.reach == 8 && s.hi == 5 && count[half] == 1 && count[half + 128] == 1 && count[half - 64] == 1 && count[half + 768] == 1 && count[half + 1023] == 1 && count[half + 1280] == 1);
	cop__see(&s, huge, 2);
	int64_t sum = 0;
	for (int i = 0; i < COP_SEEN_BINS; i++) sum += count[i];
	assert_true(sum == 8 && s.n == 8 && count[0] == 1 && count[COP_SEEN_BINS - 1] == 1);
}

/* One in 20,000 is far off: all of them are covered by the smallest and the largest, 99.99 % without that one. */
static void ranges(void **state)
{
	static float x[20000];
	cop_seen s = {.count = count};
	cop_qrange r;

	memset(count, 0, sizeof count);
	for (int i = 0; i < LEN(x); i++) x[i] = (float)(i % 1000) / 1000 - 0.5f;
	x[17] = -100;
	cop__see(&s, x, LEN(x));
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_MINMAX, 8, false));
	assert_float_equal(r.scale, 100.499f / 255, 1e-5);
	assert_int_equal(r.zero, 127 - 1); /* 0.499 above zero is 1.27 steps */
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_MINMAX, 8, true));
	assert_float_equal(r.scale, 100.0f / 127, 1e-5);
	assert_int_equal(r.zero, 0);
	OK(*state, cop__qrange_of(&r, *state, &s, COP_RANGE_PERCENTILE, 8, false));
	assert_float_equal(r.scale, (0.499f + 0.5f) / 255, 1e-5); /* bins are 1/16 wide: -0.5 ends the eighth */
	cop_seen none = {.count = count};
	for (int kind = COP_RANGE_MINMAX; kind <= COP_RANGE_KL; kind++) { /* nothing was seen */
		OK(*state, cop__qrange_of(&r, *state, &none, (cop_range_kind)kind, 8, false));
		assert_true(r.scale == 1 && r.zero == 0 && r.lo == -128 && r.hi == 127);
	}
}

/* ---- rounding ---- */

/* What is best does not depend on the unit of the products: a power of two changes no bit. Without any, the nearest stays. */
static void any_unit(void **state)
{
	enum { K = 11 };
	float h[K * K], scaled[K * K], w[K], d[K], dd[K];
	int8_t q[2][K], nearest[K];

	for (uint32_t row = 0; row < 8; row++) {
		for (int i = 0; i < K; i++) {
			w[i] = cop__rand_unit(8, row, (uint64_t)i) * 1.6f - 0.8f;
			d[i] = 0.1f * (cop__rand_unit(9, row, (uint64_t)i) - 0.5f);
			nearest[i] = q[0][i] = q[1][i] = (int8_t)cop__round_weight(w[i], 0.13f, 7);
			for (int j = 0; j < K; j++) h[i * K + j] = 0.4f + (i == j) * 0.3f;
		}
		OK(*state, cop__adaround(q[0], *state, w, 0.13f, K, h, d, 7, 100));
		for (int e = -30; e <= 30; e += 20) {
			for (int i = 0; i < K * K; i++) scaled[i] = ldexpf(h[i], e);
			for (int i = 0; i < K; i++) dd[i] = ldexpf(d[i], e);
			memcpy(q[1], nearest, sizeof nearest);
			OK(*state, cop__adaround(q[1], *state, w, 0.13f, K, scaled, dd, 7, 100));
			assert_memory_equal(q[0], q[1], K);
			assert_float_equal(ldexp(cop__round_cost(q[1], w, 0.13f, K, scaled, dd), -e), cop__round_cost(q[0], w, 0.13f, K, h, d), 1e-9);
		}
		memset(scaled, 0, sizeof scaled);
		memcpy(q[1], nearest, sizeof nearest);
		OK(*state, cop__adaround(q[1], *state, w, 0.13f, K, scaled, d, 7, 100));
		assert_memory_equal(q[1], nearest, K);
	}
	/* e = (0.5, -0.25), H = [[2, 1], [1, 4]], d = (1, 2): e' H e + 2 e' d = 0.5 + 0.25 - 0.25 + 2 (0.5 - 0.5) */
	static const float two[] = {0.5f, 1.25f}, hh[] = {2, 1, 1, 4}, d2[] = {1, 2};
	assert_float_equal(cop__round_cost((const int8_t[]){1, 1}, two, 1, 2, hh, NULL), 0.5, 1e-9);
	assert_float_equal(cop__round_cost((const int8_t[]){1, 1}, two, 1, 2, hh, d2), 0.5, 1e-9);
	assert_float_equal(cop__round_cost((const int8_t[]){0, 1}, two, 1, 2, hh, d2), 0.5 + 0.25 + 0.25 + 2 * (-0.5 - 0.5), 1e-9);
}

static void gptq_of(cop_ctx *cx, int8_t *q, const float *w, float scale, int32_t k, const float *h, const float *d, int32_t most)
{
	cop_gptq f;

	OK(cx, cop__gptq_open(&f, cx, h, k));
	cop__gptq(q, &f, w, scale, d, most);
	cop__gptq_close(&f, cx);
}

/* Where inputs have nothing to do with each other, each weight is rounded to the nearest (GPTQ's golden test). Two that go together share the error. Of few
 * weights all roundings are tried: often the best one is found, never one that is worse than the nearest, and half of what that loses is made good. What is carried in moves the aim. */
static void gptq(void **state)
{
	enum { K = 6, ROWS = 60, MOST = 2 };
	float h[K * K] = {0}, w[K], d[K];
	int8_t q[K], to[K];
	int best_found = 0;
	double all_got = 0, all_nearest = 0;

	for (uint32_t row = 0; row < 8; row++) {
		for (int i = 0; i < K; i++) w[i] = cop__rand_unit(8, row, (uint64_t)i) * 1.6f - 0.8f, h[i * K + i] = 0.1f + cop__rand_unit(9, row, (uint64_t)i);
		gptq_of(*state, q, w, 0.13f, K, h, NULL, 7);
		for (int i = 0; i < K; i++) assert_int_equal(q[i], cop__round_weight(w[i], 0.13f, 7));
	}
	gptq_of(*state, q, (const float[]){0.4f, 0.4f}, 1, 2, (const float[]){1, 0.9f, 0.9f, 1}, NULL, 7);
	assert_int_equal(q[0] + q[1], 1); /* 0.8 in all */
	gptq_of(*state, q, (const float[]){0.4f, 0.4f}, 1, 2, (const float[]){1, 0, 0, 1}, (const float[]){-1, 0}, 7);
	assert_true(q[0] == 1 && q[1] == 0); /* the first aims at 0.4 + 1 / 1.01 */
	gptq_of(*state, q, (const float[]){0.4f, 0}, 1, 2, (const float[]){1, 0.9f, 0.9f, 1}, NULL, 7);
	assert_int_equal(q[1], 0); /* pruned */
	gptq_of(*state, q, (const float[]){0, 0.4f}, 1, 2, (const float[]){1, 0.9f, 0.9f, 1}, (const float[]){-3, 0}, 7);
	assert_int_equal(q[0], 0);
	for (uint32_t row = 0; row < ROWS; row++) {
		double least = INFINITY;
		for (int i = 0; i < K; i++) w[i] = cop__rand_unit(10, row, (uint64_t)i) * 3 - 1.5f, d[i] = 0.2f * (cop__rand_unit(11, row, (uint64_t)i) - 0.5f), q[i] = (int8_t)cop__round_weight(w[i], 1, MOST);
		for (int i = 0; i < K; i++)
			for (int j = 0; j < K; j++) h[i * K + j] = 0;
		for (int n = 0; n < 8; n++) /* products of eight samples that share a part */
			for (int i = 0; i < K; i++)
				for (int j = 0; j < K; j++) h[i * K + j] += (0.7f + cop__rand_unit(12, row * 8 + (uint32_t)n, (uint64_t)i)) * (0.7f + cop__rand_unit(12, row * 8 + (uint32_t)n, (uint64_t)j)) / 8;
		double nearest = cop__round_cost(q, w, 1, K, h, d);
		gptq_of(*state, q, w, 1, K, h, d, MOST);
		double got = cop__round_cost(q, w, 1, K, h, d);
		for (int code = 0; code < 15625; code++) { /* 5^6 */
			for (int i = 0, c = code; i < K; i++, c /= 5) to[i] = (int8_t)(c % 5 - MOST);
			least = fmin(least, cop__round_cost(to, w, 1, K, h, d));
		}
		if (got > nearest + 1e-6 || got < least - 1e-6) fail_msg("row %u: %g, %g to the nearest, at best %g", row, got, nearest, least);
		all_got += got - least, all_nearest += nearest - least;
		best_found += got <= least + 0.02 * fabs(least) + 1e-6;
	}
	if (best_found < ROWS / 6 || !(all_got < 0.5 * all_nearest)) fail_msg("the best of %d rows was found %d times; above it %g in all, to the nearest %g", ROWS, best_found, all_got, all_nearest);
}

/* ---- equalisation ---- */

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu_act = {0, COP_NO_HI}, relu6 = {0, 6};

static cop_vid layer(cop_graph *g, cop_vid x, const char *name, int32_t out, const float *w, const float *b, const cop_act_attr *act)
{
	char bias[32];
	cop_type tw = cop__type(COP_F32, 2, DIMS(out, cop__t(g, x)->dim[1])), tb = cop__type(COP_F32, 1, DIMS(out));
	cop_vid vw = cop__data(g, COP_PARAM, name, &tw, w);

	snprintf(bias, sizeof bias, "%s.b", name);
	return cop__apply(g, OP_fc, act, b ? 3 : 2, (cop_vid[]){x, vw, b ? cop__data(g, COP_PARAM, bias, &tb, b) : 0});
}

static void weights_are(const cop_graph *g, const char *name, const float *want, int n)
{
	const float *w = cop__floats(g, cop__find(g, name));
	for (int i = 0; i < n; i++)
		if (fabsf(w[i] - want[i]) > 1e-4f) fail_msg("%s[%d] is %g, not %g", name, i, (double)w[i], (double)want[i]);
}

/* Rows of the first layer reach 8, 1, 0 and 1; columns of the second 2, 4, 1 and 0. s = sqrt(8/2) = 2 and sqrt(1/4) = 1/2; a dead channel stays. */
static void equalized(void **state)
{
	static const float a[8] = {8, -4, 0.5f, 1, 0, 0, 1, -1}, b[4] = {2, 3, 4, 5}, c[8] = {1, 4, 1, 0, -2, 2, 0.5f, 0};
	static const float a2[8] = {4, -2, 1, 2, 0, 0, 1, -1}, b2[4] = {1, 6, 4, 5}, c2[8] = {2, 2, 1, 0, -4, 1, 0.5f, 0};
	static const struct { const char *what; const cop_act_attr *act; bool twice, out; int32_t pairs; } row[] = {
		{"nothing between", &none, false, false, 1}, {"a rectifier", &relu_act, false, false, 1}, {"one with a bound", &relu6, false, false, 0}, {"two readers", &relu_act, true, false, 0}, {"an output", &relu_act, false, true, 0},
	};

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		int32_t pairs = -1;
		OK(*state, cop__graph_new(&g, *state, "pair"));
		cop_vid x = layer(g, input(g, 2, DIMS(1, 2)), "a", 4, a, b, row[i].act), y = layer(g, x, "c", 2, c, NULL, &none);
		if (row[i].twice) y = cop__apply(g, OP_concat, &(cop_concat_attr){1}, VIDS(y, x));
		if (row[i].out) OK(*state, cop__output(g, x, "inner"));
		OK(*state, cop__output(g, y, "y"));
		OK(*state, cop__equalize(g, &pairs));
		if (pairs != row[i].pairs) fail_msg("%s: %d pairs", row[i].what, pairs);
		weights_are(g, "a", pairs ? a2 : a, 8);
		weights_are(g, "a.b", pairs ? b2 : b, 4);
		weights_are(g, "c", pairs ? c2 : c, 8);
		cop_graph_free(g);
	}
}

/* Three layers of one channel each, 16, 1 and 1: all reach what their product has for its cube root, 2.52. */
static void equalized_chain(void **state)
{
	static const float a = 16, one = 1;
	const float even = cbrtf(16);
	cop_graph *g;
	int32_t pairs;

	OK(*state, cop__graph_new(&g, *state, "chain"));
	cop_vid x = layer(g, layer(g, input(g, 2, DIMS(1, 1)), "a", 1, &a, NULL, &relu_act), "b", 1, &one, NULL, &none);
	OK(*state, cop__output(g, layer(g, x, "c", 1, &one, NULL, &relu_act), "y"));
	OK(*state, cop__equalize(g, &pairs));
	assert_int_equal(pairs, 2);
	for (const char *const *n = (const char *const[]){"a", "b", "c", NULL}; *n; n++) assert_float_equal(*cop__floats(g, cop__find(g, *n)), even, 0.01);
	cop_graph_free(g);
}

/* ---- biases ---- */

static cop_status draw(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	for (int64_t k = 0; k < cop_type_count(&d->x); k++) x[k] = 1 + cop__rand_unit(19, (uint32_t)i, (uint64_t)k);
	*label = 0;
	return COP_OK;
}

/* Each filter has one weight of 7 and others of 0.45, which 4 bits round to 0. What they brought on the average comes back as a bias: over the
 * samples of calibration the mean of each channel is that of the float network, within the rounding of results, for filters of any form. */
static void biases(void **state)
{
	static const struct { const char *what; int32_t k, stride, pad, dilation, groups, out; } row[] = {
		{"plain", 3, 1, 0, 1, 1, 2}, {"padded", 3, 1, 1, 1, 1, 2}, {"far padded", 3, 1, 2, 1, 1, 2}, {"strides", 3, 2, 1, 1, 1, 3}, {"dilated", 2, 1, 1, 2, 1, 2}, {"groups", 3, 1, 1, 1, 2, 4}, {"depthwise", 3, 2, 0, 1, 4, 4}, {"one by one", 1, 1, 0, 1, 1, 2},
	};

	for (int i = 0; i < LEN(row); i++) {
		int32_t cg = 4 / row[i].groups, n = row[i].out * row[i].k * row[i].k * cg;
		cop_conv_attr a = {row[i].stride, row[i].stride, row[i].pad, row[i].pad, row[i].pad, row[i].pad, row[i].dilation, row[i].dilation, row[i].groups, COP_NO_LO, COP_NO_HI};
		cop_type tw = cop__type(COP_F32, 4, DIMS(row[i].out, row[i].k, row[i].k, cg)), tb = cop__type(COP_F32, 1, DIMS(row[i].out));
		float w[300], b[4] = {1, 2, 3, 4};
		cop_graph *g, *q[2];
		for (int k = 0; k < n; k++) w[k] = k % (n / row[i].out) == k / (n / row[i].out) % (row[i].k * row[i].k) ? 7 : k % 3 ? 0.45f : -0.3f;
		OK(*state, cop__graph_new(&g, *state, row[i].what));
		OK(*state, cop__output(g, cop__apply(g, OP_conv, &a, VIDS(input(g, 4, DIMS(1, 5, 5, 4)), cop__data(g, COP_PARAM, "w", &tw, w), cop__data(g, COP_PARAM, "b", &tb, b))), "y"));
		cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 3, DIMS(5, 5, 4)), .count = 21, .get = draw, .ud = &d}, *set = &d;
		double mean[3][4] = {{0}}, most = 0;
		for (int k = 0; k < 3; k++) {
			cop_watch u;
			cop_tensor y;
			int32_t got;
			const cop_quantize_args qa = {.scheme = "w4a8", .range = "minmax", .round = "nearest", .bias_correct = k == 2, .threads = 1};
			if (k) OK(*state, cop__pass_batch(&q[k - 1], g, 1));
			if (k) OK(*state, cop_quantize(&q[k - 1], set, &qa));
			OK(*state, cop__watch_new(&u, k ? q[k - 1] : g, 1, 0, 1));
			OK(*state, cop_session_io(u.host.s, 0, 0, true, &y));
			int64_t each = cop_type_count(&y.type) / row[i].out;
			for (int32_t s = 0; s < 21; s++) {
				OK(*state, cop__watch_load(&u, &set, s, 21, &got));
				OK(*state, cop_session_run(u.host.s, 0));
				for (int64_t e = 0; e < each * row[i].out; e++) mean[k][e % row[i].out] += (double)((float *)y.data)[e] / (21.0 * (double)each), most = fmax(most, (double)((float *)y.data)[e]);
			}
			cop__watch_free(&u);
		}
		for (int c = 0; c < row[i].out; c++) {
			if (row[i].k > 1 && !(fabs(mean[1][c] - mean[0][c]) > 4 * most / 255)) fail_msg("%s: there is nothing to take back", row[i].what);
			if (!(fabs(mean[2][c] - mean[0][c]) < 0.5 * most / 255 + 0.02)) fail_msg("%s: channel %d has a mean of %g, not %g (uncorrected %g)", row[i].what, c, mean[2][c], mean[0][c], mean[1][c]);
		}
		cop_graph_free(q[0]);
		cop_graph_free(q[1]);
		cop_graph_free(g);
	}
}

/* ---- what calibration looks at ---- */

static cop_status outlier(void *ud, int32_t i, float *x, int32_t *label)
{
	*x = i == *(int32_t *)ud ? 100 : 1;
	*label = 0;
	return COP_OK;
}

static float input_scale(const cop_graph *q)
{
	for (cop_nid n = 1; n <= (cop_nid)q->n_node; n++)
		if (q->node[n].op == OP_quantize) {
			COP_ATTR(cop_quantize_attr, a, q, n);
			return a.scale;
		}
	return 0;
}

static void limits(void **state)
{
	static const struct { int32_t count, limit, at; bool seen; } row[] = {{40, 0, 39, true}, {40, 0, 0, true}, {40, 16, 16, false}, {40, 16, 15, true}, {40, 17, 16, true}, {40, 17, 17, false}, {5, 40, 4, true}, {1, 0, 0, true}, {40, 1, 1, false}, {17, 0, 16, true}};
	static const float w = 1;

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		int32_t at = row[i].at;
		cop_dataset d = {.name = "one", .x = cop__type(COP_F32, 1, DIMS(1)), .count = row[i].count, .get = outlier, .ud = &at};
		OK(*state, cop__graph_new(&g, *state, "one"));
		OK(*state, cop__output(g, layer(g, input(g, 2, DIMS(1, 1)), "w", 1, &w, NULL, &none), "y"));
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.range = "minmax", .limit = row[i].limit, .threads = 1}));
		float want = row[i].seen ? 100.0f / 255 : 1.0f / 255;
		if (fabsf(input_scale(g) - want) > 1e-5f) fail_msg("%d of %d samples, the outlier is number %d: a scale of %g", row[i].limit, row[i].count, at, (double)input_scale(g));
		cop_graph_free(g);
	}
}

/* ---- masks ---- */

/* Minus infinity in every third place. */
static cop_status masked(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 4; k++) x[k] = (i + k) % 3 ? 0 : -INFINITY;
	*label = 0;
	return COP_OK;
}

/* Infinite numbers are a mask where they are added to what a softmax reads, and a mistake anywhere else. */
static void masks(void **state)
{
	static const float w[16] = {1, 0.5f, -0.25f, 0.75f, 0.5f, -1, 0.25f, 0.5f, 0.75f, 1, -0.5f, 0.25f, 1, -0.75f, 0.5f, 1};
	static const struct { const char *what; int op, first, softmax, reshape; bool good; } row[] = {
		{"added behind", OP_add, 0, 1, 0, true}, {"added in front", OP_add, 1, 1, 0, true}, {"behind a change of form", OP_add, 0, 1, 1, true}, {"no softmax", OP_add, 0, 0, 0, false}, {"no softmax, in front", OP_add, 1, 0, 0, false},
		{"multiplied", OP_mul, 0, 1, 0, false}, {"another row length", OP_add, 0, 1, 2, false},
	};

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_type t = cop__type(COP_F32, 2, DIMS(1, 4));
		cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 30, .get = draw, .ud = &d}, m = d, *more[] = {&m};
		m.get = masked;
		OK(*state, cop__graph_new(&g, *state, "attention"));
		cop_vid x = layer(g, cop__input(g, "x", &t), "w", 4, w, NULL, &none), mask = cop__input(g, "mask", &t);
		x = cop__apply(g, row[i].op, &none, 2, row[i].first ? (cop_vid[]){mask, x} : (cop_vid[]){x, mask});
		if (row[i].reshape) x = cop__apply(g, OP_reshape, &(cop_shape_attr){3, {0, row[i].reshape, 4 / row[i].reshape}}, VIDS(x));
		if (row[i].softmax) x = cop__apply(g, OP_softmax, NULL, VIDS(x));
		OK(*state, cop__output(g, x, "y"));
		cop_status st = cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1, .more = more, .n_more = 1});
		if ((st == COP_OK) != row[i].good) fail_msg("%s: %s", row[i].what, cop_error_text(*state));
		if (st && !strstr(cop_error_text(*state), "'mask' is infinite")) fail_msg("%s: %s", row[i].what, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

/* ---- operands of a concat ---- */

/* What layers make for a concat alone has the concat's range, so that nothing is rounded twice; what anything else reads keeps its own. The first
 * layer makes at most 1, the second 100 times that. */
static void concats(void **state)
{
	static const float a[4] = {0.5f, 0.25f, 0.25f, 0.5f}, b[4] = {50, 25, 25, 50}, c[4] = {1, 0.5f, -0.5f, 1};

	for (int other = 0; other < 2; other++) {
		cop_graph *g;
		cop_type t = cop__type(COP_F32, 2, DIMS(1, 2));
		cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(2)), .count = 30, .get = draw, .ud = &d};
		int rescaled = 0;
		OK(*state, cop__graph_new(&g, *state, "concat"));
		cop_vid x = cop__input(g, "x", &t), u = layer(g, x, "a", 2, a, NULL, &none), v = layer(g, x, "b", 2, b, NULL, &none);
		OK(*state, cop__output(g, cop__apply(g, OP_concat, &(cop_concat_attr){1}, VIDS(u, v)), "y"));
		if (other) OK(*state, cop__output(g, layer(g, u, "c", 2, c, NULL, &none), "z"));
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.range = "minmax", .threads = 1}));
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
			rescaled += g->node[n].op == OP_qlut || g->node[n].op == OP_qrescale;
		if (rescaled != other) fail_msg("%d of the concat's operands are rounded twice, not %d", rescaled, other);
		cop_graph_free(g);
	}
}

/* ---- 4 bits ---- */

/* What layers make has 16 levels, but for the network's result: that has 256, also where it is moved or made into probabilities on the way. */
static void last_has_more(void **state)
{
	static const float w[16] = {1, 0.5f, -0.25f, 0.75f, 0.5f, -1, 0.25f, 0.5f, 0.75f, 1, -0.5f, 0.25f, 1, -0.75f, 0.5f, 1};

	for (int form = 0; form < 4; form++) {
		cop_graph *g;
		cop_type t = cop__type(COP_F32, 2, DIMS(1, 4));
		cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 30, .get = draw, .ud = &d};
		int32_t levels[2] = {0}, n_layers = 0;
		OK(*state, cop__graph_new(&g, *state, "four"));
		cop_vid x = layer(g, layer(g, cop__input(g, "x", &t), "a", 4, w, NULL, &relu_act), "b", 4, w, NULL, &none);
		if (form & 1) x = cop__apply(g, OP_reshape, &(cop_shape_attr){3, {0, 2, 2}}, VIDS(x));
		if (form & 2) x = cop__apply(g, OP_softmax, NULL, VIDS(x));
		OK(*state, cop__output(g, x, "y"));
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.scheme = "w4a4", .range = "minmax", .threads = 1}));
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
			if (g->node[n].op != OP_qconv) continue;
			COP_ATTR(cop_qconv_attr, c, g, n);
			if (n_layers < 2) levels[n_layers] = c.qhi - c.qlo + 1;
			n_layers++;
		}
		assert_int_equal(n_layers, 2);
		assert_in_range(levels[0], 8, 16); /* a rectifier may leave out those below zero */
		assert_int_equal(levels[1], 256);
		cop_graph_free(g);
	}
}

/* With values of 16 levels a shortcut keeps 256, also where it is moved on the way: what makes it, what is added, and the sum. Layers read 16 of them, made once for two that read the same. */
static void sums_have_more(void **state)
{
	static const float w[16] = {1, 0.5f, -0.25f, 0.75f, 0.5f, -1, 0.25f, 0.5f, 0.75f, 1, -0.5f, 0.25f, 1, -0.75f, 0.5f, 1};
	static const struct { cop_quantize_args a; int tables, added, last; } row[] = {
		{{.scheme = "w4a4"}, 2, 256, 16}, {{.scheme = "w4a4", .narrow_sums = true}, 0, 16, 16}, {{.scheme = "w4a4", .wide_ends = true}, 2, 256, 256}, {{.scheme = "w4a8"}, 0, 256, 256},
	};

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_type t = cop__type(COP_F32, 2, DIMS(1, 4));
		cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 30, .get = draw, .ud = &d};
		cop_quantize_args a = row[i].a;
		int levels[5] = {0}, layers = 0, tables = 0, most = 0;
		a.range = "minmax", a.threads = 1;
		OK(*state, cop__graph_new(&g, *state, "shortcut"));
		cop_vid u = layer(g, cop__input(g, "x", &t), "a", 4, w, NULL, &none), v = layer(g, u, "b", 4, w, NULL, &none);
		v = cop__apply(g, OP_reshape, &(cop_shape_attr){3, {0, 2, 2}}, VIDS(v));
		u = cop__apply(g, OP_reshape, &(cop_shape_attr){3, {0, 2, 2}}, VIDS(u));
		v = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, 4}}, VIDS(cop__apply(g, OP_add, &none, VIDS(u, v))));
		u = layer(g, v, "c", 4, w, NULL, &none);
		v = layer(g, v, "d", 4, w, NULL, &none); /* no other layer behind it: with u it is the result */
		OK(*state, cop__output(g, layer(g, u, "e", 4, w, NULL, &none), "y"));
		OK(*state, cop__output(g, v, "z"));
		OK(*state, cop_quantize(&g, &d, &a));
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
			if (g->node[n].op == OP_qlut) {
				const int8_t *entry = g->value[cop__arg(g, n, 1)].data;
				bool is[256] = {false};
				int different = 0;
				for (int k = 0; k < 256; k++) different += !is[entry[k] + 128], is[entry[k] + 128] = true;
				most = COP_MAX(most, different), tables++;
			}
			if (g->node[n].op != OP_qconv || layers == 5) continue;
			COP_ATTR(cop_qconv_attr, c, g, n);
			levels[layers++] = c.qhi - c.qlo + 1;
		}
		if (layers != 5 || tables != row[i].tables || most > 16 || levels[0] != row[i].added || levels[1] != row[i].added || levels[2] != row[i].last)
			fail_msg("row %d: %d layers, %d tables of %d values; levels %d %d %d", i, layers, tables, most, levels[0], levels[1], levels[2]);
		cop_graph_free(g);
	}
}

/* Layers are told with their bits and weights; what is lost at the output when one alone is quantised is told in decibels. */
typedef struct told { int n; cop_quantized_layer l[4]; char name[4][16]; } told;
static void on_layer(void *ud, const cop_quantized_layer *l)
{
	told *t = ud;
	if (t->n < 4) snprintf(t->name[t->n], 16, "%s", l->name), t->l[t->n] = *l;
	t->n++;
}

static void layers_told(void **state)
{
	static const float a[4] = {7, 1, 1, 7}, b[4] = {7, 0.45f, 0.45f, 7};
	cop_graph *g;
	told t = {0};
	cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(2)), .count = 30, .get = draw, .ud = &d};

	assert_float_equal(cop__decibels(100, 1), 20, 1e-9);
	assert_float_equal(cop__decibels(1, 1000), -30, 1e-9);
	assert_true(isfinite(cop__decibels(0, 0)) && cop__decibels(1, 0) > 200);
	OK(*state, cop__graph_new(&g, *state, "told"));
	cop_vid x = layer(g, layer(g, layer(g, input(g, 2, DIMS(1, 2)), "exact", 2, a, NULL, &none), "rough", 2, b, NULL, &none), "kept", 2, a, NULL, &none);
	OK(*state, cop__output(g, x, "y"));
	OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.scheme = "w4a8", .range = "minmax", .keep = "kept", .threads = 1, .layer = on_layer, .ud = &t}));
	assert_int_equal(t.n, 3);
	static const char *const names[] = {"exact", "rough", "kept"};
	for (int i = 0; i < 3; i++) {
		assert_string_equal(t.name[i], names[i]);
		assert_string_equal(t.l[i].op, "fc");
		assert_true(t.l[i].weight_bits == (i < 2 ? 4 : 32) && t.l[i].act_bits == (i < 2 ? 8 : 32) && t.l[i].weights == 4);
	}
	/* rough leaves out 0.45 of 7.45: about 24 dB. exact rounds activations alone. */
	assert_true(t.l[1].sqnr > 20 && t.l[1].sqnr < 28 && t.l[0].sqnr > 35);
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(scales), TEST(steps_stay), TEST(least_squares), TEST(seen), TEST(ranges), TEST(any_unit), TEST(gptq), TEST(equalized), TEST(equalized_chain), TEST(biases), TEST(limits), TEST(masks), TEST(concats), TEST(last_has_more), TEST(sums_have_more), TEST(layers_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
