/* SPDX-License-Identifier: Apache-2.0
 *
 * report - a page about a network, with what the recipe did when its history is there.
 */
#include "cli.h"

enum { KEY_HISTORY = 0x3000, KEY_CHECK };

typedef struct job {
	const char *file, *out, *history, *check;
} job;

static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "file for the page (.html)", 0},
        {"history", KEY_HISTORY, "FILE", 0,
                "what `coppice compress` wrote (default: FILE.history.json next to the network, if it exists)", 0},
        {"check", KEY_CHECK, "FOLDER", 0, "emitted folder of this network; the page shows what `coppice check` measured there", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	(void)state;
	if (key == 'o') j->out = arg;
	else if (key == KEY_HISTORY) j->history = arg;
	else if (key == KEY_CHECK) j->check = arg;
	else return ARGP_ERR_UNKNOWN;
	return 0;
}

cop_status cmd_report(cli *c, int argc, char **argv)
{
	job j = {0};
	const cli_line line = {options, "FILE",
	        "Writes one self-contained HTML page about a network.\vExample:\n  coppice report small.cop -o report.html\n  coppice report small.cop --check out/ -o report.html",
	        option, &j, &j.file, 1, 1};
	char beside[1024], result[1024];
	void *history = NULL, *check = NULL;
	size_t size = 0, check_size = 0;
	cop_graph *g = NULL;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	CLI_TRY(cli_can_write(c, j.out));
	cli_beside(beside, sizeof beside, j.file, ".history.json");
	if (!j.history && cli_file_size(beside) >= 0) j.history = beside;
	snprintf(result, sizeof result, "%.900s/check/result.json", j.check ? j.check : "");
	if (j.check && cli_file_size(result) < 0) return cli_fail(c, COP_IO, "%s: no such file; `coppice check %s` writes it", result, j.check);
	cop_status st = cli_model(&g, c, j.file);
	if (!st && j.history) st = cop_file_read(&history, &size, c->cx, j.history, 64 << 20);
	if (!st && j.check) st = cop_file_read(&check, &check_size, c->cx, result, 1 << 20);
	if (!st) st = cop_report_html(j.out, g, history, size, check, check_size);
	if (!st) {
		cli_put_text(c, "output", j.out);
		cli_out(c, "%s: %s\n", j.out, j.history ? "written" : "written; there is no history of a compression, so it shows only the network");
	}
	cop_free(c->cx, history);
	cop_free(c->cx, check);
	cop_graph_free(g);
	return st;
}
