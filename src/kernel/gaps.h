/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps.h - sparse int8 weights as scalar kernels read them, by rows (output channels): what is kept of a row, in elements of one weight or of an aligned
 * group of four neighbours, and where the input of each lies. A row is steps of as many words each (COP_GAP_WORDS, COP_GROUP_WORDS):
 *
 *   pairs    two elements whose inputs a kernel stages side by side, and the byte that these begin at, u16. Only where a kernel says where (gaps_pack.h)
 *              of weights  twice the words (a b a b of two pairs: the first pair's on even bytes, the second's on odd ones), (where, where)
 *              of groups   (where, where), then the groups of the first pair and of the second
 *   singles  an element, and a byte for how far its input lies from the one before: in units of `unit` bytes, so that it can be added to an address.
 *            One too far is bridged by an element of zeros
 *              of weights  4 words (weight gap weight gap); the gap is from weight to weight, the first one's from column 0
 *              of groups   a word of gaps, 4 words of weights; the gap is from the end of a group to the next
 *
 * Steps are filled up with zeros. Groups of zeros at the end of singles read as many groups behind the row.
 *
 * A row begins with a word, the number of its steps of pairs and << 16 that of all; a kernel may have words of its own behind it.
 */
#ifndef COP_GAPS_H
#define COP_GAPS_H

#include "kernel/kernel.h"

/* The first row of part `part` of `parts`; those of a call of a convolution. */
static inline uint32_t cop_gap_row_at(uint32_t rows, int32_t part, int32_t parts) { return rows * (uint32_t)part / (uint32_t)parts; }
static inline int32_t cop_gap_from(const cop_call *c) { return (int32_t)cop_gap_row_at((uint32_t)c->k[CK_O], c->part, c->parts); }
static inline int32_t cop_gap_to(const cop_call *c) { return (int32_t)cop_gap_row_at((uint32_t)c->k[CK_O], c->part + 1, c->parts); }

enum { COP_GAP_WORDS = 4, COP_GAP_STEP = 2 * COP_GAP_WORDS, COP_GAP_PAIRS = 4 };
enum { COP_GROUP = 4, COP_GROUPS = 4, COP_GROUP_WORDS = 1 + COP_GROUPS, COP_GROUP_PAIRS = 2 };

#endif
