/* SPDX-License-Identifier: Apache-2.0
 *
 * lower_table - functions of one integer value as tables: a whole chain (square, bound, logarithm) becomes one, from the chain's own
 * operand to its result. Between them would lie values that 256 even steps cannot hold: of an energy bounded at 1e-5 all that
 * is left is zero, and its logarithm has no end. Of int16 such chains stay float: straight lines between 512 steps do not hold them either.
 */
#include "pass/lower.h"

#include <math.h>
#include <stdio.h>

enum { DEEPEST = 16 };

static bool is_scalar(const cop_graph *g, cop_vid v)
{
	return cop__floats(g, v) && cop_type_count(cop__t(g, v)) == 1;
}

/* Is node n computed element by element from numbers of its own place? */
static bool composes(const cop_graph *g, cop_nid n)
{
	switch (g->node[n].op) {
	case OP_map: return cop__outt(g, n, 0)->dtype == COP_F32;
	case OP_clip: case OP_sigmoid: case OP_tanh: case OP_gelu: case OP_hswish:
	case OP_add: case OP_sub: case OP_mul: case OP_div: case OP_pow: case OP_max: case OP_min: return cop__outt(g, n, 0)->dtype == COP_F32 && !g->node[n].guard;
	default: return false;
	}
}

/* The one value that v is a function of; v itself where it is a function of several. 0: of none. */
static cop_vid leaf_of(const cop_graph *g, cop_vid v, int depth)
{
	cop_nid n = g->value[v].producer;
	cop_vid leaf = 0;

	if (is_scalar(g, v)) return 0;
	if (!n || !composes(g, n) || depth == DEEPEST) return v;
	for (int i = 0; i < g->node[n].n_in; i++) {
		cop_vid x = g->node[n].in[i], of = leaf_of(g, x, depth + 1);
		if (!of) continue;
		if (!cop__same_shape(cop__t(g, x), cop__t(g, v)) || (leaf && leaf != of)) return v;
		leaf = of;
	}
	return leaf ? leaf : v;
}

/* As the portable kernel computes it. */
static double by_kernel(int32_t fn, double a, double b, double x)
{
	float in = (float)x, out = 0;

	cop_map_f32(&(cop_call){(void *[]){&out, &in}, (int32_t[FN_WORDS]){1, fn, cop__bits((float)a), cop__bits((float)b)}, NULL, NULL, 0, 1});
	return (double)out;
}

static double mapped(int32_t fn, double a, double b, double x)
{
	switch (fn) {
	case MAP_NEG: return -x;
	case MAP_ABS: return fabs(x);
	case MAP_EXP: return exp(x);
	case MAP_LOG: return log(x);
	case MAP_SQRT: return sqrt(x);
	case MAP_RECIPROCAL: return 1 / x;
	case MAP_ERF: return erf(x);
	case MAP_FLOOR: return floor(x);
	case MAP_CEIL: return ceil(x);
	case MAP_SIGN: return (x > 0) - (x < 0);
	case MAP_SOFTPLUS: return fmax(x, 0) + log1p(exp(-fabs(x)));
	case MAP_SOFTSIGN: return x / (1 + fabs(x));
	case MAP_ELU: return x < 0 ? a * expm1(x) : x;
	case MAP_LEAKYRELU: return x < 0 ? a * x : x;
	case MAP_HARDSIGMOID: return fmin(fmax(a * x + b, 0), 1);
	case MAP_MISH: return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
	case MAP_SIN: return sin(x);
	case MAP_COS: return cos(x);
	case MAP_ATAN: return atan(x);
	default: return by_kernel(fn, a, b, x);
	}
}

double cop__table_value(const cop_graph *g, cop_vid v, cop_vid leaf, double x)
{
	cop_nid n = g->value[v].producer;
	float lo = COP_NO_LO, hi = COP_NO_HI;

	if (v == leaf) return x;
	if (is_scalar(g, v)) return (double)*cop__floats(g, v);
	double a = cop__table_value(g, cop__arg(g, n, 0), leaf, x), b = g->node[n].n_in > 1 ? cop__table_value(g, cop__arg(g, n, 1), leaf, x) : 0;
	if (cop__op(g, n)->flags & COP_OP_ACT) cop__act_get(g, n, &lo, &hi);
	switch (g->node[n].op) {
	case OP_map: a = mapped(g->node[n].attr[0], (double)cop__float(g->node[n].attr[1]), (double)cop__float(g->node[n].attr[2]), a); break;
	case OP_sigmoid: a = 1 / (1 + exp(-a)); break;
	case OP_tanh: a = tanh(a); break;
	case OP_gelu: a = 0.5 * a * (1 + erf(a * 0.70710678118654752)); break;
	case OP_hswish: a = a * fmin(fmax(a + 3, 0), 6) / 6; break;
	case OP_add: a += b; break;
	case OP_sub: a -= b; break;
	case OP_mul: a *= b; break;
	case OP_div: a /= b; break;
	case OP_pow: a = pow(a, b); break;
	case OP_max: a = fmax(a, b); break;
	case OP_min: a = fmin(a, b); break;
	default: break; /* clip */
	}
	return fmin(fmax(a, (double)lo), (double)hi);
}

cop_vid cop__table_leaf(const cop_graph *g, cop_nid n)
{
	cop_vid y = cop__res(g, n, 0), leaf = composes(g, n) ? leaf_of(g, y, 0) : y;
	return leaf == y ? 0 : leaf;
}

bool cop__lower_table(cop_lower *l, cop_nid n, cop_vid *made)
{
	const cop_graph *g = l->z->g;
	cop_vid y = cop__res(g, n, 0), leaf = cop__table_leaf(g, n);
	const cop_qrange *from = &l->z->act[leaf], *to = &l->z->act[y];
	cop_type t = cop__type(COP_I8, 1, DIMS(256));
	int8_t entry[256];
	char name[32];

	if (!leaf || !l->q[leaf] || !(from->scale > 0) || cop__range_dtype(from) != COP_I8 || cop__range_dtype(to) != COP_I8) return false;
	for (int i = 0; i < 256; i++) {
		double v = cop__table_value(g, y, leaf, (double)from->scale * ((int8_t)(uint8_t)i - from->zero));
		entry[i] = (int8_t)cop__quantise(isnan(v) ? 0 : (float)fmin(fmax(v, -1e30), 1e30), to); /* of the square root of what never comes */
	}
	for (int i = 0; snprintf(name, sizeof name, "table%d", i), cop__find(l->out, name); i++) {}
	*made = cop__apply(l->out, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(l->q[leaf], cop__data(l->out, COP_CONST, name, &t, entry)));
	return true;
}
