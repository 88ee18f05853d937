/* SPDX-License-Identifier: Apache-2.0
 *
 * paste - bytes of a part over those of a canvas, which may be where the result is: in one run, or one for each index of a list.
 */
#include "kernel/kernel.h"

/* one: bytes of a run; several where there is a list. */
static void put(const cop_call *c, const int32_t *list, int32_t one)
{
	char *y = c->buf[0];
	const char *x = c->buf[1], *part = c->buf[2];
	const int32_t *k = c->k, runs = k[ZK_RUN] / one, all = k[ZK_STRIDE] / one;

	for (int32_t o = 0; o < k[ZK_OUTER]; o++, y += k[ZK_STRIDE], x += k[ZK_STRIDE]) {
		for (int32_t i = 0; y != x && i < k[ZK_STRIDE]; i++) y[i] = x[i];
		for (int32_t r = 0; r < runs; r++, part += one) {
			char *to = y + (list ? cop_inside(list[r], all) * one : k[ZK_OFF]);
			for (int32_t i = 0; i < one; i++) to[i] = part[i];
		}
	}
}

void cop_paste(const cop_call *c) { put(c, c->buf[3], c->buf[3] ? c->k[ZK_OFF] : c->k[ZK_RUN]); }
void cop_assign(const cop_call *c) { put(c, 0, c->k[ZK_RUN]); }
