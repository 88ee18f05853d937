/* SPDX-License-Identifier: Apache-2.0
 *
 * about - see about.h. The text may come from anywhere: names and numbers are checked as the public calls check them.
 */
#include "core/need.h"
#include "graph/about.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const layouts[] = {[COP_LAYOUT_FIT] = "fit", [COP_LAYOUT_KEEP] = "keep", [COP_LAYOUT_FIRST] = "first", [COP_LAYOUT_LAST] = "last"};

/* ---- names ---- */

static cop_status add(cop_graph *g, cop_named *n, const char *name, size_t len)
{
	if (!len || len > COP_LONGEST_NAME)
		return cop__error(g->cx, COP_ARG, "the name of a class or target has %zu bytes, 1 to %d are expected", len,
			COP_LONGEST_NAME);
	if (memchr(name, 0, len)) return cop__error(g->cx, COP_ARG, "the name of a class or target holds a zero byte");
	if (n->count == COP_MOST_CLASSES) return cop__error(g->cx, COP_ARG, "more than %d names of classes", COP_MOST_CLASSES);
	COP_TRY(cop__grow(g->cx, &n->at, &n->cap, n->count, sizeof *n->at));
	if (!(n->at[n->count] = cop__arena_str(&g->mem, name, len))) return COP_NOMEM;
	n->count++;
	return COP_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static cop_status check(const cop_graph *g, const cop_named *n, const char *what)
{
	const cop_type *y = g->n_output ? cop__t(g, g->output[0]) : NULL;
	int64_t most = !y ? 0 : y->rank ? y->dim[y->rank - 1] : 1;

	if (!n->count) return COP_OK;
	if (n->count > most) return cop__error(g->cx, COP_SHAPE, "'%s' has %d names of %s, but %lld outputs", g->name, n->count, what, (long long)most);
	const char **sorted = cop__alloc(g->cx, sizeof *sorted * (size_t)n->count);
	if (!sorted) return COP_NOMEM;
	memcpy(sorted, n->at, sizeof *sorted * (size_t)n->count);
	qsort(sorted, (size_t)n->count, sizeof *sorted, by_text);
	cop_status st = COP_OK;
	for (int32_t i = 1; !st && i < n->count; i++)
		if (!strcmp(sorted[i - 1], sorted[i])) st = cop__error(g->cx, COP_ARG, "two %s of '%s' are called '%.100s'", what, g->name, sorted[i]);
	cop__free(g->cx, sorted);
	return st;
}

cop_status cop__about_check(const cop_graph *g)
{
	COP_TRY(check(g, &g->classes, "classes"));
	return check(g, &g->targets, "targets");
}

/* The old names stay where the new ones are refused. */
static cop_status set(cop_graph *g, cop_named *n, const char *const *name, int32_t count, const char *what)
{
	cop_named old = *n;
	cop_status st = COP_OK;

	*n = (cop_named){0};
	for (int32_t i = 0; !st && i < count; i++) st = add(g, n, name[i], strlen(name[i]));
	if (!st) st = check(g, n, what);
	cop__free(g->cx, st ? n->at : old.at);
	if (st) *n = old;
	return st;
}

cop_status cop_graph_classes_set(cop_graph *g, const char *const *name, int32_t n)
{
	COP_NEED(COP_CX(g), g);
	for (int32_t i = 0; i < n; i++) COP_NEED(g->cx, name && name[i]);
	return set(g, &g->classes, name, n, "classes");
}

cop_status cop_graph_targets_set(cop_graph *g, const char *const *name, int32_t n)
{
	COP_NEED(COP_CX(g), g);
	for (int32_t i = 0; i < n; i++) COP_NEED(g->cx, name && name[i]);
	return set(g, &g->targets, name, n, "targets");
}

const char *cop_graph_class(const cop_graph *g, int32_t i) { return g && i >= 0 && i < g->classes.count ? g->classes.at[i] : NULL; }
const char *cop_graph_target(const cop_graph *g, int32_t i) { return g && i >= 0 && i < g->targets.count ? g->targets.at[i] : NULL; }

/* ---- samples ---- */

void cop_graph_samples(const cop_graph *g, cop_samples *out) { if (out) *out = g ? g->samples : (cop_samples){0}; }
float cop_graph_accuracy(const cop_graph *g) { return g ? g->accuracy : -1; }
void cop_graph_accuracy_set(cop_graph *g, float accuracy) { if (g) g->accuracy = accuracy >= 0 && accuracy <= 1 ? accuracy : -1; }

cop_status cop_graph_samples_set(cop_graph *g, const cop_samples *s)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), s);
	if (!(s->times >= 0) || !isfinite(s->times)) return cop__error(g->cx, COP_ARG, "samples: times=%g, a positive number is expected", (double)s->times);
	if (s->channels < 0 || s->channels > COP_MOST_CHANNELS)
		return cop__error(g->cx, COP_ARG, "samples: mean and std for %d channels, at most %d are kept", s->channels, COP_MOST_CHANNELS);
	if ((int)s->layout < 0 || s->layout > COP_LAYOUT_LAST) return cop__error(g->cx, COP_ARG, "samples: there is no layout %d", (int)s->layout);
	for (int32_t c = 0; c < s->channels; c++)
		if (!(s->std[c] > 0) || !isfinite(s->std[c]) || !isfinite(s->mean[c]))
			return cop__error(g->cx, COP_ARG, "samples: mean %g and std %g of channel %d; a std must be positive", (double)s->mean[c], (double)s->std[c], c);
	g->samples = *s;
	return COP_OK;
}

/* ---- copying ---- */

static cop_status copy(cop_graph *to, cop_named *n, const cop_named *from)
{
	for (int32_t i = 0; i < from->count; i++) COP_TRY(add(to, n, from->at[i], strlen(from->at[i])));
	return COP_OK;
}

cop_status cop__about_copy(cop_graph *to, const cop_graph *from)
{
	COP_TRY(copy(to, &to->classes, &from->classes));
	COP_TRY(copy(to, &to->targets, &from->targets));
	to->samples = from->samples;
	to->accuracy = from->accuracy;
	return COP_OK;
}

/* ---- text ---- */

static bool scales(const cop_samples *s) { return (s->times > 0 && s->times != 1) || s->channels || s->layout; }

bool cop__about_any(const cop_graph *g)
{
	return g->classes.count || g->targets.count || scales(&g->samples) || g->accuracy >= 0;
}

static void put_names(cop_text *t, const char *role, const cop_named *n)
{
	for (int32_t i = 0; i < n->count; i++) {
		cop__text_add(t, "%s ", role);
		cop__name_put(t, n->at[i]);
		cop__text_add(t, "\n");
	}
}

static void put_list(cop_text *t, const char *key, const float *v, int32_t n)
{
	cop__text_add(t, " %s=", key);
	char text[COP_FLOAT_TEXT];
	for (int32_t i = 0; i < n; i++) cop__text_add(t, i ? ",%s" : "%s", cop__float_print(text, v[i]));
}

void cop__about_print(cop_text *t, const cop_graph *g)
{
	const cop_samples *s = &g->samples;

	put_names(t, "class", &g->classes);
	put_names(t, "target", &g->targets);
	if (scales(s)) {
		cop__text_add(t, "samples");
		if (s->times > 0 && s->times != 1) put_list(t, "times", &s->times, 1);
		if (s->channels) put_list(t, "mean", s->mean, s->channels), put_list(t, "std", s->std, s->channels);
		if (s->layout) cop__text_add(t, " layout=%s", layouts[s->layout]);
		cop__text_add(t, "\n");
	}
	char text[COP_FLOAT_TEXT];
	if (g->accuracy >= 0) cop__text_add(t, "accuracy %s\n", cop__float_print(text, g->accuracy));
}

static bool is(cop_word w, const char *s) { return (size_t)w.len == strlen(s) && !memcmp(w.s, s, (size_t)w.len); }

static cop_status bad(const cop_graph *g, int line, const char *what, cop_word w)
{
	return cop__error(g->cx, COP_FORMAT, "graph text, line %d: %s '%.*s'", line, what, COP_MIN(w.len, 60), w.s);
}

static cop_status get_name(cop_graph *g, int line, cop_named *n, cop_word w)
{
	char name[4 * COP_LONGEST_NAME + 1];
	int len = w.len < (int)sizeof name ? cop__name_get(name, w.s, w.len) : COP_LONGEST_NAME + 1;

	if (len < 0) return bad(g, line, "a zero byte in", w);
	if (len > COP_LONGEST_NAME) return bad(g, line, "a name longer than 255 bytes:", w);
	return add(g, n, name, (size_t)len);
}

/* REAL,REAL...; returns how many there are, -1 where the text is anything else. */
static int32_t get_list(float *v, cop_word w)
{
	char text[COP_MOST_CHANNELS * 20], *s = text, *end;
	int32_t n = 0;

	if (w.len < 1 || w.len >= (int)sizeof text) return -1;
	snprintf(text, sizeof text, "%.*s", w.len, w.s);
	for (;; s = end + 1) {
		if (n == COP_MOST_CHANNELS) return -1;
		v[n++] = cop__float_parse(s, &end);
		if (end == s || (*end && *end != ',')) return -1;
		if (!*end) return n;
	}
}

static bool get_layout(cop_layout *out, cop_word w)
{
	for (int i = 0; i < LEN(layouts); i++)
		if (is(w, layouts[i])) return *out = (cop_layout)i, true;
	return false;
}

static cop_status get_samples(cop_graph *g, int line, const cop_word *w, int n)
{
	cop_samples s = {0};
	float list[COP_MOST_CHANNELS];
	int32_t means = 0, stds = 0;

	for (int i = 1; i < n; i++) {
		const char *eq = memchr(w[i].s, '=', (size_t)w[i].len);
		cop_word key = {w[i].s, eq ? (int)(eq - w[i].s) : 0}, v = {w[i].s + key.len + 1, w[i].len - key.len - 1};
		if (is(key, "layout") && get_layout(&s.layout, v)) continue;
		int32_t count = eq ? get_list(list, v) : -1;
		if (is(key, "times") && count == 1) s.times = list[0];
		else if (is(key, "mean") && count > 0) memcpy(s.mean, list, sizeof *list * (size_t)(means = count));
		else if (is(key, "std") && count > 0) memcpy(s.std, list, sizeof *list * (size_t)(stds = count));
		else return bad(g, line, "expected times, mean, std or layout with a value, got", w[i]);
	}
	if (means != stds) return bad(g, line, "as many std as mean are expected in", w[0]);
	s.channels = means;
	return cop_graph_samples_set(g, &s);
}

cop_status cop__about_line(cop_graph *g, int line, const cop_word *w, int n, bool *mine)
{
	float v[COP_MOST_CHANNELS];

	*mine = true;
	if (n == 2 && is(w[0], "class")) return get_name(g, line, &g->classes, w[1]);
	if (n == 2 && is(w[0], "target")) return get_name(g, line, &g->targets, w[1]);
	if (n > 1 && is(w[0], "samples")) return get_samples(g, line, w, n);
	*mine = n == 2 && is(w[0], "accuracy");
	if (!*mine) return COP_OK;
	if (get_list(v, w[1]) != 1 || !(v[0] >= 0 && v[0] <= 1)) return bad(g, line, "expected a part from 0 to 1, got", w[1]);
	cop_graph_accuracy_set(g, v[0]);
	return COP_OK;
}
