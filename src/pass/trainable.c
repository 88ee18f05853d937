/* SPDX-License-Identifier: Apache-2.0
 *
 * trainable - int8 layers whose weights and biases are trained as they are. They become parameters, which lie in RAM; what is not named stays where it
 * is, in flash. A trained weight changes the part of the bias that stands for the zero of its input, so that part becomes a node of its own (qfold).
 * Each parameter gets a follower, "per": 1 / scale^2 of each filter, with which a step on integers is the step of the floats that they stand for
 * (quantisation-aware scaling, Lin et al. 2022, arXiv 2206.15472, section 3.1).
 *
 * settled - the way back: constants, each bias in one number.
 */
#include "op/qscale.h"
#include "pass/pass.h"

typedef struct trainable_options { char layers[256]; } trainable_options;
typedef struct making { const cop_graph *g; cop_graph *out; cop_vid *map; const char *layers; double *scale; int32_t found; } making;

static bool chosen(const making *m, cop_vid v) { return cop__match(m->layers, m->g->value[v].name); }

/* One that is not trainable yet. */
static bool is_layer(const cop_graph *g, cop_nid n)
{
	return g->node[n].op == OP_qconv && g->value[cop__arg(g, n, 1)].role == COP_CONST && g->value[cop__arg(g, n, 2)].role == COP_CONST;
}

static cop_status check(const making *m, cop_nid n)
{
	const cop_graph *g = m->g;
	const cop_value *w = &g->value[cop__arg(g, n, 1)];

	if (w->type.dtype != COP_I8 || cop__in(g, n, 0)->dtype != COP_I8)
		return cop__error(g->cx, COP_ARG, "trainable: '%s' is not of int8 weights and int8 values, and only those are trained", w->name);
	for (int i = 1; i < 4; i++)
		if (!g->value[cop__arg(g, n, i)].data) return cop__error(g->cx, COP_ARG, "trainable: '%s' has no contents", g->value[cop__arg(g, n, i)].name);
	return COP_OK;
}

/* 1 / scale^2 of each filter: of weights s_y real / s_x, of biases s_y real. */
static cop_status scale_of(const making *m, cop_vid v, cop_nid n, double to)
{
	const cop_graph *g = m->g;
	COP_ATTR(cop_qconv_attr, a, g, n);
	int32_t o = cop__in(g, n, 1)->dim[0];
	cop_type t = cop__type(COP_F32, 1, &o);
	float *per = cop__arena_get(&m->out->mem, sizeof *per * (size_t)o);

	for (int32_t i = 0; per && i < o; i++) {
		double s = to * cop__qconv_real(&a, &g->value[cop__arg(g, n, 3)], i);
		per[i] = (float)(s > 1e-18 ? 1 / (s * s) : 0); /* a channel without a scale stays */
	}
	return per && cop__follow(m->out, v, COP_CONST, "per", &t, per) ? COP_OK : cop__failed(g->cx);
}

/* The biases of a layer with by times the sum of each filter's weights added; NULL: no memory, or they are not known. */
static int32_t *shifted(cop_graph *out, const cop_value *bias, const cop_value *weight, int32_t by)
{
	const int32_t o = weight->type.dim[0], k = (int32_t)(cop_type_count(&weight->type) / o), *b = bias->data;
	const int8_t *q = weight->data;
	int32_t *to = b && q ? cop__arena_get(&out->mem, sizeof *to * (size_t)o) : NULL;

	for (int32_t i = 0; to && i < o; i++) {
		int32_t sum = 0;
		for (int32_t j = 0; j < k; j++) sum += q[i * k + j];
		to[i] = (int32_t)((uint32_t)b[i] + (uint32_t)by * (uint32_t)sum);
	}
	return to;
}

/* A parameter for the weight or the bias v of layer n, with these contents. */
static cop_vid parameter(making *m, cop_vid v, const void *data, cop_nid n, double scale)
{
	const cop_value *old = &m->g->value[v];

	if (m->map[v]) return cop__error(m->g->cx, COP_ARG, "trainable: two layers have the weights '%s'", old->name), 0;
	cop_vid p = cop__data(m->out, COP_PARAM, old->name, &old->type, data);
	m->map[v] = p;
	return p && !scale_of(m, p, n, scale) ? p : 0;
}

static cop_status layer(making *m, cop_nid n)
{
	const cop_graph *g = m->g;
	const cop_node *old = &g->node[n];
	cop_node node = *old;
	COP_ATTR(cop_qconv_attr, a, g, n);
	const double y = m->scale[old->out[0]], x = m->scale[old->in[0]];
	const bool w_too = chosen(m, old->in[1]), b_too = chosen(m, old->in[2]), fold = w_too && a.zx;

	COP_TRY(check(m, n));
	if (!(x > 0) || !(y > 0)) return cop__fail(g, COP_ARG, n, "trainable: the scales of its integers are not known");
	const void *bias = fold ? shifted(m->out, &g->value[old->in[2]], &g->value[old->in[1]], a.zx) : g->value[old->in[2]].data;
	cop_vid w = w_too ? parameter(m, old->in[1], g->value[old->in[1]].data, n, y / x) : cop__copy_value(m->out, g, m->map, old->in[1]);
	cop_vid b = b_too ? parameter(m, old->in[2], bias, n, y) : fold ? cop__data(m->out, COP_CONST, g->value[old->in[2]].name, cop__t(g, old->in[2]), bias)
		: cop__copy_value(m->out, g, m->map, old->in[2]);
	if (!bias || !w || !b) return cop__failed(g->cx);
	m->map[old->in[2]] = fold ? cop__apply(m->out, OP_qfold, &(cop_qfold_attr){a.zx}, VIDS(b, w)) : b;
	m->found++;
	a.coded = a.shift = 0; /* weights that change are neither */
	memcpy(node.attr, &a, sizeof a);
	return m->map[old->in[2]] ? cop__copy_as(m->out, g, m->map, n, &node) : cop__failed(g->cx);
}

static cop_status all_layers(making *m)
{
	const cop_graph *g = m->g;

	COP_TRY(cop__copy_inputs(m->out, g, m->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		bool mine = is_layer(g, n) && (chosen(m, cop__arg(g, n, 1)) || chosen(m, cop__arg(g, n, 2)));
		COP_TRY(mine ? layer(m, n) : cop__copy_node(m->out, g, m->map, n));
	}
	return cop__copy_rest(m->out, g, m->map);
}

cop_status cop__pass_trainable(cop_graph **out, const cop_graph *g, const char *layers, int32_t *found)
{
	making m = {.g = g, .layers = layers};

	COP_TRY(cop__copy_begin(out, g, &m.map));
	m.out = *out;
	m.scale = cop__arena_get(&m.out->mem, sizeof *m.scale * ((size_t)g->n_value + 1));
	cop_status st = m.scale ? COP_OK : COP_NOMEM;
	if (!st) cop__int_scales(m.scale, g);
	if (!st) st = all_layers(&m);
	*found = m.found;
	return cop__pass_end(out, st);
}

static const cop_option options[] = {
	COP_OPT_NAMES(trainable_options, layers, "*", "which weights and biases"),
	COP_OPT_END,
};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const trainable_options *o = a;
	int32_t found;

	COP_TRY(cop__pass_trainable(out, g, o->layers, &found));
	if (found) return COP_OK;
	cop_graph_free(*out);
	*out = NULL;
	return cop__error(g->cx, COP_ARG, "trainable: '%s' has no int8 layer with weights or a bias named '%s'", g->name, o->layers);
}

const cop_pass cop_pass_trainable = {
	{"trainable", "makes int8 layers trainable: their weights and biases become parameters", "Lin et al. 2022, arXiv 2206.15472", options, sizeof(trainable_options)}, run};

/* ---- settled ---- */

static bool is_step(const cop_value *v) { return v->role == COP_PARAM && (v->type.dtype == COP_I8 || v->type.dtype == COP_I32); }

/* The bias of a layer in one number for each filter. */
static cop_status settle_fold(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const cop_value *b = &g->value[cop__arg(g, n, 0)], *w = &g->value[cop__arg(g, n, 1)];
	COP_ATTR(cop_qfold_attr, a, g, n);

	if (!b->data || !w->data) return cop__fail(g, COP_ARG, n, "settled: its weights are not known");
	const int32_t *y = shifted(out, b, w, -a.zx);
	cop_vid v = y ? cop__data(out, COP_CONST, b->name, &b->type, y) : 0;
	if (!v) return cop__failed(g->cx);
	cop__map_to(out, g, map, cop__res(g, n, 0), v);
	map[cop__arg(g, n, 0)] = v;
	return COP_OK;
}

cop_status cop__pass_settled(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		st = g->node[n].op == OP_qfold ? settle_fold(*out, g, map, n) : cop__copy_node(*out, g, map, n);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (is_step(&g->value[v]) && map[v]) (*out)->value[map[v]].role = COP_CONST;
	if (!st) st = cop__copy_end(*out, g, map); /* factors of steps stay behind */
	return cop__pass_end(out, st);
}

static cop_status run_settled(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_settled(out, g);
}

const cop_pass cop_pass_settled = {COP_ROW("settled", "makes constants of the weights and biases of int8 layers that were trained"), run_settled};
