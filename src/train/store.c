/* SPDX-License-Identifier: Apache-2.0
 *
 * store - what the backward pass reads of the forward pass is kept in fewer bytes, saved= in the options of a training.
 *
 *   exact      What batch norm or a smooth function gave out is computed again where it is read: what it is computed from waits for their own gradients
 *              anyway. So are sums of such values. Of what a clip gave out a bit a number is kept, for where it cut off. All gradients have the bits that they would have.
 *   int8       What else a layer has read, sums too, is kept as bytes, by a step for each sample: only gradients of weights read it.
 *   int8-all   So is what batch norm and smooth functions read. Then gradients of values, and so those of the layers before, are no longer exact.
 *
 * A value of which something else is read behind the forward pass stays as it is, since it would lie there twice.
 */
#include "op/axes.h"
#include "plan/plan.h"
#include "train/store.h"

enum { DEPTH = 4 }; /* of operators that are computed again one from the other: sums along shortcuts */

/* By value of the old graph: who reads it behind the forward pass, and what becomes of it. */
typedef struct store {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	cop_nid forward;       /* the last node of the forward pass */
	enum cop_saved how;
	bool *weight, *slope;  /* the gradient of a weight; of a function */
	bool *floats;          /* anything else, as floats; by base, since views share their bytes */
	cop_nid *clip;         /* this clip_grad, for where it cut off */
	int32_t *level;        /* 0: it is kept; else of how many operators, one behind the other, it is made again; LOST: it is not there */
	cop_vid *code, *step, *within; /* of the new graph */
} store;

enum { LOST = -1 };

/* Does node n read its input i for the gradient of a weight? */
static bool for_weight(const cop_graph *g, cop_nid n, int i) { return i == 1 && (g->node[n].op == OP_conv_dw || g->node[n].op == OP_fc_dw); }

/* Or for that of a function whose slope depends on it? */
static bool for_slope(const cop_graph *g, cop_nid n, int i)
{
	switch (i == 1 ? g->node[n].op : OP_none) {
	case OP_bn_gsum: case OP_bn_grad: case OP_gelu_grad: case OP_hswish_grad: case OP_sigmoid_grad: case OP_tanh_grad: return true;
	default: return false;
	}
}

/* For where a clip cut off? One value has one clip. */
static bool for_clip(const store *s, cop_nid n, int i)
{
	const cop_node *d = &s->g->node[n];
	const cop_nid other = s->clip[d->in[i]];

	return i == 1 && d->op == OP_clip_grad && d->in[0] != d->in[1] && (!other || !memcmp(s->g->node[other].attr, d->attr, sizeof(cop_act_attr)));
}

static bool can_store(const store *s, cop_vid v)
{
	const cop_value *x = &s->g->value[v];

	return x->type.dtype == COP_F32 && x->type.rank > 0 && (x->role == COP_TEMP || x->role == COP_INPUT) && (!x->producer || x->producer <= s->forward);
}

static void look_at(store *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];

	for (int i = 0; i < d->n_in; i++) {
		const cop_vid v = d->in[i];
		if (!v) continue;
		if (can_store(s, v) && for_weight(s->g, n, i)) s->weight[v] = true;
		else if (can_store(s, v) && for_slope(s->g, n, i)) s->slope[v] = true;
		else if (can_store(s, v) && for_clip(s, n, i)) s->clip[v] = n;
		else s->floats[cop__base(s->g, v)] = true;
	}
}

/* How many operands are values that the result of such a node is made of, element by element; 0: it is not made again. */
static int operands(const store *s, int op)
{
	switch (op) {
	case OP_bn_norm: case OP_gelu: case OP_hswish: return 1;
	case OP_add: return s->how == COP_SAVED_EXACT ? 2 : 0; /* else a byte takes less than two floats for a moment */
	default: return 0;
	}
}

/* LOST where an operand is, or there are too many one behind the other. */
static int32_t level_of(const store *s, cop_vid v)
{
	const cop_nid n = s->g->value[v].producer;
	const int count = n && n <= s->forward ? operands(s, s->g->node[n].op) : 0;
	int32_t level = 0;

	for (int i = 0; i < count; i++) {
		const cop_vid x = cop__arg(s->g, n, i);
		if (s->level[x] == LOST || !cop__same_shape(cop__t(s->g, x), cop__t(s->g, v))) return LOST;
		level = COP_MAX(level, s->level[x]);
	}
	return count && level < DEPTH ? level + 1 : LOST;
}

/* In the order of values: those that v is made of come before it. */
static void decide(store *s, cop_vid v)
{
	const bool wanted = s->weight[v] || s->slope[v], bytes = s->how == COP_SAVED_ALL || (s->how == COP_SAVED_INT8 && !s->slope[v]);
	bool *floats = &s->floats[cop__base(s->g, v)];

	s->level[v] = 0;
	if (*floats || (s->g->value[v].role != COP_TEMP && !wanted)) return;
	s->level[v] = level_of(s, v);
	if (s->level[v] != LOST || !wanted) return;
	s->level[v] = 0;
	if (!bytes) *floats = true;
}

static bool is_stored(const store *s, cop_vid v) { return (s->weight[v] || s->slope[v] || s->clip[v]) && !s->floats[cop__base(s->g, v)]; }

/* Known to be 0 or more: it has a byte's whole range to itself then. */
static bool never_negative(const cop_graph *g, cop_vid v)
{
	for (cop_nid n; (n = g->value[v].producer); v = cop__arg(g, n, 0)) {
		float lo, hi;
		if (cop__op(g, n)->flags & COP_OP_ACT) return cop__act_get(g, n, &lo, &hi), lo >= 0;
		if (g->node[n].op != OP_maxpool && g->node[n].op != OP_avgpool && g->node[n].op != OP_reshape) return false;
	}
	return false;
}

static cop_status put_away(store *s, cop_vid v)
{
	const cop_vid now = s->map[v];
	const cop_pack8_attr how = {never_negative(s->g, v) ? -128 : 0};

	if ((s->weight[v] || s->slope[v]) && !s->level[v]) {
		const cop_nid n = cop__node(s->out, OP_pack8, &how, VIDS(now));
		if (!n) return cop__failed(s->out->cx);
		s->code[v] = cop__res(s->out, n, 0), s->step[v] = cop__res(s->out, n, 1);
	}
	if (s->clip[v] && !(s->within[v] = cop__apply(s->out, OP_within, s->g->node[s->clip[v]].attr, VIDS(now)))) return cop__failed(s->out->cx);
	return COP_OK;
}

/* What node n has made, right behind it; or the inputs, n 0. */
static cop_status put_results_away(store *s, cop_nid n)
{
	const cop_nid last = (cop_nid)s->out->n_node;

	for (int i = 0; i < (n ? COP_MAX_OUT : s->g->n_input); i++) {
		const cop_vid v = n ? s->g->node[n].out[i] : s->g->input[i];
		if (v && is_stored(s, v)) COP_TRY(put_away(s, v));
	}
	cop__guard_since(s->out, last, n ? s->map[s->g->node[n].guard] : 0);
	return COP_OK;
}

/* clip_grad: what comes back passes where there is a bit. */
static cop_status by_bits(store *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_vid y = cop__apply(s->out, OP_qback, NULL, VIDS(s->map[d->in[0]], cop__scalar(s->out, "saved.one", 1), s->within[d->in[1]]));

	if (!y) return cop__failed(s->out->cx);
	cop__map_to(s->out, s->g, s->map, d->out[0], y);
	return COP_OK;
}

/* The value as the backward pass reads it, made for one reader alone. */
static cop_vid brought_back(store *s, cop_vid v)
{
	const cop_pack8_attr how = {never_negative(s->g, v) ? -128 : 0};
	const cop_node *d = &s->g->node[s->g->value[v].producer];
	cop_vid in[COP_MAX_IN] = {0};

	if (s->code[v]) return cop__apply(s->out, OP_unpack8, &how, VIDS(s->code[v], s->step[v]));
	if (s->floats[cop__base(s->g, v)] || s->level[v] < 1) return s->map[v];
	for (int i = 0; i < d->n_in; i++)
		if (!(in[i] = i < operands(s, d->op) ? brought_back(s, d->in[i]) : s->map[d->in[i]])) return 0;
	return cop__apply(s->out, d->op, d->attr, d->n_in, in);
}

static cop_status with_value(store *s, cop_nid n)
{
	const cop_vid v = s->g->node[n].in[1], kept = s->map[v];

	if (!(s->map[v] = brought_back(s, v))) return cop__failed(s->out->cx);
	COP_TRY(cop__copy_node(s->out, s->g, s->map, n));
	s->map[v] = kept;
	return COP_OK;
}

static cop_status copy(store *s, cop_nid n)
{
	const cop_node *d = &s->g->node[n];
	const cop_nid last = (cop_nid)s->out->n_node;
	const bool stored = n > s->forward && d->n_in > 1 && d->in[1] && is_stored(s, d->in[1]);

	if (!stored) COP_TRY(cop__copy_node(s->out, s->g, s->map, n));
	else COP_TRY(d->op == OP_clip_grad ? by_bits(s, n) : with_value(s, n));
	if (stored) cop__guard_since(s->out, last, s->map[d->guard]);
	return n <= s->forward ? put_results_away(s, n) : COP_OK;
}

static cop_status look(store *s)
{
	const size_t n = (size_t)s->g->n_value + 1;
	bool **const flag[] = {&s->weight, &s->slope, &s->floats};
	cop_vid **const value[] = {&s->clip, &s->code, &s->step, &s->within};

	for (int i = 0; i < LEN(flag); i++)
		if (!(*flag[i] = cop__arena_get(&s->out->mem, n))) return COP_NOMEM;
	if (!(s->level = cop__arena_get(&s->out->mem, n * sizeof *s->level))) return COP_NOMEM;
	for (int i = 0; i < LEN(value); i++)
		if (!(*value[i] = cop__arena_get(&s->out->mem, n * sizeof **value[i]))) return COP_NOMEM;
	for (cop_nid m = s->forward + 1; m <= (cop_nid)s->g->n_node; m++) look_at(s, m);
	for (int32_t i = 0; i < s->g->n_output; i++) s->floats[cop__base(s->g, s->g->output[i])] = true;
	for (int32_t v = 1; v <= s->g->n_value; v++) decide(s, (cop_vid)v);
	return COP_OK;
}

cop_status cop__keep_less(cop_graph **out, const cop_graph *g, cop_nid forward, enum cop_saved how, cop_vid **map)
{
	store s = {.g = g, .forward = forward, .how = how};

	COP_TRY(cop__copy_begin(out, g, map));
	s.out = *out, s.map = *map;
	cop_status st = look(&s);
	if (!st) st = cop__copy_inputs(*out, g, s.map);
	if (!st) st = put_results_away(&s, 0);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = copy(&s, n);
	if (!st) st = cop__copy_rest(*out, g, s.map);
	return cop__pass_end(out, st);
}
