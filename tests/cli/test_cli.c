/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli - the program as people and scripts see it: exit codes, sentences, and files that are whole or absent.
 * Command lines run without a shell in a folder of their own; data are drawn digits, so no files are needed.
 */
#include "coppice.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/lines.h"

enum { MAX_ARGS = 24 };

typedef struct result {
	int code;
	char out[16384], err[8192];
} result;
typedef struct limits {
	rlim_t file_bytes;
	const char *out;
} limits; /* 0, NULL: none */

static char home[64];

static void slurp(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	text[n] = 0;
	if (f) fclose(f);
}

/* In the child. Fields are separated by '|', since some hold blanks. */
static void start(const char *line, const limits *l)
{
	static char copy[1024];
	char *argv[MAX_ARGS + 2] = {COP_BINARY}, *p = copy;
	int n = 1;

	snprintf(copy, sizeof copy, "%s", line);
	while (p && n <= MAX_ARGS) argv[n++] = strsep(&p, "|");
	if (l->file_bytes) {
		struct rlimit r = {l->file_bytes, l->file_bytes};
		signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit then fails as on a full disk */
		setrlimit(RLIMIT_FSIZE, &r);
	}
	int out = open(l->out ? l->out : "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666),
	    err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
	execv(COP_BINARY, argv);
	_exit(127);
}

static result run_within(const char *line, const limits *l)
{
	static result r;
	int status = 0;
	pid_t pid = fork();

	if (!pid) start(line, l);
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	slurp(r.out, sizeof r.out, "stdout");
	slurp(r.err, sizeof r.err, "stderr");
	return r;
}

static result run(const char *line)
{
	return run_within(line, &(limits){0, NULL});
}

/* Nothing half-written: no file or folder whose name holds ".part". */
static void no_parts(const char *after)
{
	DIR *d = opendir(".");
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (strstr(e->d_name, ".part")) fail_msg("%s left %s", after, e->d_name);
	}
	closedir(d);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A library that this build was made without. */
static bool left_out(const result *r) { return r->code && strstr(r->err, "this build has no"); }

/* ---- lines that fail ---- */

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		result r = run(bad[i].line);
		if (!left_out(&r) && (r.code != bad[i].code || !strstr(r.err, bad[i].says)))
			fail_msg("%s: exit %d, expected %d; said: %s; expected: %s", bad[i].line, r.code, bad[i].code,
			        r.err, bad[i].says);
		assert_int_equal(access("x.cop", F_OK), -1);
		assert_int_equal(access("x.html", F_OK), -1);
		assert_int_equal(access("y.npy", F_OK), -1);
		assert_int_equal(access("out", F_OK), -1);
		no_parts(bad[i].line);
	}
}

/* ---- lines that work ---- */

static bool holds(const char *path, const char *what)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	text[n] = 0;
	if (f) fclose(f);
	return strstr(text, what) != NULL;
}

/* No shell, and not gnuplot either, runs what the name of a folder says. */
static void pictures_in_any_folder(void **state)
{
	static const char folder[] = "a `touch run-by-gnuplot` 'b\" c";
	char path[600], here[500];

	(void)state;
	if (access("small.cop", F_OK) || !holds("small.html", "<svg")) skip();
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_non_null(getcwd(here, sizeof here));
	snprintf(path, sizeof path, "%s/%s", here, folder);
	setenv("TMPDIR", path, 1);
	result r = run("report|small.cop|-o|small.html");
	unsetenv("TMPDIR");
	assert_int_equal(r.code, 0);
	assert_true(holds("small.html", "<svg"));
	assert_int_equal(access("run-by-gnuplot", F_OK), -1);
	assert_int_equal(rmdir(folder), 0); /* nothing stays in it */
}

static void works(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		result r = run(good[i].line);
		bool made = !strstr(good[i].line, "report|small.cop") || !access("small.cop", F_OK); /* by a recipe */
		if (left_out(&r) || !made) continue;
		bool tells = !strncmp(good[i].line, "train|", 6); /* its settings, on stderr */
		if (r.code || !strstr(r.out, good[i].says) || (*r.err && !tells))
			fail_msg("%s: exit %d; %s%s", good[i].line, r.code, r.out, r.err);
		if (good[i].file) assert_int_equal(access(good[i].file, F_OK), 0);
		no_parts(good[i].line);
	}
}

static void every_verb_has_help(void **state)
{
	static const char *const verbs[] = {"train", "adapt", "eval", "compress", "quantize", "inspect", "explain", "run", "bench", "emit", "check", "report", "compare",
	        "apply", "export", "data", "zoo", "passes", "targets"};
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		snprintf(line, sizeof line, "%s|--help", verbs[i]);
		result r = run(line);
		assert_int_equal(r.code, 0);
		assert_non_null(strstr(r.out, "Example:\n  coppice "));
		assert_non_null(strstr(r.out, "--json"));
	}
}

static void check_says(const char *line, int code, const char *says)
{
	result r = run(line);
	if (r.code != code || !strstr(r.err, says)) fail_msg("%s: exit %d, expected %d; said: %s; expected: %s", line, r.code, code, r.err, says);
}

/* The number behind "probability": of the network that is named last before it. */
static double probability(const char *line, const char *network)
{
	result r = run(line);
	const char *p = r.code ? NULL : strstr(r.out, network);

	if (!p || !(p = strstr(p, "\"probability\":"))) fail_msg("%s: exit %d; %s%s", line, r.code, r.out, r.err);
	return p ? strtod(p + 14, NULL) : -1;
}

/* Two networks that have their classes in another order are asked about the same one. */
static void classes_go_by_name(void **state)
{
	(void)state;
	assert_int_equal(run("quantize|net.cop|--scheme|w8|--classes|names.txt|-o|up.cop|--quiet").code, 0);
	assert_int_equal(run("quantize|net.cop|--scheme|w8|--classes|backwards.txt|-o|down.cop|--quiet").code, 0);
	double zero = probability("explain|up.cop|x.npy|--sample|0|--class|zero|--json", "up.cop"), nine = probability("explain|up.cop|x.npy|--sample|0|--class|nine|--json", "up.cop");
	assert_true(zero != nine);
	assert_true(probability("explain|up.cop|x.npy|--sample|0|--before|down.cop|--class|zero|--json", "down.cop") == nine);
	assert_true(probability("explain|up.cop|x.npy|--sample|0|--before|down.cop|--class|zero|--json", "up.cop") == zero);
	check_says("explain|up.cop|x.npy|--sample|0|--before|net.cop|--class|zero", 2, "net.cop has no class 'zero'");
}

/* Whatever goes wrong with an emitted folder: one sentence that says what. */
static void check_finds(void **state)
{
	char *path = strdup(getenv("PATH"));

	(void)state;
	assert_int_equal(run("emit|net.cop|-o|broken").code, 0);
	assert_int_equal(run("apply|mlp-784x32x10|to_infer fuse|-o|broken/check/model.cop").code, 0); /* other weights */
	check_says("check|broken", 10, "broken: run 0, output 0, element 0 is 0x");
	write_text("broken/check/x.bin", "short");
	check_says("check|broken", 7, "the program ran nothing");
	write_text("broken/check/main.c", "int main(void) { return 3; }\n");
	check_says("check|broken", 7, "failed when it was run");
	write_text("broken/check/main.c", "int main(void) { for (;;) {} }\n");
	check_says("check|broken|--timeout|2", 7, "did not end within 2 seconds");
	write_text("broken/check/main.c", "int main(void) { return x; }\n");
	check_says("check|broken", 7, "cannot be built: main.c:1:");
	setenv("PATH", "/nowhere", 1);
	check_says("check|broken", 7, "make is needed");
	setenv("PATH", path, 1);
	free(path);
}

static void check_on_boards(void **state)
{
	(void)state;
	if (system("command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null"
	           " && test -e \"$(arm-none-eabi-gcc -print-file-name=nano.specs)\""))
		skip();
	assert_int_equal(run("emit|net.cop|-o|board|--target|cortex-m4|--ram|8K|--flash|128K").code, 0);
	result r = run("check|board|--json");
	assert_int_equal(r.code, 0);
	for (size_t i = 0; i < 7; i++) {
		static const char *const key[] = {"instructions", "static_bytes", "stack_bytes", "ram_bytes", "code_bytes", "weight_bytes", "flash_bytes"};
		char text[32];
		snprintf(text, sizeof text, "\"%s\":", key[i]);
		const char *at = strstr(r.out, text);
		assert_true(at && atol(at + strlen(text)) > 0);
	}
	assert_int_equal(run("emit|net.cop|-o|board|--target|cortex-m4|--flash|100K").code, 0); /* the weights fit, the code does not */
	assert_int_equal(run("emit|mlp-4x3|-o|tiny|--target|microbit").code, 0);
	check_says("check|board", 5, "does not fit");
	write_text("tiny/check/main.c", "int main(void) { *(volatile int *)0x20004000 = 1; return 0; }\n"); /* behind the last byte of RAM */
	check_says("check|tiny", 7, "fault");
}

/* A disk that takes 1,000 bytes of a file and then no more: what was there before stays as it was. */
static void full_disk(void **state)
{
	static const char *const lines[] = {"apply|net.cop|fuse|-o|kept.cop", "export|net.cop|-o|kept.safetensors", "export|net.cop|-o|kept.onnx",
	        "report|net.cop|-o|kept.cop", "run|net.cop|many.npy|-o|kept.cop", "emit|net.cop|-o|full",
	        "train|mlp-784x10|--data|synth-digits|--limit|64|--epochs|1|-o|kept.cop"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *kept = strstr(lines[i], "kept") ? strstr(lines[i], "kept") : "kept.cop";
		write_text(kept, "what was there");
		result r = run_within(lines[i], &(limits){1000, NULL});
		if (r.code != 7) fail_msg("%s: exit %d; %s", lines[i], r.code, r.err);
		slurp(text, sizeof text, kept);
		assert_string_equal(text, "what was there");
		assert_int_equal(access("full", F_OK), -1);
		no_parts(lines[i]);
	}
}

static void full_stdout(void **state)
{
	(void)state;
	if (access("/dev/full", W_OK)) skip();
	result r = run_within("inspect|net.cop", &(limits){0, "/dev/full"});
	assert_int_equal(r.code, 7);
	assert_non_null(strstr(r.err, "standard output"));
}

/* ---- stopping ---- */

static pid_t begin(const char *line)
{
	pid_t pid = fork();

	if (!pid) start(line, &(limits){0, NULL});
	assert_true(pid > 0);
	return pid;
}

static void same_files(const char *a, const char *b)
{
	cop_ctx *cx;
	void *p, *q;
	size_t n, m;

	assert_int_equal(cop_ctx_new(&cx, NULL), COP_OK);
	assert_int_equal(cop_file_read(&p, &n, cx, a, 0), COP_OK);
	assert_int_equal(cop_file_read(&q, &m, cx, b, 0), COP_OK);
	assert_int_equal(n, m);
	assert_memory_equal(p, q, n);
	cop_free(cx, p);
	cop_free(cx, q);
	cop_ctx_free(cx);
}

/* Interrupted after the first checkpoint and gone on with, a run ends with the bits of one that was never stopped. */
static void interrupt_and_resume(void **state)
{
#define LINE "train|mlp-784x64x10|--data|synth-digits|--limit|3000|--epochs|12|--threads|1|-o|"
	int status, tries = 0;

	(void)state;
	assert_int_equal(run(LINE "whole.cop").code, 0);
	pid_t pid = begin(LINE "halves.cop");
	while (access("halves.cop.ckpt", F_OK) && tries++ < 3000 && !waitpid(pid, &status, WNOHANG)) usleep(2000);
	kill(pid, SIGINT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (!WEXITSTATUS(status)) skip(); /* it was done before the signal came */
	assert_int_equal(WEXITSTATUS(status), 9);
	char err[512];
	slurp(err, sizeof err, "stderr");
	assert_non_null(strstr(err, "--resume"));
	assert_int_equal(access("halves.cop", F_OK), -1);
	assert_int_equal(run(LINE "halves.cop|--resume").code, 0);
	assert_int_equal(access("halves.cop.ckpt", F_OK), -1);
	same_files("whole.cop", "halves.cop");
}

/* ---- what the tests stand on ---- */

/* Three classes called 1 to 3 that the first column tells apart; two.csv lacks the second, four.csv has one more; in off.csv all that looks like the first is called 2; bare.csv has no labels; a
 * line. And networks that learnt them. */
static bool tables(void)
{
	char three[1200] = "", two[1200] = "", four[1200] = "", bare[1200] = "", off[1200] = "", line[1200] = "width,length\n";

	for (int i = 0; i < 30; i++) {
		char row[40];
		snprintf(row, sizeof row, "%d,%d,%d\n", 100 * (i % 3), i % 5, i % 3 + 1);
		strcat(three, row);
		if (i % 3 != 1) strcat(two, row);
		if (i % 3 == 0) snprintf(row, sizeof row, "0,%d,2\n", i % 5), strcat(off, row);
		snprintf(row, sizeof row, "%d,%d,%d\n", 100 * (i % 3), i % 5, i % 3 + 2);
		strcat(four, row);
		snprintf(row, sizeof row, "%d,%d\n", 100 * (i % 3), i % 5);
		if (i % 3 == 2) strcat(bare, row);
		snprintf(row, sizeof row, "%d,%d.5\n", i % 13, 1000 + 20 * (i % 13));
		strcat(line, row);
	}
	write_text("three.csv", three), write_text("two.csv", two), write_text("four.csv", four), write_text("bare.csv", bare), write_text("line.csv", line), write_text("off.csv", off);
	write_text("twice.txt", "a\nb\na\n");
	return !run("train|mlp-2x8x3|--data|three.csv|--epochs|40|--batch|4|--lr|0.1|-o|three.cop|--quiet").code && !run("train|mlp-1x8x1|--data|line.csv|--epochs|200|--batch|4|--lr|0.02|-o|line.cop|--quiet").code;
}

static int set_up(void **state)
{
	char part[2000];

	(void)state;
	snprintf(home, sizeof home, "/tmp/coppice-cli-XXXXXX");
	if (!mkdtemp(home) || chdir(home)) return -1;
	setenv("HOME", home, 1);
	unsetenv("XDG_DATA_HOME");
	unsetenv("COPPICE_DATA");
	if (run("train|mlp-784x32x10|--data|synth-digits|--limit|500|--epochs|2|-o|net.cop|--quiet").code) return -1;
	if (run("data|export|synth-digits|--limit|5|-o|x.npy|--labels|labels.npy").code) return -1;
	if (run("data|export|synth-digits|--limit|100|-o|many.npy").code) return -1;
	if (run("apply|mlp-10x4x10|fuse|-o|small-input.cop").code || run("apply|mlp-784x400x10|fuse|-o|big.cop").code)
		return -1;
	FILE *f = fopen("net.cop", "rb"), *g = fopen("cut.cop", "wb");
	if (!f || !g || fread(part, 1, sizeof part, f) != sizeof part || fwrite(part, 1, sizeof part, g) != sizeof part)
		return -1;
	fclose(f);
	fclose(g);
	write_text("junk.cop", "no network");
	write_text("names.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
	write_text("backwards.txt", "nine\neight\nseven\nsix\nfive\nfour\nthree\ntwo\none\nzero\n");
	write_text("digits.net", "input 28 28 1\nconv 4 3x3 stride 2 relu\nmean\nfc 10\n");
	if (!tables()) return -1;
	write_text("key.yaml", "name: x\nstages:\n  - prune: {keep: 0.5, colour: red}\n");
	write_text(
	        "once.yaml", "name: once\nstages:\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100}\n");
	return 0;
}

static void remove_all(const char *folder)
{
	char path[512];
	struct dirent *e;
	struct stat s;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (!lstat(path, &s) && S_ISDIR(s.st_mode)) remove_all(path);
		else unlink(path);
	}
	if (d) closedir(d);
	rmdir(folder);
}

static int tear_down(void **state)
{
	(void)state;
	if (!chdir("/")) remove_all(home);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(refuses),
	        cmocka_unit_test(works), cmocka_unit_test(pictures_in_any_folder),
	        cmocka_unit_test(every_verb_has_help),
	        cmocka_unit_test(check_finds),
	        cmocka_unit_test(check_on_boards),
	        cmocka_unit_test(classes_go_by_name),
	        cmocka_unit_test(full_disk),
	        cmocka_unit_test(full_stdout),
	        cmocka_unit_test(interrupt_and_resume),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
