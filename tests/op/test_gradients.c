/* SPDX-License-Identifier: Apache-2.0
 *
 * Every operator's gradient against finite differences, on the op's own samples. The loss is the sum of all results
 * times fixed random numbers; it is differentiated by the library and, one input element at a time, by central
 * differences. Elements where the two one-sided differences disagree sit on a kink (relu, maxpool) and are skipped.
 */
#include "help.h"
#include "op/grad.h"
#include "pass/pass.h"

enum { MAX_ELEMENTS = 40 }; /* tried for each input */

typedef struct bench { cop_graph *g; cop_plan *plan; cop_session *s; cop_vid loss; cop_vid grad[COP_MAX_IN]; } bench;

static cop_vid weigh(cop_graph *g, cop_vid y)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type t = *cop__t(g, y);
	float *r = calloc((size_t)cop_type_count(&t) + 16, 4);

	for (int64_t i = 0; i < cop_type_count(&t); i++) r[i] = cop__rand_unit(5, 77, (uint64_t)i) * 2 - 1;
	char name[32];
	snprintf(name, sizeof name, "test.r%d", g->n_value);
	cop_vid c = cop__data(g, COP_CONST, name, &t, r);
	free(r);
	cop_vid p = cop__apply(g, OP_mul, &none, VIDS(y, c));
	return cop__apply(g, OP_sum_to, &(cop_shape_attr){COP_MIN(1, t.rank), {1}}, VIDS(p));
}

/* Plans loss and gradients of one sample; false when nothing can be differentiated. */
static bool build(cop_ctx *cx, bench *b, cop_graph *g, cop_nid n)
{
	cop_vid wrt[COP_MAX_IN];
	int count = 0;

	*b = (bench){.g = g};
	for (int i = 0; i < g->node[n].n_in; i++)
		if (g->node[n].in[i] && cop__in(g, n, i)->dtype == COP_F32) wrt[count++] = g->node[n].in[i];
	b->loss = weigh(g, cop__res(g, n, 0));
	OK(cx, cop_error_text(cx)[0] ? COP_ARG : COP_OK);
	cop_vid grad[COP_MAX_IN] = {0};
	OK(cx, cop__differentiate(g, b->loss, count, wrt, grad));
	OK(cx, cop__output(g, b->loss, "test.loss"));
	for (int i = 0, k = 0; i < g->node[n].n_in; i++) {
		char name[16];
		if (k == count || g->node[n].in[i] != wrt[k]) continue;
		snprintf(name, sizeof name, "test.d%d", i);
		if (grad[k] && !g->value[grad[k]].name) OK(cx, cop__output(g, grad[k], name)); /* two inputs may share one gradient */
		b->grad[i] = grad[k++];
	}
	cop_target t;
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = 0;
	OK(cx, cop_plan_build(&b->plan, &g, 1, &t));
	OK(cx, cop_session_new(&b->s, b->plan, 1));
	return true;
}

static void set_inputs(bench *b, cop_vid except, int64_t at, float by)
{
	for (int32_t i = 0; i < b->g->n_input; i++) {
		cop_tensor x;
		cop_session_io(b->s, 0, i, false, &x);
		fill_value(b->g, b->g->input[i], x.data, (uint32_t)i);
		if (b->g->input[i] == except) ((float *)x.data)[at] += by;
	}
}

static double value(bench *b, cop_vid v, int64_t at, float by)
{
	cop_tensor t;

	set_inputs(b, v, at, by);
	cop_session_run(b->s, 0);
	cop_session_tensor(b->s, 0, "test.loss", &t);
	return (double)*(float *)t.data;
}

static void check_input(bench *b, const char *op, int which, int i, cop_vid v)
{
	const char *name = b->g->value[b->grad[i]].name;
	cop_tensor t;
	int64_t n = cop_type_count(cop__t(b->g, v));
	float *grad = malloc((size_t)n * 4), scale = 0, step = 0.01f;
	int64_t jump = n / MAX_ELEMENTS + 1;

	value(b, 0, 0, 0);
	cop_session_tensor(b->s, 0, name, &t);
	memcpy(grad, t.data, (size_t)n * 4);
	for (int64_t k = 0; k < n; k++) scale = fmaxf(scale, fabsf(grad[k]));
	for (int64_t k = 0; k < n; k += jump) {
		double at = value(b, v, k, 0), up = (value(b, v, k, step) - at) / step, down = (at - value(b, v, k, -step)) / step;
		if (fabs(up - down) > 0.05 * fmax(1, fabs(up))) continue;
		double want = (up + down) / 2, slack = 0.02 * fmax(fabs(want), (double)scale) + 0.004;
		if (!(fabs(want - (double)grad[k]) <= slack))
			fail_msg("%s, sample %d, input %d, element %lld: gradient %g, finite difference %g", op, which, i, (long long)k, (double)grad[k], want);
	}
	free(grad);
}

static int check_sample(cop_ctx *cx, const cop_op *op, int which)
{
	cop_graph *g;
	bench b;

	OK(cx, cop__graph_new(&g, cx, "sample"));
	cop_nid n = op->sample(g, which);
	if (!n) {
		OK(cx, cx->code);
		cop_graph_free(g);
		return 0;
	}
	if (cop__outt(g, n, 0)->dtype != COP_F32) { /* a sample of integers */
		cop_graph_free(g);
		return 1;
	}
	build(cx, &b, g, n);
	for (int i = 0; i < g->node[n].n_in; i++)
		if (b.grad[i]) check_input(&b, op->name, which, i, g->node[n].in[i]);
	cop_session_free(b.s);
	cop_plan_free(b.plan);
	cop_graph_free(g);
	return 1;
}

/* bn_norm's gradient is that of the whole batch normalisation, so it is checked as one below. Those of fakequant, pow2, addconv and sign are not
 * their derivatives, on purpose: test_fakequant, test_shift_form, test_addconv and test_bits have them. */
static void every_op(void **state)
{
	(void)state;
	int checked = 0;
	for (int i = 1; i < COP_N_OP; i++) {
		const cop_op *op = cop_ops[i];
		if (!op->grad || !op->sample || !strcmp(op->name, "bn_norm") || !strcmp(op->name, "fakequant") || !strcmp(op->name, "pow2") || !strcmp(op->name, "addconv") || !strcmp(op->name, "sign")) continue;
		cop_ctx *cx = new_ctx();
		int n = 0;
		while (check_sample(cx, op, n)) n++;
		if (!n) fail_msg("%s has no sample", op->name);
		checked++;
		cop_ctx_free(cx);
	}
	assert_true(checked >= 20);
}

static void batch_norm(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	const cop_bn_attr a = {1e-5f, 0.1f, -0.7f, 1.2f};
	cop_type t = cop__type(COP_F32, 4, DIMS(3, 4, 5, 6)), c = cop__type(COP_F32, 1, DIMS(6));
	bench b;

	OK(cx, cop__graph_new(&g, cx, "bn"));
	cop_vid x = cop__input(g, "x", &t), gamma = cop__input(g, "gamma", &c), beta = cop__input(g, "beta", &c);
	cop_vid rm = cop__data(g, COP_STATE, "rm", &c, NULL), rv = cop__data(g, COP_STATE, "rv", &c, NULL);
	cop_vid part = cop__apply(g, OP_bn_sum, &a, VIDS(x));
	cop_nid stat = cop__node(g, OP_bn_stat, &a, VIDS(part, x, rm, rv));
	OK(cx, cx->code);
	cop_nid n = cop__node(g, OP_bn_norm, &a, VIDS(x, cop__res(g, stat, 0), cop__res(g, stat, 1), gamma, beta));
	OK(cx, cx->code);
	cop_vid wrt[] = {x, gamma, beta}, grad[3] = {0};
	b = (bench){.g = g, .loss = weigh(g, cop__res(g, n, 0))};
	OK(cx, cop__differentiate(g, b.loss, 3, wrt, grad));
	memcpy(b.grad, grad, sizeof grad);
	OK(cx, cop__output(g, b.loss, "test.loss"));
	OK(cx, cop__output(g, grad[0], "test.d0"));
	OK(cx, cop__output(g, grad[1], "test.d1"));
	OK(cx, cop__output(g, grad[2], "test.d2"));
	cop_target target;
	OK(cx, cop_target_find(&target, cx, "host"));
	target.isa = 0;
	OK(cx, cop_plan_build(&b.plan, &g, 1, &target));
	OK(cx, cop_session_new(&b.s, b.plan, 1));
	for (int i = 0; i < 3; i++) check_input(&b, "batch normalisation", 0, i, wrt[i]);
	cop_session_free(b.s);
	cop_plan_free(b.plan);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

extern const cop_op cop_op_rnn;

/* A recurrent layer has no gradient of its own: that of its steps written out, in all of its results. */
static int check_written_out(cop_ctx *cx, int which)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g, *open;
	bench b = {0};

	OK(cx, cop__graph_new(&g, cx, "sample"));
	cop_nid n = cop_op_rnn.sample(g, which);
	for (int i = 0; n && i < 3; i++)
		if (cop__res(g, n, i)) OK(cx, cop__output(g, cop__res(g, n, i), NULL));
	if (!n) return cop_graph_free(g), 0;
	if (cop__in(g, n, 0)->dim[0] + cop__in(g, n, 0)->dim[1] > 15) return cop_graph_free(g), 1; /* long, and like another one */
	OK(cx, cop__pass_unroll(&open, g));
	for (int i = 0; i < open->n_output; i++) {
		cop_vid part = weigh(open, open->output[i]);
		b.loss = b.loss ? cop__apply(open, OP_add, &none, VIDS(b.loss, part)) : part;
	}
	assert_true(open->n_input <= COP_MAX_IN);
	OK(cx, cop__differentiate(open, b.loss, open->n_input, open->input, b.grad));
	OK(cx, cop__output(open, b.loss, "test.loss"));
	for (int i = 0; i < open->n_input; i++) {
		char name[32];
		snprintf(name, sizeof name, "test.d%d", i);
		assert_true(b.grad[i]);
		OK(cx, cop__output(open, b.grad[i], name));
	}
	cop_target t;
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&b.plan, &open, 1, &t));
	OK(cx, cop_session_new(&b.s, b.plan, 1));
	b.g = open;
	for (int i = 0; i < open->n_input; i++) check_input(&b, "rnn", which, i, open->input[i]);
	cop_session_free(b.s);
	cop_plan_free(b.plan);
	cop_graph_free(open);
	cop_graph_free(g);
	return 1;
}

static void recurrent(void **state)
{
	int n = 0;

	(void)state;
	for (int more = 1; more; n += more) {
		cop_ctx *cx = new_ctx();
		more = check_written_out(cx, n);
		cop_ctx_free(cx);
	}
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_op), cmocka_unit_test(batch_norm), cmocka_unit_test(recurrent)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
