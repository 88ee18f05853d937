/* SPDX-License-Identifier: Apache-2.0
 *
 * gptq - the weights of a row are rounded one after the other, and those that follow make good for the error (Frantar
 * et al. 2022, arXiv 2210.17323; Optimal Brain Quantization in one order for all rows). With the factor U of the
 * inverse of H, U'U, the error e of weight j moves each weight i behind it by -e U[j,i] / U[j,j]. Inputs with the
 * largest mean square come first. At the end single weights are turned while that lowers the error. A weight that is 0
 * stays 0: it may have been pruned.
 */
#include "compress/gram/gram.h"
#include "compress/quantize/quantize.h"

static const double damp = 0.01; /* of the mean diagonal */

static void sort_by_size(int32_t *order, const float *h, int32_t k)
{
	for (int32_t i = 0; i < k; i++) {
		float size = h[(size_t)i * (size_t)k + (size_t)i];
		int32_t at = i;
		for (; at > 0 && h[(size_t)order[at - 1] * (size_t)k + (size_t)order[at - 1]] < size; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static cop_status factor(cop_gptq *f, cop_ctx *cx, const float *h, double *inverse, double *room)
{
	const size_t k = (size_t)f->k;

	cop__damped(inverse, h, f->k, damp);
	for (size_t i = 0; i < k; i++) /* in the order of the weights */
		for (size_t j = 0; j < k; j++) f->l[i * k + j] = inverse[(size_t)f->order[i] * k + (size_t)f->order[j]];
	if (!cop__invert(f->l, f->k, room))
		return cop__error(cx, COP_ARG,
		        "quantize: the inputs of a layer are no numbers that gptq can work with; round: nearest does "
			"without");
	if (!cop__cholesky(f->l, f->k))
		return cop__error(cx, COP_ARG,
		        "quantize: the inputs of a layer depend on each other too much for gptq; round: nearest does "
			"without");
	return COP_OK;
}

cop_status cop__gptq_open(cop_gptq *f, cop_ctx *cx, const float *h, int32_t k)
{
	const size_t n = (size_t)k * (size_t)k;
	double *room = cop__alloc(cx, sizeof *room * 2 * n);

	*f = (cop_gptq){.k = k,
	        .h = h,
	        .order = cop__alloc(cx, sizeof(int32_t) * (size_t)k),
	        .l = cop__alloc(cx, sizeof(double) * (n + 2 * (size_t)k)),
	        .nearest = cop__alloc(cx, (size_t)k)};
	cop_status st = room && f->order && f->l && f->nearest ? COP_OK : COP_NOMEM;
	if (!st) sort_by_size(f->order, h, k);
	if (!st) st = factor(f, cx, h, room, room + n);
	cop__free(cx, room);
	return st;
}

void cop__gptq_close(cop_gptq *f, cop_ctx *cx)
{
	cop__free(cx, f->order);
	cop__free(cx, f->l);
	cop__free(cx, f->nearest);
}

/* x -= inverse of H times d: where the error that the layers before carry in is least. The inverse is LL'. */
static void aim(const cop_gptq *f, double *x, const float *d, double *y)
{
	for (int32_t j = 0; j < f->k; j++) {
		y[j] = 0;
		for (int32_t i = j; i < f->k; i++)
			y[j] += f->l[(size_t)i * (size_t)f->k + (size_t)j] * (double)d[f->order[i]];
	}
	for (int32_t i = 0; i < f->k; i++)
		for (int32_t j = 0; j <= i; j++) x[i] -= f->l[(size_t)i * (size_t)f->k + (size_t)j] * y[j];
}

/* Single weights are turned while that lowers e'He + 2e'd, e = scale q - w; returns what is left of it. g = He + d. */
static double polish(int8_t *q, const cop_gptq *f, const float *w, float scale, const float *d, int32_t most, double *g)
{
	enum { SWEEPS = 20 };
	const size_t k = (size_t)f->k;
	bool turned = true;

	for (size_t i = 0; i < k; i++) {
		g[i] = d ? (double)d[i] : 0;
		for (size_t j = 0; j < k; j++) g[i] += (double)f->h[i * k + j] * ((double)scale * q[j] - (double)w[j]);
	}
	for (int sweep = 0; turned && sweep < SWEEPS; sweep++) {
		turned = false;
		for (size_t i = 0; i < k; i++) {
			const float *h = f->h + i * k;
			if (!(h[i] > 0) || w[i] == 0) continue;
			int32_t to =
			        (int32_t)fmin(fmax(round(q[i] - g[i] / ((double)h[i] * (double)scale)), -most), most);
			double step = (double)scale * (to - q[i]);
			if (to == q[i] ||
			        2 * step * g[i] + step * step * (double)h[i] >= -1e-9 * step * step * (double)h[i])
				continue;
			for (size_t j = 0; j < k; j++) g[j] += step * (double)h[j];
			q[i] = (int8_t)to;
			turned = true;
		}
	}
	double sum = 0;
	for (size_t i = 0; i < k; i++) sum += ((double)scale * q[i] - (double)w[i]) * (g[i] + (d ? (double)d[i] : 0));
	return sum;
}

void cop__gptq(int8_t *q, const cop_gptq *f, const float *w, float scale, const float *d, int32_t most)
{
	const size_t k = (size_t)f->k;
	double *x = f->l + k * k, *y = x + k;
	int8_t *nearest = f->nearest;

	for (size_t i = 0; i < k; i++) nearest[i] = (int8_t)cop__round_weight(w[i], scale, most);
	double least = polish(nearest, f, w, scale, d, most, x);
	for (size_t i = 0; i < k; i++) x[i] = (double)w[f->order[i]];
	if (d) aim(f, x, d, y);
	for (size_t j = 0; j < k; j++) {
		int32_t whole = w[f->order[j]] == 0 ? 0 : cop__round_weight((float)x[j], scale, most);
		double error = (x[j] - (double)scale * whole) / f->l[j * k + j];
		q[f->order[j]] = (int8_t)whole;
		for (size_t i = j + 1; i < k; i++) x[i] -= error * f->l[i * k + j];
	}
	if (polish(q, f, w, scale, d, most, x) > least)
		memcpy(q, nearest, k); /* where bounds leave little to make good with */
}
