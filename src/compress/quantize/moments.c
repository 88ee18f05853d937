/* SPDX-License-Identifier: Apache-2.0
 *
 * moments - means and mean products of what the filters of one layer see, over drawn positions of the calibration samples. Two
 * networks run side by side: the float one, and one whose layers so far have their rounded weights, so that a layer can make
 * up for the errors before it. Both are float: integers differ from the second by the rounding of activations alone.
 */
#include "compress/quantize/quantize.h"

typedef struct filter { int32_t h, w, c, oh, ow, kh, kw, groups; cop_conv_attr a; } filter; /* of fc: one position */

static filter filter_of(const cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *w = cop__in(g, n, 1), *y = cop__outt(g, n, 0);

	if (g->node[n].op == OP_fc) return (filter){1, 1, x->dim[1], 1, 1, 1, 1, 1, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}};
	COP_ATTR(cop_conv_attr, a, g, n);
	return (filter){x->dim[1], x->dim[2], x->dim[3], y->dim[1], y->dim[2], w->dim[1], w->dim[2], a.groups, a};
}

/* The numbers that the filters of a group see at position `at` of an image, zeros in the padding. */
static void patch(float *to, const filter *f, const float *x, int32_t group, int32_t at)
{
	int32_t cg = f->c / f->groups, oh = at / f->ow, ow = at % f->ow;

	for (int32_t tap = 0; tap < f->kh * f->kw; tap++, to += cg) {
		int32_t h = oh * f->a.sh - f->a.pt + tap / f->kw * f->a.dh, w = ow * f->a.sw - f->a.pl + tap % f->kw * f->a.dw;
		if (h < 0 || h >= f->h || w < 0 || w >= f->w) memset(to, 0, sizeof *to * (size_t)cg);
		else memcpy(to, x + (h * f->w + w) * f->c + group * cg, sizeof *to * (size_t)cg);
	}
}

/* to += P'Q for patches p, q [n,k]. Four patches at a time, so that a row of `to` is read once for all. */
static void add_products(float *to, const float *p, const float *q, int32_t n, int32_t k)
{
	for (int32_t r = 0; r < n; r += 4) {
		const float *a[4], *b[4];
		float use[4];
		for (int32_t i = 0; i < 4; i++) {
			int32_t at = COP_MIN(r + i, n - 1) * k;
			a[i] = p + at, b[i] = q + at, use[i] = r + i < n;
		}
		for (int32_t i = 0; i < k; i++) {
			float f0 = a[0][i] * use[0], f1 = a[1][i] * use[1], f2 = a[2][i] * use[2], f3 = a[3][i] * use[3], *row = to + (size_t)i * (size_t)k;
			for (int32_t j = 0; j < k; j++) row[j] += f0 * b[0][j] + f1 * b[1][j] + f2 * b[2][j] + f3 * b[3][j];
		}
	}
}

enum { POSITIONS = 48 }; /* of an image, drawn; fewer when it has fewer */

/* x of the float network, y of the rough one; room: patches of both. */
static void add_images(cop_moments *m, const cop_quantizer *z, cop_nid n, const filter *f, const float *x, const float *y, int32_t first, int32_t images, float *room)
{
	int32_t all = f->oh * f->ow, take = COP_MIN(all, POSITIONS), rows = images * take, k = m->k;
	size_t image = (size_t)(f->h * f->w * f->c);
	float *px = room, *py = room + (size_t)rows * (size_t)k;

	for (int32_t group = 0; group < m->groups; group++) {
		float *mean = m->mean + group * k, *shift = m->shift + group * k;
		for (int32_t r = 0; r < rows; r++) {
			int32_t spot = r % take, at = spot;
			if (take < all) at = (int32_t)(cop__rand(z->a->seed, n, (uint64_t)(first + r / take) * POSITIONS + (uint64_t)spot) % (uint32_t)all);
			patch(px + r * k, f, x + (size_t)(r / take) * image, group, at);
			patch(py + r * k, f, y + (size_t)(r / take) * image, group, at);
			for (int32_t i = 0; i < k; i++) {
				px[r * k + i] = py[r * k + i] - px[r * k + i];
				mean[i] += py[r * k + i];
				shift[i] += px[r * k + i];
			}
		}
		if (!m->h) continue;
		add_products(m->h + (size_t)group * (size_t)k * (size_t)k, py, py, rows, k);
		add_products(m->m + (size_t)group * (size_t)k * (size_t)k, py, px, rows, k);
	}
	m->n += rows;
}

/* The value that holds the numbers of v: views have no bytes of their own. */
static cop_vid bytes_of(const cop_graph *g, cop_vid v)
{
	while (g->value[v].producer && cop__op(g, g->value[v].producer)->flags & COP_OP_VIEW) v = cop__arg(g, g->value[v].producer, 0);
	return v;
}

/* The input that v is, or -1. */
static int32_t input_of(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_input; i++)
		if (g->input[i] == v) return i;
	return -1;
}

/* rows: what a filter reads of a sample, counted in its first axis (steps of a sequence go through fc one by one). */
static cop_status run_both(cop_moments *m, cop_quantizer *z, cop_watch *rough, cop_nid n, int32_t rows, float *room)
{
	cop_vid x = bytes_of(z->g, cop__arg(z->g, n, 0));
	filter f = filter_of(z->g, n);
	int32_t got, own = input_of(z->g, x);
	cop_tensor a, b;

	for (int32_t i = 0; i < z->samples; i += got) {
		COP_TRY(cop__watch_load(&z->exact, z->sets, i, z->samples, &got));
		a.data = b.data = own < 0 ? NULL : z->exact.x[own].samples;
		if (own < 0) {
			COP_TRY(cop__watch_load(rough, z->sets, i, z->samples, &got));
			COP_TRY(cop_session_run(z->exact.host.s, 0));
			COP_TRY(cop_session_run(rough->host.s, 0));
			COP_TRY(cop__watch_value(&z->exact, x, &a));
			COP_TRY(cop__watch_value(rough, x, &b));
		}
		add_images(m, z, n, &f, a.data, b.data, i * rows, got * rows, room);
		if (cop__stopped(z->cx)) return cop__error(z->cx, COP_STOPPED, "stopped while quantising");
	}
	return COP_OK;
}

/* Sums become means. */
static void finish(cop_moments *m)
{
	float per = (float)(1 / m->n);
	size_t n = (size_t)m->groups * (size_t)m->k, nn = n * (size_t)m->k;

	for (size_t i = 0; i < n; i++) m->mean[i] *= per, m->shift[i] *= per;
	for (size_t i = 0; m->h && i < nn; i++) m->h[i] *= per, m->m[i] *= per;
}

cop_status cop__moments(cop_moments *m, cop_quantizer *z, cop_nid n, bool products)
{
	const cop_qlayer *l = &z->layer[n];
	size_t per = (size_t)l->groups * (size_t)l->k, nn = per * (size_t)l->k;
	cop_watch rough = {0};
	int32_t rows = cop__in(z->g, n, 0)->dim[0] / cop__samples_held(z->g, z->each);
	float *room = cop__alloc(z->cx, sizeof *room * 2 * (size_t)z->batch * (size_t)COP_MAX(rows, 1) * POSITIONS * (size_t)l->k);
	cop_status st = COP_OK;

	rows = COP_MAX(rows, 1);

	*m = (cop_moments){.groups = l->groups, .k = l->k};
	m->mean = cop__alloc(z->cx, sizeof *m->mean * 2 * per);
	m->h = products ? cop__alloc(z->cx, sizeof *m->h * 2 * nn) : NULL;
	if (!room || !m->mean || (products && !m->h)) st = COP_NOMEM;
	if (!st) {
		m->shift = m->mean + per;
		m->m = products ? m->h + nn : NULL;
		st = cop__watch_new(&rough, z->rough, z->batch, z->each, z->a->threads);
	}
	if (!st) st = run_both(m, z, &rough, n, rows, room);
	if (!st) finish(m);
	cop__watch_free(&rough);
	cop__free(z->cx, room);
	return st;
}

void cop__moments_free(cop_moments *m, cop_ctx *cx)
{
	cop__free(cx, m->mean);
	cop__free(cx, m->h);
	*m = (cop_moments){0};
}

void cop__moments_center(cop_moments *m)
{
	for (int32_t group = 0; m->h && group < m->groups; group++) {
		const float *mean = m->mean + group * m->k, *shift = m->shift + group * m->k;
		size_t at = (size_t)group * (size_t)m->k * (size_t)m->k;
		for (int32_t i = 0; i < m->k; i++)
			for (int32_t j = 0; j < m->k; j++, at++) m->h[at] -= mean[i] * mean[j], m->m[at] -= mean[i] * shift[j];
	}
}
