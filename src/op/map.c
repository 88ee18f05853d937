/* SPDX-License-Identifier: Apache-2.0
 *
 * map - a function of one element, by number (kernel/functions.h), and map_grad, dy times its slope at x. Those that
 * networks train with often (sigmoid, tanh, gelu, clip, hswish) are operators of their own. cast - the same numbers in
 * another format.
 */
#include "op/axes.h"

const cop_function cop_functions[MAP_FNS] = {
#define FN(name, kind, onnx, n, alpha, beta, value, gradient) [MAP_##name] = {#onnx, MAP_IS_##kind, n, alpha, beta},
#include "kernel/functions.h"
#undef FN
};

int cop__function_find(const char *onnx)
{
	int fn = MAP_FNS - 1;

	while (fn >= 0 && strcmp(cop_functions[fn].onnx, onnx)) fn--;
	return fn;
}

static bool is_known(int32_t fn) { return fn >= 0 && fn < MAP_FNS; }
static bool is_step(int32_t fn) { return cop_functions[fn].kind & MAP_IS_STEP; }
static bool is_whole(int32_t fn) { return cop_functions[fn].kind & MAP_IS_WHOLE; }
static bool is_truth(int32_t fn) { return cop_functions[fn].kind == MAP_IS_TRUTH; }

static cop_status map_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_map_attr, a, g, n);
	cop_dtype d = cop__in(g, n, 0)->dtype;

	if (!is_known(a.fn)) return cop__fail(g, COP_ARG, n, "function %d is unknown, 0 to %d are there", a.fn, MAP_FNS - 1);
	if (a.fn == MAP_CELU && a.alpha == 0) return cop__fail(g, COP_ARG, n, "celu divides by alpha, which is 0");
	COP_TRY(cop__need(g, n, 0, is_truth(a.fn) ? COP_U8 : is_whole(a.fn) && d == COP_I32 ? COP_I32 : COP_F32, -1));
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static int map_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	COP_ATTR(cop_map_attr, a, g, n);
	k[FN_COUNT] = cop__count32(cop__in(g, n, 0));
	k[FN_FN] = a.fn;
	k[FN_ALPHA] = cop__bits(a.alpha);
	k[FN_BETA] = cop__bits(a.beta);
	return FN_WORDS;
}

static cop_status map_grad(cop_grad *d, cop_nid n)
{
	cop_graph *g = cop__grad_graph(d);
	cop_vid x = cop__arg(g, n, 0), dy = cop__grad_of(d, cop__res(g, n, 0));
	COP_ATTR(cop_map_attr, a, g, n);

	return dy && !is_step(a.fn) ? cop__grad_put(d, x, OP_map_grad, &a, VIDS(dy, x)) : g->cx->code;
}

static cop_nid map_sample(cop_graph *g, int which)
{
	cop_map_attr a = {which, 0.3f, 0.6f};
	cop_dtype d = which < MAP_FNS && is_truth(which) ? COP_U8 : COP_F32;

	if (which >= MAP_FNS) { /* those of whole numbers once more */
		d = COP_I32;
		for (a.fn = 0, which -= MAP_FNS; a.fn < MAP_FNS && !(is_whole(a.fn) && !which--);) a.fn++;
		if (a.fn == MAP_FNS) return 0;
	}
	cop_type t = cop__type(d, 2, DIMS(5, 19));
	return cop__node(g, OP_map, &a, VIDS(cop__input(g, "x", &t)));
}

const cop_op cop_op_map = {
	.name = "map", .attrs = "fn:i alpha:f beta:f", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE,
	.infer = map_infer, .grad = map_grad, .links = cop__links_eltwise, .words = map_words, .sample = map_sample,
};

static cop_status map_grad_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_map_attr, a, g, n);

	if (!is_known(a.fn) || is_step(a.fn)) return cop__fail(g, COP_ARG, n, "function %d has no slope", a.fn);
	COP_TRY(cop__need(g, n, 0, COP_F32, -1));
	COP_TRY(cop__need(g, n, 1, COP_F32, -1));
	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)))
		return cop__fail(g, COP_SHAPE, n, "the gradient and the operand differ in shape");
	return cop__set_out_like(g, n, 0, cop__arg(g, n, 0));
}

static cop_nid map_grad_sample(cop_graph *g, int which)
{
	cop_map_attr a = {0, 0.3f, 0.6f};

	for (; a.fn < MAP_FNS; a.fn++)
		if (!is_step(a.fn) && !which--)
			return cop__node(g, OP_map_grad, &a,
				VIDS(cop__sample_input(g, "dy", 2, DIMS(5, 19)), cop__sample_input(g, "x", 2, DIMS(5, 19))));
	return 0;
}

const cop_op cop_op_map_grad = {
	.name = "map_grad", .attrs = "fn:i alpha:f beta:f", .min_in = 2, .max_in = 2, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_INPLACE | COP_OP_ELTWISE,
	.infer = map_grad_infer, .links = cop__links_eltwise, .words = map_words, .sample = map_grad_sample,
};

/* ---- cast ---- */

static cop_status cast_infer(cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_cast_attr, a, g, n);
	cop_dtype from = cop__in(g, n, 0)->dtype;

	if (a.to < COP_F32 || a.to > COP_U8 || from > COP_U8 || a.to == (int32_t)from ||
		(from != COP_F32 && from != COP_I32 && a.to != COP_F32 && a.to != COP_I32))
		return cop__fail(g, COP_ARG, n, "from %s to format %d is not supported", cop__dtype_text(from), a.to);
	return cop__set_out(g, n, 0, (cop_dtype)a.to, cop__in(g, n, 0)->rank, cop__in(g, n, 0)->dim);
}

static int cast_words(const cop_graph *g, cop_nid n, int32_t *k)
{
	k[XK_COUNT] = cop__count32(cop__in(g, n, 0));
	return XK_WORDS;
}

static cop_nid cast_sample(cop_graph *g, int which)
{
	static const cop_dtype form[][2] = {{COP_F32, COP_I32}, {COP_F32, COP_I8}, {COP_F32, COP_U8}, {COP_I32, COP_F32},
		{COP_U8, COP_F32}, {COP_I8, COP_F32},
		{COP_I32, COP_U8}, {COP_I32, COP_I8}, {COP_U8, COP_I32}, {COP_I8, COP_I32}};
	if (which >= LEN(form)) return 0;
	cop_type t = cop__type(form[which][0], 2, DIMS(3, 41));
	return cop__node(g, OP_cast, &(cop_cast_attr){(int32_t)form[which][1]}, VIDS(cop__input(g, "x", &t)));
}

const cop_op cop_op_cast = {
	.name = "cast", .attrs = "to:i", .min_in = 1, .max_in = 1, .n_out = 1, .must_out = 1,
	.flags = COP_OP_PURE | COP_OP_ELTWISE,
	.infer = cast_infer, .links = cop__links_eltwise, .words = cast_words, .sample = cast_sample,
};
