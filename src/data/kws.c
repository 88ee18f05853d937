/* SPDX-License-Identifier: Apache-2.0
 *
 * kws - 1,000 Speech Commands clips as the int8 MFCC that MLPerf Tiny's keyword model takes: [1000][49][10], real
 * value = 0.584703 (q - 83). A test part alone: it measures, it does not train.
 */
#include "data/data.h"

enum { SAMPLES = 1000, CLASSES = 12 };
static const char x_name[] = "kws01_mfcc_int8_1000x49x10.bin", y_name[] = "kws01_labels_u8_1000.bin";
static const int32_t shape[3] = {COP_MFCC_FRAMES, COP_MFCC_COEFFS, 1};

static cop_status load(cop_blob *b, cop_ctx *cx, const char *folder, const char *name, size_t size)
{
	char path[COP_DATA_PATH];

	COP_TRY(cop__path(path, cx, folder, name));
	COP_TRY(cop__blob_load(b, cx, path, 1 << 20)); /* 1,000 samples of 490 bytes */
	if (b->size != size)
		return cop__error(cx, COP_FORMAT, "%s: is %zu bytes long, %zu is expected", path, b->size, size);
	return COP_OK;
}

static cop_status copy(cop_store *s, const cop_blob *x, const cop_blob *y, const cop_want *w)
{
	int32_t from, count;

	cop__split_range(&from, &count, w, SAMPLES);
	COP_TRY(cop__store_shape(s, 3, shape, false));
	COP_TRY(cop__store_room(s, count));
	for (int v = 0; v < 256; v++) s->lut[v] = 0.584703f * (float)((v < 128 ? v : v - 256) - 83);
	memcpy(s->code, x->bytes, (size_t)count * s->each);
	s->d.classes = CLASSES;
	for (int32_t i = 0; i < count; i++) {
		if (y->bytes[i] >= CLASSES)
			return cop__error(s->cx, COP_FORMAT, "%s: byte %d: label %d, 0 to 11 is expected", y->path, i,
			        y->bytes[i]);
		s->label[i] = y->bytes[i];
	}
	return COP_OK;
}

static cop_status open_kws(cop_store *s, const char *folder, const cop_want *w)
{
	cop_blob x = {0}, y = {0};
	cop_status st;

	if (w->split != COP_SPLIT_TEST)
		return cop__error(s->cx, COP_ARG, "%s: has a test part only; train or valid was asked for", s->name);
	COP_GO(load(&x, s->cx, folder, x_name, (size_t)SAMPLES * COP_MFCC_FRAMES * COP_MFCC_COEFFS));
	COP_GO(load(&y, s->cx, folder, y_name, SAMPLES));
	COP_GO(copy(s, &x, &y, w));
done:
	cop__blob_free(&x);
	cop__blob_free(&y);
	return st;
}

static bool fits(const char *path) { return cop__is_file(path, x_name) && cop__is_file(path, y_name); }

const cop_data_row cop_data_kws_mfcc = {
        .name = "kws-mfcc",
        .classes = "down go left no off on right stop up yes silence unknown", .summary = "keywords as int8 MFCC 49x10, 1,000 test clips, 12 classes",
        .licence = "CC BY 4.0 (Google, Speech Commands v2)",
        .file = {{"kws01_mfcc_int8_1000x49x10.bin", 490000,
                         "c2e5f02def82726f5c49dfe85c311c52f295ad68561f6bae89931fdadaaedc73"},
                {"kws01_labels_u8_1000.bin", 1000, "5ac94dbdf436c844edf433b207d8d61f0e10e0a86335f1b12beb3b2fdc212111"}},
        .test_only = true,
        .fits = fits,
        .open = open_kws,
};
