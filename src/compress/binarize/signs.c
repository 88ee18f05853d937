/* SPDX-License-Identifier: Apache-2.0
 *
 * signs - see binarize.h. A ReLU before a sign would leave nothing but 1, so the sign takes its place; a maximum of
 * signs is the sign of a maximum, and dropout does not come between. Zero is no sign, so a border of padding is -1, in
 * training as later.
 */
#include "compress/binarize/binarize.h"
#include "pass/pass.h"

/* ---- which layers ---- */

static bool is_layer(const cop_graph *g, cop_nid n)
{
	return cop__qlayer_is(g, n) && strncmp(cop__qlayer_name(g, n), "prepare", 7); /* what only scales the input is none */
}

static bool grouped(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_conv_attr, a, g, n);
	return g->node[n].op == OP_conv && a.groups != 1;
}

bool cop__can_binarize(const cop_graph *g, cop_vid weight, cop_why *why)
{
	if (!cop__can_change(g, weight, why)) return false;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 1) == weight && is_layer(g, n) && !grouped(g, n)) return true;
	if (why) cop__format(why->text, sizeof why->text, "'%.80s' belongs to no fully connected layer and no convolution without groups", g->value[weight].name);
	return false;
}

/* Values that a layer has made, and those that a layer reads later. */
static void mark(bool *made, bool *read, const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < COP_MAX_OUT; i++) {
			made[cop__res(g, n, i)] |= is_layer(g, n);
			for (int j = 0; j < g->node[n].n_in; j++) made[cop__res(g, n, i)] |= made[g->node[n].in[j]];
		}
	for (cop_nid n = (cop_nid)g->n_node; n; n--)
		for (int j = 0; j < g->node[n].n_in; j++) read[g->node[n].in[j]] |= is_layer(g, n) || read[cop__res(g, n, 0)];
}

int cop__choose_binary(uint8_t *chosen, const cop_graph *g, const char *layers, bool inner)
{
	bool *made = cop__alloc(g->cx, 2 * ((size_t)g->n_value + 1)), *read = made + g->n_value + 1;
	int count = 0;

	if (!made) return 0;
	mark(made, read, g);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid w = cop__arg(g, n, 1);
		if (!is_layer(g, n) || grouped(g, n) || !cop__can_change(g, w, NULL) || !cop__match(layers, g->value[w].name)) continue;
		if (inner && !(made[cop__arg(g, n, 0)] && read[cop__res(g, n, 0)])) continue;
		chosen[n] = made[cop__arg(g, n, 0)] ? COP_BINARY_BOTH : COP_BINARY_WEIGHTS;
		count++;
	}
	cop__free(g->cx, made);
	return count;
}

/* ---- signs ---- */

typedef struct signer {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map, *sign; /* sign[v]: the signs of v, or of what v has been before a ReLU */
	cop_sign_attr how;
} signer;

/* Is node n a bound, apart or in a layer, below which nothing comes? */
static bool never_below(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if (!n || !(cop__op(g, n)->flags & COP_OP_ACT)) return false;
	cop__act_get(g, n, &lo, &hi);
	return lo >= 0;
}

/* A border of signs around signs. */
static bool is_border(const cop_graph *g, cop_nid n)
{
	cop_nid p = n ? g->value[cop__arg(g, n, 0)].producer : 0;

	if (!p || g->node[n].op != OP_pad || g->node[p].op != OP_sign) return false;
	COP_ATTR(cop_pad_attr, a, g, n);
	return a.value == 1 || a.value == -1;
}

static cop_vid sign_of(signer *s, cop_vid v)
{
	const cop_graph *g = s->g;
	cop_nid n = g->value[v].producer;
	int op = n ? g->node[n].op : OP_none;

	if (s->sign[v]) return s->sign[v];
	if (op == OP_sign || is_border(g, n)) return s->map[v];
	if (op == OP_dropout) return s->sign[v] = sign_of(s, cop__arg(g, n, 0));
	if (op == OP_reshape || (op == OP_maxpool && !cop__res(g, n, 1))) {
		cop_vid x = sign_of(s, cop__arg(g, n, 0));
		return s->sign[v] = x ? cop__apply(s->out, op, g->node[n].attr, VIDS(x)) : 0;
	}
	if (op == OP_clip && never_below(g, n)) v = cop__arg(g, n, 0);
	else if (never_below(g, n)) return cop__fail(g, COP_ARG, n, "is never below 0, so its signs are all the same; give the network with its ReLU apart, or leave the layer behind it out by layers:"), 0;
	cop_vid x = cop__copy_value(s->out, g, s->map, v);
	return s->sign[v] = x ? cop__apply(s->out, OP_sign, &s->how, VIDS(x)) : 0;
}

static cop_status layer(signer *s, cop_nid n)
{
	const cop_graph *g = s->g;
	cop_node d = g->node[n];
	cop_vid x = sign_of(s, d.in[0]);

	if (x && d.op == OP_conv) {
		int32_t *p = &d.attr[offsetof(cop_conv_attr, pt) / sizeof(int32_t)]; /* pt pl pb pr */
		const cop_pad_attr border = {{0, p[0], p[1], 0}, {0, p[2], p[3], 0}, -1};
		if (p[0] | p[1] | p[2] | p[3]) x = cop__apply(s->out, OP_pad, &border, VIDS(x));
		p[0] = p[1] = p[2] = p[3] = 0;
	}
	for (int i = 1; i < d.n_in; i++)
		if (d.in[i] && !(d.in[i] = cop__copy_value(s->out, g, s->map, d.in[i]))) return cop__failed(g->cx);
	d.in[0] = x;
	cop_vid y = x ? cop__apply(s->out, d.op, d.attr, d.n_in, d.in) : 0;
	if (!y) return cop__failed(g->cx);
	cop__map_to(s->out, g, s->map, cop__res(g, n, 0), y);
	return COP_OK;
}

cop_status cop__put_signs(cop_graph **out, const cop_graph *g, const uint8_t *chosen, bool smooth)
{
	signer s = {.g = g, .how = {smooth}};

	COP_TRY(cop__copy_begin(out, g, &s.map));
	s.out = *out;
	s.sign = cop__arena_get(&s.out->mem, sizeof *s.sign * (size_t)(g->n_value + 1));
	cop_status st = s.sign ? cop__copy_inputs(s.out, g, s.map) : COP_NOMEM;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = chosen[n] == COP_BINARY_BOTH ? layer(&s, n) : cop__copy_node(s.out, g, s.map, n);
	if (!st) st = cop__copy_rest(s.out, g, s.map);
	COP_TRY(cop__pass_end(out, st));
	return cop__pass_then(out, cop__pass_dce); /* bounds that nobody reads any more */
}
