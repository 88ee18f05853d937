/* SPDX-License-Identifier: Apache-2.0
 *
 * adapters - products of two thin matrices from what layers read to the scores (Skip2-LoRA: Matsutani et al. 2024): y += up (down x) for each layer, where
 * x is the mean over a feature map, or over cells of it. They alone are trained, so a gradient passes through no layer. All the x, and what the last layer reads, are one value,
 * "adapters.x": a place to cut the network, so what its layers put out for a sample need be computed once (`prefix`, `front`, `back`).
 *
 * `down` is drawn at random and `up` is zeros, so the network answers as before. A last layer of integers, which is not trained, lies before that value
 * with its scores in it; one of floats lies behind it.
 */
#include "op/qscale.h"
#include "pass/pass.h"

enum { MOST = 64 }; /* of layers, and the scores */
typedef struct adapters_options { char layers[256]; int32_t rank, cells, seed; } adapters_options;
typedef struct adding {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	double *scale;            /* [n_value+1] of integers */
	const adapters_options *o;
	cop_nid last;             /* the layer that makes the scores */
	cop_vid in[MOST], of[MOST]; /* rows that are put side by side, and what they are made of in g */
	int n;
} adding;

static const cop_option options[] = {
	COP_OPT_NAMES(adapters_options, layers, "*", "the layers whose inputs have an adapter, by the names of their weights"),
	COP_OPT_WHOLE(adapters_options, rank, 1, 4096, "4", "of the product of both matrices"),
	COP_OPT_WHOLE(adapters_options, cells, 1, 64, "1", "of a feature map means are taken over so many by so many cells, not over all of it"),
	COP_OPT_WHOLE(adapters_options, seed, 0, 1 << 30, "1", "of the weights' draws"),
	COP_OPT_END,
};

/* ---- what layers read ---- */

static bool is_layer(const cop_graph *g, cop_nid n)
{
	const int op = g->node[n].op, rank = cop__in(g, n, 0)->rank;
	return (op == OP_conv || op == OP_fc || op == OP_qconv) && (rank == 2 || rank == 4) && cop__in(g, n, 0)->dtype != COP_I16;
}

/* The means over a map's cells. They overlap by a few pixels where its size is no multiple of their number. */
static cop_vid pooled(adding *a, cop_vid x, int32_t zero)
{
	const cop_type *t = cop__t(a->out, x);
	const int32_t h = t->dim[1], w = t->dim[2], ch = COP_MIN(h, a->o->cells), cw = COP_MIN(w, a->o->cells);

	if (t->rank == 2 || (h == ch && w == cw && t->dtype != COP_F32)) return x;
	const int32_t sh = h / ch, sw = w / cw, kh = h - (ch - 1) * sh, kw = w - (cw - 1) * sw;
	if (t->dtype != COP_F32) return cop__apply(a->out, OP_qavgpool, &(cop_qavgpool_attr){.kh = kh, .kw = kw, .sh = sh, .sw = sw, .zx = zero, .zy = zero, .qlo = -128, .qhi = 127}, VIDS(x));
	x = cop__apply(a->out, OP_avgpool, &(cop_pool_attr){.kh = kh, .kw = kw, .sh = sh, .sw = sw}, VIDS(x));
	return x ? cop__apply(a->out, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x)) : 0;
}

static cop_status take(adding *a, cop_vid of, int32_t zero)
{
	for (int i = 0; i < a->n; i++)
		if (a->of[i] == of) return COP_OK;
	if (a->n == MOST) return cop__error(a->g->cx, COP_ARG, "adapters: '%s' has more than %d layers; name fewer of them, with layers=", a->g->name, MOST - 1);
	a->of[a->n] = of;
	a->in[a->n] = cop__as_rows(a->out, pooled(a, a->map[of], zero), (float)a->scale[of], zero);
	return a->in[a->n++] ? COP_OK : cop__failed(a->g->cx);
}

static cop_status take_input(adding *a, cop_nid n)
{
	cop_qconv_attr q = {0};

	if (a->g->node[n].op == OP_qconv) memcpy(&q, a->g->node[n].attr, sizeof q);
	return take(a, cop__arg(a->g, n, 0), q.zx);
}

/* Copies the network up to its last layer, and reads what the layers on the way read. */
static cop_status body(adding *a)
{
	const cop_graph *g = a->g;

	COP_TRY(cop__copy_inputs(a->out, g, a->map));
	for (cop_nid n = 1; n <= a->last; n++) {
		const cop_vid w = cop__arg(g, n, 1);
		if (is_layer(g, n) && g->value[w].role >= COP_CONST && g->value[w].name && cop__match(a->o->layers, g->value[w].name)) COP_TRY(take_input(a, n));
		if (n < a->last) COP_TRY(cop__copy_node(a->out, g, a->map, n));
	}
	return a->n ? COP_OK : cop__error(g->cx, COP_ARG, "adapters: '%s' has no convolution or fully connected layer named '%s'", g->name, a->o->layers);
}

/* ---- the scores ---- */

static cop_vid part(adding *a, cop_vid all, int32_t from, int32_t size)
{
	return cop__apply(a->out, OP_slice, &(cop_slice_attr){{0, from}, {0, size}, {1, 1, 1, 1, 1, 1}}, VIDS(all));
}

static cop_vid adapter(adding *a, int i, cop_vid x, cop_vid y)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t in = cop__t(a->out, x)->dim[1], scores = cop__t(a->out, y)->dim[1], rank = COP_MIN(a->o->rank, COP_MIN(in, scores));
	const cop_type t = cop__type(COP_F32, 2, DIMS(scores, rank));
	char down[32], up[32];

	cop__format(down, sizeof down, "adapter%d.down.w", i + 1);
	cop__format(up, sizeof up, "adapter%d.up.w", i + 1);
	x = cop__apply(a->out, OP_fc, &none, VIDS(x, cop__drawn(a->out, down, rank, in, a->o->seed)));
	x = cop__apply(a->out, OP_fc, &none, VIDS(x, cop__data(a->out, COP_PARAM, up, &t, NULL)));
	return cop__apply(a->out, OP_add, &none, VIDS(y, x));
}

/* The last layer again, without its name, which the sum will have. */
static cop_vid last_layer(adding *a, cop_vid x)
{
	const cop_node *n = &a->g->node[a->last];
	cop_vid in[COP_MAX_IN] = {x};

	for (int i = 1; i < n->n_in; i++)
		if (n->in[i] && !(in[i] = cop__copy_value(a->out, a->g, a->map, n->in[i]))) return 0;
	return x ? cop__apply(a->out, n->op, n->attr, n->n_in, in) : 0;
}

static bool is_float(const adding *a) { return a->g->node[a->last].op == OP_fc; }

/* What the last layer reads is in the cut, too, or if it is of integers what it gives. *base: where. */
static cop_status base(adding *a, int *base)
{
	const cop_vid x = cop__arg(a->g, a->last, 0), y = cop__res(a->g, a->last, 0);
	cop_qconv_attr q;

	if (is_float(a)) COP_TRY(take_input(a, a->last));
	for (*base = 0; *base < a->n && a->of[*base] != x;) ++*base;
	if (is_float(a)) return COP_OK;
	*base = a->n;
	memcpy(&q, a->g->node[a->last].attr, sizeof q);
	a->map[y] = last_layer(a, a->map[x]);
	return a->map[y] ? take(a, y, q.zy) : cop__failed(a->g->cx);
}

/* The rows side by side, and cut[n] again: those behind the value. */
static cop_status cut_rows(adding *a, cop_vid *cut)
{
	int32_t size[MOST];

	for (int i = 0; i < a->n; i++) size[i] = cop__t(a->out, a->in[i])->dim[1];
	const cop_vid all = cop__joined(a->out, 1, a->in, a->n);
	if (!all) return cop__failed(a->g->cx);
	cop__name(a->out, all, "adapters.x");
	for (int32_t i = 0, from = 0; i < a->n; from += size[i++]) cut[i] = part(a, all, from, size[i]);
	return COP_OK;
}

static cop_status add(adding *a)
{
	cop_vid cut[MOST];
	int at;

	COP_TRY(body(a));
	const int adapters = a->n;
	COP_TRY(base(a, &at));
	COP_TRY(cut_rows(a, cut));
	cop_vid y = is_float(a) ? last_layer(a, cut[at]) : cut[at];
	for (int i = 0; y && i < adapters; i++) y = adapter(a, i, cut[i], y);
	return y ? cop__output(a->out, y, a->g->value[a->g->output[0]].name) : cop__failed(a->g->cx);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *o)
{
	adding a = {.g = g, .o = o, .last = cop__scores_layer(g)};

	*out = NULL;
	if (cop__find(g, "adapters.x")) return cop__error(g->cx, COP_ARG, "adapters: '%s' has adapters already", g->name);
	if (!a.last) return cop__error(g->cx, COP_ARG, "adapters: '%s' does not end in a fully connected layer that gives the scores, so there is nothing to add to", g->name);
	COP_TRY(cop__copy_begin(&a.out, g, &a.map));
	a.scale = cop__arena_get(&a.out->mem, sizeof *a.scale * ((size_t)g->n_value + 1));
	if (a.scale) cop__int_scales(a.scale, g);
	cop_status st = a.scale ? add(&a) : COP_NOMEM;
	if (!st) st = cop__pass_dce(out, a.out);
	cop_graph_free(a.out);
	return st;
}

const cop_pass cop_pass_adapters = {
	{"adapters", "adds low-rank adapters from what layers read to the scores, to be trained alone", "Matsutani et al. 2024, Skip2-LoRA, arXiv 2410.21073", options, sizeof(adapters_options)}, run};
