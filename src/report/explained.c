/* SPDX-License-Identifier: Apache-2.0
 *
 * explained - the page about what a network looked at: each sample with its maps laid over it, two networks one under the other, and what
 * becomes of the maps when weights are random.
 */
#include "core/need.h"
#include "core/options.h"
#include "report/bitmap.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>

extern const cop_table cop__maps;

enum { LARGE = 190, THUMB = 84 }; /* pixels of the screen */

typedef struct page {
	cop_text t;
	cop_bitmap b;  /* room for the picture at hand */
	float *sorted; /* likewise, for all of its numbers */
	float lo, hi;  /* what of it is black and white */
} page;

/* ---- one picture ---- */

static int ascending(const void *a, const void *b)
{
	const float p = *(const float *)a, q = *(const float *)b;
	return (p > q) - (p < q);
}

/* The number below which that part of x [n] lies. */
static float quantile(page *p, const float *x, int32_t n, double part)
{
	for (int32_t i = 0; i < n; i++) p->sorted[i] = isfinite(x[i]) ? x[i] : 0;
	qsort(p->sorted, (size_t)n, sizeof *p->sorted, ascending);
	return p->sorted[COP_MIN((int32_t)(part * n), n - 1)];
}

/* Pixels are 0 to 1. Of other numbers, as of a sound, the extremes are cut off. */
static void range(page *p, const cop_explanation *e)
{
	const int32_t n = e->h * e->w * e->channels;

	p->lo = 0, p->hi = 1;
	if (quantile(p, e->picture, n, 0) >= 0 && p->sorted[n - 1] <= 1) return;
	p->lo = quantile(p, e->picture, n, 0.06), p->hi = quantile(p, e->picture, n, 0.94);
	if (!(p->hi > p->lo)) p->hi = p->lo + 1;
}

static void picture(page *p, const cop_explanation *e)
{
	cop__bitmap_picture(&p->b, e->picture, e->channels, p->lo, p->hi);
	cop__html_bitmap(&p->t, &p->b, LARGE, "the sample");
}

/* One pixel in a hundred may be brighter than the scale, so that a single one does not darken all others. */
static void overlay(page *p, const cop_explanation *e, int map, int32_t side)
{
	float most = quantile(p, e->map[map], e->h * e->w, 0.99);

	if (!(most > 0)) most = p->sorted[e->h * e->w - 1];
	cop__bitmap_picture(&p->b, e->picture, e->channels, p->lo, p->hi);
	cop__bitmap_overlay(&p->b, e->map[map], most);
	cop__html_bitmap(&p->t, &p->b, side, cop__maps.row(map)->name);
	if (!(most > 0)) cop__text_add(&p->t, "<br><span class=\"soft\">nowhere above 0</span>");
}

/* ---- the maps of a sample ---- */

static void map_names(cop_text *t)
{
	for (int i = 0; i < COP_MAPS; i++) cop__text_add(t, "<th>%s</th>", cop__maps.row(i)->name);
}

static void answer(cop_text *t, const cop_explained *e, const cop_explained_by *by)
{
	cop__text_add(t, "<b>");
	cop__html_text(t, by->network);
	cop__text_add(t, "</b>");
	if (by->predicted) cop__text_add(t, "<br>predicts "), cop__html_text(t, by->predicted);
	if (isfinite(by->share)) cop__text_add(t, "<br>"), cop__html_text(t, e->class_name), cop__text_add(t, ": %.1f %%", 100 * (double)by->share);
	cop__text_add(t, "<br><span class=\"soft\">score %.4g</span>", (double)by->maps->score);
}

static void network(page *p, const cop_explained *e, int i)
{
	const cop_explained_by *by = &e->by[i];

	cop__text_add(&p->t, "<tr><td class=\"l\">");
	answer(&p->t, e, by);
	cop__text_add(&p->t, "</td><td>");
	picture(p, by->maps);
	for (int m = 0; m < COP_MAPS; m++) {
		cop__text_add(&p->t, "</td><td>");
		if (by->maps->map[m]) overlay(p, by->maps, m, LARGE);
		else cop__text_add(&p->t, "<span class=\"soft\">none</span>");
	}
	cop__text_add(&p->t, "</td></tr>\n");
}

static void likeness(cop_text *t, const cop_likeness *l)
{
	if (isfinite(l->rank)) cop__text_add(t, "<b>%.2f</b>", (double)l->rank);
	else cop__text_add(t, "–");
	if (isfinite(l->top)) cop__text_add(t, "<br><span class=\"soft\">%.0f %%</span>", 100 * (double)l->top);
}

static void alike(cop_text *t, const cop_explained *e)
{
	cop__text_add(t, "<tr><td class=\"l\">how alike the two are</td><td class=\"soft\">rank correlation,<br>shared part of the top tenth</td>");
	for (int m = 0; m < COP_MAPS; m++) cop__text_add(t, "<td>"), likeness(t, &e->alike[m]), cop__text_add(t, "</td>");
	cop__text_add(t, "</tr>\n");
}

/* Why a map is missing; a reason that two networks share is told once. */
static void reasons(cop_text *t, const cop_explained *e)
{
	for (int i = 0; i < e->n; i++)
		for (int m = 0; m < COP_MAPS; m++) {
			const char *why = e->by[i].maps->why[m];
			if (!*why || (i && !strcmp(why, e->by[0].maps->why[m]))) continue;
			cop__text_add(t, "<p class=\"soft\">No %s of ", cop__maps.row(m)->name);
			cop__html_text(t, e->by[i].network);
			cop__text_add(t, ": ");
			cop__html_text(t, why);
			cop__text_add(t, ".</p>\n");
		}
}

/* ---- random weights ---- */

static void random_row(page *p, const cop_explained *e, int m)
{
	const cop_explanation *now = e->by[e->n - 1].maps;

	cop__text_add(&p->t, "<tr><td class=\"l\">%s</td><td>", cop__maps.row(m)->name);
	overlay(p, now, m, THUMB);
	cop__text_add(&p->t, "<br><b>1.00</b></td>");
	for (int i = 0; i < e->n_random; i++) {
		const cop_explained_random *r = &e->random[i];
		cop__text_add(&p->t, "<td>");
		if (r->maps->map[m]) overlay(p, r->maps, m, THUMB);
		cop__text_add(&p->t, isfinite(r->alike[m].rank) ? "<br><b>%.2f</b></td>" : "<br>–</td>", (double)r->alike[m].rank);
	}
	cop__text_add(&p->t, "</tr>\n");
}

static void random_weights(page *p, const cop_explained *e)
{
	cop__text_add(&p->t, "<h3>The same with random weights</h3>\n<p class=\"soft\">From left to right ever more layers, from the last one on, have random weights. "
		"The number is the rank correlation with the map of the trained network. A map that keeps near 1 shows the picture, not what the network has learnt.</p>\n"
		"<div class=\"wide\"><table class=\"maps\"><thead><tr><th></th><th>trained</th>");
	for (int i = 0; i < e->n_random; i++) {
		cop__text_add(&p->t, "<th>from ");
		cop__html_text(&p->t, e->random[i].maps->layer);
		cop__text_add(&p->t, "</th>");
	}
	cop__text_add(&p->t, "</tr></thead><tbody>\n");
	for (int m = 0; m < COP_MAPS; m++)
		if (e->by[e->n - 1].maps->map[m]) random_row(p, e, m);
	cop__text_add(&p->t, "</tbody></table></div>\n");
}

/* ---- the page ---- */

static void sample(page *p, const cop_explained *e)
{
	cop_text *t = &p->t;

	cop__text_add(t, "<h2>");
	cop__html_text(t, e->name);
	cop__text_add(t, "</h2>\n<p>The maps show what mattered for the score of <b>");
	cop__html_text(t, e->class_name);
	cop__text_add(t, "</b>.");
	if (e->label) cop__text_add(t, " The sample is labelled "), cop__html_text(t, e->label), cop__text_add(t, ".");
	if (cop__bitmap_turned(e->by[0].maps->h, e->by[0].maps->w))
		cop__text_add(t, " It is laid on its side: its rows go from left to right and its columns upwards, as time and pitch of a sound do.");
	cop__text_add(t, "</p>\n<div class=\"wide\"><table class=\"maps\"><thead><tr><th>network</th><th>sample</th>");
	map_names(t);
	cop__text_add(t, "</tr></thead><tbody>\n");
	for (int i = 0; i < e->n; i++) network(p, e, i);
	if (e->n == 2) alike(t, e);
	cop__text_add(t, "</tbody></table></div>\n");
	reasons(t, e);
	if (e->n_random) random_weights(p, e);
}

static void legend(page *p)
{
	enum { STEPS = 128 };
	uint8_t rgb[STEPS * 3];
	const cop_bitmap bar = {1, STEPS, rgb};

	for (int i = 0; i < STEPS; i++) cop__map_colour(rgb + 3 * i, (float)i / (STEPS - 1));
	cop__text_add(&p->t, "<p class=\"soft legend\">mattered little ");
	cop__html_bitmap(&p->t, &bar, STEPS, "from dark to light");
	cop__text_add(&p->t, " mattered most; each map has a scale of its own</p>\n");
}

static void notes(cop_text *t, bool two)
{
	cop__text_add(t, "<footer><h2>What the maps are</h2><ul>\n");
	for (int i = 0; i < COP_MAPS; i++) {
		const cop_row *r = cop__maps.row(i);
		cop__text_add(t, "<li><b>%s</b>: %s (%s).</li>\n", r->name, r->summary, r->source);
	}
	cop__text_add(t, "<li>The score is the number that goes into the softmax at the end. Where a network has no softmax it is its output.</li>\n");
	if (two) cop__text_add(t, "<li>How alike: Spearman's rank correlation of all pixels, from -1 to 1; and which part of the tenth of the pixels that mattered most both maps share.</li>\n");
	cop__text_add(t, "<li>A map tells where a network looked, not why, and not whether its answer is right.</li>\n</ul><p>coppice %s</p></footer>\n", COP_VERSION);
}

static cop_status room(page *p, cop_ctx *cx, const cop_explained *e)
{
	const cop_explanation *x = e->by[0].maps;
	const size_t pixels = (size_t)x->h * (size_t)x->w;

	cop__free(cx, p->sorted);
	cop__free(cx, p->b.rgb);
	p->sorted = cop__alloc(cx, sizeof *p->sorted * pixels * (size_t)x->channels);
	p->b = (cop_bitmap){x->h, x->w, cop__alloc(cx, 3 * pixels)};
	if (!p->sorted || !p->b.rgb) return COP_NOMEM;
	range(p, x);
	return COP_OK;
}

static cop_status write_page(page *p, cop_ctx *cx, const cop_explained *e, int n)
{
	bool two = false;

	cop__html_begin(&p->t, "What the network looked at");
	legend(p);
	for (int i = 0; i < n; i++) {
		COP_TRY(room(p, cx, &e[i]));
		sample(p, &e[i]);
		two |= e[i].n == 2;
	}
	notes(&p->t, two);
	cop__html_end(&p->t);
	return p->t.status;
}

static cop_status check(cop_ctx *cx, const cop_explained *e, int n)
{
	for (int i = 0; i < n; i++) {
		const cop_explanation *a = e[i].by[0].maps, *b = e[i].by[e[i].n == 2].maps;
		if (e[i].n < 1 || e[i].n > 2 || !a || !b || !a->picture || !b->picture || a->h != b->h || a->w != b->w || a->channels != b->channels)
			return cop__error(cx, COP_ARG, "cop_report_explained_html: sample %d needs the maps of one network, or of two for one picture", i);
	}
	return COP_OK;
}

cop_status cop_report_explained_html(const char *path, cop_ctx *cx, const cop_explained *e, int n)
{
	COP_NEED(cx, path);
	COP_NEED(cx, e);
	COP_TRY(check(cx, e, n));
	page p = {.sorted = NULL};

	cop__text_init(&p.t, cx);
	cop_status st = write_page(&p, cx, e, n);
	if (!st) st = cop_file_write(cx, path, p.t.data, p.t.len);
	cop__free(cx, p.sorted);
	cop__free(cx, p.b.rgb);
	cop__text_free(&p.t);
	return st;
}
