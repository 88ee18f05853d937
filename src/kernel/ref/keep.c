/* SPDX-License-Identifier: Apache-2.0
 *
 * keep - keeps what was learnt, and loads it (keep.h). A record is made as it is written, unit by unit: it needs no memory of its size.
 */
#include "kernel/kernel.h"
#include "kernel/keep.h"

#define MAGIC 0x44504f43u /* "COPD" */
#define TOP 0x80000000u

/* ---- bytes ---- */

static uint32_t crc(uint32_t c, const uint8_t *p, uint32_t n)
{
	for (; n; n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++) c = c >> 1 ^ (0xedb88320u & (0u - (c & 1)));
	}
	return c;
}

static void put32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* Element i of what began as `first`, or of what it is now. */
static uint32_t element(const cop_kept *k, const void *at, uint32_t i)
{
	if (!at) return 0;
	return k->width == 1 ? ((const uint8_t *)at)[i] : get32((const uint8_t *)at + 4 * i);
}

/* Checksum of the names, sizes and first contents: whose differences are these? */
static uint32_t base(const cop_kept *part, uint32_t n)
{
	uint32_t c = ~0u;
	uint8_t b[8];

	for (uint32_t i = 0; i < n; i++) {
		put32(b, part[i].hash);
		put32(b + 4, part[i].elements | (part[i].width == 1 ? TOP : 0));
		c = crc(c, b, 8);
		for (uint32_t k = 0; k < part[i].elements; k++) {
			put32(b, element(&part[i], part[i].first, k));
			c = crc(c, b, part[i].width);
		}
	}
	return ~c;
}

/* ---- the body: written, or only counted (f NULL) ---- */

typedef struct stream {
	const cop_flash *f;
	int slot, failed;
	uint32_t at, sum;      /* the next byte of the slot; checksum of the body so far */
	uint8_t unit[COP_KEEP_UNIT];
	uint64_t low;          /* the coder: writing has low, reading has code */
	uint32_t range, code, pending;
	uint8_t cache;
} stream;

static void put(stream *s, uint8_t b)
{
	s->unit[s->at++ % COP_KEEP_UNIT] = b;
	s->sum = crc(s->sum, &b, 1);
	if (s->at % COP_KEEP_UNIT == 0 && s->f) s->failed |= s->f->write(s->f->ud, s->slot, s->at - COP_KEEP_UNIT, s->unit, COP_KEEP_UNIT);
}

static uint8_t get(stream *s)
{
	if (s->at % COP_KEEP_UNIT == 0) s->failed |= s->at >= s->f->size || s->f->read(s->f->ud, s->slot, s->at, s->unit, COP_KEEP_UNIT);
	return s->unit[s->at++ % COP_KEEP_UNIT];
}

/* The last unit is filled up: of erased flash. */
static void fill(stream *s)
{
	for (const uint32_t sum = s->sum; s->at % COP_KEEP_UNIT; s->sum = sum) put(s, 0xff);
}

/* ---- the coder ---- */

/* What is likely, out of 2048; of elements of one byte and of four. */
typedef struct model { uint16_t zero[3], sign, size[32]; } model;

static void begin(model m[2])
{
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < 3; i++) m[k].zero[i] = 1024;
		for (int i = 0; i < 32; i++) m[k].size[i] = 1024;
		m[k].sign = 1024;
	}
}

static void shift_out(stream *s)
{
	if (s->low < 0xff000000u || s->low >> 32) {
		for (uint8_t b = s->cache; s->pending; s->pending--, b = 0xff) put(s, (uint8_t)(b + (s->low >> 32)));
		s->cache = (uint8_t)(s->low >> 24);
	}
	s->pending++;
	s->low = (s->low & 0xffffff) << 8;
}

static void write_bit(stream *s, uint16_t *p, uint32_t bit)
{
	const uint32_t bound = (s->range >> 11) * *p;

	if (bit) s->low += bound, s->range -= bound, *p = (uint16_t)(*p - (*p >> 5));
	else s->range = bound, *p = (uint16_t)(*p + ((2048 - *p) >> 5));
	for (; s->range < 1u << 24; s->range <<= 8) shift_out(s);
}

static uint32_t read_bit(stream *s, uint16_t *p)
{
	const uint32_t bound = (s->range >> 11) * *p, bit = s->code >= bound;

	if (bit) s->code -= bound, s->range -= bound, *p = (uint16_t)(*p - (*p >> 5));
	else s->range = bound, *p = (uint16_t)(*p + ((2048 - *p) >> 5));
	for (; s->range < 1u << 24; s->range <<= 8) s->code = s->code << 8 | get(s);
	return bit;
}

/* seen: how many of the last two were not 0. */
static void write_difference(stream *s, model *m, int seen, uint32_t d)
{
	uint32_t size = d & TOP ? 0u - d : d;
	uint16_t even = 1024;
	int bits = 0;

	write_bit(s, &m->zero[seen], d != 0);
	if (!d) return;
	write_bit(s, &m->sign, d >> 31);
	while (bits < 31 && size >> (bits + 1)) bits++;
	for (int i = 0; i < bits; i++) write_bit(s, &m->size[i], 1);
	if (bits < 31) write_bit(s, &m->size[bits], 0);
	for (int i = bits - 1; i >= 0; i--, even = 1024) write_bit(s, &even, size >> i & 1);
}

static uint32_t read_difference(stream *s, model *m, int seen)
{
	uint32_t size = 1;
	uint16_t even = 1024;
	int bits = 0;

	if (!read_bit(s, &m->zero[seen])) return 0;
	const uint32_t sign = read_bit(s, &m->sign);
	while (bits < 31 && read_bit(s, &m->size[bits])) bits++;
	for (; bits > 0; bits--, even = 1024) size = 2 * size + read_bit(s, &even);
	return sign ? 0u - size : size;
}

/* ---- writing ---- */

static uint32_t difference(const cop_kept *k, uint32_t i)
{
	const uint32_t d = element(k, k->now, i) - element(k, k->first, i);
	return k->width == 1 ? (uint32_t)(int32_t)(int8_t)(uint8_t)d : d;
}

static void write_plain(stream *s, const cop_kept *part, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < part[i].elements; k++) {
			const uint32_t d = difference(&part[i], k);
			for (uint32_t b = 0; b < part[i].width; b++) put(s, (uint8_t)(d >> 8 * b));
		}
}

static void write_coded(stream *s, const cop_kept *part, uint32_t n)
{
	model m[2];

	begin(m);
	s->low = 0, s->range = ~0u, s->pending = 1, s->cache = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0, last = 0; k < part[i].elements; k++) {
			const uint32_t d = difference(&part[i], k);
			write_difference(s, &m[part[i].width == 1], (int)((last & 1) + (last >> 1)), d);
			last = (last << 1 | (d != 0)) & 3;
		}
	for (int i = 0; i < 5; i++) shift_out(s);
}

/* f NULL: counts. */
static void write_body(stream *s, const cop_flash *f, int slot, const cop_kept *part, uint32_t n, int coded)
{
	uint8_t b[8];

	*s = (stream){.f = f, .slot = slot, .at = COP_KEEP_HEAD, .sum = ~0u};
	for (uint32_t i = 0; i < n; i++) {
		put32(b, part[i].hash);
		put32(b + 4, part[i].elements | (part[i].width == 1 ? TOP : 0));
		for (int k = 0; k < 8; k++) put(s, b[k]);
	}
	if (coded) write_coded(s, part, n);
	else write_plain(s, part, n);
}

static int write_head(const stream *s, uint32_t save, uint32_t bytes, uint32_t of, uint32_t parts)
{
	const uint32_t word[7] = {MAGIC, save, bytes, of, parts, ~s->sum, 0};
	uint8_t head[COP_KEEP_HEAD];

	for (int i = 0; i < 7; i++) put32(head + 4 * i, word[i]);
	put32(head + 28, ~crc(~0u, head, 28));
	for (uint32_t at = 0; at < COP_KEEP_HEAD; at += COP_KEEP_UNIT)
		if (s->f->write(s->f->ud, s->slot, at, head + at, COP_KEEP_UNIT)) return COP_KEEP_FAILED;
	return COP_KEEP_DONE;
}

/* ---- what a slot holds ---- */

typedef struct found { uint32_t save, bytes, parts, base; int whole, coded; } found;

static found look(const cop_flash *f, int slot)
{
	uint8_t head[COP_KEEP_HEAD];
	stream s = {.f = f, .slot = slot, .at = COP_KEEP_HEAD};
	uint32_t sum = ~0u;
	found r = {0};

	if (f->size < COP_KEEP_HEAD || f->read(f->ud, slot, 0, head, COP_KEEP_HEAD)) return r;
	if (get32(head) != MAGIC || get32(head + 28) != ~crc(~0u, head, 28)) return r;
	r.save = get32(head + 4), r.bytes = get32(head + 8), r.base = get32(head + 12);
	r.parts = get32(head + 16) & ~TOP, r.coded = !(get32(head + 16) & TOP);
	if (r.bytes > f->size - COP_KEEP_HEAD || r.parts > r.bytes / 8) return r;
	for (uint32_t i = 0; i < r.bytes && !s.failed; i++) {
		const uint8_t b = get(&s);
		sum = crc(sum, &b, 1);
	}
	r.whole = !s.failed && ~sum == get32(head + 20);
	return r;
}

/* The slot with the later whole record; -1: none. */
static int newest(const found slot[2])
{
	if (!slot[0].whole || !slot[1].whole) return slot[0].whole ? 0 : slot[1].whole ? 1 : -1;
	return (int32_t)(slot[1].save - slot[0].save) > 0;
}

int cop_keep_write(const cop_flash *f, const cop_kept *part, uint32_t n)
{
	const found slot[2] = {look(f, 0), look(f, 1)};
	const int now = newest(slot), to = now == 0;
	stream coded, plain, s;

	write_body(&coded, 0, 0, part, n, 1);
	write_body(&plain, 0, 0, part, n, 0);
	const int shorter = coded.at < plain.at;
	const uint32_t bytes = (shorter ? coded.at : plain.at) - COP_KEEP_HEAD;
	if ((COP_KEEP_HEAD + bytes + COP_KEEP_UNIT - 1) / COP_KEEP_UNIT * COP_KEEP_UNIT > f->size) return COP_KEEP_FULL;
	if (f->erase(f->ud, to)) return COP_KEEP_FAILED;
	write_body(&s, f, to, part, n, shorter);
	fill(&s);
	if (s.failed) return COP_KEEP_FAILED;
	return write_head(&s, now < 0 ? 1 : slot[now].save + 1, bytes, base(part, n), n | (shorter ? 0 : TOP));
}

/* ---- loading ---- */

/* Are the parts of the record those of this network, in this order? */
static int same_table(stream *s, const cop_kept *part, uint32_t n)
{
	uint8_t b[8];

	for (uint32_t i = 0; i < n; i++) {
		for (int k = 0; k < 8; k++) b[k] = get(s);
		if (get32(b) != part[i].hash || get32(b + 4) != (part[i].elements | (part[i].width == 1 ? TOP : 0))) return 0;
	}
	return !s->failed;
}

static uint32_t read_plain(stream *s, uint32_t width)
{
	uint32_t d = 0;

	for (uint32_t b = 0; b < width; b++) d |= (uint32_t)get(s) << 8 * b;
	return d;
}

static void set(const cop_kept *k, uint32_t i, uint32_t d)
{
	const uint32_t v = element(k, k->first, i) + d;

	if (k->width == 1) ((uint8_t *)k->now)[i] = (uint8_t)v;
	else put32((uint8_t *)k->now + 4 * i, v);
}

static int read_body(stream *s, const cop_kept *part, uint32_t n, int coded)
{
	model m[2];

	begin(m);
	s->range = ~0u;
	for (int i = 0; coded && i < 5; i++) s->code = s->code << 8 | get(s);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0, last = 0; k < part[i].elements; k++) {
			const uint32_t d = coded ? read_difference(s, &m[part[i].width == 1], (int)((last & 1) + (last >> 1))) : read_plain(s, part[i].width);
			set(&part[i], k, d);
			last = (last << 1 | (d != 0)) & 3;
		}
	return s->failed ? COP_KEEP_FAILED : COP_KEEP_DONE;
}

int cop_keep_load(const cop_flash *f, const cop_kept *part, uint32_t n)
{
	found slot[2] = {look(f, 0), look(f, 1)};
	const uint32_t of = base(part, n);

	for (int i = 0; i < 2; i++) {
		stream s = {.f = f, .slot = i, .at = COP_KEEP_HEAD};
		slot[i].whole = slot[i].whole && slot[i].parts == n && slot[i].base == of && same_table(&s, part, n);
	}
	const int now = newest(slot);
	if (now < 0) return COP_KEEP_NONE;
	stream s = {.f = f, .slot = now, .at = COP_KEEP_HEAD};
	for (uint32_t i = 0; i < 8 * n; i++) get(&s);
	return read_body(&s, part, n, slot[now].coded);
}
