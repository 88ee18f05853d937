/* SPDX-License-Identifier: Apache-2.0
 *
 * slim - the stage: whole channels leave the network with all that is coupled to them, and what is left is dense and narrower for every kernel.
 * First goes what is zero already, then the least important until `macs` are left; then the network trains on.
 */
#include "compress/layers.h"
#include "compress/slim/slim.h"
#include "run/deploy.h"

#include <stdio.h>

static const cop_option options[] = {
	COP_OPT_REAL(cop_slim_options, macs, 0.001, 1, "1",
		"the part of the multiply-accumulates that stays; 1: only channels that are zero go, and nothing is trained"),
	COP_OPT_AMONG(cop_slim_options, by, &cop__scores, "l2", "the score of a channel in one tensor"),
	COP_OPT_WORD(cop_slim_options, over, "mean|l2", "mean", "how the scores of all tensors that a channel runs through become one"),
	COP_OPT_WORD(cop_slim_options, scope, "global|layer", "global", "one ranking of all channels, or the same part of each layer"),
	COP_OPT_REAL(cop_slim_options, least, 0, 1, "0.1", "the part of the channels that each layer keeps"),
	COP_OPT_WHOLE(cop_slim_options, round, 0, 1024, "0",
		"widths are multiples of this many, after the ranking; 1: of any; 0: what the kernels of the target like"),
	COP_OPT_TEXT(cop_slim_options, target, "host", "the machine that it is for, from `coppice targets`"),
	COP_OPT_REAL(cop_slim_options, self, 0, 1, "0", "how much of the loss is the distance from the network as it was before; 0: none. `distill` in --policies takes its place"),
	COP_OPT_REAL(cop_slim_options, temperature, 0.01, 1000, "3", "both are softened by it"),
	COP_OPT_END,
};

/* ---- what rounding gained ---- */

static void say_widths(const cop_pools *p)
{
	const cop_graph *g = p->groups.g;

	for (int32_t i = 0; i < p->n_pool; i++) {
		const cop_groups *s = &p->groups;
		const cop_item *it = NULL;
		int32_t k = p->rank[p->pool[i].first].group;
		for (int32_t m = s->start[k]; m < s->start[k + 1] && (!it || g->value[it->v].role != COP_PARAM); m++) it = &s->item[s->member[m]];
		cop__log(g->cx, COP_LOG_INFO, "slim: %s: %d of %d", g->value[it->v].name ? g->value[it->v].name : "a layer", p->width[i], p->pool[i].n);
	}
}

/* On the machine itself the two are timed; what another one takes is for `coppice check` to count. */
static cop_status say_rounding(const cop_graph *plain, int64_t macs, const cop_graph *even, int64_t even_macs, int32_t round, bool here)
{
	double a, b;

	if (!here) {
		cop__log(plain->cx, COP_LOG_INFO, "slim: widths of multiples of %d: %lld multiply-accumulates, %lld without rounding",
			round, (long long)even_macs, (long long)macs);
		return COP_OK;
	}
	COP_TRY(cop__latency(&a, plain));
	COP_TRY(cop__latency(&b, even));
	cop__log(plain->cx, COP_LOG_INFO,
		"slim: widths of multiples of %d: %.1f us a sample and %lld multiply-accumulates, %.1f us and %lld without rounding",
		round, b, (long long)even_macs,
		a, (long long)macs);
	return COP_OK;
}

/* ---- what stays whole ---- */

/* Of layers of which no row may go it is said why; with `fail` the first of them is the reason. */
static cop_status say_whole(const cop_groups *s, const char *layers, bool fail)
{
	const cop_graph *g = s->g;

	for (int32_t v = 1; v <= g->n_value; v++) {
		bool whole = true;
		if (!cop__compressible(g, (cop_vid)v, layers)) continue;
		for (int32_t j = 0; whole && j < cop__t(g, (cop_vid)v)->dim[0]; j++) whole = s->stop[cop__group_of(s, (cop_vid)v, 0, j)].why;
		int32_t k = cop__group_of(s, (cop_vid)v, 0, 0);
		if (whole && fail) return cop__group_check(s, k);
		if (!whole) continue;
		cop_nid n = s->stop[k].node;
		cop__log(g->cx, COP_LOG_INFO, "slim: %s stays whole: %s%s%s", g->value[v].name, n ? "the node " : "its result ",
			n ? cop__op(g, n)->name : "", n ? " behind it ties its channels together, or does not say which belong together"
			: s->stop[k].why);
	}
	return fail ? cop__error(g->cx, COP_ARG, "slim: no weight that matches '%s' has channels that may go", layers) : COP_OK;
}

/* ---- the stage ---- */

static cop_status cut(cop_graph **g, const cop_slim_options *o, const char *layers, uint64_t seed, const cop_target *t)
{
	int32_t round = o->round ? o->round : cop__lanes_of(t->isa);
	int64_t macs = cop__macs_of(*g), plain_macs = 0, even_macs = 0, most = (int64_t)((double)macs * (double)o->macs);
	cop_graph *plain = NULL, *even = NULL;
	cop_pools p;

	cop_status st = cop__pools(&p, *g, layers, o, seed);
	if (!st) st = say_whole(&p.groups, layers, !p.n_rank);
	if (!st && round > 1) st = cop__pools_cut(&p, o, 1, most, &plain_macs);
	if (!st && round > 1) st = cop__pass_slice_groups(&plain, &p.groups, p.drop);
	if (!st) st = cop__pools_cut(&p, o, round, most, &even_macs);
	if (!st) say_widths(&p);
	if (!st) st = cop__pass_slice_groups(&even, &p.groups, p.drop);
	if (!st && round > 1) st = say_rounding(plain, plain_macs, even, even_macs, round, !strcmp(t->name, "host"));
	cop__pools_free(&p);
	cop_graph_free(plain);
	if (st) return cop_graph_free(even), st;
	cop__log((*g)->cx, COP_LOG_INFO, "slim: %lld multiply-accumulates instead of %lld", (long long)even_macs, (long long)macs);
	cop_graph_free(*g);
	*g = even;
	return COP_OK;
}

/* What the cut has left is no teacher for itself. */
static cop_status check_teacher(cop_ctx *cx, const char *policies)
{
	const char *at = policies ? strstr(policies, "distill") : NULL, *teacher = at ? strstr(at, "teacher=") : NULL;

	if (!at || (teacher && teacher < at + strcspn(at, ";"))) return COP_OK;
	return cop__error(cx, COP_ARG, "slim: the policy distill names no teacher, and the network that is left after the cut would be its own; say self: 0.7 in the stage, or distill:teacher=FILE");
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const cop_slim_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_taught taught = {o->self, o->temperature, NULL};
	cop_graph *whole = NULL;
	cop_target t;

	COP_TRY(check_teacher((*g)->cx, a.policies));
	COP_TRY(cop_target_find(&t, (*g)->cx, o->target));
	const bool is_taught = o->macs < 1 && o->self > 0 && !cop__policies_answer(a.policies);
	if (is_taught) COP_TRY(cop_graph_copy(&whole, *g));
	taught.by = whole;
	cop_status st = cop__drop_constant_of(g, COP_DROP_BORDERS);
	if (!st && o->macs < 1) st = cut(g, o, s->terms.layers, m->a->seed, &t);
	const cop_policy policy = cop__taught(&taught);
	if (!st && o->macs < 1) st = cop__train(*g, m->train, m->valid, &a, "slim", &policy, is_taught);
	cop_graph_free(whole);
	return st;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const cop_slim_options *o = own;
	const cop_score_row *by = cop__score(o->by);

	if (!by->of || by->reads & ~(uint32_t)COP_READS_WEIGHT)
		return cop__error(cx, COP_ARG,
			"%s: by: %s needs more than weights; use prune: {what: channel, by: %s, ...} and then slim: {}", where, by->row.name,
			by->row.name);
	return COP_OK;
}

/* Where nothing is trained, rows and columns go, and no weight changes. */
static uint32_t allows(const cop_stage *s) { return ((const cop_slim_options *)(const void *)s->own.bytes)->macs >= 1 ? COP_HAS_SHARED : 0; }

static bool can(const cop_graph *g, cop_vid weight, cop_why *why)
{
	(void)why;
	return cop__t(g, weight)->dtype == COP_F32 && cop__t(g, weight)->enc == COP_DENSE;
}

const cop_stage_row cop_stage_slim = {
	.row = {"slim", "takes out whole channels with all that is coupled to them; what is left is dense and narrower",
		"Fang et al. 2023, arXiv 2301.12900", options, sizeof(cop_slim_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED,
	.allows = allows, .check = check, .can = can, .run = run,
};
