/* SPDX-License-Identifier: Apache-2.0
 *
 * fuse - a clip (relu, relu6) becomes the bounds of the node that makes its input, when nobody else reads that.
 * Runs on model graphs; the training graph is derived afterwards, so that its backward nodes know the bounds.
 */
#include "pass/pass.h"

static float clamp(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

/* The node of `out` that can take over clip n of g, or 0. In the new graph, so that chains of clips collapse. */
static cop_nid taker(const cop_graph *out, const cop_graph *g, const cop_vid *map, cop_nid n, const int32_t *readers)
{
	cop_vid x = cop__arg(g, n, 0);
	cop_nid m = out->value[map[x]].producer;

	if (!g->value[x].producer || readers[x] != 1 || !m) return 0;
	if (!(cop__op(out, m)->flags & COP_OP_ACT) || out->node[m].out[0] != map[x]) return 0;
	return g->node[n].guard || out->node[m].guard ? 0 : m;
}

static cop_status fuse_node(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n, const int32_t *readers)
{
	cop_nid m = g->node[n].op == OP_clip ? taker(out, g, map, n, readers) : 0;
	float lo, hi, a, b;

	if (!m) return cop__copy_node(out, g, map, n);
	cop__act_get(g, n, &lo, &hi);
	cop__act_get(out, m, &a, &b);
	cop__act_set(out, m, clamp(a, lo, hi), clamp(b, lo, hi)); /* right for disjoint bounds, too: a constant */
	cop__map_to(out, g, map, cop__res(g, n, 0), map[cop__arg(g, n, 0)]);
	return COP_OK;
}

cop_status cop__pass_fuse(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	int32_t *readers = cop__readers(g, &(*out)->mem);
	cop_status st = readers ? cop__copy_inputs(*out, g, map) : COP_NOMEM;
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = fuse_node(*out, g, map, (cop_nid)n, readers);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_fuse(out, g);
}

const cop_pass cop_pass_fuse = {COP_ROW("fuse", "puts activations that clip, such as ReLU, into the layer before them"), run};
