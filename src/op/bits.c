/* SPDX-License-Identifier: Apache-2.0
 *
 * packbits, unpackbits - numbers as bits (kernel.h says how they lie) and back. A bit of 1 stands for 1, one of 0 for
 * -1: packbits keeps the sign of a real, or of a byte beside its zero point; or each channel has an edge of its own.
 */
#include "op/axes.h"

static int batch_links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	return cop__link_axis(l, 0, max, g, cop__arg(g, n, 0), 0, cop__res(g, n, 0), 0);
}

static cop_status has_rows(const cop_graph *g, cop_nid n)
{
	if (cop__in(g, n, 0)->rank) return COP_OK;
	return cop__fail(g, COP_SHAPE, n, "needs an axis along which bits lie");
}

static void rows_of(const cop_graph *g, cop_nid n, int32_t *rows, int32_t *c)
{
	const cop_type *x = cop__in(g, n, 0);

	*c = x->dim[x->rank - 1];
	*rows = cop__count32(x) / COP_MAX(1, *c);
}

/* ---- packbits ---- */

/* An edge for each channel. */
static cop_status check_edges(const cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 1, x->dtype == COP_I8 ? COP_I32 : COP_F32, 1));
	if (cop__in(g, n, 1)->dim[0] == x->dim[x->rank - 1]) return COP_OK;
	return cop__fail(g, COP_SHAPE, n, "has %d edges for %d channels", cop__in(g, n, 1)->dim[0], x->dim[x->rank - 1]);
}

static cop_status pack_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_ATTR(cop_packbits_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, x->dtype == COP_I8 ? COP_I8 : COP_F32, -1));
	COP_TRY(has_rows(g, n));
	if (a.zero < -128 || a.zero > 127 || (a.zero && x->dtype == COP_F32))
		return cop__fail(g, COP_ARG, n, "zero=%d must lie within -128 to 127, and be 0 for reals", a.zero);
	if (cop__arg(g, n, 1)) COP_TRY(check_edges(g, n));
	return cop__set_out(g, n, 0, COP_BIT, x->rank, x->dim);
}

static int pack_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_packbits_attr, a, g, n);

	rows_of(g, n, &k[PB_ROWS], &k[PB_C]);
	k[PB_ZERO] = a.zero;
	return PB_WORDS;
}

/* Some of them always, some never; reals are drawn about 0. */
static cop_vid sample_edges(cop_graph *g, const cop_type *x)
{
	int32_t c = x->dim[x->rank - 1], whole[1024];
	float real[1024];
	cop_type t = cop__type(x->dtype == COP_I8 ? COP_I32 : COP_F32, 1, &c);

	for (int32_t i = 0; i < c; i++) {
		whole[i] = i % 7 == 3 ? 128 : i % 7 == 5 ? -128 : i * 37 % 101 - 50;
		real[i] = (float)whole[i] / 64;
	}
	return cop__data(g, COP_CONST, "t", &t, x->dtype == COP_I8 ? (const void *)whole : real);
}

static cop_nid pack_sample(cop_graph *g, int which)
{
	static const struct {
		cop_dtype from;
		int32_t rank, dim[4], zero;
	} form[] = {{COP_F32, 1, {1}, 0}, {COP_F32, 2, {3, 37}, 0}, {COP_I8, 2, {5, 16}, -7},
	        {COP_F32, 4, {2, 3, 5, 64}, 0}, {COP_I8, 4, {1, 3, 2, 19}, 5}, {COP_F32, 2, {2, 1000}, 0}};
	if (which / 2 >= LEN(form)) return 0;
	cop_type t = cop__type(form[which / 2].from, form[which / 2].rank, form[which / 2].dim);
	cop_vid x = cop__input(g, "x", &t), edges = which % 2 ? sample_edges(g, &t) : 0;
	return cop__node(g, OP_packbits, &(cop_packbits_attr){form[which / 2].zero}, edges ? 2 : 1, (const cop_vid[]){x, edges});
}

const cop_op cop_op_packbits = {
        .name = "packbits",
        .attrs = "zero:i",
        .min_in = 1,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = pack_infer,
        .links = batch_links,
        .words = pack_words,
        .sample = pack_sample,
};

/* ---- unpackbits ---- */

static cop_status unpack_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_unpackbits_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_BIT, -1));
	COP_TRY(has_rows(g, n));
	if (a.to != COP_F32 && a.to != COP_I8)
		return cop__fail(g, COP_ARG, n, "to=%d must name f32 (%d) or i8 (%d)", a.to, COP_F32, COP_I8);
	if (a.zero < -128 || a.one > 127 || a.zero > a.one)
		return cop__fail(g, COP_ARG, n, "zero %d and one %d must lie within -128 to 127", a.zero, a.one);
	return cop__set_out(g, n, 0, (cop_dtype)a.to, cop__in(g, n, 0)->rank, cop__in(g, n, 0)->dim);
}

static int unpack_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_unpackbits_attr, a, g, n);

	rows_of(g, n, &k[UB_ROWS], &k[UB_C]);
	k[UB_ZERO] = a.zero;
	k[UB_ONE] = a.one;
	return UB_WORDS;
}

static cop_nid unpack_sample(cop_graph *g, int which)
{
	static const struct {
		int32_t rank, dim[4];
		cop_unpackbits_attr a;
	} form[] = {{1, {1}, {COP_F32, -1, 1}}, {2, {3, 37}, {COP_I8, -127, 127}}, {4, {2, 3, 5, 64}, {COP_F32, -1, 1}},
	        {2, {2, 9}, {COP_I8, -128, 0}}};
	if (which >= LEN(form)) return 0;
	cop_type t = cop__type(COP_BIT, form[which].rank, form[which].dim);
	return cop__node(g, OP_unpackbits, &form[which].a, VIDS(cop__input(g, "x", &t)));
}

const cop_op cop_op_unpackbits = {
        .name = "unpackbits",
        .attrs = "to:i zero:i one:i",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = unpack_infer,
        .links = batch_links,
        .words = unpack_words,
        .sample = unpack_sample,
};
