/* SPDX-License-Identifier: Apache-2.0
 *
 * sparse - in which form a plan uses weights of which many are zero: does a kernel for them pay, and do encoded ones stay as they are?
 * breakeven.def has what the steps of those kernels cost, measured beside the dense ones.
 */
#include "enc/enc.h"
#include "pass/pass.h"
#include "plan/plan.h"

enum { COP_NEAR_BYTES = 1 << 20 };

static const struct { const char *symbol; int32_t near_by, far_off, many, window; } breaks[] = {
#define BREAK(kernel, near_, far_, many, window) {"cop_" #kernel, near_, far_, many, window},
#include "plan/breakeven.def"
#undef BREAK
};

/* Tenths of a dense weight that a step of row k, or one of what it spends, may cost; 0: never. */
static int32_t price(const cop_graph *g, cop_nid n, const cop_kernel *k, const int32_t *word)
{
	const cop_type *y = cop__outt(g, n, 0), *w = cop__in(g, n, 1);
	bool conv = g->node[n].op != OP_fc, one = cop_type_count(y) == y->dim[y->rank - 1];

	for (int i = 0; i < LEN(breaks); i++) {
		if (strcmp(breaks[i].symbol, k->symbol)) continue;
		if (one) return cop_type_bytes(w) <= COP_NEAR_BYTES ? breaks[i].near_by : breaks[i].far_off;
		return conv && word[CK_KH] == 3 && word[CK_KW] == 3 && word[CK_SH] == 1 && word[CK_SW] == 1 ? breaks[i].window : breaks[i].many;
	}
	return 0;
}

/* A row for a narrower ISA was measured beside the dense row of that ISA. */
static bool widest(const cop_kernel *k, uint32_t isa)
{
	if (k->isa == COP_ISA_AVX2) return !(isa & (strcmp(k->op, "qconv") ? COP_ISA_AVX512 : COP_ISA_AVX512 | COP_ISA_AVXVNNI));
	return k->isa != COP_ISA_NEON || !(isa & (COP_ISA_DOTPROD | COP_ISA_I8MM));
}

/* Better than those that were asked before, too. */
bool cop__sparse_pays(const cop_graph *g, cop_nid n, const cop_kernel *k, cop_choosing *c)
{
	int32_t each = widest(k, c->isa) ? price(g, n, k, c->word) : 0;

	if (!each) return false;
	int64_t steps = k->steps(c->word, c->weight); /* 0: no weight at all, or one that nobody computed (cop_graph_outline) */
	double time = (double)(k->spent ? k->spent(c->word, c->weight) : steps) * each / 10 / (double)cop_type_count(cop__in(g, n, 1));
	if (steps <= 0 || (c->sparse_time > 0 && time >= c->sparse_time)) return false;
	c->word[COP_STEPS] = (int32_t)steps;
	c->sparse_time = time;
	return time < 1;
}

/* ---- encoded weights ---- */

/* Kernels of encoded weights are portable, and read them where they lie. Vectors make more of plain numbers; and so do portable kernels of a
 * sparse weight that keeps more than this part, in per mille. */
enum { SPARSE_MOST = 450 };

/* Does every node that has v for an operand read it as it is encoded? */
static bool is_read(const cop_graph *g, cop_vid v)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (g->node[n].in[i] == v && !cop__enc_reads(cop__t(g, v)->enc, g, n, i)) return false;
	return true;
}

static bool better_plain(const cop_graph *g, cop_vid v, const void *ud)
{
	const cop_value *x = &g->value[v];
	const uint32_t *isa = ud;

	if (*isa & ~(uint32_t)COP_ISA_DSP) return true;
	return (x->type.enc == COP_SPARSE && 1000 * cop__enc_kept(&x->type, x->data) > SPARSE_MOST * cop_type_count(&x->type)) || !is_read(g, v);
}

cop_status cop__plan_forms(cop_graph **out, const cop_graph *g, uint32_t isa)
{
	*out = NULL;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].type.enc != COP_DENSE && g->value[v].data && better_plain(g, (cop_vid)v, &isa)) return cop__pass_decode_if(out, g, better_plain, &isa);
	return COP_OK;
}
