/* SPDX-License-Identifier: Apache-2.0
 *
 * shown - text from files and names, made harmless for where it goes: a terminal or a JSON string.
 */
#include "core/core.h"

#include <stdio.h>

/* Bytes of the UTF-8 character at s (RFC 3629: no overlong form, no surrogate, at most U+10FFFF); 0: there is none. */
static int utf8(const unsigned char *s)
{
	static const struct { unsigned char from, to, low, high; int n; } lead[] = {
		{0x00, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

	for (int i = 0; i < LEN(lead); i++) {
		if (s[0] < lead[i].from || s[0] > lead[i].to) continue;
		if (lead[i].n > 1 && (s[1] < lead[i].low || s[1] > lead[i].high)) return 0;
		for (int k = 2; k < lead[i].n; k++)
			if (s[k] < 0x80 || s[k] > 0xbf) return 0;
		return lead[i].n;
	}
	return 0;
}

/* A command to a terminal: of ASCII, or the second set, which UTF-8 writes as c2 80 to c2 9f. */
static bool control(const unsigned char *s, int n) { return (n == 1 && (s[0] < 32 || s[0] == 127)) || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0); }

/* One piece more, if it fits whole; the length that all would have is counted in any case. */
static void put(char *out, size_t size, size_t *at, const void *piece, size_t n)
{
	if (*at + n < size) {
		memcpy(out + *at, piece, n);
		out[*at + n] = 0;
	} else if (*at < size) {
		out[*at] = 0;
	}
	*at += n;
}

size_t cop_text_shown(char *out, size_t size, const char *text)
{
	char hex[8];
	size_t at = 0;

	if (size) *out = 0;
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		int n = utf8(s), k = n ? n : 1;
		if (n && !control(s, n)) put(out, size, &at, s, (size_t)n);
		for (int i = 0; (!n || control(s, n)) && i < k; i++) put(out, size, &at, hex, (size_t)snprintf(hex, sizeof hex, "\\x%02x", s[i]));
		s += k;
	}
	return at;
}

size_t cop_text_json(char *out, size_t size, const char *text)
{
	char hex[8];
	size_t at = 0;

	if (size) *out = 0;
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		int n = utf8(s);
		if (!n) put(out, size, &at, "\\ufffd", 6);
		else if (*s == '"' || *s == '\\') put(out, size, &at, (char[2]){'\\', (char)*s}, 2);
		else if (n == 1 && (*s < 32 || *s == 127)) put(out, size, &at, hex, (size_t)snprintf(hex, sizeof hex, "\\u%04x", *s));
		else put(out, size, &at, s, (size_t)n);
		s += n ? n : 1;
	}
	return at;
}
