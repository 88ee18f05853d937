/* SPDX-License-Identifier: Apache-2.0
 *
 * normalise - x = (x - mean) / std by channel, as two nodes at the head of the network. Mean and deviation belong to the model:
 * as constants of its graph they go wherever it goes, to evaluation, into the file and into emitted C. A network that learns to give its
 * samples back is compared with them, so there the samples are scaled: what counts is the error in deviations.
 */
#include "data/batch.h"
#include "data/fit.h"
#include "op/op.h"
#include "pass/pass.h"
#include "train/policy.h"

#include <stdio.h>

/* The options without the word "normalise"; *found tells whether it was there. */
static cop_status take_word(char *out, size_t size, bool *found, cop_ctx *cx, const char *augment)
{
	size_t at = 0;

	*found = false;
	out[0] = 0;
	for (const char *p = augment ? augment : ""; *p;) {
		size_t n = strcspn(p, ", ");
		if (n == 9 && !memcmp(p, "normalise", 9)) *found = true;
		else if (n && at + n + 2 > size) return cop__error(cx, COP_ARG, "augment: longer than %zu characters", size);
		else if (n) at += (size_t)snprintf(out + at, size - at, "%s%.*s", at ? "," : "", (int)n, p);
		p += n + (p[n] != 0);
	}
	return COP_OK;
}

static cop_status prepend(cop_graph **out, const cop_graph *g, const float *mean, const float *scale, const cop_type *t)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	if (!st) {
		cop_vid m = cop__data(*out, COP_CONST, "input.mean", t, mean), s = cop__data(*out, COP_CONST, "input.scale", t, scale);
		cop_vid d = cop__apply(*out, OP_sub, &none, VIDS(map[g->input[0]], m)), y = cop__apply(*out, OP_mul, &none, VIDS(d, s));
		if (!y) st = cop__failed(g->cx);
		map[g->input[0]] = y;
	}
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

/* A number for each channel, lying as the input's channels do: the last axis, or for [c,h,w] the first; one number suits any shape. */
static cop_status broadcast(cop_type *out, const cop_graph *g, cop_dataset *d, int32_t channels)
{
	const cop_type *in = cop__t(g, g->input[0]);
	const cop_fit *f = cop__fit_of(d);
	bool turned = f && f->rows > 1 && f->cols > 1, first = turned ? f->cols == channels : f && cop__channel_axis(&f->of->x) == 0;
	int32_t axis = first ? 1 : in->rank - 1;

	*out = cop__type(COP_F32, 1, &channels);
	if (channels == 1) return COP_OK;
	if (in->rank < 2 || in->dim[axis] != channels)
		return cop__error(g->cx, COP_SHAPE, "normalise: the data have %d channels, the network's input has not", channels);
	for (int32_t i = axis + 1; i < in->rank; i++) out->dim[out->rank++] = 1;
	return COP_OK;
}

/* Puts the nodes into g itself, so that its owner's pointer stays good. */
static cop_status insert(cop_graph *g, cop_dataset *d)
{
	int32_t channels = cop__batch_channels(d);
	float *mean = cop__alloc(g->cx, 8 * (size_t)channels), *std = mean + channels;
	cop_graph *made = NULL;
	cop_type t;

	if (!mean) return COP_NOMEM;
	cop_status st = cop__batch_stats(mean, std, channels, g->cx, d);
	for (int32_t i = 0; i < channels; i++) std[i] = 1 / std[i];
	if (!st) st = broadcast(&t, g, d, channels);
	if (!st) st = prepend(&made, g, mean, std, &t);
	if (!st) {
		cop_graph old = *g;
		*g = *made;
		*made = old;
	}
	cop_graph_free(made);
	cop__free(g->cx, mean);
	return st;
}

static bool rebuilds(const cop_graph *g, const cop_dataset *d) { return !d->classes && !d->targets && cop__can_score(g, d); }

/* How many means a data set has: one for each channel, or of one channel for each column, as far as a network can keep them. */
static int32_t bands(const cop_type *x)
{
	int32_t axis = cop__channel_axis(x), n = x->rank ? x->dim[axis] : 1;

	if (n == 1 && axis > 0) n = x->dim[axis - 1];
	return n <= COP_MOST_CHANNELS ? n : 1;
}

cop_status cop__scale_samples(cop_graph *g, cop_dataset *d, const char *augment)
{
	char rest[200];
	bool wanted;
	cop_samples s;

	COP_TRY(take_word(rest, sizeof rest, &wanted, g->cx, augment));
	cop_graph_samples(g, &s);
	if (!wanted || !rebuilds(g, d) || s.channels || cop__find(g, "input.mean")) return COP_OK;
	s.channels = bands(&d->x);
	COP_TRY(cop__batch_stats(s.mean, s.std, s.channels, g->cx, d));
	for (int32_t i = 0; i < s.channels && s.times > 0; i++) s.mean[i] *= s.times, s.std[i] *= s.times;
	return cop_graph_samples_set(g, &s);
}

cop_status cop__normalise(cop_graph *g, cop_dataset *d, const char *augment, char *rest, size_t size)
{
	bool wanted;

	COP_TRY(take_word(rest, size, &wanted, g->cx, augment));
	return wanted && !rebuilds(g, d) && !cop__find(g, "input.mean") ? insert(g, d) : COP_OK;
}
