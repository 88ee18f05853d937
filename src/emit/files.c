/* SPDX-License-Identifier: Apache-2.0
 *
 * files - the texts that go out as they are: portable kernels, and the board's files.
 *
 * Kernels land beside the network under a prefix, "kernel/math.h" as "cop_math.h", so that no name of theirs hides
 * a header of the C library. Board files are written for a network called net: the words net_, NET_ and net. (as in
 * net.h) become the network's name, BOARD_RAM, BOARD_FAST and BOARD_FLASH the target's budgets. The word "parts" in a board's folder
 * lists files of other folders of port/. <name>.mk names the kernels that are worth compiling for speed: those that multiply.
 */
#include "emit/embedded.h"
#include "emit/emit.h"

#include <ctype.h>
#include <stdio.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static const cop_embedded *find_file(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	for (const cop_embedded *f = cop_embedded_files; f->path; f++)
		if (!strncmp(f->path, folder, n) && !strcmp(f->path + n, path)) return f;
	return NULL;
}

/* Hands the text on; frees it. */
static cop_status write_text(const cop_emission *e, const char *path, cop_text *o)
{
	cop_status st = o->status ? o->status : e->fn(e->ud, path, o->data, o->len);

	cop__text_free(o);
	return st;
}

/* ---- kernels ---- */

/* The files to copy, each once. */
typedef struct list { const cop_embedded *file[64]; int n; } list;

static cop_status add_file(list *l, cop_ctx *cx, const cop_embedded *f, const char *path)
{
	if (!f) return cop__error(cx, COP_IO, "the library carries no text of '%s'", path);
	for (int i = 0; i < l->n; i++)
		if (l->file[i] == f) return COP_OK;
	if (l->n == LEN(l->file)) return cop__error(cx, COP_NOMEM, "more than %d kernel files are needed", LEN(l->file));
	l->file[l->n++] = f;
	return COP_OK;
}

/* The quoted name in a line that begins with #include, or NULL. */
static const char *included(const char *line, size_t len, int *n)
{
	static const char word[] = "#include \"";
	const char *end;

	if (len < sizeof word || memcmp(line, word, sizeof word - 1)) return NULL;
	line += sizeof word - 1;
	if (!(end = memchr(line, '"', len - (sizeof word - 1)))) return NULL;
	*n = (int)(end - line);
	return line;
}

static size_t line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	return newline ? (size_t)(newline + 1 - at) : (size_t)(end - at);
}

/* "src/kernel/ref/conv.c" -> "cop_conv.c", ending "c" or "o"; other folders than ref stay in the name. */
static const char *kernel_name(char buf[96], const char *path, char ending)
{
	int n;

	path += strlen("src/kernel/");
	if (!strncmp(path, "ref/", 4)) path += 4;
	n = snprintf(buf, 96, "cop_%s", path);
	for (char *p = buf; *p; p++)
		if (*p == '/') *p = '_';
	if (n > 0 && n < 96 && ending == 'o') buf[n - 1] = 'o';
	return buf;
}

/* Copies a kernel file and lists what it includes. */
static cop_status copy_kernel(list *l, const cop_emission *e, const cop_embedded *f)
{
	const char *at = (const char *)f->bytes, *end = at + f->size;
	char path[96];
	cop_text o;
	cop_status st = COP_OK;

	cop__text_init(&o, e->cx);
	for (size_t len; !st && at < end; at += len) {
		int n;
		const char *name = included(at, len = line_length(at, end), &n);
		if (!name) {
			cop__text_bytes(&o, at, len);
			continue;
		}
		snprintf(path, sizeof path, "%.*s", n, name);
		const cop_embedded *other = find_file("src/", path);
		if (!(st = add_file(l, e->cx, other, path))) cop__text_add(&o, "#include \"%s\"\n", kernel_name(path, other->path, 'c'));
	}
	if (st) {
		cop__text_free(&o);
		return st;
	}
	return write_text(e, kernel_name(path, f->path, 'c'), &o);
}

static bool multiplies(const cop_emission *e, const char *source)
{
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			const cop_op *op = cop__op(e->graph[en], st->node);
			cop_cost cost = {0};
			if (op->cost) op->cost(e->graph[en], st->node, &cost);
			if (cost.mac && !strcmp(st->kernel->source, source)) return true;
		}
	return false;
}

static cop_status write_make(const list *l, const cop_emission *e)
{
	char path[96];
	cop_text o;

	cop__text_init(&o, e->cx);
	cop__text_add(&o, "# Kernels to compile for speed; the rest for size.\nHOT =");
	for (int i = 0; i < l->n; i++)
		if (multiplies(e, l->file[i]->path + strlen("src/kernel/"))) cop__text_add(&o, " %s", kernel_name(path, l->file[i]->path, 'o'));
	cop__text_add(&o, "\n");
	snprintf(path, sizeof path, "%s.mk", e->name);
	return write_text(e, path, &o);
}

cop_status cop__emit_kernels(const cop_emission *e)
{
	list l = {.n = 0};

	COP_TRY(add_file(&l, e->cx, find_file("src/kernel/", "kernel.h"), "kernel.h"));
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const char *source = e->plan->entry[en].step[s].kernel->source;
			COP_TRY(add_file(&l, e->cx, find_file("src/kernel/", source), source));
		}
	for (int i = 0; i < l.n; i++) COP_TRY(copy_kernel(&l, e, l.file[i]));
	return write_make(&l, e);
}

/* ---- the board ---- */

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* A board's sizes are the target's, but for a target without limits, which gets those of its name. */
static void put_budget(cop_text *o, const cop_emission *e, bool ram)
{
	const cop_target *t = &e->plan->target;
	cop_target own = {0};

	if (!(ram ? t->ram : t->flash)) (void)cop_target_find(&own, e->cx, t->name), t = &own;
	cop__text_add(o, "%zu", ram ? t->ram : t->flash);
}

/* Copies a board's file with the network's name for net's. */
static cop_status copy_board_file(const cop_emission *e, const cop_embedded *f)
{
	const char *at = (const char *)f->bytes, *end = at + f->size;
	char before = '\n';
	cop_text o;

	cop__text_init(&o, e->cx);
	while (at < end) {
		bool word = end - at > 3 && !in_word(before);
		if (word && (!memcmp(at, "net_", 4) || !memcmp(at, "net.", 4))) cop__text_add(&o, "%s", e->name), at += 3;
		else if (word && !memcmp(at, "NET_", 4)) cop__text_add(&o, "%s", e->upper), at += 3;
		else if (word && end - at > 11 && !memcmp(at, "BOARD_FLASH", 11)) put_budget(&o, e, false), at += 11;
		else if (word && end - at > 10 && !memcmp(at, "BOARD_FAST", 10)) cop__text_add(&o, "%zu", e->plan->target.fast_ram), at += 10;
		else if (word && end - at > 9 && !memcmp(at, "BOARD_RAM", 9)) put_budget(&o, e, true), at += 9;
		else cop__text_bytes(&o, at++, 1);
		before = at[-1];
	}
	return write_text(e, base_name(f->path), &o);
}

typedef cop_status file_fn(const cop_emission *e, const cop_embedded *f);

/* fn for every file of the board: those in its folder, and those its "parts" names. */
static cop_status each_board_file(const cop_emission *e, file_fn *fn)
{
	char folder[96], path[96];
	const cop_embedded *parts;

	snprintf(folder, sizeof folder, "port/%s/", e->plan->target.name);
	for (const cop_embedded *f = cop_embedded_files; f->path; f++)
		if (!strncmp(f->path, folder, strlen(folder)) && strcmp(base_name(f->path), "parts")) COP_TRY(fn(e, f));
	if (!(parts = find_file(folder, "parts"))) return COP_OK;
	for (const char *p = (const char *)parts->bytes, *end = p + parts->size; p < end;) {
		size_t n = line_length(p, end);
		snprintf(path, sizeof path, "%.*s", (int)(p[n - 1] == '\n' ? n - 1 : n), p);
		const cop_embedded *f = find_file("port/", path);
		if (!f) return cop__error(e->cx, COP_IO, "%sparts names '%s', which is not there", folder, path);
		COP_TRY(fn(e, f));
		p += n;
	}
	return COP_OK;
}

cop_status cop__emit_board(const cop_emission *e) { return each_board_file(e, copy_board_file); }

static cop_status check_one(const cop_emission *e, const cop_embedded *f)
{
	const char *base = base_name(f->path);
	size_t n = strlen(e->name);

	if (!strncmp(base, e->name, n) && (!strcmp(base + n, ".c") || !strcmp(base + n, ".h") || !strcmp(base + n, ".mk")))
		return cop__error(e->cx, COP_ARG, "emit: the name '%s' is taken by the board's own %s", e->name, base);
	return COP_OK;
}

cop_status cop__emit_check_name(const cop_emission *e)
{
	if (!strncmp(e->name, "cop_", 4)) return cop__error(e->cx, COP_ARG, "emit: the name '%s' must not begin with cop_, the kernels' prefix", e->name);
	return each_board_file(e, check_one);
}
