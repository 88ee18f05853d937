/* SPDX-License-Identifier: Apache-2.0
 *
 * front - several networks on one page: a table, and accuracy over bytes with the front of those that no other one beats.
 */
#include "core/need.h"
#include "report/report.h"

#include <math.h>

enum { WIDTH = 480, HEIGHT = 320, LEFT = 62, RIGHT = 16, TOP = 16, BOTTOM = 50, MANY = 16 };

static bool have_files(const cop_compared *p, int n)
{
	for (int i = 0; i < n; i++)
		if (p[i].figures.file_bytes) return true;
	return false;
}

/* ---- which of them no other one beats ---- */

/* A network that is no file yet counts by its weights in flash. */
static size_t bytes_of(const cop_compared *p) { return p->figures.file_bytes ? p->figures.file_bytes : p->figures.flash_bytes; }

static bool beats(const cop_compared *a, const cop_compared *b)
{
	const size_t x = bytes_of(a), y = bytes_of(b);
	return a->accuracy >= b->accuracy && x <= y && (a->accuracy > b->accuracy || x < y);
}

void cop_compare_front(cop_compared *p, int n)
{
	for (int i = 0; p && i < n; i++) {
		p[i].front = p[i].accuracy >= 0;
		for (int k = 0; k < n; k++)
			if (beats(&p[k], &p[i])) p[i].front = false;
	}
}

/* ---- the picture: bytes on a logarithmic scale to the right, accuracy upwards ---- */

typedef struct scale { double lo, hi; } scale;

static double right(const scale *s, double bytes) { return LEFT + (WIDTH - LEFT - RIGHT) * (log10(bytes) - s->lo) / (s->hi - s->lo); }
static double down(const scale *s, double accuracy) { return TOP + (HEIGHT - TOP - BOTTOM) * (s->hi - accuracy) / (s->hi - s->lo); }

static void scales(scale *x, scale *y, const cop_compared *p, int n)
{
	*x = *y = (scale){INFINITY, -INFINITY};
	for (int i = 0; i < n; i++) {
		if (p[i].accuracy < 0 || !bytes_of(&p[i])) continue;
		double b = log10((double)bytes_of(&p[i])), a = 100 * (double)p[i].accuracy;
		x->lo = fmin(x->lo, b), x->hi = fmax(x->hi, b);
		y->lo = fmin(y->lo, a), y->hi = fmax(y->hi, a);
	}
	x->lo -= 0.12, x->hi += 0.3; /* names stand to the right of their points */
	double room = fmax(0.15 * (y->hi - y->lo), 0.2);
	y->lo -= room, y->hi += room;
}

static void axes(cop_text *t, const scale *x, const scale *y, bool files)
{
	double step = pow(10, floor(log10((y->hi - y->lo) / 2)));
	char text[32];

	if ((y->hi - y->lo) / step > 8) step *= 2.5;
	for (double v = ceil(y->lo / step) * step; v <= y->hi; v += step)
		cop__text_add(t, "<path d=\"M%d %.1fH%d\" stroke=\"#88888888\" stroke-dasharray=\"2 4\"/><text x=\"%d\" "
			"y=\"%.1f\" text-anchor=\"end\">%.4g %%</text>\n", LEFT, down(y, v), WIDTH - RIGHT, LEFT - 6, down(y, v) + 4, v);
	for (int k = (int)floor(x->lo); k <= (int)ceil(x->hi); k++)
		for (int m = 1; m <= 5; m += m == 1 ? 1 : 3) { /* 1, 2, 5 */
			double b = m * pow(10, k);
			if (log10(b) < x->lo || log10(b) > x->hi || (m > 1 && x->hi - x->lo > 1.5)) continue; /* no two labels over each other */
			cop__html_bytes(text, b);
			cop__text_add(t,
				"<path d=\"M%.1f %dv5\" stroke=\"currentColor\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
				right(x, b), HEIGHT - BOTTOM, right(x, b), HEIGHT - BOTTOM + 19, text);
		}
	cop__text_add(t, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"currentColor\"/><text x=\"%d\" y=\"%d\" "
		"text-anchor=\"end\">bytes of %s</text>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT, WIDTH - RIGHT,
		HEIGHT - 8, files ? "the file" : "flash");
}

/* Steps from each point of the front to the next larger one. */
static void line(cop_text *t, const scale *x, const scale *y, const cop_compared *p, int n)
{
	double at = -1;

	cop__text_add(t, "<path fill=\"none\" stroke=\"#12a089\" stroke-width=\"2\" d=\"");
	for (;;) {
		int next = -1;
		for (int i = 0; i < n; i++)
			if (p[i].front && bytes_of(&p[i]) && (double)bytes_of(&p[i]) > at && (next < 0 || bytes_of(&p[i]) < bytes_of(&p[next]))) next = i;
		if (next < 0) break;
		double px = right(x, (double)bytes_of(&p[next])), py = down(y, 100 * (double)p[next].accuracy);
		if (at < 0) cop__text_add(t, "M%.1f %.1f", px, py);
		else cop__text_add(t, "H%.1fV%.1f", px, py);
		at = (double)bytes_of(&p[next]);
	}
	cop__text_add(t, "\"/>\n");
}

static const char *short_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

static void picture(cop_text *t, const cop_compared *p, int n)
{
	scale x, y;

	scales(&x, &y, p, n);
	if (!(x.hi > x.lo) || !(y.hi > y.lo)) return;
	cop__text_add(t, "<h2>Accuracy and bytes</h2>\n<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" "
		"style=\"max-width:640px\" font-family=\"sans-serif\" font-size=\"14\" fill=\"currentColor\">\n", WIDTH, HEIGHT);
	axes(t, &x, &y, have_files(p, n));
	line(t, &x, &y, p, n);
	for (int i = 0; i < n; i++) {
		if (p[i].accuracy < 0 || !bytes_of(&p[i])) continue;
		double px = right(&x, (double)bytes_of(&p[i])), py = down(&y, 100 * (double)p[i].accuracy);
		cop__text_add(t, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>", px, py, n > MANY ? 3 : 5, p[i].front ? "#12a089" : "#8c96a8");
		if (n > MANY && !p[i].front) continue; /* no room for the name */
		cop__text_add(t, "<text x=\"%.1f\" y=\"%.1f\">", px + 8, py - 7);
		cop__html_text(t, short_name(p[i].name));
		cop__text_add(t, "</text>\n");
	}
	cop__text_add(t, "</svg><figcaption>The line joins the networks that no other one beats in accuracy and in bytes at once.</figcaption></figure>\n");
}

/* ---- the page ---- */

static void cell(cop_text *t, double v)
{
	char text[32];

	cop__html_count(text, v);
	cop__text_add(t, "<td>%s</td>", text);
}

static void table(cop_text *t, const cop_compared *p, int n)
{
	const bool files = have_files(p, n);
	bool counted = false, timed = false;

	for (int i = 0; i < n; i++) counted |= p[i].figures.instructions > 0, timed |= p[i].microseconds > 0;
	cop__text_add(t, "<div class=\"wide\"><table><tr><th>network</th><th>accuracy</th>%s<th>flash</th><th>RAM</th><th>MACs</th>%s%s</tr>\n", files ? "<th>file</th>" : "", counted ? "<th>instructions</th>" : "", timed ? "<th>microseconds</th>" : "");
	for (int i = 0; i < n; i++) {
		const cop_figures *f = &p[i].figures;
		cop__text_add(t, "<tr><td>");
		cop__html_text(t, short_name(p[i].name));
		if (p[i].accuracy >= 0) cop__text_add(t, "%s</td><td>%.2f %%</td>", p[i].front ? " *" : "", 100 * (double)p[i].accuracy);
		else if (p[i].loss > 0) cop__text_add(t, "</td><td>loss %.4g</td>", (double)p[i].loss);
		else cop__text_add(t, "</td><td></td>");
		if (files) cell(t, (double)f->file_bytes);
		cell(t, (double)f->flash_bytes), cell(t, (double)f->ram_bytes), cell(t, (double)f->macs);
		if (counted) cell(t, (double)f->instructions);
		if (timed) cop__text_add(t, "<td>%.4g</td>", p[i].microseconds);
		cop__text_add(t, "</tr>\n");
	}
	cop__text_add(t, "</table></div>\n");
}

cop_status cop_report_front_html(const char *path, cop_ctx *cx, const cop_compared *p, int n, const char *target)
{
	COP_NEED(cx, path);
	COP_NEED(cx, p);
	cop_text t;
	char title[32];

	cop__text_init(&t, cx);
	cop__format(title, sizeof title, "%d networks", n);
	cop__html_begin(&t, title);
	cop__text_add(&t, "<p class=\"soft\">Flash, RAM and time are those on ");
	cop__html_text(&t, target ? target : "host");
	cop__text_add(&t, "; a star marks those that no other one beats.</p>\n");
	picture(&t, p, n);
	cop__text_add(&t, "<h2>Figures</h2>\n");
	table(&t, p, n);
	cop__html_end(&t);
	cop_status st = t.status;
	if (!st) st = cop_file_write(cx, path, t.data, t.len);
	cop__text_free(&t);
	return st;
}
