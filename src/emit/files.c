/* SPDX-License-Identifier: Apache-2.0
 *
 * files - the kernels, as text that goes out nearly as it is, and lists of what belongs to a network.
 *
 * Kernels land beside the network under a prefix, "kernel/math.h" as "cop_math.h", so that no name of theirs hides a
 * header of the C library. Functions get the version of all kernels' text as an ending, and are weak: networks of one
 * program share kernels of the same version, and those of another have other names. <name>.mk lists the sources, and
 * those worth compiling for speed.
 */
#include "emit/emit.h"

#include <ctype.h>
#include <stdio.h>

const cop_embedded *cop__emit_find(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	for (const cop_embedded *f = cop_embedded_files; f->path; f++)
		if (!strncmp(f->path, folder, n) && !strcmp(f->path + n, path)) return f;
	return NULL;
}

cop_status cop__emit_text(const cop_emission *e, const char *path, cop_text *o)
{
	cop_status st = o->status ? o->status : e->fn(e->ud, path, o->data, o->len);

	cop__text_free(o);
	return st;
}

/* ---- kernels ---- */

static cop_status add_file(cop_emit_list *l, cop_ctx *cx, const cop_embedded *f, const char *path)
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

size_t cop__emit_line(const char *at, const char *end)
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

/* The name that a line at the margin defines as a function for other files: its first letter, and *n. NULL: none. */
static const char *defined(const char *line, size_t len, int *n)
{
	const char *open = memchr(line, '(', len), *name = open;

	if (!open || !islower((unsigned char)*line) || !strncmp(line, "static ", 7) || (len > 2 && line[len - 2] == ';'))
		return NULL;
	while (name > line && (isalnum((unsigned char)name[-1]) || name[-1] == '_')) name--;
	*n = (int)(open - name);
	return strncmp(name, "cop_", 4) ? NULL : name;
}

typedef struct names { const char *at[32]; int len[32], n; } names;

static void add_name(names *l, const char *name, int n)
{
	for (int i = 0; i < l->n; i++)
		if (l->len[i] == n && !memcmp(l->at[i], name, (size_t)n)) return;
	if (l->n < LEN(l->at)) l->at[l->n] = name, l->len[l->n++] = n;
}

/* Kernels of the table (macros may define them), and what else the text defines for other files. */
static void put_names(cop_text *o, const cop_embedded *f)
{
	const char *at = (const char *)f->bytes, *end = at + f->size, *source = f->path + strlen("src/kernel/");
	uint32_t version = cop__emit_version();
	names l = {.n = 0};
	int n;

	for (int i = 0; i < cop_n_kernels; i++)
		if (!strcmp(cop_kernels[i].source, source)) add_name(&l, cop_kernels[i].symbol, (int)strlen(cop_kernels[i].symbol));
	for (size_t len; at < end; at += len) {
		const char *name = defined(at, len = cop__emit_line(at, end), &n);
		if (name) add_name(&l, name, n);
	}
	cop__text_add(o, "/* Written by Coppice %s. Networks of one program share kernels of one version. */\n", COP_VERSION);
	for (int i = 0; i < l.n; i++)
		cop__text_add(o, "#define %.*s %.*s_%08x\n", l.len[i], l.at[i], l.len[i], l.at[i], version);
	cop__text_add(o, "#if defined(__GNUC__) || defined(__ICCARM__)\n");
	for (int i = 0; i < l.n; i++) cop__text_add(o, "#pragma weak %.*s_%08x\n", l.len[i], l.at[i], version);
	cop__text_add(o, "#endif\n#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__) /* a "
		"build without -O: three times as long else */\n#pragma GCC optimize (\"O2\")\n#endif\n\n");
}

/* Copies a kernel file and lists what it includes. */
static cop_status copy_kernel(cop_emit_list *l, const cop_emission *e, const cop_embedded *f)
{
	const char *at = (const char *)f->bytes, *end = at + f->size;
	char path[96];
	cop_text o;
	cop_status st = COP_OK;

	cop__text_init(&o, e->cx);
	if (f->path[strlen(f->path) - 1] == 'c') put_names(&o, f);
	for (size_t len; !st && at < end; at += len) {
		int n;
		const char *name = included(at, len = cop__emit_line(at, end), &n);
		if (!name) {
			cop__text_bytes(&o, at, len);
			continue;
		}
		snprintf(path, sizeof path, "%.*s", n, name);
		const cop_embedded *other = cop__emit_find("src/", path);
		if (!(st = add_file(l, e->cx, other, path)))
			cop__text_add(&o, "#include \"%s\"\n", kernel_name(path, other->path, 'c'));
	}
	if (st) {
		cop__text_free(&o);
		return st;
	}
	return cop__emit_text(e, kernel_name(path, f->path, 'c'), &o);
}

/* Worth compiling for speed: what multiplies, and what was written for instructions of the target. */
static bool is_hot(const cop_emission *e, const char *source)
{
	if (!strncmp(source, "cortexm/", 8) || !strcmp(source, "ref/uncode.c") || !strcmp(source, "ref/unrun.c")) return true;
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

void cop__emit_sources(cop_text *o, const cop_emission *e, char ending, bool hot)
{
	char path[96];

	if (!hot) cop__text_add(o, " %s.%c", e->name, ending);
	for (int i = 0; i < e->kernels.n; i++) {
		const char *from = e->kernels.file[i]->path;
		if (from[strlen(from) - 1] == 'c' && (!hot || is_hot(e, from + strlen("src/kernel/"))))
			cop__text_add(o, " %s", kernel_name(path, from, ending));
	}
}

static cop_status write_make(const cop_emission *e)
{
	char path[96];
	cop_text o;

	cop__text_init(&o, e->cx);
	cop__text_add(&o,
		"# What make needs to know: all sources, and those to compile for speed; the rest for size.\nSOURCES =");
	cop__emit_sources(&o, e, 'c', false);
	cop__text_add(&o, "\nHOT =");
	cop__emit_sources(&o, e, 'c', true);
	cop__text_add(&o, "\n");
	snprintf(path, sizeof path, "%s.mk", e->name);
	return cop__emit_text(e, path, &o);
}

cop_status cop__emit_kernels(cop_emission *e)
{
	cop_emit_list *l = &e->kernels;

	COP_TRY(add_file(l, e->cx, cop__emit_find("src/kernel/", "kernel.h"), "kernel.h"));
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			const char *const source[] = {st->kernel->source, cop__emit_packs(st) ? st->kernel->pack_source : NULL};
			for (int i = 0; i < LEN(source) && source[i]; i++) COP_TRY(add_file(l, e->cx, cop__emit_find("src/kernel/", source[i]), source[i]));
		}
	const char *decoder = e->plan->target.isa & COP_ISA_DSP ? "cortexm/uncode.c" : "ref/uncode.c";
	if (cop__emit_codes(e, false)) COP_TRY(add_file(l, e->cx, cop__emit_find("src/kernel/", decoder), decoder));
	if (cop__emit_codes(e, true)) COP_TRY(add_file(l, e->cx, cop__emit_find("src/kernel/", "ref/unrun.c"), "ref/unrun.c"));
	if (cop__emit_keeps(e)) COP_TRY(add_file(l, e->cx, cop__emit_find("src/kernel/", "ref/keep.c"), "ref/keep.c"));
	for (int i = 0; i < l->n; i++) COP_TRY(copy_kernel(l, e, l->file[i]));
	return write_make(e);
}
