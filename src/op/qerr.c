/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr - errors as bytes: a gradient is bytes times one unit, a float beside them (kernel/qerr.h; train/errors.c puts them into a training):
 *
 *   qerr(dy)                              of floats
 *   qerr_back(e, unit, m?, inside?)       what qback is to floats; m: factors as integers, 2^31 for `by`; without them all have that
 *   qerr_dx(e, w, unit, m?, inside?)      what qconv_dx is (conv_grad.c), and of its result qerr_back, so that bits are lost once
 *   qerr_add(a, unit, b, unit)            the sum of two
 *   qerr_sum(e, unit)                     over all but the last axis, floats: the gradient of a bias
 */
#include "op/axes.h"
#include "op/qtrain.h"

static cop_vid input_of(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	return cop__input(g, name, &t);
}

static const int32_t one[] = {1};
static cop_vid unit_of(cop_graph *g, const char *name) { return cop__sample_input(g, name, 1, one); }

static int32_t last_dim(const cop_type *t) { return t->rank ? t->dim[t->rank - 1] : 1; }

static cop_status need_unit(cop_graph *g, cop_nid n, int at)
{
	COP_TRY(cop__need(g, n, at, COP_F32, 1));
	return cop__in(g, n, at)->dim[0] == 1 ? COP_OK : cop__fail(g, COP_SHAPE, n, "needs one unit, not %d", cop__in(g, n, at)->dim[0]);
}

cop_status cop__error_unit(cop_graph *g, cop_nid n, int at, int32_t round)
{
	if (at) COP_TRY(need_unit(g, n, at));
	if (round < 0 || round >= COP_E_ROUNDS) return cop__fail(g, COP_ARG, n, "round=%d must lie within 0 to %d", round, COP_E_ROUNDS - 1);
	return cop__set_out(g, n, 1, COP_F32, 1, one);
}

static int words_of(const cop_graph *g, cop_nid n, int32_t *k, int32_t round, float by)
{
	const cop_type *e = cop__in(g, n, 0);
	const int32_t all[ER_WORDS] = {[ER_ROWS] = cop__count32(e) / COP_MAX(1, last_dim(e)), [ER_C] = last_dim(e), [ER_ROUND] = round, [ER_BY] = cop__bits(by)};
	memcpy(k, all, sizeof all);
	return ER_WORDS;
}

static const struct { int32_t rank, dim[4]; } form[] = {{1, {1}}, {2, {3, 21}}, {4, {1, 2, 3, 8}}, {4, {2, 3, 1, 13}}};
static const int32_t *shape(int which) { return form[which / COP_E_ROUNDS].dim; }
static int32_t rank(int which) { return form[which / COP_E_ROUNDS].rank; }
enum { SAMPLES = LEN(form) * COP_E_ROUNDS };

/* ---- qerr ---- */

static cop_status err_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qerr_attr, a, g, n);
	const cop_type *dy = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__set_out(g, n, 0, COP_I8, dy->rank, dy->dim));
	return cop__error_unit(g, n, 0, a.round);
}

static int err_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qerr_attr, a, g, n);
	return words_of(g, n, k, a.round, 1);
}

static cop_nid err_sample(cop_graph *g, int which)
{
	if (which >= SAMPLES) return 0;
	return cop__node(g, OP_qerr, &(cop_qerr_attr){which % COP_E_ROUNDS}, VIDS(cop__sample_input(g, "dy", rank(which), shape(which))));
}

const cop_op cop_op_qerr = {
	.name = "qerr", .attrs = "round:i", .min_in = 1, .max_in = 1, .n_out = 2, .must_out = 2, .flags = COP_OP_PURE,
	.infer = err_infer, .words = err_words, .sample = err_sample,
};

/* ---- qerr_back ---- */

cop_status cop__error_through(cop_graph *g, cop_nid n, int m, int at, int32_t round)
{
	const cop_type *e = cop__outt(g, n, 0);

	if (cop__arg(g, n, m)) {
		COP_TRY(cop__need(g, n, m, COP_I32, 1));
		if (cop__in(g, n, m)->dim[0] != last_dim(e)) return cop__fail(g, COP_SHAPE, n, "%d factors do not suit %d channels", cop__in(g, n, m)->dim[0], last_dim(e));
	}
	if (cop__arg(g, n, m + 1)) {
		COP_TRY(cop__need(g, n, m + 1, COP_BIT, -1));
		if (!cop__same_shape(e, cop__in(g, n, m + 1))) return cop__fail(g, COP_SHAPE, n, "the bits have not the error's shape");
	}
	return cop__error_unit(g, n, at, round);
}

static cop_status back_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qerr_back_attr, a, g, n);
	const cop_type *e = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	COP_TRY(cop__set_out(g, n, 0, COP_I8, e->rank, e->dim));
	return cop__error_through(g, n, 2, 1, a.round);
}

static int back_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_qerr_back_attr, a, g, n);
	return words_of(g, n, k, a.round, a.by);
}

static cop_nid back_sample(cop_graph *g, int which)
{
	if (which >= 3 * SAMPLES) return 0;
	const int kind = which / SAMPLES, at = which % SAMPLES;
	const int32_t *d = shape(at);
	return cop__node(g, OP_qerr_back, &(cop_qerr_back_attr){0.25f, at % COP_E_ROUNDS},
		VIDS(input_of(g, "e", COP_I8, rank(at), d), unit_of(g, "unit"), kind < 2 ? input_of(g, "m", COP_I32, 1, &d[rank(at) - 1]) : 0,
			kind ? input_of(g, "inside", COP_BIT, rank(at), d) : 0));
}

const cop_op cop_op_qerr_back = {
	.name = "qerr_back", .attrs = "by:f round:i", .min_in = 2, .max_in = 4, .n_out = 2, .must_out = 2, .flags = COP_OP_PURE,
	.infer = back_infer, .words = back_words, .sample = back_sample,
};

/* ---- qerr_add ---- */

static cop_status add_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qerr_attr, a, g, n);
	const cop_type *e = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	COP_TRY(cop__need(g, n, 2, COP_I8, -1));
	COP_TRY(need_unit(g, n, 3));
	if (!cop__same_shape(e, cop__in(g, n, 2))) return cop__fail(g, COP_SHAPE, n, "the errors have not the same shape");
	COP_TRY(cop__set_out(g, n, 0, COP_I8, e->rank, e->dim));
	return cop__error_unit(g, n, 1, a.round);
}

static cop_nid add_sample(cop_graph *g, int which)
{
	if (which >= SAMPLES) return 0;
	return cop__node(g, OP_qerr_add, &(cop_qerr_attr){which % COP_E_ROUNDS},
		VIDS(input_of(g, "a", COP_I8, rank(which), shape(which)), unit_of(g, "unit"), input_of(g, "b", COP_I8, rank(which), shape(which)), unit_of(g, "other")));
}

const cop_op cop_op_qerr_add = {
	.name = "qerr_add", .attrs = "round:i", .min_in = 4, .max_in = 4, .n_out = 2, .must_out = 2, .flags = COP_OP_PURE,
	.infer = add_infer, .words = err_words, .sample = add_sample,
};

/* ---- qerr_sum ---- */

static cop_status sum_infer(cop_graph *g, cop_nid n)
{
	const cop_type *e = cop__in(g, n, 0);
	const int32_t c = last_dim(e);

	COP_TRY(cop__need(g, n, 0, COP_I8, -1));
	COP_TRY(need_unit(g, n, 1));
	if (cop_type_count(e) / COP_MAX(1, c) > 1 << 24) return cop__fail(g, COP_SHAPE, n, "sums of more than 2^24 bytes do not fit 32 bits");
	return cop__set_out(g, n, 0, COP_F32, 1, &c);
}

static int sum_words(const cop_graph *g, cop_nid n, int32_t *k) { return words_of(g, n, k, 0, 1); }

static cop_nid sum_sample(cop_graph *g, int which)
{
	if (which >= LEN(form)) return 0;
	return cop__node(g, OP_qerr_sum, NULL, VIDS(input_of(g, "e", COP_I8, form[which].rank, form[which].dim), unit_of(g, "unit")));
}

const cop_op cop_op_qerr_sum = {
	.name = "qerr_sum", .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE,
	.infer = sum_infer, .words = sum_words, .sample = sum_sample,
};
