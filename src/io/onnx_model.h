/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_model.h - between onnx_model.c, which reads a model's message, and onnx.c, which goes through its nodes.
 */
#ifndef COP_ONNX_MODEL_H
#define COP_ONNX_MODEL_H

#include "io/onnx.h"

cop_status cop__ox_parse(cop_ox *m, const void *bytes, size_t size);
bool cop__ox_table_sorted(void); /* for the test: names are found by halving */

#endif
