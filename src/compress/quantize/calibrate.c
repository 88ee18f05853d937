/* SPDX-License-Identifier: Apache-2.0
 *
 * calibrate - runs the float network over samples with every value handed out, and notes what it sees.
 */
#include "compress/quantize/quantize.h"

#include <math.h>

/* ---- histograms ---- */

static void widen(cop_seen *s, float most)
{
	int64_t *c = s->count;
	enum { HALF = COP_SEEN_BINS / 2 };

	while (s->reach < most) {
		for (int i = 0; i < HALF / 2; i++) { /* outwards from the middle, so that nothing is overwritten before it is read */
			c[HALF + i] = c[HALF + 2 * i] + c[HALF + 2 * i + 1];
			c[HALF - 1 - i] = c[HALF - 1 - 2 * i] + c[HALF - 2 - 2 * i];
		}
		memset(c, 0, sizeof *c * HALF / 2);
		memset(c + HALF + HALF / 2, 0, sizeof *c * HALF / 2);
		s->reach *= 2;
	}
}

void cop__see(cop_seen *s, const float *x, int64_t n)
{
	float lo = s->lo, hi = s->hi, most;

	for (int64_t i = 0; i < n; i++) {
		if (x[i] < lo && isfinite(x[i])) lo = x[i];
		if (x[i] > hi && isfinite(x[i])) hi = x[i];
	}
	s->lo = lo;
	s->hi = hi;
	most = fminf(fmaxf(-lo, hi), 1e38f); /* what lies beyond falls into the last bin */
	if (s->reach == 0) s->reach = ldexpf(1, -40); /* a power of two, so that the bins do not depend on what came first */
	widen(s, most);
	float per = COP_SEEN_BINS / 2 / s->reach;
	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(x[i])) continue;
		int32_t bin = (int32_t)fminf(fmaxf(floorf(x[i] * per), -COP_SEEN_BINS), COP_SEEN_BINS) + COP_SEEN_BINS / 2;
		s->count[COP_MIN(COP_MAX(bin, 0), COP_SEEN_BINS - 1)]++;
		s->n++;
	}
}

/* ---- all samples ---- */

/* Does a softmax read v, perhaps behind what moves its numbers? Along its last axis an element far below the largest is
 * off: a mask has put it there, by minus infinity or a large number, and how far down it lies must not set the steps of
 * the others. */
static bool softened(const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__arg(g, n, 0) == v && (g->node[n].op == OP_softmax ||
			(g->node[n].op == OP_reshape && cop__in(g, n, 0)->dim[cop__in(g, n, 0)->rank - 1] == cop__outt(g, n,
			0)->dim[cop__outt(g, n, 0)->rank - 1] && softened(g, cop__res(g, n, 0)))))
			return true;
	return false;
}

/* Is input v a mask that is added to what a softmax reads? */
static bool is_mask(const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_add && (cop__arg(g, n, 0) == v || cop__arg(g, n, 1) == v) && softened(g, cop__res(g, n, 0)))
			return true;
	return false;
}

/* Minus infinity in a mask is as good as what switch_off() takes for far. In place: the run is over. */
static void bound_mask(float *x, int64_t n)
{
	const float FAR = 64;

	for (int64_t i = 0; i < n; i++)
		if (isinf(x[i]) && x[i] < 0) x[i] = -FAR;
}

/* Rows of c numbers: those that are off as far below the largest as makes no difference (exp(-16) is 1e-7). In
 * place. */
static void switch_off(float *x, int64_t n, int32_t c)
{
	const float FAR = 64, OFF = 16;

	for (int64_t r = 0; r + c <= n; r += c, x += c) {
		float most = -INFINITY;
		for (int32_t i = 0; i < c; i++) most = fmaxf(most, x[i]);
		for (int32_t i = 0; i < c && isfinite(most); i++)
			if (x[i] < most - FAR) x[i] = most - OFF;
	}
}

static cop_status see(cop_quantizer *z, cop_vid v, const float *x, int64_t n, const char *what, const char *name)
{
	cop_seen *s = &z->seen[v];

	if (!s->count && !(s->count = cop__arena_get(&z->mem, sizeof *s->count * COP_SEEN_BINS))) return COP_NOMEM;
	for (int64_t i = 0; i < n; i++) {
		if (isfinite(x[i])) continue;
		s->infinite++;
		if (isnan(x[i]) || what)
			return cop__error(z->cx, COP_ARG, "quantize: %s '%s' is %s on a calibration sample", what ? what : "a value behind",
				name, isnan(x[i]) ? "not a number" : "infinite");
	}
	cop__see(s, x, n);
	return COP_OK;
}

/* Results of a run: of all samples, those that repeat the last one within. */
static cop_status look(cop_quantizer *z, cop_watch *w, int32_t got)
{
	const cop_graph *g = z->g;
	cop_tensor t;
	char label[96];

	for (int32_t i = 0; i < g->n_input; i++)
		if (cop__t(g, g->input[i])->dtype == COP_F32) {
			if (is_mask(g, g->input[i])) bound_mask(w->x[i].samples, w->x[i].each * got);
			COP_TRY(see(z, g->input[i], w->x[i].samples, w->x[i].each * got, "the input", g->value[g->input[i]].name));
		}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < COP_MAX_OUT; i++) {
			cop_vid v = cop__res(g, n, i);
			COP_TRY(cop__watch_value(w, v, &t));
			if (!t.data) continue;
			/* samples that do not come first have the last one twice */
			int64_t count = cop_type_count(&t.type), first = count % w->batch ? count : count / w->batch * got;
			if (softened(g, v)) switch_off(t.data, first, t.type.dim[t.type.rank - 1]); /* the run is over */
			COP_TRY(see(z, v, t.data, first, NULL, cop__label(g, n, label)));
		}
	return COP_OK;
}

cop_status cop__calibrate(cop_quantizer *z)
{
	cop_watch w;
	int32_t got;
	cop_status st = cop__watch_new(&w, z->g, z->batch, z->each, z->a->threads);

	for (int32_t i = 0; !st && i < z->samples; i += got) {
		if ((st = cop__watch_load(&w, z->sets, i, z->samples, &got))) break;
		if ((st = cop_session_run(w.host.s, 0))) break;
		st = look(z, &w, got);
		if (!st && cop__stopped(z->cx)) st = cop__error(z->cx, COP_STOPPED, "stopped while calibrating");
	}
	cop__watch_free(&w);
	return st;
}
