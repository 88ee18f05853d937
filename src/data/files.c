/* SPDX-License-Identifier: Apache-2.0
 *
 * files - what lies in folders: sorted names, and files by class. Reads no contents.
 */
#include "data/data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_mode(const char *folder, const char *name, mode_t mode)
{
	char path[COP_DATA_PATH];
	struct stat s;
	int n = snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);

	return n > 0 && n < (int)sizeof path && !stat(path, &s) && (s.st_mode & S_IFMT) == mode;
}
bool cop__is_file(const char *folder, const char *name) { return is_mode(folder, name, S_IFREG); }
bool cop__is_folder(const char *folder, const char *name) { return is_mode(folder, name, S_IFDIR); }

cop_status cop__path(char out[COP_DATA_PATH], cop_ctx *cx, const char *folder, const char *name)
{
	int n = snprintf(out, COP_DATA_PATH, "%s/%s", folder, name);

	if (n < 0 || n >= COP_DATA_PATH)
		return cop__error(cx, COP_ARG, "%s/%s: the path is longer than %d", folder, name, COP_DATA_PATH - 1);
	return COP_OK;
}

const char *cop__base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

bool cop__ends_in(const char *name, const char *ends)
{
	size_t n = strlen(name);

	for (const char *p = ends; *p; p += *p == '|') {
		size_t k = strcspn(p, "|");
		if (n > k && !strncasecmp(name + n - k, p, k)) return true;
		p += k;
	}
	return false;
}

cop_status cop__names_read(cop_names *out, cop_ctx *cx, const char *folder, const char *ends)
{
	cop_status st = COP_OK;
	DIR *d = opendir(folder);

	cop__names_init(out, cx);
	if (!d) return cop__error(cx, COP_IO, "%s: %s", folder, strerror(errno));
	for (struct dirent *e; !st && (e = readdir(d));) {
		if (e->d_name[0] == '.') continue;
		if (ends ? cop__ends_in(e->d_name, ends) : cop__is_folder(folder, e->d_name))
			st = cop__names_add(out, e->d_name);
	}
	closedir(d);
	cop__names_sort(out);
	return st;
}

cop_status cop__filed_add(cop_filed *f, const char *path, int32_t label)
{
	COP_TRY(cop__grow(f->file.cx, &f->label, &f->cap, f->file.count, sizeof *f->label));
	f->label[f->file.count] = label;
	return cop__names_add(&f->file, path);
}

/* Plain files that the reader of `ends` leaves out. */
static int32_t others(const char *folder, const char *ends)
{
	DIR *d = opendir(folder);
	int32_t n = 0;

	for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.' && !cop__ends_in(e->d_name, ends) && cop__is_file(folder, e->d_name);
	if (d) closedir(d);
	return n;
}

static cop_status add_class(cop_filed *f, const char *folder, const char *name, int32_t label, const char *ends)
{
	char sub[COP_DATA_PATH], path[COP_DATA_PATH];
	cop_names in;
	cop_status st;

	COP_TRY(cop__path(sub, f->file.cx, folder, name));
	COP_GO(cop__names_read(&in, f->file.cx, sub, ends));
	for (int32_t i = 0; i < in.count; i++) {
		COP_GO(cop__path(path, f->file.cx, sub, in.at[i]));
		COP_GO(cop__filed_add(f, path, label));
	}
	f->skipped += others(sub, ends);
done:
	cop__names_free(&in);
	return st;
}

cop_status cop__filed_read(cop_filed *out, cop_ctx *cx, const char *folder, const char *ends)
{
	*out = (cop_filed){0};
	cop__names_init(&out->file, cx);
	COP_TRY(cop__names_read(&out->classes, cx, folder, NULL));
	if (out->classes.count > COP_DATA_CLASSES)
		return cop__error(cx, COP_FORMAT, "%s: has %d classes, at most %d are read", folder, out->classes.count,
		        COP_DATA_CLASSES);
	for (int32_t c = 0; c < out->classes.count; c++) COP_TRY(add_class(out, folder, out->classes.at[c], c, ends));
	return COP_OK;
}

void cop__filed_free(cop_filed *f)
{
	if (f->file.cx) cop__free(f->file.cx, f->label);
	cop__names_free(&f->file);
	cop__names_free(&f->classes);
}

/* A test part is labelled by the classes of the training part. */
static cop_status relabel(cop_filed *test, const char *folder)
{
	cop_filed train;
	char path[COP_DATA_PATH];
	cop_ctx *cx = test->file.cx;
	cop_status st;

	COP_TRY(cop__path(path, cx, folder, "train"));
	train = (cop_filed){0};
	COP_GO(cop__names_read(&train.classes, cx, path, NULL));
	for (int32_t i = 0; i < test->file.count; i++) {
		const char *name = test->classes.at[test->label[i]];
		int32_t c = cop__names_find(&train.classes, name);
		if (c < 0) {
			st = cop__error(cx, COP_FORMAT, "%s: class '%s' is not among the %d of %s", test->file.at[i],
			        name, train.classes.count, path);
			goto done;
		}
		test->label[i] = c;
	}
	cop_names own = test->classes;
	test->classes = train.classes;
	train.classes = own;
done:
	cop__names_free(&train.classes);
	return st;
}

static const char *test_part(const char *folder)
{
	static const char *const known[] = {"test", "val", "valid"};

	for (int i = 0; i < LEN(known); i++)
		if (cop__is_folder(folder, known[i])) return known[i];
	return NULL;
}

cop_status cop__filed_split(cop_filed *out, int32_t **order, int32_t *from, int32_t *count, cop_ctx *cx,
        const char *folder, const char *ends, const cop_want *w)
{
	bool parts = cop__is_folder(folder, "train"), test = w->split & COP_SPLIT_TEST;
	const char *part = !parts ? NULL : test_part(folder);
	bool own_test = part && test;
	char path[COP_DATA_PATH];

	*order = NULL;
	*out = (cop_filed){0};
	if (part && w->split == COP_SPLIT_ALL) return cop__no_all(cx, folder);
	if (parts) COP_TRY(cop__path(path, cx, folder, own_test ? part : "train"));
	COP_TRY(cop__filed_read(out, cx, parts ? path : folder, ends));
	if (own_test) COP_TRY(relabel(out, folder));
	*order = cop__alloc(cx, (size_t)COP_MAX(out->file.count, 1) * sizeof **order);
	if (!*order) return COP_NOMEM;
	if (part) {
		cop__split_shuffle(*order, out->file.count);
		cop__split_range(from, count, w, out->file.count);
	} else {
		cop__split_mixed(*order, from, count, w, out->file.count);
	}
	if (!*count)
		return cop__error(cx, COP_FORMAT, "%s: has %d files of this kind (%s) by class, too few for the split",
		        folder, out->file.count, ends);
	return COP_OK;
}

static bool holds_file(const char *folder, const char *ends)
{
	DIR *d = opendir(folder);
	bool found = false;

	for (struct dirent *e; d && !found && (e = readdir(d));)
		found = e->d_name[0] != '.' && cop__ends_in(e->d_name, ends);
	if (d) closedir(d);
	return found;
}

bool cop__filed_fits(const char *folder, const char *ends)
{
	char base[COP_DATA_PATH], sub[COP_DATA_PATH + 300];
	bool found = false;

	snprintf(base, sizeof base, "%s%s", folder, cop__is_folder(folder, "train") ? "/train" : "");
	DIR *d = opendir(base);
	for (struct dirent *e; d && !found && (e = readdir(d));) {
		if (e->d_name[0] == '.') continue;
		snprintf(sub, sizeof sub, "%s/%s", base, e->d_name);
		found = holds_file(sub, ends);
	}
	if (d) closedir(d);
	return found;
}
