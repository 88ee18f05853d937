/* SPDX-License-Identifier: Apache-2.0
 *
 * random - the last weights of a network replaced by random numbers, layer by layer from the end: a map that stays the same says nothing
 * about what was learnt (Adebayo et al. 2018, Sanity checks for saliency maps, arXiv 1810.03292, section 3.1).
 */
#include "explain/explain.h"

#include <math.h>
#include <stdio.h>

/* Weights have at least two axes; biases and factors of channels are left as they are. */
static bool is_weight(const cop_graph *g, cop_vid v)
{
	return v && cop__floats(g, v) && cop__t(g, v)->rank >= 2 && cop_type_count(cop__t(g, v)) > 1;
}

/* In the order in which they are read; out [n_value]. */
static int32_t find_weights(cop_vid *out, const cop_graph *g)
{
	int32_t n = 0;

	for (cop_nid m = 1; m <= (cop_nid)g->n_node; m++)
		for (int i = 0; i < g->node[m].n_in; i++) {
			cop_vid v = g->node[m].in[i];
			bool again = !is_weight(g, v);
			for (int32_t k = 0; !again && k < n; k++) again = out[k] == v;
			if (!again) out[n++] = v;
		}
	return n;
}

static cop_status draw(cop_graph *g, cop_vid v, uint64_t seed)
{
	const int64_t n = cop_type_count(cop__t(g, v));
	const uint32_t stream = cop__hash_text(g->value[v].name);
	float *w = cop__own(g, v);
	double mean = 0, square = 0;

	if (!w) return COP_NOMEM;
	for (int64_t i = 0; i < n; i++) mean += (double)w[i] / (double)n;
	for (int64_t i = 0; i < n; i++) square += ((double)w[i] - mean) * ((double)w[i] - mean) / (double)n;
	for (int64_t i = 0; i < n; i++) w[i] = (float)(mean + sqrt(square) * (double)cop__rand_normal(seed, stream, (uint64_t)i));
	return COP_OK;
}

cop_status cop__randomise(cop_graph *g, int32_t n, uint64_t seed, int32_t *weights, char layer[64])
{
	cop_vid *v = cop__alloc(g->cx, sizeof *v * (size_t)(g->n_value + 1));
	cop_status st = v ? COP_OK : COP_NOMEM;

	*layer = 0;
	*weights = v ? find_weights(v, g) : 0;
	if (!st && n > *weights) st = cop__error(g->cx, COP_ARG, "random %d: '%s' has %d weights that can be replaced", n, g->name, *weights);
	for (int32_t i = *weights - n; !st && i < *weights; i++) st = draw(g, v[i], seed);
	if (!st && n) snprintf(layer, 64, "%.63s", g->value[v[*weights - n]].name);
	cop__free(g->cx, v);
	return st;
}
