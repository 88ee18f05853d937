/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax - softmax and cross-entropy over the last axis, row by row, and their gradients.
 *
 * The exponentials of a row are summed in vector lanes and then over the lanes, in one order. Targets with smoothing s:
 * 1 - s + s/C at the label, s/C elsewhere; a row whose label is no class counts for nothing. y may lie on x, dx on dy.
 */
#include "kernel/vec/vmath.h"

static const float minus_inf = -COP_INFF;

AI float row_max(const float *x, long n)
{
	v m = splat(minus_inf);
	long i = 0;

	for (; i + VW <= n; i += VW) m = vmax(LD(x + i), m);
	if (i < n) m = vmax(choose(lanes() < splati((int32_t)(n - i)), LD(x + i), splat(minus_inf)), m);
	return vmaxlane(m);
}

/* e^(x - top) of n lanes; the lanes behind are 0. */
AI v exp_lanes(const float *x, v top, long n)
{
	const v e = vexp(LD(x) - top);
	return n == VW ? e : (v)((vi)e & (lanes() < splati((int32_t)n)));
}

AI void softmax_row(float *y, const float *x, long n)
{
	const v top = splat(row_max(x, n));
	v sum = {0};
	long i = 0;

	for (; i + VW <= n; i += VW) {
		const v e = exp_lanes(x + i, top, VW);
		ST(y + i, e);
		sum += e;
	}
	if (i < n) {
		const v e = exp_lanes(x + i, top, n - i);
		stn(y + i, e, n - i);
		sum += e;
	}
	const v scale = splat(1.0f / vsum(sum));
	for (i = 0; i < n; i += VW) put(y + i, LD(y + i) * scale, lmin(VW, n - i));
}

void VN(softmax_f32)(const cop_call *c)
{
	const long n = c->k[SK_C], to = cop_to(c, c->k[SK_ROWS], 1);

	for (long r = cop_from(c, c->k[SK_ROWS], 1); r < to; r++)
		softmax_row((float *)c->buf[0] + r * n, (const float *)c->buf[1] + r * n, n);
}

void VN(softmax_grad_f32)(const cop_call *c)
{
	const long n = c->k[SK_C], to = cop_to(c, c->k[SK_ROWS], 1);

	for (long r = cop_from(c, c->k[SK_ROWS], 1); r < to; r++) {
		const float *dy = (const float *)c->buf[1] + r * n, *y = (const float *)c->buf[2] + r * n;
		float *dx = (float *)c->buf[0] + r * n;
		v dot = {0};
		long i = 0;

		for (; i + VW <= n; i += VW) dot += LD(dy + i) * LD(y + i);
		if (i < n) dot += ldn(dy + i, n - i) * ldn(y + i, n - i);
		const v mean = splat(vsum(dot));
		for (i = 0; i < n; i += VW) put(dx + i, LD(y + i) * (LD(dy + i) - mean), lmin(VW, n - i));
	}
}

/* log sum e^x - (1 - s) x[label] - s mean(x), all measured from the largest x */
static float row_loss(const float *x, long n, int32_t label, float smooth)
{
	const float top = row_max(x, n);
	const v shift = splat(top);
	v sum = {0}, off = {0};
	long i = 0;

	for (; i + VW <= n; i += VW) {
		sum += exp_lanes(x + i, shift, VW);
		off += LD(x + i) - shift;
	}
	if (i < n) {
		sum += exp_lanes(x + i, shift, n - i);
		off += (v)((vi)(LD(x + i) - shift) & (lanes() < splati((int32_t)(n - i))));
	}
	const float loss = cop_logf(vsum(sum)) - (1.0f - smooth) * (x[label] - top);
	return smooth != 0.0f ? loss - smooth * vsum(off) / (float)n : loss;
}

static bool counts(int32_t label, long classes) { return label >= 0 && label < classes; }

static int32_t counted(const int32_t *label, const int32_t *k)
{
	int32_t n = 0;

	for (int32_t r = 0; r < k[SK_ROWS]; r++) n += counts(label[r], k[SK_C]);
	return n ? n : 1;
}

void VN(xent_f32)(const cop_call *c)
{
	const int32_t *k = c->k, *label = c->buf[2];
	const float *x = c->buf[1];
	float sum = 0;

	for (long r = 0; r < k[SK_ROWS]; r++)
		if (counts(label[r], k[SK_C])) sum += row_loss(x + r * k[SK_C], k[SK_C], label[r], cop_f(k[SK_SMOOTH]));
	*(float *)c->buf[0] = sum / (float)counted(label, k);
}

void VN(xent_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, *label = c->buf[2], to = cop_to(c, k[SK_ROWS], 1);
	const float smooth = cop_f(k[SK_SMOOTH]), scale = *(const float *)c->buf[3] / (float)counted(label, k);
	const long n = k[SK_C];
	const v even = splat(smooth / (float)n * scale);

	for (long r = cop_from(c, k[SK_ROWS], 1); r < to; r++) {
		float *dx = (float *)c->buf[0] + r * n;

		if (!counts(label[r], n)) {
			vzero(dx, n);
			continue;
		}
		softmax_row(dx, (const float *)c->buf[1] + r * n, n);
		for (long i = 0; i < n; i += VW) put(dx + i, LD(dx + i) * scale - even, lmin(VW, n - i));
		dx[label[r]] -= (1.0f - smooth) * scale;
	}
}

static float row_sum(const float *t, long n)
{
	v sum = {0};
	long i = 0;

	for (; i + VW <= n; i += VW) sum += LD(t + i);
	if (i < n) sum += ldn(t + i, n - i);
	return vsum(sum);
}

/* log sum e^x sum t - sum t x, measured from the largest x; where t is 0 its x does not count, not even -inf */
static float row_soft(const float *x, const float *t, long n)
{
	const float top = row_max(x, n);
	const v shift = splat(top);
	v sum = {0}, dot = {0};

	for (long i = 0; i < n; i += VW) {
		const long left = lmin(VW, n - i);
		const v w = ldn(t + i, left);
		sum += exp_lanes(x + i, shift, left);
		dot += (v)((vi)(w * (ldn(x + i, left) - shift)) & (w != (v){0}));
	}
	return cop_logf(vsum(sum)) * row_sum(t, n) - vsum(dot);
}

static int32_t targeted(const float *t, const int32_t *k)
{
	int32_t n = 0;

	for (long r = 0; r < k[SK_ROWS]; r++) n += row_sum(t + r * k[SK_C], k[SK_C]) != 0;
	return n ? n : 1;
}

void VN(softxent_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const float *x = c->buf[1], *t = c->buf[2];
	float sum = 0;

	for (long r = 0; r < k[SK_ROWS]; r++) sum += row_soft(x + r * k[SK_C], t + r * k[SK_C], k[SK_C]);
	*(float *)c->buf[0] = sum / (float)targeted(t, k);
}

void VN(softxent_grad_f32)(const cop_call *c)
{
	const int32_t *k = c->k, to = cop_to(c, k[SK_ROWS], 1);
	const float *all = c->buf[2], scale = *(const float *)c->buf[3] / (float)targeted(all, k);
	const long n = k[SK_C];

	for (long r = cop_from(c, k[SK_ROWS], 1); r < to; r++) {
		const float *t = all + r * n;
		float *dx = (float *)c->buf[0] + r * n;
		const v part = splat(row_sum(t, n)), each = splat(scale);

		softmax_row(dx, (const float *)c->buf[1] + r * n, n);
		for (long i = 0; i < n; i += VW) put(dx + i, (ldn(dx + i, lmin(VW, n - i)) * part - ldn(t + i, lmin(VW, n - i))) * each, lmin(VW, n - i));
	}
}
