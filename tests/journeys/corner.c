/* SPDX-License-Identifier: Apache-2.0
 *
 * corner - writes an int8 TensorFlow Lite model of our own, whose answers are known without running it: of an 8 x 8 picture of reals from
 * 0 to 1, the quarter that is brightest. A convolution blurs by four filters, a layer adds what lies in a quarter and takes away the
 * rest, a softmax compares. usage: corner FILE.tflite
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "io/tflite/tfl_make.h"

static int8_t blur[4 * 3 * 3], sums[4 * 64]; /* [4, 3, 3, 1] and [4, 4 x 4 x 4] */
static int32_t zeros[4];

static void weights(void)
{
	for (int i = 0; i < 36; i++) blur[i] = (int8_t)(20 + 10 * (i / 9));
	for (int i = 0; i < 256; i++) {
		int quarter = i / 64, row = i / 16 % 4, column = i / 4 % 4;
		sums[i] = row / 2 * 2 + column / 2 == quarter ? 63 : -21;
	}
}

int main(int argc, char **argv)
{
	const tfl_model net[] = {{
		.n_tensor = 8,
		.t = {{TFL_INT8, 4, {1, 8, 8, 1}, 1 / 255.0f, -128, NULL, 0},
			{TFL_INT8, 4, {4, 3, 3, 1}, 0.005f, 0, blur, sizeof blur},
			{TFL_INT32, 1, {4}, 0.005f / 255, 0, zeros, sizeof zeros},
			{TFL_INT8, 4, {1, 4, 4, 4}, 0.01f, -128, NULL, 0},
			{TFL_INT8, 2, {4, 64}, 0.01f, 0, sums, sizeof sums},
			{TFL_INT32, 1, {4}, 0.0001f, 0, zeros, sizeof zeros},
			{TFL_INT8, 2, {1, 4}, 0.15f, 0, NULL, 0},
			{TFL_INT8, 2, {1, 4}, 1 / 256.0f, -128, NULL, 0}},
		.code = TFL_CONV_2D, .n_in = 3, .n_out = 1, .in = {0, 1, 2}, .out = {3},
		.n_option = 4, .option = {{CONV_PADDING, 'B', TFL_SAME}, {CONV_STRIDE_W, 'W', 2}, {CONV_STRIDE_H, 'W', 2}, {CONV_ACT, 'B', ACT_RELU}}},
		{.code = TFL_FULLY_CONNECTED, .n_in = 3, .n_out = 1, .in = {3, 4, 5}, .out = {6}, .n_option = 1, .option = {{FC_ACT, 'B', ACT_NONE}}},
		{.code = TFL_SOFTMAX, .n_in = 1, .n_out = 1, .in = {6}, .out = {7}, .n_option = 1, .option = {{SOFTMAX_BETA, 'W', 0x3f800000}}}};
	maker m;

	if (argc != 2) return 2;
	weights();
	make_models(&m, net, 3, 1);
	FILE *f = fopen(argv[1], "wb");
	if (!f) return 1;
	bool whole = fwrite(m.p, 1, m.n, f) == m.n;
	return fclose(f) || !whole;
}
