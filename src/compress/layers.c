/* SPDX-License-Identifier: Apache-2.0
 *
 * layers - see layers.h.
 */
#include "compress/layers.h"
#include "pass/lower.h"
#include "enc/enc.h"

#include <stdio.h>

/* ---- weights ---- */

bool cop__weight_is(const cop_graph *g, cop_vid v)
{
	const cop_value *x = &g->value[v];
	return x->role == COP_PARAM && x->name && x->type.rank >= 2;
}

static bool no(cop_why *why, const cop_graph *g, cop_vid v, const char *what, const char *which)
{
	if (why) snprintf(why->text, sizeof why->text, "'%.80s' %s%s", g->value[v].name, what, which);
	return false;
}

bool cop__can_change(const cop_graph *g, cop_vid v, cop_why *why)
{
	const cop_type *t = cop__t(g, v);

	if (!cop__weight_is(g, v)) return false;
	if (t->dtype != COP_F32) return no(why, g, v, "is made of integers", "");
	return t->enc == COP_DENSE || no(why, g, v, "is encoded already", "");
}

bool cop__compressible(const cop_graph *g, cop_vid v, const char *layers) { return cop__can_change(g, v, NULL) && cop__match(layers, g->value[v].name); }

/* Of the encodings `among` those that node n can read v in. */
static uint32_t read_by(const cop_graph *g, cop_nid n, cop_vid v, uint32_t among)
{
	for (int j = 0; j < g->node[n].n_in; j++)
		for (cop_enc e = 0; g->node[n].in[j] == v && e < COP_N_ENC; e++)
			if (!cop__enc_reads(e, g, n, j)) among &= ~(1u << e);
	return among;
}

uint32_t cop__encodings_for(const cop_graph *g, cop_vid v, cop_why *why)
{
	uint32_t all = 0;

	if (!cop__can_change(g, v, why)) return 0;
	for (cop_enc e = COP_DENSE + 1; e < COP_N_ENC; e++) all |= (cop__enc(e)->flags & COP_ENC_EXACT ? 1u : 0u) << e;
	for (cop_nid n = 1; all && n <= (cop_nid)g->n_node; n++)
		if (!(all = read_by(g, n, v, all))) no(why, g, v, "is not read encoded by ", cop__op(g, n)->name);
	return all;
}

bool cop__can_encode(const cop_graph *g, cop_vid v, cop_why *why) { return cop__encodings_for(g, v, why) != 0; }

bool cop__can_quantize(const cop_graph *g, cop_vid v, cop_why *why)
{
	if (!cop__weight_is(g, v)) return false;
	if (cop__t(g, v)->dtype != COP_F32) return no(why, g, v, "is made of integers", "");
	for (cop_nid i = 1; i <= (cop_nid)g->n_node; i++) {
		int op = g->node[i].op;
		for (int j = 0; j < g->node[i].n_in; j++)
			if (g->node[i].in[j] == v && (op == OP_conv || op == OP_conv_dx || op == OP_fc || op == OP_rnn || op == OP_fakequant)) return true; /* conv_dx: a transposed one */
	}
	return no(why, g, v, "is read by no layer that has a form in integers", "");
}

/* ---- layers ---- */

bool cop__qlayer_is(const cop_graph *g, cop_nid n)
{
	int op = g->node[n].op;
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);

	if ((op != OP_conv && op != OP_fc) || g->node[n].guard) return false;
	return g->value[w].role != COP_STATE && cop__floats(g, w) && (!b || (g->value[b].role != COP_STATE && cop__floats(g, b)));
}

const char *cop__qlayer_name(const cop_graph *g, cop_nid n) { return g->value[cop__arg(g, n, 1)].name; }

/* ---- what a network has ---- */

uint32_t cop__has(const cop_graph *g)
{
	uint32_t has = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (cop__can_change(g, (cop_vid)v, NULL)) has |= COP_HAS_FLOATS;
		if (x->role == COP_STATE && x->of && x->name && cop__match("*.mask", x->name)) has |= COP_HAS_MASKS;
		if (x->type.enc != COP_DENSE) has |= cop__enc(x->type.enc)->flags & COP_ENC_EXACT ? COP_HAS_CODES : COP_HAS_INTEGERS;
	}
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (g->node[n].op >= OP_qconv && g->node[n].op <= OP_dequantize) has |= COP_HAS_INTEGERS;
		else if (g->node[n].op == OP_packbits || g->node[n].op == OP_bconv) has |= COP_HAS_BITS;
	}
	return cop__rounds(g) ? has | COP_HAS_ROUNDING : has;
}

/* ---- patterns ---- */

/* Names of weights, one after the other. */
static const char *weight_name(void *ud, int i)
{
	const cop_graph *g = ud;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (cop__weight_is(g, (cop_vid)v) && !i--) return g->value[v].name;
	return NULL;
}

cop_status cop__some_weight(const cop_graph *g, const char *where, const char *pattern)
{
	const char *name;
	char known[160] = "";
	cop_hint hint;

	for (int i = 0; (name = weight_name((void *)(uintptr_t)g, i)); i++) {
		if (cop__match(pattern, name)) return COP_OK;
		if (strlen(known) + strlen(name) + 8 < sizeof known) snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? " " : "", name);
		else if (known[strlen(known) - 1] != '.') strcat(known, " ...");
	}
	return cop__error(g->cx, COP_ARG, "%s '%s' matches no weight of the network; they are called: %s%s", where, pattern, *known ? known : "(it has none)",
		cop__hint(&hint, pattern, weight_name, (void *)(uintptr_t)g));
}

cop_status cop__some_usable(const cop_graph *g, const char *where, const char *pattern, bool (*can)(const cop_graph *, cop_vid, cop_why *))
{
	cop_why why = {""}, first = {""};

	COP_TRY(cop__some_weight(g, where, pattern));
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!cop__weight_is(g, (cop_vid)v) || !cop__match(pattern, g->value[v].name)) continue;
		if (can(g, (cop_vid)v, &why)) return COP_OK;
		if (!*first.text) first = why;
	}
	return cop__error(g->cx, COP_ARG, "%s '%s' matches no weight that it can work on: %s", where, pattern, first.text);
}
