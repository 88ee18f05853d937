/* SPDX-License-Identifier: Apache-2.0
 *
 * What acts over a whole training: policies by name, a structure that changes on the way, what the rule of updates keeps from one training to the
 * next; and what is refused. test_distill.c has teachers.
 */
#include "help.h"
#include "train/alike.h"
#include "pass/pass.h"
#include "train/policy/drr.h"

#include <unistd.h>

/* ---- from one training to the next ---- */

static void carried(void **state)
{
	static const char *const rule[] = {"sgd momentum=0.9", "adam", "rmsprop", "lion"};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	for (int i = 0; i < LEN(rule); i++) {
		cop_graph *once = net(cx), *twice = net(cx), *anew = net(cx);
		cop_train_args a = base, half = base;
		a.update = half.update = rule[i];
		a.lr = half.lr = 0.01f;
		half.epochs = 1;
		OK(cx, cop__train(once, &d, NULL, &a, "train", NULL, 0));
		for (int k = 0; k < 2; k++) {
			OK(cx, cop__train(twice, &d, NULL, &half, "train", NULL, 0));
			OK(cx, cop__train(anew, &d, NULL, &half, "train", NULL, 0));
			OK(cx, cop__carry_nothing(anew));
			for (int32_t v = 1; v <= anew->n_value; v++)
				if (anew->value[v].role == COP_STATE) fail_msg("%s: '%s' is still there", rule[i], anew->value[v].name);
		}
		if (!same(once, twice)) fail_msg("%s: one epoch and another are not two", rule[i]);
		if (same(once, anew)) fail_msg("%s: what it keeps changes nothing", rule[i]);
		cop_graph_free(once);
		cop_graph_free(twice);
		cop_graph_free(anew);
	}
	cop_ctx_free(cx);
}

/* Another rule begins with nothing, and the first one, when it comes back, too. */
static void other_rule(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *g = net(cx);
	cop_train_args a = base;

	OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
	assert_non_null(cop__floats(g, cop__find(g, "fc1.w.momentum")));
	a.update = "lion";
	OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
	assert_non_null(cop__floats(g, cop__find(g, "fc1.w.lion.m")));
	assert_null(cop__floats(g, cop__find(g, "fc1.w.momentum")));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void sliced(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *g = net(cx);
	float before[12 * 784];
	int at = 0;

	OK(cx, cop__train(g, &d, NULL, &base, "train", NULL, 0));
	memcpy(before, cop__floats(g, cop__find(g, "fc1.w.momentum")), sizeof before);
	OK(cx, slice(NULL, NULL, g));
	const float *after = cop__floats(g, cop__find(g, "fc1.w.momentum"));
	assert_int_equal(cop__t(g, cop__find(g, "fc1.w.momentum"))->dim[0], 9);
	for (int i = 0; i < 12; i++)
		if (sliced_units[i]) assert_memory_equal(after + 784 * at++, before + 784 * i, 784 * 4);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- a structure that changes on the way ---- */

typedef struct change { int64_t at_step; int32_t at_epoch; volatile bool stop, stop_after; } change;

static cop_status change_after(void *ud, const cop_progress *p, cop_verdict *v)
{
	change *c = ud;
	if (p->step == c->at_step) *v = COP_REBUILD;
	if (c->stop_after && p->step == 6) c->stop = true;
	return COP_OK;
}

static cop_status change_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	if (p->epoch == ((change *)ud)->at_epoch) *v = COP_REBUILD;
	return COP_OK;
}

/* One training that changes at the end of its first epoch, or in the middle of it, and two trainings with the change between them. */
static void rebuilt(void **state)
{
	char ckpt[64];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_train_args half = base;
	half.epochs = 1;
	cop_graph *by_hand = net(cx);
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-policies-%d.ckpt", (int)getpid());
	OK(cx, cop__train(by_hand, &d, NULL, &half, "train", NULL, 0));
	OK(cx, slice(NULL, NULL, by_hand));
	OK(cx, cop__train(by_hand, &d, NULL, &half, "train", NULL, 0));
	for (int i = 0; i < 3; i++) { /* at the end of an epoch; after its last step; stopped behind it and gone on with */
		change c = {.at_step = i == 1 ? 4 : -1, .at_epoch = i == 1 ? -1 : 0, .stop_after = i == 2};
		const cop_policy p = {.name = "change", .ud = &c, .after = change_after, .epoch = change_epoch, .rebuild = slice};
		cop_train_args a = base;
		cop_graph *g = net(cx);
		cop_ctx_stop(cx, &c.stop);
		if (i == 2) a.checkpoint = ckpt;
		cop_status st = cop__train(g, &d, NULL, &a, "train", &p, 1);
		if (i == 2) {
			assert_int_equal(st, COP_STOPPED);
			cop_error_clear(cx);
			cop_graph_free(g);
			g = net(cx);
			c = (change){.at_step = -1, .at_epoch = 0};
			a.resume = true;
			OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
		} else {
			OK(cx, st);
		}
		assert_int_equal(cop__t(g, cop__find(g, "fc1.w"))->dim[0], 9);
		if (!same(by_hand, g)) fail_msg("case %d: other bits", i);
		cop_graph_free(g);
	}
	unlink(ckpt);
	cop_graph_free(by_hand);
	cop_ctx_free(cx);
}

/* What other policies keep goes on behind a change: stopped there and gone on with, a run has the bits of one that was not. */
static void rebuilt_beside(void **state)
{
	static const char *const text[] = {"ema:decay=0.9", "lookahead:steps=3", "distill:part=0.5"};
	char ckpt[64];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-policies-%d.ckpt", (int)getpid());
	for (int i = 0; i < LEN(text); i++) {
		cop_graph *g[2] = {net(cx), net(cx)};
		for (int k = 0; k < 2; k++) {
			change c = {.at_step = -1, .at_epoch = 0, .stop_after = k == 1};
			const cop_policy p = {.name = "change", .ud = &c, .after = change_after, .epoch = change_epoch, .rebuild = slice};
			cop_train_args a = base;
			a.policies = text[i], a.epochs = 3, a.checkpoint = k ? ckpt : NULL;
			unlink(ckpt);
			cop_ctx_stop(cx, &c.stop);
			cop_status st = cop__train(g[k], &d, NULL, &a, "train", &p, 1);
			assert_int_equal(st, k ? COP_STOPPED : COP_OK);
			if (!k) continue;
			cop_error_clear(cx);
			cop_graph_free(g[k]);
			g[k] = net(cx);
			c = (change){.at_step = -1, .at_epoch = 0};
			a.resume = true;
			OK(cx, cop__train(g[k], &d, NULL, &a, "train", &p, 1));
		}
		if (!same(g[0], g[1])) fail_msg("%s: other bits", text[i]);
		cop_graph_free(g[0]);
		cop_graph_free(g[1]);
	}
	unlink(ckpt);
	cop_ctx_free(cx);
}

/* ---- policies by name: a spy beside them sees each step ---- */

enum { SEEN = 12 * 784 };
typedef struct spy { float mean[SEEN], fast[SEEN], slow[SEEN]; const char *name; int64_t steps; int32_t epochs; volatile bool stop; int32_t stop_at; } spy;

static float *weights(const cop_progress *p)
{
	static float nothing[SEEN]; /* it is frozen, and no part of the training graph */
	cop_tensor t;

	if (!cop__find(cop__trainer_graph(p->t), "fc1.w")) return nothing;
	if (cop__trainer_named(p->t, "fc1.w", &t)) fail();
	return t.data;
}

static cop_status spy_before(void *ud, const cop_progress *p)
{
	spy *s = ud;
	const float *w = weights(p);

	if (!p->step) memcpy(s->mean, w, sizeof s->mean), memcpy(s->slow, w, sizeof s->slow);
	if (strcmp(s->name, "lookahead") || !p->step || p->step % 3) return COP_OK;
	for (int i = 0; i < SEEN; i++) { /* every third step the weights are half of the way */
		float want = s->slow[i] + 0.5f * (s->fast[i] - s->slow[i]);
		if (fabsf(w[i] - want) > 1e-6f) fail_msg("lookahead, step %d: weight %d is %g, not %g", (int)p->step, i, (double)w[i], (double)want);
	}
	memcpy(s->slow, w, sizeof s->slow);
	return COP_OK;
}

static cop_status spy_after(void *ud, const cop_progress *p, cop_verdict *v)
{
	spy *s = ud;
	const float *w = weights(p), keep_part = fminf(0.7f, (float)(1 + p->step) / (float)(10 + p->step));

	(void)v;
	s->steps++;
	memcpy(s->fast, w, sizeof s->fast);
	for (int i = 0; i < SEEN; i++) s->mean[i] = keep_part * s->mean[i] + (1 - keep_part) * w[i];
	return COP_OK;
}

static cop_status spy_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	spy *s = ud;
	(void)p, (void)v;
	if (++s->epochs == s->stop_at) s->stop = true;
	return COP_OK;
}

static cop_policy spying(spy *s) { return (cop_policy){.name = "spy", .ud = s, .before = spy_before, .after = spy_after, .epoch = spy_epoch}; }

static void check_ema(const spy *s, const cop_graph *g)
{
	const float *w = cop__floats(g, cop__find(g, "fc1.w"));
	for (int i = 0; i < SEEN; i++)
		if (fabsf(w[i] - s->mean[i]) > 1e-5f) fail_msg("ema: weight %d is %g, not %g", i, (double)w[i], (double)s->mean[i]);
	assert_true(memcmp(w, s->fast, sizeof s->fast)); /* and not the last one */
}

static void by_name(void **state)
{
	static const struct { const char *name, *text; float lr; int32_t epochs, ends; } row[] = {
		{"ema", "ema:decay=0.7", 0.05f, 3, 3}, {"lookahead", "lookahead:steps=3,part=0.5", 0.05f, 3, 3}, {"early", "early:patience=2", 0, 9, 3}, {"early", "early patience=4", 0, 9, 5},
		{"l1", "l1:strength=0.01", 0.05f, 3, 3}, {"lasso", "lasso:coupled=0.01", 0.05f, 3, 3}, {"grow", "grow:every=3", 0.05f, 3, 3},
		{"drr", "drr:alpha=0.001,over=0.5", 0.05f, 4, 4}, {"distill", "distill:part=0.5", 0.05f, 3, 3}, {"hint", "hint:by=fitnet", 0.05f, 3, 3},
		{"infobatch", "infobatch:part=0", 0.05f, 3, 3}, {"skip-batches", "skip-batches:part=0", 0.05f, 3, 3}, {"prefix", "prefix:tol=0", 0.05f, 3, 3},
		{"neq", "neq:eps=0", 0.05f, 3, 3}, {"select", "select:budget=60%", 0.05f, 3, 3}}; /* more of infobatch and skip-batches: test_fewer.c */
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	spy *s = malloc(sizeof *s);

	for (int i = 0; cop_policies.row(i); i++) {
		int cases = 0;
		for (int k = 0; k < LEN(row); k++) cases += !strcmp(row[k].name, cop_policies.row(i)->name);
		if (!cases && strcmp(cop_policies.row(i)->name, "slimming") && strcmp(cop_policies.row(i)->name, "whiten") && strcmp(cop_policies.row(i)->name, "gates")) fail_msg("the policy '%s' has no case here", cop_policies.row(i)->name); /* slimming needs batch norm: test_shrink.c; whiten a convolution: test_airbench.c; gates residual blocks: test_gates.c */
	}
	for (int i = 0; i < LEN(row); i++) {
		cop_train_args a = base;
		cop_graph *g = net(cx);
		*s = (spy){.name = row[i].name};
		const cop_policy p = spying(s);
		a.epochs = row[i].epochs;
		a.lr = row[i].lr;
		a.policies = row[i].text;
		OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
		if (s->epochs != row[i].ends || s->steps != 4 * row[i].ends) fail_msg("%s: %d epochs, %d steps", row[i].text, (int)s->epochs, (int)s->steps);
		if (!strcmp(row[i].name, "ema")) check_ema(s, g);
		cop_graph_free(g);
	}
	free(s);
	cop_ctx_free(cx);
}

/* The penalty grows over the first half of its time, and is gone after it; while it is there, it alone pulls weights that no sample needs to zero. */
static void penalty(void **state)
{
	const cop_drr_options o = {.alpha = 8, .over = 0.5f};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	static const float want[] = {0, 4, 8, 8, 8, 0, 0};
	static const int at[] = {0, 125, 250, 400, 499, 500, 999};
	for (int i = 0; i < LEN(at); i++) assert_true(fabsf(cop__drr_alpha(&o, at[i], 1000) - want[i]) < 0.01f);
	cop_graph *with = net(cx), *without = net(cx);
	cop_train_args a = base;
	a.lr = 0.01f;
	a.epochs = 8;
	OK(cx, cop__train(without, &d, NULL, &a, "train", NULL, 0));
	a.policies = "drr:alpha=0.05,beta=30,over=1";
	OK(cx, cop__train(with, &d, NULL, &a, "train", NULL, 0));
	double sum[2] = {0};
	for (int i = 0; i < 784 * 12; i++) sum[0] += fabs((double)cop__floats(with, cop__find(with, "fc1.w"))[i]), sum[1] += fabs((double)cop__floats(without, cop__find(without, "fc1.w"))[i]);
	if (!(sum[0] < 0.9 * sum[1])) fail_msg("the weights sum up to %g, without the penalty to %g", sum[0], sum[1]);
	cop_graph_free(with);
	cop_graph_free(without);
	cop_ctx_free(cx);
}

/* What a policy has seen goes on with the run. */
static void stopped_and_resumed(void **state)
{
	static const char *const text[] = {"early:patience=3", "ema:decay=0.9", "lookahead:steps=3", "lasso:filters=0.1; l1", "grow:every=7,strength=0.01", "drr:alpha=0.001", "distill:part=0.5", "hint:by=fitnet", "prefix:tol=1000,patience=1"};
	char ckpt[64];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	spy *s = malloc(sizeof *s);

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-policies-%d.ckpt", (int)getpid());
	for (int i = 0; i < LEN(text); i++) {
		cop_train_args a = base;
		cop_graph *whole = net(cx), *parts = net(cx);
		*s = (spy){.name = "", .stop_at = 2};
		const cop_policy p = spying(s);
		a.policies = text[i];
		a.lr = i ? 0.05f : 0;
		a.epochs = 9;
		OK(cx, cop__train(whole, &d, NULL, &a, "train", NULL, 0));
		unlink(ckpt);
		a.checkpoint = ckpt;
		cop_ctx_stop(cx, &s->stop);
		assert_int_equal(cop__train(parts, &d, NULL, &a, "train", &p, 1), COP_STOPPED);
		cop_error_clear(cx);
		s->stop = false;
		s->stop_at = 0;
		cop_graph_free(parts);
		parts = net(cx);
		a.resume = true;
		OK(cx, cop__train(parts, &d, NULL, &a, "train", &p, 1));
		assert_int_equal(s->epochs, i ? 9 : 4);
		if (!same(whole, parts)) fail_msg("%s: other bits", text[i]);
		cop_graph_free(whole);
		cop_graph_free(parts);
	}
	unlink(ckpt);
	free(s);
	cop_ctx_free(cx);
}

/* ---- what is refused ---- */

static void refused(void **state)
{
	static const struct { const char *spec, *policies, *says; } row[] = {
		{"update=sdg", NULL, "'sgd'"}, {"momentun=0.9", NULL, "'momentum'"}, {"adam momentum=0.9", NULL, "no option 'momentum'"}, {"sgd b1=0.9", NULL, "no option 'b1'"},
		{"loss=xnt", NULL, "xent"}, {"loss=mse smooth=0.1", NULL, "no option 'smooth'"}, {"sgd update=adam", NULL, "twice"}, {"sgd momentum=2", NULL, "0 to 0.99999"},
		{"layers=none", NULL, "no parameter matches"}, {"rates=fc9.w:0.1;fc8*:2", NULL, "rates=fc9.w names no weight of"}, {NULL, "emma", "'ema'"}, {NULL, "ema:decay=2", "decay"}, {NULL, "early:patience=0", "patience"}, {NULL, "ema:patience=2", "no option"},
		{"sgd loss=mse", NULL, "has one of 10 classes"}, {"sgd loss=distill", NULL, "has one of 10 classes"}, {"sgd loss=dkd", NULL, "distill says whose"},
		{NULL, "distill:by=dkt", "'dkd'"}, {NULL, "distill:by=dist,others=2", "others"}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = net(cx);
		cop_train_args a = base;
		if (row[i].spec) a.update = row[i].spec;
		a.policies = row[i].policies;
		assert_int_equal(cop__train(g, &d, NULL, &a, "train", NULL, 0), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s%s: %s", row[i].spec ? row[i].spec : "", row[i].policies ? row[i].policies : "", cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

static void refused_forms(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx);
	cop_build *b;

	OK(cx, cop__build_new(&b, g, 0, 0));
	assert_int_equal(cop__build_form(b, "fc9.w", cop__form("palette"), NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "'fc9.w' is none"));
	cop_error_clear(cx);
	OK(cx, cop__build_form(b, "fc1.w", cop__form("palette"), NULL));
	assert_int_equal(cop__build_form(b, "fc1.w", cop__form("lowrank"), NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "has the form 'palette' already"));
	cop_error_clear(cx);
	assert_false(cop__build_gradient(b, "fc9.w"));
	cop_error_clear(cx);
	cop__build_free(b);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(carried), cmocka_unit_test(other_rule), cmocka_unit_test(sliced), cmocka_unit_test(rebuilt), cmocka_unit_test(rebuilt_beside), cmocka_unit_test(by_name),
		cmocka_unit_test(penalty), cmocka_unit_test(stopped_and_resumed), cmocka_unit_test(refused), cmocka_unit_test(refused_forms)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
