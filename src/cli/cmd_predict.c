/* SPDX-License-Identifier: Apache-2.0
 *
 * predict - what a network makes of pictures, sounds, rows of a table and arrays: class and score, or the numbers of a regression.
 */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_TOP = 0x3000, KEY_ABOVE };

typedef struct job {
	const char *arg[1 + CLI_MOST_FILES], *file; /* file: the one that is being answered */
	int32_t top, count, at; /* top 0: not given */
	bool values;            /* the network predicts numbers, not classes */
	float above; /* numbers of a regression up to it are not shown; NAN: all are */
	cli_samples s;
	cli *c;
	const cop_graph *g;
} job;

static const struct argp_option options[] = {
        {"top", KEY_TOP, "K", 0, "print the K best classes of each sample (default 1)", 0},
        {"above", KEY_ABOVE, "X", 0, "of a network that predicts numbers: print only those above X, as in a detector's cells", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case KEY_TOP: j->top = cli_int(state, "--top", arg, 1, 1000); return 0;
	case KEY_ABOVE: j->above = cli_real(state, "--above", arg, -1e30f, 1e30f); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void one(job *j, const char *key, const char *name, double v, const char *unit)
{
	cli_put_item(j->c, NULL);
	cli_put_text(j->c, key, name);
	cli_put_real(j->c, *unit ? "score" : "value", *unit ? v / 100 : v);
	cli_put_item_end(j->c);
	cli_out(j->c, *unit ? "  %s %.2f%s" : "  %s %.6g%s", name, v, unit);
}

/* The K largest, one after the other: the least index first among equals. */
static void best(job *j, const float *y, int32_t n)
{
	char name[CLI_CLASS];
	int32_t last = -1;

	for (int32_t k = 0; k < (j->top ? j->top : 1) && k < n; k++) {
		int32_t at = -1;
		for (int32_t i = 0; i < n; i++) {
			bool behind = last < 0 || y[i] < y[last] || (y[i] == y[last] && i > last);
			if (behind && (at < 0 || y[i] > y[at])) at = i;
		}
		if (at < 0) return; /* not a number */
		cli_class(name, j->g, at);
		one(j, "class", name, 100 * (double)y[at], " %");
		last = at;
	}
}

static cop_status answer(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	job *j = ud;
	cli *c = j->c;
	const bool values = j->values;
	char name[16];

	(void)label;
	cli_put_item(c, NULL);
	cli_put_text(c, "file", j->file);
	if (j->count > 1) cli_put_int(c, "sample", i), cli_out(c, "%s, sample %d:", j->file, i);
	else cli_out(c, "%s:", j->file);
	cli_put_list(c, values ? "values" : "classes");
	for (int32_t k = 0; values && k < n; k++) {
		const char *target = cop_graph_target(j->g, k);
		if (y[k] <= j->above) continue;
		snprintf(name, sizeof name, n > 1 ? "y%d" : "y", k + 1);
		one(j, "target", target ? target : name, (double)y[k], "");
	}
	if (!values) best(j, y, n);
	cli_put_end(c);
	cli_put_item_end(c);
	cli_out(c, "\n");
	return COP_OK;
}

static cop_status predict(job *j, const char *file)
{
	cli *c = j->c;
	cop_dataset *d = NULL;
	cli_samples s = j->s;

	s.task = COP_TASK_NONE;
	CLI_TRY(cli_data_open(&d, c, &s, j->g, file, NULL, 0));
	j->file = file;
	j->count = d->count;
	d->classes = d->targets = 0; /* what the file says is not asked */
	cop_status st = cli_data_fits(c, j->g, d);
	if (!st) st = cop_predict(j->g, d, d->count < 64 ? d->count : 64, cli_threads(c), answer, j);
	cop_data_free(d);
	return st;
}

/* An option that would do nothing with this network is a mistake. */
static cop_status fits(job *j)
{
	j->values = cop_graph_target(j->g, 0) || (cli_outputs(j->g) == 1 && !cop_graph_class(j->g, 0));
	if (j->values && j->top) return cli_fail(j->c, COP_ARG, "%s: predicts numbers, of which --top picks none; --above X prints those above X", j->arg[0]);
	if (!j->values && !isnan(j->above))
		return cli_fail(j->c, COP_ARG, "%s: predicts classes, which --above does not bound; --top K prints the K best of each sample", j->arg[0]);
	return COP_OK;
}

cop_status cmd_predict(cli *c, int argc, char **argv)
{
	static job j;
	const cli_line line = {options, "NET FILE...",
		"Prints what a network predicts for pictures (.png .jpg .ppm), sounds (.wav), rows of a "
		"table (.csv, with or without the target column) or arrays (.npy).\v"
	        "Samples are scaled and laid out as the network says. The score of a class is the probability that the network gives it.\n"
	        "Example:\n  coppice predict net.cop cat.png dog.jpg --top 3", option, &j, j.arg, 1 + CLI_MOST_FILES, 2};
	cop_graph *g = NULL;

	j = (job){.above = NAN, .c = c};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	cop_status st = cli_model(&g, c, j.arg[0]);
	if (!st) st = cli_samples_set(c, g, &j.s);
	cli_catch_signals(c);
	j.g = g;
	if (!st) st = fits(&j);
	cli_put_list(c, "predictions");
	for (int i = 1; !st && i <= CLI_MOST_FILES && j.arg[i]; i++) st = predict(&j, j.arg[i]);
	cli_put_end(c);
	cop_graph_free(g);
	return st;
}
