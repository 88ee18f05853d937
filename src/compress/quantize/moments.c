/* SPDX-License-Identifier: Apache-2.0
 *
 * moments - means and mean products of what the filters of one layer see, over drawn positions of the calibration
 * samples. Two networks run side by side: the float one, and one whose layers so far have their rounded weights, so
 * that a layer can make up for the errors before it. Both are float: integers differ from the second by the rounding of
 * activations alone.
 */
#include "compress/gram/patch.h"
#include "compress/quantize/quantize.h"

/* x of the float network, y of the rough one; room: patches of both. */
static void add_images(cop_moments *m, const cop_quantizer *z, cop_nid n, const cop_filter *f, const float *x,
	const float *y, int32_t first, int32_t images, float *room)
{
	int32_t take = cop__positions(f), rows = images * take, k = m->k;
	size_t image = (size_t)(f->h * f->w * f->c);
	float *px = room, *py = room + (size_t)rows * (size_t)k;

	for (int32_t group = 0; group < m->groups; group++) {
		float *mean = m->mean + group * k, *shift = m->shift + group * k;
		for (int32_t r = 0; r < rows; r++) {
			int32_t at = cop__position(f, z->a->seed, n, first + r / take, r % take);
			cop__patch(px + r * k, f, x + (size_t)(r / take) * image, group, at);
			cop__patch(py + r * k, f, y + (size_t)(r / take) * image, group, at);
			for (int32_t i = 0; i < k; i++) {
				px[r * k + i] = py[r * k + i] - px[r * k + i];
				mean[i] += py[r * k + i];
				shift[i] += px[r * k + i];
			}
		}
		if (!m->h) continue;
		cop__add_products(m->h + (size_t)group * (size_t)k * (size_t)k, py, py, rows, k);
		cop__add_products(m->m + (size_t)group * (size_t)k * (size_t)k, py, px, rows, k);
	}
	m->n += rows;
}

/* rows: what a filter reads of a sample, counted in its first axis (steps of a sequence go through fc one by one). */
static cop_status run_both(cop_moments *m, cop_quantizer *z, cop_watch *rough, cop_nid n, int32_t rows, float *room)
{
	const cop_filter f = cop__filter_of(z->g, n);
	const bool first = cop__reads_input(z->g, n); /* then both networks see the same */
	const float *a, *b;
	int32_t got;

	for (int32_t i = 0; i < z->samples; i += got) {
		COP_TRY(cop__watch_load(&z->exact, z->sets, i, z->samples, &got));
		if (!first) {
			COP_TRY(cop__watch_load(rough, z->sets, i, z->samples, &got));
			COP_TRY(cop_session_run(z->exact.host.s, 0));
			COP_TRY(cop_session_run(rough->host.s, 0));
		}
		COP_TRY(cop__watch_read(&z->exact, z->g, n, &a));
		COP_TRY(cop__watch_read(first ? &z->exact : rough, z->g, n, &b));
		add_images(m, z, n, &f, a, b, i * rows, got * rows, room);
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
	float *room = cop__alloc(z->cx,
		sizeof *room * 2 * (size_t)z->batch * (size_t)COP_MAX(rows, 1) * COP_POSITIONS * (size_t)l->k);
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
