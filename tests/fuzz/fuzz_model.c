/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the text of a graph, up to a zero byte; what follows goes round as the contents of its leaves. A graph that
 * is accepted must print to a text that parses to the same text, and, when it is small, run. Inputs are zero: they
 * are the caller's, who may not give indices that are out of range.
 */
#include "io/cop.h"
#include "plan/plan.h"

#include <stdlib.h>

enum { MOST = 1 << 18 }; /* bytes of all values, and elements that a node may visit */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cop_status into(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

static void fill(uint8_t *to, size_t n, const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < n && size; i++) to[i] = p[i % size];
}

static void round_trip(cop_ctx *cx, const cop_graph *g)
{
	cop_text a, b;
	cop_graph *again;

	cop__text_init(&a, cx);
	cop__text_init(&b, cx);
	if (cop_graph_print(g, into, &a) || cop__graph_parse(&again, cx, a.data, a.len) || cop_graph_print(again, into, &b)) abort();
	if (a.len != b.len || memcmp(a.data, b.data, a.len)) abort();
	cop_graph_free(again);
	cop__text_free(&a);
	cop__text_free(&b);
}

static bool small(const cop_graph *g)
{
	int64_t bytes = 0;

	for (int32_t v = 1; v <= g->n_value; v++)
		if ((bytes += (int64_t)cop_type_bytes(&g->value[v].type)) > MOST) return false;
	for (int32_t i = 1; i <= g->n_node; i++) {
		cop_cost c = {0};
		if (cop__op(g, (cop_nid)i)->cost) cop__op(g, (cop_nid)i)->cost(g, (cop_nid)i, &c);
		if (c.mac > MOST || c.flop > MOST) return false;
	}
	return true;
}

/* As a file does: contents are checked when they are read. */
static cop_graph *with_contents(cop_ctx *cx, cop_graph *g, const uint8_t *p, size_t size)
{
	cop_text file;
	cop_graph *out = NULL;

	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		size_t bytes = cop_type_bytes(&x->type);
		if (x->role < COP_CONST) continue;
		uint8_t *data = cop__arena_get(&g->mem, bytes + 64);
		if (!data) abort();
		fill(data, bytes, p, size);
		x->data = data;
	}
	cop__text_init(&file, cx);
	if (!cop__model_write(&file, g, NULL, 0, COP_CODEC_RAW)) cop_model_read(&out, cx, file.data, file.len);
	cop__text_free(&file);
	return out;
}

static void run(cop_ctx *cx, cop_graph *g)
{
	cop_target t;
	cop_plan *plan;
	cop_session *s;

	if (cop_target_find(&t, cx, "cortex-m4")) abort();
	t.ram = t.flash = 0;
	if (cop_plan_build(&plan, &g, 1, &t)) return;
	if (cop_session_new(&s, plan, 1)) abort();
	for (int32_t i = 0; i < g->n_input; i++) {
		cop_tensor x;
		if (cop_session_io(s, 0, i, false, &x)) abort();
		if (x.data) memset(x.data, 0, cop_type_bytes(&x.type));
	}
	cop_session_run(s, 0);
	cop_session_free(s);
	cop_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, 0, n);
	size_t text = end ? (size_t)(end - p) : n;
	cop_ctx *cx;
	cop_graph *g, *whole;

	if (cop_ctx_new(&cx, NULL)) return 0;
	if (cop__graph_parse(&g, cx, (const char *)p, text)) {
		if (g || !cop_error_text(cx)[0]) abort();
		cop_ctx_free(cx);
		return 0;
	}
	round_trip(cx, g);
	if (small(g) && (whole = with_contents(cx, g, p + text, n - text))) {
		run(cx, whole);
		cop_graph_free(whole);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
	return 0;
}
