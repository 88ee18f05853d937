/* SPDX-License-Identifier: Apache-2.0
 *
 * steps - a weight, or a bias, that is a whole multiple of a step: w = step round(v / step), where v and the logarithm of the step are trained.
 * Rounding lets gradients through as if it were not there (Bengio et al. 2013, arXiv 1308.3432): the slope of w by v is 1, and by the step
 * round(u) - u with u = v / step. Zeros under a mask stay.
 */
#include "train/form/steps.h"
#include "op/axes.h"

#include <math.h>

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static const cop_option table[] = {
	COP_OPT_REAL(cop_steps_options, start, 0.001, 1000, "0.5", "the step at first, over the mean size of the numbers that are not zero"),
	COP_OPT_END,
};

static float first_step(const float *w, int64_t n, float start)
{
	double sum = 0;
	int64_t count = 0;

	for (int64_t i = 0; i < n; i++) sum += fabs((double)w[i]), count += w[i] != 0;
	return sum > 0 ? (float)(sum / (double)count) * start : 1;
}

static cop_vid rounded(cop_graph *g, cop_vid u)
{
	cop_vid k = cop__apply(g, OP_map, &(cop_map_attr){MAP_ROUND, 0, 0}, VIDS(u));
	return cop__apply(g, OP_add, &none, VIDS(u, cop__still(g, cop__apply(g, OP_sub, &none, VIDS(k, u)))));
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_steps_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w), one = cop__type(COP_F32, 1, DIMS(1));
	const float *w = cop__floats(f->model, f->w);

	if (!w) return cop__error(g->cx, COP_ARG, "'%s' has no contents that could be rounded", f->model->value[f->w].name), 0;
	float s = logf(first_step(w, cop_type_count(t), o->start));
	cop_vid v = cop__latent(f, g, COP_PARAM, COP_STEPS_LATENT, t, w), log_step = cop__latent(f, g, COP_PARAM, COP_STEPS_STEP, &one, &s);
	cop_vid step = log_step ? cop__apply(g, OP_map, &(cop_map_attr){MAP_EXP, 0, 0}, VIDS(log_step)) : 0;
	cop_vid y = step && v ? cop__apply(g, OP_mul, &none, VIDS(rounded(g, cop__apply(g, OP_div, &none, VIDS(v, step))), step)) : 0;
	return cop__under_mask(f, g, y);
}

const cop_form cop_form_steps = {
	.row = {"steps", "whole multiples of a step that is trained, too", COP_STEPS_SOURCE, table, sizeof(cop_steps_options)}, .express = express};

/* ---- what the multiples take in a file: sum ln(1 + |y / step| / prior). y: what is rounded ---- */

static const cop_option rate_table[] = {COP_OPT_REAL(cop_rate_options, prior, 0.001, 1000, "0.3",
	"the multiple at which the code begins to grow"), COP_OPT_END};

static cop_vid rate(cop_graph *g, const void *given, cop_vid y, cop_vid log_step)
{
	const cop_rate_options *o = given;
	float count = (float)cop_type_count(cop__t(g, y));
	char name[40], by[40];

	cop__format(name, sizeof name, "rate.1/%g", (double)o->prior);
	cop__format(by, sizeof by, "rate.count.%g", (double)count);
	cop_vid step = cop__apply(g, OP_map, &(cop_map_attr){MAP_EXP, 0, 0}, VIDS(log_step));
	cop_vid u = cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(cop__apply(g, OP_div, &none, VIDS(y, step))));
	cop_vid far = cop__apply(g, OP_add, &none, VIDS(cop__apply(g, OP_mul, &none, VIDS(u, cop__scalar(g, name, 1 / o->prior))), cop__scalar(g, "rate.1", 1)));
	cop_vid bits = cop__apply(g, OP_map, &(cop_map_attr){MAP_LOG, 0, 0}, VIDS(far));
	cop_vid mean = cop__apply(g, OP_reduce, &(cop_reduce_attr){.fn = REDUCE_MEAN, .axes = (1 << cop__t(g, y)->rank) - 1}, VIDS(bits));
	cop_vid sum = cop__apply(g, OP_reshape, &(cop_shape_attr){.rank = 1, .dim = {1}}, VIDS(mean));
	return cop__apply(g, OP_mul, &none, VIDS(sum, cop__scalar(g, by, count)));
}

const cop_loss cop_loss_rate = {.row = {"rate", "the code length of whole multiples of a step", COP_STEPS_SOURCE,
	rate_table, sizeof(cop_rate_options)}, .build = rate};
