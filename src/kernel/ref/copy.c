/* SPDX-License-Identifier: Apache-2.0
 *
 * transpose, slice, unslice, pad - one strided copy: for every index of DIM, y[YOFF + i SY] = x[XOFF + i SX];
 * what no index reaches is VALUE when FILL is set. concat - blocks laid side by side.
 */
#include "kernel/kernel.h"

void cop_copy_f32(const cop_call *c);
void cop_concat_f32(const cop_call *c);

static void copy_row(float *y, const float *x, int32_t n, int32_t sy, int32_t sx)
{
	if (sx == 1 && sy == 1)
		for (int32_t i = 0; i < n; i++) y[i] = x[i];
	else
		for (int32_t i = 0; i < n; i++) y[(ptrdiff_t)i * sy] = x[(ptrdiff_t)i * sx];
}

void cop_copy_f32(const cop_call *c)
{
	const int32_t *k = c->k, *dim = k + YK_DIM, *sx = k + YK_SX, *sy = k + YK_SY, last = k[YK_RANK] - 1;
	const float *x = (const float *)c->buf[1] + k[YK_XOFF];
	float *y = c->buf[0];
	int32_t rows = 1;

	if (k[YK_FILL])
		for (int32_t i = 0; i < k[YK_COUNT]; i++) y[i] = cop_f(k[YK_VALUE]);
	y += k[YK_YOFF];
	for (int32_t i = 0; i < last; i++) rows *= dim[i];
	for (int32_t r = 0; r < rows; r++) {
		int32_t q = r;
		ptrdiff_t ox = 0, oy = 0;
		for (int32_t i = last - 1; i >= 0; i--) {
			int32_t j = i ? q % dim[i] : q;
			q = i ? q / dim[i] : 0;
			ox += (ptrdiff_t)j * sx[i];
			oy += (ptrdiff_t)j * sy[i];
		}
		copy_row(y + oy, x + ox, dim[last], sy[last], sx[last]);
	}
}

void cop_concat_f32(const cop_call *c)
{
	const int32_t *k = c->k;
	float *y = c->buf[0];

	for (int32_t r = 0; r < k[JK_OUTER]; r++)
		for (int32_t j = 0; j < k[JK_N]; j++) {
			int32_t n = k[JK_LEN + j];
			copy_row(y, (const float *)c->buf[1 + j] + (size_t)r * n, n, 1, 1);
			y += n;
		}
}
