/* SPDX-License-Identifier: Apache-2.0
 *
 * param - what rules of updates, forms and losses ask for while the training graph is put together: states, the rate, the step, latents, weights
 * beside the network.
 */
#include "op/op.h"
#include "train/build.h"

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
	return cop__follow(p->g, p->w, COP_STATE, p->rule->state[i], &t, NULL);
}

cop_vid cop__param_lr(const cop_param *p) { return scalar_state(p->g, "lr", COP_F32, &p->lr); }
cop_vid cop__param_step(const cop_param *p) { return scalar_state(p->g, "step", COP_I32, NULL); }
float cop__param_decay(const cop_param *p, float decay) { return cop__t(p->g, p->w)->rank > 1 ? decay : 0; }

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
