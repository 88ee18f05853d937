/* SPDX-License-Identifier: Apache-2.0
 *
 * 03 - trains a small network and compresses it by a recipe: prune while training goes on, share weights, encode. Each
 * stage says what it may cost and what it must bring; one that does not pay is undone.
 *
 *   ./example_03_compress [OUT.cop]
 */
#include <coppice.h>

#include <stdio.h>
#include <string.h>

static const char recipe[] =
        "name: example\n"
        "stages:\n"
        "  - prune: {keep: 0.15, epochs: 3, over: 0.6, may_cost: 1, must_gain: 3}\n"
        "  - share: {levels: 16, epochs: 1, update: adam, lr: 0.0005, may_cost: 1, must_gain: 1.2}\n"
        "  - encode: {codec: smallest}\n";

/* Log lines of the library say what each stage did. */
static void on_log(void *ud, cop_level level, const char *text)
{
	(void)ud, (void)level;
	printf("%s\n", text);
}

static cop_status compress(cop_ctx *cx, const char *out)
{
	const cop_train_args a = {.epochs = 3, .batch = 50, .threads = 1, .lr = 0.05f, .seed = 1};
	cop_dataset *data = NULL, *valid = NULL, *test = NULL;
	cop_graph *g = NULL;
	cop_compress_result r;

	cop_status st = cop_data_open(&data, cx, "synth-digits", "train", 4000);
	if (!st) st = cop_data_open(&valid, cx, "synth-digits", "valid", 1000);
	if (!st) st = cop_data_open(&test, cx, "synth-digits", "test", 1000);
	if (!st) st = cop_zoo_build(&g, cx, "lenet-300-100", &(cop_zoo_args){.seed = 1});
	if (!st) st = cop_train(g, data, valid, &a);
	if (!st) st = cop_compress(&g, recipe, strlen(recipe), data, valid, test, &a, &r, NULL, NULL); /* replaces g */
	if (!st)
		printf("%lld of %lld parameters are not zero; %zu bytes of flash; accuracy %.1f %% before, %.1f %% after\n", (long long)r.after.figures.nonzero,
		        (long long)r.after.figures.parameters, r.after.figures.flash_bytes, 100 * (double)r.before.accuracy, 100 * (double)r.after.accuracy);
	if (!st && out) st = cop_model_save(g, out);
	cop_graph_free(g);
	cop_data_free(test);
	cop_data_free(valid);
	cop_data_free(data);
	return st;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_ctx_log(cx, COP_LOG_INFO, on_log, NULL);
	cop_status st = compress(cx, argc > 1 ? argv[1] : NULL);
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return -st;
}
