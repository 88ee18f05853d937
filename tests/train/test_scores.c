/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores by hand: MSE, MAE and R2 of networks whose answers are known, the answers themselves, classes by name, and what training keeps in
 * the network.
 */
#include "help.h"
#include "train/policy.h"

static int32_t one = 1;

/* ---- a network that copies its input, or its sum ---- */

static cop_graph *copies(cop_ctx *cx, int32_t n)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, n)), w = cop__type(COP_F32, 2, DIMS(n, n));
	float *e = calloc((size_t)(n * n), sizeof *e);
	cop_graph *g;

	for (int i = 0; i < n; i++) e[i * n + i] = 1;
	OK(cx, cop__graph_new(&g, cx, "copies"));
	cop_vid x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__input(g, "x", &t), cop__data(g, COP_PARAM, "w", &w, e)));
	OK(cx, cop__output(g, x, "y"));
	free(e);
	return g;
}

/* ---- regression ---- */

enum { N = 4 };
static const float guess[N][2] = {{1, 10}, {2, 20}, {3, 30}, {5, 20}}, truth[N][2] = {{1, 14}, {2, 18}, {3, 26}, {4, 22}};

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	memcpy(x, guess[i], sizeof guess[i]);
	*label = 0;
	return COP_OK;
}

static cop_status target(void *ud, int32_t i, float *y)
{
	(void)ud;
	memcpy(y, truth[i], sizeof truth[i]);
	return COP_OK;
}

static cop_dataset table = {.name = "table", .x = {.dtype = COP_F32, .rank = 1, .dim = {2}, .q.axis = -1}, .count = N, .targets = 2, .get = get, .target = target};

static cop_status keep(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	assert_int_equal(n, 2);
	assert_int_equal(label, -1);
	memcpy((float *)ud + 2 * i, y, 2 * sizeof *y);
	return COP_OK;
}

/* The first target: errors 0 0 0 1, truth 1 2 3 4 around 2.5: sum of squares 5. The second: -4 2 4 -2, truth 14 18 26 22 around 20: 80. */
static void regression(void **state)
{
	cop_graph *g = copies(*state, 2);
	float seen[2 * N];
	cop_score s;

	for (int32_t batch = 1; batch <= 5; batch += 2) {
		OK(*state, cop_eval_each(&s, g, &table, batch, 1, keep, seen));
		assert_int_equal(s.count, N);
		assert_float_equal(s.accuracy, -1, 0);
		assert_float_equal(s.mse, (1.0 / 4 + 40.0 / 4) / 2, 1e-6);
		assert_float_equal(s.loss, s.mse, 0);
		assert_float_equal(s.mae, (1.0 / 4 + 12.0 / 4) / 2, 1e-6);
		assert_float_equal(s.r2, ((1 - 1.0 / 5) + (1 - 40.0 / 80)) / 2, 1e-6);
		assert_memory_equal(seen, guess, sizeof guess);
	}
	cop_dataset three = table;
	three.targets = 3;
	assert_int_equal(cop_eval(&s, g, &three, 2, 1), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(*state), "has 3 numbers to predict, but the network 'copies' gives 2"));
	cop_error_clear(*state);
	OK(*state, cop_graph_classes_set(g, (const char *const[]){"a", "b"}, 2));
	assert_int_equal(cop_eval(&s, g, &table, 2, 1), COP_ARG);
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* Targets of 0 and 1: of three that are 1 two are found, and one that is 0 is taken for 1. */
static cop_status marked(void *ud, int32_t i, float *y)
{
	static const float mark[N][2] = {{1, 0}, {0, 1}, {1, 0}, {0, 0}};

	(void)ud;
	memcpy(y, mark[i], sizeof mark[i]);
	return COP_OK;
}

static cop_status answered(void *ud, int32_t i, float *x, int32_t *label)
{
	static const float answer[N][2] = {{0.9f, 0.1f}, {-3, 0.51f}, {0.5f, 0.2f}, {0, 7}};

	(void)ud;
	memcpy(x, answer[i], sizeof answer[i]);
	*label = 0;
	return COP_OK;
}

static void hits(void **state)
{
	cop_dataset d = table;
	cop_graph *g = copies(*state, 2);
	cop_score s;

	OK(*state, cop_eval(&s, g, &d, 2, 1));
	assert_float_equal(s.f1, -1, 0); /* other numbers */
	d.target = marked, d.get = answered;
	OK(*state, cop_eval(&s, g, &d, 2, 1));
	assert_float_equal(s.f1, 2.0 * 2 / (3 + 3), 1e-6);
	cop_graph_free(g);
}

/* A network that learns numbers of far-off sizes gives them in their own units, and says their names. */
static cop_status line_x(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	x[0] = (float)(i % 17) * 1000, x[1] = (float)(i % 5) * 0.01f;
	*label = 0;
	return COP_OK;
}

static cop_status line_y(void *ud, int32_t i, float *y)
{
	(void)ud;
	y[0] = 1e6f + 30 * (float)(i % 17) * 1000, y[1] = -0.5f * (float)(i % 5) * 0.01f;
	return COP_OK;
}

static void learns_units(void **state)
{
	static const char *const names[] = {"price", "rise"};
	cop_dataset d = {.name = "line", .x = {.dtype = COP_F32, .rank = 1, .dim = {2}, .q.axis = -1}, .count = 85, .targets = 2, .target_name = names, .get = line_x, .target = line_y};
	const cop_train_args a = {.epochs = 60, .batch = 16, .lr = 0.05f, .threads = 1, .augment = "normalise", .seed = 1};
	cop_ctx *cx = *state;
	cop_graph *g, *again;
	cop_score s;

	OK(cx, cop_zoo_build(&g, cx, "mlp-2x8x2", &(cop_zoo_args){.classes = 2, .seed = 1}));
	OK(cx, cop_train(g, &d, NULL, &a));
	assert_string_equal(cop_graph_target(g, 0), "price");
	OK(cx, cop_eval(&s, g, &d, 10, 1));
	if (s.r2 < 0.98f) fail_msg("R2 is %g", (double)s.r2);
	assert_true(cop__find(g, "output.std") && cop__find(g, "input.mean"));
	int32_t nodes = g->n_node;
	OK(cx, cop_train(g, &d, NULL, &a)); /* goes on, and wraps nothing twice */
	assert_int_equal(g->n_node, nodes);
	OK(cx, cop_model_save(g, "units.cop"));
	OK(cx, cop_model_load(&again, cx, "./units.cop"));
	remove("units.cop");
	OK(cx, cop_eval(&s, again, &d, 10, 1));
	if (s.r2 < 0.98f) fail_msg("R2 is %g", (double)s.r2);
	cop_graph_free(again);
	cop_graph_free(g);
}

/* ---- classes ---- */

static cop_status pick(void *ud, int32_t i, float *x, int32_t *label)
{
	const int32_t *classes = ud;

	for (int k = 0; k < 3; k++) x[k] = k == i % 3 ? 2.0f : 0;
	*label = *classes == 2 ? i % 3 == 2 : i % 3; /* two classes: 0 and 2, numbered without 1 */
	return COP_OK;
}

static cop_status tally(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	int32_t (*table_of)[3] = ud, best = 0;
	float sum = 0;

	for (int k = 0; k < n; k++) best = y[k] > y[best] ? k : best, sum += y[k];
	assert_float_equal(sum, 1, 1e-6);
	assert_float_equal(y[best], exp(2) / (exp(2) + 2), 1e-6);
	assert_int_equal(best, i % 3);
	table_of[label][best]++;
	return COP_OK;
}

static void classes(void **state)
{
	static const char *const all[] = {"cat", "dog", "owl"}, *const two[] = {"cat", "owl"};
	int32_t n = 2, counts[3][3] = {{0}};
	cop_graph *g = copies(*state, 3);
	cop_dataset d = {.name = "two", .x = {.dtype = COP_F32, .rank = 1, .dim = {3}, .q.axis = -1}, .count = 1, .classes = 2, .class_name = two, .get = pick, .ud = &n};
	cop_score s;

	OK(*state, cop_graph_classes_set(g, all, 3));
	d.count = 1;
	OK(*state, cop_eval_each(&s, g, &d, 4, 1, tally, counts));
	assert_float_equal(s.accuracy, 1, 0);
	d.count = 3; /* of the two classes that the set has, sample 1 is called cat, and is taken for a dog */
	OK(*state, cop_eval_each(&s, g, &d, 2, 1, tally, counts));
	assert_float_equal(s.accuracy, 2.0f / 3, 1e-6);
	assert_int_equal(counts[0][0], 2);
	assert_int_equal(counts[0][1], 1);
	assert_int_equal(counts[2][2], 1);
	cop_graph_free(g);
}

/* Logits as they are, and a network that ends in a softmax: the same loss. Of equal answers the first counts. A probability of 0 counts as 1e-7. */
static cop_status row_of(void *ud, int32_t i, float *x, int32_t *label)
{
	static const float rows[4][3] = {{2, 0, 0}, {0, 3, 1}, {1, 1, 0}, {0, 0, 40}};
	static const int32_t labels[2][4] = {{0, 2, 0, 2}, {1, 1, 1, 0}};

	memcpy(x, rows[i], sizeof rows[i]);
	*label = labels[*(int *)ud][i];
	return COP_OK;
}

static void losses(void **state)
{
	const double e = exp(1);
	const double first = log(e * e + 2) - 2 + log(e * e * e + e + 1) - 1 + log(2 * e + 1) - 1, second = log(e * e + 2) + log(e * e * e + e + 1) - 3 + log(2 * e + 1) - 1;

	for (int k = 0; k < 8; k++) {
		int labels = k % 2;
		bool soft = k & 2, reshaped = k & 4;
		cop_type t = cop__type(COP_F32, 2, DIMS(1, 3));
		cop_dataset d = {.name = "rows", .x = {.dtype = COP_F32, .rank = 1, .dim = {3}, .q.axis = -1}, .count = 4, .classes = 3, .get = row_of, .ud = &labels};
		cop_graph *g;
		cop_score s;
		OK(*state, cop__graph_new(&g, *state, "rows"));
		cop_vid x = cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__input(g, "x", &t), cop__data(g, COP_CONST, "zero", &(cop_type){.dtype = COP_F32, .rank = 1, .dim = {3}, .q.axis = -1}, NULL)));
		if (soft) x = cop__apply(g, OP_softmax, NULL, VIDS(x));
		if (reshaped) x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
		OK(*state, cop__output(g, x, "y"));
		for (int32_t batch = 1; batch <= 5; batch++) {
			OK(*state, cop_eval(&s, g, &d, batch, 1));
			assert_int_equal(s.count, 4);
			assert_float_equal(s.accuracy, labels ? 0.25 : 0.75, 0);
			double last = labels ? soft ? -log(1e-7) : 40 : 0; /* 40 is too far off for a probability */
			assert_float_equal(s.loss, ((labels ? second : first) + last) / 4, 1e-5);
			assert_true(s.images_per_second > 0 && s.mse == 0 && s.mae == 0 && s.r2 == 0);
		}
		cop_graph_free(g);
	}
}

/* Training gives the names to a network that has none, and none to one whose outputs they do not fill. */
static void names_kept(void **state)
{
	static const char *const all[] = {"cat", "dog", "owl"};
	const cop_train_args a = {.epochs = 1, .batch = 4, .lr = 0.01f, .threads = 1};
	int32_t n = 3;
	cop_dataset d = {.name = "three", .x = {.dtype = COP_F32, .rank = 1, .dim = {3}, .q.axis = -1}, .count = 9, .classes = 3, .class_name = all, .get = pick, .ud = &n};

	for (int32_t outputs = 3; outputs <= 4; outputs++) {
		cop_graph *g;
		OK(*state, cop_zoo_build(&g, *state, "mlp-3x3", &(cop_zoo_args){.classes = outputs, .seed = 1}));
		OK(*state, cop_train(g, &d, &d, &a));
		if (outputs == 3) assert_string_equal(cop_graph_class(g, 2), "owl");
		else assert_null(cop_graph_class(g, 0));
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1}));
		if (outputs == 3) assert_string_equal(cop_graph_class(g, 1), "dog");
		cop_graph_free(g);
	}
	/* and one that has names keeps them */
	cop_graph *g;
	OK(*state, cop_zoo_build(&g, *state, "mlp-3x3", &(cop_zoo_args){.classes = 3, .seed = 1}));
	OK(*state, cop_graph_classes_set(g, (const char *const[]){"red", "green", "blue"}, 3));
	d.class_name = NULL;
	OK(*state, cop_train(g, &d, &d, &a));
	d.class_name = all, d.classes = 3;
	OK(*state, cop__adopt_names(g, &d));
	assert_string_equal(cop_graph_class(g, 2), "blue");
	cop_graph_free(g);
}

static void no_labels(void **state)
{
	cop_graph *g = NULL;
	cop_score s;
	cop_dataset d = {.name = "bare", .x = {.dtype = COP_F32, .rank = 1, .dim = {3}, .q.axis = -1}, .count = 3, .get = pick, .ud = &one};

	OK(*state, cop_zoo_build(&g, *state, "mlp-3x2", &(cop_zoo_args){.seed = 1}));
	assert_int_equal(cop_eval(&s, g, &d, 1, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "'bare' has no labels"));
	cop_error_clear(*state);
	cop_graph_free(g);
	g = copies(*state, 3); /* it gives its input back: that can be scored */
	OK(*state, cop_eval(&s, g, &d, 2, 1));
	assert_float_equal(s.loss, 0, 0);
	assert_float_equal(s.accuracy, -1, 0);
	cop_graph_free(g);
}

/* ---- what is not normal ---- */

/* A network that answers 0: the error of a sample is the mean of its squares. Normal: 1 and 4. Others: 4, 9 and 0.25, so that of six pairs three are in
 * order and one is even. */
static cop_status sound(void *ud, int32_t i, float *x, int32_t *label)
{
	static const float size[] = {1, 2, 2, 3, 0.5f, 8};

	(void)ud;
	x[0] = size[i], x[1] = -size[i];
	*label = i == 5 ? -1 : i < 2 ? 1 : 2 * (i % 2); /* the last belongs to no class */
	return COP_OK;
}

static void anomalies(void **state)
{
	static const char *const names[] = {"knock", "hum", "rattle"};
	static const struct { const char *normal; float auc, found, threshold; int32_t normals, others; } row[] = {
		{"hum", 3.5f / 6, 1.0f / 3, 4, 2, 3}, {"knock,rattle", 2.5f / 6, 0, 9, 3, 2}};
	cop_dataset d = {.name = "sounds", .x = {.dtype = COP_F32, .rank = 1, .dim = {2}, .q.axis = -1}, .count = 6, .classes = 3, .class_name = names, .get = sound};
	cop_graph *g = copies(*state, 2), *other;
	cop_anomaly a;

	memset(cop__own(g, cop__find(g, "w")), 0, 4 * sizeof(float));
	for (int i = 0; i < LEN(row); i++)
		for (int32_t batch = 1; batch <= 4; batch += 3) {
			OK(*state, cop_eval_anomaly(&a, g, &d, row[i].normal, batch, 1));
			assert_float_equal(a.auc, row[i].auc, 1e-6);
			assert_float_equal(a.found, row[i].found, 1e-6);
			assert_float_equal(a.threshold, row[i].threshold, 1e-6);
			assert_int_equal(a.normal, row[i].normals);
			assert_int_equal(a.others, row[i].others);
			assert_float_equal(i ? a.other_error : a.normal_error, 2.5, 1e-6);
		}
	assert_int_equal(cop_eval_anomaly(&a, g, &d, "ham", 1, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "no class 'ham'; did you mean 'hum'?"));
	cop_error_clear(*state);
	assert_int_equal(cop_eval_anomaly(&a, g, &d, "knock,hum,rattle", 1, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "no other samples"));
	cop_error_clear(*state);
	OK(*state, cop_zoo_build(&other, *state, "mlp-2x3", &(cop_zoo_args){.seed = 1}));
	assert_int_equal(cop_eval_anomaly(&a, other, &d, "hum", 1, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "takes 2 numbers and gives 3"));
	cop_error_clear(*state);
	cop_graph_free(other);
	cop_graph_free(g);
}

/* Who learns to give samples back learns them scaled: each column of a sound, of which one is a thousand times the others. */
static cop_status band(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 6; k++) x[k] = (k % 2 ? 1000.0f : 1.0f) * (float)((i + k / 2) % 4 - 1);
	*label = 0;
	return COP_OK;
}

static void scales_bands(void **state)
{
	cop_dataset d = {.name = "bands", .x = {.dtype = COP_F32, .rank = 3, .dim = {3, 2, 1}, .q.axis = -1}, .count = 8, .get = band};
	const cop_train_args a = {.epochs = 1, .batch = 4, .lr = 0.01f, .threads = 1, .augment = "normalise", .seed = 1};
	cop_graph *g;
	cop_samples s;

	OK(*state, cop_zoo_build(&g, *state, "mlp-6x2x6", &(cop_zoo_args){.seed = 1}));
	OK(*state, cop_train(g, &d, NULL, &a));
	cop_graph_samples(g, &s);
	assert_int_equal(s.channels, 2); /* -1 0 1 2: mean 0.5, deviation sqrt(1.25) */
	for (int k = 0; k < 2; k++) {
		assert_float_equal(s.mean[k], k ? 500 : 0.5, 1e-3);
		assert_float_equal(s.std[k] / (k ? 1000 : 1), 1.1180340, 1e-5);
	}
	assert_false(cop__find(g, "input.mean"));
	d.name = "moved", d.count = 4; /* a second training keeps what the first has found */
	OK(*state, cop_train(g, &d, NULL, &a));
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(regression, setup, teardown), cmocka_unit_test_setup_teardown(learns_units, setup, teardown), cmocka_unit_test_setup_teardown(hits, setup, teardown),
		cmocka_unit_test_setup_teardown(classes, setup, teardown), cmocka_unit_test_setup_teardown(losses, setup, teardown), cmocka_unit_test_setup_teardown(names_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(no_labels, setup, teardown), cmocka_unit_test_setup_teardown(anomalies, setup, teardown),
		cmocka_unit_test_setup_teardown(scales_bands, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
