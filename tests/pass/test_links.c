/* SPDX-License-Identifier: Apache-2.0
 *
 * links over whole networks: every kind of coupling as a small graph, and random graphs. What may go is known for each, and the network
 * without it computes what the whole one computes with those channels at zero.
 */
#include "pass/cut.h"
#include "random/graphs.h"

/* ---- cutting ---- */

/* Leaves at least one index of each axis. */
static void spare(const cop_groups *s, uint8_t *drop)
{
	const cop_graph *g = s->g;

	for (int32_t v = 1; v <= g->n_value; v++)
		for (int a = 0; a < g->value[v].type.rank; a++) {
			int32_t n = 0;
			for (int32_t j = 0; j < g->value[v].type.dim[a]; j++) n += !drop[cop__group_of(s, (cop_vid)v, a, j)];
			if (!n) drop[cop__group_of(s, (cop_vid)v, a, 0)] = 0;
		}
}

/* With zeros against cut; g's weights become zero. */
static void check_drop(cop_ctx *cx, cop_graph *g, const cop_groups *s, const uint8_t *drop, const char *what)
{
	cop_graph *cut;

	cop_status st = cop__pass_slice_groups(&cut, s, drop);
	if (st) fail_msg("%s: %s", what, cop_error_text(cx));
	zero_items(g, s, drop);
	double d = difference(cx, g, cut);
	if (!(d < 1e-5)) fail_msg("%s: differs by %g", what, d);
	cop_graph_free(cut);
}

/* ---- a graph for each kind of coupling ---- */

static cop_vid act(cop_graph *g, int op, cop_vid x, cop_vid y) { return cop__apply(g, op, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, y)); }
static cop_vid to_shape(cop_graph *g, cop_vid x, cop_shape_attr a) { return cop__apply(g, OP_reshape, &a, VIDS(x)); }
static cop_vid turn(cop_graph *g, cop_vid x, cop_shape_attr a) { return cop__apply(g, OP_transpose, &a, VIDS(x)); }
static cop_vid part(cop_graph *g, cop_vid x, int axis, int32_t from, int32_t size)
{
	cop_slice_attr a = {.from = {0}};
	a.from[axis] = from, a.size[axis] = size;
	return cop__apply(g, OP_slice, &a, VIDS(x));
}
static cop_vid picture(cop_graph *g) { return relu(g, bn(g, conv(g, input(g, 4, DIMS(2, 6, 6, 3)), "a", 8, 3, 1, 1, false), "bna")); }
static cop_vid head(cop_graph *g, cop_vid x) { return fc(g, x, "head", 4, true); }

static cop_vid residual(cop_graph *g)
{
	cop_vid x = picture(g);
	return head(g, global_pool(g, relu(g, add(g, x, bn(g, conv(g, relu(g, conv(g, x, "b", 5, 3, 1, 1, true)), "c", 8, 3, 1, 1, false), "bnc")))));
}
static cop_vid concatenated(cop_graph *g)
{
	cop_vid x = picture(g);
	return head(g, flatten(g, conv(g, cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(x, conv(g, x, "b", 5, 1, 1, 1, true))), "mix", 3, 3, 2, 1, true)));
}
static cop_vid split(cop_graph *g) /* the first 3 channels one way, the other 5 another */
{
	cop_vid x = picture(g), p = conv(g, part(g, x, 3, 0, 3), "b", 4, 3, 1, 1, true), q = conv(g, part(g, x, 3, 3, 5), "c", 4, 1, 1, 1, true);
	return head(g, global_pool(g, relu(g, add(g, p, q))));
}
static cop_vid partly_used(cop_graph *g) { return head(g, global_pool(g, conv(g, part(g, picture(g), 3, 2, 4), "b", 4, 3, 1, 1, true))); }
static cop_vid depthwise(cop_graph *g) { return head(g, global_pool(g, conv(g, bn(g, conv(g, picture(g), "dw", 16, 3, 1, 8, false), "bnd"), "pw", 5, 1, 1, 1, true))); }
static cop_vid grouped(cop_graph *g) { return head(g, global_pool(g, conv(g, picture(g), "b", 12, 3, 1, 4, true))); }
static cop_vid transposed(cop_graph *g)
{
	cop_conv_dx_attr a = {{2, 2, 1, 1, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI}, 12, 12};
	cop_vid x = cop__apply(g, OP_conv_dx, &a, VIDS(picture(g), weight(g, COP_PARAM, "up.w", 4, DIMS(8, 3, 3, 5), -1, 1)));
	return head(g, global_pool(g, relu(g, x)));
}
static cop_vid transposed_depthwise(cop_graph *g)
{
	cop_conv_dx_attr a = {{2, 2, 1, 1, 0, 0, 1, 1, 8, COP_NO_LO, COP_NO_HI}, 12, 12};
	cop_vid x = cop__apply(g, OP_conv_dx, &a, VIDS(picture(g), weight(g, COP_PARAM, "up.w", 4, DIMS(8, 3, 3, 1), -1, 1)));
	return head(g, global_pool(g, x));
}
static cop_vid flat_nhwc(cop_graph *g) { return head(g, flatten(g, picture(g))); }
static cop_vid flat_nchw(cop_graph *g) { return head(g, flatten(g, turn(g, picture(g), (cop_shape_attr){4, {0, 3, 1, 2}}))); }
static cop_vid mean_of_picture(cop_graph *g) { return head(g, cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, 6, 0}, VIDS(picture(g)))); }
static cop_vid padded_shortcut(cop_graph *g) /* half the size, twice the channels, those that are new zero */
{
	cop_vid x = picture(g), y = conv(g, x, "b", 16, 3, 2, 1, true);
	cop_slice_attr s = {.step = {1, 2, 2, 1, 1, 1}};
	x = cop__apply(g, OP_pad, &(cop_pad_attr){.before = {0, 0, 0, 4}, .after = {0, 0, 0, 4}}, VIDS(cop__apply(g, OP_slice, &s, VIDS(x))));
	return head(g, global_pool(g, relu(g, add(g, x, y))));
}
static cop_vid swish(cop_graph *g)
{
	cop_vid x = conv(g, picture(g), "b", 6, 3, 1, 1, true);
	return head(g, global_pool(g, act(g, OP_mul, x, cop__apply(g, OP_sigmoid, NULL, VIDS(x)))));
}
static cop_vid excited(cop_graph *g)
{
	cop_vid x = picture(g), s = fc(g, relu(g, fc(g, global_pool(g, x), "squeeze", 4, true)), "excite", 8, true);
	s = to_shape(g, cop__apply(g, OP_sigmoid, NULL, VIDS(s)), (cop_shape_attr){4, {0, 1, 1, 8}});
	return head(g, global_pool(g, act(g, OP_mul, x, s)));
}
static cop_vid glu(cop_graph *g) /* one layer makes values and gates */
{
	cop_vid x = fc(g, input(g, 2, DIMS(3, 7)), "both", 10, true);
	return head(g, act(g, OP_mul, part(g, x, 1, 0, 5), cop__apply(g, OP_sigmoid, NULL, VIDS(part(g, x, 1, 5, 5)))));
}
static cop_vid swiglu(cop_graph *g)
{
	cop_vid x = input(g, 2, DIMS(3, 7)), p = fc(g, x, "gate", 6, false), q = fc(g, x, "up", 6, false);
	return head(g, act(g, OP_mul, act(g, OP_mul, p, cop__apply(g, OP_sigmoid, NULL, VIDS(p))), q));
}
/* [5 words, 6] to `heads` heads of 4: [heads, 5, 4] */
static cop_vid heads_of(cop_graph *g, cop_vid x, const char *name) { return turn(g, to_shape(g, fc(g, x, name, 12, true), (cop_shape_attr){3, {5, 3, 4}}), (cop_shape_attr){3, {1, 0, 2}}); }
static cop_vid attention(cop_graph *g)
{
	cop_vid x = input(g, 2, DIMS(5, 6)), q = heads_of(g, x, "q"), k = heads_of(g, x, "k"), v = heads_of(g, x, "v");
	cop_vid y = cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 1}, VIDS(q, k));
	y = cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(cop__apply(g, OP_softmax, NULL, VIDS(y)), v));
	return head(g, to_shape(g, turn(g, y, (cop_shape_attr){3, {1, 0, 2}}), (cop_shape_attr){2, {5, 12}}));
}
static cop_vid embedded(cop_graph *g) /* rows of a table, then a layer over what they hold */
{
	static const int32_t word[] = {2, 0, 1};
	cop_type t = cop__type(COP_I32, 1, DIMS(3));
	cop_vid x = cop__apply(g, OP_gather, &(cop_axis_attr){0}, VIDS(weight(g, COP_PARAM, "table.w", 2, DIMS(4, 6), -1, 1), cop__data(g, COP_CONST, "word", &t, word)));
	return fc(g, add(g, relu(g, x), input(g, 2, DIMS(3, 1))), "head", 4, true);
}
static cop_vid normalised(cop_graph *g) /* layer norm needs all channels of a row */
{
	cop_vid x = fc(g, input(g, 2, DIMS(3, 7)), "a", 8, true);
	x = cop__apply(g, OP_layernorm, &(cop_layernorm_attr){1e-3f, 0}, VIDS(x, weight(g, COP_PARAM, "gamma", 1, DIMS(8), 0.5f, 1)));
	return head(g, relu(g, fc(g, x, "b", 5, true)));
}

/* may: how many channels, neurons or heads can go, each with what is coupled to it. */
static const struct { const char *name; cop_vid (*build)(cop_graph *g); int may; } kinds[] = {
	{"residual", residual, 8 + 5}, {"concat", concatenated, 8 + 5 + 3}, {"split", split, 8 + 4}, {"partly used", partly_used, 8 + 4}, {"depthwise", depthwise, 8 + 5},
	{"grouped", grouped, 4}, {"transposed", transposed, 8 + 5}, {"transposed depthwise", transposed_depthwise, 8}, {"flatten nhwc", flat_nhwc, 8}, {"flatten nchw", flat_nchw, 8},
	{"mean", mean_of_picture, 8}, {"padded shortcut", padded_shortcut, 16}, {"swish", swish, 8 + 6}, {"squeeze and excite", excited, 8 + 4}, {"glu", glu, 5},
	{"swiglu", swiglu, 6}, {"attention", attention, 3}, {"embedding", embedded, 6}, {"layer norm", normalised, 5},
};

static cop_graph *build(cop_ctx *cx, int i)
{
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, kinds[i].name));
	cop_vid y = kinds[i].build(g);
	if (!y) fail_msg("%s: %s", kinds[i].name, cop_error_text(cx));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

/* Groups of the rows of weights, and of the channels of one that a graph begins with: each once. */
static int list_groups(const cop_groups *s, int32_t *list)
{
	int n = 0;

	for (int32_t k = 0; k < s->n_group; k++) {
		bool leaf = false;
		for (int32_t m = s->start[k]; m < s->start[k + 1]; m++) {
			const cop_item *it = &s->item[s->member[m]];
			leaf |= s->g->value[it->v].role == COP_PARAM && s->g->value[it->v].type.rank > 1 && s->g->value[it->v].type.dim[it->axis] > 1;
		}
		if (leaf && !s->stop[k].why) list[n++] = k;
	}
	return n;
}

static void test_kinds(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int i = 0; i < LEN(kinds); i++) {
		cop_graph *g = build(cx, i);
		cop_groups s;
		OK(cx, cop__groups(&s, g));
		uint8_t *drop = calloc((size_t)s.n_group, 1), *some = calloc((size_t)s.n_group, 1);
		int32_t *list = malloc(sizeof *list * (size_t)s.n_group);
		int n = list_groups(&s, list);
		if (n != kinds[i].may) fail_msg("%s: %d may go, not %d", kinds[i].name, n, kinds[i].may);
		for (int k = 0; k <= n; k++) { /* each alone, then every third */
			memset(drop, 0, (size_t)s.n_group);
			if (k < n) drop[list[k]] = 1, some[list[k]] = k % 3 == 0;
			else spare(&s, some);
			cop_graph *zero = build(cx, i); /* built alike, so the items are at the same places */
			check_drop(cx, zero, &s, k < n ? drop : some, kinds[i].name);
			cop_graph_free(zero);
		}
		free(drop);
		free(some);
		free(list);
		cop__groups_free(&s);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* The padding of a shortcut and the part that is sliced off keep their places. */
static void test_attributes(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	(void)state;

	for (int i = 0; i < LEN(kinds); i++) {
		if (kinds[i].build != padded_shortcut) continue;
		g = build(cx, i);
		OK(cx, cop_graph_apply(&g, "slice:of=b.w,drop=0-1|5|15"));
		for (int32_t n = 1; n <= g->n_node; n++) {
			if (g->node[n].op != OP_pad) continue;
			COP_ATTR(cop_pad_attr, p, g, n);
			assert_int_equal(p.before[3], 2);
			assert_int_equal(p.after[3], 3);
		}
		assert_int_equal(cop__t(g, cop__find(g, "a.w"))->dim[0], 7);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- random graphs ---- */

enum { GRAPHS = 150 };

static int cut_some(cop_ctx *cx, uint64_t seed)
{
	cop_graph *g = draw_graph(cx, seed, false);
	cop_groups s;
	char what[40];
	int n = 0;

	OK(cx, cop__groups(&s, g));
	uint8_t *drop = calloc((size_t)s.n_group, 1);
	int32_t *list = malloc(sizeof *list * (size_t)s.n_group), may = list_groups(&s, list);
	for (int i = 0; i < may; i++) drop[list[i]] = cop__rand(seed, 5, (uint64_t)i) % 3 == 0;
	spare(&s, drop);
	for (int i = 0; i < may; i++) n += drop[list[i]];
	snprintf(what, sizeof what, "seed %d", (int)seed);
	if (n) check_drop(cx, g, &s, drop, what);
	free(list);
	free(drop);
	cop__groups_free(&s);
	cop_graph_free(g);
	return n;
}

static void test_random(void **state)
{
	int cut = 0, all = 0;
	(void)state;

	for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
		cop_ctx *cx = new_ctx();
		int n = cut_some(cx, seed);
		cut += n > 0, all += n;
		cop_ctx_free(cx);
	}
	print_message("%d of %d graphs had %d channels cut\n", cut, GRAPHS, all);
	assert_true(cut > GRAPHS / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_attributes), cmocka_unit_test(test_random)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
