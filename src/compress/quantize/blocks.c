/* SPDX-License-Identifier: Apache-2.0
 *
 * blocks - finds the blocks of a network, and mixes what they read: see blocks.h.
 */
#include "compress/quantize/blocks.h"

bool cop__is_learned(const cop_quantizer *z, cop_nid n)
{
	int op = z->g->node[n].op;
	return z->layer[n].bits && (op == OP_conv || op == OP_fc);
}

/* last[v]: the node that reads v last; one more than there are for outputs. */
static cop_nid *last_readers(const cop_quantizer *z)
{
	const cop_graph *g = z->g;
	cop_nid *last = cop__alloc(z->cx, sizeof *last * (size_t)(g->n_value + 1));

	for (cop_nid n = 1; last && n <= (cop_nid)g->n_node; n++) {
		for (int i = 0; i < g->node[n].n_in; i++) last[g->node[n].in[i]] = n;
		last[g->node[n].guard] = n;
	}
	for (int32_t i = 0; last && i < g->n_output; i++) last[g->output[i]] = (cop_nid)g->n_node + 1;
	return last;
}

/* The one value that is made up to node n and read behind it; 0: there are several, or it is none that can be cut at. */
static cop_vid crossing(const cop_quantizer *z, const cop_nid *last, cop_nid n)
{
	const cop_graph *g = z->g;
	cop_vid one = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (last[v] <= n || x->producer > n || x->role >= COP_CONST) continue;
		if (one) return 0;
		one = (cop_vid)v;
	}
	const cop_type *t = cop__t(g, one);
	cop_nid by = one ? g->value[one].producer : 0;
	/* rows of samples, one after the other */
	return by && !(cop__op(g, by)->flags & COP_OP_VIEW) && t->dtype == COP_F32 && t->rank > 1 && t->dim[0] == z->held ? one : 0;
}

int32_t cop__blocks(cop_block *b, const cop_quantizer *z)
{
	const cop_graph *g = z->g;
	cop_nid *last = last_readers(z), first = 1;
	cop_vid in = g->input[0];
	bool layers = false;
	int32_t count = 0;

	for (cop_nid n = 1; last && n <= (cop_nid)g->n_node; n++) {
		layers |= cop__is_learned(z, n);
		cop_vid out = layers ? crossing(z, last, n) : 0;
		if (!out) continue;
		b[count++] = (cop_block){first, n, in, out};
		first = n + 1, in = out, layers = false;
	}
	cop__free(z->cx, last);
	return count;
}

void cop__mix(float *to, const float *q, const float *x, int64_t n, float drop, uint64_t seed, uint64_t at)
{
	const uint32_t stream = cop__hash_text("qdrop");

	if (drop <= 0 || q == x) memcpy(to, q, sizeof *to * (size_t)n);
	else for (int64_t i = 0; i < n; i++) to[i] = cop__rand_unit(seed, stream, at + (uint64_t)i) < drop ? x[i] : q[i];
}
