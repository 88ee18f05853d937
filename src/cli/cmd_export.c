/* SPDX-License-Identifier: Apache-2.0
 *
 * export - weights as .safetensors, or the deployed network as .onnx, which other frameworks read.
 */
#include "cli.h"

#include <string.h>

typedef struct job {
	const char *file, *out;
} job;

static const struct argp_option options[] = {{"output", 'o', "FILE", 0, "file to write: .onnx (the network) or .safetensors (its weights)", 0}, {0}};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	(void)state;
	if (key != 'o') return ARGP_ERR_UNKNOWN;
	((job *)ud)->out = arg;
	return 0;
}

cop_status cmd_export(cli *c, int argc, char **argv)
{
	job j = {0};
	const cli_line line = {options, "FILE",
		"Writes a network for other programs: the deployed network if the output ends in .onnx, "
		"or its weights by name if it ends in .safetensors.\vExample:\n  coppice export net.cop -o net.safetensors\n"
		"  coppice export net.cop -o net.onnx",
	        option, &j, &j.file, 1, 1};
	cop_graph *g;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	CLI_TRY(cli_can_write_model(c, j.out, true));
	CLI_TRY(cli_model(&g, c, j.file));
	size_t n = strlen(j.out);
	bool onnx = n > 5 && !strcmp(j.out + n - 5, ".onnx");
	cop_status st = onnx ? cop_graph_apply_in_place(&g, "to_infer fuse") : COP_OK;
	if (!st) st = onnx ? cop_onnx_save(g, j.out) : cop_weights_save(g, j.out);
	if (!st) {
		cli_put_text(c, "output", j.out);
		cli_put_int(c, "file_bytes", cli_file_size(j.out));
		cli_out(c, "%s: written\n", j.out);
	}
	cop_graph_free(g);
	return st;
}
