/* SPDX-License-Identifier: Apache-2.0
 *
 * data - lists, checks and fetches data sets, and writes samples of one as an array.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MIRROR = 0x3000, KEY_FOLDER, KEY_SPLIT, KEY_LIMIT, KEY_LABELS, KEY_FOR };
enum { MOST_NAMED = 20 }; /* numbers to predict whose names are shown */

typedef struct job {
	const char *arg[2], *mirror, *folder, *split, *out, *labels, *net;
	cli_samples s;
	int32_t limit;
} job;

static const struct argp_option options[] = {
        {"mirror", KEY_MIRROR, "URL", 0, "get: URL of a folder to fetch the files from, instead of the set's own site", 0},
        {"folder", KEY_FOLDER, "DIR", 0,
                "get: folder to store the set in (default: the first folder of COPPICE_DATA, else the user's data folder)", 0},
        {"output", 'o', "FILE", 0, "export: file for the samples (.npy)", 0},
        {"labels", KEY_LABELS, "FILE", 0, "export: file for their labels (.npy)", 0},
	{"for", KEY_FOR, "NET", 0, "export: write the samples as this network takes them (scaled, and in its layout), and "
		"the labels as it numbers its classes; emitted code expects them so", 0},
        {"split", KEY_SPLIT, "PART", 0, "export: test, valid or train; or all, if the set has no parts (default: test; all of a single file)", 0},
        {"limit", KEY_LIMIT, "N", 0, "export: only the first N samples (default 100)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	if (key == KEY_MIRROR) j->mirror = arg;
	else if (key == KEY_FOLDER) j->folder = arg;
	else if (key == KEY_SPLIT) j->split = arg;
	else if (key == KEY_LABELS) j->labels = arg;
	else if (key == KEY_FOR) j->net = arg;
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
		cli_put_bool(c, "present", d.present);
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
	cop_dataset *d = NULL, *fitted = NULL;
	cop_graph *g = NULL;

	CLI_TRY(cli_can_write(c, j->out));
	if (j->labels) CLI_TRY(cli_can_write(c, j->labels));
	if (j->labels) CLI_TRY(cli_only_over(c, "--labels", j->labels, "\x93NUMPY"));
	const cli_path paths[] = {{"-o", j->out, true}, {"--labels", j->labels, true}, {"the data set", j->arg[1], false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	cop_status st = j->net ? cli_model(&g, c, j->net) : COP_OK;
	if (!st && g) st = cli_samples_set(c, g, &j->s);
	if (!st) st = cli_data_open(&d, c, &j->s, g, j->arg[1], j->split, j->limit);
	if (!st && g) st = cli_data_fits(c, g, d);
	if (!st && g) st = cop_data_fit(&fitted, NULL, g, d);
	if (!st) st = write_samples(c, j, fitted ? fitted : d);
	if (!st) cli_put_int(c, "samples", d->count);
	if (!st) cli_out(c, "%s: %d samples of %s\n", j->out, d->count, d->name);
	cop_data_free(fitted);
	cop_data_free(d);
	cop_graph_free(g);
	return st;
}

/* ---- check: what a set holds ---- */

typedef struct part { const char *split; int32_t count; int64_t *each; } part; /* each: [classes] */

/* Samples of a part, and of each class: of parts that share the names of the first. */
static cop_status count_part(cli *c, const job *j, part *p, cop_dataset **first)
{
	cop_dataset *d = NULL;
	int32_t label;

	cop_status st = cli_data_open(&d, c, &j->s, NULL, j->arg[1], p->split, 0);
	float *x = st ? NULL : malloc(sizeof *x * (size_t)cop_type_count(&d->x));
	if (!st && d->classes) p->each = calloc((size_t)d->classes, sizeof *p->each);
	if (!st && (!x || (d->classes && !p->each))) st = cli_fail(c, COP_NOMEM, "out of memory for a sample");
	for (int32_t i = 0; !st && d->classes && i < d->count; i++) {
		st = d->get(d->ud, i, x, &label);
		if (!st && label >= 0 && label < d->classes) p->each[label]++;
	}
	if (!st) p->count = d->count;
	free(x);
	if (!st && !*first) *first = d;
	else cop_data_free(d);
	return st;
}

static void say_parts(cli *c, const part *p, int n, const cop_dataset *d)
{
	char shape[64];

	cli_shape(shape, sizeof shape, &d->x);
	cli_put_text(c, "shape", shape);
	cli_out(c, "%s: samples of %s", d->name, shape);
	for (int i = 0; i < n; i++) {
		cli_put_int(c, p[i].split, p[i].count);
		cli_out(c, "%s %d %s", i ? "," : ";", p[i].count, p[i].split);
	}
	if (d->targets) cli_put_int(c, "targets", d->targets), cli_out(c, "; %d number%s to predict:", d->targets, d->targets == 1 ? "" : "s");
	for (int32_t i = 0; i < d->targets && i < MOST_NAMED; i++) cli_out(c, " %s", d->target_name ? d->target_name[i] : "");
	if (d->targets > MOST_NAMED) cli_out(c, " ...");
	if (!d->targets && !d->classes) cli_out(c, "; no labels");
	cli_out(c, "\n");
}

static void say_classes(cli *c, const part *p, int n, const cop_dataset *d)
{
	cli_put_list(c, "classes");
	for (int32_t k = 0; k < d->classes; k++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "name", d->class_name ? d->class_name[k] : "");
		cli_out(c, "  %-24s", d->class_name ? d->class_name[k] : "");
		for (int i = 0; i < n; i++) {
			cli_put_int(c, p[i].split, p[i].each[k]);
			cli_out(c, " %8lld %s", (long long)p[i].each[k], p[i].split);
		}
		cli_put_item_end(c);
		cli_out(c, "\n");
	}
	cli_put_end(c);
}

/* Of files and folders: of a set with a name the sums of its files are known. */
static cop_status describe(cli *c, const job *j)
{
	part p[] = {{.split = cli_file_size(j->arg[1]) >= 0 ? "all" : "train"}, {.split = "valid"}, {.split = "test"}};
	int n = *p[0].split == 'a' ? 1 : 3;
	cop_dataset *d = NULL;
	cop_status st = COP_OK;

	for (int i = 0; !st && i < n; i++) {
		st = count_part(c, j, &p[i], &d);
		if (st && i == 1) st = COP_OK, cop_error_clear(c->cx); /* too few files for a part of their own */
	}
	if (!st) say_parts(c, p, n, d), say_classes(c, p, n, d);
	for (int i = 0; i < n; i++) free(p[i].each);
	cop_data_free(d);
	return st;
}

static bool named_set(cli *c, const char *name)
{
	cop_data_info d;

	for (int i = 0; cop_data_list(c->cx, i, &d); i++)
		if (!strcmp(d.name, name)) return true;
	return false;
}

static const char *action(void *ud, int i)
{
	static const char *const word[] = {"list", "check", "get", "export"};
	(void)ud;
	return i < LEN(word) ? word[i] : NULL;
}

cop_status cmd_data(cli *c, int argc, char **argv)
{
	job j = {.limit = 100};
	const cli_line line = {options, "list\ncheck NAME|FOLDER|FILE\nget NAME\nexport NAME",
		"Lists, checks, fetches or exports data sets. `check` on a folder or file shows what is "
		"in it: the shape of a sample, the parts, the classes and how many samples each has, and "
		"what was left out.\vExample:\n"
	        "  coppice data get mnist\n  coppice data check mnist\n  coppice data export mnist --limit 10 -o "
	        "digits.npy",
	        option, &j, j.arg, 2, 1};

	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	const char *what = j.arg[0], *name = j.arg[1];
	if (!strcmp(what, "list") && !name) {
		list(c);
		return COP_OK;
	}
	bool get = !strcmp(what, "get"), check = !strcmp(what, "check");
	if (!get && !check && strcmp(what, "export")) {
		int near = cop_nearest(what, action, NULL);
		return cli_fail(c, COP_ARG, "data %s: unknown action; use list, check NAME, get NAME or export NAME%s%s%s", what,
			near < 0 ? "" : "; did you mean '", near < 0 ? "" : action(NULL, near), near < 0 ? "" : "'?");
	}
	if (!name)
		return cli_fail(
		        c, COP_ARG, "data %s: the name of a data set is missing; `coppice data list` shows the names", what);
	cli_put_text(c, "name", name);
	if (!get && !check) return export(c, &j);
	if (get) cli_catch_signals(c);
	if (check && !named_set(c, name)) return describe(c, &j);
	CLI_TRY(get ? cop_data_get(c->cx, name, j.folder, j.mirror, progress, c) : cop_data_check(c->cx, name));
	cli_out(c, "%s: %s\n", name, get ? "fetched" : "complete, all files as expected");
	return COP_OK;
}
