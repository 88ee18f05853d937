/* SPDX-License-Identifier: Apache-2.0
 *
 * c - a plan as C99: <name>.h and <name>.c. A step is a row of words, a row of buffers and a call of the kernel;
 * the addresses are those of the plan, so that the device computes what a session computes.
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

static const char *c_type(const cop_type *t)
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

/* "input", "input2", ... for the i-th. */
static const char *numbered(char buf[24], const char *word, int i)
{
	snprintf(buf, 24, i ? "%s%d" : "%s", word, i + 1);
	return buf;
}

/* The extra input of the loss: "label" (int32_t) or "target" (float). */
static cop_vid truth(const cop_graph *g)
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
	cop__text_add(o, " *        %10zu arena: all that is temporary, one block for %s\n", p->bytes[COP_SEG_ARENA],
		p->n_entry > 1 ? "inference and training" : "inputs, outputs and what lies between");
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
		cop__text_add(o, "%s *%s_%s%s(void);\n", c_type(cop__t(g, g->input[i])), e->name, prefix, numbered(buf, "input", i));
	for (int i = 0; i < g->n_output; i++)
		if (!*prefix || !i) cop__text_add(o, "const %s *%s_%s%s(void);\n", c_type(cop__t(g, g->output[i])), e->name, prefix, numbered(buf, "output", i));
}

static void put_header_train(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_TRAIN];
	cop_vid label = truth(g);
	const char *word = g->value[label].type.dtype == COP_I32 ? "label" : "target";

	cop__text_add(o, "\n/* Training: fill the input and the %s, set the learning rate, take a step. */\n", word);
	put_header_io(o, e, g, "train_", g->n_input - 1);
	cop__text_add(o, "%s *%s_%s(void);\n", c_type(cop__t(g, label)), e->name, word);
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
		snprintf(macro, sizeof macro, "%s", numbered(buf, "INPUT", i));
		put_shape(o, e, macro, cop__t(g, g->input[i]));
	}
	for (int i = 0; i < g->n_output; i++) put_shape(o, e, numbered(buf, "OUTPUT", i), cop__t(g, g->output[i]));
	if (t) put_shape(o, e, cop__t(t, truth(t))->dtype == COP_I32 ? "LABEL" : "TARGET", cop__t(t, truth(t)));
	cop__text_add(o, "#define %s_TRAIN %d\n#define %s_FLASH_BYTES %zu\n#define %s_RAM_BYTES %zu\n", e->upper, t != NULL, e->upper, e->flash, e->upper, e->ram);
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

/* ---- the source ---- */

/* The address of value v of an entry: "arena.f + 12", "w3.u", or 0. */
static void put_place(cop_text *o, const cop_emission *e, int entry, cop_vid v, bool cast)
{
	const cop_entry *en = &e->plan->entry[entry];
	static const char *const segment[COP_N_SEG] = {[COP_SEG_PARAM] = "parameters", [COP_SEG_STATE] = "state", [COP_SEG_ARENA] = "arena"};
	cop_place p = v ? en->place[v] : (cop_place){0};

	if (p.seg == COP_SEG_NONE) {
		cop__text_add(o, "0");
		return;
	}
	const cop_type *t = cop__t(en->g, v);
	if (p.seg == COP_SEG_FIXED) {
		const cop_var *var = cop__plan_var(e->plan, en->g->value[cop__base(en->g, v)].name);
		cop__text_add(o, "%sw%d.%s", cast ? "(void *)" : "", (int)(var - e->plan->var), cop__emit_member(&var->type));
		return;
	}
	const char *member = cop__emit_member(t);
	cop__text_add(o, "%s.%s + %zu", segment[p.seg], member, *member == 'b' ? p.off : p.off / 4);
}

static cop_vid buffer(const cop_graph *g, cop_nid n, int i)
{
	int n_out = cop__op(g, n)->n_out;
	return i < n_out ? g->node[n].out[i] : g->node[n].in[i - n_out];
}

/* The step whose row of words can be used: an equal earlier one, or this. Entries are numbered through. */
static int32_t same_words(const cop_emission *e, int entry, int32_t s, int *at)
{
	const cop_step *mine = &e->plan->entry[entry].step[s];

	for (*at = 0; *at <= entry; ++*at)
		for (int32_t i = 0; i < (*at < entry ? e->plan->entry[*at].n_step : s); i++) {
			const cop_step *other = &e->plan->entry[*at].step[i];
			if (other->n_word == mine->n_word && !memcmp(other->word, mine->word, (size_t)mine->n_word * sizeof *mine->word)) return i;
		}
	*at = entry;
	return s;
}

static const char tag[] = {'r', 't'}; /* rows of the run and of the training step */

static void put_rows(cop_text *o, const cop_emission *e, int entry)
{
	const cop_entry *en = &e->plan->entry[entry];
	int at;

	for (int32_t s = 0; s < en->n_step; s++) {
		const cop_step *st = &en->step[s];
		if (st->n_word && same_words(e, entry, s, &at) == s && at == entry) {
			cop__text_add(o, "static const int32_t k%c%d[] = {", tag[entry], s);
			for (int i = 0; i < st->n_word; i++) cop__text_add(o, "%s%d", i ? ", " : "", st->word[i]);
			cop__text_add(o, "};\n");
		}
		cop__text_add(o, "static void *const b%c%d[] = {", tag[entry], s);
		for (int i = 0; i < st->n_buf; i++) {
			cop__text_add(o, "%s", i ? ", " : "");
			put_place(o, e, entry, buffer(en->g, st->node, i), true);
		}
		cop__text_add(o, "};\n");
	}
}

static void put_calls(cop_text *o, const cop_emission *e, int entry, const char *function)
{
	const cop_entry *en = &e->plan->entry[entry];
	char label[96], plain[96];
	int at;

	cop__text_add(o, "\nvoid %s_%s(void)\n{\n", e->name, function);
	for (int32_t s = 0; s < en->n_step; s++) {
		const cop_step *st = &en->step[s];
		cop_vid guard = en->g->node[st->node].guard;
		cop__text_add(o, "\t");
		if (guard) {
			cop__text_add(o, "if (*(");
			put_place(o, e, entry, guard, false);
			cop__text_add(o, ")) ");
		}
		int32_t k = same_words(e, entry, s, &at);
		cop__text_add(o, "call(%s, b%c%d, ", st->kernel->symbol, tag[entry], s);
		if (st->n_word) cop__text_add(o, "k%c%d, ", tag[at], k);
		else cop__text_add(o, "0, ");
		if (st->work.seg) cop__text_add(o, "arena.b + %zu); ", st->work.off);
		else cop__text_add(o, "0); ");
		cop__text_add(o, "/* %s */\n", cop__emit_plain(plain, cop__label(en->g, st->node, label)));
	}
	cop__text_add(o, "}\n");
}

static void put_access(cop_text *o, const cop_emission *e, int entry, cop_vid v, const char *qualifier, const char *function)
{
	const cop_graph *g = e->plan->entry[entry].g;
	const char *type = c_type(cop__t(g, v));

	cop__text_add(o, "%s%s *%s_%s(void) { return %s", qualifier, type, e->name, function, cop__t(g, v)->dtype == COP_I8 ? "(void *)(" : "(");
	put_place(o, e, entry, v, false);
	cop__text_add(o, "); }\n");
}

static void put_io(cop_text *o, const cop_emission *e, int entry, const char *prefix, int n_input)
{
	const cop_graph *g = e->plan->entry[entry].g;
	char buf[24], name[40];

	for (int i = 0; i < n_input; i++) {
		snprintf(name, sizeof name, "%s%s", prefix, numbered(buf, "input", i));
		put_access(o, e, entry, g->input[i], "", name);
	}
	for (int i = 0; i < g->n_output; i++) {
		if (*prefix && i) break;
		snprintf(name, sizeof name, "%s%s", prefix, numbered(buf, "output", i));
		put_access(o, e, entry, g->output[i], "const ", name);
	}
}

static void put_train(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_TRAIN];
	cop_vid label = truth(g);

	put_io(o, e, COP_EMIT_TRAIN, "train_", g->n_input - 1);
	put_access(o, e, COP_EMIT_TRAIN, label, "", cop__t(g, label)->dtype == COP_I32 ? "label" : "target");
	put_access(o, e, COP_EMIT_TRAIN, cop__find(g, "lr"), "", "lr");
	cop__text_add(o, "float %s_loss(void) { return *(", e->name);
	put_place(o, e, COP_EMIT_TRAIN, cop__find(g, "loss"), false);
	cop__text_add(o, "); }\n");
}

/* Each kernel's prototype once. */
static void put_prototypes(cop_text *o, const cop_emission *e)
{
	for (int i = 0; i < cop_n_kernels; i++) {
		bool called = false, before = false;
		for (int en = 0; en < e->plan->n_entry; en++)
			for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) called |= e->plan->entry[en].step[s].kernel->fn == cop_kernels[i].fn;
		for (int j = 0; j < i; j++) before |= cop_kernels[j].fn == cop_kernels[i].fn;
		if (called && !before) cop__text_add(o, "void %s(const cop_call *c);\n", cop_kernels[i].symbol);
	}
}

static cop_status check_steps(const cop_emission *e)
{
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			if (st->kernel->pack || st->kernel->isa)
				return cop__fail(e->plan->entry[en].g, COP_NOKERNEL, st->node, "kernel %s is not portable, it cannot be emitted", st->kernel->symbol);
		}
	return COP_OK;
}

cop_status cop__emit_source(cop_text *o, const cop_emission *e)
{
	COP_TRY(check_steps(e));
	cop__text_add(o, "/* %s.c - written by Coppice %s; see %s.h. Rows k are a kernel's words, rows b its buffers. */\n", e->name, COP_VERSION, e->name);
	cop__text_add(o, "#include \"%s.h\"\n#include \"cop_kernel.h\"\n\n", e->name);
	cop__text_add(o, "#if defined(__GNUC__)\n#define ALIGNED(n) __attribute__((aligned(n)))\n#else\n#define ALIGNED(n)\n#endif\n\n");
	put_prototypes(o, e);
	cop__text_add(o, "\nstatic void call(void (*kernel)(const cop_call *), void *const *b, const int32_t *k, void *work)\n{\n"
		"\tcop_call c;\n\n\tc.buf = b;\n\tc.k = k;\n\tc.work = work;\n\tc.pack = 0;\n\tc.part = 0;\n\tc.parts = 1;\n\tkernel(&c);\n}\n\n");
	cop__emit_weights(o, e);
	cop__text_add(o, "\n");
	for (int en = 0; en < e->plan->n_entry; en++) put_rows(o, e, en);
	cop__text_add(o, "\nvoid %s_init(void)\n{\n", e->name);
	cop__emit_init(o, e);
	cop__text_add(o, "}\n\n");
	put_io(o, e, COP_EMIT_INFER, "", e->graph[COP_EMIT_INFER]->n_input);
	if (e->graph[COP_EMIT_TRAIN]) put_train(o, e);
	if (e->plan->bytes[COP_SEG_PARAM]) cop__text_add(o, "void *%s_parameters(void) { return parameters.b; }\n", e->name);
	if (e->plan->bytes[COP_SEG_STATE]) cop__text_add(o, "void *%s_state(void) { return state.b; }\n", e->name);
	put_calls(o, e, COP_EMIT_INFER, "run");
	if (e->graph[COP_EMIT_TRAIN]) put_calls(o, e, COP_EMIT_TRAIN, "train_step");
	return o->status;
}
