/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - how a tensor is stored in a file: as it is, under Huffman codes, or under an adaptive range coder.
 * What comes back is, byte for byte, what lay in memory.
 */
#ifndef COP_IO_CODEC_H
#define COP_IO_CODEC_H

#include "enc/enc.h"

typedef enum cop_codec { COP_CODEC_RAW, COP_CODEC_HUFFMAN, COP_CODEC_RANGE, COP_N_CODEC, COP_CODEC_AUTO } cop_codec;

const char *cop__codec_text(cop_codec c);
/* Appends a tensor to `out`. *codec: the one wanted, or AUTO for the smallest; then the one used (RAW where
 * the wanted one does not fit the tensor). */
cop_status cop__store(cop_text *out, cop_codec *codec, cop_ctx *cx, const cop_type *t, const void *data);
/* The same, but with COP_CODEC_RAW nothing is appended: what is stored are the bytes of data. */
cop_status cop__code(cop_text *out, cop_codec *codec, cop_ctx *cx, const cop_type *t, const void *data);
/* Of dense numbers: more different ones than a codebook has room for, and few zeros. Coding them is a waste of time; they are stored as they are. */
bool cop__all_differ(const float *w, int64_t count);
/* Fills data[cop_type_bytes(t)] from p[len], which nobody has checked, and checks encoded tensors on the way. */
cop_status cop__restore(
        void *data, cop_ctx *cx, const char *name, const cop_type *t, uint32_t codec, const uint8_t *p, size_t len);
/* Whether so few bytes can stand for so many elements: the limit on what a damaged file may make us allocate. */
bool cop__stored_enough(int64_t elements, size_t len);

/* Entries of relative-index storage, fillers included: gaps of 1 .. 2^bits over the flattened tensor.
 * Deep Compression (arXiv 1510.00149) counts a tensor as entries * (code bits + gap bits) + 32 * levels bits. */
int64_t cop__relative_entries(const uint8_t *mask, int64_t count, int bits);

/* ---- the head (levels, codebook, values), and the two coders, whose bytes follow ---- */
/* Appends it, behind the byte of flags; returns the flags. */
int cop__head_put(cop_text *t, const cop_codes *c);
/* From behind that byte, at *p, which goes on to the coder's bytes. Nobody has checked them. */
cop_status cop__head_get(cop_codes *c, cop_ctx *cx, const char *name, int flags, const uint8_t **p, const uint8_t *end);
/* parameter: of the coder, 0..31, kept in the head. */
cop_status cop__huffman_put(cop_text *out, int *parameter, cop_ctx *cx, const cop_codes *c);
cop_status cop__huffman_get(cop_codes *c, cop_ctx *cx, const char *name, int parameter, const uint8_t *p, size_t len);
cop_status cop__range_put(cop_text *out, int *parameter, cop_ctx *cx, const cop_codes *c);
cop_status cop__range_get(cop_codes *c, cop_ctx *cx, const char *name, int parameter, const uint8_t *p, size_t len);

/* How the range coder goes through a tensor. near, far: distances of neighbours along a row; 0: none. */
typedef struct cop_range_how { int parameter; uint32_t share; int32_t near, far; } cop_range_how;
cop_status cop__range_choose(cop_range_how *h, cop_ctx *cx, const cop_codes *c);
void cop__range_put_how(cop_text *out, const cop_range_how *h);
bool cop__range_get_how(cop_range_how *h, int parameter, const uint8_t **p, const uint8_t *end);
/* The elements alone, both ways: within a stream that has other things, too. */
struct cop_range;
cop_status cop__range_walk(struct cop_range *r, cop_ctx *cx, cop_codes *c, const cop_range_how *h);

/* A whole tensor within such a stream, in whatever form is shortest; and back, into data[cop_type_bytes(t)]. */
cop_status cop__code_into(struct cop_range *r, cop_ctx *cx, const cop_type *t, const void *data);
cop_status cop__restore_from(void *data, cop_ctx *cx, const char *name, const cop_type *t, struct cop_range *r);

#endif
