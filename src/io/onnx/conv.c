/* SPDX-License-Identifier: Apache-2.0
 *
 * conv - convolutions of one, two and three spatial axes, and transposed ones. One axis is an image one row high; three
 * are, for each depth of the kernel, images side by side in the batch, summed. A transposed convolution is the gradient
 * of a convolution towards its input (conv_dx), whose weight ONNX stores as we do.
 */
#include "io/onnx/window.h"

/* Axes i (height) and j (width) of a window as the graph's attribute; i < 0: height 1. */
static cop_conv_attr conv_attr(const cop_ox_window *w, int32_t groups)
{
	int i = w->n - 2, j = w->n - 1;
	cop_conv_attr a = {.sh = 1, .sw = w->stride[j], .pl = w->before[j], .pr = w->after[j], .dh = 1, .dw = w->dilation[j],
		.groups = groups, .lo = COP_NO_LO, .hi = COP_NO_HI};

	if (i < 0) return a;
	a.sh = w->stride[i];
	a.dh = w->dilation[i];
	a.pt = w->before[i];
	a.pb = w->after[i];
	return a;
}

static cop_vid conv2(cop_ox *m, const cop_conv_attr *a, cop_vid x, cop_vid w, cop_vid b)
{
	return x && w ? cop__apply(m->g, OP_conv, a, b ? 3 : 2, (const cop_vid[]){x, w, b}) : 0;
}

/* [n,d,h,w,c] -> [n d,h,w,c] */
static cop_vid fold_depth(cop_ox *m, cop_vid x)
{
	const int32_t *d = cop__t(m->g, x)->dim;
	return x ? cop__ox_reshape(m, x, 4, DIMS(d[0] * d[1], d[2], d[3], d[4])) : 0;
}

static cop_vid conv3(cop_ox *m, const cop_ox_window *w, const cop_conv_attr *a, cop_vid x, cop_vid kernel, cop_vid b)
{
	int32_t before[6] = {0, w->before[0]}, after[6] = {0, w->after[0]};
	const cop_type *t = cop__t(m->g, kernel);
	cop_vid y = 0;

	if (!x || !kernel) return 0;
	const int32_t k[4] = {t->dim[0], t->dim[2], t->dim[3], t->dim[4]};
	if (before[1] || after[1]) x = cop__ox_pad(m, x, before, after, 0, PAD_CONSTANT);
	for (int32_t i = 0; x && i < w->k[0]; i++) {
		cop_vid at = fold_depth(m, cop__ox_slice(m, x, 1, i * w->dilation[0], w->out[0], w->stride[0]));
		cop_vid part = cop__ox_reshape(m, cop__ox_slice(m, kernel, 1, i, 1, 1), 4, k);
		cop_vid one = conv2(m, a, at, part, i ? 0 : b);
		y = i ? cop__ox_two(m, OP_add, y, one) : one;
	}
	if (!y) return 0;
	const int32_t *d = cop__t(m->g, y)->dim;
	return cop__ox_reshape(m, y, 5, DIMS(cop__t(m->g, x)->dim[0], w->out[0], d[1], d[2], d[3]));
}

cop_vid cop__ox_conv(cop_ox *m, const cop_ox_node *n, const cop_ox_window *w, cop_vid x, cop_vid kernel, cop_vid bias,
	int32_t rank, int32_t groups)
{
	cop_conv_attr a = conv_attr(w, groups);

	for (int i = 0; i < w->n; i++)
		if (!w->out[i]) return cop__ox_fail(m, n, "a kernel of %d does not fit a length of %d", w->k[i], w->in[i]), 0;
	if (rank == 5) return conv3(m, w, &a, x, kernel, bias);
	return cop__ox_from_image(m, conv2(m, &a, cop__ox_image(m, x), kernel, bias), rank);
}

static cop_status groups_of(cop_ox *m, const cop_ox_node *n, int32_t channels, int32_t *groups)
{
	int64_t g = cop__ox_i(n, "group", 1);

	*groups = (int32_t)g;
	return g < 1 || g > channels || channels % g ? cop__ox_fail(m, n, "%d channels in %lld groups", channels, (long long)g)
		: COP_OK;
}

/* Ranks of operand and weight, before their sizes are used. */
static cop_status operands(cop_ox *m, const cop_ox_node *n, cop_ox_value *x, cop_ox_value *k)
{
	if (x->rank != k->rank || x->rank < 3 || x->rank > 5)
		return cop__ox_fail(m, n, "operand and weight have %d and %d dimensions; 3 to 5, the same, are supported", x->rank,
			k->rank);
	if (!cop__ox_count(k)) return cop__ox_fail(m, n, "the weight is empty");
	return COP_OK;
}

cop_status cop__ox_add_conv(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *k = cop__ox_in(m, n, 1), *b = cop__ox_in(m, n, 2);
	cop_ox_window w;
	cop_ox_node *behind = NULL;
	cop_vid bias = 0;
	int32_t groups, size[3], rank = x->rank, out;

	COP_TRY(operands(m, n, x, k));
	rank = x->rank;
	out = k->dim[0];
	for (int i = 0; i < rank - 2; i++) size[i] = k->dim[2 + i];
	COP_TRY(cop__ox_window(m, n, x, size, &w));
	COP_TRY(groups_of(m, n, x->dim[1], &groups));
	if (b && cop__ox_count(b) != out)
		return cop__ox_fail(m, n, "the bias has %lld entries for %d outputs", (long long)cop__ox_count(b), out);
	if (b) bias = cop__ox_bias(m, b, out);
	else behind = cop__ox_bias_behind(m, n, rank, 1, out, &bias);
	if (b && !bias) return m->cx->code;
	cop_vid kernel = cop__ox_kernel(m, n, 1, rank < 5),
		y = cop__ox_conv(m, n, &w, cop__ox_float(m, n, 0, OX_LAST), kernel, bias, rank, groups);
	return cop__ox_finish(m, n, behind, y, OX_LAST);
}

/* ---- transposed ---- */

/* The lengths of the result, and paddings where they follow from it. */
static cop_status grown(cop_ox *m, const cop_ox_node *n, cop_ox_window *w)
{
	int64_t extra[3] = {0}, want[5], size;
	const char *how = cop__ox_s(m, n, "auto_pad", "NOTSET");
	int count = cop__ox_ints(m, n, "output_padding", extra, 3), wanted = cop__ox_ints(m, n, "output_shape", want, 5);

	if (!how || m->cx->code) return m->cx->code;
	if ((count >= 0 && count != w->n) || (wanted >= 0 && wanted != w->n && wanted != w->n + 2))
		return cop__ox_fail(m, n, "output_padding or output_shape has the wrong length");
	for (int i = 0; i < wanted; i++)
		if (want[i] < 1 || want[i] > INT32_MAX)
			return cop__ox_fail(m, n, "output_shape %lld is not positive, or too large", (long long)want[i]);
	for (int i = 0; i < w->n; i++) {
		if (extra[i] < 0 || extra[i] > INT32_MAX)
			return cop__ox_fail(m, n, "output_padding %lld is negative or too large", (long long)extra[i]);
		int64_t full = (int64_t)w->stride[i] * (w->in[i] - 1) + extra[i] + (int64_t)(w->k[i] - 1) * w->dilation[i] + 1;
		if (extra[i] < 0 || full > INT32_MAX)
			return cop__ox_fail(m, n, "the result is too large, or output_padding negative");
		size = full - w->before[i] - w->after[i];
		if (wanted >= 0 || !w->given) {
			size = wanted >= 0 ? want[wanted - w->n + i] : (int64_t)w->in[i] * w->stride[i];
			int64_t total = COP_MAX(full - size, 0), small = total / 2;
			bool upper = !strcmp(how, "SAME_UPPER");
			if (total > INT32_MAX) return cop__ox_fail(m, n, "output_shape is not positive");
			w->before[i] = (int32_t)(upper ? small : total - small);
			w->after[i] = (int32_t)(total - w->before[i]);
		}
		if (size < 1 || size > INT32_MAX)
			return cop__ox_fail(m, n, "axis %d of the result has length %lld", i + 2, (long long)size);
		w->out[i] = (int32_t)size;
	}
	return COP_OK;
}

cop_status cop__ox_add_conv_transpose(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *k = cop__ox_in(m, n, 1), *b = cop__ox_in(m, n, 2);
	cop_ox_window w;
	int32_t groups, size[3], rank;

	COP_TRY(operands(m, n, x, k));
	if ((rank = x->rank) == 5) return cop__ox_fail(m, n, "with three spatial axes is not supported; one and two are");
	for (int i = 0; i < rank - 2; i++) size[i] = k->dim[2 + i];
	COP_TRY(cop__ox_window(m, n, x, size, &w));
	COP_TRY(groups_of(m, n, x->dim[1], &groups));
	COP_TRY(grown(m, n, &w));
	cop_conv_dx_attr a = {conv_attr(&w, groups), w.n == 2 ? w.out[0] : 1, w.out[w.n - 1]};
	cop_vid v = cop__ox_image(m, cop__ox_float(m, n, 0, OX_LAST)), kernel = cop__ox_kernel(m, n, 1, false);
	cop_vid y = v && kernel ? cop__apply(m->g, OP_conv_dx, &a, VIDS(v, kernel)) : 0;
	if (b && y) y = cop__ox_two(m, OP_add, y, cop__ox_bias(m, b, cop__t(m->g, y)->dim[3]));
	return cop__ox_set(m, n, 0, cop__ox_from_image(m, y, rank), OX_LAST, 0);
}
