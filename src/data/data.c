/* SPDX-License-Identifier: Apache-2.0
 *
 * data - the table of data sets, where they are looked for, and the public calls but cop_data_get (fetch.c).
 *
 * A name is a row of data.def, a folder in one of the places, or a path. The places are the folders of
 * COPPICE_DATA (separated by colons), then the user's data folder.
 */
#include "core/need.h"
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

#define DATA(name) extern const cop_data_row cop_data_##name;
#include "data/data.def"
#undef DATA

const cop_data_row *const cop_data_rows[] = {
#define DATA(name) &cop_data_##name,
#include "data/data.def"
#undef DATA
};

int cop__data_row_count(void) { return LEN(cop_data_rows); }

const cop_data_row *cop__data_row(const char *name)
{
	for (int i = 0; i < LEN(cop_data_rows); i++)
		if (!cop_data_rows[i]->format && !strcmp(cop_data_rows[i]->name, name)) return cop_data_rows[i];
	return NULL;
}

/* ---- places ---- */

cop_status cop__data_default_folder(char out[COP_DATA_PATH], cop_ctx *cx)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (xdg && *xdg) return cop__path(out, cx, xdg, "coppice");
	if (home && *home) return cop__path(out, cx, home, ".local/share/coppice");
	return cop__error(
	        cx, COP_ARG, "neither COPPICE_DATA, XDG_DATA_HOME nor HOME is set: name a folder for the data");
}

/* The i-th place; false past the end. An empty one is skipped by having no length. */
static bool place(char out[COP_DATA_PATH], int i)
{
	const char *p = getenv("COPPICE_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	for (; p && *p; p += *p == ':') {
		size_t len = strcspn(p, ":");
		if (!i--)
			return snprintf(out, COP_DATA_PATH, "%.*s", (int)COP_MIN(len, (size_t)COP_DATA_PATH - 1), p) >=
			       0;
		p += len;
	}
	if (i || !((xdg && *xdg) || (home && *home))) return false;
	if (xdg && *xdg) n = snprintf(out, COP_DATA_PATH, "%s/coppice", xdg);
	else n = snprintf(out, COP_DATA_PATH, "%s/.local/share/coppice", home);
	return n > 0 && n < COP_DATA_PATH;
}

/* The first place that has the folder `name` in which the row (NULL: anything) finds its files. */
static bool find(char out[COP_DATA_PATH], const char *name, const cop_data_row *row)
{
	char at[COP_DATA_PATH];

	for (int i = 0; place(at, i); i++) {
		int n = snprintf(out, COP_DATA_PATH, "%s%s%s", at, *at ? "/" : "", name);
		if (!*at || n < 0 || n >= COP_DATA_PATH) continue;
		if (row ? row->fits && row->fits(out) : cop__is_folder(out, "") || cop__is_file(out, "")) return true;
	}
	return false;
}

/* Sets, not formats. */
static const char *set_name(void *ud, int i)
{
	(void)ud;
	for (int k = 0; k < LEN(cop_data_rows); k++)
		if (!cop_data_rows[k]->format && !i--) return cop_data_rows[k]->name;
	return NULL;
}

static cop_status not_found(cop_ctx *cx, const char *name, const cop_data_row *row)
{
	const char *env = getenv("COPPICE_DATA");
	char text[400] = "";
	cop_hint hint;

	if (!row)
		for (int i = 0; i < LEN(cop_data_rows); i++)
			if (!cop_data_rows[i]->format && strlen(text) < 300)
				snprintf(text + strlen(text), 60, "%s%s", *text ? ", " : "", cop_data_rows[i]->name);
	if (!row && strpbrk(name, "/.")) return cop__error(cx, COP_IO, "%s: no such file or folder", name);
	if (!row) return cop__error(cx, COP_ARG, "data set '%s' is neither a path nor one of: %s%s", name, text, cop__hint(&hint, name, set_name, NULL));
	return cop__error(cx, COP_IO, "%s: not found in COPPICE_DATA (%s) nor in the user's data folder%s%s", name,
	        env && *env ? env : "not set", row->home ? "; it can be fetched with: coppice data get " : "",
	        row->home ? name : "");
}

/* A folder named as a set is that set; the files of MNIST and Fashion-MNIST do not say which they are. */
static const cop_data_row *kind_of(const char *path)
{
	const cop_data_row *own = cop__data_row(cop__base_name(path));

	if (own && own->fits && own->fits(path)) return own;
	for (int i = 0; i < LEN(cop_data_rows); i++) {
		const cop_data_row *r = cop_data_rows[i];
		if (r->fits && r->fits(path) && (r->format || r->fits != cop_data_idx.fits)) return r;
	}
	return NULL;
}

/* What to read, and where. */
static cop_status resolve(const cop_data_row **row, char path[COP_DATA_PATH], cop_ctx *cx, const char *name)
{
	*row = cop__data_row(name);
	*path = 0;
	if (*row && (*row)->made) return COP_OK;
	if (*row) return find(path, name, *row) ? COP_OK : not_found(cx, name, *row);
	if (!*name || strlen(name) >= COP_DATA_PATH)
		return cop__error(cx, COP_ARG, "the name of the data set is empty or too long");
	if (cop__is_file(name, "") || cop__is_folder(name, "")) snprintf(path, COP_DATA_PATH, "%s", name);
	else if (!find(path, name, NULL)) return not_found(cx, name, NULL);
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
	*row = kind_of(path);
	if (*row) return COP_OK;
	return cop__error(cx, COP_FORMAT,
	        "%s: holds no data of a known kind (idx, cifar10, npy, csv, images by class, wav by class)", path);
}

/* ---- digits: MNIST if it is there ---- */

static cop_status open_digits(cop_store *s, const char *path, const cop_want *w)
{
	char at[COP_DATA_PATH];
	bool real = find(at, "mnist", &cop_data_mnist);
	const cop_data_row *row = real ? &cop_data_mnist : &cop_data_synth_digits;

	(void)path;
	snprintf(s->name, sizeof s->name, "%s", row->name);
	if (!real) cop__log(s->cx, COP_LOG_INFO, "digits: MNIST is not installed, so synth-digits is used instead");
	return row->open(s, at, w);
}

const cop_data_row cop_data_digits = {
	.name = "digits", .summary = "mnist if it is there, else synth-digits; the name of the set says which",
	.licence = "", .made = true, .open = open_digits,
};

/* ---- the public calls ---- */

/* A single file is all there is of a set; folders and sets with a name have parts. */
static cop_status split_of(cop_want *w, cop_ctx *cx, const char *split, const char *path, const cop_data_row *row)
{
	bool single = *path && cop__is_file(path, "");

	if (!split) return w->split = single ? COP_SPLIT_ALL : COP_SPLIT_TEST, COP_OK;
	COP_TRY(cop__split_parse(&w->split, cx, split));
	return w->split != COP_SPLIT_ALL || row->may_be_whole ? COP_OK : cop__no_all(cx, *path ? path : row->name);
}

/* Classes put together and left out; then as many samples as are wanted. */
static cop_status choose(cop_store *s, const cop_data_args *a)
{
	if (a->group) COP_TRY(cop__store_group(s, a->group));
	if (a->only) COP_TRY(cop__store_only(s, a->only));
	if (a->only && !s->d.count) return cop__error(s->cx, COP_FORMAT, "%s: the %s part has no samples of %s", s->name, a->split ? a->split : "test", a->only);
	if (a->limit > 0) s->d.count = COP_MIN(s->d.count, a->limit);
	if (a->task == COP_TASK_REBUILD) s->d.classes = s->d.targets = 0, s->d.class_name = s->d.target_name = NULL;
	return COP_OK;
}

cop_status cop_data_open_as(cop_dataset **out, cop_ctx *cx, const char *name, const cop_data_args *a)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, name);
	static const cop_data_args none = {0};
	if (!a) a = &none;
	const cop_data_row *row;
	char path[COP_DATA_PATH];
	cop_want w = {.limit = a->only ? 0 : a->limit, .task = a->task == COP_TASK_REBUILD ? COP_TASK_AUTO : a->task, .target = a->target, .h = a->height, .w = a->width, .c = a->channels,
		.features = a->features, .valid = a->valid};
	cop_store *s = NULL;
	cop_status st;

	*out = NULL;
	if (a->limit < 0) return cop__error(cx, COP_ARG, "limit %d: 0 (all) or more is expected", a->limit);
	if (!(a->valid >= 0 && a->valid < 1))
		return cop__error(cx, COP_ARG,
			"valid %g: the part of the training samples that is held out must be above 0 and below 1", (double)a->valid);
	if (a->split) COP_TRY(cop__split_parse(&w.split, cx, a->split));
	COP_TRY(resolve(&row, path, cx, name));
	COP_TRY(split_of(&w, cx, a->split, path, row));
	COP_GO(cop__store_new(&s, cx, row->format ? cop__base_name(path) : row->name));
	COP_GO(row->open(s, path, &w));
	if (row->classes) COP_GO(cop__store_class_list(s, row->classes));
	COP_GO(choose(s, a));
	if (!s->d.count) COP_GO(cop__error(cx, COP_FORMAT, "%s: the %s part is empty: there are too few samples to divide; add some, or give each part a file of its own", name, a->split ? a->split : "test"));
	*out = &s->d;
	return COP_OK;
done:
	cop__store_free(s);
	return st;
}

cop_status cop_data_open(cop_dataset **out, cop_ctx *cx, const char *name, const char *split, int32_t limit)
{
	COP_NEED(cx, out);
	return cop_data_open_as(out, cx, name, &(cop_data_args){.split = split, .limit = limit});
}

void cop_data_free(cop_dataset *d)
{
	if (d && d->free) d->free(d->ud);
}

bool cop_data_list(cop_ctx *cx, int i, cop_data_info *out)
{
	if (!out) return false;
	char at[COP_DATA_PATH];

	(void)cx;
	if (i < 0 || i >= LEN(cop_data_rows)) return false;
	const cop_data_row *r = cop_data_rows[i];
	*out = (cop_data_info){
	        .name = r->name, .summary = r->summary, .licence = r->licence, .present = r->made || r->format};
	if (r->made) snprintf(out->where, sizeof out->where, "made");
	else if (r->format) snprintf(out->where, sizeof out->where, "any path");
	else if (find(at, r->name, r)) {
		out->present = true;
		snprintf(out->where, sizeof out->where, "%.511s", at);
	}
	return true;
}

static void hex(char out[65], const uint8_t sum[32])
{
	for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

cop_status cop__data_file_check(cop_ctx *cx, const char *path, const cop_data_file *f)
{
	uint8_t sum[32];
	char text[65];
	void *bytes;
	size_t size;

	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop__sha256(sum, bytes, size);
	cop_free(cx, bytes);
	hex(text, sum);
	if (f->size && (uint64_t)f->size != size)
		return cop__error(
		        cx, COP_FORMAT, "%s: is %zu bytes long, %lld is expected", path, size, (long long)f->size);
	if (f->sha256 && strcmp(text, f->sha256))
		return cop__error(cx, COP_FORMAT, "%s: its SHA-256 is %s, %s is expected", path, text, f->sha256);
	return COP_OK;
}

static cop_status open_once(cop_ctx *cx, const char *name, const char *split, int32_t limit)
{
	cop_dataset *d;

	COP_TRY(cop_data_open(&d, cx, name, split, limit));
	cop_data_free(d);
	return COP_OK;
}

/* Sums where they are known; then the parts are opened: whole where no sum vouches for the rest. */
cop_status cop_data_check(cop_ctx *cx, const char *name)
{
	COP_NEED(cx, name);
	const cop_data_row *row;
	char path[COP_DATA_PATH], file[COP_DATA_PATH];
	bool sums = true;

	COP_TRY(resolve(&row, path, cx, name));
	for (int i = 0; i < LEN(row->file) && row->file[i].name; i++) {
		COP_TRY(cop__path(file, cx, path, row->file[i].name));
		if (!cop__is_file(file, "")) sums = false; /* unpacked by hand, perhaps: opening it will tell */
		else COP_TRY(cop__data_file_check(cx, file, &row->file[i]));
	}
	int32_t limit = row->made || (row->file[0].name && sums) ? 1 : 0;
	if (!row->test_only) COP_TRY(open_once(cx, name, "train+valid", limit));
	return open_once(cx, name, "test", limit);
}
