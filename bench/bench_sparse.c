/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_sparse - kernels for sparse weights, and for weights of few values, beside the dense ones on this machine: microseconds of a layer with one thread, the least of
 * several rounds in which the two take turns, and what plan/breakeven.def says of it.
 *
 *   bench_sparse [--rounds=N] [--only=TEXT] [--markdown]
 *
 * The dense kernel runs on weights without a zero. `step` is what a step of the sparse kernel costs, in tenths of a weight of the dense one: the
 * largest of a column's are what breakeven.def has to say. COPPICE_ISA chooses the kernels.
 */
#include "core/core.h"
#include "kernel/kernel.h"
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* h = w, c, o, k, pads on each side; h = 0: fully connected */
typedef struct layer { const char *name; int h, c, o, k, p; } layer;

static const layer layers[] = {
	{"fc 4096-4096", 0, 4096, 4096, 1, 0}, {"fc 9216-4096", 0, 9216, 4096, 1, 0}, {"fc 784-300", 0, 784, 300, 1, 0},
	{"fc 512-512", 0, 512, 512, 1, 0}, {"fc 1024-1024", 0, 1024, 1024, 1, 0}, {"fc 2048-2048", 0, 2048, 2048, 1, 0}, {"fc 800-500", 0, 800, 500, 1, 0}, {"fc 300-100", 0, 300, 100, 1, 0}, {"fc 640-128", 0, 640, 128, 1, 0},
	{"1x1 64-128 @16", 16, 64, 128, 1, 0}, {"1x1 256-256 @7", 7, 256, 256, 1, 0}, {"1x1 128-128 @3", 3, 128, 128, 1, 0},
	{"3x3 16-16 @32", 32, 16, 16, 3, 1}, {"3x3 64-64 @8", 8, 64, 64, 3, 1}, {"5x5 20-50 @12", 12, 20, 50, 5, 0},
};

/* N of M at random places, or groups of `group` weights beside each other; of M = 0: none is zero, and there are N values */
typedef struct pattern { const char *name; int n, m, group; } pattern;
static const pattern patterns[] = {{"9 %", 9, 100, 0}, {"25 %", 25, 100, 0}, {"40 %", 40, 100, 0}, {"2:4", 2, 4, 1}, {"50 % in 4s", 50, 100, 4},
	{"16 values", 16, 0, 0}, {"8 values", 8, 0, 0}};

enum { MAX_ROUNDS = 99 };

typedef struct job {
	const cop_kernel *kernel;
	int32_t k[COP_MAX_WORDS];
	void *buf[5], *work, *pack;
	double seconds[MAX_ROUNDS];
} job;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double least(const double *v, int n)
{
	double t = v[0];
	for (int i = 1; i < n; i++) t = COP_MIN(t, v[i]);
	return t;
}

static void *room(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 255) / 64 * 64);
	if (!p) exit(1);
	return memset(p, 0, (bytes + 255) / 64 * 64);
}

/* The last row, of those for sparse weights the last one that takes these. */
static const cop_kernel *choose(job *j, const char *op, const char *types, uint32_t isa, bool sparse)
{
	for (int i = cop_n_kernels - 1; i >= 0; i--) {
		const cop_kernel *r = &cop_kernels[i];
		if ((r->isa & isa) != r->isa || strcmp(r->op, op) || strcmp(r->types, types) || !r->steps != !sparse || (r->fits && !r->fits(j->k))) continue;
		int64_t steps = r->steps ? r->steps(j->k, j->buf[2]) : 0;
		if (steps < 0) continue;
		j->k[COP_STEPS] = (int32_t)steps;
		return r;
	}
	return NULL;
}

static int64_t weights(const layer *l) { return (int64_t)l->o * l->k * l->k * l->c; }

static void words(const layer *l, bool q, int32_t *k)
{
	const int32_t lo = q ? -128 : cop__bits(-__builtin_inff()), hi = q ? 127 : cop__bits(__builtin_inff());
	int h = l->h ? l->h : 1, oh = h + 2 * l->p - l->k + 1;

	memset(k, 0, sizeof(int32_t[COP_MAX_WORDS]));
	if (l->h || q) memcpy(k, (int32_t[CK_CAP]){1, h, h, l->c, oh, oh, l->o, l->k, l->k, 1, 1, l->p, l->p, 1, 1, 1, lo, hi}, sizeof(int32_t[CK_CAP]));
	else memcpy(k, (int32_t[FK_CAP]){1, l->c, l->o, lo, hi}, sizeof(int32_t[FK_CAP]));
}

/* Does weight i of a row stay? */
static bool kept(const pattern *p, int64_t row, int64_t cols, int64_t i)
{
	if (!p->m) return true;
	if (p->m == 100) return cop__rand(7, 1, (uint64_t)(row * cols + (p->group ? i / p->group * p->group : i))) % 100 < (uint32_t)p->n;
	int at = (int)(cop__rand(7, 2, (uint64_t)(row * cols + i / 4)) % 6); /* one of the six pairs of four */
	return (0x356ac9 >> (4 * at) & 15) >> (i % 4) & 1;
}

static void fill(job *j, const layer *l, bool q, const pattern *p)
{
	int h = l->h ? l->h : 1;
	int64_t n = weights(l), cols = n / l->o, x = (int64_t)h * h * l->c, y = (int64_t)h * h * l->o;

	j->buf[0] = room((size_t)y * 4);
	j->buf[1] = room((size_t)x * 4);
	j->buf[2] = room((size_t)n * 4);
	j->buf[3] = room((size_t)l->o * 4);
	j->buf[4] = room((size_t)l->o * 4);
	for (int64_t i = 0; i < x; i++) {
		if (q) ((int8_t *)j->buf[1])[i] = (int8_t)(i * 7 % 251 - 125);
		else ((float *)j->buf[1])[i] = (float)(i * 7 % 31) / 31 - 0.5f;
	}
	for (int64_t i = 0; i < n; i++) {
		bool keep = !p || kept(p, i / cols, cols, i % cols);
		if (p && !p->m) {
			int value = (int)(cop__rand(7, 3, (uint64_t)i) % (uint32_t)p->n) - p->n / 2;
			if (q) ((int8_t *)j->buf[2])[i] = (int8_t)(value * 7 + 3);
			else ((float *)j->buf[2])[i] = (float)value / 7 + 0.01f;
		} else if (q) ((int8_t *)j->buf[2])[i] = (int8_t)(keep ? i * 11 % 127 - 63 ? i * 11 % 127 - 63 : 1 : 0);
		else ((float *)j->buf[2])[i] = keep ? (float)(i * 11 % 29) / 29 - 0.51f : 0;
	}
	for (int32_t i = 0; i < l->o; i++) ((int32_t *)j->buf[4])[i] = 1 << 20;
}

/* p NULL: dense. */
static bool make(job *j, const layer *l, bool q, const pattern *p, uint32_t isa)
{
	*j = (job){0};
	words(l, q, j->k);
	fill(j, l, q, p);
	j->kernel = choose(j, q ? "qconv" : l->h ? "conv" : "fc", q ? "i8 i8 i8 i32 i32" : "f32 f32 f32 f32", isa, p != NULL);
	if (!j->kernel || (p && !p->m && !j->kernel->shared)) return false;
	if (j->kernel->work) j->work = room(j->kernel->work(j->k));
	if (!j->kernel->pack) return true;
	j->pack = room(j->kernel->pack_bytes(j->k));
	j->kernel->pack(&(cop_call){.buf = j->buf, .k = j->k, .work = j->pack, .parts = 1});
	return true;
}

static void release(job *j)
{
	for (int i = 0; i < 5; i++) free(j->buf[i]);
	free(j->work);
	free(j->pack);
}

static double run(const job *j, long times)
{
	cop_call c = {.buf = j->buf, .k = j->k, .work = j->work, .pack = j->pack, .parts = 1};
	double t = now();

	for (long i = 0; i < times; i++) j->kernel->fn(&c);
	return (now() - t) / (double)times;
}

static void compare(const layer *l, bool q, const pattern *p, int rounds, bool markdown, uint32_t isa)
{
	job dense, sparse;

	if (!make(&dense, l, q, NULL, isa)) return;
	if (!make(&sparse, l, q, p, isa)) {
		release(&dense);
		return;
	}
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < 2; i++) {
			job *j = i ? &sparse : &dense;
			double once = run(j, 1);
			j->seconds[r] = run(j, (long)(0.001 / once) + 1);
		}
	double d = 1e6 * least(dense.seconds, rounds), s = 1e6 * least(sparse.seconds, rounds), bytes = (double)sparse.kernel->pack_bytes(sparse.k);
	printf(markdown ? "| %s | %s | %s | %.2f | %.2f | %.2f | %.2f | %.0f |\n" : "%-16s %-5s %-11s %9.2f %9.2f %6.2f %6.2f %6.0f  %s\n", l->name, q ? "int8" : "f32", p->name, d, s, d / s,
		bytes / (double)(weights(l) * (q ? 1 : 4)), 10 * s / sparse.k[COP_STEPS] / (d / (double)weights(l)), sparse.kernel->symbol);
	release(&dense);
	release(&sparse);
}

int main(int argc, char **argv)
{
	bool markdown = false;
	const char *only = "";
	int rounds = 9;
	cop_ctx *cx = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--markdown")) markdown = true;
		else if (!strncmp(argv[i], "--rounds=", 9)) rounds = COP_MIN(COP_MAX(atoi(argv[i] + 9), 1), MAX_ROUNDS);
		else if (!strncmp(argv[i], "--only=", 7)) only = argv[i] + 7;
		else {
			fprintf(stderr, "usage: bench_sparse [--rounds=N] [--only=TEXT] [--markdown]\n");
			return 2;
		}
	}
	if (cop_ctx_new(&cx, NULL) != COP_OK) return 1;
	printf(markdown ? "| layer | format | kept | dense, us | sparse, us | faster | bytes | step |\n|---|---|---|---:|---:|---:|---:|---:|\n" : "layer            form  kept        dense us sparse us faster  bytes  step  kernel\n");
	for (int q = 0; q < 2; q++)
		for (int i = 0; i < LEN(layers); i++)
			for (int p = 0; p < LEN(patterns); p++)
				if (strstr(layers[i].name, only)) compare(&layers[i], q, &patterns[p], rounds, markdown, cx->isa);
	cop_ctx_free(cx);
	return 0;
}
