/* SPDX-License-Identifier: Apache-2.0
 *
 * harm - how far a layer's bits alone move the network's answers. Measured: the mean divergence of the answers, or, of
 * what is no classifier, the error over the signal. Or estimated without running integers: half the square of each
 * weight's error times the diagonal of the Hessian of the loss (HAWQ-V2, Dong et al. 2020, arXiv 1911.03852, weight by
 * weight).
 */
#include "compress/prune/score.h"
#include "compress/quantize/mixed.h"

/* What the weights of each layer are off by, in the order of items. */
static void errors(float *e, const cop_items *it, const cop_quantizer *z)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		const cop_qlayer *l = &z->layer[n];
		for (int32_t i = 0; l->bits && l->q && i < it->n_layer; i++) {
			if (it->layer[i].v != cop__arg(z->g, n, 1)) continue;
			const float *w = cop__floats(z->g, it->layer[i].v);
			for (int64_t k = 0; k < it->layer[i].count; k++)
				e[it->layer[i].offset + k] = l->scale[k / l->k] * (float)l->q[k] - w[k];
		}
	}
}

static void add_up(cop_quantizer *z, const cop_items *it, const float *score)
{
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		double sum = 0;
		for (int32_t i = 0; z->layer[n].bits && i < it->n_layer; i++)
			for (int64_t k = 0; it->layer[i].v == cop__arg(z->g, n, 1) && k < it->layer[i].items; k++)
				sum += (double)score[it->layer[i].first + k];
		z->layer[n].harm = (float)sum;
	}
}

static cop_status by_curvature(cop_quantizer *z)
{
	static const cop_score_row row = {.row = {"curvature", "", NULL, NULL, 0},
	        .reads = COP_READS_WEIGHT | COP_READS_HESSIAN,
	        .of = cop__second_order};
	const cop_train_args a = {.seed = z->a->seed, .threads = z->a->threads};
	const cop_choice weights = {.row = cop__row_index(&cop__grains, "weight", strlen("weight"))};
	float *room = NULL;
	cop_items it;

	if (z->a->n_more)
		return cop__error(
		        z->cx, COP_ARG, "quantize: harm by curvature is known of networks of one input; leave it out");
	cop_status st = cop__items_begin(&it, z->g, "*", &weights);

	if (!st && !(room = cop__alloc(z->cx, sizeof *room * (size_t)(it.count + 2 * it.n + 1)))) st = COP_NOMEM;
	if (!st) {
		float *score = room + it.count, *mask = score + it.n;
		for (int64_t i = 0; i < it.n; i++) mask[i] = 1;
		errors(room, &it, z);
		st = cop__look(&(cop_look){.it = &it,
		        .row = &row,
		        .model = z->g,
		        .train = z->calib,
		        .a = &a,
		        .samples = z->samples,
		        .weight = room,
		        .score = score,
		        .mask = mask});
		if (!st) add_up(z, &it, score);
	}
	cop__free(z->cx, room);
	cop__items_free(&it);
	return st;
}

const cop_harm_row cop__harms[COP_N_HARM] = {{"answers", cop__sensitivity}, {"curvature", by_curvature}};
