/* SPDX-License-Identifier: Apache-2.0
 *
 * param - what rules of updates and forms ask for while the training graph is put together: states, the rate, the step, latents.
 */
#include "train/build.h"

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
