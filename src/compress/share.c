/* SPDX-License-Identifier: Apache-2.0
 *
 * share - weight sharing (arXiv 1510.00149, section 3): weights take the form `palette`, and their values are trained on. Afterwards they are plain
 * weights again; the encoder finds their equal values.
 */
#include "compress/layers.h"
#include "train/form/palette.h"

typedef struct share_options { cop_rates levels; int32_t init, vector; } share_options;
/* What build is told. */
typedef struct sharing { const cop_stage *s; uint64_t seed; } sharing;
static const cop_option options[] = {
	COP_OPT_RATES(share_options, levels, 2, 256, "32",
		"how many values a layer has, the zero of pruned weights included: a number, or a map of patterns to numbers"),
	COP_OPT_WORD(share_options, vector, "1|2|4", "1",
		"neighbours of a row that share a code; then levels counts vectors. Weights whose rows are no multiple of it share single values"),
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

static cop_status build(void *ud, cop_build *b)
{
	const sharing *how = ud;
	const cop_stage *s = how->s;
	const share_options *o = (const void *)s->own.bytes;
	const cop_graph *g = cop__build_model(b);
	int n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!cop__compressible(g, (cop_vid)v, s->terms.layers) || !cop__floats(g, (cop_vid)v)) continue;
		cop_palette_options p = {(int32_t)cop__rate_of(&o->levels, g->value[v].name, 32), o->init, 1, how->seed ^ cop__hash_text(g->value[v].name)};
		COP_TRY(width_of(&p.width, g, (cop_vid)v, o->vector));
		COP_TRY(cop__build_form(b, g->value[v].name, cop__form("palette"), &p));
		n++;
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "share: no weight matches layers: %s", s->terms.layers);
}

/* Without a step of training. */
static cop_status once(cop_graph *g, sharing *how)
{
	cop_build *b;

	COP_TRY(cop__build_new(&b, g, 0, 0));
	cop_status st = build(how, b);
	if (st) return cop__build_free(b), st;
	return cop__forms_apply(g, b);
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_train_args a = cop__stage_args(s, m);
	sharing how = {s, m->a->seed};
	const cop_policy policy = {.name = "share", .ud = &how, .build = build};

	return s->training.epochs > 0 ? cop__train(*g, m->train, m->valid, &a, "share", &policy, 1) : once(*g, &how);
}

static uint32_t allows(const cop_stage *s) { return s->training.epochs > 0 ? cop__allows_whole(s) : COP_HAS_SHARED; }

const cop_stage_row cop_stage_share = {
	.row = {"share", "gives the weights of a layer a few common values, by k-means, and trains these on",
		"Han et al. 2016, arXiv 1510.00149", options, sizeof(share_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .gives = COP_HAS_SHARED,
	.allows = allows, .can = cop__can_change, .run = run,
};
