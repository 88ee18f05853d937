/* SPDX-License-Identifier: Apache-2.0
 *
 * table - the operators that are read, and the operator sets.
 */
#include "io/onnx/model.h"

static const cop_ox_op table[] = {
#define NONE NULL
#define OX(name, add, fold, least, most, must, attrs) {#name, cop__ox_add_##add, fold, least, most, must, attrs, OP_none},
#define RW(name, op, add, write, fold, least, most, must, attrs) {#name, cop__ox_add_##add, fold, least, most, must, attrs, OP_##op},
#define F(name) cop__ox_fold_##name
#define FOLD(name)
#include "io/onnx/onnx.def"
#undef OX
#undef RW
#undef F
#undef FOLD
#undef NONE
};

/* Functions of one element, by how many of alpha and beta they have. */
static const cop_ox_op function[] = {
	{"", cop__ox_add_unary, cop__ox_fold_unary, 1, 1, 0, "consumed_inputs", OP_map},
	{"", cop__ox_add_unary, cop__ox_fold_unary, 1, 1, 0, "alpha consumed_inputs", OP_map},
	{"", cop__ox_add_unary, cop__ox_fold_unary, 1, 1, 0, "alpha beta consumed_inputs", OP_map},
};

const cop_ox_op *cop__ox_op_of(const char *type)
{
	for (int i = 0; i < LEN(table); i++)
		if (!strcmp(type, table[i].name)) return &table[i];
	int fn = cop__function_find(type);
	return fn < 0 ? NULL : &function[cop_functions[fn].n];
}

bool cop__ox_table_distinct(void)
{
	for (int i = 0; i < LEN(table); i++)
		if (cop__ox_op_of(table[i].name) != &table[i] || cop__function_find(table[i].name) >= 0) return false;
	return true;
}

static cop_status opset(cop_ox *m, const cop_pb_field *proto, int32_t *out)
{
	cop_pb p = cop__pb_in(proto);
	cop_pb_field f;
	bool standard = true;
	int64_t version = 1;

	while (cop__pb_next(&p, &f)) {
		if (f.number == OPSET_DOMAIN && f.wire == COP_PB_BYTES)
			standard = !f.size || (f.size == 7 && !memcmp(f.p, "ai.onnx", 7));
		if (f.number == OPSET_VERSION && f.wire == COP_PB_VARINT) version = (int64_t)f.u;
	}
	if (!standard) return COP_OK;
	if (version < OX_OLDEST || version > OX_NEWEST)
		return cop__error(m->cx, COP_FORMAT, "%s: operator set %lld; %d to %d are supported", m->file, (long long)version,
			OX_OLDEST, OX_NEWEST);
	*out = (int32_t)version;
	return COP_OK;
}

cop_status cop__ox_opset(cop_ox *m, cop_pb message, uint32_t number, int32_t *out)
{
	cop_pb_field f;

	while (cop__pb_next(&message, &f))
		if (f.number == number && f.wire == COP_PB_BYTES) COP_TRY(opset(m, &f, out));
	return COP_OK;
}
