/* SPDX-License-Identifier: Apache-2.0
 *
 * What the backward pass reads, kept as bytes and bits: gradients against PyTorch's with the same rounding, within the bound that half a step gives; what
 * has to stay exact does, bit for bit; the bytes that a plan takes, counted by hand; what stays in floats.
 */
#include "help.h"
#include "train/saved_reference.h"

#define REF(name) {#name, ref_##name, {ref_##name##_0, ref_##name##_1, ref_##name##_2}, ref_##name##_bound, LEN(ref_##name)}
static const struct weight { const char *name; const float *start, *gradient[3], *bound; int count; } weights[] = {
	REF(c1), REF(b1), REF(gamma), REF(beta), REF(c2), REF(b2), REF(c3), REF(b3), REF(fc), REF(b4)};
static const char *const saved[] = { /* as the reference has them */
	"sgd saved=float", "sgd saved=int8", "sgd saved=int8-all"};
static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_vid weight(cop_graph *g, const char *name, int rank, const int32_t *dim)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	for (int i = 0; i < LEN(weights); i++)
		if (!strcmp(weights[i].name, name)) return cop__data(g, COP_PARAM, name, &t, weights[i].start);
	return cop__data(g, COP_STATE, name, &t, NULL);
}

/* That of make_saved_reference.py. */
static cop_graph *net(cop_ctx *cx)
{
	const cop_conv_attr padded = {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, point = {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0.6f};
	cop_type t = cop__type(COP_F32, 4, DIMS(2, 6, 6, 4));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "saved"));
	cop_vid x = cop__apply(g, OP_conv, &padded, VIDS(cop__input(g, "x", &t), weight(g, "c1", 4, DIMS(6, 3, 3, 4)), weight(g, "b1", 1, DIMS(6))));
	x = cop__apply(g, OP_bn, &(cop_bn_attr){1e-5f, 0.1f, 0, COP_NO_HI},
		VIDS(x, weight(g, "gamma", 1, DIMS(6)), weight(g, "beta", 1, DIMS(6)), weight(g, "mean", 1, DIMS(6)), weight(g, "var", 1, DIMS(6))));
	x = cop__apply(g, OP_maxpool, &(cop_pool_attr){.kh = 2, .kw = 2, .sh = 2, .sw = 2}, VIDS(x));
	x = cop__apply(g, OP_conv, &padded, VIDS(x, weight(g, "c2", 4, DIMS(8, 3, 3, 6)), weight(g, "b2", 1, DIMS(8))));
	x = cop__apply(g, OP_gelu, NULL, VIDS(x));
	x = cop__apply(g, OP_conv, &point, VIDS(x, weight(g, "c3", 4, DIMS(5, 1, 1, 8)), weight(g, "b3", 1, DIMS(5))));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {2, 45}}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(x, weight(g, "fc", 2, DIMS(3, 45)), weight(g, "b4", 1, DIMS(3)))), "y"));
	OK(cx, cop_graph_verify(g));
	return g;
}

static cop_trainer *trainer(cop_ctx *cx, const cop_graph *g, const char *spec, int threads)
{
	cop_trainer *t;
	cop_tensor x;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 2, .threads = threads, .spec = spec, .apart = true}));
	OK(cx, cop_trainer_input(t, 0, &x));
	memcpy(x.data, ref_x, sizeof ref_x);
	OK(cx, cop_trainer_input(t, 1, &x));
	((int32_t *)x.data)[0] = 2, ((int32_t *)x.data)[1] = 0;
	OK(cx, cop_trainer_gradients(t, NULL));
	return t;
}

static const float *gradient(cop_trainer *t, const char *name)
{
	cop_tensor dw;
	const char *at;

	for (int i = 0; (at = cop_trainer_gradient(t, i, &dw)); i++)
		if (!strcmp(at, name)) return dw.data;
	fail_msg("no gradient of '%s'", name);
	return NULL;
}

static void gradients_are_those_of_pytorch(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);

	for (int way = 0; way < LEN(saved); way++) {
		cop_trainer *t = trainer(cx, g, saved[way], 2);
		for (int i = 0; i < LEN(weights); i++) {
			const struct weight *w = &weights[i];
			const float *dw = gradient(t, w->name);
			for (int k = 0; k < w->count; k++)
				if (!(fabsf(dw[k] - w->gradient[way][k]) <= 2e-6f)) fail_msg("%s: %s, element %d: %.8g, PyTorch %.8g", saved[way], w->name, k, (double)dw[k], (double)w->gradient[way][k]);
		}
		cop_trainer_free(t);
	}
	cop_graph_free(g);
}

/* Of a weight as far from the exact one as half a step allows, and not the same; all else has its bits, what is computed again within. */
static void bytes_change_gradients_of_weights_alone(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);
	cop_trainer *exact = trainer(cx, g, saved[0], 1), *bytes = trainer(cx, g, saved[1], 1);

	for (int i = 0; i < LEN(weights); i++) {
		const struct weight *w = &weights[i];
		const float *a = gradient(exact, w->name), *b = gradient(bytes, w->name);
		int differ = 0;
		for (int k = 0; k < w->count; k++) {
			if (!(fabsf(a[k] - b[k]) <= w->bound[k] + (w->bound[k] > 0 ? 1e-6f : 0))) fail_msg("%s, element %d: %.8g, exactly %.8g, bound %.8g", w->name, k, (double)b[k], (double)a[k], (double)w->bound[k]);
			differ += a[k] != b[k];
		}
		assert_int_equal(differ > 0, w->bound[0] > 0);
	}
	cop_trainer_free(exact);
	cop_trainer_free(bytes);
	cop_graph_free(g);
}

static void any_number_of_threads_has_the_same_bits(void **state)
{
	static const int threads[] = {2, 3, 5};
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);
	cop_trainer *one = trainer(cx, g, saved[2], 1);

	for (int n = 0; n < LEN(threads); n++) {
		cop_trainer *t = trainer(cx, g, saved[2], threads[n]);
		for (int i = 0; i < LEN(weights); i++) assert_memory_equal(gradient(t, weights[i].name), gradient(one, weights[i].name), sizeof(float) * (size_t)weights[i].count);
		cop_trainer_free(t);
	}
	cop_trainer_free(one);
	cop_graph_free(g);
}

/* Networks with batch norm, ReLU, GELU and shortcuts: what three steps make of them. */
static void three_steps(cop_ctx *cx, cop_graph **g, const char *name, const char *spec)
{
	cop_trainer *t;
	cop_tensor x;

	OK(cx, cop_zoo_build(g, cx, name, &(cop_zoo_args){.batch = 4, .classes = 10, .height = 32, .width = 32, .channels = 3, .seed = 1}));
	OK(cx, cop_trainer_new(&t, *g, &(cop_trainer_args){.batch = 4, .threads = 2, .spec = spec}));
	for (uint32_t s = 0; s < 3; s++) {
		OK(cx, cop_trainer_input(t, 0, &x));
		for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = cop__rand_unit(1, s, (uint64_t)i) - 0.5f;
		OK(cx, cop_trainer_input(t, 1, &x));
		for (int i = 0; i < 4; i++) ((int32_t *)x.data)[i] = (int32_t)(s + (uint32_t)i) % 10;
		OK(cx, cop_trainer_step(t, 0.01f, NULL));
	}
	OK(cx, cop_trainer_pull(t, *g));
	cop_trainer_free(t);
}

static void exact_changes_no_bit(void **state)
{
	static const char *const names[] = {"resnet-8", "airbench-0.25", "mobilenet-v2-0.35@32", "lenet-5"};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(names); i++) {
		cop_graph *plain, *exact, *bytes;
		three_steps(cx, &plain, names[i], "sgd");
		three_steps(cx, &exact, names[i], "sgd saved=exact");
		three_steps(cx, &bytes, names[i], "sgd saved=int8");
		int differ = 0;
		for (int32_t v = 1; v <= plain->n_value; v++) {
			const cop_value *a = &plain->value[v];
			if (a->role != COP_PARAM && a->role != COP_STATE) continue;
			if (memcmp(a->data, exact->value[cop__find(exact, a->name)].data, cop_type_bytes(&a->type))) fail_msg("%s: '%s' has other bits", names[i], a->name);
			differ += memcmp(a->data, bytes->value[cop__find(bytes, a->name)].data, cop_type_bytes(&a->type)) != 0;
		}
		assert_true(differ);
		cop_graph_free(plain);
		cop_graph_free(exact);
		cop_graph_free(bytes);
	}
}

/* ---- operators, by hand ---- */

static cop_session *session(cop_ctx *cx, cop_graph *g)
{
	cop_target host;
	cop_plan *p;
	cop_session *s;

	OK(cx, cop_graph_verify(g));
	OK(cx, cop_target_find(&host, cx, "host"));
	OK(cx, cop_plan_build(&p, &g, 1, &host));
	OK(cx, cop_session_new(&s, p, 1));
	return s;
}

static const void *run(cop_ctx *cx, cop_session *s, const float *x, size_t bytes, int output)
{
	cop_tensor t;

	OK(cx, cop_session_io(s, 0, 0, false, &t));
	memcpy(t.data, x, bytes);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_io(s, 0, output, true, &t));
	return t.data;
}

/* Two samples: a step of 1/2, and of 2; ties go to the even number. Of nothing but zeros, and of what is too small to be told from them, the step is 0. */
static void bytes_are_those_by_hand(void **state)
{
	static const float x[2][5] = {{63.5f, -0.25f, 0.2f, -63.5f, 0.8f}, {-254, 3, 1, 5, 2.9f}}, small[2][5] = {{0, 0, 0, 0, 0}, {1e-38f, -2e-38f, 0, 0, 0}};
	static const int8_t code[] = {127, 0, 0, -127, 2, -127, 2, 0, 2, 1}, none_left[10] = {0};
	static const float after[] = {63.5f, 0, 0, -63.5f, 1, -254, 4, 0, 4, 2};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 2, DIMS(2, 5));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "bytes"));
	cop_nid n = cop__node(g, OP_pack8, &(cop_pack8_attr){0}, VIDS(cop__input(g, "x", &t)));
	OK(cx, cop__output(g, cop__res(g, n, 0), "q"));
	OK(cx, cop__output(g, cop__res(g, n, 1), "step"));
	OK(cx, cop__output(g, cop__apply(g, OP_unpack8, &(cop_pack8_attr){0}, VIDS(cop__res(g, n, 0), cop__res(g, n, 1))), "y"));
	cop_session *s = session(cx, g);
	assert_memory_equal(run(cx, s, x[0], sizeof x, 0), code, sizeof code);
	const float *step = run(cx, s, x[0], sizeof x, 1);
	assert_true(step[0] == 0.5f && step[1] == 2);
	assert_memory_equal(run(cx, s, x[0], sizeof x, 2), after, sizeof after);
	step = run(cx, s, small[0], sizeof small, 1);
	assert_true(step[0] == 0 && step[1] == 0);
	assert_memory_equal(run(cx, s, small[0], sizeof small, 0), none_left, sizeof none_left);
	cop_session_free(s);
	cop_graph_free(g);
}

static void values_above_zero_have_all_bytes(void **state)
{
	static const float x[] = {0, 1, 255, 127.6f, 0.4f};
	static const int8_t code[] = {-128, -127, 127, 0, -128};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 5));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "bytes"));
	cop_nid n = cop__node(g, OP_pack8, &(cop_pack8_attr){-128}, VIDS(cop__input(g, "x", &t)));
	OK(cx, cop__output(g, cop__res(g, n, 0), "q"));
	cop_session *s = session(cx, g);
	assert_memory_equal(run(cx, s, x, sizeof x, 0), code, sizeof code);
	cop_session_free(s);
	cop_graph_free(g);
}

/* A bound itself is not within. Ten numbers a row: two bytes, and six bits of the second stay 0. */
static void bits_are_those_by_hand(void **state)
{
	static const float x[] = {0, 0.1f, 6, 5.9f, -1, 7, 3, -0.0f, 1, 6, 1, 2, 3, 4, 5, 0, 0, 0, 0, 1};
	static const uint8_t bits[] = {0x4a, 0x01, 0x1f, 0x02};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 2, DIMS(2, 10));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "bits"));
	OK(cx, cop__output(g, cop__apply(g, OP_within, &(cop_act_attr){0, 6}, VIDS(cop__input(g, "x", &t))), "b"));
	cop_session *s = session(cx, g);
	assert_memory_equal(run(cx, s, x, sizeof x, 0), bits, sizeof bits);
	cop_session_free(s);
	cop_graph_free(g);
}

/* ---- the plan ---- */

enum { DEEP = 12, SIDE = 16, CHANNELS = 8, VALUE = 4 * SIDE * SIDE * CHANNELS };

/* Layers of one size, one after the other, four samples; behind each its result is squared, or added to what it has read. */
enum behind { NOTHING, SQUARE, SHORTCUT };
static cop_graph *stack(cop_ctx *cx, enum behind behind)
{
	const cop_conv_attr c = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, COP_NO_HI};
	cop_type t = cop__type(COP_F32, 4, DIMS(4, SIDE, SIDE, CHANNELS)), w = cop__type(COP_F32, 4, DIMS(CHANNELS, 3, 3, CHANNELS));
	cop_graph *g;
	char name[16];

	OK(cx, cop__graph_new(&g, cx, "stack"));
	cop_vid x = cop__input(g, "x", &t);
	for (int i = 0; i < DEEP; i++) {
		snprintf(name, sizeof name, "w%d", i);
		cop_vid y = cop__apply(g, OP_conv, &c, VIDS(x, cop__data(g, COP_PARAM, name, &w, NULL)));
		x = behind == SQUARE ? cop__apply(g, OP_mul, &none, VIDS(y, y)) : behind == SHORTCUT ? cop__apply(g, OP_add, &none, VIDS(y, x)) : y;
	}
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){.kh = SIDE, .kw = SIDE, .sh = 1, .sw = 1}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_reshape, &(cop_shape_attr){2, {4, CHANNELS}}, VIDS(x)), "y"));
	return g;
}

static int64_t arena(cop_ctx *cx, const cop_graph *model, const char *spec)
{
	cop_target host;
	cop_graph *g;
	cop_plan *p;

	OK(cx, cop_graph_train(&g, model, spec));
	OK(cx, cop_target_find(&host, cx, "host"));
	host.threads = 1, host.isa = 0;
	OK(cx, cop_plan_build(&p, &g, 1, &host));
	int64_t bytes = (int64_t)cop_plan_bytes(p, COP_TEMP);
	cop_plan_free(p);
	cop_graph_free(g);
	return bytes;
}

static int count(cop_ctx *cx, const cop_graph *model, const char *spec, int op)
{
	cop_graph *g;
	int n = 0;

	OK(cx, cop_graph_train(&g, model, spec));
	for (cop_nid m = 1; m <= (cop_nid)g->n_node; m++) n += g->node[m].op == op;
	cop_graph_free(g);
	return n;
}

/* Floats: each value waits. Bytes: each leaves a byte and a bit a number; beside those there are a value and its result as floats, or what comes back
 * before and after a layer and what the layer had read. A weight and its gradient are small beside that. */
static void a_plan_takes_bytes_and_bits(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = stack(cx, NOTHING);
	const int64_t floats = arena(cx, g, saved[0]), bytes = arena(cx, g, saved[1]);

	assert_in_range(floats, 4 * DEEP * VALUE, 4 * (DEEP + 4) * VALUE);
	assert_in_range(bytes, DEEP * VALUE, DEEP * (VALUE + VALUE / 8) + 3 * 4 * VALUE);
	cop_graph_free(g);
}

/* Layers with batch norm between them: each leaves two values, what batch norm has read and what it gave out. The second need not wait; of the first
 * bytes do. */
static void batch_norm_is_computed_again(void **state)
{
	cop_ctx *cx = *state;
	const cop_conv_attr c = {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_type t = cop__type(COP_F32, 4, DIMS(4, SIDE, SIDE, CHANNELS)), w = cop__type(COP_F32, 4, DIMS(CHANNELS, 3, 3, CHANNELS)), one = cop__type(COP_F32, 1, DIMS(CHANNELS));
	cop_graph *g;
	char name[5][16];

	OK(cx, cop__graph_new(&g, cx, "norms"));
	cop_vid x = cop__input(g, "x", &t);
	for (int i = 0; i < DEEP; i++) {
		for (int k = 0; k < 5; k++) snprintf(name[k], sizeof name[k], "%c%d", "wgbmv"[k], i);
		x = cop__apply(g, OP_conv, &c, VIDS(x, cop__data(g, COP_PARAM, name[0], &w, NULL)));
		x = cop__apply(g, OP_bn, &(cop_bn_attr){1e-5f, 0.1f, 0, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, name[1], &one, NULL), cop__data(g, COP_PARAM, name[2], &one, NULL),
			cop__data(g, COP_STATE, name[3], &one, NULL), cop__data(g, COP_STATE, name[4], &one, NULL)));
	}
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){.kh = SIDE, .kw = SIDE, .sh = 1, .sw = 1}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_reshape, &(cop_shape_attr){2, {4, CHANNELS}}, VIDS(x)), "y"));
	assert_in_range(arena(cx, g, saved[0]), 2 * 4 * DEEP * VALUE, 2 * 4 * (DEEP + 2) * VALUE);
	assert_in_range(arena(cx, g, "sgd saved=exact"), 4 * DEEP * VALUE, 4 * (DEEP + 4) * VALUE);
	assert_in_range(arena(cx, g, saved[2]), DEEP * VALUE, (DEEP + 1) * VALUE + 4 * 4 * VALUE);
	assert_int_equal(count(cx, g, saved[1], OP_bn_norm), 2 * DEEP - 1);
	assert_int_equal(count(cx, g, saved[1], OP_pack8), 1); /* of the input */
	cop_graph_free(g);
}

/* Sums along a shortcut, each from the one before and batch norm: those between the ones that are kept are made again, so few must be kept. They are made of no
 * more than four operators, one behind the other: how many nodes there are does not grow with the square of the depth. */
static void sums_are_computed_again(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g;

	OK(cx, cop_zoo_build(&g, cx, "resnet-56", &(cop_zoo_args){.batch = 1, .classes = 10, .height = 32, .width = 32, .channels = 3, .seed = 1}));
	const int forward = count(cx, g, saved[0], OP_add), more = count(cx, g, "sgd saved=exact", OP_add) - forward;
	assert_in_range(more, 20, 27 * 4); /* of 27 sums in the forward pass */
	assert_true(arena(cx, g, "sgd saved=exact") < arena(cx, g, saved[0]) * 2 / 3);
	cop_graph_free(g);
}

/* Of a convolution only the bits of its clip are kept: what it is added to is no longer known, and the sum stays. */
static void a_sum_of_what_is_gone_stays(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = stack(cx, SHORTCUT);

	assert_int_equal(count(cx, g, "sgd saved=exact", OP_add), count(cx, g, saved[0], OP_add));
	assert_int_equal(count(cx, g, "sgd saved=exact", OP_within), DEEP);
	cop_graph_free(g);
}

/* The gradient of a product reads both factors: they stay, and nothing is kept twice. What the products give is read for weights alone. */
static void what_else_is_read_stays(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = stack(cx, SQUARE);

	assert_int_equal(count(cx, g, saved[0], OP_pack8), 0);
	assert_int_equal(count(cx, g, saved[1], OP_pack8), DEEP);
	assert_int_equal(count(cx, g, saved[1], OP_within), 0);
	assert_int_equal(count(cx, g, saved[1], OP_clip_grad), DEEP);
	cop_graph_free(g);
}

/* A value that is squared, and read by a layer under another shape: it stays. Kept are the input, and the squares. */
static void a_view_is_what_it_shows(void **state)
{
	const cop_conv_attr c = {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 4, DIMS(4, 3, 3, 2)), w = cop__type(COP_F32, 4, DIMS(2, 3, 3, 2)), f = cop__type(COP_F32, 2, DIMS(5, 18));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "views"));
	cop_vid y = cop__apply(g, OP_conv, &c, VIDS(cop__input(g, "x", &t), cop__data(g, COP_PARAM, "w", &w, NULL))), both[2];
	for (int i = 0; i < 2; i++) {
		cop_vid rows = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {4, 18}}, VIDS(i ? cop__apply(g, OP_mul, &none, VIDS(y, y)) : y));
		both[i] = cop__apply(g, OP_fc, &none, VIDS(rows, cop__data(g, COP_PARAM, i ? "f1" : "f0", &f, NULL)));
	}
	OK(cx, cop__output(g, cop__apply(g, OP_add, &none, 2, both), "y"));
	assert_int_equal(count(cx, g, saved[1], OP_pack8), 2);
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gradients_are_those_of_pytorch, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_change_gradients_of_weights_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(any_number_of_threads_has_the_same_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(exact_changes_no_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_those_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(values_above_zero_have_all_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(bits_are_those_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plan_takes_bytes_and_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(batch_norm_is_computed_again, setup, teardown),
		cmocka_unit_test_setup_teardown(sums_are_computed_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sum_of_what_is_gone_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(what_else_is_read_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_view_is_what_it_shows, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
