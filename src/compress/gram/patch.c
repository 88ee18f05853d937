/* SPDX-License-Identifier: Apache-2.0
 *
 * patch - see patch.h.
 */
#include "compress/gram/patch.h"

cop_filter cop__filter_of(const cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *w = cop__in(g, n, 1), *y = cop__outt(g, n, 0);

	if (g->node[n].op == OP_fc) return (cop_filter){1, 1, x->dim[1], 1, 1, 1, 1, 1, x->dim[1], {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}};
	COP_ATTR(cop_conv_attr, a, g, n);
	return (cop_filter){x->dim[1], x->dim[2], x->dim[3], y->dim[1], y->dim[2], w->dim[1], w->dim[2], a.groups, w->dim[1] * w->dim[2] * w->dim[3], a};
}

int32_t cop__position(const cop_filter *f, uint64_t seed, uint32_t stream, int64_t i, int32_t spot)
{
	int32_t all = f->oh * f->ow;
	return all <= COP_POSITIONS ? spot : (int32_t)(cop__rand(seed, stream, (uint64_t)i * COP_POSITIONS + (uint64_t)spot) % (uint32_t)all);
}

void cop__patch(float *to, const cop_filter *f, const float *x, int32_t group, int32_t at)
{
	int32_t cg = f->c / f->groups, oh = at / f->ow, ow = at % f->ow;

	for (int32_t tap = 0; tap < f->kh * f->kw; tap++, to += cg) {
		int32_t h = oh * f->a.sh - f->a.pt + tap / f->kw * f->a.dh, w = ow * f->a.sw - f->a.pl + tap % f->kw * f->a.dw;
		if (h < 0 || h >= f->h || w < 0 || w >= f->w) memset(to, 0, sizeof *to * (size_t)cg);
		else memcpy(to, x + (h * f->w + w) * f->c + group * cg, sizeof *to * (size_t)cg);
	}
}

/* Four patches at a time, so that a row of `to` is read once for all. */
void cop__add_products(float *to, const float *p, const float *q, int32_t n, int32_t k)
{
	for (int32_t r = 0; r < n; r += 4) {
		const float *a[4], *b[4];
		float use[4];
		for (int32_t i = 0; i < 4; i++) {
			int32_t at = COP_MIN(r + i, n - 1) * k;
			a[i] = p + at, b[i] = q + at, use[i] = r + i < n;
		}
		for (int32_t i = 0; i < k; i++) {
			float f0 = a[0][i] * use[0], f1 = a[1][i] * use[1], f2 = a[2][i] * use[2], f3 = a[3][i] * use[3], *restrict row = to + (size_t)i * (size_t)k;
			const float *restrict b0 = b[0], *restrict b1 = b[1], *restrict b2 = b[2], *restrict b3 = b[3];
			for (int32_t j = 0; j < k; j++) row[j] += f0 * b0[j] + f1 * b1[j] + f2 * b2[j] + f3 * b3[j];
		}
	}
}

/* The value that holds the numbers of v: views have no bytes of their own. */
static cop_vid bytes_of(const cop_graph *g, cop_vid v)
{
	while (g->value[v].producer && cop__op(g, g->value[v].producer)->flags & COP_OP_VIEW) v = cop__arg(g, g->value[v].producer, 0);
	return v;
}

/* The input that v is, or -1. */
static int32_t input_of(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_input; i++)
		if (g->input[i] == v) return i;
	return -1;
}

bool cop__reads_input(const cop_graph *g, cop_nid n) { return input_of(g, bytes_of(g, cop__arg(g, n, 0))) >= 0; }

cop_status cop__watch_read(cop_watch *w, const cop_graph *g, cop_nid n, const float **x)
{
	cop_vid v = bytes_of(g, cop__arg(g, n, 0));
	int32_t own = input_of(g, v);
	cop_tensor t;

	if (own >= 0) return *x = w->x[own].samples, COP_OK;
	COP_TRY(cop__watch_value(w, v, &t));
	return *x = t.data, COP_OK;
}
