/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax - over the last axis, and the cross-entropy of its logits. The largest logit is taken off first.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

static float largest(const float *x, int32_t n)
{
	float m = x[0];
	for (int32_t j = 1; j < n; j++) m = x[j] > m ? x[j] : m;
	return m;
}

void cop_softmax_f32(const cop_call *c)
{
	int32_t n = c->k[SK_C], from = cop_from(c, c->k[SK_ROWS], 1), to = cop_to(c, c->k[SK_ROWS], 1);

	for (int32_t r = from; r < to; r++) {
		float *y = (float *)c->buf[0] + (size_t)r * (size_t)n, sum = 0;
		const float *x = (const float *)c->buf[1] + (size_t)r * (size_t)n;
		float m = largest(x, n);
		for (int32_t j = 0; j < n; j++) sum += y[j] = cop_expf(x[j] - m);
		for (int32_t j = 0; j < n; j++) y[j] /= sum;
	}
}

void cop_softmax_grad_f32(const cop_call *c)
{
	int32_t n = c->k[SK_C], from = cop_from(c, c->k[SK_ROWS], 1), to = cop_to(c, c->k[SK_ROWS], 1);

	for (int32_t r = from; r < to; r++) {
		float *dx = (float *)c->buf[0] + (size_t)r * (size_t)n, dot = 0;
		const float *dy = (const float *)c->buf[1] + (size_t)r * (size_t)n,
		            *y = (const float *)c->buf[2] + (size_t)r * (size_t)n;
		for (int32_t j = 0; j < n; j++) dot += dy[j] * y[j];
		for (int32_t j = 0; j < n; j++) dx[j] = y[j] * (dy[j] - dot);
	}
}

/* A label that is no class does not count: -1 pads a batch. */
static int32_t labelled(const int32_t *label, int32_t rows, int32_t classes)
{
	int32_t n = 0;
	for (int32_t r = 0; r < rows; r++) n += label[r] >= 0 && label[r] < classes;
	return n;
}

/* The target is (1 - s) at the label plus s / C everywhere. */
void cop_xent_f32(const cop_call *c)
{
	const int32_t *label = c->buf[2];
	int32_t n = c->k[SK_C], rows = c->k[SK_ROWS], count = labelled(label, rows, n);
	float smooth = cop_f(c->k[SK_SMOOTH]), loss = 0;

	for (int32_t r = 0; r < rows; r++) {
		const float *x = (const float *)c->buf[1] + (size_t)r * (size_t)n;
		float m = largest(x, n), sum = 0, all = 0;
		if (label[r] < 0 || label[r] >= n) continue;
		for (int32_t j = 0; j < n; j++) {
			sum += cop_expf(x[j] - m);
			all += x[j] - m;
		}
		float log_sum = cop_logf(sum);
		loss += (1 - smooth) * (log_sum - (x[label[r]] - m));
		if (smooth > 0)
			loss += smooth *
			        (log_sum - all / (float)n); /* else a logit of -inf, a class ruled out, makes 0 * inf */
	}
	*(float *)c->buf[0] = count ? loss / (float)count : 0;
}

void cop_xent_grad_f32(const cop_call *c)
{
	const int32_t *label = c->buf[2];
	int32_t n = c->k[SK_C], rows = c->k[SK_ROWS], count = labelled(label, rows, n);
	float smooth = cop_f(c->k[SK_SMOOTH]), scale = count ? *(const float *)c->buf[3] / (float)count : 0;

	for (int32_t r = 0; r < rows; r++) {
		float *d = (float *)c->buf[0] + (size_t)r * (size_t)n, sum = 0;
		const float *x = (const float *)c->buf[1] + (size_t)r * (size_t)n;
		float m = largest(x, n);
		for (int32_t j = 0; j < n; j++) sum += d[j] = cop_expf(x[j] - m);
		for (int32_t j = 0; j < n; j++)
			d[j] = label[r] < 0 || label[r] >= n
			               ? 0
			               : scale * (d[j] / sum - (j == label[r] ? 1 - smooth : 0) - smooth / (float)n);
	}
}

static float sum_of(const float *t, int32_t n)
{
	float sum = 0;
	for (int32_t j = 0; j < n; j++) sum += t[j];
	return sum;
}

/* A row whose target is all 0 does not count, like a sample without a label. */
static int32_t targeted(const float *t, int32_t rows, int32_t classes)
{
	int32_t n = 0;
	for (int32_t r = 0; r < rows; r++) n += sum_of(t + (size_t)r * (size_t)classes, classes) != 0;
	return n;
}

void cop_softxent_f32(const cop_call *c)
{
	int32_t n = c->k[SK_C], rows = c->k[SK_ROWS], count = targeted(c->buf[2], rows, n);
	float loss = 0;

	for (int32_t r = 0; r < rows; r++) {
		const float *x = (const float *)c->buf[1] + (size_t)r * (size_t)n, *t = (const float *)c->buf[2] + (size_t)r * (size_t)n;
		float m = largest(x, n), sum = 0, dot = 0;
		for (int32_t j = 0; j < n; j++) {
			sum += cop_expf(x[j] - m);
			if (t[j] != 0) dot += t[j] * (x[j] - m); /* else a class ruled out, a logit of -inf, makes 0 * inf */
		}
		loss += sum_of(t, n) * cop_logf(sum) - dot;
	}
	*(float *)c->buf[0] = count ? loss / (float)count : 0;
}

void cop_softxent_grad_f32(const cop_call *c)
{
	int32_t n = c->k[SK_C], rows = c->k[SK_ROWS], count = targeted(c->buf[2], rows, n);
	float scale = count ? *(const float *)c->buf[3] / (float)count : 0;

	for (int32_t r = 0; r < rows; r++) {
		float *d = (float *)c->buf[0] + (size_t)r * (size_t)n, sum = 0;
		const float *x = (const float *)c->buf[1] + (size_t)r * (size_t)n, *t = (const float *)c->buf[2] + (size_t)r * (size_t)n;
		float m = largest(x, n), all = sum_of(t, n);
		for (int32_t j = 0; j < n; j++) sum += d[j] = cop_expf(x[j] - m);
		for (int32_t j = 0; j < n; j++) d[j] = scale * (d[j] / sum * all - t[j]);
	}
}
