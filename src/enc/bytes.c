/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes - dense weights in 8 bits, with a scale for each row: w = scale * code.
 *
 *   0                4 rows                    4 rows + rows cols
 *   +----------------+-------------------------+---------+
 *   | f32 scale[rows]| i8 code[rows][cols]     | 0 .. 3  |
 *   +----------------+-------------------------+---------+
 *
 * Any codes may be run; scales that are numbers are all there is to check.
 */
#include "enc/enc.h"

#include <math.h>

enum { MOST = 127 };

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	(void)blob;
	return 4 * (size_t)rows + cop__pad4((size_t)rows * (size_t)cols);
}

cop_status cop__encode_bytes(void **blob, uint32_t *size, cop_ctx *cx, const float *scale, const int8_t *code,
	int32_t rows, int32_t cols)
{
	COP_TRY(cop__blob_alloc(blob, size, cx, bytes(NULL, rows, cols)));
	memcpy(*blob, scale, 4 * (size_t)rows);
	memcpy((char *)*blob + 4 * (size_t)rows, code, (size_t)rows * (size_t)cols);
	return COP_OK;
}

/* The largest of a row is 127 steps. */
static void one_row(float *scale, int8_t *code, const float *w, int32_t cols)
{
	float most = 0;

	for (int32_t i = 0; i < cols; i++) most = fmaxf(most, fabsf(w[i]));
	*scale = most > 0 ? most / MOST : 1;
	if (!(*scale > 0)) *scale = most; /* of numbers so small that a step is none */
	for (int32_t i = 0; i < cols; i++) code[i] = (int8_t)fminf(fmaxf(roundf(w[i] / *scale), -MOST), MOST);
}

static cop_status encode(void **blob, uint32_t *size, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	for (int64_t i = 0; i < (int64_t)rows * cols; i++)
		if (!isfinite(w[i]))
			return cop__error(cx, COP_ARG, "number %lld is %g, which bytes cannot hold", (long long)i, (double)w[i]);
	COP_TRY(cop__blob_alloc(blob, size, cx, bytes(NULL, rows, cols)));
	float *scale = *blob;
	int8_t *code = (int8_t *)*blob + 4 * (size_t)rows;
	for (int32_t r = 0; r < rows; r++, code += cols, w += cols) one_row(&scale[r], code, w, cols);
	return COP_OK;
}

static cop_status check(cop_ctx *cx, const char *name, const void *blob, size_t size, int32_t rows, int32_t cols)
{
	const float *scale = cop_bytes_of(blob, rows).scale;

	(void)size, (void)cols;
	for (int32_t r = 0; r < rows; r++)
		if (!isfinite(scale[r]))
			return cop__error(cx, COP_FORMAT, "%s: the scale of row %d is not a number", name, r);
	return COP_OK;
}

static void decode(float *w, const void *blob, int32_t rows, int32_t cols)
{
	cop_bytes_blob b = cop_bytes_of(blob, rows);

	for (int64_t i = 0; i < (int64_t)rows * cols; i++) w[i] = b.scale[i / cols] * (float)b.code[i];
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	cop_bytes_blob b = cop_bytes_of(blob, rows);
	int64_t n = 0;

	for (int64_t i = 0; i < (int64_t)rows * cols; i++) n += b.code[i] && cop__bits_of(b.scale[i / cols]);
	return n;
}

const cop_encoding cop_enc_bytes = {
	.layout = "f32 scale[rows], i8 code[rows*cols] padded to 4: a weight is scale * code", .flags = COP_ENC_GROUPS,
	.encode = encode, .check = check, .decode = decode, .bytes = bytes, .kept = kept};
