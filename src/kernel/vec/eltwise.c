/* SPDX-License-Identifier: Apache-2.0
 *
 * eltwise - functions of one element and their gradients.
 *
 * Every vector is read before its place is written and no pointer is marked restrict, so an output may lie
 * exactly on an input. Cut in multiples of GRAIN elements: no two parts share a cache line.
 */
#include "kernel/vec/vmath.h"

enum { GRAIN = 64, RUN = 4 };

typedef v fn1(v x, v lo, v hi);
typedef v fn2(v dy, v t, v lo, v hi);

AI void map1(const cop_call *c, fn1 *f)
{
	const long to = cop_to(c, c->k[UK_COUNT], GRAIN);
	long i = cop_from(c, c->k[UK_COUNT], GRAIN);
	const v lo = splat(cop_f(c->k[UK_LO])), hi = splat(cop_f(c->k[UK_HI]));
	float *y = c->buf[0];
	const float *x = c->buf[1];

	for (; i + RUN * VW <= to; i += RUN * VW) {
		UNROLL
		for (int j = 0; j < RUN * VW; j += VW) ST(y + i + j, f(LD(x + i + j), lo, hi));
	}
	for (; i < to; i += VW) put(y + i, f(LD(x + i), lo, hi), lmin(to - i, VW));
}

AI void map2(const cop_call *c, fn2 *f)
{
	const long to = cop_to(c, c->k[UK_COUNT], GRAIN);
	long i = cop_from(c, c->k[UK_COUNT], GRAIN);
	const v lo = splat(cop_f(c->k[UK_LO])), hi = splat(cop_f(c->k[UK_HI]));
	float *dx = c->buf[0];
	const float *dy = c->buf[1], *t = c->buf[2];

	for (; i + RUN * VW <= to; i += RUN * VW) {
		UNROLL
		for (int j = 0; j < RUN * VW; j += VW) ST(dx + i + j, f(LD(dy + i + j), LD(t + i + j), lo, hi));
	}
	for (; i < to; i += VW) put(dx + i, f(LD(dy + i), LD(t + i), lo, hi), lmin(to - i, VW));
}

AI v clip(v x, v lo, v hi) { return clamp(x, lo, hi); }
AI v clip_grad(v dy, v y, v lo, v hi) { return (v)((vi)dy & (y > lo) & (y < hi)); }

AI v sigmoid(v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return vsigmoid(x);
}
AI v sigmoid_grad(v dy, v y, v lo, v hi)
{
	(void)lo, (void)hi;
	return dy * (y * (1.0f - y));
}

AI v tanh_(v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return vtanh(x);
}
AI v tanh_grad(v dy, v y, v lo, v hi)
{
	(void)lo, (void)hi;
	return dy * (1.0f - y * y);
}

/* x Phi(x), Phi the normal distribution. */
AI v gelu(v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return 0.5f * x * (1.0f + verf(x * 0.707106781f));
}
/* dy (Phi(x) + x phi(x)) */
AI v gelu_grad(v dy, v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return dy * (0.5f * (1.0f + verf(x * 0.707106781f)) + x * vexp(x * x * -0.5f) * 0.398942280f);
}

AI v hswish(v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return x * clamp(x + 3.0f, splat(0.0f), splat(6.0f)) * (1.0f / 6);
}
AI v hswish_grad(v dy, v x, v lo, v hi)
{
	(void)lo, (void)hi;
	v s = choose(x < 3.0f, (x + x + 3.0f) * (1.0f / 6), splat(1.0f));
	return dy * (v)((vi)s & (x > -3.0f));
}

AI v sign(v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return choose(x >= 0.0f, splat(1.0f), splat(-1.0f));
}
AI v sign_grad(v dy, v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return (v)((vi)dy & (vabs(x) <= 1.0f));
}
AI v sign_grad_smooth(v dy, v x, v lo, v hi)
{
	(void)lo, (void)hi;
	return (v)((vi)(dy * (2.0f - 2.0f * vabs(x))) & (vabs(x) <= 1.0f));
}

void VN(clip_f32)(const cop_call *c) { map1(c, clip); }
void VN(clip_grad_f32)(const cop_call *c) { map2(c, clip_grad); }
void VN(sigmoid_f32)(const cop_call *c) { map1(c, sigmoid); }
void VN(sigmoid_grad_f32)(const cop_call *c) { map2(c, sigmoid_grad); }
void VN(tanh_f32)(const cop_call *c) { map1(c, tanh_); }
void VN(tanh_grad_f32)(const cop_call *c) { map2(c, tanh_grad); }
void VN(gelu_f32)(const cop_call *c) { map1(c, gelu); }
void VN(gelu_grad_f32)(const cop_call *c) { map2(c, gelu_grad); }
void VN(hswish_f32)(const cop_call *c) { map1(c, hswish); }
void VN(hswish_grad_f32)(const cop_call *c) { map2(c, hswish_grad); }
void VN(sign_f32)(const cop_call *c) { map1(c, sign); }
void VN(sign_grad_f32)(const cop_call *c)
{
	if (c->k[SG_SMOOTH]) map2(c, sign_grad_smooth);
	else map2(c, sign_grad);
}
