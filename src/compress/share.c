/* SPDX-License-Identifier: Apache-2.0
 *
 * share - weight sharing (arXiv 1510.00149, section 3): the weights of a layer that are not zero are clustered, each then
 * is its cluster's centroid, and the centroids are trained on. Code 0 is the zero of pruned weights and never moves.
 *
 * While training, a weight is the result of a `palette` node over the PARAM "<w>.codebook" and the CONST "<w>.codes", so its
 * gradient is summed by code. Afterwards the dense weight is put back; its equal values are found again by the encoder.
 */
#include "compress/compress.h"
#include "pass/pass.h"

#include <math.h>
#include <stdio.h>

/* Nearest of k ascending centroids. */
static int nearest(const float *c, int32_t k, float v)
{
	int lo = 0, hi = k - 1;

	while (hi - lo > 1) {
		int mid = (lo + hi) / 2;
		if (c[mid] <= v) lo = mid;
		else hi = mid;
	}
	return lo < hi && fabsf(v - c[hi]) < fabsf(v - c[lo]) ? hi : lo;
}

int cop__kmeans(float *c, uint8_t *code, int32_t k, const float *v, int64_t n)
{
	float lo = INFINITY, hi = -INFINITY;
	int round = 0;

	for (int64_t i = 0; i < n; i++) lo = fminf(lo, v[i]), hi = fmaxf(hi, v[i]);
	for (int32_t j = 0; j < k; j++) c[j] = k > 1 ? lo + (hi - lo) * (float)j / (float)(k - 1) : (lo + hi) / 2;
	for (bool moved = true; moved && round < 200; round++) {
		double sum[256] = {0};
		int64_t count[256] = {0};
		moved = round == 0;
		for (int64_t i = 0; i < n; i++) {
			int j = nearest(c, k, v[i]);
			moved |= code[i] != j;
			code[i] = (uint8_t)j;
			sum[j] += (double)v[i];
			count[j]++;
		}
		for (int32_t j = 0; j < k; j++)
			if (count[j]) c[j] = (float)(sum[j] / (double)count[j]); /* stays ascending: clusters are intervals */
	}
	return round;
}

/* codebook[levels] with entry 0 = 0, and codes of all n weights. */
static cop_status cluster(cop_ctx *cx, float *book, uint8_t *codes, int32_t levels, const float *w, int64_t n)
{
	float *kept = cop__alloc(cx, (size_t)n * 4 + 4);
	uint8_t *code = cop__alloc(cx, (size_t)n + 1);
	int64_t m = 0;

	if (!kept || !code) return cop__free(cx, kept), cop__free(cx, code), COP_NOMEM;
	for (int64_t i = 0; i < n; i++)
		if (w[i] != 0) kept[m++] = w[i];
	book[0] = 0;
	if (m) cop__kmeans(book + 1, code, levels - 1, kept, m);
	m = 0;
	for (int64_t i = 0; i < n; i++) codes[i] = w[i] != 0 ? (uint8_t)(1 + code[m++]) : 0;
	cop__free(cx, kept);
	cop__free(cx, code);
	return COP_OK;
}

/* The palette node that stands for w in the shared graph. */
static cop_vid make_palette(cop_graph *out, const cop_graph *g, cop_vid w, const cop_stage *s)
{
	const cop_value *x = &g->value[w];
	int64_t n = cop_type_count(&x->type);
	int32_t levels = (int32_t)cop__stage_rate(s, x->name, 32);
	cop_type book_t = cop__type(COP_F32, 1, &levels), code_t = x->type;
	float book[256];
	char name[160];

	code_t.dtype = COP_U8;
	snprintf(name, sizeof name, "%s.codes", x->name);
	cop_vid c = cop__data(out, COP_CONST, name, &code_t, NULL);
	uint8_t *codes = c ? cop__own(out, c) : NULL;
	if (!codes || cluster(g->cx, book, codes, levels, cop__floats(g, w), n)) return 0;
	snprintf(name, sizeof name, "%s.codebook", x->name);
	cop_vid b = cop__data(out, COP_PARAM, name, &book_t, book);
	return cop__apply(out, OP_palette, &(cop_palette_attr){1}, VIDS(b, c));
}

static cop_status to_shared(cop_graph **out, const cop_graph *g, const cop_stage *s)
{
	cop_vid *map;
	int32_t n = 0;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		if (!cop__compressible(g, (cop_vid)v, s->layers) || !cop__floats(g, (cop_vid)v)) continue;
		map[v] = make_palette(*out, g, (cop_vid)v, s);
		if (!map[v]) st = g->cx->code ? g->cx->code : COP_NOMEM;
		n++;
	}
	if (!st && !n) st = cop__error(g->cx, COP_ARG, "share: no weight matches layers: %s", s->layers);
	for (int32_t i = 1; !st && i <= g->n_node; i++) st = cop__copy_node(*out, g, map, (cop_nid)i);
	if (!st) st = cop__copy_end(*out, g, map);
	return cop__pass_end(out, st);
}

/* The trained centroids back into dense weights of g. */
static cop_status from_shared(cop_graph *g, const cop_graph *shared, const cop_stage *s)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		char name[160];
		cop_vid same = g->value[v].role == COP_PARAM ? cop__find(shared, g->value[v].name) : 0;
		if (same && shared->value[same].data && g->value[v].data && shared->value[same].role == COP_PARAM) /* biases trained along */
			COP_TRY(cop__share(g, (cop_vid)v, shared, same));
		if (!cop__compressible(g, (cop_vid)v, s->layers)) continue;
		snprintf(name, sizeof name, "%s.codebook", g->value[v].name);
		cop_vid b = cop__find(shared, name);
		snprintf(name, sizeof name, "%s.codes", g->value[v].name);
		cop_vid c = cop__find(shared, name);
		if (!b || !c) continue;
		float *w = cop__own(g, (cop_vid)v);
		if (!w) return COP_NOMEM;
		for (int64_t i = 0; i < cop_type_count(&g->value[v].type); i++)
			w[i] = ((const float *)shared->value[b].data)[((const uint8_t *)shared->value[c].data)[i]];
	}
	return COP_OK;
}

cop_status cop__stage_share(cop_graph **gp, const cop_stage *s, const cop_workshop *w)
{
	cop_graph *shared = NULL;
	cop_train_args a = cop__stage_args(s, w);
	cop_status st = to_shared(&shared, *gp, s);

	if (!st && s->epochs > 0) st = cop__train(shared, w->train, w->valid, &a, "share", NULL, 0);
	if (!st) st = from_shared(*gp, shared, s);
	cop_graph_free(shared);
	return st;
}
