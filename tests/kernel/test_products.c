/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast convolutions, fully connected layers and products against the portable ones, over shapes that reach each
 * of their forms: few and many channels, any stride and padding, large kernels, large products, row lists.
 * Results agree to 1e-5 of the largest sum; 1, 2, 3 and 5 parts give the same bits, a row list the same
 * rows; nothing is written behind a buffer, and what lies there does not matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/core.h"
#include "plan/plan.h"

enum { SLACK = 16 }; /* floats that may be read behind a buffer */

static uint32_t draws;
static int draw(int n) { return (int)(cop__rand(7, 1, draws++) % (uint32_t)n); }
#define PICK(a) a[draw(LEN(a))]

/* n floats with NaN behind them. */
static float *room(size_t n, bool fill)
{
	float *p = aligned_alloc(64, ((n + SLACK) * 4 + 63) / 64 * 64);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) p[i] = fill ? cop__rand_unit(7, 2, draws++) * 2 - 1 : NAN;
	for (size_t i = n; i < n + SLACK; i++) p[i] = NAN;
	return p;
}

static void intact(const float *p, size_t n)
{
	for (size_t i = n; i < n + SLACK; i++) assert_true(isnan(p[i]));
}

static const cop_kernel *portable(const char *op)
{
	for (int i = 0; i < cop_n_kernels; i++)
		if (cop_kernels[i].isa == COP_ISA_REF && !strcmp(cop_kernels[i].op, op) &&
			!strchr(cop_kernels[i].types, ':') && !cop_kernels[i].steps)
			return &cop_kernels[i];
	return NULL;
}

static void run(const cop_kernel *k, void *const *buf, const int32_t *words, int32_t parts)
{
	int32_t word[COP_MAX_WORDS] = {0};

	memcpy(word, words, COP_STEPS * sizeof *word);
	if (k->steps) word[COP_STEPS] = (int32_t)k->steps(word, buf[1 + k->pack_in]);
	size_t pack_floats = k->pack_bytes ? k->pack_bytes(word) / 4 : 0, work_floats = k->work ? k->work(word) / 4 : 0;
	float *pack = room(pack_floats, false);

	for (int32_t p = 0; p < parts && k->pack; p++)
		k->pack(&(cop_call){.buf = buf, .k = word, .work = pack, .part = p, .parts = parts});
	intact(pack, pack_floats);
	for (int32_t p = parts - 1; p >= 0; p--) {
		float *work = room(work_floats, false);
		k->fn(&(cop_call){.buf = buf, .k = word, .work = work, .pack = pack, .part = p, .parts = parts});
		intact(work, work_floats);
		free(work);
	}
	free(pack);
}

/* Largest magnitude of the unclamped result bounds the error. */
static void compare(const cop_kernel *k, void **buf, const int32_t *word, const float *want, size_t n, float scale)
{
	static const int32_t parts[] = {1, 2, 3, 5};
	float *first = room(n, false), *out = room(n, false);

	for (int q = 0; q < LEN(parts); q++) {
		float *y = q ? out : first;
		buf[0] = y;
		run(k, buf, word, parts[q]);
		intact(y, n);
		for (size_t i = 0; i < n; i++)
			if (q ? memcmp(&y[i], &first[i], 4) != 0 : !(fabsf(y[i] - want[i]) <= 1e-5f * scale)) {
				printf("%s, %d parts, element %zu: %g, want %g; words", k->symbol, parts[q], i,
					(double)y[i], (double)(q ? first[i] : want[i]));
				for (int j = 0; j < CK_WORDS; j++) printf(" %d", word[j]);
				fail_msg("differs");
			}
	}
	free(first);
	free(out);
}

/* Every fast row of the op that fits, on fresh inputs. size: floats of the output and the inputs; 0: absent. */
static void check(const char *op, int32_t *word, const size_t size[4], const int32_t *list, int lo_word)
{
	const uint32_t isa = cop__cpu_isa();
	void *buf[5] = {NULL};
	float *want = room(size[0], false), scale = 1e-6f;
	int32_t lo = lo_word < 0 ? 0 : word[lo_word], hi = lo_word < 0 ? 0 : word[lo_word + 1];

	for (int i = 1; i < 4; i++)
		if (size[i]) buf[i] = room(size[i], true);
	if (list) buf[3] = (void *)(uintptr_t)list;
	buf[0] = want;
	if (lo_word >= 0) word[lo_word] = cop__bits(COP_NO_LO), word[lo_word + 1] = cop__bits(COP_NO_HI);
	run(portable(op), buf, word, 1);
	for (size_t i = 0; i < size[0]; i++) scale = fmaxf(scale, fabsf(want[i]));
	if (lo_word >= 0) word[lo_word] = lo, word[lo_word + 1] = hi;
	run(portable(op), buf, word, 1);
	for (int i = 0; i < cop_n_kernels; i++) {
		const cop_kernel *k = &cop_kernels[i];
		if (!k->isa || (k->isa & isa) != k->isa || strcmp(k->op, op) || strchr(k->types, ':') ||
			(k->fits && !k->fits(word)))
			continue;
		if (strncmp(k->types, "f32 f32 f32", 11)) continue;
		if (k->steps && k->steps(word, buf[1 + k->pack_in]) < 0) continue; /* it can't take these weights */
		compare(k, buf, word, want, size[0], scale);
	}
	free(want);
	for (int i = 1; i < 4; i++)
		if (size[i]) free(buf[i]);
}

typedef struct shape { int n, h, w, c, o, kh, kw, sh, sw, pt, pb, pl, pr; } shape;

static void conv(shape s)
{
	int oh = (s.h + s.pt + s.pb - s.kh) / s.sh + 1, ow = (s.w + s.pl + s.pr - s.kw) / s.sw + 1, act = draw(2);
	if (s.h + s.pt + s.pb < s.kh || s.w + s.pl + s.pr < s.kw) return;
	int32_t k[COP_MAX_WORDS] = {s.n, s.h, s.w, s.c, oh, ow, s.o, s.kh, s.kw, s.sh, s.sw, s.pt, s.pl, 1, 1, 1,
		cop__bits(act ? -0.5f : COP_NO_LO), cop__bits(act ? 0.7f : COP_NO_HI), s.o};
	size_t x = (size_t)(s.n * s.h * s.w * s.c), y = (size_t)(s.n * oh * ow * s.o),
	       row = (size_t)(s.kh * s.kw * s.c), w = row * (size_t)s.o;

	check("conv", k, (size_t[]){y, x, w, act ? (size_t)s.o : 0}, NULL, CK_LO);
	check("conv_dx", k, (size_t[]){x, y, w, 0}, NULL, -1);
	check("conv_dw", k, (size_t[]){w, y, x, 0}, NULL, -1);
	int32_t list[600] = {0};
	for (int o = 0; o < s.o; o++)
		if (o % 3 != 1) list[1 + list[0]++] = o;
	k[CK_CAP] = list[0];
	check("conv_dw", k, (size_t[]){row * (size_t)list[0], y, x, 0}, list, -1);
}

static void test_conv_random(void **state)
{
	static const int ch[] = {1, 3, 5, 8, 16, 17, 20, 24, 50}, hw[] = {1, 3, 5, 7, 9, 11, 13, 17},
			 ks[] = {1, 1, 3, 3, 3, 5};
	(void)state;
	for (int i = 0; i < 250; i++) {
		int kh = PICK(ks), kw = draw(6) ? kh : PICK(ks), st = 1 + draw(3), even = draw(4), p = draw(2);
		conv((shape){1 + draw(3), PICK(hw), PICK(hw), PICK(ch), PICK(ch), kh, kw, st,
			draw(6) ? st : 1 + draw(3), even ? p * (kh / 2) : draw(COP_MIN(3, kh)),
			even ? p * (kh / 2) : draw(3), even ? p * (kw / 2) : draw(COP_MIN(3, kw)),
			even ? p * (kw / 2) : draw(3)});
	}
}

static void test_conv_models(void **state)
{
	static const shape layer[] = {
		{2, 28, 28, 1, 20, 5, 5, 1, 1, 0, 0, 0, 0},
		{3, 12, 12, 20, 50, 5, 5, 1, 1, 0, 0, 0, 0}, /* lenet-5 */
		{2, 32, 32, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1},
		{1, 32, 32, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1}, /* resnet-8 */
		{1, 32, 32, 16, 32, 3, 3, 2, 2, 0, 1, 0, 1},
		{5, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1},
		{2, 32, 32, 16, 32, 1, 1, 2, 2, 0, 0, 0, 0},
		{1, 65, 50, 3, 16, 3, 3, 2, 2, 0, 1, 0, 1},
		{2, 32, 32, 8, 48, 1, 1, 1, 1, 0, 0, 0, 0}, /* mobilenet */
		{2, 16, 16, 48, 8, 1, 1, 1, 1, 0, 0, 0, 0},
		{1, 4, 4, 112, 300, 1, 1, 1, 1, 0, 0, 0, 0},
		{2, 4, 4, 130, 300, 3, 3, 1, 1, 1, 1, 1, 1},
		{1, 2, 2, 200, 400, 3, 3, 1, 1, 1, 1, 1, 1}, /* weights beyond a cache */
		{1, 40, 40, 40, 24, 3, 3, 1, 1, 1, 1, 1, 1},
	};
	(void)state;
	for (int i = 0; i < LEN(layer); i++) conv(layer[i]);
}

static void fc(int n, int in, int out)
{
	int act = draw(2);
	int32_t k[COP_MAX_WORDS] = {
		n, in, out, cop__bits(act ? -0.5f : COP_NO_LO), cop__bits(act ? 0.7f : COP_NO_HI), out};
	size_t x = (size_t)(n * in), y = (size_t)(n * out), w = (size_t)(in * out);
	int32_t list[200] = {0};

	check("fc", k, (size_t[]){y, x, w, act ? (size_t)out : 0}, NULL, FK_LO);
	check("fc_dx", k, (size_t[]){x, y, w, 0}, NULL, -1);
	check("fc_dw", k, (size_t[]){w, y, x, 0}, NULL, -1);
	for (int o = 0; o < COP_MIN(out, 199); o += 2) list[1 + list[0]++] = o;
	k[FK_CAP] = list[0];
	check("fc_dw", k, (size_t[]){(size_t)(list[0] * in), y, x, 0}, list, -1);
}

static const int sizes[] = {1, 2, 3, 5, 8, 9, 10, 16, 17, 33, 50, 64, 100};

static void test_fc(void **state)
{
	(void)state;
	for (int i = 0; i < 120; i++) fc(PICK(sizes), PICK(sizes), PICK(sizes));
	fc(64, 784, 100);
	fc(1, 784, 100);
}

static void matmul(int batch, int m, int n, int depth, int form)
{
	int32_t k[COP_MAX_WORDS] = {batch, m, n, depth, form & 1, form >> 1 & 1, m * depth, form & 4 ? 0 : depth * n};
	size_t b = (size_t)(depth * n);
	check("matmul", k,
		(size_t[]){(size_t)(batch * m * n), (size_t)(batch * m * depth), form & 4 ? b : b * (size_t)batch, 0},
		NULL, -1);
}

static void test_matmul(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) matmul(1 + draw(3), PICK(sizes), PICK(sizes), PICK(sizes), draw(8));
	for (int form = 0; form < 4; form++) matmul(1, 130, 700, 520, form); /* several blocks each way */
	matmul(2, 3, 700, 520, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conv_random),
		cmocka_unit_test(test_conv_models),
		cmocka_unit_test(test_fc),
		cmocka_unit_test(test_matmul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
