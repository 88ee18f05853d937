/* SPDX-License-Identifier: Apache-2.0
 *
 * flatbuf.h - reading FlatBuffers of any schema: tables, vectors and strings by field number. Every offset is checked
 * against the file. A failure is recorded once, with the byte at fault; from then on every call answers with
 * "absent", so that a reader may look at cop_fb.status where it suits.
 */
#ifndef COP_FLATBUF_H
#define COP_FLATBUF_H

#include "core/core.h"

typedef struct cop_fb {
	cop_ctx *cx;
	const char *file;
	const uint8_t *p;
	size_t size;
	cop_status status;
} cop_fb;

/* at: byte of the table; 0: absent, all of whose fields are absent. */
typedef struct cop_fb_table {
	cop_fb *f;
	uint32_t at, vtable, vtable_size, size;
} cop_fb_table;

/* n elements from p; absent: n = 0. */
typedef struct cop_fb_vec {
	cop_fb *f;
	const uint8_t *p;
	uint32_t n;
} cop_fb_vec;

/* id: the four characters at byte 4. file: for messages; it and the bytes are borrowed. */
cop_status cop__fb_open(cop_fb *f, cop_fb_table *root, cop_ctx *cx, const char *file, const void *bytes, size_t size, const char *id);

int32_t cop__fb_int(const cop_fb_table *t, int field, int bytes, int32_t absent); /* bytes: 1 (signed) or 4 */
uint64_t cop__fb_u64(const cop_fb_table *t, int field, uint64_t absent);
float cop__fb_float(const cop_fb_table *t, int field, float absent);
cop_fb_table cop__fb_table(const cop_fb_table *t, int field);
cop_fb_vec cop__fb_vec(const cop_fb_table *t, int field, size_t element); /* strings are vectors of 1-byte elements */

/* Elements; i must be below n. */
int32_t cop__fb_vec_i32(const cop_fb_vec *v, uint32_t i);
int64_t cop__fb_vec_i64(const cop_fb_vec *v, uint32_t i);
float cop__fb_vec_f32(const cop_fb_vec *v, uint32_t i);
cop_fb_table cop__fb_vec_table(const cop_fb_vec *v, uint32_t i); /* of a vector with elements of 4 bytes */

#endif
