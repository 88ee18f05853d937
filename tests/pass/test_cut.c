/* SPDX-License-Identifier: Apache-2.0
 *
 * front and back: one after the other they have the bits of the whole network, wherever it is cut and whatever goes round the layer; bytes at the cut say
 * what they mean; places where it cannot be cut are refused.
 */
#include "pass/nets.h"

static cop_graph *floats(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = relu(g, conv(g, input(g, 4, DIMS(2, 9, 8, 3)), "a", 6, 3, 1, 1, true));
	cop_vid y = conv(g, relu(g, conv(g, x, "b", 6, 5, 1, 6, true)), "c", 6, 1, 1, 1, false);
	x = add(g, y, x);
	x = relu(g, conv(g, x, "d", 4, 3, 2, 1, true));
	cop__name(g, x, "end");
	OK(cx, cop__output(g, fc(g, flatten(g, x), "f", 5, true), "y"));
	return g;
}

static cop_vid qconv(cop_graph *g, cop_vid x, const char *name, int32_t zx, int32_t zy)
{
	const int32_t c = cop__t(g, x)->dim[3];
	cop_type wt = cop__type(COP_I8, 4, DIMS(c, 1, 1, c)), bt = cop__type(COP_I32, 1, DIMS(c));
	char part[3][16];

	for (int i = 0; i < 3; i++) snprintf(part[i], sizeof part[i], "%s.%c", name, "wbm"[i]);
	cop_vid w = cop__data(g, COP_CONST, part[0], &wt, NULL), b = cop__data(g, COP_CONST, part[1], &bt, NULL), m = cop__data(g, COP_CONST, part[2], &bt, NULL);
	for (int32_t i = 0; i < c * c; i++) ((int8_t *)cop__own(g, w))[i] = (int8_t)(i * 37 % 255 - 127);
	for (int32_t i = 0; i < c; i++) ((int32_t *)cop__own(g, b))[i] = 100 * i - 150, ((int32_t *)cop__own(g, m))[i] = 1 << 23;
	return cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, zx, zy, -128, 127, 0, 0, 0}, VIDS(x, w, b, m));
}

static cop_graph *bytes(cop_ctx *cx)
{
	static const cop_qadd_attr sum = {-3, 5, 9, 500000, 0, 800000, 0, 0, 20, -128, 127, 0};
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "bytes"));
	cop_vid x = cop__apply(g, OP_quantize, &(cop_quantize_attr){1.0f / 100, 4, COP_I8}, VIDS(input(g, 4, DIMS(2, 3, 3, 4))));
	x = qconv(g, x, "a", 4, -3);
	x = cop__apply(g, OP_qadd, &sum, VIDS(x, qconv(g, qconv(g, x, "b", -3, 2), "c", 2, 5)));
	x = qconv(g, x, "d", 9, 7);
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.1f, 7}, VIDS(x)), "y"));
	return g;
}

/* From a sample, or from what came out of the part before. */
static void run(cop_ctx *cx, cop_graph *g, const void *x, void *y, size_t room)
{
	cop_host host = {0};
	cop_tensor t;

	OK(cx, cop_graph_verify(g));
	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &t));
	memcpy(t.data, x, cop_type_bytes(&t.type));
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &t));
	assert_true(cop_type_bytes(&t.type) <= room);
	memcpy(y, t.data, cop_type_bytes(&t.type));
	cop__host_close(&host);
}

typedef cop_graph *maker(cop_ctx *cx);
static maker *const nets[] = {floats, bytes};

/* at; which network; how many layers are in front; the zero of bytes at the cut */
static const struct row { const char *at; int net, layers; int32_t zero; } rows[] = {
	{"a.w", 0, 1, 0}, {"b.w", 0, 3, 0}, {"c.w", 0, 3, 0}, {"d.w", 0, 4, 0}, {"end", 0, 4, 0},
	{"a.w", 1, 1, -3}, {"b.w", 1, 3, 9}, {"c.w", 1, 3, 9}, {"d.w", 1, 4, 7},
};

static void two_parts_are_the_whole(void **state)
{
	cop_ctx *cx = *state;
	float x[2 * 9 * 8 * 3], want[128], got[128];
	_Alignas(64) int8_t between[4096];

	for (int i = 0; i < LEN(x); i++) x[i] = 2 * cop__rand_unit(7, 1, (uint64_t)i) - 1;
	for (int i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];
		cop_graph *whole = nets[r->net](cx), *front = nets[r->net](cx), *back = nets[r->net](cx);
		const char *y = r->net ? "qconv" : "conv";
		char spec[64];
		memset(want, 0, sizeof want), memset(got, 0, sizeof got);
		run(cx, whole, x, want, sizeof want);
		snprintf(spec, sizeof spec, "front:at=%s", r->at);
		OK(cx, cop_graph_apply(&front, spec));
		snprintf(spec, sizeof spec, "back:at=%s", r->at);
		OK(cx, cop_graph_apply(&back, spec));
		if (count_op(front, r->net ? OP_qconv : OP_conv) != r->layers) fail_msg("%s: %d %s in front, not %d", r->at, count_op(front, r->net ? OP_qconv : OP_conv), y, r->layers);
		assert_int_equal(count_op(back, r->net ? OP_qconv : OP_conv), 4 - r->layers);
		run(cx, front, x, between, sizeof between);
		run(cx, back, between, got, sizeof got);
		if (memcmp(want, got, sizeof want)) fail_msg("%s: other bits than the whole", r->at);
		const cop_quant *q = &cop__t(front, front->output[0])->q, *p = &cop__t(back, back->input[0])->q;
		assert_int_equal(q->scale != NULL, r->net);
		if (r->net && (*q->zero != r->zero || *p->zero != r->zero || *q->scale != *p->scale || !(*q->scale > 0))) fail_msg("%s: scale %g zero %d", r->at, (double)*q->scale, *q->zero);
		if (!strcmp(r->at, "d.w") && r->net && fabsf(*q->scale - 0.1f) > 1e-6f) fail_msg("the dequantize has a scale of 0.1, the cut %g", (double)*q->scale);
		cop_graph_free(whole), cop_graph_free(front), cop_graph_free(back);
	}
}

static void refused(void **state)
{
	static const struct { const char *spec, *says; } bad[] = {{"front:at=none", "cut: at='none': there is no such layer"}, {"back:at=d.w", "cut: at='d.w': an output of 'net' is not behind it"}, {"front", "cut: at='': there is no such layer"}};
	cop_ctx *cx = *state;
	cop_graph *g = floats(cx);

	OK(cx, cop__output(g, g->node[1].out[0], "early"));
	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(cop_graph_apply(&g, bad[i].spec), COP_ARG);
		if (!strstr(cop_error_text(cx), bad[i].says)) fail_msg("%s: %s", bad[i].spec, cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_parts_are_the_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
