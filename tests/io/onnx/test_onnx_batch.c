/* SPDX-License-Identifier: Apache-2.0
 *
 * test_onnx_batch - operators whose constants have a place for each sample: indices beside the numbers they choose, a grid for each image,
 * the trees of an ensemble. Written for more samples, each must get what it gets alone, or the network is not written for them.
 */
#include "ox_make.h"
#include "ox_run.h"

enum { MORE = 3 };

static const int64_t index_of[8] = {3, 0, 2, 2, 1, 1, 0, 3};
static const float grid_of[8] = {-1, -1, 1, 1, 1, -1, -1, 1}; /* corners of 2x2: places 0 and 3 of the first image, 1 and 2 of the second */

static float x_at(int i) { return cop__rand_unit(7, 0, (uint64_t)i) * 2 - 1; }

static void gather_elements(maker *m, int rows)
{
	const int64_t dim[2] = {rows, 4};
	cop_text a = {.cx = m->cx};

	info(m, GRAPH_INPUT, "x", OX_FLOAT, 2, dim);
	initializer(m, "i", OX_INT64, 2, dim, index_of, sizeof *index_of * 4 * (size_t)rows);
	attr_i(&a, m->cx, "axis", 1);
	node_with(m, "", "GatherElements", "x i", "y", &a);
}
static float gathered(int row, int k, const float *x) { return x[index_of[row * 4 + k]]; }

static void grid_sample(maker *m, int rows)
{
	const int64_t dim[4] = {rows, 1, 2, 2}, at[4] = {rows, 1, 2, 2};
	cop_text a = {.cx = m->cx};

	info(m, GRAPH_INPUT, "x", OX_FLOAT, 4, dim);
	initializer(m, "g", OX_FLOAT, 4, at, grid_of, sizeof *grid_of * 4 * (size_t)rows);
	attr_i(&a, m->cx, "align_corners", 1);
	node_with(m, "", "GridSample", "x g", "y", &a);
}
static float sampled(int row, int k, const float *x)
{
	static const int place[2][2] = {{0, 3}, {1, 2}};
	return x[place[row][k]];
}

/* x0 <= 0.1 ? (x1 <= -0.2 ? 3 : 5) : 7 */
static void tree(maker *m, int rows)
{
	const int64_t dim[2] = {rows, 4}, trees[5] = {0}, ids[5] = {0, 1, 2, 3, 4}, feature[5] = {0, 1, 0, 0, 0}, yes[5] = {1, 3, 0, 0, 0}, no[5] = {2, 4, 0, 0, 0}, leaf[3] = {2, 3, 4};
	const float value[5] = {0.1f, -0.2f, 0, 0, 0}, weight[3] = {7, 3, 5};
	cop_text a = {.cx = m->cx};

	info(m, GRAPH_INPUT, "x", OX_FLOAT, 2, dim);
	attr_i(&a, m->cx, "n_targets", 1);
	attr_ints(&a, m->cx, "nodes_treeids", 5, trees);
	attr_ints(&a, m->cx, "nodes_nodeids", 5, ids);
	attr_ints(&a, m->cx, "nodes_featureids", 5, feature);
	attr_ints(&a, m->cx, "nodes_truenodeids", 5, yes);
	attr_ints(&a, m->cx, "nodes_falsenodeids", 5, no);
	attr_floats(&a, m->cx, "nodes_values", 5, value);
	attr_strings(&a, m->cx, "nodes_modes", "BRANCH_LEQ BRANCH_LEQ LEAF LEAF LEAF");
	attr_ints(&a, m->cx, "target_treeids", 3, trees);
	attr_ints(&a, m->cx, "target_nodeids", 3, leaf);
	attr_ints(&a, m->cx, "target_ids", 3, trees);
	attr_floats(&a, m->cx, "target_weights", 3, weight);
	node_with(m, "ai.onnx.ml", "TreeEnsembleRegressor", "x", "y", &a);
}
static float grown(int row, int k, const float *x)
{
	(void)row, (void)k;
	return x[0] <= 0.1f ? x[1] <= -0.2f ? 3 : 5 : 7;
}

static const struct row { const char *name; void (*make)(maker *, int); float (*want)(int, int, const float *); int count; } rows[] = {
	{"GatherElements", gather_elements, gathered, 4},
	{"GridSample", grid_sample, sampled, 2},
	{"TreeEnsembleRegressor", tree, grown, 1},
};

/* Rows that differ in their constants are no samples: `held` rows go in at a time. */
static void check(cop_ctx *cx, const struct row *r, int held, int runs)
{
	maker m = begin(cx);
	static ran got;
	float x[4];

	r->make(&m, held);
	info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	cop_text t = end(&m, 17);
	cop_graph *g = read_text(cx, &t);
	if (runs > 1 && !cop_graph_batched(&g, held * runs)) {
		cop_graph_free(g); /* one by one, then */
		return;
	}
	run_graph(&got, cx, g);
	assert_int_equal(got.n, r->count * held * runs);
	for (int s = 0; s < held * runs; s++) {
		for (int k = 0; k < 4; k++) x[k] = x_at(s * 4 + k);
		for (int k = 0; k < r->count; k++)
			if (fabsf(got.y[s * r->count + k] - r->want(s % held, k, x)) > 1e-6f)
				fail_msg("%s of %d rows, %d times: number %d of row %d is %g, not %g", r->name, held, runs, k, s, (double)got.y[s * r->count + k], (double)r->want(s % held, k, x));
	}
}

static void test_batches(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int i = 0; i < LEN(rows); i++)
		for (int held = 1; held <= 2; held++)
			for (int runs = 1; runs <= MORE; runs += MORE - 1) check(cx, &rows[i], held, runs);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_batches)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
