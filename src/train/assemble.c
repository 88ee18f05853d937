/* SPDX-License-Identifier: Apache-2.0
 *
 * assemble - puts a training graph together: the model with each formed weight as the expression over its latents, batch statistics, fused;
 * a teacher beside it; the loss; its gradients with respect to latents; updates.
 *
 * What updates write over (`alias`) may be read by nobody after them; the schedule sees to that. The learning rate and the step are
 * STATE "lr" and "step", so that emitted code can set them.
 */
#include "op/axes.h"
#include "op/grad.h"
#include "op/qscale.h"
#include "pass/parts.h"
#include "pass/pass.h"
#include "train/build_record.h"
#include "train/store.h"
#include "train/update/mezo.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

static cop_status code(const cop_graph *g) { return cop__failed(g->cx); }

/* ---- forms ---- */

static cop_formed formed(const cop_build *b, int32_t i)
{
	return (cop_formed){b->form[i].form, b->form[i].options, b->model, cop__find(b->model, b->form[i].weight)};
}

static cop_status express_all(cop_graph *out, const cop_build *b, cop_vid *map)
{
	for (int32_t i = 0; i < b->n_form; i++) {
		cop_formed f = formed(b, i);
		if (cop__follower(b->model, f.w, "rows"))
			return cop__error(b->cx, COP_ARG, "training: '%s' has the form '%s' and a list of rows that are trained; it can't have both", b->form[i].weight, f.form->row.name);
		if (!f.form->express) continue;
		if (!(map[f.w] = f.form->express(&f, out))) return code(out);
		if (!cop__same_shape(cop__t(out, map[f.w]), cop__t(b->model, f.w)))
			return cop__error(b->cx, COP_SHAPE, "the form '%s' gives '%s' another shape", f.form->row.name, b->form[i].weight);
		cop__name(out, map[f.w], b->form[i].weight);
	}
	return COP_OK;
}

static cop_guarded *guarded_of_node(const cop_build *b, cop_nid n)
{
	for (int32_t i = 0; i < b->n_guarded; i++)
		if (b->guarded[i].node[n]) return &b->guarded[i];
	return NULL;
}

/* The guard as a value of out: it is made when the first of its nodes is copied. */
static cop_vid guard_value(cop_graph *out, const cop_build *b, cop_guarded *d, const cop_vid *map)
{
	static const int32_t open = 1;
	const cop_type t = cop__type(COP_I32, 1, DIMS(1));
	const char *name = b->name[d->guard];
	cop_vid v = cop__find(out, name);

	if (v) return v;
	if (!d->decide) return cop__data(out, COP_STATE, name, &t, &open);
	v = d->decide(d->ud, out, (int32_t)(d - b->guarded), map[d->from], &d->times);
	if (v) cop__name(out, v, name);
	return v;
}

static cop_status copy_guarded(cop_graph *out, const cop_build *b, cop_vid *map, cop_nid n)
{
	cop_guarded *d = guarded_of_node(b, n);
	const cop_vid guard = d ? guard_value(out, b, d, map) : 0, gated = d && b->model->value[d->v].producer == n ? d->v : 0;

	if (d && !guard) return code(out);
	COP_TRY(cop__copy_node(out, b->model, map, n));
	if (guard) out->node[out->n_node].guard = guard;
	if (!gated) return COP_OK;
	cop_vid x = map[gated];
	if (d->times && (x = cop__apply(out, OP_mul, &no_act, VIDS(x, d->times)))) out->node[out->n_node].guard = guard;
	cop_vid y = x ? cop__apply(out, OP_gate, NULL, VIDS(x, guard)) : 0;
	if (!y) return code(out);
	if (b->model->value[gated].name) cop__name(out, map[gated], ""), cop__name(out, y, b->model->value[gated].name);
	map[gated] = y;
	return COP_OK;
}

/* The model with the expressions and the guards in it, made once: a form may have looked for its latents for a while. */
static cop_status express(cop_build *b)
{
	cop_vid *map;

	if (b->formed || (!cop__build_has_forms(b) && !b->n_guarded)) return COP_OK;
	COP_TRY(cop__copy_begin(&b->formed, b->model, &map));
	cop_status st = cop__copy_inputs(b->formed, b->model, map);
	if (!st) st = express_all(b->formed, b, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)b->model->n_node; n++) st = copy_guarded(b->formed, b, map, n);
	if (!st) st = cop__copy_rest(b->formed, b->model, map);
	return cop__pass_end(&b->formed, st);
}

/* The expressions alone, with the weights as outputs. */
static cop_status expressions(cop_graph **out, const cop_build *b)
{
	const cop_graph *g = b->formed;
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	bool *need = cop__arena_get(&(*out)->mem, (size_t)g->n_value + 1);
	cop_status st = need ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < b->n_form; i++)
		if (b->form[i].form->express) need[cop__find(g, b->form[i].weight)] = true;
	for (cop_nid n = (cop_nid)g->n_node; !st && n > 0; n--)
		for (int i = 0; need[g->node[n].out[0]] && i < g->node[n].n_in; i++) need[g->node[n].in[i]] = true;
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++)
		if (need[g->node[n].out[0]]) st = cop__copy_node(*out, g, map, n);
	for (int32_t i = 0; !st && i < b->n_form; i++)
		if (b->form[i].form->express) st = cop__output(*out, map[cop__find(g, b->form[i].weight)], NULL);
	return cop__pass_end(out, st);
}

/* ---- forward ---- */

/* The student may have the same name. */
static cop_status rename_of(cop_graph *g, const cop_vid *map, const cop_graph *t, cop_vid v, const char *whose)
{
	char name[COP_FOLLOWER];

	if (!v || !t->value[v].name) return COP_OK;
	COP_TRY(cop__follower_name(name, g->cx, whose, t->value[v].name));
	cop__name(g, map[v], "");
	cop__name(g, map[v], name);
	return COP_OK;
}

/* The teacher's nodes on the same inputs; its weights never change. */
static cop_status graft(cop_graph *g, const cop_graph *t, const char *whose)
{
	char name[COP_FOLLOWER];
	cop_vid *map = cop__arena_get(&g->mem, sizeof *map * (size_t)(t->n_value + 1));

	if (!map) return COP_NOMEM;
	for (int32_t i = 0; i < t->n_input; i++) map[t->input[i]] = g->input[i];
	for (int32_t v = 1; v <= t->n_value; v++) {
		const cop_value *x = &t->value[v];
		if (x->role < COP_CONST) continue;
		COP_TRY(cop__follower_name(name, g->cx, whose, x->name));
		if (!(map[v] = cop__data(g, COP_CONST, name, &x->type, NULL)) || cop__share(g, map[v], t, (cop_vid)v)) return code(g);
	}
	for (cop_nid n = 1; n <= (cop_nid)t->n_node; n++) {
		COP_TRY(cop__copy_node(g, t, map, n));
		for (int i = 0; i < COP_MAX_OUT; i++) COP_TRY(rename_of(g, map, t, t->node[n].out[i], whose));
	}
	return COP_OK;
}

/* What policies asked for: nothing in the graph may read it. */
static cop_status more_states(cop_graph *g, const cop_build *b)
{
	for (int32_t i = 0; i < b->n_state; i++) {
		const cop_made_state *s = &b->state[i];
		cop_vid v = cop__find(g, s->name);
		if (!v && !(v = cop__data(g, COP_STATE, s->name, &s->type, s->init))) return code(g);
		if (s->of) g->value[v].of = cop__find(g, s->of);
	}
	return COP_OK;
}

static cop_status forward(cop_graph **out, cop_build *b)
{
	cop_graph *active = NULL;
	char whose[24];

	COP_TRY(express(b));
	cop_status st = cop__pass_to_train(&active, b->formed ? b->formed : b->model);
	if (!st) st = cop__pass_fuse(out, active);
	for (int32_t i = 0; !st && i < b->n_teacher; i++) st = graft(*out, b->teacher[i], cop__teacher_name(whose, i));
	if (!st && b->level.rule->ahead) {
		cop_graph *still = *out;
		st = cop__look_ahead(out, still, b);
		cop_graph_free(still);
	}
	if (!st) st = more_states(*out, b);
	cop_graph_free(active);
	return st;
}

/* ---- the loss ---- */

static cop_vid truth(cop_graph *g, const cop_term *t, cop_vid y)
{
	const char *name = t->loss->labels ? "label" : "target";
	const cop_type *like = cop__t(g, y);
	cop_type type = t->loss->labels ? cop__type(COP_I32, 1, like->dim) : cop__type(COP_F32, like->rank, like->dim);
	cop_vid v = cop__find(g, name);

	return v ? v : cop__input(g, name, &type);
}

/* What a softmax of bytes that v comes from reads, as floats; 0: v comes from none. */
static cop_vid whole_logits(cop_graph *g, cop_vid v)
{
	cop_nid soft = g->value[v].producer;
	COP_ATTR(cop_qsoftmax_attr, a, g, soft);

	if (!soft || g->node[soft].op != OP_qsoftmax) return 0;
	return cop__apply(g, OP_dequantize, &(cop_dequantize_attr){(float)cop__qsoftmax_real(&a), 0}, VIDS(g->node[soft].in[0]));
}

/* What goes into a softmax that v comes from, rounded or not, of floats or of bytes; else v. */
static cop_vid logits(cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;

	if (n && g->node[n].op == OP_fakequant) n = g->value[g->node[n].in[0]].producer;
	cop_vid whole = cop__t(g, v)->dtype == COP_I8 ? whole_logits(g, v) : n && g->node[n].op == OP_dequantize ? whole_logits(g, g->node[n].in[0]) : 0;
	return whole ? whole : n && g->node[n].op == OP_softmax ? g->node[n].in[0] : v;
}

/* An answer in bytes as the reals that these stand for. */
static cop_vid real_answer(cop_graph *g, cop_vid y)
{
	const cop_quant *q = &cop__t(g, y)->q;

	if (cop__t(g, y)->dtype != COP_I8) return y;
	if (q->scale) return cop__apply(g, OP_dequantize, &(cop_dequantize_attr){*q->scale, q->zero ? *q->zero : 0}, VIDS(y));
	return cop__error(g->cx, COP_ARG, "training: the output '%s' is in bytes whose scale is not known", g->value[y].name), 0;
}

static cop_vid one_term(cop_graph *g, const cop_build *b, int32_t i)
{
	const cop_term *t = &b->term[i];
	cop_vid y = t->y ? cop__read_as(g, cop__find(g, b->name[t->y])) : g->n_output ? g->output[0] : 0, target = t->target ? cop__find(g, b->name[t->target]) : 0;
	char name[32];

	if (!y || (t->target && !target))
		return cop__error(g->cx, COP_ARG, "loss=%s: the training graph has no value '%s'", t->loss->row.name,
			b->name[y ? t->target : t->y]), 0;
	if (t->loss->labels && cop__t(g, y)->rank != 2)
		return cop__error(g->cx, COP_SHAPE, "loss=%s needs logits [batch, classes] as the first output, got %d dimensions", t->loss->row.name, cop__t(g, y)->rank), 0;
	if (t->loss->logits) y = logits(g, y), target = logits(g, target);
	if (!(y = real_answer(g, y)) || !(y = cop__unskipped(g, y))) return 0;
	cop_vid v = t->loss->build(g, t->options, y, target ? target : truth(g, t, y));
	if (!v || t->weight == 1) return v;
	cop__format(name, sizeof name, "loss.weight%d", i);
	return cop__apply(g, OP_mul, &no_act, VIDS(v, cop__scalar(g, name, t->weight)));
}

static cop_vid loss_of(cop_graph *g, const cop_build *b)
{
	cop_vid sum = 0;

	if (!b->n_term) return cop__error(g->cx, COP_ARG, "training: there is no loss"), 0;
	for (int32_t i = 0; i < b->n_term; i++) {
		cop_vid v = one_term(g, b, i);
		if (!v) return 0;
		sum = sum ? cop__apply(g, OP_add, &no_act, VIDS(sum, v)) : v;
	}
	return sum;
}

/* ---- gradients and updates ---- */

/* What the loss is differentiated for: parameters that are trained, then weights whose gradient is kept alone. */
typedef struct wrt {
	cop_vid *w, *at; /* at: what the network reads */
	cop_vid *dw, *guard; /* guard: of dw, which is missing while it reads 0; 0: none */
	int n, trained;
} wrt;

/* Layers before sums of bits would stay as they are, without a word. */
static void tell_of_bits(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_bconv) {
			cop__log(g->cx, COP_LOG_WARN, "'%s' has sums of bits, which no gradient passes: only what lies behind the last of them is trained", g->name);
			return;
		}
}

/* Integers that no gradient reaches would stay as they are, without a word. */
static void tell_of_integers(const cop_graph *g, const wrt *x)
{
	int first = -1, n = 0;

	for (int i = 0; i < x->trained; i++) {
		if (x->dw[i] || cop__t(g, x->w[i])->dtype == COP_F32) continue;
		if (!n++) first = i;
	}
	if (n)
		cop__log(g->cx, COP_LOG_WARN, "no gradient reaches '%s'%s: it lies before a table, a recurrent layer or another operator of integers that passes none on, and stays as it is",
			g->value[x->w[first]].name, n > 1 ? " and others" : "");
}

/* A weight that was asked for and can't be trained, or none: why. */
static cop_status untrainable(const cop_graph *g, const cop_build *b, int n)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *p = &g->value[v];
		if (p->role == COP_PARAM && p->type.enc != COP_DENSE && cop__is_chosen(b, p->name))
			return cop__error(g->cx, COP_ARG,
				"training: '%s' is encoded (%s) and can't be trained; train the network before it is encoded", p->name,
				cop__enc_text(p->type.enc));
		if (!n && (cop__is_whole(&p->type) || p->type.dtype == COP_BIT) && !p->producer && p->role != COP_INPUT)
			return cop__error(g->cx, COP_ARG, "training: this is a network of integers, and layers=%s names no weight or bias of it that was made trainable "
				"(coppice inspect lists weights; in C: cop_graph_trainable)", b->all.layers);
	}
	return n ? COP_OK : cop__error(g->cx, COP_ARG, "training: no parameter matches layers=%s", b->all.layers);
}

/* Numbers by the names of weights, none of which the network has. */
static cop_status names_any(const cop_graph *g, const cop_rates *r, const char *option)
{
	bool found = !r->n;

	for (int32_t v = 1; !found && v <= g->n_value; v++)
		for (int32_t i = 0; !found && i < r->n && g->value[v].role >= COP_CONST && g->value[v].name; i++) found = cop__match(r->at[i].layers, g->value[v].name);
	return found ? COP_OK : cop__error(g->cx, COP_ARG, "training: %s=%s names no weight of '%s' (coppice inspect lists them)", option, r->at[0].layers, g->name);
}

/* A weight of which a part is wanted, and that is trained as a whole: the network was not made so. */
static cop_status parts_made(const cop_graph *g, const cop_build *b, const wrt *x)
{
	for (int i = 0; i < x->trained; i++) {
		const cop_value *w = &g->value[x->w[i]];
		if (w->type.rank > 1 && !cop__is_part(w->name) && cop__rate_of(&b->all.channels, w->name, 1) < 1)
			return cop__error(b->cx, COP_ARG, "training: channels= wants a part of a weight, and '%s' is whole: the network has to be made trainable with the same words first (in C: cop_graph_trainable)", w->name);
	}
	return COP_OK;
}

static cop_status find_wrt(wrt *x, cop_arena *mem, const cop_graph *g, const cop_build *b)
{
	size_t bytes = sizeof *x->w * (size_t)(g->n_value + b->n_gradient + 1);

	*x = (wrt){.w = cop__arena_get(mem, bytes), .at = cop__arena_get(mem, bytes), .dw = cop__arena_get(mem, bytes), .guard = cop__arena_get(mem, bytes)};
	if (!x->w || !x->at || !x->dw || !x->guard) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (cop__is_trained(g, b, (cop_vid)v)) x->w[x->n++] = (cop_vid)v;
	x->trained = x->n;
	COP_TRY(names_any(b->model, &b->all.rates, "rates"));
	COP_TRY(names_any(b->model, &b->all.channels, "channels"));
	COP_TRY(parts_made(g, b, x));
	for (int32_t i = 0; i < b->n_gradient; i++) {
		if (cop__follower(b->model, cop__find(b->model, b->gradient[i]), "rows"))
			return cop__error(b->cx, COP_ARG, "training: the whole gradient of '%s' is wanted, and of some of its rows alone it is computed", b->gradient[i]);
		x->w[x->n++] = cop__find(g, b->gradient[i]);
	}
	for (int i = 0; i < x->n; i++) x->at[i] = cop__read_as(g, x->w[i]);
	tell_of_bits(g);
	return untrainable(g, b, x->trained);
}

/* Scales every gradient by min(1, clip / norm of them all); updates then wait for the last gradient. */
static cop_status clip_all(cop_graph *g, float max, const wrt *x)
{
	cop_vid sum = 0;

	for (int i = 0; i < x->trained; i++) {
		if (!x->dw[i]) continue;
		cop_nid last = (cop_nid)g->n_node;
		cop_vid s = cop__apply(g, OP_sumsq, NULL, VIDS(x->dw[i]));
		cop__guard_since(g, last, x->guard[i]);
		s = cop__unskipped(g, s);
		sum = sum ? cop__apply(g, OP_add, &no_act, VIDS(sum, s)) : s;
	}
	cop_vid scale = sum ? cop__apply(g, OP_clip_norm, &(cop_clip_norm_attr){max}, VIDS(sum)) : 0;
	for (int i = 0; scale && i < x->trained; i++) {
		cop_nid last = (cop_nid)g->n_node;
		if (x->dw[i]) x->dw[i] = cop__apply(g, OP_mul, &no_act, VIDS(x->dw[i], scale));
		cop__guard_since(g, last, x->guard[i]);
	}
	return g->cx->code;
}

/* The gradient as the weight's form lets it through: the form that was asked for, or one that a follower of the weight speaks of. */
static cop_vid let_through(cop_graph *g, const cop_build *b, cop_vid w, cop_vid dw)
{
	for (int i = 0; cop_forms.row(i) && dw; i++) {
		const cop_form *form = (const cop_form *)(const void *)cop_forms.row(i);
		cop_formed f = {form, NULL, b->model, cop__find(b->model, g->value[w].name)};
		if (form->gradient && form->follower && cop__follower(g, w, form->follower)) dw = form->gradient(&f, g, w, dw);
	}
	return dw;
}

/* Of a vector with a list of rows: those numbers of its gradient. That of a matrix has been made of these rows alone. */
static cop_vid listed(cop_graph *g, cop_vid w, cop_vid dw)
{
	cop_vid list = cop__t(g, w)->rank == 1 ? cop__follower(g, w, "rows") : 0;

	if (!list || !dw) return dw;
	cop_vid at = cop__apply(g, OP_slice, &(cop_slice_attr){.from = {1}, .step = {1, 1, 1, 1, 1, 1}}, VIDS(list));
	return at ? cop__apply(g, OP_gather, &(cop_axis_attr){0}, VIDS(dw, at)) : 0;
}

/* The weights of the first and the last layer. */
typedef struct ends { const char *first, *last; } ends;

static ends ends_of(const cop_graph *m)
{
	ends e = {NULL, NULL};

	for (cop_nid n = 1; n <= (cop_nid)m->n_node; n++)
		for (int i = 0; i < m->node[n].n_in; i++) {
			const cop_value *w = &m->value[m->node[n].in[i]];
			if (w->role != COP_PARAM || w->type.rank < 2) continue;
			if (!e.first) e.first = w->name;
			e.last = w->name;
		}
	return e;
}

/* Is it that weight, or a latent of it? */
static bool is_of(const char *name, const char *weight)
{
	size_t len = weight ? strlen(weight) : 0;
	return weight && !strncmp(name, weight, len) && (!name[len] || name[len] == '.');
}

/* Refused: a list of rows for a rule that knows none. */
static cop_status rows_suit(const cop_graph *g, const cop_build *b, cop_vid w)
{
	const cop_update *rule = b->level.rule;

	if (rule->rows || !cop__follower(g, w, "rows")) return COP_OK;
	return cop__error(b->cx, COP_ARG, "training: '%s' has a list of rows that are trained, and %s changes whole weights: take sgd", g->value[w].name, rule->row.name);
}

/* What is not computed in this step changes nothing. */
static cop_status update_all(cop_graph *g, const cop_build *b, const wrt *x)
{
	const cop_tier *l = &b->level;
	const ends e = ends_of(b->model);
	cop_moving m = {x->w, x->dw, x->guard, cop__arena_get(&g->mem, sizeof *m.now * (size_t)(x->trained + 1)),
		cop__arena_get(&g->mem, sizeof *m.inner * (size_t)(x->trained + 1)), x->trained};

	if (!m.now || !m.inner) return COP_NOMEM;
	for (int i = 0; i < x->trained; i++) {
		cop_nid last = (cop_nid)g->n_node;
		COP_TRY(rows_suit(g, b, x->w[i]));
		if (x->dw[i] && cop__t(g, x->w[i])->dtype != COP_F32 && !l->rule->integers)
			return cop__error(b->cx, COP_ARG, "training: the rule '%s' moves floats, and '%s' holds integers; use qsgd", l->rule->row.name, g->value[x->w[i]].name);
		if (x->dw[i] && !(x->dw[i] = listed(g, x->w[i], let_through(g, b, x->w[i], x->dw[i])))) return code(g);
		cop__guard_since(g, last, x->guard[i]);
		const char *name = g->value[x->w[i]].name;
		m.inner[i] = !is_of(name, e.first) && !is_of(name, e.last);
	}
	if (b->all.clip > 0) COP_TRY(clip_all(g, b->all.clip, x));
	COP_TRY(cop__apply_tier(g, l, &m));
	cop_vid step = cop__find(g, "step");
	return step && !cop__apply(g, OP_count, NULL, VIDS(step)) ? code(g) : COP_OK;
}

/* Gradients into the states that keep them: of those trained, or of those alone that somebody asked for. */
static cop_status keep(cop_graph *g, const wrt *x, int from)
{
	for (int i = from; i < x->n; i++) {
		bool twice = false;
		for (int j = from; j < i; j++) twice |= x->w[j] == x->w[i];
		if (twice || !x->dw[i]) continue;
		cop_type t = *cop__t(g, x->dw[i]);
		cop_vid v = cop__follow(g, x->w[i], COP_STATE, COP_GRADIENT, &t, NULL), dw = cop__unskipped(g, x->dw[i]);
		if (!v || !dw || !cop__apply(g, OP_assign, NULL, VIDS(v, dw))) return code(g);
	}
	return COP_OK;
}

/* A graph of updates alone: parameters, their followers, and the gradients as GRADIENTS left them. */
static cop_status updates(cop_graph **out, const cop_graph *g, const cop_build *b, const wrt *x)
{
	cop_vid *map, step = cop__find(g, "step");

	COP_TRY(cop__copy_begin(out, g, &map));
	const size_t bytes = sizeof *map * (size_t)(x->trained + 1);
	wrt y = {.w = cop__arena_get(&(*out)->mem, bytes), .dw = cop__arena_get(&(*out)->mem, bytes),
		.guard = cop__arena_get(&(*out)->mem, bytes), .n = x->trained, .trained = x->trained};
	cop_status st = y.w && y.dw && y.guard ? COP_OK : COP_NOMEM;
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (((g->value[v].of && !g->value[v].producer && !g->value[g->value[v].of].producer) || cop__is_of_rule(&g->value[v])) && !cop__copy_value(*out, g, map, (cop_vid)v)) st = code(g);
	for (int i = 0; !st && i < x->trained; i++) {
		if (!(y.w[i] = cop__copy_value(*out, g, map, x->w[i]))) st = code(g);
		else if (x->dw[i] && !(y.dw[i] = cop__follow(*out, y.w[i], COP_STATE, COP_GRADIENT, cop__t(g, x->dw[i]), NULL))) st = code(g);
		else if (x->guard[i] && !(y.guard[i] = cop__copy_value(*out, g, map, x->guard[i]))) st = code(g);
	}
	if (!st && step && !cop__copy_value(*out, g, map, step)) st = code(g);
	if (!st) st = update_all(*out, b, &y);
	if (!st) st = cop__output(*out, cop__find(*out, "lr"), NULL);
	return cop__pass_end(out, st);
}

/* ---- without gradients ---- */

/* Leaves what moves by its gradient in x, and the rest in *w. */
static cop_status leave_moved(wrt *x, cop_vid *w, int *n_moved, const cop_graph *g, const cop_build *b)
{
	const cop_mezo *o = b->level.options;
	int n = 0;

	if (b->n_gradient || b->level.by) return cop__error(b->cx, COP_ARG, "training: %s has no gradients that could be kept, or from which a rate is learnt", b->level.rule->row.name);
	for (int i = 0; i < x->trained; i++) {
		const cop_value *v = &g->value[x->w[i]];
		COP_TRY(rows_suit(g, b, x->w[i]));
		if (v->type.dtype != COP_F32) return cop__error(b->cx, COP_ARG, "training: the rule '%s' moves floats, and '%s' holds integers; use qsgd", b->level.rule->row.name, v->name);
		if (*o->last && cop__match(o->last, v->name)) x->w[n++] = x->w[i];
		else w[(*n_moved)++] = x->w[i];
	}
	if (*o->last && !n) return cop__error(b->cx, COP_ARG, "training: last=%s of %s fits no weight that is trained", o->last, b->level.rule->row.name);
	x->n = x->trained = n;
	return COP_OK;
}

/* ---- all of it ---- */

/* 1 where the loss is finite, else 0: x - x is 0 or no number then, and nothing is above -1 but the first. */
static cop_vid is_finite(cop_graph *g, cop_vid loss)
{
	const float below = -1;
	const cop_type one = *cop__t(g, loss);
	cop_vid nothing = cop__apply(g, OP_sub, &no_act, VIDS(loss, loss)), least = nothing ? cop__data(g, COP_CONST, "guard.least", &one, &below) : 0;
	cop_vid both = least ? cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(least, nothing)) : 0;

	return both ? cop__apply(g, OP_argmax, &(cop_argmax_attr){0, 1, 0}, VIDS(both)) : 0;
}

/* Updates that are skipped while the guard reads 0. What a weight's own guard skips has that one. */
static cop_status guarded_updates(cop_graph *g, const cop_build *b, const wrt *x, cop_vid guard)
{
	const cop_nid last = (cop_nid)g->n_node;

	COP_TRY(update_all(g, b, x));
	for (cop_nid n = last + 1; guard && n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].guard) return cop__error(b->cx, COP_ARG, "training: guard=yes does not work beside what leaves layers out of a step");
		g->node[n].guard = guard;
	}
	return COP_OK;
}

/* The loss whose gradients are wanted, and the one that is told. guard: is that finite? It comes before all gradients, so that no update has to wait for it.
 * 0: nobody asks. */
typedef struct losses { cop_vid loss, said, guard; } losses;

static cop_status make_loss(losses *l, cop_graph *g, const cop_build *b)
{
	l->loss = l->said = loss_of(g, b);
	return l->loss ? COP_OK : code(g);
}

static cop_status make_guard(losses *l, cop_graph *g, const cop_build *b, cop_part part)
{
	if (b->all.guard && part == COP_PART_STEP && !(l->guard = is_finite(g, l->said))) return code(g);
	return COP_OK;
}

/* The graph of one run becomes that of two. */
static cop_status run_twice(cop_zeroth *z, cop_graph **g, wrt *x, losses *l, cop_arena *mem)
{
	cop_vid *w = cop__arena_get(mem, sizeof *w * (size_t)(x->trained + 1)), *map = NULL;

	if (!w) return COP_NOMEM;
	z->w = w, z->loss = l->loss;
	COP_TRY(leave_moved(x, w, &z->n, *g, z->b));
	cop_status st = cop__zeroth_runs(z, *g, &map);
	if (st) return cop_graph_free(z->g), st;
	for (int i = 0; i < x->n; i++) x->w[i] = x->at[i] = map[x->w[i]];
	*l = (losses){.loss = z->down, .said = z->said};
	cop_graph_free(*g);
	*g = z->g;
	return COP_OK;
}

/* The same graph, with what is kept between its passes in fewer bytes. */
static cop_status keep_less(cop_graph **g, const cop_build *b, cop_nid forward, wrt *x, losses *l)
{
	cop_graph *was = *g;
	cop_vid *map;

	if (b->all.saved == COP_SAVED_FLOAT) return COP_OK;
	cop_status st = cop__keep_less(g, was, forward, (enum cop_saved)b->all.saved, &map);
	for (int i = 0; !st && i < x->n; i++) {
		if (!(x->w[i] = cop__copy_value(*g, was, map, x->w[i]))) st = code(*g);
		x->dw[i] = map[x->dw[i]];
	}
	if (!st) *l = (losses){map[l->loss], map[l->said], map[l->guard]};
	cop_graph_free(was);
	return st;
}

static cop_status finish(cop_graph **out, cop_graph *g, const cop_build *b, cop_part part, const wrt *x, const losses *l, cop_zeroth *z)
{
	if (part == COP_PART_UPDATE) return updates(out, g, b, x);
	COP_TRY(keep(g, x, part == COP_PART_STEP ? x->trained : 0));
	if (z->g) COP_TRY(cop__zeroth_move(z, l->guard));
	if (part == COP_PART_STEP) COP_TRY(guarded_updates(g, b, x, l->guard));
	COP_TRY(cop__output(g, l->said, "loss"));
	COP_TRY(cop__pass_dce(out, g));
	return more_states(*out, b);
}

cop_status cop__build_graph(cop_graph **out, cop_build *b, cop_part part)
{
	cop_graph *g = NULL;
	cop_arena mem;
	losses l = {0};
	wrt x = {0};
	cop_zeroth z = {.b = b};

	*out = NULL;
	if (part == COP_PART_EXPRESS) return express(b) ? b->cx->code : expressions(out, b);
	if (!b->level.rule) return cop__error(b->cx, COP_ARG, "training: there is no rule of updates");
	const bool zeroth = b->level.rule->zeroth;
	if (zeroth && b->all.saved) return cop__error(b->cx, COP_ARG, "training: %s keeps nothing for a way back, so saved= has nothing to do", b->level.rule->row.name);
	if (zeroth && part != COP_PART_STEP) return cop__error(b->cx, COP_ARG, "training: %s has no gradients apart from its updates", b->level.rule->row.name);
	cop__arena_init(&mem, b->cx);
	cop_status st = forward(&g, b);
	if (!st) st = make_loss(&l, g, b);
	if (!st) st = find_wrt(&x, &mem, g, b);
	if (!st && zeroth) st = run_twice(&z, &g, &x, &l, &mem);
	if (!st) st = make_guard(&l, g, b, part);
	const cop_nid last = st ? 0 : (cop_nid)g->n_node;
	if (!st && x.n) st = cop__differentiate(g, l.loss, x.n, x.at, x.dw);
	if (!st && x.n) st = keep_less(&g, b, last, &x, &l);
	if (!st) tell_of_integers(g, &x);
	for (int i = 0; !st && i < x.n; i++) x.guard[i] = x.dw[i] && g->value[x.dw[i]].producer ? g->node[g->value[x.dw[i]].producer].guard : 0;
	if (!st) st = finish(out, g, b, part, &x, &l, &z);
	if (!st) st = cop_graph_verify(*out);
	cop__arena_free(&mem);
	cop_graph_free(g);
	return cop__pass_end(out, st);
}
