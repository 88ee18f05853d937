/* SPDX-License-Identifier: Apache-2.0
 *
 * text - a growing text, and names as words of the text form of a graph.
 */
#include "core/core.h"

void cop__text_init(cop_text *t, cop_ctx *cx) { *t = (cop_text){.cx = cx}; }

/* Room for `more` bytes and a closing zero. */
static bool room(cop_text *t, size_t more)
{
	if (t->status) return false;
	if (t->len + more + 1 <= t->cap) return true;
	size_t cap = COP_MAX(t->cap * 2, t->len + more + 256);
	char *p = cop__realloc(t->cx, t->data, t->cap, cap);
	if (!p) {
		t->status = COP_NOMEM;
		return false;
	}
	t->data = p;
	t->cap = cap;
	return true;
}

void cop__text_bytes(cop_text *t, const void *bytes, size_t size)
{
	if (!size || !room(t, size)) return;
	memcpy(t->data + t->len, bytes, size);
	t->len += size;
	t->data[t->len] = 0;
}

void cop__text_add(cop_text *t, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = cop__vformat(NULL, 0, fmt, ap);
	if (n >= 0 && room(t, (size_t)n)) {
		cop__vformat(t->data + t->len, (size_t)n + 1, fmt, again);
		t->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

void cop__text_free(cop_text *t)
{
	cop__free(t->cx, t->data);
	*t = (cop_text){.cx = t->cx};
}

/* ---- names in the text form ---- */

static bool apart(const char *name, size_t i)
{
	unsigned char b = (unsigned char)name[i];
	return b <= ' ' || b == 127 || b == '\\' || b == '=' || (!i && (b == '%' || b == '#' || !strcmp(name, "_")));
}

void cop__name_put(cop_text *t, const char *name)
{
	for (size_t i = 0; name[i]; i++) {
		if (apart(name, i)) cop__text_add(t, "\\x%02x", (unsigned char)name[i]);
		else cop__text_bytes(t, name + i, 1);
	}
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

int cop__name_get(char *out, const char *s, int len)
{
	int n = 0;

	for (int i = 0; i < len; i++) {
		bool escape = s[i] == '\\' && i + 3 < len && s[i + 1] == 'x' && hex(s[i + 2]) >= 0 && hex(s[i + 3]) >= 0;
		int b = escape ? hex(s[i + 2]) * 16 + hex(s[i + 3]) : (unsigned char)s[i];
		if (!b) return -1;
		out[n++] = (char)b;
		i += 3 * escape;
	}
	out[n] = 0;
	return n;
}
