/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h - rearranging matrices for the micro-kernel.
 */
#ifndef COP_PACK_H
#define COP_PACK_H

#include "kernel/vec/vec.h"

/* d[c][r] = s[r][c] for r < rows, c < cols; d[c][r] = 0 for rows <= r < fill. */
void VN(transpose)(float *d, long ldd, const float *s, long lds, long rows, long cols, long fill);
/* d[r][c] = s[r][c], and 0 for cols <= c < ldd. */
void VN(copy_rows)(float *d, long ldd, const float *s, long lds, long rows, long cols);

#endif
