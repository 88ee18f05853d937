/* SPDX-License-Identifier: Apache-2.0
 *
 * binary - a weight of two values: the sign of a latent number, 1 for 0 (BinaryConnect), times the mean size of its
 * filter's latents (XNOR-Net). The gradient goes straight through the sign where the latent lies within -1 to 1, and not
 * through the scale, as in ReActNet (Liu et al. 2020, arXiv 2003.03488).
 *
 * A scale is cut to the digits that a float has to spare, so that sums of such weights times 1 and -1 are exact: what
 * the network answers while it trains is what sums of bits give.
 */
#include "train/form/binary.h"
#include "op/axes.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static const cop_option table[] = {
	COP_OPT_FLAG(cop_binary_options, scale, "yes", "the values are plus and minus the mean size of the filter's latents; else 1 and -1, for layers before batch norm"),
	COP_OPT_END,
};

cop_vid cop__filter_mean(cop_graph *g, cop_vid sizes)
{
	const cop_reduce_attr rest = {.fn = REDUCE_MEAN, .axes = (1 << cop__t(g, sizes)->rank) - 2, .keep = 1};
	return sizes ? cop__apply(g, OP_reduce, &rest, VIDS(sizes)) : 0;
}

/* Dekker's split: c - (c - s) with c = (2^b + 1) s has b digits less. */
cop_vid cop__short_scale(cop_graph *g, cop_vid s, int64_t n)
{
	float by = 1;
	char name[40];

	while ((double)by < (double)n) by *= 2;
	cop__format(name, sizeof name, "scale.split.%g", (double)by);
	cop_vid c = s ? cop__apply(g, OP_mul, &none, VIDS(s, cop__scalar(g, name, by + 1))) : 0;
	cop_vid rest = c ? cop__apply(g, OP_sub, &none, VIDS(c, s)) : 0;
	return rest ? cop__apply(g, OP_sub, &none, VIDS(c, rest)) : 0;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_binary_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w);
	const float *w = cop__floats(f->model, f->w);

	if (t->rank < 2 || !w)
		return cop__error(g->cx, COP_ARG, "'%s' can't be binary: it needs two axes or more, and contents", f->model->value[f->w].name), 0;
	cop_vid v = cop__latent(f, g, COP_PARAM, COP_BINARY_LATENT, t, w);
	cop_vid y = v ? cop__apply(g, OP_sign, &(cop_sign_attr){0}, VIDS(v)) : 0;
	if (!y || !o->scale) return y;
	cop_vid mean = cop__filter_mean(g, cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(v)));
	cop_vid s = cop__short_scale(g, mean, cop_type_count(t) / t->dim[0]);
	return s ? cop__apply(g, OP_mul, &none, VIDS(y, cop__still(g, s))) : 0;
}

const cop_form cop_form_binary = {
	.row = {"binary", "two values for each filter, plus and minus its scale", "Courbariaux et al. 2015, arXiv 1511.00363; Rastegari et al. 2016, arXiv 1603.05279",
		table, sizeof(cop_binary_options)}, .express = express};
