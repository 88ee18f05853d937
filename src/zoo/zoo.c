/* SPDX-License-Identifier: Apache-2.0
 *
 * zoo - networks by name, and what every model has in common: its size, its input, its output.
 *
 * A name is a row's stem, what the model makes of the rest ("0.35" of "mobilenet-v2-0.35"), and "@96" for the
 * height and width of the images. What the arguments say goes before what the name says, before the row (zoo.def).
 */
#include "core/need.h"
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>

const cop_zoo_row cop__zoo_rows[] = {
#define SAMPLE(h, w, c, classes) h, w, c, classes
#define TRAIN(...) {__VA_ARGS__, NULL}
#define TRAIN_WITH(policies, ...) {__VA_ARGS__, policies}
#define NETWORK(name, stem, rest, summary, source, build, sample, train) {{name, summary, source, NULL, 0}, stem, rest, cop__zoo_##build, sample, train},
#define OTHERS(train) {COP_ROW("", ""), "", OPEN, NULL, 0, 0, 0, 0, train},
#include "zoo/zoo.def"
};

static const cop_row *row_at(int i) { return i >= 0 && i < LEN(cop__zoo_rows) && cop__zoo_rows[i].build ? &cop__zoo_rows[i].row : NULL; }
const cop_table cop__zoo = {"zoo", "network", "networks by name", row_at};

const char *cop_zoo_name(int i, const char **summary)
{
	const cop_row *r = row_at(i);

	if (r && summary) *summary = r->summary;
	return r ? r->name : NULL;
}

const cop_zoo_row *cop__zoo_find(const char *name)
{
	const cop_zoo_row *r = cop__zoo_rows;

	for (; r->build; r++) {
		size_t n = strlen(r->stem);
		if (!strncmp(name, r->stem, n) && (r->rest & OPEN ? name[n] && name[n] != '@' : !name[n] || name[n] == '@')) break;
	}
	return r;
}

static const char *known_name(void *ud, int i)
{
	(void)ud;
	return cop_zoo_name(i, NULL);
}

static cop_status unknown(cop_ctx *cx, const char *name)
{
	const char *row;
	char known[300] = "";
	cop_hint hint;

	for (int i = 0, at = 0; (row = cop_zoo_name(i, NULL)) && at < LEN(known); i++)
		at += snprintf(known + at, sizeof known - (size_t)at, "%s%s", i ? " " : "", row);
	return cop__error(cx, COP_ARG, "there is no file and no network '%.60s'; the networks are: %s%s", name, known, cop__hint(&hint, name, known_name, NULL));
}

/* Cuts "@96" off `text` into h and w. */
static cop_status cut_size(cop_ctx *cx, cop_zoo *z, char *text, bool square)
{
	char *at = strchr(text, '@'), *end;

	if (!at) return COP_OK;
	long size = strtol(at + 1, &end, 10);
	if (!square) return cop__error(cx, COP_ARG, "zoo: '%s' has no image size to be given with '@'", z->name);
	if (end == at + 1 || *end || size < 8 || size > 4096)
		return cop__error(cx, COP_ARG, "zoo: '%s' must end with an image size of 8 to 4096 behind '@'", z->name);
	*at = 0;
	z->h = z->w = (int32_t)size;
	z->sized = true;
	return COP_OK;
}

static cop_status apply_args(cop_ctx *cx, cop_zoo *z, const cop_zoo_args *a)
{
	z->batch = 1;
	if (!a) return COP_OK;
	if (a->batch < 0 || a->classes < 0 || a->height < 0 || a->width < 0 || a->channels < 0)
		return cop__error(cx, COP_ARG, "zoo: '%s': batch, classes, height, width and channels must not be negative", z->name);
	if (a->batch) z->batch = a->batch;
	if (a->classes) z->classes = a->classes;
	if (a->height) z->h = a->height;
	if (a->width) z->w = a->width;
	if (a->channels) z->c = a->channels;
	z->sized |= a->height || a->width;
	z->seed = a->seed;
	return COP_OK;
}

cop_status cop_zoo_build(cop_graph **out, cop_ctx *cx, const char *name, const cop_zoo_args *a)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, name);
	static const cop_zoo_args none = {0};
	if (!a) a = &none;
	const cop_zoo_row *row = cop__zoo_find(name);
	char rest[96];
	cop_status st;

	*out = NULL;
	if (!row->build || strlen(name) >= sizeof rest) return unknown(cx, name);
	snprintf(rest, sizeof rest, "%s", name + strlen(row->stem));
	cop_zoo z = {.h = row->h, .w = row->w, .c = row->c, .classes = row->classes, .eps = 1e-5f, .momentum = 0.1f, .name = name, .rest = rest};
	COP_TRY(cut_size(cx, &z, rest, row->rest & SIZED));
	COP_TRY(apply_args(cx, &z, a));
	COP_TRY(cop__graph_new(&z.g, cx, name));
	cop_vid y = row->build(&z);
	COP_GO(y ? cop__output(z.g, y, "y") : cop__failed(cx));
	z.g->value[z.g->input[0]].lead = 1;
	z.g->value[z.g->input[0]].samples = z.batch;
	*out = z.g;
	return COP_OK;
done:
	cop_graph_free(z.g);
	return st;
}
