/* SPDX-License-Identifier: Apache-2.0
 *
 * files - models and data sets by name, and what is asked of a path before long work begins.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_is_file_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	struct stat s;
	return strchr(name, '/') || (dot && isalpha((unsigned char)dot[1])) || !stat(name, &s); /* "mobilenet-v1-0.25" has no ending */
}

/* A pipe can be read once, and some verbs want its network twice: its bytes are kept. */
static cop_status from_pipe(cop_graph **out, cli *c, const char *name)
{
	*out = NULL;
	if (c->n_dim || c->n_shape) return cli_fail(c, COP_ARG, "%s: --dim and --shape need a file, this is a pipe", name);
	if (!c->piped) CLI_TRY(cop_file_read(&c->piped, &c->piped_size, c->cx, name, 0));
	cop_status st = cop_model_read(out, c->cx, c->piped, c->piped_size);
	return st ? cli_fail(c, st, "%s: %s", name, cop_error_text(c->cx)) : COP_OK;
}

cop_import_args cli_import_args(const cli *c)
{
	return (cop_import_args){.n_dim = c->n_dim, .dim = c->dim, .n_shape = c->n_shape, .shape = c->shape, .seed = c->seed};
}

static cop_status from_file(cop_graph **out, cli *c, const char *name)
{
	struct stat s;
	const cop_import_args args = cli_import_args(c);

	if (stat(name, &s) && errno == ENOENT) return cli_fail(c, COP_IO, "%s: no such file", name);
	if (!stat(name, &s) && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) return from_pipe(out, c, name);
	return cop_model_import(out, c->cx, name, &args);
}

/* A file, or a network of the zoo, which leaves nothing open. */
static cop_status file_or_zoo(cop_graph **out, cli *c, const char *name, const cop_zoo_args *a)
{
	*out = NULL;
	if (cli_is_file_name(name)) return from_file(out, c, name);
	if (c->n_dim || c->n_shape) return cli_fail(c, COP_ARG, "--dim and --shape are for .onnx files; '%s' is a network of the zoo", name);
	return cop_zoo_build(out, c->cx, name, a);
}

cop_status cli_model(cop_graph **out, cli *c, const char *name) { return file_or_zoo(out, c, name, &(cop_zoo_args){.seed = c->seed}); }

cop_status cli_model_for(cop_graph **out, cli *c, const char *name, const cop_dataset *d, cop_layout layout)
{
	cop_zoo_args a = {.seed = c->seed, .classes = d->targets ? d->targets : d->classes};
	const int32_t *x = d->x.dim;

	if (d->x.rank == 3) {
		bool first = layout == COP_LAYOUT_LAST || (!layout && (x[0] == 1 || x[0] == 3) && x[2] != 1 && x[2] != 3 && x[2] != 4); /* channels first: they are turned */
		a.height = x[first ? 1 : 0];
		a.width = x[first ? 2 : 1];
		a.channels = x[first ? 0 : 2];
	}
	return file_or_zoo(out, c, name, &a);
}

/* The text form begins with "graph NAME". */
static cop_status first_line(void *ud, const void *bytes, size_t size)
{
	char *out = ud;
	const char *text = bytes;
	size_t n = 0;

	if (*out || size < 6) return COP_OK;
	for (text += 6, size -= 6; n < size && n < 63 && text[n] != '\n'; n++) out[n] = text[n];
	out[n] = 0;
	return COP_OK;
}

void cli_graph_name(char out[64], const cop_graph *g)
{
	*out = 0;
	(void)cop_graph_print(g, first_line, out);
}

/* Standard output carries the figures of a verb; a file that is renamed would take its place. */
static bool is_stdout(const char *path)
{
	struct stat s, out;
	return !stat(path, &s) && !fstat(STDOUT_FILENO, &out) && s.st_dev == out.st_dev && s.st_ino == out.st_ino && (!S_ISCHR(s.st_mode) || isatty(STDOUT_FILENO));
}

cop_status cli_can_write(cli *c, const char *path)
{
	if (!path || !*path) return cli_fail(c, COP_ARG, "-o FILE is missing: name a file for the result");
	if (strlen(path) > 900) return cli_fail(c, COP_ARG, "%.60s...: the path is longer than 900 characters", path);
	if (is_stdout(path)) return cli_fail(c, COP_IO, "%s: is standard output, where the figures go; give a file, or a pipe of its own", path);
	return cop_file_can_write(c->cx, path);
}

/* "a/net.cop" -> ".cop"; none: "" */
static const char *ending(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	return dot && dot != base ? dot : "";
}

cop_status cli_can_write_model(cli *c, const char *path, bool exports)
{
	const char *end = path ? ending(path) : "";
	bool cop = !*end || !strcmp(end, ".cop"), other = !strcmp(end, ".onnx") || !strcmp(end, ".safetensors");

	CLI_TRY(cli_can_write(c, path));
	if (exports ? other : cop) return COP_OK;
	if (exports)
		return cli_fail(c, COP_ARG, "%s: `coppice export` writes .onnx (the network) and .safetensors (its weights)%s", path,
			cop ? "; a .cop is written by train, apply, quantize and compress" : "");
	return cli_fail(c, COP_ARG, "%s: this verb writes a .cop; `coppice export net.cop -o FILE` makes an .onnx (the "
		"network) or a .safetensors (its weights) of it", path);
}

int64_t cli_file_size(const char *path)
{
	struct stat s;
	return stat(path, &s) || !S_ISREG(s.st_mode) ? -1 : (int64_t)s.st_size;
}

void cli_beside(char *out, size_t size, const char *path, const char *end)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	int n = dot && (!slash || dot > slash + 1) && dot != path ? (int)(dot - path) : (int)strlen(path);

	snprintf(out, size, "%.*s%s", n, path, end);
}

void cli_shape(char *out, size_t size, const cop_type *t)
{
	int at = 0;

	out[0] = 0;
	for (int i = 0; i < t->rank && at < (int)size; i++)
		at += snprintf(out + at, size - (size_t)at, i ? "x%d" : "%d", t->dim[i]);
}

cop_status cli_plan(cli_deployed *out, const cop_graph *g, const cop_target *t, bool weights)
{
	*out = (cli_deployed){0};
	cop_status st = weights ? cop_graph_copy(&out->g, g) : cop_graph_outline(&out->g, g);
	if (!st) st = cli_form_apply(&out->g, &(cli_form){.as_is = true});
	if (!st) st = cop_plan_build(&out->plan, &out->g, 1, t);
	if (st) cli_deployed_free(out);
	return st;
}

cop_status cli_deploy_form(cli_deployed *out, cli *c, const char *path, int32_t batch, const cop_target *t, bool session, const cli_form *form)
{
	char spec[64];

	*out = (cli_deployed){0};
	snprintf(spec, sizeof spec, "batch:n=%d", batch);
	cop_status st = cli_model(&out->g, c, path);
	if (!st && batch) st = cop_graph_apply(&out->g, spec);
	if (!st) st = cli_form_apply(&out->g, form);
	if (!st) st = cop_plan_build(&out->plan, &out->g, 1, t);
	if (!st && session) st = cop_session_new(&out->s, out->plan, t->threads);
	if (st) cli_deployed_free(out);
	return st;
}

cop_status cli_start(cli_deployed *d, cli *c, bool portable, int threads)
{
	cop_target t;

	CLI_TRY(cop_target_find(&t, c->cx, "host"));
	t.threads = threads;
	if (portable) t.isa = 0;
	CLI_TRY(cop_plan_build(&d->plan, &d->g, 1, &t));
	return cop_session_new(&d->s, d->plan, threads);
}

void cli_deployed_free(cli_deployed *d)
{
	cop_session_free(d->s);
	cop_plan_free(d->plan);
	cop_graph_free(d->g);
	*d = (cli_deployed){0};
}

/* The axes from `from` on, those of length 1 left out. */
static int axes(int32_t out[COP_MAX_DIM], const cop_type *t, int from)
{
	int n = 0;

	for (int i = from; i < t->rank; i++)
		if (t->dim[i] != 1) out[n++] = t->dim[i];
	return n;
}

bool cli_same_order(const cop_type *a, int from_a, const cop_type *b, int from_b)
{
	int32_t x[COP_MAX_DIM], y[COP_MAX_DIM];
	int n = axes(x, a, from_a), k = axes(y, b, from_b);

	if (n == k) return !memcmp(x, y, sizeof *x * (size_t)n);
	return (n <= 1 && k <= 2) || (k <= 1 && n <= 2);
}
