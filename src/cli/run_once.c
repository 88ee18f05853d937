/* SPDX-License-Identifier: Apache-2.0
 *
 * run_once - a network on arrays for each of its inputs, as they are: every result is written. A first dimension that a model
 * leaves open becomes that of the arrays; an input that decides about shapes takes its value from them.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && !strcmp(s + n - k, end);
}

static bool is_folder(const char *path)
{
	struct stat s;
	return path && (ends(path, "/") || (!stat(path, &s) && S_ISDIR(s.st_mode)));
}

bool cli_runs_once(const char *model, const char *const *inputs, const char *out)
{
	return inputs[1] || ends(model, ".onnx") || is_folder(out);
}

/* The network for these arrays. */
static cop_status model_for(cop_graph **g, cli *c, const char *model, const cop_tensor *x, int n)
{
	cop_type t;
	char spec[40];
	int32_t batch = x[0].type.rank ? x[0].type.dim[0] : 0;
	cop_import_args args = cli_import_args(c);

	args.batch = batch, args.n_given = n, args.given = x;
	CLI_TRY(ends(model, ".onnx") ? cop_model_import(g, c->cx, model, &args) : cli_model(g, c, model));
	cop_status st = COP_OK;
	if (batch > 1 && cop_graph_io_type(*g, false, 0, &t) && t.rank && t.dim[0] != batch) { /* fixed in the file */
		snprintf(spec, sizeof spec, "batch:n=%d", batch);
		st = cop_graph_apply(g, spec);
	}
	return st ? st : cop_graph_apply(g, "to_infer fuse");
}

static cop_status feed(cli *c, cop_session *s, const cop_graph *g, const char *const *names, const cop_tensor *x, int n)
{
	cop_type want;
	char have[64], need[64];
	int at = 0;

	for (int i = 0; i < n; i++) {
		cop_tensor to;
		if (!cop_type_count(&x[i].type)) continue; /* an empty array is none of the graph's inputs */
		if (!cop_graph_io_type(g, false, at, &want)) return cli_fail(c, COP_ARG, "%s: the network has %d inputs only", names[i], at);
		cli_shape(have, sizeof have, &x[i].type);
		cli_shape(need, sizeof need, &want);
		if (cop_type_count(&want) != cop_type_count(&x[i].type)) return cli_fail(c, COP_SHAPE, "%s: has shape %s, input %d of the network %s", names[i], have, i, need);
		if (!cli_same_order(&x[i].type, 0, &want, 0)) return cli_fail(c, COP_SHAPE, "%s: has shape %s, input %d of the network is %s: transpose it (for samples with the channels last, `coppice data export FILE --for NET -o x.npy` does)", names[i], have, i, need);
		CLI_TRY(cop_session_io(s, 0, at++, false, &to));
		cop_tensor from = {to.type, x[i].data};
		from.type.dtype = x[i].type.dtype;
		CLI_TRY(cop_tensor_copy(c->cx, &to, &from));
	}
	if (cop_graph_io_type(g, false, at, &want)) return cli_fail(c, COP_ARG, "the network has more inputs than the %d arrays given", n);
	return COP_OK;
}

static cop_status write_one(cli *c, cop_session *s, int i, const char *path)
{
	cop_tensor y;
	char shape[64];

	CLI_TRY(cop_session_io(s, 0, i, true, &y));
	y.type.q = (cop_quant){.axis = -1};
	CLI_TRY(cop_npy_write(c->cx, path, &y));
	cli_shape(shape, sizeof shape, &y.type);
	cli_put_item(c, NULL);
	cli_put_text(c, "output", path);
	cli_put_text(c, "shape", shape);
	cli_put_item_end(c);
	if (!c->quiet) cli_out(c, "%s: %s\n", path, shape);
	return COP_OK;
}

static cop_status write_all(cli *c, cop_session *s, const cop_graph *g, const char *out)
{
	char path[1024];
	cop_type t;
	bool many = cop_graph_io_type(g, true, 1, &t), folder = is_folder(out);

	if (many && !folder) return cli_fail(c, COP_ARG, "the network has several results: -o FOLDER/ says where they go");
	if (folder && mkdir(out, 0777) && errno != EEXIST) return cli_fail(c, COP_IO, "%s: %s", out, strerror(errno));
	cli_put_list(c, "outputs");
	for (int i = 0; cop_graph_io_type(g, true, i, &t); i++) {
		if (folder) snprintf(path, sizeof path, "%.900s%soutput_%d.npy", out, ends(out, "/") ? "" : "/", i);
		else snprintf(path, sizeof path, "%.1000s", out);
		CLI_TRY(write_one(c, s, i, path));
	}
	cli_put_end(c);
	return COP_OK;
}

cop_status cli_run_once(cli *c, const char *model, const char *const *inputs, const char *out)
{
	cop_tensor x[CLI_MOST_INPUTS] = {0};
	cop_graph *g = NULL;
	cop_plan *p = NULL;
	cop_session *s = NULL;
	cop_target t;
	cop_status st = COP_OK;
	int n = 0;

	if (!is_folder(out)) CLI_TRY(cli_can_write(c, out));
	for (; !st && n < CLI_MOST_INPUTS && inputs[n]; n++) st = cop_tensor_read(&x[n], c->cx, inputs[n]);
	if (!st) st = model_for(&g, c, model, x, n);
	if (!st) st = cop_target_find(&t, c->cx, "host");
	if (!st) t.threads = cli_threads(c);
	if (!st) st = cop_plan_build(&p, &g, 1, &t);
	if (!st) st = cop_session_new(&s, p, cli_threads(c));
	if (!st) st = feed(c, s, g, inputs, x, n);
	if (!st) st = cop_session_run(s, 0);
	if (!st) st = write_all(c, s, g, out);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	for (int i = 0; i < n; i++) cop_free(c->cx, x[i].data);
	return st;
}
