/* SPDX-License-Identifier: Apache-2.0
 *
 * straight - the stage: takes away the rectifier of the layer that needs it least, and trains on.
 *
 * tlc (Liao et al. 2025, The Simpler The Better) needs batch norm and no data for its entropy: behind it values are about normal, so a channel is off
 * with the probability Phi(-beta / |gamma|). Each layer is tried: channels with beta < 0, which are off more often than on, become zero, the others lose their
 * rectifier; by how much the loss rises on a few samples says what the rectifier is worth. Layers whose loss does not rise go together, as long as it does
 * not rise for all of them. easier (Quetu et al. 2024) takes the layer with the least entropy on the training set, whose rectifier becomes the identity.
 */
#include "compress/depth/depth.h"
#include "compress/layers.h"
#include "pass/pass.h"

#include <math.h>
#include <stdio.h>

enum { EASIER, TLC, RANDOM };
typedef struct straight_options { int32_t by, samples; } straight_options;
static const cop_option options[] = {
	COP_OPT_WORD(straight_options, by, "easier|tlc|random", "easier", "which rectifier goes: that of the least entropy, what the loss says without it (for networks with batch norm), or drawn from the seed as a control"),
	COP_OPT_WHOLE(straight_options, samples, 1, 100000000, "256", "with by: tlc, on how many samples of the validation set the loss is measured; with by: easier, on how many of the training set states are counted"),
	COP_OPT_END,
};

typedef struct trial { int32_t at; double rise; } trial; /* of a rectifier */

/* The batch norm before rectifier r, or 0. */
static cop_nid norm_of(const cop_graph *g, const cop_rectifier *r)
{
	cop_nid n = g->node[r->node].op == OP_clip ? g->value[cop__arg(g, r->node, 0)].producer : r->node;
	return n && g->node[n].op == OP_bn && cop__floats(g, cop__arg(g, n, 1)) && cop__floats(g, cop__arg(g, n, 2)) ? n : 0;
}

double cop__norm_bits(float gamma, float beta)
{
	if (gamma == 0) return 0;
	return cop__state_bits(0.5 * erfc((double)beta / fabs((double)gamma) / sqrt(2)));
}

/* on by the sign of beta, and the mean entropy, as if it had been counted. */
static void by_norm(const cop_graph *g, cop_rectifier *r)
{
	cop_nid n = norm_of(g, r);
	const float *gamma = cop__floats(g, cop__arg(g, n, 1)), *beta = cop__floats(g, cop__arg(g, n, 2));

	r->seen = 1;
	r->slide = 0;
	for (int32_t c = 0; c < r->channels; c++) {
		r->on[c] = beta[c] >= 0;
		r->slide += cop__norm_bits(gamma[c], beta[c]) / r->channels;
	}
}

static cop_status loss_of(double *loss, const cop_graph *g, cop_dataset *few, int threads)
{
	cop_score s;

	COP_TRY(cop_eval(&s, g, few, 64, threads));
	*loss = (double)s.loss;
	return COP_OK;
}

static cop_status loss_without(double *loss, const cop_graph *g, const cop_rectifiers *r, const bool *goes, cop_dataset *few, int threads)
{
	cop_graph *own, *out = NULL;

	COP_TRY(cop__pass_copy(&own, g));
	cop_status st = cop__straighten(&out, own, r, goes);
	if (!st) st = loss_of(loss, out, few, threads);
	cop_graph_free(out);
	cop_graph_free(own);
	return st;
}

static void sort(trial *t, int32_t n)
{
	for (int32_t i = 1; i < n; i++)
		for (int32_t k = i; k && t[k].rise < t[k - 1].rise; k--) {
			trial swap = t[k];
			t[k] = t[k - 1], t[k - 1] = swap;
		}
}

/* The layer with the least rise; of layers without one as many as have none together. */
static cop_status choose_tlc(bool *goes, cop_rectifiers *r, const cop_graph *g, trial *t, cop_dataset *few, int threads)
{
	double whole, loss;
	int32_t n = 0;

	COP_TRY(loss_of(&whole, g, few, threads));
	for (int32_t i = 0; i < r->n; i++) {
		if (!norm_of(g, &r->at[i])) continue;
		by_norm(g, &r->at[i]);
		goes[i] = true;
		COP_TRY(loss_without(&loss, g, r, goes, few, threads));
		goes[i] = false;
		t[n++] = (trial){i, loss - whole};
		cop__log(g->cx, COP_LOG_INFO, "straight: %s: %.4f bits, without it the loss rises by %.4f", r->at[i].weight ? g->value[r->at[i].weight].name : "a layer", r->at[i].slide, loss - whole);
	}
	if (!n) return cop__error(g->cx, COP_ARG, "straight: by: tlc needs a rectifier (ReLU) behind batch norm, and '%s' has none; by: easier needs no batch norm", g->name);
	sort(t, n);
	goes[t[0].at] = true;
	for (int32_t i = 1; i < n && t[i].rise <= 0; i++) {
		goes[t[i].at] = true;
		COP_TRY(loss_without(&loss, g, r, goes, few, threads));
		if (loss > whole) return goes[t[i].at] = false, COP_OK;
	}
	return COP_OK;
}

static cop_status choose_one(bool *goes, cop_rectifiers *r, const cop_graph *g, const straight_options *o, const cop_means *m)
{
	int32_t best = 0;

	COP_TRY(cop__states_count(r, g, m->train, o->by == EASIER ? o->samples : 1, m->a->threads));
	for (int32_t i = 1; i < r->n; i++)
		if (r->at[i].slide < r->at[best].slide) best = i;
	if (o->by == RANDOM) best = (int32_t)(cop__rand(m->a->seed, cop__hash_text("straight"), (uint64_t)r->n) % (uint32_t)r->n);
	for (int32_t c = 0; c < r->at[best].channels; c++) r->at[best].on[c] = r->at[best].seen;
	goes[best] = true;
	return COP_OK;
}

static cop_status straight(cop_graph **out, cop_graph *g, const straight_options *o, const cop_means *m)
{
	cop_dataset few = *(m->valid ? m->valid : m->train);
	cop_rectifiers r;
	int32_t n = 0;

	few.count = COP_MIN(few.count, o->samples);
	*out = NULL;
	cop_status st = cop__rectifiers(&r, g);
	bool *goes = st ? NULL : cop__arena_get(&r.mem, (size_t)r.n + 1);
	trial *t = goes ? cop__arena_get(&r.mem, sizeof *t * ((size_t)r.n + 1)) : NULL;
	if (!st && !t) st = COP_NOMEM;
	if (!st && !r.n) st = cop__error(g->cx, COP_ARG, "straight: '%s' has no rectifier (ReLU) left", g->name);
	if (!st) st = o->by == TLC ? choose_tlc(goes, &r, g, t, &few, m->a->threads) : choose_one(goes, &r, g, o, m);
	for (int32_t i = 0; !st && i < r.n; i++) n += goes[i];
	if (!st) st = cop__straighten(out, g, &r, goes);
	if (!st) cop__log(g->cx, COP_LOG_INFO, "straight: %d of %d rectifiers go", n, r.n);
	cop__rectifiers_free(&r);
	return st;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const straight_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_graph *out;

	COP_TRY(straight(&out, *g, o, m));
	cop_graph_free(*g);
	*g = out;
	return cop__train(*g, m->train, m->valid, &a, "straight", NULL, 0);
}

const cop_stage_row cop_stage_straight = {
	.row = {"straight", "takes away the rectifier that is needed least, for fold to merge the layers around it", "Liao et al. 2025, TLC; Quetu et al. 2024, EASIER", options, sizeof(straight_options)},
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .run = run,
};
