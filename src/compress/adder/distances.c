/* SPDX-License-Identifier: Apache-2.0
 *
 * distances - the network with layers of distances (adder.h), each with batch norm behind it: the one that was there, or a new one. Those of
 * fully connected layers are convolutions of one pixel.
 */
#include "compress/adder/adder.h"
#include "pass/pass.h"

#include <math.h>

typedef struct putter {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	const cop_sums *of;
	const cop_adder_options *o;
	uint64_t seed;
	cop_nid *norm; /* [n_node+1] of a layer: the batch norm that alone reads it */
	bool *done;    /* [n_node+1] nodes that came with a layer */
} putter;

/* "conv1.w" -> "conv1.add.w" */
static void called(char name[128], const putter *p, cop_nid n, const char *what)
{
	const char *w = p->g->value[cop__arg(p->g, n, 1)].name;
	size_t len = strlen(w), stem = len > 2 && !strcmp(w + len - 2, ".w") ? len - 2 : len;

	cop__format(name, 128, "%.*s.%s", (int)COP_MIN(stem, 90), w, what);
	for (int i = 2; cop__find(p->g, name) || cop__find(p->out, name); i++) cop__format(name, 128, "%.*s.%s.%d", (int)COP_MIN(stem, 90), w, what, i);
}

/* A new value with room for its contents. */
static cop_vid leaf(const putter *p, cop_role role, const char *name, const cop_type *t, float **to)
{
	cop_vid v = cop__data(p->out, role, name, t, NULL);
	return v && (*to = cop__own(p->out, v)) ? v : 0;
}

/* ---- the layer that stays ---- */

/* Rows of w, or a bias, times the inverse of what the distances begin as. Its name stays, and what training has kept for it goes. */
static cop_vid unmixed(const putter *p, cop_nid n, cop_vid w)
{
	const cop_value *v = &p->g->value[w];
	const cop_sums *s = &p->of[n];
	int32_t cols = (int32_t)(cop_type_count(&v->type) / s->n);
	const float *from = cop__floats(p->g, w);
	float *to = NULL;
	cop_vid made = leaf(p, v->role, v->name, &v->type, &to);

	for (int32_t i = 0; made && from && i < s->n * cols; i++) {
		double sum = 0;
		for (int32_t k = 0; k < s->n; k++) sum += s->unmixing[i / cols * s->n + k] * (double)from[k * cols + i % cols];
		to[i] = (float)sum;
	}
	return made;
}

static cop_vid products(const putter *p, cop_nid n, cop_vid x)
{
	const cop_node *d = &p->g->node[n];
	cop_vid in[3] = {x};

	for (int i = 1; i < d->n_in; i++)
		if (d->in[i] && !(in[i] = p->of ? unmixed(p, n, d->in[i]) : cop__copy_value(p->out, p->g, p->map, d->in[i]))) return 0;
	return cop__apply(p->out, d->op, d->attr, d->n_in, in);
}

/* ---- distances ---- */

/* Behind a layer of c channels. */
static cop_vid weight_behind(const putter *p, cop_nid n, int32_t c)
{
	int32_t size = p->o->size;
	cop_type t = cop__type(COP_F32, 4, DIMS(c, size, size, c));
	char name[128];
	float *w = NULL;

	called(name, p, n, "add.w");
	cop_vid v = leaf(p, COP_PARAM, name, &t, &w);
	for (int32_t i = 0; v && i < cop_type_count(&t); i++)
		w[i] = p->of ? p->of[n].reach * cop__mixing(c, i / c, i % c) : cop__rand_normal(p->seed, cop__hash_text(name), (uint64_t)i);
	return v;
}

/* In the place of a layer: its weights, made as large as they would have been drawn. */
static cop_vid weight_instead(const putter *p, cop_nid n)
{
	const cop_value *v = &p->g->value[cop__arg(p->g, n, 1)];
	const float *from = cop__floats(p->g, cop__arg(p->g, n, 1));
	int64_t count = cop_type_count(&v->type);
	cop_type t = v->type.rank == 4 ? v->type : cop__type(COP_F32, 4, DIMS(v->type.dim[0], 1, 1, v->type.dim[1]));
	double square = 0;
	float *w = NULL;
	cop_vid made = leaf(p, COP_PARAM, v->name, &t, &w);

	for (int64_t i = 0; from && i < count; i++) square += (double)from[i] * (double)from[i];
	double by = square > 0 ? 1 / sqrt(square / (double)count) : 0;
	for (int64_t i = 0; made && i < count; i++)
		w[i] = p->o->start == COP_START_RANDOM || !from ? cop__rand_normal(p->seed, cop__hash_text(v->name), (uint64_t)i) : (float)(by * (double)from[i]);
	return made;
}

static cop_vid distances(const putter *p, cop_nid n, cop_vid x)
{
	const cop_node *d = &p->g->node[n];
	int32_t pad = p->o->size / 2;
	cop_conv_attr c = {1, 1, pad, pad, pad, pad, 1, 1, 1, COP_NO_LO, COP_NO_HI};

	if (!p->o->pair && d->op == OP_conv) memcpy(&c, d->attr, sizeof c);
	cop_vid w = p->o->pair ? weight_behind(p, n, cop__t(p->out, x)->dim[3]) : weight_instead(p, n);
	return w ? cop__apply(p->out, OP_addconv, &(cop_addconv_attr){c, p->o->eta}, VIDS(x, w)) : 0;
}

/* ---- batch norm ---- */

/* The old one: of its mean, what the distances add to every sum. */
static cop_vid norm_moved(const putter *p, cop_nid n, cop_vid y)
{
	const cop_node *d = &p->g->node[p->norm[n]];
	cop_vid in[5] = {y};

	for (int i = 1; i < 5; i++)
		if (!(in[i] = cop__copy_value(p->out, p->g, p->map, d->in[i]))) return 0;
	float *mean = p->of ? cop__own(p->out, in[3]) : NULL;
	if (p->of && !mean) return 0;
	for (int32_t i = 0; mean && i < p->of[n].n; i++) mean[i] -= (float)p->of[n].n * p->of[n].reach;
	return cop__apply(p->out, OP_bn, d->attr, 5, in);
}

/* A new one: what samples have shown, so that it changes nothing yet; else what is usual. */
static cop_vid norm_made(const putter *p, cop_nid n, cop_vid y)
{
	static const char *const what[] = {"bn.gamma", "bn.beta", "bn.mean", "bn.var"};
	const cop_bn_attr a = {1e-5f, 0.1f, COP_NO_LO, COP_NO_HI};
	cop_type t = cop__type(COP_F32, 1, &cop__t(p->out, y)->dim[3]);
	cop_vid in[5] = {y};
	float *to[4];
	char name[128];

	for (int i = 0; i < 4; i++) {
		called(name, p, n, what[i]);
		if (!(in[i + 1] = leaf(p, i < 2 ? COP_PARAM : COP_STATE, name, &t, &to[i]))) return 0;
	}
	p->out->value[in[3]].of = p->out->value[in[4]].of = in[1];
	for (int32_t i = 0; i < t.dim[0]; i++) {
		const cop_sums *s = p->of ? &p->of[n] : NULL;
		to[0][i] = s ? (float)sqrt(s->var[i] + (double)a.eps) : 1;
		to[1][i] = s ? (float)s->mean[i] : 0;
		to[2][i] = s ? (float)(s->mean[i] - s->n * (double)s->reach) : 0;
		to[3][i] = s ? (float)s->var[i] : 1;
	}
	return cop__apply(p->out, OP_bn, &a, 5, in);
}

/* ---- all of it ---- */

static cop_vid shaped(const putter *p, cop_vid x, int32_t rank)
{
	static const cop_shape_attr pixel = {4, {0, 1, 1, -1}}, flat = {2, {0, -1}};

	return !x || cop__t(p->out, x)->rank == rank ? x : cop__apply(p->out, OP_reshape, rank == 4 ? &pixel : &flat, VIDS(x));
}

static cop_status layer(putter *p, cop_nid n)
{
	const cop_graph *g = p->g;
	cop_nid last = p->norm[n] ? p->norm[n] : n;
	cop_vid x = cop__copy_value(p->out, g, p->map, cop__arg(g, n, 0)), y = x && p->o->pair ? products(p, n, x) : x;

	y = shaped(p, y, 4);
	if (y) y = distances(p, n, y);
	if (y) y = p->norm[n] ? norm_moved(p, n, y) : norm_made(p, n, y);
	y = shaped(p, y, cop__outt(g, n, 0)->rank);
	if (!y) return cop__failed(g->cx);
	p->done[last] = true;
	cop__map_to(p->out, g, p->map, cop__res(g, last, 0), y);
	return COP_OK;
}

/* Has the layer a bound of its own, as those have that are deployed? */
static cop_status unbounded(const cop_graph *g, cop_nid n)
{
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	if (isinf(lo) && isinf(hi)) return COP_OK;
	return cop__fail(g, COP_ARG, n, "has its activation within; give the network as it was trained, or leave the layer out by layers:");
}

static cop_status find_norms(putter *p, const uint8_t *chosen)
{
	const cop_graph *g = p->g;
	int32_t *readers = cop__readers(g, &p->out->mem);

	p->norm = cop__arena_get(&p->out->mem, sizeof *p->norm * (size_t)(g->n_node + 1));
	p->done = cop__arena_get(&p->out->mem, sizeof *p->done * (size_t)(g->n_node + 1));
	if (!readers || !p->norm || !p->done) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid x = cop__arg(g, n, 0);
		cop_nid before = g->value[x].producer;
		if (chosen[n]) COP_TRY(unbounded(g, n));
		if (g->node[n].op == OP_bn && before && chosen[before] && readers[x] == 1 && !g->node[n].guard) p->norm[before] = n;
	}
	return COP_OK;
}

static cop_status put(putter *p, const uint8_t *chosen)
{
	COP_TRY(find_norms(p, chosen));
	COP_TRY(cop__copy_inputs(p->out, p->g, p->map));
	for (cop_nid n = 1; n <= (cop_nid)p->g->n_node; n++) {
		if (chosen[n]) COP_TRY(layer(p, n));
		else if (!p->done[n]) COP_TRY(cop__copy_node(p->out, p->g, p->map, n));
	}
	return cop__copy_rest(p->out, p->g, p->map);
}

cop_status cop__put_distances(cop_graph **out, const cop_graph *g, const uint8_t *chosen, const cop_sums *of, const cop_adder_options *o, uint64_t seed)
{
	putter p = {.g = g, .of = of, .o = o, .seed = seed};

	COP_TRY(cop__copy_begin(out, g, &p.map));
	p.out = *out;
	return cop__pass_end(out, put(&p, chosen));
}
