/* SPDX-License-Identifier: Apache-2.0
 *
 * window - see window.h. Every size is checked here, before a node sees it.
 */
#include "io/onnx/window.h"

enum { MOST = 1 << 20 };

static cop_status numbers(cop_ox *m, const cop_ox_node *n, const char *name, int count, int32_t *v, int32_t absent)
{
	int64_t have[6];
	int got = cop__ox_ints(m, n, name, have, 6);

	if (m->cx->code) return m->cx->code;
	if (got >= 0 && got != count)
		return cop__ox_fail(m, n, "attribute '%s' has %d elements, %d are expected", name, got, count);
	for (int i = 0; i < count; i++) {
		int64_t x = got < 0 ? absent : have[i];
		if (x < 0 || x > MOST)
			return cop__ox_fail(m, n, "attribute '%s': element %d is %lld; 0 to %d are supported", name, i, (long long)x, MOST);
		v[i] = (int32_t)x;
	}
	return COP_OK;
}

static cop_status paddings(cop_ox *m, const cop_ox_node *n, cop_ox_window *w)
{
	int32_t pads[6];
	const char *how = cop__ox_s(m, n, "auto_pad", "NOTSET");

	if (!how) return COP_NOMEM;
	w->given = !strcmp(how, "NOTSET") || !strcmp(how, "VALID") || !*how;
	if (!w->given && strcmp(how, "SAME_UPPER") && strcmp(how, "SAME_LOWER"))
		return cop__ox_fail(m, n, "auto_pad '%s' is unknown", how);
	COP_TRY(numbers(m, n, "pads", 2 * w->n, pads, 0));
	for (int i = 0; i < w->n; i++) {
		int32_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
		int64_t total = COP_MAX((int64_t)(out - 1) * w->stride[i] + (int64_t)(w->k[i] - 1) * w->dilation[i] + 1 - w->in[i],
			0);
		int32_t small = (int32_t)(total / 2), large = (int32_t)(total - small);
		bool same = !w->given, valid = !strcmp(how, "VALID");
		w->before[i] = same ? (!strcmp(how, "SAME_UPPER") ? small : large) : valid ? 0 : pads[i];
		w->after[i] = same ? (!strcmp(how, "SAME_UPPER") ? large : small) : valid ? 0 : pads[w->n + i];
	}
	return COP_OK;
}

cop_status cop__ox_window(cop_ox *m, const cop_ox_node *n, const cop_ox_value *x, const int32_t *k, cop_ox_window *w)
{
	*w = (cop_ox_window){.n = x->rank - 2};
	if (w->n < 1 || w->n > 3) return cop__ox_fail(m, n, "%d dimensions; 3 to 5 are supported", x->rank);
	for (int i = 0; i < w->n; i++) w->in[i] = x->dim[2 + i];
	COP_TRY(numbers(m, n, "kernel_shape", w->n, w->k, 0));
	for (int i = 0; k && i < w->n; i++) {
		if (w->k[i] && w->k[i] != k[i])
			return cop__ox_fail(m, n, "kernel_shape says %d where the weight has %d", w->k[i], k[i]);
		w->k[i] = k[i];
	}
	COP_TRY(numbers(m, n, "strides", w->n, w->stride, 1));
	COP_TRY(numbers(m, n, "dilations", w->n, w->dilation, 1));
	for (int i = 0; i < w->n; i++)
		if (w->k[i] < 1 || w->stride[i] < 1 || w->dilation[i] < 1 || w->k[i] > MOST)
			return cop__ox_fail(m, n, "kernel, strides and dilations must be positive");
	COP_TRY(paddings(m, n, w));
	for (int i = 0; i < w->n; i++) {
		int64_t room = (int64_t)w->in[i] + w->before[i] + w->after[i] - (int64_t)(w->k[i] - 1) * w->dilation[i] - 1;
		w->out[i] = room < 0 ? 0 : (int32_t)(room / w->stride[i]) + 1;
	}
	return COP_OK;
}

cop_vid cop__ox_image(cop_ox *m, cop_vid last)
{
	const cop_type *t = cop__t(m->g, last);

	if (!last || t->rank != 3) return last;
	return cop__ox_reshape(m, last, 4, DIMS(t->dim[0], 1, t->dim[1], t->dim[2]));
}

cop_vid cop__ox_from_image(cop_ox *m, cop_vid y, int32_t rank)
{
	const cop_type *t = cop__t(m->g, y);

	if (!y || rank != 3) return y;
	return cop__ox_reshape(m, y, 3, DIMS(t->dim[0], t->dim[2], t->dim[3]));
}

cop_vid cop__ox_kernel(cop_ox *m, const cop_ox_node *n, int i, bool rows)
{
	return rows ? cop__ox_rows(m, n, i, OX_KERNEL) : cop__ox_weight(m, n, i, OX_KERNEL);
}

cop_vid cop__ox_bias(cop_ox *m, cop_ox_value *b, int32_t count)
{
	cop_vid v = b->v[OX_PLAIN];

	if (v && cop__t(m->g, v)->rank == 1) return v;
	if (!cop__ox_is_float(b->type))
		return cop__error(m->cx, COP_FORMAT, "%s: '%s' is %s, only real numbers are supported as a bias", m->file, b->name,
			cop__ox_type_text(b->type)), 0;
	if (!b->data) return cop__ox_reshape(m, cop__ox_as(m, b, OX_PLAIN), 1, &count);
	v = cop__ox_vector(m, COP_PARAM, b->name, b->data, count);
	if (b->rank == 1) b->v[OX_PLAIN] = v;
	return v;
}

cop_ox_node *cop__ox_bias_behind(cop_ox *m, const cop_ox_node *n, int32_t rank, int32_t axis, int32_t count,
	cop_vid *bias)
{
	const cop_ox_value *y = cop__ox_out(m, n, 0);

	if (!y || y->readers != 1 || y->reader < 0) return NULL;
	cop_ox_node *add = &m->node[y->reader];
	if (strcmp(add->type, "Add") || add->n_in != 2 || cop__ox_has(add, "axis")) return NULL;
	cop_ox_value *b = &m->value[add->in[m->value + add->in[0] == y]];
	if (!cop__ox_known(m, b) || !cop__ox_is_float(b->type) || b->rank > rank || cop__ox_count(b) != count) return NULL;
	for (int i = 0; i < b->rank; i++)
		if (b->dim[i] != (i + rank - b->rank == axis ? count : 1)) return NULL;
	*bias = cop__ox_bias(m, b, count);
	add->done = true;
	return add;
}

cop_status cop__ox_finish(cop_ox *m, const cop_ox_node *n, cop_ox_node *behind, cop_vid y, cop_ox_layout l)
{
	return cop__ox_set(m, behind ? behind : n, 0, y, l, OX_FLOAT);
}
