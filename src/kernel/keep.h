/* SPDX-License-Identifier: Apache-2.0
 *
 * keep.h - what was learnt, kept in flash as the difference from the contents that weights began with, in one of two slots. Whatever stops a write, the older slot
 * stays whole, and a load finds either what was kept before or what is kept now, never a mix.
 *
 * A record, little-endian:
 *
 *   head     u32[8]: magic, number of the save, bytes of the body, checksum of the first contents, parts (and 1 << 31: the differences are not coded),
 *            checksum of the body, 0, checksum of the head before this
 *   table    for each part: u32 hash of its name, u32 elements (and 1 << 31: of one byte, else of four)
 *   body     differences of all elements in that order, new - old within the element's bits (of floats, the difference of their bits as integers), coded: is it 0, its
 *            sign, how many bits, those bits, under an adaptive binary range coder (that of LZMA); or plain, if that is shorter
 *
 * The head is written last, and the table belongs to the body. Checksums are CRC-32 as in zip.
 */
#ifndef COP_KEEP_H
#define COP_KEEP_H

#include <stdint.h>

/* Two slots of `size` bytes each. Each call does one thing and returns 0 when it is done: erase a whole slot, write n bytes to a place that was erased since it was
 * written, read. at and n of writes are multiples of COP_KEEP_UNIT, so that the words of any flash are written once. */
enum { COP_KEEP_UNIT = 16, COP_KEEP_HEAD = 32 };
typedef struct cop_flash {
	void *ud;
	uint32_t size;
	int (*erase)(void *ud, int slot);
	int (*write)(void *ud, int slot, uint32_t at, const void *bytes, uint32_t n);
	int (*read)(void *ud, int slot, uint32_t at, void *bytes, uint32_t n);
} cop_flash;

/* A tensor that is kept: `elements` of `width` bytes (1 or 4) at `now`, which began as `first`; NULL: as zeros. */
typedef struct cop_kept { uint32_t hash, elements, width; void *now; const void *first; } cop_kept;

enum cop_keep_result {
	COP_KEEP_DONE = 0,
	COP_KEEP_NONE = 1,   /* load: neither slot has a whole record of this network; the weights are as they were */
	COP_KEEP_FULL = 2,   /* write: the record is larger than a slot; nothing was written */
	COP_KEEP_FAILED = 3  /* the flash said no; the older slot is whole */
};
int cop_keep_write(const cop_flash *f, const cop_kept *part, uint32_t n);
int cop_keep_load(const cop_flash *f, const cop_kept *part, uint32_t n);

/* Bytes that a record takes at most. */
static inline uint32_t cop_keep_most(uint32_t bytes, uint32_t parts) { return (COP_KEEP_HEAD + 8 * parts + bytes + COP_KEEP_UNIT - 1) / COP_KEEP_UNIT * COP_KEEP_UNIT; }

#endif
