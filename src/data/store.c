/* SPDX-License-Identifier: Apache-2.0
 *
 * store - decoded samples in memory, the one thing behind every cop_dataset of ours; and which samples a
 * split is. 8-bit sets stay 8 bits: x = lut[code], so scaling costs nothing later.
 */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>

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

static cop_status get_target(void *ud, int32_t i, float *y)
{
	cop_store *s = ud;

	if (i < 0 || i >= s->d.count) return cop__error(s->cx, COP_ARG, "%s: sample %d of %d was asked for", s->name, i, s->d.count);
	COP_TRY(cop__store_fill(s, i)); /* its targets, too */
	memcpy(y, s->target + (size_t)i * (size_t)s->d.targets, sizeof *y * (size_t)s->d.targets);
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
	cop__free(s->cx, s->target);
	cop__names_free(&s->classes);
	cop__names_free(&s->targets);
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
	memcpy(s->note, all->note, sizeof s->note);
	s->d.note = *s->note ? s->note : NULL;
	if (all->classes.count) COP_TRY(cop__store_classes(s, &all->classes));
	if (!all->d.targets) return COP_OK;
	COP_TRY(cop__store_targets(s, &all->targets));
	const size_t n = (size_t)s->d.targets;
	for (int32_t i = 0; i < count; i++) memcpy(s->target + (size_t)i * n, all->target + (size_t)order[from + i] * n, n * sizeof *s->target);
	return COP_OK;
}

/* ---- names ---- */

static cop_status copy_names(cop_names *to, cop_ctx *cx, const cop_names *from)
{
	cop__names_free(to);
	cop__names_init(to, cx);
	to->by_number = from->by_number;
	for (int32_t i = 0; i < from->count; i++) COP_TRY(cop__names_add(to, from->at[i]));
	return COP_OK;
}

cop_status cop__store_classes(cop_store *s, const cop_names *n)
{
	if (n != &s->classes) COP_TRY(copy_names(&s->classes, s->cx, n));
	s->d.classes = n->count;
	s->d.class_name = (const char *const *)s->classes.at;
	return COP_OK;
}

/* The i-th word; its length, 0 past the end. */
static size_t word_at(const char **at, const char *words, long i)
{
	const char *p = words;

	for (; i > 0 && *p; i--) p += strcspn(p, " "), p += *p == ' ';
	*at = p;
	return i < 0 ? 0 : strcspn(p, " ");
}

cop_status cop__store_class_list(cop_store *s, const char *words)
{
	cop_names numbers = s->classes;
	const char *p;
	char word[64];
	cop_status st = COP_OK;

	cop__names_init(&s->classes, s->cx);
	for (int32_t i = 0; !st && (!numbers.count || i < numbers.count); i++) {
		size_t n = word_at(&p, words, numbers.count ? strtol(numbers.at[i], NULL, 10) : i);
		if (!n && !numbers.count) break;
		if (!n) snprintf(word, sizeof word, "%s", numbers.at[i]);
		else snprintf(word, sizeof word, "%.*s", (int)n, p);
		st = cop__names_add(&s->classes, word);
	}
	cop__names_free(&numbers);
	return st ? st : cop__store_classes(s, &s->classes);
}

static int ascending(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

cop_status cop__store_class_numbers(cop_store *s, const int32_t *seen, int32_t all)
{
	int32_t *sorted = cop__alloc(s->cx, sizeof *sorted * (size_t)COP_MAX(all, 1)), n = 0;
	char text[16];
	cop_status st = sorted ? COP_OK : COP_NOMEM;

	if (!st) memcpy(sorted, seen, sizeof *sorted * (size_t)all), qsort(sorted, (size_t)all, sizeof *sorted, ascending);
	for (int32_t i = 0; !st && i < all; i++)
		if (!n || sorted[n - 1] != sorted[i]) sorted[n++] = sorted[i];
	cop__names_free(&s->classes);
	cop__names_init(&s->classes, s->cx);
	s->classes.by_number = true;
	for (int32_t i = 0; !st && i < n; i++) {
		snprintf(text, sizeof text, "%d", sorted[i]);
		st = cop__names_add(&s->classes, text);
	}
	for (int32_t i = 0; !st && i < s->d.count; i++) {
		const int32_t *at = bsearch(&s->label[i], sorted, (size_t)n, sizeof *sorted, ascending);
		s->label[i] = at ? (int32_t)(at - sorted) : -1;
	}
	cop__free(s->cx, sorted);
	return st ? st : cop__store_classes(s, &s->classes);
}

cop_status cop__store_targets(cop_store *s, const cop_names *n)
{
	if (n != &s->targets) COP_TRY(copy_names(&s->targets, s->cx, n));
	s->target = cop__alloc(s->cx, sizeof *s->target * (size_t)COP_MAX(s->cap, 1) * (size_t)n->count);
	if (!s->target) return COP_NOMEM;
	s->d.targets = n->count;
	s->d.target_name = (const char *const *)s->targets.at;
	s->d.target = get_target;
	return COP_OK;
}

void cop__store_say(cop_store *s, const char *fmt, ...)
{
	size_t at = strlen(s->note);
	va_list ap;

	if (at + 2 >= sizeof s->note) return;
	if (at) s->note[at++] = '\n';
	va_start(ap, fmt);
	cop__vformat(s->note + at, sizeof s->note - at, fmt, ap);
	va_end(ap);
	s->d.note = s->note;
}

/* ---- splits ---- */

cop_status cop__split_parse(int *out, cop_ctx *cx, const char *text)
{
	static const struct { const char *text; int split; } known[] = {
		{"train", COP_SPLIT_TRAIN}, {"valid", COP_SPLIT_VALID}, {"test", COP_SPLIT_TEST},
		{"train+valid", COP_SPLIT_TRAIN | COP_SPLIT_VALID}, {"all", COP_SPLIT_ALL}};

	for (int i = 0; i < LEN(known); i++)
		if (!strcmp(text, known[i].text)) {
			*out = known[i].split;
			return COP_OK;
		}
	cop_hint hint;
	return cop__error(cx, COP_ARG, "split '%s' is not known; there are train, valid, test, train+valid and all%s", text,
		cop__hint_in(&hint, text, strlen(text), "train valid test train+valid all"));
}

cop_status cop__no_all(cop_ctx *cx, const char *path)
{
	return cop__error(cx, COP_ARG, "%s: split 'all' is for sets without parts of their own; this one has train, valid, test and train+valid", path);
}

static int32_t limited(const cop_want *w, int32_t n) { return w->limit > 0 ? COP_MIN(w->limit, n) : n; }

/* Of n training samples; at least one on either side, where a part is asked for. */
static int32_t held_out(const cop_want *w, int32_t n)
{
	if (!(w->valid > 0)) return n / 12;
	return COP_MAX(COP_MIN((int32_t)((double)w->valid * n + 0.5), n - 1), COP_MIN(1, n));
}

void cop__split_range(int32_t *from, int32_t *count, const cop_want *w, int32_t n)
{
	int32_t valid = w->split & COP_SPLIT_TEST ? 0 : held_out(w, n);

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

	if (w->split == COP_SPLIT_ALL) { /* of a single file: in its own order */
		for (int32_t i = 0; i < n; i++) order[i] = i;
		*from = 0;
		*count = limited(w, n);
		return;
	}
	cop__split_shuffle(order, n);
	cop__split_range(from, count, w, w->split & COP_SPLIT_TEST ? test : n - test);
	if (w->split & COP_SPLIT_TEST) *from += n - test;
}
