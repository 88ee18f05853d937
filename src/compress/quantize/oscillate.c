/* SPDX-License-Identifier: Apache-2.0
 *
 * oscillate - see oscillate.h. What is known of each weight is a state of the training, so that a run that is resumed
 * fixes what it would have fixed.
 */
#include "compress/quantize/oscillate.h"
#include "kernel/quant.h"
#include "op/op.h"

#include <math.h>
#include <stdio.h>

/* The state of a weight: four rows, each with a number for every element. */
enum {
	INTEGER, /* that it rounds to; once fixed, that it stays */
	WAY,     /* of the last change: 1 up, -1 down; 0: it has not changed yet */
	MEAN,    /* running mean of the integer */
	OFTEN,   /* running mean of: has it turned round in this step? FIXED: it is fixed */
	ROWS
};
static const float FIXED = -1;

typedef struct rounded {
	cop_handle weight, step, state;
	int32_t n, run, lo, hi; /* elements; that share a step; integers */
	float least;            /* step */
} rounded;

typedef struct freezing {
	const cop_freezing *how;
	cop_arena *mem;
	rounded *at;
	int32_t n;
} freezing;

static int32_t integer_of(const rounded *r, float w, float step)
{
	return cop_clampi(cop_round_away(w / step), r->lo, r->hi);
}

static float step_of(const rounded *r, const float *step, int32_t i)
{
	return fmaxf(step[i / r->run], r->least);
}

/* ---- before the training ---- */

/* Is node n the rounding of a weight? Biases are rounded so finely that they have no integer to go back to. */
static bool rounds_weight(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_fakequant_attr, a, g, n);
	const cop_value *w = g->node[n].op == OP_fakequant ? &g->value[cop__arg(g, n, 0)] : NULL;

	return w && w->role == COP_PARAM && w->type.rank > 1 && !a.offset && cop__floats(g, cop__arg(g, n, 0)) &&
	       cop__floats(g, cop__arg(g, n, 1));
}

static cop_status begin(rounded *r, const freezing *f, cop_build *b, cop_nid n)
{
	const cop_graph *g = cop__build_model(b);
	const cop_vid w = cop__arg(g, n, 0), p = cop__arg(g, n, 1);
	const float *weight = cop__floats(g, w), *step = cop__floats(g, p);
	const int32_t count = cop__count32(cop__t(g, w));
	const cop_type t = cop__type(COP_F32, 2, DIMS(ROWS, count));
	float *state = cop__arena_get(f->mem, sizeof *state * ROWS * (size_t)count);
	char name[COP_FOLLOWER];
	COP_ATTR(cop_fakequant_attr, a, g, n);

	if (!state) return COP_NOMEM;
	*r = (rounded){.n = count, .run = count / cop__t(g, p)->dim[0], .lo = a.lo - a.zero, .hi = a.hi - a.zero};
	r->least = fmaxf(a.least, COP_LEAST_STEP);
	for (int32_t i = 0; i < count; i++)
		state[INTEGER * count + i] = state[MEAN * count + i] =
		        (float)integer_of(r, weight[i], step_of(r, step, i));
	COP_TRY(cop__follower_name(name, g->cx, g->value[w].name, "oscillates"));
	r->weight = cop__build_value(b, g->value[w].name);
	r->step = cop__build_value(b, g->value[p].name);
	r->state = cop__build_state(b, name, &t, state, NULL);
	return r->weight && r->step && r->state ? COP_OK : cop__failed(g->cx);
}

static cop_status build(void *ud, cop_build *b)
{
	freezing *f = ud;
	const cop_graph *g = cop__build_model(b);

	f->n = 0;
	if (!(f->at = cop__arena_get(f->mem, sizeof *f->at * (size_t)(g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (rounds_weight(g, n)) COP_TRY(begin(&f->at[f->n++], f, b, n));
	return COP_OK;
}

/* ---- behind each step ---- */

float cop__freezing_at(const cop_freezing *f, double part)
{
	return f->to + (f->from - f->to) * 0.5f * (float)(1 + cos(3.14159265358979 * part));
}

/* One element, whose four numbers lie n apart; q: the integer that it rounds to now. */
static void watch(float *x, int32_t n, int32_t q, float threshold)
{
	const float moved = (float)q - x[INTEGER * n], way = moved > 0 ? 1 : -1, keep = 1 - COP_OSCILLATE_KEEP;
	const bool turned = moved != 0 && x[WAY * n] == -way;

	x[OFTEN * n] = keep * x[OFTEN * n] + (turned ? COP_OSCILLATE_KEEP : 0);
	x[MEAN * n] = keep * x[MEAN * n] + COP_OSCILLATE_KEEP * (float)q;
	x[INTEGER * n] = (float)q;
	if (moved != 0) x[WAY * n] = way;
	if (!(x[OFTEN * n] > threshold)) return;
	x[INTEGER * n] = (float)cop_round_away(x[MEAN * n]);
	x[OFTEN * n] = FIXED;
}

static cop_status watch_weight(const rounded *r, const cop_progress *p, float threshold)
{
	cop_tensor weight, step, state;

	COP_TRY(cop__trainer_tensor(p->t, r->weight, &weight));
	COP_TRY(cop__trainer_tensor(p->t, r->step, &step));
	COP_TRY(cop__trainer_tensor(p->t, r->state, &state));
	float *w = weight.data, *x = state.data;
	for (int32_t i = 0; i < r->n; i++) {
		const float s = step_of(r, step.data, i);
		if (x[OFTEN * r->n + i] != FIXED) watch(x + i, r->n, integer_of(r, w[i], s), threshold);
		if (x[OFTEN * r->n + i] == FIXED) w[i] = s * x[INTEGER * r->n + i];
	}
	return COP_OK;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	const freezing *f = ud;
	const float threshold = cop__freezing_at(f->how, (double)p->step / (double)p->steps);

	(void)v;
	for (int32_t i = 0; i < f->n; i++) COP_TRY(watch_weight(&f->at[i], p, threshold));
	return COP_OK;
}

/* ---- at the end ---- */

static cop_status finish(void *ud, const cop_progress *p, cop_graph *model)
{
	const freezing *f = ud;
	int64_t fixed = 0, all = 0;
	cop_tensor state;

	for (int32_t i = 0; i < f->n; i++) {
		const int32_t n = f->at[i].n;
		COP_TRY(cop__trainer_tensor(p->t, f->at[i].state, &state));
		for (int32_t k = 0; k < n; k++) fixed += ((const float *)state.data)[OFTEN * n + k] == FIXED;
		all += n;
	}
	cop__log(model->cx, COP_LOG_INFO, "qat: %lld of %lld weights went back and forth too often and were fixed",
	        (long long)fixed, (long long)all);
	return COP_OK;
}

cop_status cop__freezing(cop_policy *out, cop_arena *mem, const cop_freezing *how)
{
	freezing *f = cop__arena_get(mem, sizeof *f);

	if (!f) return COP_NOMEM;
	*f = (freezing){.how = how, .mem = mem};
	*out = (cop_policy){.name = "freezing", .ud = f, .build = build, .after = after, .finish = finish};
	return COP_OK;
}
