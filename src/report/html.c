/* SPDX-License-Identifier: Apache-2.0
 *
 * html - one self-contained page: no script, no font, no picture from elsewhere. With a history it tells what the
 * recipe did; without one it shows the network alone.
 */
#include "core/need.h"
#include "graph/graph.h"
#include "io/cop/cop.h"
#include "report/report.h"

static void pictures(cop_text *t, const cop_pictures *p, bool histograms)
{
	int n = 0;

	for (int i = 0; i < p->n; i++) {
		const cop_picture *pic = &p->at[i];
		if (!pic->svg || !pic->note != histograms) continue;
		if (!n++ && histograms)
			cop__text_add(t, "<h2>Weights before and after</h2>\n<p class=\"soft\">How many weights have which value, on a "
			                 "logarithmic scale; zeros are left out. Of large networks, only the layers with the "
			                 "most weights are shown.</p>\n");
		if (n == 1) cop__text_add(t, "<div class=\"pics\">\n");
		cop__text_add(t, "<figure><h3>");
		cop__html_text(t, pic->title);
		cop__text_add(t, "</h3>");
		cop__text_bytes(t, pic->svg, strlen(pic->svg));
		if (pic->note) cop__text_add(t, "<figcaption>%s</figcaption>", pic->note);
		cop__text_add(t, "</figure>\n");
	}
	if (n) cop__text_add(t, "</div>\n");
}

static void notes(cop_text *t)
{
	cop__text_add(t,
	        "<footer><h2>How these figures are made</h2><ul>\n"
	        "<li>Factors of the file are compared with 4 bytes per parameter, a network stored dense in f32. The file also holds "
	        "the graph, codebooks and checksums.</li>\n"
	        "<li>Accuracy before and after is measured on the test set, which no stage looks at. Stages are judged on "
	        "the validation set.</li>\n"
	        "<li>Flash and RAM are those of the plan for one sample with the portable kernels that emitted C uses. "
	        "The code itself is not counted.</li>\n"
	        "<li>Energy is an estimate from operations and bytes moved, with the 45 nm figures of Horowitz (ISSCC "
	        "2014). Use it for comparison only.</li>\n"
	        "</ul><p>coppice %s</p></footer>\n",
	        COP_VERSION);
}

/* Where the figures come from: enough to make them again. */
static void origin(cop_text *t, const cop_story *s)
{
	const char *const fact[] = {"Data set ", s->data, "Made on ", s->date};

	if (!*s->data && !*s->date && !*s->command) return;
	cop__text_add(t, "<p class=\"soft\">");
	for (int i = 0; i < LEN(fact); i += 2)
		if (*fact[i + 1]) cop__text_add(t, "%s", fact[i]), cop__html_text(t, fact[i + 1]), cop__text_add(t, ". ");
	if (s->seed >= 0) cop__text_add(t, "Seed %.0f.", s->seed);
	if (*s->command) cop__text_add(t, "<br><code>"), cop__html_text(t, s->command), cop__text_add(t, "</code>");
	cop__text_add(t, "</p>\n");
}

static void with_story(cop_text *t, const cop_story *s, const cop_pictures *p, const cop_story_side *now)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < s->n_stage; i++) kept += s->stage[i].kept;
	cop__text_add(t, "<p class=\"soft\">Recipe ");
	cop__html_text(t, s->recipe);
	cop__text_add(t, ": %d of %d stages kept</p>\n", kept, s->n_stage);
	origin(t, s);
	cop__html_cards(t, &s->before, now);
	cop__text_add(t, "<h2>Before and after</h2>\n");
	cop__html_compare(t, &s->before, now);
	cop__text_add(t, "<h2>What was tried</h2>\n");
	cop__html_stages(t, s);
	cop__html_orders(t, s);
	cop__text_add(t, "<h2>Where the bytes went</h2>\n");
	if (*p->why) cop__text_add(t, "<p class=\"note\">%s</p>\n", p->why);
	pictures(t, p, false);
	pictures(t, p, true);
}

static void with_log(cop_text *t, const cop_story *s, const cop_pictures *p)
{
	cop__text_add(t, "<h2>Training</h2>\n");
	cop__html_training(t, s);
	if (*p->why) cop__text_add(t, "<p class=\"note\">%s</p>\n", p->why);
	pictures(t, p, false);
}

/* story: s has a history; else it may have a training log. */
static void page(cop_text *t, const cop_graph *g, const cop_story *s, bool story, const cop_pictures *p, const cop_story_side *now, const cop_board *board)
{
	cop__html_begin(t, g->name);
	if (story) {
		with_story(t, s, p, now);
		if (s->logged) cop__text_add(t, "<h2>Training</h2>\n"), cop__html_training(t, s);
	} else {
		cop__html_cards(t, NULL, now);
		cop__text_add(t, "<h2>Figures</h2>\n");
		cop__html_compare(t, NULL, now);
		if (s->logged) with_log(t, s, p);
	}
	if (board->runs > 0) cop__html_board(t, board);
	cop__text_add(t, "<h2>Layers</h2>\n");
	cop__html_layers(t, g);
	notes(t);
	cop__html_end(t);
}

/* What the network is now; its accuracy is the history's. */
static cop_status present(cop_story_side *out, const cop_graph *g)
{
	cop_target t;
	cop_figures f;

	COP_TRY(cop_target_find(&t, g->cx, "host"));
	COP_TRY(cop_measure(&f, g, &t));
	COP_TRY(cop__model_size(&f.file_bytes, g));
	*out = (cop_story_side){-1, (double)f.parameters, (double)f.nonzero, (double)f.macs, (double)f.file_bytes,
	        (double)f.flash_bytes, (double)f.ram_bytes, f.energy_nj, 0};
	return COP_OK;
}

static cop_status read_all(cop_story *s, cop_board *board, cop_ctx *cx, const cop_report_args *a)
{
	if (a->history) COP_TRY(cop__story_read(s, cx, a->history, a->history_size));
	if (a->check) COP_TRY(cop__board_read(board, cx, a->check, a->check_size));
	return a->log ? cop__log_read(s, a->log, a->log_size) : COP_OK;
}

cop_status cop_report_html(const char *path, const cop_graph *g, const cop_report_args *args)
{
	COP_NEED(COP_CX(g), path);
	COP_NEED(COP_CX(g), g);
	static const cop_report_args none = {0};
	const cop_report_args *a = args ? args : &none;
	cop_board board = {0};
	cop_story s;
	cop_pictures p = {0};
	cop_story_side now;
	cop_text t;

	COP_TRY(present(&now, g));
	cop__text_init(&t, g->cx);
	cop__story_none(&s, g->cx);
	cop_status st = read_all(&s, &board, g->cx, a);
	if (!st && (a->history || a->log)) st = cop__pictures_draw(&p, g->cx, &s);
	if (a->history) now.accuracy = s.after.accuracy, now.microseconds = s.after.microseconds;
	if (!st) {
		page(&t, g, &s, a->history != NULL, &p, &now, &board);
		st = t.status ? t.status : cop_file_write(g->cx, path, t.data, t.len);
	}
	cop__text_free(&t);
	if (p.cx) cop__pictures_free(&p);
	cop__story_free(&s);
	return st;
}
