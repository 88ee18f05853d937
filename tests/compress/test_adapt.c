/* SPDX-License-Identifier: Apache-2.0
 *
 * Which layers a device trains: the plan that is foretold is that of the code, no choice that fits gains more, budgets are kept, and a saved difference gives the
 * trained network again.
 */
#include "help.h"
#include "compress/adapt/adapt.h"
#include "emit/int8_net.h"

#include <unistd.h>

/* ---- networks and data ---- */

static cop_dataset *digits(cop_ctx *cx, int32_t n)
{
	cop_dataset *d;

	OK(cx, cop_data_open(&d, cx, "synth-digits", "train", n));
	return d;
}

/* Of int8, with the digits for inputs; trained a little. */
static cop_graph *small_net(cop_ctx *cx, cop_dataset *d, bool integers)
{
	cop_graph *g;

	OK(cx, cop_zoo_build(&g, cx, "mlp-784x12x10x10", &(cop_zoo_args){.batch = 1, .seed = 1}));
	OK(cx, cop_train(g, d, NULL, &(cop_train_args){.epochs = 3, .batch = 16, .threads = 1, .lr = 0.05f, .seed = 1}));
	if (integers) OK(cx, cop_quantize(&g, d, &(cop_quantize_args){.limit = 50, .threads = 1, .seed = 1}));
	OK(cx, cop_graph_apply(&g, "to_infer fuse"));
	return g;
}

/* ---- the plan ---- */

static cop_status find_ram(void *ud, const char *path, const void *bytes, size_t size)
{
	const char *at = !strcmp(path, "net.h") ? strstr(bytes, "NET_RAM_BYTES ") : NULL;

	(void)size;
	if (at) *(size_t *)ud = strtoul(at + strlen("NET_RAM_BYTES "), NULL, 10);
	return COP_OK;
}

/* With the same layers, emission has arrays of that size, and the stack that is counted. */
static void the_plan_is_that_of_the_code(void **state)
{
	static const char *const layers[] = {"c3.b|dw.*", "c1.w", "nothing|head*", "*"};
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 10);
	cop_target t;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	for (int way = 0; way < 2; way++)
		for (int i = 0; i < LEN(layers); i++) {
			static cop_adapted a;
			const float bands = way ? 3 : 0;
			cop_graph *g = trained_net(cx, true);
			size_t ram = 0;
			int32_t n;
			cop_patch p;
			/* the rate is given and there is nothing to choose, so the data set is not looked at */
			OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = layers[i], .lr = 0.01f, .patch = bands, .threads = 1}));
			OK(cx, cop_graph_trainable(&g, a.spec, &n));
			if (way) OK(cx, cop_graph_patch(&g, &t, bands, &p));
			OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = "net", .train = true, .train_spec = a.spec}, find_ram, &ram));
			assert_int_equal(a.ram, ram + 1024);
			assert_int_equal(a.ram, a.arena + a.parameters + a.state + 1024);
			cop_graph_free(g);
		}
	cop_data_free(d);
}

/* Of floats, too, where emission keeps less than a training on this machine does. */
static void what_is_computed_again_is_not_counted(void **state)
{
	static cop_adapted a;
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 10);
	cop_target t;
	cop_graph *g;
	size_t ram = 0;

	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.batch = 1, .seed = 1}));
	OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.target = "host", .layers = "*", .lr = 0.01f, .threads = 1}));
	OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = "net", .train = true, .train_spec = a.spec}, find_ram, &ram));
	assert_int_equal(a.ram, ram + 1024);
	cop_graph_free(g);
	cop_data_free(d);
}

static void names_are_checked(void **state)
{
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 10);
	cop_graph *g = trained_net(cx, true);
	static cop_adapted a;

	assert_int_equal(cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "c9.*", .lr = 1, .threads = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "named 'c9.*'"));
	cop_error_clear(cx);
	assert_int_equal(cop_adapt_choose(&a, g, d, &(cop_adapt_args){.choose = "greedy", .lr = 1, .threads = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "not by 'greedy'"));
	cop_error_clear(cx);
	OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "head.w", .lr = 1, .threads = 1}));
	const size_t least = a.least;
	assert_int_equal(a.ram, least);
	OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "head.w", .lr = 1, .threads = 1, .ram = least}));
	assert_int_equal(cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "head.w", .lr = 1, .threads = 1, .ram = least - 1}), COP_BUDGET);
	assert_non_null(strstr(cop_error_text(cx), "trains the last layer alone needs"));
	cop_error_clear(cx);
	assert_int_equal(cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "c1.*", .lr = 1, .threads = 1, .ram = least}), COP_BUDGET);
	assert_non_null(strstr(cop_error_text(cx), "trains these layers needs"));
	cop_error_clear(cx);
	cop_graph_free(g);
	cop_data_free(d);
}

/* ---- the choice ---- */

static cop_adapter adapter(cop_ctx *cx, cop_graph *g, const cop_adapt_args *a)
{
	cop_adapter z = {.cx = cx, .g = g, .priced = g, .a = a};

	cop__arena_init(&z.mem, cx);
	OK(cx, cop_target_find(&z.t, cx, "cortex-m4"));
	OK(cx, cop__adapt_items(&z));
	OK(cx, cop__adapt_prices(&z));
	return z;
}

/* Gains as trials might give them: early layers more, some bad. */
static void give_gains(cop_adapter *z, uint32_t seed)
{
	for (int32_t i = 0; i < z->n; i++) {
		cop_adapt_item *it = &z->item[i];
		it->gain[COP_TRAIN_BIAS] = (double)cop__rand_unit(seed, 1, (uint64_t)i) - 0.2;
		it->gain[COP_TRAIN_ALL] = it->gain[COP_TRAIN_BIAS] + 2 * (double)cop__rand_unit(seed, 2, (uint64_t)i) - 0.3;
		for (int k = 1; k < COP_TRAIN_LEVELS; k++) it->can[k] = it->gain[k] > 0;
	}
}

static double ram_of(const cop_adapter *z, const uint8_t *level)
{
	cop_step_ram r;
	cop_text spec;

	cop__text_init(&spec, z->cx);
	OK(z->cx, cop__adapt_spec(&spec, z, level));
	OK(z->cx, cop__adapt_ram(&r, z, spec.data));
	cop__text_free(&spec);
	return (double)r.all;
}

enum { LAYERS = 6, ALL = 729 }; /* 3^6 */

static void levels_of(uint8_t *level, int code)
{
	for (int i = 0; i < LAYERS; i++, code /= 3) level[i] = (uint8_t)(code % 3);
}

/* Of all 729 choices, each planned, none that fits gains more; the other ways fit, too, and gain no more. */
static void no_choice_gains_more(void **state)
{
	static double ram[ALL];
	cop_ctx *cx = *state;
	cop_graph *g = trained_net(cx, true);
	cop_adapt_args a = {.threads = 1, .seed = 1};
	cop_adapter z = adapter(cx, g, &a);
	uint8_t level[LAYERS];
	double least = 1e30, most = 0, sums[3] = {0};

	assert_int_equal(z.n, LAYERS);
	for (int k = 0; k < ALL; k++) {
		levels_of(level, k);
		ram[k] = ram_of(&z, level);
		least = fmin(least, ram[k]);
		most = fmax(most, ram[k]);
	}
	for (uint32_t seed = 1; seed < 5; seed++)
		for (int part = 0; part < 7; part++) {
			double best = 0;
			give_gains(&z, seed);
			z.t.ram = (size_t)(least + (most - least) * part / 6);
			for (int k = 0; k < ALL; k++) {
				levels_of(level, k);
				bool can = ram[k] <= (double)z.t.ram;
				for (int i = 0; i < LAYERS; i++) can &= z.item[i].can[level[i]];
				if (can) best = fmax(best, cop__adapt_gain(&z, level));
			}
			static const char *const ways[] = {"knapsack", "evolution", "random"};
			for (int w = 0; w < LEN(ways); w++) {
				a.choose = ways[w];
				OK(cx, cop__adapt_choose(&z, level));
				assert_true(ram_of(&z, level) <= (double)z.t.ram);
				const double gain = cop__adapt_gain(&z, level);
				if (!w && !(gain >= best - 1e-12)) fail_msg("seed %u, part %d of 6: a choice gains %g, the knapsack's %g", seed, part, best, gain);
				if (w < 2) assert_true(gain <= best + 1e-12);
				sums[w] += gain;
			}
		}
	if (!(sums[1] > 0.75 * sums[0] && sums[2] < 0.6 * sums[0])) fail_msg("knapsack %g, evolution %g, random %g", sums[0], sums[1], sums[2]);
	cop__arena_free(&z.mem);
	cop_graph_free(g);
}

/* ---- all of it ---- */

/* The same for any number of threads; each budget is kept, and more RAM gains no less. */
static void layers_are_chosen(void **state)
{
	static cop_adapted a, b;
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 300);
	cop_graph *g = small_net(cx, d, true);
	cop_adapt_args args = {.threads = 1, .seed = 1, .trial = 60, .score = 90};
	double last = -1;

	OK(cx, cop_adapt_choose(&a, g, d, &args));
	const size_t least = a.least, most = a.ram;
	assert_true(most > least && a.n == 2 && a.step_seconds > 0 && a.save_bytes > a.parameters);
	for (size_t ram = least; ram <= most; ram += (most - least + 3) / 4) {
		double gain = 0;
		args.ram = ram, args.threads = 1;
		OK(cx, cop_adapt_choose(&a, g, d, &args));
		args.threads = 2;
		OK(cx, cop_adapt_choose(&b, g, d, &args));
		assert_string_equal(a.spec, b.spec);
		assert_true(a.ram <= ram && a.lr == b.lr);
		for (int32_t i = 0; i < a.n; i++) {
			assert_true(a.layer[i].gain == b.layer[i].gain);
			gain += (double)(a.layer[i].weights ? a.layer[i].gain : a.layer[i].bias ? a.layer[i].bias_gain : 0);
		}
		assert_true(gain >= last);
		last = gain;
	}
	cop_graph_free(g);
	cop_data_free(d);
}

typedef struct counting { cop_dataset d; cop_dataset *of; int seen[3]; } counting;

static cop_status count(void *ud, int32_t i, float *x, int32_t *label)
{
	counting *c = ud;

	c->seen[i % 3]++;
	return c->of->get(c->of->ud, i, x, label);
}

/* Trials are scored on samples that they do not train on: on every third of all. */
static void trials_are_scored_on_other_samples(void **state)
{
	static cop_adapted a;
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 300);
	cop_graph *g = small_net(cx, d, false);
	counting c = {*d, d, {0}};

	c.d.get = count, c.d.ud = &c, c.d.free = NULL;
	/* one sample to score on, many to train on; and the other way round */
	OK(cx, cop_adapt_choose(&a, g, &c.d, &(cop_adapt_args){.lr = 0.01f, .threads = 1, .trial = 100, .score = 1}));
	assert_true(c.seen[1] >= 50 && c.seen[2] >= 50 && c.seen[0] <= 8);
	memset(c.seen, 0, sizeof c.seen);
	OK(cx, cop_adapt_choose(&a, g, &c.d, &(cop_adapt_args){.lr = 0.01f, .threads = 1, .trial = 1, .score = 100}));
	assert_true(c.seen[0] >= 100 && c.seen[1] + c.seen[2] <= 10); /* one for each training: two to begin with, the last layer alone, bias and weights of two layers, and at last the choice and the last layer alone */
	assert_true(!strncmp(a.spec, "sgd momentum=0 guard=yes layers=", 32));
	cop_graph_free(g);
	cop_data_free(d);
}

/* What does not fit is refused before a sample is looked at. */
static void the_plan_comes_first(void **state)
{
	static cop_adapted a;
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 30);
	cop_graph *g = small_net(cx, d, false);
	counting c = {*d, d, {0}};

	OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "fc3.*", .lr = 1, .threads = 1}));
	c.d.get = count, c.d.ud = &c, c.d.free = NULL;
	assert_int_equal(cop_adapt_choose(&a, g, &c.d, &(cop_adapt_args){.layers = "*", .threads = 1, .ram = a.least}), COP_BUDGET);
	assert_int_equal(c.seen[0] + c.seen[1] + c.seen[2], 0);
	cop_error_clear(cx);
	cop_graph_free(g);
	cop_data_free(d);
}

/* A network that has to learn everything takes a rate that is high enough for it; a short look at it would say otherwise. */
static void the_rate_suits_a_new_task(void **state)
{
	static cop_adapted a;
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 1500);

	for (int ints = 0; ints < 2; ints++) {
		cop_graph *g;
		float right[3];
		OK(cx, cop_zoo_build(&g, cx, "mlp-784x24x16x12x10", &(cop_zoo_args){.batch = 1, .seed = 1}));
		if (ints) OK(cx, cop_quantize(&g, d, &(cop_quantize_args){.limit = 50, .threads = 1, .seed = 1}));
		OK(cx, cop_graph_apply(&g, "to_infer fuse"));
		OK(cx, cop_adapt_choose(&a, g, d, &(cop_adapt_args){.layers = "*", .threads = 1, .seed = 1}));
		for (int i = 0; i < 3; i++) {
			static const float times[] = {1, 0.3f, 0.1f};
			cop_graph *t;
			cop_score s;
			int32_t n;
			OK(cx, cop_graph_copy(&t, g));
			OK(cx, cop_graph_trainable(&t, a.spec, &n));
			OK(cx, cop_train(t, d, NULL, &(cop_train_args){.epochs = 3, .batch = 1, .threads = 1, .lr = times[i] * a.lr, .update = a.spec, .schedule = "cosine", .seed = 1}));
			OK(cx, cop_graph_settle(&t));
			OK(cx, cop_eval(&s, t, d, 64, 1));
			right[i] = s.accuracy;
			cop_graph_free(t);
		}
		print_message("rate %g: right %g, with a third of it %g, with a tenth %g\n", (double)a.lr, (double)right[0], (double)right[1], (double)right[2]);
		assert_true(right[0] > 0.5f && right[0] + 0.05f > right[1] && right[0] > right[2]);
		cop_graph_free(g);
	}
	cop_data_free(d);
}

/* All layers of z, as if all had gained by themselves, the first ones most. */
static void all_gain(cop_adapter *z, uint8_t *level)
{
	for (int32_t i = 0; i < z->n; i++) {
		z->item[i].gain[COP_TRAIN_BIAS] = 0.5 + z->n - i, z->item[i].gain[COP_TRAIN_ALL] = 1 + z->n - i;
		for (int k = 1; k < COP_TRAIN_LEVELS; k++) z->item[i].can[k] = true;
		level[i] = COP_TRAIN_ALL;
	}
}

static double loss_after(const cop_adapter *z, cop_dataset *d, const uint8_t *level, float rate)
{
	cop_graph *g;
	cop_score s;
	cop_text spec;

	cop__text_init(&spec, z->cx);
	OK(z->cx, cop__adapt_spec(&spec, z, level));
	OK(z->cx, cop__adapt_prepared(&g, z->g, spec.data));
	OK(z->cx, cop_train(g, d, NULL, &(cop_train_args){.epochs = 1, .batch = 1, .threads = 1, .lr = rate, .update = spec.data, .schedule = "cosine", .seed = 1}));
	OK(z->cx, cop_graph_settle(&g));
	OK(z->cx, cop_eval(&s, g, d, 64, 1));
	cop_graph_free(g);
	cop__text_free(&spec);
	return (double)s.loss;
}

/* At a rate that suits them layers are added up; at one at which they run away they are not; and what was chosen is tried first, within the RAM. */
static void layers_are_added_one_by_one(void **state)
{
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 1500);
	cop_adapt_args a = {.threads = 1, .seed = 1, .trial = 300};
	cop_graph *g;
	uint8_t level[3];

	OK(cx, cop_zoo_build(&g, cx, "mlp-784x24x16x12x10", &(cop_zoo_args){.batch = 1, .seed = 1}));
	OK(cx, cop_graph_apply(&g, "to_infer fuse"));
	cop_adapter z = adapter(cx, g, &a);
	z.data = d;
	assert_int_equal(z.n, 3);
	for (int i = 0; i < 3; i++) {
		const float rate = 0.1f * (float)(i + 1);
		all_gain(&z, level);
		const double all = loss_after(&z, d, level, rate);
		OK(cx, cop__adapt_together(level, &z, rate));
		assert_int_equal(level[0], COP_TRAIN_ALL);
		const double some = loss_after(&z, d, level, rate);
		print_message("rate %g: loss %g with all layers, %g with %d %d %d\n", (double)rate, all, some, level[0], level[1], level[2]);
		if (i) assert_true(some < 0.9 * all);
	}
	for (int32_t i = 1; i < z.n; i++) {
		memset(level, COP_TRAIN_NONE, sizeof level);
		level[i] = COP_TRAIN_ALL;
		z.t.ram = (size_t)ram_of(&z, level);
		OK(cx, cop__adapt_together(level, &z, 0.1f));
		assert_int_equal(level[i], COP_TRAIN_ALL);
		assert_true(ram_of(&z, level) <= (double)z.t.ram);
	}
	cop__arena_free(&z.mem);
	cop_graph_free(g);
	cop_data_free(d);
}

/* ---- a saved difference ---- */

static char *whole(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = malloc(1 << 20);

	assert_non_null(f);
	*n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

static void expect_same_weights(const cop_graph *a, const cop_graph *b)
{
	for (int32_t v = 1; v <= a->n_value; v++) {
		const cop_value *x = &a->value[v];
		if ((x->role != COP_CONST && x->role != COP_PARAM) || !x->data) continue;
		const cop_vid u = cop__find(b, x->name);
		assert_true(u && b->value[u].role == x->role);
		assert_memory_equal(b->value[u].data, x->data, cop_type_bytes(&x->type));
	}
}

/* A damaged file is refused with a sentence; damage behind all that counts, where a unit of flash is filled up, may give the same network. */
static void expect_refused(const cop_graph *base, const char *file, size_t size, const cop_graph *g)
{
	cop_graph *back;

	OK(base->cx, cop_graph_copy(&back, base));
	if (cop_diff_apply(&back, file, size)) {
		assert_true(*cop_error_text(base->cx) && !strpbrk(cop_error_text(base->cx), "\n"));
		expect_same_weights(base, back);
	} else {
		expect_same_weights(g, back);
		assert_string_equal(cop_graph_class(back, 3), cop_graph_class(g, 3));
		assert_memory_equal(&back->samples, &g->samples, sizeof g->samples);
	}
	cop_error_clear(base->cx);
	cop_graph_free(back);
}

/* g: base after the passes, trained by the spec; the file with the difference. */
static char *train_and_save(cop_graph **g, const cop_graph *base, cop_dataset *d, const char *passes, const char *spec, size_t *size)
{
	cop_ctx *cx = base->cx;
	char path[] = "/tmp/cop_diff_XXXXXX";
	cop_graph *was;
	int32_t n;

	close(mkstemp(path));
	OK(cx, cop_graph_copy(g, base));
	if (passes) OK(cx, cop_graph_apply(g, passes));
	OK(cx, cop_graph_trainable(g, spec, &n));
	OK(cx, cop_graph_copy(&was, *g));
	OK(cx, cop_train(*g, d, NULL, &(cop_train_args){.epochs = 1, .batch = 1, .threads = 1, .lr = 0.001f, .update = spec, .seed = 1}));
	OK(cx, cop_diff_save(*g, was, passes, path));
	OK(cx, cop_graph_settle(g));
	cop_graph_free(was);
	char *file = whole(path, size);
	remove(path);
	return file;
}

static void expect_back(cop_graph *base, cop_dataset *d, const char *spec)
{
	cop_graph *g;
	size_t size;
	char *file = train_and_save(&g, base, d, NULL, spec, &size);

	OK(base->cx, cop_diff_apply(&base, file, size));
	expect_same_weights(g, base);
	free(file);
	cop_graph_free(g);
	cop_graph_free(base);
}

/* Parts of weights come back by the names and sizes in the record: also more of them than channels= has patterns, and one whose name is longer than a pattern. */
static void a_difference_has_parts(void **state)
{
	static const char long_name[] = "a.name.that.is.longer.than.a.pattern.of.an.option.can.be.which.has.63.characters.at.most.w";
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 120);
	cop_graph *deep;
	char text[256] = "input 28 28 1\n";

	expect_back(small_net(cx, d, false), d, "sgd momentum=0 layers=fc2.*|fc3.* channels=fc2.w:0.3");
	expect_back(small_net(cx, d, true), d, "qsgd layers=fc2.*|fc3.*|fc1.w channels=fc1.w:0.125;fc2.w:0.5");
	for (int i = 0; i < COP_MAX_RATES; i++) strcat(text, "fc 8\n");
	strcat(text, "fc 10\n");
	OK(cx, cop_network_read(&deep, cx, "deep.txt", text, strlen(text), 1));
	cop__name(deep, cop__find(deep, "fc9.w"), long_name);
	assert_true(LEN(long_name) > sizeof(((cop_rate *)0)->layers));
	expect_back(deep, d, "sgd momentum=0 layers=*.w channels=*:0.25");
	cop_data_free(d);
}

/* Of integers with a new last layer, and of floats: trained, saved, applied to the network as it was. Then every file that is cut short or damaged. */
static void a_difference_gives_the_network(void **state)
{
	cop_ctx *cx = *state;
	cop_dataset *d = digits(cx, 120);

	for (int ints = 0; ints < 2; ints++) {
		const char *passes = ints ? "head:classes=10,seed=3" : NULL, *spec = ints ? "qsgd layers=fc2.*|head*|fc1.w" : "sgd momentum=0 layers=fc2.*|fc3.*";
		cop_graph *base = small_net(cx, d, ints), *g, *back;
		size_t size;
		char *file = train_and_save(&g, base, d, passes, spec, &size);
		if (size > (ints ? 10300 : 1300)) fail_msg("%zu bytes", size); /* of floats only what changed: fc1 has 9,408 weights */
		OK(cx, cop_graph_copy(&back, base));
		OK(cx, cop_diff_apply(&back, file, size));
		expect_same_weights(g, back);
		assert_string_equal(cop_graph_class(back, 3), cop_graph_class(g, 3));
		assert_int_not_equal(cop_diff_apply(&back, file, size), COP_OK); /* not once more */
		cop_error_clear(cx);
		cop_graph_free(back);
		for (size_t at = 0; at < size; at += at < 600 ? 1 : 17) {
			expect_refused(base, file, at, g);
			file[at] ^= (char)(1 << at % 8);
			expect_refused(base, file, size, g);
			file[at] ^= (char)(1 << at % 8);
		}
		char *sum = strstr(file, "\nsum ") + 1;
		assert_int_equal(sum[12], '\n');
		memmove(sum, sum + 13, size - 13 - (size_t)(sum - file));
		OK(cx, cop_graph_copy(&back, base));
		assert_int_equal(cop_diff_apply(&back, file, size - 13), COP_FORMAT); /* without that line */
		cop_error_clear(cx);
		cop_graph_free(back);
		free(file);
		cop_graph_free(g);
		cop_graph_free(base);
	}
	cop_data_free(d);
}

/* ---- ranges ---- */

static cop_status ramp(void *ud, int32_t i, float *x, int32_t *label)
{
	for (int k = 0; k < 4; k++) x[k] = (float)(i * 4 + k) * *(float *)ud;
	*label = 0;
	return COP_OK;
}

/* One layer that gives its input back, by hand: of the bytes 0, 20, 40, ... 300 those above 127 are cut, 9 of 16; behind a ReLU the same, and none below. */
static void ends_are_counted(void **state)
{
	static const int8_t one[] = {64};
	static const int32_t none[] = {0};
	static const double real[] = {1.0 / 64};
	cop_ctx *cx = *state;
	cop_type t = cop__type(COP_F32, 4, DIMS(1, 2, 2, 1)), w = cop__type(COP_I8, 4, DIMS(1, 1, 1, 1)), b = cop__type(COP_I32, 1, DIMS(1));
	float scale = 20;
	cop_dataset d = {.name = "ramp", .x = cop__type(COP_F32, 3, DIMS(2, 2, 1)), .count = 4, .classes = 0, .get = ramp, .ud = &scale};
	cop_graph *g;
	cop_ends e[4];
	int32_t n, up = 0, m[1];

	OK(cx, cop__graph_new(&g, cx, "one"));
	assert_true(cop__multipliers_single(m, &up, real, 1));
	cop_vid x = cop__apply(g, OP_quantize, &(cop_quantize_attr){1.0f, 0, COP_I8}, VIDS(cop__input(g, "x", &t)));
	for (int relu = 0; relu < 2; relu++)
		x = cop__apply(g, OP_qconv, &(cop_qconv_attr){1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, relu ? 0 : -128, 127, up, 0, 0}, VIDS(x, cop__data(g, COP_CONST, relu ? "b.w" : "a.w", &w, one),
			cop__data(g, COP_CONST, relu ? "b.b" : "a.b", &b, none), cop__data(g, COP_CONST, relu ? "b.m" : "a.m", &b, m)));
	OK(cx, cop__output(g, cop__apply(g, OP_dequantize, &(cop_dequantize_attr){1, 0}, VIDS(x)), "y"));
	for (int sign = 0; sign < 2; sign++) {
		scale = sign ? -20 : 20;
		OK(cx, cop_range_ends(e, LEN(e), &n, g, &d, 0, 1));
		assert_int_equal(n, 2);
		assert_string_equal(e[0].name, "a.w");
		assert_true(e[0].share == 9.0 / 16);
		assert_true(e[1].share == (sign ? 0 : 9.0 / 16)); /* a ReLU's zeros are no ends */
	}
	cop_graph_free(g);
}

static int setup(void **state) { return *state = new_ctx(), 0; }
static int teardown(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_plan_is_that_of_the_code, setup, teardown), cmocka_unit_test_setup_teardown(what_is_computed_again_is_not_counted, setup, teardown), cmocka_unit_test_setup_teardown(names_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(no_choice_gains_more, setup, teardown), cmocka_unit_test_setup_teardown(layers_are_chosen, setup, teardown),
		cmocka_unit_test_setup_teardown(trials_are_scored_on_other_samples, setup, teardown), cmocka_unit_test_setup_teardown(the_plan_comes_first, setup, teardown), cmocka_unit_test_setup_teardown(layers_are_added_one_by_one, setup, teardown), cmocka_unit_test_setup_teardown(the_rate_suits_a_new_task, setup, teardown), cmocka_unit_test_setup_teardown(a_difference_has_parts, setup, teardown), cmocka_unit_test_setup_teardown(a_difference_gives_the_network, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_are_counted, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
