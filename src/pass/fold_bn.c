/* SPDX-License-Identifier: Apache-2.0
 *
 * fold_bn - a batch normalisation after a convolution or a fully connected layer becomes part of its weights:
 *     w' = w s,  b' = (b - mean) s + beta,  s = gamma / sqrt(var + eps),  per output channel.
 * Behind sums of distances (addconv), which no weight can scale, s and b' become inputs of the layer.
 * Computed here, in double, from the data of the leaves; names are kept, so w' is still "conv1.w".
 * A bn that cannot be folded (another reader, an activation between, a weight that is encoded or read elsewhere, too) stays. So does
 * one behind a layer of signs: its sums are exact, and the bounds that the pass bits makes of the two are those of what is run.
 */
#include "pass/pass.h"

#include <math.h>
#include <stdio.h>

static bool is_leaf(const cop_graph *g, cop_vid v) { return v && g->value[v].role >= COP_CONST; }

static bool dense(const cop_graph *g, cop_vid v)
{
	return is_leaf(g, v) && g->value[v].type.enc == COP_DENSE && g->value[v].type.dtype == COP_F32;
}

/* Are they signs, or moved ones? */
static bool of_signs(const cop_graph *g, cop_vid v)
{
	for (cop_nid n; (n = g->value[v].producer); v = cop__arg(g, n, 0)) {
		int op = g->node[n].op;
		if (op == OP_sign) return true;
		if (op != OP_pad && op != OP_reshape && op != OP_maxpool) return false;
	}
	return false;
}

/* The producer that bn node n can be folded into, or 0. */
static cop_nid target(const cop_graph *g, cop_nid n, const int32_t *readers, cop_stays *stays)
{
	cop_vid x = cop__arg(g, n, 0);
	cop_nid p = g->value[x].producer;
	float lo, hi;

	if (g->node[n].op != OP_bn || !p || readers[x] != 1) return 0;
	if (g->node[p].op != OP_conv && g->node[p].op != OP_fc && (g->node[p].op != OP_addconv || cop__arg(g, p, 2))) return 0;
	for (int i = 1; i < 5; i++)
		if (!dense(g, cop__arg(g, n, i))) return 0;
	cop__act_get(g, p, &lo, &hi);
	if (!(isinf(lo) && lo < 0 && isinf(hi) && hi > 0)) return 0;
	cop_vid w = cop__arg(g, p, 1), b = cop__arg(g, p, 2);
	if (!dense(g, w) || readers[w] != 1 || (stays && stays(g, w)) || (b && (!dense(g, b) || readers[b] != 1))) return 0;
	if (of_signs(g, cop__arg(g, p, 0)) && cop__two_values(g, w, NULL)) return 0;
	return g->node[n].guard || g->node[p].guard ? 0 : p;
}

static double at(const cop_graph *g, cop_vid v, int32_t i)
{
	const float *d = cop__floats(g, v);
	return d ? (double)d[i] : 0;
}

/* "conv1.w" -> "conv1.b"; another word is tried when that is taken. */
static void beside(const cop_graph *out, const cop_graph *g, const char *w, char what, char name[128])
{
	size_t len = strlen(w);
	int stem = (int)(len > 2 && !strcmp(w + len - 2, ".w") ? len - 2 : len);

	snprintf(name, 128, "%.*s.%c", stem > 100 ? 100 : stem, w, what);
	for (int i = 0; cop__find(g, name) || cop__find(out, name); i++)
		snprintf(name, 128, "%.*s.%c%d", stem > 100 ? 100 : stem, w, what, i);
}

static double factor(const cop_graph *g, cop_nid n, int32_t o)
{
	char kind;
	double eps = (double)cop__float(g->node[n].attr[cop__attr_find(cop__op(g, n), "eps", &kind, NULL)]);
	return at(g, cop__arg(g, n, 1), o) / sqrt(at(g, cop__arg(g, n, 4), o) + eps);
}

/* Scales the weights fw [out, rest] and writes the folded bias to fb [out]. */
static void compute(const cop_graph *g, cop_nid p, cop_nid n, float *fw, float *fb)
{
	cop_vid w = cop__arg(g, p, 1);
	int32_t rows = cop__t(g, w)->dim[0], cols = (int32_t)(cop_type_count(cop__t(g, w)) / rows);

	for (int32_t o = 0; o < rows; o++) {
		double s = factor(g, n, o);
		for (int32_t i = 0; i < cols; i++) fw[o * cols + i] = (float)((double)fw[o * cols + i] * s);
		fb[o] = (float)(((double)fb[o] - at(g, cop__arg(g, n, 3), o)) * s + at(g, cop__arg(g, n, 2), o));
	}
}

static cop_status fold(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid p, cop_nid n)
{
	cop_vid w = cop__arg(g, p, 1), b = cop__arg(g, p, 2);
	cop_type tw = *cop__t(g, w), tb = cop__type(COP_F32, 1, DIMS(tw.dim[0]));
	char name[128];
	float lo, hi;

	if (b) snprintf(name, sizeof name, "%s", g->value[b].name);
	else beside(out, g, g->value[w].name, 'b', name);

	cop_node d = g->node[p];
	cop_vid x = cop__copy_value(out, g, map, d.in[0]);
	cop_vid nw = cop__data(out, g->value[w].role, g->value[w].name, &tw, NULL);
	cop_vid nb = cop__data(out, b ? g->value[b].role : g->value[w].role, name, &tb, NULL);
	cop_nid m = x && nw && nb ? cop__node(out, d.op, d.attr, VIDS(x, nw, nb)) : 0;
	if (!m) return g->cx->code ? g->cx->code : COP_NOMEM;
	if (!out->outline) {
		float *fw = cop__take(out, nw, g, w), *fb = b ? cop__take(out, nb, g, b) : cop__own(out, nb);
		if (!fw || !fb) return COP_NOMEM;
		compute(g, p, n, fw, fb);
	}
	cop__act_get(g, n, &lo, &hi);
	cop__act_set(out, m, lo, hi);
	map[w] = nw;
	if (b) map[b] = nb;
	cop__map_to(out, g, map, cop__res(g, n, 0), cop__res(out, m, 0));
	map[d.out[0]] = cop__res(out, m, 0);
	return COP_OK;
}

static cop_status fold_adds(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid p, cop_nid n)
{
	cop_vid w = cop__arg(g, p, 1), v[2];
	cop_type t = cop__type(COP_F32, 1, DIMS(cop__t(g, w)->dim[0]));
	char name[128];
	float lo, hi, *to[2] = {NULL, NULL};

	cop_vid x = cop__copy_value(out, g, map, cop__arg(g, p, 0)), nw = x ? cop__copy_value(out, g, map, w) : 0;
	for (int i = 0; nw && i < 2; i++) {
		beside(out, g, g->value[w].name, "sb"[i], name);
		if (!(v[i] = cop__data(out, g->value[w].role, name, &t, NULL)) || !(to[i] = cop__own(out, v[i]))) nw = 0;
	}
	cop_nid m = nw ? cop__node(out, OP_addconv, g->node[p].attr, VIDS(x, nw, v[0], v[1])) : 0;
	if (!m) return g->cx->code ? g->cx->code : COP_NOMEM;
	for (int32_t o = 0; o < t.dim[0]; o++) {
		to[0][o] = (float)factor(g, n, o);
		to[1][o] = (float)(at(g, cop__arg(g, n, 2), o) - at(g, cop__arg(g, n, 3), o) * factor(g, n, o));
	}
	cop__act_get(g, n, &lo, &hi);
	cop__act_set(out, m, lo, hi);
	cop__map_to(out, g, map, cop__res(g, n, 0), cop__res(out, m, 0));
	map[g->node[p].out[0]] = cop__res(out, m, 0);
	return COP_OK;
}

static cop_status rewrite(cop_graph *out, const cop_graph *g, cop_vid *map, cop_stays *stays)
{
	int32_t *readers = cop__readers(g, &out->mem);
	cop_nid *by = cop__arena_get(&out->mem, sizeof *by * (size_t)(g->n_node + 1)); /* by[p]: the bn folded into p */

	if (!readers || !by) return COP_NOMEM;
	COP_TRY(cop__copy_inputs(out, g, map));
	for (int32_t n = 1; n <= g->n_node; n++) by[target(g, (cop_nid)n, readers, stays)] = (cop_nid)n;
	for (int32_t n = 1; n <= g->n_node; n++) {
		if (by[n]) COP_TRY(g->node[n].op == OP_addconv ? fold_adds(out, g, map, (cop_nid)n, by[n]) : fold(out, g, map, (cop_nid)n, by[n]));
		else if (!target(g, (cop_nid)n, readers, stays)) COP_TRY(cop__copy_node(out, g, map, (cop_nid)n));
	}
	return cop__copy_rest(out, g, map);
}

cop_status cop__pass_fold_bn_but(cop_graph **out, const cop_graph *g, cop_stays *stays)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	return cop__pass_end(out, rewrite(*out, g, map, stays));
}

cop_status cop__pass_fold_bn(cop_graph **out, const cop_graph *g) { return cop__pass_fold_bn_but(out, g, NULL); }

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_fold_bn(out, g);
}

const cop_pass cop_pass_fold_bn = {COP_ROW("fold_bn", "folds batch normalisation into the weights before it"), run};
