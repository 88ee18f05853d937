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

typedef double entry(int32_t p, int32_t row, int32_t column);
static double mixes(int32_t p, int32_t row, int32_t column) { return (p == 2 ? row && column : row == column) ? -1 : 1; }
static double unmixes(int32_t p, int32_t row, int32_t column) { return p == 2 ? 0.5 * mixes(2, row, column) : 0.5 / (p - 2) - (row == column ? 0.5 : 0); }

/* That of the Kronecker product of one matrix for each prime factor. */
static double product(entry *of, int32_t n, int32_t row, int32_t column)
{
	double value = 1;

	for (int32_t p; n > 1; n /= p, row /= p, column /= p) {
		p = least_factor(n);
		value *= of(p, row % p, column % p);
	}
	return value;
}

float cop__mixing(int32_t n, int32_t row, int32_t column) { return (float)product(mixes, n, row, column); }
double cop__unmixing(int32_t n, int32_t row, int32_t column) { return product(unmixes, n, row, column); }
