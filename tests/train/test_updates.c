/* SPDX-License-Identifier: Apache-2.0
 *
 * What restricts an update: a weight under the zeros of a mask stays zero whatever the optimiser adds to gradients; with
 * a list of rows the listed rows become what they become without it, and the others keep their bits.
 */
#include "help.h"
#include "pass/pass.h"

typedef struct net { cop_graph *model, *train; cop_plan *plan; cop_session *s; } net;

static void plan(cop_ctx *cx, net *n, const char *spec, uint32_t isa)
{
	cop_target t;

	OK(cx, cop_graph_train(&n->train, n->model, spec));
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = isa;
	OK(cx, cop_plan_build(&n->plan, &n->train, 1, &t));
	OK(cx, cop_session_new(&n->s, n->plan, 1));
}

static void drop(net *n)
{
	cop_session_free(n->s);
	cop_plan_free(n->plan);
	cop_graph_free(n->train);
	cop_graph_free(n->model);
}

static cop_graph *lenet(cop_ctx *cx)
{
	cop_graph *g;
	cop_zoo_args a = {.batch = 4, .seed = 3};
	OK(cx, cop_zoo_build(&g, cx, "lenet-5", &a));
	return g;
}

static void step(net *n, int which)
{
	cop_tensor x, label;

	cop_session_io(n->s, 0, 0, false, &x);
	cop_session_io(n->s, 0, 1, false, &label);
	for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = cop__rand_unit(9, (uint32_t)which, (uint64_t)i);
	for (int i = 0; i < 4; i++) ((int32_t *)label.data)[i] = (i + which) % 10;
	cop_session_run(n->s, 0);
}

static float *tensor(const net *n, const char *name, int64_t *count)
{
	cop_tensor t;
	cop_session_tensor(n->s, 0, name, &t);
	if (count) *count = cop_type_count(&t.type);
	return t.data;
}

static const char *const weight[] = {"conv2.w", "fc1.w"};

static void masks(void **state)
{
	static const char *const spec[] = {"momentum=0.9 nesterov=1 decay=1e-2 lr=0.05", "adamw decay=1e-2 lr=0.01", "momentum=0.9 clip=0.5 lr=0.05"};
	(void)state;

	for (int i = 0; i < LEN(spec); i++) {
		cop_ctx *cx = new_ctx();
		net n = {.model = lenet(cx)};
		for (int k = 0; k < LEN(weight); k++) {
			cop_vid w = cop__find(n.model, weight[k]);
			cop_type t = *cop__t(n.model, w);
			char name[32];
			snprintf(name, sizeof name, "%s.mask", weight[k]);
			cop_vid mask = cop__data(n.model, COP_STATE, name, &t, NULL);
			n.model->value[mask].of = w;
		}
		plan(cx, &n, spec[i], cx->isa);
		for (int k = 0; k < LEN(weight); k++) {
			int64_t count;
			char name[32];
			snprintf(name, sizeof name, "%s.mask", weight[k]);
			float *w = tensor(&n, weight[k], &count), *mask = tensor(&n, name, NULL);
			for (int64_t j = 0; j < count; j++) w[j] *= mask[j] = cop__rand(4, 4, (uint64_t)j) % 3 ? 0 : 1;
		}
		for (int k = 0; k < 4; k++) step(&n, k);
		for (int k = 0; k < LEN(weight); k++) {
			int64_t count, zeros = 0;
			const float *w = tensor(&n, weight[k], &count);
			for (int64_t j = 0; j < count; j++) {
				if (cop__rand(4, 4, (uint64_t)j) % 3 == 0) zeros += w[j] == 0;
				else if (w[j] != 0) fail_msg("%s: %s[%d] is %g under a mask of 0", spec[i], weight[k], (int)j, (double)w[j]);
			}
			assert_true(zeros < count / 100); /* the others moved */
		}
		drop(&n);
		cop_ctx_free(cx);
	}
}

/* Updates the listed rows of one weight and everything of the others. */
static net with_rows(cop_ctx *cx, const char *name, const int32_t *list, uint32_t isa)
{
	net n = {.model = lenet(cx)};
	cop_type t = cop__type(COP_I32, 1, DIMS(list[0] + 1));
	char rows[32];

	snprintf(rows, sizeof rows, "%s.rows", name);
	cop_vid r = cop__data(n.model, COP_STATE, rows, &t, list);
	n.model->value[r].of = cop__find(n.model, name);
	plan(cx, &n, "momentum=0.9 decay=1e-2 lr=0.05", isa);
	return n;
}

static void row_lists(void **state)
{
	static const int32_t list[] = {4, 1, 2, 17, 40};
	(void)state;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < 2 * LEN(weight); i++) {
		const char *name = weight[i / 2];
		uint32_t isa = i % 2 ? cx->isa : 0;
		net all = {.model = lenet(cx)}, some = with_rows(cx, name, list, isa);
		int64_t count, rows = cop__t(all.model, cop__find(all.model, name))->dim[0];
		plan(cx, &all, "momentum=0.9 decay=1e-2 lr=0.05", isa);
		const float *a = tensor(&all, name, &count), *b = tensor(&some, name, NULL);
		float *before = malloc((size_t)count * 4);
		memcpy(before, b, (size_t)count * 4);
		step(&all, 0);
		step(&some, 0);
		for (int64_t j = 0; j < count; j++) {
			int64_t row = j / (count / rows);
			bool listed = row == 1 || row == 2 || row == 17 || row == 40;
			if (!listed && b[j] != before[j]) fail_msg("%s: row %d is not listed and changed", name, (int)row);
			if (listed && !(fabsf(a[j] - b[j]) <= 1e-6f)) fail_msg("%s: row %d is listed and became %g, not %g", name, (int)row, (double)b[j], (double)a[j]);
			if (listed && a[j] == before[j] && a[j] != 0) fail_msg("%s: row %d did not move", name, (int)row);
		}
		free(before);
		drop(&all);
		drop(&some);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(masks), cmocka_unit_test(row_lists)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
