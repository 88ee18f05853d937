/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule-free - the gradient is taken at y, between the fast weights z and their mean x: y = beta x + (1 - beta) z, z -= lr d, x += c (z - x).
 * c is the part of this step in the sum of the squared largest rates so far: 1/t where the rate stays the same. schedule-free-adamw: d is the gradient over
 * the root of its mean square, with decay y apart from it.
 *
 * The weights of the graph are x, so that whatever reads them has the result. Kept is z - x, 0 at first.
 */
#include "train/update/made.h"

typedef struct options { float beta, b2, eps, decay; } options;

#define BETA COP_OPT_REAL(options, beta, 0, 0.99999, "0.9", "how near the mean the gradient is taken: 0 at the fast weights; 0.95 to 0.98 for long training")
static const cop_option sgd_table[] = {BETA,
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, added to the gradient; not for biases and batch norm"), COP_OPT_END};
static const cop_option adamw_table[] = {BETA,
	COP_OPT_REAL(options, b2, 0, 0.9999999, "0.999", "part of the mean square that is kept"),
	COP_OPT_REAL(options, eps, 0, 1, "1e-8", "added to the root, so that nothing is divided by 0"),
	COP_OPT_REAL(options, decay, 0, 1e30, "0", "weight decay, apart from the gradient; not for biases and batch norm"), COP_OPT_END};

enum { SHARE, REST }; /* c; 1 - b2^t */

static bool begin(const cop_param *p, const void *o)
{
	const options *a = o;
	cop_vid most = cop__param_once(p, "most"), sum = cop__param_once(p, "sum"), most1 = most ? cop__apply(p->g, OP_max, NULL, VIDS(most, cop__param_lr(p))) : 0;
	cop_vid weight = cop__made(p, OP_mul, most1, most1), sum1 = cop__made(p, OP_add, sum, weight);

	p->shared[SHARE] = cop__made(p, OP_div, weight, cop__made_least(p, sum1, 1e-30f));
	p->shared[REST] = a->b2 > 0 ? cop__made_rest(p, cop__made_number(p, a->b2), cop__made_step(p)) : 0;
	return p->shared[SHARE] && cop__made_set(p, most, most1) && cop__made_set(p, sum, sum1);
}

static cop_vid ahead(const cop_param *p, const void *o)
{
	const options *a = o;
	return cop__made(p, OP_add, p->w, cop__made_times(p, cop__param_state(p, 0), 1 - a->beta));
}

static cop_vid move(const cop_param *p, const void *o, cop_vid d)
{
	cop_vid apart = cop__param_state(p, 0), z = cop__made(p, OP_sub, apart, cop__made(p, OP_mul, d, cop__param_lr(p)));
	cop_vid step = cop__made(p, OP_mul, z, p->shared[SHARE]);

	(void)o;
	return cop__made_set(p, apart, cop__made(p, OP_sub, z, step)) ? cop__made_set(p, p->w, cop__made(p, OP_add, p->w, step)) : 0;
}

static cop_vid sgd(const cop_param *p, const void *o)
{
	const options *a = o;
	const float decay = cop__param_decay(p, a->decay);
	return move(p, o, decay > 0 ? cop__made_decayed(p, p->dw, ahead(p, o), decay) : p->dw);
}

static cop_vid adamw(const cop_param *p, const void *o)
{
	const options *a = o;
	const float decay = cop__param_decay(p, a->decay);
	cop_vid v = cop__param_state(p, 1), v1 = cop__made_mean(p, a->b2, v, cop__made(p, OP_mul, p->dw, p->dw));
	cop_vid root = cop__made_map(p, MAP_SQRT, a->b2 > 0 ? cop__made(p, OP_div, v1, p->shared[REST]) : v1);
	cop_vid d = cop__made(p, OP_div, p->dw, cop__made(p, OP_add, root, cop__made_number(p, a->eps)));

	if (decay > 0) d = cop__made_decayed(p, d, ahead(p, o), decay);
	return cop__made_set(p, v, v1) ? move(p, o, d) : 0;
}

#define SOURCE "Defazio et al. 2024, arXiv 2405.15682"
const cop_update cop_update_schedule_free = {
	.row = {"schedule-free", "gradient descent whose result is the mean of the fast weights: the rate need not fall", SOURCE, sgd_table, sizeof(options)},
	.state = {"schedule-free.apart"}, .build = sgd, .ahead = ahead, .begin = begin};
const cop_update cop_update_schedule_free_adamw = {
	.row = {"schedule-free-adamw", "the same with moves divided as in adamw", SOURCE, adamw_table, sizeof(options)},
	.state = {"schedule-free.apart", "schedule-free.v"}, .build = adamw, .ahead = ahead, .begin = begin, .own_size = true};
