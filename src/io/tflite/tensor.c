/* SPDX-License-Identifier: Apache-2.0
 *
 * tensor - operands of an operator: constants read and converted, results remembered.
 */
#include "enc/enc.h"
#include "io/tflite/tflite.h"

#include <stdio.h>

cop_status cop__tfl_fail(cop_tfl *m, const cop_tfl_node *n, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	cop__vformat(text, sizeof text, fmt, ap);
	va_end(ap);
	return cop__error(m->cx, COP_FORMAT, "%s: operator %d (%s): %s", m->fb.file, n->index, n->name, text);
}

bool cop__tfl_is(const cop_tfl_tensor *t, cop_dtype d) { return t->type.dtype == d; }
bool cop__tfl_whole(const cop_tfl_tensor *t) { return cop__tfl_is(t, COP_I8) || cop__tfl_is(t, COP_I16); }

static cop_tfl_tensor *operand(cop_tfl *m, const cop_fb_vec *list, int i)
{
	if ((uint32_t)i >= list->n) return NULL;
	int32_t at = cop__fb_vec_i32(list, (uint32_t)i);
	return at < 0 ? NULL : &m->tensor[at]; /* the index was checked when the operator was read */
}

cop_tfl_tensor *cop__tfl_in(cop_tfl *m, const cop_tfl_node *n, int i)
{
	return operand(m, &n->in, i);
}

cop_tfl_tensor *cop__tfl_out(cop_tfl *m, const cop_tfl_node *n, int i)
{
	return operand(m, &n->out, i);
}

cop_tfl_tensor *cop__tfl_mid(cop_tfl *m, const cop_tfl_node *n, int i)
{
	return operand(m, &n->mid, i);
}

cop_status cop__tfl_spend(cop_tfl *m, size_t bytes)
{
	if ((m->budget -= (int64_t)bytes) >= 0) return COP_OK;
	return cop__error(m->cx, COP_FORMAT, "%s: the constants together are larger than such a file can stand for", m->fb.file);
}

void *cop__tfl_room(cop_tfl *m, size_t bytes)
{
	return cop__tfl_spend(m, bytes) ? NULL : cop__arena_get(&m->mem, bytes + 64);
}

/* ---- constants ---- */

static cop_status convert(cop_tfl *m, const cop_tfl_tensor *t, void *out, int64_t n)
{
	const uint8_t *p = t->bytes.p;

	for (int64_t i = 0; i < n; i++) {
		if (t->file_type == TFL_INT64) {
			int64_t v = (int64_t)cop__le64(p + 8 * i);
			if (v > INT32_MAX && v == INT64_MAX) v = INT32_MAX; /* "to the end" */
			if (v != (int32_t)v)
				return cop__error(m->cx, COP_FORMAT, "%s: element %lld of tensor '%s' is %lld, beyond 32 bits", m->fb.file,
					(long long)i, t->name, (long long)v);
			((int32_t *)out)[i] = (int32_t)v;
		} else if (t->file_type == TFL_FLOAT16) {
			((float *)out)[i] = cop_from_half((uint32_t)p[2 * i] | (uint32_t)p[2 * i + 1] << 8);
		} else if (t->file_type == TFL_INT4) { /* the low half first */
			int32_t v = p[i / 2] >> (i % 2 * 4) & 15;
			((int8_t *)out)[i] = (int8_t)(v < 8 ? v : v - 16);
		} else {
			((uint8_t *)out)[i] = p[i] ^ 0x80; /* uint8 with a scale */
		}
	}
	return COP_OK;
}

static size_t file_bytes(int32_t type, int64_t n)
{
	static const uint8_t bits[] = {[TFL_FLOAT32] = 32, [TFL_FLOAT16] = 16, [TFL_INT32] = 32, [TFL_UINT8] = 8,
		[TFL_INT64] = 64, [TFL_BOOL] = 8, [TFL_INT8] = 8, [TFL_INT4] = 4, [TFL_INT16] = 16};
	return type >= 0 && type < LEN(bits) ? ((size_t)n * bits[type] + 7) / 8 : 0;
}

const void *cop__tfl_data(cop_tfl *m, cop_tfl_tensor *t)
{
	int64_t n = cop_type_count(&t->type);

	if (t->data || !t->bytes.n || m->cx->code) return t->data;
	for (int i = 0; i < t->type.rank; i++)
		if (t->type.dim[i] < 1) n = -1;
	if (n < 1 || !t->type.dtype || file_bytes(t->file_type, n) != t->bytes.n) {
		cop__error(m->cx, COP_FORMAT, "%s: tensor '%s' has %u bytes, its shape and type (%d) ask for %zu", m->fb.file,
			t->name, t->bytes.n, t->file_type, n < 1 ? 0 : file_bytes(t->file_type, n));
		return NULL;
	}
	void *out = cop__tfl_room(m, cop_type_bytes(&t->type));
	if (!out) return NULL;
	bool same = t->file_type == TFL_FLOAT32 || t->file_type == TFL_INT32 || t->file_type == TFL_INT8 || t->file_type == TFL_INT16 || t->file_type == TFL_BOOL || cop__tfl_is(t, COP_U8);
	if (same) memcpy(out, t->bytes.p, t->bytes.n);
	else if (convert(m, t, out, n)) return NULL;
	return t->data = out;
}

cop_status cop__tfl_ints(cop_tfl *m, const cop_tfl_node *n, int i, const int32_t **v, int32_t *count)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);

	if (!t || !cop__tfl_is(t, COP_I32)) return cop__tfl_fail(m, n, "input %d must be whole numbers of 32 or 64 bits", i);
	*v = cop__tfl_data(m, t);
	if (m->cx->code) return m->cx->code;
	if (!*v) return cop__tfl_fail(m, n, "input %d ('%s') must be known when the model is read, it depends on the network's inputs", i, t->name);
	*count = cop__count32(&t->type);
	return COP_OK;
}

/* ---- values ---- */

cop_vid cop__tfl_weight(cop_tfl *m, const cop_tfl_node *n, cop_role role, const char *what, const cop_type *t, const void *data)
{
	char name[64], kind[24];
	int k = 0;

	for (; n->name[k] && k < 23; k++) kind[k] = (char)(n->name[k] >= 'A' && n->name[k] <= 'Z' ? n->name[k] + 32 : n->name[k]);
	kind[k] = 0;
	snprintf(name, sizeof name, "%s%d.%s", kind, n->index, what);
	if (cop__tfl_spend(m, cop_type_bytes(t))) return 0;
	return cop__data(m->g, role, name, t, data);
}

cop_vid cop__tfl_value(cop_tfl *m, const cop_tfl_node *n, int i)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, i);
	char what[16];

	if (t && !t->v && t->apart.x) t->v = cop__tfl_to_batch(m->g, &t->apart);
	if (t && t->v) return t->v;
	const void *data = t ? cop__tfl_data(m, t) : NULL;
	if (!data) {
		if (!m->cx->code) cop__tfl_fail(m, n, t ? "input %d is read before it is written" : "input %d is missing", i);
		return 0;
	}
	snprintf(what, sizeof what, "in%d", i);
	return t->v = cop__tfl_weight(m, n, COP_CONST, what, &t->type, data);
}

cop_vid cop__tfl_own(cop_graph *g, cop_vid v)
{
	cop_vid base = v;

	while (g->value[base].producer && (cop__op(g, g->value[base].producer)->flags & COP_OP_VIEW)) base = g->node[g->value[base].producer].in[0];
	bool leaf = !g->value[base].producer || g->value[v].name;
	return leaf ? cop__make_concat(g, 0, 1, &v) : v;
}

cop_status cop__tfl_set(cop_tfl *m, const cop_tfl_node *n, int i, cop_vid v)
{
	cop_tfl_tensor *t = cop__tfl_out(m, n, i);

	if (!v) return m->cx->code ? m->cx->code : COP_NOMEM;
	if (!t) return cop__tfl_fail(m, n, "has no output %d", i);
	const cop_type *made = cop__t(m->g, v);
	if (made->dtype != t->type.dtype)
		return cop__tfl_fail(m, n, "gives %s here, tensor '%s' is %s", cop__dtype_text(made->dtype), t->name, cop__dtype_text(t->type.dtype));
	if (t->v || t->apart.x || t->bytes.n || t->data) return cop__tfl_fail(m, n, "writes tensor '%s', which has contents already", t->name);
	t->v = v;
	t->type.rank = made->rank;
	memcpy(t->type.dim, made->dim, sizeof made->dim);
	return COP_OK;
}

cop_status cop__tfl_know(cop_tfl *m, const cop_tfl_node *n, int i, int32_t rank, const int32_t *dim, const void *data)
{
	cop_tfl_tensor *t = cop__tfl_out(m, n, i);

	if (!data) return m->cx->code ? m->cx->code : COP_NOMEM;
	if (!t) return cop__tfl_fail(m, n, "has no output %d", i);
	if (t->v || t->apart.x || t->bytes.n || t->data) return cop__tfl_fail(m, n, "writes tensor '%s', which has contents already", t->name);
	t->type.rank = rank;
	for (int k = 0; k < rank; k++) t->type.dim[k] = dim[k];
	t->data = data;
	return COP_OK;
}
