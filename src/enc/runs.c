/* SPDX-License-Identifier: Apache-2.0
 *
 * runs - weights to the adaptive code that kernel/runs.h describes. How numbers are coded best is tried, for runs of zeros, then for sizes: higher first classes, as
 * long as they make the code shorter.
 */
#include "enc/runs.h"
#include "enc/code.h"
#include "enc/range.h"
#include "kernel/runs.h"

/* The highest first classes that are tried, on so many numbers; classes of sizes up to 127. */
enum { GAP_FIRST = 4, SIZE_FIRST = 6, TRIED = 1 << 14, SIZE_CLASSES = 8 };

/* A number that is not zero, and the zeros before it. */
typedef struct kept { uint32_t zeros; int32_t value; } kept;
typedef struct list { kept *at; uint32_t n, last; } list; /* last: zeros at the end */

/* All estimates, and how many numbers were seen. */
typedef struct model {
	uint16_t sign[CODED_SIGNS], gap[2 * CODED_GAP_CLASSES], size[1 << SIZE_CLASSES];
	cop_runs_shape gaps, sizes;
	uint32_t rate;
} model;

static void put_bit(cop_range *r, const model *m, uint16_t *estimate, int bit)
{
	cop__range_at(r, cop_runs_bound(r->range, *estimate), bit);
	*estimate = (uint16_t)cop_runs_learned(*estimate, bit, m->rate);
}

static uint32_t class_of(uint32_t n, uint32_t first)
{
	uint32_t c = first;
	while ((n + (1u << first)) >> c > 1) c++;
	return c;
}

static void put_number(cop_range *r, const model *m, uint16_t *estimate, cop_runs_shape s, uint32_t n)
{
	uint32_t v = n + (1u << s.first), c = class_of(n, s.first), at = s.first, bits = c < s.depth ? c : s.depth, node = 1;

	for (; at < s.last; at++) {
		put_bit(r, m, estimate, at < c);
		if (at == c) break;
		estimate += cop_runs_class(at, s.depth);
	}
	for (uint32_t i = 0; i < bits; i++) {
		int bit = v >> (c - 1 - i) & 1;
		put_bit(r, m, estimate + node, bit);
		node = 2 * node + (uint32_t)bit;
	}
	for (uint32_t left = c - bits, some; left; left -= some) {
		some = COP_MIN(left, CODED_PLAIN);
		cop__range_plain(r, v >> (left - some) & ((1u << some) - 1), some);
	}
}

static void put_all(cop_range *r, const list *l, cop_runs_shape gaps, cop_runs_shape sizes)
{
	model m = {.gaps = gaps, .sizes = sizes};
	uint32_t before = 0; /* of the last sign */
	uint16_t *all[] = {m.sign, m.gap, m.size};
	const int room[] = {LEN(m.sign), LEN(m.gap), LEN(m.size)};

	for (int k = 0; k < LEN(all); k++)
		for (int i = 0; i < room[k]; i++) all[k][i] = 32768;
	for (uint32_t i = 0; i < l->n; i++) {
		const kept *x = &l->at[i];
		m.rate = cop_runs_rate(i);
		put_number(r, &m, m.gap, gaps, x->zeros);
		put_bit(r, &m, &m.sign[x->zeros ? 0 : before], x->value < 0);
		put_number(r, &m, m.size, sizes, (uint32_t)(x->value < 0 ? -x->value : x->value) - 1);
		before = 1 + (x->value < 0);
	}
	m.rate = cop_runs_rate(l->n);
	if (l->last) put_number(r, &m, m.gap, gaps, l->last);
}

static cop_runs_shape shape_of(uint32_t most, uint32_t first, uint32_t depth) { return (cop_runs_shape){first, class_of(most, first), depth}; }

/* Bytes of the range coder, into a text. */
static cop_status encode(cop_text *out, const list *l, cop_runs_shape gaps, cop_runs_shape sizes)
{
	cop_range r;

	cop__range_encoder(&r, out);
	put_all(&r, l, gaps, sizes);
	cop__range_end(&r);
	return out->status;
}

/* better: is the code shorter with s? */
static cop_status try_shape(bool *better, size_t *least, cop_runs_shape *best, cop_runs_shape other, bool gaps, cop_ctx *cx, const list *l, cop_runs_shape s)
{
	cop_text t;

	cop__text_init(&t, cx);
	cop_status st = encode(&t, l, gaps ? s : other, gaps ? other : s);
	*better = !st && t.len < *least;
	if (*better) *least = t.len, *best = s;
	cop__text_free(&t);
	return st;
}

static cop_status choose(cop_runs_shape *gaps, cop_runs_shape *sizes, cop_ctx *cx, const list *l)
{
	uint32_t zeros = l->last, size = 0;
	size_t least = SIZE_MAX;

	for (uint32_t i = 0; i < l->n; i++) {
		zeros = COP_MAX(zeros, l->at[i].zeros);
		size = COP_MAX(size, (uint32_t)(l->at[i].value < 0 ? -l->at[i].value : l->at[i].value) - 1);
	}
	const list some = {l->at, COP_MIN(l->n, (uint32_t)TRIED), l->n > TRIED ? 0 : l->last};
	bool better = true;
	*sizes = shape_of(size, 0, CODED_SIZE_DEPTH);
	for (uint32_t k = 0; better && k <= GAP_FIRST; k++) COP_TRY(try_shape(&better, &least, gaps, *sizes, true, cx, &some, shape_of(zeros, k, CODED_GAP_DEPTH)));
	better = true;
	for (uint32_t k = 1; better && k <= SIZE_FIRST; k++) COP_TRY(try_shape(&better, &least, sizes, *gaps, false, cx, &some, shape_of(size, k, CODED_SIZE_DEPTH)));
	return COP_OK;
}

static cop_status code(void **out, size_t *size, cop_ctx *cx, const list *l, cop_runs_head h)
{
	cop_runs_shape gaps = {0}, sizes;
	cop_text t;

	cop__text_init(&t, cx);
	cop_status st = choose(&gaps, &sizes, cx, l);
	if (!st) st = encode(&t, l, gaps, sizes);
	if (!st && t.len >= 1 << 24) st = cop__error(cx, COP_ARG, "a code of %zu bytes is too long", t.len);
	*size = (sizeof h + t.len + 3) & ~(size_t)3;
	if (!st && !(*out = cop__alloc(cx, *size))) st = COP_NOMEM;
	if (!st) {
		h.gaps = (uint8_t)(gaps.first << 5 | gaps.last);
		h.sizes = (uint8_t)(sizes.first << 5 | sizes.last);
		h.bytes |= (uint32_t)t.len;
		memcpy(*out, &h, sizeof h);
		memcpy((uint8_t *)*out + sizeof h, t.data, t.len);
	}
	cop__text_free(&t);
	return st;
}

/* ---- what is not zero ---- */

static void add(list *l, int32_t value)
{
	if (!value) l->last++;
	else l->at[l->n++] = (kept){l->last, value}, l->last = 0;
}

static void read_image(list *l, const uint8_t *image, size_t bytes, bool pairs)
{
	l->n = l->last = 0;
	for (size_t i = 0; i < bytes; i++) add(l, cop__symbol_at(image, i, pairs));
}

static cop_status new_list(list *l, cop_ctx *cx, size_t bytes)
{
	*l = (list){.at = NULL};
	if (!bytes || bytes >= CODED_MOST) return cop__error(cx, COP_ARG, "%zu bytes can't be coded", bytes);
	return (l->at = cop__alloc(cx, bytes * sizeof *l->at)) ? COP_OK : COP_NOMEM;
}

/* Of both readings of an image the shorter one. */
cop_status cop__code_runs(void **out, size_t *size, cop_ctx *cx, const void *image, size_t bytes)
{
	void *other = NULL;
	size_t other_size = SIZE_MAX;
	list l;

	*out = NULL;
	*size = 0;
	COP_TRY(new_list(&l, cx, bytes));
	read_image(&l, image, bytes, false);
	cop_status st = code(out, size, cx, &l, (cop_runs_head){.count = (uint32_t)bytes | CODED_RUNS});
	if (!st && bytes % 2 == 0) {
		read_image(&l, image, bytes, true);
		st = code(&other, &other_size, cx, &l, (cop_runs_head){.count = (uint32_t)bytes | CODED_RUNS | CODED_PAIRS});
	}
	if (st || other_size < *size) {
		cop__free(cx, *out);
		*out = other, *size = other_size, other = NULL;
	}
	cop__free(cx, other);
	cop__free(cx, l.at);
	return st;
}

cop_status cop__code_rows(void **out, size_t *size, cop_ctx *cx, const int8_t *w, int32_t rows, int32_t n, int32_t unit)
{
	const size_t count = (size_t)rows * (size_t)n;
	list l;

	*out = NULL;
	*size = 0;
	if (n > UINT16_MAX) return COP_OK;
	COP_TRY(new_list(&l, cx, count));
	for (size_t i = 0; i < count; i++) add(&l, w[i]);
	cop_status st = code(out, size, cx, &l, (cop_runs_head){.count = (uint32_t)count | CODED_RUNS, .row = (uint16_t)n, .bytes = (uint32_t)unit << 24});
	cop__free(cx, l.at);
	return st;
}
