/* SPDX-License-Identifier: Apache-2.0
 *
 * What is trained within a budget of a step: what of a step is there for which layer, against steps in which layers are left out; the choice of layers against
 * a published example and against trying all; how much the loss rises with a step against PyTorch; and that trainings keep to their budgets.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy/select.h"
#include "train/tiny.h"
#include "train/velocity_reference.h"

#include <math.h>
#include <unistd.h>

/* ---- what of a step is there for which layer ---- */

static const char deep[] = "input 8 8 2\nconv 4 3x3 norm relu\nconv 6 3x3 relu\nmaxpool 2\nconv 5 1x1 norm\nfc 7 relu\nfc 3\n";

/* Operations of a step in which those layers are trained, in the graph of such a step. */
static double counted(cop_ctx *cx, const cop_graph *model, const char *rule, const cop_neurons *n, unsigned layers)
{
	cop_graph *g, *step;
	cop_step_cost c;
	bool live[64] = {0};

	OK(cx, cop_graph_copy(&g, model));
	for (int32_t l = 0; l < n->n_layer - 1; l++) memset(live + n->layer[l].first, layers >> l & 1, (size_t)n->layer[l].rows);
	OK(cx, cop__neurons_list(g, "*", "test", live));
	OK(cx, cop_graph_train(&step, g, rule));
	OK(cx, cop__step_cost(&c, step));
	cop_graph_free(step);
	cop_graph_free(g);
	return c.forward + c.rest;
}

static double from_shares(const cop_shares *s, const cop_neurons *n, unsigned layers)
{
	double sum = s->fixed;

	for (int32_t l = 0; l < n->n_layer - 1; l++) sum += (layers >> l & 1 ? s->layer[l].own : 0) + (layers & ((2u << l) - 1) ? s->layer[l].reach : 0);
	return sum;
}

static void shares_of(cop_ctx *cx, cop_arena *mem, cop_shares *s, cop_neurons *n, const cop_graph *model, const char *rule)
{
	cop_graph *step;

	OK(cx, cop__neurons_find(n, mem, model, "*", "test"));
	OK(cx, cop_graph_train(&step, model, rule));
	double *cost = cop__arena_get(mem, sizeof *cost * ((size_t)step->n_node + 1));
	assert_non_null(cost);
	for (cop_nid k = 1; k <= (cop_nid)step->n_node; k++) cost[k] = cop__node_flops(step, k);
	OK(cx, cop__step_shares(s, mem, step, cost, model, n));
	cop_graph_free(step);
}

/* off: how much more of all operations there may be: with sums over all weights, a part of them belongs to no layer. */
static void shares(void **state)
{
	static const struct { const char *text, *rule; double off; } row[] = {{tiny_text, "sgd momentum=0", 0}, {tiny_text, "sgd momentum=0.9 decay=0.1", 0}, {deep, "sgd momentum=0.9", 0}, {deep, "adam", 0},
		{deep, "sgd momentum=0.9 clip=1", 0.02}, {deep, "sgd momentum=0 by=(sgd momentum=0)", 0.03}, {deep, "prodigy", 0.07}};
	cop_ctx *cx = new_ctx();
	cop_arena mem;
	(void)state;

	cop__arena_init(&mem, cx);
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = network(cx, row[i].text);
		cop_neurons n;
		cop_shares s;
		shares_of(cx, &mem, &s, &n, g, row[i].rule);
		for (unsigned layers = 0; layers < 1u << (n.n_layer - 1); layers++) {
			const double want = counted(cx, g, row[i].rule, &n, layers), got = from_shares(&s, &n, layers);
			if (got < want || got > (1 + row[i].off) * want) fail_msg("%s, layers %x: %g operations, not %g", row[i].rule, layers, got, want);
		}
		cop_graph_free(g);
	}
	/* by hand, of fc1: 4 x 48 products for the gradient of its weights, 4 sums for that of its biases, and an update of 4 operations for each of 4 x 49 numbers;
	 * the error comes by 2 x 4 products, and passes 4 ReLUs */
	cop_graph *g = network(cx, tiny_text);
	cop_neurons n;
	cop_shares s;
	shares_of(cx, &mem, &s, &n, g, "sgd momentum=0");
	assert_true(s.layer[2].own == 0 && s.layer[2].reach == 0 && s.layer[0].reach == 0);
	assert_true(s.layer[1].own == 2 * 192 + 4 + 4 * 196);
	assert_true(s.layer[1].reach == 2 * 8 + 4);
	cop_graph_free(g);
	cop__arena_free(&mem);
	cop_ctx_free(cx);
}

/* Where paths meet, what one of them needs may be counted though another one is trained; never less than is there. */
static void shares_of_branches(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_arena mem;
	cop_graph *g;
	cop_neurons n;
	cop_shares s;
	uint64_t at = 0;
	(void)state;

	cop__arena_init(&mem, cx);
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.batch = 2, .seed = 3, .classes = 10}));
	OK(cx, cop__neurons_find(&n, &mem, g, "*", "test"));
	OK(cx, cop__neurons_list(g, "*", "test", cop__arena_get(&mem, (size_t)n.count + 1)));
	OK(cx, cop__no_lists(g));
	shares_of(cx, &mem, &s, &n, g, "sgd momentum=0.9");
	for (int k = 0; k < 12; k++) {
		const unsigned layers = k ? cop__rand(3, 1, at++) & ((1u << (n.n_layer - 1)) - 1) : ~0u;
		cop_graph *some, *step;
		cop_step_cost c;
		bool *live = cop__arena_get(&mem, (size_t)n.count + 1);
		for (int32_t l = 0; l < n.n_layer - 1; l++) memset(live + n.layer[l].first, layers >> l & 1, (size_t)n.layer[l].rows);
		OK(cx, cop_graph_copy(&some, g));
		OK(cx, cop__neurons_list(some, "*", "test", live));
		OK(cx, cop_graph_train(&step, some, "sgd momentum=0.9"));
		OK(cx, cop__step_cost(&c, step));
		const double want = c.forward + c.rest, got = from_shares(&s, &n, layers);
		if (got < want || got > 1.02 * want || (!k && got > want)) fail_msg("layers %x: %g operations, not %g", layers, got, want);
		cop_graph_free(step);
		cop_graph_free(some);
	}
	cop_graph_free(g);
	cop__arena_free(&mem);
	cop_ctx_free(cx);
}

/* ---- the choice ---- */

enum { MOST_LAYERS = 10, MOST_ROWS = 4 };
typedef struct problem {
	cop_neurons n;
	cop_channels layer[MOST_LAYERS + 1];
	cop_layer_price price[MOST_LAYERS];
	cop_prices p;
	float key[MOST_LAYERS * MOST_ROWS + 1];
	bool live[MOST_LAYERS * MOST_ROWS + 1];
} problem;

static void layers_of(problem *q, int layers, const int *rows)
{
	q->n = (cop_neurons){.layer = q->layer, .n_layer = layers + 1};
	for (int l = 0; l <= layers; l++) {
		q->layer[l] = (cop_channels){.rows = l < layers && rows ? rows[l] : 1, .first = q->n.count, .each = 1, .head = l == layers};
		q->n.count += q->layer[l].rows;
	}
	q->n.hidden = q->n.count - 1;
	q->p.layer = q->price;
}

/* The vector that goes with the authors' code: of five tensors, the last first. */
static void published(void **state)
{
	static const double pass[5] = {0, 2, 1, 4, 0}, own[5] = {5, 1, 7, 3, 1};
	static const float gain[5] = {1, 3, 10, 5, 3};
	cop_ctx *cx = new_ctx();
	problem q = {.p = {.unit = COP_BUDGET_SECONDS, .limit = 14}};
	cop_taken t;
	(void)state;

	layers_of(&q, 5, NULL);
	for (int k = 0; k < 5; k++) q.price[4 - k] = (cop_layer_price){pass[k], 0, own[k], own[k]}, q.key[4 - k] = gain[k];
	OK(cx, cop__take_within(q.live, &t, COP_TAKE_MOST, q.key, &q.n, &q.p, 1, cx));
	for (int k = 0; k < 5; k++) assert_int_equal(q.live[4 - k], k == 1 || k == 2);
	assert_true(t.price == 11);
	cop_ctx_free(cx);
}

static uint64_t drawn;
static double draw(int most) { return floor((double)cop__rand(5, 1, drawn++) / 4294967296.0 * (most + 1)); }

static void random_problem(problem *q)
{
	int rows[MOST_LAYERS];
	const int layers = 1 + (int)draw(MOST_LAYERS - 2);

	*q = (problem){.p = {.unit = COP_BUDGET_FLOPS, .fixed = draw(20)}};
	for (int l = 0; l < layers; l++) rows[l] = 1 + (int)draw(MOST_ROWS - 1);
	layers_of(q, layers, rows);
	for (int l = 0; l < layers; l++) {
		q->price[l] = (cop_layer_price){.reach = draw(8), .open = draw(6), .each = draw(5)};
		q->price[l].all = draw(3) ? q->price[l].open + q->price[l].each * rows[l] : q->price[l].open; /* or less than a part of it */
		for (int i = 0; i < rows[l]; i++) q->key[q->layer[l].first + i] = (float)draw(30) - 8;
	}
	q->p.limit = q->p.fixed + draw(14 * layers);
}

/* From what is trained alone. */
static double price_of(const problem *q, const bool *live)
{
	double sum = q->p.fixed;
	bool any = false;

	for (int32_t l = 0; l < q->n.n_layer - 1; l++) {
		int rows = 0;
		for (int i = 0; i < q->layer[l].rows; i++) rows += live[q->layer[l].first + i];
		any |= rows > 0;
		sum += (any ? q->price[l].reach : 0) + (rows == q->layer[l].rows ? q->price[l].all : rows ? q->price[l].open + q->price[l].each * rows : 0);
	}
	return sum;
}

static double gain_of(const problem *q, const bool *live)
{
	double sum = 0;
	for (int i = 0; i < q->n.hidden; i++) sum += live[i] ? (double)q->key[i] : 0;
	return sum;
}

static double try_all(const problem *q)
{
	double best = 0;

	for (unsigned layers = 0; layers < 1u << (q->n.n_layer - 1); layers++) {
		bool live[MOST_LAYERS * MOST_ROWS] = {0};
		for (int32_t l = 0; l < q->n.n_layer - 1; l++) memset(live + q->layer[l].first, layers >> l & 1, (size_t)q->layer[l].rows);
		if (price_of(q, live) <= q->p.limit) best = fmax(best, gain_of(q, live));
	}
	return best;
}

/* No way of choosing goes over the budget, and what it says it takes is what that is. Layers with the most gain are those that trying all finds; by chance, or the
 * largest first, no choice is better. */
static void against_all(void **state)
{
	cop_ctx *cx = new_ctx();
	int tight = 0;
	(void)state;

	for (int k = 0; k < 3000; k++) {
		problem q;
		cop_taken t;
		random_problem(&q);
		const double best = try_all(&q);
		for (cop_take how = COP_TAKE_NEURONS; how <= COP_TAKE_MOST; how++) {
			if (how == COP_TAKE_LAYERS)
				for (int32_t l = 0; l < q.n.n_layer - 1; l++)
					for (int i = 1; i < q.layer[l].rows; i++) q.key[q.layer[l].first + i] = q.key[q.layer[l].first];
			const cop_status st = cop__take_within(q.live, &t, how, q.key, &q.n, &q.p, 1, cx);
			if (st == COP_ARG) cop_error_clear(cx); /* nothing fits */
			else if (st || fabs(t.price - price_of(&q, q.live)) > 1e-9 || t.price > q.p.limit) fail_msg("problem %d, way %d: %g is taken, %g is said, the limit is %g", k, how, price_of(&q, q.live), t.price, q.p.limit);
			if (st == COP_ARG && how == COP_TAKE_MOST && best > 0) fail_msg("problem %d: nothing is taken", k);
			if (how == COP_TAKE_NEURONS && q.n.hidden > 1) /* neurons below 0 are trained only where the whole layer takes less */
				for (int32_t i = 0; i < q.n.hidden; i++) tight += q.live[i] && q.key[i] < 0;
			if (how == COP_TAKE_NEURONS) continue;
			for (int32_t l = 0; l < q.n.n_layer - 1; l++)
				for (int i = 1; i < q.layer[l].rows; i++) assert_int_equal(q.live[q.layer[l].first + i], q.live[q.layer[l].first]);
		}
		random_problem(&q);
		const cop_status st = cop__take_within(q.live, &t, COP_TAKE_MOST, q.key, &q.n, &q.p, 1, cx);
		if (st) cop_error_clear(cx);
		if (fabs(gain_of(&q, q.live) - try_all(&q)) > 1e-9) fail_msg("problem %d: layers gain %g, and %g could be had", k, gain_of(&q, q.live), try_all(&q));
	}
	assert_true(tight > 100);
	cop_ctx_free(cx);
}

/* ---- budgets ---- */

static void budgets(void **state)
{
	static const struct { const char *text; cop_budget b; } row[] = {{"20%", {COP_BUDGET_NUMBERS, 0.2, true}}, {"1264", {COP_BUDGET_BYTES, 1264, false}}, {"64K", {COP_BUDGET_BYTES, 65536, false}},
		{"2M", {COP_BUDGET_BYTES, 2 << 20, false}}, {"2.5ms", {COP_BUDGET_SECONDS, 0.0025, false}}, {"60%ms", {COP_BUDGET_SECONDS, 0.6, true}}, {"3Mflops", {COP_BUDGET_FLOPS, 3e6, false}},
		{"40Kflops", {COP_BUDGET_FLOPS, 4e4, false}}, {"100%flops", {COP_BUDGET_FLOPS, 1, true}}};
	static const char *const bad[] = {"", "ms", "-1ms", "0ms", "101%ms", "5s", "5 ms", "60%ms ", "nan%", "1e13", "5flops%"};
	cop_ctx *cx = new_ctx();
	cop_budget b;
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		OK(cx, cop__budget_read(&b, cx, row[i].text));
		if (b.unit != row[i].b.unit || b.part != row[i].b.part || fabs(b.amount - row[i].b.amount) > 1e-9 * b.amount) fail_msg("%s is read as %g of %d", row[i].text, b.amount, b.unit);
	}
	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(cop__budget_read(&b, cx, bad[i]), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), "nor what a step may take: 2.5ms"));
		cop_error_clear(cx);
	}
	cop_ctx_free(cx);
}

/* ---- trainings ---- */

typedef struct watch { int epochs; double flops[8]; float price[8][64]; int numbers; int stop_at; volatile bool stop; int live[8]; } watch;

static int listed(const cop_graph *g, const char *weight)
{
	cop_vid v = cop__find(g, weight), list = cop__follower(g, v, "rows");
	return list ? cop__t(g, list)->dim[0] - 1 : cop__t(g, v)->dim[0];
}

static cop_status watch_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *w = ud;
	cop_step_cost c;
	cop_tensor price;
	const int e = COP_MIN(w->epochs, 7);
	(void)v;

	COP_TRY(cop__step_cost(&c, cop__trainer_graph(p->t)));
	w->flops[e] = c.forward + c.rest;
	w->live[e] = listed(p->model, "conv1.w") + 10 * listed(p->model, "fc1.w");
	if (cop__find(cop__trainer_graph(p->t), "select.price") && !cop__trainer_named(p->t, "select.price", &price)) {
		w->numbers = price.type.dim[0];
		memcpy(w->price[e], price.data, sizeof(float) * (size_t)w->numbers);
	}
	if (++w->epochs == w->stop_at) w->stop = true;
	return COP_OK;
}

/* In each epoch a step has no more operations than the budget allows. */
static void within_operations(void **state)
{
	static const char *const by[] = {"velocity", "random", "gradient", "tra-dy", "elastic", "random-layers"};
	static const int part[] = {45, 70, 90};
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 64, 8, 2);
	for (int i = 0; i < LEN(by); i++)
		for (int k = 0; k < LEN(part); k++) {
			watch all = {0}, w = {0};
			char text[80];
			cop_policy p = {.name = "watch", .ud = &all, .epoch = watch_epoch};
			cop_train_args a = few;
			cop_graph *g = network(cx, deep), *whole = network(cx, deep);
			a.epochs = 3;
			OK(cx, cop__train(whole, &d, NULL, &a, "train", &p, 1));
			snprintf(text, sizeof text, "select:by=%s,budget=%d%%flops", by[i], part[k]);
			a.policies = text;
			p.ud = &w;
			OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
			double most = 0;
			for (int e = 0; e < 3; e++) {
				if (w.flops[e] > 1.002 * part[k] / 100 * all.flops[0]) fail_msg("%s: %g operations in epoch %d, of %g", text, w.flops[e], e + 1, all.flops[0]);
				most = fmax(most, w.flops[e]);
			}
			if (!strcmp(by[i], "random") && most < 0.8 * part[k] / 100 * all.flops[0] && part[k] > 45) fail_msg("%s: no more than %g operations of %g", text, most, all.flops[0]);
			cop_graph_free(whole);
			cop_graph_free(g);
		}
	cop_ctx_free(cx);
}

/* What was measured at the start holds for the whole run, also after it was resumed; a machine never takes the same time twice. */
static void measured_once(void **state)
{
	static const char *const text[] = {"select:by=elastic,budget=80%ms", "select:by=random,budget=90%ms"};
	char ckpt[64];
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 64, 8, 2);
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-select-%d.ckpt", (int)getpid());
	for (int i = 0; i < LEN(text); i++) {
		watch w = {.stop_at = 1}, then = {0};
		cop_policy p = {.name = "watch", .ud = &w, .epoch = watch_epoch};
		cop_train_args a = few;
		cop_graph *g = network(cx, deep);
		a.policies = text[i];
		a.epochs = 3;
		a.checkpoint = ckpt;
		unlink(ckpt);
		cop_ctx_stop(cx, &w.stop);
		assert_int_equal(cop__train(g, &d, NULL, &a, "train", &p, 1), COP_STOPPED);
		cop_error_clear(cx);
		cop_graph_free(g);
		cop_ctx_stop(cx, NULL);
		g = network(cx, deep);
		p.ud = &then;
		a.resume = true;
		OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
		assert_int_equal(w.numbers, 4 * 5 + 1);
		assert_int_equal(then.numbers, w.numbers);
		for (int e = 0; e < then.epochs; e++)
			if (memcmp(then.price[e], w.price[0], sizeof(float) * (size_t)w.numbers)) fail_msg("%s: other prices in epoch %d", text[i], e + 2);
		for (int l = 0; l < 4; l++) assert_true(w.price[0][4 * l + 3] > 0 && w.price[0][4 * l] >= 0);
		assert_true(w.price[0][4 * 4] == 0 && w.price[0][4 * 5] > 0);
		cop_graph_free(g);
		unlink(ckpt);
	}
	cop_ctx_free(cx);
}

/* A policy that leaves other neurons out each time it is asked, as one that measures may. */
static cop_status fickle_start(void *ud, const cop_progress *p, cop_graph *model)
{
	static const bool live[2][16] = {{1, 0, 1, 0, 1, 1}, {0, 1, 0, 1, 1, 1}};
	(void)p;
	return cop__neurons_list(model, "*", "test", live[(*(int *)ud)++ % 2]);
}

static cop_status stop_after(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *w = ud;
	(void)v;
	if (p->step == w->stop_at) w->stop = true;
	return COP_OK;
}

/* Stopped in its first epoch, a run goes on with what was chosen for that. */
static void first_choice(void **state)
{
	char ckpt[64];
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	watch w = {.stop_at = 3};
	int asked = 0;
	cop_policy p[] = {{.name = "fickle", .ud = &asked, .leaves_out = true, .start = fickle_start}, {.name = "stop", .ud = &w, .after = stop_after}};
	cop_train_args a = few;
	cop_graph *whole = network(cx, tiny_text), *parts = network(cx, tiny_text);
	(void)state;

	varied(&d, 64, 6, 1);
	OK(cx, cop__train(whole, &d, NULL, &a, "train", p, 1));
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-select-%d.ckpt", (int)getpid());
	unlink(ckpt);
	a.checkpoint = ckpt;
	asked = 0;
	cop_ctx_stop(cx, &w.stop);
	assert_int_equal(cop__train(parts, &d, NULL, &a, "train", p, 2), COP_STOPPED);
	cop_error_clear(cx);
	cop_ctx_stop(cx, NULL);
	cop_graph_free(parts);
	parts = network(cx, tiny_text);
	a.resume = true;
	OK(cx, cop__train(parts, &d, NULL, &a, "train", p, 1));
	assert_int_equal(asked, 2);
	assert_true(same(whole, parts));
	cop_graph_free(whole);
	cop_graph_free(parts);
	unlink(ckpt);
	cop_ctx_free(cx);
}

/* A choice holds for `every` epochs. */
static void holds(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	watch w = {0};
	const cop_policy p = {.name = "watch", .ud = &w, .epoch = watch_epoch};
	cop_train_args a = few;
	cop_graph *g = network(cx, deep);
	int changes = 0;
	(void)state;

	varied(&d, 64, 8, 2);
	a.epochs = 8;
	a.policies = "select:by=random,budget=50%,every=2";
	OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
	for (int e = 0; e < 8; e += 2) {
		assert_int_equal(w.live[e], w.live[e + 1]);
		changes += e && w.live[e] != w.live[e - 1];
	}
	assert_true(changes > 0);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *update, *policies, *says; } row[] = {
		{"sgd", "select:budget=0.1Kflops", "million operations if only the last layer is trained, which it always is; a budget of 0.0001 is smaller"},
		{"sgd", "select:by=elastic,budget=1e-9ms", "milliseconds if only the last layer is trained"},
		{"sgd", "select:by=elastic,budget=10", "takes 104 bytes for its gradient and its input; a budget of 10 is smaller"},
		{"sgd", "select:by=elastic,budget=3%", "smaller than any layer that could be chosen: there are 229 numbers in 7 neurons"},
		{"sgd", "select:by=random-layers,budget=200", "smaller than any layer that could be chosen: with the cheapest one, 812 bytes are taken, and the budget is 200"},
		{"mezo", "select:by=elastic,budget=50%", "how far the loss falls is told by gradients, and mezo has none"}};
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 64, 6, 1);
	for (int i = 0; i < LEN(row); i++) refuses(cx, &d, row[i].update, row[i].policies, row[i].says);
	cop_ctx_free(cx);
}

/* Where no gradient comes to a layer before the last, nothing of a step could be left out. */
static void without_prices(void **state)
{
	static const cop_budget budget[] = {{COP_BUDGET_SECONDS, 0.5, true}, {COP_BUDGET_FLOPS, 1e6, false}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = network(cx, tiny_text);
	cop_arena mem;
	cop_neurons n;
	cop_prices p;
	cop_layer_price none[3] = {{0}};
	(void)state;

	cop__arena_init(&mem, cx);
	OK(cx, cop__neurons_find(&n, &mem, g, "*", "test"));
	for (int i = 0; i < LEN(budget); i++) {
		assert_int_equal(cop__prices(&p, &mem, &budget[i], &n, 4, &(cop_step_prices){none, 0.001}), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), "no work of a step belongs to a layer before the last, so a budget of what a step takes can't be kept; let it be a part of the weights, or bytes"));
		cop_error_clear(cx);
	}
	cop__arena_free(&mem);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- a step that is tried, against PyTorch ---- */

static void rises(void **state)
{
	static const struct { const char *rule; const float (*want)[UNITS]; } row[] = {{"sgd momentum=0.9", rises_sgd}, {"lion", rises_lion}};
	static const struct { const char *name; int salt; float add; } weight[] = {{"conv1.w", 10, 0}, {"conv1.bn.gamma", 12, 1}, {"conv1.bn.beta", 13, 0}, {"fc1.w", 16, 0}, {"fc1.b", 17, 0}, {"fc2.w", 18, 0}, {"fc2.b", 0, 0}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = network(cx, tiny_text), *was;
	float x[SAMPLES * 36], rise[UNITS + 2];
	int32_t label[SAMPLES] = {0, 1, 1, 0, 1};
	const cop_velocity v = {.who = "test", .samples = SAMPLES, .each = 36, .x = x, .label = label, .names = "*"};
	(void)state;

	for (int i = 0; i < SAMPLES * 36; i++) x[i] = number(i, 1);
	for (int i = 0; i < LEN(weight); i++) fill(g, weight[i].name, weight[i].salt, weight[i].add, weight[i].salt ? 1 : 0);
	OK(cx, cop_graph_copy(&was, g));
	OK(cx, cop__neurons_list(g, "*", "test", (const bool[UNITS + 2]){0})); /* they are tried though they are left out */
	for (int i = 0; i < LEN(row); i++) {
		cop_trainer *t;
		OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = row[i].rule, .threads = 1}));
		OK(cx, cop__neuron_rises(rise, g, t, 0.05f, &v, 1));
		for (int k = 0; k < UNITS; k++)
			if (fabsf(rise[k] - row[i].want[0][k]) > 2e-6f + 1e-4f * fabsf(row[i].want[0][k])) fail_msg("%s: neuron %d: %g, not %g", row[i].rule, k, (double)rise[k], (double)row[i].want[0][k]);
		cop_trainer_free(t);
	}
	cop_trainer *t; /* a step moves what is trained alone */
	OK(cx, cop_trainer_new(&t, was, &(cop_trainer_args){.batch = 4, .spec = "sgd layers=fc1*", .threads = 1}));
	OK(cx, cop__neuron_rises(rise, g, t, 0.05f, &v, 1));
	for (int k = 0; k < UNITS + 2; k++) assert_true((rise[k] < 0) == (k >= 3 && k < UNITS));
	cop_trainer_free(t);
	OK(cx, cop__no_lists(g));
	assert_true(same(was, g));
	cop_graph_free(was);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(shares_of_branches), cmocka_unit_test(published), cmocka_unit_test(against_all), cmocka_unit_test(budgets), cmocka_unit_test(within_operations),
		cmocka_unit_test(measured_once), cmocka_unit_test(first_choice), cmocka_unit_test(holds), cmocka_unit_test(refused), cmocka_unit_test(without_prices), cmocka_unit_test(rises)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
