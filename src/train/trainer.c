/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer - a plan and a session of the graphs that a cop_build makes. The whole step is one entry, as fast as it can be; with `apart`
 * there are two more, for who puts something between gradients and updates, and their gradients have memory of their own.
 */
#include "core/need.h"
#include "run/deploy.h"
#include "train/trainer.h"
#include "train/build_record.h"

enum { MOST_INPUTS = 16 };

struct cop_trainer {
	cop_ctx *cx;
	cop_build *b;
	cop_graph *graph[COP_PARTS];
	int entry[COP_PARTS];       /* of each part in the plan; -1: none */
	cop_host host;
	cop_tensor lr;              /* one rate for all entries: a state */
	cop_part ran;               /* whose loss and outputs are the last */
	void *input[MOST_INPUTS];   /* what several runs are given, in a memory that none of them uses */
};

static bool apart(const cop_trainer *t) { return t->entry[COP_PART_UPDATE] >= 0; }

static cop_status make_graphs(cop_trainer *t, bool separate)
{
	const bool made[COP_PARTS] = {true, separate, separate, cop__build_has_forms(t->b)};

	for (int p = 0; p < COP_PARTS; p++)
		if (made[p]) COP_TRY(cop__build_graph(&t->graph[p], t->b, (cop_part)p));
	return COP_OK;
}

/* Who asks for products in bfloat16 hears of it where no layer has a kernel for them. */
static void say_if_unused(const cop_trainer *t)
{
	cop_step_info s;

	for (int32_t i = 0; cop_plan_step(t->host.plan, t->entry[COP_PART_STEP], i, &s); i++)
		if (strstr(s.kernel, "_amx")) return;
	cop__log(t->cx, COP_LOG_WARN, "products of bfloat16 (--bf16) change nothing here: '%s' trains no dense convolution that is wide enough for them", t->graph[COP_PART_STEP]->name);
}

static cop_status make_session(cop_trainer *t, int threads)
{
	cop_graph *entry[COP_PARTS];
	int n = 0;

	for (int p = 0; p < COP_PARTS; p++) {
		t->entry[p] = t->graph[p] ? n : -1;
		if (t->graph[p]) entry[n++] = t->graph[p];
	}
	if (t->b->bf16) COP_TRY(cop__cpu_bf16(t->cx));
	COP_TRY(cop__host_open(&t->host, entry, n, COP_ISA_ALL | (t->b->bf16 ? COP_ISA_AMX : 0), threads));
	if (t->b->bf16) say_if_unused(t);
	return cop_session_tensor(t->host.s, 0, "lr", &t->lr);
}

static cop_status make_inputs(cop_trainer *t)
{
	const cop_graph *g = t->graph[COP_PART_STEP];

	if (g->n_input > MOST_INPUTS)
		return cop__error(t->cx, COP_ARG, "'%s' has more than %d inputs, so a step can't be made of several runs",
			g->name, MOST_INPUTS);
	for (int32_t i = 0; i < g->n_input; i++)
		if (!(t->input[i] = cop__alloc(t->cx, cop_type_bytes(cop__t(g, g->input[i]))))) return COP_NOMEM;
	return COP_OK;
}

cop_status cop__trainer_new(cop_trainer **out, cop_build *b, int threads, bool separate)
{
	cop_ctx *cx = cop__build_model(b)->cx;
	cop_trainer *t = cop__alloc(cx, sizeof *t);

	*out = NULL;
	if (!t) return cop__build_free(b), COP_NOMEM;
	t->cx = cx;
	t->b = b;
	cop_status st = make_graphs(t, separate);
	if (!st) st = make_session(t, threads);
	if (!st && apart(t)) st = make_inputs(t);
	if (st) return cop_trainer_free(t), st;
	*out = t;
	return COP_OK;
}

void cop_trainer_free(cop_trainer *t)
{
	if (!t) return;
	cop__host_close(&t->host);
	for (int p = 0; p < COP_PARTS; p++) cop_graph_free(t->graph[p]);
	for (int i = 0; i < MOST_INPUTS; i++) cop__free(t->cx, t->input[i]);
	cop__build_free(t->b);
	cop__free(t->cx, t);
}

cop_status cop_graph_train(cop_graph **out, const cop_graph *model, const char *text)
{
	COP_NEED(COP_CX(model), out);
	*out = NULL;
	COP_NEED(COP_CX(model), model);
	cop_build *b;

	COP_TRY(cop__build_new(&b, model, 0, 0));
	cop_status st = cop__build_spec(b, text ? text : "");
	if (!st) st = cop__build_graph(out, b, COP_PART_STEP);
	cop__build_free(b);
	return st;
}

/* On a device nobody looks at the loss before the weights are changed by it: a step whose loss is not finite changes none. And RAM is what there is least
 * of: what can be computed again to the same bits is not kept. */
cop_status cop__graph_train_on_device(cop_graph **out, const cop_graph *model, const char *spec)
{
	cop_text t;

	cop__text_init(&t, model->cx);
	cop__text_add(&t, "%s%s%s", spec ? spec : "", spec && strstr(spec, "guard=") ? "" : " guard=yes", spec && strstr(spec, "saved=") ? "" : " saved=exact");
	cop_status st = t.status ? t.status : cop_graph_train(out, model, t.data);
	cop__text_free(&t);
	return st;
}

cop_status cop_trainer_new(cop_trainer **out, const cop_graph *model, const cop_trainer_args *a)
{
	COP_NEED(COP_CX(model), out);
	*out = NULL;
	COP_NEED(COP_CX(model), model);
	COP_NEED(COP_CX(model), a);
	cop_build *b;

	if (a->batch < 1) return cop__error(model->cx, COP_ARG, "a trainer for batches of %d samples; it must be at least 1", a->batch);
	COP_TRY(cop__build_new(&b, model, a->batch, 0));
	b->bf16 = a->bf16;
	cop_status st = cop__build_spec(b, a->spec ? a->spec : "");
	if (st) return cop__build_free(b), st;
	return cop__trainer_new(out, b, a->threads, a->apart);
}

/* ---- tensors ---- */

const cop_graph *cop__trainer_graph(const cop_trainer *t) { return t->graph[COP_PART_STEP]; }
const cop_build *cop__trainer_build(const cop_trainer *t) { return t->b; }

cop_status cop__trainer_named(const cop_trainer *t, const char *name, cop_tensor *out) { return cop_session_tensor(t->host.s, 0, name, out); }

cop_status cop__trainer_tensor(const cop_trainer *t, cop_handle h, cop_tensor *out)
{
	const char *name = cop__build_name(t->b, h);
	return name ? cop__trainer_named(t, name, out) : cop__error(t->cx, COP_ARG, "the training has no tensor %d", h);
}

cop_status cop_trainer_input(cop_trainer *t, int32_t i, cop_tensor *out)
{
	COP_NEED(NULL, t);
	COP_NEED(t->cx, out);
	COP_TRY(cop_session_io(t->host.s, 0, i, false, out));
	if (apart(t)) out->data = t->input[i];
	return COP_OK;
}

cop_status cop_trainer_output(cop_trainer *t, int32_t i, cop_tensor *out)
{
	COP_NEED(NULL, t);
	COP_NEED(t->cx, out);
	return cop_session_io(t->host.s, t->entry[t->ran], i, true, out);
}

const char *cop_trainer_gradient(cop_trainer *t, int32_t i, cop_tensor *out)
{
	const cop_graph *g = t ? t->graph[COP_PART_GRADIENTS] : NULL;

	for (int32_t v = 1; g && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (!x->of || g->value[x->of].role != COP_PARAM || cop__follower(g, x->of, "grad") != (cop_vid)v || i--) continue;
		return out && cop_session_tensor(t->host.s, t->entry[COP_PART_GRADIENTS], x->name, out) ? NULL : g->value[x->of].name;
	}
	return NULL;
}

/* ---- running ---- */

void cop__trainer_set_rate(cop_trainer *t, float lr) { *(float *)t->lr.data = lr; }
float cop__trainer_said_rate(const cop_trainer *t) { return *(const float *)t->lr.data; }

float cop__trainer_rate(const cop_trainer *t)
{
	const float said = cop__trainer_said_rate(t);
	cop_tensor moved;

	if (!cop__find(cop__trainer_graph(t), COP_LEARNT_RATE) || cop__trainer_named(t, COP_LEARNT_RATE, &moved)) return said;
	return cop__build_rate(t->b, said, *(const float *)moved.data);
}

/* The loss is the last output. */
float cop__trainer_loss(const cop_trainer *t)
{
	cop_tensor loss = {0};
	const cop_graph *g = t->graph[t->ran];

	return cop_session_io(t->host.s, t->entry[t->ran], g->n_output - 1, true, &loss) ? 0 : *(const float *)loss.data;
}

static cop_status run(cop_trainer *t, cop_part part)
{
	const cop_graph *g = t->graph[part];
	cop_tensor x;

	for (int32_t i = 0; apart(t) && i < g->n_input; i++) {
		COP_TRY(cop_session_io(t->host.s, t->entry[part], i, false, &x));
		memcpy(x.data, t->input[i], cop_type_bytes(&x.type));
	}
	if (part != COP_PART_UPDATE) t->ran = part;
	return cop_session_run(t->host.s, t->entry[part]);
}

cop_status cop__trainer_run(cop_trainer *t) { return run(t, COP_PART_STEP); }

cop_status cop__trainer_seconds(const cop_graph **step, double **seconds, cop_arena *mem, cop_trainer *t)
{
	const cop_entry *e = &t->host.plan->entry[t->entry[COP_PART_STEP]];
	double *each = cop__arena_get(mem, sizeof *each * ((size_t)e->n_step + 1));

	*seconds = cop__arena_get(mem, sizeof **seconds * ((size_t)e->g->n_node + 1));
	if (!each || !*seconds) return COP_NOMEM;
	COP_TRY(cop__step_seconds(each, t->host.s, t->entry[COP_PART_STEP]));
	for (int32_t i = 0; i < e->n_step; i++) (*seconds)[e->step[i].node] += each[i];
	*step = e->g;
	return COP_OK;
}

static cop_status need_apart(const cop_trainer *t, const char *call)
{
	return apart(t) ? COP_OK : cop__error(t->cx, COP_ARG, "%s: the trainer was made without `apart`", call);
}

cop_status cop_trainer_step(cop_trainer *t, float lr, float *loss)
{
	COP_NEED(NULL, t);
	cop__trainer_set_rate(t, lr);
	COP_TRY(cop__trainer_run(t));
	if (loss) *loss = cop__trainer_loss(t);
	return COP_OK;
}

cop_status cop_trainer_gradients(cop_trainer *t, float *loss)
{
	COP_NEED(NULL, t);
	COP_TRY(need_apart(t, __func__));
	COP_TRY(run(t, COP_PART_GRADIENTS));
	if (loss) *loss = cop__trainer_loss(t);
	return COP_OK;
}

cop_status cop_trainer_update(cop_trainer *t, float lr)
{
	COP_NEED(NULL, t);
	COP_TRY(need_apart(t, __func__));
	cop__trainer_set_rate(t, lr);
	return run(t, COP_PART_UPDATE);
}

/* ---- weights ---- */

/* Runs the expressions of formed weights into the plain ones. */
static cop_status bake(cop_session *s, int entry, const cop_graph *g, cop_graph *model)
{
	cop_tensor w;

	COP_TRY(cop_session_run(s, entry));
	for (int32_t i = 0; i < g->n_output; i++) {
		cop_vid v = cop__find(model, g->value[g->output[i]].name);
		COP_TRY(cop_session_io(s, entry, i, true, &w));
		size_t bytes = cop_type_bytes(&w.type);
		if (!v || cop_type_bytes(cop__t(model, v)) != bytes) continue;
		void *own = cop__own(model, v);
		if (!own) return COP_NOMEM;
		memcpy(own, w.data, bytes);
	}
	return COP_OK;
}

cop_status cop__forms_apply(cop_graph *model, cop_build *b)
{
	cop_graph *g = NULL;
	cop_host host = {0};
	cop_status st = cop__build_graph(&g, b, COP_PART_EXPRESS);

	if (!st) st = cop__host_open(&host, &g, 1, COP_ISA_ALL, 1);
	if (!st) st = bake(host.s, 0, g, model);
	cop__host_close(&host);
	cop_graph_free(g);
	cop__build_free(b);
	return st;
}

cop_status cop_trainer_pull(cop_trainer *t, cop_graph *model)
{
	COP_NEED(COP_CX(model), t);
	COP_NEED(t->cx, model);
	COP_TRY(cop_session_pull(t->host.s, model));
	const cop_graph *g = t->graph[COP_PART_EXPRESS];
	return g ? bake(t->host.s, t->entry[COP_PART_EXPRESS], g, model) : COP_OK;
}

/* Where the session has what a step writes of value v; NULL: nothing is written there. */
static void *written(const cop_trainer *t, cop_vid v)
{
	const cop_value *x = &t->graph[COP_PART_STEP]->value[v];
	const cop_var *var = x->role == COP_PARAM || x->role == COP_STATE ? cop__plan_var(t->host.plan, x->name) : NULL;
	cop_tensor w;

	return var && var->written && !cop__trainer_named(t, x->name, &w) ? w.data : NULL;
}

cop_graph *cop__trainer_hold(cop_trainer *t)
{
	cop_graph *g = t->graph[COP_PART_STEP];

	for (int32_t v = 1; v <= g->n_value; v++) {
		const void *now = written(t, (cop_vid)v);
		if (now) cop__borrow(g, (cop_vid)v, now);
	}
	return g;
}

void cop__trainer_push(cop_trainer *t)
{
	const cop_graph *g = t->graph[COP_PART_STEP];

	for (int32_t v = 1; v <= g->n_value; v++) {
		void *to = written(t, (cop_vid)v);
		if (to && g->value[v].data && to != g->value[v].data) memcpy(to, g->value[v].data, cop_type_bytes(cop__t(g, (cop_vid)v)));
	}
}
