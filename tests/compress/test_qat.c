/* SPDX-License-Identifier: Apache-2.0
 *
 * Training with numbers rounded as integers will be. Without training, the networks of the zoo become the integers of plain quantisation, for any bits.
 * With it, few bits learn what rounding afterwards loses; what is scored after each epoch is the integer network; pruned weights stay zero.
 */
#include "compress/known.h"
#include "compress/quantize/fake.h"

#include <math.h>

/* ---- there and back ---- */

static cop_status drawn(void *ud, int32_t i, float *x, int32_t *label)
{
	for (int64_t k = 0; k < cop_type_count(ud); k++) x[k] = cop__rand_unit(3, (uint32_t)i, (uint64_t)k) * 2 - 1;
	*label = 0;
	return COP_OK;
}

/* What rounds in floats answers as the integers do, but for sums that lie halfway. */
static void same_answers(cop_graph *a, cop_graph *b, cop_dataset *d, const char *what)
{
	cop_graph *side[2];
	float y[2][8];
	int differ = 0;

	for (int i = 0; i < d->count; i++) {
		for (int k = 0; k < 2; k++) {
			cop_host host;
			cop_tensor t;
			int32_t label;
			OK(a->cx, cop_graph_copy(&side[k], k ? b : a));
			OK(a->cx, cop_graph_apply(&side[k], "batch:n=1"));
			OK(a->cx, cop__host_open(&host, &side[k], 1, COP_ISA_ALL, 1));
			OK(a->cx, cop_session_io(host.s, 0, 0, false, &t));
			OK(a->cx, d->get(d->ud, i, t.data, &label));
			OK(a->cx, cop_session_run(host.s, 0));
			OK(a->cx, cop_session_io(host.s, 0, 0, true, &t));
			memcpy(y[k], t.data, sizeof y[k]);
			cop__host_close(&host);
			cop_graph_free(side[k]);
		}
		for (int j = 0; j < 8; j++) differ += fabsf(y[0][j] - y[1][j]) > 1e-5f * (1 + fabsf(y[1][j]));
	}
	if (differ > d->count * 8 / 10) fail_msg("%s: %d of %d answers differ", what, differ, d->count * 8);
}

static void zoo(void **state)
{
	static const char *const nets[] = {"lenet-5", "resnet-8", "mobilenet-v1-0.25@32", "mobilenet-v2-0.35@32", "ds-cnn", "autoencoder-ad", "vit-16x1", "swin-16x1"};
	static const struct { int weights, activations; bool tensor, ends, symmetric; } bits[] = {{8, 8, false, false, false}, {4, 4, false, true, false}, {3, 8, true, false, true}};

	for (int i = 0; i < LEN(nets); i++)
		for (int k = 0; k < LEN(bits); k++) {
			cop_graph *g, *want, *rounds, *got;
			OK(*state, cop_zoo_build(&g, *state, nets[i], &(cop_zoo_args){.classes = 10, .seed = 1}));
			cop_type t = *cop__t(g, g->input[0]), x = cop__type(COP_F32, t.rank - 1, t.dim + 1);
			cop_dataset d = {.name = "drawn", .x = x, .count = 8, .get = drawn, .ud = &x};
			const cop_quantize_args a = {.threads = 1, .per_tensor = bits[k].tensor, .symmetric = bits[k].symmetric, .wide_ends = bits[k].ends};
			cop_quantizer z = {.a = &a, .weight_bits = bits[k].weights, .act_bits = bits[k].activations};
			OK(*state, cop__quantizer_open(&z, g, &d));
			OK(*state, cop__set_ranges(&z));
			OK(*state, cop__quantize_weights(&z));
			for (cop_nid n = 1; n <= (cop_nid)z.g->n_node; n++) /* three bits lie in four, which the network that rounds says of itself */
				if (z.layer[n].q_bits == 3) z.layer[n].q_bits = 4;
			OK(*state, cop__lower_quantized(&want, &z));
			OK(*state, cop__fake(&rounds, &z, &(cop_faking){.steps = k > 0}));
			OK(*state, cop_graph_verify(rounds));
			OK(*state, cop__pass_unfake(&got, rounds));
			same_network(want, got, nets[i]);
			cop__quantizer_close(&z);
			cop_graph_free(want), cop_graph_free(rounds), cop_graph_free(got), cop_graph_free(g);
		}
}

/* Layers of distances, alone and behind others: the integers are those of plain quantisation, and training with rounding ends where the integers are. */
static void distances(void **state)
{
	static const char *const nets[] = {"input 8 8 1\nconv 4 3x3 norm\naddconv 4 3x3 relu\naddconv 6 3x3 stride 2\nflatten\nfc 8\n", "input 8 8 1\naddconv 5 5x5 relu\nmaxpool 2\nconv 3 1x1 norm relu\nfc 8\n"};
	static const float far = 9;
	cop_type x = cop__type(COP_F32, 3, DIMS(8, 8, 1));
	cop_dataset d = {.name = "drawn", .x = x, .count = 16, .classes = 8, .get = drawn, .ud = &x};

	for (int i = 0; i < LEN(nets); i++)
		for (int steps = 0; steps < 2; steps++) {
			cop_graph *g, *want, *rounds, *got;
			const cop_quantize_args a = {.threads = 1, .symmetric = !steps};
			cop_quantizer z = {.a = &a, .weight_bits = 8, .act_bits = 8};
			int layers = 0, fakes = 0;
			OK(*state, cop_network_read(&g, *state, "net", nets[i], strlen(nets[i]), 3));
			OK(*state, cop_train(g, &d, NULL, &known_args));
			((float *)cop__own(g, cop__find(g, "addconv1.w")))[0] = far;
			OK(*state, cop__quantizer_open(&z, g, &d));
			OK(*state, cop__set_ranges(&z));
			OK(*state, cop__quantize_weights(&z));
			OK(*state, cop__lower_quantized(&want, &z));
			OK(*state, cop__fake(&rounds, &z, &(cop_faking){.steps = steps}));
			OK(*state, cop_graph_verify(rounds));
			for (cop_nid n = 1; n <= (cop_nid)rounds->n_node; n++) {
				cop_nid f = rounds->value[cop__arg(rounds, n, 1)].producer;
				layers += rounds->node[n].op == OP_addconv, fakes += rounds->node[n].op == OP_addconv && f && rounds->node[f].op == OP_fakequant;
			}
			assert_true(layers == 2 - i && fakes == layers);
			OK(*state, cop__pass_unfake(&got, rounds));
			same_network(want, got, nets[i]);
			same_answers(rounds, want, &d, nets[i]);
			cop__quantizer_close(&z);
			cop_graph_free(want), cop_graph_free(rounds), cop_graph_free(got), cop_graph_free(g);
		}
}

/* The first and the last layers keep 8 bits, also behind and before what is no layer. */
static void ends(void **state)
{
	cop_graph *g;
	cop_type x = cop__type(COP_F32, 3, DIMS(32, 32, 3));
	cop_dataset d = {.name = "drawn", .x = x, .count = 2, .get = drawn, .ud = &x};
	const cop_quantize_args a = {.threads = 1, .wide_ends = true};
	cop_quantizer z = {.a = &a, .weight_bits = 4, .act_bits = 8};
	int wide = 0, narrow = 0;

	OK(*state, cop_zoo_build(&g, *state, "resnet-8", &(cop_zoo_args){.classes = 10, .seed = 1}));
	OK(*state, cop__quantizer_open(&z, g, &d));
	for (cop_nid n = 1; n <= (cop_nid)z.g->n_node; n++) {
		if (!z.layer[n].o) continue;
		const char *name = cop__qlayer_name(z.g, n);
		bool end = !strcmp(name, "conv1.w") || !strcmp(name, "fc.w");
		if (z.layer[n].bits != (end ? 8 : 4)) fail_msg("%s has %d bits", name, z.layer[n].bits);
		wide += end, narrow += !end;
	}
	assert_int_equal(wide, 2);
	assert_int_equal(narrow, 8);
	cop__quantizer_close(&z);
	cop_graph_free(g);
}

/* ---- training ---- */

static cop_graph *trained(cop_ctx *cx, cop_dataset *d)
{
	cop_graph *g;
	cop_train_args a = {.epochs = 15, .batch = 32, .threads = 1, .lr = 0.01f, .update = "adam", .schedule = "cosine", .seed = 7};

	OK(cx, cop_zoo_build(&g, cx, "mlp-16x24x24x3", &(cop_zoo_args){.classes = 3, .seed = 3}));
	OK(cx, cop_train(g, d, NULL, &a));
	return g;
}

typedef struct seen { float last, loss; int epochs; } seen;
static void see(void *ud, const cop_epoch *e)
{
	seen *s = ud;
	if (e->accuracy >= 0) s->last = e->accuracy, s->loss = e->loss, s->epochs++;
}

static float accuracy(const cop_graph *g, cop_dataset *d)
{
	cop_score s;
	OK(g->cx, cop_eval(&s, g, d, 16, 1));
	return s.accuracy;
}

/* Of what rounding to two bits afterwards loses, training with it gives back a good part. */
static void learns(void **state)
{
	uint32_t stream[] = {1, 2};
	cop_dataset train = known_noise(&stream[0], 1200), valid = known_noise(&stream[1], 600);
	cop_train_args a = {.epochs = 8, .batch = 32, .threads = 1, .lr = 0.01f, .update = "adam", .schedule = "cosine", .seed = 7};
	cop_graph *whole = trained(*state, &train);
	float before = accuracy(whole, &valid), after[2];

	if (!known_parts()) skip();
	for (int k = 0; k < 2; k++) { /* with a rate that moves nothing, and with one that does */
		cop_graph *g;
		seen s = {0};
		char stage[200];
		snprintf(stage, sizeof stage, "- qat: {weights: 2, activations: 2, ends: no, limit: 64, lr: %s, may_cost: 100, must_gain: 0}", k ? "0.003" : "1e-30");
		OK(*state, cop__pass_copy(&g, whole));
		a.epochs = k ? 8 : 1, a.progress = see, a.ud = &s;
		OK(*state, known_compress(&g, stage, &train, &valid, NULL, &a, NULL));
		after[k] = accuracy(g, &valid);
		assert_int_equal(s.epochs, a.epochs);
		assert_true(s.last == after[k]); /* what was seen in training is what the integers do */
		assert_true(cop__has(g) & COP_HAS_INTEGERS && !(cop__has(g) & COP_HAS_ROUNDING));
		cop_graph_free(g);
	}
	if (!(after[0] < before - 0.05f && after[1] - after[0] > 0.3f * (before - after[0]))) fail_msg("accuracy %g, rounded %g, trained %g", (double)before, (double)after[0], (double)after[1]);
	cop_graph_free(whole);
}

/* A sum of -1/2 is -1 in floats and 0 in integers, which decides the class here: after an epoch the integers are scored. */
static void scored(void **state)
{
	static const char text[] = "graph net\ninput x f32[1,1]\nparam w f32[2,1]\nconst xs f32[1]\nconst ws f32[1]\nconst ys f32[1]\n"
		"a = fakequant x xs lo=-128 hi=127 grad=0\nb = fakequant w ws lo=-127 hi=127 grad=0\nc = fc a b\ny = fakequant c ys lo=-128 hi=127 grad=0\noutput y\n";
	static const struct { const char *name; float value[2]; int n; } known[] = {
		{"w", {-115.0f / 128, -0.5f}, 2}, {"xs", {1.0f / 64}, 1}, {"ws", {1.0f / 128}, 1}, {"ys", {1}, 1}};
	static const int32_t labels[4] = {1, 1, 1, 1};
	known_set set;
	cop_dataset *d = known_samples(&set, 4, 1, 2, labels);
	seen s = {0};
	cop_train_args a = {.epochs = 1, .batch = 4, .threads = 1, .lr = 1e-30f, .progress = see, .ud = &s};
	cop_graph *g;

	OK(*state, cop_graph_parse(&g, *state, text, strlen(text)));
	for (int i = 0; i < LEN(known); i++) memcpy(cop__own(g, cop__find(g, known[i].name)), known[i].value, sizeof(float) * (size_t)known[i].n);
	assert_float_equal(accuracy(g, d), 0, 0);
	OK(*state, cop_train(g, d, d, &a));
	assert_int_equal(s.epochs, 1);
	assert_float_equal(s.last, 1, 0);
	cop_graph_free(g);
}

/* A network that ends in a softmax is trained on what goes into it, rounded or not; also one of integers. */
static void behind_softmax(void **state)
{
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	float loss[3];

	if (!known_parts()) skip();
	for (int k = 0; k < 3; k++) {
		seen s = {0};
		cop_train_args a = known_args;
		cop_graph *g = trained(*state, &d);
		a.progress = see, a.ud = &s, a.batch = 64;
		if (k) {
			cop_vid y = cop__apply(g, OP_softmax, NULL, VIDS(g->output[0]));
			g->output[0] = y;
		}
		if (k == 2) OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1}));
		OK(*state, known_compress(&g, "- qat: {lr: 1e-30, epochs: 1, may_cost: 100, must_gain: 0}", &d, &d, NULL, &a, NULL));
		loss[k] = s.loss;
		cop_graph_free(g);
	}
	assert_float_equal(loss[1], loss[0], 1e-6);
	assert_float_equal(loss[2], loss[0], 0.01);
}

/* Steps move when they are trained, and stay where they are not. */
static void steps_move(void **state)
{
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);

	if (!known_parts()) skip();
	for (int k = 0; k < 2; k++) {
		cop_graph *g = trained(*state, &d), *still;
		OK(*state, cop__pass_copy(&still, g));
		OK(*state, known_stage(&still, "- qat: {integers: no, weights: 4, lr: 1e-30, epochs: 1}", &d, 1));
		OK(*state, known_stage(&g, k ? "- qat: {integers: no, weights: 4, lr: 0.05, epochs: 1}" : "- qat: {integers: no, weights: 4, lr: 0.05, epochs: 1, steps: no}", &d, 1));
		int moved = 0, seen = 0;
		for (int32_t v = 1; v <= g->n_value; v++) {
			const char *name = g->value[v].name;
			if (!name || !cop__match("*.step", name)) continue;
			const float *x = cop__floats(g, (cop_vid)v), *y = cop__floats(still, cop__find(still, name));
			seen++;
			moved += memcmp(x, y, sizeof *x * (size_t)cop_type_count(cop__t(g, (cop_vid)v))) != 0;
		}
		if (seen < 6 || (k ? moved < 5 : moved)) fail_msg("%d of %d steps have moved", moved, seen);
		cop_graph_free(g);
		cop_graph_free(still);
	}
}

/* The network that rounds and the integers give the same answers, whatever was trained: but for samples where a sum lies in the middle of two integers. */
static cop_status keep_answer(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	memcpy((float *)ud + 3 * i, y, sizeof *y * (size_t)n);
	return COP_OK;
}

static void agree(void **state)
{
	enum { N = 600 };
	static float y[2][3 * N];
	uint32_t stream[] = {1, 2};
	cop_dataset train = known_noise(&stream[0], 400), valid = known_noise(&stream[1], N);
	cop_graph *g = trained(*state, &train);
	int same = 0, moved = 0;
	cop_score s;

	if (!known_parts()) skip();
	OK(*state, known_stage(&g, "- qat: {integers: no, weights: 4, activations: 4, ends: no, lr: 0.01, epochs: 3}", &train, 1));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		COP_ATTR(cop_fakequant_attr, a, g, n);
		if (g->node[n].op != OP_fakequant || !a.offset) continue;
		float *p = cop__own(g, cop__arg(g, n, 1));
		p[1] = -100 * p[0], moved++; /* more than training would */
	}
	assert_true(moved);
	OK(*state, cop_eval_each(&s, g, &valid, 16, 1, keep_answer, y[0]));
	OK(*state, cop_graph_apply(&g, "integers"));
	OK(*state, cop_eval_each(&s, g, &valid, 16, 1, keep_answer, y[1]));
	for (int i = 0; i < N; i++) {
		bool equal = true;
		for (int k = 0; k < 3; k++) equal &= fabsf(y[0][3 * i + k] - y[1][3 * i + k]) < 1e-4f;
		same += equal;
	}
	if (same < N * 98 / 100) fail_msg("%d of %d answers are the same", same, N);
	cop_graph_free(g);
}

/* Is v {step, offset}? */
static bool has_offset(const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_fakequant || cop__arg(g, n, 1) != v) continue;
		COP_ATTR(cop_fakequant_attr, a, g, n);
		return a.offset;
	}
	return false;
}

/* A rule whose moves have a size of its own moves a step by that times 16 of its lengths: what is near to 1 for few bits is a hundred steps of eight. The first move
 * of adam is the rate, whatever the gradient. */
static void pace_of_steps(void **state)
{
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, known_args.batch);

	if (!known_parts()) skip();
	for (int k = 0; k < 2; k++) {
		cop_graph *g = trained(*state, &d), *still;
		OK(*state, cop__pass_copy(&still, g));
		OK(*state, known_stage(&still, k ? "- qat: {integers: no, lr: 1e-30, epochs: 1}" : "- qat: {integers: no, weights: 3, activations: 4, lr: 1e-30, epochs: 1}", &d, 1));
		OK(*state, known_stage(&g, k ? "- qat: {integers: no, lr: 0.001, epochs: 1, update: adam, schedule: constant}"
			: "- qat: {integers: no, weights: 3, activations: 4, lr: 0.001, epochs: 1, update: adam, schedule: constant}", &d, 1));
		int moved = 0;
		for (int32_t v = 1; v <= g->n_value; v++) {
			const char *name = g->value[v].name;
			if (!name || !cop__match("*.step", name)) continue;
			const float *x = cop__floats(g, (cop_vid)v), *y = cop__floats(still, cop__find(still, name));
			const int64_t n = cop_type_count(cop__t(g, (cop_vid)v));
			double length = 0;
			for (int64_t i = 0; i < n; i++) length += fabs((double)y[i]) / (double)n;
			if (has_offset(g, (cop_vid)v)) length = fabs((double)y[0]);
			for (int64_t i = 0; i < n; i++) {
				const double far = fabs((double)x[i] - (double)y[i]) / (0.001 * 16 * length);
				moved += far > 0.5;
				if (far > 1.02) fail_msg("%s moves by %g of what it should", name, far);
			}
		}
		if (moved < 6) fail_msg("only %d numbers have moved", moved);
		cop_graph_free(g);
		cop_graph_free(still);
	}
}

/* The rate is the caller's over `slower`, or the stage's own; what it is divided by where nothing is said, by bits and rule. */
static void rates(void **state)
{
	static const char *const same[][2] = { /* the caller's rate is 0.05 */
		{"lr: 0.0005", "slower: 100"}, {"lr: 0.0005", "limit: 256"}, {"lr: 0.0016666667, weights: 4", "weights: 4"}, {"lr: 0.005, update: adam", "update: adam"},
		{"lr: 0.05, update: adam, activations: 4", "update: adam, activations: 4"}, {"lr: 0.0005, update: sgd momentum=0.5", "update: sgd momentum=0.5"},
		{"lr: 0.005, update: rmsprop", "update: update=rmsprop"},
	};
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(same); i++) {
		cop_graph *g[2];
		for (int k = 0; k < 2; k++) {
			char text[160];
			snprintf(text, sizeof text, "- qat: {%s, may_cost: 100, must_gain: 0}", same[i][k]);
			g[k] = trained(*state, &d);
			OK(*state, known_compress(&g[k], text, &d, NULL, NULL, &known_args, NULL));
		}
		same_network(g[0], g[1], same[i][1]);
		for (int k = 0; k < 2; k++) cop_graph_free(g[k]);
	}
}

/* Pruned weights are zeros of the integers, too. */
static void pruned(void **state)
{
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	cop_graph *g = trained(*state, &d);

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- prune: {keep: 0.25, scope: layer, may_cost: 100, must_gain: 0}\n- qat: {lr: 0.01, may_cost: 100, must_gain: 0}", &d, NULL, NULL, &known_args, NULL));
	const int8_t *q = cop__dense(g, cop__find(g, "fc2.w"), COP_I8);
	int zeros = 0;
	for (int i = 0; i < 24 * 24; i++) zeros += !q[i];
	assert_in_range(zeros, 24 * 24 * 3 / 4, 24 * 24 * 4 / 5);
	cop_graph_free(g);
}

/* What other stages and calls say of a network that rounds; the pass `integers` finishes it. */
static void said(void **state)
{
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	cop_graph *g = trained(*state, &d), *other;

	if (!known_parts()) skip();
	OK(*state, cop__pass_copy(&other, g));
	assert_int_equal(known_compress(&other, "- qat: {integers: no}\n- slim: {macs: 0.5}", &d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "slim can't work on a network with values that are rounded as in integers, which it has after qat in line 3; put it before"));
	cop_error_clear(*state);
	cop_graph_free(other);
	OK(*state, known_compress(&g, "- qat: {integers: no, lr: 0.001, may_cost: 100, must_gain: 0}", &d, NULL, NULL, &known_args, NULL));
	assert_int_equal(cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "integers"));
	cop_error_clear(*state);
	float rounds = accuracy(g, &d);
	OK(*state, cop_graph_apply(&g, "integers"));
	assert_true(cop__has(g) & COP_HAS_INTEGERS);
	assert_true(fabsf(rounds - accuracy(g, &d)) <= 1.0f / 64);
	cop_graph_free(g);
}

/* Pruned and shared while it rounds, then made integers by quantize: what was cut is zero there, and each row has no more values than it shared. */
static void pruned_and_shared(void **state)
{
	static const char stages[] = "- qat: {integers: no, lr: 0.001, may_cost: 100, must_gain: 0}\n"
		"- prune: {keep: 0.25, scope: layer, schedule: once, epochs: 1, lr: 0.001, may_cost: 100, must_gain: 0}\n"
		"- share: {levels: 4, epochs: 1, lr: 0.001, may_cost: 100, must_gain: 0}\n- quantize: {may_cost: 100, must_gain: 0}\n";
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	cop_graph *g = trained(*state, &d);
	cop_compress_result r;
	char text[1000];

	if (!known_parts()) skip();
	int n = snprintf(text, sizeof text, "stages:\n%s", stages);
	OK(*state, cop_compress(&g, text, (size_t)n, &d, &d, NULL, &known_args, &r, NULL, NULL));
	assert_int_equal(cop__has(g) & (COP_HAS_INTEGERS | COP_HAS_ROUNDING), COP_HAS_INTEGERS);
	assert_true(fabsf(r.stage[3].accuracy[0] - r.stage[3].accuracy[1]) <= 1.0f / 64);
	const int8_t *q = cop__dense(g, cop__find(g, "fc2.w"), COP_I8);
	int zeros = 0;
	for (int i = 0; i < 24; i++) {
		bool seen[256] = {false};
		int many = 0;
		for (int k = 0; k < 24; k++) {
			zeros += !q[24 * i + k];
			many += !seen[q[24 * i + k] + 128];
			seen[q[24 * i + k] + 128] = true;
		}
		assert_in_range(many, 1, 4);
	}
	assert_in_range(zeros, 24 * 24 * 3 / 4, 24 * 24 - 1);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(zoo), KNOWN_TEST(distances), KNOWN_TEST(ends), KNOWN_TEST(learns), KNOWN_TEST(scored), KNOWN_TEST(behind_softmax), KNOWN_TEST(steps_move), KNOWN_TEST(pace_of_steps), KNOWN_TEST(agree), KNOWN_TEST(rates), KNOWN_TEST(pruned), KNOWN_TEST(said), KNOWN_TEST(pruned_and_shared)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
