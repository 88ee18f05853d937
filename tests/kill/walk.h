/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.h - a command line, disturbed at each of its file operations in turn (faults.c): killed there, or the operation fails, or is
 * interrupted. Afterwards the output is the old one or the new one; a failure is one sentence and exit 7; nothing stays
 * beside; and the same line again, with --resume where there is one, ends with the bits of a run that was left alone.
 */
#ifndef TESTS_KILL_WALK_H
#define TESTS_KILL_WALK_H

#include "coppice.h"

#include <dirent.h>
#include <fcntl.h>
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

enum { WALK_ARGS = 32, WALK_MOST = 400 };

/* Fields of a line are separated by '|'. Files are named from within the folder "work", which every run finds anew. */
typedef struct walk {
	const char *line;
	const char *out;    /* a file or a folder in work */
	const char *old;    /* what lies there before, copied from here; NULL: nothing */
	const char *resume; /* added to the line when it is run again; NULL: nothing */
	const char *hows;   /* "kill fail full short eintr signal" */
	bool varies;        /* the new output holds times: it must be whole, by its end */
	bool folder;        /* what could not be removed, or was left by a kill, goes with the next run */
	const char *history;/* a file in work that must tell of as many stages and epochs as that of a run left alone; a training log (.csv): the same but for seconds */
} walk;

static char walk_home[64];

/* Everything below a folder goes; with `from`, what lies there comes in its place. */
static inline void walk_tree(const char *path, const char *from)
{
	char below[512], other[512];
	const char *list = from ? from : path;
	struct dirent *e;
	struct stat s;

	if (lstat(list, &s)) return;
	if (!S_ISDIR(s.st_mode)) {
		static char bytes[1 << 20];
		FILE *f = from ? fopen(from, "rb") : NULL, *g = f ? fopen(path, "wb") : NULL;
		if (!from) unlink(path);
		if (g) assert_true(fwrite(bytes, 1, fread(bytes, 1, sizeof bytes, f), g) == (size_t)s.st_size);
		if (g) fclose(g);
		if (f) fclose(f);
		return;
	}
	DIR *d = opendir(list);
	if (from) mkdir(path, 0777);
	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) continue;
		if (from && snprintf(other, sizeof other, "%s/%s", from, e->d_name) >= (int)sizeof other) continue;
		walk_tree(below, from ? other : NULL);
	}
	if (d) closedir(d);
	if (!from) rmdir(path);
}

static inline void walk_fresh(const walk *w)
{
	char to[256];

	walk_tree("work", NULL);
	walk_tree("tmp", NULL);
	assert_true(!mkdir("work", 0777) && !mkdir("tmp", 0777));
	snprintf(to, sizeof to, "work/%s", w->out);
	if (w->old) walk_tree(to, w->old);
}

/* The sum over all files of a hash of name and contents; 0: nothing there. */
static inline uint64_t walk_hash(const char *path, const char *name)
{
	char below[512];
	uint64_t h = 0xcbf29ce484222325u, sum = 0;
	struct dirent *e;
	struct stat s;
	int c;

	if (lstat(path, &s)) return 0;
	if (S_ISDIR(s.st_mode)) {
		DIR *d = opendir(path);
		while (d && (e = readdir(d))) {
			if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
			if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) continue;
			sum += walk_hash(below, e->d_name) * 31;
		}
		if (d) closedir(d);
	} else {
		FILE *f = fopen(path, "rb");
		while (f && (c = getc(f)) != EOF) h = (h ^ (uint64_t)c) * 0x100000001b3u;
		if (f) fclose(f);
	}
	for (; *name; name++) h = (h ^ (uint64_t)*name) * 0x100000001b3u;
	return (h + sum) | 1;
}

/* Any name that ends in .part, or has ".part" and six letters as mkdtemp gives, below a folder. */
static inline bool walk_left(char *what, size_t size, const char *folder)
{
	char below[512];
	struct dirent *e;
	struct stat s;
	bool left = false;
	DIR *d = opendir(folder);

	while (d && !left && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		if (snprintf(below, sizeof below, "%s/%s", folder, e->d_name) >= (int)sizeof below) continue;
		left = strstr(e->d_name, ".part") != NULL || !strcmp(folder, "tmp");
		if (left) snprintf(what, size, "%s", below);
		else if (!lstat(below, &s) && S_ISDIR(s.st_mode)) left = walk_left(what, size, below);
	}
	if (d) closedir(d);
	return left;
}

static inline void walk_start(const char *line, const char *more, const char *how, int at, const char *count)
{
	static char copy[1024];
	char *argv[WALK_ARGS + 2] = {COP_BINARY}, *p = copy, number[16];
	int n = 1, err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0666), out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666);

	snprintf(copy, sizeof copy, "%s%s%s", line, more ? "|" : "", more ? more : "");
	while (p && n <= WALK_ARGS) argv[n++] = strsep(&p, "|");
	if (err < 0 || out < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir("work")) _exit(126);
	snprintf(number, sizeof number, "%d", at);
	setenv("TMPDIR", "../tmp", 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	setenv("PATH", "/nowhere", 1); /* pictures are not what is tried here */
	if (how || count) setenv("LD_PRELOAD", COP_FAULTS, 1);
	if (how) setenv("FAULT_HOW", how, 1), setenv("FAULT_AT", number, 1);
	if (count) setenv("FAULT_COUNT", count, 1);
	execv(COP_BINARY, argv);
	_exit(127);
}

static inline int walk_run(const char *line, const char *more, const char *how, int at, const char *count)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) walk_start(line, more, how, at, count);
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void walk_text(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	text[n] = 0;
	if (f) fclose(f);
}

/* What is whole by its end, where times make every output another one. */
static inline uint64_t walk_state(const walk *w)
{
	char path[256];
	static char text[1 << 20];

	snprintf(path, sizeof path, "work/%s", w->out);
	uint64_t h = walk_hash(path, "out");
	if (!w->varies || !h) return h;
	walk_text(text, sizeof text, path);
	size_t n = strlen(text);
	if (!n || text[n - 1] != '\n') return 2;
	return strstr(text, "\"layers\"") || strstr(text, "</html>") ? 4 : h;
}

/* A hash of a training log without the columns of times; 0: it is not there; -1: it does not consist of whole lines. */
static inline int walk_log(const char *text)
{
	enum { SECONDS = 6, STEP_MS = 10 };
	uint32_t h = 5381;

	if (!*text) return 0;
	if (strncmp(text, "stage,epoch,", 12) || text[strlen(text) - 1] != '\n') return -1;
	for (const char *p = text, *end; *p; p = end + 1) {
		end = strchr(p, '\n');
		for (int column = 0; p < end; p++) {
			column += *p == ',';
			if (column != SECONDS && column != STEP_MS) h = h * 33 + (unsigned char)*p;
		}
	}
	return (int)(h >> 1 | 1);
}

static inline int walk_counts(const walk *w)
{
	static char text[1 << 20];
	char path[256];
	int n = 0;

	if (!w->history) return 0;
	snprintf(path, sizeof path, "work/%s", w->history);
	walk_text(text, sizeof text, path);
	if (strstr(w->history, ".csv")) return walk_log(text);
	for (const char *p = text; (p = strstr(p, "\"kept\":")); p++) n += 1000;
	for (const char *p = text; (p = strstr(p, "\"epoch\":")); p++) n++;
	return n;
}

/* Was the program built with that library? */
static inline bool walk_has_part(const char *name)
{
	const char *part;
	for (int i = 0; (part = cop_feature(i)); i++)
		if (!strncmp(part, name, strlen(name))) return true;
	return false;
}

/* Before any fault: how many calls there are, and what comes out. */
static inline int walk_begin(const walk *w, uint64_t *old, uint64_t *new)
{
	char text[4096];

	walk_fresh(w);
	*old = walk_state(w);
	if (walk_run(w->line, NULL, NULL, 0, "../count")) {
		walk_text(text, sizeof text, "err");
		fail_msg("%s: %s", w->line, text);
	}
	*new = walk_state(w);
	walk_text(text, sizeof text, "count");
	int n = atoi(text);
	assert_in_range(n, 1, WALK_MOST);
	assert_true(*new && *new != *old && *new != 2);
	return n;
}

static inline void walk_after(const walk *w, const char *how, int at, int code, uint64_t old, uint64_t new)
{
	char text[4096] = "", left[600] = "";
	uint64_t is = walk_state(w);
	bool killed = code == 128 + 9, asked = code == 9 || code == 128 + 15, failed = !strcmp(how, "fail") || !strcmp(how, "full");

	walk_text(text, sizeof text, "err");
	if (walk_counts(w) == -1) fail_msg("%s, %s at %d: %s has a line that is not whole", w->line, how, at, w->history);
	if (is != old && is != new) fail_msg("%s, %s at %d: the output is %s; %s", w->line, how, at, is ? "neither the old nor the new one" : "gone", text);
	if (code && !killed && !(asked && !strcmp(how, "signal")) && !(failed && code == 7)) fail_msg("%s, %s at %d: exit %d; %s", w->line, how, at, code, text);
	if (killed != !strcmp(how, "kill")) fail_msg("%s, %s at %d: exit %d; %s", w->line, how, at, code, text);
	if (code == 7 && strncmp(text, "coppice: ", 9)) fail_msg("%s, %s at %d: exit 7 without a sentence: %s", w->line, how, at, text);
	if (!code && is != new) fail_msg("%s, %s at %d: exit 0 with the old output", w->line, how, at);
	if (!killed && !(w->folder && !strcmp(how, "fail")) && (walk_left(left, sizeof left, "work") || walk_left(left, sizeof left, "tmp"))) fail_msg("%s, %s at %d left %s", w->line, how, at, left);
}

static inline void walk_all(const walk *w, int step)
{
	static const char *const hows[] = {"kill", "fail", "full", "short", "eintr", "signal"};
	char text[4096];
	uint64_t old, new;
	int n = walk_begin(w, &old, &new), again, told = walk_counts(w);

	for (size_t h = 0; h < sizeof hows / sizeof *hows; h++) {
		if (!strstr(w->hows, hows[h])) continue;
		for (int at = 1; at <= n; at += h < 1 || step == 1 ? 1 : h < 2 ? 3 : step) {
			walk_fresh(w);
			int code = walk_run(w->line, NULL, hows[h], at, NULL);
			walk_after(w, hows[h], at, code, old, new);
			if (!code) continue;
			if ((again = walk_run(w->line, w->resume, NULL, 0, NULL)) || walk_state(w) != new) {
				walk_text(text, sizeof text, "err");
				fail_msg("%s, %s at %d, then again: exit %d, %s; %s", w->line, hows[h], at, again, walk_state(w) == new ? "the bits of a whole run" : "other bits", text);
			}
			if (w->folder && walk_left(text, sizeof text, "work")) fail_msg("%s, %s at %d, then again: %s is left", w->line, hows[h], at, text);
			if (walk_counts(w) != told) fail_msg("%s, %s at %d, then again: the history has %d for %d", w->line, hows[h], at, walk_counts(w), told);
		}
	}
}

static inline int walk_enter(void **state)
{
	(void)state;
	snprintf(walk_home, sizeof walk_home, "%s/coppice-kill-XXXXXX", access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm"); /* a disk would wait for each fsync */
	if (!mkdtemp(walk_home) || chdir(walk_home) || mkdir("work", 0777)) return -1;
	setenv("HOME", walk_home, 1);
	unsetenv("XDG_DATA_HOME");
	return 0;
}

static inline int walk_leave(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", walk_home);
	return chdir("/") || system(line);
}

#endif
