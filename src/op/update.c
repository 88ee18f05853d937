/* SPDX-License-Identifier: Apache-2.0
 *
 * update - optimisers, the step counter and plain assignment: nodes that write over the parameters and states they
 * read. The results' `alias` says over what; the scheduler lets every other reader go first.
 */
#include "op/axes.h"

static cop_status over(cop_graph *g, cop_nid n, int result, int input)
{
	COP_TRY(cop__set_out_like(g, n, result, cop__arg(g, n, input)));
	if (cop__res(g, n, result)) g->value[cop__res(g, n, result)].alias = cop__arg(g, n, input);
	return COP_OK;
}

static cop_status need_like(const cop_graph *g, cop_nid n, int i)
{
	COP_TRY(cop__need(g, n, i, COP_F32, -1));
	return cop__same_shape(cop__in(g, n, 0), cop__in(g, n, i))
	               ? COP_OK
	               : cop__fail(g, COP_SHAPE, n, "input %d has not the parameter's shape", i);
}

static cop_status need_one(const cop_graph *g, cop_nid n, int i, cop_dtype d)
{
	COP_TRY(cop__need(g, n, i, d, 1));
	return cop__in(g, n, i)->dim[0] == 1 ? COP_OK : cop__fail(g, COP_SHAPE, n, "input %d must be one number", i);
}

/* ---- sgd: w dw lr m? rows? -> w' m'? ---- */

static int32_t capacity(const cop_graph *g, cop_nid n)
{
	return cop__arg(g, n, 4) ? cop__in(g, n, 4)->dim[0] - 1 : 0;
}

static cop_status sgd_infer(cop_graph *g, cop_nid n)
{
	cop_type want = *cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_one(g, n, 2, COP_F32));
	if (cop__arg(g, n, 3)) COP_TRY(need_like(g, n, 3));
	if (cop__arg(g, n, 4)) {
		COP_TRY(cop__need(g, n, 4, COP_I32, 1));
		if (!want.rank || capacity(g, n) < 1 || capacity(g, n) > want.dim[0])
			return cop__fail(
			        g, COP_SHAPE, n, "a list of %d rows does not suit the parameter", capacity(g, n));
		want.dim[0] = capacity(g, n);
	}
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(&want, cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "the gradient has not the parameter's shape");
	COP_TRY(over(g, n, 0, 0));
	if (cop__res(g, n, 1) && !cop__arg(g, n, 3))
		return cop__fail(g, COP_ARG, n, "a new momentum needs the old one");
	return cop__res(g, n, 1) ? over(g, n, 1, 3) : COP_OK;
}

static int sgd_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	const cop_type *w = cop__in(g, n, 0);
	COP_ATTR(cop_sgd_attr, a, g, n);
	int32_t rows = w->rank ? w->dim[0] : 1;
	const int32_t all[GK_WORDS] = {[GK_ROWS] = rows,
	        [GK_COLS] = cop__count32(w) / rows,
	        [GK_CAP] = capacity(g, n),
	        [GK_MOM] = cop__bits(a.momentum),
	        [GK_NESTEROV] = a.nesterov,
	        [GK_DECAY] = cop__bits(a.decay)};
	memcpy(k, all, sizeof all);
	return GK_WORDS;
}

static void cost(const cop_graph *g, cop_nid n, cop_cost *c)
{
	c->flop = 4 * cop_type_count(cop__in(g, n, 1));
}

static cop_vid state(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	return cop__input(g, name, &t);
}

static cop_nid sgd_sample(cop_graph *g, int which)
{
	static const struct {
		int32_t dim[2];
		cop_sgd_attr a;
		bool rows;
	} form[] = {
	        {{1, 1}, {0.9f, 0, 0}, false},
	        {{5, 7}, {0.9f, 1, 5e-4f}, false},
	        {{10, 33}, {0.9f, 0, 0.01f}, true},
	        {{20, 25}, {0.5f, 1, 0}, true},
	        {{64, 17}, {0.9f, 0, 0}, false},
	};
	if (which >= LEN(form)) return 0;
	int32_t cap = (form[which].dim[0] + 1) / 2;
	cop_vid w = cop__sample_input(g, "w", 2, form[which].dim),
	        dw = cop__sample_input(g, "dw", 2, form[which].rows ? DIMS(cap, form[which].dim[1]) : form[which].dim);
	cop_vid lr = cop__sample_input(g, "lr", 1, DIMS(1)), m = cop__sample_input(g, "m", 2, form[which].dim);
	cop_vid rows = form[which].rows ? state(g, "rows", COP_I32, 1, DIMS(cap + 1)) : 0;
	return cop__node(g, OP_sgd, &form[which].a, VIDS(w, dw, lr, m, rows));
}

const cop_op cop_op_sgd = {
	.name = "sgd", .attrs = "momentum:f nesterov:i decay:f", .min_in = 3, .max_in = 5, .n_out = 2, .must_out = 1,
	.flags = COP_OP_UPDATE,
	.infer = sgd_infer, .cost = cost, .words = sgd_words, .sample = sgd_sample,
};

/* ---- adam: w dw lr step m v -> w' m' v' ---- */

static cop_status adam_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_like(g, n, 1));
	COP_TRY(need_one(g, n, 2, COP_F32));
	COP_TRY(need_one(g, n, 3, COP_I32));
	COP_TRY(need_like(g, n, 4));
	COP_TRY(need_like(g, n, 5));
	COP_TRY(over(g, n, 0, 0));
	COP_TRY(over(g, n, 1, 4));
	return over(g, n, 2, 5);
}

static int adam_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_adam_attr, a, g, n);
	const int32_t all[AK_WORDS] = {[AK_COUNT] = cop__count32(cop__in(g, n, 0)),
	        [AK_B1] = cop__bits(a.b1),
	        [AK_B2] = cop__bits(a.b2),
	        [AK_EPS] = cop__bits(a.eps),
	        [AK_DECAY] = cop__bits(a.decay),
	        [AK_W] = a.decoupled};
	memcpy(k, all, sizeof all);
	return AK_WORDS;
}

static cop_nid adam_sample(cop_graph *g, int which)
{
	static const struct {
		int32_t dim[2];
		cop_adam_attr a;
	} form[] = {
	        {{1, 1}, {0.9f, 0.999f, 1e-8f, 0, 0}},
	        {{5, 7}, {0.9f, 0.999f, 1e-8f, 0.01f, 0}},
	        {{33, 10}, {0.8f, 0.99f, 1e-6f, 0.01f, 1}},
	        {{64, 17}, {0.9f, 0.999f, 1e-8f, 0, 0}},
	};
	if (which >= LEN(form)) return 0;
	cop_vid w = cop__sample_input(g, "w", 2, form[which].dim), dw = cop__sample_input(g, "dw", 2, form[which].dim),
	        lr = cop__sample_input(g, "lr", 1, DIMS(1));
	cop_vid step = state(g, "step", COP_I32, 1, DIMS(1)), m = cop__sample_input(g, "m", 2, form[which].dim),
	        v = cop__sample_input(g, "v", 2, form[which].dim);
	return cop__node(g, OP_adam, &form[which].a, VIDS(w, dw, lr, step, m, v));
}

const cop_op cop_op_adam = {
	.name = "adam", .attrs = "b1:f b2:f eps:f decay:f decoupled:i", .min_in = 6, .max_in = 6, .n_out = 3,
	.must_out = 3, .flags = COP_OP_UPDATE,
	.infer = adam_infer, .cost = cost, .words = adam_words, .sample = adam_sample,
};

/* ---- perturb: w keep by step -> keep w + by z, z along the direction that seed, step and stream name ---- */

static cop_status perturb_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(need_one(g, n, 1, COP_F32));
	COP_TRY(need_one(g, n, 2, COP_F32));
	COP_TRY(need_one(g, n, 3, COP_I32));
	return over(g, n, 0, 0);
}

static int perturb_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_perturb_attr, a, g, n);

	k[VK_COUNT] = cop__count32(cop__in(g, n, 0));
	k[VK_SEED] = a.seed;
	k[VK_STREAM] = a.stream;
	k[VK_DRAW] = a.draw;
	return VK_WORDS;
}

static cop_nid perturb_sample(cop_graph *g, int which)
{
	static const struct { int32_t dim[2]; cop_perturb_attr a; } form[] = {{{1, 1}, {1, 2, 0}}, {{5, 7}, {7, 0, 1}}, {{33, 10}, {-5, 9, 0}}, {{9, 65}, {3, -1, 1}}};

	if (which >= LEN(form)) return 0;
	cop_vid w = cop__sample_input(g, "w", 2, form[which].dim), keep = cop__sample_input(g, "keep", 1, DIMS(1)), by = cop__sample_input(g, "by", 1, DIMS(1));
	return cop__node(g, OP_perturb, &form[which].a, VIDS(w, keep, by, state(g, "step", COP_I32, 1, DIMS(1))));
}

const cop_op cop_op_perturb = {
	.name = "perturb", .attrs = "seed:i stream:i draw:i", .min_in = 4, .max_in = 4, .n_out = 1, .must_out = 1, .flags = COP_OP_UPDATE,
	.infer = perturb_infer, .cost = cost, .words = perturb_words, .sample = perturb_sample,
};

/* ---- count: step -> step + 1 ---- */

static cop_status count_infer(cop_graph *g, cop_nid n)
{
	COP_TRY(need_one(g, n, 0, COP_I32));
	return over(g, n, 0, 0);
}

static cop_nid count_sample(cop_graph *g, int which)
{
	return which ? 0 : cop__node(g, OP_count, NULL, VIDS(state(g, "step", COP_I32, 1, DIMS(1))));
}

const cop_op cop_op_count = {
	.name = "count", .attrs = "", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1, .flags = COP_OP_UPDATE,
	.infer = count_infer, .sample = count_sample,
};

/* ---- assign: x value -> x', the value kept for the next run ---- */

static cop_status assign_infer(cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0);

	COP_TRY(cop__need(g, n, 1, x->dtype, -1));
	if (cop__dtype_bits(x->dtype) < 8)
		return cop__fail(g, COP_ARG, n, "needs whole bytes, got %s", cop__dtype_text(x->dtype));
	if (!cop__same_shape(x, cop__in(g, n, 1))) return cop__fail(g, COP_SHAPE, n, "the value has not the state's shape");
	return over(g, n, 0, 0);
}

static int assign_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[ZK_OUTER] = 1;
	k[ZK_RUN] = k[ZK_STRIDE] = (int32_t)cop_type_bytes(cop__in(g, n, 0));
	k[ZK_OFF] = 0;
	return ZK_WORDS;
}

static cop_nid assign_sample(cop_graph *g, int which)
{
	static const cop_dtype format[] = {COP_F32, COP_I32, COP_I8, COP_U8, COP_I16};
	if (which >= LEN(format)) return 0;
	cop_type t = cop__type(format[which], 2, DIMS(3, 5));
	return cop__node(g, OP_assign, NULL, VIDS(state(g, "x", format[which], 2, t.dim), cop__input(g, "value", &t)));
}

const cop_op cop_op_assign = {
	.name = "assign", .attrs = "", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1, .flags = COP_OP_UPDATE,
	.infer = assign_infer, .cost = cop__cost_none, .words = assign_words, .sample = assign_sample,
};
