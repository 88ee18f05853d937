/* SPDX-License-Identifier: Apache-2.0
 *
 * obs - one row of a layer: optimal brain surgeon, exactly. Of the inverse of H the lower triangle of what is still there lies in the first `left`
 * rows; a weight that goes takes the place of the last one, so that the work shrinks with what is left.
 */
#include "compress/gram/gram.h"

#include <math.h>

typedef struct obs {
	const cop_obs_rule *r;
	int32_t left;
	float *a;                 /* [k,k] lower triangle of the inverse, by place */
	float *w, *column;        /* [k] by place */
	int32_t *at, *place;      /* [k] the weight at a place; the place of a weight */
	int32_t *start, *member;  /* [items+1], [k] weights by item */
	int32_t *gone;            /* [buckets] items that have gone */
	uint8_t *out;             /* [items] */
} obs;

static size_t rounded(size_t bytes) { return (bytes + 15) / 16 * 16; }

size_t cop__obs_room(const cop_obs_rule *r)
{
	size_t k = (size_t)r->k, items = (size_t)r->items;
	return rounded(k * k * 4) + 5 * rounded(k * 4) + rounded((items + 1) * 4) + rounded(((size_t)r->buckets + 1) * 4) + rounded(items);
}

static void *cut_off(char **room, size_t bytes)
{
	void *p = *room;
	*room += rounded(bytes);
	return p;
}

static void set_up(obs *x, const float *w, const double *inverse, const cop_obs_rule *r, char *room)
{
	const int32_t k = r->k;
	const size_t n = (size_t)k;

	*x = (obs){.r = r, .left = k};
	x->a = cut_off(&room, n * n * 4);
	x->w = cut_off(&room, n * 4);
	x->column = cut_off(&room, n * 4);
	x->at = cut_off(&room, n * 4);
	x->place = cut_off(&room, n * 4);
	x->member = cut_off(&room, n * 4);
	x->start = cut_off(&room, ((size_t)r->items + 1) * 4);
	x->gone = cut_off(&room, ((size_t)r->buckets + 1) * 4);
	x->out = cut_off(&room, (size_t)r->items);
	memset(x->start, 0, ((size_t)r->items + 1) * 4);
	memset(x->gone, 0, ((size_t)r->buckets + 1) * 4);
	memset(x->out, 0, (size_t)r->items);
	for (int32_t i = 0; i < k; i++) {
		x->w[i] = w[i];
		x->at[i] = x->place[i] = i;
		for (int32_t j = 0; j <= i; j++) x->a[(size_t)i * n + (size_t)j] = (float)inverse[(size_t)i * n + (size_t)j];
		x->start[(r->item ? r->item[i] : i) + 1]++;
	}
	for (int32_t i = 0; i < r->items; i++) x->start[i + 1] += x->start[i];
	for (int32_t i = k - 1; i >= 0; i--) { /* from the back: start[i + 1] runs down to where item i begins, and is put right below */
		int32_t it = r->item ? r->item[i] : i;
		x->member[--x->start[it + 1]] = i;
	}
	for (int32_t i = 0; i < r->items; i++) x->start[i] = x->start[i + 1];
	x->start[r->items] = k;
}

static float entry(const obs *x, int32_t i, int32_t j) { return x->a[(size_t)COP_MAX(i, j) * (size_t)x->r->k + (size_t)COP_MIN(i, j)]; }

static float pivot(const obs *x, int32_t p) { return fmaxf(entry(x, p, p), 1e-30f); }

/* The weight at place p goes, and the others make good for it. Returns what that costs. */
static float eliminate(obs *x, int32_t p)
{
	const size_t k = (size_t)x->r->k;
	const int32_t last = --x->left;
	const float d = pivot(x, p), f = x->w[p] / d;

	for (int32_t i = 0; i <= last; i++) x->column[i] = entry(x, i, p);
	for (int32_t i = 0; i < p; i++) x->a[(size_t)p * k + (size_t)i] = entry(x, last, i); /* the last one takes its place */
	for (int32_t i = p + 1; i < last; i++) x->a[(size_t)i * k + (size_t)p] = entry(x, last, i);
	x->a[(size_t)p * k + (size_t)p] = entry(x, last, last);
	x->w[p] = x->w[last];
	x->column[p] = x->column[last];
	x->place[x->at[p]] = -1;
	x->at[p] = x->at[last];
	if (p != last) x->place[x->at[p]] = p;
	for (int32_t i = 0; i < last; i++) {
		float *to = x->a + (size_t)i * k, by = x->column[i] / d;
		if (by == 0) continue; /* neighbours of what is never seen */
		x->w[i] -= f * x->column[i];
		for (int32_t j = 0; j <= i; j++) to[j] -= by * x->column[j];
	}
	return 0.5f * f * f * d;
}

/* What it costs if item i goes: 1/2 w' S^-1 w, S its part of the inverse. */
static float cost_of(const obs *x, int32_t i)
{
	const int32_t *m = x->member + x->start[i], n = x->start[i + 1] - x->start[i];
	double s[COP_MOST_TOGETHER * COP_MOST_TOGETHER], w[COP_MOST_TOGETHER], cost = 0;

	if (n == 1) return 0.5f * x->w[x->place[m[0]]] * x->w[x->place[m[0]]] / pivot(x, x->place[m[0]]);
	for (int32_t a = 0; a < n; a++) {
		w[a] = (double)x->w[x->place[m[a]]];
		for (int32_t b = 0; b < n; b++) s[a * n + b] = (double)entry(x, x->place[m[a]], x->place[m[b]]);
	}
	if (!cop__cholesky(s, n)) return 0; /* no more than rounding is left of it */
	cop__solve(s, w, n);
	for (int32_t a = 0; a < n; a++) cost += 0.5 * w[a] * (double)x->w[x->place[m[a]]];
	return (float)cost;
}

static int32_t cheapest(const obs *x)
{
	int32_t best = -1;
	float least = 0;

	for (int32_t i = 0; i < x->r->items; i++) {
		if (x->out[i] || (x->r->bucket && x->gone[x->r->bucket[i]] >= x->r->full)) continue;
		float cost = cost_of(x, i);
		if (best < 0 || cost < least) best = i, least = cost;
	}
	return best;
}

void cop__obs_trace(float *cost, int32_t *order, const float *w, const double *inverse, const cop_obs_rule *r, void *room)
{
	obs x;
	int32_t t = 0;

	set_up(&x, w, inverse, r, room);
	for (int32_t i; (i = cheapest(&x)) >= 0; t++) {
		cost[t] = 0;
		for (int32_t m = x.start[i]; m < x.start[i + 1]; m++) cost[t] += eliminate(&x, x.place[x.member[m]]);
		order[t] = i;
		x.out[i] = 1;
		if (r->bucket) x.gone[r->bucket[i]]++;
	}
	for (int32_t i = 0; i < r->items; i++)
		if (!x.out[i]) cost[t] = INFINITY, order[t++] = i;
}

/* ---- what the rest becomes ---- */

/* H_FF dw = H_FM w_M, F: what stays, M: what goes. */
static bool by_those_that_stay(float *w, const float *mask, const double *h, int32_t k, int32_t n, double *a, double *b)
{
	int32_t r = 0;

	for (int32_t i = 0; i < k; i++) {
		const double *row = h + (size_t)i * (size_t)k;
		double *to = a + (size_t)r * (size_t)n;
		if (mask[i] == 0) continue;
		b[r++] = 0;
		for (int32_t j = 0, c = 0; j < k; j++) {
			if (mask[j] != 0) to[c++] = row[j];
			else b[r - 1] += row[j] * (double)w[j];
		}
	}
	if (!cop__cholesky(a, n)) return false;
	cop__solve(a, b, n);
	for (int32_t i = 0, c = 0; i < k; i++) w[i] = mask[i] != 0 ? (float)((double)w[i] + b[c++]) : 0;
	return true;
}

/* dw = -inverse_:M (inverse_MM)^-1 w_M: the same, by fewer equations where less goes than stays. */
static bool by_those_that_go(float *w, const float *mask, const double *inverse, int32_t k, int32_t n, double *a, double *b)
{
	int32_t r = 0;

	for (int32_t i = 0; i < k; i++) {
		const double *row = inverse + (size_t)i * (size_t)k;
		double *to = a + (size_t)r * (size_t)n;
		if (mask[i] != 0) continue;
		b[r++] = (double)w[i];
		for (int32_t j = 0, c = 0; j < k; j++)
			if (mask[j] == 0) to[c++] = row[j];
	}
	if (!cop__cholesky(a, n)) return false;
	cop__solve(a, b, n);
	for (int32_t i = 0; i < k; i++) {
		const double *row = inverse + (size_t)i * (size_t)k;
		double d = 0;
		for (int32_t j = 0, c = 0; j < k; j++)
			if (mask[j] == 0) d += row[j] * b[c++];
		w[i] = mask[i] != 0 ? (float)((double)w[i] - d) : 0;
	}
	return true;
}

bool cop__obs_correct(float *w, const float *mask, const double *damped, const double *inverse, int32_t k, double *room)
{
	int32_t stay = 0;

	for (int32_t i = 0; i < k; i++) stay += mask[i] != 0;
	double *b = room + (size_t)k * (size_t)k;
	return stay <= k / 2 ? by_those_that_stay(w, mask, damped, k, stay, room, b) : by_those_that_go(w, mask, inverse, k, k - stay, room, b);
}
