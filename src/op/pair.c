/* SPDX-License-Identifier: Apache-2.0
 *
 * max, min, pow, mod, comparisons and logic - two operands with broadcasting, as add. Comparisons and logic give U8 of
 * 0 and 1. where - a choice between two by a third. Trained through are max, min, pow and where.
 */
#include "op/axes.h"

static bool is_extreme(int op) { return op == OP_max || op == OP_min; }

/* Fails unless the inputs have one format among F32, I32 and, for logic, U8, for extremes I8 and I16. */
static cop_status formats(cop_graph *g, cop_nid n, bool logic)
{
	cop_dtype d = cop__in(g, n, 0)->dtype;

	if (logic) d = COP_U8;
	else if (!(d == COP_I32 && g->node[n].op != OP_pow) && !((d == COP_I8 || d == COP_I16) && is_extreme(g->node[n].op))) d = COP_F32;
	COP_TRY(cop__need(g, n, 0, d, -1));
	return cop__need(g, n, 1, d, -1);
}

static bool is_logic(int op) { return op == OP_and || op == OP_or || op == OP_xor; }

static bool is_truth(int op)
{
	return is_logic(op) || op == OP_equal || op == OP_less || op == OP_greater || op == OP_lessequal ||
		op == OP_greaterequal;
}

static cop_status infer(cop_graph *g, cop_nid n)
{
	int op = g->node[n].op;
	int32_t rank, dim[COP_MAX_DIM];

	COP_TRY(formats(g, n, is_logic(op)));
	COP_TRY(cop__broadcast(g, n, &rank, dim));
	return cop__set_out(g, n, 0, is_truth(op) ? COP_U8 : cop__in(g, n, 0)->dtype, rank, dim);
}

static int words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *y = cop__outt(g, n, 0);

	memset(k, 0, BK_WORDS * sizeof *k);
	memcpy(k + BK_DIM, y->dim, sizeof y->dim);
	cop__broadcast_strides(k + BK_SA, cop__in(g, n, 0), y->rank, y->dim);
	cop__broadcast_strides(k + BK_SB, cop__in(g, n, 1), y->rank, y->dim);
	k[BK_RANK] = cop__merge_axes(y->rank, k + BK_DIM, k + BK_SA, k + BK_SB);
	return BK_WORDS;
}

static cop_vid product(cop_graph *g, cop_vid a, cop_vid b)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	return cop__apply(g, OP_mul, &plain, VIDS(a, b));
}

/* dy times the slope, summed over what of the operand was repeated. */
static cop_status give(cop_grad *d, cop_vid v, cop_vid slope, cop_vid dy)
{
	cop_graph *g = cop__grad_graph(d);

	if (!cop__grad_wanted(d, v)) return COP_OK;
	if (slope && cop__t(g, slope)->dtype == COP_U8) slope = cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(slope));
	cop_vid part = product(g, dy, slope);
	if (!part) return g->cx->code;
	if (cop__same_shape(cop__t(g, v), cop__t(g, part))) return cop__grad_add(d, v, part);
	cop_shape_attr to = {.rank = cop__t(g, v)->rank};
	memcpy(to.dim, cop__t(g, v)->dim, sizeof to.dim);
	return cop__grad_put(d, v, OP_sum_to, &to, VIDS(part));
}

/* da = b a^(b-1), db = y log a, for positive a. */
static cop_status grad_pow(cop_grad *d, cop_nid n)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), y = cop__res(g, n, 0), dy = cop__grad_of(d, y);

	if (!dy) return g->cx->code;
	if (cop__grad_wanted(d, a)) {
		cop_vid less = cop__apply(g, OP_sub, &plain, VIDS(b, cop__scalar(g, "grad.one", 1)));
		COP_TRY(give(d, a, product(g, b, cop__apply(g, OP_pow, NULL, VIDS(a, less))), dy));
	}
	if (!cop__grad_wanted(d, b)) return COP_OK;
	return give(d, b, product(g, y, cop__apply(g, OP_map, &(cop_map_attr){MAP_LOG, 0, 0}, VIDS(a))), dy);
}

static cop_status grad_extreme(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), dy = cop__grad_of(d, cop__res(g, n, 0));

	if (!dy) return g->cx->code;
	cop_vid first = cop__apply(g, g->node[n].op == OP_max ? OP_greaterequal : OP_lessequal, NULL, VIDS(a, b));
	if (!first) return g->cx->code;
	COP_TRY(give(d, a, first, dy));
	return give(d, b, cop__apply(g, OP_map, &(cop_map_attr){MAP_NOT, 0, 0}, VIDS(first)), dy);
}

static cop_nid sample(cop_graph *g, int op, int which)
{
	static const struct { int32_t ra, a[4], rb, b[4]; } form[] = {
		{2, {3, 7}, 2, {3, 7}}, {4, {2, 3, 5, 7}, 1, {7}}, {2, {5, 9}, 2, {5, 1}}, {1, {6}, 3, {2, 3, 6}},
		{2, {1, 1}, 2, {3, 5}}, {1, {1}, 1, {1}}};
	bool logic = is_logic(op);
	int i = which % LEN(form), formats = logic || op == OP_pow ? 1 : is_extreme(op) ? 4 : 2;
	static const cop_dtype format[] = {COP_F32, COP_I32, COP_I8, COP_I16};

	if (which >= formats * LEN(form)) return 0;
	cop_type a = cop__type(logic ? COP_U8 : format[which / LEN(form)], form[i].ra, form[i].a),
		b = cop__type(a.dtype, form[i].rb, form[i].b);
	return cop__node(g, op, NULL, VIDS(cop__input(g, "a", &a), cop__input(g, "b", &b)));
}

#define PAIR(NAME, GRAD, FLAGS)                                                                                 \
	static cop_nid sample_##NAME(cop_graph *g, int which) { return sample(g, OP_##NAME, which); }           \
	const cop_op cop_op_##NAME = {                                                                          \
		.name = #NAME, .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_PURE | COP_OP_ELTWISE | (FLAGS), \
		.infer = infer, .grad = GRAD, .links = cop__links_eltwise, .words = words, .sample = sample_##NAME, \
	};
PAIR(max, grad_extreme, COP_OP_INPLACE)
PAIR(min, grad_extreme, COP_OP_INPLACE)
PAIR(pow, grad_pow, COP_OP_INPLACE)
PAIR(mod, NULL, COP_OP_INPLACE)
PAIR(equal, NULL, 0)
PAIR(less, NULL, 0)
PAIR(greater, NULL, 0)
PAIR(lessequal, NULL, 0)
PAIR(greaterequal, NULL, 0)
PAIR(and, NULL, COP_OP_INPLACE)
PAIR(or, NULL, COP_OP_INPLACE)
PAIR(xor, NULL, COP_OP_INPLACE)

/* ---- where ---- */

static cop_status where_infer(cop_graph *g, cop_nid n)
{
	int32_t rank, dim[COP_MAX_DIM];

	COP_TRY(cop__need(g, n, 0, COP_U8, -1));
	if (cop__dtype_bits(cop__in(g, n, 1)->dtype) < 8)
		return cop__fail(g, COP_ARG, n, "of %s is not supported", cop__dtype_text(cop__in(g, n, 1)->dtype));
	COP_TRY(cop__need(g, n, 2, cop__in(g, n, 1)->dtype, -1));
	COP_TRY(cop__broadcast(g, n, &rank, dim));
	return cop__set_out(g, n, 0, cop__in(g, n, 1)->dtype, rank, dim);
}

/* Axes are not merged: three operands rarely agree. Units go. */
static int where_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *y = cop__outt(g, n, 0);
	int32_t s[3][COP_MAX_DIM], rank = 0;

	memset(k, 0, WK_WORDS * sizeof *k);
	for (int i = 0; i < 3; i++) cop__broadcast_strides(s[i], cop__in(g, n, i), y->rank, y->dim);
	for (int i = 0; i < y->rank; i++) {
		if (y->dim[i] == 1) continue;
		k[WK_DIM + rank] = y->dim[i];
		k[WK_SC + rank] = s[0][i];
		k[WK_SA + rank] = s[1][i];
		k[WK_SB + rank] = s[2][i];
		rank++;
	}
	if (!rank) k[WK_DIM + rank++] = 1;
	k[WK_RANK] = rank;
	return WK_WORDS;
}

static cop_status where_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid c = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	cop_map_attr not = {MAP_NOT, 0, 0};

	if (!dy) return g->cx->code;
	c = cop__apply(g, OP_map, &not, VIDS(c)); /* twice: 0 and 1 whatever it was */
	cop_vid second = c;
	COP_TRY(give(d, cop__arg(g, n, 1), cop__apply(g, OP_map, &not, VIDS(c)), dy));
	return give(d, cop__arg(g, n, 2), second, dy);
}

static cop_nid where_sample(cop_graph *g, int which)
{
	static const struct { int32_t rank[3], dim[3][4]; cop_dtype d; } form[] = {
		{{2, 2, 2}, {{3, 7}, {3, 7}, {3, 7}}, COP_F32}, {{1, 3, 3}, {{7}, {2, 3, 1}, {1, 3, 7}}, COP_F32},
		{{2, 1, 1}, {{5, 1}, {9}, {1}}, COP_I32},
		{{3, 1, 2}, {{2, 1, 4}, {1}, {3, 4}}, COP_U8}, {{2, 2, 2}, {{3, 7}, {3, 7}, {1, 7}}, COP_I8}, {{2, 1, 2}, {{3, 7}, {7}, {3, 1}}, COP_I16}};
	static const char *const name[] = {"c", "a", "b"};
	cop_vid v[3];

	if (which >= LEN(form)) return 0;
	for (int i = 0; i < 3; i++) {
		cop_type t = cop__type(i ? form[which].d : COP_U8, form[which].rank[i], form[which].dim[i]);
		uint8_t turns[64];
		for (int j = 0; j < LEN(turns); j++) turns[j] = j % 3 == 1;
		v[i] = i ? cop__input(g, name[i], &t) : cop__data(g, COP_CONST, name[i], &t, turns);
	}
	return cop__node(g, OP_where, NULL, 3, v);
}

const cop_op cop_op_where = {
	.name = "where", .attrs = "", .min_in = 3, .max_in = 3, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_ELTWISE,
	.infer = where_infer, .grad = where_grad, .links = cop__links_eltwise, .words = where_words, .sample = where_sample,
};
