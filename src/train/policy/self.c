/* SPDX-License-Identifier: Apache-2.0
 *
 * self - the network as it is when the training begins teaches it: a part of the loss is the distance from its softened answers (loss=distill).
 * What a change of structure leaves is its own teacher from there on.
 */
#include "train/policy.h"

typedef struct options { float part, temperature; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, part, 0, 1, "0.7", "of the loss; the rest is what it was"),
	COP_OPT_REAL(options, temperature, 0.01, 1000, "3", "logits are divided by it"),
	COP_OPT_END,
};

static cop_status build(void *ud, cop_build *b)
{
	const cop_taught *o = ud;
	cop_handle answer;

	COP_TRY(cop__build_teacher(b, o->by ? o->by : cop__build_model(b), &answer, 1));
	cop__build_weigh_terms(b, 1 - o->part);
	return cop__build_term(b, &(cop_term){.loss = cop__loss("distill"), .options = &o->temperature, .weight = o->part, .target = answer});
}

cop_policy cop__taught(cop_taught *t) { return (cop_policy){.name = "self", .ud = t, .build = build}; }

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	const options *read = o;
	cop_taught *t = cop__arena_get(mem, sizeof *t);

	if (!t) return COP_NOMEM;
	*t = (cop_taught){read->part, read->temperature, NULL};
	*out = cop__taught(t);
	return COP_OK;
}

const cop_policy_row cop_policy_self = {
	.row = {"self", "the network as it was at the start teaches the one that it becomes",
		"Hinton et al. 2015, arXiv 1503.02531", table, sizeof(options)}, .make = make};
