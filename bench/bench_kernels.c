/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_kernels - how fast the selected convolution, fully connected and product kernels are on this machine:
 * GFLOP/s and per cent of the measured multiply-add peak, one thread, medians over interleaved rounds.
 *
 *   bench_kernels [--json] [--rounds=N] [--pack] [--bf16] [--only=TEXT]
 *
 * FLOPs are nominal: two for each tap of each window, padding included. Weights are packed beforehand unless
 * --pack is given; a kernel that rearranges its activations always pays for it. COPPICE_ISA chooses the kernels;
 * --bf16 takes those that multiply bfloat16 where there are any. The peak stays that of floats.
 */
#include "core/core.h"
#include "kernel/kernel.h"
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef enum what { CONV, FC, PRODUCT } what;

/* conv: n, h = w, c, o, k, stride, padding before, padding in all; fc: n, in, out; product: m, n, k */
typedef struct layer { const char *name; what what; int n, h, c, o, k, s, p, pads; } layer;

#define CONV3(net, n, h, c, o, s)                                                                                      \
	{                                                                                                              \
		net " 3x3 " #c "-" #o " s" #s " @" #h " b" #n, CONV, n, h, c, o, 3, s, s == 1, s == 1 ? 2 : 1          \
	}
#define CONV1(net, n, h, c, o, s) {net " 1x1 " #c "-" #o " s" #s " @" #h " b" #n, CONV, n, h, c, o, 1, s, 0, 0}
#define CONV5(net, n, h, c, o) {net " 5x5 " #c "-" #o " @" #h " b" #n, CONV, n, h, c, o, 5, 1, 0, 0}
#define DENSE(net, n, i, o) {net " fc " #i "-" #o " b" #n, FC, n, 1, i, o, 1, 1, 0, 0}
#define MATMUL(m, n, k) {"product " #m "x" #n "x" #k, PRODUCT, m, 1, k, n, 1, 1, 0, 0}
#define RESNET(b)                                                                                                      \
	CONV3("resnet-8", b, 32, 3, 16, 1), CONV3("resnet-8", b, 32, 16, 16, 1), CONV3("resnet-8", b, 32, 16, 32, 2),  \
		CONV3("resnet-8", b, 16, 32, 32, 1), CONV3("resnet-8", b, 16, 32, 64, 2),                              \
		CONV3("resnet-8", b, 8, 64, 64, 1), CONV1("resnet-8", b, 32, 16, 32, 2),                               \
		CONV1("resnet-8", b, 16, 32, 64, 2)
#define MOBILENET(b)                                                                                                   \
	CONV3("mobilenet", b, 128, 3, 16, 2), CONV1("mobilenet", b, 64, 16, 8, 1),                                     \
		CONV1("mobilenet", b, 64, 8, 48, 1), CONV1("mobilenet", b, 32, 48, 8, 1),                              \
		CONV1("mobilenet", b, 16, 16, 96, 1), CONV1("mobilenet", b, 16, 24, 144, 1),                           \
		CONV1("mobilenet", b, 16, 144, 24, 1), CONV1("mobilenet", b, 4, 56, 336, 1),                           \
		CONV1("mobilenet", b, 4, 336, 112, 1), CONV1("mobilenet", b, 4, 112, 1280, 1)

static const layer layers[] = {
	DENSE("lenet-300-100", 1, 784, 300), DENSE("lenet-300-100", 64, 784, 300), DENSE("lenet-300-100", 64, 300, 100),
	DENSE("lenet-300-100", 64, 100, 10), CONV5("lenet-5", 64, 28, 1, 20), CONV5("lenet-5", 64, 12, 20, 50),
	DENSE("lenet-5", 1, 800, 500), DENSE("lenet-5", 64, 800, 500), DENSE("lenet-5", 64, 500, 10),
	RESNET(32), RESNET(128), MOBILENET(1), MOBILENET(8), MATMUL(512, 512, 512), MATMUL(1024, 1024, 1024),
};

enum { MAX_ROUNDS = 99 };

typedef struct job {
	const layer *l;
	const char *op, *kind;
	const cop_kernel *kernel;
	int32_t k[COP_MAX_WORDS];
	void *buf[4];
	void *work, *pack;
	bool pack_each;
	double flop, seconds[MAX_ROUNDS];
} job;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
	double t[MAX_ROUNDS];
	memcpy(t, v, (size_t)n * sizeof *t);
	qsort(t, (size_t)n, sizeof *t, by_size);
	return t[n / 2];
}

/* ---- the peak: chains of multiply-adds that fit the registers ---- */

#define PEAK(name, width, chains, target_)                                                                          \
	typedef float name##_v __attribute__((vector_size(width * 4)));                                             \
	target_ __attribute__((noinline)) static double name(long n, volatile float *sink)                          \
	{                                                                                                           \
		name##_v a[chains], x = {0}, y = {0};                                                               \
		x += sink[0], y += sink[1];                                                                         \
		_Pragma("GCC unroll 32") for (int i = 0; i < chains; i++) a[i] = y;                                 \
		double t = now();                                                                                   \
		for (long k = 0; k < n; k++) {                                                                      \
			_Pragma("GCC unroll 32") for (int i = 0; i < chains; i++)                                   \
			{                                                                                           \
				a[i] = a[i] * x + y;                                                                \
				__asm__ volatile("" : PEAK_REG(a[i]));                                              \
			}                                                                                           \
		}                                                                                                   \
		t = now() - t;                                                                                      \
		_Pragma("GCC unroll 32") for (int i = 1; i < chains; i++) a[0] += a[i];                             \
		sink[2] = a[0][0];                                                                                  \
		return 2.0 * width * chains * (double)n / t / 1e9;                                                  \
	}
#if defined(__x86_64__)
#define PEAK_REG(a) "+v"(a)
PEAK(peak_avx512, 16, 24, __attribute__((target("avx512f,fma"))))
PEAK(peak_avx2, 8, 12, __attribute__((target("avx2,fma"))))
#elif defined(__aarch64__)
#define PEAK_REG(a) "+w"(a)
PEAK(peak_neon, 4, 24, )
#endif

static double peak(uint32_t isa)
{
	static volatile float values[3] = {0.5f, 1.0f, 0.0f};
#if defined(__x86_64__)
	if (isa & COP_ISA_AVX512) return peak_avx512(300000, values);
	if (isa & COP_ISA_AVX2) return peak_avx2(600000, values);
#elif defined(__aarch64__)
	if (isa & COP_ISA_NEON) return peak_neon(600000, values);
#endif
	(void)isa;
	(void)values;
	return 0; /* no vector kernels: no peak to compare with */
}

/* ---- jobs ---- */

static void *floats(size_t bytes, bool fill)
{
	size_t size = (bytes + 127) / 64 * 64;
	float *p = aligned_alloc(64, size);

	if (!p) {
		fprintf(stderr, "bench_kernels: no memory for %zu bytes\n", size);
		exit(1);
	}
	for (size_t i = 0; i < size / 4; i++) p[i] = fill ? (float)((i * 7 + 3) % 31) / 31.0f - 0.5f : 0;
	return p;
}

/* The row a plan would take, by op and dense f32. */
static const cop_kernel *choose(const char *op, const int32_t *k, uint32_t isa)
{
	for (int i = cop_n_kernels - 1; i >= 0; i--) {
		const cop_kernel *r = &cop_kernels[i];
		if ((r->isa & isa) == r->isa && !strcmp(r->op, op) && !strncmp(r->types, "f32 f32 f32", 11) &&
			!strchr(r->types, ':') && !r->steps && (!r->fits || r->fits(k)))
			return r;
	}
	return NULL;
}

static void words(const layer *l, int32_t *k)
{
	const int32_t no_lo = cop__bits(-__builtin_inff()), no_hi = cop__bits(__builtin_inff());
	int oh = (l->h + l->pads - l->k) / l->s + 1;

	if (l->what == CONV) {
		const int32_t w[CK_WORDS] = {l->n, l->h, l->h, l->c, oh, oh, l->o, l->k, l->k, l->s, l->s, l->p, l->p,
			1, 1, 1, no_lo, no_hi, 0};
		memcpy(k, w, sizeof w);
	} else if (l->what == FC) {
		const int32_t w[FK_WORDS] = {l->n, l->c, l->o, no_lo, no_hi, l->o};
		memcpy(k, w, sizeof w);
	} else {
		const int32_t w[MK_WORDS] = {1, l->n, l->o, l->c, 0, 0, 0, 0};
		memcpy(k, w, sizeof w);
	}
}

/* which: 0 forward, 1 dX, 2 dW. False when there is no such job. */
static bool make(job *j, const layer *l, int which, uint32_t isa)
{
	static const char *const op[3][3] = {
		{"conv", "conv_dx", "conv_dw"}, {"fc", "fc_dx", "fc_dw"}, {"matmul", NULL, NULL}};
	static const char *const kind[] = {"fwd", "dX", "dW"};
	long oh = (l->h + l->pads - l->k) / l->s + 1;
	size_t x = (size_t)l->n * l->h * l->h * l->c * 4, y = (size_t)(l->n * oh * oh * l->o) * 4,
	       w = (size_t)l->k * l->k * l->c * l->o * 4;
	size_t size[3][3] = {{y, x, w}, {x, y, w}, {w, y, x}};

	*j = (job){.l = l, .op = op[l->what][which], .kind = kind[which]};
	if (!j->op || (which == 1 && l->what == CONV && l->c <= 3)) return false; /* the first layer has no dX */
	words(l, j->k);
	j->kernel = choose(j->op, j->k, isa);
	if (!j->kernel) return false;
	j->flop = 2.0 * (double)(l->n * oh * oh) * l->o * l->k * l->k * l->c;
	for (int i = 0; i < 3; i++) j->buf[i] = floats(size[which][i], i > 0);
	if (j->kernel->work) j->work = floats(j->kernel->work(j->k), false);
	if (j->kernel->pack) j->pack = floats(j->kernel->pack_bytes(j->k), false);
	return true;
}

static void pack(const job *j) { j->kernel->pack(&(cop_call){.buf = j->buf, .k = j->k, .work = j->pack, .parts = 1}); }

static double run(const job *j, long times)
{
	cop_call c = {.buf = j->buf, .k = j->k, .work = j->work, .pack = j->pack, .parts = 1};
	double t = now();

	for (long i = 0; i < times; i++) {
		if (j->pack_each) pack(j);
		j->kernel->fn(&c);
	}
	return (now() - t) / (double)times;
}

static void measure(job *j, int n, int rounds, double *peaks, uint32_t isa)
{
	for (int r = 0; r < rounds; r++) {
		peaks[r] = peak(isa);
		for (int i = 0; i < n; i++) {
			double once = run(&j[i], 1);
			long times = (long)(0.002 / once) + 1;
			j[i].seconds[r] = run(&j[i], times);
		}
	}
}

/* ---- report: the median, and the best round for machines where others work too ---- */

static double best(const double *v, int n)
{
	double t = v[0];
	for (int i = 1; i < n; i++) t = COP_MIN(t, v[i]);
	return t;
}

static void table(const job *j, int n, int rounds, double top)
{
	printf("%-34s %-4s %9s %6s %9s  %s\n", "layer", "", "GFLOP/s", "peak", "best", "kernel");
	for (int i = 0; i < n; i++) {
		double g = j[i].flop / median(j[i].seconds, rounds) / 1e9;
		printf("%-34s %-4s %9.1f %5.0f%% %9.1f  %s\n", j[i].l->name, j[i].kind, g, top > 0 ? 100 * g / top : 0,
			j[i].flop / best(j[i].seconds, rounds) / 1e9, j[i].kernel->symbol);
	}
}

static void json(const job *j, int n, int rounds, double top)
{
	printf("{\"peak_gflops\": %.1f, \"rounds\": %d, \"kernels\": [\n", top, rounds);
	for (int i = 0; i < n; i++) {
		double s = median(j[i].seconds, rounds), g = j[i].flop / s / 1e9;
		printf("  {\"layer\": \"%s\", \"pass\": \"%s\", \"kernel\": \"%s\", \"microseconds\": %.2f, "
		       "\"gflops\": %.2f, "
		       "\"peak\": %.3f, \"best_gflops\": %.2f}%s\n",
			j[i].l->name, j[i].kind, j[i].kernel->symbol, s * 1e6, g, top > 0 ? g / top : 0,
			j[i].flop / best(j[i].seconds, rounds) / 1e9, i + 1 < n ? "," : "");
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	bool as_json = false, with_pack = false, bf16 = false;
	const char *only = "";
	int rounds = 15, n = 0;
	cop_ctx *cx = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) as_json = true;
		else if (!strcmp(argv[i], "--pack")) with_pack = true;
		else if (!strcmp(argv[i], "--bf16")) bf16 = true;
		else if (!strncmp(argv[i], "--rounds=", 9)) rounds = COP_MIN(COP_MAX(atoi(argv[i] + 9), 1), MAX_ROUNDS);
		else if (!strncmp(argv[i], "--only=", 7)) only = argv[i] + 7;
		else {
			fprintf(stderr, "usage: bench_kernels [--json] [--rounds=N] [--pack] [--bf16] [--only=TEXT]\n");
			return 2;
		}
	}
	if (cop_ctx_new(&cx, NULL) != COP_OK) return 1;
	if (bf16 && cop__cpu_bf16(cx)) return fprintf(stderr, "bench_kernels: %s\n", cop_error_text(cx)), 1;
	job *jobs = calloc((size_t)LEN(layers) * 3, sizeof *jobs);
	if (!jobs) return 1;
	for (int i = 0; i < LEN(layers); i++)
		for (int which = 0; which < 3; which++) {
			if (!strstr(layers[i].name, only) || !make(&jobs[n], &layers[i], which, cx->isa | (bf16 ? COP_ISA_AMX : 0))) continue;
			jobs[n].pack_each = jobs[n].kernel->pack &&
					    (with_pack || jobs[n].kernel->pack_in == 0); /* input 0: activations */
			if (jobs[n].kernel->pack) pack(&jobs[n]);
			n++;
		}
	double peaks[MAX_ROUNDS];
	measure(jobs, n, rounds, peaks, cx->isa);
	double top = median(peaks, rounds);
	if (!as_json) printf("%s, multiply-add peak %.1f GFLOP/s, one thread\n", cop_cpu_text(cx), top);
	(as_json ? json : table)(jobs, n, rounds, top);
	cop_ctx_free(cx);
	return 0;
}
