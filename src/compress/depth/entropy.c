/* SPDX-License-Identifier: Apache-2.0
 *
 * entropy - the stage: one round of pruning by magnitude whose budget goes to the layers that switch least, so that some come to never switch at
 * all. Such a layer is linear, and the stage `fold` removes it.
 *
 * The paper has two readings of a layer's entropy. slide: the mean over its neurons of the entropy of how often each is on, over all samples.
 * code (what the authors published): in each batch of 128 the mean over those neurons that switch in it, and the mean of that over all batches.
 */
#include "compress/depth/depth.h"
#include "compress/layers.h"
#include "compress/prune/prune.h"

#include <math.h>
#include <stdio.h>

enum { SLIDE, CODE, RANDOM };
typedef struct entropy_options { float cut; int32_t reading, limit; } entropy_options;
static const cop_option options[] = {
	COP_OPT_REAL(entropy_options, cut, 0.001, 0.999, "0.5", "the part of the weights that are left which goes"),
	COP_OPT_WORD(entropy_options, reading, "slide|code|random", "code", "how a layer's entropy is read: of all samples, as in the paper's published code, or drawn from the seed as a control"),
	COP_OPT_WHOLE(entropy_options, limit, 0, 100000000, "0", "samples on which states are counted; 0: all"),
	COP_OPT_END,
};

/* ---- the budget ---- */

static bool in_pool(const double *irrelevance, const bool *full, int32_t i) { return irrelevance[i] > 0 && !full[i]; }

/* Shares of what is left to remove: softmax of relevance R = (sum of I) / I over the layers of the pool. Returns a layer that gets more than it has, or -1. */
static int32_t share(double *part, int32_t n, const double *irrelevance, const bool *full, const int64_t *count, double left)
{
	double sum = 0, most = 0, all = 0;
	int32_t over = -1;

	for (int32_t i = 0; i < n; i++) sum += in_pool(irrelevance, full, i) ? irrelevance[i] : 0;
	for (int32_t i = 0; i < n; i++)
		if (in_pool(irrelevance, full, i)) most = fmax(most, sum / irrelevance[i]);
	for (int32_t i = 0; i < n; i++) all += part[i] = in_pool(irrelevance, full, i) ? exp(sum / irrelevance[i] - most) : 0;
	for (int32_t i = 0; i < n; i++) {
		part[i] = all > 0 ? left * part[i] / all : 0;
		if (part[i] > (double)count[i] && over < 0) over = i;
	}
	return over;
}

void cop__entropy_budget(int64_t *gone, int32_t n, const double *entropy, const double *mean, const int64_t *count, double cut)
{
	enum { MOST = 512 };
	double irrelevance[MOST], part[MOST], left = 0;
	bool full[MOST] = {false};

	n = COP_MIN(n, MOST);
	for (int32_t i = 0; i < n; i++) {
		irrelevance[i] = entropy[i] * mean[i];
		if (irrelevance[i] > 0) left += cut * (double)count[i];
	}
	for (int32_t over; (over = share(part, n, irrelevance, full, count, left)) >= 0;) full[over] = true, left -= (double)count[over];
	for (int32_t i = 0; i < n; i++) gone[i] = full[i] ? count[i] : (int64_t)part[i];
}

/* ---- layers ---- */

typedef struct layer { cop_vid weight, mask; const cop_rectifier *r; } layer;

/* The weight's mask; where there is none yet, what is 0 has gone before. */
static cop_vid mask_of(cop_graph *g, cop_vid w)
{
	cop_type t = *cop__t(g, w);
	char name[COP_FOLLOWER];

	if (cop__follower_name(name, g->cx, g->value[w].name, "mask")) return 0;
	cop_vid mask = cop__find(g, name);
	if (mask) return mask;
	mask = cop__data(g, COP_STATE, name, &t, NULL);
	float *one = mask ? cop__own(g, mask) : NULL;
	const float *x = cop__floats(g, w);
	for (int64_t i = 0, n = cop_type_count(&t); one && i < n; i++) one[i] = x[i] != 0;
	if (one) g->value[mask].of = w;
	return one ? mask : 0;
}

static cop_status layers_of(layer *l, int32_t *n, cop_graph *g, const cop_rectifiers *r, const char *pattern)
{
	for (int32_t i = 0; i < r->n; i++) {
		cop_vid w = r->at[i].weight;
		bool twice = false;
		for (int32_t k = 0; k < *n; k++) twice |= l[k].weight == w;
		if (!w || twice || !cop__compressible(g, w, pattern)) continue;
		l[*n] = (layer){w, mask_of(g, w), &r->at[i]};
		if (!l[(*n)++].mask) return cop__failed(g->cx);
	}
	return *n ? COP_OK : cop__error(g->cx, COP_ARG, "entropy: no layer that matches '%s' has a rectifier (ReLU) behind it", pattern);
}

/* The `gone` smallest weights that are left become 0, for good. */
static cop_status cut_layer(cop_graph *g, const layer *l, int64_t gone)
{
	int64_t n = cop_type_count(cop__t(g, l->weight)), left = 0;
	float *w = cop__own(g, l->weight), *mask = cop__own(g, l->mask), *size = cop__alloc(g->cx, sizeof *size * (size_t)n * 2);

	if (!w || !mask || !size) return cop__free(g->cx, size), COP_NOMEM;
	for (int64_t i = 0; i < n; i++) size[i] = fabsf(w[i]), left += mask[i] != 0;
	cop__prune_mask(mask, size, n, (double)(left - gone) / (double)n, 0, size + n);
	for (int32_t v = 1; v <= g->n_value; v++) { /* the weight, and what the rule of updates keeps for it */
		const cop_value *x = &g->value[v];
		if ((x->of != l->weight && (cop_vid)v != l->weight) || !cop__floats(g, (cop_vid)v) || cop_type_count(&x->type) != n) continue;
		float *p = cop__own(g, (cop_vid)v);
		for (int64_t i = 0; p && i < n; i++)
			if (mask[i] == 0) p[i] = 0;
	}
	cop__free(g->cx, size);
	return COP_OK;
}

static double mean_left(const cop_graph *g, const layer *l, int64_t *count)
{
	const float *w = cop__floats(g, l->weight), *mask = cop__floats(g, l->mask);
	double sum = 0;

	*count = 0;
	for (int64_t i = 0, n = cop_type_count(cop__t(g, l->weight)); i < n; i++)
		if (mask[i] != 0) sum += fabs((double)w[i]), ++*count;
	return *count ? sum / (double)*count : 0;
}

static cop_status cut(cop_graph *g, const cop_rectifiers *r, const char *pattern, const entropy_options *o, uint64_t seed)
{
	size_t n = (size_t)r->n + 1;
	cop_arena mem;
	int32_t layers = 0;

	cop__arena_init(&mem, g->cx);
	layer *l = cop__arena_get(&mem, sizeof *l * n);
	double *entropy = cop__arena_get(&mem, sizeof *entropy * n), *mean = cop__arena_get(&mem, sizeof *mean * n);
	int64_t *count = cop__arena_get(&mem, sizeof *count * n), *gone = cop__arena_get(&mem, sizeof *gone * n);
	cop_status st = l && entropy && mean && count && gone ? layers_of(l, &layers, g, r, pattern) : COP_NOMEM;
	for (int32_t i = 0; !st && i < layers; i++) {
		entropy[i] = o->reading == SLIDE ? l[i].r->slide : l[i].r->code;
		if (o->reading == RANDOM && entropy[i] > 0) entropy[i] = (double)cop__rand_unit(seed, cop__hash_text(g->value[l[i].weight].name), 0);
		mean[i] = mean_left(g, &l[i], &count[i]);
	}
	if (!st) cop__entropy_budget(gone, layers, entropy, mean, count, (double)o->cut);
	for (int32_t i = 0; !st && i < layers; i++) {
		cop__log(g->cx, COP_LOG_INFO, "entropy: %s: %.4f bits, %lld of %lld weights go", g->value[l[i].weight].name, entropy[i], (long long)gone[i], (long long)count[i]);
		st = cut_layer(g, &l[i], gone[i]);
	}
	cop__arena_free(&mem);
	return st;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const entropy_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_rectifiers r;

	cop_status st = cop__rectifiers(&r, *g);
	if (!st) st = cop__states_count(&r, *g, m->train, o->limit, a.threads);
	if (!st) st = cut(*g, &r, s->terms.layers, o, m->a->seed);
	cop__rectifiers_free(&r);
	return st ? st : cop__train(*g, m->train, m->valid, &a, "entropy", NULL, 0);
}

static bool can(const cop_graph *g, cop_vid weight, cop_why *why)
{
	cop_rectifiers r;
	bool found = false;

	if (!cop__can_change(g, weight, why)) return false;
	if (!cop__rectifiers(&r, g))
		for (int32_t i = 0; i < r.n; i++) found |= r.at[i].weight == weight;
	cop__rectifiers_free(&r);
	if (!found && why) snprintf(why->text, sizeof why->text, "'%.80s' has no rectifier (ReLU) behind it", g->value[weight].name);
	return found;
}

const cop_stage_row cop_stage_entropy = {
	.row = {"entropy", "prunes most where rectifiers switch least, so that layers become linear and can be folded", "Liao et al. 2023, arXiv 2308.06619", options, sizeof(entropy_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_MASKS, .can = can, .run = run,
};
