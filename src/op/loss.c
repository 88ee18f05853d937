/* SPDX-License-Identifier: Apache-2.0
 *
 * loss - softmax, cross-entropy, mean squared error, and the norm of gradients that clipping needs.
 */
#include "op/axes.h"

static int32_t last(const cop_type *x)
{
	return x->rank ? x->dim[x->rank - 1] : 1;
}

static int set_words(int32_t *k, const cop_type *x, float smooth)
{
	const int32_t all[SK_WORDS] = {
	        [SK_ROWS] = (int32_t)(cop_type_count(x) / last(x)), [SK_C] = last(x), [SK_SMOOTH] = cop__bits(smooth)};
	memcpy(k, all, sizeof all);
	return SK_WORDS;
}

static int softmax_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	return set_words(k, cop__in(g, n, 0), 0);
}
static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->flop = 4 * cop_type_count(cop__in(g, n, 0));
}
static const int32_t shape[][2] = {{1, 1}, {3, 10}, {7, 17}, {64, 10}, {5, 33}, {2, 3}};

/* ---- softmax ---- */

static cop_status softmax_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status softmax_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	return cop__grad_put(d, cop__arg(g, n, 0), OP_softmax_grad, NULL,
	        VIDS(cop__grad_of(d, cop__res(g, n, 0)), cop__res(g, n, 0)));
}

/* Rows are independent; the classes of a row are not. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;
	for (int i = 0; i + 1 < cop__in(g, n, 0)->rank; i++)
		at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), i, cop__res(g, n, 0), i);
	return at;
}

static cop_nid softmax_sample(cop_graph *g, int which)
{
	return which < LEN(shape) ? cop__node(g, OP_softmax, NULL, VIDS(cop__sample_input(g, "x", 2, shape[which])))
	                          : 0;
}

const cop_op cop_op_softmax = {
        .name = "softmax",
        .attrs = "",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE | COP_OP_INPLACE,
        .infer = softmax_infer,
        .grad = softmax_grad,
        .cost = cost,
        .links = links,
        .words = softmax_words,
        .sample = softmax_sample,
};

static cop_status pair_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "its two inputs have different shapes");
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_nid softmax_grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_softmax_grad, NULL,
	        VIDS(cop__sample_input(g, "dy", 2, shape[which]), cop__sample_input(g, "y", 2, shape[which])));
}

const cop_op cop_op_softmax_grad = {
        .name = "softmax_grad",
        .attrs = "",
        .min_in = 2,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE | COP_OP_INPLACE,
        .infer = pair_infer,
        .cost = cost,
        .words = softmax_words,
        .sample = softmax_grad_sample,
};

/* ---- xent: logits labels; labels below 0 do not count ---- */

static cop_status need_labels(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_xent_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_I32, 1));
	if (cop__in(g, n, 1)->dim[0] != cop__in(g, n, 0)->dim[0])
		return cop__fail(g, COP_SHAPE, n, "there are %d labels for %d rows", cop__in(g, n, 1)->dim[0],
		        cop__in(g, n, 0)->dim[0]);
	if (!(a.smooth >= 0 && a.smooth < 1))
		return cop__fail(g, COP_ARG, n, "label smoothing must be in 0..1, got %g", (double)a.smooth);
	return COP_OK;
}

static cop_status xent_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_labels(g, n));
	return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
}

static cop_status xent_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	COP_ATTR(cop_xent_attr, a, g, n);
	return cop__grad_put(d, cop__arg(g, n, 0), OP_xent_grad, &a,
	        VIDS(cop__arg(g, n, 0), cop__arg(g, n, 1), cop__grad_of(d, cop__res(g, n, 0))));
}

static int xent_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_xent_attr, a, g, n);
	return set_words(k, cop__in(g, n, 0), a.smooth);
}

static cop_vid labels(cop_graph *g, int which)
{
	cop_type t = cop__type(COP_I32, 1, shape[which]);
	return cop__input(g, "label", &t);
}

static cop_nid xent_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_xent, &(cop_xent_attr){0.1f * (float)(which % 3)},
	        VIDS(cop__sample_input(g, "x", 2, shape[which]), labels(g, which)));
}

const cop_op cop_op_xent = {
        .name = "xent",
        .attrs = "smooth:f",
        .min_in = 2,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = xent_infer,
        .grad = xent_grad,
        .cost = cost,
        .words = xent_words,
        .sample = xent_sample,
};

static cop_status need_scalar(const cop_graph *g, cop_nid n, int i)
{
	COP_TRY(cop__need(g, n, i, COP_F32, 1));
	return cop__in(g, n, i)->dim[0] == 1 ? COP_OK : cop__fail(g, COP_SHAPE, n, "input %d must be one number", i);
}

static cop_status xent_grad_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_labels(g, n));
	COP_TRY(need_scalar(g, n, 2));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_nid xent_grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	cop_vid x = cop__sample_input(g, "x", 2, shape[which]), l = labels(g, which);
	return cop__node(g, OP_xent_grad, &(cop_xent_attr){0.1f * (float)(which % 3)},
	        VIDS(x, l, cop__sample_input(g, "dloss", 1, DIMS(1))));
}

const cop_op cop_op_xent_grad = {
        .name = "xent_grad",
        .attrs = "smooth:f",
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = xent_grad_infer,
        .cost = cost,
        .words = xent_words,
        .sample = xent_grad_sample,
};

/* ---- softxent: logits target, a distribution for each row ---- */

static cop_status need_target(const cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_F32, 2));
	return cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)) ? COP_OK : cop__fail(g, COP_SHAPE, n, "logits and target have different shapes");
}

static cop_status softxent_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_target(g, n));
	return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
}

/* The target is given: nothing is learnt of it. */
static cop_status softxent_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	return cop__grad_put(d, cop__arg(g, n, 0), OP_softxent_grad, NULL,
	        VIDS(cop__arg(g, n, 0), cop__arg(g, n, 1), cop__grad_of(d, cop__res(g, n, 0))));
}

static cop_nid softxent_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_softxent, NULL,
	        VIDS(cop__sample_input(g, "x", 2, shape[which]), cop__sample_input(g, "t", 2, shape[which])));
}

const cop_op cop_op_softxent = {
        .name = "softxent",
        .attrs = "",
        .min_in = 2,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = softxent_infer,
        .grad = softxent_grad,
        .cost = cost,
        .words = softmax_words,
        .sample = softxent_sample,
};

static cop_status softxent_grad_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_target(g, n));
	COP_TRY(need_scalar(g, n, 2));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_nid softxent_grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_softxent_grad, NULL,
	        VIDS(cop__sample_input(g, "x", 2, shape[which]), cop__sample_input(g, "t", 2, shape[which]),
	                cop__sample_input(g, "dloss", 1, DIMS(1))));
}

const cop_op cop_op_softxent_grad = {
        .name = "softxent_grad",
        .attrs = "",
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = softxent_grad_infer,
        .cost = cost,
        .words = softmax_words,
        .sample = softxent_grad_sample,
};

/* ---- mse: x target ---- */

static cop_status mse_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "result and target have different shapes");
	return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
}

static cop_status mse_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), t = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));

	COP_TRY(cop__grad_put(d, x, OP_mse_grad, NULL, VIDS(x, t, dy)));
	return cop__grad_put(d, t, OP_mse_grad, NULL, VIDS(t, x, dy));
}

static int count_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[LK_COUNT] = cop__count32(cop__in(g, n, 0));
	k[LK_MAX] = g->node[n].attr[0];
	return LK_WORDS;
}

static cop_nid mse_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_mse, NULL,
	        VIDS(cop__sample_input(g, "x", 2, shape[which]), cop__sample_input(g, "t", 2, shape[which])));
}

const cop_op cop_op_mse = {
        .name = "mse",
        .attrs = "",
        .min_in = 2,
        .max_in = 2,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = mse_infer,
        .grad = mse_grad,
        .cost = cost,
        .words = count_words,
        .sample = mse_sample,
};

static cop_status mse_grad_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_scalar(g, n, 2));
	return pair_infer(g, n);
}

static cop_nid mse_grad_sample(cop_graph *g, int which)
{
	if (which >= LEN(shape)) return 0;
	return cop__node(g, OP_mse_grad, NULL,
	        VIDS(cop__sample_input(g, "x", 2, shape[which]), cop__sample_input(g, "t", 2, shape[which]),
	                cop__sample_input(g, "dloss", 1, DIMS(1))));
}

const cop_op cop_op_mse_grad = {
        .name = "mse_grad",
        .attrs = "",
        .min_in = 3,
        .max_in = 3,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = mse_grad_infer,
        .cost = cost,
        .words = count_words,
        .sample = mse_grad_sample,
};

/* ---- sumsq, clip_norm ---- */

static cop_status scalar_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (g->node[n].op == OP_clip_norm) COP_TRY(need_scalar(g, n, 0));
	return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
}

static cop_nid sumsq_sample(cop_graph *g, int which)
{
	return which < LEN(shape) ? cop__node(g, OP_sumsq, NULL, VIDS(cop__sample_input(g, "x", 2, shape[which]))) : 0;
}

static cop_nid clip_norm_sample(cop_graph *g, int which)
{
	return which < 2 ? cop__node(g, OP_clip_norm, &(cop_clip_norm_attr){which ? 0.5f : 10.0f},
	                           VIDS(cop__sample_input(g, "x", 1, DIMS(1))))
	                 : 0;
}

const cop_op cop_op_sumsq = {
        .name = "sumsq",
        .attrs = "",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = scalar_infer,
        .cost = cost,
        .words = count_words,
        .sample = sumsq_sample,
};
const cop_op cop_op_clip_norm = {
        .name = "clip_norm",
        .attrs = "max:f",
        .min_in = 1,
        .max_in = 1,
        .n_out = 1,
        .must_out = 1,
        .flags = COP_OP_PURE,
        .infer = scalar_infer,
        .words = count_words,
        .sample = clip_norm_sample,
};
