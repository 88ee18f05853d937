/* SPDX-License-Identifier: Apache-2.0
 *
 * mask - which of many scores stay.
 */
#include "compress/prune/prune.h"

#include <math.h>

float cop__kth_largest(float *v, int64_t n, int64_t k)
{
	int64_t lo = 0, hi = n - 1;

	while (lo < hi) {
		float pivot = v[lo + (hi - lo) / 2];
		int64_t i = lo, j = hi;
		while (i <= j) {
			while (v[i] > pivot) i++;
			while (v[j] < pivot) j--;
			if (i > j) break;
			float t = v[i];
			v[i++] = v[j];
			v[j--] = t;
		}
		if (k - 1 <= j) hi = j;
		else if (k - 1 >= i) lo = i;
		else break;
	}
	return v[k - 1];
}

int64_t cop__prune_mask(float *mask, const float *score, int64_t n, double keep, int64_t least, float *scratch)
{
	int64_t k = (int64_t)(keep * (double)n + 0.5), left = 0, above = 0;

	k = COP_MIN(COP_MAX(k, least), n);
	for (int64_t i = 0; i < n; i++)
		if (mask[i] != 0) scratch[left++] = score[i];
	if (k >= left) return left;
	float at = k ? cop__kth_largest(scratch, left, k) : INFINITY;
	for (int64_t i = 0; i < n; i++) above += mask[i] != 0 && score[i] > at;
	int64_t ties = k - above; /* exactly k stay: of the equal ones the first */
	for (int64_t i = 0; i < n; i++)
		if (mask[i] != 0 && score[i] <= at && !(score[i] == at && ties-- > 0)) mask[i] = 0;
	return k;
}
