/* SPDX-License-Identifier: Apache-2.0
 *
 * draw.h - weights for the tests of codes.
 */
#ifndef COP_TEST_PLAN_DRAW_H
#define COP_TEST_PLAN_DRAW_H

#include "core/core.h"

#include <math.h>

/* Round numbers drawn from a normal distribution of this spread; a part of them is zero. pairs: two of them make a half (kernel/coded.h). */
static inline void draw(void *image, uint64_t seed, size_t n, double spread, double zeros, bool pairs)
{
	int8_t *b = image;
	int16_t *half = image;

	for (size_t i = 0; i < n; i++) {
		double v = 0;
		for (uint64_t k = 0; k < 12; k++) v += (double)cop__rand(seed, k, i) / 4294967296.0;
		v = cop__rand(seed, 99, i) < zeros * 4294967296.0 ? 0 : spread * (v - 6);
		int w = (int)lround(v < -127 ? -127 : v > 127 ? 127 : v);
		if (!pairs) b[i] = (int8_t)w;
		else half[i / 2] = (int16_t)(i % 2 ? 256 * w + half[i / 2] : w);
	}
}

#endif
