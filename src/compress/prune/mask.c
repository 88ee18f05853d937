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

static bool before(const float *v, int32_t a, int32_t b) { return v[a] > v[b] || (v[a] == v[b] && a < b); }

/* The heap's root is what comes last. */
static void sift(int32_t *heap, const float *v, int64_t at, int64_t n)
{
	for (int64_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && before(v, heap[child], heap[child + 1])) child++;
		if (!before(v, heap[at], heap[child])) return;
		int32_t t = heap[at];
		heap[at] = heap[child];
		heap[child] = t;
	}
}

void cop__order_of(int32_t *order, const float *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++) order[i] = (int32_t)i;
	for (int64_t i = n / 2; i-- > 0;) sift(order, v, i, n);
	for (int64_t i = n - 1; i > 0; i--) {
		int32_t t = order[0];
		order[0] = order[i];
		order[i] = t;
		sift(order, v, 0, i);
	}
}
