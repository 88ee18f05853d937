/* SPDX-License-Identifier: Apache-2.0
 *
 * tables - the figures of the page as cards and tables. A factor is always before over after; the base of the file's
 * factor is 4 bytes a parameter, and every place that shows it says so.
 */
#include "report/report.h"

#include <math.h>
#include <stdio.h>

void cop__html_text(cop_text *t, const char *s)
{
	char shown[8000];

	cop_text_shown(shown, sizeof shown, s);
	for (s = shown; *s; s++) {
		if (*s == '<') cop__text_add(t, "&lt;");
		else if (*s == '&') cop__text_add(t, "&amp;");
		else if (*s == '"') cop__text_add(t, "&quot;");
		else cop__text_bytes(t, s, 1);
	}
}

void cop__html_count(char out[32], double v)
{
	char plain[32];
	int n = cop__format(plain, sizeof plain, "%.0f", v), at = 0;

	if (n > 18 || v < 0) n = cop__format(out, 32, "%.4g", v), at = n;
	else
		for (int i = 0; i < n; i++) {
			out[at++] = plain[i];
			if ((n - 1 - i) % 3 == 0 && i < n - 1) out[at++] = ',';
		}
	out[at] = 0;
}

void cop__html_bytes(char out[32], double v)
{
	if (v < 1000) cop__format(out, 32, "%.0f B", v);
	else if (v < 1e6) cop__format(out, 32, "%.1f kB", v / 1e3);
	else cop__format(out, 32, "%.2f MB", v / 1e6);
}

static void factor(char out[32], double before, double after)
{
	if (before <= 0 || after <= 0) snprintf(out, 32, "&ndash;");
	else if (fabs(before / after - 1) < 0.005) snprintf(out, 32, "same");
	else if (after < before) cop__format(out, 32, "&divide; %.*f", before / after < 100 ? 1 : 0, before / after);
	else cop__format(out, 32, "&times; %.*f", after / before < 1.95 ? 2 : 1, after / before);
}

/* ---- cards ---- */

static void card(cop_text *t, bool main, const char *big, const char *small)
{
	cop__text_add(t, "<div class=\"card%s\"><b>%s</b><span>%s</span></div>\n", main ? " main" : "", big, small);
}

void cop__html_cards(cop_text *t, const cop_story_side *b, const cop_story_side *a)
{
	char big[64], small[160], x[32], y[32];
	const double dense = 4 * (b ? b->parameters : a->parameters);

	cop__text_add(t, "<div class=\"cards\">\n");
	cop__html_bytes(x, dense);
	cop__html_bytes(y, a->file_bytes);
	cop__format(big, sizeof big, "%.1f&times; smaller", dense / a->file_bytes);
	snprintf(small, sizeof small, "file: %s &rarr; %s, compared with 4 bytes per parameter", x, y);
	card(t, true, a->file_bytes > 0 ? big : y, small);
	if (b && a->accuracy >= 0 && b->accuracy > 0) {
		cop__format(big, sizeof big, "%.2f %%", 100 * a->accuracy);
		cop__format(small, sizeof small, "test accuracy; before: %.2f %%", 100 * b->accuracy);
		card(t, false, big, small);
	}
	cop__format(big, sizeof big, "%.1f %%", 100 * a->nonzero / fmax(1, a->parameters));
	cop__html_count(x, a->parameters);
	snprintf(small, sizeof small, "of %s parameters are not zero", x);
	card(t, false, big, small);
	cop__html_bytes(big, a->ram_bytes);
	card(t, false, big, "RAM for one sample, portable kernels");
	cop__html_bytes(big, a->flash_bytes);
	card(t, false, big, "flash for the weights");
	cop__format(big, sizeof big, "%.3g &micro;J", a->energy_nj / 1000);
	if (b && b->energy_nj > 0)
		cop__format(small, sizeof small, "one inference, an estimate; before: %.3g &micro;J", b->energy_nj / 1000);
	else snprintf(small, sizeof small, "one inference, an estimate");
	card(t, false, big, small);
	cop__text_add(t, "</div>\n");
}

/* ---- before and after ---- */

static void row(cop_text *t, const char *label, const double *b, double a)
{
	char x[32], y[32], f[32];

	cop__html_count(y, a);
	cop__text_add(t, "<tr><td>%s</td>", label);
	if (b) {
		cop__html_count(x, *b);
		factor(f, *b, a);
		const char *mark = *b <= 0 || a <= 0 || fabs(*b / a - 1) < 0.005 ? "n" : a > *b ? "n worse" : "n better"; /* of every row less is better */
		cop__text_add(t, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"%s\">%s</td></tr>\n", x, y, mark, f);
	} else {
		cop__text_add(t, "<td class=\"n\">%s</td></tr>\n", y);
	}
}

void cop__html_compare(cop_text *t, const cop_story_side *b, const cop_story_side *a)
{
	double dense = 4 * a->parameters;

	cop__text_add(t, "<div class=\"wide fit\"><table><thead><tr><th></th>%s</tr></thead><tbody>\n",
	        b ? "<th>before</th><th>after</th><th>change</th>" : "<th>now</th>");
	if (b && b->accuracy > 0 && a->accuracy >= 0)
		cop__text_add(t,
		        "<tr><td>test accuracy</td><td class=\"n\">%.2f %%</td><td class=\"n\">%.2f %%</td><td class=\"%s\">%+.2f "
		        "points</td></tr>\n",
			100 * b->accuracy, 100 * a->accuracy, a->accuracy < b->accuracy ? "worse" : a->accuracy > b->accuracy ? "better"
				: "", 100 * (a->accuracy - b->accuracy));
	if (b) dense = 4 * b->parameters;
	if (b) row(t, "file, bytes (before: 4 per parameter)", &dense, a->file_bytes);
	else row(t, "dense, bytes (4 per parameter)", NULL, dense);
	row(t, b ? "file, bytes (the files before and after)" : "file, bytes", b ? &b->file_bytes : NULL,
	        a->file_bytes);
	row(t, "flash for the weights, bytes", b ? &b->flash_bytes : NULL, a->flash_bytes);
	row(t, "RAM for one sample, bytes", b ? &b->ram_bytes : NULL, a->ram_bytes);
	row(t, "parameters that are not zero", b ? &b->nonzero : NULL, a->nonzero);
	row(t, "multiply-accumulates of the kernels", b ? &b->macs : NULL, a->macs);
	if (a->microseconds > 0)
		row(t, "time for one sample on this machine, one thread, &micro;s", b ? &b->microseconds : NULL, a->microseconds);
	row(t, "energy of one inference, nJ, an estimate", b ? &b->energy_nj : NULL, a->energy_nj);
	cop__text_add(t, "</tbody></table></div>\n");
}

/* ---- the board ---- */

void cop__html_board(cop_text *t, const cop_board *b)
{
	const struct { const char *label; double n; } all[] = {{"instructions of one inference", b->instructions},
		{"RAM, bytes, including the stack", b->ram}, {"of it .data and .bss", b->fixed}, {"of it stack, measured", b->stack},
		{"fast RAM, bytes", b->fast}, {"flash, bytes", b->flash}, {"of it code", b->code}, {"of it weights", b->weights}};
	char n[32];

	cop__text_add(t, "<h2>Measured on the board</h2>\n"
		"<p class=\"soft\"><code>coppice check</code> ran the emitted code and compared: every "
		"result has the bits of the portable kernels, in %.0f run%s.%s</p>\n", b->runs,
		b->runs > 1 ? "s" : "", b->flash > 0 ? "" : " It ran on this machine, where nothing is counted.");
	if (!(b->flash > 0)) return;
	cop__text_add(t, "<div class=\"wide fit\"><table><tbody>\n");
	for (int i = 0; i < LEN(all); i++) {
		if (!(all[i].n > 0)) continue;
		cop__html_count(n, all[i].n);
		cop__text_add(t, "<tr><td>%s</td><td class=\"n\">%s</td></tr>\n", all[i].label, n);
	}
	cop__text_add(t, "</tbody></table></div>\n");
}

/* ---- stages ---- */

void cop__html_stages(cop_text *t, const cop_story *s)
{
	char x[32], y[32];

	const bool losses = s->n_stage > 0 && s->stage[0].accuracy[0] < 0 && s->stage[0].loss[0] > 0;
	cop__text_add(t, "<div class=\"wide fit\"><table><thead><tr><th>stage</th><th>validation %s</th><th>file</th><th class=\"opt\">time</th>"
		"<th class=\"l\">verdict</th></tr></thead><tbody>\n", losses ? "loss" : "accuracy");
	for (int32_t i = 0; i < s->n_stage; i++) {
		const cop_story_stage *g = &s->stage[i];
		cop__html_bytes(x, g->bytes[0]);
		cop__html_bytes(y, g->bytes[1]);
		cop__text_add(t, "<tr><td>%d. ", i + 1);
		cop__html_text(t, g->stage);
		if (g->accuracy[0] >= 0)
			cop__text_add(
			        t, "</td><td>%.2f &rarr; %.2f %%</td>", 100 * g->accuracy[0], 100 * g->accuracy[1]);
		else if (g->loss[0] > 0) cop__text_add(t, "</td><td>%.4g &rarr; %.4g</td>", g->loss[0], g->loss[1]);
		else cop__text_add(t, "</td><td>&ndash;</td>");
		cop__text_add(t,
		        "<td>%s &rarr; %s</td><td class=\"opt\">%.0f s</td><td class=\"why\"><span "
		        "class=\"%s\">%s</span>",
		        x, y, g->seconds, g->kept ? "kept" : "undone", g->kept ? "kept" : "undone");
		if (*g->why) cop__text_add(t, ": "), cop__html_text(t, g->why);
		cop__text_add(t, "</td></tr>\n");
	}
	cop__text_add(t, "</tbody></table></div>\n");
}

/* ---- orders ---- */

/* "98.12 %", or the loss where there are no labels. */
static void worth(cop_text *t, double accuracy, double loss)
{
	if (accuracy >= 0) cop__text_add(t, "%.2f %%", 100 * accuracy);
	else cop__text_add(t, "%.4g", loss);
}

/* What each stage left: "prune 97.10 %, 20.1 kB; share undone". */
static void after_each(cop_text *t, const cop_story_order *o)
{
	char bytes[32];

	for (int32_t i = 0; i < o->n_stage; i++) {
		const cop_story_stage *g = &o->stage[i];
		cop__text_add(t, "%s", i ? "; " : "");
		cop__html_text(t, g->stage);
		cop__text_add(t, g->kept ? " " : " undone");
		if (!g->kept) continue;
		worth(t, g->accuracy[1], g->loss[1]);
		cop__html_bytes(bytes, g->bytes[1]);
		cop__text_add(t, ", %s", bytes);
	}
}

void cop__html_orders(cop_text *t, const cop_story *s)
{
	char bytes[32];

	if (!s->n_order) return;
	cop__text_add(t, "<h2>Orders of the stages</h2>\n<div class=\"wide fit\"><table><thead><tr><th class=\"l\">after each stage</th><th>validation</th>"
		"<th>lost</th><th>file</th><th class=\"opt\">time</th><th class=\"l\">verdict</th></tr></thead><tbody>\n");
	for (int32_t i = 0; i < s->n_order; i++) {
		const cop_story_order *o = &s->order[i];
		cop__html_bytes(bytes, o->bytes);
		cop__text_add(t, "<tr><td class=\"l\">");
		after_each(t, o);
		cop__text_add(t, "</td><td>");
		worth(t, o->accuracy, o->loss);
		cop__text_add(t, "</td><td>%.2f</td><td>%s</td><td class=\"opt\">%.0f s</td><td class=\"why\"><span class=\"%s\">%s</span></td></tr>\n", o->lost, bytes, o->seconds,
			o->best ? "kept" : "undone", o->best ? "chosen" : o->fits ? "" : "loses too much");
	}
	cop__text_add(t, "</tbody></table></div>\n");
}

/* ---- layers ---- */

static void shape(cop_text *t, const cop_type *ty)
{
	for (int i = 0; i < ty->rank; i++) cop__text_add(t, "%s%d", i ? "&times;" : "", ty->dim[i]);
}

void cop__html_layers(cop_text *t, const cop_graph *g)
{
	cop_layer l;
	char n[32];

	cop__text_add(t, "<div class=\"wide\"><table><thead><tr><th>op</th><th "
	                 "class=\"l\">name</th><th>output</th><th>parameters</th><th>not zero</th><th>MACs, dense</th>"
	                 "<th>weights, B</th></tr></thead><tbody>\n");
	for (int32_t i = 0; i < cop_graph_layers(g); i++) {
		if (cop_graph_layer(g, i, &l)) continue;
		cop__text_add(t, "<tr><td>%s</td><td class=\"l\">", l.op);
		cop__html_text(t, l.name ? l.name : "");
		cop__text_add(t, "</td><td>");
		shape(t, &l.out);
		cop__html_count(n, (double)l.parameters);
		cop__text_add(t, "</td><td>%s</td>", l.parameters ? n : "");
		if (l.parameters) cop__text_add(t, "<td>%.1f %%</td>", 100 * (double)l.nonzero / (double)l.parameters);
		else cop__text_add(t, "<td></td>");
		cop__html_count(n, (double)l.macs);
		cop__text_add(t, "<td>%s</td>", l.macs ? n : "");
		cop__html_count(n, (double)l.weight_bytes);
		cop__text_add(t, "<td>%s</td></tr>\n", l.weight_bytes ? n : "");
	}
	cop__text_add(t, "</tbody></table></div>\n");
}
