/* SPDX-License-Identifier: Apache-2.0
 *
 * What recipes and quantisation tell while they work: one line for each stage, a warning where most of the accuracy is gone, what stays float.
 */
#include "compress/known.h"

typedef struct lines { int n; cop_level level[20]; char text[20][300]; } lines;

static void keep(void *ud, cop_level level, const char *text)
{
	lines *l = ud;
	assert_true(l->n < 20);
	l->level[l->n] = level;
	snprintf(l->text[l->n++], sizeof l->text[0], "%s", text);
}

/* How often a line of that level has all of the parts; the last of them NULL. */
static int said(const lines *l, cop_level level, const char *const *part)
{
	int n = 0;

	for (int i = 0; i < l->n; i++) {
		bool all = l->level[i] == level;
		for (const char *const *p = part; all && *p; p++) all = strstr(l->text[i], *p) != NULL;
		n += all;
	}
	return n;
}
#define SAID(l, level, ...) said(l, level, (const char *const[]){__VA_ARGS__, NULL})

/* ---- stages ---- */

/* Right before: all. With four weights half of the samples, with one a quarter. */
static const float two[8] = {8, -7, 1, 2, -6, 5, 4, 3};
static const int32_t labels[4] = {0, 1, 1, 1};

static void stages(void **state)
{
	static const struct { const char *keep, *terms; double after; bool kept, warned; } row[] = {
		{"0.75", "may_cost: 0", 100, true, false}, {"0.5", "may_cost: 50", 50, true, false}, {"0.5", "may_cost: 49", 50, false, false}, {"0.125", "may_cost: 100", 25, true, true}, {"0.125", "may_cost: 10", 25, false, false},
	};
	char stage[200], numbers[100];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, labels);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = known_net(*state, 4, 2, two, 0, NULL);
		lines l = {0};
		cop_ctx_log(*state, COP_LOG_INFO, keep, &l);
		snprintf(stage, sizeof stage, "- prune: {keep: %s, schedule: once, must_gain: 0, %s" STILL "}", row[i].keep, row[i].terms);
		OK(*state, known_compress(&g, stage, d, d, d, &known_args, NULL));
		cop_ctx_log(*state, COP_LOG_ERROR, NULL, NULL);
		snprintf(numbers, sizeof numbers, "prune: accuracy 100.00 %% -> %.2f %%, file ", row[i].after);
		assert_int_equal(SAID(&l, COP_LOG_INFO, numbers, row[i].kept ? "kept" : "undone: it cost"), 1);
		assert_int_equal(SAID(&l, COP_LOG_WARN, "prune", "25.00 %"), row[i].warned);
		assert_int_equal(SAID(&l, COP_LOG_WARN, ""), row[i].warned);
		cop_graph_free(g);
	}
}

/* ---- quantisation ---- */

static cop_status draw(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;
	for (int64_t k = 0; k < cop_type_count(&d->x); k++) x[k] = cop__rand_unit(23, (uint32_t)i, (uint64_t)k) * 2 - 1;
	*label = 0;
	return COP_OK;
}

/* The rest of a division has no integer form: it is named once, and what is done in integers is not. */
static void floats(void **state)
{
	static const float w[16] = {1, 0.5f, -0.25f, 0.75f, 0.5f, -1, 0.25f, 0.5f, 0.75f, 1, -0.5f, 0.25f, 1, -0.75f, 0.5f, 1};
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	static const float large = 100;
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 4)), one = cop__type(COP_F32, 1, DIMS(1));
	cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(4)), .count = 20, .get = draw, .ud = &d};

	for (int rests = 0; rests < 3; rests++) {
		cop_graph *g;
		lines l = {0};
		OK(*state, cop__graph_new(&g, *state, "floats"));
		cop_vid x = cop__input(g, "x", &in), modulus = cop__data(g, COP_CONST, "modulus", &one, &large);
		for (int i = 0; i < 3; i++) {
			char name[8];
			snprintf(name, sizeof name, "w%d", i);
			x = known_fc(g, x, name, 4, w);
			if (i < rests) x = cop__apply(g, OP_mod, &none, VIDS(x, modulus));
		}
		OK(*state, cop__output(g, x, "y"));
		cop_ctx_log(*state, COP_LOG_INFO, keep, &l);
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1, .equalize = rests == 0}));
		cop_ctx_log(*state, COP_LOG_ERROR, NULL, NULL);
		assert_int_equal(SAID(&l, COP_LOG_INFO, "float"), rests > 0);
		assert_int_equal(SAID(&l, COP_LOG_INFO, "float", "mod"), rests > 0);
		assert_int_equal(SAID(&l, COP_LOG_INFO, "mod, mod"), 0);
		assert_int_equal(SAID(&l, COP_LOG_INFO, "float", "fc"), 0);
		assert_int_equal(SAID(&l, COP_LOG_INFO, "2 pairs"), rests == 0);
		assert_int_equal(SAID(&l, COP_LOG_WARN, ""), 0);
		cop_graph_free(g);
	}
}

/* Differences of what is nearly alike: the noise is as strong as the signal. */
static void little_left(void **state)
{
	static const float a[4] = {1, 0, 1, 0.0005f}, b[2] = {1, -1};
	cop_dataset d = {.name = "drawn", .x = cop__type(COP_F32, 1, DIMS(2)), .count = 20, .get = draw, .ud = &d};

	for (int good = 0; good < 2; good++) {
		cop_graph *g = known_net(*state, 2, 2, a, 1, good ? (const float[]){1, 1} : b);
		lines l = {0};
		cop_ctx_log(*state, COP_LOG_WARN, keep, &l);
		OK(*state, cop_quantize(&g, &d, &(cop_quantize_args){.threads = 1}));
		cop_ctx_log(*state, COP_LOG_ERROR, NULL, NULL);
		assert_int_equal(SAID(&l, COP_LOG_WARN, "signal to noise is"), !good);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(stages), KNOWN_TEST(floats), KNOWN_TEST(little_left)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
