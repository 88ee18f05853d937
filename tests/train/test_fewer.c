/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies that leave samples out: which ones, what the others count, how the rate falls; the same bits with any number of threads and after a stop.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy/infobatch.h"

#include <unistd.h>

enum { N = 42, ROWS = 4, STEPS = 11, EPOCHS = 8, CLASSES = 10, MOST = STEPS * EPOCHS };

/* Two of three samples are alike and learnt soon, of the others each has a class by chance. */
static int32_t class_of(int32_t i) { return i % 3 ? 3 : (int32_t)(cop__rand(4, 5, (uint64_t)i) % CLASSES); }

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 784; k++) x[k] = cop__rand_unit(1, i % 3 ? 2 : 3 + (uint32_t)i, (uint64_t)k);
	*label = class_of(i);
	return COP_OK;
}

static cop_dataset mixture(void) { return (cop_dataset){.name = "mixture", .x = cop__type(COP_F32, 3, DIMS(28, 28, 1)), .count = N, .classes = CLASSES, .get = sample}; }

/* What is seen of a run from beside. */
typedef struct watch {
	const char *y;
	int32_t row[MOST][ROWS];  /* samples of each step */
	int32_t first[EPOCHS + 1]; /* step of each epoch */
	float rate[MOST];
	float weight[N], score[N], last[N];
	int32_t steps, epochs, stop_at, doubled, out;
	bool scored;              /* the choice is to follow from the scores */
	volatile bool stop;
	int64_t told;             /* samples, as progress says */
} watch;

static cop_status see_before(void *ud, const cop_progress *p)
{
	watch *w = ud;
	cop_tensor t;

	memcpy(w->row[w->steps], p->sample, sizeof w->row[0]);
	w->rate[w->steps] = cop__trainer_rate(p->t);
	if (!w->scored) return COP_OK;
	COP_TRY(cop__trainer_named(p->t, "target", &t));
	for (int r = 0; r < ROWS; r++) {
		float sum = 0;
		for (int k = 0; k < CLASSES; k++) sum += ((float *)t.data)[r * CLASSES + k];
		w->weight[p->sample[r]] = sum;
	}
	return COP_OK;
}

/* The loss of each row, by the definition. */
static cop_status see_after(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *w = ud;
	cop_tensor t;

	(void)v;
	if (++w->steps == w->stop_at) w->stop = true;
	if (!w->scored) return COP_OK;
	COP_TRY(cop__trainer_named(p->t, w->y, &t));
	for (int r = 0; r < ROWS; r++) {
		const float *y = (float *)t.data + r * CLASSES;
		double sum = 0;
		for (int k = 0; k < CLASSES; k++) sum += exp((double)(y[k] - y[class_of(p->sample[r])]));
		w->last[p->sample[r]] = (float)log(sum);
	}
	return COP_OK;
}

static void check_choice(watch *w, bool all)
{
	double mean = 0;

	for (int i = 0; i < N; i++) mean += (double)w->score[i] / N;
	for (int i = 0; i < N; i++) {
		const bool below = (double)w->score[i] < mean && !all;
		const float is = w->weight[i];
		if (fabs((double)w->score[i] - mean) > 1e-4 && (below ? is != 0 && is != 2 : is != 1)) fail_msg("epoch %d: sample %d of score %g weighs %g, the mean is %g", w->epochs, i, (double)w->score[i], (double)is, mean);
		w->out += is == 0;
		w->doubled += is == 2;
		w->score[i] = is ? w->last[i] : w->score[i];
		w->weight[i] = 0;
	}
}

/* The rate falls over an epoch of fewer steps as over a whole one. */
static cop_status see_epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *w = ud;
	int32_t first = w->first[w->epochs], n = w->steps - first;

	(void)v;
	for (int i = 0; i < n; i++) {
		double want = 0.05 * 0.5 * (1 + cos(3.141592653589793 * (p->epoch + (double)i / n) / EPOCHS));
		if (fabs((double)w->rate[first + i] - want) > 1e-6) fail_msg("epoch %d, step %d of %d: the rate is %g, not %g", p->epoch, i, n, (double)w->rate[first + i], want);
	}
	if (w->scored) check_choice(w, p->epoch >= 7);
	w->first[++w->epochs] = w->steps;
	return COP_OK;
}

static void told(void *ud, const cop_epoch *e)
{
	if (e->done >= 1) ((watch *)ud)->told = e->samples;
}

/* spied: the watch looks on; else only what is told. */
static cop_status run(cop_graph *g, watch *w, const char *policies, cop_train_args a, bool spied)
{
	const cop_policy p = {.name = "watch", .ud = w, .before = see_before, .after = see_after, .epoch = spied ? see_epoch : NULL};
	cop_dataset d = mixture();

	w->y = g->value[g->output[0]].name;
	a.epochs = EPOCHS, a.schedule = "cosine", a.policies = policies, a.progress = told, a.ud = w;
	return cop__train(g, &d, NULL, &a, "train", &p, 1);
}

/* Those whose loss is below the mean of the last losses, and no others, are left out or count twice; in the last eighth nothing is left out. */
static void by_score(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx);
	watch *w = calloc(1, sizeof *w);

	w->scored = true;
	for (int i = 0; i < N; i++) w->score[i] = 3;
	OK(cx, run(g, w, "infobatch", base, true));
	if (w->out < 40 || w->doubled < 40 || w->out > 2 * w->doubled || w->doubled > 2 * w->out) fail_msg("%d left out, %d doubled", w->out, w->doubled);
	assert_int_equal(w->told, EPOCHS * N - w->out);
	assert_true(w->steps < MOST - 6);
	assert_int_equal(w->first[1], STEPS);
	assert_int_equal(w->first[8] - w->first[7], STEPS);
	free(w);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* With all of its samples a run is the plain one against the same loss. */
static void nothing_left_out(void **state)
{
	static const char *const text[] = {"infobatch:part=0", "infobatch:until=0", "skip-batches:part=0"};
	(void)state;
	cop_ctx *cx = new_ctx();
	watch *w = calloc(1, sizeof *w);
	cop_train_args a = base;
	cop_graph *plain = net(cx);

	a.update = "sgd momentum=0.9 loss=soft";
	OK(cx, run(plain, w, NULL, a, false));
	assert_int_equal(w->told, EPOCHS * N);
	for (int i = 0; i < LEN(text); i++) {
		cop_graph *g = net(cx);
		*w = (watch){0};
		OK(cx, run(g, w, text[i], a, false));
		if (!same(plain, g)) fail_msg("%s: other bits", text[i]);
		assert_int_equal(w->told, EPOCHS * N);
		cop_graph_free(g);
	}
	cop_graph_free(plain);
	free(w);
	cop_ctx_free(cx);
}

/* The sum of the losses, as they count, is that of all samples in expectation, whatever the part. */
static void expectation(void **state)
{
	enum { DRAWS = 10000 };
	static const float part[] = {0.25f, 0.5f, 0.9f};
	float score[N], weight[N];
	double full = 0, least = 1e30, most = 0;

	(void)state;
	for (int i = 0; i < N; i++) full += (double)(score[i] = i % 3 ? 0.1f * cop__rand_unit(1, 2, (uint64_t)i) : 4 * cop__rand_unit(1, 3, (uint64_t)i));
	for (int k = 0; k < LEN(part); k++) {
		double sum = 0;
		for (int d = 0; d < DRAWS; d++) {
			double of = 0;
			cop__infobatch_draw(weight, score, N, part[k], (uint64_t)d, 1);
			for (int i = 0; i < N; i++) of += (double)(weight[i] * score[i]);
			sum += of / DRAWS, least = fmin(least, of), most = fmax(most, of);
		}
		if (!(fabs(sum - full) < 0.01 * full)) fail_msg("part %g: %g, of all samples %g", (double)part[k], sum, full);
	}
	assert_true(least < 0.99 * full && most > 1.01 * full);
}

/* Batches are those of the plain run, without some. */
static void batches(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	watch *all = calloc(1, sizeof *all), *w = calloc(1, sizeof *w);
	cop_graph *plain = net(cx), *g = net(cx), *few = net(cx);
	int at = 0, least = STEPS, most = 0;

	OK(cx, run(plain, all, NULL, base, true));
	OK(cx, run(g, w, "skip-batches", base, true));
	assert_int_equal(all->steps, MOST);
	if (w->steps < MOST / 3 || w->steps > 2 * MOST / 3) fail_msg("%d steps of %d", w->steps, MOST);
	for (int e = 0; e < EPOCHS; e++) {
		least = COP_MIN(least, w->first[e + 1] - w->first[e]), most = COP_MAX(most, w->first[e + 1] - w->first[e]);
		for (int i = w->first[e]; i < w->first[e + 1]; i++) {
			const int own = i + 1 == w->first[e + 1] ? 2 : ROWS; /* the last one of a set may be filled up with others */
			for (at = i == w->first[e] ? all->first[e] : at + 1; at < all->first[e + 1] && memcmp(w->row[i], all->row[at], sizeof(int32_t) * (size_t)own); at++) {}
			if (at == all->first[e + 1]) fail_msg("epoch %d: step %d is none of the plain run", e, i - w->first[e]);
		}
	}
	assert_true(least < most);
	assert_true(w->told <= w->steps * ROWS && w->told >= w->steps * ROWS - 2 * EPOCHS);
	*w = (watch){0};
	OK(cx, run(few, w, "skip-batches:part=0.99", base, true));
	if (w->steps < EPOCHS || w->steps > EPOCHS + 4) fail_msg("%d steps of %d epochs", w->steps, EPOCHS);
	cop_graph_free(plain);
	cop_graph_free(g);
	cop_graph_free(few);
	free(all);
	free(w);
	cop_ctx_free(cx);
}

static const char *const kinds[] = {"infobatch", "skip-batches", "skip-batches:part=0.2; infobatch:part=0.7"};

/* A run that is stopped, within an epoch too, and goes on with another number of threads. */
static void stopped_and_resumed(void **state)
{
	static const int32_t at[] = {3, STEPS, 16, 27};
	char ckpt[64];
	(void)state;
	cop_ctx *cx = new_ctx();
	watch *w = calloc(1, sizeof *w);

	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-fewer-%d.ckpt", (int)getpid());
	for (int i = 0; i < LEN(kinds) * LEN(at); i++) {
		const char *text = kinds[i / LEN(at)];
		cop_train_args a = base;
		cop_graph *whole = net(cx), *parts = net(cx);
		*w = (watch){0};
		OK(cx, run(whole, w, text, a, false));
		const int64_t samples = w->told;
		unlink(ckpt);
		*w = (watch){.stop_at = at[i % LEN(at)]};
		cop_ctx_stop(cx, &w->stop);
		a.checkpoint = ckpt;
		assert_int_equal(run(parts, w, text, a, false), COP_STOPPED);
		cop_error_clear(cx);
		cop_graph_free(parts);
		parts = net(cx);
		*w = (watch){0};
		a.resume = true;
		a.threads = 2;
		OK(cx, run(parts, w, text, a, false));
		if (!same(whole, parts)) fail_msg("%s, stopped after %d steps: other bits", text, at[i % LEN(at)]);
		assert_int_equal(w->told, samples);
		cop_graph_free(whole);
		cop_graph_free(parts);
	}
	unlink(ckpt);
	free(w);
	cop_ctx_free(cx);
}

static cop_status number(void *ud, int32_t i, float *y) { return (void)ud, *y = (float)i, COP_OK; }

static void refused(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	watch *w = calloc(1, sizeof *w);
	cop_graph *g = net(cx), *one;
	cop_train_args a = base;
	cop_dataset d = mixture();

	a.update = "sgd loss=mse";
	assert_int_equal(run(g, w, "infobatch", a, false), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "infobatch weighs samples"));
	cop_error_clear(cx);
	OK(cx, cop_zoo_build(&one, cx, "mlp-784x1", &(cop_zoo_args){.batch = 1, .seed = 3}));
	d.classes = 0, d.targets = 1, d.target = number;
	a = base;
	a.policies = "infobatch";
	assert_int_equal(cop__train(one, &d, NULL, &a, "train", NULL, 0), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "data with classes"));
	cop_error_clear(cx);
	a.policies = "skip-batches"; /* it asks for nothing */
	OK(cx, cop__train(one, &d, NULL, &a, "train", NULL, 0));
	cop_graph_free(one);
	cop_graph_free(g);
	free(w);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_score), cmocka_unit_test(nothing_left_out), cmocka_unit_test(expectation), cmocka_unit_test(batches),
		cmocka_unit_test(stopped_and_resumed), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
