/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint - a .cop file with numbers. Reading goes through a second graph, so that a damaged file changes nothing.
 */
#include "io/checkpoint.h"

cop_status cop__checkpoint_write(const char *path, const cop_graph *g, const cop_number *number, int n)
{
	cop_text t;

	cop__text_init(&t, g->cx);
	cop_status st = cop__model_write(&t, g, number, n, COP_CODEC_RAW);
	if (!st) st = cop_file_write(g->cx, path, t.data, t.len);
	cop__text_free(&t);
	return st;
}

static bool kept(const cop_value *v)
{
	return v->role == COP_PARAM || v->role == COP_STATE;
}

static cop_status check(const cop_graph *g, const cop_graph *from, const char *path)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (!kept(x)) continue;
		cop_vid f = cop__find(from, x->name);
		if (!f || !kept(&from->value[f]))
			return cop__error(g->cx, COP_FORMAT, "%s: the checkpoint has no '%s'", path, x->name);
		const cop_type *a = &x->type, *b = cop__t(from, f);
		if (!cop__same_shape(a, b) || a->dtype != b->dtype || a->enc != b->enc || a->enc_bytes != b->enc_bytes)
			return cop__error(g->cx, COP_SHAPE,
			        "%s: '%s' of the checkpoint has another type than that of graph '%s'", path, x->name,
			        g->name);
	}
	return COP_OK;
}

static cop_status copy(cop_graph *g, const cop_graph *from)
{
	const void **data = cop__alloc(g->cx, sizeof *data * ((size_t)g->n_value + 1));
	cop_status st = data ? COP_OK : COP_NOMEM;

	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		data[v] = x->data;
		if (!kept(x)) continue;
		const void *theirs = from->value[cop__find(from, x->name)].data;
		size_t bytes = cop_type_bytes(&x->type);
		void *own = theirs ? cop__arena_get(&g->mem, bytes + 64) : NULL;
		if (theirs && !own) st = COP_NOMEM;
		if (own) memcpy(own, theirs, bytes);
		data[v] = own;
	}
	if (!st) st = cop__replace_contents(g, data);
	cop__free(g->cx, data);
	return st;
}

cop_status cop__checkpoint_read(const char *path, cop_graph *g, cop_number *number, int n)
{
	cop_graph *from = NULL;
	void *bytes;
	size_t size;
	int found;

	COP_TRY(cop_file_read(&bytes, &size, g->cx, path, 0));
	cop_status st = cop__model_read(&from, g->cx, path, bytes, size, number, n, &found);
	if (!st && found < n)
		st = cop__error(g->cx, COP_FORMAT, "%s: is no checkpoint of this kind: of %d numbers it has %d", path,
		        n, found);
	if (!st) st = check(g, from, path);
	if (!st) st = copy(g, from);
	cop_graph_free(from);
	cop_free(g->cx, bytes);
	return st;
}
