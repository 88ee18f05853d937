/* SPDX-License-Identifier: Apache-2.0
 *
 * network - a network of one's own as text (docs/networks.md), a line for each layer:
 *
 *   [NAME =] LAYER [NAME...] [NUMBER...] [3x3] [OPTION...]
 *
 * A layer takes the result of the line above it, unless names of earlier results stand behind its word. '#' begins a remark. Shapes follow
 * from the input, weights are drawn from the seed. The text may come from anywhere: a failure names the line and the nearest word.
 */
#include "zoo/layer.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_WORDS = 24, MOST_WORD = 48, MOST_SIZE = 1 << 20, MOST_LINES = 10000 };

typedef struct named { char name[MOST_WORD]; cop_vid v; } named;
typedef struct text {
	cop_zoo z;
	cop_ctx *cx;
	const char *at, *end;
	char word[MOST_WORDS][MOST_WORD];
	int n;             /* words of the line */
	cop_vid last;      /* result of the line above; 0: there is none */
	named *known;
	int32_t n_known, cap_known;
	int32_t made;      /* layers so far */
} text;

#define WRONG(t, ...) wrong(t, __VA_ARGS__)
static COP_PRINTF(2, 3) cop_status wrong(text *t, const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	cop__vformat(what, sizeof what, fmt, ap);
	va_end(ap);
	return cop__error(t->cx, COP_FORMAT, "%s, line %d: %s", t->z.file, t->z.line, what);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == ','; }

/* "a = conv 8" is cut at '=' as at blanks. */
static cop_status cut(text *t)
{
	t->n = 0;
	t->z.line++;
	while (t->at < t->end && *t->at != '\n' && *t->at != '#') {
		if (is_blank(*t->at)) {
			t->at++;
			continue;
		}
		const char *s = t->at;
		if (*t->at == '=') t->at++;
		else
			while (t->at < t->end && *t->at != '\n' && *t->at != '#' && *t->at != '=' && !is_blank(*t->at)) t->at++;
		if (t->n == MOST_WORDS) return WRONG(t, "more than %d words", MOST_WORDS);
		if (t->at - s >= MOST_WORD) return WRONG(t, "'%.20s...' is longer than %d characters", s, MOST_WORD - 1);
		for (const char *p = s; p < t->at; p++)
			if ((unsigned char)*p <= 32 || *p == 127) return WRONG(t, "a character that is no text");
		snprintf(t->word[t->n++], MOST_WORD, "%.*s", (int)(t->at - s), s);
	}
	while (t->at < t->end && *t->at != '\n') t->at++;
	if (t->at < t->end) t->at++;
	return COP_OK;
}

static cop_vid find(const text *t, const char *name)
{
	for (int32_t i = 0; i < t->n_known; i++)
		if (!strcmp(t->known[i].name, name)) return t->known[i].v;
	return 0;
}

/* A whole number from 1 on, and what ends it; NULL: it is none. */
static const char *whole(const char *s, int32_t *v)
{
	char *end;
	long n = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : 0;

	if (n < 1 || n > 1 << 20) return NULL;
	*v = (int32_t)n;
	return end;
}

/* "3x3", or one number for both. */
static bool kernel(const char *s, cop_layer_line *l)
{
	int32_t h, w;
	const char *x = whole(s, &h), *end = x && *x == 'x' ? whole(x + 1, &w) : x;

	if (!x) return false;
	if (!*x) w = h;
	if (!end || *end || l->kh) return false;
	return l->kh = h, l->kw = w, true;
}

static cop_status unknown(text *t, const char *word, const cop_layer_row *row)
{
	char known[1024] = "stride pad norm dirac every relu relu6 sigmoid tanh gelu hswish";
	cop_hint hint;

	for (int32_t i = 0; i < t->n_known && strlen(known) < 900; i++) snprintf(known + strlen(known), MOST_WORD + 2, " %s", t->known[i].name);
	return WRONG(t, "'%s' is no option and no earlier result; it is written: %s%s", word, row->usage, cop__hint_in(&hint, word, strlen(word), known));
}

/* An option at word i; *i moves over what belongs to it. */
static cop_status option(text *t, int *i, const cop_layer_row *row, cop_layer_line *l)
{
	const char *word = t->word[*i], *next = *i + 1 < t->n ? t->word[*i + 1] : "", *end;

	if (!strcmp(word, "stride")) {
		end = whole(next, &l->stride);
		if (!end || *end || l->stride > 64) return WRONG(t, "stride needs a whole number from 1 to 64 behind it");
		return ++*i, COP_OK;
	}
	if (!strcmp(word, "pad")) {
		l->valid = !strcmp(next, "valid");
		if (!l->valid && strcmp(next, "same")) return WRONG(t, "pad needs 'same' or 'valid' behind it");
		return ++*i, COP_OK;
	}
	if (!strcmp(word, "norm")) return l->norm = true, COP_OK;
	if (!strcmp(word, "every")) return l->every = true, COP_OK;
	if (!strcmp(word, "dirac")) return l->dirac = true, COP_OK;
	if (!cop__is_activation(word)) return unknown(t, word, row);
	l->act = word;
	return COP_OK;
}

/* The words from i on: names, numbers, a kernel, options. */
static cop_status details(text *t, int i, const cop_layer_row *row, cop_layer_line *l)
{
	for (; i < t->n; i++) {
		const char *word = t->word[i], *end;
		int32_t number;
		cop_vid v = find(t, word);
		if (v) {
			if (l->n_in == row->most_in) return WRONG(t, "'%s' is one result too many; it is written: %s", word, row->usage);
			l->in[l->n_in++] = v;
		} else if ((end = whole(word, &number)) && !*end && l->n_number < row->most_number) {
			l->number[l->n_number++] = number;
		} else if (end && strstr(row->usage, "3x3") && kernel(word, l)) {
			if (l->kh > 1024 || l->kw > 1024) return WRONG(t, "'%s': a kernel has at most 1024x1024 places", word);
		} else if (end) {
			return WRONG(t, "'%s' is one number too many; it is written: %s", word, row->usage);
		} else {
			COP_TRY(option(t, &i, row, l));
		}
	}
	if (l->n_number < row->least_number) return WRONG(t, "a number is missing; it is written: %s", row->usage);
	if (!l->n_in && row->most_in && row->least_in == 1) l->in[l->n_in++] = t->last;
	if (l->n_in == 1 && row->least_in == 2 && l->in[0] != t->last) l->in[l->n_in++] = t->last; /* "add a": to the line above */
	if (l->n_in < row->least_in) return WRONG(t, "names of earlier results are missing; it is written: %s", row->usage);
	return COP_OK;
}

/* What the options say and the layer does not have. */
static cop_status suits(text *t, const cop_layer_row *row, const cop_layer_line *l)
{
	const struct { bool given; const char *word, *text; } all[] = {{l->stride > 0, "stride", "stride"},
		{l->valid, "pad", "pad"}, {l->norm, "norm", "norm"}, {l->every, "every", "every"}, {l->dirac, "dirac", "dirac"},
		{l->act, "ACTIVATION", l->act}};

	for (int i = 0; i < LEN(all); i++)
		if (all[i].given && !strstr(row->usage, all[i].word)) return WRONG(t, "'%s' has no use for %s; it is written: %s", row->word, all[i].text, row->usage);
	return COP_OK;
}

/* "conv1", "conv2": a name that no weights have yet. */
static void name_weights(text *t, char out[MOST_WORD], const char *word)
{
	char weights[MOST_WORD + 16];
	int k = 0;

	do {
		snprintf(out, MOST_WORD, "%.30s%d", word, ++k);
		snprintf(weights, sizeof weights, "%s.w", out);
		if (!strcmp(word, "norm")) snprintf(weights, sizeof weights, "%s.bn.gamma", out);
		if (!strcmp(word, "rsign")) snprintf(weights, sizeof weights, "%s.shift", out);
		if (!strcmp(word, "rprelu")) snprintf(weights, sizeof weights, "%s.slope", out);
	} while (cop__find(t->z.g, weights) || find(t, out));
}

static cop_status remember(text *t, const char *name, cop_vid v)
{
	COP_TRY(cop__grow(t->cx, &t->known, &t->cap_known, t->n_known, sizeof *t->known));
	snprintf(t->known[t->n_known].name, MOST_WORD, "%s", name);
	t->known[t->n_known++].v = v;
	return COP_OK;
}

static const char *const options[] = {"stride", "pad", "same", "valid", "norm", "every"};

static cop_status may_be_called(text *t, const char *name)
{
	int32_t number;

	for (int i = 0; cop__layer_word(NULL, i); i++)
		if (!strcmp(name, cop__layer_word(NULL, i))) return WRONG(t, "'%s' is a layer; give the result another name", name);
	for (int i = 0; i < LEN(options); i++)
		if (!strcmp(name, options[i])) return WRONG(t, "'%s' is an option; give the result another name", name);
	if (whole(name, &number) || !strcmp(name, "=") || strpbrk(name, "|*:")) return WRONG(t, "'%s' cannot be the name of a result", name);
	return find(t, name) ? WRONG(t, "the name '%s' is taken", name) : COP_OK;
}

static cop_status layer(text *t, int i, const char *name)
{
	const char *word = t->word[i];
	char own[MOST_WORD];
	int k = 0;
	cop_hint hint;

	while (cop__layer_word(NULL, k) && strcmp(cop__layer_word(NULL, k), word)) k++;
	if (!cop__layer_word(NULL, k)) return WRONG(t, "there is no layer '%s'; docs/networks.md lists them%s", word, cop__hint(&hint, word, cop__layer_word, NULL));
	const cop_layer_row *row = &cop__layer_rows[k];
	bool input = !strcmp(word, "input");
	if (!input && !t->made) return WRONG(t, "the first layer must be 'input', the size of a sample: input 28 28 1");
	if (input && t->made) return WRONG(t, "there is an input already; a network has one");
	cop_layer_line l = {.name = name};
	if (input && !name && i + 1 < t->n && !strchr("0123456789", *t->word[i + 1])) COP_TRY(may_be_called(t, name = t->word[++i])); /* "input x 28 28 1" */
	COP_TRY(details(t, i + 1, row, &l));
	COP_TRY(suits(t, row, &l));
	if (!name && !input) name_weights(t, own, word);
	l.name = name ? name : input ? "x" : own;
	t->z.word = word;
	t->last = row->add(&t->z, &l);
	t->made++;
	if (!t->last) return cop__failed(t->cx);
	return name ? remember(t, name, t->last) : COP_OK;
}

static cop_status line(text *t)
{
	if (t->n < 2 || strcmp(t->word[1], "=")) return layer(t, 0, NULL);
	if (t->n < 3) return WRONG(t, "a layer is expected behind '='");
	COP_TRY(may_be_called(t, t->word[0]));
	char name[MOST_WORD];
	memcpy(name, t->word[0], sizeof name);
	return layer(t, 2, name);
}

/* What an operator said of its own gets the line. */
static cop_status with_line(text *t, cop_status st)
{
	char said[400];
	size_t n = strlen(t->z.file);

	if (!st || st == COP_NOMEM || !strncmp(cop_error_text(t->cx), t->z.file, n)) return st;
	snprintf(said, sizeof said, "%s", cop_error_text(t->cx));
	cop_error_clear(t->cx);
	return cop__error(t->cx, st, "%s, line %d: %.300s", t->z.file, t->z.line, said);
}

/* A graph's name is a word. */
static void graph_name(char out[64], const char *file)
{
	const char *slash = strrchr(file, '/'), *s = slash ? slash + 1 : file, *dot = strrchr(s, '.');
	int n = 0;

	for (; *s && s != dot && n < 63; s++)
		out[n++] = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-' || *s == '.'
			? *s : '_';
	if (!n) out[n++] = 'x';
	out[n] = 0;
}

cop_status cop_network_read(cop_graph **out, cop_ctx *cx, const char *file, const void *bytes, size_t size, uint64_t seed)
{
	text *t = cop__alloc(cx, sizeof *t);
	char name[64];
	cop_status st = t ? COP_OK : COP_NOMEM;

	*out = NULL;
	if (!t) return st;
	*t = (text){.z = {.seed = seed, .batch = 1, .eps = 1e-5f, .momentum = 0.1f, .name = file, .file = file, .rest = ""}, .cx = cx, .at = bytes, .end = (const char *)bytes + size};
	graph_name(name, file);
	if (size > MOST_SIZE) st = cop__error(cx, COP_FORMAT, "%s: a network as text has at most 1 MiB", file);
	if (!st) st = cop__graph_new(&t->z.g, cx, name);
	while (!st && t->at < t->end && t->z.line < MOST_LINES)
		if (!(st = cut(t)) && t->n) st = with_line(t, line(t));
	if (!st && t->at < t->end) st = WRONG(t, "there are more than %d lines", MOST_LINES);
	if (!st && t->made < 2) st = cop__error(cx, COP_FORMAT, "%s: there is no layer behind the input", file);
	if (!st) st = cop__output(t->z.g, t->last, "y");
	if (!st) st = cop_graph_verify(t->z.g);
	if (!st) t->z.g->value[t->z.g->input[0]].lead = 1, t->z.g->value[t->z.g->input[0]].samples = 1;
	if (st) cop_graph_free(t->z.g);
	else *out = t->z.g;
	cop__free(cx, t->known);
	cop__free(cx, t);
	return st;
}
