/* SPDX-License-Identifier: Apache-2.0
 *
 * half - dense weights as 16-bit floats (IEEE 754 binary16). Any bits are a number, or none that a sum would hide:
 * nothing is left to check.
 *
 *   0                        2 rows cols
 *   +------------------------+--------+
 *   | u16 half[rows][cols]   | 0 or 2 |
 *   +------------------------+--------+
 */
#include "enc/enc.h"

#include <math.h>

/* To the nearest, ties to even; what is too large becomes the largest. */
uint16_t cop__to_half(float f)
{
	uint16_t sign = signbit(f) ? 0x8000 : 0;
	float a = fabsf(f);
	int e;

	if (!(a < 65520)) return (uint16_t)(sign | (a == a ? 0x7bff : 0x7e00));
	frexpf(a, &e);
	e = e < -13 ? -13 : e; /* the exponent of subnormals */
	uint32_t steps = (uint32_t)nearbyintf(ldexpf(a, 11 - e)); /* 1024 .. 2048 for normal numbers; 2048 carries */
	return (uint16_t)(sign | (steps < 1024 ? steps : steps - 1024 + ((uint32_t)(e + 14) << 10)));
}

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	(void)blob;
	return cop__pad4(2 * (size_t)rows * (size_t)cols);
}

static cop_status encode(void **blob, uint32_t *size, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	COP_TRY(cop__blob_alloc(blob, size, cx, bytes(NULL, rows, cols)));
	for (int64_t i = 0; i < (int64_t)rows * cols; i++) ((uint16_t *)*blob)[i] = cop__to_half(w[i]);
	return COP_OK;
}

static void decode(float *w, const void *blob, int32_t rows, int32_t cols)
{
	const uint16_t *half = blob;

	for (int64_t i = 0; i < (int64_t)rows * cols; i++) w[i] = cop_from_half(half[i]);
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	const uint16_t *half = blob;
	int64_t n = 0;

	for (int64_t i = 0; i < (int64_t)rows * cols; i++) n += (half[i] & 0x7fff) != 0;
	return n;
}

const cop_encoding cop_enc_half = {
	.layout = "u16 half[rows*cols] padded to 4: IEEE 754 binary16", .flags = COP_ENC_GROUPS,
	.encode = encode, .decode = decode, .bytes = bytes, .kept = kept};
