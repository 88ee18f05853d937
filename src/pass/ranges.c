/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges - see ranges.h. int8 operators are followed by their kernels' own arithmetic, so their ranges are exact. f32 sums are
 * rounded in an order that is the kernel's: a range is widened by what that can come to, and is one number (but for rounding) only
 * where what varies is nothing beside it, or where it lies beyond an end of the activation. f32 values are taken to stay below 1e9 in magnitude: a
 * network that works has none beyond, and without that a weight of 1e-30 behind plain ReLUs could still mean anything.
 */
#include "op/qscale.h"
#include "pass/ranges.h"

#include <math.h>

void cop_qadd_i8(const cop_call *c); /* kernel/ref/qeltwise.c */

static const double BEYOND = 1e9;

static int32_t channels(const cop_type *t) { return t->rank ? t->dim[t->rank - 1] : 1; }

static bool begin_value(cop_ranges *r, cop_vid v)
{
	const cop_type *t = cop__t(r->g, v);
	int32_t c = channels(t);
	cop_range all = t->dtype == COP_I8 ? (cop_range){-128, 127} : (cop_range){-BEYOND, BEYOND};

	if ((t->dtype != COP_I8 && t->dtype != COP_F32) || r->g->value[v].data) return true;
	r->of[v] = cop__arena_get(&r->mem, sizeof *r->of[v] * ((size_t)c + 1));
	for (int32_t i = 0; r->of[v] && i < c; i++) r->of[v][i] = all;
	return r->of[v];
}

/* ---- layers ---- */

bool cop__is_sums(const cop_graph *g, cop_nid n, int32_t *groups)
{
	*groups = 1;
	if (g->node[n].op == OP_qconv) {
		COP_ATTR(cop_qconv_attr, q, g, n);
		*groups = q.groups;
	} else if (g->node[n].op == OP_conv) {
		COP_ATTR(cop_conv_attr, f, g, n);
		*groups = f.groups;
	}
	return g->node[n].op == OP_qconv || g->node[n].op == OP_conv || g->node[n].op == OP_fc;
}

bool cop__sums_of(cop_sums *s, const cop_graph *g, cop_nid n)
{
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);

	*s = (cop_sums){.w = &g->value[w], .b = b ? &g->value[b] : NULL};
	if (!cop__is_sums(g, n, &s->groups)) return false;
	if (g->node[n].op == OP_qconv) {
		COP_ATTR(cop_qconv_attr, q, g, n);
		s->pads = q.pt || q.pl || q.pb || q.pr, s->pad = q.zx;
		if (!cop__dense(g, w, COP_I8) || !cop__ints(g, b) || !cop__ints(g, cop__arg(g, n, 3))) return false;
	} else {
		if (!cop__floats(g, w) || (b && !cop__floats(g, b))) return false;
		if (g->node[n].op == OP_conv) {
			COP_ATTR(cop_conv_attr, f, g, n);
			s->pads = f.pt || f.pl || f.pb || f.pr;
		}
	}
	const cop_type *t = &s->w->type;
	s->o = t->dim[0], s->c = channels(t);
	s->taps = t->rank == 4 ? t->dim[1] * t->dim[2] : 1;
	return true;
}

double cop__sums_weight(const cop_sums *s, int32_t o, int32_t tap, int32_t c)
{
	size_t at = ((size_t)o * (size_t)s->taps + (size_t)tap) * (size_t)s->c + (size_t)c;
	return s->w->type.dtype == COP_I8 ? ((const int8_t *)s->w->data)[at] : (double)((const float *)s->w->data)[at];
}

/* *lo, *hi += the sums of output channel o; returns the sum of the largest magnitudes of the products. */
static double add_sums(double *lo, double *hi, const cop_sums *s, const cop_range *x, int32_t o)
{
	const cop_range *mine = x + o / (s->o / s->groups) * s->c;
	double size = 0;

	for (int32_t t = 0; t < s->taps; t++)
		for (int32_t c = 0; c < s->c; c++) {
			double f = cop__sums_weight(s, o, t, c);
			cop_range r = mine[c];
			if (s->pads) r = (cop_range){COP_MIN(r.lo, s->pad), COP_MAX(r.hi, s->pad)};
			*lo += f * (f > 0 ? r.lo : r.hi);
			*hi += f * (f > 0 ? r.hi : r.lo);
			size += fabs(f) * COP_MAX(fabs(r.lo), fabs(r.hi));
		}
	return size;
}

/* By the kernel's own arithmetic: a scale is positive, so the ends of an interval stay ends. */
static int32_t scaled(const cop_graph *g, cop_nid n, int32_t acc, int32_t o)
{
	const cop_value *m = &g->value[cop__arg(g, n, 3)];
	COP_ATTR(cop_qconv_attr, q, g, n);
	return COP_MIN(COP_MAX(q.zy + cop_requant(acc, m->data, o, cop__outt(g, n, 0)->dim[3], m->type.rank == 2, q.up), q.qlo), q.qhi);
}

static void see_int_sums(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y)
{
	const int32_t *m = cop__ints(g, cop__arg(g, n, 3));
	cop_sums s;

	if (!cop__sums_of(&s, g, n)) return;
	for (int32_t o = 0; o < s.o; o++) {
		double lo = ((const int32_t *)s.b->data)[o], hi = lo;
		add_sums(&lo, &hi, &s, x, o);
		if (m[o] < 0 || lo < INT32_MIN / 2 || hi > INT32_MAX / 2) continue;
		y[o] = (cop_range){scaled(g, n, (int32_t)lo, o), scaled(g, n, (int32_t)hi, o)};
	}
}

static double held(double v, float lo, float hi) { return COP_MIN(COP_MAX(COP_MIN(COP_MAX(v, -BEYOND), BEYOND), (double)lo), (double)hi); }

/* NOTHING: a difference that is lost beside the sum itself. LOOSE: how far rounding may carry a sum, of its largest size; it is
 * far more than a plain sum needs, since Winograd's transformation multiplies what it adds. */
static const double NOTHING = 1e-12, LOOSE = 1e-4;

static void see_float_sums(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, float least, float most)
{
	cop_sums s;

	if (!cop__sums_of(&s, g, n)) return;
	for (int32_t o = 0; o < s.o; o++) {
		double b = s.b ? (double)((const float *)s.b->data)[o] : 0, lo = b, hi = b, far = LOOSE * (fabs(b) + add_sums(&lo, &hi, &s, x, o));
		if (hi - lo <= NOTHING * fabs(lo)) far = 0, lo = hi = (double)(float)lo;
		y[o] = (cop_range){held(lo - far, least, most), held(hi + far, least, most)};
	}
}

/* ---- what stands between them ---- */

static void see_table(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, int32_t c)
{
	const int8_t *table = cop__dense(g, cop__arg(g, n, 1), COP_I8);

	if (!table || cop__in(g, n, 0)->dtype != COP_I8 || cop__outt(g, n, 0)->dtype != COP_I8) return;
	for (int32_t i = 0; i < c; i++) {
		cop_range r = {127, -128};
		for (int32_t v = (int32_t)x[i].lo; v <= (int32_t)x[i].hi; v++) r = (cop_range){COP_MIN(r.lo, table[(uint8_t)v]), COP_MAX(r.hi, table[(uint8_t)v])};
		y[i] = r;
	}
}

/* A constant plus a constant: by the kernel itself, on one element. */
static void see_int_add(const cop_graph *g, cop_nid n, const cop_range *p, const cop_range *q, cop_range *y, int32_t c)
{
	int32_t k[COP_MAX_WORDS];

	if (channels(cop__in(g, n, 0)) != c || channels(cop__in(g, n, 1)) != c) return;
	cop__op(g, n)->words(g, n, k);
	k[QA_COUNT] = 1;
	k[QA_SHAPE] = 0;
	for (int32_t i = 0; i < c; i++) {
		if (p[i].lo != p[i].hi || q[i].lo != q[i].hi) continue;
		int8_t a = (int8_t)p[i].lo, b = (int8_t)q[i].lo, s;
		cop_qadd_i8(&(cop_call){.buf = (void *const[]){&s, &a, &b}, .k = k, .part = 0, .parts = 1});
		y[i] = (cop_range){s, s};
	}
}

/* Operands of one shape; each end rounds as the kernel's sum does. */
static void see_float_add(const cop_graph *g, cop_nid n, const cop_range *p, const cop_range *q, cop_range *y, int32_t c)
{
	COP_ATTR(cop_act_attr, a, g, n);

	if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1))) return;
	for (int32_t i = 0; i < c; i++) y[i] = (cop_range){held((double)(float)(p[i].lo + q[i].lo), a.lo, a.hi), held((double)(float)(p[i].hi + q[i].hi), a.lo, a.hi)};
}

static void see_clip(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, int32_t c)
{
	COP_ATTR(cop_act_attr, a, g, n);

	for (int32_t i = 0; i < c; i++) y[i] = (cop_range){held(x[i].lo, a.lo, a.hi), held(x[i].hi, a.lo, a.hi)};
}

/* Between the ends, which rounding may carry a little further; a scale of 0 leaves the shift alone. */
static void see_bn(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, int32_t c)
{
	const float *p[5];
	COP_ATTR(cop_bn_attr, a, g, n);

	for (int i = 1; i < 5; i++)
		if (!(p[i] = cop__floats(g, cop__arg(g, n, i)))) return;
	for (int32_t i = 0; i < c; i++) {
		double scale = (double)p[1][i] / sqrt((double)p[4][i] + (double)a.eps), shift = (double)p[2][i], mean = (double)p[3][i];
		double lo = scale * ((scale > 0 ? x[i].lo : x[i].hi) - mean) + shift, hi = scale * ((scale > 0 ? x[i].hi : x[i].lo) - mean) + shift;
		double far = hi > lo ? LOOSE * (fabs(shift) + fabs(scale) * (fabs(mean) + COP_MAX(fabs(x[i].lo), fabs(x[i].hi)))) : 0;
		if (!isfinite(lo) || !isfinite(hi)) continue;
		if (hi <= lo) lo = hi = (double)(float)lo;
		y[i] = (cop_range){held(lo - far, a.lo, a.hi), held(hi + far, a.lo, a.hi)};
	}
}

static void see_int_pool(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, int32_t c)
{
	COP_ATTR(cop_qavgpool_attr, p, g, n);

	for (int32_t i = 0; i < c && !p.m; i++) y[i] = (cop_range){COP_MIN(COP_MAX(x[i].lo, p.qlo), p.qhi), COP_MIN(COP_MAX(x[i].hi, p.qlo), p.qhi)};
}

/* The mean of a constant is that constant but for the last bit. With padding counted it is not. */
static void see_float_pool(const cop_graph *g, cop_nid n, const cop_range *x, cop_range *y, int32_t c)
{
	COP_ATTR(cop_pool_attr, p, g, n);

	if (!p.count_pads || !(p.pt | p.pl | p.pb | p.pr)) memcpy(y, x, sizeof *y * (size_t)c);
}

static void see(cop_ranges *r, cop_nid n)
{
	const cop_graph *g = r->g;
	const cop_range *x = r->of[cop__arg(g, n, 0)], *z = r->of[cop__arg(g, n, 1)];
	cop_range *y = r->of[cop__res(g, n, 0)];
	int32_t c = channels(cop__outt(g, n, 0));

	if (!x || !y) return;
	switch (g->node[n].op) {
	case OP_qconv: see_int_sums(g, n, x, y); break;
	case OP_conv: {
		COP_ATTR(cop_conv_attr, a, g, n);
		see_float_sums(g, n, x, y, a.lo, a.hi);
		break;
	}
	case OP_fc: {
		COP_ATTR(cop_act_attr, a, g, n);
		see_float_sums(g, n, x, y, a.lo, a.hi);
		break;
	}
	case OP_qlut: see_table(g, n, x, y, c); break;
	case OP_qadd: if (z) see_int_add(g, n, x, z, y, c); break;
	case OP_add: if (z) see_float_add(g, n, x, z, y, c); break;
	case OP_bn: see_bn(g, n, x, y, c); break;
	case OP_clip: see_clip(g, n, x, y, c); break;
	case OP_qavgpool: see_int_pool(g, n, x, y, c); break;
	case OP_avgpool: see_float_pool(g, n, x, y, c); break;
	case OP_maxpool: memcpy(y, x, sizeof *y * (size_t)c); break;
	case OP_reshape: if (c == channels(cop__in(g, n, 0))) memcpy(y, x, sizeof *y * (size_t)c); break;
	default: break;
	}
}

cop_status cop__ranges(cop_ranges *r, const cop_graph *g)
{
	*r = (cop_ranges){.g = g};
	cop__arena_init(&r->mem, g->cx);
	r->of = cop__arena_get(&r->mem, sizeof *r->of * (size_t)(g->n_value + 1));
	if (!r->of) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (!begin_value(r, (cop_vid)v)) return COP_NOMEM;
	for (int32_t n = 1; n <= g->n_node; n++) see(r, (cop_nid)n);
	return COP_OK;
}

void cop__ranges_free(cop_ranges *r) { cop__arena_free(&r->mem); }
