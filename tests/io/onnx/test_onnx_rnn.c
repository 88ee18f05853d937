/* SPDX-License-Identifier: Apache-2.0
 *
 * Recurrent layers of ONNX: small files made by make_onnx_rnn_reference.py (cells, directions, layouts, states, functions) and what
 * ONNX Runtime makes of them. The same numbers are asked of the operator by the portable and the fast kernels, of the steps
 * written out, of the text parsed again and of the file exported and read again.
 */
#include "help.h"
#include "io/cop/cop.h"
#include "pass/pass.h"

#include <unistd.h>

enum { MOST = 6 };
typedef struct array { char *p; size_t bytes; } array;
typedef struct reference { const char *name; array model, v[MOST]; int n_in, n_out; } reference;

/* The next word of hexadecimal digits, as bytes in place. */
static array next_bytes(void)
{
	array a = {strtok(NULL, " \n"), 0};
	unsigned byte;

	assert_non_null(a.p);
	for (char *p = a.p; sscanf(p + 2 * a.bytes, "%2x", &byte) == 1; a.bytes++) p[a.bytes] = (char)byte;
	return a;
}

static reference parse(char *line)
{
	reference c = {.name = strtok(line, " ")};

	c.model = next_bytes();
	c.n_in = atoi(strtok(NULL, " "));
	c.n_out = atoi(strtok(NULL, " "));
	assert_true(c.n_in + c.n_out <= MOST);
	for (int i = 0; i < c.n_in + c.n_out; i++) c.v[i] = next_bytes();
	return c;
}

static void check(cop_ctx *cx, const reference *c, const cop_graph *g, uint32_t isa, const char *how)
{
	cop_host host;
	cop_tensor t;

	OK(cx, cop__host_open(&host, (cop_graph *const[]){(cop_graph *)(uintptr_t)g}, 1, isa, 1));
	for (int i = 0; i < c->n_in; i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &t));
		assert_int_equal(cop_type_bytes(&t.type), c->v[i].bytes);
		memcpy(t.data, c->v[i].p, c->v[i].bytes);
	}
	OK(cx, cop_session_run(host.s, 0));
	for (int i = 0; i < c->n_out; i++) {
		const array *want = &c->v[c->n_in + i];
		OK(cx, cop_session_io(host.s, 0, i, true, &t));
		assert_int_equal(cop_type_bytes(&t.type), want->bytes);
		for (size_t k = 0; k < want->bytes / 4; k++) {
			float have = ((float *)t.data)[k], y;
			memcpy(&y, want->p + 4 * k, 4);
			if (!(fabsf(have - y) <= 2e-6f)) fail_msg("%s, %s: output %d, number %zu is %g, expected %g", c->name, how, i, k, (double)have, (double)y);
		}
	}
	cop__host_close(&host);
}

static int count(const cop_graph *g, int op)
{
	int n = 0;
	for (int32_t i = 1; i <= g->n_node; i++) n += g->node[i].op == op;
	return n;
}

/* Written out step by step; and from a .cop. */
static void check_forms(cop_ctx *cx, const reference *c, cop_graph *g)
{
	cop_graph *open, *again;
	cop_text file;

	OK(cx, cop__pass_unroll(&open, g));
	OK(cx, cop_graph_verify(open));
	assert_int_equal(count(open, OP_rnn), 0);
	check(cx, c, open, COP_ISA_ALL, "written out");
	cop_graph_free(open);
	cop__text_init(&file, cx);
	OK(cx, cop__model_write(&file, g, NULL, 0, COP_CODEC_RAW));
	OK(cx, cop_model_read(&again, cx, file.data, file.len));
	check(cx, c, again, COP_ISA_ALL, "from a .cop");
	cop__text_free(&file);
	cop_graph_free(again);
}

static void check_export(cop_ctx *cx, const reference *c, cop_graph *g)
{
	char path[64];
	cop_graph *again;

	snprintf(path, sizeof path, "rnn_%d.onnx", (int)getpid());
	OK(cx, cop_onnx_save(g, path));
	OK(cx, cop_model_load(&again, cx, path));
	assert_int_equal(count(again, OP_rnn), count(g, OP_rnn));
	check(cx, c, again, COP_ISA_ALL, "exported");
	unlink(path);
	cop_graph_free(again);
}

static void test_files(void **state)
{
	static char line[1 << 15];
	int cases = 0;
	FILE *f = fopen(COP_SOURCE_DIR "/tests/io/onnx/reference/onnx_rnn.txt", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		cop_ctx *cx = new_ctx();
		reference c = parse(line);
		cop_graph *g;
		if (cop_model_read(&g, cx, c.model.p, c.model.bytes)) fail_msg("%s: %s", c.name, cop_error_text(cx));
		assert_int_equal(count(g, OP_rnn), strstr(c.name, "both") || strstr(c.name, "lstm_layout") ? 2 : 1);
		check(cx, &c, g, COP_ISA_REF, "portable");
		check(cx, &c, g, COP_ISA_ALL, "fast");
		check_forms(cx, &c, g);
		check_export(cx, &c, g);
		cop_graph_free(g);
		cop_ctx_free(cx);
		cases++;
	}
	fclose(f);
	assert_true(cases >= 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
