/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator tests of the ONNX standard, where they are: COPPICE_ONNX_TESTS, or onnx-node-tests beside COPPICE_MODELS. Each is
 * a model, its inputs and its outputs. A model that is refused says why in one sentence; one that is computed must be right.
 * With COPPICE_ONNX_VERBOSE each refusal and each difference is printed.
 */
#define _GNU_SOURCE
#include "help.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MOST = 8, FLOOR = 600 };

typedef struct tally { int passed, strict, refused, wrong; } tally;

static bool there(const char *path)
{
	struct stat s;
	return !stat(path, &s);
}

/* |a - b| <= atol + rtol |b|, as ONNX's own runner asks; the largest difference in units of that. */
static double distance(const cop_tensor *got, const cop_tensor *want, double rtol, double atol)
{
	double worst = 0;

	for (int64_t i = 0, n = cop_type_count(&want->type); i < n; i++) {
		if (want->type.dtype != COP_F32) {
			size_t w = cop_type_bytes(&want->type) / (size_t)n;
			if (memcmp((char *)got->data + (size_t)i * w, (char *)want->data + (size_t)i * w, w)) return 1e9;
			continue;
		}
		double a = ((float *)got->data)[i], b = ((float *)want->data)[i];
		if ((isnan(a) && isnan(b)) || (isinf(a) && isinf(b) && (a > 0) == (b > 0))) continue;
		double d = fabs(a - b) / (atol + rtol * fabs(b));
		if (!(d <= worst)) worst = isnan(d) ? 1e9 : d;
	}
	return worst;
}

static bool same_type(const cop_tensor *a, const cop_tensor *b)
{
	return a->type.dtype == b->type.dtype && a->type.rank == b->type.rank && !memcmp(a->type.dim, b->type.dim, sizeof(int32_t) * (size_t)a->type.rank);
}

/* Runs a model on arrays; the outputs against files. Returns how far the worst is, -1 after a failure (the context says which). */
static double run(cop_ctx *cx, const char *folder, const cop_tensor *in, int n_in)
{
	char path[1000];
	cop_graph *g = NULL;
	cop_plan *p = NULL;
	cop_session *s = NULL;
	cop_target t;
	cop_tensor x, want;
	double worst = 0;
	bool brief = strcasestr(folder, "bfloat16") != NULL; /* 8 bits of mantissa are expected, 24 computed */
	cop_import_args args = {.n_given = n_in, .given = in};

	snprintf(path, sizeof path, "%s/model.onnx", folder);
	cop_status st = cop_model_import(&g, cx, path, &args);
	if (!st) st = cop_target_find(&t, cx, "host");
	if (!st) st = cop_plan_build(&p, &g, 1, &t);
	if (!st) st = cop_session_new(&s, p, 1);
	for (int i = 0, at = 0; !st && i < n_in; i++) {
		if (!cop_type_count(&in[i].type)) continue; /* an empty array is none of the graph's inputs */
		if ((st = cop_session_io(s, 0, at++, false, &x))) break;
		if (!same_type(&x, &in[i])) st = cop__error(cx, COP_SHAPE, "%s: input %d has another type", path, i);
		else memcpy(x.data, in[i].data, cop_type_bytes(&x.type));
	}
	if (!st) st = cop_session_run(s, 0);
	for (int i = 0; !st && i < MOST; i++) {
		snprintf(path, sizeof path, "%s/test_data_set_0/output_%d.pb", folder, i);
		if (!there(path)) break;
		if ((st = cop_tensor_read(&want, cx, path)) || (st = cop_session_io(s, 0, i, true, &x))) break;
		worst = fmax(worst, same_type(&x, &want) ? distance(&x, &want, brief ? 0x1p-8 : 1e-3, 1e-5) : 1e9);
		cop_free(cx, want.data);
	}
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	return st ? -1 : worst;
}

static void one(const char *folder, tally *y)
{
	char path[1000];
	cop_ctx *cx = new_ctx();
	cop_tensor in[MOST] = {0};
	int n = 0;
	bool talk = getenv("COPPICE_ONNX_VERBOSE") != NULL;

	for (; n < MOST; n++) {
		snprintf(path, sizeof path, "%s/test_data_set_0/input_%d.pb", folder, n);
		if (!there(path) || cop_tensor_read(&in[n], cx, path)) break;
	}
	double worst = cop_error_text(cx)[0] ? -1 : run(cx, folder, in, n);
	if (worst < 0) assert_true(cop_error_text(cx)[0]);
	if (worst < 0 && talk) printf("refused: %s\n", cop_error_text(cx));
	if (worst > 1) printf("WRONG: %s: %g times the tolerance\n", folder, worst);
	y->refused += worst < 0;
	y->wrong += worst > 1;
	y->passed += worst >= 0 && worst <= 1;
	y->strict += worst >= 0 && worst <= 0.1;
	for (int i = 0; i < n; i++) cop_free(cx, in[i].data);
	cop_ctx_free(cx);
}

static void suite(const char *root, const char *name, tally *y)
{
	char path[600];
	struct dirent **list;

	snprintf(path, sizeof path, "%s/%s", root, name);
	int n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char folder[900];
		const char *only = getenv("COPPICE_ONNX_ONLY");
		snprintf(folder, sizeof folder, "%.500s/%.300s", path, list[i]->d_name);
		if (!strncmp(list[i]->d_name, "test_", 5) && (!only || strstr(folder, only))) one(folder, y);
		free(list[i]);
	}
	if (n >= 0) free(list);
}

static void test_nodes(void **state)
{
	(void)state;
	const char *at = getenv("COPPICE_ONNX_TESTS"), *models = getenv("COPPICE_MODELS");
	char root[500] = "";
	tally y = {0};

	if (at) snprintf(root, sizeof root, "%s", at);
	else if (models) snprintf(root, sizeof root, "%s/../onnx-node-tests", models);
	if (!*root || !there(root)) {
		print_message("neither COPPICE_ONNX_TESTS nor onnx-node-tests beside COPPICE_MODELS is there: skipped\n");
		skip();
	}
	suite(root, "node", &y);
	suite(root, "pytorch-converted", &y);
	suite(root, "pytorch-operator", &y);
	suite(root, "simple", &y);
	printf("%d passed (%d at a tenth of the tolerance), %d refused, %d wrong\n", y.passed, y.strict, y.refused, y.wrong);
	assert_int_equal(y.wrong, 0);
	if (!getenv("COPPICE_ONNX_ONLY")) assert_true(y.passed >= FLOOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nodes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
