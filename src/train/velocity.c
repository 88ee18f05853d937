/* SPDX-License-Identifier: Apache-2.0
 *
 * velocity - measures it after each epoch. What it goes on from is a state of the training, so that a run that is resumed goes on with the same.
 */
#include "train/velocity.h"

#include "pass/pass.h"
#include "run/deploy.h"
#include "train/build_record.h"

#include <math.h>

/* ---- similarity ---- */

typedef struct sums { double dot, a, b, cos; int32_t n; } sums; /* of a neuron; cos: of n samples that are done */

static const double NOTHING = 1e-12;

static double cosine(const sums *s)
{
	if (s->a <= NOTHING || s->b <= NOTHING) return s->a <= NOTHING && s->b <= NOTHING;
	return s->dot / sqrt(s->a * s->b);
}

/* Positions of one sample; channels lie next to each other. */
static void one_sample(sums *s, const float *a, const float *b, int64_t positions, int32_t rows, bool apart)
{
	for (int64_t p = 0; p < positions; p++)
		for (int32_t k = 0; k < rows; k++, a++, b++) {
			s[k].dot += (double)*a * (double)*b;
			s[k].a += (double)*a * (double)*a;
			s[k].b += (double)*b * (double)*b;
		}
	for (int32_t k = 0; apart && k < rows; k++) s[k] = (sums){.cos = s[k].cos + cosine(&s[k]), .n = s[k].n + 1};
}

/* The network with what its neurons put out as further outputs. */
static cop_status watch(cop_deployed *d, const cop_graph *model, const cop_two_states *two)
{
	cop_graph *g;
	cop_neurons n; /* as the copy has them */
	cop_arena mem;

	*d = (cop_deployed){0};
	COP_TRY(cop_graph_copy(&g, model));
	cop__arena_init(&mem, g->cx);
	cop_status st = cop__neurons_find(&n, &mem, g, two->names, two->who);
	for (int32_t i = 0; !st && i < n.n_layer; i++)
		if (!n.layer[i].head) st = cop__output(g, n.layer[i].out, NULL);
	cop__arena_free(&mem);
	if (!st) st = cop__deploy(d, g, &(cop_deploy_args){COP_MIN(two->samples, 16), two->each, two->threads});
	cop_graph_free(g);
	return st;
}

static cop_status run_batch(const cop_deployed *d, const cop_two_states *two, int32_t from)
{
	cop_tensor in;
	cop_parts part;

	COP_TRY(cop_session_io(d->host.s, 0, 0, false, &in));
	cop__parts_of(&part, d->g, d->g->input[0], d->batch);
	for (int32_t i = 0; i < d->batch; i++)
		cop__part_put(&part, in.data, i, two->x + COP_MIN(from + i, two->samples - 1) * two->each);
	return cop_session_run(d->host.s, 0);
}

/* What layer i puts out for the batch. */
static cop_status put_out(const cop_deployed *d, const cop_channels *l, int32_t i, cop_tensor *y)
{
	COP_TRY(cop_session_io(d->host.s, 0, i, true, y));
	const cop_type *t = &y->type;
	if (t->dtype == COP_F32 && t->rank && t->dim[t->rank - 1] == l->rows && t->dim[0] % d->batch == 0) return COP_OK;
	return cop__error(d->g->cx, COP_SHAPE, "the neurons of layer '%s' can't be told apart in what it puts out", d->g->name);
}

static cop_status add_batch(sums *s, const cop_deployed *a, const cop_deployed *b, const cop_two_states *two, int32_t from)
{
	int32_t output = a->g->n_output - (two->n->n_layer - 1);
	cop_tensor ya, yb;

	for (int32_t i = 0; i < two->n->n_layer; i++) {
		const cop_channels *l = &two->n->layer[i];
		if (l->head) continue;
		COP_TRY(put_out(a, l, output, &ya));
		COP_TRY(put_out(b, l, output++, &yb));
		const int64_t positions = cop_type_count(&ya.type) / a->batch / l->rows, size = positions * l->rows;
		for (int32_t k = 0; k < a->batch && from + k < two->samples; k++)
			one_sample(s + l->first, (const float *)ya.data + k * size, (const float *)yb.data + k * size, positions, l->rows,
				two->reading == COP_VELOCITY_CODE && positions > 1);
	}
	return COP_OK;
}

static void finish(float *phi, const sums *s, const cop_two_states *two)
{
	for (int32_t i = 0; i < two->n->n_layer; i++) {
		const cop_channels *l = &two->n->layer[i];
		for (int32_t k = l->first; k < l->first + l->rows; k++)
			phi[k] = l->head ? 1 : (float)(s[k].n ? s[k].cos / s[k].n : cosine(&s[k]));
	}
}

cop_status cop__similarity(float *phi, const cop_two_states *two)
{
	cop_deployed a = {0}, b = {0};
	sums *s = cop__alloc(two->now->cx, sizeof *s * ((size_t)two->n->count + 1));
	cop_status st = s ? watch(&a, two->before, two) : COP_NOMEM;

	if (!st) st = watch(&b, two->now, two);
	for (int32_t from = 0; !st && from < two->samples; from += a.batch) {
		COP_GO(run_batch(&a, two, from));
		COP_GO(run_batch(&b, two, from));
		COP_GO(add_batch(s, &a, &b, two, from));
	}
	if (!st) finish(phi, s, two);
done:
	cop__deploy_free(&a);
	cop__deploy_free(&b);
	cop__free(two->now->cx, s);
	return st;
}

/* ---- velocity ---- */

/* Published: v = d - mu v'. The code: v = s + d, and s = mu v - d then, so that d of the measurement before counts twice. */
void cop__velocity_next(cop_moved_neuron *m, float phi, float mu, int32_t reading)
{
	const float d = phi - m->phi;

	m->phi = phi;
	m->v = reading == COP_VELOCITY_PAPER ? d - mu * m->v : m->s + d;
	m->s = mu * m->v - d;
}

/* ---- samples that are kept out ---- */

static int32_t sample_at(const cop_velocity *v, int32_t i) { return (int32_t)((int64_t)i * v->data_count / v->samples); }

cop_status cop__velocity_data(cop_velocity *v, const cop_dataset *d)
{
	v->data_count = d->count;
	v->samples = COP_MIN(v->samples, d->count / 8);
	v->each = cop_type_count(&d->x);
	if (v->samples < 1) return cop__error(v->mem->cx, COP_ARG, "%s keeps samples out of the training to measure on, an eighth of them at most; %d samples are too few", v->who, d->count);
	v->x = cop__arena_get(v->mem, sizeof *v->x * (size_t)(v->samples * v->each));
	v->label = d->classes ? cop__arena_get(v->mem, sizeof *v->label * (size_t)v->samples) : NULL;
	if (!v->x || (d->classes && !v->label)) return COP_NOMEM;
	for (int32_t i = 0, none; i < v->samples; i++) COP_TRY(d->get(d->ud, sample_at(v, i), v->x + i * v->each, v->label ? &v->label[i] : &none));
	return COP_OK;
}

void cop__velocity_keep_out(const cop_velocity *v, const cop_chosen *c)
{
	for (int32_t i = 0; i < v->samples; i++) c->weight[sample_at(v, i)] = 0;
}

/* ---- what is kept between measurements ---- */

/* Weights, and running means of batch norm: what nodes read. */
static bool counts(const cop_graph *g, int32_t v, const int32_t *readers)
{
	const cop_value *x = &g->value[v];
	return readers[v] && (x->role == COP_PARAM || x->role == COP_STATE) && x->type.dtype == COP_F32 && x->type.enc == COP_DENSE;
}

enum way { COUNT, TAKE, PUT };

/* Of all of them: how many numbers; into `at`; from there. */
static cop_status weights(int64_t *count, cop_graph *g, float *at, enum way way)
{
	cop_arena mem;

	cop__arena_init(&mem, g->cx);
	const int32_t *readers = cop__readers(g, &mem);
	cop_status st = readers ? COP_OK : COP_NOMEM;
	*count = 0;
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		if (!counts(g, v, readers)) continue;
		const int64_t n = cop_type_count(&g->value[v].type);
		float *own = way == PUT ? cop__own(g, (cop_vid)v) : NULL;
		if (way == PUT && !own) st = COP_NOMEM;
		if (own) memcpy(own, at + *count, sizeof *at * (size_t)n);
		if (way == TAKE && g->value[v].data) memcpy(at + *count, g->value[v].data, sizeof *at * (size_t)n);
		else if (way == TAKE) memset(at + *count, 0, sizeof *at * (size_t)n);
		*count += n;
	}
	cop__arena_free(&mem);
	return st;
}

static int64_t state_size(const cop_velocity *v) { return 3 * (int64_t)v->count + v->numbers; }

cop_status cop__velocity_begin(cop_velocity *v, const cop_progress *p)
{
	const char *names = cop__trainer_build(p->t)->all.layers;
	cop_neurons n;
	int64_t numbers;

	if (cop__t(p->model, p->model->input[0])->dtype != COP_F32)
		return cop__error(v->mem->cx, COP_ARG, "%s: '%s' takes bytes, and neurons are measured on floats; train the network with floats at its ends", v->who, p->model->name);
	if (!(v->names = cop__arena_str(v->mem, names, strlen(names)))) return COP_NOMEM;
	COP_TRY(cop__neurons_find(&n, v->mem, p->model, v->names, v->who));
	v->count = n.count;
	v->hidden = n.hidden;
	COP_TRY(weights(&numbers, (cop_graph *)(uintptr_t)p->model, NULL, COUNT));
	v->numbers = (int32_t)numbers;
	v->state = cop__arena_get(v->mem, sizeof *v->state * (size_t)state_size(v));
	if (!v->state) return COP_NOMEM;
	for (int32_t i = 0; i < n.count; i++) v->state[i] = 1;
	return weights(&numbers, (cop_graph *)(uintptr_t)p->model, v->state + 3 * n.count, TAKE);
}

cop_status cop__velocity_build(cop_velocity *v, cop_build *b)
{
	int64_t numbers;

	if (!v->state) return COP_OK;
	COP_TRY(weights(&numbers, (cop_graph *)(uintptr_t)cop__build_model(b), NULL, COUNT));
	const cop_type t = cop__type(COP_F32, 1, DIMS((int32_t)state_size(v)));
	if (numbers != v->numbers)
		return cop__error(v->mem->cx, COP_ARG, "%s: the structure of '%s' has changed in the training, and neurons can't be compared with those before", v->who, cop__build_model(b)->name);
	v->of_state = cop__build_state(b, "neurons.before", &t, v->state, NULL);
	return v->of_state ? COP_OK : COP_NOMEM;
}

cop_status cop__velocity_now(const float **velocity, const cop_velocity *v, const cop_progress *p)
{
	cop_tensor state;

	COP_TRY(cop__trainer_tensor(p->t, v->of_state, &state));
	*velocity = (const float *)state.data + v->count;
	return COP_OK;
}

cop_status cop__velocity_keep(cop_velocity *v, cop_trainer *t)
{
	cop_tensor state;

	COP_TRY(cop__trainer_tensor(t, v->of_state, &state));
	memcpy(v->state, state.data, sizeof *v->state * (size_t)state_size(v));
	return COP_OK;
}

cop_status cop__velocity_before(cop_graph **before, const float **velocity, cop_velocity *v, const cop_progress *p)
{
	int64_t numbers;

	*before = NULL;
	COP_TRY(cop__velocity_keep(v, p->t));
	*velocity = v->state + v->count;
	COP_TRY(cop_graph_copy(before, p->model));
	return weights(&numbers, *before, v->state + 3 * v->count, PUT);
}

static cop_status compare(float *phi, cop_velocity *v, const cop_progress *p)
{
	cop_two_states two = {.now = p->model, .x = v->x, .samples = v->samples, .each = v->each, .reading = v->reading, .threads = p->threads, .names = v->names, .who = v->who};
	cop_neurons n;
	cop_graph *before = NULL;
	cop_arena mem;
	const float *velocity;

	cop__arena_init(&mem, p->model->cx);
	cop_status st = cop__neurons_find(&n, &mem, p->model, v->names, v->who);
	if (!st) st = cop__velocity_before(&before, &velocity, v, p);
	two.before = before;
	two.n = &n;
	if (!st) st = cop__similarity(phi, &two);
	cop_graph_free(before);
	cop__arena_free(&mem);
	return st;
}

cop_status cop__velocity_measure(float *to, cop_velocity *v, const cop_progress *p)
{
	const size_t bytes = sizeof *v->state * (size_t)state_size(v);
	float *phi = v->state, *velocity = phi + v->count, *s = velocity + v->count;
	cop_tensor state;
	int64_t numbers;

	COP_TRY(cop__trainer_tensor(p->t, v->of_state, &state));
	COP_TRY(compare(to, v, p));
	for (int32_t i = 0; i < v->count; i++) {
		cop_moved_neuron m = {phi[i], velocity[i], s[i]};
		cop__velocity_next(&m, to[i], v->mu, v->reading);
		phi[i] = m.phi, to[i] = velocity[i] = m.v, s[i] = m.s;
	}
	COP_TRY(weights(&numbers, (cop_graph *)(uintptr_t)p->model, v->state + 3 * v->count, TAKE));
	memcpy(state.data, v->state, bytes);
	return COP_OK;
}
