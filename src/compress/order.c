/* SPDX-License-Identifier: Apache-2.0
 *
 * order - see order.h. Orders are found in depth, in the order of the recipe: what can't follow is not gone into.
 */
#include "compress/order.h"

#include <stdio.h>

/* the form of a network, which its user is to get whatever the order: a mask or a shared value is none */
static const uint32_t FORM = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_ROUNDING | COP_HAS_BITS;

typedef struct finder {
	const cop_recipe *r;
	cop_orders *o;
	uint32_t form;     /* that of the recipe as it is written */
	uint32_t used;     /* bit i: stage i is in `now` */
	int8_t now[COP_MAX_STAGES];
	bool more;         /* than there is room for */
} finder;

static bool alike(const cop_stage *a, const cop_stage *b)
{
	return a->row == b->row && !memcmp(&a->terms, &b->terms, sizeof a->terms) && !memcmp(&a->training, &b->training, sizeof a->training) &&
		!memcmp(a->own.bytes, b->own.bytes, sizeof a->own.bytes);
}

/* Of stages that are alike the first goes first: the others would make the same order again. */
static bool is_turn_of(const finder *f, int i)
{
	for (int k = 0; k < i; k++)
		if (!(f->used >> k & 1) && alike(&f->r->stage[k], &f->r->stage[i])) return false;
	return !(f->used >> i & 1);
}

static void found(finder *f)
{
	if (f->o->n == COP_MOST_ORDERS) f->more = true;
	else memcpy(f->o->at[f->o->n++], f->now, sizeof f->now);
}

static void extend(finder *f, uint32_t has, int32_t n)
{
	if (n == f->r->n_stage && (has & FORM) == f->form) found(f);
	for (int i = 0; n < f->r->n_stage && i < f->r->n_stage && !f->more; i++) {
		const cop_stage *s = &f->r->stage[i];
		if (!is_turn_of(f, i) || !cop__stage_follows(has, s)) continue;
		f->now[n] = (int8_t)i;
		f->used |= 1u << i;
		extend(f, cop__stage_after(has, s), n + 1);
		f->used &= ~(1u << i);
	}
}

cop_status cop__orders_find(cop_orders *o, const cop_recipe *r, const cop_graph *g)
{
	finder f = {.r = r, .o = o, .form = cop__has(g)};

	for (int32_t i = 0; i < r->n_stage; i++) f.form = cop__stage_after(f.form, &r->stage[i]);
	f.form &= FORM;
	o->n = 0;
	extend(&f, cop__has(g), 0);
	return f.more ? cop__error(g->cx, COP_ARG, "recipe: order: search: its stages can be put in more than %d orders that make sense; leave some of them out", COP_MOST_ORDERS)
		: COP_OK;
}

void cop__order_recipe(cop_recipe *out, const cop_recipe *r, const int8_t *order)
{
	*out = *r;
	for (int32_t i = 0; i < r->n_stage; i++) out->stage[i] = r->stage[order[i]];
}

/* The how manieth of its kind it is, from 1; 0: it is the only one. */
static int number_of(const cop_recipe *r, int at)
{
	int before = 0, all = 0;

	for (int i = 0; i < r->n_stage; i++) {
		bool same = r->stage[i].row == r->stage[at].row;
		all += same, before += same && i < at;
	}
	return all > 1 ? before + 1 : 0;
}

void cop__order_text(char *out, size_t size, const cop_recipe *r, const int8_t *order)
{
	size_t n = 0;

	for (int i = 0; i < r->n_stage && n < size; i++) {
		const int k = number_of(r, order[i]);
		n += (size_t)snprintf(out + n, size - n, k ? "%s%s %d" : "%s%s", i ? ", " : "", r->stage[order[i]].row->row.name, k);
	}
}

/* Points; without labels percent of the loss. */
static double lost(const cop_stage_result *first, const cop_order_result *o)
{
	return first->accuracy[0] >= 0 ? 100 * (double)(first->accuracy[0] - o->accuracy) : 100 * (double)(o->loss / first->loss[0] - 1);
}

void cop__order_result(cop_order_result *o, const cop_recipe *r, const cop_compress_result *is)
{
	const cop_stage_result *first = &is->stage[0];

	o->accuracy = first->accuracy[0], o->loss = first->loss[0], o->bytes = first->bytes[0];
	o->kept = 0, o->seconds = 0;
	for (int32_t i = 0; i < is->n_stage; i++) {
		const cop_stage_result *s = &is->stage[i];
		if (s->kept) o->accuracy = s->accuracy[1], o->loss = s->loss[1], o->bytes = s->bytes[1];
		o->kept += s->kept;
		o->seconds += s->seconds;
	}
	o->test = is->after.accuracy;
	o->lost = lost(first, o);
	o->fits = !r->bounded || o->lost <= (double)r->max_drop + 1e-9;
}

bool cop__order_better(const cop_order_result *a, const cop_order_result *b)
{
	if (a->fits != b->fits) return a->fits;
	if (a->fits && a->bytes != b->bytes) return a->bytes < b->bytes;
	return a->lost < b->lost;
}

const char *cop__order_path(char out[1024], const char *base, int32_t k)
{
	snprintf(out, 1024, k ? "%.1000s.order%d" : "%.1000s", base, k);
	return out;
}
