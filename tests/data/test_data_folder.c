/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets made in a temporary folder and opened by path or name: images and sounds by class, tables, arrays, IDX,
 * CIFAR-10 in its three forms; the parts of a split never share a sample; what is missing is named.
 */
#include "data/make.h"

static cop_ctx *cx;
static char *dir;
static const char *const parts[] = {"train", "valid", "test"};

static const char *in(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* NULL when the build lacks the reader, which has been said. */
static cop_dataset *open(const char *name, const char *split, int32_t limit)
{
	cop_dataset *d;
	if (!cop_data_open(&d, cx, name, split, limit)) return d;
	assert_null(d);
	if (!lacking(cx)) fail_msg("%s", cop_error_text(cx));
	print_message("skipped: %s\n", cop_error_text(cx));
	cop_error_clear(cx);
	return NULL;
}

/* Counts samples by the rounded first value times `scale`; every one of n must come once over the three parts. */
static void assert_parts(const char *name, int n, float scale, int32_t classes, int want_test)
{
	int seen[400] = {0};
	float *x = malloc(sizeof *x * 4096);
	for (int p = 0; p < 3; p++) {
		cop_dataset *d = open(name, parts[p], 0);
		if (!d) goto done;
		assert_int_equal(d->classes, classes);
		if (p == 2) assert_int_equal(d->count, want_test);
		for (int i = 0; i < d->count; i++) {
			int32_t label;
			assert_int_equal(d->get(d->ud, i, x, &label), COP_OK);
			int v = (int)(x[0] * scale + 0.5f);
			assert_in_range(v, 0, n - 1);
			assert_int_equal(label, classes ? v % classes : 0);
			seen[v]++;
		}
		cop_data_free(d);
	}
	for (int i = 0; i < n; i++) assert_int_equal(seen[i], 1);
done:
	free(x);
}

static void test_images(void **state)
{
	(void)state;
	uint8_t p[5 * 6 * 3];
	for (int i = 0; i < 36; i++) {
		char name[64];
		memset(p, i, sizeof p);
		snprintf(name, sizeof name, "pets/%s/%02d.png", i % 2 ? "dog" : "cat", i);
		write_bytes(dir, name, png_of(p, 5, 6, 3));
	}
	assert_parts(in("pets"), 36, 255, 2, 6);
	setenv("COPPICE_DATA", dir, 1);
	assert_parts("pets", 36, 255, 2, 6); /* by the name of the folder */
	unsetenv("COPPICE_DATA");
	/* another size and grey: becomes the first file's, 5x6 colour */
	for (int i = 0; i < 4; i++) p[i] = (uint8_t)(i * 80);
	write_bytes(dir, "mix/a/1.png", png_of((const uint8_t[90]){0}, 5, 6, 3));
	write_bytes(dir, "mix/a/2.png", png_of(p, 2, 2, 1));
	write_bytes(dir, "mix/a/3.png", png_of(p, 2, 2, 1));
	cop_dataset *d = open(in("mix"), "train", 0);
	if (!d) return;
	float x[90], top = 0;
	int32_t label;
	for (int i = 0; i < d->count; i++) {
		assert_int_equal(d->get(d->ud, i, x, &label), COP_OK);
		for (int k = 0; k < 90; k++) {
			assert_true(x[k] == x[k / 3 * 3]);
			top = x[k] > top ? x[k] : top;
		}
		if (top > 0) { /* corners are the source's, the middle column lies between */
			assert_true(x[0] == 0 && x[89] == 240 / 255.0f);
			assert_true(x[15] == 80 / 255.0f);
		}
	}
	assert_true(top > 0);
	cop_data_free(d);
	/* train/ and test/ of their own; a class that train lacks */
	memset(p, 9, sizeof p);
	write_bytes(dir, "own/train/a/1.png", png_of(p, 5, 6, 3));
	write_bytes(dir, "own/train/b/2.png", png_of(p, 5, 6, 3));
	write_bytes(dir, "own/test/b/3.png", png_of(p, 5, 6, 3));
	if (!(d = open(in("own"), "test", 0))) return;
	assert_int_equal(d->get(d->ud, 0, x, &label), COP_OK);
	assert_int_equal(label, 1);
	cop_data_free(d);
	write_bytes(dir, "own/test/c/4.png", png_of(p, 5, 6, 3));
	assert_int_equal(cop_data_open(&d, cx, in("own"), "test", 0), COP_FORMAT);
	assert_says(cx, "class 'c' is not among the 2");
	cop_error_clear(cx);
	write_at(dir, "bad/a/1.png", "\x89PNGnothing", 11);
	assert_int_equal(cop_data_open(&d, cx, in("bad"), "train", 0), COP_FORMAT);
	assert_says(cx, "bad/a/1.png");
	cop_error_clear(cx);
}

static void test_sounds(void **state)
{
	(void)state;
	int16_t v[400];
	for (int i = 0; i < 24; i++) {
		char name[64];
		for (int k = 0; k < 400; k++) v[k] = (int16_t)(k % (i + 2) * 50);
		snprintf(name, sizeof name, "words/%s/%02d.wav", i % 2 ? "no" : "yes", i);
		write_bytes(dir, name, wav_of(v, 400, 8000, 1));
		snprintf(name, sizeof name, "fsdd/recordings/%d_jackson_%d.wav", i % 3, i / 3);
		write_bytes(dir, name, wav_of(v, 400, 8000, 1));
	}
	int total = 0;
	for (int p = 0; p < 3; p++) {
		cop_dataset *d = open(in("words"), parts[p], 0);
		if (!d) return;
		assert_int_equal(d->classes, 2);
		assert_int_equal(d->x.rank, 3);
		assert_int_equal(d->x.dim[0] * d->x.dim[1] * d->x.dim[2], 490);
		total += d->count;
		cop_data_free(d);
	}
	assert_int_equal(total, 24);
	cop_dataset *d = open(in("fsdd"), "test", 0);
	assert_int_equal(d->count, 15); /* index 0 to 4 of three digits */
	assert_int_equal(d->classes, 10);
	cop_data_free(d);
	assert_non_null(d = open(in("fsdd"), "train+valid", 0));
	assert_int_equal(d->count, 9);
	cop_data_free(d);
}

static bytes npy_u8(const uint8_t *p, int n, const char *shape)
{
	bytes b = {0};
	char text[118];
	memset(text, ' ', sizeof text);
	int k = snprintf(text, sizeof text, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
	text[k] = ' ';
	text[117] = '\n';
	add(&b, "\x93NUMPY\x01\x00", 8), add_le(&b, 118, 2), add(&b, text, 118), add(&b, p, (size_t)n);
	return b;
}

static void test_tables(void **state)
{
	(void)state;
	bytes b = {0};
	uint8_t x[60 * 4], y[60];
	for (int i = 0; i < 60; i++) {
		char row[64];
		int n = snprintf(row, sizeof row, "%d,%d,class%d\n", i, -i, i % 5);
		add(&b, row, (size_t)n);
		memset(x + 4 * i, i, 4);
		y[i] = (uint8_t)(i % 5);
	}
	write_at(dir, "t.csv", b.at, b.n);
	write_at(dir, "both/train.csv", b.at, b.n);
	write_at(dir, "both/test.csv", "3,1,class3\n", 11);
	drop(&b);
	assert_parts(in("t.csv"), 60, 1, 5, 10);
	cop_dataset *d = open(in("both"), "test", 0);
	int32_t label;
	float v[2];
	assert_int_equal(d->classes, 5);
	assert_int_equal(d->get(d->ud, 0, v, &label), COP_OK);
	assert_int_equal(label, 3); /* named as in train.csv, though the file has one class */
	cop_data_free(d);
	write_bytes(dir, "arr/x.npy", npy_u8(x, 240, "(60, 2, 2)"));
	write_bytes(dir, "arr/y.npy", npy_u8(y, 60, "(60,)"));
	assert_parts(in("arr"), 60, 255, 5, 10);
	assert_parts(in("arr/x.npy"), 60, 255, 0, 10);
	write_bytes(dir, "short/x.npy", npy_u8(x, 240, "(60, 2, 2)"));
	write_bytes(dir, "short/y.npy", npy_u8(y, 59, "(59,)"));
	assert_int_equal(cop_data_open(&d, cx, in("short"), "train", 0), COP_FORMAT);
	assert_says(cx, "y.npy: has 59 labels for 60 samples");
	cop_error_clear(cx);
}

static bytes idx_images(int n, int from)
{
	bytes b = {0};
	add(&b, "\0\0\x08\x03", 4), add_be32(&b, (uint32_t)n), add_be32(&b, 2), add_be32(&b, 2);
	for (int i = 0; i < n; i++) add(&b, (uint8_t[]){(uint8_t)(from + i), 0, 0, 0}, 4);
	return b;
}
static bytes idx_labels(int n, int from)
{
	bytes b = {0};
	add(&b, "\0\0\x08\x01", 4), add_be32(&b, (uint32_t)n);
	for (int i = 0; i < n; i++) add(&b, &(uint8_t){(uint8_t)((from + i) % 7)}, 1);
	return b;
}

static void test_idx(void **state)
{
	(void)state;
	cop_dataset *d;
	write_bytes(dir, "plain/train-images-idx3-ubyte", idx_images(24, 0));
	write_bytes(dir, "plain/train-labels-idx1-ubyte", idx_labels(24, 0));
	assert_int_equal(cop_data_open(&d, cx, in("plain"), "test", 0), COP_IO);
	assert_says(cx, "t10k-images-idx3-ubyte: neither it nor its .gz is there");
	cop_error_clear(cx);
	write_bytes(dir, "plain/t10k-images-idx3-ubyte", idx_images(7, 24));
	bytes l = idx_labels(7, 24);
	write_bytes(dir, "plain/t10k-labels-idx1-ubyte.gz", gzip_of(l.at, l.n));
	drop(&l);
	assert_parts(in("plain"), 31, 255, 7, 7);
	assert_non_null(d = open(in("plain"), "train", 5));
	assert_int_equal(d->count, 5);
	cop_data_free(d);
	write_bytes(dir, "plain/t10k-labels-idx1-ubyte", idx_labels(6, 24));
	assert_int_equal(cop_data_open(&d, cx, in("plain"), "test", 0), COP_FORMAT);
	assert_says(cx, "has 7 images, but");
	cop_error_clear(cx);
}

static void test_cifar(void **state)
{
	(void)state;
	bytes tar = {0};
	for (int k = 0; k < 6; k++) { /* four records each */
		char name[64];
		bytes b = {0};
		for (int i = 0; i < 4; i++) {
			int v = k == 5 ? 20 + i : k * 4 + i;
			add(&b, &(uint8_t){(uint8_t)(v % 10)}, 1);
			for (int c = 0; c < 3072; c++) add(&b, &(uint8_t){(uint8_t)v}, 1);
		}
		snprintf(name, sizeof name, k == 5 ? "c10/test_batch.bin" : "c10/data_batch_%d.bin", k + 1);
		write_at(dir, name, b.at, b.n);
		snprintf(name, sizeof name,
		        k == 5 ? "cifar-10-batches-bin/test_batch.bin" : "cifar-10-batches-bin/data_batch_%d.bin",
		        k + 1);
		add_tar(&tar, name, b.at, b.n);
		drop(&b);
	}
	add(&tar, (uint8_t[1024]){0}, 1024);
	write_bytes(dir, "packed/cifar-10-binary.tar.gz", gzip_of(tar.at, tar.n));
	drop(&tar);
	assert_parts(in("c10"), 24, 255, 10, 4);
	assert_parts(in("packed"), 24, 255, 10, 4);
	remove(in("c10/data_batch_3.bin"));
	cop_dataset *d;
	assert_int_equal(cop_data_open(&d, cx, in("c10"), "train", 0), COP_IO);
	assert_says(cx, "c10/data_batch_3.bin");
	cop_error_clear(cx);
}

static void test_names(void **state)
{
	(void)state;
	cop_dataset *d;
	setenv("COPPICE_DATA", in("nowhere"), 1);
	setenv("XDG_DATA_HOME", in("xdg"), 1);
	const struct { const char *name, *split; int32_t limit; cop_status st; const char *says; } rows[] = {
		{"no-such-set", "train", 0, COP_ARG, "neither a path nor one of: mnist, fashion-mnist"},
		{"mnist", "train", 0, COP_IO, "coppice data get mnist"},
		{"kws-mfcc", "test", 0, COP_IO, "kws-mfcc: not found"},
		{"synth-digits", "dev", 0, COP_ARG, "split 'dev'"},
		{"synth-digits", "train", -1, COP_ARG, "limit -1"},
		{"", "train", 0, COP_ARG, "empty"},
	};
	for (int i = 0; i < LEN(rows); i++) {
		cop_error_clear(cx);
		assert_int_equal(cop_data_open(&d, cx, rows[i].name, rows[i].split, rows[i].limit), rows[i].st);
		assert_null(d);
		assert_says(cx, rows[i].says);
	}
	cop_error_clear(cx);
	assert_non_null(d = open("digits", "test", 3));
	assert_string_equal(d->name, "synth-digits");
	cop_data_free(d);
	/* the user's data folder; digits is MNIST once that is there */
	write_bytes(dir, "xdg/coppice/mnist/t10k-images-idx3-ubyte", idx_images(7, 0));
	write_bytes(dir, "xdg/coppice/mnist/t10k-labels-idx1-ubyte", idx_labels(7, 0));
	assert_non_null(d = open("digits", "test", 3));
	assert_string_equal(d->name, "mnist");
	cop_data_free(d);
	cop_data_info info;
	int n = 0, present = 0;
	for (; cop_data_list(cx, n, &info); n++) {
		assert_true(info.name && info.summary && info.licence);
		if (!strcmp(info.name, "mnist")) assert_string_equal(info.where, in("xdg/coppice/mnist"));
		present += info.present;
	}
	assert_true(n > 8 && present < n);
	assert_int_equal(cop_data_check(cx, "mnist"), COP_IO); /* train files are missing */
	cop_error_clear(cx);
	write_at(dir, "xdg/coppice/mnist/t10k-labels-idx1-ubyte.gz", "wrong", 5);
	assert_int_equal(cop_data_check(cx, "mnist"), COP_FORMAT);
	assert_says(cx, "t10k-labels-idx1-ubyte.gz: is 5 bytes long, 4542 is expected");
	cop_error_clear(cx);
	assert_int_equal(cop_data_check(cx, "synth-digits"), COP_OK);
	unsetenv("COPPICE_DATA");
}

/* ---- every allocation fails in turn: an error, and nothing is lost ---- */

static int left, held;
static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud, (void)osize;
	if (!nsize) {
		held -= p != NULL;
		free(p);
		return NULL;
	}
	if (left-- <= 0) return NULL;
	void *q = realloc(p, nsize);
	held += q && !p;
	return q;
}

static void test_no_memory(void **state)
{
	(void)state;
	static const char *const names[] = {"plain", "t.csv", "arr", "pets", "synth-digits"};
	cop_alloc alloc = {counted, NULL};
	cop_ctx *poor;
	uint8_t a[12 * 4] = {0};
	write_bytes(dir, "plain/train-images-idx3-ubyte", idx_images(24, 0));
	write_bytes(dir, "plain/train-labels-idx1-ubyte", idx_labels(24, 0));
	write_at(dir, "t.csv", "1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n", 24);
	write_bytes(dir, "arr/x.npy", npy_u8(a, 48, "(12, 2, 2)"));
	write_bytes(dir, "arr/y.npy", npy_u8(a, 12, "(12,)"));
	write_bytes(dir, "pets/a/1.png", png_of(a, 2, 2, 1));
	write_bytes(dir, "pets/b/1.png", png_of(a, 2, 2, 1));
	for (int i = 0; i < LEN(names); i++)
		for (int n = 0;; n++) {
			cop_dataset *d;
			char path[1024];
			left = 1000, held = 0;
			assert_int_equal(cop_ctx_new(&poor, &alloc), COP_OK);
			snprintf(path, sizeof path, "%s/%s", i == 4 ? "" : dir, names[i]);
			left = n;
			cop_status st = cop_data_open(&d, poor, i == 4 ? names[i] : path, "train", 5);
			if (!st) cop_data_free(d);
			bool done = st != COP_NOMEM;
			if (done && st && !lacking(poor)) fail_msg("%s", cop_error_text(poor));
			cop_ctx_free(poor);
			assert_int_equal(held, 0);
			assert_true(n < 500);
			if (done) {
				assert_true(n > 3 || st);
				break;
			}
		}
}

static int setup(void **state)
{
	(void)state;
	dir = temp_folder();
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	remove_folder(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_images, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_sounds, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_idx, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_cifar, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
