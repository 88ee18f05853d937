/* SPDX-License-Identifier: Apache-2.0
 *
 * select - which kernel runs a node: of the rows that match op, number formats, ISA and `fits`, the last one.
 */
#include "plan/plan.h"

#define STR(x) #x
#define XSTR(x) STR(x)

size_t cop_conv_ahead_i8(const int32_t *k); /* plan/ahead.c */
size_t cop_never_ahead(const int32_t *k);
size_t cop_conv_ahead_i16(const int32_t *k);
size_t cop_conv_ahead_f32(const int32_t *k);
bool cop_conv_one_group(const int32_t *k);
size_t cop_window_work(const int32_t *k);
bool cop_qwindow_fits(const int32_t *k);
size_t cop_qwindow_work(const int32_t *k);
size_t cop_pool_ahead_i8(const int32_t *k);
size_t cop_pool_ahead_i16(const int32_t *k);
size_t cop_pool_ahead_f32(const int32_t *k);
size_t cop_bconv_work(const int32_t *k);    /* kernel/ref/bconv.c */
size_t cop_qconv_step_work(const int32_t *k); /* kernel/ref/qconv_grad.c */
size_t cop_qrnn_work(const int32_t *k);     /* kernel/ref/qrnn.c */
int64_t cop_fc_sparse_steps(const int32_t *k, const void *w);
size_t cop_fc_sparse_pack_bytes(const int32_t *k);
void cop_fc_sparse_pack(const cop_call *c);
int64_t cop_conv_sparse_steps(const int32_t *k, const void *w);
size_t cop_conv_sparse_pack_bytes(const int32_t *k);
void cop_conv_sparse_pack(const cop_call *c);
int64_t cop_qsparse_steps(const int32_t *k, const void *w); /* kernel/ref/pack_sparse.c */
size_t cop_qsparse_pack_bytes(const int32_t *k);
void cop_qsparse_pack(const cop_call *c);
bool cop_qshift_fits(const int32_t *k);     /* kernel/ref/pack_shift.c */
size_t cop_qshift_pack_bytes(const int32_t *k);
void cop_qshift_pack(const cop_call *c);
bool cop_qlists_fits(const int32_t *k);
size_t cop_qlists_pack_bytes(const int32_t *k);
void cop_qlists_pack(const cop_call *c);
size_t cop_qlists_work(const int32_t *k);  /* plan/ahead.c */
size_t cop_qlists_ahead(const int32_t *k);
size_t cop_qconv_dx_ahead(const int32_t *k);
size_t cop_qerr_work(const int32_t *k);
size_t cop_qerr_dx_work(const int32_t *k);
size_t cop_qerr_weight_work(const int32_t *k);
size_t cop_rnn_work(const int32_t *k);      /* kernel/ref/rnn.c */

/* Prototypes of everything kernel.def names. Rows of one file list some functions twice; C allows that. */
#define K(opname, ty, sym, ...) void sym(const cop_call *c);
#define V(opname, ty, base, ...) void N(base)(const cop_call *c);
#define P(base) void N(base)(const cop_call *c);
#define B(base) bool N(base)(const int32_t *k);
#define S(base) size_t N(base)(const int32_t *k);
#define T(base) int64_t N(base)(const int32_t *k, const void *w);
#include "kernel/kernel.def"
#undef K
#undef V
#undef P
#undef B
#undef S
#undef T

#define P(base)
#define B(base)
#define S(base)
#define T(base)
#define K(opname, ty, sym, ...) {.op = #opname, .types = ty, .fn = sym, .symbol = #sym, .source = __VA_ARGS__},
#define ISA2(x) COP_ISA_##x
#define ISA1(x) ISA2(x)
#define V(opname, ty, base, ...) {.op = #opname, .isa = ISA1(ISA), .types = ty, .fn = N(base), .symbol = XSTR(N(base)), .source = __VA_ARGS__},
const cop_kernel cop_kernels[] = {
#include "kernel/kernel.def"
};
const int cop_n_kernels = LEN(cop_kernels);

/* "f32", "f32:sparse", "*": does the token at p describe this value? An absent value fits anything. */
static bool token_fits(const char *p, int len, const cop_type *t)
{
	const char *colon = memchr(p, ':', (size_t)len);
	int name = colon ? (int)(colon - p) : len;
	const char *dtype = cop__dtype_text(t->dtype), *enc = colon ? colon + 1 : "dense";
	int enc_len = colon ? len - name - 1 : 5;

	if (len == 1 && *p == '*') return true;
	return (size_t)name == strlen(dtype) && !memcmp(p, dtype, (size_t)name)
		&& (size_t)enc_len == strlen(cop__enc_text(t->enc)) && !memcmp(enc, cop__enc_text(t->enc), (size_t)enc_len);
}

bool cop__types_fit(const char *types, const cop_graph *g, cop_nid n)
{
	const cop_op *op = cop__op(g, n);
	const char *p = types, *tok = p;
	int len = 0;

	for (int i = 0; i < op->n_out + g->node[n].n_in; i++) {
		if (*p) { /* the last token stands for the rest when it ends in + */
			tok = p;
			len = (int)strcspn(p, " ");
			p += len;
			while (*p == ' ') p++;
			if (tok[len - 1] == '+') len--, p = tok + len + 1;
		} else if (!len || tok[len] != '+') {
			return false;
		}
		cop_vid v = i < op->n_out ? g->node[n].out[i] : g->node[n].in[i - op->n_out];
		if (v && !token_fits(tok, len, cop__t(g, v))) return false;
	}
	return true;
}

const cop_kernel *cop__select_for(const cop_graph *g, cop_nid n, cop_choosing *c)
{
	const char *name = cop__op(g, n)->name;
	const cop_kernel *sparse = NULL;

	for (int i = cop_n_kernels - 1; i >= 0; i--) {
		const cop_kernel *k = &cop_kernels[i];
		if ((k->isa & c->isa) != k->isa || strcmp(k->op, name) || !cop__types_fit(k->types, g, n) || (k->fits && !k->fits(c->word))) continue;
		if (!k->steps) return sparse ? sparse : k;
		if (c->weight && (!c->gaps || k->gap_unit) && cop__sparse_pays(g, n, k, c)) sparse = k; /* the best of them; their own order says nothing */
	}
	return sparse;
}

const cop_kernel *cop__select(const cop_graph *g, cop_nid n, const int32_t *word, uint32_t isa)
{
	return cop__select_for(g, n, &(cop_choosing){(int32_t *)(uintptr_t)word, isa, NULL, 0, false}); /* no weight: no word is written */
}
