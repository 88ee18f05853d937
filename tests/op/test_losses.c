/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax, cross-entropy and its gradient against their formulas in double, with logits for which exp alone
 * overflows or vanishes; with the portable kernels and with the fastest ones.
 */
#include "help.h"

enum { ROWS = 4, CLASSES = 5, MOST = 40 };

/* Rows repeat up to the width, so that vectors are full; the last row has no label. */
static const float logit[ROWS][CLASSES] = {{1, -2, 0.5f, 3, 0}, {95, 90, -100, 94, 0}, {-1000, -1001, -1000, -1003, -999}, {0, 0, 0, 0, 0}};
static const int32_t label[ROWS] = {3, 0, 1, -1};

static double at(int r, int j) { return (double)logit[r][j % CLASSES] - j / CLASSES; }

static double log_sum(int r, int n)
{
	double most = -INFINITY, sum = 0;

	for (int j = 0; j < n; j++) most = fmax(most, at(r, j));
	for (int j = 0; j < n; j++) sum += exp(at(r, j) - most);
	return most + log(sum);
}

static double wanted_loss(int n, double smooth)
{
	double loss = 0;

	for (int r = 0; r < ROWS - 1; r++)
		for (int j = 0; j < n; j++) loss -= ((j == label[r] ? 1 - smooth : 0) + smooth / n) * (at(r, j) - log_sum(r, n));
	return loss / (ROWS - 1);
}

static void set(cop_session *s, const char *name, const void *data)
{
	cop_tensor t;
	cop_session_tensor(s, 0, name, &t);
	memcpy(t.data, data, cop_type_bytes(&t.type));
}

static const float *get(cop_session *s, const char *name)
{
	cop_tensor t;
	cop_session_tensor(s, 0, name, &t);
	return t.data;
}

static void check(cop_ctx *cx, uint32_t isa, int32_t n, float smooth)
{
	const cop_type t = cop__type(COP_F32, 2, DIMS(ROWS, n)), l = cop__type(COP_I32, 1, DIMS(ROWS)), one = cop__type(COP_F32, 1, DIMS(1));
	const float unit = 1;
	float x[ROWS * MOST];
	cop_graph *g;
	cop_host host;

	OK(cx, cop__graph_new(&g, cx, "losses"));
	cop_vid vx = cop__input(g, "x", &t), vl = cop__input(g, "label", &l), d = cop__input(g, "d", &one);
	OK(cx, cop__output(g, cop__apply(g, OP_softmax, NULL, VIDS(vx)), "p"));
	OK(cx, cop__output(g, cop__apply(g, OP_xent, &(cop_xent_attr){smooth}, VIDS(vx, vl)), "loss"));
	OK(cx, cop__output(g, cop__apply(g, OP_xent_grad, &(cop_xent_attr){smooth}, VIDS(vx, vl, d)), "dx"));
	OK(cx, cop__host_open(&host, &g, 1, isa, 1));
	for (int i = 0; i < ROWS * n; i++) x[i] = (float)at(i / n, i % n);
	set(host.s, "x", x);
	set(host.s, "label", label);
	set(host.s, "d", &unit);
	OK(cx, cop_session_run(host.s, 0));
	double loss = wanted_loss(n, (double)smooth);
	assert_true(fabs((double)*get(host.s, "loss") - loss) <= 2e-6 * fabs(loss));
	for (int i = 0; i < ROWS * n; i++) {
		int r = i / n, j = i % n;
		double q = exp(at(r, j) - log_sum(r, n)), dx = label[r] < 0 ? 0 : (q - (j == label[r] ? 1 - (double)smooth : 0) - (double)smooth / n) / (ROWS - 1);
		if (!(fabs((double)get(host.s, "p")[i] - q) <= 1e-6)) fail_msg("%d classes: softmax of row %d, class %d is %g, not %g", n, r, j, (double)get(host.s, "p")[i], q);
		if (!(fabs((double)get(host.s, "dx")[i] - dx) <= 1e-6)) fail_msg("%d classes: gradient of row %d, class %d is %g, not %g", n, r, j, (double)get(host.s, "dx")[i], dx);
	}
	cop__host_close(&host);
	cop_graph_free(g);
}

static void formulas(void **state)
{
	static const int32_t classes[] = {5, 16, 37};
	(void)state;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < LEN(classes); i++)
		for (int smooth = 0; smooth < 2; smooth++) {
			check(cx, 0, classes[i], 0.1f * (float)smooth);
			check(cx, cx->isa, classes[i], 0.1f * (float)smooth);
		}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(formulas)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
