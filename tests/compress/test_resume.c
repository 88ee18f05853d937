/* SPDX-License-Identifier: Apache-2.0
 *
 * A recipe that is stopped at any sample it looks at, in whatever stage, and resumed ends with the network of one that was not, and with its
 * history: no stage is left out or told of twice. Checkpoints of other runs are refused.
 */
#include "compress/known.h"
#include "compress/resume.h"

#include <unistd.h>

static char base[64];
static const char all[] =
	"- train: {epochs: 2, lr: 0.01, may_cost: 100}\n"
	"- early-bird: {keep: 0.75, epochs: 4, window: 2, distance: 1, lr: 0.01, may_cost: 100, must_gain: 0}\n"
	"- prune: {keep: 0.5, epochs: 3, lr: 0.01, every: 1, may_cost: 100, must_gain: 0}\n"
	"- prune: {keep: 0.4, epochs: 4, lr: 0.01, schedule: tickets, rounds: 1, rewind: 1, may_cost: 100, must_gain: 0}\n"
	"- prune: {keep: 0.25, epochs: 1, schedule: once, may_cost: -100}\n" /* undone */
	"- share: {levels: 4, epochs: 2, lr: 0.01, may_cost: 100, must_gain: 0}\n"
	"- encode: {may_cost: 100, must_gain: 0}\n"
	"- encode: {may_cost: 100, must_gain: 0}\n";
static const char rounding[] =
	"- qat: {integers: no, weights: 4, activations: 4, freeze: 0.005, freeze_from: 0.01, epochs: 3, lr: 0.01, may_cost: 100, must_gain: 0}\n"
	"- train: {epochs: 1, lr: 0.01, may_cost: 100}\n"
	"- qat: {epochs: 2, lr: 0.01, may_cost: 100, must_gain: 0}\n";
static const float first[16] = {0.8f, -0.7f, 0.1f, 0.2f, -0.6f, 0.5f, 0.4f, 0.3f, 0.25f, -0.35f, 0.45f, 0.55f, -0.65f, 0.75f, 0.85f, -0.95f};
static const float second[8] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, -0.6f, 0.7f, -0.8f};
static const int32_t labels[8] = {0, 1, 1, 1, 0, 1, 0, 1};

static cop_graph *net(cop_ctx *cx) { return known_net(cx, 4, 4, first, 2, second); }

static void leave_nothing(void)
{
	char path[1024];

	unlink(base);
	for (int i = 0; i < COP_MAX_STAGES; i++) unlink(cop__resume_stage_path(path, base, i));
}

static int files_there(void)
{
	char path[1024];
	int n = 0;

	for (int i = 0; i < COP_MAX_STAGES; i++) n += !access(cop__resume_stage_path(path, base, i), F_OK);
	return n;
}

static void stop_anywhere(void **state, const char *all)
{
	static known_run whole, part;
	known_set s, valid;
	cop_graph *done = net(*state);
	cop_train_args a = known_args;
	int stops = 0, places = 0;

	if (!known_parts()) skip();
	leave_nothing();
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels), *v = known_samples(&valid, 4, 4, 2, labels);
	OK(*state, known_compress(&done, all, d, v, v, &a, &whole));
	int most = valid.gets;
	known_no_clocks(whole.json);
	for (int at = 1; at <= most; at += 5) {
		cop_graph *g = net(*state);
		a.checkpoint = base, a.resume = false;
		leave_nothing();
		known_samples(&s, 8, 4, 2, labels), known_samples(&valid, 4, 4, 2, labels);
		valid.stop_at = at;
		cop_ctx_stop(*state, &valid.stop);
		cop_status st = known_compress(&g, all, d, v, v, &a, &part);
		if (st == COP_STOPPED) {
			stops++;
			assert_int_not_equal(*cop_error_text(*state), 0);
			cop_error_clear(*state);
			cop_graph_free(g); /* the checkpoint alone has to do */
			g = net(*state);
			valid.stop = false, valid.stop_at = 0;
			places += !access(base, F_OK);
			assert_true(files_there() <= 1);
			a.resume = true;
			st = known_compress(&g, all, d, v, v, &a, &part);
		}
		if (st) fail_msg("stopped at sample %d: %s", at, cop_error_text(*state));
		known_no_clocks(part.json);
		if (strcmp(part.json, whole.json)) fail_msg("stopped at sample %d: the history is\n%sand not\n%s", at, part.json, whole.json);
		known_samples(&valid, 4, 4, 2, labels);
		for (int k = 0; k < 2; k++) {
			cop_vid x = cop__find(g, k ? "b.w" : "a.w"), y = cop__find(done, k ? "b.w" : "a.w");
			assert_int_equal(cop__t(g, x)->enc, cop__t(done, y)->enc);
			assert_memory_equal(g->value[x].data, done->value[y].data, cop_type_bytes(cop__t(g, x)));
		}
		same_network(g, done, "stopped");
		/* once more from the end: the result and the history are there, nothing is done */
		cop_graph *again = net(*state);
		a.resume = true;
		s.gets = 0;
		OK(*state, known_compress(&again, all, d, v, v, &a, &part));
		known_no_clocks(part.json);
		assert_string_equal(part.json, whole.json);
		assert_int_equal(s.gets, 8); /* the run is known by its data */
		assert_memory_equal(again->value[cop__find(again, "a.w")].data, done->value[cop__find(done, "a.w")].data, cop_type_bytes(cop__t(done, cop__find(done, "a.w"))));
		cop_graph_free(again);
		assert_true(files_there() <= 1 && !access(base, F_OK)); /* that of a last stage that trains stays as long as the run's own */
		OK(*state, cop_checkpoint_remove(*state, base));
		assert_int_equal(files_there() + access(base, F_OK), -1);
		cop_graph_free(g);
	}
	assert_true(stops > most / 10 && places > most / 10);
	cop_ctx_stop(*state, NULL);
	cop_graph_free(done);
}

static void anywhere(void **state) { stop_anywhere(state, all); }
static void anywhere_while_rounding(void **state) { stop_anywhere(state, rounding); }

/* ---- what is not ours ---- */

static void others(void **state)
{
	static const char one[] = "- train: {epochs: 1, may_cost: 100}";
	static known_run r;
	known_set s;
	cop_dataset *d = known_samples(&s, 8, 4, 2, labels);
	cop_graph *g = net(*state);
	cop_train_args a = known_args;
	char path[1024], text[200];

	if (!known_parts()) skip();
	leave_nothing();
	a.checkpoint = base;
	OK(*state, known_compress(&g, one, d, NULL, NULL, &a, &r));
	cop_graph_free(g);
	for (int i = 0; i < 6; i++) { /* another recipe, rate, seed, set of data, network; and another run that is not resumed */
		static const char *const says[] = {"recipe", "lr", "seed", "data", "network", "seed"};
		float w[16];
		cop_train_args b = a;
		known_set other;
		known_samples(&other, i == 3 ? 7 : 8, 4, 2, labels);
		memcpy(w, first, sizeof w);
		if (i == 4) w[3] = 0.21f;
		if (i == 1) b.lr = 0.06f;
		if (i == 2 || i == 5) b.seed = 8;
		b.resume = i < 5;
		g = known_net(*state, 4, 4, w, 2, second);
		cop_status st = known_compress(&g, i ? one : "- train: {epochs: 1, may_cost: 99}", &other.d, NULL, NULL, &b, &r);
		if (st != COP_ARG || !strstr(cop_error_text(*state), says[i])) fail_msg("%d: %s", i, cop_error_text(*state));
		cop_error_clear(*state);
		known_is(g, "a.w", w, 16, "refused");
		cop_graph_free(g);
	}
	/* a stage's checkpoint without the recipe's belongs to somebody */
	leave_nothing();
	FILE *f = fopen(cop__resume_stage_path(path, base, 3), "wb");
	assert_true(f && fputs("a diary", f) >= 0 && !fclose(f));
	g = net(*state);
	cop_status st = known_compress(&g, one, d, NULL, NULL, &a, &r);
	assert_true(st == COP_ARG || st == COP_FORMAT);
	snprintf(text, sizeof text, "%s.stage3", base);
	assert_non_null(strstr(cop_error_text(*state), text));
	cop_error_clear(*state);
	assert_int_equal(access(path, F_OK), 0);
	cop_graph_free(g);
	leave_nothing();
	/* a path has to leave room for the stages' */
	char long_path[1100];
	memset(long_path, 'x', sizeof long_path);
	long_path[1001] = 0;
	a.checkpoint = long_path;
	g = net(*state);
	assert_int_equal(known_compress(&g, one, d, NULL, NULL, &a, &r), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "longer than 1000 characters"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(anywhere), KNOWN_TEST(anywhere_while_rounding), KNOWN_TEST(others)};

	snprintf(base, sizeof base, "%s/coppice-resume-%d.ckpt", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid()); /* each file is brought to the disk */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
