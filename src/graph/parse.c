/* SPDX-License-Identifier: Apache-2.0
 *
 * parse - reads the text form that print.c writes (described there). The text may come from anywhere: every
 * count is checked, names must exist before they are used, and a failure names the line.
 */
#include "core/need.h"
#include "graph/about.h"
#include "graph/ops.h"

#include <stdio.h>
#include <stdlib.h>

typedef cop_word word;

typedef struct parser {
	cop_graph *g;
	const char *at, *end;
	int line;
	word w[64];       /* the words of the line */
	int n;
	cop_vid *temp;    /* nameless values by number */
	int32_t cap_temp;
	char *name;       /* the last name that was read */
	int32_t cap_name;
} parser;

static cop_status bad(parser *p, const char *what, word w)
{
	return cop__error(p->g->cx, COP_FORMAT, "graph text, line %d: %s '%.*s'", p->line, what, COP_MIN(w.len, 60), w.s ? w.s : "");
}

static bool is(word w, const char *s) { return (size_t)w.len == strlen(s) && !memcmp(w.s, s, (size_t)w.len); }

/* Cuts the next line into words. */
static cop_status next_line(parser *p)
{
	p->n = 0;
	p->line++;
	while (p->at < p->end && *p->at != '\n') {
		if (*p->at == ' ' || *p->at == '\r') {
			p->at++;
			continue;
		}
		const char *s = p->at;
		while (p->at < p->end && *p->at != ' ' && *p->at != '\n' && *p->at != '\r') p->at++;
		if (p->n == LEN(p->w)) return bad(p, "too many words, from", (word){s, (int)(p->at - s)});
		p->w[p->n++] = (word){s, (int)(p->at - s)};
	}
	p->at += p->at < p->end;
	return COP_OK;
}

/* A whole number at s; returns the characters used, 0 if there is none or it does not fit. */
static int number(const char *s, int len, int64_t *v)
{
	int i = len && *s == '-', start = i;
	int64_t n = 0;

	for (; i < len && s[i] >= '0' && s[i] <= '9'; i++)
		if ((n = n * 10 + (s[i] - '0')) > UINT32_MAX) return 0;
	*v = start ? -n : n;
	return i > start ? i : 0;
}

/* f32[1,28,28,1] */
static cop_status type(parser *p, word w, cop_type *t)
{
	const char *open = memchr(w.s, '[', (size_t)w.len);
	int64_t v;

	if (!open) return bad(p, "expected a type such as f32[1,10], got", w);
	*t = (cop_type){.dtype = cop__dtype_find(w.s, (size_t)(open - w.s)), .q.axis = -1};
	if (!t->dtype) return bad(p, "unknown number format in", w);
	const char *s = open + 1, *end = w.s + w.len;
	while (s < end && *s != ']') {
		int used = number(s, (int)(end - s), &v);
		if (!used || v < 1 || v > INT32_MAX || t->rank == COP_MAX_DIM) return bad(p, "bad dimensions in", w);
		t->dim[t->rank++] = (int32_t)v;
		s += used;
		if (s < end && *s == ',') s++;
	}
	return s + 1 == end ? COP_OK : bad(p, "expected ] at the end of", w);
}

/* p->name becomes the name that the word stands for. */
static cop_status get_name(parser *p, word w)
{
	COP_TRY(cop__grow(p->g->cx, &p->name, &p->cap_name, w.len, 1));
	return cop__name_get(p->name, w.s, w.len) < 0 ? bad(p, "a zero byte in", w) : COP_OK;
}

static cop_status find(parser *p, word w, cop_vid *v)
{
	int64_t i;

	*v = 0;
	if (is(w, "_")) return COP_OK;
	if (w.s[0] == '%') {
		if (number(w.s + 1, w.len - 1, &i) != w.len - 1 || i < 1 || i >= p->cap_temp || !p->temp[i]) return bad(p, "no such value", w);
		*v = p->temp[i];
		return COP_OK;
	}
	COP_TRY(get_name(p, w));
	*v = cop__find(p->g, p->name);
	return *v ? COP_OK : bad(p, "no such value", w);
}

static cop_status set_name(parser *p, word w, cop_vid v)
{
	int64_t i;

	if (w.s[0] == '%') {
		if (number(w.s + 1, w.len - 1, &i) != w.len - 1 || i < 1 || i > p->g->n_value + 4096) return bad(p, "bad number", w);
		COP_TRY(cop__grow(p->g->cx, &p->temp, &p->cap_temp, (int32_t)i, sizeof *p->temp));
		p->temp[i] = v;
		return COP_OK;
	}
	COP_TRY(get_name(p, w));
	if (cop__find(p->g, p->name)) return bad(p, "the name is used twice:", w);
	cop__name(p->g, v, p->name);
	return COP_OK;
}

/* scale=REAL or zero=INTEGER; false: another word */
static bool quant_word(word w, float *scale, int32_t *zero)
{
	char text[40], rest, *end = text;

	if (w.len >= (int)sizeof text) return false;
	snprintf(text, sizeof text, "%.*s", w.len, w.s);
	if (memcmp(text, "scale=", 6)) return sscanf(text, "zero=%d%c", zero, &rest) == 1;
	*scale = cop__float_parse(text + 6, &end);
	return end > text + 6 && !*end;
}

/* COP_DENSE: the word names none. */
static cop_enc encoding(word w)
{
	for (cop_enc e = COP_DENSE + 1; e < COP_N_ENC; e++)
		if (is(w, cop__enc_text(e))) return e;
	return COP_DENSE;
}

/* input|const|param|state NAME TYPE [ENC BYTES] [of=NAME] [scale=REAL zero=INTEGER] */
static cop_status leaf(parser *p, cop_role role)
{
	cop_type t;
	cop_vid of = 0;
	int64_t v;
	float scale = 0;
	int32_t zero = 0;

	if (p->n < 3) return bad(p, "expected: role name type, got", p->w[0]);
	COP_TRY(type(p, p->w[2], &t));
	for (int i = 3; i < p->n; i++) {
		word w = p->w[i];
		if (w.len > 3 && !memcmp(w.s, "of=", 3)) {
			COP_TRY(find(p, (word){w.s + 3, w.len - 3}, &of));
			if (!of || p->g->value[of].producer) return bad(p, "expected the name of an input, constant, parameter or state in", w);
		} else if (encoding(w) && i + 1 < p->n) {
			t.enc = encoding(w);
			w = p->w[++i];
			if (number(w.s, w.len, &v) != w.len || v < 1 || v > INT32_MAX) return bad(p, "bad length of the encoding", w);
			t.enc_bytes = (uint32_t)v;
		} else if (role != COP_INPUT || !quant_word(w, &scale, &zero)) {
			return bad(p, "unknown word", w);
		}
	}
	COP_TRY(get_name(p, p->w[1]));
	cop_vid id = role == COP_INPUT ? cop__input(p->g, p->name, &t) : cop__data(p->g, role, p->name, &t, NULL);
	if (!id) return p->g->cx->code;
	p->g->value[id].of = of;
	return scale > 0 ? cop__set_quant(p->g, id, scale, zero) : COP_OK;
}

static cop_status attr_words(parser *p, word val, char kind, int count, int32_t *out)
{
	char text[256], *s = text, *end;

	if (val.len >= (int)sizeof text) return bad(p, "too long:", val);
	snprintf(text, sizeof text, "%.*s", val.len, val.s);
	for (int i = 0; *s; i++, s = end + (*end == ',')) {
		if (i == count) return bad(p, "too many values:", val);
		if (kind == 'f') out[i] = cop__bits(cop__float_parse(s, &end));
		else out[i] = (int32_t)strtol(s, &end, 10);
		if (end == s || (*end && *end != ',')) return bad(p, "not a number:", val);
	}
	return COP_OK;
}

static void default_attrs(const cop_op *op, int32_t *attr)
{
	char kind;
	int at = cop__attr_find(op, "lo", &kind, NULL);
	if (at >= 0 && kind == 'f') attr[at] = cop__bits(COP_NO_LO);
	if ((at = cop__attr_find(op, "hi", &kind, NULL)) >= 0 && kind == 'f') attr[at] = cop__bits(COP_NO_HI);
}

typedef struct line { int32_t attr[COP_MAX_ATTR]; cop_vid in[COP_MAX_IN], guard; int n_in; } line;

static cop_status key_value(parser *p, const cop_op *op, word w, const char *eq, line *l)
{
	char name[24], kind;
	word val = {eq + 1, (int)(w.s + w.len - eq - 1)};

	snprintf(name, sizeof name, "%.*s", COP_MIN((int)(eq - w.s), 23), w.s);
	if (!strcmp(name, "guard")) return find(p, val, &l->guard);
	int count, at = cop__attr_find(op, name, &kind, &count);
	if (at < 0) return bad(p, "the op has no such attribute:", w);
	return attr_words(p, val, kind, count, l->attr + at);
}

static const char *op_name(void *ud, int i)
{
	(void)ud;
	return i + 1 < COP_N_OP ? cop_ops[i + 1]->name : NULL;
}

static cop_status unknown_op(parser *p, word w)
{
	char name[40];
	cop_hint hint;

	snprintf(name, sizeof name, "%.*s", COP_MIN(w.len, 39), w.s);
	return cop__error(p->g->cx, COP_FORMAT, "graph text, line %d: unknown op '%s'%s", p->line, name, cop__hint(&hint, name, op_name, NULL));
}

/* RESULT... = OP INPUT... key=value... */
static cop_status node(parser *p)
{
	line l = {0};
	int eq = 0;

	while (eq < p->n && !is(p->w[eq], "=")) eq++;
	if (eq + 1 >= p->n || !eq || eq > COP_MAX_OUT) return bad(p, "expected: results = op inputs, got", p->w[0]);
	int opcode = cop__op_find(p->w[eq + 1].s, (size_t)p->w[eq + 1].len);
	if (!opcode) return unknown_op(p, p->w[eq + 1]);
	const cop_op *op = cop_ops[opcode];
	default_attrs(op, l.attr);
	for (int i = eq + 2; i < p->n; i++) {
		const char *e = memchr(p->w[i].s, '=', (size_t)p->w[i].len);
		if (e) {
			COP_TRY(key_value(p, op, p->w[i], e, &l));
			continue;
		}
		if (l.n_in == COP_MAX_IN) return bad(p, "too many inputs, from", p->w[i]);
		COP_TRY(find(p, p->w[i], &l.in[l.n_in++]));
	}
	cop_nid n = cop__node(p->g, opcode, l.attr, l.n_in, l.in);
	if (!n) return p->g->cx->code;
	p->g->node[n].guard = l.guard;
	if (eq > op->n_out) return bad(p, "more results than the op has:", p->w[eq + 1]);
	for (int i = 0; i < eq; i++) {
		if (is(p->w[i], "_")) continue;
		cop_vid v = cop__want_out(p->g, n, i);
		if (!v) return p->g->cx->code;
		COP_TRY(set_name(p, p->w[i], v));
	}
	return COP_OK;
}

static cop_status statement(parser *p)
{
	static const char *const role[] = {[COP_INPUT] = "input", [COP_CONST] = "const", [COP_PARAM] = "param", [COP_STATE] = "state"};
	cop_vid v;
	float scale = 0;
	int32_t zero = 0;

	for (int i = 1; i < p->n; i++) /* a node, whatever its results are called: exporters call them "output", too */
		if (is(p->w[i], "=")) return node(p);
	for (int r = COP_INPUT; r < LEN(role); r++)
		if (is(p->w[0], role[r])) return leaf(p, (cop_role)r);
	if (is(p->w[0], "graph")) {
		if (p->n != 2) return bad(p, "expected: graph name, got", p->w[0]);
		COP_TRY(get_name(p, p->w[1]));
		p->g->name = cop__arena_str(&p->g->mem, p->name, strlen(p->name));
		return p->g->name ? COP_OK : COP_NOMEM;
	}
	bool about;
	COP_TRY(cop__about_line(p->g, p->line, p->w, p->n, &about));
	if (about) return COP_OK;
	if (!is(p->w[0], "output")) return node(p);
	if (p->n < 2) return bad(p, "expected: output name, got", p->w[0]);
	COP_TRY(find(p, p->w[1], &v));
	for (int i = 2; i < p->n; i++)
		if (!quant_word(p->w[i], &scale, &zero)) return bad(p, "unknown word", p->w[i]);
	if (!v) return bad(p, "no such value", p->w[1]);
	COP_TRY(cop__output(p->g, v, NULL));
	return scale > 0 ? cop__set_quant(p->g, v, scale, zero) : COP_OK;
}

cop_status cop__graph_parse(cop_graph **out, cop_ctx *cx, const char *text, size_t size)
{
	parser p = {.at = text, .end = text + size};
	cop_status st = cop__graph_new(out, cx, NULL);

	if (st) return st;
	p.g = *out;
	while (!st && p.at < p.end)
		if (!(st = next_line(&p)) && p.n && p.w[0].s[0] != '#') st = statement(&p);
	cop__free(cx, p.temp);
	cop__free(cx, p.name);
	if (!st) st = cop__verify_form(p.g);
	if (!st) st = cop__about_check(p.g);
	if (!st) return COP_OK;
	cop_graph_free(*out);
	*out = NULL;
	return st;
}

cop_status cop_graph_parse(cop_graph **out, cop_ctx *cx, const char *text, size_t size)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, text);
	COP_TRY(cop__graph_parse(out, cx, text, size));
	cop_status st = cop_graph_verify(*out);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}
