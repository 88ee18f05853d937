/* SPDX-License-Identifier: Apache-2.0
 *
 * slice - structured removal: channels, neurons and all that goes with them leave the graph, and it gets smaller
 * for every kernel. Which items go together is known from links.c; here weights are cut, attributes follow, and
 * every node is inferred again. The result computes what the network computed with those channels at zero.
 */
#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct cut {
	const cop_groups *s;
	const cop_graph *g;
	const uint8_t *drop; /* [n_group] */
	cop_graph *out;
	cop_vid *map;
} cut;

static bool gone(const cut *c, cop_vid v, int axis, int32_t index)
{
	return c->drop[cop__group_of(c->s, v, axis, index)] != 0;
}

static int32_t left(const cut *c, cop_vid v, int axis)
{
	int32_t n = 0;

	for (int32_t j = 0; j < cop__t(c->g, v)->dim[axis]; j++) n += !gone(c, v, axis, j);
	return n;
}

static int32_t new_index(const cut *c, cop_vid v, int axis, int32_t index)
{
	int32_t n = 0;

	for (int32_t j = 0; j < index; j++) n += !gone(c, v, axis, j);
	return n;
}

static cop_type new_type(const cut *c, cop_vid v)
{
	cop_type t = *cop__t(c->g, v);

	for (int i = 0; i < t.rank; i++) t.dim[i] = left(c, v, i);
	return t;
}

/* ---- weights ---- */

/* `last` is the innermost axis that is cut: below it lie whole runs. */
static void gather(const cut *c, cop_vid v, int axis, int last, size_t unit, const char **from, char **to)
{
	const cop_type *t = cop__t(c->g, v);
	size_t below = unit;

	for (int i = axis + 1; i < t->rank; i++) below *= (size_t)t->dim[i];
	for (int32_t j = 0; j < t->dim[axis]; j++) {
		if (gone(c, v, axis, j)) {
			*from += below;
		} else if (axis < last) {
			gather(c, v, axis + 1, last, unit, from, to);
		} else {
			memcpy(*to, *from, below);
			*from += below, *to += below;
		}
	}
}

static cop_status cut_leaf(cut *c, cop_vid v)
{
	const cop_value *x = &c->g->value[v];
	cop_type t = new_type(c, v);

	if (cop__same_shape(&t, &x->type)) {
		if (cop__copy_value(c->out, c->g, c->map, v)) return COP_OK;
		return cop__failed(c->g->cx);
	}
	if (!(c->map[v] = cop__data(c->out, x->role, x->name, &t, NULL))) return c->g->cx->code;
	if (!x->data) return COP_OK;
	const char *from = x->data;
	char *to = cop__own(c->out, c->map[v]);
	int last = t.rank - 1;
	if (!to) return COP_NOMEM;
	while (last && t.dim[last] == x->type.dim[last]) last--;
	gather(c, v, 0, last, (size_t)cop__dtype_bits(t.dtype) / 8, &from, &to);
	return COP_OK;
}

/* A row list {count, index...} follows axis 0 of its parameter: rows that went are struck, the others renumbered. */
static cop_status cut_rows(cut *c, cop_vid v)
{
	const cop_value *x = &c->g->value[v];
	const int32_t *old = cop__ints(c->g, v);
	cop_type t = x->type;

	t.dim[0] = COP_MIN(t.dim[0], left(c, x->of, 0) + 1);
	if (!(c->map[v] = cop__data(c->out, x->role, x->name, &t, NULL))) return c->g->cx->code;
	if (!old) return COP_OK;
	int32_t *rows = cop__own(c->out, c->map[v]), n = 0;
	if (!rows) return COP_NOMEM;
	for (int32_t i = 1; i <= old[0] && i < x->type.dim[0]; i++) {
		if (old[i] < 0 || old[i] >= cop__t(c->g, x->of)->dim[0])
			return cop__error(c->g->cx, COP_ARG, "'%s' lists row %d, which does not exist", x->name, old[i]);
		if (!gone(c, x->of, 0, old[i])) rows[++n] = new_index(c, x->of, 0, old[i]);
	}
	rows[0] = n;
	return COP_OK;
}

static bool is_rows(const cop_graph *g, const cop_value *x)
{
	return x->of && x->type.dtype == COP_I32 && x->type.rank == 1 && x->type.dim[0] > 1 && g->value[x->of].type.rank > 0;
}

static cop_status cut_leaves(cut *c)
{
	for (int32_t v = 1; v <= c->g->n_value; v++) {
		const cop_value *x = &c->g->value[v];
		if (x->producer || x->role == COP_TEMP || c->map[v]) continue;
		COP_TRY(is_rows(c->g, x) ? cut_rows(c, (cop_vid)v) : cut_leaf(c, (cop_vid)v));
	}
	return COP_OK;
}

/* ---- attributes ---- */

/* A grouped convolution is still one when each output kept meets, in its new group, the channels it met before. x: of which w takes the channels. */
static cop_status check_conv(const cut *c, cop_nid n, cop_vid x, int32_t old_groups, int32_t groups)
{
	const cop_graph *g = c->g;
	cop_vid w = cop__arg(g, n, 1);
	int32_t in = cop__t(g, w)->dim[3], outs = cop__t(g, w)->dim[0] / old_groups, no = 0;
	int32_t new_in = left(c, w, 3), new_outs = left(c, w, 0);

	if (groups < 1 || new_outs % groups || left(c, x, 3) != groups * new_in)
		return cop__fail(g, COP_SHAPE, n, "%d groups cannot hold the %d outputs that are left", groups, new_outs);
	for (int32_t o = 0; o < cop__t(g, w)->dim[0]; o++) {
		if (gone(c, w, 0, o)) continue;
		for (int32_t k = 0, nk = 0; k < in; k++) {
			if (gone(c, w, 3, k)) continue;
			int32_t from = o / outs * in + k, at = no / (new_outs / groups) * new_in + nk++;
			if (gone(c, x, 3, from) || new_index(c, x, 3, from) != at)
				return cop__fail(g, COP_SHAPE, n, "output %d would leave its group", o);
		}
		no++;
	}
	return COP_OK;
}

static cop_status adjust_conv(const cut *c, cop_nid n, cop_node *d)
{
	int32_t *groups = &d->attr[offsetof(cop_conv_attr, groups) / sizeof(int32_t)], old = *groups; /* at the same place in all three */
	cop_vid x = d->op == OP_conv_dx ? d->out[0] : d->in[0];

	if (old == 1) return COP_OK;
	*groups = left(c, x, 3) / left(c, d->in[1], 3);
	return check_conv(c, n, x, old, *groups);
}

/* from and size within the whole, of which `part` is what the slice takes; what is stepped along is whole. */
static void adjust_slice(const cut *c, cop_slice_attr *s, cop_vid whole, cop_vid part)
{
	for (int i = 0; i < cop__t(c->g, whole)->rank; i++) {
		if (s->step[i] == 0 || s->step[i] == 1) s->from[i] = new_index(c, whole, i, s->from[i]);
		if (s->size[i] > 0) s->size[i] = left(c, part, i);
	}
}

static void adjust_pad(const cut *c, cop_pad_attr *p, cop_vid x, cop_vid y)
{
	for (int i = 0; i < cop__t(c->g, x)->rank; i++) {
		if (p->before[i] < 0 || p->after[i] < 0) continue;
		int32_t begin = new_index(c, y, i, p->before[i]), end = new_index(c, y, i, p->before[i] + cop__t(c->g, x)->dim[i]);
		p->before[i] = begin;
		p->after[i] = left(c, y, i) - end;
	}
}

static cop_status adjust(const cut *c, cop_nid n, cop_node *d)
{
	cop_type y = new_type(c, cop__res(c->g, n, 0));

	if (d->op == OP_conv || d->op == OP_conv_dx || d->op == OP_qconv) return adjust_conv(c, n, d);
	if (d->op == OP_reshape || d->op == OP_sum_to || d->op == OP_expand) {
		COP_ATTR(cop_shape_attr, a, c->g, n);
		for (int i = 0; i < a.rank && i < y.rank; i++)
			if (a.dim[i] > 0) a.dim[i] = y.dim[i];
		memcpy(d->attr, &a, sizeof a);
	}
	if (d->op == OP_slice || d->op == OP_unslice) {
		COP_ATTR(cop_unslice_attr, a, c->g, n);
		if (d->op == OP_slice) adjust_slice(c, &a.s, d->in[0], d->out[0]);
		else adjust_slice(c, &a.s, d->out[0], d->in[0]);
		for (int i = 0; d->op == OP_unslice && i < y.rank; i++) a.dim[i] = y.dim[i];
		memcpy(d->attr, &a, sizeof a);
	}
	if (d->op == OP_pad) {
		COP_ATTR(cop_pad_attr, a, c->g, n);
		adjust_pad(c, &a, d->in[0], d->out[0]);
		memcpy(d->attr, &a, sizeof a);
	}
	return COP_OK;
}

static cop_status cut_node(cut *c, cop_nid n)
{
	cop_node d = c->g->node[n];

	COP_TRY(adjust(c, n, &d));
	COP_TRY(cop__copy_as(c->out, c->g, c->map, n, &d));
	for (int i = 0; i < COP_MAX_OUT; i++) {
		if (!d.out[i]) continue;
		cop_type want = new_type(c, d.out[i]);
		if (!cop__same_shape(&want, cop__t(c->out, c->map[d.out[i]])))
			return cop__fail(c->g, COP_SHAPE, n, "its links do not agree with the shape of its result %d", i);
	}
	return COP_OK;
}

/* ---- the pass ---- */

static cop_status check(const cop_groups *s, const uint8_t *drop)
{
	const cop_graph *g = s->g;
	cut c = {.s = s, .g = g, .drop = drop};

	for (int32_t k = 0; k < s->n_group; k++)
		if (drop[k]) COP_TRY(cop__group_check(s, k));
	for (int32_t v = 1; v <= g->n_value; v++)
		for (int i = 0; i < g->value[v].type.rank; i++)
			if (!left(&c, (cop_vid)v, i)) {
				const char *name = g->value[v].name, *what = name ? name : "a value";
				cop_nid n = g->value[v].producer;
				if (n) return cop__fail(g, COP_ARG, n, "nothing would be left of axis %d of its result", i);
				return cop__error(g->cx, COP_ARG, "nothing would be left of axis %d of '%s'", i, what);
			}
	return COP_OK;
}

static cop_status cut_graph(cut *c)
{
	const cop_graph *g = c->g;

	COP_TRY(cop__copy_inputs(c->out, g, c->map));
	COP_TRY(cut_leaves(c));
	for (int32_t n = 1; n <= g->n_node; n++) COP_TRY(cut_node(c, (cop_nid)n));
	return cop__copy_end(c->out, g, c->map);
}

cop_status cop__pass_slice_groups(cop_graph **out, const cop_groups *s, const uint8_t *drop)
{
	cut c = {.s = s, .g = s->g, .drop = drop};

	*out = NULL;
	COP_TRY(check(s, drop));
	COP_TRY(cop__copy_begin(out, s->g, &c.map));
	c.out = *out;
	return cop__pass_end(out, cut_graph(&c));
}

cop_status cop__pass_slice(cop_graph **out, const cop_graph *g, cop_vid v, int32_t axis, const uint8_t *keep)
{
	cop_groups s;
	cop_status st = cop__groups(&s, g);
	uint8_t *drop = st ? NULL : cop__arena_get(&s.mem, (size_t)s.n_group + 1);

	*out = NULL;
	if (!st && !drop) st = COP_NOMEM;
	if (!st && (!v || axis < 0 || axis >= cop__t(g, v)->rank))
		st = cop__error(g->cx, COP_ARG, "slice: there is no axis %d", axis);
	for (int32_t j = 0; !st && j < cop__t(g, v)->dim[axis]; j++)
		if (!keep[j]) drop[cop__group_of(&s, v, axis, j)] = 1;
	if (!st) st = cop__pass_slice_groups(out, &s, drop);
	cop__groups_free(&s);
	return st;
}

/* "0-3|7" clears keep[0..3] and keep[7]. */
static cop_status parse_drop(cop_ctx *cx, const char *text, uint8_t *keep, int32_t n)
{
	char *end;

	for (const char *p = text;; p = end + 1) {
		long from = strtol(p, &end, 10), to = from;
		bool ok = end != p;
		if (ok && *end == '-') {
			p = end + 1;
			to = strtol(p, &end, 10);
			ok = end != p;
		}
		if (!ok || (*end && *end != '|') || from < 0 || to < from || to >= n)
			return cop__error(cx, COP_ARG, "slice: drop=%s: must be indices from 0 to %d, as in 0-3|7", text, n - 1);
		for (long j = from; j <= to; j++) keep[j] = 0;
		if (!*end) return COP_OK;
	}
}

typedef struct slice_options { char of[128], drop[4096]; int32_t axis; } slice_options;
static const cop_option options[] = {
	COP_OPT_TEXT(slice_options, of, NULL, "the value from which something is removed"),
	COP_OPT_WHOLE(slice_options, axis, 0, COP_MAX_DIM - 1, "0", "along which axis"),
	COP_OPT_TEXT(slice_options, drop, NULL, "which indices, as in 0-3|7"),
	COP_OPT_END,
};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const slice_options *o = a;
	cop_vid v = cop__find(g, o->of);

	*out = NULL;
	if (!v) return cop__error(g->cx, COP_ARG, "slice: of='%s': there is no such value", o->of);
	if (o->axis >= cop__t(g, v)->rank) return cop__error(g->cx, COP_ARG, "slice: '%s' has no axis %d", o->of, o->axis);
	int32_t n = cop__t(g, v)->dim[o->axis];
	uint8_t *keep = cop__alloc(g->cx, (size_t)n);
	if (!keep) return COP_NOMEM;
	memset(keep, 1, (size_t)n);
	cop_status st = parse_drop(g->cx, o->drop, keep, n);
	if (!st) st = cop__pass_slice(out, g, v, o->axis, keep);
	cop__free(g->cx, keep);
	return st;
}

const cop_pass cop_pass_slice = {{"slice", "removes channels or neurons and all that goes with them", NULL, options, sizeof(slice_options)}, run};
