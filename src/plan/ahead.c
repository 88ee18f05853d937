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
size_t cop_qconv_dx_ahead(const int32_t *k);

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

/* Rows of the input's gradient, one after the other, from rows of the result's: when one is written, what it or a later one reads must still be there. */
size_t cop_qconv_dx_ahead(const int32_t *k)
{
	int64_t most = 0, first = INT64_MAX, row = 4 * (int64_t)k[CK_W] * k[CK_C], from = 4 * (int64_t)k[CK_OW] * k[CK_O];

	for (int32_t r = k[CK_N] * k[CK_H] - 1; r >= 0; r--) {
		int32_t below = r % k[CK_H] + k[CK_PT] - (k[CK_KH] - 1) * k[CK_DH], oh = below > 0 ? (below + k[CK_SH] - 1) / k[CK_SH] : 0;
		int64_t begin = ((int64_t)(r / k[CK_H]) * k[CK_OH] + oh) * from;
		first = begin < first ? begin : first;
		most = (r + 1) * row - first > most ? (r + 1) * row - first : most;
	}
	return (size_t)most;
}
