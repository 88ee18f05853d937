/* SPDX-License-Identifier: Apache-2.0
 *
 * look - the scores of all items: gathers the numbers of each, from the weights, from derivatives batch by batch, or from what channels put out, and asks
 * the row.
 */
#include "compress/prune/score.h"

#include <math.h>
#include <stdio.h>

typedef struct looking {
	const cop_look *l;
	cop_arena mem;
	double *sum;                                     /* [items] of what the row has said */
	float *derived;                                  /* [count] gradients or curvature of a run */
	float *weight, *gradient, *curvature, *moved;    /* the numbers of one item */
} looking;

/* ---- items of weights ---- */

static void pick(float *to, const float *from, const int32_t *member, int64_t n)
{
	for (int64_t i = 0; from && i < n; i++) to[i] = from[member[i]];
}

/* What the row says of item k, the i-th of layer p. */
static float one(const looking *w, const cop_pruned *p, int64_t k, uint64_t i)
{
	const cop_look *l = w->l;
	const uint32_t reads = l->row->reads;
	const float *g = reads & COP_READS_BATCHES ? w->derived : NULL, *h = reads & COP_READS_CURVATURE ? w->derived : NULL,
		*m = reads & COP_READS_MOVED ? l->moved : NULL;
	cop_scored x = {.seed = l->a->seed, .stream = cop__hash_text(p->name), .index = i, .n = 1};

	if (l->it->of) {
		const int64_t *at = &l->it->start[k];
		const int32_t *member = l->it->member + at[0];
		x.n = at[1] - at[0];
		pick(w->weight, l->weight, member, x.n);
		pick(w->gradient, g, member, x.n);
		pick(w->curvature, h, member, x.n);
		pick(w->moved, m, member, x.n);
		x.weight = w->weight, x.gradient = g ? w->gradient : NULL, x.curvature = h ? w->curvature : NULL, x.moved = m ? w->moved : NULL;
	} else {
		x.weight = l->weight + k, x.gradient = g ? g + k : NULL, x.curvature = h ? h + k : NULL, x.moved = m ? m + k : NULL;
	}
	return l->row->of(&x, l->options);
}

static void add_all(const looking *w)
{
	const cop_items *it = w->l->it;

	for (int32_t i = 0; i < it->n_layer; i++)
		for (int64_t k = 0; k < it->layer[i].items; k++) w->sum[it->layer[i].first + k] += (double)one(w, &it->layer[i], it->layer[i].first + k, (uint64_t)k);
}

/* ---- derivatives ---- */

static void take_derivatives(const looking *w, cop_probe *p)
{
	for (int32_t i = 0; i < w->l->it->n_layer; i++) {
		const cop_pruned *l = &w->l->it->layer[i];
		const float *d = cop__probe_output(p, p->derived[i], NULL);
		if (d) memcpy(w->derived + l->offset, d, sizeof *d * (size_t)l->count);
		else memset(w->derived + l->offset, 0, sizeof *d * (size_t)l->count);
	}
}

static cop_status look_at_derivatives(const looking *w)
{
	cop_probe p;
	bool more = true;

	cop_status st = cop__probe_open(&p, w->l);
	while (!st && !(st = cop__probe_next(&p, &more)) && more) {
		take_derivatives(w, &p);
		add_all(w);
	}
	for (int64_t k = 0; k < w->l->it->n; k++) w->sum[k] /= COP_MAX(p.runs, 1);
	cop__probe_close(&p);
	return st;
}

/* ---- what channels put out ---- */

typedef struct series { float *mean, *size, *live, *pull; int32_t channels; } series; /* [channels, samples] of a layer */

/* One sample of a map [places, channels]. */
static void see(series *s, const float *a, const float *d, int64_t places, int32_t sample, int32_t samples, float batch)
{
	for (int32_t c = 0; c < s->channels; c++) {
		double mean = 0, size = 0, live = 0, pull = 0;
		for (int64_t p = 0; p < places; p++) {
			double v = (double)a[p * s->channels + c];
			mean += v;
			size += fabs(v);
			live += v != 0;
			pull += d ? v * (double)d[p * s->channels + c] : 0;
		}
		int64_t at = (int64_t)c * samples + sample;
		s->mean[at] = (float)(mean / (double)places);
		s->size[at] = (float)(size / (double)places);
		s->live[at] = (float)(live / (double)places);
		s->pull[at] = (float)(pull * (double)batch / (double)places); /* the loss is the mean over the batch */
	}
}

static cop_status take_channels(const looking *w, cop_probe *p, series *s)
{
	const int32_t samples = p->runs * p->batch;

	for (int32_t i = 0; i < w->l->it->n_layer; i++) {
		const cop_type *t;
		const float *a = cop__probe_output(p, p->out[i], &t), *d = cop__probe_output(p, p->pull[i], NULL);
		if (!a) continue;
		int64_t each = cop_type_count(t) / p->batch;
		for (int32_t b = 0; b < p->batch; b++)
			see(&s[i], a + b * each, d ? d + b * each : NULL, each / s[i].channels, (p->done - 1) * p->batch + b, samples, (float)p->batch);
	}
	return COP_OK;
}

static cop_status make_series(looking *w, series *s, int32_t samples)
{
	for (int32_t i = 0; i < w->l->it->n_layer; i++) {
		const cop_pruned *l = &w->l->it->layer[i];
		if (l->follows) continue;
		s[i].channels = (int32_t)l->rows;
		size_t n = (size_t)s[i].channels * (size_t)samples;
		float *room = cop__arena_get(&w->mem, sizeof *room * 4 * (n + 1));
		if (!room) return COP_NOMEM;
		s[i] = (series){room, room + n, room + 2 * n, room + 3 * n, s[i].channels};
	}
	return COP_OK;
}

/* The gammas of the batch norm behind a layer; NULL: none. */
static const float *scale_of(const looking *w, const cop_pruned *l)
{
	const cop_graph *g = w->l->model;
	cop_nid bn = cop__channel_of(g, cop__find(g, l->name)).bn;
	return bn ? cop__floats(g, cop__arg(g, bn, 1)) : NULL;
}

/* What is known of channel c of a layer: its series, or its gamma. */
static cop_scored channel_of(const series *s, const float *scale, int32_t c, int32_t samples)
{
	const size_t at = (size_t)c * (size_t)samples;

	if (!s) return (cop_scored){.scale = scale[c]};
	return (cop_scored){.mean = s->mean + at, .size = s->size + at, .live = s->live + at, .pull = s->pull + at, .samples = samples};
}

/* Each channel of each layer into the mean of its item. s NULL: by the scales of batch norm, where there is one. */
static cop_status add_channels(looking *w, const series *s, int32_t samples)
{
	const cop_items *it = w->l->it;
	int32_t *times = cop__arena_get(&w->mem, sizeof *times * (size_t)(it->n + 1));

	if (!times) return COP_NOMEM;
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		const float *scale = l->follows || s ? NULL : scale_of(w, l);
		if (l->follows || (!s && !scale)) continue;
		for (int32_t c = 0; c < l->rows; c++) {
			int32_t k = it->of[l->offset + c * (l->count / l->rows)];
			if (k < 0) continue;
			cop_scored x = channel_of(s ? &s[i] : NULL, scale, c, samples);
			w->sum[k] += (double)w->l->row->of(&x, w->l->options);
			times[k]++;
		}
	}
	for (int64_t k = 0; k < it->n; k++) w->sum[k] /= COP_MAX(times[k], 1);
	return COP_OK;
}

static cop_status look_at_channels(looking *w)
{
	cop_probe p;
	bool more = true;
	series *s = cop__arena_get(&w->mem, sizeof *s * (size_t)(w->l->it->n_layer + 1));

	if (w->l->row->reads & COP_READS_SCALE) return add_channels(w, NULL, 0);
	if (!s) return COP_NOMEM;
	cop_status st = cop__probe_open(&p, w->l);
	if (!st) st = make_series(w, s, p.runs * p.batch);
	while (!st && !(st = cop__probe_next(&p, &more)) && more) st = take_channels(w, &p, s);
	if (!st) st = add_channels(w, s, p.runs * p.batch);
	cop__probe_close(&p);
	return st;
}

/* ---- all of it ---- */

static cop_status begin(looking *w)
{
	const cop_items *it = w->l->it;
	size_t each = it->of ? (size_t)it->count * 4 : 4;

	cop__arena_init(&w->mem, it->cx);
	w->sum = cop__arena_get(&w->mem, sizeof *w->sum * (size_t)(it->n + 1));
	w->derived = cop__arena_get(&w->mem, (size_t)it->count * 4);
	w->weight = cop__arena_get(&w->mem, each);
	w->gradient = cop__arena_get(&w->mem, each);
	w->curvature = cop__arena_get(&w->mem, each);
	w->moved = cop__arena_get(&w->mem, each);
	return w->sum && w->derived && w->weight && w->gradient && w->curvature && w->moved ? COP_OK : COP_NOMEM;
}

static cop_status settle(looking *w)
{
	const cop_look *l = w->l;
	int32_t *order = l->row->settle ? cop__arena_get(&w->mem, sizeof *order * (size_t)(l->it->n + 1)) : NULL;

	if (l->row->settle && !order) return COP_NOMEM;
	for (int64_t k = 0; k < l->it->n; k++) l->score[k] = (float)w->sum[k];
	for (int32_t i = 0; l->row->settle && i < l->it->n_layer; i++)
		if (l->it->layer[i].items) l->row->settle(l->score + l->it->layer[i].first, l->mask + l->it->layer[i].first, l->it->layer[i].items, order);
	return COP_OK;
}

int32_t cop__score_samples(const cop_score_row *row, int32_t asked)
{
	enum { USUAL = 256 };

	return asked ? asked : row->samples ? row->samples : USUAL;
}

cop_status cop__look(const cop_look *l)
{
	looking w = {.l = l};
	const uint32_t reads = l->row->reads;

	if (l->row->all) return l->row->all(l);
	cop_status st = begin(&w);
	if (!st && reads & COP_READS_OUTPUTS) st = look_at_channels(&w);
	else if (!st && reads & (COP_READS_BATCHES | COP_READS_CURVATURE)) st = look_at_derivatives(&w);
	else if (!st) add_all(&w);
	if (!st) st = settle(&w);
	cop__arena_free(&w.mem);
	return st;
}

/* ---- what a network must have ---- */

/* Marks the items that have the channels of l: there is batch norm behind them. False: none of l may go. */
static bool mark(uint8_t *with, const cop_items *it, const cop_pruned *l, bool bn)
{
	bool goes = false;

	for (int64_t j = 0; j < l->count; j++) {
		int32_t k = it->of[l->offset + j];
		goes |= k >= 0;
		if (k >= 0 && bn) with[k] = 1;
	}
	return goes;
}

static cop_status channels_fit(const cop_graph *g, const cop_items *it, const cop_score_row *row, uint8_t *with)
{
	if (!with) return COP_NOMEM;
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		cop_channel c = l->follows ? (cop_channel){0, 0} : cop__channel_of(g, l->v);
		if (!l->follows && mark(with, it, l, c.bn != 0) && !c.out)
			return cop__error(g->cx, COP_ARG,
				"prune: by: %s looks at what channels put out, which is known of convolutions and fully "
				"connected layers alone; '%s' is read by none, or is shared by several", row->row.name, l->name);
	}
	for (int32_t i = 0; row->reads & COP_READS_SCALE && i < it->n_layer; i++)
		for (int64_t k = it->layer[i].first; k < it->layer[i].first + it->layer[i].items; k++)
			if (!with[k])
				return cop__error(g->cx, COP_ARG,
					"prune: by: %s needs batch norm behind every layer that loses channels, and '%s' has none", row->row.name,
					it->layer[i].name);
	return COP_OK;
}

/* Curvature may stop at a node: that is known before any sample is read. */
static cop_status curvature_fits(const cop_graph *g, const cop_items *it, const cop_score_row *row)
{
	cop_probe p = {.cx = g->cx, .model = g, .batch = cop__samples_held(g, 0)};
	cop_graph *made;

	cop__arena_init(&p.mem, g->cx);
	cop_status st = cop__probe_graph(&made, &p, g, it, row->reads, cop__t(g, g->output[0])->rank == 2, 0); /* of classes, as far as the network tells */
	cop_graph_free(made);
	cop__arena_free(&p.mem);
	return st;
}

cop_status cop__look_fits(const cop_graph *g, const cop_items *it, const cop_score_row *row, const char *grain)
{
	if (row->fits) return row->fits(g, it, row, grain);
	if (row->reads & COP_READS_OUTPUTS && strcmp(grain, "channel") && strcmp(grain, "head"))
		return cop__error(g->cx, COP_ARG, "prune: by: %s tells of whole channels, not of what: %s; give what: channel, or another score", row->row.name, grain);
	if (row->reads & COP_READS_OUTPUTS) {
		uint8_t *with = cop__alloc(g->cx, (size_t)it->n + 1);
		cop_status st = channels_fit(g, it, row, with);
		cop__free(g->cx, with);
		return st;
	}
	return row->reads & COP_READS_PASSED ? curvature_fits(g, it, row) : COP_OK;
}
