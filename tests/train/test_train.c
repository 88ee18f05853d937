/* SPDX-License-Identifier: Apache-2.0
 *
 * test_train - a training run is a function of its seed: any number of threads, stopped or killed anywhere and resumed,
 * the parameters are the same bit for bit. And what diverges says where, and leaves finite weights behind.
 */
#include "help.h"
#include "train/policy.h"

#include <sys/wait.h>
#include <unistd.h>

static char ckpt[64];

/* ---- a policy that stops or kills the run after a step ---- */

typedef struct trap {
	cop_dataset *data;
	int64_t first, stop_at, die_at; /* steps; 0: never */
	volatile bool stop;
} trap;

static cop_status after(void *ud, const cop_progress *m, cop_verdict *v)
{
	trap *t = ud;
	(void)v;
	if (!t->first) t->first = m->step;
	if (m->step == t->die_at) _exit(42);
	if (m->step == t->stop_at) t->stop = true;
	return COP_OK;
}

static const cop_train_args base = {.epochs = 3, .batch = 16, .lr = 0.05f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9 decay=5e-4",
	.augment = "shift=1"};

static cop_graph *make(cop_ctx *cx, const char *name)
{
	cop_graph *g;
	cop_zoo_args z = {.batch = 1, .seed = 3, .height = 28, .width = 28, .channels = 1, .classes = 10};

	if (!strncmp(name, "mlp", 3)) z = (cop_zoo_args){.batch = 1, .seed = 3};
	OK(cx, cop_zoo_build(&g, cx, name, &z));
	return g;
}

static cop_status train(cop_graph *g, trap *t, const cop_train_args *a)
{
	const cop_policy p = {.name = "trap", .ud = t, .after = after};
	cop_ctx_stop(g->cx, &t->stop);
	return cop__train(g, t->data, NULL, a, "train", &p, 1);
}

static void same_weights(const cop_graph *a, const cop_graph *b, const char *what)
{
	assert_int_equal(a->n_value, b->n_value);
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v], *y = &b->value[v];
		if (x->role < COP_CONST) continue;
		assert_true(x->data && y->data);
		if (memcmp(x->data, y->data, cop_type_bytes(&x->type))) fail_msg("%s: '%s' has other bits", what, x->name);
	}
}

static void all_finite(const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role < COP_CONST || x->type.dtype != COP_F32) continue;
		for (int64_t i = 0; i < cop_type_count(&x->type); i++)
			if (!isfinite(((const float *)x->data)[i])) fail_msg("'%s' is not finite", x->name);
	}
}

static cop_dataset *digits(cop_ctx *cx, int32_t n)
{
	cop_dataset *d;
	OK(cx, cop_data_open(&d, cx, "synth-digits", "train", n));
	return d;
}

/* ---- threads ---- */

static void any_threads(void **state)
{
	static const struct { const char *net; int32_t samples; } nets[] = {{"lenet-5", 160}, {"resnet-8", 64}};

	(void)state;
	for (int n = 0; n < LEN(nets); n++) {
		cop_ctx *cx = new_ctx();
		trap t = {.data = digits(cx, nets[n].samples)};
		cop_graph *one = NULL;
		for (int threads = 1; threads <= 3; threads++) {
			cop_train_args a = base;
			a.threads = threads;
			a.epochs = 1;
			cop_graph *g = make(cx, nets[n].net), *before = make(cx, nets[n].net);
			OK(cx, train(g, &t, &a));
			all_finite(g);
			if (one) same_weights(one, g, nets[n].net);
			else assert_memory_not_equal(cop__v(g, cop__find(g, "conv1.w"))->data, cop__v(before, cop__find(before, "conv1.w"))->data, 64);
			cop_graph_free(before);
			if (one) cop_graph_free(g);
			else one = g;
		}
		cop_graph_free(one);
		cop_data_free(t.data);
		cop_ctx_free(cx);
	}
}

/* ---- stopping ---- */

static const char *const stopped_nets[] = {"mlp-784x12x10", "lenet-5"};

static void stop_and_resume(void **state)
{
	/* at the first step, within an epoch, at its end, at the first step of the next, twice */
	static const int64_t at[][2] = {{1, 0}, {3, 0}, {4, 0}, {5, 0}, {7, 0}, {11, 0}, {2, 6}};

	(void)state;
	for (int n = 0; n < LEN(stopped_nets); n++) {
		cop_ctx *cx = new_ctx();
		cop_train_args a = base;
		trap whole = {.data = digits(cx, 64)};
		cop_graph *g = make(cx, stopped_nets[n]);
		OK(cx, train(g, &whole, &a));
		for (int i = 0; i < LEN(at); i++) {
			cop_graph *h = make(cx, stopped_nets[n]);
			char what[128];
			unlink(ckpt);
			a.checkpoint = ckpt;
			a.resume = false;
			for (int k = 0; k < 2 && at[i][k]; k++) {
				trap t = {.data = whole.data, .stop_at = at[i][k]};
				cop_status st = train(h, &t, &a);
				if (st != COP_STOPPED) fail_msg("stopped after step %d: %s %s", (int)at[i][k], cop_status_text(st), cop_error_text(cx));
				assert_non_null(strstr(cop_error_text(cx), "stopped in epoch"));
				cop_error_clear(cx);
				cop_graph_free(h); /* the checkpoint alone has to do */
				h = make(cx, stopped_nets[n]);
				a.resume = true;
			}
			trap t = {.data = whole.data};
			OK(cx, train(h, &t, &a));
			snprintf(what, sizeof what, "%s stopped after step %d", stopped_nets[n], (int)at[i][0]);
			same_weights(g, h, what);
			cop_graph_free(h);
		}
		cop_graph_free(g);
		cop_data_free(whole.data);
		cop_ctx_free(cx);
	}
	unlink(ckpt);
}

static void die_in_child(cop_ctx *cx, const char *net, cop_dataset *d, int64_t at)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		cop_train_args a = base;
		trap t = {.data = d, .die_at = at};
		a.checkpoint = ckpt;
		(void)train(make(cx, net), &t, &a);
		_exit(1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

/* A killed run goes on from the last epoch's end. */
static void kill_and_resume(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	trap t = {.data = digits(cx, 64)};
	cop_graph *g = make(cx, "lenet-5");
	OK(cx, train(g, &t, &base));
	for (int64_t at = 5; at < 12; at += 4) {
		cop_train_args a = base;
		unlink(ckpt);
		die_in_child(cx, "lenet-5", t.data, at);
		a.checkpoint = ckpt;
		a.resume = true;
		trap again = {.data = t.data};
		cop_graph *h = make(cx, "lenet-5");
		OK(cx, train(h, &again, &a));
		assert_int_equal(again.first, at / 4 * 4 + 1); /* it did not begin anew */
		same_weights(g, h, "lenet-5 killed");
		cop_graph_free(h);
	}
	unlink(ckpt);
	cop_graph_free(g);
	cop_data_free(t.data);
	cop_ctx_free(cx);
}

static void other_seed_refused(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	trap t = {.data = digits(cx, 32)};
	cop_graph *g = make(cx, "mlp-784x10");
	cop_train_args a = base;
	a.checkpoint = ckpt;
	OK(cx, train(g, &t, &a));
	a.resume = true;
	a.seed = 6;
	assert_int_equal(train(g, &t, &a), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "seed 5"));
	unlink(ckpt);
	cop_graph_free(g);
	cop_data_free(t.data);
	cop_ctx_free(cx);
}

/* ---- divergence ---- */

static void diverges(void **state)
{
	static const char *const nets[] = {"mlp-784x12x10", "lenet-5"};

	(void)state;
	for (int n = 0; n < LEN(nets); n++) {
		cop_ctx *cx = new_ctx();
		trap t = {.data = digits(cx, 64)};
		cop_graph *g = make(cx, nets[n]), *before = make(cx, nets[n]);
		cop_train_args a = base;
		a.lr = 1e30f;
		assert_int_equal(train(g, &t, &a), COP_DIVERGED);
		if (!strstr(cop_error_text(cx), "epoch 1, step ") || !strstr(cop_error_text(cx), "1e+30")) fail_msg("%s", cop_error_text(cx));
		all_finite(g);
		same_weights(before, g, "the epoch's start");
		cop_graph_free(before);
		cop_graph_free(g);
		cop_data_free(t.data);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_threads), cmocka_unit_test(stop_and_resume), cmocka_unit_test(kill_and_resume),
		cmocka_unit_test(other_seed_refused), cmocka_unit_test(diverges)};

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-train-%d.ckpt", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
