/* SPDX-License-Identifier: Apache-2.0
 *
 * where - y = c ? a : b with broadcasting, by the width of an element.
 */
#include "kernel/kernel.h"

#define WHERE(BITS, T)                                                                                          \
	void cop_where_##BITS(const cop_call *c);                                                               \
	void cop_where_##BITS(const cop_call *c)                                                                \
	{                                                                                                       \
		const int32_t *k = c->k, *dim = k + WK_DIM, last = k[WK_RANK] - 1, n = dim[last];               \
		const uint8_t *cond = c->buf[1];                                                                \
		const T *a = c->buf[2], *b = c->buf[3];                                                         \
		int32_t rows = 1;                                                                               \
		for (int32_t i = 0; i < last; i++) rows *= dim[i];                                              \
		for (int32_t r = cop_from(c, rows, 1), end = cop_to(c, rows, 1); r < end; r++) {                \
			T *y = (T *)c->buf[0] + (ptrdiff_t)r * n;                                               \
			ptrdiff_t oc = 0, oa = 0, ob = 0;                                                       \
			for (int32_t i = last - 1, q = r; i >= 0; q /= dim[i], i--) {                           \
				ptrdiff_t j = q % dim[i];                                                       \
				oc += j * k[WK_SC + i];                                                         \
				oa += j * k[WK_SA + i];                                                         \
				ob += j * k[WK_SB + i];                                                         \
			}                                                                                       \
			ptrdiff_t sc = k[WK_SC + last], sa = k[WK_SA + last], sb = k[WK_SB + last];             \
			for (int32_t i = 0; i < n; i++) y[i] = cond[oc + i * sc] ? a[oa + i * sa] : b[ob + i * sb]; \
		}                                                                                               \
	}
WHERE(32, uint32_t)
WHERE(16, uint16_t)
WHERE(8, uint8_t)
