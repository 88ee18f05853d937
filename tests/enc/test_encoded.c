/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels that run from a blob against a plain loop over the dense weights and against the dense
 * kernels: the same bits, for any cut into parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "enc/enc.h"
#include "kernel/kernel.h"
#include "op/op.h"

#include <stdlib.h>

void cop_fc_f32(const cop_call *c);
void cop_conv_f32(const cop_call *c);
void cop_fc_palette(const cop_call *c);
void cop_fc_sparse(const cop_call *c);
void cop_conv_palette(const cop_call *c);
void cop_conv_sparse(const cop_call *c);

static float *random_floats(int64_t n, uint32_t stream)
{
	float *x = malloc(sizeof *x * (size_t)n);
	for (int64_t i = 0; i < n; i++) x[i] = cop__rand_normal(1, stream, (uint64_t)i);
	return x;
}

/* levels 0: all different */
static float *weights(int64_t n, int levels, double density)
{
	float *w = random_floats(n, 7);
	for (int64_t i = 0; i < n; i++) {
		if (cop__rand_unit(3, 3, (uint64_t)i) >= density) w[i] = 0;
		else if (levels)
			w[i] = 0.1f * (float)(1 + cop__rand(4, 4, (uint64_t)i) % (uint32_t)(levels - 1)) -
			       0.05f * (float)levels;
	}
	return w;
}

static float clamp(float s, float lo, float hi)
{
	return s < lo ? lo : s > hi ? hi : s;
}

/* fc words are read as a 1x1 convolution of a 1x1 image. */
static void plain(float *y, const float *x, const float *w, const float *b, const int32_t *k)
{
	for (int n = 0; n < k[CK_N]; n++)
		for (int oh = 0; oh < k[CK_OH]; oh++)
			for (int ow = 0; ow < k[CK_OW]; ow++)
				for (int o = 0; o < k[CK_O]; o++) {
					volatile float s = b ? b[o] : 0; /* no contraction */
					const float *at = w + (int64_t)o * k[CK_KH] * k[CK_KW] * k[CK_C];
					for (int kh = 0; kh < k[CK_KH]; kh++)
						for (int kw = 0; kw < k[CK_KW]; kw++)
							for (int c = 0; c < k[CK_C]; c++, at++) {
								int ih = oh * k[CK_SH] - k[CK_PT] + kh * k[CK_DH],
								    iw = ow * k[CK_SW] - k[CK_PL] + kw * k[CK_DW];
								if (ih < 0 || iw < 0 || ih >= k[CK_H] ||
								        iw >= k[CK_W] || *at == 0)
									continue;
								volatile float p =
								        *at * x[((n * k[CK_H] + ih) * k[CK_W] + iw) *
								                              k[CK_C] +
								                      c];
								s = s + p;
							}
					*y++ = clamp(s, cop_f(k[CK_LO]), cop_f(k[CK_HI]));
				}
}

typedef struct shape {
	int n, h, w, c, o, kh, kw, sh, sw, pt, pl, pb, pr, dh, dw;
} shape;
static const shape convs[] = {
        {1, 7, 9, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 28, 28, 1, 4, 5, 5, 1, 1, 0, 0, 0, 0, 1, 1},
        {2, 11, 40, 7, 3, 3, 2, 2, 3, 1, 0, 2, 1, 1, 1}, {1, 9, 33, 2, 6, 3, 3, 1, 2, 2, 3, 2, 3, 2, 3},
        {3, 4, 4, 33, 9, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, {1, 1, 1, 300, 2, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
        {1, 2, 2, 3, 2, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1},   /* the kernel is larger than the image */
        {1, 3, 3, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 1, 1},   /* columns that see padding alone */
        {1, 5, 5, 400, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, /* gaps over 255 */
};

static void check(cop_ctx *cx, const shape *s, bool fc, int levels, double density, bool bias)
{
	int oh = (s->h + s->pt + s->pb - (s->kh - 1) * s->dh - 1) / s->sh + 1,
	    ow = (s->w + s->pl + s->pr - (s->kw - 1) * s->dw - 1) / s->sw + 1;
	float lo = bias ? -0.5f : COP_NO_LO, hi = bias ? 1.5f : COP_NO_HI;
	int32_t k[CK_WORDS] = {[CK_N] = s->n,
	        [CK_H] = s->h,
	        [CK_W] = s->w,
	        [CK_C] = s->c,
	        [CK_OH] = oh,
	        [CK_OW] = ow,
	        [CK_O] = s->o,
	        [CK_KH] = s->kh,
	        [CK_KW] = s->kw,
	        [CK_SH] = s->sh,
	        [CK_SW] = s->sw,
	        [CK_PT] = s->pt,
	        [CK_PL] = s->pl,
	        [CK_DH] = s->dh,
	        [CK_DW] = s->dw,
	        [CK_G] = 1,
	        [CK_LO] = cop__bits(lo),
	        [CK_HI] = cop__bits(hi)};
	int32_t f[FK_WORDS] = {
	        [FK_N] = s->n, [FK_IN] = s->c, [FK_OUT] = s->o, [FK_LO] = cop__bits(lo), [FK_HI] = cop__bits(hi)};
	int64_t cols = (int64_t)s->kh * s->kw * s->c, ny = (int64_t)s->n * oh * ow * s->o;
	float *w = weights(cols * s->o, levels, density), *x = random_floats((int64_t)s->n * s->h * s->w * s->c, 5),
	      *b = random_floats(s->o, 6);
	float *want = malloc(sizeof *want * (size_t)ny), *got = malloc(sizeof *got * (size_t)ny);

	plain(want, x, w, bias ? b : NULL, k);
	cop_call dense = {.buf = (void *[]){got, x, w, bias ? b : NULL}, .k = fc ? f : k, .parts = 1};
	(fc ? cop_fc_f32 : cop_conv_f32)(&dense);
	assert_memory_equal(got, want, sizeof *got * (size_t)ny);
	for (cop_enc enc = COP_PALETTE; enc <= COP_SPARSE; enc++)
		for (int parts = 1; parts <= 3; parts++) {
			void *blob, *exact;
			uint32_t bytes;
			if (enc == COP_PALETTE && !levels) continue;
			assert_int_equal(cop__encode(&blob, &bytes, cx, enc, w, s->o, (int32_t)cols), COP_OK);
			exact = malloc(bytes); /* so that the address sanitizer sees its end */
			memcpy(exact, blob, bytes);
			memset(got, 0x7f, sizeof *got * (size_t)ny);
			for (int part = 0; part < parts; part++) {
				cop_call c = {.buf = (void *[]){got, x, exact, bias ? b : NULL},
				        .k = fc ? f : k,
				        .part = part,
				        .parts = parts};
				if (fc) (enc == COP_PALETTE ? cop_fc_palette : cop_fc_sparse)(&c);
				else (enc == COP_PALETTE ? cop_conv_palette : cop_conv_sparse)(&c);
			}
			assert_memory_equal(got, want, sizeof *got * (size_t)ny);
			free(exact);
			cop__free(cx, blob);
		}
	free(w), free(x), free(b), free(want), free(got);
}

static const int levels[] = {2, 4, 13, 100, 0};

static void test_conv(void **state)
{
	for (int i = 0; i < LEN(convs); i++)
		for (int l = 0; l < LEN(levels); l++)
			for (int b = 0; b < 2; b++) check(*state, &convs[i], false, levels[l], l % 2 ? 0.3 : 0.02, b);
}

static void test_fc(void **state)
{
	static const int dims[][3] = {{1, 784, 30}, {3, 33, 7}, {2, 1, 1}, {5, 70, 4}, {1, 2000, 5}};

	for (int i = 0; i < LEN(dims); i++)
		for (int l = 0; l < LEN(levels); l++)
			for (int b = 0; b < 2; b++) {
				shape s = {dims[i][0], 1, 1, dims[i][1], dims[i][2], 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
				check(*state, &s, true, levels[l], l % 2 ? 0.3 : 0.01, b);
			}
}

static void test_empty(void **state)
{
	shape s = {2, 1, 1, 50, 6, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};

	check(*state, &s, true, 4, 0, true);
	check(*state, &s, false, 0, 0, false);
}

static int setup(void **state)
{
	return cop_ctx_new((cop_ctx **)state, NULL);
}
static int teardown(void **state)
{
	cop_ctx_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_conv), cmocka_unit_test(test_fc), cmocka_unit_test(test_empty)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
