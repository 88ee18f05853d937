/* SPDX-License-Identifier: Apache-2.0
 *
 * say - sentences to people, and one JSON object to programs.
 */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

cop_status cli_fail(cli *c, cop_status st, const char *fmt, ...)
{
	va_list ap;

	if (*c->said) return st; /* the first cause wins */
	va_start(ap, fmt);
	vsnprintf(c->said, sizeof c->said, fmt, ap);
	va_end(ap);
	return st;
}

void cli_note(const cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet) return;
	cli_progress_end(c);
	va_start(ap, fmt);
	fputs("coppice: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void cli_out(const cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json) return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

static void put_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char b = (unsigned char)*s;
		if (b == '"' || b == '\\') printf("\\%c", b);
		else if (b < 32) printf("\\u%04x", b);
		else putchar(b);
	}
	putchar('"');
}

/* The separator before a member, and its key. */
static bool begin(cli *c, const char *key)
{
	if (!c->json) return false;
	if (c->members) putchar(',');
	else if (!c->depth) putchar('{');
	c->members++;
	if (key) put_string(key), putchar(':');
	return true;
}

void cli_put_text(cli *c, const char *key, const char *v)
{
	if (begin(c, key)) put_string(v);
}

void cli_put_int(cli *c, const char *key, int64_t v)
{
	if (begin(c, key)) printf("%lld", (long long)v);
}

void cli_put_real(cli *c, const char *key, double v)
{
	if (!begin(c, key)) return;
	if (isfinite(v)) printf("%.9g", v);
	else printf("null");
}

static void open(cli *c, const char *key, char bracket)
{
	if (!begin(c, key)) return;
	putchar(bracket);
	c->depth++;
	c->members = 0;
}

static void close(cli *c, char bracket)
{
	if (!c->json) return;
	putchar(bracket);
	c->depth--;
	c->members = 1;
}

void cli_put_list(cli *c, const char *key)
{
	open(c, key, '[');
}
void cli_put_rows(cli *c, const char *key)
{
	open(c, key, '[');
}
void cli_put_end(cli *c)
{
	close(c, ']');
}
void cli_put_item(cli *c, const char *key)
{
	open(c, key, '{');
}
void cli_put_item_end(cli *c)
{
	close(c, '}');
}

void cli_number_text(char out[32], double v)
{
	char plain[32];
	int n = snprintf(plain, sizeof plain, "%.0f", fabs(v)), at = 0;

	if (n > 18) {
		snprintf(out, 32, "%.4g", v);
		return;
	}
	if (v < 0) out[at++] = '-';
	for (int i = 0; i < n; i++) {
		out[at++] = plain[i];
		if ((n - 1 - i) % 3 == 0 && i < n - 1) out[at++] = ',';
	}
	out[at] = 0;
}
