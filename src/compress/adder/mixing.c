/* SPDX-License-Identifier: Apache-2.0
 *
 * mixing - see adder.h. Of a prime p above 2 the matrix is J - 2 I, with J all ones: its inverse is J / (2 (p - 2)) - I / 2.
 */
#include "compress/adder/adder.h"

static int32_t least_factor(int32_t n)
{
	for (int32_t p = 2; p <= n / p; p++)
		if (n % p == 0) return p;
	return n;
}

float cop__mixing(int32_t n, int32_t row, int32_t column)
{
	float sign = 1;

	for (int32_t p; n > 1; n /= p, row /= p, column /= p) {
		p = least_factor(n);
		int32_t r = row % p, c = column % p;
		if (p == 2 ? r && c : r == c) sign = -sign;
	}
	return sign;
}

double cop__unmixing(int32_t n, int32_t row, int32_t column)
{
	double value = 1;

	for (int32_t p; n > 1; n /= p, row /= p, column /= p) {
		p = least_factor(n);
		int32_t r = row % p, c = column % p;
		value *= p == 2 ? (r && c ? -0.5 : 0.5) : 0.5 / (p - 2) - (r == c ? 0.5 : 0);
	}
	return value;
}
