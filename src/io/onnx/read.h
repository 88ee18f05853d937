/* SPDX-License-Identifier: Apache-2.0
 *
 * read.h - ONNX models in and out, for the other files of io.
 */
#ifndef COP_ONNX_READ_H
#define COP_ONNX_READ_H

#include "graph/graph.h"

/* By its first bytes; a name ending in .onnx is believed in any case. */
bool cop__is_onnx(const char *file, const void *bytes, size_t size);
/* folder: external data is looked for in it and nowhere else; NULL: there is none. args NULL: nothing is given. */
cop_status cop__onnx_read(cop_graph **out, cop_ctx *cx, const char *file, const char *folder, const void *bytes,
	size_t size, const cop_import_args *args);
/* A TensorProto alone, as in test data; out->data is freed with cop_free. Integers wider than 32 bits are range
 * checked. */
cop_status cop__onnx_tensor_read(cop_tensor *out, cop_ctx *cx, const char *file, const void *bytes, size_t size);
/* The deployed form of g: operators, weights, shapes. */
cop_status cop__onnx_write(cop_text *out, const cop_graph *g);

#endif
