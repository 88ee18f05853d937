/* SPDX-License-Identifier: Apache-2.0
 *
 * watch - a session of a network for a batch of samples that hands out every value. Where samples cannot go side by side (pass/batch.h),
 * one goes after the other.
 */
#include "compress/watch.h"

#include <math.h>

/* Result i of a node. */
static bool watched(const cop_graph *g, cop_nid n, int i)
{
	return cop__res(g, n, i) && !(cop__op(g, n)->flags & COP_OP_VIEW) && cop__outt(g, n, i)->dtype == COP_F32;
}

static bool is_output(const cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return true;
	return false;
}

/* The results of all nodes become outputs of a copy for the batch; those of the network stay in front. */
static cop_status hand_out(cop_watch *w, const cop_graph *g, int32_t batch, int64_t each)
{
	cop_vid *map;

	COP_TRY(cop__batch_for(&w->g, g, &(cop_sized_args){.n = batch, .each = each, .map = &map}, &w->batch));
	for (int32_t i = 0; i < g->n_output; i++) w->index[g->output[i]] = i + 1;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < COP_MAX_OUT; i++) {
			cop_vid v = cop__res(g, n, i);
			if (!watched(g, n, i) || is_output(g, v)) continue;
			COP_TRY(cop__output(w->g, map[v], NULL));
			w->index[v] = w->g->n_output;
		}
	return COP_OK;
}

/* Room for a batch of each input. */
static cop_status open_inputs(cop_watch *w)
{
	if (!(w->x = cop__alloc(w->cx, sizeof *w->x * (size_t)w->g->n_input))) return COP_NOMEM;
	for (int32_t i = 0; i < w->g->n_input; i++) {
		cop_watched_input *x = &w->x[i];
		COP_TRY(cop_session_io(w->host.s, 0, i, false, &x->to));
		cop__parts_of(&x->part, w->g, w->g->input[i], w->batch);
		x->each = cop_type_count(&x->to.type) / w->batch;
		x->samples = cop__alloc(w->cx, sizeof *x->samples * (size_t)x->each * (size_t)w->batch);
		x->placed = x->part.lead > 1 ? cop__alloc(w->cx, sizeof *x->placed * (size_t)x->each * (size_t)w->batch) : NULL;
		if (!x->samples || (x->part.lead > 1 && !x->placed)) return COP_NOMEM;
	}
	return COP_OK;
}

cop_status cop__watch_new(cop_watch *w, const cop_graph *g, int32_t batch, int64_t each, int threads)
{
	*w = (cop_watch){.cx = g->cx};
	if (!(w->index = cop__alloc(g->cx, sizeof *w->index * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	COP_TRY(hand_out(w, g, batch, each));
	COP_TRY(cop__host_open(&w->host, &w->g, 1, COP_ISA_ALL, threads));
	return open_inputs(w);
}

void cop__watch_free(cop_watch *w)
{
	for (int32_t i = 0; w->x && i < w->g->n_input; i++) cop__free(w->cx, w->x[i].samples), cop__free(w->cx, w->x[i].placed);
	if (w->cx) cop__free(w->cx, w->x), cop__free(w->cx, w->index);
	cop__host_close(&w->host);
	cop_graph_free(w->g);
	*w = (cop_watch){0};
}

cop_status cop__watch_value(cop_watch *w, cop_vid v, cop_tensor *out)
{
	*out = (cop_tensor){.data = NULL};
	return w->index[v] ? cop_session_io(w->host.s, 0, w->index[v] - 1, true, out) : COP_OK;
}

/* Numbers of samples into an input: integers without a scale are what their reals are nearest to. */
static cop_status put(cop_ctx *cx, cop_watched_input *x)
{
	const float *from = x->samples;
	cop_parts p = x->part;
	int64_t n = cop_type_count(&x->to.type);
	cop_tensor f = {cop__type(COP_F32, x->to.type.rank, x->to.type.dim), NULL};

	p.bytes = p.bytes * 32 / cop__dtype_bits(x->to.type.dtype);
	for (int32_t b = 0; x->placed && b < p.samples; b++) cop__part_put(&p, x->placed, b, from + b * x->each);
	f.data = x->placed ? x->placed : x->samples;
	if (x->to.type.dtype != COP_I32 || x->to.type.q.scale) return cop_tensor_copy(cx, &x->to, &f);
	for (int64_t i = 0; i < n; i++) ((int32_t *)x->to.data)[i] = (int32_t)lrintf(fminf(fmaxf(((float *)f.data)[i], -2147483520.0f), 2147483520.0f));
	return COP_OK;
}

cop_status cop__watch_load(cop_watch *w, cop_dataset *const *sets, int32_t i, int32_t end, int32_t *got)
{
	int32_t label;

	*got = COP_MIN(w->batch, end - i);
	for (int32_t k = 0; k < w->g->n_input; k++) {
		cop_watched_input *x = &w->x[k];
		for (int32_t b = 0; b < w->batch; b++) {
			if (b < *got) COP_TRY(sets[k]->get(sets[k]->ud, i + b, x->samples + b * x->each, &label));
			else memcpy(x->samples + b * x->each, x->samples + (*got - 1) * x->each, sizeof *x->samples * (size_t)x->each);
		}
		COP_TRY(put(w->cx, x));
	}
	return COP_OK;
}
