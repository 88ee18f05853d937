/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole ONNX models with stored results, where COPPICE_MODELS has them: within 1e-4 of the largest number of the result. The
 * light models come without inputs: element i of n is i / n, as in ONNX's own tests.
 */
#include "help.h"

#include <sys/stat.h>
#include <time.h>

static bool there(const char *path)
{
	struct stat s;
	return !stat(path, &s);
}

static double relative(const cop_tensor *got, const cop_tensor *want)
{
	double most = 0, largest = 1e-30;

	assert_int_equal(cop_type_count(&got->type), cop_type_count(&want->type));
	for (int64_t i = 0, n = cop_type_count(&want->type); i < n; i++) {
		most = fmax(most, fabs((double)((float *)got->data)[i] - (double)((float *)want->data)[i]));
		largest = fmax(largest, fabs((double)((float *)want->data)[i]));
		assert_false(isnan(((float *)got->data)[i]));
	}
	return most / largest;
}

/* in: a path, or NULL for i / n. */
static void one(const char *model, const char *in, const char *out)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_plan *p;
	cop_session *s;
	cop_target t;
	cop_tensor x, y, want, given = {0};
	clock_t began = clock();

	OK(cx, cop_model_load(&g, cx, model));
	OK(cx, cop_graph_apply(&g, "to_infer fuse"));
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	double loaded = (double)(clock() - began) / CLOCKS_PER_SEC;
	OK(cx, cop_session_new(&s, p, 1));
	OK(cx, cop_session_io(s, 0, 0, false, &x));
	OK(cx, cop_session_io(s, 0, 0, true, &y));
	int64_t n = cop_type_count(&x.type);
	if (in) {
		OK(cx, cop_tensor_read(&given, cx, in));
		assert_int_equal(cop_type_count(&given.type), n);
		memcpy(x.data, given.data, cop_type_bytes(&x.type));
		cop_free(cx, given.data);
	} else {
		for (int64_t i = 0; i < n; i++) ((float *)x.data)[i] = (float)((double)i / (double)n);
	}
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_tensor_read(&want, cx, out));
	double d = relative(&y, &want);
	const char *name = strstr(model, "/onnx/");
	printf("%-52s %8.1e  read and planned in %.2f s\n", name ? name + 6 : model, d, loaded);
	if (!(d <= 1e-4)) fail_msg("%s: differs by %g of the largest result", model, d);
	cop_free(cx, want.data);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_models(void **state)
{
	(void)state;
	static const char *const sets[] = {"mnist_8", "super_resolution_10"}, *const light[] = {"squeezenet", "resnet50", "densenet121", "inception_v1", "zfnet512", "bvlc_alexnet", "vgg19"};
	const char *models = getenv("COPPICE_MODELS");
	char folder[400], model[500], in[500], out[500];
	int seen = 0;

	snprintf(folder, sizeof folder, "%.300s/onnx", models ? models : "");
	for (int i = 0; models && i < LEN(sets); i++)
		for (int k = 0; k < 3; k++) {
			snprintf(model, sizeof model, "%s/%s/model.onnx", folder, sets[i]);
			snprintf(in, sizeof in, "%s/%s/test_data_set_%d/input_0.pb", folder, sets[i], k);
			snprintf(out, sizeof out, "%s/%s/test_data_set_%d/output_0.pb", folder, sets[i], k);
			if (there(in)) one(model, in, out), seen++;
		}
	for (int i = 0; models && i < LEN(light); i++) {
		snprintf(model, sizeof model, "%s/light/light_%s.onnx", folder, light[i]);
		snprintf(out, sizeof out, "%s/light/light_%s_output_0.pb", folder, light[i]);
		if (there(model) && there(out)) one(model, NULL, out), seen++;
	}
	if (!seen) {
		print_message("COPPICE_MODELS names no folder with onnx models: skipped\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
