/* SPDX-License-Identifier: Apache-2.0
 *
 * paths - what a path leads to: through links, and also where there is no file yet. Two paths are the same file when
 * device and number say so; their texts decide nothing.
 */
#include "core/need.h"
#include "core/core.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

cop_status cop__folder_of(char folder[COP_PATH], cop_ctx *cx, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strlen(path) >= COP_PATH) return cop__error(cx, COP_ARG, "%.60s...: the path is longer than %d characters", path, COP_PATH - 1);
	snprintf(folder, COP_PATH, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	return COP_OK;
}

/* A link to nothing leads somewhere too: the file that a write makes there. */
static cop_status follow(char target[COP_PATH], cop_ctx *cx, const char *path)
{
	char folder[COP_PATH], link[COP_PATH];
	struct stat s;

	snprintf(target, COP_PATH, "%s", path);
	for (int i = 0; i < MOST_LINKS; i++) {
		if (lstat(target, &s) || !S_ISLNK(s.st_mode)) return COP_OK;
		ssize_t n = readlink(target, link, sizeof link - 1);
		if (n < 0) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
		link[n] = 0;
		COP_TRY(cop__folder_of(folder, cx, target));
		if (link[0] == '/') *folder = 0;
		if ((size_t)n + strlen(folder) + 2 > COP_PATH) return cop__error(cx, COP_ARG, "%s: the path it leads to is too long", path);
		snprintf(target, COP_PATH, "%.*s%s%.*s", COP_PATH / 2, folder, *folder ? "/" : "", COP_PATH / 2 - 2, link);
	}
	return cop__error(cx, COP_IO, "%s: %s", path, strerror(ELOOP));
}

cop_status cop__target_of(char target[COP_PATH], struct stat *there, cop_ctx *cx, const char *path)
{
	char real[PATH_MAX];

	if (strlen(path) >= COP_PATH / 2) return cop__error(cx, COP_ARG, "%.60s...: the path is longer than %d characters", path, COP_PATH / 2 - 1);
	snprintf(target, COP_PATH, "%s", path);
	if (stat(path, there)) {
		if (errno != ENOENT) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
		there->st_mode = 0;
		return follow(target, cx, path);
	}
	if (S_ISDIR(there->st_mode)) return cop__error(cx, COP_IO, "%s: is a folder, a file was expected", path);
	if (S_ISBLK(there->st_mode) || S_ISSOCK(there->st_mode)) return cop__error(cx, COP_IO, "%s: is a disk or a socket; it is left alone", path);
	if (!S_ISREG(there->st_mode)) return COP_OK; /* a device or a pipe takes bytes as they come */
	if (!realpath(path, real)) return cop__error(cx, COP_IO, "%s: %s", path, strerror(errno));
	if (strlen(real) >= COP_PATH) return cop__error(cx, COP_ARG, "%s: the path it leads to is too long", path);
	memcpy(target, real, strlen(real) + 1);
	return COP_OK;
}

cop_status cop_file_can_write(cop_ctx *cx, const char *path)
{
	COP_NEED(cx, path);
	char target[COP_PATH], folder[COP_PATH];
	struct stat there, s;

	if (!*path) return cop__error(cx, COP_ARG, "an empty path was given for a file");
	COP_TRY(cop__target_of(target, &there, cx, path));
	if (there.st_mode && !S_ISREG(there.st_mode))
		return access(path, W_OK) ? cop__error(cx, COP_IO, "%s: cannot be written: %s", path, strerror(errno)) : COP_OK;
	if (there.st_mode && (!(there.st_mode & 0222) || access(target, W_OK)))
		return cop__error(cx, COP_IO, "%s: exists and is read-only, so it cannot be replaced", path);
	if (target[strlen(target) - 1] == '/') return cop__error(cx, COP_IO, "%s: is the name of a folder, a file was expected", path);
	COP_TRY(cop__folder_of(folder, cx, target));
	if (stat(folder, &s) || access(folder, W_OK | X_OK))
		return cop__error(cx, COP_IO, "%s: cannot be written, its folder: %s", path, strerror(errno));
	return COP_OK;
}

typedef struct place { dev_t dev; ino_t ino; char name[NAME_MAX + 1]; } place;

/* The file itself; where there is none, its folder and its name there. */
static bool place_of(place *p, const char *path)
{
	char target[COP_PATH], *slash;
	struct stat s;

	*p = (place){0};
	if (strlen(path) >= COP_PATH / 2) return false;
	if (stat(path, &s)) {
		cop_ctx nobody = {0};
		if (follow(target, &nobody, path)) return false;
		slash = strrchr(target, '/');
		if (snprintf(p->name, sizeof p->name, "%s", slash ? slash + 1 : target) >= (int)sizeof p->name) return false;
		if (slash) slash[1] = 0;
		if (stat(slash ? target : ".", &s)) return false;
	}
	p->dev = s.st_dev;
	p->ino = s.st_ino;
	return true;
}

bool cop_file_same(const char *a, const char *b)
{
	if (!a || !b) return false;
	place p, q;

	if (!place_of(&p, a) || !place_of(&q, b)) return !strcmp(a, b);
	return p.dev == q.dev && p.ino == q.ino && !strcmp(p.name, q.name);
}
