/* SPDX-License-Identifier: Apache-2.0
 *
 * base - failures, memory, number formats and constants, for all other files of the reader.
 */
#include "io/onnx/onnx.h"

#include <stdio.h>

cop_status cop__ox_fail(cop_ox *m, const cop_ox_node *n, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	cop__vformat(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!*n->name) return cop__error(m->cx, COP_FORMAT, "%s: node %d (%s): %s", m->file, n->index, n->type, text);
	return cop__error(m->cx, COP_FORMAT, "%s: node '%.80s' (%s): %s", m->file, n->name, n->type, text);
}

void *cop__ox_room(cop_ox *m, size_t bytes)
{
	if ((int64_t)bytes > m->budget) {
		cop__error(m->cx, COP_FORMAT, "%s: asks for more memory than a model of this size may", m->file);
		return NULL;
	}
	m->budget -= (int64_t)bytes;
	return cop__arena_get(&m->mem, bytes + 8);
}

const char *cop__ox_text(cop_ox *m, const void *p, size_t n) { return cop__arena_str(&m->mem, p, n); }

cop_dtype cop__ox_dtype(int32_t type)
{
	if (cop__ox_is_float(type)) return COP_F32;
	if (type == OX_INT8 || type == OX_INT4) return COP_I8;
	if (type == OX_UINT8 || type == OX_BOOL || type == OX_UINT4) return COP_U8;
	return (type >= OX_UINT16 && type <= OX_INT64) || type == OX_UINT32 || type == OX_UINT64 ? COP_I32 : COP_NOTYPE;
}

const char *cop__ox_type_text(int32_t type)
{
	static const char *const text[] = {"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64",
		"string", "bool", "float16", "double",
		"uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
		"float8e5m2fnuz", "uint4", "int4", "float4e2m1",
		"float8e8m0", "uint2", "int2"};
	return type >= 0 && type < LEN(text) ? text[type] : "unknown";
}

int64_t cop__ox_count(const cop_ox_value *v)
{
	int64_t n = 1;
	for (int i = 0; i < v->rank; i++) n *= v->dim[i];
	return n;
}

/* ---- constants ---- */

void cop__ox_unique(cop_ox *m, char out[128], const char *name)
{
	size_t k = 0;

	for (; name && name[k] && k < 100; k++) {
		char c = name[k];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("._-:", c);
		out[k] = plain ? c : c == '/' && k ? '.' : '_';
	}
	out[k] = 0;
	if (!k) k = (size_t)snprintf(out, 128, "const");
	for (int i = 2; cop__find(m->g, out); i++) snprintf(out + k, 128 - k, ".%d", i);
}

cop_vid cop__ox_const(cop_ox *m, const char *name, cop_role role, const cop_type *t, const void *data)
{
	char full[128];

	cop__ox_unique(m, full, name);
	return role == COP_INPUT ? cop__input(m->g, full, t) : cop__data(m->g, role, full, t, data);
}

cop_vid cop__ox_scalar(cop_ox *m, float value) { return cop__make_scalar(m->g, value); }

cop_vid cop__ox_vector(cop_ox *m, cop_role role, const char *name, const float *v, int32_t count)
{
	cop_type t = cop__type(COP_F32, 1, &count);
	return cop__ox_const(m, name, role, &t, v);
}
