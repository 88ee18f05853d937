/* SPDX-License-Identifier: Apache-2.0
 *
 * stage - the stage `similar`: finds fully connected layers whose neurons one other layer alone reads, behind nothing that a scale does not go through,
 * and takes similar neurons out of the network.
 */
#include "compress/similar/similar.h"
#include "pass/pass.h"

#include <math.h>
#include <stdio.h>

typedef struct similar_options { float keep, part; int32_t by; } similar_options;
static const cop_option options[] = {
	COP_OPT_REAL(similar_options, keep, 0, 1, "0",
		"the part of the neurons of each layer that stays; 0: they go until the least saliency is above the mode of all"),
	COP_OPT_REAL(similar_options, part, 0, 1, "1", "with keep: 0, the part that goes of the neurons that the rule finds"),
	COP_OPT_WORD(similar_options, by, "shared|similar|ratio|naive|random", "shared",
		"which go: those that all others together, or one other, can stand for; ratio: with the "
		"published distance; as controls those of the smallest weights, or any, and nobody stands for them"),
	COP_OPT_END,
};

/* ---- pairs of layers ---- */

typedef struct pair { cop_nid first, second; bool rectified; } pair;

static bool no(cop_why *why, const cop_graph *g, cop_vid v, const char *what)
{
	if (why) snprintf(why->text, sizeof why->text, "'%.80s' %s", g->value[v].name, what);
	return false;
}

/* How often v is read, by nodes or as an output, and the last node that does; 0: none. */
static int32_t readers(const cop_graph *g, cop_vid v, cop_nid *by)
{
	int32_t n = 0;

	*by = 0;
	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++)
		for (int i = 0; i < g->node[k].n_in; i++)
			if (g->node[k].in[i] == v) n++, *by = k;
	for (int32_t i = 0; i < g->n_output; i++) n += g->output[i] == v;
	return n;
}

/* f(c x) = c f(x) for c > 0, number by number. */
static bool scales_through(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if (g->node[n].op == OP_dropout || g->node[n].op == OP_reshape) return cop__same_shape(cop__in(g, n, 0), cop__outt(g, n, 0));
	if (g->node[n].op != OP_clip) return false; /* a sigmoid, say */
	cop__act_get(g, n, &lo, &hi);
	return (lo == 0 || (isinf(lo) && lo < 0)) && isinf(hi) && hi > 0;
}

static bool rectifies(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if (g->node[n].op != OP_clip) return false;
	cop__act_get(g, n, &lo, &hi);
	return lo == 0;
}

static bool fc_alone(const cop_graph *g, cop_nid n)
{
	cop_nid by;
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);
	return g->node[n].op == OP_fc && !g->node[n].guard && cop__floats(g, w) && readers(g, w, &by) == 1 && (!b || (cop__floats(g, b) && readers(g, b, &by) == 1));
}

/* The layer of weight v and the one that reads its neurons. */
static bool pair_of(pair *p, const cop_graph *g, cop_vid v, cop_why *why)
{
	float lo, hi;

	*p = (pair){.rectified = false};
	if (readers(g, v, &p->first) != 1 || !fc_alone(g, p->first) || cop__arg(g, p->first, 1) != v)
		return no(why, g, v, "is not read by one fully connected layer alone");
	cop__act_get(g, p->first, &lo, &hi);
	if ((lo > COP_NO_LO && lo != 0) || hi < COP_NO_HI) return no(why, g, v, "has an activation behind it through which a scale does not go");
	p->rectified = lo == 0;
	for (cop_vid y = cop__res(g, p->first, 0);; y = cop__res(g, p->second, 0)) {
		if (readers(g, y, &p->second) != 1 || !p->second) return no(why, g, v, "makes neurons that are read more than once, or are the answer of the network");
		if (g->node[p->second].op == OP_fc) break;
		if (!scales_through(g, p->second)) return no(why, g, v, "makes neurons that go through something other than a rectifier");
		p->rectified |= rectifies(g, p->second);
	}
	return fc_alone(g, p->second) || no(why, g, v, "makes neurons that no fully connected layer with weights of its own reads");
}

static bool can(const cop_graph *g, cop_vid v, cop_why *why)
{
	pair p;
	return cop__can_change(g, v, why) && pair_of(&p, g, v, why);
}

/* ---- the stage ---- */

/* Neurons of weight v go; the graph is a narrower one then. */
static cop_status one_layer(cop_graph **g, cop_vid v, const similar_options *o, uint64_t seed)
{
	cop_ctx *cx = (*g)->cx;
	cop_graph *out;
	pair p;

	pair_of(&p, *g, v, NULL);
	const cop_type *t = cop__t(*g, v);
	cop_neurons x = {.n = t->dim[0], .in = t->dim[1], .out = cop__in(*g, p.second, 1)->dim[0], .rectified = p.rectified};
	const cop_similar_args a = {.by = (cop_similar_by)o->by, .part = (double)o->part, .seed = seed, .stream = cop__hash_text((*g)->value[v].name),
		.keep = o->keep > 0 ? COP_MAX((int32_t)(o->keep * (float)x.n + 0.5f), 1) : 0};
	uint8_t *stays = cop__alloc(cx, (size_t)x.n);
	int32_t gone;

	x.next = stays ? cop__own(*g, cop__arg(*g, p.second, 1)) : NULL;
	if (!x.next) return cop__free(cx, stays), COP_NOMEM;
	x.w = cop__floats(*g, v);
	x.b = cop__arg(*g, p.first, 2) ? cop__floats(*g, cop__arg(*g, p.first, 2)) : NULL;
	cop_status st = cop__similar(stays, &gone, NULL, cx, &x, &a);
	if (!st) cop__log(cx, COP_LOG_INFO, "similar: %s: %d of %d neurons go", (*g)->value[v].name, gone, x.n);
	if (!st) st = cop__pass_slice(&out, *g, v, 0, stays);
	cop__free(cx, stays);
	if (st) return st;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

/* By name: a narrower graph numbers its values anew. */
static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const similar_options *o = (const void *)s->own.bytes;
	cop_graph *first = NULL;
	cop_status st = cop__pass_copy(&first, *g);

	for (int32_t v = 1; !st && v <= first->n_value; v++) {
		if (!cop__compressible(first, (cop_vid)v, s->terms.layers) || !can(first, (cop_vid)v, NULL)) continue;
		st = one_layer(g, cop__find(*g, first->value[v].name), o, m->a->seed);
	}
	cop_graph_free(first);
	return st;
}

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const similar_options *o = own;

	if ((o->by == COP_BY_NAIVE || o->by == COP_BY_RANDOM) && o->keep <= 0)
		return cop__error(cx, COP_ARG, "%s: a control has no rule for how many go; give keep", where);
	if (o->keep > 0 && o->part < 1) return cop__error(cx, COP_ARG, "%s: keep says how many stay, so part can't", where);
	return COP_OK;
}

const cop_stage_row cop_stage_similar = {
	.row = {"similar", "takes out neurons that another one can stand for, without data and without training",
		"Srinivas and Babu 2015, arXiv 1507.06149", options, sizeof(similar_options)},
	.terms = cop__terms, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_MASKS | COP_HAS_SHARED, .check = check, .can = can, .run = run,
};
