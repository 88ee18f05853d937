/* SPDX-License-Identifier: Apache-2.0
 *
 * airbench and its parts: steps of a narrow one against PyTorch, whitening filters against its eigenvectors (make_airbench_reference.py), what begins as
 * an identity, what is trained when, and slow weights that come down by a power of the time.
 */
#include "help.h"
#include "train/airbench_reference.h"
#include "train/policy.h"
#include "train/policy/whiten.h"

enum { BATCH = 4, SAMPLES = 20, EACH = 32 * 32 * 3 };

static cop_graph *narrow(cop_ctx *cx, int32_t batch)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "airbench-0.05", &(cop_zoo_args){.batch = batch, .seed = 3}));
	return g;
}

static void steps(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = narrow(cx, BATCH);
	cop_trainer *t;
	int i = 0;

	(void)state;
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (g->value[v].role != COP_PARAM) continue;
		float *w = strstr(g->value[v].name, "gamma") ? NULL : cop__own(g, (cop_vid)v);
		for (int64_t k = 0; w && k < cop_type_count(cop__t(g, (cop_vid)v)); k++) w[k] = (float)(0.3 * (double)(float)sin(1.7 * (double)k + 2 * i));
		i++;
	}
	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = BATCH, .threads = 1,
		.spec = "sgd momentum=0.85 nesterov=1 decay=0.00133 rates=*.bn.beta:64;*.bn.gamma:0;whiten.w:0 loss=xent smooth=0.2"}));
	for (int step = 0; step < LEN(airbench_loss); step++) {
		cop_tensor x, label;
		float loss;
		OK(cx, cop_trainer_input(t, 0, &x));
		OK(cx, cop_trainer_input(t, 1, &label));
		for (int k = 0; k < BATCH * EACH; k++) ((float *)x.data)[k] = (float)sin(0.9 * k + step);
		for (int k = 0; k < BATCH; k++) ((int32_t *)label.data)[k] = (k + step) % 10;
		OK(cx, cop_trainer_step(t, 0.01f, &loss));
		print_message("step %d: loss %.7f, PyTorch %.7f\n", step, (double)loss, airbench_loss[step]);
		if (!(fabs((double)loss - airbench_loss[step]) < 2e-4)) fail_msg("the loss of step %d is %.7g, not %.7g", step, (double)loss, airbench_loss[step]);
	}
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- how it begins ---- */

static void identity(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = narrow(cx, 1);
	const cop_vid v = cop__find(g, "group2.conv2.w");
	const float *w = cop__floats(g, v), *wide = cop__floats(g, cop__find(g, "group2.conv1.w"));

	(void)state;
	assert_int_equal(cop__t(g, v)->dim[0], 13);
	for (int o = 0; o < 13; o++)
		for (int k = 0; k < 9; k++)
			for (int c = 0; c < 13; c++) assert_true(w[(o * 9 + k) * 13 + c] == (k == 4 && o == c));
	for (int k = 0; k < 9; k++) /* 3 channels come in: the fourth filter is drawn */
		for (int c = 0; c < 3; c++) assert_true(wide[(2 * 9 + k) * 3 + c] == (k == 4 && c == 2) && wide[(3 * 9 + k) * 3 + c] != 0);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int64_t k = 0; k < EACH; k++) x[k] = (float)((double)((k * k * 7919 + k * 104729 + i * 15485863LL + i * k * 31) % 1009) / 1009);
	*label = i % 10;
	return COP_OK;
}

static const cop_dataset set = {.name = "numbers", .x = {.dtype = COP_F32, .rank = 3, .dim = {32, 32, 3}}, .count = SAMPLES, .classes = 10, .get = get};

/* What is trained in each epoch. */
typedef struct watch { float w[24 * 12], b[24], conv[3 * 216]; int32_t moved_bias, moved_w, epochs; const cop_graph *g; } watch;

static cop_status see(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *u = ud;
	const float *w = cop__floats(u->g, cop__find(u->g, "whiten.w")), *b = cop__floats(u->g, cop__find(u->g, "whiten.b")), *c = cop__floats(u->g, cop__find(u->g, "group1.conv1.w"));

	(void)v;
	if (p->epoch) u->moved_w += memcmp(w, u->w, sizeof u->w) != 0, assert_memory_not_equal(c, u->conv, sizeof u->conv);
	u->moved_bias += memcmp(b, u->b, sizeof u->b) != 0;
	memcpy(u->w, w, sizeof u->w), memcpy(u->b, b, sizeof u->b), memcpy(u->conv, c, sizeof u->conv);
	u->epochs++;
	return COP_OK;
}

static void whitened(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = narrow(cx, 1);
	cop_dataset d = set;
	watch u = {.g = g};
	const cop_policy p = {.name = "watch", .ud = &u, .epoch = see};
	const cop_train_args a = {.epochs = 4, .batch = 5, .lr = 0.01f, .threads = 1, .update = "sgd momentum=0.9", .schedule = "constant", .policies = "whiten:bias=2"};

	(void)state;
	OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
	assert_int_equal(u.epochs, 4);
	assert_int_equal(u.moved_w, 0);
	assert_int_equal(u.moved_bias, 2); /* in the first two epochs */
	for (int i = 0; i < 12; i++)
		for (int k = 0; k < 12; k++) {
			const double want = airbench_filter[i][k];
			if (!(fabs((double)u.w[i * 12 + k] - want) < 1e-4 * (1 + fabs(want)))) fail_msg("filter %d, number %d is %g, not %g", i, k, (double)u.w[i * 12 + k], want);
			assert_true(u.w[(12 + i) * 12 + k] == -u.w[i * 12 + k]);
		}
	for (int32_t v = 1; v <= g->n_value; v++) assert_true(!strstr(g->value[v].name ? g->value[v].name : "", "whiten.w") || g->value[v].role == COP_PARAM);
	assert_int_equal(g->value[cop__find(g, "whiten.b")].role, COP_PARAM);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *net, *policy, *says; } row[] = {
		{"airbench-0.05", "whiten:layer=fc*", "no convolution"}, {"lenet-300-100", "whiten", "no convolution"}, {"resnet-8", "whiten:layer=layer3.0.conv2*", "at most 256"},
		{"ds-cnn", "whiten:layer=block1.dw*", "one group"}};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		OK(cx, cop_zoo_build(&g, cx, row[i].net, NULL));
		cop_dataset d = set;
		cop_type x = *cop__t(g, g->input[0]);
		d.x = cop__type(COP_F32, 3, x.dim + 1);
		if (x.rank == 2) d.x = cop__type(COP_F32, 1, x.dim + 1);
		cop_train_args a = {.epochs = 1, .batch = 5, .lr = 0.01f, .threads = 1, .policies = row[i].policy};
		assert_int_equal(cop_train(g, &d, NULL, &a), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].policy, cop_error_text(cx));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* a = v' l v of a matrix of sines; rows of length 1, at right angles, the largest value first. */
static void eigenvectors(void **state)
{
	enum { N = 9 };
	double a[N * N], was[N * N], v[N * N];

	(void)state;
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) was[i * N + j] = a[i * N + j] = sin(3.1 * (i + j) + i * j) + (i == j) * i;
	cop__eigen(a, v, N);
	for (int i = 0; i < N; i++) {
		assert_true(!i || a[i * N + i] <= a[(i - 1) * (N + 1)]);
		double most = 0;
		for (int j = 0; j < N; j++) {
			double dot = 0, made = 0;
			for (int k = 0; k < N; k++) dot += v[i * N + k] * v[j * N + k], made += v[k * N + i] * a[k * (N + 1)] * v[k * N + j];
			assert_true(fabs(dot - (i == j)) < 1e-10);
			assert_true(fabs(made - was[i * N + j]) < 1e-10);
			if (fabs(v[i * N + j]) > fabs(most)) most = v[i * N + j];
		}
		assert_true(most > 0);
	}
}

/* ---- slow weights ---- */

enum { STEPS = 16 };
typedef struct slow { float fast[STEPS + 1][3 * 216], now[STEPS + 1][3 * 216], mean[STEPS + 1][3], running[STEPS + 1][3]; int n; } slow;

static void note(slow *s, const cop_progress *p, float w[3 * 216], float mean[3])
{
	cop_tensor t;
	(void)s;
	if (cop__trainer_named(p->t, "group1.conv1.w", &t)) fail();
	memcpy(w, t.data, sizeof *s->now);
	if (cop__trainer_named(p->t, "group1.conv1.bn.mean", &t)) fail();
	memcpy(mean, t.data, sizeof *s->mean);
}

static cop_status before(void *ud, const cop_progress *p) { return note(ud, p, ((slow *)ud)->now[p->step], ((slow *)ud)->running[p->step]), COP_OK; }
static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	slow *s = ud;

	(void)v;
	note(s, p, s->fast[p->step], s->mean[p->step]);
	s->n++;
	return COP_OK;
}

/* Every fifth step the weights are 1 - 0.774 (t / T)^3 of the way to the fast ones, and after the last one where they were. */
static void by_power(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = narrow(cx, 1);
	cop_dataset d = set;
	slow *s = calloc(1, sizeof *s);
	const cop_policy p = {.name = "watch", .ud = s, .before = before, .after = after};
	const cop_train_args a = {.epochs = 4, .batch = 5, .lr = 0.01f, .threads = 1, .update = "sgd momentum=0.9", .schedule = "constant", .policies = "lookahead:steps=5,part=0.226,power=3,means=yes"};

	(void)state;
	OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
	assert_int_equal(s->n, STEPS);
	float *w = s->now[0], *m = s->running[0];
	for (int step = 5; step <= 15; step += 5) {
		const float part = (float)(1 - 0.774 * pow(step / 16.0, 3));
		for (int k = 0; k < 3 * 216; k++) {
			const float want = w[k] + part * (s->fast[step][k] - w[k]);
			if (!(fabsf(s->now[step][k] - want) < 1e-6f)) fail_msg("step %d, number %d: %g, not %g", step, k, (double)s->now[step][k], (double)want);
		}
		for (int k = 0; k < 3; k++) assert_true(fabsf(s->running[step][k] - (m[k] + part * (s->mean[step][k] - m[k]))) < 1e-6f);
		w = s->now[step], m = s->running[step];
	}
	assert_memory_equal(cop__floats(g, cop__find(g, "group1.conv1.w")), w, sizeof *s->now);
	assert_memory_equal(cop__floats(g, cop__find(g, "group1.conv1.bn.mean")), m, sizeof *s->mean);
	free(s);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(identity), cmocka_unit_test(whitened), cmocka_unit_test(refused), cmocka_unit_test(eigenvectors), cmocka_unit_test(by_power)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
