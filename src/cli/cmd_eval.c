/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a network on a part of a data set: accuracy and loss, for each class precision, recall and F1, and which classes
 * are taken for which; of a regression MSE, MAE and R2.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SPLIT = 0x3000, KEY_LIMIT, KEY_PER_CLASS, KEY_CONFUSION, KEY_NORMAL };
enum { MOST_SHOWN = 1000 }; /* classes of which there is a matrix */

typedef struct job {
	const char *data, *split, *file, *normal;
	int32_t limit, batch;
	bool per_class, confusion;
	cli_samples s;
	int32_t n;
	int64_t *table; /* [n, n]: of true class i, taken for class j */
} job;

static const struct argp_option options[] = {
        {"data", 'd', "NAME", 0, "data set: a name from `coppice data list`, or a path", 0},
        {"split", KEY_SPLIT, "PART", 0, "part to score: test, valid or train; or all, if the set has no parts (default: test; all of a single file)", 0},
        {"limit", KEY_LIMIT, "N", 0, "use only the first N samples", 0},
        {"batch", 'b', "N", 0, "samples in one run (default 100)", 0},
        {"per-class", KEY_PER_CLASS, NULL, 0, "also print precision, recall and F1 of each class", 0},
        {"confusion", KEY_CONFUSION, NULL, 0, "also print the confusion matrix: which classes are taken for which", 0},
        {"normal", KEY_NORMAL, "CLASS,...", 0, "of a network that gives its samples back: how well its error tells these classes from the others", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'd': j->data = arg; return 0;
	case 'b': j->batch = cli_int(state, "--batch", arg, 1, 65536); return 0;
	case KEY_SPLIT: j->split = arg; return 0;
	case KEY_LIMIT: j->limit = cli_int(state, "--limit", arg, 0, 1 << 30); return 0;
	case KEY_PER_CLASS: j->per_class = true; return 0;
	case KEY_CONFUSION: j->confusion = true; return 0;
	case KEY_NORMAL: j->normal = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static cop_status count(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	job *j = ud;

	(void)i;
	if (j->table && label >= 0 && n == j->n) j->table[(int64_t)label * n + cli_best(y, n)]++;
	return COP_OK;
}

/* ---- what came out ---- */

/* Precision: of those taken for the class, the part that is. Recall: of the class, the part that was found. F1: their harmonic mean.
 * 0 where there are none. */
typedef struct figures { int64_t there, taken, right; double precision, recall, f1; } figures;

static figures of_class(const job *j, int32_t k)
{
	figures f = {.right = j->table[(int64_t)k * j->n + k]};

	for (int32_t i = 0; i < j->n; i++) {
		f.there += j->table[(int64_t)k * j->n + i];
		f.taken += j->table[(int64_t)i * j->n + k];
	}
	f.precision = f.taken ? (double)f.right / (double)f.taken : 0;
	f.recall = f.there ? (double)f.right / (double)f.there : 0;
	f.f1 = f.there + f.taken ? 2 * (double)f.right / (double)(f.there + f.taken) : 0;
	return f;
}

static void per_class(cli *c, const job *j, const cop_graph *g)
{
	char name[CLI_CLASS];

	if (j->per_class) cli_out(c, "%-24s %9s %9s %9s %9s\n", "class", "samples", "precision", "recall", "F1");
	cli_put_list(c, "classes");
	for (int32_t k = 0; k < j->n; k++) {
		figures f = of_class(j, k);
		cli_class(name, g, k);
		if (j->per_class) cli_out(c, "%-24s %9lld %9.4f %9.4f %9.4f\n", name, (long long)f.there, f.precision, f.recall, f.f1);
		cli_put_item(c, NULL);
		cli_put_text(c, "name", name);
		cli_put_int(c, "samples", f.there);
		cli_put_real(c, "precision", f.precision);
		cli_put_real(c, "recall", f.recall);
		cli_put_real(c, "f1", f.f1);
		cli_put_item_end(c);
	}
	cli_put_end(c);
}

/* A row is a true class, a column what it was taken for; columns are headed by their number, which stands before each row's name. */
static void confusion(cli *c, const job *j, const cop_graph *g)
{
	char name[CLI_CLASS];

	if (j->confusion) {
		cli_out(c, "%-28s", "class \\ taken for");
		for (int32_t k = 0; k < j->n; k++) cli_out(c, " %6d", k);
		cli_out(c, "\n");
	}
	cli_put_rows(c, "confusion");
	for (int32_t k = 0; k < j->n; k++) {
		cli_class(name, g, k);
		if (j->confusion) cli_out(c, "%4d %-23s", k, name);
		cli_put_rows(c, NULL);
		for (int32_t i = 0; i < j->n; i++) {
			cli_put_int(c, NULL, j->table[(int64_t)k * j->n + i]);
			if (j->confusion) cli_out(c, " %6lld", (long long)j->table[(int64_t)k * j->n + i]);
		}
		cli_put_end(c);
		if (j->confusion) cli_out(c, "\n");
	}
	cli_put_end(c);
}

static const char *part_of(const job *j) { return j->split ? j->split : cli_file_size(j->data) >= 0 ? "all" : "test"; }

static void result(cli *c, const job *j, const cop_graph *g, const cop_dataset *d, const cop_score *s)
{
	const char *split = part_of(j);

	cli_put_text(c, "split", split);
	if (s->accuracy >= 0) cli_put_real(c, "accuracy", (double)s->accuracy);
	cli_put_real(c, "loss", (double)s->loss);
	if (d->targets) cli_put_real(c, "mse", (double)s->mse), cli_put_real(c, "mae", (double)s->mae), cli_put_real(c, "r2", (double)s->r2);
	cli_put_int(c, "samples", s->count);
	cli_put_real(c, "images_per_second", s->images_per_second);
	cli_put_int(c, "file_bytes", cli_file_size(j->file));
	const bool hits = d->targets && s->f1 >= 0;
	if (hits) cli_put_real(c, "f1", (double)s->f1);
	if (d->targets) cli_out(c, "MSE %.6g, MAE %.6g, R2 %.4f", (double)s->mse, (double)s->mae, (double)s->r2);
	else if (s->accuracy >= 0)
		cli_out(c, "accuracy %.2f %% (%.0f of %d wrong), loss %.4f", 100 * (double)s->accuracy,
			(1 - (double)s->accuracy) * s->count, s->count, (double)s->loss);
	else cli_out(c, "loss %.4f", (double)s->loss);
	if (hits) cli_out(c, ", F1 %.4f of what is above a half", (double)s->f1);
	if (!strcmp(split, "all")) cli_out(c, " on all %d samples of %s, %.0f samples/s\n", s->count, j->data, s->images_per_second);
	else cli_out(c, " on the %s part of %s, %.0f samples/s\n", split, j->data, s->images_per_second);
	if (j->table) per_class(c, j, g), confusion(c, j, g);
	if (s->accuracy >= 0) cli_doubt(c, "the accuracy", (double)s->accuracy, cli_outputs(g), s->count, (double)cop_graph_accuracy(g));
}

/* Of a network that gives its samples back. */
static cop_status anomaly(cli *c, const job *j, const cop_graph *g, cop_dataset *d)
{
	cop_anomaly a;

	CLI_TRY(cop_eval_anomaly(&a, g, d, j->normal, j->batch, cli_threads(c)));
	cli_out(c, "AUC %.4f between %d samples of %s and %d others; 95 %% of the normal ones are given back with a mean square error of at most %.4g, and %.2f %% of the others with more\n",
		(double)a.auc, a.normal, j->normal, a.others, (double)a.threshold, 100 * (double)a.found);
	cli_put_text(c, "split", part_of(j));
	cli_put_int(c, "samples", a.normal + a.others);
	cli_put_int(c, "file_bytes", cli_file_size(j->file));
	cli_put_real(c, "auc", (double)a.auc);
	cli_put_real(c, "found", (double)a.found);
	cli_put_real(c, "threshold", (double)a.threshold);
	cli_put_real(c, "normal_error", (double)a.normal_error);
	cli_put_real(c, "other_error", (double)a.other_error);
	cli_put_int(c, "normal", a.normal);
	cli_put_int(c, "others", a.others);
	return COP_OK;
}

/* Which samples of a folder without parts are scored is for its owner to know. */
static void say_split(cli *c, const job *j)
{
	static const char *const part[] = {"test", "val", "valid", "test.csv", "x_test.npy", "t10k-images-idx3-ubyte",
		"t10k-images-idx3-ubyte.gz", "test_batch.bin", "cifar-10-batches-bin",
		"cifar-10-binary.tar.gz", "cifar10-jpeg.tar.xz"};
	char path[1024];

	if (j->split || cli_file_size(j->data) >= 0 || access(j->data, F_OK)) return;
	for (int i = 0; i < LEN(part); i++) {
		snprintf(path, sizeof path, "%.900s/%s", j->data, part[i]);
		if (!access(path, F_OK)) return;
	}
	cli_note(c, "%s has no test part, so this scores the sixth of it that training leaves out (--split all scores every sample)", j->data);
}

/* Tables that would stay away: whoever asks for them is to know why. */
static cop_status table_fits(cli *c, const job *j, const cop_dataset *d)
{
	const char *what = j->per_class ? "--per-class" : "--confusion";

	if (!j->per_class && !j->confusion) return COP_OK;
	if (j->normal) return cli_fail(c, COP_ARG, "%s counts what was taken for which class, and with --normal nothing is: leave one of the two out", what);
	if (!d->classes) return cli_fail(c, COP_ARG, "%s counts classes, and %s is read without any: leave it out", what, j->data);
	return j->n <= MOST_SHOWN ? COP_OK : cli_fail(c, COP_ARG, "%s: there are %d classes, and a table has at most %d", what, j->n, MOST_SHOWN);
}

static cop_status score(cli *c, job *j, const cop_graph *g, cop_dataset *d)
{
	cop_score s;

	j->n = cli_outputs(g);
	CLI_TRY(table_fits(c, j, d));
	if (j->normal) return anomaly(c, j, g, d);
	CLI_TRY(cli_data_fits(c, g, d));
	say_split(c, j);
	if (d->classes && j->n > 0 && j->n <= MOST_SHOWN && (c->json || j->per_class || j->confusion) &&
		!(j->table = calloc((size_t)j->n * (size_t)j->n, sizeof *j->table)))
		return cli_fail(c, COP_NOMEM, "out of memory for the table of %d classes", j->n);
	CLI_TRY(cop_eval_each(&s, g, d, j->batch, cli_threads(c), j->table ? count : NULL, j));
	result(c, j, g, d, &s);
	return COP_OK;
}

cop_status cmd_eval(cli *c, int argc, char **argv)
{
	job j = {.batch = 100};
	const cli_line line = {options, "FILE",
	        "Scores a network on a data set. If the network has names for its classes, classes are matched by name.\v"
	        "Example:\n  coppice eval net.cop --data mnist --per-class\n  coppice eval net.tflite --data pictures/ --times 255", option, &j, &j.file, 1, 1};
	cop_graph *g = NULL;
	cop_dataset *d = NULL;

	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	if (j.normal && !j.s.task) j.s.task = COP_TASK_CLASS; /* labels are needed, although the network has no classes */
	cop_status st = cli_model(&g, c, j.file);
	if (!st) st = cli_samples_set(c, g, &j.s);
	if (!st) st = cli_data_open(&d, c, &j.s, g, j.data, j.split, j.limit);
	cli_catch_signals(c);
	if (!st) st = score(c, &j, g, d);
	free(j.table);
	cop_data_free(d);
	cop_graph_free(g);
	return st;
}
