/* SPDX-License-Identifier: Apache-2.0
 *
 * Each sample of each operator is written as ONNX, read, and computes what it did. An operator that a row of onnx.def writes, and each
 * function of one element, has to come through at least once.
 */
#include "help.h"
#include "io/onnx/read.h"

/* The first result on numbers that suit the sample; g has gone then. */
static float *run(cop_ctx *cx, cop_graph *g, const cop_tensor *in, int32_t n_in, int64_t *count)
{
	cop_host host;
	cop_tensor x;

	OK(cx, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	for (int32_t i = 0; i < n_in; i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &x));
		assert_true(cop_type_bytes(&x.type) == cop_type_bytes(&in[i].type));
		memcpy(x.data, in[i].data, cop_type_bytes(&x.type));
	}
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &x));
	*count = cop_type_count(&x.type);
	float *y = malloc(4 * (size_t)*count);
	for (int64_t i = 0; i < *count; i++)
		y[i] = x.type.dtype == COP_F32 ? ((float *)x.data)[i] : x.type.dtype == COP_I32 ? (float)((int32_t *)x.data)[i] : x.type.dtype == COP_I8 ? ((int8_t *)x.data)[i] : ((uint8_t *)x.data)[i];
	cop__host_close(&host);
	cop_graph_free(g);
	return y;
}

/* unit: 0, or a step of integers, which ONNX rounds elsewhere. */
static void compare(const char *op, int which, const float *got, int64_t n, const float *want, int64_t m, float unit)
{
	float most = 1;

	if (n != m) fail_msg("%s, sample %d: %lld elements come back, %lld went", op, which, (long long)n, (long long)m);
	for (int64_t i = 0; i < n; i++) most = isfinite(want[i]) ? fmaxf(most, fabsf(want[i])) : most;
	for (int64_t i = 0; i < n; i++) {
		bool same = isnan(want[i]) ? isnan(got[i]) : isinf(want[i]) ? !(got[i] < want[i]) && !(got[i] > want[i]) : fabsf(got[i] - want[i]) <= fmaxf(unit, 1e-5f * most);
		if (!same) fail_msg("%s, sample %d, element %lld: %g went, %g came back", op, which, (long long)i, (double)want[i], (double)got[i]);
	}
}

/* Inputs behind the first become weights. */
static void know(cop_graph *g)
{
	for (int32_t i = 1; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		size_t bytes = cop_type_bytes(cop__t(g, v));
		void *data = malloc(bytes + 16);
		fill_value(g, v, data, (uint32_t)i);
		g->value[v].role = COP_CONST;
		memcpy(cop__own(g, v), data, bytes);
		free(data);
	}
	g->n_input = COP_MIN(g->n_input, 1);
}

/* 0: there is no such sample; else 1, and *wrote says whether it has a form in ONNX. known: what it reads is in the file but for the first. */
static int one(const cop_op *op, int which, bool known, bool *wrote)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *again;
	cop_text file;
	cop_tensor in[COP_MAX_IN];
	int64_t n, m;

	OK(cx, cop__graph_new(&g, cx, "sample"));
	cop_nid node = op->sample(g, which);
	OK(cx, cx->code);
	if (node) {
		if (known) know(g);
		if (!g->n_output) OK(cx, cop__output(g, cop__res(g, node, 0), "y"));
		cop__text_init(&file, cx);
		*wrote = cop__onnx_write(&file, g) == COP_OK;
		cop_error_clear(cx);
	}
	int32_t n_in = g->n_input;
	for (int32_t i = 0; i < n_in && node && *wrote; i++) {
		in[i] = (cop_tensor){.type = *cop__t(g, g->input[i]), .data = malloc(cop_type_bytes(cop__t(g, g->input[i])) + 16)};
		fill_value(g, g->input[i], in[i].data, (uint32_t)i);
	}
	if (node && *wrote) {
		if (cop__onnx_read(&again, cx, op->name, NULL, file.data, file.len, NULL)) fail_msg("%s, sample %d: %s", op->name, which, cop_error_text(cx));
		float *want = run(cx, g, in, n_in, &n), *got = run(cx, again, in, n_in, &m);
		compare(op->name, which, got, m, want, n, op->flags & COP_OP_QUANT ? 1 : 0);
		for (int32_t i = 0; i < n_in; i++) free(in[i].data);
		free(want), free(got);
	} else cop_graph_free(g);
	if (node) cop__text_free(&file);
	cop_ctx_free(cx);
	return node != 0;
}

static void test_samples(void **state)
{
	(void)state;
	static bool must[COP_N_OP] = {
#define FOLD(name)
#define OX(...)
#define RW(name, op, ...) [OP_##op] = true,
#include "io/onnx/onnx.def"
#undef RW
#undef OX
#undef FOLD
	};

	for (int op = 1; op < COP_N_OP; op++) {
		bool wrote = false, any = false;
		for (int which = 0; cop_ops[op]->sample && one(cop_ops[op], which / 2, which % 2, &wrote); which++) {
			any |= wrote;
			if (op == OP_map && !wrote) fail_msg("function %d was not written", which / 2);
		}
		if (must[op] && !any) fail_msg("no sample of %s was written", cop_ops[op]->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
