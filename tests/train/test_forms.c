/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of the table of forms: gradients against finite differences, or the slopes that papers say; and what the plain weight is when it comes back. A row
 * without a case here fails.
 */
#include "help.h"
#include "train/form/binary.h"
#include "train/form/palette.h"
#include "train/small.h"

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
	const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(few_values), cmocka_unit_test(three_values), cmocka_unit_test(vectors), cmocka_unit_test(groups), cmocka_unit_test(nearest_product)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
