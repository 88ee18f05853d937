/* SPDX-License-Identifier: Apache-2.0
 *
 * read - goes through the nodes that the outputs need, each behind those it reads, and makes a graph of them. Who only
 * feeds shapes is found beforehand (mark_needed), so that an input that decides about shapes may be given as an array.
 */
#include "io/onnx/model.h"

#include <stdio.h>

/* ---- the order ---- */

enum { UNSEEN, OPEN, CLOSED };

typedef struct order {
	int32_t *node; /* nodes in order */
	int32_t n;
	int32_t *stack;
} order;

static cop_status missing(cop_ox *m, const cop_ox_node *n, const cop_ox_value *v)
{
	return cop__ox_fail(m, n, "reads '%.60s', which is no input, no initialiser and no node's result", v->name);
}

static bool is_leaf(const cop_ox_value *v) { return v->tensor || v->is_input; }

/* Pushes the producers of n's inputs that stand open; counts readers. */
static cop_status push_inputs(cop_ox *m, cop_ox_node *n, int32_t *stack, int32_t *top)
{
	for (int i = n->n_in - 1; i >= 0; i--) {
		cop_ox_value *v = &m->value[n->in[i]];
		if (!n->in[i]) continue;
		v->readers++;
		v->reader = n->index;
		if (!v->producer) {
			if (!is_leaf(v)) return missing(m, n, v);
			continue;
		}
		cop_ox_node *p = &m->node[v->producer - 1];
		if (p->state == OPEN)
			return cop__ox_fail(m, n, "reads '%.60s', which depends on its own result: the graph has a cycle", v->name);
		if (p->state == UNSEEN) stack[(*top)++] = p->index;
	}
	return COP_OK;
}

/* Depth first from one node, on a stack of our own: a chain may be long. */
static cop_status visit(cop_ox *m, order *o, int32_t from)
{
	int32_t top = 0;

	o->stack[top++] = from;
	while (top) {
		cop_ox_node *n = &m->node[o->stack[top - 1]];
		if (n->state == UNSEEN) {
			n->state = OPEN;
			COP_TRY(push_inputs(m, n, o->stack, &top));
		} else {
			top--;
			if (n->state == OPEN) o->node[o->n++] = n->index;
			n->state = CLOSED;
		}
	}
	return COP_OK;
}

static cop_status make_order(cop_ox *m, order *o)
{
	int64_t edges = 1;

	for (int32_t i = 0; i < m->n_node; i++) edges += m->node[i].n_in + 1;
	o->n = 0;
	o->node = cop__ox_room(m, sizeof *o->node * (size_t)(m->n_node + 1));
	o->stack = cop__ox_room(m, sizeof *o->stack * (size_t)edges);
	if (!o->node || !o->stack) return m->cx->code;
	for (int32_t i = 0; i < m->n_output; i++) {
		cop_ox_value *v = &m->value[m->output[i]];
		v->readers++;
		v->reader = -1;
		if (!v->producer && !is_leaf(v))
			return cop__error(m->cx, COP_FORMAT, "%s: output '%s' is nobody's result", m->file, v->name);
		if (v->producer && m->node[v->producer - 1].state == UNSEEN) COP_TRY(visit(m, o, v->producer - 1));
	}
	return COP_OK;
}

/* ---- which values must be known ---- */

static bool only_shape(const cop_ox_node *n) { return !strcmp(n->type, "Shape") || !strcmp(n->type, "Size"); }

static void mark_needed(cop_ox *m, const order *o)
{
	for (int32_t k = o->n - 1; k >= 0; k--) {
		const cop_ox_node *n = &m->node[o->node[k]];
		bool all = false;
		for (int i = 0; i < n->n_out; i++) all |= n->out[i] && m->value[n->out[i]].needed;
		for (int i = 0; i < n->n_in; i++)
			if (n->in[i] && ((all && !only_shape(n)) || (n->op && i < 32 && n->op->must >> i & 1)))
				m->value[n->in[i]].needed = true;
	}
}

/* ---- inputs ---- */

/* The array given for an input, as what the reader calls known. */
static cop_status take_given(cop_ox *m, cop_ox_value *v, const cop_tensor *t)
{
	int64_t n = cop_type_count(&t->type);
	int64_t *to;

	if (t->type.rank != v->rank || memcmp(t->type.dim, v->dim, sizeof *v->dim * (size_t)v->rank))
		return cop__error(m->cx, COP_SHAPE, "%s: the array given for input '%s' has another shape", m->file, v->name);
	if (t->type.dtype != cop__ox_dtype(v->type))
		return cop__error(m->cx, COP_ARG, "%s: input '%s' is %s, the array given for it %s", m->file, v->name,
			cop__ox_type_text(v->type), cop__dtype_text(t->type.dtype));
	if (t->type.dtype == COP_F32) {
		v->data = t->data;
		return COP_OK;
	}
	if (!(to = cop__ox_room(m, 8 * (size_t)n))) return m->cx->code;
	for (int64_t i = 0; i < n; i++)
		to[i] = t->type.dtype == COP_I32 ? ((const int32_t *)t->data)[i] : t->type.dtype == COP_I8
			? ((const int8_t *)t->data)[i] : ((const uint8_t *)t->data)[i];
	v->data = to;
	return COP_OK;
}

static cop_status one_input(cop_ox *m, int32_t i)
{
	cop_ox_value *v = &m->value[m->input[i]];
	const cop_tensor *given = i < m->args->n_given && m->args->given[i].type.dtype ? &m->args->given[i] : NULL;
	cop_type t = {.dtype = cop__ox_dtype(v->type), .rank = v->rank, .q.axis = -1};

	if (!t.dtype || v->type == OX_INT4 || v->type == OX_UINT4)
		return cop__error(m->cx, COP_FORMAT, "%s: input '%s': the number format %s is not supported", m->file, v->name,
			cop__ox_type_text(v->type));
	if (v->producer) return cop__error(m->cx, COP_FORMAT, "%s: input '%s' is a node's result as well", m->file, v->name);
	if (!cop__ox_count(v)) { /* nothing to feed: known, and none of the graph's inputs */
		v->data = cop__ox_room(m, 8);
		return m->cx->code;
	}
	if (v->rank > COP_MAX_DIM)
		return cop__error(m->cx, COP_FORMAT, "%s: input '%s' has more than %d dimensions", m->file, v->name, COP_MAX_DIM);
	memcpy(t.dim, v->dim, sizeof t.dim);
	cop_vid x = cop__ox_const(m, v->name, COP_INPUT, &t, NULL);
	if (!x) return m->cx->code;
	if (v->needed && given) return take_given(m, v, given);
	v->v[OX_PLAIN] = x;
	return COP_OK;
}

/* ---- nodes ---- */

/* Reads the initialisers among n's inputs. */
static bool all_known(cop_ox *m, const cop_ox_node *n)
{
	bool all = true;

	for (int i = 0; i < (cop__ox_is_if(n) ? 1 : n->n_in); i++) /* a branch that is not taken is left alone */
		if (n->in[i]) all &= cop__ox_known(m, &m->value[n->in[i]]);
	return all;
}

static cop_status one_node(cop_ox *m, cop_ox_node *n)
{
	bool done = false;

	if (!cop__ox_taken(m, n->guard)) return m->cx->code;
	if (!n->op) return cop__ox_no_such_op(m, n);
	m->opset = n->opset;
	bool known = all_known(m, n);
	if (m->cx->code) return m->cx->code;
	if (n->n_in < n->op->least || n->n_in > n->op->most)
		return cop__ox_fail(m, n, "has %d inputs, %d to %d are expected", n->n_in, n->op->least, n->op->most);
	for (int i = 0; i < n->op->least; i++)
		if (!n->in[i]) return cop__ox_fail(m, n, "input %d is missing", i);
	COP_TRY(cop__ox_attrs_check(m, n));
	if (n->op->fold && known) COP_TRY(n->op->fold(m, n, &done));
	if (m->cx->code || done) return m->cx->code;
	cop_status st = n->op->add(m, n);
	return st ? st : m->cx->code;
}

/* ---- outputs ---- */

/* A result that is an input, a constant, another output, or wider than its format says, becomes a value of its own. */
static cop_status one_output(cop_ox *m, int32_t i)
{
	cop_ox_value *v = &m->value[m->output[i]];
	char name[128];

	if (v->type == OX_STRING && m->n_output > 1) { /* the label of a classifier by name, beside its scores */
		cop__log(m->cx, COP_LOG_WARN, "%s: output '%s' is text and is left out", m->file, v->name);
		return COP_OK;
	}
	cop_vid x = cop__ox_as(m, v, OX_PLAIN);

	if (x) x = cop__ox_cast(m, x, cop__ox_dtype(v->type));
	bool own = x && m->g->value[x].producer && !m->g->value[x].name;
	if (x && !own) x = cop__ox_concat(m, 0, 1, &x);
	if (!x)
		return m->cx->code ? m->cx->code : cop__error(m->cx, COP_FORMAT, "%s: output '%s' is not made", m->file, v->name);
	cop__ox_unique(m, name, v->name);
	return cop__output(m->g, x, name);
}

static cop_status read_all(cop_ox *m, const void *bytes, size_t size)
{
	order o;

	COP_TRY(cop__ox_parse(m, bytes, size));
	COP_TRY(make_order(m, &o));
	COP_TRY(cop__ox_mark_guards(m, o.node, o.n));
	mark_needed(m, &o);
	for (int32_t i = 0; i < m->n_input; i++) COP_TRY(one_input(m, i));
	for (int32_t i = 0; i < o.n; i++)
		if (!m->node[o.node[i]].done) COP_TRY(one_node(m, &m->node[o.node[i]]));
	for (int32_t i = 0; i < m->n_output; i++) COP_TRY(one_output(m, i));
	return cop_graph_verify(m->g);
}

/* "a/b/net.onnx" -> "net" */
static void graph_name(char out[64], const char *file)
{
	const char *slash = strrchr(file, '/'), *s = slash ? slash + 1 : file, *dot = strrchr(s, '.');
	int n = dot && dot != s ? (int)(dot - s) : (int)strlen(s);

	snprintf(out, 64, "%.*s", n, s);
	for (char *p = out; *p; p++)
		if (*p == ' ' || *p == '\n' || *p == '\r') *p = '_';
	if (!*out) snprintf(out, 64, "net");
}

/* Recurrent layers read through transpositions, which may be left behind. */
static bool is_recurrent(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_rnn) return true;
	return false;
}

/* Does it quantise, or hold weights as bytes? */
static bool has_bytes(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_quantize || g->node[n].op == OP_dequantize) return true;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.enc == COP_BYTES) return true;
	return false;
}

cop_status cop__onnx_read(cop_graph **out, cop_ctx *cx, const char *file, const char *folder, const void *bytes,
	size_t size, const cop_import_args *args)
{
	static const cop_import_args none;
	void *external[64] = {0};
	const char *external_name[64];
	size_t external_size[64];
	char name[64];
	cop_ox m = {.cx = cx, .file = file, .folder = folder, .args = args ? args : &none, .budget = (int64_t)1 << 31,
		.external = external,
		.external_name = external_name, .external_size = external_size};

	*out = NULL;
	graph_name(name, file);
	COP_TRY(cop__graph_new(&m.g, cx, name));
	cop__arena_init(&m.mem, cx);
	cop_status st = read_all(&m, bytes, size);
	cop__arena_free(&m.mem);
	for (int32_t i = 0; i < m.n_external; i++) cop_free(cx, external[i]);
	if (!st && is_recurrent(m.g)) st = cop_graph_apply(&m.g, "dce");
	if (!st && has_bytes(m.g)) st = cop_graph_apply(&m.g, "integers");
	if (st) cop_graph_free(m.g);
	else *out = m.g;
	return st;
}
