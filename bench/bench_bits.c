/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_bits - how much faster sums of bits are than the best float and int8 kernels of this library for a layer of the same shape, on one thread.
 *
 *   bench_bits [--rounds=N] [--only=TEXT]
 *
 * Each layer is a network of one node, planned as always; its weights are packed beforehand. A round runs the three after each other, and takes the
 * time of the processor, so that what else runs on the machine counts little; the table has medians, and the range of the ratios of a round.
 * The float product is the fastest of fc, matmul and a convolution of 1x1. COPPICE_ISA chooses the kernels.
 */
#include "op/op.h"
#include "run/deploy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct layer { const char *name; int32_t n, h, c, o, k; } layer;

static const layer layers[] = {
	{"product 4096x4096x4096", 4096, 1, 4096, 4096, 1},
	{"product 1024x1024x1024", 1024, 1, 1024, 1024, 1},
	{"fc 1024-1024, one sample", 1, 1, 1024, 1024, 1},
	{"conv 3x3 64-64 @56, one sample", 1, 56, 64, 64, 3},
	{"conv 3x3 128-128 @28, one sample", 1, 28, 128, 128, 3},
	{"conv 3x3 256-256 @14, one sample", 1, 14, 256, 256, 3},
	{"conv 3x3 512-512 @7, one sample", 1, 7, 512, 512, 3},
};

enum { FC, MATMUL, CONV, INT8, SUMS, BITS, KINDS, MAX_ROUNDS = 99 };
static const char *const kinds[KINDS] = {"f32 fc", "f32 matmul", "f32 conv", "int8", "bits to i32", "bits to bits"};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cop_vid data(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	cop_vid v = cop__data(g, COP_CONST, name, &t, NULL);
	uint8_t *p = v ? cop__own(g, v) : NULL;

	for (size_t i = 0; p && d == COP_F32 && i < cop_type_bytes(&t) / 4; i++) ((float *)(void *)p)[i] = (float)(i % 31) / 31 - 0.5f;
	for (size_t i = 0; p && (d == COP_I8 || d == COP_BIT) && i < cop_type_bytes(&t); i++) p[i] = (uint8_t)cop__rand(3, 1, i);
	for (size_t i = 0; p && d == COP_I32 && i < cop_type_bytes(&t) / 4; i++) ((int32_t *)(void *)p)[i] = 1 << 12;
	return p ? v : 0;
}

/* A network of one node; 0: there is none of that kind. */
static cop_vid node(cop_graph *g, const layer *l, int kind)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t p = l->k / 2;
	const cop_conv_attr conv = {1, 1, p, p, p, p, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	const cop_qconv_attr qconv = {1, 1, p, p, p, p, 1, 1, 1, 0, 0, -128, 127, 0, 0};
	const cop_bconv_attr bconv = {1, 1, p, p, p, p, 1, 1, -1};
	bool row = l->h == 1 && l->k == 1, flat = kind == FC || kind == MATMUL;
	cop_dtype d = kind == INT8 ? COP_I8 : kind > INT8 ? COP_BIT : COP_F32;
	cop_type xt = flat ? cop__type(d, 2, DIMS(l->n, l->c)) : cop__type(d, 4, DIMS(l->n, l->h, l->h, l->c));

	if (flat && !row) return 0;
	cop_vid x = cop__input(g, "x", &xt), w = data(g, "w", d, flat ? 2 : 4, flat ? DIMS(l->o, l->c) : DIMS(l->o, l->k, l->k, l->c));
	if (kind == FC) return cop__apply(g, OP_fc, &none, VIDS(x, w));
	if (kind == MATMUL) return cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 1}, VIDS(x, w));
	if (kind == CONV) return cop__apply(g, OP_conv, &conv, VIDS(x, w));
	if (kind == INT8) return cop__apply(g, OP_qconv, &qconv, VIDS(x, w, data(g, "b", COP_I32, 1, &l->o), data(g, "m", COP_I32, 1, &l->o)));
	if (kind == SUMS) return cop__apply(g, OP_bconv, &bconv, VIDS(x, w));
	return cop__apply(g, OP_bconv, &bconv, VIDS(x, w, data(g, "t", COP_I32, 2, DIMS(2, l->o))));
}

typedef struct job { cop_host host; cop_graph *g; double seconds[MAX_ROUNDS]; } job;

static cop_status open_job(job *j, cop_ctx *cx, const layer *l, int kind)
{
	COP_TRY(cop__graph_new(&j->g, cx, "layer"));
	cop_vid y = node(j->g, l, kind);
	if (!y) return cop_graph_free(j->g), j->g = NULL, cx->code;
	COP_TRY(cop__output(j->g, y, "y"));
	return cop__host_open(&j->host, &j->g, 1, COP_ISA_ALL, 1);
}

static double seconds_of(const job *j)
{
	double t = now(), once;
	int times = 1;

	cop_session_run(j->host.s, 0);
	once = now() - t;
	if (once > 0.05) return once;
	times = (int)(0.02 / once) + 1;
	t = now();
	for (int i = 0; i < times; i++) cop_session_run(j->host.s, 0);
	return (now() - t) / times;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sorts; returns the one in the middle. */
static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, by_size);
	return v[n / 2];
}

static void put_ratio(const char *what, const double *slow, const double *fast, int rounds)
{
	double ratio[MAX_ROUNDS];

	for (int r = 0; r < rounds; r++) ratio[r] = slow[r] / fast[r];
	double middle = median(ratio, rounds);
	printf("    %-38s %6.2f times as fast (%.2f to %.2f)\n", what, middle, ratio[0], ratio[rounds - 1]);
}

static void report(job *j, const layer *l, int rounds)
{
	double macs = (double)l->n * l->h * l->h * l->c * l->o * l->k * l->k, best[MAX_ROUNDS], copy[MAX_ROUNDS];

	printf("%s\n", l->name);
	for (int i = 0; i < KINDS; i++) {
		if (!j[i].g) continue;
		memcpy(copy, j[i].seconds, sizeof copy);
		double s = median(copy, rounds);
		printf("  %-12s %10.1f us %9.1f G products/s  %s\n", kinds[i], s * 1e6, macs / s / 1e9, j[i].host.plan->entry[0].step[0].kernel->symbol);
	}
	for (int r = 0; r < rounds; r++) {
		best[r] = HUGE_VAL;
		for (int i = FC; i <= CONV; i++)
			if (j[i].g) best[r] = fmin(best[r], j[i].seconds[r]);
	}
	put_ratio("bits to bits against the best f32:", best, j[BITS].seconds, rounds);
	put_ratio("bits to bits against int8:", j[INT8].seconds, j[BITS].seconds, rounds);
	fflush(stdout);
}

static cop_status bench(cop_ctx *cx, const layer *l, int rounds)
{
	static job j[KINDS];
	cop_status st = COP_OK;

	memset(j, 0, sizeof j);
	for (int i = 0; !st && i < KINDS; i++) st = open_job(&j[i], cx, l, i);
	for (int r = 0; !st && r < rounds; r++)
		for (int i = 0; i < KINDS; i++)
			if (j[i].g) j[i].seconds[r] = seconds_of(&j[i]);
	if (!st) report(j, l, rounds);
	for (int i = 0; i < KINDS; i++) cop__host_close(&j[i].host), cop_graph_free(j[i].g);
	return st;
}

int main(int argc, char **argv)
{
	const char *only = "";
	int rounds = 9;
	cop_ctx *cx = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--rounds=", 9)) rounds = COP_MIN(COP_MAX(atoi(argv[i] + 9), 1), MAX_ROUNDS);
		else if (!strncmp(argv[i], "--only=", 7)) only = argv[i] + 7;
		else return fprintf(stderr, "usage: bench_bits [--rounds=N] [--only=TEXT]\n"), 2;
	}
	if (cop_ctx_new(&cx, NULL)) return 1;
	printf("%s, one thread, processor time, %d rounds\n", cop_cpu_text(cx), rounds);
	for (int i = 0; i < LEN(layers); i++)
		if (strstr(layers[i].name, only) && bench(cx, &layers[i], rounds)) return fprintf(stderr, "bench_bits: %s\n", cop_error_text(cx)), 1;
	cop_ctx_free(cx);
	return 0;
}
