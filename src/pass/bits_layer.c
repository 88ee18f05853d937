/* SPDX-License-Identifier: Apache-2.0
 *
 * bits_layer - which layers are sums of bits, and what becomes of their weights, scales and borders.
 */
#include "pass/bits.h"

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static bool one_scale(float *scale, const float *w, int64_t n)
{
	*scale = w[0] < 0 ? -w[0] : w[0];
	for (int64_t i = 0; i < n; i++)
		if (w[i] != *scale && w[i] != -*scale) return false;
	return *scale * 0 == 0; /* a real number */
}

bool cop__two_values(const cop_graph *g, cop_vid w, float *scale)
{
	const cop_type *t = cop__t(g, w);
	const float *x = cop__floats(g, w);
	int64_t each = x && t->rank ? cop_type_count(t) / t->dim[0] : 0;
	float one;

	for (int32_t o = 0; each && o < t->dim[0]; o++)
		if (!one_scale(scale ? &scale[o] : &one, x + o * each, each)) return false;
	return each > 0;
}

/* The border before convolution n that stands for 1 or -1 everywhere, or 0. */
static cop_nid border(const cop_bits *b, cop_nid n)
{
	const cop_graph *g = b->g;
	cop_nid p = g->value[cop__arg(g, n, 0)].producer;

	if (!p || g->node[p].op != OP_pad || g->node[p].guard || cop__outt(g, p, 0)->rank != 4) return 0;
	COP_ATTR(cop_pad_attr, a, g, p);
	for (int i = sizeof a / sizeof(int32_t); i < cop__attr_words(cop__op(g, p)); i++)
		if (g->node[p].attr[i]) return 0;
	return a.before[0] || a.after[0] || a.before[3] || a.after[3] || (a.value != 1 && a.value != -1) ? 0 : p;
}

static bool conv_shape(cop_blayer *l, const cop_bits *b)
{
	const cop_graph *g = b->g;
	COP_ATTR(cop_conv_attr, c, g, l->n);
	cop_nid p = border(b, l->n);

	if (c.groups != 1 || (p && (c.pt | c.pl | c.pb | c.pr))) return false;
	l->a = (cop_bconv_attr){c.sh, c.sw, c.pt, c.pl, c.pb, c.pr, c.dh, c.dw, 0};
	l->x = b->bit[cop__arg(g, p ? p : l->n, 0)];
	memcpy(l->dim, cop__in(g, l->n, 1)->dim, sizeof l->dim);
	if (!p) return l->x;
	COP_ATTR(cop_pad_attr, a, g, p);
	l->a.pt = a.before[1], l->a.pl = a.before[2], l->a.pb = a.after[1], l->a.pr = a.after[2];
	l->a.fill = a.value > 0 ? 1 : -1;
	return l->x;
}

/* Of what was flattened, a window as large as the picture. */
static bool fc_shape(cop_blayer *l, const cop_bits *b)
{
	const cop_type *x;

	l->a = (cop_bconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 0};
	if (!(l->x = b->bit[cop__arg(b->g, l->n, 0)])) return false;
	x = cop__t(b->out, l->x);
	memcpy(l->dim, x->dim, sizeof l->dim);
	l->dim[0] = cop__in(b->g, l->n, 1)->dim[0];
	return (int64_t)x->dim[1] * x->dim[2] * x->dim[3] == cop__in(b->g, l->n, 1)->dim[1];
}

bool cop__bits_layer(cop_blayer *l, const cop_bits *b, cop_nid n)
{
	const cop_graph *g = b->g;
	bool fc = g->node[n].op == OP_fc;
	cop_vid bias = cop__arg(g, n, 2);

	*l = (cop_blayer){.n = n};
	if ((!fc && g->node[n].op != OP_conv) || g->node[n].guard) return false;
	if ((bias && !cop__floats(g, bias)) || !(fc ? fc_shape(l, b) : conv_shape(l, b))) return false;
	l->scale = cop__arena_get(&b->out->mem, sizeof *l->scale * (size_t)l->dim[0]);
	return l->scale && cop__two_values(g, cop__arg(g, n, 1), l->scale);
}

void cop__bits_name(char name[128], const cop_bits *b, const cop_blayer *l, const char *what)
{
	const char *w = b->g->value[cop__arg(b->g, l->n, 1)].name;
	int stem = (int)strlen(w);

	if (stem > 2 && !strcmp(w + stem - 2, ".w")) stem -= 2;
	stem = COP_MIN(stem, 90);
	cop__format(name, 128, "%.*s.%s", stem, w, what);
	for (int i = 2; cop__find(b->out, name) || cop__find(b->g, name); i++)
		cop__format(name, 128, "%.*s.%s%d", stem, w, what, i);
}

cop_vid cop__bits_packed(cop_bits *b, const cop_blayer *l)
{
	cop_vid v = cop__arg(b->g, l->n, 1);
	const float *w = cop__floats(b->g, v);
	cop_type t = cop__type(COP_BIT, 4, l->dim);
	int32_t c = l->dim[3];
	int64_t rows = (int64_t)l->dim[0] * l->dim[1] * l->dim[2];
	char name[128];

	if (b->packed[l->n]) return b->packed[l->n];
	if (b->readers[v] == 1) cop__format(name, sizeof name, "%.120s", b->g->value[v].name);
	else cop__bits_name(name, b, l, "bits");
	cop_vid y = cop__data(b->out, COP_CONST, name, &t, NULL);
	uint8_t *to = y ? cop__own(b->out, y) : NULL;
	for (int64_t r = 0; to && r < rows; r++, w += c, to += (c + 7) / 8)
		for (int32_t i = 0; i < c; i++) to[i / 8] = (uint8_t)(to[i / 8] | (w[i] >= 0) << i % 8);
	return b->packed[l->n] = to ? y : 0;
}

static bool all_ones(const float *x, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (x[i] != 1) return false;
	return true;
}

cop_vid cop__bits_scaled(const cop_bits *b, cop_graph *to, cop_vid *map, const cop_blayer *l, cop_vid d)
{
	const cop_graph *g = b->g;
	cop_vid bias = cop__arg(g, l->n, 2);
	cop_type t = cop__type(COP_F32, 1, l->dim);
	cop_act_attr act;
	char name[128];

	if (!all_ones(l->scale, l->dim[0])) {
		cop__bits_name(name, b, l, "scale");
		d = cop__apply(to, OP_mul, &none, VIDS(d, cop__data(to, COP_CONST, name, &t, l->scale)));
	}
	if (bias) d = d ? cop__apply(to, OP_add, &none, VIDS(d, cop__copy_value(to, g, map, bias))) : 0;
	cop__act_get(g, l->n, &act.lo, &act.hi);
	if (act.lo == COP_NO_LO && act.hi == COP_NO_HI) return d;
	return d ? cop__apply(to, OP_clip, &act, VIDS(d)) : 0;
}
