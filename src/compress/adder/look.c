/* SPDX-License-Identifier: Apache-2.0
 *
 * look - what samples show of the sums of layers (adder.h).
 */
#include "compress/adder/adder.h"
#include "compress/watch.h"

#include <math.h>

enum { BATCH = 16 };

typedef struct looking {
	cop_sums *of;
	const cop_graph *g;
	const uint8_t *chosen;
	cop_graph *shown; /* the network as it answers, with the sums as its last outputs */
	int32_t first;    /* of these */
} looking;

/* The layers' results become outputs, so that no batch norm is folded into them. */
static cop_status show(looking *l)
{
	const cop_graph *g = l->g;
	cop_vid *map;

	COP_TRY(cop__copy_begin(&l->shown, g, &map));
	cop_status st = cop__copy_inputs(l->shown, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(l->shown, g, map, n);
	if (!st) st = cop__copy_rest(l->shown, g, map);
	l->first = l->shown->n_output;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (l->chosen[n]) st = cop__output(l->shown, map[cop__res(g, n, 0)], NULL);
	COP_TRY(cop__pass_end(&l->shown, st));
	return cop__pass_then(&l->shown, cop__pass_to_infer);
}

static cop_status begin(cop_sums *s, cop_arena *mem, int32_t n)
{
	size_t all = (size_t)n * (size_t)n;

	*s = (cop_sums){.n = n, .mean = cop__arena_get(mem, sizeof *s->mean * (2 * (size_t)n + all))};
	if (!s->mean) return COP_NOMEM;
	s->var = s->mean + n, s->unmixing = s->var + n;
	for (int32_t i = 0; i < n * n; i++) s->unmixing[i] = cop__unmixing(n, i / n, i % n);
	return COP_OK;
}

/* z[n]: the sums at one position. */
static void add(cop_sums *s, const float *z)
{
	for (int32_t i = 0; i < s->n; i++) {
		double x = 0;
		for (int32_t k = 0; k < s->n; k++) x += s->unmixing[i * s->n + k] * (double)z[k];
		s->reach = fmaxf(s->reach, (float)fabs(x));
		s->mean[i] += (double)z[i];
		s->var[i] += (double)z[i] * (double)z[i];
	}
	s->seen++;
}

static void finish(cop_sums *s)
{
	for (int32_t i = 0; i < s->n; i++) {
		s->mean[i] /= fmax(s->seen, 1);
		s->var[i] = fmax(s->var[i] / fmax(s->seen, 1) - s->mean[i] * s->mean[i], 0);
	}
	if (!(s->reach > 0)) s->reach = 1;
}

static cop_status see(const looking *l, cop_watch *w, int32_t got)
{
	int32_t at = l->first;

	for (cop_nid n = 1; n <= (cop_nid)l->g->n_node; n++) {
		cop_sums *s = &l->of[n];
		cop_tensor t;
		if (!l->chosen[n]) continue;
		COP_TRY(cop__watch_value(w, l->shown->output[at++], &t));
		int64_t places = cop_type_count(&t.type) / s->n / w->batch * got;
		for (int64_t i = 0; i < places; i++) add(s, (const float *)t.data + i * s->n);
	}
	return COP_OK;
}

static cop_status run(const looking *l, cop_dataset *d, int32_t samples, int threads)
{
	cop_watch w;
	int32_t got;
	cop_status st = cop__watch_new(&w, l->shown, BATCH, cop_type_count(&d->x), threads);

	for (int32_t i = 0; !st && i < samples; i += got) {
		if ((st = cop__watch_load(&w, &d, i, samples, &got))) break;
		if (!(st = cop_session_run(w.host.s, 0))) st = see(l, &w, got);
		if (!st && cop__stopped(l->g->cx)) st = cop__error(l->g->cx, COP_STOPPED, "stopped while looking at samples");
	}
	cop__watch_free(&w);
	return st;
}

cop_status cop__look_at_sums(cop_sums *of, cop_arena *mem, const cop_graph *g, const uint8_t *chosen, const cop_means *m, int32_t samples)
{
	looking l = {.of = of, .g = g, .chosen = chosen};
	cop_dataset *d = m->train, *made = NULL;
	cop_status st = COP_OK;

	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (chosen[n]) st = begin(&of[n], mem, cop__in(g, n, 1)->dim[0]);
	if (!st) st = show(&l);
	if (!st) st = cop__fit_for(&d, &made, l.shown, d);
	if (!st) st = run(&l, d, COP_MIN(samples, d->count), m->a->threads);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (chosen[n]) finish(&of[n]);
	cop_graph_free(l.shown);
	cop_data_free(made);
	return st;
}
