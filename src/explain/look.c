/* SPDX-License-Identifier: Apache-2.0
 *
 * look - a network as it is looked at: one sample, as deployed, in operators that have gradients. One view of it runs forward; the other
 * goes back too, from the score of a class to the input and to the last convolution. An integer network is taken in floats that
 * round (pass/floats.c), whose gradients go straight through; where it has no such form there is no way back.
 */
#include "explain/explain.h"
#include "op/grad.h"
#include "pass/lower.h"
#include "train/policy.h"

#include <stdio.h>

/* ---- the sample ---- */

static cop_status frame_of(cop_frame *f, cop_ctx *cx, const cop_dataset *d)
{
	const cop_type *x = &d->x;
	bool first = x->rank == 3 && cop__channel_axis(x) == 0;

	if (x->rank != 2 && x->rank != 3)
		return cop__error(cx, COP_SHAPE, "samples of '%s' have %d ax%s; a map is drawn over a picture, [h,w] or [h,w,channels]", d->name, x->rank,
			x->rank == 1 ? "is" : "es");
	*f = (cop_frame){x->dim[first], x->dim[1 + first], x->rank == 2 ? 1 : x->dim[first ? 0 : 2], first};
	return COP_OK;
}

static cop_status take_sample(cop_look *l, const cop_graph *model, cop_dataset *d, int32_t i)
{
	cop_dataset *use;
	int32_t label;

	if (i < 0 || i >= d->count) return cop__error(l->cx, COP_ARG, "sample %d: '%s' has %d, counted from 0", i, d->name, d->count);
	COP_TRY(frame_of(&l->frame, l->cx, cop__fit_under(d)));
	COP_TRY(cop__fit_for(&use, &l->made, model, d));
	l->fit = cop__fit_of(use);
	l->each = (int32_t)cop_type_count(&l->fit->of->x);
	l->sample = cop__arena_get(&l->mem, sizeof *l->sample * (size_t)l->each);
	l->taken = cop__arena_get(&l->mem, sizeof *l->taken * (size_t)l->each);
	return l->sample && l->taken ? l->fit->of->get(l->fit->of->ud, i, l->sample, &label) : COP_NOMEM;
}

/* ---- the form ---- */

/* What can't be differentiated can still be run: its sentence is kept, and is no failure. */
static cop_status refuse(cop_look *l, cop_status st)
{
	if (!st || st == COP_NOMEM || st == COP_STOPPED) return st;
	snprintf(l->refused, sizeof l->refused, "%s", cop_error_text(l->cx));
	cop_error_clear(l->cx);
	return COP_OK;
}

static cop_status in_floats(cop_look *l, const cop_graph *model)
{
	cop_graph *plain;

	COP_TRY(cop__pass_decode(&plain, model, COP_DENSE));
	cop_status st = refuse(l, cop__pass_floats(&l->form, plain));
	if (st || l->form) cop_graph_free(plain);
	else l->form = plain;
	return st;
}

static cop_status one_sample(cop_graph **g, int64_t each)
{
	cop_graph *one;
	int32_t held;

	COP_TRY(cop__batch_for(&one, *g, &(cop_sized_args){.n = 1, .each = each}, &held));
	cop_graph_free(*g);
	*g = one;
	return held == 1 ? COP_OK : cop__error(one->cx, COP_SHAPE, "'%s' takes %d samples at once, and a map is of one alone", one->name, held);
}

static cop_status make_form(cop_look *l, const cop_graph *model)
{
	static cop_pass_fn *const then[] = {cop__pass_deploy, cop__pass_unroll, cop__pass_running};

	if (model->n_input != 1) return cop__error(l->cx, COP_SHAPE, "'%s' takes %d inputs; maps are drawn for networks with one", model->name, model->n_input);
	COP_TRY(in_floats(l, model));
	COP_TRY(one_sample(&l->form, l->each));
	for (int i = 0; i < LEN(then); i++) COP_TRY(cop__pass_then(&l->form, then[i]));
	return COP_OK;
}

cop_status cop__look_open(cop_look *l, const cop_graph *model, cop_dataset *d, const cop_explain_args *a)
{
	*l = (cop_look){.cx = model->cx};
	cop__arena_init(&l->mem, l->cx);
	COP_TRY(take_sample(l, model, d, a->sample));
	COP_TRY(make_form(l, model));
	l->outputs = (int32_t)cop_type_count(cop__t(l->form, l->form->output[0]));
	l->scores = cop__arena_get(&l->mem, sizeof *l->scores * (size_t)l->outputs);
	return l->scores ? COP_OK : COP_NOMEM;
}

/* ---- views ---- */

/* v as it was before it was rounded and took another form: a rounded score that has reached the end of its range has no gradient. */
static cop_vid unrounded(const cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;

	while (n && (g->node[n].op == OP_reshape || g->node[n].op == OP_fakequant)) v = cop__arg(g, n, 0), n = g->value[v].producer;
	return v;
}

/* The scores of the classes: what goes into a softmax at the end; else the output. */
static cop_vid scores_of(const cop_graph *g)
{
	cop_vid y = unrounded(g, g->output[0]);
	cop_nid n = g->value[y].producer;

	return n && g->node[n].op == OP_softmax ? unrounded(g, cop__arg(g, n, 0)) : y;
}

/* The result of the last convolution that has positions, behind what leaves its shape: rounding, activation, a residual sum. 0: none. */
static cop_vid feature_of(const cop_graph *g)
{
	cop_nid n = (cop_nid)g->n_node;

	while (n && (g->node[n].op != OP_conv || cop__outt(g, n, 0)->dim[1] * cop__outt(g, n, 0)->dim[2] < 2)) n--;
	cop_vid v = n ? cop__res(g, n, 0) : 0;
	for (cop_nid m = n + 1; v && m <= (cop_nid)g->n_node; m++)
		for (int i = 0; i < g->node[m].n_in; i++)
			if (g->node[m].in[i] == v && cop__same_shape(cop__outt(g, m, 0), cop__t(g, v)) && cop__outt(g, m, 0)->dtype == COP_F32) {
				v = cop__res(g, m, 0);
				break;
			}
	return v;
}

static int32_t hand_out(cop_graph *g, cop_vid v)
{
	for (int32_t i = 0; i < g->n_output; i++)
		if (g->output[i] == v) return i + 1;
	return v && !cop__output(g, v, NULL) ? g->n_output : 0;
}

/* Behind the scores: the one that is wanted, as a scalar, and its gradients. */
static cop_status differentiate(cop_view *v)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = v->g;
	cop_vid y = scores_of(g), wrt[2] = {g->input[0], feature_of(g)}, d[2] = {0};
	const cop_type t = *cop__t(g, y); /* a copy: values move when there are more */

	cop_vid which = cop__input(g, "explain.which", &t);
	cop_vid score = cop__apply(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, (1 << t.rank) - 1, 0}, VIDS(cop__apply(g, OP_mul, &none, VIDS(y, which))));
	if (!score) return cop__failed(g->cx);
	COP_TRY(cop__differentiate(g, score, wrt[1] ? 2 : 1, wrt, d));
	if (!d[0]) return cop__error(g->cx, COP_ARG, "no gradient of the score reaches the input of '%s'", g->name);
	v->dx = hand_out(g, d[0]);
	if (d[1]) v->pull = hand_out(g, d[1]), v->feature = hand_out(g, wrt[1]);
	return v->dx && (v->pull || !d[1]) ? COP_OK : cop__failed(g->cx);
}

static cop_status open_view(cop_view *v, const cop_graph *form, bool back, int threads)
{
	COP_TRY(cop_graph_copy(&v->g, form));
	if (!(v->scores = hand_out(v->g, scores_of(v->g)))) return cop__failed(form->cx);
	if (back) COP_TRY(differentiate(v));
	return cop__host_open(&v->host, &v->g, 1, COP_ISA_ALL, COP_MAX(threads, 1));
}

static void close_view(cop_view *v)
{
	cop__host_close(&v->host);
	cop_graph_free(v->g);
	*v = (cop_view){0};
}

cop_status cop__look_ready(cop_look *l, int threads)
{
	COP_TRY(open_view(&l->forward, l->form, false, threads));
	return *l->refused ? COP_OK : refuse(l, open_view(&l->back, l->form, true, threads));
}

void cop__look_close(cop_look *l)
{
	close_view(&l->forward);
	close_view(&l->back);
	cop_graph_free(l->form);
	cop_data_free(l->made);
	cop__arena_free(&l->mem);
}

/* ---- runs ---- */

const float *cop__view_output(const cop_view *v, int32_t output, const cop_type **t)
{
	cop_tensor y;

	if (output < 1 || cop_session_io(v->host.s, 0, output - 1, true, &y)) return NULL;
	if (t) *t = cop__t(v->g, v->g->output[output - 1]);
	return y.data;
}

/* A sample as the data set has it goes in; integers are made where the network takes them. */
static cop_status run(cop_look *l, cop_view *v, const float *sample)
{
	cop_tensor x;

	if (cop__stopped(l->cx)) return cop__error(l->cx, COP_STOPPED, "stopped while maps were drawn");
	COP_TRY(cop_session_io(v->host.s, 0, 0, false, &x));
	cop__fit_row(l->taken, l->fit, sample);
	const cop_tensor from = {cop__type(COP_F32, x.type.rank, x.type.dim), l->taken};
	if (cop_graph_keeps_state(v->g)) cop_session_reset(v->host.s);
	COP_TRY(cop_tensor_copy(l->cx, &x, &from));
	return cop_session_run(v->host.s, 0);
}

cop_status cop__look_scores(cop_look *l, const float *sample)
{
	cop_tensor y;

	COP_TRY(run(l, &l->forward, sample));
	COP_TRY(cop_session_io(l->forward.host.s, 0, l->forward.scores - 1, true, &y));
	const cop_tensor to = {cop__type(COP_F32, y.type.rank, y.type.dim), l->scores};
	return cop_tensor_copy(l->cx, &to, &y);
}

cop_status cop__look_back(cop_look *l, int32_t output)
{
	cop_tensor which;

	if (*l->refused) return COP_OK;
	COP_TRY(cop_session_io(l->back.host.s, 0, l->back.g->n_input - 1, false, &which));
	memset(which.data, 0, cop_type_bytes(&which.type));
	((float *)which.data)[output] = 1;
	return run(l, &l->back, l->sample);
}
