/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h - between model.c and graph.c, which read a model's message, and read.c, which goes through its nodes.
 */
#ifndef COP_ONNX_MODEL_H
#define COP_ONNX_MODEL_H

#include "io/onnx/onnx.h"

/* Where a name is looked up: the model's graph, a branch of an If (which sees what is around it), or the body of a
 * function at one call of it. All their nodes become nodes of the reader, side by side; the names of each are its
 * own. */
typedef struct cop_ox_scope {
	const struct cop_ox_scope *outer; /* of a branch; NULL: it sees nothing around it */
	const cop_ox_call *call;          /* of a function's body, and of branches in it */
	int32_t id, depth, opset;
} cop_ox_scope;

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size);
/* ---- table.c ---- */
const cop_ox_op *cop__ox_op_of(const char *type); /* NULL: not supported */
bool cop__ox_table_distinct(void); /* for the test: no name has two rows */
/* The operator set of a model or function, by the fields `number` of its message; it stays where none is named. */
cop_status cop__ox_opset(cop_ox *m, cop_pb message, uint32_t number, int32_t *out);
/* ---- branch.c ---- */
static inline bool cop__ox_is_if(const cop_ox_node *n) { return !strcmp(n->type, "If"); }
/* of nodes, readers behind those they read */
cop_status cop__ox_mark_guards(cop_ox *m, const int32_t *order, int32_t count);
bool cop__ox_taken(cop_ox *m, int32_t guard); /* false with a failure recorded: its condition is not known */
cop_status cop__ox_no_such_op(cop_ox *m, const cop_ox_node *n);
/* ---- graph.c ---- */
cop_status cop__ox_make_room(cop_ox *m, cop_pb graph);                     /* for all values and nodes of the model */
cop_status cop__ox_fill(cop_ox *m, const cop_ox_scope *scope, cop_pb graph); /* its initialisers and nodes */
/* The value of that name, made where it is new; 0: the empty name, which stands for "absent", or a failure. */
int32_t cop__ox_name(cop_ox *m, const cop_ox_scope *scope, const uint8_t *p, size_t n);
/* QLinear operators whose scales are initialisers become DequantizeLinear, the plain operator, QuantizeLinear
 * (qlinear.c). */
enum { OX_QLINEAR_ROOM = 6 }; /* nodes for one, and values, beside one for each input */
cop_status cop__ox_expand_qlinear(cop_ox *m);

#endif
