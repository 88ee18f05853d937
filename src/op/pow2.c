/* SPDX-License-Identifier: Apache-2.0
 *
 * pow2 - each number as a power of two: y = sign(x) 2^p, where p is log2 |x| rounded to the nearest and held within low
 * .. high. With `zero`, numbers below 2^(low - 1) become 0; 0 always stays. Gradients go straight through, as in the Q
 * form of DeepShift (Elhoushi et al. 2021, arXiv 1905.13298).
 */
#include "op/axes.h"

enum { LEAST = -125, MOST = 127 }; /* 2^(low - 1) is a normal float */

static cop_status infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_pow2_attr, a, g, n);

	if (a.low < LEAST || a.high > MOST || a.low > a.high)
		return cop__fail(g, COP_ARG, n, "needs exponents %d <= low <= high <= %d, got %d to %d", LEAST, MOST,
		        a.low, a.high);
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	return cop__grad_add(d, cop__arg(g, n, 0), cop__grad_of(d, cop__res(g, n, 0)));
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_pow2_attr, a, g, n);

	k[P2_COUNT] = cop__count32(cop__in(g, n, 0));
	k[P2_LO] = a.low, k[P2_HI] = a.high, k[P2_ZERO] = a.zero;
	return P2_WORDS;
}

static cop_nid sample(cop_graph *g, int which)
{
	static const struct {
		int32_t rank, dim[4];
		cop_pow2_attr a;
	} form[] = {
	        {1, {1}, {-3, 3, 1}},
	        {2, {3, 37}, {-6, 0, 1}},
	        {4, {5, 3, 3, 7}, {-2, -2, 0}},
	        {2, {17, 64}, {-14, 0, 0}},
	        {2, {9, 9}, {LEAST, MOST, 1}},
	};
	if (which >= LEN(form)) return 0;
	return cop__node(
	        g, OP_pow2, &form[which].a, VIDS(cop__sample_input(g, "x", form[which].rank, form[which].dim)));
}

const cop_op cop_op_pow2 = {
        .name = "pow2",
        .attrs = "low:i high:i zero:i",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE,
        .infer = infer,
        .grad = grad,
        .links = cop__links_eltwise,
        .words = words,
        .sample = sample,
};
