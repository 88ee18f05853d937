/* SPDX-License-Identifier: Apache-2.0
 *
 * transposed - a transposed convolution as one over its input with zeros between: y[h] = sum over k of z[h + pad - k
 * dilation] w[k], where z has x at every stride-th place. With the kernel turned round that is a convolution, which has
 * an integer form; the bias that is added behind it becomes its own.
 */
#include "compress/quantize/quantize.h"

typedef struct work { const cop_graph *g; cop_graph *out; cop_vid *map; const int32_t *readers; } work;

static bool known(const cop_graph *g, cop_vid v)
{
	return cop__floats(g, v) && g->value[v].role != COP_STATE;
}

/* The addition of a number for each channel that alone reads n's result, or 0. */
static cop_nid bias_of(const work *w, cop_nid n)
{
	cop_vid y = cop__res(w->g, n, 0);
	int32_t c = cop__outt(w->g, n, 0)->dim[3];

	for (cop_nid m = n + 1; w->readers[y] == 1 && m <= (cop_nid)w->g->n_node; m++) {
		if (cop__arg(w->g, m, 0) != y) continue;
		cop_vid b = cop__arg(w->g, m, 1);
		bool channels = w->g->node[m].op == OP_add && known(w->g, b) && w->readers[b] == 1 &&
			cop_type_count(cop__t(w->g, b)) == c && cop__t(w->g, b)->dim[cop__t(w->g, b)->rank - 1] == c;
		return channels && !w->g->node[m].guard ? m : 0;
	}
	return 0;
}

/* w [in,kh,kw,out/groups] as [out,kh,kw,in/groups], turned round. */
static cop_vid turned_weight(work *w, cop_nid n, int32_t groups)
{
	const cop_value *v = &w->g->value[cop__arg(w->g, n, 1)];
	const int32_t *d = v->type.dim;
	int32_t in = d[0], kh = d[1], kw = d[2], og = d[3], ig = in / groups;
	cop_type t = cop__type(COP_F32, 4, DIMS(og * groups, kh, kw, ig));
	cop_vid made = cop__data(w->out, COP_PARAM, v->name, &t, NULL);
	float *to = made ? cop__own(w->out, made) : NULL;
	const float *from = cop__floats(w->g, cop__arg(w->g, n, 1));

	for (int32_t i = 0; to && i < in; i++)
		for (int32_t k = 0; k < kh * kw; k++)
			for (int32_t o = 0; o < og; o++) {
				int32_t row = i / ig * og + o, back = kh * kw - 1 - k;
				to[((size_t)row * (size_t)(kh * kw) + (size_t)back) * (size_t)ig + (size_t)(i % ig)] =
					from[((size_t)i * (size_t)(kh * kw) + (size_t)k) * (size_t)og + (size_t)o];
			}
	return to ? made : 0;
}

/* x with stride - 1 zeros behind each row and column. */
static cop_vid stuffed(work *w, cop_vid x, int32_t sh, int32_t sw)
{
	const cop_type *t = cop__t(w->out, x);
	int32_t h = t->dim[1], wd = t->dim[2], c = t->dim[3];

	if (sh == 1 && sw == 1) return x;
	x = cop__apply(w->out, OP_reshape, &(cop_shape_attr){6, {0, h, 1, wd, 1, c}}, VIDS(x));
	x = cop__apply(w->out, OP_pad, &(cop_pad_attr){.after = {0, 0, sh - 1, 0, sw - 1, 0}}, VIDS(x));
	return cop__apply(w->out, OP_reshape, &(cop_shape_attr){4, {0, h * sh, wd * sw, c, 0, 0}}, VIDS(x));
}

/* Paddings below zero cut. */
static cop_vid cut(work *w, cop_vid x, int32_t pad[4])
{
	const int32_t *d = cop__t(w->out, x)->dim;
	cop_slice_attr s = {.from = {0, COP_MAX(-pad[0], 0), COP_MAX(-pad[1], 0), 0}};

	s.size[1] = d[1] - s.from[1] - COP_MAX(-pad[2], 0);
	s.size[2] = d[2] - s.from[2] - COP_MAX(-pad[3], 0);
	if (s.size[1] == d[1] && s.size[2] == d[2]) return x;
	for (int i = 0; i < 4; i++) pad[i] = COP_MAX(pad[i], 0);
	return s.size[1] > 0 && s.size[2] > 0 ? cop__apply(w->out, OP_slice, &s, VIDS(x)) : 0;
}

static cop_status rewrite(work *w, cop_nid n, cop_nid bias)
{
	const cop_graph *g = w->g;
	COP_ATTR(cop_conv_dx_attr, a, g, n);
	const int32_t *x = cop__in(g, n, 0)->dim, *k = cop__in(g, n, 1)->dim;
	int32_t pad[4] = {(k[1] - 1) * a.c.dh - a.c.pt, (k[2] - 1) * a.c.dw - a.c.pl, a.h + a.c.pt - x[1] * a.c.sh,
		a.w + a.c.pl - x[2] * a.c.sw};
	cop_vid v = cop__copy_value(w->out, g, w->map, cop__arg(g, n, 0)), in[3] = {0, turned_weight(w, n, a.c.groups)};
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (v) v = stuffed(w, v, a.c.sh, a.c.sw);
	in[0] = v ? cut(w, v, pad) : 0;
	if (bias) {
		cop__act_get(g, bias, &lo, &hi);
		const cop_value *b = &g->value[cop__arg(g, bias, 1)];
		cop_type t = cop__type(COP_F32, 1, DIMS((int32_t)cop_type_count(&b->type)));
		if (!(in[2] = w->map[cop__arg(g, bias, 1)] = cop__data(w->out, b->role, b->name, &t,
			cop__floats(g, cop__arg(g, bias, 1))))) return cop__failed(g->cx);
	}
	cop_conv_attr c = {1, 1, pad[0], pad[1], pad[2], pad[3], a.c.dh, a.c.dw, a.c.groups, lo, hi};
	v = in[0] && in[1] ? cop__apply(w->out, OP_conv, &c, bias ? 3 : 2, in) : 0;
	if (!v) return cop__failed(g->cx);
	cop__map_to(w->out, g, w->map, cop__res(g, bias ? bias : n, 0), v);
	return COP_OK;
}

cop_status cop__transposed_to_conv(cop_graph **out, const cop_graph *g)
{
	work w = {.g = g};

	COP_TRY(cop__copy_begin(out, g, &w.map));
	w.out = *out;
	w.readers = cop__readers(g, &w.out->mem);
	cop_status st = w.readers ? cop__copy_inputs(*out, g, w.map) : COP_NOMEM;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) {
		cop_vid k = cop__arg(g, n, 1), y = cop__res(g, n, 0);
		if (y && w.map[y]) continue; /* a bias that has gone into its convolution */
		if (g->node[n].op == OP_conv_dx && !g->node[n].guard && known(g, k) && w.readers[k] == 1)
			st = rewrite(&w, n, bias_of(&w, n));
		else st = cop__copy_node(*out, g, w.map, n);
	}
	if (!st) st = cop__copy_rest(*out, g, w.map);
	return cop__pass_end(out, st);
}
