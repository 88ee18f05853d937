/* SPDX-License-Identifier: Apache-2.0
 *
 * files: what a path leads to, and that a file is the old one or the new one, its links and permissions kept.
 */
#include "help.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[] = "/tmp/coppice-core-XXXXXX";

static void holds(cop_ctx *cx, const char *path, const char *text)
{
	void *p;
	size_t n;

	OK(cx, cop_file_read(&p, &n, cx, path, 0));
	assert_string_equal(p, text);
	assert_int_equal(n, strlen(text));
	cop_free(cx, p);
}

static int files_here(void)
{
	struct dirent *e;
	DIR *d = opendir(".");
	int n = 0;

	while ((e = readdir(d))) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static void enter(void)
{
	strcpy(home + strlen(home) - 6, "XXXXXX");
	assert_non_null(mkdtemp(home));
	assert_int_equal(chdir(home), 0);
}

static void leave(void)
{
	char line[64];

	snprintf(line, sizeof line, "rm -r %s", home);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(system(line), 0);
}

/* Links are written through, also one to nothing; permissions stay, and new files obey the umask. */
static void links_and_modes(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	struct stat s;

	enter();
	assert_int_equal(mkdir("far", 0777), 0);
	assert_int_equal(symlink("far/b", "b"), 0);
	assert_int_equal(symlink("b", "a"), 0); /* a -> b -> far/b, which is not there yet */
	mode_t was = umask(027);
	OK(cx, cop_file_write(cx, "a", "one", 3));
	umask(was);
	holds(cx, "far/b", "one");
	assert_true(!lstat("a", &s) && S_ISLNK(s.st_mode) && !lstat("b", &s) && S_ISLNK(s.st_mode));
	assert_true(!stat("far/b", &s) && (s.st_mode & 07777) == 0640);
	assert_int_equal(chmod("far/b", 0604), 0);
	OK(cx, cop_file_write(cx, "a", "two", 3));
	holds(cx, "far/b", "two");
	assert_true(!lstat("a", &s) && S_ISLNK(s.st_mode) && !stat("far/b", &s) && (s.st_mode & 07777) == 0604);
	assert_int_equal(files_here(), 3);
	assert_int_equal(chdir("far"), 0);
	assert_int_equal(files_here(), 1);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(cop_file_write(cx, "loop", "x", 1), COP_IO);
	cop_ctx_free(cx);
	leave();
}

static void same_file(void **state)
{
	static const struct { const char *a, *b; bool same; } row[] = {
		{"a", "a", true}, {"a", "./a", true}, {"a", "sub/../a", true}, {"a", "link", true}, {"a", "hard", true}, {"a", "b", false},
		{"new", "./new", true}, {"new", "sub/../new", true}, {"new", "sub/new", false}, {"new", "tonew", true}, {"sub/x", "folder/x", true}, {"nowhere/a", "a", false}};

	(void)state;
	cop_ctx *cx = new_ctx();
	enter();
	OK(cx, cop_file_write(cx, "a", "a", 1));
	OK(cx, cop_file_write(cx, "b", "a", 1));
	assert_true(!mkdir("sub", 0777) && !symlink("a", "link") && !link("a", "hard") && !symlink("new", "tonew") && !symlink("sub", "folder"));
	for (int i = 0; i < LEN(row); i++)
		if (cop_file_same(row[i].a, row[i].b) != row[i].same || cop_file_same(row[i].b, row[i].a) != row[i].same) fail_msg("%s and %s", row[i].a, row[i].b);
	cop_ctx_free(cx);
	leave();
}

/* What would fail after hours is refused before, and leaves nothing. */
static void can_write(void **state)
{
	static const struct { const char *path, *says; } row[] = {{"new", NULL}, {"old", NULL}, {"sub/new", NULL}, {"tonew", NULL}, {"/dev/null", NULL}, {"pipe", NULL},
		{"", "empty"}, {"sub", "folder"}, {"new/", "folder"}, {"nowhere/new", "No such file"}, {"old/new", "Not a directory"}, {"locked", "read-only"}, {"tonowhere", "No such file"}};

	(void)state;
	cop_ctx *cx = new_ctx();
	enter();
	OK(cx, cop_file_write(cx, "old", "a", 1));
	OK(cx, cop_file_write(cx, "locked", "a", 1));
	assert_true(!mkdir("sub", 0777) && !symlink("new", "tonew") && !symlink("nowhere/x", "tonowhere") && !chmod("locked", 0444) && !mkfifo("pipe", 0600));
	int before = files_here();
	for (int i = 0; i < LEN(row); i++) {
		cop_status st = cop_file_can_write(cx, row[i].path);
		if (!st != !row[i].says) fail_msg("%s: %s", row[i].path, cop_error_text(cx));
		if (st && !strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].path, cop_error_text(cx));
		cop_error_clear(cx);
	}
	assert_int_equal(files_here(), before);
	cop_ctx_free(cx);
	leave();
}

static cop_status put(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	cop__text_add(ud, "|");
	return COP_OK;
}

/* Text and large pieces in their order; few bytes are copied into the text. */
static void ropes(void **state)
{
	enum { LARGE = 5000 };
	char x[LARGE + 1] = {0}, y[LARGE + 1] = {0}, want[4 * LARGE];
	cop_ctx *cx = new_ctx();
	cop_rope r;
	cop_text got;
	(void)state;

	memset(x, 'x', LARGE);
	memset(y, 'y', LARGE);
	enter();
	cop__text_init(&got, cx);
	for (int first = 0; first < 2; first++) {
		got.len = 0;
		cop__rope_init(&r, cx);
		if (!first) cop__text_add(&r.text, "head");
		cop__rope_refer(&r, x, LARGE);
		cop__rope_refer(&r, y, LARGE);
		cop__rope_refer(&r, "few", 3);
		cop__text_add(&r.text, "text");
		if (first) cop__rope_refer(&r, x, LARGE);
		OK(cx, cop__rope_write(&r, put, &got));
		snprintf(want, sizeof want, first ? "%s|%s|fewtext|%s|" : "head|%s|%s|fewtext|", x, y, x);
		assert_string_equal(got.data, want);
		assert_int_equal(cop__rope_size(&r), got.len - 4);
		OK(cx, cop__rope_save(cx, "rope", &r));
		snprintf(want, sizeof want, first ? "%s%sfewtext%s" : "head%s%sfewtext", x, y, x);
		holds(cx, "rope", want);
		assert_int_equal(cop__rope_save(cx, "nowhere/rope", &r), COP_IO);
		assert_non_null(strstr(cop_error_text(cx), "nowhere/rope"));
		cop_error_clear(cx);
		r.text.status = COP_NOMEM; /* what failed before is not written */
		assert_int_equal(cop__rope_save(cx, "rope", &r), COP_NOMEM);
		holds(cx, "rope", want);
		cop__rope_free(&r);
	}
	assert_int_equal(files_here(), 1);
	cop__text_free(&got);
	cop_ctx_free(cx);
	leave();
}

/* One of them fails: none is replaced, and nothing stays beside. */
static void files_together(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	const cop_file bad[] = {{"a", "new", 3}, {"nowhere/b", "new", 3}}, good[] = {{"a", "new", 3}, {"b", "new", 3}};
	enter();
	OK(cx, cop_file_write(cx, "a", "old", 3));
	assert_int_equal(cop_files_write(cx, bad, 2), COP_IO);
	holds(cx, "a", "old");
	assert_int_equal(files_here(), 1);
	cop_error_clear(cx);
	OK(cx, cop_files_write(cx, good, 2));
	holds(cx, "a", "new");
	holds(cx, "b", "new");
	cop_ctx_free(cx);
	leave();
}

/* A pipe is read to its end and no further than the cap; one is written straight. */
static void pipes(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	void *p;
	size_t n;
	enter();
	assert_int_equal(mkfifo("pipe", 0600), 0);
	for (int way = 0; way < 3; way++) {
		pid_t pid = fork();
		if (!pid) {
			static char many[300000];
			memset(many, 'x', sizeof many);
			signal(SIGPIPE, SIG_IGN);
			if (way < 2) (void)cop_file_write(cx, "pipe", many, sizeof many);
			else _exit(system("cat pipe > got") != 0);
			_exit(0);
		}
		if (way == 2) OK(cx, cop_file_write(cx, "pipe", "straight", 8));
		else assert_int_equal(cop_file_read(&p, &n, cx, "pipe", way ? 100000 : 0), way ? COP_IO : COP_OK);
		if (way == 0) assert_int_equal(n, 300000);
		if (way < 2) cop_free(cx, p);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	holds(cx, "got", "straight");
	struct stat s;
	assert_true(!stat("pipe", &s) && S_ISFIFO(s.st_mode));
	cop_ctx_free(cx);
	leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(links_and_modes), cmocka_unit_test(same_file), cmocka_unit_test(can_write), cmocka_unit_test(files_together), cmocka_unit_test(ropes),
		cmocka_unit_test(pipes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
