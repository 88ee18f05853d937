/* SPDX-License-Identifier: Apache-2.0
 *
 * resize - every mode of Resize and Upsample as tables: along one axis, element i of the result is a weighted sum of a
 * few elements of the operand. Which, and the weights, is computed here in doubles; the graph's `resample` does the
 * rest.
 */
#include "io/onnx/onnx.h"

#include <math.h>

typedef struct axis {
	int32_t in, out;
	double scale, from, to;  /* from, to: the region of interest, of its length */
	bool sized;
} axis;

typedef struct how {
	const char *mode, *coordinate, *nearest;
	double cubic_a, outside;
	bool antialias, exclude;
} how;

/* Where in the operand element i of the result lies. */
static double coordinate(const how *h, const axis *a, int32_t i)
{
	double x = i, out = a->sized ? a->out : a->scale * a->in; /* a length that need not be whole */

	if (!strcmp(h->coordinate, "align_corners")) return out > 1 ? x * (a->in - 1) / (out - 1) : 0;
	if (!strcmp(h->coordinate, "asymmetric")) return x / a->scale;
	if (!strcmp(h->coordinate, "pytorch_half_pixel")) return out > 1 ? (x + 0.5) / a->scale - 0.5 : 0;
	if (!strcmp(h->coordinate, "tf_half_pixel_for_nn")) return (x + 0.5) / a->scale;
	if (!strcmp(h->coordinate, "half_pixel_symmetric"))
		return a->in / 2.0 * (1 - a->out / out) + (x + 0.5) / a->scale - 0.5;
	if (!strcmp(h->coordinate, "tf_crop_and_resize")) {
		if (a->out == 1) return 0.5 * (a->from + a->to) * (a->in - 1);
		return a->from * (a->in - 1) + x * (a->to - a->from) * (a->in - 1) / (a->out - 1);
	}
	return (x + 0.5) / a->scale - 0.5;
}

static double rounded(const how *h, double x)
{
	if (!strcmp(h->nearest, "floor")) return floor(x);
	if (!strcmp(h->nearest, "ceil")) return ceil(x);
	if (!strcmp(h->nearest, "round_prefer_ceil")) return floor(x + 0.5);
	return ceil(x - 0.5);
}

static double kernel(const how *h, double x)
{
	double a = h->cubic_a;

	x = fabs(x);
	if (!strcmp(h->mode, "linear")) return x < 1 ? 1 - x : 0;
	if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Taps of one axis: how far the kernel reaches, stretched when antialiasing shrinks. */
static int32_t taps_of(const how *h, const axis *a)
{
	double reach = !strcmp(h->mode, "linear") ? 1 : 2;

	if (!strcmp(h->mode, "nearest")) return 1;
	if (h->antialias && a->scale < 1) reach /= a->scale;
	return 2 * (int32_t)ceil(reach);
}

static void fill(const how *h, const axis *a, int32_t taps, int32_t i, int32_t *index, float *weight)
{
	double x = coordinate(h, a, i), shrink = h->antialias && a->scale < 1 ? a->scale : 1, sum = 0, w[512];

	if (!strcmp(h->mode, "nearest")) {
		*index = (int32_t)fmin(fmax(rounded(h, x), 0), a->in - 1);
		*weight = 1;
		return;
	}
	int32_t first = (int32_t)floor(x) - taps / 2 + 1;
	for (int32_t t = 0; t < taps; t++) {
		bool inside = first + t >= 0 && first + t < a->in;
		w[t] = h->exclude && !inside ? 0 : kernel(h, (x - (first + t)) * shrink);
		sum += w[t];
	}
	bool scale = h->exclude || shrink < 1;
	for (int32_t t = 0; t < taps; t++) {
		index[t] = COP_MIN(COP_MAX(first + t, 0), a->in - 1);
		weight[t] = (float)(scale && fabs(sum) > 0 ? w[t] / sum : w[t]);
	}
}

/* Beside the operand? Then the result is the value for outside. */
static bool beside(const how *h, const axis *a, int32_t i)
{
	double x = coordinate(h, a, i);
	return !strcmp(h->coordinate, "tf_crop_and_resize") && (x < 0 || x > a->in - 1);
}

static cop_vid resample(cop_ox *m, const cop_ox_node *n, const how *h, const axis *a, cop_vid x, int32_t at)
{
	int32_t taps = taps_of(h, a);

	if (taps > 512 || (int64_t)taps * a->out > 1 << 26) return cop__ox_fail(m, n, "shrinks by too much"), 0;
	int32_t *index = cop__ox_room(m, 4 * (size_t)taps * (size_t)a->out);
	float *weight = cop__ox_room(m, 4 * (size_t)taps * (size_t)a->out);
	if (!index || !weight) return 0;
	for (int32_t i = 0; i < a->out; i++) {
		fill(h, a, taps, i, index + (size_t)i * (size_t)taps, weight + (size_t)i * (size_t)taps);
		for (int32_t t = 0; t < taps && beside(h, a, i); t++) weight[(size_t)i * (size_t)taps + (size_t)t] = 0;
	}
	return cop__ox_resample(m, x, at, a->out, taps, index, weight);
}

/* What is beside the operand on any axis is 0 by now: add the value for outside there. */
static cop_vid fill_outside(cop_ox *m, const how *h, const axis *a, int32_t rank, cop_ox_layout l, cop_vid x)
{
	cop_vid inside = 0;

	for (int i = 0; i < rank; i++) {
		int32_t dim[6] = {1, 1, 1, 1, 1, 1};
		bool any = false;
		if (strcmp(h->coordinate, "tf_crop_and_resize")) return x;
		float *one = cop__ox_room(m, 4 * (size_t)a[i].out);
		for (int32_t k = 0; one && k < a[i].out; k++) any |= beside(h, &a[i], k), one[k] = beside(h, &a[i], k) ? 0 : 1;
		if (!one || !any) continue;
		dim[cop__ox_axis_in(i, rank, l)] = a[i].out;
		cop_type t = cop__type(COP_F32, rank, dim);
		cop_vid v = cop__ox_const(m, "inside", COP_CONST, &t, one);
		inside = inside ? cop__ox_two(m, OP_mul, inside, v) : v;
	}
	if (!inside || !(h->outside < 0 || h->outside > 0)) return x;
	cop_vid add = cop__ox_two(m, OP_sub, cop__ox_scalar(m, (float)h->outside),
		cop__ox_two_f(m, OP_mul, inside, (float)h->outside));
	return cop__ox_two(m, OP_add, x, add);
}

/* ---- sizes ---- */

static cop_status read_how(cop_ox *m, const cop_ox_node *n, how *h)
{
	static const char *const known[] = {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel",
		"tf_half_pixel_for_nn", "half_pixel_symmetric", "tf_crop_and_resize"};
	bool old = m->opset < 11, ok = false;

	h->mode = cop__ox_s(m, n, "mode", "nearest");
	h->coordinate = cop__ox_s(m, n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
	h->nearest = cop__ox_s(m, n, "nearest_mode", old ? "floor" : "round_prefer_floor");
	h->cubic_a = (double)cop__ox_f(n, "cubic_coeff_a", -0.75f);
	h->outside = (double)cop__ox_f(n, "extrapolation_value", 0);
	h->antialias = cop__ox_i(n, "antialias", 0) != 0;
	h->exclude = cop__ox_i(n, "exclude_outside", 0) != 0;
	if (!h->mode || !h->coordinate || !h->nearest) return COP_NOMEM;
	if (!strcmp(h->mode, "bilinear")) h->mode = "linear";
	for (int i = 0; i < LEN(known); i++) ok |= !strcmp(known[i], h->coordinate);
	if (!ok) return cop__ox_fail(m, n, "coordinate_transformation_mode '%s' is not supported", h->coordinate);
	if (strcmp(h->mode, "nearest") && strcmp(h->mode, "linear") && strcmp(h->mode, "cubic"))
		return cop__ox_fail(m, n, "mode '%s' is not supported; nearest, linear and cubic are", h->mode);
	return COP_OK;
}

/* Which axes are meant: `axes`, or all. Returns how many. */
static cop_status axes_of(cop_ox *m, const cop_ox_node *n, int32_t rank, int32_t *which, int32_t *count)
{
	int64_t v[OX_MAX_DIM];
	int got = cop__ox_ints(m, n, "axes", v, OX_MAX_DIM);

	if (m->cx->code) return m->cx->code;
	*count = got < 0 ? rank : got;
	for (int i = 0; i < *count; i++) COP_TRY(cop__ox_axis(m, n, got < 0 ? i : v[i], rank, &which[i]));
	return COP_OK;
}

/* keep_aspect_ratio_policy: one factor for all axes. */
static cop_status keep_aspect(cop_ox *m, const cop_ox_node *n, axis *a, const int32_t *which, int32_t count)
{
	const char *policy = cop__ox_s(m, n, "keep_aspect_ratio_policy", "stretch");
	double s = 0;

	if (!policy) return COP_NOMEM;
	if (!strcmp(policy, "stretch")) return COP_OK;
	for (int i = 0; i < count; i++) {
		double one = a[which[i]].scale;
		s = !i ? one : !strcmp(policy, "not_larger") ? fmin(s, one) : fmax(s, one);
	}
	for (int i = 0; i < count; i++) {
		a[which[i]].scale = s;
		a[which[i]].out = (int32_t)floor(s * a[which[i]].in + 0.5);
	}
	return COP_OK;
}

static cop_status sizes_of(cop_ox *m, const cop_ox_node *n, const cop_ox_value *x, axis *a)
{
	bool old = m->opset < 11 || !strcmp(n->type, "Upsample");
	const float *scales = NULL, *roi = NULL;
	float room[OX_MAX_DIM];
	const int64_t *sizes = NULL;
	int32_t n_scales = 0, n_sizes = 0, n_roi = 0, count, which[OX_MAX_DIM];

	COP_TRY(axes_of(m, n, x->rank, which, &count));
	if (cop__ox_has(n, "scales")) {
		n_scales = cop__ox_floats(m, n, "scales", room, OX_MAX_DIM);
		scales = room;
	} else {
		COP_TRY(cop__ox_known_floats(m, n, old ? 1 : 2, &scales, &n_scales));
	}
	if (!old) COP_TRY(cop__ox_known_floats(m, n, 1, &roi, &n_roi));
	if (!old) COP_TRY(cop__ox_known_ints(m, n, 3, &sizes, &n_sizes));
	bool by_size = n_sizes > 0;
	if (m->cx->code || (by_size ? n_sizes : n_scales) != count)
		return cop__ox_fail(m, n, "%d sizes or scales for %d axes", by_size ? n_sizes : n_scales, count);
	for (int i = 0; i < x->rank; i++) a[i] = (axis){.in = x->dim[i], .out = x->dim[i], .scale = 1, .to = 1};
	for (int i = 0; i < count; i++) {
		axis *k = &a[which[i]];
		double out = by_size ? (double)sizes[i] : floor((double)k->in * (double)scales[i]);
		if (!(out >= 1) || out > INT32_MAX) return cop__ox_fail(m, n, "axis %d gets a length of %g", which[i], out);
		k->out = (int32_t)out;
		k->sized = by_size;
		k->scale = by_size ? out / k->in : (double)scales[i];
		if (n_roi == 2 * count) k->from = (double)roi[i], k->to = (double)roi[count + i];
	}
	return by_size ? keep_aspect(m, n, a, which, count) : COP_OK;
}

cop_status cop__ox_add_resize(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	axis a[OX_MAX_DIM];
	how h;

	if (x->rank > COP_MAX_DIM) return cop__ox_fail(m, n, "%d dimensions, at most %d are supported", x->rank, COP_MAX_DIM);
	COP_TRY(read_how(m, n, &h));
	COP_TRY(sizes_of(m, n, x, a));
	cop_ox_layout l = cop__ox_prefers(x);
	cop_vid v = cop__ox_float(m, n, 0, l);
	for (int i = 0; v && i < x->rank; i++) {
		bool same = a[i].in == a[i].out && !(a[i].scale < 1 || a[i].scale > 1) && !(a[i].from > 0) && !(a[i].to < 1);
		if (!same) v = resample(m, n, &h, &a[i], v, cop__ox_axis_in(i, x->rank, l));
	}
	return cop__ox_set(m, n, 0, v ? fill_outside(m, &h, a, x->rank, l, v) : 0, l, 0);
}
