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
		if (x[i] < lo) lo = x[i];
		if (x[i] > hi) hi = x[i];
	}
	s->lo = lo;
	s->hi = hi;
	most = fmaxf(-lo, hi);
	if (!(most <= 3e38f)) return; /* not finite: the caller says so */
	if (s->reach == 0) s->reach = ldexpf(1, -40); /* a power of two, so that the bins do not depend on what came first */
	widen(s, most);
	float per = COP_SEEN_BINS / 2 / s->reach;
	for (int64_t i = 0; i < n; i++) {
		int32_t bin = (int32_t)floorf(x[i] * per) + COP_SEEN_BINS / 2;
		s->count[COP_MIN(COP_MAX(bin, 0), COP_SEEN_BINS - 1)]++;
	}
	s->n += n;
}

/* ---- a session that hands out every value ---- */

static bool watched(const cop_graph *g, cop_nid n)
{
	return !(cop__op(g, n)->flags & COP_OP_VIEW) && cop__outt(g, n, 0)->dtype == COP_F32;
}

static bool is_output(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	return false;
}

/* The results of all nodes become outputs of a copy; those of the network stay in front. */
static cop_status hand_out(cop_watch *w, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(&w->g, g, &map));
	COP_TRY(cop__copy_inputs(w->g, g, map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) COP_TRY(cop__copy_node(w->g, g, map, n));
	COP_TRY(cop__copy_rest(w->g, g, map));
	for (int32_t i = 0; i < g->n_output; i++) w->index[g->output[i]] = i + 1;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid v = cop__res(g, n, 0);
		if (!watched(g, n) || is_output(g, v)) continue;
		COP_TRY(cop__output(w->g, map[v], NULL));
		w->index[v] = w->g->n_output;
	}
	return COP_OK;
}

cop_status cop__watch_new(cop_watch *w, const cop_graph *g, int threads)
{
	cop_target t;

	*w = (cop_watch){.cx = g->cx};
	COP_TRY(cop_target_find(&t, g->cx, "host"));
	t.threads = threads;
	if (!(w->index = cop__alloc(g->cx, sizeof *w->index * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	COP_TRY(hand_out(w, g));
	COP_TRY(cop_plan_build(&w->plan, &w->g, 1, &t));
	return cop_session_new(&w->s, w->plan, threads);
}

void cop__watch_free(cop_watch *w)
{
	cop_session_free(w->s);
	cop_plan_free(w->plan);
	cop_graph_free(w->g);
	if (w->cx) cop__free(w->cx, w->index);
	*w = (cop_watch){0};
}

cop_status cop__watch_value(cop_watch *w, cop_vid v, cop_tensor *out)
{
	*out = (cop_tensor){.data = NULL};
	return w->index[v] ? cop_session_io(w->s, 0, w->index[v] - 1, true, out) : COP_OK;
}

cop_status cop__watch_load(cop_tensor *to, cop_ctx *cx, cop_dataset *d, int32_t i, int32_t end, float *room, int32_t *got)
{
	int64_t each = cop_type_count(&d->x);
	int32_t batch = to->type.dim[0], label;
	cop_tensor x = {to->type, room};

	*got = COP_MIN(batch, end - i);
	for (int32_t b = 0; b < batch; b++) {
		if (b < *got) COP_TRY(d->get(d->ud, i + b, room + b * each, &label));
		else memcpy(room + b * each, room + (*got - 1) * each, sizeof *room * (size_t)each);
	}
	x.type.dtype = COP_F32;
	return cop_tensor_copy(cx, to, &x);
}

/* ---- all samples ---- */

static cop_status see(cop_quantizer *z, cop_vid v, const float *x, int64_t n, const char *what)
{
	cop_seen *s = &z->seen[v];

	if (!s->count && !(s->count = cop__arena_get(&z->mem, sizeof *s->count * COP_SEEN_BINS))) return COP_NOMEM;
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(x[i])) return cop__error(z->cx, COP_ARG, "quantize: %s of '%s' is not finite on the calibration samples", what, z->g->name);
	cop__see(s, x, n);
	return COP_OK;
}

static cop_status look(cop_quantizer *z, cop_watch *w, const float *input, int32_t images)
{
	const cop_graph *g = z->g;
	cop_tensor t;
	char label[96];

	COP_TRY(see(z, g->input[0], input, cop_type_count(cop__t(g, g->input[0])) / z->batch * images, "the input"));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		COP_TRY(cop__watch_value(w, cop__res(g, n, 0), &t));
		if (t.data) COP_TRY(see(z, cop__res(g, n, 0), t.data, cop_type_count(&t.type) / z->batch * images, cop__label(g, n, label)));
	}
	return COP_OK;
}

cop_status cop__calibrate(cop_quantizer *z)
{
	cop_watch w;
	cop_tensor in;
	float *room = NULL;
	int32_t got;
	cop_status st = cop__watch_new(&w, z->g, z->a->threads);

	if (!st) st = cop_session_io(w.s, 0, 0, false, &in);
	if (!st && !(room = cop__alloc(z->cx, sizeof *room * (size_t)cop_type_count(&in.type)))) st = COP_NOMEM;
	for (int32_t i = 0; !st && i < z->samples; i += got) {
		if ((st = cop__watch_load(&in, z->cx, z->calib, i, z->samples, room, &got))) break;
		if ((st = cop_session_run(w.s, 0))) break;
		st = look(z, &w, room, got);
		if (!st && cop__stopped(z->cx)) st = cop__error(z->cx, COP_STOPPED, "stopped while calibrating");
	}
	cop__free(z->cx, room);
	cop__watch_free(&w);
	return st;
}
