/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_shift - how the weights of qshift are put together. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/shift.h"

bool cop_qshift_fits(const int32_t *k);
size_t cop_qshift_pack_bytes(const int32_t *k);
void cop_qshift_pack(const cop_call *c);

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G]); }

bool cop_qshift_fits(const int32_t *k) { return k[QK_SHIFT]; }
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
