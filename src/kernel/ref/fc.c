/* SPDX-License-Identifier: Apache-2.0
 *
 * fc - y[n,o] = clamp(b[o] + sum x[n,i] w[o,i]), its input and weight gradients. One accumulator, ascending: this order
 * is the definition of the result.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_fc_f32(const cop_call *c)
{
	float *y = c->buf[0], lo = cop_f(c->k[FK_LO]), hi = cop_f(c->k[FK_HI]);
	const float *x = c->buf[1], *w = c->buf[2], *b = c->buf[3];
	int32_t n = c->k[FK_N], in = c->k[FK_IN], out = c->k[FK_OUT], from = cop_from(c, out, 1),
	        to = cop_to(c, out, 1);

	for (int32_t r = 0; r < n; r++)
		for (int32_t o = from; o < to; o++) {
			const float *a = x + (size_t)r * (size_t)in, *f = w + (size_t)o * (size_t)in;
			float s = b ? b[o] : 0;
			for (int32_t i = 0; i < in; i++) s += a[i] * f[i];
			y[r * out + o] = cop_clampf(s, lo, hi);
		}
}

/* dx[n,i] = sum over o of dy[n,o] w[o,i] */
void cop_fc_dx_f32(const cop_call *c)
{
	float *dx = c->buf[0];
	const float *dy = c->buf[1], *w = c->buf[2];
	int32_t n = c->k[FK_N], in = c->k[FK_IN], out = c->k[FK_OUT], from = cop_from(c, in, 1), to = cop_to(c, in, 1);

	for (int32_t r = 0; r < n; r++) {
		float *d = dx + (size_t)r * (size_t)in;
		for (int32_t i = from; i < to; i++) d[i] = 0;
		for (int32_t o = 0; o < out; o++) {
			float g = dy[r * out + o];
			const float *f = w + (size_t)o * (size_t)in;
			for (int32_t i = from; i < to; i++) d[i] += g * f[i];
		}
	}
}

/* dw[j,i] = sum over n of dy[n,o] x[n,i], o the j-th row of the list, or j. Rows behind the list are not written. */
void cop_fc_dw_f32(const cop_call *c)
{
	float *dw = c->buf[0];
	const float *dy = c->buf[1], *x = c->buf[2];
	const int32_t *rows = c->buf[3];
	int32_t n = c->k[FK_N], in = c->k[FK_IN], out = c->k[FK_OUT], count = rows ? cop_listed(rows, c->k[FK_CAP]) : out,
	        from = cop_from(c, count, 1), to = cop_to(c, count, 1);

	for (int32_t j = from; j < to; j++) {
		int32_t o = rows ? cop_inside(rows[1 + j], out) : j;
		float *d = dw + (size_t)j * (size_t)in;
		for (int32_t i = 0; i < in; i++) d[i] = 0;
		for (int32_t r = 0; r < n; r++) {
			float g = dy[r * out + o];
			for (int32_t i = 0; i < in; i++) d[i] += g * x[(size_t)r * (size_t)in + (size_t)i];
		}
	}
}
