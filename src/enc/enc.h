/* SPDX-License-Identifier: Apache-2.0
 *
 * enc.h - how weights lie in memory. One row an encoding, all facts in it; enc.def lists the rows, each has a file.
 * Kernels read a blob in place and trust it; so whatever comes from outside goes through cop__blob_check, or through
 * codes, which check every count and index.
 *
 * A weight is a matrix here (cop__matrix_of): ROWS = dim 0 (output channels), COLS = all the rest.
 */
#ifndef COP_ENC_H
#define COP_ENC_H

#include "enc/codes.h"
#include "graph/ops.h"
#include "kernel/blob.h"

/* ---- rows ----
 * EXACT: gives back the numbers it was made of, or refuses them. GROUPS: its kernels read the weights of convolutions of
 * groups, too. SKIPS: they take no time for elements that are zero. */
enum { COP_ENC_EXACT = 1, COP_ENC_GROUPS = 2, COP_ENC_SKIPS = 4 };

typedef struct cop_encoding {
	const char *layout; /* for people: a line of docs/formats.md */
	uint32_t flags;
	/* Through codes, which the coders of files store as well: */
	cop_status (*put)(void **blob, uint32_t *bytes, cop_ctx *cx, const cop_codes *c);
	/* of a blob that nobody has checked; c has its room */
	cop_status (*get)(cop_codes *c, cop_ctx *cx, const char *name, const uint8_t *blob, size_t bytes);
	/* straight from the numbers; NULL: from their codes, one codebook for all */
	cop_status (*encode)(void **blob, uint32_t *bytes, cop_ctx *cx, const float *w, int32_t rows, int32_t cols);
	/* where put is NULL: its length is right, where rows and cols say it; NULL: nothing is left to check */
	cop_status (*check)(cop_ctx *cx, const char *name, const void *blob, size_t bytes, int32_t rows, int32_t cols);
	void (*decode)(float *w, const void *blob, int32_t rows, int32_t cols);
	/* Of a blob that was checked: */
	/* as long as it has to be. Without put, by rows and cols alone, or 0 for no blob: then `check` looks at the length */
	size_t (*bytes)(const void *blob, int32_t rows, int32_t cols);
	int64_t (*kept)(const void *blob, int32_t rows, int32_t cols); /* elements that are not zero */
} cop_encoding;

#define ENC(NAME, name) extern const cop_encoding cop_enc_##name;
ENC(DENSE, dense)
#include "enc/enc.def"
#undef ENC
const cop_encoding *cop__enc(cop_enc e); /* NULL: there is no such */

/* ---- any encoding; a blob is freed with cop__free ---- */
/* Of dense values. PALETTE fails when there are more than 256 different ones, VECTORS of vectors; SPARSE then keeps f32 values. */
cop_status cop__encode(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *w,
	int32_t rows, int32_t cols);
/* The same from codes[rows*cols] into codebook[levels]; for SPARSE code 0 is dropped and codebook[0] must be 0. */
cop_status cop__encode_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const float *codebook, int32_t levels,
	const uint8_t *codes, int32_t rows, int32_t cols);
/* BYTES of given scale[rows] and code[rows*cols]. */
cop_status cop__encode_bytes(void **blob, uint32_t *bytes, cop_ctx *cx, const float *scale, const int8_t *code,
	int32_t rows, int32_t cols);
/* w[rows*cols] of a value of any encoding; `name` begins the message ("m.cop, byte 90: 'fc1.w'"). */
cop_status cop__decode(float *w, cop_ctx *cx, const char *name, const cop_type *t, const void *data);
/* Whether the kernels may run from this blob: every index stays inside. */
cop_status cop__blob_check(cop_ctx *cx, const char *name, const cop_type *t, const void *blob);
int64_t cop__enc_kept(const cop_type *t, const void *data); /* elements of a weight of f32 that are not zero */
/* Can operand i of node n lie so? Of products alone, the weights. */
bool cop__enc_reads(cop_enc e, const cop_graph *g, cop_nid n, int i);

/* From a blob that nobody has checked, and back: equal codes give equal bytes. Of encodings that have codes. */
static inline bool cop__enc_has_codes(cop_enc e) { return cop__enc(e) && cop__enc(e)->put; }
cop_status cop__codes_of_blob(cop_codes *out, cop_ctx *cx, const char *name, cop_enc enc, const void *blob, size_t bytes,
	int32_t rows, int32_t cols);
cop_status cop__blob_of_codes(void **blob, uint32_t *bytes, cop_ctx *cx, cop_enc enc, const cop_codes *c);

/* ---- for the files of this folder ---- */
/* Room for a blob, zeroed; fails for more than 2 GiB. */
cop_status cop__blob_alloc(void **blob, uint32_t *bytes, cop_ctx *cx, size_t size);
static inline size_t cop__pad4(size_t n) { return (n + 3) & ~(size_t)3; }

uint16_t cop__to_half(float f);

#endif
