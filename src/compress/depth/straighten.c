/* SPDX-License-Identifier: Apache-2.0
 *
 * straighten - rectifiers become the identity, and channels that are off become zeros before.
 */
#include "compress/depth/depth.h"
#include "pass/pass.h"

#include <stdio.h>

typedef struct folding { const cop_graph *g; cop_graph *out; cop_vid *map; const cop_rectifiers *r; const bool *goes; const int32_t *readers; } folding;

/* The layer whose rows can be set to zero for what is off in rectifier r: itself, or the one before a clip; 0: none. */
static cop_nid layer_of(const folding *f, const cop_rectifier *r)
{
	const cop_graph *g = f->g;
	cop_nid n = r->node;

	if (g->node[n].op == OP_clip) {
		if (f->readers[cop__arg(g, n, 0)] != 1) return 0;
		n = g->value[cop__arg(g, n, 0)].producer;
	}
	if (!n || (g->node[n].op != OP_conv && g->node[n].op != OP_fc)) return 0;
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);
	return cop__floats(g, w) && f->readers[w] == 1 && (!b || (cop__floats(g, b) && f->readers[b] == 1)) ? n : 0;
}

/* The batch norm between that layer and a clip, whose scale and shift go, too; 0: there is none, or others read it. */
static cop_nid norm_of(const folding *f, const cop_rectifier *r)
{
	const cop_graph *g = f->g;
	cop_nid n = g->node[r->node].op == OP_clip ? g->value[cop__arg(g, r->node, 0)].producer : r->node;

	if (!n || g->node[n].op != OP_bn || (n != r->node && f->readers[cop__res(g, n, 0)] != 1)) return 0;
	for (int i = 1; i < 3; i++)
		if (!cop__floats(g, cop__arg(g, n, i)) || f->readers[cop__arg(g, n, i)] != 1) return 0;
	return n;
}

static cop_status clear_rows(cop_graph *g, cop_nid n, const cop_rectifier *r)
{
	for (int i = 1; i < 3; i++) {
		cop_vid v = cop__arg(g, n, i);
		float *w = v ? cop__own(g, v) : NULL;
		int64_t each = v ? cop_type_count(cop__t(g, v)) / r->channels : 0;
		if (v && !w) return COP_NOMEM;
		for (int32_t c = 0; v && c < r->channels; c++)
			if (!r->on[c]) memset(w + c * each, 0, sizeof *w * (size_t)each);
	}
	return COP_OK;
}

/* Where zeros make the channels that are off 0: in a layer's weight and bias, or in a norm's scale and shift. */
static cop_nid cleared_at(const folding *f, const cop_rectifier *r)
{
	cop_nid n = norm_of(f, r);
	return n ? n : layer_of(f, r);
}

static bool some_off(const cop_rectifier *r)
{
	for (int32_t c = 0; c < r->channels; c++)
		if (!r->on[c]) return true;
	return false;
}

/* Its input, or its result without the bound; times 0 where a channel is off and no rows are cleared for it. */
static cop_status straight(folding *f, const cop_rectifier *r)
{
	const cop_graph *g = f->g;
	cop_node d = g->node[r->node];
	cop_vid y;

	if (d.op == OP_clip) {
		y = cop__copy_value(f->out, g, f->map, d.in[0]);
	} else {
		COP_TRY(cop__copy_as(f->out, g, f->map, r->node, &d));
		cop__act_set(f->out, f->out->value[f->map[r->y]].producer, COP_NO_LO, COP_NO_HI);
		y = f->map[r->y];
	}
	if (y && some_off(r) && !cleared_at(f, r)) {
		char name[40];
		cop_type t = cop__type(COP_F32, 1, &r->channels);
		snprintf(name, sizeof name, "on%u", (unsigned)r->node);
		cop_vid on = cop__find(f->out, name) ? 0 : cop__data(f->out, COP_CONST, name, &t, NULL);
		float *v = on ? cop__own(f->out, on) : NULL;
		for (int32_t c = 0; v && c < r->channels; c++) v[c] = r->on[c] != 0;
		y = v ? cop__apply(f->out, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(y, on)) : 0;
	}
	if (!y) return cop__failed(g->cx);
	if (y != f->map[r->y]) cop__map_to(f->out, g, f->map, r->y, y);
	return COP_OK;
}

static cop_status rewrite(folding *f)
{
	const cop_graph *g = f->g;

	COP_TRY(cop__copy_inputs(f->out, g, f->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_rectifier *r = NULL;
		for (int32_t i = 0; i < f->r->n; i++)
			if (f->r->at[i].node == n && f->goes[i]) r = &f->r->at[i];
		if (r) COP_TRY(straight(f, r));
		else COP_TRY(cop__copy_node(f->out, g, f->map, n));
	}
	return cop__copy_rest(f->out, g, f->map);
}

cop_status cop__straighten(cop_graph **out, cop_graph *g, const cop_rectifiers *r, const bool *goes)
{
	folding f = {.g = g, .r = r, .goes = goes};

	COP_TRY(cop__copy_begin(out, g, &f.map));
	f.out = *out;
	cop_status st = (f.readers = cop__readers(g, &f.out->mem)) ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < r->n; i++) {
		cop_nid n = goes[i] ? cleared_at(&f, &r->at[i]) : 0;
		if (n) st = clear_rows(g, n, &r->at[i]);
	}
	if (!st) st = rewrite(&f);
	return cop__pass_end(out, st);
}
