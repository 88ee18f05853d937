/* SPDX-License-Identifier: Apache-2.0
 *
 * cast - numbers of one format as numbers of another. Scales play no part: of a tensor that has one, the stored integers are
 * converted, as TFLite does.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

/* What the file's integers are: uint8 with a scale lies in the graph as int8, 128 lower. */
static bool is_flipped(const cop_tfl_tensor *t) { return t->file_type == TFL_UINT8 && cop__tfl_is(t, COP_I8); }

static cop_vid cast(cop_graph *g, cop_vid x, cop_dtype to)
{
	if (!x || cop__t(g, x)->dtype == to) return x;
	cop_dtype from = cop__t(g, x)->dtype;
	bool bytes = (from == COP_I8 && to == COP_U8) || (from == COP_U8 && to == COP_I8);
	if (bytes) x = cop__apply(g, OP_cast, &(cop_cast_attr){COP_I32}, VIDS(x));
	return x ? cop__apply(g, OP_cast, &(cop_cast_attr){(int32_t)to}, VIDS(x)) : 0;
}

/* 1 where x is not 0, and where it is no number. */
static cop_vid truth(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	static const cop_map_attr not = {MAP_NOT, 0, 0};
	static const int32_t nothing; /* a float's 0 too */
	cop_vid y = 0;

	if (cop__t(m->g, x)->dtype == COP_I8) x = cast(m->g, x, COP_I32);
	if (!x) return 0;
	cop_type one = cop__type(cop__t(m->g, x)->dtype, 1, DIMS(1));
	if (one.dtype == COP_U8) y = cop__apply(m->g, OP_map, &not, VIDS(x));
	else y = cop__apply(m->g, OP_equal, NULL, VIDS(x, cop__tfl_weight(m, n, COP_CONST, "zero", &one, &nothing)));
	return y ? cop__apply(m->g, OP_map, &not, VIDS(y)) : 0;
}

cop_status cop__tfl_cast(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *x = cop__tfl_in(m, n, 0), *y = cop__tfl_out(m, n, 0);
	const void *data = x ? cop__tfl_data(m, x) : NULL;
	bool bools = y->file_type == TFL_BOOL && x && x->file_type != TFL_BOOL;

	COP_TRY(m->cx->code);
	if (data && !bools && y->type.dtype == x->type.dtype && is_flipped(x) == is_flipped(y)) return cop__tfl_know(m, n, 0, x->type.rank, x->type.dim, data);
	cop_vid v = cop__tfl_value(m, n, 0);
	if (!v) return m->cx->code;
	if (!y->type.dtype || cop__t(m->g, v)->dtype > COP_U8) return cop__tfl_fail(m, n, "from tensor type %d to %d is not supported", x->file_type, y->file_type);
	if (is_flipped(x)) v = cop__flip_bytes(m->g, "cast.table", v, COP_U8);
	if (v) v = bools ? truth(m, n, v) : cast(m->g, v, is_flipped(y) ? COP_U8 : y->type.dtype);
	return cop__tfl_set(m, n, 0, v && is_flipped(y) ? cop__flip_bytes(m->g, "cast.table", v, COP_I8) : v);
}
