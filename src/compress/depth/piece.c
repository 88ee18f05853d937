/* SPDX-License-Identifier: Apache-2.0
 *
 * piece - what the layer that a stretch becomes takes on a machine: the median of measured times on this one,
 * instructions by the table of prices on a board. The layer is put into a network of its own, with weights at random;
 * layers of one shape are looked at once.
 */
#include "compress/depth/chain.h"
#include "data/fit.h"
#include "pass/pass.h"
#include "run/deploy.h"

typedef struct shape { int32_t conv, h, w, c, o, kh, kw; cop_conv_attr a; } shape;
struct cop_piece { shape of; double time; };

cop_status cop__price_begin(cop_pricer *p, const char *target, bool int8)
{
	COP_TRY(cop_target_find(&p->t, p->cx, target));
	p->host = !strcmp(target, "host");
	p->int8 = int8;
	return COP_OK;
}

void cop__price_end(cop_pricer *p) { cop__free(p->cx, p->known); }

static cop_status time_of(double *time, const cop_pricer *p, const cop_graph *g)
{
	cop_figures f = {0};

	if (p->host) return cop__latency(time, g);
	cop_status st = cop_measure(&f, g, &p->t);
	*time = (double)f.instructions;
	return st;
}

cop_status cop__price_graph(double *time, cop_pricer *p, const cop_graph *g, cop_dataset *calib)
{
	const cop_quantize_args args = {.limit = 16, .threads = 1, .range = "minmax"};
	cop_graph *own;

	COP_TRY(cop__pass_copy(&own, g));
	cop_status st = p->int8 ? cop_quantize(&own, calib, &args) : COP_OK;
	if (!st) st = time_of(time, p, own);
	cop_graph_free(own);
	return st;
}

static cop_status noise(void *ud, int32_t i, float *x, int32_t *label)
{
	for (int64_t k = 0, n = cop_type_count(ud); k < n; k++) x[k] = cop__rand_unit(3, (uint32_t)i, (uint64_t)k);
	*label = 0;
	return COP_OK;
}

static cop_vid filled(cop_graph *g, const char *name, const cop_type *t)
{
	cop_vid v = cop__data(g, COP_PARAM, name, t, NULL);
	float *x = v ? cop__own(g, v) : NULL;

	for (int64_t i = 0, n = cop_type_count(t); x && i < n; i++) x[i] = 0.01f + cop__rand_unit(4, 0, (uint64_t)i);
	return x ? v : 0;
}

static cop_status measure(double *time, cop_pricer *p, const shape *s)
{
	const bool conv = s->conv;
	const int32_t x_dim[] = {1, s->h, s->w, s->c}, w_dim[] = {s->o, s->kh, s->kw, s->c / s->a.groups};
	const cop_type x = conv ? cop__type(COP_F32, 4, x_dim) : cop__type(COP_F32, 2, DIMS(1, s->c));
	const cop_type w = conv ? cop__type(COP_F32, 4, w_dim) : cop__type(COP_F32, 2, DIMS(s->o, s->c));
	const cop_type b = cop__type(COP_F32, 1, &s->o);
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, x.rank - 1, x.dim + 1), .count = 1, .get = noise};
	const cop_act_attr act = {s->a.lo, s->a.hi};
	const void *attr = conv ? (const void *)&s->a : (const void *)&act;
	cop_graph *g;

	d.ud = &d.x;
	COP_TRY(cop__graph_new(&g, p->cx, "piece"));
	cop_vid in = cop__input(g, "x", &x);
	cop_vid y = cop__apply(g, conv ? OP_conv : OP_fc, attr, VIDS(in, filled(g, "w", &w), filled(g, "b", &b)));
	cop_status st = y ? cop__output(g, y, "y") : cop__failed(p->cx);
	if (!st) st = cop__price_graph(time, p, g, &d);
	cop_graph_free(g);
	return st;
}

static shape shape_of(const cop_chains *c, const cop_stretch *s)
{
	const cop_chained *first = &c->link[s->from], *last = &c->link[s->to - 1];
	const cop_type *x = cop__t(c->g, first->in);
	shape of = {.conv = x->rank == 4, .c = x->dim[x->rank - 1], .kh = s->kh, .kw = s->kw, .a = s->a};

	if (of.conv) of.h = x->dim[1], of.w = x->dim[2];
	of.o = cop__outt(c->g, last->layer, 0)->dim[x->rank - 1];
	cop__chained_bounds(&of.a.lo, &of.a.hi, c->g, last);
	return of;
}

cop_status cop__price_stretch(double *time, cop_pricer *p, const cop_chains *c, const cop_stretch *s)
{
	*time = 0;
	if (!s->kh) return COP_OK;
	const shape of = shape_of(c, s);
	for (int32_t i = 0; i < p->n; i++)
		if (!memcmp(&p->known[i].of, &of, sizeof of)) return *time = p->known[i].time, COP_OK;
	COP_TRY(measure(time, p, &of));
	COP_TRY(cop__grow(p->cx, &p->known, &p->cap, p->n, sizeof *p->known));
	p->known[p->n++] = (struct cop_piece){of, *time};
	return COP_OK;
}
