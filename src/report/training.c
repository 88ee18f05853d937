/* SPDX-License-Identifier: Apache-2.0
 *
 * training - the part of the page about a training: what came out in a sentence or two, and all of its epochs as a table.
 */
#include "report/report.h"

bool cop__story_stage_begins(const cop_story *s, int32_t i)
{
	const cop_story_point *p = &s->point[i];
	return !i || p->epoch <= p[-1].epoch || strcmp(p->stage, p[-1].stage) != 0;
}

/* Each stage counts its seconds from its own beginning. */
static double seconds(const cop_story *s)
{
	double sum = 0;

	for (int32_t i = 0; i < s->n_point; i++)
		if (i + 1 == s->n_point || cop__story_stage_begins(s, i + 1)) sum += s->point[i].seconds;
	return sum;
}

static void figure(cop_text *t, const char *format, double v, bool known)
{
	char text[40] = "";

	if (known) cop__format(text, sizeof text, format, v);
	cop__text_add(t, "<td class=\"n\">%s</td>", text);
}

static void table(cop_text *t, const cop_story *s)
{
	int32_t best = cop__story_best(s);
	bool classes = best >= 0 && s->point[best].accuracy >= 0;

	cop__text_add(t, "<details><summary>All epochs</summary>\n<div "
		"class=\"wide\"><table><thead><tr><th>stage</th><th>epoch</th><th>loss</th><th>%s</th><th>learning "
		"rate</th><th>seconds</th></tr></thead><tbody>\n",
		classes ? "accuracy" : "MSE");
	for (int32_t i = 0; i < s->n_point; i++) {
		const cop_story_point *p = &s->point[i];
		cop__text_add(t, "<tr><td>");
		cop__html_text(t, p->stage);
		cop__text_add(t, "</td><td class=\"n\">%.0f</td>", p->epoch);
		figure(t, "%.4g", p->loss, true);
		if (classes) figure(t, i == best ? "<b>%.2f %%</b>" : "%.2f %%", 100 * p->accuracy, p->accuracy >= 0);
		else figure(t, i == best ? "<b>%.4g</b>" : "%.4g", p->mse, p->mse >= 0);
		figure(t, "%.3g", p->rate, true);
		figure(t, "%.1f", p->seconds, true);
		cop__text_add(t, "</tr>\n");
	}
	cop__text_add(t, "</tbody></table></div></details>\n");
}

/* ---- what was left out ---- */

/* Means over all epochs, as parts of a step that trains all; ms: of epochs that trained all, and how many had neurons left out behind those. */
typedef struct costs { double flops, backward, published, ms, all_ms, after_flops; int32_t n, n_all, left_out; } costs;

static costs costs_of(const cop_story *s)
{
	costs c = {0};

	for (int32_t i = 0; i < s->n_point; i++) {
		const cop_story_point *p = &s->point[i];
		if (p->flops < 0 || p->backward < 0 || p->published < 0) continue;
		const bool all = p->backward >= 1;
		c.n++;
		c.flops += p->flops, c.backward += p->backward, c.published += p->published;
		c.left_out += !all;
		if (p->step_ms <= 0) continue;
		if (all) c.all_ms += p->step_ms, c.n_all++;
		else c.ms += p->step_ms, c.after_flops += p->flops;
	}
	return c;
}

static void saving(cop_text *t, const char *what, double part, double time)
{
	cop__text_add(t, "<tr><td>%s</td>", what);
	figure(t, "%.1f %%", 100 * (1 - part), true);
	figure(t, "%.0f %%", 100 * time, time >= 0);
	cop__text_add(t, "</tr>\n");
}

/* What each way of counting says was saved, and how much of the operations that were left out the clock confirms. */
static void left_out(cop_text *t, const cop_story *s)
{
	const costs c = costs_of(s);

	if (!c.left_out) return;
	const double flops = 1 - c.after_flops / c.left_out, time = c.n_all ? 1 - c.ms / c.left_out / (c.all_ms / c.n_all) : -1;
	cop__text_add(t, "<p>Neurons were left out in %d of %d epochs.", c.left_out, c.n);
	if (c.n_all) cop__text_add(t, " A step of these took %.1f %% less CPU time than one that trained all, for %.1f %% fewer operations.", 100 * time, 100 * flops);
	cop__text_add(t, "</p>\n<table><thead><tr><th>counted</th><th>saved</th><th>of it confirmed by time</th></tr></thead><tbody>\n");
	saving(t, "all operations of a step", c.flops / c.n, c.n_all && flops > 0 ? COP_MAX(time / flops, 0) : -1);
	saving(t, "those of the backward pass and of updates, as executed", c.backward / c.n, -1);
	saving(t, "those of the backward pass, as papers on neurons count them", c.published / c.n, -1);
	cop__text_add(t, "</tbody></table>\n");
}

void cop__html_training(cop_text *t, const cop_story *s)
{
	int32_t best = cop__story_best(s);

	if (!s->n_point) {
		cop__text_add(t, "<p>The log has no epoch yet.</p>\n");
		return;
	}
	cop__text_add(t, "<p>%d epoch%s in %.0f s; the mean loss went from %.4g to %.4g.", s->n_point,
		s->n_point == 1 ? "" : "s", seconds(s), s->point[0].loss, s->point[s->n_point - 1].loss);
	if (best >= 0) {
		const cop_story_point *p = &s->point[best];
		cop__text_add(t, " The best score on the validation set is that of epoch %.0f", p->epoch);
		if (strcmp(p->stage, "train") != 0) cop__text_add(t, " of stage "), cop__html_text(t, p->stage);
		cop__text_add(t, ": ");
		if (p->accuracy >= 0) cop__text_add(t, "%.2f %% right.", 100 * p->accuracy);
		else cop__text_add(t, "a mean square error of %.4g.", p->mse);
	}
	cop__text_add(t, "</p>\n");
	left_out(t, s);
	table(t, s);
}
