/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage binarize: what its layers are afterwards, that the network of bits answers as the one that was trained, that it learns, and
 * what it says where it can't.
 */
#include "compress/binarize/binarize.h"
#include "compress/known.h"
#include "pass/pass.h"

enum { SAMPLES = 192, CLASSES = 4, SIDE = 9 };
#define TRAINS "update: adam, lr: 0.01, epochs: 8, "
#define FREE "may_cost: 100, must_gain: 0"

static const char text[] = "input 9 9 1\nconv 6 3x3 norm relu\nconv 11 3x3 norm relu\nmaxpool 2\nconv 9 3x3 stride 2 norm relu\nflatten\n"
	"dense = fc 13 norm relu\nfc 4\n";

/* ReActNet's blocks. */
static const char blocks[] = "input 9 9 1\na = conv 8 3x3 norm\nrsign\nconv 8 3x3 norm\nadd a\nb = rprelu\nrsign\nconv 8 3x3 norm\nadd b\nc = rprelu\nrsign\nconv 8 3x3 norm\nadd c\nrprelu\n"
	"avgpool 3\nflatten\nfc 4\n";

/* A bright corner in noise. */
static cop_status corner(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	*label = i % CLASSES;
	for (uint32_t k = 0; k < SIDE * SIDE; k++) {
		bool there = (int)(k / SIDE > SIDE / 2) == *label / 2 && (int)(k % SIDE > SIDE / 2) == *label % 2;
		x[k] = cop__rand_unit(9, (uint32_t)i, k) * (there ? 2 : 1);
	}
	return COP_OK;
}

static cop_dataset corners(void)
{
	return (cop_dataset){.name = "corners", .x = cop__type(COP_F32, 3, DIMS(SIDE, SIDE, 1)), .count = SAMPLES, .classes = CLASSES, .get = corner};
}

static cop_graph *network(cop_ctx *cx, const char *lines)
{
	cop_graph *g;
	OK(cx, cop_network_read(&g, cx, "net", lines, strlen(lines), 3));
	return g;
}

/* How many values the numbers of the rows of a weight have at most: 2, 3, or 4 for more. */
static int values_of(const cop_graph *g, const char *name)
{
	cop_vid v = cop__find(g, name);
	const float *w = cop__floats(g, v);
	int64_t each = cop_type_count(cop__t(g, v)) / cop__t(g, v)->dim[0];
	int most = 0;

	assert_non_null(w);
	for (int32_t o = 0; o < cop__t(g, v)->dim[0]; o++, w += each) {
		float seen[4];
		int n = 0;
		for (int64_t i = 0; i < each && n < 4; i++) {
			int k = 0;
			while (k < n && seen[k] != w[i]) k++;
			if (k == n) seen[n++] = w[i];
		}
		most = COP_MAX(most, n);
	}
	return most;
}

static int count(const cop_graph *g, int op)
{
	int found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) found += g->node[n].op == op;
	return found;
}

static void what_layers_become(void **state)
{
	static const struct { const char *options; int values[5], signs; } row[] = { /* of conv1, conv2, conv3, dense, fc1 */
		{"bits: no", {4, 2, 2, 2, 4}, 3},
		{"bits: no, ends: no", {2, 2, 2, 2, 2}, 4},
		{"bits: no, scale: no, layers: conv*", {4, 2, 2, 4, 4}, 2},
		{"weights: ternary, activations: real", {4, 3, 3, 3, 4}, 0},
		{"weights: ttq, activations: real", {4, 3, 3, 3, 4}, 0},
		{"weights: real, activations: smooth", {4, 4, 4, 4, 4}, 3},
	};
	static const char *const name[5] = {"conv1.w", "conv2.w", "conv3.w", "dense.w", "fc1.w"};
	cop_dataset d = corners();
	char stage[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = network(*state, text);
		snprintf(stage, sizeof stage, "- binarize: {update: adam, lr: 0.01, epochs: 1, " FREE ", %s}", row[i].options);
		OK(*state, known_compress(&g, stage, &d, NULL, NULL, &known_args, NULL));
		for (int k = 0; k < 5; k++)
			if (values_of(g, name[k]) != row[i].values[k]) fail_msg("%s: %s has %d values in a row", row[i].options, name[k], values_of(g, name[k]));
		if (count(g, OP_sign) != row[i].signs) fail_msg("%s: %d signs", row[i].options, count(g, OP_sign));
		for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
			if (g->node[n].op == OP_sign && row[i].signs) assert_int_equal(g->node[n].attr[0], strstr(row[i].options, "smooth") != NULL);
		cop_graph_free(g);
	}
}

/* Ternary weights are int2 without an error of rounding: the integers of a row are the signs of its weights, or, where batch norm has turned the row around, their
 * opposites. */
static void ternary_is_int2(void **state)
{
	static const char *const name[] = {"conv1.w", "conv2.w", "conv3.w", "dense.w", "fc1.w"};
	cop_dataset d = corners();
	cop_graph *g = network(*state, text), *q;

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- binarize: {update: adam, lr: 0.01, epochs: 1, " FREE ", weights: ternary, activations: real, ends: no}", &d, NULL, NULL, &known_args, NULL));
	OK(*state, cop__pass_copy(&q, g));
	OK(*state, cop_quantize(&q, &d, &(cop_quantize_args){.scheme = "w2a8", .threads = 1}));
	for (int k = 0; k < LEN(name); k++) {
		const cop_value *whole = &q->value[cop__find(q, name[k])];
		const float *w = cop__floats(g, cop__find(g, name[k]));
		const int64_t n = cop_type_count(&whole->type), each = n / whole->type.dim[0];
		const cop_dtype want = whole->type.dim[whole->type.rank - 1] > 1 ? COP_I2 : COP_I8; /* a run of one has a byte anyway */
		int64_t turned = 0;
		assert_int_equal(whole->type.dtype, want);
		for (int64_t i = 0; i < n && want == COP_I2; i++) {
			int sign = (w[i] > 0) - (w[i] < 0), v = cop__whole_at(&whole->type, whole->data, i);
			if (i % each == 0) turned = 0;
			if (sign && !turned) turned = v * sign;
			if (v != turned * sign) fail_msg("%s: weight %d is %d, and not %d", name[k], (int)i, v, (int)turned * sign);
		}
	}
	cop_graph_free(q);
	cop_graph_free(g);
}

static cop_status keep_answer(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	memcpy((float *)ud + i * n, y, sizeof *y * (size_t)n);
	return COP_OK;
}

/* Trained to the end and turned into bits by the stage or by the pass: the same network, and the answers of the one that was trained. It has learnt. */
static void answer_alike(void **state, const char *lines)
{
	static float floats[SAMPLES * CLASSES], bits[SAMPLES * CLASSES];
	cop_dataset d = corners();
	cop_graph *g = network(*state, lines), *same = network(*state, lines), *by_pass;
	cop_score before, after;

	OK(*state, known_compress(&g, "- binarize: {" TRAINS "bits: no, " FREE "}", &d, NULL, NULL, &known_args, NULL));
	OK(*state, known_compress(&same, "- binarize: {" TRAINS FREE "}", &d, NULL, NULL, &known_args, NULL));
	OK(*state, cop__pass_bits(&by_pass, g));
	assert_int_equal(count(same, OP_bconv), 3);
	assert_int_equal(count(same, OP_conv) + count(same, OP_fc), 2); /* the ends */
	same_network(by_pass, same, "bits");
	OK(*state, cop_eval_each(&before, g, &d, 16, 1, keep_answer, floats));
	OK(*state, cop_eval_each(&after, same, &d, 16, 1, keep_answer, bits));
	for (int i = 0; i < SAMPLES * CLASSES; i++)
		if (!(fabsf(floats[i] - bits[i]) < 1e-5f * fmaxf(1, fabsf(floats[i])))) fail_msg("answer %d is %g, trained %g", i, (double)bits[i], (double)floats[i]);
	if (!(after.accuracy > 0.8f)) fail_msg("accuracy %g", (double)after.accuracy);
	cop_graph_free(g), cop_graph_free(same), cop_graph_free(by_pass);
}

static void bits_answer_alike(void **state)
{
	if (!known_parts()) skip();
	answer_alike(state, text);
	answer_alike(state, blocks);
}

/* Every convolution but the first has its sign in the zoo already, with a border of -1; the stage adds neither, and leaves the shortcuts alone. */
static void blocks_of_the_zoo(void **state)
{
	static const struct { const char *net; int chosen, signs, rprelus; } row[] = {
		{"binary-resnet-8@8", 6, 6, 6}, {"binary-vgg-small-0.05@8", 5, 6, 0}, /* the last sign is what the last layer reads */
	};

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g, *out;
		OK(*state, cop_zoo_build(&g, *state, row[i].net, &(cop_zoo_args){.channels = 1}));
		uint8_t *chosen = calloc((size_t)g->n_node + 1, 1);
		assert_int_equal(cop__choose_binary(chosen, g, "*", true), row[i].chosen);
		OK(*state, cop__put_signs(&out, g, chosen, false));
		assert_int_equal(count(out, OP_sign), row[i].signs);
		assert_int_equal(count(out, OP_pad), row[i].chosen);
		assert_int_equal(count(out, OP_rprelu), row[i].rprelus);
		assert_int_equal(count(out, OP_conv), row[i].chosen + 1);
		free(chosen);
		cop_graph_free(g), cop_graph_free(out);
	}
}

/* The ends become int8 behind the stage, and the first sign is that of a byte beside its zero point. */
static void ends_of_bytes(void **state)
{
	cop_dataset d = corners();
	cop_graph *g = network(*state, text);
	cop_score score;
	int found = 0;

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- binarize: {" TRAINS FREE "}\n- quantize: {" FREE "}", &d, NULL, NULL, &known_args, NULL));
	assert_int_equal(count(g, OP_bconv), 2);
	assert_int_equal(count(g, OP_qbconv), 1); /* no sign behind it: bytes for the last layer */
	assert_int_equal(count(g, OP_cast), 0);
	assert_int_equal(count(g, OP_qconv), 2);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_packbits) continue;
		COP_ATTR(cop_packbits_attr, a, g, n);
		COP_ATTR(cop_qconv_attr, q, g, g->value[cop__arg(g, n, 0)].producer);
		assert_int_equal(cop__in(g, n, 0)->dtype, COP_I8);
		assert_int_equal(a.zero, q.zy);
		found += q.zy != 0;
	}
	assert_int_equal(found, 1);
	OK(*state, cop_eval(&score, g, &d, 16, 1));
	if (!(score.accuracy > 0.8f)) fail_msg("accuracy %g", (double)score.accuracy);
	cop_graph_free(g);
}

static void what_cannot_be(void **state)
{
	static const struct { const char *net, *options, *said; } row[] = {
		{"input 9 9 1\nflatten\nfc 8 relu\nfc 4\n", "", "binarize: no layer that matches layers: * lies between the first and the last one; ends: no takes those, too"},
		{text, "layers: conv1.w|fc1.w", "no layer that matches layers: conv1.w|fc1.w lies between"},
		{"input 9 9 1\nconv 4 3x3\ndepthwise 3x3\nflatten\nfc 4\n", "layers: dw*|depthwise*", "belongs to no fully connected layer and no convolution without groups"},
	};
	cop_dataset d = corners();
	char stage[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = network(*state, row[i].net);
		snprintf(stage, sizeof stage, "- binarize: {" FREE ", %s}", row[i].options);
		cop_status st = known_compress(&g, stage, &d, NULL, NULL, &known_args, NULL);
		if (!st || !strstr(cop_error_text(*state), row[i].said)) fail_msg("row %d: %s", i, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(what_layers_become), KNOWN_TEST(ternary_is_int2), KNOWN_TEST(bits_answer_alike), KNOWN_TEST(blocks_of_the_zoo), KNOWN_TEST(ends_of_bytes), KNOWN_TEST(what_cannot_be)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
