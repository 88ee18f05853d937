/* SPDX-License-Identifier: Apache-2.0
 *
 * choose - what each layer costs when it alone is quantised, and, to hold a bound on the accuracy, which layers get
 * more bits or stay float: the most sensitive first, no more of them than the bound takes. What is measured is the
 * integer network.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

enum { SENSITIVITY_SAMPLES = 64 };

/* ---- alone ---- */

typedef struct pair { cop_watch exact, other; cop_tensor out[2]; } pair;

/* Both for the same number of samples. */
static cop_status open_pair(pair *p, const cop_quantizer *z, const cop_graph *b)
{
	COP_TRY(cop__watch_new(&p->exact, z->g, z->batch, z->each, z->a->threads));
	COP_TRY(cop__watch_new(&p->other, b, p->exact.batch, z->each, z->a->threads));
	if (p->other.batch != p->exact.batch) {
		cop__watch_free(&p->exact);
		COP_TRY(cop__watch_new(&p->exact, z->g, p->other.batch, z->each, z->a->threads));
	}
	COP_TRY(cop_session_io(p->exact.host.s, 0, 0, true, &p->out[0]));
	return cop_session_io(p->other.host.s, 0, 0, true, &p->out[1]);
}

static cop_status compare(const cop_quantizer *z, pair *p, double *signal, double *noise)
{
	int32_t got, end = COP_MIN(z->samples, SENSITIVITY_SAMPLES);

	*signal = *noise = 0;
	for (int32_t i = 0; i < end; i += got) {
		for (int k = 0; k < 2; k++) COP_TRY(cop__watch_load(k ? &p->other : &p->exact, z->sets, i, end, &got));
		COP_TRY(cop_session_run(p->exact.host.s, 0));
		COP_TRY(cop_session_run(p->other.host.s, 0));
		const float *a = p->out[0].data, *b = p->out[1].data;
		int64_t n = cop_type_count(&p->out[0].type) / p->exact.batch * got;
		for (int64_t k = 0; k < n; k++) {
			*signal += (double)a[k] * (double)a[k];
			*noise += (double)(a[k] - b[k]) * (double)(a[k] - b[k]);
		}
	}
	return COP_OK;
}

static cop_status alone(cop_quantizer *z, cop_nid n, const int *bits)
{
	cop_graph *q = NULL;
	pair p = {0};
	double signal, noise;

	for (cop_nid m = 1; m <= (cop_nid)z->g->n_node; m++) z->layer[m].bits = m == n ? bits[m] : 0;
	cop_status st = cop__lower_quantized(&q, z);
	if (!st) st = open_pair(&p, z, q);
	if (!st) st = compare(z, &p, &signal, &noise);
	if (!st) z->layer[n].sqnr = (float)cop__decibels(signal, noise);
	if (!st && !isfinite(noise))
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
	int *bits = cop__alloc(z->cx, sizeof *bits * (size_t)(n_node + 1));
	cop_status st = bits ? COP_OK : COP_NOMEM;

	for (int32_t n = 1; !st && n <= n_node; n++) bits[n] = z->layer[n].bits;
	for (int32_t n = 1; !st && n <= n_node; n++) {
		if (bits[n]) st = alone(z, (cop_nid)n, bits);
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
	double signal, noise;
	cop_status st = open_pair(&p, z, q);

	bool reals = !st && p.out[0].type.dtype == COP_F32 && p.out[1].type.dtype == COP_F32;
	if (reals) st = compare(z, &p, &signal, &noise);
	if (reals && !st && !isfinite(noise))
		st = cop__error(z->cx, COP_ARG,
			"quantize: results of the integer network are infinite or not a number on the calibration samples");
	if (reals && !st && signal > 0 && cop__decibels(signal, noise) < POOR)
		cop__log(z->cx, COP_LOG_WARN, "quantize: the results of the integer network have little to do with the float "
			"network's: signal to noise is %.1f dB", cop__decibels(signal, noise));
	cop__watch_free(&p.exact);
	cop__watch_free(&p.other);
	return st;
}

/* ---- within a bound ---- */

typedef struct order { cop_nid *n; int32_t count; } order; /* quantised layers, the most sensitive first */

static cop_status sort(order *o, cop_quantizer *z)
{
	if (!(o->n = cop__arena_get(&z->mem, sizeof *o->n * (size_t)(z->g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		if (!z->layer[n].bits) continue;
		int32_t at = o->count++;
		for (; at > 0 && z->layer[o->n[at - 1]].sqnr > z->layer[n].sqnr; at--) o->n[at] = o->n[at - 1];
		o->n[at] = n;
	}
	return COP_OK;
}

/* The network after `steps` raises: first from 4 to 8 bits, layer by layer, then from 8 to float. */
static cop_status raised(cop_graph **out, cop_quantizer *z, const order *o, int32_t steps)
{
	bool narrow = z->weight_bits < 8;

	for (int32_t i = 0; i < o->count; i++) {
		cop_qlayer *l = &z->layer[o->n[i]];
		bool wide = narrow && (i < steps || z->g->node[o->n[i]].op == OP_rnn), keep = steps - (narrow ? o->count : 0) > i;
		l->bits = keep ? 0 : wide ? 8 : z->weight_bits;
		l->act_bits = wide || keep ? 8 : z->act_bits;
	}
	if (z->a->wide_ends) COP_TRY(cop__wide_ends(z));
	COP_TRY(cop__set_ranges(z));
	COP_TRY(cop__quantize_weights(z));
	return cop__lower_quantized(out, z);
}

/* Points of accuracy lost against `before`; percent of the loss where there are no labels. */
static cop_status drop_of(float *drop, const cop_graph *g, const cop_quantizer *z, const cop_score *before)
{
	cop_score s;

	COP_TRY(cop_eval(&s, g, z->a->valid ? z->a->valid : z->calib, z->batch, z->a->threads));
	*drop = before->accuracy >= 0 ? 100 * (before->accuracy - s.accuracy) : 100 * (s.loss / before->loss - 1);
	return COP_OK;
}

/* The fewest raises that hold the bound, by bisection: more of them rarely cost accuracy, and what is returned was
 * measured. */
cop_status cop__choose(cop_graph **out, cop_quantizer *z, const cop_graph *model)
{
	cop_score before;
	cop_graph *try = NULL;
	order o = {0};
	float drop = 0;

	*out = NULL;
	COP_TRY(sort(&o, z));
	COP_TRY(cop_eval(&before, model, z->a->valid ? z->a->valid : z->calib, z->batch, z->a->threads));
	int32_t most = z->weight_bits < 8 ? 2 * o.count : o.count, lo = 0, hi = most, at = 0; /* hi: everything float again */
	float least = INFINITY;
	while (lo < hi) {
		cop_status st = raised(&try, z, &o, at);
		if (!st) st = drop_of(&drop, try, z, &before);
		if (st) return cop_graph_free(try), cop_graph_free(*out), *out = NULL, st;
		cop__log(z->cx, COP_LOG_INFO, "quantize: %d layers got more bits; the accuracy drops by %.2f points", at,
			(double)drop);
		least = fminf(least, drop);
		if (drop <= z->a->max_drop + 1e-4f) {
			cop_graph_free(*out);
			*out = try;
			hi = at;
		} else {
			cop_graph_free(try);
			lo = at + 1;
		}
		try = NULL;
		at = (lo + hi) / 2;
	}
	if (!*out)
		return cop__error(z->cx, COP_BUDGET, "quantize: no layer can be int8 within a drop of %g points: the least was %.2f",
			(double)z->a->max_drop, (double)least);
	cop_graph *again = NULL; /* side arrays as they were for what is returned */
	COP_TRY(raised(&again, z, &o, hi));
	cop_graph_free(again);
	return COP_OK;
}
