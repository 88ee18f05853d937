/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantised recurrent layers against the same layers in floats: every cell, both directions, two layers, and what stays float. The signal
 * must be 100 times (20 dB) the noise that rounding makes; int8 states have about 45 dB.
 */
#include "help.h"
#include "compress/compress.h"
#include "pass/pass.h"

enum { N = 1, STEPS = 40, IN = 7, UNITS = 12, SAMPLES = 24 };

static cop_vid weight(cop_graph *g, const char *name, int32_t rows, int32_t cols, float reach)
{
	cop_type t = cop__type(COP_F32, cols ? 2 : 1, DIMS(rows, cols));
	float w[4 * UNITS * 2 * UNITS];

	for (int64_t i = 0; i < cop_type_count(&t); i++) w[i] = reach * (2 * cop__rand_unit(3, cop__hash_text(name), (uint64_t)i) - 1);
	return cop__data(g, COP_PARAM, name, &t, w);
}

/* All states of a layer, or (last) the last one alone. */
static cop_vid layer(cop_graph *g, cop_vid x, const char *name, int32_t cell, bool reverse, bool last)
{
	char w[32], r[32], b[32];
	int32_t gates = cell == RNN_LSTM ? 4 : cell == RNN_PLAIN ? 1 : 3, in = cop__t(g, x)->dim[2];
	cop_rnn_attr a = {.cell = cell, .reverse = reverse, .act = {cell == RNN_PLAIN ? RNN_TANH : RNN_SIGMOID, RNN_TANH, RNN_TANH}};

	snprintf(w, sizeof w, "%s.w", name), snprintf(r, sizeof r, "%s.r", name), snprintf(b, sizeof b, "%s.b", name);
	cop_nid n = cop__node(g, OP_rnn, &a, VIDS(x, weight(g, w, gates * UNITS, in, 0.6f), weight(g, r, gates * UNITS, UNITS, 0.4f),
		weight(g, b, (gates + (cell == RNN_GRU_AFTER)) * UNITS, 0, 0.5f)));
	return last ? cop__res(g, n, 0) : cop__want_out(g, n, 1);
}

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	float now[IN] = {0};

	(void)ud;
	*label = 0;
	for (int32_t t = 0; t < STEPS; t++)
		for (int32_t k = 0; k < IN; k++, x++) *x = now[k] = 0.8f * now[k] + 2 * cop__rand_unit(9, (uint32_t)i, (uint64_t)(t * IN + k)) - 1;
	return COP_OK;
}

static int count(const cop_graph *g, int op)
{
	int n = 0;
	for (int32_t i = 1; i <= g->n_node; i++) n += g->node[i].op == op;
	return n;
}

/* Output 0 on sample i by a graph of its own plan. */
static void run(cop_ctx *cx, const cop_graph *g, int32_t i, float *y, size_t most)
{
	cop_host host;
	cop_tensor in, out;
	int32_t label;

	OK(cx, cop__host_open(&host, (cop_graph *const[]){(cop_graph *)(uintptr_t)g}, 1, COP_ISA_ALL, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &in));
	OK(cx, cop_session_io(host.s, 0, 0, true, &out));
	assert_true(cop_type_bytes(&out.type) <= most && out.type.dtype == COP_F32);
	sample(NULL, i, in.data, &label);
	OK(cx, cop_session_run(host.s, 0));
	memcpy(y, out.data, cop_type_bytes(&out.type));
	cop__host_close(&host);
}

static double noise(cop_ctx *cx, const cop_graph *exact, const cop_graph *rounded)
{
	static float a[STEPS * UNITS * 2], b[STEPS * UNITS * 2];
	double signal = 0, error = 0;
	int64_t n = cop_type_count(cop__t(exact, exact->output[0]));

	for (int32_t i = 100; i < 104; i++) { /* none of those it was calibrated with */
		run(cx, exact, i, a, sizeof a);
		run(cx, rounded, i, b, sizeof b);
		for (int64_t k = 0; k < n; k++) signal += (double)a[k] * (double)a[k], error += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
	}
	return 10 * log10(signal / (error + 1e-30));
}

static void check(const char *name, cop_ctx *cx, cop_graph *g, cop_vid y, int layers)
{
	cop_dataset calib = {.name = "walks", .x = cop__type(COP_F32, 2, DIMS(STEPS, IN)), .count = SAMPLES, .classes = 1, .get = sample};
	cop_quantize_args a = {0};
	cop_graph *q = NULL;

	OK(cx, cop__output(g, y, "y"));
	OK(cx, cop__pass_dce(&q, g));
	OK(cx, cop_quantize(&q, &calib, &a));
	if (count(q, OP_qrnn) != layers || count(q, OP_rnn)) fail_msg("%s: %d layers of integers, %d expected", name, count(q, OP_qrnn), layers);
	double db = noise(cx, g, q);
	if (!(db > 20)) fail_msg("%s: %.1f dB", name, db);
	cop_graph_free(q);
	cop_graph_free(g);
}

static cop_graph *begin(cop_ctx *cx, cop_vid *x)
{
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 3, DIMS(N, STEPS, IN));

	OK(cx, cop__graph_new(&g, cx, "net"));
	*x = cop__input(g, "x", &t);
	return g;
}

static void test_cells(void **state)
{
	static const struct { const char *name; int32_t cell; bool reverse, last; } row[] = {{"lstm", RNN_LSTM, false, false}, {"lstm, last", RNN_LSTM, true, true},
		{"gru", RNN_GRU, true, false}, {"gru, last", RNN_GRU, false, true}, {"gru after", RNN_GRU_AFTER, false, false}, {"plain", RNN_PLAIN, false, true}};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_vid x;
		cop_graph *g = begin(cx, &x);
		check(row[i].name, cx, g, layer(g, x, "a", row[i].cell, row[i].reverse, row[i].last), 1);
		cop_ctx_free(cx);
	}
}

static void test_layers(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_vid x;
	cop_graph *g = begin(cx, &x);

	(void)state;
	cop_vid both = cop__apply(g, OP_concat, &(cop_concat_attr){2}, VIDS(layer(g, x, "forth", RNN_LSTM, false, false), layer(g, x, "back", RNN_LSTM, true, false)));
	check("two layers in two directions", cx, g, layer(g, both, "then", RNN_GRU_AFTER, false, true), 3);
	cop_ctx_free(cx);
}

/* The state of an LSTM that is read has no form in integers: the layer stays float, and is right. */
static void test_stays(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_vid x;
	cop_graph *g = begin(cx, &x);

	(void)state;
	cop_vid h = layer(g, x, "a", RNN_LSTM, false, true);
	OK(cx, cop__output(g, cop__want_out(g, g->value[h].producer, 2), "c"));
	cop_dataset calib = {.name = "walks", .x = cop__type(COP_F32, 2, DIMS(STEPS, IN)), .count = SAMPLES, .classes = 1, .get = sample};
	cop_quantize_args a = {0};
	assert_int_equal(cop_quantize(&g, &calib, &a), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "recurrent"));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_layers), cmocka_unit_test(test_stays)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
