/* SPDX-License-Identifier: Apache-2.0
 *
 * write_int - operators of integers as ONNX has them: DequantizeLinear, the operator on floats, QuantizeLinear. The
 * graph carries multipliers, sx sw / sy for a layer, where ONNX wants scales: cop__int_scales finds them.
 */
#include "io/onnx/write.h"

#include "op/qscale.h"

#include <math.h>
#include <stdio.h>

typedef cop_oxw_name nm;

static const cop_value *value_in(const cop_oxw *w, cop_nid n, int i) { return &w->g->value[cop__arg(w->g, n, i)]; }

/* ---- to floats and back ---- */

static nm dequantized(cop_oxw *w, nm x, double scale, int32_t zero, cop_dtype d)
{
	nm y = cop__oxw_fresh(w), s = cop__oxw_float(w, (float)scale), z = cop__oxw_int(w, zero, d);
	cop__oxw_node(w, "DequantizeLinear", y.s, x.s, s.s, z.s);
	return y;
}

static void quantized(cop_oxw *w, nm y, nm x, double scale, int32_t zero, cop_dtype d)
{
	nm s = cop__oxw_float(w, (float)scale), z = cop__oxw_int(w, zero, d);
	cop__oxw_node(w, "QuantizeLinear", y.s, x.s, s.s, z.s);
}

/* x within the integers lo .. hi, as y. */
static void bounded(cop_oxw *w, nm y, nm x, double scale, int32_t zero, int32_t lo, int32_t hi)
{
	float low = lo > -128 ? (float)scale * (float)(lo - zero) : COP_NO_LO,
		high = hi < 127 ? (float)scale * (float)(hi - zero) : COP_NO_HI;
	nm inside = x;

	if (lo > -128 || hi < 127) cop__oxw_activate(w, inside = cop__oxw_fresh(w), x, low, high);
	quantized(w, y, inside, scale, zero, COP_I8);
}

static nm operand(cop_oxw *w, cop_nid n, int i) { return cop__oxw_value(w, cop__arg(w->g, n, i)); }
static nm result(cop_oxw *w, cop_nid n) { return cop__oxw_value(w, cop__res(w->g, n, 0)); }
static double scale_of(const cop_oxw *w, cop_vid v) { return w->scale[v] > 0 ? w->scale[v] : 1.0 / 128; }

/* ---- layers ---- */

/* Weights [o,h,w,c] as bytes [o,c,h,w]; sum[o] of them. */
static void turned(int8_t *to, int32_t *sum, const cop_value *w)
{
	const int32_t *d = w->type.dim, c = d[3], cells = d[1] * d[2];

	for (int32_t o = 0; o < d[0]; o++)
		for (int32_t p = 0; p < cells; p++)
			for (int32_t i = 0; i < c; i++) {
				int32_t v = cop__whole_at(&w->type, w->data, ((int64_t)o * cells + p) * c + i);
				to[((size_t)o * (size_t)c + (size_t)i) * (size_t)cells + (size_t)p] = (int8_t)v;
				sum[o] += v;
			}
}

/* "conv1.w.int" with scales by output, dequantised as "conv1.w"; of what others read, too, as "conv1.w.real", as two
 * layers need not scale it alike. */
static nm by_row(cop_oxw *w, cop_vid v, int type, int rank, const int64_t *dim, const void *data, size_t bytes,
	const float *scale)
{
	nm stored = cop__oxw_beside(w, v, ".int"), name = w->names.readers[v] == 1 ? cop__oxw_label(w, v)
		: cop__oxw_beside(w, v, ".real"), s = cop__oxw_floats(w, scale, (int32_t)dim[0]);

	cop__oxw_tensor(w, stored.s, type, rank, dim, data, bytes);
	cop__oxw_attr_i(w, "axis", 0);
	cop__oxw_node(w, "DequantizeLinear", name.s, stored.s, s.s, NULL);
	return name;
}

/* What a layer holds, as ONNX has it: room for o rows. */
typedef struct held { int8_t *q; int32_t *bias; float *scale, *bias_scale; nm w, b; } held;

static void fill(cop_oxw *w, cop_nid n, const cop_qconv_attr *a, double sx, double sy, held *h)
{
	const cop_value *k = value_in(w, n, 1), *b = value_in(w, n, 2);
	const int32_t *d = k->type.dim, o = d[0];
	const int64_t dim[4] = {o, d[3], d[1], d[2]};
	int64_t count = cop_type_count(&k->type);

	turned(h->q, h->bias, k);
	for (int32_t i = 0; i < o; i++) { /* the graph's bias holds -zx sum w */
		h->bias[i] = (int32_t)((uint32_t)((const int32_t *)b->data)[i] + (uint32_t)a->zx * (uint32_t)h->bias[i]);
		h->scale[i] = (float)fmax(cop__qconv_real(a, value_in(w, n, 3), i) * sy / sx, 1e-30);
		h->bias_scale[i] = (float)sx * h->scale[i];
	}
	h->w = by_row(w, cop__arg(w->g, n, 1), OX_INT8, 4, dim, h->q, (size_t)count, h->scale);
	h->b = by_row(w, cop__arg(w->g, n, 2), OX_INT32, 1, dim, h->bias, 4 * (size_t)o, h->bias_scale);
}

static cop_status qconv(cop_oxw *w, cop_nid n)
{
	const cop_graph *g = w->g;
	COP_ATTR(cop_qconv_attr, a, g, n);
	const cop_conv_attr c = {a.sh, a.sw, a.pt, a.pl, a.pb, a.pr, a.dh, a.dw, a.groups, COP_NO_LO, COP_NO_HI};
	double sx = scale_of(w, cop__arg(g, n, 0)), sy = scale_of(w, cop__res(g, n, 0));
	size_t o = (size_t)cop__in(g, n, 1)->dim[0];

	for (int i = 1; i < 4; i++)
		if (!value_in(w, n, i)->data) return cop__fail(g, COP_ARG, n, "its weights and multipliers must be constants");
	held h = {cop__alloc(w->cx, (size_t)cop_type_count(cop__in(g, n, 1))), cop__alloc(w->cx, 4 * o),
		cop__alloc(w->cx, 4 * o), cop__alloc(w->cx, 4 * o), {""}, {""}};
	bool room = h.q && h.bias && h.scale && h.bias_scale;
	if (room) fill(w, n, &a, sx, sy, &h);
	cop__free(w->cx, h.q), cop__free(w->cx, h.bias), cop__free(w->cx, h.scale), cop__free(w->cx, h.bias_scale);
	if (!room) return COP_NOMEM;
	nm x = dequantized(w, cop__oxw_first(w, operand(w, n, 0), 4), sx, a.zx, COP_I8), y = cop__oxw_fresh(w),
		q = cop__oxw_fresh(w);
	cop__oxw_conv_attrs(w, &c);
	cop__oxw_node(w, "Conv", y.s, x.s, h.w.s, h.b.s);
	bounded(w, q, y, sy, a.zy, a.qlo, a.qhi);
	cop__oxw_last(w, result(w, n), q, 4);
	return COP_OK;
}

/* ---- the rest ---- */

static void qadd(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_qadd_attr, a, w->g, n);
	double sy = scale_of(w, cop__res(w->g, n, 0)), ra, rb;

	cop__qadd_real(&a, &ra, &rb);
	nm x = dequantized(w, operand(w, n, 0), fabs(ra) * sy, a.za, COP_I8),
		b = dequantized(w, operand(w, n, 1), fabs(rb) * sy, a.zb, COP_I8), y = cop__oxw_fresh(w);
	cop__oxw_node(w, rb < 0 ? "Sub" : "Add", y.s, x.s, b.s, NULL);
	bounded(w, result(w, n), y, sy, a.zy, a.qlo, a.qhi);
}

static void qmul(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_qmul_attr, m, w->g, n);
	double sa = scale_of(w, cop__arg(w->g, n, 0)), sy = scale_of(w, cop__res(w->g, n, 0)),
		sb = cop__real_double(m.my, m.sy) * sy / sa;
	nm a = dequantized(w, operand(w, n, 0), sa, m.za, COP_I8), b = dequantized(w, operand(w, n, 1), sb, m.zb, COP_I8),
		y = cop__oxw_fresh(w);

	cop__oxw_node(w, "Mul", y.s, a.s, b.s, NULL);
	bounded(w, result(w, n), y, sy, m.zy, m.qlo, m.qhi);
}

static double cells(const cop_qavgpool_attr *p) { return (double)p->kh * p->kw; }

static void qavgpool(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_qavgpool_attr, p, w->g, n);
	double sy = scale_of(w, cop__res(w->g, n, 0)), sx = p.m ? cop__real_double(p.m, p.s) * cells(&p) * sy : sy;
	int32_t zy = p.m ? p.zy : p.zx;
	nm x = dequantized(w, cop__oxw_first(w, operand(w, n, 0), 4), sx, p.zx, COP_I8), y = cop__oxw_fresh(w),
		q = cop__oxw_fresh(w);

	cop__oxw_attr_ints(w, "kernel_shape", (const int64_t[]){p.kh, p.kw}, 2);
	cop__oxw_attr_ints(w, "strides", (const int64_t[]){p.sh, p.sw}, 2);
	cop__oxw_attr_ints(w, "pads", (const int64_t[]){p.pt, p.pl, p.pb, p.pr}, 4);
	cop__oxw_node(w, "AveragePool", y.s, x.s, NULL, NULL);
	bounded(w, q, y, sy, zy, p.qlo, p.qhi);
	cop__oxw_last(w, result(w, n), q, 4);
}

/* An element of the table for each number; below 0 it is counted from the end, as bytes are. */
static cop_status qlut(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_qlut_attr, a, w->g, n);
	nm table = cop__oxw_fresh(w), index = cop__oxw_fresh(w), x = operand(w, n, 0);
	const int64_t dim = 256;

	if (!value_in(w, n, 1)->data) return cop__fail(w->g, COP_ARG, n, "its table must be a constant");
	cop__oxw_tensor(w, table.s, a.to == COP_U8 ? OX_UINT8 : OX_INT8, 1, &dim, value_in(w, n, 1)->data, 256);
	cop__oxw_attr_i(w, "to", OX_INT32);
	cop__oxw_node(w, "Cast", index.s, x.s, NULL, NULL);
	cop__oxw_node(w, "Gather", result(w, n).s, table.s, index.s, NULL);
	return COP_OK;
}

static void qsoftmax(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_qsoftmax_attr, a, w->g, n);
	nm x = dequantized(w, operand(w, n, 0), cop__qsoftmax_real(&a), 0, COP_I8), y = cop__oxw_fresh(w);

	cop__oxw_node(w, "Softmax", y.s, x.s, NULL, NULL);
	quantized(w, result(w, n), y, 1.0 / 256, -128, COP_I8);
}

static void dequantize(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_dequantize_attr, a, w->g, n);
	const cop_dtype d = cop__in(w->g, n, 0)->dtype;
	nm x = operand(w, n, 0), s = cop__oxw_float(w, a.scale), z = {""};

	if (d == COP_I32) {
		z = cop__oxw_fresh(w);
		cop__oxw_tensor(w, z.s, OX_INT32, 0, NULL, &a.zero, 4);
		if (a.zero) { /* ONNX has no zero point of sums */
			nm centred = cop__oxw_fresh(w);
			cop__oxw_node(w, "Sub", centred.s, x.s, z.s, NULL);
			x = centred;
		}
		*z.s = 0;
	} else {
		z = cop__oxw_int(w, a.zero, d);
	}
	cop__oxw_node(w, "DequantizeLinear", result(w, n).s, x.s, s.s, *z.s ? z.s : NULL);
}

/* A zero point has the format of the bytes there. */
static cop_status zero_fits(const cop_oxw *w, cop_nid n, int32_t zero, cop_dtype d)
{
	if (d == COP_I32 || (d == COP_U8 ? zero >= 0 && zero <= 255 : zero >= -128 && zero <= 127)) return COP_OK;
	return cop__fail(w->g, COP_ARG, n, "has no form in ONNX: its zero point %d is no number of its bytes", zero);
}

cop_status cop__oxw_int_op(cop_oxw *w, cop_nid n)
{
	COP_ATTR(cop_quantize_attr, a, w->g, n);
	COP_ATTR(cop_dequantize_attr, d, w->g, n);

	if (w->g->node[n].op == OP_quantize) COP_TRY(zero_fits(w, n, a.zero, (cop_dtype)a.to));
	if (w->g->node[n].op == OP_dequantize) COP_TRY(zero_fits(w, n, d.zero, cop__in(w->g, n, 0)->dtype));
	switch (w->g->node[n].op) {
	case OP_qconv: return qconv(w, n);
	case OP_qlut: return qlut(w, n);
	case OP_qadd: qadd(w, n); break;
	case OP_qmul: qmul(w, n); break;
	case OP_qavgpool: qavgpool(w, n); break;
	case OP_qsoftmax: qsoftmax(w, n); break;
	case OP_quantize: quantized(w, result(w, n), operand(w, n, 0), (double)a.scale, a.zero, (cop_dtype)a.to); break;
	case OP_dequantize: dequantize(w, n); break;
	default: return cop__fail(w->g, COP_ARG, n, "has no form in ONNX as integers; export the network of floats");
	}
	return COP_OK;
}
