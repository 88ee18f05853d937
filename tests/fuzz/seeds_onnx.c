/* SPDX-License-Identifier: Apache-2.0
 *
 * ONNX models of our own: each operator of the reader with operands of a few shapes and types, what the writer makes of the samples
 * of our operators and of small networks, and the words that they are made of for the mutator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "io/onnx/read.h"
#include "io/onnx/ox_make.h"
#include "op/op.h"
#include "seeds.h"

static const struct { const char *name; int least, most; uint32_t must; const char *attrs; } rows[] = {
#define FOLD(name)
#define OX(name, add, fold, least, most, must, attrs) {#name, least, most, must, attrs},
#define RW(name, op, add, write, fold, least, most, must, attrs) {#name, least, most, must, attrs},
#include "io/onnx/onnx.def"
#undef RW
#undef OX
#undef FOLD
#define FN(name, kind, onnx, n, alpha, beta, value, gradient) {#onnx, 1, 1, 0, "alpha beta"},
#include "kernel/functions.h"
#undef FN
};

/* Every attribute as each kind of number at once: the reader takes the one it wants. */
static void attributes(cop_text *node, cop_ctx *cx, const char *words)
{
	char name[64];

	for (const char *s = words; *s; s += strcspn(s, " "), s += *s == ' ') {
		cop_text a;
		cop__text_init(&a, cx);
		snprintf(name, sizeof name, "%.*s", (int)strcspn(s, " "), s);
		cop__pb_put_text(&a, ATTR_NAME, name);
		cop__pb_put_int(&a, ATTR_I, 1);
		cop__pb_put_float(&a, ATTR_F, 1);
		for (int i = 0; i < 2; i++) cop__pb_put_int(&a, ATTR_INTS, 1);
		put(node, NODE_ATTRIBUTE, &a);
	}
}

/* y = op(x, w1, w2 ...): x is the network's input, the others are known. */
static void one(cop_ctx *cx, int row, int which)
{
	static const struct { int rank; int64_t dim[4]; } shape[] = {{4, {2, 2, 1, 1}}, {1, {2}}, {2, {4, 4}}, {1, {4}}};
	static const int64_t whole[16] = {1, 2, 4, 4, 1, 1};
	static const float real[16] = {0.5f, 1, 2, 0.25f, 1, -1, 3};
	int n_in = which % 2 ? COP_MIN(rows[row].most, 6) : rows[row].least;
	maker m = begin(cx);
	cop_text n;
	char name[8], file[64];

	info(&m, GRAPH_INPUT, "x", which == 3 ? OX_INT8 : OX_FLOAT, 4, (const int64_t[]){1, 2, 4, 4});
	info(&m, GRAPH_OUTPUT, "y", OX_FLOAT, 0, NULL);
	cop__text_init(&n, cx);
	for (int i = 0; i < n_in; i++) {
		bool ints = rows[row].must >> i & 1 || which == 3;
		int s = ints ? 3 : i > 1 ? 1 : which % 3;
		snprintf(name, sizeof name, i || ints ? "w%d" : "x", i);
		cop__pb_put_text(&n, NODE_INPUT, name);
		if (*name == 'w') initializer(&m, name, ints ? OX_INT64 : OX_FLOAT, shape[s].rank, shape[s].dim, ints ? (const void *)whole : real, ints ? 32 : s == 2 ? 64 : s == 0 ? 16 : 8);
	}
	cop__pb_put_text(&n, NODE_OUTPUT, "y");
	cop__pb_put_text(&n, NODE_OP, rows[row].name);
	if (which) attributes(&n, cx, rows[row].attrs);
	put(&m.graph, GRAPH_NODE, &n);
	cop_text t = end(&m, which == 2 ? 9 : 17);
	snprintf(file, sizeof file, "%s-%d", rows[row].name, which);
	seed("onnx", file, t.data, t.len);
	cop__text_free(&t);
}

/* What our own writer makes of a graph, where it can. */
static void written(cop_ctx *cx, cop_graph *g, const char *name)
{
	cop_text t;

	cop__text_init(&t, cx);
	if (g && !cop_graph_apply(&g, "to_infer") && !cop__onnx_write(&t, g) && t.len < 1 << 15) seed("onnx", name, t.data, t.len);
	cop_error_clear(cx);
	cop__text_free(&t);
	cop_graph_free(g);
}

static void words(void)
{
	static char dict[1 << 15];
	size_t n = 0;

	for (int i = 0; i < LEN(rows); i++) {
		n += (size_t)snprintf(dict + n, sizeof dict - n, "\"%s\"\n", rows[i].name);
		for (const char *s = rows[i].attrs; *s; s += strcspn(s, " "), s += *s == ' ') n += (size_t)snprintf(dict + n, sizeof dict - n, "\"%.*s\"\n", (int)strcspn(s, " "), s);
		assert_true(n < sizeof dict - 200);
	}
	seed(".", "onnx.dict", dict, n);
}

void seeds_onnx(cop_ctx *cx)
{
	static const char *const net[] = {"mlp-9x4x3", "ds-cnn", "resnet-8"};
	cop_zoo_args a = {.batch = 1, .seed = 1};
	cop_graph *g;
	char name[64];

	for (int i = 0; i < LEN(rows); i++)
		for (int which = 0; which < 4; which++) one(cx, i, which);
	for (int op = 1; op < COP_N_OP; op++)
		for (int which = 0; (g = seed_sample(cx, op, which)); which++) {
			snprintf(name, sizeof name, "our-%s-%d", cop_ops[op]->name, which);
			written(cx, g, name);
		}
	for (int i = 0; i < LEN(net); i++) {
		assert_int_equal(cop_zoo_build(&g, cx, net[i], &a), COP_OK);
		written(cx, g, net[i]);
	}
	words();
}
