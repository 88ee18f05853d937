/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of which many weights are zero: by every instruction set the result of the same layer whose weights a plan does not know, int8 to the bit;
 * a kernel for sparse weights runs where they are few and nowhere else; and the plan says so. And layers of few channels have kernels of their own.
 */
#include "help.h"

typedef struct kind { const char *name; bool conv; int32_t x[4], w[4]; cop_conv_attr a; } kind;
static const kind kinds[] = {
	{"fc", false, {1, 1, 1, 200}, {96, 1, 1, 200}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}},
	{"fc, 5 samples", false, {5, 1, 1, 300}, {41, 1, 1, 300}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}},
	{"1x1", true, {2, 7, 5, 140}, {37, 1, 1, 140}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}},
	{"3x3", true, {1, 6, 9, 24}, {33, 3, 3, 24}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},
	{"3x3, 64 channels", true, {1, 5, 5, 64}, {12, 3, 3, 64}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},
	{"3x3, stride 2", true, {2, 9, 9, 20}, {20, 3, 3, 20}, {2, 2, 0, 0, 1, 1, 1, 1, 1, 0, 0}},
	{"5x3, dilated, no padding", true, {1, 12, 8, 17}, {18, 5, 3, 17}, {1, 2, 0, 0, 0, 0, 2, 1, 1, 0, 0}},
	{"the whole input", true, {1, 4, 4, 32}, {50, 4, 4, 32}, {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}},
	{"1x1 with padding", true, {1, 5, 5, 40}, {24, 1, 1, 40}, {2, 1, 1, 2, 1, 0, 1, 1, 1, 0, 0}},
};

/* Which weights stay, i of a row: one in ten, two of four, four in a row, one at the end of every second row, all, one in five; or none of the least int8. */
typedef enum pattern { TENTH, TWO_OF_FOUR, FOURS, LAST, ALL, FIFTH, LEAST, PATTERNS } pattern;

static bool kept(pattern p, int64_t row, int64_t cols, int64_t i)
{
	uint64_t at = (uint64_t)(row * cols + i);

	if (p == TWO_OF_FOUR) return (i + row) % 4 < 2;
	if (p == FOURS) return cop__rand(3, 1, (uint64_t)(row * cols + i / 4)) % 8 == 0;
	if (p == LAST) return row % 2 && i == cols - 1;
	return p == ALL || cop__rand(3, 2, at) % (p == FIFTH ? 5 : 10) == 0;
}

static void fill(void *w, const kind *k, bool q, pattern p)
{
	int64_t cols = (int64_t)k->w[1] * k->w[2] * k->w[3];

	for (int64_t r = 0; r < k->w[0]; r++)
		for (int64_t i = 0; i < cols; i++) {
			uint64_t at = (uint64_t)(r * cols + i);
			int32_t v = p == LEAST ? -128 : 1 + (int32_t)(cop__rand(4, 1, at) % 127);
			if (q) ((int8_t *)w)[at] = (int8_t)(kept(p, r, cols, i) ? at % 2 ? v : p == LEAST ? v : -v : 0);
			else ((float *)w)[at] = kept(p, r, cols, i) ? cop__rand_unit(4, 2, at) - 0.5f : 0;
		}
}

/* One layer; w NULL: its weights are an input, so that no plan knows them. */
static cop_graph *net(cop_ctx *cx, const kind *k, bool q, const void *w)
{
	int32_t o = k->w[0], flat[2][2] = {{k->x[0], k->x[3]}, {k->w[0], k->w[3]}}, b[128], m[128];
	bool fc = !k->conv && !q;
	float bias[128];
	cop_type xt = fc ? cop__type(COP_F32, 2, flat[0]) : cop__type(q ? COP_I8 : COP_F32, 4, k->x), wt = fc ? cop__type(COP_F32, 2, flat[1]) : cop__type(q ? COP_I8 : COP_F32, 4, k->w);
	cop_type bt = cop__type(q ? COP_I32 : COP_F32, 1, &o);
	cop_graph *g;

	for (int i = 0; i < 128; i++) bias[i] = 0.1f * (float)(i % 7), b[i] = 300 * (i % 11) - 1500, m[i] = (1 << 21) + 9999 * i;
	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = cop__input(g, "x", &xt), v = w ? cop__data(g, COP_CONST, "w", &wt, w) : cop__input(g, "w", &wt), y;
	cop_vid bv = cop__data(g, COP_CONST, "b", &bt, q ? (void *)b : (void *)bias);
	if (q) {
		cop_qconv_attr a = {k->a.sh, k->a.sw, k->a.pt, k->a.pl, k->a.pb, k->a.pr, k->a.dh, k->a.dw, 1, 5, -9, -128, 127, 0, 0, 0};
		y = cop__apply(g, OP_qconv, &a, VIDS(x, v, bv, cop__data(g, COP_CONST, "m", &bt, m)));
	} else if (fc) {
		y = cop__apply(g, OP_fc, &(cop_act_attr){-1, COP_NO_HI}, VIDS(x, v, bv));
	} else {
		cop_conv_attr a = k->a;
		a.lo = -1, a.hi = COP_NO_HI;
		y = cop__apply(g, OP_conv, &a, VIDS(x, v, bv));
	}
	if (!y) fail_msg("%s: %s", k->name, cop_error_text(cx));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

typedef struct ran { size_t bytes; void *y; cop_step_info step; bool sparse; } ran;

static ran run(cop_ctx *cx, cop_graph *g, const void *w, uint32_t isa, int threads)
{
	cop_target t;
	cop_plan *p;
	cop_session *s;
	cop_tensor v;
	ran r;

	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = isa;
	t.threads = threads;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	OK(cx, cop_session_new(&s, p, threads));
	OK(cx, cop_session_tensor(s, 0, "x", &v));
	for (int64_t i = 0; i < cop_type_count(&v.type); i++) {
		if (v.type.dtype == COP_F32) ((float *)v.data)[i] = cop__rand_unit(5, 1, (uint64_t)i) * 2 - 1;
		else ((int8_t *)v.data)[i] = (int8_t)cop__rand(5, 2, (uint64_t)i);
	}
	if (g->n_input > 1) {
		OK(cx, cop_session_tensor(s, 0, "w", &v));
		memcpy(v.data, w, cop_type_bytes(&v.type));
	}
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_tensor(s, 0, "y", &v));
	r.y = malloc(r.bytes = cop_type_bytes(&v.type));
	memcpy(r.y, v.data, r.bytes);
	assert_true(cop_plan_step(p, 0, 0, &r.step));
	r.sparse = p->entry[0].step[0].kernel->steps != NULL;
	cop_session_free(s);
	cop_plan_free(p);
	return r;
}

static const struct { const char *name; uint32_t isa; bool q; } isas[] = {{"ref", 0, true}, {"dsp", COP_ISA_DSP, true}, {"avx2", COP_ISA_AVX2, false}, {"avx512", COP_ISA_AVX2 | COP_ISA_AVX512, false},
	{"avx512vnni", COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI, false}, {"avx512vbmi", COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI | COP_ISA_AVX512VBMI, true}, {"neon", COP_ISA_NEON, false}};

static void equal(const char *where, const kind *k, bool q, const ran *got, const ran *want)
{
	assert_int_equal(got->bytes, want->bytes);
	if (q && memcmp(got->y, want->y, got->bytes)) fail_msg("%s, %s, int8: other bits than with weights that nobody knows", k->name, where);
	for (size_t i = 0; !q && i < got->bytes / 4; i++) {
		double a = (double)((float *)got->y)[i], b = (double)((float *)want->y)[i];
		if (!(fabs(a - b) <= 1e-5 * (1 + fabs(b)))) fail_msg("%s, %s: result %zu is %g, not %g", k->name, where, i, a, b);
	}
}

/* What the plan says, and whether it is plausible. */
static void told(const char *where, const kind *k, pattern p, const ran *r)
{
	if (!r->step.form) fail_msg("%s, %s: the plan does not say in which form it has the weights", k->name, where);
	if (r->sparse != !strcmp(r->step.form, "sparse") || (!r->sparse && strcmp(r->step.form, "dense"))) fail_msg("%s, %s: %s runs, the plan says %s", k->name, where, r->step.kernel, r->step.form);
	if (r->sparse != (r->step.sparse_time > 0 && r->step.sparse_time < 1)) fail_msg("%s, %s: %s runs though the sparse kernel takes %g of the time", k->name, where, r->step.kernel, r->step.sparse_time);
	assert_true(p == TENTH ? r->step.kept > 0.07 && r->step.kept < 0.13 : p == TWO_OF_FOUR ? r->step.kept > 0.45 && r->step.kept < 0.55 : p != ALL || r->step.kept > 0.99);
	if (p == ALL && r->sparse) fail_msg("%s, %s: a weight without zeros as a sparse one", k->name, where);
}

static int layer(cop_ctx *cx, const kind *k, bool q, pattern p)
{
	size_t n = (size_t)(k->w[0] * k->w[1] * k->w[2] * k->w[3]);
	void *w = malloc(4 * n + 64);
	int sparse = 0;

	fill(w, k, q, p);
	cop_graph *known = net(cx, k, q, w), *unknown = net(cx, k, q, NULL);
	ran want = run(cx, unknown, w, 0, 1);
	assert_false(want.sparse);
	for (int i = 0; i < LEN(isas); i++) {
		if (isas[i].isa & ~(cop__cpu_isa() | COP_ISA_DSP)) continue;
		for (int threads = 1; threads < 4; threads += 2) {
			ran got = run(cx, known, w, isas[i].isa, threads);
			equal(isas[i].name, k, q, &got, &want);
			told(isas[i].name, k, p, &got);
			sparse += got.sparse;
			if (p == TENTH && !strcmp(k->name, "fc") && (isas[i].q || !q) && isas[i].isa != COP_ISA_NEON && !got.sparse) fail_msg("%s: nine of ten weights are zero, and %s runs", isas[i].name, got.step.kernel);
			free(got.y);
		}
	}
	free(want.y);
	cop_graph_free(known);
	cop_graph_free(unknown);
	free(w);
	return sparse;
}

static void every_kind(void **state)
{
	cop_ctx *cx = new_ctx();
	int sparse = 0;

	(void)state;
	for (int i = 0; i < LEN(kinds); i++)
		for (int q = 0; q < 2; q++)
			for (pattern p = 0; p < PATTERNS; p++) sparse += layer(cx, &kinds[i], q, p);
	print_message("%d runs of kernels for sparse weights\n", sparse);
	assert_true(sparse > 100);
	cop_ctx_free(cx);
}

static bool is_built(const char *symbol)
{
	int i = 0;
	while (i < cop_n_kernels && strcmp(cop_kernels[i].symbol, symbol)) i++;
	return i < cop_n_kernels;
}

/* The pattern of a weight decides which kernel runs. */
static void the_best(void **state)
{
	static const struct { const char *kind; pattern p; const char *kernel; } t[] = {
		{"3x3, 64 channels", FOURS, "cop_qgroups_dsp"}, {"3x3", TENTH, "cop_qpairs_dsp"}, {"3x3", TWO_OF_FOUR, "cop_qpairs_dsp"}, {"5x3, dilated, no padding", TENTH, "cop_qsparse_dsp"} /* 17 channels */,
		{"fc", FOURS, "cop_qgroups_fc_dsp"}, {"fc", TENTH, "cop_qsparse_fc_dsp"}, {"fc", TWO_OF_FOUR, "cop_qfc_dsp"}, {"fc", FIFTH, "cop_qpairs_fc_dsp"},
		{"fc", TWO_OF_FOUR, "cop_q24_i8_avx512vbmi"}, {"fc", TENTH, "cop_qsparse_i8_avx512vbmi"},
	};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(t); i++) {
		const kind *k = kinds;
		uint32_t isa = strstr(t[i].kernel, "_dsp") ? COP_ISA_DSP : COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI | COP_ISA_AVX512VBMI;
		if (isa & ~(cop__cpu_isa() | COP_ISA_DSP) || !is_built(t[i].kernel)) continue;
		while (strcmp(k->name, t[i].kind)) k++;
		int8_t *w = malloc((size_t)(k->w[0] * k->w[1] * k->w[2] * k->w[3]));
		fill(w, k, true, t[i].p);
		cop_graph *g = net(cx, k, true, w);
		ran r = run(cx, g, w, isa, 1);
		if (strcmp(r.step.kernel, t[i].kernel)) fail_msg("%s, pattern %d: %s, not %s", k->name, t[i].p, r.step.kernel, t[i].kernel);
		free(r.y);
		free(w);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* Layers of 8 channels at most have kernels of 8 lanes, where there are 16. */
static void narrow(void **state)
{
	static const struct { int32_t o; bool q; const char *kernel; } t[] = {{8, true, "cop_qconv_i8_avx512vnni8"}, {5, true, "cop_qconv_i8_avx512vnni8"}, {9, true, "cop_qconv_i8_avx512vnni"},
		{8, false, "cop_wino_f32_avx2"}, {9, false, "cop_wino_f32_avx512"}};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(t); i++) {
		const kind k = {"3x3", true, {1, 12, 12, 8}, {t[i].o, 3, 3, 8}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}};
		cop_graph *g = net(cx, &k, t[i].q, NULL);
		cop_step_info step;
		cop_target target;
		cop_plan *p;
		OK(cx, cop_target_find(&target, cx, "host"));
		target.isa = COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI;
		OK(cx, cop_plan_build(&p, &g, 1, &target));
		assert_true(cop_plan_step(p, 0, 0, &step));
		if (is_built(t[i].kernel) && strcmp(step.kernel, t[i].kernel)) fail_msg("%d channels: %s, not %s", t[i].o, step.kernel, t[i].kernel);
		cop_plan_free(p);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* Zeros are counted as zeros, also among integers: those of the weight and of the biases (300 i - 1500). */
static void zeros_are_counted(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int q = 0; q < 2; q++) {
		const kind *k = &kinds[0];
		int64_t n = (int64_t)k->w[0] * k->w[3], left = 0;
		float w[96 * 200];
		cop_figures f;
		cop_target t;

		fill(w, k, q, TENTH);
		for (int64_t i = 0; i < n; i++) left += q ? ((int8_t *)w)[i] != 0 : w[i] != 0; /* lint: exact */
		for (int i = 0; i < k->w[0]; i++) left += i % (q ? 11 : 7) != (q ? 5 : 0);
		cop_graph *g = net(cx, k, q, w);
		OK(cx, cop_target_find(&t, cx, "host"));
		OK(cx, cop_measure(&f, g, &t));
		assert_int_equal(f.nonzero, left);
		assert_int_equal(f.parameters, n + k->w[0]);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* A weight that something writes may become anything: its kernel is a dense one. */
static void written(void **state)
{
	cop_ctx *cx = new_ctx();
	const kind *k = &kinds[0];
	float *w = calloc((size_t)(k->w[0] * k->w[3]), 4);
	cop_target t;
	cop_plan *p;
	cop_graph *train;

	(void)state;
	w[5] = 1;
	cop_graph *g = net(cx, k, false, w);
	g->value[cop__find(g, "w")].role = COP_PARAM;
	OK(cx, cop_graph_train(&train, g, "loss=mse"));
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &train, 1, &t));
	for (int32_t i = 0; i < p->entry[0].n_step; i++) assert_null(p->entry[0].step[i].kernel->steps);
	cop_plan_free(p);
	cop_graph_free(train);
	cop_graph_free(g);
	free(w);
	cop_ctx_free(cx);
}

/* A row without a price would never run. */
static void priced(void **state)
{
	static const char *const line[] = {
#define BREAK(kernel, ...) "cop_" #kernel,
#include "plan/breakeven.def"
#undef BREAK
	};
	int rows = 0;

	(void)state;
	for (int i = 0; i < cop_n_kernels; i++) {
		bool found = !cop_kernels[i].steps;
		for (int j = 0; j < LEN(line); j++) found |= !strcmp(line[j], cop_kernels[i].symbol);
		if (!found) fail_msg("%s has no line in plan/breakeven.def", cop_kernels[i].symbol);
		rows += cop_kernels[i].steps != NULL;
	}
	assert_true(rows >= 7); /* portable ones and those for Cortex-M are always there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind), cmocka_unit_test(zeros_are_counted), cmocka_unit_test(the_best), cmocka_unit_test(narrow), cmocka_unit_test(written), cmocka_unit_test(priced)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
