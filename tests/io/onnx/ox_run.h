/* SPDX-License-Identifier: Apache-2.0
 *
 * ox_run.h - a model made in a test, read and run on numbers that the place of each decides.
 */
#ifndef OX_RUN_H
#define OX_RUN_H

#include "ox_accepted.h"

enum { OX_RUN_MOST = 4096 };
typedef struct ran { float y[OX_RUN_MOST]; int n; } ran; /* all results, one behind the other */

/* Frees g. Floats from -1 to 1, integers 0 and 1. */
static inline void run_graph(ran *out, cop_ctx *cx, cop_graph *g)
{
	cop_host host;
	cop_tensor x;
	cop_type io;

	OK(cx, cop__host_open(&host, &g, 1, COP_ISA_ALL, 1));
	for (int i = 0; cop_graph_io_type(g, false, i, &io); i++) {
		OK(cx, cop_session_io(host.s, 0, i, false, &x));
		for (int64_t k = 0; k < cop_type_count(&x.type); k++) {
			if (x.type.dtype == COP_F32) ((float *)x.data)[k] = cop__rand_unit(7, (uint32_t)i, (uint64_t)k) * 2 - 1;
			else if (x.type.dtype == COP_I32) ((int32_t *)x.data)[k] = (int32_t)k & 1;
			else ((uint8_t *)x.data)[k] = (uint8_t)k & 1;
		}
	}
	OK(cx, cop_session_run(host.s, 0));
	out->n = 0;
	for (int i = 0; cop_graph_io_type(g, true, i, &io); i++) {
		OK(cx, cop_session_io(host.s, 0, i, true, &x));
		int64_t n = cop_type_count(&x.type);
		assert_true(out->n + n <= OX_RUN_MOST);
		for (int64_t k = 0; k < n; k++, out->n++)
			out->y[out->n] = x.type.dtype == COP_F32 ? ((float *)x.data)[k] : x.type.dtype == COP_I32 ? (float)((int32_t *)x.data)[k] : x.type.dtype == COP_I8 ? ((int8_t *)x.data)[k] : ((uint8_t *)x.data)[k];
	}
	cop__host_close(&host);
	cop_graph_free(g);
}

/* Frees the text. */
static inline cop_graph *read_text(cop_ctx *cx, cop_text *t)
{
	cop_graph *g;

	OK(cx, cop__onnx_read(&g, cx, "net", NULL, t->data, t->len, NULL));
	cop__text_free(t);
	return g;
}

static inline void run_model(ran *out, maker *m, int opset)
{
	cop_text t = end(m, opset);
	run_graph(out, m->cx, read_text(m->cx, &t));
}

#endif
