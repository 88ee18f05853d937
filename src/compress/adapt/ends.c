/* SPDX-License-Identifier: Apache-2.0
 *
 * ends - how often the values of a network of integers lie at the ends of their ranges: where new data make larger values than the ranges were found on,
 * they are cut there.
 */
#include "compress/compress.h"
#include "core/need.h"
#include "pass/pass.h"
#include "run/deploy.h"

#include <stdio.h>

/* The result of an int8 layer that can be cut at its ends: below it only where that is no ReLU, whose end is the zero. */
typedef struct end { cop_vid v; const char *name; int32_t lo, hi, at; } end; /* at: its place among the outputs */

static cop_status find(end **out, int32_t *n, cop_arena *mem, const cop_graph *g)
{
	end *e = *out = cop__arena_get(mem, sizeof *e * ((size_t)g->n_node + 1));

	*n = 0;
	if (!e) return COP_NOMEM;
	for (cop_nid k = 1; k <= (cop_nid)g->n_node; k++) {
		if (g->node[k].op != OP_qconv || cop__outt(g, k, 0)->dtype != COP_I8) continue;
		COP_ATTR(cop_qconv_attr, a, g, k);
		e[(*n)++] = (end){cop__res(g, k, 0), g->value[cop__arg(g, k, 1)].name, a.qlo > -128 || a.qlo == a.zy ? INT32_MIN : a.qlo, a.qhi == 127 ? a.qhi : INT32_MAX, 0};
	}
	return COP_OK;
}

typedef struct looking { cop_graph *g; cop_host host; end *e; int32_t n; int64_t *cut, *all; cop_dataset *d; } looking;

/* A copy that hands out those values. */
static cop_status hand_out(looking *l, const cop_graph *g, int threads)
{
	COP_TRY(cop_graph_copy(&l->g, g));
	for (int32_t i = 0; i < l->n; i++) {
		COP_TRY(cop__output(l->g, l->e[i].v, NULL));
		l->e[i].at = l->g->n_output - 1;
	}
	return cop__host_open(&l->host, &l->g, 1, COP_ISA_ALL, threads);
}

static cop_status count(looking *l)
{
	cop_tensor y;

	for (int32_t i = 0; i < l->n; i++) {
		COP_TRY(cop_session_io(l->host.s, 0, l->e[i].at, true, &y));
		const int8_t *q = y.data;
		const int64_t n = cop_type_count(&y.type);
		for (int64_t k = 0; k < n; k++) l->cut[i] += q[k] <= l->e[i].lo || q[k] >= l->e[i].hi;
		l->all[i] += n;
	}
	return COP_OK;
}

static cop_status run(looking *l, int32_t samples)
{
	cop_tensor x, f;
	int32_t label;
	cop_ctx *cx = l->g->cx;

	COP_TRY(cop_session_io(l->host.s, 0, 0, false, &x));
	f = (cop_tensor){cop__type(COP_F32, x.type.rank, x.type.dim), cop__alloc(cx, sizeof(float) * (size_t)cop_type_count(&x.type))};
	cop_status st = f.data ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < samples; i++) {
		st = cop__stopped(cx) ? cop__error(cx, COP_STOPPED, "stopped while ranges were looked at") : l->d->get(l->d->ud, (int32_t)((int64_t)i * l->d->count / samples), f.data, &label);
		if (!st) st = cop_tensor_copy(cx, &x, &f);
		if (!st) st = cop_session_run(l->host.s, 0);
		if (!st) st = count(l);
	}
	cop__free(cx, f.data);
	return st;
}

cop_status cop_range_ends(cop_ends *out, int32_t most, int32_t *n, const cop_graph *g, cop_dataset *d, int32_t limit, int threads)
{
	COP_NEED(COP_CX(g), out);
	COP_NEED(COP_CX(g), n);
	COP_NEED(COP_CX(g), g);
	COP_NEED(g->cx, d);
	looking l = {0};
	cop_arena mem;

	*n = 0;
	if (cop_graph_batch(g) != 1) return cop__error(g->cx, COP_ARG, "ranges: '%s' takes %d samples a run, and is looked at with one", g->name, cop_graph_batch(g));
	cop__arena_init(&mem, g->cx);
	cop_status st = find(&l.e, &l.n, &mem, g);
	l.cut = cop__arena_get(&mem, sizeof *l.cut * 2 * ((size_t)l.n + 1));
	l.all = l.cut ? l.cut + l.n + 1 : NULL;
	if (!st && !l.cut) st = COP_NOMEM;
	if (!st) st = cop_data_fit(&l.d, NULL, g, d);
	if (!st) st = hand_out(&l, g, threads);
	if (!st) st = run(&l, limit ? COP_MIN(limit, d->count) : d->count);
	for (*n = st ? 0 : COP_MIN(l.n, most), l.n = 0; l.n < *n; l.n++) {
		snprintf(out[l.n].name, sizeof out->name, "%s", l.e[l.n].name ? l.e[l.n].name : "");
		out[l.n].share = l.all[l.n] ? (double)l.cut[l.n] / (double)l.all[l.n] : 0;
	}
	cop__host_close(&l.host);
	cop_graph_free(l.g);
	cop_data_free(l.d);
	cop__arena_free(&mem);
	return st;
}
