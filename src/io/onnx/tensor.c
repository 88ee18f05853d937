/* SPDX-License-Identifier: Apache-2.0
 *
 * tensor - TensorProto: dimensions, a number format and the elements, in the message (raw, or as a list of numbers)
 * or in a file beside the model. Floats become float, all else int64_t. Counts are checked against the bytes before
 * anything is allocated.
 */
#include "enc/enc.h"
#include "io/onnx/onnx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct tensor {
	cop_ctx *cx;
	const char *file;
	char name[64];
	int32_t type, rank, dim[OX_MAX_DIM];
	int64_t count;
	const uint8_t *raw;
	size_t raw_size;
	cop_pb all;            /* the message, for elements that are not packed */
	bool has_raw, external;
	char location[256];
	int64_t offset, length;
} tensor;

static cop_status bad(const tensor *t, const char *what)
{
	return cop__error(t->cx, COP_FORMAT, "%s: tensor '%s': %s", t->file, t->name, what);
}

/* Bytes of an element; two of 4 bits share one. */
static bool nibbles(int32_t type) { return type == OX_UINT4 || type == OX_INT4; }

static int width(int32_t type)
{
	static const uint8_t bytes[] = {[OX_FLOAT] = 4, [OX_UINT8] = 1, [OX_INT8] = 1, [OX_UINT16] = 2, [OX_INT16] = 2,
		[OX_INT32] = 4, [OX_INT64] = 8,
		[OX_BOOL] = 1, [OX_FLOAT16] = 2, [OX_DOUBLE] = 8, [OX_UINT32] = 4, [OX_UINT64] = 8, [OX_BFLOAT16] = 2, [OX_UINT4] = 1,
		[OX_INT4] = 1};
	return type > 0 && type < LEN(bytes) ? bytes[type] : 0;
}

static void copy_text(char *to, size_t size, const cop_pb_field *f)
{
	snprintf(to, size, "%.*s", (int)COP_MIN(f->size, size - 1), (const char *)f->p);
}

/* A whole number, 0 or more; -2: it is none. */
static int64_t number_of(const char *s)
{
	char *end;

	errno = 0;
	long long v = strtoll(s, &end, 10);
	return *s < '0' || *s > '9' || *end || errno || v < 0 ? -2 : v;
}

/* StringStringEntryProto: location, offset, length. */
static void external_entry(tensor *t, const cop_pb_field *entry)
{
	cop_pb m = cop__pb_in(entry);
	cop_pb_field f;
	char key[32] = "", value[256] = "";

	while (cop__pb_next(&m, &f)) {
		if (f.wire != COP_PB_BYTES) continue;
		if (f.number == ENTRY_KEY) copy_text(key, sizeof key, &f);
		if (f.number == ENTRY_VALUE) copy_text(value, sizeof value, &f);
	}
	if (!strcmp(key, "location")) snprintf(t->location, sizeof t->location, "%s", value);
	if (!strcmp(key, "offset")) t->offset = number_of(value);
	if (!strcmp(key, "length")) t->length = number_of(value);
}

static cop_status add_dim(tensor *t, int64_t d)
{
	if (t->rank == OX_MAX_DIM) return bad(t, "has more than 8 dimensions");
	if (d < 0 || d > INT32_MAX)
		return cop__error(t->cx, COP_FORMAT, "%s: tensor '%s': dimension %d is %lld, must be 0 to 2^31 - 1", t->file, t->name,
			t->rank, (long long)d);
	t->dim[t->rank++] = (int32_t)d;
	t->count *= d;
	return t->count > INT32_MAX ? bad(t, "has 2^31 elements or more") : COP_OK;
}

static cop_status one_field(tensor *t, const cop_pb_field *f)
{
	if (f->number == TENSOR_DIMS) {
		size_t at = 0;
		uint64_t d;
		while (cop__pb_number(f, COP_PB_VARINT, &at, &d)) COP_TRY(add_dim(t, (int64_t)d));
	} else if (f->number == TENSOR_TYPE && f->wire == COP_PB_VARINT) {
		t->type = f->u > 100 ? 100 : (int32_t)f->u;
	} else if (f->number == TENSOR_RAW && f->wire == COP_PB_BYTES) {
		t->raw = f->p;
		t->raw_size = f->size;
		t->has_raw = true;
	} else if (f->number == TENSOR_EXTERNAL && f->wire == COP_PB_BYTES) {
		external_entry(t, f);
	} else if (f->number == TENSOR_LOCATION && f->wire == COP_PB_VARINT) {
		t->external = f->u == 1;
	}
	return COP_OK;
}

static cop_status parse(tensor *t, const void *proto, size_t size)
{
	cop_pb m = cop__pb(proto, size);
	cop_pb_field f;

	t->all = m;
	t->count = 1;
	while (cop__pb_next(&m, &f)) /* the name first: sentences quote it */
		if (f.number == TENSOR_NAME && f.wire == COP_PB_BYTES) copy_text(t->name, sizeof t->name, &f);
	for (m = t->all; cop__pb_next(&m, &f);) COP_TRY(one_field(t, &f));
	if (m.bad) return bad(t, "is cut short or damaged");
	if (!width(t->type))
		return cop__error(t->cx, COP_FORMAT, "%s: tensor '%s': the number format %s is not supported", t->file, t->name,
			cop__ox_type_text(t->type));
	return COP_OK;
}

/* ---- elements ---- */

static float narrow(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, 8);
	return d > 3.4028235677973366e38 ? __builtin_inff() : d < -3.4028235677973366e38 ? -__builtin_inff() : (float)d;
}

/* One element: bits as they stand in the file, little-endian, the rest 0. */
static void put(const tensor *t, void *out, int64_t i, uint64_t bits)
{
	float *f = out;
	int64_t *n = out;

	switch (t->type) {
	case OX_FLOAT: f[i] = cop__pb_float(bits); break;
	case OX_FLOAT16: f[i] = cop_from_half((uint32_t)bits & 0xffff); break;
	case OX_BFLOAT16: f[i] = cop__pb_float(bits << 16); break;
	case OX_DOUBLE: f[i] = narrow(bits); break;
	case OX_BOOL: n[i] = (bits & 0xff) != 0; break;
	case OX_UINT8: n[i] = (uint8_t)bits; break;
	case OX_INT8: n[i] = (int8_t)bits; break;
	case OX_UINT4: n[i] = (int64_t)(bits & 15); break;
	case OX_INT4: n[i] = (int64_t)((bits & 15) ^ 8) - 8; break;
	case OX_UINT16: n[i] = (uint16_t)bits; break;
	case OX_INT16: n[i] = (int16_t)bits; break;
	case OX_UINT32: n[i] = (uint32_t)bits; break;
	case OX_INT32: n[i] = (int32_t)bits; break;
	case OX_UINT64: n[i] = bits > INT64_MAX ? INT64_MAX : (int64_t)bits; break;
	default: n[i] = (int64_t)bits;
	}
}

static cop_status from_raw(const tensor *t, void *out)
{
	int w = width(t->type);

	if (nibbles(t->type) && t->raw_size == ((uint64_t)t->count + 1) / 2) {
		for (int64_t i = 0; i < t->count; i++) put(t, out, i, t->raw[i / 2] >> (i % 2 * 4) & 15);
		return COP_OK;
	}
	if (nibbles(t->type) || (uint64_t)t->count * (uint64_t)w != t->raw_size)
		return cop__error(t->cx, COP_FORMAT, "%s: tensor '%s': %lld elements of %d bytes do not make its %zu bytes", t->file,
			t->name, (long long)t->count, w, t->raw_size);
	if (t->type == OX_FLOAT || t->type == OX_INT64) {
		if (t->raw_size) memcpy(out, t->raw, t->raw_size);
		return COP_OK;
	}
	for (int64_t i = 0; i < t->count; i++) {
		uint64_t bits = 0;
		memcpy(&bits, t->raw + i * w, (size_t)w);
		put(t, out, i, bits);
	}
	return COP_OK;
}

/* Which field holds elements of this format, and how. */
static uint32_t list_field(int32_t type, uint32_t *wire)
{
	*wire = type == OX_FLOAT ? COP_PB_32 : type == OX_DOUBLE ? COP_PB_64 : COP_PB_VARINT;
	switch (type) {
	case OX_FLOAT: return TENSOR_FLOAT;
	case OX_DOUBLE: return TENSOR_DOUBLE;
	case OX_INT64: return TENSOR_INT64;
	case OX_UINT32:
	case OX_UINT64: return TENSOR_UINT64;
	default: return TENSOR_INT32;
	}
}

static cop_status from_list(const tensor *t, void *out)
{
	cop_pb m = t->all;
	cop_pb_field f;
	uint32_t wire, number = list_field(t->type, &wire);
	int64_t i = 0;

	while (cop__pb_next(&m, &f)) {
		size_t at = 0;
		uint64_t bits;
		while (f.number == number && cop__pb_number(&f, wire, &at, &bits)) {
			if (i == t->count) return bad(t, "has more elements than its shape");
			put(t, out, i++, bits);
			if (nibbles(t->type) && i < t->count) put(t, out, i++, bits >> 4);
		}
	}
	return i == t->count ? COP_OK : bad(t, "has fewer elements than its shape");
}

/* Can the message hold that many elements at all? Asked before memory is taken for them. */
static cop_status enough(const tensor *t)
{
	uint64_t have = t->has_raw ? t->raw_size : (uint64_t)(t->all.end - t->all.p);
	return (uint64_t)t->count > (nibbles(t->type) ? 2 * have : have) ? bad(t, "has fewer bytes than its shape asks for")
		: COP_OK;
}

static cop_status elements(const tensor *t, void *out) { return t->has_raw ? from_raw(t, out) : from_list(t, out); }

/* ---- external data ---- */

/* A plain file, reached without links: what lies below the model's folder is then what its author put there. */
static cop_status plain_file(cop_ox *m, const tensor *t, char *path, size_t from)
{
	struct stat s;

	for (char *p = path + from; *p; p++) { /* every folder on the way, then the file */
		char *end = p + strcspn(p, "/"), kept = *end;
		*end = 0;
		if (lstat(path, &s))
			return cop__error(m->cx, COP_IO, "%s: tensor '%s': its data, %s: %s", m->file, t->name, path, strerror(errno));
		if (S_ISLNK(s.st_mode)) return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s': its data, %s, is a link, which is not followed: put the file itself beside the model", m->file, t->name, path);
		*end = kept;
		p = end - !kept;
	}
	return S_ISREG(s.st_mode) ? COP_OK : cop__error(m->cx, COP_FORMAT, "%s: tensor '%s': its data, %s, is no plain file",
		m->file, t->name, path);
}

/* Only a plain path below the model's own folder. */
static bool confined(const char *s)
{
	if (!*s || *s == '/' || strchr(s, '\\')) return false;
	for (const char *p = s; *p; p += strcspn(p, "/"), p += *p == '/')
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2])) return false;
	return true;
}

static cop_status open_external(cop_ox *m, const tensor *t, int32_t *at)
{
	char path[1200];

	for (*at = 0; *at < m->n_external; ++*at)
		if (!strcmp(m->external_name[*at], t->location)) return COP_OK;
	if (!m->folder || !confined(t->location))
		return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s': its data lies in '%s', which is not within the model's folder",
			t->file, t->name, t->location);
	if (*at == 64) return bad(t, "data in more than 64 files");
	int from = snprintf(path, sizeof path, "%s/", m->folder);
	if (from < 0 || (size_t)snprintf(path + from, sizeof path - (size_t)from, "%s",
		t->location) >= sizeof path - (size_t)from) return bad(t, "the path of its data is too long");
	COP_TRY(plain_file(m, t, path, (size_t)from));
	COP_TRY(cop_file_read(&m->external[*at], &m->external_size[*at], m->cx, path, (size_t)1 << 32));
	m->external_name[*at] = cop__ox_text(m, t->location, strlen(t->location));
	m->n_external++;
	return m->external_name[*at] ? COP_OK : COP_NOMEM;
}

static cop_status load_external(cop_ox *m, tensor *t)
{
	int32_t at;

	if (t->offset == -2 || t->length == -2)
		return bad(t, "offset and length of its data must be whole numbers, 0 or more");
	COP_TRY(open_external(m, t, &at));
	uint64_t size = m->external_size[at], offset = (uint64_t)t->offset, elements = (uint64_t)t->count;
	uint64_t length = t->length < 0 ? nibbles(t->type) ? (elements + 1) / 2 : elements * (uint64_t)width(t->type)
		: (uint64_t)t->length;
	if (offset > size || length > size - offset)
		return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s': bytes %llu to %llu of '%s' are asked for, which has %llu",
			t->file, t->name, (unsigned long long)offset,
			(unsigned long long)(offset + length), t->location, (unsigned long long)size);
	t->raw = (const uint8_t *)m->external[at] + offset;
	t->raw_size = (size_t)length;
	t->has_raw = true;
	return COP_OK;
}

/* ---- for the model, and alone ---- */

cop_status cop__ox_tensor(cop_ox *m, cop_ox_value *v, const void *proto, size_t size)
{
	tensor t = {.cx = m->cx, .file = m->file, .length = -1};

	snprintf(t.name, sizeof t.name, "%s", v->name ? v->name : "");
	COP_TRY(parse(&t, proto, size));
	if (t.external) COP_TRY(load_external(m, &t));
	v->type = t.type;
	v->rank = t.rank;
	memcpy(v->dim, t.dim, sizeof v->dim);
	if (t.type == OX_FLOAT && t.has_raw && t.raw_size == 4 * (uint64_t)t.count && t.count && !((uintptr_t)t.raw & 3)) {
		v->data = t.raw; /* as it stands in the file */
		return COP_OK;
	}
	COP_TRY(enough(&t));
	void *data = cop__ox_room(m, (cop__ox_is_float(t.type) ? 4 : 8) * (size_t)t.count + 8);
	if (!data) return m->cx->code;
	v->data = data;
	return elements(&t, data);
}

/* int64_t[] as the graph holds it. */
static cop_status to_graph(const tensor *t, cop_dtype d, const int64_t *from, void *to)
{
	for (int64_t i = 0; i < t->count; i++) {
		if (d == COP_I8) ((int8_t *)to)[i] = (int8_t)from[i];
		else if (d == COP_U8) ((uint8_t *)to)[i] = (uint8_t)from[i];
		else if (from[i] < INT32_MIN || from[i] > INT32_MAX)
			return cop__error(t->cx, COP_FORMAT, "%s: element %lld is %lld, which does not fit 32 bits", t->file, (long long)i,
				(long long)from[i]);
		else ((int32_t *)to)[i] = (int32_t)from[i];
	}
	return COP_OK;
}

cop_status cop__onnx_tensor_read(cop_tensor *out, cop_ctx *cx, const char *file, const void *bytes, size_t size)
{
	tensor t = {.cx = cx, .file = file, .length = -1};
	void *wide = NULL, *data = NULL;

	*out = (cop_tensor){0};
	COP_TRY(parse(&t, bytes, size));
	if (t.external) return bad(&t, "its data lies in another file, which is only followed from a model");
	if (t.rank > COP_MAX_DIM) return bad(&t, "has more than 6 dimensions");
	COP_TRY(enough(&t));
	cop_type type = cop__type(cop__ox_dtype(t.type), t.rank, t.dim);
	cop_status st = COP_NOMEM;
	if (!(wide = cop__alloc(cx, 8 * (size_t)t.count + 64))) goto done;
	COP_GO(elements(&t, wide));
	if (type.dtype == COP_F32) data = wide, wide = NULL;
	else if (!(data = cop__alloc(cx, cop_type_bytes(&type) + 64))) st = COP_NOMEM;
	else st = to_graph(&t, type.dtype, wide, data);
done:
	cop__free(cx, wide);
	if (st) cop__free(cx, data);
	else *out = (cop_tensor){type, data};
	return st;
}
