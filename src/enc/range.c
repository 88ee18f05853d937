/* SPDX-License-Identifier: Apache-2.0
 *
 * range - start, renormalisation and end of the range coder; the step itself is inline in range.h.
 */
#include "enc/range.h"

void cop__range_encoder(cop_range *r, cop_text *out)
{
	*r = (cop_range){.out = out, .range = UINT32_MAX};
}

static uint32_t next_byte(cop_range *r)
{
	if (r->p < r->end) return *r->p++;
	r->over++;
	return 0;
}

void cop__range_decoder(cop_range *r, const uint8_t *p, size_t len)
{
	*r = (cop_range){.p = p, .end = p + len, .range = UINT32_MAX};
	for (int i = 0; i < 4; i++) r->code = r->code << 8 | next_byte(r);
}

static void put(cop_range *r, uint8_t b)
{
	cop__text_bytes(r->out, &b, 1);
}

/* Moves one byte out. A byte waits until no carry can reach it; the very first one is always 0 and is dropped. */
void cop__range_shift(cop_range *r)
{
	r->range <<= 8;
	if (!r->out) {
		r->code = r->code << 8 | next_byte(r);
		return;
	}
	if (r->low < 0xff000000u || r->low > UINT32_MAX) {
		uint8_t carry = (uint8_t)(r->low >> 32);
		if (r->begun) put(r, (uint8_t)(r->cache + carry));
		for (; r->pending; r->pending--) put(r, (uint8_t)(0xff + carry));
		r->cache = (uint8_t)(r->low >> 24);
		r->begun = true;
	} else {
		r->pending++;
	}
	r->low = (r->low & 0x00ffffffu) << 8;
}

/* Of the numbers in [low, low + range) the one with most zeros at its end; those need not be written. */
void cop__range_end(cop_range *r)
{
	size_t start = r->out->len;

	for (int keep = 8; keep <= 32; keep += 8) {
		uint64_t mask = (1ull << (32 - keep)) - 1, v = (r->low + mask) & ~mask;
		if (v < r->low + r->range) {
			r->low = v;
			break;
		}
	}
	for (int i = 0; i < 5; i++) {
		r->range = UINT32_MAX;
		cop__range_shift(r);
	}
	for (int i = 0; i < 4 && r->out->len > start && !r->out->data[r->out->len - 1]; i++) r->out->len--;
}
