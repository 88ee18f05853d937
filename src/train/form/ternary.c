/* SPDX-License-Identifier: Apache-2.0
 *
 * ternary - a weight of three values for each filter: 0 where a latent number lies within a part of the mean size of its
 * filter's latents, else its sign times the mean size of those beyond (TWN). The gradient goes straight through.
 */
#include "train/form/binary.h"
#include "op/axes.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static const cop_option table[] = {
	COP_OPT_REAL(cop_ternary_options, threshold, 0, 10, "0.7", "the part of the mean size of a filter's latents up to which they are 0"),
	COP_OPT_END,
};

/* 1 where size > threshold * mean, else 0. */
static cop_vid beyond(cop_graph *g, cop_vid size, cop_vid mean, float threshold)
{
	char name[40];

	cop__format(name, sizeof name, "ternary.%g", (double)threshold);
	cop_vid bound = mean ? cop__apply(g, OP_mul, &none, VIDS(mean, cop__scalar(g, name, threshold))) : 0;
	cop_vid is = bound ? cop__apply(g, OP_greater, NULL, VIDS(size, bound)) : 0;
	return is ? cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(is)) : 0;
}

/* The mean of the sizes beyond; of a filter of zeros, 0. */
static cop_vid scale(cop_graph *g, cop_vid size, cop_vid kept, int64_t n)
{
	cop_vid sum = cop__filter_mean(g, cop__apply(g, OP_mul, &none, VIDS(size, kept))), part = cop__filter_mean(g, kept);
	cop_vid some = part ? cop__apply(g, OP_max, &none, VIDS(part, cop__scalar(g, "ternary.least", 1e-30f))) : 0;
	cop_vid mean = sum && some ? cop__apply(g, OP_div, &none, VIDS(sum, some)) : 0;
	return cop__short_scale(g, mean, n);
}

/* x in the forward pass, and the gradient of v. */
static cop_vid through(cop_graph *g, cop_vid v, cop_vid x)
{
	cop_vid nothing = x ? cop__apply(g, OP_sub, &none, VIDS(v, cop__still(g, v))) : 0;
	return nothing ? cop__apply(g, OP_add, &none, VIDS(cop__still(g, x), nothing)) : 0;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_ternary_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w);
	const float *w = cop__floats(f->model, f->w);

	if (t->rank < 2 || !w)
		return cop__error(g->cx, COP_ARG, "'%s' can't be ternary: it needs two axes or more, and contents", f->model->value[f->w].name), 0;
	cop_vid v = cop__latent(f, g, COP_PARAM, COP_BINARY_LATENT, t, w);
	cop_vid size = v ? cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(v)) : 0;
	cop_vid kept = size ? beyond(g, size, cop__filter_mean(g, size), o->threshold) : 0;
	cop_vid s = kept ? scale(g, size, kept, cop_type_count(t) / t->dim[0]) : 0;
	cop_vid unit = s ? cop__apply(g, OP_mul, &none, VIDS(kept, cop__apply(g, OP_sign, &(cop_sign_attr){0}, VIDS(v)))) : 0;
	return unit ? through(g, v, cop__apply(g, OP_mul, &none, VIDS(unit, s))) : 0;
}

const cop_form cop_form_ternary = {
	.row = {"ternary", "three values for each filter: 0, and plus and minus its scale", "Li et al. 2016, arXiv 1605.04711",
		table, sizeof(cop_ternary_options)}, .express = express};
