/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that write once, at each of their file operations: see walk.h. And where output and input may lie: links, pipes, devices.
 */
#include "kill/walk.h"

static const walk rows[] = {
	{"quantize|../net.cop|--data|synth-digits|--limit|20|--threads|1|-o|q.cop", "q.cop", "old.cop", NULL, "kill fail full short eintr signal", false, false, NULL},
	{"export|../net.cop|-o|x.onnx", "x.onnx", "old.cop", NULL, "kill fail full short eintr signal", false, false, NULL},
	{"export|../net.cop|-o|x.safetensors", "x.safetensors", "old.cop", NULL, "kill fail", false, false, NULL},
	{"apply|../net.cop|fuse|-o|a.cop", "a.cop", "old.cop", NULL, "kill fail full signal", false, false, NULL},
	{"apply|net.cop|fuse|-o|net.cop", "net.cop", "net.cop", NULL, "fail full", false, false, NULL}, /* over its input */
	{"report|../net.cop|-o|r.html", "r.html", "old.cop", NULL, "kill fail full signal", true, false, NULL},
	{"explain|../net.cop|../x.npy|--sample|0|--patch|28|-o|e.html", "e.html", "old.cop", NULL, "kill fail full signal", false, false, NULL},
	{"run|../net.cop|../x.npy|-o|y.npy", "y.npy", "old.cop", NULL, "kill fail full signal", false, false, NULL},
	{"emit|../net.cop|-o|c", "c", "old-c", NULL, "kill fail full signal", false, true, NULL},
	{"emit|../net.cop|-o|c", "c", NULL, NULL, "kill", false, true, NULL},
	{"search|--data|synth-digits|--limit|40|--target|cortex-m4|--ram|16K|--flash|16K|--space|residual|--judge|macs|--draws|1|--tries|2|--epochs|2|--threads|1|-o|f.cop", "f.cop", "old.cop", "--resume", "kill signal", false, false, NULL},
	{"data|export|synth-digits|--limit|3|-o|d.npy", "d.npy", "old.cop", NULL, "kill fail full signal", false, false, NULL},
};

static void at_every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) walk_all(&rows[i], !strncmp(rows[i].line, "emit", 4) ? 12 : !strncmp(rows[i].line, "search", 6) ? 7 : 1);
}

/* Every file of the set is whole or absent; a run that is told again has them all. */
static void data_get(void **state)
{
	char line[1024], path[1024], text[4096];
	const char *data = getenv("COPPICE_DATA");
	uint64_t old, new;

	(void)state;
	if (!walk_has_part("libcurl")) skip();
	snprintf(path, sizeof path, "%s/kws-mfcc/kws01_labels_u8_1000.bin", data ? data : "/nowhere");
	if (access(path, R_OK)) {
		print_message("data get: COPPICE_DATA has no kws-mfcc to serve as a mirror\n");
		skip();
	}
	snprintf(line, sizeof line, "data|get|kws-mfcc|--folder|.|--mirror|file://%s/kws-mfcc", data);
	const walk w = {line, "kws-mfcc", NULL, NULL, "", false, false, NULL};
	int n = walk_begin(&w, &old, &new);
	assert_int_equal(system("cp -a work whole"), 0);
	for (int h = 0; h < 3; h++) {
		for (int at = 1; at <= n; at += 1 + at / 20) {
			walk_fresh(&w);
			int code = walk_run(line, NULL, (const char *const[]){"kill", "fail", "full"}[h], at, NULL);
			walk_text(text, sizeof text, "err");
			assert_true(code == (h ? 7 : 128 + 9) || !code);
			assert_int_equal(system("cd work; for f in $(find . -type f ! -name '*.part'); do cmp -s $f ../whole/$f || exit 1; done"), 0);
			if (walk_run(line, NULL, NULL, 0, NULL) || walk_state(&w) != new) fail_msg("%d at %d, then again: %s", h, at, text);
		}
	}
}

/* ---- where output and input may lie ---- */

static int shell(const char *line)
{
	char all[1024];
	int n = snprintf(all, sizeof all, "cd work; C='timeout 20 %s'; %s", COP_BINARY, line);

	assert_true(n > 0 && n < (int)sizeof all);
	int status = system(all);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void ways(void **state)
{
	static const struct { const char *line; int code; } row[] = {
		{"cp ../old.cop far.cop; ln -s far.cop near.cop; chmod 600 far.cop; $C apply ../net.cop fuse -o near.cop -q && test -L near.cop && test $(stat -c %a far.cop) = 600 && ! cmp -s far.cop ../old.cop", 0},
		{"umask 077; $C apply ../net.cop fuse -o own.cop -q && test $(stat -c %a own.cop) = 600", 0},
		{"cp ../old.cop locked.cop; chmod 444 locked.cop; $C apply ../net.cop fuse -o locked.cop 2>/dev/null; test $? = 7 && cmp locked.cop ../old.cop", 0},
		{"$C apply ../net.cop fuse -o /dev/null -q", 0},
		{"$C apply ../net.cop fuse -o /dev/stdout >file 2>err; test $? = 7 && grep -q 'standard output' err && test ! -s file", 0},
		{"mkfifo p; cat p >got & $C apply ../net.cop fuse -o p -q && wait && $C inspect got >/dev/null && test -p p", 0},
		{"mkfifo p; cat ../net.cop >p & $C inspect p --json >a && cp ../net.cop n.cop && $C inspect n.cop --json >b && grep -q parameters a", 0},
		{"$C export ../net.cop -o x.onnx -q && mkfifo p && (cat x.onnx >p & $C inspect p >/dev/null)", 0},
		{"cp ../old.cop o.cop; (ulimit -f 1; $C apply ../net.cop fuse -o o.cop) 2>err; test $? = 7 && grep -q '^coppice: o.cop: could not be written' err && cmp o.cop ../old.cop", 0},
		{"(ulimit -f 1; $C train mlp-784x8x10 --data synth-digits --limit 60 --epochs 1 -o t.cop) 2>err; test $? = 7 && test ! -e t.cop", 0},
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		walk_fresh(&(walk){.out = "none"});
		int code = shell(row[i].line);
		walk_text(text, sizeof text, "work/err");
		if (code != row[i].code) fail_msg("%s: exit %d; %s", row[i].line, code, text);
	}
}

static int set_up(void **state)
{
	if (walk_enter(state)) return -1;
	return walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|1|-o|../net.cop", NULL, NULL, 0, NULL) ||
	       walk_run("train|mlp-784x8x10|--data|synth-digits|--limit|60|--epochs|1|--seed|3|-o|../old.cop", NULL, NULL, 0, NULL) ||
	       walk_run("emit|../old.cop|-o|../old-c", NULL, NULL, 0, NULL) ||
	       walk_run("data|export|synth-digits|--limit|2|-o|../x.npy", NULL, NULL, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_call), cmocka_unit_test(data_get), cmocka_unit_test(ways)};
	return cmocka_run_group_tests(tests, set_up, walk_leave);
}
