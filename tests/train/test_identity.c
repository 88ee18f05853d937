/* SPDX-License-Identifier: Apache-2.0
 *
 * What decides the result of a run, as text: each setting, each number of the data and of the network changes it, and changes its own line; threads
 * and paths do not.
 */
#include "help.h"
#include "train/identity.h"

static const cop_train_args base = {.epochs = 3, .batch = 16, .threads = 1, .lr = 0.05f, .update = "adam", .schedule = "cosine", .augment = "flip", .policies = "ema", .smooth = 0.1f, .seed = 7};

static const char *of_args(cop_text *t, const cop_train_args *a)
{
	t->len = 0;
	cop__identity_args(t, a);
	assert_int_equal(t->status, COP_OK);
	return t->data;
}

/* Lines that differ; the label of the first of them. Lines that only one has differ, too. */
static int differing(char label[32], const char *a, const char *b)
{
	int n = 0;

	while (*a || *b) {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
		const char *line = *a ? a : b;
		if ((la != lb || memcmp(a, b, la)) && !n++) snprintf(label, 32, "%.*s", (int)strcspn(line, "\t"), line);
		a += la + (a[la] != 0);
		b += lb + (b[lb] != 0);
	}
	return n;
}

static void settings(void **state)
{
	static const struct { cop_train_args a; const char *label; } row[] = {
		{{.epochs = 4}, "epochs"}, {{.batch = 17}, "batch"}, {{.lr = 0.0501f}, "lr"}, {{.update = "adam decay=0.1"}, "update"}, {{.schedule = "constant"}, "schedule"}, {{.augment = "none"}, "augment"},
		{{.policies = "ema:decay=0.9"}, "policies"}, {{.smooth = 0.2f}, "smooth"}, {{.seed = 8}, "seed"}, {{.bf16 = true}, "products"}, {{.threads = 5, .checkpoint = "x", .resume = true}, NULL},
	};
	char label[32];
	cop_text x, y;

	cop__text_init(&x, *state);
	cop__text_init(&y, *state);
	of_args(&x, &base);
	for (int i = 0; i < LEN(row); i++) {
		cop_train_args a = base;
		const cop_train_args *b = &row[i].a;
		if (b->epochs) a.epochs = b->epochs;
		if (b->batch) a.batch = b->batch;
		if (b->threads) a.threads = b->threads;
		if (b->lr > 0) a.lr = b->lr;
		if (b->smooth > 0) a.smooth = b->smooth;
		if (b->seed) a.seed = b->seed;
		if (b->update) a.update = b->update;
		if (b->schedule) a.schedule = b->schedule;
		if (b->augment) a.augment = b->augment;
		if (b->policies) a.policies = b->policies;
		a.bf16 = b->bf16;
		a.checkpoint = b->checkpoint, a.resume = b->resume;
		int n = differing(label, x.data, of_args(&y, &a));
		if (n != (row[i].label != NULL) || (n && strcmp(label, row[i].label))) fail_msg("row %d: %d lines, the first is '%s'", i, n, label);
	}
	/* what is not said is the default */
	const cop_train_args bare = {.epochs = 1, .batch = 1}, said = {.epochs = 1, .batch = 1, .update = "sgd momentum=0.9", .schedule = "cosine", .augment = "none"}; /* no policies: none */
	of_args(&x, &bare);
	assert_string_equal(x.data, of_args(&y, &said));
	cop_train_args none = base;
	none.policies = NULL;
	of_args(&x, &base);
	assert_int_equal(differing(label, x.data, of_args(&y, &none)), 1);
	assert_string_equal(label, "policies");
	cop__text_free(&x);
	cop__text_free(&y);
}

/* ---- data ---- */

typedef struct odd { int32_t sample, number, label, target; int gets; } odd; /* which of them differs; -1: none */

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	odd *o = ud;

	o->gets++;
	x[0] = (float)i, x[1] = 2;
	if (o->sample == i && o->number >= 0) x[o->number] += 0.5f;
	*label = i % 3 + (o->label == i);
	return COP_OK;
}

static cop_status target(void *ud, int32_t i, float *y) { return *y = (float)i + (((odd *)ud)->target == i), COP_OK; }

static const char *of_data(cop_text *t, odd *o, int32_t count, int32_t classes, bool targets)
{
	cop_dataset d = {.name = "odd", .x = cop__type(COP_F32, 1, DIMS(2)), .count = count, .classes = classes, .get = get, .ud = o, .targets = targets, .target = targets ? target : NULL};

	t->len = 0;
	assert_int_equal(cop__identity_data(t, "data", &d), COP_OK);
	return t->data;
}

static void data(void **state)
{
	odd none = {-1, -1, -1, -1, 0};
	cop_text x, y;

	cop__text_init(&x, *state);
	cop__text_init(&y, *state);
	for (int targets = 0; targets < 2; targets++) {
		of_data(&x, &none, 5, targets ? 0 : 3, targets);
		assert_string_equal(x.data, of_data(&y, &none, 5, targets ? 0 : 3, targets));
		for (int i = 0; i < 5; i++) {
			odd number = {i, 0, -1, -1, 0}, last = {i, 1, -1, -1, 0}, label = {-1, -1, i, -1, 0}, to = {-1, -1, -1, i, 0};
			assert_string_not_equal(x.data, of_data(&y, &number, 5, targets ? 0 : 3, targets));
			assert_string_not_equal(x.data, of_data(&y, &last, 5, targets ? 0 : 3, targets));
			assert_string_not_equal(x.data, of_data(&y, &label, 5, targets ? 0 : 3, targets));
			if (targets) assert_string_not_equal(x.data, of_data(&y, &to, 5, 0, true));
		}
		assert_string_not_equal(x.data, of_data(&y, &none, 6, targets ? 0 : 3, targets));
	}
	of_data(&x, &none, 5, 3, false);
	assert_memory_equal(x.data, "data\t5 samples of 2, 3 classes, contents ", 40);
	assert_string_not_equal(x.data, of_data(&y, &none, 5, 4, false));
	/* of a large set some thousands of numbers, evenly spread: 2^22 of 3 * 2^22 */
	none.gets = 0;
	of_data(&x, &none, 3 << 21, 3, false);
	assert_int_equal(none.gets, 1 << 21);
	x.len = 0;
	assert_int_equal(cop__identity_data(&x, "data", NULL), COP_OK);
	assert_string_equal(x.data, "data\tnone\n");
	cop__text_free(&x);
	cop__text_free(&y);
}

/* ---- networks ---- */

static cop_graph *net(cop_ctx *cx, const char *name, float w, const float *mask)
{
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 1)), t = cop__type(COP_F32, 2, DIMS(2, 1));
	const float both[2] = {1, w};
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "g"));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, name, &t, both))), "y"));
	if (mask) cop__data(g, COP_STATE, "s", &t, mask);
	return g;
}

static void networks(void **state)
{
	static const float ones[2] = {1, 1}, other[2] = {1, 0};
	static const struct { const char *name; float w; const float *mask; bool same; } row[] = {{"w", 2, ones, true}, {"w", 3, ones, false}, {"w", 2, other, false}, {"w", 2, NULL, false}, {"v", 2, ones, false}};
	cop_graph *g = net(*state, "w", 2, ones);
	cop_text x, y;

	cop__text_init(&x, *state);
	cop__text_init(&y, *state);
	OK(*state, cop__identity_graph(&x, "network", g));
	assert_memory_equal(x.data, "network\tg, contents ", 20);
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *h = net(*state, row[i].name, row[i].w, row[i].mask);
		y.len = 0;
		OK(*state, cop__identity_graph(&y, "network", h));
		assert_int_equal(!strcmp(x.data, y.data), row[i].same);
		assert_int_equal(cop__same_weights(g, h), row[i].same);
		cop_graph_free(h);
	}
	cop_graph_free(g);
	cop__text_free(&x);
	cop__text_free(&y);
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(settings), TEST(data), TEST(networks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
