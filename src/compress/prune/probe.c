/* SPDX-License-Identifier: Apache-2.0
 *
 * probe - the network as it answers, not as it trains: batch norm by its running statistics, no dropout. Behind it the loss, and the derivatives that a
 * score reads: gradients of weights, their curvature, gradients of what channels put out. It runs over samples of the training set, drawn by the seed.
 */
#include "compress/prune/score.h"
#include "data/batch.h"
#include "op/grad.h"

#include <math.h>

enum { AT_ONCE = 64 }; /* samples of a run */

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

/* ---- derivatives ---- */

/* What the loss is of: the logits, where classes are told by a softmax behind them. */
static cop_vid answer_of(const cop_graph *g, bool labels)
{
	cop_vid y = g->output[0];
	cop_nid n = g->value[y].producer;

	while (n && g->node[n].op == OP_reshape && cop__same_shape(cop__in(g, n, 0), cop__outt(g, n, 0))) n = g->value[cop__arg(g, n, 0)].producer;
	return labels && n && g->node[n].op == OP_softmax ? cop__arg(g, n, 0) : y;
}

static cop_vid loss_of(cop_graph *g, cop_vid y, bool labels)
{
	const cop_type *like = cop__t(g, y);
	cop_type t = labels ? cop__type(COP_I32, 1, like->dim) : cop__type(COP_F32, like->rank, like->dim);
	const cop_loss *loss = cop__loss(labels ? "xent" : "mse");
	union { max_align_t align; char bytes[64]; } o = {.bytes = {0}};

	if (labels && like->rank != 2)
		return cop__error(g->cx, COP_SHAPE, "the loss needs logits [batch, classes] as the first output, got %d dimensions",
			like->rank), 0;
	cop__options_default(loss->row.options, o.bytes);
	return loss->build(g, &o, y, cop__input(g, labels ? "label" : "target", &t));
}

/* The diagonal of the Hessian of the loss at the output: p (1 - p) of the softmax, a constant of a square; the mean over the batch as the loss is. */
static cop_vid curvature_of(cop_graph *g, cop_vid y, bool labels, int32_t batch)
{
	cop_type t = *cop__t(g, y);
	float *all;

	if (labels) {
		cop_vid p = cop__apply(g, OP_softmax, NULL, VIDS(y)), q = cop__apply(g, OP_sub, &none, VIDS(p, cop__apply(g, OP_mul, &none, VIDS(p, p))));
		cop_type one = cop__type(COP_F32, 1, DIMS(1));
		return cop__apply(g, OP_mul, &none, VIDS(q, cop__data(g, COP_CONST, "probe.share", &one, &(float){1.0f / (float)batch})));
	}
	cop_vid h = cop__data(g, COP_CONST, "probe.two", &t, NULL);
	if (!h || !(all = cop__own(g, h))) return 0;
	for (int64_t i = 0, n = cop_type_count(&t); i < n; i++) all[i] = 2.0f / (float)n;
	return h;
}

/* A gradient at the output whose square has the Hessian of the loss for its mean over signs: of a softmax r - p sum r with r = +-sqrt(p), of squares the signs
 * themselves. Divided so that the sum over the batch is a mean. */
static cop_vid direction_of(cop_graph *g, cop_vid y, bool labels, int32_t batch)
{
	const cop_type t = *cop__t(g, y), one = cop__type(COP_F32, 1, DIMS(1)); /* a copy: values move when there are more */
	const float size = labels ? 1 / sqrtf((float)batch) : sqrtf(2 / (float)cop_type_count(&t));
	cop_vid signs = cop__input(g, "signs", &t), by = cop__data(g, COP_CONST, "probe.size", &one, &size);

	if (labels) {
		cop_vid p = cop__apply(g, OP_softmax, NULL, VIDS(y)),
			r = cop__apply(g, OP_mul, &none, VIDS(signs, cop__apply(g, OP_map, &(cop_map_attr){.fn = MAP_SQRT}, VIDS(p))));
		cop_vid sum = cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, 1 << (t.rank - 1), 1}, VIDS(r));
		signs = cop__apply(g, OP_sub, &none, VIDS(r, cop__apply(g, OP_mul, &none, VIDS(p, sum))));
	}
	return cop__apply(g, OP_mul, &none, VIDS(signs, by));
}

/* The gradient of the loss of each sample at the output; the loss is a mean over the batch, and so is to be the sum of its squares. */
static cop_vid pull_of(cop_graph *g, cop_vid y, bool labels, int32_t batch)
{
	const cop_type one = cop__type(COP_F32, 1, DIMS(1));
	const float size = sqrtf((float)batch);
	cop_vid d = 0, loss = loss_of(g, y, labels);

	if (!loss || cop__differentiate(g, loss, 1, &y, &d)) return 0;
	return cop__apply(g, OP_mul, &none, VIDS(d, cop__data(g, COP_CONST, "probe.size", &one, &size)));
}

static int32_t hand_out(cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return i + 1;
	return v && !cop__output(g, v, NULL) ? g->n_output : 0;
}

/* What is differentiated for: the weights, or what their channels put out. */
static void find_values(cop_vid *v, cop_probe *p, cop_graph *g, const cop_graph *model, const cop_items *it, uint32_t reads)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		v[i] = l->follows ? 0 : cop__find(g, model->value[l->v].name);
		if (!(reads & (COP_READS_CHANNEL | COP_READS_PULL)) || !v[i]) continue;
		v[i] = cop__channel_of(g, v[i]).out;
		p->out[i] = v[i];
	}
}

static cop_status derive(cop_graph *g, cop_probe *p, const cop_items *it, const cop_vid *v, uint32_t reads, bool labels)
{
	cop_vid *wrt = cop__arena_get(&p->mem, sizeof *wrt * (size_t)(2 * it->n_layer + 2)), *d = wrt + it->n_layer + 1, y = answer_of(g, labels);
	int32_t *to = reads & COP_READS_PULL ? p->pull : p->derived;
	int n = 0;

	if (!wrt) return COP_NOMEM;
	for (int32_t i = 0; i < it->n_layer; i++)
		if (v[i]) wrt[n++] = v[i];
	cop_vid from = reads & COP_READS_PASSED ? curvature_of(g, y, labels, p->batch) : reads & COP_READS_HESSIAN ? direction_of(g, y, labels, p->batch) :
		reads & COP_READS_SAMPLES ? pull_of(g, y, labels, p->batch) : loss_of(g, y, labels);
	if (!from) return cop__failed(g->cx);
	if (reads & COP_READS_PASSED) COP_TRY(cop__curvature(g, y, from, n, wrt, d));
	else if (reads & COP_READS_CURVATURE) COP_TRY(cop__square_gradients(g, p->batch, y, from, n, wrt, d));
	else COP_TRY(cop__differentiate(g, from, n, wrt, d));
	for (int32_t i = 0, k = 0; i < it->n_layer; i++)
		if (v[i]) to[i] = hand_out(g, d[k++]);
	return COP_OK;
}

static cop_status with_derivatives(cop_graph *g, cop_probe *p, const cop_graph *model, const cop_items *it, uint32_t reads, bool labels)
{
	size_t bytes = sizeof(int32_t) * (size_t)(it->n_layer + 1);
	cop_vid *v = cop__arena_get(&p->mem, bytes);

	p->derived = cop__arena_get(&p->mem, bytes);
	p->out = cop__arena_get(&p->mem, bytes);
	p->pull = cop__arena_get(&p->mem, bytes);
	if (!v || !p->derived || !p->out || !p->pull) return COP_NOMEM;
	find_values(v, p, g, model, it, reads);
	if (reads & (COP_READS_BATCHES | COP_READS_CURVATURE | COP_READS_PULL)) COP_TRY(derive(g, p, it, v, reads, labels));
	for (int32_t i = 0; i < it->n_layer; i++) p->out[i] = hand_out(g, (cop_vid)p->out[i]);
	return g->cx->code;
}

cop_status cop__probe_graph(cop_graph **g, cop_probe *p, const cop_graph *model, const cop_items *it, uint32_t reads, bool labels, int64_t each)
{
	cop_graph *plain = NULL;
	cop_build *b;

	*g = NULL;
	COP_TRY(cop__build_new(&b, model, p->batch, each));
	cop_status st = cop__pass_strip(&plain, cop__build_model(b));
	if (!st) st = cop__pass_running(g, plain);
	if (!st) st = with_derivatives(*g, p, model, it, reads, labels);
	cop_graph_free(plain);
	cop__build_free(b);
	return cop__pass_end(g, st);
}

/* ---- running it ---- */

/* May the squares of several samples be made at once? Not where samples can't go side by side at all. */
static cop_status samples_apart(bool *apart, const cop_look *l, int32_t batch, int64_t each)
{
	cop_build *b;

	*apart = false;
	cop_status st = cop__build_new(&b, l->model, batch, each);
	if (st == COP_NOMEM) return st;
	if (st) return cop_error_clear(l->model->cx), COP_OK;
	const cop_graph *g = cop__build_model(b);
	*apart = true;
	for (int32_t i = 0; i < l->it->n_layer; i++) {
		cop_vid w = l->it->layer[i].follows ? 0 : cop__find(g, l->it->layer[i].name);
		*apart &= !w || cop__squares_apart(g, batch, w);
	}
	cop__build_free(b);
	return COP_OK;
}

/* Samples of a run, so that n of them are seen, or nearly. */
static int32_t even_batch(int32_t n)
{
	for (int32_t b = COP_MIN(AT_ONCE, n); b > AT_ONCE / 2; b--)
		if (n % b == 0) return b;
	return n / ((n + AT_ONCE - 1) / AT_ONCE);
}

static cop_status open_data(cop_probe *p, const cop_look *l)
{
	COP_TRY(cop__fit_for(&p->train, &p->made, l->model, l->train));
	const int32_t n = COP_MIN(l->samples, p->train->count);
	p->batch = COP_MIN(AT_ONCE, n);
	if (l->row->reads & (COP_READS_SAMPLES | COP_READS_HESSIAN)) {
		bool apart;
		p->batch = even_batch(n);
		COP_TRY(samples_apart(&apart, l, p->batch, cop_type_count(&p->train->x)));
		if (!apart) p->batch = 1;
	}
	p->runs = COP_MAX(n / p->batch, 1);
	p->seed = l->a->seed;
	p->signs = l->row->reads & COP_READS_HESSIAN;
	if (!(p->label = cop__arena_get(&p->mem, sizeof *p->label * (size_t)p->batch))) return COP_NOMEM;
	return cop__batch_new(&p->batches, p->cx, p->train, &(cop_batch_args){.size = p->batch, .seed = l->a->seed});
}

cop_status cop__probe_open(cop_probe *p, const cop_look *l)
{
	*p = (cop_probe){.cx = l->model->cx, .model = l->model};
	cop__arena_init(&p->mem, p->cx);
	COP_TRY(open_data(p, l));
	COP_TRY(cop__probe_graph(&p->g, p, l->model, l->it, l->row->reads, p->train->classes > 0, cop_type_count(&p->train->x)));
	COP_TRY(cop__host_open(&p->host, &p->g, 1, COP_ISA_ALL, l->a->threads));
	COP_TRY(cop_session_io(p->host.s, 0, 0, false, &p->x));
	COP_TRY(cop_session_io(p->host.s, 0, p->g->n_input - 1, false, &p->target));
	cop__parts_of(&p->part, p->g, p->g->input[0], p->batch);
	if (p->part.lead > 1 && !(p->placed = cop__arena_get(&p->mem, cop_type_bytes(&p->x.type)))) return COP_NOMEM;
	return COP_OK;
}

static void draw_signs(const cop_probe *p)
{
	float *x = p->target.data;
	const uint64_t n = (uint64_t)cop_type_count(&p->target.type), from = (uint64_t)p->done * n;

	for (uint64_t i = 0; i < n; i++) x[i] = cop__rand(p->seed, cop__hash_text("signs"), from + i) & 1 ? 1 : -1;
}

/* As in training (train/loop.c): labels, numbers to predict, or the samples themselves. */
static cop_status place(cop_probe *p)
{
	COP_TRY(cop__batch_get(p->placed ? p->placed : p->x.data, p->label, p->batches, p->done, 0, 1));
	for (int32_t k = 0; p->placed && k < p->batch; k++) cop__part_put(&p->part, p->x.data, k, (const char *)p->placed + k * p->part.lead * p->part.bytes);
	if (p->signs) return draw_signs(p), COP_OK;
	if (p->target.data == p->x.data) return COP_OK; /* there is no loss */
	if (p->train->classes > 0) return memcpy(p->target.data, p->label, sizeof *p->label * (size_t)p->batch), COP_OK;
	if (!p->train->targets) return memcpy(p->target.data, p->x.data, cop_type_bytes(&p->x.type)), COP_OK;
	COP_TRY(cop__batch_targets(p->target.data, p->batches, p->done));
	cop__to_units(p->target.data, p->model, p->batch, p->train->targets);
	return COP_OK;
}

cop_status cop__probe_next(cop_probe *p, bool *more)
{
	*more = p->done < p->runs;
	if (!*more) return COP_OK;
	if (cop__stopped(p->cx)) return cop__error(p->cx, COP_STOPPED, "stopped while pruning looked at samples");
	COP_TRY(place(p));
	COP_TRY(cop_session_run(p->host.s, 0));
	p->done++;
	return COP_OK;
}

const float *cop__probe_output(cop_probe *p, int32_t output, const cop_type **t)
{
	cop_tensor x;

	if (output < 1 || cop_session_io(p->host.s, 0, output - 1, true, &x)) return NULL;
	if (t) *t = cop__t(p->g, p->g->output[output - 1]);
	return x.data;
}

void cop__probe_close(cop_probe *p)
{
	cop__host_close(&p->host);
	cop_graph_free(p->g);
	cop__batch_free(p->batches);
	cop_data_free(p->made);
	cop__arena_free(&p->mem);
}
