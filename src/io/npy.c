/* SPDX-License-Identifier: Apache-2.0
 *
 * npy - one array: "\x93NUMPY", version, length of the header, the header (a Python dictionary as text), the
 * elements. The header is searched for its three keys, not parsed as Python.
 */
#include "core/need.h"
#include "io/npy.h"
#include "io/onnx/read.h"

#include <stdio.h>

typedef struct npy {
	cop_ctx *cx;
	const char *file;
	char kind;
	int size;
	cop_type type;
	const uint8_t *data;
	size_t bytes;
} npy;

static cop_status bad(const npy *n, const char *what)
{
	return cop__error(n->cx, COP_FORMAT, "%s: %s", n->file, what);
}

/* What follows "'key':" in the header. */
static const char *value_of(const char *header, const char *key)
{
	char quoted[32];

	snprintf(quoted, sizeof quoted, "'%s'", key);
	const char *s = strstr(header, quoted);
	if (!s) return "";
	for (s += strlen(quoted); *s == ' ' || *s == ':';) s++;
	return s;
}

static cop_status get_type(npy *n, const char *descr)
{
	char order;

	if (sscanf(descr, "'%c%c%1d'", &order, &n->kind, &n->size) != 3)
		return bad(n, "the header names no number format");
	if (order == '>') return bad(n, "the numbers are big-endian, little-endian was expected");
	if (n->kind == 'f' && (n->size == 4 || n->size == 8)) n->type.dtype = COP_F32;
	else if (n->kind == 'i' && (n->size == 4 || n->size == 8)) n->type.dtype = COP_I32;
	else if (n->kind == 'i' && n->size == 2) n->type.dtype = COP_I16;
	else if (n->kind == 'i' && n->size == 1) n->type.dtype = COP_I8;
	else if ((n->kind == 'u' || n->kind == 'b') && n->size == 1) n->type.dtype = COP_U8;
	else return bad(n, "the numbers are none of f4, f8, i1, i2, i4, i8, u1 and b1");
	return COP_OK;
}

static cop_status get_shape(npy *n, const char *s)
{
	int64_t count = 1;
	int used, d;

	if (*s++ != '(') return bad(n, "the header names no shape");
	while (sscanf(s, " %9d%n", &d, &used) == 1) {
		if (n->type.rank == COP_MAX_DIM) return bad(n, "the array has more than 6 dimensions");
		if (d <= 0 || (count *= d) > INT32_MAX)
			return bad(n, "the array is empty or has more than 2^31 elements");
		n->type.dim[n->type.rank++] = d;
		for (s += used; *s == ',' || *s == ' ';) s++;
	}
	if (*s != ')') return bad(n, "the shape is no list of numbers");
	if ((uint64_t)count * (uint64_t)n->size != n->bytes) return bad(n, "the file's length does not fit its shape");
	return COP_OK;
}

static cop_status get_header(npy *n, const uint8_t *p, size_t size)
{
	char text[2048];

	if (size < 12 || memcmp(p, "\x93NUMPY", 6)) return bad(n, "no .npy file: it must begin with \\x93NUMPY");
	size_t at = p[6] == 1 ? 10 : 12, len = p[6] == 1 ? (size_t)p[8] | (size_t)p[9] << 8 : cop__le32(p + 8);
	if (p[6] < 1 || p[6] > 3 || len > size - at || len >= sizeof text)
		return bad(n, "the header is cut short or of an unknown version");
	memcpy(text, p + at, len);
	text[len] = 0;
	n->type.q.axis = -1;
	n->data = p + at + len;
	n->bytes = size - at - len;
	if (!strncmp(value_of(text, "fortran_order"), "True", 4))
		return bad(n, "the array lies in Fortran order, C order was expected");
	COP_TRY(get_type(n, value_of(text, "descr")));
	return get_shape(n, value_of(text, "shape"));
}

static cop_status convert(const npy *n, void *out)
{
	int64_t count = cop_type_count(&n->type), wide;
	double d;

	if (n->size != 8) {
		memcpy(out, n->data, n->bytes);
		return COP_OK;
	}
	for (int64_t i = 0; i < count; i++) {
		if (n->kind == 'f') {
			memcpy(&d, n->data + 8 * i, 8);
			/* out of the range of floats is infinite */
			((float *)out)[i] = d > 3.4028235677973366e38    ? __builtin_inff()
			                    : d < -3.4028235677973366e38 ? -__builtin_inff()
			                                                 : (float)d;
			continue;
		}
		memcpy(&wide, n->data + 8 * i, 8);
		if (wide < INT32_MIN || wide > INT32_MAX)
			return cop__error(n->cx, COP_FORMAT, "%s: element %lld is %lld, which does not fit 32 bits",
			        n->file, (long long)i, (long long)wide);
		((int32_t *)out)[i] = (int32_t)wide;
	}
	return COP_OK;
}

cop_status cop__npy_bytes(cop_tensor *out, cop_ctx *cx, const char *file, const void *bytes, size_t size)
{
	npy n = {.cx = cx, .file = file};

	*out = (cop_tensor){0};
	COP_TRY(get_header(&n, bytes, size));
	void *data = cop__alloc(cx, cop_type_bytes(&n.type) + 64);
	if (!data) return COP_NOMEM;
	cop_status st = convert(&n, data);
	if (st) cop__free(cx, data);
	else *out = (cop_tensor){n.type, data};
	return st;
}

cop_status cop__npy_read(cop_tensor *out, cop_ctx *cx, const char *path)
{
	void *bytes;
	size_t size;

	*out = (cop_tensor){0};
	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop_status st = cop__npy_bytes(out, cx, path, bytes, size);
	cop_free(cx, bytes);
	return st;
}

/* The header is filled up with blanks so that the elements begin at a multiple of 64. */
cop_status cop__npy_write(cop_ctx *cx, const char *path, const cop_tensor *t)
{
	static const char *const descr[] = {[COP_F32] = "<f4", [COP_I32] = "<i4", [COP_I8] = "|i1", [COP_U8] = "|u1", [COP_I16] = "<i2"};
	cop_text s;

	if ((int)t->type.dtype >= LEN(descr) || !descr[t->type.dtype] || t->type.enc != COP_DENSE)
		return cop__error(cx, COP_ARG, "%s: a tensor of this format cannot be written as .npy", path);
	cop__text_init(&s, cx);
	cop__text_bytes(&s, "\x93NUMPY\x01\x00\x00\x00", 10);
	cop__text_add(&s, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[t->type.dtype]);
	for (int i = 0; i < t->type.rank; i++) cop__text_add(&s, i ? " %d," : "%d,", t->type.dim[i]);
	cop__text_add(&s, "), }");
	while (!s.status && s.len % 64 != 63) cop__text_add(&s, " ");
	cop__text_add(&s, "\n");
	if (!s.status) {
		s.data[8] = (char)(s.len - 10);
		s.data[9] = (char)((s.len - 10) >> 8);
		cop__text_bytes(&s, t->data, cop_type_bytes(&t->type));
	}
	cop_status st = s.status ? s.status : cop_file_write(cx, path, s.data, s.len);
	cop__text_free(&s);
	return st;
}

cop_status cop_npy_read(cop_tensor *out, cop_ctx *cx, const char *path)
{
	COP_NEED(cx, out);
	COP_NEED(cx, path);
	return cop__npy_read(out, cx, path);
}

cop_status cop_npy_write(cop_ctx *cx, const char *path, const cop_tensor *t)
{
	COP_NEED(cx, path);
	COP_NEED(cx, t);
	COP_NEED(cx, t->data);
	return cop__npy_write(cx, path, t);
}


cop_status cop_tensor_read(cop_tensor *out, cop_ctx *cx, const char *path)
{
	COP_NEED(cx, out);
	COP_NEED(cx, path);
	size_t n = strlen(path), size;
	void *bytes;

	if (n < 4 || strcmp(path + n - 3, ".pb")) return cop__npy_read(out, cx, path);
	*out = (cop_tensor){0};
	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop_status st = cop__onnx_tensor_read(out, cx, path, bytes, size);
	cop_free(cx, bytes);
	return st;
}
