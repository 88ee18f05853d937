/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of the tables of losses and of rules of updates: gradients against finite differences and by formulas, PyTorch's numbers for what is learnt from a
 * teacher, and steps in two halves. A row without a case here fails.
 */
#include "help.h"
#include "train/form/steps.h"
#include "train/policy/drr.h"
#include "train/small.h"

/* ---- losses ---- */

static double log_sum(const float *y)
{
	double sum = 0;
	for (int j = 0; j < OUT; j++) sum += exp((double)y[j]);
	return log(sum);
}

/* A row less its mean, over its deviation (of n - 1 where it is that of `distill`), times `by`. */
static void normal(double *to, const double *v, int n, int stride, int less, double by)
{
	double mean = 0, square = 0;
	for (int j = 0; j < n; j++) mean += v[j * stride] / n;
	for (int j = 0; j < n; j++) square += pow(v[j * stride] - mean, 2) / (n - less);
	for (int j = 0; j < n; j++) to[j * stride] = by * (v[j * stride] - mean) / sqrt(square);
}

static void softmax(double *to, const double *v, int left_out)
{
	double sum = 0;
	for (int j = 0; j < OUT; j++) sum += j == left_out ? 0 : exp(v[j]);
	for (int j = 0; j < OUT; j++) to[j] = j == left_out ? 0 : exp(v[j]) / sum;
}

static double cross(const double *p, const double *q)
{
	double sum = 0;
	for (int j = 0; j < OUT; j++) sum -= p[j] > 0 ? p[j] * log(q[j]) : 0;
	return sum;
}

/* dkd and dist, of answers over their temperature of 4, 16 times. */
static double apart(const double *z, const double *v, int own)
{
	double q[OUT], p[OUT], q_others[OUT], p_others[OUT];
	softmax(q, z, -1), softmax(p, v, -1);
	softmax(q_others, z, own), softmax(p_others, v, own);
	return 16 * (-p[own] * log(q[own]) - (1 - p[own]) * log(1 - q[own]) + 8 * cross(p_others, q_others));
}

static double together(double z[BATCH][OUT], double v[BATCH][OUT])
{
	double q[BATCH][OUT], p[BATCH][OUT], a[BATCH][OUT], b[BATCH][OUT], classes = 0, samples = 0;
	for (int r = 0; r < BATCH; r++) {
		softmax(q[r], z[r], -1), softmax(p[r], v[r], -1);
		normal(a[r], q[r], OUT, 1, 0, 1), normal(b[r], p[r], OUT, 1, 0, 1);
	}
	for (int i = 0; i < BATCH * OUT; i++) classes += a[i / OUT][i % OUT] * b[i / OUT][i % OUT] / (BATCH * OUT);
	for (int j = 0; j < OUT; j++) normal(&a[0][j], &q[0][j], BATCH, OUT, 0, 1), normal(&b[0][j], &p[0][j], BATCH, OUT, 0, 1);
	for (int i = 0; i < BATCH * OUT; i++) samples += a[i / OUT][i % OUT] * b[i / OUT][i % OUT] / (BATCH * OUT);
	return 16 * (2 * (1 - classes) + 2 * (1 - samples));
}

/* Those against a teacher's answers; label: NULL, or the numbers of the classes. */
static double taught_by_hand(const char *name, const float *y, const float *target, const int32_t *label)
{
	double z[BATCH][OUT], v[BATCH][OUT], q[OUT], p[OUT], sum = 0;
	const bool distill = !strcmp(name, "distill");

	for (int r = 0; r < BATCH; r++)
		for (int j = 0; j < OUT; j++) z[r][j] = (double)y[r * OUT + j] / (distill ? 1 : 4), v[r][j] = (double)target[r * OUT + j] / (distill ? 1 : 4);
	for (int r = 0; r < BATCH; r++) {
		if (!strcmp(name, "dkd")) sum += apart(z[r], v[r], label[r]) / BATCH;
		if (!distill) continue;
		normal(z[r], z[r], OUT, 1, 1, 0.5), normal(v[r], v[r], OUT, 1, 1, 0.5);
		softmax(q, z[r], -1), softmax(p, v[r], -1);
		sum += 10 * 4 * cross(p, q) / BATCH; /* standardised: ten times */
	}
	return !strcmp(name, "dist") ? together(z, v) : sum;
}

/* By the definition, of the network's answers y and the target. */
static double loss_by_hand(const char *name, const float *y, const void *target, const int32_t *number)
{
	const int32_t *label = target;
	const float *t = target;
	double sum = 0;

	if (name[0] == 'd') return taught_by_hand(name, y, target, number);
	for (int r = 0; r < BATCH; r++, y += OUT, t += OUT)
		for (int j = 0; j < OUT; j++) {
			double p = (double)y[j] - log_sum(y);
			if (!strcmp(name, "xent")) sum -= j == label[r] ? p / BATCH : 0;
			else if (!strcmp(name, "soft")) sum -= (double)t[j] * p / BATCH;
			else if (!strcmp(name, "mse")) sum += pow((double)y[j] - (double)t[j], 2) / (BATCH * OUT);
			else fail_msg("the loss '%s' has no formula here", name);
		}
	return sum;
}

static void losses(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 0; cop_losses.row(i); i++) {
		const char *name = cop_losses.row(i)->name;
		char spec[64];
		cop_graph *g = small_net(cx, 1);
		cop_trainer *t;
		cop_tensor y, target, label = {.data = NULL};
		float loss;
		snprintf(spec, sizeof spec, "loss=%s", name);
		OK(cx, cop__trainer_new(&t, record(cx, g, spec), 1, true));
		assert_int_equal(check_gradients(t, name), 4);
		OK(cx, cop_trainer_gradients(t, &loss));
		OK(cx, cop_trainer_output(t, 0, &y));
		OK(cx, cop_trainer_input(t, 1, &target));
		if (cop__trainer_graph(t)->n_input > 2) OK(cx, cop_trainer_input(t, 2, &label));
		double want = loss_by_hand(name, y.data, target.data, label.data);
		if (fabs(want - (double)loss) > 1e-5 * fmax(1, fabs(want))) fail_msg("%s is %g, not %g", name, (double)loss, want);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* The same answers and teacher by PyTorch 2.13 in double precision, after the published code of each: value and gradient. */
static void taught(void **state)
{
	static const float z[12] = {1, 2, 0.5f, -1, 0.25f, -0.5f, 3, 0, -2, 1.5f, 1, 0.75f};
	static const float v[12] = {0, 3, 1, -0.5f, 1, -1, 4, 0.5f, -1, 0.5f, 2, 1};
	static const int32_t label[3] = {1, 2, 0};
	static const struct { const char *spec; float loss, grad[12]; } row[] = {
		/* ten times the numbers of PyTorch */ {"loss=distill temperature=2 standardise=yes", 52.55908f, {0.5063771f, -0.291036f, -0.09309738f, -0.1222437f, -0.08982707f, 0.1066758f, 0.02526489f, -0.04211358f, 0.07634684f, 0.4459378f, -0.4979979f, -0.02428672f}},
		{"loss=distill temperature=4 standardise=no", 21.30855f, {0.1010262f, -0.08048663f, -0.01217315f, -0.008366472f, -0.009197647f, 0.05678279f, -0.0554206f, 0.007835459f, -0.03666921f, 0.1143451f, -0.07762871f, -4.713334e-05f}},
		{"loss=dkd", 150.3062f, {0.9492375f, -0.08048663f, -0.5148796f, -0.3538712f, -0.4125078f, 0.6115307f, -0.0554206f, -0.1436024f, -0.03666921f, 0.974591f, -0.8418133f, -0.09610846f}},
		{"loss=dkd temperature=2 target=0.5 others=2", 9.915612f, {0.2526405f, -0.04408068f, -0.1416494f, -0.06691043f, -0.09318654f, 0.1343438f, -0.02332758f, -0.01782971f, -0.01036694f, 0.241911f, -0.2170199f, -0.01452415f}},
		{"loss=dist", 9.623274f, {4.408992f, -3.567313f, -0.03976139f, -0.8019173f, -2.662107f, 0.4895963f, 1.324376f, 0.8481351f, 0.8466843f, 4.187511f, -4.111084f, -0.9231109f}},
		{"loss=dist temperature=1 classes=1 samples=0.5", 0.372522f, {0.07672827f, -0.08256071f, 0.008856928f, -0.003024491f, -0.03073813f, -0.0003538637f, 0.02908308f, 0.002008918f, 0.01012664f, 0.2608443f, -0.2675448f, -0.003426061f}},
	};
	const cop_type tx = cop__type(COP_F32, 2, DIMS(3, 4));
	(void)state;
	cop_ctx *cx = new_ctx();

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_trainer *t;
		cop_tensor in, grad;
		float loss;
		OK(cx, cop__graph_new(&g, cx, "answers"));
		cop_vid x = cop__input(g, "x", &tx);
		OK(cx, cop__output(g, cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, "z", &tx, z))), "y"));
		OK(cx, cop__trainer_new(&t, record(cx, g, row[i].spec), 1, true));
		for (int k = 0; !cop_trainer_input(t, k, &in); k++)
			memcpy(in.data, in.type.dtype == COP_I32 ? (const void *)label : (const void *)v, cop_type_bytes(&in.type));
		cop_error_clear(cx);
		OK(cx, cop_trainer_input(t, 0, &in));
		memset(in.data, 0, cop_type_bytes(&in.type));
		OK(cx, cop_trainer_gradients(t, &loss));
		assert_string_equal(cop_trainer_gradient(t, 0, &grad), "z");
		if (fabsf(loss - row[i].loss) > 1e-5f * fabsf(row[i].loss)) fail_msg("%s: %g, PyTorch %g", row[i].spec, (double)loss, (double)row[i].loss);
		for (int k = 0; k < 12; k++)
			if (fabsf(((float *)grad.data)[k] - row[i].grad[k]) > 2e-5f * fmaxf(1, fabsf(row[i].grad[k])))
				fail_msg("%s: gradient %d is %g, PyTorch %g", row[i].spec, k, (double)((float *)grad.data)[k], (double)row[i].grad[k]);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* Two terms with weights, one of them from a value in the middle: gradients of the sum. */
static void several_terms(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = small_net(cx, 1);
	cop_build *b = record(cx, g, "loss=xent");
	cop_trainer *t, *alone;
	float both, first, second = 0;
	cop_type like = cop__type(COP_F32, 2, DIMS(BATCH, OUT));
	float zeros[BATCH * OUT] = {0};
	cop_handle still = cop__build_state(b, "still", &like, zeros, NULL);
	OK(cx, cop__build_term(b, &(cop_term){.loss = cop__loss("mse"), .weight = 0.25f, .target = still}));
	OK(cx, cop__trainer_new(&t, b, 1, true));
	check_gradients(t, "xent and a quarter of mse");
	OK(cx, cop_trainer_gradients(t, &both));
	OK(cx, cop__trainer_new(&alone, record(cx, g, "loss=xent"), 1, true));
	set_batch(alone, 3);
	OK(cx, cop_trainer_gradients(alone, &first));
	cop_tensor y;
	OK(cx, cop_trainer_output(alone, 0, &y));
	for (int i = 0; i < BATCH * OUT; i++) second += ((float *)y.data)[i] * ((float *)y.data)[i] / (BATCH * OUT);
	assert_true(fabsf(both - first - 0.25f * second) < 1e-5f);
	cop_trainer_free(t);
	cop_trainer_free(alone);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Terms that policies and stages add, of a weight: against finite differences, and by their formulas. */
static void weight_terms(void **state)
{
	static const cop_drr_options drr = {.beta = 3};
	static const cop_rate_options rate = {0.4f};
	static const float number[2] = {0.25f, -1.5f}; /* alpha; the logarithm of the step */
	static const struct { const cop_loss *loss; const void *options; } row[] = {{&cop_loss_drr, &drr}, {&cop_loss_rate, &rate}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_type one = cop__type(COP_F32, 1, DIMS(1));

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = small_net(cx, 1);
		cop_build *b = record(cx, g, "loss=xent");
		cop_trainer *t;
		cop_handle of = cop__build_state(b, "of", &one, &number[i], NULL);
		double want = 0;
		float loss;
		int64_t n;
		cop__build_no_terms(b);
		OK(cx, cop__build_term(b, &(cop_term){.loss = row[i].loss, .options = row[i].options, .y = cop__build_value(b, "a.w"), .target = of}));
		OK(cx, cop__trainer_new(&t, b, 1, true));
		assert_int_equal(check_gradients(t, row[i].loss->row.name), 1);
		OK(cx, cop_trainer_gradients(t, &loss));
		const float *w = tensor(t, "a.w", &n);
		for (int64_t k = 0; k < n; k++) want += i ? log(1 + fabs((double)w[k]) / exp(-1.5) / 0.4) : 0.25 * (1 - exp(-3 * fabs((double)w[k])));
		if (fabs(want - (double)loss) > 1e-5 * want) fail_msg("%s is %g, not %g", row[i].loss->row.name, (double)loss, want);
		cop_trainer_free(t);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* The rate falls by the step as it rises by the number: gradient of the term of a formed weight by the logarithm of its step. */
static void rate_of_a_step(void **state)
{
	static const cop_rate_options rate = {0.4f};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = small_net(cx, 1);
	cop_build *b = record(cx, g, "loss=xent");
	cop_trainer *t;

	cop__build_no_terms(b);
	OK(cx, cop__build_form(b, "a.w", cop__form("steps"), NULL));
	OK(cx, cop__build_term(b, &(cop_term){.loss = &cop_loss_rate, .options = &rate, .y = cop__build_follower(b, "a.w", COP_STEPS_LATENT), .target = cop__build_follower(b, "a.w", COP_STEPS_STEP)}));
	OK(cx, cop__trainer_new(&t, b, 1, true));
	assert_int_equal(check_gradients(t, "rate"), 2);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- rules of updates: test_rules.c has their numbers ---- */

/* The two halves of a step are the step, bit for bit, with a bound on the norm, too. */
static void halves(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 0; cop_updates.row(i); i++) {
		if (((const cop_update *)(const void *)cop_updates.row(i))->zeroth) continue; /* there are no halves without gradients */
		char spec[64];
		cop_graph *g = small_net(cx, 2);
		cop_trainer *whole, *split;
		snprintf(spec, sizeof spec, "update=%s clip=0.5", cop_updates.row(i)->name);
		OK(cx, cop__trainer_new(&whole, record(cx, g, spec), 1, false));
		OK(cx, cop__trainer_new(&split, record(cx, g, spec), 1, true));
		for (uint32_t step = 0; step < 4; step++) {
			float a, b;
			set_batch(whole, step);
			set_batch(split, step);
			OK(cx, cop_trainer_step(whole, 0.05f, &a));
			if (step % 2) OK(cx, cop_trainer_step(split, 0.05f, &b));
			else OK(cx, cop_trainer_gradients(split, &b));
			if (!(step % 2)) OK(cx, cop_trainer_update(split, 0.05f));
			assert_true(a == b);
		}
		cop_graph *one = small_net(cx, 9), *two = small_net(cx, 8);
		OK(cx, cop_trainer_pull(whole, one));
		OK(cx, cop_trainer_pull(split, two));
		for (int32_t v = 1; v <= one->n_value; v++)
			if (one->value[v].role == COP_PARAM && memcmp(one->value[v].data, two->value[v].data, cop_type_bytes(cop__t(one, v)))) fail_msg("%s: '%s' has other bits", spec, one->value[v].name);
		assert_int_equal(cop_trainer_gradients(whole, NULL), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), "apart"));
		cop_error_clear(cx);
		assert_null(cop_trainer_gradient(whole, 0, NULL));
		cop_trainer_free(whole);
		cop_trainer_free(split);
		cop_graph_free(g);
		cop_graph_free(one);
		cop_graph_free(two);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(losses), cmocka_unit_test(taught), cmocka_unit_test(several_terms), cmocka_unit_test(weight_terms), cmocka_unit_test(rate_of_a_step), cmocka_unit_test(halves)};
	return RUN_BY_BOTH_KERNELS(tests);
}
