/* SPDX-License-Identifier: Apache-2.0
 *
 * folder - see folder.h. The new set grows in a folder beside, ".NAME.part-XXXXXX", with a lock that tells a running program's
 * from what a killed one has left, which the next run removes.
 *
 * Then the two folders change places in one step, after links to what is not ours have been put into the new one. Where a
 * folder lies within that is not ours, where the old one is the working directory, or where the system cannot swap, files move one by one
 * instead; the manifest then lists old and new until all is done, so that a run that was killed can be made again.
 */
#define _GNU_SOURCE
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool join(char out[CLI_PATH], const char *folder, const char *name)
{
	int n = snprintf(out, CLI_PATH, "%s/%s", folder, name);
	return n > 0 && n < CLI_PATH;
}

static bool dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* The manifest goes last: by it the next run knows what a killed one has left. */
static void remove_tree(const char *path)
{
	char below[CLI_PATH];
	struct stat s;
	struct dirent *e;
	DIR *d = lstat(path, &s) || !S_ISDIR(s.st_mode) ? NULL : opendir(path);

	while (d && (e = readdir(d)))
		if (!dots(e->d_name) && strcmp(e->d_name, CLI_MANIFEST) && join(below, path, e->d_name)) remove_tree(below);
	if (d && join(below, path, CLI_MANIFEST)) (void)unlink(below);
	if (d) closedir(d);
	(void)remove(path);
}

/* The folders that lead to a file below `top`. */
static int make_folders(char *path, size_t top)
{
	for (char *p = path + top + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		int e = mkdir(path, 0777) && errno != EEXIST;
		*p = '/';
		if (e) return -1;
	}
	return 0;
}

/* ---- the new set ---- */

static cop_status say(const cli_folder *f) { return cli_fail(f->c, COP_IO, "%s: could not be written: %s", f->said, strerror(errno)); }

static int take_lock(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB)) return fd;
	close(fd);
	return -1;
}

/* What killed runs left beside the folder. */
static void remove_left(const char *parent, const char *stem)
{
	char path[CLI_PATH], manifest[CLI_PATH];
	size_t n = strlen(stem);
	struct dirent *e;
	DIR *d = opendir(parent);

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, stem, n) || strlen(e->d_name) != n + 6 || !join(path, parent, e->d_name) || !join(manifest, path, CLI_MANIFEST)) continue;
		int fd = take_lock(path);
		if (fd < 0) continue;
		if (access(manifest, F_OK)) (void)rmdir(path); /* if it is empty; else not ours */
		else remove_tree(path);
		close(fd);
	}
	if (d) closedir(d);
}

static void hold_signals(cli_folder *f)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigaddset(&stop, SIGQUIT);
	sigprocmask(SIG_BLOCK, &stop, &f->mask);
}

static bool stop_wanted(void)
{
	sigset_t s;
	return !sigpending(&s) && (sigismember(&s, SIGINT) || sigismember(&s, SIGTERM) || sigismember(&s, SIGHUP) || sigismember(&s, SIGQUIT));
}

/* Another run may take the empty folder for one that was left, before it has a lock and a manifest: then once more. */
static bool make_part(cli_folder *f, int parent, const char *stem)
{
	const cli_manifest *none = &(cli_manifest){0};
	char manifest[CLI_PATH];

	for (int tries = 0; tries < 3; tries++) {
		snprintf(f->part, sizeof f->part, "%.*s%sXXXXXX", parent, f->path, stem);
		if (!mkdtemp(f->part)) break;
		f->lock = take_lock(f->part);
		if (f->lock >= 0 && join(manifest, f->part, CLI_MANIFEST) && cli_manifest_write(manifest, &none, 1)) return true;
		if (f->lock >= 0) close(f->lock);
		f->lock = -1;
		remove_tree(f->part);
	}
	*f->part = 0;
	return false;
}

static cop_status begin(cli_folder *f)
{
	char parent[CLI_PATH], stem[300], *real = realpath(f->said, NULL);

	f->lock = -1;
	int n = snprintf(f->path, sizeof f->path, "%s", real ? real : f->said);
	free(real);
	while (n > 1 && n < (int)sizeof f->path && f->path[n - 1] == '/') f->path[--n] = 0;
	const char *slash = strrchr(f->path, '/'), *base = slash ? slash + 1 : f->path;
	if (n >= (int)sizeof f->path || strlen(base) > 240) return cli_fail(f->c, COP_ARG, "%s: the path is too long", f->said);
	if (!*base) return cli_fail(f->c, COP_ARG, "%s: cannot be used as the output folder; give a folder with a name", f->said);
	snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - f->path + 1) : 1, slash ? f->path : ".");
	snprintf(stem, sizeof stem, ".%s.part-", base);
	remove_left(parent, stem);
	hold_signals(f);
	f->begun = true;
	return make_part(f, slash ? (int)(slash - f->path + 1) : 0, stem) ? COP_OK : say(f);
}

cop_status cli_folder_place(char out[CLI_PATH], const cli_folder *f, const char *name)
{
	if (!join(out, f->part, name)) return cli_fail(f->c, COP_ARG, "%s/%s: the path is too long", f->said, name);
	return make_folders(out, strlen(f->part)) ? say(f) : COP_OK;
}

cop_status cli_folder_write(void *folder, const char *name, const void *bytes, size_t size)
{
	cli_folder *f = folder;
	char path[CLI_PATH];

	if (!f->begun) CLI_TRY(begin(f));
	if (stop_wanted()) return cli_fail(f->c, COP_STOPPED, "stopped; %s is as it was", f->said);
	CLI_TRY(cli_folder_place(path, f, name));
	FILE *out = fopen(path, "wb");
	if (!out) return say(f);
	bool ok = fwrite(bytes, 1, size, out) == size && !fflush(out) && !fsync(fileno(out));
	ok = !fclose(out) && ok;
	if (!ok) return cli_fail(f->c, COP_IO, "%s/%s could not be written: %s; the part that was written is removed", f->said, name, strerror(errno));
	f->files++;
	f->bytes += (int64_t)size;
	return cli_manifest_add(&f->now, name, cli_hash(CLI_HASH_BEGIN, bytes, size)) ? COP_OK : COP_NOMEM;
}

cop_status cli_folder_take(cli_folder *f, const char *name)
{
	char path[CLI_PATH];
	uint64_t hash;

	CLI_TRY(cli_folder_place(path, f, name));
	if (!cli_hash_file(&hash, path)) return say(f);
	return cli_manifest_add(&f->now, name, hash) ? COP_OK : COP_NOMEM;
}

/* ---- what lies there ---- */

/* Would writing or removing this file lose what its user made? */
static bool would_lose(const cli_folder *f, const char *name)
{
	char path[CLI_PATH];
	struct stat s;
	uint64_t hash;

	if (!join(path, f->path, name) || lstat(path, &s)) return false;
	if (!S_ISREG(s.st_mode) || !cli_hash_file(&hash, path)) return true;
	return !cli_manifest_made(&f->old, name, hash) && !cli_manifest_made(&f->now, name, hash);
}

static cop_status look_for_losses(const cli_folder *f)
{
	char names[200] = "";
	int n = 0;

	for (int k = 0; k < 2; k++) {
		const cli_manifest *m = k ? &f->old : &f->now;
		for (int i = 0; i < m->n; i++) {
			if ((k && cli_manifest_has(&f->now, m->entry[i].name)) || !would_lose(f, m->entry[i].name)) continue;
			size_t at = strlen(names);
			if (n++ < 4) snprintf(names + at, sizeof names - at, "%s%.40s", at ? ", " : "", m->entry[i].name);
		}
	}
	if (!n || f->force) return COP_OK;
	return cli_fail(f->c, COP_IO, "%s: %s%s %s not as `coppice emit` left %s; choose another folder, or overwrite with --force", f->said, names,
		n > 4 ? " and others" : "", n > 1 ? "are" : "is", n > 1 ? "them" : "it");
}

/* Products are ours where we have been before. */
static bool is_ours(const cli_folder *f, const char *name)
{
	for (const char *const *p = f->products; f->old.n && *p; p++)
		if (!strcmp(*p, name)) return true;
	return cli_manifest_has(&f->old, name) || cli_manifest_has(&f->now, name);
}

/* Puts links to all that is not ours into the new folder; false: something there can't be linked. at: "" or "check/". */
static bool link_foreign(const cli_folder *f, const char *at)
{
	char here[CLI_PATH], from[CLI_PATH], to[CLI_PATH], name[CLI_PATH - 300];
	struct stat s;
	struct dirent *e;
	bool ok = true;
	DIR *d = join(here, f->path, at) ? opendir(here) : NULL;

	while (d && ok && (e = readdir(d))) {
		int n = snprintf(name, sizeof name, "%s%s", at, e->d_name);
		if (dots(e->d_name) || !strcmp(name, CLI_MANIFEST)) continue;
		ok = n < (int)sizeof name - 1 && join(from, f->path, name) && join(to, f->part, name) && !lstat(from, &s);
		if (!ok) break;
		if (is_ours(f, name)) {
			if (S_ISREG(s.st_mode) && !access(to, F_OK)) ok = !chmod(to, s.st_mode & 07777);
		} else if (S_ISDIR(s.st_mode)) {
			ok = cli_manifest_below(&f->old, name);
			strcat(name, "/");
			ok = ok && link_foreign(f, name);
		} else {
			ok = !make_folders(to, strlen(f->part)) && !link(from, to);
		}
	}
	if (d) closedir(d);
	return d && ok;
}

static bool is_working_directory(const char *path)
{
	struct stat a, b;
	return !stat(path, &a) && !stat(".", &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- one in the place of the other ---- */

static bool swap(const cli_folder *f)
{
#ifdef RENAME_EXCHANGE
	return !is_working_directory(f->path) && link_foreign(f, "") && !renameat2(AT_FDCWD, f->part, AT_FDCWD, f->path, RENAME_EXCHANGE);
#else
	return false;
#endif
}

static cop_status write_manifest(const cli_folder *f, const cli_manifest *const *lists, int n)
{
	char from[CLI_PATH], to[CLI_PATH];

	join(from, f->part, CLI_MANIFEST);
	join(to, f->path, CLI_MANIFEST);
	return cli_manifest_write(from, lists, n) && !rename(from, to) ? COP_OK : say(f);
}

static bool move_one(const cli_folder *f, const char *name)
{
	char from[CLI_PATH], to[CLI_PATH];
	struct stat s;

	if (!join(from, f->part, name) || !join(to, f->path, name) || make_folders(to, strlen(f->path))) return false;
	if (!lstat(to, &s) && S_ISREG(s.st_mode)) (void)chmod(from, s.st_mode & 07777);
	return !rename(from, to);
}

static cop_status one_by_one(const cli_folder *f)
{
	const cli_manifest *both[] = {&f->now, &f->old};
	char path[CLI_PATH];

	CLI_TRY(write_manifest(f, both, 2));
	for (int i = 0; i < f->now.n; i++)
		if (!move_one(f, f->now.entry[i].name)) return say(f);
	for (const char *const *p = f->products; f->old.n && *p; p++)
		if (join(path, f->path, *p)) remove_tree(path);
	for (int i = 0; i < f->old.n; i++) {
		if (cli_manifest_has(&f->now, f->old.entry[i].name) || !join(path, f->path, f->old.entry[i].name)) continue;
		(void)unlink(path);
		char *slash = strrchr(path, '/');
		if (slash > path + strlen(f->path)) *slash = 0, (void)rmdir(path);
	}
	return write_manifest(f, both, 1);
}

static cop_status put_in_place(cli_folder *f)
{
	const cli_manifest *now = &f->now;
	char path[CLI_PATH];
	struct stat s;

	join(path, f->part, CLI_MANIFEST);
	if (!cli_manifest_write(path, &now, 1)) return say(f);
	if (lstat(f->path, &s)) {
		mode_t mask = umask(0);
		umask(mask);
		return chmod(f->part, 0777 & ~mask) || rename(f->part, f->path) ? say(f) : COP_OK;
	}
	join(path, f->path, CLI_MANIFEST);
	(void)cli_manifest_read(&f->old, path);
	CLI_TRY(look_for_losses(f));
	if (chmod(f->part, s.st_mode & 07777)) return say(f);
	return swap(f) ? COP_OK : one_by_one(f);
}

cop_status cli_folder_end(cli_folder *f, cop_status st)
{
	if (!st && stop_wanted()) st = cli_fail(f->c, COP_STOPPED, "stopped; %s is as it was", f->said);
	if (!st) st = put_in_place(f);
	if (f->begun) {
		if (*f->part) remove_tree(f->part); /* the old folder, or what was not finished */
		if (f->lock >= 0) close(f->lock);
		sigprocmask(SIG_SETMASK, &f->mask, NULL);
	}
	cli_manifest_free(&f->old);
	cli_manifest_free(&f->now);
	return st;
}
