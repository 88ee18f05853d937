/* SPDX-License-Identifier: Apache-2.0
 *
 * flatbuf - see flatbuf.h. The format: a table begins with the signed distance back to its vtable, which holds its own
 * size, the table's size and, by field, where in the table the field lies (0: absent). References are unsigned distances
 * forward from where they stand. All numbers are little-endian; alignment is not relied on.
 */
#include "io/tflite/flatbuf.h"

static void bad(cop_fb *f, uint64_t at, const char *what)
{
	if (!f->status) f->status = cop__error(f->cx, COP_FORMAT, "%s, byte %llu: %s", f->file, (unsigned long long)at, what);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static bool inside(const cop_fb *f, uint64_t at, uint64_t bytes)
{
	return bytes <= f->size && at <= f->size - bytes;
}

static cop_fb_table table_at(cop_fb *f, uint64_t at)
{
	cop_fb_table t = {.f = f}, none = t;

	if (f->status) return none;
	if (!inside(f, at, 4)) return bad(f, at, "a table lies beyond the end of the file"), none;
	int64_t vtable = (int64_t)at - (int32_t)cop__le32(f->p + at);
	if (vtable < 0 || !inside(f, (uint64_t)vtable, 4)) return bad(f, at, "the table's field list lies outside the file"), none;
	t.at = (uint32_t)at;
	t.vtable = (uint32_t)vtable;
	t.vtable_size = get16(f->p + vtable);
	t.size = get16(f->p + vtable + 2);
	if (t.vtable_size < 4 || !inside(f, t.vtable, t.vtable_size) || !inside(f, at, t.size))
		return bad(f, at, "the table or its field list reaches beyond the end of the file"), none;
	return t;
}

cop_status cop__fb_open(cop_fb *f, cop_fb_table *root, cop_ctx *cx, const char *file, const void *bytes, size_t size, const char *id)
{
	*f = (cop_fb){.cx = cx, .file = file, .p = bytes, .size = size};
	*root = (cop_fb_table){.f = f};
	if (size < 8 || memcmp(f->p + 4, id, 4)) bad(f, 4, "no FlatBuffer of the kind that was expected");
	else if (size > INT32_MAX) bad(f, 0, "files of 2 GiB and more are not supported");
	else *root = table_at(f, cop__le32(f->p));
	return f->status;
}

/* The bytes of a field, or NULL when it is absent. */
static const uint8_t *field_at(const cop_fb_table *t, int field, uint32_t bytes)
{
	uint32_t slot = 4 + 2 * (uint32_t)field;

	if (!t->at || t->f->status || slot + 2 > t->vtable_size) return NULL;
	uint32_t off = get16(t->f->p + t->vtable + slot);
	if (!off) return NULL;
	if (off < 4 || off + bytes > t->size) return bad(t->f, t->vtable + slot, "a field lies outside its table"), NULL;
	return t->f->p + t->at + off;
}

int32_t cop__fb_int(const cop_fb_table *t, int field, int bytes, int32_t absent)
{
	const uint8_t *p = field_at(t, field, (uint32_t)bytes);
	return !p ? absent : bytes == 1 ? (int8_t)*p : (int32_t)cop__le32(p);
}

uint64_t cop__fb_u64(const cop_fb_table *t, int field, uint64_t absent)
{
	const uint8_t *p = field_at(t, field, 8);
	return p ? cop__le64(p) : absent;
}

static float to_float(uint32_t bits)
{
	float v;
	memcpy(&v, &bits, 4);
	return v;
}

float cop__fb_float(const cop_fb_table *t, int field, float absent)
{
	const uint8_t *p = field_at(t, field, 4);
	return p ? to_float(cop__le32(p)) : absent;
}

/* Where the reference at p leads. */
static uint64_t follow(const cop_fb *f, const uint8_t *p)
{
	return (uint64_t)(p - f->p) + cop__le32(p);
}

cop_fb_table cop__fb_table(const cop_fb_table *t, int field)
{
	const uint8_t *p = field_at(t, field, 4);
	return p ? table_at(t->f, follow(t->f, p)) : (cop_fb_table){.f = t->f};
}

cop_fb_vec cop__fb_vec(const cop_fb_table *t, int field, size_t element)
{
	const uint8_t *p = field_at(t, field, 4);
	cop_fb_vec v = {.f = t->f}, none = v;

	if (!p) return none;
	uint64_t at = follow(t->f, p);
	if (!inside(t->f, at, 4)) return bad(t->f, at, "a vector lies beyond the end of the file"), none;
	v.n = cop__le32(t->f->p + at);
	v.p = t->f->p + at + 4;
	if (!inside(t->f, at + 4, v.n * (uint64_t)element)) return bad(t->f, at, "a vector reaches beyond the end of the file"), none;
	return v;
}

int32_t cop__fb_vec_i32(const cop_fb_vec *v, uint32_t i)
{
	return (int32_t)cop__le32(v->p + 4 * (size_t)i);
}

int64_t cop__fb_vec_i64(const cop_fb_vec *v, uint32_t i)
{
	return (int64_t)cop__le64(v->p + 8 * (size_t)i);
}

float cop__fb_vec_f32(const cop_fb_vec *v, uint32_t i)
{
	return to_float(cop__le32(v->p + 4 * (size_t)i));
}

cop_fb_table cop__fb_vec_table(const cop_fb_vec *v, uint32_t i)
{
	return table_at(v->f, follow(v->f, v->p + 4 * (size_t)i));
}
