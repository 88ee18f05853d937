/* SPDX-License-Identifier: Apache-2.0
 *
 * moved - lets a score add up gradients and weights over the steps of a training (Sanh et al. 2020, arXiv 2005.07683).
 * The gradient is that of the weight before the mask, and the weight of what has gone is the value that it went with,
 * put aside: so its sum goes on, and it can come back.
 */
#include "compress/prune/pruner.h"

cop_status cop__held(float **x, const cop_progress *p, cop_handle h)
{
	cop_tensor t;

	COP_TRY(cop__trainer_tensor(p->t, h, &t));
	*x = t.data;
	return COP_OK;
}

cop_status cop__moved_build(cop_pruner *p, cop_build *b, int32_t layer)
{
	const cop_pruned *l = &p->it.layer[layer];
	cop_held *h = &p->held[layer];
	const cop_type *t = cop__t(p->g, cop__find(p->g, l->name));
	char name[2][COP_FOLLOWER];

	COP_TRY(cop__follower_name(name[0], p->it.cx, l->name, "aside"));
	COP_TRY(cop__follower_name(name[1], p->it.cx, l->name, "moved"));
	if (!(h->aside = cop__build_state(b, name[0], t, NULL, l->name))) return cop__failed(p->it.cx);
	if (l->follows) return COP_OK;
	if (!(h->moved = cop__build_state(b, name[1], t, NULL, l->name)) || !(h->gradient = cop__build_gradient(b, l->name))) return cop__failed(p->it.cx);
	return COP_OK;
}

cop_status cop__moved_before(cop_pruner *p, const cop_progress *m)
{
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		float *w, *aside, *mask;
		if (l->follows) continue;
		COP_TRY(cop__held(&w, m, p->held[i].weight));
		COP_TRY(cop__held(&mask, m, p->held[i].mask));
		COP_TRY(cop__held(&aside, m, p->held[i].aside));
		for (int64_t j = 0; j < l->count; j++) p->weight[l->offset + j] = mask[j] != 0 ? w[j] : aside[j];
	}
	return COP_OK;
}

cop_status cop__moved_after(cop_pruner *p, const cop_progress *m)
{
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		float *moved, *d;
		if (l->follows) continue;
		COP_TRY(cop__held(&moved, m, p->held[i].moved));
		COP_TRY(cop__held(&d, m, p->held[i].gradient));
		p->by->move(moved, d, p->weight + l->offset, l->count, p->o->by.o.bytes);
	}
	return COP_OK;
}

cop_status cop__moved_gather(cop_pruner *p, const cop_progress *m)
{
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		float *moved;
		if (l->follows) continue;
		COP_TRY(cop__held(&moved, m, p->held[i].moved));
		memcpy(p->moved + l->offset, moved, sizeof *moved * (size_t)l->count);
	}
	for (int64_t k = 0; k < p->it.n; k++) p->mask[k] = 1;
	return COP_OK;
}

cop_status cop__moved_scatter(cop_pruner *p, const cop_progress *m)
{
	for (int32_t i = 0; i < p->it.n_layer; i++) {
		const cop_pruned *l = &p->it.layer[i];
		float *w, *aside, *mask;
		COP_TRY(cop__held(&w, m, p->held[i].weight));
		COP_TRY(cop__held(&mask, m, p->held[i].mask));
		COP_TRY(cop__held(&aside, m, p->held[i].aside));
		for (int64_t j = 0; j < l->count; j++) {
			int64_t k = cop__item_of(&p->it, l, j);
			bool stays = k < 0 || p->mask[k] != 0;
			if (!stays && mask[j] != 0) aside[j] = w[j];
			if (stays && mask[j] == 0) w[j] = aside[j], mask[j] = 1;
		}
	}
	return COP_OK;
}
