/* SPDX-License-Identifier: Apache-2.0
 *
 * early - ends the training when the score on the validation set (accuracy, or without classes the mean square error; without a set: the loss of
 * the training) has not become better for a number of epochs. What it has seen is a state of the training graph, so
 * that a run that is resumed ends where it would have ended.
 */
#include "train/policy.h"

typedef struct options { int32_t patience; float least; } options;
typedef struct early { const options *o; cop_handle seen; } early;
enum { BEST, SINCE, BEGUN, SEEN };

static const cop_option table[] = {
	COP_OPT_WHOLE(options, patience, 1, 1000000, "5", "epochs without a better one"),
	COP_OPT_REAL(options, least, 0, 1e30, "0", "by how much an epoch has to be better: accuracy, 0 to 1, or error"),
	COP_OPT_END,
};

static cop_status build(void *ud, cop_build *b)
{
	early *e = ud;
	cop_type t = cop__type(COP_F32, 1, DIMS(SEEN));
	return (e->seen = cop__build_state(b, "early.seen", &t, NULL, NULL)) ? COP_OK : COP_NOMEM;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	early *e = ud;
	float score = p->accuracy >= 0 ? p->accuracy : p->mse >= 0 ? -p->mse : -p->loss;
	cop_tensor t;

	COP_TRY(cop__trainer_tensor(p->t, e->seen, &t));
	float *seen = t.data;
	if (seen[BEGUN] == 0 || score > seen[BEST] + e->o->least) {
		seen[BEST] = score;
		seen[SINCE] = 0;
		seen[BEGUN] = 1;
	} else if (++seen[SINCE] >= (float)e->o->patience) {
		*v = COP_FINISH;
	}
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	early *e = cop__arena_get(mem, sizeof *e);

	if (!e) return COP_NOMEM;
	e->o = o;
	*out = (cop_policy){.name = "early", .ud = e, .build = build, .epoch = epoch};
	return COP_OK;
}

const cop_policy_row cop_policy_early = {
	.row = {"early", "training ends when it stops to get better", "Prechelt 1998, Early stopping - but when?", table, sizeof(options)}, .make = make};
