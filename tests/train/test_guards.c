/* SPDX-License-Identifier: Apache-2.0
 *
 * A block that is skipped while a network is trained: with guard 0 the rest becomes, bit for bit, what it becomes without the block, and the block
 * stays as it is; with guard 1 all of it becomes what it becomes without a guard. On networks drawn at random, of several kinds of blocks.
 */
#include "help.h"
#include "op/grad.h"
#include "train/policy.h"

enum { BATCH = 4, WIDTH = 6, NETS = 12, STEPS = 3 };
static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, COP_NO_HI};

typedef struct net { cop_graph *g; uint32_t seed; int n; bool with; cop_vid block; } net;

static cop_vid weight(net *x, const char *stem, cop_role role, int32_t rank, const int32_t *dim, float around)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	float w[1024];
	char name[32];

	snprintf(name, sizeof name, "%s.%d", stem, x->n++);
	for (int64_t i = 0; i < cop_type_count(&t); i++) w[i] = around + cop__rand_normal(x->seed, cop__hash_text(name), (uint64_t)i) / 3;
	return cop__data(x->g, role, name, &t, w);
}

static cop_vid fc(net *x, cop_vid in, const char *stem)
{
	cop_vid w = weight(x, stem, COP_PARAM, 2, DIMS(WIDTH, WIDTH), 0);
	return cop__apply(x->g, OP_fc, &none, VIDS(in, w, weight(x, stem, COP_PARAM, 1, DIMS(WIDTH), 0)));
}

static cop_vid norm(net *x, cop_vid in, const char *stem)
{
	const cop_bn_attr a = {1e-5f, 0.1f, COP_NO_LO, COP_NO_HI};
	cop_vid gamma = weight(x, stem, COP_PARAM, 1, DIMS(WIDTH), 1), beta = weight(x, stem, COP_PARAM, 1, DIMS(WIDTH), 0);
	cop_vid mean = weight(x, stem, COP_STATE, 1, DIMS(WIDTH), 0), var = weight(x, stem, COP_STATE, 1, DIMS(WIDTH), 4);
	return cop__apply(x->g, OP_bn, &a, VIDS(in, gamma, beta, mean, var));
}

/* Up to three layers, and perhaps a shortcut of its own within, which hands its gradient on as it is. */
static cop_vid block(net *x, cop_vid in)
{
	cop_vid y = in;
	int layers = 1 + (int)(cop__rand(x->seed, 1, 0) % 3);

	for (int i = 0; i < layers; i++) {
		uint32_t kind = cop__rand(x->seed, 2, (uint64_t)i) % 4;
		y = fc(x, y, "skip");
		if (kind == 1) y = norm(x, y, "skip");
		if (kind == 2) y = cop__apply(x->g, OP_clip, &relu, VIDS(y));
		if (kind == 3) y = cop__apply(x->g, OP_tanh, NULL, VIDS(y));
	}
	return cop__rand(x->seed, 3, 0) % 2 ? cop__apply(x->g, OP_add, &none, VIDS(y, in)) : y;
}

static void make(net *x, cop_ctx *cx, uint32_t seed, bool with)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(BATCH, WIDTH));

	*x = (net){.seed = seed, .with = with};
	OK(cx, cop__graph_new(&x->g, cx, "skipped"));
	cop_vid y = fc(x, cop__input(x->g, "x", &t), "rest");
	if (seed % 3) y = norm(x, y, "rest");
	if (seed % 2) y = cop__apply(x->g, OP_clip, &relu, VIDS(y));
	x->n = 10;
	if (with) x->block = block(x, y), y = cop__apply(x->g, OP_add, &none, VIDS(y, x->block));
	x->n = 40;
	OK(cx, cop__output(x->g, fc(x, y, "rest"), "y"));
	OK(cx, cx->code);
}

/* A few steps; guard -1: there is none. */
static void train(cop_ctx *cx, net *x, int guard, const char *spec, bool apart)
{
	cop_build *b;
	cop_trainer *t;
	cop_tensor in, label, open;
	cop_handle h = 0;

	OK(cx, cop__build_new(&b, x->g, 0, 0));
	OK(cx, cop__build_spec(b, spec));
	if (guard >= 0) assert_true(h = cop__build_guard(b, x->block));
	OK(cx, cop__trainer_new(&t, b, 1, apart));
	if (guard >= 0) {
		OK(cx, cop__trainer_tensor(t, h, &open));
		*(int32_t *)open.data = guard;
	}
	for (uint32_t step = 0; step < STEPS; step++) {
		OK(cx, cop_trainer_input(t, 0, &in));
		OK(cx, cop_trainer_input(t, 1, &label));
		for (int i = 0; i < BATCH * WIDTH; i++) ((float *)in.data)[i] = cop__rand_normal(step, 9, (uint64_t)i);
		for (int i = 0; i < BATCH; i++) ((int32_t *)label.data)[i] = (int32_t)(cop__rand(step, 8, (uint64_t)i) % WIDTH);
		if (apart) {
			OK(cx, cop_trainer_gradients(t, NULL));
			OK(cx, cop_trainer_update(t, 0.05f));
		} else {
			OK(cx, cop_trainer_step(t, 0.05f, NULL));
		}
	}
	OK(cx, cop_trainer_pull(t, x->g));
	cop_trainer_free(t);
}

/* Values of a that b has too; those of the block, where `moved` says whether they may differ from b's. */
static void compare(const net *a, const net *b, const char *stem, bool same, const char *what)
{
	bool any = false, differ = false;

	for (int32_t v = 1; v <= a->g->n_value; v++) {
		const cop_value *x = &a->g->value[v];
		if (x->role < COP_PARAM || strncmp(x->name, stem, strlen(stem))) continue;
		cop_vid w = cop__find(b->g, x->name);
		assert_true(w);
		any = true;
		bool other = memcmp(x->data, b->g->value[w].data, cop_type_bytes(&x->type)) != 0;
		if (same && other) fail_msg("%s, network %d: '%s' has other bits", what, (int)a->seed, x->name);
		differ |= other;
	}
	assert_true(any && (same || differ));
}

static const char *const specs[] = {"momentum=0.9 decay=0.01", "update=adam clip=0.5", "update=lion", "update=schedule-free-adamw decay=0.01", "update=prodigy",
	"update=adam by=(sgd lr=1e-3)", "sgd per=weight by=(sgd lr=1e-3)", "momentum=0.9 saved=exact", "momentum=0.9 saved=int8-all"};
/* All but the last: what a layer reads has another range without the block, and is rounded otherwise. */
enum { EXACT = LEN(specs) - 1 };

static void skipped(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (uint32_t seed = 0; seed < NETS; seed++)
		for (int s = 0; s < EXACT; s++)
			for (int apart = 0; apart < 2; apart++) {
				net with, without, fresh;
				make(&with, cx, seed, true);
				make(&without, cx, seed, false);
				make(&fresh, cx, seed, true);
				train(cx, &with, 0, specs[s], apart);
				train(cx, &without, -1, specs[s], false);
				compare(&without, &with, "rest", true, specs[s]);
				compare(&with, &fresh, "skip", true, specs[s]);
				compare(&with, &fresh, "rest", false, "the rest");
				cop_graph_free(with.g);
				cop_graph_free(without.g);
				cop_graph_free(fresh.g);
			}
	cop_ctx_free(cx);
}

static void open(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (uint32_t seed = 0; seed < NETS; seed++)
		for (int s = 0; s < LEN(specs); s++)
			for (int apart = 0; apart < 2; apart++) {
				net guarded, plain, fresh;
				make(&guarded, cx, seed, true);
				make(&plain, cx, seed, true);
				make(&fresh, cx, seed, true);
				train(cx, &guarded, 1, specs[s], apart);
				train(cx, &plain, -1, specs[s], false);
				compare(&guarded, &plain, "", true, specs[s]);
				compare(&guarded, &fresh, "skip", false, "the block");
				cop_graph_free(guarded.g);
				cop_graph_free(plain.g);
				cop_graph_free(fresh.g);
			}
	cop_ctx_free(cx);
}

/* Guards within each other, and of what is not computed. */
static void refused(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	net x;
	cop_build *b;
	make(&x, cx, 5, true);
	OK(cx, cop__build_new(&b, x.g, 0, 0));
	assert_true(cop__build_guard(b, x.block));
	assert_false(cop__build_guard(b, x.block));
	assert_non_null(strstr(cop_error_text(cx), "within each other"));
	cop_error_clear(cx);
	assert_false(cop__build_guard(b, cop__build_model(b)->input[0]));
	cop_error_clear(cx);
	cop__build_free(b);
	cop_graph_free(x.g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(skipped), cmocka_unit_test(open), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
