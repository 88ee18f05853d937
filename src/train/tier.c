/* SPDX-License-Identifier: Apache-2.0
 *
 * tier - what changes the weights: a rule of updates, and above it rules that learn its numbers, as many as are asked for.
 *
 * The gradient of the loss by a number of the rule is that by the weights, times how the last update changed them with the number; the rule left
 * that behind (cop__moved), or has a state that says it. So a learnt number is a parameter as a weight is one, and the rule above it is any rule of the table. What a level keeps
 * of a number is how far it has moved from what the options say: 0 at first. The numbers change first, then the weights by the new ones
 * (Chandra et al. 2022, arXiv 1909.13371).
 */
#include "op/grad.h"
#include "train/build_record.h"
#include "train/update/made.h"

#include <math.h>
#include <stdio.h>

static float said(const cop_tier *l, int i)
{
	return i ? *(const float *)(const void *)((const char *)l->options + l->rule->learns[i].offset) : l->lr;
}

bool cop__tier_learns(const cop_tier *l, int i)
{
	const char *name = l->rule->learns[i].name;
	return l->by && name && cop__match(l->learn, name) && (!i || said(l, i) > 0);
}

/* The parameters that have numbers in common: those from first on. */
typedef struct group { const cop_tier *l; const cop_moving *x; int first, n; } group;

static cop_param param(cop_graph *g, const cop_tier *l, const cop_moving *x, int i)
{
	return (cop_param){.g = g, .w = x->w[i], .dw = x->dw[i], .level = l, .inner = x->inner[i]};
}

/* Sum over the group of the gradient times how the weight moved with number k: f32[1]. */
static cop_vid slope_of(cop_graph *g, const group *q, int k)
{
	const char *state = q->l->rule->moves ? q->l->rule->moves(q->l->options, k) : NULL;
	cop_vid sum = 0;

	for (int i = q->first; i < q->first + q->n; i++) {
		const cop_param p = param(g, q->l, q->x, i);
		cop_nid last = (cop_nid)g->n_node;
		if (!p.dw) continue;
		cop_vid v = cop__made_dot(&p, p.dw, cop__made_rows(&p, cop__follow(g, p.w, COP_STATE, state ? state : cop__moved_name(k), cop__t(g, p.w), NULL)));
		cop__guard_since(g, last, q->x->guard[i]);
		v = cop__unskipped(g, v);
		if (state) v = cop__made_times(&p, v, -1);
		sum = sum ? cop__made(&p, OP_add, sum, v) : v;
	}
	return sum;
}

/* Where a group's number k is kept: "rule.lr", or "rule.lr.fc1.w". */
static cop_vid kept(cop_graph *g, const group *q, int k)
{
	char name[COP_FOLLOWER];
	const cop_tier *l = q->l;
	cop_type one = cop__type(COP_F32, 1, DIMS(1));
	size_t at = 0;

	for (int i = -1; i < l->height; i++) at += (size_t)snprintf(name + at, sizeof name - at, i < 0 ? "rule." : "by.");
	at += (size_t)snprintf(name + at, sizeof name - at, "%s", l->rule->learns[k].name);
	if (l->per_weight && snprintf(name + at, sizeof name - at, ".%s", g->value[q->x->w[q->first]].name) >= (int)(sizeof name - at))
		return cop__error(g->cx, COP_ARG, "training: the name '%s' is too long for numbers that are learnt", g->value[q->x->w[q->first]].name), 0;
	cop_vid v = cop__find(g, name);
	return v ? v : cop__data(g, COP_STATE, name, &one, NULL);
}

/* What the options say of number k, in the form that is learnt. */
static cop_vid origin(const cop_param *p, int k)
{
	const enum cop_learnt_as as = p->level->rule->learns[k].as;
	cop_vid v = cop__learnt(p, k, said(p->level, k));

	if (as == COP_AS_TANH) return cop__made_number(p, (float)atanh(2 * (double)said(p->level, k) - 1));
	return as == COP_AS_ROOT ? cop__made_map(p, MAP_SQRT, v) : v;
}

/* A number that is learnt as it is, where the options allow it: a rate is never below 0. */
static cop_vid bounded(const cop_param *p, int k, cop_vid v)
{
	const cop_option *o = p->level->rule->row.options;
	cop_act_attr within = {0, COP_NO_HI};

	while (k && strcmp(o->name, p->level->rule->learns[k].name)) o++;
	if (k) within.hi = (float)o->hi;
	return v ? cop__apply(p->g, OP_clip, &within, VIDS(v)) : 0;
}

/* The number and its slope by what is learnt. */
static bool settle(cop_param *p, int k, cop_vid moved)
{
	const enum cop_learnt_as as = p->level->rule->learns[k].as;
	cop_vid raw = cop__made(p, OP_add, origin(p, k), moved), slope = 0;

	if (as == COP_AS_IT_IS) raw = bounded(p, k, raw);
	if (as == COP_AS_ROOT) slope = cop__made_times(p, raw, 2), raw = cop__made(p, OP_mul, raw, raw);
	if (as == COP_AS_TANH) {
		raw = cop__made_times(p, cop__made(p, OP_add, raw ? cop__apply(p->g, OP_tanh, NULL, VIDS(raw)) : 0, cop__made_number(p, 1)), 0.5f);
		slope = cop__made_times(p, cop__made(p, OP_mul, raw, cop__made(p, OP_sub, cop__made_number(p, 1), raw)), 2);
	}
	p->learnt[k] = raw;
	p->slope[k] = slope;
	return raw;
}

/* Which number of which group each parameter of the level above is. */
typedef struct above { cop_moving m; int *group, *k; } above;

static bool make_above(above *a, cop_arena *mem, int most)
{
	const size_t n = (size_t)most + 1, bytes = sizeof(cop_vid) * n;

	*a = (above){.m = {cop__arena_get(mem, bytes), cop__arena_get(mem, bytes), cop__arena_get(mem, bytes), cop__arena_get(mem, bytes), cop__arena_get(mem, n), 0},
		.group = cop__arena_get(mem, sizeof *a->group * n), .k = cop__arena_get(mem, sizeof *a->k * n)};
	return a->m.w && a->m.dw && a->m.guard && a->m.now && a->m.inner && a->group && a->k;
}

/* The numbers of this step, by the level above, into p[group]. */
static cop_status learn(cop_graph *g, cop_param *p, const group *q, int groups, cop_arena *mem)
{
	above a;

	if (!make_above(&a, mem, groups * COP_LEARNT)) return COP_NOMEM;
	for (int i = 0; i < groups; i++)
		for (int k = 0; k < COP_LEARNT; k++) {
			if (!cop__tier_learns(q[i].l, k)) continue;
			const int n = a.m.n++;
			a.m.w[n] = kept(g, &q[i], k);
			a.m.dw[n] = slope_of(g, &q[i], k);
			a.group[n] = i, a.k[n] = k;
			if (!a.m.w[n] || g->cx->code) return cop__failed(g->cx);
		}
	COP_TRY(cop__apply_tier(g, q->l->by, &a.m));
	for (int n = 0; n < a.m.n; n++)
		if (a.m.dw[n] && !settle(&p[a.group[n]], a.k[n], a.m.now[n])) return cop__failed(g->cx);
	return COP_OK;
}

static cop_status learn_all(cop_graph *g, cop_param *p, const cop_tier *l, const cop_moving *x, cop_arena *mem)
{
	const int groups = l->per_weight ? x->n : 1;
	group *q = cop__arena_get(mem, sizeof *q * (size_t)(groups + 1));

	if (!q) return COP_NOMEM;
	for (int i = 0; i < groups; i++) q[i] = l->per_weight ? (group){l, x, i, 1} : (group){l, x, 0, x->n};
	COP_TRY(learn(g, p, q, groups, mem));
	for (int i = 1; i < x->n && !l->per_weight; i++)
		for (int k = 0; k < COP_LEARNT; k++) p[i].learnt[k] = p->learnt[k], p[i].slope[k] = p->slope[k];
	return COP_OK;
}

/* One parameter; what `end` wants of it goes into the sums. */
static cop_status one(cop_param *p, const cop_tier *l, cop_vid guard, cop_vid *now, cop_vid *sums)
{
	cop_graph *g = p->g;
	cop_nid last = (cop_nid)g->n_node;
	cop_vid part[COP_SUMS] = {0};

	p->sum = part;
	if (!(*now = l->rule->build(p, l->options))) return cop__failed(g->cx);
	cop__guard_since(g, last, guard);
	for (int i = 0; i < COP_SUMS; i++) {
		cop_vid v = part[i] ? cop__unskipped(g, part[i]) : 0;
		sums[i] = sums[i] && v ? cop__made(p, OP_add, sums[i], v) : v ? v : sums[i];
	}
	return g->cx->code;
}

static cop_status apply(cop_graph *g, cop_param *p, const cop_tier *l, const cop_moving *x, cop_arena *mem)
{
	cop_vid shared[COP_SHARED] = {0}, sums[COP_SUMS] = {0};
	cop_param all = {.g = g, .level = l, .shared = shared, .sum = sums};

	for (int i = 0; i < x->n; i++) p[i] = param(g, l, x, i), p[i].shared = shared;
	if (l->by && x->n) COP_TRY(learn_all(g, p, l, x, mem));
	if (l->rule->begin && !l->rule->begin(&all, l->options)) return cop__failed(g->cx);
	for (int i = 0; i < x->n; i++)
		if (p[i].dw) COP_TRY(one(&p[i], l, x->guard[i], &x->now[i], sums));
	return l->rule->end && sums[0] && !l->rule->end(&all, l->options) ? cop__failed(g->cx) : COP_OK;
}

cop_status cop__apply_tier(cop_graph *g, const cop_tier *l, const cop_moving *x)
{
	cop_arena mem;

	cop__arena_init(&mem, g->cx);
	cop_param *p = cop__arena_get(&mem, sizeof *p * (size_t)(x->n + 1));
	cop_status st = p ? apply(g, p, l, x, &mem) : COP_NOMEM;
	cop__arena_free(&mem);
	return st;
}
