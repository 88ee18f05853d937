/* SPDX-License-Identifier: Apache-2.0
 *
 * test_json - what programs read of the command line: with --json every verb prints one object whose fields are those of docs/json.md;
 * a failure is an object, too; with --quiet nothing is printed; words that are nearly right get the right one.
 */
#include "coppice.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/words.h"

enum { MOST_ROWS = 512, MOST_KEYS = 600 };

static char home[64], out[1 << 20], err[8192];

static void slurp(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	text[n] = 0;
	if (f) fclose(f);
}

/* Fields are separated by '|'. */
static int run(const char *line)
{
	char copy[1024], *argv[32] = {COP_BINARY}, *p = copy;
	int n = 1, status = 0;
	pid_t pid;

	snprintf(copy, sizeof copy, "%s", line);
	while (*line && p && n < 31) argv[n++] = strsep(&p, "|");
	if (!(pid = fork())) {
		if (!freopen("stdout", "wb", stdout) || !freopen("stderr", "wb", stderr)) _exit(126);
		execv(COP_BINARY, argv);
		_exit(127);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	slurp(out, sizeof out, "stdout");
	slurp(err, sizeof err, "stderr");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool left_out(int code) { return code && strstr(err, "this build has no"); }

/* ---- a reader of JSON that keeps the paths of all fields: "layers[].op" ---- */

typedef struct json {
	const char *at;
	char key[MOST_KEYS][96];
	int n;
	bool bad;
} json;

static void value(json *j, const char *path);

static void blank(json *j) { j->at += strspn(j->at, " \t\r\n"); }

static bool take(json *j, char c)
{
	blank(j);
	if (*j->at != c) return false;
	j->at++;
	return true;
}

static void text(json *j, char *key, size_t size)
{
	size_t n = 0;

	if (!take(j, '"')) j->bad = true;
	while (!j->bad && *j->at && *j->at != '"') {
		if ((unsigned char)*j->at < 32) j->bad = true;
		if (*j->at == '\\' && !strchr("\"\\/bfnrtu", *++j->at)) j->bad = true;
		if (n + 1 < size) key[n++] = *j->at;
		j->at++;
	}
	if (size) key[n] = 0;
	if (*j->at++ != '"') j->bad = true;
}

static void note(json *j, const char *path)
{
	for (int i = 0; i < j->n; i++)
		if (!strcmp(j->key[i], path)) return;
	if (j->n == MOST_KEYS) j->bad = true;
	else snprintf(j->key[j->n++], sizeof j->key[0], "%s", path);
}

static void object(json *j, const char *path)
{
	char name[48], full[200];

	if (take(j, '}')) return;
	do {
		text(j, name, sizeof name);
		if (!take(j, ':')) j->bad = true;
		snprintf(full, sizeof full, "%s%s%s", path, *path ? "." : "", name);
		blank(j);
		if (*j->at == '[') strcat(full, "[]");
		note(j, full);
		value(j, full);
	} while (!j->bad && take(j, ','));
	if (!take(j, '}')) j->bad = true;
}

static void list(json *j, const char *path)
{
	if (take(j, ']')) return;
	do value(j, path);
	while (!j->bad && take(j, ','));
	if (!take(j, ']')) j->bad = true;
}

static void value(json *j, const char *path)
{
	char *end;

	blank(j);
	if (take(j, '{')) object(j, path);
	else if (take(j, '[')) list(j, path);
	else if (*j->at == '"') text(j, NULL, 0);
	else if (!strncmp(j->at, "true", 4) || !strncmp(j->at, "null", 4)) j->at += 4;
	else if (!strncmp(j->at, "false", 5)) j->at += 5;
	else if (*j->at == '-' || isdigit((unsigned char)*j->at)) strtod(j->at, &end), j->at = end;
	else j->bad = true;
}

static json *parse(const char *bytes)
{
	static json j;

	j = (json){.at = bytes};
	value(&j, "");
	blank(&j);
	if (*j.at) j.bad = true;
	return &j;
}

static bool has(const json *j, const char *key)
{
	for (int i = 0; i < j->n; i++)
		if (!strcmp(j->key[i], key)) return true;
	return false;
}

/* ---- the page ---- */

static struct { char verb[16], field[64], when[32]; } row[MOST_ROWS];
static int rows;

static void read_page(void)
{
	static char page[1 << 17];
	char *save;

	slurp(page, sizeof page, COP_SOURCE_DIR "/docs/json.md");
	for (char *p = strtok_r(page, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		assert_true(rows < MOST_ROWS);
		if (sscanf(p, "| %15[^|] | `%63[^`]` | %*[^|] | %31[^|]", row[rows].verb, row[rows].field, row[rows].when) != 3) continue;
		for (char *k = row[rows].verb + strlen(row[rows].verb); k > row[rows].verb && k[-1] == ' ';) *--k = 0;
		rows++;
	}
	assert_true(rows > 100);
}

/* Verbs that list a table share their rows, which say NAME for it. */
static bool is_list(const char *verb)
{
	const char *name;
	for (int i = 0; (name = cop_table_name(i, NULL)); i++)
		if (!strcmp(name, verb) && strcmp(name, "zoo")) return true; /* its list has another name */
	return false;
}

static bool of_verb(int i, const char *verb)
{
	return !strcmp(row[i].verb, verb) || !strcmp(row[i].verb, "every") || (!strcmp(row[i].verb, "lists") && is_list(verb));
}

static const char *field(int i, const char *verb)
{
	static char text[160];
	if (strncmp(row[i].field, "NAME", 4)) return row[i].field;
	snprintf(text, sizeof text, "%s%s", verb, row[i].field + 4);
	return text;
}

static bool documented(const char *verb, const char *key)
{
	for (int i = 0; i < rows; i++)
		if (of_verb(i, verb) && !strcmp(field(i, verb), key)) return true;
	return false;
}

static void fields_are_documented(void **state)
{
	static bool seen[MOST_ROWS];
	char verb[16];

	(void)state;
	read_page();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int code = run(lines[i]);
		if (left_out(code)) continue;
		json *j = parse(out);
		if (code || j->bad) fail_msg("%s: exit %d; %.300s; %s", lines[i], code, out, err);
		sscanf(lines[i], "%15[^|]", verb);
		for (int k = 0; k < j->n; k++)
			if (!documented(verb, j->key[k])) fail_msg("%s prints '%s', which docs/json.md does not name", lines[i], j->key[k]);
		for (int k = 0; k < rows; k++) {
			if (!of_verb(k, verb)) continue;
			if (has(j, field(k, verb))) seen[k] = true;
			else if (!strncmp(row[k].when, "always", 6) && !strchr(row[k].field, '.')) fail_msg("%s does not print '%s'", lines[i], row[k].field);
		}
	}
	static const char *const rare[] = {"fast_ram_bytes", "times", "mse", "mae", "r2", "sqnr_db", "instructions", "_bytes", "code", "before.", "after.", "history", "log", "[].parts", "left_ranges[]"};
	for (int k = 0; k < rows; k++) { /* what no line printed needs a board, a regression or a recipe */
		bool is_rare = false;
		for (size_t r = 0; r < sizeof rare / sizeof *rare; r++) is_rare |= strstr(row[k].field, rare[r]) != NULL;
		const bool of_recipe = strstr(row[k].field, "orders[]") || strstr(row[k].field, "stages[]");
		if (!seen[k] && !is_rare && (of_recipe || strcmp(row[k].verb, "compress")) && strcmp(row[k].verb, "epoch")) fail_msg("no line prints '%s' of %s", row[k].field, row[k].verb);
	}
}

/* Each on a line of its own, flushed when its epoch ends; with the fields of the page's rows "epoch". */
static void epochs_are_objects(void **state)
{
	char *save;

	(void)state;
	for (size_t i = 0; i < sizeof logged / sizeof *logged; i++) {
		int code = run(logged[i].line), n = 0;
		if (left_out(code)) continue;
		if (code) fail_msg("%s: exit %d; %s", logged[i].line, code, err);
		for (char *p = strtok_r(out, "\n", &save); p; p = strtok_r(NULL, "\n", &save), n++) {
			json *j = parse(p);
			assert_false(j->bad);
			assert_int_equal(has(j, "version"), n == logged[i].epochs);
			for (int k = 0; n < logged[i].epochs && k < j->n; k++)
				if (!documented("epoch", j->key[k])) fail_msg("%s prints '%s' of an epoch, which docs/json.md does not name", logged[i].line, j->key[k]);
			for (int k = 0; n < logged[i].epochs && k < rows; k++)
				if (!strcmp(row[k].verb, "epoch") && !strncmp(row[k].when, "always", 6) && !has(j, row[k].field)) fail_msg("%s does not print '%s' of an epoch", logged[i].line, row[k].field);
		}
		assert_int_equal(n, logged[i].epochs + 1);
	}
}

static void failures_are_objects(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char line[512], code_text[32];
		snprintf(line, sizeof line, "%s|--json", wrong[i].line);
		int code = run(line);
		if (left_out(code)) continue;
		json *j = parse(out);
		snprintf(code_text, sizeof code_text, "\"code\":%d}", wrong[i].code);
		const bool wrote = strstr(wrong[i].says, "undone") != NULL; /* the file was written all the same: its figures are there, too */
		if (code != wrong[i].code || j->bad || (wrote ? !has(j, "accuracy") || !has(j, "stages_kept") : j->n != 4) || !has(j, "error") || !strstr(out, code_text)) fail_msg("%s: exit %d; %s; %s", line, code, out, err);
		if (!strstr(out, wrong[i].says) || !strstr(err, wrong[i].says)) fail_msg("%s: said %s and %s; expected: %s", line, out, err, wrong[i].says);
	}
}

/* What the network and the rows are named by may be any bytes. */
static void names_are_utf8(void **state)
{
	(void)state;
	run("predict|three.cop|b\xff\xc3.csv|--json");
	assert_false(parse(out)->bad);
	assert_non_null(strstr(out, "b\\ufffd\\ufffd.csv"));
	run("predict|three.cop|caf\xc3\xa9.csv|--json");
	assert_non_null(strstr(out, "caf\xc3\xa9.csv"));
}

static void quiet_is_quiet(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char line[512];
		snprintf(line, sizeof line, "%s", lines[i]);
		char *json_option = strstr(line, "|--json");
		assert_non_null(json_option);
		memcpy(json_option, "|--quiet", 9);
		int code = run(line);
		if (left_out(code)) continue;
		if (code || *out || *err) fail_msg("%s: exit %d, printed '%.100s' and '%.200s'", line, code, out, err);
	}
	assert_int_equal(run("eval|absent.cop|--data|synth-digits|--quiet"), 7);
	assert_non_null(strstr(err, "absent.cop: no such file"));
}

static void help_is_there(void **state)
{
	(void)state;
	assert_int_equal(run(""), 2);
	assert_non_null(strstr(err, "coppice VERB"));
	static const char *const ways[] = {"--help", "-h", "help"};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(ways[i]), 0);
		assert_non_null(strstr(out, "exit codes:"));
	}
	static const char *const of_eval[] = {"eval|--help", "eval|-h", "help|eval", "--help|eval", "eval|net.cop|-h"};
	for (int i = 0; i < 5; i++) {
		assert_int_equal(run(of_eval[i]), 0);
		assert_non_null(strstr(out, "--confusion"));
	}
	assert_int_equal(run("help|evall"), 2);
	assert_non_null(strstr(err, "did you mean 'eval'?"));
}

/* What is not given is the network's default, which the object says; what is given stays. */
static void training_says_its_settings(void **state)
{
	(void)state;
	assert_int_equal(run("train|lenet-5|--data|synth-digits|--limit|40|--epochs|1|-o|d.cop|--json"), 0);
	assert_non_null(strstr(out, "\"batch\":64,\"lr\":0.02"));
	assert_non_null(strstr(out, "\"augment\":\"shift=2\",\"smooth\":0,"));
	assert_non_null(strstr(err, "--batch 64 --lr 0.02"));
	assert_int_equal(run("train|lenet-5|--data|synth-digits|--limit|40|--epochs|1|--batch|8|--lr|0|--update|adam|--schedule|constant|--augment|none|--smooth|0.25|-o|d.cop|--json"), 0);
	assert_non_null(strstr(out, "\"batch\":8,\"lr\":0,\"update\":\"adam\",\"schedule\":\"constant\",\"augment\":\"none\",\"smooth\":0.25,"));
	assert_int_equal(run("train|mlp-784x10|--data|synth-digits|--limit|40|--epochs|1|--policies|ema:decay=0.5|--augment|mix=0.2|-o|d.cop|--json"), 0);
	assert_non_null(strstr(out, "\"policies\":\"ema:decay=0.5\""));
	assert_int_equal(run("train|mlp-784x10|--data|synth-digits|--limit|40|--epochs|1|--policies|emma|-o|d.cop|--json"), 2);
	assert_non_null(strstr(err, "did you mean 'ema'"));
	assert_int_equal(run("train|ds-cnn|--data|synth-digits|--limit|40|--epochs|1|-o|d.cop|--json"), 0);
	assert_non_null(strstr(out, "\"augment\":\"shift=2,normalise\""));
	assert_int_equal(run("train|d.cop|--data|synth-digits|--limit|40|--epochs|1|-o|d.cop|--json"), 0);
	assert_non_null(strstr(out, "\"augment\":\"shift=2\"")); /* the network has it */
}

static void write_text(const char *path, const char *bytes)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	fputs(bytes, f);
	fclose(f);
}

static int set_up(void **state)
{
	char three[1200] = "", line[1200] = "width,length\n", one[32];

	(void)state;
	snprintf(home, sizeof home, "/tmp/coppice-json-XXXXXX");
	if (!mkdtemp(home) || chdir(home)) return -1;
	setenv("HOME", home, 1);
	unsetenv("XDG_DATA_HOME");
	unsetenv("COPPICE_DATA");
	for (int i = 0; i < 30; i++) {
		snprintf(one, sizeof one, "%d,%d,%d\n", 100 * (i % 3), i % 5, i % 3 + 1);
		strcat(three, one);
		snprintf(one, sizeof one, "%d,%d.5\n", i % 13, 1000 + 20 * (i % 13));
		strcat(line, one);
	}
	write_text("three.csv", three), write_text("b\xff\xc3.csv", three), write_text("caf\xc3\xa9.csv", three), write_text("line.csv", line);
	if (mkdir("parts", 0777)) return -1;
	write_text("parts/train.csv", three), write_text("parts/test.csv", three);
	write_text("names.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
	write_text("digits.net", "input 28 28 1\nconv 4 3x3 stride 2 relu\nmean\nfc 10\n");
	write_text("orders.yaml", "order: search\nmax_drop: 100\nstages:\n  - train: {epochs: 1, may_cost: 100}\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100}\n");
	write_text("once.yaml", "name: once\nstages:\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100}\n");
	write_text("never.yaml", "name: never\nstages:\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100, must_gain: 1000}\n");
	write_text("layers.yaml", "name: x\nstages:\n  - prune: {keep: 0.5, layers: conv9*}\n");
	write_text("rate.yaml", "name: x\nstages:\n  - prune: {keep: {fc1*: 0.5, fd2*: 0.1}, scope: layer}\n");
	write_text("stage.yaml", "name: x\nstages:\n  - prun: {keep: 0.5}\n");
	write_text("key.yaml", "name: x\nstages:\n  - prune: {kep: 0.5}\n");
	return run("train|mlp-784x32x10|--data|synth-digits|--limit|300|--epochs|1|-o|net.cop|--quiet") || run("train|mlp-2x8x3|--data|three.csv|--epochs|5|-o|three.cop|--quiet") ||
	       run("train|mlp-1x8x1|--data|line.csv|--epochs|2|-o|line.cop|--quiet") || run("train|mlp-2x1x2|--data|three.csv|--only|1|--task|rebuild|--valid|no|--epochs|1|-o|same.cop|--quiet") || run("data|export|synth-digits|--limit|5|-o|x.npy|--quiet");
}

static int tear_down(void **state)
{
	char line[100];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", home);
	return chdir("/") || system(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(fields_are_documented),
	        cmocka_unit_test(epochs_are_objects),
	        cmocka_unit_test(failures_are_objects),
	        cmocka_unit_test(names_are_utf8),
	        cmocka_unit_test(training_says_its_settings),
	        cmocka_unit_test(quiet_is_quiet),
	        cmocka_unit_test(help_is_there),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
