/* SPDX-License-Identifier: Apache-2.0
 *
 * anomaly - how well a network that gives its samples back tells normal ones from others: it learnt normal ones alone, and gives others
 * back worse.
 */
#include "core/need.h"
#include "data/data.h"
#include "train/policy.h"

#include <math.h>
#include <stdlib.h>

typedef struct mark { float error; bool normal; } mark;

static int by_error(const void *a, const void *b)
{
	const mark *x = a, *y = b;
	return (x->error > y->error) - (x->error < y->error);
}

/* at [n], in the order of errors. The area under the curve is the chance that an other sample has the larger error, equal ones count half
 * (Hanley and McNeil 1982). */
static void curve(cop_anomaly *out, const mark *at, int32_t n)
{
	const int32_t passed = (int32_t)ceil(0.95 * out->normal);
	double wins = 0;
	int32_t normal = 0, beyond = 0;

	for (int32_t i = 0, j; i < n; i = j) { /* those of one error together */
		int32_t same = 0;
		for (j = i; j < n && at[j].error == at[i].error; j++) same += at[j].normal;
		wins += (double)(j - i - same) * (normal + 0.5 * same);
		if (normal < passed && normal + same >= passed) out->threshold = at[i].error;
		normal += same;
	}
	for (int32_t i = 0; i < n; i++) beyond += !at[i].normal && at[i].error > out->threshold;
	out->auc = (float)(wins / out->normal / out->others);
	out->found = (float)beyond / (float)out->others;
}

/* at [d->count]: *n of them are samples that have a class. x: room for a sample. */
static cop_status marks(mark *at, int32_t *n, cop_anomaly *out, float *x, const cop_dataset *d, const bool *is_normal, const float *error)
{
	int32_t label = -1;

	*n = 0;
	for (int32_t i = 0; i < d->count; i++) {
		COP_TRY(d->get(d->ud, i, x, &label));
		if (label < 0 || label >= d->classes) continue;
		const bool normal = is_normal[label];
		at[(*n)++] = (mark){error[i], normal};
		*(normal ? &out->normal : &out->others) += 1;
		*(normal ? &out->normal_error : &out->other_error) += error[i];
	}
	return COP_OK;
}

/* The figures of out, but for its curve. */
static cop_status means(cop_anomaly *out, cop_ctx *cx, const cop_dataset *d)
{
	if (!out->normal || !out->others)
		return cop__error(cx, COP_ARG, "data set '%s' has no %s samples here, so nothing can be told apart", d->name, out->normal ? "other" : "normal");
	out->normal_error /= (float)out->normal;
	out->other_error /= (float)out->others;
	return COP_OK;
}

cop_status cop_eval_anomaly(cop_anomaly *out, const cop_graph *g, cop_dataset *data, const char *normal, int32_t batch, int threads)
{
	COP_NEED(COP_CX(g), out);
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), data);
	COP_NEED(COP_CX(g), normal);
	cop_ctx *cx = COP_CX(g);
	cop_dataset bare = *data; /* a network that gives its samples back knows no classes */
	int32_t n;
	const size_t count = (size_t)COP_MAX(data->count, 1);

	*out = (cop_anomaly){0};
	bare.classes = 0;
	bool *is_normal = cop__alloc(cx, sizeof *is_normal * (size_t)COP_MAX(data->classes, 1));
	mark *at = cop__alloc(cx, sizeof *at * count);
	float *error = cop__alloc(cx, sizeof *error * count), *x = cop__alloc(cx, sizeof *x * (size_t)COP_MAX(cop_type_count(&data->x), 1));
	cop_status st = is_normal && at && error && x ? cop__class_marks(is_normal, cx, data, normal) : COP_NOMEM;
	if (!st) st = cop__rebuild_errors(error, g, &bare, batch, threads);
	if (!st) st = marks(at, &n, out, x, data, is_normal, error);
	if (!st) st = means(out, cx, data);
	if (!st) qsort(at, (size_t)n, sizeof *at, by_error), curve(out, at, n);
	cop__free(cx, at);
	cop__free(cx, is_normal);
	cop__free(cx, error);
	cop__free(cx, x);
	return st;
}
