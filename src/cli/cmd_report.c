/* SPDX-License-Identifier: Apache-2.0
 *
 * report - a page about a network, with what the recipe did when its history is there.
 */
#include "compared.h"

#include <stdio.h>
#include <string.h>

enum { KEY_HISTORY = 0x3000, KEY_CHECK, KEY_LOG, KEY_TARGET };

typedef struct job {
	const char *out, *history, *check, *log;
	cli_compared all; /* of several files, side by side */
} job;

static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "file for the page (.html)", 0},
        {"history", KEY_HISTORY, "FILE", 0,
                "what `coppice compress` wrote (default: FILE.history.json next to the network, if it exists)", 0},
        {"log", KEY_LOG, "FILE", 0,
		"what `coppice train --log` wrote: the page shows the curves of loss, score and learning "
		"rate (default: FILE.log.csv next to the network, if it exists)", 0},
        {"check", KEY_CHECK, "FOLDER", 0, "emitted folder of this network; the page shows what `coppice check` measured there", 0},
        {"data", 'd', "NAME", 0, "of several networks: data set to score them on (default: the accuracy that each file was saved with)", 0},
        {"target", KEY_TARGET, "NAME", 0, "of several networks: machine that the figures are for (default: host)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	(void)state;
	if (key == 'o') j->out = arg;
	else if (key == KEY_HISTORY) j->history = arg;
	else if (key == KEY_CHECK) j->check = arg;
	else if (key == KEY_LOG) j->log = arg;
	else if (key == 'd') j->all.data = arg;
	else if (key == KEY_TARGET) j->all.target = arg;
	else return ARGP_ERR_UNKNOWN;
	return 0;
}

/* A sentence about the log names its file. */
static cop_status of_log(const job *j, cli *c, cop_status st)
{
	const char *said = cop_error_text(c->cx);
	return st && !strncmp(said, "log", 3) && (said[3] == ',' || said[3] == ':') ? cli_fail(c, st, "%s%s", j->log, said + 3) : st;
}

static void result(const job *j, cli *c)
{
	cli_put_text(c, "output", j->out);
	cli_out(c, "%s: written", j->out);
	if (j->log) cli_out(c, ", with the training of %s", j->log);
	if (!j->history)
		cli_out(c, j->log ? "; there is no history of a compression"
			: "; there is no history of a compression and no log of a training, so it shows only the network");
	cli_out(c, "\n");
}

static cop_status report(const job *j, cli *c, const char *check)
{
	void *history = NULL, *checked = NULL, *log = NULL;
	cop_report_args a = {0};
	cop_graph *g = NULL;

	cop_status st = cli_model(&g, c, j->all.file[0]);
	if (!st && j->history) st = cop_file_read(&history, &a.history_size, c->cx, j->history, 64 << 20);
	if (!st && check) st = cop_file_read(&checked, &a.check_size, c->cx, check, 1 << 20);
	if (!st && j->log) st = cop_file_read(&log, &a.log_size, c->cx, j->log, 64 << 20);
	a.history = history;
	a.check = checked;
	a.log = log;
	if (!st) st = of_log(j, c, cop_report_html(j->out, g, &a));
	if (!st) result(j, c);
	cop_free(c->cx, log);
	cop_free(c->cx, history);
	cop_free(c->cx, checked);
	cop_graph_free(g);
	return st;
}

/* A page with all of them. */
static cop_status side_by_side(job *j, cli *c)
{
	if (j->history || j->check || j->log)
		return cli_fail(c, COP_ARG,
			"--history, --check and --log belong to one network; leave them out to see several side by side");
	CLI_TRY(cli_compared_measure(&j->all, c));
	CLI_TRY(cop_report_front_html(j->out, c->cx, j->all.of, j->all.n, j->all.target));
	cli_put_text(c, "output", j->out);
	cli_out(c, "%s: written, %d networks\n", j->out, j->all.n);
	return COP_OK;
}

cop_status cmd_report(cli *c, int argc, char **argv)
{
	static job j;
	const cli_line line = {options, "FILE...",
		"Writes one self-contained HTML page about a network, or about several side by side.\v"
		"Example:\n  coppice report net.cop --log run.csv -o net.html\n"
		"  coppice report small.cop --check out/ -o report.html\n"
		"  coppice report net.cop small.cop smaller.cop --data mnist -o front.html",
	        option, &j, j.all.file, CLI_MOST_COMPARED, 1};
	char beside[1024], log[1024], result[1024];

	j = (job){0};
	CLI_TRY(cli_parse_samples(c, &line, &j.all.s, argc, argv));
	CLI_TRY(cli_can_write(c, j.out));
	if (j.all.file[1]) return side_by_side(&j, c);
	cli_beside(beside, sizeof beside, j.all.file[0], ".history.json");
	if (!j.history && cli_file_size(beside) >= 0) j.history = beside;
	cli_beside(log, sizeof log, j.all.file[0], ".log.csv");
	if (!j.log && cli_file_size(log) >= 0) j.log = log;
	const cli_path paths[] = {{"-o", j.out, true}, {"--log", j.log, false}, {"--history", j.history, false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	snprintf(result, sizeof result, "%.900s/check/result.json", j.check ? j.check : "");
	if (j.check && cli_file_size(result) < 0) return cli_fail(c, COP_IO, "%s: no such file; `coppice check %s` writes it", result, j.check);
	return report(&j, c, j.check ? result : NULL);
}
