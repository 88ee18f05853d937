/* SPDX-License-Identifier: Apache-2.0
 *
 * words - the options of a command line, looked at before they are parsed, so that a mistyped one is answered with the nearest there is;
 * and how a wrong line ends.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 128 };
typedef struct words {
	const struct argp_option *at[MOST + 1];
	int n;
	const char *verb;
	bool json;
} words;

bool cli_wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json")) return true;
	return false;
}

static CLI_PRINTF(3, 0) _Noreturn void end(const char *verb, bool json, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof text, fmt, ap);
	if (json) cli_put_error(NULL, text, COP_ARG);
	cli_show(stderr, "%s: %s\nTry '%s --help'.\n", verb, text, verb);
	exit(-COP_ARG);
}

void cli_misuse(const struct argp_state *state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(state->name, cli_wants_json(state->argc, state->argv), fmt, ap);
}

static CLI_PRINTF(2, 3) _Noreturn void wrong(const words *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(w->verb, w->json, fmt, ap);
}

static void collect(words *w, const struct argp *a)
{
	for (const struct argp_option *o = a->options; o && (o->name || o->key || o->doc); o++)
		if (w->n < MOST && o->name) w->at[w->n++] = o;
	for (const struct argp_child *k = a->children; k && k->argp; k++) collect(w, k->argp);
}

static const char *long_name(void *ud, int i)
{
	const words *w = ud;
	return i < w->n ? w->at[i]->name : NULL;
}

/* By its name, or the beginning of one that no other shares. */
static const struct argp_option *find_long(words *w, const char *name, size_t n)
{
	const struct argp_option *found = NULL;
	char whole[64];
	int begins = 0;

	for (int i = 0; i < w->n; i++) {
		if (strncmp(w->at[i]->name, name, n)) continue;
		if (!w->at[i]->name[n]) return w->at[i];
		found = w->at[i], begins++;
	}
	if (begins == 1) return found;
	snprintf(whole, sizeof whole, "%.*s", (int)n, name);
	int near = begins ? -1 : cop_nearest(whole, long_name, w);
	if (begins) wrong(w, "--%s is the beginning of several options", whole);
	if (near >= 0) wrong(w, "there is no option '--%s'; did you mean '--%s'?", whole, w->at[near]->name);
	wrong(w, "there is no option '--%s'", whole);
}

static const struct argp_option *find_short(const words *w, char letter)
{
	for (int i = 0; i < w->n; i++)
		if (w->at[i]->key == letter) return w->at[i];
	wrong(w, "there is no option '-%c'", letter);
}

/* Of "-qo FILE"; returns whether the next argument is a value. */
static bool cluster(words *w, const char *letters)
{
	for (const char *p = letters; *p; p++)
		if (find_short(w, *p)->arg) return !p[1];
	return false;
}

static bool long_one(words *w, const char *arg)
{
	size_t n = strcspn(arg, "=");
	const struct argp_option *o = find_long(w, arg, n);

	if (arg[n] && !o->arg) wrong(w, "--%s takes no value", o->name);
	return o->arg && !arg[n] && !(o->flags & OPTION_ARG_OPTIONAL);
}

void cli_check_options(const cli *c, const struct argp *a, int argc, char **argv)
{
	static const struct argp_option own[] = {{"help", '?', NULL, 0, NULL, 0}, {"usage", 0, NULL, 0, NULL, 0}, {0}};
	words w = {.verb = argv[0], .json = c->json};

	collect(&w, a);
	collect(&w, &(struct argp){.options = own});
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		static char help[] = "--help";
		const char *arg = argv[i];
		if (*arg != '-' || !arg[1]) continue;
		if (!strcmp(arg, "-h")) argv[i] = help;
		if (!strcmp(argv[i], help)) return;
		bool value = arg[1] == '-' ? long_one(&w, arg + 2) : cluster(&w, arg + 1);
		if (value && (++i == argc || !strncmp(argv[i], "--", 2))) wrong(&w, "%s needs a value behind it", arg);
	}
}
