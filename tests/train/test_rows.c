/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of the tables of training: gradients of losses and forms against finite differences, rules of updates in two halves,
 * policies against what they are defined by; and what is refused. A row without a case here fails.
 */
#include "help.h"
#include "train/form/binary.h"
#include "train/form/palette.h"
#include "train/form/steps.h"
#include "train/policy/drr.h"
#include "train/policy.h"

enum { BATCH = 3, IN = 4, HIDDEN = 5, OUT = 3 };

/* x [3,4] -> fc -> tanh -> fc -> y [3,3]: smooth, so that finite differences are exact enough. */
static cop_graph *small_net(cop_ctx *cx, uint32_t seed)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t dim[4][2] = {{HIDDEN, IN}, {HIDDEN}, {OUT, HIDDEN}, {OUT}};
	static const char *const name[] = {"a.w", "a.b", "b.w", "b.b"};
	cop_type x = cop__type(COP_F32, 2, DIMS(BATCH, IN));
	cop_vid v[4];
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "small"));
	cop_vid in = cop__input(g, "x", &x);
	for (int i = 0; i < 4; i++) {
		float w[64];
		cop_type t = cop__type(COP_F32, i % 2 ? 1 : 2, dim[i]);
		for (int k = 0; k < 64; k++) w[k] = cop__rand_normal(seed, (uint32_t)i, (uint64_t)k) / 2;
		v[i] = cop__data(g, COP_PARAM, name[i], &t, w);
	}
	cop_vid h = cop__apply(g, OP_tanh, NULL, VIDS(cop__apply(g, OP_fc, &none, VIDS(in, v[0], v[1]))));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(h, v[2], v[3])), "y"));
	return g;
}

static cop_build *record(cop_ctx *cx, const cop_graph *g, const char *spec)
{
	cop_build *b;
	OK(cx, cop__build_new(&b, g, 0, 0));
	OK(cx, cop__build_spec(b, spec));
	return b;
}

static void set_batch(cop_trainer *t, uint32_t seed)
{
	const cop_graph *g = cop__trainer_graph(t);

	for (int32_t i = 0; i < g->n_input; i++) {
		cop_tensor x;
		assert_int_equal(cop_trainer_input(t, i, &x), COP_OK);
		int64_t n = cop_type_count(&x.type);
		for (int64_t k = 0; k < n; k++) {
			if (x.type.dtype == COP_I32) ((int32_t *)x.data)[k] = (int32_t)(cop__rand(seed, 5, (uint64_t)k) % OUT);
			else ((float *)x.data)[k] = i ? cop__rand_unit(seed, 6, (uint64_t)k) : cop__rand_normal(seed, 7, (uint64_t)k);
		}
	}
}

static float *tensor(const cop_trainer *t, const char *name, int64_t *n)
{
	cop_tensor x;

	if (cop__trainer_named(t, name, &x)) fail_msg("no tensor '%s'", name);
	if (n) *n = cop_type_count(&x.type);
	return x.data;
}

static double loss_at(cop_trainer *t, float *w, float value)
{
	float old = *w, loss;

	*w = value;
	assert_int_equal(cop_trainer_gradients(t, &loss), COP_OK);
	*w = old;
	return (double)loss;
}

/* Every gradient that the trainer has against central differences. */
static int check_gradients(cop_trainer *t, const char *what)
{
	const char *name;
	cop_tensor grad;
	int n = 0;

	set_batch(t, 3);
	for (; (name = cop_trainer_gradient(t, n, &grad)); n++) {
		float *w = tensor(t, name, NULL), found[64];
		int64_t count = cop_type_count(&grad.type);
		assert_int_equal(cop_trainer_gradients(t, NULL), COP_OK);
		memcpy(found, grad.data, (size_t)count * 4);
		for (int64_t k = 0; k < count; k++) {
			const float step = 0.01f;
			double want = (loss_at(t, w + k, w[k] + step) - loss_at(t, w + k, w[k] - step)) / 0.02;
			if (fabs(want - (double)found[k]) > 2e-3 * fmax(1, fabs(want))) fail_msg("%s: gradient %d of '%s' is %g, not %g", what, (int)k, name, (double)found[k], want);
		}
	}
	return n;
}

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

/* ---- forms ---- */

static const void *form_options(const char *name)
{
	static const cop_palette_options few = {.levels = 4, .width = 1};
	static const struct { int32_t rank; bool adapter; } two = {2, false};

	static const cop_dkm_options hard = {.levels = 4, .rounds = 1, .temperature = 1e-4f};

	if (!strcmp(name, "palette")) return &few;
	if (!strcmp(name, "dkm")) return &hard;
	return !strcmp(name, "lowrank") ? (const void *)&two : NULL;
}

/* What the plain weight must be when it comes back. */
static void check_baked(const char *name, const float *w, const float *before)
{
	int different = 0;

	for (int i = 0; i < HIDDEN * IN; i++) {
		int same = 0;
		for (int j = 0; j < i; j++) same |= fabsf(w[j] - w[i]) <= (strcmp(name, "dkm") ? 0 : 1e-4f);
		different += !same;
	}
	if (!strcmp(name, "palette") || !strcmp(name, "dkm")) assert_true(different <= 3);
	else if (!strcmp(name, "steps")) {
		float step = INFINITY;
		for (int i = 0; i < HIDDEN * IN; i++) step = w[i] != 0 ? fminf(step, fabsf(w[i])) : step;
		for (int i = 0; i < HIDDEN * IN; i++) assert_true(w[i] == step * roundf(w[i] / step));
	} else if (!strcmp(name, "shift"))
		for (int i = 0; i < HIDDEN * IN; i++) assert_true(w[i] == 0 || fabsf(frexpf(w[i], &(int){0})) == 0.5f);
	else if (!strcmp(name, "masked"))
		for (int i = 0; i < HIDDEN * IN; i++) assert_true((w[i] == 0) == (i % 2 == 0) && (i % 2 == 0 || w[i] != before[i]));
	else if (!strcmp(name, "lowrank")) /* rank 2: every 3 x 3 determinant vanishes */
		for (int i = 0; i + 2 < HIDDEN; i++) {
			const float *a = w + i * IN, *b = a + IN, *c = b + IN;
			assert_true(fabsf(a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])) < 1e-4f);
		}
	else if (!strcmp(name, "binary") || !strcmp(name, "ternary")) /* a scale by filter, or nothing */
		for (int i = 0; i < HIDDEN; i++) {
			float most = 0;
			for (int k = 0; k < IN; k++) most = fmaxf(most, fabsf(w[i * IN + k]));
			for (int k = 0; k < IN; k++) assert_true(fabsf(w[i * IN + k]) == most || (w[i * IN + k] == 0 && *name == 't'));
		}
	else if (!strcmp(name, "ttq")) assert_true(different <= 3);
	else fail_msg("the form '%s' has no case here", name);
}

/* The slope by a latent is the weight's: times the scale where it lies within -1 to 1, or straight through. */
static void check_signs(cop_trainer *t, cop_handle of_weight, bool ternary)
{
	int64_t n;
	cop_tensor dw, grad;
	const char *name;
	int found = 0;

	float *v = tensor(t, "a.w.latent", &n);
	v[1] = 1.5f, v[2] = -2;
	set_batch(t, 3);
	assert_int_equal(cop_trainer_gradients(t, NULL), COP_OK);
	assert_int_equal(cop__trainer_tensor(t, of_weight, &dw), COP_OK);
	for (int k = 0; (name = cop_trainer_gradient(t, k, &grad)); k++)
		for (int64_t i = 0; i < n && !strcmp(name, "a.w.latent"); i++, found++) {
			double mean = 0, out = (double)((float *)dw.data)[i];
			for (int j = 0; j < IN; j++) mean += fabs((double)v[i / IN * IN + j]) / IN;
			double want = ternary ? out : fabsf(v[i]) <= 1 ? out * mean : 0;
			if (!(fabs((double)((float *)grad.data)[i] - want) < 1e-6)) fail_msg("latent %d has the slope %g, not %g", (int)i, (double)((float *)grad.data)[i], want);
		}
	assert_int_equal(found, n);
}

/* Straight through: the slope by the number is that of the weight; by the step, the weight's times what rounding moved. */
static void check_steps(cop_trainer *t, cop_handle of_weight)
{
	int64_t n;
	cop_tensor dw, grad;
	const char *name;
	double want = 0, found = NAN;

	set_batch(t, 3);
	assert_int_equal(cop_trainer_gradients(t, NULL), COP_OK);
	assert_int_equal(cop__trainer_tensor(t, of_weight, &dw), COP_OK);
	const float *v = tensor(t, "a.w.latent", &n), step = expf(*tensor(t, "a.w.logstep", NULL));
	for (int64_t i = 0; i < n; i++) want += (double)((float *)dw.data)[i] * (double)(step * nearbyintf(v[i] / step) - v[i]);
	for (int k = 0; (name = cop_trainer_gradient(t, k, &grad)); k++) {
		if (!strcmp(name, "a.w.logstep")) found = (double)*(float *)grad.data;
		for (int64_t i = 0; i < n && !strcmp(name, "a.w.latent"); i++) assert_true(fabsf(((float *)grad.data)[i] - ((float *)dw.data)[i]) < 1e-6f);
	}
	if (!(fabs(found - want) < 1e-5)) fail_msg("steps: the slope by the step is %g, not %g", found, want);
}

/* The paper's rule: a latent has the slope of its weight times the size of what it selects, or once where that is 0; each size the sum over its own places. */
static void check_ttq(cop_trainer *t, cop_handle of_weight)
{
	int64_t n;
	cop_tensor dw, grad;
	const char *name;
	double most = 0, sum[2] = {0};
	int found = 0, zeros = 0;

	float *v = tensor(t, "a.w.latent", &n), *size[2] = {tensor(t, "a.w.above", NULL), tensor(t, "a.w.below", NULL)};
	v[1] = 0.001f, v[2] = -0.002f, v[3] = 0, *size[0] = 0.75f, *size[1] = 0.375f;
	set_batch(t, 3);
	assert_int_equal(cop_trainer_gradients(t, NULL), COP_OK);
	assert_int_equal(cop__trainer_tensor(t, of_weight, &dw), COP_OK);
	for (int64_t i = 0; i < n; i++) most = fmax(most, fabs((double)v[i]));
	for (int k = 0; (name = cop_trainer_gradient(t, k, &grad)); k++)
		for (int64_t i = 0; i < n && !strcmp(name, "a.w.latent"); i++, found++) {
			double out = (double)((float *)dw.data)[i], at = (double)v[i] > 0.05 * most ? 0.75 : (double)v[i] < -0.05 * most ? -0.375 : 0;
			zeros += at == 0;
			if (at > 0) sum[0] += out;
			if (at < 0) sum[1] -= out;
			if (!(fabs((double)((float *)grad.data)[i] - out * (at != 0 ? fabs(at) : 1)) < 1e-6)) fail_msg("ttq: latent %d has the slope %g", (int)i, (double)((float *)grad.data)[i]);
		}
	assert_int_equal(found, n);
	assert_in_range(zeros, 3, n - 2);
	for (int k = 0; (name = cop_trainer_gradient(t, k, &grad)); k++)
		for (int i = 0; i < 2; i++) {
			if (strcmp(name, i ? "a.w.below" : "a.w.above")) continue;
			found++;
			if (!(fabs((double)*(float *)grad.data - sum[i]) < 1e-5)) fail_msg("ttq: %s has the slope %g, not %g", name, (double)*(float *)grad.data, sum[i]);
		}
	assert_int_equal(found, n + 2);
}

/* By hand: the largest is 1, and beyond 0.3 of it lie 0.5, 1 and 0.31, and on the other side 0.8, 0.4, 0.9 and 0.31. */
static void three_values(void **state)
{
	static const float v[HIDDEN * IN] = {0.5f, -0.25f, 0, 1, -0.2f, 0.1f, -0.0625f, 0.0371f, -0.8f, 0.3f, 0.31f, -0.3f, -0.4f, 0, 0, 0, 0.25f, 0.05f, -0.9f, -0.31f};
	const cop_ttq_options o = {0.3f};
	cop_ctx *cx = new_ctx();
	cop_graph *g = small_net(cx, 1);
	cop_vid w = cop__find(g, "a.w");

	(void)state;
	memcpy(cop__own(g, w), v, sizeof v);
	cop_build *b = record(cx, g, "");
	OK(cx, cop__build_form(b, "a.w", cop__form("ttq"), &o));
	OK(cx, cop__forms_apply(g, b));
	for (int i = 0; i < HIDDEN * IN; i++) {
		double want = (double)v[i] > 0.305 ? 1.81 / 3 : (double)v[i] < -0.305 ? -2.41 / 4 : 0;
		if (!(fabs((double)cop__floats(g, w)[i] - want) < 1e-6)) fail_msg("weight %d is %g, not %g", i, (double)cop__floats(g, w)[i], want);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static void forms(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 0; cop_forms.row(i); i++) {
		const cop_form *form = (const cop_form *)(const void *)cop_forms.row(i);
		const char *name = form->row.name;
		cop_graph *g = small_net(cx, 1), *before = small_net(cx, 1);
		cop_vid w = cop__find(g, "a.w");
		if (form->follower) { /* the weight is its own latent */
			cop_type t = *cop__t(g, w);
			float *mask = cop__own(g, cop__follow(g, w, COP_STATE, form->follower, &t, NULL)), *to = cop__own(g, w);
			for (int k = 0; k < HIDDEN * IN; k++) to[k] *= mask[k] = (float)(k % 2);
		}
		cop_build *b = record(cx, g, "loss=xent momentum=0.9 decay=0.01");
		cop_handle kept = cop__build_gradient(b, "a.w");
		if (form->express) OK(cx, cop__build_form(b, "a.w", form, form_options(name)));
		cop_trainer *t;
		OK(cx, cop__trainer_new(&t, b, 1, true));
		if (!strcmp(name, "steps")) check_steps(t, kept); /* no finite difference sees through a staircase */
		else if (!strcmp(name, "ttq")) check_ttq(t, kept);
		else if (strstr(name, "nary")) check_signs(t, kept, *name == 't');
		else if (form->express && strcmp(name, "shift")) /* test_shift_form.c */
			assert_int_equal(check_gradients(t, name), strcmp(name, "lowrank") ? 4 : 5);
		for (uint32_t step = 0; step < 3; step++) {
			set_batch(t, step);
			OK(cx, cop_trainer_step(t, 0.5f, NULL));
		}
		cop_tensor grad;
		OK(cx, cop__trainer_tensor(t, kept, &grad));
		assert_int_equal(cop_type_count(&grad.type), HIDDEN * IN); /* of the weight, whatever it is made of */
		OK(cx, cop_trainer_pull(t, g));
		check_baked(name, cop__floats(g, w), cop__floats(before, cop__find(before, "a.w")));
		cop_trainer_free(t);
		cop_graph_free(g);
		cop_graph_free(before);
	}
	cop_ctx_free(cx);
}

/* Vectors of two: a codebook for each place, trained by its own gradient; what comes back has three vectors at most. */
static void vectors(void **state)
{
	static const cop_palette_options two = {.levels = 4, .width = 2, .seed = 1};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = small_net(cx, 1);
	cop_build *b = record(cx, g, "loss=xent momentum=0.9 decay=0.01");
	cop_trainer *t;
	int different = 0;

	OK(cx, cop__build_form(b, "a.w", cop__form("palette"), &two));
	OK(cx, cop__trainer_new(&t, b, 1, true));
	assert_int_equal(check_gradients(t, "vectors"), 5);
	for (uint32_t step = 0; step < 3; step++) {
		set_batch(t, step);
		OK(cx, cop_trainer_step(t, 0.5f, NULL));
	}
	OK(cx, cop_trainer_pull(t, g));
	const float *w = cop__floats(g, cop__find(g, "a.w"));
	for (int i = 0; i < HIDDEN * IN; i += 2) {
		int same = 0;
		for (int j = 0; j < i; j += 2) same |= w[j] == w[i] && w[j + 1] == w[i + 1];
		different += !same;
	}
	assert_in_range(different, 2, 3);
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* A codebook for each group of rows: its gradient, and what comes back. */
static void groups(void **state)
{
	static const cop_palette_options pairs = {.levels = 3, .width = 1, .groups = (HIDDEN + 1) / 2};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = small_net(cx, 1);
	cop_build *b = record(cx, g, "loss=xent momentum=0.9 decay=0.01");
	cop_trainer *t;

	OK(cx, cop__build_form(b, "a.w", cop__form("palette"), &pairs));
	OK(cx, cop__trainer_new(&t, b, 1, true));
	check_gradients(t, "groups");
	for (uint32_t step = 0; step < 3; step++) {
		set_batch(t, step);
		OK(cx, cop_trainer_step(t, 0.5f, NULL));
	}
	OK(cx, cop_trainer_pull(t, g));
	const float *w = cop__floats(g, cop__find(g, "a.w"));
	for (int r = 0; r < HIDDEN; r += 2) {
		int different = 0, n = COP_MIN(2, HIDDEN - r) * IN;
		for (int i = 0; i < n; i++) {
			int same = 0;
			for (int j = 0; j < i; j++) same |= w[r * IN + j] == w[r * IN + i];
			different += !same;
		}
		assert_in_range(different, 1, 2);
	}
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* Worked out by hand: mean sizes 0.4375 and 0.0999; beyond 0.7 of them 0.5 and 1, and 0.2 and 0.1. */
static void few_values(void **state)
{
	static const float v[2 * IN] = {0.5f, -0.25f, 0, 1, -0.2f, 0.1f, -0.0625f, 0.0371f};
	static const struct { const char *form; cop_binary_options binary; cop_ternary_options ternary; float want[2 * IN]; } row[] = {
		{"binary", {true}, {0}, {0.4375f, -0.4375f, 0.4375f, 0.4375f, -0.0999f, 0.0999f, -0.0999f, 0.0999f}},
		{"binary", {false}, {0}, {1, -1, 1, 1, -1, 1, -1, 1}},
		{"ternary", {0}, {0.7f}, {0.75f, 0, 0, 0.75f, -0.15f, 0.15f, 0, 0}},
		{"ternary", {0}, {2.5f}, {0}},
	};
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = small_net(cx, 1);
		cop_vid w = cop__find(g, "a.w");
		memcpy(cop__own(g, w), v, sizeof v);
		cop_build *b = record(cx, g, "");
		OK(cx, cop__build_form(b, "a.w", cop__form(row[i].form), *row[i].form == 'b' ? (const void *)&row[i].binary : &row[i].ternary));
		OK(cx, cop__forms_apply(g, b));
		for (int k = 0; k < 2 * IN; k++)
			if (!(fabsf(cop__floats(g, w)[k] - row[i].want[k]) <= 2e-7f * fabsf(row[i].want[k]) * IN))
				fail_msg("row %d: weight %d is %g, not %g", i, k, (double)cop__floats(g, w)[k], (double)row[i].want[k]);
		for (int k = 0; k < 2 * IN; k++) /* sums of as many as there are in a filter are exact */
			for (int n = 1; n <= IN; n++) assert_true((double)((float)n * cop__floats(g, w)[k]) == n * (double)cop__floats(g, w)[k]);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* Of full rank the product is the weight; of less the nearest one: no better than what is left of it after its largest direction. */
static void nearest_product(void **state)
{
	static const float w[HIDDEN * IN] = {3, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5f, 0, 0, 0, 0};
	(void)state;
	cop_ctx *cx = new_ctx();
	for (int32_t rank = 1; rank <= 4; rank++) {
		const struct { int32_t rank; bool adapter; } o = {rank, false};
		cop_graph *g = small_net(cx, 1);
		cop_vid v = cop__find(g, "a.w");
		memcpy(cop__own(g, v), w, sizeof w);
		cop_build *b = record(cx, g, "");
		OK(cx, cop__build_form(b, "a.w", cop__form("lowrank"), &o));
		OK(cx, cop__forms_apply(g, b));
		for (int i = 0; i < HIDDEN * IN; i++) {
			float want = i / IN < rank ? w[i] : 0;
			if (!(fabsf(cop__floats(g, v)[i] - want) < 1e-3f)) fail_msg("rank %d: element %d is %g, not %g", (int)rank, i, (double)cop__floats(g, v)[i], (double)want);
		}
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(losses), cmocka_unit_test(taught), cmocka_unit_test(several_terms), cmocka_unit_test(weight_terms), cmocka_unit_test(rate_of_a_step), cmocka_unit_test(halves), cmocka_unit_test(forms), cmocka_unit_test(few_values), cmocka_unit_test(three_values), cmocka_unit_test(vectors), cmocka_unit_test(groups),
		cmocka_unit_test(nearest_product)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
