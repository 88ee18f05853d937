/* SPDX-License-Identifier: Apache-2.0
 *
 * chain - finds the chains of a network, and says which of their stretches can be one layer.
 */
#include "compress/depth/chain.h"
#include "pass/pass.h"

#include <math.h>

/* reader[v]: the one node that reads v; 0: none, or several */
typedef struct finding { const cop_graph *g; cop_nid *reader; } finding;

static bool bounded(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	return lo != COP_NO_LO || hi != COP_NO_HI;
}

/* A layer whose weights are known, and nobody else's. */
static bool is_layer(const finding *f, cop_nid n)
{
	const cop_graph *g = f->g;

	if (!n || (g->node[n].op != OP_conv && g->node[n].op != OP_fc) || g->node[n].guard) return false;
	for (int i = 1; i < 3; i++) {
		cop_vid w = cop__arg(g, n, i);
		if (w && (!cop__floats(g, w) || f->reader[w] != n)) return false;
	}
	return true;
}

/* The node that alone reads v, as its first operand, if it is of that kind. */
static cop_nid next_of(const finding *f, cop_vid v, int op)
{
	cop_nid n = f->reader[v];
	return n && f->g->node[n].op == op && cop__arg(f->g, n, 0) == v && !f->g->node[n].guard ? n : 0;
}

static double mean_size(const cop_graph *g, cop_vid w)
{
	const float *x = cop__floats(g, w);
	int64_t n = cop_type_count(cop__t(g, w));
	double sum = 0;

	for (int64_t i = 0; i < n; i++) sum += fabs((double)x[i]);
	return sum / (double)n;
}

static cop_chained link_of(const finding *f, cop_nid n)
{
	const cop_graph *g = f->g;
	cop_chained l = {.layer = n, .in = cop__arg(g, n, 0), .out = cop__res(g, n, 0), .plain = true};

	if (g->node[n].op == OP_conv) {
		COP_ATTR(cop_conv_attr, a, g, n);
		l.plain = a.groups == 1 && a.dh == 1 && a.dw == 1;
	}
	l.size = mean_size(g, cop__arg(g, n, 1));
	l.leaves = cop__same_shape(cop__t(g, l.in), cop__t(g, l.out));
	if (!bounded(g, n) && (l.norm = next_of(f, l.out, OP_bn))) l.out = cop__res(g, l.norm, 0);
	if (!bounded(g, l.norm ? l.norm : n) && (l.act = next_of(f, l.out, OP_clip))) l.out = cop__res(g, l.act, 0);
	return l;
}

/* The sum of the chain's result and its input; nothing may be between it and the last layer. */
static cop_nid sum_of(const finding *f, const cop_chained *first, const cop_chained *last)
{
	const cop_graph *g = f->g;
	cop_nid n = f->reader[last->out];

	if (!n || g->node[n].op != OP_add || g->node[n].guard) return 0;
	if (!cop__same_shape(cop__t(g, first->in), cop__t(g, last->out))) return 0;
	if (last->act || bounded(g, last->norm ? last->norm : last->layer)) return 0;
	return cop__arg(g, n, 0) == first->in || cop__arg(g, n, 1) == first->in ? n : 0;
}

static void chain_from(cop_chains *c, const finding *f, cop_nid n, bool *seen)
{
	int32_t begin = c->n;

	do {
		seen[n] = true;
		c->link[c->n++] = link_of(f, n);
		n = next_of(f, c->link[c->n - 1].out, f->g->node[n].op);
	} while (n && is_layer(f, n));
	for (int32_t i = begin; i < c->n; i++) c->link[i].begin = begin, c->link[i].end = c->n;
	c->link[c->n - 1].sum = sum_of(f, &c->link[begin], &c->link[c->n - 1]);
}

cop_status cop__chains_find(cop_chains *c, const cop_graph *g)
{
	finding f = {.g = g};

	*c = (cop_chains){.g = g};
	cop__arena_init(&c->mem, g->cx);
	int32_t *readers = cop__readers(g, &c->mem);
	bool *seen = cop__arena_get(&c->mem, (size_t)g->n_node + 1);
	f.reader = cop__arena_get(&c->mem, sizeof *f.reader * ((size_t)g->n_value + 1));
	c->link = cop__arena_get(&c->mem, sizeof *c->link * ((size_t)g->n_node + 1));
	if (!readers || !seen || !f.reader || !c->link) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (readers[g->node[n].in[i]] == 1) f.reader[g->node[n].in[i]] = n;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) /* a layer before it in its chain has been seen before */
		if (!seen[n] && is_layer(&f, n)) chain_from(c, &f, n, seen);
	return COP_OK;
}

void cop__chains_free(cop_chains *c) { cop__arena_free(&c->mem); }

void cop__chained_bounds(float *lo, float *hi, const cop_graph *g, const cop_chained *l)
{
	cop__act_get(g, l->act ? l->act : l->norm ? l->norm : l->layer, lo, hi);
}

/* ---- stretches ---- */

int32_t cop__stretch_keeps(const cop_stretch *s)
{
	int32_t n = 0;

	for (int32_t i = s->from; i < s->to; i++) n += !cop__stretch_drops(s, i);
	return n;
}

bool cop__stretch_is_block(const cop_stretch *s, const cop_chains *c)
{
	const cop_chained *l = &c->link[s->from];
	return !cop__stretch_keeps(s) && s->from == l->begin && s->to == l->end && c->link[l->end - 1].sum;
}

/* The next layer of the stretch into what there is so far; y: what that makes. */
static bool take_in(cop_stretch *s, const cop_graph *g, const cop_chained *l, const int32_t *x, const int32_t **y)
{
	cop_conv_attr a = {.sh = 1, .sw = 1, .dh = 1, .dw = 1, .groups = 1};
	const int32_t *d = cop__in(g, l->layer, 1)->dim;
	bool first = !s->kh, conv = g->node[l->layer].op == OP_conv;
	int32_t kh = conv ? d[1] : 1, kw = conv ? d[2] : 1;

	if (conv) memcpy(&a, g->node[l->layer].attr, sizeof a);
	if (first) {
		s->a = a, s->kh = kh, s->kw = kw;
	} else {
		cop_conv_attr one = s->a;
		if (conv && !cop__conv_compose(&s->a, &one, &a, x, *y, s->kh, s->kw)) return false;
		s->kh += (kh - 1) * one.sh, s->kw += (kw - 1) * one.sw;
	}
	*y = cop__outt(g, l->layer, 0)->dim;
	return true;
}

bool cop__stretch_fit(cop_stretch *s, const cop_chains *c)
{
	const int32_t kept = cop__stretch_keeps(s), *x = cop__t(c->g, c->link[s->from].in)->dim, *y = x;

	s->kh = s->kw = 0;
	for (int32_t i = s->from; i < s->to; i++) {
		const cop_chained *l = &c->link[i];
		if (cop__stretch_drops(s, i)) {
			if (!l->leaves) return false;
		} else if ((kept > 1 && !l->plain) || !take_in(s, c->g, l, x, &y)) {
			return false;
		}
	}
	return true;
}
