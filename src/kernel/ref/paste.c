/* SPDX-License-Identifier: Apache-2.0
 *
 * paste - bytes of a part over those of a canvas, which may be where the result is.
 */
#include "kernel/kernel.h"

void cop_paste(const cop_call *c)
{
	char *y = c->buf[0];
	const char *x = c->buf[1], *part = c->buf[2];
	const int32_t *k = c->k;

	for (int32_t o = 0; o < k[ZK_OUTER]; o++, y += k[ZK_STRIDE], x += k[ZK_STRIDE], part += k[ZK_RUN]) {
		for (int32_t i = 0; y != x && i < k[ZK_STRIDE]; i++) y[i] = x[i];
		for (int32_t i = 0; i < k[ZK_RUN]; i++) y[k[ZK_OFF] + i] = part[i];
	}
}
