/* SPDX-License-Identifier: Apache-2.0
 *
 * tflite_reduce - means, as average pools over neighbouring axes taken together.
 */
#include "io/tflite.h"
#include "op/qscale.h"

/* The axes as a run [from, to); they must be neighbours and leave the first one alone. */
static cop_status run_of_axes(cop_tfl *m, const cop_tfl_node *n, int32_t rank, int32_t *from, int32_t *to)
{
	const int32_t *axis;
	int32_t count;
	unsigned set = 0;

	COP_TRY(cop__tfl_ints(m, n, 1, &axis, &count));
	for (int32_t i = 0; i < count; i++) {
		int32_t a = axis[i] < 0 ? axis[i] + rank : axis[i];
		if (a < 0 || a >= rank) return cop__tfl_fail(m, n, "axis %d of %d dimensions", axis[i], rank);
		set |= 1u << a;
	}
	for (*from = 0; *from < rank && !(set >> *from & 1);) ++*from;
	for (*to = *from; *to < rank && (set >> *to & 1);) ++*to;
	if (!set || *from == 0 || set >> *to) return cop__tfl_fail(m, n, "the mean is supported over neighbouring axes behind the first one");
	return COP_OK;
}

/* Multiplier and shift of sx / (sy * cells), as TFLite derives them from those of sx / sy. */
static cop_status int_mean(cop_tfl *m, const cop_tfl_node *n, int64_t cells, cop_qavgpool_attr *q)
{
	int32_t mult, shift, more = 0;
	float sx, sy;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &q->zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q->zy));
	cop__multiplier_double(&mult, &shift, (double)sx / (double)sy);
	while (cells >> (more + 1)) more++;
	more = COP_MIN(more, 31 + shift);
	q->m = (int32_t)(((int64_t)mult << more) / cells);
	q->s = shift - more;
	q->qlo = -128;
	q->qhi = 127;
	return q->m ? COP_OK : cop__tfl_fail(m, n, "the input's scale is too small a part of the output's");
}

cop_status cop__tfl_mean(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0), y;
	int32_t from = 0, to = 0, out[COP_MAX_DIM], rank = 0, inner = 1, cells = 1;

	if (!x) return m->cx->code;
	cop_type t = *cop__t(m->g, x);
	COP_TRY(run_of_axes(m, n, t.rank, &from, &to));
	bool keep = cop__fb_int(&n->options, REDUCER_KEEP_DIMS, 1, 0), picture = t.rank == 4 && from == 1 && to == 3;
	for (int i = 0; i < t.rank; i++) {
		if (i < from || i >= to || keep) out[rank++] = i < from || i >= to ? t.dim[i] : 1;
		if (i >= from && i < to) cells *= t.dim[i];
		if (i >= to) inner *= t.dim[i];
	}
	int32_t h = picture ? t.dim[1] : cells, w = picture ? t.dim[2] : 1;
	x = cop__tfl_as(m->g, x, 4, DIMS(-1, h, w, inner));
	if (t.dtype == COP_I8) {
		cop_qavgpool_attr q = {h, w, h, w, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
		COP_TRY(int_mean(m, n, cells, &q));
		y = cop__apply(m->g, OP_qavgpool, &q, VIDS(x));
	} else {
		y = cop__apply(m->g, OP_avgpool, &(cop_pool_attr){h, w, h, w, 0, 0, 0, 0, 0}, VIDS(x));
	}
	return cop__tfl_set(m, n, 0, cop__tfl_as(m->g, y, rank, out));
}
