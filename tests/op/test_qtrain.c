/* SPDX-License-Identifier: Apache-2.0
 *
 * The gradients of int8 convolutions against those of floats, on the operators' own samples: the same numbers as floats give the same sums, bit for
 * bit, since the order is the same. And a weight that moves as its gradient is summed is one that moves by the whole gradient.
 */
#include "help.h"

typedef struct pair { cop_graph *g; cop_vid a, b; } pair;

/* A value of bytes as floats, less a number. */
static cop_vid as_floats(cop_graph *g, cop_vid v, int32_t zero) { return cop__apply(g, OP_dequantize, &(cop_dequantize_attr){1, zero}, VIDS(v)); }

static pair begin(cop_ctx *cx, int op, int which, cop_nid *n)
{
	pair p = {0};

	OK(cx, cop__graph_new(&p.g, cx, "pair"));
	*n = cop_ops[op]->sample(p.g, which);
	return p;
}

static bool dx_pair(pair *p, cop_ctx *cx, int which)
{
	cop_nid n;

	*p = begin(cx, OP_qconv_dx, which, &n);
	if (!n) return false;
	p->a = cop__res(p->g, n, 0);
	p->b = cop__apply(p->g, OP_conv_dx, p->g->node[n].attr, VIDS(cop__arg(p->g, n, 0), as_floats(p->g, cop__arg(p->g, n, 1), 0)));
	return true;
}

static bool dw_pair(pair *p, cop_ctx *cx, int which)
{
	cop_nid n;

	*p = begin(cx, OP_qconv_dw, which, &n);
	if (!n) return false;
	COP_ATTR(cop_qconv_dw_attr, a, p->g, n);
	p->a = cop__res(p->g, n, 0);
	cop_vid dy = cop__arg(p->g, n, 0); /* of half of the samples in bytes */
	if (cop__t(p->g, dy)->dtype == COP_I8) dy = as_floats(p->g, dy, 0);
	p->b = cop__apply(p->g, OP_conv_dw, &a.d, VIDS(dy, as_floats(p->g, cop__arg(p->g, n, 1), a.zx)));
	return true;
}

/* Both write over the weight, so each has one of its own. */
static bool step_pair(pair *p, cop_ctx *cx, int which)
{
	cop_nid n;

	*p = begin(cx, OP_qconv_step, which, &n);
	if (!n) return false;
	cop_graph *g = p->g;
	COP_ATTR(cop_qconv_step_attr, a, g, n);
	p->a = cop__res(g, n, 0);
	cop_vid w = cop__input(g, "w2", cop__in(g, n, 0)), dw = cop__apply(g, OP_qconv_dw, &a.w, VIDS(cop__arg(g, n, 1), cop__arg(g, n, 2)));
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	if (cop__arg(g, n, 6)) dw = cop__apply(g, OP_mul, &plain, VIDS(dw, cop__arg(g, n, 6)));
	p->b = cop__apply(g, OP_qstep, &(cop_qstep_attr){a.round, a.seed}, VIDS(w, dw, cop__arg(g, n, 3), cop__arg(g, n, 4), cop__arg(g, n, 5)));
	return true;
}

static void fill_inputs(const pair *p, cop_session *s)
{
	for (int32_t i = 0; i < p->g->n_input; i++) {
		cop_tensor x;
		const char *name = p->g->value[p->g->input[i]].name;
		cop_session_io(s, 0, i, false, &x);
		for (int64_t k = 0; k < cop_type_count(&x.type); k++) {
			uint32_t draw = cop__rand(4, name[0] == 'w' ? 'w' : (uint32_t)i, (uint64_t)k); /* w and w2 are alike */
			if (x.type.dtype == COP_I8) ((int8_t *)x.data)[k] = (int8_t)draw;
			else if (x.type.dtype == COP_F32) ((float *)x.data)[k] = (float)(draw % 2001) / 1000 - 1;
			else ((int32_t *)x.data)[k] = 5;
		}
	}
}

static int compare(cop_ctx *cx, bool make(pair *p, cop_ctx *cx, int which), const char *what)
{
	pair p;
	int which = 0;

	for (; make(&p, cx, which); which++) {
		cop_tensor a, b;
		cop_target t;
		cop_plan *plan;
		cop_session *s;
		OK(cx, cop_error_text(cx)[0] ? COP_ARG : COP_OK);
		OK(cx, cop__output(p.g, p.a, "a"));
		OK(cx, cop__output(p.g, p.b, "b"));
		OK(cx, cop_target_find(&t, cx, "host"));
		t.isa = 0;
		OK(cx, cop_plan_build(&plan, &p.g, 1, &t));
		OK(cx, cop_session_new(&s, plan, 1));
		fill_inputs(&p, s);
		OK(cx, cop_session_run(s, 0));
		OK(cx, cop_session_io(s, 0, 0, true, &a));
		OK(cx, cop_session_io(s, 0, 1, true, &b));
		for (int64_t k = 0; k < cop_type_count(&a.type); k++) {
			bool same = a.type.dtype == COP_F32 ? ((float *)a.data)[k] == ((float *)b.data)[k] : ((int8_t *)a.data)[k] == ((int8_t *)b.data)[k];
			if (!same) fail_msg("%s, sample %d: element %lld differs", what, which, (long long)k);
		}
		cop_session_free(s);
		cop_plan_free(plan);
		cop_graph_free(p.g);
	}
	cop_graph_free(p.g);
	return which;
}

static void of_the_input(void **state) { assert_true(compare(*state, dx_pair, "qconv_dx") > 10); }
static void of_the_weight(void **state) { assert_true(compare(*state, dw_pair, "qconv_dw") > 20); }
static void moved_at_once(void **state) { assert_true(compare(*state, step_pair, "qconv_step") > 20); }

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_the_input, setup, teardown),
		cmocka_unit_test_setup_teardown(of_the_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(moved_at_once, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
