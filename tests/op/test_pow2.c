/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounding to powers of two against PyTorch (make_pow2_reference.py), in every kernel that runs here, and what is refused. That gradients go
 * straight through is tested with the form of weights (test_shift_form.c).
 */
#include "help.h"
#include "op/axes.h"

enum { N = 16 };
static const float x[N] = {0, 0.3f, -0.35f, 0.36f, 1.4142135f, 1.4142137f, -0.75f, 0.7f, 2.9f, -3.1f, 0.06f, -0.0624f, 0.0626f, 0.01f, 90, -1e-30f};
typedef struct example { int32_t low, high, zero; float y[N]; } example;
static const example table[] = {
	{-3, 1, 1, {0, 0.25, -0.25, 0.5, 1, 2, -1, 0.5, 2, -2, 0, 0, 0.125, 0, 2, 0}},
	{-3, 1, 0, {0, 0.25, -0.25, 0.5, 1, 2, -1, 0.5, 2, -2, 0.125, -0.125, 0.125, 0.125, 2, -0.125}},
	{-6, 0, 1, {0, 0.25, -0.25, 0.5, 1, 1, -1, 0.5, 1, -1, 0.0625, -0.0625, 0.0625, 0.015625, 1, 0}},
	{-14, 7, 0, {0, 0.25, -0.25, 0.5, 1, 2, -1, 0.5, 4, -4, 0.0625, -0.0625, 0.0625, 0.0078125, 64, -6.10351562e-05f}},
	{2, 2, 1, {0, 0, 0, 0, 0, 0, 0, 0, 4, -4, 0, 0, 0, 0, 4, 0}},
};

static void run(const cop_kernel *k, float *out, const float *in, const example *e)
{
	_Alignas(64) float a[N + 32] = {0};

	memcpy(a, in, N * sizeof *a);
	k->fn(&(cop_call){.buf = (void *const[]){out, a}, .k = (const int32_t[P2_WORDS]){N, e->low, e->high, e->zero}, .part = 0, .parts = 1});
}

static void as_pytorch(void **state)
{
	(void)state;
	int runs = 0;

	for (int i = 0; i < cop_n_kernels; i++) {
		const cop_kernel *k = &cop_kernels[i];
		if (strcmp(k->op, "pow2") || (k->isa & cop__cpu_isa()) != k->isa) continue;
		for (int e = 0; e < LEN(table); e++, runs++) {
			float out[N + 32];
			run(k, out, x, &table[e]);
			for (int j = 0; j < N; j++)
				if (out[j] != table[e].y[j]) fail_msg("%s, exponents %d to %d: %g becomes %.9g, not %.9g", k->symbol, table[e].low, table[e].high, (double)x[j], (double)out[j], (double)table[e].y[j]);
		}
	}
	assert_true(runs >= LEN(table));
}

/* Ends of what a float can be. */
static void extremes(void **state)
{
	(void)state;
	static const float far[N] = {INFINITY, -INFINITY, 3e38f, 1e-40f, -1e-45f, -0.0f}, want[N] = {4, -4, 4, 0.5f, -0.5f, 0};

	for (int i = 0; i < cop_n_kernels; i++) {
		float out[N + 32], none[N] = {NAN};
		if (strcmp(cop_kernels[i].op, "pow2") || (cop_kernels[i].isa & cop__cpu_isa()) != cop_kernels[i].isa) continue;
		run(&cop_kernels[i], out, far, &(example){-1, 2, 0, {0}});
		for (int j = 0; j < N; j++) assert_true(out[j] == want[j]);
		run(&cop_kernels[i], out, none, &(example){-1, 2, 0, {0}});
		assert_true(isnan(out[0])); /* a number that is none must be seen */
	}
}

static void refused(void **state)
{
	(void)state;
	static const cop_pow2_attr bad[] = {{1, 0, 0}, {-126, 0, 0}, {0, 128, 1}};

	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		OK(cx, cop__graph_new(&g, cx, "bad"));
		assert_int_equal(cop__apply(g, OP_pow2, &bad[i], VIDS(cop__sample_input(g, "x", 1, DIMS(3)))), 0);
		assert_non_null(strstr(cop_error_text(cx), "needs exponents -125 <= low <= high <= 127"));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch), cmocka_unit_test(extremes), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
