/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate.h - walks a plan: each word of the arena, of both its memories, remembers which value was last written there, and each
 * read must find its own value. So must every reader of a parameter find it before its update.
 */
#ifndef TESTS_PLAN_SIMULATE_H
#define TESTS_PLAN_SIMULATE_H

#include "help.h"

/* owner: of each word of both memories of the arena */
typedef struct sim { const cop_plan *p; const cop_entry *e; uint32_t *owner[COP_N_SEG]; bool *updated; const char *net; } sim;
enum { SCRATCH = 0xffffffff };

static inline void mark(sim *s, cop_place at, size_t bytes, uint32_t who)
{
	if (!s->owner[at.seg]) return;
	assert_true(at.off + bytes <= s->p->bytes[at.seg]);
	for (size_t i = at.off / 4; i < (at.off + bytes + 3) / 4; i++) s->owner[at.seg][i] = who;
}

static inline void read_value(sim *s, cop_nid n, cop_vid v)
{
	const cop_graph *g = s->e->g;
	cop_place at = s->e->place[v];
	cop_vid base = cop__base(g, v);
	char label[96];

	if (!s->owner[at.seg]) {
		bool is_new = g->value[v].alias != 0;
		if (!is_new && g->value[v].role >= COP_CONST && s->updated[base]) fail_msg("%s: %s reads '%s' after its update", s->net, cop__label(g, n, label), g->value[v].name);
		return;
	}
	for (size_t i = at.off / 4; i < (at.off + cop_type_bytes(cop__t(g, v))) / 4; i++)
		if (s->owner[at.seg][i] != base) fail_msg("%s: %s reads value %u at byte %zu, which value %u has overwritten", s->net, cop__label(g, n, label), v, i * 4, s->owner[at.seg][i]);
}

static inline void step(sim *s, const cop_step *st)
{
	const cop_graph *g = s->e->g;
	const cop_node *d = &g->node[st->node];

	for (int i = 0; i < d->n_in; i++)
		if (d->in[i]) read_value(s, st->node, d->in[i]);
	if (d->guard) read_value(s, st->node, d->guard);
	if (st->work_bytes) mark(s, st->work, st->work_bytes * (st->split ? (size_t)s->p->target.threads : 1), SCRATCH);
	if (st->kernel->pack && !st->pack_once) mark(s, st->pack, st->kernel->pack_bytes(st->word), SCRATCH);
	for (int i = 0; i < d->n_in; i++) /* scratch must not lie on what the step reads */
		if (d->in[i]) read_value(s, st->node, d->in[i]);
	for (int i = 0; i < COP_MAX_OUT; i++) {
		cop_vid v = d->out[i];
		if (!v) continue;
		if (!g->value[v].alias) mark(s, s->e->place[v], cop_type_bytes(cop__t(g, v)), v);
	}
	bool over = cop__op(g, st->node)->flags & COP_OP_INPLACE || st->kernel->ahead; /* the latter is proved in `overlap` below */
	for (int i = over ? 1 : 0; i < d->n_in; i++) /* nor a result on an input, except the first where the kernel allows it */
		if (d->in[i]) read_value(s, st->node, d->in[i]);
	for (int i = 0; i < COP_MAX_OUT; i++)
		if (d->out[i] && g->value[d->out[i]].alias) s->updated[cop__base(g, d->out[i])] = true;
}

static inline void simulate(const cop_plan *p, const char *net)
{
	for (int e = 0; e < p->n_entry; e++) {
		const cop_graph *g = p->entry[e].g;
		sim s = {.p = p, .e = &p->entry[e], .updated = calloc((size_t)g->n_value + 1, 1), .net = net};
		for (int seg = COP_SEG_ARENA; seg <= COP_SEG_FAST; seg++) s.owner[seg] = calloc(p->bytes[seg] / 4 + 16, 4);
		for (int32_t i = 0; i < g->n_input; i++) mark(&s, p->entry[e].place[g->input[i]], cop_type_bytes(cop__t(g, g->input[i])), g->input[i]);
		for (int32_t i = 0; i < p->entry[e].n_step; i++) step(&s, &p->entry[e].step[i]);
		for (int32_t i = 0; i < g->n_output; i++) read_value(&s, p->entry[e].step[p->entry[e].n_step - 1].node, g->output[i]);
		for (int seg = 0; seg < COP_N_SEG; seg++) free(s.owner[seg]);
		free(s.updated);
	}
}

#endif
