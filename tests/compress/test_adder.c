/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of distances made of layers of products: the matrix that they begin as and its inverse, networks that answer as before, numbers done by
 * hand, what is drawn, and what is refused.
 */
#include "compress/known.h"
#include "compress/adder/adder.h"
#include "pass/pass.h"

#include <math.h>

static void inverse(void **state)
{
	static const int32_t size[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 20, 45, 50, 64, 97};
	static const float three[] = {-1, 1, 1, 1, -1, 1, 1, 1, -1}, four[] = {1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1};

	(void)state;
	for (int i = 0; i < LEN(size); i++)
		for (int32_t k = 0, n = size[i]; k < n * n; k++) {
			double sum = 0;
			for (int32_t j = 0; j < n; j++) sum += (double)cop__mixing(n, k / n, j) * cop__unmixing(n, j, k % n);
			if (fabs(sum - (k / n == k % n)) > 1e-12) fail_msg("%d: row %d, column %d of the product is %g", (int)n, (int)(k / n), (int)(k % n), sum);
			assert_true(fabs((double)cop__mixing(n, k / n, k % n)) == 1);
		}
	for (int k = 0; k < 9; k++) assert_true(cop__mixing(3, k / 3, k % 3) == three[k]);
	for (int k = 0; k < 16; k++) assert_true(cop__mixing(4, k / 4, k % 4) == four[k]);
	assert_true(cop__unmixing(3, 1, 1) == 0 && cop__unmixing(3, 1, 2) == 0.5);
}

/* ---- networks that answer as before ---- */

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (uint32_t k = 0; k < 64; k++) x[k] = cop__rand_unit(4, (uint32_t)i % 8, k) + 0.2f * cop__rand_unit(5, (uint32_t)i, k);
	*label = i % 8;
	return COP_OK;
}

static cop_dataset samples = {.name = "noise", .x = {.dtype = COP_F32, .rank = 3, .dim = {8, 8, 1}}, .count = 32, .classes = 8, .get = get};

static void answer(float y[8], cop_graph *g, int i)
{
	cop_graph *whole;
	cop_host host;
	cop_tensor t;
	int32_t label;

	OK(g->cx, cop_graph_copy(&whole, g));
	OK(g->cx, cop_graph_apply(&whole, "batch:n=1 to_infer fuse"));
	OK(g->cx, cop__host_open(&host, &whole, 1, COP_ISA_ALL, 1));
	OK(g->cx, cop_session_io(host.s, 0, 0, false, &t));
	get(NULL, i, t.data, &label);
	OK(g->cx, cop_session_run(host.s, 0));
	OK(g->cx, cop_session_io(host.s, 0, 0, true, &t));
	memcpy(y, t.data, 8 * sizeof *y);
	cop__host_close(&host);
	cop_graph_free(whole);
}

static int count(const cop_graph *g, int op)
{
	int n = 0;

	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++) n += g->node[k].op == op;
	return n;
}

static const char *const nets[] = {
	"input 8 8 1\nconv 4 3x3 norm relu\nconv 6 3x3 stride 2 norm relu\ndepthwise 3x3 norm relu\nflatten\nfc 12 norm relu\nfc 8\n",
	"input 8 8 1\nconv 5 5x5 relu\nmaxpool 2\nconv 3 1x1\nflatten\nfc 9 relu\nfc 8\n",
};

/* Trained a little, so that batch norm has means of its own. */
static cop_graph *net(cop_ctx *cx, int which)
{
	cop_graph *g;

	OK(cx, cop_network_read(&g, cx, "net", nets[which], strlen(nets[which]), (uint32_t)which + 3));
	OK(cx, known_stage(&g, "- train: {epochs: 2, lr: 0.02}", &samples, 1));
	return g;
}

/* Without training nothing changes, and of the training that follows the network with distances sees the same batches. */
static void nothing_lost(void **state)
{
	static const struct { const char *stage; int behind[LEN(nets)]; } row[] = {{"- adder: {ends: no}", {4, 4}}, {"- adder: {}", {2, 2}}, {"- adder: {layers: conv2*}", {1, 1}}};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(nets) * LEN(row); i++) {
		const int which = i % LEN(nets);
		cop_graph *g = net(*state, which), *was;
		OK(*state, cop_graph_copy(&was, g));
		OK(*state, known_stage(&g, row[i / LEN(nets)].stage, &samples, 1));
		assert_int_equal(count(g, OP_addconv), row[i / LEN(nets)].behind[which]);
		for (int k = 0; k < 8; k++) {
			float a[8], b[8];
			answer(a, was, k), answer(b, g, k);
			for (int j = 0; j < 8; j++)
				if (!(fabsf(a[j] - b[j]) <= 2e-4f * (1 + fabsf(a[j])))) fail_msg("%s on net %d, sample %d: %g was %g", row[i / LEN(nets)].stage, which, k, (double)b[j], (double)a[j]);
		}
		cop_graph_free(g), cop_graph_free(was);
	}
}

/* ---- by hand ---- */

/* W is 1 2, 3 -1. The inverse of 1 1, 1 -1 is half of it. Samples are 1 0 and 0 1, so the sums are 1 3 and 2 -1, and 2 -1, 0.5 1.5 unmixed. */
static void by_hand(void **state)
{
	static const float w[] = {1, 2, 3, -1}, unmixed[] = {2, 0.5f, -1, 1.5f}, distances[] = {2, 2, 2, -2}, beta[] = {1.5f, 1}, mean[] = {1.5f - 4, 1 - 4}, var[] = {0.25f, 4};
	static const int32_t label[] = {0, 1};
	known_set s;
	cop_dataset *d = known_samples(&s, 2, 2, 2, label);
	cop_graph *g = known_net(*state, 2, 2, w, 0, NULL);

	if (!known_parts()) skip();
	OK(*state, known_stage(&g, "- adder: {ends: no}", d, 1));
	known_is(g, "a.w", unmixed, 4, "the layer");
	known_is(g, "a.add.w", distances, 4, "distances");
	known_is(g, "a.bn.beta", beta, 2, "the new norm's beta");
	known_is(g, "a.bn.mean", mean, 2, "its mean");
	known_is(g, "a.bn.var", var, 2, "its variance");
	assert_true(fabsf(cop__floats(g, cop__find(g, "a.bn.gamma"))[1] - sqrtf(4.00001f)) < 1e-6f);
	cop_graph_free(g);
}

/* 1 2 3 -1 have the square mean 15/4. */
static void instead(void **state)
{
	static const float w[] = {1, 2, 3, -1};
	static const int32_t label[] = {0, 1};
	known_set s;
	cop_dataset *d = known_samples(&s, 2, 2, 2, label);
	cop_graph *g = known_net(*state, 2, 2, w, 0, NULL);

	if (!known_parts()) skip();
	OK(*state, known_stage(&g, "- adder: {pair: no, ends: no, eta: 0.5}", d, 1));
	cop_vid v = cop__find(g, "a.w");
	assert_true(count(g, OP_fc) == 0 && count(g, OP_addconv) == 1 && count(g, OP_bn) == 1 && cop__t(g, v)->rank == 4);
	for (int i = 0; i < 4; i++) assert_true(fabsf(cop__floats(g, v)[i] - w[i] / sqrtf(3.75f)) < 1e-6f);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op != OP_addconv) continue;
		COP_ATTR(cop_addconv_attr, a, g, n);
		assert_true(a.eta == 0.5f);
	}
	cop_graph_free(g);
}

/* Strides and borders of a convolution that goes; normal numbers; and a network that learns so. */
static void drawn(void **state)
{
	static const char *const stage[] = {"- adder: {pair: no, start: random, ends: no, epochs: 20, update: adam, lr: 0.01}", "- adder: {start: random, size: 3, ends: no, epochs: 20, update: adam, lr: 0.01}"};

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(stage) * LEN(nets); i++) {
		cop_graph *g = net(*state, i % LEN(nets));
		OK(*state, known_stage(&g, stage[i / LEN(nets)], &samples, 1));
		cop_vid v = cop__find(g, i < LEN(nets) ? "conv2.w" : "conv2.add.w");
		const float *w = cop__floats(g, v);
		double square = 0;
		int64_t n = cop_type_count(cop__t(g, v));
		for (int64_t k = 0; k < n; k++) square += (double)w[k] * (double)w[k] / (double)n;
		if (!(square > 0.3 && square < 3)) fail_msg("%s: a mean square of %g", stage[i / LEN(nets)], square);
		if (i >= LEN(nets)) assert_int_equal(cop__t(g, v)->dim[1], 3);
		int right = 0;
		for (int k = 0; k < 8; k++) {
			float y[8];
			int best = 0;
			answer(y, g, k);
			for (int j = 1; j < 8; j++) best = y[j] > y[best] ? j : best;
			right += best == k;
		}
		if (right < 4) fail_msg("%s, net %d: %d of 8 right", stage[i / LEN(nets)], i % LEN(nets), right);
		cop_graph_free(g);
	}
}

/* Powers of two are for products: distances keep their weights. */
static void then_shift(void **state)
{
	cop_graph *g = net(*state, 0);

	if (!known_parts()) skip();
	OK(*state, known_stage(&g, "- adder: {}", &samples, 1));
	cop_vid v = cop__find(g, "conv2.add.w");
	cop__own(g, v);
	((float *)cop__own(g, v))[0] = 3;
	OK(*state, known_stage(&g, "- shift: {}", &samples, 1));
	assert_true(cop__floats(g, cop__find(g, "conv2.add.w"))[0] == 3);
	const float *w = cop__floats(g, cop__find(g, "conv2.w"));
	for (int64_t i = 0; i < cop_type_count(cop__t(g, cop__find(g, "conv2.w"))); i++) {
		int e;
		float m = frexpf(w[i], &e);
		assert_true(w[i] == 0 || fabsf(m) == 0.5f);
	}
	assert_int_equal(known_stage(&g, "- shift: {layers: conv2.add*}", &samples, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "'conv2.add.w' is read by addconv, which has no products"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

static void refused(void **state)
{
	static const struct { const char *stage, *says; } row[] = {
		{"- adder: {size: 3}", "size: only filters behind a layer have one (pair: yes), and more than 1 needs start: random"},
		{"- adder: {size: 3, pair: no}", "only filters behind a layer"},
		{"- adder: {size: 2, start: random}", "size: 2 must be odd"},
		{"- adder: {layers: conv1*}", "adder: no layer that matches layers: conv1* lies between the first and the last one; ends: no takes those, too"},
		{"- adder: {layers: depthwise*}", "belongs to no fully connected layer and no convolution without groups"},
	};
	cop_graph *g = net(*state, 0);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		assert_int_not_equal(known_stage(&g, row[i].stage, &samples, 1), COP_OK);
		if (!strstr(cop_error_text(*state), row[i].says)) fail_msg("%s", cop_error_text(*state));
		cop_error_clear(*state);
	}
	OK(*state, cop_graph_apply(&g, "to_infer fuse"));
	assert_int_equal(known_stage(&g, "- adder: {}", &samples, 1), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "has its activation within"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(inverse), KNOWN_TEST(nothing_lost), KNOWN_TEST(by_hand), KNOWN_TEST(instead), KNOWN_TEST(drawn), KNOWN_TEST(then_shift), KNOWN_TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
