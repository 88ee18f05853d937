/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured removal through recurrent layers: a unit whose weights are zero has h = 0 at every step, whatever the cell, so taking it out
 * changes no number behind it. An input of the network must not go.
 */
#include "pass/nets.h"

enum { STEPS = 6, IN = 5, UNITS = 4, GONE = 2 };

static void zero_rows(cop_graph *g, cop_vid v, int32_t gates)
{
	const cop_type *t = cop__t(g, v);
	int32_t cols = t->rank == 2 ? t->dim[1] : 1;
	float *w = cop__own(g, v);

	for (int32_t k = 0; k < gates; k++) memset(w + (k * UNITS + GONE) * cols, 0, 4 * (size_t)cols);
}

static cop_graph *net(cop_ctx *cx, int32_t cell, bool all)
{
	int32_t gates = cell == RNN_LSTM ? 4 : cell == RNN_PLAIN ? 1 : 3;
	cop_rnn_attr a = {.cell = cell, .act = {cell == RNN_PLAIN ? RNN_TANH : RNN_SIGMOID, RNN_TANH, RNN_TANH}};
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = input(g, 3, DIMS(2, STEPS, IN)), w = weight(g, COP_PARAM, "a.w", 2, DIMS(gates * UNITS, IN), -1, 1),
		r = weight(g, COP_PARAM, "a.r", 2, DIMS(gates * UNITS, UNITS), -1, 1), b = weight(g, COP_PARAM, "a.b", 1, DIMS(gates * UNITS + (cell == RNN_GRU_AFTER) * UNITS), -1, 1);
	zero_rows(g, w, gates), zero_rows(g, r, gates), zero_rows(g, b, gates + (cell == RNN_GRU_AFTER));
	cop_nid n = cop__node(g, OP_rnn, &a, VIDS(x, w, r, b));
	cop_vid h = cop__res(g, n, 0);
	if (all) { /* every state, one behind the other */
		cop_vid y = cop__want_out(g, n, 1);
		h = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {-1, UNITS}}, VIDS(y));
	}
	cop_vid out = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(h, weight(g, COP_PARAM, "f.w", 2, DIMS(3, UNITS), -1, 1)));
	OK(cx, cop__output(g, out, "y"));
	return g;
}

static void run_on(cop_ctx *cx, cop_graph *g, float *y)
{
	cop_host host;
	cop_tensor x, out;

	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	fill_value(g, g->input[0], x.data, 3);
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &out));
	memcpy(y, out.data, cop_type_bytes(&out.type));
	cop__host_close(&host);
}

static void test_units(void **state)
{
	(void)state;
	for (int32_t i = 0; i < 2 * RNN_CELLS; i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = net(cx, i / 2, i % 2);
		float before[2 * STEPS * 3] = {0}, after[2 * STEPS * 3] = {0};
		run_on(cx, g, before);
		OK(cx, cop_graph_apply(&g, i % 2 ? "slice:of=a.r,axis=1,drop=2" : "slice:of=a.w,axis=0,drop=2"));
		cop_vid w = cop__find(g, "a.w"), r = cop__find(g, "a.r"), f = cop__find(g, "f.w");
		assert_int_equal(cop__t(g, r)->dim[1], UNITS - 1);
		assert_int_equal(cop__t(g, r)->dim[0], cop__t(g, w)->dim[0]);
		assert_int_equal(cop__t(g, f)->dim[1], UNITS - 1);
		run_on(cx, g, after);
		assert_memory_equal(before, after, sizeof before);
		assert_int_equal(cop_graph_apply(&g, "slice:of=a.w,axis=1,drop=0"), COP_ARG); /* an input of the network */
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_units)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
