/* SPDX-License-Identifier: Apache-2.0
 *
 * From weights that are powers of two to a network that shifts, on random networks: what the stage `shift` has made of the weights is what the
 * int8 network holds, number by number, times a scale of each row; the pass marks it; marked it gives the bits of the same network unmarked. What
 * is refused. And sums of distances as integers.
 */
#include "compress/known.h"
#include "pass/pass.h"

static const char *const nets[] = {
	"input 8 8 1\nconv 4 3x3 norm relu\nconv 6 3x3 stride 2 norm relu\ndepthwise 3x3 norm relu\nflatten\nfc 8\n",
	"input 8 8 1\nconv 5 5x5 relu\nmaxpool 2\nconv 3 1x1 norm relu\nflatten\nfc 9 relu\nfc 8\n",
	"input 8 8 1\ndepthwise 3x3 norm\nconv 8 3x3 stride 2 relu\nmean\nfc 8\n",
};

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (uint32_t k = 0; k < 64; k++) x[k] = cop__rand_unit(4, (uint32_t)i % 8, k) + 0.2f * cop__rand_unit(5, (uint32_t)i, k);
	*label = i % 8;
	return COP_OK;
}

static cop_dataset samples = {.name = "noise", .x = {.dtype = COP_F32, .rank = 3, .dim = {8, 8, 1}}, .count = 32, .classes = 8, .get = get};

static cop_graph *net(cop_ctx *cx, int which)
{
	cop_graph *g;

	OK(cx, cop_network_read(&g, cx, "net", nets[which], strlen(nets[which]), (uint32_t)which + 3));
	return g;
}

/* Each row of w is one number times a row of q, exactly: products with powers of two round nothing. */
static void same_but_for_scales(const cop_graph *folded, const cop_graph *q, cop_nid n, const char *what)
{
	const cop_value *v = &q->value[cop__arg(q, n, 1)];
	const float *w = cop__floats(folded, cop__find(folded, v->name));
	const int8_t *code = v->data;
	int32_t rows = v->type.dim[0], k = (int32_t)(cop_type_count(&v->type) / rows);

	assert_non_null(w);
	for (int32_t r = 0; r < rows; r++, w += k, code += k) {
		float scale = 0;
		for (int32_t i = 0; i < k; i++)
			if (code[i]) scale = w[i] / (float)code[i];
		for (int32_t i = 0; i < k; i++)
			if (w[i] != scale * (float)code[i]) fail_msg("%s: '%s', row %d: %.9g is not %.9g times %d", what, v->name, (int)r, (double)w[i], (double)scale, code[i]);
	}
}

/* The first result on sample i, by portable kernels, of the graph as it is. */
static void answer(float y[8], cop_graph *g, int i)
{
	cop_session *s;
	cop_target t;
	cop_plan *p;
	cop_tensor x;
	int32_t label;

	OK(g->cx, cop_target_find(&t, g->cx, "host"));
	t.isa = COP_ISA_REF;
	OK(g->cx, cop_plan_build(&p, &g, 1, &t));
	OK(g->cx, cop_session_new(&s, p, 1));
	OK(g->cx, cop_session_io(s, 0, 0, false, &x));
	get(NULL, i, x.data, &label);
	OK(g->cx, cop_session_run(s, 0));
	OK(g->cx, cop_session_io(s, 0, 0, true, &x));
	memcpy(y, x.data, 8 * sizeof *y);
	cop_session_free(s);
	cop_plan_free(p);
}

static void as_trained(void **state)
{
	static const char *const stages[] = {"shift: {epochs: 1, lr: 0.05, ", "shift: {apart: yes, epochs: 1, lr: 0.05, ", "shift: {exponents: 3, "};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(nets) * LEN(stages); i++) {
		cop_graph *g = net(*state, i % LEN(nets)), *folded, *marked, *listed;
		char text[200];
		snprintf(text, sizeof text, "- %smay_cost: 100, must_gain: 0}", stages[i / LEN(nets)]);
		OK(*state, known_compress(&g, text, &samples, &samples, NULL, &known_args, NULL));
		OK(*state, cop_graph_copy(&folded, g));
		OK(*state, cop_graph_apply(&folded, "to_infer fold_bn"));
		OK(*state, known_compress(&g, "- quantize: {may_cost: 100, must_gain: 0}", &samples, &samples, NULL, &known_args, NULL));
		OK(*state, cop_graph_copy(&marked, g));
		OK(*state, cop_graph_apply(&marked, "shift"));
		OK(*state, cop_graph_copy(&listed, g));
		OK(*state, cop_graph_apply(&listed, "shift:lists=yes"));
		for (cop_nid n = 1; n <= (cop_nid)marked->n_node; n++) {
			if (marked->node[n].op != OP_qconv) continue;
			COP_ATTR(cop_qconv_attr, a, marked, n);
			COP_ATTR(cop_qconv_attr, b, listed, n);
			assert_true(a.shift == 1 && b.shift == 2);
			same_but_for_scales(folded, marked, n, text);
		}
		for (int k = 0; k < 8; k++) {
			float a[8], b[8], c[8];
			answer(a, g, k), answer(b, marked, k), answer(c, listed, k);
			assert_memory_equal(a, b, sizeof a);
			assert_memory_equal(a, c, sizeof a);
		}
		cop_graph_free(g), cop_graph_free(folded), cop_graph_free(marked), cop_graph_free(listed);
	}
}

/* A weight of 3 in the last layer: the others are marked. */
static void some(void **state)
{
	cop_graph *g = net(*state, 2);
	int32_t marks = 0, layers = 0;

	if (!known_parts()) skip();
	OK(*state, known_compress(&g, "- shift: {may_cost: 100, must_gain: 0}\n- quantize: {may_cost: 100, must_gain: 0}", &samples, &samples, NULL, &known_args, NULL));
	((int8_t *)cop__own(g, cop__find(g, "fc1.w")))[5] = 3;
	OK(*state, cop_graph_apply(&g, "shift"));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_qconv) continue;
		COP_ATTR(cop_qconv_attr, a, g, n);
		marks += a.shift, layers++;
	}
	assert_true(layers == 3 && marks == 2);
	assert_int_equal(cop_graph_apply(&g, "shift:layers=fc*"), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "'fc1.w' holds 3, and only 0 and powers of two up to 64 can be shifts"));
	cop_graph_free(g);
}

/* Sums of distances as integers, with weights far beyond what their input reaches, against floats with batch norm unfolded: a hundredth of the
 * signal's power is left as noise. */
static void distances(void **state)
{
	static const char *const text[] = {"input 8 8 1\naddconv 6 3x3 relu\naddconv 8 3x3 stride 2 pad valid\nflatten\nfc 8\n", "input 8 8 1\nconv 4 3x3 norm\naddconv 4 3x3 relu\nmaxpool 2\nfc 8\n"};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(text); i++) {
		cop_graph *g, *whole;
		double signal = 0, noise = 0;
		int32_t layers = 0;
		OK(*state, cop_network_read(&g, *state, "net", text[i], strlen(text[i]), 5));
		OK(*state, known_stage(&g, "- train: {epochs: 2, lr: 0.02}", &samples, 1));
		OK(*state, cop_graph_copy(&whole, g));
		OK(*state, known_stage(&whole, "- quantize: {}", &samples, 1));
		for (cop_nid n = 1; n <= (cop_nid)whole->n_node; n++) layers += whole->node[n].op == OP_qaddconv;
		assert_int_equal(layers, 2 - i);
		for (int k = 0; k < 8; k++) {
			float a[8], b[8];
			answer(a, g, k), answer(b, whole, k);
			for (int j = 0; j < 8; j++) signal += (double)(a[j] * a[j]), noise += (double)((a[j] - b[j]) * (a[j] - b[j]));
		}
		if (!(noise < 0.01 * signal)) fail_msg("net %d: noise %g, signal %g", i, noise, signal);
		cop_graph_free(g), cop_graph_free(whole);
	}
}

/* 10 -5 100 less 12 -5 90: 12; less -128 127 0: 370. */
static void distances_by_hand(void **state)
{
	static const char text[] = "graph a\ninput x i8[1,1,1,3]\nconst w i8[2,1,1,3]\nconst b i32[2]\nconst m i32[2]\ny = qaddconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 zx=7 zy=3 qlo=-60 qhi=127 up=2\noutput y\n";
	static const int8_t w[] = {12, -5, 90, -128, 127, 0}, x[] = {10, -5, 100};
	static const int32_t b[] = {20, 300};
	cop_host host;
	cop_tensor t;
	cop_graph *g;

	OK(*state, cop_graph_parse(&g, *state, text, strlen(text)));
	memcpy(cop__own(g, cop__find(g, "w")), w, sizeof w);
	memcpy(cop__own(g, cop__find(g, "b")), b, sizeof b);
	for (int i = 0; i < 2; i++) ((int32_t *)cop__own(g, cop__find(g, "m")))[i] = 1 << 30; /* a factor of 1 */
	OK(*state, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	OK(*state, cop_session_io(host.s, 0, 0, false, &t));
	memcpy(t.data, x, sizeof x);
	OK(*state, cop_session_run(host.s, 0));
	OK(*state, cop_session_io(host.s, 0, 0, true, &t));
	assert_int_equal(((int8_t *)t.data)[0], 20 - 12 + 3);
	assert_int_equal(((int8_t *)t.data)[1], -60); /* 300 - 370 + 3, cut */
	cop__host_close(&host);
	cop_graph_free(g);
}

static void refused(void **state)
{
	static const char layer[] = "graph a\ninput x i8[1,1,1,8]\n%s w %s[4,1,1,8]\nconst b i32[4]\nconst m i32[4]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127 shift=%d\noutput y\n";
	static const struct { const char *role, *type; int shift; const char *says; } row[] = {
		{"const", "i8", 3, "shift=3 must be 0, 1 or 2"}, {"const", "i8", -1, "shift=-1 must be 0, 1 or 2"}, {"const", "i4", 1, "for constant weights of i8"}, {"input", "i8", 1, "for constant weights of i8"}};
	static const struct { const char *graph, *pass, *says; } pass[] = {
		{"graph a\ninput x f32[1,8]\nconst w f32[4,8]\ny = fc x w\noutput y\n", "shift", "'a' has no int8 layer, and only their weights can be shifts: quantize the network first"},
		{"graph a\ninput x i8[1,1,1,8]\nconst w i8[4,1,1,8]\nconst b i32[4]\nconst m i32[4]\ny = qconv x w b m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127\noutput y\n", "shift:layers=v*", "named 'v*'"},
	};
	static const int8_t bad[] = {3, -5, 96, 127, -128};
	char text[400];
	cop_graph *g;

	for (int i = 0; i < LEN(row); i++) {
		int n = snprintf(text, sizeof text, layer, row[i].role, row[i].type, row[i].shift);
		assert_int_not_equal(cop_graph_parse(&g, *state, text, (size_t)n), COP_OK);
		if (!strstr(cop_error_text(*state), row[i].says)) fail_msg("%s", cop_error_text(*state));
		cop_error_clear(*state);
	}
	for (int i = 0; i < LEN(pass); i++) {
		OK(*state, cop_graph_parse(&g, *state, pass[i].graph, strlen(pass[i].graph)));
		cop_vid w = cop__find(g, "w");
		cop__own(g, w);
		assert_int_equal(cop_graph_apply(&g, pass[i].pass), COP_ARG);
		if (!strstr(cop_error_text(*state), pass[i].says)) fail_msg("%s", cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
	for (int i = 0; i < LEN(bad); i++) { /* a file that says so and holds other numbers */
		int n = snprintf(text, sizeof text, layer, "const", "i8", 1);
		OK(*state, cop_graph_parse(&g, *state, text, (size_t)n));
		((int8_t *)cop__own(g, cop__find(g, "w")))[7] = bad[i];
		assert_int_equal(cop__check_contents(g), COP_FORMAT);
		assert_non_null(strstr(cop_error_text(*state), "with shift all its weights must be 0 or plus or minus a power of two up to 64"));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(as_trained), KNOWN_TEST(some), KNOWN_TEST(distances), KNOWN_TEST(distances_by_hand), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
