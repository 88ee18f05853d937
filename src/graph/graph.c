/* SPDX-License-Identifier: Apache-2.0
 *
 * graph - making and walking graphs. A node's inputs always have smaller positions than the node:
 * whoever appends can only refer to what is there. Names are kept unique by their users' lookups;
 * cop__find asks an index of them.
 */
#include "graph/ops.h"

#include <stdio.h>

cop_status cop__graph_new(cop_graph **out, cop_ctx *cx, const char *name)
{
	cop_graph *g = cop__alloc(cx, sizeof *g);

	*out = NULL;
	if (!g) return COP_NOMEM;
	if (!name || !*name) name = "net";
	g->cx = cx;
	g->accuracy = -1;
	cop__arena_init(&g->mem, cx);
	if (cop__grow(cx, &g->value, &g->cap_value, 1, sizeof *g->value) || cop__grow(cx, &g->node, &g->cap_node, 1, sizeof *g->node)
		|| !(g->name = cop__arena_str(&g->mem, name, strlen(name)))) {
		cop_graph_free(g);
		return COP_NOMEM;
	}
	*out = g;
	return COP_OK;
}

void cop_graph_free(cop_graph *g)
{
	if (!g) return;
	cop_ctx *cx = g->cx;
	cop__drop_all(g);
	cop__arena_free(&g->mem);
	cop__free(cx, g->value);
	cop__free(cx, g->node);
	cop__free(cx, g->input);
	cop__free(cx, g->output);
	cop__free(cx, g->classes.at);
	cop__free(cx, g->targets.at);
	cop__index_free(&g->names, cx);
	cop__free(cx, g);
}

static cop_vid new_value(cop_graph *g, cop_role role, const cop_type *t)
{
	if (cop__grow(g->cx, &g->value, &g->cap_value, g->n_value + 1, sizeof *g->value)) return 0;
	cop_vid v = (cop_vid)++g->n_value;
	g->value[v] = (cop_value){.role = role};
	if (t) g->value[v].type = *t;
	return v;
}

/* A type that can be planned: known, positive dimensions, less than 2^31 elements. */
static cop_status check_type(cop_graph *g, const char *name, const cop_type *t)
{
	int64_t n = 1;

	if (t->dtype <= COP_NOTYPE || t->rank < 0 || t->rank > COP_MAX_DIM)
		return cop__error(g->cx, COP_SHAPE, "'%s': has %d dimensions, at most %d are supported", name, t->rank, COP_MAX_DIM);
	for (int i = 0; i < t->rank; i++) {
		if (t->dim[i] <= 0) return cop__error(g->cx, COP_SHAPE, "'%s': dimension %d is %d, must be positive", name, i, t->dim[i]);
		if ((n *= t->dim[i]) > INT32_MAX) return cop__error(g->cx, COP_SHAPE, "'%s': more than 2^31 elements", name);
	}
	return COP_OK;
}

/* What is not an element after another is a weight of reals; BYTES has a scale for each index of its first axis. */
static cop_status check_encoding(cop_graph *g, cop_role role, const char *name, const cop_type *t)
{
	if (t->enc == COP_DENSE || ((role == COP_CONST || role == COP_PARAM) && t->dtype == COP_F32 && t->rank > 0)) return COP_OK;
	return cop__error(g->cx, COP_ARG, "'%s': is encoded (%s), which only a const or param of f32 with one axis or more can be", name, cop__enc_text(t->enc));
}

static cop_vid named(cop_graph *g, cop_role role, const char *name, const cop_type *t)
{
	if (!name || !*name) {
		cop__error(g->cx, COP_ARG, "an input, constant, parameter or state has no name");
		return 0;
	}
	if (check_type(g, name, t) || check_encoding(g, role, name, t)) return 0;
	if (cop__find(g, name)) {
		cop__error(g->cx, COP_ARG, "'%s': the name is used twice", name);
		return 0;
	}
	cop_vid v = new_value(g, role, t);
	if (v) cop__name(g, v, name);
	return v;
}

/* A type may be that of a value of g, which moves when the graph grows. */
cop_vid cop__input(cop_graph *g, const char *name, const cop_type *type)
{
	const cop_type t = *type;
	cop_vid v = named(g, COP_INPUT, name, &t);

	if (v && t.q.scale && cop__set_quant(g, v, *t.q.scale, t.q.zero ? *t.q.zero : 0)) return 0; /* its own copy */
	if (!v || cop__grow(g->cx, &g->input, &g->cap_input, g->n_input, sizeof *g->input)) return 0;
	g->input[g->n_input++] = v;
	return v;
}

cop_status cop__set_quant(cop_graph *g, cop_vid v, float scale, int32_t zero)
{
	struct { float scale; int32_t zero; } *q = cop__arena_get(&g->mem, sizeof *q);

	if (!q) return COP_NOMEM;
	q->scale = scale;
	q->zero = zero;
	g->value[v].type.q = (cop_quant){&q->scale, &q->zero, -1};
	return COP_OK;
}

cop_vid cop__data(cop_graph *g, cop_role role, const char *name, const cop_type *type, const void *data)
{
	const cop_type t = *type;
	cop_vid v = named(g, role, name, &t);

	if (!v || !data) return v;
	void *own = cop__own(g, v);
	if (own) memcpy(own, data, cop_type_bytes(&t));
	return own ? v : 0;
}

void cop__name(cop_graph *g, cop_vid v, const char *name)
{
	if (v) g->value[v].name = *name ? cop__arena_str(&g->mem, name, strlen(name)) : NULL; /* nameless values are numbered */
	if (v && g->value[v].name) (void)cop__index_put(&g->names, g->cx, name, v); /* without memory for it cop__find looks at every value */
}

static cop_status check_arity(cop_graph *g, cop_nid n, int n_in)
{
	const cop_op *op = cop__op(g, n);

	if (n_in < op->min_in || n_in > op->max_in)
		return cop__fail(g, COP_ARG, n, "takes %d to %d inputs, got %d", op->min_in, op->max_in, n_in);
	for (int i = 0; i < n_in; i++) {
		cop_vid v = g->node[n].in[i];
		if (v > (cop_vid)g->n_value) return cop__fail(g, COP_ARG, n, "input %d does not exist", i);
		if (!v && i < op->min_in) return cop__fail(g, COP_ARG, n, "input %d is missing", i);
	}
	return COP_OK;
}

static cop_status make_outputs(cop_graph *g, cop_nid n)
{
	const cop_op *op = cop__op(g, n);

	for (int i = 0; i < op->must_out; i++) {
		cop_vid v = new_value(g, COP_TEMP, NULL);
		if (!v) return COP_NOMEM;
		g->value[v].producer = n;
		g->node[n].out[i] = v;
	}
	COP_TRY(op->infer(g, n));
	for (int i = 0; i < op->n_out; i++)
		if (g->node[n].out[i]) COP_TRY(check_type(g, op->name, cop__outt(g, n, i)));
	return COP_OK;
}

cop_nid cop__node(cop_graph *g, int op, const void *attr, int n_in, const cop_vid *in)
{
	int32_t n_value = g->n_value;

	if (g->cx->code || n_in > COP_MAX_IN || cop__grow(g->cx, &g->node, &g->cap_node, g->n_node + 1, sizeof *g->node)) return 0;
	cop_nid n = (cop_nid)++g->n_node;
	cop_node *d = &g->node[n];
	*d = (cop_node){.op = (uint16_t)op, .n_in = (uint8_t)n_in};
	for (int i = 0; i < n_in; i++) d->in[i] = in[i];
	if (attr) memcpy(d->attr, attr, (size_t)cop__attr_words(cop_ops[op]) * 4);
	if (!check_arity(g, n, n_in) && !make_outputs(g, n)) return n;
	g->n_node--; /* as if it had never been */
	g->n_value = n_value;
	return 0;
}

cop_vid cop__apply(cop_graph *g, int op, const void *attr, int n_in, const cop_vid *in)
{
	cop_nid n = cop__node(g, op, attr, n_in, in);
	return n ? g->node[n].out[0] : 0;
}

cop_vid cop__want_out(cop_graph *g, cop_nid n, int i)
{
	const cop_op *op = cop__op(g, n);

	if (g->node[n].out[i]) return g->node[n].out[i];
	cop_vid v = new_value(g, COP_TEMP, NULL);
	if (!v) return 0;
	g->value[v].producer = n;
	g->node[n].out[i] = v;
	return op->infer(g, n) ? 0 : v;
}

cop_status cop__output(cop_graph *g, cop_vid v, const char *name)
{
	char made[24] = "y";

	if (!v) return g->cx->code ? g->cx->code : cop__error(g->cx, COP_ARG, "an output does not exist");
	COP_TRY(cop__grow(g->cx, &g->output, &g->cap_output, g->n_output, sizeof *g->output));
	if (!name && !g->value[v].name) {
		for (int i = g->n_output; i || cop__find(g, made); i++) {
			snprintf(made, sizeof made, "y%d", i);
			if (!cop__find(g, made)) break;
		}
		name = made;
	}
	if (name) cop__name(g, v, name);
	g->output[g->n_output++] = v;
	return COP_OK;
}

static bool has_name(const cop_graph *g, cop_vid v, const char *name)
{
	return v <= (cop_vid)g->n_value && g->value[v].name && !strcmp(g->value[v].name, name);
}

cop_vid cop__find(const cop_graph *g, const char *name)
{
	cop_index_at at = {0};
	cop_vid first = 0;

	for (cop_vid v; (v = cop__index_next(&g->names, &at, name));)
		if ((!first || v < first) && has_name(g, v, name)) first = v;
	for (cop_vid v = 1; g->names.lost && !first && v <= (cop_vid)g->n_value; v++)
		if (has_name(g, v, name)) first = v;
	return first;
}

bool cop_graph_keeps_state(const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].alias) return true;
	return false;
}

int32_t *cop__readers(const cop_graph *g, cop_arena *mem)
{
	int32_t *n = cop__arena_get(mem, sizeof *n * (size_t)(g->n_value + 1));

	if (!n) return NULL;
	for (int32_t i = 1; i <= g->n_node; i++) {
		for (int j = 0; j < g->node[i].n_in; j++) n[g->node[i].in[j]]++;
		n[g->node[i].guard]++;
	}
	for (int32_t i = 0; i < g->n_output; i++) n[g->output[i]]++;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].alias) n[v]++;
	n[0] = 0;
	return n;
}

/* A node is known by its first named input that is a weight, else by a named result. */
static const char *node_name(const cop_graph *g, cop_nid n)
{
	const cop_node *d = &g->node[n];

	for (int i = 0; i < d->n_in; i++)
		if (g->value[d->in[i]].role >= COP_CONST && g->value[d->in[i]].name) return g->value[d->in[i]].name;
	for (int i = 0; i < COP_MAX_OUT; i++)
		if (d->out[i] && g->value[d->out[i]].name) return g->value[d->out[i]].name;
	return NULL;
}

const char *cop__label(const cop_graph *g, cop_nid n, char buf[96])
{
	const char *name = node_name(g, n), *op = cop__op(g, n)->name;

	if (name) return snprintf(buf, 96, "%s '%s'", op, name), buf;
	int far = 0; /* a chain of nameless nodes may be as long as the graph */
	for (cop_nid m = n; m && !name && far++ < 32; m = g->value[g->node[m].in[0]].producer) name = node_name(g, m); /* the nearest layer before it */
	snprintf(buf, 96, name ? "%s behind '%s'" : "%s", op, name);
	return buf;
}

cop_status cop__fail(const cop_graph *g, cop_status code, cop_nid n, const char *fmt, ...)
{
	char text[300], label[96];
	va_list ap;

	va_start(ap, fmt);
	cop__vformat(text, sizeof text, fmt, ap);
	va_end(ap);
	return cop__error(g->cx, code, "node %u (%s): %s", n, cop__label(g, n, label), text);
}
