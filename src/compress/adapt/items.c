/* SPDX-License-Identifier: Apache-2.0
 *
 * items - the layers of a network that can be trained: int8 layers whose weights and biases are constants, and layers of floats whose weights are
 * parameters.
 */
#include "compress/adapt/adapt.h"

static bool plain_name(const char *name) { return name && *name && !strpbrk(name, "*| \t\"'()="); }

/* Its contents are known, and it can be named in a list. */
static bool usable(const cop_graph *g, cop_vid v, cop_role role, cop_dtype type)
{
	const cop_value *x = &g->value[v];
	return v && x->role == role && x->data && x->type.dtype == type && !x->type.enc && plain_name(x->name);
}

static int readers(const cop_graph *g, cop_vid v)
{
	int n = 0;

	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++)
		for (int i = 0; i < g->node[k].n_in; i++) n += cop__arg(g, k, i) == v;
	return n;
}

static bool find(cop_adapt_item *it, const cop_graph *g, cop_nid n)
{
	const bool ints = g->node[n].op == OP_qconv, floats = g->node[n].op == OP_conv || g->node[n].op == OP_fc;
	const cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);
	const cop_role role = ints ? COP_CONST : COP_PARAM;

	if ((!ints && !floats) || !usable(g, w, role, ints ? COP_I8 : COP_F32) || readers(g, w) > 1) return false;
	if (ints && cop__in(g, n, 0)->dtype != COP_I8) return false;
	const bool has = usable(g, b, role, ints ? COP_I32 : COP_F32) && readers(g, b) == 1;
	if (ints && !has) return false; /* its bias holds the zero of its input, which its weights change */
	*it = (cop_adapt_item){.weight = g->value[w].name, .bias = has ? g->value[b].name : NULL, .can = {true, has, true}};
	return true;
}

cop_status cop__adapt_items(cop_adapter *z)
{
	const cop_graph *g = z->g;
	bool ints = false;

	if (!(z->item = cop__arena_get(&z->mem, sizeof *z->item * ((size_t)g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (!find(&z->item[z->n], g, n)) continue;
		z->n++;
		ints |= g->node[n].op == OP_qconv;
	}
	if (!z->n) return cop__error(z->cx, COP_ARG, "adapt: '%s' has no layer that can be trained: fully connected ones and convolutions of int8, or of floats", g->name);
	z->last[0] = z->item[--z->n].weight; /* the last layer always is, and is none to choose */
	z->last[1] = z->item[z->n].bias;
	z->rule = z->a->rule ? z->a->rule : ints ? "qsgd" : "sgd momentum=0";
	return COP_OK;
}

static void add(cop_text *to, const char *name)
{
	if (name) cop__text_add(to, "%s%s", to->len && to->data[to->len - 1] != '=' ? "|" : "", name);
}

cop_status cop__adapt_spec(cop_text *to, const cop_adapter *z, const uint8_t *level)
{
	to->len = 0;
	cop__text_add(to, "%s%s layers=", z->rule, strstr(z->rule, "guard=") ? "" : " guard=yes"); /* as emission has it */
	for (int32_t i = 0; level && i < z->n; i++) {
		if (level[i] == COP_TRAIN_ALL) add(to, z->item[i].weight);
		if (level[i]) add(to, z->item[i].bias);
	}
	for (int i = 0; i < 2; i++) add(to, z->last[i]);
	return to->status;
}
