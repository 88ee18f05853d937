/* SPDX-License-Identifier: Apache-2.0
 *
 * explained - what `explain` prints of a sample, and how it names and finds classes.
 */
#include "explaining.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- classes ---- */

static const char *answer(void *g, int k)
{
	const char *name = cop_graph_class(g, k);
	return name ? name : cop_graph_target(g, k);
}

void cli_answer_name(char out[CLI_CLASS], const cop_graph *g, int32_t k)
{
	const char *target = cop_graph_target(g, k);

	if (target) cop_text_shown(out, CLI_CLASS, target);
	else cli_class(out, g, k);
}

static cop_status unknown(cli *c, const cli_network *n, const char *name)
{
	int near = cop_nearest(name, answer, n->g);

	if (near >= 0) return cli_fail(c, COP_ARG, "%s has no class '%s'; did you mean '%s'?", n->file, name, answer(n->g, near));
	return cli_fail(c, COP_ARG, "%s has no class '%s'; give a name that `coppice inspect` shows, or a number from 0 to %d", n->file, name,
		cli_outputs(n->g) - 1);
}

cop_status cli_class_find(int32_t *out, cli *c, const cli_network *n, const char *name)
{
	const char *known;
	char *end;

	for (*out = 0; (known = answer(n->g, *out)); ++*out)
		if (!strcmp(known, name)) return COP_OK;
	long k = strtol(name, &end, 10);
	if (end == name || *end || k < 0 || k >= cli_outputs(n->g)) return unknown(c, n, name);
	*out = (int32_t)k;
	return COP_OK;
}

/* ---- one sample out of a set ---- */

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const cli_alone *a = ud;
	return a->of->get(a->of->ud, a->at + i, x, label);
}

void cli_alone_of(cli_alone *a, cop_dataset *of, int32_t at)
{
	*a = (cli_alone){.d = {.name = of->name, .x = of->x, .count = 1, .get = get, .ud = a}, .of = of, .at = at};
}

/* ---- what is printed ---- */

static const char *map_name(int i)
{
	cop_method m = {0};
	return cop_table_row(&m, "maps", i) ? m.name : "";
}

static void say_likeness(cli *c, const char *map, const cop_likeness *l)
{
	cli_put_item(c, NULL);
	cli_put_text(c, "map", map);
	cli_put_real(c, "rank", (double)l->rank);
	cli_put_real(c, "top", (double)l->top);
	cli_put_item_end(c);
}

static void put_values(cli *c, const cop_explanation *e, const float *map)
{
	cli_put_rows(c, "values");
	for (int32_t y = 0; y < e->h; y++) {
		cli_put_rows(c, NULL);
		for (int32_t x = 0; x < e->w; x++) cli_put_real(c, NULL, (double)map[y * e->w + x]);
		cli_put_end(c);
	}
	cli_put_end(c);
}

/* The pixel that mattered most. */
static void say_most(cli *c, const cop_explanation *e, int m)
{
	const float *map = e->map[m];
	int32_t at = 0;

	for (int32_t i = 1; i < e->h * e->w; i++)
		if (map[i] > map[at]) at = i;
	cli_put_real(c, "most", (double)map[at]);
	cli_put_int(c, "row", at / e->w);
	cli_put_int(c, "column", at % e->w);
	if (map[at] > 0) cli_out(c, "  %-10s most at row %d, column %d: %.4g\n", map_name(m), at / e->w, at % e->w, (double)map[at]);
	else cli_out(c, "  %-10s nowhere above 0\n", map_name(m));
}

static void say_map(cli *c, const cop_explanation *e, int m, bool values)
{
	cli_put_item(c, NULL);
	cli_put_text(c, "map", map_name(m));
	if (e->map[m]) say_most(c, e, m);
	else cli_put_text(c, "why", e->why[m]), cli_out(c, "  %-10s none: %s\n", map_name(m), e->why[m]);
	if (e->map[m] && values) put_values(c, e, e->map[m]);
	cli_put_item_end(c);
}

static void say_network(cli *c, const cli_explained *e, int i, bool values)
{
	const cop_explained_by *by = &e->page.by[i];

	cli_put_item(c, NULL);
	cli_put_text(c, "network", by->network);
	cli_out(c, "  %s:", by->network);
	if (by->predicted) cli_put_text(c, "predicted", by->predicted), cli_out(c, " predicts %s;", by->predicted);
	if (isfinite(by->share)) cli_put_real(c, "probability", (double)by->share), cli_out(c, " %s %.2f %%,", e->class_name, 100 * (double)by->share);
	cli_put_real(c, "score", (double)by->maps->score);
	cli_out(c, " score %.4g\n", (double)by->maps->score);
	cli_put_list(c, "maps");
	for (int m = 0; m < COP_MAPS; m++) say_map(c, by->maps, m, values);
	cli_put_end(c);
	cli_put_item_end(c);
}

static void say_alike(cli *c, const cop_explained *p)
{
	cli_put_list(c, "alike");
	for (int m = 0; p->n == 2 && m < COP_MAPS; m++) {
		const cop_likeness *l = &p->alike[m];
		say_likeness(c, map_name(m), l);
		if (isfinite(l->rank)) cli_out(c, "  %-10s of the two: rank correlation %.2f", map_name(m), (double)l->rank);
		if (isfinite(l->rank) && isfinite(l->top)) cli_out(c, ", %.0f %% of the top tenth shared", 100 * (double)l->top);
		if (isfinite(l->rank)) cli_out(c, "\n");
	}
	cli_put_end(c);
}

static void say_random(cli *c, const cop_explained *p)
{
	if (!p->n_random) return;
	cli_out(c, "  rank correlation with the map of the trained network, when weights are random from a layer on:\n  %-24s", "");
	for (int m = 0; m < COP_MAPS; m++) cli_out(c, " %10s", map_name(m));
	cli_put_list(c, "sanity");
	for (int i = 0; i < p->n_random; i++) {
		const cop_explained_random *r = &p->random[i];
		cli_out(c, "\n  %-24s", r->maps->layer);
		cli_put_item(c, NULL);
		cli_put_text(c, "layer", r->maps->layer);
		cli_put_list(c, "alike");
		for (int m = 0; m < COP_MAPS; m++) {
			say_likeness(c, map_name(m), &r->alike[m]);
			if (isfinite(r->alike[m].rank)) cli_out(c, " %10.2f", (double)r->alike[m].rank);
			else cli_out(c, " %10s", "-");
		}
		cli_put_end(c);
		cli_put_item_end(c);
	}
	cli_put_end(c);
	cli_out(c, "\n");
}

void cli_explained_say(cli *c, const cli_explained *e, bool values)
{
	cli_put_item(c, NULL);
	cli_put_text(c, "file", e->file);
	if (e->of > 1) cli_put_int(c, "sample", e->sample);
	cli_put_text(c, "class", e->class_name);
	if (e->page.label) cli_put_text(c, "label", e->label);
	cli_out(c, "%s, for the score of %s%s%s\n", e->name, e->class_name, e->page.label ? "; labelled " : "", e->label);
	cli_put_list(c, "networks");
	for (int i = 0; i < e->page.n; i++) say_network(c, e, i, values);
	cli_put_end(c);
	say_alike(c, &e->page);
	say_random(c, &e->page);
	cli_put_item_end(c);
}
