/* SPDX-License-Identifier: Apache-2.0
 *
 * space - elements between space, channels and batch. A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND is one
 * with dilation, as old Keras wrote it: the first remembers what it was made of (cop_tfl_tensor.apart), and only who reads
 * it otherwise makes it.
 */
#include "io/tflite/tflite.h"

cop_status cop__tfl_depth(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t b = cop__fb_int(&n->options, DEPTH_BLOCK, 4, 0);
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	const cop_type *t = cop__t(m->g, x);
	if (t->rank != 4 || b < 1 || b > 1 << 12) return cop__tfl_fail(m, n, "%d dimensions in blocks of %d; 4 are expected", t->rank, b);
	bool apart = n->code == TFL_DEPTH_TO_SPACE;
	if (apart ? t->dim[3] % (b * b) : t->dim[1] % b || t->dim[2] % b)
		return cop__tfl_fail(m, n, "[%d,%d,%d,%d] does not divide into blocks of %d", t->dim[0], t->dim[1], t->dim[2],
			t->dim[3], b);
	COP_TRY(cop__tfl_same_scale(m, n, 0));
	return cop__tfl_set(m, n, 0, apart ? cop__make_depth_to_space(m->g, x, b, false) : cop__make_space_to_depth(m->g, x, b));
}

/* ---- space and batch ---- */

/* Block and borders of 1 or 2 axes behind the first one: input 1 and input 2. */
static cop_status blocks(cop_tfl *m, const cop_tfl_node *n, int32_t rank, cop_tfl_apart *p, const int32_t **border)
{
	const int32_t *b;
	int32_t axes, count;

	COP_TRY(cop__tfl_ints(m, n, 1, &b, &axes));
	COP_TRY(cop__tfl_ints(m, n, 2, border, &count));
	if ((rank != 3 && rank != 4) || axes != rank - 2 || count != 2 * axes)
		return cop__tfl_fail(m, n,
			"%d dimensions in blocks along %d axes; 3 and 4 are supported, with a block for each but the first and the last",
			rank, axes);
	*p = (cop_tfl_apart){.axes = axes};
	for (int i = 0; i < axes; i++) {
		if (b[i] < 1 || b[i] > 1 << 12 || (*border)[2 * i] < 0 || (*border)[2 * i + 1] < 0 || (*border)[2 * i] > 1 << 20 || (*border)[2 * i + 1] > 1 << 20)
			return cop__tfl_fail(m, n, "axis %d: blocks of %d with borders %d and %d", i + 1, b[i], (*border)[2 * i], (*border)[2 * i + 1]);
		p->block[i] = b[i];
	}
	return COP_OK;
}

cop_status cop__tfl_set_apart(cop_tfl *m, const cop_tfl_node *n, const cop_tfl_apart *p)
{
	cop_tfl_tensor *y = cop__tfl_out(m, n, 0);
	const cop_type *t = cop__t(m->g, p->x);

	if (y->v || y->apart.x || y->bytes.n || y->data || y->type.dtype != t->dtype)
		return cop__tfl_fail(m, n, "tensor '%s' has contents or another number format already", y->name);
	y->apart = *p;
	y->type.rank = t->rank;
	y->type.dim[0] = t->dim[0];
	for (int i = 0; i < p->axes; i++) {
		if (t->dim[i + 1] % p->block[i]) return cop__tfl_fail(m, n, "axis %d of length %d does not divide into blocks of %d", i + 1, t->dim[i + 1], p->block[i]);
		y->type.dim[0] *= p->block[i];
		y->type.dim[i + 1] = t->dim[i + 1] / p->block[i];
	}
	y->type.dim[t->rank - 1] = t->dim[t->rank - 1];
	return COP_OK;
}

cop_status cop__tfl_space_to_batch(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *in = cop__tfl_in(m, n, 0);
	cop_vid x = cop__tfl_value(m, n, 0);
	cop_pad_attr pad = {.value = 0};
	const int32_t *border;
	cop_tfl_apart p;
	bool any = false;
	int32_t zero;
	float scale;

	if (!x) return m->cx->code;
	cop_type t = *cop__t(m->g, x);
	COP_TRY(blocks(m, n, t.rank, &p, &border));
	for (int i = 0; i < p.axes; i++) {
		pad.before[i + 1] = border[2 * i];
		pad.after[i + 1] = border[2 * i + 1];
		any |= border[2 * i] || border[2 * i + 1];
		t.dim[i + 1] += border[2 * i] + border[2 * i + 1];
		if (t.dim[i + 1] % p.block[i]) return cop__tfl_fail(m, n, "axis %d of length %d does not divide into blocks of %d", i + 1, t.dim[i + 1], p.block[i]);
	}
	if (any && t.dtype == COP_I8) {
		COP_TRY(cop__tfl_scale(m, n, in, &scale, &zero));
		pad.value = (float)zero;
	}
	COP_TRY(cop__tfl_same_scale(m, n, 0));
	if (any && !(x = cop__apply(m->g, OP_pad, &pad, VIDS(x)))) return m->cx->code;
	p.x = x;
	return cop__tfl_set_apart(m, n, &p);
}

/* What a dilated convolution left stands in space already. */
cop_status cop__tfl_batch_to_space(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *in = cop__tfl_in(m, n, 0);
	const int32_t *border;
	cop_tfl_apart p;

	if (!in) return cop__tfl_fail(m, n, "input 0 is missing");
	cop_vid x = in->apart.x ? in->apart.x : cop__tfl_value(m, n, 0);
	if (!x) return m->cx->code;
	COP_TRY(blocks(m, n, cop__t(m->g, x)->rank, &p, &border));
	COP_TRY(cop__tfl_same_scale(m, n, 0));
	if (in->apart.x && memcmp(in->apart.block, p.block, sizeof p.block)) {
		x = cop__tfl_value(m, n, 0);
		in->apart.x = 0;
	}
	if (!in->apart.x) {
		int32_t all = p.block[0] * (p.axes > 1 ? p.block[1] : 1);
		if (x && cop__t(m->g, x)->dim[0] % all) return cop__tfl_fail(m, n, "a batch of %d does not divide into blocks of %d", cop__t(m->g, x)->dim[0], all);
		x = x ? cop__tfl_from_batch(m->g, x, &p) : 0;
	}
	for (int i = 0; x && i < p.axes; i++) {
		int32_t left = cop__t(m->g, x)->dim[i + 1] - border[2 * i] - border[2 * i + 1];
		if (left < 1) return cop__tfl_fail(m, n, "nothing is left of axis %d", i + 1);
		x = cop__make_slice(m->g, x, i + 1, border[2 * i], left, 1);
	}
	return cop__tfl_set(m, n, 0, x);
}
