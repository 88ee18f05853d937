/* SPDX-License-Identifier: Apache-2.0
 *
 * Recurrent layers of TensorFlow Lite: small files made by make_tflite_rnn_reference.py, and what TFLite's reference kernels make
 * of them. Every byte of integers; floats to 2e-6.
 */
#include "help.h"
#include "io/cop/cop.h"

/* Hexadecimal digits, ended by a blank or the end of the line, in place. */
static size_t unhex(char *p)
{
	size_t n = 0;
	unsigned byte;

	for (; sscanf(p + 2 * n, "%2x", &byte) == 1 && p[2 * n] > ' '; n++) p[n] = (char)byte;
	return n;
}

static void check(cop_ctx *cx, const char *name, char *file, char *in, char *out)
{
	cop_graph *g;
	cop_host host;
	cop_tensor x, y;
	size_t size = unhex(file), given = unhex(in), made = unhex(out);

	if (cop_model_read(&g, cx, file, size)) fail_msg("%s: %s", name, cop_error_text(cx));
	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	OK(cx, cop_session_io(host.s, 0, 0, false, &x));
	OK(cx, cop_session_io(host.s, 0, 0, true, &y));
	assert_true(cop_type_bytes(&x.type) == given && cop_type_bytes(&y.type) == made);
	memcpy(x.data, in, given);
	OK(cx, cop_session_run(host.s, 0));
	for (size_t i = 0; i < made && y.type.dtype == COP_I8; i++)
		if (((int8_t *)y.data)[i] != (int8_t)out[i]) fail_msg("%s: result %zu is %d, expected %d", name, i, ((int8_t *)y.data)[i], (int8_t)out[i]);
	for (size_t i = 0; i < made / 4 && y.type.dtype == COP_F32; i++) {
		float want, have = ((float *)y.data)[i];
		memcpy(&want, out + 4 * i, 4);
		if (!(fabsf(have - want) <= 2e-6f)) fail_msg("%s: result %zu is %g, expected %g", name, i, (double)have, (double)want);
	}
	cop__host_close(&host);
	cop_graph_free(g);
}

static void test_files(void **state)
{
	static char line[1 << 15];
	int cases = 0;
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/tflite/reference/tflite_rnn.txt", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		cop_ctx *cx = new_ctx();
		char *name = strtok(line, " "), *file = strtok(NULL, " "), *in = strtok(NULL, " "), *out = strtok(NULL, " \n");
		assert_non_null(out);
		check(cx, name, file, in, out);
		cop_ctx_free(cx);
		cases++;
	}
	fclose(f);
	assert_true(cases >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
