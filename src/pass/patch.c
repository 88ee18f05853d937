/* SPDX-License-Identifier: Apache-2.0
 *
 * patch - the first part of a network, up to a value, is computed band by band (rows of its result), so that its large
 * activations are never in memory whole. Bands overlap by what their windows need: rows are computed twice, at a price in
 * multiply-accumulates that the caller sees. Results keep their bits (MCUNetV2, arXiv 2110.15352, section 3).
 *
 * What each value must hold for a band is walked backwards from the band; forwards, nodes are copied on these rows, windows
 * with the padding that is left at the border. Rows that a reader does not want are sliced off.
 */
#include "pass/pass.h"

typedef struct rows { int32_t lo, hi; } rows; /* none: lo >= hi */

typedef struct patch {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;      /* of values behind the part, and of its weights */
	bool *in;          /* [n_node+1] nodes of the part */
	rows *need;        /* [n_value+1] for the band at hand */
	cop_vid *now;      /* [n_value+1] the band's values in `out` */
	cop_vid end;
} patch;

/* A window along the rows: kernel (dilated), stride, padding before. False: the node works row by row. */
static bool window(const cop_graph *g, cop_nid n, int32_t *k, int32_t *stride, int32_t *before)
{
	const int32_t *a = g->node[n].attr;

	switch (g->node[n].op) {
	case OP_conv:
	case OP_qconv: /* sh sw pt pl pb pr dh dw */
		*k = (cop__in(g, n, 1)->dim[1] - 1) * a[6] + 1, *stride = a[0], *before = a[2];
		return true;
	case OP_maxpool:
	case OP_avgpool:
	case OP_qavgpool: /* kh kw sh sw pt pl pb pr */
		*k = a[0], *stride = a[2], *before = a[4];
		return true;
	default: return false;
	}
}

static int pad_word(int op) { return op == OP_conv || op == OP_qconv ? 2 : 4; } /* pt pl pb pr lie there */

static bool by_row(const cop_graph *g, cop_nid n)
{
	for (int i = 0; i < g->node[n].n_in; i++) {
		const cop_type *t = cop__in(g, n, i);
		if (t->rank == 4 && (t->dim[1] != cop__outt(g, n, 0)->dim[1] || g->value[cop__arg(g, n, i)].role >= COP_CONST)) return false;
	}
	return cop__op(g, n)->flags & COP_OP_ELTWISE || g->node[n].op == OP_bn || g->node[n].op == OP_add;
}

/* The nodes before `end`: all must work on rows of pictures. */
static cop_status find_part(patch *p)
{
	const cop_graph *g = p->g;
	bool *wanted = cop__arena_get(&p->out->mem, (size_t)g->n_value + 1);
	int32_t k, s, b;

	if (!wanted) return COP_NOMEM;
	wanted[p->end] = true;
	for (cop_nid n = (cop_nid)g->n_node; n; n--) {
		cop_vid y = cop__res(g, n, 0);
		if (!wanted[y]) continue;
		if (cop__t(g, y)->rank != 4 || cop__res(g, n, 1) || g->node[n].guard || !(window(g, n, &k, &s, &b) || by_row(g, n)))
			return cop__fail(g, COP_ARG, n, "patch: does not work row by row");
		p->in[n] = true;
		for (int i = 0; i < g->node[n].n_in; i++) wanted[cop__arg(g, n, i)] = true;
	}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; !p->in[n] && i < g->node[n].n_in; i++) {
			cop_nid by = g->value[cop__arg(g, n, i)].producer;
			if (by && p->in[by] && cop__arg(g, n, i) != p->end) return cop__fail(g, COP_ARG, n, "patch: reads a value within the part");
		}
	return COP_OK;
}

/* What the band's nodes read, from the last one back. */
static void find_rows(patch *p, rows band)
{
	const cop_graph *g = p->g;

	memset(p->need, 0, sizeof *p->need * (size_t)(g->n_value + 1));
	p->need[p->end] = band;
	for (cop_nid n = (cop_nid)g->n_node; n; n--) {
		rows y = p->need[cop__res(g, n, 0)], x = y;
		int32_t k, s, b;
		if (!p->in[n] || y.lo >= y.hi) continue;
		if (window(g, n, &k, &s, &b)) x = (rows){COP_MAX(0, y.lo * s - b), COP_MIN(cop__in(g, n, 0)->dim[1], (y.hi - 1) * s - b + k)};
		for (int i = 0; i < g->node[n].n_in; i++) {
			rows *r = &p->need[cop__arg(g, n, i)];
			if (cop__in(g, n, i)->rank != 4 || g->value[cop__arg(g, n, i)].role >= COP_CONST) continue;
			*r = r->lo >= r->hi ? x : (rows){COP_MIN(r->lo, x.lo), COP_MAX(r->hi, x.hi)};
		}
	}
}

/* Rows [want) of value v, of which the band has p->need[v]; all of it when v is an input. */
static cop_vid take(patch *p, cop_vid v, rows want)
{
	const cop_value *x = &p->g->value[v];
	bool input = x->role == COP_INPUT;
	rows have = input ? (rows){0, x->type.dim[1]} : p->need[v];
	cop_vid all = input ? p->map[v] : p->now[v];

	if (!all || (have.lo == want.lo && have.hi == want.hi)) return all;
	return cop__apply(p->out, OP_slice, &(cop_slice_attr){.from = {0, want.lo - have.lo}, .size = {0, want.hi - want.lo}}, VIDS(all));
}

static cop_status band_node(patch *p, cop_nid n)
{
	const cop_graph *g = p->g;
	cop_node d = g->node[n];
	rows y = p->need[d.out[0]], x = y;
	int32_t k, s, b;

	if (window(g, n, &k, &s, &b)) {
		int32_t from = y.lo * s - b, to = (y.hi - 1) * s - b + k, h = cop__in(g, n, 0)->dim[1], *pad = &d.attr[pad_word(d.op)];
		x = (rows){COP_MAX(0, from), COP_MIN(h, to)};
		pad[0] = COP_MAX(0, -from);
		pad[2] = COP_MAX(0, to - h);
	}
	for (int i = 0; i < d.n_in; i++) {
		cop_vid v = d.in[i];
		if (!v) continue;
		bool picture = cop__t(g, v)->rank == 4 && g->value[v].role < COP_CONST;
		d.in[i] = picture ? take(p, v, x) : cop__copy_value(p->out, g, p->map, v);
		if (!d.in[i]) return cop__failed(g->cx);
	}
	p->now[d.out[0]] = cop__apply(p->out, d.op, d.attr, d.n_in, d.in);
	return p->now[d.out[0]] ? COP_OK : g->cx->code;
}

/* One band, and its rows onto the canvas: the first one makes it. */
static cop_status put_band(patch *p, rows band, cop_vid *canvas)
{
	const cop_graph *g = p->g;
	int32_t h = cop__t(g, p->end)->dim[1];

	find_rows(p, band);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (p->in[n]) COP_TRY(band_node(p, n));
	cop_vid part = p->now[p->end];
	if (!*canvas) *canvas = cop__apply(p->out, OP_pad, &(cop_pad_attr){.before = {0, band.lo}, .after = {0, h - band.hi}}, VIDS(part));
	else *canvas = cop__apply(p->out, OP_paste, &(cop_paste_attr){1, band.lo}, VIDS(*canvas, part));
	return *canvas ? COP_OK : g->cx->code;
}

static cop_status build(patch *p, int32_t bands)
{
	const cop_graph *g = p->g;
	int32_t h = cop__t(g, p->end)->dim[1];
	cop_vid canvas = 0;

	COP_TRY(find_part(p));
	for (int32_t i = 0; i < bands; i++) COP_TRY(put_band(p, (rows){h * i / bands, h * (i + 1) / bands}, &canvas));
	cop__map_to(p->out, g, p->map, p->end, canvas);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (!p->in[n]) COP_TRY(cop__copy_node(p->out, g, p->map, n));
	return COP_OK;
}

cop_status cop__pass_patch(cop_graph **out, const cop_graph *g, cop_vid end, int32_t bands)
{
	patch p = {.g = g, .end = end};

	*out = NULL;
	if (!end || !g->value[end].producer || cop__t(g, end)->rank != 4)
		return cop__error(g->cx, COP_ARG, "patch: the part must end at the result of a layer on pictures");
	if (bands < 2 || bands > cop__t(g, end)->dim[1]) return cop__error(g->cx, COP_ARG, "patch: bands=%d must lie within 2 to %d", bands, cop__t(g, end)->dim[1]);
	COP_TRY(cop__copy_begin(out, g, &p.map));
	p.out = *out;
	cop_status st = cop__copy_inputs(*out, g, p.map);
	p.in = cop__arena_get(&p.out->mem, (size_t)g->n_node + 1);
	p.need = cop__arena_get(&p.out->mem, sizeof *p.need * (size_t)(g->n_value + 1));
	p.now = cop__arena_get(&p.out->mem, sizeof *p.now * (size_t)(g->n_value + 1));
	if (!st && (!p.in || !p.need || !p.now)) st = COP_NOMEM;
	if (!st) st = build(&p, bands);
	if (!st) st = cop__copy_rest(*out, g, p.map);
	return cop__pass_end(out, st);
}

typedef struct patch_options { char at[128]; int32_t bands; } patch_options;
static const cop_option options[] = {
	COP_OPT_TEXT(patch_options, at, NULL, "the last layer that is computed in bands: the name of its weight or its result"),
	COP_OPT_WHOLE(patch_options, bands, 2, 1 << 20, "2", "how many bands"),
	COP_OPT_END,
};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const patch_options *o = a;

	*out = NULL;
	if (!cop__result_named(g, o->at)) return cop__error(g->cx, COP_ARG, "patch: at='%s': there is no such layer", o->at);
	return cop__pass_patch(out, g, cop__result_named(g, o->at), o->bands);
}

const cop_pass cop_pass_patch = {{"patch",
	"computes the first layers band by band, so that less memory is in use; same bits", NULL, options,
	sizeof(patch_options)}, run};
