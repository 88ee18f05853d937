/* SPDX-License-Identifier: Apache-2.0
 *
 * update - sgd and adam. w' may lie on w and m' on m; when they do not, rows outside the list are copied.
 *
 * Element by element, so the parts only have to be disjoint: without a row list they are cut in cache lines.
 */
#include "kernel/vec/vmath.h"

enum { GRAIN = 64 };

typedef struct rule { v lr, decay, momentum; bool nesterov; } rule;

/* n elements; m NULL: no momentum is kept. */
AI void step(const bool keep, float *w1, float *m1, const float *w, const float *dw, const float *m, long n, const rule *u)
{
	for (long i = 0; i < n; i += VW) {
		const v old = LD(w + i), d = LD(dw + i) + u->decay * old;
		const long left = lmin(VW, n - i);
		v move = d;

		if (keep) {
			const v mm = u->momentum * LD(m + i) + d;
			put(m1 + i, mm, left);
			move = u->nesterov ? d + u->momentum * mm : mm;
		}
		put(w1 + i, old - u->lr * move, left);
	}
}

static void run(float *w1, float *m1, const float *w, const float *dw, const float *m, long n, const rule *u)
{
	if (m && m1) step(true, w1, m1, w, dw, m, n, u);
	else step(false, w1, m1, w, dw, m, n, u);
}

/* Row j of dw belongs to row list[1 + j]. */
static void listed_rows(const cop_call *c, const int32_t *list, const rule *u)
{
	const long n = c->k[GK_COLS], count = cop_listed(list, c->k[GK_CAP]);
	const long from = cop_from(c, c->k[GK_ROWS], 1), to = cop_to(c, c->k[GK_ROWS], 1);
	float *w1 = c->buf[0], *m1 = c->buf[1];
	const float *w = c->buf[2], *dw = c->buf[3], *m = c->buf[5];

	if (w1 != w) vcopy(w1 + from * n, w + from * n, (to - from) * n);
	if (m && m1 && m1 != m) vcopy(m1 + from * n, m + from * n, (to - from) * n);
	for (long j = 0; j < count; j++) {
		const long r = list[1 + j], at = r * n;
		if (r < from || r >= to) continue;
		run(w1 + at, m1 ? m1 + at : NULL, w + at, dw + j * n, m ? m + at : NULL, n, u);
	}
}

void VN(sgd_f32)(const cop_call *c)
{
	const int32_t *k = c->k, count = k[GK_ROWS] * k[GK_COLS];
	const long from = cop_from(c, count, GRAIN), n = cop_to(c, count, GRAIN) - from;
	const rule u = {splat(*(const float *)c->buf[4]), splat(cop_f(k[GK_DECAY])), splat(cop_f(k[GK_MOM])), k[GK_NESTEROV]};
	float *w1 = c->buf[0], *m1 = c->buf[1];
	const float *w = c->buf[2], *dw = c->buf[3], *m = c->buf[5];

	if (c->buf[6]) listed_rows(c, c->buf[6], &u);
	else run(w1 + from, m1 ? m1 + from : NULL, w + from, dw + from, m ? m + from : NULL, n, &u);
}

/* b^n by squaring. */
static float power(float b, int32_t n)
{
	float p = 1.0f;

	for (; n > 0; n >>= 1, b *= b)
		if (n & 1) p *= b;
	return p;
}

/* m' = B1 m + (1 - B1) d, v' = B2 v + (1 - B2) d^2, both divided by 1 - B^(step + 1) where they are used. */
void VN(adam_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[AK_COUNT], GRAIN), t = (int32_t)(*(const uint32_t *)c->buf[6] + 1);
	const float b1 = cop_f(k[AK_B1]), b2 = cop_f(k[AK_B2]), lr = *(const float *)c->buf[5], decay = cop_f(k[AK_DECAY]);
	const v step1 = splat(lr / (1.0f - power(b1, t))), scale2 = splat(1.0f / (1.0f - power(b2, t)));
	const v eps = splat(cop_f(k[AK_EPS])), in_grad = splat(k[AK_W] ? 0.0f : decay);
	const v keep = splat(k[AK_W] ? 1.0f - lr * decay : 1.0f);
	float *w1 = c->buf[0], *m1 = c->buf[1], *v1 = c->buf[2];
	const float *w = c->buf[3], *dw = c->buf[4], *m = c->buf[7], *v0 = c->buf[8];

	for (long i = cop_from(c, k[AK_COUNT], GRAIN); i < to; i += VW) {
		const long n = lmin(VW, to - i);
		const v old = LD(w + i), d = LD(dw + i) + in_grad * old;
		const v mm = b1 * LD(m + i) + (1.0f - b1) * d, vv = b2 * LD(v0 + i) + (1.0f - b2) * (d * d);

		put(m1 + i, mm, n);
		put(v1 + i, vv, n);
		put(w1 + i, old * keep - step1 * mm / (vsqrt(vv * scale2) + eps), n);
	}
}
