/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h - between model.c and graph.c, which read a model's message, and onnx.c, which goes through its nodes.
 */
#ifndef COP_ONNX_MODEL_H
#define COP_ONNX_MODEL_H

#include "io/onnx/onnx.h"

/* Where a name is looked up: the model's graph, a branch of an If (which sees what is around it), or the body of a function at one
 * call of it. All their nodes become nodes of the reader, side by side; the names of each are its own. */
typedef struct cop_ox_scope {
	const struct cop_ox_scope *outer; /* of a branch; NULL: it sees nothing around it */
	const cop_ox_call *call;          /* of a function's body, and of branches in it */
	int32_t id, depth, opset;
} cop_ox_scope;

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size);
const cop_ox_op *cop__ox_op_of(const char *type); /* NULL: not supported */
cop_status cop__ox_opset(cop_ox *m, cop_pb message, uint32_t number, int32_t *out);
/* ---- graph.c ---- */
cop_status cop__ox_make_room(cop_ox *m, cop_pb graph);                     /* for all values and nodes of the model */
cop_status cop__ox_fill(cop_ox *m, const cop_ox_scope *scope, cop_pb graph); /* its initialisers and nodes */
/* The value of that name, made where it is new; 0: the empty name, which stands for "absent", or a failure. */
int32_t cop__ox_name(cop_ox *m, const cop_ox_scope *scope, const uint8_t *p, size_t n);
/* QLinear operators whose scales are initialisers become DequantizeLinear, the plain operator, QuantizeLinear (qlinear.c). */
enum { OX_QLINEAR_ROOM = 6 }; /* nodes for one, and values, beside one for each input */
cop_status cop__ox_expand_qlinear(cop_ox *m);
bool cop__ox_table_sorted(void); /* for the test: names are found by halving */

#endif
