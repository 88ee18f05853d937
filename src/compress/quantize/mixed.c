/* SPDX-License-Identifier: Apache-2.0
 *
 * mixed - bits for each layer by itself, within limits: what each can have, what that does and takes, and the choice.
 */
#include "compress/quantize/mixed.h"
#include "io/cop/cop.h"
#include "plan/plan.h"

enum { TRIES = 10 };
static const char *const resources[COP_N_MIX] = {"bytes of the file", "bytes of flash", "instructions"};

/* ---- levels ----
 * Wherever kernels read them, 3 bits take four. They take less in the file alone, which is coded. */
static const struct {
	int bits;
	bool file;
} levels[COP_MIX_LEVELS] = {{0, false}, {8, false}, {4, false}, {3, true}, {2, false}};

static bool tried(const cop_mixing *m, int k)
{
	return levels[k].bits ? m->allowed[COP_MIX_FILE] > 0 || !levels[k].file : m->z->a->floats;
}

/* May the bits of this layer be chosen? Recurrent ones have 8. */
static bool open_to_choice(const cop_quantizer *z, cop_nid n)
{
	return z->layer[n].bits && z->g->node[n].op != OP_rnn;
}

static cop_status find_layers(cop_mixing *m)
{
	const cop_quantizer *z = m->z;

	if (!(m->layer = cop__arena_get(&m->z->mem, sizeof *m->layer * (size_t)(z->g->n_node + 1)))) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++)
		if (open_to_choice(z, n)) m->layer[m->n_layer++].n = n;
	return COP_OK;
}

/* All layers with the bits of level k, as quantisation leaves them, and the harm of each. */
static cop_status try_level(cop_mixing *m, int k, const cop_harm_row *harm)
{
	cop_quantizer *z = m->z;
	size_t bytes = sizeof *z->layer * (size_t)(z->g->n_node + 1);

	for (int32_t i = 0; i < m->n_layer; i++) {
		cop_qlayer *l = &z->layer[m->layer[i].n];
		l->bits = levels[k].bits;
		l->harm = 0;
		l->q = NULL; /* each level has its own */
	}
	if (z->a->wide_ends && levels[k].bits) COP_TRY(cop__wide_ends(z));
	COP_TRY(cop__set_ranges(z));
	z->apart = true; /* what makes good for others is no harm of its own */
	cop_status st = cop__quantize_weights(z);
	z->apart = false;
	if (!st) st = cop__sensitivity(z);
	if (st) return st;
	if (harm->fill != cop__sensitivity) COP_TRY(harm->fill(z));
	if (!(m->as[k] = cop__arena_get(&z->mem, bytes))) return COP_NOMEM;
	memcpy(m->as[k], z->layer, bytes);
	for (int32_t i = 0; i < m->n_layer; i++) {
		cop_mixed_layer *l = &m->layer[i];
		l->pick[l->n_level].damage = (double)z->layer[l->n].harm;
		l->level[l->n_level++] = k;
	}
	return COP_OK;
}

/* ---- prices ---- */

static void take(cop_mixing *m, const int32_t *choice)
{
	for (int32_t i = 0; i < m->n_layer; i++) {
		const cop_mixed_layer *l = &m->layer[i];
		m->z->layer[l->n] = m->as[l->level[choice[i]]][l->n];
	}
}

static cop_status price_of(double *price, const cop_mixing *m, const cop_graph *q)
{
	cop_figures f;
	size_t file;

	COP_TRY(cop_measure(&f, q, &m->target));
	COP_TRY(cop__model_size(&file, q));
	price[COP_MIX_FILE] = (double)file;
	price[COP_MIX_FLASH] = (double)f.flash_bytes;
	price[COP_MIX_INSTRUCTIONS] = (double)f.instructions;
	return COP_OK;
}

static cop_status price(double *out, cop_mixing *m, const int32_t *choice)
{
	cop_graph *q = NULL;

	take(m, choice);
	cop_status st = cop__lower_quantized(&q, m->z);
	if (!st) st = price_of(out, m, q);
	cop_graph_free(q);
	return st;
}

/* Does level k of l take less than the one before of anything that is limited? Never where something else decides: the
 * ends that keep 8 bits, what stays float for a reason of its own (assign.c). */
static bool saves(const cop_mixing *m, const cop_mixed_layer *l, int32_t k)
{
	for (int r = 0; r < COP_N_MIX; r++)
		if (m->allowed[r] > 0 && l->pick[k].price[r] < l->pick[k - 1].price[r]) return true;
	return false;
}

static void drop_what_saves_nothing(const cop_mixing *m, cop_mixed_layer *l)
{
	for (int32_t k = 1; k < l->n_level;) {
		if (saves(m, l, k)) {
			k++;
			continue;
		}
		l->n_level--;
		memmove(&l->level[k], &l->level[k + 1], sizeof *l->level * (size_t)(l->n_level - k));
		memmove(&l->pick[k], &l->pick[k + 1], sizeof *l->pick * (size_t)(l->n_level - k));
	}
}

/* base: the whole with choice; that of a layer's other levels is changed one after the other. */
static cop_status set_prices(cop_mixing *m, int32_t *choice, const double *base)
{
	double p[COP_N_MIX];

	for (int32_t i = 0; i < m->n_layer; i++) {
		cop_mixed_layer *l = &m->layer[i];
		const int32_t was = choice[i];
		for (int32_t k = 0; k < l->n_level; k++) {
			choice[i] = k;
			COP_TRY(price(p, m, choice));
			for (int r = 0; r < COP_N_MIX; r++) l->pick[k].price[r] = p[r] - base[r];
		}
		choice[i] = was;
		if (cop__stopped(m->z->cx)) return cop__error(m->z->cx, COP_STOPPED, "stopped while pricing layers");
	}
	for (int32_t i = 0; i < m->n_layer; i++) drop_what_saves_nothing(m, &m->layer[i]);
	return COP_OK;
}

/* ---- the choice ---- */

/* The picks with the resources that are limited alone, side by side. */
static cop_status pick(int32_t *choice, cop_mixing *m, const double *limit, const cop_pick_row *row)
{
	cop_ctx *cx = m->z->cx;
	cop_lot *lot = cop__alloc(cx, sizeof *lot * (size_t)(m->n_layer + 1));
	cop_pick *all = cop__alloc(cx, sizeof *all * COP_MIX_LEVELS * (size_t)(m->n_layer + 1));
	cop_sack s = {.lot = lot};
	cop_status st = lot && all ? COP_OK : COP_NOMEM;

	for (int r = 0; r < COP_N_MIX; r++) {
		if (!(m->allowed[r] > 0)) continue;
		s.limit[s.n_resource] = limit[r];
		for (int32_t i = 0; !st && i < m->n_layer; i++)
			for (int32_t k = 0; k < m->layer[i].n_level; k++)
				all[i * COP_MIX_LEVELS + k].price[s.n_resource] = m->layer[i].pick[k].price[r];
		s.n_resource++;
	}
	for (int32_t i = 0; !st && i < m->n_layer; i++) {
		for (int32_t k = 0; k < m->layer[i].n_level; k++)
			all[i * COP_MIX_LEVELS + k].damage = m->layer[i].pick[k].damage;
		lot[s.n_lot++] = (cop_lot){&all[i * COP_MIX_LEVELS], m->layer[i].n_level};
	}
	if (!st) st = row->pick(choice, cx, &s, m->z->a->seed);
	cop__free(cx, lot);
	cop__free(cx, all);
	return st;
}

/* The choice that takes least of resource r. */
static void cheapest(int32_t *choice, const cop_mixing *m, int r)
{
	for (int32_t i = 0; i < m->n_layer; i++) {
		const cop_mixed_layer *l = &m->layer[i];
		choice[i] = 0;
		for (int32_t k = 1; k < l->n_level; k++)
			if (l->pick[k].price[r] <= l->pick[choice[i]].price[r]) choice[i] = k;
	}
}

/* The sentence for limits that nothing meets. */
static cop_status too_little(cop_mixing *m, int32_t *choice)
{
	double p[COP_N_MIX];

	for (int r = 0; r < COP_N_MIX; r++) {
		if (!(m->allowed[r] > 0)) continue;
		cheapest(choice, m, r);
		COP_TRY(price(p, m, choice));
		if (p[r] > m->allowed[r])
			return cop__error(m->z->cx, COP_BUDGET,
			        "quantize: no bits of layers get '%s' down to %.0f %s: %.0f is the least",
			        m->z->g->name, m->allowed[r], resources[r], p[r]);
	}
	return cop__error(m->z->cx, COP_BUDGET,
	        "quantize: no bits of layers meet all the limits at once, though some meet each of them");
}

/* Quantised as it is chosen: each layer sees the inputs that those before it really make. */
static cop_status quantized(cop_graph **out, double *p, cop_mixing *m, const int32_t *choice)
{
	take(m, choice);
	COP_TRY(cop__set_ranges(m->z));
	COP_TRY(cop__quantize_weights(m->z));
	COP_TRY(cop__lower_quantized(out, m->z));
	cop_status st = price_of(p, m, *out);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

/* base: what the whole takes with every layer at price 0. */
static cop_status within(cop_graph **out, cop_mixing *m, int32_t *choice, const double *base, const cop_pick_row *row)
{
	double limit[COP_N_MIX], p[COP_N_MIX];

	for (int r = 0; r < COP_N_MIX; r++) limit[r] = m->allowed[r] - base[r];
	for (int i = 0; i < TRIES; i++) {
		bool fits = true;
		cop_status st = pick(choice, m, limit, row);
		if (st) return st == COP_BUDGET ? too_little(m, choice) : st;
		COP_TRY(quantized(out, p, m, choice));
		for (int r = 0; r < COP_N_MIX; r++) {
			if (!(m->allowed[r] > 0) || p[r] <= m->allowed[r]) continue;
			limit[r] -= p[r] - m->allowed[r];
			fits = false;
		}
		if (fits) return COP_OK;
		cop_graph_free(*out);
		*out = NULL;
	}
	return too_little(m, choice);
}

/* ---- the work ---- */

static cop_status set_limits(cop_mixing *m)
{
	const cop_quantize_args *a = m->z->a;
	const double allowed[COP_N_MIX] = {(double)a->file, (double)a->flash, (double)a->instructions};

	memcpy(m->allowed, allowed, sizeof allowed);
	COP_TRY(cop_target_find(&m->target, m->z->cx, a->machine ? a->machine : "host"));
	if (a->instructions && !cop__has_prices(&m->target))
		return cop__error(m->z->cx, COP_ARG,
		        "quantize: there are no prices of kernels in instructions for %s: limit file or flash",
		        m->target.name);
	return COP_OK;
}

cop_status cop__mixed(cop_graph **out, cop_quantizer *z)
{
	cop_mixing m = {.z = z};
	double base[COP_N_MIX];

	COP_TRY(set_limits(&m));
	COP_TRY(find_layers(&m));
	int32_t *choice = cop__arena_get(&z->mem, sizeof *choice * (size_t)(m.n_layer + 1));
	if (!choice) return COP_NOMEM;
	for (int k = 0; k < COP_MIX_LEVELS; k++)
		if (tried(&m, k)) COP_TRY(try_level(&m, k, &cop__harms[z->harm]));
	for (int32_t i = 0; i < m.n_layer; i++) /* 8 bits, beside which floats and fewer bits are priced */
		choice[i] = m.layer[i].n_level > 1 && !levels[m.layer[i].level[0]].bits;
	COP_TRY(price(base, &m, choice));
	COP_TRY(set_prices(&m, choice, base));
	return within(out, &m, choice, base, &cop__picks[z->pick]);
}
