/* SPDX-License-Identifier: Apache-2.0
 *
 * whole - single numbers of a weight of i8, i4 or i2. Those of few bits share bytes along the last axis, from the low bits up; each run begins at a byte.
 */
#include "graph/graph.h"

typedef struct place { int64_t byte; int shift, bits; } place;

static place place_of(const cop_type *t, int64_t i)
{
	const int bits = cop__dtype_bits(t->dtype), each = 8 / bits;
	const int64_t run = t->dim[t->rank - 1], at = i % run;

	return (place){i / run * ((run + each - 1) / each) + at / each, (int)(at % each) * bits, bits};
}

bool cop__is_whole(const cop_type *t) { return (t->dtype == COP_I8 || t->dtype == COP_I4 || t->dtype == COP_I2) && t->enc == COP_DENSE; }

int32_t cop__whole_at(const cop_type *t, const void *data, int64_t i)
{
	const place p = place_of(t, i);
	const int32_t sign = 1 << (p.bits - 1);

	return ((((const uint8_t *)data)[p.byte] >> p.shift & (2 * sign - 1)) ^ sign) - sign;
}

void cop__whole_put(const cop_type *t, void *data, int64_t i, int32_t v)
{
	const place p = place_of(t, i);

	((uint8_t *)data)[p.byte] |= (uint8_t)((v & ((1 << p.bits) - 1)) << p.shift);
}
