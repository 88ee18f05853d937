/* SPDX-License-Identifier: Apache-2.0
 *
 * number - numbers in text, and text with numbers in it, the same in every locale. A program that uses the library may have
 * asked for decimal commas; what the library writes would then read back as something else. So nothing else below the
 * command line formats or parses a real number (tools/layers.sh looks for that).
 */
#define _GNU_SOURCE /* uselocale */
#include "core/core.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

/* This thread's locale becomes C until plain_end. glibc and musl keep that locale ready: nothing is allocated. */
typedef struct plain { locale_t c, was; } plain;
static plain plain_begin(void)
{
	plain p = {.c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
	if (p.c) p.was = uselocale(p.c);
	return p;
}

static void plain_end(plain p)
{
	if (!p.c) return;
	uselocale(p.was);
	freelocale(p.c);
}

int cop__vformat(char *out, size_t size, const char *fmt, va_list ap)
{
	plain p = plain_begin();
	int n = vsnprintf(out, size, fmt, ap);
	plain_end(p);
	return n;
}

int cop__format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = cop__vformat(out, size, fmt, ap);
	va_end(ap);
	return n;
}

float cop__float_parse(const char *text, char **end)
{
	plain p = plain_begin();
	float v = strtof(text, end);
	plain_end(p);
	return v;
}

double cop__real_parse(const char *text, char **end)
{
	plain p = plain_begin();
	double v = strtod(text, end);
	plain_end(p);
	return v;
}

const char *cop__float_print(char out[COP_FLOAT_TEXT], float v)
{
	for (int digits = 6; digits <= 9; digits++) {
		cop__format(out, COP_FLOAT_TEXT, "%.*g", digits, (double)v);
		if (cop__float_parse(out, NULL) == v) break;
	}
	return out;
}

long long cop__real_bits(double v)
{
	int64_t b;
	memcpy(&b, &v, sizeof b);
	return b;
}

double cop__real_of_bits(long long bits)
{
	int64_t b = bits;
	double v;
	memcpy(&v, &b, sizeof v);
	return v;
}
