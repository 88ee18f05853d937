/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans of every network of the zoo, inference and training, checked by simulation and not by the planner's own notion
 * of lifetimes (simulate.h). And the arena may not be larger than 1.05 times the largest live set.
 */
#include "plan/simulate.h"

#include "pass/pass.h"

static void check_plan(cop_ctx *cx, cop_graph *const *entry, int n, bool late, const char *net, const char *what)
{
	cop_target t;
	cop_plan *p;

	OK(cx, cop_target_find(&t, cx, "host"));
	t.threads = 2;
	t.late_updates = late;
	OK(cx, cop_plan_build(&p, entry, n, &t));
	simulate(p, net);
	for (int e = 0; e < n; e++) {
		double ratio = (double)p->entry[e].arena / (double)p->entry[e].live;
		print_message("%-24s %-20s arena %10zu  live %10zu  %.4f\n", net, what, p->entry[e].arena, p->entry[e].live, ratio);
		if (ratio > 1.05) fail_msg("%s, %s: the arena is %.3f times the largest live set", net, what, ratio);
	}
	cop_plan_free(p);
}

static void check_net(cop_ctx *cx, const char *name, int batch)
{
	cop_graph *model, *fused, *train;
	cop_type in, out;

	cop_zoo_args args = {.batch = batch, .seed = 1};
	cop_status st = cop_zoo_build(&model, cx, name, &args);
	if (st) fail_msg("%s: %s", name, cop_error_text(cx));
	for (int32_t v = 1; v <= model->n_value; v++) model->value[v].data = NULL; /* addresses need no weights, and vgg-16 has half a gigabyte */
	OK(cx, cop__pass_deploy(&fused, model));
	check_plan(cx, &fused, 1, false, name, "inference");
	OK(cx, cop_graph_io(model, &in, &out));
	OK(cx, cop_graph_train(&train, model, out.rank == 2 && !strstr(name, "autoencoder") ? "loss=xent" : "loss=mse"));
	check_plan(cx, &train, 1, false, name, "training");
	check_plan(cx, &train, 1, true, name, "training, updates late");
	cop_graph_free(train);
	cop_graph_free(fused);
	cop_graph_free(model);
}

static void whole_zoo(void **state)
{
	(void)state;
	const char *name, *summary;
	for (int i = 0; (name = cop_zoo_name(i, &summary)); i++) {
		cop_ctx *cx = new_ctx();
		check_net(cx, name, 2);
		cop_ctx_free(cx);
	}
}

/* Random spans with a known largest live set: the packer may not be far from it, and pieces may not overlap. */
static void random_spans(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (uint32_t round = 0; round < 50; round++) {
		cop_span s[40];
		size_t arena, live;
		for (uint32_t i = 0; i < 40; i++) {
			int32_t from = (int32_t)(cop__rand(round, i, 0) % 50);
			s[i] = (cop_span){.bytes = 64 * (cop__rand(round, i, 1) % 32), .from = from, .to = from + (int32_t)(cop__rand(round, i, 2) % 12)};
		}
		OK(cx, cop__pack_spans(&arena, &live, cx, s, 40, 64));
		assert_true(arena >= live && (double)arena <= 1.2 * (double)live);
		for (int i = 0; i < 40; i++)
			for (int j = 0; j < i; j++) {
				bool meet = s[i].from <= s[j].to && s[j].from <= s[i].to;
				assert_false(meet && s[i].bytes && s[j].bytes && s[i].off < s[j].off + s[j].bytes && s[j].off < s[i].off + s[i].bytes);
			}
	}
	cop_ctx_free(cx);
}

/* Does piece b begin behind what of piece a must not be shared? */
static bool clear(const cop_span *s, int a, int b)
{
	return s[b].off >= s[a].off + (s[a].over == b + 1 ? COP_MIN(s[a].ahead, s[a].bytes) : s[a].bytes);
}

/* Chains in which a piece may lie over the one before it, with a head start: nothing else shares a byte. */
static void random_overlaps(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	int shared = 0;

	for (uint32_t round = 0; round < 200; round++) {
		cop_span s[24] = {0};
		size_t arena, live;
		for (uint32_t i = 0; i < 24; i++) {
			bool over = i && cop__rand(round, i, 3) % 2;
			int32_t from = over ? s[i - 1].to : (int32_t)(cop__rand(round, i, 0) % 20);
			s[i] = (cop_span){.bytes = 64 * (1 + cop__rand(round, i, 1) % 32), .from = from, .to = from + 1 + (int32_t)(cop__rand(round, i, 2) % 4)};
			if (over) s[i].over = (int32_t)i, s[i].ahead = 64 * (cop__rand(round, i, 4) % 24);
		}
		OK(cx, cop__pack_spans(&arena, &live, cx, s, 24, 64));
		for (int i = 0; i < 24; i++)
			for (int j = 0; j < i; j++) {
				if (s[i].from > s[j].to || s[j].from > s[i].to) continue;
				assert_true(clear(s, i, j) || clear(s, j, i));
				shared += s[i].off < s[j].off + s[j].bytes && s[j].off < s[i].off + s[i].bytes;
			}
	}
	print_message("%d pieces lie over others\n", shared);
	assert_true(shared > 100);
	cop_ctx_free(cx);
}

/* The kernel of a step on buffers of its own, with the scratch and the packed weight that it wants. */
static void run_apart(const cop_step *st, void *const *buf)
{
	size_t room = st->kernel->work ? st->kernel->work(st->word) : 0, size = st->kernel->pack ? st->kernel->pack_bytes(st->word) : 0;
	void *work = aligned_alloc(64, (room + 64) & ~(size_t)63), *pack = aligned_alloc(64, (size + 64) & ~(size_t)63);

	if (st->kernel->pack) st->kernel->pack(&(cop_call){buf, st->word, pack, NULL, 0, 1});
	st->kernel->fn(&(cop_call){buf, st->word, work, pack, 0, 1});
	free(work);
	free(pack);
}

/* One node on its own: its result over its first input gives the bits of separate buffers. Returns whether they shared bytes. */
static bool overlapped(cop_ctx *cx, cop_graph *g, cop_nid n)
{
	cop_plan *p;
	cop_session *s;
	cop_target t;
	cop_tensor out, in;
	void *buf[COP_MAX_BUF] = {0};
	int n_out = cop__op(g, n)->n_out;

	OK(cx, cop__output(g, g->node[n].out[0], "y"));
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.ram = t.flash = t.isa = 0;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	const cop_step *st = &p->entry[0].step[0];
	if (!st->kernel->ahead) return cop_plan_free(p), false;
	simulate(p, st->kernel->symbol);
	OK(cx, cop_session_new(&s, p, 1));
	size_t bytes = cop_type_bytes(cop__outt(g, n, 0)), sum = bytes;
	buf[0] = aligned_alloc(64, (bytes + 64) & ~(size_t)63);
	for (int i = 0; i < g->node[n].n_in; i++) {
		cop_vid v = g->node[n].in[i];
		size_t size = cop_type_bytes(cop__t(g, v));
		buf[n_out + i] = aligned_alloc(64, (size + 64) & ~(size_t)63);
		fill_value(g, v, buf[n_out + i], v);
		if (g->value[v].role != COP_INPUT) continue;
		sum += size;
		OK(cx, cop_session_tensor(s, 0, g->value[v].name, &in));
		memcpy(in.data, buf[n_out + i], size);
	}
	run_apart(st, buf);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_io(s, 0, 0, true, &out));
	if (memcmp(out.data, buf[0], bytes)) fail_msg("%s: its result over its input differs", st->kernel->symbol);
	bool shared = p->bytes[COP_SEG_ARENA] < sum;
	for (int i = 0; i < COP_MAX_BUF; i++) free(buf[i]);
	cop_session_free(s);
	cop_plan_free(p);
	return shared;
}

static void overlap(void **state)
{
	(void)state;
	int shared = 0, all = 0;
	for (int i = 1; i < COP_N_OP; i++)
		for (int which = 0;; which++, all++) {
			cop_ctx *cx = new_ctx();
			cop_graph *g;
			OK(cx, cop__graph_new(&g, cx, "sample"));
			cop_nid n = cop_ops[i]->sample(g, which);
			OK(cx, cx->code);
			if (n && !(cop_ops[i]->flags & (COP_OP_VIEW | COP_OP_UPDATE))) shared += overlapped(cx, g, n);
			cop_graph_free(g);
			cop_ctx_free(cx);
			if (!n) break;
		}
	print_message("%d of %d samples share bytes\n", shared, all);
	assert_true(shared > 50);
}

/* Bytes in use at the worst moment of an order: by its own notion of who still has readers. */
static size_t peak_of(const cop_graph *g, const cop_nid *order)
{
	size_t peak = 0;

	for (int32_t at = 0; at < g->n_node; at++) {
		size_t live = 0;
		for (int32_t v = 1; v <= g->n_value; v++) {
			int32_t made = -1, last = g->output[0] == (cop_vid)v ? g->n_node : -1;
			for (int32_t i = 0; i < g->n_node; i++) {
				if (g->value[v].producer == order[i]) made = i;
				for (int k = 0; k < g->node[order[i]].n_in; k++)
					if (g->node[order[i]].in[k] == (cop_vid)v) last = COP_MAX(last, i);
			}
			if (made <= at && at <= COP_MAX(last, made)) live += cop_type_bytes(cop__t(g, (cop_vid)v));
		}
		peak = COP_MAX(peak, live);
	}
	return peak;
}

static size_t best_order(const cop_graph *g, cop_nid *order, int32_t at)
{
	size_t best = SIZE_MAX;

	if (at == g->n_node) return peak_of(g, order);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		bool ready = true;
		for (int32_t i = 0; i < at; i++) ready &= order[i] != n;
		for (int k = 0; k < g->node[n].n_in; k++) {
			cop_nid by = g->value[g->node[n].in[k]].producer;
			bool there = !by;
			for (int32_t i = 0; i < at; i++) there |= order[i] == by;
			ready &= there;
		}
		if (!ready) continue;
		order[at] = n;
		best = COP_MIN(best, best_order(g, order, at + 1));
	}
	return best;
}

/* Random branching graphs: the order found has the lowest peak of all orders. */
static void exact_orders(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g;
		cop_vid v[10];
		cop_nid order[16];
		cop_type t = cop__type(COP_F32, 1, DIMS(40));
		OK(cx, cop__graph_new(&g, cx, "random"));
		v[0] = cop__input(g, "x", &t);
		for (uint32_t i = 1; i < 7; i++) { /* parts of what is there, and pairs put together */
			cop_vid a = v[cop__rand(round, i, 1) % i], b = v[cop__rand(round, i, 2) % i];
			if (i % 3) v[i] = cop__apply(g, OP_slice, &(cop_slice_attr){.size = {1 + (int32_t)(cop__rand(round, i, 3) % (uint32_t)cop__t(g, a)->dim[0])}}, VIDS(a));
			else v[i] = cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(a, b));
		}
		cop_vid all = cop__apply(g, OP_concat, &(cop_concat_attr){0}, VIDS(v[3], v[4], v[5], v[6]));
		OK(cx, cop__output(g, all, "y"));
		cop_nid found[16];
		OK(cx, cop__schedule(found, g, false));
		assert_int_equal(peak_of(g, found), best_order(g, order, 0));
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

static cop_vid part_of(cop_graph *g, cop_vid x, int32_t n) { return cop__apply(g, OP_slice, &(cop_slice_attr){.size = {n}}, VIDS(x)); }

/* A chain of 16 values of 100 numbers. Of each, two parts of 10 are needed much later, as their sum, and should be taken as soon as the next value is there: together they take 20 and
 * free 100, but the first of them alone frees nothing. Three values of 150 could wait, but their nodes come first: a choice among the first four nodes meets no part. */
static void last_readers_together(void **state)
{
	enum { LINKS = 16, NODES = 128 };
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_vid x[LINKS + 1], other[3], sum = 0;
	cop_nid found[NODES];
	cop_type one = cop__type(COP_F32, 1, DIMS(1)), t = cop__type(COP_F32, 1, DIMS(100));
	(void)state;

	OK(cx, cop__graph_new(&g, cx, "chain"));
	cop_vid small = cop__input(g, "small", &one);
	x[0] = cop__input(g, "x", &t);
	for (int i = 0; i < 3; i++) other[i] = cop__apply(g, OP_pad, &(cop_pad_attr){.after = {149}}, VIDS(small));
	for (int i = 0; i < LINKS; i++) x[i + 1] = part_of(g, x[i], 100);
	for (int i = LINKS; i > 0; i--) {
		cop_vid kept = part_of(g, x[i], 10), more = part_of(g, x[i], 10);
		cop_vid both = cop__apply(g, OP_add, NULL, VIDS(kept, more));
		sum = sum ? cop__apply(g, OP_add, NULL, VIDS(sum, both)) : both;
	}
	for (int i = 0; i < 3; i++) sum = cop__apply(g, OP_add, NULL, VIDS(sum, part_of(g, other[i], 10)));
	OK(cx, cop__output(g, sum, "y"));
	assert_in_range(g->n_node, 65, NODES); /* too many for the search of all orders */
	OK(cx, cop__schedule(found, g, false));
	assert_int_equal(peak_of(g, found), (2 * 100 + 20 + 10 * (LINKS - 2) + 1) * sizeof(float)); /* two links, the parts of one, the sums of those before, and `small` */
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* What does not fit is refused, with the layer of the peak. */
static void budget(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_plan *p;
	cop_target t;
	cop_zoo_args args = {.batch = 1, .seed = 1};

	OK(cx, cop_zoo_build(&g, cx, "lenet-5", &args));
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.ram = 10000;
	assert_int_equal(cop_plan_build(&p, &g, 1, &t), COP_BUDGET);
	assert_null(p);
	assert_non_null(strstr(cop_error_text(cx), "too many"));
	if (!strstr(cop_error_text(cx), "conv1.w")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	t.ram = 0;
	t.flash = 1000;
	assert_int_equal(cop_plan_build(&p, &g, 1, &t), COP_BUDGET);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_spans), cmocka_unit_test(random_overlaps), cmocka_unit_test(budget), cmocka_unit_test(overlap), cmocka_unit_test(exact_orders), cmocka_unit_test(last_readers_together), cmocka_unit_test(whole_zoo)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
