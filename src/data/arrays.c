/* SPDX-License-Identifier: Apache-2.0
 *
 * arrays - NumPy arrays (format 1 to 3): a folder with x.npy and y.npy, or x_train, y_train, x_test, y_test, or one
 * file without labels (the target is then x itself). Labels are whole numbers, or reals for regression. The first axis
 * counts samples. Unsigned bytes are taken for images and scaled to 0..1; everything else is taken as it is. Samples of
 * two axes become [h, w, 1].
 */
#include "data/data.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { HEAD = 65536 };

static cop_status bad(const cop_blob *b, size_t at, const char *what)
{
	return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: %s", b->path, at, what);
}

/* The text after 'key': in the header; NULL when absent. */
static const char *after(const char *head, const char *key)
{
	char quoted[32];
	snprintf(quoted, sizeof quoted, "'%s':", key);
	const char *p = strstr(head, quoted);
	if (!p) return NULL;
	p += strlen(quoted);
	while (*p == ' ') p++;
	return p;
}

static bool parse_kind(cop_npy *a, const char *p)
{
	if (p[0] != '\'' || !p[1] || !strchr("<>|=", p[1]) || !p[2] || !strchr("fiub", p[2])) return false;
	a->big = p[1] == '>';
	a->kind = p[2];
	a->width = p[3] - '0';
	if (p[4] != '\'') return false;
	if (a->kind == 'f') return a->width == 4 || a->width == 8;
	if (a->kind == 'b') return a->width == 1;
	return a->width == 1 || a->width == 2 || a->width == 4 || a->width == 8;
}

/* "(3, 4)": at most five axes; the product is bounded by the file, which the caller checks. */
static bool parse_shape(cop_npy *a, uint64_t *count, const char *p)
{
	*count = 1;
	if (*p++ != '(') return false;
	while (*p != ')') {
		char *end;
		if (!isdigit((unsigned char)*p) || a->rank == 5) return false;
		unsigned long long n = strtoull(p, &end, 10);
		if (n > INT32_MAX || (n && *count > ((uint64_t)1 << 40) / n)) return false;
		*count *= n;
		a->dim[a->rank++] = (int32_t)n;
		p = end;
		while (*p == ',' || *p == ' ') p++;
	}
	return true;
}

static cop_status parse_text(cop_npy *out, const cop_blob *b, const char *head, size_t from)
{
	uint64_t count;
	const char *kind = after(head, "descr"), *order = after(head, "fortran_order"), *shape = after(head, "shape");

	if (!kind || !order || !shape) return bad(b, 10, "the header lacks descr, fortran_order or shape");
	if (!parse_kind(out, kind)) return bad(b, 10, "its descr is not one of f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1");
	if (strncmp(order, "False", 5)) return bad(b, 10, "is in Fortran order, C order is expected");
	if (!parse_shape(out, &count, shape))
		return bad(b, 10, "its shape is not readable, or has more than five axes");
	if (count * (uint64_t)out->width != b->size - from)
		return cop__error(b->cx, COP_FORMAT,
		        "%s: byte %zu: %llu elements of %d bytes are announced, %zu bytes follow", b->path, from,
		        (unsigned long long)count, out->width, b->size - from);
	out->data = b->bytes + from;
	return COP_OK;
}

cop_status cop__npy_parse(cop_npy *out, const cop_blob *b)
{
	const uint8_t *p = b->bytes;

	*out = (cop_npy){0};
	if (b->size < 12 || memcmp(p, "\x93NUMPY", 6)) return bad(b, 0, "not a NumPy file");
	if (p[6] < 1 || p[6] > 3) return bad(b, 6, "a NumPy format that is not 1, 2 or 3");
	size_t from = p[6] == 1 ? 10 : 12, n = p[6] == 1 ? (size_t)p[8] | (size_t)p[9] << 8 : cop__le32(p + 8);
	if (n > HEAD || n > b->size - from) return bad(b, 8, "the header is longer than the file or 64 KiB");
	char *head = cop__alloc(b->cx, n + 8); /* zeroed: looking a few characters ahead is safe */
	if (!head) return COP_NOMEM;
	memcpy(head, p + from, n);
	cop_status st = parse_text(out, b, head, from + n);
	cop__free(b->cx, head);
	return st;
}

static uint64_t word(const uint8_t *p, int width, bool big)
{
	uint64_t v = 0;
	for (int i = 0; i < width; i++) v |= (uint64_t)p[big ? width - 1 - i : i] << (8 * i);
	return v;
}

double cop__npy_at(const cop_npy *a, int64_t i)
{
	uint64_t v = word(a->data + i * a->width, a->width, a->big);

	if (a->kind == 'f' && a->width == 4) {
		uint32_t u = (uint32_t)v;
		float f;
		memcpy(&f, &u, sizeof f);
		return (double)f;
	}
	if (a->kind == 'f') {
		double d;
		memcpy(&d, &v, sizeof d);
		return d;
	}
	if (a->kind != 'i') return (double)v;
	int shift = 64 - 8 * a->width;
	return (double)((int64_t)(v << shift) >> shift);
}

/* Whole numbers [n] or [n,1]. */
static cop_status classes(cop_store *s, const cop_npy *y, const cop_blob *b, int32_t n, const int32_t *order, int32_t from)
{
	int32_t *seen = cop__alloc(s->cx, sizeof *seen * (size_t)n);
	cop_status st = seen ? COP_OK : COP_NOMEM;

	for (int32_t i = 0; !st && i < n; i++) {
		double v = cop__npy_at(y, i);
		if (!(v >= 0 && v < COP_DATA_CLASSES))
			st = cop__error(b->cx, COP_FORMAT, "%s: label %g of sample %d is not in 0..%d", b->path, v, i, COP_DATA_CLASSES - 1);
		else seen[i] = (int32_t)v;
	}
	for (int32_t i = 0; !st && i < s->d.count; i++) s->label[i] = seen[order[from + i]];
	if (!st) st = cop__store_class_numbers(s, seen, n);
	cop__free(s->cx, seen);
	return st;
}

/* [n] or [n, targets]. */
static cop_status targets(cop_store *s, const cop_npy *y, const cop_blob *b, const int32_t *order, int32_t from)
{
	int32_t k = y->rank == 2 ? y->dim[1] : 1;
	cop_names names;
	char name[16];
	cop_status st = COP_OK;

	if (k < 1 || k > COP_DATA_CLASSES) return cop__error(b->cx, COP_FORMAT, "%s: %d targets a sample, 1 to %d are read", b->path, k, COP_DATA_CLASSES);
	cop__names_init(&names, s->cx);
	for (int32_t i = 0; !st && i < k; i++) {
		snprintf(name, sizeof name, k > 1 ? "y%d" : "y", i + 1);
		st = cop__names_add(&names, name);
	}
	if (!st) st = cop__store_targets(s, &names);
	cop__names_free(&names);
	for (int64_t i = 0; !st && i < (int64_t)s->d.count * k; i++) {
		s->target[i] = (float)cop__npy_at(y, (int64_t)order[from + i / k] * k + i % k);
		if (!isfinite(s->target[i])) st = cop__error(b->cx, COP_FORMAT, "%s: a target of sample %d is not finite", b->path, order[from + i / k]);
	}
	if (!st)
		cop__store_say(s, "%s: %s of %s, so this is regression (--task class makes classes of whole numbers)", s->name,
			k > 1 ? "several numbers a sample" : "reals", cop__base_name(b->path));
	return st;
}

/* Reals, or several numbers a sample, are targets of a regression. */
static cop_status labels(cop_store *s, const cop_npy *y, const cop_blob *b, int32_t n, const int32_t *order, int32_t from, cop_task task)
{
	bool column = y->rank == 1 || (y->rank == 2 && y->dim[1] == 1),
		regress = task == COP_TASK_REGRESS || (task == COP_TASK_AUTO && (y->kind == 'f' || (y->rank == 2 && !column)));

	if ((y->rank != 1 && y->rank != 2) || (!regress && (!column || y->kind == 'f')))
		return cop__error(b->cx, COP_FORMAT, "%s: whole numbers of shape [n] are expected for classes, numbers of shape [n] or [n,targets] for regression", b->path);
	if (y->dim[0] != n)
		return cop__error(b->cx, COP_FORMAT, "%s: has %d labels for %d samples", b->path, y->dim[0], n);
	return regress ? targets(s, y, b, order, from) : classes(s, y, b, n, order, from);
}

/* An array that has just the numbers of one sample is one, without an axis that counts samples. */
static void one_sample(cop_npy *x, const cop_want *w)
{
	int64_t all = 1;

	for (int i = 0; i < x->rank; i++) all *= x->dim[i];
	if (all != w->features || x->rank == 5 || x->dim[0] == 1 || w->split != COP_SPLIT_ALL) return;
	memmove(x->dim + 1, x->dim, sizeof *x->dim * (size_t)x->rank);
	x->dim[0] = 1;
	x->rank++;
}

static cop_status samples(cop_store *s, const cop_npy *x, const int32_t *order, int32_t from, int32_t count)
{
	bool bytes = x->kind == 'u' && x->width == 1;
	int32_t dim[3] = {1, 1, 1}, rank = x->rank == 3 ? 3 : COP_MAX(x->rank - 1, 1);

	if (x->rank > 4)
		return cop__error(s->cx, COP_SHAPE, "%s: x has %d axes, 1 to 4 are expected", s->name, x->rank);
	for (int i = 1; i < x->rank; i++) dim[i - 1] = x->dim[i];
	COP_TRY(cop__store_shape(s, rank, dim, !bytes));
	COP_TRY(cop__store_room(s, count));
	for (int32_t i = 0; i < count; i++) {
		int64_t at = (int64_t)order[from + i] * s->each;
		if (bytes) memcpy(s->code + (size_t)i * s->each, x->data + at, (size_t)s->each);
		else
			for (int32_t k = 0; k < s->each; k++)
				s->value[(size_t)i * s->each + k] = (float)cop__npy_at(x, at + k);
	}
	return COP_OK;
}

static cop_status load(cop_blob *b, cop_npy *a, cop_ctx *cx, const char *folder, const char *name)
{
	char path[COP_DATA_PATH];

	if (*name) COP_TRY(cop__path(path, cx, folder, name));
	else snprintf(path, sizeof path, "%s", folder);
	COP_TRY(cop__blob_load(b, cx, path, COP_DATA_BYTES));
	COP_TRY(cop__npy_parse(a, b));
	if (!a->rank || !a->dim[0]) return cop__error(cx, COP_FORMAT, "%s: holds no samples", path);
	return COP_OK;
}

static cop_status open_npy(cop_store *s, const char *path, const cop_want *w)
{
	cop_blob bx = {0}, by = {0};
	cop_npy x, y;
	int32_t *order = NULL, from, count;
	bool single = cop__is_file(path, ""), parts = cop__is_file(path, "x_train.npy"),
	     own = cop__is_file(path, "x_test.npy");
	bool test = own && w->split & COP_SPLIT_TEST;
	cop_status st;

	if (own && w->split == COP_SPLIT_ALL) return cop__no_all(s->cx, path);
	COP_GO(load(&bx, &x, s->cx, path, single ? "" : !parts ? "x.npy" : test ? "x_test.npy" : "x_train.npy"));
	if (!single) COP_GO(load(&by, &y, s->cx, path, !parts ? "y.npy" : test ? "y_test.npy" : "y_train.npy"));
	if (single) one_sample(&x, w);
	if (!(order = cop__alloc(s->cx, (size_t)x.dim[0] * sizeof *order))) {
		st = COP_NOMEM;
		goto done;
	}
	if (parts && own) {
		cop__split_shuffle(order, x.dim[0]);
		cop__split_range(&from, &count, w, x.dim[0]);
	} else {
		cop__split_mixed(order, &from, &count, w, x.dim[0]);
	}
	COP_GO(samples(s, &x, order, from, count));
	if (!single) COP_GO(labels(s, &y, &by, x.dim[0], order, from, w->task));
done:
	cop__free(s->cx, order);
	cop__blob_free(&bx);
	cop__blob_free(&by);
	return st;
}

static bool fits(const char *path)
{
	size_t n = strlen(path);
	return (cop__is_file(path, "x.npy") && cop__is_file(path, "y.npy")) || cop__is_file(path, "x_train.npy") ||
		(n > 4 && !strcasecmp(path + n - 4, ".npy") && cop__is_file(path, ""));
}

const cop_data_row cop_data_npy = {
        .name = "npy",
        .format = true, .may_be_whole = true,
        .summary = "a folder with x.npy and y.npy (or x_train, y_train, x_test, y_test), or one .npy without labels",
        .licence = "",
        .fits = fits,
        .open = open_npy,
};
