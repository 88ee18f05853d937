/* SPDX-License-Identifier: Apache-2.0
 *
 * file - whole files in and out. Writing goes beside, is brought to the disk and renamed: a reader sees the old file or the
 * new one, and a full disk loses nothing. A link is written through, permissions stay, and the name beside cannot
 * be guessed. While it exists, signals wait: a program that is told to end leaves nothing beside.
 */
#include "core/need.h"
#include "core/core.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

static cop_status too_long(cop_ctx *cx, const char *path, size_t max)
{
	return cop__error(cx, COP_IO, "%s: is longer than the %zu bytes that are read at most", path, max);
}

/* To the end, which a pipe does not tell before. out: room for *cap bytes. */
static cop_status read_on(char **out, size_t *used, size_t cap, cop_ctx *cx, const char *path, int fd, size_t max)
{
	for (;;) {
		if (*used == cap) {
			if (*used > max) return too_long(cx, path, max);
			size_t more = COP_MIN(COP_MAX(2 * cap, 65536), max + 1);
			char *p = cop__realloc(cx, *out, cap + 1, more + 1);
			if (!p) return COP_NOMEM;
			*out = p;
			cap = more;
		}
		ssize_t n = read(fd, *out + *used, cap - *used);
		if (n == 0) return *used > max ? too_long(cx, path, max) : COP_OK;
		if (n < 0 && errno == EINTR && cop__stopped(cx)) return cop__error(cx, COP_STOPPED, "%s: stopped while it was read", path);
		if (n < 0 && errno != EINTR) return cop__error(cx, COP_IO, "%s: could not be read: %s", path, strerror(errno));
		if (n > 0) *used += (size_t)n;
	}
}

static cop_status read_all(void **out, size_t *size, cop_ctx *cx, const char *path, int fd, size_t max)
{
	struct stat s;
	size_t used = 0;

	if (fstat(fd, &s)) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
	if (S_ISDIR(s.st_mode)) return cop__error(cx, COP_IO, "%s: is a folder, a file was expected", path);
	if ((uint64_t)s.st_size > max) return cop__error(cx, COP_IO, "%s: is %lld bytes long, at most %zu are read", path, (long long)s.st_size, max);
	size_t cap = (size_t)s.st_size + 1; /* with the byte that tells the end */
	char *p = cop__alloc(cx, cap + 1);
	if (!p) return COP_NOMEM;
	cop_status st = read_on(&p, &used, cap, cx, path, fd, max);
	if (st) return cop__free(cx, p), st;
	p[used] = 0; /* for texts */
	*out = p;
	*size = used;
	return COP_OK;
}

cop_status cop_file_read(void **out, size_t *size, cop_ctx *cx, const char *path, size_t max)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, size);
	COP_NEED(cx, path);
	int fd;

	*out = NULL;
	*size = 0;
	do fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && !cop__stopped(cx));
	if (fd < 0) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
	cop_status st = read_all(out, size, cx, path, fd, max ? max : (size_t)1 << 30);
	close(fd);
	return st;
}

/* ---- writing ---- */

/* What goes into a file: a rope, or bytes. */
typedef struct source { const char *path; const cop_rope *rope; const void *bytes; size_t size; } source;
typedef struct beside { char target[COP_PATH], path[COP_PATH]; struct stat there; bool straight, made; } beside;

static bool write_out(int fd, const void *bytes, size_t size)
{
	const char *p = bytes;

	while (size) {
		ssize_t n = write(fd, p, COP_MIN(size, (size_t)1 << 30));
		if (n < 0 && errno != EINTR) return false;
		if (n > 0) p += n, size -= (size_t)n;
	}
	return true;
}

static cop_status write_part(void *fd, const void *bytes, size_t size) { return write_out(*(int *)fd, bytes, size) ? COP_OK : COP_IO; }

static bool write_source(int fd, const source *f) { return f->rope ? !cop__rope_write(f->rope, write_part, &fd) : write_out(fd, f->bytes, f->size); }

/* Some file systems know no fsync, of folders above all; that is no failure of the file. */
static bool to_disk(int fd)
{
	int rc;

	do rc = fsync(fd);
	while (rc && errno == EINTR);
	return !rc || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

/* A device or a pipe: the bytes go there as they are. */
static cop_status write_straight(cop_ctx *cx, const source *f)
{
	int fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) return cop__error(cx, COP_IO, "%s: %s", f->path, strerror(errno));
	bool ok = write_source(fd, f);
	int why = errno;
	if (close(fd) && ok) ok = false, why = errno;
	return ok ? COP_OK : cop__error(cx, COP_IO, "%s: could not be written (%s)", f->path, strerror(why));
}

static int open_beside(beside *b, cop_ctx *cx)
{
	char folder[COP_PATH];
	uint64_t word;
	int fd = -1;

	if (cop__folder_of(folder, cx, b->target)) return -1;
	for (int tries = 0; fd < 0 && tries < 100; tries++) {
		if (getentropy(&word, sizeof word)) return -1;
		if (snprintf(b->path, sizeof b->path, "%.*s.coppice-%016llx.part", COP_PATH - 64,
			strchr(b->target, '/') ? folder : "", (unsigned long long)word) >= COP_PATH) return -1;
		fd = open(b->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd < 0 && errno != EEXIST && errno != EINTR) return -1;
	}
	b->made = fd >= 0;
	return fd;
}

/* What is replaced keeps its permissions, and its owner where this process may give files away. */
static bool keep_mode(const beside *b, int fd)
{
	if (!b->there.st_mode) return true;
	if (b->there.st_uid != geteuid() || b->there.st_gid != getegid()) {
		if (fchown(fd, b->there.st_uid, b->there.st_gid)) errno = 0;
	}
	return !fchmod(fd, b->there.st_mode & 07777);
}

static bool put_beside(beside *b, cop_ctx *cx, const source *f)
{
	int fd = open_beside(b, cx);

	if (fd < 0) return false;
	bool ok = keep_mode(b, fd) && write_source(fd, f) && to_disk(fd);
	int why = errno;
	if (close(fd) && ok) return false;
	errno = why;
	return ok;
}

bool cop__sync_folder(cop_ctx *cx, const char *path)
{
	char folder[COP_PATH];

	if (cop__folder_of(folder, cx, path)) return false;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return true; /* a folder that may be written and not read */
	bool ok = to_disk(fd);
	int why = errno;
	close(fd);
	errno = why;
	return ok;
}

static cop_status failed(cop_ctx *cx, const source *f, const char *how)
{
	return cop__error(cx, COP_IO, "%s: could not be written (%s); %s", f->path, strerror(errno), how);
}

/* All beside, then one rename after the other. */
static cop_status write_plain(cop_ctx *cx, const source *f, beside *b, int n)
{
	static const char unchanged[] = "what was there before is unchanged";

	for (int i = 0; i < n; i++)
		if (!b[i].straight && !put_beside(&b[i], cx, &f[i])) return failed(cx, &f[i], unchanged);
	for (int i = 0; i < n; i++) {
		if (b[i].straight) continue;
		if (rename(b[i].path, b[i].target)) return failed(cx, &f[i], unchanged);
		b[i].made = false;
	}
	for (int i = 0; i < n; i++)
		if (!b[i].straight && !cop__sync_folder(cx, b[i].target)) return failed(cx, &f[i], "it is new, but may not be safe on the disk yet");
	return COP_OK;
}

static cop_status write_all(cop_ctx *cx, const source *f, beside *b, int n)
{
	for (int i = 0; i < n; i++) {
		COP_TRY(cop__target_of(b[i].target, &b[i].there, cx, f[i].path));
		b[i].straight = b[i].there.st_mode && !S_ISREG(b[i].there.st_mode);
	}
	for (int i = 0; i < n; i++)
		if (b[i].straight) COP_TRY(write_straight(cx, &f[i]));
	cop_signals old = cop__signals_wait();
	cop_status st = write_plain(cx, f, b, n);
	for (int i = 0; i < n; i++)
		if (b[i].made) unlink(b[i].path);
	cop__signals_go(&old);
	return st;
}

cop_status cop_files_write(cop_ctx *cx, const cop_file *f, int n)
{
	if (!f && n > 0) return cop__error(cx, COP_ARG, "cop_files_write: file is NULL");
	beside *b = cop__alloc(cx, sizeof *b * (size_t)COP_MAX(n, 1));
	source *s = cop__alloc(cx, sizeof *s * (size_t)COP_MAX(n, 1));

	for (int i = 0; s && i < n; i++) s[i] = (source){f[i].path, NULL, f[i].bytes, f[i].size};
	cop_status st = b && s ? write_all(cx, s, b, n) : COP_NOMEM;
	cop__free(cx, s);
	cop__free(cx, b);
	return st;
}

cop_status cop__rope_save(cop_ctx *cx, const char *path, const cop_rope *r)
{
	COP_TRY(r->text.status);
	beside *b = cop__alloc(cx, sizeof *b);
	cop_status st = b ? write_all(cx, &(source){path, r, NULL, 0}, b, 1) : COP_NOMEM;

	cop__free(cx, b);
	return st;
}

cop_status cop_file_write(cop_ctx *cx, const char *path, const void *bytes, size_t size)
{
	COP_NEED(cx, path);
	if (!bytes && size) return cop__error(cx, COP_ARG, "%s: %zu bytes at NULL", path, size);
	return cop_files_write(cx, &(cop_file){path, bytes, size}, 1);
}

/* ---- signals that ask a program to end ---- */

cop_signals cop__signals_wait(void)
{
	static const int asking[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGTSTP};
	cop_signals old;
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < LEN(asking); i++) sigaddset(&set, asking[i]);
	pthread_sigmask(SIG_BLOCK, &set, &old.set);
	return old;
}

void cop__signals_go(const cop_signals *old) { pthread_sigmask(SIG_SETMASK, &old->set, NULL); }
