/* SPDX-License-Identifier: Apache-2.0
 *
 * bits.h - what kernels of qbconv make of a sum of bits (kernel.h, QC_).
 */
#ifndef COP_BITS_H
#define COP_BITS_H

#include "kernel/kernel.h"
#include "kernel/quant.h"

/* Of one channel: factor, what is added, slope of what is below 0 in 2^-15, what is added then, with the half that rounds. Numbers of a file may make no
 * sense, so sums wrap. */
typedef struct cop_bend { int32_t mult, add, slope, lift; } cop_bend;

/* d: the sum of bits; r: the operand that is added. */
static inline int8_t cop_bent(int32_t d, int32_t r, const cop_bend *p, const int32_t *k)
{
	uint32_t far = (uint32_t)p->mult * (uint32_t)d + (uint32_t)p->add + (uint32_t)k[QC_RES] * (uint32_t)(r - k[QC_ZR]);
	int32_t z = (int32_t)far;

	if (z < 0) z = (int32_t)((int64_t)z * p->slope >> 15);
	return (int8_t)cop_clampi(cop_wrap_add(z, p->lift) >> k[QC_SHIFT], k[CK_LO], k[CK_HI]);
}

#endif
