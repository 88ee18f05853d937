/* SPDX-License-Identifier: Apache-2.0
 *
 * header - <name>.h: what a network needs, its sizes, how it is called.
 */
#include "emit/emit.h"

#include <stdio.h>

const char *cop__emit_plain(char buf[96], const char *name)
{
	int n = 0;

	for (; name && name[n] && n < 95; n++) {
		char c = name[n];
		buf[n] = c < ' ' || c > '~' || c == '*' || c == '/' || c == '\\' || c == '?' ? '_' : c;
	}
	buf[n] = 0;
	return buf;
}

const char *cop__emit_ctype(const cop_type *t)
{
	switch (t->dtype) {
	case COP_F32: return "float";
	case COP_I32: return "int32_t";
	case COP_I8: return "int8_t";
	default: return "uint8_t";
	}
}

/* ---- the header ---- */

static void put_shape(cop_text *o, const cop_emission *e, const char *what, const cop_type *t)
{
	cop__text_add(o, "#define %s_%s_SIZE %lld\n#define %s_%s_SHAPE {", e->upper, what, (long long)cop_type_count(t), e->upper, what);
	for (int d = 0; d < t->rank; d++) cop__text_add(o, "%s%d", d ? ", " : "", t->dim[d]);
	cop__text_add(o, "}\n");
}

const char *cop__emit_numbered(char buf[24], const char *word, int i)
{
	snprintf(buf, 24, i ? "%s%d" : "%s", word, i + 1);
	return buf;
}

cop_vid cop__emit_truth(const cop_graph *g)
{
	cop_vid v = cop__find(g, "label");
	return v ? v : cop__find(g, "target");
}

static int64_t macs(const cop_plan *p, int entry)
{
	cop_step_info s;
	int64_t sum = 0;

	for (int32_t i = 0; cop_plan_step(p, entry, i, &s); i++) sum += s.macs;
	return sum;
}

static void put_figures(cop_text *o, const cop_emission *e)
{
	const cop_plan *p = e->plan;
	char plain[96];

	cop__text_add(o, "/* %s.h - the network '%s' for %s, written by Coppice %s.\n *\n", e->name,
		cop__emit_plain(plain, e->model->name), p->target.name, COP_VERSION);
	cop__text_add(o, " * flash  %10zu bytes of weights and first contents; code comes on top\n", e->flash);
	cop__text_add(o, " * RAM    %10zu bytes in static arrays; the stack comes on top\n", e->ram);
	cop__text_add(o, " *        %10zu arena: all that is temporary, one block for %s\n", p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST],
		p->n_entry > 1 ? "inference and training" : "inputs, outputs and what lies between");
	if (p->bytes[COP_SEG_FAST]) cop__text_add(o, " *        %10zu of it in the fast RAM, which is touched most\n", p->bytes[COP_SEG_FAST]);
	if (p->bytes[COP_SEG_PARAM]) cop__text_add(o, " *        %10zu parameters that change\n", p->bytes[COP_SEG_PARAM]);
	if (p->bytes[COP_SEG_STATE]) cop__text_add(o, " *        %10zu state that changes\n", p->bytes[COP_SEG_STATE]);
	cop__text_add(o, " * One inference: %lld multiply-accumulates", (long long)macs(p, COP_EMIT_INFER));
	if (p->n_entry > 1) cop__text_add(o, "; one training step: %lld", (long long)macs(p, COP_EMIT_TRAIN));
	cop__text_add(o, ".\n *\n"
		" * Call %s_init() once. Before each call of %s_run()%s%s fill the inputs: they lie in the arena and do not\n"
		" * outlive a run, nor does an output outlive the next run. No allocation, no library, no other thread.\n"
		" * With -ffp-contract=off every IEEE machine computes the same bits.\n */\n", e->name, e->name,
		p->n_entry > 1 ? " and of " : "", p->n_entry > 1 ? "the training step" : "");
}

static void put_header_io(cop_text *o, const cop_emission *e, const cop_graph *g, const char *prefix, int n_input)
{
	char buf[24];

	for (int i = 0; i < n_input; i++)
		cop__text_add(o, "%s *%s_%s%s(void);\n", cop__emit_ctype(cop__t(g, g->input[i])), e->name, prefix, cop__emit_numbered(buf, "input", i));
	for (int i = 0; i < g->n_output; i++)
		if (!*prefix || !i) cop__text_add(o, "const %s *%s_%s%s(void);\n", cop__emit_ctype(cop__t(g, g->output[i])), e->name, prefix, cop__emit_numbered(buf, "output", i));
}

/* X(function, elements) for every input or output, for programs that read or write them all. */
static void put_each(cop_text *o, const cop_emission *e, bool output, int n)
{
	const char *word = output ? "output" : "input", *upper = output ? "OUTPUT" : "INPUT";
	char low[24], high[24];

	cop__text_add(o, "#define %s_EACH_%s(X)", e->upper, upper);
	for (int i = 0; i < n; i++)
		cop__text_add(o, " X(%s_%s, %s_%s_SIZE)", e->name, cop__emit_numbered(low, word, i), e->upper, cop__emit_numbered(high, upper, i));
	cop__text_add(o, "\n");
}

static void put_header_train(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_TRAIN];
	cop_vid label = cop__emit_truth(g);
	const char *word = g->value[label].type.dtype == COP_I32 ? "label" : "target";

	cop__text_add(o, "\n/* Training: fill the input and the %s, set the learning rate, take a step. */\n", word);
	put_header_io(o, e, g, "train_", g->n_input - 1);
	cop__text_add(o, "%s *%s_%s(void);\n", cop__emit_ctype(cop__t(g, label)), e->name, word);
	cop__text_add(o, "float *%s_lr(void);\nfloat %s_loss(void); /* of the last step */\nvoid %s_train_step(void);\n", e->name, e->name, e->name);
}

/* Access to a block, and what lies where in it. */
static void put_block(cop_text *o, const cop_emission *e, cop_segment seg, const char *what)
{
	char plain[96];

	if (!e->plan->bytes[seg]) return;
	cop__text_add(o, "void *%s_%s(void);\n/* byte, name, shape\n", e->name, what);
	for (int32_t i = 0; i < e->plan->n_var; i++) {
		const cop_var *v = &e->plan->var[i];
		if (v->place.seg != seg) continue;
		cop__text_add(o, " * %8zu %s", v->place.off, cop__emit_plain(plain, v->name));
		for (int d = 0; d < v->type.rank; d++) cop__text_add(o, " %d", v->type.dim[d]);
		cop__text_add(o, "\n");
	}
	cop__text_add(o, " */\n");
}

void cop__emit_header(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_INFER], *t = e->graph[COP_EMIT_TRAIN];
	const size_t *bytes = e->plan->bytes;
	char buf[24], macro[40];

	put_figures(o, e);
	cop__text_add(o, "#ifndef %s_H\n#define %s_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", e->upper, e->upper);
	for (int i = 0; i < g->n_input; i++) {
		snprintf(macro, sizeof macro, "%s", cop__emit_numbered(buf, "INPUT", i));
		put_shape(o, e, macro, cop__t(g, g->input[i]));
	}
	for (int i = 0; i < g->n_output; i++) put_shape(o, e, cop__emit_numbered(buf, "OUTPUT", i), cop__t(g, g->output[i]));
	put_each(o, e, false, g->n_input);
	put_each(o, e, true, g->n_output);
	if (t) put_shape(o, e, cop__t(t, cop__emit_truth(t))->dtype == COP_I32 ? "LABEL" : "TARGET", cop__t(t, cop__emit_truth(t)));
	cop__text_add(o, "#define %s_TRAIN %d\n#define %s_FLASH_BYTES %zu\n#define %s_RAM_BYTES %zu\n", e->upper, t != NULL, e->upper, e->flash, e->upper, e->ram);
	cop__text_add(o, "#define %s_FAST_BYTES %zu /* of the RAM, what lies in a second, fast one */\n", e->upper, bytes[COP_SEG_FAST]);
	cop__text_add(o, "#define %s_PARAMETER_BYTES %zu\n#define %s_STATE_BYTES %zu\n\n", e->upper, bytes[COP_SEG_PARAM], e->upper, bytes[COP_SEG_STATE]);
	cop__text_add(o, "void %s_init(void); /* first contents of parameters and state */\n", e->name);
	put_header_io(o, e, g, "", g->n_input);
	cop__text_add(o, "void %s_run(void);\n", e->name);
	if (t) put_header_train(o, e);
	if (bytes[COP_SEG_PARAM] || bytes[COP_SEG_STATE])
		cop__text_add(o, "\n/* The blocks that change: write both out to save what was learnt, read them back after %s_init. */\n", e->name);
	put_block(o, e, COP_SEG_PARAM, "parameters");
	put_block(o, e, COP_SEG_STATE, "state");
	cop__text_add(o, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
