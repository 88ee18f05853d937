/* SPDX-License-Identifier: Apache-2.0
 *
 * param - what rules of updates, forms and losses ask for while the training graph is put together: states, the rate, the step, numbers that are
 * learnt, latents, weights beside the network.
 */
#include "op/axes.h"
#include "train/build_record.h"
#include "train/update/made.h"

#include <math.h>
#include <stdio.h>

static cop_vid scalar_state(cop_graph *g, const char *name, cop_dtype d, const void *init)
{
	cop_vid v = cop__find(g, name);
	cop_type t = cop__type(d, 1, DIMS(1));
	return v ? v : cop__data(g, COP_STATE, name, &t, init);
}

cop_vid cop__param_state(const cop_param *p, int i)
{
	cop_type t = *cop__t(p->g, p->w);
	return cop__follow(p->g, p->w, COP_STATE, p->level->rule->state[i], &t, NULL);
}

/* Above the weights the rate is a number of the level. */
static cop_vid plain_lr(const cop_param *p)
{
	char name[40];

	if (!p->level->height) return scalar_state(p->g, "lr", COP_F32, &p->level->lr);
	cop__format(name, sizeof name, "update.%.9g", (double)p->level->lr);
	return cop__scalar(p->g, name, p->level->lr);
}

/* Of a parameter that is the steps of what is rounded, 16 times their length, else 1: a rule whose moves have a size of its own would move the steps of many bits
 * by more than they are long in one step of the training, and those of few bits too little. Of 1 to 50 times, 10 to 20 did best on ds-cnn (docs/results/qat.md). */
enum { PACE = 16 };
static float pace(const cop_param *p)
{
	const float *x = p->level->rule->own_size && p->w ? cop__floats(p->g, p->w) : NULL;
	double sum = 0;

	for (cop_nid n = 1; x && n <= (cop_nid)p->g->n_node; n++) {
		if (p->g->node[n].op != OP_fakequant || cop__arg(p->g, n, 1) != p->w) continue;
		COP_ATTR(cop_fakequant_attr, a, p->g, n);
		const int64_t all = a.offset ? 1 : cop_type_count(cop__t(p->g, p->w)); /* {step, offset} */
		for (int64_t i = 0; i < all; i++) sum += fabs((double)x[i]) / (double)all;
		return sum > 0 ? PACE * (float)sum : 1;
	}
	return 1;
}

/* Times what rates= says of this parameter. */
static cop_vid own_lr(const cop_param *p)
{
	const cop_rates *r = p->level->rates;
	const float times = pace(p) * (r && p->w ? cop__own_rate(r, p->g, p->g->value[p->w].name) : 1);
	char name[40];
	cop_vid lr = plain_lr(p);

	if (times == 1 || !lr) return lr;
	cop__format(name, sizeof name, "update.%.9g", (double)times);
	return cop__apply(p->g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(lr, cop__scalar(p->g, name, times)));
}

cop_vid cop__param_lr(const cop_param *p) { return p->learnt[0] ? p->learnt[0] : own_lr(p); }
cop_vid cop__param_step(const cop_param *p) { return scalar_state(p->g, "step", COP_I32, NULL); }
float cop__param_decay(const cop_param *p, float decay) { return cop__t(p->g, p->w)->rank > 1 ? decay : 0; }

/* ---- once for all parameters ---- */

static const char of_rule[] = "rule.";
bool cop__is_of_rule(const cop_value *v) { return v->role == COP_STATE && !strncmp(v->name, of_rule, sizeof of_rule - 1); }

cop_vid cop__param_once(const cop_param *p, const char *name)
{
	char full[64] = "rule.";

	for (int i = 0; i < p->level->height; i++) strcat(full, "by.");
	cop__format(full + strlen(full), sizeof full - strlen(full), "%s", name);
	return scalar_state(p->g, full, COP_F32, NULL);
}

/* ---- what is learnt ---- */

const char *cop__moved_name(int i)
{
	static const char *const name[COP_LEARNT] = {"moved.0", "moved.1", "moved.2"};
	return i < COP_LEARNT ? name[i] : NULL;
}

bool cop__learns(const cop_param *p, int i) { return p->learnt[i]; }
bool cop__learns_any(const cop_param *p) { return p->learnt[0] || p->learnt[1] || p->learnt[2]; }

cop_vid cop__learnt(const cop_param *p, int i, float said)
{
	char name[40];

	if (!i) return cop__param_lr(p);
	if (p->learnt[i]) return p->learnt[i];
	cop__format(name, sizeof name, "update.%.9g", (double)said);
	return cop__scalar(p->g, name, said);
}

bool cop__moved(const cop_param *p, int i, cop_vid by)
{
	if (!p->learnt[i]) return true;
	cop_vid v = cop__follow(p->g, p->w, COP_STATE, cop__moved_name(i), cop__t(p->g, p->w), NULL);
	if (by && p->slope[i]) by = cop__apply(p->g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(by, p->slope[i]));
	return v && by && cop__made_set(p, v, by);
}

cop_vid cop__latent(const cop_formed *f, cop_graph *g, cop_role role, const char *what, const cop_type *t, const void *init)
{
	char name[COP_FOLLOWER];
	return cop__follower_name(name, g->cx, f->model->value[f->w].name, what) ? 0 : cop__data(g, role, name, t, init);
}

cop_vid cop__beside(cop_graph *g, const char *what, const cop_type *t, int32_t inputs)
{
	const int64_t n = cop_type_count(t);
	const float bound = inputs ? 1 / sqrtf((float)inputs) : 0;
	char name[40];

	for (int i = 1; snprintf(name, sizeof name, "beside%d.%s", i, what), cop__find(g, name); i++) continue;
	cop_vid v = cop__data(g, COP_PARAM, name, t, NULL);
	float *w = v ? cop__own(g, v) : NULL;
	for (int64_t i = 0; w && i < n; i++) w[i] = bound * (2 * cop__rand_unit(1, cop__hash_text(name), (uint64_t)i) - 1);
	return w ? v : 0;
}

cop_vid cop__under_mask(const cop_formed *f, cop_graph *g, cop_vid y)
{
	cop_vid mask = cop__follower(f->model, f->w, "mask");

	if (!mask || !y) return y;
	cop_vid kept = cop__latent(f, g, COP_CONST, "kept", cop__t(f->model, f->w), cop__floats(f->model, mask));
	return kept ? cop__apply(g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(y, kept)) : 0;
}

/* None is taken through clip_grad, and without bounds it hands on what it gets. */
cop_vid cop__still(cop_graph *g, cop_vid x)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	return cop__apply(g, OP_clip_grad, &none, VIDS(x, x));
}
