/* SPDX-License-Identifier: Apache-2.0
 *
 * .safetensors in and out, in our layout and in PyTorch's; and .npy arrays.
 */
#include "help.h"
#include "io/npy.h"
#include "io/safetensors.h"

#include <unistd.h>

enum { O = 2, KH = 3, KW = 1, I = 2, H = 4, W = 5, F = 7 };

/* conv [2,3,1,2] on [1,4,5,2], flattened, fc [7,40], with a running mean */
static cop_graph *model(cop_ctx *cx)
{
	cop_graph *g;
	cop_type x = cop__type(COP_F32, 4, DIMS(1, H, W, I)), cw = cop__type(COP_F32, 4, DIMS(O, KH, KW, I)),
	         b = cop__type(COP_F32, 1, DIMS(O)), fw = cop__type(COP_F32, 2, DIMS(F, H * W * O));
	cop_conv_attr c = {1, 1, 1, 0, 1, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_act_attr a = {COP_NO_LO, COP_NO_HI};

	assert_int_equal(cop__graph_new(&g, cx, "net"), COP_OK);
	cop_vid v = cop__input(g, "x", &x);
	v = cop__apply(g, OP_conv, &c,
	        VIDS(v, cop__data(g, COP_PARAM, "conv.w", &cw, NULL), cop__data(g, COP_PARAM, "conv.b", &b, NULL)));
	v = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(v));
	v = cop__apply(g, OP_clip, &(cop_act_attr){0, 6}, VIDS(v));
	v = cop__apply(g, OP_fc, &a, VIDS(v, cop__data(g, COP_PARAM, "fc.w", &fw, NULL)));
	cop__data(g, COP_STATE, "bn.mean", &b, NULL);
	cop__data(g, COP_STATE, "fc.w.m", &fw, NULL);
	assert_int_equal(cop__output(g, v, "y"), COP_OK);
	return g;
}

static const float *data_of(const cop_graph *g, const char *name)
{
	return g->value[cop__find(g, name)].data;
}

static cop_text file_of(cop_ctx *cx, const char *header, const float *f, int n)
{
	cop_text t;
	uint8_t len[8] = {(uint8_t)strlen(header), (uint8_t)(strlen(header) >> 8)};
	cop__text_init(&t, cx);
	cop__text_bytes(&t, len, 8);
	cop__text_add(&t, "%s", header);
	if (n) cop__text_bytes(&t, f, sizeof *f * (size_t)n);
	return t;
}

#define PARTS(conv, cshape, bias, fc, mean)                                                                            \
	"\"" conv "\":{\"dtype\":\"F32\",\"shape\":" cshape ",\"data_offsets\":[0,48]},"                               \
	"\"" bias "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[48,56]},"                                     \
	"\"" fc "\":{\"dtype\":\"F32\",\"shape\":[7,40],\"data_offsets\":[56,1176]},"                                  \
	"\"" mean "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1176,1184]}"
#define TORCH                                                                                                          \
	"{" PARTS("conv.weight", "[2,2,3,1]", "conv.bias", "fc.weight",                                                \
	        "bn.running_mean") ",\"bn.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,"  \
	                           "8]}}"
#define OURS "{" PARTS("conv.w", "[2,3,1,2]", "conv.b", "fc.w", "bn.mean") "}"
enum { FLOATS = 296 };

static void numbers(float f[FLOATS])
{
	for (int i = 0; i < FLOATS; i++) f[i] = (float)i;
}

static void test_torch(void **state)
{
	float f[FLOATS];
	cop_graph *g = model(*state);

	numbers(f);
	cop_text t = file_of(*state, TORCH, f, FLOATS);
	assert_int_equal(cop__weights_parse(g, "t", t.data, t.len), COP_OK);
	for (int o = 0; o < O; o++)
		for (int k = 0; k < KH; k++)
			for (int i = 0; i < I; i++)
				assert_true(data_of(g, "conv.w")[(o * KH + k) * I + i] == f[(o * I + i) * KH + k]);
	assert_true(data_of(g, "conv.b")[1] == f[13] && data_of(g, "bn.mean")[1] == f[295]);
	for (int o = 0; o < F; o++)
		for (int p = 0; p < H * W; p++)
			for (int c = 0; c < O; c++)
				assert_true(
				        data_of(g, "fc.w")[(o * H * W + p) * O + c] == f[14 + (o * O + c) * H * W + p]);
	assert_null(data_of(g, "fc.w.m"));
	cop__text_free(&t);
	cop_graph_free(g);
}

static void test_ours(void **state)
{
	float f[FLOATS];
	char path[64];
	cop_graph *g = model(*state), *h = model(*state);

	numbers(f);
	cop_text t = file_of(*state, OURS, f, FLOATS);
	assert_int_equal(cop__weights_parse(g, "t", t.data, t.len), COP_OK);
	assert_memory_equal(data_of(g, "conv.w"), f, 48);
	assert_memory_equal(data_of(g, "fc.w"), f + 14, 1120);
	snprintf(path, sizeof path, "test_safetensors_%ld", (long)getpid());
	assert_int_equal(cop_weights_save(g, path), COP_OK);
	assert_int_equal(cop_weights_load(h, path), COP_OK);
	assert_memory_equal(data_of(h, "conv.w"), f, 48);
	assert_memory_equal(data_of(h, "fc.w"), f + 14, 1120);
	remove(path);
	cop__text_free(&t);
	cop_graph_free(g);
	cop_graph_free(h);
}

static void test_refused(void **state)
{
	static const struct {
		const char *header, *says;
	} rows[] = {
	        {"{}", "no tensor for 'conv.w' and 3 more"},
	        {"[]", "no JSON object"},
	        {"{\"conv.w\":3}", "incomplete"},
	        {"{" PARTS("conv.w", "[2,3,1,3]", "conv.b", "fc.w", "bn.mean") "}", "shape does not fit its bytes"},
	        {"{" PARTS("conv.w", "[12]", "conv.b", "fc.w", "bn.mean") "}", "another shape"},
	        {"{" PARTS("conv.w", "[2,3,1,2]", "conv.b", "fc.w", "mean") "}", "no tensor for 'bn.mean'"},
	        {"{\"conv.w\":{\"dtype\":\"I32\",\"shape\":[2,3,1,2],\"data_offsets\":[0,48]}}", "'conv.w' is I32"},
	        {"{\"conv.w\":{\"dtype\":\"F32\",\"shape\":[2,3,1,2],\"data_offsets\":[0,48000]}}", "incomplete"},
	        {"{\"conv.w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,12],\"data_offsets\":[0,48]}}",
	                "another shape"},
	};
	float f[FLOATS];
	cop_graph *g = model(*state);

	numbers(f);
	for (int i = 0; i < LEN(rows); i++) {
		cop_text t = file_of(*state, rows[i].header, f, FLOATS);
		assert_int_not_equal(cop__weights_parse(g, "t", t.data, t.len), COP_OK);
		print_message("%s\n", cop_error_text(*state));
		assert_non_null(strstr(cop_error_text(*state), rows[i].says));
		assert_null(data_of(g, "conv.w"));
		cop_error_clear(*state);
		cop__text_free(&t);
	}
	cop_text t = file_of(*state, OURS, f, FLOATS);
	for (size_t n = 0; n < t.len; n++) {
		char *cut = malloc(n + 1);
		memcpy(cut, t.data, n);
		assert_int_not_equal(cop__weights_parse(g, "t", cut, n), COP_OK);
		cop_error_clear(*state);
		free(cut);
	}
	cop__text_free(&t);
	cop_graph_free(g);
}

/* Kernels index with row lists: one that names a row too many leaves the graph as it was. */
static void test_rows(void **state)
{
	static const char text[] = "input dy f32[1,4]\ninput x f32[1,3]\nstate r i32[3]\ndw = fc_dw dy x r\noutput dw\n";
	static const int32_t list[][3] = {{2, 0, 3}, {2, 0, 4}, {2, -1, 0}, {3, 0, 1}};
	cop_ctx *cx = *state;
	cop_graph *g;

	assert_int_equal(cop_graph_parse(&g, cx, text, strlen(text)), COP_OK);
	for (int i = 0; i < LEN(list); i++) {
		float words[3];
		memcpy(words, list[i], sizeof words);
		cop_text t = file_of(cx, "{\"r\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[0,12]}}", words, 3);
		assert_int_equal(cop__weights_parse(g, "f", t.data, t.len), i ? COP_FORMAT : COP_OK);
		assert_memory_equal(data_of(g, "r"), list[0], sizeof *list);
		cop_error_clear(cx);
		cop__text_free(&t);
	}
	cop_graph_free(g);
}

static void test_halves(void **state)
{
	/* 1, -2, the least and the largest finite half, infinity, a denormal; then bfloat16 */
	static const uint16_t h[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x83ff},
	                      b[] = {0x3f80, 0xc000, 0x0080, 0x7f7f, 0x7f80, 0x8001};
	static const float fh[] = {1, -2, 0x1p-24f, 65504, __builtin_inff(), -0x1.ff8p-15f},
	                   fb[] = {1, -2, 0x1p-126f, 0x1.fep127f, __builtin_inff(), -0x1p-133f};
	cop_graph *g;
	cop_type six = cop__type(COP_F32, 1, DIMS(6));
	cop_text t;

	assert_int_equal(cop__graph_new(&g, *state, "h"), COP_OK);
	cop__data(g, COP_PARAM, "h", &six, NULL);
	cop__data(g, COP_PARAM, "b", &six, NULL);
	t = file_of(*state,
	        "{\"h\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[0,12]},\"b\":{\"dtype\":\"BF16\",\"shape\":["
	        "6],\"data_offsets\":[12,24]}}",
	        NULL, 0);
	cop__text_bytes(&t, h, 12);
	cop__text_bytes(&t, b, 12);
	assert_int_equal(cop__weights_parse(g, "t", t.data, t.len), COP_OK);
	assert_memory_equal(data_of(g, "h"), fh, sizeof fh);
	assert_memory_equal(data_of(g, "b"), fb, sizeof fb);
	cop__text_free(&t);
	cop_graph_free(g);
}

static void test_npy(void **state)
{
	static const double wide[] = {1.5, -2, 1e300};
	static const int64_t ints[] = {7, -8, (int64_t)1 << 40};
	float f[24];
	char path[64];
	cop_tensor t = {cop__type(COP_F32, 3, DIMS(2, 3, 4)), f}, u;
	cop_text s;

	for (int i = 0; i < 24; i++) f[i] = (float)i / 3;
	snprintf(path, sizeof path, "test_npy_%ld", (long)getpid());
	assert_int_equal(cop__npy_write(*state, path, &t), COP_OK);
	assert_int_equal(cop__npy_read(&u, *state, path), COP_OK);
	assert_true(cop__same_shape(&t.type, &u.type));
	assert_memory_equal(u.data, f, sizeof f);
	cop_free(*state, u.data);
	remove(path);

	cop__text_init(&s, *state);
	cop__text_bytes(&s, "\x93NUMPY\x01\x00\x40\x00", 10);
	cop__text_add(&s, "%-63s\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }");
	cop__text_bytes(&s, wide, sizeof wide);
	assert_int_equal(cop__npy_bytes(&u, *state, "n", s.data, s.len), COP_OK);
	assert_true(
	        ((float *)u.data)[0] == 1.5f && ((float *)u.data)[1] == -2 && ((float *)u.data)[2] == __builtin_inff());
	cop_free(*state, u.data);
	for (size_t n = 0; n < s.len; n++) {
		assert_int_equal(cop__npy_bytes(&u, *state, "n", s.data, n), COP_FORMAT);
		cop_error_clear(*state);
	}
	s.data[22] = 'i';
	memcpy(s.data + s.len - sizeof ints, ints, sizeof ints);
	assert_int_equal(cop__npy_bytes(&u, *state, "n", s.data, s.len), COP_FORMAT);
	assert_non_null(strstr(cop_error_text(*state), "element 2 is 1099511627776"));
	cop_error_clear(*state);
	cop__text_free(&s);
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
	const struct CMUnitTest arrays[] = {cmocka_unit_test(test_npy)}, weights[] = {cmocka_unit_test(test_torch), cmocka_unit_test(test_ours),
	        cmocka_unit_test(test_refused), cmocka_unit_test(test_rows), cmocka_unit_test(test_halves)};
	int failed = cmocka_run_group_tests(arrays, setup, teardown);

	if (has_part("jansson")) failed += cmocka_run_group_tests(weights, setup, teardown);
	else print_message("no .safetensors without jansson: left out\n");
	return failed;
}
