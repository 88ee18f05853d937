/* SPDX-License-Identifier: Apache-2.0
 *
 * Gates: steps of a small residual network against PyTorch (make_gates_reference.py), in which blocks run and are left out; what is found to be a block; the price, which
 * turns; a run that is stopped and resumed.
 */
#include "help.h"
#include "train/gates_reference.h"
#include "train/policy.h"

#include <unistd.h>

enum { BATCH = 4, WIDTH = 6, BLOCKS = 3 };
static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, COP_NO_HI};

static cop_vid fc(cop_graph *g, cop_vid x, const char *name, int32_t out)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(out, WIDTH));
	return cop__apply(g, OP_fc, &none, VIDS(x, cop__data(g, COP_PARAM, name, &t, NULL)));
}

static cop_graph *blocks(cop_ctx *cx)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(BATCH, WIDTH));
	char name[16];
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "blocks"));
	cop_vid x = cop__apply(g, OP_clip, &relu, VIDS(fc(g, cop__input(g, "x", &t), "in.w", WIDTH)));
	for (int i = 0; i < BLOCKS; i++) {
		snprintf(name, sizeof name, "b%d.w", i);
		cop_vid y = cop__apply(g, OP_tanh, NULL, VIDS(fc(g, x, name, WIDTH)));
		snprintf(name, sizeof name, "b%d.v", i);
		x = cop__apply(g, OP_clip, &relu, VIDS(cop__apply(g, OP_add, &none, VIDS(x, fc(g, y, name, WIDTH)))));
	}
	OK(cx, cop__output(g, fc(g, x, "out.w", 3), "y"));
	return g;
}

static float *tensor(const cop_trainer *t, const char *name, int64_t *n)
{
	cop_tensor x;

	if (cop__trainer_named(t, name, &x)) fail_msg("no tensor '%s'", name);
	if (n) *n = cop_type_count(&x.type);
	return x.data;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* What is trained, in the order of names. */
static void set_weights(const cop_trainer *t)
{
	const cop_graph *g = cop__trainer_graph(t);
	const char *name[64];
	int n = 0;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role == COP_PARAM) name[n++] = g->value[v].name;
	assert_int_equal(n, 2 * BLOCKS + 2 + 5 + 4);
	qsort(name, (size_t)n, sizeof *name, by_name);
	for (int i = 0; i < n; i++) {
		int64_t count;
		float *w = tensor(t, name[i], &count);
		for (int64_t k = 0; k < count; k++) w[k] = (float)(0.4 * sin(1.7 * (double)k + i));
	}
}

static void steps(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = blocks(cx);
	cop_arena mem;
	cop_policy p;
	cop_build *b;
	cop_trainer *t;
	int n;

	(void)state;
	cop__arena_init(&mem, cx);
	OK(cx, cop__policies_read(&p, &n, 1, &mem, "gates:strength=0.7"));
	OK(cx, cop__build_new(&b, g, BATCH, WIDTH));
	OK(cx, cop__build_spec(b, "sgd momentum=0"));
	OK(cx, p.build(p.ud, b));
	OK(cx, cop__trainer_new(&t, b, 1, false));
	set_weights(t);
	for (int s = 0; s < LEN(gates_steps); s++) {
		cop_tensor x, label;
		float loss, was[WIDTH * WIDTH];
		char name[32];
		OK(cx, cop_trainer_input(t, 0, &x));
		OK(cx, cop_trainer_input(t, 1, &label));
		for (int k = 0; k < BATCH * WIDTH; k++) ((float *)x.data)[k] = (float)sin(0.9 * k + s);
		for (int k = 0; k < BATCH; k++) ((int32_t *)label.data)[k] = (k + s) % 3;
		*tensor(t, "gates.draw0", NULL) = gates_steps[s].draw[0], *tensor(t, "gates.draw1", NULL) = gates_steps[s].draw[1];
		*tensor(t, "gates.sign0", NULL) = gates_steps[s].sign;
		memcpy(was, tensor(t, "b1.w", NULL), sizeof was);
		OK(cx, cop_trainer_step(t, 0.1f, &loss));
		print_message("step %d: loss %.7f, PyTorch %.7f\n", s, (double)loss, gates_steps[s].loss);
		if (!(fabs((double)loss - gates_steps[s].loss) < 1e-5)) fail_msg("the loss of step %d is %.7g, not %.7g", s, (double)loss, gates_steps[s].loss);
		for (int k = 0; k < 2; k++) {
			snprintf(name, sizeof name, "gates.open%d", k);
			assert_true(*tensor(t, name, NULL) == (float)gates_steps[s].runs[k]);
		}
		assert_int_equal(memcmp(was, tensor(t, "b1.w", NULL), sizeof was) != 0, gates_steps[s].runs[0]); /* what does not run does not learn */
	}
	cop_trainer_free(t);
	cop__arena_free(&mem);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- over a training ---- */

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	*label = i % 3;
	for (int k = 0; k < WIDTH; k++) x[k] = cop__rand_normal(2, (uint32_t)i, (uint64_t)k) + (k == i % 3);
	return COP_OK;
}

typedef struct watch { double open[2]; int n, stop_at; volatile bool stop; } watch;

static cop_status see(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *w = ud;

	(void)v;
	for (int k = 0; k < 2; k++) w->open[k] += (double)*tensor(p->t, k ? "gates.open1" : "gates.open0", NULL);
	w->stop = ++w->n == w->stop_at;
	return COP_OK;
}

static const cop_train_args base = {.epochs = 30, .batch = BATCH, .lr = 0.05f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9", .schedule = "constant"};

static cop_status train(cop_ctx *cx, cop_graph *g, cop_train_args a, watch *w)
{
	cop_dataset d = {.name = "numbers", .x = cop__type(COP_F32, 1, DIMS(WIDTH)), .count = 40, .classes = 3, .get = sample};
	const cop_policy p = {.name = "watch", .ud = w, .after = see};

	(void)cx;
	return cop__train(g, &d, NULL, &a, "train", &p, w ? 1 : 0);
}

static cop_graph *drawn(cop_ctx *cx)
{
	cop_graph *g = blocks(cx);

	for (int32_t v = 1; v <= g->n_value; v++) {
		float *w = g->value[v].role == COP_PARAM ? cop__own(g, (cop_vid)v) : NULL;
		for (int64_t k = 0; w && k < cop_type_count(cop__t(g, (cop_vid)v)); k++) w[k] = cop__rand_normal(9, (uint32_t)v, (uint64_t)k) / 3;
	}
	return g;
}

/* A high price takes the work away, down to `least`; with least=1 there is none. Behind `until`, and so in the last quarter, all blocks run. */
static void prices(void **state)
{
	static const struct { const char *text; double lo, hi; } row[] = {
		{"gates:strength=0,first=0.5,until=1", 0.2, 0.65}, {"gates:strength=30,least=0,first=0.9,until=1", 0, 0.25}, {"gates:strength=30,least=1,first=0.3,until=1", 0.7, 1},
		{"gates:strength=0.3,least=0.6,first=0.9,until=1", 0.4, 0.8}, {"gates:strength=0,learn=no,first=0.5,until=1", 0.4, 0.6}, {"gates:strength=30,least=0,first=0.9", 0.25, 0.35}, {"gates:strength=30,least=0,first=0.9,until=0.5", 0.5, 0.65}};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = drawn(cx);
		cop_train_args a = base;
		watch w = {.stop_at = -1};
		a.policies = row[i].text;
		OK(cx, train(cx, g, a, &w));
		const double part = (w.open[0] + w.open[1]) / (2.0 * w.n);
		print_message("%s: %.3f\n", row[i].text, part);
		if (!(part >= row[i].lo && part <= row[i].hi)) fail_msg("%s: %.3f of the blocks ran, not %.2f to %.2f", row[i].text, part, row[i].lo, row[i].hi);
		for (int k = 0; !i && k < 2; k++) assert_true(w.open[k] > 0.05 * w.n && w.open[k] < 0.95 * w.n); /* each now and then: numbers are drawn for each step */
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

static void resumed(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *whole = drawn(cx), *parts = drawn(cx);
	cop_train_args a = base;
	watch w = {.stop_at = 33};
	char ckpt[64];

	(void)state;
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-gates-%d.ckpt", (int)getpid());
	unlink(ckpt);
	a.policies = "gates:strength=0.5";
	a.epochs = 6;
	OK(cx, train(cx, whole, a, NULL));
	a.checkpoint = ckpt;
	cop_ctx_stop(cx, &w.stop);
	assert_int_equal(train(cx, parts, a, &w), COP_STOPPED);
	cop_error_clear(cx);
	w = (watch){.stop_at = -1};
	cop_graph_free(parts);
	parts = drawn(cx);
	a.resume = true;
	OK(cx, train(cx, parts, a, &w));
	assert_int_equal(w.n, 60 - 33);
	for (int32_t v = 1; v <= whole->n_value; v++)
		if (whole->value[v].role == COP_PARAM) assert_memory_equal(whole->value[v].data, parts->value[v].data, cop_type_bytes(cop__t(whole, (cop_vid)v)));
	assert_int_equal(whole->n_value, parts->n_value);
	unlink(ckpt);
	cop_graph_free(whole);
	cop_graph_free(parts);
	cop_ctx_free(cx);
}

/* resnet-8 has three blocks: gates for two; a network without any is refused. */
static void found(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_arena mem;
	cop_policy p;
	cop_build *b;
	int n;

	(void)state;
	cop__arena_init(&mem, cx);
	for (int i = 0; i < 3; i++) {
		OK(cx, cop__policies_read(&p, &n, 1, &mem, "gates"));
		OK(cx, cop_zoo_build(&g, cx, i == 0 ? "resnet-8" : i == 1 ? "resnet-20" : "lenet-5", NULL));
		OK(cx, cop__build_new(&b, g, 2, 0));
		OK(cx, cop__build_spec(b, "sgd"));
		cop_status st = p.build(p.ud, b);
		cop_graph *made = NULL;
		if (!st) OK(cx, cop__build_graph(&made, b, COP_PART_STEP));
		if (i < 2) assert_true(made && cop__find(made, i ? "gates.p7" : "gates.p1") && !cop__find(made, i ? "gates.p8" : "gates.p2"));
		else assert_int_equal(st, COP_ARG);
		cop_error_clear(cx);
		cop_graph_free(made);
		cop__build_free(b);
		cop_graph_free(g);
	}
	cop__arena_free(&mem);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(prices), cmocka_unit_test(resumed), cmocka_unit_test(found)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
