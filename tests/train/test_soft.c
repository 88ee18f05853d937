/* SPDX-License-Identifier: Apache-2.0
 *
 * Training against parts of classes: a network that sees nothing but zeros learns the parts of the classes in its biases, so what class
 * weights, mixed samples and smoothing make of these is known by hand.
 */
#include "help.h"

enum { N = 12, CLASSES = 2 };

/* Nine samples of class 0 and three of class 1. */
static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	x[0] = x[1] = x[2] = x[3] = 0;
	*label = i % 4 == 3;
	return COP_OK;
}
static cop_dataset set = {.name = "uneven", .x = {.dtype = COP_F32, .rank = 3, .dim = {2, 2, 1}}, .count = N, .classes = CLASSES, .get = get};

static cop_graph *network(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-4x2", &(cop_zoo_args){.height = 2, .width = 2, .channels = 1, .seed = 1}));
	return g;
}

/* The probability of class 1 after training. */
static double learnt(cop_ctx *cx, const char *augment, float smooth, int32_t batch)
{
	cop_graph *g = network(cx);
	cop_train_args a = {.epochs = 400, .batch = batch, .threads = 1, .lr = 0.5f, .update = "sgd momentum=0", .schedule = "cosine", .augment = augment, .smooth = smooth, .seed = 2};

	OK(cx, cop_train(g, &set, NULL, &a));
	const float *b = cop__floats(g, cop__find(g, "fc1.b"));
	double p = 1 / (1 + exp((double)(b[0] - b[1])));
	cop_graph_free(g);
	return p;
}

static void test_parts(void **state)
{
	static const struct { const char *augment; float smooth; double p, within; } row[] = {
		{"none", 0, 0.25, 1e-3},
		{"balance", 0, 0.5, 1e-3},
		{"none", 0.2f, 0.3, 1e-3},          /* 0.8 * 0.25 + 0.2 / 2 */
		{"balance", 0.2f, 0.5, 1e-3},
		{"mix=1", 0, 0.25, 0.03},           /* the parts vary, their mean stays */
		{"mix=1", 0.2f, 0.3, 0.03},
		{"mix=1,balance", 0, 0.5, 0.05},
	};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		double p = learnt(cx, row[i].augment, row[i].smooth, N);
		if (fabs(p - row[i].p) > row[i].within) fail_msg("--augment %s --smooth %g: %.4f was learnt, %.4f is right", row[i].augment, (double)row[i].smooth, p, row[i].p);
		cop_ctx_free(cx);
	}
}

/* A loss of one's own is against one class. */
static void test_own_loss(void **state)
{
	static const char *const augment[] = {"mix=0.2", "balance"};

	(void)state;
	for (int i = 0; i < LEN(augment); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = network(cx);
		cop_train_args a = {.epochs = 1, .batch = 4, .threads = 1, .lr = 0.1f, .update = "sgd loss=xent", .augment = augment[i]};
		assert_int_equal(cop_train(g, &set, NULL, &a), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), "mix and balance need a loss against parts of classes"));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* Of a network that ends in softmax, the loss is that of its logits: it trains as if it did not, with a teacher too. */
static void test_softmax_at_the_end(void **state)
{
	static const char *const policies[] = {NULL, "distill:part=0.7"};
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

	(void)state;
	for (int i = 0; i < LEN(policies); i++) {
		float w[2][CLASSES * 4];
		for (int soft = 0; soft < 2; soft++) {
			cop_ctx *cx = new_ctx();
			cop_type tx = cop__type(COP_F32, 4, DIMS(1, 2, 2, 1)), tw = cop__type(COP_F32, 2, DIMS(CLASSES, 4)), tb = cop__type(COP_F32, 1, DIMS(CLASSES));
			const float first[CLASSES * 4] = {0.5f, -0.25f, 1, 0.125f, -1, 0.75f, 0.25f, -0.5f}, bias[CLASSES] = {0.25f, -0.5f};
			cop_train_args a = {.epochs = 3, .batch = 4, .threads = 1, .lr = 0.5f, .update = "sgd momentum=0", .seed = 2, .policies = policies[i]};
			cop_graph *g;
			OK(cx, cop__graph_new(&g, cx, "soft"));
			cop_vid x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 4}}, VIDS(cop__input(g, "x", &tx)));
			cop_vid y = cop__apply(g, OP_fc, &none, VIDS(x, cop__data(g, COP_PARAM, "w", &tw, first), cop__data(g, COP_PARAM, "b", &tb, bias)));
			OK(cx, cop__output(g, soft ? cop__apply(g, OP_softmax, NULL, VIDS(y)) : y, "y"));
			OK(cx, cop_train(g, &set, NULL, &a));
			memcpy(w[soft], cop__floats(g, cop__find(g, "b")), sizeof bias);
			assert_true(w[soft][0] != bias[0]);
			cop_graph_free(g);
			cop_ctx_free(cx);
		}
		assert_memory_equal(w[0], w[1], sizeof(float) * CLASSES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_own_loss), cmocka_unit_test(test_softmax_at_the_end)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
