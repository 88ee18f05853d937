/* SPDX-License-Identifier: Apache-2.0
 *
 * pack - transposition by squares of VW x VW in registers, and copies of rows with zeros behind.
 */
#include "kernel/vec/pack.h"

#if VW == 16
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VW == 8
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/* Interleaving the upper half of the rows with the lower half, log2(VW) times, is a transposition. */
AI void square(float *d, long ldd, const float *s, long lds)
{
	v r[VW], t[VW];

	UNROLL
	for (int i = 0; i < VW; i++) r[i] = LD(s + i * lds);
	UNROLL
	for (int step = 1; step < VW; step *= 2) {
		UNROLL
		for (int i = 0; i < VW / 2; i++) {
			t[2 * i] = LOW(r[i], r[i + VW / 2]);
			t[2 * i + 1] = HIGH(r[i], r[i + VW / 2]);
		}
		UNROLL
		for (int i = 0; i < VW; i++) r[i] = t[i];
	}
	UNROLL
	for (int i = 0; i < VW; i++) ST(d + i * ldd, r[i]);
}

void VN(transpose)(float *d, long ldd, const float *s, long lds, long rows, long cols, long fill)
{
	long whole = rows / VW * VW, c = 0;

	for (; c + VW <= cols; c += VW) {
		for (long r = 0; r < whole; r += VW) square(d + c * ldd + r, ldd, s + r * lds + c, lds);
		for (long r = whole; r < rows; r++)
			for (long i = 0; i < VW; i++) d[(c + i) * ldd + r] = s[r * lds + c + i];
	}
	for (; c < cols; c++)
		for (long r = 0; r < rows; r++) d[c * ldd + r] = s[r * lds + c];
	if (rows < fill)
		for (c = 0; c < cols; c++) vzero(d + c * ldd + rows, fill - rows);
}

void VN(copy_rows)(float *d, long ldd, const float *s, long lds, long rows, long cols)
{
	for (long r = 0; r < rows; r++, d += ldd, s += lds) {
		vcopy(d, s, cols);
		if (cols < ldd) vzero(d + cols, ldd - cols);
	}
}
