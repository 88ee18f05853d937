/* SPDX-License-Identifier: Apache-2.0
 *
 * signal - DFT, STFT and windows. A transform is a product with sines and cosines, and one of windows that slide a
 * convolution with them: kernels of a graph, for training, quantising and emitting like any other. Complex numbers are
 * pairs on the last axis.
 */
#include "io/onnx/onnx.h"

#include <math.h>

enum { MOST_POINTS = 1 << 15, MOST_FACTORS = 1 << 24 };
static const double two_pi = 6.283185307179586476925286766559;

/* Which transform of `points`: from `in` numbers of `parts` (1: real, 2: complex) to `out` of 2, or of 1 where the
 * result is real. */
typedef struct transform { int32_t points, in, parts, out, out_parts; bool inverse; } transform;

/* The factor from part p of number i to part q of number k. */
static float factor(const transform *t, int32_t i, int p, int32_t k, int q)
{
	double turn = two_pi * (double)((int64_t)i * k % t->points) / t->points, c = cos(turn),
		s = t->inverse ? sin(turn) : -sin(turn);
	/* a real result: the other half is the conjugate */
	double twice = t->out_parts == 1 && i && 2 * i != t->points ? 2 : 1;
	double v = p == q ? c : p ? -s : s;

	return (float)(v * (t->inverse ? twice / t->points : 1));
}

/* "DFT" of [..,len,parts] along an axis, as [rows,in parts] times [in parts,out 2]. */
static cop_status shape_of(cop_ox *m, const cop_ox_node *n, int64_t points, int32_t len, transform *t)
{
	bool half = cop__ox_i(n, "onesided", 0) != 0;

	t->inverse = cop__ox_i(n, "inverse", 0) != 0;
	if (half && t->inverse && points < 1) points = 2 * ((int64_t)len - 1);
	if (points < 1) points = len;
	if (points > MOST_POINTS || (t->parts != 1 && t->parts != 2) || (half && (t->parts == 1) == t->inverse))
		return cop__ox_fail(m, n, "of %lld points, %s, of numbers of %d parts is not supported", (long long)points,
			half ? "one half" : "both halves", t->parts);
	t->points = (int32_t)points;
	t->in = half && t->inverse ? t->points / 2 + 1 : t->points;
	t->out = half && !t->inverse ? t->points / 2 + 1 : t->points;
	t->out_parts = half && t->inverse ? 1 : 2;
	return COP_OK;
}

static cop_vid matrix(cop_ox *m, const transform *t)
{
	/* zeros that would stand behind the numbers have no rows */
	int32_t rows = t->in * t->parts, cols = t->out * t->out_parts;
	cop_type type = cop__type(COP_F32, 2, DIMS(rows, cols));
	float *w = cop__ox_room(m, 4 * (size_t)rows * (size_t)cols);

	for (int32_t r = 0; w && r < rows; r++)
		for (int32_t c = 0; c < cols; c++)
			w[(int64_t)r * cols + c] = factor(t, r / t->parts, r % t->parts, c / t->out_parts, c % t->out_parts);
	return w ? cop__ox_const(m, "dft", COP_CONST, &type, w) : 0;
}

cop_status cop__ox_add_dft(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *points, *at;
	int32_t count, n_at, axis, perm[OX_MAX_DIM], dim[OX_MAX_DIM], back;
	transform t = {0};

	COP_TRY(cop__ox_known_ints(m, n, 1, &points, &count));
	COP_TRY(cop__ox_known_ints(m, n, 2, &at, &n_at));
	if (x->rank < 2 || x->rank > COP_MAX_DIM || !cop__ox_count(x) || (points && count != 1) || (at && n_at != 1))
		return cop__ox_fail(m, n, "%d dimensions", x->rank);
	COP_TRY(cop__ox_axis(m, n, at ? *at : cop__ox_i(n, "axis", m->opset < 20 ? 1 : -2), x->rank, &axis));
	if (axis == x->rank - 1)
		return cop__ox_fail(m, n, "the last axis holds the parts of a number, it cannot be transformed");
	t.parts = x->dim[x->rank - 1];
	COP_TRY(shape_of(m, n, points ? *points : 0, x->dim[axis], &t));
	t.in = COP_MIN(t.in, x->dim[axis]);
	if ((int64_t)t.in * t.parts * t.out * t.out_parts > MOST_FACTORS)
		return cop__ox_fail(m, n, "from %d numbers to %d takes more than 2^24 factors", t.in, t.out);
	for (int i = 0; i < x->rank; i++) perm[i] = i, dim[i] = x->dim[i];
	back = x->rank - 2;
	perm[axis] = back, perm[back] = axis, dim[axis] = x->dim[back];
	cop_vid v = cop__ox_transpose(m, cop__ox_slice(m, cop__ox_float(m, n, 0, OX_PLAIN), axis, 0, t.in, 1), perm);
	v = cop__ox_reshape(m, v, 2, DIMS((int32_t)(cop__ox_count(x) / x->dim[axis] / t.parts), t.in * t.parts));
	v = cop__ox_matmul(m, v, matrix(m, &t), 0, 0);
	dim[back] = t.out, dim[back + 1] = t.out_parts;
	return cop__ox_set(m, n, 0, cop__ox_transpose(m, cop__ox_reshape(m, v, x->rank, dim), perm), OX_PLAIN, 0);
}

/* Kernels [out 2,1,points,parts] of a convolution: sines and cosines within the window. */
static cop_vid kernels(cop_ox *m, const transform *t, const float *window)
{
	cop_type type = cop__type(COP_F32, 4, DIMS(2 * t->out, 1, t->in, t->parts));
	float *w = cop__ox_room(m, 4 * (size_t)cop_type_count(&type));
	int64_t at = 0;

	for (int32_t k = 0; w && k < 2 * t->out; k++)
		for (int32_t i = 0; i < t->in; i++)
			for (int32_t p = 0; p < t->parts; p++) w[at++] = factor(t, i, p, k / 2, k % 2) * (window ? window[i] : 1);
	return w ? cop__ox_const(m, "stft", COP_CONST, &type, w) : 0;
}

/* [n,len(,parts)] -> [n,frames,bins,2] */
cop_status cop__ox_add_stft(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *step, *points;
	const float *window;
	int32_t count, n_window, n_points;
	transform t = {.parts = x->rank == 3 ? x->dim[2] : 1};

	COP_TRY(cop__ox_known_ints(m, n, 1, &step, &count));
	COP_TRY(cop__ox_known_floats(m, n, 2, &window, &n_window));
	COP_TRY(cop__ox_known_ints(m, n, 3, &points, &n_points));
	int64_t size = points ? *points : n_window;
	bool half = cop__ox_i(n, "onesided", 1) != 0;
	if (x->rank < 2 || x->rank > 3 || count != 1 || *step < 1 || *step > 1 << 20 || (points && n_points != 1))
		return cop__ox_fail(m, n, "needs a signal [n,length] or [n,length,1 or 2] and one positive step");
	if (size < 1 || size > MOST_POINTS || size > x->dim[1] || (window && n_window != size) ||
		(t.parts != 1 && (half || t.parts != 2)))
		return cop__ox_fail(m, n, "frames of %lld with a window of %d over %d numbers of %d parts are not supported",
			(long long)size, n_window, x->dim[1], t.parts);
	t.points = t.in = (int32_t)size;
	t.out = half ? t.points / 2 + 1 : t.points;
	t.out_parts = 2;
	t.inverse = false;
	if (2 * (int64_t)t.out * t.in * t.parts > MOST_FACTORS)
		return cop__ox_fail(m, n, "frames of %d take more than 2^24 factors", t.in);
	cop_conv_attr a = {.sh = 1, .sw = (int32_t)*step, .dh = 1, .dw = 1, .groups = 1, .lo = COP_NO_LO, .hi = COP_NO_HI};
	cop_vid v = cop__ox_reshape(m, cop__ox_float(m, n, 0, OX_PLAIN), 4, DIMS(x->dim[0], 1, x->dim[1], t.parts)),
		w = kernels(m, &t, window);
	cop_vid y = v && w ? cop__apply(m->g, OP_conv, &a, VIDS(v, w)) : 0;
	if (y) y = cop__ox_reshape(m, y, 4, DIMS(x->dim[0], cop__t(m->g, y)->dim[2], t.out, 2));
	return cop__ox_set(m, n, 0, y, OX_PLAIN, 0);
}

/* ---- windows ---- */

cop_status cop__ox_add_window(cop_ox *m, cop_ox_node *n)
{
	static const struct { const char *name; double a[3]; } kinds[] = {{"HannWindow", {0.5, 0.5, 0}},
		{"HammingWindow", {25.0 / 46, 21.0 / 46, 0}}, {"BlackmanWindow", {0.42, 0.5, 0.08}}};
	const int64_t *size;
	int32_t count, len;
	int kind = 0;

	COP_TRY(cop__ox_known_ints(m, n, 0, &size, &count));
	if (count != 1 || *size < 1 || *size > 1 << 24) return cop__ox_fail(m, n, "needs one positive size");
	len = (int32_t)*size;
	while (strcmp(kinds[kind].name, n->type) && kind < LEN(kinds) - 1) kind++;
	double over = cop__ox_i(n, "periodic", 1) ? len : len - 1;
	float *w = cop__ox_room(m, 4 * (size_t)len);
	for (int32_t i = 0; w && i < len; i++) {
		double at = two_pi * i / (over > 0 ? over : 1);
		w[i] = (float)(kinds[kind].a[0] - kinds[kind].a[1] * cos(at) + kinds[kind].a[2] * cos(2 * at));
	}
	return cop__ox_know(m, n, 0, OX_FLOAT, 1, &len, w);
}
