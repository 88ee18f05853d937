/* SPDX-License-Identifier: Apache-2.0
 *
 * train, at each of its file operations: see walk.h.
 */
#include "kill/walk.h"

#define TRAIN "train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|2|--threads|1"
#define AGAIN "train|out.cop|--data|synth-digits|--limit|60|--epochs|2|--threads|1"

static const walk rows[] = {
	{TRAIN "|-o|out.cop", "out.cop", "old.cop", "--resume", "kill fail full short eintr signal", false, false, NULL},
	{TRAIN "|-o|out.cop", "out.cop", NULL, "--resume", "kill fail", false, false, NULL},
	{AGAIN "|-o|out.cop", "out.cop", "old.cop", "--resume", "kill fail", false, false, NULL}, /* the output is the input */
	{TRAIN "|--augment|normalise,shift=1|-o|out.cop", "out.cop", "old.cop", "--resume", "kill", false, false, NULL},
	{TRAIN "|--log|run.csv|-o|out.cop", "out.cop", "old.cop", "--resume", "kill fail full short", false, false, "run.csv"},
	{TRAIN "|--batch|16|--checkpoint-every|0.000001s|--lr|1|--keep|best|--log|run.csv|-o|out.cop", "out.cop", "old.cop", "--resume", "kill signal", false, false, "run.csv"}, /* a checkpoint after each step */
	{TRAIN "|--batch|16|--checkpoint-every|0.000001s|--lr|1|--update|schedule-free|--schedule|constant|-o|out.cop", "out.cop", "old.cop", "--resume", "kill", false, false, NULL},
	{TRAIN "|--batch|16|--checkpoint-every|0.000001s|--lr|0.01|--update|adam by=(sgd lr=1e-4)|-o|out.cop", "out.cop", "old.cop", "--resume", "kill", false, false, NULL},
	{"train|../old8.cop|--data|synth-digits|--limit|60|--epochs|2|--threads|1|--batch|16|--checkpoint-every|0.000001s|--lr|1|-o|out.cop", "out.cop", "old.cop", "--resume", "kill", false, false, NULL}, /* int8 */
	{AGAIN "|--lr|10|--stop-after|1|--log|run.csv|-o|out.cop", "out.cop", "old.cop", "--resume", "kill", false, false, "run.csv"}, /* the first epoch is the best: the result is not the last weights */
};

static void at_every_call(void **state)
{
	(void)state;
	if (walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|1|--seed|3|-o|../old.cop", NULL, NULL, 0, NULL)) fail();
	if (walk_run("quantize|../old.cop|--data|synth-digits|--limit|20|-o|../old8.cop", NULL, NULL, 0, NULL)) fail();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) walk_all(&rows[i], 3);
}

/* The file after the walk's disturbed run stays for a look at what the next command line says. */
static void refused(const char *line, const char *more, const char *says)
{
	char text[4096];
	int code = walk_run(line, more, NULL, 0, NULL);

	walk_text(text, sizeof text, "err");
	if (!code || !strstr(text, says)) fail_msg("%s|%s: exit %d; %s", line, more ? more : "", code, text);
	walk_text(text, sizeof text, "work/out.cop.ckpt");
	if (strncmp(text, "coppice ", 8)) fail_msg("%s|%s: the checkpoint is gone", line, more ? more : "");
}

/* A checkpoint is gone on with by the run that made it alone; the sentence says what differs. */
static void other_runs(void **state)
{
	static const struct { const char *line, *says; } row[] = {
		{TRAIN "|--lr|0.2|-o|out.cop|--resume", "made with lr 0.05"},
		{TRAIN "|--lr|0.2|-o|out.cop", "made with lr 0.05"}, /* nor is it written over */
		{TRAIN "|--seed|7|-o|out.cop|--resume", "made with seed 1, this run has 7"},
		{TRAIN "|--batch|16|-o|out.cop|--resume", "made with batch 64"},
		{TRAIN "|--update|adam|-o|out.cop|--resume", "made with update sgd momentum=0.9"},
		{TRAIN "|--schedule|constant|-o|out.cop|--resume", "made with schedule cosine"},
		{TRAIN "|--augment|shift=2|-o|out.cop|--resume", "made with augment shift=1"},
		{TRAIN "|--smooth|0.1|-o|out.cop|--resume", "made with smooth 0"},
		{TRAIN "|--keep|best|-o|out.cop|--resume", "made with kept epoch the last, this run has the best"},
		{TRAIN "|--stop-after|3|-o|out.cop|--resume", "made with policies none, this run has early:patience=3"},
		{"train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|3|-o|out.cop|--resume", "made with epochs 2, this run has 3"},
		{"train|mlp-784x8x10|--data|synth-digits|--limit|61|--epochs|2|-o|out.cop|--resume", "made with data 60 samples"},
		{"train|mlp-784x8x10|--data|../other.npy|--limit|60|--epochs|2|-o|out.cop|--resume", ""},
		{"train|mlp-784x9x10|--data|synth-digits|--limit|60|--epochs|2|-o|out.cop|--resume", "made with network mlp-784x8x10, contents"},
		{"train|../old.cop|--data|synth-digits|--limit|60|--epochs|2|-o|out.cop|--resume|--lr|0.05|--batch|64|--update|sgd momentum=0.9 decay=5e-4|--schedule|cosine", "made with network mlp-784x8x10, contents"},
	};

	(void)state;
	walk_fresh(&rows[0]);
	assert_int_equal(walk_run(TRAIN "|-o|out.cop", NULL, "kill", 12, NULL), 128 + 9); /* behind the first checkpoint */
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) refused(row[i].line, NULL, row[i].says);
	assert_int_equal(walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|2|--threads|2|-o|other.cop|--checkpoint|out.cop.ckpt|--resume", NULL, NULL, 0, NULL), 0);
}

/* Somebody else's file is refused before work begins, and stays. */
static void foreign_files(void **state)
{
	static const struct { const char *line, *says; } row[] = {
		{TRAIN "|-o|out.cop|--checkpoint|out.cop", "at once"},
		{TRAIN "|-o|out.cop|--checkpoint|link", "at once"},
		{TRAIN "|-o|new.cop|--checkpoint|./new.cop", "at once"},
		{TRAIN "|-o|new.cop|--checkpoint|notes", "left alone"},
		{TRAIN "|-o|new.cop|--checkpoint|notes|--resume", "left alone"},
		{TRAIN "|-o|new.cop|--checkpoint|out.cop", "left alone"}, /* a network is no checkpoint */
		{TRAIN "|-o|foreign", "foreign.ckpt: this file is not a checkpoint"},
		{AGAIN "|-o|new.cop|--checkpoint|out.cop", "at once"},
		{"train|mlp-784x8x10|--data|notes|-o|notes", "at once"},
		{TRAIN "|-o|nowhere/x.cop", "No such file"},
		{TRAIN "|-o|new.cop|--checkpoint|nowhere/x", "No such file"},
	};
	char text[4096];

	(void)state;
	walk_fresh(&rows[0]);
	assert_int_equal(system("cd work; echo mine >notes; echo mine >foreign.ckpt; ln -s out.cop link"), 0);
	uint64_t before = walk_hash("work", "");
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		int code = walk_run(row[i].line, NULL, NULL, 0, NULL);
		walk_text(text, sizeof text, "err");
		if (!code || !strstr(text, row[i].says)) fail_msg("%s: exit %d; %s", row[i].line, code, text);
		if (walk_hash("work", "") != before) fail_msg("%s: changed something", row[i].line);
	}
}

/* Never begun, it begins; done, it says the same again. */
static void nothing_to_resume(void **state)
{
	char text[4096];

	(void)state;
	walk_fresh(&(walk){.out = "out.cop"});
	assert_int_equal(walk_run(TRAIN "|-o|whole.cop", NULL, NULL, 0, NULL), 0);
	uint64_t whole = walk_hash("work/whole.cop", "");
	assert_int_equal(walk_run(TRAIN "|-o|out.cop|--resume", NULL, NULL, 0, NULL), 0);
	walk_text(text, sizeof text, "err");
	assert_non_null(strstr(text, "begins at the start"));
	assert_true(walk_hash("work/out.cop", "") == whole);
	for (int i = 0; i < 2; i++) { /* a checkpoint of one's own stays, and holds the result */
		assert_int_equal(walk_run(TRAIN "|-o|out.cop|--checkpoint|mine|--json|--resume", NULL, NULL, 0, NULL), 0);
		assert_true(walk_hash("work/out.cop", "") == whole);
		char *last = strcpy(text + 2048, text);
		walk_text(text, 2048, "out");
		*strstr(text, ",\"seconds\"") = 0;
		if (i) assert_string_equal(text, last);
		else assert_non_null(strstr(text, "\"loss\":"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_call), cmocka_unit_test(other_runs), cmocka_unit_test(foreign_files), cmocka_unit_test(nothing_to_resume)};
	return cmocka_run_group_tests(tests, walk_enter, walk_leave);
}
