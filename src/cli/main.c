/* SPDX-License-Identifier: Apache-2.0
 *
 * main - finds the verb, runs it, says what went wrong in one sentence. The exit code is the negated status.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_verb verbs[] = {
#define VERB(name, args, summary) {#name, args, summary, cmd_##name},
#include "cmd.def"
#undef VERB
};

static void help(FILE *f)
{
	fputs("coppice trains, compresses and deploys neural networks for small devices.\n\n"
	      "usage: coppice VERB ...    with one of these verbs:\n\n", f);
	for (int i = 0; i < LEN(verbs); i++) fprintf(f, "  %-10s %-42s %s\n", verbs[i].name, verbs[i].args, verbs[i].summary);
	fputs("\n  coppice help VERB        the options of a verb, with an example (also: coppice VERB --help)\n"
	      "  coppice --version        the version, the kernels used on this machine, and the optional parts\n\n"
	      "every verb:  --json (print one object, see docs/json.md)  --quiet (errors only)  --verbose  --seed=N  --threads=N\n"
	      "environment: COPPICE_DATA     folders to look for data sets in, separated by colons\n"
	      "             COPPICE_RECIPES  folders to look for recipes in, separated by colons\n"
	      "             COPPICE_ISA      ref, avx2, avx512, neon ...: kernels to use instead of the fastest (docs/kernels.md)\n"
	      "exit codes:  0 ok, 1 out of memory, 2 bad argument, 3 shapes do not match, 4 no kernel, 5 over budget or nothing gained, 6 malformed file,\n"
	      "             7 cannot read or write, 8 training diverged, 9 stopped, 10 results differ\n", f);
}

static cop_status version(void)
{
	cop_ctx *cx;
	const char *part;

	CLI_TRY(cop_ctx_new(&cx, NULL));
	printf("coppice %s, kernels: %s\nparts:", COP_VERSION, cop_cpu_text(cx));
	for (int i = 0; (part = cop_feature(i)); i++) printf("%s %s", i ? "," : "", part);
	printf("\n");
	cop_ctx_free(cx);
	return COP_OK;
}

/* A verb may read its network more than once: what was told is not told again. */
static bool told(cli *c, const char *text)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	for (int i = 0; i < c->n_told; i++)
		if (c->told[i] == h) return true;
	if (c->n_told < LEN(c->told)) c->told[c->n_told++] = h;
	return false;
}

static void on_log(void *ud, cop_level level, const char *text)
{
	cli *c = ud;

	if (told(c, text)) return;
	cli_progress_end(c);
	fprintf(stderr, "coppice: %s%s\n", level == COP_LOG_WARN ? "warning: " : "", text);
}

static const char *verb_name(void *ud, int i)
{
	(void)ud;
	return i < LEN(verbs) ? verbs[i].name : NULL;
}

static const cli_verb *find(const char *name)
{
	for (int i = 0; i < LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name)) return &verbs[i];
	return NULL;
}

static cop_status unknown_verb(const char *name, bool json)
{
	char text[200];
	int near = cop_nearest(name, verb_name, NULL);

	if (near >= 0) snprintf(text, sizeof text, "there is no verb '%.60s'; did you mean '%s'?", name, verbs[near].name);
	else snprintf(text, sizeof text, "there is no verb '%.60s'; `coppice help` lists them", name);
	if (json) cli_put_error(NULL, text, COP_ARG);
	cli_show(stderr, "coppice: %s\n", text);
	return COP_ARG;
}

/* A result that could not be printed whole is a failure too. */
static cop_status flush(cli *c, cop_status st)
{
	if (fflush(stdout) || ferror(stdout)) {
		if (!st) st = cli_fail(c, COP_IO, "standard output could not be written");
	}
	return st;
}

/* The object of a verb, or that of its failure; both in one, if a result was written that misses its aims. */
static void print_object(cli *c, char **text, cop_status st, const char *why)
{
	fclose(c->object); /* only now *text is where it stays */
	if (st) cli_put_error(st == COP_BUDGET && c->wrote ? *text : NULL, why, st);
	else printf("%s}\n", *text);
	free(*text);
}

static cop_status work(cli *c, const cli_verb *v, int argc, char **argv)
{
	CLI_TRY(cop_ctx_new(&c->cx, NULL));
	cop_ctx_log(c->cx, COP_LOG_WARN, on_log, c);
	if (c->object) fputc('{', c->object);
	cli_put_int(c, "version", CLI_JSON_VERSION);
	cli_put_text(c, "coppice", COP_VERSION);
	return v->run(c, argc, argv);
}

static cop_status run(cli *c, const cli_verb *v, int argc, char **argv)
{
	char *object = NULL;
	size_t size;

	if (c->json && !(c->object = open_memstream(&object, &size))) return COP_NOMEM;
	cop_status st = work(c, v, argc, argv);
	cli_progress_end(c);
	const char *text = *c->said ? c->said : c->cx ? cop_error_text(c->cx) : "";
	if (!*text) text = cop_status_text(st);
	if (c->object) print_object(c, &object, st, text);
	cop_status last = flush(c, st);
	if (last) cli_show(stderr, "coppice: %s\n", last != st ? c->said : text);
	if (c->piped) cop_free(c->cx, c->piped);
	cop_ctx_free(c->cx);
	return last;
}

static void note_command(cli *c, int argc, char **argv)
{
	size_t n = (size_t)snprintf(c->command, sizeof c->command, "coppice");

	for (int i = 1; i < argc && n < sizeof c->command; i++) {
		bool plain = *argv[i] && !strpbrk(argv[i], " \t\n\"'\\$*?;&|<>()`");
		n += (size_t)snprintf(c->command + n, sizeof c->command - n, plain ? " %s" : " '%s'", argv[i]);
	}
}

static bool is_help(const char *word) { return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"); }

int main(int argc, char **argv)
{
	static char wants_help[] = "--help";
	cli c = {.seed = 1};
	char name[64];

	argp_err_exit_status = -COP_ARG;
	signal(SIGXFSZ, SIG_IGN); /* a write beyond `ulimit -f` fails then, as on a full disk */
	if (argc < 2) return help(stderr), -COP_ARG;
	if (is_help(argv[1]) && (argc == 2 || argv[2][0] == '-')) return help(stdout), -flush(&c, COP_OK);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) return -version();
	if (is_help(argv[1])) argv[1] = argv[2], argv[2] = wants_help, argc = 3;
	c.json = cli_wants_json(argc, argv);
	note_command(&c, argc, argv);
	const cli_verb *v = find(argv[1]);
	if (!v) return -unknown_verb(argv[1], c.json);
	snprintf(name, sizeof name, "coppice %s", v->name);
	argv[1] = name;
	c.tty = isatty(STDERR_FILENO);
	return -run(&c, v, argc - 1, argv + 1);
}
