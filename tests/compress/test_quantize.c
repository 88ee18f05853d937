/* SPDX-License-Identifier: Apache-2.0
 *
 * Post-training quantisation: equalisation by its invariants, and integer networks of every pattern against the float ones, within what
 * their steps allow. Ranges and rounding are test_quantize_ranges.c's.
 */
#include "patterns.h"
#include "enc/enc.h"

/* ---- equalisation ---- */

static cop_graph *chain(cop_ctx *cx)
{
	cop_graph *g;
	const cop_act_attr relu = {0, COP_NO_HI};

	OK(cx, cop__graph_new(&g, cx, "chain"));
	cop_vid x = cop__apply(g, OP_clip, &relu, VIDS(conv(g, input(g, 4, DIMS(2, 6, 6, 3)), "a", 8, 3, 1, 1, true)));
	x = cop__apply(g, OP_clip, &relu, VIDS(conv(g, x, "dw", 8, 3, 1, 8, true)));
	x = conv(g, x, "b", 6, 1, 1, 1, false);
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){6, 6, 1, 1, 0, 0, 0, 0, 0}, VIDS(x));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	OK(cx, cop__output(g, fc(g, x, "f", 4, true), "y"));
	for (const char *const *n = (const char *const[]){"a.w", "dw.w", "b.w", NULL}; *n; n++) { /* ranges far apart */
		const cop_value *v = &g->value[cop__find(g, *n)];
		float *w = cop__own(g, cop__find(g, *n));
		int64_t k = cop_type_count(&v->type) / v->type.dim[0];
		for (int64_t i = 0; i < cop_type_count(&v->type); i++) w[i] *= powf(3, (float)(i / k % 4) - 2);
	}
	return g;
}

static void test_equalize(void **state)
{
	cop_graph *g = chain(*state), *before, *after;
	int32_t pairs;

	OK(*state, cop__quantize_prepare(&before, g));
	OK(*state, cop__quantize_prepare(&after, g));
	OK(*state, cop__equalize(after, &pairs));
	assert_int_equal(pairs, 3);
	assert_true(difference(*state, before, after) < 1e-5); /* the same function */
	const float *a = after->value[cop__find(after, "a.w")].data, *dw = after->value[cop__find(after, "dw.w")].data;
	for (int c = 0; c < 8; c++) { /* both rows that a channel runs through reach equally far */
		float ra = 0, rd = 0;
		for (int i = 0; i < 27; i++) ra = fmaxf(ra, fabsf(a[c * 27 + i]));
		for (int i = 0; i < 9; i++) rd = fmaxf(rd, fabsf(dw[c * 9 + i]));
		assert_float_equal(ra / rd, 1, 0.02);
	}
	cop_graph_free(before);
	cop_graph_free(after);
	cop_graph_free(g);
}

/* ---- whole networks ---- */

static bool has_op(const cop_graph *g, const char *op, bool i8)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (!strcmp(cop__op(g, n)->name, op) && (!i8 || cop__outt(g, n, 0)->dtype == COP_I8)) return true;
	return false;
}

/* What the steps allow at the output: every filter sums the halves of a step of its inputs and of its weights, its result is rounded
 * to a step of its range, and whatever follows changes that at most `times` and rounds again. */
static double allowed(const cop_graph *g, const pattern *p, int weight_bits)
{
	double most = 0, sx = 2.0 / 255, levels = (1 << (weight_bits - 1)) - 1, times = is(p, "mul") || is(p, "gate") ? 12 : p->branch ? 3 : is(p, "fc") ? 0 : 1.2;

	for (const char *const *n = (const char *const[]){"a.w", "b.w", NULL}; *n; n++) {
		cop_vid v = cop__find(g, *n);
		if (!v) continue;
		int64_t count = cop_type_count(cop__t(g, v)), k = count / cop__t(g, v)->dim[0];
		for (int64_t o = 0; o < count; o += k) {
			double sum = 0, max = 0;
			for (int64_t i = 0; i < k; i++) {
				double w = fabs((double)((const float *)g->value[v].data)[o + i]);
				sum += w, max = fmax(max, w);
			}
			most = fmax(most, sum * sx / 2 + (double)k * max / levels / 2 + 2 * (sum + 1) / 255 + 0.002);
		}
	}
	if (is(p, "fc")) { /* the second layer sums what the first is off by */
		int64_t k = cop__t(g, cop__find(g, "f.w"))->dim[1];
		return 0.6 * (double)k * (most * 0.25 + 3 * 0.6 / levels / 2);
	}
	return times * most + 2 * (most > 1 ? most : 1) / 255 + 1.0 / 128;
}

static void one_pattern(cop_ctx *cx, const pattern *p, const cop_quantize_args *a, int weight_bits)
{
	cop_graph *g = build(cx, p), *q;

	OK(cx, cop__pass_batch(&q, g, 1));
	OK(cx, cop_quantize(&q, samples(g, 48), a));
	double off = worst(cx, g, q, samples(g, 48), 48), may = allowed(g, p, weight_bits);
	if (off > may) fail_msg("%s, %s: off by %g, the steps allow %g", p->name, a->scheme, off, may);
	if (off == 0) fail_msg("%s: nothing was quantised", p->name);
	if (!has_op(q, p->op, strcmp(p->op, "qconv") != 0) && !has_op(q, p->op, true)) fail_msg("%s: there is no %s", p->name, p->op);
	if (has_op(q, "conv", false) || has_op(q, "fc", false) || has_op(q, "clip", false)) fail_msg("%s: a layer stayed float", p->name);
	cop_graph_free(q);
	cop_graph_free(g);
}

static void test_patterns(void **state)
{
	static const struct { cop_quantize_args a; int bits; } form[] = {
		{{.scheme = "w8a8", .range = "minmax", .threads = 1}, 8},
		{{.scheme = "w8a8", .range = "minmax", .symmetric = true, .equalize = true, .threads = 1}, 7}, /* symmetric: half the levels of what is positive */
		{{.scheme = "w4a8", .range = "minmax", .threads = 1}, 4},
		{{.scheme = "w4a8", .range = "minmax", .round = "adaround", .bias_correct = true, .threads = 1}, 4},
		{{.scheme = "w2a8", .range = "minmax", .round = "nearest", .threads = 1}, 2},
	};
	for (int f = 0; f < LEN(form); f++)
		for (int i = 0; i < LEN(patterns); i++) one_pattern(*state, &patterns[i], &form[f].a, form[f].bits);
}

/* A layer that is kept stays as it was, and what it reads and makes is float. */
static void test_keep(void **state)
{
	cop_graph *g = chain(*state), *q;
	const cop_quantize_args a = {.keep = "b.w|f*", .threads = 1};

	OK(*state, cop__pass_batch(&q, g, 2));
	OK(*state, cop_quantize(&q, samples(g, 20), &a));
	assert_int_equal(cop__t(q, cop__find(q, "a.w"))->dtype, COP_I8);
	assert_int_equal(cop__t(q, cop__find(q, "b.w"))->dtype, COP_F32);
	assert_int_equal(cop__t(q, cop__find(q, "f.w"))->dtype, COP_F32);
	cop_graph_free(q);
	cop_graph_free(g);
}

/* The input keeps 8 bits in every scheme, also behind what prepares it in float; what layers make has 16 levels. */
static void test_four_bits(void **state)
{
	cop_graph *g, *q;
	const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_quantize_args a = {.scheme = "w4a4", .range = "minmax", .threads = 1};
	int32_t one = 1;
	float mean = 0.3f;

	OK(*state, cop__graph_new(&g, *state, "prepared"));
	cop_type t = cop__type(COP_F32, 1, &one);
	cop_vid x = cop__apply(g, OP_sub, &none, VIDS(input(g, 4, DIMS(1, 6, 6, 2)), cop__data(g, COP_CONST, "mean", &t, &mean)));
	x = relu(g, conv(g, x, "a", 4, 3, 1, 1, true));
	OK(*state, cop__output(g, conv(g, x, "b", 4, 3, 1, 1, true), "y"));
	OK(*state, cop__pass_batch(&q, g, 1));
	OK(*state, cop_quantize(&q, samples(g, 40), &a));
	int found = 0;
	for (cop_nid n = 1; n <= (cop_nid)q->n_node; n++) {
		if (q->node[n].op == OP_quantize) {
			COP_ATTR(cop_quantize_attr, k, q, n);
			assert_true(k.scale < 2.2f / 255);
		}
		if (q->node[n].op != OP_qconv) continue;
		COP_ATTR(cop_qconv_attr, c, q, n);
		assert_int_equal(c.qhi - c.qlo, found ? 255 : 15);
		found++;
	}
	assert_int_equal(found, 2);
	cop_graph_free(q);
	cop_graph_free(g);
}

/* With the bias corrected the means of the channels over the calibration samples are those of the float network, nearly. */
static void test_bias(void **state)
{
	double shift[2];

	for (int correct = 0; correct < 2; correct++) {
		cop_graph *g = build(*state, &patterns[0]), *q;
		const cop_quantize_args a = {.scheme = "w4a8", .bias_correct = correct, .threads = 1};
		cop_watch w[2];
		cop_tensor out;
		cop_dataset *d;
		double mean[2][4] = {{0}};
		int32_t got;
		OK(*state, cop__pass_batch(&q, g, 1));
		OK(*state, cop_quantize(&q, samples(g, 200), &a));
		for (int k = 0; k < 2; k++) {
			OK(*state, cop__watch_new(&w[k], k ? q : g, 1, 0, 1));
			d = samples(g, 200);
			OK(*state, cop_session_io(w[k].host.s, 0, 0, true, &out));
			for (int i = 0; i < 200; i++) {
				OK(*state, cop__watch_load(&w[k], &d, i, 200, &got));
				OK(*state, cop_session_run(w[k].host.s, 0));
				for (int64_t j = 0; j < cop_type_count(&out.type); j++) mean[k][j % 4] += (double)((float *)out.data)[j];
			}
			cop__watch_free(&w[k]);
		}
		shift[correct] = 0;
		for (int c = 0; c < 4; c++) shift[correct] += fabs(mean[1][c] - mean[0][c]);
		cop_graph_free(q);
		cop_graph_free(g);
	}
	assert_true(shift[1] < shift[0] / 2);
}

/* Any number of threads gives the same network; a file gives it back. */
static void test_same(void **state)
{
	cop_graph *g = chain(*state), *q[2], *back;

	for (int k = 0; k < 2; k++) {
		const cop_quantize_args a = {.scheme = "w4a8", .round = "adaround", .bias_correct = true, .threads = 1 + 2 * k};
		OK(*state, cop__pass_batch(&q[k], g, 2));
		OK(*state, cop_quantize(&q[k], samples(g, 40), &a));
	}
	assert_true(worst(*state, q[0], q[1], samples(g, 8), 8) == 0);
	OK(*state, cop_model_save(q[0], "quantized.tmp.cop"));
	OK(*state, cop_model_load(&back, *state, "quantized.tmp.cop"));
	remove("quantized.tmp.cop");
	assert_true(worst(*state, q[0], back, samples(g, 8), 8) == 0);
	cop_graph_free(back);
	cop_graph_free(q[0]);
	cop_graph_free(q[1]);
	cop_graph_free(g);
}

/* ---- weights alone ---- */

/* The narrow network is the float network on the weights it decodes to, and they are near. */
static void test_narrow(void **state)
{
	static const struct { const char *scheme; double near; } form[] = {{"w8", 1.0 / 254}, {"fp16", 1.0 / 2048}};

	for (int f = 0; f < LEN(form); f++) {
		cop_graph *g = chain(*state), *q, *wide;
		const cop_quantize_args a = {.scheme = form[f].scheme, .threads = 1};
		OK(*state, cop__pass_batch(&q, g, 2));
		OK(*state, cop_quantize(&q, NULL, &a));
		OK(*state, cop__quantize_prepare(&wide, q));
		assert_true(difference(*state, q, wide) < 1e-5);
		for (const char *const *n = (const char *const[]){"a.w", "dw.w", "b.w", "f.w", NULL}; *n; n++) {
			const cop_value *x = &g->value[cop__find(g, *n)], *y = &wide->value[cop__find(wide, *n)], *z = &q->value[cop__find(q, *n)];
			int64_t count = cop_type_count(&x->type), k = count / x->type.dim[0];
			assert_int_equal(cop_type_bytes(&z->type), f ? (2 * count + 3) / 4 * 4 : 4 * x->type.dim[0] + (count + 3) / 4 * 4);
			for (int64_t o = 0; o < count; o += k) {
				float max = 0;
				for (int64_t i = o; i < o + k; i++) max = fmaxf(max, fabsf(((const float *)x->data)[i]));
				for (int64_t i = o; i < o + k; i++) assert_float_equal(((const float *)x->data)[i], ((const float *)y->data)[i], (double)max * form[f].near * 1.001);
			}
		}
		cop_graph_free(wide);
		cop_graph_free(q);
		cop_graph_free(g);
	}
}

/* ---- refusals ---- */

static void refuse(cop_ctx *cx, const cop_graph *g, cop_dataset *d, const cop_quantize_args *a, cop_status want, const char *says)
{
	cop_graph *q, *was;

	OK(cx, cop__pass_batch(&q, g, 2));
	was = q;
	cop_status st = cop_quantize(&q, d, a);
	if (st != want || !strstr(cop_error_text(cx), says)) fail_msg("got %d '%s', not %d '%s'", st, cop_error_text(cx), want, says);
	assert_ptr_equal(q, was); /* left as it was */
	cop_error_clear(cx);
	cop_graph_free(q);
}

static void test_refusals(void **state)
{
	cop_graph *g = chain(*state), *q;
	cop_dataset none = *samples(g, 0), other = *samples(g, 9);
	cop_quantize_args plain = {.threads = 1};

	refuse(*state, g, samples(g, 8), &(cop_quantize_args){.scheme = "w5a8"}, COP_ARG, "'w5a8'");
	refuse(*state, g, samples(g, 8), &(cop_quantize_args){.range = "wide"}, COP_ARG, "'wide'");
	refuse(*state, g, samples(g, 8), &(cop_quantize_args){.keep = "*", .threads = 1}, COP_ARG, "no convolution or fully connected layer left");
	refuse(*state, g, NULL, &(cop_quantize_args){.scheme = "w8", .keep = "*"}, COP_ARG, "no convolution or fully connected layer left");
	refuse(*state, g, NULL, &(cop_quantize_args){.scheme = "fp16", .round = "adaround"}, COP_ARG, "changes only weights");
	refuse(*state, g, NULL, &(cop_quantize_args){.scheme = "w8", .narrow_sums = true}, COP_ARG, "narrow_sums do not apply");
	refuse(*state, g, samples(g, 8), &(cop_quantize_args){.scheme = "w4a8", .narrow_sums = true, .threads = 1}, COP_ARG, "activations have 8 bits, and so have sums of shortcuts");
	refuse(*state, g, NULL, &plain, COP_ARG, "the calibration set is empty");
	refuse(*state, g, &none, &plain, COP_ARG, "the calibration set is empty");
	other.x.dim[0]++;
	refuse(*state, g, &other, &plain, COP_SHAPE, "are [7,6,3], the network 'chain' takes [6,6,3]");
	static const struct { float v; const char *scheme, *says; } weight[] = {{65504, NULL, NULL}, {65519, NULL, NULL}, {65520, "fp16", "number 3 of the weights 'b.w' is 65520, half floats end at 65504"},
		{-1e9f, "fp16", "'b.w' is -1e+09"}, {INFINITY, "w8", "'b.w' is inf"}, {NAN, "w8", "'b.w'"}, {-INFINITY, "w8a8", "'b.w' is -inf"}};
	float *w = cop__own(g, cop__find(g, "b.w")), was = w[3];
	for (int i = 0; i < LEN(weight); i++) {
		w[3] = weight[i].v;
		if (weight[i].scheme) {
			refuse(*state, g, samples(g, 8), &(cop_quantize_args){.scheme = weight[i].scheme, .threads = 1}, COP_ARG, weight[i].says);
			continue;
		}
		OK(*state, cop__pass_batch(&q, g, 2));
		OK(*state, cop_quantize(&q, NULL, &(cop_quantize_args){.scheme = "fp16"}));
		cop_graph_free(q);
	}
	w[3] = was;
	OK(*state, cop__pass_batch(&q, g, 2));
	OK(*state, cop_quantize(&q, samples(g, 8), &plain));
	refuse(*state, q, samples(g, 8), &plain, COP_ARG, "an integer network already");
	cop_graph_free(q);
	cop_graph_free(g);
}

/* A network that copies its input, not quite: whatever is quantised costs something, so nothing can be within 0 %. */
static cop_graph *copier(cop_ctx *cx)
{
	cop_graph *g;
	float w[16] = {0};
	cop_type t = cop__type(COP_F32, 2, DIMS(4, 4));

	for (int i = 0; i < 4; i++) w[i * 5] = 0.999f;
	OK(cx, cop__graph_new(&g, cx, "copier"));
	cop_vid x = input(g, 2, DIMS(2, 4));
	for (int i = 0; i < 2; i++) x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, i ? "second.w" : "first.w", &t, w)));
	OK(cx, cop__output(g, x, "y"));
	return g;
}

static void test_bound(void **state)
{
	cop_graph *g = copier(*state), *q;
	cop_quantize_args a = {.scheme = "w4a4", .bounded = true, .threads = 1};
	cop_score before, after;

	refuse(*state, g, samples(g, 32), &a, COP_BUDGET, "no layer can be int8");
	OK(*state, cop_eval(&before, g, samples(g, 32), 2, 1));
	a.max_drop = 100; /* the loss may double: some layers must get more bits */
	OK(*state, cop__pass_batch(&q, g, 2));
	cop_status st = cop_quantize(&q, samples(g, 32), &a);
	if (!st) {
		OK(*state, cop_eval(&after, q, samples(g, 32), 2, 1));
		assert_true(after.loss <= 2.001f * before.loss);
	} else {
		assert_int_equal(st, COP_BUDGET);
	}
	cop_graph_free(q);
	cop_graph_free(g);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_equalize), T(test_patterns), T(test_keep), T(test_four_bits),
		T(test_bias), T(test_same), T(test_narrow), T(test_refusals), T(test_bound)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
