/* SPDX-License-Identifier: Apache-2.0
 *
 * unrun - weights that an adaptive code has made short (kernel/runs.h) to the bytes that a kernel reads, on any processor. A code that is damaged gives
 * other weights, and nothing is read or written beside it and them.
 */
#include "kernel/gaps.h"
#include "kernel/runs.h"

/* next, end: bytes of the range coder. rate: how fast estimates follow. */
typedef struct reader { uint32_t range, code, rate; const uint8_t *next, *end; } reader;

/* The next byte; zeros past the end. */
static inline void get_byte(reader *r) { r->code = r->code << 8 | (r->next < r->end ? *r->next++ : 0u); }

/* As many as the range has become too small by. */
static inline void refill(reader *r)
{
	for (; r->range < 1u << 24; r->range <<= 8) get_byte(r);
}

/* `value` and a bit more */
static inline uint32_t get_bit(reader *r, uint16_t *estimate, uint32_t value)
{
	uint32_t e = *estimate, bound = cop_runs_bound(r->range, e);

	value += value;
	if (r->code < bound) r->range = bound, e = cop_runs_learned(e, true, r->rate), value++;
	else r->code -= bound, r->range -= bound, e = cop_runs_learned(e, false, r->rate);
	*estimate = (uint16_t)e;
	refill(r);
	return value;
}

/* `value` and n bits more, each as likely 0 as 1. */
static inline uint32_t get_plain(reader *r, uint32_t value, uint32_t n)
{
	for (uint32_t some, bits; n; n -= some) {
		some = n < CODED_PLAIN ? n : CODED_PLAIN;
		r->range >>= some;
		bits = r->code / r->range;
		r->code -= bits * r->range;
		value = (value << some) + bits;
		refill(r);
	}
	return value;
}

/* How a kind of numbers is coded, and where its estimates lie. */
typedef struct kind { uint16_t *estimate; cop_runs_shape s; } kind;

/* A number, and before it, where there is an estimate of it, a bit: << 31. */
static uint32_t get_number(reader *in, const kind *k, uint16_t *before)
{
	reader r = *in;
	uint16_t *estimate = k->estimate;
	uint32_t c = k->s.first, v = 1, negative = before ? get_bit(&r, before, 0) : 0, depth = k->s.depth;

	for (; c < k->s.last && get_bit(&r, estimate, 0); c++) estimate += cop_runs_class(c, depth);
	uint32_t tree = cop_runs_class(c, depth);
	while (v < tree) v = get_bit(&r, estimate + v, v);
	if (c > depth) v = get_plain(&r, v, c - depth);
	*in = r;
	return (v - (1u << k->s.first)) | negative << 31;
}

/* What decodes: the reader, the state, and where the estimates lie. */
typedef struct decoder { reader r; cop_runs_state *s; uint16_t *sign; kind gaps, sizes; } decoder;

/* Goes on to the next number that is not zero. */
static void skip_zeros(decoder *d, uint32_t beside)
{
	uint32_t zeros = get_number(&d->r, &d->gaps, NULL);

	d->s->at += zeros;
	d->s->beside = zeros ? 0 : beside;
}

/* The number at s->at; then goes on. */
static int32_t get_value(decoder *d, uint32_t count)
{
	cop_runs_state *s = d->s;
	uint32_t n = get_number(&d->r, &d->sizes, d->sign + s->beside), negative = n >> 31;
	int32_t size = (int32_t)(n & 0xff) + 1;

	d->r.rate = cop_runs_rate(++s->seen);
	if (++s->at < count) skip_zeros(d, 1 + negative);
	return negative ? -size : size;
}

static void begin(decoder *d, uint32_t estimates)
{
	for (uint32_t i = 0; i < estimates; i++) d->sign[i] = 32768;
	for (int i = 0; i < 4; i++) get_byte(&d->r);
	skip_zeros(d, 0);
}

/* All numbers; pairs: as halves. */
static void put_all(decoder *d, uint32_t count, bool pairs, void *to)
{
	int8_t *y = (int8_t *)to;
	int16_t *half = (int16_t *)to;

	for (uint32_t i = 0; i < count; i++) y[i] = 0;
	for (uint32_t at; (at = d->s->at) < count; ) {
		int32_t v = get_value(d, count);
		if (pairs) half[at / 2] = (int16_t)(half[at / 2] + (at % 2 ? 256 * v : v));
		else y[at] = (int8_t)v;
	}
}

/* A row of n numbers that begins at `from`, as gaps.h has single weights. Returns where the next one goes. */
static uint16_t *put_row(decoder *d, const cop_runs_head *h, uint32_t from, uint16_t *to, const uint16_t *limit)
{
	const uint32_t count = h->count & (CODED_RUNS - 1), unit = h->bytes >> 24, most = 255 / unit, end = from + h->row;
	uint16_t *steps = to, *first = to + 2;

	for (to = first; d->s->at < end && to < limit; to++) {
		uint32_t gap = d->s->at - from;
		bool far = gap > most;
		if (far) gap = most;
		*to = (uint16_t)(gap * unit << 8 | (far ? 0 : (uint8_t)get_value(d, count)));
		from += gap;
	}
	while ((to - first) % COP_GAP_STEP && to < limit) *to++ = 0;
	steps[0] = 0; /* of pairs */
	steps[1] = (uint16_t)((to - first) / COP_GAP_STEP);
	return to;
}

void cop_unrun(const void *code, void *to, size_t room, int32_t part, int32_t parts)
{
	const cop_runs_head *h = (const cop_runs_head *)code;
	const uint32_t count = h->count & (CODED_RUNS - 1), rows = h->row ? count / h->row : 0, end = cop_gap_row_at(rows, part + 1, parts);
	const uint8_t *bytes = (const uint8_t *)(h + 1);
	cop_runs_state *s = (cop_runs_state *)(void *)((uint8_t *)to + room);
	uint16_t *y = (uint16_t *)to, *limit = y + room / 2;
	decoder d = {.s = s, .sign = (uint16_t *)(s + 1), .gaps.s = cop_runs_gaps(h), .sizes.s = cop_runs_sizes(h)};

	if (!part) *s = (cop_runs_state){.range = UINT32_MAX};
	d.gaps.estimate = d.sign + CODED_SIGNS;
	d.sizes.estimate = d.gaps.estimate + cop_runs_estimates(d.gaps.s);
	d.r = (reader){s->range, s->code, cop_runs_rate(s->seen), bytes + s->used, bytes + (h->bytes & 0xffffff)};
	if (!part) begin(&d, (uint32_t)(d.sizes.estimate - d.sign) + cop_runs_estimates(d.sizes.s));
	if (!rows) put_all(&d, count, h->count & CODED_PAIRS, to);
	for (uint32_t r = cop_gap_row_at(rows, part, parts); r < end && limit - y >= 2; r++) y = put_row(&d, h, r * h->row, y, limit);
	s->range = d.r.range, s->code = d.r.code, s->used = (uint32_t)(d.r.next - bytes);
}
