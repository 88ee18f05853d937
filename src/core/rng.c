/* SPDX-License-Identifier: Apache-2.0
 *
 * rng - counter-based random numbers: a function of (seed, stream, index), so that threads, restarts
 * and devices draw the same ones in any order. The mixer is the finaliser of splitmix64
 * (Steele, Lea, Flood 2014), applied twice.
 */
#include "core/core.h"

#include <math.h>

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t cop__rand(uint64_t seed, uint32_t stream, uint64_t index)
{
	return (uint32_t)(mix(mix(seed ^ ((uint64_t)stream << 32 | stream)) + index) >> 32);
}

float cop__rand_unit(uint64_t seed, uint32_t stream, uint64_t index)
{
	return (float)(cop__rand(seed, stream, index) >> 8) * 0x1p-24f;
}

/* Box and Muller, one of the pair. */
float cop__rand_normal(uint64_t seed, uint32_t stream, uint64_t index)
{
	double u = ((double)cop__rand(seed, stream, 2 * index) + 0.5) * 0x1p-32;
	double v = ((double)cop__rand(seed, stream, 2 * index + 1) + 0.5) * 0x1p-32;
	return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

/* FNV-1a */
uint32_t cop__hash_text(const char *s)
{
	uint32_t h = 2166136261u;
	while (*s) h = (h ^ (uint8_t)*s++) * 16777619u;
	return h;
}

/* Fisher and Yates. */
void cop__shuffle(int32_t *v, int32_t n, uint64_t seed, uint32_t stream)
{
	for (int32_t i = n - 1; i > 0; i--) {
		int32_t j = (int32_t)(((uint64_t)cop__rand(seed, stream, (uint64_t)i) * (uint64_t)(i + 1)) >> 32), t = v[i];
		v[i] = v[j];
		v[j] = t;
	}
}
