/* SPDX-License-Identifier: Apache-2.0
 *
 * run - a network on an array of any number of samples, in batches of at most 64; the last batch is padded by
 * zeros whose results are dropped. Networks of other programs, and of several inputs, are run once (run_once.c).
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
	const char *out, *arg[1 + CLI_MOST_INPUTS];
} job;

static const struct argp_option options[] = {{"output", 'o', "FILE", 0, "where the results go: a .npy, or a folder for output_0.npy, output_1.npy ...", 0}, {0}};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	(void)state;
	if (key != 'o') return ARGP_ERR_UNKNOWN;
	((job *)ud)->out = arg;
	return 0;
}

/* Samples in x, or a failure that says which shape was expected. */
static cop_status samples(int64_t *n, cli *c, const job *j, const cop_tensor *x)
{
	cop_graph *g;
	cop_type in;
	char have[64], want[64];

	CLI_TRY(cli_model(&g, c, j->arg[0]));
	cop_status st = cop_graph_io(g, &in, NULL);
	bool scaled = in.q.scale;
	cop_graph_free(g);
	if (st) return st;
	int64_t each = cop_type_count(&in) / in.dim[0], all = cop_type_count(&x->type);
	cli_shape(have, sizeof have, &x->type);
	in.dim[0] = 1;
	cli_shape(want, sizeof want, &in);
	if (x->type.dtype != in.dtype && !(x->type.dtype == COP_F32 && scaled))
		return cli_fail(c, COP_ARG, "%s: holds %s, the network takes %s", j->arg[1],
		        x->type.dtype == COP_F32 ? "reals" : "whole numbers of another kind", in.dtype == COP_F32 ? "f32" : "whole numbers");
	if (all % each || (x->type.rank > 1 && all / each > 1 && x->type.dim[0] != all / each))
		return cli_fail(
		        c, COP_SHAPE, "%s: has shape %s, one sample of the network is %s", j->arg[1], have, want);
	*n = all / each;
	return COP_OK;
}

static cop_status run(cop_tensor *y, cli *c, const job *j, const cop_tensor *x, int64_t n)
{
	int32_t batch = n > 64 ? 64 : (int32_t)n;
	cli_deployed d;
	cop_tensor in, out;
	cop_target host;

	CLI_TRY(cop_target_find(&host, c->cx, "host"));
	host.threads = cli_threads(c);
	CLI_TRY(cli_deploy(&d, c, j->arg[0], batch, &host, true));
	cop_status st = cop_session_io(d.s, 0, 0, false, &in);
	if (!st) st = cop_session_io(d.s, 0, 0, true, &out);
	if (st) goto done;
	size_t xs = cop_type_bytes(&x->type) / (size_t)n, ys = cop_type_bytes(&out.type) / (size_t)batch;
	y->type = out.type;
	y->type.q = (cop_quant){.axis = -1}; /* lives no longer than the plan */
	y->type.dim[0] = (int32_t)n;
	y->data = malloc(ys * (size_t)n);
	if (!y->data) st = cli_fail(c, COP_NOMEM, "out of memory for the results of %lld samples", (long long)n);
	for (int64_t i = 0; !st && i < n; i += batch) {
		size_t k = (size_t)(n - i < batch ? n - i : batch);
		memset(in.data, 0, cop_type_bytes(&in.type));
		cop_tensor part = {in.type, in.data}, from = {in.type, (char *)x->data + (size_t)i * xs};
		part.type.dim[0] = from.type.dim[0] = (int32_t)k;
		from.type.dtype = x->type.dtype;
		st = cop_tensor_copy(c->cx, &part, &from);
		if (!st) st = cop_session_run(d.s, 0);
		memcpy((char *)y->data + (size_t)i * ys, out.data, k * ys);
	}
done:
	cli_deployed_free(&d);
	return st;
}

cop_status cmd_run(cli *c, int argc, char **argv)
{
	job j = {0};
	const cli_line line = {options, "FILE INPUT...",
	        "Runs a network on an array of samples (C order, channels last): f32, or the network's own integers.\v"
	        "An integer network takes f32, too, by the scale of its input; its results are written as they are.\n"
	        "Arrays are .npy, or tensors of ONNX's tests (.pb). An .onnx takes them as it was exported, channels first.\n"
	        "Example:\n  coppice run small.cop digits.npy -o scores.npy\n  coppice run net.onnx input_0.pb input_1.npy -o out/",
	        option, &j, j.arg, 1 + CLI_MOST_INPUTS, 2};
	cop_tensor x = {0}, y = {0};
	int64_t n = 0;
	char shape[64];

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	if (cli_runs_once(j.arg[0], j.arg + 1, j.out)) return cli_run_once(c, j.arg[0], j.arg + 1, j.out);
	CLI_TRY(cli_can_write(c, j.out));
	CLI_TRY(cop_tensor_read(&x, c->cx, j.arg[1]));
	cop_status st = samples(&n, c, &j, &x);
	if (!st) st = run(&y, c, &j, &x, n);
	if (!st) st = cop_npy_write(c->cx, j.out, &y);
	if (!st) {
		cli_shape(shape, sizeof shape, &y.type);
		cli_put_text(c, "output", j.out);
		cli_put_int(c, "samples", n);
		cli_put_text(c, "shape", shape);
		if (!c->quiet) cli_out(c, "%s: %s\n", j.out, shape);
	}
	free(y.data);
	cop_free(c->cx, x.data);
	return st;
}
