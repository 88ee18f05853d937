/* SPDX-License-Identifier: Apache-2.0
 *
 * model - ModelProto: operator sets, functions, the table of operators, and the types of inputs. The nodes of its graph
 * are read by graph.c.
 */
#include "io/onnx/model.h"

#include <stdio.h>

static cop_status bad(cop_ox *m, const char *what) { return cop__error(m->cx, COP_FORMAT, "%s: %s", m->file, what); }

/* ---- types ---- */

/* The size that was asked for where the file leaves one open: by input, by name, by the array, or the batch. 0:
 * none. */
static int64_t asked_for(const cop_ox *m, const cop_ox_value *v, const char *name)
{
	const cop_import_args *a = m->args;
	const cop_tensor *given = m->n_input < a->n_given && a->given[m->n_input].type.dtype ? &a->given[m->n_input] : NULL;

	for (int32_t i = 0; i < a->n_shape; i++)
		if (!strcmp(a->shape[i].input, v->name) && v->rank < a->shape[i].rank) return a->shape[i].dim[v->rank];
	for (int32_t i = 0; *name && i < a->n_dim; i++)
		if (!strcmp(a->dim[i].name, name)) return a->dim[i].size;
	if (given && v->rank < given->type.rank) return given->type.dim[v->rank];
	return v->rank ? 0 : a->batch ? a->batch : 1;
}

static cop_status left_open(cop_ox *m, const cop_ox_value *v, const char *name)
{
	if (*name)
		return cop__error(m->cx, COP_FORMAT,
			"%s: dimension %d of input '%s' is '%s', which is open: say how long it is with --dim "
			"%s=N, or give the whole shape with --shape %s=AxBx...",
			m->file, v->rank, v->name, name, name, v->name);
	return cop__error(m->cx, COP_FORMAT,
		"%s: dimension %d of input '%s' is open: give the whole shape with --shape %s=AxBx...", m->file, v->rank, v->name,
		v->name);
}

static cop_status one_dim(cop_ox *m, cop_ox_value *v, const cop_pb_field *dim)
{
	cop_pb p = cop__pb_in(dim);
	cop_pb_field f;
	int64_t size = INT64_MIN; /* not there */
	char name[64] = "";

	while (cop__pb_next(&p, &f)) {
		if (f.number == DIM_VALUE && f.wire == COP_PB_VARINT) size = (int64_t)f.u;
		if (f.number == DIM_PARAM && f.wire == COP_PB_BYTES)
			snprintf(name, sizeof name, "%.*s", (int)COP_MIN(f.size, sizeof name - 1), (const char *)f.p);
	}
	if (v->rank == OX_MAX_DIM)
		return cop__error(m->cx, COP_FORMAT, "%s: input '%s' has more than %d dimensions", m->file, v->name, OX_MAX_DIM);
	bool open = *name || size == INT64_MIN || size == -1;
	if (open && (size = asked_for(m, v, name)) < 1) return left_open(m, v, name);
	if (size < 0 || size > INT32_MAX)
		return cop__error(m->cx, COP_FORMAT, "%s: dimension %d of input '%s' is %lld, must be 0 to 2^31 - 1", m->file,
			v->rank, v->name, (long long)size);
	v->dim[v->rank++] = (int32_t)size;
	for (int32_t i = 0; open && *name && i < m->args->n_dim; i++)
		m->dims_used |= !strcmp(m->args->dim[i].name, name) ? 1u << (i & 31) : 0;
	return COP_OK;
}

/* A shape that was given for an input has to be its shape. */
static cop_status as_given(cop_ox *m, const cop_ox_value *v)
{
	for (int32_t i = 0; i < m->args->n_shape; i++) {
		const cop_import_shape *s = &m->args->shape[i];
		if (strcmp(s->input, v->name)) continue;
		m->shapes_used |= 1u << (i & 31);
		if (s->rank != v->rank)
			return cop__error(m->cx, COP_SHAPE, "%s: --shape gives input '%s' %d dimensions, it has %d", m->file, v->name,
				s->rank, v->rank);
		for (int k = 0; k < v->rank; k++)
			if (s->dim[k] != v->dim[k])
				return cop__error(m->cx, COP_SHAPE, "%s: --shape gives dimension %d of input '%s' as %d, the file fixes it to %d",
					m->file, k, v->name, s->dim[k], v->dim[k]);
	}
	return COP_OK;
}

/* What was given and fits nothing is a mistake. */
static cop_status all_used(cop_ox *m)
{
	for (int32_t i = 0; i < m->args->n_dim && i < 32; i++)
		if (!(m->dims_used >> i & 1))
			return cop__error(m->cx, COP_ARG, "%s: --dim %s=%d: no input has an open dimension of that name", m->file,
				m->args->dim[i].name, m->args->dim[i].size);
	for (int32_t i = 0; i < m->args->n_shape && i < 32; i++)
		if (!(m->shapes_used >> i & 1))
			return cop__error(m->cx, COP_ARG, "%s: --shape %s=...: there is no input of that name", m->file,
				m->args->shape[i].input);
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
			return cop__error(m->cx, COP_FORMAT, "%s: '%s' is no tensor; sequences, maps and optional values are not supported",
				m->file, v->name);
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
static cop_status value_info(cop_ox *m, const cop_ox_scope *scope, const cop_pb_field *info, bool typed, int32_t *out)
{
	cop_pb p = cop__pb_in(info);
	cop_pb_field f, type = {0}, name = {0};

	while (cop__pb_next(&p, &f)) {
		if (f.number == INFO_NAME && f.wire == COP_PB_BYTES) name = f;
		if (f.number == INFO_TYPE && f.wire == COP_PB_BYTES) type = f;
	}
	*out = cop__ox_name(m, scope, name.p, name.size);
	if (p.bad || !*out) return m->cx->code ? m->cx->code : bad(m, "an input or output is damaged or has no name");
	return typed && !m->value[*out].tensor ? value_type(m, &m->value[*out], &type) : COP_OK;
}

/* ---- inputs and outputs ---- */

static cop_status fill_ends(cop_ox *m, const cop_ox_scope *scope, cop_pb graph)
{
	cop_pb_field f;
	int32_t v;

	while (cop__pb_next(&graph, &f)) {
		if (f.wire == COP_PB_BYTES && f.number == GRAPH_INPUT) {
			COP_TRY(value_info(m, scope, &f, true, &v));
			if (m->value[v].tensor) continue; /* old models list initialisers among the inputs, too */
			COP_TRY(as_given(m, &m->value[v]));
			if (m->value[v].is_input)
				return cop__error(m->cx, COP_FORMAT, "%s: input '%s' is listed twice", m->file, m->value[v].name);
			m->value[v].is_input = true;
			m->input[m->n_input++] = v;
		}
		if (f.wire == COP_PB_BYTES && f.number == GRAPH_OUTPUT) {
			COP_TRY(value_info(m, scope, &f, false, &v));
			m->output[m->n_output++] = v;
		}
	}
	if (!m->n_output) return bad(m, "the graph has no output");
	return all_used(m);
}

/* ---- the model ---- */

static cop_ox_function one_function(const cop_pb_field *proto)
{
	cop_ox_function out = {.proto = *proto, .name.p = proto->p, .domain.p = proto->p}; /* both empty */
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f;

	while (cop__pb_next(&p, &f)) {
		if (f.number == FUNCTION_NAME && f.wire == COP_PB_BYTES) out.name = f;
		if (f.number == FUNCTION_DOMAIN && f.wire == COP_PB_BYTES) out.domain = f;
	}
	return out;
}

static cop_status functions(cop_ox *m, cop_pb model)
{
	cop_pb walk = model;
	cop_pb_field f;
	cop_ox_function *list;
	int32_t count = 0;

	while (cop__pb_next(&walk, &f)) count += f.number == MODEL_FUNCTIONS && f.wire == COP_PB_BYTES;
	if (!(list = cop__ox_room(m, sizeof *list * ((size_t)count + 1)))) return m->cx->code;
	while (cop__pb_next(&model, &f))
		if (f.number == MODEL_FUNCTIONS && f.wire == COP_PB_BYTES) list[m->n_function++] = one_function(&f);
	m->function = list;
	return COP_OK;
}

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size)
{
	cop_pb model = cop__pb(bytes, size), all = model;
	cop_pb_field f, graph = {0};
	cop_ox_scope scope = {0};

	bool named = false;

	while (cop__pb_next(&model, &f)) {
		if (f.number == MODEL_GRAPH && f.wire == COP_PB_BYTES) graph = f;
		named |= f.number == MODEL_OPSET;
	}
	if (model.bad || !graph.p) return bad(m, "no ONNX model, or one that is cut short");
	COP_TRY(cop__ox_opset(m, all, MODEL_OPSET, &scope.opset));
	if (!scope.opset && !named) return bad(m, "names no operator set");
	if (!scope.opset) scope.opset = OX_NEWEST; /* of operators for machine learning alone */
	m->opset = scope.opset;
	COP_TRY(functions(m, all));
	COP_TRY(cop__ox_make_room(m, cop__pb_in(&graph)));
	COP_TRY(cop__ox_fill(m, &scope, cop__pb_in(&graph)));
	COP_TRY(fill_ends(m, &scope, cop__pb_in(&graph)));
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
