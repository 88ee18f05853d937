/* SPDX-License-Identifier: Apache-2.0
 *
 * 09 - trains one network on two clients that never show each other their samples: each computes gradients of its own batch, both take the
 * mean of the gradients, and update their weights by it. What two machines would send each other is copied here.
 *
 *   ./example_09_two_clients [STEPS]
 */
#include <coppice.h>

#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 2, BATCH = 16 };

/* The next batch of a client: it has every second sample. */
static cop_status fill(cop_trainer *t, cop_dataset *d, int client, int step)
{
	cop_tensor x, label;
	cop_status st = cop_trainer_input(t, 0, &x);
	int64_t each = cop_type_count(&d->x);

	if (!st) st = cop_trainer_input(t, 1, &label);
	for (int i = 0; !st && i < BATCH; i++) {
		int32_t sample = (CLIENTS * (step * BATCH + i) + client) % d->count;
		st = d->get(d->ud, sample, (float *)x.data + i * each, (int32_t *)label.data + i);
	}
	return st;
}

/* All clients get the mean of their gradients. */
static void average(cop_trainer *const *t)
{
	cop_tensor g[CLIENTS];

	for (int32_t i = 0; cop_trainer_gradient(t[0], i, &g[0]); i++) {
		for (int c = 1; c < CLIENTS; c++) cop_trainer_gradient(t[c], i, &g[c]);
		for (int64_t k = 0; k < cop_type_count(&g[0].type); k++) {
			float sum = 0;
			for (int c = 0; c < CLIENTS; c++) sum += ((float *)g[c].data)[k];
			for (int c = 0; c < CLIENTS; c++) ((float *)g[c].data)[k] = sum / CLIENTS;
		}
	}
}

static cop_status step(cop_trainer *const *t, cop_dataset *d, int number)
{
	float loss[CLIENTS];
	cop_status st = COP_OK;

	for (int c = 0; !st && c < CLIENTS; c++) {
		st = fill(t[c], d, c, number);
		if (!st) st = cop_trainer_gradients(t[c], &loss[c]);
	}
	if (!st) average(t);
	for (int c = 0; !st && c < CLIENTS; c++) st = cop_trainer_update(t[c], 0.05f);
	if (!st && number % 20 == 0) printf("step %3d: loss %.3f and %.3f\n", number, (double)loss[0], (double)loss[1]);
	return st;
}

static cop_status all(cop_ctx *cx, int steps)
{
	const cop_trainer_args args = {.batch = BATCH, .threads = 1, .spec = "sgd momentum=0.9", .apart = true};
	cop_graph *model = NULL;
	cop_dataset *train = NULL, *test = NULL;
	cop_trainer *t[CLIENTS] = {NULL};
	cop_score score;

	cop_status st = cop_model_load(&model, cx, "mlp-784x32x10");
	if (!st) st = cop_data_open(&train, cx, "synth-digits", "train", 2000);
	if (!st) st = cop_data_open(&test, cx, "synth-digits", "test", 500);
	for (int c = 0; !st && c < CLIENTS; c++) st = cop_trainer_new(&t[c], model, &args); /* both begin with the same weights */
	for (int i = 0; !st && i < steps; i++) st = step(t, train, i);
	if (!st) st = cop_trainer_pull(t[0], model);
	if (!st) st = cop_eval(&score, model, test, BATCH, 1);
	if (!st) printf("accuracy on samples that no client has: %.1f %%\n", 100 * (double)score.accuracy);
	for (int c = 0; c < CLIENTS; c++) cop_trainer_free(t[c]);
	cop_data_free(test);
	cop_data_free(train);
	cop_graph_free(model);
	return st;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = all(cx, argc > 1 ? atoi(argv[1]) : 200);
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return st ? 1 : 0;
}
