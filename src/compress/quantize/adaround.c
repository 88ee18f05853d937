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
static const float zeta = 1.1f, gamma_ = -0.1f;
static const float pull = 0.02f, rate = 0.02f;

/* Everything in units of a step: e = q - w / s. */
typedef struct row {
	int32_t k, padded;
	const float *h;    /* [k, padded], its mean diagonal 1 */
	float *d;          /* [padded], in the same unit */
	float *x, *base;   /* w / s; its floor */
	float *v;          /* the variable */
	float *e, *g;      /* error; H e + d, half the gradient */
	cop_adam *adam;
	int32_t most;
} row;

/* ---- h(V) ---- */

float cop__soft(float v) { return fminf(fmaxf((zeta - gamma_) / (1 + expf(-v)) + gamma_, 0), 1); }

float cop__soft_start(float rest) { return -logf((zeta - gamma_) / (fminf(fmaxf(rest, 0.001f), 0.999f) - gamma_) - 1); }

cop_pace cop__pace(float by, float to_ends, int32_t t, int32_t steps)
{
	float done = (float)t / (float)steps;

	return (cop_pace){by, done >= 0.2f ? to_ends : 0, 20 - 18 * fmaxf(0, (done - 0.2f) / 0.8f), 1 - powf(0.9f, (float)t + 1),
	        1 - powf(0.999f, (float)t + 1)};
}

void cop__adam_step(cop_adam *a, float *x, float grad, const cop_pace *p)
{
	a->m += 0.1f * (grad - a->m);
	a->u += 0.001f * (grad * grad - a->u);
	*x -= p->rate * (a->m / p->b1) / (sqrtf(a->u / p->b2) + 1e-8f);
}

void cop__soft_step(cop_adam *a, float *v, float grad, const cop_pace *p)
{
	float s = 1 / (1 + expf(-*v)), h = cop__soft(*v), open = h > 0 && h < 1 ? (zeta - gamma_) * s * (1 - s) : 0;

	grad *= open;
	if (p->pull > 0) /* of 1 - |2h - 1|^beta */
		grad -= p->pull * 2 * p->beta * powf(fabsf(2 * h - 1), p->beta - 1) * (h > 0.5f ? 1 : -1) * open;
	cop__adam_step(a, v, grad, p);
}

/* ---- a row ---- */

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
	const cop_pace p = cop__pace(rate, pull, t, steps);

	for (int32_t i = 0; i < r->k; i++) r->e[i] = hold(r, r->base[i] + cop__soft(r->v[i])) - r->x[i];
	product(r);
	for (int32_t i = 0; i < r->k; i++) cop__soft_step(&r->adam[i], &r->v[i], 2 * r->g[i], &p);
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
		r->x[i] = w[i] / scale;
		r->base[i] = floorf(r->x[i]);
		r->v[i] = cop__soft_start(r->x[i] - r->base[i]);
		r->adam[i] = (cop_adam){0};
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
	r.e = r.v + n;
	r.g = r.e + n;
	r.adam = (cop_adam *)(r.g + n);
	for (int32_t i = 0; d && trace > 0 && i < k; i++) r.d[i] = (float)((double)d[i] / trace / (double)scale);
	if (trace > 0) one_row(&r, q, w, scale, steps);
	cop__free(cx, all);
	return cop__stopped(cx) ? cop__error(cx, COP_STOPPED, "stopped while rounding") : COP_OK;
}
