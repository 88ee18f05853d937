/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead.h - how far a kernel that walks windows writes ahead of what it still reads (cop_kernel.ahead), for the planner; not
 * shipped to devices.
 */
#ifndef COP_AHEAD_H
#define COP_AHEAD_H

#include "kernel/kernel.h"

/* Kernels that make `tile` output pixels of a row from their windows, then write them, pixels ascending. in, out: bytes of a pixel.
 * When a tile is written, the input from the first pixel that it or a later one reads must still be there. */
typedef struct cop_walk { int32_t images, h, w, oh, ow, sh, sw, pt, pl; } cop_walk;

static inline size_t cop_ahead(cop_walk q, int32_t tile, size_t in, size_t out)
{
	int64_t most = 0, first = INT64_MAX;

	for (int32_t r = q.images * q.oh - 1; r >= 0; r--)
		for (int32_t c = (q.ow - 1) / tile * tile; c >= 0; c -= tile) {
			int32_t h = r % q.oh * q.sh - q.pt, w = c * q.sw - q.pl, end = c + tile < q.ow ? c + tile : q.ow;
			int64_t begin = ((int64_t)(r / q.oh) * q.h + (h < 0 ? 0 : h)) * q.w + (w < 0 ? 0 : w);
			first = begin < first ? begin : first;
			int64_t more = ((int64_t)r * q.ow + end) * (int64_t)out - first * (int64_t)in;
			most = more > most ? more : most;
		}
	return (size_t)most;
}

static inline size_t cop_ahead_conv(const int32_t *k, int32_t tile, size_t element)
{
	cop_walk q = {k[CK_N], k[CK_H], k[CK_W], k[CK_OH], k[CK_OW], k[CK_SH], k[CK_SW], k[CK_PT], k[CK_PL]};
	return cop_ahead(q, tile, element * (size_t)k[CK_C], element * (size_t)k[CK_O]);
}

static inline size_t cop_ahead_pool(const int32_t *k, size_t element)
{
	cop_walk q = {k[PK_N], k[PK_H], k[PK_W], k[PK_OH], k[PK_OW], k[PK_SH], k[PK_SW], k[PK_PT], k[PK_PL]};
	return cop_ahead(q, 1, element * (size_t)k[PK_C], element * (size_t)k[PK_C]);
}

#endif
