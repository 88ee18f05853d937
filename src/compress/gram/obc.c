/* SPDX-License-Identifier: Apache-2.0
 *
 * obc - two scores by the Gram matrix of a layer. obc, optimal brain compression: every row tells in which order its weights would go and what each costs
 * once the rest makes good for it; these costs are scores like any other, and after the cut the rest of each row is solved for. wanda: the size of a
 * weight times the norm of what it sees.
 */
#include "compress/gram/gram.h"
#include "compress/prune/score.h"

#include <math.h>
#include <stdio.h>

typedef struct obc_options { float damp; } obc_options;
static const cop_option options[] = {
	COP_OPT_REAL(obc_options, damp, 1e-6, 10, "0.01", "what is added to the diagonal of the products of inputs, as a part of its mean"),
	COP_OPT_END,
};

typedef struct work {
	const cop_look *l;
	const obc_options *o;
	cop_arena mem;
	cop_gram *gram;                  /* [n_layer] */
	/* of the layer at hand */
	double *damped, *inverse, *room; /* [k,k], [k,k], [k k + k] */
	float *cost, *row, *stays;       /* [k]; row: of weights */
	int32_t *order, *item, *bucket, *name; /* [k]; name: the item of the whole that a row's item is */
	char *trace;
} work;

/* ---- all layers ---- */

static cop_status gather(work *z)
{
	const cop_look *l = z->l;
	const cop_gram_args a = {l->samples, l->a->threads, l->a->seed};

	if (!(z->gram = cop__arena_get(&z->mem, sizeof *z->gram * (size_t)(l->it->n_layer + 1)))) return COP_NOMEM;
	for (int32_t i = 0; i < l->it->n_layer; i++) z->gram[i].weight = cop__find(l->model, l->it->layer[i].name);
	return cop__grams(z->gram, l->it->n_layer, l->model, l->train, &a);
}

static cop_status make_room(work *z)
{
	size_t k = 0, of_trace = 0;

	for (int32_t i = 0; i < z->l->it->n_layer; i++) {
		const cop_obs_rule r = {.k = z->gram[i].k, .items = z->gram[i].k, .buckets = z->gram[i].k};
		k = COP_MAX(k, (size_t)z->gram[i].k);
		of_trace = COP_MAX(of_trace, cop__obs_room(&r));
	}
	z->damped = cop__arena_get(&z->mem, k * k * 8), z->inverse = cop__arena_get(&z->mem, k * k * 8), z->room = cop__arena_get(&z->mem, (k * k + k) * 8);
	z->cost = cop__arena_get(&z->mem, k * 4), z->row = cop__arena_get(&z->mem, k * 4), z->stays = cop__arena_get(&z->mem, k * 4);
	z->order = cop__arena_get(&z->mem, k * 4), z->item = cop__arena_get(&z->mem, k * 4), z->bucket = cop__arena_get(&z->mem, k * 4), z->name = cop__arena_get(&z->mem, k * 4);
	z->trace = cop__arena_get(&z->mem, of_trace);
	return z->damped && z->inverse && z->room && z->cost && z->row && z->stays && z->order && z->item && z->bucket && z->name && z->trace ? COP_OK : COP_NOMEM;
}

static int32_t rows_of(const work *z, int32_t i) { return cop__t(z->l->model, z->gram[i].weight)->dim[0]; }

typedef cop_status row_fn(work *z, int32_t i, int32_t row, void *ud);

/* fn for each row of layer i, with the matrices of its group. */
static cop_status for_rows(work *z, int32_t i, row_fn *fn, void *ud)
{
	const cop_gram *m = &z->gram[i];
	const size_t n = (size_t)m->k * (size_t)m->k;
	const int32_t rows = rows_of(z, i), per = rows / m->groups;
	const char *name = z->l->it->layer[i].name;

	for (int32_t row = 0; row < rows; row++) {
		if (row % per == 0) {
			cop__damped(z->damped, m->h + (size_t)(row / per) * n, m->k, (double)z->o->damp);
			memcpy(z->inverse, z->damped, sizeof *z->inverse * n);
			if (!cop__invert(z->inverse, m->k, z->room)) return cop__error(z->mem.cx, COP_ARG, "prune: by: obc: the products of what '%s' sees have no inverse; a larger damp gives them one", name);
		}
		COP_TRY(fn(z, i, row, ud));
		if (cop__stopped(z->mem.cx)) return cop__error(z->mem.cx, COP_STOPPED, "stopped while '%s' was pruned", name);
	}
	return COP_OK;
}

static cop_status all_rows(work *z, cop_status (*layer)(work *z, int32_t i, void *ud), void *ud)
{
	cop__arena_init(&z->mem, z->l->model->cx);
	cop_status st = gather(z);
	if (!st) st = make_room(z);
	for (int32_t i = 0; !st && i < z->l->it->n_layer; i++) st = layer(z, i, ud);
	cop__grams_free(z->gram, z->l->it->n_layer, z->mem.cx);
	cop__arena_free(&z->mem);
	return st;
}

/* ---- obc: scores ---- */

/* The items of a row, counted from 0, and the bundles of which some stay. */
static cop_obs_rule rule_of(work *z, int32_t layer, int32_t row)
{
	const cop_items *it = z->l->it;
	const cop_type *t = cop__t(z->l->model, z->gram[layer].weight);
	const int32_t k = z->gram[layer].k, depth = t->dim[t->rank - 1], m = it->bundle, of_depth = m ? (depth + m - 1) / m : 0;
	cop_obs_rule r = {.k = k, .item = z->item, .most = 1};
	int32_t *count = z->order; /* free as yet */

	for (int32_t j = 0; j < k; j++) {
		int64_t at = it->layer[layer].offset + (int64_t)row * k + j;
		int32_t whole = it->of ? it->of[at] : (int32_t)at, i = r.items;
		if (it->of) for (i = 0; i < r.items && z->name[i] != whole;) i++;
		if (i == r.items) z->name[r.items++] = whole, count[i] = 0;
		z->item[j] = i;
		count[i]++;
		r.most = COP_MAX(r.most, count[i]);
		if (m) z->bucket[i] = j / depth * of_depth + j % depth / m;
	}
	if (m) r.bucket = z->bucket, r.buckets = k / depth * of_depth, r.full = m - it->stay;
	return r;
}

static cop_status trace_row(work *z, int32_t i, int32_t row, void *ud)
{
	const double by = *(const double *)ud, gain = (double)z->gram[i].gain[row];
	const int32_t k = z->gram[i].k;
	const float *w = cop__floats(z->l->model, z->gram[i].weight) + (size_t)row * (size_t)k, *h = cop__gram_of_row(&z->gram[i], rows_of(z, i), row);
	const cop_obs_rule r = rule_of(z, i, row);
	float most = 0;

	for (int32_t j = 0; j < k; j++) z->row[j] = h[(size_t)j * (size_t)k + (size_t)j] > 0 ? w[j] : 0; /* what is never seen costs nothing */
	cop__obs_trace(z->cost, z->order, z->row, z->inverse, &r, z->trace);
	for (int32_t t = 0; t < r.items; t++) { /* none is below that of one before it, so that what goes is the beginning of the order */
		most = fmaxf(most, z->cost[t]);
		z->l->score[z->name[z->order[t]]] = (float)((double)most * gain * gain * by);
	}
	return COP_OK;
}

/* 1/2 w'Hw: what a row puts out, at the scale of its costs. */
static double energy(const float *w, const float *h, int32_t k)
{
	double e = 0;

	for (int32_t i = 0; i < k; i++) {
		double s = 0;
		for (int32_t j = 0; j < k; j++) s += (double)h[(size_t)i * (size_t)k + (size_t)j] * (double)w[j];
		e += 0.5 * s * (double)w[i];
	}
	return e;
}

/* Costs count as parts of all that the layer puts out, so that layers can be compared. */
static cop_status trace_layer(work *z, int32_t i, void *ud)
{
	const cop_gram *m = &z->gram[i];
	const float *w = cop__floats(z->l->model, m->weight);
	const int32_t rows = rows_of(z, i);
	double all = 0;

	(void)ud;
	for (int32_t r = 0; r < rows; r++) all += (double)m->gain[r] * (double)m->gain[r] * energy(w + (size_t)r * (size_t)m->k, cop__gram_of_row(m, rows, r), m->k);
	return for_rows(z, i, trace_row, &(double){all > 0 ? 1 / all : 1});
}

static cop_status obc(const cop_look *l) { return all_rows(&(work){.l = l, .o = l->options}, trace_layer, NULL); }

/* ---- obc: what the rest becomes ---- */

static cop_status mend_row(work *z, int32_t i, int32_t row, void *ud)
{
	const cop_pruned *l = &z->l->it->layer[i];
	const int32_t k = z->gram[i].k;
	const int64_t first = l->offset + (int64_t)row * k;

	for (int32_t j = 0; j < k; j++) z->stays[j] = z->l->mask[z->l->it->of ? z->l->it->of[first + j] : first + j];
	if (cop__obs_correct((float *)ud + first, z->stays, z->damped, z->inverse, k, z->room)) return COP_OK;
	return cop__error(z->mem.cx, COP_ARG, "prune: by: obc: the rest of row %d of '%s' can't be solved for; a larger damp helps", row, l->name);
}

static cop_status mend_layer(work *z, int32_t i, void *ud) { return for_rows(z, i, mend_row, ud); }

static cop_status mend(const cop_look *l, float *weight) { return all_rows(&(work){.l = l, .o = l->options}, mend_layer, weight); }

/* ---- wanda ---- */

static cop_status size_of_layer(work *z, int32_t i, void *ud)
{
	const cop_pruned *l = &z->l->it->layer[i];
	const cop_gram *m = &z->gram[i];
	const int32_t rows = rows_of(z, i);

	(void)ud;
	for (int64_t j = 0; j < l->count; j++) {
		const float *h = cop__gram_of_row(m, rows, (int32_t)(j / m->k));
		z->l->score[cop__item_of(z->l->it, l, j)] += fabsf(z->l->weight[l->offset + j]) * sqrtf(h[j % m->k * (m->k + 1)]);
	}
	return COP_OK;
}

static cop_status wanda(const cop_look *l)
{
	static const obc_options none = {.damp = 0.01f};

	memset(l->score, 0, sizeof *l->score * (size_t)l->it->n);
	COP_TRY(all_rows(&(work){.l = l, .o = &none}, size_of_layer, NULL));
	for (int64_t k = 0; l->it->of && k < l->it->n; k++) l->score[k] /= (float)(l->it->start[k + 1] - l->it->start[k]);
	return COP_OK;
}

/* ---- rows ---- */

static bool in_a_row(const cop_items *it, const cop_pruned *l, int64_t item)
{
	for (int64_t m = it->start[item]; m < it->start[item + 1]; m++)
		if ((it->member[m] - l->offset) / (l->count / l->rows) != (it->member[it->start[item]] - l->offset) / (l->count / l->rows)) return false;
	return true;
}

/* Layers with a matrix, and items that lie in one row each and are not too large. */
static cop_status fits(const cop_graph *g, const cop_items *it, const cop_score_row *row, const char *grain)
{
	cop_why why;

	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		if (l->follows) continue;
		if (!cop__can_gram(g, l->v, &why)) return cop__error(g->cx, COP_ARG, "prune: by: %s: %s; name the others as layers", row->row.name, why.text);
		for (int64_t k = l->first; it->of && k < l->first + l->items; k++) {
			int64_t n = it->start[k + 1] - it->start[k];
			if (n == l->count / l->rows || !in_a_row(it, l, k))
				return cop__error(g->cx, COP_ARG, "prune: by: %s compares weights of a row, and what: %s takes whole ones; give another score", row->row.name, grain);
			if (n > COP_MOST_TOGETHER)
				return cop__error(g->cx, COP_ARG, "prune: by: %s can have %d weights go as a whole, and what: %s makes it %lld", row->row.name, COP_MOST_TOGETHER, grain, (long long)n);
		}
	}
	return COP_OK;
}

const cop_score_row cop_score_obc = {
	.row = {"obc", "what it costs once the others of its row make good for it, which they then do: optimal brain compression", "Frantar and Alistarh 2022, arXiv 2208.11580",
		options, sizeof(obc_options)},
	.reads = COP_READS_WEIGHT, .all = obc, .mend = mend, .fits = fits};

const cop_score_row cop_score_wanda = {
	.row = {"wanda", "its size times the norm of the inputs that it sees, for `scope: row`", "Sun et al. 2023, arXiv 2306.11695", NULL, 0}, .reads = COP_READS_WEIGHT, .all = wanda, .fits = fits};
