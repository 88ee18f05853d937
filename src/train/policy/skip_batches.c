/* SPDX-License-Identifier: Apache-2.0
 *
 * skip-batches - leaves batches of an epoch out, by chance. A batch that is left out changes nothing: no gradient, no momentum, no decay.
 */
#include "train/policy.h"

typedef struct options { float part; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, part, 0, 0.99, "0.5", "how likely it is that a batch is left out"),
	COP_OPT_END,
};

static cop_status choose(void *ud, const cop_progress *p, const cop_chosen *c)
{
	const options *o = ud;
	int32_t batches = (c->count - 1) / c->batch + 1, kept = 0;

	for (int32_t i = 0; i < batches; i++) {
		bool keep = cop__rand_unit(c->seed, cop__hash_text("skip-batches") + (uint32_t)p->epoch, (uint64_t)i) >= o->part;
		if (i == batches - 1 && !kept) keep = true; /* an epoch has a step */
		kept += keep;
		for (int32_t k = i * c->batch; !keep && k < COP_MIN((i + 1) * c->batch, c->count); k++) c->weight[c->order[k]] = 0;
	}
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	(void)mem;
	*out = (cop_policy){.name = "skip-batches", .ud = (void *)(uintptr_t)o, .choose = choose};
	return COP_OK;
}

const cop_policy_row cop_policy_skip_batches = {
	.row = {"skip-batches", "batches are left out by chance", "E2-Train: Wang et al. 2019, arXiv 1910.13349", table, sizeof(options)}, .make = make};
