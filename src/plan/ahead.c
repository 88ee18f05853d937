/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead - for the portable kernels that walk windows one pixel after the other.
 */
#include "kernel/ahead.h"

size_t cop_conv_ahead_i8(const int32_t *k);
size_t cop_conv_ahead_f32(const int32_t *k);
size_t cop_pool_ahead_i8(const int32_t *k);
size_t cop_pool_ahead_f32(const int32_t *k);

size_t cop_conv_ahead_i8(const int32_t *k) { return cop_ahead_conv(k, 1, 1); }
size_t cop_conv_ahead_f32(const int32_t *k) { return cop_ahead_conv(k, 1, 4); }
size_t cop_pool_ahead_i8(const int32_t *k) { return cop_ahead_pool(k, 1); }
size_t cop_pool_ahead_f32(const int32_t *k) { return cop_ahead_pool(k, 4); }
