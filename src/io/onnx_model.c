/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_model - ModelProto: the names of its values, its nodes, initialisers, inputs and outputs. Two walks over the
 * message: one counts, one fills. Names are found by a hash table, once each; from then on values are numbers.
 */
#include "io/onnx_model.h"

#include <stdio.h>

static cop_status bad(cop_ox *m, const char *what) { return cop__error(m->cx, COP_FORMAT, "%s: %s", m->file, what); }

/* ---- names ---- */

static uint32_t hash_of(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u;
	while (n--) h = (h ^ *p++) * 16777619u;
	return h;
}

/* The value of that name, made when it is new; 0: the empty name, which stands for "absent", or no memory. */
static int32_t value_of(cop_ox *m, const uint8_t *p, size_t n)
{
	uint32_t at = hash_of(p, n) & (uint32_t)(m->hash_size - 1);

	if (!n) return 0;
	for (; m->hash[at]; at = (at + 1) & (uint32_t)(m->hash_size - 1)) {
		const char *have = m->value[m->hash[at]].name;
		if (strlen(have) == n && !memcmp(have, p, n)) return m->hash[at];
	}
	const char *name = m->n_value < m->cap_value ? cop__arena_str(&m->mem, (const char *)p, n) : NULL;
	if (!name) return bad(m, "names more values than it has nodes, inputs and outputs for"), 0;
	m->hash[at] = ++m->n_value;
	m->value[m->n_value].name = name;
	return m->n_value;
}

/* ---- types ---- */

static cop_status one_dim(cop_ox *m, cop_ox_value *v, const cop_pb_field *dim)
{
	cop_pb p = cop__pb_in(dim);
	cop_pb_field f;
	int64_t size = INT64_MIN; /* not there */
	char name[64] = "";

	while (cop__pb_next(&p, &f)) {
		if (f.number == DIM_VALUE && f.wire == COP_PB_VARINT) size = (int64_t)f.u;
		if (f.number == DIM_PARAM && f.wire == COP_PB_BYTES) snprintf(name, sizeof name, "%.*s", (int)COP_MIN(f.size, sizeof name - 1), (const char *)f.p);
	}
	if (v->rank == OX_MAX_DIM) return cop__error(m->cx, COP_FORMAT, "%s: input '%s' has more than %d dimensions", m->file, v->name, OX_MAX_DIM);
	if ((size < 0 || *name) && v->rank == 0) size = m->args->batch ? m->args->batch : 1; /* the batch */
	if (size < 0 && (*name || size == INT64_MIN))
		return cop__error(m->cx, COP_FORMAT, "%s: dimension %d of input '%s' is '%s'; only the first may be left open, export with fixed sizes", m->file, v->rank, v->name, *name ? name : "open");
	if (size < 0 || size > INT32_MAX)
		return cop__error(m->cx, COP_FORMAT, "%s: dimension %d of input '%s' is %lld, must be 0 to 2^31 - 1", m->file, v->rank, v->name, (long long)size);
	v->dim[v->rank++] = (int32_t)size;
	return COP_OK;
}

/* TypeProto { tensor_type { elem_type, shape { dim... } } } */
static cop_status value_type(cop_ox *m, cop_ox_value *v, const cop_pb_field *type)
{
	cop_pb p = cop__pb_in(type), q, s;
	cop_pb_field f;

	v->rank = 0;
	while (cop__pb_next(&p, &f)) {
		if (f.number != TYPE_TENSOR || f.wire != COP_PB_BYTES)
			return cop__error(m->cx, COP_FORMAT, "%s: '%s' is no tensor; sequences, maps and optional values are not supported", m->file, v->name);
		for (q = cop__pb_in(&f); cop__pb_next(&q, &f);) {
			if (f.number == TENSOR_TYPE_ELEM && f.wire == COP_PB_VARINT) v->type = f.u > 100 ? 100 : (int32_t)f.u;
			if (f.number != TENSOR_TYPE_SHAPE || f.wire != COP_PB_BYTES) continue;
			cop_pb_field dim;
			for (s = cop__pb_in(&f); cop__pb_next(&s, &dim);)
				if (dim.number == SHAPE_DIM && dim.wire == COP_PB_BYTES) COP_TRY(one_dim(m, v, &dim));
			if (s.bad) p.bad = true;
		}
		if (q.bad) p.bad = true;
	}
	return p.bad ? bad(m, "the type of a value is damaged") : COP_OK;
}

/* ValueInfoProto; typed: for an input. */
static cop_status value_info(cop_ox *m, const cop_pb_field *info, bool typed, int32_t *out)
{
	cop_pb p = cop__pb_in(info);
	cop_pb_field f, type = {0}, name = {0};

	while (cop__pb_next(&p, &f)) {
		if (f.number == INFO_NAME && f.wire == COP_PB_BYTES) name = f;
		if (f.number == INFO_TYPE && f.wire == COP_PB_BYTES) type = f;
	}
	*out = value_of(m, name.p, name.size);
	if (p.bad || !*out) return m->cx->code ? m->cx->code : bad(m, "an input or output is damaged or has no name");
	return typed && !m->value[*out].tensor ? value_type(m, &m->value[*out], &type) : COP_OK;
}

/* ---- the two walks ---- */

typedef struct counts { int64_t node, name, input, output, open; } counts;

static cop_status count_node(cop_ox *m, const cop_pb_field *node, counts *c)
{
	cop_pb p = cop__pb_in(node);
	cop_pb_field f;
	int64_t names = 0;
	bool quantised = false;

	c->node++;
	while (cop__pb_next(&p, &f)) {
		bool name = f.number == NODE_INPUT || f.number == NODE_OUTPUT;
		names += name;
		quantised |= f.number == NODE_OP && f.wire == COP_PB_BYTES && f.size > 1 && f.p[0] == 'Q';
	}
	c->name += quantised ? 2 * names + OX_QLINEAR_ROOM : names;
	c->node += quantised ? names + OX_QLINEAR_ROOM : 0;
	return p.bad ? bad(m, "a node is cut short or damaged") : COP_OK;
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

static cop_status make_room(cop_ox *m, const counts *c)
{
	m->hash_size = 16;
	while (m->hash_size < 2 * c->name) m->hash_size *= 2;
	m->hash = cop__ox_room(m, sizeof *m->hash * (size_t)m->hash_size);
	m->cap_value = (int32_t)c->name;
	m->value = cop__ox_room(m, sizeof *m->value * (size_t)(c->name + 1));
	m->node = cop__ox_room(m, sizeof *m->node * (size_t)(c->node + 1));
	m->input = cop__ox_room(m, sizeof *m->input * (size_t)(c->input + 1));
	m->output = cop__ox_room(m, sizeof *m->output * (size_t)(c->output + 1));
	return m->hash && m->value && m->node && m->input && m->output ? COP_OK : m->cx->code;
}

static const cop_ox_op table[] = {
#define NONE NULL
#define OX(name, add, fold, least, most, must, attrs) {#name, cop__ox_add_##add, fold, least, most, must, attrs},
#define F(name) cop__ox_fold_##name
#define FOLD(name)
#include "io/onnx.def"
#undef OX
#undef F
#undef FOLD
#undef NONE
};

const cop_ox_op *cop__ox_op_of(const char *type)
{
	int lo = 0, hi = LEN(table) - 1;

	while (lo <= hi) { /* the table is in alphabetical order */
		int mid = (lo + hi) / 2, c = strcmp(type, table[mid].name);
		if (!c) return &table[mid];
		if (c < 0) hi = mid - 1;
		else lo = mid + 1;
	}
	return NULL;
}

static cop_status fill_node(cop_ox *m, const cop_pb_field *proto, cop_ox_node *n)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f;
	const char *domain = "";

	*n = (cop_ox_node){.name = "", .type = "", .proto = proto->p, .size = proto->size, .index = m->n_node};
	while (cop__pb_next(&p, &f)) {
		n->n_in += f.number == NODE_INPUT;
		n->n_out += f.number == NODE_OUTPUT;
	}
	n->in = cop__ox_room(m, sizeof *n->in * (size_t)(n->n_in + n->n_out));
	if (!n->in) return m->cx->code;
	n->out = n->in + n->n_in;
	n->n_in = n->n_out = 0;
	for (p = cop__pb_in(proto); cop__pb_next(&p, &f);) {
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == NODE_INPUT) n->in[n->n_in++] = value_of(m, f.p, f.size);
		if (f.number == NODE_OUTPUT) n->out[n->n_out++] = value_of(m, f.p, f.size);
		if (f.number == NODE_NAME) n->name = cop__ox_text(m, f.p, f.size);
		if (f.number == NODE_OP) n->type = cop__ox_text(m, f.p, f.size);
		if (f.number == NODE_DOMAIN) domain = cop__ox_text(m, f.p, f.size);
	}
	if (!n->name || !n->type || !domain) return COP_NOMEM;
	n->op = *domain && strcmp(domain, "ai.onnx") && strcmp(domain, "com.microsoft") ? NULL : cop__ox_op_of(n->type);
	for (int i = 0; i < n->n_out; i++) {
		cop_ox_value *v = &m->value[n->out[i]];
		if (!n->out[i]) continue;
		if (v->producer) return cop__ox_fail(m, n, "writes '%.60s', which node %d writes already", v->name, v->producer - 1);
		v->producer = m->n_node + 1;
	}
	m->n_node++;
	return COP_OK;
}

static cop_status fill_tensor(cop_ox *m, const cop_pb_field *proto)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f, name = {0};

	while (cop__pb_next(&p, &f))
		if (f.number == TENSOR_NAME && f.wire == COP_PB_BYTES) name = f;
	int32_t v = value_of(m, name.p, name.size);
	if (p.bad || !v) return bad(m, "an initialiser is damaged or has no name");
	m->value[v].tensor = proto->p;
	m->value[v].tensor_size = proto->size;
	return COP_OK;
}

static cop_status fill_graph(cop_ox *m, cop_pb graph)
{
	cop_pb walk = graph;
	cop_pb_field f;

	while (cop__pb_next(&walk, &f)) /* first, as old models list them among the inputs, too */
		if (f.number == GRAPH_INITIALIZER && f.wire == COP_PB_BYTES) COP_TRY(fill_tensor(m, &f));
	for (walk = graph; cop__pb_next(&walk, &f);) {
		int32_t v;
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == GRAPH_NODE) COP_TRY(fill_node(m, &f, &m->node[m->n_node]));
		if (f.number == GRAPH_INPUT) {
			COP_TRY(value_info(m, &f, true, &v));
			if (m->value[v].tensor) continue;
			if (m->value[v].is_input) return cop__error(m->cx, COP_FORMAT, "%s: input '%s' is listed twice", m->file, m->value[v].name);
			m->value[v].is_input = true;
			m->input[m->n_input++] = v;
		}
		if (f.number == GRAPH_OUTPUT) {
			COP_TRY(value_info(m, &f, false, &v));
			m->output[m->n_output++] = v;
		}
	}
	return m->n_output ? COP_OK : bad(m, "the graph has no output");
}

/* ---- the model ---- */

static cop_status opset(cop_ox *m, const cop_pb_field *proto)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f;
	bool standard = true;
	int64_t version = 1;

	while (cop__pb_next(&p, &f)) {
		if (f.number == OPSET_DOMAIN && f.wire == COP_PB_BYTES) standard = !f.size || (f.size == 7 && !memcmp(f.p, "ai.onnx", 7));
		if (f.number == OPSET_VERSION && f.wire == COP_PB_VARINT) version = (int64_t)f.u;
	}
	if (!standard) return COP_OK;
	if (version < OX_OLDEST || version > OX_NEWEST)
		return cop__error(m->cx, COP_FORMAT, "%s: operator set %lld; %d to %d are supported", m->file, (long long)version, OX_OLDEST, OX_NEWEST);
	m->opset = (int32_t)version;
	return COP_OK;
}

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size)
{
	cop_pb model = cop__pb(bytes, size);
	cop_pb_field f, graph = {0};
	counts c = {0};

	while (cop__pb_next(&model, &f)) {
		if (f.number == MODEL_OPSET && f.wire == COP_PB_BYTES) COP_TRY(opset(m, &f));
		if (f.number == MODEL_GRAPH && f.wire == COP_PB_BYTES) graph = f;
	}
	if (model.bad || !graph.p) return bad(m, "no ONNX model, or one that is cut short");
	if (!m->opset) return bad(m, "names no operator set");
	COP_TRY(count_graph(m, cop__pb_in(&graph), &c));
	COP_TRY(make_room(m, &c));
	COP_TRY(fill_graph(m, cop__pb_in(&graph)));
	return cop__ox_expand_qlinear(m);
}

bool cop__is_onnx(const char *file, const void *bytes, size_t size)
{
	size_t n = file ? strlen(file) : 0;
	cop_pb model = cop__pb(bytes, size);
	cop_pb_field f;
	int known = 0;

	if (n > 5 && !strcmp(file + n - 5, ".onnx")) return true;
	while (cop__pb_next(&model, &f)) /* there is no magic: a version and a graph, and nothing but fields of a ModelProto */
		known += (f.number == MODEL_IR && f.wire == COP_PB_VARINT) || (f.number == MODEL_GRAPH && f.wire == COP_PB_BYTES);
	return !model.bad && known == 2;
}

bool cop__ox_table_sorted(void)
{
	for (int i = 1; i < LEN(table); i++)
		if (strcmp(table[i - 1].name, table[i].name) >= 0) return false;
	return true;
}
