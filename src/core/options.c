/* SPDX-License-Identifier: Apache-2.0
 *
 * options - see options.h.
 */
#include "core/options.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_NUMBER = 40 };

static bool is_gap(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; }
static bool is_word(const char *name, const char *s, size_t len) { return strlen(name) == len && !memcmp(name, s, len); }

float cop__rate_of(const cop_rates *r, const char *name, float otherwise)
{
	for (int32_t i = 0; i < r->n; i++)
		if (cop__match(r->at[i].layers, name)) return r->at[i].value;
	return otherwise;
}

/* ---- a value into its field: false where it is none ---- */

static bool number(float *v, const cop_option *o, const char *s, size_t len)
{
	char text[MOST_NUMBER], *end;

	if (!len || len >= sizeof text) return false;
	memcpy(text, s, len);
	text[len] = 0;
	*v = cop__float_parse(text, &end);
	return !*end && *v >= (float)o->lo && *v <= (float)o->hi;
}

static bool whole(int32_t *v, const cop_option *o, const char *s, size_t len)
{
	char text[MOST_NUMBER], *end;

	if (!len || len >= sizeof text) return false;
	memcpy(text, s, len);
	text[len] = 0;
	double d = cop__real_parse(text, &end);
	if (*end || !(d >= o->lo && d <= o->hi) || d != (double)(int32_t)d) return false;
	*v = (int32_t)d;
	return true;
}

static bool flag(bool *v, const char *s, size_t len)
{
	static const char *const words[] = {"no", "yes", "false", "true", "0", "1"};

	for (int i = 0; s && i < LEN(words); i++)
		if (is_word(words[i], s, len)) return *v = i & 1, true;
	return *v = true, !s;
}

/* The i-th of "a|b|c"; NULL past the last. */
static const char *word_at(const char *words, int i, size_t *len)
{
	const char *p = words;

	for (; i && *p; i--) p += strcspn(p, "|"), p += *p == '|';
	*len = strcspn(p, "|");
	return *p ? p : NULL;
}

static bool word(int32_t *v, const cop_option *o, const char *s, size_t len)
{
	const char *w;
	size_t n;

	if (o->among) return *v = cop__row_index(o->among, s, len), *v >= 0;
	for (*v = 0; (w = word_at(o->words, *v, &n)); ++*v)
		if (n == len && !memcmp(w, s, len)) return true;
	return false;
}

static bool text(char *v, const cop_option *o, const char *s, size_t len)
{
	if (len >= o->size) return false;
	memcpy(v, s, len);
	v[len] = 0;
	return true;
}

static bool rate(cop_rates *r, const cop_option *o, const char *pattern, size_t n, const char *s, size_t len)
{
	if (r->n == COP_MAX_RATES || !n || n >= sizeof r->at->layers) return false;
	cop_rate *at = &r->at[r->n++];
	memcpy(at->layers, pattern, n);
	at->layers[n] = 0;
	return number(&at->value, o, s, len);
}

/* "0.1", or "conv*:0.5;fc*:0.1"; a pattern ends at the last colon, since names may hold some. */
static bool rates(cop_rates *r, const cop_option *o, const char *s, size_t len)
{
	r->n = 0;
	for (size_t i = 0, n; i <= len; i += n + 1) {
		const char *end = memchr(s + i, ';', len - i);
		n = end ? (size_t)(end - s) - i : len - i;
		size_t colon = n;
		while (colon && s[i + colon - 1] != ':') colon--;
		if (!colon && (i || n < len)) return false;
		if (!(colon ? rate(r, o, s + i, colon - 1, s + i + colon, n - colon) : rate(r, o, "*", 1, s, len))) return false;
	}
	return true;
}

static bool choice(cop_choice *c, const cop_option *o, const char *s, size_t len)
{
	int i = cop__row_index(o->among, s, len);

	if (i < 0 || o->among->row(i)->size > COP_CHOICE_ROOM) return false;
	*c = (cop_choice){.row = i};
	cop__options_default(o->among->row(i)->options, c->o.bytes);
	return true;
}

static bool put(const cop_option *o, void *field, const char *s, size_t len)
{
	if (o->kind == COP_FLAG) return flag(field, s, len);
	if (!s) return false;
	switch (o->kind) {
	case COP_WHOLE: return whole(field, o, s, len);
	case COP_REAL: return number(field, o, s, len);
	case COP_WORD: return word(field, o, s, len);
	case COP_TEXT:
	case COP_NAMES: return text(field, o, s, len);
	case COP_CHOICE: return choice(field, o, s, len);
	default: return rates(field, o, s, len);
	}
}

void cop__options_default(const cop_option *o, void *to)
{
	for (; o && o->name; o++)
		if (o->value) put(o, (char *)to + o->offset, o->value, strlen(o->value));
}

/* ---- words about an option ---- */

static void add(cop_values *v, const char *s, size_t len)
{
	size_t n = strlen(v->text);
	snprintf(v->text + n, sizeof v->text - n, "%s%.*s", n ? ", " : "", (int)len, s);
}

static void list(cop_values *v, const cop_option *o)
{
	const char *w;
	size_t n;

	for (int i = 0; o->words && (w = word_at(o->words, i, &n)); i++) add(v, w, n);
	for (int i = 0; o->among && o->among->row(i); i++) add(v, o->among->row(i)->name, strlen(o->among->row(i)->name));
}

const char *cop__option_values(cop_values *v, const cop_option *o)
{
	v->text[0] = 0;
	if (o->kind == COP_FLAG) snprintf(v->text, sizeof v->text, "yes or no");
	else if (o->kind == COP_TEXT || o->kind == COP_NAMES) snprintf(v->text, sizeof v->text, "%s", o->kind == COP_TEXT ? "text" : "names of weights");
	else if (o->kind == COP_WORD || o->kind == COP_CHOICE) list(v, o);
	else if (o->hi >= 1e30) cop__format(v->text, sizeof v->text, "%g or more", o->lo);
	else cop__format(v->text, sizeof v->text, "%.10g to %.10g", o->lo, o->hi);
	return v->text;
}

/* A bar would end the cell. */
static void cell(cop_text *t, const char *s)
{
	for (; *s; s++) cop__text_add(t, *s == '|' ? "\\%c" : "%c", *s);
}

void cop__options_page(cop_text *t, const cop_option *o)
{
	cop_values v;

	cop__text_add(t, "| option | meaning | values | default |\n|---|---|---|---|\n");
	for (; o && o->name; o++) {
		cop__text_add(t, "| `%s` | ", o->name);
		cell(t, o->help);
		cop__text_add(t, " | %s | ", cop__option_values(&v, o));
		if (o->needed) cop__text_add(t, "needed |\n");
		else cop__text_add(t, o->value && *o->value ? "`%s` |\n" : "%s |\n", o->value ? o->value : "");
	}
}

static const char *row_name(void *ud, int i)
{
	const cop_row *r = ((const cop_table *)ud)->row(i);
	return r ? r->name : NULL;
}

static const char *const kinds[] = {[COP_WHOLE] = "a whole number from ", [COP_REAL] = "a number from ",
	[COP_FLAG] = "", [COP_WORD] = "one of ", [COP_CHOICE] = "one of ", [COP_TEXT] = "", [COP_NAMES] = "",
	[COP_RATES] = "a number, or patterns with a number each, from "};

/* v: what was given, NULL for nothing. */
static cop_status bad_value(const cop_options *o, const cop_option *at, const char *v, size_t len)
{
	cop_values values;
	cop_hint hint = {""};
	const char *not = v ? ", not " : "";

	cop__option_values(&values, at);
	if (at->kind == COP_TEXT || at->kind == COP_NAMES)
		return cop__error(o->cx, COP_ARG, "%s: %s must be a text of fewer than %zu characters%s", o->where, at->name,
			at->size, v ? "" : "; it has none");
	char word[64];
	snprintf(word, sizeof word, "%.*s", (int)COP_MIN(len, sizeof word), v ? v : "");
	if (at->among) cop__hint(&hint, word, row_name, (void *)(uintptr_t)at->among);
	else if (at->words) cop__hint_in(&hint, v ? v : "", len, at->words);
	return cop__error(o->cx, COP_ARG, "%s: %s must be %s%s%s%.*s%s", o->where, at->name, kinds[at->kind], values.text, not,
		(int)COP_MIN(len, 60), v ? v : "", hint.text);
}

/* ---- finding ---- */

/* A place where options are: a part, or the row that a choice of it stands for. */
typedef struct group { const cop_option *option; char *to; uint64_t *given; } group;

/* The k-th; false past the last. */
static bool group_at(cop_options *o, int k, group *g)
{
	for (int p = 0; p < LEN(o->part); p++) {
		if (!o->part[p].option) continue;
		*g = (group){o->part[p].option, o->part[p].to, &o->part[p].given};
		if (!k--) return true;
		for (const cop_option *at = o->part[p].option; at->name && o->part[p].to; at++) {
			if (at->kind != COP_CHOICE) continue;
			cop_choice *c = (cop_choice *)((char *)o->part[p].to + at->offset);
			const cop_option *own = at->among->row(c->row)->options;
			*g = (group){own, c->o.bytes, &c->given};
			if (own && !k--) return true;
		}
	}
	return false;
}

/* NULL: there is no such option. */
static const cop_option *find(const cop_options *o, const char *key, size_t len, group *g)
{
	for (int k = 0; group_at((cop_options *)(uintptr_t)o, k, g); k++)
		for (const cop_option *at = g->option; at->name; at++)
			if (is_word(at->name, key, len)) return at;
	return NULL;
}

static uint64_t bit(const group *g, const cop_option *at) { return (uint64_t)1 << (at - g->option); }

static const char *known(void *ud, int i)
{
	group g;

	for (int k = 0; group_at(ud, k, &g); k++)
		for (const cop_option *at = g.option; at->name; at++)
			if (!i--) return at->name;
	return NULL;
}

static cop_status unknown(cop_options *o, const char *key, size_t len)
{
	char word[64];
	cop_values all = {""};
	cop_hint hint;
	const char *name;

	for (int i = 0; (name = known(o, i)); i++) add(&all, name, strlen(name));
	snprintf(word, sizeof word, "%.*s", (int)COP_MIN(len, sizeof word), key);
	return cop__error(o->cx, COP_ARG, "%s: there is no option '%s'; it takes %s%s", o->where, word,
		*all.text ? all.text : "none", cop__hint(&hint, word, known, o));
}

bool cop__option_known(const cop_options *o, const char *key, size_t len)
{
	group g;
	return find(o, key, len, &g) != NULL;
}

bool cop__option_is_choice(const cop_options *o, const char *key, size_t len)
{
	group g;
	const cop_option *at = find(o, key, len, &g);
	return at && at->kind == COP_CHOICE;
}

bool cop__option_given(const cop_options *o, const char *key)
{
	group g;
	const cop_option *at = find(o, key, strlen(key), &g);
	return at && *g.given & bit(&g, at);
}

/* ---- reading ---- */

cop_status cop__option_set(cop_options *o, const char *key, size_t key_len, const char *value, size_t value_len)
{
	group g;
	const cop_option *at = find(o, key, key_len, &g);

	if (!at) return unknown(o, key, key_len);
	if (*g.given & bit(&g, at)) return cop__error(o->cx, COP_ARG, "%s: %s is given twice", o->where, at->name);
	*g.given |= bit(&g, at);
	return put(at, g.to + at->offset, value, value_len) ? COP_OK : bad_value(o, at, value, value_len);
}

cop_status cop__option_rate(cop_options *o, const char *key, const char *pattern, const char *value)
{
	group g;
	const cop_option *at = find(o, key, strlen(key), &g);

	if (!at) return unknown(o, key, strlen(key));
	if (at->kind != COP_RATES) return cop__error(o->cx, COP_ARG, "%s: %s takes one value, not one for each pattern", o->where, at->name);
	cop_rates *r = (cop_rates *)(g.to + at->offset);
	if (!(*g.given & bit(&g, at))) r->n = 0;
	*g.given |= bit(&g, at);
	if (r->n == COP_MAX_RATES) return cop__error(o->cx, COP_ARG, "%s: %s has more than %d patterns", o->where, at->name, COP_MAX_RATES);
	if (strlen(pattern) >= sizeof r->at->layers)
		return cop__error(o->cx, COP_ARG, "%s: %s: the pattern %.60s... is longer than %zu characters", o->where, at->name,
			pattern, sizeof r->at->layers - 1);
	if (rate(r, at, pattern, strlen(pattern), value, strlen(value))) return COP_OK;
	cop_values values;
	return cop__error(o->cx, COP_ARG, "%s: %s: %s must be a number from %s, not %.60s", o->where, at->name, pattern, cop__option_values(&values, at), value);
}

/* From an opening parenthesis behind the one that closes it; end: none does. */
static const char *closed(const char *p, const char *end)
{
	for (int depth = 0; p < end;) {
		depth += (*p == '(') - (*p == ')');
		p++;
		if (!depth) return p;
	}
	return end;
}

bool cop__setting_next(cop_setting *it, const char **at, const char *end)
{
	const char *p = *at;

	while (p < end && is_gap(*p)) p++;
	*it = (cop_setting){.key = p};
	for (; p < end && !is_gap(*p); p++) {
		if (it->value || p == it->key || (*p != '=' && *p != ':')) continue;
		it->key_len = (size_t)(p - it->key);
		it->value = p + 1;
		if (p + 1 < end && p[1] == '(') p = closed(p + 1, end) - 1;
	}
	if (it->value) it->value_len = (size_t)(p - it->value);
	else it->key_len = (size_t)(p - it->key);
	if (it->value_len > 1 && *it->value == '(' && p[-1] == ')') it->value++, it->value_len -= 2;
	*at = p;
	return p > it->key;
}

/* The options that choose a row, or the others. */
static cop_status read_some(cop_options *o, const char *s, size_t len, bool choices)
{
	cop_setting it;

	for (const char *end = s + len; cop__setting_next(&it, &s, end);)
		if (cop__option_is_choice(o, it.key, it.key_len) == choices) COP_TRY(cop__option_set(o, it.key, it.key_len, it.value, it.value_len));
	return COP_OK;
}

cop_status cop__options_read(cop_options *o, const char *s, size_t len)
{
	COP_TRY(read_some(o, s, len, true));
	return read_some(o, s, len, false);
}

cop_status cop__options_end(const cop_options *o)
{
	group g;

	for (int k = 0; group_at((cop_options *)(uintptr_t)o, k, &g); k++)
		for (const cop_option *at = g.option; at->name; at++)
			if (at->needed && !(*g.given & bit(&g, at))) return cop__error(o->cx, COP_ARG, "%s: %s is missing: %s", o->where, at->name, at->help);
	return COP_OK;
}

/* ---- rows ---- */

int cop__row_index(const cop_table *t, const char *name, size_t len)
{
	for (int i = 0; t->row(i); i++)
		if (is_word(t->row(i)->name, name, len)) return i;
	return -1;
}

cop_status cop__no_row(cop_ctx *cx, const char *where, const cop_table *t, const char *name, size_t len)
{
	char word[64];
	cop_values all = {""};
	cop_hint hint;

	for (int i = 0; t->row(i); i++) add(&all, t->row(i)->name, strlen(t->row(i)->name));
	snprintf(word, sizeof word, "%.*s", (int)COP_MIN(len, sizeof word), name);
	return cop__error(cx, COP_ARG, "%s%sthere is no %s '%s'; there are %s%s", where ? where : "", where ? ": " : "", t->one, word, all.text,
		cop__hint(&hint, word, row_name, (void *)(uintptr_t)t));
}

cop_status cop__row_find(int *i, const char **rest, cop_ctx *cx, const char *where, const cop_table *t, const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && !is_gap(s[n]) && s[n] != ':') n++;
	*rest = s + n + (n < len);
	*i = cop__row_index(t, s, n);
	return *i < 0 ? cop__no_row(cx, where, t, s, n) : COP_OK;
}

cop_status cop__row_read(int *i, void *to, size_t room, cop_ctx *cx, const char *where, const cop_table *t, const char *s, size_t len)
{
	const char *rest;
	char place[120];

	COP_TRY(cop__row_find(i, &rest, cx, where, t, s, len));
	const cop_row *r = t->row(*i);
	if (r->size > room) return cop__error(cx, COP_ARG, "%s: the options of '%s' need %zu bytes, there are %zu", t->name, r->name, r->size, room);
	snprintf(place, sizeof place, "%s%s%s", where ? where : "", where ? ": " : "", r->name);
	cop_options o = {.cx = cx, .where = place, .part = {{.option = r->options, .to = to}}};
	cop__options_default(r->options, to);
	COP_TRY(cop__options_read(&o, rest, len - (size_t)(rest - s)));
	return cop__options_end(&o);
}
