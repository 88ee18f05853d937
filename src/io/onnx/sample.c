/* SPDX-License-Identifier: Apache-2.0
 *
 * sample - GridSample of pictures and AffineGrid. Between pixels each axis has its taps (1, 2 or 4), an index and a
 * weight for each; a result is the sum over pairs of them, of pixels that are picked as rows [n h w,c].
 */
#include "io/onnx/onnx.h"

#include <math.h>

enum { ZEROS, BORDER, REFLECTION };

typedef struct taps { int n; cop_vid index[4], weight[4]; } taps; /* F32, [count,1] */
typedef struct sampling { int taps, beyond; bool corners; } sampling;

static cop_vid add(cop_ox *m, cop_vid a, float b) { return cop__ox_two_f(m, OP_add, a, b); }
static cop_vid times(cop_ox *m, cop_vid a, float b) { return cop__ox_two_f(m, OP_mul, a, b); }

/* A coordinate that is folded back at both ends as often as it goes beyond them. */
static cop_vid reflected(cop_ox *m, cop_vid x, int32_t size, bool corners)
{
	float lo = corners ? 0 : -0.5f, range = corners ? (float)(size - 1) : (float)size;

	if (size == 1 && corners) return times(m, x, 0);
	cop_vid far = cop__ox_two_f(m, OP_mod, cop__ox_map(m, MAP_ABS, 0, 0, add(m, x, -lo)), 2 * range);
	return add(m, cop__ox_two(m, OP_min, far, add(m, times(m, far, -1), 2 * range)), lo);
}

/* ((a t + b) t + c) t + d */
static cop_vid cubic(cop_ox *m, cop_vid t, float a, float b, float c, float d)
{
	cop_vid y = add(m, times(m, t, a), b);
	y = add(m, cop__ox_two(m, OP_mul, y, t), c);
	return add(m, cop__ox_two(m, OP_mul, y, t), d);
}

/* Keys' kernel with -0.75: of the pixels at -1, 0, 1 and 2 from where t is 0. */
static void weights_of(cop_ox *m, taps *p, cop_vid t)
{
	static const float keys[4][4] = {{-0.75f, 1.5f, -0.75f, 0}, {1.25f, -2.25f, 0, 1}, {-1.25f, 1.5f, 0.75f, 0},
		{0.75f, -0.75f, 0, 0}};

	if (p->n == 2) p->weight[0] = add(m, times(m, t, -1), 1), p->weight[1] = t;
	for (int i = 0; p->n == 4 && i < 4; i++) p->weight[i] = cubic(m, t, keys[i][0], keys[i][1], keys[i][2], keys[i][3]);
}

/* Where along an axis of `size` the coordinates -1 to 1 lie. */
static taps axis_of(cop_ox *m, const sampling *s, cop_vid at, int32_t size)
{
	taps p = {.n = s->taps};
	cop_vid x = s->corners ? times(m, add(m, at, 1), (float)(size - 1) / 2)
		: add(m, times(m, add(m, at, 1), (float)size / 2), -0.5f), from = x;

	if (s->taps < 4 && s->beyond == REFLECTION) x = reflected(m, x, size, s->corners);
	if (s->taps < 4 && s->beyond != ZEROS) x = cop__ox_clip(m, x, 0, (float)(size - 1));
	from = cop__ox_map(m, s->taps == 1 ? MAP_ROUND : MAP_FLOOR, 0, 0, x);
	if (s->taps > 1) weights_of(m, &p, cop__ox_two(m, OP_sub, x, from));
	for (int i = 0; i < s->taps; i++) {
		cop_vid k = s->taps > 1 ? add(m, from, (float)(i - (s->taps == 4))) : from, in;
		if (s->taps == 4 && s->beyond == REFLECTION) k = reflected(m, k, size, s->corners);
		p.index[i] = cop__ox_clip(m, k, 0, (float)(size - 1));
		if (s->beyond != ZEROS) continue;
		in = cop__ox_cast(m, cop__ox_two(m, OP_equal, k, p.index[i]), COP_F32); /* beyond the picture nothing counts */
		p.weight[i] = p.weight[i] ? cop__ox_two(m, OP_mul, p.weight[i], in) : in;
	}
	return p;
}

static cop_status sampling_of(cop_ox *m, const cop_ox_node *n, sampling *s)
{
	static const struct { const char *name; int taps; } modes[] = {{"nearest", 1}, {"linear", 2}, {"bilinear", 2},
		{"cubic", 4}, {"bicubic", 4}};
	static const char *const beyond[] = {"zeros", "border", "reflection"};
	const char *mode = cop__ox_s(m, n, "mode", "linear"), *pad = cop__ox_s(m, n, "padding_mode", "zeros");

	*s = (sampling){0, -1, cop__ox_i(n, "align_corners", 0) != 0};
	for (int i = 0; mode && i < LEN(modes); i++)
		if (!strcmp(mode, modes[i].name)) s->taps = modes[i].taps;
	for (int i = 0; pad && i < LEN(beyond); i++)
		if (!strcmp(pad, beyond[i])) s->beyond = i;
	return s->taps && s->beyond >= 0 ? COP_OK : cop__ox_fail(m, n, "mode '%s' or padding_mode '%s' is not supported",
		mode ? mode : "", pad ? pad : "");
}

/* Rows n h w of picture n, by index: [count]. */
static cop_vid rows_at(cop_ox *m, cop_vid y, cop_vid x, const int32_t *dim, int32_t count)
{
	int32_t *base = cop__ox_room(m, 4 * (size_t)count);
	cop_type t = cop__type(COP_I32, 2, DIMS(count, 1));

	for (int32_t i = 0; base && i < count; i++) base[i] = (int32_t)((int64_t)i / (count / dim[0]) * dim[2] * dim[3]);
	cop_vid at = cop__ox_cast(m, cop__ox_two(m, OP_add, times(m, y, (float)dim[3]), x), COP_I32);
	return base ? cop__ox_reshape(m, cop__ox_two(m, OP_add, at, cop__ox_const(m, "picture", COP_CONST, &t, base)), 1,
		&count) : 0;
}

cop_status cop__ox_add_grid_sample(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0), *g = cop__ox_in(m, n, 1);
	cop_vid sum = 0;
	sampling s;

	COP_TRY(sampling_of(m, n, &s));
	if (x->rank != 4 || g->rank != 4 || g->dim[3] != 2 || g->dim[0] != x->dim[0] || !cop__ox_count(x) ||
		!cop__ox_count(g) || (int64_t)x->dim[2] * x->dim[3] > 1 << 24)
		return cop__ox_fail(m, n, "pictures [n,c,h,w] of at most 2^24 pixels and a grid [n,h,w,2] are supported");
	int32_t count = (int32_t)(cop__ox_count(g) / 2);
	cop_vid grid = cop__ox_reshape(m, cop__ox_float(m, n, 1, OX_PLAIN), 2, DIMS(count, 2)),
		rows = cop__ox_reshape(m, cop__ox_float(m, n, 0, OX_LAST), 2, DIMS(x->dim[0] * x->dim[2] * x->dim[3], x->dim[1]));
	taps across = axis_of(m, &s, cop__ox_slice(m, grid, 1, 0, 1, 1), x->dim[3]),
		down = axis_of(m, &s, cop__ox_slice(m, grid, 1, 1, 1, 1), x->dim[2]);
	for (int i = 0; i < s.taps * s.taps; i++) {
		int ty = i / s.taps, tx = i % s.taps;
		cop_vid at = rows_at(m, down.index[ty], across.index[tx], x->dim, count), w = down.weight[ty];
		cop_vid part = at && rows ? cop__apply(m->g, OP_gather, &(cop_axis_attr){0}, VIDS(rows, at)) : 0;
		if (w) part = cop__ox_two(m, OP_mul, part, cop__ox_two(m, OP_mul, w, across.weight[tx]));
		sum = i ? cop__ox_two(m, OP_add, sum, part) : part;
	}
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, sum, 4, DIMS(x->dim[0], g->dim[1], g->dim[2], x->dim[1])), OX_LAST, 0);
}

/* theta [n,d,d+1] times the places of pixels, [..,d+1] with a 1 behind. */
cop_status cop__ox_add_affine_grid(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *theta = cop__ox_in(m, n, 0);
	bool corners = cop__ox_i(n, "align_corners", 0) != 0;
	const int64_t *size;
	int32_t count, dim[5] = {1};
	int64_t total = 1;

	COP_TRY(cop__ox_known_ints(m, n, 1, &size, &count));
	int d = count - 2;
	if (d < 2 || d > 3 || theta->rank != 3 || theta->dim[1] != d || theta->dim[2] != d + 1)
		return cop__ox_fail(m, n, "a size of %d numbers does not fit the matrices", count);
	for (int i = 0; i < d; i++) {
		if (size[2 + i] < 1 || size[2 + i] > 1 << 24 || (total *= size[2 + i]) > 1 << 24)
			return cop__ox_fail(m, n, "axis %d of the size is not positive, or there are more than 2^24 places", 2 + i);
		dim[1 + i] = (int32_t)size[2 + i];
	}
	float *at = cop__ox_room(m, 4 * (size_t)total * (size_t)(d + 1));
	for (int64_t i = 0; at && i < total; i++) {
		int64_t rest = i;
		at[i * (d + 1) + d] = 1;
		for (int k = d - 1; k >= 0; k--) { /* the last axis comes first */
			int64_t len = dim[1 + k], p = rest % len;
			at[i * (d + 1) + d - 1 - k] = corners ? (len > 1 ? -1 + 2 * (float)p / (float)(len - 1) : 0)
				: (float)(2 * p + 1) / (float)len - 1;
			rest /= len;
		}
	}
	cop_type t = cop__type(COP_F32, 2, DIMS((int32_t)total, d + 1));
	cop_vid turn = cop__ox_transpose(m, cop__ox_float(m, n, 0, OX_PLAIN), DIMS(0, 2, 1)),
		places = at ? cop__ox_const(m, "places", COP_CONST, &t, at) : 0;
	if (!turn || !places) return m->cx->code;
	cop_vid y = cop__ox_product(m, n,
		cop__ox_expand(m, cop__ox_reshape(m, places, 3, DIMS(1, (int32_t)total, d + 1)), 3,
		DIMS(theta->dim[0], (int32_t)total, d + 1)), turn);
	dim[0] = theta->dim[0], dim[d + 1] = d;
	return cop__ox_set(m, n, 0, cop__ox_reshape(m, y, d + 2, dim), OX_PLAIN, 0);
}
