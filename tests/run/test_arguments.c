/* SPDX-License-Identifier: Apache-2.0
 *
 * Every public call with arguments that are wrong: NULL, an entry, an index or a segment that is not there, data that do not go together.
 * The answer is COP_ARG (or another failure) with a sentence, or NULL, 0, false; freeing NULL is fine. Run under the sanitizers, too.
 */
#include "help.h"

static cop_ctx *cx;
static cop_graph *g, *none;
static cop_plan *p;
static cop_session *s;
static cop_target host;

static cop_status get(void *ud, int32_t i, float *x, int32_t *label) { (void)ud, (void)i; for (int j = 0; j < 4; j++) x[j] = 0; *label = 0; return COP_OK; }
static cop_status into(void *ud, const void *b, size_t n) { (void)ud, (void)b, (void)n; return COP_OK; }
static cop_status file(void *ud, const char *path, const void *b, size_t n) { (void)ud, (void)path, (void)b, (void)n; return COP_OK; }
static cop_status answer(void *ud, int32_t i, const float *y, int32_t n, int32_t label) { (void)ud, (void)i, (void)y, (void)n, (void)label; return COP_OK; }

/* told: there is a context to put a sentence in. */
#define BAD(told, call)                                                                            \
	do {                                                                                       \
		cop_status st_ = (call);                                                           \
		if (!st_) fail_msg("%s succeeded", #call);                                         \
		if ((told) && !cop_error_text(cx)[0]) fail_msg("%s: says nothing", #call);         \
		cop_error_clear(cx);                                                               \
	} while (0)

static void graphs(void **state)
{
	cop_graph *out;
	cop_type t;
	cop_tensor x;
	cop_layer l;
	const cop_train_args train = {0};
	(void)state;

	BAD(0, cop_ctx_new(NULL, NULL));
	BAD(1, cop_zoo_build(NULL, cx, "lenet-5", NULL));
	BAD(1, cop_zoo_build(&out, cx, NULL, NULL));
	assert_null(out);
	BAD(1, cop_model_read(&out, cx, NULL, 10));
	BAD(1, cop_model_read(NULL, cx, "x", 1));
	BAD(1, cop_model_load(&out, cx, NULL));
	BAD(1, cop_model_import(&out, cx, NULL, NULL));
	BAD(0, cop_onnx_save(NULL, "x"));
	BAD(1, cop_onnx_save(g, NULL));
	BAD(0, cop_model_save(NULL, "x"));
	BAD(1, cop_model_save(g, NULL));
	BAD(1, cop_model_write(g, NULL, NULL));
	BAD(1, cop_weights_load(g, NULL));
	BAD(1, cop_weights_save(g, NULL));
	BAD(0, cop_weights_save(NULL, "x"));
	BAD(1, cop_graph_parse(&out, cx, NULL, 3));
	BAD(1, cop_graph_print(g, NULL, NULL));
	BAD(0, cop_graph_print(NULL, into, NULL));
	BAD(0, cop_graph_verify(NULL));
	BAD(0, cop_graph_apply(NULL, "dce"));
	BAD(0, cop_graph_apply(&none, "dce"));
	BAD(1, cop_graph_apply(&g, NULL));
	BAD(0, cop_graph_train(&out, NULL, "loss=mse"));
	BAD(1, cop_graph_layer(g, -1, &l));
	BAD(1, cop_graph_layer(g, 1000, &l));
	BAD(1, cop_graph_layer(g, 0, NULL));
	BAD(1, cop_graph_tensor(g, NULL, &x));
	BAD(1, cop_graph_tensor(g, "no such", &x));
	BAD(1, cop_graph_tensor(g, "w", NULL));
	BAD(0, cop_graph_io(NULL, &t, &t));
	BAD(1, cop_graph_classes_set(g, NULL, 2));
	BAD(1, cop_graph_classes_set(g, (const char *const[]){NULL, "b"}, 2));
	BAD(1, cop_graph_samples_set(g, NULL));
	BAD(0, cop_graph_patch(NULL, &host, 0.3f, NULL));
	BAD(1, cop_graph_patch(&g, NULL, 0.3f, NULL));
	BAD(1, cop_measure(NULL, g, &host));
	BAD(1, cop_measure(&(cop_figures){0}, g, NULL));
	BAD(1, cop_emit_c(g, &host, &(cop_emit_args){0}, NULL, NULL));
	BAD(1, cop_emit_c(g, NULL, &(cop_emit_args){0}, file, NULL));
	BAD(1, cop_report_html(NULL, g, &(cop_report_args){.history = "{}", .history_size = 2}));
	BAD(0, cop_explain(&(cop_explanation){0}, NULL, NULL, NULL));
	BAD(1, cop_explain(NULL, g, NULL, NULL));
	BAD(1, cop_explain(&(cop_explanation){0}, g, NULL, NULL));
	BAD(1, cop_map_alike(NULL, cx, (float[]){1}, (float[]){1}, 1));
	BAD(1, cop_map_alike(&(cop_likeness){0}, cx, NULL, (float[]){1}, 1));
	BAD(1, cop_map_alike(&(cop_likeness){0}, cx, (float[]){1}, (float[]){1}, 0));
	BAD(1, cop_report_explained_html(NULL, cx, &(cop_explained){0}, 1));
	BAD(1, cop_report_explained_html("x", cx, NULL, 1));
	BAD(1, cop_report_explained_html("x", cx, &(cop_explained){0}, 1));
	cop_explanation_free(NULL);
	BAD(1, cop_quantize(&g, NULL, NULL));
	BAD(0, cop_quantize(NULL, NULL, NULL));
	BAD(1, cop_train(g, NULL, NULL, &train));
	BAD(0, cop_compress(NULL, "x", 1, NULL, NULL, NULL, &train, NULL, NULL, NULL));
	BAD(1, cop_compress(&g, NULL, 1, NULL, NULL, NULL, &train, NULL, NULL, NULL));
	assert_int_equal(cop_graph_layers(NULL), 0);
	assert_null(cop_graph_weight(g, -1));
	assert_null(cop_graph_weight(g, 1000));
	assert_null(cop_graph_weight(NULL, 0));
	assert_null(cop_graph_input_name(g, 7));
	assert_null(cop_graph_class(g, -1));
	assert_null(cop_graph_target(g, 5));
	assert_null(cop_pass_name(-1, NULL));
	assert_null(cop_zoo_name(-1, NULL));
	assert_null(cop_target_name(-1, NULL));
	assert_null(cop_feature(-1));
	assert_false(cop_graph_io_type(g, true, 3, &t));
	assert_false(cop_graph_io_type(g, true, 0, NULL));
	cop_graph_free(NULL);
}

static void plans(void **state)
{
	cop_plan *out;
	cop_session *made;
	cop_tensor x;
	cop_step_info info;
	(void)state;

	BAD(1, cop_target_find(NULL, cx, "host"));
	BAD(1, cop_target_find(&host, cx, NULL));
	BAD(0, cop_plan_build(&out, NULL, 1, &host));
	BAD(0, cop_plan_build(&out, &g, 0, &host));
	BAD(0, cop_plan_build(&out, &none, 1, &host));
	BAD(1, cop_plan_build(&out, &g, 1, NULL));
	assert_null(out);
	BAD(0, cop_plan_build(NULL, &g, 1, &host));
	assert_int_equal(cop_plan_bytes(p, (cop_role)-1), 0);
	assert_int_equal(cop_plan_bytes(p, (cop_role)99), 0);
	assert_int_equal(cop_plan_bytes(NULL, COP_TEMP), 0);
	assert_int_equal(cop_plan_steps(p, -1), 0);
	assert_int_equal(cop_plan_steps(p, 1), 0);
	assert_int_equal(cop_plan_live(NULL), 0);
	assert_false(cop_plan_step(p, 1, 0, &info));
	assert_false(cop_plan_step(p, -1, 0, &info));
	assert_false(cop_plan_step(p, 0, 99, &info));
	assert_false(cop_plan_step(p, 0, 0, NULL));
	BAD(0, cop_session_new(&made, NULL, 1));
	BAD(1, cop_session_new(NULL, p, 1));
	for (int entry = -1; entry < 3; entry++) {
		if (!entry) continue;
		BAD(1, cop_session_run(s, entry));
		BAD(1, cop_session_io(s, entry, 0, false, &x));
		BAD(1, cop_session_tensor(s, entry, "x", &x));
	}
	BAD(0, cop_session_run(NULL, 0));
	BAD(1, cop_session_io(s, 0, 4, false, &x));
	BAD(1, cop_session_io(s, 0, -1, true, &x));
	BAD(1, cop_session_io(s, 0, 0, true, NULL));
	BAD(1, cop_session_tensor(s, 0, NULL, &x));
	BAD(1, cop_session_tensor(s, 0, "no such", &x));
	BAD(1, cop_session_pull(NULL, g));
	BAD(0, cop_session_pull(s, NULL));
	cop_session_free(NULL);
	cop_plan_free(NULL);
}

static void data(void **state)
{
	float a[4] = {0}, b[2] = {0};
	cop_tensor x = {cop__type(COP_F32, 1, DIMS(4)), a}, y = {cop__type(COP_F32, 1, DIMS(2)), b}, lost = {x.type, NULL};
	cop_dataset ok = {.name = "d", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 1, .classes = 2, .get = get}, bad[6], *fitted;
	cop_score score;
	void *bytes;
	size_t size;
	(void)state;

	BAD(1, cop_tensor_copy(cx, &x, &y));
	BAD(1, cop_tensor_copy(cx, &x, &lost));
	BAD(1, cop_tensor_copy(cx, NULL, &x));
	y = x, y.type.enc = COP_HALF, y.type.enc_bytes = 8;
	BAD(1, cop_tensor_copy(cx, &x, &y));
	for (int i = 0; i < LEN(bad); i++) bad[i] = ok;
	bad[0].get = NULL, bad[1].count = 0, bad[2].classes = -1, bad[3].targets = 2, bad[4].x.dtype = COP_I8, bad[5].x.rank = 99;
	for (int i = 0; i < LEN(bad); i++) {
		BAD(1, cop_data_fit(&fitted, NULL, g, &bad[i]));
		assert_null(fitted);
		BAD(1, cop_eval(&score, g, &bad[i], 1, 1));
		BAD(1, cop_predict(g, &bad[i], 1, 1, answer, NULL));
		BAD(1, cop_train(g, &bad[i], NULL, &(cop_train_args){.epochs = 1, .batch = 1, .threads = 1}));
	}
	BAD(1, cop_data_fit(&fitted, NULL, g, NULL));
	BAD(1, cop_eval(NULL, g, &ok, 1, 1));
	BAD(1, cop_eval(&score, g, NULL, 1, 1));
	BAD(1, cop_predict(g, &ok, 1, 1, NULL, NULL));
	BAD(1, cop_data_open(&fitted, cx, NULL, "test", 0));
	BAD(1, cop_data_open(NULL, cx, "digits", "test", 0));
	BAD(1, cop_data_open_as(&fitted, cx, "no such", NULL));
	BAD(1, cop_data_check(cx, NULL));
	BAD(1, cop_data_get(cx, NULL, NULL, NULL, NULL, NULL));
	assert_false(cop_data_list(cx, -1, &(cop_data_info){0}));
	assert_false(cop_data_list(cx, 0, NULL));
	BAD(1, cop_file_read(&bytes, &size, cx, NULL, 0));
	BAD(1, cop_file_read(NULL, &size, cx, "x", 0));
	BAD(1, cop_file_write(cx, NULL, "x", 1));
	BAD(1, cop_file_write(cx, "arguments.tmp", NULL, 1));
	BAD(1, cop_files_write(cx, NULL, 1));
	BAD(1, cop_file_can_write(cx, NULL));
	BAD(1, cop_checkpoint_remove(cx, NULL));
	BAD(1, cop_npy_read(&x, cx, NULL));
	BAD(1, cop_npy_read(NULL, cx, "x"));
	BAD(1, cop_npy_write(cx, "arguments.tmp", NULL));
	BAD(1, cop_npy_write(cx, "arguments.tmp", &lost));
	BAD(1, cop_tensor_read(&x, cx, NULL));
	assert_false(cop_file_same(NULL, "a"));
	cop_data_free(NULL);
	cop_free(cx, NULL);
	cop_ctx_free(NULL);
	cop_error_clear(NULL);
	assert_string_equal(cop_error_text(NULL), "");
}

static int set_up(void **state)
{
	static const char text[] = "graph g\ninput x f32[1,4]\nparam w f32[2,4]\ny = fc x w\noutput y\n";
	(void)state;
	cx = new_ctx();
	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	OK(cx, cop_target_find(&host, cx, "host"));
	OK(cx, cop_plan_build(&p, &g, 1, &host));
	OK(cx, cop_session_new(&s, p, 1));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	cop_ctx_free(cx);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(graphs), cmocka_unit_test(plans), cmocka_unit_test(data)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
