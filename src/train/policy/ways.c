/* SPDX-License-Identifier: Apache-2.0
 *
 * ways - to choose what is trained: a number for each neuron, the larger the sooner.
 */
#include "train/policy/select.h"

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

/* The same number for all neurons of a layer. */
static void layers_by_chance(float *key, const cop_chooser *c)
{
	for (int32_t l = 0; l < c->n->n_layer - 1; l++)
		for (int32_t i = 0; i < c->n->layer[l].rows; i++)
			key[c->n->layer[l].first + i] = cop__rand_unit(c->seed, cop__hash_text("select layers") + (uint32_t)c->epoch, (uint64_t)l);
}

static void by_fall(float *key, const cop_chooser *c)
{
	for (int32_t i = 0; i < c->n->hidden; i++) key[i] = -c->rise[i];
}

static const cop_way cop_way_velocity = {.row = {"velocity", "those whose output changes fastest for the numbers that they have", "Quelennec et al. 2024, arXiv 2312.05282"}, .needs = COP_NEEDS_VELOCITY, .key = by_velocity};
static const cop_way cop_way_random = {.row = {"random", "others by chance in each epoch", NULL}, .key = by_chance};
static const cop_way cop_way_gradient = {.row = {"gradient", "those with the largest gradient for the numbers that they have", NULL}, .needs = COP_NEEDS_GRADIENT, .key = by_gradient};
static const cop_way cop_way_tra_dy = {.row = {"tra-dy", "by chance in each epoch, in the layers with the largest gradient for the memory that they take", "TraDy: Quelennec et al. 2025, arXiv 2510.19675"},
	.needs = COP_NEEDS_LAYERS, .key = in_layers};
static const cop_way cop_way_elastic = {.row = {"elastic", "the layers by which the loss falls most within the budget", "ElasticTrainer: Huang et al. 2023, MobiSys"}, .needs = COP_NEEDS_RISE, .take = COP_TAKE_MOST, .key = by_fall};
static const cop_way cop_way_random_layers = {.row = {"random-layers", "other layers by chance in each epoch", NULL}, .take = COP_TAKE_LAYERS, .key = layers_by_chance};

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

/* ---- good layers ---- */

typedef struct good { float key; int32_t layer; } good;

static int largest_first(const void *a, const void *b)
{
	const good *x = a, *y = b;
	if (x->key != y->key) return x->key < y->key ? 1 : -1;
	return x->layer < y->layer ? -1 : 1;
}

cop_status cop__good_layers(bool *layer, const cop_neurons *n, const float *square, float mass, int32_t batch, cop_ctx *cx)
{
	good *at = cop__alloc(cx, sizeof *at * (size_t)n->n_layer);
	double all = 0, has = 0;

	if (!at) return COP_NOMEM;
	for (int32_t l = 0; l < n->n_layer - 1; l++) {
		const cop_channels *c = &n->layer[l];
		double sum = 0;
		for (int32_t i = 0; i < c->rows; i++) sum += (double)square[c->first + i];
		at[l] = (good){(float)(sqrt(sum) / (double)(4 * c->rows * c->each + cop__kept_bytes(c, batch))), l};
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
