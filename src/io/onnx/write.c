/* SPDX-License-Identifier: Apache-2.0
 *
 * write - a graph as an ONNX model of operator set 20: weights in the message, fixed shapes, floats and integers as the
 * graph has them. Encoded weights are written out.
 */
#include "core/need.h"
#include "io/onnx/read.h"
#include "io/onnx/write.h"
#include "op/qscale.h"

enum { IR_VERSION = 9, OPSET = 20 };

/* ValueInfoProto { name, type { tensor { elem, shape { dim { value } } } } } */
static void value_info(cop_oxw *w, uint32_t field, cop_vid v)
{
	const cop_type *t = cop__t(w->g, v);
	cop_text part[5];

	for (int i = 0; i < LEN(part); i++) cop__text_init(&part[i], w->cx);
	for (int i = 0; i < t->rank; i++) {
		cop_text dim;
		cop__text_init(&dim, w->cx);
		cop__pb_put_int(&dim, DIM_VALUE, t->dim[i]);
		if (!dim.status) cop__pb_put_bytes(&part[0], SHAPE_DIM, dim.data, dim.len);
		cop__text_free(&dim);
	}
	cop__pb_put_int(&part[1], TENSOR_TYPE_ELEM, cop__oxw_type(t->dtype));
	cop__pb_put_bytes(&part[1], TENSOR_TYPE_SHAPE, part[0].data ? part[0].data : "", part[0].len);
	cop__pb_put_bytes(&part[2], TYPE_TENSOR, part[1].data, part[1].len);
	cop__pb_put_text(&part[3], INFO_NAME, cop__oxw_label(w, v).s);
	cop__pb_put_bytes(&part[3], INFO_TYPE, part[2].data, part[2].len);
	cop__pb_put_bytes(&w->graph, field, part[3].data, part[3].len);
	for (int i = 0; i < LEN(part); i++) {
		if (part[i].status) w->graph.status = part[i].status;
		cop__text_free(&part[i]);
	}
}

static cop_status write_graph(cop_oxw *w)
{
	const cop_graph *g = w->g;

	cop__pb_put_text(&w->graph, GRAPH_NAME, g->name);
	for (int32_t n = 1; n <= g->n_node; n++) {
		COP_TRY(cop__oxw_op(w, (cop_nid)n));
		if (w->graph.status || w->cx->code) return w->cx->code ? w->cx->code : w->graph.status;
	}
	for (int32_t i = 0; i < g->n_input; i++) value_info(w, GRAPH_INPUT, g->input[i]);
	for (int32_t i = 0; i < g->n_output; i++) {
		(void)cop__oxw_value(w, g->output[i]); /* a constant that is a result */
		value_info(w, GRAPH_OUTPUT, g->output[i]);
	}
	return w->graph.status;
}

static cop_status check_formats(const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.dtype == COP_I16)
			return cop__error(g->cx, COP_ARG, "'%s' has activations of int16, and ONNX knows none in operator set %d: export the network of floats",
				g->name, OPSET);
	return COP_OK;
}

cop_status cop__onnx_write(cop_text *out, const cop_graph *g)
{
	COP_TRY(check_formats(g));
	cop_oxw w = {.g = g, .cx = g->cx};
	cop_text set;

	cop__text_init(&w.graph, g->cx);
	cop__text_init(&w.attr, g->cx);
	cop__text_init(&set, g->cx);
	w.written = cop__alloc(g->cx, (size_t)g->n_value + 1);
	w.scale = cop__alloc(g->cx, sizeof *w.scale * ((size_t)g->n_value + 1));
	cop_status st = cop__oxw_names(&w);
	if (!w.written || !w.scale) st = COP_NOMEM;
	if (!st) cop__int_scales(w.scale, w.g);
	if (!st) st = write_graph(&w);
	cop__pb_put_int(&set, OPSET_VERSION, OPSET);
	if (!st) st = set.status;
	if (!st) {
		cop__pb_put_int(out, MODEL_IR, IR_VERSION);
		cop__pb_put_text(out, MODEL_PRODUCER, "coppice");
		cop__pb_put_bytes(out, MODEL_GRAPH, w.graph.data, w.graph.len);
		cop__pb_put_bytes(out, MODEL_OPSET, set.data, set.len);
		st = out->status;
	}
	cop__oxw_names_free(&w);
	cop__free(g->cx, w.written);
	cop__free(g->cx, w.scale);
	cop__text_free(&w.graph);
	cop__text_free(&w.attr);
	cop__text_free(&set);
	return st;
}

cop_status cop_onnx_save(const cop_graph *g, const char *path)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), path);
	COP_TRY(cop__not_outline(g, "written"));
	cop_text t;

	cop__text_init(&t, g->cx);
	cop_status st = cop__onnx_write(&t, g);
	if (!st) st = cop_file_write(g->cx, path, t.data, t.len);
	cop__text_free(&t);
	return st;
}
