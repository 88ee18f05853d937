/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a network on a part of a data set.
 */
#include "cli.h"

enum { KEY_SPLIT = 0x3000, KEY_LIMIT, KEY_TIMES };

typedef struct job {
	const char *data, *split;
	int32_t limit, batch;
	float times;
} job;

static const struct argp_option options[] = {
        {"data", 'd', "NAME", 0, "data set: a name of `coppice data list`, or a path", 0},
        {"split", KEY_SPLIT, "PART", 0, "test, valid or train (test)", 0},
        {"limit", KEY_LIMIT, "N", 0, "the first N samples", 0},
        {"batch", 'b', "N", 0, "samples a run (100)", 0},
        {"times", KEY_TIMES, "X", 0, "multiply every number of a sample by X: data sets give pixels as 0 to 1, some networks of others take 0 to 255", 0},
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
	case KEY_TIMES:
		j->times = cli_real(state, "--times", arg, 1e-6f, 1e6f);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A data set whose numbers are multiplied on their way. */
typedef struct scaled {
	cop_dataset d, *of;
	float by;
	int64_t count;
} scaled;

static cop_status get_scaled(void *ud, int32_t i, float *x, int32_t *label)
{
	const scaled *s = ud;
	cop_status st = s->of->get(s->of->ud, i, x, label);

	for (int64_t k = 0; !st && k < s->count; k++) x[k] *= s->by;
	return st;
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
	job j = {.split = "test", .batch = 100, .times = 1};
	const cli_line line = {options, "FILE",
	        "Scores a network on a data set.\vExample:\n  coppice eval net.cop --data mnist", option, &j, &file, 1,
	        1};
	cop_graph *g = NULL;
	cop_dataset *d = NULL, *use = NULL;
	cop_score s;
	scaled t;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cop_status st = cli_model(&g, c, file);
	if (!st) st = cli_data(&d, c, j.data, j.split, j.limit);
	cli_catch_signals(c);
	if (!st && j.times != 1) {
		t = (scaled){*d, d, j.times, cop_type_count(&d->x)};
		t.d.get = get_scaled;
		t.d.free = NULL;
		t.d.ud = &t;
	}
	if (!st) use = j.times != 1 ? &t.d : d;
	if (!st) st = cop_eval(&s, g, use, j.batch, cli_threads(c));
	if (!st) result(c, file, &j, &s);
	cop_data_free(d);
	cop_graph_free(g);
	return st;
}
