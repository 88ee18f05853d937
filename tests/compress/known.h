/* SPDX-License-Identifier: Apache-2.0
 *
 * known.h - networks whose weights are set by hand and samples that ask for one column of them each, so that what a stage of a recipe does
 * is known by arithmetic. Rates of 1e-30 are used where nothing may move: they are less than half a unit in the last place of every weight.
 */
#ifndef TESTS_COMPRESS_KNOWN_H
#define TESTS_COMPRESS_KNOWN_H

#include "help.h"
#include "compress/compress.h"
#include "enc/enc.h"
#include "report/report.h"

#define STILL ", lr: 1e-30, update: sgd momentum=0.9, epochs: 1"

/* ---- networks: y = a x, and y = b a x ---- */

static inline cop_vid known_fc(cop_graph *g, cop_vid x, const char *name, int32_t rows, const float *w)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(rows, cop__t(g, x)->dim[1]));
	return cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, name, &t, w)));
}

/* b NULL: one layer. a [rows, inputs], b [outputs, rows]. */
static inline cop_graph *known_net(cop_ctx *cx, int32_t inputs, int32_t rows, const float *a, int32_t outputs, const float *b)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, inputs));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "known"));
	cop_vid y = known_fc(g, cop__input(g, "x", &t), "a.w", rows, a);
	if (b) y = known_fc(g, y, "b.w", outputs, b);
	OK(cx, cop__output(g, y, "y"));
	return g;
}

/* ---- samples: one has a 1 at place i, and its label ---- */

typedef struct known_set {
	cop_dataset d;
	const int32_t *label;
	int gets, stop_at; /* calls so far; at which of them to ask for a stop, 0: never */
	volatile bool stop;
} known_set;

static inline cop_status known_get(void *ud, int32_t i, float *x, int32_t *label)
{
	known_set *s = ud;

	if (++s->gets == s->stop_at) s->stop = true;
	memset(x, 0, sizeof *x * (size_t)s->d.x.dim[0]);
	x[i % s->d.x.dim[0]] = 1;
	*label = s->label ? s->label[i] : 0;
	return COP_OK;
}

/* label NULL: there are none. *s must stay where it is. */
static inline cop_dataset *known_samples(known_set *s, int32_t n, int32_t inputs, int32_t classes, const int32_t *label)
{
	*s = (known_set){.label = label};
	s->d = (cop_dataset){.name = "places", .x = cop__type(COP_F32, 1, &inputs), .count = n, .classes = label ? classes : 0, .get = known_get, .ud = s};
	return &s->d;
}

/* Normal numbers; the class is the largest of the first three. */
static inline cop_status known_noise_get(void *ud, int32_t i, float *x, int32_t *label)
{
	for (int k = 0; k < 16; k++) x[k] = cop__rand_normal(5, *(uint32_t *)ud, (uint64_t)(16 * i + k));
	*label = x[0] > x[1] ? x[0] > x[2] ? 0 : 2 : x[1] > x[2] ? 1 : 2;
	return COP_OK;
}

static inline cop_dataset known_noise(uint32_t *stream, int32_t n)
{
	return (cop_dataset){.name = "noise", .x = cop__type(COP_F32, 1, DIMS(16)), .count = n, .classes = 3, .get = known_noise_get, .ud = stream};
}

/* ---- a recipe ---- */

typedef struct known_run { char json[20000]; cop_story story; } known_run;

static inline cop_status known_keep(void *ud, const void *bytes, size_t size)
{
	known_run *r = ud;

	assert_true(size < sizeof r->json);
	memcpy(r->json, bytes, size);
	r->json[size] = 0;
	return COP_OK;
}

static const cop_train_args known_args = {.epochs = 1, .batch = 4, .threads = 1, .lr = 0.05f, .seed = 7};

/* stages: "- prune: {keep: 0.5}\n- encode: {}" */
static inline cop_status known_compress(cop_graph **g, const char *stages, cop_dataset *train, cop_dataset *valid, cop_dataset *test, const cop_train_args *a, known_run *r)
{
	char text[2000];
	int n = snprintf(text, sizeof text, "name: known\nstages:\n%s\n", stages);

	assert_true(n < (int)sizeof text);
	return cop_compress(g, text, (size_t)n, train, valid, test, a, NULL, r ? known_keep : NULL, r);
}

/* The same, which must succeed, and its history read by the reader of reports: free it with cop__story_free. */
static inline void known_story(known_run *r, cop_graph **g, const char *stages, cop_dataset *d, const cop_train_args *a)
{
	cop_ctx *cx = (*g)->cx;

	OK(cx, known_compress(g, stages, d, d, d, a, r));
	OK(cx, cop__story_read(&r->story, cx, r->json, strlen(r->json)));
}

/* The stage alone, without what a recipe measures around it. */
static inline cop_status known_stage(cop_graph **g, const char *stage, cop_dataset *d, int threads)
{
	static cop_recipe r;
	cop_train_args a = known_args;
	cop_means m = {.train = d, .a = &a};
	char text[400];
	int n = snprintf(text, sizeof text, "name: grid\nstages:\n%s\n", stage);

	a.threads = threads;
	COP_TRY(cop__recipe_parse(&r, (*g)->cx, text, (size_t)n));
	COP_TRY(cop__recipe_fits(&r, *g));
	return r.stage[0].row->run(g, &r.stage[0], &m);
}

/* ---- weights ---- */

static inline void known_weight(float *out, const cop_graph *g, const char *name)
{
	cop_vid v = cop__find(g, name);

	assert_true(v && g->value[v].data);
	OK(g->cx, cop__decode(out, g->cx, name, cop__t(g, v), g->value[v].data));
}

static inline void known_is(const cop_graph *g, const char *name, const float *want, int n, const char *what)
{
	float w[1024];

	assert_true(n <= LEN(w) && cop_type_count(cop__t(g, cop__find(g, name))) == n);
	known_weight(w, g, name);
	for (int i = 0; i < n; i++)
		if (w[i] != want[i]) fail_msg("%s: %s[%d] is %.9g, not %.9g", what, name, i, (double)w[i], (double)want[i]);
}

static inline bool known_parts(void) { return has_part("yaml") && has_part("jansson"); }

static inline int known_setup(void **state) { *state = new_ctx(); return 0; }
static inline int known_teardown(void **state) { cop_ctx_free(*state); return 0; }
#define KNOWN_TEST(f) cmocka_unit_test_setup_teardown(f, known_setup, known_teardown)

/* Writes the class that a network gives sample i into ud[i]. */
static inline cop_status tell(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	int32_t best = 0;
	for (int32_t k = 1; k < n; k++)
		if (y[k] > y[best]) best = k;
	((int32_t *)ud)[i] = best;
	return COP_OK;
}

/* What was measured by a clock is taken out: "seconds":1.5 and "microseconds":2.5. */
static inline void known_no_clocks(char *json)
{
	char *to = json;

	for (const char *p = json; *p;) {
		*to++ = *p;
		if (!strncmp(p, "seconds\":", 9))
			for (p += 9; *p && *p != ',' && *p != '}'; p++) continue;
		else p++;
	}
	*to = 0;
}

#endif
