/* SPDX-License-Identifier: Apache-2.0
 *
 * check - builds a folder that `emit` wrote, runs it (for a board: in an emulator, which counts instructions), and compares
 * its results with those of the portable kernels here. The folder `check` in it holds what is needed: model.cop and x.bin. `make`
 * there knows how to build and run, and names the programs that it needs. What was measured stays there as result.json.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_TIMEOUT = 0x3000, PATH_SIZE = 1024 };

typedef struct job {
	cli *c;
	const char *folder;
	int seconds;
	cli_form form;
	/* what the program says of itself; 0: not counted there */
	int64_t runs, instructions, stack, fixed, fast, flash, weights;
} job;

static const struct argp_option options[] = {
        {"timeout", KEY_TIMEOUT, "SECONDS", 0, "time limit for the build, and again for the run; extended on a busy machine (default 600)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	if (key != KEY_TIMEOUT) return ARGP_ERR_UNKNOWN;
	((job *)ud)->seconds = cli_int(state, "--timeout", arg, 1, 1 << 20);
	return 0;
}

static const char *in_folder(char path[PATH_SIZE], const job *j, const char *name)
{
	snprintf(path, PATH_SIZE, "%s/check/%s", j->folder, name);
	return path;
}

/* ---- make ---- */

/* The line that tells most of what went wrong: the first that speaks of an error, else the last that is not make's own. */
static const char *cause(char *text)
{
	char *last = text, *next;

	for (char *p = text; p && *p; p = next) {
		if ((next = strchr(p, '\n'))) *next++ = 0;
		if (strstr(p, " error:") || strstr(p, "overflowed by") || strstr(p, "are left for the stack")) return p;
		if (*p && strncmp(p, "make", 4)) last = p;
	}
	return last;
}

static cop_status make(cli_child *o, const job *j, const char *goal)
{
	char path[PATH_SIZE];
	const char *argv[] = {"make", "-s", "-C", in_folder(path, j, "."), goal, NULL};
	return cli_child_run(o, j->c, argv, j->seconds);
}

static cop_status need_tools(const job *j, cli_child *o)
{
	if (!cli_has_program("make")) return cli_fail(j->c, COP_IO, "make is needed to build %s and was not found in PATH", j->folder);
	CLI_TRY(make(o, j, "tools"));
	if (o->code) return cli_fail(j->c, COP_IO, "%s/check: `make tools` failed: %s", j->folder, cause(o->text));
	for (char *name = strtok(o->text, " \n"); name; name = strtok(NULL, " \n"))
		if (!cli_has_program(name)) return cli_fail(j->c, COP_IO, "%s is needed for %s and was not found in PATH", name, j->folder);
	return COP_OK;
}

static cop_status build(const job *j, cli_child *o)
{
	CLI_TRY(make(o, j, NULL));
	if (!o->code) return COP_OK;
	bool big = strstr(o->text, "overflowed by") || strstr(o->text, "are left for the stack");
	return cli_fail(j->c, big ? COP_BUDGET : COP_IO, "%s: %s: %s", j->folder, big ? "does not fit" : "cannot be built", cause(o->text));
}

/* The number behind a word at the start of a line, or 0. */
static int64_t number(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; p; p = (p = strchr(p, '\n')) ? p + 1 : NULL)
		if (!strncmp(p, word, n) && p[n] == ' ') return strtoll(p + n, NULL, 10);
	return 0;
}

static cop_status run(job *j, cli_child *o)
{
	char path[PATH_SIZE];

	if (remove(in_folder(path, j, "y.bin")) && errno != ENOENT) return cli_fail(j->c, COP_IO, "%s: %s", path, strerror(errno));
	CLI_TRY(make(o, j, "run"));
	j->runs = number(o->text, "runs");
	j->instructions = number(o->text, "instructions");
	j->stack = number(o->text, "stack");
	j->fixed = number(o->text, "data+bss");
	j->fast = number(o->text, "fast");
	j->flash = number(o->text, "flash");
	j->weights = number(o->text, "weights");
	if (o->code) return cli_fail(j->c, COP_IO, "%s: the program failed when it was run: %s", j->folder, cause(o->text));
	if (!j->runs) return cli_fail(j->c, COP_IO, "%s: the program ran nothing; check/x.bin must hold at least one whole set of inputs", j->folder);
	return COP_OK;
}

/* ---- the same here ---- */

typedef struct host { cli_deployed d; FILE *x, *y; } host;

static cop_status open_host(host *h, const job *j)
{
	char path[PATH_SIZE];

	CLI_TRY(cop_model_load(&h->d.g, j->c->cx, in_folder(path, j, "model.cop")));
	if (j->form.rounding || j->form.as_is) CLI_TRY(cli_form_apply(&h->d.g, &j->form));
	CLI_TRY(cli_start(&h->d, j->c, true, 1));
	if (!(h->x = fopen(in_folder(path, j, "x.bin"), "rb"))) return cli_fail(j->c, COP_IO, "%s: %s", path, strerror(errno));
	if (!(h->y = fopen(in_folder(path, j, "y.bin"), "rb"))) return cli_fail(j->c, COP_IO, "%s: %s", path, strerror(errno));
	return COP_OK;
}

static void close_host(host *h)
{
	if (h->x) fclose(h->x);
	if (h->y) fclose(h->y);
	cli_deployed_free(&h->d);
}

/* Where two results of the same type part. */
static cop_status compare(const job *j, const cop_tensor *want, const uint8_t *got, int64_t run, int32_t output)
{
	const uint8_t *p = want->data;
	size_t bytes = cop_type_bytes(&want->type), each = bytes / (size_t)cop_type_count(&want->type), i = 0;
	char a[2 * 4 + 1], b[2 * 4 + 1];

	while (i < bytes && p[i] == got[i]) i++;
	if (i == bytes) return COP_OK;
	i -= i % each;
	for (size_t k = 0; k < each; k++) { /* the highest byte first */
		snprintf(a + 2 * k, 3, "%02x", got[i + each - 1 - k]);
		snprintf(b + 2 * k, 3, "%02x", p[i + each - 1 - k]);
	}
	return cli_fail(j->c, COP_DIFFERS, "%s: run %lld, output %d, element %zu is 0x%s, but 0x%s on this machine", j->folder,
		(long long)run, output, i / each, a, b);
}

static cop_status one_run(const job *j, host *h, int64_t run)
{
	cop_type t;
	cop_tensor v;

	for (int32_t i = 0; cop_graph_io_type(h->d.g, false, i, &t); i++) {
		CLI_TRY(cop_session_io(h->d.s, 0, i, false, &v));
		if (fread(v.data, 1, cop_type_bytes(&t), h->x) != cop_type_bytes(&t))
			return cli_fail(j->c, COP_FORMAT, "%s/check/x.bin: ends within input %d of run %lld", j->folder, i, (long long)run);
	}
	CLI_TRY(cop_session_run(h->d.s, 0));
	for (int32_t i = 0; cop_graph_io_type(h->d.g, true, i, &t); i++) {
		CLI_TRY(cop_session_io(h->d.s, 0, i, true, &v));
		uint8_t *got = malloc(cop_type_bytes(&t));
		cop_status st = got ? COP_OK : cli_fail(j->c, COP_NOMEM, "out of memory for an output");
		if (!st && fread(got, 1, cop_type_bytes(&t), h->y) != cop_type_bytes(&t))
			st = cli_fail(j->c, COP_DIFFERS, "%s/check/y.bin: ends within output %d of run %lld", j->folder, i, (long long)run);
		if (!st) st = compare(j, &v, got, run, i);
		free(got);
		CLI_TRY(st);
	}
	return COP_OK;
}

static cop_status compare_all(const job *j)
{
	host h = {.x = NULL};
	cop_status st = open_host(&h, j);

	for (int64_t i = 0; !st && i < j->runs; i++) st = one_run(j, &h, i);
	close_host(&h);
	return st;
}

/* ---- the result ---- */

/* What a board counts, in the order of the report; fast RAM is left out where there is none. */
typedef struct figure { const char *key, *what; int64_t n; } figure;

static int figures(figure f[9], const job *j)
{
	const figure all[] = {{"instructions", "instructions", j->instructions}, {"static_bytes", ".data + .bss", j->fixed},
		{"stack_bytes", "stack, measured", j->stack},
		{"ram_bytes", "RAM", j->fixed + j->stack}, {"fast_ram_bytes", "fast RAM", j->fast}, {"code_bytes", "code", j->flash - j->weights},
		{"weight_bytes", "weights", j->weights}, {"flash_bytes", "flash", j->flash}};
	int n = 0;

	for (int i = 0; j->flash && i < LEN(all); i++)
		if (all[i].n || i != 4) f[n++] = all[i];
	return n;
}

static void report(const job *j)
{
	figure f[9];
	char text[32];

	cli_put_text(j->c, "folder", j->folder);
	cli_out(j->c, "%s: same bits as on this machine, in %lld run%s\n", j->folder, (long long)j->runs, j->runs > 1 ? "s" : "");
	cli_put_int(j->c, "runs", j->runs);
	cli_put_bool(j->c, "equal", true);
	for (int i = 0, n = figures(f, j); i < n; i++) {
		cli_number_text(text, (double)f[i].n);
		cli_put_int(j->c, f[i].key, f[i].n);
		cli_out(j->c, "  %-16s %14s\n", f[i].what, text);
	}
}

/* The same for programs that read it later. */
static cop_status store(const job *j)
{
	char path[PATH_SIZE], text[600];
	figure f[9];
	int at = snprintf(text, sizeof text, "{\"runs\":%lld,\"equal\":true", (long long)j->runs);

	for (int i = 0, n = figures(f, j); i < n; i++) at += snprintf(text + at, sizeof text - (size_t)at, ",\"%s\":%lld", f[i].key, (long long)f[i].n);
	at += snprintf(text + at, sizeof text - (size_t)at, "}\n");
	return cop_file_write(j->c->cx, in_folder(path, j, "result.json"), text, (size_t)at);
}

cop_status cmd_check(cli *c, int argc, char **argv)
{
	static cli_child o;
	job j = {.c = c, .seconds = 600};
	char path[PATH_SIZE];
	const cli_line line = {options, "FOLDER",
	        "Builds the C code that `coppice emit` wrote, runs it on the inputs in the folder (in QEMU if the target is a board) and compares "
	        "the results with this machine's, bit by bit. For a board it also counts the instructions of one inference, the RAM with the stack, and the flash.\v"
	        "Example:\n  coppice emit small.cop --target cortex-m4 -o out/\n  coppice check out/",
	        option, &j, &j.folder, 1, 1};

	c->form = &j.form;
	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	if (strlen(j.folder) > 900) return cli_fail(c, COP_ARG, "the path of the folder is longer than 900 characters");
	if (access(in_folder(path, &j, "Makefile"), R_OK) || access(in_folder(path, &j, "model.cop"), R_OK))
		return cli_fail(c, COP_IO, "%s: %s; is it a folder that `coppice emit` wrote?", path, strerror(errno));
	CLI_TRY(need_tools(&j, &o));
	CLI_TRY(build(&j, &o));
	CLI_TRY(run(&j, &o));
	(void)remove(in_folder(path, &j, "result.json"));
	CLI_TRY(compare_all(&j));
	CLI_TRY(store(&j));
	report(&j);
	return COP_OK;
}
