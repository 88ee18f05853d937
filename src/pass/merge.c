/* SPDX-License-Identifier: Apache-2.0
 *
 * merge - two layers without an activation between them are one linear function, and become one layer where that is exact and costs no more
 * multiply-accumulates. W = W2 W1, b = W2 b1 + b2; of convolutions the kernels are convolved, so K = k1 + (k2 - 1) s1.
 *
 * Borders: where the second layer pads, it reads zeros beside the result of the first; the merged one would read what the first makes of a padded input.
 * The two are the same only if the first looks at one pixel and has no bias. `loose` merges all the same. Padding that is all before the first layer, for
 * both (cop__conv_compose says how much), is another way to have them the same.
 */
#include "pass/pass.h"

#include <stdio.h>

typedef struct merging { const cop_graph *g; cop_graph *out; cop_vid *map; const int32_t *readers; cop_merging how; } merging;
typedef struct kernel { int32_t o, h, w, c; const float *at, *bias; } kernel; /* [o,h,w,c] */

static bool linear(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	if ((g->node[n].op != OP_conv && g->node[n].op != OP_fc) || g->node[n].guard) return false;
	cop__act_get(g, n, &lo, &hi);
	return lo == COP_NO_LO && hi == COP_NO_HI;
}

/* Its weights, if they are known and nobody else's. */
static bool kernel_of(kernel *k, const merging *m, cop_nid n)
{
	const cop_graph *g = m->g;
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);

	*k = (kernel){.at = cop__floats(g, w), .bias = b ? cop__floats(g, b) : NULL};
	if (!k->at || m->readers[w] != 1 || (b && (!k->bias || m->readers[b] != 1))) return false;
	const int32_t *d = cop__t(g, w)->dim;
	bool conv = g->node[n].op == OP_conv;
	k->o = d[0], k->h = conv ? d[1] : 1, k->w = conv ? d[2] : 1, k->c = conv ? d[3] : d[1];
	return true;
}

static bool plain(const cop_conv_attr *a) { return a->groups == 1 && a->dh == 1 && a->dw == 1; }

/* Does what stands beside the first layer's result matter? */
static bool exact(const kernel *one, const cop_conv_attr *a, const cop_conv_attr *b)
{
	if (!(b->pt | b->pl | b->pb | b->pr)) return true;
	for (int32_t i = 0; one->bias && i < one->o; i++)
		if (one->bias[i] != 0) return false;
	return one->h == 1 && one->w == 1 && !(a->pt | a->pl | a->pb | a->pr);
}

bool cop__conv_compose(cop_conv_attr *c, const cop_conv_attr *a, const cop_conv_attr *b, const int32_t *x, const int32_t *y, int32_t kh, int32_t kw)
{
	*c = *b;
	c->sh = a->sh * b->sh, c->sw = a->sw * b->sw;
	c->pt = a->pt + a->sh * b->pt, c->pl = a->pl + a->sw * b->pl;
	c->pb = b->pb ? a->sh * (y[1] - 1 + b->pb) + kh - a->pt - x[1] : a->pb;
	c->pr = b->pr ? a->sw * (y[2] - 1 + b->pr) + kw - a->pl - x[2] : a->pr;
	return c->pb >= 0 && c->pr >= 0;
}

/* Does one layer for p and n cost no more multiply-accumulates than both? */
static bool pays(const merging *m, cop_nid p, cop_nid n, const kernel *one, const kernel *two)
{
	const cop_graph *g = m->g;

	if (g->node[n].op == OP_fc) return (int64_t)one->c * two->o <= (int64_t)one->o * (one->c + two->o);
	COP_ATTR(cop_conv_attr, a, g, p);
	const int32_t *y = cop__outt(g, n, 0)->dim, *x = cop__outt(g, p, 0)->dim;
	int64_t here = (int64_t)y[1] * y[2], there = (int64_t)x[1] * x[2];
	int64_t h = one->h + (two->h - 1) * a.sh, w = one->w + (two->w - 1) * a.sw;
	return here * two->o * h * w * one->c <= here * two->o * two->h * two->w * two->c + there * one->o * one->h * one->w * one->c;
}

static bool wanted(const merging *m, cop_nid p, cop_nid n, const kernel *one, const kernel *two)
{
	const cop_value *v = m->g->value;

	if (!m->how.together) return pays(m, p, n, one, two);
	return m->how.together(m->how.ud, v[cop__arg(m->g, p, 1)].name, v[cop__arg(m->g, n, 1)].name);
}

/* The layer before n that n can take in, or 0. c: the attributes of the two, of convolutions. */
static cop_nid before(const merging *m, cop_nid n, cop_conv_attr *c)
{
	const cop_graph *g = m->g;
	cop_vid x = cop__arg(g, n, 0);
	cop_nid p = g->value[x].producer;
	kernel one, two;

	if ((g->node[n].op != OP_conv && g->node[n].op != OP_fc) || g->node[n].guard || !p || m->readers[x] != 1 || g->node[p].op != g->node[n].op || !linear(g, p)) return 0;
	if (!kernel_of(&one, m, p) || !kernel_of(&two, m, n)) return 0;
	if (!wanted(m, p, n, &one, &two)) return 0;
	if (g->node[n].op == OP_fc) return p;
	COP_ATTR(cop_conv_attr, a, g, p);
	COP_ATTR(cop_conv_attr, b, g, n);
	if (!plain(&a) || !plain(&b) || (!m->how.loose && !exact(&one, &a, &b))) return 0;
	return cop__conv_compose(c, &a, &b, cop__in(g, p, 0)->dim, cop__t(g, x)->dim, one.h, one.w) ? p : 0;
}

/* w [o,H,W,c] and b [o] of both; sums in double. */
static void multiply(float *w, float *b, double *row, const kernel *one, const kernel *two, int32_t sh, int32_t sw, int32_t big_h, int32_t big_w)
{
	size_t size = (size_t)big_h * (size_t)big_w * (size_t)one->c;

	for (int32_t o = 0; o < two->o; o++) {
		double sum = two->bias ? (double)two->bias[o] : 0;
		memset(row, 0, sizeof *row * size);
		for (int32_t i = 0; i < two->h * two->w; i++)
			for (int32_t k = 0; k < two->c; k++) {
				double f = (double)two->at[(o * two->h * two->w + i) * two->c + k];
				if (one->bias) sum += f * (double)one->bias[k];
				for (int32_t j = 0; j < one->h * one->w; j++) {
					const float *from = one->at + (k * one->h * one->w + j) * one->c;
					double *to = row + ((i / two->w * sh + j / one->w) * big_w + i % two->w * sw + j % one->w) * one->c;
					for (int32_t c = 0; c < one->c; c++) to[c] += f * (double)from[c];
				}
			}
		for (size_t i = 0; i < size; i++) w[(size_t)o * size + i] = (float)row[i];
		b[o] = (float)sum;
	}
}

/* Node n with p in it. The names of n's weights are kept; a bias that was p's alone goes by n's weight. */
static cop_status put(merging *m, cop_nid p, cop_nid n, const cop_conv_attr *c)
{
	const cop_graph *g = m->g;
	bool conv = g->node[n].op == OP_conv;
	cop_vid vw = cop__arg(g, n, 1), vb = cop__arg(g, n, 2);
	kernel one, two;
	cop_conv_attr a = {.sh = 1, .sw = 1};
	cop_node d = g->node[n];
	char name[140];

	kernel_of(&one, m, p);
	kernel_of(&two, m, n);
	if (conv) memcpy(&a, g->node[p].attr, sizeof a), memcpy(d.attr, c, sizeof *c);
	int32_t h = one.h + (two.h - 1) * a.sh, w = one.w + (two.w - 1) * a.sw;
	cop_type tw = conv ? cop__type(COP_F32, 4, DIMS(two.o, h, w, one.c)) : cop__type(COP_F32, 2, DIMS(two.o, one.c)), tb = cop__type(COP_F32, 1, &two.o);
	snprintf(name, sizeof name, "%.100s", vb ? g->value[vb].name : g->value[vw].name);
	for (int i = 0; !vb && (i == 0 || cop__find(g, name) || cop__find(m->out, name)); i++) snprintf(name, sizeof name, "%.100s.b%d", g->value[vw].name, i);
	cop_vid x = cop__copy_value(m->out, g, m->map, cop__arg(g, p, 0));
	cop_vid nw = cop__data(m->out, g->value[vw].role, g->value[vw].name, &tw, NULL), nb = cop__data(m->out, g->value[vw].role, name, &tb, NULL);
	float *fw = nw ? cop__own(m->out, nw) : NULL, *fb = nb ? cop__own(m->out, nb) : NULL;
	double *row = cop__arena_get(&m->out->mem, sizeof *row * (size_t)(h * w * one.c));
	if (!x || !fw || !fb || !row) return cop__failed(g->cx);
	multiply(fw, fb, row, &one, &two, a.sh, a.sw, h, w);
	cop_nid made = cop__node(m->out, d.op, d.attr, VIDS(x, nw, nb));
	if (!made) return cop__failed(g->cx);
	m->map[vw] = nw;
	if (vb) m->map[vb] = nb;
	cop__map_to(m->out, g, m->map, d.out[0], cop__res(m->out, made, 0));
	return COP_OK;
}

/* Of a chain each second pair; what is left is for the next time. */
static cop_status rewrite(merging *m, int32_t *merged)
{
	const cop_graph *g = m->g;
	cop_nid *into = cop__arena_get(&m->out->mem, sizeof *into * (size_t)(g->n_node + 1)), *from = cop__arena_get(&m->out->mem, sizeof *from * (size_t)(g->n_node + 1));
	cop_conv_attr c;

	if (!into || !from || !(m->readers = cop__readers(g, &m->out->mem))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_nid p = before(m, n, &c);
		if (p && !from[p]) into[p] = n, from[n] = p, ++*merged;
	}
	COP_TRY(cop__copy_inputs(m->out, g, m->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (into[n]) continue;
		if (from[n] && before(m, n, &c) == from[n]) COP_TRY(put(m, from[n], n, &c));
		else COP_TRY(cop__copy_node(m->out, g, m->map, n));
	}
	return cop__copy_rest(m->out, g, m->map);
}

static cop_status once(cop_graph **out, const cop_graph *g, const cop_merging *how, int32_t *merged)
{
	merging m = {.g = g, .how = *how};

	*merged = 0;
	COP_TRY(cop__copy_begin(out, g, &m.map));
	m.out = *out;
	return cop__pass_end(out, rewrite(&m, merged));
}

cop_status cop__pass_merge_by(cop_graph **out, const cop_graph *g, const cop_merging *how)
{
	cop_graph *next;
	int32_t merged, all;

	*out = NULL;
	COP_TRY(cop__not_outline(g, "merged by its weights"));
	COP_TRY(once(out, g, how, &merged));
	for (all = merged; merged; all += merged) {
		cop_status st = once(&next, *out, how, &merged);
		cop_graph_free(*out);
		*out = next;
		if (st) return st;
	}
	cop__log(g->cx, COP_LOG_INFO, "merge: %d layers went into the next one", all);
	return COP_OK;
}

cop_status cop__pass_merge(cop_graph **out, const cop_graph *g, bool loose) { return cop__pass_merge_by(out, g, &(cop_merging){.loose = loose}); }

typedef struct merge_options { bool loose; } merge_options;
static const cop_option options[] = {COP_OPT_FLAG(merge_options, loose, "no", "also where the border of the result changes"), COP_OPT_END};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a) { return cop__pass_merge(out, g, ((const merge_options *)a)->loose); }

const cop_pass cop_pass_merge = {{"merge", "makes one layer of two that have no activation between them", NULL, options, sizeof(merge_options)}, run};
