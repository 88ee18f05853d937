/* SPDX-License-Identifier: Apache-2.0
 *
 * protobuf - see protobuf.h. Invariant of reading: p never passes end.
 */
#include "io/onnx/protobuf.h"

static bool fault(cop_pb *m)
{
	m->bad = true;
	m->p = m->end;
	return false;
}

bool cop__pb_varint(cop_pb *m, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; shift < 64; shift += 7) {
		if (m->p == m->end) return fault(m);
		uint8_t b = *m->p++;
		*v |= (uint64_t)(b & 127) << shift;
		if (!(b & 128)) return true;
	}
	return fault(m); /* more than ten bytes */
}

bool cop__pb_next(cop_pb *m, cop_pb_field *f)
{
	uint64_t tag;

	*f = (cop_pb_field){0};
	if (m->p == m->end) return false;
	if (!cop__pb_varint(m, &tag) || tag >> 3 == 0 || tag >> 32) return fault(m);
	f->number = (uint32_t)(tag >> 3);
	f->wire = (uint32_t)(tag & 7);
	size_t left = (size_t)(m->end - m->p), n = f->wire == COP_PB_64 ? 8 : 4;
	switch (f->wire) {
	case COP_PB_VARINT:
		return cop__pb_varint(m, &f->u);
	case COP_PB_64:
	case COP_PB_32:
		if (left < n) return fault(m);
		f->u = n == 8 ? cop__le64(m->p) : cop__le32(m->p);
		m->p += n;
		return true;
	case COP_PB_BYTES:
		if (!cop__pb_varint(m, &f->u) || f->u > (uint64_t)(m->end - m->p)) return fault(m);
		f->p = m->p;
		f->size = (size_t)f->u;
		m->p += f->size;
		return true;
	default: /* groups are not used any more */
		return fault(m);
	}
}

bool cop__pb_number(const cop_pb_field *f, uint32_t wire, size_t *at, uint64_t *v)
{
	size_t n = wire == COP_PB_64 ? 8 : 4;

	if (f->wire == wire) { /* one by one */
		*v = f->u;
		return !(*at)++;
	}
	if (f->wire != COP_PB_BYTES || *at >= f->size) return false;
	cop_pb m = cop__pb(f->p + *at, f->size - *at);
	if (wire == COP_PB_VARINT) {
		if (!cop__pb_varint(&m, v)) return false;
		*at = (size_t)(m.p - f->p);
		return true;
	}
	if (f->size - *at < n) return false;
	*v = n == 8 ? cop__le64(m.p) : cop__le32(m.p);
	*at += n;
	return true;
}

float cop__pb_float(uint64_t bits)
{
	uint32_t w = (uint32_t)bits;
	float f;
	memcpy(&f, &w, 4);
	return f;
}

void cop__pb_put_varint(cop_text *t, uint64_t v)
{
	uint8_t b[10];
	size_t n = 0;

	for (; v > 127; v >>= 7) b[n++] = (uint8_t)(v | 128);
	b[n++] = (uint8_t)v;
	cop__text_bytes(t, b, n);
}

void cop__pb_put_int(cop_text *t, uint32_t number, int64_t v)
{
	cop__pb_put_varint(t, (uint64_t)number << 3 | COP_PB_VARINT);
	cop__pb_put_varint(t, (uint64_t)v);
}

void cop__pb_put_float(cop_text *t, uint32_t number, float v)
{
	uint32_t w;
	uint8_t b[4];

	memcpy(&w, &v, 4);
	cop__put32(b, w);
	cop__pb_put_varint(t, (uint64_t)number << 3 | COP_PB_32);
	cop__text_bytes(t, b, 4);
}

void cop__pb_put_bytes(cop_text *t, uint32_t number, const void *p, size_t size)
{
	cop__pb_put_varint(t, (uint64_t)number << 3 | COP_PB_BYTES);
	cop__pb_put_varint(t, size);
	cop__text_bytes(t, p, size);
}

void cop__pb_put_text(cop_text *t, uint32_t number, const char *s) { cop__pb_put_bytes(t, number, s, strlen(s)); }
