/* SPDX-License-Identifier: Apache-2.0
 *
 * protobuf.h - the wire format of Protocol Buffers, of any schema: a message is a run of fields, each a number, a wire
 * type and a value. Reading is checked against the message's end; after the first fault every call says "no more"
 * and cop_pb.bad is set, so a reader may look at it once, at the end of a message. Nothing is copied.
 */
#ifndef COP_PROTOBUF_H
#define COP_PROTOBUF_H

#include "core/core.h"

typedef struct cop_pb {
	const uint8_t *p, *end;
	bool bad;
} cop_pb;

enum { COP_PB_VARINT = 0, COP_PB_64 = 1, COP_PB_BYTES = 2, COP_PB_32 = 5 };

typedef struct cop_pb_field {
	uint32_t number, wire;
	uint64_t u;              /* VARINT, 32, 64: the bits */
	const uint8_t *p;        /* BYTES */
	size_t size;
} cop_pb_field;

static inline cop_pb cop__pb(const void *bytes, size_t size)
{
	const uint8_t *p = bytes ? bytes : (const uint8_t *)""; /* a field that is not there is an empty message */
	return (cop_pb){p, p + size, false};
}

/* the message within a BYTES field */
static inline cop_pb cop__pb_in(const cop_pb_field *f) { return cop__pb(f->p, f->size); }

/* The next field; false at the end of the message or at a fault. */
bool cop__pb_next(cop_pb *m, cop_pb_field *f);
bool cop__pb_varint(cop_pb *m, uint64_t *v);

/* Elements of a repeated number, packed or one by one: calls cop__pb_number for each field and takes what it yields.
 * *at starts at 0. */
bool cop__pb_number(const cop_pb_field *f, uint32_t wire, size_t *at, uint64_t *v);
float cop__pb_float(uint64_t bits);

/* ---- writing ---- */
void cop__pb_put_varint(cop_text *t, uint64_t v);
void cop__pb_put_int(cop_text *t, uint32_t number, int64_t v);
void cop__pb_put_float(cop_text *t, uint32_t number, float v);
void cop__pb_put_bytes(cop_text *t, uint32_t number, const void *p, size_t size);
void cop__pb_put_text(cop_text *t, uint32_t number, const char *s);

#endif
