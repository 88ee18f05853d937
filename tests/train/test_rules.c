/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of updates over several steps against PyTorch and the formulas of their papers (make_rules_reference.py), numbers that are learnt against
 * finite differences of the loss, and what every rule has to keep: the same bits for any number of threads, and after it was stopped and resumed.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy.h"
#include "train/rules_reference.h"

#include <math.h>
#include <unistd.h>

/* x [3,4] -> a [5,4] -> tanh -> b [6,5] -> tanh -> c [3,6] -> y [3,3]; weights and samples as in make_rules_reference.py. */
enum { BATCH = 3 };
static const int32_t width[4] = {4, 5, 6, 3};

static cop_graph *waves(cop_ctx *cx)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	static const char *const name[] = {"a.w", "a.b", "b.w", "b.b", "c.w", "c.b"};
	cop_type x = cop__type(COP_F32, 2, DIMS(BATCH, width[0]));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "waves"));
	cop_vid v = cop__input(g, "x", &x);
	for (int i = 0; i < 3; i++) {
		cop_vid p[2];
		for (int k = 0; k < 2; k++) {
			float w[64];
			cop_type t = cop__type(COP_F32, k ? 1 : 2, DIMS(width[i + 1], width[i]));
			for (int j = 0; j < 64; j++) w[j] = (float)(0.5 * sin(1.7 * j + 2 * i + k));
			p[k] = cop__data(g, COP_PARAM, name[2 * i + k], &t, w);
		}
		v = cop__apply(g, OP_fc, &none, VIDS(v, p[0], p[1]));
		if (i < 2) v = cop__apply(g, OP_tanh, NULL, VIDS(v));
	}
	OK(cx, cop__output(g, v, "y"));
	return g;
}

static cop_trainer *trainer(cop_ctx *cx, const cop_graph *g, const char *spec)
{
	cop_trainer *t;
	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = BATCH, .spec = spec, .threads = 1}));
	return t;
}

static float one_step(cop_ctx *cx, cop_trainer *t, int step, float lr)
{
	cop_tensor x, label;
	float loss;

	OK(cx, cop_trainer_input(t, 0, &x));
	OK(cx, cop_trainer_input(t, 1, &label));
	for (int k = 0; k < BATCH * width[0]; k++) ((float *)x.data)[k] = (float)sin(0.9 * k + step);
	for (int k = 0; k < BATCH; k++) ((int32_t *)label.data)[k] = (k + step) % 3;
	OK(cx, cop_trainer_step(t, lr, &loss));
	return loss;
}

static float *tensor(const cop_trainer *t, const char *name)
{
	cop_tensor x;

	if (cop__trainer_named(t, name, &x)) fail_msg("no tensor '%s'", name);
	return x.data;
}

static const cop_update *rule_of(const char *spec)
{
	int i = cop__row_index(&cop_updates, spec, strcspn(spec, " "));
	return i < 0 ? NULL : (const cop_update *)(const void *)cop_updates.row(i);
}

/* ---- against PyTorch ---- */

static void reference(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 0; i < LEN(rules); i++) {
		cop_graph *g = waves(cx);
		cop_trainer *t = trainer(cx, g, rules[i].spec);
		int at = 0;
		for (int step = 0; step < RULES_STEPS; step++) one_step(cx, t, step, rules[i].lr);
		OK(cx, cop_trainer_pull(t, g));
		for (int32_t v = 1; v <= g->n_value; v++) {
			if (g->value[v].role != COP_PARAM) continue;
			for (int64_t k = 0; k < cop_type_count(cop__t(g, (cop_vid)v)); k++, at++) {
				float w = cop__floats(g, (cop_vid)v)[k];
				if (!(fabsf(w - rules[i].w[at]) <= 1e-5f)) fail_msg("%s: '%s' %d is %.7g, not %.7g", rules[i].spec, g->value[v].name, (int)k, (double)w, (double)rules[i].w[at]);
			}
		}
		assert_int_equal(at, RULES_NUMBERS);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
	for (int i = 0, k; cop_updates.row(i); i++) {
		for (k = 0; k < LEN(rules) && &rule_of(rules[k].spec)->row != cop_updates.row(i); k++) continue;
		if (k == LEN(rules)) fail_msg("the rule '%s' has no case in make_rules_reference.py", cop_updates.row(i)->name);
	}
	cop_ctx_free(cx);
}

/* ---- numbers that are learnt ---- */

/* The loss of step 4 where the number had been moved by that much more before step 3. */
static double loss_after(cop_ctx *cx, const cop_graph *g, const char *spec, const char *number, float lr, float by, float *slope, float rate)
{
	cop_trainer *t = trainer(cx, g, spec);
	float *v = tensor(t, number), loss = 0, before = 0;

	for (int step = 0; step < 4; step++) {
		before = *v;
		if (step == 2) *v += by;
		loss = one_step(cx, t, step, lr);
	}
	if (slope) *slope = (before - *v) / rate;
	cop_trainer_free(t);
	return (double)loss;
}

/* What the rule above takes for the gradient is the slope of the loss after the step. */
static void slopes(void **state)
{
	static const struct { const char *spec, *number; float lr, rate; } row[] = {
		{"sgd momentum=0 by=(sgd momentum=0 lr=0.01)", "rule.lr", 0.1f, 0.01f},
		{"sgd momentum=0.8 by=(sgd momentum=0 lr=0.01)", "rule.lr", 0.1f, 0.01f},
		{"sgd momentum=0.8 decay=0.1 learn=lr by=(sgd momentum=0 lr=0.01)", "rule.lr", 0.1f, 0.01f},
		{"sgd momentum=0.8 nesterov learn=lr by=(sgd momentum=0 lr=0.01)", "rule.lr", 0.1f, 0.01f},
		{"sgd momentum=0.8 by=(sgd momentum=0 lr=0.01)", "rule.momentum", 0.1f, 0.01f},
		{"sgd momentum=0.8 nesterov by=(sgd momentum=0 lr=0.01)", "rule.momentum", 0.1f, 0.01f},
		{"sgd momentum=0.8 per=weight by=(sgd momentum=0 lr=0.01)", "rule.lr.a.w", 0.1f, 0.01f},
		{"sgd momentum=0.8 per=weight by=(sgd momentum=0 lr=0.01)", "rule.momentum.c.b", 0.1f, 0.01f},
		{"adam by=(sgd momentum=0 lr=0.001)", "rule.lr", 0.05f, 0.001f},
		{"adam by=(sgd momentum=0 lr=0.01)", "rule.b1", 0.05f, 0.01f},
		{"adam b2=0.9 by=(sgd momentum=0 lr=0.01)", "rule.b2", 0.05f, 0.01f},
		{"adamw decay=0.5 by=(sgd momentum=0 lr=0.001)", "rule.lr", 0.05f, 0.001f},
		{"rmsprop by=(sgd momentum=0 lr=0.0001)", "rule.lr", 0.01f, 0.0001f},
		{"rmsprop keep=0.8 by=(sgd momentum=0 lr=0.001)", "rule.keep", 0.01f, 0.001f},
		{"adagrad by=(sgd momentum=0 lr=0.001)", "rule.lr", 0.1f, 0.001f},
		{"sgd momentum=0 by=(sgd momentum=0 lr=0.2 by=(sgd momentum=0 lr=0.1))", "rule.by.lr", 0.1f, 0.1f},
	};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = waves(cx);

	for (int i = 0; i < LEN(row); i++) {
		const float by = 0.01f;
		float slope;
		loss_after(cx, g, row[i].spec, row[i].number, row[i].lr, 0, &slope, row[i].rate);
		double want = (loss_after(cx, g, row[i].spec, row[i].number, row[i].lr, by, NULL, 1) - loss_after(cx, g, row[i].spec, row[i].number, row[i].lr, -by, NULL, 1)) / 0.02;
		if (!(fabs(want - (double)slope) <= 0.01 * fabs(want) + 3e-5)) fail_msg("%s: the slope by %s is %g, not %g", row[i].spec, row[i].number, (double)slope, want);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* The number that a rule above learns at the rate 0 never moves, and the weights are those without it; a rate is never below 0. */
static void bounds(void **state)
{
	static const char *const spec[] = {"sgd momentum=0.8 decay=0.01", "sgd momentum=0.8 nesterov", "adam", "adamw decay=0.01", "rmsprop", "adagrad"};
	(void)state;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < LEN(spec); i++) {
		char text[96];
		cop_graph *g[2] = {waves(cx), waves(cx)};
		for (int k = 0; k < 2; k++) {
			snprintf(text, sizeof text, "%s%s", spec[i], k ? " by=(sgd lr=0)" : "");
			cop_trainer *t = trainer(cx, g[k], text);
			for (int step = 0; step < 6; step++) one_step(cx, t, step, 0.05f);
			if (k) assert_true(*tensor(t, "rule.lr") == 0);
			OK(cx, cop_trainer_pull(t, g[k]));
			cop_trainer_free(t);
		}
		for (int32_t v = 1; v <= g[0]->n_value; v++)
			for (int64_t j = 0; g[0]->value[v].role == COP_PARAM && j < cop_type_count(cop__t(g[0], (cop_vid)v)); j++) {
				float a = cop__floats(g[0], (cop_vid)v)[j], b = cop__floats(g[1], (cop_vid)v)[j];
				if (!(fabsf(a - b) <= 2e-6f)) fail_msg("%s: '%s' is %.7g with by= at the rate 0, %.7g without", spec[i], g[0]->value[v].name, (double)b, (double)a);
			}
		cop_graph_free(g[0]);
		cop_graph_free(g[1]);
	}
	cop_graph *g = waves(cx);
	cop_trainer *t = trainer(cx, g, "sgd momentum=0 by=(sgd momentum=0 lr=0.01)");
	*tensor(t, "rule.lr") = -1; /* far below 0: nothing moves */
	float was = *tensor(t, "a.w");
	one_step(cx, t, 0, 0.1f);
	assert_true(*tensor(t, "a.w") == was && cop__trainer_rate(t) == 0);
	*tensor(t, "rule.lr") = 0.5f;
	assert_true(fabsf(cop__trainer_rate(t) - 0.6f) < 1e-6f);
	cop_trainer_free(t);
	t = trainer(cx, g, "rmsprop by=(sgd momentum=0 lr=0.01)");
	one_step(cx, t, 0, 0.25f);
	*tensor(t, "rule.lr") = 0.5f;
	assert_true(fabsf(cop__trainer_rate(t) - 1) < 1e-6f); /* (0.5 + 0.5)^2 */
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *spec, *says; } row[] = {
		{"lion by=(sgd)", "'lion' has no number that can be learnt"}, {"sgd by=(sgd lr=1", "the parenthesis before 'sgd lr=1' is not closed"},
		{"sgd by=(sdg)", "did you mean 'sgd'"}, {"sgd by=(schedule-free)", "changes what a network is run with"}, {"sgd by=(sgd lr=-1)", "lr must be a number"},
		{"sgd by=(sgd by=(prodigy by=(sgd)))", "'prodigy' has no number"}, {"sgd momentum=0 by=(sgd) learn=momentum", "learn=momentum names none"},
		{"sgd by=(sgd) learn=rate", "learn=rate names none"}, {"sgd by=(sgd) per=layer", "per must be one of network, weight"},
		{"sgd by=(sgd lr=1) lr=1 by=(sgd)", "by is given twice"}, {"sgd by=(sgd beta=1)", "there is no option 'beta'"},
		{"sgd by=(sgd by=(sgd by=(sgd by=(sgd by=(sgd by=(sgd by=(sgd by=(sgd))))))))", "more than 8 rules"}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = waves(cx);

	for (int i = 0; i < LEN(row); i++) {
		cop_trainer *t;
		assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = BATCH, .spec = row[i].spec, .threads = 1}), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].spec, cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- muon: singular values after five steps of Newton and Schulz ---- */

static void singular_values(void **state)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	/* by the polynomial in double precision, of a gradient of the norm 1 */
	static const float from[2][4] = {{0.01f, 0.1f, 0.5f, 0.86017440f}, {1, 0, 0, 0}}, to[2][4] = {{0.6989f, 0.7121f, 0.7654f, 0.9452f}, {0.6964f, 0, 0, 0}};
	const cop_type tx = cop__type(COP_F32, 2, DIMS(4, 4));
	(void)state;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < 2; i++) {
		cop_graph *g;
		cop_trainer *t;
		cop_tensor x, target;
		OK(cx, cop__graph_new(&g, cx, "sum"));
		cop_vid in = cop__input(g, "x", &tx);
		OK(cx, cop__output(g, cop__apply(g, OP_add, &none, VIDS(in, cop__data(g, COP_PARAM, "w", &tx, NULL))), "y"));
		OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = "loss=mse muon ends", .threads = 1}));
		OK(cx, cop_trainer_input(t, 0, &x));
		OK(cx, cop_trainer_input(t, 1, &target));
		memset(x.data, 0, 64);
		memset(target.data, 0, 64);
		for (int k = 0; k < 4; k++) ((float *)target.data)[5 * k] = -8 * from[i][k]; /* the mean of 16 squares */
		OK(cx, cop_trainer_step(t, 1, NULL));
		for (int k = 0; k < 16; k++) {
			float want = k % 5 ? 0 : -to[i][k / 5], w = tensor(t, "w")[k];
			if (!(fabsf(w - want) <= 1e-4f)) fail_msg("matrix %d: number %d is %g, not %g", i, k, (double)w, (double)want);
		}
		cop_trainer_free(t);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- prodigy: the distance never falls; without gradients nothing moves ---- */

static void distance(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = waves(cx);
	cop_trainer *t = trainer(cx, g, "prodigy");
	float d = 0;

	for (int step = 0; step < 60; step++) {
		one_step(cx, t, step % 3, 1);
		assert_true(*tensor(t, "rule.d") >= d);
		d = *tensor(t, "rule.d");
	}
	assert_true(d > 1e-4f);
	cop_trainer_free(t);
	t = trainer(cx, g, "prodigy decay=0 layers=a.*");
	memset(tensor(t, "c.w"), 0, 72); /* what comes of the first layer is not read */
	for (int step = 0; step < 3; step++) one_step(cx, t, step, 1);
	assert_memory_equal(tensor(t, "a.w"), cop__floats(g, cop__find(g, "a.w")), 80);
	assert_true(*tensor(t, "rule.d") == 0);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- what every rule keeps ---- */

static bool same_weights(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v];
		cop_vid w = x->role == COP_PARAM ? cop__find(b, x->name) : 0;
		if (x->role == COP_PARAM && (!w || memcmp(x->data, b->value[w].data, cop_type_bytes(&x->type)))) return false;
	}
	return true;
}

/* Every row of the table, and rows with others above. */
static const char *spec_at(int i)
{
	static const char *const more[] = {"sgd momentum=0.5 by=(sgd momentum=0.5 lr=1e-4)", "adam by=(adam lr=1e-4 by=(sgd lr=1e-6)) per=weight", "rmsprop by=(prodigy lr=0.1)",
		"muon ends", "schedule-free decay=0.01 clip=0.5", "adagrad by=(sgd lr=1e-5)"};
	int n = 0;

	while (cop_updates.row(n)) n++;
	return i < n ? cop_updates.row(i)->name : i < n + LEN(more) ? more[i - n] : NULL;
}

static void threads(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(8);

	for (int i = 0; spec_at(i); i++) {
		cop_graph *g[2] = {NULL, NULL};
		for (int k = 0; k < 2; k++) {
			cop_train_args a = base;
			a.update = spec_at(i), a.lr = 0.01f, a.threads = 1 + 2 * k;
			OK(cx, cop_zoo_build(&g[k], cx, "mlp-784x96x40x10", &(cop_zoo_args){.batch = 1, .seed = 3}));
			OK(cx, cop_train(g[k], &d, NULL, &a));
		}
		if (!same_weights(g[0], g[1])) fail_msg("%s: three threads make other weights", spec_at(i));
		cop_graph_free(g[0]);
		cop_graph_free(g[1]);
	}
	cop_ctx_free(cx);
}

typedef struct stopper { int64_t at; bool now; bool slices; } stopper;

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	stopper *s = ud;
	s->now |= p->step == s->at;
	return *v = s->slices && p->step == 3 ? COP_REBUILD : COP_GO_ON, COP_OK;
}

/* Stopped at some step and gone on with, with a layer that lost units on the way or not: the bits of a run that was not stopped. */
static void resumed(void **state)
{
	static char ckpt[64];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(12);

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-rules-%d.ckpt", (int)getpid());
	for (int i = 0; spec_at(i); i++)
		for (int slices = 0; slices < 2; slices++) {
			cop_graph *g[2] = {net(cx), net(cx)};
			for (int k = 0; k < 2; k++) {
				stopper s = {k ? 4 : -1, false, slices};
				const cop_policy p = {.name = "stopper", .ud = &s, .after = after, .rebuild = slice};
				cop_train_args a = base;
				a.update = spec_at(i), a.lr = 0.01f, a.checkpoint = k ? ckpt : NULL;
				unlink(ckpt);
				cop_ctx_stop(cx, &s.now);
				assert_int_equal(cop__train(g[k], &d, NULL, &a, "train", &p, 1), k ? COP_STOPPED : COP_OK);
				if (!k) continue;
				cop_error_clear(cx);
				cop_graph_free(g[k]);
				g[k] = net(cx);
				s = (stopper){-1, false, slices};
				a.resume = true;
				OK(cx, cop__train(g[k], &d, NULL, &a, "train", &p, 1));
			}
			if (!same_weights(g[0], g[1])) fail_msg("%s%s: resumed, it ends with other bits", spec_at(i), slices ? ", with a change of the network" : "");
			cop_graph_free(g[0]);
			cop_graph_free(g[1]);
		}
	unlink(ckpt);
	cop_ctx_free(cx);
}

/* A training in two parts is one: all that a rule keeps goes on with the network, and is gone when it is taken away. */
static void carried(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(12);

	for (int i = 0; spec_at(i); i++) {
		cop_graph *once = net(cx), *twice = net(cx);
		cop_train_args a = base;
		a.update = spec_at(i), a.lr = 0.01f;
		OK(cx, cop__train(once, &d, NULL, &a, "train", NULL, 0));
		a.epochs = 1;
		for (int k = 0; k < 2; k++) OK(cx, cop__train(twice, &d, NULL, &a, "train", NULL, 0));
		if (!same_weights(once, twice)) fail_msg("%s: one epoch and another are not two", spec_at(i));
		a.update = "sgd momentum=0";
		OK(cx, cop__train(once, &d, NULL, &a, "train", NULL, 0)); /* another rule: what is left is zeros */
		for (int32_t v = 1; v <= once->n_value; v++)
			if (once->value[v].role == COP_STATE && once->value[v].data && strcmp(once->value[v].name, "step")) fail_msg("%s: '%s' is of older weights", spec_at(i), once->value[v].name);
		OK(cx, cop__carry_nothing(once));
		for (int32_t v = 1; v <= once->n_value; v++)
			if (once->value[v].role == COP_STATE) fail_msg("%s: '%s' is still there", spec_at(i), once->value[v].name);
		cop_graph_free(once);
		cop_graph_free(twice);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reference), cmocka_unit_test(slopes), cmocka_unit_test(bounds), cmocka_unit_test(refused), cmocka_unit_test(singular_values),
		cmocka_unit_test(distance), cmocka_unit_test(threads), cmocka_unit_test(resumed), cmocka_unit_test(carried)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
