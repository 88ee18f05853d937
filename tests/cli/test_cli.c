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

enum { MAX_ARGS = 24 };

typedef struct result { int code; char out[16384], err[8192]; } result;
typedef struct limits { rlim_t file_bytes; const char *out; } limits; /* 0, NULL: none */

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
	int out = open(l->out ? l->out : "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666), err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
	execv(COP_BINARY, argv);
	_exit(127);
}

static result run_within(const char *line, const limits *l)
{
	static result r;
	int status;
	pid_t pid = fork();

	if (!pid) start(line, l);
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	slurp(r.out, sizeof r.out, "stdout");
	slurp(r.err, sizeof r.err, "stderr");
	return r;
}

static result run(const char *line) { return run_within(line, &(limits){0, NULL}); }

/* Nothing half-written: no file whose name ends in .part, and no folder either. */
static void no_parts(const char *after)
{
	DIR *d = opendir(".");
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);
		if (n > 5 && !strcmp(e->d_name + n - 5, ".part")) fail_msg("%s left %s", after, e->d_name);
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

/* ---- lines that fail ---- */

static const struct { const char *line; int code; const char *says; } bad[] = {
	{"nonsense", 2, "no verb 'nonsense'"},
	{"eval", 2, "expected FILE"},
	{"eval|net.cop", 2, "--data NAME is missing"},
	{"eval|net.cop|--colour", 2, "unrecognized option"},
	{"eval|net.cop|--data|synth-digits|--batch|0", 2, "--batch=0"},
	{"eval|net.cop|--data|synth-digits|--split|fifth", 2, "split 'fifth'"},
	{"eval|net.cop|--data|nosuchset", 2, "'nosuchset'"},
	{"eval|net.cop|--data|mnist", 7, "coppice data get mnist"},
	{"eval|absent.cop|--data|synth-digits", 7, "absent.cop"},
	{"eval|cut.cop|--data|synth-digits", 6, "cut.cop, byte"},
	{"eval|junk.cop|--data|synth-digits", 6, "junk.cop, byte 0"},
	{"eval|small-input.cop|--data|synth-digits", 3, "784 numbers"},
	{"inspect|absent.cop", 7, "absent.cop"},
	{"inspect|net.cop|--target|pdp11", 2, "pdp11"},
	{"train|lenet-300-100|--data|synth-digits", 2, "-o FILE is missing"},
	{"train|nosuchnet|--data|synth-digits|-o|x.cop", 2, "nosuchnet"},
	{"train|mlp-784x10|--data|synth-digits|-o|nowhere/x.cop", 7, "nowhere/x.cop"},
	{"train|mlp-784x10|--data|synth-digits|-o|.", 7, "is a folder"},
	{"train|mlp-784x10|--data|synth-digits|-o|/dev/null", 7, "is a device"},
	{"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--schedule|moon", 2, "moon"},
	{"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--update|sgd speed=9", 2, "'speed'"},
	{"train|mlp-784x10|--data|synth-digits|-o|x.cop|--limit|64|--resume", 7, "no checkpoint"},
	{"train|mlp-784x10|--data|synth-digits|-o|x.cop|--valid|perhaps", 2, "yes or no"},
	{"train|mlp-784x64x64x10|--data|synth-digits|-o|x.cop|--limit|2000|--epochs|4|--lr|1000", 8, "loss became"},
	{"compress|net.cop|--data|synth-digits|-o|x.cop", 2, "--recipe FILE is missing"},
	{"compress|net.cop|--data|synth-digits|-o|x.cop|--recipe|absent.yaml", 7, "absent.yaml"},
	{"compress|net.cop|--data|synth-digits|-o|x.cop|--limit|64|--recipe|key.yaml", 2, "line 3: a prune stage has no option 'colour'"},
	{"run|net.cop|absent.npy|-o|y.npy", 7, "absent.npy"},
	{"run|net.cop|junk.cop|-o|y.npy", 6, "junk.cop"},
	{"run|small-input.cop|x.npy|-o|y.npy", 3, "x.npy: has shape 5x28x28x1"},
	{"run|net.cop|labels.npy|-o|y.npy", 2, "labels.npy"},
	{"emit|net.cop|-o|out|--target|pdp11", 2, "pdp11"},
	{"emit|big.cop|-o|out|--target|netduinoplus2", 5, "flash"},
	{"emit|net.cop|-o|junk.cop", 7, "is a file"},
	{"emit|net.cop|-o|nowhere/out", 7, "nowhere/out"},
	{"emit|net.cop", 2, "-o FOLDER is missing"},
	{"apply|net.cop|smelt|-o|x.cop", 2, "smelt"},
	{"apply|net.cop|batch:m=3|-o|x.cop", 2, "'m'"},
	{"report|net.cop|-o|x.html|--history|junk.cop", 6, "history"},
	{"export|net.cop|-o|nowhere/x.safetensors", 7, "nowhere"},
	{"bench|net.cop|--seconds|soon", 2, "--seconds=soon"},
	{"data|shred", 2, "shred"},
	{"data|check", 2, "name of a set"},
	{"data|get|synth-digits", 2, "nothing to fetch"},
	{"zoo|extra", 2, "too many"},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		result r = run(bad[i].line);
		if (r.code != bad[i].code || !strstr(r.err, bad[i].says))
			fail_msg("%s: exit %d, expected %d; said: %s; expected: %s", bad[i].line, r.code, bad[i].code, r.err, bad[i].says);
		assert_int_equal(access("x.cop", F_OK), -1);
		assert_int_equal(access("x.html", F_OK), -1);
		assert_int_equal(access("y.npy", F_OK), -1);
		assert_int_equal(access("out", F_OK), -1);
		no_parts(bad[i].line);
	}
}

/* ---- lines that work ---- */

static const struct { const char *line, *file, *says; } good[] = {
	{"--help", NULL, "trains, compresses and deploys"},
	{"--version", NULL, "coppice " COP_VERSION},
	{"zoo|--json", NULL, "\"lenet-300-100\""},
	{"passes", NULL, "fold_bn"},
	{"targets", NULL, "cortex-m4"},
	{"data|list", NULL, "synth-digits"},
	{"data|check|synth-digits", NULL, "all right"},
	{"eval|net.cop|--data|synth-digits|--limit|200|--json", NULL, "\"accuracy\":"},
	{"inspect|net.cop", NULL, "estimate"},
	{"inspect|net.cop|--json", NULL, "\"ram_bytes\":"},
	{"inspect|net.cop|--graph", NULL, "output y"},
	{"inspect|net.cop|--plan|--target|cortex-m4", NULL, "cop_fc_f32"},
	{"bench|net.cop|--seconds|0.02|--json", NULL, "\"milliseconds\":"},
	{"bench|net.cop|--seconds|0.02|--train|--batch|8|--json", NULL, "\"images_per_second\":"},
	{"run|net.cop|x.npy|-o|scores.npy", "scores.npy", "5x10"},
	{"apply|net.cop|to_infer fuse|-o|fused.cop", "fused.cop", "nodes"},
	{"export|net.cop|-o|net.safetensors", "net.safetensors", "written"},
	{"emit|net.cop|-o|emitted|--json", "emitted/net.c", "\"files\":"},
	{"emit|net.cop|-o|emitted/|--train", "emitted/net.h", "files"},
	{"compress|net.cop|--recipe|once.yaml|--data|synth-digits|--limit|500|-o|small.cop|--json", "small.history.json", "\"factor\":"},
	{"report|small.cop|-o|small.html", "small.html", "written"},
};

static void works(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		result r = run(good[i].line);
		if (r.code || !strstr(r.out, good[i].says) || *r.err) fail_msg("%s: exit %d; %s%s", good[i].line, r.code, r.out, r.err);
		if (good[i].file) assert_int_equal(access(good[i].file, F_OK), 0);
		no_parts(good[i].line);
	}
}

static void every_verb_has_help(void **state)
{
	static const char *const verbs[] = {"train", "eval", "compress", "inspect", "run", "bench", "emit", "report", "apply", "export", "data", "zoo",
		"passes", "targets"};
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

/* A disk that takes 1,000 bytes of a file and then no more: what was there before stays as it was. */
static void full_disk(void **state)
{
	static const char *const lines[] = {"apply|net.cop|fuse|-o|kept.cop", "export|net.cop|-o|kept.cop", "report|net.cop|-o|kept.cop",
		"run|net.cop|many.npy|-o|kept.cop", "emit|net.cop|-o|full", "train|mlp-784x10|--data|synth-digits|--limit|64|--epochs|1|-o|kept.cop"};
	char text[64];

	(void)state;
	write_text("kept.cop", "what was there");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		result r = run_within(lines[i], &(limits){1000, NULL});
		if (r.code != 7) fail_msg("%s: exit %d; %s", lines[i], r.code, r.err);
		slurp(text, sizeof text, "kept.cop");
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
	if (run("apply|mlp-10x4x10|fuse|-o|small-input.cop").code || run("apply|mlp-784x400x10|fuse|-o|big.cop").code) return -1;
	FILE *f = fopen("net.cop", "rb"), *g = fopen("cut.cop", "wb");
	if (!f || !g || fread(part, 1, sizeof part, f) != sizeof part || fwrite(part, 1, sizeof part, g) != sizeof part) return -1;
	fclose(f);
	fclose(g);
	write_text("junk.cop", "no network");
	write_text("key.yaml", "name: x\nstages:\n  - prune: {keep: 0.5, colour: red}\n");
	write_text("once.yaml", "name: once\nstages:\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100}\n");
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
		cmocka_unit_test(works),
		cmocka_unit_test(every_verb_has_help),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(full_stdout),
		cmocka_unit_test(interrupt_and_resume),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
