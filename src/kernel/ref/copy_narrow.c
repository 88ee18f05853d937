/* SPDX-License-Identifier: Apache-2.0
 *
 * transpose, slice, unslice, pad, expand, concat: copy.c, for elements of one or two bytes.
 */
#include "kernel/kernel.h"

#define COPY(BITS, T)                                                                                           \
	void cop_copy_##BITS(const cop_call *c);                                                                \
	void cop_copy_##BITS(const cop_call *c)                                                                 \
	{                                                                                                       \
		const int32_t *k = c->k, *dim = k + YK_DIM, *sx = k + YK_SX, *sy = k + YK_SY, last = k[YK_RANK] - 1; \
		const T *x = (const T *)c->buf[1] + k[YK_XOFF];                                                 \
		T *y = c->buf[0];                                                                               \
		int32_t rows = 1;                                                                               \
		if (k[YK_FILL])                                                                                 \
			for (int32_t i = 0; i < k[YK_COUNT]; i++) y[i] = (T)k[YK_VALUE];                        \
		y += k[YK_YOFF];                                                                                \
		for (int32_t i = 0; i < last; i++) rows *= dim[i];                                              \
		for (int32_t r = 0; r < rows; r++) {                                                            \
			int32_t q = r;                                                                          \
			ptrdiff_t ox = 0, oy = 0;                                                               \
			for (int32_t i = last - 1; i >= 0; q /= dim[i], i--) {                                  \
				ox += (ptrdiff_t)(q % dim[i]) * sx[i];                                          \
				oy += (ptrdiff_t)(q % dim[i]) * sy[i];                                          \
			}                                                                                       \
			for (int32_t i = 0; i < dim[last]; i++) y[oy + (ptrdiff_t)i * sy[last]] = x[ox + (ptrdiff_t)i * sx[last]]; \
		}                                                                                               \
	}
COPY(16, uint16_t)
COPY(8, uint8_t)

#define CONCAT(BITS, T)                                                                                         \
	void cop_concat_##BITS(const cop_call *c);                                                              \
	void cop_concat_##BITS(const cop_call *c)                                                               \
	{                                                                                                       \
		const int32_t *k = c->k;                                                                        \
		T *y = c->buf[0];                                                                               \
		for (int32_t r = 0; r < k[JK_OUTER]; r++)                                                       \
			for (int32_t j = 0; j < k[JK_N]; j++) {                                                 \
				int32_t n = k[JK_LEN + j];                                                      \
				const T *x = (const T *)c->buf[1 + j] + (ptrdiff_t)r * n;                       \
				for (int32_t i = 0; i < n; i++) y[i] = x[i];                                    \
				y += n;                                                                         \
			}                                                                                       \
	}
CONCAT(16, uint16_t)
CONCAT(8, uint8_t)
