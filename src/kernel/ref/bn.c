/* SPDX-License-Identifier: Apache-2.0
 *
 * bn - batch normalisation (Ioffe and Szegedy 2015). Training is in four steps; see kernel.h, NK_. The rows are cut
 * into CHUNKS fixed pieces, whatever the number of threads. Sums are of x - x[0], so that a large mean costs no digits.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

void cop_bn_f32(const cop_call *c)
{
	float *y = c->buf[0], lo = cop_f(c->k[NK_LO]), hi = cop_f(c->k[NK_HI]), eps = cop_f(c->k[NK_EPS]);
	const float *x = c->buf[1], *gamma = c->buf[2], *beta = c->buf[3], *mean = c->buf[4], *var = c->buf[5];
	int32_t n = c->k[NK_C], from = cop_from(c, c->k[NK_ROWS], 1), to = cop_to(c, c->k[NK_ROWS], 1);

	for (int32_t r = from; r < to; r++)
		for (int32_t j = 0; j < n; j++) {
			size_t i = (size_t)r * (size_t)n + (size_t)j;
			float rstd = 1 / cop_sqrtf(var[j] + eps);
			y[i] = cop_clampf((x[i] - mean[j]) * rstd * gamma[j] + beta[j], lo, hi);
		}
}

static int32_t chunk_from(const int32_t *k, int32_t chunk)
{
	return (int32_t)((int64_t)k[NK_ROWS] * chunk / k[NK_CHUNKS]);
}

void cop_bn_sum_f32(const cop_call *c)
{
	float *part = c->buf[0];
	const float *x = c->buf[1];
	int32_t n = c->k[NK_C], from = cop_from(c, c->k[NK_CHUNKS], 1), to = cop_to(c, c->k[NK_CHUNKS], 1);

	for (int32_t p = from; p < to; p++) {
		float *sum = part + (size_t)p * 2 * (size_t)n, *square = sum + n;
		for (int32_t j = 0; j < 2 * n; j++) sum[j] = 0;
		for (int32_t r = chunk_from(c->k, p); r < chunk_from(c->k, p + 1); r++)
			for (int32_t j = 0; j < n; j++) {
				float d = x[(size_t)r * (size_t)n + (size_t)j] - x[j];
				sum[j] += d;
				square[j] += d * d;
			}
	}
}

/* The running variance is the unbiased one, what is divided by is not: as in PyTorch. */
void cop_bn_stat_f32(const cop_call *c)
{
	float *mean = c->buf[0], *rstd = c->buf[1], *new_mean = c->buf[2], *new_var = c->buf[3];
	const float *part = c->buf[4], *x = c->buf[5], *run_mean = c->buf[6], *run_var = c->buf[7];
	float eps = cop_f(c->k[NK_EPS]), mom = cop_f(c->k[NK_MOM]), rows = (float)c->k[NK_ROWS];
	int32_t n = c->k[NK_C];

	for (int32_t j = 0; j < n; j++) {
		float sum = 0, square = 0;
		for (int32_t p = 0; p < c->k[NK_CHUNKS]; p++) {
			sum += part[(size_t)p * 2 * (size_t)n + (size_t)j];
			square += part[(size_t)p * 2 * (size_t)n + (size_t)(n + j)];
		}
		float shift = sum / rows, var = square / rows - shift * shift, m = x[j] + shift;
		var = var > 0 ? var : 0;
		mean[j] = m;
		rstd[j] = 1 / cop_sqrtf(var + eps);
		new_mean[j] = run_mean[j] + mom * (m - run_mean[j]);
		new_var[j] = run_var[j] + mom * ((rows > 1 ? var * (rows / (rows - 1)) : var) - run_var[j]);
	}
}

void cop_bn_norm_f32(const cop_call *c)
{
	float *y = c->buf[0], lo = cop_f(c->k[NK_LO]), hi = cop_f(c->k[NK_HI]);
	const float *x = c->buf[1], *mean = c->buf[2], *rstd = c->buf[3], *gamma = c->buf[4], *beta = c->buf[5];
	int32_t n = c->k[NK_C], from = cop_from(c, c->k[NK_ROWS], 1), to = cop_to(c, c->k[NK_ROWS], 1);

	for (int32_t r = from; r < to; r++)
		for (int32_t j = 0; j < n; j++) {
			size_t i = (size_t)r * (size_t)n + (size_t)j;
			y[i] = cop_clampf((x[i] - mean[j]) * rstd[j] * gamma[j] + beta[j], lo, hi);
		}
}

/* The gradient passes where the clamp was inactive; the normalised value is computed again, not stored. */
static float passed(float dy, float xhat, float gamma, float beta, float lo, float hi)
{
	float y = xhat * gamma + beta;
	return y > lo && y < hi ? dy : 0;
}

void cop_bn_gsum_f32(const cop_call *c)
{
	float *part = c->buf[0], lo = cop_f(c->k[NK_LO]), hi = cop_f(c->k[NK_HI]);
	const float *dy = c->buf[1], *x = c->buf[2], *mean = c->buf[3], *rstd = c->buf[4], *gamma = c->buf[5],
	            *beta = c->buf[6];
	int32_t n = c->k[NK_C], from = cop_from(c, c->k[NK_CHUNKS], 1), to = cop_to(c, c->k[NK_CHUNKS], 1);

	for (int32_t p = from; p < to; p++) {
		float *sum = part + (size_t)p * 2 * (size_t)n, *dot = sum + n;
		for (int32_t j = 0; j < 2 * n; j++) sum[j] = 0;
		for (int32_t r = chunk_from(c->k, p); r < chunk_from(c->k, p + 1); r++)
			for (int32_t j = 0; j < n; j++) {
				size_t i = (size_t)r * (size_t)n + (size_t)j;
				float xhat = (x[i] - mean[j]) * rstd[j],
				      d = passed(dy[i], xhat, gamma[j], beta[j], lo, hi);
				sum[j] += d;
				dot[j] += d * xhat;
			}
	}
}

/* dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) */
void cop_bn_grad_f32(const cop_call *c)
{
	float *dx = c->buf[0], *dgamma = c->buf[1], *dbeta = c->buf[2], lo = cop_f(c->k[NK_LO]),
	      hi = cop_f(c->k[NK_HI]);
	const float *dy = c->buf[3], *x = c->buf[4], *mean = c->buf[5], *rstd = c->buf[6], *gamma = c->buf[7],
	            *beta = c->buf[8], *part = c->buf[9];
	int32_t n = c->k[NK_C], from = cop_from(c, c->k[NK_ROWS], 1), to = cop_to(c, c->k[NK_ROWS], 1);

	for (int32_t j = 0; j < n; j++) {
		float sum = 0, dot = 0;
		for (int32_t p = 0; p < c->k[NK_CHUNKS]; p++) {
			sum += part[(size_t)p * 2 * (size_t)n + (size_t)j];
			dot += part[(size_t)p * 2 * (size_t)n + (size_t)(n + j)];
		}
		if (!c->part && dgamma) dgamma[j] = dot;
		if (!c->part && dbeta) dbeta[j] = sum;
		if (!dx) continue;
		float mean_dy = sum / (float)c->k[NK_ROWS], mean_dot = dot / (float)c->k[NK_ROWS],
		      scale = gamma[j] * rstd[j];
		for (int32_t r = from; r < to; r++) {
			size_t i = (size_t)r * (size_t)n + (size_t)j;
			float xhat = (x[i] - mean[j]) * rstd[j];
			dx[i] = scale * (passed(dy[i], xhat, gamma[j], beta[j], lo, hi) - mean_dy - xhat * mean_dot);
		}
	}
}
