/* SPDX-License-Identifier: Apache-2.0
 *
 * curvature - the diagonal of the Hessian, walked back through the forward nodes. With y = sum_i w_i x_i the second derivative of x_i is w_i^2 that of
 * y, so each product's own rule of gradients does the work once squares stand for its operands. What only chooses or moves numbers hands the curvature
 * on as it would a gradient; a function of one number takes its slope twice; a mean of k numbers takes 1/k twice.
 */
#include "op/axes.h"
#include "op/grad_walk.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

typedef struct walk { cop_grad d; cop_vid *square; } walk; /* square: [n_forward+1] of a value, once it is made */

/* ---- products ---- */

static cop_status put_square(walk *w, cop_nid n, int i)
{
	cop_grad *d = &w->d;
	cop_vid v = d->g->node[n].in[i];

	if (!v || d->g->value[v].type.dtype != COP_F32) return COP_OK;
	if (!w->square[v] && !(w->square[v] = cop__apply(d->g, OP_mul, &none, VIDS(v, v)))) return d->g->cx->code;
	d->stand[d->n_stand] = w->square[v];
	d->real[d->n_stand++] = v;
	d->g->node[n].in[i] = w->square[v];
	return COP_OK;
}

static cop_status product(walk *w, cop_nid n)
{
	const cop_node was = w->d.g->node[n];
	cop_status st = COP_OK;

	for (int i = 0; !st && i < COP_MIN(was.n_in, 2); i++) st = put_square(w, n, i); /* a bias is not multiplied */
	if (!st) st = cop__op(w->d.g, n)->grad(&w->d, n);
	memcpy(w->d.g->node[n].in, was.in, sizeof was.in);
	w->d.n_stand = 0;
	return st;
}

/* ---- functions of one number ---- */

static cop_status slope_twice(walk *w, cop_nid n)
{
	cop_grad *d = &w->d;
	cop_vid x = cop__arg(d->g, n, 0), y = cop__res(d->g, n, 0);

	if (!cop__grad_wanted(d, x)) return COP_OK;
	cop_vid so_far = d->grad[x];
	d->grad[x] = 0;
	COP_TRY(cop__op(d->g, n)->grad(d, n));
	d->grad[y] = d->grad[x];
	d->grad[x] = so_far;
	return d->grad[y] ? cop__op(d->g, n)->grad(d, n) : COP_OK;
}

/* ---- means ---- */

/* How many numbers each result is the mean of; 0: not the same for all. */
static int32_t mean_of(const cop_graph *g, cop_nid n)
{
	if (g->node[n].op == OP_reduce) {
		COP_ATTR(cop_reduce_attr, a, g, n);
		return a.fn == REDUCE_SUM ? 1 : a.fn == REDUCE_MEAN ? cop__count32(cop__in(g, n, 0)) / cop__count32(cop__outt(g, n, 0)) : 0;
	}
	COP_ATTR(cop_pool_attr, p, g, n);
	return p.count_pads || !(p.pt | p.pl | p.pb | p.pr) ? p.kh * p.kw : 0;
}

static cop_status mean(walk *w, cop_nid n)
{
	cop_grad *d = &w->d;
	cop_vid y = cop__res(d->g, n, 0);
	int32_t k = mean_of(d->g, n);
	char name[40];

	if (!k) return cop__fail(d->g, COP_ARG, n, "curvature does not go back through it");
	cop__format(name, sizeof name, "curvature.share.%d", k);
	if (k > 1 && !(d->grad[y] = cop__apply(d->g, OP_mul, &none, VIDS(d->grad[y], cop__scalar(d->g, name, 1.0f / (float)k))))) return d->g->cx->code;
	return cop__op(d->g, n)->grad(d, n);
}

/* ---- the walk ---- */

/* A difference has the rule of a sum: (-1)^2 = 1. */
static cop_status difference(walk *w, cop_nid n) { return cop_ops[OP_add]->grad(&w->d, n); }
static cop_status as_gradient(walk *w, cop_nid n) { return cop__op(w->d.g, n)->grad(&w->d, n); }

static cop_status (*rule_of(int op))(walk *, cop_nid)
{
	switch (op) {
	case OP_conv: case OP_conv_dx: case OP_fc: case OP_matmul: case OP_mul: return product;
	case OP_add: case OP_clip: case OP_maxpool: case OP_reshape: case OP_transpose: case OP_concat: case OP_slice: case OP_pad: case OP_expand:
	case OP_max: case OP_min: case OP_where: case OP_gather: return as_gradient;
	case OP_sub: return difference;
	case OP_sigmoid: case OP_tanh: case OP_gelu: case OP_hswish: case OP_map: return slope_twice;
	case OP_avgpool: case OP_reduce: return mean;
	default: return NULL;
	}
}

static cop_status go_back(walk *w, int32_t n_node)
{
	for (int32_t n = n_node; n >= 1; n--) {
		const cop_op *op = cop__op(w->d.g, (cop_nid)n);
		cop_status (*rule)(walk *, cop_nid) = rule_of(w->d.g->node[n].op);
		bool wanted = cop__grad_wanted(&w->d, cop__res(w->d.g, (cop_nid)n, 0));
		if (!op->grad || !wanted || !cop__walk_reached(&w->d, (cop_nid)n)) continue;
		if (!rule) return cop__fail(w->d.g, COP_ARG, (cop_nid)n, "curvature does not go back through it");
		COP_TRY(rule(w, (cop_nid)n));
	}
	return COP_OK;
}

cop_status cop__curvature(cop_graph *g, cop_vid y, cop_vid h, int n, const cop_vid *wrt, cop_vid *out)
{
	cop_arena mem;
	walk w = {.square = NULL};
	const int32_t n_node = g->n_node;

	cop__arena_init(&mem, g->cx);
	cop_status st = cop__walk_begin(&w.d, &mem, g, n, wrt);
	if (!st && !(w.square = cop__arena_get(&mem, sizeof *w.square * (size_t)(g->n_value + 1)))) st = COP_NOMEM;
	if (!st) w.d.grad[y] = h;
	if (!st) st = go_back(&w, n_node);
	for (int i = 0; !st && i < n; i++) out[i] = w.d.grad[wrt[i]];
	cop__arena_free(&mem);
	return st;
}
