/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounding while training, forward and back, against PyTorch 2.13's learnable fake quantisation (_fake_quantize_learnable_per_tensor_affine and
 * _per_channel_affine), in every kernel that runs here. PyTorch's gradient of the zero point is by whole steps; divided by -s it is that of the offset.
 */
#include "help.h"
#include "op/op.h"
#include "kernel/factor.h"

enum { N = 8 };
static const float x[N] = {0.31f, -0.87f, 1.93f, -2.44f, 0.02f, 3.71f, -0.19f, 0.66f}, dy[N] = {0.5f, -1.25f, 0.75f, 2, -0.6f, 1.1f, -0.3f, 0.9f};

typedef struct example {
	int32_t rows, lo, hi, zero, offset;
	float ewgs, grad, p[2], y[N], dx[N], dp[2], least;
} example;
static const example table[] = {
	{1, -128, 127, -5, 0, 0, 1, {0.11f}, {0.33f, -0.88f, 1.98f, -2.42f, 0, 3.74f, -0.22f, 0.66f}, {0.5f, -1.25f, 0.75f, 2, -0.6f, 1.1f, -0.3f, 0.9f}, {1.4000007f}, 0},
	{1, -8, 7, 2, 0, 0, 0.25f, {0.31f}, {0.31f, -0.93f, 1.55f, -2.48f, 0, 1.55f, -0.31f, 0.62f}, {0.5f, -1.25f, 0, 2, -0.6f, 0, -0.3f, 0.9f}, {2.3181453f}, 0},
	{1, -8, 7, -8, 0, 0, 0.5f, {0.47f}, {0.47f, 0, 1.88f, 0, 0, 3.76f, 0, 0.47f}, {0.5f, 0, 0.75f, 0, -0.6f, 1.1f, -0.3f, 0.9f}, {-0.12606387f}, 0}, /* PyTorch: 0 to 15, zero 0; it cuts negative zero points */
	{1, -2, 1, 0, 0, 0, 1, {0.9f}, {0, -0.9f, 0.9f, -1.8f, 0, 0.9f, 0, 0.9f}, {0.5f, -1.25f, 0, 0, -0.6f, 0, -0.3f, 0.9f}, {-2.0905557f}, 0},
	{2, -7, 7, 0, 0, 0, 0.5f, {0.13f, 0.52f}, {0.26f, -0.91f, 0.91f, -0.91f, 0, 3.64f, 0, 0.52f}, {0.5f, -1.25f, 0, 0, -0.6f, 1.1f, -0.3f, 0.9f}, {-4.2788463f, -0.23846177f}, 0},
	/* zero 2 - round(0.7 / 0.31) = 0 */
	{1, -8, 7, 2, 1, 0, 0.25f, {0.31f, 0.7f}, {0.31f, -0.93f, 1.86f, -2.48f, 0, 2.17f, -0.31f, 0.62f}, {0.5f, -1.25f, 0.75f, 2, -0.6f, 0, -0.3f, 0.9f}, {1.8883066f, 0.27500001f}, 0},
	/* by hand: dy (1 + 0.5 sign(dy) (u - round(u))), u = 0.62, -1.74, 3.86, -4.88, 0.04, 7.42, -0.38, 1.32; the last but one is within the end 7 */
	{1, -8, 7, 0, 0, 0.5f, 0, {0.5f}, {0.5f, -1, 2, -2.5f, 0, 3.5f, 0, 0.5f},
		{0.5f * 0.81f, -1.25f * 0.87f, 0.75f * 0.93f, 2 * 1.06f, -0.6f * 0.98f, 1.1f * 1.21f, -0.3f * 1.19f, 0.9f * 1.16f}, {0}, 0},
	/* the second again, by its least step */
	{1, -8, 7, 2, 0, 0, 0.25f, {-3}, {0.31f, -0.93f, 1.55f, -2.48f, 0, 1.55f, -0.31f, 0.62f}, {0.5f, -1.25f, 0, 2, -0.6f, 0, -0.3f, 0.9f}, {2.3181453f}, 0.31f},
};

static void same(const char *symbol, int which, const char *what, const float *got, const float *want, int n)
{
	for (int i = 0; i < n; i++)
		if (!(fabsf(got[i] - want[i]) <= 2e-6f * fmaxf(1, fabsf(want[i]))))
			fail_msg("%s, example %d: %s[%d] is %.9g, must be %.9g", symbol, which, what, i, (double)got[i], (double)want[i]);
}

static void run(const cop_kernel *k, const example *e, int which)
{
	_Alignas(64) float a[N + 32] = {0}, b[N + 32] = {0}, p[32] = {0}, out[N + 32];
	const int32_t word[FQ_ALL_WORDS] = {e->rows, N / e->rows, e->lo, e->hi, e->zero, e->offset, cop__bits(e->ewgs), cop__bits(e->grad), cop__bits(e->least)};
	bool forward = !strcmp(k->op, "fakequant"), sums = !strcmp(k->op, "fakequant_dp");

	memcpy(a, x, sizeof x);
	memcpy(b, dy, sizeof dy);
	memcpy(p, e->p, sizeof e->p);
	for (int i = 0; i < N + 32; i++) out[i] = 99;
	k->fn(&(cop_call){.buf = forward ? (void *const[]){out, a, p} : (void *const[]){out, b, a, p}, .k = word, .part = 0, .parts = 1});
	int n = sums ? e->rows + e->offset : N;
	same(k->symbol, which, sums ? "dp" : forward ? "y" : "dx", out, sums ? e->dp : forward ? e->y : e->dx, n);
	for (int i = n; i < N + 32; i++) assert_true(out[i] == 99);
}

static void as_pytorch(void **state)
{
	(void)state;
	int runs = 0;

	for (int i = 0; i < cop_n_kernels; i++) {
		const cop_kernel *k = &cop_kernels[i];
		if (strncmp(k->op, "fakequant", 9) || (k->isa & cop__cpu_isa()) != k->isa) continue;
		for (int e = 0; e < LEN(table); e++) run(k, &table[e], e), runs++;
	}
	assert_true(runs >= 3 * LEN(table));
}

/* Ends of what a float can be: an answer for each, the same in every kernel, and none of them is no number. */
static void extremes(void **state)
{
	(void)state;
	static const float far[N] = {INFINITY, -INFINITY, NAN, 3e38f, -3e38f, 1e-40f, 0.055f, -0.055f}, want[N] = {13.97f, -14.08f, 0, 13.97f, -14.08f, 0, 0.11f, -0.11f};

	for (int i = 0; i < cop_n_kernels; i++) {
		const cop_kernel *k = &cop_kernels[i];
		if (strcmp(k->op, "fakequant") || (k->isa & cop__cpu_isa()) != k->isa) continue;
		_Alignas(64) float a[N + 32] = {0}, p[32] = {0.11f}, out[N + 32];
		const int32_t word[FQ_ALL_WORDS] = {1, N, -128, 127, 0, 0, 0, 0, 0};
		memcpy(a, far, sizeof far);
		k->fn(&(cop_call){.buf = (void *const[]){out, a, p}, .k = word, .part = 0, .parts = 1});
		same(k->symbol, 0, "y", out, want, N);
	}
}

/* What integers make of sums whose floats lie at the middle between two steps, or beside it: halves by hand, the others by Python's fractions (whole
 * multipliers, then a shift). Rounded as any value, each would become `plain`. */
typedef struct sum {
	const char *what;
	int32_t from, cells, channels, at; /* at: the element */
	float x, p, from_0[2], from_1, from_2, from_3;
	int32_t want, plain;
} sum;
static const sum sums[] = {
	{"mean, -32 / 64", 1, 64, 1, 0, -0.5f, 1, {1}, 0, 0, 0, 0, -1},
	{"mean, 96 / 64", 1, 64, 1, 0, 1.4999999f, 1, {1}, 0, 0, 0, 2, 1},
	{"layer, -1 / 2", 2, 1, 2, 0, -0.25f, 0.5f, {0.5f, 0.25f}, 0.5f, 0, 0, 0, -1},
	{"layer, -6 / 4", 2, 1, 2, 1, -0.75f, 0.5f, {0.5f, 0.25f}, 0.5f, 0, 0, -1, -2},
	{"layer, 10 / 4", 2, 1, 2, 1, 1.2499999f, 0.5f, {0.5f, 0.25f}, 0.5f, 0, 0, 3, 2},
	{"layer of one step, -1 / 2", 2, 1, 1, 1, -0.25f, 0.5f, {0.5f}, 0.5f, 0, 0, 0, -1},
	{"layer, -1750 times 0.0586", 2, 1, 2, 0, -2.1525001525878906f, 0.021f, {0.0123f, 0.00077f}, 0.1f, 0, 0, -102, -103},
	{"layer, 1500 times 0.0037", 2, 1, 2, 1, 0.11549998819828033f, 0.021f, {0.0123f, 0.00077f}, 0.1f, 0, 0, 6, 5},
	{"layer, -265 / 2, the lowest", 2, 1, 1, 1, -66.25f, 0.5f, {0.5f}, 0.5f, 0, 0, -132, -133},
	{"layer, less than 243 / 2, the highest", 2, 1, 1, 1, 60.7501f, 0.50000006f, {0.5f}, 0.5f, 0, 0, 121, 122},
	{"two, -1 / 2", 4, 1, 1, 0, -0.5f, 1, {-0.5f}, 0.5f, 0, 0.25f, 0, -1},
	{"two, 1 and 5", 4, 1, 1, 0, 0.05f + 5 * 0.0301f, 0.0802f, {0.05f}, 0.05f, 5 * 0.0301f, 0.0301f, 2, 3},
	{"two, -167 and -33", 4, 1, 1, 0, -167 * 0.05f - 33 * 0.0301f, 0.0802f, {-167 * 0.05f}, 0.05f, -33 * 0.0301f, 0.0301f, -117, -116},
};

static void whole_sums(void **state)
{
	(void)state;
	int runs = 0, any = 0;

	for (int i = 0; i < cop_n_kernels; i++) {
		const cop_kernel *k = &cop_kernels[i];
		if (strcmp(k->op, "fakequant") || (k->isa & cop__cpu_isa()) != k->isa) continue;
		any += !strchr(k->types, '+');
		if (!strchr(k->types, '+')) continue;
		for (int e = 0; e < LEN(sums); e++, runs++) {
			const sum *s = &sums[e];
			float x[2 + 16] = {0}, y[2]; /* whole vectors are read */
			const float *in[4] = {s->from_0, &s->from_1, &s->from_2, &s->from_3};
			x[s->at] = s->x;
			for (int known = 0; known < 2; known++) {
				const int32_t word[FQ_ALL_WORDS] = {1, 2, -128, 127, 5, 0, 0, 0, 0, known ? s->from : 0, s->cells, s->channels};
				k->fn(&(cop_call){.buf = (void *const[]){y, x, (void *)&s->p, (void *)in[0], (void *)in[1], (void *)in[2], (void *)in[3]}, .k = word, .part = 0, .parts = 1});
				if (y[s->at] != s->p * (float)(known ? s->want : s->plain)) fail_msg("%s: %g steps, must be %d", s->what, (double)(y[s->at] / s->p), known ? s->want : s->plain);
			}
		}
	}
	assert_true(any > 0);
	assert_int_equal(runs, any * LEN(sums)); /* what has a kernel for any value has one for sums */
}

/* A bias of 20,000.4994 steps of 0.3 times 0.1, which a quotient of floats makes 20,000.5. */
static void bias(void **state)
{
	(void)state;
	static const int32_t word[FQ_ALL_WORDS] = {2, 1, -COP_FAKE_MOST, COP_FAKE_MOST, 0, 0, 0, 0, 0, 2, 1, 2};
	const float x[2 + 16] = {600.0150146484375f, -600.0150146484375f}, sw[2] = {0.3f, 0.3f}, sx = 0.1f, p[2] = {0.3f * 0.1f, 0.3f * 0.1f};
	float y[2];

	for (int i = 0; i < cop_n_kernels; i++) {
		if (strcmp(cop_kernels[i].op, "fakequant") || !strchr(cop_kernels[i].types, '+') || (cop_kernels[i].isa & cop__cpu_isa()) != cop_kernels[i].isa) continue;
		cop_kernels[i].fn(&(cop_call){.buf = (void *const[]){y, (void *)x, (void *)p, (void *)sw, (void *)&sx}, .k = word, .part = 0, .parts = 1});
		assert_true(y[0] == 20000 * p[0] && y[1] == -20000 * p[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch), cmocka_unit_test(extremes), cmocka_unit_test(whole_sums), cmocka_unit_test(bias)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
