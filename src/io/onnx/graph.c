/* SPDX-License-Identifier: Apache-2.0
 *
 * graph - GraphProto and FunctionProto: initialisers, nodes and the names of values. The branches of an If and the
 * bodies of functions are written out: their nodes stand beside all others, and names that are their own get values of
 * their own. Two walks: one counts, one fills. Names are found by a hash table, once each; from then on values are
 * numbers.
 */
#include "io/onnx/model.h"

#include <stdio.h>

enum { DEEPEST = 32, MOST_NODES = 1 << 18 };

static cop_status bad(cop_ox *m, const char *what) { return cop__error(m->cx, COP_FORMAT, "%s: %s", m->file, what); }

/* ---- names ---- */

/* One name in one scope; several may stand for the same value, as the inputs of a function do. */
typedef struct cop_ox_name {
	const uint8_t *p;
	size_t n;
	int32_t scope, value;
} cop_ox_name;

static uint32_t hash_of(int32_t scope, const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u ^ (uint32_t)scope * 0x9e3779b9u;
	while (n--) h = (h ^ *p++) * 16777619u;
	return h;
}

/* Where a name stands in the table, or would. */
static int32_t *slot(cop_ox *m, int32_t scope, const uint8_t *p, size_t n)
{
	uint32_t at = hash_of(scope, p, n) & (uint32_t)(m->hash_size - 1);

	for (; m->hash[at]; at = (at + 1) & (uint32_t)(m->hash_size - 1)) {
		const cop_ox_name *have = &m->name[m->hash[at]];
		if (have->scope == scope && have->n == n && !memcmp(have->p, p, n)) break;
	}
	return &m->hash[at];
}

/* A name of this scope and what it stands for; 0: a new value. */
static int32_t declare(cop_ox *m, int32_t scope, const uint8_t *p, size_t n, int32_t value)
{
	int32_t *at;

	if (!n) return 0;
	if (*(at = slot(m, scope, p, n))) return m->name[*at].value;
	if (m->n_name >= m->cap_value || (!value && m->n_value >= m->cap_value))
		return bad(m, "names more values than it has nodes, inputs and outputs for"), 0;
	if (!value) {
		const char *text = cop__arena_str(&m->mem, (const char *)p, n);
		if (!text) return 0;
		m->value[value = ++m->n_value].name = text;
	}
	m->name[*at = ++m->n_name] = (cop_ox_name){p, n, scope, value};
	return value;
}

int32_t cop__ox_name(cop_ox *m, const cop_ox_scope *scope, const uint8_t *p, size_t n)
{
	if (!n) return 0;
	for (const cop_ox_scope *s = scope; s; s = s->outer) {
		int32_t at = *slot(m, s->id, p, n);
		if (at) return m->name[at].value;
		scope = s;
	}
	return declare(m, scope->id, p, n, 0); /* nobody has made it yet: a node of the outermost graph may */
}

/* ---- what a node is ---- */

typedef struct head { cop_pb_field type, domain; } head;

static head head_of(const cop_pb_field *node)
{
	static const uint8_t none[1] = {0};
	cop_pb p = cop__pb_in(node);
	cop_pb_field f;
	head h = {{.p = none}, {.p = none}};

	while (cop__pb_next(&p, &f)) {
		if (f.number == NODE_OP && f.wire == COP_PB_BYTES) h.type = f;
		if (f.number == NODE_DOMAIN && f.wire == COP_PB_BYTES) h.domain = f;
	}
	return h;
}

static bool is_text(const cop_pb_field *f, const char *s) { return f->size == strlen(s) && !memcmp(f->p, s, f->size); }

static bool same_text(const cop_pb_field *a, const cop_pb_field *b)
{
	return a->size == b->size && !memcmp(a->p, b->p, a->size);
}

/* The function of the model that a node calls; NULL: it is an operator. */
static const cop_pb_field *function_of(const cop_ox *m, const head *h)
{
	for (int32_t i = 0; i < m->n_function; i++)
		if (same_text(&m->function[i].name, &h->type) && same_text(&m->function[i].domain, &h->domain))
			return &m->function[i].proto;
	return NULL;
}

/* A branch of an If: the graph that is its attribute `name`. */
static bool branch_of(const cop_pb_field *node, const cop_ox_call *call, const char *name, cop_pb_field *graph)
{
	const cop_ox_node n = {.proto = node->p, .size = node->size, .call = call};
	cop_pb_field body;

	if (!cop__ox_attr(&n, name, &body)) return false;
	cop_pb p = cop__pb_in(&body);
	while (cop__pb_next(&p, graph))
		if (graph->number == ATTR_G && graph->wire == COP_PB_BYTES) return true;
	return false;
}

static const char *const branches[] = {"then_branch", "else_branch"};

/* ---- counting ---- */

typedef struct counts { int64_t node, name, input, output; int depth; } counts;

static cop_status count_graph(cop_ox *m, cop_pb graph, counts *c);
static cop_status count_node(cop_ox *m, const cop_pb_field *node, counts *c);

/* A body has fields of its own: nodes, and names as inputs and outputs. */
static cop_status count_function(cop_ox *m, const cop_pb_field *function, counts *c)
{
	cop_pb p = cop__pb_in(function);
	cop_pb_field f;

	while (cop__pb_next(&p, &f)) {
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == FUNCTION_NODE) COP_TRY(count_node(m, &f, c));
		c->name += f.number == FUNCTION_INPUT || f.number == FUNCTION_OUTPUT;
		c->node += f.number == FUNCTION_OUTPUT;
	}
	return p.bad ? bad(m, "a function is cut short or damaged") : COP_OK;
}

static cop_status count_inner(cop_ox *m, const cop_pb_field *node, counts *c)
{
	head h = head_of(node);
	const cop_pb_field *function = function_of(m, &h);
	cop_pb_field graph;

	if (++c->depth > DEEPEST) return bad(m, "functions or branches stand in each other more than 32 deep");
	if (function) COP_TRY(count_function(m, function, c));
	for (int i = 0; !function && is_text(&h.type, "If") && i < LEN(branches); i++)
		if (branch_of(node, NULL, branches[i], &graph)) COP_TRY(count_graph(m, cop__pb_in(&graph), c));
	c->depth--;
	return COP_OK;
}

static cop_status count_node(cop_ox *m, const cop_pb_field *node, counts *c)
{
	cop_pb p = cop__pb_in(node);
	cop_pb_field f;
	int64_t names = 0;
	bool quantised = false;

	if (++c->node > MOST_NODES) return bad(m, "has more than 2^18 nodes, its functions written out");
	while (cop__pb_next(&p, &f)) {
		bool name = f.number == NODE_INPUT || f.number == NODE_OUTPUT;
		names += name;
		quantised |= f.number == NODE_OP && f.wire == COP_PB_BYTES && f.size > 1 && f.p[0] == 'Q';
	}
	c->name += quantised ? 2 * names + OX_QLINEAR_ROOM : names;
	c->node += quantised ? names + OX_QLINEAR_ROOM : 0;
	return p.bad ? bad(m, "a node is cut short or damaged") : count_inner(m, node, c);
}

static cop_status count_graph(cop_ox *m, cop_pb graph, counts *c)
{
	cop_pb_field f;

	while (cop__pb_next(&graph, &f)) {
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == GRAPH_NODE) COP_TRY(count_node(m, &f, c));
		c->input += f.number == GRAPH_INPUT;
		c->output += f.number == GRAPH_OUTPUT;
		c->name += f.number == GRAPH_INPUT || f.number == GRAPH_OUTPUT || f.number == GRAPH_INITIALIZER;
		if (f.number == GRAPH_SPARSE) return bad(m, "sparse initialisers are not supported");
	}
	if (graph.bad) return bad(m, "the graph is cut short or damaged");
	return c->name > 1 << 26 ? bad(m, "has too many names") : COP_OK;
}

cop_status cop__ox_make_room(cop_ox *m, cop_pb graph)
{
	counts c = {0};

	COP_TRY(count_graph(m, graph, &c));
	m->hash_size = 16;
	while (m->hash_size < 2 * c.name) m->hash_size *= 2;
	m->hash = cop__ox_room(m, sizeof *m->hash * (size_t)m->hash_size);
	m->cap_value = (int32_t)c.name;
	m->cap_node = (int32_t)c.node;
	m->name = cop__ox_room(m, sizeof *m->name * (size_t)(c.name + 1));
	m->value = cop__ox_room(m, sizeof *m->value * (size_t)(c.name + 1));
	m->node = cop__ox_room(m, sizeof *m->node * (size_t)(c.node + 1));
	m->input = cop__ox_room(m, sizeof *m->input * (size_t)(c.input + 1));
	m->output = cop__ox_room(m, sizeof *m->output * (size_t)(c.output + 1));
	return m->hash && m->name && m->value && m->node && m->input && m->output ? COP_OK : m->cx->code;
}

/* ---- nodes ---- */

static cop_status fill_names(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto, cop_ox_node *n)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f;

	while (cop__pb_next(&p, &f)) {
		n->n_in += f.number == NODE_INPUT;
		n->n_out += f.number == NODE_OUTPUT;
	}
	if (!(n->in = cop__ox_room(m, sizeof *n->in * (size_t)(n->n_in + n->n_out)))) return m->cx->code;
	n->out = n->in + n->n_in;
	n->n_in = n->n_out = 0;
	for (p = cop__pb_in(proto); cop__pb_next(&p, &f);) {
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == NODE_INPUT) n->in[n->n_in++] = cop__ox_name(m, scope, f.p, f.size);
		if (f.number == NODE_OUTPUT) n->out[n->n_out++] = cop__ox_name(m, scope, f.p, f.size);
		if (f.number == NODE_NAME) n->name = cop__ox_text(m, f.p, f.size);
	}
	return n->name ? m->cx->code : COP_NOMEM;
}

/* A value is written once: by one node, and not if the file holds it already. */
static cop_status written(cop_ox *m, cop_ox_node *n)
{
	for (int i = 0; i < n->n_out; i++) {
		cop_ox_value *v = &m->value[n->out[i]];
		if (!n->out[i]) continue;
		if (v->tensor) return cop__ox_fail(m, n, "writes '%.60s', which is an initialiser: a name must stand for one value", v->name);
		if (v->producer)
			return cop__ox_fail(m, n, "writes '%.60s', which node %d ('%.60s') writes already: a name must stand for one value",
				v->name, v->producer - 1, m->node[v->producer - 1].name);
		v->producer = n->index + 1;
	}
	return COP_OK;
}

static cop_ox_node *append(cop_ox *m, const cop_ox_scope *scope, const char *type)
{
	cop_ox_node *n = &m->node[m->n_node];

	if (m->n_node >= m->cap_node)
		return bad(m, "has more nodes than were counted: a branch stands in an attribute by reference"), NULL;
	*n = (cop_ox_node){.name = "", .type = type, .domain = "", .call = scope->call, .opset = scope->opset,
		.index = m->n_node};
	m->n_node++;
	return n;
}

/* y = x, both values. */
static cop_status same(cop_ox *m, const cop_ox_scope *scope, int32_t y, int32_t x)
{
	cop_ox_node *n = append(m, scope, "Identity");

	if (!n) return m->cx->code;
	n->op = cop__ox_op_of("Identity");
	n->n_in = n->n_out = 1;
	if (!(n->in = cop__ox_room(m, 2 * sizeof *n->in))) return m->cx->code;
	n->out = n->in + 1;
	*n->in = x;
	*n->out = y;
	return written(m, n);
}

/* ---- branches ---- */

/* Names that a graph or function makes, before others read them: field `node` is its nodes', `tensor` its
 * initialisers'. */
static cop_status declare_all(cop_ox *m, const cop_ox_scope *scope, cop_pb body, uint32_t node, uint32_t tensor)
{
	cop_pb_field f, name;

	while (cop__pb_next(&body, &f)) {
		if (f.wire != COP_PB_BYTES || (f.number != node && f.number != tensor)) continue;
		cop_pb p = cop__pb_in(&f);
		while (cop__pb_next(&p, &name))
			if (name.wire == COP_PB_BYTES && name.number == (f.number == node ? NODE_OUTPUT : TENSOR_NAME))
				(void)declare(m, scope->id, name.p, name.size, 0);
	}
	return m->cx->code;
}

/* The inputs of an If become the condition and the results of both branches. */
static cop_status fill_branches(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto, cop_ox_node *n)
{
	int32_t *in = cop__ox_room(m, sizeof *in * (size_t)(1 + 2 * n->n_out)), k = 1;
	cop_pb_field graph, f, name;

	if (!in || n->n_in != 1)
		return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "has %d inputs, 1 is expected", n->n_in);
	in[0] = n->in[0];
	for (int i = 0; i < LEN(branches); i++) {
		if (!branch_of(proto, scope->call, branches[i], &graph))
			return cop__ox_fail(m, n, "attribute '%s' is missing", branches[i]);
		const cop_ox_scope inner = {scope, scope->call, ++m->n_scope, scope->depth + 1, scope->opset};
		COP_TRY(declare_all(m, &inner, cop__pb_in(&graph), GRAPH_NODE, GRAPH_INITIALIZER));
		COP_TRY(cop__ox_fill(m, &inner, cop__pb_in(&graph)));
		int32_t count = 0;
		for (cop_pb p = cop__pb_in(&graph); cop__pb_next(&p, &f);) {
			if (f.number != GRAPH_OUTPUT || f.wire != COP_PB_BYTES || ++count > n->n_out) continue;
			for (cop_pb q = cop__pb_in(&f); cop__pb_next(&q, &name);)
				if (name.number == INFO_NAME && name.wire == COP_PB_BYTES) in[k] = cop__ox_name(m, &inner, name.p, name.size);
			k++;
		}
		if (count != n->n_out)
			return cop__ox_fail(m, n, "attribute '%s' has %d results, the node %d", branches[i], count, n->n_out);
	}
	n->in = in;
	n->n_in = k;
	return m->cx->code;
}

/* ---- functions ---- */

/* Formal input or output i of a function, by the field it is. */
static bool formal(const cop_pb_field *function, uint32_t number, int i, cop_pb_field *name)
{
	cop_pb p = cop__pb_in(function);

	while (cop__pb_next(&p, name))
		if (name->number == number && name->wire == COP_PB_BYTES && !i--) return true;
	return false;
}

/* The names of a function's inputs and outputs stand for the values of the call; one that is both is handed on. */
static cop_status bind(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *function, const cop_ox_node *call)
{
	cop_pb_field name;
	int i;

	for (i = 0; formal(function, FUNCTION_INPUT, i, &name); i++)
		if (i < call->n_in && call->in[i]) (void)declare(m, scope->id, name.p, name.size, call->in[i]);
	if (i < call->n_in) return cop__ox_fail(m, call, "has %d inputs, the function has %d", call->n_in, i);
	for (i = 0; formal(function, FUNCTION_OUTPUT, i, &name); i++) {
		int32_t y = i < call->n_out ? call->out[i] : 0;
		int32_t have = y ? declare(m, scope->id, name.p, name.size, y) : 0;
		if (have && have != y) COP_TRY(same(m, scope, y, have));
	}
	return m->cx->code;
}

static cop_status fill_node(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto);

static cop_status fill_function(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto,
	const cop_pb_field *function)
{
	cop_ox_node n = {.type = "call of a function", .domain = "", .name = "", .index = m->n_node};
	cop_ox_call *call = cop__ox_room(m, sizeof *call);
	cop_pb body = cop__pb_in(function);
	cop_pb_field f;
	int32_t set = scope->opset;

	if (!call) return m->cx->code;
	if (scope->depth > DEEPEST) return bad(m, "functions or branches stand in each other more than 32 deep");
	COP_TRY(fill_names(m, scope, proto, &n));
	*call = (cop_ox_call){proto->p, function->p, proto->size, function->size, scope->call};
	COP_TRY(cop__ox_opset(m, body, FUNCTION_OPSET, &set));
	const cop_ox_scope inner = {NULL, call, ++m->n_scope, scope->depth + 1, set};
	COP_TRY(bind(m, &inner, function, &n));
	COP_TRY(declare_all(m, &inner, body, FUNCTION_NODE, FUNCTION_NODE));
	while (cop__pb_next(&body, &f))
		if (f.number == FUNCTION_NODE && f.wire == COP_PB_BYTES) COP_TRY(fill_node(m, &inner, &f));
	return COP_OK;
}

/* ---- all of it ---- */

static cop_status fill_node(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto)
{
	static const char *const known[] = {"", "ai.onnx", "com.microsoft", "ai.onnx.ml"};
	head h = head_of(proto);
	const cop_pb_field *function = function_of(m, &h);
	bool ours = false;

	if (function) return fill_function(m, scope, proto, function);
	const char *type = cop__ox_text(m, h.type.p, h.type.size), *domain = cop__ox_text(m, h.domain.p, h.domain.size);
	if (!type || !domain) return COP_NOMEM;
	cop_ox_node *n = append(m, scope, type);
	if (!n) return m->cx->code;
	n->domain = domain;
	n->proto = proto->p;
	n->size = proto->size;
	for (int i = 0; i < LEN(known); i++) ours |= !strcmp(domain, known[i]);
	n->op = ours ? cop__ox_op_of(type) : NULL;
	COP_TRY(fill_names(m, scope, proto, n));
	COP_TRY(written(m, n));
	return n->op && !strcmp(type, "If") ? fill_branches(m, scope, proto, n) : COP_OK;
}

static cop_status fill_tensor(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *proto)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f, name = {0};

	while (cop__pb_next(&p, &f))
		if (f.number == TENSOR_NAME && f.wire == COP_PB_BYTES) name = f;
	int32_t v = cop__ox_name(m, scope, name.p, name.size);
	if (p.bad || !v) return bad(m, "an initialiser is damaged or has no name");
	if (m->value[v].tensor)
		return cop__error(m->cx, COP_FORMAT, "%s: initialiser '%s' stands in the file twice", m->file, m->value[v].name);
	m->value[v].tensor = proto->p;
	m->value[v].tensor_size = proto->size;
	return COP_OK;
}

cop_status cop__ox_fill(cop_ox *m, const cop_ox_scope *scope, cop_pb graph)
{
	cop_pb walk = graph;
	cop_pb_field f;

	if (scope->depth > DEEPEST) return bad(m, "functions or branches stand in each other more than 32 deep");
	while (cop__pb_next(&walk, &f))
		if (f.number == GRAPH_INITIALIZER && f.wire == COP_PB_BYTES) COP_TRY(fill_tensor(m, scope, &f));
	while (cop__pb_next(&graph, &f))
		if (f.number == GRAPH_NODE && f.wire == COP_PB_BYTES) COP_TRY(fill_node(m, scope, &f));
	return COP_OK;
}
