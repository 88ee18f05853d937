/* SPDX-License-Identifier: Apache-2.0
 *
 * say - sentences to people, and one JSON object to programs.
 */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without what would command a terminal: names and files may hold that. Lines and columns are our own. */
static void put_shown(FILE *f, char *text, char *room, size_t size)
{
	for (size_t n; *text; text += n) {
		n = strcspn(text, "\n\t");
		if (!n) {
			fputc(text[n++], f);
			continue;
		}
		char behind = text[n];
		text[n] = 0;
		cop_text_shown(room, size, text);
		fputs(room, f);
		text[n] = behind;
	}
}

static void vshow(FILE *f, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	size_t size = n < 0 ? 1 : (size_t)n + 1;
	char *text = malloc(5 * size + 8); /* as it is, and behind it as it is shown */
	if (text && n >= 0) {
		vsnprintf(text, size, fmt, ap);
		put_shown(f, text, text + size, 4 * size + 8);
	}
	free(text);
}

void cli_show(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vshow(f, fmt, ap);
	va_end(ap);
}

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
	vshow(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void cli_out(const cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json || c->quiet) return;
	va_start(ap, fmt);
	vshow(stdout, fmt, ap);
	va_end(ap);
}

static void put_string(FILE *f, const char *s)
{
	size_t n = cop_text_json(NULL, 0, s) + 1;
	char *text = malloc(n);

	if (text) cop_text_json(text, n, s);
	fprintf(f, "\"%s\"", text ? text : "");
	free(text);
}

void cli_put_error(const char *before, const char *text, cop_status st)
{
	if (before) printf("%s,\"error\":", before);
	else printf("{\"version\":%d,\"coppice\":\"%s\",\"error\":", CLI_JSON_VERSION, COP_VERSION);
	put_string(stdout, text);
	printf(",\"code\":%d}\n", -st);
}

/* The separator before a member, and its key. */
static bool begin(cli *c, const char *key)
{
	if (!c->object) return false;
	if (c->members++) putc(',', c->object);
	if (key) put_string(c->object, key), putc(':', c->object);
	return true;
}

void cli_put_text(cli *c, const char *key, const char *v)
{
	if (begin(c, key)) put_string(c->object, v);
}

void cli_put_bool(cli *c, const char *key, bool v)
{
	if (begin(c, key)) fputs(v ? "true" : "false", c->object);
}

void cli_put_int(cli *c, const char *key, int64_t v)
{
	if (begin(c, key)) fprintf(c->object, "%lld", (long long)v);
}

void cli_put_real(cli *c, const char *key, double v)
{
	if (!begin(c, key)) return;
	if (isfinite(v)) fprintf(c->object, "%.9g", v);
	else fputs("null", c->object);
}

static void open(cli *c, const char *key, char bracket)
{
	if (!begin(c, key)) return;
	putc(bracket, c->object);
	c->depth++;
	c->members = 0;
}

static void close(cli *c, char bracket)
{
	if (!c->object) return;
	putc(bracket, c->object);
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
