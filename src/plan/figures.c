/* SPDX-License-Identifier: Apache-2.0
 *
 * figures - what a model costs, counted: parameters, multiply-accumulates, bytes, and an estimate of energy.
 *
 * The energy of one inference is that of its arithmetic and of every byte that must move at least once: weights from
 * the memory they fit in, activations written and read in the memory the arena fits in.
 */
#include "core/need.h"
#include "enc/enc.h"
#include "kernel/shift.h"
#include "pass/pass.h"
#include "plan/plan.h"

enum energy_row {
#define E(name, pj) E_##name,
#include "plan/energy.def"
#undef E
};
static const double pico_joule[] = {
#define E(name, pj) pj,
#include "plan/energy.def"
#undef E
};

/* pJ a byte from a memory that holds `bytes`. On the chip up to 8 MB, as Horowitz's figure goes to 1 MB and caches have grown. */
static double per_byte(size_t bytes)
{
	if (bytes <= 8 << 10) return pico_joule[E_SRAM_8K] / 8;
	if (bytes <= 32 << 10) return pico_joule[E_SRAM_32K] / 8;
	if (bytes <= 8 << 20) return pico_joule[E_SRAM_1M] / 8;
	return pico_joule[E_DRAM] / 8;
}

static bool is_weight(const cop_value *v) { return v->role == COP_CONST || v->role == COP_PARAM || v->role == COP_STATE; }

/* Elements that are not zero; those of less than a byte count all. */
static int64_t nonzero(const cop_value *v)
{
	const int64_t all = cop_type_count(&v->type);
	int64_t n = 0;

	if (!v->data) return 0;
	switch (v->type.dtype) {
	case COP_F32: return cop__enc_kept(&v->type, v->data);
	case COP_I32:
		for (int64_t i = 0; i < all; i++) n += ((const int32_t *)v->data)[i] != 0;
		return n;
	case COP_I16:
		for (int64_t i = 0; i < all; i++) n += ((const int16_t *)v->data)[i] != 0;
		return n;
	case COP_I8:
	case COP_U8:
		for (int64_t i = 0; i < all; i++) n += ((const int8_t *)v->data)[i] != 0;
		return n;
	default: return all;
	}
}

/* Is operand i of a node a table or a list that an importer or the quantisation made: multipliers and shifts of sums, functions of a byte,
 * indices, weights of resizing? It takes flash, but nobody trained it. */
static bool is_table(const cop_graph *g, cop_nid n, int i)
{
	switch (g->node[n].op) {
	case OP_qlut: return i == 1;
	case OP_qconv: case OP_qaddconv: return i == 3;
	case OP_qrnn: return i == 4;
	case OP_gather: return i == 1;
	case OP_resample: return i > 0;
	default: return false;
	}
}

/* Marks what some node reads as a table. */
static void find_tables(bool *table, const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		for (int i = 0; i < g->node[n].n_in; i++)
			if (is_table(g, n, i)) table[g->node[n].in[i]] = true;
}

/* Is node n marked as a sum of shifts (pass/shift.c)? 0: no. */
static int32_t shifts(const cop_graph *g, cop_nid n)
{
	if (g->node[n].op != OP_qconv) return 0;
	COP_ATTR(cop_qconv_attr, a, g, n);
	return a.shift;
}

/* A node's share of multiply-accumulates that touch a kept weight. */
static int64_t live_macs(const cop_graph *g, cop_nid n, int64_t mac)
{
	const cop_value *w = g->node[n].n_in > 1 ? &g->value[g->node[n].in[1]] : &g->value[0];

	if (!is_weight(w) || !(cop__enc(w->type.enc)->flags & COP_ENC_SKIPS)) return mac;
	return (int64_t)((double)mac * (double)nonzero(w) / (double)cop_type_count(&w->type));
}

int32_t cop_graph_layers(const cop_graph *g) { return g ? g->n_node : 0; }

cop_status cop_graph_layer(const cop_graph *g, int32_t i, cop_layer *out)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), out);
	cop_cost cost = {0};

	if (i < 0 || i >= g->n_node) return cop__error(g->cx, COP_ARG, "the graph has no layer %d", i);
	cop_nid n = (cop_nid)i + 1;
	const cop_op *op = cop__op(g, n);
	cop_vid y = g->node[n].out[0];
	if (op->cost) op->cost(g, n, &cost);
	*out = (cop_layer){.op = op->name, .name = g->value[y].name, .out = g->value[y].type, .macs = cost.mac, .out_bytes = cop_type_bytes(&g->value[y].type)};
	for (int j = 0; j < g->node[n].n_in; j++) {
		const cop_value *v = &g->value[g->node[n].in[j]];
		if (!is_weight(v)) continue;
		if (!out->weight_bytes) out->name = v->name;
		if (v->role != COP_STATE && !is_table(g, n, j)) out->parameters += cop_type_count(&v->type), out->nonzero += nonzero(v);
		out->weight_bytes += cop_type_bytes(&v->type);
	}
	return COP_OK;
}

cop_status cop_graph_tensor(const cop_graph *g, const char *name, cop_tensor *out)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), name);
	COP_NEED(COP_CX(g), out);
	cop_vid v = cop__find(g, name);

	if (!v) return cop__error(g->cx, COP_ARG, "the graph has no value '%s'", name);
	*out = (cop_tensor){g->value[v].type, (void *)(uintptr_t)g->value[v].data};
	return COP_OK;
}

cop_status cop_graph_edit(cop_graph *g, const char *name, cop_tensor *out)
{
	COP_TRY(cop_graph_tensor(g, name, out));
	cop_vid v = cop__find(g, name);

	if (!is_weight(&g->value[v])) return cop__error(g->cx, COP_ARG, "'%s' is no constant, parameter or state: it has no contents that could be changed", name);
	if (out->type.enc != COP_DENSE)
		return cop__error(g->cx, COP_ARG, "'%s' is encoded (%s): it can't be changed where it lies", name,
			cop__enc_text(out->type.enc));
	return (out->data = cop__own(g, v)) ? COP_OK : COP_NOMEM;
}

cop_status cop_graph_copy(cop_graph **out, const cop_graph *g)
{
	COP_NEED(COP_CX(g), out);
	*out = NULL;
	COP_NEED(COP_CX(g), g);
	return cop__pass_copy(out, g);
}

cop_status cop_graph_outline(cop_graph **out, const cop_graph *g)
{
	COP_TRY(cop_graph_copy(out, g));
	(*out)->outline = true;
	return COP_OK;
}

const char *cop_graph_weight(const cop_graph *g, int32_t i)
{
	if (!g) return NULL;
	for (int32_t v = 1; v <= g->n_value; v++)
		if (is_weight(&g->value[v]) && i-- == 0) return g->value[v].name;
	return NULL;
}

int32_t cop_graph_batch(const cop_graph *g) { return g && g->n_input ? cop__samples_held(g, 0) : 1; }

cop_status cop_graph_io(const cop_graph *g, cop_type *in, cop_type *out)
{
	COP_NEED(COP_CX(g), g);
	if (!g->n_input || !g->n_output) return cop__error(g->cx, COP_ARG, "graph '%s' has no input or no output", g->name);
	if (in) *in = *cop__t(g, g->input[0]);
	if (out) *out = *cop__t(g, g->output[0]);
	return COP_OK;
}

const char *cop_graph_input_name(const cop_graph *g, int32_t i) { return !g || i < 0 || i >= g->n_input ? NULL : g->value[g->input[i]].name; }

bool cop_graph_io_type(const cop_graph *g, bool output, int32_t i, cop_type *out)
{
	if (!g || !out) return false;
	if (i < 0 || i >= (output ? g->n_output : g->n_input)) return false;
	*out = *cop__t(g, output ? g->output[i] : g->input[i]);
	return true;
}

/* pJ of a multiply-accumulate of node n. Of integers, bytes are multiplied, an int16 as two of them, and sums have 32 bits; a byte that is shifted by up to 6 has 14. */
static double mac_pj(const cop_graph *g, cop_nid n)
{
	if (shifts(g, n) == COP_SHIFT_LISTS) return pico_joule[E_ADD_I32]; /* the few doublings of a sum are none of its */
	if (shifts(g, n)) return pico_joule[E_SHIFT_I16] + pico_joule[E_ADD_I32];
	if (cop__op(g, n)->flags & COP_OP_QUANT) return pico_joule[E_MUL_I8] * (cop__in(g, n, 0)->dtype == COP_I16 ? 2 : 1) + pico_joule[E_ADD_I32];
	return pico_joule[E_MUL_F32] + pico_joule[E_ADD_F32];
}

/* Of operand i of node n, as a board's kernel reads it. */
static double read_bytes(const cop_graph *g, cop_nid n, int i)
{
	double bytes = (double)cop_type_bytes(cop__in(g, n, i));
	return i == 1 && shifts(g, n) == COP_SHIFT_CODES ? bytes / 2 : bytes;
}

static double energy_pj(const cop_graph *g, const cop_plan *p)
{
	double pj = 0, weights = per_byte(cop__plan_flash(p)), temps = per_byte(p->bytes[COP_SEG_ARENA]);

	for (int32_t i = 1; i <= g->n_node; i++) {
		cop_nid n = (cop_nid)i;
		const cop_op *op = cop__op(g, n);
		cop_cost cost = {0};
		if (op->flags & COP_OP_VIEW) continue;
		if (op->cost) op->cost(g, n, &cost);
		pj += (double)live_macs(g, n, cost.mac) * mac_pj(g, n) + (double)cost.flop * pico_joule[op->flags & COP_OP_QUANT ? E_ADD_I32 : E_ADD_F32];
		for (int j = 0; j < g->node[n].n_in; j++) {
			const cop_value *v = &g->value[g->node[n].in[j]];
			pj += read_bytes(g, n, j) * (is_weight(v) ? weights : temps);
		}
		pj += (double)cop_type_bytes(cop__outt(g, n, 0)) * temps;
	}
	return pj;
}

/* A graph that was made for a batch, as it is deployed for one sample; shapes of a file stay as they are. */
static cop_status for_one(cop_graph **out, const cop_graph *g)
{
	int32_t samples = g->n_input ? g->value[g->input[0]].samples : 0;

	COP_TRY(samples > 1 ? cop__pass_batch(out, g, 1) : cop__pass_strip(out, g));
	(*out)->outline = true; /* nobody asks for the folded weights */
	return cop__pass_then(out, cop__pass_deploy);
}

/* What was trained of a model. */
static cop_status count_weights(cop_figures *out, const cop_graph *g)
{
	bool *table = cop__alloc(g->cx, (size_t)g->n_value + 1);

	if (!table) return COP_NOMEM;
	find_tables(table, g);
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if ((x->role != COP_PARAM && x->role != COP_CONST) || table[v]) continue;
		out->parameters += cop_type_count(&x->type);
		out->nonzero += nonzero(x);
	}
	cop__free(g->cx, table);
	return COP_OK;
}

static void count_macs(cop_figures *out, const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_cost cost = {0};
		if (cop__op(g, n)->cost) cop__op(g, n)->cost(g, n, &cost);
		out->macs += live_macs(g, n, cost.mac);
		out->shifts += shifts(g, n) ? cost.mac : 0;
	}
}

cop_status cop_measure(cop_figures *out, const cop_graph *model, const cop_target *t)
{
	COP_NEED(COP_CX(model), out);
	COP_NEED(COP_CX(model), model);
	COP_NEED(COP_CX(model), t);
	cop_graph *g = NULL;
	cop_plan *p = NULL;
	cop_target open = *t;

	*out = (cop_figures){0};
	open.ram = open.flash = 0;
	open.coded = true;
	open.isa &= COP_ISA_DSP; /* the figures of what is emitted: none of this machine's fast kernels and their scratch */
	cop_status st = for_one(&g, model);
	if (!st) st = cop_plan_build(&p, &g, 1, &open);
	if (!st) st = count_weights(out, model);
	if (!st) {
		count_macs(out, g);
		out->flash_bytes = cop__plan_flash(p);
		out->ram_bytes = p->bytes[COP_SEG_ARENA] + p->bytes[COP_SEG_FAST] + p->bytes[COP_SEG_STATE] + p->bytes[COP_SEG_PARAM];
		out->energy_nj = energy_pj(g, p) / 1000;
		cop_priced price;
		(void)cop__plan_price(&price, p, t);
		out->instructions = price.instructions;
		out->guessed = price.guessed;
	}
	cop_plan_free(p);
	cop_graph_free(g);
	return st;
}
