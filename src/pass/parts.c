/* SPDX-License-Identifier: Apache-2.0
 *
 * parts, whole - weights of which a part alone is trained, and the way back. See parts.h.
 */
#include "pass/parts.h"

#include "op/op.h"
#include "pass/pass.h"

#include <math.h>

/* A weight that is parted: its layer, the axis of the channels, and which of them are trained, ascending. */
typedef struct parted { cop_nid layer; int32_t axis, n; const int32_t *channel; } parted;
typedef struct parting { const cop_graph *g; cop_graph *out; cop_vid *map; parted *of; /* [n_value+1] */ } parting;

static bool is_layer(int op) { return op == OP_conv || op == OP_fc || op == OP_qconv; }

static int32_t groups_of(const cop_graph *g, cop_nid n) { return g->node[n].op == OP_fc ? 1 : cop__in(g, n, 0)->dim[3] / cop__in(g, n, 1)->dim[3]; }

/* Elements of w lie as [outer][channels][inner]. */
typedef struct around { int64_t outer, inner; } around;

static around around_of(const cop_type *t, int32_t axis)
{
	around a = {1, 1};

	for (int i = 0; i < axis; i++) a.outer *= t->dim[i];
	for (int i = axis + 1; i < t->rank; i++) a.inner *= t->dim[i];
	return a;
}

/* ---- which channels ---- */

/* Of each channel the sum of the squares of its weights, as reals. per: 1 / scale^2 of each filter; NULL: the weights are reals. */
static void squares(double *sum, const cop_value *w, const float *per, int32_t axis)
{
	const int32_t n = w->type.dim[axis];
	const int64_t count = cop_type_count(&w->type), inner = around_of(&w->type, axis).inner, filter = count / w->type.dim[0];

	for (int64_t i = 0; w->data && i < count; i++) {
		double v = per ? ((const int8_t *)w->data)[i] : (double)((const float *)w->data)[i];
		if (per) v = per[i / filter] > 0 ? v * v / (double)per[i / filter] : 0;
		else v *= v;
		sum[i / inner % n] += v;
	}
}

/* Those with the largest sums, in their order; of equal ones the first. */
static cop_status choose(parted *p, cop_arena *mem, const cop_value *w, const float *per)
{
	const int32_t n = w->type.dim[p->axis];
	double *sum = cop__arena_get(mem, sizeof *sum * (size_t)n);
	bool *taken = cop__arena_get(mem, (size_t)n);
	int32_t *channel = cop__arena_get(mem, sizeof *channel * (size_t)n);

	if (!sum || !taken || !channel) return COP_NOMEM;
	p->channel = channel;
	squares(sum, w, per, p->axis);
	for (int32_t k = 0; k < p->n; k++) {
		int32_t best = -1;
		for (int32_t i = 0; i < n; i++)
			if (!taken[i] && (best < 0 || sum[i] > sum[best])) best = i;
		taken[best] = true;
	}
	for (int32_t i = 0, k = 0; i < n; i++)
		if (taken[i]) channel[k++] = i;
	return COP_OK;
}

static int32_t axis_of(const cop_graph *g, cop_nid n) { return groups_of(g, n) == 1 ? cop__in(g, n, 1)->rank - 1 : 0; }

static cop_status part_of(parting *m, cop_nid n, int32_t channels)
{
	const cop_graph *g = m->g;
	const cop_vid w = cop__arg(g, n, 1);
	const cop_value *x = &g->value[w];
	const int32_t groups = groups_of(g, n);
	const float *per = x->type.dtype == COP_I8 ? cop__floats(g, cop__follower(g, w, "per")) : NULL;
	parted p = {.layer = n, .axis = axis_of(g, n), .n = channels};

	if (m->of[w].layer) return cop__error(g->cx, COP_ARG, "channels: two layers have the weights '%s', and no part of them can be trained alone", x->name);
	if (groups > 1 && (x->type.dim[3] != 1 || x->type.dim[0] != groups))
		return cop__error(g->cx, COP_ARG, "channels: '%s' has %d groups; parts are for layers without groups, and for depthwise ones", x->name, groups);
	if (x->type.dtype == COP_I8 && !per) return cop__error(g->cx, COP_ARG, "channels: '%s' has no scales: the pass trainable gives them", x->name);
	if (cop__follower(g, w, "mask") || cop__follower(g, w, "rows"))
		return cop__error(g->cx, COP_ARG, "channels: '%s' has zeros that stay, or a list of rows that are trained; no part of its channels can be trained beside that", x->name);
	COP_TRY(choose(&p, &m->out->mem, x, per));
	m->of[w] = p;
	return COP_OK;
}

static bool can_be_parted(const cop_graph *g, cop_nid n)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)];
	return is_layer(g->node[n].op) && w->role == COP_PARAM && w->type.enc == COP_DENSE;
}

static cop_status share_of(parting *m, cop_nid n, float share)
{
	const cop_graph *g = m->g;
	const int32_t all = cop__in(g, n, 1)->dim[axis_of(g, n)], some = (int32_t)((float)all * share);

	if (some) return part_of(m, n, some);
	return cop__error(g->cx, COP_ARG, "channels: of the %d channels of '%s', the part %g is none; the least is %g", all, g->value[cop__arg(g, n, 1)].name, (double)share, ceil(1e4 / all) / 1e4);
}

/* Every pattern has to find a weight. */
static cop_status find(parting *m, const char *layers, const cop_rates *channels, int32_t *found)
{
	const cop_graph *g = m->g;
	bool used[COP_MAX_RATES] = {false};

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_value *w = &g->value[cop__arg(g, n, 1)];
		if (!can_be_parted(g, n) || !cop__match(layers, w->name)) continue;
		int32_t i = 0;
		while (i < channels->n && !cop__match(channels->at[i].layers, w->name)) i++;
		if (i == channels->n) continue;
		used[i] = true;
		if (channels->at[i].value == 1) continue;
		COP_TRY(share_of(m, n, channels->at[i].value));
		++*found;
	}
	for (int32_t i = 0; i < channels->n; i++)
		if (!used[i])
			return cop__error(g->cx, COP_ARG, "channels: '%s' is the name of no weight of a convolution or fully connected layer that is trained", channels->at[i].layers);
	return COP_OK;
}

static cop_status find_sized(parting *m, const int64_t *elements)
{
	const cop_graph *g = m->g;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_vid w = cop__arg(g, n, 1);
		if (!can_be_parted(g, n) || !elements[w]) continue;
		const int32_t all = cop__t(g, w)->dim[axis_of(g, n)];
		const int64_t each = cop_type_count(cop__t(g, w)) / all, some = elements[w] / each;
		if (elements[w] % each || some > all) return cop__error(g->cx, COP_ARG, "parts: %lld elements are no part of '%s'", (long long)elements[w], g->value[w].name);
		COP_TRY(part_of(m, n, (int32_t)some));
	}
	return COP_OK;
}

/* ---- the way there ---- */

/* The bytes of a channel that lie together, and where in the whole the run-th of the part lies. */
static size_t run_bytes(const cop_type *t, const parted *p) { return (size_t)around_of(t, p->axis).inner * (size_t)cop__dtype_bits(t->dtype) / 8; }
static size_t run_count(const cop_type *t, const parted *p) { return (size_t)around_of(t, p->axis).outer * (size_t)p->n; }
static size_t run_at(const cop_type *t, const parted *p, size_t run)
{
	const size_t n = (size_t)p->n;
	return (run / n * (size_t)t->dim[p->axis] + (size_t)p->channel[run % n]) * run_bytes(t, p);
}

static void take_out(char *part, const char *whole, const cop_type *t, const parted *p)
{
	for (size_t i = 0, bytes = run_bytes(t, p); i < run_count(t, p); i++) memcpy(part + i * bytes, whole + run_at(t, p, i), bytes);
}

static void put_back(char *whole, const char *part, const cop_type *t, const parted *p)
{
	for (size_t i = 0, bytes = run_bytes(t, p); i < run_count(t, p); i++) memcpy(whole + run_at(t, p, i), part + i * bytes, bytes);
}

static cop_vid named(cop_graph *out, cop_role role, const char *weight, const char *what, const cop_type *t, const void *data)
{
	char name[COP_FOLLOWER];
	return cop__follower_name(name, out->cx, weight, what) ? 0 : cop__data(out, role, name, t, data);
}

static cop_vid make_part(parting *m, cop_vid w, const parted *p)
{
	const cop_value *x = &m->g->value[w];
	cop_type t = x->type;

	t.dim[p->axis] = p->n;
	t.q = (cop_quant){0};
	cop_vid part = named(m->out, COP_PARAM, x->name, COP_PART, &t, NULL);
	char *to = part ? cop__own(m->out, part) : NULL;
	if (to && x->data) take_out(to, x->data, &x->type, p);
	return to ? part : 0;
}

/* Of an int8 weight: the factors of the part's filters. */
static cop_status make_per(parting *m, cop_vid w, cop_vid part, const parted *p)
{
	const float *per = cop__floats(m->g, cop__follower(m->g, w, "per"));
	const cop_type t = cop__type(COP_F32, 1, cop__t(m->out, part)->dim);

	if (!per) return COP_OK;
	cop_vid made = cop__follow(m->out, part, COP_CONST, "per", &t, NULL);
	float *to = made ? cop__own(m->out, made) : NULL;
	for (int32_t i = 0; to && i < t.dim[0]; i++) to[i] = per[p->axis ? i : p->channel[i]];
	return to ? COP_OK : cop__failed(m->g->cx);
}

/* The weight as its layer reads it, just before the first node that does. */
static cop_status paste(parting *m, cop_vid w)
{
	const parted *p = &m->of[w];
	const cop_value *x = &m->g->value[w];
	const cop_type list = cop__type(COP_I32, 1, &p->n);
	cop_vid canvas = cop__data(m->out, COP_CONST, x->name, &x->type, NULL), part = canvas ? make_part(m, w, p) : 0;
	cop_vid at = part ? named(m->out, COP_CONST, x->name, "channels", &list, p->channel) : 0;

	if (!at || cop__share(m->out, canvas, m->g, w) || make_per(m, w, part, p)) return cop__failed(m->g->cx);
	m->map[w] = cop__apply(m->out, OP_paste, &(cop_paste_attr){p->axis, 0}, VIDS(canvas, part, at));
	return m->map[w] ? COP_OK : cop__failed(m->g->cx);
}

static cop_status copy_parted(parting *m)
{
	const cop_graph *g = m->g;

	COP_TRY(cop__copy_inputs(m->out, g, m->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		for (int i = 0; i < g->node[n].n_in; i++)
			if (m->of[cop__arg(g, n, i)].layer && !m->map[cop__arg(g, n, i)]) COP_TRY(paste(m, cop__arg(g, n, i)));
		COP_TRY(cop__copy_node(m->out, g, m->map, n));
	}
	for (int32_t v = 1; v <= g->n_value; v++) /* what else follows the weight follows the constant */
		if (m->of[v].layer) m->map[v] = cop__find(m->out, g->value[v].name);
	return cop__copy_rest(m->out, g, m->map);
}

static cop_status begin(parting *m, cop_graph **out, const cop_graph *g)
{
	m->g = g;
	COP_TRY(cop__copy_begin(out, g, &m->map));
	m->out = *out;
	m->of = cop__arena_get(&m->out->mem, sizeof *m->of * ((size_t)g->n_value + 1));
	return m->of ? COP_OK : cop__pass_end(out, COP_NOMEM);
}

static cop_status end(parting *m, cop_graph **out, cop_status st)
{
	if (!st) st = copy_parted(m);
	return cop__pass_end(out, st);
}

cop_status cop__pass_parts(cop_graph **out, const cop_graph *g, const char *layers, const cop_rates *channels, int32_t *found)
{
	parting m;

	*found = 0;
	COP_TRY(begin(&m, out, g));
	return end(&m, out, find(&m, layers, channels, found));
}

cop_status cop__pass_parts_of(cop_graph **out, const cop_graph *g, const int64_t *elements)
{
	parting m;

	COP_TRY(begin(&m, out, g));
	return end(&m, out, find_sized(&m, elements));
}

/* ---- the way back ---- */

static bool is_pasted(const cop_graph *g, cop_nid n)
{
	return g->node[n].op == OP_paste && cop__arg(g, n, 2) && g->value[cop__arg(g, n, 0)].role == COP_CONST && g->value[cop__arg(g, n, 1)].role == COP_PARAM;
}

/* Floats are a parameter again, int8 weights a constant. */
static cop_status join(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	const cop_value *canvas = &g->value[cop__arg(g, n, 0)], *part = &g->value[cop__arg(g, n, 1)];
	const int32_t *list = cop__ints(g, cop__arg(g, n, 2));
	COP_ATTR(cop_paste_attr, a, g, n);
	parted p = {.axis = a.axis, .n = part->type.dim[a.axis], .channel = list};

	if (!list || !part->data) return cop__fail(g, COP_ARG, n, "whole: its part is not known");
	cop_vid w = cop__data(out, canvas->type.dtype == COP_F32 ? COP_PARAM : COP_CONST, canvas->name, &canvas->type, NULL);
	if (!w || cop__share(out, w, g, cop__arg(g, n, 0))) return cop__failed(g->cx);
	char *to = cop__own(out, w);
	if (!to) return COP_NOMEM;
	put_back(to, part->data, &canvas->type, &p);
	map[cop__res(g, n, 0)] = map[cop__arg(g, n, 0)] = w;
	return COP_OK;
}

cop_status cop__pass_whole(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = is_pasted(g, n) ? join(*out, g, map, n) : cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

/* ---- rows ---- */

typedef struct parts_options { char layers[256]; cop_rates channels; } parts_options;
static const cop_option options[] = {
	COP_OPT_NAMES(parts_options, layers, "*", "which weights"),
	COP_OPT_RATES(parts_options, channels, 0, 1, "1", "the part of the channels that are trained, by name of the weight, the first that fits: conv1.w:0.5;fc*:0.25"),
	COP_OPT_END,
};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const parts_options *o = a;
	int32_t found;

	COP_TRY(cop__pass_parts(out, g, o->layers, &o->channels, &found));
	if (found) return COP_OK;
	cop_graph_free(*out);
	*out = NULL;
	return cop__error(g->cx, COP_ARG, "parts: no weight of '%s' is parted; channels= says which, and what part of its channels: channels=fc1.w:0.25", g->name);
}

const cop_pass cop_pass_parts = {
	{"parts", "of weights, only those of some channels are trained", "Lin et al. 2022, arXiv 2206.15472", options, sizeof(parts_options)}, run};

static cop_status run_whole(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_whole(out, g);
}

const cop_pass cop_pass_whole = {COP_ROW("whole", "puts the parts of weights that were trained back into the weights"), run_whole};
