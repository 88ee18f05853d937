/* SPDX-License-Identifier: Apache-2.0
 *
 * contents - counted bytes, and how values of graphs have, share and change them.
 */
#include "graph/graph.h"

enum { ALIGN = 64, SLACK = 64 };
_Static_assert(sizeof(cop_contents) <= ALIGN, "the head of contents lies in one piece before them");

cop_contents *cop__contents_new(cop_ctx *cx, size_t bytes)
{
	cop_contents *c = bytes <= SIZE_MAX / 2 ? cop__alloc_aligned(cx, ALIGN + bytes + SLACK, ALIGN) : NULL;

	if (c) *c = (cop_contents){.cx = cx, .bytes = (char *)c + ALIGN, .refs = 1};
	return c;
}

static cop_contents *head_of(cop_ctx *cx, void *bytes, cop_contents *whole)
{
	cop_contents *c = cop__alloc_aligned(cx, sizeof *c, ALIGN);

	if (c) *c = (cop_contents){.cx = cx, .bytes = bytes, .whole = whole, .refs = 1};
	return c;
}

cop_contents *cop__contents_adopt(cop_ctx *cx, void *bytes) { return head_of(cx, bytes, NULL); }

cop_contents *cop__contents_part(cop_contents *whole, void *bytes)
{
	cop_contents *c = head_of(whole->cx, bytes, whole);
	if (c) whole->refs++;
	return c;
}

cop_contents *cop__contents_hold(cop_contents *c)
{
	if (c) c->refs++;
	return c;
}

void cop__contents_drop(cop_contents *c)
{
	if (!c || --c->refs) return;
	cop_contents *whole = c->whole;
	if (!whole && c->bytes != (char *)c + ALIGN) cop__free(c->cx, c->bytes); /* adopted */
	cop__free_aligned(c->cx, c);
	cop__contents_drop(whole);
}

/* ---- of values ---- */

/* The contents of a value, if they are counted and not borrowed. */
static cop_contents *counted(const cop_value *x) { return x->held && x->data == x->held->bytes ? x->held : NULL; }

void cop__put_contents(cop_graph *g, cop_vid v, cop_contents *c)
{
	cop_value *x = &g->value[v];
	cop_contents *old = x->held;

	x->held = c;
	x->data = c ? c->bytes : NULL;
	cop__contents_drop(old);
}

void cop__borrow(cop_graph *g, cop_vid v, const void *data)
{
	cop__put_contents(g, v, NULL);
	g->value[v].data = data;
}

cop_status cop__share(cop_graph *out, cop_vid to, const cop_graph *g, cop_vid from)
{
	const cop_value *x = &g->value[from];
	cop_contents *c = cop__contents_hold(counted(x));

	if (!x->data) return COP_OK;
	if (!c) {
		size_t bytes = cop_type_bytes(&x->type);
		if (!(c = cop__contents_new(out->cx, bytes))) return COP_NOMEM;
		memcpy(c->bytes, x->data, bytes);
	}
	cop__put_contents(out, to, c);
	return COP_OK;
}

void *cop__own(cop_graph *g, cop_vid v)
{
	cop_value *x = &g->value[v];
	cop_contents *c = counted(x);
	size_t bytes = cop_type_bytes(&x->type);

	if (c && c->refs == 1) return c->bytes;
	if (!(c = cop__contents_new(g->cx, bytes))) return NULL;
	if (x->data) memcpy(c->bytes, x->data, bytes);
	cop__put_contents(g, v, c);
	return c->bytes;
}

void *cop__take(cop_graph *out, cop_vid to, const cop_graph *g, cop_vid from)
{
	cop_contents *c = counted(&g->value[from]);
	bool last = c && c->refs == c->spent && !c->twice;

	if (cop__share(out, to, g, from)) return NULL;
	return last ? c->bytes : cop__own(out, to);
}

/* ---- of graphs ---- */

void cop__spend(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value && !g->spent; v++) {
		cop_contents *c = counted(&g->value[v]);
		if (!c) continue;
		c->twice |= c->spender == g;
		c->spender = g;
		c->spent++;
	}
	g->spent = true;
}

void cop__drop_all(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_contents *c = counted(&g->value[v]);
		if (g->spent && c) c->spent--;
		cop__contents_drop(g->value[v].held);
	}
}
