/* SPDX-License-Identifier: Apache-2.0
 *
 * ttq - a weight of three values for the whole layer: 0 where a latent number lies within a part of the layer's largest one, `above` beyond it, minus `below`
 * on the other side; both are trained, each by the sum of the gradients of its own places (trained ternary quantisation). A latent's gradient is that of its
 * weight, times the size of the value that it selects, once where that is 0.
 *
 * The paper's sum for `below` leaves out the minus that the weight has; here it is the derivative.
 */
#include "train/form/binary.h"
#include "op/axes.h"

#include <math.h>

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static const cop_option table[] = {
	COP_OPT_REAL(cop_ttq_options, part, 0, 1, "0.05", "the part of the layer's largest latent up to which latents are 0"),
	COP_OPT_END,
};

/* Where both begin: at the mean size of what they stand for. */
static float first(const float *w, int64_t n, float bound, float side)
{
	double sum = 0;
	int64_t count = 0;

	for (int64_t i = 0; i < n; i++)
		if (side * w[i] > bound) sum += (double)(side * w[i]), count++;
	return count ? (float)(sum / (double)count) : bound;
}

static float largest(const float *w, int64_t n)
{
	float most = 0;

	for (int64_t i = 0; i < n; i++) most = fmaxf(most, fabsf(w[i]));
	return most;
}

static cop_vid two(cop_graph *g, int op, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, op, op == OP_greater ? NULL : &none, VIDS(a, b)) : 0; }
static cop_vid mapped(cop_graph *g, int fn, cop_vid x) { return x ? cop__apply(g, OP_map, &(cop_map_attr){fn, 0, 0}, VIDS(x)) : 0; }

/* 1 where x > bound, else 0. */
static cop_vid beyond(cop_graph *g, cop_vid x, cop_vid bound)
{
	cop_vid is = two(g, OP_greater, x, bound);
	return is ? cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(is)) : 0;
}

/* part times the largest size of v. */
static cop_vid bound_of(cop_graph *g, cop_vid v, float part)
{
	const cop_reduce_attr all = {.fn = REDUCE_MAX, .axes = (1 << cop__t(g, v)->rank) - 1, .keep = 1};
	cop_vid size = mapped(g, MAP_ABS, v), most = size ? cop__apply(g, OP_reduce, &all, VIDS(size)) : 0;
	char name[40];

	cop__format(name, sizeof name, "ttq.%g", (double)part);
	return two(g, OP_mul, most, cop__scalar(g, name, part));
}

/* Nothing in the forward pass; in the other direction v gets the gradient times `slope`. */
static cop_vid only_slope(cop_graph *g, cop_vid v, cop_vid slope)
{
	return slope ? two(g, OP_mul, two(g, OP_sub, v, cop__still(g, v)), cop__still(g, slope)) : 0;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_ttq_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w), one = cop__type(COP_F32, 1, DIMS(1));
	const float *w = cop__floats(f->model, f->w);

	if (t->rank < 2 || !w)
		return cop__error(g->cx, COP_ARG, "'%s' can't be ternary: it needs two axes or more, and contents", f->model->value[f->w].name), 0;
	int64_t n = cop_type_count(t);
	float least = o->part * largest(w, n), begin[2] = {first(w, n, least, 1), first(w, n, least, -1)};
	cop_vid v = cop__latent(f, g, COP_PARAM, COP_BINARY_LATENT, t, w);
	cop_vid above = cop__latent(f, g, COP_PARAM, COP_TTQ_ABOVE, &one, &begin[0]), below = cop__latent(f, g, COP_PARAM, COP_TTQ_BELOW, &one, &begin[1]);
	if (!v || !above || !below) return 0;
	cop_vid bound = bound_of(g, v, o->part), high = beyond(g, v, bound), low = beyond(g, mapped(g, MAP_NEG, v), bound);
	cop_vid up = two(g, OP_mul, high, above), down = two(g, OP_mul, low, below);
	cop_vid within = two(g, OP_sub, two(g, OP_sub, cop__scalar(g, "ttq.one", 1), high), low);
	cop_vid slope = two(g, OP_add, two(g, OP_add, up, down), within);
	return two(g, OP_add, two(g, OP_sub, up, down), only_slope(g, v, slope));
}

const cop_form cop_form_ttq = {
	.row = {"ttq", "three values for a layer, 0 and one on each side, which are trained", "Zhu et al. 2017, arXiv 1612.01064",
		table, sizeof(cop_ttq_options)}, .express = express};
