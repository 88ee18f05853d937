/* SPDX-License-Identifier: Apache-2.0
 *
 * file - whole files in and out. Writing goes beside and is renamed, so that a reader sees the old file
 * or the new one, and a full disk loses nothing.
 */
#include "core/core.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static cop_status read_all(void **out, size_t *size, cop_ctx *cx, const char *path, FILE *f, size_t max)
{
	struct stat s;

	if (fstat(fileno(f), &s)) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
	if (S_ISDIR(s.st_mode)) return cop__error(cx, COP_IO, "%s: is a folder, a file was expected", path);
	if ((uint64_t)s.st_size > max) return cop__error(cx, COP_IO, "%s: is %lld bytes long, at most %zu are read", path, (long long)s.st_size, max);
	size_t n = (size_t)s.st_size;
	char *p = cop__alloc(cx, n + 1); /* a closing zero, for texts */
	if (!p) return COP_NOMEM;
	if (fread(p, 1, n, f) != n) {
		cop__free(cx, p);
		return cop__error(cx, COP_IO, "%s: could not read all %zu bytes", path, n);
	}
	*out = p;
	*size = n;
	return COP_OK;
}

cop_status cop_file_read(void **out, size_t *size, cop_ctx *cx, const char *path, size_t max)
{
	FILE *f = fopen(path, "rb");

	*out = NULL;
	*size = 0;
	if (!f) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
	cop_status st = read_all(out, size, cx, path, f, max ? max : (size_t)1 << 30);
	fclose(f);
	return st;
}

cop_status cop_file_write(cop_ctx *cx, const char *path, const void *bytes, size_t size)
{
	char beside[1024];
	struct stat there;
	int n = snprintf(beside, sizeof beside, "%s.%ld.part", path, (long)getpid());

	if (n < 0 || (size_t)n >= sizeof beside) return cop__error(cx, COP_ARG, "%s: the path is too long", path);
	if (!stat(path, &there) && !S_ISREG(there.st_mode))
		return cop__error(cx, COP_IO, "%s: is there and is no plain file; it is left alone", path);
	FILE *f = fopen(beside, "wb");
	if (!f) return cop__error(cx, COP_IO, "%s: %s", beside, strerror(errno));
	bool ok = (!size || fwrite(bytes, 1, size, f) == size) && !fflush(f) && !fsync(fileno(f));
	int why = errno;
	ok = !fclose(f) && ok;
	if (ok && !rename(beside, path)) return COP_OK;
	if (ok) why = errno;
	remove(beside);
	return cop__error(cx, COP_IO, "%s: could not be written (%s); what was there before is unchanged", path, strerror(why));
}
