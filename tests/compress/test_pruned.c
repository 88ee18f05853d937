/* SPDX-License-Identifier: Apache-2.0
 *
 * The four tables of pruning, row by row: what goes as a whole, by which score, how it is divided and when; by hand where the answer is known,
 * and by what holds for every row.
 */
#include "compress/known.h"
#include "compress/prune/score.h"
#include "pass/pass.h"

/* ---- scores ---- */

static void scores(void **state)
{
	static const struct { const char *name; float w[4]; int n; float want; } rows[] = {
		{"magnitude", {-3}, 1, 3}, {"magnitude", {1, -2, 3, -6}, 4, 3}, {"magnitude", {0, 0, 0, 0}, 4, 0}, {"l2", {-3}, 1, 3}, {"l2", {3, -4, 0, 0}, 4, 2.5f}, {"l2", {1, 1, 1, 1}, 4, 1},
	};

	(void)state;
	for (int i = 0; i < LEN(rows); i++) {
		const cop_score_row *r = cop__score(cop__row_index(&cop__scores, rows[i].name, strlen(rows[i].name)));
		cop_scored x = {.weight = rows[i].w, .n = rows[i].n};
		assert_float_equal(r->of(&x, NULL), rows[i].want, 0);
	}
}

/* ---- what goes as a whole ---- */

/* a [2,1,1,4] and b [2,1,1,4] make channels that are added, c [3,2,2,2] reads them, f [2, 3*...] the output. */
static cop_graph *convs(cop_ctx *cx)
{
	static float many[64];
	cop_type in = cop__type(COP_F32, 4, DIMS(1, 3, 3, 4)), ta = cop__type(COP_F32, 4, DIMS(2, 1, 1, 4)), tc = cop__type(COP_F32, 4, DIMS(3, 2, 2, 2)), tb = cop__type(COP_F32, 1, DIMS(3)), tf = cop__type(COP_F32, 2, DIMS(2, 12));
	cop_conv_attr plain = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_graph *g;

	for (int i = 0; i < 64; i++) many[i] = (float)(i % 11) - 5.5f;
	OK(cx, cop__graph_new(&g, cx, "convs"));
	cop_vid x = cop__input(g, "x", &in);
	cop_vid a = cop__apply(g, OP_conv, &plain, VIDS(x, cop__data(g, COP_PARAM, "a", &ta, many)));
	cop_vid b = cop__apply(g, OP_conv, &plain, VIDS(x, cop__data(g, COP_PARAM, "b", &ta, many + 5)));
	cop_vid y = cop__apply(g, OP_add, &none, VIDS(a, b));
	y = cop__apply(g, OP_conv, &plain, VIDS(y, cop__data(g, COP_PARAM, "c", &tc, many + 9), cop__data(g, COP_PARAM, "c.b", &tb, many + 2)));
	y = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(y));
	y = cop__apply(g, OP_fc, &none, VIDS(y, cop__data(g, COP_PARAM, "f", &tf, many)));
	OK(cx, cop__output(g, y, "y"));
	return g;
}

static void grain_named(cop_choice *c, const char *name, int32_t block)
{
	*c = (cop_choice){.row = cop__row_index(&cop__grains, name, strlen(name))};
	assert_true(c->row >= 0);
	if (block) ((cop_block_options *)c->o.bytes)->block = block;
}

static void items_are(const cop_items *it, const char *layer, const int32_t *want, int n)
{
	for (int32_t i = 0; i < it->n_layer; i++) {
		if (strcmp(it->layer[i].name, layer)) continue;
		assert_int_equal(it->layer[i].count, n);
		for (int k = 0; k < n; k++)
			if (it->of[it->layer[i].offset + k] != want[k]) fail_msg("%s[%d] is of item %d, not %d", layer, k, it->of[it->layer[i].offset + k], want[k]);
		return;
	}
	fail_msg("%s is not there", layer);
}

static void grains(void **state)
{
	cop_graph *g = convs(*state);
	cop_choice c;
	cop_items it;

	/* blocks of 3: rows of a have 4, so a block of 3 and one of 1 */
	grain_named(&c, "block", 3);
	OK(*state, cop__items_begin(&it, g, "a", &c));
	items_are(&it, "a", (int32_t[]){0, 0, 0, 1, 2, 2, 2, 3}, 8);
	assert_int_equal(it.n, 4);
	cop__items_free(&it);
	/* groups of 4 do not leave the two input channels of a tap */
	grain_named(&c, "group", 4);
	OK(*state, cop__items_begin(&it, g, "c|f", &c));
	items_are(&it, "c", (int32_t[]){0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11}, 24);
	items_are(&it, "f", (int32_t[]){12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 16, 17, 17, 17, 17}, 24);
	cop__items_free(&it);
	/* layers: a sum leads around a or b, not around both */
	grain_named(&c, "layer", 0);
	OK(*state, cop__items_begin(&it, g, "*", &c));
	assert_int_equal(it.n, 1);
	items_are(&it, "a", (int32_t[]){0, 0, 0, 0, 0, 0, 0, 0}, 8);
	items_are(&it, "b", (int32_t[]){-1, -1, -1, -1, -1, -1, -1, -1}, 8);
	cop__items_free(&it);
	/* kernels: the filter and the input channel alternate fastest */
	grain_named(&c, "kernel", 0);
	OK(*state, cop__items_begin(&it, g, "c|f", &c)); /* f is no filter and stays as it is */
	assert_int_equal(it.n_layer, 1);
	items_are(&it, "c", (int32_t[]){0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5}, 24);
	assert_int_equal(it.start[3] - it.start[2], 4);
	assert_true(it.member[it.start[2]] == 8 && it.member[it.start[2] + 3] == 14);
	cop__items_free(&it);
	/* channels: a and b are added, so a channel of one goes with that of the other; the bias of c follows; f makes the output */
	grain_named(&c, "channel", 0);
	OK(*state, cop__items_begin(&it, g, "*", &c));
	items_are(&it, "a", (int32_t[]){0, 0, 0, 0, 1, 1, 1, 1}, 8);
	items_are(&it, "b", (int32_t[]){0, 0, 0, 0, 1, 1, 1, 1}, 8);
	items_are(&it, "c", (int32_t[]){2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4}, 24);
	items_are(&it, "c.b", (int32_t[]){2, 3, 4}, 3);
	for (int32_t i = 0; i < it.n_layer; i++)
		for (int64_t k = 0; !strcmp(it.layer[i].name, "f") && k < it.layer[i].count; k++) assert_int_equal(it.of[it.layer[i].offset + k], -1);
	assert_int_equal(it.n, 5);
	assert_int_equal(it.start[1] - it.start[0], 8); /* four weights of a, four of b */
	assert_int_equal(it.start[5] - it.start[4], 8); /* the bias has no say */
	cop__items_free(&it);
	assert_int_equal(cop__items_begin(&it, g, "f", &c), COP_ARG); /* nothing of it may go */
	assert_non_null(strstr(cop_error_text(*state), "what: channel: no channel of 'f' may go"));
	cop_error_clear(*state);
	cop__items_free(&it);
	cop_graph_free(g);
}

static cop_vid turned(cop_graph *g, cop_vid x, const char *name)
{
	static float many[72];
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_type t = cop__type(COP_F32, 2, DIMS(12, 6)), tb = cop__type(COP_F32, 1, DIMS(12));
	char bias[8];

	snprintf(bias, sizeof bias, "%s.b", name);
	cop_vid y = cop__apply(g, OP_fc, &none, VIDS(x, cop__data(g, COP_PARAM, name, &t, many), cop__data(g, COP_PARAM, bias, &tb, many)));
	return cop__apply(g, OP_transpose, &(cop_shape_attr){3, {1, 0, 2}}, VIDS(cop__apply(g, OP_reshape, &(cop_shape_attr){3, {5, 3, 4}}, VIDS(y))));
}

/* Attention over 5 words with 3 heads of 4: rows 4 h .. 4 h + 3 of queries, keys and values make head h. */
static void heads(void **state)
{
	static const float many[48];
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_type in = cop__type(COP_F32, 2, DIMS(5, 6)), to = cop__type(COP_F32, 2, DIMS(4, 12));
	cop_graph *g;
	cop_choice c;
	cop_items it;

	OK(*state, cop__graph_new(&g, *state, "attention"));
	cop_vid x = cop__input(g, "x", &in), q = turned(g, x, "q"), k = turned(g, x, "k"), v = turned(g, x, "v");
	cop_vid y = cop__apply(g, OP_softmax, NULL, VIDS(cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 1}, VIDS(q, k))));
	y = cop__apply(g, OP_transpose, &(cop_shape_attr){3, {1, 0, 2}}, VIDS(cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(y, v))));
	y = cop__apply(g, OP_fc, &none, VIDS(cop__apply(g, OP_reshape, &(cop_shape_attr){2, {5, 12}}, VIDS(y)), cop__data(g, COP_PARAM, "o", &to, many)));
	OK(*state, cop__output(g, y, "y"));
	grain_named(&c, "head", 0);
	OK(*state, cop__items_begin(&it, g, "*", &c));
	assert_int_equal(it.n, 3);
	for (int32_t i = 0; i < it.n_layer; i++) {
		const cop_pruned *l = &it.layer[i];
		assert_true(strchr("qkv", l->name[0]) && l->follows == (l->count == 12));
		for (int64_t j = 0; j < l->count; j++) assert_int_equal(it.of[l->offset + j], j / (l->count / 12) / 4);
	}
	assert_int_equal(it.n_layer, 6);
	cop__items_free(&it);
	cop_graph_free(g);
}

/* What holds for any: every number that has a say is in one item, those of a layer stand together, and none is empty. */
static void every_grain(void **state)
{
	cop_graph *g = convs(*state);
	const cop_grain_row *r;

	for (int i = 0; cop__grains.row(i); i++) {
		cop_choice c = {.row = i};
		cop_items it;
		int64_t items = 0, numbers = 0;
		r = cop__grain(i);
		cop__options_default(r->row.options, c.o.bytes);
		if (!strcmp(r->row.name, "head")) continue; /* there are none */
		OK(*state, cop__items_begin(&it, g, "*", &c));
		for (int32_t k = 0; k < it.n_layer; k++) {
			const cop_pruned *l = &it.layer[k];
			assert_true(l->items == 0 || l->first == items);
			assert_true(l->least <= l->items && (l->least > 0 || !l->items || it.may_close));
			items += l->items;
			for (int64_t j = l->offset; it.of && j < l->offset + l->count; j++) assert_in_range(it.of[j] + 1, 0, it.n);
		}
		assert_int_equal(items, it.n);
		for (int64_t k = 0; it.of && k < it.n; k++) {
			assert_true(it.start[k + 1] > it.start[k]);
			numbers += it.start[k + 1] - it.start[k];
			for (int64_t j = it.start[k]; j < it.start[k + 1]; j++) assert_int_equal(it.of[it.member[j]], k);
		}
		assert_true(!it.of || numbers <= it.count);
		cop__items_free(&it);
	}
	cop_graph_free(g);
}

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 36; k++) x[k] = cop__rand_normal(4, 1, (uint64_t)(i * 36 + k));
	*label = i & 1;
	return COP_OK;
}

static cop_status answer(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	memcpy((float *)ud + i * n, y, sizeof *y * (size_t)n);
	return COP_OK;
}

/* By every grain a recipe makes zeros of whole items, as many as it is told. Channels that are zeros can be taken out: the answers stay. */
static void by_every_grain(void **state)
{
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 3, DIMS(3, 3, 4)), .count = 8, .classes = 2, .get = sample};
	char stage[200];

	if (!known_parts()) skip();
	for (int i = 0; cop__grains.row(i); i++) {
		cop_graph *g = convs(*state), *was = convs(*state);
		cop_choice c = {.row = i};
		cop_items it;
		int gone = 0;
		const bool nm = !strcmp(cop__grains.row(i)->name, "nm"), none = !strcmp(cop__grains.row(i)->name, "head");
		snprintf(stage, sizeof stage, "- prune: {what: %s, %smay_cost: 100, must_gain: 0, schedule: once" STILL "}", cop__grains.row(i)->name, nm ? "" : "keep: 0.6, ");
		if (none) {
			cop_graph_free(g);
			cop_graph_free(was);
			continue;
		}
		OK(*state, known_compress(&g, stage, &d, &d, NULL, &known_args, NULL));
		cop__options_default(cop__grains.row(i)->options, c.o.bytes);
		OK(*state, cop__items_begin(&it, was, "*", &c));
		uint8_t *zero = cop__arena_get(&it.mem, (size_t)it.n + 1), *whole = cop__arena_get(&it.mem, (size_t)it.n + 1);
		for (int32_t k = 0; k < it.n_layer; k++) {
			const float *w = cop__floats(g, cop__find(g, it.layer[k].name)), *old = cop__floats(was, cop__find(was, it.layer[k].name));
			for (int64_t j = 0; j < it.layer[k].count; j++) {
				int64_t at = it.of ? it.of[it.layer[k].offset + j] : it.layer[k].offset + j;
				if (at < 0) { assert_true(w[j] == old[j]); continue; }
				if (w[j] == 0 && old[j] != 0) zero[at] = 1;
				else if (old[j] != 0) whole[at] = 1;
			}
		}
		for (int64_t k = 0; k < it.n; k++) {
			assert_false(zero[k] && whole[k]);
			gone += zero[k];
		}
		if (!nm) assert_int_equal(it.n - gone, (int64_t)(0.6 * (double)it.n + 0.5));
		if (!strcmp(cop__grains.row(i)->name, "channel")) {
			float y[2][16];
			OK(*state, cop_predict(g, &d, 8, 1, answer, y[0]));
			for (int32_t o = 2; o >= 0; o--) {
				if (!zero[2 + o]) continue;
				snprintf(stage, sizeof stage, "slice:of=c,axis=0,drop=%d", o);
				OK(*state, cop_graph_apply(&g, stage));
			}
			OK(*state, cop_predict(g, &d, 8, 1, answer, y[1]));
			for (int k = 0; k < 16; k++) assert_float_equal(y[0][k], y[1][k], 1e-5);
		}
		cop__items_free(&it);
		cop_graph_free(g);
		cop_graph_free(was);
	}
}

/* ---- when ---- */

static void cuts(void **state)
{
	static const struct { const char *name; double over, number; int steps; int at[8]; double t[8]; } rows[] = {
		{"once", 0, 0, 10, {0, -1}, {1}},
		{"cubic", 1, 4, 10, {4, 8, 10, -1}, {0.4, 0.8, 1}}, {"cubic", 0.5, 2, 8, {2, 4, -1}, {0.5, 1}}, {"cubic", 0, 3, 8, {1, -1}, {1}},
		{"iterative", 1, 5, 10, {2, 4, 6, 8, 10, -1}, {0.2, 0.4, 0.6, 0.8, 1}}, {"iterative", 0.5, 2, 8, {2, 4, -1}, {0.5, 1}}, {"iterative", 1, 1, 7, {7, -1}, {1}},
		{"iterative", 1, 3, 2, {1, 2, -1}, {1.0 / 3, 1}}, {"iterative", 0, 2, 9, {1, -1}, {1}},
	};

	(void)state;
	for (int i = 0; i < LEN(rows); i++) {
		const cop_when_row *r = cop__when(cop__row_index(&cop__cuts, rows[i].name, strlen(rows[i].name)));
		union { cop_over_options over; cop_rounds_options rounds; } o = {.over = {(float)rows[i].over, (int32_t)rows[i].number}};
		int n = 0;
		for (int step = 0; step <= rows[i].steps; step++) {
			double t;
			if (!r->due(&t, &o, step, rows[i].steps)) continue;
			if (rows[i].at[n] != step || fabs(t - rows[i].t[n]) > 1e-9) fail_msg("%s, row %d: a cut at %d of %d, t = %g", rows[i].name, i, step, rows[i].steps, t);
			n++;
		}
		if (rows[i].at[n] != -1) fail_msg("%s, row %d: %d cuts", rows[i].name, i, n);
	}
	const cop_when_row *it = cop__when(cop__row_index(&cop__cuts, "iterative", 9));
	assert_float_equal(it->part(0.25, 0.5), 0.5, 1e-12);
	assert_float_equal(it->part(0.125, 1.0 / 3), 0.5, 1e-12);
}

/* Whatever the steps, the last cut is there, it is the last, and no earlier one goes further. */
static void every_cut(void **state)
{
	(void)state;
	for (int i = 0; cop__cuts.row(i); i++)
		for (int steps = 1; steps < 130; steps += steps < 12 ? 1 : 13) {
			union { max_align_t align; char bytes[COP_CHOICE_ROOM]; } o = {.bytes = {0}};
			const cop_when_row *r = cop__when(i);
			double t, last = 1;
			cop__options_default(r->row.options, o.bytes);
			bool done = false;
			for (int step = 0; step <= steps; step++) {
				if (!r->due(&t, o.bytes, step, steps)) continue;
				if (done) fail_msg("%s: of %d steps, a cut at %d after the last", r->row.name, steps, step);
				double part = r->part(0.1, t);
				assert_true(part <= last && part >= 0.1 - 1e-12);
				last = part;
				done = t == 1;
			}
			if (!done || fabs(last - 0.1) > 1e-12) fail_msg("%s: after %d steps %g are left", r->row.name, steps, last);
		}
}

/* ---- how it is divided ---- */

/* By every scope no layer closes, and about as much is kept as is asked. */
static void every_scope(void **state)
{
	float a[400], b[400];
	int32_t label[20] = {0};
	char stage[200];
	known_set s;
	cop_dataset *d = known_samples(&s, 20, 20, 2, label);

	if (!known_parts()) skip();
	for (int i = 0; i < 400; i++) a[i] = 1e-6f * (float)(1 + i * 7 % 401), b[i] = 1 + (float)i;
	for (int i = 0; cop__scopes.row(i); i++) {
		cop_graph *g = known_net(*state, 20, 20, a, 20, b);
		float now[2][400];
		int kept[2] = {0};
		snprintf(stage, sizeof stage, "- prune: {scope: %s, keep: 0.1, may_cost: 100, must_gain: 0, schedule: once" STILL "}", cop__scopes.row(i)->name);
		OK(*state, known_compress(&g, stage, d, d, d, &known_args, NULL));
		known_weight(now[0], g, "a.w");
		known_weight(now[1], g, "b.w");
		for (int k = 0; k < 400; k++) kept[0] += now[0][k] != 0, kept[1] += now[1][k] != 0;
		if (!strcmp(cop__scopes.row(i)->name, "threshold")) assert_int_equal(kept[0] + kept[1], 800); /* all are above 0 */
		else assert_int_equal(kept[0] + kept[1], 80);
		assert_true(kept[0] >= 3 && kept[1] >= 3);
		if (!strcmp(cop__scopes.row(i)->name, "global")) assert_int_equal(kept[0], 3);
		if (!strcmp(cop__scopes.row(i)->name, "layer")) assert_int_equal(kept[0], 40);
		cop_graph_free(g);
	}
}

static void set(cop_graph *g, const char *name, float from, float by)
{
	cop_vid v = cop__find(g, name);
	float *w = cop__own(g, v);
	for (int64_t i = 0; i < cop_type_count(cop__t(g, v)); i++) w[i] = from + by * (float)i;
}

static int first_kept(const cop_graph *g, const char *name, int *kept)
{
	const float *w = cop__floats(g, cop__find(g, name));
	int first = -1;

	*kept = 0;
	for (int64_t i = 0; i < cop_type_count(cop__t(g, cop__find(g, name))); i++) {
		if (w[i] == 0) continue;
		if (first < 0) first = (int)i;
		++*kept;
	}
	return first;
}

/* Weights of convs that rise within each layer, so those that stay are the last ones. of a 1 .. 8 thousandths, of b 9 .. 16, of c 1 .. 24, of f 101 .. 124.
 * A weight of a and b is used at 9 places, one of c at 4, one of f at 1. */
static void divided(void **state)
{
	static const struct { const char *options; int kept[4]; } rows[] = {
		{"layers: a|b|c, scope: isomorphic, keep: 0.5", {1, 7, 12, 24}},                /* a and b have one threshold; the largest of a stays */
		{"layers: a|b|c, scope: isomorphic, least: 0.5, keep: 0.5", {4, 4, 12, 24}},
		{"layers: a|f, scope: budget, least: 0, keep: 0.5", {2, 8, 24, 24}},            /* 24 of f at 1 and 2 of a at 9 are 42 of 48 */
		{"layers: a|f, scope: budget, least: 0.5, keep: 0.5", {4, 8, 24, 12}},          /* at least 36 and 12, and nothing is left for more */
		{"layers: a|f, scope: budget, of: weights, keep: 0.875", {4, 8, 24, 24}},
		{"layers: c, scope: threshold, at: 20.5, keep: 0.1", {8, 8, 4, 24}},
		{"layers: c, scope: threshold, at: 20.5, keep: 0.25", {8, 8, 6, 24}},
		{"layers: c, scope: threshold, at: 99, keep: 0.0001", {8, 8, 1, 24}},
	};
	static const char *const name[4] = {"a", "b", "c", "f"};
	cop_dataset d = {.name = "noise", .x = cop__type(COP_F32, 3, DIMS(3, 3, 4)), .count = 8, .classes = 2, .get = sample};
	char stage[300];

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = convs(*state);
		set(g, "a", 0.001f, 0.001f);
		set(g, "b", 0.009f, 0.001f);
		set(g, "c", 1, 1);
		set(g, "f", 101, 1);
		snprintf(stage, sizeof stage, "- prune: {%s, may_cost: 100, must_gain: 0, schedule: once, train: no}", rows[i].options);
		OK(*state, known_compress(&g, stage, &d, &d, NULL, &known_args, NULL));
		for (int k = 0; k < 4; k++) {
			int kept, first = first_kept(g, name[k], &kept), all = (int)cop_type_count(cop__t(g, cop__find(g, name[k])));
			if (kept != rows[i].kept[k] || first != all - kept) fail_msg("%s: %s keeps %d from %d on, not %d", rows[i].options, name[k], kept, first, rows[i].kept[k]);
		}
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(scores), KNOWN_TEST(grains), KNOWN_TEST(heads), KNOWN_TEST(divided), KNOWN_TEST(every_grain), KNOWN_TEST(by_every_grain), KNOWN_TEST(cuts), KNOWN_TEST(every_cut),
		KNOWN_TEST(every_scope)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
