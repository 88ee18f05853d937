/* SPDX-License-Identifier: Apache-2.0
 *
 * apply - passes over a network, in the words of `coppice passes`, what `coppice adapt` or a device has saved of its training, and how samples are scaled for it.
 */
#include "cli.h"

enum { KEY_DIFF = 0x3000 };

typedef struct job {
	const char *arg[2], *out, *diff;
} job;

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "file for the new network (.cop)", 0},
	{"diff", KEY_DIFF, "FILE", 0, "a saved difference: of `coppice adapt --save-diff`, or a slot of a device's flash. The network is the one that it began with; "
		"passes come before it", 0},
	{0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	(void)state;
	switch (key) {
	case 'o': j->out = arg; return 0;
	case KEY_DIFF: j->diff = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static cop_status difference(cop_graph **g, cli *c, const char *path)
{
	void *bytes;
	size_t size;

	CLI_TRY(cop_file_read(&bytes, &size, c->cx, path, 0));
	cop_status st = cop_diff_apply(g, bytes, size);
	cop_free(c->cx, bytes);
	return st ? cli_fail(c, st, "%s: %s", path, cop_error_text(c->cx)) : COP_OK;
}

cop_status cmd_apply(cli *c, int argc, char **argv)
{
	job j = {0};
	cli_samples samples = {0};
	const cli_line line = {options, "FILE [PASSES]",
	        "Runs passes over a network, in the order you give. `coppice passes` lists them. How samples are scaled for it, and the names of its classes, can "
		"be stored in the file, too.\vExample:\n"
	        "  coppice apply net.cop \"to_infer fuse\" -o out.cop\n  coppice apply net-int8.cop --diff mine.copd -o mine.cop\n"
		"  coppice apply net.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 -o net.cop",
	        option, &j, j.arg, 2, 1};
	cop_graph *g;

	CLI_TRY(cli_parse_scaling(c, &line, &samples, argc, argv));
	if (!j.arg[1] && !j.diff && !samples.classes && !cli_samples_scale(&samples))
		return cli_fail(c, COP_ARG, "expected FILE PASSES, FILE --diff FILE, or FILE with what to store of its samples (--times, --mean, --std, --layout, --classes)");
	CLI_TRY(cli_can_write_model(c, j.out, false));
	CLI_TRY(cli_model(&g, c, j.arg[0]));
	int32_t before = cop_graph_layers(g);
	cop_status st = j.arg[1] ? cop_graph_apply_in_place(&g, j.arg[1]) : COP_OK;
	if (!st && j.diff) st = difference(&g, c, j.diff);
	if (!st) st = cli_samples_set(c, g, &samples);
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
