/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages of the smallest file: the threshold that a tolerance decides, what goes with units that nothing reaches, cuts that keep what the
 * samples need, and weights and biases that are whole multiples of a step.
 */
#include "compress/known.h"
#include "compress/smallest/tamade.h"
#include "pass/pass.h"

/* ---- the threshold ---- */

typedef struct curve { int calls; double slope, jump; } curve;

static cop_status on_curve(void *ud, float thr, double *loss)
{
	curve *c = ud;

	c->calls++;
	*loss = 1 + c->slope * (double)thr + ((double)thr > c->jump ? 10 : 0);
	return COP_OK;
}

/* The largest that costs no more than the tolerance: it is within the bound, and a little more is not. */
static void threshold(void **state)
{
	static const struct { double slope, jump, tolerance; float most, want; } rows[] = {
		{1, 100, 0.05, 4, 0.05f}, {0.1, 0.25, 0.05, 4, 0.25f}, {0, 100, 0, 4, 4}, {0, 0.7, 0.3, 2, 0.7f}, {100, 100, 0, 4, 0}, {0.5, 100, 0.5, 0.1f, 0.1f}};
	(void)state;

	for (int i = 0; i < LEN(rows); i++) {
		curve c = {0, rows[i].slope, rows[i].jump};
		const double limit = 1 + rows[i].tolerance;
		double at, beyond;
		float thr;
		assert_int_equal(cop__tamade(&thr, rows[i].most, rows[i].tolerance, on_curve, &c), COP_OK);
		on_curve(&c, thr, &at);
		on_curve(&c, thr + 1e-6f, &beyond);
		if (!(fabsf(thr - rows[i].want) < 1e-6f && at <= limit && (beyond > limit || thr == rows[i].most) && c.calls < 60)) fail_msg("row %d: %.9g after %d calls, not %.9g", i, (double)thr, c.calls, (double)rows[i].want);
	}
}

/* ---- what nothing reaches ---- */

static cop_graph *mlp(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-20x16x12x5", &(cop_zoo_args){.batch = 1, .seed = 3}));
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		if (x->role != COP_PARAM) continue;
		float *w = cop__own(g, (cop_vid)v);
		for (int64_t i = 0; i < cop_type_count(&x->type); i++) w[i] = cop__rand_normal(3, cop__hash_text(x->name), (uint64_t)i) / 4;
	}
	return g;
}

static void answers(float y[5], cop_ctx *cx, cop_graph *g, uint32_t seed)
{
	cop_host host;
	cop_tensor x, out;

	OK(cx, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	for (int i = 0; i < 20; i++) ((float *)x.data)[i] = cop__rand_normal(seed, 1, (uint64_t)i);
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &out));
	memcpy(y, out.data, 5 * sizeof *y);
	cop__host_close(&host);
}

/* Of 16 and 12 units: two that no input reaches, whose constant the next biases take over, two that nobody reads, and one that is reached by the first two alone. */
static void unreachable(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = mlp(cx), *less;
	float *a = cop__own(g, cop__find(g, "fc1.w")), *b = cop__own(g, cop__find(g, "fc2.w")), *bias = cop__own(g, cop__find(g, "fc1.b"));

	for (int i = 0; i < 20; i++) a[3 * 20 + i] = a[7 * 20 + i] = 0;
	bias[3] = 0.75f, bias[7] = -0.5f;
	for (int o = 0; o < 12; o++) b[o * 16 + 1] = b[o * 16 + 9] = 0;
	for (int i = 0; i < 16; i++) b[4 * 16 + i] = i == 3 || i == 7 ? 0.5f : 0;
	OK(cx, cop__pass_drop_constant(&less, g, COP_DROP_ROUNDED));
	assert_int_equal(cop__t(less, cop__find(less, "fc1.w"))->dim[0], 12);
	assert_int_equal(cop__t(less, cop__find(less, "fc2.w"))->dim[0], 11);
	for (uint32_t k = 0; k < 20; k++) {
		float y[5], z[5];
		answers(y, cx, g, k);
		answers(z, cx, less, k);
		for (int i = 0; i < 5; i++)
			if (!(fabsf(y[i] - z[i]) <= 1e-6f)) fail_msg("sample %u: output %d is %.9g, was %.9g", k, i, (double)z[i], (double)y[i]);
	}
	cop_graph_free(g);
	cop_graph_free(less);
}

/* ---- the stages ---- */

static int64_t kept(const cop_graph *g, const char *name)
{
	const float *w = cop__floats(g, cop__find(g, name));
	int64_t n = 0;
	for (int64_t i = 0; i < cop_type_count(cop__t(g, cop__find(g, name))); i++) n += w[i] != 0;
	return n;
}

/* A sample is a 1 at its place; columns 4 to 7 are never asked for, so their weights cost nothing and are cut, and those that tell the classes apart stay. */
static void cuts(void **state)
{
	static const int32_t label[8] = {0, 1, 0, 1, 0, 1, 0, 1};
	static const float w[16] = {4, -4, 4, -4, 0.5f, 0.4f, 0.3f, -0.5f, -4, 4, -4, 4, 0.1f, -0.2f, 0.3f, 0.4f};
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 8, 2, label);
	cop_graph *g = known_net(*state, 8, 2, w, 0, NULL);

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- drr: {alpha: 1e-30, cuts: 1, over: 0.5, tolerance: 0.5, epochs: 4, lr: 1e-30, update: sgd momentum=0.9, may_cost: 100, must_gain: 0}", d, d, d, &known_args, NULL));
	static const float want[16] = {4, -4, 4, -4, 0, 0, 0, 0, -4, 4, -4, 4, 0, 0, 0, 0};
	known_is(g, "a.w", want, 16, "drr");
	for (int i = 0; i < 16; i++) assert_true(cop__floats(g, cop__follower(g, cop__find(g, "a.w"), "mask"))[i] == (want[i] != 0));
	cop_graph_free(g);
}

/* A unit whose inputs are all cut goes, and so do the weights that read it. */
static void cut_off(void **state)
{
	static const int32_t label[4] = {0, 1, 0, 1};
	static const float a[12] = {4, -4, 4, -4, -4, 4, -4, 4, 0.01f, 0.01f, -0.01f, 0.01f}, b[6] = {4, -4, 3, -4, 4, 2};
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, label);
	cop_graph *g = known_net(*state, 4, 3, a, 2, b);

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- drr: {alpha: 1e-30, cuts: 1, over: 0.5, tolerance: 0.01, epochs: 4, lr: 1e-30, update: sgd momentum=0.9, may_cost: 100, must_gain: 0}", d, d, d, &known_args, NULL));
	assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], 2);
	assert_int_equal(cop__t(g, cop__find(g, "b.w"))->dim[1], 2);
	cop_graph_free(g);
}

/* Under the penalty more goes than without, and what is cut stays zero through the rest of the training and the stage of steps. */
static void small(void **state)
{
	cop_dataset *d;
	int64_t left[2];

	if (!known_parts()) skip();
	OK(*state, cop_data_open(&d, *state, "synth-digits", "train", 128));
	for (int strong = 0; strong < 2; strong++) {
		cop_graph *g;
		char stages[400];
		OK(*state, cop_zoo_build(&g, *state, "mlp-784x12x10", &(cop_zoo_args){.seed = 3}));
		snprintf(stages, sizeof stages, "- train: {epochs: 6, lr: 0.003, update: adam, must_gain: 0, may_cost: 100}\n- drr: {alpha: %s, epochs: 8, cuts: 2, lr: 0.003, update: adam, may_cost: 100, must_gain: 0}",
			strong ? "1e-3" : "0");
		OK(*state, known_compress(&g, stages, d, d, NULL, &known_args, NULL));
		left[strong] = kept(g, "fc1.w");
		if (strong) {
			OK(*state, known_compress(&g, "- steps: {rate: 1e-4, epochs: 3, lr: 0.001, update: adam, may_cost: 100, must_gain: 0}", d, d, NULL, &known_args, NULL));
			assert_true(kept(g, "fc1.w") <= left[1] && kept(g, "fc1.w") > 0);
		}
		for (int32_t v = 1; strong && v <= g->n_value; v++) {
			const float *w = g->value[v].role == COP_PARAM ? cop__floats(g, (cop_vid)v) : NULL;
			float step = INFINITY;
			int64_t n = cop_type_count(cop__t(g, (cop_vid)v));
			for (int64_t i = 0; w && i < n; i++) step = w[i] != 0 ? fminf(step, fabsf(w[i])) : step;
			bool whole = false; /* of the smallest, or of a part of it */
			for (int m = 1; m < 9 && !whole; m++) {
				whole = true;
				for (int64_t i = 0; w && i < n; i++) whole &= fabsf(w[i] / (step / (float)m) - roundf(w[i] / (step / (float)m))) < 1e-3f;
			}
			if (!whole) fail_msg("'%s' is not made of whole steps", g->value[v].name);
		}
		cop_graph_free(g);
	}
	if (!(left[1] * 2 < left[0])) fail_msg("%lld weights stay under the penalty, %lld without", (long long)left[1], (long long)left[0]);
	cop_data_free(d);
}

/* Hints that weigh next to nothing change next to nothing: the network as it was stays the teacher beside them. Answers of another one take its place. */
static void hints_come_beside(void **state)
{
	static const char *const stages[] = {"- steps: {epochs: 1, lr: 0.001, may_cost: 100, must_gain: 0%s}", "- drr: {alpha: 1e-5, epochs: 2, lr: 0.001, may_cost: 100, must_gain: 0%s}"};
	static const struct { const char *policies, *own; bool same; const char *against; } rows[] = {
		{"hint:by=similarity,weight=1e-6", "", true, NULL}, {NULL, ", self: 0", false, NULL}, {"distill:part=0.1", "", false, NULL}, {"distill:part=0.1; hint:by=similarity,weight=1e-6", "", false, NULL},
		{"distill:part=0.1", ", self: 0", true, "distill:part=0.1"}};
	cop_train_args first = known_args;
	cop_graph *net;
	cop_dataset *d;

	if (!known_parts()) skip();
	OK(*state, cop_data_open(&d, *state, "synth-digits", "train", 128));
	OK(*state, cop_zoo_build(&net, *state, "mlp-784x12x10", &(cop_zoo_args){.seed = 3}));
	first.epochs = 6, first.lr = 0.003f, first.update = "adam";
	OK(*state, cop_train(net, d, NULL, &first));
	OK(*state, cop__carry_nothing(net));
	for (int i = 0; i < LEN(stages) * LEN(rows); i++) {
		cop_graph *g[2];
		for (int k = 0; k < 2; k++) {
			cop_train_args a = known_args;
			char text[200];
			a.policies = k ? rows[i % LEN(rows)].policies : rows[i % LEN(rows)].against;
			snprintf(text, sizeof text, stages[i / LEN(rows)], k ? rows[i % LEN(rows)].own : "");
			OK(*state, cop__pass_copy(&g[k], net));
			OK(*state, known_compress(&g[k], text, d, d, NULL, &a, NULL));
		}
		const float *x = cop__floats(g[0], cop__find(g[0], "fc2.w")), *y = cop__floats(g[1], cop__find(g[1], "fc2.w"));
		const cop_type *t = cop__t(g[0], cop__find(g[0], "fc2.w"));
		float off = cop__same_shape(t, cop__t(g[1], cop__find(g[1], "fc2.w"))) ? 0 : 1;
		for (int j = 0; off < 1 && j < cop_type_count(t); j++) off = fmaxf(off, fabsf(x[j] - y[j]));
		if ((off < 1e-5f) != rows[i % LEN(rows)].same) fail_msg("%s, %s: %g", stages[i / LEN(rows)], rows[i % LEN(rows)].policies, (double)off);
		cop_graph_free(g[0]);
		cop_graph_free(g[1]);
	}
	cop_graph_free(net);
	cop_data_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(threshold), KNOWN_TEST(unreachable), KNOWN_TEST(cuts), KNOWN_TEST(cut_off), KNOWN_TEST(small), KNOWN_TEST(hints_come_beside)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
