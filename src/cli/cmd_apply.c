/* SPDX-License-Identifier: Apache-2.0
 *
 * apply - passes over a network, in the words of `coppice passes`.
 */
#include "cli.h"

typedef struct job {
	const char *arg[2], *out;
} job;

static const struct argp_option options[] = {{"output", 'o', "FILE", 0, "file for the new network (.cop)", 0}, {0}};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	(void)state;
	if (key != 'o') return ARGP_ERR_UNKNOWN;
	((job *)ud)->out = arg;
	return 0;
}

cop_status cmd_apply(cli *c, int argc, char **argv)
{
	job j = {0};
	const cli_line line = {options, "FILE PASSES",
	        "Runs passes over a network, in the order you give. `coppice passes` lists them.\vExample:\n"
	        "  coppice apply net.cop \"to_infer fuse\" -o out.cop",
	        option, &j, j.arg, 2, 2};
	cop_graph *g;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	CLI_TRY(cli_can_write_model(c, j.out, false));
	CLI_TRY(cli_model(&g, c, j.arg[0]));
	int32_t before = cop_graph_layers(g);
	cop_status st = cop_graph_apply_in_place(&g, j.arg[1]);
	if (!st) st = cop_model_save(g, j.out);
	if (!st) {
		cli_put_text(c, "output", j.out);
		cli_put_int(c, "nodes_before", before);
		cli_put_int(c, "nodes", cop_graph_layers(g));
		cli_put_int(c, "file_bytes", cli_file_size(j.out));
		cli_out(c, "%s: %d operators, %d before\n", j.out, cop_graph_layers(g), before);
	}
	cop_graph_free(g);
	return st;
}
