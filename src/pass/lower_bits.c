/* SPDX-License-Identifier: Apache-2.0
 *
 * lower_bits - sums of bits in a graph of integers: what the float graph makes of a sum (a cast, factors and biases by channel, batch norm, an operand that is
 * added, rprelu or bounds) is one operator there, qbconv, from bits to bytes. Nothing in between is stored, and the sum with a shortcut takes the place of the
 * shortcut.
 */
#include "pass/lower.h"

#include <math.h>

enum { DEEPEST = 12, MOST_SHIFT = 24, LEAST_SHIFT = 8 };

typedef struct chain {
	cop_nid conv, bend;       /* bend: rprelu, or 0 */
	cop_nid node[DEEPEST];    /* between them, the last first */
	int n;
	int32_t o;
	cop_vid r;                /* what is added, or 0 */
	float lo, hi;             /* of the last node */
} chain;

static bool by_channel(const cop_graph *g, cop_vid v, int32_t o)
{
	const cop_type *t = cop__t(g, v);
	return cop__floats(g, v) && (cop_type_count(t) == 1 || (cop_type_count(t) == o && t->dim[t->rank - 1] == o));
}

static double of_channel(const cop_graph *g, cop_vid v, int32_t o)
{
	return (double)cop__floats(g, v)[cop_type_count(cop__t(g, v)) == 1 ? 0 : o];
}

static bool open_bounds(const cop_graph *g, cop_nid n)
{
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &lo, &hi);
	return isinf(lo) && isinf(hi);
}

/* Is n a step of a chain whose value is operand 0 or, of sums and products, 1, and all else constants? Returns that value. */
static cop_vid step(const cop_graph *g, cop_nid n, int32_t o)
{
	int op = g->node[n].op, n_in = g->node[n].n_in, at = 0;

	if (op == OP_reshape) return cop__in(g, n, 0)->dim[cop__in(g, n, 0)->rank - 1] == o ? cop__arg(g, n, 0) : 0;
	if (op == OP_cast) return cop__in(g, n, 0)->dtype == COP_I32 ? cop__arg(g, n, 0) : 0;
	if (op != OP_bn && op != OP_add && op != OP_sub && op != OP_mul && op != OP_div) return 0;
	if ((op == OP_add || op == OP_mul) && by_channel(g, cop__arg(g, n, 0), o)) at = 1;
	for (int i = 0; i < n_in; i++)
		if (i != at && !by_channel(g, cop__arg(g, n, i), o)) return 0;
	return cop__arg(g, n, at);
}

/* From v back to sums of bits. */
static bool follow(chain *c, const cop_graph *g, cop_vid v)
{
	bool first = !c->bend && !c->r;

	for (cop_nid n; (n = g->value[v].producer) && !g->node[n].guard; first = false) {
		if (g->node[n].op == OP_bconv) return !cop__arg(g, n, 2) && (c->conv = n) && cop__outt(g, n, 0)->dim[3] == c->o && c->n;
		if (c->n == DEEPEST || (!first && !open_bounds(g, n)) || !(v = step(g, n, c->o))) return false;
		c->node[c->n++] = n;
	}
	return false;
}

/* The value that a sum of two has beside the one that comes from bits. */
static bool follow_sum(chain *c, const cop_graph *g, cop_nid n)
{
	for (int i = 0; i < 2; i++) {
		chain way = *c;
		way.r = cop__arg(g, n, 1 - i);
		if (!cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1)) || cop__outt(g, n, 0)->rank != 4) return false;
		if (follow(&way, g, cop__arg(g, n, i)) && cop__same_shape(cop__outt(g, way.conv, 0), cop__t(g, way.r))) return *c = way, true;
	}
	return false;
}

static bool is_sum(const cop_graph *g, cop_nid n, int32_t o)
{
	return n && g->node[n].op == OP_add && !g->node[n].guard && !by_channel(g, cop__arg(g, n, 0), o) && !by_channel(g, cop__arg(g, n, 1), o);
}

static bool find(chain *c, const cop_graph *g, cop_nid n)
{
	const cop_type *t = cop__outt(g, n, 0);
	int op = g->node[n].op;

	*c = (chain){.lo = COP_NO_LO, .hi = COP_NO_HI, .o = t->rank ? t->dim[t->rank - 1] : 0};
	if (t->dtype != COP_F32 || g->node[n].guard || op == OP_reshape || op == OP_cast) return false;
	if (cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &c->lo, &c->hi);
	if (op == OP_rprelu || op == OP_clip) {
		if (op == OP_rprelu) c->bend = n;
		for (int i = 1; i < g->node[n].n_in; i++)
			if (!by_channel(g, cop__arg(g, n, i), c->o)) return false;
		cop_nid p = g->value[cop__arg(g, n, 0)].producer;
		if (!is_sum(g, p, c->o)) return p && (op != OP_clip || open_bounds(g, p)) && follow(c, g, cop__arg(g, n, 0));
		return open_bounds(g, p) && follow_sum(c, g, p);
	}
	return is_sum(g, n, c->o) ? follow_sum(c, g, n) : follow(c, g, cop__res(g, n, 0));
}

/* Does each reader of n's result have it within its own sums? */
static bool goes_on(const cop_graph *g, cop_nid n)
{
	cop_vid y = cop__res(g, n, 0);
	int readers = 0;
	chain c;

	for (cop_nid m = n + 1; m <= (cop_nid)g->n_node; m++)
		for (int i = 0; i < g->node[m].n_in; i++) {
			if (g->node[m].in[i] != y) continue;
			if (!find(&c, g, m) || c.r == y) return false;
			readers++;
		}
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == y) return false;
	return readers > 0;
}

/* ---- numbers ---- */

/* y = scale sum + bias, before what is added, in units of reals. */
static void scaled(double *scale, double *bias, const chain *c, const cop_graph *g, int32_t o)
{
	double a = 1, b = 0;

	for (int i = c->n; i--;) {
		cop_nid n = c->node[i];
		int op = g->node[n].op;
		if (op == OP_cast || op == OP_reshape) continue;
		if (op == OP_bn) {
			COP_ATTR(cop_bn_attr, bn, g, n);
			double s = of_channel(g, cop__arg(g, n, 1), o) / sqrt(of_channel(g, cop__arg(g, n, 4), o) + (double)bn.eps);
			a *= s;
			b = (b - of_channel(g, cop__arg(g, n, 3), o)) * s + of_channel(g, cop__arg(g, n, 2), o);
			continue;
		}
		double k = of_channel(g, cop__arg(g, n, by_channel(g, cop__arg(g, n, 1), c->o) ? 1 : 0), o);
		if (op == OP_add || op == OP_sub) b += op == OP_add ? k : -k;
		else a *= op == OP_mul ? k : 1 / k, b *= op == OP_mul ? k : 1 / k;
	}
	*scale = a;
	*bias = b;
}

/* In steps of the result: MULT ADD SLOPE LIFT (kernel.h), before they are whole numbers. */
static void factors(double f[4], const chain *c, const cop_graph *g, int32_t o, const cop_qrange *ry)
{
	double scale, bias, knee = 0, lift = 0;

	scaled(&scale, &bias, c, g, o);
	f[2] = 1;
	if (c->bend) {
		f[2] = of_channel(g, cop__arg(g, c->bend, 1), o);
		knee = of_channel(g, cop__arg(g, c->bend, 2), o);
		lift = of_channel(g, cop__arg(g, c->bend, 3), o);
	}
	f[0] = scale / (double)ry->scale;
	f[1] = (bias - knee) / (double)ry->scale;
	f[3] = lift / (double)ry->scale + ry->zero;
}

/* The most bits behind the point with which no sum leaves 32; below 0: too few are left. */
static int32_t shift_for(const double (*f)[4], int32_t o_n, double n, double res)
{
	double most = 0;

	for (int32_t o = 0; o < o_n; o++) {
		if (!(fabs(f[o][2]) < 30000)) return -1;
		most = fmax(most, (fabs(f[o][0]) * n + fabs(f[o][1]) + 256 * res + 1) * fmax(1, fabs(f[o][2])) + fabs(f[o][3]) + 1);
	}
	for (int32_t s = MOST_SHIFT; s >= LEAST_SHIFT; s--)
		if (ldexp(most, s) < 2147483647.0) return s;
	return -1;
}

static cop_vid constant(cop_lower *l, cop_vid w, int32_t o_n, const int32_t *p)
{
	cop_type t = cop__type(COP_I32, 2, DIMS(o_n, 4));
	const char *of = l->z->g->value[w].name;
	int stem = (int)strlen(of);
	char name[128];

	if (stem > 2 && !strcmp(of + stem - 2, ".w")) stem -= 2;
	cop__format(name, sizeof name, "%.*s.p", COP_MIN(stem, 100), of);
	for (int i = 2; cop__find(l->out, name); i++) cop__format(name, sizeof name, "%.*s.p%d", COP_MIN(stem, 100), of, i);
	return cop__data(l->out, COP_CONST, name, &t, p);
}

/* p[o,4] as whole numbers, and the attributes that go with them. */
static int32_t *whole(cop_qbconv_attr *a, const cop_lower *l, const chain *c, const cop_qrange *rr, const cop_qrange *ry)
{
	const cop_graph *g = l->z->g;
	const int32_t *w = cop__in(g, c->conv, 1)->dim;
	int32_t *p = cop__arena_get(&l->out->mem, sizeof *p * 4 * (size_t)c->o);
	double (*f)[4] = cop__arena_get(&l->out->mem, sizeof *f * (size_t)c->o), res = rr ? (double)rr->scale / (double)ry->scale : 0;

	if (!p || !f) return NULL;
	for (int32_t o = 0; o < c->o; o++) factors(f[o], c, g, o, ry);
	a->shift = shift_for((const double (*)[4])f, c->o, (double)w[1] * w[2] * w[3], res);
	if (a->shift < 0) return NULL;
	a->res = (int32_t)round(ldexp(res, a->shift));
	for (int32_t o = 0; o < c->o; o++)
		for (int i = 0; i < 4; i++) p[4 * o + i] = (int32_t)round(ldexp(f[o][i], i == 2 ? 15 : a->shift)) + (i == 3 ? 1 << (a->shift - 1) : 0);
	return p;
}

/* ---- the node ---- */

bool cop__lower_sums(cop_lower *l, cop_nid n, cop_vid *made)
{
	const cop_graph *g = l->z->g;
	const cop_qrange *ry = &l->z->act[cop__res(g, n, 0)], *rr;
	chain c;

	if (!find(&c, g, n) || goes_on(g, n)) return false;
	rr = c.r ? &l->z->act[c.r] : NULL;
	if (cop__range_dtype(ry) != COP_I8 || (rr && (!(rr->scale > 0) || cop__range_dtype(rr) != COP_I8))) return false;
	COP_ATTR(cop_bconv_attr, conv, g, c.conv);
	cop_qbconv_attr a = {.c = conv, .qlo = isinf(c.lo) ? ry->lo : cop__quantise(c.lo, ry), .qhi = isinf(c.hi) ? ry->hi : cop__quantise(c.hi, ry), .zr = rr ? rr->zero : 0};
	const int32_t *p = whole(&a, l, &c, rr, ry);
	if (!p) return false;
	cop_vid x = cop__as_float(l, cop__arg(g, c.conv, 0)), w = cop__as_float(l, cop__arg(g, c.conv, 1)), pv = constant(l, cop__arg(g, c.conv, 1), c.o, p);
	cop_vid r = c.r ? cop__as_integer(l, c.r) : 0;
	*made = r ? cop__apply(l->out, OP_qbconv_add, &a, VIDS(r, x, w, pv)) : c.r ? 0 : cop__apply(l->out, OP_qbconv, &a, VIDS(x, w, pv));
	if (*made && cop__outt(g, n, 0)->rank == 2) *made = cop__apply(l->out, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(*made));
	return true;
}

/* A byte is 1 from the byte on that stands for its channel's edge. */
cop_vid cop__lower_packed(cop_lower *l, cop_nid n)
{
	const cop_graph *g = l->z->g;
	cop_vid x = cop__arg(g, n, 0), edges = cop__arg(g, n, 1), y = 0;
	const cop_qrange *r = &l->z->act[x];
	const float *t = edges ? cop__floats(g, edges) : NULL;
	int32_t c = cop__in(g, n, 0)->dim[cop__in(g, n, 0)->rank - 1], *whole = cop__arena_get(&l->out->mem, sizeof *whole * (size_t)c);
	cop_type type = cop__type(COP_I32, 1, &c);
	char name[128];

	if (!edges) return cop__apply(l->out, OP_packbits, &(cop_packbits_attr){r->zero}, VIDS(l->q[x]));
	for (int32_t i = 0; whole && i < c; i++) whole[i] = (int32_t)fmin(fmax(ceil((double)t[i] / (double)r->scale) + r->zero, -128), 128);
	cop__format(name, sizeof name, "%.100s.q", g->value[edges].name);
	for (int i = 2; cop__find(l->out, name); i++) cop__format(name, sizeof name, "%.100s.q%d", g->value[edges].name, i);
	if (whole) y = cop__data(l->out, COP_CONST, name, &type, whole);
	return y ? cop__apply(l->out, OP_packbits, &(cop_packbits_attr){0}, VIDS(l->q[x], y)) : 0;
}
