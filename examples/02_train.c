/* SPDX-License-Identifier: Apache-2.0
 *
 * 02 - trains a network on drawn digits, scores it and saves it.
 *
 *   ./example_02_train [OUT.cop]
 */
#include <coppice.h>

#include <stdio.h>

static void progress(void *ud, const cop_epoch *e)
{
	(void)ud;
	if (e->done >= 1 && e->accuracy >= 0)
		printf("epoch %d of %d: loss %.4f, accuracy %.1f %% on the validation set\n", e->epoch, e->epochs,
		        (double)e->loss, 100 * (double)e->accuracy);
}

static cop_status train(cop_ctx *cx, const char *out)
{
	/* what is left 0 or NULL takes its default: sgd with momentum 0.9, a cosine from lr to 0, no augmentation */
	const cop_train_args a = {.epochs = 3, .batch = 50, .threads = 1, .lr = 0.05f, .seed = 1, .progress = progress};
	cop_dataset *data = NULL, *valid = NULL, *test = NULL;
	cop_graph *g = NULL;
	cop_score score;

	cop_status st = cop_data_open(&data, cx, "synth-digits", "train", 4000);
	if (!st) st = cop_data_open(&valid, cx, "synth-digits", "valid", 500);
	if (!st) st = cop_data_open(&test, cx, "synth-digits", "test", 1000);
	if (!st) st = cop_zoo_build(&g, cx, "lenet-300-100", &(cop_zoo_args){.seed = 1});
	if (!st) st = cop_train(g, data, valid, &a);
	if (!st) st = cop_eval(&score, g, test, 100, 1);
	if (!st) printf("test set: accuracy %.1f %% on %d samples\n", 100 * (double)score.accuracy, score.count);
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
	cop_status st = train(cx, argc > 1 ? argv[1] : NULL);
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return -st;
}
