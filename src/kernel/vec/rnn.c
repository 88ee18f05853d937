/* SPDX-License-Identifier: Apache-2.0
 *
 * rnn - the text of kernel/ref/rnn.c with dot products and functions on vectors. W is read once for BLOCK steps.
 */
#include "kernel/vec/dot.h"
#include "kernel/vec/vmath.h"

#define RNN(x) VN(rnn_##x)
enum { BLOCK = 16 };

static void products(float *y, const float *x, int32_t ldx, const float *w, const float *b, int32_t m, int32_t n, int32_t k)
{
	dots(y, n, x, ldx, w, k, m, 0, n, k, b, -__builtin_inff(), __builtin_inff());
}

AI v function(int32_t fn, v x)
{
	v p;

	switch (fn) {
	case RNN_SIGMOID: return vsigmoid(x);
	case RNN_TANH: return vtanh(x);
	case RNN_RELU: return vmax(splat(0.0f), x);
	case RNN_HARDSIGMOID: return clamp(0.2f * x + 0.5f, splat(0.0f), splat(1.0f));
	case RNN_SOFTSIGN: return x / (1.0f + vabs(x));
	default:
		p = vexp(-vabs(x));
		for (int i = 0; i < VW; i++) p[i] = cop_log1pf(p[i]);
		return p + vmax(splat(0.0f), x);
	}
}

AI void each(const int32_t fn, v most, float *y, long n)
{
	long i = 0;

	for (; i + VW <= n; i += VW) ST(y + i, function(fn, clamp(LD(y + i), -most, most)));
	if (i < n) stn(y + i, function(fn, clamp(LD(y + i), -most, most)), n - i);
}

static void apply(int32_t fn, float clip, float *y, int32_t n)
{
	v most = splat(clip > 0.0f ? clip : __builtin_inff());

	if (fn == RNN_SIGMOID) each(RNN_SIGMOID, most, y, n);
	else if (fn == RNN_TANH) each(RNN_TANH, most, y, n);
	else each(fn, most, y, n);
}

#include "kernel/ref/rnn.c"
