/* SPDX-License-Identifier: Apache-2.0
 *
 * The pass `decode`: the numbers that a weight was encoded from come back, and what was zero stays zero in a training, or does not, as is said.
 */
#include "encoded.h"

typedef struct made { cop_graph *plain, *coded, *decoded; } made;

static made make(cop_ctx *cx, cop_vid v, cop_enc e, const char *how)
{
	made m = {encoded_net(cx), encoded_net(cx), NULL};

	encode(m.coded, v, e);
	OK(cx, cop__pass_copy(&m.decoded, m.coded));
	OK(cx, cop_graph_apply(&m.decoded, how));
	OK(cx, cop_graph_verify(m.decoded));
	return m;
}

static void drop(made *m)
{
	cop_graph_free(m->plain);
	cop_graph_free(m->coded);
	cop_graph_free(m->decoded);
}

static const float *numbers(const cop_graph *g, const char *name) { return cop__floats(g, cop__find(g, name)); }

static bool same(float a, float b) { return !(a < b) && !(a > b); }

/* The numbers are multiples of 1/8, which every encoding holds. */
static void the_same_numbers(void **state)
{
	static const char *const name[] = {"c1.w", "c3.w", "f1.w"};
	cop_graph *g = encoded_net(*state);

	for (int i = 0; i < LEN(name); i++)
		for (cop_enc e = COP_DENSE + 1; e < COP_N_ENC; e++) {
			made m = make(*state, cop__find(g, name[i]), e, "decode");
			const cop_vid w = cop__find(m.decoded, name[i]), mask = cop__follower(m.decoded, w, "mask");
			const int64_t n = cop_type_count(cop__t(m.decoded, w));
			int64_t zeros = 0;
			for (int64_t k = 0; k < n; k++) { /* not their bits: -0 may come back as 0 */
				if (!same(cop__floats(m.decoded, w)[k], numbers(m.plain, name[i])[k])) fail_msg("%s, %s: another number at %d", name[i], cop__enc_text(e), (int)k);
				zeros += cop__floats(m.decoded, w)[k] == 0;
			}
			assert_int_equal(zeros > 0, mask != 0);
			for (int64_t k = 0; mask && k < n; k++) assert_true((cop__floats(m.decoded, mask)[k] != 0) == (cop__floats(m.decoded, w)[k] != 0));
			drop(&m);
		}
	cop_graph_free(g);
}

/* Three steps towards other answers. Returns how many of the numbers of f1.w that were zero are so still; *moved: of the others, how many changed. */
static int trained(cop_ctx *cx, made *m, int *moved)
{
	cop_trainer *t;
	cop_tensor x, y;
	int still = 0;

	OK(cx, cop_trainer_new(&t, m->decoded, &(cop_trainer_args){.spec = "loss=mse update=sgd momentum=0.9 decay=0.01", .batch = 2, .threads = 1}));
	OK(cx, cop_trainer_input(t, 0, &x));
	OK(cx, cop_trainer_input(t, 1, &y));
	for (int step = 0; step < 3; step++) {
		for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = cop__rand_unit(5, (uint32_t)step, (uint64_t)i);
		for (int64_t i = 0; i < cop_type_count(&y.type); i++) ((float *)y.data)[i] = (float)(i + 1);
		OK(cx, cop_trainer_step(t, 0.01f, NULL));
	}
	OK(cx, cop_trainer_pull(t, m->decoded));
	const float *was = numbers(m->plain, "f1.w"), *is = numbers(m->decoded, "f1.w");
	*moved = 0;
	for (int64_t i = 0, n = cop_type_count(cop__t(m->plain, cop__find(m->plain, "f1.w"))); i < n; i++) {
		if (was[i] == 0) still += is[i] == 0;
		else *moved += !same(is[i], was[i]);
	}
	cop_trainer_free(t);
	return still;
}

static void zeros_stay(void **state)
{
	static const struct { const char *how; bool stay; } row[] = {{"decode", true}, {"decode:zeros=free", false}};
	int zeros = 0, moved;
	cop_graph *g = encoded_net(*state);

	for (int64_t i = 0, n = cop_type_count(cop__t(g, cop__find(g, "f1.w"))); i < n; i++) zeros += numbers(g, "f1.w")[i] == 0;
	for (int i = 0; i < LEN(row); i++) {
		made m = make(*state, cop__find(g, "f1.w"), COP_SPARSE, row[i].how);
		int still = trained(*state, &m, &moved);
		if (!moved || (still == zeros) != row[i].stay) fail_msg("%s: %d of %d zeros are left, %d others moved", row[i].how, still, zeros, moved);
		drop(&m);
	}
	cop_graph_free(g);
}

static void refused(void **state)
{
	cop_graph *g = encoded_net(*state);

	assert_int_equal(cop_graph_apply(&g, "decode"), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "'net' has no encoded weights"));
	cop_error_clear(*state);
	encode(g, cop__find(g, "f1.w"), COP_SPARSE);
	assert_int_equal(cop_graph_apply(&g, "decode:layers=conv*"), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "no encoded weight is named 'conv*'; one of them is 'f1.w'"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(the_same_numbers), TEST(zeros_stay), TEST(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
