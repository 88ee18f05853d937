/* SPDX-License-Identifier: Apache-2.0
 *
 * part - gradients of layers of whose weight a part alone is trained. See part.h.
 */
#include "op/part.h"

/* The node that pastes w by a list; 0: none does. */
static cop_nid pasting(const cop_graph *g, cop_vid w)
{
	cop_nid n = g->value[w].producer;
	return n && g->node[n].op == OP_paste && cop__arg(g, n, 2) ? n : 0;
}

cop_vid cop__weight_again(cop_grad *d, cop_vid w, cop_vid x)
{
	cop_graph *g = cop__grad_graph(d);
	cop_nid n = pasting(g, w);
	COP_ATTR(cop_paste_attr, a, g, n);

	return n && cop__grad_wanted(d, x) ? cop__apply(g, OP_paste, &a, VIDS(cop__arg(g, n, 0), cop__arg(g, n, 1), cop__arg(g, n, 2))) : w;
}

/* Those channels of v, its last axis. */
static cop_vid channels(cop_graph *g, cop_vid v, cop_vid list) { return cop__apply(g, OP_gather, &(cop_axis_attr){cop__t(g, v)->rank - 1}, VIDS(v, list)); }

static cop_status of_part(cop_grad *d, cop_nid paste, int op, void *attr, cop_vid dy, cop_vid x)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid part = cop__arg(g, paste, 1), list = cop__arg(g, paste, 2);
	cop_conv_attr *c = attr;
	COP_ATTR(cop_paste_attr, a, g, paste);

	if (!cop__grad_wanted(d, part)) return COP_OK;
	if (!a.axis) dy = channels(g, dy, list), c->groups = cop__t(g, part)->dim[0];
	x = channels(g, x, list);
	return dy && x ? cop__grad_put(d, part, op, attr, VIDS(dy, x)) : cop__failed(g->cx);
}

cop_status cop__grad_weight(cop_grad *d, cop_vid w, int op, void *attr, cop_vid dy, cop_vid x)
{
	cop_vid rows = cop__rows_of(d, w);
	cop_nid paste = pasting(cop__grad_graph(d), w);

	if (paste) return of_part(d, paste, op, attr, dy, x);
	return cop__grad_put(d, w, op, attr, rows ? 3 : 2, (const cop_vid[]){dy, x, rows});
}
