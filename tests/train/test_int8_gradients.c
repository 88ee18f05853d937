/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients of int8 layers against PyTorch's, of whole weights, of parts of them, and of errors as bytes; and a step on integers against the step of the
 * floats they stand for.
 */
#include "int8_net.h"
#include "op/qscale.h"

static void gradients_are_those_of_pytorch(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = trainable(cx, "qsgd", 4);
	cop_trainer *t = trainer(cx, g, "qsgd", true, 1);
	cop_tensor d, y;
	const char *name;
	int i = 0;

	OK(cx, cop_trainer_gradients(t, NULL));
	OK(cx, cop_trainer_output(t, 0, &y));
	for (int k = 0; k < 3; k++) assert_true(fabsf(((float *)y.data)[k] - ref_logits[k]) < 1e-6f);
	for (; (name = cop_trainer_gradient(t, i, &d)); i++) {
		const float *want = expected(name);
		float most = 0;
		for (int64_t k = 0; k < cop_type_count(&d.type); k++) most = fmaxf(most, fabsf(want[k]));
		for (int64_t k = 0; k < cop_type_count(&d.type); k++)
			if (!(fabsf(((float *)d.data)[k] - want[k]) <= 2e-5f * most))
				fail_msg("%s, element %lld: %g, PyTorch %g", name, (long long)k, (double)((float *)d.data)[k], (double)want[k]);
	}
	assert_int_equal(i, 8);
	cop_trainer_free(t);
	cop_graph_free(g);
}

/* With errors as bytes: near those, by the largest of each weight. An error that a wrong unit counts, or that does not arrive, is further off; what is cut is further off than what is rounded. */
static void gradients_of_bytes_are_near(void **state)
{
	static const struct { const char *spec; float most, mean; } way[] = {{"qsgd errors=int8", 0.06f, 0.03f}, {"qsgd errors=int8 rounding=nearest", 0.025f, 0.015f},
		{"qsgd errors=int8 rounding=stochastic", 0.06f, 0.02f}, {"qsgd errors=int8 rounding=truncate", 0.1f, 0.04f}};
	cop_ctx *cx = *state;

	for (int w = 0; w < LEN(way); w++) {
		cop_graph *g = trainable(cx, "qsgd", 4);
		cop_trainer *t = trainer(cx, g, way[w].spec, true, 2);
		cop_tensor d;
		const char *name;
		int i = 0;
		OK(cx, cop_trainer_gradients(t, NULL));
		for (; (name = cop_trainer_gradient(t, i, &d)); i++) {
			const float *want = expected(name), *got = d.data;
			const int64_t n = cop_type_count(&d.type);
			float most = 0, sum = 0, off = 0;
			for (int64_t k = 0; k < n; k++) most = fmaxf(most, fabsf(want[k])), sum += fabsf(got[k] - want[k]), off = fmaxf(off, fabsf(got[k] - want[k]));
			if (!(off <= way[w].most * most) || !(sum / (float)n <= way[w].mean * most)) fail_msg("%s, %s: off by %g, %g in the mean, of the largest", way[w].spec, name, (double)(off / most), (double)(sum / (float)n / most));
		}
		assert_int_equal(i, 8);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
}

/* Layers one behind the other, of which each cuts off about half: nothing lies between the error of one and that of the next, so both are one step. */
static cop_graph *chain(cop_ctx *cx)
{
	static const cop_qavgpool_attr mean = {3, 3, 3, 3, 0, 0, 0, 0, -20, -20, 0, 0, -128, 127};
	cop_graph *g;
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 5, 5, 2));
	int32_t n;

	OK(cx, cop__graph_new(&g, cx, "chain"));
	cop_vid x = cop__input(g, "x", &t);
	x = qconv(g, x, 0, DIMS(4, 3, 3, 2), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = 5, .zy = -128, .qlo = -128, .qhi = 127});
	x = qconv(g, x, 1, DIMS(4, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -128, .zy = -9, .qlo = -9, .qhi = 60});
	x = qconv(g, x, 2, DIMS(4, 3, 3, 1), (cop_qconv_attr){.sh = 2, .sw = 2, .groups = 4, .zx = -9, .zy = -20, .qlo = -128, .qhi = 100});
	x = cop__apply(g, OP_qavgpool, &mean, VIDS(x));
	x = qconv(g, x, 3, DIMS(3, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -20, .zy = 7, .qlo = -128, .qhi = 127});
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 3}}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.05f, 7}, VIDS(x)), "y"));
	OK(cx, cop_graph_trainable(&g, "qsgd", &n));
	return g;
}

/* Float errors, which are PyTorch's in the test before, and bytes. */
static void a_chain_of_bytes_is_near(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = chain(cx);
	cop_trainer *t[] = {trainer(cx, g, "qsgd", true, 1), trainer(cx, g, "qsgd errors=int8 rounding=nearest", true, 1)};
	cop_tensor want, got;
	const char *name;

	for (int i = 0; i < 2; i++) OK(cx, cop_trainer_gradients(t[i], NULL));
	for (int i = 0; (name = cop_trainer_gradient(t[0], i, &want)); i++) {
		assert_string_equal(cop_trainer_gradient(t[1], i, &got), name);
		float most = 0;
		for (int64_t k = 0; k < cop_type_count(&want.type); k++) most = fmaxf(most, fabsf(((float *)want.data)[k]));
		assert_true(most > 0);
		for (int64_t k = 0; k < cop_type_count(&want.type); k++)
			if (!(fabsf(((float *)want.data)[k] - ((float *)got.data)[k]) <= 0.03f * most)) fail_msg("%s, element %lld: %g, not %g", name, (long long)k, (double)((float *)got.data)[k], (double)((float *)want.data)[k]);
	}
	for (int i = 0; i < 2; i++) cop_trainer_free(t[i]);
	cop_graph_free(g);
}

/* The scale of a filter of a weight or a bias, by the network's own multipliers: s_x s_w / s_y. */
static double scale_of(const cop_graph *g, const char *name, int32_t filter)
{
	double scale[64] = {0};
	assert_true(g->n_value < LEN(scale));
	cop__int_scales(scale, g);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_qconv || strncmp(g->value[cop__arg(g, n, 1)].name, name, strlen(name) - 1)) continue;
		COP_ATTR(cop_qconv_attr, a, g, n);
		double y = scale[cop__res(g, n, 0)] * cop__qconv_real(&a, &g->value[cop__arg(g, n, 3)], filter);
		return name[strlen(name) - 1] == 'b' ? y : y / scale[cop__arg(g, n, 0)];
	}
	return 0;
}

/* A step of the rate r on integers moves what they stand for by r times the gradient of that, but for rounding: every weight and bias. */
static void a_step_is_that_of_the_floats(void **state)
{
	static const char *const names[] = {"c1.w", "c1.b", "c2.w", "c2.b", "dw.w", "dw.b", "fc.w", "fc.b"};
	const float rate = 2;
	cop_ctx *cx = *state;
	cop_graph *was = trainable(cx, "qsgd", 4), *g = trainable(cx, "qsgd", 4);
	cop_trainer *t = trainer(cx, g, "qsgd round=nearest", false, 1);

	OK(cx, cop_trainer_step(t, rate, NULL));
	OK(cx, cop_trainer_pull(t, g));
	for (int i = 0; i < LEN(names); i++) {
		cop_vid v = cop__find(g, names[i]);
		int64_t filter = cop_type_count(cop__t(g, v)) / cop__t(g, v)->dim[0];
		double moved = 0;
		for (int64_t k = 0; k < cop_type_count(cop__t(g, v)); k++) {
			const double s = scale_of(was, names[i], (int32_t)(k / filter));
			bool byte = cop__t(g, v)->dtype == COP_I8;
			int32_t a = byte ? ((const int8_t *)was->value[v].data)[k] : ((const int32_t *)was->value[v].data)[k],
				b = byte ? ((const int8_t *)g->value[v].data)[k] : ((const int32_t *)g->value[v].data)[k];
			double want = -(double)rate * (double)expected(names[i])[k] / s; /* of the real: dL/dq = s dL/dW */
			double got = (b - a) * s, slack = 0.5001 * s;
			if (abs(b) == 127 && byte) continue;
			if (!(fabs(got - want) <= slack + 1e-4 * fabs(want))) fail_msg("%s, element %lld moved by %g, not by %g", names[i], (long long)k, got, want);
			moved += fabs(got);
		}
		if (!(moved > 0)) fail_msg("%s did not move", names[i]);
	}
	cop_trainer_free(t);
	cop_graph_free(was);
	cop_graph_free(g);
}

/* Of each weight, the channels with the largest norm as reals: reckoned from the reference's numbers apart from this. */
static const struct part { const char *name; int axis, n; int32_t channel[2]; } parts[] = {{"c1.w", 3, 1, {1}}, {"c2.w", 3, 2, {0, 2}}, {"dw.w", 0, 2, {2, 3}}, {"fc.w", 3, 1, {3}}};
#define PARTS "qsgd round=nearest channels=c1.w:0.5;c2.w:0.5;dw.w:0.5;fc.w:0.25"

static const struct part *part_of(const char *name, const cop_type *t, int64_t element)
{
	for (int i = 0; i < LEN(parts); i++) {
		int64_t channel = parts[i].axis ? element % t->dim[3] : element / (cop_type_count(t) / t->dim[0]);
		for (int k = 0; k < parts[i].n && !strcmp(name, parts[i].name); k++)
			if (parts[i].channel[k] == channel) return &parts[i];
	}
	return NULL;
}

static void gradients_of_parts_are_those_of_pytorch(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx), *whole = net(cx);
	cop_trainer *t;
	cop_tensor d;
	const char *name;
	int32_t n, seen = 0;

	OK(cx, cop_graph_trainable(&g, PARTS, &n));
	t = trainer(cx, g, PARTS, true, 1);
	OK(cx, cop_trainer_gradients(t, NULL));
	for (int i = 0; (name = cop_trainer_gradient(t, i, &d)); i++) {
		char weight[16];
		if (!strstr(name, ".part")) continue;
		snprintf(weight, sizeof weight, "%.4s", name);
		const cop_type *wt = cop__t(whole, cop__find(whole, weight));
		const float *want = expected(weight), *got = d.data;
		float most = 0;
		for (int64_t k = 0; k < cop_type_count(wt); k++) most = fmaxf(most, fabsf(want[k]));
		for (int64_t k = 0, at = 0; k < cop_type_count(wt); k++)
			if (part_of(weight, wt, k) && !(fabsf(got[at++] - want[k]) <= 2e-5f * most)) fail_msg("%s, element %lld: %g, PyTorch %g", weight, (long long)k, (double)got[at - 1], (double)want[k]);
		seen++;
	}
	assert_int_equal(seen, LEN(parts));
	cop_trainer_free(t);
	cop_graph_free(whole);
	cop_graph_free(g);
}

/* One step of the whole network and one of the parts: the parts end with the same integers, everything else of the weights with those it had. */
static void a_step_of_parts_is_that_of_the_whole(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *was = net(cx), *all = trainable(cx, "qsgd", 4), *some = net(cx);
	const float rate = 2;
	int32_t n;

	OK(cx, cop_graph_trainable(&some, PARTS, &n));
	cop_trainer *t[] = {trainer(cx, all, "qsgd round=nearest", false, 1), trainer(cx, some, PARTS, false, 1)};
	for (int i = 0; i < 2; i++) {
		OK(cx, cop_trainer_step(t[i], rate, NULL));
		OK(cx, cop_trainer_pull(t[i], i ? some : all));
		cop_trainer_free(t[i]);
	}
	OK(cx, cop_graph_settle(&all));
	OK(cx, cop_graph_settle(&some));
	assert_int_equal(some->n_value, was->n_value);
	for (int i = 0; i < LEN(parts); i++) {
		cop_vid v = cop__find(some, parts[i].name);
		const int8_t *now = some->value[v].data, *full = all->value[cop__find(all, parts[i].name)].data, *before = was->value[cop__find(was, parts[i].name)].data;
		int moved = 0;
		for (int64_t k = 0; k < cop_type_count(cop__t(some, v)); k++) {
			const int8_t want = part_of(parts[i].name, cop__t(some, v), k) ? full[k] : before[k];
			if (now[k] != want) fail_msg("%s, element %lld: %d, not %d", parts[i].name, (long long)k, now[k], want);
			moved += now[k] != before[k];
		}
		if (!moved) fail_msg("%s did not move", parts[i].name);
	}
	cop_graph_free(was);
	cop_graph_free(all);
	cop_graph_free(some);
}

/* Scores that leave as bytes are trained by the reals that they stand for, and through a softmax of bytes by what it reads: the gradients are those of
 * the network that ends in floats. */
static void bytes_at_the_end(void **state)
{
	const cop_qsoftmax_attr soft = cop__qsoftmax_scale(0.05, 1);
	const float scale = 0.05f;
	const int32_t zero = 7;
	cop_ctx *cx = *state;

	for (int way = 0; way < 2; way++) {
		cop_graph *g = net(cx), *bytes;
		cop_tensor d;
		const char *name;
		int32_t n;
		cop_vid *map;
		OK(cx, cop__copy_begin(&bytes, g, &map));
		OK(cx, cop__copy_inputs(bytes, g, map));
		for (cop_nid k = 1; k < (cop_nid)g->n_node; k++) OK(cx, cop__copy_node(bytes, g, map, k)); /* all but the dequantize */
		cop_vid y = map[cop__arg(g, (cop_nid)g->n_node, 0)];
		if (way) y = cop__apply(bytes, OP_qsoftmax, &soft, VIDS(y));
		else bytes->value[y].type.q = (cop_quant){&scale, &zero, -1};
		OK(cx, cop__output(bytes, y, "scores"));
		OK(cx, cop_graph_trainable(&bytes, "qsgd layers=fc.*", &n));
		if (!way) bytes->value[bytes->output[0]].type.q = (cop_quant){&scale, &zero, -1};
		cop_trainer *t = trainer(cx, bytes, "qsgd layers=fc.*", true, 1);
		OK(cx, cop_trainer_gradients(t, NULL));
		for (int i = 0; (name = cop_trainer_gradient(t, i, &d)); i++)
			for (int64_t k = 0; k < cop_type_count(&d.type); k++)
				if (!(fabsf(((float *)d.data)[k] - expected(name)[k]) <= 2e-5f * 3e-3f + 1e-4f * fabsf(expected(name)[k]))) fail_msg("way %d, %s: %g, not %g", way, name, (double)((float *)d.data)[k], (double)expected(name)[k]);
		cop_trainer_free(t);
		cop_graph_free(bytes);
		cop_graph_free(g);
	}
}

/* With the same bits for any number of threads, in one operator or in two (gradients apart). */
static void has_one_result(cop_ctx *cx, const char *spec)
{
	static const struct { bool apart; int threads; } way[] = {{false, 1}, {false, 2}, {true, 1}};
	cop_graph *g[LEN(way)];

	for (int i = 0; i < LEN(way); i++) {
		g[i] = trainable(cx, "qsgd", 4);
		cop_trainer *t = trainer(cx, g[i], spec, way[i].apart, way[i].threads);
		for (int k = 0; k < 3; k++) {
			give(cx, t);
			if (way[i].apart) {
				OK(cx, cop_trainer_gradients(t, NULL));
				OK(cx, cop_trainer_update(t, 1));
			} else {
				OK(cx, cop_trainer_step(t, 1, NULL));
			}
		}
		OK(cx, cop_trainer_pull(t, g[i]));
		cop_trainer_free(t);
	}
	for (int i = 1; i < LEN(way); i++)
		for (int32_t v = 1; v <= g[0]->n_value; v++)
			if (g[0]->value[v].role == COP_PARAM)
				if (memcmp(g[i]->value[cop__find(g[i], g[0]->value[v].name)].data, g[0]->value[v].data, cop_type_bytes(cop__t(g[0], v)))) fail_msg("%s: %s differs, way %d", spec, g[0]->value[v].name, i);
	for (int i = 0; i < LEN(way); i++) cop_graph_free(g[i]);
}

static void one_step_has_one_result(void **state)
{
	has_one_result(*state, "qsgd");
	has_one_result(*state, "qsgd errors=int8");
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(gradients_are_those_of_pytorch),
		TEST(gradients_of_bytes_are_near),
		TEST(a_chain_of_bytes_is_near),
		TEST(a_step_is_that_of_the_floats),
		TEST(gradients_of_parts_are_those_of_pytorch),
		TEST(a_step_of_parts_is_that_of_the_whole),
		TEST(bytes_at_the_end),
		TEST(one_step_has_one_result),
	};
	return RUN_BY_BOTH_KERNELS(tests);
}
