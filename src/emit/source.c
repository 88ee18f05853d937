/* SPDX-License-Identifier: Apache-2.0
 *
 * source - a plan as C99, <name>.c. A step is a row of words and a row of buffers, a constant cop_call of both, and a
 * call of the kernel; the addresses are those of the plan, so that the device computes what a session computes.
 */
#include "emit/emit.h"
#include "kernel/runs.h"

#include <stdio.h>

static const char *const segment[COP_N_SEG] = {[COP_SEG_PARAM] = "parameters", [COP_SEG_STATE] = "state",
	[COP_SEG_ARENA] = "arena", [COP_SEG_FAST] = "fast"};

/* The address of value v of an entry: "arena.f + 12", "w3.u", or 0. */
static void put_place(cop_text *o, const cop_emission *e, int entry, cop_vid v, bool cast)
{
	const cop_entry *en = &e->plan->entry[entry];
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
			if (other->n_word == mine->n_word && !memcmp(other->word, mine->word, (size_t)mine->n_word * sizeof *mine->word))
				return i;
		}
	*at = entry;
	return s;
}

const char cop__emit_tag[COP_EMIT_ENTRIES] = {'r', 't'};
#define tag cop__emit_tag

static void put_words(cop_text *o, const cop_step *st, int entry, int32_t s)
{
	cop__text_add(o, "static const int32_t k%c%d[] = {", tag[entry], s);
	for (int i = 0; i < st->n_word; i++) cop__text_add(o, "%s%d", i ? ", " : "", st->word[i]);
	cop__text_add(o, "};\n");
}

static void put_buffers(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_entry *en = &e->plan->entry[entry];
	const cop_step *st = &en->step[s];
	int weight = cop__op(en->g, st->node)->n_out + (st->code ? 1 : st->kernel->pack_in),
		packed = st->kernel->pack && !cop__emit_packs(st) ? weight : -1;

	cop__text_add(o, "static void *const b%c%d[] = {", tag[entry], s);
	for (int i = 0; i < st->n_buf; i++) {
		cop__text_add(o, "%s", i ? ", " : "");
		if (st->code && i == weight && i != packed) cop__text_add(o, "%s.b + %zu", segment[st->pack.seg], st->pack.off);
		else put_place(o, e, entry, i == packed ? 0 : buffer(en->g, st->node, i), true);
	}
	cop__text_add(o, "};\n");
}

/* Decoded in several parts from one code, in a loop. */
static bool loops(const cop_step *st) { return st->row && st->parts > 1; }

/* Where a step's kernel finds its packed weights. */
static void put_pack(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_step *st = &e->plan->entry[entry].step[s];
	int at;
	int32_t first = st->pack_once ? cop__emit_same_image(e, entry, s, &at) : 0;

	if (st->pack_once) cop__text_add(o, "p%c%d", tag[at], first);
	else if (st->kernel->pack) cop__text_add(o, "%s.b + %zu", segment[st->pack.seg], st->pack.off);
	else cop__text_add(o, "0");
}

/* The contents of a call: buffers, words, scratch, packed weights, and which part of how many. */
static void put_call(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_step *st = &e->plan->entry[entry].step[s];
	int at;
	int32_t k = same_words(e, entry, s, &at);

	cop__text_add(o, "{b%c%d, ", tag[entry], s);
	if (st->n_word) cop__text_add(o, "k%c%d, ", tag[at], k);
	else cop__text_add(o, "0, ");
	if (st->work.seg) cop__text_add(o, "%s.b + %zu, ", segment[st->work.seg], st->work.off);
	else cop__text_add(o, "0, ");
	put_pack(o, e, entry, s);
	if (loops(st)) cop__text_add(o, ", i, %d}", st->parts);
	else cop__text_add(o, ", 0, 1}");
}

/* What a pack function gets: the same with the place of the packed weights as its scratch. */
static void put_packing(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_step *st = &e->plan->entry[entry].step[s];
	int at;
	int32_t k = same_words(e, entry, s, &at);

	if (cop__emit_packs(st)) cop__text_add(o, "static const cop_call w%c%d = {b%c%d, k%c%d, %s.b + %zu, 0, 0, 1};\n", tag[entry], s, tag[entry], s, tag[at], k, segment[st->pack.seg], st->pack.off);
}

static void put_rows(cop_text *o, const cop_emission *e, int entry)
{
	const cop_entry *en = &e->plan->entry[entry];
	int at;

	for (int32_t s = 0; s < en->n_step; s++) {
		const cop_step *st = &en->step[s];
		int32_t k = same_words(e, entry, s, &at);
		if (st->n_word && k == s && at == entry) put_words(o, st, entry, s);
		put_buffers(o, e, entry, s);
		put_packing(o, e, entry, s);
		if (loops(st)) continue;
		cop__text_add(o, "static const cop_call c%c%d = ", tag[entry], s);
		put_call(o, e, entry, s);
		cop__text_add(o, ";\n");
	}
}

/* Which decoder stands before a kernel. */
static const char *decoder(const cop_emission *e)
{
	return e->plan->target.isa & COP_ISA_DSP ? "cop_uncode_dsp" : "cop_uncode";
}

/* Of an adaptive code, part i in a loop or all of it. */
static void put_runs(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_step *st = &e->plan->entry[entry].step[s];
	cop__text_add(o, "cop_unrun_%08x(z%c%d, %s.b + %zu, %zu, %s, %d); ", cop__emit_version(), tag[entry], cop__plan_coded(&e->plan->entry[entry], s), segment[st->pack.seg], st->pack.off,
		(st->image_bytes + 3) & ~(size_t)3, loops(st) ? "i" : "0", loops(st) ? st->parts : 1);
}

static void put_decoding(cop_text *o, const cop_emission *e, int entry, int32_t s)
{
	const cop_step *st = &e->plan->entry[entry].step[s];

	if (cop_coded_runs(st->code)) {
		put_runs(o, e, entry, s);
		return;
	}
	cop__text_add(o, "%s_%08x(z%c%d, %s.b + %zu, ", decoder(e), cop__emit_version(), tag[entry],
		cop__plan_coded(&e->plan->entry[entry], s), segment[st->pack.seg], st->pack.off);
	if (st->work.seg) cop__text_add(o, "%s.b + %zu); ", segment[st->work.seg], st->work.off);
	else cop__text_add(o, "0); ");
}

static void put_calls(cop_text *o, const cop_emission *e, int entry, const char *function)
{
	const cop_entry *en = &e->plan->entry[entry];
	char label[96], plain[96];
	uint32_t version = cop__emit_version();

	cop__text_add(o, "\nvoid %s_%s(void)\n{\n", e->name, function);
	for (int32_t s = 0; s < en->n_step; s++) {
		const cop_step *st = &en->step[s];
		cop_vid guard = en->g->node[st->node].guard;
		cop__text_add(o, "\t");
		if (guard) {
			cop__text_add(o, "if (*(");
			put_place(o, e, entry, guard, false);
			cop__text_add(o, ")) { ");
		}
		if (loops(st)) cop__text_add(o, "for (int32_t i = 0; i < %d; i++) { ", st->parts);
		if (st->code) put_decoding(o, e, entry, s);
		if (cop__emit_packs(st)) cop__text_add(o, "%s_%08x(&w%c%d); ", st->kernel->pack_symbol, version, tag[entry], s);
		cop__text_add(o, "%s_%08x(&", st->kernel->symbol, version);
		if (loops(st)) cop__text_add(o, "(cop_call)"), put_call(o, e, entry, s);
		else cop__text_add(o, "c%c%d", tag[entry], s);
		cop__text_add(o, "); /* %s */%s%s\n", cop__emit_plain(plain, cop__label(en->g, st->node, label)), loops(st) ? " }" : "", guard ? " }" : "");
	}
	cop__text_add(o, "}\n");
}

static void put_access(cop_text *o, const cop_emission *e, int entry, cop_vid v, const char *qualifier,
	const char *function)
{
	const cop_graph *g = e->plan->entry[entry].g;
	const char *type = cop__emit_ctype(cop__t(g, v));

	cop__text_add(o, "%s%s *%s_%s(void) { return %s", qualifier, type, e->name, function,
		cop__t(g, v)->dtype == COP_I8 || cop__t(g, v)->dtype == COP_I16 ? "(void *)(" : "(");
	put_place(o, e, entry, v, false);
	cop__text_add(o, "); }\n");
}

static void put_io(cop_text *o, const cop_emission *e, int entry, const char *prefix, int n_input)
{
	const cop_graph *g = e->plan->entry[entry].g;
	char buf[24], name[40];

	for (int i = 0; i < n_input; i++) {
		snprintf(name, sizeof name, "%s%s", prefix, cop__emit_numbered(buf, "input", i));
		put_access(o, e, entry, g->input[i], "", name);
	}
	for (int i = 0; i < g->n_output; i++) {
		if (*prefix && i) break;
		snprintf(name, sizeof name, "%s%s", prefix, cop__emit_numbered(buf, "output", i));
		put_access(o, e, entry, g->output[i], "const ", name);
	}
}

static void put_train(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_TRAIN];
	cop_vid label = cop__emit_truth(g);

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
		bool called = false, before = false, packed = false, packed_before = false;
		for (int en = 0; en < e->plan->n_entry; en++)
			for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
				const cop_step *st = &e->plan->entry[en].step[s];
				called |= st->kernel->fn == cop_kernels[i].fn;
				packed |= cop__emit_packs(st) && st->kernel->pack == cop_kernels[i].pack;
			}
		for (int j = 0; j < i; j++) {
			before |= cop_kernels[j].fn == cop_kernels[i].fn;
			packed_before |= cop_kernels[j].pack == cop_kernels[i].pack;
		}
		if (packed && !packed_before) cop__text_add(o, "void %s_%08x(const cop_call *c);\n", cop_kernels[i].pack_symbol, cop__emit_version());
		if (called && !before)
			cop__text_add(o, "void %s_%08x(const cop_call *c);\n", cop_kernels[i].symbol, cop__emit_version());
	}
	if (cop__emit_codes(e, false))
		cop__text_add(o, "void %s_%08x(const void *code, void *to, void *work);\n", decoder(e), cop__emit_version());
	if (cop__emit_codes(e, true))
		cop__text_add(o, "void cop_unrun_%08x(const void *code, void *to, size_t room, int32_t part, int32_t parts);\n", cop__emit_version());
}

static cop_status check_steps(const cop_emission *e)
{
	for (int en = 0; en < e->plan->n_entry; en++)
		for (int32_t s = 0; s < e->plan->entry[en].n_step; s++) {
			const cop_step *st = &e->plan->entry[en].step[s];
			if ((st->kernel->isa & ~(uint32_t)COP_ISA_DSP) || (cop__emit_packs(st) && !st->kernel->pack_source))
				return cop__fail(e->plan->entry[en].g, COP_NOKERNEL, st->node, "kernel %s is not for devices, it cannot be emitted",
					st->kernel->symbol);
		}
	return COP_OK;
}

/* A name as a C string: what is not plain goes as three octal digits, which no digit behind can join. */
static void put_string(cop_text *o, const char *s)
{
	cop__text_add(o, "\"");
	for (; *s; s++) cop__text_add(o, *s >= ' ' && *s <= '~' && !strchr("\"\\?", *s) ? "%c" : "\\%03o", (unsigned char)*s);
	cop__text_add(o, "\"");
}

static void put_names(cop_text *o, const cop_emission *e, const char *word,
	const char *(*of)(const cop_graph *g, int32_t i))
{
	const char *name;

	if (!of(e->model, 0)) return;
	cop__text_add(o, "const char *const %s_%s_names[] = {", e->name, word);
	for (int32_t i = 0; (name = of(e->model, i)); i++) {
		cop__text_add(o, i ? ", " : "");
		put_string(o, name);
	}
	cop__text_add(o, "};\n\n");
}

cop_status cop__emit_source(cop_text *o, const cop_emission *e)
{
	COP_TRY(check_steps(e));
	cop__text_add(o, "/* %s.c - written by Coppice %s; see %s.h. Of a step, k are the kernel's words, b its "
		"buffers, p its rearranged weights. */\n",
		e->name, COP_VERSION, e->name);
	cop__text_add(o, "#include \"%s.h\"\n#include \"cop_kernel.h\"\n\n", e->name);
	cop__text_add(o,
		"#if defined(__GNUC__)\n#define ALIGNED(n) __attribute__((aligned(n)))\n#else\n#define ALIGNED(n)\n#endif\n");
	if (e->plan->bytes[COP_SEG_FAST])
		cop__text_add(o, "#if defined(__GNUC__) && defined(__ELF__) /* the linker puts it into the fast RAM */\n"
			"#define FAST __attribute__((section(\".bss.fast\")))\n#else\n#define FAST\n#endif\n");
	cop__text_add(o, "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
		"#error \"weights of bytes are printed as little-endian words\"\n#endif\n\n");
	put_prototypes(o, e);
	cop__text_add(o, "\n");
	COP_TRY(cop__emit_weights(o, e));
	cop__text_add(o, "\n");
	put_names(o, e, "class", cop_graph_class);
	put_names(o, e, "target", cop_graph_target);
	for (int en = 0; en < e->plan->n_entry; en++) put_rows(o, e, en);
	cop__text_add(o, "\nvoid %s_init(void)\n{\n", e->name);
	cop__emit_init(o, e);
	cop__text_add(o, "}\n\n");
	put_io(o, e, COP_EMIT_INFER, "", e->graph[COP_EMIT_INFER]->n_input);
	if (e->graph[COP_EMIT_TRAIN]) put_train(o, e);
	if (e->plan->bytes[COP_SEG_PARAM]) cop__text_add(o, "void *%s_parameters(void) { return parameters.b; }\n", e->name);
	if (e->plan->bytes[COP_SEG_STATE]) cop__text_add(o, "void *%s_state(void) { return state.b; }\n", e->name);
	if (cop__emit_keeps(e)) COP_TRY(cop__emit_keep(o, e));
	put_calls(o, e, COP_EMIT_INFER, "run");
	if (e->graph[COP_EMIT_TRAIN]) put_calls(o, e, COP_EMIT_TRAIN, "train_step");
	return o->status;
}
