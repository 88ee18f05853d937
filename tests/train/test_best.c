/* SPDX-License-Identifier: Apache-2.0
 *
 * test_best - which epoch is the best, when a training stops early, and that both are the same when it is stopped or killed and resumed.
 */
#include "help.h"
#include "train/policy.h"

#include <sys/wait.h>
#include <unistd.h>

static char ckpt[64];

/* ---- a set whose validation accuracy is known ----
 *
 * Two outputs for one number x: their difference is d x + c, class 0 where it is above 0. All training samples are x = 1 of class 0, so that
 * with a step an epoch d and c grow by the same: after epoch k they are g and g - 1 with
 *     g' = g + 2 lr (1 - sigmoid(2 g - 1)),   g = 0 at first,
 * and x is of class 0 once g > 1 / (1 + x). With lr 0.2 that gives g = 0.2924, 0.5334, 0.7267, 0.8821, 1.0092, 1.1153, 1.2058, 1.2842,
 * 1.3531, 1.4146, 1.4699, 1.5202 (computed apart, in Python). Of the samples below 0.5, 0.8 and 1 have to be passed; 1.4286 and 2 must not. */
typedef struct point { float x; int32_t label; } point;
static const point train_points[4] = {{1, 0}, {1, 0}, {1, 0}, {1, 0}};
static const point valid_points[5] = {{1, 0}, {0.25f, 0}, {0, 0}, {-0.3f, 1}, {-0.5f, 1}};
static const int right[12] = {2, 3, 3, 4, 5, 5, 5, 5, 5, 5, 4, 4}; /* of 5, after each epoch */
static const double g_of[13] = {0, 0.292423, 0.533353, 0.726685, 0.882109, 1.009201, 1.115337, 1.205762, 1.284160, 1.353142, 1.414601, 1.469934, 1.520199};

static cop_status get_point(void *ud, int32_t i, float *x, int32_t *label)
{
	const point *p = ud;

	*x = p[i].x;
	*label = p[i].label;
	return COP_OK;
}

static cop_dataset points(const point *p, int32_t n)
{
	return (cop_dataset){.name = "points", .x = cop__type(COP_F32, 1, DIMS(1)), .count = n, .classes = 2, .get = get_point, .ud = (void *)(uintptr_t)p};
}

static float *own(cop_graph *g, const char *name)
{
	cop_vid v = cop__find(g, name);
	assert_true(v);
	return cop__own(g, v);
}

static cop_graph *line_network(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop_zoo_build(&g, cx, "mlp-1x2", &(cop_zoo_args){.batch = 1, .seed = 1}));
	float *w = own(g, "fc1.w"), *b = own(g, "fc1.b");
	w[0] = w[1] = b[0] = 0;
	b[1] = 1;
	return g;
}

typedef struct told { cop_epoch e[40]; int n; } told;

static void hear(void *ud, const cop_epoch *e)
{
	told *t = ud;

	if (e->done < 1) return;
	assert_in_range(e->epoch, 1, 40);
	if (e->epoch == 1) t->n = 0; /* from the start again */
	t->e[t->n++] = *e;
}

static void known_accuracy(void **state)
{
	static const struct { const char *policies; cop_keep keep; int32_t done, kept; } row[] = {
		{NULL, COP_KEEP_LAST, 12, 12}, {NULL, COP_KEEP_BEST, 12, 5},
		{"early:patience=1", COP_KEEP_BEST, 3, 2}, /* epoch 3 is as good as 2, which is not better */
		{"early:patience=2", COP_KEEP_BEST, 7, 5}, {"early:patience=2", COP_KEEP_LAST, 7, 7}, {"early:patience=7", COP_KEEP_BEST, 12, 5}, {"early:patience=12", COP_KEEP_BEST, 12, 5},
	};
	cop_dataset train = points(train_points, 4), valid = points(valid_points, 5);

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		told t = {.n = 0};
		cop_graph *g = line_network(cx);
		OK(cx, cop_train(g, &train, &valid, &(cop_train_args){.epochs = 12, .batch = 4, .threads = 1, .lr = 0.2f, .update = "sgd momentum=0", .schedule = "constant", .seed = 1,
			.progress = hear, .ud = &t, .policies = row[i].policies, .keep = row[i].keep}));
		assert_int_equal(t.n, row[i].done);
		for (int k = 0; k < t.n; k++) {
			assert_float_equal(t.e[k].accuracy, right[k] / 5.0, 1e-6);
			assert_int_equal(t.e[k].best, k < 1 ? 1 : k < 3 ? 2 : k < 4 ? 4 : 5);
			assert_true(t.e[k].mse == -1);
		}
		const float *w = own(g, "fc1.w"), *b = own(g, "fc1.b");
		assert_float_equal(w[0] - w[1], g_of[row[i].kept], 2e-6);
		assert_float_equal(b[0] - b[1], g_of[row[i].kept] - 1, 2e-6);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* ---- a regression: the lowest error ---- */

static cop_status get_number(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	*x = (float)i / 8;
	*label = 0;
	return COP_OK;
}

/* The training asks for a steeper line than the validation set: on its way there it passes the other. */
static cop_status target_of(void *ud, int32_t i, float *y)
{
	const float *slope = ud;

	*y = *slope * ((float)i / 8 - 15.0f / 16);
	return COP_OK;
}

static void lowest_error(void **state)
{
	static float slope[2] = {1, 0.55f};
	cop_dataset set[2];

	(void)state;
	for (int i = 0; i < 2; i++) set[i] = (cop_dataset){.name = "slope", .x = cop__type(COP_F32, 1, DIMS(1)), .count = 16, .targets = 1, .get = get_number, .target = target_of, .ud = &slope[i]};
	cop_ctx *cx = new_ctx();
	cop_train_args a = {.epochs = 30, .batch = 8, .threads = 1, .lr = 0.1f, .update = "sgd momentum=0", .schedule = "constant", .seed = 1, .progress = hear, .keep = COP_KEEP_BEST};
	told t = {.n = 0}, fewer = {.n = 0};
	cop_graph *g, *h;

	for (int i = 0; i < 2; i++) OK(cx, cop_zoo_build(i ? &h : &g, cx, "mlp-1x1", &(cop_zoo_args){.batch = 1, .seed = 4}));
	own(g, "fc1.w")[0] = own(h, "fc1.w")[0] = own(g, "fc1.b")[0] = own(h, "fc1.b")[0] = 0;
	a.ud = &t;
	OK(cx, cop_train(g, &set[0], &set[1], &a));
	int best = 0;
	for (int k = 1; k < 30; k++)
		if (t.e[k].mse < t.e[best].mse) best = k;
	assert_in_range(best, 1, 28); /* it falls and rises */
	assert_true(t.e[0].mse > t.e[best].mse && t.e[29].mse > t.e[best].mse);
	assert_int_equal(t.e[29].best, best + 1);
	assert_true(t.e[0].accuracy == -1);
	cop_score s;
	OK(cx, cop_eval(&s, g, &set[1], 16, 1));
	assert_float_equal(s.mse, t.e[best].mse, 1e-7);

	int stop = 0; /* the first epoch that is the third without a better one */
	for (int k = 1, low = 0; k < 30 && !stop; k++) {
		if (t.e[k].mse < t.e[low].mse) low = k;
		else if (k - low == 3) stop = k + 1;
	}
	assert_in_range(stop, 5, 29);
	a.policies = "early:patience=3";
	a.ud = &fewer;
	own(h, "fc1.w")[0] = own(h, "fc1.b")[0] = 0;
	OK(cx, cop_train(h, &set[0], &set[1], &a));
	assert_int_equal(fewer.n, stop);
	a.policies = NULL;
	cop_graph_free(h);
	OK(cx, cop_zoo_build(&h, cx, "mlp-1x1", &(cop_zoo_args){.batch = 1, .seed = 4}));
	own(h, "fc1.w")[0] = own(h, "fc1.b")[0] = 0;

	a.epochs = best + 1; /* a run that ends there: at a constant rate it is the beginning of the other */
	a.keep = COP_KEEP_LAST;
	a.ud = &fewer;
	OK(cx, cop_train(h, &set[0], &set[1], &a));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "fc1.b" : "fc1.w";
		assert_memory_equal(own(g, name), own(h, name), 4);
	}
	cop_graph_free(h);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- stopped and killed ---- */

typedef struct trap { int64_t first, stop_at, die_at; volatile bool stop; } trap; /* steps; 0: never */

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	trap *t = ud;

	(void)v;
	if (!t->first) t->first = p->step;
	if (p->step == t->die_at) _exit(42);
	if (p->step == t->stop_at) t->stop = true;
	return COP_OK;
}

typedef struct digits { cop_ctx *cx; cop_dataset *train, *valid; } digits;

/* 4 steps an epoch. */
static cop_status run(const digits *d, trap *t, cop_graph *g, const cop_train_args *a)
{
	const cop_policy p = {.name = "trap", .ud = t, .after = after};

	cop_ctx_stop(d->cx, &t->stop);
	return cop__train(g, d->train, d->valid, a, "train", &p, 1);
}

static cop_graph *small(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-784x12x10", &(cop_zoo_args){.batch = 1, .seed = 3}));
	return g;
}

static digits open_digits(void)
{
	digits d = {.cx = new_ctx()};

	OK(d.cx, cop_data_open(&d.train, d.cx, "synth-digits", "train", 64));
	OK(d.cx, cop_data_open(&d.valid, d.cx, "synth-digits", "valid", 40));
	return d;
}

static void close_digits(digits *d)
{
	cop_data_free(d->valid);
	cop_data_free(d->train);
	cop_ctx_free(d->cx);
}

static const cop_train_args base = {.epochs = 9, .batch = 16, .lr = 0.2f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9", .schedule = "constant", .policies = "early:patience=2", .keep = COP_KEEP_BEST, .progress = hear};

static void same_weights(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++)
		if (a->value[v].role >= COP_CONST && memcmp(a->value[v].data, b->value[v].data, cop_type_bytes(&a->value[v].type))) fail_msg("'%s' has other bits", a->value[v].name);
}

/* All that is told of epochs but their seconds, which only grow. */
static void same_epochs(const told *a, const told *b)
{
	assert_int_equal(a->n, b->n);
	for (int i = 0; i < a->n; i++) {
		const cop_epoch *x = &a->e[i], *y = &b->e[i];
		assert_true(x->epoch == y->epoch && x->loss == y->loss && x->accuracy == y->accuracy && x->mse == y->mse && x->lr == y->lr && x->best == y->best && x->done == y->done);
		assert_true(y->seconds > 0 && (!i || y->seconds >= y[-1].seconds));
	}
}

static void stopped_and_resumed(void **state)
{
	digits d = open_digits();
	told whole = {.n = 0}, t = {.n = 0};
	cop_train_args a = base;
	trap none = {0};
	cop_graph *g = small(d.cx);

	(void)state;
	a.ud = &whole;
	OK(d.cx, run(&d, &none, g, &a));
	assert_in_range(whole.n, 4, 8); /* it stopped early, and not at once */
	assert_true(whole.e[whole.n - 1].best == whole.n - 2);
	a.ud = &t;
	a.checkpoint = ckpt;
	for (int64_t at = 1; at <= 4 * whole.n; at += 3) {
		trap stop = {.stop_at = at}, go = {0};
		cop_graph *h = small(d.cx);
		unlink(ckpt);
		a.resume = false;
		cop_status st = run(&d, &stop, h, &a);
		if (at < 4 * whole.n) assert_int_equal(st, COP_STOPPED);
		cop_graph_free(h);
		cop_error_clear(d.cx);
		a.resume = true;
		t.n = 0;
		OK(d.cx, run(&d, &go, h = small(d.cx), &a));
		same_weights(g, h);
		same_epochs(&whole, &t);
		cop_graph_free(h);
		OK(d.cx, run(&d, &go, h = small(d.cx), &a)); /* done: it says the same again */
		same_weights(g, h);
		same_epochs(&whole, &t);
		OK(d.cx, run(&d, &go, h, &a)); /* and knows its result in place of its input */
		same_weights(g, h);
		cop_graph_free(h);
	}
	unlink(ckpt);
	cop_graph_free(g);
	close_digits(&d);
}

static void die_in_child(const digits *d, const cop_train_args *a, int64_t at)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		trap t = {.die_at = at};
		(void)run(d, &t, small(d->cx), a);
		_exit(1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

/* Killed within an epoch a run goes on from the checkpoint that was written last: by the end of an epoch, or by time. */
static void checkpoints_by_time(void **state)
{
	static const struct { float every; int64_t die_at, first; } row[] = {{0, 7, 5}, {600, 7, 5}, {1e-9f, 7, 7}, {1e-9f, 2, 2}, {1e-9f, 5, 5}, {1e-9f, 8, 8}};
	digits d = open_digits();
	cop_train_args a = base;
	told whole = {.n = 0}, t = {.n = 0};
	trap none = {0};
	cop_graph *g = small(d.cx);

	(void)state;
	a.ud = &whole;
	OK(d.cx, run(&d, &none, g, &a));
	a.ud = &t;
	a.checkpoint = ckpt;
	for (int i = 0; i < LEN(row); i++) {
		trap again = {0};
		cop_graph *h = small(d.cx);
		unlink(ckpt);
		a.checkpoint_every = row[i].every;
		a.resume = false;
		die_in_child(&d, &a, row[i].die_at);
		a.resume = true;
		t.n = 0;
		OK(d.cx, run(&d, &again, h, &a));
		assert_int_equal(again.first, row[i].first);
		same_weights(g, h);
		same_epochs(&whole, &t);
		cop_graph_free(h);
	}
	unlink(ckpt);
	cop_graph_free(g);
	close_digits(&d);
}

/* ---- what makes no sense ---- */

static void refused(void **state)
{
	static const struct { const char *policies; bool valid; const char *says; } row[] = {
		{NULL, false, "the best epoch needs a validation set"}, {"ema", true, "policy 'ema' makes the result from all epochs"}, {"lookahead; ema", true, "policy 'ema'"}};
	cop_dataset valid = points(valid_points, 5);
	cop_dataset train = points(train_points, 4);
	cop_ctx *cx = new_ctx();
	cop_graph *g = line_network(cx);

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_train(g, &train, row[i].valid ? &valid : NULL, &(cop_train_args){.epochs = 2, .batch = 4, .lr = 0.1f, .policies = row[i].policies, .keep = COP_KEEP_BEST}), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), row[i].says));
		cop_error_clear(cx);
		assert_true(own(g, "fc1.b")[1] == 1);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* The checkpoint of a run that keeps another epoch, or compares by another set, is another run's. */
static void other_runs(void **state)
{
	static const struct { const char *policies; cop_keep keep; bool other_set; const char *says; } row[] = {
		{NULL, COP_KEEP_BEST, false, "made with policies early:patience=2, this run has none"}, {"early:patience=3", COP_KEEP_BEST, false, "this run has early:patience=3"},
		{"early:patience=2", COP_KEEP_LAST, false, "made with kept epoch the best"}, {"early:patience=2", COP_KEEP_BEST, true, "made with validation data"}};
	digits d = open_digits();
	cop_train_args a = base;
	trap stop = {.stop_at = 6}, go = {0};
	told t = {.n = 0};
	cop_graph *g = small(d.cx);
	cop_dataset *valid = d.valid;

	(void)state;
	unlink(ckpt);
	a.ud = &t;
	a.checkpoint = ckpt;
	assert_int_equal(run(&d, &stop, g, &a), COP_STOPPED);
	cop_error_clear(d.cx);
	a.resume = true;
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *h = small(d.cx);
		a.policies = row[i].policies;
		a.keep = row[i].keep;
		d.valid = row[i].other_set ? d.train : valid;
		assert_int_equal(run(&d, &go, h, &a), COP_ARG);
		if (!strstr(cop_error_text(d.cx), row[i].says)) fail_msg("%s", cop_error_text(d.cx));
		cop_error_clear(d.cx);
		cop_graph_free(h);
	}
	d.valid = valid;
	unlink(ckpt);
	cop_graph_free(g);
	close_digits(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known_accuracy), cmocka_unit_test(lowest_error), cmocka_unit_test(stopped_and_resumed), cmocka_unit_test(checkpoints_by_time),
		cmocka_unit_test(refused), cmocka_unit_test(other_runs)};

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-best-%d.ckpt", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
