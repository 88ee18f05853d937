/* SPDX-License-Identifier: Apache-2.0
 *
 * keep - what a search knows so far, in a checkpoint: which networks were drawn from each space, and every design that
 * was judged, as lines of a text. Trainings within it have checkpoints of their own, FILE.stage0 (the shared network)
 * and FILE.stage1, FILE.stage2 and so on (the finalists).
 */
#include "search/search.h"

#include "io/cop/checkpoint.h"
#include "train/identity.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECONDS = 5 };

cop_status cop__search_begin(cop_searcher *z)
{
	const cop_search_args *s = z->s;
	const cop_train_args *a = z->given;

	cop__text_init(&z->run, z->cx);
	if (!a->checkpoint) return COP_OK;
	if (strlen(a->checkpoint) > 1000)
		return cop__error(z->cx, COP_ARG, "%.60s...: the path of the checkpoint is longer than 1000 characters",
		        a->checkpoint);
	cop__text_add(&z->run, "stage\tsearch\n");
	cop__text_add(&z->run, "target\t%s\nram\t%zu\nflash\t%zu\nmacs\t%lld\ninstructions\t%lld\n", s->target, s->ram,
	        s->flash, (long long)s->macs, (long long)s->instructions);
	cop__text_add(&z->run, "space\t%s\nby\t%s\njudge\t%s\n", s->space ? s->space : "all", cop__by(z->by)->row.name,
	        cop__judge(z->judge)->row.name);
	cop__text_add(&z->run, "draws\t%d\ntries\t%d\npopulation\t%d\neach\t%d\njudged on\t%d\nfinalists\t%d\nshared weights\t%s\n",
	        s->draws, s->tries, s->population, s->epochs, s->limit, s->finalists, s->keep_shared ? "kept" : "left");
	cop__identity_args(&z->run, z->given);
	COP_TRY(cop__identity_data(&z->run, "data", z->train));
	return cop__identity_data(&z->run, "validation data", z->valid);
}

/* ---- as text ---- */

static void put(cop_text *t, const cop_searcher *z)
{
	char gene[COP_GENES + 1] = "";

	for (int32_t i = 0; i < z->r->n_space; i++) {
		const cop_search_space *s = &z->r->space[i];
		cop__text_add(t, "%d %d %d %d %lld %d\n", s->scale, s->shrink, s->drawn, s->fit,
		        cop__real_bits(s->macs), s->chosen);
	}
	for (int32_t i = 0; i < z->n_tried; i++) {
		const cop_judged_design *j = &z->tried[i];
		const cop_figures *f = &j->figures;
		for (int k = 0; k < COP_GENES; k++) gene[k] = (char)('0' + j->d.gene[k]);
		cop__text_add(t, "%s %lld %lld %lld %lld %lld %zu %zu %lld\n", gene, cop__real_bits((double)j->score),
		        cop__real_bits((double)j->accuracy), (long long)f->parameters, (long long)f->macs,
		        (long long)f->instructions, f->flash_bytes, f->ram_bytes, cop__real_bits(f->energy_nj));
	}
}

cop_status cop__search_save(cop_searcher *z, bool now)
{
	cop_graph *g = NULL;
	cop_text t;

	if (!z->a->checkpoint || (!now && cop__seconds() - z->saved < SECONDS)) return COP_OK;
	cop_design d = z->of;
	cop__design_end(&d, false);
	COP_TRY(cop__design_graph(&g, z, &d)); /* a checkpoint is a model, too: the smallest network of the space */
	cop__text_init(&t, z->cx);
	put(&t, z);
	const cop_number n[] = {{.name = "spaces", .i = z->r->n_space}, {.name = "tried", .i = z->n_tried},
	        {.name = "search", .text = t.data, .size = t.len}};
	cop_status st = t.status ? t.status : cop__checkpoint_write(z->a->checkpoint, g, z->run.data, n, LEN(n));
	cop__text_free(&t);
	cop_graph_free(g);
	z->saved = cop__seconds();
	return st;
}

/* ---- and back; the text may come from anywhere ---- */

/* The next whole number; moves *at behind it. */
static bool number(long long *v, const char **at)
{
	char *end;

	*v = strtoll(*at, &end, 10);
	if (end == *at) return false;
	*at = end;
	return true;
}

static bool numbers(long long *v, int n, const char **at)
{
	for (int i = 0; i < n; i++)
		if (!number(&v[i], at)) return false;
	return true;
}

static bool get_spaces(cop_searcher *z, const char **at, int32_t n)
{
	cop_design d = {.space = -1}, of = d;
	int32_t chosen = 0;
	long long v[6];

	for (z->r->n_space = 0; z->r->n_space < n; z->r->n_space++) {
		if (!cop__next_space(&d, z) || !numbers(v, LEN(v), at)) return false;
		const cop_space *s = cop__space(d.space);
		if (v[0] != s->scale.at[d.scale] || v[1] != s->shrink.at[d.shrink] || v[2] < 0 || v[2] > z->s->draws ||
		        v[3] < 0 || v[3] > v[2])
			return false;
		z->r->space[z->r->n_space] = (cop_search_space){s->row.name, (int32_t)v[0], (int32_t)v[1],
		        (int32_t)v[2], (int32_t)v[3], cop__real_of_bits(v[4]), v[5] != 0};
		if (v[5]) of = d, chosen++;
	}
	if (chosen != 1 || (n < COP_MOST_SPACES && cop__next_space(&d, z))) return false;
	cop__turn_to(z, &of);
	return true;
}

/* What was judged is a network of the space, and fits. */
static bool get_design(cop_judged_design *j, const cop_searcher *z, const char **at)
{
	long long v[8];

	*at += strspn(*at, "\n");
	j->d = z->of;
	for (int i = 0; i < COP_GENES; i++, ++*at) {
		if (**at < '0' || **at - '0' >= cop__gene_choices(cop__space(z->of.space), i)) return false;
		j->d.gene[i] = (uint8_t)(**at - '0');
	}
	if (!numbers(v, LEN(v), at)) return false;
	for (int i = 2; i < 7; i++)
		if (v[i] < 0) return false;
	j->score = (float)cop__real_of_bits(v[0]);
	j->accuracy = (float)cop__real_of_bits(v[1]);
	j->figures = (cop_figures){.parameters = v[2],
	        .nonzero = v[2],
	        .macs = v[3],
	        .instructions = v[4],
	        .flash_bytes = (size_t)v[5],
	        .ram_bytes = (size_t)v[6],
	        .energy_nj = cop__real_of_bits(v[7])};
	cop_design settled = j->d;
	cop__design_settle(&settled);
	return cop__design_same(&settled, &j->d) && cop__price_fits(z, &j->figures);
}

static cop_status get(cop_searcher *z, const char *text, int64_t spaces, int64_t tried)
{
	const char *at = text;

	if (spaces < 1 || spaces > COP_MOST_SPACES || tried < 0 || tried > z->s->tries ||
	        !get_spaces(z, &at, (int32_t)spaces))
		return cop__error(z->cx, COP_FORMAT, "%s: is not a checkpoint of this search", z->given->checkpoint);
	for (int32_t i = 0; i < (int32_t)tried; i++) {
		COP_TRY(cop__grow(z->cx, &z->tried, &z->cap_tried, i, sizeof *z->tried));
		if (!get_design(&z->tried[i], z, &at))
			return cop__error(
			        z->cx, COP_FORMAT, "%s: is not a checkpoint of this search", z->given->checkpoint);
		z->n_tried = i + 1;
	}
	return COP_OK;
}

cop_status cop__search_load(cop_searcher *z, bool *spaces)
{
	cop_number n[] = {{.name = "spaces"}, {.name = "tried"}, {.name = "search"}};
	bool there, other;
	cop_graph *g;
	cop_text t;

	*spaces = false;
	if (!z->given->checkpoint) return COP_OK;
	COP_TRY(cop__checkpoint_find(&there, &other, z->cx, z->given->checkpoint, z->run.data, NULL));
	if (!there || !z->given->resume) return COP_OK;
	COP_TRY(cop__checkpoint_load(&g, z->cx, z->given->checkpoint, n, LEN(n)));
	cop__text_init(&t, z->cx);
	cop__text_bytes(&t, n[2].text ? n[2].text : "", n[2].size); /* ends in a zero byte */
	cop_status st = t.status ? t.status : get(z, t.data, n[0].i, n[1].i);
	cop__text_free(&t);
	cop_graph_free(g);
	*spaces = !st;
	return st;
}
