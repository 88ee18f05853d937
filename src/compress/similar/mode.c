/* SPDX-License-Identifier: Apache-2.0
 *
 * mode - the most frequent of many numbers, for the rule by which the removal of neurons stops.
 */
#include "compress/prune/prune.h"
#include "compress/similar/similar.h"

enum { BINS = 100 };

double cop__mode(float *v, int64_t n)
{
	int32_t count[BINS] = {0}, best = 0;
	int64_t most = COP_MAX(n - n / 20, 1);
	float hi = cop__kth_largest(v, n, n - most + 1), lo = cop__kth_largest(v, n, n);

	for (int64_t i = 0; i < n && hi > lo; i++) {
		int32_t bin = (int32_t)((double)(v[i] - lo) / (double)(hi - lo) * BINS);
		if (v[i] <= hi) count[COP_MIN(bin, BINS - 1)]++;
	}
	for (int32_t k = 1; k < BINS; k++)
		if (count[k] > count[best]) best = k;
	return (double)lo + (best + 0.5) / BINS * (double)(hi - lo);
}
