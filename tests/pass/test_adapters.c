/* SPDX-License-Identifier: Apache-2.0
 *
 * Adapters: the network answers as before, then by sums that are done by hand; what they read is one value, at which the network can be cut.
 */
#include "help.h"
#include "pass/pass.h"

enum { SCORES = 3, PIXELS = 4, CHANNELS = 2 };

/* ---- by hand ---- */

static void run(cop_ctx *cx, const cop_graph *g, const float *x, float *y)
{
	cop_host host = {0};
	cop_graph *copy;
	cop_tensor t;

	OK(cx, cop_graph_copy(&copy, g));
	OK(cx, cop__host_open(&host, &copy, 1, 0, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &t));
	memcpy(t.data, x, cop_type_bytes(&t.type));
	OK(cx, cop_session_run(host.s, 0));
	OK(cx, cop_session_io(host.s, 0, 0, true, &t));
	memcpy(y, t.data, cop_type_bytes(&t.type));
	cop__host_close(&host);
	cop_graph_free(copy);
}

/* What one adapter adds for the features f, of weights that are k % 7 - 3 halves. */
static void add_adapter(double y[SCORES], cop_graph *g, int adapter, const double *f, int n)
{
	char name[32];

	cop__format(name, sizeof name, "adapter%d.down.w", adapter);
	const cop_vid down = cop__find(g, name);
	const float *a = cop__floats(g, down);
	const int rank = cop__t(g, down)->dim[0];
	assert_int_equal(cop__t(g, down)->dim[1], n);
	for (int k = 0; k < rank * n; k++) assert_true(a[k] != 0 && (double)fabsf(a[k]) <= 1 / sqrt(n));
	cop__format(name, sizeof name, "adapter%d.up.w", adapter);
	const cop_vid up = cop__find(g, name);
	assert_true(cop__t(g, up)->dim[0] == SCORES && cop__t(g, up)->dim[1] == rank);
	float *b = cop__own(g, up);
	for (int o = 0; o < SCORES; o++)
		for (int r = 0; r < rank; r++) {
			double sum = 0;
			assert_true(b[o * rank + r] == 0);
			b[o * rank + r] = (float)((o * rank + r) % 7 - 3) / 2;
			for (int i = 0; i < n; i++) sum += (double)a[r * n + i] * f[i];
			y[o] += (double)b[o * rank + r] * sum;
		}
}

static const float sample[PIXELS * CHANNELS] = {0.3f, -0.8f, 0.9f, 0.1f, -0.4f, 0.7f, 0.25f, 0.6f};

/* The mean over pixels of the sample, and of relu(w x + b) of each. */
static void features(double in[CHANNELS], double mid[4], const float *w, const float *b)
{
	memset(in, 0, sizeof *in * CHANNELS);
	memset(mid, 0, sizeof *mid * 4);
	for (int p = 0; p < PIXELS; p++) {
		const float *x = sample + p * CHANNELS;
		for (int c = 0; c < CHANNELS; c++) in[c] += (double)x[c] / PIXELS;
		for (int o = 0; o < 4; o++) {
			double v = (double)b[o];
			for (int c = 0; c < CHANNELS; c++) v += (double)w[o * CHANNELS + c] * (double)x[c];
			mid[o] += fmax(v, 0) / PIXELS;
		}
	}
}

static void by_hand(void **state)
{
	static const char text[] = "input 2 2 2\nconv 4 1x1 relu\nmean\nfc 3";
	cop_ctx *cx = *state;
	cop_graph *g;
	float y[SCORES], before[SCORES];
	double in[CHANNELS], mid[4], want[SCORES];

	OK(cx, cop_network_read(&g, cx, "net.txt", text, strlen(text), 1));
	run(cx, g, sample, before);
	OK(cx, cop_graph_apply(&g, "adapters:rank=3,seed=5"));
	run(cx, g, sample, y);
	assert_memory_equal(y, before, sizeof y);
	features(in, mid, cop__floats(g, cop__find(g, "conv1.w")), cop__floats(g, cop__find(g, "conv1.b")));
	for (int o = 0; o < SCORES; o++) want[o] = (double)before[o];
	add_adapter(want, g, 1, in, CHANNELS);
	add_adapter(want, g, 2, mid, 4);
	assert_int_equal(cop__t(g, cop__find(g, "adapter1.down.w"))->dim[0], 2); /* no more than there is */
	assert_int_equal(cop__t(g, cop__find(g, "adapter2.down.w"))->dim[0], 3);
	run(cx, g, sample, y);
	for (int o = 0; o < SCORES; o++) assert_true(fabs((double)y[o] - want[o]) < 1e-5);
	cop_graph_free(g);
}

/* 3x5 pixels in 2x2 cells: of rows 0 1 and 1 2, of columns 0 to 2 and 2 to 4. In floats, and in bytes that stand for themselves. */
static void cells(void **state)
{
	static const int columns[2][3] = {{0, 1, 2}, {2, 3, 4}};
	const cop_type t = cop__type(COP_F32, 4, DIMS(1, 3, 5, 1));
	cop_ctx *cx = *state;
	cop_graph *g;
	float x[15], y[2 * 2];

	for (int i = 0; i < 15; i++) x[i] = (float)(12 * (i * 7 % 10) - 60);
	for (int bytes = 0; bytes < 2; bytes++) {
		OK(cx, cop__graph_new(&g, cx, "net"));
		cop_vid v = cop__input(g, "x", &t);
		const cop_type wt = cop__type(bytes ? COP_I8 : COP_F32, 4, DIMS(1, 3, 5, 1)), bt = cop__type(bytes ? COP_I32 : COP_F32, 1, DIMS(1)), mt = cop__type(COP_F32, 2, DIMS(3, 1));
		if (bytes) {
			v = cop__apply(g, OP_quantize, &(cop_quantize_attr){1, 0, COP_I8}, VIDS(v));
			v = cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, -128, 127, 0, 0, 0}, VIDS(v, cop__data(g, COP_CONST, "a.w", &wt, NULL), cop__data(g, COP_CONST, "a.b", &bt, NULL), cop__data(g, COP_CONST, "a.m", &bt, (const int32_t[]){1 << 26})));
			v = cop__apply(g, OP_dequantize, &(cop_dequantize_attr){1, 0}, VIDS(v));
		} else {
			v = cop__apply(g, OP_conv, &(cop_conv_attr){.sh = 1, .sw = 1, .dh = 1, .dw = 1, .groups = 1, .lo = COP_NO_LO, .hi = COP_NO_HI}, VIDS(v, cop__data(g, COP_PARAM, "a.w", &wt, NULL), cop__data(g, COP_PARAM, "a.b", &bt, NULL)));
		}
		v = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 1}}, VIDS(v));
		OK(cx, cop__output(g, cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(v, cop__data(g, COP_PARAM, "b.w", &mt, NULL))), "y"));
		OK(cx, cop_graph_apply(&g, "adapters:layers=a*,cells=2 front:at=adapters.x"));
		float all[8];
		run(cx, g, x, all);
		for (int i = 0; i < 4; i++) {
			double sum = 0;
			for (int r = 0; r < 2; r++)
				for (int c = 0; c < 3; c++) sum += (double)x[(i / 2 + r) * 5 + columns[i % 2][c]] / 6;
			y[i] = (float)sum;
			if (!(fabsf(all[i] - y[i]) < (bytes ? 0.51f : 1e-4f))) fail_msg("cell %d: %g, not %g", i, (double)all[i], (double)y[i]);
		}
		cop_graph_free(g);
	}
}

/* ---- integers ---- */

static cop_vid qlayer(cop_graph *g, cop_vid x, const char *w, const char *b, const char *m, int32_t k, int32_t in, int32_t out, int32_t zx, int32_t zy)
{
	int8_t weight[64];
	const int32_t bias[4] = {100, -200, 300, 50}, mult[4] = {1 << 26, 1 << 26, 1 << 26, 1 << 26};
	const cop_type wt = cop__type(COP_I8, 4, DIMS(out, k, k, in)), bt = cop__type(COP_I32, 1, &out);

	for (int i = 0; i < out * k * k * in; i++) weight[i] = (int8_t)(i * 37 % 101 - 50);
	return cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, zx, zy, -128, 127, 0, 0, 0},
		VIDS(x, cop__data(g, COP_CONST, w, &wt, weight), cop__data(g, COP_CONST, b, &bt, bias), cop__data(g, COP_CONST, m, &bt, mult)));
}

static cop_graph *of_integers(cop_ctx *cx)
{
	const cop_type t = cop__type(COP_F32, 4, DIMS(1, 2, 2, CHANNELS));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = cop__apply(g, OP_quantize, &(cop_quantize_attr){1.0f / 100, 4, COP_I8}, VIDS(cop__input(g, "x", &t)));
	x = qlayer(g, x, "a.w", "a.b", "a.m", 2, CHANNELS, 4, 4, 7);
	x = qlayer(g, x, "b.w", "b.b", "b.m", 1, 4, SCORES, 7, 3);
	x = cop__apply(g, OP_dequantize, &(cop_dequantize_attr){0.1f, 3}, VIDS(cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, SCORES}}, VIDS(x))));
	OK(cx, cop__output(g, x, "y"));
	return g;
}

/* The mean of bytes is a byte: half a step of 1/100 for each channel, times weights. */
static void integers(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = of_integers(cx);
	float y[SCORES], before[SCORES];
	double in[CHANNELS] = {0}, want[SCORES];

	run(cx, g, sample, before);
	OK(cx, cop_graph_apply(&g, "adapters:layers=a*"));
	run(cx, g, sample, y);
	assert_memory_equal(y, before, sizeof y);
	for (int i = 0; i < PIXELS * CHANNELS; i++) in[i % CHANNELS] += (double)sample[i] / PIXELS;
	for (int o = 0; o < SCORES; o++) want[o] = (double)before[o];
	add_adapter(want, g, 1, in, CHANNELS);
	assert_int_equal(cop__find(g, "adapter2.down.w"), 0);
	run(cx, g, sample, y);
	for (int o = 0; o < SCORES; o++)
		if (!(fabs((double)y[o] - want[o]) < 0.005 && fabsf(y[o] - before[o]) > 0.02f)) fail_msg("score %d: %g, not %g; before %g", o, (double)y[o], want[o], (double)before[o]);
	cop_graph_free(g);
}

/* ---- a place to cut ---- */

static void in_two(void **state)
{
	cop_ctx *cx = *state;
	float x[784], whole[10], between[4096], parts[10];
	cop_graph *g, *front, *back;

	OK(cx, cop_zoo_build(&g, cx, "lenet-5", NULL));
	OK(cx, cop_graph_apply(&g, "adapters"));
	for (int i = 0; i < LEN(x); i++) x[i] = cop__rand_unit(1, 2, (uint64_t)i);
	for (int v = 1; v <= g->n_value; v++)
		for (float *w = strstr(g->value[v].name ? g->value[v].name : "", ".up.w") ? cop__own(g, (cop_vid)v) : NULL, *to = w; w && w < to + 10; w++) *w = 0.3f;
	OK(cx, cop_graph_copy(&front, g));
	OK(cx, cop_graph_copy(&back, g));
	OK(cx, cop_graph_apply(&front, "front:at=adapters.x"));
	OK(cx, cop_graph_apply(&back, "back:at=adapters.x"));
	assert_true(cop__find(front, "fc1.w") && !cop__find(front, "fc2.w") && cop__find(back, "fc2.w") && !cop__find(back, "fc1.w"));
	run(cx, g, x, whole);
	run(cx, front, x, between);
	run(cx, back, between, parts);
	for (int i = 0; i < 10; i++) assert_true(fabsf(whole[i] - parts[i]) < 1e-5f);
	cop_graph_free(g);
	cop_graph_free(front);
	cop_graph_free(back);
}

static void others_are_refused(void **state)
{
	static const struct { const char *first, *then, *says; } row[] = {
		{NULL, "adapters:layers=nothing*", "has no convolution or fully connected layer named 'nothing*'"}, {"adapters", "adapters", "has adapters already"},
		{"front:at=conv2.w", "adapters", "does not end in a fully connected layer"}};
	cop_ctx *cx = *state;

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		OK(cx, cop_zoo_build(&g, cx, "lenet-5", NULL));
		if (row[i].first) OK(cx, cop_graph_apply(&g, row[i].first));
		assert_int_equal(cop_graph_apply(&g, row[i].then), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(cells, setup, teardown),
		cmocka_unit_test_setup_teardown(integers, setup, teardown),
		cmocka_unit_test_setup_teardown(in_two, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
