/* SPDX-License-Identifier: Apache-2.0
 *
 * budget - how much may be trained, and what each layer takes of that.
 */
#include "train/policy/select.h"

#include <math.h>

/* ---- the text ---- */

static const struct { const char *after; cop_budget_unit unit; bool part; double times; } forms[] = {
	{"%", COP_BUDGET_NUMBERS, true, 0.01},
	{"", COP_BUDGET_BYTES, false, 1}, {"K", COP_BUDGET_BYTES, false, 1024}, {"M", COP_BUDGET_BYTES, false, 1024 * 1024},
	{"ms", COP_BUDGET_SECONDS, false, 1e-3}, {"%ms", COP_BUDGET_SECONDS, true, 0.01},
	{"Kflops", COP_BUDGET_FLOPS, false, 1e3}, {"Mflops", COP_BUDGET_FLOPS, false, 1e6}, {"%flops", COP_BUDGET_FLOPS, true, 0.01}};

cop_status cop__budget_read(cop_budget *out, cop_ctx *cx, const char *text)
{
	char *end;
	const double v = cop__real_parse(text, &end);

	for (int i = 0; end > text && v > 0 && v <= 1e12 && i < LEN(forms); i++) {
		if (strcmp(end, forms[i].after) || (forms[i].part && v > 100)) continue;
		*out = (cop_budget){forms[i].unit, v * forms[i].times, forms[i].part};
		return COP_OK;
	}
	return cop__error(cx, COP_ARG, "select: budget=%s is neither a part of the weights, such as 20%%, nor bytes, such as 64K, nor what a step may take: 2.5ms, 60%%ms, 3Mflops or 60%%flops", text);
}

/* ---- prices ---- */

static void of_numbers(cop_prices *p, const cop_neurons *n)
{
	for (int32_t l = 0; l < n->n_layer - 1; l++) {
		const cop_channels *c = &n->layer[l];
		p->layer[l] = (cop_layer_price){.each = (double)c->each, .all = (double)(c->rows * c->each)};
	}
}

static double bytes_of(const cop_channels *c, int32_t batch) { return (double)(4 * c->rows * c->each + cop__kept_bytes(c, batch)); }

static void of_bytes(cop_prices *p, const cop_neurons *n, int32_t batch)
{
	p->fixed = bytes_of(&n->layer[n->n_layer - 1], batch);
	for (int32_t l = 0; l < n->n_layer - 1; l++) {
		const cop_channels *c = &n->layer[l];
		p->layer[l] = (cop_layer_price){.open = (double)cop__kept_bytes(c, batch), .each = (double)(4 * c->each), .all = bytes_of(c, batch)};
	}
}

static double sum(const cop_prices *p, const cop_neurons *n)
{
	double all = 0;

	for (int32_t l = 0; l < n->n_layer - 1; l++) all += p->layer[l].reach + p->layer[l].all;
	return all;
}

static const char *unit_of(const cop_prices *p) { return p->unit == COP_BUDGET_SECONDS ? "milliseconds" : p->unit == COP_BUDGET_FLOPS ? "million operations" : "bytes"; }
static double in_unit(const cop_prices *p, double v) { return p->unit == COP_BUDGET_SECONDS ? 1e3 * v : p->unit == COP_BUDGET_FLOPS ? 1e-6 * v : v; }

static cop_status check(cop_ctx *cx, const cop_prices *p, double rest)
{
	if (!(rest > 0))
		return cop__error(cx, COP_ARG, "select: no work of a step belongs to a layer before the last, so a budget of what a step takes can't be kept; let it be a part of the weights, or bytes");
	if (p->limit >= p->fixed) return COP_OK;
	if (p->unit == COP_BUDGET_BYTES)
		return cop__error(cx, COP_ARG, "select: the last layer is always trained and takes %lld bytes for its gradient and its input; a budget of %lld is smaller", (long long)p->fixed, (long long)p->limit);
	return cop__error(cx, COP_ARG, "select: a step takes %.4g %s if only the last layer is trained, which it always is; a budget of %.4g is smaller", in_unit(p, p->fixed), unit_of(p), in_unit(p, p->limit));
}

cop_status cop__prices(cop_prices *out, cop_arena *mem, const cop_budget *b, const cop_neurons *n, int32_t batch, const cop_step_prices *steps)
{
	*out = (cop_prices){.unit = b->unit, .layer = cop__arena_get(mem, sizeof *out->layer * (size_t)n->n_layer)};
	if (!out->layer) return COP_NOMEM;
	if (b->unit == COP_BUDGET_NUMBERS) of_numbers(out, n);
	else if (b->unit == COP_BUDGET_BYTES) of_bytes(out, n, batch);
	else memcpy(out->layer, steps->layer, sizeof *out->layer * (size_t)n->n_layer), out->fixed = steps->fixed;
	const double rest = sum(out, n);
	out->limit = b->part ? b->amount * (out->fixed + rest) * (1 + 1e-6) : b->amount;
	return check(mem->cx, out, rest);
}

/* ---- too little ---- */

/* The least that a step takes with a neuron of a layer before the head, or with all of a layer. */
static double least(const cop_prices *p, const cop_neurons *n, cop_take how)
{
	double best = INFINITY, reach = 0;

	for (int32_t l = n->n_layer - 2; l >= 0; l--) {
		const cop_layer_price *c = &p->layer[l];
		reach += c->reach;
		best = fmin(best, reach + (how == COP_TAKE_NEURONS ? c->open + c->each : c->all));
	}
	return p->fixed + best;
}

cop_status cop__nothing_fits(cop_ctx *cx, const cop_prices *p, const cop_neurons *n, cop_take how)
{
	const double need = least(p, n, how);
	const char *what = how == COP_TAKE_NEURONS ? "neuron" : "layer";

	if (need <= p->limit) return COP_OK;
	if (p->unit == COP_BUDGET_NUMBERS)
		return cop__error(cx, COP_ARG, "select: the budget is smaller than any %s that could be chosen: there are %lld numbers in %d neurons before the last layer", what, (long long)n->numbers, n->hidden);
	return cop__error(cx, COP_ARG, "select: the budget is smaller than any %s that could be chosen: with the cheapest one, %.6g %s are taken, and the budget is %.6g", what, in_unit(p, need), unit_of(p), in_unit(p, p->limit));
}
