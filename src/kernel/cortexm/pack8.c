/* SPDX-License-Identifier: Apache-2.0
 *
 * pack8 - int8 weights as the dense kernels take them. It goes to a device whose weights change.
 */
#include "kernel/cortexm/filters.h"

static int32_t weight_i8(const void *w, int32_t i) { return ((const int8_t *)w)[i]; }

void cop_qconv_pack_dsp(const cop_call *c);
void cop_qconv_pack_dsp(const cop_call *c) { pack_dense(c, filters_of(c, weight_i8, 1), 2); }
void cop_qfc_pack_dsp(const cop_call *c);
void cop_qfc_pack_dsp(const cop_call *c) { pack_dense(c, filters_of(c, weight_i8, 1), 4); }
