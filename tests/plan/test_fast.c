/* SPDX-License-Identifier: Apache-2.0
 *
 * Two memories: plans of a few networks for several sizes of the fast one are walked as those of one memory are, and compute the same
 * bits. How much of what a run touches lies in the fast memory is no less than with simpler choices, made here.
 */
#include "emit/int8_net.h"
#include "plan/simulate.h"

#include "pass/pass.h"

typedef struct net { const char *name; int32_t size, classes; } net;
static const net nets[] = {{"int8", 0, 0}, {"lenet-5", 0, 0}, {"ds-cnn", 0, 0}, {"resnet-8", 0, 0}, {"mobilenet-v1-0.25", 96, 2}, {"mobilenet-v2-0.35", 64, 0},
	{"mlperf-tiny/image_classification/pretrainedResnet_quant.tflite", 0, 0}, {"mlperf-tiny/visual_wake_words/vww_96_int8.tflite", 0, 0}};
enum { KB = 1024, ALL = 64 << 20 };

/* NULL: a file of COPPICE_MODELS that is not there. */
static cop_graph *build(cop_ctx *cx, const net *n)
{
	const char *models = getenv("COPPICE_MODELS");
	char path[300];
	cop_zoo_args a = {.batch = 1, .height = n->size, .width = n->size, .classes = n->classes, .seed = 3};
	cop_graph *g;

	if (!strcmp(n->name, "int8")) return int8_net(cx, true);
	if (strchr(n->name, '/')) {
		snprintf(path, sizeof path, "%s/%s", models ? models : "", n->name);
		if (!cop_model_load(&g, cx, path)) return g;
		print_message("skipped: COPPICE_MODELS has no %s\n", n->name);
		return NULL;
	}
	OK(cx, cop_zoo_build(&g, cx, n->name, &a));
	return g;
}

/* The entries: inference, and training where it is of floats. */
static int entries(cop_graph *entry[2], cop_ctx *cx, const cop_graph *model)
{
	OK(cx, cop__pass_deploy(&entry[0], model));
	if (cop__t(model, model->input[0])->dtype != COP_F32) return 1;
	OK(cx, cop_graph_train(&entry[1], model, "loss=xent update=sgd"));
	return 2;
}

static cop_plan *plan_with(cop_ctx *cx, cop_graph *const *entry, int n, const char *target, size_t fast)
{
	cop_target t;
	cop_plan *p;

	OK(cx, cop_target_find(&t, cx, target));
	t.ram = t.flash = 0;
	t.fast_most = SIZE_MAX;
	t.fast_ram = fast;
	OK(cx, cop_plan_build(&p, entry, n, &t));
	return p;
}

/* A checksum of all outputs of all entries. */
static uint32_t results(cop_ctx *cx, const cop_plan *p)
{
	cop_session *s;
	cop_tensor v;
	uint32_t crc = 0;

	OK(cx, cop_session_new(&s, p, 1));
	for (int e = 0; e < p->n_entry; e++) {
		const cop_graph *g = p->entry[e].g;
		for (int32_t i = 0; i < g->n_input; i++) {
			OK(cx, cop_session_io(s, e, i, false, &v));
			int64_t n = cop_type_count(&v.type);
			for (int64_t k = 0; k < n; k++) {
				if (v.type.dtype == COP_F32) ((float *)v.data)[k] = cop__rand_normal(9, (uint64_t)i, (uint64_t)k);
				else if (v.type.dtype == COP_I8) ((int8_t *)v.data)[k] = (int8_t)cop__rand(9, (uint64_t)i, (uint64_t)k);
				else memset(v.data, 0, cop_type_bytes(&v.type)); /* labels */
			}
		}
		OK(cx, cop_session_run(s, e));
		for (int32_t i = 0; i < g->n_output; i++) {
			OK(cx, cop_session_io(s, e, i, true, &v));
			crc = cop__crc32c(v.data, cop_type_bytes(&v.type), crc);
		}
	}
	cop_session_free(s);
	return crc;
}

static void check_size(cop_ctx *cx, cop_graph *const *entry, int n, const cop_plan *one, size_t size, const char *name)
{
	cop_plan *two = plan_with(cx, entry, n, one->target.name, size);
	size_t arena = cop_plan_bytes(one, COP_TEMP);

	simulate(two, name);
	assert_true(cop_plan_fast(two) <= size);
	if (results(cx, two) != results(cx, one)) fail_msg("%s: the results with %zu bytes of fast memory are others", name, size);
	if (!size || size >= arena) assert_int_equal(cop_plan_bytes(two, COP_TEMP), size ? 0 : arena);
	if (size >= arena) assert_int_equal(cop_plan_fast(two), arena);
	for (int e = 0; e < n; e++) {
		for (int32_t s = 0; s < two->entry[e].n_step; s++) assert_true(two->entry[e].step[s].fast <= cop_plan_fast(two));
		for (int32_t i = 0; !size && i < one->entry[e].n_span; i++) assert_int_equal(one->entry[e].span[i].off, two->entry[e].span[i].off);
	}
	cop_plan_free(two);
}

static void check_net(const net *n, const char *target)
{
	static const size_t size[] = {0, 64, 2 * KB, 8 * KB, 32 * KB, 128 * KB, ALL};
	cop_ctx *cx = new_ctx();
	cop_graph *model = build(cx, n), *entry[2] = {0};

	if (model) {
		int count = entries(entry, cx, model);
		cop_plan *one = plan_with(cx, entry, count, target, 0);
		for (int k = 0; k < LEN(size); k++) check_size(cx, entry, count, one, size[k], n->name);
		check_size(cx, entry, count, one, cop_plan_bytes(one, COP_TEMP), n->name);
		cop_plan_free(one);
	}
	for (int e = 0; e < 2; e++) cop_graph_free(entry[e]);
	cop_graph_free(model);
	cop_ctx_free(cx);
}

static void same_bits(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(nets); i++) {
		check_net(&nets[i], "host");
		check_net(&nets[i], "cortex-m4");
	}
}

/* ---- which pieces ---- */

/* Bytes of piece a that b, above it, keeps free; a may lie over b where its kernel allows that. */
static size_t below(const cop_span *s, int32_t a, int32_t b) { return s[a].over == b + 1 ? COP_MIN(s[a].ahead, s[a].bytes) : s[a].bytes; }

static size_t first_free(const cop_span *s, int32_t n, int32_t i)
{
	size_t at = 0;

	for (int32_t k = 0; k < n; k++) {
		bool meet = s[k].fast && s[k].from <= s[i].to && s[i].from <= s[k].to;
		size_t next = s[k].off + below(s, k, i);
		if (meet && s[k].off < at + below(s, i, k) && at < next) at = next, k = -1;
	}
	return at;
}

/* The part of what a run touches that lies in `size` bytes when the heaviest pieces are taken first, each at the lowest address that is free. */
static double part_of(const cop_entry *e, size_t size, double *weight)
{
	int32_t n = e->n_span;
	cop_span *s = malloc(sizeof *s * (size_t)n);
	double all = 0, in = 0;

	memcpy(s, e->span, sizeof *s * (size_t)n);
	for (int32_t i = 0; i < n; i++) s[i].fast = false;
	for (int32_t left = n; left--;) {
		int32_t i = 0;
		for (int32_t k = 1; k < n; k++)
			if (weight[k] > weight[i]) i = k;
		weight[i] = -1;
		s[i].off = first_free(s, n, i);
		s[i].fast = s[i].off + s[i].bytes <= size;
		all += s[i].heat;
		if (s[i].fast) in += s[i].heat;
	}
	free(s);
	return in / all;
}

enum { PLAN, HOT, SMALL, LARGE, CHANCE, CHOICES, DRAWS = 100 };

static double choice(const cop_entry *e, size_t size, int how)
{
	double *w = malloc(sizeof *w * (size_t)e->n_span), sum = 0;
	int draws = how == CHANCE ? DRAWS : 1;

	for (int k = 0; k < draws; k++) {
		for (int32_t i = 0; i < e->n_span; i++) {
			double bytes = (double)COP_MAX(1, e->span[i].bytes);
			w[i] = how == HOT ? e->span[i].heat / bytes : how == SMALL ? 1 / bytes : how == LARGE ? bytes : (double)cop__rand(4, (uint64_t)k, (uint64_t)i);
		}
		sum += part_of(e, size, w);
	}
	free(w);
	return sum / draws;
}

static void compare(const net *n, const char *target)
{
	static const size_t size[] = {8 * KB, 16 * KB, 32 * KB};
	cop_ctx *cx = new_ctx();
	cop_graph *model = build(cx, n), *entry[2] = {0};

	if (model) entries(entry, cx, model);
	for (int k = 0; model && k < LEN(size); k++) {
		double part[CHOICES];
		cop_plan *p = plan_with(cx, entry, 1, target, size[k]);
		cop_plan *one = plan_with(cx, entry, 1, target, 0); /* whose pieces may all lie over each other */
		part[PLAN] = cop_plan_fast_part(p);
		print_message("%-66s %-11s %6zu %5.1f %%", n->name, target, size[k], 100 * part[PLAN]);
		for (int how = HOT; how < CHOICES; how++) {
			part[how] = choice(&one->entry[0], size[k], how);
			print_message(" %5.1f %%", 100 * part[how]);
			if (part[PLAN] < part[how] - 1e-9) fail_msg("another choice is better");
		}
		print_message("\n");
		cop_plan_free(one);
		cop_plan_free(p);
	}
	for (int e = 0; e < 2; e++) cop_graph_free(entry[e]);
	cop_graph_free(model);
	cop_ctx_free(cx);
}

static void hotter_than_others(void **state)
{
	(void)state;
	print_message("of the bytes that a run touches, in fast memory: planned; hottest, smallest, largest first, by chance\n");
	for (int i = 0; i < LEN(nets); i++) {
		compare(&nets[i], "cortex-m4");
		compare(&nets[i], "lm3s6965evb"); /* the scratch of portable kernels, the hottest of all, is smaller still */
	}
}

static double all_heat(const cop_plan *p)
{
	double sum = 0;

	for (int32_t i = 0; i < p->entry[0].n_span; i++) sum += p->entry[0].span[i].heat;
	return sum;
}

/* x[9] is read 4 times, 4 sums are written and read 3 times, 3 are written: floats. Of a byte of int8 the scratch is read, x once; a layer of one filter has none on a board without DSP instructions. */
static void heat_is_counted(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_type t = cop__type(COP_I8, 4, DIMS(1, 9, 8, 4));
	cop_graph *mlp = build(cx, &(net){"mlp-9x4x3", 0, 0}), *entry[2], *one, *filter;
	entries(entry, cx, mlp);
	OK(cx, cop__graph_new(&one, cx, "one"));
	OK(cx, cop__output(one, qconv(one, cop__input(one, "x", &t), "c", 16, 3, 1, 1, true), "y"));
	OK(cx, cop__graph_new(&filter, cx, "filter"));
	OK(cx, cop__output(filter, qconv(filter, cop__input(filter, "x", &t), "c", 1, 3, 1, 1, true), "y"));
	cop_plan *p = plan_with(cx, entry, 1, "cortex-m4", 0), *q = plan_with(cx, &one, 1, "cortex-m4", 0), *portable = plan_with(cx, &one, 1, "lm3s6965evb", 0), *in_place = plan_with(cx, &filter, 1, "lm3s6965evb", 0);
	double x = 9 * 8 * 4, y = 9 * 8 * 16, macs = y * 3 * 3 * 4;
	assert_true(all_heat(p) == 4 * (9 * 4 + 4 + 4 * 3 + 3));
	assert_true(all_heat(q) == x + macs + y);
	assert_true(all_heat(portable) == x + macs + y);
	assert_true(all_heat(in_place) == (macs + y) / 16);
	cop_plan_free(p);
	cop_plan_free(q);
	cop_plan_free(portable);
	cop_plan_free(in_place);
	cop_graph_free(one);
	cop_graph_free(filter);
	for (int e = 0; e < 2; e++) cop_graph_free(entry[e]);
	cop_graph_free(mlp);
	cop_ctx_free(cx);
}

/* A result that could lie over its operand in one memory lies beside it in two, and counts as that. */
static void parted(void **state)
{
	cop_span s[] = {{.bytes = 100, .to = 4, .heat = 1}, {.bytes = 40, .to = 1, .heat = 1000}, {.bytes = 80, .from = 1, .to = 2, .over = 2, .heat = 5}};
	cop_ctx *cx = new_ctx();
	size_t arena, fast, live;

	(void)state;
	OK(cx, cop__pack_two(&arena, &fast, &live, cx, s, LEN(s), 5, 64));
	assert_true(!s[0].fast && s[1].fast && !s[2].fast);
	assert_true(s[0].off + 100 <= s[2].off || s[2].off + 80 <= s[0].off);
	assert_int_equal(arena, 180);
	assert_int_equal(fast, 40);
	assert_int_equal(live, 220);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *target, *text; size_t fast; } row[] = {
		{"microbit", "target microbit has no second, fast RAM, but 1024 bytes of it were requested", KB},
		{"mps3-an547", "target mps3-an547 has 524288 bytes of fast RAM, but 1048576 were requested", KB * KB}};

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = new_ctx();
		cop_graph *g = build(cx, &nets[1]);
		cop_target t;
		cop_plan *p;
		OK(cx, cop_target_find(&t, cx, row[i].target));
		t.fast_ram = row[i].fast;
		assert_int_equal(cop_plan_build(&p, &g, 1, &t), COP_ARG);
		assert_string_equal(cop_error_text(cx), row[i].text);
		cop_graph_free(g);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(hotter_than_others), cmocka_unit_test(heat_is_counted), cmocka_unit_test(parted), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
