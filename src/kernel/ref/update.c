/* SPDX-License-Identifier: Apache-2.0
 *
 * update - optimisers. The results lie over the inputs they name.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

/* Nesterov and momentum as in Sutskever et al. 2013, in PyTorch's form (no dampening). */
static void sgd_row(float *w, float *m, const float *dw, int32_t n, float lr, const int32_t *k)
{
	float mom = cop_f(k[GK_MOM]), decay = cop_f(k[GK_DECAY]);

	for (int32_t i = 0; i < n; i++) {
		float d = dw[i] + decay * w[i];
		if (m) {
			m[i] = mom * m[i] + d;
			d = k[GK_NESTEROV] ? d + mom * m[i] : m[i];
		}
		w[i] -= lr * d;
	}
}

void cop_sgd_f32(const cop_call *c)
{
	float *w = c->buf[0], *m = c->buf[1], lr = *(const float *)c->buf[4];
	const float *dw = c->buf[3];
	const int32_t *rows = c->buf[6];
	int32_t cols = c->k[GK_COLS], n = rows ? cop_listed(rows, c->k[GK_CAP]) : c->k[GK_ROWS], from = cop_from(c, n, 1),
	        to = cop_to(c, n, 1);

	for (int32_t j = from; j < to; j++) {
		int32_t r = rows ? rows[1 + j] : j;
		size_t at = (size_t)r * (size_t)cols;
		if (r < 0 || r >= c->k[GK_ROWS]) continue;
		sgd_row(w + at, m ? m + at : 0, dw + (size_t)j * (size_t)cols, cols, lr, c->k);
	}
}

static float power(float x, int32_t n)
{
	float y = 1;
	for (; n > 0; n >>= 1, x *= x)
		if (n & 1) y *= x;
	return y;
}

/* Kingma and Ba 2015; with W, the decay is apart from the gradient (Loshchilov and Hutter 2019). */
void cop_adam_f32(const cop_call *c)
{
	const int32_t *k = c->k;
	float *w = c->buf[0], *m = c->buf[1], *v = c->buf[2], lr = *(const float *)c->buf[5];
	const float *dw = c->buf[4];
	int32_t t = (int32_t)(*(const uint32_t *)c->buf[6] + 1), from = cop_from(c, k[AK_COUNT], 16),
	        to = cop_to(c, k[AK_COUNT], 16);
	float b1 = cop_f(k[AK_B1]), b2 = cop_f(k[AK_B2]), eps = cop_f(k[AK_EPS]), decay = cop_f(k[AK_DECAY]);
	float rate = lr / (1 - power(b1, t)), root = 1 / cop_sqrtf(1 - power(b2, t));

	for (int32_t i = from; i < to; i++) {
		float d = dw[i] + (k[AK_W] ? 0 : decay * w[i]);
		m[i] = b1 * m[i] + (1 - b1) * d;
		v[i] = b2 * v[i] + (1 - b2) * d * d;
		if (k[AK_W]) w[i] -= lr * decay * w[i];
		w[i] -= rate * m[i] / (cop_sqrtf(v[i]) * root + eps);
	}
}

void cop_count_i32(const cop_call *c)
{
	*(uint32_t *)c->buf[0] = *(const uint32_t *)c->buf[1] + 1;
}
