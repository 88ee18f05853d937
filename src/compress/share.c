/* SPDX-License-Identifier: Apache-2.0
 *
 * share - weight sharing (arXiv 1510.00149, section 3): weights take the form `palette`, and their values are trained on. Afterwards they are plain
 * weights again; the encoder finds their equal values.
 */
#include "compress/compress.h"

static cop_status build(void *ud, cop_build *b)
{
	const cop_stage *s = ud;
	const cop_graph *g = cop__build_model(b);
	int n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!cop__compressible(g, (cop_vid)v, s->layers) || !cop__floats(g, (cop_vid)v)) continue;
		cop_palette_options o = {(int32_t)cop__stage_rate(s, g->value[v].name, 32)};
		COP_TRY(cop__build_form(b, g->value[v].name, cop__form("palette"), &o));
		n++;
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "share: no weight matches layers: %s", s->layers);
}

/* Without a step of training. */
static cop_status once(cop_graph *g, const cop_stage *s)
{
	cop_build *b;

	COP_TRY(cop__build_new(&b, g, 0, 0));
	cop_status st = build((void *)(uintptr_t)s, b);
	if (st) return cop__build_free(b), st;
	return cop__forms_apply(g, b);
}

cop_status cop__stage_share(cop_graph **gp, const cop_stage *s, const cop_workshop *w)
{
	cop_train_args a = cop__stage_args(s, w);
	const cop_policy policy = {.name = "share", .ud = (void *)(uintptr_t)s, .build = build};

	return s->epochs > 0 ? cop__train(*gp, w->train, w->valid, &a, "share", &policy, 1) : once(*gp, s);
}
