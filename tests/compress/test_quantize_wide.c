/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantisation to activations of int16 and weights of int8 (w8a16). What is left of it beside the float network with the same rounded weights (w8) are
 * steps of activations. They are 64 to 128 times finer than those of w8a8, as ranges have room for twice what was seen: so are the errors.
 */
#include "patterns.h"

static cop_graph *quantised(cop_ctx *cx, const cop_graph *g, const char *scheme)
{
	const cop_quantize_args a = {.scheme = scheme, .range = strcmp(scheme, "w8") ? "minmax" : NULL, .round = strcmp(scheme, "w8") ? "nearest" : NULL, .threads = 1};
	cop_graph *q;

	OK(cx, cop__pass_batch(&q, g, 1));
	OK(cx, cop_quantize(&q, samples(g, 48), &a));
	return q;
}

/* An operator that is not one of integers, or a move of them: its name, or NULL. */
static const char *left_float(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (!(cop__op(g, n)->flags & (COP_OP_QUANT | COP_OP_VIEW)) && cop__outt(g, n, 0)->dtype == COP_F32) return cop__op(g, n)->name;
	return NULL;
}

/* Every pattern is integers of 16 bits but for softmax, and keeps what the weights leave. */
static void every_pattern(void **state)
{
	enum { FINER = 55 };

	for (int i = 0; i < LEN(patterns); i++) {
		cop_graph *g = build(*state, &patterns[i]), *weights = quantised(*state, g, "w8"), *narrow = quantised(*state, g, "w8a8"), *wide = quantised(*state, g, "w8a16");
		double off = apart(*state, weights, wide, samples(g, 48), 48).mean, by_bytes = apart(*state, weights, narrow, samples(g, 48), 48).mean;
		const char *stays = left_float(wide);
		if (off == 0 || off > by_bytes / FINER) fail_msg("%s: off by %g where int8 is by %g", patterns[i].name, off, by_bytes);
		if (stays && strcmp(stays, "softmax")) fail_msg("%s: %s stays float", patterns[i].name, stays);
		for (cop_nid n = 1; n <= (cop_nid)wide->n_node; n++)
			if (cop__outt(wide, n, 0)->dtype == COP_I8) fail_msg("%s: the result of %s has 8 bits", patterns[i].name, cop__op(wide, n)->name);
		cop_graph_free(wide);
		cop_graph_free(narrow);
		cop_graph_free(weights);
		cop_graph_free(g);
	}
}

/* With int16 in and out, a file gives the network back, and its text does. */
static void comes_back(void **state)
{
	cop_graph *g = build(*state, &patterns[8]), *q, *back;
	const cop_quantize_args a = {.scheme = "w8a16", .int8_io = true, .threads = 1};

	OK(*state, cop__pass_batch(&q, g, 1));
	OK(*state, cop_quantize(&q, samples(g, 48), &a));
	assert_int_equal(cop__t(q, q->input[0])->dtype, COP_I16);
	assert_int_equal(cop__t(q, q->output[0])->dtype, COP_I16);
	/* samples reach 1.7, and there is room for twice that */
	assert_true(*cop__t(q, q->input[0])->q.scale > 3.2f / 32768 && *cop__t(q, q->input[0])->q.scale < 3.5f / 32768);
	OK(*state, cop_model_save(q, "wide.tmp.cop"));
	OK(*state, cop_model_load(&back, *state, "wide.tmp.cop"));
	remove("wide.tmp.cop");
	same_network(q, back, "read back");
	cop_graph_free(back);
	cop_graph_free(q);
	cop_graph_free(g);
}

/* What has no form yet says so. */
static void refused(void **state)
{
	cop_graph *g = build(*state, &patterns[0]), *q = quantised(*state, g, "w8a16");
	cop_status st = cop_graph_apply(&q, "floats");

	assert_int_equal(st, COP_ARG);
	if (!strstr(cop_error_text(*state), "its activations are int16")) fail_msg("'%s'", cop_error_text(*state));
	cop_error_clear(*state);
	assert_int_equal(cop_onnx_save(q, "wide.tmp.onnx"), COP_ARG);
	if (!strstr(cop_error_text(*state), "ONNX knows none in operator set")) fail_msg("'%s'", cop_error_text(*state));
	cop_error_clear(*state);
	assert_int_equal(cop_graph_apply(&q, "shift"), COP_ARG);
	if (!strstr(cop_error_text(*state), "the weights or the input of 'a.w' are no int8")) fail_msg("'%s'", cop_error_text(*state));
	cop_error_clear(*state);
	cop_graph_free(q);
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(every_pattern), T(comes_back), T(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
