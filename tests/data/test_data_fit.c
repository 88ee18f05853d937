/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples fitted to networks: which shapes fit, how they are turned and scaled, which number a class gets, and what is refused.
 */
#include "help.h"

#include "data/batch.h"
#include "data/data.h"
#include "data/fit.h"

/* Sample i holds 100 i, 100 i + 1, ... in order; its label is i % classes. */
static cop_status count_up(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	for (int64_t k = 0; k < cop_type_count(&d->x); k++) x[k] = (float)(100 * i + k);
	*label = d->classes ? i % d->classes : 0;
	return COP_OK;
}

static cop_dataset numbers(const int32_t *dim, int32_t classes)
{
	cop_dataset d = {.name = "numbers", .x = {.dtype = COP_F32, .q.axis = -1}, .count = 5, .classes = classes, .get = count_up};

	while (d.x.rank < 3 && dim[d.x.rank]) d.x.dim[d.x.rank] = dim[d.x.rank], d.x.rank++;
	return d;
}

/* A network that takes dim and gives `outputs` numbers. */
static cop_graph *net(cop_ctx *cx, const int32_t *dim, int32_t outputs)
{
	cop_type in = {.dtype = COP_F32, .rank = 1, .dim = {1}, .q.axis = -1};
	int32_t n = 1;
	cop_graph *g;

	for (int i = 0; i < 3 && dim[i]; i++) in.dim[in.rank++] = dim[i], n *= dim[i];
	OK(cx, cop__graph_new(&g, cx, "net"));
	cop_vid x = cop__input(g, "x", &in);
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){.rank = 2, .dim = {1, n}}, VIDS(x));
	cop_type w = cop__type(COP_F32, 2, DIMS(outputs, n));
	x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, "w", &w, NULL)));
	OK(cx, cop__output(g, x, "y"));
	return g;
}

enum { REFUSED = -1, AS_IT_IS = 0 };

/* turn: 0, or [rows, cols] is transposed and this is cols: element 1 of the sample is found at place `rows` */
static void shapes(void **state)
{
	static const struct { int32_t sample[3], net[3]; cop_layout layout; int rows; const char *says; } rows[] = {
		{{28, 28, 1}, {28, 28, 1}, COP_LAYOUT_FIT, AS_IT_IS, ""},
		{{28, 28, 1}, {1, 28, 28}, COP_LAYOUT_FIT, AS_IT_IS, ""},
		{{28, 28, 1}, {784}, COP_LAYOUT_FIT, AS_IT_IS, ""},
		{{784}, {28, 28, 1}, COP_LAYOUT_FIT, AS_IT_IS, "row by row"},
		{{6, 4, 3}, {6, 4, 3}, COP_LAYOUT_FIT, AS_IT_IS, ""},
		{{6, 4, 3}, {3, 6, 4}, COP_LAYOUT_FIT, 24, "samples are [6,4,3]; the network takes [3,6,4]: transposed"},
		{{3, 6, 4}, {6, 4, 3}, COP_LAYOUT_FIT, 3, "transposed"},
		{{4, 6, 3}, {3, 6, 4}, COP_LAYOUT_FIT, REFUSED, "--layout"},  /* height and width differ, too */
		{{6, 4, 1}, {4, 6, 1}, COP_LAYOUT_FIT, REFUSED, "samples of 'numbers' are [6,4,1], the network 'net' takes [4,6,1]"},
		{{6, 4, 1}, {1, 4, 6}, COP_LAYOUT_FIT, REFUSED, "takes [1,4,6]"},
		{{32, 6, 1}, {6, 32}, COP_LAYOUT_FIT, 32, "transposed"},       /* [l,c] for [c,l]; arrays of two axes come with a third */
		{{32, 6}, {6, 32}, COP_LAYOUT_FIT, 32, "transposed"},
		{{6, 32}, {6, 32}, COP_LAYOUT_FIT, AS_IT_IS, ""},
		{{32, 6, 1}, {6, 1, 32}, COP_LAYOUT_FIT, 32, "transposed"},
		{{5, 5}, {5, 5}, COP_LAYOUT_FIT, AS_IT_IS, ""},                /* the same shape is the same layout */
		{{5, 5}, {5, 5}, COP_LAYOUT_FIRST, 5, "transposed"},
		{{12}, {3, 2, 2}, COP_LAYOUT_FIT, REFUSED, "--layout"},        /* planes, or channels last? */
		{{12}, {2, 2, 3}, COP_LAYOUT_FIT, REFUSED, "--layout"},
		{{12}, {3, 2, 2}, COP_LAYOUT_KEEP, AS_IT_IS, ""},
		{{12}, {3, 2, 2}, COP_LAYOUT_FIRST, 4, "transposed"},
		{{12}, {2, 2, 3}, COP_LAYOUT_LAST, 3, "transposed"},
		{{2, 2, 3}, {12}, COP_LAYOUT_FIT, AS_IT_IS, "flattened"},
		{{2, 2, 3}, {12}, COP_LAYOUT_FIRST, 4, "transposed"},
		{{6, 4}, {3, 8}, COP_LAYOUT_FIT, REFUSED, "takes [3,8]"},
		{{6, 4}, {3, 8}, COP_LAYOUT_KEEP, AS_IT_IS, ""},
		{{6, 4}, {3, 8}, COP_LAYOUT_FIRST, REFUSED, "takes [3,8]"},
		{{6, 4, 3}, {4, 6, 3}, COP_LAYOUT_LAST, REFUSED, "takes [4,6,3]"},
		{{4}, {5}, COP_LAYOUT_KEEP, REFUSED, "are [4], the network 'net' takes [5]"},
	};
	cop_ctx *cx = *state;
	char note[COP_NOTE];
	static float x[1000];
	int32_t label;

	for (int i = 0; i < LEN(rows); i++) {
		cop_dataset d = numbers(rows[i].sample, 0), *f;
		d.ud = &d;
		cop_graph *g = net(cx, rows[i].net, 2);
		OK(cx, cop_graph_samples_set(g, &(cop_samples){.layout = rows[i].layout}));
		cop_status st = cop_data_fit(&f, note, g, &d);
		if (st != (rows[i].rows == REFUSED ? COP_SHAPE : COP_OK)) fail_msg("row %d: %d %s", i, st, cop_error_text(cx));
		const char *said = st ? cop_error_text(cx) : note;
		if (!strstr(said, rows[i].says) || (!*rows[i].says && *said)) fail_msg("row %d: '%s', not '%s'", i, said, rows[i].says);
		if (!st) {
			OK(cx, f->get(f->ud, 2, x, &label));
			assert_true(x[0] == 200 && x[rows[i].rows ? rows[i].rows : 1] == 201);
			assert_int_equal(f->x.rank, g->value[g->input[0]].type.rank - 1);
			cop_data_free(f);
		}
		cop_error_clear(cx);
		cop_graph_free(g);
	}
}

/* By hand: x = (times x - mean) / std by channel, wherever the channels lie, and by batches as one by one. */
static void scaled(void **state)
{
	static const struct { int32_t sample[3], net[3]; cop_samples how; float want[4]; } rows[] = { /* of sample 0: 0 1 2 3 ... */
		{{2, 3}, {2, 3}, {.times = 255}, {0, 255, 510, 765}},
		{{2, 1, 2}, {2, 1, 2}, {.times = 2, .channels = 2, .mean = {1, 2}, .std = {4, 0.5f}}, {-0.25f, 0, 0.75f, 8}},
		{{2, 1, 2}, {2, 1, 2}, {.channels = 1, .mean = {1}, .std = {2}}, {-0.5f, 0, 0.5f, 1}},
		{{2, 2, 3}, {3, 2, 2}, {.channels = 3, .mean = {0, 1, 2}, .std = {1, 1, 1}}, {0, 3, 6, 9}},     /* turned: the first channel */
		{{3, 2, 2}, {3, 2, 2}, {.channels = 3, .mean = {0, 4, 8}, .std = {1, 1, 1}}, {0, 1, 2, 3}},     /* channels first in the samples */
	};
	cop_ctx *cx = *state;
	float x[12], rows_of[5 * 12];
	int32_t label, labels[5];
	cop_batches *b;

	for (int i = 0; i < LEN(rows); i++) {
		cop_dataset d = numbers(rows[i].sample, 0), *f;
		d.ud = &d;
		cop_graph *g = net(cx, rows[i].net, 2);
		OK(cx, cop_graph_samples_set(g, &rows[i].how));
		OK(cx, cop_data_fit(&f, NULL, g, &d));
		OK(cx, f->get(f->ud, 0, x, &label));
		for (int k = 0; k < 4; k++)
			if (x[k] != rows[i].want[k]) fail_msg("row %d: number %d is %g, not %g", i, k, (double)x[k], (double)rows[i].want[k]);
		OK(cx, cop__batch_new(&b, cx, f, &(cop_batch_args){.size = 5, .in_order = true}));
		OK(cx, cop__batch_get(rows_of, labels, b, 0, 0, 1));
		size_t n = (size_t)cop_type_count(&d.x);
		for (int k = 0; k < 5; k++) {
			OK(cx, f->get(f->ud, k, x, &label));
			assert_memory_equal(x, rows_of + (size_t)k * n, n * sizeof *x);
		}
		cop__batch_free(b);
		cop_data_free(f);
		cop_graph_free(g);
	}
	cop_dataset d = numbers((const int32_t[3]){2, 2, 2}, 0), *f;
	d.ud = &d;
	cop_graph *g = net(cx, (const int32_t[3]){2, 2, 2}, 2);
	OK(cx, cop_graph_samples_set(g, &(cop_samples){.channels = 3, .std = {1, 1, 1}}));
	assert_int_equal(cop_data_fit(&f, NULL, g, &d), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(cx), "a number for each channel"));
	cop_error_clear(cx);
	cop_graph_free(g);
}

/* Statistics of what goes into the network: by channel, scaled. */
static void statistics(void **state)
{
	cop_ctx *cx = *state;
	cop_dataset d = numbers((const int32_t[3]){3, 2, 2}, 0), *f;
	cop_graph *g = net(cx, (const int32_t[3]){2, 2, 3}, 2);
	float mean[3], std[3];

	d.ud = &d, d.count = 1;
	OK(cx, cop_graph_samples_set(g, &(cop_samples){.times = 2}));
	OK(cx, cop_data_fit(&f, NULL, g, &d)); /* channels 0 1 2 3, 4 5 6 7, 8 9 10 11 */
	assert_int_equal(cop__batch_channels(f), 3);
	OK(cx, cop__batch_stats(mean, std, 3, cx, f));
	for (int c = 0; c < 3; c++) {
		assert_float_equal(mean[c], 2 * (4 * c + 1.5f), 1e-5);
		assert_float_equal(std[c], 2 * sqrtf(1.25f), 1e-5);
	}
	cop_data_free(f);
	cop_graph_free(g);
}

/* Pictures are moved and mirrored as they lie, then turned: what a network with channels first learns from is what one with channels
 * last does. */
static void augmented(void **state)
{
	enum { H = 6, W = 4, C = 3, N = H * W * C };
	static const char *const options[] = {"flip,crop=2", "shift=1,erase=3", "none"};
	cop_ctx *cx = *state;
	float last[5 * N], first[5 * N];
	int32_t label[5];
	cop_batches *b;

	for (int i = 0; i < LEN(options); i++) {
		cop_dataset d = numbers((const int32_t[3]){H, W, C}, 0), *f;
		d.ud = &d;
		cop_graph *g = net(cx, (const int32_t[3]){C, H, W}, 2);
		const cop_batch_args a = {.size = 5, .augment = options[i], .seed = 7};
		OK(cx, cop_data_fit(&f, NULL, g, &d));
		OK(cx, cop__batch_new(&b, cx, &d, &a));
		OK(cx, cop__batch_get(last, label, b, 0, 0, 1));
		cop__batch_free(b);
		OK(cx, cop__batch_new(&b, cx, f, &a));
		OK(cx, cop__batch_get(first, label, b, 0, 0, 1));
		cop__batch_free(b);
		for (int r = 0; r < 5; r++)
			for (int k = 0; k < H * W; k++)
				for (int c = 0; c < C; c++) assert_true(first[r * N + c * H * W + k] == last[r * N + k * C + c]);
		cop_data_free(f);
		cop_graph_free(g);
	}
	cop_dataset d = numbers((const int32_t[3]){3, 4, 5}, 0); /* channels first in the samples: no axis can be mirrored for certain */
	d.ud = &d;
	assert_int_equal(cop__batch_new(&b, cx, &d, &(cop_batch_args){.size = 5, .augment = "flip"}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "channels first"));
	cop_error_clear(cx);
}

/* net: names of the network, "": none; data: of the data set; want: the numbers that its classes get, or what is said. */
static void classes(void **state)
{
	static const struct { const char *net, *data; int32_t outputs; const char *want, *says; } rows[] = {
		{"cat dog owl", "cat dog owl", 3, "012", ""},
		{"cat dog owl", "cat owl", 3, "02", ""},            /* one class is missing */
		{"owl cat dog", "cat dog owl", 3, "120", ""},
		{"cat dog owl", "cat emu", 3, NULL, "class 'emu' of 'numbers' is not one of the 3 classes that the network 'net' knows: cat, dog, owl"},
		{"", "cat dog owl", 3, "012", ""},
		{"", "cat dog", 3, "01", "has no names of classes"},
		{"", "cat dog owl emu", 3, NULL, "has 4 classes, but the network 'net' distinguishes 3"},
		{"", "0 2", 3, "02", ""},                           /* numbers are themselves ... */
		{"", "1 2 3", 3, "012", ""},                        /* ... where the network has such outputs */
		{"1 2 3", "2 3", 3, "12", ""},
		{"1 2 3", "0 1", 3, NULL, "class '0'"},
		{"cat dog owl", "", 3, "01", ""},                   /* a caller's own set may have none */
	};
	cop_ctx *cx = *state;
	char note[COP_NOTE], copy[2][80];

	for (int i = 0; i < LEN(rows); i++) {
		const char *name[2][8];
		int32_t n[2] = {0, 0}, label;
		float x[4];
		for (int k = 0; k < 2; k++) {
			snprintf(copy[k], sizeof copy[k], "%s", k ? rows[i].data : rows[i].net);
			for (char *p = strtok(copy[k], " "); p; p = strtok(NULL, " ")) name[k][n[k]++] = p;
		}
		cop_dataset d = numbers((const int32_t[3]){4}, n[1] ? n[1] : 2), *f;
		d.ud = &d;
		d.class_name = n[1] ? name[1] : NULL;
		cop_graph *g = net(cx, (const int32_t[3]){4}, rows[i].outputs);
		OK(cx, cop_graph_classes_set(g, name[0], n[0]));
		cop_status st = cop_data_fit(&f, note, g, &d);
		if (!st != !!rows[i].want) fail_msg("row %d: %s", i, cop_error_text(cx));
		const char *said = st ? cop_error_text(cx) : note;
		if (!strstr(said, rows[i].says) || (!*rows[i].says && *said)) fail_msg("row %d: '%s', not '%s'", i, said, rows[i].says);
		for (int32_t k = 0; !st && k < d.classes; k++) {
			OK(cx, f->get(f->ud, k, x, &label));
			if (label != rows[i].want[k] - '0') fail_msg("row %d: class %d became %d", i, k, label);
		}
		if (!st) cop_data_free(f);
		cop_error_clear(cx);
		cop_graph_free(g);
	}
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(shapes, setup, teardown), cmocka_unit_test_setup_teardown(scaled, setup, teardown),
		cmocka_unit_test_setup_teardown(statistics, setup, teardown), cmocka_unit_test_setup_teardown(augmented, setup, teardown), cmocka_unit_test_setup_teardown(classes, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
