/* SPDX-License-Identifier: Apache-2.0
 *
 * reconstruct - learns the rounding of all weights of a block against what the block makes in the float network. The
 * gradient of the squared error comes from the block as a graph (fake.c); weights go in as h(V) makes them, and V is
 * moved as AdaRound moves it (adaround.c). With QDrop what the block reads, and each value within, is by chance that of
 * the float network, or not rounded: a rounding that is good for one noise alone is no good.
 */
#include "compress/quantize/fake.h"
#include "op/axes.h"
#include "op/grad.h"

enum { AT_ONCE = 32 }; /* samples of a step */
static const float rate = 0.02f, pull = 3;

typedef struct learned {
	cop_nid n;
	cop_qlayer *l;
	int32_t most, dw; /* an output of the graph */
	float *to;        /* in the session */
	float *base, *v;  /* [o,k] */
	cop_adam *adam;
} learned;

typedef struct work {
	cop_quantizer *z;
	const cop_block *b;
	const cop_block_data *d;
	cop_arena mem;
	learned *layer;
	int32_t n, weights, batch, loss;
	float drop, unit; /* unit: by what the error is multiplied, so that a weight rounded to the nearest costs 1/12 */
	cop_graph *g;     /* the error and its gradients */
	cop_host host;
} work;

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

/* ---- the layers ---- */

static cop_status find_layers(work *w)
{
	const cop_graph *g = w->z->g;

	if (!(w->layer = cop__arena_get(&w->mem, sizeof *w->layer * (size_t)(w->b->last - w->b->first + 1)))) return COP_NOMEM;
	for (cop_nid n = w->b->first; n <= w->b->last; n++) {
		cop_qlayer *l = &w->z->layer[n];
		bool shared = false;
		for (int32_t i = 0; i < w->n; i++) shared |= cop__arg(g, w->layer[i].n, 1) == cop__arg(g, n, 1);
		if (!cop__is_learned(w->z, n) || shared) continue;
		size_t count = (size_t)l->o * (size_t)l->k;
		learned *e = &w->layer[w->n++];
		*e = (learned){.n = n, .l = l, .most = (1 << (l->bits - 1)) - 1};
		e->base = cop__arena_get(&w->mem, sizeof *e->base * 2 * count);
		e->v = e->base + count;
		e->adam = cop__arena_get(&w->mem, sizeof *e->adam * count);
		if (!e->base || !e->adam) return COP_NOMEM;
		w->weights += (int32_t)count;
	}
	return COP_OK;
}

/* From the integer that is there; the other choice is its neighbour on the side of the weight. */
static void begin(work *w)
{
	for (int32_t i = 0; i < w->n; i++) {
		learned *e = &w->layer[i];
		const float *x = cop__floats(w->z->g, cop__arg(w->z->g, e->n, 1));
		for (int32_t k = 0; k < e->l->o * e->l->k; k++) {
			float q = e->l->q[k];
			e->base[k] = x[k] / e->l->scale[k / e->l->k] < q ? q - 1 : q;
			e->v[k] = cop__soft_start(q - e->base[k]);
		}
	}
}

/* ---- the graph ---- */

static cop_vid output(cop_graph *g, cop_vid v)
{
	return v && !cop__output(g, v, NULL) ? (cop_vid)g->n_output : 0;
}

/* The mean square of what the block is off by, times `matter` where that is given. */
static cop_vid error_of(cop_graph *g, const cop_block_data *d)
{
	const cop_type t = *cop__t(g, g->output[0]);
	cop_vid off = cop__apply(g, OP_sub, &none, VIDS(g->output[0], cop__input(g, "to.make", &t)));
	cop_vid square = cop__apply(g, OP_mul, &none, VIDS(off, off));

	if (d->matter) square = cop__apply(g, OP_mul, &none, VIDS(square, cop__input(g, "matter", &t)));
	return cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, (1 << t.rank) - 1, 0}, VIDS(square));
}

static cop_status differentiate(work *w)
{
	cop_graph *g = w->g;
	const cop_graph *of = w->z->g;
	cop_vid *wrt = cop__arena_get(&w->mem, sizeof *wrt * 2 * (size_t)w->n), *dx = wrt + w->n;
	cop_vid error = wrt ? error_of(g, w->d) : 0;

	w->loss = (int32_t)output(g, error);
	if (!w->loss) return cop__failed(g->cx);
	for (int32_t i = 0; i < w->n; i++) wrt[i] = cop__find(g, of->value[cop__arg(of, w->layer[i].n, 1)].name);
	COP_TRY(cop__differentiate(g, error, w->n, wrt, dx));
	for (int32_t i = 0; i < w->n; i++)
		if (!(w->layer[i].dw = (int32_t)output(g, dx[i]))) return cop__failed(g->cx);
	return COP_OK;
}

/* The bias of layer n as it is now, into a session of the block. */
static cop_status put_bias(const work *w, cop_session *s, const learned *e)
{
	cop_vid b = cop__arg(w->z->g, e->n, 2);
	cop_tensor t;

	if (!b) return COP_OK;
	COP_TRY(cop_session_tensor(s, 0, w->z->g->value[b].name, &t));
	memcpy(t.data, e->l->bias, sizeof(float) * (size_t)e->l->o);
	return COP_OK;
}

static cop_status open_graph(work *w)
{
	const cop_quantizer *z = w->z;
	cop_graph *one = NULL;
	cop_tensor t;

	COP_TRY(cop__fake_block(&one, w->z, w->b, w->drop));
	cop_status st = cop__batch_for(&w->g, one, &(cop_sized_args){.n = COP_MIN(AT_ONCE, z->samples), .each = w->d->in}, &w->batch);
	cop_graph_free(one);
	if (!st) st = differentiate(w);
	if (!st) st = cop__host_open(&w->host, &w->g, 1, COP_ISA_ALL, z->a->threads);
	for (int32_t i = 0; !st && i < w->n; i++) {
		learned *e = &w->layer[i];
		st = cop_session_tensor(w->host.s, 0, z->g->value[cop__arg(z->g, e->n, 1)].name, &t);
		if (!st) e->to = t.data, st = put_bias(w, w->host.s, e);
	}
	return st;
}

static float *io(work *w, int32_t i, bool out)
{
	cop_tensor t;
	return cop_session_io(w->host.s, 0, i, out, &t) ? NULL : t.data;
}

/* ---- steps ---- */

static void place_batch(work *w, int32_t t)
{
	const cop_block_data *d = w->d;
	const uint32_t stream = cop__hash_text("block") ^ w->b->out;
	const uint64_t seed = w->z->a->seed;

	for (int32_t i = 0; i < w->batch; i++) {
		int64_t at = cop__rand(seed, stream, (uint64_t)t * (uint64_t)w->batch + (uint64_t)i) % (uint32_t)d->samples;
		cop__mix(io(w, 0, false) + i * d->in, d->q + at * d->in, d->x + at * d->in, d->in, w->drop, seed ^ w->b->out,
		        ((uint64_t)t * (uint64_t)w->batch + (uint64_t)i) * (uint64_t)d->in);
		memcpy(io(w, 1, false) + i * d->out, d->y + at * d->out, sizeof(float) * (size_t)d->out);
		if (d->matter) memcpy(io(w, 2, false) + i * d->out, d->matter + at * d->out, sizeof(float) * (size_t)d->out);
	}
}

/* An integer, or what is to become one. */
static float held(const learned *e, int32_t k, float up)
{
	return fminf(fmaxf(e->base[k] + up, -(float)e->most), (float)e->most);
}

static void soften(work *w)
{
	for (int32_t i = 0; i < w->n; i++)
		for (int32_t k = 0; k < w->layer[i].l->o * w->layer[i].l->k; k++) w->layer[i].to[k] = w->layer[i].l->scale[k / w->layer[i].l->k] * held(&w->layer[i], k, cop__soft(w->layer[i].v[k]));
}

static void move(work *w, int32_t t, int32_t steps)
{
	const cop_pace p = cop__pace(rate, pull, t, steps);

	for (int32_t i = 0; i < w->n; i++) {
		learned *e = &w->layer[i];
		const float *dw = io(w, e->dw - 1, true);
		for (int32_t j = 0; j < e->l->o * e->l->k; j++) cop__soft_step(&e->adam[j], &e->v[j], dw[j] * e->l->scale[j / e->l->k] * w->unit, &p);
	}
}

static cop_status step(work *w, int32_t t)
{
	cop_tensor drop;

	place_batch(w, t);
	if (w->drop > 0 && w->drop < 1) {
		COP_TRY(cop_session_tensor(w->host.s, 0, "drop.step", &drop));
		*(int32_t *)drop.data = t;
	}
	COP_TRY(cop_session_run(w->host.s, 0));
	return cop__stopped(w->z->cx) ? cop__error(w->z->cx, COP_STOPPED, "stopped while rounding") : COP_OK;
}

static cop_status learn(work *w, int32_t steps)
{
	enum { LOOKS = 4 };
	float sum = 0;

	begin(w);
	soften(w);
	for (int32_t t = 0; t < LOOKS; t++) {
		COP_TRY(step(w, t));
		sum += *io(w, w->loss - 1, true) / LOOKS;
	}
	w->unit = sum > 0 ? (float)w->weights / (12 * sum) : 0;
	for (int32_t t = 0; t < steps; t++) {
		soften(w);
		COP_TRY(step(w, t));
		move(w, t, steps);
	}
	return COP_OK;
}

/* ---- what comes of it ---- */

typedef struct rows { const float *x; size_t bytes; } rows;

static cop_status row_of(void *ud, int32_t i, float *x, int32_t *label)
{
	const rows *r = ud;

	memcpy(x, (const char *)r->x + (size_t)i * r->bytes, r->bytes);
	*label = 0;
	return COP_OK;
}

static double off(const cop_block_data *d, int32_t row, const float *made)
{
	const float *y = d->y + row * d->out, *matter = d->matter ? d->matter + row * d->out : NULL;
	double sum = 0;

	for (int64_t i = 0; i < d->out; i++) sum += (double)(made[i] - y[i]) * (double)(made[i] - y[i]) * (matter ? (double)matter[i] : 1);
	return sum;
}

/* The block on all samples, rounded throughout, with the integers that its layers have. */
static cop_status check(work *w, cop_watch *k, float *after, double *error)
{
	const cop_block_data *d = w->d;
	rows r = {d->q, sizeof(float) * (size_t)d->in};
	cop_dataset set = {.name = "block", .x = cop__type(COP_F32, 1, DIMS((int32_t)d->in)), .count = d->samples, .get = row_of, .ud = &r}, *sets = &set;
	cop_tensor t;
	int32_t got;

	for (int32_t i = 0; i < w->n; i++) {
		const learned *e = &w->layer[i];
		const cop_graph *g = w->z->g;
		COP_TRY(cop_session_tensor(k->host.s, 0, g->value[cop__arg(g, e->n, 1)].name, &t));
		for (int32_t j = 0; j < e->l->o * e->l->k; j++) ((float *)t.data)[j] = e->l->scale[j / e->l->k] * (float)e->l->q[j];
		COP_TRY(put_bias(w, k->host.s, e));
	}
	*error = 0;
	for (int32_t i = 0; i < d->samples; i += got) {
		COP_TRY(cop__watch_load(k, &sets, i, d->samples, &got));
		COP_TRY(cop_session_run(k->host.s, 0));
		COP_TRY(cop_session_io(k->host.s, 0, 0, true, &t));
		memcpy(after + i * d->out, t.data, sizeof(float) * (size_t)d->out * (size_t)got);
		for (int32_t j = 0; j < got; j++) *error += off(d, i + j, (const float *)t.data + j * d->out) / ((double)d->samples * (double)d->out);
	}
	return COP_OK;
}

/* Exchanges what the layers have with what is in q, of the size of all. */
static void exchange(work *w, int8_t *q)
{
	for (int32_t i = 0; i < w->n; i++)
		for (int32_t k = 0; k < w->layer[i].l->o * w->layer[i].l->k; k++, q++) {
			int8_t was = w->layer[i].l->q[k];
			w->layer[i].l->q[k] = *q, *q = was;
		}
}

/* What was learned, as integers. */
static void harden(const work *w, int8_t *q)
{
	for (int32_t i = 0; i < w->n; i++)
		for (int32_t k = 0; k < w->layer[i].l->o * w->layer[i].l->k; k++) *q++ = (int8_t)held(&w->layer[i], k, w->layer[i].v[k] >= 0);
}

/* Layers that have the weights of another in the block take its integers. */
static void share(work *w)
{
	const cop_graph *g = w->z->g;

	for (cop_nid n = w->b->first; n <= w->b->last; n++)
		for (int32_t i = 0; i < w->n; i++) {
			cop_qlayer *l = &w->z->layer[n], *from = w->layer[i].l;
			if (l == from || !cop__is_learned(w->z, n) || cop__arg(g, n, 1) != cop__arg(g, w->layer[i].n, 1)) continue;
			memcpy(l->q, from->q, (size_t)l->o * (size_t)l->k);
			memcpy(l->scale, from->scale, sizeof *l->scale * (size_t)l->o);
		}
}

/* The better of what was there and what is learned. */
static cop_status settle(work *w, cop_watch *k, float *after, double error[2])
{
	int8_t *q = cop__arena_get(&w->mem, (size_t)w->weights);

	if (!q) return COP_NOMEM;
	COP_TRY(check(w, k, after, &error[0]));
	harden(w, q);
	exchange(w, q);
	COP_TRY(check(w, k, after, &error[1]));
	if (error[1] > error[0]) {
		exchange(w, q);
		COP_TRY(check(w, k, after, &error[1]));
	}
	share(w);
	return COP_OK;
}

static bool has_gradient(const work *w)
{
	for (cop_nid n = w->b->first; n <= w->b->last; n++)
		if (!cop__op(w->z->g, n)->grad) return false;
	return true;
}

cop_status cop__reconstruct(cop_quantizer *z, const cop_block *b, const cop_block_data *d, float *after, double error[2])
{
	enum { STEPS = 400 };
	work w = {.z = z, .b = b, .d = d, .drop = z->round == COP_ROUND_QDROP ? 0.5f : 0};
	cop_graph *one = NULL;
	cop_watch k = {0};

	cop__arena_init(&w.mem, z->cx);
	cop_status st = find_layers(&w);
	if (!st) st = cop__fake_block(&one, z, b, 0);
	if (!st) st = cop__watch_new(&k, one, z->batch, d->in, z->a->threads);
	if (!st && has_gradient(&w)) {
		st = open_graph(&w);
		if (!st) st = learn(&w, STEPS);
		if (!st) st = settle(&w, &k, after, error);
	} else if (!st) {
		st = check(&w, &k, after, &error[0]);
		error[1] = error[0];
	}
	cop__watch_free(&k);
	cop_graph_free(one);
	cop__host_close(&w.host);
	cop_graph_free(w.g);
	cop__arena_free(&w.mem);
	return st;
}
