/* SPDX-License-Identifier: Apache-2.0
 *
 * rewind - lottery tickets: rounds of training; after each some of what is left goes, and the rest returns to what it was at the beginning, or a little
 * later. What it was lies in states of the training, so that a run that is resumed ends with the same bits. The rate of
 * learning goes through its schedule in every round.
 */
#include "compress/prune/pruner.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>

/* A parameter or a running mean of the network, what it returns to, and what the rule of updates keeps for it. */
typedef struct returning { char name[COP_FOLLOWER]; cop_type type; bool weight; cop_handle now, then, kept[COP_HELD]; int n_kept; } returning;

struct cop_rewind {
	cop_schedule schedule;
	double round, at; /* epochs: of a round; of the first one after which the weights are noted */
	int32_t n;
	returning *value;
};

static const cop_tickets_options *told(const cop_pruner *p) { return (const void *)p->o->schedule.o.bytes; }

/* ---- the states ---- */

static cop_status build_one(returning *r, cop_build *b, const cop_graph *g, cop_vid v)
{
	const cop_value *x = &g->value[v];
	char then[COP_FOLLOWER];
	const char *kept;

	*r = (returning){.type = x->type, .weight = x->role == COP_PARAM && x->type.rank >= 2};
	if (snprintf(r->name, sizeof r->name, "%s", x->name) >= (int)sizeof r->name) return cop__error(g->cx, COP_ARG, "'%s': the name is too long", x->name);
	COP_TRY(cop__follower_name(then, g->cx, x->name, "rewind"));
	r->now = cop__build_value(b, x->name);
	r->then = cop__build_state(b, then, &x->type, cop__floats(g, v), x->name);
	while (x->role == COP_PARAM && r->n_kept < COP_HELD && (kept = cop__build_kept(b, r->n_kept))) r->kept[r->n_kept++] = cop__build_follower(b, x->name, kept);
	return r->now && r->then ? COP_OK : cop__failed(g->cx);
}

cop_status cop__rewind_build(cop_pruner *p, cop_build *b)
{
	const cop_graph *g = p->g;
	const cop_train_args *a = p->a;
	cop_rewind *r = p->rewind = cop__arena_get(&p->it.mem, sizeof *r);
	int32_t *readers = cop__readers(g, &p->it.mem);

	if (!r || !readers || !(r->value = cop__arena_get(&p->it.mem, sizeof *r->value * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	COP_TRY(cop__schedule_parse(&r->schedule, p->it.cx, a->schedule));
	r->round = (double)a->epochs / (told(p)->rounds + 1);
	r->at = (double)told(p)->rewind;
	if (r->at > r->round)
		return cop__error(p->it.cx, COP_ARG,
			"prune: schedule: tickets: rewind: %g: a round has %g epochs, of %d in %d rounds", r->at, r->round, a->epochs,
			told(p)->rounds + 1);
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if ((x->role != COP_PARAM && x->role != COP_STATE) || x->type.dtype != COP_F32 || x->type.enc != COP_DENSE || !readers[v]) continue;
		COP_TRY(build_one(&r->value[r->n++], b, g, (cop_vid)v));
	}
	return COP_OK;
}

/* ---- on the way ---- */

static double epoch_of(const cop_progress *m) { return (double)m->step / (double)m->steps * m->epochs; }

void cop__rewind_rate(const cop_pruner *p, const cop_progress *m)
{
	const cop_rewind *r = p->rewind;
	double epoch = epoch_of(m), n = COP_MIN(floor(epoch / r->round + 1e-9), (double)told(p)->rounds);
	cop__trainer_set_rate(m->t, p->a->lr * cop__schedule_at(&r->schedule, COP_MAX(epoch - n * r->round, 0), r->round));
}

/* After a step: is this the moment? */
cop_status cop__rewind_note(const cop_pruner *p, const cop_progress *m)
{
	const cop_rewind *r = p->rewind;
	float *now, *then;

	if (m->step != (int64_t)(r->at * (double)m->steps / m->epochs + 0.5)) return COP_OK;
	for (int32_t i = 0; i < r->n; i++) {
		COP_TRY(cop__held(&now, m, r->value[i].now));
		COP_TRY(cop__held(&then, m, r->value[i].then));
		memcpy(then, now, cop_type_bytes(&r->value[i].type));
	}
	return COP_OK;
}

/* A new draw: each gets another one's number, so that the numbers come from where they came from. */
static void shuffle(float *v, int64_t n, uint64_t seed, uint32_t stream)
{
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t k = (int64_t)((((uint64_t)cop__rand(seed, stream, (uint64_t)(2 * i)) << 32) | cop__rand(seed, stream, (uint64_t)(2 * i + 1))) % (uint64_t)(i + 1));
		float t = v[i];
		v[i] = v[k], v[k] = t;
	}
}

cop_status cop__rewind_return(const cop_pruner *p, const cop_progress *m, bool last)
{
	const cop_rewind *r = p->rewind;
	const bool redraw = last && told(p)->redraw;
	cop_tensor step;
	float *now, *x;

	for (int32_t i = 0; i < r->n; i++) {
		const returning *v = &r->value[i];
		COP_TRY(cop__held(&now, m, v->now));
		COP_TRY(cop__held(&x, m, v->then));
		memcpy(now, x, cop_type_bytes(&v->type));
		if (redraw && v->weight) shuffle(now, cop_type_count(&v->type), p->a->seed, cop__hash_text(v->name));
		for (int k = 0; k < v->n_kept; k++) {
			if (!cop__find(cop__trainer_graph(m->t), cop__build_name(cop__trainer_build(m->t), v->kept[k]))) continue; /* the rule keeps none for this one */
			COP_TRY(cop__held(&x, m, v->kept[k]));
			memset(x, 0, cop_type_bytes(&v->type));
		}
	}
	if (!cop__find(cop__trainer_graph(m->t), "step")) return COP_OK;
	COP_TRY(cop__trainer_named(m->t, "step", &step));
	*(int32_t *)step.data = 0;
	return COP_OK;
}
