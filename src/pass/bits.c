/* SPDX-License-Identifier: Apache-2.0
 *
 * bits - layers between signs become sums of bits (bconv). A value of the float graph has up to two forms in the new
 * one, floats and bits, and each reader takes what it can use; what nobody takes is dropped in the end. What lies
 * between such a layer and the next sign becomes two bounds of its sums (bits_fold.c).
 */
#include "pass/bits.h"

/* ---- forms of values ---- */

static cop_vid as_float(cop_bits *b, cop_vid v)
{
	const cop_type *t = cop__t(b->g, v);

	if (b->map[v] || !b->bit[v]) return cop__copy_value(b->out, b->g, b->map, v);
	cop_vid x = cop__apply(b->out, OP_unpackbits, &(cop_unpackbits_attr){COP_F32, -1, 1}, VIDS(b->bit[v]));
	if (x && t->rank == 2) x = cop__apply(b->out, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	if (x) cop__map_to(b->out, b->g, b->map, v, x);
	return b->map[v];
}

/* Rows as pictures of one pixel. */
static cop_vid picture(cop_graph *out, cop_vid x)
{
	if (!x || cop__t(out, x)->rank == 4) return x;
	return cop__apply(out, OP_reshape, &(cop_shape_attr){4, {0, 1, 1, -1}}, VIDS(x));
}

/* ---- the walk ---- */

/* The float form of a layer of bits: its sums, scaled. */
static cop_status sums(cop_bits *b, const cop_blayer *l)
{
	cop_vid w = cop__bits_packed(b, l), d = w ? cop__apply(b->out, OP_bconv, &l->a, VIDS(l->x, w)) : 0;

	d = d ? cop__apply(b->out, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(d)) : 0;
	d = d ? cop__bits_scaled(b, b->out, b->map, l, d) : 0;
	if (d && b->g->node[l->n].op == OP_fc)
		d = cop__apply(b->out, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(d));
	if (!d) return cop__failed(b->g->cx);
	cop__map_to(b->out, b->g, b->map, cop__res(b->g, l->n, 0), d);
	return COP_OK;
}

static cop_status floats(cop_bits *b, cop_nid n)
{
	for (int i = 0; i < b->g->node[n].n_in; i++)
		if (b->g->node[n].in[i] && !as_float(b, b->g->node[n].in[i])) return cop__failed(b->g->cx);
	return cop__copy_node(b->out, b->g, b->map, n);
}

/* x = v + shift, by channel: its sign is 1 from v = -shift on, in floats, too, whose sums are 0 only there. Returns v and the edges, or x. */
static cop_vid moved_edge(cop_bits *b, cop_vid x, cop_vid *edges)
{
	const cop_graph *g = b->g;
	cop_nid n = g->value[x].producer;
	cop_vid s = n && g->node[n].op == OP_add ? cop__arg(g, n, 1) : 0;
	const float *shift = s ? cop__floats(g, s) : NULL;
	int32_t c = cop__t(g, x)->dim[cop__t(g, x)->rank - 1];
	cop_type t = cop__type(COP_F32, 1, &c);
	char name[128];
	float lo, hi;

	if (!shift || cop__t(g, s)->rank != 1 || cop__t(g, s)->dim[0] != c || cop__floats(g, cop__arg(g, n, 0)) || g->node[n].guard) return x;
	cop__act_get(g, n, &lo, &hi);
	if (lo != COP_NO_LO || hi != COP_NO_HI) return x;
	cop__format(name, sizeof name, "%.100s.edge", g->value[s].name);
	for (int i = 2; cop__find(b->out, name); i++) cop__format(name, sizeof name, "%.100s.edge%d", g->value[s].name, i);
	float *edge = (*edges = cop__data(b->out, COP_CONST, name, &t, NULL)) ? cop__own(b->out, *edges) : NULL;
	for (int32_t i = 0; edge && i < c; i++) edge[i] = -shift[i];
	return cop__arg(g, n, 0);
}

static cop_status sign(cop_bits *b, cop_nid n)
{
	cop_vid x = cop__arg(b->g, n, 0), y = cop__res(b->g, n, 0);
	int32_t rank = cop__t(b->g, x)->rank;

	if (b->g->node[n].guard || (rank != 2 && rank != 4)) return floats(b, n);
	if ((b->bit[y] = cop__bits_fold(b, n)) || b->g->cx->code) return b->g->cx->code;
	cop_vid edges = 0, from = moved_edge(b, x, &edges);
	if (b->g->cx->code) return b->g->cx->code;
	if (!as_float(b, from)) return cop__failed(b->g->cx);
	if (!edges) COP_TRY(floats(b, n));
	b->bit[y] = cop__apply(b->out, OP_packbits, &(cop_packbits_attr){0}, edges ? 2 : 1, (const cop_vid[]){picture(b->out, b->map[from]), edges});
	return b->bit[y] ? COP_OK : cop__failed(b->g->cx);
}

/* Moves of bits; false: n is none. */
static bool moved(cop_bits *b, cop_nid n)
{
	const cop_graph *g = b->g;
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	const cop_type *tx = cop__t(g, x), *ty = cop__t(g, y);

	if (!b->bit[x] || g->node[n].guard) return false;
	if (g->node[n].op == OP_reshape) {
		bool rows = ty->rank == 2 && ty->dim[0] == tx->dim[0];
		if (rows) b->bit[y] = b->bit[x];
		return rows;
	}
	if (g->node[n].op != OP_maxpool || cop__res(g, n, 1)) return false;
	COP_ATTR(cop_bmaxpool_attr, p, g, n);
	b->bit[y] = cop__apply(b->out, OP_bmaxpool, &p, VIDS(b->bit[x]));
	return b->bit[y];
}

static cop_status one(cop_bits *b, cop_nid n)
{
	cop_blayer l;

	if (b->g->node[n].op == OP_sign) return sign(b, n);
	if (cop__bits_layer(&l, b, n)) return sums(b, &l);
	if (moved(b, n)) return COP_OK;
	return b->g->cx->code ? b->g->cx->code : floats(b, n);
}

static cop_status rewrite(cop_bits *b)
{
	size_t values = (size_t)b->g->n_value + 1;
	cop_arena *mem = &b->out->mem;

	b->bit = cop__arena_get(mem, sizeof *b->bit * values);
	b->packed = cop__arena_get(mem, sizeof *b->packed * (size_t)(b->g->n_node + 1));
	b->readers = cop__readers(b->g, mem);
	if (!b->bit || !b->packed || !b->readers) return COP_NOMEM;
	COP_TRY(cop__copy_inputs(b->out, b->g, b->map));
	for (cop_nid n = 1; n <= (cop_nid)b->g->n_node; n++) COP_TRY(one(b, n));
	for (int32_t i = 0; i < b->g->n_output; i++)
		if (!as_float(b, b->g->output[i])) return cop__failed(b->g->cx);
	return cop__copy_rest(b->out, b->g, b->map);
}

cop_status cop__pass_bits(cop_graph **out, const cop_graph *g)
{
	cop_bits b = {.g = g};

	*out = NULL;
	COP_TRY(cop__not_outline(g, "turned into bits"));
	COP_TRY(cop__copy_begin(out, g, &b.map));
	b.out = *out;
	COP_TRY(cop__pass_end(out, rewrite(&b)));
	return cop__pass_then(out, cop__pass_dce);
}

static bool has_sums(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_bconv) return true;
	return false;
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	COP_TRY(cop__pass_bits(out, g));
	if (!has_sums(*out)) cop__log(g->cx, COP_LOG_WARN, "bits: no layer of '%s' has weights of two values and reads signs, so none became a sum of bits", g->name);
	return COP_OK;
}

const cop_pass cop_pass_bits = {
        COP_ROW("bits", "turns layers between signs, with weights of two values, into sums of bits; exact"), run};
