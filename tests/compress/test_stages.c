/* SPDX-License-Identifier: Apache-2.0
 *
 * The other stages of a recipe with known answers: the codebook of weights in heaps, the encoding of a weight that is made for one, and
 * training and quantisation, which have calls of their own.
 */
#include "compress/known.h"
#include "io/cop/codec.h"
#include "pass/pass.h"

static const int32_t four_labels[4] = {0, 1, 0, 1};

/* ---- share ---- */

static const float heaps[8] = {0, 1.25f, 1.5f, 1, 5, 5.5f, 4.5f, 0}, others[4] = {1, 2, -3, 4};

#define THIRD ((float)(7.0 / 3))

/* What a share with these options leaves of the weights a.w and b.w. */
typedef struct shared { const char *options; float a[8], b[4]; } shared;

static void check_shares(cop_ctx *cx, const float *a, const shared *row, int n)
{
	char stage[200];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, four_labels);

	if (!known_parts()) skip();
	for (int i = 0; i < n; i++) {
		cop_graph *g = known_net(cx, 4, 2, a, 2, others);
		snprintf(stage, sizeof stage, "- share: {%s, may_cost: 100, must_gain: 0}", row[i].options);
		OK(cx, known_compress(&g, stage, d, d, d, &known_args, NULL));
		known_is(g, "a.w", row[i].a, 8, stage);
		known_is(g, "b.w", row[i].b, 4, stage);
		cop_graph_free(g);
	}
}

static void share(void **state)
{
	static const shared rows[] = {
		{"levels: 3", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {THIRD, THIRD, -3, THIRD}}, /* {1, 2, 4} and {-3} */
		{"levels: 3, init: density", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {0, 0, 0, 4}}, /* from 1 and 4: {-3, 1, 2} and {4} */
		{"levels: 2", {0, 3.125f, 3.125f, 3.125f, 3.125f, 3.125f, 3.125f, 0}, {1, 1, 1, 1}},
		{"levels: {a.*: 2, b.w: 256}", {0, 3.125f, 3.125f, 3.125f, 3.125f, 3.125f, 3.125f, 0}, {1, 2, -3, 4}},
		{"levels: {b.w: 2}", {0, 1.25f, 1.5f, 1, 5, 5.5f, 4.5f, 0}, {1, 1, 1, 1}}, /* the others: 32 */
		{"layers: a.w, levels: 3", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {1, 2, -3, 4}},
		{"epochs: 2, lr: 1e-30, levels: 3, layers: a.*", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {1, 2, -3, 4}}, /* trained on, without moving */
		{"levels: 2, groups: 2", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {1.5f, 1.5f, 0.5f, 0.5f}}, /* a value for each row */
		{"levels: 2, groups: 9, epochs: 2, lr: 1e-30", {0, 1.25f, 1.25f, 1.25f, 5, 5, 5, 0}, {1.5f, 1.5f, 0.5f, 0.5f}},
	};
	check_shares(*state, heaps, rows, LEN(rows));
}

/* Vectors of two: that of zeros is its own, two become their mean, one is alone. Rows of two hold no vector of four: single values. */
static void share_vectors(void **state)
{
	static const float a[8] = {0, 0, 10, 1, 10, 3, -8, 4};
	static const shared rows[] = {
		{"levels: 3, vector: 2", {0, 0, 10, 2, 10, 2, -8, 4}, {1, 2, -3, 4}},
		{"levels: 3, vector: 2, epochs: 2, lr: 1e-30", {0, 0, 10, 2, 10, 2, -8, 4}, {1, 2, -3, 4}},
		{"levels: 3, vector: 4", {0, 0, 10, 1, 10, 3, -8, 4}, {THIRD, THIRD, -3, THIRD}},
		{"levels: 2, vector: 4", {5, 1.5f, 1, 2.5f, 5, 1.5f, 1, 2.5f}, {1, 1, 1, 1}},
	};
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, four_labels);

	check_shares(*state, a, rows, LEN(rows));
	cop_graph *g = known_net(*state, 4, 2, heaps, 2, others);
	assert_int_equal(known_compress(&g, "- prune: {keep: 0.5, schedule: once, epochs: 1, lr: 1e-30, may_cost: 100, must_gain: 0}\n- share: {vector: 2, may_cost: 100, must_gain: 0}", d, d, d, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "was pruned weight by weight"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* Centroids are trained: what was alike stays alike, zeros stay zeros, and the biases are trained along. */
static void share_and_train(void **state)
{
	cop_dataset *d;
	cop_graph *g;
	float w[6000], was[12], bias[12];

	if (!known_parts()) skip();
	OK(*state, cop_data_open(&d, *state, "synth-digits", "train", 64));
	OK(*state, cop_zoo_build(&g, *state, "mlp-784x6x10", &(cop_zoo_args){.seed = 3}));
	known_weight(was, g, "fc1.b");
	OK(*state, known_compress(&g, "- prune: {keep: 0.5, schedule: once, epochs: 1, may_cost: 100, must_gain: 0}", d, NULL, NULL, &known_args, NULL));
	known_weight(w, g, "fc1.w");
	int zeros = 0, still = 0, levels = 0;
	for (int i = 0; i < 784 * 6; i++) zeros += w[i] == 0;
	OK(*state, known_compress(&g, "- share: {levels: 5, epochs: 2, lr: 0.1, may_cost: 100, must_gain: 0}", d, NULL, NULL, &known_args, NULL));
	known_weight(w, g, "fc1.w");
	known_weight(bias, g, "fc1.b");
	float seen[16];
	for (int i = 0; i < 784 * 6; i++) {
		int k = 0;
		still += w[i] == 0;
		while (k < levels && seen[k] != w[i]) k++;
		if (k == levels) assert_true(levels < 5), seen[levels++] = w[i];
	}
	assert_int_equal(levels, 5);
	assert_int_equal(still, zeros);
	assert_memory_not_equal(bias, was, 6 * sizeof *bias);
	cop_graph_free(g);
	cop_data_free(d);
}

/* How many different values there are; and whether `among` has them all. */
static int values_of(float *seen, int n, const float *w, int count)
{
	for (int i = 0; i < count; i++) {
		int k = 0;
		while (k < n && seen[k] != w[i]) k++;
		if (k == n) seen[n++] = w[i];
	}
	return n;
}

/* Groups of rows have values of their own, the last group what is left; encoded, each has its codebook. */
static void share_by_groups(void **state)
{
	static const struct { const char *weight; int rows, cols, per; } layers[] = {{"fc1.w", 6, 784, 2}, {"fc2.w", 10, 6, 3}}; /* 4 groups: 2 2 2, and 3 3 3 1 */
	float w[6 * 784], again[6 * 784], all[64], seen[64];
	cop_dataset *d;
	cop_graph *g;

	if (!known_parts()) skip();
	OK(*state, cop_data_open(&d, *state, "synth-digits", "train", 64));
	OK(*state, cop_zoo_build(&g, *state, "mlp-784x6x10", &(cop_zoo_args){.seed = 3}));
	OK(*state, known_compress(&g, "- share: {levels: 4, groups: 4, epochs: 2, lr: 0.1, may_cost: 100, must_gain: 0}", d, NULL, NULL, &known_args, NULL));
	for (int i = 0; i < LEN(layers); i++) {
		int n = 0, sum = 0;
		known_weight(w, g, layers[i].weight);
		for (int r = 0; r < layers[i].rows; r += layers[i].per) {
			const float *row = w + r * layers[i].cols;
			int rows = COP_MIN(layers[i].per, layers[i].rows - r), own = values_of(seen, 0, row, rows * layers[i].cols);
			assert_in_range(own, 2, 3);
			sum += own;
			n = values_of(all, n, row, rows * layers[i].cols);
		}
		assert_int_equal(n, sum); /* no two groups share one */
	}
	known_weight(w, g, "fc1.w");
	OK(*state, known_compress(&g, "- encode: {may_cost: 100}", d, NULL, NULL, &known_args, NULL));
	const cop_type *t = cop__t(g, cop__find(g, "fc1.w"));
	assert_int_equal(t->enc, COP_PALETTE);
	assert_int_equal(cop_type_bytes(t), 8 + 3 * 4 * 4 + 6 * 784 / 4); /* three books of three values and 0; codes of two bits */
	known_weight(again, g, "fc1.w");
	assert_memory_equal(again, w, sizeof w);
	assert_int_equal(known_compress(&g, "- share: {groups: 2, vector: 2}", d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "vectors have one codebook a layer"));
	cop_error_clear(*state);
	cop_graph_free(g);
	cop_data_free(d);
}

/* ---- shift ---- */

static void shift(void **state)
{
	static const shared rows[] = {
		{"exponents: 7", {0, 1, 2, 1, 4, 4, 4, 0}, {1, 2, -4, 4}}, /* log2 of 1.5 and 5.5: 0.585 and 2.459; of 3: 1.585 */
		{"exponents: 1", {0, 0, 0, 0, 4, 4, 4, 0}, {0, 4, -4, 4}},
		{"exponents: 2, zeros: no, layers: a.w", {0, 2, 2, 2, 4, 4, 4, 0}, {1, 2, -3, 4}},
		{"apart: yes, exponents: 2", {0, 2, 2, 2, 4, 4, 4, 0}, {2, 2, -4, 4}},
		{"epochs: 2, lr: 1e-30, exponents: 7", {0, 1, 2, 1, 4, 4, 4, 0}, {1, 2, -4, 4}},
	};
	char stage[200];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, four_labels);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = known_net(*state, 4, 2, heaps, 2, others);
		snprintf(stage, sizeof stage, "- shift: {%s, may_cost: 100, must_gain: 0}", rows[i].options);
		OK(*state, known_compress(&g, stage, d, d, d, &known_args, NULL));
		known_is(g, "a.w", rows[i].a, 8, stage);
		known_is(g, "b.w", rows[i].b, 4, stage);
		cop_graph_free(g);
	}
}

/* ---- encode ---- */

enum { SIDE = 32 };

/* Zero or a half; one in each row that is not zero, all of those different; all different. */
static void made_for(float *two, float *sparse, float *dense)
{
	for (int i = 0; i < SIDE * SIDE; i++) {
		two[i] = cop__rand(1, 1, (uint64_t)i) & 1 ? 0.5f : 0;
		sparse[i] = i % SIDE == i / SIDE * 7 % SIDE ? 1 + (float)(i / SIDE) : 0;
		dense[i] = 1 + (float)i / 65536;
	}
}

static cop_graph *three(cop_ctx *cx, const float *a, const float *b, const float *c)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, SIDE));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "three"));
	cop_vid y = cop__input(g, "x", &t);
	y = known_fc(g, known_fc(g, known_fc(g, y, "a.w", SIDE, a), "b.w", SIDE, b), "c.w", SIDE, c);
	OK(cx, cop__output(g, y, "y"));
	return g;
}

/* PALETTE: two words, 2 reals, 32 rows of 32 bits. SPARSE: two words, 33 reals, 33 starts, 32 gaps, 32 codes (kernel/kernel.h). */
static void encodings(void **state)
{
	static const struct { const char *options; cop_enc a, b, c; } rows[] = {
		{"", COP_PALETTE, COP_SPARSE, COP_DENSE}, {"codec: smallest", COP_PALETTE, COP_SPARSE, COP_DENSE}, {"codec: raw", COP_PALETTE, COP_SPARSE, COP_DENSE},
		{"codec: huffman", COP_PALETTE, COP_SPARSE, COP_DENSE}, {"codec: range", COP_PALETTE, COP_SPARSE, COP_DENSE},
		{"layers: b.w", COP_DENSE, COP_SPARSE, COP_DENSE}, {"layers: '[!b]*|a.*'", COP_PALETTE, COP_DENSE, COP_DENSE},
	};
	static float two[SIDE * SIDE], sparse[SIDE * SIDE], dense[SIDE * SIDE];
	int32_t label[SIDE] = {0};
	char stage[200];
	known_set s;
	cop_dataset *d = known_samples(&s, SIDE, SIDE, SIDE, label);

	if (!known_parts()) skip();
	made_for(two, sparse, dense);
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = three(*state, two, sparse, dense);
		float w[SIDE * SIDE];
		snprintf(stage, sizeof stage, "- encode: {%s}", rows[i].options);
		OK(*state, known_compress(&g, stage, d, NULL, NULL, &known_args, NULL));
		const cop_type *a = cop__t(g, cop__find(g, "a.w")), *b = cop__t(g, cop__find(g, "b.w")), *c = cop__t(g, cop__find(g, "c.w"));
		if (a->enc != rows[i].a || b->enc != rows[i].b || c->enc != rows[i].c) fail_msg("%s: %s %s %s", stage, cop__enc_text(a->enc), cop__enc_text(b->enc), cop__enc_text(c->enc));
		if (a->enc) assert_int_equal(cop_type_bytes(a), 8 + 2 * 4 + 32 * 4);
		if (b->enc) assert_int_equal(cop_type_bytes(b), 8 + 33 * 4 + 33 * 4 + 32 + 32);
		assert_int_equal(cop_type_bytes(c), 32 * 32 * 4);
		known_weight(w, g, "a.w");
		assert_memory_equal(w, two, sizeof w);
		known_weight(w, g, "b.w");
		assert_memory_equal(w, sparse, sizeof w);
		known_weight(w, g, "c.w");
		assert_memory_equal(w, dense, sizeof w);
		cop_graph_free(g);
	}
}

/* Quadruples, no two with a number in common: 4 of them, or 80, which have more numbers than a palette holds. Three words, the reals, 32 rows of 8 codes. */
static void few_vectors(void **state)
{
	static const struct { uint32_t n; size_t bytes; } rows[] = {{4, 12 + 4 * 16 + 32 * 2}, {80, 12 + 80 * 16 + 32 * 8}};
	static float w[SIDE * SIDE], again[SIDE * SIDE];
	int32_t label[SIDE] = {0};
	known_set s;
	cop_dataset *d = known_samples(&s, SIDE, SIDE, SIDE, label);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		for (uint32_t k = 0; k < SIDE * SIDE; k++) w[k] = 1 + (float)((k / 4 < rows[i].n ? k / 4 : cop__rand(4, 4, k / 4) % rows[i].n) * 4 + k % 4);
		cop_graph *g = known_net(*state, SIDE, SIDE, w, 0, NULL);
		OK(*state, known_compress(&g, "- encode: {codec: raw}", d, NULL, NULL, &known_args, NULL));
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->enc, COP_VECTORS);
		assert_int_equal(cop_type_bytes(cop__t(g, cop__find(g, "a.w"))), rows[i].bytes);
		known_weight(again, g, "a.w");
		assert_memory_equal(again, w, sizeof w);
		cop_graph_free(g);
	}
}

/* No other encoding would be smaller in the file, or as small there and smaller in memory. */
static void smallest(void **state)
{
	static const struct { const char *word; cop_codec codec; } codecs[] = {{"smallest", COP_CODEC_AUTO}, {"huffman", COP_CODEC_HUFFMAN}, {"range", COP_CODEC_RANGE}, {"raw", COP_CODEC_RAW}};
	static float w[SIDE * SIDE];
	int32_t label[SIDE] = {0};
	char stage[100];
	known_set s;
	cop_dataset *d = known_samples(&s, SIDE, SIDE, SIDE, label);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(codecs) * 5; i++) {
		size_t file[COP_N_ENC], memory[COP_N_ENC];
		int part = 2 << i / LEN(codecs) * 2, chosen = 0, best = 0; /* one in 2, 8 ... 512 is not zero, of as many values */
		for (int k = 0; k < SIDE * SIDE; k++) w[k] = cop__rand(2, 2, (uint64_t)k) % (uint32_t)part ? 0 : 1 + (float)(cop__rand(3, 3, (uint64_t)k) % (uint32_t)part);
		cop_graph *g = known_net(*state, SIDE, SIDE, w, 0, NULL);
		snprintf(stage, sizeof stage, "- encode: {codec: %s, must_gain: 0}", codecs[i % LEN(codecs)].word);
		OK(*state, known_compress(&g, stage, d, NULL, NULL, &known_args, NULL));
		chosen = (int)cop__t(g, cop__find(g, "a.w"))->enc;
		for (int e = COP_DENSE; e < COP_N_ENC; e++) {
			cop_type t = cop__type(COP_F32, 2, DIMS(SIDE, SIDE));
			if (e && !(cop__enc((cop_enc)e)->flags & COP_ENC_EXACT)) continue;
			cop_codec codec = codecs[i % LEN(codecs)].codec;
			cop_text out;
			void *blob = NULL;
			t.enc = (cop_enc)e;
			file[e] = SIZE_MAX;
			if (e == COP_VECTORS && cop__encode(&blob, &t.enc_bytes, *state, (cop_enc)e, w, SIDE, SIDE)) { /* too many of them */
				cop_error_clear(*state);
				continue;
			}
			if (e && !blob) OK(*state, cop__encode(&blob, &t.enc_bytes, *state, (cop_enc)e, w, SIDE, SIDE));
			cop__text_init(&out, *state);
			OK(*state, cop__store(&out, &codec, *state, &t, e ? blob : w));
			file[e] = out.len, memory[e] = cop_type_bytes(&t);
			if (file[e] < file[best] || (file[e] == file[best] && memory[e] < memory[best])) best = e;
			cop__text_free(&out);
			cop__free(*state, blob);
		}
		if (file[chosen] != file[best] || memory[chosen] != memory[best]) fail_msg("%s, one in %d: encoding %d, but %d is smaller", stage, part, chosen, best);
		cop_graph_free(g);
	}
}

/* What only products can read encoded stays dense where anything else reads it: a filter of groups, a sum. A batch norm is folded first. */
static void readers(void **state)
{
	static const float ones[8 * 9] = {1, 1, 0, 1}, many[64] = {2, 2, 2, 0, 2};
	cop_type in = cop__type(COP_F32, 4, DIMS(1, 4, 4, 8)), t1 = cop__type(COP_F32, 4, DIMS(8, 1, 1, 8)), t2 = cop__type(COP_F32, 4, DIMS(8, 3, 3, 1)), t3 = cop__type(COP_F32, 2, DIMS(8, 8)), t4 = cop__type(COP_F32, 2, DIMS(4, 8));
	cop_conv_attr plain = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, by_channel = {1, 1, 1, 1, 1, 1, 1, 1, 8, COP_NO_LO, COP_NO_HI};
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g;
	known_set s;

	if (!known_parts()) skip();
	OK(*state, cop__graph_new(&g, *state, "readers"));
	cop_vid x = cop__apply(g, OP_conv, &plain, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "one", &t1, many)));
	x = cop__apply(g, OP_conv, &by_channel, VIDS(x, cop__data(g, COP_PARAM, "dw", &t2, ones)));
	cop_vid both = cop__data(g, COP_PARAM, "both", &t3, many), alone = cop__data(g, COP_PARAM, "alone", &t4, many);
	x = cop__apply(g, OP_add, &none, VIDS(x, cop__apply(g, OP_fc, &none, VIDS(alone, both))));
	OK(*state, cop__output(g, x, "y"));
	known_samples(&s, 2, 8, 0, NULL);
	s.d.x = cop__type(COP_F32, 3, DIMS(4, 4, 8));
	OK(*state, known_compress(&g, "- encode: {must_gain: 0}", &s.d, NULL, NULL, &known_args, NULL));
	assert_int_not_equal(cop__t(g, cop__find(g, "one"))->enc, COP_DENSE);
	assert_int_equal(cop__t(g, cop__find(g, "dw"))->enc, COP_DENSE);
	assert_int_equal(cop__t(g, cop__find(g, "alone"))->enc, COP_DENSE);
	assert_int_not_equal(cop__t(g, cop__find(g, "both"))->enc, COP_DENSE);
	cop_graph_free(g);
}

/* ---- train and quantize: the bits of cop_train and cop_quantize ---- */

static cop_graph *noise_net(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-16x8x3", &(cop_zoo_args){.classes = 3, .seed = 3}));
	return g;
}

static void train(void **state)
{
	static const struct { const char *options; cop_train_args a; } rows[] = {
		{"", {0}}, {"epochs: 3", {.epochs = 3}}, {"lr: 0.2", {.lr = 0.2f}}, {"update: adam", {.update = "adam"}}, {"schedule: constant", {.schedule = "constant"}},
		{"epochs: 2, lr: 0.1, update: sgd momentum=0.5, schedule: 'step:every=1,by=0.5'", {.epochs = 2, .lr = 0.1f, .update = "sgd momentum=0.5", .schedule = "step:every=1,by=0.5"}},
	};
	uint32_t stream = 1;
	char stage[200];
	cop_dataset set = known_noise(&stream, 40), *d = &set;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = noise_net(*state), *h = noise_net(*state), *first = noise_net(*state);
		cop_train_args a = known_args;
		if (rows[i].a.epochs) a.epochs = rows[i].a.epochs;
		if (rows[i].a.lr > 0) a.lr = rows[i].a.lr;
		a.update = rows[i].a.update;
		a.schedule = rows[i].a.schedule;
		OK(*state, cop_train(h, d, NULL, &a));
		snprintf(stage, sizeof stage, "- train: {%s, may_cost: 100, must_gain: 0}", rows[i].options);
		if (!*rows[i].options) snprintf(stage, sizeof stage, "- train: {may_cost: 100, must_gain: 0}");
		OK(*state, known_compress(&g, stage, d, NULL, NULL, &known_args, NULL));
		assert_memory_not_equal(cop__floats(g, cop__find(g, "fc1.w")), cop__floats(first, cop__find(first, "fc1.w")), 16);
		same_network(g, h, stage);
		cop_graph_free(g);
		cop_graph_free(h);
		cop_graph_free(first);
	}
}

static void quantize(void **state)
{
	static const struct { const char *options; cop_quantize_args a; } rows[] = {
		{"", {0}}, {"scheme: w8a8, range: mse, per: channel, round: nearest, symmetric: no", {0}}, {"scheme: w4a8", {.scheme = "w4a8", .round = "gptq"}}, {"scheme: w4a8, round: nearest", {.scheme = "w4a8", .round = "nearest"}}, {"scheme: w4a4", {.scheme = "w4a4"}},
		{"scheme: w8", {.scheme = "w8"}}, {"scheme: fp16", {.scheme = "fp16"}}, {"range: minmax", {.range = "minmax"}}, {"range: percentile", {.range = "percentile"}},
		{"range: kl", {.range = "kl"}}, {"per: tensor", {.per_tensor = true}}, {"symmetric: yes", {.symmetric = true}}, {"symmetric: true", {.symmetric = true}},
		{"symmetric: false", {0}}, {"ends: yes, scheme: w4a8", {.wide_ends = true, .scheme = "w4a8"}}, {"equalize: yes", {.equalize = true}}, {"bias_correct: yes", {.bias_correct = true}}, {"round: adaround, limit: 4", {.round = "adaround", .limit = 4}},
		{"keep: fc1.w", {.keep = "fc1.w"}}, {"scheme: w8a16", {.scheme = "w8a16", .round = "gptq"}}, {"limit: 7", {.limit = 7}}, {"max_drop: 0, scheme: w4a4", {.bounded = true, .scheme = "w4a4"}},
		{"max_drop: 100, scheme: w4a4", {.bounded = true, .max_drop = 100, .scheme = "w4a4"}},
	};
	char stage[200];
	uint32_t stream[] = {1, 2};
	cop_dataset sets[] = {known_noise(&stream[0], 100), known_noise(&stream[1], 80)}, *d = &sets[0], *valid = &sets[1];
	int differ = 0;

	if (!known_parts()) skip();
	cop_graph *trained = noise_net(*state), *plain = NULL;
	cop_train_args a = known_args;
	a.epochs = 6;
	OK(*state, cop_train(trained, d, NULL, &a));
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g, *h;
		cop_quantize_args q = rows[i].a;
		q.threads = 1;
		q.seed = known_args.seed;
		q.valid = valid;
		OK(*state, cop__pass_strip(&g, trained));
		OK(*state, cop__pass_strip(&h, trained));
		OK(*state, cop_quantize(&h, d, &q));
		snprintf(stage, sizeof stage, "- quantize: {%s%smay_cost: 100, must_gain: 0}", rows[i].options, *rows[i].options ? ", " : "");
		OK(*state, known_compress(&g, stage, d, valid, NULL, &known_args, NULL));
		same_network(g, h, stage);
		if (plain) {
			cop_text x, y;
			cop__text_init(&x, *state), cop__text_init(&y, *state);
			OK(*state, cop_model_write(plain, into_text, &x));
			OK(*state, cop_model_write(g, into_text, &y));
			differ += x.len != y.len || memcmp(x.data, y.data, x.len);
			cop__text_free(&x), cop__text_free(&y);
		} else {
			plain = h, h = NULL;
		}
		cop_graph_free(g);
		cop_graph_free(h);
	}
	assert_in_range(differ, LEN(rows) - 6, LEN(rows) - 4); /* the options do something; of two layers both are ends */
	cop_graph_free(plain);
	cop_graph_free(trained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(share), KNOWN_TEST(shift), KNOWN_TEST(share_vectors), KNOWN_TEST(share_and_train), KNOWN_TEST(share_by_groups), KNOWN_TEST(few_vectors), KNOWN_TEST(encodings), KNOWN_TEST(smallest), KNOWN_TEST(readers),
		KNOWN_TEST(train), KNOWN_TEST(quantize)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
