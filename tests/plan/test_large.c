/* SPDX-License-Identifier: Apache-2.0
 *
 * What grows faster than its input is found by size: 10,000 buffers that are live at once, a chain of 20,000 nodes and a history of
 * 20,000 layers take well under a second each; anything quadratic takes many.
 */
#include "help.h"
#include "compress/history.h"
#include "plan/place.h"

#include <time.h>

enum { LIVE = 10000, NODES = 20000, MOST_SECONDS = 5 }; /* a busy machine, or one with sanitizers */

static double begun;

static void begin(void) { begun = (double)clock() / CLOCKS_PER_SEC; }
static void end(const char *what)
{
	double s = (double)clock() / CLOCKS_PER_SEC - begun;
	print_message("%s: %.2f s\n", what, s);
	if (s > MOST_SECONDS) fail_msg("%s took %.1f s", what, s);
}

/* Pieces of all sizes and lives. */
static void many_spans(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_span *s = calloc(2 * LIVE, sizeof *s);
	size_t arena, live, used = 0;
	(void)state;

	for (int32_t i = 0; i < 2 * LIVE; i++) {
		int32_t from = (int32_t)(cop__rand(1, 0, (uint64_t)i) % NODES), long_ = i % 2 ? NODES : 5;
		s[i] = (cop_span){.bytes = 16 * (1 + cop__rand(1, 1, (uint64_t)i) % 500), .from = from, .to = COP_MIN(NODES - 1, from + (int32_t)(cop__rand(1, 2, (uint64_t)i) % (uint32_t)long_))};
	}
	begin();
	OK(cx, cop__pack_spans(&arena, &live, cx, s, 2 * LIVE, NODES));
	end("20,000 pieces, thousands of them at once");
	print_message("arena %zu, live %zu, %.3f\n", arena, live, (double)arena / (double)live);
	assert_true(arena >= live && (double)arena < 1.1 * (double)live);
	for (int32_t t = 0; t < NODES; t += 997) /* what is live there shares no byte: their sum fits between the ends */
		for (int32_t i = 0; i < 2 * LIVE; i++)
			for (int32_t j = i + 1; s[i].from <= t && t <= s[i].to && j < COP_MIN(i + 500, 2 * LIVE); j++)
				if (s[j].from <= t && t <= s[j].to && s[i].off < s[j].off + s[j].bytes && s[j].off < s[i].off + s[i].bytes) used++;
	assert_int_equal(used, 0);
	free(s);
	cop_ctx_free(cx);
}

/* The lowest place among pieces with gaps between them, most of which are live at once: the same as by looking at each. */
static void lowest_place(void **state)
{
	enum { PLACED = 1500, ASKED = 300 };
	cop_ctx *cx = new_ctx();
	cop_span *s = calloc(PLACED + ASKED, sizeof *s);
	cop_arena mem;
	cop_shelf shelf;
	int between = 0;
	(void)state;

	cop__arena_init(&mem, cx);
	OK(cx, cop__shelf_make(&shelf, &mem, s, PLACED + ASKED));
	for (int32_t i = 0, off = 0; i < PLACED + ASKED; i++) {
		uint32_t r = cop__rand(5, 0, (uint64_t)i);
		s[i] = (cop_span){.bytes = 16 * (1 + r % 64), .from = r % 7 ? 0 : 40, .to = r % 5 ? 100 : 60};
		if (i >= PLACED) continue;
		off += 16 * (int32_t)(cop__rand(5, 1, (uint64_t)i) % 8 ? 0 : cop__rand(5, 2, (uint64_t)i) % 64);
		s[i].off = (size_t)off;
		off += (int32_t)s[i].bytes;
		cop__shelf_put(&shelf, i);
	}
	for (int32_t i = PLACED; i < PLACED + ASKED; i++) {
		size_t best = SIZE_MAX, got = cop__shelf_lowest(&shelf, i, -1);
		for (int32_t at = -1; at < PLACED; at++) { /* it begins at 0, or where a piece ends */
			size_t off = at < 0 ? 0 : s[at].off + s[at].bytes;
			bool is_free = off < best;
			for (int32_t k = 0; k < PLACED && is_free; k++)
				is_free = s[k].from > s[i].to || s[i].from > s[k].to || s[k].off >= off + s[i].bytes || off >= s[k].off + s[k].bytes;
			if (is_free) best = off;
		}
		if (got != best) fail_msg("%zu bytes are placed at %zu, there is room at %zu", s[i].bytes, got, best);
		between += best < s[PLACED - 1].off;
	}
	assert_true(between > ASKED / 2);
	cop__arena_free(&mem);
	free(s);
	cop_ctx_free(cx);
}

/* y1 = tanh x, y2 = tanh y1, ...; then their sum, from the last one on: all of them are live in the middle. */
static void many_live(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_vid *y = calloc(LIVE + 1, sizeof *y), sum;
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 8));
	cop_target target;
	cop_graph *g;
	cop_plan *p;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "live"));
	y[0] = cop__input(g, "x", &t);
	for (int i = 1; i <= LIVE; i++) y[i] = cop__apply(g, OP_tanh, NULL, VIDS(y[i - 1]));
	sum = y[LIVE];
	for (int i = LIVE - 1; i > 0; i--) sum = cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(sum, y[i]));
	OK(cx, cop__output(g, sum, "y"));
	OK(cx, cop_target_find(&target, cx, "host"));
	target.isa = 0;
	begin();
	OK(cx, cop_plan_build(&p, &g, 1, &target));
	end("a plan with 10,000 live buffers");
	assert_int_equal(cop_plan_live(p), p->bytes[COP_SEG_ARENA]);
	assert_true(cop_plan_live(p) >= (size_t)LIVE * 32);
	cop_plan_free(p);
	cop_graph_free(g);
	free(y);
	cop_ctx_free(cx);
}

static void many_layers(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_type t = cop__type(COP_F32, 2, DIMS(2, 2)), xt = cop__type(COP_F32, 2, DIMS(1, 2));
	cop_train_args a = {0};
	cop_history h;
	cop_target target;
	cop_graph *g;
	cop_plan *p;
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "layers"));
	begin();
	cop_vid x = cop__input(g, "x", &xt);
	for (int i = 0; i < NODES; i++) {
		float w[4] = {0.5f, 1, 0, (float)i};
		char name[32];
		snprintf(name, sizeof name, "layer%d.w", i);
		x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, name, &t, w)));
	}
	OK(cx, cop__output(g, x, "y"));
	end("20,000 layers made");
	cop__history_begin(&h, cx, "r", &a);
	begin();
	OK(cx, cop__history_layers(&h, g, g));
	end("20,000 layers in a history");
	cop__history_free(&h);
	begin();
	OK(cx, cop_graph_apply(&g, "dce to_infer fuse shrink batch:n=2"));
	end("20,000 layers through passes");
	OK(cx, cop_target_find(&target, cx, "host"));
	begin();
	OK(cx, cop_plan_build(&p, &g, 1, &target));
	end("20,000 layers planned");
	cop_plan_free(p);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(many_spans), cmocka_unit_test(lowest_place), cmocka_unit_test(many_live), cmocka_unit_test(many_layers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
