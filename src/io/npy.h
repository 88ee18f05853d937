/* SPDX-License-Identifier: Apache-2.0
 *
 * npy.h - NumPy's .npy files (format 1 to 3, C order, little-endian) to and from tensors.
 */
#ifndef COP_IO_NPY_H
#define COP_IO_NPY_H

#include "graph/graph.h"

/* f4 f8 -> f32; i4 i8 -> i32 (must fit); i1 -> i8; u1 b1 -> u8. out->data is freed with cop_free. */
cop_status cop__npy_bytes(cop_tensor *out, cop_ctx *cx, const char *file, const void *bytes, size_t size);
cop_status cop__npy_read(cop_tensor *out, cop_ctx *cx, const char *path);
cop_status cop__npy_write(cop_ctx *cx, const char *path, const cop_tensor *t);

#endif
