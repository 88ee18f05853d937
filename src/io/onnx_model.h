/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_model.h - between onnx_model.c, which reads a model's message, and onnx.c, which goes through its nodes.
 */
#ifndef COP_ONNX_MODEL_H
#define COP_ONNX_MODEL_H

#include "io/onnx.h"

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size);
const cop_ox_op *cop__ox_op_of(const char *type); /* NULL: not supported */
/* QLinear operators whose scales are initialisers become DequantizeLinear, the plain operator, QuantizeLinear (onnx_qlinear.c). */
enum { OX_QLINEAR_ROOM = 6 }; /* nodes for one, and values, beside one for each input */
cop_status cop__ox_expand_qlinear(cop_ox *m);
bool cop__ox_table_sorted(void); /* for the test: names are found by halving */

#endif
