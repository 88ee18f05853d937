/* SPDX-License-Identifier: Apache-2.0
 *
 * squares - squares of the gradients of single samples, summed over a batch. The gradient of a batch is a sum over its
 * samples, so that of one is lost in it; but it goes back to each layer's result sample by sample, and only the last
 * step, to the weight, adds up. That step is done here instead:
 *
 *   fully connected   a sample's gradient is d x', and the sum of squares is that of d^2 (x^2)'
 *   convolution       each sample's gradient is made by itself, from its part of d and x
 */
#include "op/axes.h"
#include "op/grad_walk.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_vid square(cop_graph *g, cop_vid v) { return v ? cop__apply(g, OP_mul, &none, VIDS(v, v)) : 0; }

/* ---- which layers can ---- */

/* The one node that reads weight w; 0: several do. */
static cop_nid reader_of(const cop_graph *g, cop_vid w)
{
	cop_nid found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			if (g->node[n].in[i] != w) continue;
			if (found) return 0;
			found = n;
		}
	return found;
}

bool cop__squares_apart(const cop_graph *g, int32_t batch, cop_vid w)
{
	cop_nid n = reader_of(g, w);
	return n && (g->node[n].op == OP_fc || g->node[n].op == OP_conv) && cop__arg(g, n, 1) == w &&
		cop__in(g, n, 0)->dim[0] == batch && !g->node[n].guard && !cop__follower(g, w, "rows");
}

/* ---- the last step ---- */

static cop_vid part_of(cop_graph *g, cop_vid v, int32_t sample)
{
	cop_slice_attr s = {.from = {sample}, .size = {1}, .step = {1, 1, 1, 1, 1, 1}};
	return cop__apply(g, OP_slice, &s, VIDS(v));
}

static cop_vid of_convolution(cop_graph *g, cop_nid n, cop_vid dy)
{
	const int32_t samples = cop__t(g, dy)->dim[0];
	cop_vid x = cop__arg(g, n, 0), w = cop__arg(g, n, 1), sum = 0;
	COP_ATTR(cop_conv_attr, a, g, n);
	cop_conv_dw_attr to_w = {a, cop__t(g, w)->dim[1], cop__t(g, w)->dim[2]};

	to_w.c.lo = COP_NO_LO, to_w.c.hi = COP_NO_HI;
	for (int32_t i = 0; i < samples; i++) {
		cop_vid one = square(g, cop__apply(g, OP_conv_dw, &to_w, VIDS(part_of(g, dy, i), part_of(g, x, i))));
		sum = i ? cop__apply(g, OP_add, &none, VIDS(sum, one)) : one;
	}
	return sum;
}

static cop_vid of_layer(cop_grad *d, cop_nid n)
{
	cop_graph *g = d->g;
	cop_vid y = cop__res(g, n, 0), dy = cop__grad_of(d, y);
	float lo, hi;

	if (g->node[n].op == OP_fc) {
		COP_ATTR(cop_act_attr, a, g, n);
		lo = a.lo, hi = a.hi;
	} else {
		COP_ATTR(cop_conv_attr, a, g, n);
		lo = a.lo, hi = a.hi;
	}
	if (lo != COP_NO_LO || hi != COP_NO_HI) dy = cop__apply(g, OP_clip_grad, &(cop_act_attr){lo, hi}, VIDS(dy, y));
	if (!dy) return 0;
	if (g->node[n].op == OP_conv) return of_convolution(g, n, dy);
	return cop__apply(g, OP_fc_dw, NULL, VIDS(square(g, dy), square(g, cop__arg(g, n, 0))));
}

/* ---- the walk ---- */

static cop_status go_back(cop_grad *d, int32_t n_node, int n_wrt, const cop_vid *wrt, cop_vid *out)
{
	for (int32_t n = n_node; n >= 1; n--) {
		const cop_op *op = cop__op(d->g, (cop_nid)n);
		if (!op->grad || !cop__walk_reached(d, (cop_nid)n)) continue;
		for (int i = 0; i < n_wrt; i++) {
			if (cop__arg(d->g, (cop_nid)n, 1) != wrt[i]) continue;
			if (!(out[i] = of_layer(d, (cop_nid)n))) return cop__failed(d->g->cx);
			d->wanted[wrt[i]] = false;
		}
		COP_TRY(op->grad(d, (cop_nid)n));
	}
	return COP_OK;
}

cop_status cop__square_gradients(cop_graph *g, int32_t samples, cop_vid y, cop_vid dy, int n, const cop_vid *wrt,
	cop_vid *out)
{
	cop_arena mem;
	cop_grad d;
	const int32_t n_node = g->n_node;
	bool apart = true;

	cop__arena_init(&mem, g->cx);
	for (int i = 0; i < n; i++) apart &= cop__squares_apart(g, samples, wrt[i]), out[i] = 0;
	if (!apart && samples != 1)
		return cop__arena_free(&mem),
			cop__error(g->cx, COP_ARG, "gradients of several samples can't be told apart here");
	cop_status st = cop__walk_begin(&d, &mem, g, n, wrt);
	if (!st) d.grad[y] = dy;
	if (!st) st = go_back(&d, n_node, apart ? n : 0, wrt, out);
	for (int i = 0; !st && !apart && i < n; i++)
		if (d.grad[wrt[i]] && !(out[i] = square(g, d.grad[wrt[i]]))) st = cop__failed(g->cx);
	cop__arena_free(&mem);
	return st;
}
