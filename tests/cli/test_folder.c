/* SPDX-License-Identifier: Apache-2.0
 *
 * test_folder - `coppice emit` into folders where something lies already: what is not its own stays as it is, what was its own goes, and
 * whenever it is stopped the folder holds the old set of files or the new one, whole.
 */
#define _GNU_SOURCE
#include "coppice.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char home[64];

/* Runs a line of the shell, with $c the program; its exit code. */
static int run(const char *line)
{
	char full[1000];

	snprintf(full, sizeof full, "c=%s; (%s) >out 2>err", COP_BINARY, line);
	int rc = system(full);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : 128;
}

static void good(const char *line)
{
	if (run(line)) fail_msg("failed: %s", line);
}

static void says(const char *line, int code, const char *text)
{
	char err[2000] = "";
	int rc = run(line);
	FILE *f = fopen("err", "rb");

	if (f) err[fread(err, 1, sizeof err - 1, f)] = 0, fclose(f);
	if (rc != code || !strstr(err, text)) fail_msg("%s: exit %d, expected %d; said: %s; expected: %s", line, rc, code, err, text);
}

/* FNV-1a of a file; 0: there is none. */
static uint64_t hash(const char *path)
{
	uint64_t h = 0xcbf29ce484222325u;
	FILE *f = fopen(path, "rb");
	int c;

	if (!f) return 0;
	while ((c = getc(f)) != EOF) h = (h ^ (uint64_t)c) * 0x100000001b3u;
	fclose(f);
	return h;
}

/* Is every file as the manifest has it? Returns the hash of the set's net.c. */
static uint64_t whole(const char *folder)
{
	char line[400], path[500], name[300];
	unsigned long long want;
	int n = 0;

	snprintf(path, sizeof path, "%s/coppice.manifest", folder);
	FILE *f = fopen(path, "rb");
	if (!f) fail_msg("%s has no manifest", folder);
	while (fgets(line, sizeof line, f)) {
		if (*line == '#') continue;
		assert_int_equal(sscanf(line, "%16llx %299s", &want, name), 2);
		snprintf(path, sizeof path, "%s/%s", folder, name);
		if (hash(path) != want) fail_msg("%s is not of this set", path);
		n++;
	}
	fclose(f);
	assert_true(n > 8);
	snprintf(path, sizeof path, "%s/net.c", folder);
	return hash(path);
}

static void no_parts(const char *after)
{
	DIR *d = opendir(".");
	const struct dirent *e;

	while ((e = readdir(d)))
		if (strstr(e->d_name, ".part")) fail_msg("%s left %s", after, e->d_name);
	closedir(d);
}

/* ---- what is there stays ---- */

static void foreign_files(void **state)
{
	(void)state;
	good("mkdir firmware && cd firmware && echo 'int main(void) { return 0; }' >main.c && echo 'all:' >Makefile && echo 'x' >start.c && ln -s main.c link && chmod 600 start.c");
	good("cp -a firmware before && $c emit a.cop -o firmware");
	whole("firmware");
	good("for i in main.c Makefile start.c link; do cmp before/$i firmware/$i || exit 1; done; test -L firmware/link && test $(stat -c %a firmware/start.c) = 600");
	good("$c check firmware"); /* and is not compiled in */
	good("$c emit b.cop -o firmware && test ! -e firmware/cop_conv.c && cmp before/main.c firmware/main.c && $c check firmware");
	whole("firmware");
	good("mkdir firmware/src && echo y >firmware/src/y && $c emit a.cop -o firmware && cat firmware/src/y && test ! -e firmware/cop_softmax.c"); /* file by file */
	whole("firmware");
	good("cd firmware && $c emit ../b.cop -o . && test ! -e cop_conv.c && cat main.c && $c check ."); /* the working directory */
	whole("firmware");
	good("ln -s firmware way && $c emit a.cop -o way/ && test -L way");
	whole("firmware");
	no_parts("foreign_files");
}

static void what_was_changed(void **state)
{
	static const char *const harm[] = {"echo 'int mine;' >f/net.h", "echo >>f/check/main.c", "mv f/net.c f/kept.c && ln -s kept.c f/net.c", "rm f/net.mk; mkdir f/net.mk"};

	(void)state;
	for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
		good("rm -rf f g && $c emit a.cop -o f");
		good(harm[i]);
		good("cp -a f g");
		says("$c emit b.cop -o f", 7, "--force");
		good("diff -r f g");
		if (i < 3) good("$c emit b.cop -o f --force"), whole("f");
	}
	good("rm -rf f && mkdir f && echo mine >f/net.h");
	says("$c emit a.cop -o f", 7, "net.h is not as `coppice emit` left it");
	good("grep -q mine f/net.h && test $(ls f | wc -l) = 1 && rm f/net.h && $c emit a.cop -o f"); /* an empty folder */
	good("rm f/net.h f/check/x.bin && chmod 640 f/net.c && $c emit b.cop -o f && test $(stat -c %a f/net.c) = 640"); /* what is gone can be written again */
	whole("f");
	no_parts("what_was_changed");
}

/* A manifest that somebody else has made reaches nothing outside. */
static void hostile_manifest(void **state)
{
	(void)state;
	good("rm -rf f && $c emit a.cop -o f && echo keep >mine && echo '0000000000000000 ../mine' >>f/coppice.manifest && echo '0000000000000000 /etc/hosts' >>f/coppice.manifest");
	good("$c emit b.cop -o f && cat mine && $c emit a.cop -o f --force && cat mine");
}

/* ---- stopped ---- */

static void stop_at_random(const char *folder, int sig)
{
	char line[200];
	uint64_t a, b;

	snprintf(line, sizeof line, "$c emit a.cop -o %s --force", folder);
	good(line);
	a = whole(folder);
	snprintf(line, sizeof line, "$c emit b.cop -o %s", folder);
	good(line);
	b = whole(folder);
	assert_true(a != b);
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;
		if (!pid) {
			if (!freopen("out", "wb", stdout) || !freopen("err", "wb", stderr)) _exit(126);
			execl(COP_BINARY, COP_BINARY, "emit", i % 2 ? "b.cop" : "a.cop", "-o", folder, (char *)NULL);
			_exit(127);
		}
		usleep((useconds_t)(i * 700));
		kill(pid, sig);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		uint64_t now = whole(folder);
		assert_true(now == a || now == b);
		if (sig != SIGKILL) no_parts("a signal");
	}
	good(line);
	assert_true(whole(folder) == b);
	no_parts("a run after a kill"); /* what killed runs left goes with the next one */
}

static void stopped(void **state)
{
	(void)state;
	good("rm -rf f g");
	stop_at_random("f", SIGTERM);
	stop_at_random("f", SIGINT);
	stop_at_random("f", SIGKILL);
}

/* ---- what the tests stand on ---- */

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof home, "/tmp/coppice-folder-XXXXXX");
	if (!mkdtemp(home) || chdir(home)) return -1;
	return run("$c apply lenet-5 fuse -o a.cop && $c apply mlp-20x10 fuse -o b.cop");
}

static int tear_down(void **state)
{
	char line[100];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", home);
	return chdir("/") || (!getenv("COPPICE_KEEP") && system(line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(foreign_files), cmocka_unit_test(what_was_changed), cmocka_unit_test(hostile_manifest), cmocka_unit_test(stopped)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
