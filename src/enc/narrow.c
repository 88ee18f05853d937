/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow - the encodings of dense weights in fewer bits: BYTES (a scale for each row) and HALF. Any blob of the right length may be
 * run, so that the length, and scales that are numbers, are all there is to check.
 */
#include "enc/enc.h"

#include <math.h>

static size_t narrow_bytes(cop_enc enc, int32_t rows, int32_t cols)
{
	size_t n = (size_t)rows * (size_t)cols;
	return enc == COP_BYTES ? 4 * (size_t)rows + (n + 3) / 4 * 4 : (2 * n + 3) / 4 * 4;
}

float cop__from_half(uint16_t h)
{
	uint32_t exponent = h >> 10 & 31, part = h & 1023;
	float v = exponent ? ldexpf((float)(1024 + part), (int)exponent - 25) : ldexpf((float)part, -24);

	if (exponent == 31) v = part ? NAN : INFINITY;
	return h >> 15 ? -v : v;
}

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

cop_status cop__encode_narrow(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w, const float *scale, const int8_t *code, int32_t rows, int32_t cols)
{
	size_t size = narrow_bytes(enc, rows, cols), n = (size_t)rows * (size_t)cols;

	if (size > INT32_MAX) return cop__error(cx, COP_ARG, "an encoded tensor is at most 2 GiB long");
	if (!(*blob = cop__alloc(cx, size))) return COP_NOMEM;
	*bytes = (uint32_t)size;
	if (enc == COP_BYTES) {
		memcpy(*blob, scale, 4 * (size_t)rows);
		memcpy((char *)*blob + 4 * (size_t)rows, code, n);
		return COP_OK;
	}
	for (size_t i = 0; i < n; i++) ((uint16_t *)*blob)[i] = cop__to_half(w[i]);
	return COP_OK;
}

cop_status cop__narrow_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob)
{
	int32_t rows, cols;

	cop__matrix_of(t, &rows, &cols);
	if (t->dtype != COP_F32 || t->enc_bytes != narrow_bytes(t->enc, rows, cols))
		return cop__error(cx, COP_FORMAT, "%s: %u bytes are not the %s form of %d x %d numbers", name, t->enc_bytes, cop__enc_text(t->enc), rows, cols);
	for (int32_t r = 0; blob && t->enc == COP_BYTES && r < rows; r++) {
		float s;
		memcpy(&s, (const char *)blob + 4 * (size_t)r, 4);
		if (!isfinite(s)) return cop__error(cx, COP_FORMAT, "%s: the scale of row %d is not a number", name, r);
	}
	return COP_OK;
}

cop_status cop__narrow_decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *blob)
{
	int32_t rows, cols;

	COP_TRY(cop__narrow_check(cx, name, t, blob));
	cop__matrix_of(t, &rows, &cols);
	const float *scale = blob;
	const int8_t *code = (const int8_t *)blob + 4 * (size_t)rows;
	const uint16_t *half = blob;
	for (int64_t i = 0; i < (int64_t)rows * cols; i++) w[i] = t->enc == COP_BYTES ? scale[i / cols] * (float)code[i] : cop__from_half(half[i]);
	return COP_OK;
}
