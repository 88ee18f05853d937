/* SPDX-License-Identifier: Apache-2.0
 *
 * valid - what a network is trained with and what it is scored on after each epoch, as --valid says: a part of the data set, a fraction of its
 * training part, a set of its own, or nothing.
 */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum from { FROM_PART, FROM_TEST, FROM_FRACTION, FROM_OTHER, FROM_NOTHING } from;

static bool is_set(cli *c, const char *name)
{
	cop_data_info info;

	if (cli_is_file_name(name)) return true;
	for (int i = 0; cop_data_list(c->cx, i, &info); i++)
		if (!strcmp(info.name, name)) return true;
	return false;
}

/* *part: of a fraction. */
static cop_status parse(from *f, float *part, cli *c, const char *said)
{
	char *end;

	*part = 0;
	*f = FROM_PART;
	if (!said || !strcmp(said, "yes") || !strcmp(said, "valid")) return COP_OK;
	if (!strcmp(said, "no")) return *f = FROM_NOTHING, COP_OK;
	if (!strcmp(said, "test")) return *f = FROM_TEST, COP_OK;
	*part = strtof(said, &end);
	*f = FROM_FRACTION;
	if (*said && !*end) return *part > 0 && *part < 1 ? COP_OK : cli_fail(c, COP_ARG, "--valid=%s: a fraction must be above 0 and below 1, such as 0.1", said);
	*part = 0;
	*f = FROM_OTHER;
	if (is_set(c, said)) return COP_OK;
	return cli_fail(c, COP_ARG, "--valid=%s: must be valid or test (a part of the data set), a fraction such as 0.1, a data set or path, or yes or no", said);
}

/* A set of its own is scored whole, if it has no parts, else on its test part. Its columns mean what those of the training set mean. */
static cop_status open_other(cop_dataset **out, cli *c, const cli_samples *samples, const cop_graph *g, const cli_train *t, const cop_dataset *train)
{
	cli_samples s = *samples;

	if (cop_file_same(t->valid, t->data) || !strcmp(t->valid, t->data))
		return cli_fail(c, COP_ARG, "%s: is --data and --valid at once; --valid 0.1 holds a tenth of it out", t->valid);
	if (!s.task) s.task = train->classes ? COP_TASK_CLASS : train->targets ? COP_TASK_REGRESS : COP_TASK_NONE;
	cop_status st = cli_data_open(out, c, &s, g, t->valid, "all", t->limit);
	if (st == COP_ARG) cop_error_clear(c->cx), st = cli_data_open(out, c, &s, g, t->valid, "test", t->limit);
	CLI_TRY(st);
	if (!(*out)->classes == !train->classes && (*out)->targets == train->targets) return COP_OK;
	return cli_fail(c, COP_ARG, "--valid %s: its samples have other targets than those of %s", t->valid, t->data);
}

cop_status cli_train_open(cop_dataset **out, cli *c, const cli_samples *samples, const cop_graph *g, const cli_train *t)
{
	cli_samples s = *samples;
	from f;

	CLI_TRY(parse(&f, &s.valid, c, t->valid));
	if (f == FROM_NOTHING && (t->stop_after || t->a.keep == COP_KEEP_BEST))
		return cli_fail(c, COP_ARG, "%s needs a validation set to compare epochs, and --valid no leaves none", t->stop_after ? "--stop-after" : "--keep best");
	return cli_data_open(out, c, &s, g, t->data, f == FROM_PART || f == FROM_FRACTION ? "train" : "train+valid", t->limit);
}

cop_status cli_valid_open(cop_dataset **out, cli *c, const cli_samples *samples, const cop_graph *g, const cli_train *t, const cop_dataset *train)
{
	cli_samples s = *samples;
	from f;

	*out = NULL;
	CLI_TRY(parse(&f, &s.valid, c, t->valid));
	if (f == FROM_NOTHING) return COP_OK;
	if (f == FROM_OTHER) return open_other(out, c, samples, g, t, train);
	return cli_data_open(out, c, &s, g, t->data, f == FROM_TEST ? "test" : "valid", t->limit);
}
