/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint - a .cop file with numbers, of which the first is a mark, and the text `run`: what the run was given, a line each. Reading goes
 * through a second graph, so that a damaged file changes nothing.
 */
#include "io/cop/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark[] = "\nnumber checkpoint 1\n"; /* behind "coppice 1" */
enum { MARK_AT = 9, MOST_NUMBERS = 16 };

cop_status cop__checkpoint_write(const char *path, const cop_graph *g, const char *run, const cop_number *number, int n)
{
	cop_number all[MOST_NUMBERS + 2] = {{.name = "checkpoint", .i = 1}, {.name = "run", .text = run, .size = strlen(run)}};
	cop_rope r;

	memcpy(all + 2, number, sizeof *number * (size_t)COP_MIN(n, MOST_NUMBERS));
	cop__rope_init(&r, g->cx);
	cop_status st = cop__model_rope(&r, g, all, n + 2, COP_CODEC_RAW);
	if (!st) st = cop__rope_save(g->cx, path, &r);
	cop__rope_free(&r);
	return st;
}

/* ---- whose file is it? ---- */

/* Nothing is there, ours, or (false) something else. */
static bool look(bool *there, const char *path)
{
	char head[MARK_AT + sizeof mark - 1];
	struct stat s;

	*there = !lstat(path, &s);
	if (!*there) return true;
	int fd = stat(path, &s) || !S_ISREG(s.st_mode) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	bool ours = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head && !memcmp(head, "coppice ", MARK_AT - 1) && !memcmp(head + MARK_AT, mark, sizeof mark - 1);
	if (fd >= 0) close(fd);
	return ours;
}

static size_t line_length(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	return nl ? (size_t)(nl - p) : (size_t)(end - p);
}

typedef struct line { const char *label, *value; size_t label_size, size; } line;

static line line_at(const char *p, const char *end)
{
	const size_t n = line_length(p, end);
	const char *tab = memchr(p, '\t', n);

	if (!tab) return (line){.label = p, .value = p, .label_size = n};
	return (line){p, tab + 1, (size_t)(tab - p), n - (size_t)(tab - p) - 1};
}

static bool labelled(const line *l, const char *label, size_t size) { return l->label_size == size && !memcmp(l->label, label, size); }

/* How many lines of `text` before this one have its label. */
static int others(const line *x, const char *text)
{
	int n = 0;

	for (const char *p = text; p < x->label; p += line_length(p, x->label) + 1) {
		const line l = line_at(p, x->label);
		n += labelled(&l, x->label, x->label_size);
	}
	return n;
}

/* The line of the same label, after `before` others of it: a run may have several teachers. */
static line find_line(const char *text, size_t size, const line *like, int before)
{
	for (const char *p = text, *end = text + size; p < end; p += line_length(p, end) + 1) {
		const line l = line_at(p, end);
		if (labelled(&l, like->label, like->label_size) && !before--) return l;
	}
	return (line){.value = "none", .size = 4};
}

/* Has b another value for a line of a, `but` apart? Then *x is that line, and *y that of b. */
static bool differing(line *x, line *y, bool *differs, const char *a, size_t a_size, const char *b, size_t b_size, const char *but)
{
	for (const char *p = a, *end = a + a_size; p < end; p += line_length(p, end) + 1) {
		*x = line_at(p, end);
		const bool may = but && labelled(x, but, strlen(but));
		*y = find_line(b, b_size, x, may ? 0 : others(x, a));
		if (x->size == y->size && !memcmp(x->value, y->value, x->size)) continue;
		if (!may) return true;
		*differs = true;
	}
	return false;
}

/* A line that only one of both has differs, too. */
static cop_status compare(bool *differs, cop_ctx *cx, const char *path, const char *run, const char *was, size_t size, const char *but)
{
	line now, then;

	if (!differing(&now, &then, differs, run, strlen(run), was, size, but) && !differing(&then, &now, differs, was, size, run, strlen(run), but)) return COP_OK;
	const line *named = now.label ? &now : &then;
	return cop__error(cx, COP_ARG, "%s: the checkpoint was made with %.*s %.*s, this run has %.*s; resume with the same, or remove it", path,
		(int)COP_MIN(named->label_size, 60), named->label, (int)COP_MIN(then.size, 120), then.value, (int)COP_MIN(now.size, 120), now.value);
}

cop_status cop__checkpoint_find(bool *there, bool *differs, cop_ctx *cx, const char *path, const char *run, const char *but)
{
	cop_number n = {.name = "run"};
	cop_graph *g;
	void *bytes;
	size_t size;
	int found;

	*differs = false;
	if (!look(there, path)) return cop__error(cx, COP_FORMAT, "%s: this file is not a checkpoint, so it is left alone; move it away, or give the checkpoint another path", path);
	if (!*there || !run) return COP_OK;
	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop_status st = cop__model_read(&g, cx, path, bytes, size, &n, 1, &found);
	if (!st && (!found || !n.text)) st = cop__error(cx, COP_FORMAT, "%s: the checkpoint does not say what it was made with", path);
	if (!st) st = compare(differs, cx, path, run, n.text, n.size, but);
	cop_graph_free(g);
	cop_free(cx, bytes);
	return st;
}

cop_status cop__checkpoint_unlink(cop_ctx *cx, const char *path)
{
	bool there;

	if (!look(&there, path) || !there || !unlink(path) || errno == ENOENT) return COP_OK;
	return cop__error(cx, COP_IO, "%s: the checkpoint could not be removed (%s); the result is written", path, strerror(errno));
}

/* ---- back into a graph ---- */

static bool kept(const cop_value *v)
{
	return v->role == COP_PARAM || v->role == COP_STATE;
}

static cop_status check(const cop_graph *g, const cop_graph *from, const char *path)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (!kept(x)) continue;
		cop_vid f = cop__find(from, x->name);
		if (!f || !kept(&from->value[f]))
			return cop__error(g->cx, COP_FORMAT, "%s: the checkpoint has no '%s'", path, x->name);
		const cop_type *a = &x->type, *b = cop__t(from, f);
		if (!cop__same_shape(a, b) || a->dtype != b->dtype || a->enc != b->enc || a->enc_bytes != b->enc_bytes)
			return cop__error(g->cx, COP_SHAPE,
			        "%s: '%s' of the checkpoint has another type than that of graph '%s'", path, x->name,
			        g->name);
	}
	return COP_OK;
}

static cop_status copy(cop_graph *g, const cop_graph *from)
{
	cop_contents **theirs = cop__alloc(g->cx, sizeof *theirs * ((size_t)g->n_value + 1));
	cop_status st = theirs ? COP_OK : COP_NOMEM;

	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (!kept(x)) continue;
		theirs[v] = cop__contents_hold(from->value[cop__find(from, x->name)].held);
		if (!theirs[v] && x->data && !(theirs[v] = cop__contents_new(g->cx, cop_type_bytes(&x->type)))) st = COP_NOMEM; /* not stored: zeros */
	}
	if (!st) st = cop__replace_contents(g, theirs);
	for (int32_t v = 1; st && theirs && v <= g->n_value; v++) cop__contents_drop(theirs[v]);
	cop__free(g->cx, theirs);
	return st;
}

/* Texts outlive the file's bytes with the graph that they are for. */
static cop_status keep_texts(cop_graph *g, cop_number *number, int n)
{
	for (int i = 0; i < n; i++) {
		if (!number[i].text) continue;
		number[i].text = cop__arena_str(&g->mem, number[i].text, number[i].size);
		if (!number[i].text) return COP_NOMEM;
	}
	return COP_OK;
}

/* texts: the graph that keeps them; NULL: the one that is read. */
static cop_status load(cop_graph **out, cop_ctx *cx, cop_graph *texts, const char *path, cop_number *number, int n)
{
	void *bytes;
	size_t size;
	int found;

	*out = NULL;
	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop_status st = cop__model_read(out, cx, path, bytes, size, number, n, &found);
	if (!st && found < n)
		st = cop__error(cx, COP_FORMAT, "%s: is no checkpoint of this kind: of %d numbers it has %d", path, n, found);
	if (!st) st = keep_texts(texts ? texts : *out, number, n);
	cop_free(cx, bytes);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

cop_status cop__checkpoint_load(cop_graph **out, cop_ctx *cx, const char *path, cop_number *number, int n) { return load(out, cx, NULL, path, number, n); }

cop_status cop__checkpoint_read(const char *path, cop_graph *g, cop_number *number, int n)
{
	cop_graph *from;

	COP_TRY(load(&from, g->cx, g, path, number, n));
	cop_status st = check(g, from, path);
	if (!st) st = copy(g, from);
	cop_graph_free(from);
	return st;
}
