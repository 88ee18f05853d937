/* SPDX-License-Identifier: Apache-2.0
 *
 * words - names, types and numbers as C has them.
 */
#include "emit/embedded.h"
#include "emit/emit.h"

#include <stdio.h>

const char *cop__emit_plain(char buf[96], const char *name)
{
	int n = 0;

	for (; name && name[n] && n < 95; n++) {
		char c = name[n];
		buf[n] = c < ' ' || c > '~' || c == '*' || c == '/' || c == '\\' || c == '?' ? '_' : c;
	}
	buf[n] = 0;
	return buf;
}

const char *cop__emit_ctype(const cop_type *t)
{
	switch (t->dtype) {
	case COP_F32: return "float";
	case COP_I32: return "int32_t";
	case COP_I8: return "int8_t";
	case COP_I16: return "int16_t";
	default: return "uint8_t";
	}
}

const char *cop__emit_numbered(char buf[24], const char *word, int i)
{
	snprintf(buf, 24, i ? "%s%d" : "%s", word, i + 1);
	return buf;
}

/* Nine digits bring the same float back; the point is a point in any locale. */
void cop__emit_float(cop_text *o, float v)
{
	char text[40];

	cop__format(text, sizeof text, "%.9g", (double)v);
	for (char *p = text; *p; p++)
		if (*p == ',') *p = '.';
	cop__text_add(o, "%s%sf", text, strpbrk(text, ".en") ? "" : ".0");
}

uint32_t cop__emit_version(void)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (const cop_embedded *f = cop_embedded_files; f->path; f++)
		for (size_t i = 0; i < f->size && !strncmp(f->path, "src/kernel/", 11); i++) h = (h ^ f->bytes[i]) * 16777619u;
	return h;
}
