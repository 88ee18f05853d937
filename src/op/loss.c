/* SPDX-License-Identifier: Apache-2.0
 *
 * loss - softmax, cross-entropy, mean squared error, and the norm of gradients that clipping needs. A loss reads an
 * answer and a target and gives one number; its gradient reads the same two and the gradient of that number.
 */
#include "op/axes.h"

static int32_t last(const cop_type *x) { return x->rank ? x->dim[x->rank - 1] : 1; }

static int row_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *x = cop__in(g, n, 0);

	k[SK_ROWS] = (int32_t)(cop_type_count(x) / last(x));
	k[SK_C] = last(x);
	k[SK_SMOOTH] = g->node[n].attr[0]; /* of xent; the others have no attributes, so 0 */
	return SK_WORDS;
}

static int count_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[LK_COUNT] = cop__count32(cop__in(g, n, 0));
	k[LK_MAX] = g->node[n].attr[0];
	return LK_WORDS;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c) { c->flop = 4 * cop_type_count(cop__in(g, n, 0)); }

/* Inputs by name: "label" one a row, "dloss" one number, others of the sample's shape. */
static cop_nid sample(cop_graph *g, int op, int which, int n_in, const char *const *name)
{
	static const int32_t shape[][2] = {{1, 1}, {3, 10}, {7, 17}, {64, 10}, {5, 33}, {2, 3}};
	cop_vid in[3];

	if (which >= LEN(shape)) return 0;
	for (int i = 0; i < n_in; i++) {
		bool labels = !strcmp(name[i], "label"), one = !strcmp(name[i], "dloss");
		cop_type t = cop__type(labels ? COP_I32 : COP_F32, labels || one ? 1 : 2, one ? DIMS(1) : shape[which]);
		in[i] = cop__input(g, name[i], &t);
	}
	return cop__node(g, op, &(cop_xent_attr){0.1f * (float)(which % 3)}, n_in, in);
}

#define SAMPLE(OP, ...)                                                                                                \
	static cop_nid sample_##OP(cop_graph *g, int which)                                                            \
	{                                                                                                              \
		static const char *const name[] = {__VA_ARGS__};                                                       \
		return sample(g, OP_##OP, which, LEN(name), name);                                                     \
	}

/* ---- softmax ---- */

static cop_status softmax_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_status softmax_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid y = cop__res(g, n, 0);

	return cop__grad_put(d, cop__arg(g, n, 0), OP_softmax_grad, NULL, VIDS(cop__grad_of(d, y), y));
}

/* Rows are independent; the classes of a row are not. */
static int links(const cop_graph *g, cop_nid n, cop_link *l, int max)
{
	int at = 0;
	for (int i = 0; i + 1 < cop__in(g, n, 0)->rank; i++)
		at += cop__link_axis(l, at, max, g, cop__arg(g, n, 0), i, cop__res(g, n, 0), i);
	return at;
}

/* Two alike of that rank; -1: any. */
static cop_status need_pair(const cop_graph *g, cop_nid n, int rank)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, rank));
	COP_TRY(cop__need(g, n, 1, COP_F32, rank));
	if (cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1))) return COP_OK;
	return cop__fail(g, COP_SHAPE, n, "its first two inputs have different shapes");
}

static cop_status softmax_grad_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_pair(g, n, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

SAMPLE(softmax, "x")
SAMPLE(softmax_grad, "dy", "y")

const cop_op cop_op_softmax = {
	.name = "softmax", .attrs = "", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE, .infer = softmax_infer, .grad = softmax_grad, .cost = cost, .links = links,
	.words = row_words, .sample = sample_softmax,
};
const cop_op cop_op_softmax_grad = {
	.name = "softmax_grad", .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE, .infer = softmax_grad_infer, .cost = cost, .words = row_words,
	.sample = sample_softmax_grad,
};

/* ---- losses: xent (logits and labels; labels below 0 do not count), softxent (logits and distributions), mse ---- */

static cop_status need_labels(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_xent_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_F32, 2));
	COP_TRY(cop__need(g, n, 1, COP_I32, 1));
	int32_t labels = cop__in(g, n, 1)->dim[0], rows = cop__in(g, n, 0)->dim[0];
	if (labels != rows) return cop__fail(g, COP_SHAPE, n, "there are %d labels for %d rows", labels, rows);
	if (a.smooth >= 0 && a.smooth < 1) return COP_OK;
	return cop__fail(g, COP_ARG, n, "label smoothing must be in 0..1, got %g", (double)a.smooth);
}

static cop_status need_one(const cop_graph *g, cop_nid n, int i)
{
	COP_TRY(cop__need(g, n, i, COP_F32, 1));
	return cop__in(g, n, i)->dim[0] == 1 ? COP_OK : cop__fail(g, COP_SHAPE, n, "input %d must be one number", i);
}

static cop_status loss_infer(cop_graph *g, cop_nid n)
{
	int op = g->node[n].op;

	if (op == OP_xent || op == OP_xent_grad) COP_TRY(need_labels(g, n));
	else COP_TRY(need_pair(g, n, op == OP_mse || op == OP_mse_grad ? -1 : 2));
	if (g->node[n].n_in == 2) return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
	COP_TRY(need_one(g, n, 2));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

/* both: of a target that is learnt, too, the same with the two in each other's place. */
static cop_status loss_grad(cop_grad *d, cop_nid n, int op, bool both)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), t = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_xent_attr, a, g, n);

	COP_TRY(cop__grad_put(d, x, op, &a, VIDS(x, t, dy)));
	return both ? cop__grad_put(d, t, op, &a, VIDS(t, x, dy)) : COP_OK;
}

#define LOSS(NAME, ATTRS, TARGET, BOTH, WORDS)                                                                         \
	SAMPLE(NAME, "x", TARGET)                                                                                      \
	SAMPLE(NAME##_grad, "x", TARGET, "dloss")                                                                      \
	static cop_status grad_##NAME(cop_grad *d, cop_nid n) { return loss_grad(d, n, OP_##NAME##_grad, BOTH); }      \
	const cop_op cop_op_##NAME = {                                                                                 \
		.name = #NAME, .attrs = ATTRS, .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE, \
		.infer = loss_infer, .grad = grad_##NAME, .cost = cost, .words = WORDS, .sample = sample_##NAME,       \
	};                                                                                                             \
	const cop_op cop_op_##NAME##_grad = {                                                                          \
		.name = #NAME "_grad", .attrs = ATTRS, .min_in = 3, .max_in = 3, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE, \
		.infer = loss_infer, .cost = cost, .words = WORDS, .sample = sample_##NAME##_grad,                     \
	};
LOSS(xent, "smooth:f", "label", false, row_words)
LOSS(softxent, "", "t", false, row_words)
LOSS(mse, "", "t", true, count_words)

/* ---- sumsq, clip_norm ---- */

static cop_status scalar_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	if (g->node[n].op == OP_clip_norm) COP_TRY(need_one(g, n, 0));
	return cop__set_out(g, n, 0, COP_F32, 1, DIMS(1));
}

static cop_nid sample_clip_norm(cop_graph *g, int which)
{
	cop_clip_norm_attr a = {which ? 0.5f : 10.0f};

	return which < 2 ? cop__node(g, OP_clip_norm, &a, VIDS(cop__sample_input(g, "x", 1, DIMS(1)))) : 0;
}

SAMPLE(sumsq, "x")

const cop_op cop_op_sumsq = {
	.name = "sumsq", .attrs = "", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = scalar_infer, .cost = cost, .words = count_words, .sample = sample_sumsq,
};
const cop_op cop_op_clip_norm = {
	.name = "clip_norm", .attrs = "max:f", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = scalar_infer, .words = count_words, .sample = sample_clip_norm,
};
