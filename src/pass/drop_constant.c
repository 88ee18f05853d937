/* SPDX-License-Identifier: Apache-2.0
 *
 * drop_constant - takes out of an int8 network, exactly, the channels that do not depend on the input.
 *
 * Interval analysis: for each channel of each value the least and the largest number it can hold for any input at all. A
 * channel whose interval is one number is a constant: what it adds to a later convolution goes into that one's bias,
 * and the channel goes with all that is linked to it (slice.c). So does a channel that later layers meet with
 * weights of zero only. Padding reads zx: a constant other than zx stays where the reader pads.
 * Networks that were trained with weight decay have many such channels: MLPerf Tiny's visual wake words loses half its work.
 */
#include "op/qscale.h"
#include "pass/pass.h"

void cop_qadd_i8(const cop_call *c); /* kernel/ref/qeltwise.c */

typedef struct range { int32_t lo, hi; } range;

typedef struct analysis {
	const cop_graph *g;
	range **of; /* [n_value+1] one range a channel (last axis), or NULL: unknown */
	cop_arena mem;
} analysis;

static int32_t channels(const cop_type *t) { return t->rank ? t->dim[t->rank - 1] : 1; }

static range *ranges(analysis *a, cop_vid v)
{
	int32_t c = channels(cop__t(a->g, v));
	range *r = cop__arena_get(&a->mem, sizeof *r * (size_t)(c + 1));

	for (int32_t i = 0; r && i < c; i++) r[i] = (range){-128, 127};
	return a->of[v] = r;
}

static const int8_t *tap(const int8_t *w, int32_t o, int32_t t, const int32_t *dim) { return w + ((size_t)o * (size_t)(dim[1] * dim[2]) + (size_t)t) * (size_t)dim[3]; }

static bool pads(const cop_qconv_attr *q) { return q->pt || q->pl || q->pb || q->pr; }

/* The sums of one output channel, before they are scaled. False if they may not fit 32 bits. */
static bool sums(int64_t *lo, int64_t *hi, const range *x, const int8_t *w, int32_t o, const int32_t *dim, const cop_qconv_attr *q, int32_t first)
{
	for (int32_t t = 0; t < dim[1] * dim[2]; t++)
		for (int32_t c = 0; c < dim[3]; c++) {
			int32_t f = tap(w, o, t, dim)[c];
			range r = x[first + c];
			if (pads(q)) r = (range){COP_MIN(r.lo, q->zx), COP_MAX(r.hi, q->zx)};
			*lo += (int64_t)f * (f > 0 ? r.lo : r.hi);
			*hi += (int64_t)f * (f > 0 ? r.hi : r.lo);
		}
	return *lo >= INT32_MIN / 2 && *hi <= INT32_MAX / 2;
}

/* By the kernel's own arithmetic: a scale is positive, so the ends of an interval stay ends. */
static int32_t scaled(const cop_graph *g, cop_nid n, const cop_qconv_attr *q, int32_t acc, int32_t o)
{
	const cop_value *m = &g->value[cop__arg(g, n, 3)];
	return COP_MIN(COP_MAX(q->zy + cop_requant(acc, m->data, o, cop__outt(g, n, 0)->dim[3], m->type.rank == 2, q->up), q->qlo), q->qhi);
}

static bool constant_inputs(const cop_graph *g, cop_nid n)
{
	for (int i = 1; i < 4; i++)
		if (!g->value[cop__arg(g, n, i)].data || g->value[cop__arg(g, n, i)].producer) return false;
	return cop__in(g, n, 1)->dtype == COP_I8;
}

static void see_conv(analysis *a, cop_nid n, const range *x, range *y)
{
	const cop_graph *g = a->g;
	COP_ATTR(cop_qconv_attr, q, g, n);
	const cop_value *w = &g->value[cop__arg(g, n, 1)];
	const int32_t *dim = w->type.dim, *b = g->value[cop__arg(g, n, 2)].data, *m = g->value[cop__arg(g, n, 3)].data;

	if (!constant_inputs(g, n)) return;
	for (int32_t o = 0; o < dim[0]; o++) {
		int64_t lo = b[o], hi = b[o];
		if (m[o] < 0 || !sums(&lo, &hi, x, w->data, o, dim, &q, o / (dim[0] / q.groups) * dim[3])) continue;
		y[o] = (range){scaled(g, n, &q, (int32_t)lo, o), scaled(g, n, &q, (int32_t)hi, o)};
	}
}

static void see_table(const cop_graph *g, cop_nid n, const range *x, range *y, int32_t c)
{
	const int8_t *table = g->value[cop__arg(g, n, 1)].data;

	if (!table || cop__in(g, n, 0)->dtype != COP_I8 || cop__outt(g, n, 0)->dtype != COP_I8) return;
	for (int32_t i = 0; i < c; i++) {
		range r = {127, -128};
		for (int32_t v = x[i].lo; v <= x[i].hi; v++) r = (range){COP_MIN(r.lo, table[(uint8_t)v]), COP_MAX(r.hi, table[(uint8_t)v])};
		y[i] = r;
	}
}

/* A constant plus a constant: by the kernel itself, on one element. */
static void see_add(const cop_graph *g, cop_nid n, const range *p, const range *q, range *y, int32_t c)
{
	int32_t k[COP_MAX_WORDS];

	cop__op(g, n)->words(g, n, k);
	k[QA_COUNT] = 1;
	for (int32_t i = 0; i < c; i++) {
		if (p[i].lo != p[i].hi || q[i].lo != q[i].hi) continue;
		int8_t a = (int8_t)p[i].lo, b = (int8_t)q[i].lo, s;
		cop_qadd_i8(&(cop_call){.buf = (void *const[]){&s, &a, &b}, .k = k, .part = 0, .parts = 1});
		y[i] = (range){s, s};
	}
}

static void see_pool(const cop_graph *g, cop_nid n, const range *x, range *y, int32_t c)
{
	COP_ATTR(cop_qavgpool_attr, p, g, n);

	for (int32_t i = 0; i < c && !p.m; i++) y[i] = (range){COP_MIN(COP_MAX(x[i].lo, p.qlo), p.qhi), COP_MIN(COP_MAX(x[i].hi, p.qlo), p.qhi)};
}

static cop_status analyse(analysis *a)
{
	const cop_graph *g = a->g;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.dtype == COP_I8 && !g->value[v].data && !ranges(a, (cop_vid)v)) return COP_NOMEM;
	for (int32_t i = 1; i <= g->n_node; i++) {
		cop_nid n = (cop_nid)i;
		const range *x = a->of[cop__arg(g, n, 0)], *z = a->of[cop__arg(g, n, 1)];
		range *y = a->of[cop__res(g, n, 0)];
		int32_t c = channels(cop__outt(g, n, 0));
		if (!x || !y) continue;
		switch (g->node[i].op) {
		case OP_qconv: see_conv(a, n, x, y); break;
		case OP_qlut: see_table(g, n, x, y, c); break;
		case OP_qadd: if (z) see_add(g, n, x, z, y, c); break;
		case OP_qavgpool: see_pool(g, n, x, y, c); break;
		case OP_maxpool: memcpy(y, x, sizeof *y * (size_t)c); break;
		case OP_reshape: if (c == channels(cop__in(g, n, 0))) memcpy(y, x, sizeof *y * (size_t)c); break;
		default: break;
		}
	}
	return COP_OK;
}

/* ---- which channels go ---- */

static bool dense(const cop_graph *g, cop_nid n)
{
	COP_ATTR(cop_qconv_attr, q, g, n);
	return g->node[n].op == OP_qconv && q.groups == 1;
}

static int32_t weight_sum(const cop_graph *g, cop_nid n, int32_t o, int32_t c, bool *zero)
{
	const cop_value *w = &g->value[cop__arg(g, n, 1)];
	int32_t s = 0;

	for (int32_t t = 0; t < w->type.dim[1] * w->type.dim[2]; t++) {
		int32_t f = tap(w->data, o, t, w->type.dim)[c];
		s += f;
		*zero &= f == 0;
	}
	return s;
}

/* May channel c of a dense convolution's input go, its part of the sums put into the bias? */
static bool foldable(const analysis *a, cop_nid n, int32_t c)
{
	const cop_graph *g = a->g;
	const range *x = a->of[cop__arg(g, n, 0)];
	COP_ATTR(cop_qconv_attr, q, g, n);
	bool zero = true;

	if (!constant_inputs(g, n)) return false;
	for (int32_t o = 0; o < cop__in(g, n, 1)->dim[0]; o++) weight_sum(g, n, o, c, &zero);
	return zero || (x && x[c].lo == x[c].hi && (!pads(&q) || x[c].lo == q.zx));
}

/* Groups that end in foldable inputs of dense convolutions only. A group without any reader is a whole dead branch: it stays. */
static void choose(const analysis *a, const cop_groups *s, uint8_t *drop)
{
	const cop_graph *g = a->g;

	for (int32_t n = 1; n <= g->n_node; n++) {
		if (!dense(g, (cop_nid)n)) continue;
		cop_vid x = cop__arg(g, (cop_nid)n, 0);
		for (int32_t c = 0; c < cop__t(g, x)->dim[3]; c++) {
			int32_t k = cop__group_of(s, x, 3, c);
			if (drop[k] != 2) drop[k] = foldable(a, (cop_nid)n, c) ? 1 : 2;
		}
	}
	for (int32_t k = 0; k < s->n_group; k++) drop[k] = drop[k] == 1 && !s->stop[k].why;
}

/* An axis must keep one index: of an axis that would go whole, the first stays. */
static void keep_one(const analysis *a, const cop_groups *s, uint8_t *drop)
{
	const cop_graph *g = a->g;

	for (int32_t v = 1; v <= g->n_value; v++)
		for (int i = 0; i < g->value[v].type.rank; i++) {
			int32_t left = 0;
			for (int32_t j = 0; j < g->value[v].type.dim[i]; j++) left += !drop[cop__group_of(s, (cop_vid)v, i, j)];
			if (!left) drop[cop__group_of(s, (cop_vid)v, i, 0)] = 0;
		}
}

/* What the channels that go add to sums becomes part of the biases. The graph owns its biases. */
static void fold(const analysis *a, const cop_groups *s, const uint8_t *drop)
{
	const cop_graph *g = a->g;

	for (int32_t i = 1; i <= g->n_node; i++) {
		cop_nid n = (cop_nid)i;
		if (!dense(g, n)) continue;
		cop_vid x = cop__arg(g, n, 0);
		int32_t *b = (int32_t *)(uintptr_t)g->value[cop__arg(g, n, 2)].data;
		for (int32_t c = 0; c < cop__t(g, x)->dim[3]; c++) {
			if (!drop[cop__group_of(s, x, 3, c)]) continue;
			for (int32_t o = 0; o < cop__in(g, n, 1)->dim[0]; o++) {
				bool zero = true;
				int32_t sum = weight_sum(g, n, o, c, &zero);
				if (!zero) b[o] += a->of[x][c].lo * sum;
			}
		}
	}
}

static cop_status clone(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = cop__copy_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static cop_status reduce(cop_graph **out, analysis *a, int32_t *gone)
{
	cop_groups s;
	cop_status st = cop__groups(&s, a->g);
	uint8_t *drop = st ? NULL : cop__arena_get(&s.mem, (size_t)s.n_group + 1);

	*gone = 0;
	if (!st && !drop) st = COP_NOMEM;
	if (!st) st = analyse(a);
	if (!st) {
		choose(a, &s, drop);
		keep_one(a, &s, drop);
		fold(a, &s, drop);
		for (int32_t k = 0; k < s.n_group; k++) *gone += drop[k];
		st = cop__pass_slice_groups(out, &s, drop);
	}
	cop__groups_free(&s);
	return st;
}

static cop_status once(cop_graph **out, const cop_graph *g, int32_t *gone)
{
	cop_graph *own;

	*out = NULL;
	COP_TRY(clone(&own, g));
	analysis a = {.g = own};
	cop__arena_init(&a.mem, g->cx);
	a.of = cop__arena_get(&a.mem, sizeof *a.of * (size_t)(g->n_value + 1));
	cop_status st = a.of ? reduce(out, &a, gone) : COP_NOMEM;
	cop__arena_free(&a.mem);
	cop_graph_free(own);
	return st;
}

/* A filter that went may have been the last one to look at a channel: again, until nothing goes. */
cop_status cop__pass_drop_constant(cop_graph **out, const cop_graph *g)
{
	cop_graph *next;
	int32_t gone, all = 0;

	COP_TRY(once(out, g, &gone));
	for (all = gone; gone; all += gone) {
		cop_status st = once(&next, *out, &gone);
		cop_graph_free(*out);
		*out = next;
		if (st) return st;
	}
	cop__log(g->cx, COP_LOG_INFO, "drop_constant: %d groups of channels went, which no input can change", all);
	return COP_OK;
}

static cop_status run(cop_graph **out, const cop_graph *g, const cop_args *args)
{
	(void)args;
	return cop__pass_drop_constant(out, g);
}

const cop_pass cop_pass_drop_constant = {"drop_constant", "", "takes out int8 channels that no input can change; exact", run};
