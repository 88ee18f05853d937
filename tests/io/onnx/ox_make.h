/* SPDX-License-Identifier: Apache-2.0
 *
 * ox_make.h - ONNX models made in a test, one message at a time.
 */
#ifndef OX_MAKE_H
#define OX_MAKE_H

#include "io/onnx/schema.h"
#include "io/onnx/protobuf.h"

typedef struct maker { cop_text graph; cop_ctx *cx; } maker;

static inline maker begin(cop_ctx *cx)
{
	maker m = {.cx = cx};
	cop__text_init(&m.graph, cx);
	return m;
}

static inline void put(cop_text *to, uint32_t field, cop_text *part)
{
	cop__pb_put_bytes(to, field, part->data ? part->data : "", part->len);
	cop__text_free(part);
}

/* A list of names separated by blanks. */
static inline void names(cop_text *t, uint32_t field, const char *list)
{
	for (const char *s = list; *s; s += *s == ' ') {
		size_t n = strcspn(s, " ");
		cop__pb_put_bytes(t, field, s, n);
		s += n;
	}
}

/* ---- attributes of other kinds: made one by one, then given to node_with ---- */

static inline void attr_end(cop_text *attrs, cop_text *a) { put(attrs, NODE_ATTRIBUTE, a); }
static inline cop_text attr_begin(cop_ctx *cx, const char *name)
{
	cop_text a;

	cop__text_init(&a, cx);
	cop__pb_put_text(&a, ATTR_NAME, name);
	return a;
}

static inline void attr_i(cop_text *attrs, cop_ctx *cx, const char *name, int64_t v)
{
	cop_text a = attr_begin(cx, name);
	cop__pb_put_int(&a, ATTR_I, v), attr_end(attrs, &a);
}

static inline void attr_f(cop_text *attrs, cop_ctx *cx, const char *name, float v)
{
	cop_text a = attr_begin(cx, name);
	cop__pb_put_float(&a, ATTR_F, v), attr_end(attrs, &a);
}

static inline void attr_s(cop_text *attrs, cop_ctx *cx, const char *name, const char *v)
{
	cop_text a = attr_begin(cx, name);
	cop__pb_put_text(&a, ATTR_S, v), attr_end(attrs, &a);
}

static inline void attr_ints(cop_text *attrs, cop_ctx *cx, const char *name, int n, const int64_t *v)
{
	cop_text a = attr_begin(cx, name);
	for (int i = 0; i < n; i++) cop__pb_put_int(&a, ATTR_INTS, v[i]);
	attr_end(attrs, &a);
}

static inline void attr_floats(cop_text *attrs, cop_ctx *cx, const char *name, int n, const float *v)
{
	cop_text a = attr_begin(cx, name);
	for (int i = 0; i < n; i++) cop__pb_put_float(&a, ATTR_FLOATS, v[i]);
	attr_end(attrs, &a);
}

/* A list of texts separated by blanks. */
static inline void attr_strings(cop_text *attrs, cop_ctx *cx, const char *name, const char *list)
{
	cop_text a = attr_begin(cx, name);
	names(&a, ATTR_STRINGS, list), attr_end(attrs, &a);
}

static inline void attr_graph(cop_text *attrs, cop_ctx *cx, const char *name, maker *graph)
{
	cop_text a = attr_begin(cx, name);
	put(&a, ATTR_G, &graph->graph), attr_end(attrs, &a);
}

static inline void attr_ref(cop_text *attrs, cop_ctx *cx, const char *name, const char *of)
{
	cop_text a = attr_begin(cx, name);
	cop__pb_put_text(&a, ATTR_REF, of), attr_end(attrs, &a);
}

/* A node into field `field` of a graph or function; attrs is used up. */
static inline void node_into(cop_text *to, uint32_t field, cop_ctx *cx, const char *domain, const char *op, const char *in, const char *out, cop_text *attrs)
{
	cop_text t;

	cop__text_init(&t, cx);
	names(&t, NODE_INPUT, in);
	names(&t, NODE_OUTPUT, out);
	cop__pb_put_text(&t, NODE_NAME, out);
	cop__pb_put_text(&t, NODE_OP, op);
	if (*domain) cop__pb_put_text(&t, NODE_DOMAIN, domain);
	if (attrs && attrs->len) cop__text_bytes(&t, attrs->data, attrs->len);
	if (attrs) cop__text_free(attrs);
	put(to, field, &t);
}

static inline void node_with(maker *m, const char *domain, const char *op, const char *in, const char *out, cop_text *attrs)
{
	node_into(&m->graph, GRAPH_NODE, m->cx, domain, op, in, out, attrs);
}

static inline void node(maker *m, const char *op, const char *in, const char *out, const char *attr, int64_t value)
{
	cop_text t, a;

	cop__text_init(&t, m->cx);
	names(&t, NODE_INPUT, in);
	names(&t, NODE_OUTPUT, out);
	cop__pb_put_text(&t, NODE_NAME, out);
	cop__pb_put_text(&t, NODE_OP, op);
	if (attr) {
		cop__text_init(&a, m->cx);
		cop__pb_put_text(&a, ATTR_NAME, attr);
		cop__pb_put_int(&a, ATTR_I, value);
		put(&t, NODE_ATTRIBUTE, &a);
	}
	put(&m->graph, GRAPH_NODE, &t);
}

static inline void info(maker *m, uint32_t field, const char *name, int type, int rank, const int64_t *dim)
{
	cop_text shape, tensor, holder, t, d;

	cop__text_init(&shape, m->cx), cop__text_init(&tensor, m->cx), cop__text_init(&holder, m->cx), cop__text_init(&t, m->cx);
	for (int i = 0; i < rank; i++) {
		cop__text_init(&d, m->cx);
		if (dim[i] == -7) cop__pb_put_text(&d, DIM_PARAM, "N");
		else cop__pb_put_int(&d, DIM_VALUE, dim[i]);
		put(&shape, SHAPE_DIM, &d);
	}
	cop__pb_put_int(&tensor, TENSOR_TYPE_ELEM, type);
	put(&tensor, TENSOR_TYPE_SHAPE, &shape);
	put(&holder, TYPE_TENSOR, &tensor);
	cop__pb_put_text(&t, INFO_NAME, name);
	put(&t, INFO_TYPE, &holder);
	put(&m->graph, field, &t);
}

static inline void initializer(maker *m, const char *name, int type, int rank, const int64_t *dim, const void *raw, size_t bytes)
{
	cop_text t;

	cop__text_init(&t, m->cx);
	for (int i = 0; i < rank; i++) cop__pb_put_int(&t, TENSOR_DIMS, dim[i]);
	cop__pb_put_int(&t, TENSOR_TYPE, type);
	cop__pb_put_text(&t, TENSOR_NAME, name);
	cop__pb_put_bytes(&t, TENSOR_RAW, raw, bytes);
	put(&m->graph, GRAPH_INITIALIZER, &t);
}

/* The model's bytes; frees the maker. */
static inline cop_text end(maker *m, int opset)
{
	cop_text t, set;

	cop__text_init(&t, m->cx);
	cop__text_init(&set, m->cx);
	cop__pb_put_int(&set, OPSET_VERSION, opset);
	cop__pb_put_int(&t, MODEL_IR, 8);
	put(&t, MODEL_GRAPH, &m->graph);
	put(&t, MODEL_OPSET, &set);
	return t;
}

#endif
