/* SPDX-License-Identifier: Apache-2.0
 *
 * grad - walks the forward nodes backwards and lets each op append its own backward nodes.
 *
 * A value is "wanted" when a value of `wrt` lies upstream of it; nothing is appended for the rest, so a frozen
 * layer costs no backward node and keeps no activation. Gradients that meet are added in the order they arrive.
 *
 * What a guarded node appends has its guard. Where its gradient meets another one, or goes on to a node without the
 * guard, a `gate` stands between: skipped, it is -0, and the sum is what it would be without the node. A gradient that
 * came by guarded nodes alone stays guarded, and so does the update that reads it.
 */
#include "op/grad_walk.h"

cop_graph *cop__grad_graph(cop_grad *d) { return d->g; }

static cop_vid real(const cop_grad *d, cop_vid v)
{
	for (int i = 0; i < d->n_stand; i++)
		if (d->stand[i] == v) return d->real[i];
	return v;
}

bool cop__grad_wanted(cop_grad *d, cop_vid v)
{
	v = real(d, v);
	return v && v <= (cop_vid)d->n_forward && d->wanted[v];
}

cop_vid cop__grad_of(cop_grad *d, cop_vid v) { return v && v <= (cop_vid)d->n_forward ? d->grad[v] : 0; }

cop_vid cop__rows_of(cop_grad *d, cop_vid w) { return cop__follower(d->g, w, "rows"); }

static cop_vid guard_of(const cop_graph *g, cop_vid v)
{
	return g->value[v].producer ? g->node[g->value[v].producer].guard : 0;
}

void cop__guard_since(cop_graph *g, cop_nid last, cop_vid guard)
{
	for (cop_nid n = last + 1; n <= (cop_nid)g->n_node; n++) g->node[n].guard = guard;
}

static void settle(cop_grad *d)
{
	cop__guard_since(d->g, d->last, d->guard);
	d->last = (cop_nid)d->g->n_node;
}

cop_vid cop__unskipped(cop_graph *g, cop_vid v)
{
	cop_vid guard = v ? guard_of(g, v) : 0;
	return guard ? cop__apply(g, OP_gate, NULL, VIDS(v, guard)) : v;
}

/* The sum of two gradients of v. Those who read it have v's own guard; what has another one may be missing. */
static cop_vid sum(cop_grad *d, cop_vid v, cop_vid a, cop_vid b)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = d->g;
	cop_vid ga = guard_of(g, a), gb = guard_of(g, b), home = guard_of(g, v), guard = ga == gb ? ga : home;

	if (ga && ga != guard) a = cop__unskipped(g, a);
	if (gb && gb != guard) b = cop__unskipped(g, b);
	d->last = (cop_nid)g->n_node;
	cop_vid y = a && b ? cop__apply(g, OP_add, &none, VIDS(a, b)) : 0;
	if (y) cop__guard_since(g, d->last, guard);
	d->last = (cop_nid)g->n_node;
	return y;
}

/* A gradient that a skipped node hands on as it came would count although the node did not run. */
static cop_vid only_if_run(cop_grad *d, cop_vid v, cop_vid grad)
{
	if (!d->guard || guard_of(d->g, v) == d->guard || guard_of(d->g, grad) == d->guard) return grad;
	cop_vid y = cop__apply(d->g, OP_gate, NULL, VIDS(grad, d->guard));
	settle(d);
	return y;
}

cop_status cop__grad_add(cop_grad *d, cop_vid v, cop_vid grad)
{
	if (!grad) return cop__failed(d->g->cx);
	if (!cop__grad_wanted(d, v)) return COP_OK;
	v = real(d, v);
	settle(d);
	if (!(grad = only_if_run(d, v, grad))) return d->g->cx->code;
	if (d->grad[v] && !(grad = sum(d, v, d->grad[v], grad))) return d->g->cx->code;
	d->grad[v] = grad;
	return COP_OK;
}

cop_status cop__grad_put(cop_grad *d, cop_vid v, int op, const void *attr, int n_in, const cop_vid *in)
{
	if (!cop__grad_wanted(d, v)) return COP_OK;
	return cop__grad_add(d, v, cop__apply(d->g, op, attr, n_in, in));
}

/* That of a byte is of the integer it holds (op/qtrain.h). */
static bool has_gradient(const cop_type *t) { return t->dtype == COP_F32 || t->dtype == COP_I8 || t->dtype == COP_I32; }

static void mark_wanted(cop_grad *d, int32_t n_node, int n, const cop_vid *wrt)
{
	const cop_graph *g = d->g;

	for (int i = 0; i < n; i++) d->wanted[wrt[i]] = true;
	for (int32_t m = 1; m <= n_node; m++) {
		const cop_node *node = &g->node[m];
		bool any = false;
		for (int i = 0; i < node->n_in; i++) any |= d->wanted[node->in[i]];
		if (!any || !cop_ops[node->op]->grad) continue;
		for (int i = 0; i < COP_MAX_OUT; i++)
			if (node->out[i] && has_gradient(&g->value[node->out[i]].type)) d->wanted[node->out[i]] = true;
	}
	d->wanted[0] = false;
}

bool cop__walk_reached(const cop_grad *d, cop_nid n)
{
	for (int i = 0; i < COP_MAX_OUT; i++)
		if (d->grad[d->g->node[n].out[i] <= (cop_vid)d->n_forward ? d->g->node[n].out[i] : 0]) return true;
	return false;
}

/* Has it an operand whose gradient somebody wants? A value of `wrt` may be computed: what computes it is not gone into. */
static bool leads_on(cop_grad *d, cop_nid n)
{
	for (int i = 0; i < d->g->node[n].n_in; i++)
		if (cop__grad_wanted(d, d->g->node[n].in[i])) return true;
	return false;
}

/* Node n's own part; its results' gradients first become such that it may read them. */
static cop_status one_node(cop_grad *d, cop_nid n)
{
	const cop_node *node = &d->g->node[n];
	const cop_op *op = cop__op(d->g, n);

	d->guard = node->guard;
	for (int i = 0; i < COP_MAX_OUT; i++) {
		cop_vid y = d->g->node[n].out[i], *grad = y && y <= (cop_vid)d->n_forward ? &d->grad[y] : NULL;
		if (grad && *grad && guard_of(d->g, *grad) && guard_of(d->g, *grad) != d->guard &&
			!(*grad = cop__unskipped(d->g, *grad))) return d->g->cx->code;
	}
	d->last = (cop_nid)d->g->n_node;
	COP_TRY(op->grad(d, n));
	settle(d);
	return COP_OK;
}

static cop_status walk(cop_grad *d, cop_vid loss, int32_t n_node)
{
	static const float one = 1;
	cop_type t = cop__type(COP_F32, 1, DIMS(1));
	cop_vid seed = cop__data(d->g, COP_CONST, "grad.one", &t, &one);

	if (!seed) return d->g->cx->code;
	d->grad[loss] = seed;
	for (int32_t n = n_node; n >= 1; n--) {
		const cop_op *op = cop__op(d->g, (cop_nid)n);
		if (op->grad && cop__walk_reached(d, (cop_nid)n) && leads_on(d, (cop_nid)n)) COP_TRY(one_node(d, (cop_nid)n));
	}
	return COP_OK;
}

cop_status cop__walk_begin(cop_grad *d, cop_arena *mem, cop_graph *g, int n, const cop_vid *wrt)
{
	*d = (cop_grad){.g = g, .n_forward = g->n_value};
	d->grad = cop__arena_get(mem, sizeof *d->grad * (size_t)(g->n_value + 1));
	d->wanted = cop__arena_get(mem, sizeof *d->wanted * (size_t)(g->n_value + 1));
	if (!d->grad || !d->wanted) return COP_NOMEM;
	mark_wanted(d, g->n_node, n, wrt);
	return COP_OK;
}

cop_status cop__differentiate(cop_graph *g, cop_vid loss, int n, const cop_vid *wrt, cop_vid *out)
{
	cop_arena mem;
	cop_grad d;

	cop__arena_init(&mem, g->cx);
	cop_status st = cop__walk_begin(&d, &mem, g, n, wrt);
	if (!st) st = walk(&d, loss, g->n_node);
	for (int i = 0; !st && i < n; i++) out[i] = d.grad[wrt[i]];
	cop__arena_free(&mem);
	return st;
}
