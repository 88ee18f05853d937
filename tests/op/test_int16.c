/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators on activations of int16 against numbers from outside: exact integers from Python (make_int16_reference.py), filters whose sums do not fit
 * 32 bits among them. And what is refused.
 */
#include "help.h"
#include "op/int16_reference.h"

enum { LEAST = -32768, MOST = 32767 };
typedef cop_vid making(cop_graph *g, const void *attr);

/* ---- the numbers of make_int16_reference.py ---- */

static void fill(const cop_tensor *t, int k)
{
	for (int64_t i = 0; i < cop_type_count(&t->type); i++) {
		if (t->type.dtype == COP_I16) ((int16_t *)t->data)[i] = (int16_t)(((i * 40503 + k * 977 + 1) & 0xffff) - 32768);
		else if (t->type.dtype == COP_I8) ((int8_t *)t->data)[i] = (int8_t)((i * 89 + k * 31) % 255 - 127);
		else ((float *)t->data)[i] = (float)(i * 37 - 400) / 8;
	}
}

static void fill_ends(const cop_tensor *t)
{
	int64_t n = cop_type_count(&t->type);

	for (int64_t i = 0; i < n; i++) {
		if (t->type.dtype == COP_I16) ((int16_t *)t->data)[i] = MOST;
		else ((int8_t *)t->data)[i] = i < n / 2 ? 127 : -127;
	}
}

static cop_vid in(cop_graph *g, const char *name, cop_dtype d, int32_t rank, const int32_t *dim)
{
	cop_type t = cop__type(d, rank, dim);
	return cop__input(g, name, &t);
}

/* ---- operators ---- */

typedef struct layer { int32_t x[4], w[4]; bool twice; cop_qconv_attr a; int32_t m[6]; } layer;

static cop_vid make_layer(cop_graph *g, const void *attr)
{
	const layer *l = attr;
	int32_t o = l->w[0], b[3];
	cop_type bt = cop__type(COP_I32, 1, &o), mt = l->twice ? cop__type(COP_I32, 2, DIMS(2, o)) : bt;

	for (int i = 0; i < o; i++) b[i] = (int32_t)((int64_t)i * 791903 % 2000001 - 1000000);
	cop_vid x = in(g, "x", COP_I16, 4, l->x), w = in(g, "w", COP_I8, 4, l->w);
	return cop__apply(g, OP_qconv, &l->a, VIDS(x, w, cop__data(g, COP_CONST, "b", &bt, b), cop__data(g, COP_CONST, "m", &mt, l->m)));
}

#define SMALL {1, 3, 4, 2}, {3, 2, 2, 2}
#define WINDOW(LO, UP) {1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, LO, MOST, UP, 0, 0}
#define M3 {1000003, 45000001, 7000003}
static const layer single_of = {SMALL, false, WINDOW(LEAST, 0), M3}, less_of = {SMALL, false, WINDOW(LEAST, -4), M3}, more_of = {SMALL, false, WINDOW(LEAST, 2), M3};
static const layer twice_of = {SMALL, true, WINDOW(LEAST, 0), {1073780000, 1174441985, 2147480000, -6, -8, -10}};
static const layer depthwise_of = {{1, 5, 4, 3}, {3, 3, 2, 1}, false, {2, 2, 1, 1, 0, 0, 1, 1, 3, 0, 0, -1000, MOST, 0, 0, 0}, {20000060, 900000020, 140000060}};
static const layer most_of = {{1, 1, 1, 1100}, {2, 1, 1, 1100}, false, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, LEAST, MOST, 0, 0, 0}, {30001, 30000}};

static cop_vid make_sum(cop_graph *g, const void *a) { return cop__apply(g, OP_qadd, a, VIDS(in(g, "a", COP_I16, 1, DIMS(24)), in(g, "b", COP_I16, 1, DIMS(24)))); }
static cop_vid make_product(cop_graph *g, const void *a) { return cop__apply(g, OP_qmul, a, VIDS(in(g, "a", COP_I16, 1, DIMS(24)), in(g, "b", COP_I16, 1, DIMS(24)))); }
static cop_vid make_mean(cop_graph *g, const void *a) { return cop__apply(g, OP_qavgpool, a, VIDS(in(g, "x", COP_I16, 4, DIMS(1, 4, 3, 2)))); }
static cop_vid make_table(cop_graph *g, const void *a) { return cop__apply(g, OP_qlut, a, VIDS(in(g, "x", COP_I16, 1, DIMS(40)), in(g, "t", COP_I16, 1, DIMS(513)))); }
static cop_vid make_rescaled(cop_graph *g, const void *a) { return cop__apply(g, OP_qrescale, a, VIDS(in(g, "x", COP_I16, 1, DIMS(24)))); }
static cop_vid make_quantized(cop_graph *g, const void *a) { return cop__apply(g, OP_quantize, a, VIDS(in(g, "x", COP_F32, 1, DIMS(24)))); }
static cop_vid make_back(cop_graph *g, const void *a) { return cop__apply(g, OP_dequantize, a, VIDS(in(g, "x", COP_I16, 1, DIMS(24)))); }

#define IS(array) array, LEN(array)
static const struct { const char *what; making *make; const void *attr; const int32_t *want; int n; } cases[] = {
	{"one rounding", make_layer, &single_of, IS(single)}, {"one rounding, up=-4", make_layer, &less_of, IS(single_less)}, {"one rounding, up=2", make_layer, &more_of, IS(single_more)},
	{"as TFLite", make_layer, &twice_of, IS(twice)}, {"depthwise", make_layer, &depthwise_of, IS(depthwise)}, {"sums beyond 32 bits", make_layer, &most_of, IS(most)},
	{"sum", make_sum, &(cop_qadd_attr){0, 0, 0, 1812345, 0, -912345, 0, 0, 21, -30000, MOST, 0}, IS(sums)},
	{"sum as TFLite", make_sum, &(cop_qadd_attr){0, 0, 0, 1073741824, 0, 1573741824, -1, 1912345678, -19, LEAST, MOST, 1}, IS(sums_double)},
	{"product", make_product, &(cop_qmul_attr){0, 0, 0, 1812345678, -14, -20000, MOST}, IS(products)},
	{"mean", make_mean, &(cop_qavgpool_attr){2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, LEAST, MOST}, IS(means)},
	{"mean, scaled", make_mean, &(cop_qavgpool_attr){2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 1374389535, -1, LEAST, MOST}, IS(means_scaled)},
	{"table", make_table, &(cop_qlut_attr){COP_I16}, IS(table)},
	{"other scale", make_rescaled, &(cop_qrescale_attr){1174405120, 1, 0, -30000, MOST, COP_I16}, IS(rescaled)},
	{"bytes", make_rescaled, &(cop_qrescale_attr){1374389535, -7, 5, -128, 127, COP_I8}, IS(rescaled_bytes)},
	{"from floats", make_quantized, &(cop_quantize_attr){0.25f, 0, COP_I16}, IS(quantized)},
	{"to floats", make_back, &(cop_dequantize_attr){0.125f, 0}, IS(back_in_eighths)},
};

static int32_t number(const cop_tensor *t, int i)
{
	switch (t->type.dtype) {
	case COP_I16: return ((const int16_t *)t->data)[i];
	case COP_I8: return ((const int8_t *)t->data)[i];
	default: return (int32_t)(((const float *)t->data)[i] * 8);
	}
}

static void fill_inputs(cop_session *s, const cop_graph *g, bool ends)
{
	static const float beyond[] = {1e9f, -1e9f, 8191.8f, -8192.2f};
	cop_tensor t;

	for (int i = 0; i < g->n_input; i++) {
		assert_int_equal(cop_session_io(s, 0, i, false, &t), COP_OK);
		if (ends) fill_ends(&t);
		else fill(&t, i);
		if (t.type.dtype == COP_F32) memcpy((float *)t.data + 20, beyond, sizeof beyond);
	}
}

/* On the kernels of this machine, then on those for Cortex-M, written out in C. */
static void as_outside(void **state)
{
	(void)state;
	for (int j = 0; j < 2 * LEN(cases); j++) {
		const int i = j / 2;
		cop_ctx *cx = new_ctx();
		cop_graph *g, *again;
		cop_plan *p;
		cop_session *s;
		cop_target t;
		cop_tensor y;
		OK(cx, cop__graph_new(&g, cx, "case"));
		OK(cx, cop__output(g, cases[i].make(g, cases[i].attr), "y"));
		OK(cx, cop_target_find(&t, cx, "host"));
		if (j % 2) t.isa = COP_ISA_DSP;
		OK(cx, cop_graph_copy(&again, g)); /* the plan takes its own */
		OK(cx, cop_plan_build(&p, &again, 1, &t));
		OK(cx, cop_session_new(&s, p, 1));
		fill_inputs(s, g, cases[i].attr == &most_of);
		OK(cx, cop_session_run(s, 0));
		OK(cx, cop_session_io(s, 0, 0, true, &y));
		assert_int_equal(cop_type_count(&y.type), cases[i].n);
		for (int k = 0; k < cases[i].n; k++)
			if (number(&y, k) != cases[i].want[k]) fail_msg("%s: number %d is %d, not %d", cases[i].what, k, number(&y, k), cases[i].want[k]);
		cop_session_free(s);
		cop_plan_free(p);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

/* ---- refusals ---- */

static const struct { const char *says; making *make; const void *attr; } bad[] = {
	{"zero point 3: those of i16 must be 0", make_sum, &(cop_qadd_attr){3, 0, 0, 1812345, 0, 912345, 0, 0, 21, LEAST, MOST, 0}},
	{"must lie within -32768 to 32767", make_product, &(cop_qmul_attr){0, 0, 0, 1812345678, -14, LEAST, 40000}},
	{"shift 1 is out of range", make_product, &(cop_qmul_attr){0, 0, 0, 1812345678, 1, LEAST, MOST}},
	{"up=17 must not be above 16 for i16", make_layer, &(layer){SMALL, false, WINDOW(LEAST, 17), M3}},
	{"shift is for inputs of i8", make_layer, &(layer){SMALL, false, {1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, LEAST, MOST, 0, 0, 1}, M3}},
	{"zero point -5: those of i16 must be 0", make_layer, &(layer){SMALL, false, {1, 1, 1, 1, 0, 0, 1, 1, 1, -5, 0, LEAST, MOST, 0, 0, 0}, M3}},
	{"to=3 must name i16", make_table, &(cop_qlut_attr){COP_I8}},
	{"bounds -32769 to 32767 are out of range", make_rescaled, &(cop_qrescale_attr){1174405120, 1, 0, LEAST - 1, MOST, COP_I16}},
	{"to=2 must name i8", make_rescaled, &(cop_qrescale_attr){1174405120, 1, 0, LEAST, MOST, COP_I32}},
	{"zero point 9: those of i16 must be 0", make_quantized, &(cop_quantize_attr){0.25f, 9, COP_I16}},
	{"means of i16 are those of at most 65535 cells about 0", make_mean, &(cop_qavgpool_attr){2, 2, 1, 1, 0, 0, 0, 0, 4, 0, 0, 0, LEAST, MOST}},
};

static void refused(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		OK(cx, cop__graph_new(&g, cx, "bad"));
		if (bad[i].make(g, bad[i].attr)) fail_msg("refusal %d was made", i);
		if (!strstr(cop_error_text(cx), bad[i].says)) fail_msg("'%s' does not say '%s'", cop_error_text(cx), bad[i].says);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_outside), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
