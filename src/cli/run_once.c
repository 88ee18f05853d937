/* SPDX-License-Identifier: Apache-2.0
 *
 * run_once - a network on arrays for each of its inputs: every result is written. A first dimension that a model leaves open becomes
 * that of the arrays; an input that decides about shapes takes its value from them. Arrays of the inputs' shapes go in as they are. Where
 * they hold more samples, those go in at once if they come out whole, one after the other; else one by one.
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

/* How an array holds the samples of a run: all runs get the same; along the first axis; along an axis more than the input has. */
typedef enum form { SAME, ROWS, STACKED } form;

typedef struct job {
	const char *const *name;
	cop_tensor x[CLI_MOST_INPUTS], *y; /* what was given; the results of all runs */
	form form[CLI_MOST_INPUTS];
	int n_x, n_y;
	int32_t runs; /* times that the network runs */
	cli_deployed d;
} job;

/* The network for these arrays, as the file has it. */
static cop_status model_for(job *j, cli *c, const char *model)
{
	cop_import_args args = cli_import_args(c);

	args.batch = j->x[0].type.rank ? j->x[0].type.dim[0] : 0, args.n_given = j->n_x, args.given = j->x;
	return ends(model, ".onnx") ? cop_model_import(&j->d.g, c->cx, model, &args) : cli_model(&j->d.g, c, model);
}

/* The array at or behind *i that is for input `at`: an empty one is for none. False past the end. */
static bool next_input(const job *j, int *i, int at, cop_type *want)
{
	while (*i < j->n_x && !cop_type_count(&j->x[*i].type)) ++*i;
	return *i < j->n_x && cop_graph_io_type(j->d.g, false, at, want);
}

static form form_of(const cop_type *x, const cop_type *t, int32_t runs)
{
	if (!x->rank || cop_type_count(x) != runs * cop_type_count(t)) return SAME;
	if (t->rank && x->rank <= t->rank && x->dim[0] == runs * t->dim[0] && cli_same_order(x, 1, t, 1)) return ROWS;
	return x->dim[0] == runs && cli_same_order(x, 1, t, 0) ? STACKED : SAME;
}

/* For how many runs the arrays are enough: 1 where all are as the network takes them, 0 where that is no whole number for each. */
static int32_t count_runs(job *j)
{
	cop_type t;
	int64_t runs = 1;
	bool exact = true;

	for (int i = 0, at = 0; exact && next_input(j, &i, at, &t); i++, at++) {
		exact = cop_type_count(&j->x[i].type) == cop_type_count(&t);
		runs = cop_type_count(&j->x[i].type) / cop_type_count(&t);
	}
	if (exact || runs < 2 || runs > INT32_MAX) return exact;
	for (int i = 0, at = 0; next_input(j, &i, at, &t); i++, at++)
		if (!(j->form[i] = form_of(&j->x[i].type, &t, (int32_t)runs)) && cop_type_count(&j->x[i].type) != cop_type_count(&t)) return 0;
	return (int32_t)runs;
}

/* The types of the results of a run. */
static cop_status set_outputs(job *j, cli *c)
{
	cop_type t;

	for (j->n_y = 0; cop_graph_io_type(j->d.g, true, j->n_y, &t);) j->n_y++;
	if (!(j->y = calloc((size_t)j->n_y + 1, sizeof *j->y))) return cli_fail(c, COP_NOMEM, "out of memory for %d results", j->n_y);
	for (int i = 0; i < j->n_y && cop_graph_io_type(j->d.g, true, i, &t); i++) {
		j->y[i].type = t;
		j->y[i].type.q = (cop_quant){.axis = -1}; /* lives no longer than the graph */
	}
	return COP_OK;
}

/* The batch lies behind another axis of some array, or they hold fewer samples than the network takes: it is written for as many. */
static cop_status resize(job *j)
{
	const cop_type *x = &j->x[0].type;
	cop_type t;
	char spec[40];

	if (!x->rank || x->dim[0] < 2 || !cop_graph_io_type(j->d.g, false, 0, &t) || !t.rank || t.dim[0] == x->dim[0]) return COP_OK;
	snprintf(spec, sizeof spec, "batch:n=%d", x->dim[0]);
	return cop_graph_apply(&j->d.g, spec);
}

/* Is the first axis of every array some times one of that length? */
static bool rows_of(const job *j, int32_t length)
{
	cop_type t;

	for (int i = 0, at = 0; next_input(j, &i, at, &t); i++, at++)
		if (j->form[i] != ROWS || t.dim[0] != length) return false;
	return true;
}

/* How the samples of the arrays go through the network. */
static cop_status plan_runs(job *j, cli *c)
{
	int32_t held = cop_graph_batch(j->d.g);
	cop_type t;

	if (!(j->runs = count_runs(j))) {
		memset(j->form, 0, sizeof j->form);
		j->runs = 1;
		CLI_TRY(resize(j));
	}
	CLI_TRY(set_outputs(j, c));
	if (j->runs < 2) return COP_OK;
	int32_t first = cop_graph_io_type(j->d.g, false, 0, &t) && t.rank && rows_of(j, t.dim[0]) ? t.dim[0] : 1; /* the axis that has grown; 1: a new one */
	bool at_once = !cop_graph_keeps_state(j->d.g) && rows_of(j, held) && (int64_t)j->runs * held <= 1 << 20 && cop_graph_batched(&j->d.g, j->runs * held);
	for (int i = 0; i < j->n_y; i++) cli_stacked(&j->y[i].type, first, j->runs * first);
	if (at_once) memset(j->form, 0, sizeof j->form), j->runs = 1;
	return COP_OK;
}

static cop_status check_inputs(cli *c, const job *j)
{
	cop_type want;
	char have[64], need[64];
	int at = 0;

	for (int i = 0; i < j->n_x; i++) {
		const cop_type *x = &j->x[i].type;
		int32_t times = j->runs > 1 && j->form[i] ? j->runs : 1;
		if (!cop_type_count(x)) continue;
		if (!cop_graph_io_type(j->d.g, false, at, &want)) return cli_fail(c, COP_ARG, "%s: the network has %d inputs only", j->name[i], at);
		cli_shape(have, sizeof have, x);
		cli_shape(need, sizeof need, &want);
		if (cop_type_count(x) != times * cop_type_count(&want))
			return cli_fail(c, COP_SHAPE, "%s: has shape %s, input %d of the network %s", j->name[i], have, at, need);
		if (times == 1 && !cli_same_order(x, 0, &want, 0))
			return cli_fail(c, COP_SHAPE, "%s: has shape %s, input %d of the network is %s: transpose it (for samples with the "
				"channels last, `coppice data export FILE --for NET -o x.npy` does)",
			        j->name[i], have, at, need);
		at++;
	}
	if (cop_graph_io_type(j->d.g, false, at, &want)) return cli_fail(c, COP_ARG, "the network has more inputs than the %d arrays given", j->n_x);
	return COP_OK;
}

static cop_status feed(cli *c, cop_session *s, const job *j, int32_t run)
{
	cop_type want;
	cop_tensor to;

	for (int i = 0, at = 0; next_input(j, &i, at, &want); i++, at++) {
		CLI_TRY(cop_session_io(s, 0, at, false, &to));
		cop_tensor from = {to.type, j->x[i].data};
		from.type.dtype = j->x[i].type.dtype;
		if (j->form[i]) from.data = (char *)from.data + (size_t)run * cop_type_bytes(&from.type);
		CLI_TRY(cop_tensor_copy(c->cx, &to, &from));
	}
	return COP_OK;
}

static cop_status run_all(cli *c, cop_session *s, job *j)
{
	for (int i = 0; i < j->n_y; i++)
		if (!(j->y[i].data = malloc(cop_type_bytes(&j->y[i].type) + 1))) return cli_fail(c, COP_NOMEM, "out of memory for the results of %d runs", j->runs);
	for (int32_t r = 0; r < j->runs; r++) {
		CLI_TRY(feed(c, s, j, r));
		CLI_TRY(cop_session_run(s, 0));
		for (int i = 0; i < j->n_y; i++) {
			cop_tensor y;
			CLI_TRY(cop_session_io(s, 0, i, true, &y));
			size_t bytes = cop_type_bytes(&j->y[i].type) / (size_t)j->runs;
			memcpy((char *)j->y[i].data + (size_t)r * bytes, y.data, bytes);
		}
	}
	return COP_OK;
}

static cop_status write_one(cli *c, const cop_tensor *y, const char *path)
{
	char shape[64];

	CLI_TRY(cop_npy_write(c->cx, path, y));
	cli_shape(shape, sizeof shape, &y->type);
	cli_put_item(c, NULL);
	cli_put_text(c, "output", path);
	cli_put_text(c, "shape", shape);
	cli_put_item_end(c);
	cli_out(c, "%s: %s\n", path, shape);
	return COP_OK;
}

static cop_status write_all(cli *c, const job *j, const char *out)
{
	char path[1024];
	bool folder = is_folder(out);

	if (j->n_y > 1 && !folder) return cli_fail(c, COP_ARG, "the network has several results: give -o a folder, as in -o out/");
	if (folder && mkdir(out, 0777) && errno != EEXIST) return cli_fail(c, COP_IO, "%s: %s", out, strerror(errno));
	cli_put_list(c, "outputs");
	for (int i = 0; i < j->n_y; i++) {
		if (folder) snprintf(path, sizeof path, "%.900s%soutput_%d.npy", out, ends(out, "/") ? "" : "/", i);
		else snprintf(path, sizeof path, "%.1000s", out);
		CLI_TRY(write_one(c, &j->y[i], path));
	}
	cli_put_end(c);
	return COP_OK;
}

static cop_status run_job(job *j, cli *c, const char *model)
{
	CLI_TRY(model_for(j, c, model));
	CLI_TRY(plan_runs(j, c));
	CLI_TRY(check_inputs(c, j));
	CLI_TRY(cop_graph_apply_in_place(&j->d.g, "to_infer fuse"));
	CLI_TRY(cli_start(&j->d, c, false, cli_threads(c)));
	return run_all(c, j->d.s, j);
}

cop_status cli_run_once(cli *c, const char *model, const char *const *inputs, const char *out)
{
	job *j = calloc(1, sizeof *j);
	cop_status st = COP_OK;

	if (!j) return cli_fail(c, COP_NOMEM, "out of memory");
	j->name = inputs;
	if (!is_folder(out)) st = cli_can_write(c, out);
	for (; !st && j->n_x < CLI_MOST_INPUTS && inputs[j->n_x]; j->n_x++) st = cop_tensor_read(&j->x[j->n_x], c->cx, inputs[j->n_x]);
	if (!st) st = run_job(j, c, model);
	if (!st) st = write_all(c, j, out);
	cli_deployed_free(&j->d);
	for (int i = 0; i < j->n_x; i++) cop_free(c->cx, j->x[i].data);
	for (int i = 0; j->y && i < j->n_y; i++) free(j->y[i].data);
	free(j->y);
	free(j);
	return st;
}
