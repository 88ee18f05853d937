/* SPDX-License-Identifier: Apache-2.0
 *
 * store - decoded samples in memory, the one thing behind every cop_dataset of ours; and which samples a
 * split is. 8-bit sets stay 8 bits: x = lut[code], so scaling costs nothing later.
 */
#include "data/data.h"

#include <stdio.h>

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	cop_store *s = ud;

	if (i < 0 || i >= s->d.count)
		return cop__error(s->cx, COP_ARG, "%s: sample %d of %d was asked for", s->name, i, s->d.count);
	COP_TRY(cop__store_fill(s, i));
	if (s->code) {
		const uint8_t *c = s->code + (size_t)i * s->each;
		for (int32_t k = 0; k < s->each; k++) x[k] = s->lut[c[k]];
	} else {
		memcpy(x, s->value + (size_t)i * s->each, (size_t)s->each * sizeof *x);
	}
	*label = s->label[i];
	return COP_OK;
}

static void free_it(void *ud) { cop__store_free(ud); }

cop_status cop__store_new(cop_store **out, cop_ctx *cx, const char *name)
{
	cop_store *s = *out = cop__alloc(cx, sizeof *s);

	if (!s) return COP_NOMEM;
	s->cx = cx;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->d = (cop_dataset){
	        .name = s->name, .x = {.dtype = COP_F32, .q.axis = -1}, .get = get, .free = free_it, .ud = s};
	for (int i = 0; i < 256; i++) s->lut[i] = (float)i / 255.0f;
	return COP_OK;
}

void cop__store_free(cop_store *s)
{
	if (!s) return;
	cop__free(s->cx, s->code);
	cop__free(s->cx, s->value);
	cop__free(s->cx, s->label);
	cop__free(s->cx, s->have);
	cop__free(s->cx, s);
}

cop_store *cop__store_of(cop_dataset *d) { return d->get == get ? d->ud : NULL; }

cop_status cop__store_shape(cop_store *s, int32_t rank, const int32_t *dim, bool reals)
{
	int64_t each = 1;

	if (rank < 1 || rank > 3)
		return cop__error(s->cx, COP_SHAPE, "%s: a sample has rank %d, 1 to 3 is expected", s->name, rank);
	for (int i = 0; i < rank; i++) {
		if (dim[i] < 1 || dim[i] > COP_DATA_EACH)
			return cop__error(s->cx, COP_SHAPE, "%s: axis %d of a sample is %d long, 1 to %d is expected",
			        s->name, i, dim[i], COP_DATA_EACH);
		each *= dim[i];
		if (each > COP_DATA_EACH)
			return cop__error(
			        s->cx, COP_SHAPE, "%s: a sample has more than %d elements", s->name, COP_DATA_EACH);
		s->d.x.dim[i] = dim[i];
	}
	s->d.x.rank = rank;
	s->each = (int32_t)each;
	s->cap = reals ? -1 : 0; /* until there is room: what the room is of */
	return COP_OK;
}

cop_status cop__store_room(cop_store *s, int32_t count)
{
	bool reals = s->cap < 0;
	size_t one = (size_t)s->each * (reals ? sizeof(float) : 1), n = (size_t)COP_MAX(count, 1);

	if (count < 0 || n > COP_DATA_BYTES / one)
		return cop__error(s->cx, COP_NOMEM,
		        "%s: %d samples of %d elements are more than the %zu MiB that are held in memory; use a limit",
		        s->name, count, s->each, COP_DATA_BYTES >> 20);
	if (reals) s->value = cop__alloc(s->cx, n * one);
	else s->code = cop__alloc(s->cx, n * one);
	s->label = cop__alloc(s->cx, n * sizeof *s->label);
	if (!(reals ? (void *)s->value : (void *)s->code) || !s->label) return COP_NOMEM;
	s->cap = s->d.count = count;
	return COP_OK;
}

/* Callers on several threads ask for different i, or for one that is there. */
cop_status cop__store_fill(cop_store *s, int32_t i)
{
	if (!s->make || s->have[i]) return COP_OK;
	size_t at = (size_t)i * s->each;
	COP_TRY(s->make(s, i, s->code ? s->code + at : NULL, s->value ? s->value + at : NULL, &s->label[i]));
	s->have[i] = 1;
	return COP_OK;
}

cop_status cop__store_pick(cop_store *s, const cop_store *all, const int32_t *order, int32_t from, int32_t count)
{
	size_t one = (size_t)all->each * (all->value ? sizeof(float) : 1);

	COP_TRY(cop__store_shape(s, all->d.x.rank, all->d.x.dim, all->value));
	COP_TRY(cop__store_room(s, count));
	memcpy(s->lut, all->lut, sizeof s->lut);
	for (int32_t i = 0; i < count; i++) {
		size_t k = (size_t)order[from + i];
		if (all->value) memcpy(s->value + (size_t)i * s->each, all->value + k * s->each, one);
		else memcpy(s->code + (size_t)i * s->each, all->code + k * s->each, one);
		s->label[i] = all->label[k];
	}
	s->d.classes = all->d.classes;
	return COP_OK;
}

/* ---- splits ---- */

cop_status cop__split_parse(int *out, cop_ctx *cx, const char *text)
{
	static const struct { const char *text; int split; } known[] = {
		{"train", COP_SPLIT_TRAIN}, {"valid", COP_SPLIT_VALID}, {"test", COP_SPLIT_TEST},
		{"train+valid", COP_SPLIT_TRAIN | COP_SPLIT_VALID}};

	for (int i = 0; i < LEN(known); i++)
		if (!strcmp(text, known[i].text)) {
			*out = known[i].split;
			return COP_OK;
		}
	return cop__error(cx, COP_ARG, "split '%s' is not known; there are train, valid, test and train+valid", text);
}

static int32_t limited(const cop_want *w, int32_t n) { return w->limit > 0 ? COP_MIN(w->limit, n) : n; }

void cop__split_range(int32_t *from, int32_t *count, const cop_want *w, int32_t n)
{
	int32_t valid = w->split & COP_SPLIT_TEST ? 0 : n / 12;

	*from = w->split == COP_SPLIT_VALID ? n - valid : 0;
	*count = limited(w, w->split == COP_SPLIT_VALID ? valid : w->split == COP_SPLIT_TRAIN ? n - valid : n);
}

void cop__split_shuffle(int32_t *order, int32_t n)
{
	for (int32_t i = 0; i < n; i++) order[i] = i;
	cop__shuffle(order, n, 1, cop__hash_text("data.split"));
}

void cop__split_mixed(int32_t *order, int32_t *from, int32_t *count, const cop_want *w, int32_t n)
{
	int32_t test = n / 6;

	cop__split_shuffle(order, n);
	cop__split_range(from, count, w, w->split & COP_SPLIT_TEST ? test : n - test);
	if (w->split & COP_SPLIT_TEST) *from += n - test;
}
