/* SPDX-License-Identifier: Apache-2.0
 *
 * qpool - int8 averages over windows, NHWC: 16 channels at a time, sums in 16 bits for as long as they hold.
 */
#include "kernel/qvec/qvec.h"

enum { HOLDS = 255 }; /* sums of bytes that fit 16 bits */

typedef struct window { const int8_t *x; long h, w, row, c; } window; /* its first cell, rows and columns; bytes from row to row, cell to cell */

/* Division of exact integers below 2^24 by at most 2^16, towards zero: the nearest float never reaches the next integer. */
AI vi divide(vi a, float by) { return __builtin_convertvector(__builtin_convertvector(a, vf) / by, vi); }

AI vi mean(const int32_t *k, vi sum, int32_t cells, const factor *f)
{
	vi d = sum - cells * k[QP_ZX], half = splat(cells / 2), positive = d > 0;

	if (k[QP_M]) return twice(d, f) + k[QP_ZY];
	return divide(d + ((half & positive) | (-half & ~positive)), (float)cells) + k[QP_ZX];
}

/* 16 channels from c on. */
AI void add_up(const window *w, long c, int32_t *sum)
{
	h16 s = {0};
	long held = 0;

	memset(sum, 0, 16 * sizeof *sum);
	for (long i = 0; i < w->h; i++) {
		const int8_t *x = w->x + i * w->row + c;
		for (long j = 0; j < w->w; j++, x += w->c) {
			s += __builtin_convertvector(LDB(x), h16);
			if (LIKELY(++held < HOLDS)) continue;
			for (int l = 0; l < 16; l++) sum[l] += s[l];
			s = (h16){0};
			held = 0;
		}
	}
	for (int l = 0; l < 16; l++) sum[l] += s[l];
}

bool VN(qavgpool_fits)(const int32_t *k) { return (int64_t)k[PK_KH] * k[PK_KW] <= 65536; }

void VN(qavgpool_i8)(const cop_call *call)
{
	const int32_t *k = call->k;
	const rule r = {.lo = (int8_t)k[QP_LO], .hi = (int8_t)k[QP_HI]};
	const factor f = factor_of(splat(k[QP_M]), splat(k[QP_S]));
	long c_n = k[PK_C], to = cop_to(call, k[PK_N] * k[PK_OH], 1);

	for (long row = cop_from(call, k[PK_N] * k[PK_OH], 1); row < to; row++)
		for (long ow = 0; ow < k[PK_OW]; ow++) {
			const int8_t *x = (const int8_t *)call->buf[1] + row / k[PK_OH] * k[PK_H] * k[PK_W] * c_n;
			long h0 = row % k[PK_OH] * k[PK_SH] - k[PK_PT], w0 = ow * k[PK_SW] - k[PK_PL];
			long h1 = lmin(h0 + k[PK_KH], k[PK_H]), w1 = lmin(w0 + k[PK_KW], k[PK_W]);
			window w = {.row = k[PK_W] * c_n, .c = c_n};
			h0 = lmax(h0, 0);
			w0 = lmax(w0, 0);
			w.x = x + (h0 * k[PK_W] + w0) * c_n;
			w.h = h1 - h0;
			w.w = w1 - w0;
			for (long c = 0; c < c_n; c += 16) {
				int32_t sum[16];
				int8_t *y = (int8_t *)call->buf[0] + (row * k[PK_OW] + ow) * c_n + c;
				add_up(&w, c, sum);
				for (long l = 0; l < 16 && c + l < c_n; l += VW)
					put(y + l, mean(k, LDI(sum + l), (int32_t)(w.h * w.w), &f), lmin(VW, c_n - c - l), &r);
			}
		}
}
