/* SPDX-License-Identifier: Apache-2.0
 *
 * factor - positive matrices in double precision, by rows, so that inner loops run along memory.
 */
#include "compress/gram/gram.h"

#include <math.h>

void cop__damped(double *out, const float *h, int32_t k, double damp)
{
	double mean = 0;

	for (size_t i = 0; i < (size_t)k * (size_t)k; i++) out[i] = (double)h[i];
	for (int32_t i = 0; i < k; i++) mean += out[(size_t)i * (size_t)k + (size_t)i] / k;
	for (int32_t i = 0; i < k; i++) {
		double *d = &out[(size_t)i * (size_t)k + (size_t)i];
		*d = (*d > 0 ? *d : 1) + damp * mean;
	}
}

static double dot(const double *a, const double *b, int32_t n)
{
	double s[4] = {0};
	int32_t i = 0;

	for (; i + 4 <= n; i += 4)
		for (int l = 0; l < 4; l++) s[l] += a[i + l] * b[i + l];
	for (; i < n; i++) s[0] += a[i] * b[i];
	return s[0] + s[1] + s[2] + s[3];
}

bool cop__cholesky(double *a, int32_t k)
{
	for (int32_t i = 0; i < k; i++) {
		double *row = a + (size_t)i * (size_t)k;
		for (int32_t j = 0; j < i; j++) {
			const double *other = a + (size_t)j * (size_t)k;
			row[j] = (row[j] - dot(row, other, j)) / other[j];
		}
		double d = row[i] - dot(row, row, i);
		if (!(d > 0) || !isfinite(d)) return false;
		row[i] = sqrt(d);
	}
	return true;
}

void cop__solve(const double *l, double *x, int32_t k)
{
	for (int32_t i = 0; i < k; i++) {
		const double *row = l + (size_t)i * (size_t)k;
		x[i] = (x[i] - dot(row, x, i)) / row[i];
	}
	for (int32_t i = k - 1; i >= 0; i--) { /* L' by its columns, which are rows of L */
		const double *row = l + (size_t)i * (size_t)k;
		x[i] /= row[i];
		for (int32_t j = 0; j < i; j++) x[j] -= row[j] * x[i];
	}
}

/* room: row i is column i of the inverse of L, so that a^-1 = sums of products of rows. */
bool cop__invert(double *a, int32_t k, double *room)
{
	const size_t n = (size_t)k;

	if (!cop__cholesky(a, k)) return false;
	memset(room, 0, sizeof *room * n * n);
	for (int32_t c = 0; c < k; c++) {
		double *x = room + (size_t)c * n;
		x[c] = 1 / a[(size_t)c * n + (size_t)c];
		for (int32_t i = c + 1; i < k; i++) x[i] = -dot(a + (size_t)i * n + c, x + c, i - c) / a[(size_t)i * n + (size_t)i];
	}
	for (int32_t i = 0; i < k; i++)
		for (int32_t j = 0; j <= i; j++) a[(size_t)i * n + (size_t)j] = a[(size_t)j * n + (size_t)i] = dot(room + (size_t)i * n + i, room + (size_t)j * n + i, k - i);
	return true;
}
