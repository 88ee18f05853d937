/* SPDX-License-Identifier: Apache-2.0
 *
 * store - what the backward pass reads of the forward pass is kept in fewer bytes, saved= in the options of a training. What a layer has read is
 * wanted again for the gradient of its weight: as bytes, by a step for each sample. What a clip gave out is wanted for where it cut off: a bit each.
 * With `all` what batch norm and smooth functions want is kept as bytes, too. Then gradients of values, and so those of the layers before, are no longer exact.
 *
 * A value of which something else is read behind the forward pass stays as it is, since it would lie there twice.
 */
#include "op/axes.h"
#include "plan/plan.h"
#include "train/store.h"

/* By value of the old graph: wanted as bytes, as bits between bounds (of clip node `clip`), as floats (by base: views share their bytes). */
typedef struct store {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	cop_nid forward;     /* the last node of the forward pass */
	bool all;
	bool *bytes, *floats;
	cop_nid *clip;
	cop_vid *code, *step, *within; /* of the new graph */
} store;

/* Does node n read its input i for the gradient of a weight, or of a function whose slope depends on it? */
static bool reads_bytes(const store *s, cop_nid n, int i)
{
	switch (i == 1 ? s->g->node[n].op : OP_none) {
	case OP_conv_dw: case OP_fc_dw: return true;
	case OP_bn_gsum: case OP_bn_grad: case OP_gelu_grad: case OP_hswish_grad: case OP_sigmoid_grad: case OP_tanh_grad: return s->all;
	default: return false;
	}
}

/* For where a clip cut off? One value has one clip. */
static bool reads_bits(const store *s, cop_nid n, int i)
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
		if (can_store(s, v) && reads_bytes(s, n, i)) s->bytes[v] = true;
		else if (can_store(s, v) && reads_bits(s, n, i)) s->clip[v] = n;
		else s->floats[cop__base(s->g, v)] = true;
	}
}

static bool is_stored(const store *s, cop_vid v) { return (s->bytes[v] || s->clip[v]) && !s->floats[cop__base(s->g, v)]; }

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

	if (s->bytes[v]) {
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

/* The node reads what the bytes stand for, which is there for it alone. */
static cop_status by_bytes(store *s, cop_nid n)
{
	const cop_vid v = s->g->node[n].in[1], kept = s->map[v];
	const cop_pack8_attr how = {never_negative(s->g, v) ? -128 : 0};

	if (!(s->map[v] = cop__apply(s->out, OP_unpack8, &how, VIDS(s->code[v], s->step[v])))) return cop__failed(s->out->cx);
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
	else COP_TRY(reads_bytes(s, n, 1) ? by_bytes(s, n) : by_bits(s, n));
	if (stored) cop__guard_since(s->out, last, s->map[d->guard]);
	return n <= s->forward ? put_results_away(s, n) : COP_OK;
}

static cop_status look(store *s)
{
	const size_t n = (size_t)s->g->n_value + 1;
	cop_arena *mem = &s->out->mem;

	s->bytes = cop__arena_get(mem, n), s->floats = cop__arena_get(mem, n);
	s->clip = cop__arena_get(mem, n * sizeof *s->clip), s->code = cop__arena_get(mem, n * sizeof *s->code);
	s->step = cop__arena_get(mem, n * sizeof *s->step), s->within = cop__arena_get(mem, n * sizeof *s->within);
	if (!s->bytes || !s->floats || !s->clip || !s->code || !s->step || !s->within) return COP_NOMEM;
	for (cop_nid m = s->forward + 1; m <= (cop_nid)s->g->n_node; m++) look_at(s, m);
	for (int32_t i = 0; i < s->g->n_output; i++) s->floats[cop__base(s->g, s->g->output[i])] = true;
	return COP_OK;
}

cop_status cop__keep_less(cop_graph **out, const cop_graph *g, cop_nid forward, bool all, cop_vid **map)
{
	store s = {.g = g, .forward = forward, .all = all};

	COP_TRY(cop__copy_begin(out, g, map));
	s.out = *out, s.map = *map;
	cop_status st = look(&s);
	if (!st) st = cop__copy_inputs(*out, g, s.map);
	if (!st) st = put_results_away(&s, 0);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = copy(&s, n);
	if (!st) st = cop__copy_rest(*out, g, s.map);
	return cop__pass_end(out, st);
}
