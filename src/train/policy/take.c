/* SPDX-License-Identifier: Apache-2.0
 *
 * take - what is trained within a budget. What a layer takes beside its own gradients is to bring the error there, past all layers behind it; so what is
 * taken first in a layer before all others costs more than the rest of it.
 */
#include "core/knapsack.h"
#include "train/policy/select.h"

#include <stdlib.h>

typedef struct item { float key; int32_t first, rows, layer; } item;

typedef struct taking {
	const cop_neurons *n;
	const cop_prices *p;
	int32_t batch, deepest; /* layer; n_layer - 1 at first: the head alone */
	int32_t *rows;          /* [n_layer] that are taken */
	bool *live;
	cop_taken *t;
} taking;

/* Of a layer of which so many neurons are trained. */
static double price_of(const cop_layer_price *p, int32_t rows, int32_t all) { return rows == all ? p->all : rows ? p->open + p->each * rows : 0; }

static double more(const taking *s, const item *x)
{
	const cop_layer_price *p = &s->p->layer[x->layer];
	const int32_t has = s->rows[x->layer], all = s->n->layer[x->layer].rows;
	double sum = price_of(p, has + x->rows, all) - price_of(p, has, all);

	for (int32_t l = x->layer; l < s->deepest; l++) sum += s->p->layer[l].reach;
	return sum;
}

/* The neuron; or what is left of its layer, where that as a whole takes less than a part of it: kernels are made for whole layers. */
static item cheaper(const taking *s, item x)
{
	const cop_layer_price *p = &s->p->layer[x.layer];
	const cop_channels *l = &s->n->layer[x.layer];
	const int32_t has = s->rows[x.layer];

	return p->open + p->each * (has + x.rows) > p->all ? (item){x.key, l->first, l->rows - has, x.layer} : x;
}

static void take(taking *s, const item *x)
{
	const cop_channels *l = &s->n->layer[x->layer];
	cop_taken *t = s->t;

	t->price += more(s, x);
	t->bytes += 4 * l->each * x->rows + (s->rows[x->layer] ? 0 : cop__kept_bytes(l, s->batch));
	t->numbers += l->each * x->rows;
	t->neurons += x->rows;
	s->deepest = COP_MIN(s->deepest, x->layer);
	s->rows[x->layer] += x->rows;
	memset(s->live + x->first, true, (size_t)(s->rows[x->layer] == l->rows ? l->first + l->rows - x->first : x->rows));
}

/* ---- the largest first ---- */

static int largest_first(const void *a, const void *b)
{
	const item *x = a, *y = b;
	if (x->key != y->key) return x->key < y->key ? 1 : -1;
	return x->first < y->first ? -1 : 1;
}

/* Neurons, or layers by the number of their first one. */
static int32_t sorted(item *at, const float *key, const cop_neurons *n, bool whole)
{
	int32_t k = 0;

	for (int32_t l = 0; l < n->n_layer - 1; l++) {
		const cop_channels *c = &n->layer[l];
		for (int32_t i = c->first; i < c->first + c->rows; i += whole ? c->rows : 1)
			if (key[i] >= 0) at[k++] = (item){key[i], i, whole ? c->rows : 1, l};
	}
	qsort(at, (size_t)k, sizeof *at, largest_first);
	return k;
}

/* Of a part of the numbers, the first that does not fit ends it, as published. Elsewhere what a neuron takes depends on its layer, and another may still fit. */
static cop_status greedy(taking *s, const float *key, bool whole, cop_ctx *cx)
{
	item *at = cop__alloc(cx, sizeof *at * ((size_t)s->n->count + 1));
	const int32_t count = at ? sorted(at, key, s->n, whole) : 0;

	for (int32_t k = 0; k < count; k++) {
		if (s->live[at[k].first]) continue;
		const item x = cheaper(s, at[k]);
		if (s->t->price + more(s, &x) <= s->p->limit) take(s, &x);
		else if (s->p->unit == COP_BUDGET_NUMBERS && !whole) break;
	}
	cop__free(cx, at);
	return at ? COP_OK : COP_NOMEM;
}

/* ---- layers with the largest sum ---- */

typedef struct gains {
	double *gain;     /* [n_layer] */
	cop_pick *pick;   /* [n_layer][2] */
	cop_lot *lot;
	int32_t *choice;
	bool *layer;      /* [n_layer] of the best so far */
	double best;
} gains;

/* With `first` as the first layer that is trained. */
static cop_status begin_at(gains *q, const taking *s, int32_t first, cop_ctx *cx)
{
	const int32_t n = s->n->n_layer - 1 - first;
	cop_sack sack = {q->lot, n, 1, {s->p->limit - s->p->fixed}};
	double damage = 0;

	for (int32_t l = first; l < first + n; l++) {
		cop_lot *lot = &q->lot[l - first];
		cop_pick *pick = q->pick + 2 * l;
		*lot = (cop_lot){pick, 0};
		if (l > first) pick[lot->n++] = (cop_pick){0};
		if (q->gain[l] > 0) pick[lot->n++] = (cop_pick){-q->gain[l], {s->p->layer[l].all}};
		sack.limit[0] -= s->p->layer[l].reach;
	}
	const cop_status st = cop__knapsack(q->choice, &damage, cx, &sack);
	if (st || -damage <= q->best) return st == COP_BUDGET ? COP_OK : st;
	q->best = -damage;
	for (int32_t l = 0; l < first + n; l++) q->layer[l] = l == first || (l > first && q->choice[l - first]);
	return COP_OK;
}

/* Each layer that gains is tried as the first one, unless all behind it do not gain more than the best so far. */
static cop_status most(taking *s, const float *key, cop_arena *mem)
{
	const size_t n = (size_t)s->n->n_layer;
	gains q = {cop__arena_get(mem, sizeof *q.gain * n), cop__arena_get(mem, sizeof *q.pick * 2 * n), cop__arena_get(mem, sizeof *q.lot * n), cop__arena_get(mem, sizeof *q.choice * n),
		cop__arena_get(mem, n), 0};
	double rest = 0;

	if (!q.gain || !q.pick || !q.lot || !q.choice || !q.layer) return COP_NOMEM;
	for (int32_t l = 0; l < s->n->n_layer - 1; l++) {
		const cop_channels *c = &s->n->layer[l];
		for (int32_t i = 0; i < c->rows; i++) q.gain[l] += (double)key[c->first + i];
		rest += q.gain[l] > 0 ? q.gain[l] : 0;
	}
	for (int32_t l = 0; l < s->n->n_layer - 1 && rest > q.best; l++) {
		if (!(q.gain[l] > 0)) continue;
		COP_TRY(begin_at(&q, s, l, mem->cx));
		rest -= q.gain[l];
	}
	for (int32_t l = 0; l < s->n->n_layer - 1; l++)
		if (q.layer[l]) take(s, &(item){0, s->n->layer[l].first, s->n->layer[l].rows, l});
	return COP_OK;
}

/* ---- all of it ---- */

cop_status cop__take_within(bool *live, cop_taken *taken, cop_take how, const float *key, const cop_neurons *n, const cop_prices *p, int32_t batch, cop_ctx *cx)
{
	const cop_channels *head = &n->layer[n->n_layer - 1];
	cop_arena mem;

	cop__arena_init(&mem, cx);
	taking s = {n, p, batch, n->n_layer - 1, cop__arena_get(&mem, sizeof *s.rows * (size_t)n->n_layer), live, taken};
	*taken = (cop_taken){.bytes = 4 * head->rows * head->each + cop__kept_bytes(head, batch), .price = p->fixed};
	memset(live, 0, (size_t)n->count);
	cop_status st = s.rows ? COP_OK : COP_NOMEM;
	if (!st) st = how == COP_TAKE_MOST ? most(&s, key, &mem) : greedy(&s, key, how == COP_TAKE_LAYERS, cx);
	if (!st && !taken->neurons) st = cop__nothing_fits(cx, p, n, how);
	cop__arena_free(&mem);
	return st;
}
