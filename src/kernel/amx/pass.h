/* SPDX-License-Identifier: Apache-2.0
 *
 * pass.h - one pass of vec/conv.h in tiles: rows of A are windows of neighbouring pixels, read from a copy of x in bfloat16.
 */
#ifndef COP_AMX_PASS_H
#define COP_AMX_PASS_H

#include "kernel/amx/amx.h"

/* Bytes of the packed weights: [32 outputs][kh][kw * c, in chunks of 32][tiles of B]; a multiple of 64. */
AI size_t pass_pack_bytes(const cv *g) { return (size_t)(up16(g->o) / AMX_N * g->kh * chunks(g->kw * g->c) * AMX_TILE) * sizeof(bf); }
size_t VN(pass_work)(const cv *g);
void VN(pass_pack)(const cv *g, bf *d, const float *w, int32_t part, int32_t parts);
/* Rows [from, to) of the n * oh rows of y. */
void VN(pass_run)(const cv *g, float *y, const float *x, const bf *packed, long from, long to, void *work);

#endif
