/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks of signs: the graph of bits answers with the bits of the float graph, whatever batch norm, padding, stride,
 * pools and odd sizes are between; the sign's gradient; bounds against the formula for them; what can't become bits.
 */
#include "help.h"
#include "pass/pass.h"
#include "run/deploy.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static float drawn(uint64_t stream, uint64_t i) { return cop__rand_unit(11, stream, i) * 2 - 1; }

/* ---- random networks ---- */

enum { NOWHERE, BEFORE, BEHIND }; /* a pool: before batch norm, or behind it */
typedef struct net {
	int32_t batch, h, w, c, o, k, stride, pad, fill; /* fill 0: the convolution's own padding, of zeros */
	int pool;
	bool scale, bias, fixed;                         /* fixed: a gamma of 0 and below 0 among them */
} net;

static const net nets[] = {
        {1, 7, 6, 5, 3, 3, 1, 0, 0, NOWHERE, false, false, true},
        {2, 8, 9, 33, 40, 3, 1, 1, -1, NOWHERE, true, false, true},
        {1, 9, 8, 64, 17, 3, 2, 1, 1, NOWHERE, true, true, true},
        {3, 6, 6, 13, 9, 2, 1, 1, 0, NOWHERE, true, false, true},
        {1, 8, 8, 32, 21, 3, 1, 1, -1, BEFORE, true, true, true},
        {2, 9, 7, 19, 32, 3, 1, 1, 0, BEFORE, false, false, true},
        {1, 8, 8, 40, 35, 3, 1, 1, -1, BEHIND, true, false, true},
        {1, 5, 5, 1, 1, 1, 1, 0, 0, BEHIND, false, true, false},
        {4, 4, 4, 100, 70, 1, 1, 0, 0, NOWHERE, true, false, true},
};

static cop_vid constant(cop_graph *g, const char *name, int32_t rank, const int32_t *dim, const float *x)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	return cop__data(g, COP_PARAM, name, &t, x);
}

/* Plus or minus a scale by filter, of few digits, so that float sums are exact. */
static cop_vid signs(cop_graph *g, const char *name, int32_t rank, const int32_t *dim, bool scale)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	int64_t n = cop_type_count(&t), each = n / dim[0];
	float *w = malloc(sizeof *w * (size_t)n);

	for (int64_t i = 0; i < n; i++) {
		float s = scale ? (float)(1 + cop__rand(5, 1, (uint64_t)(i / each)) % 255) / 1024 : 1;
		w[i] = cop__rand(5, cop__hash_text(name), (uint64_t)i) % 2 ? s : -s;
	}
	cop_vid v = constant(g, name, rank, dim, w);
	free(w);
	return v;
}

/* As large as sums of n signs are, so that both bits come about. */
static cop_vid norm(cop_graph *g, const char *name, cop_vid x, int32_t n, bool fixed)
{
	int32_t c = cop__t(g, x)->dim[cop__t(g, x)->rank - 1];
	float *p = malloc(sizeof *p * 4 * (size_t)c);
	cop_vid in[5] = {x};
	char part[32];

	for (int32_t i = 0; i < c; i++) {
		uint64_t at = (uint64_t)i;
		p[i] = fixed && i % 5 == 3 ? 0 : drawn(cop__hash_text(name), at) * 2;
		p[c + i] = drawn(1, at), p[2 * c + i] = drawn(2, at) * sqrtf((float)n), p[3 * c + i] = (1.1f + drawn(3, at)) * (float)n;
	}
	for (int i = 0; i < 4; i++) {
		snprintf(part, sizeof part, "%s.%d", name, i);
		in[i + 1] = constant(g, part, 1, &c, p + i * c);
	}
	free(p);
	return cop__apply(g, OP_bn, &(cop_bn_attr){1e-5f, 0.1f, COP_NO_LO, COP_NO_HI}, 5, in);
}

static cop_vid sign(cop_graph *g, cop_vid x) { return cop__apply(g, OP_sign, &(cop_sign_attr){0}, VIDS(x)); }

static cop_vid pool(cop_graph *g, cop_vid x) { return cop__apply(g, OP_maxpool, &(cop_pool_attr){3, 2, 2, 2, 1, 0, 0, 1, 0}, VIDS(x)); }

static cop_vid convolved(cop_graph *g, const net *t, cop_vid x)
{
	int32_t p = t->fill ? 0 : t->pad;
	cop_conv_attr a = {t->stride, t->stride, p, p, p, p, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_pad_attr border = {{0, t->pad, t->pad, 0}, {0, t->pad, t->pad, 0}, (float)t->fill};
	cop_vid w = signs(g, "conv.w", 4, DIMS(t->o, t->k, t->k, t->c), t->scale), b = 0;
	float *bias = malloc(sizeof *bias * (size_t)t->o);

	for (int32_t i = 0; i < t->o; i++) bias[i] = drawn(8, (uint64_t)i) * 3;
	if (t->bias) b = constant(g, "conv.b", 1, &t->o, bias);
	free(bias);
	if (t->fill) x = cop__apply(g, OP_pad, &border, VIDS(x));
	x = cop__apply(g, OP_conv, &a, b ? 3 : 2, (const cop_vid[]){x, w, b});
	if (t->pool == BEFORE) x = pool(g, x);
	x = norm(g, "conv.bn", x, t->k * t->k * t->c, t->fixed);
	return t->pool == BEHIND ? pool(g, x) : x;
}

/* Signs of x, a convolution, a fully connected layer between signs, and one whose sums are the answer. */
static cop_graph *network(cop_ctx *cx, const net *t)
{
	cop_graph *g;
	cop_type xt = cop__type(COP_F32, 4, DIMS(t->batch, t->h, t->w, t->c));

	OK(cx, cop__graph_new(&g, cx, "signs"));
	cop_vid x = cop__input(g, "x", &xt);
	x = sign(g, convolved(g, t, sign(g, x)));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	int32_t n = cop__t(g, x)->dim[1];
	x = cop__apply(g, OP_fc, &none, VIDS(x, signs(g, "fc1.w", 2, DIMS(37, n), t->scale)));
	x = sign(g, norm(g, "fc1.bn", x, n, t->fixed));
	x = cop__apply(g, OP_fc, &none, VIDS(x, signs(g, "fc2.w", 2, DIMS(11, 37), t->scale)));
	OK(cx, cop__output(g, norm(g, "fc2.bn", x, 37, false), "y"));
	return g;
}

/* What g answers to a random input; the caller frees it. */
static float *answer(cop_ctx *cx, cop_graph *g, uint32_t isa, int64_t *n)
{
	cop_host h;
	cop_tensor x, y;

	OK(cx, cop__host_open(&h, &g, 1, isa, 1));
	OK(cx, cop_session_io(h.s, 0, 0, false, &x));
	for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = drawn(77, (uint64_t)i);
	OK(cx, cop_session_run(h.s, 0));
	OK(cx, cop_session_io(h.s, 0, 0, true, &y));
	*n = cop_type_count(&y.type);
	float *copy = memcpy(malloc(sizeof *copy * (size_t)*n), y.data, sizeof *copy * (size_t)*n);
	cop__host_close(&h);
	return copy;
}

static int count(const cop_graph *g, int op)
{
	int found = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) found += g->node[n].op == op;
	return found;
}

static void same_answers(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(nets); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = network(cx, &nets[i]), *bits, *deployed;
		int64_t n, m, k;

		OK(cx, cop__pass_bits(&bits, g));
		OK(cx, cop_graph_verify(bits));
		OK(cx, cop__pass_deploy(&deployed, g)); /* batch norm of such layers stays */
		if (count(bits, OP_bconv) != 3 || count(bits, OP_sign) + count(bits, OP_conv) + count(bits, OP_fc) + count(bits, OP_maxpool) + count(bits, OP_unpackbits))
			fail_msg("network %d is not all bits", i);
		float *want = answer(cx, g, 0, &n), *got = answer(cx, bits, 0, &m), *fast = answer(cx, bits, COP_ISA_ALL, &m), *by = answer(cx, deployed, 0, &k);
		assert_int_equal(n, m);
		for (int64_t j = 0; j < n; j++) {
			if (want[j] != got[j]) fail_msg("network %d: answer %d is %g, in floats %g", i, (int)j, (double)got[j], (double)want[j]);
			if (want[j] != by[j]) fail_msg("network %d: deployed, answer %d is %g, not %g", i, (int)j, (double)by[j], (double)want[j]);
			if (fabsf(want[j] - fast[j]) > 1e-5f * fmaxf(1, fabsf(want[j]))) fail_msg("network %d: fast, answer %d is %g, not %g", i, (int)j, (double)fast[j], (double)want[j]);
		}
		free(want), free(got), free(fast), free(by);
		cop_graph_free(g), cop_graph_free(bits), cop_graph_free(deployed);
		cop_ctx_free(cx);
	}
}

/* ---- bounds ---- */

/* sign(gamma (d - mean) / sigma + beta): 1 from ceil(tau) on, tau = mean - beta sigma / gamma; up to floor(tau) where gamma is below 0; as
 * beta's sign where it is 0. Worked out in double. */
static void bounds_of_batch_norm(void **state)
{
	static const struct { float gamma, beta, mean, var; int32_t lo, hi; } row[] = {
	        {1, 0, 2.5f, 1, 3, INT32_MAX},             /* sums are even: 4 is the first */
	        {2, -1, -3.25f, 16, -1, INT32_MAX},        /* tau -1.25 */
	        {-1, 0, 2.5f, 1, INT32_MIN, 2},
	        {-0.5f, 3, 1, 4, INT32_MIN, 13},           /* tau 13 */
	        {0, 0.5f, 7, 1, INT32_MIN, INT32_MAX},
	        {0, -0.5f, 7, 1, 1, 0},
	        {1, 0, 6, 1, 6, INT32_MAX},                /* a sum that gives 0 is 1 */
	        {-1, 0, 6, 1, INT32_MIN, 6},
	        {1, 100, 0, 1, INT32_MIN, INT32_MAX},      /* beyond what 16 products come to */
	};
	enum { O = LEN(row), N = 16 };
	float p[4][O], ones[O * N];
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits;
	cop_type xt = cop__type(COP_F32, 2, DIMS(1, N));

	(void)state;
	for (int i = 0; i < O * N; i++) ones[i] = 1;
	for (int i = 0; i < O; i++) p[0][i] = row[i].gamma, p[1][i] = row[i].beta, p[2][i] = row[i].mean, p[3][i] = row[i].var;
	OK(cx, cop__graph_new(&g, cx, "bounds"));
	cop_vid x = sign(g, cop__input(g, "x", &xt));
	x = cop__apply(g, OP_fc, &none, VIDS(x, constant(g, "fc.w", 2, DIMS(O, N), ones)));
	cop_vid in[5] = {x, constant(g, "a", 1, DIMS(O), p[0]), constant(g, "b", 1, DIMS(O), p[1]), constant(g, "c", 1, DIMS(O), p[2]), constant(g, "d", 1, DIMS(O), p[3])};
	OK(cx, cop__output(g, sign(g, cop__apply(g, OP_bn, &(cop_bn_attr){0, 0.1f, COP_NO_LO, COP_NO_HI}, 5, in)), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	const int32_t *t = cop__ints(bits, cop__find(bits, "fc.t"));
	assert_non_null(t);
	for (int i = 0; i < O; i++)
		for (int32_t d = -N; d <= N; d += 2)
			if ((t[i] <= d && d <= t[O + i]) != (row[i].lo <= d && d <= row[i].hi)) fail_msg("row %d: the sum %d has the wrong bit", i, (int)d);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

/* ---- the operator ---- */

/* By the formulas, at points on either side of each edge. */
static void gradient(void **state)
{
	static const float x[] = {-1.5f, -1, -0.75f, -0.0f, 0, 0.25f, 1, 1.0001f},
	                   want[2][LEN(x)] = {{0, 3, 3, 3, 3, 3, 3, 0}, {0, 0, 1.5f, 6, 6, 4.5f, 0, 0}},
	                   sign_of[LEN(x)] = {-1, -1, -1, 1, 1, 1, 1, 1};
	cop_type t = cop__type(COP_F32, 1, DIMS(LEN(x)));
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int32_t smooth = 0; smooth < 2; smooth++) {
		cop_graph *g;
		cop_host h;
		cop_tensor in, y, dx;
		OK(cx, cop__graph_new(&g, cx, "sign"));
		cop_vid v = cop__input(g, "x", &t), three = constant(g, "three", 1, DIMS(1), (const float[]){3}), zero = constant(g, "zero", 1, DIMS(LEN(x)), (const float[LEN(x)]){0});
		cop_vid dy = cop__apply(g, OP_add, &none, VIDS(zero, three));
		OK(cx, cop__output(g, cop__apply(g, OP_sign, &(cop_sign_attr){smooth}, VIDS(v)), "y"));
		OK(cx, cop__output(g, cop__apply(g, OP_sign_grad, &(cop_sign_attr){smooth}, VIDS(dy, v)), "dx"));
		OK(cx, cop__host_open(&h, &g, 1, COP_ISA_ALL, 1));
		OK(cx, cop_session_io(h.s, 0, 0, false, &in));
		memcpy(in.data, x, sizeof x);
		OK(cx, cop_session_run(h.s, 0));
		OK(cx, cop_session_io(h.s, 0, 0, true, &y));
		OK(cx, cop_session_io(h.s, 0, 1, true, &dx));
		assert_memory_equal(y.data, sign_of, sizeof x);
		for (int i = 0; i < LEN(x); i++)
			if (((float *)dx.data)[i] != want[smooth][i]) fail_msg("smooth=%d: at %g the gradient is %g", (int)smooth, (double)x[i], (double)((float *)dx.data)[i]);
		cop__host_close(&h);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- what stays ---- */

/* Weights of three values, or an operand that is no sign: float layers, and the same answers. */
static void others_stay(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g, *bits;
		cop_type xt = cop__type(COP_F32, 2, DIMS(3, 20));
		int64_t n, m;
		float w[5 * 20];

		OK(cx, cop__graph_new(&g, cx, "others"));
		for (int i = 0; i < 100; i++) w[i] = which ? (float)(1 - i % 2 * 2) : (float)(i % 3 - 1);
		cop_vid x = cop__input(g, "x", &xt);
		x = cop__apply(g, OP_fc, &none, VIDS(which ? x : sign(g, x), constant(g, "w", 2, DIMS(5, 20), w)));
		OK(cx, cop__output(g, sign(g, x), "y"));
		OK(cx, cop__pass_bits(&bits, g));
		assert_int_equal(count(bits, OP_bconv), 0);
		assert_int_equal(count(bits, OP_fc), 1);
		float *a = answer(cx, g, 0, &n), *b = answer(cx, bits, 0, &m);
		assert_memory_equal(a, b, sizeof *a * (size_t)n);
		free(a), free(b);
		cop_graph_free(g), cop_graph_free(bits);
		cop_ctx_free(cx);
	}
}

/* A sign of a size is 1 for small sums and for large ones, which no two bounds say: the sums are scaled in floats, and the answers are the same. */
static void no_one_run(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g, *bits;
	cop_type xt = cop__type(COP_F32, 2, DIMS(6, 20));
	int64_t n, m;

	(void)state;
	OK(cx, cop__graph_new(&g, cx, "sizes"));
	cop_vid x = sign(g, cop__input(g, "x", &xt));
	x = cop__apply(g, OP_fc, &none, VIDS(x, signs(g, "w", 2, DIMS(9, 20), true)));
	x = cop__apply(g, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(x));
	x = cop__apply(g, OP_sub, &none, VIDS(x, constant(g, "edge", 1, DIMS(1), (const float[]){0.4f})));
	OK(cx, cop__output(g, sign(g, x), "y"));
	OK(cx, cop__pass_bits(&bits, g));
	assert_int_equal(count(bits, OP_bconv), 1);
	assert_int_equal(count(bits, OP_cast), 1);
	float *a = answer(cx, g, 0, &n), *b = answer(cx, bits, 0, &m);
	assert_memory_equal(a, b, sizeof *a * (size_t)n);
	for (int64_t i = 1; i < n; i++)
		if (a[i] != a[0]) n = 0; /* both come about */
	assert_int_equal(n, 0);
	free(a), free(b);
	cop_graph_free(g), cop_graph_free(bits);
	cop_ctx_free(cx);
}

/* A row of bits fills whole bytes: cut another way it would be read past its end. */
static void rows_stay(void **state)
{
	static const char bad[] = "graph rows\ninput x bit[15]\ny = reshape x rank=2 dim=5,3\noutput y\n", good[] = "graph rows\ninput x bit[5,3]\ny = reshape x rank=3 dim=5,1,3\noutput y\n";
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_graph_parse(&g, cx, good, sizeof good - 1));
	cop_graph_free(g);
	assert_int_equal(cop_graph_parse(&g, cx, bad, sizeof bad - 1), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(cx), "rows of bit begin at a byte"));
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_answers), cmocka_unit_test(bounds_of_batch_norm), cmocka_unit_test(gradient), cmocka_unit_test(others_stay), cmocka_unit_test(no_one_run),
		cmocka_unit_test(rows_stay)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
