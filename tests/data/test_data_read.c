/* SPDX-License-Identifier: Apache-2.0
 *
 * The parsers of bytes: what is right comes out exactly, and every damaged file gives one sentence that names the
 * file and what is wrong. Each good file is also cut at every length and has every byte of its head changed.
 */
#include "data/make.h"

#include <math.h>

static cop_ctx *cx;

static cop_blob view(const bytes *b, const char *name)
{
	cop_blob v;
	cop__blob_view(&v, cx, name, b->at, b->n);
	return v;
}

/* ---- one way to call each parser ---- */

static cop_status run_idx(const cop_blob *b)
{
	cop_idx a;
	return cop__idx_parse(&a, b);
}
static cop_status run_npy(const cop_blob *b)
{
	cop_npy a;
	return cop__npy_parse(&a, b);
}
static cop_status run_csv(const cop_blob *b)
{
	cop_store *s;
	assert_int_equal(cop__store_new(&s, cx, b->path), COP_OK);
	cop_status st = cop__csv_parse(s, NULL, &(cop_want){0}, b);
	cop__store_free(s);
	return st;
}
static cop_status run_cifar(const cop_blob *b)
{
	cop_store *s;
	int32_t dim[3] = {32, 32, 3}, n = (int32_t)(b->size / COP_CIFAR_RECORD);
	assert_int_equal(cop__store_new(&s, cx, b->path), COP_OK);
	assert_int_equal(cop__store_shape(s, 3, dim, false), COP_OK);
	assert_int_equal(cop__store_room(s, n), COP_OK);
	cop_status st = cop__cifar_parse(s, 0, b, 0, n);
	cop__store_free(s);
	return st;
}
static cop_status run_wav(const cop_blob *b)
{
	cop_sound s;
	cop_status st = cop__wav_parse(&s, b);
	cop__sound_free(cx, &s);
	return st;
}
static cop_status run_pixels(const cop_blob *b)
{
	cop_pixels p;
	cop_status st = cop__pixels_parse(&p, b, 0);
	cop__pixels_free(cx, &p);
	return st;
}
static cop_status run_gzip(const cop_blob *b)
{
	cop_blob copy = *b;
	cop_status st = cop__blob_unpack(&copy, 1 << 20);
	cop__blob_free(&copy);
	return st;
}
static cop_status run_tar(const cop_blob *b)
{
	cop_blob e;
	bool more = true;
	for (size_t at = 0; more;) COP_TRY(cop__tar_next(&e, &more, b, &at));
	return COP_OK;
}

/* ---- good files ---- */

static bytes good_idx(void)
{
	bytes b = {0};
	add(&b, "\0\0\x08\x03", 4), add_be32(&b, 2), add_be32(&b, 2), add_be32(&b, 3), add(&b, "abcdefghijkl", 12);
	return b;
}
static bytes npy_of(const char *kind, const char *shape, const void *p, size_t n)
{
	bytes b = {0};
	char text[119] = "";
	snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", kind, shape);
	for (size_t i = strlen(text); i < 117; i++) text[i] = ' ';
	text[117] = '\n';
	add(&b, "\x93NUMPY\x01\x00", 8), add_le(&b, 118, 2), add(&b, text, 118), add(&b, p, n);
	return b;
}
static bytes good_npy(void)
{
	return npy_of("<f4", "(2, 3)", "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0", 24);
}
static const char csv_text[] = "a,b,label\n1,2,cat\n3.5,-4e1,\"do\"\"g\"\n\n5,6,cat\n";
static bytes good_csv(void)
{
	bytes b = {0};
	add(&b, csv_text, strlen(csv_text));
	return b;
}
static bytes good_cifar(void)
{
	bytes b = {0};
	for (int r = 0; r < 2; r++) {
		add(&b, &(uint8_t){(uint8_t)(r + 3)}, 1);
		for (int i = 0; i < 3072; i++) add(&b, &(uint8_t){(uint8_t)(i / 1024 * 100 + i % 7 + r)}, 1);
	}
	return b;
}
static bytes good_wav(void)
{
	int16_t v[40];
	for (int i = 0; i < 40; i++) v[i] = (int16_t)(i * 100);
	return wav_of(v, 20, 8000, 2);
}
static bytes good_png(void) { return png_of((const uint8_t *)"\0\x40\x80\xc0\xff\x10", 2, 3, 1); }
static bytes good_gzip(void) { return gzip_of("hello, hello", 12); }
static bytes good_tar(void)
{
	bytes b = {0};
	add_tar(&b, "a/one.txt", "one", 3), add_tar(&b, "two.txt", "twotwo", 6), add(&b, (uint8_t[1024]){0}, 1024);
	return b;
}

static const struct {
	const char *name;
	bytes (*good)(void);
	cop_status (*run)(const cop_blob *b);
	bool cuts_fail;
} kinds[] = {
        {"good.idx", good_idx, run_idx, true},
        {"good.npy", good_npy, run_npy, true},
        {"good.csv", good_csv, run_csv, false},
        {"good.bin", good_cifar, run_cifar, true},
        {"good.wav", good_wav, run_wav, false},
        {"good.png", good_png, run_pixels, true},
        {"good.gz", good_gzip, run_gzip, false},
        {"good.tar", good_tar, run_tar, false},
};

/* A cut copy in memory of exactly its size, so that a sanitizer sees a byte read too far. */
static cop_status run_copy(int k, const uint8_t *p, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);
	cop_blob v;
	memcpy(exact, p, n);
	cop__blob_view(&v, cx, kinds[k].name, exact, n);
	cop_error_clear(cx);
	cop_status st = kinds[k].run(&v);
	if (st) assert_says(cx, kinds[k].name);
	free(exact);
	return st;
}

static void test_damage(void **state)
{
	(void)state;
	for (int k = 0; k < LEN(kinds); k++) {
		bytes b = kinds[k].good();
		cop_status st = run_copy(k, b.at, b.n);
		if (st && lacking(cx)) {
			print_message("%s: skipped, %s\n", kinds[k].name, cop_error_text(cx));
			drop(&b);
			continue;
		}
		assert_int_equal(st, COP_OK);
		size_t step = b.n > 2000 ? 97 : 1;
		for (size_t n = 0; n < b.n; n += step) {
			st = run_copy(k, b.at, n);
			/* a whole number of CIFAR records is a good file again; a PNG may lack its last chunk */
			if (kinds[k].cuts_fail && n % COP_CIFAR_RECORD && n < b.n - 12 && !st)
				fail_msg("%s cut at %zu was taken", kinds[k].name, n);
		}
		for (size_t at = 0; at < b.n && at < 700; at++)
			for (int v = 0; v < 3; v++) {
				uint8_t was = b.at[at];
				b.at[at] = v == 0 ? 0xff : v == 1 ? 0 : (uint8_t)(was ^ 0x80);
				run_copy(k, b.at, b.n);
				b.at[at] = was;
			}
		drop(&b);
	}
	cop_error_clear(cx);
}

static void test_sentences(void **state)
{
	(void)state;
	const struct { cop_status (*run)(const cop_blob *b); const char *bytes; size_t n; const char *says; } rows[] = {
		{run_idx, "\0\0\x08\x01\0\0\0\x05" "abc", 11, "x: byte 8: 5 elements are announced, 3 bytes follow"},
		{run_idx, "PK\x03\x04", 4, "x: byte 0: not an IDX file"},
		{run_idx, "\0\0\x0d\x01\0\0\0\0", 8, "x: byte 2: IDX type 0d"},
		{run_idx, "\0\0\x08\x03\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff", 16, "multiply beyond"},
		{run_csv, "a,b,label\n1,x,2\n", 16, "x: line 2, byte 12: 'x' in column 2 is not a number"},
		{run_csv, "1,2,3\n4,5\n", 10, "x: line 2: has fewer than the 3 columns"},
		{run_csv, "1,2,3\n4,5,6,7\n", 14, "x: line 2: has more than the 3 columns"},
		{run_csv, "a,label\n", 8, "x: has no rows"},
		{run_csv, "1,nan,2\n", 8, "x: has no rows"},
		{run_csv, "1\n2\n", 4, "has 1 column"},
		{run_cifar, "abc", 3, "not a multiple of the record of 3073"},
		{run_npy, "hello, world", 12, "x: byte 0: not a NumPy file"},
	};
	for (int i = 0; i < LEN(rows); i++) {
		cop_blob b;
		cop__blob_view(&b, cx, "x", rows[i].bytes, rows[i].n);
		cop_error_clear(cx);
		assert_int_not_equal(rows[i].run(&b), COP_OK);
		assert_says(cx, rows[i].says);
	}
	bytes c = good_cifar();
	c.at[3073] = 10;
	cop_blob b = view(&c, "batch.bin");
	cop_error_clear(cx);
	assert_int_equal(run_cifar(&b), COP_FORMAT);
	assert_says(cx, "batch.bin: byte 3073: label 10");
	drop(&c);
	c = good_tar();
	c.at[1024] ^= 1; /* the second name: its header's sum no longer fits */
	b = view(&c, "set.tar");
	cop_error_clear(cx);
	assert_int_equal(run_tar(&b), COP_FORMAT);
	assert_says(cx, "set.tar: byte 1024: not a tar header");
	drop(&c);
	cop_error_clear(cx);
}

static void test_idx(void **state)
{
	(void)state;
	bytes f = good_idx();
	cop_blob b = view(&f, "x");
	cop_idx a;
	assert_int_equal(cop__idx_parse(&a, &b), COP_OK);
	assert_int_equal(a.rank, 3);
	assert_int_equal(a.dim[2], 3);
	assert_memory_equal(a.data, "abcdefghijkl", 12);
	drop(&f);
}

static void test_npy(void **state)
{
	(void)state;
	const struct { const char *kind; const char *bytes; size_t n; double want;
	} rows[] = {{"<f4", "\0\0\xc0\x3f", 4, 1.5}, {">f4", "\x3f\xc0\0\0", 4, 1.5},
	        {"<f8", "\0\0\0\0\0\0\xf8\x3f", 8, 1.5}, {"|u1", "\xff", 1, 255}, {"|i1", "\xff", 1, -1},
	        {"<i2", "\xfe\xff", 2, -2}, {">i2", "\xff\xfe", 2, -2},
	        {"<i8", "\xfd\xff\xff\xff\xff\xff\xff\xff", 8, -3}, {"<u4", "\xff\xff\xff\xff", 4, 4294967295.0},
	        {"|b1", "\x01", 1, 1}};
	for (int i = 0; i < LEN(rows); i++) {
		bytes f = npy_of(rows[i].kind, "(1,)", rows[i].bytes, rows[i].n);
		cop_blob b = view(&f, rows[i].kind);
		cop_npy a;
		assert_int_equal(cop__npy_parse(&a, &b), COP_OK);
		assert_true(cop__npy_at(&a, 0) == rows[i].want);
		drop(&f);
	}
	static const char *const bad[][2] = {{"<f2", "(1,)"}, {"<c8", "(1,)"}, {"<f4", "(1, 1, 1, 1, 1, 1)"},
	        {"<f4", "(-1,)"}, {"<f4", "(1"}, {"<f4", "(99999999999,)"}};
	for (int i = 0; i < LEN(bad); i++) {
		bytes f = npy_of(bad[i][0], bad[i][1], "abcd", 4);
		cop_blob b = view(&f, "bad.npy");
		cop_npy a;
		cop_error_clear(cx);
		assert_int_equal(cop__npy_parse(&a, &b), COP_FORMAT);
		assert_says(cx, "bad.npy");
		drop(&f);
	}
	cop_error_clear(cx);
}

static cop_store *csv(const char *text, const cop_store *like, const cop_want *w)
{
	cop_blob b;
	cop_store *s;

	cop__blob_view(&b, cx, "t.csv", text, strlen(text));
	assert_int_equal(cop__store_new(&s, cx, "t.csv"), COP_OK);
	if (!cop__csv_parse(s, like, w, &b)) return s;
	cop__store_free(s);
	return NULL;
}

static void test_csv(void **state)
{
	(void)state;
	bytes f = good_csv();
	cop_blob b = view(&f, "x");
	cop_store *s;
	assert_int_equal(cop__store_new(&s, cx, "x"), COP_OK);
	assert_int_equal(cop__csv_parse(s, NULL, &(cop_want){0}, &b), COP_OK);
	assert_int_equal(s->d.count, 3);
	assert_int_equal(s->d.x.dim[0], 2);
	assert_int_equal(s->d.classes, 2);
	assert_string_equal(s->d.class_name[1], "do\"g");
	assert_true(s->value[2] == 3.5f && s->value[3] == -40.0f);
	assert_int_equal(s->label[0], 0);
	assert_int_equal(s->label[1], 1);
	cop__store_free(s);
	drop(&f);
}

/* What the last column is taken for: names "a b c" and the labels, or the targets. */
static void test_csv_targets(void **state)
{
	static const struct { const char *text; cop_want w; int32_t columns; const char *names; float want[4]; bool regress; } rows[] = {
		{"Label;p\n7;1\n0;2\n7;3", {.limit = 0}, 1, "0 7", {1, 0, 1}, false},           /* the label first, by name; semicolons */
		{"1,2,1\n1,2,3\n1,2,2\n", {.limit = 0}, 2, "1 2 3", {0, 2, 1}, false},           /* 1 to 3 are three classes */
		{"1,10\n1,9\n1,2\n1,9\n", {.limit = 0}, 1, "2 9 10", {2, 1, 0, 1}, false},       /* numbers sort as numbers */
		{"1,10.0\n1,9.0\n", {.limit = 0}, 1, "9 10", {1, 0}, false},
		{"1,10\n1,9\n1,x\n", {.limit = 0}, 1, "10 9 x", {0, 1, 2}, false},
		{"1,-1\n1,1\n", {.limit = 0}, 1, "-1 1", {0, 1}, false},
		{"1,2,1.5\n1,2,3\n", {.limit = 0}, 2, "y", {1.5f, 3}, true},                      /* reals */
		{"1,2,1\n1,2,3\n", {.task = COP_TASK_REGRESS}, 2, "y", {1, 3}, true},
		{"1,2.5\n1,3.5\n", {.task = COP_TASK_CLASS}, 1, "2.5 3.5", {0, 1}, false},
		{"a,b,c,d\n1,2,3,4\n5,6,7,8\n", {.target = "d,b"}, 2, "b d", {2, 4, 6, 8}, true},
		{"a,b,c\n1,2,3\n", {.target = "1"}, 2, "1", {0}, false},                          /* a number is a place where no column has that name */
		{"a,b,c\n1,2,3\n", {.features = 3}, 3, "", {0}, false},                           /* as many as the network takes: no target */
		{"1,2,3\n", {.task = COP_TASK_NONE, .features = 2}, 2, "", {0}, false},
	};

	(void)state;
	for (int i = 0; i < LEN(rows); i++) {
		char names[80] = "";
		cop_store *s = csv(rows[i].text, NULL, &rows[i].w);
		if (!s) fail_msg("%s: %s", rows[i].text, cop_error_text(cx));
		assert_int_equal(s->d.x.dim[0], rows[i].columns);
		int32_t n = rows[i].regress ? s->d.targets : s->d.classes;
		const char *const *name = rows[i].regress ? s->d.target_name : s->d.class_name;
		for (int k = 0; k < n; k++) snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", k ? " " : "", name[k]);
		if (strcmp(names, rows[i].names)) fail_msg("%s: '%s', '%s' was expected", rows[i].text, names, rows[i].names);
		for (int k = 0; n && k < s->d.count * (rows[i].regress ? n : 1); k++)
			if ((rows[i].regress ? s->target[k] : (float)s->label[k]) != rows[i].want[k]) fail_msg("%s: number %d", rows[i].text, k);
		cop__store_free(s);
	}
}

/* Whole numbers of which many differ are a regression; as many rows of few are classes. A test part does as its training part did. */
static void test_csv_many(void **state)
{
	(void)state;
	for (int values = 20; values <= 22; values++) {
		char text[4000];
		size_t at = 0;
		for (int i = 0; i < 209; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d\n", i, i % values);
		cop_store *s = csv(text, NULL, &(cop_want){0}), *t = csv("5,3\n6,7\n", s, &(cop_want){0});
		assert_int_equal(s->d.targets, values > 20);
		assert_int_equal(s->d.classes, values > 20 ? 0 : values);
		assert_int_equal(strstr(s->note, "regression") != NULL, values > 20);
		assert_int_equal(t->d.targets, values > 20);
		if (values == 20) assert_int_equal(t->label[1], 7);
		cop__store_free(t);
		cop__store_free(s);
	}
	cop_error_clear(cx);
	assert_null(csv("1,2\n1,x\n", NULL, &(cop_want){.task = COP_TASK_REGRESS}));
	assert_says(cx, "'x' of row 2 is no number");
	cop_error_clear(cx);
	assert_null(csv("1,2\n", NULL, &(cop_want){.target = "price"}));
	assert_says(cx, "no column 'price'");
	cop_error_clear(cx);
}

/* P6 and P5, and as digits P3 and P2, by hand: a red, a white, a grey and a black pixel; as grey by the weights of Rec. 601. */
static void test_ppm(void **state)
{
	static const char p6[] = "P6 # a comment\n2 2\n255\n\xff\0\0\xff\xff\xff\x80\x80\x80\0\0\0", p5[] = "P5\n2 1\n15\n\x0f\x03";
	static const char p3[] = "P3\n2 2 255\n255 0 0\t255 255 255\n# grey\n128 128 128\n0 0 0", p2[] = "P2 2 1 15 15 3", bad[] = "P2 2 1 15 15 x3";
	cop_blob b;
	cop_pixels p;

	(void)state;
	cop__blob_view(&b, cx, "p.ppm", p6, sizeof p6 - 1);
	assert_int_equal(cop__pixels_parse(&p, &b, 0), COP_OK);
	assert_true(p.h == 2 && p.w == 2 && p.channels == 3);
	assert_memory_equal(p.data, p6 + sizeof p6 - 1 - 12, 12);
	cop__pixels_free(cx, &p);
	assert_int_equal(cop__pixels_parse(&p, &b, 1), COP_OK);
	assert_memory_equal(p.data, "\x4c\xff\x80\0", 4);
	cop__pixels_free(cx, &p);
	cop__blob_view(&b, cx, "p.pgm", p5, sizeof p5 - 1);
	assert_int_equal(cop__pixels_parse(&p, &b, 3), COP_OK);
	assert_memory_equal(p.data, "\xff\xff\xff\x33\x33\x33", 6);
	cop__pixels_free(cx, &p);
	cop__blob_view(&b, cx, "digits.ppm", p3, sizeof p3 - 1);
	assert_int_equal(cop__pixels_parse(&p, &b, 0), COP_OK);
	assert_true(p.h == 2 && p.w == 2 && p.channels == 3);
	assert_memory_equal(p.data, p6 + sizeof p6 - 1 - 12, 12);
	cop__pixels_free(cx, &p);
	cop__blob_view(&b, cx, "digits.pgm", p2, sizeof p2 - 1);
	assert_int_equal(cop__pixels_parse(&p, &b, 3), COP_OK);
	assert_memory_equal(p.data, "\xff\xff\xff\x33\x33\x33", 6);
	cop__pixels_free(cx, &p);
	cop__blob_view(&b, cx, "bad.pgm", bad, sizeof bad - 1);
	assert_int_equal(cop__pixels_parse(&p, &b, 1), COP_FORMAT);
	assert_says(cx, "pixel 2 of 2");
	for (size_t n = 0; n < sizeof p3 - 1; n++) { /* cut anywhere */
		cop__blob_view(&b, cx, "digits.ppm", p3, n);
		cop_error_clear(cx);
		assert_int_equal(cop__pixels_parse(&p, &b, 0), COP_FORMAT);
	}
	for (size_t n = 0; n < sizeof p6 - 1; n++) { /* cut anywhere */
		cop__blob_view(&b, cx, "p.ppm", p6, n);
		cop_error_clear(cx);
		assert_int_equal(cop__pixels_parse(&p, &b, 0), COP_FORMAT);
	}
	cop_error_clear(cx);
}

static void test_cifar(void **state)
{
	(void)state;
	bytes f = good_cifar();
	cop_blob b = view(&f, "x");
	cop_store *s;
	const int32_t dim[3] = {32, 32, 3};
	float x[3072];
	int32_t label;
	assert_int_equal(cop__store_new(&s, cx, "x"), COP_OK);
	assert_int_equal(cop__store_shape(s, 3, dim, false), COP_OK);
	assert_int_equal(cop__store_room(s, 1), COP_OK);
	assert_int_equal(cop__cifar_parse(s, 0, &b, 1, 1), COP_OK); /* the second record */
	assert_int_equal(s->d.get(s->d.ud, 0, x, &label), COP_OK);
	assert_int_equal(label, 4);
	for (int p = 0; p < 1024; p++)
		for (int c = 0; c < 3; c++)
			assert_true(x[3 * p + c] == (float)(c * 100 + (c * 1024 + p) % 7 + 1) / 255.0f);
	assert_int_equal(s->d.get(s->d.ud, 1, x, &label), COP_ARG);
	assert_int_equal(cop__cifar_parse(s, 0, &b, 1, 2), COP_FORMAT);
	cop_error_clear(cx);
	cop__store_free(s);
	drop(&f);
}

/* A bomb: 1 MiB of zeros is allowed to become 1000 bytes. */
static void test_unpack_cap(void **state)
{
	(void)state;
	uint8_t *zeros = calloc(1 << 20, 1);
	bytes f = gzip_of(zeros, 1 << 20);
	cop_blob b = view(&f, "big.gz"), again = b;
	cop_status st = cop__blob_unpack(&b, 1000);
	if (st && lacking(cx)) print_message("skipped: %s\n", cop_error_text(cx));
	else {
		assert_int_equal(st, COP_FORMAT);
		assert_says(cx, "big.gz: unpacks to more than 1000 bytes");
		assert_int_equal(cop__blob_unpack(&again, 1 << 20), COP_OK);
		assert_int_equal(again.size, 1 << 20);
	}
	cop_error_clear(cx);
	cop__blob_free(&again);
	drop(&f);
	free(zeros);
}

static void test_splits(void **state)
{
	(void)state;
	const struct { int split; int32_t limit, from, count;
	} rows[] = {{COP_SPLIT_TRAIN, 0, 0, 55000}, {COP_SPLIT_VALID, 0, 55000, 5000},
	        {COP_SPLIT_TRAIN | COP_SPLIT_VALID, 0, 0, 60000}, {COP_SPLIT_TEST, 0, 0, 60000},
	        {COP_SPLIT_VALID, 10, 55000, 10}, {COP_SPLIT_TRAIN, 1 << 30, 0, 55000}};
	int32_t from, count, order[120], seen[120] = {0};
	for (int i = 0; i < LEN(rows); i++) {
		cop_want w = {.split = rows[i].split, .limit = rows[i].limit};
		cop__split_range(&from, &count, &w, 60000);
		assert_int_equal(from, rows[i].from);
		assert_int_equal(count, rows[i].count);
	}
	/* mixed: the parts share nothing and leave nothing out */
	static const int parts[] = {COP_SPLIT_TRAIN, COP_SPLIT_VALID, COP_SPLIT_TEST};
	for (int i = 0; i < 3; i++) {
		cop_want w = {.split = parts[i]};
		cop__split_mixed(order, &from, &count, &w, 120);
		for (int32_t k = from; k < from + count; k++) seen[order[k]]++;
		assert_int_equal(count, i == 0 ? 92 : i == 1 ? 8 : 20);
	}
	for (int i = 0; i < 120; i++) assert_int_equal(seen[i], 1);
}

/* Tones whose coefficients were computed with NumPy from the formulas at the head of mfcc.c. */
static void test_mfcc(void **state)
{
	(void)state;
	int16_t v[8000];
	for (int i = 0; i < 8000; i++) v[i] = (int16_t)((i * 37 % 200 - 100) * 50); /* a saw with no libm in it */
	bytes f = wav_of(v, 6000, 8000, 1);
	cop_blob b = view(&f, "saw.wav");
	cop_sound s;
	cop_status st = cop__wav_parse(&s, &b);
	if (st && lacking(cx)) {
		print_message("skipped: %s\n", cop_error_text(cx));
		cop_error_clear(cx);
		drop(&f);
		return;
	}
	assert_int_equal(st, COP_OK);
	assert_int_equal(s.rate, 8000);
	assert_int_equal(s.count, 6000);
	float c[COP_MFCC_FRAMES * COP_MFCC_COEFFS];
	assert_int_equal(cop__mfcc(c, cx, &s), COP_OK);
	static const float want[3][10] = {
#include "data/mfcc.inc"
	};
	static const int frame[3] = {0, 20, 48};
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 10; k++) assert_float_equal(c[frame[i] * 10 + k], want[i][k], 2e-4);
	cop__sound_free(cx, &s);
	drop(&f);
}

/* Half a megabyte of gzip that stands for 80 MiB of zeros: a zero, and copies of 258 bytes one back (RFC 1951, fixed codes). */
static void bombs(void **state)
{
	static const uint8_t head[10] = {0x1f, 0x8b, 8};
	static const char begin[] = "110" "00110000", copy[] = "1100010100000"; /* last block, fixed codes; literal 0; length 258, distance 1 */
	size_t n = 80 * (1 << 20) / 258, bits = sizeof begin - 1 + 13 * n, bit = 0;
	uint8_t *file = calloc(1, 10 + bits / 8 + 1);
	cop_ctx *cx;
	cop_blob b;

	(void)state;
	assert_non_null(file);
	assert_int_equal(cop_ctx_new(&cx, NULL), COP_OK);
	memcpy(file, head, sizeof head);
	for (; bit < bits; bit++) {
		char c = bit < sizeof begin - 1 ? begin[bit] : copy[(bit - sizeof begin + 1) % 13];
		if (c == '1') file[10 + bit / 8] |= (uint8_t)(1 << bit % 8);
	}
	cop__blob_view(&b, cx, "bomb.gz", file, 10 + bits / 8 + 1);
	cop_status st = cop__blob_unpack(&b, 0);
	assert_true(st != COP_OK);
	assert_true(strstr(cop_error_text(cx), "unpacks to more than 67108864 bytes") || strstr(cop_error_text(cx), "no zlib"));
	cop__blob_free(&b);
	cop_ctx_free(cx);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bombs), cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_sentences),
	        cmocka_unit_test(test_idx),
	        cmocka_unit_test(test_npy),
	        cmocka_unit_test(test_csv), cmocka_unit_test(test_csv_targets), cmocka_unit_test(test_csv_many), cmocka_unit_test(test_ppm),
	        cmocka_unit_test(test_cifar),
	        cmocka_unit_test(test_unpack_cap),
	        cmocka_unit_test(test_splits),
	        cmocka_unit_test(test_mfcc),
	};
	cop_ctx_new(&cx, NULL);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	cop_ctx_free(cx);
	return rc;
}
