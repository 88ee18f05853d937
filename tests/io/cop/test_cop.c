/* SPDX-License-Identifier: Apache-2.0
 *
 * The .cop container: models and checkpoints come back whole; a damaged file is refused with a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/cop/checkpoint.h"
#include "op/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static cop_vid encoded(cop_graph *g, const char *name, cop_enc enc, int32_t rows, int32_t cols)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(rows, cols));
	float *w = calloc((size_t)(rows * cols), sizeof *w);
	void *blob;

	for (int i = 0; i < rows * cols; i++)
		w[i] = cop__rand(1, 1, (uint64_t)i) % 5 ? 0 : (float)(cop__rand(1, 2, (uint64_t)i) % 9) - 4;
	assert_int_equal(cop__encode(&blob, &t.enc_bytes, g->cx, enc, w, rows, cols), COP_OK);
	t.enc = enc;
	cop_vid v = cop__data(g, COP_PARAM, name, &t, blob);
	cop__free(g->cx, blob);
	free(w);
	return v;
}

/* Every role, every encoding, a tensor without data; scale shifts the state, so that two graphs differ. */
static cop_graph *model(cop_ctx *cx, float scale)
{
	cop_graph *g;
	cop_type mat = cop__type(COP_F32, 2, DIMS(3, 4)), ints = cop__type(COP_I32, 1, DIMS(3));
	float w[12];

	for (int i = 0; i < 12; i++) w[i] = scale * (float)i / 7;
	assert_int_equal(cop__graph_new(&g, cx, "tiny"), COP_OK);
	cop_vid x = cop__input(g, "x", &mat);
	assert_true(cop__data(g, COP_PARAM, "a.w", &mat, w));
	assert_true(encoded(g, "p.w", COP_PALETTE, 10, 13));
	assert_true(encoded(g, "s.w", COP_SPARSE, 20, 31));
	assert_true(cop__data(g, COP_CONST, "table", &ints, DIMS(5, -6, 7)));
	cop_vid m = cop__data(g, COP_STATE, "a.w.m", &mat, NULL);
	g->value[m].of = cop__find(g, "a.w");
	assert_int_equal(cop__output(g, cop__apply(g, OP_clip, &(cop_act_attr){0, 6}, VIDS(x)), "y"), COP_OK);
	return g;
}

static bool same(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v];
		if (x->role < COP_CONST) continue;
		cop_vid f = cop__find(b, x->name);
		const cop_value *y = &b->value[f];
		if (!f || x->role != y->role || cop_type_bytes(&x->type) != cop_type_bytes(&y->type) ||
		        !x->data != !y->data)
			return false;
		if (x->data && memcmp(x->data, y->data, cop_type_bytes(&x->type))) return false;
	}
	return a->n_value == b->n_value && a->n_node == b->n_node;
}

static cop_text bytes_of(const cop_graph *g, const cop_number *number, int n, cop_codec codec)
{
	cop_text t;
	cop__text_init(&t, g->cx);
	assert_int_equal(cop__model_write(&t, g, number, n, codec), COP_OK);
	return t;
}

static void test_round_trip(void **state)
{
	cop_graph *g = model(*state, 1), *again;

	for (int k = 0; k <= COP_CODEC_AUTO; k++) {
		if (k == COP_N_CODEC) continue;
		cop_text t = bytes_of(g, NULL, 0, (cop_codec)k), u;
		assert_int_equal(cop_model_read(&again, *state, t.data, t.len), COP_OK);
		assert_true(same(g, again));
		u = bytes_of(again, NULL, 0, (cop_codec)k); /* writing again gives the same file */
		assert_int_equal(t.len, u.len);
		assert_memory_equal(t.data, u.data, t.len);
		print_message("%s: %zu bytes\n", cop__codec_text((cop_codec)k), t.len);
		cop_graph_free(again);
		cop__text_free(&t);
		cop__text_free(&u);
	}
	cop_graph_free(g);
}

static void test_file(void **state)
{
	char path[64];
	cop_graph *g = model(*state, 1), *again;
	size_t size, bytes;
	void *p;

	snprintf(path, sizeof path, "test_cop_%ld.cop", (long)getpid());
	assert_int_equal(cop_model_save(g, path), COP_OK);
	assert_int_equal(cop_model_load(&again, *state, path), COP_OK);
	assert_true(same(g, again));
	assert_int_equal(cop__model_size(&size, g), COP_OK);
	assert_int_equal(cop_file_read(&p, &bytes, *state, path, 0), COP_OK);
	assert_int_equal(size, bytes);
	cop_free(*state, p);
	cop_graph_free(again);
	cop_graph_free(g);
	remove(path);
	assert_int_equal(cop_model_load(&again, *state, path), COP_IO);
	assert_null(again);
	cop_error_clear(*state);
}

static void damage(void **state, cop_codec codec)
{
	cop_graph *g = model(*state, 1), *again;
	cop_text t = bytes_of(g, NULL, 0, codec);

	for (size_t n = 0; n < t.len; n++) {
		char *cut = malloc(n + 1);
		memcpy(cut, t.data, n);
		assert_int_not_equal(cop_model_read(&again, *state, cut, n), COP_OK);
		assert_null(again);
		assert_string_not_equal(cop_error_text(*state), "");
		cop_error_clear(*state);
		free(cut);
	}
	for (size_t b = 0; b < t.len * 8; b++) {
		t.data[b / 8] ^= (char)(1 << b % 8);
		if (!cop_model_read(&again, *state, t.data, t.len)) { /* an upper-case hexadecimal digit is no damage */
			assert_true(same(g, again));
			cop_graph_free(again);
		}
		cop_error_clear(*state);
		t.data[b / 8] ^= (char)(1 << b % 8);
	}
	cop__text_add(&t, "x");
	assert_int_equal(cop_model_read(&again, *state, t.data, t.len), COP_FORMAT);
	cop_error_clear(*state);
	cop__text_free(&t);
	cop_graph_free(g);
}

/* In blobs, and packed. */
static void test_damage(void **state)
{
	damage(state, COP_CODEC_RANGE);
	damage(state, COP_CODEC_AUTO);
}

/* A packed file with a right checksum and wrong contents: an answer, whatever it is; one that is longer is refused. */
static void test_packed_lies(void **state)
{
	enum { HEAD = 14 };
	cop_graph *g = model(*state, 1), *again;
	cop_text t = bytes_of(g, NULL, 0, COP_CODEC_AUTO);
	int refused = 0;

	assert_memory_equal(t.data, "coppice 3\n", 10);
	const size_t whole = t.len;
	cop__text_add(&t, "more than the coder reads ahead");
	uint8_t *p = (uint8_t *)t.data;
	cop__put32(p + 10, cop__crc32c(p + HEAD, t.len - HEAD, 0));
	assert_int_equal(cop_model_read(&again, *state, p, t.len), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(*state), "goes on behind the last tensor"));
	cop_error_clear(*state);
	for (size_t b = HEAD * 8; b < whole * 8; b += 7) { /* every bit of a byte, some bytes later */
		p[b / 8] ^= (uint8_t)(1 << b % 8);
		cop__put32(p + 10, cop__crc32c(p + HEAD, whole - HEAD, 0));
		cop_status st = cop_model_read(&again, *state, p, whole);
		refused += st != COP_OK;
		if (!st) cop_graph_free(again);
		else assert_string_not_equal(cop_error_text(*state), "");
		cop_error_clear(*state);
		p[b / 8] ^= (uint8_t)(1 << b % 8);
	}
	for (size_t n = HEAD + 1; n < whole - 4; n++) { /* cut short */
		cop__put32(p + 10, cop__crc32c(p + HEAD, n - HEAD, 0));
		cop_status st = cop_model_read(&again, *state, p, n); /* past the end come zeros: near it they may make another network */
		if (!st) cop_graph_free(again);
		if (!st && n < whole / 2) fail_msg("%zu of %zu bytes are enough", n, whole);
		cop_error_clear(*state);
	}
	assert_true(refused > 0);
	cop__text_free(&t);
	cop_graph_free(g);
}

/* Right checksums, wrong contents. */
static void test_lies(void **state)
{
	static const struct {
		const char *text, *blobs, *says;
	} lies[] = {
	        {"param w f32[40000,50000] sparse 90\n", "\x00\x01\x03\x00", "cannot stand for"},
	        {"param w f32[40000,50000]\n", "\x00\x01\x00\x00", "cannot hold"},
	        {"param w f32[2,2]\n", "\x00\x01\x00\x00", "1 bytes are stored, its type takes 16"},
	        {"param w f32[2,2]\n", "\x01\x01\x00\x00", "has no value"},
	        {"param w f32[2,2]\n", "\x00\x01\x09\x00", "unknown coder 9"},
	        {"param w f32[2,2]\n", "\x00\x01\x02\x00", "by a version before the first release"}, /* of before the first release */
	        {"param w f32[2,2] sparse 50\n", NULL, "is sparse, but not stored"},
	};
	for (int i = 0; i < LEN(lies); i++) {
		cop_graph *g;
		cop_text t;
		uint8_t crc[4];
		cop__text_init(&t, *state);
		cop__text_add(&t, "coppice 1\ngraph g\ninput x f32[1,2]\n%sy = clip x\noutput y\n", lies[i].text);
		cop__text_add(&t, "blobs %d %08x\n", lies[i].blobs != NULL, cop__crc32c(t.data, t.len, 0));
		if (lies[i].blobs) {
			cop__text_bytes(&t, lies[i].blobs, 4);
			cop__put32(crc, cop__crc32c(lies[i].blobs, 4, 0));
			cop__text_bytes(&t, crc, 4);
		}
		assert_int_equal(cop_model_read(&g, *state, t.data, t.len), COP_FORMAT);
		print_message("%s\n", cop_error_text(*state));
		assert_non_null(strstr(cop_error_text(*state), lies[i].says));
		cop_error_clear(*state);
		cop__text_free(&t);
	}
}

/* A code that the codebook just has, and one that it just has not. */
static void test_codes(void **state)
{
	const cop_type two = cop__type(COP_F32, 1, DIMS(2)), four = cop__type(COP_U8, 2, DIMS(2, 2));

	for (uint8_t last = 1; last <= 2; last++) {
		cop_graph *g, *again;
		assert_int_equal(cop__graph_new(&g, *state, "tiny"), COP_OK);
		cop_vid book = cop__data(g, COP_CONST, "book", &two, (float[]){0, 3}), codes = cop__data(g, COP_CONST, "codes", &four, (uint8_t[]){0, 1, 0, last});
		assert_int_equal(cop__output(g, cop__apply(g, OP_palette, NULL, VIDS(book, codes)), "y"), COP_OK);
		cop_text t = bytes_of(g, NULL, 0, COP_CODEC_AUTO);
		assert_int_equal(cop_model_read(&again, *state, t.data, t.len), last == 1 ? COP_OK : COP_FORMAT);
		if (last == 2) assert_non_null(strstr(cop_error_text(*state), "'codes' holds code 2, the codebook has 2 entries"));
		cop_error_clear(*state);
		cop_graph_free(again);
		cop_graph_free(g);
		cop__text_free(&t);
	}
}

/* A shift that kernels can do, and one that is too far. */
static void test_shifts(void **state)
{
	const cop_type x = cop__type(COP_I8, 4, DIMS(1, 1, 1, 1)), one = cop__type(COP_I32, 1, DIMS(1)), two = cop__type(COP_I32, 2, DIMS(2, 1));
	const cop_qconv_attr a = {.sh = 1, .sw = 1, .dh = 1, .dw = 1, .groups = 1, .qlo = -128, .qhi = 127};

	for (int32_t shift = 31; shift <= 32; shift++) {
		cop_graph *g, *again;
		assert_int_equal(cop__graph_new(&g, *state, "tiny"), COP_OK);
		cop_vid w = cop__data(g, COP_CONST, "w", &x, (int8_t[]){1}), b = cop__data(g, COP_CONST, "b", &one, (int32_t[]){0}), m = cop__data(g, COP_CONST, "m", &two, (int32_t[]){5, shift});
		assert_int_equal(cop__output(g, cop__apply(g, OP_qconv, &a, VIDS(cop__input(g, "x", &x), w, b, m)), "y"), COP_OK);
		cop_text t = bytes_of(g, NULL, 0, COP_CODEC_AUTO);
		assert_int_equal(cop_model_read(&again, *state, t.data, t.len), shift == 31 ? COP_OK : COP_FORMAT);
		if (shift == 32) assert_non_null(strstr(cop_error_text(*state), "'m' shifts by 32, it may be -31 to 31"));
		cop_error_clear(*state);
		cop_graph_free(again);
		cop_graph_free(g);
		cop__text_free(&t);
	}
}

#define TWO(a, b) "teacher\t" a "\nteacher\t" b "\n"

/* What a run was given against what this one is given, and what the sentence says. */
static void whose(cop_ctx *cx, const char *path)
{
	static const struct { const char *run, *but, *says; bool differs; } row[] = {
		{"lr\t0.1\nseed\t5\nnetwork\tone\n" TWO("a", "b"), NULL, NULL, false},
		{TWO("a", "b") "network\tone\nseed\t5\nlr\t0.1\n", NULL, NULL, false},
		{"network\tone\nseed\t5\nlr\t0.1\n" TWO("a", "c"), NULL, "made with teacher b, this run has c", false},
		{"network\tone\nseed\t5\nlr\t0.1\n" TWO("b", "a"), NULL, "made with teacher a, this run has b", false},
		{"network\tone\nseed\t5\nlr\t0.1\nteacher\ta\n", NULL, "made with teacher b, this run has none", false},
		{"network\tone\nseed\t5\nlr\t0.1\nteacher\ta\n" TWO("b", "b"), NULL, "made with teacher none, this run has b", false},
		{"network\tone\nlr\t0.1\n", NULL, "made with seed 5, this run has none", false},
		{"network\ttwo\nlr\t0.1\n", "network", "made with seed 5, this run has none", false},
		{"lr\t0.10\nseed\t5\n", NULL, "made with lr 0.1, this run has 0.10", false},
		{"lr\t0.\n", NULL, "made with lr 0.1, this run has 0.;", false},
		{"lr\t0.1\nseed\t6\nnetwork\ttwo\n", "network", "made with seed 5, this run has 6", false},
		{"lr\t0.1\nseed\t5\nnetwork\ttwo\n" TWO("a", "b"), "network", NULL, true},
		{"lr\t0.1\nseed\t5\nnetwork\ttwo\n", NULL, "made with network one, this run has two", false},
		{"recipe\tx\n", NULL, "made with recipe none, this run has x", false}};
	bool there, differs;
	FILE *f;

	for (int i = 0; i < LEN(row); i++) {
		cop_status st = cop__checkpoint_find(&there, &differs, cx, path, row[i].run, row[i].but);
		if ((st == COP_ARG) != (row[i].says != NULL) || !there || (!st && differs != row[i].differs)) fail_msg("%d: %s", i, cop_error_text(cx));
		if (st && !strstr(cop_error_text(cx), row[i].says)) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
	}
	assert_int_equal(cop__checkpoint_find(&there, &differs, cx, "nothing here", row[0].run, NULL), COP_OK);
	assert_false(there);
	assert_non_null(f = fopen("foreign file", "wb"));
	fputs("coppice 1\nnumber epoch 1\ngraph x\n", f);
	fclose(f);
	assert_int_equal(cop__checkpoint_find(&there, &differs, cx, "foreign file", row[0].run, NULL), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(cx), "left alone"));
	cop_error_clear(cx);
	assert_int_equal(cop_checkpoint_remove(cx, "foreign file"), COP_OK);
	assert_int_equal(remove("foreign file"), 0); /* it was left */
}

static void test_checkpoint(void **state)
{
	char path[64];
	cop_graph *g = model(*state, 1), *h = model(*state, -3), *model_of;
	static const char run[] = "lr\t0.1\nseed\t5\nnetwork\tone\n" TWO("a", "b"), note[] = "any\0bytes\nblobs 0 0\n";
	cop_number put[] = {{.name = "epoch", .i = 12}, {.name = "best", .real = true, .f = 0.1}, {.name = "note", .text = note, .size = sizeof note}, {.name = "seed", .i = INT64_MIN}, {.name = "loss", .real = true, .f = 3},
		{.name = "none", .text = "", .size = 0}};
	cop_number got[] = {{.name = "loss"}, {.name = "seed"}, {.name = "best"}, {.name = "epoch"}, {.name = "note"}, {.name = "none"}}, more[] = {{.name = "momentum"}};

	snprintf(path, sizeof path, "test_checkpoint_%ld", (long)getpid());
	assert_int_equal(cop__checkpoint_write(path, g, run, put, LEN(put)), COP_OK);
	assert_int_equal(cop__checkpoint_read(path, h, got, LEN(got)), COP_OK);
	assert_true(same(g, h));
	assert_true(got[0].real && got[0].f == 3 && got[2].real && got[2].f == 0.1);
	assert_true(!got[1].real && got[1].i == INT64_MIN && got[3].i == 12);
	assert_true(got[4].size == sizeof note && !memcmp(got[4].text, note, sizeof note) && got[5].text && got[5].size == 0);
	whose(*state, path);
	assert_int_equal(cop__checkpoint_read(path, h, more, 1), COP_FORMAT);
	cop_error_clear(*state);
	assert_int_equal(cop_model_load(&model_of, *state, "./no such file"), COP_IO);
	cop_error_clear(*state);
	cop_type t = cop__type(COP_F32, 1, DIMS(4));
	assert_true(cop__data(h, COP_STATE, "extra", &t, NULL));
	assert_int_equal(cop__checkpoint_read(path, h, NULL, 0), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(*state), "'extra'"));
	cop_error_clear(*state);
	cop_graph_free(g);
	cop_graph_free(h);
	remove(path);
}

static int setup(void **state)
{
	return cop_ctx_new((cop_ctx **)state, NULL);
}
static int teardown(void **state)
{
	cop_ctx_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_file),
	        cmocka_unit_test(test_damage), cmocka_unit_test(test_packed_lies), cmocka_unit_test(test_lies), cmocka_unit_test(test_codes), cmocka_unit_test(test_shifts), cmocka_unit_test(test_checkpoint)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
