/* SPDX-License-Identifier: Apache-2.0
 *
 * What a recipe's run says of itself: every number of its history where it is known, which samples it looks at, and the text in pieces that
 * travels in a checkpoint.
 */
#include "compress/known.h"
#include "compress/history.h"
#include "train/policy.h"

/* Trained on samples of class 0, judged on four that are right, tested with four of which one is wrong before and three are after. */
static const float two[8] = {8, -7, 1, 2, -6, 5, 4, 3};
static const int32_t zeros[4] = {0}, valid_labels[4] = {0, 1, 1, 1}, test_labels[4] = {1, 1, 1, 1};

typedef struct told { int calls, ends; char stage[16]; } told;
static void on_progress(void *ud, const cop_epoch *e)
{
	told *t = ud;
	t->calls++;
	t->ends += e->done >= 1;
	snprintf(t->stage, sizeof t->stage, "%s", e->stage);
}

static cop_status count_bytes(void *ud, const void *bytes, size_t size) { (void)bytes; return *(size_t *)ud += size, COP_OK; }

static void numbers(void **state)
{
	known_set train, valid, test;
	known_run r;
	told t = {0};
	cop_graph *g = known_net(*state, 4, 2, two, 0, NULL);
	cop_dataset *d = known_samples(&train, 8, 4, 2, (const int32_t[8]){0}), *v = known_samples(&valid, 4, 4, 2, valid_labels), *x = known_samples(&test, 4, 4, 2, test_labels);
	cop_train_args a = known_args;

	if (!known_parts()) skip();
	a.progress = on_progress, a.ud = &t;
	OK(*state, known_compress(&g, "- prune: {keep: 0.5, schedule: once, epochs: 3, lr: 1e-30, may_cost: 50}\n- prune: {keep: 0.125, schedule: once, epochs: 1, lr: 1e-30, may_cost: 10}\n- encode: {must_gain: 0}", d, v, x, &a, &r));
	OK(*state, cop__story_read(&r.story, *state, r.json, strlen(r.json)));
	const cop_story *s = &r.story;
	assert_string_equal(s->recipe, "known");
	assert_float_equal(s->before.accuracy, 0.75, 0); /* column 0 is of class 0 */
	assert_float_equal(s->after.accuracy, 0.25, 0);  /* 5 alone decides for class 1 */
	assert_true(s->before.parameters == 8 && s->after.parameters == 8 && s->before.nonzero == 8 && s->after.nonzero == 4);
	assert_true(s->before.macs == 8);
	assert_true(s->before.microseconds > 0 && s->after.microseconds > 0 && s->before.energy_nj > 0);
	/* the stages */
	static const char *const names[] = {"prune", "prune", "encode"};
	static const double accuracy[][2] = {{1, 0.5}, {0.5, 0.25}, {0.5, 0.5}};
	assert_int_equal(s->n_stage, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(s->stage[i].stage, names[i]);
		assert_true(s->stage[i].accuracy[0] == accuracy[i][0] && s->stage[i].accuracy[1] == accuracy[i][1]);
		assert_true(s->stage[i].kept == (i != 1) && s->stage[i].seconds >= 0 && s->stage[i].seconds < 100);
	}
	assert_string_equal(s->stage[1].why, "it cost 25.00 points, 10.00 were allowed");
	assert_true(s->stage[0].bytes[0] == s->before.file_bytes && s->stage[0].bytes[1] == s->stage[1].bytes[0] && s->stage[1].bytes[0] == s->stage[2].bytes[0]);
	size_t written = 0;
	OK(*state, cop_model_write(g, count_bytes, &written));
	assert_true((double)written == s->stage[2].bytes[1] && s->after.file_bytes == s->stage[2].bytes[1]);
	/* the curve: what was judged after each epoch, also of what was undone */
	static const struct { const char *stage; int epoch; double accuracy; } points[] = {{"prune", 1, 0.5}, {"prune", 2, 0.5}, {"prune", 3, 0.5}, {"prune", 1, 0.25}};
	assert_int_equal(s->n_point, 4);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(s->point[i].stage, points[i].stage);
		assert_true(s->point[i].epoch == points[i].epoch && s->point[i].accuracy == points[i].accuracy && s->point[i].loss > 0);
	}
	assert_true(t.ends == 4 && t.calls >= 4);
	assert_string_equal(t.stage, "prune");
	/* the layer: range 8, so a bin is 16/65 wide; 8 -7 5 -6 stay */
	static const struct { int bin, before, after; } bins[] = {{64, 1, 1}, {4, 1, 1}, {36, 1, 0}, {40, 1, 0}, {8, 1, 1}, {52, 1, 1}, {48, 1, 0}, {44, 1, 0}};
	assert_int_equal(s->n_layer, 1);
	assert_string_equal(s->layer[0].name, "a.w");
	assert_true(s->layer[0].count == 8 && s->layer[0].nonzero == 4 && s->layer[0].range == 8 && s->layer[0].bytes == (double)cop_type_bytes(cop__t(g, cop__find(g, "a.w"))));
	double all[2] = {0};
	for (int b = 0; b < COP_REPORT_BINS; b++) all[0] += s->layer[0].bin[0][b], all[1] += s->layer[0].bin[1][b];
	assert_true(all[0] == 8 && all[1] == 4);
	for (int i = 0; i < LEN(bins); i++)
		if (s->layer[0].bin[0][bins[i].bin] != bins[i].before || s->layer[0].bin[1][bins[i].bin] != bins[i].after) fail_msg("bin %d", bins[i].bin);
	/* the test set: before the first stage, and after the last */
	assert_int_equal(test.gets, 2 * 4);
	cop__story_free(&r.story);
	cop_graph_free(g);
}

/* Without a validation set the training set judges, without a test set the accuracy is not known. */
static void fewer_sets(void **state)
{
	known_set train;
	known_run r;
	cop_graph *g = known_net(*state, 4, 2, two, 0, NULL);
	cop_dataset *d = known_samples(&train, 4, 4, 2, zeros);

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- prune: {keep: 0.5, schedule: once, epochs: 2, lr: 1e-30}", d, NULL, NULL, &known_args, &r));
	OK(*state, cop__story_read(&r.story, *state, r.json, strlen(r.json)));
	const cop_story *s = &r.story;
	assert_true(s->before.accuracy == -1 && s->after.accuracy == -1);
	assert_true(s->stage[0].accuracy[0] == 0.25 && s->stage[0].accuracy[1] == 0.75 && s->stage[0].kept); /* two columns of zeros are class 0 */
	assert_true(s->n_point == 2 && s->point[0].accuracy == -1);
	cop__story_free(&r.story);
	cop_graph_free(g);
	g = known_net(*state, 4, 2, two, 0, NULL);
	OK(*state, known_compress(&g, "- encode: {must_gain: 0}", d, NULL, NULL, &known_args, NULL)); /* nobody asks for the history */
	cop_graph_free(g);
}

/* ---- in pieces ---- */

static void fill(cop_history *h, cop_ctx *cx, cop_train_args *a, const char *name)
{
	const cop_epoch within = {.epoch = 1, .done = 0.5f, .loss = 9, .accuracy = -1, .stage = "a\"b"}, end = {.epoch = 1, .done = 1, .loss = 1.5f, .accuracy = 0.75f, .stage = "a\"b"};

	*a = (cop_train_args){0};
	cop__history_begin(h, cx, name, a);
	h->result.before = (cop_compress_side){0.125f, {.parameters = 5000000000, .nonzero = 6, .macs = 7, .file_bytes = 8, .flash_bytes = 9, .ram_bytes = 10, .energy_nj = 11.5}, 12.5};
	h->result.stage[0] = (cop_stage_result){.stage = "prune", .accuracy = {0.5f, 0.25f}, .loss = {1, 2}, .bytes = {1000, 100}, .kept = true, .seconds = 1.25};
	h->result.stage[1] = (cop_stage_result){.stage = "share", .accuracy = {0.25f, 0.5f}, .loss = {2, 1}, .bytes = {100, 1000}, .lacks_training = true, .why = "it \\ \"cost\"\n"};
	h->result.n_stage = 2;
	a->progress(a->ud, &within);
	a->progress(a->ud, &end);
}

static void keep_epoch(void *ud, const cop_epoch *e)
{
	*(cop_epoch *)ud = *e;
}

static void pieces(void **state)
{
	cop_train_args a;
	cop_history h, back;
	known_run one, two_runs;
	cop_text t;

	if (!known_parts()) skip();
	fill(&h, *state, &a, "na\"me");
	cop__text_init(&t, *state);
	OK(*state, cop__history_pack(&t, &h));
	cop__history_begin(&back, *state, "na\"me", &a);
	OK(*state, cop__history_unpack(&back, t.data, t.len, "x.ckpt"));
	cop_epoch again = {.epoch = 0};
	cop__epochs_tell(&back.epochs, keep_epoch, &again);
	assert_true(again.epoch == 1 && again.done == 1 && again.loss == 1.5f && again.accuracy == 0.75f);
	assert_memory_equal(&h.result.before, &back.result.before, sizeof h.result.before);
	assert_memory_equal(h.result.stage, back.result.stage, 2 * sizeof *h.result.stage);
	h.result.after = back.result.after = (cop_compress_side){-1, {.parameters = 1}, 0};
	OK(*state, cop__history_end(&h, known_keep, &one));
	OK(*state, cop__history_end(&back, known_keep, &two_runs));
	assert_string_equal(one.json, two_runs.json);
	assert_null(strstr(strstr(one.json, "\"epoch\":") + 1, "\"epoch\":")); /* within an epoch nothing is noted */
	OK(*state, cop__story_read(&one.story, *state, one.json, strlen(one.json)));
	const cop_story *s = &one.story;
	assert_string_equal(s->recipe, "na\"me");
	assert_true(s->before.accuracy == 0.125 && s->before.parameters == 5e9 && s->before.nonzero == 6 && s->before.macs == 7 && s->before.file_bytes == 8 && s->before.flash_bytes == 9 &&
		s->before.ram_bytes == 10 && s->before.energy_nj == 11.5 && s->before.microseconds == 12.5 && s->after.parameters == 1);
	assert_true(s->n_stage == 2 && s->stage[0].kept && !s->stage[1].kept && s->stage[0].accuracy[0] == 0.5 && s->stage[0].accuracy[1] == 0.25 && s->stage[0].bytes[0] == 1000 && s->stage[0].bytes[1] == 100);
	assert_string_equal(s->stage[1].why, "it \\ \"cost\"\n");
	assert_true(fabs(s->stage[0].seconds - 1.25) <= 0.0501);
	assert_true(s->n_point == 1 && s->point[0].epoch == 1 && s->point[0].loss == 1.5 && s->point[0].accuracy == 0.75); /* at the end of an epoch alone */
	assert_string_equal(s->point[0].stage, "a\"b");
	cop__story_free(&one.story);
	/* cut anywhere, or with a head that is none, it is refused by the file's name */
	for (size_t n = 0; n < t.len; n += n < 20 ? 1 : 37) {
		char *cut = calloc(1, n + 1);
		memcpy(cut, t.data, n);
		if (cop__history_unpack(&back, cut, n, "x.ckpt") != COP_FORMAT) fail_msg("%zu bytes were taken", n);
		assert_string_equal(cop_error_text(*state), "x.ckpt: its history is damaged");
		cop_error_clear(*state);
		free(cut);
	}
	static const char *const damaged[] = {"", "1 2 3\n", "a b c d\n", "0 0 0 0\n", "0 0 0 17\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\n", "0 0 0 -1\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\n",
		"99 0 0 0\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\nshort", "0 0 18446744073709551615 0\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\n",
		"0 0 0 1\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\nprune 0 0 0 0 0 0 1 0 160\n\n", "0 0 0 1\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\nprune 0 0 0 0 0 0 1 0 -1\n\n",
		"0 0 0 1\n0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0\nastagewithalongname 0 0 0 0 0 0 1 0 0\n\n"};
	for (int i = 0; i < LEN(damaged); i++) {
		assert_int_equal(cop__history_unpack(&back, damaged[i], strlen(damaged[i]), "x.ckpt"), COP_FORMAT);
		cop_error_clear(*state);
	}
	cop__text_free(&t);
	cop__history_free(&h);
	cop__history_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(numbers), KNOWN_TEST(fewer_sets), KNOWN_TEST(pieces)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
