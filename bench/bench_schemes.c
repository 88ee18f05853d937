/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_schemes NET - the sparse updates of schemes.h on an int8 network whose convolutions are called conv00 to conv50 and whose last layer is head
 * (bench/tiny_training.py): a line each with tabs between what is trained, extra bytes by the authors' formula, the arena and the parameters of a plan
 * for a Cortex-M4, and the words for `coppice emit --train --update`. Nothing is timed.
 */
#include "schemes.h"

#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONVS = 51, TEXT = 2048 };
static const float BANDS = 0.3f; /* as the script emits it */

static void must(const cop_ctx *cx, cop_status st)
{
	if (!st) return;
	fprintf(stderr, "bench_schemes: %s\n", cop_error_text(cx));
	exit(1);
}

static bool has_parts(const scheme *s)
{
	for (const scheme_layer *l = s->layer; l->part > 0; l++)
		if (l->part < 1) return true;
	return false;
}

/* "qsgd layers=conv35.b|...|head* channels=conv41.w:0.25;...": with the parts, or whole weights. */
static void words(char *text, const scheme *s, bool parts)
{
	const char *sep = " channels=";
	int at = snprintf(text, TEXT, "qsgd layers=");

	for (int i = CONVS - s->biases; i < CONVS; i++) at += snprintf(text + at, TEXT - (size_t)at, "conv%02d.b|", i);
	for (const scheme_layer *l = s->layer; l->part > 0; l++) at += snprintf(text + at, TEXT - (size_t)at, "conv%02d.w|", l->conv);
	at += snprintf(text + at, TEXT - (size_t)at, "head*");
	for (const scheme_layer *l = s->layer; parts && l->part > 0; l++) {
		if (l->part == 1) continue;
		at += snprintf(text + at, TEXT - (size_t)at, "%sconv%02d.w:%g", sep, l->conv, l->part);
		sep = ";";
	}
}

/* Inference and a step in one arena, as emission has them; the first layers in bands. spec NULL: inference alone. */
static cop_plan *planned(cop_ctx *cx, const char *file, const char *spec)
{
	cop_graph *g, *entry[2] = {NULL, NULL};
	cop_target t;
	cop_patch done;
	cop_plan *p;
	int32_t n;

	must(cx, cop_model_load(&g, cx, file));
	must(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.threads = 1;
	if (spec) must(cx, cop_graph_trainable(&g, spec, &n));
	must(cx, cop_graph_patch(&g, &t, BANDS, &done));
	must(cx, cop_graph_copy(&entry[0], g));
	must(cx, cop_graph_apply(&entry[0], "fuse dce"));
	if (spec) must(cx, cop_graph_train(&entry[1], g, spec));
	t.ram = t.flash = 0;
	must(cx, cop_plan_build(&p, entry, spec ? 2 : 1, &t));
	for (int i = 0; i < 2; i++) cop_graph_free(entry[i]);
	cop_graph_free(g);
	return p;
}

static void row(cop_ctx *cx, const char *file, const char *what, int64_t extra, const char *spec)
{
	char guarded[TEXT + 16];

	snprintf(guarded, sizeof guarded, "%s guard=yes", spec ? spec : "");
	cop_plan *p = planned(cx, file, spec ? guarded : NULL);
	printf("%s\t%lld\t%zu\t%zu\t%s\n", what, (long long)extra, p->bytes[COP_SEG_ARENA], p->bytes[COP_SEG_PARAM] + p->bytes[COP_SEG_STATE], spec ? spec : "-");
	cop_plan_free(p);
}

/* As it was published, and with whole weights where it has parts. */
static void rows(cop_ctx *cx, const char *file, const cop_graph *g, const scheme *published)
{
	char spec[TEXT], what[64];
	scheme s = *published;

	snprintf(what, sizeof what, "%d KB", s.label);
	words(spec, &s, true);
	row(cx, file, what, scheme_extra(g, &s, CONVS) / 8, spec);
	if (!has_parts(&s)) return;
	words(spec, &s, false);
	for (scheme_layer *l = s.layer; l->part > 0; l++) l->part = 1;
	snprintf(what, sizeof what, "%d KB, but whole weights", s.label);
	row(cx, file, what, scheme_extra(g, &s, CONVS) / 8, spec);
}

int main(int argc, char **argv)
{
	static const scheme last = {.biases = 0};
	cop_graph *g;
	cop_ctx *cx;

	if (argc != 2 || cop_ctx_new(&cx, NULL)) {
		fprintf(stderr, "usage: bench_schemes NET\n");
		return 2;
	}
	must(cx, cop_model_load(&g, cx, argv[1]));
	row(cx, argv[1], "nothing: inference alone", 0, NULL);
	row(cx, argv[1], "the last layer", scheme_extra(g, &last, CONVS) / 8, "qsgd layers=head*");
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) rows(cx, argv[1], g, &schemes[i]);
	row(cx, argv[1], "all layers", scheme_extra(g, NULL, CONVS) / 8, "qsgd layers=*");
	cop_graph_free(g);
	cop_ctx_free(cx);
	return 0;
}
