/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights that go back and forth between two integers in training with rounding: one weight that does so by construction, against a program in
 * Python; the thresholds; and the stage, which is resumed with the same bits.
 */
#include "compress/known.h"
#include "compress/oscillate_reference.h"
#include "compress/quantize/oscillate.h"

#include <unistd.h>

/* ---- one weight ---- */

/* y = round(w / s) s, whatever comes in; a second weight stays where it is. */
static cop_graph *one_weight(cop_ctx *cx, float w, float s, bool trained)
{
	char text[400];
	cop_graph *g;

	snprintf(text, sizeof text, "graph net\ninput x f32[1,1]\nparam w f32[1,1]\nparam still f32[1,1]\n%s s f32[1]\nb = fakequant w s lo=-127 hi=127 grad=0\n"
		"a = fakequant still s lo=-127 hi=127 grad=0\nc = fc x b\nd = fc c a\ny = sub c d\noutput y\n", trained ? "param" : "const");
	OK(cx, cop_graph_parse(&g, cx, text, strlen(text)));
	*(float *)cop__own(g, cop__find(g, "w")) = w;
	*(float *)cop__own(g, cop__find(g, "s")) = s;
	return g;
}

typedef struct run { cop_trainer *t; cop_policy p; float *w, *state; } run;

static void start(run *r, cop_arena *mem, const cop_graph *g, const cop_freezing *f)
{
	cop_build *b;
	cop_tensor t;

	OK(g->cx, cop__freezing(&r->p, mem, f));
	OK(g->cx, cop__build_new(&b, g, 0, 0));
	OK(g->cx, cop__build_spec(b, "loss=mse momentum=0 layers=w"));
	OK(g->cx, r->p.build(r->p.ud, b));
	OK(g->cx, cop__trainer_new(&r->t, b, 1, false));
	OK(g->cx, cop__trainer_named(r->t, "w", &t));
	r->w = t.data;
	OK(g->cx, cop__trainer_named(r->t, "w.oscillates", &t));
	r->state = t.data;
}

/* What the state has: the integer, the way of its last change, its mean, and how often it has turned round, -1 where it is fixed. */
enum { INTEGER, WAY, MEAN, OFTEN };

static void by_construction(void **state)
{
	for (int i = 0; i < 2 * LEN(reference); i++) {
		const int k = i / 2;
		const cop_freezing how = {reference[k].from, reference[k].to};
		cop_graph *g = one_weight(*state, reference[k].w, reference[k].s, i % 2); /* its step a parameter, and a constant */
		cop_arena mem;
		cop_tensor x, target;
		run r;
		float often = 0;
		int fixed_at = 0;
		cop__arena_init(&mem, *state);
		start(&r, &mem, g, &how);
		OK(*state, cop_trainer_input(r.t, 0, &x));
		OK(*state, cop_trainer_input(r.t, 1, &target));
		for (int step = 1; step <= STEPS; step++) {
			cop_verdict v = COP_GO_ON;
			*(float *)x.data = 1, *(float *)target.data = reference[k].t;
			OK(*state, cop_trainer_step(r.t, reference[k].lr, NULL));
			OK(*state, r.p.after(r.p.ud, &(cop_progress){.t = r.t, .step = step, .steps = STEPS}, &v));
			if (r.state[OFTEN] == -1 && !fixed_at) fixed_at = step;
			if (!fixed_at) often = r.state[OFTEN];
		}
		if (fixed_at != reference[k].fixed_at) fail_msg("case %d: fixed in step %d, Python in %d", k, fixed_at, reference[k].fixed_at);
		if (fixed_at) assert_int_equal((int)r.state[INTEGER], reference[k].fixed_to);
		else assert_true(fabsf(often - reference[k].often) < 1e-6f);
		if (fabsf(r.state[MEAN] - reference[k].mean) > 1e-4f) fail_msg("case %d: the mean is %g, Python has %g", k, (double)r.state[MEAN], (double)reference[k].mean);
		if (fabsf(*r.w - reference[k].end) > 1e-5f) fail_msg("case %d: the weight is %g, Python has %g", k, (double)*r.w, (double)reference[k].end);
		cop_trainer_free(r.t);
		cop__arena_free(&mem);
		cop_graph_free(g);
	}
}

/* From the first threshold to the last along half a period of a cosine. */
static void thresholds(void **state)
{
	static const cop_freezing f = {0.04f, 0.01f};
	static const struct { double part; float want; } row[] = {{0, 0.04f}, {1.0 / 3, 0.0325f}, {0.5, 0.025f}, {2.0 / 3, 0.0175f}, {1, 0.01f}};

	(void)state;
	for (int i = 0; i < LEN(row); i++) assert_true(fabsf(cop__freezing_at(&f, row[i].part) - row[i].want) < 1e-7f);
}

/* ---- the stage ---- */

static cop_graph *network(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-16x24x24x3", &(cop_zoo_args){.classes = 3, .seed = 3}));
	return g;
}

static const char *stage(const char *freeze)
{
	static char text[300];
	snprintf(text, sizeof text, "- qat: {integers: no, weights: 3, activations: 4, ends: no, limit: 64, epochs: 6, lr: 0.02, update: sgd momentum=0.9, %s, may_cost: 100, must_gain: 0}", freeze);
	return text;
}

/* Weights in the middle of their integer, which nothing but freezing leaves there. */
static int in_the_middle(const cop_graph *g)
{
	int n = 0;

	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++) {
		if (g->node[k].op != OP_fakequant || cop__in(g, k, 0)->rank != 2 || g->value[cop__arg(g, k, 0)].role != COP_PARAM) continue;
		const float *w = cop__floats(g, cop__arg(g, k, 0)), *s = cop__floats(g, cop__arg(g, k, 1));
		const int32_t rows = cop__in(g, k, 1)->dim[0], count = cop__count32(cop__in(g, k, 0));
		for (int32_t i = 0; i < count; i++) {
			const float u = w[i] / s[i / (count / rows)];
			n += fabsf(u - roundf(u)) < 1e-5f;
		}
	}
	return n;
}

static void of_a_stage(void **state)
{
	static const char *const how[] = {"freeze: 0", "freeze: 0.02", "freeze: 0.02, steps: no", "freeze: 0.9, freeze_from: 1"};
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 256);
	int n[LEN(how)];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(how); i++) {
		cop_graph *g = network(*state);
		OK(*state, known_compress(&g, stage(how[i]), &d, &d, NULL, &known_args, NULL));
		n[i] = in_the_middle(g);
		for (int32_t v = 1; v <= g->n_value; v++) assert_null(strstr(g->value[v].name ? g->value[v].name : "", "oscillates"));
		cop_graph_free(g);
	}
	if (!(n[0] <= 2 && n[1] > 20 && n[2] > 20 && n[3] <= 2)) fail_msg("%d, %d, %d and %d weights are fixed", n[0], n[1], n[2], n[3]);
}

typedef struct stopper { cop_dataset d, *of; int gets, at; volatile bool now; } stopper;

static cop_status get_and_stop(void *ud, int32_t i, float *x, int32_t *label)
{
	stopper *s = ud;
	s->now |= ++s->gets == s->at;
	return s->of->get(s->of->ud, i, x, label);
}

/* What is known of the weights is in the checkpoint: of a run that is stopped and gone on with the same ones are fixed, to the same integers. */
static void resumed(void **state)
{
	char ckpt[64];
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	cop_graph *whole = network(*state);
	int stops = 0;

	if (!known_parts()) skip();
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-oscillate-%d.ckpt", (int)getpid());
	OK(*state, known_compress(&whole, stage("freeze: 0.02"), &d, NULL, NULL, &known_args, NULL));
	assert_true(in_the_middle(whole) > 5);
	for (int at = 200; at < 800; at += 130) {
		stopper s = {.d = d, .of = &d, .at = at};
		cop_train_args a = known_args;
		cop_graph *g = network(*state);
		s.d.get = get_and_stop, s.d.ud = &s;
		a.checkpoint = ckpt;
		cop_ctx_stop(*state, &s.now);
		cop_status st = known_compress(&g, stage("freeze: 0.02"), &s.d, NULL, NULL, &a, NULL);
		if (st == COP_STOPPED) {
			stops++;
			cop_error_clear(*state);
			cop_graph_free(g);
			g = network(*state);
			s.now = false, s.at = 0, a.resume = true;
			st = known_compress(&g, stage("freeze: 0.02"), &s.d, NULL, NULL, &a, NULL);
		}
		OK(*state, st);
		same_network(whole, g, "resumed");
		OK(*state, cop_checkpoint_remove(*state, ckpt));
		cop_graph_free(g);
	}
	assert_true(stops >= 2);
	cop_ctx_stop(*state, NULL);
	cop_graph_free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(by_construction), KNOWN_TEST(thresholds), KNOWN_TEST(of_a_stage), KNOWN_TEST(resumed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
