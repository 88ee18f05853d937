/* SPDX-License-Identifier: Apache-2.0
 *
 * turned - see turned.h.
 */
#include "data/turned.h"

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_turned *t = ud;
	const int32_t *d = t->d.x.dim, cells = d[1] * d[2]; /* [c,h,w] */
	float *last = cop__alloc(t->cx, sizeof *last * (size_t)d[0] * (size_t)cells); /* samples may be asked for at the same time */

	if (!last) return COP_NOMEM;
	cop_status st = t->of->get(t->of->ud, i, last, label);
	for (int32_t c = 0; !st && c < d[0]; c++)
		for (int32_t k = 0; k < cells; k++) x[(size_t)c * (size_t)cells + (size_t)k] = last[(size_t)k * (size_t)d[0] + (size_t)c];
	cop__free(t->cx, last);
	return st;
}

cop_dataset *cop__data_turned(cop_turned *room, cop_ctx *cx, cop_dataset *d, const cop_type *in)
{
	const int32_t *x = d->x.dim, *n = in->dim;
	bool images = d->x.rank == 3 && in->rank == 4, last = images && n[1] == x[0] && n[2] == x[1] && n[3] == x[2];

	if (!images || last || x[2] == 1 || n[1] != x[2] || n[2] != x[0] || n[3] != x[1]) return d;
	*room = (cop_turned){*d, d, cx};
	room->d.x.dim[0] = n[1], room->d.x.dim[1] = n[2], room->d.x.dim[2] = n[3];
	room->d.get = get;
	room->d.free = NULL;
	room->d.ud = room;
	return &room->d;
}
