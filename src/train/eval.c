/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a model on a data set, by the plan that inference would run.
 */
#include "data/batch.h"
#include "data/turned.h"
#include "pass/pass.h"
#include "plan/plan.h"
#include "train/policy.h"

#include <math.h>
#include <time.h>

typedef struct sums { double loss; int64_t right, count; } sums;

/* Does the network end in a softmax? Looks through what only changes the form of its numbers. */
static bool gives_probabilities(const cop_graph *g)
{
	cop_nid n = g->value[g->output[0]].producer;

	while (n && (g->node[n].op == OP_reshape || g->node[n].op == OP_dequantize || g->node[n].op == OP_qlut)) n = g->value[cop__arg(g, n, 0)].producer;
	return n && (g->node[n].op == OP_softmax || g->node[n].op == OP_qsoftmax);
}

/* Cross-entropy of probabilities, held at 1e-7: an int8 network's least is 0. */
static double loss_of_probability(float p)
{
	return -log(p > 1e-7f ? (double)p : 1e-7);
}

/* Cross-entropy and hits of one batch; rows whose label is negative pad the last batch. */
static void score_labels(sums *s, const float *y, const int32_t *label, int32_t n, int32_t c, bool probable)
{
	for (int32_t i = 0; i < n; i++, y += c) {
		int32_t best = 0;
		double sum = 0;
		if (label[i] < 0) continue;
		for (int32_t j = 1; j < c; j++)
			if (y[j] > y[best]) best = j;
		for (int32_t j = 0; j < c; j++) sum += exp((double)(y[j] - y[best]));
		s->loss += probable ? loss_of_probability(y[label[i]]) : log(sum) + (double)(y[best] - y[label[i]]);
		s->right += best == label[i];
		s->count++;
	}
}

static void score_values(sums *s, const float *y, const float *x, const int32_t *label, int32_t n, int64_t each)
{
	for (int32_t i = 0; i < n; i++, y += each, x += each) {
		double sum = 0;
		if (label[i] < 0) continue;
		for (int64_t j = 0; j < each; j++) sum += (double)((y[j] - x[j]) * (y[j] - x[j]));
		s->loss += sum / (double)each;
		s->count++;
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The results as floats: in `room` where they are integers. */
static cop_status result(const float **out, cop_ctx *cx, const cop_tensor *y, float *room)
{
	cop_tensor t = {cop__type(COP_F32, y->type.rank, y->type.dim), room};

	*out = y->type.dtype == COP_F32 ? y->data : room;
	return y->type.dtype == COP_F32 ? COP_OK : cop_tensor_copy(cx, &t, y);
}

/* x holds a batch apart from the session's input, whose memory the run may use again, and which may hold integers. */
static cop_status run_all(sums *s, cop_session *ses, cop_batches *b, const cop_dataset *d, int32_t batch, cop_ctx *cx, bool probable, double *seconds)
{
	cop_tensor in, y;

	COP_TRY(cop_session_io(ses, 0, 0, false, &in));
	COP_TRY(cop_session_io(ses, 0, 0, true, &y));
	cop_tensor x = {cop__type(COP_F32, in.type.rank, in.type.dim), NULL};
	int32_t *label = cop__alloc(cx, sizeof *label * (size_t)batch);
	float *room = cop__alloc(cx, sizeof *room * (size_t)cop_type_count(&y.type));
	const float *scores;
	x.data = cop__alloc(cx, cop_type_bytes(&x.type));
	cop_status st = label && room && x.data ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < cop__batch_count(b); i++) {
		COP_GO(cop__batch_get(x.data, label, b, i, 0, 1));
		COP_GO(cop_tensor_copy(cx, &in, &x));
		double t0 = now();
		COP_GO(cop_session_run(ses, 0));
		*seconds += now() - t0;
		COP_GO(result(&scores, cx, &y, room));
		if (d->classes) score_labels(s, scores, label, batch, y.type.dim[y.type.rank - 1], probable);
		else score_values(s, scores, x.data, label, batch, cop_type_count(&y.type) / batch);
		if (cop__stopped(cx)) st = cop__error(cx, COP_STOPPED, "stopped while scoring");
	}
done:
	cop__free(cx, label);
	cop__free(cx, room);
	cop__free(cx, x.data);
	return st;
}

cop_status cop__check_fit(const cop_graph *g, const cop_dataset *d)
{
	cop_type in, out;
	COP_TRY(cop_graph_io(g, &in, &out));
	int64_t want = cop_type_count(&in) / in.dim[0], have = cop_type_count(&d->x);

	if (want != have)
		return cop__error(g->cx, COP_SHAPE, "data set '%s' has %lld numbers a sample, the network '%s' takes %lld", d->name, (long long)have, g->name, (long long)want);
	if (d->classes && out.dim[out.rank - 1] < d->classes)
		return cop__error(g->cx, COP_SHAPE, "data set '%s' has %d classes, the network '%s' tells %d apart", d->name, d->classes, g->name, out.dim[out.rank - 1]);
	return COP_OK;
}

/* A session of the model as it is deployed. free_deployed releases what was made, after a failure too. */
typedef struct deployed { cop_graph *sized, *infer, *g; cop_plan *plan; cop_session *s; } deployed;

static cop_status deploy(deployed *d, const cop_graph *model, int32_t batch, int threads)
{
	cop_target t;

	*d = (deployed){0};
	COP_TRY(cop_target_find(&t, model->cx, "host"));
	t.threads = threads;
	COP_TRY(cop__pass_batch(&d->sized, model, batch));
	COP_TRY(cop__pass_to_infer(&d->infer, d->sized));
	COP_TRY(cop__pass_fuse(&d->g, d->infer));
	COP_TRY(cop_plan_build(&d->plan, &d->g, 1, &t));
	return cop_session_new(&d->s, d->plan, threads);
}

static void free_deployed(deployed *d)
{
	cop_session_free(d->s);
	cop_plan_free(d->plan);
	cop_graph_free(d->g);
	cop_graph_free(d->infer);
	cop_graph_free(d->sized);
}

cop_status cop_eval(cop_score *out, const cop_graph *model, cop_dataset *data, int32_t batch, int threads)
{
	deployed d = {0};
	cop_batches *b = NULL;
	sums s = {0};
	double seconds = 0;
	cop_ctx *cx = model->cx;
	cop_turned turned;
	cop_type in;
	cop_status st = cop__check_fit(model, data);

	*out = (cop_score){0};
	if (!st) st = cop_graph_io(model, &in, NULL);
	if (!st) data = cop__data_turned(&turned, cx, data, &in);
	if (!st) st = deploy(&d, model, batch, threads);
	if (!st) st = cop__batch_new(&b, cx, data, &(cop_batch_args){.size = batch, .in_order = true});
	if (!st) st = run_all(&s, d.s, b, data, batch, cx, gives_probabilities(model), &seconds);
	if (!st && s.count)
		*out = (cop_score){.accuracy = data->classes ? (float)((double)s.right / (double)s.count) : -1, .loss = (float)(s.loss / (double)s.count),
			.count = (int32_t)s.count, .images_per_second = seconds > 0 ? (double)s.count / seconds : 0};
	cop__batch_free(b);
	free_deployed(&d);
	return st;
}

/* Rounds of about a millisecond, on zeros: the kernels' time does not depend on the values. */
cop_status cop__latency(double *microseconds, const cop_graph *model)
{
	enum { ROUNDS = 31 };
	double round[ROUNDS];
	deployed d;
	int each = 1;
	cop_status st = deploy(&d, model, 1, 1);

	if (!st) {
		cop_session_run(d.s, 0);
		double t0 = now();
		cop_session_run(d.s, 0);
		while (each * (now() - t0) < 1e-3 && each < 1000) each *= 2;
		for (int r = 0; r < ROUNDS; r++) {
			t0 = now();
			for (int i = 0; i < each; i++) cop_session_run(d.s, 0);
			double us = 1e6 * (now() - t0) / each;
			int j = r;
			for (; j > 0 && round[j - 1] > us; j--) round[j] = round[j - 1];
			round[j] = us;
		}
		*microseconds = round[ROUNDS / 2];
	}
	free_deployed(&d);
	return st;
}
