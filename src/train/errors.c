/* SPDX-License-Identifier: Apache-2.0
 *
 * errors - the gradients of activations of int8 layers as bytes with one unit each (kernel/qerr.h), errors=int8 in the options of a training. A step over
 * the finished training graph: what the rows of int8 operators have appended in floats is rewritten in bytes, from the last int8 layer back to the first
 * that is trained.
 *
 *   qback      qerr_back     qconv_dx   qerr_dx       add      qerr_add        sum_to, of a bias   qerr_sum
 *   qconv_dw   the same of bytes, times their unit    avgpool_grad of a whole image   the bytes repeated
 *
 * The gradient comes in from a last layer of floats, and becomes bytes where it is smallest. What else reads an error gets it as floats.
 */
#include "op/axes.h"
#include "op/qtrain.h"
#include "train/store.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

/* By value of the old graph. */
typedef struct errors {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	cop_nid forward;       /* the last node of the forward pass */
	int32_t round;
	bool *bytes;           /* its node is rewritten in bytes */
	bool *as_bytes, *as_floats; /* is it read so? */
	cop_nid *back;         /* of what qconv_dx gives: the qback that alone reads it; 0: none, or there is more */
	cop_vid *code, *unit;  /* of the new graph */
} errors;

/* ---- which ---- */

/* One window as large as the image. */
static bool is_of_image(const cop_graph *g, cop_nid n)
{
	const cop_type *dy = cop__in(g, n, 0);
	COP_ATTR(cop_pool_grad_attr, a, g, n);

	return dy->dim[1] == 1 && dy->dim[2] == 1 && a.p.kh == a.h && a.p.kw == a.w && !a.p.pt && !a.p.pl;
}

static bool is_bias(const cop_graph *g, cop_nid n)
{
	const cop_type *x = cop__in(g, n, 0), *y = cop__outt(g, n, 0);
	return y->rank == 1 && x->rank && y->dim[0] == x->dim[x->rank - 1];
}

static bool is_error(const errors *s, cop_vid v) { return v && s->bytes[v]; }

/* Does node n give an error as bytes? */
static bool gives(const errors *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];

	switch (d->op) {
	case OP_qconv_dx: return true;
	case OP_qback: return d->in[2] || is_error(s, d->in[0]);
	case OP_add: return (is_error(s, d->in[0]) || is_error(s, d->in[1])) && cop__same_shape(cop__in(s->g, n, 0), cop__in(s->g, n, 1));
	case OP_avgpool_grad: return s->as_bytes[d->out[0]] && is_of_image(s->g, n);
	case OP_reshape: return is_error(s, d->in[0]);
	default: return false;
	}
}

/* Does it take its input i as bytes? */
static bool takes(const errors *s, cop_nid n, int i)
{
	const cop_node *d = &s->g->node[n];

	if (is_error(s, d->out[0])) return i == 0 || (i == 1 && d->op == OP_add);
	return i == 0 && is_error(s, d->in[0]) && (d->op == OP_qconv_dw || (d->op == OP_sum_to && is_bias(s->g, n)));
}

/* What int8 layers want before it is known what they get: from the last node to the first. */
static void want(errors *s)
{
	for (cop_nid n = (cop_nid)s->g->n_node; n > s->forward; n--) {
		const cop_node *d = &s->g->node[n];
		if (d->op == OP_qconv_dx || (d->op == OP_qback && d->in[2]) || (d->op == OP_reshape && s->as_bytes[d->out[0]])) s->as_bytes[d->in[0]] = true;
	}
}

static void find_backs(errors *s)
{
	for (int pass = 0; pass < 2; pass++)
		for (cop_nid n = s->forward + 1; n <= (cop_nid)s->g->n_node; n++)
			for (int i = 0; i < s->g->node[n].n_in; i++) {
				const cop_vid v = s->g->node[n].in[i];
				const cop_nid from = s->g->value[v].producer;
				if (!v || !from || s->g->node[from].op != OP_qconv_dx) continue;
				const bool fits = s->g->node[n].op == OP_qback && !i && s->g->node[n].guard == s->g->node[from].guard;
				if (!pass && fits) s->back[v] = n;
				else if (s->back[v] != n) s->back[v] = 0;
			}
}

static cop_status look(errors *s)
{
	const size_t n = (size_t)s->g->n_value + 1;
	bool **const flag[] = {&s->bytes, &s->as_bytes, &s->as_floats};
	cop_vid **const value[] = {&s->code, &s->unit, &s->back};

	for (int i = 0; i < LEN(flag); i++)
		if (!(*flag[i] = cop__arena_get(&s->out->mem, n))) return COP_NOMEM;
	for (int i = 0; i < LEN(value); i++)
		if (!(*value[i] = cop__arena_get(&s->out->mem, n * sizeof **value[i]))) return COP_NOMEM;
	want(s);
	for (cop_nid m = s->forward + 1; m <= (cop_nid)s->g->n_node; m++) s->bytes[s->g->node[m].out[0]] = gives(s, m);
	memset(s->as_bytes, 0, n);
	for (cop_nid m = s->forward + 1; m <= (cop_nid)s->g->n_node; m++)
		for (int i = 0; i < s->g->node[m].n_in; i++) (takes(s, m, i) ? s->as_bytes : s->as_floats)[s->g->node[m].in[i]] = true;
	find_backs(s);
	for (int32_t i = 0; i < s->g->n_output; i++) s->as_floats[s->g->output[i]] = true;
	return COP_OK;
}

/* ---- rewritten ---- */

/* The two results of a node. */
static cop_status put(errors *s, cop_vid v, int op, const void *attr, int n_in, const cop_vid *in)
{
	const cop_nid n = cop__node(s->out, op, attr, n_in, in);

	if (!n) return cop__failed(s->out->cx);
	s->code[v] = cop__res(s->out, n, 0), s->unit[v] = cop__res(s->out, n, 1);
	return COP_OK;
}

/* Factors as integers, 2^31 for the largest of them, *by. */
static cop_vid whole_factors(errors *s, cop_vid scale, float *by)
{
	const float *real = cop__floats(s->g, scale);
	const cop_type t = cop__type(COP_I32, 1, cop__t(s->g, scale)->dim);
	char name[COP_FOLLOWER];
	double most = 0;

	if (!real) return cop__error(s->g->cx, COP_ARG, "training: errors=int8: the factors '%s' are not known", s->g->value[scale].name), 0;
	if (cop__follower_name(name, s->g->cx, s->g->value[scale].name, "whole")) return 0;
	for (int32_t i = 0; i < t.dim[0]; i++) most = COP_MAX(most, (double)real[i]);
	*by = (float)most;
	cop_vid v = cop__find(s->out, name);
	int32_t *to = v || !(v = cop__data(s->out, COP_CONST, name, &t, NULL)) ? NULL : cop__own(s->out, v);
	for (int32_t i = 0; to && i < t.dim[0]; i++) to[i] = most > 0 ? (int32_t)COP_MIN((double)real[i] / most * 0x1p31, 0x1p31 - 1) : 0;
	return v;
}

/* What a qback wants: factors, if there are several, bits, and what all is multiplied by. */
typedef struct through { cop_vid m, in; float by; } through;

static cop_status through_of(errors *s, const cop_node *d, through *t)
{
	*t = (through){.by = 1, .in = d->in[2] ? s->map[d->in[2]] : 0};
	if (cop__t(s->g, d->in[1])->dim[0] > 1) return (t->m = whole_factors(s, d->in[1], &t->by)) ? COP_OK : cop__failed(s->g->cx);
	const float *real = cop__floats(s->g, d->in[1]);
	if (!real) return cop__error(s->g->cx, COP_ARG, "training: errors=int8: the factor '%s' is not known", s->g->value[d->in[1]].name);
	t->by = *real;
	return COP_OK;
}

/* The qback through which alone the error of v goes on; 0: there is none. */
static cop_nid only_back(const errors *s, cop_vid v) { return s->as_floats[v] ? 0 : s->back[v]; }

/* qconv_dx, and the qback behind it, whose result it is then: v. */
static cop_status to_input(errors *s, const cop_node *d, cop_vid v, const through *t)
{
	cop_qerr_dx_attr a = {.by = t->by, .round = s->round};
	const cop_vid w = cop__copy_value(s->out, s->g, s->map, d->in[1]), e = d->in[0];

	memcpy(&a.d, d->attr, sizeof a.d);
	return w ? put(s, v, OP_qerr_dx, &a, VIDS(s->code[e], w, s->unit[e], t->m, t->in)) : cop__failed(s->g->cx);
}

static cop_status back(errors *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_vid dy = d->in[0];
	through t;

	COP_TRY(through_of(s, d, &t));
	if (only_back(s, dy) == n) return to_input(s, &s->g->node[s->g->value[dy].producer], d->out[0], &t);
	return put(s, d->out[0], OP_qerr_back, &(cop_qerr_back_attr){t.by, s->round}, VIDS(s->code[dy], s->unit[dy], t.m, t.in));
}

/* The same bytes, which another unit may belong to. */
static cop_status same(errors *s, cop_vid v, cop_vid code, cop_vid unit)
{
	s->code[v] = code, s->unit[v] = unit;
	return code && unit ? COP_OK : cop__failed(s->out->cx);
}

static cop_vid scaled(errors *s, cop_vid v, cop_vid by) { return cop__apply(s->out, OP_mul, &no_act, VIDS(v, by)); }

/* The same to every pixel of the image; of a sum the factor stands before it. */
static cop_status repeat(errors *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_type *x = cop__outt(s->g, n, 0);
	const float share = 1.0f / (float)(x->dim[1] * x->dim[2]);
	cop_shape_attr to = {.rank = 4};
	char name[40];

	memcpy(to.dim, x->dim, sizeof to.dim);
	cop__format(name, sizeof name, "q.%.9g", (double)share);
	const cop_vid code = cop__apply(s->out, OP_expand, &to, VIDS(s->code[d->in[0]])), by = code ? cop__scalar(s->out, name, share) : 0;
	return same(s, d->out[0], code, by ? scaled(s, s->unit[d->in[0]], by) : 0);
}

static cop_status again(errors *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_vid a = d->in[0], b = d->n_in > 1 ? d->in[1] : 0;

	switch (d->op) {
	case OP_qback: return back(s, n);
	case OP_qconv_dx: return only_back(s, d->out[0]) ? COP_OK : to_input(s, d, d->out[0], &(through){.by = 1});
	case OP_add: return put(s, d->out[0], OP_qerr_add, &(cop_qerr_attr){s->round}, VIDS(s->code[a], s->unit[a], s->code[b], s->unit[b]));
	case OP_avgpool_grad: return repeat(s, n);
	default: return same(s, d->out[0], cop__apply(s->out, d->op, d->attr, VIDS(s->code[a])), s->unit[a]);
	}
}

/* Gradients of parameters, which are floats. */
static cop_status gradient(errors *s, const cop_node *d)
{
	const cop_vid e = d->in[0];
	cop_vid y = 0;

	if (d->op == OP_sum_to) y = cop__apply(s->out, OP_qerr_sum, NULL, VIDS(s->code[e], s->unit[e]));
	else if ((y = cop__apply(s->out, d->op, d->attr, VIDS(s->code[e], s->map[d->in[1]])))) y = scaled(s, y, s->unit[e]);
	if (y) cop__map_to(s->out, s->g, s->map, d->out[0], y);
	return y ? COP_OK : cop__failed(s->out->cx);
}

/* What node n gave, in the other form where somebody reads it so. */
static cop_status other_form(errors *s, cop_vid v)
{
	if (!v || s->g->value[v].type.dtype != COP_F32) return COP_OK;
	if (!s->bytes[v]) return s->as_bytes[v] ? put(s, v, OP_qerr, &(cop_qerr_attr){s->round}, VIDS(s->map[v])) : COP_OK;
	if (!s->as_floats[v]) return COP_OK;
	const cop_vid real = cop__apply(s->out, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(s->code[v])), y = real ? scaled(s, real, s->unit[v]) : 0;
	if (y) cop__map_to(s->out, s->g, s->map, v, y);
	return y ? COP_OK : cop__failed(s->out->cx);
}

static cop_status copy(errors *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_nid last = (cop_nid)s->out->n_node;

	if (n <= s->forward) return cop__copy_node(s->out, s->g, s->map, n);
	if (is_error(s, d->out[0])) COP_TRY(again(s, n));
	else COP_TRY(takes(s, n, 0) ? gradient(s, d) : cop__copy_node(s->out, s->g, s->map, n));
	for (int i = 0; i < COP_MAX_OUT; i++) COP_TRY(other_form(s, d->out[i]));
	cop__guard_since(s->out, last, s->map[d->guard]);
	return COP_OK;
}

/* Is there one? */
static bool any(const errors *s)
{
	for (int32_t v = 1; v <= s->g->n_value; v++)
		if (s->bytes[v]) return true;
	return false;
}

cop_status cop__errors_as_bytes(cop_graph **out, const cop_graph *g, cop_nid forward, int32_t round, cop_vid **map)
{
	errors s = {.g = g, .forward = forward, .round = round};

	COP_TRY(cop__copy_begin(out, g, map));
	s.out = *out, s.map = *map;
	cop_status st = look(&s);
	if (!st && !any(&s)) st = cop__error(g->cx, COP_ARG, "training: errors=int8 is for networks of int8 layers, and no gradient goes through one here");
	if (!st) st = cop__copy_inputs(*out, g, s.map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = copy(&s, n);
	if (!st) st = cop__copy_rest(*out, g, s.map);
	return cop__pass_end(out, st);
}
