/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights of which the part of some input channels is trained: steps against PyTorch's with masks, what a plan reserves, the way there and back, and what
 * is refused. Those of int8 are in test_int8.c.
 */
#include "help.h"
#include "pass/pass.h"
#include "train/parts_reference.h"

#define SPEC "sgd momentum=0.9 decay=0 channels=c*:0.5;dw:0.5;fc:0.25"
#define REF(name) {#name, ref_##name, ref_##name##_after, ref_##name##_channels, LEN(ref_##name), LEN(ref_##name##_channels)}
static const struct weight { const char *name; const float *before, *after; const int32_t *channel; int count, channels; } weights[] = {REF(c1), REF(dw), REF(c2), REF(fc)};
static const cop_conv_attr padded = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, COP_NO_HI}, plain = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_vid weight(cop_graph *g, int i, int rank, const int32_t *dim)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	return cop__data(g, COP_PARAM, weights[i].name, &t, weights[i].before);
}

/* That of make_parts_reference.py. */
static cop_graph *net(cop_ctx *cx)
{
	cop_type t = cop__type(COP_F32, 4, DIMS(2, 6, 6, 4));
	cop_conv_attr depthwise = padded;
	cop_graph *g;

	depthwise.groups = 6;
	OK(cx, cop__graph_new(&g, cx, "parts"));
	cop_vid x = cop__apply(g, OP_conv, &padded, VIDS(cop__input(g, "x", &t), weight(g, 0, 4, DIMS(6, 3, 3, 4))));
	x = cop__apply(g, OP_conv, &depthwise, VIDS(x, weight(g, 1, 4, DIMS(6, 3, 3, 1))));
	cop_vid y = cop__apply(g, OP_conv, &plain, VIDS(x, weight(g, 2, 4, DIMS(5, 1, 1, 6))));
	x = cop__apply(g, OP_slice, &(cop_slice_attr){.size = {0, 0, 0, 3}, .step = {1, 1, 1, 1, 1, 1}}, VIDS(x));
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){.kh = 6, .kw = 6, .sh = 1, .sw = 1}, VIDS(cop__apply(g, OP_concat, &(cop_concat_attr){3}, VIDS(y, x))));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {2, 8}}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(x, weight(g, 3, 2, DIMS(3, 8)))), "y"));
	OK(cx, cop_graph_verify(g));
	return g;
}

static void three_steps(cop_ctx *cx, cop_graph *g, const char *spec)
{
	cop_trainer *t;
	cop_tensor x;

	OK(cx, cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 2, .threads = 2, .spec = spec}));
	for (int i = 0; i < 3; i++) {
		OK(cx, cop_trainer_input(t, 0, &x));
		memcpy(x.data, ref_x, sizeof ref_x);
		OK(cx, cop_trainer_input(t, 1, &x));
		((int32_t *)x.data)[0] = 2, ((int32_t *)x.data)[1] = 0;
		OK(cx, cop_trainer_step(t, 0.1f, NULL));
	}
	OK(cx, cop_trainer_pull(t, g));
	cop_trainer_free(t);
}

/* Three steps with momentum: what is trained is where PyTorch has it, what is not keeps its bits. */
static void steps_are_those_of_pytorch(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *was = net(cx), *g = net(cx);
	int32_t n;

	OK(cx, cop_graph_trainable(&g, SPEC, &n));
	assert_int_equal(n, LEN(weights));
	three_steps(cx, g, SPEC);
	OK(cx, cop_graph_settle(&g));
	assert_int_equal(g->n_node, was->n_node);
	for (int i = 0; i < LEN(weights); i++) {
		const struct weight *w = &weights[i];
		cop_vid v = cop__find(g, w->name);
		const float *now = cop__floats(g, v);
		int moved = 0;
		assert_int_equal(g->value[v].role, COP_PARAM);
		for (int k = 0; k < w->count; k++) {
			if (w->after[k] == w->before[k]) assert_memory_equal(&now[k], &w->before[k], sizeof *now);
			else moved++;
			if (!(fabsf(now[k] - w->after[k]) <= 2e-6f)) fail_msg("%s, element %d: %.8g, PyTorch %.8g", w->name, k, (double)now[k], (double)w->after[k]);
		}
		assert_true(moved > 0);
	}
	cop_graph_free(was);
	cop_graph_free(g);
}

/* The list of each weight, and what lies where: the whole is a constant, the part a parameter of so many channels. */
static void the_largest_channels_are_taken(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);
	int32_t n;
	char name[32];

	OK(cx, cop_graph_trainable(&g, SPEC, &n));
	for (int i = 0; i < LEN(weights); i++) {
		const struct weight *w = &weights[i];
		assert_int_equal(g->value[cop__find(g, w->name)].role, COP_CONST);
		snprintf(name, sizeof name, "%s.part", w->name);
		assert_int_equal(g->value[cop__find(g, name)].role, COP_PARAM);
		snprintf(name, sizeof name, "%s.channels", w->name);
		assert_int_equal(cop__t(g, cop__find(g, name))->dim[0], w->channels);
		assert_memory_equal(cop__ints(g, cop__find(g, name)), w->channel, sizeof *w->channel * (size_t)w->channels);
	}
	cop_graph_free(g);
}

/* A network is trained as ever beside a part: the other weights get what they would get, and a rate of the weight is one of its part. */
static void a_part_goes_by_the_name_of_its_weight(void **state)
{
	static const char *const spec[] = {"sgd decay=0 momentum=0 layers=c1|fc channels=c1:0.5", "sgd decay=0 momentum=0 rates=c1:0;*:1 channels=c1:0.5"};
	static const bool moves[][LEN(weights)] = {{true, false, false, true}, {false, true, true, true}};
	cop_ctx *cx = *state;

	for (int s = 0; s < LEN(spec); s++) {
		cop_graph *g = net(cx);
		int32_t n;
		OK(cx, cop_graph_trainable(&g, spec[s], &n));
		assert_int_equal(n, 1);
		three_steps(cx, g, spec[s]);
		OK(cx, cop_graph_settle(&g));
		for (int i = 0; i < LEN(weights); i++)
			if (!memcmp(cop__floats(g, cop__find(g, weights[i].name)), weights[i].before, sizeof(float) * (size_t)weights[i].count) == moves[s][i]) fail_msg("%s: %s", spec[s], weights[i].name);
		cop_graph_free(g);
	}
}

/* A weight of a network may be called like a part: layers= and rates= know it by its own name. */
static void a_weight_may_be_called_like_a_part(void **state)
{
	static const char *const spec[] = {"sgd decay=0 momentum=0 layers=c1", "sgd decay=0 momentum=0 rates=my.part:0;*:1"};
	cop_ctx *cx = *state;

	for (int s = 0; s < LEN(spec); s++) {
		cop_graph *g = net(cx);
		cop__name(g, cop__find(g, "fc"), "my.part");
		three_steps(cx, g, spec[s]);
		assert_memory_equal(cop__floats(g, cop__find(g, "my.part")), weights[3].before, sizeof(float) * (size_t)weights[3].count);
		assert_memory_not_equal(cop__floats(g, cop__find(g, "c1")), weights[0].before, sizeof(float) * (size_t)weights[0].count);
		cop_graph_free(g);
	}
}

/* Two layers of 1x1, to 4 and to 64 channels, on 32 channels of 16x16 pixels. */
static cop_plan *planned(cop_ctx *cx, const char *spec)
{
	cop_type t = cop__type(COP_F32, 4, DIMS(1, 16, 16, 32)), wt[] = {cop__type(COP_F32, 4, DIMS(4, 1, 1, 32)), cop__type(COP_F32, 4, DIMS(64, 1, 1, 4))};
	cop_graph *g, *step;
	cop_target target;
	cop_plan *p;
	int32_t n;

	OK(cx, cop__graph_new(&g, cx, "planned"));
	cop_vid x = cop__input(g, "x", &t);
	x = cop__apply(g, OP_conv, &plain, VIDS(x, cop__data(g, COP_PARAM, "a.w", &wt[0], NULL)));
	x = cop__apply(g, OP_conv, &plain, VIDS(x, cop__data(g, COP_PARAM, "b.w", &wt[1], NULL)));
	x = cop__apply(g, OP_avgpool, &(cop_pool_attr){.kh = 16, .kw = 16, .sh = 1, .sw = 1}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_reshape, &(cop_shape_attr){2, {1, 64}}, VIDS(x)), "y"));
	OK(cx, cop_graph_trainable(&g, spec, &n));
	OK(cx, cop_graph_train(&step, g, spec));
	OK(cx, cop_target_find(&target, cx, "cortex-m4"));
	target.ram = target.flash = 0;
	target.threads = 1;
	OK(cx, cop_plan_build(&p, &step, 1, &target));
	cop_graph_free(g);
	cop_graph_free(step);
	return p;
}

/* By hand: the 256 pixels of the input wait for the gradient while 64 channels of them are there, all 32 numbers of each, or 4. The part has an eighth
 * of the weights, and the gradient takes an eighth of the products. */
static void a_plan_reserves_the_part_alone(void **state)
{
	static const char *const spec[] = {"sgd momentum=0 layers=a.w", "sgd momentum=0 layers=a.w channels=a.w:0.125"};
	cop_ctx *cx = *state;
	size_t arena[2], weights_in_ram[2];
	int64_t macs[2] = {0, 0};
	cop_step_info step;

	for (int i = 0; i < 2; i++) {
		cop_plan *p = planned(cx, spec[i]);
		arena[i] = p->bytes[COP_SEG_ARENA];
		weights_in_ram[i] = p->bytes[COP_SEG_PARAM];
		for (int32_t k = 0; cop_plan_step(p, 0, k, &step); k++)
			if (!strcmp(step.op, "conv_dw")) macs[i] += step.macs;
		cop_plan_free(p);
	}
	assert_int_equal(weights_in_ram[0], 4 * 32 * 4);
	assert_int_equal(weights_in_ram[1], 4 * 4 * 4);
	assert_int_equal(macs[0], 256 * 32 * 4);
	assert_int_equal(macs[1], 256 * 4 * 4);
	if (arena[0] - arena[1] != 256 * 28 * 4) fail_msg("the arena has %zu bytes for all channels and %zu for a part", arena[0], arena[1]);
}

static void refused(cop_ctx *cx, const char *spec, const char *why)
{
	cop_graph *g = net(cx);
	int32_t n;

	assert_int_equal(cop_graph_trainable(&g, spec, &n), COP_ARG);
	if (!strstr(cop_error_text(cx), why)) fail_msg("%s: %s", spec, cop_error_text(cx));
	cop_error_clear(cx);
	cop_graph_free(g);
}

static void what_makes_no_sense_is_refused(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g = net(cx);
	cop_trainer *t;
	const cop_type mask = *cop__t(g, cop__find(g, "c1"));
	int32_t n;

	refused(cx, "sgd channels=c1:0.1", "of the 4 channels of 'c1', the part 0.1 is none; the least is 0.25");
	refused(cx, "sgd channels=other:0.5", "'other' is the name of no weight");
	refused(cx, "sgd layers=fc channels=c1:0.5", "'c1' is the name of no weight");
	refused(cx, "sgd channels=c1:2", "from 0 to 1");
	assert_int_equal(cop_trainer_new(&t, g, &(cop_trainer_args){.batch = 2, .threads = 1, .spec = SPEC}), COP_ARG);
	if (!strstr(cop_error_text(cx), "'c1' is whole")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	assert_int_equal(cop_graph_apply(&g, "parts"), COP_ARG);
	if (!strstr(cop_error_text(cx), "no weight of 'parts' is parted")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	assert_true(cop__follow(g, cop__find(g, "c1"), COP_STATE, "mask", &mask, NULL));
	assert_int_equal(cop_graph_trainable(&g, "sgd channels=c1:0.5", &n), COP_ARG);
	if (!strstr(cop_error_text(cx), "'c1' has zeros that stay")) fail_msg("%s", cop_error_text(cx));
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(steps_are_those_of_pytorch, setup, teardown),
		cmocka_unit_test_setup_teardown(the_largest_channels_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_part_goes_by_the_name_of_its_weight, setup, teardown),
		cmocka_unit_test_setup_teardown(a_weight_may_be_called_like_a_part, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plan_reserves_the_part_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
