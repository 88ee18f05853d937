/* SPDX-License-Identifier: Apache-2.0
 *
 * interface - of <name>.h, what a program must know of inputs and outputs: shape, layout, scale, names, and the ways
 * from reals and back.
 */
#include "emit/emit.h"

#include <stdio.h>

bool cop__emit_has_scale(const cop_type *t)
{
	return (t->dtype == COP_I8 || t->dtype == COP_U8 || t->dtype == COP_I16) && t->q.scale && t->q.zero && t->q.axis < 0;
}

/* ---- layout ---- */

static bool windows(int op)
{
	return op == OP_conv || op == OP_qconv || op == OP_maxpool || op == OP_avgpool || op == OP_qavgpool;
}

static cop_nid reader(const cop_graph *g, cop_vid v)
{
	for (int32_t n = 1; n <= g->n_node; n++)
		if (cop__arg(g, (cop_nid)n, 0) == v) return (cop_nid)n;
	return 0;
}

/* What the axes of an input are: that is certain where a layer with windows reads it, or one that turns it into what
 * those read. */
static const char *layout(const cop_graph *g, cop_vid v)
{
	const cop_type *t = cop__t(g, v);

	if (t->rank == 2) return "NC";
	for (cop_nid n = t->rank == 4 ? reader(g, v) : 0; n; n = reader(g, v)) {
		if (windows(g->node[n].op)) return "NHWC";
		if (g->node[n].op == OP_transpose) {
			COP_ATTR(cop_shape_attr, p, g, n);
			return p.dim[0] == 0 && p.dim[1] == 2 && p.dim[2] == 3 && p.dim[3] == 1 ? "NCHW" : NULL;
		}
		v = cop__res(g, n, 0);
		if (cop__t(g, v)->rank != 4 || g->node[n].n_in != 1) return NULL;
	}
	return NULL;
}

/* ---- one input or output ---- */

static const char *type_text(const cop_type *t)
{
	switch (t->dtype) {
	case COP_F32: return "float";
	case COP_I32: return "int32";
	case COP_I8: return "int8";
	case COP_I16: return "int16";
	default: return "uint8";
	}
}

static void put_about(cop_text *o, const cop_graph *g, cop_vid v, const char *word, const char *axes)
{
	const cop_type *t = cop__t(g, v);
	char plain[96];

	cop__text_add(o, "/* %s, '%s': %s", word, cop__emit_plain(plain, g->value[v].name), type_text(t));
	for (int d = 0; d < t->rank; d++) cop__text_add(o, "%s%d", d ? " x " : " ", t->dim[d]);
	if (axes && *axes == 'N' && axes[1] == 'H') cop__text_add(o, ": sample, row, column, channel");
	else if (axes && t->rank == 4) cop__text_add(o, ": sample, channel, row, column");
	cop__text_add(o, "; the last axis varies fastest.");
	if (cop__emit_has_scale(t)) {
		cop__text_add(o, "\n * An integer q stands for the real ");
		cop__emit_float(o, *t->q.scale);
		cop__text_add(o, " * (q - %d).", *t->q.zero);
	}
	cop__text_add(o, " */\n");
}

void cop__emit_facts(cop_text *o, const cop_emission *e, const cop_graph *g, bool output, int i)
{
	cop_vid v = output ? g->output[i] : g->input[i];
	const cop_type *t = cop__t(g, v);
	const char *axes = output ? (t->rank == 2 ? "NC" : NULL) : layout(g, v);
	char low[24], up[24], macro[96];

	cop__emit_numbered(low, output ? "Output" : "Input", i);
	snprintf(macro, sizeof macro, "#define %s_%s", e->upper, cop__emit_numbered(up, output ? "OUTPUT" : "INPUT", i));
	cop__text_add(o, "\n");
	put_about(o, g, v, low, axes);
	cop__text_add(o, "%s_SIZE %lld\n%s_BYTES %zu\n%s_RANK %d\n%s_SHAPE {", macro, (long long)cop_type_count(t), macro,
		cop_type_bytes(t), macro, t->rank, macro);
	for (int d = 0; d < t->rank; d++) cop__text_add(o, "%s%d", d ? ", " : "", t->dim[d]);
	cop__text_add(o, "%s}\n", t->rank ? "" : "1");
	if (axes) cop__text_add(o, "%s_LAYOUT \"%s\"\n", macro, axes);
	if (!cop__emit_has_scale(t)) return;
	cop__text_add(o, "%s_SCALE ", macro);
	cop__emit_float(o, *t->q.scale);
	cop__text_add(o, "\n%s_ZERO_POINT (%d)\n", macro, *t->q.zero);
}

/* ---- from reals and back ---- */

static const char nearest[] =
	"\n/* real / scale + zero, to the nearest (ties away from zero), held within lo and hi: "
	"as Coppice quantises samples. */\n"
	"static inline int32_t @_nearest(float real, float scale, int32_t zero, int32_t lo, int32_t hi)\n"
	"{\n"
	"\tfloat q = real / scale, part;\n"
	"\tint32_t n = q > 100000.0f ? 100000 : q > -100000.0f ? (int32_t)q : -100000;\n\n"
	"\tpart = q - (float)n;\n"
	"\tif (n < 100000 && part >= 0.5f) n++;\n"
	"\tif (n > -100000 && part <= -0.5f) n--;\n"
	"\tn += zero;\n"
	"\treturn n < lo ? lo : n > hi ? hi : n;\n"
	"}\n";

/* @: the network's name; $: input or output with its number; !: the same for macros; #: the type. */
static void put_pattern(cop_text *o, const cop_emission *e, const char *text, const char *low, const char *up,
	const cop_type *t)
{
	for (; *text; text++)
		switch (*text) {
		case '@': cop__text_add(o, "%s", e->name); break;
		case '$': cop__text_add(o, "%s", low); break;
		case '!': cop__text_add(o, "%s_%s", e->upper, up); break;
		case '#': cop__text_add(o, "%s", cop__emit_ctype(t)); break;
		default: cop__text_bytes(o, text, 1);
		}
}

static void put_ways(cop_text *o, const cop_emission *e, const cop_type *t, bool output, int i)
{
	char low[24], up[24];

	if (!cop__emit_has_scale(t)) return;
	cop__emit_numbered(low, output ? "output" : "input", i);
	cop__emit_numbered(up, output ? "OUTPUT" : "INPUT", i);
	put_pattern(o, e, "static inline # @_$_quantize(float real) { return (#)@_nearest(real, !_SCALE, !_ZERO_POINT, ", low,
		up, t);
	cop__text_add(o, "%d, %d); }\n", cop__dtype_least(t->dtype), cop__dtype_most(t->dtype));
	put_pattern(o, e, "static inline float @_$_dequantize(# q) { return !_SCALE * (float)(q - !_ZERO_POINT); }\n", low, up,
		t);
	put_pattern(o, e, output ? "/* The whole output as reals, after a run. */\n"
		"static inline void @_$_get(float *real)\n{\n\tconst # *q = @_$();\n\tlong i;\n\n"
		"\tfor (i = 0; i < !_SIZE; i++) real[i] = @_$_dequantize(q[i]);\n}\n"
		: "/* The whole input from reals, before a run. */\n"
		"static inline void @_$_set(const float *real)\n{\n\t# *q = @_$();\n\tlong i;\n\n"
		"\tfor (i = 0; i < !_SIZE; i++) q[i] = @_$_quantize(real[i]);\n}\n", low, up, t);
}

void cop__emit_conversions(cop_text *o, const cop_emission *e, const cop_graph *g)
{
	bool any = false;

	for (int i = 0; i < g->n_input; i++) any |= cop__emit_has_scale(cop__t(g, g->input[i]));
	for (int i = 0; i < g->n_output; i++) any |= cop__emit_has_scale(cop__t(g, g->output[i]));
	if (!any) return;
	put_pattern(o, e, nearest, "", "", NULL);
	for (int i = 0; i < g->n_input; i++) put_ways(o, e, cop__t(g, g->input[i]), false, i);
	for (int i = 0; i < g->n_output; i++) put_ways(o, e, cop__t(g, g->output[i]), true, i);
}
