/* SPDX-License-Identifier: Apache-2.0
 *
 * drr - a penalty on how many weights are not zero, made smooth: alpha sum (1 - exp(-beta |w|)). Its pull, alpha beta sign(w) exp(-beta |w|), is
 * strong near zero and gone for large weights, which therefore do not shrink as under L1. It grows over the first half of its time and is gone
 * for the rest of the training: weights that have no say then learn what was taken from them.
 */
#include "train/policy/drr.h"
#include "op/axes.h"

static const cop_option table[] = {
	COP_OPT_REAL(cop_drr_options, alpha, 0, 1, "2e-5", "what a weight that is not zero adds to the loss"),
	COP_OPT_REAL(cop_drr_options, beta, 0.001, 1e6, "10", "how sharply zero is told from the rest: a weight of 1/beta counts 63 percent"),
	COP_OPT_REAL(cop_drr_options, over, 0, 1, "0.6", "the part of the training that has the penalty"),
	COP_OPT_NAMES(cop_drr_options, of, "*", "of which weights"),
	COP_OPT_END,
};

/* y: a weight; alpha: a state of one number. */
static cop_vid penalty(cop_graph *g, const void *options, cop_vid y, cop_vid alpha)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_drr_options *o = options;
	char name[40];

	cop__format(name, sizeof name, "drr.-%g", (double)o->beta);
	cop_vid size = cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(y)), far = cop__apply(g, OP_mul, &none, VIDS(size, cop__scalar(g, name, -o->beta)));
	cop_vid near = cop__apply(g, OP_map, &(cop_map_attr){MAP_EXP, 0, 0}, VIDS(far));
	cop_vid sum = cop__apply(g, OP_reduce, &(cop_reduce_attr){.fn = REDUCE_MEAN, .axes = (1 << cop__t(g, y)->rank) - 1}, VIDS(near));
	float count = (float)cop_type_count(cop__t(g, y));
	cop__format(name, sizeof name, "drr.count.%g", (double)count);
	cop_vid one = cop__apply(g, OP_reshape, &(cop_shape_attr){.rank = 1, .dim = {1}}, VIDS(sum));
	cop_vid left = cop__apply(g, OP_sub, &none, VIDS(cop__scalar(g, "drr.1", 1), one));
	return cop__apply(g, OP_mul, &none, VIDS(cop__apply(g, OP_mul, &none, VIDS(left, cop__scalar(g, name, count))), alpha));
}

const cop_loss cop_loss_drr = {.row = {"drr", "a smooth count of the weights that are not zero", COP_DRR_SOURCE, table,
	sizeof(cop_drr_options)}, .build = penalty};

typedef struct drr { const cop_drr_options *o; cop_handle alpha; } drr;

static cop_status build(void *ud, cop_build *b)
{
	drr *d = ud;
	const cop_graph *g = cop__build_model(b);
	cop_type one = cop__type(COP_F32, 1, DIMS(1));
	int n = 0;

	if (!(d->alpha = cop__build_state(b, "drr.alpha", &one, NULL, NULL))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role != COP_PARAM || x->type.rank < 2 || !cop__floats(g, (cop_vid)v) || !cop__match(d->o->of, x->name)) continue;
		cop_term t = {.loss = &cop_loss_drr, .options = d->o, .y = cop__build_value(b, x->name), .target = d->alpha};
		if (!t.y) return COP_NOMEM;
		COP_TRY(cop__build_term(b, &t));
		n++;
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "drr: '%s' matches no weight of '%s' that is trained", d->o->of, g->name);
}

float cop__drr_alpha(const cop_drr_options *o, int64_t step, int64_t steps)
{
	float t = (float)step / (float)steps;
	return t >= o->over ? 0 : o->alpha * COP_MIN(1.0f, 2 * t / o->over);
}

static cop_status before(void *ud, const cop_progress *p)
{
	drr *d = ud;
	cop_tensor t;

	COP_TRY(cop__trainer_tensor(p->t, d->alpha, &t));
	*(float *)t.data = cop__drr_alpha(d->o, p->step, p->steps);
	return COP_OK;
}

cop_status cop__drr(cop_policy *out, cop_arena *mem, const cop_drr_options *o)
{
	drr *d = cop__arena_get(mem, sizeof *d);

	if (!d) return COP_NOMEM;
	d->o = o;
	*out = (cop_policy){.name = "drr", .ud = d, .build = build, .before = before};
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o) { return cop__drr(out, mem, o); }

const cop_policy_row cop_policy_drr = {
	.row = {"drr", "a penalty on the number of weights that are not zero", COP_DRR_SOURCE, table, sizeof(cop_drr_options)}, .make = make};
