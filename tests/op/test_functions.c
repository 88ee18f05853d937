/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of one and two elements against the C library in double, on a grid that crosses every bend, in every kernel
 * that runs them here.
 */
#include "help.h"
#include "pass/lower.h"

enum { N = 257 }; /* no multiple of a vector */

static const double alpha = 0.3f, beta = 0.6f;

static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double clip01(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static double f_neg(double x) { return -x; }
static double f_reciprocal(double x) { return 1 / x; }
static double f_sign(double x) { return (x > 0) - (x < 0); }
static double f_softsign(double x) { return x / (1 + fabs(x)); }
static double f_elu(double x) { return x < 0 ? alpha * expm1(x) : x; }
static double f_celu(double x) { return x < 0 ? alpha * expm1(x / alpha) : x; }
static double f_leakyrelu(double x) { return x < 0 ? alpha * x : x; }
static double f_hardsigmoid(double x) { return clip01(alpha * x + beta); }
static double f_mish(double x) { return x * tanh(softplus(x)); }
static double f_thresholdedrelu(double x) { return x > alpha ? x : 0; }

static double (*const function[MAP_FNS])(double) = {
	[MAP_NEG] = f_neg, [MAP_ABS] = fabs, [MAP_EXP] = exp, [MAP_LOG] = log, [MAP_SQRT] = sqrt, [MAP_RECIPROCAL] = f_reciprocal, [MAP_ERF] = erf,
	[MAP_FLOOR] = floor, [MAP_CEIL] = ceil, [MAP_ROUND] = rint, [MAP_SIGN] = f_sign, [MAP_SOFTPLUS] = softplus, [MAP_SOFTSIGN] = f_softsign,
	[MAP_ELU] = f_elu, [MAP_CELU] = f_celu, [MAP_LEAKYRELU] = f_leakyrelu, [MAP_HARDSIGMOID] = f_hardsigmoid, [MAP_MISH] = f_mish,
	[MAP_THRESHOLDEDRELU] = f_thresholdedrelu, [MAP_SIN] = sin, [MAP_COS] = cos, [MAP_ATAN] = atan,
};

/* 2e-6 of the result, or of 1e-6 where it is nearly 0. */
static void compare(float got, double want, const char *symbol, int fn, double x, double z)
{
	if (isnan(want) ? isnan(got) : isinf(want) ? (double)got == want : fabs((double)got - want) <= 2e-6 * fmax(fabs(want), 1e-6)) return;
	fail_msg("%s, function %d of %.9g (%.9g): %.9g, must be %.9g", symbol, fn, x, z, (double)got, want);
}

/* -40 to 40 by steps that halve towards 0, and 0 itself. */
static void grid(float x[N])
{
	for (int i = 0; i < N; i++) {
		int half = i - N / 2;
		x[i] = half ? ldexpf(half < 0 ? -40.0f : 40.0f, -abs(half) / 6) * (1 - (float)(abs(half) % 6) * 0.11f) : 0;
	}
}

static void one(void **state)
{
	(void)state;
	int runs = 0;

	for (int fn = 0; fn < MAP_FNS; fn++)
		for (int i = 0; i < cop_n_kernels && function[fn]; i++) {
			const cop_kernel *k = &cop_kernels[i];
			const int32_t word[FN_WORDS] = {N, fn, cop__bits((float)alpha), cop__bits((float)beta)};
			_Alignas(64) float x[N + 32] = {0}, y[N + 32];
			if (strcmp(k->op, "map") || strncmp(k->types, "f32", 3) || (k->isa & cop__cpu_isa()) != k->isa || (k->fits && !k->fits(word))) continue;
			grid(x);
			k->fn(&(cop_call){(void *[]){y, x}, word, NULL, NULL, 0, 1});
			for (int j = 0; j < N; j++) compare(y[j], function[fn]((double)x[j]), k->symbol, fn, (double)x[j], 0);
			runs++;
		}
	assert_true(runs >= MAP_FNS - 1);
}

static double less(double a, double b) { return a < b; }
static double equal(double a, double b) { return a == b; }
static double greaterequal(double a, double b) { return a >= b; }
static const struct { const char *op; double (*f)(double, double); } pairs[] = {
	{"max", fmax}, {"min", fmin}, {"pow", pow}, {"mod", fmod}, {"less", less}, {"equal", equal}, {"greaterequal", greaterequal}};

static void two(void **state)
{
	(void)state;
	for (int p = 0; p < LEN(pairs); p++) {
		int32_t word[BK_WORDS] = {[BK_RANK] = 1, [BK_DIM] = N, [BK_SA] = 1, [BK_SB] = 1};
		float a[N], b[N], y[N];
		const cop_kernel *k = cop_kernels;
		while (strcmp(k->op, pairs[p].op)) k++; /* its portable kernel of floats */
		grid(a);
		for (int i = 0; i < N; i++) b[i] = i % 7 ? (float)(i * 37 % 29 - 14) * 0.25f : a[i];
		k->fn(&(cop_call){(void *[]){y, a, b}, word, NULL, NULL, 0, 1});
		for (int i = 0; i < N; i++) {
			double want = (double)(float)pairs[p].f((double)a[i], (double)b[i]);
			if (!strncmp(k->types, "u8", 2)) assert_int_equal(((uint8_t *)y)[i], want != 0);
			else compare(y[i], want, k->symbol, p, (double)a[i], (double)b[i]);
		}
	}
}

/* By the portable kernel: function fn of x. */
static float portable(int32_t fn, float x, float a, float b)
{
	const int32_t word[FN_WORDS] = {1, fn, cop__bits(a), cop__bits(b)};
	float y = 0;

	cop_map_f32(&(cop_call){(void *[]){&y, &x}, word, NULL, NULL, 0, 1});
	return y;
}

static bool differ(float a, float b) { return a < b || a > b; }

/* What a line of functions.h says of its function is so: a step has no slope, others have one; it feels as many of alpha and beta as it has. */
static void lines(void **state)
{
	(void)state;
	for (int fn = 0; fn < MAP_FNS; fn++) {
		int slopes = 0, by_alpha = 0, by_beta = 0;
		const cop_function *f = &cop_functions[fn];
		if (f->kind == MAP_IS_TRUTH) continue;
		for (float x = -2.03f; x < 2; x += 0.09f) {
			float y = portable(fn, x, 0.3f, 0.6f);
			slopes += differ(y, portable(fn, x + 0.001f, 0.3f, 0.6f));
			by_alpha += differ(y, portable(fn, x, 0.7f, 0.6f));
			by_beta += differ(y, portable(fn, x, 0.3f, 0.9f));
		}
		if ((slopes > 2) == (f->kind & MAP_IS_STEP)) fail_msg("%s: %d of 45 places have a slope", f->onnx, slopes);
		if ((by_alpha > 0) + (by_beta > 0) != f->n) fail_msg("%s: has %d of alpha and beta, feels %d", f->onnx, f->n, (by_alpha > 0) + (by_beta > 0));
	}
}

/* A table of int8 holds what the kernel computes. */
static void tables(void **state)
{
	(void)state;
	for (int fn = 0; fn < MAP_FNS; fn++) {
		if (cop_functions[fn].kind == MAP_IS_TRUTH) continue;
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_type t = cop__type(COP_F32, 1, DIMS(4));
		OK(cx, cop__graph_new(&g, cx, "one"));
		cop_vid x = cop__input(g, "x", &t), y = cop__apply(g, OP_map, &(cop_map_attr){fn, 0.3f, 0.6f}, VIDS(x));
		OK(cx, cx->code);
		assert_int_equal(cop__table_leaf(g, g->value[y].producer), x);
		for (float v = -2.03f; v < 2; v += 0.09f) {
			double want = (double)portable(fn, v, 0.3f, 0.6f), got = cop__table_value(g, y, x, (double)v);
			if (isfinite(want) && !(fabs(got - want) <= 1e-5 * fmax(1, fabs(want)))) fail_msg("%s of %g: %g in a table, not %g", cop_functions[fn].onnx, (double)v, got, want);
		}
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one), cmocka_unit_test(two), cmocka_unit_test(lines), cmocka_unit_test(tables)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
