/* SPDX-License-Identifier: Apache-2.0
 *
 * index - names to numbers, by open addressing: a table that is at most half full, of numbers and a part of each name's hash. It keeps no
 * names: whoever asks compares the candidates, and passes over those that go by another name by now.
 */
#include "core/core.h"

static void insert(cop_index *x, uint32_t hash, uint32_t number)
{
	uint32_t at = hash & (x->cap - 1);

	while (x->slot[at].number) at = (at + 1) & (x->cap - 1);
	x->slot[at].hash = hash, x->slot[at].number = number;
	x->n++;
}

cop_status cop__index_put(cop_index *x, cop_ctx *cx, const char *name, uint32_t number)
{
	cop_index more = {.cap = x->cap ? 2 * x->cap : 64};

	if (x->lost) return COP_OK;
	if (2 * (x->n + 1) > x->cap) {
		if (!(more.slot = cop__alloc(cx, sizeof *more.slot * more.cap))) {
			cop__index_free(x, cx);
			x->lost = true;
			return COP_NOMEM;
		}
		for (uint32_t i = 0; i < x->cap; i++)
			if (x->slot[i].number) insert(&more, x->slot[i].hash, x->slot[i].number);
		cop__free(cx, x->slot);
		*x = more;
	}
	insert(x, cop__hash_text(name), number);
	return COP_OK;
}

uint32_t cop__index_next(const cop_index *x, cop_index_at *at, const char *name)
{
	if (!x->cap) return 0;
	if (!at->begun) *at = (cop_index_at){cop__hash_text(name), cop__hash_text(name), true};
	for (;;) {
		cop_index_slot s = x->slot[at->slot++ & (x->cap - 1)];
		if (!s.number || s.hash == at->hash) return s.number;
	}
}

void cop__index_free(cop_index *x, cop_ctx *cx)
{
	cop__free(cx, x->slot);
	*x = (cop_index){0};
}
