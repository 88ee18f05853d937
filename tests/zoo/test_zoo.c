/* SPDX-License-Identifier: Apache-2.0
 *
 * The named architectures: parameter counts as published, shapes, drawn weights, and what a bad name is told.
 */
#include "help.h"

typedef struct model {
	const char *name;
	cop_zoo_args a;
	/* Parameters as their source counts them. Keras (MLPerf Tiny) counts running statistics too, and a bias in front
	 * of each batch norm, which we leave out: one for two statistics. */
	int64_t published;
	bool keras;
	int32_t rank, out[2];
} model;

static const model models[] = {
	{"lenet-300-100", {0}, 266610, false, 2, {1, 10}},
	{"lenet-5", {.batch = 3}, 431080, false, 2, {3, 10}},
	{"mlp-784x100x10", {.batch = 7}, 79510, false, 2, {7, 10}},
	{"mlp-784x100x10", {.height = 28, .width = 28, .classes = 4}, 78904, false, 2, {1, 4}},
	{"airbench", {.batch = 2}, 24 * 13 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 256 * 256 * 3) + 2 * 2 * (64 + 256 + 256) + 2560, false, 2, {2, 10}}, /* "1.97 M" */
	{"airbench-0.25", {0}, 24 * 13 + 9 * (24 * 16 + 16 * 16 + 16 * 64 + 64 * 64 * 3) + 2 * 2 * (16 + 64 + 64) + 640, false, 2, {1, 10}},
	{"binary-mlp", {.batch = 2}, 784 * 1024 + 2 * 1024 * 1024 + 3 * 2 * 1024 + 1025 * 10, false, 2, {2, 10}}, /* weights, batch norm, the last layer */
	/* as resnet-20, less its projections, and behind each of 18 convolutions three numbers of RPReLU a channel, before it one of RSign */
	{"binary-resnet-20", {0}, 272474 - 2752 + 3 * (6 * 16 + 6 * 32 + 6 * 64) + (7 * 16 + 6 * 32 + 5 * 64), false, 2, {1, 10}},
	{"binary-resnet-8x2", {.batch = 3}, 9 * (3 * 32 + 2 * 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (3 * 32 + 2 * 64 + 2 * 128) + 3 * 2 * (32 + 64 + 128) + (3 * 32 + 2 * 64 + 128) + 129 * 10, false, 2, {3, 10}},
	{"resnet-8", {0}, 78666, true, 2, {1, 10}},
	{"resnet-20", {.batch = 2, .classes = 10}, 272474, false, 2, {2, 10}},
	{"resnet-32", {0}, 466906, false, 2, {1, 10}},
	{"resnet-56", {0}, 855770, false, 2, {1, 10}},
	{"resnet-110", {0}, 1730714, false, 2, {1, 10}}, /* He 2016: 1.7 M; 2,752 more with projections than 1,727,962 */
	{"resnet-18", {0}, 11689512, false, 2, {1, 1000}},
	{"resnet-18@65", {0}, 11689512, false, 2, {1, 1000}},
	{"resnet-18@64", {0}, 11173962, false, 2, {1, 10}}, /* the CIFAR form that papers count as 11.17 M */
	{"resnet-18@32", {0}, 11173962, false, 2, {1, 10}},
	{"vgg-16", {0}, 138357544, false, 2, {1, 1000}},
	{"vgg-16@32", {0}, 14728266 - 4224, false, 2, {1, 10}}, /* published with the 4,224 biases */
	{"vgg-small-1", {.batch = 2}, 9 * (3 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512) + 2 * 2 * (128 + 256 + 512) + 8193 * 10, false, 2, {2, 10}}, /* "4.6 M" */
	{"binary-vgg-small-0.25", {0}, 9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * 2 * (32 + 64 + 128) + 2049 * 10, false, 2, {1, 10}},
	{"mobilenet-v1-0.25@96", {.classes = 2}, 221794, true, 2, {1, 2}},
	{"mobilenet-v1-1.0", {0}, 4231976, false, 2, {1, 1000}},
	{"mobilenet-v2-1.0", {0}, 3504872, false, 2, {1, 1000}},
	{"mobilenet-v2-0.35@128", {0}, 1677128, false, 2, {1, 1000}},
	{"ds-cnn", {.batch = 5}, 24908, true, 2, {5, 12}},
	/* as the layers of the papers add up: embedding, positions or biases of pairs, blocks, merging, head */
	{"vit-64x4", {0}, 48 * 64 + 64 + 64 * 64 + 4 * (4 * 64 + 65 * 192 + 65 * 64 + 65 * 128 + 129 * 64) + 128 + 650, false, 2, {1, 10}},
	{"swin-32x2", {.batch = 2}, 12 * 32 + 32 + 64 + 2 * (4 * 32 + 33 * 96 + 33 * 32 + 2 * 256 + 33 * 64 + 65 * 32) + 256 + 128 * 64 + 64 + 2 * (4 * 64 + 65 * 192 + 65 * 64 + 4 * 256 + 65 * 128 + 129 * 64) + 128 + 650, false, 2, {2, 10}},
	{"autoencoder-ad", {0}, 269992, true, 2, {1, 640}},
};

static int64_t count(const cop_graph *g, cop_role role)
{
	int64_t n = 0;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role == role) n += cop_type_count(cop__t(g, (cop_vid)v));
	return n;
}

static void test_models(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(models); i++) {
		const model *m = &models[i];
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		OK(cx, cop_zoo_build(&g, cx, m->name, &m->a));
		OK(cx, cop_graph_verify(g));
		int64_t params = count(g, COP_PARAM), stats = count(g, COP_STATE);
		print_message("%-22s %9lld parameters, %6lld running statistics\n", m->name, (long long)params, (long long)stats);
		assert_int_equal(params + (m->keras ? stats + stats / 2 : 0), m->published);
		assert_int_equal(g->n_input, 1);
		assert_int_equal(g->n_output, 1);
		assert_int_equal(cop__find(g, "x"), g->input[0]);
		assert_int_equal(cop__find(g, "y"), g->output[0]);
		const cop_type *y = cop__t(g, g->output[0]);
		assert_int_equal(y->rank, m->rank);
		for (int d = 0; d < m->rank; d++) assert_int_equal(y->dim[d], m->out[d]);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* Every listed name builds and has a summary; statistics follow a parameter. */
static void test_names(void **state)
{
	const char *name, *summary;
	int n = 0;

	(void)state;
	for (; (name = cop_zoo_name(n, &summary)); n++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		assert_true(summary && *summary);
		if (strcmp(name, "vgg-16")) { /* built above; it takes half a gigabyte */
			OK(cx, cop_zoo_build(&g, cx, name, NULL));
			for (int32_t v = 1; v <= g->n_value; v++) {
				if (g->value[v].role != COP_STATE) continue;
				assert_true(g->value[v].of);
				assert_int_equal(g->value[g->value[v].of].role, COP_PARAM);
			}
			cop_graph_free(g);
		}
		cop_ctx_free(cx);
	}
	assert_true(n >= 10);
}

static const float *weights(const cop_graph *g, const char *name, int64_t *n)
{
	cop_vid v = cop__find(g, name);
	assert_true(v);
	*n = cop_type_count(cop__t(g, v));
	return g->value[v].data;
}

static void test_weights(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *a, *b, *c;
	int64_t n;
	double sum = 0, square = 0;

	(void)state;
	OK(cx, cop_zoo_build(&a, cx, "lenet-300-100", &(cop_zoo_args){.seed = 1}));
	OK(cx, cop_zoo_build(&b, cx, "lenet-300-100", &(cop_zoo_args){.seed = 1, .batch = 9}));
	OK(cx, cop_zoo_build(&c, cx, "lenet-300-100", &(cop_zoo_args){.seed = 2}));
	const float *wa = weights(a, "fc1.w", &n), *wb = weights(b, "fc1.w", &n), *wc = weights(c, "fc1.w", &n);
	assert_memory_equal(wa, wb, (size_t)n * 4);
	assert_memory_not_equal(wa, wc, (size_t)n * 4);
	for (int64_t i = 0; i < n; i++) {
		assert_true(fabsf(wa[i]) <= sqrtf(6.0f / 784));
		sum += (double)wa[i];
		square += (double)(wa[i] * wa[i]);
	}
	assert_true(fabs(sum / (double)n) < 5e-4);                       /* five deviations of the mean */
	assert_true(fabs(square / (double)n * 784 / 2 - 1) < 0.02);      /* He's variance, 2 / fan in */
	const float *bias = weights(a, "fc1.b", &n);
	for (int64_t i = 0; i < n; i++) assert_true(bias[i] == 0);
	cop_graph_free(a);
	cop_graph_free(b);
	cop_graph_free(c);
	cop_ctx_free(cx);
}

/* Uniform in +-sqrt(1 / fan in), of variance 1 / (3 fan in), where batch norm or nothing follows. */
static void test_weights_of_batch_norm(void **state)
{
	static const struct { const char *name; double fan_in; } layer[] = {{"layer3.0.conv2.w", 576}, {"layer2.0.conv2.w", 288}, {"layer3.0.shortcut.w", 32}};
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.seed = 1}));
	for (int i = 0; i < LEN(layer); i++) {
		double square = 0;
		int64_t n;
		const float *w = weights(g, layer[i].name, &n);
		for (int64_t k = 0; k < n; k++) {
			assert_true(fabs((double)w[k]) <= sqrt(1 / layer[i].fan_in) * (1 + 1e-6));
			square += (double)(w[k] * w[k]);
		}
		assert_true(fabs(square / (double)n * 3 * layer[i].fan_in - 1) < 0.1);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_bad(void **state)
{
	static const struct { const char *name; cop_zoo_args a; const char *says; } bad[] = {
		{"", {0}, "there is no file and no network"},
		{"resnet", {0}, "lenet-300-100 lenet-5"},
		{"resnet-21", {0}, "resnet-20"},
		{"resnet-8x", {0}, "'resnet-8x' has no such depth"},
		{"resnet-2", {0}, "such depth"},
		{"resnet-", {0}, "no network"},
		{"resnet-20@", {0}, "image size"},
		{"mlp-", {0}, "no network"},
		{"mlp-784", {0}, "layer sizes"},
		{"mlp-784x0x10", {0}, "layer sizes"},
		{"mlp-784xx10", {0}, "layer sizes"},
		{"mlp-784x-3x10", {0}, "layer sizes"},
		{"mlp-784x10", {.height = 5}, "height times width"},
		{"mobilenet-v1-wide", {0}, "width of"},
		{"mobilenet-v2-9", {0}, "width of"},
		{"mobilenet-v2-0.35@", {0}, "image size"},
		{"mobilenet-v2-0.35@4", {0}, "image size"},
		{"mobilenet-v2-0.35@96x", {0}, "image size"},
		{"lenet-300-100@28", {0}, "image size"},
		{"lenet-5@8", {0}, "larger images"},
		{"vgg-16@16", {0}, "larger images"},
		{"lenet-5", {.batch = -1}, "batch"},
	};

	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = (cop_graph *)&g;
		assert_int_equal(cop_zoo_build(&g, cx, bad[i].name, &bad[i].a), COP_ARG);
		assert_null(g);
		if (!strstr(cop_error_text(cx), bad[i].says)) fail_msg("'%s' was told: %s", bad[i].name, cop_error_text(cx));
		assert_null(strchr(cop_error_text(cx), '\n'));
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_weights_of_batch_norm),
		cmocka_unit_test(test_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
