/* SPDX-License-Identifier: Apache-2.0
 *
 * board - the harness: what starts a machine, feeds the network from a file and counts. Its files go into the folder
 * "check", apart from the network, since they are for `coppice check` and not for a program of one's own.
 *
 * They are written for a network called net: the words net_, NET_ and net. (as in net.h) become the network's name,
 * BOARD_RAM, BOARD_FAST and BOARD_FLASH the target's budgets, BOARD_SOURCES the .c files of the harness. The word
 * "parts" in a board's folder lists files of other folders of port/.
 */
#include "emit/emit.h"

#include <ctype.h>
#include <stdio.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

typedef cop_status file_fn(const cop_emission *e, const cop_embedded *f, cop_text *o);
static cop_status each_board_file(const cop_emission *e, file_fn *fn, cop_text *o);

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* A board's sizes are the target's, but for a target without limits, which gets those of its name. */
static void put_budget(cop_text *o, const cop_emission *e, bool ram)
{
	const cop_target *t = &e->plan->target;
	cop_target own = {0};

	if (!(ram ? t->ram : t->flash)) (void)cop_target_find(&own, e->cx, t->name), t = &own;
	cop__text_add(o, "%zu", ram ? t->ram : t->flash);
}

static cop_status put_source(const cop_emission *e, const cop_embedded *f, cop_text *o)
{
	const char *base = base_name(f->path);

	(void)e;
	if (!strcmp(base + strlen(base) - 2, ".c")) cop__text_add(o, " %s", base);
	return COP_OK;
}

/* Copies a board's file with the network's name for net's. */
static cop_status copy_board_file(const cop_emission *e, const cop_embedded *f, cop_text *unused)
{
	const char *at = (const char *)f->bytes, *end = at + f->size;
	char before = '\n', path[96];
	cop_text o;

	(void)unused;
	cop__text_init(&o, e->cx);
	while (at < end) {
		bool word = end - at > 3 && !in_word(before);
		if (word && (!memcmp(at, "net_", 4) || !memcmp(at, "net.", 4))) cop__text_add(&o, "%s", e->name), at += 3;
		else if (word && !memcmp(at, "NET_", 4)) cop__text_add(&o, "%s", e->upper), at += 3;
		else if (word && end - at > 13 && !memcmp(at, "BOARD_SOURCES", 13))
			(void)each_board_file(e, put_source, &o), at += 13;
		else if (word && end - at > 11 && !memcmp(at, "BOARD_FLASH", 11)) put_budget(&o, e, false), at += 11;
		else if (word && end - at > 10 && !memcmp(at, "BOARD_FAST", 10))
			cop__text_add(&o, "%zu", e->plan->target.fast_ram), at += 10;
		else if (word && end - at > 9 && !memcmp(at, "BOARD_RAM", 9)) put_budget(&o, e, true), at += 9;
		else cop__text_bytes(&o, at++, 1);
		before = at[-1];
	}
	snprintf(path, sizeof path, "check/%s", base_name(f->path));
	return cop__emit_text(e, path, &o);
}

/* fn for every file of the board: those in its folder, and those its "parts" names. */
static cop_status each_board_file(const cop_emission *e, file_fn *fn, cop_text *o)
{
	char folder[96], path[96];
	const cop_embedded *parts;

	snprintf(folder, sizeof folder, "port/%s/", e->plan->target.name);
	for (const cop_embedded *f = cop_embedded_files; f->path; f++)
		if (!strncmp(f->path, folder, strlen(folder)) && strcmp(base_name(f->path), "parts")) COP_TRY(fn(e, f, o));
	if (!(parts = cop__emit_find(folder, "parts"))) return COP_OK;
	for (const char *p = (const char *)parts->bytes, *end = p + parts->size; p < end;) {
		size_t n = cop__emit_line(p, end);
		snprintf(path, sizeof path, "%.*s", (int)(p[n - 1] == '\n' ? n - 1 : n), p);
		const cop_embedded *f = cop__emit_find("port/", path);
		if (!f) return cop__error(e->cx, COP_IO, "%sparts names '%s', which is not there", folder, path);
		COP_TRY(fn(e, f, o));
		p += n;
	}
	return COP_OK;
}

cop_status cop__emit_board(const cop_emission *e) { return each_board_file(e, copy_board_file, NULL); }

static cop_status check_one(const cop_emission *e, const cop_embedded *f, cop_text *unused)
{
	const char *base = base_name(f->path);
	size_t n = strlen(e->name);

	(void)unused;
	if (!strncmp(base, e->name, n) && (!strcmp(base + n, ".c") || !strcmp(base + n, ".h") || !strcmp(base + n, ".mk")))
		return cop__error(e->cx, COP_ARG, "emit: the name '%s' is taken by the board's own %s", e->name, base);
	return COP_OK;
}

cop_status cop__emit_check_name(const cop_emission *e)
{
	if (!strncmp(e->name, "cop_", 4))
		return cop__error(e->cx, COP_ARG, "emit: the name '%s' must not begin with cop_, the kernels' prefix", e->name);
	return each_board_file(e, check_one, NULL);
}
