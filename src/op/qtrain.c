/* SPDX-License-Identifier: Apache-2.0
 *
 * qtrain - what int8 layers are trained with (Lin et al. 2022, On-device training under 256KB memory, arXiv 2206.15472, section 3):
 *
 *   inside(y)                  where a result is between the ends of its range: elsewhere no gradient passes
 *   qback(dy, scale, inside?)  the gradient of what a factor and a rounding made of it
 *   qstep(w, dw, lr, per, step?)   an integer moved along its gradient and rounded; per is 1 / scale^2 of each row, with which the move is that of
 *                              the floats that the integers stand for
 *   qfold(b, w)                the bias that kernels expect, -zx sum w in it, of a layer whose weights change
 */
#include "op/axes.h"
#include "op/qtrain.h"

static cop_vid input_of(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	return cop__input(g, name, &t);
}

static int32_t last_dim(const cop_type *t) { return t->rank ? t->dim[t->rank - 1] : 1; }
static int32_t rows_of(const cop_type *t) { return cop__count32(t) / COP_MAX(1, last_dim(t)); }

/* ---- inside ---- */

static cop_status inside_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_inside_attr, a, g, n);
	const cop_type *y = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	COP_TRY(cop__q_bounds(g, n, a.qlo, a.qlo, a.qhi));
	return cop__set_out(g, n, 0, COP_BIT, y->rank, y->dim);
}

static int inside_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_inside_attr, a, g, n);
	const int32_t all[QI_WORDS] = {[QI_ROWS] = rows_of(cop__in(g, n, 0)), [QI_C] = last_dim(cop__in(g, n, 0)), [QI_LO] = a.qlo, [QI_HI] = a.qhi};
	memcpy(k, all, sizeof all);
	return QI_WORDS;
}

static cop_nid inside_sample(cop_graph *g, int which)
{
	static const struct { int32_t y[2]; cop_inside_attr a; } form[] = {{{1, 1}, {-128, 127}}, {{3, 21}, {-128, 100}}, {{5, 64}, {-20, 127}}};
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_inside, &form[which].a, VIDS(input_of(g, "y", COP_I8, 2, form[which].y)));
}

const cop_op cop_op_inside = {
	.name = "inside", .attrs = "qlo:i qhi:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = inside_infer, .words = inside_words, .sample = inside_sample,
};

/* ---- qback ---- */

static cop_status back_infer(cop_graph *g, cop_nid n)
{
	const cop_type *dy = cop__in(g, n, 0), *s = cop__in(g, n, 1);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, 1));
	if (s->dim[0] != 1 && s->dim[0] != last_dim(dy)) return cop__fail(g, COP_SHAPE, n, "%d factors do not suit %d channels", s->dim[0], last_dim(dy));
	if (cop__arg(g, n, 2)) {
		COP_TRY(cop__need(g, n, 2, COP_BIT, -1));
		if (!cop__same_shape(dy, cop__in(g, n, 2))) return cop__fail(g, COP_SHAPE, n, "the bits have not the gradient's shape");
	}
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int back_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *dy = cop__in(g, n, 0);
	const int32_t all[QZ_WORDS] = {[QZ_ROWS] = rows_of(dy), [QZ_C] = last_dim(dy), [QZ_STEP] = cop__in(g, n, 1)->dim[0] > 1};
	memcpy(k, all, sizeof all);
	return QZ_WORDS;
}

static cop_nid back_sample(cop_graph *g, int which)
{
	static const struct { int32_t dy[2], scales; bool bits; } form[] = {{{1, 1}, 1, true}, {{3, 21}, 21, true}, {{5, 64}, 64, true}, {{5, 20}, 1, false}};
	if (which >= LEN(form)) return 0;
	const int32_t *d = form[which].dy;
	return cop__node(g, OP_qback, NULL,
		VIDS(cop__sample_input(g, "dy", 2, d), cop__sample_input(g, "scale", 1, &form[which].scales), form[which].bits ? input_of(g, "inside", COP_BIT, 2, d) : 0));
}

const cop_op cop_op_qback = {
	.name = "qback", .attrs = "", .min_in = 2, .max_in = 3, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_INPLACE,
	.infer = back_infer, .words = back_words, .sample = back_sample,
};

/* ---- qstep ---- */

cop_status cop__q_step_over(cop_graph *g, cop_nid n, int lr, int32_t round)
{
	const cop_type *per = cop__in(g, n, lr + 1);

	COP_TRY(cop__need(g, n, lr, COP_F32, 1));
	COP_TRY(cop__need(g, n, lr + 1, COP_F32, 1));
	if (cop__in(g, n, lr)->dim[0] != 1 || per->dim[0] != cop__in(g, n, 0)->dim[0])
		return cop__fail(g, COP_SHAPE, n, "needs one rate, and a factor for each of %d rows", cop__in(g, n, 0)->dim[0]);
	if (round < 0 || round >= COP_Q_ROUNDS) return cop__fail(g, COP_ARG, n, "round=%d must be 0, 1 or 2", round);
	if (round == COP_Q_STOCHASTIC) COP_TRY(cop__need(g, n, lr + 2, COP_I32, 1));
	COP_TRY(cop__set_out_like(g, n, 0, cop__arg(g, n, 0)));
	g->value[cop__res(g, n, 0)].alias = cop__arg(g, n, 0);
	return COP_OK;
}

static cop_status step_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qstep_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, cop__in(g, n, 0)->dtype == COP_I32 ? COP_I32 : COP_I8, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__in(g, n, 0)->rank || !cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "the gradient has not the parameter's shape");
	return cop__q_step_over(g, n, 2, a.round);
}

static int step_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qstep_attr, a, g, n);
	const cop_type *w = cop__in(g, n, 0);
	const int32_t all[QG_WORDS] = {[QG_ROWS] = w->dim[0], [QG_COLS] = cop__count32(w) / w->dim[0], [QG_ROUND] = a.round, [QG_SEED] = a.seed};
	memcpy(k, all, sizeof all);
	return QG_WORDS;
}

static cop_nid step_sample(cop_graph *g, int which)
{
	static const int32_t dim[][2] = {{1, 1}, {5, 7}, {33, 10}};
	if (which >= LEN(dim) * COP_Q_ROUNDS * 2) return 0;
	const int32_t *d = dim[which % LEN(dim)], round = which / LEN(dim) % COP_Q_ROUNDS, rank = which >= LEN(dim) * COP_Q_ROUNDS ? 1 : 2;
	cop_vid w = input_of(g, "w", rank == 1 ? COP_I32 : COP_I8, rank, d), dw = cop__sample_input(g, "dw", rank, d), lr = cop__sample_input(g, "lr", 1, DIMS(1)),
		per = cop__sample_input(g, "per", 1, d), step = round == COP_Q_STOCHASTIC ? input_of(g, "step", COP_I32, 1, DIMS(1)) : 0;
	return cop__node(g, OP_qstep, &(cop_qstep_attr){round, 7}, VIDS(w, dw, lr, per, step));
}

const cop_op cop_op_qstep = {
	.name = "qstep", .attrs = "round:i seed:i", .min_in = 4, .max_in = 5, .n_out = 1, .must_out = 1, .flags = COP_OP_UPDATE,
	.infer = step_infer, .words = step_words, .sample = step_sample,
};

/* ---- qfold ---- */

static cop_status fold_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qfold_attr, a, g, n);

	COP_TRY(cop__need(g, n, 0, COP_I32, 1));
	COP_TRY(cop__need(g, n, 1, COP_I8, 4));
	if (cop__in(g, n, 0)->dim[0] != cop__in(g, n, 1)->dim[0])
		return cop__fail(g, COP_SHAPE, n, "%d biases do not suit %d filters", cop__in(g, n, 0)->dim[0], cop__in(g, n, 1)->dim[0]);
	if (a.zx < -128 || a.zx > 127) return cop__fail(g, COP_ARG, n, "zx=%d must lie within -128 to 127", a.zx);
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

/* What reads the folded bias differentiates the weights as a whole, zero of x and all. */
static cop_status fold_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	return cop__grad_add(d, cop__arg(g, n, 0), cop__grad_of(d, cop__res(g, n, 0)));
}

static int fold_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qfold_attr, a, g, n);
	const cop_type *w = cop__in(g, n, 1);
	const int32_t all[QF_WORDS] = {[QF_ROWS] = w->dim[0], [QF_COLS] = cop__count32(w) / w->dim[0], [QF_ZX] = a.zx};
	memcpy(k, all, sizeof all);
	return QF_WORDS;
}

static cop_nid fold_sample(cop_graph *g, int which)
{
	static const int32_t w[][4] = {{1, 1, 1, 1}, {7, 3, 3, 5}, {20, 1, 1, 33}};
	if (which >= LEN(w)) return 0;
	return cop__node(g, OP_qfold, &(cop_qfold_attr){-128 + 70 * which}, VIDS(input_of(g, "b", COP_I32, 1, w[which]), input_of(g, "w", COP_I8, 4, w[which])));
}

const cop_op cop_op_qfold = {
	.name = "qfold", .attrs = "zx:i", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_QUANT | COP_OP_PURE,
	.infer = fold_infer, .grad = fold_grad, .words = fold_words, .sample = fold_sample,
};
