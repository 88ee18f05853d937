/* SPDX-License-Identifier: Apache-2.0
 *
 * order: search. Which orders of a recipe's stages make sense, against lists made by hand; that each is run as if the recipe were written so;
 * which one is chosen; and that a search that is stopped anywhere goes on to the same end.
 */
#include "compress/known.h"
#include "compress/order.h"

#include <unistd.h>

#define FREE "may_cost: 100, must_gain: 0"

static char base[64];
static const float first[16] = {0.8f, -0.7f, 0.1f, 0.2f, -0.6f, 0.5f, 0.4f, 0.3f, 0.25f, -0.35f, 0.45f, 0.55f, -0.65f, 0.75f, 0.85f, -0.95f};
static const float second[8] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, -0.6f, 0.7f, -0.8f};
static const int32_t labels[8] = {0, 1, 1, 1, 0, 1, 0, 1};

static cop_graph *net(cop_ctx *cx) { return known_net(cx, 4, 4, first, 2, second); }

static cop_status compress(cop_graph **g, const char *head, const char *stages, cop_dataset *d, const cop_train_args *a, cop_compress_result *is, known_run *r)
{
	char text[2000];
	int n = snprintf(text, sizeof text, "%sstages:\n%s\n", head, stages);

	assert_true(n < (int)sizeof text);
	return cop_compress(g, text, (size_t)n, d, d, d, a, is, r ? known_keep : NULL, r);
}

/* ---- which orders there are ---- */

/* In the order of the recipe first; a line each. Nothing trains behind shared values, integers or codes, and rounding bears only some. */
static const struct { const char *stages, *orders; } senses[] = {
	{"- train: {}", "train\n"},
	{"- train: {}\n- encode: {}", "train, encode\n"},
	{"- prune: {keep: 0.5}\n- train: {}\n- encode: {}", "prune, train, encode\ntrain, prune, encode\n"},
	{"- train: {}\n- prune: {keep: 0.5}\n- share: {}\n- encode: {}", "train, prune, share, encode\nprune, train, share, encode\n"},
	{"- slim: {macs: 0.5}\n- prune: {keep: 0.5}\n- train: {}\n- quantize: {}",
		"slim, prune, train, quantize\nslim, train, prune, quantize\nprune, slim, train, quantize\n"
		"prune, train, slim, quantize\ntrain, slim, prune, quantize\ntrain, prune, slim, quantize\n"},
	{"- prune: {keep: 0.5}\n- share: {epochs: 1}\n- encode: {}", "prune, share, encode\n"},
	{"- prune: {keep: 0.5, train: no, schedule: once}\n- share: {epochs: 1}\n- encode: {}", "prune, share, encode\nshare, prune, encode\n"},
	/* trained rounding, which ends as integers whatever the order */
	{"- slim: {macs: 0.5}\n- prune: {keep: 0.5}\n- qat: {integers: no}\n- share: {}\n- quantize: {}",
		"slim, prune, qat, share, quantize\nslim, qat, prune, share, quantize\nprune, slim, qat, share, quantize\n"},
	{"- quantize: {}\n- qat: {}", "quantize, qat\n"}, /* the other way round there is nothing left to quantise */
	{"- qat: {integers: no}\n- train: {}", "qat, train\ntrain, qat\n"},
	/* the same twice is one order; two that differ are told apart */
	{"- train: {epochs: 1}\n- train: {epochs: 1}", "train 1, train 2\n"},
	{"- train: {epochs: 1}\n- train: {epochs: 2}", "train 1, train 2\ntrain 2, train 1\n"},
};

static void make_sense(void **state)
{
	static cop_recipe r;
	char text[1000], all[2000], one[200];
	cop_orders o;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(senses); i++) {
		cop_graph *g = net(*state);
		int n = snprintf(text, sizeof text, "order: search\nstages:\n%s\n", senses[i].stages);
		OK(*state, cop__recipe_parse(&r, *state, text, (size_t)n));
		OK(*state, cop__orders_find(&o, &r, g));
		*all = 0;
		for (int32_t k = 0; k < o.n; k++) {
			cop__order_text(one, sizeof one, &r, o.at[k]);
			strcat(strcat(all, one), "\n");
		}
		assert_string_equal(all, senses[i].orders);
		cop_graph_free(g);
	}
}

static void too_many(void **state)
{
	static const char stages[] = "- train: {epochs: 1}\n- train: {epochs: 2}\n- train: {epochs: 3}\n- train: {epochs: 4}\n- train: {epochs: 5}";
	known_set s;
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels);
	cop_graph *g = net(*state);

	if (!known_parts()) skip();
	assert_int_equal(compress(&g, "order: search\n", stages, d, &known_args, NULL, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "more than 24 orders"));
	assert_int_equal(s.gets, 0);
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* ---- what each is worth ---- */

static const char *const written[] = { /* orders of one recipe, each as somebody would write it */
	"- prune: {keep: 0.5, epochs: 2, lr: 0.05, " FREE "}\n- train: {epochs: 3, lr: 0.2, " FREE "}\n- share: {levels: 3, " FREE "}\n- encode: {" FREE "}",
	"- train: {epochs: 3, lr: 0.2, " FREE "}\n- prune: {keep: 0.5, epochs: 2, lr: 0.05, " FREE "}\n- share: {levels: 3, " FREE "}\n- encode: {" FREE "}",
};

/* The place of the best by the rule: fits, then bytes, then what was lost. */
static int best_of(const cop_compress_result *r, double most)
{
	int best = 0;

	for (int k = 1; k < LEN(written); k++) {
		double lost[2], bytes[2];
		for (int j = 0; j < 2; j++) {
			const cop_compress_result *x = &r[j ? k : best];
			lost[j] = 100 * (double)(x->stage[0].accuracy[0] - x->stage[3].accuracy[1]);
			bytes[j] = (double)x->stage[3].bytes[1];
		}
		bool fits[2] = {lost[0] <= most, lost[1] <= most};
		if (fits[1] != fits[0] ? fits[1] : fits[0] && bytes[1] != bytes[0] ? bytes[1] < bytes[0] : lost[1] < lost[0]) best = k;
	}
	return best;
}

static void as_if_written(void **state)
{
	static cop_compress_result alone[LEN(written)], all;
	known_set s;
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels);
	cop_graph *made[LEN(written)], *g = net(*state);

	if (!known_parts()) skip();
	for (int k = 0; k < LEN(written); k++) {
		made[k] = net(*state);
		OK(*state, compress(&made[k], "", written[k], d, &known_args, &alone[k], NULL));
		assert_int_equal(alone[k].n_order, 0);
	}
	OK(*state, compress(&g, "order: search\n", written[0], d, &known_args, &all, NULL));
	assert_int_equal(all.n_order, LEN(written));
	const int best = best_of(alone, 1e9);
	for (int k = 0; k < LEN(written); k++) {
		const cop_order_result *o = &all.order[k];
		const cop_stage_result *last = &alone[k].stage[3];
		assert_true(o->accuracy == last->accuracy[1] && o->loss == last->loss[1] && o->bytes == last->bytes[1]);
		assert_true(o->test == alone[k].after.accuracy && o->kept == 4 && o->fits);
		assert_int_equal(o->best, k == best);
	}
	for (int i = 0; i < 4; i++) assert_string_equal(all.stage[i].stage, alone[best].stage[i].stage);
	same_network(g, made[best], "of the best order");
	assert_true(alone[0].stage[3].accuracy[1] != alone[1].stage[3].accuracy[1] || alone[0].stage[3].loss[1] != alone[1].stage[3].loss[1]);
	for (int k = 0; k < LEN(written); k++) cop_graph_free(made[k]);
	cop_graph_free(g);
}

/* ---- which one is chosen ---- */

static void chosen(void **state)
{
	(void)state;
	static const struct { cop_order_result a, b; bool a_is_better; } rows[] = {
		{{.fits = true, .bytes = 10, .lost = 1}, {.fits = true, .bytes = 11, .lost = 0}, true},
		{{.fits = true, .bytes = 11, .lost = 0}, {.fits = true, .bytes = 10, .lost = 1}, false},
		{{.fits = false, .bytes = 1, .lost = 2}, {.fits = true, .bytes = 100, .lost = 1}, false},
		{{.fits = true, .bytes = 100, .lost = 1}, {.fits = false, .bytes = 1, .lost = 2}, true},
		{{.fits = false, .bytes = 1, .lost = 9}, {.fits = false, .bytes = 100, .lost = 8}, false},
		{{.fits = true, .bytes = 10, .lost = 1}, {.fits = true, .bytes = 10, .lost = 2}, true},
		{{.fits = true, .bytes = 10, .lost = 1}, {.fits = true, .bytes = 10, .lost = 1}, false}, /* the first stays */
	};
	for (int i = 0; i < LEN(rows); i++)
		if (cop__order_better(&rows[i].a, &rows[i].b) != rows[i].a_is_better) fail_msg("row %d", i);
}

/* Stages that were undone leave what was there before them, and what was lost is told in points of the first accuracy. */
static void told(void **state)
{
	(void)state;
	static const cop_compress_result is = {.n_stage = 3, .after.accuracy = 0.5f,
		.stage = {{.accuracy = {0.9f, 0.8f}, .loss = {1, 2}, .bytes = {100, 50}, .kept = true, .seconds = 1},
			{.accuracy = {0.8f, 0.1f}, .loss = {2, 9}, .bytes = {50, 5}, .seconds = 2},
			{.accuracy = {0.8f, 0.75f}, .loss = {2, 3}, .bytes = {50, 40}, .kept = true, .seconds = 4}}};
	static const cop_compress_result none = {.n_stage = 1, .stage = {{.accuracy = {-1, -1}, .loss = {2, 3}, .bytes = {100, 50}}}};
	static const cop_compress_result blind = {.n_stage = 1, .stage = {{.accuracy = {-1, -1}, .loss = {2, 3}, .bytes = {100, 50}, .kept = true}}};
	static cop_recipe r;
	cop_order_result o;

	r.bounded = true, r.max_drop = 15;
	cop__order_result(&o, &r, &is);
	assert_true(o.accuracy == 0.75f && o.loss == 3 && o.bytes == 40 && o.kept == 2 && o.test == 0.5f && o.seconds == 7);
	assert_true(fabs(o.lost - 15) < 1e-5 && o.fits == (o.lost <= 15 + 1e-9));
	r.max_drop = 14.9f;
	cop__order_result(&o, &r, &is);
	assert_false(o.fits);
	r.bounded = false;
	cop__order_result(&o, &r, &is);
	assert_true(o.fits);
	cop__order_result(&o, &r, &none);
	assert_true(o.bytes == 100 && o.kept == 0 && o.lost == 0);
	cop__order_result(&o, &r, &blind);
	assert_true(fabs(o.lost - 50) < 1e-6 && o.loss == 3);
}

/* ---- stopped and resumed ---- */

static int files_there(void)
{
	char path[1024], stage[1024];
	int n = 0;

	for (int k = 0; k < COP_MOST_ORDERS; k++) {
		cop__order_path(path, base, k);
		n += !access(path, F_OK);
		for (int i = 0; i < COP_MAX_STAGES; i++) snprintf(stage, sizeof stage, "%.900s.stage%d", path, i), n += !access(stage, F_OK);
	}
	return n;
}

static void resumed(void **state)
{
	static known_run whole, part;
	known_set s;
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels);
	cop_train_args a = known_args;
	cop_graph *done = net(*state);

	if (!known_parts()) skip();
	OK(*state, compress(&done, "order: search\n", written[0], d, &a, NULL, &whole));
	known_no_clocks(whole.json);
	const int most = s.gets;
	for (int at = 1; at <= most; at += 29) {
		cop_graph *g = net(*state);
		OK(*state, cop_checkpoint_remove(*state, base));
		a.checkpoint = base, a.resume = false;
		known_samples(&s, 8, 4, 2, labels);
		s.stop_at = at;
		cop_ctx_stop(*state, &s.stop);
		cop_status st = compress(&g, "order: search\n", written[0], d, &a, NULL, &part);
		if (st == COP_STOPPED) {
			cop_error_clear(*state);
			cop_graph_free(g);
			g = net(*state);
			s.stop = false, s.stop_at = 0;
			a.resume = true;
			st = compress(&g, "order: search\n", written[0], d, &a, NULL, &part);
		}
		if (st) fail_msg("stopped at sample %d: %s", at, cop_error_text(*state));
		known_no_clocks(part.json);
		assert_string_equal(part.json, whole.json);
		same_network(g, done, "stopped");
		cop_graph_free(g);
	}
	/* orders that are done are not done again: each run is known by its data alone */
	cop_graph *again = net(*state);
	a.resume = true;
	known_samples(&s, 8, 4, 2, labels);
	OK(*state, compress(&again, "order: search\n", written[0], d, &a, NULL, &part));
	known_no_clocks(part.json);
	assert_string_equal(part.json, whole.json);
	if (s.gets > 60) fail_msg("%d samples were read", s.gets);
	assert_true(files_there() >= LEN(written));
	OK(*state, cop_checkpoint_remove(*state, base));
	assert_int_equal(files_there(), 0);
	cop_ctx_stop(*state, NULL);
	cop_graph_free(again);
	cop_graph_free(done);
}

/* ---- the page ---- */

static void on_the_page(void **state)
{
	static known_run r;
	known_set s;
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels);
	cop_compress_result is;
	cop_graph *g = net(*state);

	if (!known_parts()) skip();
	OK(*state, compress(&g, "name: known\norder: search\n", written[0], d, &known_args, &is, &r));
	OK(*state, cop__story_read(&r.story, *state, r.json, strlen(r.json)));
	assert_int_equal(r.story.n_order, 2);
	for (int k = 0; k < 2; k++) {
		const cop_story_order *o = &r.story.order[k];
		assert_string_equal(o->order, k ? "train, prune, share, encode" : "prune, train, share, encode");
		assert_true(fabs(o->accuracy - (double)is.order[k].accuracy) < 1e-5 && o->bytes == (double)is.order[k].bytes);
		assert_true(o->best == is.order[k].best && o->fits && o->kept == 4);
	}
	cop_text t;
	cop__text_init(&t, *state);
	cop__html_orders(&t, &r.story);
	cop__text_bytes(&t, "", 1);
	assert_int_equal(t.status, COP_OK);
	assert_non_null(strstr(t.data, "<td class=\"l\">train "));
	assert_non_null(strstr(t.data, "chosen"));
	cop__text_free(&t);
	cop__story_free(&r.story);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(make_sense), KNOWN_TEST(too_many), KNOWN_TEST(as_if_written), KNOWN_TEST(chosen), KNOWN_TEST(told),
		KNOWN_TEST(resumed), KNOWN_TEST(on_the_page)};

	snprintf(base, sizeof base, "%s/coppice-order-%d.ckpt", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
