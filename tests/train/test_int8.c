/* SPDX-License-Identifier: Apache-2.0
 *
 * Training of int8 layers around its gradients (test_int8_gradients): the way there and back, samples in bytes, bands, rounding, losses that are no numbers, and
 * what is refused.
 */
#include "int8_net.h"
#include "kernel/qstep.h"

/* A step of the rate 0 and the way back leave the network as it was; and what is not named is not a parameter. */
static void there_and_back(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *was = net(cx), *g = trainable(cx, "qsgd layers=dw.w|fc.b", 2);
	int parameters = 0;

	for (int32_t v = 1; v <= g->n_value; v++) parameters += g->value[v].role == COP_PARAM;
	assert_int_equal(parameters, 2);
	cop_trainer *t = trainer(cx, g, "qsgd", false, 1);
	OK(cx, cop_trainer_step(t, 0, NULL));
	OK(cx, cop_trainer_pull(t, g));
	cop_trainer_free(t);
	OK(cx, cop_graph_settle(&g));
	for (int32_t v = 1; v <= was->n_value; v++) {
		const cop_value *x = &was->value[v];
		if (x->role != COP_CONST) continue;
		cop_vid u = cop__find(g, x->name);
		assert_int_equal(g->value[u].role, COP_CONST);
		assert_memory_equal(g->value[u].data, x->data, cop_type_bytes(&x->type));
	}
	assert_int_equal(g->n_value, was->n_value);
	assert_int_equal(g->n_node, was->n_node);
	cop_graph_free(was);
	cop_graph_free(g);
}

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 50; k++) x[k] = (float)((i + k) % 7);
	*label = i % 3;
	return COP_OK;
}

static void listen(void *ud, cop_level level, const char *text)
{
	if (level == COP_LOG_WARN) snprintf(ud, 256, "%s", text);
}

static void one_sample(cop_ctx *cx, cop_trainer *t, float first, float *loss)
{
	cop_tensor x, y;

	OK(cx, cop_trainer_input(t, 0, &x));
	OK(cx, cop_trainer_input(t, 1, &y));
	((float *)x.data)[0] = first, ((float *)x.data)[1] = 2;
	((float *)y.data)[0] = 1, ((float *)y.data)[1] = -1;
	OK(cx, cop_trainer_step(t, 0.1f, loss));
}

/* A sample that makes the loss no number, or infinite: with the guard no weight changes, and the next step is that of one that never saw it. Without it the weights are lost. */
static void a_loss_that_is_not_finite_is_refused(void **state)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f}, four[] = {0.5f, -0.25f, 0.125f, 1}; /* the square of 5e29 is infinite */
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 2)), wt = cop__type(COP_F32, 2, DIMS(2, 2)), bt = cop__type(COP_F32, 1, DIMS(2));

	for (int k = 0; k < LEN(bad); k++)
		for (int guard = 0; guard < 2; guard++) {
			const char *const spec = guard ? "loss=mse sgd momentum=0.9 guard=yes" : "loss=mse sgd momentum=0.9";
			cop_graph *g, *after[2];
			cop_trainer *trainer[2];
			float loss;
			OK(cx, cop__graph_new(&g, cx, "two"));
			cop_vid w = cop__data(g, COP_PARAM, "w", &wt, four), b = cop__data(g, COP_PARAM, "b", &bt, four);
			OK(cx, cop__output(g, cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__input(g, "x", &t), w, b)), "y"));
			for (int i = 0; i < 2; i++) {
				OK(cx, cop_trainer_new(&trainer[i], g, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = spec}));
				one_sample(cx, trainer[i], 1, &loss);
				if (!i) one_sample(cx, trainer[i], bad[k], &loss);
				assert_true(isfinite(loss) == i);
				one_sample(cx, trainer[i], 1, &loss);
				assert_true(isfinite(loss) == (i || guard));
				OK(cx, cop_graph_copy(&after[i], g));
				OK(cx, cop_trainer_pull(trainer[i], after[i]));
				cop_trainer_free(trainer[i]);
			}
			for (int i = 0; i < 2; i++) {
				const char *name = i ? "b" : "w";
				const void *saw = after[0]->value[cop__find(after[0], name)].data, *never = after[1]->value[cop__find(after[1], name)].data;
				assert_int_equal(memcmp(saw, never, sizeof(float) * (i ? 2 : 4)) == 0, guard);
				assert_memory_not_equal(never, four, sizeof(float) * (i ? 2 : 4));
			}
			cop_graph_free(after[0]);
			cop_graph_free(after[1]);
			cop_graph_free(g);
		}
}

/* What would do nothing says so: a weight before a table, and averages. */
static void nothing_is_silent(void **state)
{
	cop_ctx *cx = *state;
	char heard[256] = "";
	int8_t table[256];
	cop_graph *g, *first = net(cx);
	cop_vid *map;
	cop_type t = cop__type(COP_I8, 1, DIMS(256));
	cop_dataset d = {.name = "seven", .x = cop__type(COP_F32, 3, DIMS(5, 5, 2)), .count = 6, .classes = 3, .get = sample};
	int32_t n;

	for (int i = 0; i < 256; i++) table[i] = (int8_t)(i % 100);
	OK(cx, cop__copy_begin(&g, first, &map));
	OK(cx, cop__copy_inputs(g, first, map));
	for (cop_nid k = 1; k <= (cop_nid)first->n_node; k++) {
		OK(cx, cop__copy_node(g, first, map, k));
		if (first->node[k].op == OP_qadd) map[cop__res(first, k, 0)] = cop__apply(g, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(map[cop__res(first, k, 0)], cop__data(g, COP_CONST, "table", &t, table)));
	}
	OK(cx, cop__output(g, map[first->output[0]], "y"));
	cop_graph_free(first);
	OK(cx, cop_graph_trainable(&g, "qsgd", &n));
	cop_ctx_log(cx, COP_LOG_WARN, listen, heard);
	cop_trainer_free(trainer(cx, g, "qsgd", false, 1));
	if (strncmp(heard, "no gradient reaches 'c1.b' and others: ", 39)) fail_msg("heard: %s", heard);
	*heard = 0;
	cop_trainer_free(trainer(cx, g, "qsgd layers=fc.*", false, 1));
	assert_string_equal(heard, "");
	assert_int_equal(cop_train(g, &d, NULL, &(cop_train_args){.epochs = 1, .batch = 1, .threads = 1, .lr = 0.1f, .update = "qsgd", .policies = "ema"}), COP_ARG);
	if (!strstr(cop_error_text(cx), "ema: averages are of floats, and 'c1.w', which is trained, holds integers")) fail_msg("%s", cop_error_text(cx));
	cop_graph_free(g);
}

typedef struct pictures { float scale; int32_t zero; } pictures;

/* What the bytes of the reference stand for, and by sample a little less. */
static cop_status read_picture(void *ud, int32_t i, float *x, int32_t *y)
{
	const pictures *p = ud;

	for (size_t k = 0; k < sizeof ref_x; k++) x[k] = p->scale * (float)(((const int8_t *)ref_x)[k] - p->zero) * (1 - (float)i / 16);
	*y = i % 3;
	return COP_OK;
}

/* A network whose input takes bytes learns what one does that makes the bytes itself. */
static void bytes_are_an_input_like_others(void **state)
{
	static const float scale = 0.02f;
	static const int32_t zero = 5;
	cop_ctx *cx = *state;
	cop_graph *first = net(cx), *g[2];
	cop_type t = cop__type(COP_F32, 4, DIMS(1, 5, 5, 2));
	cop_vid *map;
	int32_t n;

	for (int way = 0; way < 2; way++) {
		pictures p = {scale, zero};
		cop_dataset d = {.name = "pictures", .x = cop__type(COP_F32, 3, DIMS(5, 5, 2)), .count = 6, .classes = 3, .get = read_picture, .ud = &p};
		OK(cx, cop__copy_begin(&g[way], first, &map));
		if (way) map[first->input[0]] = cop__apply(g[way], OP_quantize, &(cop_quantize_attr){scale, zero, COP_I8}, VIDS(cop__input(g[way], "x", &t)));
		else OK(cx, cop__copy_inputs(g[way], first, map));
		for (cop_nid k = 1; k <= (cop_nid)first->n_node; k++) OK(cx, cop__copy_node(g[way], first, map, k));
		OK(cx, cop__copy_end(g[way], first, map));
		if (!way) OK(cx, cop__set_quant(g[way], g[way]->input[0], scale, zero));
		OK(cx, cop_graph_trainable(&g[way], "qsgd", &n));
		OK(cx, cop_train(g[way], &d, NULL, &(cop_train_args){.epochs = 2, .batch = 2, .threads = 1, .lr = 0.05f, .update = "qsgd"}));
	}
	for (int i = 0; i < LEN(layers); i++) {
		char name[16];
		snprintf(name, sizeof name, "%s.w", layers[i].name);
		cop_vid v[2] = {cop__find(g[0], name), cop__find(g[1], name)};
		size_t size = cop_type_bytes(cop__t(g[0], v[0]));
		if (memcmp(g[0]->value[v[0]].data, g[1]->value[v[1]].data, size)) fail_msg("%s differs", name);
		if (!memcmp(g[0]->value[v[0]].data, layers[i].w, size)) fail_msg("%s has not moved", name);
	}
	static const char *const policies[] = {"prefix", "whiten", "neq"}; /* they run it on floats */
	for (int i = 0; i < LEN(policies); i++) {
		pictures p = {scale, zero};
		cop_dataset d = {.name = "pictures", .x = cop__type(COP_F32, 3, DIMS(5, 5, 2)), .count = 16, .classes = 3, .get = read_picture, .ud = &p};
		assert_int_equal(cop_train(g[0], &d, NULL, &(cop_train_args){.epochs = 2, .batch = 2, .threads = 1, .lr = 0.05f, .update = "qsgd", .policies = policies[i]}), COP_ARG);
		if (!strstr(cop_error_text(cx), "takes bytes")) fail_msg("%s: %s", policies[i], cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop_graph_free(first), cop_graph_free(g[0]), cop_graph_free(g[1]);
}

/* Weights are zeros: it is planned alone. */
static cop_graph *wide(cop_ctx *cx)
{
	static const struct { const char *w, *b, *m; int32_t dim[4], stride; } l[] = {{"c1.w", "c1.b", "c1.m", {16, 3, 3, 2}, 1}, {"c2.w", "c2.b", "c2.m", {4, 3, 3, 16}, 2}, {"c3.w", "c3.b", "c3.m", {4, 3, 3, 4}, 2}};
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 24, 24, 2));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "wide"));
	cop_vid x = cop__input(g, "x", &t);
	for (int i = 0; i < LEN(l); i++) {
		cop_type w = cop__type(COP_I8, 4, l[i].dim), o = cop__type(COP_I32, 1, l[i].dim);
		cop_vid m = cop__data(g, COP_CONST, l[i].m, &o, NULL), v = cop__data(g, COP_CONST, l[i].w, &w, NULL), b = cop__data(g, COP_CONST, l[i].b, &o, NULL);
		assert_true(cop__own(g, v) && cop__own(g, b));
		for (int32_t k = 0; k < l[i].dim[0]; k++) ((int32_t *)cop__own(g, m))[k] = 1 << 24;
		x = cop__apply(g, OP_qconv, &(cop_qconv_attr){l[i].stride, l[i].stride, 1, 1, 1, 1, 1, 1, 1, 0, 0, -128, 127, 0, 0, 0}, VIDS(x, v, b, m));
	}
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.05f, 0}, VIDS(x)), "y"));
	return g;
}

/* Bands leave no way back for a gradient, so layers that are trained are not computed in them. */
static void bands_end_before_what_is_trained(void **state)
{
	static const struct { const char *spec; bool bands; } row[] = {{"qsgd layers=c3.*", true}, {"qsgd layers=c1.b", false}};
	cop_ctx *cx = *state;
	cop_target t;
	cop_patch how;
	int32_t n;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = wide(cx);
		OK(cx, cop_graph_trainable(&g, row[i].spec, &n));
		OK(cx, cop_graph_patch(&g, &t, 10, &how));
		if ((how.bands > 0) != row[i].bands) fail_msg("%s: %d bands", row[i].spec, how.bands);
		cop_graph_free(g);
	}
}

/* A layer that is marked as coded in flash is so no more once it is trained; others stay. */
static void marks_of_what_is_trained_go(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);
	char kind;
	int at = cop__attr_find(cop_ops[OP_qconv], "coded", &kind, NULL), marked = 0;
	int32_t n;

	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++)
		if (g->node[k].op == OP_qconv) g->node[k].attr[at] = COP_CODE_TABLES;
	OK(cx, cop_graph_trainable(&g, "qsgd layers=c2.w|fc.b", &n));
	assert_int_equal(n, 2);
	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++)
		if (g->node[k].op == OP_qconv) marked += g->node[k].attr[at];
	assert_int_equal(marked, 2 * COP_CODE_TABLES);
	cop_graph_free(g);
}

/* By hand: w - d, to the nearest, by chance (draws of 0 and of all ones), and cut as C cuts it. */
static void integers_are_rounded(void **state)
{
	static const struct { int32_t w; float d; int32_t nearest, low, high, truncated; } row[] = {
		{5, 0.001f, 5, 4, 5, 4}, {5, -0.001f, 5, 5, 6, 5}, {5, 0.75f, 4, 4, 5, 4}, {-5, 0.75f, -6, -6, -5, -5}, {-5, -0.75f, -4, -5, -4, -4}, {0, 0.4f, 0, -1, 0, 0},
		{5, 2, 3, 3, 3, 3}, {120, -30, 127, 127, 127, 127}, {120, -8, 127, 127, 127, 127}, {-120, 1e20f, -127, -127, -127, -127}, {7, NAN, 7, 7, 7, 7}, {7, INFINITY, 7, 7, 7, 7}, {-7, -INFINITY, -7, -7, -7, -7},
	};
	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_q_moved(row[i].w, row[i].d, 127, COP_Q_NEAREST, 0), row[i].nearest);
		assert_int_equal(cop_q_moved(row[i].w, row[i].d, 127, COP_Q_STOCHASTIC, 0), row[i].low);
		assert_int_equal(cop_q_moved(row[i].w, row[i].d, 127, COP_Q_STOCHASTIC, UINT32_MAX), row[i].high);
		assert_int_equal(cop_q_moved(row[i].w, row[i].d, 127, COP_Q_TRUNCATE, 0), row[i].truncated);
	}
	double sum = 0;
	for (uint32_t i = 0; i < 20000; i++) sum += cop_q_moved(50, 0.3f, 127, COP_Q_STOCHASTIC, cop_hash32(1, i, 0, 3));
	assert_true(fabs(sum / 20000 - 49.7) < 0.02); /* the deviation of the mean is 0.003 */
}

static void expect_refusal(cop_ctx *cx, const char *want)
{
	if (strcmp(cop_error_text(cx), want)) fail_msg("the message is: %s", cop_error_text(cx));
	cop_error_clear(cx);
}

static void what_cannot_be_trained_is_refused(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = trainable(cx, "qsgd", 4), *plain = net(cx);
	cop_trainer *t;
	int32_t n;

	assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = "adam"}), COP_ARG);
	expect_refusal(cx, "training: the rule 'adam' moves floats, and 'c1.b' holds integers; use qsgd");
	assert_int_equal(cop_trainer_new(&t, plain, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = "qsgd"}), COP_ARG);
	expect_refusal(cx, "training: this is a network of integers, and layers=* names no weight or bias of it that was made trainable (coppice inspect lists weights; in C: cop_graph_trainable)");
	cop_type two = cop__type(COP_F32, 2, DIMS(1, 2)), weight = cop__type(COP_F32, 2, DIMS(2, 2));
	cop_graph *floats;
	OK(cx, cop__graph_new(&floats, cx, "floats"));
	cop_vid x = cop__input(floats, "x", &two);
	OK(cx, cop__output(floats, cop__apply(floats, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(floats, COP_PARAM, "w", &weight, (float[]){1, 2, 3, 4}))), "y"));
	assert_int_equal(cop_trainer_new(&t, floats, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = "sgd errors=int8"}), COP_ARG);
	expect_refusal(cx, "training: errors=int8 is for networks of int8 layers, and no gradient goes through one here");
	assert_int_equal(cop_trainer_new(&t, floats, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = "sgd rounding=nearest"}), COP_ARG);
	expect_refusal(cx, "training: rounding= says how errors=int8 loses bits, and errors are floats here; add errors=int8, or leave it out");
	cop_graph_free(floats);
	OK(cx, cop_graph_trainable(&plain, "qsgd layers=none*", &n));
	assert_int_equal(n, 0);
	assert_int_equal(cop_graph_apply(&plain, "trainable:layers=none*"), COP_ARG);
	expect_refusal(cx, "trainable: 'int8' has no int8 layer with weights or a bias named 'none*'");
	OK(cx, cop_graph_trainable(&g, "qsgd", &n)); /* a second time: nothing is left to do */
	assert_int_equal(n, 0);
	cop_graph_free(plain);
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_an_input_like_others, setup, teardown),
		cmocka_unit_test_setup_teardown(bands_end_before_what_is_trained, setup, teardown),
		cmocka_unit_test_setup_teardown(a_loss_that_is_not_finite_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(marks_of_what_is_trained_go, setup, teardown),
		cmocka_unit_test_setup_teardown(integers_are_rounded, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_trained_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
