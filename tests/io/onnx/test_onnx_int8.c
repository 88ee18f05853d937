/* SPDX-License-Identifier: Apache-2.0
 *
 * Quantised ONNX operators, DequantizeLinear around them or as QLinear forms, made here: each becomes integers, gives ONNX Runtime's bytes
 * within one step (reference/onnx_int8.inc, by make_onnx_int8_reference.py, which builds the same models), and what is exported of it is
 * read as the same again.
 */
#include "ox_accepted.h"

enum { MOST = 512 };
typedef struct form {
	const char *op;
	int u8;
	int rank, x[4];   /* the input */
	int w_rank, w[4]; /* a known second operand with a scale for each row of w_axis (-1: one for all); rank 0: none, or the input once more */
	int w_axis, bias, twice;
	const char *attr;
	int value, relu;
	float sy;
	int zy;           /* of int8 */
	int layers, ops;  /* qconv nodes; all nodes of integers */
	int count;
	uint8_t want[MOST];
} form;

static const form forms[] = {
#include "reference/onnx_int8.inc"
};

static const float SX = 0.05f, S2 = 0.03f;
enum { ZX = -7, Z2 = 11 };

static void list(maker *m, const char *name, int type, int n, const void *data, size_t each)
{
	const int64_t dim = n;
	initializer(m, name, type, n > 1, &dim, data, each * (size_t)n);
}

static void scale(maker *m, const char *name, float s) { list(m, name, OX_FLOAT, 1, &s, 4); }
static void zero(maker *m, const char *name, int z, int u8)
{
	uint8_t byte = (uint8_t)(z + (u8 ? 128 : 0));
	list(m, name, u8 ? OX_UINT8 : OX_INT8, 1, &byte, 1);
}

/* w, its scales ws, and a bias b with scales bs */
static void weights(maker *m, const form *f)
{
	int8_t w[MOST];
	float ws[16], bs[16];
	int32_t b[16], outs = f->w_axis < 0 ? 1 : f->w[f->w_axis], rows = f->w[f->bias ? 0 : f->w_rank - 1];
	int64_t dim[4], total = 1;

	for (int i = 0; i < f->w_rank; i++) total *= dim[i] = f->w[i];
	for (int i = 0; i < total; i++) w[i] = (int8_t)((i * 37 + 11) % 101 - 50);
	for (int i = 0; i < outs; i++) ws[i] = 0.01f * (float)(1 + i % 3);
	for (int i = 0; i < rows; i++) b[i] = i * 53 % 201 - 100, bs[i] = SX * ws[outs > 1 ? i : 0];
	initializer(m, "w", OX_INT8, f->w_rank, dim, w, (size_t)total);
	list(m, "ws", OX_FLOAT, outs, ws, 4);
	if (f->bias) list(m, "b", OX_INT32, rows, b, 4), list(m, "bs", OX_FLOAT, rows, bs, 4);
}

static void model(maker *m, const form *f)
{
	bool whole = f->op[0] == 'Q';
	char operands[64];
	int64_t dim[4];

	for (int i = 0; i < f->rank; i++) dim[i] = f->x[i];
	info(m, GRAPH_INPUT, "x", f->u8 ? OX_UINT8 : OX_INT8, f->rank, dim);
	info(m, GRAPH_OUTPUT, "y", f->u8 ? OX_UINT8 : OX_INT8, 0, NULL);
	scale(m, "sx", SX), zero(m, "zx", ZX, f->u8), scale(m, "s2", S2), zero(m, "z2", Z2, f->u8), scale(m, "sy", f->sy), zero(m, "zy", f->zy, f->u8), zero(m, "zw", 0, 0);
	if (f->w_rank) weights(m, f);
	if (whole) {
		snprintf(operands, sizeof operands, "x sx zx %s%ssy zy%s", f->w_rank ? "w ws zw " : "", f->twice ? "x s2 z2 " : "", f->bias ? " b" : "");
		node(m, f->op, operands, "y", f->attr, f->value);
		return;
	}
	node(m, "DequantizeLinear", "x sx zx", "xf", NULL, 0);
	if (f->w_rank) node(m, "DequantizeLinear", "w ws", "wf", "axis", f->w_axis < 0 ? 0 : f->w_axis);
	if (f->bias) node(m, "DequantizeLinear", "b bs", "bf", "axis", 0);
	if (f->twice) node(m, "DequantizeLinear", "x s2 z2", "wf", NULL, 0);
	snprintf(operands, sizeof operands, "xf%s%s", f->w_rank || f->twice ? " wf" : "", f->bias ? " bf" : "");
	node(m, f->op, operands, "r", f->attr, f->value);
	if (f->relu) node(m, "Relu", "r", "t", NULL, 0);
	node(m, "QuantizeLinear", f->relu ? "t sy zy" : "r sy zy", "y", NULL, 0);
}

/* *g becomes a plan. */
static void result(cop_ctx *cx, cop_graph **g, const form *f, uint8_t *out)
{
	cop_host host;
	cop_tensor x, y;

	OK(cx, cop__host_open(&host, g, 1, COP_ISA_ALL, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	OK(cx, cop_session_io(host.s, 0, 0, true, &y));
	assert_int_equal(cop_type_count(&y.type), f->count);
	for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((uint8_t *)x.data)[i] = (uint8_t)(i * 73 % 256 - (f->u8 ? 0 : 128));
	OK(cx, cop_session_run(host.s, 0));
	memcpy(out, y.data, (size_t)f->count);
	cop__host_close(&host);
}

static int value_of(uint8_t b, int u8) { return u8 ? b : (int8_t)b; }

static void near(const form *f, const char *what, const uint8_t *got, int *ties)
{
	for (int i = 0; i < f->count; i++) {
		int d = abs(value_of(got[i], f->u8) - value_of(f->want[i], f->u8));
		if (d > 1) fail_msg("%s (%s), %s: element %d is %d, ONNX Runtime says %d", f->op, f->u8 ? "uint8" : "int8", what, i, value_of(got[i], f->u8), value_of(f->want[i], f->u8));
		*ties += d;
	}
}

/* Nodes of integers and layers among them; a float operator must not be left. */
static void integers(const cop_graph *g, const form *f)
{
	int layers = 0, ops = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		int op = g->node[n].op;
		layers += op == OP_qconv;
		ops += (cop_ops[op]->flags & COP_OP_QUANT) != 0;
		if (cop__outt(g, n, 0)->dtype == COP_F32) fail_msg("%s: %s is left in floats", f->op, cop__op(g, n)->name);
		if (op == OP_qconv) assert_int_equal(cop__in(g, n, 1)->dtype, COP_I8);
	}
	if (layers != f->layers || ops != f->ops) fail_msg("%s (%s): %d layers of %d operators of integers, expected %d of %d", f->op, f->u8 ? "uint8" : "int8", layers, ops, f->layers, f->ops);
}

static void test_forms(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	uint8_t got[MOST], back[MOST];
	int ties = 0, all = 0;

	for (int i = 0; i < LEN(forms); i++) {
		const form *f = &forms[i];
		maker m = begin(cx);
		cop_graph *g, *again;
		cop_text file;

		model(&m, f);
		g = accepted(&m);
		integers(g, f);
		cop__text_init(&file, cx);
		OK(cx, cop__onnx_write(&file, g));
		OK(cx, cop__onnx_read(&again, cx, "net", NULL, file.data, file.len, NULL));
		cop__text_free(&file);
		result(cx, &g, f, got);
		near(f, "imported", got, &ties);
		result(cx, &again, f, back);
		near(f, "exported and imported", back, &ties);
		all += 2 * f->count;
		cop_graph_free(g);
		cop_graph_free(again);
	}
	print_message("%d models, %d of %d bytes one step away\n", (int)LEN(forms), ties, all);
	assert_true(ties * 50 < all); /* ties are rare */
	cop_ctx_free(cx);
}

/* What has no integer form, or a scale that only the network knows, stays float. */
static void test_floats_stay(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);
	int floats = 0;

	info(&m, GRAPH_INPUT, "x", OX_INT8, D(1, 8)), info(&m, GRAPH_INPUT, "s", OX_FLOAT, 0, NULL), info(&m, GRAPH_OUTPUT, "y", OX_INT8, 0, NULL);
	scale(&m, "sx", SX), zero(&m, "zx", ZX, 0);
	node(&m, "DequantizeLinear", "x sx zx", "a", NULL, 0), node(&m, "Sqrt", "a", "b", NULL, 0), node(&m, "QuantizeLinear", "b s zx", "y", NULL, 0);
	cop_graph *g = accepted(&m);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) floats += g->node[n].op == OP_map || g->node[n].op == OP_div;
	assert_true(floats >= 3); /* the square root, the division by s and ONNX's rounding */
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* x [1,c,h,w] of bytes through `op` to y of scale sy and zero point zy, as result() fills x. */
static cop_graph *through(maker *m, const char *op, const char *operands, const int64_t *dim, float sy, int zy)
{
	info(m, GRAPH_INPUT, "x", OX_INT8, 4, dim), info(m, GRAPH_OUTPUT, "y", OX_INT8, 0, NULL);
	scale(m, "sx", SX), zero(m, "zx", ZX, 0), scale(m, "sy", sy), zero(m, "zy", zy, 0);
	node(m, "DequantizeLinear", "x sx zx", "a", NULL, 0), node(m, op, operands, "r", NULL, 0), node(m, "QuantizeLinear", "r sy zy", "y", NULL, 0);
	return accepted(m);
}

/* Means of nine, which have no ties: every one as real numbers have it, in the operand's range and in another. */
static void test_means(void **state)
{
	enum { C = 64 };
	static const form f = {.op = "GlobalAveragePool", .count = C};
	static const struct { float sy; int zy; } to[] = {{0.05f, ZX}, {0.03f, Z2}};
	uint8_t got[MOST];
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int k = 0; k < LEN(to); k++) {
		maker m = begin(cx);
		cop_graph *g = through(&m, f.op, "a", (const int64_t[]){1, C, 3, 3}, to[k].sy, to[k].zy);
		result(cx, &g, &f, got);
		for (int c = 0; c < C; c++) { /* x lies with channels first */
			int sum = 0;
			for (int i = 0; i < 9; i++) sum += (c * 9 + i) * 73 % 256 - 128 - ZX;
			assert_int_equal((int8_t)got[c], to[k].zy + (int)round(sum * (double)SX / (9 * (double)to[k].sy)));
		}
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* A row of zeros with a tiny scale and a large bias is a constant: 100.45 steps, beside a row with weights. */
static void test_constant_row(void **state)
{
	static const form f = {.op = "Conv", .count = 2};
	const int8_t w[2] = {0, 3};
	const float ws[2] = {3e-8f, 0.01f}, bs[2] = {SX * 3e-8f, SX * 0.01f};
	const int32_t b[2] = {2009000000, 7};
	uint8_t got[MOST];
	cop_ctx *cx = new_ctx();
	maker m = begin(cx);

	(void)state;
	initializer(&m, "w", OX_INT8, D(2, 1, 1, 1), w, 2), list(&m, "ws", OX_FLOAT, 2, ws, 4), list(&m, "b", OX_INT32, 2, b, 4), list(&m, "bs", OX_FLOAT, 2, bs, 4);
	node(&m, "DequantizeLinear", "w ws", "wf", "axis", 0), node(&m, "DequantizeLinear", "b bs", "bf", "axis", 0);
	cop_graph *g = through(&m, f.op, "a wf bf", (const int64_t[]){1, 1, 1, 1}, 0.03f, 0);
	result(cx, &g, &f, got);
	assert_int_equal((int8_t)got[0], 100);
	assert_int_equal((int8_t)got[1], (int)round(((-128 - ZX) * 3 + 7) * 0.05 * 0.01 / 0.03));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_floats_stay), cmocka_unit_test(test_means), cmocka_unit_test(test_constant_row)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
