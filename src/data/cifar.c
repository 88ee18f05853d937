/* SPDX-License-Identifier: Apache-2.0
 *
 * cifar - CIFAR-10. The binary batches hold records of one label byte and 3x32x32 bytes, channel by channel;
 * here they become 32x32x3. The JPEG edition is a tar of train/<index>_<label>.jpg and test/...; its pixels are
 * not the original ones, so it has a name of its own and results on the two do not compare.
 */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, EACH = 3 * PLANE, CLASSES = 10, MAX_BATCHES = 5, MOST_BYTES = 256 << 20 }; /* an archive unpacks to 185 MB */
static const int32_t shape[3] = {SIDE, SIDE, 3};
static const char archive[] = "cifar-10-binary.tar.gz", jpegs[] = "cifar10-jpeg.tar.xz", sub[] = "cifar-10-batches-bin";

cop_status cop__cifar_parse(cop_store *s, int32_t at, const cop_blob *b, int32_t from, int32_t count)
{
	if (b->size % COP_CIFAR_RECORD || !b->size)
		return cop__error(b->cx, COP_FORMAT, "%s: is %zu bytes long, not a multiple of the record of %d",
		        b->path, b->size, COP_CIFAR_RECORD);
	if (from < 0 || count < 0 || (size_t)from + (size_t)count > b->size / COP_CIFAR_RECORD)
		return cop__error(b->cx, COP_FORMAT, "%s: has %zu records, number %d was expected", b->path,
		        b->size / COP_CIFAR_RECORD, from + count);
	for (int32_t i = 0; i < count; i++) {
		const uint8_t *r = b->bytes + (size_t)(from + i) * COP_CIFAR_RECORD;
		uint8_t *x = s->code + (size_t)(at + i) * EACH;

		if (r[0] >= CLASSES)
			return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: label %d, 0 to 9 is expected", b->path,
			        (size_t)(r - b->bytes), r[0]);
		s->label[at + i] = r[0];
		for (int p = 0; p < PLANE; p++)
			for (int c = 0; c < 3; c++) x[3 * p + c] = r[1 + c * PLANE + p];
	}
	return COP_OK;
}

/* "data_batch_3.bin" -> 2, "test_batch.bin" -> 0 when test is wanted; -1: not wanted */
static int batch_index(const char *name, bool test)
{
	int k = 0;

	if (test) return strcmp(name, "test_batch.bin") ? -1 : 0;
	if (sscanf(name, "data_batch_%d", &k) != 1 || k < 1 || k > MAX_BATCHES) return -1;
	char want[32];
	snprintf(want, sizeof want, "data_batch_%d.bin", k);
	return strcmp(name, want) ? -1 : k - 1;
}

static cop_status from_archive(cop_blob *tar, cop_blob batch[MAX_BATCHES], cop_ctx *cx, const char *folder, bool test)
{
	char path[COP_DATA_PATH];
	cop_blob e;
	bool more = true;

	COP_TRY(cop__path(path, cx, folder, archive));
	COP_TRY(cop__blob_load(tar, cx, path, MOST_BYTES));
	for (size_t at = 0;;) {
		COP_TRY(cop__tar_next(&e, &more, tar, &at));
		if (!more) return COP_OK;
		int k = batch_index(cop__base_name(e.path), test);
		if (k >= 0) batch[k] = e;
	}
}

static cop_status from_files(cop_blob batch[MAX_BATCHES], cop_ctx *cx, const char *folder, bool test)
{
	char name[64], path[COP_DATA_PATH];
	bool inner = cop__is_folder(folder, sub);

	for (int k = 0; k < (test ? 1 : MAX_BATCHES); k++) {
		if (test) snprintf(name, sizeof name, "%s%stest_batch.bin", inner ? sub : "", inner ? "/" : "");
		else snprintf(name, sizeof name, "%s%sdata_batch_%d.bin", inner ? sub : "", inner ? "/" : "", k + 1);
		COP_TRY(cop__path(path, cx, folder, name));
		COP_TRY(cop__blob_load(&batch[k], cx, path, MOST_BYTES));
	}
	return COP_OK;
}

static cop_status copy(cop_store *s, const cop_blob *batch, int n, const cop_want *w, const char *folder)
{
	int32_t from, count, total = 0, base = 0, done = 0;

	for (int k = 0; k < n; k++) {
		if (!batch[k].bytes)
			return cop__error(s->cx, COP_FORMAT, "%s: batch %d of %d is missing", folder, k + 1, n);
		total += (int32_t)COP_MIN(batch[k].size / COP_CIFAR_RECORD, (size_t)1 << 24);
	}
	cop__split_range(&from, &count, w, total);
	COP_TRY(cop__store_shape(s, 3, shape, false));
	COP_TRY(cop__store_room(s, count));
	for (int k = 0; k < n; k++) {
		int32_t have = (int32_t)(batch[k].size / COP_CIFAR_RECORD);
		int32_t lo = COP_MAX(from + done - base, 0), take = COP_MAX(COP_MIN(have - lo, count - done), 0);

		COP_TRY(cop__cifar_parse(s, done, &batch[k], take ? lo : 0, take));
		done += take;
		base += have;
	}
	s->d.classes = CLASSES;
	return COP_OK;
}

static cop_status open_binary(cop_store *s, const char *folder, const cop_want *w)
{
	cop_blob tar = {0}, batch[MAX_BATCHES] = {{0}};
	bool test = w->split & COP_SPLIT_TEST;
	cop_status st;

	if (cop__is_file(folder, archive)) COP_GO(from_archive(&tar, batch, s->cx, folder, test));
	else COP_GO(from_files(batch, s->cx, folder, test));
	COP_GO(copy(s, batch, test ? 1 : MAX_BATCHES, w, folder));
done:
	for (int k = 0; k < MAX_BATCHES; k++) cop__blob_free(&batch[k]);
	cop__blob_free(&tar);
	return st;
}

/* ---- the JPEG edition ---- */

/* "train/00012_7.jpg" -> index 12, label 7 */
static bool jpeg_name(int32_t *index, int32_t *label, const char *path, bool test)
{
	int i, l, used = 0;

	if (sscanf(path, test ? "test/%5d_%1d.jpg%n" : "train/%5d_%1d.jpg%n", &i, &l, &used) != 2 || !used ||
	        path[used])
		return false;
	*index = i;
	*label = l;
	return i >= 0 && l >= 0;
}

static cop_status jpeg_one(cop_store *s, int32_t at, const cop_blob *e, int32_t label)
{
	cop_pixels p;

	COP_TRY(cop__pixels_parse(&p, e, 3));
	bool fits = p.h == SIDE && p.w == SIDE;
	if (fits) memcpy(s->code + (size_t)at * EACH, p.data, EACH);
	s->label[at] = label;
	cop_status st =
	        fits ? COP_OK : cop__error(s->cx, COP_FORMAT, "%s: is %dx%d, 32x32 is expected", e->path, p.h, p.w);
	cop__pixels_free(s->cx, &p);
	return st;
}

/* Pass 0 counts the members of the part, pass 1 decodes those whose index is in the range. */
static cop_status jpeg_pass(cop_store *s, int32_t *n, const cop_blob *tar, bool test, int pass, int32_t from)
{
	cop_blob e;
	bool more;
	int32_t index, label;

	*n = 0;
	for (size_t at = 0;;) {
		COP_TRY(cop__tar_next(&e, &more, tar, &at));
		if (!more) return COP_OK;
		if (!jpeg_name(&index, &label, e.path, test)) continue;
		if (pass && index >= from && index < from + s->d.count) COP_TRY(jpeg_one(s, index - from, &e, label));
		if (!pass && index != *n)
			return cop__error(tar->cx, COP_FORMAT, "%s: member %s comes where number %05d was expected",
			        tar->path, e.path, *n);
		++*n;
	}
}

static cop_status open_jpeg(cop_store *s, const char *folder, const cop_want *w)
{
	cop_blob tar = {0};
	char path[COP_DATA_PATH];
	int32_t n, from, count;
	bool test = w->split & COP_SPLIT_TEST;
	cop_status st;

	COP_TRY(cop__path(path, s->cx, folder, jpegs));
	COP_GO(cop__blob_load(&tar, s->cx, path, MOST_BYTES));
	COP_GO(jpeg_pass(s, &n, &tar, test, 0, 0));
	if (!n)
		COP_GO(cop__error(
		        s->cx, COP_FORMAT, "%s: holds no %s/<index>_<label>.jpg", path, test ? "test" : "train"));
	cop__split_range(&from, &count, w, n);
	COP_GO(cop__store_shape(s, 3, shape, false));
	COP_GO(cop__store_room(s, count));
	s->d.classes = CLASSES;
	COP_GO(jpeg_pass(s, &n, &tar, test, 1, from));
done:
	cop__blob_free(&tar);
	return st;
}

static bool fits_binary(const char *path)
{
	return cop__is_file(path, archive) || cop__is_file(path, "data_batch_1.bin") ||
	       cop__is_file(path, "test_batch.bin") ||
	       (cop__is_folder(path, sub) && (cop__is_file(path, "cifar-10-batches-bin/data_batch_1.bin") ||
	                                             cop__is_file(path, "cifar-10-batches-bin/test_batch.bin")));
}

static bool fits_jpeg(const char *path) { return cop__is_file(path, jpegs); }

/* The length and sum of the archive are those its users publish; it was not at hand to be checked. */
const cop_data_row cop_data_cifar10 = {
        .name = "cifar10",
        .classes = "airplane automobile bird cat deer dog frog horse ship truck", .summary = "small photographs, 32x32 colour, 50,000 + 10,000, 10 classes",
        .licence = "research use, cite A. Krizhevsky 2009",
        .home = "https://www.cs.toronto.edu/~kriz",
        .file = {{"cifar-10-binary.tar.gz", 170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
        .fits = fits_binary,
        .open = open_binary,
};

const cop_data_row cop_data_cifar10_jpeg = {
	.name = "cifar10-jpeg", .classes = "airplane automobile bird cat deer dog frog horse ship truck",
	.summary = "CIFAR-10 as JPEGs of quality 75: compare only within it",
	.licence = "research use, cite A. Krizhevsky 2009",
	.file = {{"cifar10-jpeg.tar.xz", 18425452, "59275c7d9ed73cb1b3e79e0db7b405ae4ced95db938a5e01c2f2ca1c0b34ee2e"}},
	.fits = fits_jpeg, .open = open_jpeg,
};
