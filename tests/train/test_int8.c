/* SPDX-License-Identifier: Apache-2.0
 *
 * Training of int8 layers: gradients against PyTorch's, a step on integers against the step of the floats they stand for, the way there and back,
 * rounding, and what is refused.
 */
#include "help.h"
#include "kernel/qstep.h"
#include "op/qscale.h"
#include "pass/pass.h"
#include "train/int8_reference.h"

#define REF(name) {#name, ref_##name##_w, ref_##name##_b, ref_##name##_m, ref_##name##_dw, ref_##name##_db}
static const struct layer { const char *name; const int8_t *w; const int32_t *b, *m; const float *dw, *db; } layers[] = {REF(c1), REF(c2), REF(dw), REF(fc)};

static cop_vid qconv(cop_graph *g, cop_vid x, int which, const int32_t *dim, cop_qconv_attr a)
{
	const struct layer *l = &layers[which];
	cop_type w = cop__type(COP_I8, 4, dim), o = cop__type(COP_I32, 1, dim);
	char name[3][16];

	for (int i = 0; i < 3; i++) snprintf(name[i], sizeof name[i], "%s.%c", l->name, "wbm"[i]);
	a.dh = a.dw = 1;
	a.pt = a.pl = a.pb = a.pr = dim[1] / 2;
	return cop__apply(g, OP_qconv, &a,
		VIDS(x, cop__data(g, COP_CONST, name[0], &w, l->w), cop__data(g, COP_CONST, name[1], &o, l->b), cop__data(g, COP_CONST, name[2], &o, l->m)));
}

/* That of make_int8_reference.py. The stored biases have -zx sum w in them, as a file has. */
static cop_graph *net(cop_ctx *cx)
{
	static const cop_qadd_attr sum = {-128, -9, 3, 500000, 0, 800000, 0, 0, 20, -128, 127, 0};
	static const cop_qavgpool_attr mean = {3, 3, 3, 3, 0, 0, 0, 0, -20, -20, 0, 0, -128, 127};
	cop_graph *g;
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 5, 5, 2));

	OK(cx, cop__graph_new(&g, cx, "int8"));
	cop_vid x = cop__input(g, "x", &t);
	x = qconv(g, x, 0, DIMS(4, 3, 3, 2), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = 5, .zy = -128, .qlo = -128, .qhi = 127});
	cop_vid y = qconv(g, x, 1, DIMS(4, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -128, .zy = -9, .qlo = -128, .qhi = 127});
	x = cop__apply(g, OP_qadd, &sum, VIDS(x, y));
	x = qconv(g, x, 2, DIMS(4, 3, 3, 1), (cop_qconv_attr){.sh = 2, .sw = 2, .groups = 4, .zx = 3, .zy = -20, .qlo = -128, .qhi = 100});
	x = cop__apply(g, OP_qavgpool, &mean, VIDS(x));
	x = qconv(g, x, 3, DIMS(3, 1, 1, 4), (cop_qconv_attr){.sh = 1, .sw = 1, .groups = 1, .zx = -20, .zy = 7, .qlo = -128, .qhi = 127});
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 3}}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.05f, 7}, VIDS(x)), "y"));
	OK(cx, cop_graph_verify(g));
	return g;
}

static cop_graph *trainable(cop_ctx *cx, const char *spec, int32_t want)
{
	cop_graph *g = net(cx);
	int32_t n;

	OK(cx, cop_graph_trainable(&g, spec, &n));
	assert_int_equal(n, want);
	OK(cx, cop_graph_verify(g));
	return g;
}

/* The sample and its class, which a step may write over. */
static void give(cop_ctx *cx, cop_trainer *t)
{
	cop_tensor x;

	OK(cx, cop_trainer_input(t, 0, &x));
	memcpy(x.data, ref_x, sizeof ref_x);
	OK(cx, cop_trainer_input(t, 1, &x));
	*(int32_t *)x.data = 1;
}

static cop_trainer *trainer(cop_ctx *cx, const cop_graph *g, const char *spec, bool apart, int threads)
{
	cop_trainer *t;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = threads, .spec = spec, .apart = apart}));
	give(cx, t);
	return t;
}

static const float *expected(const char *name)
{
	for (int i = 0; i < LEN(layers); i++)
		if (!strncmp(name, layers[i].name, strlen(layers[i].name))) return name[strlen(name) - 1] == 'w' ? layers[i].dw : layers[i].db;
	fail_msg("no layer has '%s'", name);
	return NULL;
}

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
		cmocka_unit_test_setup_teardown(gradients_are_those_of_pytorch, setup, teardown),
		cmocka_unit_test_setup_teardown(gradients_of_bytes_are_near, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chain_of_bytes_is_near, setup, teardown),
		cmocka_unit_test_setup_teardown(a_step_is_that_of_the_floats, setup, teardown),
		cmocka_unit_test_setup_teardown(gradients_of_parts_are_those_of_pytorch, setup, teardown),
		cmocka_unit_test_setup_teardown(a_step_of_parts_is_that_of_the_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(one_step_has_one_result, setup, teardown),
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
