/* SPDX-License-Identifier: Apache-2.0
 *
 * data - lists, checks and fetches data sets, and writes samples of one as an array.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MIRROR = 0x3000, KEY_FOLDER, KEY_SPLIT, KEY_LIMIT, KEY_LABELS };

typedef struct job {
	const char *arg[2], *mirror, *folder, *split, *out, *labels;
	int32_t limit;
} job;

static const struct argp_option options[] = {
        {"mirror", KEY_MIRROR, "URL", 0, "get: the folder in which the files lie, instead of the set's own home", 0},
        {"folder", KEY_FOLDER, "DIR", 0,
                "get: where the set goes (the first folder of COPPICE_DATA, else the user's data folder)", 0},
        {"output", 'o', "FILE", 0, "export: where the samples go (.npy)", 0},
        {"labels", KEY_LABELS, "FILE", 0, "export: where their labels go (.npy)", 0},
        {"split", KEY_SPLIT, "PART", 0, "export: test, valid or train (test)", 0},
        {"limit", KEY_LIMIT, "N", 0, "export: the first N samples (100)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	if (key == KEY_MIRROR) j->mirror = arg;
	else if (key == KEY_FOLDER) j->folder = arg;
	else if (key == KEY_SPLIT) j->split = arg;
	else if (key == KEY_LABELS) j->labels = arg;
	else if (key == 'o') j->out = arg;
	else if (key == KEY_LIMIT) j->limit = cli_int(state, "--limit", arg, 1, 1 << 24);
	else return ARGP_ERR_UNKNOWN;
	return 0;
}

static void list(cli *c)
{
	cop_data_info d;

	cli_put_list(c, "sets");
	for (int i = 0; cop_data_list(c->cx, i, &d); i++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "name", d.name);
		cli_put_text(c, "summary", d.summary);
		cli_put_text(c, "licence", d.licence ? d.licence : "");
		cli_put_int(c, "present", d.present);
		cli_put_text(c, "where", d.where);
		cli_put_item_end(c);
		cli_out(c, "%-14s %-12s %s%s%s%s\n", d.name, d.present ? "here" : "not here", d.summary,
		        d.licence && *d.licence ? " (" : "", d.licence ? d.licence : "",
		        d.licence && *d.licence ? ")" : "");
	}
	cli_put_end(c);
}

static void progress(void *ud, int64_t done, int64_t total)
{
	const cli *c = ud;

	if (!c->tty || c->quiet) return;
	fprintf(stderr, "\r\033[K%.1f of %.1f MB", (double)done / 1e6, (double)total / 1e6);
	if (done >= total) fputc('\n', stderr);
}

/* The samples one after the other, and their labels. */
static cop_status write_samples(cli *c, const job *j, const cop_dataset *d)
{
	const int64_t each = cop_type_count(&d->x);
	cop_tensor x = {.type = d->x},
	           y = {.type = {.dtype = COP_I32, .rank = 1, .dim = {d->count}, .q = {.axis = -1}}};
	cop_status st = COP_OK;

	for (int32_t i = 0; i < d->x.rank; i++) x.type.dim[i + 1] = d->x.dim[i];
	x.type.dim[0] = d->count;
	x.type.rank = d->x.rank + 1;
	x.data = malloc((size_t)(each * d->count) * sizeof(float));
	y.data = calloc((size_t)d->count, sizeof(int32_t));
	if (!x.data || !y.data) st = cli_fail(c, COP_NOMEM, "out of memory for %d samples", d->count);
	for (int32_t i = 0; !st && i < d->count; i++)
		st = d->get(d->ud, i, (float *)x.data + i * each, (int32_t *)y.data + i);
	if (!st) st = cop_npy_write(c->cx, j->out, &x);
	if (!st && j->labels) st = cop_npy_write(c->cx, j->labels, &y);
	free(x.data);
	free(y.data);
	return st;
}

static cop_status export(cli *c, const job *j)
{
	cop_dataset *d;

	CLI_TRY(cli_can_write(c, j->out));
	if (j->labels) CLI_TRY(cli_can_write(c, j->labels));
	if (j->labels) CLI_TRY(cli_only_over(c, "--labels", j->labels, "\x93NUMPY"));
	const cli_path paths[] = {{"-o", j->out, true}, {"--labels", j->labels, true}, {"the data set", j->arg[1], false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	CLI_TRY(cop_data_open(&d, c->cx, j->arg[1], j->split, j->limit));
	cop_status st = write_samples(c, j, d);
	cli_put_int(c, "samples", d->count);
	if (!st && !c->quiet) cli_out(c, "%s: %d samples of %s\n", j->out, d->count, d->name);
	cop_data_free(d);
	return st;
}

cop_status cmd_data(cli *c, int argc, char **argv)
{
	job j = {.split = "test", .limit = 100};
	const cli_line line = {options, "list\ncheck NAME\nget NAME\nexport NAME",
	        "Lists, checks, fetches or exports data sets.\vExample:\n"
	        "  coppice data get mnist\n  coppice data check mnist\n  coppice data export mnist --limit 10 -o "
	        "digits.npy",
	        option, &j, j.arg, 2, 1};

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	const char *what = j.arg[0], *name = j.arg[1];
	if (!strcmp(what, "list") && !name) {
		list(c);
		return COP_OK;
	}
	bool get = !strcmp(what, "get"), check = !strcmp(what, "check");
	if (!get && !check && strcmp(what, "export"))
		return cli_fail(c, COP_ARG, "data %s: there are list, check NAME, get NAME and export NAME", what);
	if (!name)
		return cli_fail(
		        c, COP_ARG, "data %s: the name of a set is missing; `coppice data list` shows them", what);
	cli_put_text(c, "name", name);
	if (!get && !check) return export(c, &j);
	if (get) cli_catch_signals(c);
	CLI_TRY(get ? cop_data_get(c->cx, name, j.folder, j.mirror, progress, c) : cop_data_check(c->cx, name));
	if (!c->quiet) cli_out(c, "%s: %s\n", name, get ? "fetched" : "all right");
	return COP_OK;
}
