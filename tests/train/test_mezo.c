/* SPDX-License-Identifier: Apache-2.0
 *
 * Training without gradients: the slope is that of the gradients along the direction, weights come back to where they were, nothing is planned for a way back, and
 * the memory is that of inference. The steps themselves are compared with PyTorch in test_rules.c.
 */
#include "help.h"
#include "kernel/along.h"
#include "train/alike.h"
#include "train/trainer.h"

/* Number i of the direction of a step along the weight of that name, by the default options. */
static double along(const char *name, uint32_t step, int64_t i) { return (double)cop_along(1, step, cop__hash_text(name), (uint32_t)i, COP_DRAW_NORMAL); }

static cop_trainer *trainer(cop_ctx *cx, const cop_graph *g, const char *spec, bool apart)
{
	cop_trainer *t;
	cop_tensor x, label;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = spec, .threads = 1, .apart = apart}));
	OK(cx, cop_trainer_input(t, 0, &x));
	OK(cx, cop_trainer_input(t, 1, &label));
	for (int k = 0; k < 4 * 784; k++) ((float *)x.data)[k] = cop__rand_unit(2, 3, (uint64_t)k);
	for (int k = 0; k < 4; k++) ((int32_t *)label.data)[k] = 3 * k % 10;
	return t;
}

static const char *const weights[] = {"fc1.w", "fc1.b", "fc2.w", "fc2.b"};

/* Without a rate all weights are what they were but for rounding; with one they have moved along z by the slope that backpropagation has. */
static void slope(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *still = net(cx), *moved = net(cx);
	cop_trainer *t = trainer(cx, g, "sgd", true);
	double want = 0;
	cop_tensor d;
	const char *name;

	(void)state;
	OK(cx, cop_trainer_gradients(t, NULL));
	for (int32_t i = 0; (name = cop_trainer_gradient(t, i, &d)); i++)
		for (int64_t k = 0; k < cop_type_count(&d.type); k++) want += (double)((float *)d.data)[k] * along(name, 0, k);
	cop_trainer_free(t);
	t = trainer(cx, g, "mezo", false);
	OK(cx, cop_trainer_step(t, 0, NULL));
	OK(cx, cop_trainer_pull(t, still));
	cop_trainer_free(t);
	t = trainer(cx, g, "mezo", false);
	OK(cx, cop_trainer_step(t, 0.01f, NULL));
	OK(cx, cop_trainer_pull(t, moved));
	cop_trainer_free(t);
	double dot = 0, length = 0;
	for (int i = 0; i < LEN(weights); i++) {
		const cop_vid v = cop__find(g, weights[i]);
		const float *a = cop__floats(g, v), *b = cop__floats(still, v), *c = cop__floats(moved, v);
		for (int64_t k = 0; k < cop_type_count(cop__t(g, v)); k++) {
			const double z = along(weights[i], 0, k);
			assert_true(fabsf(a[k] - b[k]) < 1e-6f);
			dot += z * (double)(a[k] - c[k]) / 0.01, length += z * z;
		}
	}
	print_message("slope %g, of the gradients %g\n", dot / length, want);
	if (!(fabs(dot / length - want) < 0.01 * fabs(want) + 0.01)) fail_msg("the slope is %g, not %g", dot / length, want);
	cop_graph_free(g);
	cop_graph_free(still);
	cop_graph_free(moved);
	cop_ctx_free(cx);
}

/* No node goes back, and a plan of a step takes what one of the network and its loss takes: less than half of that of sgd. */
static void memory(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	size_t bytes[2];

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.seed = 1}));
	for (int i = 0; i < 2; i++) {
		cop_build *b;
		cop_graph *made;
		cop_plan *plan;
		cop_target target;
		OK(cx, cop__build_new(&b, g, 4, 0));
		OK(cx, cop__build_spec(b, i ? "sgd" : "mezo"));
		OK(cx, cop__build_graph(&made, b, COP_PART_STEP));
		for (cop_nid n = 1; !i && n <= (cop_nid)made->n_node; n++) {
			const char *op = cop__op(made, n)->name;
			if (strstr(op, "_d") || strstr(op, "grad") || !strcmp(op, "sgd") || !strcmp(op, "assign")) fail_msg("a step has the node '%s'", op);
		}
		OK(cx, cop_target_find(&target, cx, "host"));
		OK(cx, cop_plan_build(&plan, &made, 1, &target));
		bytes[i] = cop_plan_bytes(plan, COP_TEMP);
		cop_plan_free(plan);
		cop_graph_free(made);
		cop__build_free(b);
	}
	print_message("%zu bytes of values, %zu with gradients\n", bytes[0], bytes[1]);
	assert_true(2 * (bytes[0] - 4 * 3072 * sizeof(float)) < bytes[1]); /* both runs read the samples */
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Layers before the first weight that moves run once in a step, the others twice. */
static void once(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *made;
	int layers = 0;

	(void)state;
	OK(cx, cop_graph_train(&made, g, "mezo layers=fc2*"));
	for (cop_nid n = 1; n <= (cop_nid)made->n_node; n++) layers += made->node[n].op == OP_fc;
	assert_int_equal(layers, 1 + 2);
	cop_graph_free(made);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* It learns: samples that are all alike. */
static void learns(void **state)
{
	static const char *const update[] = {"mezo", "mezo draw=signs", "mezo last=fc2*"};
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	(void)state;
	for (int i = 0; i < LEN(update); i++) {
		cop_graph *g = net(cx);
		cop_train_args a = base;
		cop_score before, after;
		a.update = update[i];
		a.lr = 1e-4f;
		a.epochs = 40;
		OK(cx, cop_eval(&before, g, &d, 4, 1));
		OK(cx, cop_train(g, &d, NULL, &a));
		OK(cx, cop_eval(&after, g, &d, 4, 1));
		print_message("%s: loss %.4f, then %.4f\n", update[i], (double)before.loss, (double)after.loss);
		if (!(after.loss < 0.9 * before.loss)) fail_msg("%s: loss %g, then %g", update[i], (double)before.loss, (double)after.loss);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* The part of a weight moves at the rate of its weight, by whichever name that is found. */
static void parts(void **state)
{
	static const char *const update[] = {"mezo rates=fc1.w:0.25", "mezo rates=fc1.w*:0.25", "mezo"};
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *g[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		cop_train_args a = base;
		g[i] = net(cx);
		OK(cx, cop_graph_apply(&g[i], "parts:channels=fc1.w:0.25"));
		a.update = update[i], a.lr = 1e-4f;
		OK(cx, cop_train(g[i], &d, NULL, &a));
	}
	assert_true(same(g[0], g[1]) && !same(g[1], g[2]));
	for (int i = 0; i < 3; i++) cop_graph_free(g[i]);
	cop_ctx_free(cx);
}

/* A loss that is no number: without a guard the weights are lost, with one they stay where they were but for rounding, those that move by their gradient too. */
static void guarded(void **state)
{
	static const struct { const char *spec; bool stays; } row[] = {{"mezo", false}, {"mezo guard=yes", true}, {"mezo last=fc2* guard=yes", true}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx);

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *after = net(cx);
		cop_trainer *t = trainer(cx, g, row[i].spec, false);
		cop_tensor x;
		float loss;
		OK(cx, cop_trainer_input(t, 0, &x));
		((float *)x.data)[0] = NAN;
		OK(cx, cop_trainer_step(t, 0.01f, &loss));
		assert_false(isfinite(loss));
		assert_true(cop__trainer_rate(t) == 0.01f);
		OK(cx, cop_trainer_pull(t, after));
		cop_trainer_free(t);
		for (int k = 0; k < LEN(weights); k++)
			for (int64_t j = 0; j < cop_type_count(cop__t(g, cop__find(g, weights[k]))); j++)
				if ((fabsf(cop__floats(g, cop__find(g, weights[k]))[j] - cop__floats(after, cop__find(after, weights[k]))[j]) < 1e-6f) != row[i].stays)
					fail_msg("%s: '%s' %d becomes %g", row[i].spec, weights[k], (int)j, (double)cop__floats(after, cop__find(after, weights[k]))[j]);
		cop_graph_free(after);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* What moves by its gradient may have less kept for that: computed again, it has the same bits; kept as bytes, the others move as they did, along the slope. */
static void less_kept(void **state)
{
	static const char *const saved[] = {"float", "exact", "int8-all"};
	cop_ctx *cx = new_ctx();
	cop_graph *g[3];
	char spec[96];

	(void)state;
	for (int i = 0; i < 3; i++) {
		cop_trainer *t;
		cop_tensor x;
		OK(cx, cop_zoo_build(&g[i], cx, "resnet-8", &(cop_zoo_args){.seed = 1}));
		snprintf(spec, sizeof spec, "mezo last=layer2*|layer3*|fc* guard=yes saved=%s", saved[i]);
		OK(cx, cop_trainer_new(&t, g[i], &(cop_trainer_args){.batch = 4, .spec = spec, .threads = 1}));
		OK(cx, cop_trainer_input(t, 0, &x));
		for (int k = 0; k < 4 * 3072; k++) ((float *)x.data)[k] = cop__rand_unit(2, 3, (uint64_t)k);
		OK(cx, cop_trainer_step(t, 0.01f, NULL));
		OK(cx, cop_trainer_pull(t, g[i]));
		cop_trainer_free(t);
	}
	assert_true(same(g[0], g[1]) && !same(g[0], g[2]));
	assert_memory_equal(cop__floats(g[0], cop__find(g[0], "conv1.w")), cop__floats(g[2], cop__find(g[2], "conv1.w")), sizeof(float) * (size_t)cop_type_count(cop__t(g[0], cop__find(g[0], "conv1.w"))));
	for (int i = 0; i < 3; i++) cop_graph_free(g[i]);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *spec, *says; bool apart; } row[] = {{"mezo", "no gradients apart", true}, {"mezo last=fc9*", "last=fc9* of mezo fits no weight", false}, {"mezo by=(sgd)", "no number that can be learnt", false},
		{"mezo saved=int8", "mezo keeps nothing for a way back", false}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx);
	cop_trainer *t;

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = row[i].spec, .threads = 1, .apart = row[i].apart}), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].spec, cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(slope), cmocka_unit_test(memory), cmocka_unit_test(once), cmocka_unit_test(learns), cmocka_unit_test(parts), cmocka_unit_test(guarded), cmocka_unit_test(less_kept), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
