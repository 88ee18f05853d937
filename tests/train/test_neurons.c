/* SPDX-License-Identifier: Apache-2.0
 *
 * Neurons that are left out of training: how similar what they put out is, and velocities, against PyTorch; what is left out stays as it is to the bit, and
 * is not computed; a run that is resumed goes on with the same; what is refused.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy/select.h"
#include "train/tiny.h"
#include "train/velocity_reference.h"

#include <unistd.h>

/* ---- against PyTorch ---- */

enum { MOVES = 3 };
static const float MU = 0.25f;

static void similar(void **state)
{
	float x[SAMPLES * 36], phi[UNITS + 2];
	cop_ctx *cx = new_ctx();
	cop_arena mem;
	(void)state;

	cop__arena_init(&mem, cx);
	for (int i = 0; i < SAMPLES * 36; i++) x[i] = number(i, 1);
	for (int reading = 0; reading < 2; reading++) {
		const float(*want)[UNITS] = reading == COP_VELOCITY_PAPER ? similar_paper : similar_code, (*speed)[UNITS] = reading == COP_VELOCITY_PAPER ? velocity_paper : velocity_code;
		cop_moved_neuron m[UNITS];
		for (int k = 0; k < UNITS; k++) m[k] = (cop_moved_neuron){.phi = 1};
		for (int i = 0; i < MOVES; i++) {
			cop_graph *before = at_state(cx, i), *now = at_state(cx, i + 1);
			cop_neurons n;
			OK(cx, cop__neurons_find(&n, &mem, now, "*", "test"));
			assert_int_equal(n.count, UNITS + 2);
			assert_int_equal(n.hidden, UNITS);
			assert_int_equal(n.numbers, 3 * (9 + 2) + 4 * (48 + 1)); /* batch norm's two, or a bias, with each neuron */
			OK(cx, cop__similarity(phi, &(cop_two_states){before, now, &n, x, SAMPLES, 36, reading, 1, "*", "test"}));
			for (int k = 0; k < UNITS; k++) {
				cop__velocity_next(&m[k], phi[k], MU, reading);
				if (fabsf(phi[k] - want[i][k]) > 2e-5f) fail_msg("reading %d, move %d, neuron %d: similar by %g, not %g", reading, i, k, (double)phi[k], (double)want[i][k]);
				if (fabsf(m[k].v - speed[i][k]) > 5e-5f) fail_msg("reading %d, move %d, neuron %d: velocity %g, not %g", reading, i, k, (double)m[k].v, (double)speed[i][k]);
			}
			cop_graph_free(before);
			cop_graph_free(now);
		}
	}
	cop__arena_free(&mem);
	cop_ctx_free(cx);
}

/* ---- what is left out ---- */

/* Leaves neurons out after the first epoch: 0 and 2 of the convolution and 1 of fc1; or all but the head; or all of the convolution. Looks at the result. */
typedef struct leave { int which; cop_step_cost cost[3]; int epochs, stop_at; volatile bool stop; cop_graph *before; } leave;
static const bool live_of[3][UNITS + 2] = {{0, 1, 0, 1, 0, 1, 1}, {0}, {0, 0, 0, 1, 1, 1, 1}};

static cop_status leave_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	leave *l = ud;

	COP_TRY(cop__step_cost(&l->cost[l->epochs], cop__trainer_graph(p->t)));
	if (l->epochs++ == 0) {
		*v = COP_REPLAN;
		cop_graph_free(l->before);
		COP_TRY(cop_graph_copy(&l->before, p->model));
	}
	return COP_OK;
}

static cop_status leave_rebuild(void *ud, cop_trainer *t, cop_graph *model) { (void)t; return cop__neurons_list(model, "*", "test", live_of[((leave *)ud)->which]); }

static bool row_moved(const cop_graph *a, const cop_graph *b, const char *name, int row)
{
	const cop_type *t = cop__t(a, cop__find(a, name));
	const size_t n = (size_t)(cop_type_count(t) / t->dim[0]);
	return memcmp(cop__floats(a, cop__find(a, name)) + n * (size_t)row, cop__floats(b, cop__find(b, name)) + n * (size_t)row, n * sizeof(float));
}

static const struct { const char *name; int first, rows; } part[] = {{"conv1.w", 0, 3}, {"conv1.bn.gamma", 0, 3}, {"conv1.bn.beta", 0, 3}, {"fc1.w", 3, 4}, {"fc1.b", 3, 4}};

static void stays(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 32, 6, 1);
	for (int which = 0; which < 3; which++) {
		leave l = {.which = which};
		const cop_policy p = {.name = "leave", .ud = &l, .leaves_out = true, .epoch = leave_epoch, .rebuild = leave_rebuild};
		cop_graph *g = tiny(cx);
		OK(cx, cop__train(g, &d, NULL, &few, "train", &p, 1));
		for (int i = 0; i < LEN(part); i++)
			for (int k = 0; k < part[i].rows; k++) {
				bool moved = row_moved(l.before, g, part[i].name, k), live = live_of[which][part[i].first + k];
				if (moved != live) fail_msg("%d: neuron %d of '%s' is %s and %s", which, k, part[i].name, live ? "trained" : "left out", moved ? "moved" : "did not move");
			}
		assert_true(row_moved(l.before, g, "fc2.w", 0) && row_moved(l.before, g, "conv1.bn.mean", 0)); /* running means are of what comes in */
		for (int i = 0; i < LEN(part); i++) { /* momentum of what is left out is gone, that of the rest is not */
			char name[64];
			snprintf(name, sizeof name, "%s.momentum", part[i].name);
			const float *m = cop__floats(g, cop__find(g, name));
			assert_true(m || which); /* of a whole layer that is left out there is none */
			for (int k = 0; m && k < part[i].rows; k++) {
				const int64_t n = cop_type_count(cop__t(g, cop__find(g, name))) / part[i].rows;
				if ((m[k * n] != 0) != live_of[which][part[i].first + k]) fail_msg("%d: '%s' of neuron %d is %g", which, name, k, (double)m[k * n]);
			}
		}
		assert_false(cop__has_lists(g));
		assert_true(l.cost[1].forward == l.cost[0].forward && l.cost[1].rest < l.cost[0].rest);
		cop_graph_free(l.before);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* The rows that are trained move as they would with all of them: a step of each way from the same weights. */
static void moves_alike(void **state)
{
	cop_ctx *cx = new_ctx();
	float x[4 * 36];
	int32_t label[4] = {0, 1, 1, 0};
	(void)state;

	for (int i = 0; i < 4 * 36; i++) x[i] = number(i, 1);
	cop_graph *g[2] = {at_state(cx, 0), at_state(cx, 0)};
	OK(cx, cop__neurons_list(g[1], "*", "test", live_of[0]));
	for (int k = 0; k < 3; k++) /* running means are no momentum */
		if (row_moved(g[0], g[1], "conv1.bn.mean", k) || row_moved(g[0], g[1], "conv1.bn.var", k)) fail_msg("lists have changed what batch norm knows of channel %d", k);
	for (int i = 0; i < 2; i++) {
		cop_trainer *t;
		cop_tensor in;
		OK(cx, cop_trainer_new(&t, g[i], &(cop_trainer_args){.batch = 4, .spec = "sgd momentum=0.9 decay=0.01", .threads = 1}));
		for (int s = 0; s < 2; s++) {
			OK(cx, cop_trainer_input(t, 0, &in));
			memcpy(in.data, x, sizeof x);
			OK(cx, cop_trainer_input(t, 1, &in));
			memcpy(in.data, label, sizeof label);
			OK(cx, cop_trainer_step(t, s ? 0 : 0.05f, NULL)); /* running means too */
		}
		OK(cx, cop_trainer_pull(t, g[i]));
		cop_trainer_free(t);
	}
	for (int i = 0; i < LEN(part); i++)
		for (int k = 0; k < part[i].rows; k++)
			if (live_of[0][part[i].first + k] && row_moved(g[0], g[1], part[i].name, k)) fail_msg("neuron %d of '%s' moves otherwise when others are left out", k, part[i].name);
	cop_graph_free(g[0]);
	cop_graph_free(g[1]);
	cop_ctx_free(cx);
}

/* By hand: multiply-accumulates of a sample are 4x4x3x9 = 432, 4x48 = 192 and 4x2 = 8. */
static void counted(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = tiny(cx), *train;
	cop_step_cost whole, some;
	(void)state;

	OK(cx, cop_graph_train(&train, g, "sgd momentum=0"));
	OK(cx, cop__step_cost(&whole, train));
	cop_graph_free(train);
	assert_true(cop__published_share(g) == 1);
	OK(cx, cop__neurons_list(g, "*", "test", live_of[0]));
	assert_true(fabs(cop__published_share(g) - (432. / 3 + 192. * 3 / 4 + 8) / 632) < 1e-9);
	OK(cx, cop_graph_train(&train, g, "sgd momentum=0"));
	OK(cx, cop__step_cost(&some, train));
	cop_graph_free(train);
	/* of the products 2 x (432 x 2/3 + 192 / 4), of the updates 4 for each number that is left out: two channels, one unit */
	assert_true(some.forward == whole.forward);
	assert_true(whole.rest - some.rest == 2 * (432. * 2 / 3 + 192. / 4) + 4 * (2 * (9 + 2) + 1 * (48 + 1)));
	OK(cx, cop__neurons_list(g, "*", "test", live_of[2]));
	OK(cx, cop_graph_train(&train, g, "sgd momentum=0"));
	for (cop_nid n = 1; n <= (cop_nid)train->n_node; n++) /* nothing goes back below the deepest neuron that is trained */
		if (cop__op(train, n)->name[0] == 'b' || strstr(cop__op(train, n)->name, "_dx")) {
			const char *name = cop__op(train, n)->name;
			if (strstr(name, "grad") || strstr(name, "gsum") || (strstr(name, "_dx") && cop__outt(train, n, 0)->dim[1] == 48)) fail_msg("%s is still there", name);
		}
	cop_graph_free(train);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- the policy ---- */

static cop_status watch_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	leave *l = ud;
	(void)v;
	COP_TRY(cop__step_cost(&l->cost[COP_MIN(l->epochs, 2)], cop__trainer_graph(p->t)));
	if (++l->epochs == l->stop_at) l->stop = true;
	return COP_OK;
}

/* Names of layers may take more room than most do: those at the end count, too. */
static void many_names(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	leave l = {0};
	const cop_policy p = {.name = "watch", .ud = &l, .epoch = watch_epoch};
	cop_train_args a = few;
	char update[400] = "sgd layers=";
	cop_graph *g = tiny(cx);
	(void)state;

	for (int i = 0; i < 30; i++) snprintf(update + strlen(update), 16, "other%d.w|", i);
	snprintf(update + strlen(update), 16, "conv1.w|fc*");
	varied(&d, 32, 6, 1);
	a.update = update;
	a.policies = "neq:eps=2";
	OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
	assert_true(l.epochs == 2 && l.cost[1].rest < l.cost[0].rest);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* With a threshold above all velocities everything but the head is left out behind the warm-up; with 0 nothing is. */
static void thresholds(void **state)
{
	static const struct { const char *text; bool out[3]; } row[] = {{"neq:eps=2", {0, 1, 1}}, {"neq:eps=2,warmup=2", {0, 0, 1}}, {"neq:eps=0,reading=paper", {0, 0, 0}}};
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 32, 6, 1);
	for (int i = 0; i < LEN(row); i++) {
		leave l = {0};
		const cop_policy p = {.name = "watch", .ud = &l, .epoch = watch_epoch};
		cop_train_args a = few;
		cop_graph *g = tiny(cx);
		a.epochs = 3;
		a.policies = row[i].text;
		OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
		for (int e = 0; e < 3; e++)
			if ((l.cost[e].rest < l.cost[0].rest) != row[i].out[e]) fail_msg("%s: in epoch %d a step takes %g operations back, in the first %g", row[i].text, e + 1, l.cost[e].rest, l.cost[0].rest);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

static void resumed(void **state)
{
	static const char *const text[] = {"neq:eps=0.2", "neq:eps=0.1,reading=paper,warmup=2", "select:by=velocity,budget=40%", "select:by=random,budget=40%", "select:by=gradient,budget=40%", "select:by=tra-dy,budget=1264", "select:by=elastic,budget=70%flops,every=2",
		"select:by=random-layers,budget=80%flops", "neq:threshold=part,part=0.3",
		"neq:eps=0.1,threshold=learnt", "neq:eps=0.1,threshold=steps,every=2"};
	char ckpt[64];
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 32, 6, 1);
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-neurons-%d.ckpt", (int)getpid());
	for (int i = 0; i < LEN(text); i++)
		for (int stop = 1; stop < 4; stop++) {
			leave l = {.stop_at = stop};
			const cop_policy p = {.name = "watch", .ud = &l, .epoch = watch_epoch};
			cop_graph *whole = tiny(cx), *parts = tiny(cx);
			cop_train_args a = few;
			a.epochs = 5;
			a.policies = text[i];
			OK(cx, cop__train(whole, &d, NULL, &a, "train", NULL, 0));
			unlink(ckpt);
			a.checkpoint = ckpt;
			cop_ctx_stop(cx, &l.stop);
			assert_int_equal(cop__train(parts, &d, NULL, &a, "train", &p, 1), COP_STOPPED);
			cop_error_clear(cx);
			l = (leave){0};
			cop_graph_free(parts);
			parts = tiny(cx);
			a.resume = true;
			OK(cx, cop__train(parts, &d, NULL, &a, "train", &p, 1));
			if (!same(whole, parts)) fail_msg("%s, stopped after epoch %d: other bits", text[i], stop);
			cop_graph_free(whole);
			cop_graph_free(parts);
			cop_ctx_stop(cx, NULL);
			unlink(ckpt);
		}
	cop_ctx_free(cx);
}

/* ---- choosing ---- */

/* Numbers: 11 in each channel, 49 in each unit, 229 in all. Bytes with a batch of 4: the head 40 for its gradient and 64 for its input; a channel 44, and the
 * first 576 for the input; a unit 196, and the first 768. */
static void within_a_budget(void **state)
{
	static const struct { const char *budget; float key[UNITS]; bool live[UNITS]; int64_t numbers, bytes; } row[] = {
		{"20%", {1, 2, 3, 0.5f, 0, 0, 0}, {1, 1, 1}, 33, 0},                             /* 45.8 */
		{"20%", {1, 2, 3, 2.5f, 0, 0, 0}, {0, 0, 1}, 11, 0},                             /* the unit does not fit, and what comes behind it is not tried */
		{"100%", {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, 229, 0},
		{"100%", {-1, 0, -1, 5, -1, 1, 0}, {0, 1, 0, 1, 0, 1, 1}, 158, 0},                /* below 0: never */
		{"50%", {0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 0, 0}, 98, 0},                    /* of equals the first */
		{"1K", {3, 2, 1, 5, 4, 4, 4}, {1, 1, 1}, 33, 104 + 576 + 3 * 44},               /* no unit fits, all channels do */
		{"1264", {0, 0, 0, 5, 4, 3, 2}, {0, 0, 0, 1, 1}, 98, 104 + 768 + 2 * 196},      /* to the byte */
		{"1263", {0, 0, 0, 5, 4, 3, 2}, {0, 0, 0, 1}, 49, 104 + 768 + 196}};
	cop_ctx *cx = new_ctx();
	cop_graph *g = tiny(cx);
	cop_arena mem;
	cop_neurons n;
	cop_budget b;
	cop_prices p;
	cop_taken t;
	bool live[UNITS + 2];
	(void)state;

	cop__arena_init(&mem, cx);
	OK(cx, cop__neurons_find(&n, &mem, g, "*", "test"));
	for (int i = 0; i < LEN(row); i++) {
		OK(cx, cop__budget_read(&b, cx, row[i].budget));
		OK(cx, cop__prices(&p, &mem, &b, &n, 4, NULL));
		OK(cx, cop__take_within(live, &t, COP_TAKE_NEURONS, row[i].key, &n, &p, 4, cx));
		for (int k = 0; k < UNITS; k++)
			if (live[k] != row[i].live[k]) fail_msg("case %d: neuron %d is %s", i, k, live[k] ? "taken" : "not taken");
		assert_int_equal(t.numbers, row[i].numbers);
		if (row[i].bytes) assert_int_equal(t.bytes, row[i].bytes);
	}
	cop__arena_free(&mem);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* What a way puts first. */
static void ways(void **state)
{
	static const float velocity[UNITS + 2] = {-0.1f, 0.02f, 0.3f, 0.9f, -4, 0.5f, 0}, square[UNITS + 2] = {4, 0, 9, 900, 0, 0, 1}, rise[UNITS + 2] = {1, -2, 3, 4, -5, 6, 7};
	static const bool layer[3] = {false, true, false};
	cop_ctx *cx = new_ctx();
	cop_graph *g = tiny(cx);
	cop_arena mem;
	cop_neurons n;
	float key[UNITS + 2], again[UNITS + 2];
	(void)state;

	cop__arena_init(&mem, cx);
	OK(cx, cop__neurons_find(&n, &mem, g, "*", "test"));
	cop_chooser c = {&n, velocity, square, rise, layer, 1, 3};
	for (int i = 0; cop__way(i); i++) {
		const char *name = cop__way(i)->row.name;
		cop__way(i)->key(key, &c);
		for (int k = 0; k < UNITS; k++) {
			const float of = k < 3 ? 11 : 49;
			if (!strcmp(name, "velocity")) assert_true(fabsf(key[k] - fabsf(velocity[k]) / of) < 1e-7f);
			if (!strcmp(name, "gradient")) assert_true(fabsf(key[k] - sqrtf(square[k]) / of) < 1e-6f);
			if (!strcmp(name, "tra-dy")) assert_true(k < 3 ? key[k] < 0 : key[k] >= 0);
			if (!strcmp(name, "elastic")) assert_true(key[k] == -rise[k]);
			if (!strcmp(name, "random-layers")) assert_true(key[k] == key[k < 3 ? 0 : 3] && key[0] != key[3]);
		}
		if (strncmp(name, "random", 6) && strcmp(name, "tra-dy")) continue;
		c.epoch++; /* others in each epoch */
		cop__way(i)->key(again, &c);
		assert_true(memcmp(key + 3, again + 3, 4 * sizeof *key));
		c.epoch--;
	}
	/* gradients of 6.08 / 708 and 30.0 / 1552 for the bytes: 31 and 69 percent of the sum */
	bool good[3] = {0};
	const float sums[UNITS + 2] = {4, 24, 9, 899, 0, 1, 0};
	OK(cx, cop__good_layers(good, &n, sums, 0.6f, 4, cx));
	assert_true(!good[0] && good[1]);
	OK(cx, cop__good_layers(good, &n, sums, 0.7f, 4, cx));
	assert_true(good[0] && good[1]);
	cop__arena_free(&mem);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Against differences of the loss: the gradient of neuron 1 of fc1 and of channel 0. */
static void gradients(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = at_state(cx, 0);
	float x[SAMPLES * 36], square[UNITS + 2];
	int32_t label[SAMPLES] = {0, 1, 1, 0, 1};
	cop_velocity v = {.who = "test", .samples = SAMPLES, .each = 36, .x = x, .label = label, .names = "*"};
	(void)state;

	for (int i = 0; i < SAMPLES * 36; i++) x[i] = number(i, 1);
	OK(cx, cop__neuron_gradients(square, g, NULL, &v, 1));
	cop_trainer *t;
	cop_tensor in, dw;
	const char *name;
	double want[UNITS] = {0};
	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = SAMPLES, .spec = "sgd momentum=0", .threads = 1, .apart = true}));
	OK(cx, cop_trainer_input(t, 0, &in));
	memcpy(in.data, x, sizeof x);
	OK(cx, cop_trainer_input(t, 1, &in));
	memcpy(in.data, label, sizeof label);
	OK(cx, cop_trainer_gradients(t, NULL));
	for (int32_t i = 0; (name = cop_trainer_gradient(t, i, &dw)); i++)
		for (int k = 0; k < LEN(part); k++)
			for (int64_t j = 0; !strcmp(name, part[k].name) && j < cop_type_count(&dw.type); j++) {
				const double d = (double)((float *)dw.data)[j];
				want[part[k].first + j * part[k].rows / cop_type_count(&dw.type)] += d * d;
			}
	for (int k = 0; k < UNITS; k++)
		if (fabs((double)square[k] - want[k]) > 1e-5 * (1 + want[k])) fail_msg("neuron %d: %g, not %g", k, (double)square[k], want[k]);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* A plan of a step in which few are trained needs less memory, and less still where a layer keeps no input. */
static void memory(void **state)
{
	size_t arena[3];
	cop_ctx *cx = new_ctx();
	cop_target host;
	(void)state;

	OK(cx, cop_target_find(&host, cx, "host"));
	for (int i = 0; i < 3; i++) {
		cop_graph *g, *train;
		cop_plan *plan;
		OK(cx, cop_zoo_build(&g, cx, "lenet-5", &(cop_zoo_args){.batch = 8, .seed = 3}));
		bool live[20 + 50 + 500 + 10] = {0};
		for (int k = 0; k < 570; k++) live[k] = i == 0 || (i == 1 && k % 10 == 0);
		OK(cx, cop__neurons_list(g, "*", "test", live));
		OK(cx, cop_graph_train(&train, g, "sgd momentum=0.9"));
		OK(cx, cop_plan_build(&plan, &train, 1, &host));
		arena[i] = cop_plan_bytes(plan, COP_TEMP);
		cop_plan_free(plan);
		cop_graph_free(train);
		cop_graph_free(g);
	}
	if (!(arena[1] < arena[0] && arena[2] < arena[1])) fail_msg("the arena takes %zu, %zu and %zu bytes", arena[0], arena[1], arena[2]);
	cop_ctx_free(cx);
}

/* A rate that is learnt, with a part of the rows: those move as with all rows, where the others' part of the slope is not there. */
static void learnt_rate(void **state)
{
	cop_ctx *cx = new_ctx();
	float x[4 * 36];
	int32_t label[4] = {0, 1, 1, 0};
	(void)state;

	for (int i = 0; i < 4 * 36; i++) x[i] = number(i, 1);
	cop_graph *g[2] = {at_state(cx, 0), at_state(cx, 0)}, *was = at_state(cx, 0);
	OK(cx, cop__neurons_list(g[1], "*", "test", live_of[0]));
	float rate[2] = {0};
	for (int i = 0; i < 2; i++) {
		cop_trainer *t;
		cop_tensor in;
		OK(cx, cop_trainer_new(&t, g[i], &(cop_trainer_args){.batch = 4, .spec = "sgd momentum=0.9 decay=0.01 by=(sgd momentum=0 lr=0.001)", .threads = 1}));
		for (int s = 0; s < 2; s++) {
			OK(cx, cop_trainer_input(t, 0, &in));
			memcpy(in.data, x, sizeof x);
			OK(cx, cop_trainer_input(t, 1, &in));
			memcpy(in.data, label, sizeof label);
			OK(cx, cop_trainer_step(t, 0.05f, NULL));
			OK(cx, cop_trainer_pull(t, g[i]));
			for (int k = 0; s == 0 && k < LEN(part); k++) /* the first step is with the rate that is said */
				for (int r = 0; i && r < part[k].rows; r++) {
					const bool live = live_of[0][part[k].first + r];
					const cop_type *type = cop__t(was, cop__find(was, part[k].name));
					const int64_t n = cop_type_count(type) / type->dim[0];
					if (row_moved(was, g[1], part[k].name, r) != (live && row_moved(was, g[0], part[k].name, r))) fail_msg("neuron %d of '%s' is %s", r, part[k].name, live ? "trained and stays" : "left out and moves");
					for (int64_t j = r * n; live && j < (r + 1) * n; j++)
						if (fabsf(cop__floats(g[0], cop__find(g[0], part[k].name))[j] - cop__floats(g[1], cop__find(g[1], part[k].name))[j]) > 1e-6f) fail_msg("'%s' of neuron %d moves otherwise", part[k].name, r);
				}
			if (!i && !s) { /* the other one is compared with the first step of this one */
				cop_trainer_free(t);
				t = NULL;
				break;
			}
		}
		if (t) rate[i] = cop__trainer_rate(t), cop_trainer_free(t);
	}
	assert_true(rate[1] > 0 && rate[1] != 0.05f);
	for (int i = 0; i < 2; i++) cop_graph_free(g[i]);
	cop_graph_free(was);
	cop_ctx_free(cx);
}

/* A rule that knows no lists is told of one that leaves a part of a layer out; whole layers it can leave. */
static void rules(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = tiny(cx), *train;
	(void)state;

	OK(cx, cop__neurons_list(g, "*", "test", live_of[0]));
	assert_int_equal(cop_graph_train(&train, g, "lion"), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "'conv1.w' has a list of rows that are trained, and lion changes whole weights"));
	cop_error_clear(cx);
	cop_trainer *t; /* mezo moves weights without a node that has the list */
	assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = "mezo", .threads = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "mezo changes whole weights"));
	cop_error_clear(cx);
	OK(cx, cop__neurons_list(g, "*", "test", live_of[2]));
	OK(cx, cop_graph_train(&train, g, "lion"));
	cop_graph_free(train);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static cop_status two_targets(void *ud, int32_t i, float *y)
{
	(void)ud;
	y[0] = (float)(i % 3), y[1] = (float)(i % 2);
	return COP_OK;
}

/* Gradients are measured with classes; without them there would be those of another loss. */
static void no_classes(void **state)
{
	static const char *const policies[] = {"neq:threshold=learnt", "select:by=gradient", "select:by=tra-dy", "select:by=elastic"};
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	varied(&d, 32, 6, 1);
	d.classes = 0, d.targets = 2, d.target = two_targets;
	for (int i = 0; i < LEN(policies); i++) {
		char says[64];
		snprintf(says, sizeof says, "%s: gradients are those of classes", i ? "select" : "neq");
		refuses(cx, &d, few.update, policies[i], says);
	}
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *update, *policies, *says; int32_t samples; } row[] = {
		{"sgd", "neq", "3 samples are too few", 3}, {"sgd layers=fc2*", "neq", "no convolution or fully connected layer", 32},
		{"sgd", "neq; neq", "only one can choose", 32}, {"sgd nesterov=1", "neq:threshold=steps", "which those of Nesterov's momentum do not tell; use sgd without it", 32}, {"sgd", "prefix; neq", "take one of them", 32},
		{"sgd", "select:budget=some", "neither a part of the weights, such as 20%, nor bytes", 32}, {"sgd", "select:budget=0%", "neither a part", 32}, {"sgd", "select:budget=4Q", "neither a part", 32},
		{"sgd", "select:budget=100", "takes 104 bytes for its gradient and its input; a budget of 100 is smaller", 32},
		{"sgd", "select:budget=1%", "smaller than any neuron that could be chosen: there are 229 numbers in 7 neurons", 32}};
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		varied(&d, row[i].samples, 6, 1);
		refuses(cx, &d, row[i].update, row[i].policies, row[i].says);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(similar), cmocka_unit_test(stays), cmocka_unit_test(moves_alike), cmocka_unit_test(counted), cmocka_unit_test(many_names), cmocka_unit_test(no_classes), cmocka_unit_test(thresholds),
		cmocka_unit_test(resumed), cmocka_unit_test(rules), cmocka_unit_test(within_a_budget), cmocka_unit_test(ways), cmocka_unit_test(gradients), cmocka_unit_test(memory), cmocka_unit_test(learnt_rate), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
