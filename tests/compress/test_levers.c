/* SPDX-License-Identifier: Apache-2.0
 *
 * What levers take from a layer on the way towards aims: the weakest channels, and no more than the level says. Channels of zeros leave a network without a change.
 */
#include "compress/aims.h"
#include "pass/pass.h"

/* ---- what is pulled ---- */

/* Of each layer by itself: so many of its channels are left as the level says, and no other layer has more than before. */
static void pulled(void **state)
{
	const world *w = *state;
	cop_train_args a = args();
	cop_aimer z = {.cx = w->cx, .g = w->net, .final = COP_FINAL_FLOATS, .a = &a, .m = {.train = w->train}, .by = {.row = -1}};

	OK(w->cx, cop__levers_find(&z));
	assert_true(z.n_lever >= 2);
	for (int32_t i = 0; i < z.n_lever; i++) {
		int32_t choice[8] = {0};
		cop_graph *out;
		choice[i] = 4;
		OK(w->cx, cop__levers_pull(&out, &z, choice, NULL, 0));
		for (int32_t k = 0; k < z.n_lever; k++) {
			int32_t was = cop__t(z.g, cop__find(z.g, z.lever[k].name))->dim[0], is = cop__t(out, cop__find(out, z.lever[k].name))->dim[0];
			if (k != i) assert_int_equal(is, was);
			else assert_true(fabs((double)is - (double)was * (double)z.lever[i].keep[4]) <= 0.5 && is < was);
		}
		cop_graph_free(out);
	}
	cop__free(w->cx, z.lever);
	cop__free(w->cx, z.score);
}

/* What goes first, by name: the score has the say. Of a layer whose first channels are made too small to matter, these. */
static void by_score(void **state)
{
	static const struct { const char *by; bool smallest; } row[] = {{"magnitude", true}, {"taylor", true}, {NULL, true}, {"random", false}};
	world w = *(const world *)*state;
	cop_train_args a = args();
	cop_graph *out;
	cop_tensor t;

	w.net = conv_net(&w);
	OK(w.cx, cop_graph_edit(w.net, "conv2.w", &t));
	for (int64_t j = 0; j < cop_type_count(&t.type) / 2; j++) ((float *)t.data)[j] *= 1e-3f;
	for (int i = 0; i < LEN(row); i++) {
		cop_aimer z = {.cx = w.cx, .g = w.net, .final = COP_FINAL_INTEGERS, .a = &a, .m = {.train = w.train}, .first = {.accuracy = 0.5f}, .by = {.row = -1}};
		int32_t choice[8] = {0}, k = 0, tiny = 0;
		if (row[i].by) z.by.row = cop__row_index(&cop__scores, row[i].by, strlen(row[i].by));
		OK(w.cx, cop__levers_find(&z));
		while (strcmp(z.lever[k].name, "conv2.w")) k++;
		choice[k] = 4; /* half of them */
		OK(w.cx, cop__levers_pull(&out, &z, choice, NULL, 0));
		OK(w.cx, cop_graph_tensor(out, "conv2.w", &t));
		const int64_t each = cop_type_count(&t.type) / t.type.dim[0];
		for (int32_t o = 0; o < t.type.dim[0]; o++) {
			float most = 0;
			for (int64_t j = 0; j < each; j++) most = fmaxf(most, fabsf(((const float *)t.data)[o * each + j]));
			tiny += most < 0.01f;
		}
		if (t.type.dim[0] != 8 || (tiny == 0) != row[i].smallest) fail_msg("row %d: %d of %d channels that stay are tiny", i, tiny, t.type.dim[0]);
		cop_graph_free(out);
		cop__free(w.cx, z.lever);
		cop__free(w.cx, z.score);
	}
	cop_graph_free(w.net);
}

/* Nothing costs nothing, and more at least as much as less. */
static void what_levels_cost(void **state)
{
	world w = *(const world *)*state;
	cop_train_args a = args();
	cop_aimer z = {.cx = w.cx, .final = COP_FINAL_INTEGERS, .a = &a, .m = {.train = w.train, .valid = w.valid}, .first = {.accuracy = 0.5f}, .by = {.row = -1}, .watched = {[COP_R_FLASH] = true}};

	z.g = conv_net(&w);
	OK(w.cx, cop_target_find(&z.t, w.cx, "cortex-m4"));
	OK(w.cx, cop__aim_curves(&z));
	for (int32_t i = 0; i < z.n_lever; i++) {
		const cop_lever *v = &z.lever[i];
		assert_true(v->pick[0].damage == 0 && v->pick[0].price[0] == 0);
		for (int32_t k = 1; k < v->n; k++)
			assert_true(v->pick[k].damage >= v->pick[k - 1].damage && v->keep[k] < v->keep[k - 1] && v->pick[k].price[0] <= v->pick[k - 1].price[0]);
	}
	cop__free(w.cx, z.lever);
	cop__free(w.cx, z.score);
	cop_graph_free(z.g);
}

/* ---- channels of zeros ---- */

static void zero_rows(cop_graph *g, const char *name, int32_t from, int32_t to)
{
	cop_tensor t;

	OK(g->cx, cop_graph_edit(g, name, &t));
	int64_t row = cop_type_count(&t.type) / t.type.dim[0];
	for (int64_t j = from * row; j < to * row; j++) ((float *)t.data)[j] = 0;
}

static void answers(float *y, const cop_graph *g)
{
	cop_deployed d;
	cop_tensor x, out;

	OK(g->cx, cop__deploy(&d, g, &(cop_deploy_args){.batch = 1, .threads = 1}));
	OK(g->cx, cop_session_io(d.host.s, 0, 0, false, &x));
	for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = cop__rand_normal(9, 1, (uint64_t)i);
	OK(g->cx, cop_session_run(d.host.s, 0));
	OK(g->cx, cop_session_io(d.host.s, 0, 0, true, &out));
	memcpy(y, out.data, 3 * sizeof *y);
	cop__deploy_free(&d);
}

static void zeroed(void **state)
{
	static const char text[] = "input 6 6 2\na = conv 8 3x3 norm relu\nb = depthwise 3x3 norm relu\nc = conv 4 1x1 norm relu\nd = conv 4 3x3\nadd c\nmean\nfc 3\n";
	static const char *const of_first[] = {"a.w", "a.bn.gamma", "a.bn.beta", "b.w", "b.bn.gamma", "b.bn.beta"};
	const world *w = *state;
	float want[3], got[3];
	cop_graph *g;
	cop_tensor t;

	OK(w->cx, cop_network_read(&g, w->cx, "net", text, strlen(text), 4));
	for (int i = 0; i < LEN(of_first); i++) zero_rows(g, of_first[i], 2, 5);
	for (int i = 0; i < 2; i++) { /* one more row is zero in its first number alone: it stays */
		OK(w->cx, cop_graph_edit(g, of_first[3 * i], &t));
		((float *)t.data)[6 * (cop_type_count(&t.type) / t.type.dim[0])] = 0;
	}
	zero_rows(g, "c.w", 1, 2); /* is added to d, which stays: so it stays */
	answers(want, g);
	OK(w->cx, cop__drop_constant_of(&g, COP_DROP_ROUNDED));
	answers(got, g);
	for (int i = 0; i < 3; i++) assert_float_equal(got[i], want[i], 1e-6);
	OK(w->cx, cop_graph_tensor(g, "a.w", &t));
	assert_int_equal(t.type.dim[0], 5);
	OK(w->cx, cop_graph_tensor(g, "c.w", &t));
	assert_int_equal(t.type.dim[0], 4);
	assert_int_equal(t.type.dim[3], 5);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pulled), cmocka_unit_test(by_score), cmocka_unit_test(what_levels_cost), cmocka_unit_test(zeroed)};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
