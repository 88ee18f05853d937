/* SPDX-License-Identifier: Apache-2.0
 *
 * verify - what every graph must satisfy; names the node at fault. The rules:
 *   an input is written before it is read; an alias has the size of what it overwrites, which is a PARAM, a STATE or another alias, and
 *   overwritten once; a reader of a guarded value has the same guard, but for `gate`, which has it as an input;
 *   row lists and codes are given, not computed; outputs exist; an encoded weight has its contents; where weights are said to be powers of
 *   two, they are.
 */
#include "core/need.h"
#include "graph/ops.h"

/* The input whose contents kernels use as indices, or -1. */
static int index_input(const cop_node *d)
{
	int at = d->op == OP_sgd ? 4 : d->op == OP_fc_dw || d->op == OP_conv_dw ? 2 : d->op == OP_palette || d->op == OP_palette_grad ? 1 : -1;
	return at >= 0 && at < d->n_in && d->in[at] ? at : -1;
}

static cop_status check_node(const cop_graph *g, cop_nid n)
{
	const cop_node *d = &g->node[n];
	int index = index_input(d);

	if (index >= 0 && g->value[d->in[index]].producer)
		return cop__fail(g, COP_ARG, n, "input %d holds indices: it must be an input, a constant or a state itself", index);
	for (int i = 0; i < d->n_in; i++) {
		const cop_value *v = &g->value[d->in[i]];
		if (!d->in[i]) continue;
		if (v->producer >= n) return cop__fail(g, COP_ARG, n, "reads input %d before it is written", i);
		cop_vid need = v->producer ? g->node[v->producer].guard : 0;
		bool gate = d->op == OP_gate && i == 0 && d->in[1] == need;
		if (need && d->guard != need && !gate && !(cop__op(g, n)->flags & COP_OP_UPDATE))
			return cop__fail(g, COP_ARG, n, "reads a value that may be skipped, but has not its guard");
	}
	if (d->guard && g->value[d->guard].type.dtype != COP_I32) return cop__fail(g, COP_ARG, n, "its guard must be i32");
	return COP_OK;
}

/* Two writers of one place would make the result depend on the order. */
static cop_status check_alias(const cop_graph *g, cop_vid v, cop_vid *writer)
{
	const cop_value *x = &g->value[v], *over = &g->value[x->alias];

	if (over->type.enc != COP_DENSE)
		return cop__fail(g, COP_ARG, x->producer,
			"overwrites '%s', which is encoded (%s): training takes weights that are not", over->name,
			cop__enc_text(over->type.enc));
	if (cop_type_bytes(&x->type) != cop_type_bytes(&over->type))
		return cop__fail(g, COP_SHAPE, x->producer, "overwrites '%s' of another size", over->name ? over->name : "a value");
	if (over->role != COP_PARAM && over->role != COP_STATE && !over->alias)
		return cop__fail(g, COP_ARG, x->producer, "overwrites a value that is neither parameter nor state");
	if (writer[x->alias]) return cop__fail(g, COP_ARG, x->producer, "'%s' is overwritten twice", over->name ? over->name : "a value");
	writer[x->alias] = v;
	return COP_OK;
}

/* ---- contents that kernels use as indices or shifts ---- */

/* A row list is {count, index...}: no more than fit, all of them rows. */
static cop_status check_rows(const cop_graph *g, cop_nid n, const cop_value *v, int32_t rows)
{
	const int32_t *list = v->data;
	int32_t cap = v->type.dim[0] - 1;

	if (list[0] < 0 || list[0] > cap) return cop__fail(g, COP_FORMAT, n, "row list '%s' counts %d rows, it has room for %d", v->name, list[0], cap);
	for (int32_t i = 1; i <= list[0]; i++)
		if (list[i] < 0 || list[i] >= rows) return cop__fail(g, COP_FORMAT, n, "row list '%s' names row %d of %d", v->name, list[i], rows);
	return COP_OK;
}

static cop_status check_codes(const cop_graph *g, cop_nid n, const cop_value *v, int32_t levels)
{
	const uint8_t *code = v->data;

	for (int64_t i = 0; i < cop_type_count(&v->type); i++)
		if (code[i] >= levels) return cop__fail(g, COP_FORMAT, n, "'%s' holds code %d, the codebook has %d entries", v->name, code[i], levels);
	return COP_OK;
}

/* Shifts of int8 convolutions and recurrent layers, behind their multipliers. */
static cop_status check_shifts(const cop_graph *g, cop_nid n, const cop_value *v)
{
	const int32_t *shift = (const int32_t *)v->data + v->type.dim[1];

	for (int32_t i = 0; i < v->type.dim[1]; i++)
		if (shift[i] < -31 || shift[i] > 31) return cop__fail(g, COP_FORMAT, n, "'%s' shifts by %d, it may be -31 to 31", v->name, shift[i]);
	return COP_OK;
}

/* Weights that are said to be shifts. */
static cop_status check_powers(const cop_graph *g, cop_nid n)
{
	const cop_value *w = &g->value[g->node[n].in[1]];
	const int8_t *v = w->data;
	char kind;

	if (!v || !g->node[n].attr[cop__attr_find(cop__op(g, n), "shift", &kind, NULL)]) return COP_OK;
	for (int64_t i = 0; i < cop_type_count(&w->type); i++) {
		int32_t size = v[i] < 0 ? -v[i] : v[i];
		if (size & (size - 1) || size > 64)
			return cop__fail(g, COP_FORMAT, n, "'%s' holds %d: with shift all its weights must be 0 or plus or minus a power of two up to 64", w->name, v[i]);
	}
	return COP_OK;
}

cop_status cop__check_contents(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_node *d = &g->node[n];
		const cop_type *first = cop__in(g, n, 0);
		int at = d->op == OP_qconv ? 3 : d->op == OP_qrnn ? 4 : index_input(d);
		const cop_value *v = &g->value[at >= 0 ? d->in[at] : 0];
		if (d->op == OP_qconv) COP_TRY(check_powers(g, n));
		if (!v->data || (d->op == OP_qconv && v->type.rank == 1)) continue;
		if (d->op == OP_qconv || d->op == OP_qrnn) COP_TRY(check_shifts(g, n, v));
		else if (d->op == OP_palette || d->op == OP_palette_grad) COP_TRY(check_codes(g, n, v, (d->op == OP_palette ? first->dim[0] : cop__outt(g, n, 0)->dim[0]) / COP_MAX(d->attr[1], 1)));
		else COP_TRY(check_rows(g, n, v, d->op == OP_sgd ? first->dim[0] : first->dim[first->rank - 1]));
	}
	return COP_OK;
}

cop_status cop__replace_contents(cop_graph *g, cop_contents **c)
{
	const void **old = cop__alloc(g->cx, sizeof *old * ((size_t)g->n_value + 1));

	if (!old) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		old[v] = g->value[v].data;
		if (c[v]) g->value[v].data = c[v]->bytes;
	}
	cop_status st = cop__check_contents(g);
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (st) g->value[v].data = old[v];
		else if (c[v]) cop__put_contents(g, (cop_vid)v, c[v]);
	}
	cop__free(g->cx, old);
	return st;
}

cop_status cop__not_outline(const cop_graph *g, const char *what)
{
	return g->outline ? cop__error(g->cx, COP_ARG,
		"graph '%s' is an outline, which can be counted and planned, but not %s: its weights were not computed", g->name,
		what) : COP_OK;
}

/* Zeros stand for dense contents that are missing; a blob has counts and offsets, which must have been checked. */
static cop_status check_encoded(const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.enc != COP_DENSE && !g->value[v].data)
			return cop__error(g->cx, COP_FORMAT,
				"'%s' of graph '%s' is encoded (%s) and has no contents: a text can't hold them, a .cop file does",
				g->value[v].name, g->name, cop__enc_text(g->value[v].type.enc));
	return COP_OK;
}

cop_status cop_graph_verify(const cop_graph *g)
{
	COP_NEED(COP_CX(g), g);
	COP_TRY(cop__verify_form(g));
	return check_encoded(g);
}

cop_status cop__verify_form(const cop_graph *g)
{
	cop_vid *writer = cop__alloc(g->cx, sizeof *writer * (size_t)(g->n_value + 1));
	cop_status st = writer ? COP_OK : COP_NOMEM;

	for (int32_t n = 1; !st && n <= g->n_node; n++) st = check_node(g, (cop_nid)n);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (g->value[v].alias) st = check_alias(g, (cop_vid)v, writer);
	if (!st && !g->n_output) st = cop__error(g->cx, COP_ARG, "graph '%s' has no output", g->name);
	cop__free(g->cx, writer);
	return st;
}
