/* SPDX-License-Identifier: Apache-2.0
 *
 * gram - see gram.h. The network runs as it is deployed: batch norms are folded into the weights before them, which changes what a layer puts out
 * by a factor for each row, and not what it sees.
 */
#include "compress/gram/gram.h"
#include "compress/gram/patch.h"
#include "train/policy.h"

#include <math.h>
#include <stdio.h>

static bool reads_it(const cop_graph *g, cop_nid n, cop_vid v)
{
	int op = g->node[n].op;
	return (op == OP_conv || op == OP_fc) && cop__arg(g, n, 1) == v && cop__arg(g, n, 0) != v && cop__arg(g, n, 2) != v;
}

static bool reads(const cop_graph *g, cop_nid n, cop_vid v)
{
	for (int i = 0; i < g->node[n].n_in; i++)
		if (g->node[n].in[i] == v) return true;
	return false;
}

static bool no(cop_why *why, const cop_graph *g, cop_vid v, const char *what, const char *which)
{
	if (why) snprintf(why->text, sizeof why->text, "'%.80s' %s%s", g->value[v].name, what, which);
	return false;
}

bool cop__can_gram(const cop_graph *g, cop_vid v, cop_why *why)
{
	bool any = false;

	if (!cop__can_change(g, v, why)) return false;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (!reads(g, n, v)) continue;
		any = true;
		if (!reads_it(g, n, v)) return no(why, g, v, "is read by ", cop__op(g, n)->name);
	}
	if (!any) return no(why, g, v, "is read by no layer", "");
	return cop_type_count(cop__t(g, v)) / cop__t(g, v)->dim[0] <= COP_MOST_GRAM || no(why, g, v, "has filters of too many numbers for a matrix of their products", "");
}

/* ---- all layers in one run ---- */

typedef struct gatherer {
	cop_graph *g;     /* as deployed */
	cop_watch w;
	cop_gram *m;
	int32_t n;
	cop_vid *weight;  /* [n] in g */
	float *room;      /* patches of a batch */
	uint64_t seed;
	int32_t rows_of_sample; /* samples that the model's own inputs hold */
} gatherer;

/* Of what node n reads from the samples first .. first + got. */
static cop_status add_node(gatherer *z, cop_gram *m, cop_nid n, int32_t first, int32_t got)
{
	const cop_filter f = cop__filter_of(z->g, n);
	int32_t per = COP_MAX(cop__in(z->g, n, 0)->dim[0] / COP_MAX(z->rows_of_sample, 1), 1), take = cop__positions(&f), r = 0;
	const float *x;

	COP_TRY(cop__watch_read(&z->w, z->g, n, &x));
	for (int32_t group = 0; group < f.groups; group++) {
		float *h = m->h + (size_t)group * (size_t)f.k * (size_t)f.k;
		r = 0;
		for (int32_t i = 0; i < got * per; i++)
			for (int32_t spot = 0; spot < take; spot++, r++)
				cop__patch(z->room + (size_t)r * (size_t)f.k, &f, x + (size_t)i * (size_t)(f.h * f.w * f.c), group, cop__position(&f, z->seed, n, (int64_t)first * per + i, spot));
		cop__add_products(h, z->room, z->room, r, f.k);
	}
	return COP_OK;
}

static cop_status run_all(gatherer *z, cop_dataset *d, int32_t samples)
{
	int32_t got;

	for (int32_t i = 0; i < samples; i += got) {
		COP_TRY(cop__watch_load(&z->w, &d, i, samples, &got));
		COP_TRY(cop_session_run(z->w.host.s, 0));
		for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
			for (int32_t k = 0; k < z->n; k++)
				if (reads_it(z->g, n, z->weight[k])) COP_TRY(add_node(z, &z->m[k], n, i, got));
		if (cop__stopped(z->g->cx)) return cop__error(z->g->cx, COP_STOPPED, "stopped while inputs of layers were gathered");
	}
	return COP_OK;
}

/* ---- one layer ---- */

static double norm(const float *w, int32_t k)
{
	double s = 0;
	for (int32_t i = 0; i < k; i++) s += (double)w[i] * (double)w[i];
	return sqrt(s);
}

static cop_status begin(gatherer *z, int32_t i, const cop_graph *model)
{
	cop_gram *m = &z->m[i];
	cop_ctx *cx = model->cx;
	cop_vid v = z->weight[i] = cop__find(z->g, model->value[m->weight].name);
	const float *w = cop__floats(model, m->weight), *folded = v ? cop__floats(z->g, v) : NULL;
	int32_t rows = cop__t(model, m->weight)->dim[0];

	if (!w || !folded) return cop__error(cx, COP_ARG, "'%s' is no constant weight of the deployed network", model->value[m->weight].name);
	m->k = (int32_t)(cop_type_count(cop__t(model, m->weight)) / rows);
	m->groups = 1;
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		if (reads_it(z->g, n, v)) m->groups = cop__filter_of(z->g, n).groups;
	m->h = cop__alloc(cx, sizeof *m->h * (size_t)m->groups * (size_t)m->k * (size_t)m->k);
	m->gain = cop__alloc(cx, sizeof *m->gain * (size_t)rows);
	if (!m->h || !m->gain) return COP_NOMEM;
	for (int32_t r = 0; r < rows; r++) {
		double of = norm(w + (size_t)r * (size_t)m->k, m->k);
		m->gain[r] = of > 0 ? (float)(norm(folded + (size_t)r * (size_t)m->k, m->k) / of) : 1;
	}
	return COP_OK;
}

/* Sums become means over samples. */
static void end(gatherer *z, int32_t i, int32_t samples)
{
	cop_gram *m = &z->m[i];
	double all = 1; /* positions for each that was drawn */

	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) {
		if (!reads_it(z->g, n, z->weight[i])) continue;
		const cop_filter f = cop__filter_of(z->g, n);
		all = (double)(f.oh * f.ow) / cop__positions(&f);
	}
	for (size_t j = 0; j < (size_t)m->groups * (size_t)m->k * (size_t)m->k; j++) m->h[j] = (float)((double)m->h[j] * all * 2 / samples);
}

/* The most numbers that patches of a batch take. */
static size_t room_of(const gatherer *z)
{
	size_t most = 0;

	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		for (int32_t k = 0; k < z->n; k++) {
			if (!reads_it(z->g, n, z->weight[k])) continue;
			const cop_filter f = cop__filter_of(z->g, n);
			size_t per = (size_t)COP_MAX(cop__in(z->g, n, 0)->dim[0] / COP_MAX(z->rows_of_sample, 1), 1);
			most = COP_MAX(most, (size_t)z->w.batch * per * (size_t)cop__positions(&f) * (size_t)f.k);
		}
	return most;
}

static cop_status gather(gatherer *z, const cop_graph *model, cop_dataset *d, const cop_gram_args *a)
{
	int32_t samples = a->samples > 0 ? COP_MIN(a->samples, d->count) : d->count;
	int64_t each = cop_type_count(&d->x);

	if (samples < 1) return cop__error(model->cx, COP_ARG, "data set '%s' is empty", d->name);
	if (model->n_input != 1) return cop__error(model->cx, COP_ARG, "'%s' has %d inputs; what its layers see can be gathered for one", model->name, model->n_input);
	COP_TRY(cop__pass_deploy(&z->g, model));
	if (!(z->weight = cop__alloc(model->cx, sizeof *z->weight * (size_t)(z->n + 1)))) return COP_NOMEM;
	for (int32_t i = 0; i < z->n; i++) COP_TRY(begin(z, i, model));
	COP_TRY(cop__watch_new(&z->w, z->g, COP_MIN(16, samples), each, a->threads));
	z->rows_of_sample = cop__samples_held(z->g, each);
	if (!(z->room = cop__alloc(model->cx, sizeof *z->room * room_of(z)))) return COP_NOMEM;
	COP_TRY(run_all(z, d, samples));
	for (int32_t i = 0; i < z->n; i++) end(z, i, samples);
	return COP_OK;
}

cop_status cop__grams(cop_gram *m, int32_t n, const cop_graph *model, cop_dataset *d, const cop_gram_args *a)
{
	gatherer z = {.m = m, .n = n, .seed = a->seed};
	cop_dataset *fitted = NULL;

	for (int32_t i = 0; i < n; i++) m[i].h = m[i].gain = NULL;
	cop_status st = cop__fit_for(&d, &fitted, model, d);
	if (!st) st = gather(&z, model, d, a);
	cop__watch_free(&z.w);
	cop__free(model->cx, z.weight);
	cop__free(model->cx, z.room);
	cop_graph_free(z.g);
	cop_data_free(fitted);
	return st;
}

void cop__grams_free(cop_gram *m, int32_t n, cop_ctx *cx)
{
	for (int32_t i = 0; m && i < n; i++) {
		cop__free(cx, m[i].h);
		cop__free(cx, m[i].gain);
	}
}
