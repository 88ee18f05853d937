/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - shared weights while they are trained (Han 2016, section 3): w[i] = codebook[codes[i]]; the gradient of an
 * entry is the sum over the weights that use it. With `zero`, entry 0 stands for pruned weights and has none. Of several `books`, one
 * after the other in the codebook, each is that of a group of channels: rows of the codes are divided evenly, and the last group may be smaller.
 */
#include "op/axes.h"

/* Rows that share one of so many codebooks. */
static int32_t rows_of(const cop_type *codes, int32_t books) { return (codes->dim[0] + books - 1) / books; }

/* What the attributes of both ops begin with. */
typedef struct grad_attr { int32_t zero, books, levels; } grad_attr; /* levels: of all books */
static int32_t books_of(const cop_graph *g, cop_nid n) { return COP_MAX(g->node[n].attr[1], 1); }

static cop_status check(const cop_graph *g, cop_nid n, const cop_type *codes, int32_t levels)
{
	const int32_t books = books_of(g, n);

	if (g->node[n].attr[1] < 0 || books > codes->dim[0] || (codes->dim[0] - 1) / rows_of(codes, books) + 1 != books)
		return cop__fail(g, COP_SHAPE, n, "%d rows of codes can't be divided evenly among %d codebooks", codes->dim[0], books);
	if (levels < 1 || levels % books || levels / books > 256)
		return cop__fail(g, COP_SHAPE, n, "a codebook has 1 to 256 entries, got %d for %d of them", levels, books);
	return COP_OK;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	const cop_type *codes = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 0, COP_F32, 1));
	COP_TRY(cop__need(g, n, 1, COP_U8, -1));
	COP_TRY(check(g, n, codes, cop__in(g, n, 0)->dim[0]));
	return cop__set_out(g, n, 0, COP_F32, codes->rank, codes->dim);
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_palette_attr, a, g, n);
	grad_attr b = {a.zero, a.books, cop__in(g, n, 0)->dim[0]};
	return cop__grad_put(
	        d, cop__arg(g, n, 0), OP_palette_grad, &b, VIDS(cop__grad_of(d, cop__res(g, n, 0)), cop__arg(g, n, 1)));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *codes = cop__in(g, n, 1), *book = g->node[n].op == OP_palette ? cop__in(g, n, 0) : cop__outt(g, n, 0);
	const int32_t books = books_of(g, n);

	k[TK_COUNT] = cop__count32(codes);
	k[TK_LEVELS] = book->dim[0] / books;
	k[TK_ZERO] = g->node[n].attr[0];
	k[TK_RUN] = books > 1 ? k[TK_COUNT] / codes->dim[0] * rows_of(codes, books) : k[TK_COUNT];
	return TK_WORDS;
}

static const int32_t form[][4] = {{1, 1, 0, 2}, {5, 7, 0, 4}, {17, 33, 0, 32}, {50, 20, 0, 256}, {10, 70, 4, 36}, {6, 31, 6, 240}}; /* rows, columns, books, levels */

static cop_vid codes(cop_graph *g, int which)
{
	cop_type t = cop__type(COP_U8, 2, form[which]);
	return cop__input(g, "codes", &t);
}

static cop_nid sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_palette, &(cop_palette_attr){0, form[which][2]},
	        VIDS(cop__sample_input(g, "codebook", 1, form[which] + 3), codes(g, which)));
}

const cop_op cop_op_palette = {
	.name = "palette", .attrs = "zero:i books:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = infer, .grad = grad, .words = words, .sample = sample,
};

static cop_status grad_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(grad_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_U8, -1));
	COP_TRY(check(g, n, cop__in(g, n, 1), a.levels));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "gradient and codes have different shapes");
	return cop__set_out(g, n, 0, COP_F32, 1, &a.levels);
}

static cop_nid grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_palette_grad, &(grad_attr){which % 2, form[which][2], form[which][3]},
	        VIDS(cop__sample_input(g, "dw", 2, form[which]), codes(g, which)));
}

const cop_op cop_op_palette_grad = {
	.name = "palette_grad", .attrs = "zero:i books:i levels:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = grad_infer, .words = words, .sample = grad_sample,
};
