/* SPDX-License-Identifier: Apache-2.0
 *
 * value - operands and results of ONNX nodes: known arrays become constants of the graph when they are first read
 * there, and a value is turned from one layout to the other when it is first asked for in it.
 */
#include "enc/enc.h"
#include "io/onnx/onnx.h"

#include <math.h>

/* ---- operands ---- */

cop_ox_value *cop__ox_in(cop_ox *m, const cop_ox_node *n, int i)
{
	return i < n->n_in && n->in[i] ? &m->value[n->in[i]] : NULL;
}

cop_ox_value *cop__ox_out(cop_ox *m, const cop_ox_node *n, int i)
{
	return i < n->n_out && n->out[i] && m->value[n->out[i]].readers ? &m->value[n->out[i]] : NULL;
}

bool cop__ox_known(cop_ox *m, cop_ox_value *v)
{
	if (v->data || !v->tensor || m->cx->code) return v->data != NULL;
	return !cop__ox_tensor(m, v, v->tensor, v->tensor_size);
}

static cop_status known(cop_ox *m, const cop_ox_node *n, int i, bool is_float, const void **data, int32_t *count)
{
	cop_ox_value *v = cop__ox_in(m, n, i);

	*data = NULL;
	*count = 0;
	if (!v) return COP_OK;
	if (!cop__ox_known(m, v)) {
		if (m->cx->code) return m->cx->code;
		return cop__ox_fail(m, n,
			"input %d ('%.60s') must be known when the model is read, but depends on the network's inputs", i, v->name);
	}
	if (cop__ox_is_float(v->type) != is_float)
		return cop__ox_fail(m, n, "input %d must be %s numbers, is %s", i, is_float ? "real" : "whole",
			cop__ox_type_text(v->type));
	*data = v->data;
	*count = (int32_t)cop__ox_count(v);
	return COP_OK;
}

cop_status cop__ox_known_ints(cop_ox *m, const cop_ox_node *n, int i, const int64_t **v, int32_t *count)
{
	const void *data;
	cop_status st = known(m, n, i, false, &data, count);
	*v = data;
	return st;
}

cop_status cop__ox_known_floats(cop_ox *m, const cop_ox_node *n, int i, const float **v, int32_t *count)
{
	const void *data;
	cop_status st = known(m, n, i, true, &data, count);
	*v = data;
	return st;
}

/* ---- constants ---- */

/* How the axes stand in a layout: axis i there is axis perm[i] of the file. */
static void layout_perm(int32_t *perm, int32_t rank, cop_ox_layout l)
{
	for (int i = 0; i < rank; i++) perm[i] = i;
	if (l == OX_TURNED && rank == 2) perm[0] = 1, perm[1] = 0;
	if ((l != OX_LAST && l != OX_KERNEL) || rank < 3) return;
	for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
	perm[rank - 1] = 1;
}

/* y[k] = x[offset + sum index * stride] for every index of dim, elements of `size` bytes. */
static void strided(void *y, const void *x, size_t size, int rank, const int32_t *dim, const int64_t *stride,
	int64_t at)
{
	int32_t idx[2 * OX_MAX_DIM] = {0};
	int64_t n = 1;

	for (int i = 0; i < rank; i++) n *= dim[i];
	for (int64_t k = 0; k < n; k++) {
		memcpy((char *)y + (size_t)k * size, (const char *)x + at * (int64_t)size, size);
		for (int i = rank - 1; i >= 0; i--) {
			at += stride[i];
			if (++idx[i] < dim[i]) break;
			at -= stride[i] * idx[i];
			idx[i] = 0;
		}
	}
}

void cop__ox_gather(const cop_ox_value *x, void *y, int rank, const int32_t *dim, const int64_t *stride, int64_t offset)
{
	strided(y, x->data, cop__ox_size(x), rank, dim, stride, offset);
}

/* y's axis i is x's axis perm[i]. */
static void permute(void *y, const void *x, size_t size, int32_t rank, const int32_t *dim, const int32_t *perm)
{
	int64_t stride[OX_MAX_DIM], own[OX_MAX_DIM], n = 1;
	int32_t to[OX_MAX_DIM];

	for (int i = rank - 1; i >= 0; i--) own[i] = n, n *= dim[i];
	for (int i = 0; i < rank; i++) stride[i] = own[perm[i]], to[i] = dim[perm[i]];
	strided(y, x, size, rank, to, stride, 0);
}

/* Integers as the graph holds them. */
static const void *narrowed(cop_ox *m, const cop_ox_value *v, cop_dtype d)
{
	int64_t n = cop__ox_count(v);
	const int64_t *from = v->data;
	char *to = cop__ox_room(m, (d == COP_I32 ? 4 : 1) * (size_t)n);

	for (int64_t i = 0; to && i < n; i++) {
		if (d != COP_I32) {
			to[i] = (char)from[i];
		} else {
			int64_t x = from[i] == INT64_MAX ? INT32_MAX : from[i] == INT64_MIN ? INT32_MIN : from[i]; /* "to the end" */
			if (x < INT32_MIN || x > INT32_MAX) {
				cop__error(m->cx, COP_FORMAT, "%s: element %lld of '%s' is %lld, which does not fit 32 bits", m->file, (long long)i,
					v->name, (long long)x);
				return NULL;
			}
			((int32_t *)to)[i] = (int32_t)x;
		}
	}
	return to;
}

/* What v is in a layout: its type in the graph, and the axes as they are permuted. */
static cop_type type_in(const cop_ox_value *v, cop_ox_layout l, int32_t *perm)
{
	cop_type t = {.dtype = cop__ox_dtype(v->type), .rank = v->rank, .q.axis = -1};

	layout_perm(perm, v->rank, l);
	for (int i = 0; i < v->rank && i < COP_MAX_DIM; i++) t.dim[i] = v->dim[perm[i]];
	if (l != OX_KERNEL) return t;
	t.rank = 4; /* [o,k,c], and one row of pixels */
	memcpy(t.dim, DIMS(t.dim[0], 1, t.dim[1], t.dim[2]), 4 * sizeof *t.dim);
	return t;
}

static cop_vid const_in(cop_ox *m, cop_ox_value *v, cop_ox_layout l, cop_role role)
{
	int32_t perm[OX_MAX_DIM];
	cop_type t = type_in(v, l, perm);
	const void *data = v->data;
	size_t size = t.dtype == COP_F32 || t.dtype == COP_I32 ? 4 : 1;

	if (v->rank > COP_MAX_DIM || !cop__ox_count(v)) {
		cop__error(m->cx, COP_FORMAT,
			"%s: '%s' has %d dimensions and %lld elements; 1 to 6 dimensions and at least one element are supported", m->file,
			v->name,
			v->rank, (long long)cop__ox_count(v));
		return 0;
	}
	if (t.dtype != COP_F32 && !(data = narrowed(m, v, t.dtype))) return 0;
	cop_vid made = cop__ox_const(m, v->name, t.dtype == COP_F32 ? role : COP_CONST, &t, l == OX_PLAIN ? data : NULL);
	if (l == OX_PLAIN || !made) return made;
	void *turned = cop__own(m->g, made); /* straight to where it stays */
	if (!turned) return 0;
	permute(turned, data, size, v->rank, v->dim, perm);
	return made;
}

/* ---- layouts ---- */

/* The layout that l comes to for so many axes. */
static cop_ox_layout meant(cop_ox_layout l, int32_t rank)
{
	if (l == OX_KERNEL && rank != 3) l = OX_LAST;
	return (rank < 3 && l == OX_LAST) || (rank != 2 && l == OX_TURNED) ? OX_PLAIN : l;
}

/* Readers that want different layouts get values of their own: what one of them is given never changes for another. */
static cop_vid in_layout(cop_ox *m, cop_ox_value *v, cop_ox_layout l, cop_role role)
{
	int32_t perm[OX_MAX_DIM], back[OX_MAX_DIM];

	l = meant(l, v->rank);
	if (m->cx->code || v->v[l]) return m->cx->code ? 0 : v->v[l];
	if (v->type == OX_STRING)
		return cop__error(m->cx, COP_FORMAT,
			"%s: '%s' is text, which is not supported; leave it out of the model, or use whole numbers for labels", m->file,
			v->name), 0;
	if (cop__ox_known(m, v)) return v->v[l] = const_in(m, v, l, role);
	if (m->cx->code) return 0;
	layout_perm(perm, v->rank, l == OX_PLAIN ? OX_LAST : l);
	for (int i = 0; i < v->rank; i++) back[perm[i]] = i;
	if (l == OX_PLAIN) return v->v[l] = cop__ox_transpose(m, v->v[OX_LAST], back);
	if (l == OX_KERNEL) {
		cop_vid last = in_layout(m, v, OX_LAST, role);
		return v->v[l] = last ? cop__ox_reshape(m, last, 4, DIMS(v->dim[0], 1, v->dim[2], v->dim[1])) : 0;
	}
	return v->v[l] = cop__ox_transpose(m, in_layout(m, v, OX_PLAIN, role), perm);
}

cop_vid cop__ox_as(cop_ox *m, cop_ox_value *v, cop_ox_layout l) { return in_layout(m, v, l, COP_CONST); }

cop_ox_layout cop__ox_prefers(const cop_ox_value *v) { return v->v[OX_LAST] && !v->v[OX_PLAIN] ? OX_LAST : OX_PLAIN; }

static cop_vid operand(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l, cop_role role)
{
	cop_ox_value *v = cop__ox_in(m, n, i);

	if (!v && !m->cx->code) cop__ox_fail(m, n, "input %d is missing", i);
	return v ? in_layout(m, v, l, role) : 0;
}

cop_vid cop__ox_get(cop_ox *m, const cop_ox_node *n, int i) { return operand(m, n, i, OX_PLAIN, COP_CONST); }

static cop_vid must_be_float(cop_ox *m, const cop_ox_node *n, int i, cop_vid v)
{
	if (!v || cop__t(m->g, v)->dtype == COP_F32) return v;
	cop__ox_fail(m, n, "input %d is %s, only real numbers are supported here", i,
		cop__ox_type_text(cop__ox_in(m, n, i)->type));
	return 0;
}

cop_vid cop__ox_float(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l)
{
	return must_be_float(m, n, i, operand(m, n, i, l, COP_CONST));
}

cop_vid cop__ox_weight(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l)
{
	return must_be_float(m, n, i, operand(m, n, i, l, COP_PARAM));
}

/* In steps of each row: as bytes. */
static cop_vid rows_in(cop_ox *m, cop_ox_value *v, cop_ox_layout l)
{
	int32_t perm[OX_MAX_DIM];
	int64_t count = cop__ox_count(v);
	cop_type t = type_in(v, l, perm);
	void *blob;

	int32_t rows = t.dim[0], cols = (int32_t)(count / rows);
	float *turned = cop__ox_room(m, 4 * (size_t)count), *scale = cop__ox_room(m, 4 * (size_t)rows);
	int8_t *code = cop__ox_room(m, (size_t)count);
	if (!turned || !scale || !code) return 0;
	permute(turned, v->data, 4, v->rank, v->dim, perm);
	for (int32_t r = 0; r < rows; r++) scale[r] = v->step[v->n_step > 1 ? r : 0];
	for (int64_t i = 0; i < count; i++) code[i] = (int8_t)lrintf(turned[i] / scale[i / cols]);
	t.enc = COP_BYTES;
	if (cop__encode_bytes(&blob, &t.enc_bytes, m->cx, scale, code, rows, cols)) return 0;
	cop_vid x = cop__ox_const(m, v->name, COP_PARAM, &t, blob);
	cop__free(m->cx, blob);
	return x;
}

cop_vid cop__ox_rows(cop_ox *m, const cop_ox_node *n, int i, cop_ox_layout l)
{
	cop_ox_value *v = cop__ox_in(m, n, i);
	int32_t row = l == OX_TURNED ? 1 : 0;

	if (!v || !v->data || !v->step || !cop__ox_count(v) || cop__ox_count(v) > INT32_MAX / 8 || v->rank > COP_MAX_DIM ||
		(v->n_step > 1 && v->step_axis != row))
		return cop__ox_weight(m, n, i, l);
	l = meant(l, v->rank);
	if (!v->rows[l]) v->rows[l] = rows_in(m, v, l);
	return v->rows[l];
}

/* One of its own for each layer: an array that several share is a running statistic of one alone, and may be another's
 * factor. */
cop_vid cop__ox_state(cop_ox *m, const cop_ox_node *n, int i, cop_vid of)
{
	cop_ox_value *x = cop__ox_in(m, n, i);
	cop_vid v = must_be_float(m, n, i, x && x->data ? const_in(m, x, OX_PLAIN, COP_STATE)
		: operand(m, n, i, OX_PLAIN, COP_STATE));

	if (v && m->g->value[v].role == COP_STATE && m->g->value[of].role == COP_PARAM) m->g->value[v].of = of;
	return v;
}

/* ---- results ---- */

cop_status cop__ox_know(cop_ox *m, const cop_ox_node *n, int i, int32_t type, int32_t rank, const int32_t *dim,
	const void *data)
{
	cop_ox_value *v = cop__ox_out(m, n, i);

	if (!v) return COP_OK;
	if (!data) return cop__failed(m->cx);
	v->type = type;
	v->rank = rank;
	if (rank) memcpy(v->dim, dim, sizeof *dim * (size_t)rank);
	v->data = data;
	return COP_OK;
}

cop_status cop__ox_set(cop_ox *m, const cop_ox_node *n, int i, cop_vid x, cop_ox_layout l, int32_t type)
{
	cop_ox_value *v = cop__ox_out(m, n, i);
	const cop_type *t = cop__t(m->g, x);
	int32_t perm[OX_MAX_DIM];

	if (!x) return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "could not be built");
	if (!v) return COP_OK;
	if (t->rank < 3) l = OX_PLAIN;
	layout_perm(perm, t->rank, l);
	v->type = type ? type : cop__ox_in(m, n, 0)->type;
	v->rank = t->rank;
	for (int k = 0; k < t->rank; k++) v->dim[perm[k]] = t->dim[k];
	v->v[l] = x;
	return COP_OK;
}

cop_status cop__ox_same(cop_ox *m, const cop_ox_node *n, int i, cop_ox_value *x)
{
	cop_ox_value *v = cop__ox_out(m, n, i);

	if (!v) return COP_OK;
	(void)cop__ox_known(m, x);
	v->type = x->type;
	v->rank = x->rank;
	memcpy(v->dim, x->dim, sizeof v->dim);
	v->data = x->data;
	v->step = x->step;
	v->n_step = x->n_step;
	v->step_axis = x->step_axis;
	memcpy(v->v, x->v, sizeof v->v);
	memcpy(v->rows, x->rows, sizeof v->rows);
	return m->cx->code;
}

cop_status cop__ox_axis(cop_ox *m, const cop_ox_node *n, int64_t axis, int32_t rank, int32_t *out)
{
	int64_t a = axis + (axis < 0 ? rank : 0);

	*out = (int32_t)a;
	return a < 0 || a >= rank ? cop__ox_fail(m, n, "axis %lld of %d dimensions", (long long)axis, rank) : COP_OK;
}
