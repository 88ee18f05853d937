/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies that shrink weights: a spy in front of them copies what the updates have left, and the next step has to begin with that, shrunk as the
 * formula says, number by number. And what was trained to zero leaves the network without a trace.
 */
#include "pass/nets.h"
#include "train/policy.h"

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 72; k++) x[k] = cop__rand_unit(1, (uint32_t)i, (uint64_t)k) - 0.5f;
	*label = i % 3;
	return COP_OK;
}

static cop_dataset samples(void) { return (cop_dataset){.name = "noise", .x = cop__type(COP_F32, 3, DIMS(6, 6, 2)), .count = 24, .classes = 3, .get = sample}; }

/* a: 5 filters; b: 4 of them, half the size; a fully connected layer over its 3x3 pictures. */
static cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "a", 5, 3, 1, 1, false), "bna"));
	x = relu(g, bn(g, conv(g, x, "b", 4, 3, 2, 1, false), "bnb"));
	OK(cx, cop__output(g, fc(g, flatten(g, x), "head", 3, true), "y"));
	return g;
}

/* ---- what a number belongs to, by the formula ---- */

enum { A, B, HEAD, GAMMA_A, BETA_A, GAMMA_B, BETA_B, BIAS, TENSORS, MOST = 200, GROUPS = 300 };
static const struct { const char *name; int32_t outer, inner; } tensor[TENSORS] = {{"a.w", 5, 18}, {"b.w", 4, 45}, {"head.w", 3, 36}, {"bna.gamma", 5, 1}, {"bna.beta", 5, 1}, {"bnb.gamma", 4, 1}, {"bnb.beta", 4, 1}, {"head.b", 3, 1}};

typedef struct belongs { int32_t row, column; } belongs; /* numbers of groups, -1: none */

static belongs filters(int t, int32_t i) { return (belongs){t == A ? i / 18 : t == B ? 5 + i / 45 : -1, -1}; }
static belongs channels(int t, int32_t i) { return (belongs){-1, t == B ? i % 5 : t == HEAD ? 5 + i % 36 : -1}; }
static belongs shapes(int t, int32_t i) { return (belongs){t == A ? i % 18 : t == B ? 18 + i % 45 : -1, -1}; }
static belongs depth(int t, int32_t i) { return (void)i, (belongs){t == B ? 0 : -1, -1}; }
static belongs coupled(int t, int32_t i)
{
	if (t == A || t == GAMMA_A || t == BETA_A) return (belongs){i / tensor[t].inner, -1};
	if (t == B) return (belongs){5 + i / 45, i % 5};
	if (t == GAMMA_B || t == BETA_B) return (belongs){5 + i, -1};
	return (belongs){-1, t == HEAD ? 5 + i % 4 : -1};
}

typedef struct state { float w[TENSORS][MOST]; double sq[GROUPS]; int size[GROUPS]; } numbers;

static void measure(numbers *x, belongs (*of)(int, int32_t))
{
	memset(x->sq, 0, sizeof x->sq);
	memset(x->size, 0, sizeof x->size);
	for (int t = 0; t < TENSORS; t++)
		for (int32_t i = 0; i < tensor[t].outer * tensor[t].inner; i++) {
			belongs b = of(t, i);
			double sq = (double)x->w[t][i] * (double)x->w[t][i];
			if (b.row >= 0) x->sq[b.row] += sq, x->size[b.row]++;
			if (b.column >= 0) x->sq[b.column] += sq, x->size[b.column]++;
		}
}

static void scale(numbers *x, belongs (*of)(int, int32_t), const double *factor)
{
	for (int t = 0; t < TENSORS; t++)
		for (int32_t i = 0; i < tensor[t].outer * tensor[t].inner; i++) {
			belongs b = of(t, i);
			if (b.row >= 0) x->w[t][i] *= (float)factor[b.row];
			if (b.column >= 0) x->w[t][i] *= (float)factor[b.column];
		}
}

static void lasso(numbers *x, belongs (*of)(int, int32_t), double by)
{
	double factor[GROUPS];
	measure(x, of);
	for (int k = 0; k < GROUPS; k++) factor[k] = x->sq[k] > 0 ? fmax(0, 1 - by * sqrt(x->size[k] / x->sq[k])) : 0;
	scale(x, of, factor);
}

static double last_factor[GROUPS];

/* By hand: 2^(3 (most - length) / (most - least)) in each layer, measured in every second step. */
static void grow(numbers *x, double rate, int64_t step, int64_t steps)
{
	static const int from[] = {0, 5, 9};
	double factor[GROUPS];

	if ((step - 1) % 2 == 0) {
		measure(x, coupled);
		for (int layer = 0; layer < 2; layer++) {
			double least = 1e9, most = 0;
			for (int k = from[layer]; k < from[layer + 1]; k++) least = fmin(least, sqrt(x->sq[k] / x->size[k])), most = fmax(most, sqrt(x->sq[k] / x->size[k]));
			for (int k = from[layer]; k < from[layer + 1]; k++) last_factor[k] = pow(2, 3 * (most - sqrt(x->sq[k] / x->size[k])) / (most - least));
		}
	}
	for (int k = 0; k < 9; k++) factor[k] = 1 - rate * 0.1 * (double)step / (double)steps * last_factor[k];
	scale(x, coupled, factor);
}

static void toward_zero(float *w, int n, double by)
{
	for (int i = 0; i < n; i++) w[i] = (float)(fabs((double)w[i]) <= by ? 0 : (double)w[i] - (w[i] > 0 ? by : -by));
}

enum { RATE_TIMES_1000 = 50 };
static const double RATE = RATE_TIMES_1000 / 1000.0;

static void shrink(numbers *x, const char *policy, int64_t step, int64_t steps)
{
	if (strstr(policy, "l1:"))
		for (int t = A; t <= HEAD; t++) toward_zero(x->w[t], tensor[t].outer * tensor[t].inner, RATE * 0.2);
	if (strstr(policy, "slimming:"))
		toward_zero(x->w[GAMMA_A], 5, RATE * 0.2), toward_zero(x->w[GAMMA_B], 4, RATE * 0.2);
	if (strstr(policy, "filters=")) lasso(x, filters, RATE * 0.1);
	if (strstr(policy, "channels=")) lasso(x, channels, RATE * 0.1);
	if (strstr(policy, "shapes=")) lasso(x, shapes, RATE * 0.1);
	if (strstr(policy, "depth=")) lasso(x, depth, RATE * 0.1);
	if (strstr(policy, "coupled=")) lasso(x, coupled, RATE * 0.1);
	if (strstr(policy, "grow:")) grow(x, RATE, step, steps);
}

/* ---- the spy ---- */

typedef struct spy { numbers x; const char *policy; bool seen; int zeros; } spy;

static void read_all(const cop_progress *p, numbers *x)
{
	for (int t = 0; t < TENSORS; t++) {
		cop_tensor w;
		if (cop__trainer_named(p->t, tensor[t].name, &w)) fail();
		assert_int_equal(cop_type_count(&w.type), tensor[t].outer * tensor[t].inner);
		memcpy(x->w[t], w.data, sizeof(float) * (size_t)(tensor[t].outer * tensor[t].inner));
	}
}

static cop_status before(void *ud, const cop_progress *p)
{
	spy *s = ud;
	static numbers now;

	if (!s->seen) return COP_OK;
	read_all(p, &now);
	shrink(&s->x, s->policy, p->step, p->steps);
	for (int t = 0; t < TENSORS; t++)
		for (int32_t i = 0; i < tensor[t].outer * tensor[t].inner; i++) {
			s->zeros += now.w[t][i] == 0;
			if (fabsf(now.w[t][i] - s->x.w[t][i]) > 2e-6f) fail_msg("%s, step %d: %s[%d] is %.8g, not %.8g", s->policy, (int)p->step, tensor[t].name, i, (double)now.w[t][i], (double)s->x.w[t][i]);
		}
	return COP_OK;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	spy *s = ud;
	(void)v;
	read_all(p, &s->x);
	s->seen = true;
	return COP_OK;
}

static const cop_train_args base = {.epochs = 3, .batch = 4, .lr = RATE_TIMES_1000 / 1000.0f, .threads = 1, .seed = 5, .update = "sgd momentum=0.9", .schedule = "constant"};

static void exact_steps(void **state)
{
	static const char *const policies[] = {"l1:strength=0.2", "slimming:strength=0.2", "lasso:filters=0.1", "lasso:channels=0.1", "lasso:shapes=0.1", "lasso:depth=0.1,layers=b.w", "lasso:coupled=0.1",
		"lasso:filters=0.1,channels=0.1", "grow:strength=0.1,alpha=3,every=2"};
	spy *s = malloc(sizeof *s);

	for (int i = 0; i < LEN(policies); i++) {
		cop_graph *g = net(*state);
		cop_dataset d = samples();
		cop_train_args a = base;
		*s = (spy){.policy = policies[i]};
		const cop_policy p = {.name = "spy", .ud = s, .before = before, .after = after};
		a.policies = policies[i];
		OK(*state, cop__train(g, &d, NULL, &a, "train", &p, 1));
		assert_true(s->seen);
		if (!strncmp(policies[i], "l1", 2)) assert_true(s->zeros > 0);
		cop_graph_free(g);
	}
	free(s);
}

/* Strong enough, some channels close in training; without them the network answers the same. */
static void closed_channels_go(void **state)
{
	static const char *const policies[] = {"lasso:coupled=0.5", "lasso:coupled=0.4; grow:strength=0.01"};
	int all = 0;

	for (int i = 0; i < LEN(policies); i++) {
		cop_graph *g = net(*state), *cut;
		cop_dataset d = samples();
		cop_train_args a = base;
		a.epochs = 6;
		a.policies = policies[i];
		OK(*state, cop__train(g, &d, NULL, &a, "train", NULL, 0));
		OK(*state, cop__carry_nothing(g));
		OK(*state, cop__pass_drop_constant(&cut, g, COP_DROP_ROUNDED));
		int32_t gone = 9 - cop__t(cut, cop__find(cut, "a.w"))->dim[0] - cop__t(cut, cop__find(cut, "b.w"))->dim[0];
		print_message("%s: %d of 9 channels closed\n", policies[i], gone);
		if (!(difference(*state, g, cut) < 1e-5)) fail_msg("%s: other answers", policies[i]);
		all += gone;
		cop_graph_free(cut);
		cop_graph_free(g);
	}
	assert_true(all > 0);
}

/* A frozen layer is left alone. */
static void frozen(void **state)
{
	cop_graph *g = net(*state), *was = net(*state);
	cop_dataset d = samples();
	cop_train_args a = base;

	a.update = "sgd momentum=0 layers=b.w|bn*|head*";
	a.policies = "l1:strength=1; lasso:coupled=1; slimming:strength=1";
	OK(*state, cop__train(g, &d, NULL, &a, "train", NULL, 0));
	assert_memory_equal(cop__floats(g, cop__find(g, "a.w")), cop__floats(was, cop__find(was, "a.w")), 90 * 4);
	cop_graph_free(g);
	cop_graph_free(was);
}

static void refused(void **state)
{
	static const struct { const char *policies, *says; } rows[] = {
		{"lasso", "say over what"}, {"lasso:filters=-1", "filters"}, {"lasso:filters=1,layers=nobody", "nobody"}, {"lasso:filters=1,layers=head.w", "head.w"}, {"slimming:layers=head*", "no batch norm"},
		{"l1:layers=bn*", "no weight"}, {"l1:strength=much", "strength"}, {"grow:every=0", "every"}, {"grow:layers=head.b", "head.b"}};

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state);
		cop_dataset d = samples();
		cop_train_args a = base;
		a.policies = rows[i].policies;
		assert_int_equal(cop__train(g, &d, NULL, &a, "train", NULL, 0), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", rows[i].policies, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(exact_steps), TEST(closed_channels_go), TEST(frozen), TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
