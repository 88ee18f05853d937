/* SPDX-License-Identifier: Apache-2.0
 *
 * Thresholds of neurons at equilibrium: those by the number of neurons, and those that are learnt, after each epoch or at each step, by hand and against gradients.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy/neq.h"
#include "train/policy/select.h"
#include "train/tiny.h"

#include <unistd.h>

/* ---- once, and after each epoch ---- */

/* By hand: at the threshold s(1 - s) = 1/4; one width above it, 0.196612. */
static void threshold_that_is_learnt(void **state)
{
	static const float v[4] = {-0.1f, 0.2f, 0.9f, -0.05f};
	float room[4];
	(void)state;

	assert_true(cop__slowest(v, 4, 0.5f, room) == 0.1f);
	assert_true(cop__slowest(v, 4, 1, room) == 0.9f);
	assert_true(cop__slowest(v, 4, 0.2f, room) == -1);
	/* the loss still falls with the moves of those that were trained: more of them; it rises: fewer */
	assert_true(fabsf(cop__learn_threshold(0.1f, 0.5f, v, (const float[]){-1, -2, 0, 0}, 4, 0.1f) - 0.1f * expf(-0.5f)) < 1e-6f);
	assert_true(fabsf(cop__learn_threshold(0.1f, 0.5f, v, (const float[]){3, 0, 0, 0}, 4, 0.1f) - 0.1f * expf(0.5f)) < 1e-6f);
	assert_true(fabsf(cop__learn_threshold(0.1f, 0.5f, v, (const float[]){1, -1, 0, 0}, 4, 0.1f) - 0.1f * expf(0.5f * (0.25f - 0.196612f) / (0.25f + 0.196612f))) < 1e-6f);
	assert_true(cop__learn_threshold(0.1f, 0.5f, v, (const float[]){0, 0, 0, 0}, 4, 0.1f) == 0.1f);
}

/* Of a network that has moved, the gradient times the move, neuron by neuron: the sum is how the loss changes along it. */
static void rises(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *before = at_state(cx, 0), *g = at_state(cx, 0);
	float x[SAMPLES * 36], rise[UNITS + 2], square[UNITS + 2];
	int32_t label[SAMPLES] = {0, 1, 1, 0, 1};
	cop_velocity v = {.who = "test", .samples = SAMPLES, .each = 36, .x = x, .label = label, .names = "*"};
	(void)state;

	for (int i = 0; i < SAMPLES * 36; i++) x[i] = number(i, 1);
	OK(cx, cop__neuron_gradients(square, g, NULL, &v, 1));
	int unit = 0; /* the first that is not dead */
	while (unit < 3 && square[3 + unit] == 0) unit++;
	float *b = cop__own(g, cop__find(g, "fc1.b"));
	b[unit] += 0.01f;
	OK(cx, cop__neuron_gradients(rise, g, before, &v, 1));
	for (int k = 0; k < UNITS; k++)
		if ((rise[k] != 0) != (k == 3 + unit)) fail_msg("neuron %d has not moved, and the loss rises by %g with it", k, (double)rise[k]);
	cop_graph_free(before);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* What moves tell of gradients, against the gradients: this step's times the rate, times the move before. */
static void rises_of_moves(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = at_state(cx, 0);
	cop_trainer *t;
	cop_tensor in, w, dw = {0};
	float x[4 * 36], was[4 * 48], before[4 * 48], move[4 * 48] = {0};
	int32_t label[4] = {0, 1, 1, 0};
	(void)state;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 4, .spec = "sgd momentum=0.9 decay=0", .threads = 1, .apart = true}));
	OK(cx, cop__trainer_named(t, "fc1.w", &w));
	memcpy(was, w.data, sizeof was);
	for (int s = 0; s < 4; s++) {
		double want = 0;
		for (int i = 0; i < 4 * 36; i++) x[i] = number(i, 1 + s);
		OK(cx, cop_trainer_input(t, 0, &in));
		memcpy(in.data, x, sizeof x);
		OK(cx, cop_trainer_input(t, 1, &in));
		memcpy(in.data, label, sizeof label);
		OK(cx, cop_trainer_gradients(t, NULL));
		const char *name;
		for (int32_t i = 0; (name = cop_trainer_gradient(t, i, &dw)) && strcmp(name, "fc1.w");) i++;
		for (int i = 0; i < 4 * 48; i++) want += 0.05 * (double)((float *)dw.data)[i] * (s ? (double)(was[i] - before[i]) : 0);
		memcpy(before, was, sizeof before);
		OK(cx, cop_trainer_update(t, 0.05f));
		const double got = (double)cop__rise_of_move(w.data, was, move, 4 * 48, 0.9f);
		if (fabs(got - want) > 1e-7 + 1e-3 * fabs(want)) fail_msg("step %d: %g, not %g", s + 1, got, want);
	}
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- at each step ---- */

enum { CONV = 8 * 9, MOVING = CONV + 24 * 128 };
static const char wider[] = "input 6 6 1\nconv 8 3x3 pad valid norm relu\nfc 24 relu\nfc 2\n";

/* At each step: which one it is, the operations of a step, eps, and the weights. */
typedef struct steps { int64_t number[64]; float eps[64]; double rest[64]; float w[64][MOVING]; int n, stop_at, other_moves; volatile bool stop; } steps;

/* What is kept of moves are the weights before this step, and how they came from those before. It is asked before the policy that keeps them is. */
static int other_moves(const steps *s, const float *kept)
{
	int others = 0;

	for (int i = 0; s->n > 1 && i < MOVING; i++) others += kept[i] != s->w[s->n - 1][i] || kept[MOVING + i] != s->w[s->n - 1][i] - s->w[s->n - 2][i];
	return others;
}

static cop_status watch_step(void *ud, const cop_progress *p, cop_verdict *v)
{
	steps *s = ud;
	cop_step_cost c;
	cop_tensor eps, conv, fc, moves;
	(void)v;

	COP_TRY(cop__step_cost(&c, cop__trainer_graph(p->t)));
	COP_TRY(cop__trainer_named(p->t, "neurons.eps", &eps));
	COP_TRY(cop__trainer_named(p->t, "neurons.moves", &moves));
	COP_TRY(cop__trainer_named(p->t, "conv1.w", &conv));
	COP_TRY(cop__trainer_named(p->t, "fc1.w", &fc));
	assert_int_equal(cop_type_count(&moves.type), 2 * MOVING);
	s->number[s->n] = p->step, s->rest[s->n] = c.rest, s->eps[s->n] = *(float *)eps.data;
	memcpy(s->w[s->n], conv.data, sizeof(float) * CONV);
	memcpy(s->w[s->n] + CONV, fc.data, sizeof(float) * (MOVING - CONV));
	if (other_moves(s, moves.data)) s->other_moves++;
	if (++s->n == s->stop_at) s->stop = true;
	return COP_OK;
}

/* A threshold that is learnt at each step: it stays in the first epoch, then moves, each time by no more than its part of what an epoch may; within an epoch others
 * are trained, and that at a multiple of `every` alone; moves go on where others are trained; a run that stops anywhere goes on with the same. */
static void learnt_at_each_step(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	steps *s = calloc(2, sizeof *s), *part = s + 1;
	cop_policy p = {.name = "watch", .ud = s, .after = watch_step};
	cop_train_args a = few;
	cop_graph *whole = network(cx, wider);
	int moves = 0, changes = 0;
	char ckpt[64];
	(void)state;

	assert_non_null(s);
	varied(&d, 64, 6, 1);
	a.epochs = 4;
	a.policies = "neq:eps=0.02,threshold=steps,every=3,step=1.6,samples=8";
	OK(cx, cop__train(whole, &d, NULL, &a, "train", &p, 1));
	const int per_epoch = s->n / 4;
	for (int i = 1; i < s->n; i++) {
		const float by = fabsf(logf(s->eps[i] / s->eps[i - 1]));
		if (by > 1.6f / (float)per_epoch * 1.001f || (i < per_epoch && by > 0)) fail_msg("step %d: eps goes from %g to %g", i + 1, (double)s->eps[i - 1], (double)s->eps[i]);
		moves += by > 0;
		if (s->rest[i] == s->rest[i - 1] || i % per_epoch == 0) continue;
		changes++;
		if (s->number[i - 1] % 3) fail_msg("others are trained after step %d", (int)s->number[i - 1]);
	}
	if (s->other_moves) fail_msg("in %d steps other moves are kept than there were", s->other_moves);
	if (moves < per_epoch || !changes) fail_msg("eps moves %d times, and %d times others are trained", moves, changes);
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-neq-%d.ckpt", (int)getpid());
	for (int stop = 1; stop < s->n; stop += 3) {
		cop_graph *parts = network(cx, wider);
		memset(part, 0, sizeof *part);
		part->stop_at = stop;
		unlink(ckpt);
		p.ud = part;
		a.checkpoint = ckpt;
		a.resume = false;
		cop_ctx_stop(cx, &part->stop);
		assert_int_equal(cop__train(parts, &d, NULL, &a, "train", &p, 1), COP_STOPPED);
		cop_error_clear(cx);
		cop_ctx_stop(cx, NULL);
		cop_graph_free(parts);
		parts = network(cx, wider);
		a.resume = true;
		OK(cx, cop__train(parts, &d, NULL, &a, "train", NULL, 0));
		if (!same(whole, parts)) fail_msg("stopped after step %d: other bits", stop);
		cop_graph_free(parts);
	}
	unlink(ckpt);
	free(s);
	cop_graph_free(whole);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(threshold_that_is_learnt), cmocka_unit_test(rises), cmocka_unit_test(rises_of_moves), cmocka_unit_test(learnt_at_each_step)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
