/* SPDX-License-Identifier: Apache-2.0
 *
 * formed - what stages have in common that give weights a form (train/form/) and train on, or without epochs only give it. Afterwards they
 * are plain weights again.
 */
#include "compress/layers.h"

typedef struct forming { const cop_stage *s; cop_form_one *one; cop_form_done *done; uint64_t seed; } forming;

static bool formed(const forming *f, const cop_graph *g, cop_vid v) { return cop__compressible(g, v, f->s->terms.layers) && cop__floats(g, v); }

static cop_status build(void *ud, cop_build *b)
{
	const forming *f = ud;
	const cop_graph *g = cop__build_model(b);
	int n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!formed(f, g, (cop_vid)v)) continue;
		COP_TRY(f->one(b, f->s, f->seed, g->value[v].name));
		n++;
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "%s: no weight matches layers: %s", f->s->row->row.name, f->s->terms.layers);
}

static cop_status finish(void *ud, const cop_progress *p, cop_graph *g)
{
	const forming *f = ud;

	for (int32_t v = 1; f->done && v <= g->n_value; v++)
		if (formed(f, g, (cop_vid)v)) COP_TRY(f->done(f->s, p->t, g, g->value[v].name));
	return COP_OK;
}

/* Without a step of training. */
static cop_status once(cop_graph *g, forming *f)
{
	cop_build *b;

	COP_TRY(cop__build_new(&b, g, 0, 0));
	cop_status st = build(f, b);
	if (st) return cop__build_free(b), st;
	return cop__forms_apply(g, b);
}

cop_status cop__stage_forms(cop_graph **g, const cop_stage *s, const cop_means *m, cop_form_one *one, cop_form_done *done)
{
	forming f = {s, one, done, m->a->seed};
	cop_train_args a = cop__stage_args(s, m);
	const cop_policy policy = {.name = s->row->row.name, .ud = &f, .build = build, .finish = finish};

	return s->training.epochs > 0 ? cop__train(*g, m->train, m->valid, &a, s->row->row.name, &policy, 1) : once(*g, &f);
}

uint32_t cop__allows_formed(const cop_stage *s) { return s->training.epochs > 0 ? cop__allows_whole(s) : COP_HAS_SHARED; }
