/* SPDX-License-Identifier: Apache-2.0
 *
 * operators FILE - fails unless FILE is the page that this prints without an argument: operator by number format by instruction set,
 * from op.def and kernel.def. The kernels of every instruction set are listed, whatever this machine has.
 */
#include "op/op.h"

#include <stdio.h>
#include <stdlib.h>

#undef COP_HAVE_NEON
#undef COP_HAVE_DOTPROD
#undef COP_HAVE_I8MM
#undef COP_HAVE_AVX2
#undef COP_HAVE_AVX512
#undef COP_HAVE_AVXVNNI
#undef COP_HAVE_AVX512VNNI
#define COP_HAVE_NEON 1
#define COP_HAVE_DOTPROD 1
#define COP_HAVE_I8MM 1
#define COP_HAVE_AVX2 1
#define COP_HAVE_AVX512 1
#define COP_HAVE_AVXVNNI 1
#define COP_HAVE_AVX512VNNI 1

typedef struct kernel { const char *op, *types, *more; uint32_t isa; } kernel;

#define TEXT(...) #__VA_ARGS__
#define ISA2(x) COP_ISA_##x
#define ISA1(x) ISA2(x)
#define P(base)
#define B(base)
#define S(base)
#define K(op, types, symbol, ...) {#op, types, TEXT(__VA_ARGS__), COP_ISA_REF},
#define V(op, types, base, ...) {#op, types, TEXT(__VA_ARGS__), ISA1(ISA)},
static const kernel kernels[] = {
#include "kernel/kernel.def"
};

static const struct { const char *name; uint32_t isa; } columns[] = {{"portable C", COP_ISA_REF}, {"Cortex-M DSP", COP_ISA_DSP}, {"NEON", COP_ISA_NEON},
	{"dotprod", COP_ISA_DOTPROD}, {"i8mm", COP_ISA_I8MM}, {"AVX2", COP_ISA_AVX2}, {"AVX-512", COP_ISA_AVX512}, {"AVX-VNNI", COP_ISA_AVXVNNI}, {"AVX-512-VNNI", COP_ISA_AVX512VNNI}};

static cop_status print(void *ud, const void *bytes, size_t size)
{
	return fwrite(bytes, 1, size, ud) == size ? COP_OK : COP_IO;
}

/* "yes"; "some" when every kernel of that instruction set is for certain shapes; "". DENSE and PACKED stand for rows with `fits`. */
static const char *has(const kernel *like, uint32_t isa)
{
	const char *found = "";

	for (const kernel *k = kernels; k < kernels + LEN(kernels); k++) {
		if (strcmp(k->op, like->op) || strcmp(k->types, like->types) || k->isa != isa) continue;
		bool some = strstr(k->more, ".fits") || strstr(k->more, "DENSE(") || strstr(k->more, "PACKED(");
		if (!some || !*found) found = some ? "some" : "yes";
	}
	return found;
}

/* One line for each row of types; an earlier row with the same types has said it. */
static void put_op(cop_text *o, const cop_op *op)
{
	const char *grad = op->grad ? "yes" : "";

	if (op->flags & COP_OP_VIEW) cop__text_add(o, "| `%s` | any | %s | a view: nothing to do | | | | | | | | |\n", op->name, grad);
	for (const kernel *k = kernels; k < kernels + LEN(kernels); k++) {
		bool first = !strcmp(k->op, op->name);
		for (const kernel *b = kernels; first && b < k; b++) first = strcmp(b->op, k->op) || strcmp(b->types, k->types);
		if (!first) continue;
		const char *types = k->types;
		cop__text_add(o, "| `%s` | ", op->name);
		for (int i = 0; *types; i++) {
			size_t n = strcspn(types, " ");
			cop__text_add(o, "%s%.*s", i == 0 ? "" : i == op->n_out ? " ← " : " ", (int)n, types);
			types += n + (types[n] == ' ');
		}
		cop__text_add(o, " | %s |", !strncmp(k->types, "f32", 3) && !strchr(k->types, ':') ? grad : "");
		for (int c = 0; c < LEN(columns); c++) cop__text_add(o, " %s |", has(k, columns[c].isa));
		cop__text_add(o, "\n");
	}
}

static void put_page(cop_text *o)
{
	cop__text_add(o, "# Operators\n\nWritten by `tools/operators.c` from `src/op/op.def` and `src/kernel/kernel.def`; a test fails when it is out of date "
		"(`build/tests/cop_operators > docs/operators.md`).\n\n"
		"A line is an operator with number formats, results ← operands. `f32:sparse`, `f32:palette`, `f32:bytes` and `f32:half` are weights in an encoding "
		"([formats.md](formats.md)), `i4` weights of 4 bits, `*` any bytes, `+` one or more.\n"
		"*Gradient*: training goes through it; encoded weights are not trained. *some*: a kernel for certain shapes; the others take a kernel to the left, at last the "
		"portable one.\nPortable C and the Cortex-M kernels are what `coppice emit` prints. An instruction set uses the kernels of those that it "
		"contains: dotprod NEON's, i8mm dotprod's, AVX-VNNI AVX2's, AVX-512-VNNI all of x86.\n\n| operator | number formats | gradient |");
	for (int c = 0; c < LEN(columns); c++) cop__text_add(o, " %s |", columns[c].name);
	cop__text_add(o, "\n|---|---|---|");
	for (int c = 0; c < LEN(columns); c++) cop__text_add(o, "---|");
	cop__text_add(o, "\n");
	for (int op = 1; op < COP_N_OP; op++) put_op(o, cop_ops[op]);
}

int main(int argc, char **argv)
{
	cop_ctx *cx;
	cop_text page;
	void *old;
	size_t size;

	uint32_t shown = 0;
	for (int c = 0; c < LEN(columns); c++) shown |= columns[c].isa;
	if (shown != COP_ISA_ALL) return fprintf(stderr, "an instruction set of kernel.h has no column in tools/operators.c\n"), 2;
	if (cop_ctx_new(&cx, NULL)) return 2;
	cop__text_init(&page, cx);
	put_page(&page);
	if (page.status) return 2;
	if (argc < 2) return print(stdout, page.data, page.len) != COP_OK;
	if (cop_file_read(&old, &size, cx, argv[1], 0)) return fprintf(stderr, "%s\n", cop_error_text(cx)), 2;
	bool same = size == page.len && !memcmp(old, page.data, size);
	if (!same) fprintf(stderr, "%s is out of date: write it anew with cop_operators > %s\n", argv[1], argv[1]);
	cop_free(cx, old);
	cop__text_free(&page);
	cop_ctx_free(cx);
	return !same;
}
