/* SPDX-License-Identifier: Apache-2.0
 *
 * floats - a graph of integers as floats that round (fakequant), so that it can be trained on; `integers` leads back.
 * Its scales become steps, as far as it says them; where it does not, behind a layer, they are chosen so that weights
 * are as large as they would be drawn (op/int_scales.c).
 */
#include "pass/lower.h"

#include <math.h>
#include <stdio.h>

typedef struct raiser {
	const cop_graph *g;
	cop_graph *out;
	cop_vid *map;
	double *scale; /* [n_value+1] */
	int32_t *zero; /* of values of bytes that are made already, as i8 */
} raiser;

static bool is_bytes(const cop_type *t)
{
	return t->dtype == COP_I8 || t->dtype == COP_U8;
}

static cop_status no_form(const raiser *r, cop_nid n, const char *why)
{
	return cop__fail(r->g, COP_ARG, n,
	        "has no form in floats that can be trained%s; use the network that it was quantised from", why);
}

/* ---- steps ---- */

/* A value whose numbers go into a concat has the scale of its result, and so its step. */
static cop_vid owner_of(const raiser *r, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)r->g->n_node; n++)
		for (int i = 0; r->g->node[n].op == OP_concat && i < r->g->node[n].n_in; i++)
			if (r->g->node[n].in[i] == v) return owner_of(r, cop__res(r->g, n, 0));
	return v;
}

static cop_vid step_of(const raiser *r, cop_vid v, bool trains)
{
	const char *own = r->g->value[owner_of(r, v)].name;
	cop_type t = cop__type(COP_F32, 1, DIMS(1));
	char name[128];
	float s = (float)r->scale[v];

	if (own) snprintf(name, sizeof name, "%.100s.step", own);
	else snprintf(name, sizeof name, "v%u.step", owner_of(r, v));
	cop_vid p = cop__find(r->out, name);
	return p ? p : cop__data(r->out, trains ? COP_PARAM : COP_CONST, name, &t, &s);
}

/* x, rounded as v is, whose zero is known. */
static cop_status put(raiser *r, cop_vid v, cop_vid x, int32_t lo, int32_t hi, bool trains)
{
	const cop_type *t = cop__t(r->g, v);
	int64_t each = cop_type_count(t) / COP_MAX(1, t->rank ? t->dim[0] : 1);
	int32_t zero = r->zero[v];
	float s = (float)r->scale[v];
	cop_nid n = x ? r->out->value[x].producer : 0;

	if (n && (zero < lo || zero > hi) &&
	        cop__op(r->out, n)->flags & COP_OP_ACT) { /* bounds without 0 are the operator's */
		cop__act_set(r->out, n, s * (float)(lo - zero), s * (float)(hi - zero));
		lo = -128, hi = 127;
	}
	cop_fakequant_attr a = {lo, hi, zero, 0, 0, cop__fake_grad(each, hi - zero), s * COP_LEAST_PART};
	cop_vid p = x ? step_of(r, v, trains) : 0, y = p ? cop__apply(r->out, OP_fakequant, &a, VIDS(x, p)) : 0;
	if (!y) return cop__failed(r->g->cx);
	if (r->g->value[v].role == COP_INPUT) r->map[v] = y; /* which has the name */
	else cop__map_to(r->out, r->g, r->map, v, y);
	return COP_OK;
}

/* ---- layers ---- */

/* Weights and biases as reals, and the steps of both, by output channel. */
static bool reals(const raiser *r, cop_nid n, float *w, float *b, float *ws, float *bs)
{
	const cop_graph *g = r->g;
	const cop_value *k = &g->value[cop__arg(g, n, 1)], *m = &g->value[cop__arg(g, n, 3)];
	const int32_t *bias = g->value[cop__arg(g, n, 2)].data, o = k->type.dim[0];
	const int64_t row = cop_type_count(&k->type) / o;
	double sx = r->scale[cop__arg(g, n, 0)], sy = r->scale[cop__res(g, n, 0)];
	COP_ATTR(cop_qconv_attr, a, g, n);

	for (int32_t j = 0; j < o; j++) {
		double s = cop__qconv_real(&a, m, j) * sy / sx, sum = 0;
		if (s < 0 || !(s < HUGE_VAL)) return false;
		ws[j] = (float)fmax(s, 1e-30);
		bs[j] = (float)sx * ws[j];
		for (int64_t i = j * row; i < (j + 1) * row; i++) {
			int32_t q = cop__whole_at(&k->type, k->data, i);
			w[i] = ws[j] * (float)q;
			sum += q;
		}
		b[j] = bs[j] * (float)((double)bias[j] + a.zx * sum); /* the graph's bias holds -zx sum w */
	}
	return true;
}

/* "conv1.w" and "step"; the name without .w before "b" */
static void called(char name[128], const char *w, const char *what, bool instead)
{
	int stem = COP_MIN((int)strlen(w), 100);

	if (instead && stem > 2 && !strcmp(w + stem - 2, ".w")) stem -= 2;
	snprintf(name, 128, "%.*s.%s", stem, w, what);
}

static cop_vid rounded_data(raiser *r, const char *name, const char *step, const cop_type *t, const float *x,
        const float *s, cop_vid scaled, int32_t most)
{
	int32_t o = t->dim[t->rank > 1 ? 0 : t->rank - 1];
	cop_type one = cop__type(COP_F32, 1, &o);
	float least = s[0];

	for (int32_t i = 1; i < o; i++) least = fminf(least, s[i]);
	bool is_weight = t->rank > 1;
	cop_fakequant_attr a = {-most - is_weight, most, 0, 0, 0,
	        is_weight ? cop__fake_grad(cop_type_count(t) / o, most) : 0, is_weight ? least * COP_LEAST_PART : 0};
	cop_vid p = scaled ? scaled : cop__data(r->out, COP_PARAM, step, &one, s),
	        v = cop__data(r->out, COP_PARAM, name, t, x);
	return p && v ? cop__apply(r->out, OP_fakequant, &a, VIDS(v, p)) : 0;
}

static cop_status layer(raiser *r, cop_nid n)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const cop_graph *g = r->g;
	const cop_value *k = &g->value[cop__arg(g, n, 1)];
	COP_ATTR(cop_qconv_attr, q, g, n);
	const cop_conv_attr a = {q.sh, q.sw, q.pt, q.pl, q.pb, q.pr, q.dh, q.dw, q.groups, COP_NO_LO, COP_NO_HI};
	cop_type wt = cop__type(COP_F32, 4, k->type.dim), bt = cop__type(COP_F32, 1, k->type.dim);
	size_t o = (size_t)k->type.dim[0], count = (size_t)cop_type_count(&k->type);
	char name[128], step[128], bias[128];
	int32_t most = (1 << (cop__dtype_bits(k->type.dtype) - 1)) - 1;

	for (int i = 1; i < 4; i++)
		if (!g->value[cop__arg(g, n, i)].data) return no_form(r, n, ": its weights must be constants");
	float *w = cop__alloc(g->cx, sizeof *w * (count + 3 * o)), *b = w + count, *ws = b + o, *bs = ws + o;
	if (!w) return COP_NOMEM;
	bool fit = reals(r, n, w, b, ws, bs);
	snprintf(name, sizeof name, "%.100s", k->name ? k->name : "w");
	for (int i = 1; cop__find(r->out, name); i++)
		snprintf(name, sizeof name, "%.100s.%d", k->name ? k->name : "w", i); /* weights that layers share */
	called(step, name, "step", false);
	called(bias, name, "b", true);
	cop_vid wv = fit ? rounded_data(r, name, step, &wt, w, ws, 0, most) : 0, bv = 0;
	cop_vid sx = wv ? step_of(r, cop__arg(g, n, 0), true) : 0;
	cop_vid unit = sx ? cop__apply(r->out, OP_mul, &none, VIDS(cop__find(r->out, step), sx)) : 0;
	if (unit) bv = rounded_data(r, bias, NULL, &bt, b, bs, unit, COP_FAKE_MOST);
	cop__free(g->cx, w);
	if (!fit) return no_form(r, n, ": a multiplier is negative");
	if (!bv) return cop__failed(g->cx);
	r->zero[cop__res(g, n, 0)] = q.zy;
	return put(r, cop__res(g, n, 0), cop__apply(r->out, OP_conv, &a, VIDS(r->map[cop__arg(g, n, 0)], wv, bv)),
	        q.qlo, q.qhi, true);
}

/* ---- the rest ---- */

static cop_status two(raiser *r, cop_nid n, int op, int32_t zy, int32_t lo, int32_t hi)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

	r->zero[cop__res(r->g, n, 0)] = zy;
	return put(r, cop__res(r->g, n, 0),
	        cop__apply(r->out, op, &none, VIDS(r->map[cop__arg(r->g, n, 0)], r->map[cop__arg(r->g, n, 1)])), lo, hi,
	        true);
}

static cop_status avgpool(raiser *r, cop_nid n)
{
	COP_ATTR(cop_qavgpool_attr, p, r->g, n);
	const cop_pool_attr a = {
	        .kh = p.kh, .kw = p.kw, .sh = p.sh, .sw = p.sw, .pt = p.pt, .pl = p.pl, .pb = p.pb, .pr = p.pr};
	cop_vid x = cop__arg(r->g, n, 0), y = cop__res(r->g, n, 0),
	        v = cop__apply(r->out, OP_avgpool, &a, VIDS(r->map[x]));

	r->zero[y] = p.m ? p.zy : p.zx;
	if (p.m) return put(r, y, v, p.qlo, p.qhi, true);
	cop_fakequant_attr f = {p.qlo, p.qhi, r->zero[y], 0, 0, 0, 0}; /* within the range of x: with its step */
	cop_vid s = v ? step_of(r, x, true) : 0;
	if (!s || !(v = cop__apply(r->out, OP_fakequant, &f, VIDS(v, s)))) return cop__failed(r->g->cx);
	cop__map_to(r->out, r->g, r->map, y, v);
	return COP_OK;
}

/* A table that is a straight line between its bounds is another range; one that swaps the conventions of bytes is
 * nothing. */
static cop_status table(raiser *r, cop_nid n)
{
	cop_vid x = cop__arg(r->g, n, 0), y = cop__res(r->g, n, 0);
	const uint8_t *t = r->g->value[cop__arg(r->g, n, 1)].data;
	cop_line line;
	bool flips = t && is_bytes(cop__t(r->g, x)) && is_bytes(cop__t(r->g, y)) &&
	             cop__t(r->g, x)->dtype != cop__t(r->g, y)->dtype;

	for (int i = 0; flips && i < 256; i++) flips = t[i] == (uint8_t)(i ^ 0x80);
	if (flips) {
		r->zero[y] = r->zero[x];
		cop__map_to(r->out, r->g, r->map, y, r->map[x]);
		return COP_OK;
	}
	if (!cop__lut_line(&line, r->g, n)) return no_form(r, n, ": its table is no straight line");
	r->zero[y] = COP_MIN(COP_MAX((int32_t)lround(line.at_zero + line.slope * r->zero[x]), line.lo), line.hi);
	return put(r, y, r->map[x], line.lo, line.hi, true);
}

static cop_status softmax(raiser *r, cop_nid n)
{
	r->zero[cop__res(r->g, n, 0)] = -128;
	return put(r, cop__res(r->g, n, 0), cop__apply(r->out, OP_softmax, NULL, VIDS(r->map[cop__arg(r->g, n, 0)])),
	        -128, 127, false);
}

/* Bytes that are moved about are reals that are. */
static cop_status moved(raiser *r, cop_nid n)
{
	const cop_graph *g = r->g;
	cop_node d = g->node[n];
	cop_vid in[COP_MAX_IN] = {0}, y = cop__res(g, n, 0);

	if (d.op == OP_pad) {
		COP_ATTR(cop_pad_attr, p, g, n);
		if ((int32_t)p.value != r->zero[d.in[0]]) return no_form(r, n, ": its border is no zero");
		p.value = 0;
		memcpy(d.attr, &p, sizeof p);
	}
	for (int i = 0; i < d.n_in; i++) in[i] = r->map[d.in[i]];
	r->zero[y] = r->zero[d.in[0]];
	cop_vid v = cop__apply(r->out, d.op, d.attr, d.n_in, in);
	if (!v) return cop__failed(g->cx);
	cop__map_to(r->out, g, r->map, y, v);
	return COP_OK;
}

static cop_status raise_node(raiser *r, cop_nid n)
{
	const cop_graph *g = r->g;
	cop_vid x = cop__arg(g, n, 0), y = cop__res(g, n, 0);
	COP_ATTR(cop_quantize_attr, z, g, n); /* dequantize begins with the same */
	COP_ATTR(cop_qadd_attr, a, g, n);
	COP_ATTR(cop_qmul_attr, m, g, n);
	double ra, rb;

	if (cop__in(g, n, 0)->dtype == COP_I16 || cop__outt(g, n, 0)->dtype == COP_I16) return no_form(r, n, ": its activations are int16");
	switch (g->node[n].op) {
	case OP_quantize:
		r->zero[y] = z.zero - (z.to == COP_U8 ? 128 : 0);
		return put(r, y, cop__copy_value(r->out, g, r->map, x), -128, 127, false);
	case OP_dequantize:
		if (!is_bytes(cop__t(g, x))) return no_form(r, n, ": its operand is no byte");
		cop__map_to(r->out, g, r->map, y, r->map[x]);
		return COP_OK;
	case OP_qconv:
		return layer(r, n);
	case OP_qadd:
		cop__qadd_real(&a, &ra, &rb);
		return two(r, n, rb < 0 ? OP_sub : OP_add, a.zy, a.qlo, a.qhi);
	case OP_qmul:
		return two(r, n, OP_mul, m.zy, m.qlo, m.qhi);
	case OP_qavgpool:
		return avgpool(r, n);
	case OP_qsoftmax:
		return softmax(r, n);
	case OP_qlut:
		return table(r, n);
	default:
		break;
	}
	if (cop__op(g, n)->flags & COP_OP_QUANT) return no_form(r, n, "");
	return is_bytes(cop__outt(g, n, 0)) ? moved(r, n) : cop__copy_node(r->out, g, r->map, n);
}

/* Inputs of bytes with a scale take reals. */
static cop_status inputs(raiser *r)
{
	const cop_graph *g = r->g;

	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		cop_type t = *cop__t(g, v);
		if (!is_bytes(&t) || !t.q.scale) {
			if (!cop__copy_value(r->out, g, r->map, v)) return cop__failed(g->cx);
			continue;
		}
		r->zero[v] = (t.q.zero ? *t.q.zero : 0) - (t.dtype == COP_U8 ? 128 : 0);
		t.dtype = COP_F32, t.q = (cop_quant){NULL, NULL, -1};
		cop_vid x = cop__input(r->out, g->value[v].name, &t);
		if (!x) return cop__failed(g->cx);
		r->out->value[x].lead = g->value[v].lead, r->out->value[x].samples = g->value[v].samples;
		COP_TRY(put(r, v, x, -128, 127, false));
	}
	return COP_OK;
}

cop_status cop__pass_floats(cop_graph **out, const cop_graph *g)
{
	raiser r = {.g = g};

	COP_TRY(cop__copy_begin(out, g, &r.map));
	r.out = *out;
	r.scale = cop__arena_get(&r.out->mem, sizeof *r.scale * (size_t)(g->n_value + 1));
	r.zero = cop__arena_get(&r.out->mem, sizeof *r.zero * (size_t)(g->n_value + 1));
	cop_status st = r.scale && r.zero ? COP_OK : COP_NOMEM;
	if (!st) cop__int_scales(r.scale, g);
	if (!st) st = inputs(&r);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = raise_node(&r, n);
	if (!st) st = cop__copy_end(r.out, g, r.map);
	if (st) return cop__pass_end(out, st);
	for (int32_t i = 0; i < r.out->n_output; i++)
		r.out->value[r.out->output[i]].type.q = (cop_quant){NULL, NULL, -1};
	return COP_OK;
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	(void)a;
	return cop__pass_floats(out, g);
}

const cop_pass cop_pass_floats = {
        COP_ROW("floats",
                "turns integer operators into floats that round, which can be trained; the pass integers leads back"),
        run};
