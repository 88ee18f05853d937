/* SPDX-License-Identifier: Apache-2.0
 *
 * moves - how the weights of neurons moved in the last two steps, for a threshold that is learnt at each one (neq.h). Gradients are not kept for it: the
 * move tells what the gradient was. Kept from step to step are the weights and their last move.
 */
#include "train/policy/neq.h"

/* Momentum m: a move is m times the one before, less the gradient times the rate. */
static float one_rise(float w, float *was, float *move, float m)
{
	const float now = w - *was, rise = (m * *move - now) * *move;

	*move = now, *was = w;
	return rise;
}

float cop__rise_of_move(const float *w, float *was, float *move, int64_t n, float m)
{
	enum { LANES = 16 }; /* as many sums, for vectors of floats */
	float sum[LANES] = {0};
	double all = 0;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++) sum[k] += one_rise(w[i + k], was + i + k, move + i + k, m);
	for (; i < n; i++) all += (double)one_rise(w[i], was + i, move + i, m);
	for (int k = 0; k < LANES; k++) all += (double)sum[k];
	return (float)all;
}

/* A neuron that is left out does not move. */
static float rests(const float *w, float *was, float *move, int64_t n)
{
	memcpy(was, w, sizeof *was * (size_t)n);
	memset(move, 0, sizeof *move * (size_t)n);
	return 0;
}

static cop_status find_layers(cop_moves *s, const cop_neurons *n, cop_arena *mem, cop_build *b)
{
	const cop_graph *g = cop__build_model(b);

	if (!s->layer && !(s->layer = cop__arena_get(mem, sizeof *s->layer * (size_t)n->n_layer))) return COP_NOMEM;
	s->numbers = 0;
	s->n_layer = n->n_layer - 1;
	for (int32_t i = 0; i < s->n_layer; i++) {
		const cop_channels *l = &n->layer[i];
		const int64_t all = cop_type_count(cop__t(g, l->w));
		s->layer[i] = (cop_moving_layer){cop__build_value(b, g->value[l->w].name), l->rows, l->first, all / l->rows};
		if (!s->layer[i].w) return COP_NOMEM;
		s->numbers += all;
	}
	return 2 * s->numbers <= INT32_MAX ? COP_OK : cop__error(mem->cx, COP_ARG, "neq: '%s' is too large for threshold=steps", g->name);
}

/* Nothing has moved yet. */
static cop_status begin(cop_moves *s, const cop_neurons *n, cop_arena *mem, const cop_graph *g)
{
	float *to = s->state = cop__arena_get(mem, sizeof *s->state * (size_t)(2 * s->numbers));

	if (!to) return COP_NOMEM;
	for (int32_t i = 0; i < s->n_layer; i++) {
		const int64_t all = s->layer[i].rows * s->layer[i].each;
		memcpy(to, cop__floats(g, n->layer[i].w), sizeof *to * (size_t)all);
		to += all;
	}
	return COP_OK;
}

cop_status cop__moves_build(cop_moves *s, bool *live, cop_arena *mem, cop_build *b, const char *names)
{
	const cop_graph *g = cop__build_model(b);
	cop_neurons n;
	cop_arena own;

	if (cop__build_number(b, "nesterov") > 0) return cop__error(mem->cx, COP_ARG, "neq: threshold=steps finds gradients from moves, which those of Nesterov's momentum do not tell; use sgd without it");
	cop__arena_init(&own, mem->cx);
	cop_status st = cop__neurons_find(&n, &own, g, names, "neq");
	if (!st) st = find_layers(s, &n, mem, b);
	if (!st && !s->state) st = begin(s, &n, mem, g);
	if (!st) cop__neurons_live(live, g, &n);
	cop__arena_free(&own);
	if (st) return st;
	const cop_type t = cop__type(COP_F32, 1, DIMS((int32_t)(2 * s->numbers)));
	s->momentum = cop__build_number(b, "momentum");
	s->of_state = cop__build_state(b, "neurons.moves", &t, s->state, NULL);
	return s->of_state ? COP_OK : COP_NOMEM;
}

cop_status cop__moves_rise(float *rise, cop_moves *s, const bool *live, const cop_progress *p)
{
	cop_tensor state, w;

	COP_TRY(cop__trainer_tensor(p->t, s->of_state, &state));
	float *was = state.data, *move = was + s->numbers;
	for (int32_t i = 0; i < s->n_layer; i++) {
		const cop_moving_layer *l = &s->layer[i];
		COP_TRY(cop__trainer_tensor(p->t, l->w, &w));
		for (int32_t k = 0; k < l->rows; k++, was += l->each, move += l->each) {
			const float *is = (const float *)w.data + k * l->each;
			rise[l->first + k] = live[l->first + k] ? cop__rise_of_move(is, was, move, l->each, s->momentum) : rests(is, was, move, l->each);
		}
	}
	return COP_OK;
}

cop_status cop__moves_keep(cop_moves *s, cop_trainer *t)
{
	cop_tensor state;

	COP_TRY(cop__trainer_tensor(t, s->of_state, &state));
	memcpy(s->state, state.data, sizeof *s->state * (size_t)(2 * s->numbers));
	return COP_OK;
}
