/* SPDX-License-Identifier: Apache-2.0
 *
 * header - <name>.h: what a network needs, its sizes, its classes, how it is called. Inputs and outputs are
 * interface.c's.
 */
#include "emit/emit.h"

#include <stdio.h>

static void put_shape(cop_text *o, const cop_emission *e, const char *what, const cop_type *t)
{
	cop__text_add(o, "#define %s_%s_SIZE %lld\n#define %s_%s_SHAPE {", e->upper, what, (long long)cop_type_count(t),
		e->upper, what);
	for (int d = 0; d < t->rank; d++) cop__text_add(o, "%s%d", d ? ", " : "", t->dim[d]);
	cop__text_add(o, "}\n");
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
	cop__text_add(o, " * flash  %10zu bytes of weights and first contents, without code\n", e->flash);
	cop__text_add(o, " * RAM    %10zu bytes in static arrays, without the stack\n", e->ram);
	cop__text_add(o, " *        %10zu arena: all that is temporary, one block for %s\n",
		p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST],
		p->n_entry > 1 ? "inference and training" : "inputs, outputs and values in between");
	if (p->bytes[COP_SEG_FAST])
		cop__text_add(o, " *        %10zu of it in the fast RAM, which is touched most\n", p->bytes[COP_SEG_FAST]);
	if (p->bytes[COP_SEG_PARAM]) cop__text_add(o, " *        %10zu parameters that change\n", p->bytes[COP_SEG_PARAM]);
	if (p->bytes[COP_SEG_STATE]) cop__text_add(o, " *        %10zu state that changes\n", p->bytes[COP_SEG_STATE]);
	cop__text_add(o, " * One inference: %lld multiply-accumulates", (long long)macs(p, COP_EMIT_INFER));
	if (p->n_entry > 1) cop__text_add(o, "; one training step: %lld", (long long)macs(p, COP_EMIT_TRAIN));
	cop__text_add(o, ".\n *\n"
		" * Call %s_init() once. Before each call of %s_run()%s%s fill the inputs: a run overwrites them, and\n"
		" * the next run overwrites the outputs. No allocation, no library, only one thread at a time.\n"
		" * With -ffp-contract=off every IEEE machine computes the same bits.\n */\n", e->name, e->name,
		p->n_entry > 1 ? " and of " : "", p->n_entry > 1 ? "the training step" : "");
}

static void put_header_io(cop_text *o, const cop_emission *e, const cop_graph *g, const char *prefix, int n_input)
{
	char buf[24];

	for (int i = 0; i < n_input; i++)
		cop__text_add(o, "%s *%s_%s%s(void);\n", cop__emit_ctype(cop__t(g, g->input[i])), e->name, prefix,
			cop__emit_numbered(buf, "input", i));
	for (int i = 0; i < g->n_output; i++)
		if (!*prefix || !i)
			cop__text_add(o, "const %s *%s_%s%s(void);\n", cop__emit_ctype(cop__t(g, g->output[i])), e->name, prefix,
				cop__emit_numbered(buf, "output", i));
}

/* X(function, elements) for every input or output, for programs that read or write them all. */
static void put_each(cop_text *o, const cop_emission *e, bool output, int n)
{
	const char *word = output ? "output" : "input", *upper = output ? "OUTPUT" : "INPUT";
	char low[24], high[24];

	cop__text_add(o, "#define %s_EACH_%s(X)", e->upper, upper);
	for (int i = 0; i < n; i++)
		cop__text_add(o, " X(%s_%s, %s_%s_SIZE)", e->name, cop__emit_numbered(low, word, i), e->upper,
			cop__emit_numbered(high, upper, i));
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
	cop__text_add(o, "float *%s_lr(void);\nfloat %s_loss(void); /* of the last step */\nvoid %s_train_step(void);\n",
		e->name, e->name, e->name);
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

static void put_sizes(cop_text *o, const cop_emission *e)
{
	const size_t *bytes = e->plan->bytes;
	const struct { const char *name; size_t n; const char *what; } size[] = {
		{"TRAIN", e->graph[COP_EMIT_TRAIN] != NULL, "1: with a training step"},
		{"FLASH_BYTES", e->flash, "weights and first contents"},
		{"RAM_BYTES", e->ram, "static arrays: the arena, parameters and state"},
		{"ARENA_BYTES", bytes[COP_SEG_ARENA] + bytes[COP_SEG_FAST], "inputs, outputs and values in between"},
		{"FAST_BYTES", bytes[COP_SEG_FAST], "the part of the arena in a second, fast RAM"},
		{"PARAMETER_BYTES", bytes[COP_SEG_PARAM], "what training changes"},
		{"STATE_BYTES", bytes[COP_SEG_STATE], "what else lives from run to run"}};

	cop__text_add(o, "\n");
	for (int i = 0; i < LEN(size); i++)
		cop__text_add(o, "#define %s_%s %zu /* %s */\n", e->upper, size[i].name, size[i].n, size[i].what);
}

typedef const char *name_of(const cop_graph *g, int32_t i);

/* How many names there are, and where they lie: <name>.c has their text. */
static void put_names(cop_text *o, const cop_emission *e, const char *macro, const char *word, name_of *of)
{
	int32_t n = 0;

	while (of(e->model, n)) n++;
	if (n)
		cop__text_add(o,
			"\n/* The names of the first output's numbers. */\n#define %s_%s %d\nextern const char *const %s_%s_names[%s_%s];\n",
			e->upper, macro, n, e->name, word, e->upper, macro);
}

static void put_list(cop_text *o, const cop_emission *e, const char *macro, const float *v, int32_t n)
{
	cop__text_add(o, "#define %s_SAMPLE_%s {", e->upper, macro);
	for (int32_t c = 0; c < n; c++) {
		if (c) cop__text_add(o, ", ");
		cop__emit_float(o, v[c]);
	}
	cop__text_add(o, "}\n");
}

/* What the network wants done to a sample first, where it says so. */
static void put_samples(cop_text *o, const cop_emission *e)
{
	cop_samples s;

	cop_graph_samples(e->model, &s);
	if ((s.times == 0 || s.times == 1) && !s.channels) return;
	cop__text_add(o, "\n/* A number of a sample, as the data set has it, goes in as (TIMES * number - MEAN) / STD%s. */\n",
		s.channels > 1 ? ", by channel" : "");
	cop__text_add(o, "#define %s_SAMPLE_TIMES ", e->upper);
	cop__emit_float(o, s.times == 0 ? 1 : s.times);
	cop__text_add(o, "\n");
	if (!s.channels) return;
	put_list(o, e, "MEAN", s.mean, s.channels);
	put_list(o, e, "STD", s.std, s.channels);
}

void cop__emit_header(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_INFER], *t = e->graph[COP_EMIT_TRAIN];
	const size_t *bytes = e->plan->bytes;

	put_figures(o, e);
	cop__text_add(o, "#ifndef %s_H\n#define %s_H\n\n#include <stddef.h>\n#include <stdint.h>\n%s\n"
		"#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", e->upper, e->upper, cop__emit_keeps(e) ? "#include \"cop_keep.h\"\n" : "");
	cop__text_add(o, "#define %s_INPUTS %d\n#define %s_OUTPUTS %d\n", e->upper, g->n_input, e->upper, g->n_output);
	for (int i = 0; i < g->n_input; i++) cop__emit_facts(o, e, g, false, i);
	for (int i = 0; i < g->n_output; i++) cop__emit_facts(o, e, g, true, i);
	put_samples(o, e);
	cop__text_add(o, "\n/* For programs that go through all of them: X(function, elements). */\n");
	put_each(o, e, false, g->n_input);
	put_each(o, e, true, g->n_output);
	if (t)
		put_shape(o, e, cop__t(t, cop__emit_truth(t))->dtype == COP_I32 ? "LABEL" : "TARGET", cop__t(t, cop__emit_truth(t)));
	put_sizes(o, e);
	put_names(o, e, "CLASSES", "class", cop_graph_class);
	put_names(o, e, "TARGETS", "target", cop_graph_target);
	cop__text_add(o, "\nvoid %s_init(void); /* first contents of parameters and state: once, before all else */\n",
		e->name);
	put_header_io(o, e, g, "", g->n_input);
	cop__text_add(o, "void %s_run(void);\n", e->name);
	cop__emit_conversions(o, e, g);
	if (t) put_header_train(o, e);
	if (bytes[COP_SEG_PARAM] || bytes[COP_SEG_STATE])
		cop__text_add(o,
			"\n/* The blocks that change: write both out to save what was learnt, read them back after %s_init. */\n", e->name);
	put_block(o, e, COP_SEG_PARAM, "parameters");
	put_block(o, e, COP_SEG_STATE, "state");
	if (cop__emit_keeps(e)) cop__emit_keep_header(o, e);
	cop__text_add(o, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
