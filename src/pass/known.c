/* SPDX-License-Identifier: Apache-2.0
 *
 * known - values that no input can change, the same at every position of a channel, leave the network with the layers that make them: a layer whose
 * weights are all zero gives its bias, and what only reads such values gives another one. Where one meets a value that is not known, in a sum,
 * its numbers stay as a vector, or nothing if they are 0.
 */
#include "pass/pass.h"

#include <stdio.h>

typedef struct knowing { const cop_graph *g; cop_graph *out; cop_vid *map; float **of; /* [n_value+1] by channel (last axis); NULL: not known */ } knowing;

static int32_t channels(const cop_graph *g, cop_vid v) { return cop__t(g, v)->rank ? cop__t(g, v)->dim[cop__t(g, v)->rank - 1] : 1; }

static bool all_zero(const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (x[i] != 0) return false;
	return true;
}

static float held(double v, float lo, float hi) { return COP_MIN(COP_MAX((float)v, lo), hi); }

/* conv, fc: of zero weights, or of a known input that padding does not interrupt. Groups: output o of og sees the channels of its own. */
static bool know_layer(const knowing *k, cop_nid n, float *y)
{
	const cop_graph *g = k->g;
	const float *w = cop__floats(g, cop__arg(g, n, 1)), *b = cop__floats(g, cop__arg(g, n, 2)), *x = k->of[cop__arg(g, n, 0)];
	const cop_type *t = cop__in(g, n, 1);
	int32_t c = t->dim[t->rank - 1], o = t->dim[0], groups = channels(g, cop__arg(g, n, 0)) / c;
	float lo, hi;

	if (!w || (cop__arg(g, n, 2) && !b)) return false;
	int64_t each = cop_type_count(t) / o;
	bool zero = all_zero(w, cop_type_count(t));
	if (!zero && !x) return false;
	if (!zero && g->node[n].op == OP_conv) {
		COP_ATTR(cop_conv_attr, a, g, n);
		if ((a.pt | a.pl | a.pb | a.pr) && !all_zero(x, channels(g, cop__arg(g, n, 0)))) return false;
	}
	cop__act_get(g, n, &lo, &hi);
	for (int32_t i = 0; i < o; i++) {
		double sum = b ? (double)b[i] : 0;
		for (int64_t j = 0; !zero && j < each; j++) sum += (double)w[i * each + j] * (double)x[i / (o / groups) * c + j % c];
		y[i] = held(sum, lo, hi);
	}
	return true;
}

static bool know_bn(const knowing *k, cop_nid n, float *y, int32_t c)
{
	const float *x = k->of[cop__arg(k->g, n, 0)], *p[5];
	COP_ATTR(cop_bn_attr, a, k->g, n);

	for (int i = 1; i < 5; i++)
		if (!(p[i] = cop__floats(k->g, cop__arg(k->g, n, i)))) return false;
	for (int32_t i = 0; x && i < c; i++)
		y[i] = held((double)(x[i] - p[3][i]) / __builtin_sqrt((double)p[4][i] + (double)a.eps) * (double)p[1][i] +
			(double)p[2][i], a.lo, a.hi);
	return x;
}

/* Fills y; false: not known. */
static bool know(const knowing *k, cop_nid n, float *y, int32_t c)
{
	const cop_graph *g = k->g;
	const float *x = k->of[cop__arg(g, n, 0)], *z = k->of[cop__arg(g, n, 1)];
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (g->node[n].guard) return false;
	switch (g->node[n].op) {
	case OP_conv:
	case OP_fc: return know_layer(k, n, y);
	case OP_bn: return know_bn(k, n, y, c);
	case OP_clip: cop__act_get(g, n, &lo, &hi); break;
	case OP_maxpool: break;
	case OP_add:
		if (!x || !z || !cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1))) return false;
		cop__act_get(g, n, &lo, &hi);
		for (int32_t i = 0; i < c; i++) y[i] = held((double)x[i] + (double)z[i], lo, hi);
		return true;
	default: return false;
	}
	for (int32_t i = 0; x && i < c; i++) y[i] = held((double)x[i], lo, hi);
	return x;
}

/* x + a known value: x + its numbers, or x, or clip x. */
static cop_status put_sum(knowing *k, cop_nid n, int known)
{
	const cop_graph *g = k->g;
	const float *add = k->of[cop__arg(g, n, known)];
	int32_t c = channels(g, cop__res(g, n, 0));
	cop_vid x = cop__copy_value(k->out, g, k->map, cop__arg(g, n, !known)), v = 0;
	cop_type t = cop__type(COP_F32, 1, &c);
	char name[140];
	float lo, hi;

	if (!x) return cop__failed(g->cx);
	cop__act_get(g, n, &lo, &hi);
	if (all_zero(add, c) && lo == COP_NO_LO && hi == COP_NO_HI) {
		cop__map_to(k->out, g, k->map, cop__res(g, n, 0), x);
		return COP_OK;
	}
	for (int i = 0; i == 0 || cop__find(g, name) || cop__find(k->out, name); i++) snprintf(name, sizeof name, "known%u.%d", (unsigned)n, i);
	if (!all_zero(add, c) && !(v = cop__data(k->out, COP_PARAM, name, &t, add))) return cop__failed(g->cx);
	cop_act_attr a = {lo, hi};
	cop_vid y = v ? cop__apply(k->out, OP_add, &a, VIDS(x, v)) : cop__apply(k->out, OP_clip, &a, VIDS(x));
	if (!y) return cop__failed(g->cx);
	cop__map_to(k->out, g, k->map, cop__res(g, n, 0), y);
	return COP_OK;
}

static cop_status rewrite(knowing *k)
{
	const cop_graph *g = k->g;

	if (!(k->of = cop__arena_get(&k->out->mem, sizeof *k->of * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	COP_TRY(cop__copy_inputs(k->out, g, k->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid y = cop__res(g, n, 0);
		int32_t c = y ? channels(g, y) : 0;
		float *room = c ? cop__arena_get(&k->out->mem, sizeof *room * (size_t)c) : NULL;
		if (c && !room) return COP_NOMEM;
		if (room && cop__t(g, y)->dtype == COP_F32 && know(k, n, room, c)) k->of[y] = room;
		bool sum = g->node[n].op == OP_add && !k->of[y] && !g->node[n].guard && cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1));
		int known = sum && k->of[cop__arg(g, n, 0)] ? 0 : sum && k->of[cop__arg(g, n, 1)] ? 1 : -1;
		if (known >= 0) COP_TRY(put_sum(k, n, known));
		else COP_TRY(cop__copy_node(k->out, g, k->map, n)); /* dce takes what nobody reads any more */
	}
	return cop__copy_rest(k->out, g, k->map);
}

cop_status cop__pass_known(cop_graph **out, const cop_graph *g)
{
	knowing k = {.g = g};

	*out = NULL;
	COP_TRY(cop__not_outline(g, "reduced by its weights"));
	COP_TRY(cop__copy_begin(out, g, &k.map));
	k.out = *out;
	COP_TRY(cop__pass_end(out, rewrite(&k)));
	return cop__pass_then(out, cop__pass_dce);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_known(out, g);
}

const cop_pass cop_pass_known = {COP_ROW("known", "removes layers whose result no input can change"), run};
