/* SPDX-License-Identifier: Apache-2.0
 *
 * equalize - cross-layer equalisation (Nagel 2019, arXiv 1906.04721). Between two layers that only a ReLU or nothing
 * parts, a channel may be divided by s where it is made and multiplied by s where it is read: max(0, x / s) s = max(0,
 * x). With s = sqrt(r1 / r2) both layers get the range sqrt(r1 r2) in that channel. Pairs chain, so that it is done
 * until little changes; a depthwise layer is the second of one pair and the first of the next. A ReLU6 would have to
 * become another bound in each channel: such pairs are left alone.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

typedef struct pair { cop_nid first, second; } pair;

static bool scales_through(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if (!(cop__op(g, n)->flags & COP_OP_ACT)) return true;
	cop__act_get(g, n, &lo, &hi);
	return (lo == 0 || (isinf(lo) && lo < 0)) && isinf(hi);
}

/* Nodes between two layers that leave channels where they are and commute with a positive factor. */
static bool hands_on(const cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);

	if (g->node[n].op == OP_maxpool || g->node[n].op == OP_avgpool) return true;
	return g->node[n].op == OP_reshape && x->dim[x->rank - 1] == y->dim[y->rank - 1] &&
		cop_type_count(x) == (int64_t)x->dim[0] * x->dim[x->rank - 1] && y->dim[0] == x->dim[0];
}

static cop_nid only_reader(const cop_graph *g, cop_vid v, const int32_t *readers)
{
	for (cop_nid n = 1; readers[v] == 1 && n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 0) == v) return n;
	return 0;
}

static int32_t groups_of(const cop_graph *g, cop_nid n)
{
	if (g->node[n].op != OP_conv) return 1;
	COP_ATTR(cop_conv_attr, a, g, n);
	return a.groups;
}

static bool own_weights(const cop_graph *g, cop_nid n, const int32_t *readers)
{
	cop_vid b = cop__arg(g, n, 2);
	return cop__qlayer_is(g, n) && readers[cop__arg(g, n, 1)] == 1 && (!b || readers[b] == 1);
}

/* The layer that reads what n makes, if the two can be equalised; else 0. */
static cop_nid partner(const cop_graph *g, cop_nid n, const int32_t *readers)
{
	cop_nid m;

	if (!own_weights(g, n, readers) || !scales_through(g, n)) return 0;
	for (m = only_reader(g, cop__res(g, n, 0), readers); m && hands_on(g, m);)
		m = only_reader(g, cop__res(g, m, 0), readers);
	if (!m || !own_weights(g, m, readers)) return 0;
	int32_t groups = groups_of(g, m), o = cop__in(g, m, 1)->dim[0];
	return groups == 1 || (groups == o && cop__in(g, m, 1)->dim[3] == 1) ? m : 0;
}

static float *weights_of(const cop_graph *g, cop_nid n, int i)
{
	return (float *)(uintptr_t)cop__floats(g, cop__arg(g, n, i)); /* the graph's own: see own_pair */
}

/* The weights of m that read channel i: rows[i] of a depthwise layer, else one of every c. f 1: only the largest is
 * asked for. */
static float column(const cop_graph *g, cop_nid m, int32_t i, float f)
{
	const cop_type *t = cop__in(g, m, 1);
	int64_t count = cop_type_count(t), c = t->dim[t->rank - 1], from = i, to = count, by = c;
	float *w = weights_of(g, m, 1), most = 0;

	if (groups_of(g, m) > 1) by = 1, from = i * (count / t->dim[0]), to = from + count / t->dim[0];
	for (int64_t at = from; at < to; at += by) most = fmaxf(most, fabsf(w[at] *= f));
	return most;
}

static float row(const cop_graph *g, cop_nid n, int32_t i, float f)
{
	const cop_type *t = cop__in(g, n, 1);
	int64_t k = cop_type_count(t) / t->dim[0];
	float *w = weights_of(g, n, 1) + i * k, most = 0;

	for (int64_t at = 0; at < k; at++) most = fmaxf(most, fabsf(w[at] *= f));
	return most;
}

/* Returns how far from 1 the largest factor was. */
static float equalize_pair(const cop_graph *g, pair p)
{
	int32_t o = cop__in(g, p.first, 1)->dim[0];
	float far = 0;

	for (int32_t i = 0; i < o; i++) {
		float r1 = row(g, p.first, i, 1), r2 = column(g, p.second, i, 1), s = sqrtf(r1 / r2);
		if (!(r1 > 0 && r2 > 0 && s > 1e-4f && s < 1e4f)) continue; /* a dead channel stays as it is */
		row(g, p.first, i, 1 / s);
		column(g, p.second, i, s);
		if (cop__arg(g, p.first, 2)) weights_of(g, p.first, 2)[i] /= s;
		far = fmaxf(far, fabsf(logf(s)));
	}
	return far;
}

static cop_status own_pair(cop_graph *g, pair p)
{
	const cop_vid v[] = {cop__arg(g, p.first, 1), cop__arg(g, p.first, 2), cop__arg(g, p.second, 1)};

	for (int i = 0; i < LEN(v); i++)
		if (v[i] && !cop__own(g, v[i])) return COP_NOMEM;
	return COP_OK;
}

cop_status cop__equalize(cop_graph *g, int32_t *pairs)
{
	enum { ROUNDS = 40 };
	int32_t *readers = cop__readers(g, &g->mem);
	pair *p = cop__arena_get(&g->mem, sizeof *p * (size_t)(g->n_node + 1));
	float far = 1;

	*pairs = 0;
	if (!readers || !p) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if ((p[*pairs].second = partner(g, n, readers))) p[(*pairs)++].first = n;
	for (int32_t i = 0; i < *pairs; i++) COP_TRY(own_pair(g, p[i]));
	for (int round = 0; round < ROUNDS && far > 1e-3f; round++) {
		far = 0;
		for (int32_t i = 0; i < *pairs; i++) far = fmaxf(far, equalize_pair(g, p[i]));
	}
	return COP_OK;
}
