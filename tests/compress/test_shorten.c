/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage `shorten` without training: the choice of stretches against all that there are, that a merged network answers as the one with the rectifiers
 * taken out, and which layers and blocks it takes and leaves alone.
 */
#include "compress/known.h"
#include "compress/depth/chain.h"
#include "pass/nets.h"

/* ---- the choice ---- */

typedef struct trying { const cop_stretch *s; int32_t n, links; double limit, best; } trying;

/* All ways from link `at`. */
static void try_all(trying *t, int32_t at, double time, double damage)
{
	if (at == t->links && time <= t->limit && damage < t->best) t->best = damage;
	for (int32_t i = 0; i < t->n; i++)
		if (t->s[i].from == at) try_all(t, t->s[i].to, time + t->s[i].time, damage + t->s[i].damage);
}

static double draw(int row, int k) { return (double)cop__rand_unit(21, (uint32_t)row, (uint64_t)k); }

/* Tables at random: single links cost nothing and take their time, longer stretches less time, at a price that may be negative. */
static void best_of_all(void **state)
{
	enum { LINKS = 7 };
	cop_ctx *cx = *state;
	int found = 0;

	for (int row = 0; row < 200; row++) {
		cop_stretch s[64];
		int32_t n = 0, choice[LINKS], chosen, at = 0;
		for (int from = 0; from < LINKS; from++)
			for (int to = from + 1; to <= LINKS && to - from <= 3; to++)
				for (int k = 0; k < (to - from > 1 ? 2 : 1); k++, n++)
					s[n] = (cop_stretch){.from = from, .to = to, .time = (1 + draw(row, 2 * n)) * sqrt(to - from), .damage = to - from > 1 ? draw(row, 2 * n + 1) - 0.1 : 0};
		trying t = {s, n, LINKS, 4 + 8 * draw(row, 1000), INFINITY};
		double least, time = 0, damage = 0;
		try_all(&t, 0, 0, 0);
		cop_status st = cop__cover(choice, &chosen, &least, cx, s, n, LINKS, t.limit);
		assert_int_equal(st, isinf(t.best) ? COP_BUDGET : COP_OK);
		assert_true(st ? least > t.limit : least <= t.limit);
		if (st) continue;
		for (int32_t i = 0; i < chosen; i++) {
			assert_int_equal(s[choice[i]].from, at);
			at = s[choice[i]].to;
			time += s[choice[i]].time, damage += s[choice[i]].damage;
		}
		assert_int_equal(at, LINKS);
		assert_true(time <= t.limit + 1e-9);
		if (fabs(damage - t.best) > 1e-12) fail_msg("row %d: %g was chosen, and there is %g", row, damage, t.best);
		found++;
	}
	assert_true(found > 100 && found < 200);
}

/* ---- merging ---- */

static int layers(const cop_graph *g) { return count_op(g, OP_conv) + count_op(g, OP_fc); }
static bool all(const void *ud, const char *first, const char *second) { (void)ud, (void)first, (void)second; return true; }

/* [0]: rewired, [1]: that with its layers merged. */
static void merged(cop_graph *out[2], const cop_chains *c, const cop_stretch *s, int32_t n)
{
	cop_ctx *cx = c->g->cx;

	OK(cx, cop__rewire(&out[0], c, s, n));
	OK(cx, cop__pass_copy(&out[1], out[0]));
	OK(cx, cop__pass_then(&out[1], cop__pass_to_infer));
	OK(cx, cop__pass_then(&out[1], cop__pass_fold_bn));
	cop_graph *done;
	OK(cx, cop__pass_merge_by(&done, out[1], &(cop_merging){.together = all}));
	cop_graph_free(out[1]);
	out[1] = done;
}

typedef struct window_row { int32_t k[3], stride[3], pad[3], below[3]; bool norm; int32_t kernel; } window_row; /* below: more padding there, and on the right */

/* Three layers of kernels k, with rectifiers between them or without. */
static cop_graph *three(cop_ctx *cx, const window_row *r, bool rectified)
{
	static const char *const name[] = {"a", "b", "c"}, *const norm[] = {"na", "nb", "nc"};
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "three"));
	cop_vid x = input(g, 4, DIMS(2, 13, 12, 2));
	for (int i = 0; i < 3; i++) {
		char w[8], b[8];
		cop_conv_attr a = {r->stride[i], r->stride[i], r->pad[i], r->pad[i], r->pad[i] + r->below[i], r->pad[i] + r->below[i], 1, 1, 1, COP_NO_LO, COP_NO_HI};
		text_write(w, sizeof w, name[i], ".w");
		text_write(b, sizeof b, name[i], ".b");
		cop_vid vw = weight(g, COP_PARAM, w, 4, DIMS(3 + i, r->k[i], r->k[i], cop__t(g, x)->dim[3]), -0.6f, 0.6f);
		x = cop__apply(g, OP_conv, &a, VIDS(x, vw, weight(g, COP_PARAM, b, 1, DIMS(3 + i), -0.5f, 0.5f)));
		if (r->norm) x = bn(g, x, norm[i]);
		if (rectified && i < 2) x = relu(g, x);
	}
	OK(cx, cop__output(g, x, "y"));
	return g;
}

/* Rows and columns of the result that no border reaches are as without rectifiers; and the merged network is the rewired one everywhere. */
static void one_layer(void **state)
{
	static const window_row rows[] = {
		{{3, 3, 1}, {1, 1, 1}, {1, 1, 0}, {0, 0, 0}, false, 5}, {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, true, 7}, {{1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {0, 0, 0}, true, 5},
		{{3, 3, 1}, {2, 1, 1}, {1, 1, 0}, {0, 0, 0}, false, 7}, {{3, 2, 3}, {1, 2, 1}, {1, 0, 1}, {0, 0, 0}, true, 8}, {{2, 1, 3}, {2, 1, 2}, {0, 0, 1}, {0, 0, 0}, false, 6},
		{{3, 3, 1}, {2, 1, 1}, {0, 1, 0}, {1, 0, 0}, true, 7}, {{3, 3, 3}, {2, 2, 1}, {0, 0, 1}, {1, 1, 0}, true, 15},
	};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = three(cx, &rows[i], true), *straight = three(cx, &rows[i], false), *out[2];
		cop_chains c;
		OK(cx, cop__chains_find(&c, g));
		assert_int_equal(c.n, 3);
		assert_true(c.link[0].begin == 0 && c.link[2].begin == 0 && c.link[0].end == 3);
		cop_stretch s = {.from = 0, .to = 3};
		assert_true(cop__stretch_fit(&s, &c));
		assert_true(s.kh == rows[i].kernel && s.kw == rows[i].kernel);
		merged(out, &c, &s, 1);
		assert_int_equal(layers(out[1]), 1);
		assert_int_equal(count_op(out[1], OP_clip), 0);
		double d = difference(cx, out[0], out[1]);
		if (!(d < 2e-5)) fail_msg("row %d: merged, it differs by %g", i, d);
		assert_true(cop__same_shape(cop__t(g, g->output[0]), cop__t(out[1], out[1]->output[0])));
		int64_t n;
		const int32_t *dim = cop__t(g, g->output[0])->dim;
		float *a = run_graph(cx, straight, 3, &n), *b = run_graph(cx, out[1], 3, &n);
		for (int64_t k = 0; k < n; k++) {
			int64_t x = k / dim[3] % dim[2], y = k / dim[3] / dim[2] % dim[1];
			bool inner = y >= 3 && y < dim[1] - 3 && x >= 3 && x < dim[2] - 3;
			if (inner && fabsf(a[k] - b[k]) > 1e-4f * (1 + fabsf(a[k]))) fail_msg("row %d: %g at %d %d, not %g", i, (double)b[k], (int)y, (int)x, (double)a[k]);
		}
		free(a);
		free(b);
		for (int k = 0; k < 2; k++) cop_graph_free(out[k]);
		cop__chains_free(&c);
		cop_graph_free(straight);
		cop_graph_free(g);
	}
}

/* The second of three layers is left out: what remains is the first and the third, one layer. */
static void left_out(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g, *short_one, *out[2];
	cop_chains c;

	for (int i = 0; i < 2; i++) {
		cop_graph **to = i ? &short_one : &g;
		OK(cx, cop__graph_new(to, cx, "net"));
		cop_vid x = conv(*to, input(*to, 4, DIMS(1, 6, 6, 2)), "a", 4, 1, 1, 1, true);
		if (!i) x = relu(*to, bn(*to, conv(*to, relu(*to, x), "b", 4, 3, 1, 4, false), "nb")); /* depthwise, which could not be merged */
		OK(cx, cop__output(*to, relu(*to, conv(*to, x, "c", 3, 1, 1, 1, true)), "y"));
	}
	OK(cx, cop__chains_find(&c, g));
	cop_stretch s = {.from = 0, .to = 3};
	assert_false(cop__stretch_fit(&s, &c));
	s.gone = 2;
	assert_true(cop__stretch_fit(&s, &c));
	assert_true(!c.link[0].leaves && c.link[1].leaves && !c.link[2].leaves);
	merged(out, &c, &s, 1);
	assert_int_equal(layers(out[1]), 1);
	assert_true(difference(cx, out[1], short_one) < 2e-5);
	s.gone = 1; /* of another shape than its input */
	assert_false(cop__stretch_fit(&s, &c));
	for (int k = 0; k < 2; k++) cop_graph_free(out[k]);
	cop__chains_free(&c);
	cop_graph_free(short_one);
	cop_graph_free(g);
}

/* ---- blocks ---- */

/* With a block, or without; behind it two layers that can be one, or none. */
static cop_graph *block_net(cop_ctx *cx, bool block, bool two)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "block"));
	cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "stem", 4, 3, 1, 1, false), "ns"));
	if (block) x = relu(g, add(g, bn(g, conv(g, relu(g, bn(g, conv(g, x, "a", 4, 3, 1, 1, false), "na")), "b", 4, 3, 1, 1, false), "nb"), x));
	x = global_pool(g, relu(g, conv(g, x, "c", 5, 3, 2, 1, true)));
	if (two) x = relu(g, fc(g, x, "d", 6, true));
	OK(cx, cop__output(g, fc(g, x, "e", 3, true), "y"));
	return g;
}

/* Chains end at the fork, the sum and the pool. Without both of its layers a block is its shortcut. */
static void blocks(void **state)
{
	static const int32_t begin[] = {0, 1, 1, 3, 4, 4}, end[] = {1, 3, 3, 4, 6, 6};
	cop_ctx *cx = *state;
	cop_graph *g = block_net(cx, true, true), *without = block_net(cx, false, true), *out[2];
	cop_chains c;

	OK(cx, cop__chains_find(&c, g));
	assert_int_equal(c.n, LEN(begin));
	for (int i = 0; i < c.n; i++) {
		if (c.link[i].begin != begin[i] || c.link[i].end != end[i]) fail_msg("link %d: its chain is %d to %d", i, (int)c.link[i].begin, (int)c.link[i].end);
		assert_true(!c.link[i].sum == (i != 2));
	}
	cop_stretch s = {.from = 1, .to = 3, .gone = 3};
	assert_true(cop__stretch_fit(&s, &c) && cop__stretch_is_block(&s, &c) && !s.kh);
	merged(out, &c, &s, 1);
	assert_int_equal(layers(out[0]), 4);
	assert_int_equal(count_op(out[0], OP_clip), count_op(without, OP_clip)); /* its input is a rectifier's, which is one already */
	assert_true(difference(cx, out[0], without) < 1e-6);
	for (int k = 0; k < 2; k++) cop_graph_free(out[k]);
	/* its two layers as one, around which the input still goes */
	s = (cop_stretch){.from = 1, .to = 3};
	assert_true(cop__stretch_fit(&s, &c) && !cop__stretch_is_block(&s, &c) && s.kh == 5);
	merged(out, &c, &s, 1);
	assert_int_equal(layers(out[0]), 6);
	assert_int_equal(count_op(out[1], OP_add), 1);
	assert_true(difference(cx, out[0], out[1]) < 2e-5);
	for (int k = 0; k < 2; k++) cop_graph_free(out[k]);
	cop__chains_free(&c);
	cop_graph_free(without);
	cop_graph_free(g);
}

/* ---- the stage ---- */

static cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 72; k++) x[k] = cop__rand_unit(1, (uint32_t)i, (uint64_t)k);
	*label = i % 3;
	return COP_OK;
}
static const cop_dataset noise = {.name = "noise", .count = 9, .classes = 3, .get = picture};

/* 1: wide 3x3, then 1x1, of which one layer is quicker. 2: two layers of 3x3, of which one is slower. 3: both, one behind the other. */
static cop_graph *chains_of(cop_ctx *cx, int which)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "chains"));
	cop_vid x = input(g, 4, DIMS(1, 6, 6, 2));
	if (which & 1) x = relu(g, conv(g, relu(g, conv(g, x, "a", 16, 3, 1, 1, true)), "b", 4, 1, 1, 1, true));
	if (which == 3) x = add(g, x, x);
	if (which & 2) x = relu(g, conv(g, relu(g, conv(g, x, "c", 3, 3, 1, 1, true)), "d", 8, 3, 1, 1, true));
	OK(cx, cop__output(g, fc(g, global_pool(g, x), "head", 3, true), "y"));
	return g;
}

static void stage(void **state)
{
	static const struct { int which; const char *options; int left; } rows[] = {
		{1, "latency: 0.7, target: cortex-m4", 2}, {1, "latency: 0.7, target: cortex-m4, as: int8", 2}, {1, "latency: 0.7, target: cortex-m4, by: random", 2},
		{1, "latency: 0.7, target: cortex-m4, tune: 1", 2}, {1, "latency: 0.7, target: cortex-m4, kernel: 1", 0},
		{2, "latency: 0.7, target: cortex-m4", 0}, /* 0: refused */
	};
	cop_ctx *cx = *state;
	cop_dataset d = noise;

	if (!known_parts()) skip();
	d.x = cop__type(COP_F32, 3, DIMS(6, 6, 2));
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = chains_of(cx, rows[i].which);
		char text[200];
		snprintf(text, sizeof text, "- shorten: {%s, must_gain: 0, may_cost: 100" STILL "}", rows[i].options);
		cop_status st = known_compress(&g, text, &d, &d, NULL, &known_args, NULL);
		if (!rows[i].left) {
			assert_int_equal(st, COP_ARG);
			assert_non_null(strstr(cop_error_text(cx), "is the least"));
			cop_error_clear(cx);
		} else if (st || layers(g) != rows[i].left) {
			fail_msg("row %d: %d layers are left: %s", i, layers(g), st ? cop_error_text(cx) : "");
		}
		cop_graph_free(g);
	}
}

/* The class is what the merged network says, so that it has less loss than the network as it is. */
static cop_status told(void *ud, int32_t i, float *x, int32_t *label) { COP_TRY(picture(NULL, i, x, label)); *label = ((const int32_t *)ud)[i]; return COP_OK; }

/* Layers that would be slower as one stay two, however good they were as one, and although there is time for it. */
static void never_pays(void **state)
{
	static int32_t says[9];
	cop_ctx *cx = *state;
	cop_dataset d = noise;
	cop_score apart, merged_score;
	cop_graph *g = chains_of(cx, 3), *one;
	cop_chains c;

	if (!known_parts()) skip();
	d.x = cop__type(COP_F32, 3, DIMS(6, 6, 2));
	d.get = told, d.ud = says;
	OK(cx, cop__chains_find(&c, g));
	cop_stretch s = {.from = 2, .to = 4};
	assert_true(cop__stretch_fit(&s, &c));
	OK(cx, cop__rewire(&one, &c, &s, 1));
	cop__chains_free(&c);
	OK(cx, cop_predict(one, &d, 9, 1, tell, says));
	OK(cx, cop_eval(&apart, g, &d, 9, 1));
	OK(cx, cop_eval(&merged_score, one, &d, 9, 1));
	assert_true(merged_score.loss < apart.loss);
	OK(cx, known_compress(&g, "- shorten: {latency: 0.95, target: cortex-m4, must_gain: 0, may_cost: 100" STILL "}", &d, &d, NULL, &known_args, NULL));
	assert_int_equal(layers(g), 4);
	assert_true(!cop__find(g, "a.w") && cop__find(g, "c.w"));
	cop_graph_free(one);
	cop_graph_free(g);
}

/* Where a layer of the block is left out and nothing is merged, the batch norm of the rest stays; a merged layer has none. Of the first
 * network the stem, one layer of the block, c and e are left, and two of them have a norm; of the second, whose d and e became one, none has. */
static void norms_stay(void **state)
{
	static const struct { bool two; int layers, norms; } rows[] = {{false, 4, 2}, {true, 3, 0}};
	cop_ctx *cx = *state;
	cop_dataset d = noise;

	if (!known_parts()) skip();
	d.x = cop__type(COP_F32, 3, DIMS(6, 6, 2));
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = block_net(cx, true, rows[i].two);
		OK(cx, known_compress(&g, "- shorten: {latency: 0.75, target: cortex-m4, must_gain: 0, may_cost: 100" STILL "}", &d, &d, NULL, &known_args, NULL));
		if (layers(g) != rows[i].layers || count_op(g, OP_bn) != rows[i].norms) fail_msg("row %d: %d layers, %d batch norms", i, layers(g), count_op(g, OP_bn));
		cop_graph_free(g);
	}
}

static void refused(void **state)
{
	static const struct { const char *options, *why; } rows[] = {{"target: microbit", "no prices"}, {"target: toaster", "not known"}};
	cop_ctx *cx = *state;
	cop_dataset d = noise;

	if (!known_parts()) skip();
	d.x = cop__type(COP_F32, 3, DIMS(6, 6, 2));
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = chains_of(cx, 1);
		char text[200];
		snprintf(text, sizeof text, "- shorten: {%s}", rows[i].options);
		assert_int_equal(known_compress(&g, text, &d, &d, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(cx), rows[i].why)) fail_msg("row %d: %s", i, cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(best_of_all), KNOWN_TEST(one_layer), KNOWN_TEST(left_out), KNOWN_TEST(blocks), KNOWN_TEST(stage), KNOWN_TEST(never_pays), KNOWN_TEST(norms_stay), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
