/* SPDX-License-Identifier: Apache-2.0
 *
 * The encodings in memory and the coders of files: what goes in comes out, byte for byte, and damage is noticed
 * or harmless, never a crash and never a large allocation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/cop/codec.h"
#include "io/cop/mix.h"

#include <stdio.h>
#include <stdlib.h>

/* An allocator that remembers the largest piece. */
static size_t largest;
static void *counting(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud, (void)osize;
	if (nsize > largest) largest = nsize;
	if (nsize) return realloc(p, nsize);
	free(p);
	return NULL;
}

static int setup(void **state)
{
	const cop_alloc a = {counting, NULL};
	return cop_ctx_new((cop_ctx **)state, &a);
}
static int teardown(void **state)
{
	cop_ctx_free(*state);
	return 0;
}

/* name, shape, levels (0: all different), share of kept elements, kind of mask */
enum mask { RANDOM, LAST_ONLY, EMPTY_ROWS, EVERY_300TH, MINUS_ZERO, ALL };
static const struct row {
	const char *name;
	int32_t rows, cols;
	int levels;
	double density;
	enum mask mask;
	float step; /* 0: irregular levels */
} rows[] = {
        {"random", 31, 77, 17, 0.2, RANDOM, 0},
        {"grid", 40, 100, 9, 0.1, RANDOM, 0.03125f},
        {"wide grid", 64, 300, 200, 0.3, RANDOM, 0.01f},
        {"256 levels", 50, 200, 256, 0.9, RANDOM, 0},
        {"all zero", 20, 500, 4, 0, RANDOM, 0},
        {"one symbol", 20, 50, 2, 1, ALL, 0},
        {"two of each", 20, 50, 2, 0.5, RANDOM, 0},
        {"empty rows", 30, 64, 5, 0.3, EMPTY_ROWS, 0},
        {"last element", 3, 70000, 3, 0, LAST_ONLY, 0},
        {"gaps over 255", 7, 5000, 5, 0, EVERY_300TH, 0},
        {"one row", 1, 999, 6, 0.05, RANDOM, 0},
        {"one column", 999, 1, 6, 0.05, RANDOM, 0},
        {"one element", 1, 1, 2, 1, ALL, 0},
        {"minus zero", 8, 8, 4, 0.5, MINUS_ZERO, 0},
        {"f32 values", 133, 165, 0, 0.1, RANDOM, 0},
        {"f32 values, dense", 33, 65, 0, 1, ALL, 0},
};

static float *make(const struct row *r, int64_t count)
{
	float *w = malloc(sizeof *w * (size_t)count), level[256] = {0};

	for (int i = 1; i < r->levels; i++)
		level[i] = r->step ? r->step * (float)(i - r->levels / 2) : cop__rand_normal(1, 1, (uint64_t)i);
	if (r->step && r->levels) level[r->levels / 2] = level[1];
	for (int64_t i = 0; i < count; i++) {
		bool keep = cop__rand_unit(2, 2, (uint64_t)i) < r->density;
		if (r->mask == LAST_ONLY) keep = i == count - 1;
		if (r->mask == EVERY_300TH) keep = i % 300 == 299;
		if (r->mask == EMPTY_ROWS) keep = keep && (i / r->cols) % 4 == 1;
		w[i] = keep ? r->levels ? level[1 + cop__rand(3, 3, (uint64_t)i) % (uint32_t)(r->levels - 1)]
		                        : cop__rand_normal(4, 4, (uint64_t)i)
		            : 0;
		if (r->mask == MINUS_ZERO && !keep) w[i] = -0.0f;
	}
	return w;
}

static cop_type type_of(const struct row *r, cop_enc enc, uint32_t bytes)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(r->rows, r->cols));
	t.enc = enc;
	t.enc_bytes = bytes;
	return t;
}

static bool equal_floats(const float *a, const float *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (a[i] != b[i]) return false;
	return true;
}

/* dense -> blob -> dense; the blob passes its own check */
static void test_blobs(void **state)
{
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++)
		for (cop_enc enc = COP_PALETTE; enc <= COP_SPARSE; enc++) {
			int64_t n = (int64_t)rows[i].rows * rows[i].cols;
			float *w = make(&rows[i], n), *again = calloc((size_t)n, sizeof *again);
			void *blob;
			uint32_t bytes;
			cop_status st = cop__encode(&blob, &bytes, cx, enc, w, rows[i].rows, rows[i].cols);
			if (enc == COP_PALETTE && !rows[i].levels) {
				assert_int_equal(st, COP_ARG);
				cop_error_clear(cx);
			} else {
				assert_int_equal(st, COP_OK);
				cop_type t = type_of(&rows[i], enc, bytes);
				assert_int_equal(cop__blob_check(cx, "w", &t, blob), COP_OK);
				assert_int_equal(cop__decode(again, cx, "w", &t, blob), COP_OK);
				assert_true(equal_floats(w, again, n));
				assert_int_equal(bytes % 4, 0);
			}
			cop__free(cx, blob);
			free(w);
			free(again);
		}
}

static void store_and_restore(cop_ctx *cx, const struct row *r, const cop_type *t, const void *data)
{
	size_t size[COP_N_CODEC + 2] = {0}, bytes = cop_type_bytes(t);
	void *again = malloc(bytes + 1);

	for (int k = 0; k <= COP_CODEC_AUTO; k++) {
		cop_text s;
		cop_codec used = (cop_codec)k;
		if (k == COP_N_CODEC) continue;
		cop__text_init(&s, cx);
		assert_int_equal(cop__store(&s, &used, cx, t, data), COP_OK);
		memset(again, 0x5a, bytes);
		assert_int_equal(cop__restore(again, cx, "w", t, used, (uint8_t *)s.data, s.len), COP_OK);
		assert_memory_equal(again, data, bytes);
		size[k] = s.len;
		/* an encoded tensor is always codable; so is a dense one without -0 */
		if (k < COP_N_CODEC && (t->enc != COP_DENSE || r->mask != MINUS_ZERO) && (r->levels || r->density < 1))
			assert_int_equal(used, k);
		cop__text_free(&s);
	}
	for (int k = 0; k < COP_N_CODEC; k++) assert_true(size[COP_CODEC_AUTO] <= size[k]);
	print_message("%-18s %-8s raw %7zu  huffman %7zu  range %7zu\n", r->name, cop__enc_text(t->enc), size[0],
	        size[1], size[2]);
	free(again);
}

static void test_round_trip(void **state)
{
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		float *w = make(&rows[i], (int64_t)rows[i].rows * rows[i].cols);
		cop_type t = type_of(&rows[i], COP_DENSE, 0);
		store_and_restore(cx, &rows[i], &t, w);
		for (cop_enc enc = COP_PALETTE; enc <= COP_SPARSE; enc++) {
			void *blob;
			uint32_t bytes;
			if (!cop__encode(&blob, &bytes, cx, enc, w, rows[i].rows, rows[i].cols)) {
				t = type_of(&rows[i], enc, bytes);
				store_and_restore(cx, &rows[i], &t, blob);
			}
			cop_error_clear(cx);
			cop__free(cx, blob);
		}
		free(w);
	}
}

/* Cut at every byte, every bit turned, and random bytes: an answer, whatever it is, within the memory allowed. */
static void attack(cop_ctx *cx, const cop_type *t, cop_codec codec, const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len + 1), *out = malloc(cop_type_bytes(t) + 1);
	int caught = 0;

	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1); /* exact, for the address sanitizer */
		memcpy(cut, p, n);
		caught += cop__restore(out, cx, "w", t, codec, cut, n) != COP_OK;
		cop_error_clear(cx);
		free(cut);
	}
	assert_true(!len || caught > 0);
	for (size_t b = 0; b < len * 8; b++) {
		memcpy(copy, p, len);
		copy[b / 8] ^= (uint8_t)(1 << b % 8);
		cop__restore(out, cx, "w", t, codec, copy, len);
		cop_error_clear(cx);
	}
	for (uint32_t k = 0; k < 300; k++) {
		for (size_t n = 0; n < len; n++) copy[n] = n || k % 2 ? (uint8_t)cop__rand(k, 1, n) : p[0];
		cop__restore(out, cx, "w", t, codec, copy, len);
		cop_error_clear(cx);
	}
	free(copy);
	free(out);
}

/* Int8 weights of which a part is zero; the file of half of them is smaller than the file of all. */
static void test_bytes(void **state)
{
	static const int percent[] = {100, 90, 70, 50, 9, 0};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_I8, 4, DIMS(30, 3, 3, 16)), few = cop__type(COP_I8, 2, DIMS(9, 31));
	int8_t q[30 * 9 * 16], again[sizeof q];
	size_t last = sizeof q + 1;

	for (int i = 0; i < LEN(percent); i++) {
		for (size_t j = 0; j < sizeof q; j++) q[j] = (int8_t)(cop__rand(5, 1, j) % 100 < (uint32_t)percent[i] ? cop__rand(5, 2, j) % 256 : 0);
		for (int k = 0; k <= COP_CODEC_AUTO; k++) {
			cop_text s;
			cop_codec used = (cop_codec)k;
			if (k == COP_N_CODEC) continue;
			cop__text_init(&s, cx);
			assert_int_equal(cop__store(&s, &used, cx, &t, q), COP_OK);
			if (percent[i] > 80) assert_int_equal(used, COP_CODEC_RAW); /* nothing to gain */
			assert_int_equal(cop__restore(again, cx, "w", &t, used, (uint8_t *)s.data, s.len), COP_OK);
			assert_memory_equal(again, q, sizeof q);
			if (k == COP_CODEC_AUTO) {
				assert_true(percent[i] > 80 || s.len < last);
				last = s.len;
			}
			cop__text_free(&s);
			cop__text_init(&s, cx);
			used = (cop_codec)k;
			assert_int_equal(cop__store(&s, &used, cx, &few, q), COP_OK);
			if (i == 4 && k && k < COP_N_CODEC) attack(cx, &few, used, (uint8_t *)s.data, s.len);
			cop__text_free(&s);
		}
	}
	/* a codebook of other numbers than int8 */
	float w[64] = {1000, 0, 1000, -1000};
	cop_type real = cop__type(COP_F32, 1, DIMS(64)), bytes = cop__type(COP_I8, 1, DIMS(64));
	cop_codec used = COP_CODEC_RANGE;
	cop_text s;
	cop__text_init(&s, cx);
	assert_int_equal(cop__store(&s, &used, cx, &real, w), COP_OK);
	assert_int_equal(used, COP_CODEC_RANGE);
	assert_int_equal(cop__restore(again, cx, "w", &bytes, used, (uint8_t *)s.data, s.len), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(cx), "is no int8"));
	cop_error_clear(cx);
	cop__text_free(&s);
}

/* Weights of few bits, several to a byte and rows that end within one: those whose values need no more than four fifths of the bits are coded, of int8 half of them. */
static void test_few_bits(void **state)
{
	enum { ROWS = 40, COLS = 9 };
	static const struct { cop_dtype type; uint32_t levels; cop_codec least; const char *wrong; } rows[] = {{COP_I4, 3, COP_CODEC_HUFFMAN, "is no int4"},
		{COP_I4, 7, COP_CODEC_HUFFMAN, "is no int4"}, {COP_I4, 15, COP_CODEC_RAW, "is no int4"}, {COP_I2, 3, COP_CODEC_HUFFMAN, "is no int2"}, {COP_I2, 4, COP_CODEC_RAW, "is no int2"},
		{COP_I8, 16, COP_CODEC_HUFFMAN, "is no int8"}, {COP_I8, 40, COP_CODEC_RAW, "is no int8"}};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		const int bits = cop__dtype_bits(rows[i].type), each = 8 / bits, row = (COLS + each - 1) / each, sign = 1 << (bits - 1);
		const cop_type t = cop__type(rows[i].type, 3, DIMS(4, ROWS / 4, COLS)), few = cop__type(rows[i].type, 1, DIMS(64)), real = cop__type(COP_F32, 1, DIMS(64));
		uint8_t q[ROWS * COLS] = {0}, again[sizeof q];
		float w[64] = {(float)sign, 0, (float)sign}; /* one more than the largest */
		cop_codec used = COP_CODEC_AUTO;
		cop_text s;
		assert_int_equal(cop_type_bytes(&t), ROWS * row);
		for (int j = 0; j < ROWS * COLS; j++) {
			int v = (int)(cop__rand(5, 3, (uint64_t)j) % rows[i].levels) - (int)rows[i].levels / 2;
			q[j / COLS * row + j % COLS / each] |= (uint8_t)((v & (2 * sign - 1)) << j % COLS % each * bits);
			assert_int_equal(cop__whole_at(&t, q, j), v);
		}
		cop__text_init(&s, cx);
		assert_int_equal(cop__store(&s, &used, cx, &t, q), COP_OK);
		assert_true(rows[i].least == COP_CODEC_RAW ? used == COP_CODEC_RAW : used != COP_CODEC_RAW && s.len < (size_t)(ROWS * row));
		memset(again, 255, sizeof again);
		assert_int_equal(cop__restore(again, cx, "w", &t, used, (uint8_t *)s.data, s.len), COP_OK);
		assert_memory_equal(again, q, ROWS * row);
		if (used) attack(cx, &t, used, (uint8_t *)s.data, s.len);
		cop__text_free(&s);
		used = COP_CODEC_RANGE;
		cop__text_init(&s, cx);
		assert_int_equal(cop__store(&s, &used, cx, &real, w), COP_OK);
		assert_int_equal(cop__restore(again, cx, "w", &few, used, (uint8_t *)s.data, s.len), COP_FORMAT);
		assert_non_null(strstr(cop_error_text(cx), rows[i].wrong));
		cop_error_clear(cx);
		cop__text_free(&s);
	}
}

/* A blob that our encoder would not have written is kept as it is. */
static void test_foreign_blob(void **state)
{
	/* palette of 2 levels in 8-bit codes */
	uint8_t blob[8 + 8 + 4] = {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63, 0, 1, 1, 0}, again[20];
	cop_type t = cop__type(COP_F32, 2, DIMS(2, 2));
	cop_codec used = COP_CODEC_RANGE;
	cop_text s;

	t.enc = COP_PALETTE;
	t.enc_bytes = sizeof blob;
	cop__text_init(&s, *state);
	assert_int_equal(cop__store(&s, &used, *state, &t, blob), COP_OK);
	assert_int_equal(used, COP_CODEC_RAW);
	assert_int_equal(cop__restore(again, *state, "w", &t, used, (uint8_t *)s.data, s.len), COP_OK);
	assert_memory_equal(again, blob, sizeof blob);
	cop__text_free(&s);
}

static void test_damage(void **state)
{
	static const struct row small[] = {{"random", 9, 31, 5, 0.3, RANDOM, 0},
	        {"grid", 9, 31, 9, 0.3, RANDOM, 0.125f}, {"all zero", 5, 20, 4, 0, RANDOM, 0},
	        {"f32 values", 19, 131, 0, 0.15, RANDOM, 0}, {"gaps", 3, 700, 3, 0, EVERY_300TH, 0},
	        {"one symbol", 3, 9, 2, 1, ALL, 0}};
	cop_ctx *cx = *state;

	largest = 0;
	for (int i = 0; i < LEN(small); i++) {
		float *w = make(&small[i], (int64_t)small[i].rows * small[i].cols);
		for (cop_enc enc = COP_PALETTE; enc <= COP_SPARSE; enc++) {
			void *blob;
			uint32_t bytes;
			if (cop__encode(&blob, &bytes, cx, enc, w, small[i].rows, small[i].cols)) {
				cop_error_clear(cx);
				continue;
			}
			cop_type t = type_of(&small[i], enc, bytes);
			for (int k = 0; k < COP_N_CODEC; k++) {
				cop_text s;
				cop_codec used = (cop_codec)k;
				cop__text_init(&s, cx);
				assert_int_equal(cop__store(&s, &used, cx, &t, blob), COP_OK);
				attack(cx, &t, used, (uint8_t *)s.data, s.len);
				cop__text_free(&s);
			}
			cop__free(cx, blob);
		}
		free(w);
	}
	assert_true(largest < 1 << 16);
}

/* A type of 2^31 elements over ten bytes is refused before anything is allocated for it. */
static void test_cap(void **state)
{
	uint8_t p[10] = {0}, out[64];
	cop_type t = cop__type(COP_F32, 2, DIMS(40000, 50000));

	t.enc = COP_SPARSE;
	t.enc_bytes = 64;
	largest = 0;
	for (uint32_t codec = 1; codec < 4; codec++) {
		assert_int_equal(cop__restore(out, *state, "w", &t, codec, p, sizeof p), COP_FORMAT);
		assert_string_not_equal(cop_error_text(*state), "");
		cop_error_clear(*state);
	}
	assert_true(largest < 1000);
}

/* An adaptive coder must come close to the entropy: 0.2 kept, 15 even levels: 0.722 + 0.2 * 3.907 bits. */
static void test_size(void **state)
{
	const struct row r = {"entropy", 400, 500, 16, 0.2, RANDOM, 0.01f};
	float *w = make(&r, 200000);
	cop_type t = type_of(&r, COP_DENSE, 0);
	cop_codec used = COP_CODEC_RANGE;
	cop_text s;
	double kept = 0.2,
	       bits = -(kept * __builtin_log2(kept) + 0.8 * __builtin_log2(0.8)) + kept * __builtin_log2(14);

	cop__text_init(&s, *state);
	assert_int_equal(cop__store(&s, &used, *state, &t, w), COP_OK);
	print_message("range coder: %zu bytes, entropy %.0f\n", s.len, bits * 200000 / 8);
	assert_true((double)s.len < bits * 200000 / 8 * 1.01 + 8 + 16);
	cop__text_free(&s);
	free(w);
}

/* The coder itself: what is coded comes back, a stream takes what the probabilities say and 8 bytes, and one that is cut is noticed. */
static void test_length(void **state)
{
	enum { BITS = 200000 };
	/* how likely a 1 is said to be, and is; the last three are wrong about it all the time */
	static const struct { uint32_t said, is; } rows[] = {{32768, 32768}, {COP_MIX_LEAST, COP_MIX_LEAST}, {60000, 60000}, {300, 300}, {0, 32768}, {65536 - COP_MIX_LEAST, 0}, {COP_MIX_LEAST, 65536}, {65000, 30000}};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(rows); i++) {
		double ideal = 0;
		cop_text t;
		cop_range r;
		int wrong = 0;
		cop__text_init(&t, cx);
		cop__range_encoder(&r, &t);
		for (int k = 0; k < 2 * BITS; k++) {
			uint32_t p = rows[i].said ? rows[i].said : 20 + cop__rand(5, 1, (uint64_t)(k % BITS)) % 65000, is = rows[i].said ? rows[i].is : p;
			int bit = cop__rand(6, (uint32_t)i, (uint64_t)(k % BITS)) % 65536 < is;
			if (k < BITS) ideal -= __builtin_log2((bit ? p : 65536 - p) / 65536.0) / 8, cop__range_code(&r, p, bit);
			if (k == BITS - 1) cop__range_end(&r), cop__range_decoder(&r, (const uint8_t *)t.data, t.len);
			if (k >= BITS) wrong += cop__range_code(&r, p, 0) != bit;
		}
		if (wrong || cop__range_over(&r) || (double)t.len > ideal * 1.001 + 8) fail_msg("row %d: %zu bytes, %.1f by the probabilities, %d wrong", i, t.len, ideal, wrong);
		cop__range_decoder(&r, (const uint8_t *)t.data, t.len / 2);
		for (int k = 0; k < BITS; k++) cop__range_code(&r, rows[i].said ? rows[i].said : 20 + cop__rand(5, 1, (uint64_t)k) % 65000, 0);
		if (t.len > 40) assert_true(cop__range_over(&r));
		cop__text_free(&t);
	}
}

/* Mixed estimates: no worse than the better of two by more than one percent, although one of them is noise; two thirds of what is left is learned from agreement. */
static void test_mix(void **state)
{
	enum { BITS = 100000 };
	cop_guess good[4], noise[64];
	cop_mixer m;
	cop_text t;
	cop_range r;
	double ideal = 0;

	for (int i = 0; i < 4; i++) good[i] = cop__guess(32768);
	for (int i = 0; i < 64; i++) noise[i] = cop__guess(32768);
	cop__mixer_begin(&m, 2, 16);
	cop__text_init(&t, *state);
	cop__range_encoder(&r, &t);
	for (int k = 0; k < BITS; k++) {
		static const double share[4] = {0.01, 0.1, 0.5, 0.97};
		int context = (int)(cop__rand(1, 1, (uint64_t)k) % 4), bit = cop__rand_unit(2, 2, (uint64_t)k) < share[context];
		cop_guess *of[2] = {&good[context], &noise[cop__rand(3, 3, (uint64_t)k) % 64]};
		cop__mix_bit(&r, &m, of, 2, bit);
		ideal -= __builtin_log2(bit ? share[context] : 1 - share[context]) / 8;
	}
	cop__range_end(&r);
	if ((double)t.len > ideal * 1.02 + 8) fail_msg("%zu bytes, %.0f by the source", t.len, ideal);
	cop__text_free(&t);
}

/* ---- streams written by hand from the descriptions in codec.c, codec_huffman.c and huffman.c: files of before stay readable ---- */

/* "1 01 1" as bytes, first bit highest. */
static size_t bits_of(uint8_t *to, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ') continue;
		if (n % 8 == 0) to[n / 8] = 0;
		to[n / 8] |= (uint8_t)((*text - '0') << (7 - n % 8));
		n++;
	}
	return (n + 7) / 8;
}

static void by_hand(void **state)
{
	static const struct {
		uint8_t head[18];
		int n_head;
		const char *bits;
		float want[10];
	} rows[] = {
	        /* entry 0 is 0 and left out, then 1.5 and -7; lengths 1, 2, 2: 0 is 0, 1 is 10, 2 is 11 */
	        {{2, 2, 0, 0, 0xc0, 0x3f, 0, 0, 0xe0, 0xc0}, 10, "1110001 10 0  10 0 11 11 10 0 0 10 11 0",
	                {1.5f, 0, -7, -7, 1.5f, 0, 0, 1.5f, -7, 0}},
	        /* the same with distances of 2 bits, four entries; lengths 2, 1, 2: 1 is 0, 0 is 10, 2 is 11. Element 9 needs a filler */
	        {{2 | 2 << 3, 2, 0, 0, 0xc0, 0x3f, 0, 0, 0xe0, 0xc0, 4}, 11, "1110010 110 10  1110010 0 0 0  01 0 00 11 11 10 10 0",
	                {0, 1.5f, -7, 0, 0, 0, 0, 0, 0, 1.5f}},
	        /* lengths 3, 3, 2, 2, 2: the first difference is taken from 4; 2 is 00, 3 is 01, 4 is 10, 0 is 110, 1 is 111 */
	        {{2, 4, 0, 0, 0xc0, 0x3f, 0, 0, 0xe0, 0xc0, 0, 0, 0, 0x40, 0, 0, 0x80, 0x3f}, 18, "110 0 110 0 0  110 111 00 01 10 110 00 10 01 111",
	                {0, 1.5f, -7, 2, 1, 0, -7, 1, 2, 1.5f}},
	};
	const cop_type t = cop__type(COP_F32, 2, DIMS(2, 5));

	for (int i = 0; i < LEN(rows); i++) {
		uint8_t stored[40];
		float got[10];
		memcpy(stored, rows[i].head, (size_t)rows[i].n_head);
		size_t len = (size_t)rows[i].n_head + bits_of(stored + rows[i].n_head, rows[i].bits);
		assert_int_equal(cop__restore(got, *state, "w", &t, COP_CODEC_HUFFMAN, stored, len), COP_OK);
		assert_memory_equal(got, rows[i].want, sizeof got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_blobs, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_few_bits, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_foreign_blob, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_cap, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_size, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_length, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_mix, setup, teardown),
	        cmocka_unit_test_setup_teardown(by_hand, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
