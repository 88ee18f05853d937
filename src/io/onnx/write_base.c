/* SPDX-License-Identifier: Apache-2.0
 *
 * write_base - what the operators of an ONNX model are made of: constants, weights, nodes and their attributes; layouts
 * turned, activations apart.
 */
#include "enc/enc.h"
#include "io/onnx/write.h"

#include <stdio.h>

int cop__oxw_type(cop_dtype d)
{
	return d == COP_F32 ? OX_FLOAT : d == COP_I32 ? OX_INT32 : d == COP_I8 ? OX_INT8 : OX_UINT8;
}

/* ---- constants ---- */

void cop__oxw_tensor(cop_oxw *w, const char *name, int type, int rank, const int64_t *dim, const void *data,
	size_t bytes)
{
	cop_text t;

	cop__text_init(&t, w->cx);
	for (int i = 0; i < rank; i++) cop__pb_put_int(&t, TENSOR_DIMS, dim[i]);
	cop__pb_put_int(&t, TENSOR_TYPE, type);
	cop__pb_put_text(&t, TENSOR_NAME, name);
	cop__pb_put_bytes(&t, TENSOR_RAW, data, bytes);
	if (t.status) w->graph.status = t.status;
	else cop__pb_put_bytes(&w->graph, GRAPH_INITIALIZER, t.data, t.len);
	cop__text_free(&t);
}

cop_oxw_name cop__oxw_ints(cop_oxw *w, const int64_t *v, int n)
{
	cop_oxw_name name = cop__oxw_fresh(w);
	int64_t dim = n;
	cop__oxw_tensor(w, name.s, OX_INT64, 1, &dim, v, 8 * (size_t)n);
	return name;
}

cop_oxw_name cop__oxw_float(cop_oxw *w, float v)
{
	cop_oxw_name name = cop__oxw_fresh(w);
	cop__oxw_tensor(w, name.s, OX_FLOAT, 0, NULL, &v, 4);
	return name;
}

cop_oxw_name cop__oxw_int(cop_oxw *w, int32_t v, cop_dtype d)
{
	cop_oxw_name name = cop__oxw_fresh(w);
	const cop_type one = {.dtype = d, .q.axis = -1};
	uint8_t bytes[4];
	cop__put32(bytes, (uint32_t)v);
	cop__oxw_tensor(w, name.s, cop__oxw_type(d), 0, NULL, bytes, cop_type_bytes(&one));
	return name;
}

cop_oxw_name cop__oxw_floats(cop_oxw *w, const float *v, int32_t n)
{
	cop_oxw_name name = cop__oxw_fresh(w);
	int64_t dim = n;
	cop__oxw_tensor(w, name.s, OX_FLOAT, 1, &dim, v, 4 * (size_t)n);
	return name;
}

/* ---- weights ---- */

const void *cop__oxw_contents(cop_oxw *w, cop_vid v, void **own)
{
	const cop_value *x = &w->g->value[v];
	cop_type dense = cop__type(x->type.dtype, x->type.rank, x->type.dim);

	*own = NULL;
	if (x->data && x->type.enc == COP_DENSE) return x->data;
	if (!(*own = cop__alloc(w->cx, cop_type_bytes(&dense) + 64))) return NULL; /* no data: zeros */
	if (x->data && cop__decode(*own, w->cx, x->name, &x->type, x->data)) return NULL;
	return *own;
}

cop_oxw_name cop__oxw_value(cop_oxw *w, cop_vid v)
{
	cop_oxw_name n = cop__oxw_label(w, v);
	const cop_value *x = &w->g->value[v];
	int64_t dim[COP_MAX_DIM];
	void *own;

	if (x->role < COP_CONST || w->written[v]) return n;
	w->written[v] = 1;
	cop_type dense = cop__type(x->type.dtype, x->type.rank, x->type.dim);
	for (int i = 0; i < dense.rank; i++) dim[i] = dense.dim[i];
	const void *data = cop__oxw_contents(w, v, &own);
	if (data) cop__oxw_tensor(w, n.s, cop__oxw_type(dense.dtype), dense.rank, dim, data, cop_type_bytes(&dense));
	cop__free(w->cx, own);
	return n;
}

cop_oxw_name cop__oxw_in(cop_oxw *w, cop_nid n, int i) { return cop__oxw_value(w, cop__arg(w->g, n, i)); }
cop_oxw_name cop__oxw_out(cop_oxw *w, cop_nid n) { return cop__oxw_value(w, cop__res(w->g, n, 0)); }
const cop_type *cop__oxw_in_type(cop_oxw *w, cop_nid n) { return cop__in(w->g, n, 0); }

cop_oxw_name cop__oxw_kernel(cop_oxw *w, cop_vid v)
{
	cop_oxw_name n = cop__oxw_label(w, v), to;
	const cop_type *t = cop__t(w->g, v);
	const int64_t o = t->dim[0], h = t->dim[1], wd = t->dim[2], c = t->dim[3], dim[4] = {o, c, h, wd},
		perm[4] = {0, 3, 1, 2};
	void *own;

	if (w->g->value[v].role < COP_CONST) { /* made by the network */
		to = cop__oxw_fresh(w);
		cop__oxw_attr_ints(w, "perm", perm, 4);
		cop__oxw_node(w, "Transpose", to.s, n.s, NULL, NULL);
		return to;
	}
	if (w->names.kernel[v]) return snprintf(n.s, sizeof n.s, "%s", w->names.kernel[v]), n;
	n = cop__oxw_beside(w, v, ".oihw");
	w->names.kernel[v] = cop__arena_str(&w->names.mem, n.s, strlen(n.s));
	const float *data = cop__oxw_contents(w, v, &own);
	float *y = data ? cop__alloc(w->cx, 4 * (size_t)(o * c * h * wd) + 4) : NULL;
	for (int64_t i = 0; y && i < o * c * h * wd; i++)
		y[i] = data[((i / (c * h * wd)) * h * wd + i % (h * wd)) * c + i / (h * wd) % c];
	if (y) cop__oxw_tensor(w, n.s, OX_FLOAT, 4, dim, y, 4 * (size_t)(o * c * h * wd));
	cop__free(w->cx, y);
	cop__free(w->cx, own);
	return n;
}

/* ---- nodes ---- */

static void attribute(cop_oxw *w, cop_text *body, int type)
{
	cop__pb_put_int(body, ATTR_TYPE, type);
	if (body->status) w->attr.status = body->status;
	else cop__pb_put_bytes(&w->attr, NODE_ATTRIBUTE, body->data, body->len);
	cop__text_free(body);
}

static cop_text named(cop_oxw *w, const char *name)
{
	cop_text t;

	cop__text_init(&t, w->cx);
	cop__pb_put_text(&t, ATTR_NAME, name);
	return t;
}

void cop__oxw_attr_i(cop_oxw *w, const char *name, int64_t v)
{
	cop_text t = named(w, name);
	cop__pb_put_int(&t, ATTR_I, v);
	attribute(w, &t, ATTR_IS_INT);
}

void cop__oxw_attr_f(cop_oxw *w, const char *name, float v)
{
	cop_text t = named(w, name);
	cop__pb_put_float(&t, ATTR_F, v);
	attribute(w, &t, ATTR_IS_FLOAT);
}

void cop__oxw_attr_s(cop_oxw *w, const char *name, const char *v)
{
	cop_text t = named(w, name);
	cop__pb_put_text(&t, ATTR_S, v);
	attribute(w, &t, ATTR_IS_STRING);
}

void cop__oxw_attr_ints(cop_oxw *w, const char *name, const int64_t *v, int n)
{
	cop_text t = named(w, name);
	for (int i = 0; i < n; i++) cop__pb_put_int(&t, ATTR_INTS, v[i]);
	attribute(w, &t, ATTR_IS_INTS);
}

void cop__oxw_attr_strings(cop_oxw *w, const char *name, const char *const *v, int n)
{
	cop_text t = named(w, name);
	for (int i = 0; i < n; i++) cop__pb_put_text(&t, ATTR_STRINGS, v[i]);
	attribute(w, &t, ATTR_IS_STRINGS);
}

void cop__oxw_node_of(cop_oxw *w, const char *op, int n_out, const char *const *out, int n_in, const char *const *in)
{
	cop_text t;

	while (n_in && !*in[n_in - 1]) n_in--;
	while (n_out > 1 && !*out[n_out - 1]) n_out--;
	cop__text_init(&t, w->cx);
	for (int i = 0; i < n_in; i++) cop__pb_put_text(&t, NODE_INPUT, in[i]);
	for (int i = 0; i < n_out; i++) cop__pb_put_text(&t, NODE_OUTPUT, out[i]);
	for (int i = 0, named = 0; i < n_out && !named; i++)
		if ((named = *out[i])) cop__pb_put_text(&t, NODE_NAME, out[i]);
	cop__pb_put_text(&t, NODE_OP, op);
	if (w->attr.len) cop__text_bytes(&t, w->attr.data, w->attr.len);
	if (t.status || w->attr.status) w->graph.status = COP_NOMEM;
	else cop__pb_put_bytes(&w->graph, GRAPH_NODE, t.data, t.len);
	cop__text_free(&t);
	cop__text_free(&w->attr);
	cop__text_init(&w->attr, w->cx);
}

void cop__oxw_node(cop_oxw *w, const char *op, const char *out, const char *a, const char *b, const char *c)
{
	cop__oxw_node_of(w, op, 1, &out, !a ? 0 : !b ? 1 : !c ? 2 : 3, (const char *const[]){a, b, c});
}

/* ---- layouts ---- */

void cop__oxw_permute(cop_oxw *w, const char *to, const char *from, int rank, const int64_t *perm)
{
	cop__oxw_attr_ints(w, "perm", perm, rank);
	cop__oxw_node(w, "Transpose", to, from, NULL, NULL);
}

/* [n,...,c] -> [n,c,...], and back. */
cop_oxw_name cop__oxw_first(cop_oxw *w, cop_oxw_name x, int rank)
{
	int64_t perm[COP_MAX_DIM] = {0, rank - 1};
	cop_oxw_name y;

	if (rank < 3) return x;
	y = cop__oxw_fresh(w);
	for (int i = 2; i < rank; i++) perm[i] = i - 1;
	cop__oxw_permute(w, y.s, x.s, rank, perm);
	return y;
}

void cop__oxw_last(cop_oxw *w, cop_oxw_name to, cop_oxw_name x, int rank)
{
	int64_t perm[COP_MAX_DIM] = {0};

	if (rank < 3) {
		cop__oxw_node(w, "Identity", to.s, x.s, NULL, NULL);
		return;
	}
	for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
	perm[rank - 1] = 1;
	cop__oxw_permute(w, to.s, x.s, rank, perm);
}

/* ---- activations, and what convolutions share ---- */

void cop__oxw_activate(cop_oxw *w, cop_oxw_name y, cop_oxw_name x, float lo, float hi)
{
	bool no_lo = lo == COP_NO_LO, no_hi = hi == COP_NO_HI;

	if (no_lo && no_hi) cop__oxw_node(w, "Identity", y.s, x.s, NULL, NULL);
	else if (!(lo < 0) && !(lo > 0) && no_hi) cop__oxw_node(w, "Relu", y.s, x.s, NULL, NULL);
	else {
		cop_oxw_name l = {""}, h = {""};
		if (!no_lo) l = cop__oxw_float(w, lo);
		if (!no_hi) h = cop__oxw_float(w, hi);
		cop__oxw_node(w, "Clip", y.s, x.s, l.s, h.s);
	}
}

/* Where a node writes before its activation: the result itself when there is none. */
cop_oxw_name cop__oxw_before_act(cop_oxw *w, cop_oxw_name y, float lo, float hi)
{
	return lo == COP_NO_LO && hi == COP_NO_HI ? y : cop__oxw_fresh(w);
}

void cop__oxw_after_act(cop_oxw *w, cop_oxw_name y, cop_oxw_name x, float lo, float hi)
{
	if (lo != COP_NO_LO || hi != COP_NO_HI) cop__oxw_activate(w, y, x, lo, hi);
}

void cop__oxw_conv_attrs(cop_oxw *w, const cop_conv_attr *a)
{
	cop__oxw_attr_ints(w, "strides", (const int64_t[]){a->sh, a->sw}, 2);
	cop__oxw_attr_ints(w, "pads", (const int64_t[]){a->pt, a->pl, a->pb, a->pr}, 4);
	cop__oxw_attr_ints(w, "dilations", (const int64_t[]){a->dh, a->dw}, 2);
	cop__oxw_attr_i(w, "group", a->groups);
}
