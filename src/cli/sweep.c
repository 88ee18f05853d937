/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep - a recipe again and again, with each combination of some of its options and of the seed: one run of this program each, one row of a table (CSV) each.
 * The table is written after every run, and rows that it has are not run again.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AXES = 8, MOST_VALUES = 64, VALUE = 48, MOST_RUNS = 10000, ROOM = 1 << 20, MOST_ARGS = 256 };
typedef struct axis { char name[32], value[MOST_VALUES][VALUE]; int n; } axis;
typedef struct sweep {
	cli *c;
	axis *axis;
	int n, runs;
	char *recipe;          /* its text */
	size_t size;
	char *table;           /* [ROOM] the CSV so far */
	const char *out;
} sweep;

static const char *const columns[] = {"accuracy_before", "accuracy", "parameters", "nonzero", "macs", "flash_bytes",
	"ram_bytes", "file_bytes", "factor", "stages_kept"};

/* ---- "keep=0.5,0.2 seed=1..3" ---- */

/* "1..3": whole numbers; else a value as it is. */
static cop_status add_value(cli *c, axis *a, const char *text, size_t len)
{
	char *dots = NULL, *end = NULL;
	long from = 0, to = 0;

	if (!len || len >= VALUE) return cli_fail(c, COP_ARG, "--sweep: %s: a value was expected, of fewer than %d characters", a->name, VALUE);
	char v[VALUE];
	snprintf(v, sizeof v, "%.*s", (int)len, text);
	if ((dots = strstr(v, ".."))) {
		from = strtol(v, &end, 10);
		bool good = end == dots && end != v;
		to = strtol(dots + 2, &end, 10);
		if (!good || *end || end == dots + 2 || to < from)
			return cli_fail(c, COP_ARG, "--sweep: %s=%s: whole numbers from one to another were expected, as 1..3", a->name, v);
	}
	for (long i = from; i <= to; i++) {
		if (a->n == MOST_VALUES) return cli_fail(c, COP_ARG, "--sweep: %s has more than %d values", a->name, MOST_VALUES);
		if (dots) snprintf(a->value[a->n++], VALUE, "%ld", i);
		else snprintf(a->value[a->n++], VALUE, "%s", v);
	}
	return COP_OK;
}

static cop_status add_axis(sweep *s, const char *p, size_t len)
{
	const char *eq = memchr(p, '=', len), *end = p + len;
	axis *a = &s->axis[s->n];

	if (s->n == MOST_AXES) return cli_fail(s->c, COP_ARG, "--sweep: more than %d options", MOST_AXES);
	if (!eq || eq == p || eq - p >= (long)sizeof a->name)
		return cli_fail(s->c, COP_ARG, "--sweep: '%.*s': an option with values was expected, as keep=0.5,0.2 or seed=1..3",
			(int)len, p);
	snprintf(a->name, sizeof a->name, "%.*s", (int)(eq - p), p);
	for (int i = 0; i < s->n; i++)
		if (!strcmp(a->name, s->axis[i].name)) return cli_fail(s->c, COP_ARG, "--sweep: %s stands there twice", a->name);
	s->n++;
	for (p = eq + 1; p <= end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		if (!comma) comma = end;
		CLI_TRY(add_value(s->c, a, p, (size_t)(comma - p)));
		p = comma + 1;
	}
	s->runs *= a->n;
	return s->runs <= MOST_RUNS ? COP_OK : cli_fail(s->c, COP_ARG, "--sweep: more than %d runs", MOST_RUNS);
}

static cop_status parse(sweep *s, const char *text)
{
	s->runs = 1;
	for (const char *p = text; *(p += strspn(p, " ")); p += strcspn(p, " ")) CLI_TRY(add_axis(s, p, strcspn(p, " ")));
	return s->n ? COP_OK : cli_fail(s->c, COP_ARG, "--sweep: nothing to vary: give options of the recipe with values, as \"keep=0.5,0.2 seed=1..3\"");
}

/* ---- a recipe with another value ---- */

static bool in_word(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

static const char *end_of_value(const char *p)
{
	if (*p == '"' || *p == '{') {
		const char *close = strchr(p + 1, *p == '"' ? '"' : '}');
		return close ? close + 1 : p + strlen(p);
	}
	return p + strcspn(p, ",}\n");
}

/* text with `name: value` in each place where the option is set; NULL: it is set nowhere. */
static char *with(const char *text, const char *name, const char *value)
{
	size_t n = strlen(name), room = strlen(text) + 1;
	char *out, *to;
	bool any = false;

	for (const char *p = text; (p = strstr(p, name)); p += n) room += strlen(value);
	if (!(out = to = malloc(room))) return NULL;
	for (const char *p = text; *p;) {
		bool here = !strncmp(p, name, n) && p[n] == ':' && (p == text || !in_word(p[-1]));
		if (!here) { *to++ = *p++; continue; }
		to += sprintf(to, "%s: %s", name, value);
		p = end_of_value(p + n + 1 + strspn(p + n + 1, " "));
		any = true;
	}
	*to = 0;
	if (any) return out;
	free(out);
	return NULL;
}

static cop_status recipe_of(sweep *s, const int *at, const char *path)
{
	char *text = strdup(s->recipe);

	for (int i = 0; text && i < s->n; i++) {
		if (!strcmp(s->axis[i].name, "seed")) continue;
		char *next = with(text, s->axis[i].name, s->axis[i].value[at[i]]);
		free(text);
		if (!(text = next)) return cli_fail(s->c, COP_ARG, "--sweep: no stage of the recipe sets '%s': write it there, with any value", s->axis[i].name);
	}
	cop_status st = text ? cop_file_write(s->c->cx, path, text, strlen(text)) : COP_NOMEM;
	free(text);
	return st;
}

/* ---- runs ---- */

static void begin_of_row(char *out, size_t size, const sweep *s, const int *at)
{
	size_t n = 0;

	for (int i = 0; i < s->n && n < size; i++) n += (size_t)snprintf(out + n, size - n, "%s,", s->axis[i].value[at[i]]);
}

static bool has_row(const sweep *s, const char *begin)
{
	for (const char *p = s->table; (p = strchr(p, '\n')); p++)
		if (!strncmp(p + 1, begin, strlen(begin))) return true;
	return false;
}

static void add_row(sweep *s, const char *begin, const char *json)
{
	size_t n = strlen(s->table);

	n += (size_t)snprintf(s->table + n, ROOM - n, "%s", begin);
	for (int i = 0; i < LEN(columns) && n < ROOM; i++) {
		char key[40];
		snprintf(key, sizeof key, "\"%s\":", columns[i]);
		const char *v = strstr(json, key);
		int len = v ? (int)strcspn(v += strlen(key), ",}\n") : 0;
		n += (size_t)snprintf(s->table + n, ROOM - n, "%.*s%s", len, v ? v : "", i + 1 < LEN(columns) ? "," : "\n");
	}
}

/* The same command line with other files and without --sweep: of what stands twice the last counts. */
static cop_status run(sweep *s, int argc, char **argv, const char *recipe, const char *net, const char *seed, cli_child *child)
{
	const char *line[MOST_ARGS];
	int n = 0;

	line[n++] = "/proc/self/exe";
	line[n++] = "compress";
	for (int i = 1; i < argc && n < MOST_ARGS - 10; i++) {
		if (!strcmp(argv[i], "--sweep")) i++;
		else if (strncmp(argv[i], "--sweep=", 8)) line[n++] = argv[i];
	}
	const char *more[] = {"--recipe", recipe, "-o", net, "--seed", seed, "--json", "--quiet", "--resume", NULL};
	memcpy(line + n, more, sizeof more);
	CLI_TRY(cli_child_run(child, s->c, line, 30 * 24 * 3600));
	if (child->code == 0 || child->code == 5) return COP_OK;
	return cli_fail(s->c, child->code < 128 ? -child->code : COP_STOPPED, "%s: this run ended with code %d: %.300s", net, child->code, child->text);
}

static cop_status one(sweep *s, int argc, char **argv, int k, const int *at)
{
	static cli_child child;
	char begin[MOST_AXES * VALUE], recipe[CLI_MOST_PATH], net[CLI_MOST_PATH], end[32], seed[VALUE];

	begin_of_row(begin, sizeof begin, s, at);
	if (has_row(s, begin)) return COP_OK;
	snprintf(end, sizeof end, ".%d.cop", k + 1);
	cli_beside(net, sizeof net, s->out, end);
	snprintf(end, sizeof end, ".%d.yaml", k + 1);
	cli_beside(recipe, sizeof recipe, s->out, end);
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->c->seed);
	for (int i = 0; i < s->n; i++)
		if (!strcmp(s->axis[i].name, "seed")) snprintf(seed, sizeof seed, "%s", s->axis[i].value[at[i]]);
	CLI_TRY(recipe_of(s, at, recipe));
	CLI_TRY(run(s, argc, argv, recipe, net, seed, &child));
	add_row(s, begin, child.text);
	CLI_TRY(cop_file_write(s->c->cx, s->out, s->table, strlen(s->table)));
	cli_note(s->c, "%s: run %d of %d: %.*s", s->out, k + 1, s->runs, (int)strlen(begin) - 1, begin);
	return COP_OK;
}

static cop_status open_table(sweep *s)
{
	size_t n = 0, size;
	void *old;
	char head[600];

	for (int i = 0; i < s->n; i++) n += (size_t)snprintf(head + n, sizeof head - n, "%s,", s->axis[i].name);
	for (int i = 0; i < LEN(columns); i++) n += (size_t)snprintf(head + n, sizeof head - n, "%s%s", columns[i], i + 1 < LEN(columns) ? "," : "\n");
	snprintf(s->table, ROOM, "%s", head);
	if (cli_file_size(s->out) < 0) return COP_OK;
	CLI_TRY(cop_file_read(&old, &size, s->c->cx, s->out, ROOM - 1));
	bool ours = !strncmp(old, head, strlen(head));
	if (ours) snprintf(s->table, ROOM, "%s", (const char *)old);
	cop_free(s->c->cx, old);
	return ours ? COP_OK : cli_fail(s->c, COP_ARG, "%s: is there already and is not the table of this sweep: remove it, or give another file", s->out);
}

cop_status cli_sweep(cli *c, const char *text, const char *recipe, const char *out, int argc, char **argv)
{
	sweep s = {.c = c, .out = out, .axis = calloc(MOST_AXES, sizeof(axis)), .table = malloc(ROOM)};
	cop_status st = s.axis && s.table ? parse(&s, text) : COP_NOMEM;

	if (!st) st = cli_can_write(c, out);
	if (!st) st = cli_recipe_read(&s.recipe, &s.size, c, recipe);
	if (!st) st = open_table(&s);
	for (int k = 0; !st && k < s.runs; k++) {
		int at[MOST_AXES], rest = k;
		for (int i = s.n - 1; i >= 0; i--) at[i] = rest % s.axis[i].n, rest /= s.axis[i].n;
		st = one(&s, argc, argv, k, at);
	}
	if (!st) cli_put_text(c, "output", out), cli_put_int(c, "runs", s.runs), cli_out(c, "%s: %d runs, a row each\n", out, s.runs);
	free(s.recipe);
	free(s.axis);
	free(s.table);
	return st;
}
