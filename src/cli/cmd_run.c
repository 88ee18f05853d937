/* SPDX-License-Identifier: Apache-2.0
 *
 * run - a network on an array of any number of samples. An array of the shape of its input goes in as it is; more samples go in batches of at
 * most 64 (the last is padded by zeros whose results are dropped), or, where they have no axis to themselves, one by
 * one. Reals are fitted to the network as samples of a data set are; its own integers must have its shape. Networks of
 * other programs, and of several inputs, are run once (run_once.c).
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
	const char *out, *arg[1 + CLI_MOST_INPUTS];
	bool reals;         /* results of integers as the numbers they stand for */
	cli_samples s;
	cop_tensor x;       /* the array */
	int64_t each;       /* numbers of a sample */
	int32_t held;       /* samples along the first axis of the network as it is; 1 where those are not its batch, or are a sequence */
	int32_t batch;      /* samples a run */
	int32_t first;      /* length of the axis that grows with samples */
	bool at_once;       /* they may go through it side by side */
	bool as_is;         /* the array is all of the network's input: there is nothing to batch */
	cop_dataset d;      /* the array as samples ... */
	cop_dataset *fitted;/* ... and as the network takes them */
} job;

static const struct argp_option options[] = {{"output", 'o', "FILE", 0,
	"where the results go: a .npy, or a folder for output_0.npy, output_1.npy ...", 0},
	{"reals", 'R', NULL, 0, "write the results of an integer network as the real numbers that they stand for", 0}, {0}};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	(void)state;
	job *j = ud;

	if (key == 'o') j->out = arg;
	else if (key == 'R') j->reals = true;
	else return ARGP_ERR_UNKNOWN;
	return 0;
}

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const job *j = ud;

	*label = 0;
	if (j->x.type.dtype == COP_F32) memcpy(x, (const float *)j->x.data + i * j->each, (size_t)j->each * sizeof *x);
	return COP_OK;
}

/* How an array holds samples: as a single one, without an axis for it; along its first axis; along a first axis that the input has, but
 * which is not the batch of the network: it is some times as long. */
typedef enum form { SINGLE, ALONG, LONGER } form;

static form form_of(job *j, const cop_type *in, bool *rows)
{
	const cop_type *x = &j->x.type;
	bool like = !memcmp(x->dim + 1, in->dim + (x->rank == in->rank), sizeof *in->dim * (size_t)(x->rank > 1 ? x->rank - 1 : 0));

	if (x->rank == in->rank + 1 && like) *rows = false; /* whole inputs */
	if (!*rows) j->held = 1;
	j->each = cop_type_count(in) / j->held;
	int64_t n = cop_type_count(x) / j->each;
	j->as_is = cop_type_count(x) == cop_type_count(in);
	if (j->held == 1 && n > 1 && x->rank == in->rank && like && x->dim[0] == n * in->dim[0] && in->dim[0] > 1) return LONGER;
	return n == 1 && (x->rank < 1 || x->dim[0] != 1 || !*rows) && cop_type_count(x) == j->each ? SINGLE : ALONG;
}

/* The array as samples of the network. */
static cop_status samples(cli *c, job *j, const cop_graph *g)
{
	const cop_type *x = &j->x.type;
	cop_type in;
	char have[64], want[64];

	CLI_TRY(cop_graph_io(g, &in, NULL));
	j->held = cop_graph_batch(g);
	bool rows = in.rank > 0 && in.dim[0] == j->held && !cop_graph_keeps_state(g);
	form f = form_of(j, &in, &rows);
	int64_t all = cop_type_count(x), n = all / j->each;
	j->at_once = rows;
	j->first = f == LONGER ? in.dim[0] : j->held;
	cli_shape(have, sizeof have, x);
	if (rows) in.dim[0] = 1;
	cli_shape(want, sizeof want, &in);
	if (x->dtype != in.dtype && !(x->dtype == COP_F32 && in.q.scale))
		return cli_fail(c, COP_ARG, "%s: holds %s, the network takes %s", j->arg[1],
		        x->dtype == COP_F32 ? "reals" : "whole numbers of another kind", in.dtype == COP_F32 ? "f32" : "whole numbers");
	if (!n || n * j->each != all || (f == ALONG && x->dim[0] != n) || (x->dtype != COP_F32 && !cli_same_order(x, f != SINGLE, &in, rows || f == LONGER)))
		return cli_fail(c, COP_SHAPE, "%s: has shape %s, one sample of the network is %s", j->arg[1], have, want);
	j->d = (cop_dataset){.name = j->arg[1], .x = {.dtype = COP_F32, .q.axis = -1}, .count = (int32_t)n, .get = get, .ud = j};
	for (int i = f == ALONG ? 1 : 0; i < x->rank; i++) j->d.x.dim[j->d.x.rank++] = x->dim[i];
	if (f == LONGER) j->d.x.dim[0] = in.dim[0];
	if (x->dtype != COP_F32) return COP_OK;
	CLI_TRY(cli_data_fits(c, g, &j->d));
	return cop_data_fit(&j->fitted, NULL, g, &j->d);
}

/* The network for up to 64 samples at once. Where those would not come out one after the other it stays, and runs as often as it must. */
static cop_status model_for(cop_graph **g, cli *c, job *j)
{
	j->batch = !j->as_is && j->d.count > 64 ? 64 : j->d.count;
	if (j->as_is || (j->at_once && cop_graph_batched(g, j->batch))) return COP_OK;
	j->batch = j->held;
	if (j->d.count % j->held)
		return cli_fail(c, COP_SHAPE, "%s: holds %d samples, but the network takes %d at a time; give a multiple of that", j->arg[1], j->d.count, j->held);
	return COP_OK;
}

/* Samples i .. i+k into the first places of the input. */
static cop_status load(cli *c, const job *j, const cop_tensor *in, int64_t i, int32_t k, float *room)
{
	size_t width = cop_type_bytes(&j->x.type) / (size_t)cop_type_count(&j->x.type);
	cop_tensor part = *in, from = {in->type, (char *)j->x.data + (size_t)i * (size_t)j->each * width};
	int32_t label;

	part.type.rank = from.type.rank = 1;
	part.type.dim[0] = from.type.dim[0] = (int32_t)(k * j->each);
	for (int32_t r = 0; room && r < k; r++) CLI_TRY(j->fitted->get(j->fitted->ud, (int32_t)i + r, room + r * j->each, &label));
	if (room) from.type.dtype = COP_F32, from.data = room;
	memset(in->data, 0, cop_type_bytes(&in->type));
	return cop_tensor_copy(c->cx, &part, &from);
}

/* The results of k samples, of those that a run has left. */
static cop_status take(cli *c, const job *j, char *to, const cop_tensor *out, int32_t k)
{
	cop_tensor y = *out;
	const int64_t n = cop_type_count(&out->type) / (k < j->batch ? j->batch : 1) * (k < j->batch ? k : 1);

	if (!j->reals) return memcpy(to, out->data, cop_type_bytes(&out->type) / (size_t)cop_type_count(&out->type) * (size_t)n), COP_OK;
	y.type.rank = 1, y.type.dim[0] = (int32_t)n;
	cop_tensor real = {{.dtype = COP_F32, .rank = 1, .dim = {(int32_t)n}, .q.axis = -1}, to};
	return cop_tensor_copy(c->cx, &real, &y);
}

/* Of a session for batches. */
static cop_status run(cop_tensor *y, cli *c, const job *j, cop_session *s)
{
	int64_t n = j->d.count;
	cop_status st = COP_OK;
	cop_tensor in, out;

	CLI_TRY(cop_session_io(s, 0, 0, false, &in));
	CLI_TRY(cop_session_io(s, 0, 0, true, &out));
	size_t bytes = cop_type_bytes(&y->type) / (size_t)cop_type_count(&y->type) * (size_t)cop_type_count(&out.type);
	float *room = j->fitted ? malloc(sizeof *room * (size_t)j->batch * (size_t)j->each) : NULL;
	y->data = malloc(cop_type_bytes(&y->type) + 1);
	if (!y->data || (j->fitted && !room)) st = cli_fail(c, COP_NOMEM, "out of memory for the results of %lld samples", (long long)n);
	for (int64_t i = 0; !st && i < n; i += j->batch) {
		int32_t k = n - i < j->batch ? (int32_t)(n - i) : j->batch;
		st = load(c, j, &in, i, k, room);
		if (!st) st = cop_session_run(s, 0);
		if (!st) st = take(c, j, (char *)y->data + (size_t)(i / j->batch) * bytes, &out, k);
	}
	free(room);
	return st;
}

static float number_at(const cop_tensor *t, int64_t i)
{
	return t->type.dtype == COP_F32 ? ((const float *)t->data)[i] : t->type.dtype == COP_I32
		? (float)((const int32_t *)t->data)[i] : t->type.dtype == COP_I8 ? ((const int8_t *)t->data)[i]
		: t->type.dtype == COP_U8 ? ((const uint8_t *)t->data)[i] : t->type.dtype == COP_I16 ? ((const int16_t *)t->data)[i] : 0;
}

/* The class of each of the first samples, where the network knows names. */
static void classes(cli *c, const cop_graph *g, const cop_tensor *y, int32_t samples)
{
	int64_t n = cop_type_count(&y->type) / samples;
	char name[CLI_CLASS];

	for (int32_t i = 0; cop_graph_class(g, 0) && i < samples && i < 10; i++) {
		int32_t best = 0;
		for (int32_t k = 1; k < n; k++) best = number_at(y, i * n + k) > number_at(y, i * n + best) ? k : best;
		cli_class(name, g, best);
		cli_out(c, "sample %d: %s\n", i, name);
	}
}

cop_status cmd_run(cli *c, int argc, char **argv)
{
	job j = {0};
	const cli_line line = {options, "FILE INPUT...",
	        "Runs a network on an array of samples (C order, channels last), of f32 or of the network's own integer type.\v"
	        "An array with the shape of the input is one run. With a longer first axis, or one more axis in front, it holds several samples.\n"
	        "An integer network also takes f32, which is converted with the scale of its input. Its results are written as integers, with --reals as the numbers that these stand for.\n"
	        "Real numbers are scaled and laid out as the network says or the options ask; integers of the network's type are used unchanged.\n"
	        "A network that keeps a state between runs (a streaming model) gets the samples in order.\n"
        "Arrays are .npy files, or ONNX tensors (.pb). An .onnx model takes them as it was exported, usually channels first.\n"
	        "Example:\n  coppice run small.cop digits.npy -o scores.npy\n  coppice run net.onnx input_0.pb input_1.npy -o out/",
	        option, &j, j.arg, 1 + CLI_MOST_INPUTS, 2};
	cop_tensor y = {0};
	cli_deployed d = {0};
	char shape[64];

	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	if (cli_runs_once(j.arg[0], j.arg + 1, j.out)) {
		if (j.reals) return cli_fail(c, COP_ARG, "--reals: works where a .npy of samples goes in and one .npy comes out; make a .cop of the network first (coppice apply)");
		return cli_run_once(c, j.arg[0], j.arg + 1, j.out);
	}
	CLI_TRY(cli_can_write(c, j.out));
	CLI_TRY(cop_tensor_read(&j.x, c->cx, j.arg[1]));
	cop_status st = cli_model(&d.g, c, j.arg[0]);
	if (!st) st = cli_samples_set(c, d.g, &j.s);
	if (!st) st = samples(c, &j, d.g);
	if (!st) st = cop_graph_io(d.g, NULL, &y.type);
	if (!st && j.reals && y.type.dtype != COP_F32 && !y.type.q.scale) st = cli_fail(c, COP_ARG, "--reals: the results of %s are integers whose scale it does not know", j.arg[0]);
	if (!st && j.reals) y.type.dtype = COP_F32;
	if (!st && !j.as_is) cli_stacked(&y.type, j.first, j.held > 1 ? j.d.count : j.d.count * j.first);
	y.type.q = (cop_quant){.axis = -1}; /* lives no longer than the graph */
	if (!st) st = model_for(&d.g, c, &j);
	if (!st) st = cop_graph_apply_in_place(&d.g, "to_infer fuse");
	if (!st) st = cli_start(&d, c, false, cli_threads(c));
	if (!st) st = run(&y, c, &j, d.s);
	if (!st) st = cop_npy_write(c->cx, j.out, &y);
	if (!st) {
		cli_shape(shape, sizeof shape, &y.type);
		cli_put_text(c, "output", j.out);
		cli_put_int(c, "samples", j.d.count);
		cli_put_text(c, "shape", shape);
		cli_out(c, "%s: %s\n", j.out, shape);
		cop_type more;
		if (cop_graph_io_type(d.g, true, 1, &more)) cli_note(c, "%s holds only the first of several results; `-o FOLDER/` writes all of them", j.out);
		classes(c, d.g, &y, j.d.count);
	}
	free(y.data);
	cop_data_free(j.fitted);
	cli_deployed_free(&d);
	cop_free(c->cx, j.x.data);
	return st;
}
