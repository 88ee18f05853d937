/* SPDX-License-Identifier: Apache-2.0
 *
 * main - finds the verb, runs it, says what went wrong in one sentence. The exit code is the negated status.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cli_verb verbs[] = {
#define VERB(name, args, summary) {#name, args, summary, cmd_##name},
#include "cmd.def"
#undef VERB
};

static void help(void)
{
	printf("coppice trains, compresses and deploys neural networks for small devices.\n\n"
	       "  coppice VERB ...         coppice VERB --help tells the options of a verb, with an example\n\n");
	for (int i = 0; i < LEN(verbs); i++)
		printf("  %-10s %-42s %s\n", verbs[i].name, verbs[i].args, verbs[i].summary);
	printf("\nevery verb:  --json  --seed=N  --threads=N  --quiet  --verbose\n"
	       "environment: COPPICE_DATA    folders in which data sets are looked for, separated by colons\n"
	       "             COPPICE_ISA     ref, avx2, avx512, neon ...: the kernels to use instead of the best ones (docs/kernels.md)\n"
	       "exit codes:  0 ok, 2 bad argument, 3 shapes, 4 no kernel, 5 over budget, 6 malformed file, 7 i/o, 8 "
	       "diverged, 9 stopped, 10 results differ\n");
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

static const cli_verb *find(const char *name)
{
	for (int i = 0; i < LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name)) return &verbs[i];
	return NULL;
}

/* A result that could not be printed whole is a failure too. */
static cop_status flush(cli *c, cop_status st)
{
	if (fflush(stdout) || ferror(stdout)) {
		if (!st) st = cli_fail(c, COP_IO, "standard output could not be written");
	}
	return st;
}

static cop_status run(cli *c, const cli_verb *v, int argc, char **argv)
{
	cop_status st = cop_ctx_new(&c->cx, NULL);

	if (!st) {
		cop_ctx_log(c->cx, COP_LOG_WARN, on_log, c);
		st = v->run(c, argc, argv);
	}
	cli_progress_end(c);
	if (c->json && !st) printf("%s}\n", c->members ? "" : "{");
	st = flush(c, st);
	if (st) {
		const char *text = *c->said ? c->said : c->cx ? cop_error_text(c->cx) : "";
		cli_show(stderr, "coppice: %s\n", *text ? text : cop_status_text(st));
	}
	if (c->piped) cop_free(c->cx, c->piped);
	cop_ctx_free(c->cx);
	return st;
}

int main(int argc, char **argv)
{
	cli c = {.seed = 1};
	char name[64];

	argp_err_exit_status = -COP_ARG;
	signal(SIGXFSZ, SIG_IGN); /* a write beyond `ulimit -f` fails then, as on a full disk */
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		return argc < 2 ? -COP_ARG : -flush(&c, COP_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) return -version();
	const cli_verb *v = find(argv[1]);
	if (!v) {
		cli_show(stderr, "coppice: there is no verb '%s'; `coppice --help` lists them\n", argv[1]);
		return -COP_ARG;
	}
	snprintf(name, sizeof name, "coppice %s", v->name);
	argv[1] = name;
	c.tty = isatty(STDERR_FILENO);
	return -run(&c, v, argc - 1, argv + 1);
}
