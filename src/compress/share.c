/* SPDX-License-Identifier: Apache-2.0
 *
 * share - weight sharing (arXiv 1510.00149, section 3): weights take the form `palette`, and their values are trained on. Afterwards they are plain
 * weights again; the encoder finds their equal values. By dkm, weights may change sides while they train, and take the nearest value at the end.
 */
#include "compress/layers.h"
#include "train/form/palette.h"

typedef struct share_options { cop_rates levels; int32_t groups, init, vector, by, rounds; float temperature; } share_options;
static const cop_option options[] = {
	COP_OPT_RATES(share_options, levels, 2, 256, "32",
		"how many values a layer has, the zero of pruned weights included: a number, or a map of patterns to numbers"),
	COP_OPT_WHOLE(share_options, groups, 1, COP_MOST_GROUPS, "1", "groups of the output channels of a layer, each with values of its own; where channels are fewer, one for each"),
	COP_OPT_WORD(share_options, vector, "1|2|4", "1",
		"neighbours of a row that share a code; then levels counts vectors. Weights whose rows are no multiple of it share single values"),
	COP_OPT_WORD(share_options, by, "kmeans|dkm", "kmeans",
		"how weights find their values: by k-means before the training, or while they train (differentiable k-means, Cho et al. 2022), which needs epochs and goes over all weights once for each level and round"),
	COP_OPT_REAL(share_options, temperature, 1e-4, 10, "0.2", "of dkm: how far weights attend to more than one value, in mean squares of the layer's weights"),
	COP_OPT_WHOLE(share_options, rounds, 1, 5, "1", "of dkm: how often the values move in each step"),
	COP_OPT_WORD(share_options, init, COP_BEGINNINGS, "linear",
		"where k-means of single weights begins: evenly between the least and the largest weight, at even steps of their distribution, or at weights drawn by the seed"),
	COP_OPT_END,
};

/* Weights side by side that share a code: 1 where rows are no multiple of it. Pruned ones have to be whole vectors, or they would come back. */
static cop_status width_of(int32_t *width, const cop_graph *g, cop_vid v, int32_t vector)
{
	const cop_type *t = cop__t(g, v);
	const float *w = cop__floats(g, v);

	*width = cop_type_count(t) / t->dim[0] % (1 << vector) ? 1 : 1 << vector;
	for (int64_t i = 0; *width > 1 && cop__follower(g, v, "mask") && i < cop_type_count(t); i += *width) {
		int zeros = 0;
		for (int j = 0; j < *width; j++) zeros += w[i + j] == 0;
		if (zeros && zeros < *width)
			return cop__error(g->cx, COP_ARG, "share: vector: %d: '%s' was pruned weight by weight, and vectors would bring pruned weights back; prune {what: group, width: %d} before, or share single values",
				*width, g->value[v].name, *width);
	}
	return COP_OK;
}

static cop_status form(cop_build *b, const cop_stage *s, uint64_t seed, const char *weight)
{
	const share_options *o = (const void *)s->own.bytes;
	const cop_graph *g = cop__build_model(b);
	const int32_t levels = (int32_t)cop__rate_of(&o->levels, weight, 32);
	const cop_dkm_options d = {levels, o->init, o->rounds, o->temperature, seed ^ cop__hash_text(weight)};
	cop_palette_options p = {levels, o->init, 1, o->groups, d.seed};

	if (o->by) return cop__build_form(b, weight, cop__form("dkm"), &d);
	COP_TRY(width_of(&p.width, g, cop__find(g, weight), o->vector));
	return cop__build_form(b, weight, cop__form("palette"), &p);
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const share_options *o = own;

	if (o->vector && o->groups > 1) return cop__error(cx, COP_ARG, "%s: vectors have one codebook a layer: leave out groups, or vector", where);
	if (o->by && (o->vector || o->groups > 1)) return cop__error(cx, COP_ARG, "%s: dkm shares single values within a layer: leave out %s", where, o->vector ? "vector" : "groups");
	return COP_OK;
}

/* The codes of k-means are fixed; those of dkm are found now. */
static cop_status harden(const cop_stage *s, cop_trainer *t, cop_graph *g, const char *weight)
{
	char name[COP_FOLLOWER];
	cop_vid v = cop__find(g, weight);
	cop_tensor c;

	if (!((const share_options *)(const void *)s->own.bytes)->by) return COP_OK;
	COP_TRY(cop__follower_name(name, g->cx, weight, COP_CENTROIDS));
	COP_TRY(cop__trainer_named(t, name, &c));
	float *w = cop__own(g, v);
	if (w) cop__take_nearest(w, cop_type_count(cop__t(g, v)), c.data, c.type.dim[1]);
	return w ? COP_OK : COP_NOMEM;
}

static cop_status fits(const cop_graph *g, const cop_stage *s)
{
	if (!((const share_options *)(const void *)s->own.bytes)->by || s->training.epochs > 0) return COP_OK;
	return cop__error(g->cx, COP_ARG, "share: by: dkm finds values while it trains: give it epochs");
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m) { return cop__stage_forms(g, s, m, form, harden); }

const cop_stage_row cop_stage_share = {
	.row = {"share", "gives the weights of a layer a few common values, by k-means, and trains these on",
		"Han et al. 2016, arXiv 1510.00149", options, sizeof(share_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_SHARED, .bears_rounding = true,
	.allows = cop__allows_formed, .check = check, .fits = fits, .can = cop__can_change, .run = run,
};
