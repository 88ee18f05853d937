/* SPDX-License-Identifier: Apache-2.0
 *
 * enc.h - how compressed weights lie in memory: the PALETTE and SPARSE blobs of kernel/kernel.h, made from
 * dense values or from codes, checked, and expanded again.
 *
 * A weight is a matrix here (cop__matrix_of): ROWS = dim 0 (output channels), COLS = all the rest.
 */
#ifndef COP_ENC_H
#define COP_ENC_H

#include "graph/graph.h"

enum { COP_MAX_LEVELS = 256, COP_MAX_GAP = 255 };

/* Every encoding seen alike: one code for each element, row by row.
 * levels 0: too many different values; code is 1 for a kept element and value lists those in order. */
typedef struct cop_codes {
	int32_t rows, cols, levels;
	float codebook[COP_MAX_LEVELS];
	uint8_t *code; /* [rows*cols]; in a SPARSE tensor 0 is the zero */
	float *value;
	int64_t n_value;
} cop_codes;

static inline int64_t cop__codes_count(const cop_codes *c)
{
	return (int64_t)c->rows * c->cols;
}
cop_status cop__codes_alloc(cop_codes *c, cop_ctx *cx, int32_t rows, int32_t cols);
void cop__codes_free(cop_codes *c, cop_ctx *cx);

/* From dense values: entry 0 is the zero, the others ascend. Zeros of either sign become +0. */
cop_status cop__codes_of_dense(cop_codes *out, cop_ctx *cx, const float *w, int32_t rows, int32_t cols);
/* From a blob that nobody has checked; `name` begins the message ("m.cop, byte 90: 'fc1.w'"). enc is PALETTE or SPARSE.
 */
cop_status cop__codes_of_blob(cop_codes *out, cop_ctx *cx, const char *name, cop_enc enc, const void *blob,
        size_t bytes, int32_t rows, int32_t cols);

/* The blob of given codes; free it with cop__free. Equal codes give equal bytes. */
cop_status cop__blob_of_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const cop_codes *c);
void cop__dense_of_codes(float *w, const cop_codes *c);

/* ---- for compression: dense -> blob and back, exact ---- */
/* PALETTE fails when there are more than 256 different values; SPARSE then keeps f32 values. */
cop_status cop__encode(
        void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w, int32_t rows, int32_t cols);
/* The same from codes[rows*cols] into codebook[levels]; for SPARSE code 0 is dropped and codebook[0] must be 0. */
cop_status cop__encode_palette(void **blob, uint32_t *bytes, cop_ctx *cx, const float *codebook, int32_t levels,
        const uint8_t *codes, int32_t rows, int32_t cols);
cop_status cop__encode_sparse(void **blob, uint32_t *bytes, cop_ctx *cx, const float *codebook, int32_t levels,
        const uint8_t *codes, int32_t rows, int32_t cols);
/* w[rows*cols] of a value of any encoding. */
cop_status cop__decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *data);
/* BYTES: of scale[rows] and code[rows*cols]; HALF: of w (narrow.c). */
cop_status cop__encode_narrow(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w, const float *scale,
        const int8_t *code, int32_t rows, int32_t cols);
cop_status cop__narrow_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob);
cop_status cop__narrow_decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *blob);
static inline bool cop__narrow(cop_enc e) { return e == COP_BYTES || e == COP_HALF; }
uint16_t cop__to_half(float f);
float cop__from_half(uint16_t h);

/* Whether the kernels may run from this blob: every index stays inside. */
cop_status cop__blob_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob);

#endif
