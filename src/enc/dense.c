/* SPDX-License-Identifier: Apache-2.0
 *
 * dense - the elements in order. No blob needs it; it is a row so that a weight can be looked at without asking how it
 * lies.
 */
#include "enc/enc.h"

static cop_status encode(void **blob, uint32_t *bytes, cop_ctx *cx, const float *w, int32_t rows, int32_t cols)
{
	COP_TRY(cop__blob_alloc(blob, bytes, cx, 4 * (size_t)rows * (size_t)cols));
	memcpy(*blob, w, *bytes);
	return COP_OK;
}

static void decode(float *w, const void *blob, int32_t rows, int32_t cols)
{
	memcpy(w, blob, 4 * (size_t)rows * (size_t)cols);
}

static size_t bytes(const void *blob, int32_t rows, int32_t cols)
{
	(void)blob;
	return 4 * (size_t)rows * (size_t)cols;
}

static int64_t kept(const void *blob, int32_t rows, int32_t cols)
{
	const float *w = blob;
	int64_t n = 0;

	for (int64_t i = 0; i < (int64_t)rows * cols; i++) n += cop__bits_of(w[i]) != 0;
	return n;
}

const cop_encoding cop_enc_dense = {
	.layout = "the elements in order", .flags = COP_ENC_EXACT | COP_ENC_GROUPS,
	.encode = encode, .decode = decode, .bytes = bytes, .kept = kept};
