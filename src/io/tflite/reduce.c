/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce - means along any axes. Of floats those over neighbouring axes behind the first are average pools, for which there are
 * fast kernels; int8 is in qreduce.c.
 */
#include "io/tflite/tflite.h"

/* The axes as a set of bits. */
static cop_status axes_of(cop_tfl *m, const cop_tfl_node *n, int32_t rank, uint32_t *set)
{
	const int32_t *axis;
	int32_t count;

	*set = 0;
	COP_TRY(cop__tfl_ints(m, n, 1, &axis, &count));
	for (int32_t i = 0; i < count; i++) {
		int32_t a = axis[i] < 0 ? axis[i] + rank : axis[i];
		if (a < 0 || a >= rank) return cop__tfl_fail(m, n, "axis %d of %d dimensions", axis[i], rank);
		*set |= 1u << a;
	}
	return COP_OK;
}

/* [rest, h, w, channels] of neighbouring axes behind the first; false: they are not. */
static bool as_pictures(const cop_type *t, uint32_t set, int32_t *h, int32_t *w, int32_t *channels)
{
	int from = 0, to;

	for (; !(set >> from & 1); from++) {}
	for (to = from; set >> to & 1; to++) {}
	if (!from || set >> to) return false;
	*h = *w = *channels = 1;
	for (int i = from; i < to; i++) *(i == from ? h : w) *= t->dim[i];
	for (int i = to; i < t->rank; i++) *channels *= t->dim[i];
	return *h <= 65535 && *w <= 65535;
}

cop_status cop__tfl_mean(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0), y = x;
	bool keep = cop__fb_int(&n->options, REDUCER_KEEP_DIMS, 1, 0);
	int32_t h, w, c, out[COP_MAX_DIM], rank = 0;
	uint32_t set;

	if (!x) return m->cx->code;
	cop_type t = *cop__t(m->g, x);
	COP_TRY(axes_of(m, n, t.rank, &set));
	for (int i = 0; i < t.rank; i++)
		if (keep || !(set >> i & 1)) out[rank++] = set >> i & 1 ? 1 : t.dim[i];
	if (t.dtype == COP_I8 || t.dtype == COP_I16) return cop__tfl_int_reduce(m, n, x, set, keep);
	if (set && as_pictures(&t, set, &h, &w, &c)) {
		x = cop__tfl_as(m->g, x, 4, DIMS(-1, h, w, c));
		y = cop__apply(m->g, OP_avgpool, &(cop_pool_attr){h, w, h, w, 0, 0, 0, 0, 0}, VIDS(x));
		y = y ? cop__tfl_as(m->g, y, rank, out) : 0;
	} else if (set) {
		y = cop__apply(m->g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, (int32_t)set, keep}, VIDS(x));
	}
	return cop__tfl_set(m, n, 0, y);
}
