/* SPDX-License-Identifier: Apache-2.0
 *
 * The knapsack: with up to 8 lots of up to 4 levels it finds what trying everything finds, for one resource and for several; and what it chooses of large ones
 * is allowed.
 */
#include "core/knapsack.h"
#include "help.h"

#include <math.h>

enum { MOST_LOTS = 24 };
typedef struct problem { cop_sack s; cop_lot lot[MOST_LOTS]; cop_pick level[MOST_LOTS][4]; } problem;

static uint64_t at;
static double draw(void) { return (double)cop__rand(77, 1, at++) / 4294967296.0; }

static void make(problem *p, int lots, int resources)
{
	*p = (problem){.s = {p->lot, lots, resources, {0}}};
	for (int i = 0; i < lots; i++) {
		p->lot[i] = (cop_lot){p->level[i], 1 + (int32_t)(draw() * 4)};
		for (int k = 0; k < p->lot[i].n; k++) {
			p->level[i][k].damage = floor(draw() * 20);
			for (int r = 0; r < resources; r++) p->level[i][k].price[r] = floor(draw() * 40) - 10;
		}
	}
	for (int r = 0; r < resources; r++) p->s.limit[r] = floor((draw() * 16 - 1) * lots);
}

/* The least damage of all choices that fit; INFINITY: none does. */
static double try_all(const problem *p, int lot, double damage, const double *price)
{
	double best = INFINITY;

	if (lot == p->s.n_lot) {
		for (int r = 0; r < p->s.n_resource; r++)
			if (price[r] > p->s.limit[r]) return INFINITY;
		return damage;
	}
	for (int k = 0; k < p->lot[lot].n; k++) {
		double next[COP_MOST_RESOURCES];
		for (int r = 0; r < p->s.n_resource; r++) next[r] = price[r] + p->level[lot][k].price[r];
		best = fmin(best, try_all(p, lot + 1, damage + p->level[lot][k].damage, next));
	}
	return best;
}

/* The choice adds up to what is said of it, and keeps the limits. */
static void check(const problem *p, const int32_t *choice, double said)
{
	double damage = 0, price[COP_MOST_RESOURCES] = {0};

	for (int i = 0; i < p->s.n_lot; i++) {
		assert_in_range(choice[i], 0, p->lot[i].n - 1);
		damage += p->level[i][choice[i]].damage;
		for (int r = 0; r < p->s.n_resource; r++) price[r] += p->level[i][choice[i]].price[r];
	}
	assert_true(damage == said);
	for (int r = 0; r < p->s.n_resource; r++) assert_true(price[r] <= p->s.limit[r]);
}

static void small(void **state)
{
	cop_ctx *cx = *state;
	static problem p;
	int none = 0, some = 0;

	for (int i = 0; i < 600; i++) {
		const double zero[COP_MOST_RESOURCES] = {0};
		int32_t choice[MOST_LOTS];
		double damage;
		make(&p, 1 + i % 8, 1 + i / 8 % 4);
		double want = try_all(&p, 0, 0, zero);
		cop_status st = cop__knapsack(choice, &damage, cx, &p.s);
		assert_int_equal(st, isinf(want) ? COP_BUDGET : COP_OK);
		if (st) { none++; continue; }
		some++;
		assert_true(damage == want);
		check(&p, choice, damage);
	}
	assert_true(none > 50 && some > 200);
}

/* More choices than there is room for: what is found fits, and is at most a little worse than what the same lots find without the second limit. */
static void large(void **state)
{
	cop_ctx *cx = *state;
	static problem p;
	int32_t choice[MOST_LOTS];
	double both, one;

	for (int i = 0; i < 3; i++) {
		make(&p, MOST_LOTS, 3);
		for (int r = 0; r < 3; r++) p.s.limit[r] = 9 * MOST_LOTS;
		assert_int_equal(cop__knapsack(choice, &both, cx, &p.s), COP_OK);
		check(&p, choice, both);
		p.s.n_resource = 1;
		assert_int_equal(cop__knapsack(choice, &one, cx, &p.s), COP_OK);
		check(&p, choice, one);
		assert_true(one <= both);
	}
}

static int open_ctx(void **state) { return *state = new_ctx(), 0; }
static int close_ctx(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(small), cmocka_unit_test(large)};
	return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
