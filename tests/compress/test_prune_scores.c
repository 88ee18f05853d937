/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of pruning on a network of two convolutions, batch norm, both poolings and a fully connected layer, against PyTorch, the diagonal of the Hessian among
 * them, and against the curvature of LeCun et al. 1990 written out in numpy (make_score_reference.py); movement and LAMP by hand.
 */
#include "compress/known.h"
#include "compress/prune/score.h"
#include "compress/score_reference.h"

/* ---- the network ---- */

static void numbers(float *x, int n, int a, int m, int half, float by)
{
	for (int i = 0; i < n; i++) x[i] = (float)(i * a % m - half) / by;
}

static cop_vid made(cop_graph *g, const char *name, int32_t rank, const int32_t *dim, int a, int m, int half, float by)
{
	float w[64];
	cop_type t = cop__type(COP_F32, rank, dim);

	numbers(w, (int)cop_type_count(&t), a, m, half, by);
	return cop__data(g, COP_PARAM, name, &t, w);
}

static cop_vid vector(cop_graph *g, cop_role role, const char *name, const float *v)
{
	cop_type t = cop__type(COP_F32, 1, DIMS(3));
	return cop__data(g, role, name, &t, v);
}

static cop_graph *net(cop_ctx *cx)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, COP_NO_HI};
	static const cop_conv_attr same = {1, 1, 1, 1, 1, 1, 1, 1, 1, COP_NO_LO, COP_NO_HI}, bounded = {1, 1, 0, 0, 0, 0, 1, 1, 1, 0, COP_NO_HI};
	static const cop_pool_attr pool = {2, 2, 2, 2, 0, 0, 0, 0, 0};
	cop_type in = cop__type(COP_F32, 4, DIMS(1, 4, 4, 2));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "scored"));
	cop_vid y = cop__apply(g, OP_conv, &same, VIDS(cop__input(g, "x", &in), made(g, "w1", 4, DIMS(3, 3, 3, 2), 7, 23, 11, 20), made(g, "b1", 1, DIMS(3), 3, 5, 2, 10)));
	y = cop__apply(g, OP_bn, &(cop_bn_attr){1e-5f, 0.1f, COP_NO_LO, COP_NO_HI}, VIDS(y, vector(g, COP_PARAM, "gamma", (float[]){1.5f, -0.5f, 0.75f}), vector(g, COP_PARAM, "beta", (float[]){0.1f, 0.2f, -0.1f}),
		vector(g, COP_STATE, "mean", (float[]){0.05f, -0.1f, 0.2f}), vector(g, COP_STATE, "var", (float[]){0.5f, 1.5f, 0.8f})));
	y = cop__apply(g, OP_maxpool, &pool, VIDS(cop__apply(g, OP_clip, &relu, VIDS(y))));
	y = cop__apply(g, OP_conv, &bounded, VIDS(y, made(g, "w2", 4, DIMS(4, 1, 1, 3), 5, 11, 5, 8)));
	y = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(cop__apply(g, OP_avgpool, &pool, VIDS(y))));
	y = cop__apply(g, OP_fc, &none, VIDS(y, made(g, "w3", 2, DIMS(3, 4), 3, 7, 3, 4), made(g, "b3", 1, DIMS(3), 2, 3, 1, 10)));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static int32_t only = -1; /* each sample is this one */

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	float all[4 * 32];

	(void)ud;
	if (only >= 0) i = only;
	numbers(all, LEN(all), 5, 17, 8, 8);
	memcpy(x, all + 32 * (i % 4), sizeof *x * 32);
	*label = (const int32_t[]){0, 2, 1, 0}[i % 4];
	return COP_OK;
}

/* The four, over and over again. */
static cop_dataset samples(int32_t n) { return (cop_dataset){.name = "four", .x = cop__type(COP_F32, 3, DIMS(4, 4, 2)), .count = n, .classes = 3, .get = sample}; }

/* The scores of a row; items are those of the network with that grain. */
static void scores_of(float *out, cop_ctx *cx, cop_graph *g, cop_items *it, const char *grain, const char *name, const char *options, int32_t n)
{
	cop_dataset d = samples(n);
	cop_choice c = {.row = cop__row_index(&cop__grains, grain, strlen(grain))};
	const cop_score_row *row = cop__score(cop__row_index(&cop__scores, name, strlen(name)));
	union { max_align_t align; char bytes[64]; } o = {.bytes = {0}};
	static float weight[200], mask[200];
	cop_options said = {.cx = cx, .where = name, .part = {{.option = row->row.options, .to = o.bytes}}};
	cop_look l = {.it = it, .row = row, .options = &o, .model = g, .train = &d, .a = &known_args, .samples = n, .weight = weight, .mask = mask, .score = out};

	if (row->row.options) {
		cop__options_default(row->row.options, o.bytes);
		OK(cx, cop__options_read(&said, options, strlen(options)));
	}
	OK(cx, cop__items_begin(it, g, "*", &c));
	assert_true(it->count <= LEN(weight) && it->n <= LEN(mask));
	for (int32_t i = 0; i < it->n_layer; i++) memcpy(weight + it->layer[i].offset, cop__floats(g, it->layer[i].v), sizeof *weight * (size_t)it->layer[i].count);
	for (int i = 0; i < LEN(mask); i++) mask[i] = 1;
	OK(cx, cop__look_fits(g, it, row, grain));
	OK(cx, cop__look(&l));
}

static void scores(float *out, cop_ctx *cx, cop_graph *g, cop_items *it, const char *grain, const char *name, const char *options)
{
	scores_of(out, cx, g, it, grain, name, options, 4);
}

static void are(const float *got, const float *want, int n, const char *what)
{
	for (int i = 0; i < n; i++)
		if (!(fabsf(got[i] - want[i]) <= 2e-6f + 2e-4f * fabsf(want[i]))) fail_msg("%s: item %d has %.8g, not %.8g", what, i, (double)got[i], (double)want[i]);
}

static int64_t first_of(const cop_items *it, const char *layer)
{
	for (int32_t i = 0; i < it->n_layer; i++)
		if (!strcmp(it->layer[i].name, layer)) return it->layer[i].first;
	fail_msg("%s is not there", layer);
	return 0;
}

/* ---- against PyTorch ---- */

static void reference(void **state)
{
#define SINGLE(name, by) {"weight", by, "w1", name##_1, LEN(name##_1)}, {"weight", by, "w2", name##_2, LEN(name##_2)}, {"weight", by, "w3", name##_3, LEN(name##_3)}
#define CHANNEL(name, by) {"channel", by, "w1", name##_1, LEN(name##_1)}, {"channel", by, "w2", name##_2, LEN(name##_2)}
	static const struct { const char *grain, *by, *layer; const float *want; int n; } rows[] = {
		SINGLE(taylor, "taylor"), SINGLE(fisher, "fisher"), SINGLE(obd_1990, "obd-1990"), {"channel", "taylor", "w2", taylor_channel_2, LEN(taylor_channel_2)},
		CHANNEL(activation, "activation"), CHANNEL(zeros, "zeros"), CHANNEL(pull, "taylor-activation"), CHANNEL(entropy, "entropy"),
	};
	float got[200];

	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state);
		cop_items it;
		scores(got, *state, g, &it, rows[i].grain, rows[i].by, "bins=3");
		are(got + first_of(&it, rows[i].layer), rows[i].want, rows[i].n, rows[i].by);
		cop__items_free(&it);
		cop_graph_free(g);
	}
}

/* The diagonal of the Hessian from directions at random: its mean over many is that of PyTorch. */
static void hessian(void **state)
{
	static const struct { const char *layer; const float *want; int n; } rows[] = {{"w1", obd_1, LEN(obd_1)}, {"w2", obd_2, LEN(obd_2)}, {"w3", obd_3, LEN(obd_3)}};
	cop_graph *g = net(*state);
	cop_items it;
	float got[200];

	scores_of(got, *state, g, &it, "weight", "obd", "", 8000);
	for (int i = 0; i < LEN(rows); i++) {
		double most = 0;
		for (int k = 0; k < rows[i].n; k++) most = fmax(most, (double)rows[i].want[k]);
		for (int k = 0; k < rows[i].n; k++) {
			double v = (double)got[first_of(&it, rows[i].layer) + k], want = (double)rows[i].want[k];
			if (fabs(v - want) > 0.08 * want + 1e-3 * most) fail_msg("%s[%d]: %g, not %g", rows[i].layer, k, v, want);
		}
	}
	cop__items_free(&it);
	cop_graph_free(g);
}

/* Squares of the gradients of single samples are the same whether these go through the network side by side or, as where they can't be told apart, alone. */
static void one_by_one(void **state)
{
	float all[200], sum[200] = {0}, got[200];
	cop_graph *g = net(*state);
	cop_items it;

	scores_of(all, *state, g, &it, "weight", "fisher", "", 4);
	const int64_t n = it.n;
	cop__items_free(&it);
	for (int32_t i = 0; i < 4; i++) {
		only = i;
		scores_of(got, *state, g, &it, "weight", "fisher", "", 1);
		for (int64_t k = 0; k < n; k++) sum[k] += got[k] / 4;
		cop__items_free(&it);
	}
	only = -1;
	are(all, sum, (int)n, "fisher");
	cop_graph_free(g);
}

/* A weight that two layers read: of one sample, the Fisher score is half of the first-order one. */
static void read_twice(void **state)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI}, relu = {0, COP_NO_HI};
	static const cop_conv_attr point = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	static const cop_pool_attr pool = {2, 2, 2, 2, 0, 0, 0, 0, 0};
	cop_type in = cop__type(COP_F32, 4, DIMS(1, 4, 4, 2));
	float fisher[200], taylor[200];
	cop_items it;
	cop_graph *g;

	OK(*state, cop__graph_new(&g, *state, "twice"));
	cop_vid w = made(g, "w", 4, DIMS(2, 1, 1, 2), 7, 23, 11, 20);
	cop_vid x = cop__apply(g, OP_clip, &relu, VIDS(cop__apply(g, OP_conv, &point, VIDS(cop__input(g, "x", &in), w))));
	x = cop__apply(g, OP_avgpool, &pool, VIDS(cop__apply(g, OP_conv, &point, VIDS(x, w))));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	OK(*state, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(x, made(g, "head", 2, DIMS(3, 8), 3, 7, 3, 4))), "y"));
	scores_of(fisher, *state, g, &it, "weight", "fisher", "", 1);
	cop__items_free(&it);
	scores_of(taylor, *state, g, &it, "weight", "taylor", "", 1);
	for (int64_t k = 0; k < it.n; k++) taylor[k] /= 2;
	are(fisher, taylor, (int)it.n, "fisher");
	cop__items_free(&it);
	scores_of(fisher, *state, g, &it, "weight", "fisher", "", 4); /* one by one */
	cop__items_free(&it);
	cop_graph_free(g);
}

/* ---- by hand ---- */

static void lamp(void **state)
{
	static const float a[6] = {3, -1, 2, 0, 1, 2.5f}, mask[6] = {1, 1, 1, 1, 1, 0};
	/* squares 9 1 4 0 1 and one that has gone: 9/9, 4/13, 1/14 for the first of the equal ones, 1/15, 0/15 */
	static const float want[5] = {1, 1.0f / 14, 4.0f / 13, 0, 1.0f / 15};
	const cop_score_row *row = cop__score(cop__row_index(&cop__scores, "lamp", 4));
	float s[6];
	int32_t order[6];

	(void)state;
	for (int i = 0; i < 6; i++) s[i] = row->of(&(cop_scored){.weight = &a[i], .n = 1}, NULL);
	row->settle(s, mask, 6, order);
	are(s, want, 5, "lamp");
	assert_float_equal(row->of(&(cop_scored){.weight = a, .n = 3}, NULL), 14.0f / 3, 1e-6);
}

static void gammas(void **state)
{
	cop_graph *g = net(*state);
	cop_choice c = {.row = cop__row_index(&cop__grains, "channel", 7)};
	const cop_score_row *row = cop__score(cop__row_index(&cop__scores, "bn-scale", 8));
	float score[7], mask[7] = {1, 1, 1, 1, 1, 1, 1};
	cop_items it;
	cop_look l = {.it = &it, .row = row, .model = g, .a = &known_args, .mask = mask, .score = score};

	OK(*state, cop__items_begin(&it, g, "w1", &c));
	OK(*state, cop__look_fits(g, &it, row, "channel"));
	OK(*state, cop__look(&l));
	are(score, (float[]){1.5f, 0.5f, 0.75f}, 3, "bn-scale");
	cop__items_free(&it);
	OK(*state, cop__items_begin(&it, g, "w2", &c));
	assert_int_equal(cop__look_fits(g, &it, row, "channel"), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "bn-scale needs batch norm behind every layer that loses channels, and 'w2' has none"));
	cop_error_clear(*state);
	cop__items_free(&it);
	cop_graph_free(g);
}

/* Sample i of known.h has a 1 at place i: logits w[.][i], gradient (softmax - label) / 4 of column i. */
static void descend(double *w, double *moved, const double *mask, const int32_t *label, double rate, double speed, double price)
{
	for (int i = 0; i < 4; i++) {
		double z[2] = {mask[i] * w[i], mask[4 + i] * w[4 + i]}, p = 1 / (1 + exp(z[1] - z[0])), q[2] = {p, 1 - p};
		for (int o = 0; o < 2; o++) {
			double d = (q[o] - (label[i] == o)) / 4;
			double s = 1 / (1 + exp(-moved[4 * o + i]));
			moved[4 * o + i] -= speed * (d * w[4 * o + i] + price * s * (1 - s));
			if (mask[4 * o + i] != 0) w[4 * o + i] -= rate * d;
		}
	}
}

static void cut(double *mask, const double *moved, int keep)
{
	for (int i = 0; i < 8; i++) {
		int above = 0;
		for (int k = 0; k < 8; k++) above += moved[k] > moved[i];
		mask[i] = above < keep;
	}
}

/* Six steps, with cuts to 6, 4 and 3 after the second, fourth and sixth: what has gone counts on with the value that it went with, and may come back. */
static void movement(void **state)
{
	static const float start[8] = {0.3f, -0.8f, 0.02f, 0.5f, -0.4f, 0.7f, 1.5f, -0.1f};
	static const int32_t label[4] = {0, 0, 1, 1};
	double w[8], moved[8] = {0}, mask[8] = {1, 1, 1, 1, 1, 1, 1, 1}, was[8];
	float want[8], now[8];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, label);
	cop_train_args a = known_args;
	cop_graph *g = known_net(*state, 4, 2, start, 0, NULL);
	int back = 0;

	if (!known_parts()) skip();
	for (int i = 0; i < 8; i++) w[i] = (double)start[i];
	for (int step = 1; step <= 6; step++) {
		descend(w, moved, mask, label, 8, 1, 0);
		memcpy(was, mask, sizeof was);
		if (step % 2 == 0) cut(mask, moved, (int[]){6, 4, 3}[step / 2 - 1]);
		for (int i = 0; i < 8; i++) back += mask[i] > was[i];
	}
	for (int i = 0; i < 8; i++) want[i] = mask[i] != 0 ? (float)w[i] : 0;
	a.schedule = "constant";
	OK(*state, known_compress(&g, "- prune: {by: movement, keep: 0.35, schedule: iterative, rounds: 3, over: 1, epochs: 6, lr: 8, update: sgd momentum=0, may_cost: 100, must_gain: 0}", d, d, NULL, &a, NULL));
	known_weight(now, g, "a.w");
	for (int i = 0; i < 8; i++)
		if (fabsf(now[i] - want[i]) > 1e-4f) fail_msg("weight %d is %g, not %g (%d came back)", i, (double)now[i], (double)want[i], back);
	assert_true(back > 0);
	cop_graph_free(g);
}

/* Four steps, a cut after each second: what has a sigmoid under 0.25 goes, as long as an eighth stays. */
static void soft_movement(void **state)
{
	static const float start[8] = {0.3f, -0.8f, 0.02f, 0.5f, -0.4f, 0.7f, 1.5f, -0.1f};
	static const int32_t label[4] = {0, 0, 1, 1};
	double w[8], moved[8] = {0}, mask[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	float now[8];
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, label);
	cop_train_args a = known_args;
	cop_graph *g = known_net(*state, 4, 2, start, 0, NULL);
	int gone = 0;
	const cop_score_row *row = cop__score(cop__row_index(&cop__scores, "movement-soft", 13));
	float sums[2] = {0, 2};

	row->move(sums, (float[]){0.1f, 0.2f}, (float[]){1, -1}, 2, (float[]){5, 0.1f}); /* sigmoid'(0) = 1/4, sigmoid'(2) = 0.1049936 */
	are(sums, (float[]){-0.625f, 2.9475032f}, 2, "soft movement");
	if (!known_parts()) skip();
	for (int i = 0; i < 8; i++) w[i] = (double)start[i];
	for (int step = 1; step <= 4; step++) {
		descend(w, moved, mask, label, 1, 5, 0.1);
		for (int i = 0; step % 2 == 0 && i < 8; i++) mask[i] = 1 / (1 + exp(-moved[i])) >= 0.25;
	}
	for (int i = 0; i < 8; i++) gone += mask[i] == 0;
	assert_in_range(gone, 1, 6);
	a.schedule = "constant";
	OK(*state, known_compress(&g, "- prune: {by: movement-soft, rate: 5, price: 0.1, scope: threshold, at: 0.25, keep: 0.125, schedule: iterative, rounds: 2, over: 1, epochs: 4, lr: 1, update: sgd momentum=0, may_cost: 100, must_gain: 0}", d, d, NULL, &a, NULL));
	known_weight(now, g, "a.w");
	for (int i = 0; i < 8; i++)
		if (fabs((double)now[i] - (mask[i] != 0 ? w[i] : 0)) > 1e-4) fail_msg("weight %d is %g, not %g; its sigmoid is %g", i, (double)now[i], mask[i] * w[i], 1 / (1 + exp(-moved[i])));
	cop_graph_free(g);
}

/* A weight that two layers share has no channels of its own. */
static void shared(void **state)
{
	static const cop_act_attr relu = {0, COP_NO_HI};
	static const float many[16] = {1, 2, 3, 4, 5, 6, 7, 8};
	cop_type t = cop__type(COP_F32, 2, DIMS(4, 4)), in = cop__type(COP_F32, 2, DIMS(1, 4)), to = cop__type(COP_F32, 2, DIMS(2, 4));
	cop_choice c = {.row = cop__row_index(&cop__grains, "channel", 7)};
	cop_graph *g;
	cop_items it;

	OK(*state, cop__graph_new(&g, *state, "shared"));
	cop_vid x = cop__input(g, "x", &in), w = cop__data(g, COP_PARAM, "w", &t, many);
	x = cop__apply(g, OP_fc, &relu, VIDS(cop__apply(g, OP_fc, &relu, VIDS(cop__apply(g, OP_fc, &relu, VIDS(x, cop__data(g, COP_PARAM, "v", &t, many))), w)), w));
	OK(*state, cop__output(g, cop__apply(g, OP_fc, &relu, VIDS(x, cop__data(g, COP_PARAM, "o", &to, many))), "y"));
	OK(*state, cop__items_begin(&it, g, "*", &c));
	assert_int_equal(cop__look_fits(g, &it, cop__score(cop__row_index(&cop__scores, "zeros", 5)), "channel"), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "'w' is read by none, or is shared by several"));
	cop_error_clear(*state);
	cop__items_free(&it);
	cop_graph_free(g);
}

static void refused(void **state)
{
	static const struct { const char *stage, *says; } rows[] = {
		{"- prune: {by: zeros, keep: 0.5}", "prune: by: zeros tells of whole channels, not of what: weight; give what: channel, or another score"},
		{"- prune: {by: movement, keep: 0.5, schedule: once}", "by: movement adds up while the network trains, and schedule: once cuts before that"},
		{"- prune: {what: nm, keep: 0.5}", "line 3: prune: what: nm keeps n of every m; leave keep out"},
		{"- prune: {what: nm, scope: layer}", "prune: what: nm cuts every m weights for themselves, so that nothing is left to divide; leave scope out"},
		{"- prune: {what: nm, n: 4}", "prune: what: nm: n is 4, which has to be less than m, 4"},
		{"- prune: {what: layer, keep: 0.5}", "prune: what: layer: 'a.w' is a layer that the network can't do without: no sum leads around it"},
		{"- prune: {what: head, keep: 0.5}", "prune: what: head: 'a.w' makes no heads of attention"},
		{"- prune: {keep: 0.5, update: sgd layers=b*}", "prune: 'a.w' is frozen: update trains layers=b* alone; leave it out with layers, or give train: no"},
		{"- prune: {by: magnitude}", "line 3: prune: keep is missing: the part that stays"},
		{"- prune: {keep: 0.5, train: no}", "train: no leaves one moment for cuts; give schedule: once"},
	};
	static const float w[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	known_set s;

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_dataset *d = known_samples(&s, 4, 4, 2, (const int32_t[]){0, 1, 0, 1});
		cop_graph *g = known_net(*state, 4, 2, w, 0, NULL);
		assert_int_equal(known_compress(&g, rows[i].stage, d, d, NULL, &known_args, NULL), COP_ARG);
		if (!strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", rows[i].stage, cop_error_text(*state));
		assert_int_equal(s.gets, 0);
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

/* ---- the grid: what, by which score, where, when ---- */

static bool alive(const cop_graph *g, const cop_items *it, int64_t item)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		const cop_pruned *l = &it->layer[i];
		const float *mask = cop__floats(g, cop__follower(g, cop__find(g, l->name), "mask")), *w = cop__floats(g, cop__find(g, l->name));
		for (int64_t j = 0; j < l->count; j++) {
			if ((it->of ? it->of[l->offset + j] : l->offset + j) != item) continue;
			assert_true(mask[j] != 0 || w[j] == 0);
			if (mask[j] != 0) return true;
		}
	}
	return false;
}

/* Is that what half of the items are, by the scope? */
static bool as_many(const cop_items *it, int64_t kept, const char *scope)
{
	int64_t layers = 0, bundles = 0, by_row = 0;
	int64_t half = (int64_t)(0.5 * (double)it->n + 0.5);

	for (int32_t i = 0; i < it->n_layer; i++) {
		int64_t items = it->layer[i].items, rows = items <= it->layer[i].rows ? 1 : it->layer[i].rows;
		layers += (int64_t)(0.5 * (double)items + 0.5);
		by_row += rows * (int64_t)(0.5 * (double)(items / rows) + 0.5);
		for (int64_t k = 0, inner = it->layer[i].inner; it->bundle && k < it->layer[i].items / inner * ((inner + it->bundle - 1) / it->bundle); k++)
			bundles += COP_MIN(it->stay, COP_MIN(it->bundle, inner - k % ((inner + it->bundle - 1) / it->bundle) * it->bundle));
	}
	if (it->bundle) return kept == bundles;
	if (!strcmp(scope, "layer")) return kept == layers;
	if (!strcmp(scope, "row")) return kept == by_row;
	if (!strcmp(scope, "isomorphic")) return kept >= half && kept <= layers;
	if (!strcmp(scope, "budget")) return kept > 0 && kept < it->n;
	return !strcmp(scope, "threshold") ? kept >= half : kept == half;
}

/* One combination: refused in a sentence before a sample is read, or the part is kept that is asked for, the same by two threads. */
static bool combination(cop_ctx *cx, int what, int by, int scope, int when)
{
	cop_dataset d = samples(4);
	cop_choice c = {.row = what};
	char stage[300];
	cop_graph *g[2];
	cop_items it;
	int64_t kept = 0;
	const bool nm = !strcmp(cop__grains.row(what)->name, "nm");

	snprintf(stage, sizeof stage, "- prune: {what: %s, by: %s, scope: %s, %sschedule: %s, samples: 4, epochs: 2, lr: 0.01, update: sgd, may_cost: 100, must_gain: 0}", cop__grains.row(what)->name,
		cop__scores.row(by)->name, cop__scopes.row(scope)->name, nm ? "" : "keep: 0.5, ", cop__cuts.row(when)->name);
	if (nm && !scope) memcpy(strstr(stage, "scope: global,"), "              ", 14);
	for (int k = 0; k < 2; k++) {
		g[k] = net(cx);
		cop_status st = known_stage(&g[k], stage, &d, k + 1);
		if (!st) continue;
		if (st != COP_ARG || strlen(cop_error_text(cx)) < 40) fail_msg("%s: %s", stage, cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g[0]);
		return false;
	}
	cop__options_default(cop__grains.row(what)->options, c.o.bytes);
	OK(cx, cop__items_begin(&it, g[0], "*", &c));
	for (int64_t k = 0; k < it.n; k++) kept += alive(g[0], &it, k);
	if (!as_many(&it, kept, cop__scopes.row(scope)->name)) fail_msg("%s: %d of %d items are kept", stage, (int)kept, (int)it.n);
	for (int32_t i = 0; i < it.n_layer; i++) assert_memory_equal(cop__floats(g[0], cop__find(g[0], it.layer[i].name)), cop__floats(g[1], cop__find(g[1], it.layer[i].name)), sizeof(float) * (size_t)it.layer[i].count);
	cop__items_free(&it);
	cop_graph_free(g[0]);
	cop_graph_free(g[1]);
	return true;
}

static void grid(void **state)
{
	int works = 0, all = 0;

	if (!known_parts()) skip();
	for (int what = 0; cop__grains.row(what); what++)
		for (int by = 0; cop__scores.row(by); by++)
			for (int scope = 0; cop__scopes.row(scope); scope++)
				for (int when = 0; cop__cuts.row(when); when++) works += combination(*state, what, by, scope, when), all++;
	print_message("%d of %d combinations work\n", works, all);
	assert_true(works > all / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(reference), KNOWN_TEST(hessian), KNOWN_TEST(one_by_one), KNOWN_TEST(read_twice), KNOWN_TEST(lamp), KNOWN_TEST(gammas), KNOWN_TEST(movement), KNOWN_TEST(soft_movement), KNOWN_TEST(shared), KNOWN_TEST(refused), KNOWN_TEST(grid)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
