/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead - what rows of portable kernels ask of words: how far those that walk windows one pixel after the other write ahead, which
 * convolutions they know, and room for a window.
 */
#include "kernel/ahead.h"

size_t cop_never_ahead(const int32_t *k);
size_t cop_conv_ahead_i8(const int32_t *k);
size_t cop_conv_ahead_i16(const int32_t *k);
size_t cop_conv_ahead_f32(const int32_t *k);
size_t cop_pool_ahead_i8(const int32_t *k);
size_t cop_pool_ahead_i16(const int32_t *k);
size_t cop_pool_ahead_f32(const int32_t *k);
bool cop_conv_one_group(const int32_t *k);
size_t cop_window_work(const int32_t *k);
size_t cop_qlists_work(const int32_t *k);
size_t cop_qlists_ahead(const int32_t *k);

/* Results that are no longer than what they are made of, one after the other. */
size_t cop_never_ahead(const int32_t *k) { (void)k; return 0; }
size_t cop_conv_ahead_i16(const int32_t *k) { return cop_ahead_conv(k, 1, 2); }
size_t cop_conv_ahead_i8(const int32_t *k) { return cop_ahead_conv(k, 1, 1); }
size_t cop_conv_ahead_f32(const int32_t *k) { return cop_ahead_conv(k, 1, 4); }
size_t cop_pool_ahead_i16(const int32_t *k) { return cop_ahead_pool(k, 2); }
size_t cop_pool_ahead_i8(const int32_t *k) { return cop_ahead_pool(k, 1); }
size_t cop_pool_ahead_f32(const int32_t *k) { return cop_ahead_pool(k, 4); }
bool cop_conv_one_group(const int32_t *k) { return k[CK_G] == 1; }
size_t cop_window_work(const int32_t *k) { return (size_t)(k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G])); }

/* Two pixels at a time (ref/qlists.c): the second is written while the first is read. */
size_t cop_qlists_work(const int32_t *k) { return 2 * cop_window_work(k); }
size_t cop_qlists_ahead(const int32_t *k) { return cop_conv_ahead_i8(k) + (size_t)k[CK_O]; }
