/* SPDX-License-Identifier: Apache-2.0
 *
 * TensorFlow Lite models of our own: each operator of the reader, in floats, int8 and uint8, its other operands known; and the
 * sound files of tests/io/tflite/test_tflite_more.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "io/tflite/tfl_make.h"
#include "seeds.h"

static const struct { const char *name; int32_t code; int least, most; } rows[] = {
#define TFL(name, add, least, most) {#name, TFL_##name, least, most},
#define NO(name)
#include "io/tflite/tflite.def"
#undef TFL
#undef NO
};

static tfl_tensor operand(int type, int i, int which)
{
	static const int32_t whole[16] = {1, 2, 2, 1};
	static const float real[16] = {0.5f, 1, 2, 0.25f};
	tfl_tensor t = {type, 4, {1, 4, 4, 2}, type == TFL_FLOAT32 ? 0 : 0.5f, 0, NULL, 0};

	if (!i) return t;
	if (which) { /* sizes, axes, paddings */
		t = (tfl_tensor){TFL_INT32, 1, {4}, 0, 0, whole, 16};
	} else if (i > 1) { /* a bias */
		t = (tfl_tensor){type == TFL_FLOAT32 ? TFL_FLOAT32 : TFL_INT32, 1, {2}, t.scale / 2, 0, real, 8};
	} else { /* a weight */
		t.dim[0] = 2, t.dim[1] = t.dim[2] = 1;
		t.data = real, t.bytes = type == TFL_FLOAT32 ? 16 : 4;
	}
	return t;
}

static void one(int row, int type, int which)
{
	tfl_model x = {.code = rows[row].code, .n_out = 1, .n_option = 6};
	maker m;
	char file[64];

	x.n_in = COP_MIN(which ? rows[row].most : rows[row].least, 6);
	for (int i = 0; i < x.n_in; i++) x.in[i] = i, x.t[i] = operand(type, i, which);
	x.t[x.n_in] = operand(type, 0, 0);
	x.n_tensor = x.n_in + 1;
	x.out[0] = x.n_in;
	for (int i = 0; i < x.n_option; i++) x.option[i] = (field){i, 'B', which ? i == 3 : i == 1 || i == 2};
	make_model(&m, &x);
	snprintf(file, sizeof file, "%s-%d-%d", rows[row].name, type, which);
	seed("tflite", file, m.p, m.n);
}

/* Sound files of the test's, by hexadecimal digits. */
static void sound(void)
{
	static char line[1 << 15];
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/tflite/reference/tflite_more.txt", "r");

	while (f && fgets(line, sizeof line, f)) {
		char *name = strtok(line, " "), *hex = strtok(NULL, " ");
		unsigned byte;
		size_t n = 0;
		for (; hex && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) hex[n] = (char)byte;
		if (n) seed("tflite", name, hex, n);
	}
	if (f) fclose(f);
}

void seeds_tflite(void)
{
	static const int type[] = {TFL_FLOAT32, TFL_INT8, TFL_UINT8};

	sound();

	for (int i = 0; i < LEN(rows); i++)
		for (int t = 0; t < LEN(type); t++)
			for (int which = 0; which < 2; which++) one(i, type[t], which);
}
