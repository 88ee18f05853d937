/* SPDX-License-Identifier: Apache-2.0
 *
 * frozen - a network whose first layers are not trained any more. They run apart from the training graph, in the form that is deployed, and the training graph
 * begins with what they put out: no gradient goes back to them, and none of their values is kept for one. Where no augmentation changes the
 * samples, they run once over all of them, and after that not at all.
 */
#include "pass/pass.h"
#include "train/loop.h"

cop_status cop__frozen_make(cop_loop *l, cop_graph **back)
{
	cop_graph *front;

	*back = NULL;
	cop__frozen_free(l);
	if (!l->frozen.to) return COP_OK;
	const cop_vid v = l->frozen.to > 0 && l->frozen.to <= l->model->n_node /* a file may say anything */ ? l->model->node[l->frozen.to].out[0] : 0;
	if (!cop__can_cut(l->model, v)) return cop__error(l->cx, COP_ARG, "training: '%s' can't be cut behind node %d", l->model->name, l->frozen.to);
	if (cop__t(l->model, l->model->input[0])->dtype != COP_F32) return cop__error(l->cx, COP_ARG, "training: the first layers of '%s' take bytes and can't be frozen; train the network with floats at its ends", l->model->name);
	COP_TRY(cop__cut_front(&front, l->model, &v, 1));
	cop_status st = cop__deploy(&l->front, front, &(cop_deploy_args){.batch = l->a->batch, .each = cop_type_count(&l->train->x), .threads = l->a->threads});
	cop_graph_free(front);
	if (!st && l->front.batch != l->a->batch) st = cop__error(l->cx, COP_ARG, "training: what is frozen of '%s' takes %d samples at once, not %d", l->model->name, l->front.batch, l->a->batch);
	return st ? st : cop__cut_back(back, l->model, v);
}

static int64_t row(const cop_loop *l) { return cop_type_count(&l->x.type) / l->a->batch; }

static cop_status run(cop_loop *l, cop_batches *b, int32_t i, cop_tensor *out)
{
	cop_tensor in;

	COP_TRY(cop_session_io(l->front.host.s, 0, 0, false, &in));
	COP_TRY(cop_session_io(l->front.host.s, 0, 0, true, out));
	COP_TRY(cop__batch_get(in.data, l->label, b, i, 0, 1));
	const double c0 = cop__cpu_seconds();
	COP_TRY(cop_session_run(l->front.host.s, 0));
	if (!l->kept) l->step_cpu[0] += cop__cpu_seconds() - c0;
	return COP_OK;
}

/* In the order of the data set, so that it is the same whenever it is done. */
static cop_status run_all(cop_loop *l, cop_batches *b)
{
	const int64_t n = row(l);
	cop_tensor out;

	for (int32_t i = 0; i < cop__batch_count(b); i++) {
		const int32_t from = i * l->a->batch, rows = COP_MIN(l->a->batch, l->train->count - from);
		COP_TRY(run(l, b, i, &out));
		memcpy(l->kept + from * n, out.data, sizeof *l->kept * (size_t)(rows * n));
	}
	return COP_OK;
}

/* It runs in each step, so its work is a part of what a step costs. */
static cop_status count(cop_loop *l)
{
	cop_step_cost c;

	COP_TRY(cop__step_cost(&c, l->front.g));
	l->cost.forward += c.forward;
	return COP_OK;
}

cop_status cop__frozen_ready(cop_loop *l)
{
	const int64_t bytes = (int64_t)sizeof *l->kept * row(l) * l->train->count;
	cop_batches *b;

	if (!l->front.g) return COP_OK;
	if (cop__batch_varies(l->batch) || bytes > l->frozen.bytes) return count(l);
	if (!(l->kept = cop__alloc(l->cx, (size_t)bytes))) return COP_NOMEM;
	COP_TRY(cop__batch_new(&b, l->cx, l->train, &(cop_batch_args){.size = l->a->batch, .in_order = true}));
	cop_status st = run_all(l, b);
	cop__batch_free(b);
	return st;
}

cop_status cop__frozen_place(cop_loop *l, int32_t i)
{
	const int64_t n = row(l);
	cop_tensor out;

	if (!l->kept) {
		COP_TRY(run(l, l->batch, i, &out));
		return memcpy(l->x.data, out.data, cop_type_bytes(&l->x.type)), COP_OK;
	}
	COP_TRY(cop__batch_labels(l->label, l->batch, i));
	for (int32_t r = 0; r < l->a->batch; r++) memcpy((float *)l->x.data + r * n, l->kept + l->sample[r] * n, sizeof *l->kept * (size_t)n);
	return COP_OK;
}

void cop__frozen_free(cop_loop *l)
{
	cop__deploy_free(&l->front);
	cop__free(l->cx, l->kept);
	l->kept = NULL;
}
