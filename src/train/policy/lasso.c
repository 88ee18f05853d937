/* SPDX-License-Identifier: Apache-2.0
 *
 * lasso - trains whole groups of weights to zero. After each step of a rate r every group shrinks towards 0 by r * strength * sqrt(size) of its length,
 * and those that are shorter than that become 0: the exact step of the sum of the groups' lengths. Groups that overlap (a filter and a channel)
 * shrink one kind after the other.
 */
#include "train/policy/spans.h"

#include <math.h>

typedef struct options { float filters, channels, shapes, depth, coupled; char layers[128]; } options;
enum { KINDS = 5 };
typedef struct lasso { const options *o; cop_arena *mem; float strength[KINDS]; cop_spans spans[KINDS]; } lasso;

#define STRENGTH(field, text) COP_OPT_REAL(options, field, 0, 1e6, "0", text)
static const cop_option table[] = {
	STRENGTH(filters, "strength over filters and neurons: the rows of a weight"),
	STRENGTH(channels, "strength over the inputs of a layer: channels and features"),
	STRENGTH(shapes, "strength over positions within the filters of a convolution"),
	STRENGTH(depth, "strength over whole layers, for those that have a shortcut around them"),
	STRENGTH(coupled, "strength over all that one channel runs through, in every layer"),
	COP_OPT_NAMES(options, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"),
	COP_OPT_END,
};

static cop_status build(void *ud, cop_build *b)
{
	lasso *l = ud;

	for (int i = 0; i < KINDS; i++)
		if (l->strength[i] > 0) COP_TRY(cop__spans_build(&l->spans[i], l->mem, b, (cop_by)i, l->o->layers));
	return COP_OK;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	lasso *l = ud;

	(void)v;
	for (int i = 0; i < KINDS; i++) {
		cop_spans *s = &l->spans[i];
		double step = (double)cop__trainer_rate(p->t) * (double)l->strength[i];
		if (!(step > 0)) continue;
		COP_TRY(cop__spans_measure(s, p->t));
		for (int32_t k = 0; k < s->n_group; k++) {
			double length = sqrt(s->sq[k]), by = step * sqrt((double)s->size[k]);
			s->factor[k] = length > by ? (float)(1 - by / length) : 0;
		}
		COP_TRY(cop__spans_scale(s, p->t));
	}
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *opt)
{
	const options *o = opt;
	lasso *l = cop__arena_get(mem, sizeof *l);
	float all = o->filters + o->channels + o->shapes + o->depth + o->coupled;

	if (!l) return COP_NOMEM;
	if (!(all > 0)) return cop__error(mem->cx, COP_ARG, "lasso: say over what, as in lasso:filters=0.01; it takes filters, channels, shapes, depth and coupled");
	*l = (lasso){.o = o, .mem = mem, .strength = {o->filters, o->channels, o->shapes, o->depth, o->coupled}};
	*out = (cop_policy){.name = "lasso", .ud = l, .build = build, .after = after};
	return COP_OK;
}

const cop_policy_row cop_policy_lasso = {
	.row = {"lasso", "whole filters, channels or layers are trained to zero", "Wen et al. 2016, arXiv 1608.03665", table, sizeof(options)}, .make = make};
