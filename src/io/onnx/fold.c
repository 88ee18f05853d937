/* SPDX-License-Identifier: Apache-2.0
 *
 * fold - arithmetic on what is known when a model is read, element by element and along axes: integers in 64 bits,
 * reals as floats. A case that is not known here says done = false and goes to the graph.
 */
#include "io/onnx/onnx.h"

#include <math.h>

static bool real(const cop_ox_value *v) { return cop__ox_is_float(v->type); }

/* Strides of x seen through a broadcast shape. */
static bool seen_through(int64_t *stride, const cop_ox_value *x, int rank, const int32_t *dim)
{
	int64_t s = 1;

	for (int i = rank - 1; i >= 0; i--) {
		int ix = i - rank + x->rank;
		int32_t d = ix < 0 ? 1 : x->dim[ix];
		if (d != 1 && d != dim[i]) return false;
		stride[i] = d == 1 ? 0 : s;
		s *= d;
	}
	return true;
}

/* The common shape of n operands; false: there is none. */
static bool common(cop_ox *m, const cop_ox_node *n, int32_t *rank, int32_t *dim, int64_t *total)
{
	*rank = 0;
	*total = 1;
	for (int k = 0; k < n->n_in; k++) *rank = COP_MAX(*rank, cop__ox_in(m, n, k)->rank);
	for (int i = 0; i < *rank; i++) {
		dim[i] = 1;
		for (int k = 0; k < n->n_in; k++) {
			const cop_ox_value *x = cop__ox_in(m, n, k);
			int ix = i - *rank + x->rank;
			if (ix >= 0 && x->dim[ix] != 1) {
				if (dim[i] != 1 && dim[i] != x->dim[ix]) return false;
				dim[i] = x->dim[ix];
			}
		}
		if ((*total *= dim[i]) > INT32_MAX) return false;
	}
	return true;
}

/* Operand k, repeated to the common shape. */
static const void *repeated(cop_ox *m, const cop_ox_node *n, int k, int32_t rank, const int32_t *dim, int64_t total)
{
	cop_ox_value *x = cop__ox_in(m, n, k);
	int64_t stride[OX_MAX_DIM];
	void *out;

	if (cop__ox_count(x) == total) return x->data;
	if (!seen_through(stride, x, rank, dim) || !(out = cop__ox_room(m, cop__ox_size(x) * (size_t)total))) return NULL;
	cop__ox_gather(x, out, rank, dim, stride, 0);
	return out;
}

/* ---- two operands ---- */

static float two_f(const char *op, float a, float b)
{
	switch (op[0]) {
	case 'A': return a + b;
	case 'S': return a - b;
	case 'D': return a / b;
	case 'P': return powf(a, b);
	default: return op[1] == 'u' ? a * b : fmodf(a, b);
	}
}

static int64_t bits(const char *op, uint64_t a, uint64_t b)
{
	if (!strcmp(op, "BitwiseAnd")) return (int64_t)(a & b);
	return (int64_t)(!strcmp(op, "BitwiseOr") ? a | b : a ^ b);
}

/* Wraps, as the machine does; division by 0 gives 0. */
static int64_t two_i(const char *op, int64_t a, int64_t b)
{
	switch (op[0]) {
	case 'A': return (int64_t)((uint64_t)a + (uint64_t)b);
	case 'S': return (int64_t)((uint64_t)a - (uint64_t)b);
	case 'D': return !b ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
	case 'P': return (int64_t)fmin(fmax(pow((double)a, (double)b), -9e18), 9e18);
	default: break;
	}
	if (!strncmp(op, "Bit", 3)) return bits(op, (uint64_t)a, (uint64_t)b);
	if (op[1] == 'u') return (int64_t)((uint64_t)a * (uint64_t)b);
	int64_t r = !b || b == -1 ? 0 : a % b;
	return r && (r < 0) != (b < 0) ? r + b : r;
}

/* Comparisons and logic; c: -1, 0, 1 or 2 (not comparable), p and q the operands as truths. */
static bool truth(const char *op, int c, bool p, bool q)
{
	bool equal = c == 0;

	if (!strcmp(op, "Equal")) return equal;
	if (!strcmp(op, "Less")) return c == -1;
	if (!strcmp(op, "Greater")) return c == 1;
	if (!strcmp(op, "LessOrEqual")) return c == -1 || equal;
	if (!strcmp(op, "GreaterOrEqual")) return c == 1 || equal;
	return !strcmp(op, "And") ? p && q : !strcmp(op, "Or") ? p || q : p != q;
}

static bool gives_truth(const char *op) { return strchr("EGLOX", op[0]) || !strcmp(op, "And"); }

cop_status cop__ox_fold_binary(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *y = cop__ox_in(m, n, 1);
	int32_t rank, dim[OX_MAX_DIM];
	int64_t total;
	bool f = real(x), compare = gives_truth(n->type);

	if (f != real(y) || cop__ox_i(n, "broadcast", 0) || (f && !strcmp(n->type, "Mod") && !cop__ox_i(n, "fmod", 0)) ||
		!common(m, n, &rank, dim, &total)) return COP_OK;
	const void *a = repeated(m, n, 0, rank, dim, total), *b = repeated(m, n, 1, rank, dim, total);
	void *out = cop__ox_room(m, (f && !compare ? 4 : 8) * (size_t)total);
	if (!a || !b || !out) return m->cx->code;
	const float *af = a, *bf = b;
	const int64_t *ai = a, *bi = b;
	for (int64_t i = 0; i < total; i++) {
		if (!compare) {
			if (f) ((float *)out)[i] = two_f(n->type, af[i], bf[i]);
			else ((int64_t *)out)[i] = two_i(n->type, ai[i], bi[i]);
			continue;
		}
		int c = f ? (af[i] < bf[i] ? -1 : af[i] > bf[i] ? 1 : af[i] >= bf[i] ? 0 : 2) : ai[i] < bi[i] ? -1 : ai[i] > bi[i];
		((int64_t *)out)[i] = truth(n->type, c, !f && ai[i], !f && bi[i]);
	}
	*done = true;
	return cop__ox_know(m, n, 0, compare ? OX_BOOL : x->type, rank, dim, out);
}

static double step_of(const char *how, double a, double b)
{
	if (!strcmp(how, "Prod")) return a * b;
	if (!strcmp(how, "Max")) return a > b ? a : b;
	if (!strcmp(how, "Min")) return a < b ? a : b;
	return a + b;
}

/* Max, Min, Sum, Mean: one operand after the other joins the first. */
cop_status cop__ox_fold_variadic(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int32_t rank, dim[OX_MAX_DIM];
	int64_t total;
	const char *how = n->type;

	for (int k = 0; k < n->n_in; k++)
		if (!cop__ox_in(m, n, k) || real(x) != real(cop__ox_in(m, n, k))) return COP_OK;
	if (!common(m, n, &rank, dim, &total)) return COP_OK;
	void *out = cop__ox_room(m, cop__ox_size(x) * (size_t)total);
	for (int k = 0; out && k < n->n_in; k++) {
		const void *v = repeated(m, n, k, rank, dim, total);
		if (!v) return m->cx->code;
		for (int64_t i = 0; i < total; i++) {
			float *f = (float *)out + i;
			int64_t *w = (int64_t *)out + i;
			if (real(x)) *f = k ? (float)step_of(how, (double)*f, (double)((const float *)v)[i]) : ((const float *)v)[i];
			else
				*w = !k ? ((const int64_t *)v)[i] : !strcmp(how, "Max") ? COP_MAX(*w, ((const int64_t *)v)[i]) : !strcmp(how, "Min")
					? COP_MIN(*w, ((const int64_t *)v)[i]) : two_i("Add", *w, ((const int64_t *)v)[i]);
			if (real(x) && !strcmp(how, "Mean") && k == n->n_in - 1) *f /= (float)n->n_in;
		}
	}
	*done = true;
	return cop__ox_know(m, n, 0, x->type, rank, dim, out);
}

/* ---- one operand ---- */

typedef double one_d(double);
static double reciprocal(double x) { return 1 / x; }
static double relu(double x) { return x > 0 ? x : 0; }
static double negative(double x) { return -x; }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static const struct { const char *name; one_d *fn; } ones[] = {
	{"Abs", fabs}, {"Atan", atan}, {"Ceil", ceil}, {"Cos", cos}, {"Erf", erf}, {"Exp", exp}, {"Floor", floor},
	{"Log", log}, {"Neg", negative}, {"Reciprocal", reciprocal}, {"Relu", relu},
	{"Round", rint}, {"Sigmoid", sigmoid}, {"Sign", sign}, {"Sin", sin}, {"Sqrt", sqrt}, {"Tanh", tanh},
};

cop_status cop__ox_fold_unary(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	int64_t total = cop__ox_count(x);
	one_d *fn = NULL;
	void *out;
	bool not = !strcmp(n->type, "Not"), neg = !strcmp(n->type, "Neg"), abs = !strcmp(n->type, "Abs");

	for (int i = 0; i < LEN(ones); i++)
		if (!strcmp(ones[i].name, n->type)) fn = ones[i].fn;
	if (real(x) ? !fn : !not && !neg && !abs) return COP_OK;
	if (!(out = cop__ox_room(m, cop__ox_size(x) * (size_t)total))) return m->cx->code;
	for (int64_t i = 0; i < total; i++) {
		if (real(x)) {
			((float *)out)[i] = (float)fn((double)((const float *)x->data)[i]);
			continue;
		}
		int64_t v = ((const int64_t *)x->data)[i];
		((int64_t *)out)[i] = not ? !v : neg || v < 0 ? (int64_t)(0 - (uint64_t)v) : v;
	}
	*done = true;
	return cop__ox_know(m, n, 0, x->type, x->rank, x->dim, out);
}

/* ---- formats, choices ---- */

/* An integer as that format holds it. */
static int64_t wrapped(int32_t type, int64_t v)
{
	switch (type) {
	case OX_UINT8: return (uint8_t)v;
	case OX_INT8: return (int8_t)v;
	case OX_UINT4: return v & 15;
	case OX_INT4: return ((v & 15) ^ 8) - 8;
	case OX_UINT16: return (uint16_t)v;
	case OX_INT16: return (int16_t)v;
	case OX_UINT32: return (uint32_t)v;
	case OX_INT32: return (int32_t)v;
	case OX_BOOL: return v != 0;
	default: return v;
	}
}

static int64_t whole(float f)
{
	if (!(f > -9.2e18f)) return f < 0 ? INT64_MIN : 0; /* 0: not a number */
	return f < 9.2e18f ? (int64_t)f : INT64_MAX;
}

cop_status cop__ox_fold_cast(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *like = cop__ox_in(m, n, 1);
	int32_t to = like ? like->type : (int32_t)cop__ox_i(n, "to", 0);
	int64_t total = cop__ox_count(x);
	bool from_real = real(x), to_real = cop__ox_is_float(to);

	*done = true;
	if (!cop__ox_dtype(to)) return cop__ox_fail(m, n, "to %s is not supported", cop__ox_type_text(to));
	if (from_real && to_real) return cop__ox_know(m, n, 0, to, x->rank, x->dim, x->data);
	void *out = cop__ox_room(m, (to_real ? 4 : 8) * (size_t)total);
	for (int64_t i = 0; out && i < total; i++) {
		if (to_real) ((float *)out)[i] = (float)((const int64_t *)x->data)[i];
		else if (!from_real) ((int64_t *)out)[i] = wrapped(to, ((const int64_t *)x->data)[i]);
		else if (to == OX_BOOL) ((int64_t *)out)[i] = ((const float *)x->data)[i] < 0 || ((const float *)x->data)[i] > 0;
		else ((int64_t *)out)[i] = wrapped(to, whole(((const float *)x->data)[i]));
	}
	return cop__ox_know(m, n, 0, to, x->rank, x->dim, out);
}

cop_status cop__ox_fold_where(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *c = cop__ox_in(m, n, 0), *x = cop__ox_in(m, n, 1);
	int32_t rank, dim[OX_MAX_DIM];
	int64_t total;

	if (real(c) || real(x) != real(cop__ox_in(m, n, 2)) || !common(m, n, &rank, dim, &total)) return COP_OK;
	const int64_t *cond = repeated(m, n, 0, rank, dim, total);
	const char *a = repeated(m, n, 1, rank, dim, total), *b = repeated(m, n, 2, rank, dim, total);
	size_t size = cop__ox_size(x);
	char *out = cop__ox_room(m, size * (size_t)total);
	if (!cond || !a || !b || !out) return m->cx->code;
	for (int64_t i = 0; i < total; i++) memcpy(out + (size_t)i * size, (cond[i] ? a : b) + (size_t)i * size, size);
	*done = true;
	return cop__ox_know(m, n, 0, x->type, rank, dim, out);
}

/* ---- along axes ---- */

static double start_of(const char *how)
{
	return !strcmp(how, "Prod") ? 1 : !strcmp(how, "Max") ? -(double)INFINITY : !strcmp(how, "Min") ? (double)INFINITY : 0;
}

/* In doubles: exact for integers below 2^53, which shapes are. */
cop_status cop__ox_fold_reduce(cop_ox *m, cop_ox_node *n, bool *done)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const char *how = n->type + 6;
	int32_t keep_dim[OX_MAX_DIM], dim[OX_MAX_DIM], rank = 0;
	int64_t to[OX_MAX_DIM], outs = 1, total = cop__ox_count(x), s = 1;
	uint32_t axes;
	bool keep;

	COP_TRY(cop__ox_reduce_axes(m, n, &axes, &keep));
	for (int i = 0; i < x->rank; i++) {
		keep_dim[i] = axes >> i & 1 ? 1 : x->dim[i];
		if (keep || !(axes >> i & 1)) dim[rank++] = keep_dim[i];
		outs *= keep_dim[i];
	}
	for (int i = x->rank - 1; i >= 0; i--) to[i] = axes >> i & 1 ? 0 : s, s *= keep_dim[i];
	double *sum = cop__ox_room(m, 8 * (size_t)outs);
	void *out = cop__ox_room(m, 8 * (size_t)outs);
	if (!sum || !out) return m->cx->code;
	for (int64_t i = 0; i < outs; i++) sum[i] = start_of(how);
	for (int64_t i = 0; i < total; i++) {
		int64_t rest = i, at = 0;
		for (int a = x->rank - 1; a >= 0; a--) at += rest % x->dim[a] * to[a], rest /= x->dim[a];
		sum[at] = step_of(how, sum[at], real(x) ? (double)((const float *)x->data)[i]
			: (double)((const int64_t *)x->data)[i]);
	}
	for (int64_t i = 0; i < outs; i++) {
		double v = !strcmp(how, "Mean") ? sum[i] * (double)outs / (double)total : sum[i];
		if (real(x)) ((float *)out)[i] = (float)v;
		else ((int64_t *)out)[i] = (int64_t)fmin(fmax(v, -9e18), 9e18);
	}
	*done = true;
	return cop__ox_know(m, n, 0, x->type, rank, dim, out);
}
