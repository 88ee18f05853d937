/* SPDX-License-Identifier: Apache-2.0
 *
 * faults - a library to preload: the n-th call of a program that touches files kills it, fails, or is disturbed. What counts is what changes a
 * file or a folder. FAULT_AT=n, counted from 1; FAULT_HOW=
 *   kill    SIGKILL before the call         fail    that call fails with EIO
 *   full    from then on every call that needs room fails with ENOSPC
 *   short   a write does half               eintr   a call that can be interrupted is, once
 *   signal  SIGTERM comes before the call
 * FAULT_COUNT=file: at the end the number of calls goes there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROOM = 1, WAITS = 2, WRITES = 4 }; /* needs room on the disk; may be interrupted; takes bytes */

static int calls;

/* 0: the call goes on; else its errno, or -1 for a write that does half. */
static int fault(int kind)
{
	const char *at = getenv("FAULT_AT"), *how = getenv("FAULT_HOW");
	int n = at ? atoi(at) : 0;

	calls++;
	if (!n || !how || calls < n) return 0;
	if (!strcmp(how, "full")) return kind & ROOM ? ENOSPC : 0;
	if (calls > n) return 0;
	if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
	if (!strcmp(how, "signal")) kill(getpid(), SIGTERM);
	if (!strcmp(how, "short")) return kind & WRITES ? -1 : 0;
	if (!strcmp(how, "eintr")) return kind & WAITS ? EINTR : 0;
	return !strcmp(how, "fail") ? EIO : 0;
}

static void __attribute__((destructor)) count(void)
{
	const char *path = getenv("FAULT_COUNT");
	char text[16];
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;

	if (fd < 0) return;
	(void)!syscall(SYS_write, fd, text, snprintf(text, sizeof text, "%d\n", calls));
	(void)syscall(SYS_close, fd);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)
#define STEP(kind, bad)                                                                                                \
	do {                                                                                                           \
		int e_ = fault(kind);                                                                                  \
		if (e_ > 0) return errno = e_, (bad);                                                                  \
	} while (0)
#define CALL(type, name, kind, bad, params, args)                                                                      \
	type name params { REAL(name); STEP(kind, bad); return real args; }

CALL(int, rename, ROOM, -1, (const char *a, const char *b), (a, b))
CALL(int, renameat2, ROOM, -1, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f))
CALL(int, unlink, 0, -1, (const char *p), (p))
CALL(int, rmdir, 0, -1, (const char *p), (p))
CALL(int, remove, 0, -1, (const char *p), (p))
CALL(int, mkdir, ROOM, -1, (const char *p, mode_t m), (p, m))
CALL(char *, mkdtemp, ROOM, NULL, (char *p), (p))
CALL(int, link, ROOM, -1, (const char *a, const char *b), (a, b))
CALL(int, chmod, 0, -1, (const char *p, mode_t m), (p, m))
CALL(int, fchmod, 0, -1, (int d, mode_t m), (d, m))
CALL(int, ftruncate, 0, -1, (int d, off_t n), (d, n))
CALL(int, fsync, ROOM | WAITS, -1, (int d), (d))

static int reads(int flags) { return (flags & O_ACCMODE) == O_RDONLY; }

#define OPEN(name)                                                                                                     \
	int name(const char *p, int flags, ...)                                                                        \
	{                                                                                                              \
		va_list ap;                                                                                            \
		REAL(name);                                                                                            \
		va_start(ap, flags);                                                                                   \
		mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                                \
		va_end(ap);                                                                                            \
		if (!reads(flags)) STEP(ROOM | WAITS, -1);                                                             \
		return real(p, flags, mode);                                                                           \
	}
OPEN(open)
#if !defined(open64) && !defined(__USE_FILE_OFFSET64)
OPEN(open64)
#endif

ssize_t write(int d, const void *p, size_t n)
{
	REAL(write);
	int e = d > 2 ? fault(ROOM | WAITS | WRITES) : 0;

	if (e > 0) return errno = e, -1;
	return real(d, p, e && n > 1 ? n / 2 : n);
}

static int own(FILE *f) { return f && f != stdout && f != stderr; }

FILE *fopen(const char *p, const char *mode)
{
	REAL(fopen);
	if (*mode != 'r') STEP(ROOM, NULL);
	return real(p, mode);
}

int fflush(FILE *f)
{
	REAL(fflush);
	if (own(f)) STEP(ROOM, EOF);
	return real(f);
}

int fclose(FILE *f)
{
	REAL(fclose);
	int e = own(f) ? fault(ROOM) : 0, rc = real(f);
	return e > 0 ? (errno = e, EOF) : rc;
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	REAL(fwrite);
	int e = own(f) ? fault(ROOM) : 0;

	if (e > 0) return real(p, size, n / 2, f), errno = e, n / 2;
	return real(p, size, n, f);
}
