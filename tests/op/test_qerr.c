/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors as bytes: how bits are lost, against the vectors of the paper's method by hand, and each operator against the one of floats on its own samples: what
 * the bytes stand for is no further from the real number than rounding leaves it, and the largest byte has seven bits.
 */
#include "help.h"
#include "kernel/qerr.h"
#include "op/axes.h"

static void bits_are_lost(void **state)
{
	static const uint8_t up[] = {0, 0, 1, 0, 1, 0, 1, 1}; /* three bits, by their halves: 01|0 above 0, 10|1 not above 10 */
	(void)state;

	assert_int_equal(cop_e_shift(1000), 3);
	assert_int_equal(cop_e_shift(127), 0);
	assert_int_equal(cop_e_shift(128), 1);
	assert_int_equal(cop_e_shift(0), 0);
	assert_int_equal(cop_e_shift(0x7fffffff), 24);
	for (int i = 0; i < 8; i++) assert_int_equal(cop_e_up((uint32_t)(40 + i), 3, COP_E_PSEUDO, 0), up[i]);
	for (int sign = -1; sign <= 1; sign += 2) {
		assert_int_equal(cop_e_byte(sign * 1000, 3, COP_E_PSEUDO, 0), sign * 125);
		assert_int_equal(cop_e_byte(sign * 1004, 3, COP_E_NEAREST, 0), sign * 126); /* 125.5 */
		assert_int_equal(cop_e_byte(sign * 1003, 3, COP_E_NEAREST, 0), sign * 125);
		assert_int_equal(cop_e_byte(sign * 1007, 3, COP_E_TRUNCATE, 0), sign * 125);
		assert_int_equal(cop_e_byte(sign * 1023, 3, COP_E_NEAREST, 0), sign * 127); /* 128 is cut */
		assert_int_equal(cop_e_byte(sign * 90, 0, COP_E_PSEUDO, 0), sign * 90);
	}
}

/* Of all numbers of `shift` bits: how much more than they are, in steps. Published of pseudo-stochastic rounding: +0.06 of 3 bits, -0.03 of 8. */
static double bias(int32_t shift, int32_t round)
{
	double sum = 0;
	const uint32_t n = 1u << shift;

	for (uint32_t i = 0; i < 64 * n; i++) sum += cop_e_byte((int32_t)i, shift, round, i) - (double)i / n;
	return sum / (64 * n);
}

static void rounding_has_its_bias(void **state)
{
	(void)state;
	assert_true(fabs(bias(3, COP_E_PSEUDO) - 1.0 / 16) < 1e-9);
	assert_true(fabs(bias(8, COP_E_PSEUDO) - (15.0 / 32 - 255.0 / 512)) < 1e-9); /* 240 of 512 go up */
	assert_true(fabs(bias(8, COP_E_NEAREST) - 1.0 / 512) < 1e-9);
	assert_true(fabs(bias(8, COP_E_TRUNCATE) + 255.0 / 512) < 1e-9);
	assert_true(fabs(bias(8, COP_E_STOCHASTIC)) < 0.012); /* the deviation of the mean is 0.003 */
}

/* ---- operators ---- */

typedef struct pair { cop_graph *g; cop_vid real; int32_t round; bool rounds; } pair;

/* What bytes times a unit stand for. */
static cop_vid as_floats(cop_graph *g, cop_vid e, cop_vid unit)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	return cop__apply(g, OP_mul, &plain, VIDS(cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(e)), unit));
}

/* v through factors of 2^31ths and `by`, and bits, as floats. */
static cop_vid through(cop_graph *g, cop_vid v, cop_vid m, cop_vid inside, float by)
{
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};
	cop_vid scale = cop__scalar(g, "by", m ? by * 0x1p-31f : by);

	if (m) scale = cop__apply(g, OP_mul, &plain, VIDS(cop__apply(g, OP_cast, &(cop_cast_attr){COP_F32}, VIDS(m)), scale));
	return cop__apply(g, OP_qback, NULL, VIDS(v, scale, inside));
}

static cop_vid real_of(pair *p, int op, cop_nid n)
{
	cop_graph *g = p->g;
	const cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1), c = cop__arg(g, n, 2), d = cop__arg(g, n, 3), e = cop__arg(g, n, 4);
	COP_ATTR(cop_qerr_back_attr, back, g, n);
	COP_ATTR(cop_qerr_dx_attr, dx, g, n);
	static const cop_act_attr plain = {COP_NO_LO, COP_NO_HI};

	p->rounds = true;
	switch (op) {
	case OP_qerr: memcpy(&p->round, g->node[n].attr, sizeof p->round); return a;
	case OP_qerr_back: p->round = back.round, p->rounds = c; return through(g, as_floats(g, a, b), c, d, back.by);
	case OP_qerr_dx: p->round = dx.round; return through(g, cop__apply(g, OP_qconv_dx, &dx.d, VIDS(as_floats(g, a, c), b)), d, e, dx.by);
	default: memcpy(&p->round, g->node[n].attr, sizeof p->round); return cop__apply(g, OP_add, &plain, VIDS(as_floats(g, a, b), as_floats(g, c, d)));
	}
}

static void fill_inputs(const pair *p, cop_session *s, int which)
{
	for (int32_t i = 0; i < p->g->n_input; i++) {
		cop_tensor x;
		const char *name = p->g->value[p->g->input[i]].name;
		cop_session_io(s, 0, i, false, &x);
		for (int64_t k = 0; k < (int64_t)cop_type_bytes(&x.type) && x.type.dtype == COP_BIT; k++) ((uint8_t *)x.data)[k] = (uint8_t)cop__rand(5, (uint32_t)which, (uint64_t)k);
		for (int64_t k = 0; k < cop_type_count(&x.type) && x.type.dtype != COP_BIT; k++) {
			uint32_t draw = cop__rand(4, (uint32_t)(which * 8 + i), (uint64_t)k);
			if (x.type.dtype == COP_I8) ((int8_t *)x.data)[k] = (int8_t)(draw % 255 - 127);
			else if (x.type.dtype == COP_I32) ((int32_t *)x.data)[k] = (int32_t)(draw >> 1 | 1 << 28);
			else ((float *)x.data)[k] = strcmp(name, "dy") ? (float)(draw % 1000 + 1) * 1e-6f : (float)(draw % 2001) / 1000 - 1;
		}
	}
}

/* How far rounding may lead, in units; what sums of 32 bits lose before, and floats, is a hundredth. */
static double most_off(const pair *p)
{
	return !p->rounds ? 0 : p->round == COP_E_NEAREST ? 0.51 : 1.01;
}

static void near(const pair *p, const int8_t *e, float unit, const float *real, int64_t n, const char *op, int which)
{
	int most = 0;
	bool all_zero = true;

	for (int64_t k = 0; k < n; k++) {
		most = COP_MAX(most, abs(e[k]));
		all_zero &= fabsf(real[k]) <= unit;
		const double off = fabs((double)e[k] - (double)real[k] / (double)unit);
		if (!(off <= most_off(p) + 1e-4 || (abs(e[k]) == 127 && off < 1.51))) fail_msg("%s, sample %d: element %lld is %d, and %g of a unit", op, which, (long long)k, e[k], (double)(real[k] / unit));
	}
	if (p->rounds && !all_zero && most < 63) fail_msg("%s, sample %d: the largest byte is %d", op, which, most);
}

static int compare(cop_ctx *cx, int op)
{
	int which = 0;

	for (;; which++) {
		pair p = {0};
		cop_tensor e, unit, real;
		cop_target t;
		cop_plan *plan;
		cop_session *s;
		OK(cx, cop__graph_new(&p.g, cx, "pair"));
		cop_nid n = cop_ops[op]->sample(p.g, which);
		if (!n) {
			cop_graph_free(p.g);
			return which;
		}
		p.real = real_of(&p, op, n);
		OK(cx, p.real ? COP_OK : COP_ARG);
		OK(cx, cop__output(p.g, cop__res(p.g, n, 0), "e"));
		OK(cx, cop__output(p.g, cop__res(p.g, n, 1), "unit"));
		OK(cx, cop__output(p.g, cop__apply(p.g, OP_reshape, &(cop_shape_attr){1, {-1}}, VIDS(p.real)), "real"));
		OK(cx, cop_target_find(&t, cx, "host"));
		t.isa = 0;
		OK(cx, cop_plan_build(&plan, &p.g, 1, &t));
		OK(cx, cop_session_new(&s, plan, 1));
		fill_inputs(&p, s, which);
		OK(cx, cop_session_run(s, 0));
		OK(cx, cop_session_io(s, 0, 0, true, &e));
		OK(cx, cop_session_io(s, 0, 1, true, &unit));
		OK(cx, cop_session_io(s, 0, 2, true, &real));
		near(&p, e.data, *(float *)unit.data, real.data, cop_type_count(&e.type), cop_ops[op]->name, which);
		cop_session_free(s);
		cop_plan_free(plan);
		cop_graph_free(p.g);
	}
}

static void of_floats(void **state) { assert_true(compare(*state, OP_qerr) > 10); }
static void through_factors(void **state) { assert_true(compare(*state, OP_qerr_back) > 30); }
static void of_the_input(void **state) { assert_true(compare(*state, OP_qerr_dx) > 10); }
static void of_two(void **state) { assert_true(compare(*state, OP_qerr_add) > 10); }

/* ---- the order does not matter, and what is no number stays so ---- */

void cop_qerr_f32(const cop_call *call);
void cop_qerr_add_i8(const cop_call *call);

static float run(int op, void *const *buf, const int32_t *k)
{
	int32_t work[COP_E_RUN_OF];

	(op == OP_qerr ? cop_qerr_f32 : cop_qerr_add_i8)(&(cop_call){.buf = buf, .k = k, .work = work, .parts = 1});
	return *(float *)buf[1];
}

/* The largest comes last, behind more than two units of work, each larger than the one before: all bytes count the unit that it asks for. */
static void the_last_may_be_the_largest(void **state)
{
	enum { N = 600 };
	const int32_t k[ER_WORDS] = {[ER_ROWS] = 1, [ER_C] = N, [ER_ROUND] = COP_E_NEAREST};
	float x[N], unit;
	int8_t e[N];

	(void)state;
	for (int i = 0; i < N; i++) x[i] = (float)(i + 1) * (i % 2 ? -0.5f : 0.5f);
	assert_true(run(OP_qerr, (void *[]){e, &unit, x}, k) == 4); /* 300 / 4 = 75 */
	for (int i = 0; i < N; i++)
		if (e[i] != (int)roundf(x[i] / 4)) fail_msg("element %d is %d, not %g", i, e[i], (double)(x[i] / 4));
}

static void no_number_stays_none(void **state)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	const int32_t k[ER_WORDS] = {[ER_ROWS] = 1, [ER_C] = 3};
	int8_t e[3], other[3] = {1, 2, 3};
	float unit, one = 1;

	(void)state;
	for (int i = 0; i < LEN(bad); i++) {
		float x[] = {1, bad[i], 2};
		assert_true(isnan(run(OP_qerr, (void *[]){e, &unit, x}, k)));
		assert_true(!e[0] && !e[1] && !e[2]);
		int8_t sum[3] = {9, 9, 9};
		float both;
		run(OP_qerr_add, (void *[]){sum, &both, other, &one, e, &unit}, k);
		assert_true(isnan(both) && !sum[0] && !sum[1] && !sum[2]);
	}
	float zero[] = {0, -0.0f, 1e-38f};
	assert_true(run(OP_qerr, (void *[]){e, &unit, zero}, k) == 0 && !e[0] && !e[1] && !e[2]);
	run(OP_qerr_add, (void *[]){e, &unit, other, &one, (int8_t[]){5, 5, 5}, (float[]){0}}, k);
	assert_true(fabsf((float)e[2] * unit - 3) < 1e-6f && fabsf((float)e[0] * unit - 1) <= unit); /* an error of the unit 0 adds nothing */
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_lost),
		cmocka_unit_test(rounding_has_its_bias),
		cmocka_unit_test_setup_teardown(of_floats, setup, teardown),
		cmocka_unit_test_setup_teardown(through_factors, setup, teardown),
		cmocka_unit_test_setup_teardown(of_the_input, setup, teardown),
		cmocka_unit_test_setup_teardown(of_two, setup, teardown),
		cmocka_unit_test(the_last_may_be_the_largest),
		cmocka_unit_test(no_number_stays_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
