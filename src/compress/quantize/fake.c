/* SPDX-License-Identifier: Apache-2.0
 *
 * fake - see fake.h. Which values are integers the lowering itself says, so that training rounds what the integer
 * network rounds and nothing else.
 */
#include "compress/quantize/fake.h"
#include "op/axes.h"

#include <stdio.h>

typedef struct faker {
	cop_quantizer *z;
	const cop_faking *how;
	const bool *integer; /* [n_value+1] of z->g */
	const cop_block *block; /* NULL: the whole network */
	float drop;
	cop_graph *out;
	cop_vid *map;
} faker;

/* ---- into floats that round ---- */

/* Is the range one that the function has by itself, or the input's? */
static bool is_given(const cop_graph *g, cop_vid v)
{
	cop_nid n = g->value[v].producer;
	int op = n ? g->node[n].op : OP_none;
	return !n || op == OP_sigmoid || op == OP_tanh || op == OP_softmax;
}

/* "conv1.w" and "step", or "v12" where the value has no name of its own. */
static void called(char name[128], const faker *f, cop_vid v, const char *what)
{
	const char *own = f->z->g->value[v].name;

	if (own) snprintf(name, 128, "%.100s.%s", own, what);
	else snprintf(name, 128, "v%u.%s", v, what);
}

typedef struct summed {
	int n;
	cop_vid v[4];
} summed; /* what a value is the sum of, as fakequant takes it (kernel/factor.h); n = 0: nothing is known */

static cop_vid rounded_from(const faker *f, cop_vid x, cop_vid p, const cop_fakequant_attr *a, const summed *s)
{
	cop_vid in[6] = {x, p};

	memcpy(in + 2, s->v, sizeof s->v);
	return x && p ? cop__apply(f->out, OP_fakequant, a, 2 + s->n, in) : 0;
}

static cop_vid rounded(const faker *f, cop_vid x, cop_vid p, const cop_fakequant_attr *a)
{
	return rounded_from(f, x, p, a, &(summed){0});
}

/* x or q, by chance: x + (1 - p) (q - x) / (1 - p) where q is drawn. The gradient goes the same way. */
static cop_vid dropped(const faker *f, cop_vid x, cop_vid q, cop_vid v)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_type one = cop__type(COP_I32, 1, DIMS(1));
	const cop_dropout_attr a = {f->drop, (int32_t)f->z->a->seed, (int32_t)v};
	cop_vid step = cop__find(f->out, "drop.step"), kept = cop__find(f->out, "drop.kept");

	if (f->drop <= 0 || f->drop >= 1) return f->drop <= 0 ? q : x;
	if (!step) step = cop__data(f->out, COP_STATE, "drop.step", &one, NULL);
	if (!kept) kept = cop__scalar(f->out, "drop.kept", 1 - f->drop);
	cop_vid part = cop__apply(f->out, OP_dropout, &a, VIDS(cop__apply(f->out, OP_sub, &none, VIDS(q, x)), step));
	return cop__apply(f->out, OP_add, &none, VIDS(x, cop__apply(f->out, OP_mul, &none, VIDS(part, kept))));
}

static float least_of(const float *scale, int32_t n)
{
	float least = scale[0];

	for (int32_t i = 1; i < n; i++) least = fminf(least, scale[i]);
	return least;
}

/* A value whose range is another's, as operands of a concat have its result's, shares its step. */
static cop_vid owner_of(const faker *f, cop_vid v)
{
	const cop_graph *g = f->z->g;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; g->node[n].op == OP_concat && i < g->node[n].n_in; i++)
			if (g->node[n].in[i] == v &&
			        !memcmp(&f->z->act[v], &f->z->act[cop__res(g, n, 0)], sizeof(cop_qrange)))
				return owner_of(f, cop__res(g, n, 0));
	return v;
}

static bool moves_zero(const faker *f, cop_vid owner)
{
	const cop_qrange *r = &f->z->act[owner];
	return !is_given(f->z->g, owner) && r->zero > r->lo && !f->z->a->symmetric;
}

/* Of the value that others share it with. */
static cop_vid step_of(const faker *f, cop_vid owner)
{
	const bool trained = f->how->steps && !is_given(f->z->g, owner);
	float start[2] = {f->z->act[owner].scale, 0};
	cop_type t = cop__type(COP_F32, 1, DIMS(1 + moves_zero(f, owner)));
	char name[128];

	called(name, f, owner, "step");
	cop_vid p = cop__find(f->out, name);
	return p ? p : cop__data(f->out, trained ? COP_PARAM : COP_CONST, name, &t, start);
}

static cop_vid fake_value(const faker *f, cop_vid v, cop_vid x, const summed *s)
{
	const cop_graph *g = f->z->g;
	const cop_qrange *r = &f->z->act[v];
	cop_vid owner = owner_of(f, v);
	cop_fakequant_attr a = {r->lo, r->hi, r->zero, moves_zero(f, owner), f->how->ewgs, 0, r->scale * COP_LEAST_PART};

	a.grad = cop__fake_grad(cop_type_count(cop__t(g, v)) / COP_MAX(1, f->z->held), r->hi - r->zero);
	cop_vid q = rounded_from(f, x, step_of(f, owner), &a, s);
	return f->block ? dropped(f, x, q, v) : q;
}

/* A weight that is not rounded to the nearest begins just within reach of where it is rounded to. */
static cop_status begin_rounded(const faker *f, cop_vid latent, const cop_qlayer *l)
{
	const float near = 0.49f;
	float *w = f->z->round ? cop__own(f->out, latent) : NULL;

	if (!f->z->round) return COP_OK;
	if (!w) return COP_NOMEM;
	for (size_t i = 0; i < (size_t)l->o * (size_t)l->k; i++) {
		float s = l->scale[i / (size_t)l->k];
		w[i] = s * fminf(fmaxf(w[i] / s, (float)l->q[i] - near), (float)l->q[i] + near);
	}
	return COP_OK;
}

/* The weights of a layer; other layers with the same ones find them rounded. */
static cop_vid fake_weight(const faker *f, cop_nid n, cop_vid w)
{
	const cop_graph *g = f->z->g;
	const cop_qlayer *l = &f->z->layer[n];
	int32_t most = (1 << (l->bits - 1)) - 1, rows = f->z->a->per_tensor ? 1 : l->o;
	cop_fakequant_attr a = {-most, most, 0, 0, f->how->ewgs, cop__fake_grad((int64_t)l->o * l->k / rows, most),
	        least_of(l->scale, rows) * COP_LEAST_PART};
	cop_type t = cop__type(COP_F32, 1, &rows);
	char name[128], of[128];

	called(name, f, w, "step");
	called(of, f, w, "rounded");
	cop_vid p = cop__find(f->out, name), y = cop__find(f->out, of);
	if (y) return y;
	if (!p) p = cop__data(f->out, f->how->steps ? COP_PARAM : COP_CONST, name, &t, l->scale);
	cop_vid latent = cop__copy_value(f->out, g, f->map, w);
	if (f->block) return latent ? f->out->value[latent].role = COP_STATE, latent : 0;
	if (latent && begin_rounded(f, latent, l)) return 0;
	y = rounded(f, latent, p, &a);
	if (y) cop__name(f->out, y, of);
	return y;
}

/* Are v's numbers those of an operand, which is rounded already? */
static bool is_moved(const faker *f, cop_vid v)
{
	cop_nid n = f->z->g->value[v].producer;
	return n && cop__moves(f->z->g, n) && f->integer[cop__arg(f->z->g, n, 0)];
}

/* The step of the value that v's numbers were moved from; 0: it has none. */
static cop_vid step_before(const faker *f, cop_vid v)
{
	char name[128];

	while (is_moved(f, v)) v = cop__arg(f->z->g, f->z->g->value[v].producer, 0);
	called(name, f, owner_of(f, v), "step");
	cop_vid p = f->block && f->integer[v] ? step_of(f, owner_of(f, v)) : cop__find(f->out, name);
	if (!p || cop__t(f->out, p)->dim[0] == 1) return p;
	const cop_slice_attr first = {.size = {1}, .step = {1, 1, 1, 1, 1, 1}};
	return cop__apply(f->out, OP_slice, &first, VIDS(p));
}

/* A bias in units of the sums, which are a step of the input times `by`. */
static cop_vid fake_bias_by(const faker *f, cop_nid n, cop_vid b, cop_vid by)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_fakequant_attr a = {-COP_FAKE_MOST, COP_FAKE_MOST, 0, 0, 0, 0, 0};
	cop_vid x = step_before(f, cop__arg(f->z->g, n, 0)), bias = cop__copy_value(f->out, f->z->g, f->map, b);

	if (f->block && bias) f->out->value[bias].role = COP_STATE;
	if (!x || !bias) return bias;
	return rounded_from(f, bias, cop__apply(f->out, OP_mul, &none, VIDS(by, x)), &a, &(summed){2, {by, x}});
}

/* They are coarse where both have few bits. */
static cop_vid fake_bias(const faker *f, cop_nid n, cop_vid b)
{
	char name[128];

	called(name, f, cop__arg(f->z->g, n, 1), "step");
	return fake_bias_by(f, n, b, cop__find(f->out, name));
}

/* Of distances: their factors, of either sign, take the place of the weights' steps. */
static cop_vid fake_constant(const faker *f, cop_nid n, cop_vid b)
{
	cop_vid s = cop__copy_value(f->out, f->z->g, f->map, cop__arg(f->z->g, n, 2));
	cop_vid size = s ? cop__apply(f->out, OP_map, &(cop_map_attr){MAP_ABS, 0, 0}, VIDS(s)) : 0;

	return size ? fake_bias_by(f, n, b, size) : 0;
}

/* The weights of a layer of distances, on the scale of what it reads. They may lie beyond its range. */
static cop_vid fake_distances(const faker *f, cop_nid n, cop_vid w)
{
	const cop_graph *g = f->z->g;
	const cop_fakequant_attr a = {-COP_FAKE_MOST, COP_FAKE_MOST, 0, 0, f->how->ewgs, 0, f->z->act[cop__arg(g, n, 0)].scale * COP_LEAST_PART};
	cop_vid step = step_before(f, cop__arg(g, n, 0)), latent = cop__copy_value(f->out, g, f->map, w);

	return step ? rounded(f, latent, step, &a) : latent;
}

/* Of node n's result, once its operands are there. */
static summed sum_of(const faker *f, cop_nid n)
{
	const cop_graph *g = f->z->g;
	const int op = g->node[n].op;
	const cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1);
	summed s = {0};
	char name[128];

	if (f->block) return s; /* whose weights are no whole steps yet */
	if (f->z->layer[n].bits && op != OP_rnn) {
		called(name, f, b, "step");
		s = (summed){2, {cop__find(f->out, name), step_before(f, a)}};
	} else if (op == OP_add && cop__same_shape(cop__t(g, a), cop__t(g, b))) {
		s = (summed){4, {f->map[a], step_before(f, a), f->map[b], step_before(f, b)}};
	} else if (op == OP_avgpool && !cop__moves(g, n)) {
		s = (summed){1, {step_before(f, a)}};
	}
	for (int i = 0; i < s.n; i++)
		if (!s.v[i]) return (summed){0};
	return s;
}

static cop_status fake_node(const faker *f, cop_nid n)
{
	const cop_graph *g = f->z->g;
	const cop_node *d = &g->node[n];
	cop_vid in[COP_MAX_IN] = {0};

	for (int i = 0; i < d->n_in; i++) {
		bool layer = f->z->layer[n].bits && d->op != OP_rnn, adds = d->op == OP_addconv && f->integer[d->out[0]];
		if (!d->in[i]) continue;
		in[i] = layer && i == 1   ? fake_weight(f, n, d->in[i])
		        : layer && i == 2 ? fake_bias(f, n, d->in[i])
		        : adds && i == 1  ? fake_distances(f, n, d->in[i])
		        : adds && i == 3  ? fake_constant(f, n, d->in[i])
		                          : cop__copy_value(f->out, g, f->map, d->in[i]);
		if (!in[i]) return cop__failed(g->cx);
	}
	cop_vid guard = cop__copy_value(f->out, g, f->map, d->guard);
	cop_nid m = cop__node(f->out, d->op, d->attr, d->n_in, in);
	if (!m) return cop__failed(g->cx);
	f->out->node[m].guard = guard;
	const summed sum = sum_of(f, n);
	for (int i = 0; i < COP_MAX_OUT; i++) {
		cop_vid v = d->out[i], y = v ? cop__want_out(f->out, m, i) : 0;
		if (v && y && f->integer[v] && !is_moved(f, v)) y = fake_value(f, v, y, &sum);
		if (v && !y) return cop__failed(g->cx);
		if (v) cop__map_to(f->out, g, f->map, v, y);
	}
	return COP_OK;
}

static cop_status fake_inputs(const faker *f)
{
	const cop_graph *g = f->z->g;

	COP_TRY(cop__copy_inputs(f->out, g, f->map));
	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		if (!f->integer[v] || cop__t(g, v)->dtype != COP_F32) continue;
		if (!(f->map[v] = fake_value(f, v, f->map[v], &(summed){0}))) return cop__failed(g->cx);
	}
	return COP_OK;
}

static cop_status fake_all(faker *f, cop_graph **out)
{
	const cop_graph *g = f->z->g;

	COP_TRY(cop__copy_begin(out, g, &f->map));
	f->out = *out;
	cop_status st = fake_inputs(f);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = fake_node(f, n);
	if (!st) st = cop__copy_rest(f->out, g, f->map);
	return cop__pass_end(out, st);
}

/* Nodes of the block alone; what it reads becomes the input. */
static cop_status fake_part(faker *f, cop_graph **out)
{
	const cop_graph *g = f->z->g;
	const cop_block *b = f->block;
	cop_vid in = b->in;

	COP_TRY(cop__copy_begin(out, g, &f->map));
	f->out = *out;
	const cop_type t = *cop__t(g, in);
	f->map[in] = cop__input(f->out, g->value[in].name ? g->value[in].name : "block", &t);
	if (!g->value[in].producer && f->integer[in]) f->map[in] = fake_value(f, in, f->map[in], &(summed){0});
	cop_status st = f->map[in] ? COP_OK : cop__failed(g->cx);
	for (cop_nid n = b->first; !st && n <= b->last; n++) st = fake_node(f, n);
	if (!st) st = cop__output(f->out, f->map[b->out], NULL);
	return cop__pass_end(out, st);
}

static cop_status fake(cop_graph **out, faker *f)
{
	cop_quantizer *z = f->z;
	bool *integer = cop__arena_get(&z->mem, (size_t)z->g->n_value + 1);
	cop_graph *trial = NULL;

	*out = NULL;
	if (!integer) return COP_NOMEM;
	COP_TRY(cop__lower(&trial, &(cop_lowering){.g = z->g, .act = z->act, .layer = z->layer, .integer = integer}));
	cop_graph_free(trial);
	f->integer = integer;
	return f->block ? fake_part(f, out) : fake_all(f, out);
}

cop_status cop__fake(cop_graph **out, cop_quantizer *z, const cop_faking *how)
{
	return fake(out, &(faker){.z = z, .how = how});
}

cop_status cop__fake_block(cop_graph **out, cop_quantizer *z, const cop_block *b, float drop)
{
	return fake(out, &(faker){.z = z, .how = &(const cop_faking){0}, .block = b, .drop = drop});
}
