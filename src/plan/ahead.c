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
bool cop_qwindow_fits(const int32_t *k);
size_t cop_qwindow_work(const int32_t *k);
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

/* A window of one tap that never lies in the padding is read in its place. */
static size_t window_work(const int32_t *k, int32_t channels)
{
	int32_t bottom = (k[CK_OH] - 1) * k[CK_SH] - k[CK_PT], right = (k[CK_OW] - 1) * k[CK_SW] - k[CK_PL];

	if (k[CK_KH] * k[CK_KW] == 1 && !k[CK_PT] && !k[CK_PL] && bottom < k[CK_H] && right < k[CK_W]) return 0;
	return (size_t)(k[CK_KH] * k[CK_KW] * channels);
}
size_t cop_window_work(const int32_t *k) { return window_work(k, k[CK_C] / k[CK_G]); }

/* A window serves two filters of a group or more (ref/qwindow.c). For one it would take 34 % more instructions than reading the input in its place on a Cortex-M0, 16 % more on an M3
 * (3x3, 16 channels); for two it takes 26 and 35 % fewer (bench/layers.sh kinds m0). Groups of one channel have one window for all. */
static bool depthwise(const int32_t *k) { return k[CK_G] > 1 && k[CK_G] == k[CK_C]; }
bool cop_qwindow_fits(const int32_t *k) { return depthwise(k) || k[CK_O] > k[CK_G]; }
size_t cop_qwindow_work(const int32_t *k) { return window_work(k, depthwise(k) ? k[CK_C] : k[CK_C] / k[CK_G]); }

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
