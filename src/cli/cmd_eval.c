/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a network on a part of a data set.
 */
#include "cli.h"

enum { KEY_SPLIT = 0x3000, KEY_LIMIT };

typedef struct job {
	const char *data, *split;
	int32_t limit, batch;
} job;

static const struct argp_option options[] = {
        {"data", 'd', "NAME", 0, "data set: a name of `coppice data list`, or a path", 0},
        {"split", KEY_SPLIT, "PART", 0, "test, valid or train (test)", 0},
        {"limit", KEY_LIMIT, "N", 0, "the first N samples", 0},
        {"batch", 'b', "N", 0, "samples a run (100)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'd':
		j->data = arg;
		return 0;
	case 'b':
		j->batch = cli_int(state, "--batch", arg, 1, 65536);
		return 0;
	case KEY_SPLIT:
		j->split = arg;
		return 0;
	case KEY_LIMIT:
		j->limit = cli_int(state, "--limit", arg, 0, 1 << 30);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void result(cli *c, const char *file, const job *j, const cop_score *s)
{
	cli_put_text(c, "split", j->split);
	if (s->accuracy >= 0) cli_put_real(c, "accuracy", (double)s->accuracy);
	cli_put_real(c, "loss", (double)s->loss);
	cli_put_int(c, "samples", s->count);
	cli_put_real(c, "images_per_second", s->images_per_second);
	cli_put_int(c, "file_bytes", cli_file_size(file));
	if (s->accuracy >= 0)
		cli_out(c, "accuracy %.2f %% (%.0f of %d wrong), ", 100 * (double)s->accuracy,
		        (1 - (double)s->accuracy) * s->count, s->count);
	cli_out(c, "loss %.4f on the %s part of %s, %.0f images/s\n", (double)s->loss, j->split, j->data,
	        s->images_per_second);
}

cop_status cmd_eval(cli *c, int argc, char **argv)
{
	const char *file;
	job j = {.split = "test", .batch = 100};
	const cli_line line = {options, "FILE",
	        "Scores a network on a data set.\vExample:\n  coppice eval net.cop --data mnist", option, &j, &file, 1,
	        1};
	cop_graph *g = NULL;
	cop_dataset *d = NULL;
	cop_score s;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cop_status st = cli_model(&g, c, file);
	if (!st) st = cli_data(&d, c, j.data, j.split, j.limit);
	cli_catch_signals(c);
	if (!st) st = cop_eval(&s, g, d, j.batch, cli_threads(c));
	if (!st) result(c, file, &j, &s);
	cop_data_free(d);
	cop_graph_free(g);
	return st;
}
