/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of enc.def: what is encoded comes back, in memory, through every coder of files and through the kernels; a blob that is cut
 * short or has a bit turned over is refused or does no harm (run it under the address sanitizer, too); its length and the elements it keeps
 * are those that are counted here; the page of formats has its layout. A new row is tested by standing there.
 */
#include "help.h"

#include "enc/enc.h"
#include "io/cop/codec.h"
#include "pass/pass.h"

enum { FEW, MANY, RARE, ZEROS, SAME, THIRDS, KINDS }; /* numbers: 13 of them; all different; 2 % of 13; none; one; 3 of its own in each third */
static const int32_t shapes[][2] = {{1, 1}, {3, 7}, {6, 40}, {2, 1200}, {5, 64}, {9, 1}};

static void fill(float *w, int64_t n, int kind)
{
	for (int64_t i = 0; i < n; i++) {
		float any = cop__rand_normal(1, 7, (uint64_t)i), few = 0.25f * (float)(cop__rand(1, 8, (uint64_t)i) % 13) - 1;
		bool rare = cop__rand_unit(1, 9, (uint64_t)i) < 0.02f;
		if (kind == THIRDS) w[i] = 1 + 0.25f * (float)(cop__rand(1, 8, (uint64_t)i) % 3 + (uint64_t)(3 * i / n) * 5);
		else w[i] = kind == MANY ? any : kind == SAME ? -1.5f : kind == FEW || (kind == RARE && rare) ? few : 0;
		if (kind == RARE && i % 5 == 4) w[i] = -0.0f;
	}
}

static int32_t different(const float *w, int64_t n)
{
	int32_t d = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t j = 0;
		while (j < i && w[j] != w[i]) j++;
		d += j == i;
	}
	return d;
}

static cop_type type_of(cop_enc e, uint32_t bytes, int32_t rows, int32_t cols)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(rows, cols));

	t.enc = e;
	t.enc_bytes = e == COP_DENSE ? 0 : bytes;
	return t;
}

/* What came back, by numbers: the same, or as near as 8 bits come to the largest of the row. */
static void near(const cop_encoding *enc, const float *got, const float *w, int32_t rows, int32_t cols, const char *what)
{
	for (int32_t r = 0; r < rows; r++) {
		float most = 0;
		for (int32_t i = 0; i < cols; i++) most = fmaxf(most, fabsf(w[r * cols + i]));
		float far = enc->flags & COP_ENC_EXACT ? 0 : most / 253;
		for (int32_t i = 0; i < cols; i++)
			if (!(fabsf(got[r * cols + i] - w[r * cols + i]) <= far)) fail_msg("%s: row %d, column %d is %g, was %g", what, r, i, (double)got[r * cols + i], (double)w[r * cols + i]);
	}
}

static void through_files(cop_ctx *cx, const cop_type *t, const void *blob, const char *what)
{
	size_t bytes = cop_type_bytes(t);
	uint8_t *again = malloc(bytes + 1);

	for (cop_codec k = COP_CODEC_RAW; k <= COP_CODEC_AUTO; k++) {
		cop_codec used = k;
		cop_text s;
		if (k == COP_N_CODEC) continue;
		cop__text_init(&s, cx);
		OK(cx, cop__store(&s, &used, cx, t, blob));
		memset(again, 0x55, bytes);
		OK(cx, cop__restore(again, cx, what, t, used, (const uint8_t *)s.data, s.len));
		if (memcmp(again, blob, bytes)) fail_msg("%s: other bytes come back from a file under %s", what, cop__codec_text(used));
		cop__text_free(&s);
	}
	free(again);
}

static void round_trip(cop_ctx *cx, cop_enc e, int kind, int32_t rows, int32_t cols)
{
	const cop_encoding *enc = cop__enc(e);
	int64_t n = (int64_t)rows * cols, kept = 0;
	float *w = malloc(4 * (size_t)n), *got = malloc(4 * (size_t)n);
	char what[80];
	void *blob, *again;
	uint32_t bytes, more;

	fill(w, n, kind);
	snprintf(what, sizeof what, "%s of %d x %d, kind %d", cop__enc_text(e), rows, cols, kind);
	if (cop__encode(&blob, &bytes, cx, e, w, rows, cols)) { /* a codebook alone may have no room */
		if (e == COP_VECTORS ? kind != MANY || n <= 2 * COP_MAX_LEVELS : e != COP_PALETTE || different(w, n) <= COP_MAX_LEVELS - 1) fail_msg("%s: %s", what, cop_error_text(cx));
		assert_null(blob);
		cop_error_clear(cx);
		free(w), free(got);
		return;
	}
	cop_type t = type_of(e, bytes, rows, cols);
	if (bytes % 4 || bytes != enc->bytes(blob, rows, cols)) fail_msg("%s: is %u bytes long, should be %zu", what, bytes, enc->bytes(blob, rows, cols));
	OK(cx, cop__blob_check(cx, what, &t, blob));
	OK(cx, cop__decode(got, cx, what, &t, blob));
	near(enc, got, w, rows, cols, what);
	for (int64_t i = 0; i < n; i++) kept += got[i] != 0;
	if (cop__enc_kept(&t, blob) != kept) fail_msg("%s: keeps %lld elements, says %lld", what, (long long)kept, (long long)cop__enc_kept(&t, blob));
	if (enc->flags & COP_ENC_EXACT) { /* equal numbers, equal bytes */
		OK(cx, cop__encode(&again, &more, cx, e, got, rows, cols));
		if (e != COP_DENSE && (more != bytes || memcmp(again, blob, bytes))) fail_msg("%s: the same numbers give other bytes", what);
		cop__free(cx, again);
	}
	through_files(cx, &t, blob, what);
	cop__free(cx, blob);
	free(w), free(got);
}

static void comes_back(void **state)
{
	for (cop_enc e = 0; e < COP_N_ENC; e++)
		for (int s = 0; s < LEN(shapes); s++)
			for (int kind = 0; kind < KINDS; kind++) round_trip(*state, e, kind, shapes[s][0], shapes[s][1]);
}

/* ---- kernels ---- */

typedef struct reader { int op; int32_t x[4], w[4], groups; } reader;
static const reader readers[] = {
	{OP_fc, {3, 24}, {6, 24}, 1}, {OP_conv, {2, 5, 6, 4}, {6, 3, 3, 4}, 1}, {OP_conv, {2, 5, 6, 4}, {6, 3, 3, 2}, 2}, {OP_conv, {1, 5, 5, 6}, {6, 2, 3, 1}, 6}};

/* One node that reads w as its weights; *n: which. */
static cop_graph *net(cop_ctx *cx, const reader *r, const cop_type *t, const void *w, cop_nid *n)
{
	int32_t rank = r->op == OP_fc ? 2 : 4;
	const cop_conv_attr conv = {1, 2, 1, 0, 1, 2, 1, 1, r->groups, -2, COP_NO_HI};
	const cop_act_attr fc = {-2, COP_NO_HI};
	cop_type xt = cop__type(COP_F32, rank, r->x), bt = cop__type(COP_F32, 1, r->w);
	float bias[64];
	cop_graph *g;

	for (int i = 0; i < LEN(bias); i++) bias[i] = 0.125f * (float)i;
	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = cop__input(g, "x", &xt), v = cop__data(g, COP_PARAM, "w", t, w), b = cop__data(g, COP_PARAM, "b", &bt, bias);
	g->value[v].data = w; /* where it lies: what reads on is seen */
	*n = cop__node(g, r->op, r->op == OP_fc ? (const void *)&fc : &conv, 3, (const cop_vid[]){x, v, b});
	OK(cx, cop__output(g, cop__res(g, *n, 0), "y"));
	return g;
}

static void run(cop_ctx *cx, cop_graph *g, uint32_t isa, float *y)
{
	cop_tensor x, out;
	cop_host h;

	OK(cx, cop__host_open(&h, &g, 1, isa, 2));
	OK(cx, cop_session_io(h.s, 0, 0, false, &x));
	fill_value(g, g->input[0], x.data, 3);
	OK(cx, cop_session_run(h.s, 0));
	OK(cx, cop_session_io(h.s, 0, 0, true, &out));
	if (y) memcpy(y, out.data, cop_type_bytes(&out.type));
	cop__host_close(&h);
}

static cop_type weight_of(const reader *r, cop_enc e, uint32_t bytes)
{
	cop_type t = cop__type(COP_F32, r->op == OP_fc ? 2 : 4, r->w);

	t.enc = e;
	t.enc_bytes = e == COP_DENSE ? 0 : bytes;
	return t;
}

/* The portable kernels give the bits of those for dense weights; where the row says that nobody reads it so, a plan has it as plain numbers. */
static void read_by(cop_ctx *cx, cop_enc e, const reader *r, int kind)
{
	float w[512], dense[512], want[512], got[512];
	int32_t rows = r->w[0], cols = r->op == OP_fc ? r->w[1] : r->w[1] * r->w[2] * r->w[3];
	void *blob;
	uint32_t bytes;
	cop_nid n;

	fill(w, (int64_t)rows * cols, kind);
	OK(cx, cop__encode(&blob, &bytes, cx, e, w, rows, cols));
	cop_type t = weight_of(r, e, bytes), plain = weight_of(r, COP_DENSE, 0);
	OK(cx, cop__decode(dense, cx, "w", &t, blob));
	cop_graph *a = net(cx, r, &plain, dense, &n), *b = net(cx, r, &t, blob, &n);
	size_t y = cop_type_bytes(cop__outt(b, n, 0));
	run(cx, a, 0, want);
	run(cx, b, 0, got);
	if (memcmp(got, want, y)) fail_msg("%s read by a %s of %d groups: another result than with dense weights", cop__enc_text(e), cop_ops[r->op]->name, r->groups);
	run(cx, b, COP_ISA_ALL, got);
	for (size_t i = 0; i < y / 4; i++) assert_true(fabsf(got[i] - want[i]) <= 1e-4f * (1 + fabsf(want[i])));
	assert_true(e == COP_DENSE || !cop__enc_reads(e, b, n, 0)); /* nor as anything but weights */
	assert_true(e == COP_DENSE || !cop__enc_reads(e, b, n, 2));
	cop_graph_free(a);
	cop_graph_free(b);
	cop__free(cx, blob);
}

static void kernels_read_it(void **state)
{
	for (cop_enc e = 0; e < COP_N_ENC; e++)
		for (int i = 0; i < LEN(readers); i++)
			for (int kind = 0; kind < KINDS; kind++)
				if (kind != MANY || e != COP_PALETTE) read_by(*state, e, &readers[i], kind);
}

/* ---- damage ---- */

/* A blob of its own length: what reads on is seen by the address sanitizer. Kernels make of it what the decoder does. */
static void harmless(cop_ctx *cx, const cop_type *t, const uint8_t *blob, int32_t rows, int32_t cols)
{
	const reader r = {OP_fc, {1, cols}, {rows, cols}, 1};
	const cop_type plain = weight_of(&r, COP_DENSE, 0);
	float w[1024], want[64], got[64];
	cop_nid n;

	OK(cx, cop__decode(w, cx, "w", t, blob));
	int64_t kept = cop__enc_kept(t, blob);
	assert_true(kept >= 0 && kept <= (int64_t)rows * cols);
	cop_graph *g = net(cx, &r, t, blob, &n), *dense = net(cx, &r, &plain, w, &n);
	run(cx, g, 0, got);
	run(cx, dense, 0, want);
	for (int32_t i = 0; i < rows; i++)
		if (memcmp(&got[i], &want[i], 4) && !(isnan(got[i]) && isnan(want[i])))
			fail_msg("%s: row %d of a damaged blob gives %g, its numbers %g", cop__enc_text(t->enc), i, (double)got[i], (double)want[i]);
	cop_graph_free(dense);
	cop_graph_free(g);
}

/* Returns whether it was taken. */
static bool looked_at(cop_ctx *cx, cop_enc e, const void *bytes, uint32_t size, int32_t rows, int32_t cols)
{
	uint8_t *own = malloc(size ? size : 1);
	cop_type t = type_of(e, size, rows, cols);

	memcpy(own, bytes, size);
	cop_status st = cop__blob_check(cx, "f.cop: 'w'", &t, own);
	if (!st) harmless(cx, &t, own, rows, cols);
	else if (strncmp(cop_error_text(cx), "f.cop: 'w'", 10)) fail_msg("%s: the sentence names no place: %s", cop__enc_text(e), cop_error_text(cx));
	cop_error_clear(cx);
	free(own);
	return !st;
}

static void damaged(cop_ctx *cx, cop_enc e, int kind, int32_t rows, int32_t cols)
{
	float w[512];
	uint8_t *blob;
	uint32_t bytes;
	int refused = 0;

	fill(w, (int64_t)rows * cols, kind);
	OK(cx, cop__encode((void **)&blob, &bytes, cx, e, w, rows, cols));
	assert_true(looked_at(cx, e, blob, bytes, rows, cols));
	for (uint32_t size = 0; size < bytes; size++) /* the last word may be padding */
		if (looked_at(cx, e, blob, size, rows, cols) && size + 4 <= bytes) fail_msg("%s of %u bytes is taken with %u", cop__enc_text(e), bytes, size);
	for (uint32_t bit = 0; bit < 8 * bytes; bit++) {
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused += !looked_at(cx, e, blob, bytes, rows, cols);
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	print_message("%-8s kind %d: of %u bits %d are noticed\n", cop__enc_text(e), kind, 8 * bytes, refused);
	looked_at(cx, e, blob, bytes, rows + 1, cols); /* of another shape */
	assert_false(looked_at(cx, e, blob, bytes, rows + 20, cols));
	looked_at(cx, e, blob, bytes, rows, cols + 8);
	cop__free(cx, blob);
}

/* An entry that lies at the end of its row may not lie one further. */
static void behind_the_last_column(void **state)
{
	const float w[2 * 9] = {[3] = 1, [8] = 2, [9 + 4] = 1};
	uint32_t bytes;
	void *blob;

	OK(*state, cop__encode(&blob, &bytes, *state, COP_SPARSE, w, 2, 9));
	uint8_t *gap = (uint8_t *)(uintptr_t)cop_sparse_of(blob).gap;
	assert_int_equal(gap[1], 4);
	assert_true(looked_at(*state, COP_SPARSE, blob, bytes, 2, 9));
	gap[1]++;
	assert_false(looked_at(*state, COP_SPARSE, blob, bytes, 2, 9));
	cop__free(*state, blob);
}

/* Three vectors have codes of two bits: the fourth is none. */
static void behind_the_last_vector(void **state)
{
	const float w[2 * 4] = {1, 2, 3, 4, 5, 6, 1, 2};
	uint32_t bytes;
	void *blob;

	OK(*state, cop__encode(&blob, &bytes, *state, COP_VECTORS, w, 2, 4));
	cop_vectors_blob v = cop_vectors_of(blob, 4);
	assert_int_equal(v.code.levels, 3);
	assert_int_equal(v.width, 2);
	uint8_t *row = (uint8_t *)(uintptr_t)v.code.codes;
	assert_int_equal(row[0], 0 | 1 << 2);
	assert_int_equal(row[1], 2 | 0 << 2);
	assert_true(looked_at(*state, COP_VECTORS, blob, bytes, 2, 4));
	row[1] = 3;
	assert_false(looked_at(*state, COP_VECTORS, blob, bytes, 2, 4));
	cop__free(*state, blob);
}

/* Rows 0 and 1, 2 and 3, and 4 have three values of their own each: two bits a code, of which 0 is always the number 0. */
static void a_codebook_for_each_group(void **state)
{
	static const float want[] = {0, 1, 1.25f, 1.5f, 0, 2.25f, 2.5f, 2.75f, 0, -3, -2, 0};
	float w[5 * 64];
	uint32_t bytes;
	void *blob;

	for (int i = 0; i < 5 * 64; i++) w[i] = i / 64 == 4 ? -3 + (float)(i % 2) : 1 + 0.25f * (float)(i % 3 + i / 128 * 5);
	OK(*state, cop__encode(&blob, &bytes, *state, COP_PALETTE, w, 5, 64));
	assert_int_equal(bytes, 8 + sizeof want + 5 * 64 / 4);
	cop_palette_blob p = cop_palette_of(blob, 5, 64);
	assert_int_equal(p.levels, 4);
	assert_int_equal(p.bits, 2);
	assert_int_equal(p.per, 2);
	assert_memory_equal(p.book, want, sizeof want);
	for (int i = 0; i < 5 * 64; i++) assert_true(cop_palette_book(&p, i / 64)[cop_palette_code(&p, i / 64, i % 64)] == w[i]);
	assert_int_equal(p.codes[4 * 16], 1 | 2 << 2 | 1 << 4 | 2 << 6);
	const cop_type t = type_of(COP_PALETTE, bytes, 5, 64);
	for (cop_codec k = COP_CODEC_HUFFMAN; k < COP_N_CODEC; k++) { /* and no coder has to leave it as it is */
		cop_codec used = k;
		cop_text s;
		cop__text_init(&s, *state);
		OK(*state, cop__store(&s, &used, *state, &t, blob));
		assert_int_equal(used, k);
		assert_true(s.len < bytes);
		cop__text_free(&s);
	}
	uint8_t *per = (uint8_t *)blob + 5;
	for (int rows = 0; rows < 9; rows++) { /* of single rows there are more codebooks than bytes, and five are no group but all */
		*per = (uint8_t)rows;
		const bool taken = looked_at(*state, COP_PALETTE, blob, bytes, 5, 64);
		if (rows == 2 || rows == 1 || rows > 4) assert_int_equal(taken, rows == 2);
	}
	cop__free(*state, blob);
}

/* A scale that is no number would make all of a row none. */
static void scales_are_numbers(void **state)
{
	static const float bad[] = {INFINITY, -INFINITY, NAN};

	for (int i = 0; i < LEN(bad); i++) {
		const float scale[2] = {1, bad[i]};
		uint32_t bytes;
		void *blob;
		OK(*state, cop__encode_bytes(&blob, &bytes, *state, scale, (const int8_t[]){1, 2, 3, 4}, 2, 2));
		assert_false(looked_at(*state, COP_BYTES, blob, bytes, 2, 2));
		cop__free(*state, blob);
		assert_int_equal(cop__encode(&blob, &bytes, *state, COP_BYTES, (const float[]){1, bad[i]}, 1, 2), COP_ARG);
		assert_non_null(strstr(cop_error_text(*state), "number 1 is"));
		cop_error_clear(*state);
	}
}

static void refused_or_harmless(void **state)
{
	for (cop_enc e = COP_DENSE + 1; e < COP_N_ENC; e++) {
		damaged(*state, e, FEW, 5, 9);
		damaged(*state, e, e == COP_PALETTE ? SAME : MANY, 3, 6);
		damaged(*state, e, RARE, 2, 40);
		damaged(*state, e, THIRDS, 6, 40);
	}
}

/* ---- half floats ---- */

/* To the nearest, ties to even; every half float is its own. */
static void halves(void **state)
{
	/* IEEE 754-2008: ties to even, subnormals, the largest */
	static const struct { float f; uint16_t h; } row[] = {{0, 0}, {-0.0f, 0x8000}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {0.1f, 0x2e66}, {1.0f / 3, 0x3555}, {2049, 0x6800}, {2051, 0x6802},
		{5.9604645e-8f, 1}, {2.9e-8f, 0}, {6.1035156e-5f, 0x0400}, {6.0975552e-5f, 0x03ff}, {1e9f, 0x7bff}};
	(void)state;
	for (int i = 0; i < LEN(row); i++) assert_int_equal(cop__to_half(row[i].f), row[i].h);
	for (uint32_t h = 0; h < 65536; h++)
		if ((h >> 10 & 31) != 31) assert_int_equal(cop__to_half(cop_from_half(h)), h);
}

/* ---- the page ---- */

static void stands_on_the_page(void **state)
{
	void *page;
	size_t size;
	int lines = 0;
	char line[600];

	OK(*state, cop_file_read(&page, &size, *state, COP_SOURCE_DIR "/docs/formats.md", 0));
	char *text = malloc(size + 1);
	memcpy(text, page, size);
	text[size] = 0;
	for (cop_enc e = 0; e < COP_N_ENC; e++) {
		snprintf(line, sizeof line, "\n| `%s` | %s |\n", cop_enc_name(e), cop__enc(e)->layout);
		if (!strstr(text, line)) fail_msg("docs/formats.md has no line:%s", line);
	}
	const char *at = strstr(text, "| form | layout |");
	assert_non_null(at);
	for (; at && *at == '|'; at = strchr(at, '\n') + 1) lines++;
	assert_int_equal(lines, 2 + COP_N_ENC);
	assert_null(cop_enc_name(COP_N_ENC));
	assert_null(cop_enc_name(-1));
	free(text);
	cop_free(*state, page);
}

static int setup(void **state) { return cop_ctx_new((cop_ctx **)state, NULL); }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back), cmocka_unit_test(kernels_read_it), cmocka_unit_test(refused_or_harmless), cmocka_unit_test(behind_the_last_column), cmocka_unit_test(behind_the_last_vector), cmocka_unit_test(a_codebook_for_each_group), cmocka_unit_test(scales_are_numbers), cmocka_unit_test(halves),
		cmocka_unit_test(stands_on_the_page)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
