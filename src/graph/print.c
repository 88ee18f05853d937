/* SPDX-License-Identifier: Apache-2.0
 *
 * print - the text form of a graph; parse.c reads it back. One line a value or node:
 *
 *   graph lenet-5
 *   input x f32[1,28,28,1]
 *   param conv1.w f32[20,5,5,1]
 *   param fc1.w f32[500,800] sparse 41232         the encoding and its bytes
 *   state conv1.w.momentum f32[20,5,5,1] of=conv1.w
 *   %5 = conv x conv1.w conv1.b sh=1 sw=1
 *   y _ = maxpool %5 kh=2 ...                      "_": an optional result or input that is absent
 *   w' = sgd w dw lr guard=g                       aliases follow from the op
 *   output y
 *   input x i8[1,49,10,1] scale=0.58 zero=83      integers that stand for reals: of inputs and outputs
 *
 * A byte of a name that would not be read back as a part of it is written as \xHH (cop__name_put).
 * Names of classes and the like stand behind the first line (graph/about.h).
 * Words at 0 are left out, so are results at the end of a list and lo=-inf hi=inf. Values without a name are
 * %N, counted in order. Nothing is written that infer will find again, so a text has no second truth.
 */
#include "core/need.h"
#include "graph/about.h"
#include "graph/ops.h"

#include <stdio.h>

static const char *const roles[] = {"temp", "input", "const", "param", "state"};

/* [n_value+1] the number that a nameless value is printed under */
static int32_t *number(const cop_graph *g)
{
	int32_t *n = cop__alloc(g->cx, sizeof *n * (size_t)(g->n_value + 1)), next = 1;

	for (int32_t v = 1; n && v <= g->n_value; v++)
		if (!g->value[v].name) n[v] = next++;
	return n;
}

static void put_value(cop_text *t, const cop_graph *g, const int32_t *num, cop_vid v)
{
	if (!v) cop__text_add(t, "_");
	else if (g->value[v].name) cop__name_put(t, g->value[v].name);
	else cop__text_add(t, "%%%d", num[v]);
}

static void put_type(cop_text *t, const cop_type *ty)
{
	cop__text_add(t, "%s[", cop__dtype_text(ty->dtype));
	for (int i = 0; i < ty->rank; i++) cop__text_add(t, i ? ",%d" : "%d", ty->dim[i]);
	cop__text_add(t, "]");
	if (ty->enc != COP_DENSE) cop__text_add(t, " %s %u", cop__enc_text(ty->enc), ty->enc_bytes);
}

static void put_quant(cop_text *t, const cop_type *ty)
{
	char scale[COP_FLOAT_TEXT];
	if (ty->q.scale) cop__text_add(t, " scale=%s zero=%d", cop__float_print(scale, *ty->q.scale), ty->q.zero ? *ty->q.zero : 0);
}

static void put_leaf(cop_text *t, const cop_graph *g, cop_vid v)
{
	const cop_value *x = &g->value[v];

	cop__text_add(t, "%s ", roles[x->role]);
	cop__name_put(t, x->name);
	cop__text_add(t, " ");
	put_type(t, &x->type);
	if (x->of && !g->value[x->of].producer) cop__text_add(t, " of="), cop__name_put(t, g->value[x->of].name); /* what is computed has no line yet */
	if (x->role == COP_INPUT) put_quant(t, &x->type);
	cop__text_add(t, "\n");
}

/* Words that are 0 or an absent bound are the default. */
static bool is_default(const char *name, char kind, int32_t word)
{
	if (kind == 'f' && !strcmp(name, "lo")) return cop__float(word) == COP_NO_LO;
	if (kind == 'f' && !strcmp(name, "hi")) return cop__float(word) == COP_NO_HI;
	return word == 0;
}

static void put_word(cop_text *t, char kind, int32_t word)
{
	char text[COP_FLOAT_TEXT];
	if (kind == 'f') cop__text_add(t, "%s", cop__float_print(text, cop__float(word)));
	else cop__text_add(t, "%d", word);
}

static void put_attrs(cop_text *t, const cop_graph *g, cop_nid n)
{
	char name[24];
	int at = 0, skip;

	for (const char *p = cop__op(g, n)->attrs; *p; p += skip) {
		char kind;
		int count = 1;
		if (sscanf(p, " %23[a-z0-9_]:%c%n", name, &kind, &skip) < 2) break;
		if (p[skip] >= '0' && p[skip] <= '9') count = p[skip++] - '0';
		const int32_t *w = g->node[n].attr + at;
		int used = count;
		while (used && is_default(name, kind, w[used - 1])) used--;
		if (used) cop__text_add(t, " %s=", name);
		for (int i = 0; i < used; i++) {
			if (i) cop__text_add(t, ",");
			put_word(t, kind, w[i]);
		}
		at += count;
	}
}

static void put_node(cop_text *t, const cop_graph *g, const int32_t *num, cop_nid n)
{
	const cop_node *d = &g->node[n];
	const cop_op *op = cop__op(g, n);
	int n_out = op->n_out;

	while (n_out && !d->out[n_out - 1]) n_out--;
	for (int i = 0; i < n_out; i++) {
		put_value(t, g, num, d->out[i]);
		cop__text_add(t, " ");
	}
	cop__text_add(t, "= %s", op->name);
	for (int i = 0; i < d->n_in; i++) {
		cop__text_add(t, " ");
		put_value(t, g, num, d->in[i]);
	}
	put_attrs(t, g, n);
	if (d->guard) cop__text_add(t, " guard="), put_value(t, g, num, d->guard);
	cop__text_add(t, "\n");
}

cop_status cop_graph_print(const cop_graph *g, cop_write_fn *write, void *ud)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), write);
	cop_text t;
	int32_t *num = number(g);

	if (!num) return COP_NOMEM;
	cop__text_init(&t, g->cx);
	cop__text_add(&t, "graph ");
	cop__name_put(&t, g->name);
	cop__text_add(&t, "\n");
	cop__about_print(&t, g);
	for (int32_t i = 0; i < g->n_input; i++) put_leaf(&t, g, g->input[i]);
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role >= COP_CONST) put_leaf(&t, g, (cop_vid)v);
	for (int32_t n = 1; n <= g->n_node; n++) put_node(&t, g, num, (cop_nid)n);
	for (int32_t i = 0; i < g->n_output; i++) {
		cop__text_add(&t, "output ");
		put_value(&t, g, num, g->output[i]);
		put_quant(&t, cop__t(g, g->output[i]));
		cop__text_add(&t, "\n");
	}
	cop_status st = t.status ? t.status : write(ud, t.data, t.len);
	cop__text_free(&t);
	cop__free(g->cx, num);
	return st;
}
