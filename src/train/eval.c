/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a model on a data set, by the plan that inference would run.
 */
#include "core/need.h"
#include "data/batch.h"
#include "data/fit.h"
#include "pass/pass.h"
#include "run/deploy.h"
#include "train/policy.h"

#include <math.h>

/* Of one target: errors, and the mean of the values with the sum of their squared distances from it (Welford 1962). */
typedef struct spread { double square, size, mean, around; } spread;

typedef struct sums {
	double loss;
	int64_t right, count;
	spread *target;      /* [targets] */
	int64_t there, said, found; /* targets that are 1, results above a half, and both at once */
	bool graded;         /* some target is neither 0 nor 1 */
} sums;

/* What is done with the results of a batch. */
typedef struct judge {
	cop_ctx *cx;
	const cop_dataset *d;
	cop_batches *b;
	sums s;
	bool probable, score;
	float *truth;        /* [batch, targets] */
	float *share;        /* [classes] */
	float *error;        /* [d->count] mean squares; NULL: not wanted */
	cop_answer_fn *fn;
	void *ud;
} judge;

/* Does the network end in a softmax? Looks through what only changes the form of its numbers. */
bool cop__gives_probabilities(const cop_graph *g)
{
	cop_nid n = g->value[g->output[0]].producer;

	while (n && (g->node[n].op == OP_reshape || g->node[n].op == OP_dequantize || g->node[n].op == OP_qlut || g->node[n].op == OP_fakequant)) n = g->value[cop__arg(g, n, 0)].producer;
	return n && (g->node[n].op == OP_softmax || g->node[n].op == OP_qsoftmax);
}

/* Cross-entropy of probabilities, held at 1e-7: an int8 network's least is 0. */
static double loss_of_probability(float p)
{
	return -log(p > 1e-7f ? (double)p : 1e-7);
}

/* Cross-entropy and a hit or none. */
static void score_label(sums *s, const float *y, int32_t label, int32_t c, bool probable)
{
	int32_t best = 0;
	double sum = 0;

	for (int32_t j = 1; j < c; j++)
		if (y[j] > y[best]) best = j;
	for (int32_t j = 0; j < c; j++) sum += exp((double)(y[j] - y[best]));
	s->loss += probable ? loss_of_probability(y[label]) : log(sum) + (double)(y[best] - y[label]);
	s->right += best == label;
}

static double mean_square(const float *y, const float *x, int64_t each)
{
	double sum = 0;

	for (int64_t j = 0; j < each; j++) sum += (double)((y[j] - x[j]) * (y[j] - x[j]));
	return sum / (double)each;
}

/* After s->count was raised. */
static void score_targets(sums *s, const float *y, const float *truth, int32_t n)
{
	for (int32_t j = 0; j < n; j++) {
		spread *t = &s->target[j];
		double e = (double)y[j] - (double)truth[j], off = (double)truth[j] - t->mean;
		t->square += e * e;
		t->size += fabs(e);
		t->mean += off / (double)s->count;
		t->around += off * ((double)truth[j] - t->mean);
		s->graded |= truth[j] != 0 && truth[j] != 1;
		s->there += truth[j] == 1;
		s->said += y[j] > 0.5f;
		s->found += truth[j] == 1 && y[j] > 0.5f;
	}
}

static const float *probabilities(judge *j, const float *y, int32_t n)
{
	float most = y[0];
	double sum = 0;

	if (j->probable) return y;
	for (int32_t i = 1; i < n; i++) most = y[i] > most ? y[i] : most;
	for (int32_t i = 0; i < n; i++) sum += exp((double)(y[i] - most));
	for (int32_t i = 0; i < n; i++) j->share[i] = (float)(exp((double)(y[i] - most)) / sum);
	return j->share;
}

/* Batch i of the set; y and x: its results and its samples. Rows whose label is negative pad the last batch. */
static cop_status take(judge *j, int32_t i, int32_t batch, const float *y, int64_t n, const float *x, const int32_t *label)
{
	const cop_dataset *d = j->d;

	if (j->score && d->targets) COP_TRY(cop__batch_targets(j->truth, j->b, i));
	for (int32_t r = 0; r < batch; r++, y += n, x += n) {
		int32_t class = d->classes ? label[r] : -1;
		if (label[r] < 0) continue;
		j->s.count++;
		if (j->score && d->classes) score_label(&j->s, y, class, (int32_t)n, j->probable);
		else if (j->score && d->targets) score_targets(&j->s, y, j->truth + (size_t)r * (size_t)d->targets, d->targets);
		else if (j->score) j->s.loss += mean_square(y, x, n);
		if (j->error) j->error[i * batch + r] = (float)mean_square(y, x, n);
		if (j->fn) COP_TRY(j->fn(j->ud, i * batch + r, j->share ? probabilities(j, y, (int32_t)n) : y, (int32_t)n, class));
	}
	return COP_OK;
}

/* The results as floats: in `room` where they are integers. */
static cop_status result(const float **out, cop_ctx *cx, const cop_tensor *y, float *room)
{
	cop_tensor t = {cop__type(COP_F32, y->type.rank, y->type.dim), room};

	*out = y->type.dtype == COP_F32 ? y->data : room;
	return y->type.dtype == COP_F32 ? COP_OK : cop_tensor_copy(cx, &t, y);
}

/* Numbers of samples, one after the other, as an input has them; and back. NULL room: they lie so. */
static void *placed_in(float *room, void *x, const cop_parts *p)
{
	for (int32_t i = 0; room && i < p->samples; i++) cop__part_put(p, room, i, (const char *)x + i * p->lead * p->bytes);
	return room ? room : x;
}

static const float *in_order(float *room, const float *y, const cop_parts *p)
{
	for (int32_t i = 0; room && i < p->samples; i++) cop__part_take(p, (char *)room + i * p->lead * p->bytes, i, y);
	return room ? room : y;
}

/* Where samples lie in an input or output, as floats; room for them in another order, where it is another. */
static cop_status parts_of(cop_parts *p, float **room, const cop_graph *g, cop_vid v, int32_t batch)
{
	cop__parts_of(p, g, v, batch);
	p->bytes = p->bytes * 32 / cop__dtype_bits(cop__t(g, v)->dtype);
	*room = p->lead > 1 ? cop__alloc(g->cx, sizeof **room * (size_t)cop_type_count(cop__t(g, v))) : NULL;
	return *room || p->lead == 1 ? COP_OK : COP_NOMEM;
}

/* x holds a batch apart from the session's input, whose memory the run may use again, and which may hold integers. */
static cop_status run_all(judge *j, const cop_deployed *dep, double *seconds)
{
	cop_ctx *cx = j->cx;
	cop_session *ses = dep->host.s;
	int32_t batch = dep->batch;
	cop_parts from, to;
	float *placed = NULL, *ordered = NULL;
	cop_tensor in, y;

	COP_TRY(cop_session_io(ses, 0, 0, false, &in));
	COP_TRY(cop_session_io(ses, 0, 0, true, &y));
	cop_tensor x = {cop__type(COP_F32, in.type.rank, in.type.dim), NULL};
	int64_t n = cop_type_count(&y.type) / batch;
	int32_t *label = cop__alloc(cx, sizeof *label * (size_t)batch);
	float *room = cop__alloc(cx, sizeof *room * (size_t)cop_type_count(&y.type));
	const float *scores;
	x.data = cop__alloc(cx, cop_type_bytes(&x.type));
	cop_status st = label && room && x.data ? COP_OK : COP_NOMEM;
	if (!st) st = parts_of(&from, &placed, dep->g, dep->g->input[0], batch);
	if (!st) st = parts_of(&to, &ordered, dep->g, dep->g->output[0], batch);
	for (int32_t i = 0; !st && i < cop__batch_count(j->b); i++) {
		COP_GO(cop__batch_get(x.data, label, j->b, i, 0, 1));
		cop_tensor as_read = {x.type, placed_in(placed, x.data, &from)};
		COP_GO(cop_tensor_copy(cx, &in, &as_read));
		double t0 = cop__seconds();
		COP_GO(cop_session_run(ses, 0));
		*seconds += cop__seconds() - t0;
		COP_GO(result(&scores, cx, &y, room));
		COP_GO(take(j, i, batch, in_order(ordered, scores, &to), n, x.data, label));
		if (cop__stopped(cx)) st = cop__error(cx, COP_STOPPED, "stopped while scoring");
	}
done:
	cop__free(cx, label);
	cop__free(cx, room);
	cop__free(cx, placed);
	cop__free(cx, ordered);
	cop__free(cx, x.data);
	return st;
}

/* The figures of the header, each the mean over the targets. */
static void regression(cop_score *out, const sums *s, int32_t targets)
{
	double mse = 0, mae = 0, r2 = 0;

	for (int32_t j = 0; j < targets; j++) {
		const spread *t = &s->target[j];
		mse += t->square / (double)s->count;
		mae += t->size / (double)s->count;
		r2 += t->around > 0 ? 1 - t->square / t->around : t->square == 0;
	}
	out->mse = (float)(mse / targets);
	out->mae = (float)(mae / targets);
	out->r2 = (float)(r2 / targets);
	out->loss = out->mse;
	out->f1 = s->graded || !s->there ? -1 : 2 * (float)s->found / (float)(s->there + s->said);
}

static void total(cop_score *out, const judge *j, double seconds)
{
	const sums *s = &j->s;

	*out = (cop_score){.accuracy = j->d->classes ? (float)((double)s->right / (double)s->count) : -1, .loss = (float)(s->loss / (double)s->count),
		.count = (int32_t)s->count, .images_per_second = seconds > 0 ? (double)s->count / seconds : 0};
	if (j->score && j->d->targets) regression(out, s, j->d->targets);
}

/* Does the network tell classes apart, as far as can be told? */
static bool tells_classes(const cop_graph *g, const cop_dataset *d)
{
	int64_t out = cop_type_count(cop__t(g, g->output[0])), in = cop_type_count(cop__t(g, g->input[0])), batch = cop__samples_held(g, 0);
	return g->classes.count || d->classes || (!g->targets.count && !d->targets && out > batch && out != in);
}

static cop_status rooms(judge *j, const cop_graph *g, int32_t batch, int64_t outputs)
{
	const cop_dataset *d = j->d;

	if (j->score && d->targets) {
		j->s.target = cop__alloc(j->cx, sizeof *j->s.target * (size_t)d->targets);
		j->truth = cop__alloc(j->cx, sizeof *j->truth * (size_t)d->targets * (size_t)batch);
		if (!j->s.target || !j->truth) return COP_NOMEM;
	}
	if (j->fn && tells_classes(g, d) && !(j->share = cop__alloc(j->cx, sizeof *j->share * (size_t)outputs))) return COP_NOMEM;
	return COP_OK;
}

bool cop__can_score(const cop_graph *g, const cop_dataset *d)
{
	const cop_type *out = cop__t(g, g->output[0]), *in = cop__t(g, g->input[0]);
	return d->classes || d->targets || (!g->classes.count && !g->targets.count && cop_type_count(out) == cop_type_count(in));
}

static cop_status check_labels(const cop_graph *g, const cop_dataset *d)
{
	if (cop__can_score(g, d)) return COP_OK;
	return cop__error(g->cx, COP_ARG, "data set '%s' has no labels, so '%s' cannot be scored on it", d->name, g->name);
}

static cop_status go_through(cop_score *out, judge *j, const cop_graph *model, cop_dataset *data, int32_t batch, int threads)
{
	cop_deployed d = {0};
	cop_dataset *made = NULL;
	double seconds = 0;
	cop_status st = cop__fit_for(&data, &made, model, data);

	j->d = data;
	if (!st && j->score) st = check_labels(model, data);
	if (!st) st = cop__deploy(&d, model, &(cop_deploy_args){batch, cop_type_count(&data->x), threads});
	if (!st) st = cop__batch_new(&j->b, j->cx, data, &(cop_batch_args){.size = d.batch, .in_order = true});
	if (!st) st = rooms(j, model, d.batch, cop_type_count(cop__t(d.g, d.g->output[0])) / d.batch);
	if (!st) st = run_all(j, &d, &seconds);
	if (!st && j->s.count && out) total(out, j, seconds);
	cop__free(j->cx, j->s.target);
	cop__free(j->cx, j->truth);
	cop__free(j->cx, j->share);
	cop__batch_free(j->b);
	cop__deploy_free(&d);
	cop_data_free(made);
	return st;
}

cop_status cop__rebuild_errors(float *error, const cop_graph *g, cop_dataset *d, int32_t batch, int threads)
{
	cop_type in, io;
	judge j = {.cx = g->cx, .error = error};

	COP_TRY(cop_graph_io(g, &in, &io));
	if (cop_type_count(&in) != cop_type_count(&io))
		return cop__error(g->cx, COP_ARG, "'%s' takes %lld numbers and gives %lld; one that gives its input back is needed to find what is not normal", g->name,
			(long long)cop_type_count(&in), (long long)cop_type_count(&io));
	return go_through(NULL, &j, g, d, batch, threads);
}

cop_status cop_eval_each(cop_score *out, const cop_graph *model, cop_dataset *data, int32_t batch, int threads, cop_answer_fn *fn, void *ud)
{
	COP_NEED(COP_CX(model), out);
	COP_NEED(COP_CX(model), model);
	COP_NEED(COP_CX(model), data);
	judge j = {.cx = model->cx, .score = true, .probable = cop__gives_probabilities(model), .fn = fn, .ud = ud};

	*out = (cop_score){0};
	return go_through(out, &j, model, data, batch, threads);
}

cop_status cop_eval(cop_score *out, const cop_graph *model, cop_dataset *data, int32_t batch, int threads)
{
	COP_NEED(COP_CX(model), out);
	COP_NEED(COP_CX(model), model);
	COP_NEED(COP_CX(model), data);
	return cop_eval_each(out, model, data, batch, threads, NULL, NULL);
}

cop_status cop_predict(const cop_graph *model, cop_dataset *data, int32_t batch, int threads, cop_answer_fn *fn, void *ud)
{
	COP_NEED(COP_CX(model), model);
	COP_NEED(COP_CX(model), data);
	COP_NEED(COP_CX(model), fn);
	judge j = {.cx = model->cx, .probable = cop__gives_probabilities(model), .fn = fn, .ud = ud};
	return go_through(NULL, &j, model, data, batch, threads);
}
