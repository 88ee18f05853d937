/* SPDX-License-Identifier: Apache-2.0
 *
 * Training with products of bfloat16: the same bits for any number of threads, near the training in floats, and refused where the processor can't do it.
 * What the kernels compute is checked in tests/kernel.
 */
#include "help.h"
#include "core/core.h"

#include <math.h>

enum { BATCH = 6, STEPS = 4 };

static cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.batch = 1, .seed = 3}));
	return g;
}

static void fill(cop_trainer *t, int step)
{
	cop_tensor x;

	for (int32_t i = 0; i < 2; i++) {
		assert_int_equal(cop_trainer_input(t, i, &x), COP_OK);
		for (int64_t k = 0; k < cop_type_count(&x.type); k++) {
			if (i) ((int32_t *)x.data)[k] = (int32_t)(k + step) % 10;
			else ((float *)x.data)[k] = cop__rand_normal(2, (uint32_t)step, (uint64_t)k);
		}
	}
}

/* The network after some steps; loss: of the last. */
static cop_graph *trained(cop_ctx *cx, bool bf16, int threads, float *loss)
{
	cop_graph *g = net(cx);
	cop_trainer *t;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = BATCH, .threads = threads, .spec = "sgd momentum=0.9", .bf16 = bf16}));
	for (int i = 0; i < STEPS; i++) {
		fill(t, i);
		OK(cx, cop_trainer_step(t, 0.01f, loss));
	}
	OK(cx, cop_trainer_pull(t, g));
	cop_trainer_free(t);
	return g;
}

/* The largest distance of a weight, over the largest weight. */
static double apart(const cop_graph *a, const cop_graph *b)
{
	double most = 0, scale = 0;

	for (int32_t v = 1; v <= a->n_value; v++)
		for (int64_t k = 0; a->value[v].role == COP_PARAM && k < cop_type_count(&a->value[v].type); k++) {
			const double x = ((const float *)a->value[v].data)[k], y = ((const float *)b->value[v].data)[k];
			most = fmax(most, fabs(x - y)), scale = fmax(scale, fabs(x));
		}
	return most / scale;
}

static void steps(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	float loss[4];

	if (cop__cpu_bf16(cx)) {
		cop_ctx_free(cx);
		skip();
	}
	cop_graph *one = trained(cx, true, 1, &loss[0]), *two = trained(cx, true, 2, &loss[1]), *three = trained(cx, true, 3, &loss[2]), *floats = trained(cx, false, 1, &loss[3]);
	assert_true(apart(one, two) <= 0 && apart(one, three) <= 0);
	assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
	assert_memory_equal(&loss[0], &loss[2], sizeof loss[0]);
	/* a bfloat16 has 8 bits: a step moves weights by a rounded gradient */
	const double far = apart(one, floats);
	if (far <= 0 || far > 5e-3) fail_msg("weights are %g apart from those of floats", far);
	if (!(fabsf(loss[0] - loss[3]) < 0.02f * loss[3])) fail_msg("loss %g, in floats %g", (double)loss[0], (double)loss[3]);
	cop_graph_free(one), cop_graph_free(two), cop_graph_free(three), cop_graph_free(floats);
	cop_ctx_free(cx);
}

static cop_status zeros(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	memset(x, 0, 32 * 32 * 3 * sizeof *x);
	return *label = i, COP_OK;
}

/* A network without a convolution trains in floats, and says so; one with them does not. */
static void heard(void *ud, cop_level level, const char *text) { *(bool *)ud |= level == COP_LOG_WARN && strstr(text, "bfloat16"); }

static void said(void **state)
{
	static const char *const nets[] = {"resnet-8", "mlp-64x8x10"};
	(void)state;
	for (int i = 0; i < LEN(nets); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_trainer *t;
		bool told = false;
		if (cop__cpu_bf16(cx)) {
			cop_ctx_free(cx);
			skip();
		}
		cop_ctx_log(cx, COP_LOG_WARN, heard, &told);
		OK(cx, cop_zoo_build(&g, cx, nets[i], &(cop_zoo_args){.batch = 1, .seed = 3}));
		OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 2, .threads = 1, .bf16 = true}));
		assert_int_equal(told, i);
		cop_trainer_free(t);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* COPPICE_ISA takes the tiles away, as a processor without them does. */
static void refused(void **state)
{
	(void)state;
	cop_ctx *cx = NULL;
	cop_trainer *t;

	setenv("COPPICE_ISA", "ref", 1);
	assert_int_equal(cop_ctx_new(&cx, NULL), COP_OK);
	unsetenv("COPPICE_ISA");
	cop_graph *g = net(cx);
	assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1, .bf16 = true}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "AMX"));
	assert_null(t);
	cop_error_clear(cx);
	cop_dataset d = {.name = "zeros", .x = cop__type(COP_F32, 3, DIMS(32, 32, 3)), .count = 2, .classes = 10, .get = zeros};
	assert_int_equal(cop_train(g, &d, NULL, &(cop_train_args){.epochs = 1, .batch = 2, .threads = 1, .lr = 0.1f, .bf16 = true}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "AMX"));
	cop_error_clear(cx);
	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1}));
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(said), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
