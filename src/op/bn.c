/* SPDX-License-Identifier: Apache-2.0
 *
 * bn - batch normalisation over all axes but the last. In a model it is one node with running statistics; the pass
 * to_train makes four of it (see kernel.h, NK_), so that each step splits over threads with sums that do not depend on
 * their number.
 */
#include "op/axes.h"

#define BN_ATTRS "eps:f momentum:f lo:f hi:f"

static int32_t channels(const cop_type *x)
{
	return x->rank ? x->dim[x->rank - 1] : 0;
}
static int32_t rows(const cop_type *x)
{
	return (int32_t)(cop_type_count(x) / COP_MAX(1, channels(x)));
}

/* Pieces that partial sums are made of: a function of the rows alone. */
static int32_t chunks(int32_t n)
{
	return COP_MIN(8, (n + 63) / 64);
}

static cop_status need_vectors(const cop_graph *g, cop_nid n, int from, int to, int32_t c)
{
	for (int i = from; i < to; i++) {
		COP_TRY(cop__need(g, n, i, COP_F32, 1));
		if (cop__in(g, n, i)->dim[0] != c)
			return cop__fail(g, COP_SHAPE, n, "input %d has %d entries for %d channels", i,
			        cop__in(g, n, i)->dim[0], c);
	}
	return COP_OK;
}

static cop_status need_part(const cop_graph *g, cop_nid n, int i, const cop_type *x)
{
	const cop_type *p = cop__in(g, n, i);
	COP_TRY(cop__need(g, n, i, COP_F32, 3));
	if (p->dim[1] != 2 || p->dim[2] != channels(x) || p->dim[0] > rows(x))
		return cop__fail(g, COP_SHAPE, n, "partial sums must be [chunks,2,%d]", channels(x));
	return COP_OK;
}

static int set_words(int32_t *k, const cop_graph *g, cop_nid n, const cop_type *x, int32_t pieces)
{
	COP_ATTR(cop_bn_attr, a, g, n);
	const int32_t all[NK_WORDS] = {[NK_ROWS] = rows(x),
	        [NK_C] = channels(x),
	        [NK_CHUNKS] = pieces,
	        [NK_EPS] = cop__bits(a.eps),
	        [NK_MOM] = cop__bits(a.momentum),
	        [NK_LO] = cop__bits(a.lo),
	        [NK_HI] = cop__bits(a.hi)};
	memcpy(k, all, sizeof all);
	return NK_WORDS;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->flop = 4 * cop_type_count(cop__in(g, n, 0));
}
static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	return set_words(k, g, n, cop__in(g, n, 0), chunks(rows(cop__in(g, n, 0))));
}

/* Channel c runs through x, y and every vector. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	int last = cop__t(g, x)->rank - 1, at = cop__link_aligned(l, 0, max, g, x, y);

	for (int i = 1; i < g->node[n].n_in; i++) at += cop__link_axis(l, at, max, g, cop__arg(g, n, i), 0, y, last);
	return at;
}

static const cop_bn_attr plain = {1e-5f, 0.1f, COP_NO_LO, COP_NO_HI}, relu6 = {1e-3f, 0.01f, 0, 6};
static const struct {
	int32_t rank, dim[4];
	const cop_bn_attr *a;
} form[] = {
        {2, {3, 5}, &plain},
        {4, {2, 3, 3, 17}, &relu6},
        {4, {3, 9, 8, 16}, &plain},
        {4, {1, 2, 2, 1}, &relu6},
        {4, {4, 16, 16, 24}, &relu6},
        {2, {64, 50}, &plain},
};

static cop_vid vector(cop_graph *g, const char *name, int which)
{
	return cop__sample_input(g, name, 1, DIMS(form[which].dim[form[which].rank - 1]));
}
static cop_vid image(cop_graph *g, const char *name, int which)
{
	return cop__sample_input(g, name, form[which].rank, form[which].dim);
}
static cop_vid partial(cop_graph *g, int which)
{
	cop_type x = cop__type(COP_F32, form[which].rank, form[which].dim);
	return cop__sample_input(g, "part", 3, DIMS(chunks(rows(&x)), 2, channels(&x)));
}

/* ---- bn: x gamma beta mean var ---- */

static cop_status bn_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_vectors(g, n, 1, 5, channels(cop__in(g, n, 0))));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_nid bn_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_bn, form[which].a,
	        VIDS(image(g, "x", which), vector(g, "gamma", which), vector(g, "beta", which),
	                vector(g, "mean", which), vector(g, "var", which)));
}

const cop_op cop_op_bn = {
	.name = "bn", .attrs = BN_ATTRS, .min_in = 5, .max_in = 5, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ACT,
	.infer = bn_infer, .cost = cost, .links = links, .words = words, .sample = bn_sample,
};

/* ---- bn_sum: x ---- */

static cop_status sum_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	return cop__set_out(g, n, 0, COP_F32, 3, DIMS(chunks(rows(x)), 2, channels(x)));
}

static cop_nid sum_sample(cop_graph *g, int which)
{
	return which < LEN(form) ? cop__node(g, OP_bn_sum, form[which].a, VIDS(image(g, "x", which))) : 0;
}

const cop_op cop_op_bn_sum = {
	.name = "bn_sum", .attrs = BN_ATTRS, .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = sum_infer, .cost = cost, .words = words, .sample = sum_sample,
};

/* ---- bn_stat: part x run_mean run_var -> mean rstd run_mean' run_var' ---- */

static cop_status stat_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	COP_TRY(need_part(g, n, 0, x));
	COP_TRY(need_vectors(g, n, 2, 4, channels(x)));
	for (int i = 0; i < 4; i++) COP_TRY(cop__set_out(g, n, i, COP_F32, 1, DIMS(channels(cop__in(g, n, 1)))));
	for (int i = 2; i < 4; i++) g->value[cop__res(g, n, i)].alias = cop__arg(g, n, i);
	return COP_OK;
}

static int stat_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	return set_words(k, g, n, cop__in(g, n, 1), cop__in(g, n, 0)->dim[0]);
}

static cop_nid stat_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_bn_stat, form[which].a,
	        VIDS(partial(g, which), image(g, "x", which), vector(g, "run_mean", which),
	                vector(g, "run_var", which)));
}

const cop_op cop_op_bn_stat = {
	.name = "bn_stat", .attrs = BN_ATTRS, .min_in = 4, .max_in = 4, .n_out = 4, .must_out = 4,
	.flags = COP_OP_UPDATE,
	.infer = stat_infer, .words = stat_words, .sample = stat_sample,
};

/* ---- bn_norm: x mean rstd gamma beta. Its gradient is that of the whole normalisation: mean and rstd are x's own ----
 */

static cop_status norm_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid in[5], dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_bn_attr, a, g, n);

	for (int i = 0; i < 5; i++) in[i] = cop__arg(g, n, i);
	if (!cop__grad_wanted(d, in[0]) && !cop__grad_wanted(d, in[3]) && !cop__grad_wanted(d, in[4])) return COP_OK;
	cop_vid part = cop__apply(g, OP_bn_gsum, &a, VIDS(dy, in[0], in[1], in[2], in[3], in[4]));
	cop_nid m = part ? cop__node(g, OP_bn_grad, &a, VIDS(dy, in[0], in[1], in[2], in[3], in[4], part)) : 0;
	if (!m) return g->cx->code;
	COP_TRY(cop__grad_add(d, in[0], cop__res(g, m, 0)));
	if (cop__grad_wanted(d, in[3])) COP_TRY(cop__grad_add(d, in[3], cop__want_out(g, m, 1)));
	return cop__grad_wanted(d, in[4]) ? cop__grad_add(d, in[4], cop__want_out(g, m, 2)) : COP_OK;
}

static cop_nid norm_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_bn_norm, form[which].a,
	        VIDS(image(g, "x", which), vector(g, "mean", which), vector(g, "rstd", which),
	                vector(g, "gamma", which), vector(g, "beta", which)));
}

const cop_op cop_op_bn_norm = {
	.name = "bn_norm", .attrs = BN_ATTRS, .min_in = 5, .max_in = 5, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ACT,
	.infer = bn_infer, .grad = norm_grad, .cost = cost, .links = links, .words = words, .sample = norm_sample,
};

/* ---- bn_gsum: dy x mean rstd gamma beta;  bn_grad: the same and part ---- */

static cop_status need_both(const cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "gradient and input have different shapes");
	return need_vectors(g, n, 2, 6, channels(cop__in(g, n, 1)));
}

static cop_status gsum_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 1);
	COP_TRY(need_both(g, n));
	return cop__set_out(g, n, 0, COP_F32, 3, DIMS(chunks(rows(x)), 2, channels(x)));
}

static cop_nid gsum_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_bn_gsum, form[which].a,
	        VIDS(image(g, "dy", which), image(g, "x", which), vector(g, "mean", which), vector(g, "rstd", which),
	                vector(g, "gamma", which), vector(g, "beta", which)));
}

const cop_op cop_op_bn_gsum = {
	.name = "bn_gsum", .attrs = BN_ATTRS, .min_in = 6, .max_in = 6, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE,
	.infer = gsum_infer, .cost = cost, .words = words, .sample = gsum_sample,
};

static cop_status grad_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_both(g, n));
	COP_TRY(need_part(g, n, 6, cop__in(g, n, 1)));
	COP_TRY(cop__set_out_like(g, n, 0, cop__arg(g, n, 0)));
	COP_TRY(cop__set_out_like(g, n, 1, cop__arg(g, n, 4)));
	return cop__set_out_like(g, n, 2, cop__arg(g, n, 5));
}

static int grad_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	return set_words(k, g, n, cop__in(g, n, 1), cop__in(g, n, 6)->dim[0]);
}

static cop_nid grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_bn_grad, form[which].a,
	        VIDS(image(g, "dy", which), image(g, "x", which), vector(g, "mean", which), vector(g, "rstd", which),
	                vector(g, "gamma", which), vector(g, "beta", which), partial(g, which)));
}

const cop_op cop_op_bn_grad = {
	.name = "bn_grad", .attrs = BN_ATTRS, .min_in = 7, .max_in = 7, .n_out = 3, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = grad_infer, .cost = cost, .words = grad_words, .sample = grad_sample,
};
