/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounding that is learned for the layers of a block together: where blocks lie, what QDrop leaves unrounded, the steps
 * against PyTorch, two weights by hand, one layer against AdaRound, and what a block is off by on samples that it has not
 * seen.
 */
#include "blocks_reference.h"
#include "compress/quantize/fake.h"
#include "patterns.h"

/* ---- networks ---- */

/* conv - [conv - conv + sum] - pool - [fc]: three blocks. */
static cop_graph *residual(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "residual"));
	cop_vid a = relu(g, conv(g, input(g, 4, DIMS(1, 6, 6, 3)), "a", 8, 3, 1, 1, true));
	cop_vid x = relu(g, conv(g, a, "b", 8, 3, 1, 1, true));
	x = relu(g, add(g, a, conv(g, x, "c", 8, 3, 1, 1, true)));
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){6, 6, 1, 1, 0, 0, 0, 0, 0}, VIDS(x));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	OK(cx, cop__output(g, fc(g, x, "f", 4, true), "y"));
	return g;
}

static cop_graph *one_fc(cop_ctx *cx, int32_t in, int32_t out)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "one"));
	OK(cx, cop__output(g, fc(g, input(g, 2, DIMS(1, in)), "f", out, false), "y"));
	return g;
}

/* Rounded to the nearest; the next call of this frees it. */
static cop_quantizer *opened(cop_ctx *cx, cop_graph *g, cop_dataset *d, const cop_quantize_args *a, int weights, int activations)
{
	static cop_quantizer z;

	z = (cop_quantizer){.a = a, .weight_bits = weights, .act_bits = activations};
	OK(cx, cop__quantizer_open(&z, g, d));
	OK(cx, cop__set_ranges(&z));
	OK(cx, cop__quantize_weights(&z));
	return &z;
}

static cop_nid node_of(const cop_graph *g, const char *weight)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 1) && cop__arg(g, n, 1) == cop__find(g, weight)) return n;
	return 0;
}

/* ---- blocks ---- */

static void found(void **state)
{
	static const cop_quantize_args a = {.round = "nearest", .threads = 1}, kept = {.round = "nearest", .keep = "b.w|c.w", .threads = 1};
	cop_graph *g = residual(*state);
	cop_block b[16];
	cop_quantizer *z = opened(*state, g, samples(g, 16), &a, 4, 8);

	assert_int_equal(cop__blocks(b, z), 3);
	assert_true(b[0].first == 1 && b[0].last == node_of(z->g, "a.w") && b[0].in == z->g->input[0]);
	assert_true(b[1].first == b[0].last + 1 && b[1].in == cop__res(z->g, b[0].last, 0) && b[0].out == b[1].in);
	assert_int_equal(z->g->node[b[1].last].op, OP_add); /* neither of the layers alone: the shortcut goes around them */
	assert_true(b[2].first == b[1].last + 1 && b[2].in == b[1].out && b[2].last == node_of(z->g, "f.w")); /* the pool goes with what reads it */
	assert_int_equal(b[2].out, z->g->output[0]);
	cop__quantizer_close(z);
	z = opened(*state, g, samples(g, 16), &kept, 4, 8);
	assert_int_equal(cop__blocks(b, z), 2); /* nothing is learned in the second: it goes with the third */
	assert_true(b[1].first == b[0].last + 1 && b[1].last == node_of(z->g, "f.w"));
	cop__quantizer_close(z);
	cop_graph_free(g);
}

/* ---- QDrop ---- */

static void mixed(void **state)
{
	enum { N = 4000 };
	static float q[N], x[N], to[N], again[N];
	int left = 0, same = 0;

	(void)state;
	for (int i = 0; i < N; i++) q[i] = (float)i, x[i] = (float)i + 0.5f;
	cop__mix(to, q, x, N, 1, 7, 0);
	assert_memory_equal(to, x, sizeof x);
	cop__mix(to, q, x, N, 0, 7, 0);
	assert_memory_equal(to, q, sizeof q);
	cop__mix(to, q, x, N, 0.5f, 7, 0);
	for (int i = 0; i < N; i++) {
		assert_true(to[i] == x[i] || to[i] == q[i]);
		left += to[i] == x[i];
	}
	assert_true(abs(left - N / 2) < 4 * 32); /* four times the standard deviation */
	cop__mix(again, q, x, 1000, 0.5f, 7, 0); /* in parts, the same */
	cop__mix(again + 1000, q + 1000, x + 1000, N - 1000, 0.5f, 7, 1000);
	assert_memory_equal(to, again, sizeof to);
	cop__mix(again, q, x, N, 0.5f, 7, N);
	for (int i = 0; i < N; i++) same += to[i] == again[i];
	assert_true(abs(same - N / 2) < 4 * 32);
	cop__mix(to, q, x, N, 0.25f, 7, 0);
	left = 0;
	for (int i = 0; i < N; i++) left += to[i] == x[i];
	assert_true(abs(left - N / 4) < 4 * 28);
}

/* What a block makes of the first sample. */
static void made(cop_ctx *cx, float *to, cop_quantizer *z, const cop_block *b, float drop, int32_t step)
{
	cop_dataset *d = samples(z->g, 16);
	cop_graph *g;
	cop_watch w;
	cop_tensor t;
	int32_t got;

	OK(cx, cop__fake_block(&g, z, b, drop));
	OK(cx, cop__watch_new(&w, g, 1, 0, 1));
	if (drop > 0 && drop < 1) {
		OK(cx, cop_session_tensor(w.host.s, 0, "drop.step", &t));
		*(int32_t *)t.data = step;
	}
	OK(cx, cop__watch_load(&w, &d, 0, 16, &got));
	OK(cx, cop_session_run(w.host.s, 0));
	OK(cx, cop_session_io(w.host.s, 0, 0, true, &t));
	memcpy(to, t.data, sizeof *to * (size_t)cop_type_count(&t.type));
	cop__watch_free(&w);
	cop_graph_free(g);
}

/* The first block is one layer with the float weights: with drop 1 its result is the float network's but for the steps of biases,
 * with 0 that on its steps; in between each number is one or the other, and the input may have been either. */
static void dropped(void **state)
{
	static const cop_quantize_args a = {.round = "nearest", .range = "minmax", .narrow_sums = true, .threads = 1, .seed = 3};
	static float exact[288], none[288], some[288], again[288], other[288];
	cop_graph *g = residual(*state);
	cop_quantizer *z = opened(*state, g, samples(g, 16), &a, 4, 4);
	cop_dataset *d = samples(g, 16);
	cop_block b[16];
	cop_watch w;
	cop_tensor t;
	int32_t got, unrounded = 0, differ = 0;

	assert_true(cop__blocks(b, z) == 3);
	OK(*state, cop__watch_new(&w, z->g, 1, 0, 1));
	OK(*state, cop__watch_load(&w, &d, 0, 16, &got));
	OK(*state, cop_session_run(w.host.s, 0));
	OK(*state, cop__watch_value(&w, b[0].out, &t));
	made(*state, exact, z, &b[0], 1, 0);
	const cop_qlayer *l = &z->layer[b[0].last];
	for (int i = 0; i < 288; i++) /* biases are in units of the sums, whatever is dropped */
		assert_float_equal(exact[i], ((const float *)t.data)[i], l->scale[i % 8] * z->act[b[0].in].scale * 0.501f);
	cop__watch_free(&w);
	made(*state, none, z, &b[0], 0, 0);
	made(*state, some, z, &b[0], 0.5f, 1);
	made(*state, again, z, &b[0], 0.5f, 1);
	made(*state, other, z, &b[0], 0.5f, 2);
	const cop_qrange *r = &z->act[b[0].out];
	for (int i = 0; i < 288; i++) {
		float of = none[i] / r->scale, at = some[i] / r->scale;
		assert_float_equal(of, roundf(of), 1e-4);
		assert_true(fabsf(none[i] - exact[i]) <= r->scale * 0.6f);
		const bool whole = fabsf(at - roundf(at)) <= 1e-3f;
		assert_true(whole || fabsf(some[i] - exact[i]) < 0.1f); /* but for the steps of the input */
		unrounded += !whole;
		differ += some[i] != other[i];
	}
	assert_true(unrounded > 60 && unrounded < 200); /* of which a few are zeros, or at a step by chance */
	assert_true(differ > 60);
	assert_memory_equal(some, again, sizeof some);
	cop__quantizer_close(z);
	cop_graph_free(g);
}

/* ---- learning ---- */

static void against_pytorch(void **state)
{
	static const float w[] = {0.3f, 0.8f}, x[3][2] = {{1, 2}, {0.5f, -1}, {2, 1}}, base[] = {0, 1};
	float v[] = {cop__soft_start(0.6f), cop__soft_start(0.7f)};
	cop_adam adam[2] = {{0}};

	(void)state;
	for (int t = 0, at = 0; t < steps; t++) {
		float grad[2] = {0}, error = 0;
		for (int i = 0; i < 3; i++) {
			float e = 0;
			for (int k = 0; k < 2; k++) e += (0.5f * (base[k] + cop__soft(v[k])) - w[k]) * x[i][k];
			for (int k = 0; k < 2; k++) grad[k] += unit * 2 * e * x[i][k] * 0.5f / 3;
			error += e * e / 3;
		}
		if (at < LEN(learned) && learned[at].t == t) {
			assert_float_equal(error, learned[at].error, 2e-5);
			for (int k = 0; k < 2; k++) assert_float_equal(v[k], learned[at].v[k], 2e-4);
			at++;
		}
		const cop_pace p = cop__pace(rate, pull, t, steps);
		for (int k = 0; k < 2; k++) cop__soft_step(&adam[k], &v[k], grad[k], &p);
	}
}

/* The first tells how far numbers reach. */
static cop_status always(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	x[0] = i ? 0 : 4, x[1] = i ? 2 : 4;
	*label = 0;
	return COP_OK;
}

/* Weights 0.3 and 0.6 with a step of 0.5 read 0 and 2, which was 2.8 before it was rounded. To the nearest both are 0.5, and the result is 1
 * where 0.6 * 2.8 = 1.68 is right: off by 0.68, whose square is 0.4624. The second as 1 makes 2, off by 0.32: 0.1024. Nothing depends on the first. */
static void two_weights(void **state)
{
	static const cop_quantize_args a = {.round = "nearest", .range = "minmax", .threads = 1};
	cop_graph *g = one_fc(*state, 2, 1);
	cop_dataset d = {.name = "always", .x = cop__type(COP_F32, 1, DIMS(2)), .count = 32, .get = always};
	float *w = cop__own(g, cop__find(g, "f.w")), after[32], q[64], y[32], twice[32];
	double error[2];

	w[0] = 0.3f, w[1] = 0.6f;
	cop_quantizer *z = opened(*state, g, &d, &a, 4, 8);
	cop_qlayer *l = &z->layer[node_of(z->g, "f.w")];
	const cop_block b = {1, (cop_nid)z->g->n_node, z->g->input[0], z->g->output[0]};
	for (int i = 0; i < 32; i++) q[2 * i] = 0, q[2 * i + 1] = 2, y[i] = 1.68f, twice[i] = 2;
	cop_block_data data = {.samples = 32, .in = 2, .out = 1, .x = q, .q = q, .y = y};
	for (int k = 0; k < 2; k++) { /* k: errors count twice */
		l->scale[0] = 0.5f, l->q[0] = l->q[1] = 1;
		data.matter = k ? twice : NULL;
		z->round = COP_ROUND_BLOCK;
		OK(*state, cop__reconstruct(z, &b, &data, after, error));
		assert_float_equal(error[0] / (1 + k), 0.4624, 0.028); /* 8 bits for what is read and made */
		assert_float_equal(error[1] / (1 + k), 0.1024, 0.013);
		assert_true(l->q[0] == 1 && l->q[1] == 2);
		for (int i = 0; i < 32; i++) assert_float_equal(after[i], 2, 0.02);
	}
	cop__quantizer_close(z);
	cop_graph_free(g);
}

/* A block of one layer with nothing dropped: as good as the layer by itself, from the products of all samples. */
static void one_layer(void **state)
{
	enum { K = 8, O = 16, N = 64 };
	static const cop_quantize_args a = {.round = "nearest", .range = "minmax", .threads = 1};
	static float x[N * K], y[N * O], after[N * O], h[K * K];
	cop_graph *g = one_fc(*state, K, O);
	cop_dataset *d = samples(g, N);
	cop_quantizer *z = opened(*state, g, d, &a, 3, 8);
	cop_qlayer *l = &z->layer[node_of(z->g, "f.w")];
	const float *w = cop__floats(z->g, cop__find(z->g, "f.w"));
	const cop_block b = {1, (cop_nid)z->g->n_node, z->g->input[0], z->g->output[0]};
	double error[2], cost[3] = {0};
	int8_t q[K];
	int32_t label;

	for (int i = 0; i < N; i++) {
		d->get(d->ud, i, x + i * K, &label);
		for (int k = 0; k < K * K; k++) h[k] += x[i * K + k / K] * x[i * K + k % K] / N;
		for (int o = 0; o < O; o++) {
			y[i * O + o] = 0;
			for (int k = 0; k < K; k++) y[i * O + o] += w[o * K + k] * x[i * K + k];
		}
	}
	for (int o = 0; o < O; o++) {
		memcpy(q, l->q + o * K, K);
		cost[0] += cop__round_cost(q, w + o * K, l->scale[o], K, h, NULL);
		OK(*state, cop__adaround(q, *state, w + o * K, l->scale[o], K, h, NULL, 3, 1000));
		cost[1] += cop__round_cost(q, w + o * K, l->scale[o], K, h, NULL);
	}
	z->round = COP_ROUND_BLOCK;
	OK(*state, cop__reconstruct(z, &b, &(cop_block_data){.samples = N, .in = K, .out = O, .x = x, .q = x, .y = y}, after, error));
	for (int o = 0; o < O; o++) cost[2] += cop__round_cost(l->q + o * K, w + o * K, l->scale[o], K, h, NULL);
	assert_true(cost[1] < 0.6 * cost[0]);
	assert_float_equal(cost[2] / cost[1], 1, 0.1);
	assert_float_equal(error[1] * O, cost[2], 0.1 * cost[2]); /* and what it says is so */
	cop__quantizer_close(z);
	cop_graph_free(g);
}

/* ---- whole networks ---- */

static cop_status later(void *ud, int32_t i, float *x, int32_t *label) { return draw(ud, i + 1000, x, label); }

static void unseen(void **state)
{
	static const char *const rounds[] = {"nearest", "block", "qdrop"};
	cop_graph *g = residual(*state);
	cop_dataset unseen = *samples(g, 64);
	double off[3];

	unseen.get = later;
	for (int bits = 0; bits < 2; bits++) {
		for (int i = 0; i < 3; i++) {
			const cop_quantize_args a = {.scheme = bits ? "w2a4" : "w3a8", .round = rounds[i], .threads = 1, .seed = 1};
			cop_graph *q;
			OK(*state, cop__pass_batch(&q, g, 1));
			OK(*state, cop_quantize(&q, samples(g, 64), &a));
			off[i] = apart(*state, g, q, &unseen, 64).mean;
			cop_graph_free(q);
		}
		assert_true(off[1] < 0.8 * off[0] && off[2] < 0.8 * off[0]);
	}
	cop_graph_free(g);
}

/* A seed says all; threads say nothing. */
static void same(void **state)
{
	static const struct { int threads; uint64_t seed; } how[] = {{1, 1}, {3, 1}, {1, 2}};
	cop_graph *g = residual(*state), *q[3];

	for (int i = 0; i < 3; i++) {
		const cop_quantize_args a = {.scheme = "w2a4", .round = "qdrop", .threads = how[i].threads, .seed = how[i].seed};
		OK(*state, cop__pass_batch(&q[i], g, 1));
		OK(*state, cop_quantize(&q[i], samples(g, 40), &a));
	}
	assert_true(worst(*state, q[0], q[1], samples(g, 8), 8) == 0);
	assert_true(worst(*state, q[0], q[2], samples(g, 8), 8) > 0);
	for (int i = 0; i < 3; i++) cop_graph_free(q[i]);
	cop_graph_free(g);
}

/* Every operator may stand in a block, those without a gradient, too. */
static void all_patterns(void **state)
{
	const cop_quantize_args a = {.scheme = "w8a8", .range = "minmax", .round = "qdrop", .threads = 1};

	for (int i = 0; i < LEN(patterns); i++) {
		cop_graph *g = build(*state, &patterns[i]), *q;
		OK(*state, cop__pass_batch(&q, g, 1));
		OK(*state, cop_quantize(&q, samples(g, 24), &a));
		double off = apart(*state, g, q, samples(g, 24), 24).mean;
		if (off > 0.05) fail_msg("%s: off by %g", patterns[i].name, off);
		cop_graph_free(q);
		cop_graph_free(g);
	}
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(found), T(mixed), T(dropped),
		T(against_pytorch), T(two_weights), T(one_layer), T(unseen),
		T(same), T(all_patterns)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
