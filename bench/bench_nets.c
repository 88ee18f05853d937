/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_nets NET BATCH THREADS train|bf16|sparse|infer SECONDS - images a second of one network on random data, as one JSON line:
 * the median and the quartiles over rounds of about 50 ms. bench/compare.py runs it in turn with other engines.
 * bf16: a training step whose convolutions multiply bfloat16.
 * sparse: a training step as a device would do it, of mobilenet-v2 for 10 classes: batch norm folded, and of its tensors only those trained that `few` names.
 */
#include "coppice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* A run may use the memory of its inputs again, so each one is given its inputs, as in earnest. */
typedef struct feed { cop_graph *step; cop_plan *p; cop_session *s; cop_trainer *t; cop_tensor x, label; float *fresh; } feed;

static void run(const feed *f)
{
	memcpy(f->x.data, f->fresh, cop_type_bytes(&f->x.type));
	for (int32_t i = 0; f->label.data && i < f->label.type.dim[0]; i++) ((int32_t *)f->label.data)[i] = i % 10;
	if (f->t) cop_trainer_step(f->t, 0.01f, NULL);
	else cop_session_run(f->s, 0);
}

static double rounds(const feed *f, int batch, double seconds, double *low, double *high)
{
	enum { MOST = 2000 };
	static double rate[MOST];
	int n = 0, steps = 1;
	double begin = now(), t0 = begin, once;

	run(f);
	t0 = now();
	run(f);
	once = now() - t0;
	while (steps * once < 0.05) steps++;
	do {
		t0 = now();
		for (int i = 0; i < steps; i++) run(f);
		rate[n++] = steps * batch / (now() - t0);
	} while (n < MOST && (now() - begin < seconds || n < 3));
	qsort(rate, (size_t)n, sizeof *rate, by_value);
	*low = rate[n / 4];
	*high = rate[3 * n / 4];
	return rate[n / 2];
}

/* The last layer, biases of the last eight blocks, and weights in the last six. bench/compare.py freezes the others in its peer. */
static const char few[] = "block10*.b|block11*.b|block12*.b|block13*.b|block14*.b|block15*.b|block16*.b|block17*.b|conv2.b|"
	"block12.expand.w|block13.expand.w|block14.expand.w|block15.expand.w|block16.expand.w|block17.expand.w|fc.*";

/* A session of the network, of its training step with its inputs; bf16: a trainer. */
static cop_status open_feed(feed *f, cop_ctx *cx, cop_graph *g, int batch, int threads, const char *job)
{
	int bf16 = !strcmp(job, "bf16"), train = strcmp(job, "infer") && !bf16;
	cop_target target;
	char spec[512];
	cop_status st = COP_OK;

	snprintf(spec, sizeof spec, "loss=xent update=sgd momentum=0.9%s%s", strcmp(job, "sparse") ? "" : " layers=", strcmp(job, "sparse") ? "" : few);
	if (bf16) {
		st = cop_trainer_new(&f->t, g, &(cop_trainer_args){.batch = batch, .threads = threads, .spec = spec, .bf16 = true});
		if (!st) st = cop_trainer_input(f->t, 0, &f->x);
		return st ? st : cop_trainer_input(f->t, 1, &f->label);
	}
	if (train) st = cop_graph_train(&f->step, g, spec);
	if (!st) st = cop_target_find(&target, cx, "host");
	target.threads = threads;
	if (!st) st = cop_plan_build(&f->p, train ? &f->step : &g, 1, &target);
	if (!st) st = cop_session_new(&f->s, f->p, threads);
	if (!st) st = cop_session_io(f->s, 0, 0, false, &f->x);
	if (!st && train) st = cop_session_io(f->s, 0, 1, false, &f->label);
	return st;
}

static cop_status measure(cop_ctx *cx, const char *net, int batch, int threads, const char *job, double seconds)
{
	int sparse = !strcmp(job, "sparse");
	cop_zoo_args args = {.batch = batch, .seed = 1, .classes = sparse ? 10 : 0};
	cop_graph *g = NULL;
	feed f = {0};
	double low, high;
	cop_status st = cop_zoo_build(&g, cx, net, &args);

	if (!st && (sparse || !strcmp(job, "infer"))) st = cop_graph_apply(&g, "to_infer fuse");
	if (!st) st = open_feed(&f, cx, g, batch, threads, job);
	if (!st && (f.fresh = malloc(cop_type_bytes(&f.x.type)))) {
		for (int64_t i = 0; i < cop_type_count(&f.x.type); i++) f.fresh[i] = (float)(i * 7919 % 1000) / 1000;
		double median = rounds(&f, batch, seconds, &low, &high);
		printf("{\"net\":\"%s\",\"batch\":%d,\"threads\":%d,\"job\":\"%s\",\"images_per_second\":%.1f,\"low\":%.1f,\"high\":%.1f}\n", net, batch, threads,
			job, median, low, high);
	}
	free(f.fresh);
	cop_trainer_free(f.t);
	cop_session_free(f.s);
	cop_plan_free(f.p);
	cop_graph_free(f.step);
	cop_graph_free(g);
	return st;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (argc != 6) return fprintf(stderr, "usage: bench_nets NET BATCH THREADS train|bf16|sparse|infer SECONDS\n"), 2;
	cop_status st = cop_ctx_new(&cx, NULL);
	if (!st) st = measure(cx, argv[1], atoi(argv[2]), atoi(argv[3]), argv[4], atof(argv[5]));
	if (st) fprintf(stderr, "bench_nets: %s\n", cx ? cop_error_text(cx) : cop_status_text(st));
	if (cx) cop_ctx_free(cx);
	return -st;
}
