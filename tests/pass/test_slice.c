/* SPDX-License-Identifier: Apache-2.0
 *
 * slice and links: a network without some channels computes what the whole one computes with them at zero.
 * First for every op alone, through its samples; then for networks in which groups reach far.
 */
#include "pass/cut.h"
#include "pass/nets.h"

/* ---- every op's links against zeroed indices ---- */

/* The sample's inputs become weights with contents, so that they can be cut. */
static void inputs_to_weights(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		if (x->producer || x->data) continue;
		void *data = cop__arena_get(&g->mem, cop_type_bytes(&x->type) + 64);
		fill_value(g, (cop_vid)v, data, (uint32_t)v);
		x->role = COP_PARAM;
		x->data = data;
	}
	g->n_input = 0;
}

static bool kept(const cop_groups *s, const uint8_t *drop, cop_vid v, int64_t i)
{
	const cop_type *t = cop__t(s->g, v);
	for (int a = t->rank - 1; a >= 0; a--) {
		if (drop[cop__group_of(s, v, a, (int32_t)(i % t->dim[a]))]) return false;
		i /= t->dim[a];
	}
	return true;
}

/* Does the group hold a whole axis of some value, or nothing that can be cut? */
static bool whole_axis(const cop_groups *s, int32_t k)
{
	for (int32_t m = s->start[k]; m < s->start[k + 1]; m++) {
		cop_item it = s->item[s->member[m]];
		int32_t n = 0;
		for (int32_t j = 0; j < cop__t(s->g, it.v)->dim[it.axis]; j++)
			n += cop__group_of(s, it.v, it.axis, j) == k;
		if (n == cop__t(s->g, it.v)->dim[it.axis]) return true;
	}
	return false;
}

/* Node n's result 0, whole with zeros against cut; returns 1 when there was something to compare. */
static int compare_group(cop_ctx *cx, cop_graph *g, const cop_groups *s, int32_t k, const char *name, int which)
{
	cop_vid y = cop__res(g, (cop_nid)g->n_node, 0);
	uint8_t *drop = calloc((size_t)s->n_group, 1);
	cop_graph *cut, *zero;
	cop_vid *map;
	int64_t n, m, at = 0;
	int compared = 0;

	drop[k] = 1;
	cop_status st = cop__pass_slice_groups(&cut, s, drop);
	if (st) fail_msg("%s sample %d: %s", name, which, cop_error_text(cx));
	OK(cx, cop__copy_begin(&zero, g, &map));
	for (int32_t i = 1; i <= g->n_node; i++) OK(cx, cop__copy_node(zero, g, map, (cop_nid)i));
	OK(cx, cop__copy_end(zero, g, map));
	/* zero has g's values at other places: zero them there */
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &zero->value[map[v]];
		if (g->value[v].producer || !map[v] || x->type.dtype != COP_F32) continue;
		float *d = cop__own(zero, map[v]);
		for (int64_t i = 0, c = cop_type_count(&x->type); i < c; i++)
			if (!kept(s, drop, (cop_vid)v, i)) d[i] = 0;
	}
	float *a = run_graph(cx, zero, 1, &n), *b = run_graph(cx, cut, 1, &m);
	for (int64_t i = 0; i < n; i++) {
		if (!kept(s, drop, y, i)) continue;
		assert_true(at < m);
		if (!(fabsf(a[i] - b[at]) <= 1e-5f * (1 + fabsf(a[i]))) && !(isnan(a[i]) && isnan(b[at])))
			fail_msg("%s sample %d: element %d is %g with zeros and %g cut", name, which, (int)i,
				(double)a[i], (double)b[at]);
		at++, compared = 1;
	}
	assert_int_equal(at, m);
	free(a);
	free(b);
	free(drop);
	cop_graph_free(cut);
	cop_graph_free(zero);
	return compared;
}

static int check_sample(cop_ctx *cx, int op, int which, bool *end)
{
	cop_graph *g;
	cop_groups s;
	int n = 0;

	OK(cx, cop__graph_new(&g, cx, "sample"));
	cop_nid node = cop_ops[op]->sample(g, which);
	if (!node && cx->code) fail_msg("%s sample %d: %s", cop_ops[op]->name, which, cop_error_text(cx));
	*end = !node;
	if (node && cop__t(g, cop__res(g, node, 0))->dtype == COP_F32) {
		inputs_to_weights(g);
		OK(cx, cop__groups(&s, g));
		OK(cx, cop__output(g, cop__res(g, node, 0), "out"));
		int tried = 0;
		for (int32_t k = 0; k < s.n_group && tried < 12; k++) {
			if (s.stop[k].why || whole_axis(&s, k)) continue;
			n += compare_group(cx, g, &s, k, cop_ops[op]->name, which);
			tried++;
			k += s.n_group / 24; /* some of many */
		}
		cop__groups_free(&s);
	}
	cop_graph_free(g);
	return n;
}

static void test_links_of_every_op(void **state)
{
	static const int must[] = {OP_conv, OP_fc, OP_add, OP_mul, OP_clip, OP_concat, OP_reshape, OP_transpose,
		OP_bn, OP_maxpool, OP_avgpool};
	cop_ctx *cx = new_ctx();
	int n[COP_N_OP] = {0};
	(void)state;

	for (int op = 1; op < COP_N_OP; op++) {
		bool end = !cop_ops[op]->links || !cop_ops[op]->sample || (cop_ops[op]->flags & COP_OP_UPDATE);
		end |= op == OP_dropout; /* draws by position, so that what moves up draws anew */
		for (int which = 0; !end; which++) n[op] += check_sample(cx, op, which, &end);
		if (n[op]) print_message("%s %d, ", cop_ops[op]->name, n[op]);
	}
	print_message("\n");
	for (int i = 0; i < LEN(must); i++)
		if (!n[must[i]]) fail_msg("%s: no axis of any sample could be cut", cop_ops[must[i]]->name);
	cop_ctx_free(cx);
}

/* ---- networks ---- */

static cop_vid residual(cop_graph *g)
{
	cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(2, 8, 8, 3)), "stem", 6, 3, 1, 1, false), "bn0"));
	cop_vid y = relu(g, bn(g, conv(g, x, "a", 5, 3, 1, 1, false), "bn1"));
	x = relu(g, add(g, bn(g, conv(g, y, "b", 6, 3, 1, 1, true), "bn2"), x));
	y = relu(g, conv(g, x, "down", 8, 3, 2, 1, true));
	x = relu(g, add(g, y, bn(g, conv(g, x, "short", 8, 1, 2, 1, false), "bn3")));
	return fc(g, global_pool(g, x), "head", 4, true);
}

static cop_vid branches(cop_graph *g)
{
	cop_vid x = input(g, 4, DIMS(2, 6, 6, 3)), a = relu(g, conv(g, x, "a", 4, 3, 1, 1, true));
	cop_vid b = bn(g, conv(g, x, "b", 5, 1, 1, 1, false), "bnb"), c = conv(g, a, "c", 3, 3, 1, 1, true);
	cop_vid y = cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(a, b, c));
	y = relu(g, bn(g, conv(g, y, "mix", 7, 3, 2, 1, true), "bnm"));
	y = relu(g, fc(g, flatten(g, y), "hidden", 9, true));
	return fc(g, y, "head", 4, true);
}

static cop_vid separable(cop_graph *g)
{
	cop_vid x = relu(g, bn(g, conv(g, input(g, 4, DIMS(2, 6, 6, 3)), "stem", 6, 3, 1, 1, false), "bn0"));
	x = relu(g, bn(g, conv(g, x, "dw", 6, 3, 1, 6, false), "bn1"));
	x = relu(g, conv(g, x, "dw2", 12, 3, 2, 6, true)); /* two outputs a channel */
	x = conv(g, x, "pw", 5, 1, 1, 1, true);
	x = cop__apply(g, OP_maxpool, &(cop_pool_attr){2, 2, 1, 1, 0, 0, 0, 0, 0}, VIDS(x));
	return fc(g, flatten(g, relu(g, x)), "head", 4, true);
}

static cop_vid scaled(cop_graph *g) /* squeeze and excitation, and a parallel sum over a flattened tensor */
{
	cop_vid x = conv(g, input(g, 4, DIMS(2, 5, 5, 3)), "stem", 6, 3, 1, 1, true);
	cop_vid s = fc(g, relu(g, fc(g, global_pool(g, x), "squeeze", 4, true)), "excite", 6, true);
	s = cop__apply(g, OP_sigmoid, NULL, VIDS(s));
	s = cop__apply(g, OP_reshape, &(cop_shape_attr){4, {0, 1, 1, 6}}, VIDS(s));
	x = cop__apply(g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, s));
	return fc(g, flatten(g, x), "head", 4, true);
}

static cop_vid (*const nets[])(cop_graph *g) = {residual, branches, separable, scaled};

static cop_graph *build(cop_ctx *cx, int i)
{
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "net"));
	OK(cx, cop__output(g, nets[i](g), "y"));
	return g;
}

static bool is_output_axis(const cop_graph *g, cop_vid v)
{
	const char *name = g->value[v].name;
	return g->value[v].role == COP_PARAM && name && strlen(name) > 2 && !strcmp(name + strlen(name) - 2, ".w");
}

static void check_drop(cop_ctx *cx, int net, const cop_groups *s, const uint8_t *drop)
{
	cop_graph *cut, *zero = build(cx, net);

	OK(cx, cop__pass_slice_groups(&cut, s, drop));
	zero_items(zero, s, drop); /* built alike, so the items are at the same places */
	double d = difference(cx, zero, cut);
	if (!(d < 1e-5)) fail_msg("net %d: differs by %g", net, d);
	cop_graph_free(cut);
	cop_graph_free(zero);
}

static void test_networks(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int net = 0; net < LEN(nets); net++) {
		cop_graph *g = build(cx, net);
		cop_groups s;
		int may = 0, must_stay = 0;
		OK(cx, cop__groups(&s, g));
		uint8_t *drop = calloc((size_t)s.n_group, 1), *some = calloc((size_t)s.n_group, 1);
		for (int32_t v = 1; v <= g->n_value; v++) {
			for (int32_t j = 0; is_output_axis(g, (cop_vid)v) && j < cop__t(g, (cop_vid)v)->dim[0]; j++) {
				int32_t k = cop__group_of(&s, (cop_vid)v, 0, j);
				if (s.stop[k].why) {
					assert_string_equal(g->value[v].name, "head.w");
					must_stay++;
					continue;
				}
				memset(drop, 0, (size_t)s.n_group);
				drop[k] = 1;
				check_drop(cx, net, &s, drop);
				if (j == 1) some[k] = 1;
				may++;
			}
		}
		check_drop(cx, net, &s, some);
		assert_int_equal(must_stay, 4);
		print_message("net %d: %d channels cut one by one\n", net, may);
		free(drop);
		free(some);
		cop__groups_free(&s);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

static void test_coupled(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = build(cx, 0);
	cop_groups s;
	(void)state;

	OK(cx, cop__groups(&s, g));
	cop_vid stem = cop__find(g, "stem.w"), b = cop__find(g, "b.w"), a = cop__find(g, "a.w");
	for (int32_t j = 0; j < 6; j++) {
		assert_int_equal(cop__group_of(&s, stem, 0, j), cop__group_of(&s, b, 0, j));      /* the sum */
		assert_int_equal(cop__group_of(&s, stem, 0, j), cop__group_of(&s, a, 3, j));      /* its reader */
		assert_int_equal(cop__group_of(&s, stem, 0, j), cop__group_of(&s, cop__find(g, "bn2.var"), 0, j));
		assert_int_not_equal(cop__group_of(&s, stem, 0, j), cop__group_of(&s, stem, 0, (j + 1) % 6));
	}
	assert_int_not_equal(cop__group_of(&s, a, 0, 0), cop__group_of(&s, stem, 0, 0));
	cop__groups_free(&s);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_spec(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = build(cx, 2);
	(void)state;

	OK(cx, cop_graph_apply(&g, "slice:of=stem.w,drop=0-1|4"));
	assert_int_equal(cop__t(g, cop__find(g, "stem.w"))->dim[0], 3);
	assert_int_equal(cop__t(g, cop__find(g, "dw2.w"))->dim[0], 6);
	assert_int_equal(cop__t(g, cop__find(g, "pw.w"))->dim[3], 6);
	assert_int_equal(cop__t(g, cop__find(g, "bn1.gamma"))->dim[0], 3);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void test_refusals(void **state)
{
	static const struct { const char *spec, *says; } row[] = {
		{"slice:of=head.w,drop=0", "head.w"},             /* an output of the network */
		{"slice:of=stem.w,axis=3,drop=0", "input"},
		{"slice:of=stem.w,axis=1,drop=0", "conv 'stem.w'"}, /* a window slides along it */
		{"slice:of=a.w,drop=0-4", "left"},
		{"slice:of=a.w,drop=7", "0 to 4"},
		{"slice:of=a.w,drop=", "drop"},
		{"slice:of=nobody,drop=1", "nobody"},
		{"slice:of=a.w,axis=5,drop=1", "axis 5"},
	};
	cop_ctx *cx = new_ctx();
	cop_graph *g = build(cx, 0), *before = g;
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		assert_true(cop_graph_apply(&g, row[i].spec) != COP_OK);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].spec, cop_error_text(cx));
		assert_ptr_equal(g, before);
		cop_error_clear(cx);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* An op without links, and one that ties the axis together, are named. */
static void test_refuses_at_softmax(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = fc(g, input(g, 2, DIMS(2, 6)), "a", 5, true);
	OK(cx, cop__output(g, fc(g, cop__apply(g, OP_softmax, NULL, VIDS(x)), "b", 3, true), "y"));
	assert_true(cop_graph_apply(&g, "slice:of=a.w,drop=1") != COP_OK);
	assert_non_null(strstr(cop_error_text(cx), "softmax"));
	cop_error_clear(cx);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* A mask and a row list follow their parameter. */
static void test_followers(void **state)
{
	static const int32_t rows[] = {3, 0, 2, 4};
	cop_ctx *cx = new_ctx();
	cop_graph *g = build(cx, 0);
	float mask[5 * 9 * 6];
	(void)state;

	cop_vid w = cop__find(g, "a.w");
	cop_type t = *cop__t(g, w), tr = cop__type(COP_I32, 1, DIMS(4));
	for (int i = 0; i < LEN(mask); i++) mask[i] = (float)(i / 54); /* its row */
	g->value[cop__data(g, COP_STATE, "a.w.mask", &t, mask)].of = w;
	g->value[cop__data(g, COP_STATE, "a.w.rows", &tr, rows)].of = w;
	OK(cx, cop_graph_apply(&g, "slice:of=a.w,drop=1-2 slice:of=stem.w,drop=5"));
	const cop_value *m = &g->value[cop__find(g, "a.w.mask")], *r = &g->value[cop__find(g, "a.w.rows")];
	const float *d = m->data;
	const int32_t *list = r->data;
	assert_int_equal(m->type.dim[0], 3);
	assert_int_equal(m->type.dim[3], 5);
	assert_true(d[0] == 0 && d[45] == 3 && d[90] == 4);
	assert_int_equal(m->of, cop__find(g, "a.w"));
	assert_int_equal(list[0], 2);
	assert_int_equal(list[1], 0);
	assert_int_equal(list[2], 2); /* row 4 is now row 2 */
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_of_every_op), cmocka_unit_test(test_networks),
		cmocka_unit_test(test_coupled), cmocka_unit_test(test_spec),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_refuses_at_softmax),
		cmocka_unit_test(test_followers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
