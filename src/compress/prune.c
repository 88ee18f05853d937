/* SPDX-License-Identifier: Apache-2.0
 *
 * prune - unstructured pruning while the network keeps training.
 *
 * Each weight gets a STATE "<w>.mask" of ones and zeros; the training graph multiplies gradients by it (pass/train.c), so
 * a weight that was set to zero stays exactly zero. Cuts follow the cubic schedule, or come all at once. What is cut
 * is decided on the weights of the moment: the smallest magnitudes (Han et al. 2015), or, as a control, at random.
 */
#include "compress/compress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double cop__cubic(double from, double to, double t)
{
	double left = 1 - COP_MIN(COP_MAX(t, 0.0), 1.0);
	return to + (from - to) * left * left * left;
}

/* k-th largest of v[n], 1-based; v is reordered. */
static float kth_largest(float *v, int64_t n, int64_t k)
{
	int64_t lo = 0, hi = n - 1;

	while (lo < hi) {
		float pivot = v[lo + (hi - lo) / 2];
		int64_t i = lo, j = hi;
		while (i <= j) {
			while (v[i] > pivot) i++;
			while (v[j] < pivot) j--;
			if (i > j) break;
			float t = v[i];
			v[i++] = v[j];
			v[j--] = t;
		}
		if (k - 1 <= j) hi = j;
		else if (k - 1 >= i) lo = i;
		else break;
	}
	return v[k - 1];
}

int64_t cop__prune_mask(float *mask, const float *score, int64_t n, double keep, int64_t least, float *scratch)
{
	int64_t k = (int64_t)(keep * (double)n + 0.5), left = 0, above = 0;

	k = COP_MIN(COP_MAX(k, least), n);
	for (int64_t i = 0; i < n; i++)
		if (mask[i] != 0) scratch[left++] = score[i];
	if (k >= left) return left;
	float at = k ? kth_largest(scratch, left, k) : INFINITY;
	for (int64_t i = 0; i < n; i++) above += mask[i] != 0 && score[i] > at;
	int64_t ties = k - above; /* exactly k stay: of the equal ones the first */
	for (int64_t i = 0; i < n; i++)
		if (mask[i] != 0 && score[i] <= at && !(score[i] == at && ties-- > 0)) mask[i] = 0;
	return k;
}

typedef struct layer { char name[128]; int64_t count, offset, least; } layer;
typedef struct pruner {
	const cop_stage *s;
	cop_ctx *cx;
	uint64_t seed;
	layer *layer;
	int32_t n_layer;
	int64_t count;
	float *score, *mask, *scratch; /* [count], the layers one after the other */
} pruner;

static cop_status view(const cop_progress *m, const layer *l, const char *suffix, cop_tensor *t)
{
	char name[160];
	snprintf(name, sizeof name, "%s%s", l->name, suffix);
	return cop__trainer_named(m->t, name, t);
}

/* Scores and masks out of the session. */
static cop_status gather(pruner *p, const cop_progress *m)
{
	cop_tensor w, mask;

	for (int32_t i = 0; i < p->n_layer; i++) {
		const layer *l = &p->layer[i];
		COP_TRY(view(m, l, "", &w));
		COP_TRY(view(m, l, ".mask", &mask));
		memcpy(p->mask + l->offset, mask.data, (size_t)l->count * 4);
		for (int64_t j = 0; j < l->count; j++)
			p->score[l->offset + j] = *p->s->by == 'r' ? cop__rand_unit(p->seed, cop__hash_text(l->name), (uint64_t)j) : fabsf(((float *)w.data)[j]);
	}
	return COP_OK;
}

/* Masks back, and zeros under them: of the weight and of what the rule of updates keeps for it. */
static cop_status scatter(pruner *p, const cop_progress *m)
{
	cop_tensor mask, t;

	for (int32_t i = 0; i < p->n_layer; i++) {
		const layer *l = &p->layer[i];
		COP_TRY(view(m, l, ".mask", &mask));
		memcpy(mask.data, p->mask + l->offset, (size_t)l->count * 4);
		for (int k = -1; k < 0 || cop__build_kept(cop__trainer_build(m->t), k); k++) {
			char name[COP_FOLLOWER];
			if (k < 0) snprintf(name, sizeof name, "%s", l->name);
			else COP_TRY(cop__follower_name(name, p->cx, l->name, cop__build_kept(cop__trainer_build(m->t), k)));
			if (!cop__find(cop__trainer_graph(m->t), name)) continue;
			COP_TRY(cop__trainer_named(m->t, name, &t));
			for (int64_t j = 0; j < l->count; j++)
				if (((float *)mask.data)[j] == 0) ((float *)t.data)[j] = 0;
		}
	}
	return COP_OK;
}

/* Cuts down to what the schedule says at t (0..1). */
static cop_status cut(pruner *p, const cop_progress *m, double t)
{
	COP_TRY(gather(p, m));
	if (p->s->global) {
		float *guard = p->scratch; /* a layer keeps its few largest whatever the others have */
		for (int32_t i = 0; i < p->n_layer; i++) {
			const layer *l = &p->layer[i];
			float *s = p->score + l->offset;
			int64_t n = 0;
			for (int64_t j = 0; j < l->count; j++)
				if (p->mask[l->offset + j] != 0) guard[n++] = s[j];
			if (n <= l->least) continue;
			float at = kth_largest(guard, n, l->least);
			for (int64_t j = 0; j < l->count; j++)
				if (s[j] >= at) s[j] += 1e30f;
		}
		cop__prune_mask(p->mask, p->score, p->count, cop__cubic(1, (double)p->s->rate[0].value, t), 1, p->scratch);
		return scatter(p, m);
	}
	for (int32_t i = 0; i < p->n_layer; i++) {
		const layer *l = &p->layer[i];
		double keep = cop__cubic(1, (double)cop__stage_rate(p->s, l->name, 1), t);
		cop__prune_mask(p->mask + l->offset, p->score + l->offset, l->count, keep, l->least, p->scratch);
	}
	return scatter(p, m);
}

static cop_status before(void *ud, const cop_progress *m)
{
	pruner *p = ud;
	return p->s->once && !m->step ? cut(p, m, 1) : COP_OK;
}

static cop_status after(void *ud, const cop_progress *m, cop_verdict *v)
{
	pruner *p = ud;
	double end = COP_MAX((double)p->s->over * (double)m->steps, 1.0); /* over: 0: at the first step */

	(void)v;
	if (p->s->once) return COP_OK;
	bool last = (double)m->step >= end && (double)(m->step - 1) < end;
	if (!last && ((double)m->step > end || m->step % p->s->steps_between)) return COP_OK;
	return cut(p, m, last ? 1 : (double)m->step / end);
}

/* A mask for every weight; one that is there already (an earlier stage) goes on. */
static cop_status add_masks(cop_graph *g, pruner *p)
{
	int32_t n_value = g->n_value;

	for (int32_t v = 1; v <= n_value; v++) {
		if (!cop__compressible(g, (cop_vid)v, p->s->layers)) continue;
		cop_type t = g->value[v].type;
		int64_t n = cop_type_count(&t);
		layer *l = &p->layer[p->n_layer++];
		char name[160];
		if (snprintf(l->name, sizeof l->name, "%s", g->value[v].name) >= (int)sizeof l->name) return cop__error(g->cx, COP_ARG, "'%s': the name is too long", g->value[v].name);
		l->count = n;
		l->offset = p->count;
		l->least = COP_MIN(n, n / 200 + 1); /* half a percent, so that no layer closes */
		p->count += n;
		snprintf(name, sizeof name, "%s.mask", l->name);
		cop_vid mask = cop__find(g, name);
		if (!mask) {
			float *ones = (mask = cop__data(g, COP_STATE, name, &t, NULL)) ? cop__own(g, mask) : NULL;
			if (!ones) return g->cx->code;
			for (int64_t i = 0; i < n; i++) ones[i] = 1;
			g->value[mask].of = (cop_vid)v;
		}
	}
	if (!p->n_layer) return cop__error(g->cx, COP_ARG, "prune: no weight matches layers: %s", p->s->layers);
	return COP_OK;
}

cop_status cop__stage_prune(cop_graph **gp, const cop_stage *s, const cop_workshop *w)
{
	cop_graph *g = *gp;
	cop_arena mem;
	pruner p = {.s = s, .cx = g->cx, .seed = w->a->seed};
	cop_train_args a = cop__stage_args(s, w);

	cop__arena_init(&mem, g->cx);
	p.layer = cop__arena_get(&mem, sizeof *p.layer * (size_t)(g->n_value + 1));
	cop_status st = p.layer ? add_masks(g, &p) : COP_NOMEM;
	if (!st) {
		p.score = cop__arena_get(&mem, (size_t)p.count * 4);
		p.mask = cop__arena_get(&mem, (size_t)p.count * 4);
		p.scratch = cop__arena_get(&mem, (size_t)p.count * 4);
		if (!p.score || !p.mask || !p.scratch) st = COP_NOMEM;
	}
	const cop_policy policy = {.name = "prune", .ud = &p, .before = before, .after = after};
	if (!st) st = cop__train(g, w->train, w->valid, &a, "prune", &policy, 1);
	cop__arena_free(&mem);
	return st;
}
