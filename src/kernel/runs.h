/* SPDX-License-Identifier: Apache-2.0
 *
 * runs.h - weights of bytes as a device has them in flash when an adaptive code makes them as short as may be, and how they are decoded before a layer
 * runs: one bit at a time of a binary range coder, under estimates that follow what was decoded (as in LZMA and DeepCABAC: Wiedemann et al. 2019,
 * arXiv 1905.08318). No tables lie with the weights. The code of coded.h is decoded several times as fast.
 *
 *   u32 count      numbers of the image, with CODED_RUNS; with CODED_PAIRS two of them make a half (coded.h)
 *   u16 row        numbers of a row, where the image is single weights in rows (gaps.h); 0: the image is the numbers
 *   u8  gaps       the shape of how runs of zeros are coded: << 5 the first class, and the last one
 *   u8  sizes      the same of sizes
 *   u32 bytes      of the range coder; of rows, << 24 the unit of a gap
 *   u8  of the range coder[bytes]
 *
 * Coded are the numbers that are not zero, in their order: the zeros before one, its sign, and its size less 1. At the end stands a run of zeros that
 * reaches `count`, if there is one.
 *
 * A whole number n >= 0 is n + 2^first, whose highest bit is that of its class: a bit for each class, whether it lies above that, then the bits below
 * the highest. Of these as many as `depth` have estimates of their own, by those above them; what is left is as likely 0 as 1, CODED_PLAIN bits at once.
 *
 * A run of many zeros thus takes a few bits, and few instructions.
 */
#ifndef COP_RUNS_H
#define COP_RUNS_H

#include "kernel/coded.h"

enum { CODED_RUNS = 1 << 28 /* beside the flags of coded.h */, CODED_GAP_DEPTH = 1, CODED_SIZE_DEPTH = 7, CODED_GAP_CLASSES = 29, CODED_SIGNS = 3, CODED_PLAIN = 12 };

typedef struct cop_runs_head { uint32_t count; uint16_t row; uint8_t gaps, sizes; uint32_t bytes; } cop_runs_head;

static inline bool cop_coded_runs(const void *code) { return ((const cop_coded_head *)code)->count & CODED_RUNS; }

/* How numbers are coded: classes from `first` to `last`. */
typedef struct cop_runs_shape { uint32_t first, last, depth; } cop_runs_shape;
static inline cop_runs_shape cop_runs_gaps(const cop_runs_head *h) { return (cop_runs_shape){h->gaps >> 5, h->gaps & 31, CODED_GAP_DEPTH}; }
static inline cop_runs_shape cop_runs_sizes(const cop_runs_head *h) { return (cop_runs_shape){h->sizes >> 5, h->sizes & 31, CODED_SIZE_DEPTH}; }

/* Estimates of a class: the first one is whether numbers lie above it, then a tree. */
static inline uint32_t cop_runs_class(uint32_t c, uint32_t depth) { return 1u << (c < depth ? c : depth); }
static inline uint32_t cop_runs_estimates(cop_runs_shape s)
{
	uint32_t n = 0;
	for (uint32_t c = s.first; c <= s.last; c++) n += cop_runs_class(c, s.depth);
	return n;
}

/* What is kept from one part to the next; the estimates follow: CODED_SIGNS, then those of gaps and of sizes. at: of the next number that is not
 * zero. beside: which estimate its sign has: it has no neighbour before it, a positive or a negative one. */
typedef struct cop_runs_state { uint32_t range, code, used, at, beside, seen; } cop_runs_state;

static inline size_t cop_runs_work(const cop_runs_head *h)
{
	uint32_t n = CODED_SIGNS + cop_runs_estimates(cop_runs_gaps(h)) + cop_runs_estimates(cop_runs_sizes(h));
	return sizeof(cop_runs_state) + (n + 1) / 2 * 4;
}

/* Estimates are out of 65536, of a 1. They follow the faster the fewer numbers have been seen. */
static inline uint32_t cop_runs_rate(uint32_t seen) { return seen < 4 ? 2 : seen < 16 ? 3 : seen < 64 ? 4 : seen < 256 ? 5 : 6; }
static inline uint32_t cop_runs_learned(uint32_t e, bool bit, uint32_t rate) { return bit ? e + ((65535 - e) >> rate) : e - (e >> rate); }
static inline uint32_t cop_runs_bound(uint32_t range, uint32_t e) { return (range >> 16) * e; }

/* Writes part `part` of `parts` of the image that `code` holds to `to`, in order, the first one first. Only images in rows have several. Behind
 * `room` bytes, which the part takes at most, cop_runs_work(code) bytes more are written and stay until the last part. All lies at whole words. */
void cop_unrun(const void *code, void *to, size_t room, int32_t part, int32_t parts);

#endif
