/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_bn, fuse, to_train, to_infer: the graph gets smaller, its results stay.
 */
#include "pass/encoded.h"

/* conv with and without bias, groups, depthwise, fc; relu6 after some of them. */
static cop_graph *net(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = input(g, 4, DIMS(2, 8, 8, 4));
	x = relu(g, bn(g, conv(g, x, "c1", 8, 3, 1, 1, false), "n1"));
	x = relu(g, bn(g, conv(g, x, "c2", 8, 3, 2, 8, true), "n2"));
	x = cop__apply(g, OP_clip, &(cop_act_attr){0, 6}, VIDS(bn(g, conv(g, x, "c3", 6, 1, 1, 2, true), "n3")));
	x = fc(g, bn(g, fc(g, global_pool(g, x), "f1", 12, false), "n4"), "f2", 5, true);
	OK(cx, cop__output(g, x, "y"));
	return g;
}

static void test_fold(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *f;
	(void)state;

	OK(cx, cop__pass_fold_bn(&f, g));
	assert_int_equal(count_op(g, OP_bn), 4);
	assert_int_equal(count_op(f, OP_bn), 0);
	assert_int_equal(f->n_node, g->n_node - 4);
	assert_true(cop__find(f, "c1.w") && cop__find(f, "c1.b") && cop__find(f, "f1.b"));
	assert_true(cop__t(f, cop__find(f, "c1.b"))->dim[0] == 8);
	assert_false(cop__find(f, "n1.gamma") || cop__find(f, "n4.var"));
	assert_true(difference(cx, g, f) < 1e-5);
	cop_graph_free(f);
	/* bounds that bn had taken over go to the layer */
	OK(cx, cop__pass_fuse(&f, g));
	assert_int_equal(count_op(f, OP_clip), 0);
	OK(cx, cop_graph_apply(&f, "fold_bn"));
	assert_int_equal(count_op(f, OP_bn), 0);
	assert_true(difference(cx, g, f) < 1e-5);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_not_folded(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = input(g, 4, DIMS(1, 5, 5, 3)), c = conv(g, x, "two_readers", 3, 3, 1, 1, true);
	cop_vid a = add(g, bn(g, c, "n1"), c);
	cop_vid b = bn(g, relu(g, conv(g, a, "act", 4, 1, 1, 1, true)), "n2");
	OK(cx, cop__output(g, bn(g, b, "n3"), "y"));
	OK(cx, cop_graph_apply(&g, "fuse"));
	OK(cx, cop__pass_fold_bn(&f, g));
	assert_int_equal(count_op(f, OP_bn), 3);
	assert_true(difference(cx, g, f) == 0);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Zeros may be stored as no data at all. */
static void test_zeros(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *f;
	(void)state;

	g->value[cop__find(g, "c2.w")].data = NULL;
	g->value[cop__find(g, "c3.b")].data = NULL;
	g->value[cop__find(g, "n1.mean")].data = NULL;
	OK(cx, cop__pass_fold_bn(&f, g));
	assert_true(difference(cx, g, f) < 1e-5);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Behind an encoded weight it stays, and the others fold. */
static void test_encoded(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *f;
	(void)state;

	encode(g, cop__find(g, "f1.w"), COP_SPARSE);
	OK(cx, cop__pass_fold_bn(&f, g));
	assert_int_equal(count_op(f, OP_bn), 1);
	assert_true(cop__find(f, "n4.gamma") && difference(cx, g, f) < 1e-5);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_fuse(void **state)
{
	static const struct { float a, b, c, d, lo, hi; } row[] = {
		{0, INFINITY, -INFINITY, 6, 0, 6},
		{-1, 1, 0, 3, 0, 1},
		{0, 1, 2, 3, 2, 2}, /* disjoint: a constant */
		{2, 3, 0, 1, 1, 1},
	};
	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g, *f;
		float lo, hi;
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_vid c = conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "c", 5, 3, 1, 1, true);
		c = cop__apply(g, OP_clip, &(cop_act_attr){row[i].a, row[i].b}, VIDS(c));
		c = cop__apply(g, OP_clip, &(cop_act_attr){row[i].c, row[i].d}, VIDS(c));
		OK(cx, cop__output(g, c, "result"));
		OK(cx, cop__pass_fuse(&f, g));
		assert_int_equal(f->n_node, 1);
		cop__act_get(f, 1, &lo, &hi);
		assert_true(lo == row[i].lo && hi == row[i].hi);
		assert_string_equal(f->value[f->output[0]].name, "result");
		assert_true(difference(cx, g, f) == 0);
		cop_graph_free(f);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* A result that somebody else reads must stay as it is. */
static void test_fuse_two_readers(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid c = conv(g, input(g, 4, DIMS(1, 6, 6, 2)), "c", 2, 3, 1, 1, true);
	OK(cx, cop__output(g, relu(g, add(g, relu(g, c), c)), "y"));
	OK(cx, cop__output(g, relu(g, conv(g, c, "d", 3, 1, 1, 1, false)), "z"));
	OK(cx, cop__pass_fuse(&f, g));
	assert_int_equal(count_op(f, OP_clip), 1);
	assert_int_equal(f->n_output, 2);
	assert_true(difference(cx, g, f) == 0);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_to_train(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *t;
	cop_host host;
	cop_tensor x, mean;
	const float *old;
	(void)state;

	OK(cx, cop_graph_apply(&g, "fuse"));
	OK(cx, cop__pass_to_train(&t, g));
	OK(cx, cop_graph_verify(t));
	assert_int_equal(count_op(t, OP_bn), 0);
	assert_int_equal(count_op(t, OP_bn_norm), 4);
	OK(cx, cop__host_open(&host, &t, 1, COP_ISA_ALL, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	memset(x.data, 0, cop_type_bytes(&x.type)); /* c1 has no bias, so that its batch mean is 0: new = 0.9 old */
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_tensor(host.s, 0, "n1.mean", &mean));
	old = g->value[cop__find(g, "n1.mean")].data;
	for (int i = 0; i < 8; i++) assert_true(fabsf(((float *)mean.data)[i] - 0.9f * old[i]) < 1e-6f);
	cop__host_close(&host);
	cop_graph_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Dropout, a clip without bounds, a reshape to the same shape and a mask have no place in a deployed model. */
static void test_to_infer(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f, *plain = NULL;
	(void)state;

	for (int with = 0; with < 2; with++) {
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_type one = cop__type(COP_I32, 1, DIMS(1));
		cop_vid v = conv(g, input(g, 4, DIMS(2, 6, 6, 2)), "c", 4, 3, 1, 1, true);
		if (with) {
			v = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {0, 6, 6, 4}}, VIDS(bn(g, v, "n")));
			cop_type t = *cop__t(g, cop__find(g, "c.w"));
			g->value[cop__data(g, COP_STATE, "c.w.mask", &t, NULL)].of = cop__find(g, "c.w");
		} else {
			v = bn(g, v, "n");
		}
		v = relu(g, v);
		cop_vid step = with ? cop__data(g, COP_STATE, "step", &one, NULL) : 0;
		if (with) v = cop__apply(g, OP_dropout, &(cop_dropout_attr){0.5f, 1, 1}, VIDS(v, step));
		if (with) v = cop__apply(g, OP_clip, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(v));
		v = global_pool(g, v);
		OK(cx, cop__output(g, v, "y"));
		if (!with) plain = g;
	}
	OK(cx, cop__pass_to_infer(&f, g));
	assert_int_equal(f->n_node, 4); /* conv clip avgpool reshape */
	assert_false(cop__find(f, "step") || cop__find(f, "c.w.mask"));
	assert_true(difference(cx, plain, f) < 1e-5);
	cop_graph_free(f);
	cop_graph_free(g);
	cop_graph_free(plain);
	cop_ctx_free(cx);
}

/* A dropout that makes the network's result from its input cannot simply be left out. */
static void test_to_infer_keeps_names(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *f;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_type one = cop__type(COP_I32, 1, DIMS(1));
	cop_vid x = input(g, 2, DIMS(2, 3)), step = cop__data(g, COP_STATE, "step", &one, NULL);
	OK(cx, cop__output(g, cop__apply(g, OP_dropout, &(cop_dropout_attr){0.5f, 1, 1}, VIDS(x, step)), "y"));
	OK(cx, cop__pass_to_infer(&f, g));
	assert_int_equal(count_op(f, OP_dropout), 0);
	assert_string_equal(f->value[f->output[0]].name, "y");
	assert_string_equal(f->value[f->input[0]].name, "x");
	cop_graph_free(f);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_apply(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *before = g;
	const char *summary;
	(void)state;

	assert_int_equal(cop_graph_apply(&g, "fuse no_such_pass"), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "no_such_pass"));
	cop_error_clear(cx);
	assert_int_equal(cop_graph_apply(&g, "fold_bn fuse:by=what"), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "by"));
	cop_error_clear(cx);
	assert_int_equal(cop_graph_apply(&g, "fold_bn batch:n=0"), COP_ARG);
	cop_error_clear(cx);
	assert_ptr_equal(g, before);
	OK(cx, cop_graph_apply(&g, " fold_bn  fuse\tbatch:n=3 dce "));
	assert_int_equal(cop__t(g, g->input[0])->dim[0], 3);
	assert_int_equal(count_op(g, OP_clip) + count_op(g, OP_bn), 0);
	for (int i = 0; cop_pass_name(i, &summary); i++) assert_true(summary && *summary);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold), cmocka_unit_test(test_not_folded),
		cmocka_unit_test(test_zeros), cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_fuse), cmocka_unit_test(test_fuse_two_readers), cmocka_unit_test(test_to_train),
		cmocka_unit_test(test_to_infer), cmocka_unit_test(test_to_infer_keeps_names),
		cmocka_unit_test(test_apply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
