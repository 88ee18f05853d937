/* SPDX-License-Identifier: Apache-2.0
 *
 * compress, at each of its file operations: see walk.h. No stage is left out, none is told of twice, and the checkpoints go when the output is there.
 */
#include "kill/walk.h"

#define LINE "compress|../net.cop|--recipe|../r.yaml|--data|synth-digits|--limit|40|--threads|1|--seed|1"
#define OVER "compress|net.cop|--recipe|../r.yaml|--data|synth-digits|--limit|40|--threads|1"

static const walk rows[] = {
	{LINE "|-o|small.cop", "small.cop", "net.cop", "--resume", "kill fail full signal", false, false, "small.history.json"},
	{OVER "|-o|net.cop", "net.cop", "net.cop", NULL, "kill", false, false, NULL},
};

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");
	assert_true(f && fputs(text, f) >= 0 && !fclose(f));
}

static void at_every_call(void **state)
{
	(void)state;
	if (!walk_has_part("yaml")) skip();
	walk_all(&rows[0], 7);
}

/* The log has the epochs of all stages once, those of earlier processes too. */
static void log_goes_on(void **state)
{
	const walk w = {LINE "|--log|run.csv|-o|small.cop", "small.cop", NULL, "--resume", "kill", false, false, "run.csv"};
	uint64_t old, new;

	(void)state;
	if (!walk_has_part("yaml")) skip();
	int n = walk_begin(&w, &old, &new), told = walk_counts(&w);
	assert_true(told > 0);
	for (int at = 3; at < n; at += 7) {
		walk_fresh(&w);
		assert_int_equal(walk_run(w.line, NULL, "kill", at, NULL), 128 + 9);
		if (walk_counts(&w) == -1) fail_msg("killed at %d: the log has a line that is not whole", at);
		assert_int_equal(walk_run(w.line, w.resume, NULL, 0, NULL), 0);
		if (walk_counts(&w) != told) fail_msg("killed at %d, then again: the log is another one", at);
	}
}

/* The output over the input: what was written is known again by its weights. */
static void over_the_input(void **state)
{
	uint64_t old, new;

	(void)state;
	if (!walk_has_part("yaml")) skip();
	int n = walk_begin(&rows[1], &old, &new);
	for (int at = n; at > n - 14; at--) { /* the end of it: both files are written, the checkpoints go */
		walk_fresh(&rows[1]);
		assert_int_equal(walk_run(rows[1].line, NULL, "kill", at, NULL), 128 + 9);
		int again = walk_run(rows[1].line, "--resume", NULL, 0, NULL);
		if (walk_state(&rows[1]) != new) fail_msg("killed at %d: exit %d and other bits", at, again);
		assert_true(again == 0 && access("work/net.ckpt", F_OK));
	}
}

static void refused(const char *line, const char *says)
{
	char text[4096];
	uint64_t before = walk_hash("work", "");
	int code = walk_run(line, NULL, NULL, 0, NULL);

	walk_text(text, sizeof text, "err");
	if (!code || !strstr(text, says)) fail_msg("%s: exit %d; %s", line, code, text);
	if (walk_hash("work", "") != before) fail_msg("%s: changed something", line);
}

static void other_runs(void **state)
{
	(void)state;
	if (!walk_has_part("yaml")) skip();
	walk_fresh(&rows[0]);
	assert_int_equal(walk_run(LINE "|-o|small.cop", NULL, "kill", 15, NULL), 128 + 9);
	refused(LINE "|--lr|0.2|-o|small.cop|--resume", "made with lr 0.05, this run has 0.2");
	refused(LINE "|--lr|0.2|-o|small.cop", "made with lr 0.05, this run has 0.2");
	refused("compress|../net.cop|--recipe|../other.yaml|--data|synth-digits|--limit|40|-o|small.cop|--resume", "made with recipe");
	refused("compress|../net.cop|--recipe|../r.yaml|--data|synth-digits|--limit|41|-o|small.cop|--resume", "made with data");
	refused("compress|../old.cop|--recipe|../r.yaml|--data|synth-digits|--limit|40|-o|small.cop|--resume", "made with network");
	assert_int_equal(walk_run(LINE "|-o|small.cop|--resume", NULL, NULL, 0, NULL), 0);
	assert_int_equal(access("work/small.ckpt", F_OK), -1);
}

static void foreign_files(void **state)
{
	(void)state;
	if (!walk_has_part("yaml")) skip();
	walk_fresh(&rows[0]);
	assert_int_equal(system("cd work; echo mine >notes; echo mine >a.ckpt; echo mine >b.history.json; echo mine >c.ckpt.stage1; cp ../r.yaml ../net.cop ."), 0);
	refused(LINE "|-o|new.cop|--history|notes", "left alone");
	refused(LINE "|-o|new.cop|--checkpoint|notes", "left alone");
	refused(LINE "|-o|a.cop", "a.ckpt: this file is not a checkpoint");
	refused(LINE "|-o|b.cop", "b.history.json: this file exists");
	refused(LINE "|-o|c.cop", "c.ckpt.stage1: this file is not a checkpoint");
	refused(LINE "|-o|new.cop|--history|new.cop", "at once");
	refused(LINE "|-o|new.cop|--checkpoint|new.history.json", "at once");
	refused(LINE "|-o|../r.yaml", "r.yaml");
	refused("compress|net.cop|--recipe|r.yaml|--data|synth-digits|-o|new.cop|--history|r.yaml", "r.yaml");
	refused("compress|net.cop|--recipe|r.yaml|--data|synth-digits|-o|new.cop|--checkpoint|net.cop", "net.cop");
	refused("compress|net.cop|--recipe|r.yaml|--data|synth-digits|-o|r.yaml", "r.yaml");
}

static int set_up(void **state)
{
	if (walk_enter(state)) return -1;
	write_text("r.yaml", "name: three\nstages:\n  - train: {epochs: 1, may_cost: 100, must_gain: 0}\n"
		"  - prune: {keep: 0.5, epochs: 2, every: 1, may_cost: 100, must_gain: 0}\n  - encode: {may_cost: 100, must_gain: 0}\n");
	write_text("other.yaml", "name: three\nstages:\n  - prune: {keep: 0.4, epochs: 2, every: 1, may_cost: 100, must_gain: 0}\n");
	return walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|1|-o|../net.cop", NULL, NULL, 0, NULL) ||
	       walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|1|--seed|3|-o|../old.cop", NULL, NULL, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_call), cmocka_unit_test(log_goes_on), cmocka_unit_test(over_the_input), cmocka_unit_test(other_runs), cmocka_unit_test(foreign_files)};
	return cmocka_run_group_tests(tests, set_up, walk_leave);
}
