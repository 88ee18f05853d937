/* SPDX-License-Identifier: Apache-2.0
 *
 * ox_accepted.h - ONNX models made in a test, and read.
 */
#ifndef OX_ACCEPTED_H
#define OX_ACCEPTED_H

#include "help.h"
#include "ox_make.h"

#include "io/onnx/model.h"
#include "io/onnx/read.h"

#define D(...) LEN(((const int64_t[]){__VA_ARGS__})), ((const int64_t[]){__VA_ARGS__})

static inline cop_graph *accepted(maker *m)
{
	cop_text t = end(m, 17);
	cop_graph *g;

	OK(m->cx, cop__onnx_read(&g, m->cx, "net", NULL, t.data, t.len, NULL));
	cop__text_free(&t);
	return g;
}

/* Must be refused with a sentence that holds `word`. */
static inline void refuses(maker *m, int opset, const char *word)
{
	cop_text t = end(m, opset);
	cop_graph *g;

	cop_status st = cop__onnx_read(&g, m->cx, "net", NULL, t.data, t.len, NULL);
	if (!st) fail_msg("accepted, expected: %s", word);
	assert_null(g);
	if (!strstr(cop_error_text(m->cx), word)) fail_msg("'%s' does not say '%s'", cop_error_text(m->cx), word);
	cop_error_clear(m->cx);
	cop__text_free(&t);
}

#endif
