/* SPDX-License-Identifier: Apache-2.0
 *
 * alone - what each layer costs when it alone is quantised: noise at the network's output, and how far its answers
 * move. What is measured is the integer network.
 */
#include "compress/quantize/quantize.h"
#include "train/policy.h"

#include <math.h>

enum { SENSITIVITY_SAMPLES = 64 };

/* moved: the sum over samples of the divergence of the answers; of classes alone. */
typedef struct pair {
	cop_watch exact, other;
	cop_tensor out[2];
	bool classes, probable;
	double signal, noise, moved;
} pair;

/* Both for the same number of samples. */
static cop_status open_pair(pair *p, const cop_quantizer *z, const cop_graph *b)
{
	COP_TRY(cop__watch_new(&p->exact, z->g, z->batch, z->each, z->a->threads));
	COP_TRY(cop__watch_new(&p->other, b, p->exact.batch, z->each, z->a->threads));
	if (p->other.batch != p->exact.batch) {
		cop__watch_free(&p->exact);
		COP_TRY(cop__watch_new(&p->exact, z->g, p->other.batch, z->each, z->a->threads));
	}
	p->probable = cop__gives_probabilities(z->g);
	COP_TRY(cop_session_io(p->exact.host.s, 0, 0, true, &p->out[0]));
	const cop_type *y = &p->out[0].type;
	p->classes = z->calib->classes > 0 && y->rank == 2 && y->dim[0] == p->exact.batch;
	return cop_session_io(p->other.host.s, 0, 0, true, &p->out[1]);
}

/* log sum exp y, 0 of what are probabilities: what log p is below y. */
static double log_sum(const float *y, int64_t n, bool probable)
{
	float most = y[0];
	double sum = 0;

	if (probable) return 0;
	for (int64_t i = 1; i < n; i++) most = fmaxf(most, y[i]);
	for (int64_t i = 0; i < n; i++) sum += exp((double)(y[i] - most));
	return (double)most + log(sum);
}

/* sum p log (p / q) of the answers a and b to one sample; probabilities are held at 1e-7, as the loss does. */
double cop__divergence(const float *a, const float *b, int64_t n, bool probable)
{
	double sum = 0, from = log_sum(a, n, probable), to = log_sum(b, n, probable);

	for (int64_t i = 0; i < n; i++) {
		double p = probable ? log(fmax((double)a[i], 1e-7)) : (double)a[i] - from;
		double q = probable ? log(fmax((double)b[i], 1e-7)) : (double)b[i] - to;
		sum += exp(p) * (p - q);
	}
	return sum;
}

static void add(pair *p, int32_t got)
{
	const float *a = p->out[0].data, *b = p->out[1].data;
	int64_t each = cop_type_count(&p->out[0].type) / p->exact.batch;

	for (int64_t k = 0; k < each * got; k++) {
		p->signal += (double)a[k] * (double)a[k];
		p->noise += (double)(a[k] - b[k]) * (double)(a[k] - b[k]);
	}
	for (int32_t k = 0; p->classes && k < got; k++)
		p->moved += cop__divergence(a + k * each, b + k * each, each, p->probable);
}

static cop_status compare(pair *p, const cop_quantizer *z, int32_t end)
{
	int32_t got;

	for (int32_t i = 0; i < end; i += got) {
		for (int k = 0; k < 2; k++) COP_TRY(cop__watch_load(k ? &p->other : &p->exact, z->sets, i, end, &got));
		COP_TRY(cop_session_run(p->exact.host.s, 0));
		COP_TRY(cop_session_run(p->other.host.s, 0));
		add(p, got);
	}
	return COP_OK;
}

static cop_status alone(cop_quantizer *z, cop_nid n, const int *bits, int32_t samples)
{
	cop_qlayer *l = &z->layer[n];
	cop_graph *q = NULL;
	pair p = {0};

	for (cop_nid m = 1; m <= (cop_nid)z->g->n_node; m++) z->layer[m].bits = m == n ? bits[m] : 0;
	cop_status st = cop__lower_quantized(&q, z);
	if (!st) st = open_pair(&p, z, q);
	if (!st) st = compare(&p, z, samples);
	if (!st) l->sqnr = (float)cop__decibels(p.signal, p.noise);
	if (!st) l->harm = (float)(p.classes ? p.moved / samples : p.signal > 0 ? p.noise / p.signal : p.noise);
	if (!st && !isfinite(p.noise))
		st = cop__error(z->cx, COP_ARG,
		        "quantize: '%s' in integers makes the network's result infinite or not a number; --keep it",
		        cop__qlayer_name(z->g, n));
	cop__watch_free(&p.exact);
	cop__watch_free(&p.other);
	cop_graph_free(q);
	return st;
}

cop_status cop__sensitivity(cop_quantizer *z)
{
	int32_t n_node = z->g->n_node;
	int32_t samples = COP_MIN(z->samples, z->limited ? INT32_MAX : SENSITIVITY_SAMPLES);
	int *bits = cop__alloc(z->cx, sizeof *bits * (size_t)(n_node + 1));
	cop_status st = bits ? COP_OK : COP_NOMEM;

	for (int32_t n = 1; !st && n <= n_node; n++) bits[n] = z->layer[n].bits;
	for (int32_t n = 1; !st && n <= n_node; n++) {
		if (bits[n]) st = alone(z, (cop_nid)n, bits, samples);
		if (!st && cop__stopped(z->cx)) st = cop__error(z->cx, COP_STOPPED, "stopped while measuring layers");
	}
	for (int32_t n = 1; bits && n <= n_node; n++) z->layer[n].bits = bits[n];
	cop__free(z->cx, bits);
	return st;
}

cop_status cop__check_whole(const cop_quantizer *z, const cop_graph *q)
{
	enum { POOR = 3 }; /* dB: the noise is half as strong as the signal */
	pair p = {0};
	cop_status st = open_pair(&p, z, q);

	bool reals = !st && p.out[0].type.dtype == COP_F32 && p.out[1].type.dtype == COP_F32;
	if (reals) st = compare(&p, z, COP_MIN(z->samples, SENSITIVITY_SAMPLES));
	if (reals && !st && !isfinite(p.noise))
		st = cop__error(z->cx, COP_ARG,
		        "quantize: results of the integer network are infinite or not a number on the calibration "
		        "samples");
	if (reals && !st && p.signal > 0 && cop__decibels(p.signal, p.noise) < POOR)
		cop__log(z->cx, COP_LOG_WARN,
		        "quantize: the results of the integer network have little to do with the float "
		        "network's: signal to noise is %.1f dB",
		        cop__decibels(p.signal, p.noise));
	cop__watch_free(&p.exact);
	cop__watch_free(&p.other);
	return st;
}
