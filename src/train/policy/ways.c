/* SPDX-License-Identifier: Apache-2.0
 *
 * ways - to choose neurons: a number for each of them, the larger the sooner it is trained. And what is taken of them within a budget.
 */
#include "train/policy/select.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

/* ---- numbers ---- */

/* Of each neuron what f gives it, divided by how many numbers it has: a large one costs as much as many small ones. */
static void each(float *key, const cop_chooser *c, float (*f)(const cop_chooser *c, int32_t i))
{
	for (int32_t l = 0; l < c->n->n_layer; l++) {
		const cop_channels *s = &c->n->layer[l];
		for (int32_t i = s->first; !s->head && i < s->first + s->rows; i++) key[i] = f(c, i) / (float)s->each;
	}
}

static float speed(const cop_chooser *c, int32_t i) { return fabsf(c->velocity[i]); }
static float slope(const cop_chooser *c, int32_t i) { return sqrtf(c->square[i]); }
static void by_velocity(float *key, const cop_chooser *c) { each(key, c, speed); }
static void by_gradient(float *key, const cop_chooser *c) { each(key, c, slope); }

static void by_chance(float *key, const cop_chooser *c)
{
	for (int32_t i = 0; i < c->n->hidden; i++) key[i] = cop__rand_unit(c->seed, cop__hash_text("select") + (uint32_t)c->epoch, (uint64_t)i);
}

static void in_layers(float *key, const cop_chooser *c)
{
	by_chance(key, c);
	for (int32_t l = 0; l < c->n->n_layer; l++)
		for (int32_t i = 0; !c->n->layer[l].head && !c->layer[l] && i < c->n->layer[l].rows; i++) key[c->n->layer[l].first + i] = -1;
}

static const cop_way cop_way_velocity = {.row = {"velocity", "those whose output changes fastest for the numbers that they have", "Quelennec et al. 2024, arXiv 2312.05282"}, .needs = COP_NEEDS_VELOCITY, .key = by_velocity};
static const cop_way cop_way_random = {.row = {"random", "others by chance in each epoch", NULL}, .key = by_chance};
static const cop_way cop_way_gradient = {.row = {"gradient", "those with the largest gradient for the numbers that they have", NULL}, .needs = COP_NEEDS_GRADIENT, .key = by_gradient};
static const cop_way cop_way_tra_dy = {.row = {"tra-dy", "by chance in each epoch, in the layers with the largest gradient for the memory that they take", "TraDy: Quelennec et al. 2025, arXiv 2510.19675"},
	.needs = COP_NEEDS_LAYERS, .key = in_layers};

const cop_way *cop__way(int i)
{
	static const cop_way *const all[] = {
#define ROW(name) &cop_way_##name,
#include "train/policy/select.def"
#undef ROW
	};
	return i >= 0 && i < LEN(all) ? all[i] : NULL;
}

static const cop_row *row(int i) { return cop__way(i) ? &cop__way(i)->row : NULL; }
const cop_table cop_ways = {"ways", "way", "how the neurons that are trained are chosen", row};

/* ---- a budget ---- */

cop_status cop__budget_read(cop_budget *out, cop_ctx *cx, const char *text)
{
	char *end;
	const double v = cop__real_parse(text, &end);
	const double times = *end == 'K' ? 1024 : *end == 'M' ? 1024 * 1024 : 1;

	*out = (cop_budget){0};
	if (end == text || !(v > 0) || v > 1e12) goto none;
	if (!strcmp(end, "%") && v <= 100) return out->part = (float)(v / 100), COP_OK;
	if (times > 1) end++;
	if (*end) goto none;
	return out->bytes = (int64_t)(v * times), COP_OK;
none:
	return cop__error(cx, COP_ARG, "select: budget=%s is neither a part of the weights, such as 20%%, nor bytes, such as 64K", text);
}

typedef struct item { float key; int32_t i, layer; } item;

static int largest_first(const void *a, const void *b)
{
	const item *x = a, *y = b;
	if (x->key != y->key) return x->key < y->key ? 1 : -1;
	return x->i < y->i ? -1 : 1;
}

static int32_t sorted(item *at, const float *key, const cop_neurons *n)
{
	int32_t k = 0;

	for (int32_t l = 0; l < n->n_layer; l++)
		for (int32_t i = 0; !n->layer[l].head && i < n->layer[l].rows; i++) {
			const int32_t unit = n->layer[l].first + i;
			if (key[unit] >= 0) at[k++] = (item){key[unit], unit, l};
		}
	qsort(at, (size_t)k, sizeof *at, largest_first);
	return k;
}

static int64_t kept_bytes(const cop_channels *l, int32_t batch) { return 4 * l->kept * batch; }

static cop_status too_small(cop_ctx *cx, const cop_budget *b, const cop_taken *head, const cop_neurons *n)
{
	if (b->bytes && b->bytes < head->bytes)
		return cop__error(cx, COP_ARG, "select: the last layer is always trained and takes %lld bytes for its gradient and its input; a budget of %lld is smaller", (long long)head->bytes, (long long)b->bytes);
	return cop__error(cx, COP_ARG, "select: the budget is smaller than any neuron that could be chosen: there are %lld numbers in %d of them before the last layer", (long long)n->numbers, n->hidden);
}

/* Of a part of the numbers, the first that does not fit ends it, as published. Bytes depend on the layer: one whose input is kept already may still fit. */
static void take(bool *live, cop_taken *t, bool *open, const item *at, int32_t count, const cop_neurons *n, const cop_budget *b, int32_t batch)
{
	for (int32_t k = 0; k < count; k++) {
		const cop_channels *l = &n->layer[at[k].layer];
		const int64_t bytes = t->bytes + 4 * l->each + (open[at[k].layer] ? 0 : kept_bytes(l, batch));
		if (b->bytes && bytes > b->bytes) continue;
		if (!b->bytes && (double)(t->numbers + l->each) > (double)b->part * (double)n->numbers * (1 + 1e-6)) return;
		live[at[k].i] = open[at[k].layer] = true;
		t->neurons++;
		t->numbers += l->each;
		t->bytes = bytes;
	}
}

cop_status cop__select_neurons(bool *live, cop_taken *taken, const float *key, const cop_neurons *n, const cop_budget *b, int32_t batch, cop_ctx *cx)
{
	const cop_channels *head = &n->layer[n->n_layer - 1];
	const cop_taken first = {.bytes = 4 * head->rows * head->each + kept_bytes(head, batch)};
	cop_arena mem;

	cop__arena_init(&mem, cx);
	item *at = cop__arena_get(&mem, sizeof *at * ((size_t)n->count + 1));
	bool *open = cop__arena_get(&mem, (size_t)n->n_layer + 1);
	cop_status st = at && open ? COP_OK : COP_NOMEM;
	memset(live, 0, (size_t)n->count);
	*taken = first;
	if (!st) take(live, taken, open, at, sorted(at, key, n), n, b, batch);
	if (!st && !taken->neurons) st = too_small(cx, b, &first, n);
	cop__arena_free(&mem);
	return st;
}

cop_status cop__good_layers(bool *layer, const cop_neurons *n, const float *square, float mass, int32_t batch, cop_ctx *cx)
{
	item *at = cop__alloc(cx, sizeof *at * (size_t)n->n_layer);
	double all = 0, has = 0;

	if (!at) return COP_NOMEM;
	for (int32_t l = 0; l < n->n_layer - 1; l++) {
		const cop_channels *c = &n->layer[l];
		double sum = 0;
		for (int32_t i = 0; i < c->rows; i++) sum += (double)square[c->first + i];
		at[l] = (item){(float)(sqrt(sum) / (double)(4 * c->rows * c->each + kept_bytes(c, batch))), l, l};
		all += (double)at[l].key;
	}
	qsort(at, (size_t)n->n_layer - 1, sizeof *at, largest_first);
	for (int32_t k = 0; k < n->n_layer - 1; k++) {
		layer[at[k].layer] = !k || has < (double)mass * all;
		has += (double)at[k].key;
	}
	cop__free(cx, at);
	return COP_OK;
}
