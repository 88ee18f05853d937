/* SPDX-License-Identifier: Apache-2.0
 *
 * adaround - rounding that is learned (Nagel 2020, arXiv 2004.10568): q = floor(w / s) + h(V), where h runs from 0 to 1
 * and is drawn to its ends as the steps go on. The paper samples the inputs of a layer; here their mean products H are
 * known, so that e' H e is the expected squared error of a row's output and its gradient 2 H e is exact: no sampling
 * noise, no seed. At the end single weights are turned while that lowers the error.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

enum { LANE = 8 };
static const float zeta = 1.1f, gamma_ = -0.1f, pull = 0.02f, rate = 0.02f;

/* Everything in units of a step: e = q - w / s. */
typedef struct row {
	int32_t k, padded;
	const float *h;    /* [k, padded], its mean diagonal 1 */
	float *d;          /* [padded], in the same unit */
	float *x, *base;   /* w / s; its floor */
	float *v, *m, *u;  /* the variable, and Adam's moments of its gradient */
	float *e, *g;      /* error; H e + d, half the gradient */
	int32_t most;
} row;

static float soft(float v) { return fminf(fmaxf((zeta - gamma_) / (1 + expf(-v)) + gamma_, 0), 1); }

static float hold(const row *r, float q) { return fminf(fmaxf(q, -(float)r->most), (float)r->most); }

/* g = H e + d */
static void product(row *r)
{
	memcpy(r->g, r->d, sizeof *r->g * (size_t)r->padded);
	for (int32_t i = 0; i < r->k; i++) {
		const float *h = r->h + (size_t)i * (size_t)r->padded;
		float e = r->e[i];
		for (int32_t j = 0; j < r->padded; j += LANE)
			for (int32_t lane = 0; lane < LANE; lane++) r->g[j + lane] += e * h[j + lane];
	}
}

static double cost(const row *r)
{
	double sum = 0;
	for (int32_t i = 0; i < r->k; i++) sum += (double)r->e[i] * ((double)r->g[i] + (double)r->d[i]);
	return sum;
}

static void step(row *r, int32_t t, int32_t steps)
{
	float done = (float)t / (float)steps, beta = 20 - 18 * fmaxf(0, (done - 0.2f) / 0.8f),
		b1 = 1 - powf(0.9f, (float)t + 1), b2 = 1 - powf(0.999f, (float)t + 1);

	for (int32_t i = 0; i < r->k; i++) r->e[i] = hold(r, r->base[i] + soft(r->v[i])) - r->x[i];
	product(r);
	for (int32_t i = 0; i < r->k; i++) {
		float s = 1 / (1 + expf(-r->v[i])), h = soft(r->v[i]), open = h > 0 && h < 1 ? (zeta - gamma_) * s * (1 - s) : 0;
		float grad = 2 * r->g[i] * open, a = fabsf(2 * h - 1);
		if (done >= 0.2f) grad -= pull * 2 * beta * powf(a, beta - 1) * (h > 0.5f ? 1 : -1) * open; /* of 1 - |2h - 1|^beta */
		r->m[i] += 0.1f * (grad - r->m[i]);
		r->u[i] += 0.001f * (grad * grad - r->u[i]);
		r->v[i] -= rate * (r->m[i] / b1) / (sqrtf(r->u[i] / b2) + 1e-8f);
	}
}

/* Turns weights from one neighbour to the other while that lowers the error; e and g follow. */
static void polish(row *r)
{
	enum { ROUNDS = 20 };
	bool turned = true;

	for (int round = 0; turned && round < ROUNDS; round++) {
		turned = false;
		for (int32_t i = 0; i < r->k; i++) {
			float up = r->e[i] < 0 ? 1 : -1, q = r->x[i] + r->e[i] + up; /* the other neighbour lies across x */
			const float *h = r->h + (size_t)i * (size_t)r->padded;
			float change = 2 * up * r->g[i] + h[i];
			if (fabsf(r->e[i]) >= 1 || fabsf(r->e[i] + up) >= 1 || q > (float)r->most || q < -(float)r->most || change >= -1e-6f)
				continue;
			r->e[i] += up;
			for (int32_t j = 0; j < r->padded; j++) r->g[j] += up * h[j];
			turned = true;
		}
	}
}

static double settle(row *r)
{
	product(r);
	polish(r);
	product(r);
	return cost(r);
}

static void one_row(row *r, int8_t *q, const float *w, float scale, int32_t steps)
{
	for (int32_t i = 0; i < r->k; i++) {
		float rest;
		r->x[i] = w[i] / scale;
		r->base[i] = floorf(r->x[i]);
		rest = r->x[i] - r->base[i];
		r->v[i] = -logf((zeta - gamma_) / (fminf(fmaxf(rest, 0.001f), 0.999f) - gamma_) - 1);
		r->m[i] = r->u[i] = 0;
		r->e[i] = (float)q[i] - r->x[i];
	}
	double nearest = settle(r);
	for (int32_t i = 0; i < r->k; i++) q[i] = (int8_t)lrintf(r->x[i] + r->e[i]);
	for (int32_t t = 0; t < steps; t++) step(r, t, steps);
	for (int32_t i = 0; i < r->k; i++) r->e[i] = hold(r, r->base[i] + (r->v[i] >= 0)) - r->x[i];
	if (settle(r) < nearest)
		for (int32_t i = 0; i < r->k; i++) q[i] = (int8_t)lrintf(r->x[i] + r->e[i]);
}

double cop__round_cost(const int8_t *q, const float *w, float scale, int32_t k, const float *h, const float *d)
{
	double sum = 0;

	for (int32_t i = 0; i < k; i++) {
		double he = d ? 2 * (double)d[i] : 0;
		for (int32_t j = 0; j < k; j++)
			he += (double)h[(size_t)i * (size_t)k + (size_t)j] * (double)(scale * (float)q[j] - w[j]);
		sum += he * (double)(scale * (float)q[i] - w[i]);
	}
	return sum;
}

cop_status cop__adaround(int8_t *q, cop_ctx *cx, const float *w, float scale, int32_t k, const float *h, const float *d,
	int32_t most, int32_t steps)
{
	row r = {.k = k, .padded = (k + LANE - 1) / LANE * LANE, .most = most};
	size_t n = (size_t)r.padded, wide = (size_t)k;
	double trace = 0;
	float *all = cop__alloc(cx, sizeof *all * n * (wide + 8));

	if (!all) return COP_NOMEM;
	for (size_t i = 0; i < wide; i++) trace += (double)h[i * wide + i] / k;
	for (size_t i = 0; trace > 0 && i < wide; i++)
		for (size_t j = 0; j < wide; j++) all[i * n + j] = (float)((double)h[i * wide + j] / trace);
	r.h = all;
	r.d = all + wide * n;
	r.x = r.d + n;
	r.base = r.x + n;
	r.v = r.base + n;
	r.m = r.v + n;
	r.u = r.m + n;
	r.e = r.u + n;
	r.g = r.e + n;
	for (int32_t i = 0; d && trace > 0 && i < k; i++) r.d[i] = (float)((double)d[i] / trace / (double)scale);
	if (trace > 0) one_row(&r, q, w, scale, steps);
	cop__free(cx, all);
	return cop__stopped(cx) ? cop__error(cx, COP_STOPPED, "stopped while rounding") : COP_OK;
}
