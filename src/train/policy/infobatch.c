/* SPDX-License-Identifier: Apache-2.0
 *
 * infobatch - leaves out samples that are learnt already. The score of a sample is its last loss, 3 before it has one. In each epoch samples with a
 * score below the mean of all are left out with probability `part`, and those of them that stay count 1 / (1 - part) times: the expectation of the
 * sum of all losses is as it was. Towards the end of the training none is left out.
 *
 * Scores, and the choice of the epoch, are states of the training: a run that is resumed within an epoch goes on with the same samples.
 */
#include "train/policy/infobatch.h"

#include <math.h>

typedef struct options { float part, until; } options;
typedef struct infobatch {
	const options *o;
	cop_arena *mem;
	int32_t count, classes;
	bool probabilities;              /* the network ends in a softmax */
	float *score, *weight, *target;  /* [count] as the states are; [rows, classes] of the step */
	cop_handle y, wanted, of_score, of_weight;
} infobatch;

static const float FIRST = 3;

static const cop_option table[] = {
	COP_OPT_REAL(options, part, 0, 0.99, "0.5", "how likely it is that a sample is left out whose loss is below the mean"),
	COP_OPT_REAL(options, until, 0, 1, "0.875", "the part of the training that leaves samples out"),
	COP_OPT_END,
};

static cop_status data(void *ud, const cop_dataset *d)
{
	infobatch *b = ud;

	b->count = d->count;
	b->classes = d->classes;
	b->score = cop__arena_get(b->mem, sizeof *b->score * (size_t)d->count);
	b->weight = cop__arena_get(b->mem, sizeof *b->weight * (size_t)d->count);
	if (!b->score || !b->weight) return COP_NOMEM;
	for (int32_t i = 0; i < d->count; i++) b->score[i] = FIRST, b->weight[i] = 1;
	return COP_OK;
}

static cop_status build(void *ud, cop_build *made)
{
	infobatch *b = ud;
	const cop_graph *g = cop__build_model(made);
	const cop_type all = cop__type(COP_F32, 1, DIMS(b->count)), *y = cop__t(g, g->output[0]);

	if (y->dim[y->rank - 1] != b->classes || cop_type_count(y) != (int64_t)y->dim[0] * b->classes)
		return cop__error(g->cx, COP_ARG, "infobatch: the network answers %lld numbers, not one for each of %d classes", (long long)cop_type_count(y) / y->dim[0], b->classes);
	b->probabilities = cop__gives_probabilities(g);
	b->target = cop__arena_get(b->mem, sizeof *b->target * (size_t)cop_type_count(y));
	b->y = cop__build_value(made, g->value[g->output[0]].name);
	b->wanted = cop__build_value(made, "target");
	b->of_score = cop__build_state(made, "infobatch.score", &all, b->score, NULL);
	b->of_weight = cop__build_state(made, "infobatch.weight", &all, b->weight, NULL);
	return b->target && b->y && b->wanted && b->of_score && b->of_weight ? COP_OK : COP_NOMEM;
}

/* The state, and what a structure that changes begins the next one with. */
static cop_status both(const infobatch *b, cop_trainer *t, cop_handle h, float **state)
{
	cop_tensor of;

	COP_TRY(cop__trainer_tensor(t, h, &of));
	*state = of.data;
	memcpy(h == b->of_score ? b->score : b->weight, of.data, sizeof **state * (size_t)b->count);
	return COP_OK;
}

void cop__infobatch_draw(float *weight, const float *score, int32_t n, float part, uint64_t seed, int32_t epoch)
{
	double mean = 0;

	for (int32_t i = 0; i < n; i++) mean += (double)score[i];
	mean /= n; /* of scores that are all alike it is not above them */
	for (int32_t i = 0; i < n; i++) {
		bool drawn = (double)score[i] < mean, out = drawn && cop__rand_unit(seed, cop__hash_text("infobatch") + (uint32_t)epoch, (uint64_t)i) < part;
		weight[i] = out ? 0 : drawn ? 1 / (1 - part) : 1;
	}
}

static cop_status choose(void *ud, const cop_progress *p, const cop_chosen *c)
{
	infobatch *b = ud;
	float *score, *weight;

	COP_TRY(both(b, p->t, b->of_score, &score));
	COP_TRY(both(b, p->t, b->of_weight, &weight));
	if (!c->again) {
		cop__infobatch_draw(b->weight, b->score, b->count, (float)p->epoch < b->o->until * (float)p->epochs ? b->o->part : 0, c->seed, p->epoch);
		memcpy(weight, b->weight, sizeof *weight * (size_t)b->count);
	}
	for (int32_t i = 0; i < c->count; i++) c->weight[i] *= b->weight[i];
	return COP_OK;
}

/* The memory of inputs is used for other things within a step. */
static cop_status before(void *ud, const cop_progress *p)
{
	infobatch *b = ud;
	cop_tensor t;

	COP_TRY(cop__trainer_tensor(p->t, b->wanted, &t));
	memcpy(b->target, t.data, sizeof *b->target * (size_t)p->rows * (size_t)b->classes);
	return COP_OK;
}

/* The loss of one answer, whatever the sample weighs; the target adds up to that. */
static float loss_of(const infobatch *b, const float *y, const float *target)
{
	double most = -INFINITY, sum = 0, all = 0, dot = 0;

	for (int32_t k = 0; k < b->classes; k++) most = COP_MAX(most, (double)y[k]);
	for (int32_t k = 0; k < b->classes; k++) {
		sum += exp((double)y[k] - most);
		all += (double)target[k];
		if (target[k] > 0) dot += (double)target[k] * (b->probabilities ? log(COP_MAX((double)y[k], 1e-30)) : (double)y[k] - most);
	}
	return all > 0 ? (float)((b->probabilities ? 0 : log(sum)) - dot / all) : 0;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	infobatch *b = ud;
	cop_tensor y, score;

	(void)v;
	COP_TRY(cop__trainer_tensor(p->t, b->y, &y));
	COP_TRY(cop__trainer_tensor(p->t, b->of_score, &score));
	for (int32_t r = 0; r < p->rows; r++)
		b->score[p->sample[r]] = ((float *)score.data)[p->sample[r]] = loss_of(b, (const float *)y.data + r * b->classes, b->target + r * b->classes);
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	infobatch *b = cop__arena_get(mem, sizeof *b);

	if (!b) return COP_NOMEM;
	*b = (infobatch){.o = o, .mem = mem};
	*out = (cop_policy){.name = "infobatch", .ud = b, .weighs = true, .data = data, .choose = choose, .build = build, .before = before, .after = after};
	return COP_OK;
}

const cop_policy_row cop_policy_infobatch = {
	.row = {"infobatch", "samples that are learnt already are left out by chance, and the rest of them counts more", "InfoBatch: Qin et al. 2024, arXiv 2303.04947", table, sizeof(options)}, .make = make};
