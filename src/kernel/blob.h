/* SPDX-License-Identifier: Apache-2.0
 *
 * blob.h - where the parts of an encoded weight lie, for the kernels that read it in place and for whoever makes, checks
 * and counts it. A blob is little-endian, 4-byte aligned, and may lie in flash; it was checked when it was loaded. A
 * weight is a matrix here: rows are output channels, cols all the rest.
 *
 * palette  u32 levels, u8 bits (1, 2, 4, 8), u24 per: rows that share a codebook, 0 for all; f32 codebook[rows / per, rounded up][levels]; codes
 *          packed from the low bits up, each row starting at a byte
 * sparse   u32 rows, u32 levels (0: f32 values); f32 codebook[levels] with entry 0 = 0 (the filler);
 *          u32 start[rows+1]: entry index at which each row begins;
 *          u8 gap[entries], padded to 4: distance to the previous kept element of the row, less one (first: from -1);
 *          u8 code[entries] padded to 4, or f32 value[entries]. A gap over 255 is bridged by a filler entry.
 * bytes    f32 scale[rows]; i8 code[rows*cols], padded to 4: w = scale * code
 * vectors  u32 n, u32 bits (1, 2, 4, 8), u32 width (2, 4); f32 codebook[n][width]; codes as of a palette, one for each
 *          `width` neighbours of a row, the last of which may be fewer
 * half     u16[rows*cols], IEEE binary16, padded to 4
 */
#ifndef COP_BLOB_H
#define COP_BLOB_H

#include "kernel/kernel.h"

typedef struct cop_palette_blob {
	const float *book;
	const uint8_t *codes;
	int32_t levels, bits, stride; /* stride: bytes of a row */
	int32_t per;                  /* rows that share a codebook */
} cop_palette_blob;
typedef struct cop_vectors_blob {
	cop_palette_blob code; /* of vectors: its book has width numbers for each level */
	int32_t width, shift;  /* width = 1 << shift */
} cop_vectors_blob;
typedef struct cop_sparse_blob {
	const float *book;
	const uint32_t *start;      /* [rows+1] */
	const uint8_t *gap, *code;  /* [start[rows]] */
	const float *value;         /* the same without a codebook; else 0 */
	int32_t levels;
} cop_sparse_blob;
typedef struct cop_bytes_blob { const float *scale; const int8_t *code; } cop_bytes_blob;

static inline cop_palette_blob cop_palette_of(const void *blob, int32_t rows, int32_t cols)
{
	const uint32_t *head = blob;
	uint32_t per = head[1] >> 8, books = per ? ((uint32_t)rows + per - 1) / per : 1;
	cop_palette_blob p = {(const float *)(head + 2), (const uint8_t *)(head + 2 + books * head[0]), 0, 0, 0, 0};

	p.levels = (int32_t)head[0];
	p.bits = (int32_t)(head[1] & 255);
	p.per = per ? (int32_t)per : rows;
	p.stride = (int32_t)(((int64_t)cols * p.bits + 7) / 8);
	return p;
}

static inline int32_t cop_palette_code(const cop_palette_blob *p, int32_t row, int32_t col)
{
	int32_t bit = col * p->bits;
	return p->codes[(int64_t)row * p->stride + (bit >> 3)] >> (bit & 7) & ((1 << p->bits) - 1);
}

static inline const float *cop_palette_book(const cop_palette_blob *p, int32_t row)
{
	return p->book + row / p->per * p->levels;
}

static inline cop_vectors_blob cop_vectors_of(const void *blob, int32_t cols)
{
	const uint32_t *head = blob;
	cop_vectors_blob v = {{(const float *)(head + 3), (const uint8_t *)(head + 3 + head[0] * head[2]), 0, 0, 0, 0}, 0, 0};

	v.code.levels = (int32_t)head[0];
	v.code.bits = (int32_t)head[1];
	v.width = (int32_t)head[2];
	v.shift = v.width == 4 ? 2 : 1;
	v.code.stride = (((cols + v.width - 1) >> v.shift) * v.code.bits + 7) / 8;
	return v;
}

static inline float cop_vectors_at(const cop_vectors_blob *v, int32_t row, int32_t col)
{
	return v->code.book[(cop_palette_code(&v->code, row, col >> v->shift) << v->shift) + (col & (v->width - 1))];
}

static inline cop_sparse_blob cop_sparse_of(const void *blob)
{
	const uint32_t *head = blob;
	uint32_t rows = head[0], levels = head[1];
	cop_sparse_blob s = {(const float *)(head + 2), head + 2 + levels, 0, 0, 0, (int32_t)levels};

	s.gap = (const uint8_t *)(s.start + rows + 1);
	s.code = s.gap + ((s.start[rows] + 3) & ~3u);
	s.value = levels ? 0 : (const float *)(const void *)s.code;
	return s;
}

static inline cop_bytes_blob cop_bytes_of(const void *blob, int32_t rows)
{
	cop_bytes_blob b = {blob, (const int8_t *)((const float *)blob + rows)};
	return b;
}

/* IEEE 754 binary16, subnormals included. */
static inline float cop_from_half(uint32_t h)
{
	uint32_t sign = h << 16 & 0x80000000u, exponent = h >> 10 & 31, part = h & 1023;
	union { uint32_t u; float f; } v;

	if (!exponent) {
		v.f = (float)(int32_t)part / 16777216.0f;
		v.u |= sign;
	} else {
		v.u = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | part << 13;
	}
	return v.f;
}

#endif
