/* SPDX-License-Identifier: Apache-2.0
 *
 * eval - the score of a model on a data set, by the plan that inference would run.
 */
#include "data/batch.h"
#include "pass/pass.h"
#include "plan/plan.h"

#include <math.h>
#include <time.h>

typedef struct sums { double loss; int64_t right, count; } sums;

/* Cross-entropy and hits of one batch; rows whose label is negative pad the last batch. */
static void score_labels(sums *s, const float *y, const int32_t *label, int32_t n, int32_t c)
{
	for (int32_t i = 0; i < n; i++, y += c) {
		int32_t best = 0;
		double sum = 0;
		if (label[i] < 0) continue;
		for (int32_t j = 1; j < c; j++)
			if (y[j] > y[best]) best = j;
		for (int32_t j = 0; j < c; j++) sum += exp((double)(y[j] - y[best]));
		s->loss += log(sum) + (double)(y[best] - y[label[i]]);
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

static cop_status run_all(sums *s, cop_session *ses, cop_batcher *b, const cop_dataset *d, int32_t batch, cop_ctx *cx, double *seconds)
{
	cop_tensor x, y;
	int32_t *label = cop__alloc(cx, sizeof *label * (size_t)batch);
	struct timespec t0, t1;
	cop_status st = label ? COP_OK : COP_NOMEM;

	if (!st) st = cop_session_io(ses, 0, 0, false, &x);
	if (!st) st = cop_session_io(ses, 0, 0, true, &y);
	for (int32_t i = 0; !st && i < cop__batcher_count(b); i++) {
		if ((st = cop__batcher_fill(b, -1, i, x.data, label))) break;
		float *input = x.data;
		clock_gettime(CLOCK_MONOTONIC, &t0);
		st = cop_session_run(ses, 0);
		clock_gettime(CLOCK_MONOTONIC, &t1);
		*seconds += (double)(t1.tv_sec - t0.tv_sec) + 1e-9 * (double)(t1.tv_nsec - t0.tv_nsec);
		if (d->classes) {
			score_labels(s, y.data, label, batch, y.type.dim[y.type.rank - 1]);
		} else { /* the arena may have reused the input: fetch it again */
			if (!(st = cop__batcher_fill(b, -1, i, input, label))) score_values(s, y.data, input, label, batch, cop_type_count(&y.type) / batch);
		}
		if (!st && cop__stopped(cx)) st = cop__error(cx, COP_STOPPED, "stopped while scoring");
	}
	cop__free(cx, label);
	return st;
}

static cop_status check_fit(const cop_graph *g, const cop_dataset *d)
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

cop_status cop_eval(cop_score *out, const cop_graph *model, cop_dataset *data, int32_t batch, int threads)
{
	cop_graph *sized = NULL, *infer = NULL, *g = NULL;
	cop_plan *plan = NULL;
	cop_session *ses = NULL;
	cop_batcher *b = NULL;
	cop_target t;
	sums s = {0};
	double seconds = 0;
	cop_ctx *cx = model->cx;
	cop_status st = cop_target_find(&t, cx, "host");

	*out = (cop_score){0};
	t.threads = threads;
	if (!st) st = check_fit(model, data);
	if (!st) st = cop__pass_batch(&sized, model, batch);
	if (!st) st = cop__pass_to_infer(&infer, sized);
	if (!st) st = cop__pass_fuse(&g, infer);
	if (!st) st = cop_plan_build(&plan, &g, 1, &t);
	if (!st) st = cop_session_new(&ses, plan, threads);
	if (!st) st = cop__batcher_new(&b, cx, data, batch, 0, NULL);
	if (!st) st = run_all(&s, ses, b, data, batch, cx, &seconds);
	if (!st && s.count)
		*out = (cop_score){.accuracy = data->classes ? (float)((double)s.right / (double)s.count) : -1, .loss = (float)(s.loss / (double)s.count),
			.count = (int32_t)s.count, .images_per_second = seconds > 0 ? (double)s.count / seconds : 0};
	cop__batcher_free(b);
	cop_session_free(ses);
	cop_plan_free(plan);
	cop_graph_free(g);
	cop_graph_free(infer);
	cop_graph_free(sized);
	return st;
}
