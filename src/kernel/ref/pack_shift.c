/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_shift - how the weights of qshift and qlists are put together. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/shift.h"

bool cop_qshift_fits(const int32_t *k);
size_t cop_qshift_pack_bytes(const int32_t *k);
void cop_qshift_pack(const cop_call *c);
bool cop_qlists_fits(const int32_t *k);
size_t cop_qlists_pack_bytes(const int32_t *k);
void cop_qlists_pack(const cop_call *c);

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G]); }

bool cop_qshift_fits(const int32_t *k) { return k[QK_SHIFT] == COP_SHIFT_CODES; }
size_t cop_qshift_pack_bytes(const int32_t *k) { return (size_t)k[CK_O] * (size_t)cop_shift_row(taps(k)); }

/* What has no code was refused before (graph/verify.c); it counts as 0. */
void cop_qshift_pack(const cop_call *c)
{
	const int32_t n = taps(c->k);
	const int8_t *w = c->buf[2];
	uint8_t *to = c->work;

	for (int32_t o = 0; !c->part && o < c->k[CK_O]; o++, w += n)
		for (int32_t i = 0; i < n; i++) {
			int32_t code = cop_shift_code(w[i]);
			if (code < 0) code = 0;
			if (i % 2) *to++ |= (uint8_t)(code << 4);
			else *to = (uint8_t)code;
			if (i == n - 1 && n % 2) to++;
		}
}

bool cop_qlists_fits(const int32_t *k) { return k[QK_SHIFT] == COP_SHIFT_LISTS; }

/* As if no weight were 0: the length of a constant does not depend on what it holds. */
size_t cop_qlists_pack_bytes(const int32_t *k)
{
	const int32_t n = taps(k), blocks = (n + COP_SHIFT_BLOCK - 1) / COP_SHIFT_BLOCK;
	return (size_t)k[CK_O] * (size_t)(n + blocks * COP_SHIFT_COUNTS);
}

/* A block of n taps; returns where the next list begins. */
static uint8_t *list(uint8_t *to, const int8_t *w, int32_t n)
{
	uint8_t *count = to;

	to += COP_SHIFT_COUNTS;
	for (int32_t i = 0; i < COP_SHIFT_COUNTS; i++) {
		const int32_t value = i % 2 ? -(64 >> i / 2) : 64 >> i / 2;
		const uint8_t *first = to;
		for (int32_t t = 0; t < n; t++)
			if (w[t] == value) *to++ = (uint8_t)t;
		count[i] = (uint8_t)(to - first);
	}
	return to;
}

void cop_qlists_pack(const cop_call *c)
{
	const int32_t n = taps(c->k);
	const int8_t *w = c->buf[2];
	uint8_t *to = c->work, *end = to + cop_qlists_pack_bytes(c->k);

	for (int32_t o = 0; !c->part && o < c->k[CK_O]; o++, w += n)
		for (int32_t i = 0; i < n; i += COP_SHIFT_BLOCK) to = list(to, w + i, n - i < COP_SHIFT_BLOCK ? n - i : COP_SHIFT_BLOCK);
	while (!c->part && to < end) *to++ = 0;
}
