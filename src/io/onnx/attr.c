/* SPDX-License-Identifier: Apache-2.0
 *
 * attr - the attributes of a node, found by name in its message each time: there are few, and few are asked for.
 */
#include "io/onnx/onnx.h"

/* The text of a field, by number; false: it is not there. */
static bool text_of(const cop_pb_field *body, uint32_t number, cop_pb_field *text)
{
	cop_pb m = cop__pb_in(body);

	while (cop__pb_next(&m, text))
		if (text->number == number && text->wire == COP_PB_BYTES) return true;
	return false;
}

/* The AttributeProto of that name among the fields `number` of a message. */
static bool find(const uint8_t *proto, size_t size, uint32_t number, const char *name, size_t len, cop_pb_field *body)
{
	cop_pb m = cop__pb(proto, size);
	cop_pb_field text;

	while (cop__pb_next(&m, body))
		if (body->number == number && body->wire == COP_PB_BYTES && text_of(body, ATTR_NAME, &text) && text.size == len &&
			!memcmp(text.p, name, len)) return true;
	return false;
}

/* In a function an attribute may be that of the call, or else the function's default. */
static bool attribute(const uint8_t *proto, size_t size, const cop_ox_call *call, const char *name, size_t len,
	cop_pb_field *body)
{
	cop_pb_field ref;

	if (!find(proto, size, NODE_ATTRIBUTE, name, len, body)) return false;
	if (!text_of(body, ATTR_REF, &ref) || !ref.size) return true;
	if (!call) return false;
	return attribute(call->proto, call->size, call->outer, (const char *)ref.p, ref.size, body) ||
		find(call->function, call->function_size, FUNCTION_ATTRIBUTE, (const char *)ref.p, ref.size, body);
}

bool cop__ox_attr(const cop_ox_node *n, const char *name, cop_pb_field *body)
{
	return attribute(n->proto, n->size, n->call, name, strlen(name), body);
}

bool cop__ox_has(const cop_ox_node *n, const char *name)
{
	cop_pb_field body;
	return cop__ox_attr(n, name, &body);
}

/* The last field `number` of attribute `name`; false: there is none. */
static bool field(const cop_ox_node *n, const char *name, uint32_t number, uint32_t wire, cop_pb_field *out)
{
	cop_pb_field body, f;
	bool found = false;

	if (!cop__ox_attr(n, name, &body)) return false;
	cop_pb m = cop__pb_in(&body);
	while (cop__pb_next(&m, &f))
		if (f.number == number && f.wire == wire) *out = f, found = true;
	return found;
}

int64_t cop__ox_i(const cop_ox_node *n, const char *name, int64_t absent)
{
	cop_pb_field f;

	if (!cop__ox_has(n, name)) return absent;
	return field(n, name, ATTR_I, COP_PB_VARINT, &f) ? (int64_t)f.u : 0; /* writers may leave out a 0 */
}

float cop__ox_f(const cop_ox_node *n, const char *name, float absent)
{
	cop_pb_field f;

	if (!cop__ox_has(n, name)) return absent;
	return field(n, name, ATTR_F, COP_PB_32, &f) ? cop__pb_float(f.u) : 0;
}

const char *cop__ox_s(cop_ox *m, const cop_ox_node *n, const char *name, const char *absent)
{
	cop_pb_field f;
	return field(n, name, ATTR_S, COP_PB_BYTES, &f) ? cop__ox_text(m, f.p, f.size) : absent;
}

/* Calls for each element of a list of numbers; returns how many, -1 after a failure. */
static int list(cop_ox *m, const cop_ox_node *n, const char *name, uint32_t number, uint32_t wire, uint64_t *v, int max)
{
	cop_pb_field body, f;
	int count = 0;

	if (!cop__ox_attr(n, name, &body)) return -1;
	cop_pb p = cop__pb_in(&body);
	while (cop__pb_next(&p, &f)) {
		size_t at = 0;
		uint64_t u;
		while (f.number == number && cop__pb_number(&f, wire, &at, &u)) {
			if (count == max) {
				cop__ox_fail(m, n, "attribute '%s' has more than %d elements", name, max);
				return -1;
			}
			v[count++] = u;
		}
	}
	return count;
}

int cop__ox_ints(cop_ox *m, const cop_ox_node *n, const char *name, int64_t *v, int max)
{
	return list(m, n, name, ATTR_INTS, COP_PB_VARINT, (uint64_t *)v, max);
}

int cop__ox_floats(cop_ox *m, const cop_ox_node *n, const char *name, float *v, int max)
{
	uint64_t *bits = cop__ox_room(m, sizeof *bits * (size_t)max);
	int count = bits ? list(m, n, name, ATTR_FLOATS, COP_PB_32, bits, max) : -1;

	for (int i = 0; i < count; i++) v[i] = cop__pb_float(bits[i]);
	return count;
}

int cop__ox_strings(cop_ox *m, const cop_ox_node *n, const char *name, const char **v, int max)
{
	cop_pb_field body, f;
	int count = 0;

	if (!cop__ox_attr(n, name, &body)) return -1;
	cop_pb p = cop__pb_in(&body);
	while (cop__pb_next(&p, &f))
		if (f.number == ATTR_STRINGS && f.wire == COP_PB_BYTES && count < max && !(v[count++] = cop__ox_text(m, f.p, f.size)))
			return -1;
	return count;
}

/* Is `name` one of the words of `list`? */
static bool word_of(const char *words, const cop_pb_field *name)
{
	for (const char *s = words; *s; s += *s == ' ') {
		size_t n = strcspn(s, " ");
		if (n == name->size && !memcmp(s, name->p, n)) return true;
		s += n;
	}
	return false;
}

/* An attribute that nobody here knows might change the result: it is refused. */
cop_status cop__ox_attrs_check(cop_ox *m, const cop_ox_node *n)
{
	cop_pb p = cop__pb(n->proto, n->size);
	cop_pb_field body, f;

	while (cop__pb_next(&p, &body)) {
		if (body.number != NODE_ATTRIBUTE || body.wire != COP_PB_BYTES) continue;
		cop_pb a = cop__pb_in(&body);
		while (cop__pb_next(&a, &f)) {
			if (f.number == ATTR_NAME && f.wire == COP_PB_BYTES && !word_of(n->op->attrs, &f))
				return cop__ox_fail(m, n, "attribute '%.*s' is not supported; supported: %s", (int)COP_MIN(f.size, 60),
					(const char *)f.p,
					*n->op->attrs ? n->op->attrs : "none");
		}
		if (a.bad) return cop__ox_fail(m, n, "an attribute is damaged");
	}
	return COP_OK;
}
