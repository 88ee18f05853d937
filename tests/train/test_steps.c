/* SPDX-License-Identifier: Apache-2.0
 *
 * Training by hand: one weight w, y = w x with x = 1, against 0, so the loss is w^2 and its gradient 2 w. What each rule of updates and each
 * schedule makes of that is known by arithmetic, and so are the losses, rates and accuracies that a run tells of, epoch by epoch.
 */
#include "help.h"
#include "train/schedule.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

/* y = w x, and with `bias` y = w x + b; n outputs. */
static cop_graph *line(cop_ctx *cx, int32_t n, const float *w, const float *bias)
{
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 1)), tw = cop__type(COP_F32, 2, DIMS(n, 1)), tb = cop__type(COP_F32, 1, DIMS(n));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "line"));
	cop_vid x = cop__input(g, "x", &in), vw = cop__data(g, COP_PARAM, "w", &tw, w), vb = bias ? cop__data(g, COP_PARAM, "b", &tb, bias) : 0;
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, bias ? 3 : 2, (cop_vid[]){x, vw, vb}), "y"));
	return g;
}

static float at(const cop_graph *g, const char *name, int i) { return cop__floats(g, cop__find(g, name))[i]; }

/* ---- rules of updates ---- */

enum { STEPS = 5 };
static const double rate = 0.25;

/* The rules as their papers have them, in doubles, for loss w^2. */
typedef struct rule { const char *spec; double momentum, decay, clip; bool nesterov, adam, apart; } rule;

static void by_hand(double w[STEPS + 1], const rule *r)
{
	double m = 0, v = 0;

	for (int t = 1; t <= STEPS; t++) {
		double g = 2 * w[t - 1], norm = fabs(g);
		if (r->clip > 0 && norm > r->clip) g *= r->clip / norm;
		if (!r->apart) g += r->decay * w[t - 1];
		if (r->adam) {
			m = 0.9 * m + 0.1 * g;
			v = 0.999 * v + 0.001 * g * g;
			w[t] = w[t - 1] - rate * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
			if (r->apart) w[t] -= rate * r->decay * w[t - 1];
		} else {
			m = r->momentum * m + g;
			w[t] = w[t - 1] - rate * (r->nesterov ? g + r->momentum * m : m);
		}
	}
}

static void rules(void **state)
{
	static const rule row[] = {
		{.spec = "sgd momentum=0"}, {.spec = "sgd momentum=0.5", .momentum = 0.5}, {.spec = "", .momentum = 0.9}, {.spec = "sgd", .momentum = 0.9}, {.spec = "sgd momentum=0.5 nesterov=1", .momentum = 0.5, .nesterov = true},
		{.spec = "sgd momentum=0 decay=0.5", .decay = 0.5}, {.spec = "sgd momentum=0.5 decay=0.5 nesterov=1", .momentum = 0.5, .decay = 0.5, .nesterov = true},
		{.spec = "sgd momentum=0 clip=1", .clip = 1}, {.spec = "sgd momentum=0 clip=1.5 decay=0.25", .clip = 1.5, .decay = 0.25}, {.spec = "sgd momentum=0 clip=0"}, {.spec = "adam", .adam = true},
		{.spec = "adam decay=0.5", .adam = true, .decay = 0.5}, {.spec = "adamw decay=0.5", .adam = true, .decay = 0.5, .apart = true}, {.spec = "adamw", .adam = true}, {.spec = "adam clip=1", .adam = true, .clip = 1},
	};
	const float one = 1;
	char spec[100];

	for (int i = 0; i < 2 * LEN(row); i++) { /* whole steps, and in halves */
		const rule *r = &row[i / 2];
		double want[STEPS + 1] = {1};
		cop_graph *g = line(*state, 1, &one, NULL);
		cop_trainer *t;
		cop_tensor x, target, y, dw;
		snprintf(spec, sizeof spec, "%s loss=mse", r->spec);
		by_hand(want, r);
		OK(*state, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = spec, .apart = i % 2}));
		OK(*state, cop_trainer_input(t, 0, &x));
		OK(*state, cop_trainer_input(t, 1, &target));
		for (int k = 0; k < STEPS; k++) {
			float loss = -1;
			*(float *)x.data = 1, *(float *)target.data = 0;
			if (i % 2) {
				OK(*state, cop_trainer_gradients(t, &loss));
				assert_string_equal(cop_trainer_gradient(t, 0, &dw), "w");
				assert_null(cop_trainer_gradient(t, 1, &dw));
				assert_float_equal(*(float *)dw.data, 2 * want[k], 1e-5);
				OK(*state, cop_trainer_update(t, (float)rate));
			} else {
				OK(*state, cop_trainer_step(t, (float)rate, &loss));
				assert_null(cop_trainer_gradient(t, 0, &dw));
			}
			OK(*state, cop_trainer_output(t, 0, &y));
			assert_float_equal(*(float *)y.data, want[k], 1e-5);
			if (fabs((double)loss - want[k] * want[k]) > 1e-5) fail_msg("%s: the loss of step %d is %g, not %g", spec, k + 1, (double)loss, want[k] * want[k]);
			OK(*state, cop_trainer_pull(t, g));
			if (fabs((double)at(g, "w", 0) - want[k + 1]) > 1e-5) fail_msg("%s: after step %d w is %g, not %g", spec, k + 1, (double)at(g, "w", 0), want[k + 1]);
		}
		cop_trainer_free(t);
		cop_graph_free(g);
	}
}

/* y = 1 x + 1 against 0: the gradient of both is 4, the norm sqrt(32). Decay spares the bias, and `layers` says what is trained. */
static void two_parameters(void **state)
{
	static const struct { const char *spec; double w, b; } row[] = {
		{"sgd momentum=0", 0, 0}, {"sgd momentum=0 decay=0.5", -0.125, 0}, {"sgd momentum=0 layers=b", 1, 0}, {"sgd momentum=0 layers=w", 0, 1}, {"sgd momentum=0 layers=w|b", 0, 0}, {"sgd momentum=0 layers=*", 0, 0},
		{"sgd momentum=0 clip=2", 1 - 0.25 * 1.41421356, 1 - 0.25 * 1.41421356}, {"sgd momentum=0 clip=2 layers=w", 0.5, 1}, {"sgd momentum=0 clip=6", 0, 0}, {"adam", 0.75, 0.75}, {"adamw decay=1", 0.5, 0.75},
	};
	const float one = 1;
	char spec[100];

	for (int i = 0; i < 2 * LEN(row); i++) {
		cop_graph *g = line(*state, 1, &one, &one);
		cop_trainer *t;
		cop_tensor x, target;
		float loss = -1;
		snprintf(spec, sizeof spec, "%s loss=mse", row[i / 2].spec);
		OK(*state, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 2, .threads = 1, .spec = spec, .apart = i % 2}));
		OK(*state, cop_trainer_input(t, 0, &x));
		OK(*state, cop_trainer_input(t, 1, &target));
		for (int k = 0; k < 2; k++) ((float *)x.data)[k] = 1, ((float *)target.data)[k] = 0; /* the mean of two that are alike */
		if (i % 2) {
			OK(*state, cop_trainer_gradients(t, &loss));
			OK(*state, cop_trainer_update(t, 0.25f));
		} else {
			OK(*state, cop_trainer_step(t, 0.25f, &loss));
		}
		assert_float_equal(loss, 4, 1e-6);
		OK(*state, cop_trainer_pull(t, g));
		if (fabs((double)at(g, "w", 0) - row[i / 2].w) > 1e-5 || fabs((double)at(g, "b", 0) - row[i / 2].b) > 1e-5) fail_msg("%s: w %g, b %g", spec, (double)at(g, "w", 0), (double)at(g, "b", 0));
		cop_trainer_free(t);
		cop_graph_free(g);
	}
}

/* Logits 1 and 0, class 0: p = e / (e + 1). With a smoothing of s the target is 1 - s / 2 and s / 2. Rows without a label do not count. */
static void classes(void **state)
{
	static const float w[2] = {1, 0};
	static const double smooth[] = {0, 0.2};
	char spec[100];

	for (int i = 0; i < 2; i++) {
		cop_graph *g = line(*state, 2, w, NULL);
		cop_trainer *t;
		cop_tensor x, label;
		float loss;
		double p = exp(1) / (exp(1) + 1), want = 1 - smooth[i] / 2;
		snprintf(spec, sizeof spec, "sgd momentum=0 loss=xent smooth=%g", smooth[i]);
		OK(*state, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .threads = 1, .spec = spec}));
		OK(*state, cop_trainer_input(t, 0, &x));
		OK(*state, cop_trainer_input(t, 1, &label));
		for (int k = 0; k < 4; k++) ((float *)x.data)[k] = 1, ((int32_t *)label.data)[k] = k < 3 ? 0 : -1;
		OK(*state, cop_trainer_step(t, 0.5f, &loss));
		assert_float_equal(loss, -want * log(p) - (1 - want) * log(1 - p), 1e-6);
		OK(*state, cop_trainer_pull(t, g));
		assert_float_equal(at(g, "w", 0), 1 - 0.5 * (p - want), 1e-6);
		assert_float_equal(at(g, "w", 1), 0 - 0.5 * (1 - p - (1 - want)), 1e-6);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
}

/* ---- a run ---- */

typedef struct seen { int ends, within; cop_epoch end[10]; bool wrong; } seen;
static void on_epoch(void *ud, const cop_epoch *e)
{
	seen *s = ud;
	if (e->done < 1) s->within++, s->wrong |= !(e->done > 0) || e->accuracy != -1;
	else if (s->ends < 10) s->end[s->ends++] = *e;
	s->wrong |= strcmp(e->stage, "train") || !(e->seconds >= 0) || !(e->seconds_left >= 0) || e->epoch < 1 || e->epoch > e->epochs;
}

static cop_status ones(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud, (void)i;
	*x = 1;
	*label = 0;
	return COP_OK;
}

static cop_status five(void *ud, int32_t i, float *y) { (void)ud, (void)i; *y = 5; return COP_OK; }

static cop_dataset alike(int32_t n) { return (cop_dataset){.name = "ones", .x = cop__type(COP_F32, 1, DIMS(1)), .count = n, .get = ones}; }

/* Numbers that are always 5 are learnt as 0 in units of their deviation, which is 1: w is halved at each step, of which an epoch of 3 samples in
 * twos has two; rows that fill up the second change nothing. The same of a network that gives back its input, if y = w x against x. */
static void epochs(void **state)
{
	for (int i = 0; i < 8; i++) {
		int32_t batch = i % 4 + 1, per = (3 - 1) / batch + 1, n = 0;
		bool regress = i < 4;
		const float start = regress ? 1 : 2; /* y - x = (w - 1) x */
		cop_graph *g = line(*state, 1, &start, NULL);
		cop_dataset d = alike(3);
		seen s = {0};
		cop_train_args a = {.epochs = 3, .batch = batch, .threads = 1, .lr = 0.25f, .update = "sgd momentum=0", .schedule = "constant", .progress = on_epoch, .ud = &s};
		if (regress) d.targets = 1, d.target = five;
		OK(*state, cop_train(g, &d, NULL, &a));
		assert_int_equal(s.ends, 3);
		assert_false(s.wrong);
		double w = 1;
		for (int e = 0; e < 3; e++) {
			double sum = 0;
			for (int k = 0; k < per; k++) sum += w * w, w /= 2;
			if (fabs((double)s.end[e].loss - sum / per) > 1e-6) fail_msg("batches of %d, epoch %d: the loss is %g, not %g", batch, e + 1, (double)s.end[e].loss, sum / per);
			assert_true(s.end[e].epoch == e + 1 && s.end[e].epochs == 3 && s.end[e].lr == 0.25f && s.end[e].accuracy == -1);
			n += per;
		}
		if (fabs((double)at(g, "w", 0) - (regress ? w : 1 + w)) > 1e-6) fail_msg("batches of %d: w is %g, not %g after %d steps", batch, (double)at(g, "w", 0), w, n);
		cop_graph_free(g);
	}
}

/* Of two classes, learnt from class 0 alone: the accuracy of each epoch is that of the other set. */
static cop_status class_of(void *ud, int32_t i, float *x, int32_t *label) { *label = i < *(int *)ud ? 0 : 1; *x = 1; return COP_OK; }

static void accuracies(void **state)
{
	static const float w[2] = {0, 0.5f};
	int all = 4, three = 3;
	cop_dataset d = {.name = "zero", .x = cop__type(COP_F32, 1, DIMS(1)), .count = 4, .classes = 2, .get = class_of, .ud = &all}, v = d;
	cop_graph *g = line(*state, 2, w, NULL);
	seen s = {0};
	/* w0 - w1 grows by 2 lr (1 - p), p of class 0: -0.5, -0.25, ... with lr 0.2 */
	cop_train_args a = {.epochs = 4, .batch = 4, .threads = 1, .lr = 0.2f, .update = "sgd momentum=0", .schedule = "constant", .progress = on_epoch, .ud = &s};
	double z = -0.5, loss[4], right[4];

	v.ud = &three;
	for (int e = 0; e < 4; e++) {
		double p = 1 / (1 + exp(-z));
		loss[e] = -log(p);
		z += 2 * 0.2 * (1 - p);
		right[e] = z >= 0 ? 0.75 : 0.25;
	}
	OK(*state, cop_train(g, &d, &v, &a));
	for (int e = 0; e < 4; e++) {
		assert_float_equal(s.end[e].loss, loss[e], 1e-5);
		assert_float_equal(s.end[e].accuracy, right[e], 0);
	}
	assert_true(right[0] != right[3]);
	assert_float_equal(at(g, "w", 0) - at(g, "w", 1), z, 1e-5);
	cop_graph_free(g);
}

/* ---- rates ---- */

static void schedules(void **state)
{
	static const struct { const char *text; double epoch, epochs, want; } row[] = {
		{"constant", 3.5, 10, 1}, {"constant:warmup=4", 0, 10, 0}, {"constant:warmup=4", 1, 10, 0.25}, {"constant:warmup=4", 3.5, 10, 0.875}, {"constant:warmup=4", 4, 10, 1}, {"constant:warmup=4", 5, 10, 1},
		{"step", 9.99, 30, 1}, {"step", 10, 30, 0.1}, {"step", 20, 30, 0.01}, {"step:every=2,by=0.5", 1.9, 10, 1}, {"step:every=2,by=0.5", 2, 10, 0.5}, {"step:every=2,by=0.5", 5, 10, 0.25}, {"step:every=0.5,by=0.5", 1.25, 10, 0.25},
		{"step:every=2,by=0.5,warmup=4", 3, 10, 0.375}, {"cosine", 0, 10, 1}, {"cosine", 5, 10, 0.5}, {"cosine", 10, 10, 0}, {"cosine", 12, 10, 0}, {"cosine", 2.5, 10, 0.8535534}, {NULL, 2.5, 10, 0.8535534},
		{"cosine:to=0.2", 0, 10, 1}, {"cosine:to=0.2", 5, 10, 0.6}, {"cosine:to=0.2", 10, 10, 0.2}, {"cosine:to=1", 7, 10, 1}, {"cosine:warmup=2", 1, 4, 0.5 * 0.8535534}, {"cosine:warmup=2", 2, 4, 0.5},
		{"triangle", 0, 10, 0.2}, {"triangle", 1.15, 10, 0.6}, {"triangle", 2.3, 10, 1}, {"triangle", 6.15, 10, 0.535}, {"triangle", 10, 10, 0.07}, {"triangle:from=0.5,peak=0.5,to=0", 5, 20, 0.75}, {"triangle:from=0.5,peak=0.5,to=0", 15, 20, 0.5}, {"triangle:peak=0", 0, 4, 1},
	};
	static const struct { const char *text, *says; } bad[] = {{"moon", "moon"}, {"cosin", "did you mean 'cosine'?"}, {"cosine:by=0.1", "by"}, {"step:every=0", "every"}, {"step:by=11", "by"}, {"cosine:to=1.5", "to"}, {"cosine:warmup=-1", "warmup"}, {"", ""}};
	cop_schedule s;

	for (int i = 0; i < LEN(row); i++) {
		OK(*state, cop__schedule_parse(&s, *state, row[i].text));
		double got = (double)cop__schedule_at(&s, row[i].epoch, row[i].epochs);
		if (fabs(got - row[i].want) > 1e-6) fail_msg("%s at epoch %g of %g: %g, not %g", row[i].text, row[i].epoch, row[i].epochs, got, row[i].want);
	}
	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(cop__schedule_parse(&s, *state, bad[i].text), COP_ARG);
		if (!strstr(cop_error_text(*state), bad[i].says)) fail_msg("'%s': %s", bad[i].text, cop_error_text(*state));
		cop_error_clear(*state);
	}
}

/* The rate that an epoch tells is that of its last step: of two an epoch, the second begins at its half. */
static void rates_told(void **state)
{
	static const struct { const char *schedule; double lr[4]; } row[] = {
		{"constant", {1, 1, 1, 1}}, {"step:every=1,by=0.5", {1, 0.5, 0.25, 0.125}}, {"constant:warmup=2", {0.25, 0.75, 1, 1}}, {"cosine", {0.9619398, 0.6913417, 0.3086583, 0.0380602}}, {NULL, {0.9619398, 0.6913417, 0.3086583, 0.0380602}},
	};
	const float one = 1;

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = line(*state, 1, &one, NULL);
		cop_dataset d = alike(4);
		seen s = {0};
		OK(*state, cop_train(g, &d, NULL, &(cop_train_args){.epochs = 4, .batch = 2, .threads = 1, .lr = 0.125f, .schedule = row[i].schedule, .progress = on_epoch, .ud = &s}));
		for (int e = 0; e < 4; e++)
			if (fabs((double)s.end[e].lr - 0.125 * row[i].lr[e]) > 1e-6) fail_msg("%s: the rate of epoch %d is %g", row[i].schedule, e + 1, (double)s.end[e].lr);
		cop_graph_free(g);
	}
}

/* ---- what is refused ---- */

static void refused(void **state)
{
	static const struct { const char *spec, *says; int32_t batch; } row[] = {
		{"sgd speed=9", "speed", 1}, {"sgdd", "sgdd", 1}, {"loss=hinge", "hinge", 1}, {"layers=c loss=mse", "layers=c", 1}, {"loss=mse momentum=1", "momentum", 1}, {"loss=mse smooth=0.1", "smooth", 1}, {"loss=mse", "at least 1", 0},
		{"adam momentum=0.9 loss=mse", "momentum", 1}, {"loss=mse clip=-1", "clip", 1}, {"loss=mse decay=-1", "decay", 1}, {"loss=mse lr=-1", "lr", 1},
	};
	const float one = 1;
	cop_graph *g = line(*state, 1, &one, NULL);
	cop_trainer *t;
	cop_dataset d = alike(2);

	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = row[i].batch, .threads = 1, .spec = row[i].spec}), COP_ARG);
		assert_null(t);
		if (!strstr(cop_error_text(*state), row[i].says)) fail_msg("'%s': %s", row[i].spec, cop_error_text(*state));
		cop_error_clear(*state);
	}
	OK(*state, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 1, .threads = 1, .spec = "loss=mse"}));
	assert_int_equal(cop_trainer_gradients(t, NULL), COP_ARG);
	assert_int_equal(cop_trainer_update(t, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "without `apart`"));
	cop_error_clear(*state);
	cop_trainer_free(t);
	for (int i = 0; i < 3; i++) {
		cop_train_args a = {.epochs = i != 0, .batch = i != 1, .threads = 1, .lr = 0.1f};
		d.count = i == 2 ? 0 : 2;
		assert_int_equal(cop_train(g, &d, NULL, &a), COP_ARG);
		assert_int_not_equal(*cop_error_text(*state), 0);
		assert_true(at(g, "w", 0) == 1);
		cop_error_clear(*state);
	}
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(rules), TEST(two_parameters), TEST(classes), TEST(epochs), TEST(accuracies), TEST(schedules), TEST(rates_told), TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
