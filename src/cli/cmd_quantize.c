/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize - a float network as integers, without training. What each layer costs alone is printed, and with --eval what all of
 * them cost together on the test part: the integer network runs, not an imitation in floats.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { KEY_SCHEME = 0x3000, KEY_PER, KEY_RANGE, KEY_ASYMMETRIC, KEY_SYMMETRIC, KEY_ROUND, KEY_EQUALIZE, KEY_BIAS, KEY_ENDS, KEY_SUMS,
	KEY_KEEP, KEY_DROP, KEY_FILE, KEY_FLASH, KEY_INSTRUCTIONS, KEY_MACHINE, KEY_FLOATS, KEY_HARM, KEY_CHOOSE, KEY_LIMIT, KEY_INT8_IO, KEY_SPLIT, KEY_EVAL, KEY_AS_IS };

enum { MOST_LAYERS = 512 };

typedef struct job {
	const char *data, *split, *out;
	bool eval, as_is;
	cli_samples s;
	cop_quantize_args a;
	cop_quantized_layer layer[MOST_LAYERS];
	char name[MOST_LAYERS][64];
	int n;
} job;

static const struct argp_option options[] = {
	{"data", 'd', "NAME", 0, "samples for calibration: a name from `coppice data list`, or a path. A network with "
		"several inputs needs an array for each: a.npy,b.npy or x=a.npy,y=b.npy", 0},
        {"output", 'o', "FILE", 0, "file for the result (.cop)", 0},
        {"scheme", KEY_SCHEME, "NAME", 0, "bits of weights and activations: w8a8, w4a8, w3a8, w2a8, w4a4, w2a4 or w8a16; weights only: w8 or fp16 (default: w8a8)", 0},
        {"per", KEY_PER, "WHAT", 0, "one scale of the weights per output channel, or one per tensor: channel or tensor (default: channel)", 0},
        {"range", KEY_RANGE, "NAME", 0, "how the range of activations is chosen: minmax, percentile, mse or kl (default: mse)", 0},
        {"asymmetric", KEY_ASYMMETRIC, NULL, 0, "activations have a zero point (the default)", 0},
        {"symmetric", KEY_SYMMETRIC, NULL, 0, "activations have no zero point", 0},
        {"round", KEY_ROUND, "NAME", 0, "how weights are rounded: nearest, gptq (weights that follow make good for the error), adaround (learned), block (learned for the layers of a block together) or qdrop (the same while values stay unrounded by chance) (default: gptq below 8 bits and with w8a16, else nearest)", 0},
        {"equalize", KEY_EQUALIZE, NULL, 0, "first even out the ranges of neighbouring layers", 0},
        {"bias-correct", KEY_BIAS, NULL, 0, "correct the shift that rounding causes in the outputs of a layer", 0},
        {"wide-ends", KEY_ENDS, NULL, 0, "layers beside the input and before the output keep weights of 8 bits, and the last ones read values of 8 bits", 0},
        {"narrow-sums", KEY_SUMS, NULL, 0, "with activations below 8 bits: sums of shortcuts have as few bits as the other values (by default they and what they add keep 8)", 0},
        {"keep", KEY_KEEP, "LAYERS", 0, "layers that stay float: names of their weights; * matches any text, | separates alternatives", 0},
        {"max-drop", KEY_DROP, "POINTS", 0, "give the most sensitive layers more bits, so that accuracy on the validation part drops by no more than this", 0},
        {"file", KEY_FILE, "SIZE", 0, "give each layer bits of its own, so that the file has at most this many bytes, such as 20000 or 20K, and the answers move least", 0},
        {"flash", KEY_FLASH, "SIZE", 0, "the same for the weights in flash", 0},
        {"instructions", KEY_INSTRUCTIONS, "N", 0, "the same for the instructions of one inference, such as 500K or 2M (here K is 1000)", 0},
        {"machine", KEY_MACHINE, "NAME", 0, "machine of these limits, from `coppice targets` (default: host)", 0},
        {"floats", KEY_FLOATS, NULL, 0, "within limits, layers may stay float, too", 0},
        {"harm", KEY_HARM, "NAME", 0, "what bits do to a layer: answers (how far they move with that layer alone in integers) or curvature (errors of weights by the curvature of the loss) (default: answers)", 0},
        {"choose", KEY_CHOOSE, "NAME", 0, "how bits are chosen within limits: knapsack (least harm in all), greedy (most harm first) or random (default: knapsack)", 0},
        {"limit", KEY_LIMIT, "N", 0, "number of samples for calibration (default 256; 0: all)", 0},
        {"split", KEY_SPLIT, "PART", 0, "the part they are taken from: train, valid or test (default: train)", 0},
        {"int8-io", KEY_INT8_IO, NULL, 0, "inputs and outputs become int8, with w8a16 int16; their scales stay with the network", 0},
        {"eval", KEY_EVAL, NULL, 0, "score the network on the test part, before and after", 0},
        {"as-is", KEY_AS_IS, NULL, 0, "keep channels that no input can change, borders, and layers that change nothing, which are removed otherwise", 0},
        {0},
};

static bool one_of(struct argp_state *state, const char *name, const char *arg, const char *no, const char *yes)
{
	if (strcmp(arg, no) && strcmp(arg, yes)) cli_misuse(state, "%s=%s: must be %s or %s", name, arg, no, yes);
	return !strcmp(arg, yes);
}

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'd': j->data = arg; return 0;
	case 'o': j->out = arg; return 0;
	case KEY_SCHEME: j->a.scheme = arg; return 0;
	case KEY_PER: j->a.per_tensor = one_of(state, "--per", arg, "channel", "tensor"); return 0;
	case KEY_RANGE: j->a.range = arg; return 0;
	case KEY_ASYMMETRIC: j->a.symmetric = false; return 0;
	case KEY_SYMMETRIC: j->a.symmetric = true; return 0;
	case KEY_ROUND: j->a.round = arg; return 0;
	case KEY_EQUALIZE: j->a.equalize = true; return 0;
	case KEY_BIAS: j->a.bias_correct = true; return 0;
	case KEY_ENDS: j->a.wide_ends = true; return 0;
	case KEY_SUMS: j->a.narrow_sums = true; return 0;
	case KEY_KEEP: j->a.keep = arg; return 0;
	case KEY_DROP: j->a.bounded = true; j->a.max_drop = cli_real(state, "--max-drop", arg, 0, 100); return 0;
	case KEY_FILE: j->a.file = cli_size(state, "--file", arg); return 0;
	case KEY_FLASH: j->a.flash = cli_size(state, "--flash", arg); return 0;
	case KEY_INSTRUCTIONS: j->a.instructions = cli_many(state, "--instructions", arg); return 0;
	case KEY_MACHINE: j->a.machine = arg; return 0;
	case KEY_FLOATS: j->a.floats = true; return 0;
	case KEY_HARM: j->a.harm = arg; return 0;
	case KEY_CHOOSE: j->a.choose = arg; return 0;
	case KEY_LIMIT: j->a.limit = cli_int(state, "--limit", arg, 0, 1 << 30); return 0;
	case KEY_SPLIT: j->split = arg; return 0;
	case KEY_INT8_IO: j->a.int8_io = true; return 0;
	case KEY_EVAL: j->eval = true; return 0;
	case KEY_AS_IS: j->as_is = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* The names belong to a graph that is gone when they are printed. */
static void note_layer(void *ud, const cop_quantized_layer *l)
{
	job *j = ud;

	if (j->n == MOST_LAYERS) return;
	snprintf(j->name[j->n], sizeof j->name[0], "%s", l->name);
	j->layer[j->n] = *l;
	j->layer[j->n].name = j->name[j->n];
	j->n++;
}

static void bits_text(char out[16], int weights, int activations)
{
	if (weights == 32) snprintf(out, 16, "float");
	else snprintf(out, 16, "w%da%d", weights, activations);
}

static void layers(cli *c, const job *j)
{
	char kind[16];

	if (j->n) cli_out(c, "%-28s %-5s %10s  %-6s  %s\n", "layer", "op", "weights", "as", "signal to noise if only this layer is quantised");
	cli_put_list(c, "layers");
	for (int i = 0; i < j->n; i++) {
		const cop_quantized_layer *l = &j->layer[i];
		bits_text(kind, l->weight_bits, l->act_bits);
		if (l->sqnr != 0) cli_out(c, "%-28s %-5s %10lld  %-6s  %.1f dB\n", l->name, l->op, (long long)l->weights, kind, (double)l->sqnr);
		else cli_out(c, "%-28s %-5s %10lld  %-6s\n", l->name, l->op, (long long)l->weights, kind);
		cli_put_item(c, NULL);
		cli_put_text(c, "name", l->name);
		cli_put_text(c, "op", l->op);
		cli_put_int(c, "weights", l->weights);
		cli_put_int(c, "weight_bits", l->weight_bits);
		cli_put_int(c, "activation_bits", l->act_bits);
		cli_put_real(c, "sqnr_db", (double)l->sqnr);
		cli_put_item_end(c);
	}
	cli_put_end(c);
}

static cop_status figures(cli *c, const char *when, const job *j, const cop_graph *g, cop_dataset *test, double *accuracy)
{
	char key[64], flash[32], ram[32];
	cop_target t;
	cop_figures f;
	cop_score s = {.accuracy = -1};
	double before = *accuracy;

	CLI_TRY(cop_target_find(&t, c->cx, j->a.machine ? j->a.machine : "host"));
	CLI_TRY(cop_measure(&f, g, &t));
	if (test) CLI_TRY(cop_eval(&s, g, test, 100, cli_threads(c)));
	cli_number_text(flash, (double)f.flash_bytes);
	cli_number_text(ram, (double)f.ram_bytes);
	cli_out(c, "%-7s weights %s bytes, activations %s bytes", when, flash, ram);
	if (f.instructions) cli_number_text(ram, (double)f.instructions), cli_out(c, ", %s instructions", ram);
	if (s.accuracy >= 0) cli_out(c, ", accuracy %.2f %%", 100 * (double)s.accuracy);
	if (test && test->targets) cli_out(c, ", MSE %.4g, R2 %.4f", (double)s.mse, (double)s.r2);
	else if (test) cli_out(c, ", loss %.4f", (double)s.loss);
	cli_out(c, "\n");
	cli_put_item(c, when);
	cli_put_int(c, "flash_bytes", (int64_t)f.flash_bytes);
	cli_put_int(c, "ram_bytes", (int64_t)f.ram_bytes);
	if (f.instructions) cli_put_int(c, "instructions", f.instructions);
	if (s.accuracy >= 0) snprintf(key, sizeof key, "accuracy"), cli_put_real(c, key, (double)s.accuracy);
	if (test) cli_put_real(c, "loss", (double)s.loss);
	if (test && test->targets) cli_put_real(c, "mse", (double)s.mse), cli_put_real(c, "mae", (double)s.mae), cli_put_real(c, "r2", (double)s.r2);
	cli_put_item_end(c);
	*accuracy = (double)s.accuracy;
	if (test && test->classes)
		cli_doubt(c, !strcmp(when, "after") ? "the accuracy of the integer network" : "the accuracy", *accuracy,
			cli_outputs(g), s.count, before);
	return COP_OK;
}

/* Samples to calibrate with: of one input, or of several. */
static cop_status calibration(cop_dataset **out, cli_arrays *arrays, cli *c, job *j, const cop_graph *g)
{
	if (!cli_is_arrays(j->data)) {
		CLI_TRY(cli_data_open(out, c, &j->s, g, j->data, j->split, 0));
		return cli_data_fits(c, g, *out);
	}
	if (j->a.bounded || j->eval) return cli_fail(c, COP_ARG, "--eval and --max-drop need a data set to score on; they do not work with one array for each input");
	CLI_TRY(cli_arrays_open(arrays, c, g, j->data));
	j->a.more = arrays->more;
	j->a.n_more = arrays->n_more;
	return COP_OK;
}

/* Samples that the float network takes for noise would calibrate its ranges wrongly: a few with labels tell. */
static cop_status doubt_samples(cli *c, const cop_graph *g, const cop_dataset *calib)
{
	cop_dataset few = *calib;
	cop_score s;

	if (!calib->classes) return COP_OK;
	if (few.count > 200) few.count = 200;
	CLI_TRY(cop_eval(&s, g, &few, few.count < 50 ? few.count : 50, cli_threads(c)));
	cli_doubt(c, "the accuracy of the float network on the calibration samples", (double)s.accuracy, cli_outputs(g), s.count, (double)cop_graph_accuracy(g));
	return COP_OK;
}

static cop_status quantize(cli *c, job *j, cop_graph **g)
{
	static cli_arrays arrays;
	cop_dataset *calib = NULL, *valid = NULL, *test = NULL;
	bool weights_alone = j->a.scheme && (!strcmp(j->a.scheme, "w8") || !strcmp(j->a.scheme, "fp16"));
	double accuracy = (double)cop_graph_accuracy(*g);
	cop_status st = COP_OK;

	arrays = (cli_arrays){0};
	if (!weights_alone || j->data) st = calibration(&calib, &arrays, c, j, *g);
	if (!st && calib && !j->eval) st = doubt_samples(c, *g, calib);
	if (!st && j->a.bounded) st = cli_data_open(&valid, c, &j->s, *g, j->data, "valid", 0);
	if (!st && j->eval) st = cli_data_open(&test, c, &j->s, *g, j->data, "test", 0);
	if (!st && test && !test->classes && !test->targets && cli_outputs(*g) != cop_type_count(&test->x)) {
		cli_note(c, "%s: has no labels, so the networks are not scored", test->name);
		cop_data_free(test);
		test = NULL;
	}
	j->a.valid = valid;
	if (!st) st = figures(c, "before", j, *g, test, &accuracy);
	if (!st) st = cop_quantize(g, calib ? calib : arrays.a[0].t.data ? &arrays.a[0].d : NULL, &j->a);
	if (!st && !j->as_is && !weights_alone) st = cop_graph_apply(g, "shrink");
	if (!st) layers(c, j);
	if (!st) st = figures(c, "after", j, *g, test, &accuracy);
	if (!st) st = cop_model_save(*g, j->out);
	cop_data_free(test);
	cop_data_free(valid);
	cop_data_free(calib);
	cli_arrays_free(&arrays, c);
	if (st) return st;
	cli_put_text(c, "output", j->out);
	cli_put_int(c, "file_bytes", cli_file_size(j->out));
	cli_out(c, "%s: %lld bytes\n", j->out, (long long)cli_file_size(j->out));
	return COP_OK;
}

cop_status cmd_quantize(cli *c, int argc, char **argv)
{
	static job j; /* large, and main runs one verb */
	const char *file;
	const cli_line line = {options, "FILE",
	        "Turns a trained float network into one of integers, without further training. Weights get 8 or 4 bits, activations 8 or 4. "
		"A few hundred samples are run through the network to find the ranges of its activations "
		"(calibration).\vExample:\n  coppice quantize net.cop --data mnist -o net-int8.cop --eval\n"
	        "  coppice quantize net.cop --data mnist --scheme w4a8 --max-drop 0.5 -o net-int4.cop",
	        option, &j, &file, 1, 1};
	cop_graph *g = NULL;

	j = (job){.split = "train", .a = {.limit = 256}};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	CLI_TRY(cli_can_write_model(c, j.out, false));
	cop_status st = cli_model(&g, c, file);
	if (!st) st = cli_samples_set(c, g, &j.s);
	cli_catch_signals(c);
	j.a.threads = cli_threads(c);
	j.a.seed = c->seed;
	j.a.layer = note_layer;
	j.a.ud = &j;
	if (!st) st = quantize(c, &j, &g);
	cop_graph_free(g);
	return st;
}
